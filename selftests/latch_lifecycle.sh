#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module comes and goes while connections are latched, so do namespaces, and
# in the end nothing is left. What goes wrong here shows in the kernel's log,
# which the harness reads.

# shellcheck source=latch.sh
. selftests/latch.sh

TOOL=${BUILD:-build}/tools/ipsec-token

# go: the module, which may be busy for a moment
go() {
	local i

	tell forget
	for ((i = 0; i < 100; i++)); do
		rmmod ipsec_token 2>/dev/null && return
		sleep 0.1
	done
	rmmod ipsec_token
}

T_RELOAD=10
t_reload() {
	local title="IPv$1, $2"

	insmod "$MODULE"
	latch_up esp-gcm "$1"
	tell "open x $2 ; say x ; open y $2 ; say y"
	says "latch x" "established 2 - 0 same" "$title: latched"
	check "$title: the module goes while it is" go
	says "say x" ok "$title: the connection lives on"
	tell "inject y evil data"
	says "got y" evil "$title: nobody looks after it"
	tell "close y abort"
	insmod "$MODULE"
	tell "bind $IPSEC_SPI a1 ; bind $EVIL_SPI b0"
	says "token x ; flags x 2" "ENODATA, ENODATA" "$title: loaded again: not known"
	tell "inject x evil sum ; inject x evil past ; inject x evil future"
	tell "inject x evil noack ; inject x clear syn"
	says "got x ; token x" "nothing, ENODATA" "$title: what is not taken tells nothing"
	says "say x ; latch x ; about x" "ok, established 2 - 0 same, a1" \
		"$title: what comes next tells"
	ask count
	tell "inject x evil data"
	says "got x ; count" "nothing, in-context 1" "$title: and latches it"

	# with packets that wait
	ipsec_rekey
	says "send x left first ; send x right second ; pause 50 ; count ; unload" \
		"ok, ok, ok, held +([0-9]), ok" "$title: the module goes while packets wait"
	says "read x right first ; read x left second" "ok, ok" \
		"$title: the connection lives on all the same"
	tell "close x abort"
	latch_down
}

# Nothing that connections were kept by outlives them.
T_ZERO=3
t_zero() {
	insmod "$MODULE"
	left "$TOOL" config set linger 2
	latch_up esp-gcm 4
	says "many 150" ok "many connections of all kinds"
	latch_up tunnel 6 spi=0x3000
	says "many 50" ok "and of another kind"
	latch_down
	left $IP xfrm state flush
	right $IP xfrm state flush
	left $IP xfrm policy flush
	right $IP xfrm policy flush
	evil_down
	becomes "there" "0 0 0 0" "nothing is left"
	go
}

# A namespace goes, with latches in it, and packets that wait.
T_NAMESPACE=4
t_namespace() {
	local pid=$LATCH_PID

	insmod "$MODULE"
	latch_up esp-gcm "$1"
	tell "open x initiator ; say x ; open y responder ; say y"
	ask count
	ipsec_rekey
	# what is not aborted keeps its namespace for as long as it tries to end well
	says "send x left first ; send x right second ; send y left third ; pause 50 ; latch x ;\
 count ; close x abort ; close y abort" \
		"ok, ok, ok, ok, established 2 - 0 same, held +([0-9]), ok, ok" "IPv$1: packets wait"
	kill -KILL "$pid"
	exec {to}>&- {from}<&-
	wait "$pid" 2>/dev/null
	check "IPv$1: the namespace goes" $IP netns del left
	$IP netns del right
	$IP netns del evil
	check "IPv$1: all of it" gone
	check "IPv$1: and the module" rmmod ipsec_token
}

# gone: the kernel's IPsec holds esp4 or esp6 once for each SA in memory
gone() {
	local i

	for ((i = 0; i < 100; i++)); do
		[ "$(<"/sys/module/esp4/refcnt")" = 0 ] &&
			[ "$(cat /sys/module/esp6/refcnt 2>/dev/null || echo 0)" = 0 ] && return
		sleep 0.2
	done
	return 1
}

plan $((4 * T_RELOAD + T_ZERO + 2 * T_NAMESPACE))
latch_net_up
for family in 4 6; do
	for role in initiator responder; do
		t_reload $family $role
	done
done
t_zero
t_namespace 4
latch_net_up
t_namespace 6
finish
