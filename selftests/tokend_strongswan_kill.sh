#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The agent is killed at every step in turn: strace lets it get so far and no
# further. Whatever it did until then is right, and another agent does the rest.
# Peers have raw public keys that they were never seen with before, so that also
# what is written to the file of known keys counts.

# shellcheck source=lib.sh
. selftests/lib.sh
. selftests/charon.sh

# where a step begins: the agent asks or tells somebody, or writes keys down
CALLS="sendto fsync rename"

# doomed SYSCALL N: the arguments of strace
doomed() {
	STRACE=(strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2")
}

dead() {
	! kill -0 "${AGENT[$1]}"
}

# idle HOST: the agent sits in its poll()
idle() {
	[[ $(<"/proc/${AGENT[$1]}/wchan") == *poll* ]]
}

dead_or_done() {
	dead "$1" || { all_bound "$1" && [ -e "$DIR/$1/known-keys" ] && idle "$1"; }
}

# enum ipsec_auth_method
declare -A NUMBER=([BTNS]=2 [LEAPOFFAITH]=3)

# right_so_far HOST METHOD: what has an identity is there, and the identity is the
# peer's; whether that was seen before is as it should be. The kernel takes a
# second to find that an SA is dead.
right_so_far() {
	local key line

	sas_read "$1"
	for key in "${!BOUND[@]}"; do
		line=${BOUND[$key]}
		[ -n "${SAS[$key]}" ] && [[ $line == *$'\tmethod='"${NUMBER[$2]}"$'\t'* ]] &&
			[[ $line == *$'\titoken='"${EXPECTED[$1]}"$'\t'* ]] || return
	done
}

# mourn: take notice of agents that are dead, and set KILLED if there are any
mourn() {
	local host

	KILLED=
	for host in left right; do
		! dead $host 2>/dev/null || KILLED=1
		agent_kill $host 2>/dev/null
	done
}

# agents_up: and they have found charon
agents_up() {
	local host
	local -A before

	for host in left right; do
		before[$host]=$(logged $host "connected to")
		agent_up $host
	done
	for host in left right; do
		wait_for more_logged $host "connected to" "${before[$host]}"
	done
}

# aftermath TEXT [METHOD]: other agents take over
aftermath() {
	local host method=${2:-BTNS}

	for host in left right; do
		does "$1: nothing wrong at $host" wait_for right_so_far $host $method
	done
	agents_up
	does "$1: every SA has an identity" both_bound
	meet 4
	for host in left right; do
		told $host.itoken "ipsec-itoken:1:${EXPECTED[$host]}" "$1: that of $host's peer"
		told $host.method $method "$1: $method at $host"
	done
	part
	mourn
	down raw
}

forget() {
	rm -f "$DIR"/{left,right}/known-keys*
}

# long_ago: so the next IKE SA is of a peer that is known
long_ago() {
	sed -i 's/ [0-9]*$/ 1/' "$DIR"/{left,right}/known-keys
}

# Agents begin with SAs that nobody knows.
t_start() {
	local call n host

	for call in $CALLS; do
		for ((n = 1; n < 100; n++)); do
			forget
			up
			doomed $call $n
			for host in left right; do
				agent_up $host "${STRACE[@]}" -D
			done
			for host in left right; do
				wait_for dead_or_done $host
			done
			mourn
			[ -n "$KILLED" ] || break
			aftermath "start, $call $n"
		done
		diag "start: $((n - 1)) times $call"
		check "start: $call is a step" [ $n -gt 1 ]
		down raw
	done
}

# attach HOST: until it is traced
attach() {
	start "$1" "${STRACE[@]}" -p "${AGENT[$1]}"
	wait_for grep -q "^TracerPid:.*[1-9]" "/proc/${AGENT[$1]}/status"
}

# event NAME SYSCALL COMMAND...: agents that are at rest are killed while it happens
event() {
	local name=$1 call=$2 n host method=BTNS

	shift 2
	[ "$name" != reauthenticated ] || method=LEAPOFFAITH
	for ((n = 1; n < 100; n++)); do
		forget
		agents_up
		[ "$name" = up ] || { up; both_bound; }
		[ "$name" != reauthenticated ] || long_ago
		doomed $call $n
		for host in left right; do
			attach $host
		done
		"$@"
		for host in left right; do
			wait_for dead_or_done $host
		done
		mourn
		[ -n "$KILLED" ] || break
		aftermath "$name, $call $n" $method
	done
	diag "$name: $((n - 1)) times $call"
	check "$name: $call is a step" [ $n -gt 1 ]
	down raw
}

# renewed COMMAND...: until both ends have other SAs, agents or not
renewed() {
	local host old

	sas_read left
	old=("${!SAS[@]}")
	"$@"
	for host in left right; do
		wait_for gone_from $host "${old[@]}"
	done
}

# gone_from HOST KEY...: there are SAs, and none of these
gone_from() {
	local key

	sas_read "$1"
	[ ${#SAS[@]} = 2 ] || return
	for key in "${@:2}"; do
		[ -z "${SAS[$key]}" ] || return
	done
}

t_up() {
	local call

	for call in $CALLS; do
		event up $call up
	done
}

t_child() {
	event "CHILD_SA rekeyed" sendto renewed swan left --rekey --child net
}

t_reauth() {
	event "reauthenticated" sendto \
		renewed swan left --rekey --ike raw --reauth
}

echo "KTAP version 1"
daemons_up
pki
raw
declare -A EXPECTED
up
both_bound
for host in left right; do
	EXPECTED[$host]=$(bound_as $host itoken)
done
mourn
down raw
# shellcheck disable=SC2086 # a list of words
subjects ${SUBJECTS:-start up child reauth}
daemons_down
