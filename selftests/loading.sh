#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# SAs under which connections are made go while the module is being loaded: at one moment
# or another it sees a connection of which nobody has told it, and no SA any more.

# shellcheck source=lib.sh
. selftests/lib.sh

made=0 in_time=0 truths=0 lies=0

plan 4
net_up
ipsec_up esp-gcm 4
for after in 10 20 40 60 80 120 160 200 250 300; do
	read -r a b c d < <("$HELPERS/loading" "$MODULE" $after)
	diag "SAs gone after $after ms: connections $a, in time $b, answers $c, in clear $d"
	[ "$b" = no ] || in_time=$((in_time + 1)) made=$((made + a))
	truths=$((truths + c)) lies=$((lies + d))
	rmmod ipsec_token
done
check "SAs have gone while it was being loaded" [ $in_time -gt 0 ]
check "connections were made before that" [ $made -gt 0 ]
check "what it says of them" [ $truths -gt 0 ]
is $lies 0 "is never that they are in clear"
finish
