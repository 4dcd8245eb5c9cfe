#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Applications require protection, and real charons negotiate it: by a trap policy,
# or because ipsec-tokend tells them to. What comes of it is what was required, or an
# error by cause; and nothing that was not asked for in clear leaves a host, whatever
# goes wrong.

# shellcheck source=lib.sh
. selftests/lib.sh
# shellcheck source=charon.sh
. selftests/charon.sh

TCP_PORT=7000 UDP_PORT=7001

# what the numbers of enum ipsec_request_reason mean
NONE=0 NO_SA=1 REFUSED=2 WEAKER=3 IDENTITY=4 METHOD=5 TIMEOUT=6 LIMIT=8

# sets of methods, by enum ipsec_auth_method
PKIX=0x700 GROUPKEY=0x10

# ---------------------------------------------------------------------- requests

# require ARGUMENT...: a connection under a request; sets $ANSWER to its end, $REASON,
# $MS and $TEXT
require() {
	local said

	said=$(left "$HELPERS/request_connect" "$@" 2>&1)
	read -r ANSWER REASON MS TEXT <<<"$said"
	diag "request_connect $*: $said"
}

V4="10.0.0.2 $TCP_PORT" V6="fd00::2 $TCP_PORT"

# ends TEXT ANSWER REASON ARGUMENT...: TCP over IPv4, unless $TO says something else.
# What was refused before it went well does not matter.
ends() {
	local text=$1 answer=$2 reason=$3

	shift 3
	# shellcheck disable=SC2086 # two words
	require "$@" ${TO:-$V4}
	[ "$ANSWER" != ok ] || REASON=$NONE
	is "$ANSWER $REASON" "$answer $reason" "$text"
}

# says_why TEXT PATTERN: of the last one
says_why() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $TEXT == $2 ]]; then
		ok "$1"
	else
		not_ok "$1"
		diag "$TEXT"
	fi
}

# begun: how many negotiations the agent has begun
begun() {
	logged left "negotiation of .* begins"
}

# down NAME...: both ends forget it, and all SAs
down() {
	local name host

	for name; do
		swan left --terminate --ike "$name" --force --timeout 2
		swan right --terminate --ike "$name" --force --timeout 2
	done
	for host in left right; do
		$host $IP xfrm state flush
		$host $IP xfrm policy flush
	done
}

# --------------------------------------------------------------------- in clear

declare -A WATCH

# What leaves a host and is neither IKE nor ESP, nor there to find the other.
watch_begin() {
	local host

	for host in left right; do
		start $host tcpdump -Z root -i veth -Q out -n -U -w "$DIR/$host/clear.pcap" \
			"not esp and not udp port 500 and not udp port 4500 and not arp and \
			not icmp6" >"$DIR/$host/tcpdump.log" 2>&1
		WATCH[$host]=$STARTED
		wait_for grep -q "listening on" "$DIR/$host/tcpdump.log"
	done
}

clear_packets() {
	tcpdump -n -r "$DIR/$1/clear.pcap" 2>/dev/null
}

watch_end() {
	local host

	# one that is meant to be seen, so that nothing seen means something
	left ping -c 1 -W 1 10.0.0.2 >/dev/null
	for host in left right; do
		check "what $host sends in clear is seen" wait_for eval \
			"clear_packets $host | grep -q 'ICMP echo'"
		kill "${WATCH[$host]}"
		wait "${WATCH[$host]}"
		# when charon has gone, IKE itself is answered so
		is "$(clear_packets $host | grep -v "ICMP echo\|udp port 500 unreachable")" "" \
			"and $host sent nothing else"
	done
}

# ------------------------------------------------------------------------ tests

t_none() {
	local before

	before=$(begun)
	: | config left
	: | config right
	ends "no connection: ENOKEY" ENOKEY $NO_SA -w privacy
	says_why "no connection: the text says what for" \
		'*TCP from 10.0.0.1 to 10.0.0.2 port 7000*no connection fits*no pluto*'
	check "no connection: at once" [ "$MS" -lt 5000 ]
	is "$(begun)" "$before" "no connection: nothing was negotiated"
	TO="-u 10.0.0.2 $UDP_PORT" ends "no connection, UDP: ENOKEY" ENOKEY $NO_SA -w privacy
}

# The normal way: packets make charon negotiate, nobody tells the agent.
t_trap() {
	local before

	before=$(begun)
	CHILD="start_action = trap" psk
	wait_for eval 'left $IP xfrm policy | grep -q "reqid"'
	ends "trap policy: connected" ok $NONE -w privacy,integrity
	is "$(begun)" "$before" "trap policy: the agent has had nothing to do"
	down home
}

