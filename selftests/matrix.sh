#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What each end of TCP and UDP is told, for every kind of protection and every
# address family: each attribute is compared with what was configured.

. selftests/lib.sh

RESULTS=5	# of helpers/exchange.c

set -- $IPSEC_KINDS
plan $(($# * 3 * RESULTS))
net_up

next=1
for kind; do
	for family in 4 6 mapped; do
		ipsec_up "$kind" "${family/mapped/4}"
		"$HELPERS/exchange" "$kind" "$family" "$LEFT_IP" "$RIGHT_IP" \
			"$IPSEC_SPI" $next || KTAP_FAILED=$((KTAP_FAILED + 1))
		ipsec_down
		next=$((next + RESULTS))
	done
done
finish
