#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module is asked along where it has no say: for ICMP errors about protected
# packets, policies of sockets, SAs that move. All of it has the same answers with
# the module as without.

# shellcheck source=lib.sh
. selftests/lib.sh

# learns TEXT PROTO SPI WANTED: what left takes for the MTU of the path to its peer
# once a router has told of a packet with that SPI; the link's is "none"
learns() {
	local router=10.0.0.3 mtu=1200 learnt=none i

	[ "$IPSEC_FAMILY" = 4 ] || router=fd00::3 mtu=1300
	left $IP "-$IPSEC_FAMILY" route flush cache
	right "$HELPERS/icmp_error" $router "$IPSEC_LEFT" "$IPSEC_RIGHT" "$2" "$3" $mtu
	for ((i = 0; i < 10; i++)); do
		case $(left $IP route get "$IPSEC_RIGHT") in
		*" mtu $mtu"*) learnt=told; break ;;
		esac
		sleep 0.1
	done
	is $learnt "$4" "$1"
}

# Of IPv6, the kernel takes AH for an extension header and asks the protocol behind it.
T_ERRORS=10
t_errors() {
	local kind proto kinds="esp-gcm ah ipcomp"

	for IPSEC_FAMILY in 4 6; do
		[ "$IPSEC_FAMILY" = 4 ] || kinds="esp-gcm ipcomp"
		for kind in $kinds; do
			proto=$(ipsec_protos $kind)
			ipsec_up $kind $IPSEC_FAMILY
			learns "$1: IPv$IPSEC_FAMILY, an ICMP error about $proto is heeded" \
				"$proto" "$(ipsec_spi "$proto" lr)" told
			learns "$1: IPv$IPSEC_FAMILY, one about no SA of ours is not" \
				"$proto" 0x4711 none
			ipsec_down
		done
	done
}

T_POLICIES=1
t_policies() {
	local bad=EINVAL answers

	# what the last of those says that are asked: PF_KEY, if it is there
	[ ! -e /proc/net/pfkey ] || bad=EOPNOTSUPP
	answers=(
		pass ok protect ok none ok short "$bad" long EMSGSIZE
		forward "$bad" action "$bad" protocol "$bad"
	)

	is "$("$HELPERS/socket_policy" | xargs)" "${answers[*]} ${answers[*]}" \
		"$1: policies for a socket"
}

T_MIGRATE=2
t_migrate() {
	ipsec_up tunnel 4
	check "$1: a tunnel moves" left "$HELPERS/migrate" out "$LEFT_IP" "$RIGHT_IP" \
		"$IPSEC_LEFT" "$IPSEC_RIGHT" "$IPSEC_LEFT" 10.0.0.3 "$IPSEC_REQID"
	is "$(left $IP xfrm state | grep -c "dst 10.0.0.3\$")" 1 "$1: so does its SA"
	ipsec_down
}

t_all() {
	t_errors "$1"
	t_policies "$1"
	t_migrate "$1"
}

plan $((2 * (T_ERRORS + T_POLICIES + T_MIGRATE)))
net_up
right $IP addr add 10.0.0.3/24 dev veth
right $IP addr add fd00::3/64 dev veth nodad
t_all without
insmod "$MODULE"
t_all with
rmmod ipsec_token
finish