t_psk() {
	local before

	psk
	before=$(begun)
	ends "PSK: connected" ok $NONE -w privacy,integrity,end-to-end
	is "$(begun)" $((before + 1)) "PSK: because the agent had it negotiated"
	ends "PSK: another one finds what is there" ok $NONE -w privacy
	TO="-u 10.0.0.2 $UDP_PORT" ends "PSK: UDP too" ok $NONE -w privacy
	is "$(begun)" $((before + 1)) "PSK: nothing more was negotiated"
	ends "PSK: who it is" ok $NONE -w privacy -i right.example.org -t 2
	ends "PSK: as a pattern" ok $NONE -w privacy -i "*.example.org"
	ends "PSK: somebody else is required, EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy -i mallory.example.org
	ends "PSK: certificates are required, EKEYREJECTED" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
	down home
	# the same without SAs
	before=$(begun)
	ends "PSK, no SAs: somebody else is required, EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy -i mallory.example.org
	says_why "PSK, no SAs: the text says so" '*is for somebody else*'
	ends "PSK, no SAs: certificates are required, EKEYREJECTED" EKEYREJECTED $METHOD \
		-w privacy -m $PKIX
	is "$(begun)" "$before" "PSK, no SAs: nothing was negotiated for that"
	TO="-u 10.0.0.2 $UDP_PORT" ends "PSK, UDP first: answered" ok $NONE \
		-w privacy -m $GROUPKEY
	down home
	FAMILY=6 psk
	TO=$V6 ends "PSK, IPv6: connected" ok $NONE -w privacy,integrity -i right.example.org
	down home
}

t_pkix() {
	pkix cert
	ends "X.509: connected" ok $NONE -w privacy -m $PKIX -i right.example.org
	down cert
	ends "X.509: by names" ok $NONE -w privacy -d "CN=right.example.org,*" -c "CN=CA,*"
	down cert
	# the connection is for whoever has a certificate of the CA
	connection left anyone "auth = pubkey;certs = own.pem;id = left.example.org" \
		"auth = pubkey;id = %any" "send_cert = always" | config left
	ends "X.509, of anyone: not who is required, EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy -i mallory.example.org
	check "X.509, of anyone: for all that it was negotiated" \
		eval 'left $IP xfrm state | grep -q "proto esp"'
	ends "X.509, of anyone: nor by name, EKEYREJECTED" EKEYREJECTED $IDENTITY \
		-w privacy -d "CN=mallory.example.org,*"
	ends "X.509, of anyone: but who is" ok $NONE -w privacy -d "CN=right.example.org,*"
	down anyone
}

t_weaker() {
	local modules="deflate ipcomp ipcomp6"

	# shellcheck disable=SC2086 # a list of words
	modprobe -a -q $modules
	CHILD="esp_proposals = null-sha256" psk
	ends "ESP-NULL: no privacy, EPROTO" EPROTO $WEAKER -w privacy
	ends "ESP-NULL: but integrity" ok $NONE -w integrity
	down home
	CHILD="ipcomp = yes" psk
	ends "IPComp: required" ok $NONE -w privacy,compression
	ends "IPComp: not to be, EPROTO" EPROTO $WEAKER -w privacy,no-compression
	down home
	psk
	ends "no IPComp: required, EPROTO" EPROTO $WEAKER -w privacy,compression
	ends "no IPComp: not to be" ok $NONE -w privacy,no-compression
	down home
}

t_refused() {
	psk
	connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org" "proposals = aes256-sha512-modp2048" |
		cat - <(echo "$SECRET") | config right
	ends "other proposals: EACCES" EACCES $REFUSED -w privacy
	says_why "other proposals: the text says so" '*home/net*NO_PROPOSAL_CHOSEN*'
	{ connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org"; echo "${SECRET/a secret/another one}"
	} | config right
	ends "another secret: EACCES" EACCES $REFUSED -w privacy
	says_why "another secret: the text says so" '*AUTHENTICATION_FAILED*'
	TO="-u 10.0.0.2 $UDP_PORT" ends "another secret, UDP: EACCES" EACCES $REFUSED -w privacy
	CHILD="esp_proposals = aes256-sha256" psk
	connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org" | cat - <(echo "$SECRET") | config right
	ends "other ESP proposals: EACCES" EACCES $REFUSED -w privacy
	down home
	# and then it works
	psk
	ends "refused no more: connected" ok $NONE -w privacy
	down home
}

