#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What changes around a connection and what does not: SAs are replaced, deleted
# and made again, stronger and weaker ones, policies go and come back, trust is
# withdrawn. One process (helpers/peers.c) watches it all at both ends.

# shellcheck source=lib.sh
. selftests/lib.sh
. selftests/peers.sh

TOOL=${BUILD:-build}/tools/ipsec-token

# both COMMAND...: on both hosts
both() {
	left "$@" && right "$@"
}

# about COMMAND PAIR WANTED TEXT: what the command says of both tokens of a pair
about() {
	says "$1 left ${2% *} ; $1 right ${2#* }" "$3, $3" "$4"
}

# differ A B TEXT: both are pairs of tokens, and have none in common
differ() {
	case "$1 / $2" in
	0x*" "0x*" / "0x*" "0x*)
		if [ "${1% *}" != "${2% *}" ] && [ "${1#* }" != "${2#* }" ]; then
			ok "$3"
			return
		fi ;;
	esac
	not_ok "$3"
	diag "$1" "$2"
}

# spis: all that are in force, as helpers/peers.c sorts them
spis() {
	local proto direction all

	for proto in $(ipsec_protos "$IPSEC_KIND"); do
		for direction in lr rl; do
			all+=" $(ipsec_spi "$proto" $direction)"
		done
	done
	echo "${all# }"
}

# sas add|delete: those of the present IPSEC_SPI
sas() {
	{ ipsec_sas "$1" lr; ipsec_sas "$1" rl; } >"$TMPDIR/sas"
	both $IP -batch "$TMPDIR/sas"
}

