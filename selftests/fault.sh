#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory runs out, or room in a message of netlink: each allocation in the module, and
# all that it puts into a message, is made to fail, one at a time (helpers/fault.c).
# No place in its code that does either is forgotten.

# shellcheck source=lib.sh
. selftests/lib.sh

sites=$TMPDIR/sites

# What allocates, of all that the module calls by name. Left out is what does so by
# chance only: tables that grow, and messages that are copied for several listeners.
allocators="__kmalloc|__kmalloc_node_track_caller|kmalloc_trace|kvmalloc_node|kmem_cache_alloc"
allocators+="|kstrdup|__alloc_percpu|__alloc_skb|pskb_expand_head|alloc_workqueue"
allocators+="|rhashtable_init|xa_store|nf_register_net_hooks|tracepoint_probe_register"
allocators+="|genl_register_family"

# What puts something into a message.
puts="nla_put|nla_put_64bit|genlmsg_put"

# calls NAMES: where the module calls one of these, as the kernel prints it, which is
# by the address that the call returns to
calls() {
	objdump -dr --no-show-raw-insn "$MODULE" | awk -v "call=\t($1)-0x" '
		/^[0-9a-f]+ <.*>:$/ { base = $1; name = substr($2, 2, length($2) - 3) }
		called && /^ *[0-9a-f]+:\t[a-z]/ { print name, base, substr($1, 1, length($1) - 1) }
		{ called = 0 }
		$0 ~ call { called = calling }
		/^ *[0-9a-f]+:\t[a-z]/ { calling = $2 == "call" }' |
	while read -r name base address; do
		printf '%s+0x%x\n' "$name" $((0x$address - 0x$base))
	done | sort -u
}

# missed NAMES: which of these places have not failed
missed() {
	local wanted

	wanted=$(calls "$1")
	diag "$(wc -w <<<"$wanted") places that call $1"
	comm -23 <(echo "${wanted:-none found}") \
		<(sed 's/^[^ ]* //; s,/.*,,' "$sites" | sort -u) >"$TMPDIR/missed"
	diag "$(cat "$TMPDIR/missed")"
}

# trace 0|1: a tracepoint that others use as well takes memory to leave
trace() {
	local event

	for event in sock/inet_sock_set_state tcp/tcp_destroy_sock; do
		echo "$1" >"/sys/kernel/tracing/events/$event/enable"
	done
}

insmod "$(dirname "$MODULE")/fail/fail.ko" || exit
trace 1
net_up
ipsec_up esp-gcm 4
# shellcheck disable=SC2034 # finish reads it
"$HELPERS/fault" "$MODULE" "$sites" || KTAP_FAILED=1
diag "$(sort "$sites" | uniq -c)"
missed "$allocators"
is "$(cat "$TMPDIR/missed")" "" "each place that allocates has failed"
missed "$puts"
is "$(wc -l <"$TMPDIR/missed")" 1 "and each that puts into a message, but that for an SA on a device"
rmmod fail
trace 0
finish
