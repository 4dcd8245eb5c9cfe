#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: debug-kernel.sh FLAVOUR
#
# Build the kernel of debug.config and debug-FLAVOUR.config from Debian's
# source package, once for each distinct input, and print the directory where
# it is:
#
#	bzImage		to boot
#	build		to build modules for (KDIR)
#	lib/modules	for the guest
#
# That directory is $CACHE/kernel-HASH, by default below ~/.cache/ipsec-token;
# whatever is older can be deleted at any time.

set -eu

flavour=$1
here=$(dirname "$(readlink -f "$0")")
configs=("$here/debug.config" "$here/debug-$flavour.config")
tarball=/usr/src/linux-source-6.1.tar.xz
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ipsec-token}
JOBS=${JOBS:-$(nproc)}

exec 3>&1 >&2

if [ ! -r "${configs[1]}" ]; then
	echo "there is no flavour $flavour, only" "$here"/debug-*.config
	exit 1
fi

# The same version as the kernel that users of the module run.
version() {
	dpkg-query -W -f '${Version}' "$1"
}
source_version=$(version linux-source-6.1)
if [ "$source_version" != "$(version linux-headers-amd64)" ]; then
	echo "linux-source-6.1 and linux-headers-amd64 are of different versions:"
	echo "apt-get install linux-source-6.1 linux-headers-amd64"
	exit 1
fi

hash=$(cat "${configs[@]}" - <<<"$source_version $(gcc --version)" | sha256sum)
dir=$CACHE/kernel-${hash:0:12}
mkdir -p "$dir"
exec {lock}>"$dir/.lock"
flock "$lock"
if [ -e "$dir/.done" ]; then
	echo "$dir" >&3
	exit
fi

echo "building the $flavour kernel in $dir, once"
rm -rf "${dir:?}"/{source,build,lib}
mkdir -p "$dir/source" "$dir/build"

# Without what is large and never built.
tar -C "$dir/source" --strip-components=1 -xf $tarball \
	--exclude='*/Documentation/*/*' --exclude='*/tools/testing' \
	--exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/media/*.[ch]' \
	--exclude='*/drivers/staging/*.[ch]' --exclude='*/sound/*.[ch]' \
	--exclude='*/drivers/net/ethernet/*.[ch]' --exclude='*/drivers/net/wireless/*.[ch]' \
	--exclude='*/arch/[!x]*/*.[chS]' --exclude='*.dts' --exclude='*.dtsi'

# Nothing that a make above this one exports is meant for the kernel's.
mk() {
	env -i PATH="$PATH" HOME="$HOME" make -s -C "$dir/source" O="$dir/build" -j "$JOBS" "$@" >>"$dir/log" 2>&1 && return
	tail -n 30 "$dir/log"
	echo "building the kernel failed, see $dir/log"
	exit 1
}
: >"$dir/log"

cat "${configs[@]}" >"$dir/fragment"
mk KCONFIG_ALLCONFIG="$dir/fragment" allnoconfig

# Kconfig silently drops what it does not know or what depends on other things.
missing=$(sed -n 's/^\(CONFIG_[A-Z0-9_]*\)=n$/# \1 is not set/; /CONFIG/p' "$dir/fragment" |
	  grep -vxFf "$dir/build/.config" || :)
if [ -n "$missing" ]; then
	printf '%s\n' "without effect in debug.config or debug-$flavour.config:" "$missing"
	exit 1
fi

mk bzImage modules
mk INSTALL_MOD_PATH="$dir" modules_install
cp "$dir/build/arch/x86/boot/bzImage" "$dir/bzImage"

# Modules are built with headers, scripts and Module.symvers.
find "$dir/build" -name '*.[oa]' -delete
rm -f "$dir/build/arch/x86/boot/bzImage" "$dir"/build/.tmp_vmlinux* \
	"$dir"/lib/modules/*/{build,source}
touch "$dir/.done"
echo "$dir" >&3
