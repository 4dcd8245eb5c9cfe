#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module is loaded and unloaded, network namespaces and SAs come and go, and
# all that was in use stays in order. What goes wrong here shows in the kernel's
# log, which the harness reads.

# shellcheck source=lib.sh
. selftests/lib.sh
. selftests/peers.sh

TOOL=${BUILD:-build}/tools/ipsec-token

# both COMMAND...: on both hosts
both() {
	left "$@" && right "$@"
}

# is_pair PAIR TEXT: two tokens
is_pair() {
	case $1 in
	0x+([0-9a-f])" "0x+([0-9a-f])) ok "$2" ;;
	*) not_ok "$2"; diag "$1" ;;
	esac
}

load() {
	insmod "$MODULE"
}

unload() {
	rmmod ipsec_token
}

# within TENTHS COMMAND...: it succeeds before so many tenths of a second are over
within() {
	local i tenths=$1

	shift
	for ((i = 0; i < tenths; i++)); do
		"$@" 2>/dev/null && return
		sleep 0.1
	done
	"$@"
}

# unused MODULE: nothing of the kind that it provides exists any more. The
# kernel's IPsec holds esp4 once for each ESP SA in memory over IPv4.
unused() {
	[ "$(<"/sys/module/$1/refcnt")" = 0 ]
}

# statistic HOST NAME
statistic() {
	$1 "$TOOL" stats | sed -n "s/^$2  *//p"
}

# Whoever does not ask does not make the kernel keep anything.
T_UNASKED=3
t_unasked() {
	local sent

	load
	ipsec_up esp-gcm 4
	# Port 9 is closed, which is answered, also under protection.
	left bash -c "for _ in {1..10}; do echo >/dev/udp/$RIGHT_IP/9; done" 2>/dev/null
	left ping -q -c 1 -W 2 "$RIGHT_IP" >/dev/null
	sent=$(xfrm_bytes right in esp)
	check "unasked: there was protected traffic" [ "$sent" -gt 0 ]
	is "$(statistic left contexts) $(statistic right contexts)" "0 0" "unasked: no contexts"
	is "$(statistic left paths) $(statistic right paths)" "0 0" "unasked: no SAs held"
	ipsec_down
	unload
}

T_DATAGRAM_SOCKETS=7
t_datagram_sockets() {
	local tokens

	load
	ipsec_up esp-gcm 4
	peers_start
	tell open u udp 4
	ask say u
	tokens=$answer
	is_pair "$tokens" "opted-in sockets: datagrams have tokens"
	refused "opted-in sockets: the module is busy" unload
	is "$(unload 2>&1 | grep -c 'in use')" 1 "opted-in sockets: and says so"
	says "say u ; tokens u" "$tokens, $tokens" "opted-in sockets: all works as before"
	tell "optout u"
	refused "opted-out sockets: the module is busy" unload
	tell "close u"
	check "closed sockets: the module goes" within 20 unload
	tell "open t tcp 4"
	says "say t ; tokens t" "ok, ENOPROTOOPT ENOPROTOOPT" "without the module"
	tell "close t"
	peers_kill
	ipsec_down
}

