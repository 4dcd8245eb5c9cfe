#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Under what a latched connection may be answered: SAs of the two directions need not be
# each other's mirror, but they must lead to the same peer and protect no less. Right
# connects to left, which receives under the one kind and would answer under the other.
# And under what the peer may not go on, whoever says that it is the peer.

# shellcheck source=latch.sh
. selftests/latch.sh

# way rl|lr KIND [LEFT RIGHT]: SAs and policies of one direction, on both hosts. The
# addresses are those of a tunnel, if not the hosts' own.
way() {
	# shellcheck disable=SC2034 # for ipsec_sas and ipsec_policy
	local IPSEC_KIND=$2 IPSEC_LEFT=${3:-$LEFT_IP} IPSEC_RIGHT=${4:-$RIGHT_IP}
	local from=left to=right

	[ "$1" = lr ] || from=right to=left
	{ ipsec_sas add "$1"; ipsec_policy out "$1"; } | $from $IP -batch -
	{ ipsec_sas add "$1"; ipsec_policy in "$1"; } | $to $IP -batch -
}

# rekeyed FAMILY: an agent says that the peer goes on under SAs which protect less
T_REKEYED=2
rekeyed() {
	local title="IPv$1, of the same lineage, but anybody can forge it" host

	ipsec_up esp-cbc "$1"
	tell "mode enforce ; between $LEFT_IP $RIGHT_IP ; bind $IPSEC_SPI a1 4711"
	tell "open x responder ; say x"
	ask count
	# shellcheck disable=SC2034 # for ipsec_sas
	IPSEC_KIND=esp-bare IPSEC_SPI=0x2000
	for host in left right; do
		ipsec_sas add rl | $host $IP -batch -
	done
	ipsec_sas add lr | left $IP -batch -
	tell "bind $IPSEC_SPI a1 4711 ; send x right evil"
	becomes "latch x" "* in-context +([0-9]) *" "$title: it is refused"
	says "got x" nothing "$title: nothing of it is delivered"
	tell "close x abort"
	ipsec_down
}

T_CASE=3
# case_of FAMILY RECEIVED SENT PASSES WHAT [REQID LEFT RIGHT [LEFT RIGHT]]: addresses
# are those of the SAs of what is sent, and of what is received
case_of() {
	local title="IPv$1, $2 answered under $3, $5"

	ipsec_up none "$1"
	way rl "$2" "${9:-}" "${10:-}"
	IPSEC_REQID=${6:-1} way lr "$3" "${7:-}" "${8:-}"
	tell "mode enforce ; between $LEFT_IP $RIGHT_IP ; open x responder"
	ask count
	tell "send x left answer"
	if [ "$4" = yes ]; then
		says "read x right answer" ok "$title: it has come"
		says "latch x" "established 2 - 0 same" "$title: the latch holds"
		says count none "$title: none is refused"
	else
		becomes "latch x" "broken 2 out-context +([0-9]) same" "$title: it is broken"
		says "got x right" nothing "$title: nothing has come"
		says count "out-context +([0-9]) broken 1" "$title: refused"
	fi
	tell "close x abort"
	IPSEC_KIND=any ipsec_down
}

cases() {
	local outer=10.0.0.

	[ "$1" = 4 ] || outer=fd00::
	case_of "$1" esp-gcm esp-gcm yes "the mirror"
	case_of "$1" esp-gcm esp-gcm yes "of another reqid" 77
	case_of "$1" esp-null esp-gcm yes "which protects more"
	case_of "$1" esp-gcm esp-null no "in which nothing is private"
	case_of "$1" esp-gcm esp-bare no "which anybody can forge"
	case_of "$1" ah-esp esp-gcm no "without the AH"
	case_of "$1" esp-null ah no "another protocol"
	case_of "$1" esp-gcm tunnel no "another mode"
	case_of "$1" tunnel tunnel yes "of another reqid" 77
	case_of "$1" tunnel tunnel no "which ends elsewhere" 1 "" ${outer}33
	case_of "$1" tunnel tunnel no "which begins elsewhere" 1 ${outer}34
	set -- "$1" ${outer}34 ${outer}33 ${outer}36 ${outer}35
	case_of "$1" tunnel tunnel yes "with ends of their own" 1 "$2" "$3" "$2" "$3"
	case_of "$1" tunnel tunnel no "to another peer" 1 "$2" "$5" "$2" "$3"
	case_of "$1" tunnel tunnel no "from another address" 1 "$4" "$3" "$2" "$3"
	rekeyed "$1"
}
T_CASES=$((14 * T_CASE + T_REKEYED))

# other_ends FAMILY: what tunnels can have for an end as well
other_ends() {
	local outer=10.0.0. prefix=24 end

	[ "$1" = 4 ] || outer=fd00:: prefix=64
	for end in 34 36; do
		left $IP addr add $outer$end/$prefix dev veth
		right $IP neigh replace $outer$end lladdr 02:00:00:00:00:01 dev veth nud permanent
	done
	for end in 33 35; do
		right $IP addr add $outer$end/$prefix dev veth
		left $IP neigh replace $outer$end lladdr 02:00:00:00:00:02 dev veth nud permanent
	done
}

plan $((2 * T_CASES))
latch_net_up
for family in 4 6; do
	other_ends $family
	cases $family
done
finish
