#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Second stage in the guest, process 1 on the final root: set up what any
# Linux system has, do what the host asked for in /out/env, switch off.
#
# ttyS0 is the kernel's console and nothing else; everything people and
# verdict.awk read as test output goes over ttyS1.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/tmp TERM=${TERM:-linux} LC_ALL=C.UTF-8

mount -t tmpfs -o mode=755 run /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
ip link set lo up
hostname guest

# From here on everything but debug messages is worth having in the log.
dmesg -n 7

# shellcheck source=/dev/null # written by boot.sh for this run
. /out/env
export TOP BUILD MODULE TESTDIR DURATION CONNECTIONS SEED PARTS MOST OUT=/out
cd "$TOP" || exit

exec <>/dev/ttyS1 >&0 2>&1
stty sane -echo -onlcr

status=0
case $MODE in
check)
	modprobe -a iptable_mangle ip6table_mangle
	exec {hooks}< <(exec "$BUILD/selftests/helpers/keep_hooks")
	read -r -u "$hooks" || echo "# harness: without hooks of netfilter's"
	selftests/qemu/guest-run.sh "$LIST" || status=$?
	;;
demo)
	insmod "$MODULE" && setsid -w selftests/demo.sh || status=$?
	;;
bench)
	setsid -w selftests/bench.sh || status=$?
	;;
bench-scale)
	setsid -w selftests/bench_scale.sh || status=$?
	;;
shell)
	stty sane rows "$ROWS" cols "$COLUMNS"
	insmod "$MODULE"
	echo "ipsec_token is loaded, the repository is here; leave with exit or Ctrl-A X"
	HISTFILE='' PS1='guest:\w\$ ' setsid -c -w bash --norc -i
	;;
esac
echo "$status" >/out/status

# stty waits until what was written has left the port; switching off does not.
stty -echo
sync
# With -no-reboot this ends QEMU, on kernels without ACPI too.
busybox reboot -f
