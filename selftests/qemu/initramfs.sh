#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: initramfs.sh OUTPUT [KVER MODULES-ROOT]
#
# Pack the first stage: a static busybox, our init, and the kernel modules
# needed to reach the root file system. Without KVER the kernel is expected to
# have everything built in.

set -eu

out=$1 kver=${2:-} root=${3:-}
here=$(dirname "$(readlink -f "$0")")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$dir/bin" "$dir/modules"
cp "$(command -v busybox)" "$dir/bin/busybox"
install -m 755 "$here/init" "$dir/init"

: >"$dir/modules/order"
if [ -n "$kver" ]; then
	# modprobe -D prints, in load order, "insmod FILE" or "builtin NAME".
	for m in virtio_pci virtio_rng 9pnet_virtio 9p overlay; do
		modprobe -d "$root" -S "$kver" -D "$m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
	while read -r file; do
		cp "$file" "$dir/modules/"
		basename "$file" >>"$dir/modules/order"
	done
fi

(cd "$dir" && find . | cpio --quiet -o -H newc -R 0:0) >"$out.tmp"
mv "$out.tmp" "$out"
