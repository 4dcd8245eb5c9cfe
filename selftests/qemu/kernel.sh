#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: kernel.sh KVER DIR
#
# Put Debian's stock kernel image and modules of version KVER under DIR. The
# image package is unpacked, never installed: installing it would run boot
# loader and initramfs hooks on the host.

set -eu

kver=$1 dir=$2
package=linux-image-$kver

[ ! -e "$dir/boot/vmlinuz-$kver" ] || [ ! -e "$dir/.done-$kver" ] || exit 0

PATH=$PATH:/usr/sbin:/sbin
rm -rf "$dir"
mkdir -p "$dir/deb"

# apt's own sandbox user cannot write here; "unsandboxed" is only a warning.
download() {
	(cd "$dir/deb" && apt-get -q download "$package") >"$dir/log" 2>&1
}

echo "fetching $package"
if ! download && ! { apt-get -q update >"$dir/log" 2>&1; download; }; then
	cat "$dir/log" >&2
	cat >&2 <<-END

	$package cannot be downloaded. The guest must boot the kernel that the
	headers are for. Either upgrade the headers (apt-get install
	linux-headers-amd64), or name others with KDIR=, or give the image that
	belongs to these with KERNEL=bzImage GUESTMODULES=lib/modules.
	END
	exit 1
fi

dpkg -x "$dir"/deb/*.deb "$dir"
rm -rf "$dir/deb" "$dir/log"
depmod -b "$dir" "$kver"
touch "$dir/.done-$kver"
