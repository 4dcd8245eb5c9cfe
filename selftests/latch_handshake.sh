#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Attacks behind, and in, the handshake of a connection: of what came before it
# was latched, nothing is delivered after.

# shellcheck source=lib.sh
. selftests/lib.sh

RESULTS=18	# of helpers/latch_handshake.c, and of IPv4 one more

plan $((2 * RESULTS + 1))
net_up
for family in 4 6; do
	# Cleartext is not refused, so that it can be tried.
	ipsec_up esp-gcm $family level=use
	"$HELPERS/latch_handshake" $family $((family == 4 ? 1 : RESULTS + 2)) ||
		KTAP_FAILED=$((KTAP_FAILED + 1))
	ipsec_down
done
finish
