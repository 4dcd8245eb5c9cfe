#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Connections whose SAs are replaced: what comes after is the peer's, or somebody
# else's, or nobody has said so far whose it is.

# shellcheck source=latch.sh
. selftests/latch.sh

# sas add|delete: those of the present IPSEC_SPI, on both hosts
sas() {
	{ ipsec_sas "$1" lr; ipsec_sas "$1" rl; } >"$TMPDIR/sas"
	left $IP -batch "$TMPDIR/sas" && right $IP -batch "$TMPDIR/sas"
}

# unharmed TITLE: nothing has been sent again, nothing came out of order
unharmed() {
	says "retransmits x ; disorder x" "0, 0" "$1: nothing lost, all in order"
}

# variant NAME=VALUE...: what evil has differs from what left uses, in this
variant() {
	local IPSEC_KIND=$IPSEC_KIND IPSEC_REQID=$IPSEC_REQID IPSEC_SPI=$EVIL_SPI
	local option selector

	for option; do
		case $option in
		kind=*)		IPSEC_KIND=${option#*=} ;;
		reqid=*)	IPSEC_REQID=${option#*=} ;;
		selector)	selector=" sel src $RIGHT_IP dst $LEFT_IP proto tcp" ;;
		esac
	done
	ipsec_sas add rl | sed "s/ mode [a-z]*/&$selector/" | left $IP -batch -
	{ ipsec_sas add rl; ipsec_policy out rl; } | evil $IP -batch -
	tell "inject x evil data"
	ipsec_sas delete rl | left $IP -batch -
	evil_down
}

# Where no agent speaks, SAs succeed each other if they look the same.
T_ALONE=12
t_alone() {
	local title="IPv$1, $2, no agent" token older

	ipsec_up "$2" "$1" level=use
	patient rto_min 4s
	tell "between $LEFT_IP $RIGHT_IP ; open x $3 ; say x"
	ask "token x"
	token=$answer
	ask count
	tell "flow x"
	ipsec_rekey
	tell "pause 200"
	older=$IPSEC_OLD_SPI
	ipsec_rekey
	says "pause 200 ; flowed x" "ok, ok" "$title: rekeyed twice under traffic"
	ipsec_expire
	IPSEC_OLD_SPI=$older ipsec_expire
	says "count ; token x" "none, $token" "$title: nothing refused, the same token"
	unharmed "$title"
	patient

	variant reqid=77
	says "got x ; count" "nothing, in-context 1" "$title: another reqid is refused"
	variant selector
	says "got x ; count" "nothing, in-context 1" "$title: another selector is refused"
	variant kind=esp-null
	says "got x ; count" "nothing, in-context 1" "$title: nothing private is refused"
	variant "kind=$([ "$2" = tunnel ] && echo esp-gcm || echo tunnel)"
	says "got x ; count" "nothing, in-context 1" "$title: another mode is refused"
	variant kind=untrusted
	says "got x ; count" "nothing, in-context 1" "$title: a weak algorithm is refused"
	variant kind=weak-auth
	says "got x ; count" "nothing, in-context 1" "$title: one that is forged more easily, too"
	says "say x" ok "$title: the connection lives on"
	ipsec_rekey
	ipsec_expire
	variant selector
	says "got x ; count" "nothing, in-context 1" \
		"$title: refused, but not broken, before the new SAs have been used"
	variant
	says "got x ; count" "evil, none" "$title: what looks the same is taken for the same"
	tell "close x abort"
	ipsec_down
}

# With optional policies a route that is looked for meanwhile does without SAs.
T_GAP=4
t_gap() {
	local title="IPv$1, SAs gone for a while"

	ipsec_up esp-gcm "$1" level=use
	tell "between $LEFT_IP $RIGHT_IP ; open x $2 ; say x"
	ask count
	sas delete
	tell "send x left secret"
	becomes "latch x" "broken 2 out-clear *" "$title: broken"
	says "pause 1000 ; count" "ok, out-clear +([0-9]) broken 1" "$title: nothing is sent in clear"
	sas add
	says "read x right secret" ok "$title: once they are back, it goes on"
	says "say x ; latch x" "ok, established 2 out-clear *" "$title: the latch is mended"
	tell "close x abort"
	ipsec_down
}

