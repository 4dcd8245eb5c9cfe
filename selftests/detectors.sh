#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# That nothing was found means something only where something would have been:
# a module built as ours is makes every kind of mistake that the kernel of
# make check-debug is there to notice, and the run must fail of each. Runs on
# the host.

# shellcheck source=lib.sh
. selftests/lib.sh

export LOG=${LOG:-$BUILD/log}/detectors PATIENCE=1
export TESTDIR=$LOG-tests
export LIST=$TESTDIR/tests.list SKIPS=/dev/null

# Each kind of mistake, and what the kernel says of it. Lockdep speaks only once,
# and not after KASAN has.
case $FLAVOUR in
kasan)	mistakes="outside_rcu|WARNING: suspicious RCU usage
sleep_with_lock|BUG: sleeping function called from invalid context at
any_processor|BUG: using smp_processor_id() in preemptible
free_timer|ODEBUG: free active (active state 0) object type: timer_list
revive|refcount_t: addition on 0; use-after-free.
leak|unreferenced object 0x
overshoot|UBSAN: shift-out-of-bounds in
wrong_order|WARNING: possible circular locking dependency detected
use_after_free|BUG: KASAN: use-after-free in use_after_free" ;;
kcsan)	mistakes="revive|refcount_t: addition on 0; use-after-free.
race|BUG: KCSAN: data-race in count_work [splat] / count_work [splat]" ;;
*)	mistakes="revive|refcount_t: addition on 0; use-after-free." ;;
esac

plan $(($(wc -l <<<"$mistakes") + 2))

rm -rf "$TESTDIR"
mkdir -p "$TESTDIR/module"
touch "$TESTDIR/module/Makefile"
check "the module is built" make -C "$KDIR" M="$TESTDIR/module" \
	src="$TOP/selftests/qemu/splat" modules

while IFS="|" read -r kind _; do
	echo "$kind 60 nomod" >>"$LIST"
	cat >"$TESTDIR/$kind.sh" <<-END
	insmod $TESTDIR/module/splat.ko kind=$kind
	echo 1..1
	echo ok 1 done
	END
	chmod +x "$TESTDIR/$kind.sh"
done <<<"$mistakes"

report=$(selftests/qemu/check.sh 2>&1)
total=$(wc -l <<<"$mistakes")
# A race is reported of each pair of places where it is seen.
read -r passed _ failed _ <<<"$(tail -n 1 <<<"$report")"
check "the run fails of them all" test "$passed" = "$total" -a "$failed" -ge "$total"
while IFS="|" read -r kind text; do
	check "$kind" grep -F "# failed: $kind: kernel: $text" <<<"$report"
done <<<"$mistakes"

finish
