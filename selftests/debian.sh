#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The Debian packages are built of a copy of the sources: what is in which, and
# whether the kernel module can be built of what is for DKMS. Runs on the host.

# shellcheck source=lib.sh
. selftests/lib.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
arch=$(dpkg-architecture -q DEB_HOST_MULTIARCH)

# The environment may be that of another make, and name directories of it.
packages() {
	mkdir "$dir/source"
	tar -c --exclude=./build --exclude=./.git . | tar -x -C "$dir/source" || return
	(cd "$dir/source" && env -i PATH="$PATH" HOME="$dir" dpkg-buildpackage -us -uc -b)
}

# unpack PACKAGE
unpack() {
	mkdir "$dir/$1" && dpkg-deb -x "$dir/$1"_*.deb "$dir/$1"
}

# holds PACKAGE FILE...: these and no others, but for its documents
holds() {
	local package=$1

	shift
	is "$(cd "$dir/$package" && find . -type f -o -type l | sed 's,^\./,,' |
		grep -v -e ^usr/share/doc/ -e ^usr/share/man/ | sort | paste -s -d ' ')" \
		"$(printf '%s\n' "$@" | sort | paste -s -d ' ')" "$package: files"
}

pages() {
	find "$dir/$1/usr/share/man/man$2" -name '*.gz' 2>/dev/null | wc -l
}

# count PATTERN: of files in the tree
count() {
	compgen -G "Documentation/man/$1" | wc -l
}

depends() {
	[[ $(dpkg-deb -f "$dir/$1"_*.deb Depends) == *"$2"* ]]
}

module() {
	env -i PATH="$PATH" make -C "$KDIR" M="$dir/ipsec-token-dkms/usr/src/ipsec-token-0.1.0" \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules &&
		test -s "$dir/ipsec-token-dkms/usr/src/ipsec-token-0.1.0/ipsec_token.ko"
}

plan 17

check "packages are built" packages
for package in ipsec-token ipsec-token-dkms libipsec-token0 libipsec-token-dev; do
	check "$package: is one" unpack $package
done
holds ipsec-token lib/systemd/system/ipsec-tokend.service \
	usr/libexec/ipsec-token/updown-libreswan usr/sbin/ipsec-token usr/sbin/ipsec-tokend \
	usr/share/bash-completion/completions/ipsec-token usr/share/ipsec-token/ipsec_token.yaml
holds libipsec-token0 "usr/lib/$arch/libipsec-token.so.0"
holds libipsec-token-dev usr/include/ipsec/token.h usr/include/linux/ipsec_token.h \
	"usr/lib/$arch/libipsec-token.a" "usr/lib/$arch/libipsec-token.so" \
	"usr/lib/$arch/pkgconfig/ipsec-token.pc"
is "$(pages libipsec-token-dev 3)" "$(count '*.3')" "libipsec-token-dev: manual"
is "$(pages ipsec-token 5) $(pages ipsec-token 7) $(pages ipsec-token 8)" \
	"$(count '*.5') $(count '*.7') $(count '*.8')" "ipsec-token: manual"
check "the unit starts the agent where it is" \
	grep -qx ExecStart=/usr/sbin/ipsec-tokend \
	"$dir/ipsec-token/lib/systemd/system/ipsec-tokend.service"
check "the manual names the script where it is" \
	grep -qw leftupdown=/usr/libexec/ipsec-token/updown-libreswan \
	<(zcat "$dir/ipsec-token/usr/share/man/man8/ipsec-tokend.8.gz")
check "programs run with the library of the package" \
	env LD_LIBRARY_PATH="$dir/libipsec-token0/usr/lib/$arch" \
	"$dir/ipsec-token/usr/sbin/ipsec-token" --version
check "libraries are named as what it needs" depends ipsec-token libmnl0
check "the headers need their library" depends libipsec-token-dev 'libipsec-token0 (='
check "sources for DKMS: a module is built" module
is "$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf) $(dpkg-parsechangelog -S Version)" \
	"$(sed -n 's/^VERSION\t:= //p' Makefile) $(sed -n 's/^VERSION\t:= //p' Makefile)" \
	"one version everywhere"

finish
