#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What recvmsg() and getsockopt() of a UDP socket say about real ESP traffic:
# all datagrams go from left to right, all questions are asked in one process
# (helpers/udp_host.c), which has sockets on both hosts.

# shellcheck source=lib.sh
. selftests/lib.sh

coproc HOST { exec "$HELPERS/udp_host"; }
# Subshells get the copies only.
exec {to}>&"${HOST[1]}" {from}<&"${HOST[0]}"

# ask COMMAND...: the answer of the process
ask() {
	local answer

	echo "$*" >&"$to"
	read -r -t 10 -u "$from" answer || answer="no answer"
	echo "$answer"
}

# tell COMMAND...: it must succeed
tell() {
	local answer

	answer=$(ask "$@")
	[ "$answer" = ok ] || { not_ok "$*"; diag "$answer"; }
}

# get SOCKET: send it a datagram, what does it say?
get() {
	tell send tx "$RIGHT_IP" 6000 "${2:-100}" >&2
	ask recv "$1"
}

is_token() {
	case $1 in
	0x*) ok "$2" ;;
	*) not_ok "$2"; diag "got: $1" ;;
	esac
}

is_other() {
	case $1 in
	"$2") not_ok "$3"; diag "got: $1" ;;
	*) is_token "$1" "$3" ;;
	esac
}

# open_pair FAMILY RECEIVERFAMILY: sockets tx and rx; 4 6 is a mapped pair
open_pair() {
	local any=0.0.0.0

	[ "$1" = 6 ] && any=::
	tell open tx left "$1" $any 5000
	tell open rx right "$2" $any 6000
	tell optin rx 1
}

close_pair() {
	tell close tx
	tell close rx
}

# Clear, protected, the same again, rekeyed, clear.
t_datagrams() {
	local family=$1 what="$3" first second

	ipsec_up none "$family"
	open_pair "$family" "$2"
	is "$(ask optedin rx)" 1 "$what: opted in"
	is "$(get rx)" clear "$what: in clear"
	ipsec_up esp-gcm "$family"
	first=$(get rx)
	is_token "$first" "$what: protected"
	is "$(get rx)" "$first" "$what: the same again"
	is "$(get rx 5000)" "$first" "$what: the same for a large datagram"
	tell send tx "$RIGHT_IP" 6000 100
	is "$(ask peek rx)" "$first" "$what: peeked"
	is_other "$(ask child peek rx)" "$first" "$what: another one in a forked child"
	is "$(ask recv rx)" "$first" "$what: the same after that"

	# A second socket of the process.
	tell close rx
	tell open rx2 right "$2" "$([ "$2$family" = 66 ] && echo :: || echo 0.0.0.0)" 6000
	tell optin rx2 1
	second=$(get rx2)
	is "$second" "$first" "$what: the same over another socket"

	tell optin rx2 0
	is "$(get rx2)" missing "$what: opted out"
	is "$(ask optedin rx2)" 0 "$what: opted out, says getsockopt()"
	tell optin rx2 1
	is "$(get rx2)" "$first" "$what: opted in again"

	ipsec_rekey
	is "$(get rx2)" "$first" "$what: the same after rekeying"
	ipsec_expire
	is "$(get rx2)" "$first" "$what: the same without the old SAs"
	tell close tx
	tell close rx2
	ipsec_down
}