policies_add() {
	{ ipsec_policy in rl; ipsec_policy out lr; } | left $IP -batch - &&
	{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -
}

# unchanged TEXT: the connection has the token that it had, and so has the next
# datagram; data still comes through
unchanged() {
	says "say t ; tokens t" "ok, $tokens" "$what: $1: connection"
	says "say u ; tokens u" "$tokens, $tokens" "$what: $1: datagram"
}

T_SUCCESSION=19
t_succession() {
	local what="$1 IPv$2" tokens

	ipsec_up "$1" "$2"
	tell "open t tcp $2 ; open u udp $2"
	ask tokens t
	tokens=$answer
	about about "$tokens" "privacy 1 integrity 1" "$what: protected"
	unchanged "established"
	about spis "$tokens" "$(spis)" "$what: SPIs"

	ipsec_rekey
	unchanged "rekeyed"
	ipsec_expire
	unchanged "rekeyed, old SAs deleted"
	about spis "$tokens" "$(spis)" "$what: SPIs of the new SAs"

	sas delete
	says "tokens t" "$tokens" "$what: no SAs: connection"
	about about "$tokens" "privacy 1 integrity 1" "$what: no SAs: what they were"
	sas add
	unchanged "SAs made again"
	sas delete
	IPSEC_SPI=$((IPSEC_SPI + 0x100))
	sas add
	unchanged "SAs made again with other SPIs"

	both $IP xfrm policy flush
	says "say u ; tokens t" "clear clear, $tokens" \
		"$what: no policies: the datagram alone is in clear"
	policies_add
	unchanged "policies made again"
	about spis "$tokens" "$(spis)" "$what: SPIs of the last SAs"

	tell "close t ; close u"
	ipsec_down
}

# What "ip xfrm state add" is told of algorithms, in place of lib.sh's choice.
eval "lib_$(declare -f ipsec_algorithms)"
ipsec_algorithms() {
	[ -n "$ALGORITHMS" ] && echo "$ALGORITHMS" || lib_ipsec_algorithms "$@"
}
ALGORITHMS=

# The same SPI between the same hosts, but something weaker.
T_WEAKER=$((1 + 3 * 6))
t_weaker() {
	local tokens weaker means what

	ipsec_up esp-gcm "$1"
	tell "open t tcp $1 ; open u udp $1"
	ask tokens t
	tokens=$answer
	says "say u" "$tokens" "IPv$1: connection and datagram agree"

	while read -r means what ALGORITHMS; do
		means="privacy ${means%/*} integrity ${means#*/}"
		what="IPv$1, $what"
		sas delete
		sas add
		ALGORITHMS=
		ask say u
		weaker=$answer
		differ "$weaker" "$tokens" "$what: another token for the datagram"
		about about "$weaker" "$means" "$what: says what it is worth"
		says "tokens t" "$tokens" "$what: connection"
		about about "$tokens" "privacy 1 integrity 1" \
			"$what: the old token means what it meant"
		about algorithms "$tokens" "rfc4106(gcm(aes))/" \
			"$what: the old token tells of no other SA"

		sas delete
		sas add
		says "say u" "$tokens" \
			"$what: the old token comes back with the old strength"
	done <<-END
	0/1 NULL enc ecb(cipher_null) "" auth-trunc hmac(sha256) $(ipsec_key 1 32) 128
	0/1 GMAC aead rfc4543(gcm(aes)) $(ipsec_key 1 20) 128
	1/0 unauthenticated enc cbc(aes) $(ipsec_key 1 16) auth-trunc digest_null "" 0
	END

	tell "close t ; close u"
	ipsec_down
}

# Old and new SAs side by side, the new ones with an algorithm nobody trusts.
T_DISTRUSTED=9
t_distrusted() {
	local tokens distrusted what="rekeyed to 3DES, IPv$1"

	ipsec_up esp-gcm "$1"
	tell "open t tcp $1 ; open u udp $1"
	ask tokens t
	tokens=$answer
	says "say u" "$tokens" "IPv$1: connection and datagram agree"

	IPSEC_KIND=untrusted
	ipsec_rekey
	ask say u
	distrusted=$answer
	differ "$distrusted" "$tokens" "$what: another token for the datagram"
	about about "$distrusted" "privacy 0 integrity 1" "$what: not private"
	says "tokens t" "$tokens" "$what: connection"
	about about "$tokens" "privacy 1 integrity 1" \
		"$what: the old token means what it meant"
	about algorithms "$tokens" "rfc4106(gcm(aes))/" \
		"$what: the old token tells of its own SAs only"
	IPSEC_KIND=esp-gcm ipsec_expire
	says "say u" "$distrusted" "$what, old SAs deleted: datagram"
	about about "$tokens" "privacy 1 integrity 1" \
		"$what, old SAs deleted: the old token means what it meant"
	about algorithms "$tokens" "rfc4106(gcm(aes))/" \
		"$what, old SAs deleted: the old token tells of no other SA"
	tell "close t ; close u"
	ipsec_down
}

# The administrator's opinion of an algorithm that is in use changes.
T_TRUST=8
t_trust() {
	local tokens

	ipsec_up esp-cbc 4
	tell "open t tcp 4 ; open u udp 4"
	ask tokens t
	tokens=$answer
	# Twice, so that the second answer is one that the library remembers.
	ask "about left ${tokens% *} ; about right ${tokens#* }"
	about about "$tokens" "privacy 1 integrity 1" "trusted"
	both "$TOOL" untrusted add "cbc(aes)"
	about about "$tokens" "privacy 0 integrity 1" "trust withdrawn: not private"
	says "say u ; tokens t" "$tokens, $tokens" "trust withdrawn: the same tokens"
	both "$TOOL" untrusted add "hmac(sha256)"
	about about "$tokens" "privacy 0 integrity 0" "trust withdrawn from both"
	both "$TOOL" untrusted del "cbc(aes)"
	about about "$tokens" "privacy 1 integrity 0" "trust given back to one"
	both "$TOOL" untrusted del "hmac(sha256)"
	about about "$tokens" "privacy 1 integrity 1" "trust given back"
	says "say u ; tokens t" "$tokens, $tokens" "trust given back: the same tokens"
	refused "NULL can't be trusted" left "$TOOL" untrusted del "ecb(cipher_null)"
	tell "close t ; close u"
	ipsec_down
}

# Contexts outlive what holds them by four seconds, and what looks for dead ones
# takes one more, or two. IPv4 and IPv6 are different contexts, so that two of
# them can be waited for at a time.
T_LINGER=13
t_linger() {
	local alive="privacy 1 integrity 1" first second third

	both "$TOOL" config set linger 4
	ipsec_up esp-gcm 4
	tell open u udp 4
	ask say u
	first=$answer
	ipsec_up esp-gcm 6 spi=0x2000
	tell open t tcp 6
	ask tokens t
	second=$answer
	about about "$second" "$alive" "linger: the second context"

	# Nothing holds the first one, a connection the second one.
	tell close u
	both $IP xfrm state flush
	about about "$first" "$alive" "linger: SAs just gone"
	sleep 1
	about about "$first" "$alive" "linger: SAs gone for a second"
	sleep 7
	about about "$first" ESTALE "linger: over"
	about about "$second" "$alive" "linger: held by a connection without SAs"
	says "tokens t" "$second" "linger: which still has its token"
	tell close t

	# While the second one goes, the first one is made again ...
	both $IP xfrm policy flush
	ipsec_up esp-gcm 4
	tell open u udp 4
	ask say u
	third=$answer
	differ "$third" "$first" "linger: another token for the same protection made again"
	about about "$first" ESTALE "linger: the old one stands for nothing"
	# ... and rekeyed to SAs that carry nothing at all.
	tell close u
	ipsec_rekey
	ipsec_expire
	sleep 8
	about about "$second" ESTALE "linger: the connection is closed"
	about about "$third" "$alive" "linger: held by an idle successor"
	about spis "$third" "$(spis)" "linger: which is that successor"
	both $IP xfrm state flush
	sleep 7
	about about "$third" ESTALE "linger: the successor is gone as well"
	is "$(both "$TOOL" stats | grep -c '^\(contexts\|paths\|connections\|datagram-sockets\) *0$')" \
		8 "linger: nothing is left"
	ipsec_down
}

plan $((6 * T_SUCCESSION + 2 * T_WEAKER + 2 * T_DISTRUSTED + T_TRUST + T_LINGER))
net_up
peers_start

for family in 4 6; do
	for kind in esp-gcm ah-esp tunnel; do
		t_succession $kind $family
	done
	t_weaker $family
	t_distrusted $family
done
t_trust
t_linger
finish