# Connections in every state, one of them in clear, and listeners of netlink.
T_CONNECTIONS=20
t_connections() {
	local before after alive="privacy 1 integrity 1" i

	# Neither host has the address that ends in 99 yet; what is sent there
	# goes to right, which does not want it.
	left $IP -batch - <<-END
	neigh replace 10.0.0.99 lladdr 02:00:00:00:00:02 dev veth nud permanent
	neigh replace fd00::99 lladdr 02:00:00:00:00:02 dev veth nud permanent
	END
	load
	ipsec_up esp-gcm 4
	peers_start
	tell "listen left ; listen right"
	tell "open t tcp 4 ; open c tcp 6 ; say t ; say c ; begin p 4 ; begin q 6"
	ask tokens t
	before=$answer
	is_pair "$before" "connections: protected"
	says "tokens c ; tokens p" "clear clear, ENOTCONN EBADF" "connections: in clear, half open"
	says "about left ${before% *} ; events left ; events right" "$alive, some, some" \
		"connections: listeners"

	check "connections: the module goes" unload
	says "say t ; say c" "ok, ok" "unloaded: connections are alive"
	says "tokens t ; tokens c" \
		"ENOPROTOOPT ENOPROTOOPT, ENOPROTOOPT ENOPROTOOPT" "unloaded: nobody to ask"
	says "about left ${before% *} ; events left ; events right" "ENOPROTOOPT, none, none" \
		"unloaded: listeners"
	right $IP addr add fd00::99/64 dev veth nodad
	says "finish q ; say q" "ok, ok" "unloaded: a half open connection completes"

	load
	says "tokens t ; tokens c ; tokens q" \
		"ENODATA ENODATA, ENODATA ENODATA, ENODATA ENODATA" \
		"loaded again: old connections, not known"
	for ((i = 0; i < 5; i++)); do
		ask "say t ; tokens t"
		after=${answer#ok, }
		[[ $after = *ENODATA* ]] || break
	done
	is_pair "$after" "loaded again: old connection, known by its next segments"
	tell "open t2 tcp 4 ; open c2 tcp 6"
	says "tokens t2" "$after" "loaded again: a new connection has the same token"
	for ((i = 0; i < 5; i++)); do
		ask "say c ; say q ; tokens c ; tokens q ; tokens c2"
		[[ $answer = *ENODATA* ]] || break
	done
	is "$answer" "ok, ok, clear clear, clear clear, clear clear" \
		"loaded again: old and new connections in clear"
	says "about left ${after% *} ; about right ${after#* }" "$alive, $alive" \
		"loaded again: what the tokens mean"
	says "about left ${before% *} ; about right ${before#* }" "ESTALE, ESTALE" \
		"loaded again: tokens from before"
	check "loaded again: and unloaded" unload
	load
	right $IP addr add 10.0.0.99/24 dev veth
	says "finish p ; say p" "ok, ok" "a handshake that began two modules ago completes"
	ask "tokens p"
	case $answer in
	@(clear|ENODATA)" "@(clear|ENODATA)) ok "and is not taken for protected" ;;
	*) not_ok "and is not taken for protected"; diag "$answer" ;;
	esac
	says "say t ; close t ; say c ; close c ; close t2 ; close c2 ; close p ; close q" \
		"ok, ok, ok, ok, ok, ok, ok, ok" "all can be closed"
	is "$(statistic left connections) $(statistic right connections)" "0 0" \
		"no connection is left"
	check "and the module goes" unload
	right $IP -batch - <<-END
	addr del 10.0.0.99/24 dev veth
	addr del fd00::99/64 dev veth
	END
	peers_kill
	ipsec_down
}

ROUNDS=20
T_LOOP=9
t_loop() {
	local i rounds=0 counts name start=$SECONDS

	ipsec_up esp-gcm 4
	ipsec_up tunnel 6 spi=0x2000
	coproc TRAFFIC { exec nice -n 19 "$HELPERS/traffic"; }
	exec {to}>&"${TRAFFIC[1]}" {from}<&"${TRAFFIC[0]}"
	read -r -t 120 -u "$from"
	for ((i = 0; i < ROUNDS; i++)); do
		load || break
		sleep 0.$((i % 4))
		# Some sockets opt in, all but for a moment.
		within 50 unload || break
		rounds=$((rounds + 1))
	done
	load
	sleep 1
	echo enough >&"$to"
	read -r -t 30 -u "$from" -a counts
	exec {to}>&- {from}<&-
	is $rounds $ROUNDS "under traffic: loaded and unloaded"
	diag "in $((SECONDS - start)) seconds: ${counts[*]}"
	for name in segments datagrams connections tokens opt-ins answers; do
		check "under traffic: $name" [ "${counts[0]:-0}" -gt 0 ]
		counts=("${counts[@]:1}")
	done
	is "${counts[0]}" 0 "under traffic: nothing protected was said to be in clear"
	check "under traffic: and unloaded for good" within 50 unload
	ipsec_down
}

