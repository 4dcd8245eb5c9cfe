#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: boot.sh check|demo|bench|bench-scale|shell
#
# Boot the guest under TCG (never KVM, so that results do not depend on the
# machine) and let it do one thing. What the guest says on its second serial
# port goes to standard output, but for demo and shell to $LOG/tests.log, too; its
# kernel log goes to $LOG/console.log. The exit status is the guest's own, 124
# when it did not end in TIMEOUT seconds, 125 when it ended without a word.
#
# Environment, see the Makefile: TOP BUILD MODULE KVER KERNEL GUESTMODULES SMP
# MEM LOG TIMEOUT, for check LIST, TESTDIR, DURATION, CONNECTIONS and SEED, for bench PARTS.

set -eu

mode=$1
here=$(dirname "$(readlink -f "$0")")
LOG=${LOG:-$BUILD/log}
TIMEOUT=${TIMEOUT:-900}
SMP=${SMP:-2}
[ "$mode" != bench-scale ] || MEM=${MEM:-4G}
MEM=${MEM:-1G}

mkdir -p "$LOG"
exec {lock}>"$LOG/.lock"
flock -n "$lock" || {
	echo "$LOG is in use by another run; choose another with LOG=" >&2
	exit 125
}

if [ -z "${KERNEL:-}" ]; then
	"$here/kernel.sh" "$KVER" "$BUILD/guest"
	KERNEL=$BUILD/guest/boot/vmlinuz-$KVER
	GUESTMODULES=$BUILD/guest/lib/modules
	"$here/initramfs.sh" "$LOG/initramfs" "$KVER" "$BUILD/guest"
else
	"$here/initramfs.sh" "$LOG/initramfs"
	# The share must exist even if there is nothing in it.
	[ -n "${GUESTMODULES:-}" ] || GUESTMODULES=$(mktemp -d)
fi

out=$LOG/out
rm -rf "$out"
mkdir -p "$out"
{
	for v in TOP BUILD MODULE TESTDIR DURATION CONNECTIONS SEED PARTS MOST; do
		[ -z "${!v:-}" ] || printf '%s=%q\n' $v "${!v}"
	done
	echo "MODE=$mode LIST=/out/list"
	[ "$mode" != shell ] || stty size | sed 's/\(.*\) \(.*\)/ROWS=\1 COLUMNS=\2/'
} >"$out/env"
[ "$mode" != check ] || cp "$LIST" "$out/list"

append="TOP=$TOP console=ttyS0 loglevel=5 printk.devkmsg=on log_buf_len=1M"
append+=" mitigations=off tsc=reliable panic=-1 oops=panic"
# What the guest would find out by itself is wrong on a machine with other things
# to do: then its clock runs too fast, and everything in it times out.
khz=$("$BUILD/selftests/helpers/tsc_khz" 2>/dev/null) || khz=
early=${khz:+ tsc_early_khz=$khz}
accel=tcg,thread=multi

stream=(-chardev "stdio,id=tests,signal=off")
limit=(timeout -k 10 --foreground "$TIMEOUT")
case $mode in
bench | bench-scale)
	# One guest nanosecond per instruction, nothing at random addresses:
	# that makes two runs agree.
	accel="tcg -icount shift=0,sleep=off"
	SMP=1
	early=
	append+=" nokaslr"
	;;
shell)
	stream=(-chardev "stdio,id=tests,mux=on,signal=off" -mon "chardev=tests")
	limit=()
	;;
esac

# shellcheck disable=SC2206,SC2054 # $accel is two words; commas are QEMU's
qemu=(qemu-system-x86_64 -accel $accel -machine q35 -cpu max,la57=off -smp "$SMP" -m "$MEM"
	-nodefaults -no-user-config -display none -no-reboot
	-kernel "$KERNEL" -initrd "$LOG/initramfs" -append "$append$early"
	-serial "file:$LOG/console.log" "${stream[@]}" -serial chardev:tests
	-device virtio-rng-pci)

share() {
	qemu+=(-fsdev "local,id=$1,path=$2,security_model=none,multidevs=remap$3"
	       -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}
share host / ,readonly=on
share modules "$GUESTMODULES" ,readonly=on
share out "$out" ""

status=0
case $mode in
check | bench | bench-scale)
	"${limit[@]}" "${qemu[@]}" </dev/null | tee "$LOG/tests.log"
	status=${PIPESTATUS[0]}
	;;
demo)
	"${limit[@]}" "${qemu[@]}" </dev/null || status=$?
	;;
shell)
	"${qemu[@]}" || status=$?
	;;
esac

if [ "$status" = 124 ]; then
	echo "# harness: the guest was stopped after $TIMEOUT seconds"
	exit 124
fi
if [ ! -e "$out/status" ]; then
	tail -n 15 "$LOG/console.log" >&2
	echo "# harness: the guest ended early, see $LOG/console.log" >&2
	exit 125
fi
[ ! -e "$out/$mode.json" ] || cp "$out/$mode.json" "$BUILD/"
exit "$(cat "$out/status")"
