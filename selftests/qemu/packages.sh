#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Install the Debian packages that building and testing need. Quiet and
# without touching apt when nothing is missing, so every make target that
# boots the guest calls it first. The guest runs on this machine's root file
# system, so what the tests run in the guest is installed here as well.

set -eu

packages=(
	# building the module, the library and the command
	gcc g++ libc6-dev make pkg-config linux-headers-amd64 libmnl-dev

	# building the tests: kselftest headers, 32-bit user space, io_uring
	linux-source-6.1 xz-utils libc6-dev-i386 gcc-multilib liburing-dev

	# the guest: emulator and first-stage file system
	qemu-system-x86 busybox-static kmod cpio procps util-linux

	# the kernel of make check-debug
	bc bison flex libelf-dev libssl-dev

	# the fuzzer, which reads the netlink specification
	libyaml-dev

	# the agent and its tests; what plugins of charon in the guest need
	openssl xxd libgmp10 libip4tc2 libcap2 libcurl4 strace systemd

	# what tests call in the guest
	iproute2 iputils-ping tcpdump iperf3 jq curl

	# parsers against made up inputs
	clang libclang-rt-dev

	# the project's own Debian packages
	debhelper dh-dkms dpkg-dev fakeroot

	# make lint
	perl sparse coccinelle cppcheck shellcheck
)

missing=()
status=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || :)
for p in "${packages[@]}"; do
	grep -qx "$p installed" <<<"$status" || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "packages missing, run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get -q update &&
       apt-get -qy install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "installing packages failed" >&2
	exit 1
fi