# What protects no less succeeds, what protects less does not.
T_QUALITY=2
t_quality() {
	local own other wanted what

	while read -r own other wanted what; do
		ipsec_up "$own" "$1" level=use
		tell "between $LEFT_IP $RIGHT_IP ; open x $2 ; say x"
		ask count
		variant "kind=$other"
		says "got x ; count" "$wanted" "IPv$1, $own: $what"
		tell "close x abort"
		ipsec_down
	done <<-END
	esp-null esp-gcm evil,?none what is stronger passes
	esp-cbc esp-bare nothing,?in-context?1 nothing of integrity is refused
	END
}

# An agent tells a little later who is behind new SAs.
T_LATE=17
t_late() {
	local title="IPv$1, $2, late" token

	latch_up "$2" "$1"
	patient rto_min 4s
	tell "open x $3 ; say x"
	ask "token x"
	token=$answer
	ask count
	ipsec_rekey
	says "flow x ; pause 300 ; bind $IPSEC_SPI a1 ; pause 200 ; flowed x" \
		"ok, ok, ok, ok, ok" "$title: rekeyed under traffic"
	ipsec_expire
	says "count" "held +([0-9])" "$title: packets waited, none was refused"
	unharmed "$title"
	says "token x ; about x" "$token, a1" "$title: the same token and identity"
	says "latch x" "established 2 - 0 same" "$title: the latch holds"
	tell "close x abort"
	patient
	tell "open x $3 ; say x"

	# somebody else's
	ipsec_rekey
	tell "bind $IPSEC_SPI b0 ; send x right evil ; send x left secret"
	becomes "latch x" "broken 2 *" "$title: bound to another: broken"
	says "got x ; count" "nothing, in-context +([0-9]) out-context +([0-9]) broken 1" \
		"$title: bound to another: refused"
	sas delete
	says "read x right secret ; read x left evil" "ok, ok" \
		"$title: it is gone: the connection goes on"
	IPSEC_SPI=$IPSEC_OLD_SPI

	# of the peer, who takes left for somebody else
	ask count
	ipsec_rekey
	tell "bind $IPSEC_SPI a1 - c7 ; send x right evil ; send x left secret"
	becomes "latch x" "broken 2 *" "$title: for another local identity: broken"
	sas delete
	says "read x right secret ; read x left evil" "ok, ok" \
		"$title: it is gone, too: the connection goes on"
	IPSEC_SPI=$IPSEC_OLD_SPI

	# nobody's
	ask count
	ipsec_rekey
	says "send x left secret ; latch x ; count" "ok, established *, held +([0-9])" \
		"$title: never bound: waits at first"
	becomes "latch x" "broken 2 out-unknown *" "$title: never bound: then refused"
	says "count" "out-unknown +([0-9])?( held +([0-9])) broken 1" "$title: never bound: counted"
	tell "bind $IPSEC_SPI a1"
	says "read x right secret ; say x" "ok, ok" "$title: bound at last: the connection goes on"
	says "token x ; about x" "$token, a1" "$title: the same token and identity still"
	says "latch x" "established 2 out-unknown * same" "$title: the latch is mended"
	tell "close x abort"
	becomes "there" "0 *" "$title: no latch is left"
	latch_down
}

