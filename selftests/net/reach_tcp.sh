#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who can reach whom by TCP, over IPv4 and IPv6, with VRFs and without; see net/lib.sh.

# shellcheck source=lib.sh
. selftests/net/lib.sh

net_tests 2400 "./fcnal-test.sh -t ipv4_tcp" "./fcnal-test.sh -t ipv6_tcp"
