#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The many ways that a segment can take to a socket, and the many sockets that it
# can be for: none of them leads past a latch, and no latch is in the way of
# another connection. What connections in clear may do, and who may set what.

# shellcheck source=latch.sh
. selftests/latch.sh

# attacked TITLE: none of the usual attacks on connection x succeeds
T_ATTACKED=3
attacked() {
	ask count
	tell "inject x evil data ; inject x clear data ; inject x evil rst ; inject x clear fin"
	says "got x ; count" "nothing, in-clear 2 in-context 2" "$1: attacks fail"
	says "say x ; count" "ok, none" "$1: the connection lives on"
	says "latch x" "established 2 in-clear 4 same" "$1: it is latched"
}

# IPv6 has headers before that of TCP.
T_HEADERS=$((13 + 2 * 5))
t_headers() {
	local how by

	latch_up esp-gcm 6
	for how in hop dst; do
		for by in evil clear; do
			tell "mode off ; open x initiator ; say x ; inject x $by data $how"
			says "got x" evil "behind $how by $by, off: it is taken"
			tell "close x abort ; mode enforce ; open x initiator ; say x"
			ask count
			tell "inject x $by data $how"
			says "got x ; count" "nothing, in-c+([a-z]) 1" "behind $how by $by: it is refused"
			tell "close x abort"
		done
	done
	for how in fragments hidden; do
		tell "mode off ; open x initiator ; say x ; inject x clear data $how"
		says "got x" evilevil "in $how, off: it is taken"
		tell "close x abort ; mode report ; open x initiator ; say x"
		ask count
		tell "inject x clear data $how"
		says "got x ; count" "evilevil, in-unknown 2" "in $how, report: taken and counted"
		tell "close x abort ; mode enforce ; open x initiator ; say x"
		ask count
		tell "inject x clear data $how"
		says "got x ; count" "nothing, in-unknown 2" "in $how: it is refused"
		says "say x" ok "in $how: the connection lives on"
		check "in $how: what is not TCP passes" \
			right ping -q -c 1 -W 5 -s 3000 "$LEFT_IP"
		tell "close x abort"
	done
	becomes "there" "0 *" "in fragments: no latch is left"
	latch_down

	# The only protocol behind which the TCP header can be seen.
	ipsec_up ah 6 level=use
	tell "open x responder ; say x"
	says "say x ; latch x" "ok, established 2 - 0 same" "behind AH: it is taken"
	ask count
	tell "inject x clear data"
	says "got x ; count" "nothing, in-clear 1" "without AH: it is refused"
	says "say x" ok "without AH: the connection lives on"
	ask count
	says "say x ; count" "ok, none" "behind AH: nothing is refused"
	tell "close x abort"
	ipsec_down
}

T_DEMUX=$((2 * T_ATTACKED))
t_demux() {
	left sysctl -qw net.ipv4.ip_early_demux=0
	latch_up esp-gcm "$1"
	tell "open x initiator ; say x"
	attacked "IPv$1, no early demux"
	tell "close x abort ; offload off ; open x responder ; say x"
	attacked "IPv$1, no offload"
	tell "close x abort ; offload on"
	latch_down
	left sysctl -qw net.ipv4.ip_early_demux=1
}

# A socket that a program is at work with gets its segments later.
T_BACKLOG=6
t_backlog() {
	local by

	latch_up esp-gcm "$1"
	for by in evil clear; do
		tell "mode off ; open x $2 ; say x ; inject x $by data locked"
		says "got x" evil "IPv$1, socket in use, by $by, off: it is taken"
		tell "close x abort ; mode enforce ; open x $2 ; say x"
		ask count
		tell "inject x $by data locked ; inject x $by rst locked ; inject x $by fin locked"
		says "got x ; count" "nothing, in-c+([a-z]) 3" \
			"IPv$1, socket in use, by $by: it is refused"
		says "say x" ok "IPv$1, socket in use, by $by: the connection lives on"
		tell "close x abort"
	done
	latch_down
}

# Two sockets listen at the port; whoever gets a connection has it latched.
T_SHARED=$((2 * T_ATTACKED + 1))
t_shared() {
	local first='' second='' got i

	latch_up esp-gcm "$1"
	for ((i = 0; i < 40; i++)); do
		ask "open x responder shared"
		got=$answer
		if [ -z "${!got}" ]; then
			declare "$got=yes"
			tell "say x"
			attacked "IPv$1, SO_REUSEPORT, the $got"
		fi
		tell "close x abort"
		[ -z "$first" ] || [ -z "$second" ] || break
	done
	is "$first $second" "yes yes" "IPv$1, SO_REUSEPORT: both sockets had connections"
	latch_down
}