# The SAs of the handshake get their identity later than those of somebody else.
T_FIRST=12
t_first() {
	local title="IPv$1, $2, first" bytes

	ipsec_up "$2" "$1" level=use && evil_up
	tell "between $LEFT_IP $RIGHT_IP"
	evil_out add
	tell "bind $EVIL_SPI b0"
	evil_out delete
	tell "open x $3 ; say x"
	says "about x ; say x" "nobody, ok" "$title: nobody knows who it is"
	ask count
	tell "inject x evil data ; pause 1200"
	says "got x" nothing "$title: somebody who is known does not take the place"
	says "count" "in-unknown 1 held 1" "$title: refused, after a while"
	evil_out add
	tell "bind $EVIL_SPI b0 ; send x left secret ; pause 1200"
	bytes=$(IPSEC_SPI=$EVIL_SPI xfrm_bytes left out esp)
	is "$bytes" 0 "$title: nothing is sent to it"
	evil_out delete
	says "read x right secret" ok "$title: but to the peer"
	tell "bind $IPSEC_SPI a1"
	says "say x ; about x" "ok, a1" "$title: then it becomes known"
	ask count
	tell "inject x evil data"
	says "got x ; count" "nothing, in-context 1" "$title: and nobody else is it"
	tell "close x abort"

	# they go without ever having had one
	ipsec_rekey
	ipsec_expire
	tell "open x $3 ; say x"
	says "about x" nobody "$title: the next: nobody knows who it is"
	ipsec_rekey
	ipsec_expire
	ask count
	tell "inject x evil seq"
	says "got x ; count" "nothing, in-context 1" "$title: none that TCP does not wait for"
	tell "bind $IPSEC_SPI a1"
	says "say x" ok "$title: it goes on under the first that is known"
	ask count
	tell "inject x evil data"
	says "got x ; count" "nothing, in-context 1" "$title: and keeps to that"
	says "say x" ok "$title: it lives on"
	tell "close x abort"
	latch_down
}

# tunnel_apart FAMILY: a tunnel whose ends have other addresses than the traffic in it.
# Sets $prefix.
tunnel_apart() {
	local host

	ipsec_up none "$1"
	case $1 in
	4) LEFT_IP=10.9.0.1 RIGHT_IP=10.9.0.2 prefix=24 ;;
	6) LEFT_IP=fd09::1 RIGHT_IP=fd09::2 prefix=64 ;;
	esac
	for host in left right; do
		[ $host = left ] && set -- $LEFT_IP || set -- $RIGHT_IP
		$host $IP addr replace "$1/$prefix" dev veth
	done
	left $IP neigh replace $RIGHT_IP lladdr 02:00:00:00:00:02 dev veth nud permanent
	right $IP neigh replace $LEFT_IP lladdr 02:00:00:00:00:01 dev veth nud permanent
	IPSEC_KIND=tunnel
	sas add
	{ ipsec_policy in rl; ipsec_policy out lr; } | left $IP -batch -
	{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -
	tell "mode enforce ; between $LEFT_IP $RIGHT_IP ; outer $IPSEC_LEFT $IPSEC_RIGHT"
}

# ends_at N: both ends of the tunnel have got new addresses, which it does not use yet
ends_at() {
	case $IPSEC_FAMILY in
	4) IPSEC_LEFT=10.0.0.1$1 IPSEC_RIGHT=10.0.0.2$1 ;;
	6) IPSEC_LEFT=fd00::1$1 IPSEC_RIGHT=fd00::2$1 ;;
	esac
	left $IP addr replace $IPSEC_LEFT/$prefix dev veth
	right $IP addr replace $IPSEC_RIGHT/$prefix dev veth
	left $IP neigh replace $IPSEC_RIGHT lladdr 02:00:00:00:00:02 dev veth nud permanent
	right $IP neigh replace $IPSEC_LEFT lladdr 02:00:00:00:00:01 dev veth nud permanent
}

# move_to N: the tunnel moves there with new SAs, as by a rekeying; the old ones go
move_to() {
	local old_left=$IPSEC_LEFT old_right=$IPSEC_RIGHT old_spi=$IPSEC_SPI host

	ends_at "$1"
	IPSEC_SPI=$((IPSEC_SPI + 0x100))
	sas add
	for host in left right; do
		[ $host = left ] && set -- in rl out lr || set -- in lr out rl
		{ ipsec_policy "$1" "$2"; ipsec_policy "$3" "$4"; } |
			sed 's/policy add/policy update/' | $host $IP -batch -
	done
	IPSEC_SPI=$old_spi IPSEC_LEFT=$old_left IPSEC_RIGHT=$old_right sas delete
	tell "outer $IPSEC_LEFT $IPSEC_RIGHT"
}

