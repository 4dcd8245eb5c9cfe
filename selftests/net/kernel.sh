#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of sockets, of xfrm, and of what is on the way between; see net/lib.sh.

# shellcheck source=lib.sh
. selftests/net/lib.sh

net_tests 600 \
	./udpgso.sh ./psock_fanout ./psock_tpacket ./psock_snd.sh \
	./rxtimestamp ./txtimestamp.sh \
	./reuseport_bpf ./reuseport_bpf_cpu ./reuseport_dualstack ./reuseport_addr_any.sh \
	./reuseaddr_conflict ./sk_bind_sendto_listen ./sk_connect_zero_addr \
	./cmsg_so_mark.sh ./cmsg_time.sh ./cmsg_ipv6.sh \
	./run_netsocktests \
	./xfrm_policy.sh ./ip_defrag.sh \
	./udpgro.sh ./udpgso_bench.sh ./udpgro_bench.sh
