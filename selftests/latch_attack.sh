#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Somebody else tries to speak on a live connection, or to be spoken to: under
# SAs that differ from those of the peer by nothing but their keys, and in clear.
# First without the module, to see that this is an attack.

# shellcheck source=latch.sh
. selftests/latch.sh

# evil_bytes in|out: what left has received from it, or sent to it, so far
evil_bytes() {
	IPSEC_SPI=$EVIL_SPI xfrm_bytes left "$1" esp
}

# listed STATE: latches of left that the command lists in it
listed() {
	left "${BUILD:-build}/tools/ipsec-token" latch list | grep -c "^$1 "
}

# works TITLE ROLE: every attack does
T_WORKS=8
works() {
	local by what wanted

	tell "open x $2 ; say x ; close x abort"
	check "$1: the connection is protected" [ "$(xfrm_bytes left in esp)" -gt 0 ]

	while read -r what wanted; do
		for by in evil clear; do
			tell "open x $2 ; say x ; inject x $by $what"
			says "got x" "$wanted" "$1: $what by $by is taken"
			tell "close x abort"
		done
	done <<-END
	data evil
	rst ECONNRESET
	fin end
	END
	check "$1: and what came by evil" [ "$(evil_bytes in)" -gt 0 ]
}

# fails TITLE ROLE: none does
T_FAILS=12
fails() {
	local by what token

	tell "open x $2 ; say x"
	ask "token x"
	token=$answer
	ask "count ; events"
	for by in evil clear; do
		for what in data rst fin; do
			tell "inject x $by $what"
			says "got x" nothing "$1: $what by $by is not taken"
		done
	done
	says "count" "in-clear 3 in-context 3" "$1: counted by reason"
	says "events" "a1 b0 in-context ; a1 b0 in-context ; a1 b0 in-context ;\
 a1 clear in-clear ; a1 clear in-clear ; a1 clear in-clear" "$1: told of"
	says "latch x" "established 2 in-clear 6 same" "$1: the socket tells"
	says "say x ; say x" "ok, ok" "$1: the connection lives on"
	says "token x ; about x" "$token, a1" "$1: the same token and identity"
	says "count" none "$1: what belongs to it is not refused"
	tell "close x abort"
}

# leaves TITLE ROLE: what the connection sends goes wherever the system says
T_LEAVES=3
leaves() {
	tell "open x $2 ; say x"
	policies flush
	tell "watch ; send x left secret ; read x right secret"
	says "seen" 1 "$1: without a policy data leaves in clear"
	policies add
	evil_out add
	tell "send x left secret"
	sleep 0.2
	check "$1: data leaves under the SA of somebody else" [ "$(evil_bytes out)" -gt 0 ]
	evil_out delete
	says "read x right secret" "ok" "$1: and later under the right one"
	tell "close x abort"
}

# stays TITLE ROLE: it does not
T_STAYS=15
stays() {
	tell "open x $2 ; say x"
	ask count
	policies flush
	tell "watch ; send x left secret"
	becomes "latch x" "broken 2 out-clear +([0-9]) same" \
		"$1: without a policy the latch is broken"
	sleep 0.5
	says "seen" 0 "$1: no data left in clear"
	is "$(listed BROKEN) $(listed CLOSED)" "1 0" "$1: the administrator sees it"
	policies add
	says "read x right secret" ok "$1: with the policy the connection goes on"
	says "latch x" "established 2 out-clear +([0-9]) same" "$1: the latch is mended"
	says "count" "out-clear +([0-9]) broken 1" "$1: counted"

	evil_out add
	tell "bind $EVIL_SPI b0 ; send x left secret"
	becomes "latch x" "broken 2 out-context +([0-9]) same" \
		"$1: the SA of somebody else breaks the latch"
	sleep 0.5
	is "$(evil_bytes out)" 0 "$1: nothing left under it"
	evil_out delete
	says "read x right secret" ok "$1: without it the connection goes on"
	says "say x ; latch x" "ok, established 2 out-context +([0-9]) same" "$1: mended"
	says "count" "out-context +([0-9]) broken 1" "$1: counted, too"

	tell "flags x 1"
	policies flush
	tell "watch ; send x left secret ; wait x"
	says "got x" ECONNRESET "$1: if asked for, it is reset"
	says "latch x" "closed 3 out-clear *" "$1: and the reason can be read"
	says "seen ; count" "0, out-clear +([0-9]) broken 1 reset 1" "$1: nothing left"
	is "$(listed BROKEN) $(listed CLOSED)" "0 1" "$1: and the administrator sees that"
	policies add
	tell "close x abort"
}

plan $((4 * (T_WORKS + T_FAILS + T_LEAVES + T_STAYS) + T_WORKS))
latch_net_up
while read -r family kind role; do
	title="IPv$family, $kind, $role"
	latch_up "$kind" "$family"
	works "$title, without the module" "$role"
	latch_down

	insmod "$MODULE"
	latch_up "$kind" "$family"
	tell "mode off"
	# what is off is off for all of them
	[ "$family$role" != 4initiator ] || works "$title, off" "$role"
	leaves "$title, off" "$role"
	tell "mode enforce"
	fails "$title" "$role"
	stays "$title" "$role"
	latch_down
	tell forget
	rmmod ipsec_token
done <<END
4 esp-gcm initiator
4 tunnel responder
6 esp-gcm responder
6 tunnel initiator
END
finish