# migrate_to N: it moves there with the SAs that it has
migrate_to() {
	local lr="$LEFT_IP $RIGHT_IP $IPSEC_LEFT $IPSEC_RIGHT"
	local rl="$RIGHT_IP $LEFT_IP $IPSEC_RIGHT $IPSEC_LEFT"

	ends_at "$1"
	lr+=" $IPSEC_LEFT $IPSEC_RIGHT" rl+=" $IPSEC_RIGHT $IPSEC_LEFT"
	# shellcheck disable=SC2086 # words
	right "$HELPERS/migrate" in $lr $IPSEC_REQID && right "$HELPERS/migrate" out $rl $IPSEC_REQID &&
	left "$HELPERS/migrate" in $rl $IPSEC_REQID && left "$HELPERS/migrate" out $lr $IPSEC_REQID ||
		not_ok "migrate"
	tell "outer $IPSEC_LEFT $IPSEC_RIGHT"
}

T_MOVE=4
t_move() {
	local title="IPv$1, moving" token prefix

	tunnel_apart "$1"
	# no agent tells right that its peer has moved
	tell "bind $IPSEC_SPI a1 4711 ; open x initiator ; say x"
	ask "token x"
	token=$answer
	ask count
	move_to 1
	tell "bind $IPSEC_SPI a1 4711"
	says "say x ; count" "ok, none" "$title: of the same lineage passes"
	says "token x ; about x" "$token, a1" "$title: the same token and identity"
	move_to 2
	tell "bind $IPSEC_SPI a1 4712 ; send x right evil"
	becomes "latch x" "* in-context +([0-9]) *" "$title: of another lineage is refused"
	says "got x" nothing "$title: nothing of it is delivered"
	tell "close x abort"
	ipsec_down
}

T_MIGRATE=6
t_migrate() {
	local title="IPv$1, migrated" token i

	tunnel_apart "$1"
	tell "bind $IPSEC_SPI a1 4711 ; open x responder ; say x"
	ask "token x"
	token=$answer
	ask count
	tell "flow x"
	migrate_to 1
	# what was sent while only one end had moved comes once more, some time later
	answer=none
	for ((i = 0; i < 50; i++)); do
		[ "$answer" = none ] || break
		sleep 0.1
		ask count
	done
	answered "held +([0-9])" "$title: packets wait for the identity, none is refused"
	says "bind $IPSEC_SPI a1 4711 ; pause 200 ; flowed x" "ok, ok, ok" \
		"$title under traffic: all of it has come"
	says "token x ; about x" "$token, a1" "$title: the same token and identity"
	is "$(left $IP xfrm state | grep -c "^src $IPSEC_LEFT dst $IPSEC_RIGHT")" 1 \
		"$title: under an SA at the new addresses"
	migrate_to 2
	tell "bind $IPSEC_SPI a1 4712 ; send x right evil"
	becomes "latch x" "* in-context +([0-9]) *" "$title: of another lineage is refused"
	says "got x" nothing "$title: nothing of it is delivered"
	tell "close x abort"
	ipsec_down
}

plan $((4 * (T_ALONE + T_LATE + T_FIRST) + 2 * (T_QUALITY + T_GAP + T_MOVE + T_MIGRATE)))
latch_net_up
while read -r family kind role; do
	t_alone "$family" "$kind" "$role"
done <<END
4 esp-gcm initiator
4 tunnel responder
6 esp-gcm responder
6 tunnel initiator
END
t_quality 4 initiator
t_quality 6 responder
t_gap 4 responder
t_gap 6 initiator
while read -r family kind role; do
	t_late "$family" "$kind" "$role"
	t_first "$family" "$kind" "$role"
done <<END
4 esp-gcm responder
4 tunnel initiator
6 esp-gcm initiator
6 tunnel responder
END
for family in 4 6; do
	t_move $family
	t_migrate $family
done
finish
