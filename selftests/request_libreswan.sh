#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Applications require protection, and real plutos negotiate it because ipsec-tokend
# tells them to. A peer that proves nothing (authby=null) will do for who says so, and
# for nobody else. Nothing leaves a host in clear.

# shellcheck source=lib.sh
. selftests/lib.sh
# shellcheck source=tokend_lib.sh
. selftests/tokend_lib.sh

[ -x "$LAYERS/libreswan/usr/libexec/ipsec/pluto" ] || {
	echo "1..0 # SKIP no libreswan, run selftests/qemu/layers.sh"
	exit 4
}

TCP_PORT=7000 UDP_PORT=7001

# what the numbers of enum ipsec_request_reason mean, and sets of methods
NONE=0 NO_SA=1 REFUSED=2 IDENTITY=4 METHOD=5 TIMEOUT=6
ANYBODY=0x6 PKIX=0x700

# ------------------------------------------------------------------------- hosts

section() {
	echo "$1"
	shift
	printf '\t%s\n' "$@"
}

ipsec_conf() {
	local host=$1 peer=right here=10.0.0.1 group shunts

	[ "$host" = left ] || peer=left here=10.0.0.2
	section "config setup" protostack=xfrm uniqueids=no "ipsecdir=$DIR/$host/ipsec.d"
	section "conn %default" ikev2=yes type=transport left=10.0.0.1 right=10.0.0.2 \
		leftid=@left.example.org rightid=@right.example.org auto=ignore \
		leftupdown=%disabled rightupdown=%disabled
	section "conn psk" authby=secret
	section "conn v6" authby=secret left=fd00::1 right=fd00::2
	section "conn null" authby=null leftid=%null rightid=%null
	section "conn x509" authby=ecdsa "${host}cert=$host" "${peer}ca=%same"
	section "conn mallory" authby=ecdsa "${host}cert=$host" rightid=@mallory.example.org
	for group in private private-or-clear; do
		shunts=(negotiationshunt=passthrough failureshunt=passthrough)
		[ $group = private ] &&
			shunts=(type=tunnel negotiationshunt=hold failureshunt=drop)
		section "conn $group" authby=null leftid=%null rightid=%null "left=$here" \
			right=%opportunisticgroup keyingtries=1 retransmit-timeout=5s \
			"${shunts[@]}"
	done
}

nss() {
	local host=$1

	shift
	"$LAYERS/libreswan/usr/bin/$1" -d "sql:$DIR/$host/nss" "${@:2}" >>"$DIR/$host/nss.log" 2>&1
}

host_setup() {
	local host=$1

	pluto_setup "$host"
	nss "$host" certutil -A -n ca -t CT,, -i "$DIR/ca.pem"
	openssl pkcs12 -export -in "$DIR/$host.pem" -inkey "$DIR/$host.key" -name "$host" \
		-passout pass:x -out "$DIR/$host.p12"
	nss "$host" pk12util -i "$DIR/$host.p12" -W x -K ""
	ipsec_conf "$host" >"$DIR/$host/ipsec.conf"
	mkdir -p "$DIR/$host/ipsec.d/policies"
	echo 10.0.0.0/24 >"$DIR/$host/ipsec.d/policies/private"
	# in transport mode pluto takes single hosts
	echo 10.0.0.1/32 10.0.0.2/32 | xargs -n 1 >"$DIR/$host/ipsec.d/policies/private-or-clear"
	echo ': PSK "a secret of this test that is long enough"' >"$DIR/$host/ipsec.secrets"
	cat >"$DIR/$host/tokend.conf" <<-END
	[agent]
	log-level = debug
	known-keys = $DIR/$host/known-keys

	[strongswan]
	enabled = no

	[libreswan]
	socket = $DIR/$host/pluto/pluto.ctl
	updown-socket = $DIR/$host/agent/updown
	certutil = $LAYERS/libreswan/usr/bin/certutil
	END
}

# loaded LEFT RIGHT: the connections of each host, and nothing else is left of others
loaded() {
	local host name

	for host in left right; do
		for name in psk v6 null x509 mallory private private-or-clear; do
			whack $host --name $name --delete
		done
		$host $IP xfrm state flush
		$host $IP xfrm policy flush
	done
	# shellcheck disable=SC2086 # lists of words
	{ load left $1 && load right $2; } || diag "loading $1, $2: failed"
}

# ---------------------------------------------------------------------- requests

require() {
	local said

	said=$(left "$HELPERS/request_connect" "$@" 2>&1)
	read -r ANSWER REASON MS TEXT <<<"$said"
	diag "request_connect $*: $said"
}

