#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Identities from strongSwan live as long as the peer does: through rekeying of
# all kinds, outages, another address, restarts of whatever there is to restart,
# and lost messages. Applications at both ends keep their tokens.

# shellcheck source=lib.sh
. selftests/lib.sh
. selftests/charon.sh

# rekeyed_alone: while no agent looks
rekeyed_alone() {
	agent_kill left
	agent_kill right
	swan left --rekey --child net
	wait_for rekeyed_under left && wait_for rekeyed_under right
	agent_up left
	agent_up right
}

# rekeyed_under HOST: there are two SAs, and none of them is known
rekeyed_under() {
	sas_read "$1"
	[ ${#SAS[@]} = 2 ] && [ ${#BOUND[@]} = 0 ]
}

t_rekey() {
	psk
	connected rekey 4
	replaced "CHILD_SA rekeyed" swan left --rekey --child net
	replaced "CHILD_SA rekeyed by the other end" swan right --rekey --child net
	does "IKE_SA rekeyed" ike_rekeyed home
	unchanged "IKE_SA rekeyed"
	replaced "IKE_SA rekeyed, then its CHILD_SA" swan left --rekey --child net
	does "agents killed" agents_again
	unchanged "agents killed"
	replaced "CHILD_SA rekeyed without an agent" rekeyed_alone
	replaced "reauthenticated" swan left --rekey --ike home --reauth
	down home
	says "tokens t" "$TOKENS" "SAs gone: the connection keeps its tokens"
	does "SAs gone, and up again" up
	unchanged "SAs gone, and up again"
	part
	down home
}

t_reauth() {
	pkix pkix
	connected X.509 4
	replaced "X.509: reauthenticated" swan left --rekey --ike pkix --reauth
	replaced "X.509: reauthenticated by the other end" swan right --rekey --ike pkix --reauth
	does "X.509: IKE_SA rekeyed" ike_rekeyed pkix
	replaced "X.509: reauthenticated after that" swan left --rekey --ike pkix --reauth
	part
	down pkix
}

# neighbours ADDRESS-BYTE: what is sent to the other host goes there, or nowhere
neighbours() {
	left $IP neigh replace 10.0.0.2 lladdr "02:00:00:00:00:${1:-02}" dev veth nud permanent
	right $IP neigh replace 10.0.0.1 lladdr "02:00:00:00:00:${1:-01}" dev veth nud permanent
}

# No packet arrives for so long that both ends give up their SAs.
t_outage() {
	local host

	for host in left right; do
		charon_config $host "retransmit_timeout = 1" "retransmit_base = 1" \
			"retransmit_tries = 4"
		swan $host --reload-settings
	done
	psk "dpd_delay = 1s"
	connected outage 4
	neighbours 99
	does "outage: both ends give up" down
	says "tokens t" "$TOKENS" "outage: the connection keeps its tokens"
	neighbours
	does "outage: up again" up
	unchanged "outage"
	part
	down home
	for host in left right; do
		charon_config $host
		swan $host --reload-settings
	done
}

moved() {
	sas_read "$1"
	[[ " ${!SAS[*]} " == *" 10.2.0.3 "* ]]
}

roam() {
	left $IP addr add 10.2.0.3/24 dev veth
	left $IP addr del 10.2.0.1/24 dev veth
	wait_for moved left && wait_for moved right
}

# The initiator gets another address, and takes its SAs along.
t_mobike() {
	left sysctl -qw net.ipv4.conf.all.promote_secondaries=1
	left $IP addr add 10.2.0.1/24 dev veth
	right $IP addr add 10.2.0.2/24 dev veth
	CHILD="mode = tunnel;local_ts = 10.0.0.1/32;remote_ts = 10.0.0.2/32" \
		connection left roam "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org" \
		"local_addrs = %any;remote_addrs = 10.2.0.2" |
		cat - <(echo "$SECRET") | config left
	CHILD="mode = tunnel;local_ts = 10.0.0.2/32;remote_ts = 10.0.0.1/32" \
		connection right roam "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org" \
		"local_addrs = 10.2.0.2;remote_addrs = %any" |
		cat - <(echo "$SECRET") | config right
	connected MOBIKE 4
	does "MOBIKE: another address" roam
	unchanged "MOBIKE"
	replaced "MOBIKE: CHILD_SA rekeyed" swan left --rekey --child net
	part
	down roam
	left $IP addr del 10.2.0.3/24 dev veth
	right $IP addr del 10.2.0.2/24 dev veth
}

# id_of HOST TOKEN: who that is, into ID
id_of() {
	TOKENS="$2 $2" learn "$1"
	ID=${WHO[$1.id]}
}

# told_apart TEXT: what right is told of both peers
told_apart() {
	local peer n

	for n in 1 2; do
		[ $n = 1 ] && peer=one || peer=two
		ask "tokens t$n"
		id_of right "${answer#* }"
		is "$ID" $peer@example.org "$1: connection of peer $peer"
		ask "say u$n"
		id_of right "${answer#* }"
		is "$ID" $peer@example.org "$1: datagram of peer $peer"
	done
	# one after the other, so that what was found for one is at hand for the other
	ask "say u1 ; say u2 ; say u1 ; say u2"
	set -- "$1" $answer
	check "$1: a token each" [ "$3 $5" = "$7 $9," ]
	check "$1: not the same" [ "$3" != "$5" ]
}

four_bound() {
	all_bound right && [ ${#SAS[@]} = 4 ]
}

# latches MODE: on both hosts
latches() {
	local host

	for host in left right; do
		$host "$BUILD/tools/ipsec-token" config set latch "$1"
	done
}

# Two peers at one address, with the same traffic selectors and hence the same
# reqid. Marks tell left which of them something is sent for; nothing of them
# can be seen at right.
t_two() {
	local peer n=1 old reqids

	{ for peer in one two; do
		CHILD="mark_in = $n;mark_out = $n" connection left $peer \
			"auth = psk;id = $peer@example.org" "auth = psk;id = right.example.org"
		n=2
	  done; echo "$SECRET"; } | config left
	{ connection right any "auth = psk;id = right.example.org" "auth = psk" \
		"unique = never"; echo "$SECRET"; } | config right
	for peer in one two; do
		does "two peers: $peer up" swan left --initiate --ike $peer --child net \
			--timeout $PATIENTLY
	done
	does "two peers: every SA has an identity" both_bound
	reqids=$(right $IP xfrm state | grep -o 'reqid [0-9]*' | sort | uniq -c)
	is "${reqids//[^ 0-9a-z]/}" "      4 reqid ${reqids##* }" "two peers: one reqid"
	# Right can't choose whose SA it answers under, it is the newest. Latches would
	# keep it from answering the older peer that way, so let them only report.
	latches report
	tell "open t1 tcp 4 1 ; open u1 udp 4 1 ; open t2 tcp 4 2 ; open u2 udp 4 2"
	told_apart "two peers"

	old=("${!SAS[@]}")
	swan left --rekey --child net
	does "two peers, rekeyed: the former SAs are gone" wait_for others_than right "${old[@]}"
	does "two peers, rekeyed: every SA has an identity" wait_for four_bound
	told_apart "two peers, rekeyed"
	agents_again
	does "two peers, agents killed: every SA has an identity" both_bound
	told_apart "two peers, agents killed"
	tell "close t1 ; close u1 ; close t2 ; close u2"
	latches enforce
	swan left --terminate --ike one --timeout $PATIENTLY
	down two
}

module_again() {
	rmmod ipsec_token && insmod "$MODULE"
}

# same_peers TEXT FAMILY: other sockets, since those before could not be kept
same_peers() {
	local itokens="${WHO[left.itoken]} ${WHO[right.itoken]}"

	meet "$2"
	is "${WHO[left.itoken]} ${WHO[right.itoken]}" "$itokens" "$1: same iTokens"
}

t_restarts() {
	local old

	psk
	connected "restarts" 4
	part
	# the application's handle outlives the module
	does "module loaded anew" module_again
	does "module loaded anew: every SA has an identity" both_bound
	same_peers "module loaded anew" 4
	replaced "module loaded anew: CHILD_SA rekeyed" swan left --rekey --child net

	does "SIGHUP" after_log left "configuration read again" kill -HUP "${AGENT[left]}"
	unchanged "SIGHUP"
	echo nonsense >>"$DIR/left/tokend.conf"
	refused "a mistake is found" "$TOKEND" --check-config -c "$DIR/left/tokend.conf"
	does "SIGHUP with a mistake" after_log left "nothing was changed" \
		kill -HUP "${AGENT[left]}"
	agent_config left
	unchanged "SIGHUP with a mistake"

	# of a charon that was killed, SAs live on; the next one knows nothing of them
	sas_read left
	old=("${!SAS[@]}")
	charon_kill left KILL
	does "charon killed: the agent notices" wait_for more_logged left "connection lost" 0
	unchanged "charon killed"
	does "charon killed: another one is found" after_log left "connected to" charon_up left
	unchanged "charon killed, and started"
	psk
	does "charon killed: up again" up
	does "charon killed: new SAs have identities" wait_for others_than right "${old[@]}"
	printf 'xfrm state delete dst %s\n' "${old[@]/ / proto esp spi }" | left $IP -batch -
	unchanged "charon killed, and up again"

	kill "${AGENT[left]}"
	wait "${AGENT[left]}"
	is $? 0 "SIGTERM ends the agent"
	unchanged "agent ended"
	agent_up left
	part
	down home
}

FLOOD=5000

# flood HOST: SAs that come and go, whose news is more than any socket holds
flood() {
	local n

	for ((n = 1; n <= FLOOD; n++)); do
		printf 'xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi %d %s\n' \
			$n 'mode tunnel enc ecb(cipher_null) ""'
	done >"$DIR/flood"
	for ((n = 1; n <= FLOOD; n++)); do
		printf 'xfrm state delete src 10.9.0.1 dst 10.9.0.2 proto esp spi %d\n' $n
	done >>"$DIR/flood"
	$1 $IP -batch "$DIR/flood"
}

# An agent that cannot keep up, while SAs are replaced as well.
t_overrun() {
	psk
	connected overrun 4
	replaced "overrun" overrun
	part
	down home
}

overrun() {
	local host

	kill -STOP "${AGENT[left]}" "${AGENT[right]}"
	# and what charon has to say is late
	swan left --rekey --child net
	for host in left right; do
		flood $host || return
	done
	for host in left right; do
		after_log $host "news of SAs was lost" kill -CONT "${AGENT[$host]}" || return
	done
}

ROUNDS=21

# of each line of a file the median
median() {
	sort -n "$1" | sed -n "$((ROUNDS / 2 + 1))p"
}

# How soon an application knows its peer, beside what one question to charon takes.
t_time() {
	local n fd line begin known asked

	psk
	up
	both_bound
	down home
	exec {fd}< <(exec "$HELPERS/identity_time" $ROUNDS)
	read -r -u $fd line
	for ((n = 0; n < ROUNDS; n++)); do
		up
		read -r -t $PATIENTLY -u $fd line && echo "$line" >>"$DIR/known"
		begin=${EPOCHREALTIME/./}
		swan left --list-sas
		echo $((${EPOCHREALTIME/./} - begin)) >>"$DIR/asked"
		down home
	done
	exec {fd}<&-
	is "$(wc -l <"$DIR/known")" $ROUNDS "time: of $ROUNDS new IKE_SAs the identity is read"
	known=$(median "$DIR/known") asked=$(median "$DIR/asked")
	diag "time: $known us from a new SA to its identity, $asked us for swanctl --list-sas" \
		"time: ratio $((known / asked)).$(printf %02d $((known * 100 / asked % 100)))"
}

echo "KTAP version 1"
daemons_up
pki
# shellcheck disable=SC2086 # a list of words
subjects ${SUBJECTS:-rekey reauth outage mobike two restarts overrun time}
daemons_down