# The last datagram from the connected peer, and of nobody else.
t_connected() {
	local family=$1 what="$3, connected" token

	ipsec_up none "$family"
	open_pair "$family" "$2"
	tell open other left "$family" "$([ "$family" = 4 ] && echo 0.0.0.0 || echo ::)" 5001
	is "$(ask ptoken rx)" ENOTCONN "$what: not yet"
	tell optin rx 0
	is "$(ask ptoken rx)" EINVAL "$what: not opted in"
	tell optin rx 1

	# This one comes from another than the later peer.
	tell send other "$RIGHT_IP" 6000 100
	tell send tx "$RIGHT_IP" 6000 100
	tell connect rx "$LEFT_IP" 5000
	is "$(ask ptoken rx)" ENODATA "$what: no datagram read"
	is "$(ask recv rx)" clear "$what: a datagram from before"
	is "$(ask ptoken rx)" ENODATA "$what: it was not the peer's"
	is "$(ask recv rx)" clear "$what: the peer's first datagram"
	is "$(ask ptoken rx)" clear "$what: in clear"

	ipsec_up esp-gcm "$family"
	token=$(get rx)
	is_token "$token" "$what: protected"
	is "$(ask ptoken rx)" "$token" "$what: getsockopt() says the same"
	is_other "$(ask child ptoken rx)" "$token" "$what: another one in a forked child"

	tell connect rx "$LEFT_IP" 5000
	is "$(ask ptoken rx)" ENODATA "$what: to the same peer once more"
	is "$(get rx)" "$token" "$what: and a datagram"
	is "$(ask ptoken rx)" "$token" "$what: to the same peer once more, protected"
	tell connect rx "$LEFT_IP" 5001
	is "$(ask ptoken rx)" ENODATA "$what: to another peer"
	tell disconnect rx
	is "$(ask ptoken rx)" ENOTCONN "$what: no more"
	tell connect rx "$LEFT_IP" 5000
	is "$(ask ptoken rx)" ENODATA "$what: old answers are forgotten"
	is "$(get rx)" "$token" "$what: a new datagram"
	tell optin rx 0
	is "$(ask ptoken rx)" EINVAL "$what: opted out"
	tell optin rx 1
	is "$(ask ptoken rx)" ENODATA "$what: opted in again"
	ipsec_down
	is "$(get rx)" clear "$what: in clear again"
	is "$(ask ptoken rx)" clear "$what: in clear again, getsockopt()"
	tell close other
	close_pair
}

# A mapped socket that becomes an IPv4 one loses its opt-in, and can have it back.
t_addrform() {
	local token

	ipsec_up esp-gcm 4
	open_pair 4 6
	tell connect rx "$LEFT_IP" 5000
	token=$(get rx)
	tell addrform rx
	is "$(ask optedin rx)" 0 "IPV6_ADDRFORM: opted out"
	is "$(get rx)" missing "IPV6_ADDRFORM: no pToken"
	is "$(ask ptoken rx)" EINVAL "IPV6_ADDRFORM: no pToken of the connection"
	tell optin rx 1
	is "$(ask ptoken rx)" ENODATA "IPV6_ADDRFORM: opted in again"
	tell send tx "$RIGHT_IP" 6000 100
	# It is still an IPv6 socket to the helper, so look at getsockopt() only.
	ask recv rx >/dev/null
	is "$(ask ptoken rx)" "$token" "IPV6_ADDRFORM: the pToken it had"
	close_pair
	ipsec_down
}

# Fragments that came out of a tunnel one by one: those that did not could be
# among them, and the kernel does not say.
t_fragments() {
	local family=$1 level=$2 what="IPv$1, policy $2" order id=0 first

	ipsec_up tunnel "$family"
	[ "$level" = required ] ||
		right $IP xfrm policy update src "$LEFT_IP" dst "$RIGHT_IP" dir in tmpl \
			src "$LEFT_IP" dst "$RIGHT_IP" proto esp reqid 1 mode tunnel level use
	open_pair "$family" "$family"
	tell open protected left "$family" any 0
	tell open clear left "$family" any 0
	tell bypass clear
	first=$(get rx)
	is_token "$first" "$what: a whole datagram in a tunnel"

	for order in "FIRST LAST" "LAST FIRST"; do
		for how in "protected protected" "protected clear" "clear protected"; do
			id=$((id + 1))
			# shellcheck disable=SC2086 # two words each
			set -- $order $how
			# The second word of $how sends the last part.
			[ "$1" = FIRST ] || set -- "$1" "$2" "$4" "$3"
			tell fragment "$3" "$1" "$LEFT_IP" "$RIGHT_IP" $id
			tell fragment "$4" "$2" "$LEFT_IP" "$RIGHT_IP" $id
			case $how/$level in
			clear*/required) is "$(ask recv rx)" EAGAIN "$what: ${order,,}, $how" ;;
			clear*) is "$(ask recv rx)" clear "$what: ${order,,}, $how" ;;
			*) is "$(ask recv rx)" unknown "$what: ${order,,}, $how" ;;
			esac
		done
	done
	tell close protected
	tell close clear
	close_pair
	ipsec_down
}