# ESP has parts that join packets before they are decrypted, and take them apart
# after they are encrypted; what the kernel calls offload, and does by itself.
T_OFFLOAD=$((2 * (T_ATTACKED + 2)))
t_offload() {
	local kind

	modprobe -a -q esp4_offload esp6_offload
	tell "offload on"
	for kind in esp-gcm tunnel; do
		latch_up $kind "$1"
		check "IPv$1, $kind, ESP offload: in use" \
			[ "$(<"/sys/module/esp$1_offload/refcnt")" -gt 0 ]
		tell "open x $2 ; say x"
		ask count
		says "bulk x ; count" "ok, none" "IPv$1, $kind, ESP offload: all arrives"
		attacked "IPv$1, $kind, ESP offload"
		tell "close x abort"
		latch_down
	done
	modprobe -r -q esp4_offload esp6_offload
}

# sent DEVICE: of left, or failed to be
sent() {
	left $IP -j -s link show "$1" | jq '.[0].stats64.tx | .packets + .errors + .dropped'
}

# elsewhere WHAT: what happens in that device's own namespace is not seen in left's
elsewhere() {
	local before

	evil $IP link add xfrm9 type xfrm dev veth if_id 43
	evil $IP link set xfrm9 netns left
	# first the one: it would send for an address of its own
	left $IP link set xfrm9 addrgenmode none
	left $IP link set xfrm9 up
	left $IP route add "$RIGHT_IP" dev xfrm9 src "$LEFT_IP"
	left ping -c 1 -W 1 "$RIGHT_IP" >/dev/null
	check "$1: others send by it" test "$(sent xfrm9)" -gt 0
	before=$(sent xfrm9)
	tell "send x left secret"
	sleep 0.5
	is "$(sent xfrm9)" "$before" "$1: the connection does not"
	left $IP link del xfrm9
	says "read x right secret" ok "$1 gone: the connection goes on"
}

# Of a tunnel with a device of its own, left has one and evil has one.
T_XFRMI=$((T_ATTACKED + 5))
t_xfrmi() {
	local n

	evil $IP -batch - <<-END
	link add xfrm0 type xfrm dev veth if_id 42
	link set xfrm0 up
	addr add 10.1.0.2/24 dev xfrm0
	addr add fd01::2/64 dev xfrm0 nodad
	END
	latch_up xfrmi "$1"
	tell "open x $2 ; say x"
	attacked "IPv$1, xfrm interface"
	left $IP link set xfrm0 down
	left $IP addr add "$LEFT_IP/$((${#LEFT_IP} > 8 ? 64 : 24))" dev veth 2>/dev/null
	tell "watch ; send x left secret"
	sleep 0.5
	says "seen" 0 "IPv$1, xfrm interface down: nothing leaves in clear"
	left $IP addr del "$LEFT_IP/24" dev veth 2>/dev/null
	left $IP link set xfrm0 up
	n=$([ "$1" = 6 ] && echo fd01::1/64 || echo 10.1.0.1/24)
	# shellcheck disable=SC2046 # a word, or none
	left $IP addr replace "$n" dev xfrm0 $([ "$1" = 6 ] && echo nodad)
	says "read x right secret" ok "IPv$1, xfrm interface up: the connection goes on"
	elsewhere "IPv$1, xfrm interface of another namespace"
	tell "close x abort"
	evil $IP link del xfrm0
	latch_down
}

# left's devices are part of a VRF, whose packets come by twice if it has a queue
T_VRF=$((T_ATTACKED + 4))
t_vrf() {
	left $IP -batch - <<-END
	link add vrf0 type vrf table 10
	link set vrf0 up
	link set veth master vrf0
	link set veth1 master vrf0
	addr replace fd00::1/64 dev veth nodad
	neigh replace fd00::2 lladdr 02:00:00:00:00:02 dev veth nud permanent
	neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev veth nud permanent
	END
	latch_up esp-gcm "$1"
	tell "between $LEFT_IP $RIGHT_IP 7300 vrf0 ; open x $2 ; say x"
	attacked "IPv$1, VRF"
	for queue in noqueue pfifo; do
		left tc qdisc replace dev vrf0 root $queue
		tell "say x"
		policies flush
		tell "watch ; send x left secret"
		sleep 0.5
		says "seen" 0 "IPv$1, VRF with $queue: nothing leaves in clear"
		policies add
		says "read x right secret" ok "IPv$1, VRF with $queue: the connection goes on"
	done
	tell "close x abort"
	left $IP -batch - <<-END
	link del vrf0
	addr replace fd00::1/64 dev veth nodad
	neigh replace fd00::2 lladdr 02:00:00:00:00:02 dev veth nud permanent
	neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev veth nud permanent
	END
	latch_down
}

