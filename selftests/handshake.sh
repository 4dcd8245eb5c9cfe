#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Handshake truth: of several segments, protected and in clear, the answer is
# that of the one which TCP accepted.

. selftests/lib.sh

RESULTS=88	# of helpers/handshake.c, and of IPv6 one more

plan $((2 * RESULTS + 1))
net_up
for family in 4 6; do
	# Cleartext is not refused, so that it can be tried.
	ipsec_up esp-gcm $family level=use
	"$HELPERS/handshake" $family $((family == 4 ? 1 : RESULTS + 1)) ||
		KTAP_FAILED=$((KTAP_FAILED + 1))
	ipsec_down
done
finish