# What came out of two tunnels is one and the same flow to GRO, which does not
# look at where packets came from: none may pass for what the other one is, and
# only those of the same tunnel may be joined.
t_merged() {
	local family=$1 what="IPv$1, merged" first second spi=0x2001 host
	local got size wrong="" left_over=300 of_first=0 of_second=0

	ipsec_up tunnel "$family"
	open_pair "$family" "$family"
	first=$(get rx)
	# A second tunnel, which the sender is then told to use.
	for host in right left; do
		# shellcheck disable=SC2046 # several words
		$host $IP xfrm state add src "$LEFT_IP" dst "$RIGHT_IP" proto esp spi $spi \
			reqid 2 mode tunnel aead "rfc4106(gcm(aes))" $(ipsec_key $spi 20) 128
	done
	right $IP xfrm policy update src "$LEFT_IP" dst "$RIGHT_IP" dir in \
		tmpl src "$LEFT_IP" dst "$RIGHT_IP" proto esp mode tunnel
	use_tunnel 2
	second=$(get rx)
	is_other "$second" "$first" "$what: two tunnels, two pTokens"

	tell gro rx
	tell device_gro rx veth
	left tc qdisc add dev veth root plug limit 100000
	left tc qdisc change dev veth root plug block
	use_tunnel 1
	tell send tx "$RIGHT_IP" 6000 100
	tell send tx "$RIGHT_IP" 6000 100
	use_tunnel 2
	tell send tx "$RIGHT_IP" 6000 100
	left tc qdisc change dev veth root plug release_indefinite
	# They may come in another order, and those of one tunnel joined.
	while [ "$left_over" -gt 0 ]; do
		got=$(ask recv rx)
		size=$(ask size rx)
		[ "$size" != -1 ] || { wrong+=" $got"; break; }
		case $got in
		"$first")	of_first=$((of_first + size)) ;;
		"$second")	of_second=$((of_second + size)) ;;
		*)		wrong+=" $size bytes: $got" ;;
		esac
		left_over=$((left_over - size))
	done
	is "$of_first $of_second$wrong" "200 100" "$what: no datagram passes for another"
	left tc qdisc del dev veth root
	close_pair
	ipsec_down
}

# use_tunnel REQID: what left sends to right goes through this tunnel
use_tunnel() {
	left $IP xfrm policy update src "$LEFT_IP" dst "$RIGHT_IP" dir out \
		tmpl src "$LEFT_IP" dst "$RIGHT_IP" proto esp reqid "$1" mode tunnel
}

plan $((3 * 14 + 3 * 21 + 5 + 4 * 7 + 2 + 2 * 2 + 4))
net_up

t_datagrams 4 4 IPv4
t_datagrams 6 6 IPv6
t_datagrams 4 6 mapped
t_connected 4 4 IPv4
t_connected 6 6 IPv6
t_connected 4 6 mapped
t_addrform
for family in 4 6; do
	t_fragments $family required
	t_fragments $family use
done

# IPv6 splits what is too large for a tunnel, IPv4 what comes out of it.
ipsec_up tunnel 6
open_pair 6 6
is "$(get rx 5000)" unknown "IPv6: a large datagram in a tunnel"
close_pair
ipsec_down
ipsec_up tunnel 4
open_pair 4 4
is_token "$(get rx 5000)" "IPv4: a large datagram in a tunnel"
close_pair
ipsec_down

t_merged 4
t_merged 6

# The socket keeps the module.
open_pair 4 4
refused "module in use" rmmod ipsec_token
tell optin rx 0
refused "module in use after opting out" rmmod ipsec_token
close_pair
check "module not in use" rmmod ipsec_token
check "module loaded again" insmod "$MODULE"

finish