# ends TEXT ANSWER REASON ARGUMENT...: TCP over IPv4, unless $TO says something else.
# What was refused before it went well does not matter.
ends() {
	local text=$1 answer=$2 reason=$3

	shift 3
	# shellcheck disable=SC2086 # two words
	require "$@" ${TO:-10.0.0.2 $TCP_PORT}
	[ "$ANSWER" != ok ] || REASON=$NONE
	is "$ANSWER $REASON" "$answer $reason" "$text"
}

says_why() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $TEXT == $2 ]]; then
		ok "$1"
	else
		not_ok "$1"
		diag "$TEXT"
	fi
}

begun() {
	grep -c "negotiation of .* begins" "$DIR/left/tokend.log"
}

# --------------------------------------------------------------------- in clear

watch_begin() {
	start left tcpdump -Z root -i veth -Q out -n -U -w "$DIR/left/clear.pcap" \
		"not esp and not udp port 500 and not udp port 4500 and not arp and not icmp6" \
		>"$DIR/left/tcpdump.log" 2>&1
	WATCH=$STARTED
	wait_for 20 grep -q "listening on" "$DIR/left/tcpdump.log"
}

clear_packets() {
	tcpdump -n -r "$DIR/left/clear.pcap" 2>/dev/null
}

watch_end() {
	# one that is meant to be seen, so that nothing seen means something
	loaded "" ""
	left ping -c 1 -W 1 10.0.0.2 >/dev/null
	check "what is in clear is seen" wait_for 20 eval 'clear_packets | grep -q "ICMP echo"'
	kill "$WATCH"
	wait "$WATCH"
	# when pluto has gone, IKE itself is answered so
	is "$(clear_packets | grep -v "ICMP echo\|udp port 500 unreachable")" "" \
		"nothing else left in clear"
}

# ------------------------------------------------------------------------- tests

t_none() {
	ends "no connection: ENOKEY" ENOKEY $NO_SA -w privacy
	says_why "no connection: the text says what for" \
		'*TCP from 10.0.0.1 to 10.0.0.2 port 7000*no connection fits*'
}

t_null() {
	loaded null null
	ends "NULL, anybody will do: connected" ok $NONE -w privacy,integrity -m $ANYBODY
	is "$(begun)" 1 "NULL: because the agent had it negotiated"
	ends "NULL, nothing is said: connected" ok $NONE -w privacy
	ends "NULL is there, but not acceptable: EKEYREJECTED" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
	ends "NULL is there, but somebody is required: EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy -i right.example.org
	TO="-u 10.0.0.2 $UDP_PORT" ends "NULL, UDP: answered" ok $NONE -w privacy -m $ANYBODY
	is "$(begun)" 1 "NULL: nothing more was negotiated"
	loaded null null
	ends "NULL is all there is, and not acceptable: EKEYREJECTED" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
	says_why "NULL is all there is: the text says so" '*authenticated otherwise*'
	is "$(begun)" 1 "NULL: nothing was negotiated for that"
}

# grouped GROUP: both hosts have this group, and policies of theirs are in the kernel
grouped() {
	local host

	loaded "$1" "$1"
	for host in left right; do
		whack $host --listen
		whack $host --name "$1" --route
		wait_for 10 trapped $host || {
			diag "$1: no trap at $host"
			whack $host --status
		}
	done
}

trapped() {
	$1 $IP xfrm policy | grep -A 2 "dir out" | grep -q "reqid 0 mode"
}


t_private() {
	local before

	before=$(begun)
	grouped private
	ends "private group: connected" ok $NONE -w privacy,integrity -m $ANYBODY
	is "$(begun)" "$before" "private group: the packets themselves made pluto negotiate"
	ends "private group: NULL is not acceptable: EKEYREJECTED" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
	grouped private
	ends "private group: nor is it before there are SAs" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
}

