#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: build.sh DIR
#
# Unpack the kernel's own tests of its network from Debian's source package, and
# build those that net/kernel.sh runs, in DIR. No copy is kept in this repository.
# Not among them is tls: as it is in 6.1.y it does not compile.

set -eu

dir=$1
tarball=/usr/src/linux-source-6.1.tar.xz
tests=linux-source-6.1/tools/testing/selftests
programs=(udpgso udpgso_bench_tx udpgso_bench_rx psock_fanout psock_tpacket psock_snd
	rxtimestamp txtimestamp reuseport_bpf reuseport_bpf_cpu reuseport_dualstack
	reuseport_addr_any reuseaddr_conflict ip_defrag cmsg_sender)

[ ! -e "$dir/.done" ] || exit 0
missing=()
for package in clang libbpf-dev; do
	dpkg-query -W -f '${db:Status-Status}\n' $package 2>/dev/null | grep -qx installed ||
		missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	echo "apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

rm -rf "$dir"
mkdir -p "$dir/bpf"
tar -C "$dir" -xf $tarball --strip-components=4 $tests/net $tests/kselftest.h \
	$tests/kselftest_harness.h $tests/bpf/progs/xdp_dummy.c
cd "$dir/net"
for program in "${programs[@]}"; do
	# their warnings are not ours to mend
	gcc -O2 -w -o "$program" "$program.c" -lpthread
done
# BPF programs have no libc, and so no word size
clang -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu -c ../bpf/progs/xdp_dummy.c \
	-o ../bpf/xdp_dummy.bpf.o
touch "$dir/.done"