# A witness is a link with one end in a namespace: it goes when that is really
# gone, and not when only its name is.
witness_gone() {
	! $IP link show "witness-$1" >/dev/null 2>&1
}

T_NETNS=11
t_netns() {
	local host

	# Three datagrams are left unread, with the SAs that they came under.
	load
	ipsec_up esp-gcm 4
	ipsec_up tunnel 6 spi=0x2000
	peers_start
	tell "open t tcp 4 ; open t6 tcp 6 ; open u udp 4 ; open u6 udp 6 ; say t ; begin p 4"
	ask "say u ; say u6"
	tell "send u ; send u ; send u6"
	for host in left right; do
		$IP link add witness-$host type veth peer name witness netns $host
	done
	net_forget
	refused "namespaces: without a name they live on" witness_gone left
	says "say t ; say t6" "ok, ok" "namespaces: without a name, connections work"
	ask "say u"
	case $answer in
	*0x*" "*0x*) ok "namespaces: without a name, datagrams have tokens" ;;
	*) not_ok "namespaces: without a name, datagrams have tokens"; diag "$answer" ;;
	esac
	peers_kill
	for host in left right; do
		check "namespaces: $host is gone" within 100 witness_gone $host
	done
	check "namespaces: no SA over IPv4 is left" within 30 unused esp4
	check "namespaces: no SA over IPv6 is left" within 30 unused esp6
	check "namespaces: the module goes" within 20 unload

	# Now both at once.
	load
	net_up
	ipsec_up esp-gcm 4
	peers_start
	tell "open t tcp 4 ; open c tcp 6 ; say t ; say c"
	for host in left right; do
		$IP link add witness-$host type veth peer name witness netns $host
	done
	net_forget
	peers_kill
	check "namespaces: they and the module go at the same time" unload
	for host in left right; do
		within 100 witness_gone $host
	done
	check "namespaces: they are gone" witness_gone right
	check "namespaces: no SA is left" within 30 unused esp4
	net_up
}

# Only the names, while sockets are open.
net_forget() {
	$IP netns del left
	$IP netns del right
}

# The connection is over IPv6, so that its own SAs are not among those counted.
SAS=10000
T_MANY=7
t_many() {
	local tokens

	load
	ipsec_up esp-gcm 6 spi=0x2000
	peers_start
	tell open t tcp 6
	ask tokens t
	tokens=$answer
	is_pair "$tokens" "many SAs: a connection"
	ipsec_up esp-gcm 4
	tell open u udp 4
	ask say u
	tell close u
	# those of the connection in both directions, and the one of the datagram
	check "many SAs: some before them are held" [ "$(statistic left paths)" = 3 ]

	# Successors, as far as addresses and reqid tell, of what the last
	# datagram came under.
	awk -v n=$SAS 'BEGIN {
		for (i = 0; i < n; i++)
			printf "xfrm state add src 10.0.0.2 dst 10.0.0.1 proto esp spi %d " \
				"reqid 1 mode transport enc ecb(cipher_null) \"\" " \
				"auth-trunc digest_null \"\" 0\n", 65536 + i
	}' >"$TMPDIR/sas"
	left $IP -batch "$TMPDIR/sas"
	is "$(left $IP xfrm state count | sed 's/.*count *//')" $((SAS + 4)) "many SAs: are there"
	is "$(statistic left contexts) $(statistic left paths)" "2 3" \
		"many SAs: which nobody has received anything under"
	both $IP xfrm state flush
	check "many SAs: none is held for long after they went" within 20 unused esp4
	says "tokens t ; about left ${tokens% *}" "$tokens, privacy 1 integrity 1" \
		"many SAs: the connection is what it was"
	tell close t
	peers_kill
	check "many SAs: and unloaded" unload
	ipsec_down
}

plan $((T_UNASKED + T_DATAGRAM_SOCKETS + T_CONNECTIONS + T_LOOP + T_NETNS + T_MANY))
modprobe -a esp4 esp6
net_up
t_unasked
t_datagram_sockets
t_connections
t_loop
t_netns
t_many
finish