# The same addresses and ports again: of a connection that was latched, nothing
# is left that another one could run into.
T_REUSE=8
t_reuse() {
	local title="IPv$1, the same ports"

	latch_up esp-gcm "$1"
	tell "between $LEFT_IP $RIGHT_IP 7500 ; open x initiator ; say x ; close x left"
	left sysctl -qw net.ipv4.tcp_tw_reuse=1
	left $IP xfrm policy flush
	right $IP xfrm policy flush
	ask count
	sleep 1.2
	tell "between $LEFT_IP $RIGHT_IP 7500 ; open x initiator"
	says "say x ; latch x" "ok, none 0 - 0 same" "$title, tcp_tw_reuse: in clear now"
	tell "inject x clear data"
	says "got x ; count" "evil, none" "$title, tcp_tw_reuse: nothing is refused"
	tell "close x"

	# the end that TIME-WAIT is at gets a SYN
	tell "between $LEFT_IP $RIGHT_IP 7600 ; open x responder ; say x ; close x left"
	policies add
	{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -
	tell "between $LEFT_IP $RIGHT_IP 7600 ; open x responder"
	says "say x ; latch x" "ok, established 2 - 0 same" "$title, TIME-WAIT: protected now"
	tell "inject x clear data"
	says "got x ; count" "nothing, in-clear 1" "$title, TIME-WAIT: and latched"
	tell "close x left"
	tell "between $LEFT_IP $RIGHT_IP 7600 ; open x responder"
	says "say x ; about x" "ok, a1" "$title, TIME-WAIT: once more"
	tell "close x abort"

	# no time at all between them, and the peer is somebody else
	tell "between $LEFT_IP $RIGHT_IP 7700 ; open x initiator ; say x ; close x abort"
	ipsec_rekey
	tell "bind $IPSEC_SPI c0"
	tell "between $LEFT_IP $RIGHT_IP 7700 ; open x initiator"
	says "say x ; about x" "ok, c0" "$title, at once: another peer"
	says "count" none "$title, at once: nothing is refused"
	tell "close x abort"
	becomes "there" "0 *" "$title: no latch is left"
	left sysctl -qw net.ipv4.tcp_tw_reuse=2
	latch_down
}

T_DISORDER=2
t_disorder() {
	local began took wanted="@(none|held +([0-9]))" what="nothing was refused"

	modprobe -q sch_netem
	latch_up esp-gcm "$1"
	tell "open x initiator ; say x"
	ask count
	right tc qdisc add dev veth root netem delay 20ms reorder 30% 50%
	tell "flow x"
	sleep 0.5
	began=${EPOCHREALTIME/./}
	ipsec_rekey
	tell "bind $IPSEC_SPI a1"
	took=$((${EPOCHREALTIME/./} - began))
	sleep 0.5
	says "flowed x" ok "IPv$1: out of order, and rekeyed: all arrives"
	# what waits for an identity waits no longer than a second
	if [ $took -gt 900000 ]; then
		diag "bound after $took us"
		wanted="@(none|+(@(out-unknown|in-unknown|held|broken) +([0-9])*( )))"
		what="nothing was refused but what waited for too long"
	fi
	says "count" "$wanted" "IPv$1: $what"
	right tc qdisc del dev veth root
	tell "close x abort"
	latch_down
}

# A connection in clear may gain protection, unless it is told not to.
T_CLEAR=15
t_clear() {
	local title="IPv$1, in clear"

	ipsec_up none "$1"
	# shellcheck disable=SC2034 # lib.sh reads it
	IPSEC_KIND=esp-gcm
	evil_up
	tell "between $LEFT_IP $RIGHT_IP ; open x $2 ; say x"
	says "latch x ; token x ; flags x 0" "none 0 - 0 same, clear, ok" "$title: not latched"
	tell "inject x evil sum ; inject x evil seq ; inject x evil past ; inject x evil future"
	tell "inject x evil noack ; inject x evil syn ; inject x evil short"
	says "got x ; latch x" "nothing, none 0 - 0 same" "$title: what is not taken is no gain"
	tell "inject x evil data"
	says "got x ; latch x ; token x" "evil, none 0 - 0 other, clear" \
		"$title: what is taken is protected now"
	tell "inject x clear sum"
	says "got x ; latch x" "nothing, none 0 - 0 other" "$title: what is not taken is no loss"
	tell "inject x clear data"
	says "got x ; latch x" "evil, none 0 - 0 same" "$title: what is taken is in clear again"
	says "list" "$([ "$2" = initiator ] && echo none || echo "listener 1")" \
		"$title: and nothing was latched"
	# the peer knows nothing of what was taken
	tell "close x abort ; open x $2 ; say x"

	says "flags x 4" EINVAL "$title: unknown flags"
	says "flags x 1" EINVAL "$title: a reset of what is not latched"
	says "flags x 2 ; latch x" "ok, established 2 - 0 same" "$title: latched if asked for"
	ask count
	tell "inject x evil data"
	says "got x ; count" "nothing, in-context 1" "$title, latched: protected data is refused"
	{ ipsec_sas add lr; ipsec_policy out lr; } | left $IP -batch -
	tell "send x left secret"
	becomes "flags x 2 ; latch x" "ok, broken 2 out-context *" \
		"$title, latched: nothing leaves protected"
	left $IP xfrm policy flush
	says "read x right secret" ok "$title, latched: it goes on in clear"
	ask count
	tell "inject x clear data"
	says "got x ; count" "evil, none" "$title, latched: data in clear is not refused"
	says "flags x 0 ; latch x" "ok, none 0 - 0 same" "$title: let go again"
	says "unconnected" "ENOTCONN ENOTCONN EINVAL EINVAL listener" "$title: without a connection"
	tell "close x abort"
	latch_down
}

T_MODES=11
t_modes() {
	latch_up esp-gcm 4
	tell "open x initiator ; say x ; mode report"
	ask "count ; events"
	tell "inject x evil data"
	says "got x ; count ; events" "evil, in-context 1, a1 b0 in-context" \
		"report: delivered, counted and told of"
	tell "mode off ; inject x evil data"
	says "got x ; count ; events" "evil, none, none" "off: delivered"
	tell "mode enforce ; inject x evil data"
	says "got x ; count ; events" "nothing, in-context 1, a1 b0 in-context" \
		"enforce: refused on the same connection"
	for bad in 0 4 255; do
		says "mode $bad" "*range*" "mode $bad: not possible"
	done
	says "powerless" "EPERM EPERM" "others can neither list nor set"
	tell "inject x evil data"
	says "got x" nothing "and have changed nothing"
	is "$(evil "$BUILD/tools/ipsec-token" -j stats | jq '.["latch-in-context"] // 0')" 0 \
		"another namespace is not concerned"
	tell "close x abort ; mode report ; open x initiator ; say x ; flags x 1"
	policies flush
	says "send x left open ; read x right open ; latch x" "ok, ok, broken 3 out-clear *" \
		"report: what leaves in clear breaks it"
	policies add
	says "pause 500 ; say x ; latch x" "ok, ok, established 3 out-clear *" \
		"report: which resets nothing"
	tell "close x abort ; mode enforce"
	latch_down
}

# Each direction mends by what goes that way.
T_MEND=8
t_mend() {
	latch_up esp-gcm 4
	# of somebody else's SA nobody could tell that it is not the peer's
	evil_down
	IPSEC_SPI=$EVIL_SPI ipsec_sas delete rl | left $IP -batch -
	tell "open x initiator ; say x"
	policies flush
	tell "send x left secret"
	becomes "latch x" "broken 2 out-clear *" "broken by what would leave in clear"
	says "send x right news ; read x left news ; latch x" "ok, ok, broken 2 out-clear *" \
		"what arrives as it should mends nothing"
	policies add
	says "read x right secret ; latch x" "ok, established 2 *" "what leaves as it should does"

	ipsec_sas delete rl | left $IP -batch -
	right $IP xfrm policy flush
	tell "send x right open"
	becomes "latch x" "broken 2 in-clear *" "broken by what comes in clear, without an SA left"
	says "send x left more ; read x right more ; latch x" "ok, ok, broken 2 in-clear *" \
		"what leaves as it should mends nothing"
	ipsec_sas add rl | left $IP -batch -
	{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -
	tell "bind $IPSEC_SPI a1"
	says "read x left open ; latch x" "ok, established 2 *" "what arrives as it should does"

	policies flush
	tell "send x left secret"
	becomes "latch x" "broken 2 out-clear *" "broken once more"
	tell "flags x 1"
	becomes "got x" "ECONNRESET" "and reset as soon as that is wanted"
	tell "close x abort"
	latch_down
}

plan $((T_HEADERS + T_MODES + T_MEND + 2 * (T_DEMUX + T_BACKLOG + T_SHARED + T_OFFLOAD + T_XFRMI +
	T_VRF + T_REUSE + T_DISORDER + T_CLEAR)))
latch_net_up
t_headers
for family in 4 6; do
	[ $family = 4 ] && role=initiator || role=responder
	t_demux $family
	t_backlog $family $role
	t_shared $family
	t_offload $family $role
	t_xfrmi $family $role
	t_reuse $family
	t_disorder $family
	t_clear $family $role
	t_vrf $family $role
done
t_modes
t_mend
finish
