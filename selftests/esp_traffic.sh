#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The topology itself, without our module: every kind of protection that
# lib.sh can set up really carries traffic between the two hosts, in both
# directions, for both families, and stops traffic when its SAs are gone.

. selftests/lib.sh

# ping_right SECONDS: compressible, and long enough to be worth compressing
ping_right() {
	left ping -q -c 1 -W "$1" -s 600 -p 00 "$RIGHT_IP" >/dev/null
}

# Every SA of the kind has been used: what came in at one end has gone out at
# the other.
all_counted() {
	local proto host

	for proto in $(ipsec_protos "$IPSEC_KIND"); do
		for host in left right; do
			[ "$(xfrm_bytes $host in "$proto")" -gt 0 ] || return
		done
	done
}

plan $((2 * (10 * 7 + 2)))
net_up

for kind in $IPSEC_KINDS; do
	for family in 4 6; do
		what="$kind IPv$family"
		ipsec_up "$kind" $family
		is $? 0 "$what: set up"
		check "$what: traffic" ping_right 2
		[ "$kind" != none ] || continue

		check "$what: was counted" all_counted
		ipsec_rekey
		refused "$what: new SAs have not counted yet" all_counted
		ping_right 2
		check "$what: new SAs are used" all_counted

		ipsec_expire
		check "$what: traffic after the old SAs went" ping_right 2
		left $IP xfrm state flush
		right $IP xfrm state flush
		refused "$what: no traffic without SAs" ping_right 0.3
		ipsec_down
	done
done

finish
