#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Identities that are bound by hand: what is attributed to whom, and what not.

. selftests/lib.sh

RESULTS=42	# of helpers/identity.c

MANY=500
TOOL=$BUILD/tools/ipsec-token

# bindings [HOST]: how many
bindings() {
	"$@" "$TOOL" -j stats | jq .bindings
}

# no_bindings HOST: wait until there are none; not so long that they would be looked for
# anyway
no_bindings() {
	local i

	for ((i = 0; i < 40; i++)); do
		[ "$(bindings "$1")" != 0 ] || break
		sleep 0.25
	done
	bindings "$1"
}

# The reaper makes way for somebody else all the time: for who hears of it.
many_die() {
	local listener

	left "$TOOL" monitor >/dev/null &
	listener=$!
	check "many SAs have an identity" "$HELPERS/identity_many" $MANY
	is "$(bindings left)" $((2 * MANY)) "each of them"
	left $IP xfrm state flush
	is "$(no_bindings left)" 0 "when they are gone at once, no binding is left"
	kill $listener
}

plan $((2 * (RESULTS + 1) + 3))
for family in 4 6; do
	spi=0x4000
	net_up
	ipsec_up esp-gcm $family
	coproc "$HELPERS/identity" $family "$LEFT_IP" "$RIGHT_IP"
	pid=$COPROC_PID
	# bash closes its own copies when the process ends
	exec {answers}<&"${COPROC[0]}" {questions}>&"${COPROC[1]}"
	while read -r line <&"$answers"; do
		case $line in
		"do rekey"*)
			[ "${line#*reqid=}" = "$line" ] || IPSEC_REQID=${line#*reqid=}
			# Of SAs that were added in one second the kernel sends
			# under any, where there are many.
			sleep 1.1
			ipsec_rekey ;;
		"do bundles")
			# beside older ones, which are not used
			spi=$((spi + 0x1000))
			ipsec_down
			ipsec_up ah-esp $family spi=$spi
			spi=$((spi + 0x1000))
			IPSEC_SPI=$spi
			sleep 1.1
			for host in left right; do
				{ ipsec_sas add lr; ipsec_sas add rl; } | $host $IP -batch -
			done ;;
		"do fresh")
			spi=$((spi + 0x1000))
			ipsec_down
			ipsec_up esp-gcm $family spi=$spi ;;
		"do flush")
			for host in left right; do
				$host $IP xfrm state flush
			done
			sleep 2 ;;
		"ok "* | "not ok "*)
			KTAP_COUNT=$((KTAP_COUNT + 1))
			echo "$line" | sed -E "s/ok [0-9]+/ok $KTAP_COUNT/"
			continue ;;
		*)	echo "$line"
			continue ;;
		esac
		echo >&"$questions"
	done
	exec {answers}<&- {questions}>&-
	wait "$pid" || KTAP_FAILED=$((KTAP_FAILED + 1))
	is "$(no_bindings right)" 0 "IPv$family: no binding is left"
	net_down
done

net_up
many_die
finish
