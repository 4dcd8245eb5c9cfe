#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The harness is tested by what it must not let through: a guest runs the
# misbehaving tests in qemu/bad, then verdict.awk gets kernel log lines that
# cannot be provoked at will. Runs on the host.

# shellcheck source=lib.sh
. selftests/lib.sh

export TESTDIR=selftests/qemu/bad
export LIST=$TOP/$TESTDIR/tests.list SKIPS=$TOP/$TESTDIR/skips
export LOG=${LOG:-$BUILD/log}/bad
# What is to time out does so after the time it was given here, and what crashes takes
# with it what comes after.
export PATIENCE=1 GUESTS=1
# The one test that wants a module does not get one.
export MODULE=$BUILD/no-such-module.ko
verdict=$TOP/selftests/qemu/verdict.awk

# flagged NAME TEXT: the verdict has exactly this to say of that test
flagged() {
	is "$(sed -n "s/^# failed: $1: //p" <<<"$report")" "$2" "$1: ${3:-flagged}"
}

# complains LINE, accepts LINE: of the kernel
kernel_log() {
	echo good >"$LOG/expected"
	cat >"$LOG/tests.log" <<-END
	# Subtest: good
	    1..1
	    ok 1 one
	ok 1 good # exit=0 seconds=1 timeout=9
	END
	printf '[    1.000000] harness: begin good\n[   12.345678] %s\n' "$1" >"$LOG/console.log"
	awk -f "$verdict" "$LOG/expected" "$SKIPS" "$LOG/tests.log" "$LOG/console.log"
}

complains() {
	refused "kernel log: $1" kernel_log "$1"
}

plan 46

report=$(selftests/qemu/check.sh 2>&1)
is $? 1 "the run fails"
is "$(tail -n 1 <<<"$report")" "12 passed, 15 failed, 1 skipped" "the total is right"
flagged good "" "not flagged"
flagged fails "not ok 2 two"
flagged lies "not ok 1 one"
flagged exits "exit status 3 although nothing failed"
flagged vanishes "planned 3 results, saw 1"
flagged silent "no results"
flagged crashes "killed by signal 11"
flagged hangs "planned 2 results, saw 1
timed out after 10 seconds"
flagged warns "kernel: WARNING: CPU: 0 PID: 1 at harness"
flagged skips "skipped without being listed: ok 1 one # SKIP unlisted"
flagged skips_all "skipped without being listed: 1..0 # SKIP nothing to do"
flagged unloadable "exit status 126 although nothing failed"
flagged stuck "" "not flagged"
flagged fresh "" "not flagged"
flagged panics "kernel: Kernel panic - not syncing: sysrq triggered crash
vanished"
flagged never "did not run"

mkdir -p "$LOG"
check "kernel log: nothing unusual" kernel_log "veth: link becomes ready"
complains "BUG: unable to handle page fault for address: ffffffffc0000000"
complains "Oops: 0000 [#1] PREEMPT SMP NOPTI"
complains "general protection fault, probably for non-canonical address"
complains "refcount_t: underflow; use-after-free."
complains "WARNING: possible recursive locking detected"
complains "WARNING: possible circular locking dependency detected"
complains "WARNING: suspicious RCU usage"
complains "WARNING: inconsistent lock state"
complains "rcu: INFO: rcu_preempt self-detected stall on CPU"
complains "unreferenced object 0xffff888003a5d400 (size 192):"
complains "BUG: KASAN: use-after-free in ipsec_token_put"
complains "UBSAN: array-index-out-of-bounds in context.c:1:1"
complains "INFO: task rmmod:77 blocked for more than 120 seconds."
complains "BUG: scheduling while atomic: swapper/0/0/0x00000100"
complains "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!"
complains "BUG: sleeping function called from invalid context at mm/slab.h"
complains "INFO: trying to register non-static key."
complains "BUG kmalloc-64 (Tainted: G           O     ): Poison overwritten"
complains "ref_tracker: leaked reference."
complains "kmemleak: Kernel memory leak detector disabled"
complains " Call Trace:"
complains "BUG: KCSAN: data-race in ipsec_token_put / ipsec_token_get"
race() {
	cat <<-END
	BUG: KCSAN: data-race in __skb_recv_udp / __udp_enqueue_schedule_skb
	write to 0xffff88807d61dcd8 of 8 bytes by interrupt on cpu 0:
	 __udp_enqueue_schedule_skb+0x84/0x290
	 $1
	 ipsec_hook_in4+0x174/0x5f0 [ipsec_token]
	read to 0xffff88807d61dcd8 of 8 bytes by task 212 on cpu 3:
	 __skb_recv_udp+0x84/0x290$2
	==================================================================
	END
}
continued="ipsec_hook_continue+0x14a/0x1b0 [ipsec_token]"
refused "kernel log: a data race under a module" kernel_log "$(race)"
refused "kernel log: a data race of a module's" kernel_log "$(race "$continued" " [ipsec_token]")"
check "kernel log: a data race of the kernel with itself" kernel_log "$(race "$continued")"
check "kernel log: a data race in an interrupt" \
	kernel_log "$(race "asm_sysvec_apic_timer_interrupt+0x1b/0x20")"
complains "unregister_netdevice: waiting for veth to become free. Usage count = 1"

finish
