# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of latches share; source it. Left has connections with right,
# and is told by the identities of their SAs that right is "a1". A third host is
# somewhere behind the same address, with SAs that are the same in all but their
# keys: it is "b0".
#
#	.-----------.  veth         veth .------------------.
#	|           |--------------------| right   10.0.0.2 |
#	|   left    |                    '------------------'
#	|  10.0.0.1 |                    .------------------.
#	|           |--------------------| evil    10.0.0.2 |
#	'-----------'  veth1        veth '------------------'
#
# One process (helpers/latch.c) has the sockets of all of them.

# shellcheck source=lib.sh
. selftests/lib.sh
shopt -s extglob

EVIL_SPI=0x8000

evil()	{ "$HELPERS/netns" evil "$@"; }

latch_net_up() {
	net_up
	$IP netns add evil
	$IP link add veth1 netns left address 02:00:00:00:00:03 type veth \
		peer name veth netns evil address 02:00:00:00:00:04
	left $IP link set veth1 up
	left sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.veth1.rp_filter=0
	evil sysctl -qw net.ipv6.conf.default.accept_dad=0
	evil $IP -batch - <<-END
	link set lo up
	link set veth up
	addr add 10.0.0.2/24 dev veth
	addr add fd00::2/64 dev veth nodad
	neigh replace 10.0.0.1 lladdr 02:00:00:00:00:03 dev veth nud permanent
	neigh replace fd00::1 lladdr 02:00:00:00:00:03 dev veth nud permanent
	END
	coproc LATCH { exec "$HELPERS/latch"; }
	# Subshells get the copies only.
	exec {to}>&"${LATCH[1]}" {from}<&"${LATCH[0]}"
}

# ask COMMANDS: sets $answer to that of the process
ask() {
	echo "$*" >&"$to"
	read -r -t 120 -u "$from" answer || answer="no answer"
}

# tell COMMANDS: they must succeed
tell() {
	ask "$@"
	[ -z "${answer//@(ok|, )/}" ] || { not_ok "$*"; diag "$answer"; }
}

# answered PATTERN TEXT: a test of its own
answered() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $answer == $1 ]]; then
		ok "$2"
	else
		not_ok "$2"
		diag "got:    $answer" "wanted: $1"
	fi
}

# says COMMANDS PATTERN TEXT: a test of its own
says() {
	ask "$1"
	answered "$2" "$3"
}

# becomes COMMANDS PATTERN TEXT: the same, before long
becomes() {
	local i

	for ((i = 0; i < 100; i++)); do
		ask "$1"
		# shellcheck disable=SC2053 # a pattern
		[[ $answer == $2 ]] && break
		sleep 0.1
	done
	answered "$2" "$3"
}

# evil_up: it can send under SAs of its own, which left has but does not use
evil_up() {
	local IPSEC_SPI=$EVIL_SPI

	ipsec_sas add rl | left $IP -batch - &&
	{ ipsec_sas add rl; ipsec_policy out rl; } | evil $IP -batch -
}

evil_down() {
	printf '%s\n' "xfrm policy flush" "xfrm state flush" | evil $IP -batch -
}

# evil_out add|delete: left has one to it, and if so it is the newest
evil_out() {
	IPSEC_SPI=$EVIL_SPI ipsec_sas "$1" lr | left $IP -batch -
}

# policies flush|add: of left
policies() {
	if [ "$1" = flush ]; then
		left $IP xfrm policy flush
	else
		{ ipsec_policy in rl; ipsec_policy out lr; } | left $IP -batch -
	fi
}

# patient [METRIC...]: retransmission timers long enough for a packet to wait, so
# that what is sent again has been lost; or as they were
patient() {
	local host

	for host in left right; do
		$host sysctl -qw "net.ipv4.tcp_early_retrans=$([ -n "$1" ] && echo 0 || echo 3)"
		$host $IP route replace 10.0.0.0/24 dev veth "$@"
		# in place of the kernel's own, which has this metric
		$host $IP route replace fd00::/64 dev veth proto kernel metric 256 "$@"
	done
}

# latch_up KIND FAMILY [NAME=VALUE...]: as ipsec_up, and identities. Cleartext
# is not refused by policies, so that it can be tried.
latch_up() {
	{ ipsec_up "$@" level=use && evil_up; } || not_ok "ipsec_up $*"
	tell "between $LEFT_IP $RIGHT_IP ; outer $IPSEC_LEFT $IPSEC_RIGHT"
	[ ! -d /sys/module/ipsec_token ] ||
		tell "bind $IPSEC_SPI a1 ; bind $EVIL_SPI b0"
}

latch_down() {
	evil_down
	ipsec_down
}