# The peer says nothing, charon is killed, the agent is killed.
t_gone() {
	local before app

	psk
	kill -STOP "${CHARON[right]}"
	ends "silent peer: ETIMEDOUT" ETIMEDOUT $TIMEOUT -w privacy -T 5000
	check "silent peer: in time" [ "$MS" -lt 8000 ]

	before=$(begun)
	left "$HELPERS/request_connect" -w privacy -T 60000 10.0.0.2 $TCP_PORT >"$DIR/app" &
	app=$!
	wait_for eval "[ \$(begun) -gt $before ]"
	nap
	charon_kill left KILL
	wait $app
	read -r ANSWER REASON MS _ <"$DIR/app"
	is "$ANSWER $REASON" "ENOKEY $NO_SA" "charon killed in the midst of it: ENOKEY"
	check "charon killed in the midst of it: soon" [ "$MS" -lt 20000 ]
	ends "charon away: ENOKEY" ENOKEY $NO_SA -w privacy
	says_why "charon away: the text says so" '*charon cannot be reached*'
	does "charon started again" after_log left "connected to" charon_up left
	kill -CONT "${CHARON[right]}"
	psk
	ends "charon started again: connected" ok $NONE -w privacy
	down home

	# what the agent has not answered, the next one is asked
	kill -STOP "${CHARON[right]}"
	before=$(begun)
	left "$HELPERS/request_connect" -w privacy -T 60000 10.0.0.2 $TCP_PORT >"$DIR/app" &
	app=$!
	wait_for eval "[ \$(begun) -gt $before ]"
	agent_kill left
	kill -CONT "${CHARON[right]}"
	after_log left "connected to" agent_up left
	wait $app
	is "$(cut -d ' ' -f 1 "$DIR/app")" ok "agent killed in the midst of it: connected"
	down home
	agent_kill left
	ends "no agent, but one at the other host: ENOKEY" ENOKEY $NO_SA -w privacy
	check "no agent: at once" [ "$MS" -lt 3000 ]
	after_log left "connected to" agent_up left
}

# agent_deaf: started with room for hardly any message of the kernel
agent_deaf() {
	local before

	before=$(sysctl -n net.core.rmem_default)
	sysctl -qw net.core.rmem_default=2304
	agent_kill left
	after_log left "connected to" agent_up left
	sysctl -qw "net.core.rmem_default=$before"
}

# Some requests are not heard of, since there are so many; they are asked for.
t_lost() {
	local i

	psk
	agent_deaf
	kill -STOP "${AGENT[left]}"
	: >"$DIR/apps"
	for ((i = 0; i < 20; i++)); do
		left "$HELPERS/request_connect" -w privacy -T 120000 10.0.0.2 $TCP_PORT \
			>>"$DIR/apps" 2>&1 &
		APPS+=($!)
	done
	check "messages for the agent are lost" wait_for eval \
		"left awk 'NR > 1 && \$9 > 0' /proc/net/netlink | grep -q ."
	kill -CONT "${AGENT[left]}"
	wait "${APPS[@]}"
	check "it has noticed that" more_logged left "news of requests was lost" 0
	is "$(cut -d ' ' -f 1 "$DIR/apps" | sort | uniq -c | tr -s ' ')" " 20 ok" \
		"all were connected"
	down home
	agent_kill left
	after_log left "connected to" agent_up left
}

# Nobody has charon negotiate without limit.
t_limits() {
	local before i

	agent_config left "" "[requests]" "user-rate = 3" "connections = home"
	after_log left "configuration read again" kill -HUP "${AGENT[left]}"
	psk
	kill -STOP "${CHARON[right]}"
	{ connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org"; echo "${SECRET/a secret/another one}"
	} >"$DIR/right/swanctl/swanctl.conf"
	kill -CONT "${CHARON[right]}"
	swan right --load-all --clear
	before=$(begun)
	for i in 1 2 3; do
		ends "attempt $i: EACCES" EACCES $REFUSED -w privacy -U 1000
	done
	ends "attempt 4: EDQUOT" EDQUOT $LIMIT -w privacy -U 1000
	is "$(begun)" $((before + 3)) "three negotiations were begun"
	ends "another user: EACCES" EACCES $REFUSED -w privacy -U 1001
	psk
	agent_config left "" "[requests]" "connections = other"
	after_log left "configuration read again" kill -HUP "${AGENT[left]}"
	ends "not on the list: ENOKEY" ENOKEY $NO_SA -w privacy
	agent_config left "" "[requests]" "enabled = no"
	after_log left "configuration read again" kill -HUP "${AGENT[left]}"
	ends "not on request: ENOKEY" ENOKEY $NO_SA -w privacy
	says_why "not on request: the text says so" '*not to negotiate*'
	agent_config left
	after_log left "configuration read again" kill -HUP "${AGENT[left]}"
	ends "on request again: connected" ok $NONE -w privacy
	down home
}

echo "KTAP version 1"
daemons_up
pki
# nobody but the agent is to hear of events
peers_kill
eval 'peers_kill() { :; }'
for address in 10.0.0.2 fd00::2; do
	start right "$HELPERS/request_connect" -l $address $TCP_PORT
	SERVERS+=("$STARTED")
done
start right "$HELPERS/request_connect" -l -u 10.0.0.2 $UDP_PORT
SERVERS+=("$STARTED")
watch_begin
# shellcheck disable=SC2086 # a list of words
subjects ${SUBJECTS:-none trap psk pkix weaker refused gone lost limits}
watch_end
# shellcheck disable=SC2034 # for daemons_down
PLAN=$KTAP_COUNT
kill "${SERVERS[@]}"
daemons_down