# While it negotiates, pluto lets pass in clear what the group is for.
t_private_or_clear() {
	local before app

	grouped private-or-clear
	ends "private-or-clear group: connected" ok $NONE -w privacy,integrity -m $ANYBODY

	grouped private-or-clear
	kill -STOP "${PLUTO[right]}"
	before=$(begun)
	left "$HELPERS/request_connect" -w privacy -T 30000 10.0.0.2 $TCP_PORT >"$DIR/app" &
	app=$!
	check "private-or-clear group, slow peer: the agent is asked" \
		wait_for 20 eval "[ \$(begun) -gt $before ]"
	kill -CONT "${PLUTO[right]}"
	wait $app
	read -r ANSWER REASON MS _ <"$DIR/app"
	is "$ANSWER" ok "private-or-clear group, slow peer: connected"

	# pluto does not know that its policy has gone
	grouped private-or-clear
	left $IP xfrm policy flush
	before=$(grep -c "on-demand for packet .* by whack" "$DIR/left/pluto.log")
	ends "private-or-clear group, without a trap: connected" ok $NONE -w privacy -m $ANYBODY
	is "$(grep -c "on-demand for packet .* by whack" "$DIR/left/pluto.log")" \
		$((before + 1)) "private-or-clear group, without a trap: pluto was asked"

	grouped private-or-clear
	left $IP xfrm policy flush
	ends "private-or-clear group, NULL is not acceptable: EKEYREJECTED" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
	is "$(grep -c "on-demand for packet .* by whack" "$DIR/left/pluto.log")" \
		$((before + 1)) "private-or-clear group: pluto was not asked for that"
	kill -STOP "${PLUTO[right]}"
	ends "private-or-clear group, silent peer: it does not become clear" ETIMEDOUT $TIMEOUT \
		-w privacy -m $ANYBODY -T 9000
	kill -CONT "${PLUTO[right]}"
}

t_psk() {
	loaded "psk v6" "psk v6"
	ends "PSK: connected" ok $NONE -w privacy,integrity -i right.example.org
	TO="fd00::2 $TCP_PORT" ends "PSK, IPv6: connected" ok $NONE -w privacy,integrity
	ends "PSK: somebody else is required, EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy -i mallory.example.org
}

t_x509() {
	loaded "null x509" "null x509"
	ends "X.509: connected, and not by NULL" ok $NONE -w privacy -m $PKIX \
		-i right.example.org
	loaded mallory x509
	ends "X.509: the peer is not who it is for, EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy
}

t_refused() {
	loaded psk ""
	ends "the peer has no such connection: EACCES" EACCES $REFUSED -w privacy -T 6000
	says_why "the peer has no such connection: the text says so" '*NO_PROPOSAL_CHOSEN*'
	loaded psk x509
	ends "the peer wants something else: EACCES" EACCES $REFUSED -w privacy -T 6000
	says_why "the peer wants something else: the text says so" '*AUTHENTICATION_FAILED*'
}

t_gone() {
	local app before

	loaded null null
	kill -STOP "${PLUTO[right]}"
	ends "silent peer: ETIMEDOUT" ETIMEDOUT $TIMEOUT -w privacy -T 5000
	before=$(begun)
	left "$HELPERS/request_connect" -w privacy -T 60000 10.0.0.2 $TCP_PORT >"$DIR/app" &
	app=$!
	wait_for 30 eval "[ \$(begun) -gt $before ]"
	sleep 1
	pluto_kill left
	wait $app
	read -r ANSWER REASON MS _ <"$DIR/app"
	is "$ANSWER $REASON" "ENOKEY $NO_SA" "pluto killed in the midst of it: ENOKEY"
	check "pluto killed in the midst of it: soon" [ "$MS" -lt 20000 ]
	ends "pluto away: ENOKEY" ENOKEY $NO_SA -w privacy
	kill -CONT "${PLUTO[right]}"
	works "pluto started again" pluto_up left
	loaded null null
	ends "pluto started again: connected" ok $NONE -w privacy
}

echo "KTAP version 1"
pluto_layer
crypto_load
modprobe -a -q esp4 esp6 xfrm_user xfrm4_tunnel xfrm6_tunnel af_key
net_up
mkdir -p "$DIR/left" "$DIR/right"
ca
for host in left right; do
	certificate $host
	host_setup $host
done
for host in left right; do
	works "pluto of $host starts" pluto_up $host
	agent_up $host
done
for to in "10.0.0.2 $TCP_PORT" "fd00::2 $TCP_PORT" "-u 10.0.0.2 $UDP_PORT"; do
	# shellcheck disable=SC2086 # several words
	start right "$HELPERS/request_connect" -l $to
	SERVERS+=("$STARTED")
done
watch_begin
# without them there is nothing to be tested
[ $KTAP_FAILED = 0 ] || REQUEST_TESTS=" "
for t in ${REQUEST_TESTS:-none null private private_or_clear psk x509 refused gone}; do
	diag "$SECONDS seconds: $t"
	"t_$t"
done
watch_end
echo "1..$KTAP_COUNT"
if [ $KTAP_FAILED != 0 ]; then
	for log in tokend whack pluto; do
		diag "--- left $log" "$(tail -n "${TOKEND_LINES:-80}" "$DIR/left/$log.log")"
	done
fi
for host in left right; do
	kill "${PLUTO[$host]}" "${AGENT[$host]}" 2>/dev/null
done
kill "${SERVERS[@]}"
rm -rf "$DIR"
finish
