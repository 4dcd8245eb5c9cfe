#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: guest-run.sh LIST
#
# Run in the guest the tests of LIST (lines "NAME TIMEOUT [FLAG...]"), each in
# a state as fresh as can be had without another boot: namespaces of its own
# for processes, mounts, network and IPC, which the kernel tears down when the
# test ends or is killed, and the module loaded for it alone. The output is
# KTAP: a test's own lines are indented below a summary line that verdict.awk
# understands:
#
#	ok 3 tcp_token # exit=0 seconds=7 timeout=60
#
# Flags: nomod   the test loads and unloads the module itself, if at all
#        hostns  run in the guest's initial network and IPC namespaces

list=$1
module=$(basename "$MODULE" .ko)
module=${module//-/_}
dir=${TESTDIR:-selftests}

# Mark in the kernel log which test was running.
mark() {
	echo "<5>harness: $*" >/dev/kmsg
}

loaded() {
	[ -d "/sys/module/$module" ]
}

# Sockets and network namespaces of a killed test go away asynchronously, so
# the module may be busy for a moment, but only for a moment.
unload() {
	local i

	for ((i = 0; i < 40; i++)); do
		! loaded && return
		rmmod "$module" 2>/dev/null && return
		sleep 0.25
	done
	rmmod "$module"
}

# The shell in between is process 1 of the namespace; as process 1 a test would
# not die of abort(). It turns a death by signal into 128 + n.
# shellcheck disable=SC2016 # expanded by the inner shell
enclose='mount -t tmpfs -o mode=755 run /run
	mkdir $TMPDIR
	ip link set lo up
	"$@"
	exit $?'

run() {
	local timeout=$1 flags=$2 program=$3
	local own=(--pid --mount-proc --ipc --net)

	[[ " $flags " == *" hostns "* ]] && own=(--pid --mount-proc)
	timeout -s KILL "$timeout" unshare "${own[@]}" --fork --kill-child \
		bash -c "$enclose" bash "$program"
}

# Whether leaked memory is noticed at all depends on the kernel. One that looks
# for it names what is older than five seconds and unchanged since the scan
# before. A scan takes long, so there are none between tests; when it was
# allocated, in jiffies, tells in which test.
report_leaks() {
	local leaks=/sys/kernel/debug/kmemleak line

	[ -w $leaks ] || return
	sleep 5
	{ echo scan && echo scan; } >$leaks ||
		echo "<4>WARNING: kmemleak does not work" >/dev/kmsg
	awk '
		# 250 a second (debug.config), from five minutes before 2^32 on
		function born(line) {
			if (!match(line, /jiffies [0-9]+/))
				return 0
			return (substr(line, RSTART + 8, RLENGTH - 8) - 4294967296) / 250 + 300
		}
		BEGIN { n = 1; name[1] = "boot" }
		FNR == NR { start[++n] = $1; name[n] = $2; next }
		/^unreferenced/ { object = $0; next }
		object {
			for (i = n; i > 1 && born($0) < start[i]; i--)
				;
			print "<5>harness: begin " name[i]
			print "<4>" object
			object = ""
		}
		{ print "<4>" $0 }' "$starts" $leaks |
	while IFS= read -r line; do
		echo "$line" >/dev/kmsg
	done
}

# On a kernel that counts what the module's tests reached. Its files have no size.
report_coverage() {
	local gcov=/sys/kernel/debug/gcov file

	[ -d $gcov ] || return
	find $gcov -name '*.gcda' -printf '%P\n' |
	while IFS= read -r file; do
		mkdir -p "$OUT/gcov/$(dirname "$file")"
		cat "$gcov/$file" >"$OUT/gcov/$file"
	done
}

now() {
	local uptime

	read -r uptime _ </proc/uptime
	echo "$uptime"
}

export TMPDIR=/run/test
echo "KTAP version 1"
echo "1..$(wc -l <"$list")"

starts=/run/starts
: >$starts
number=0
failed=0
while read -r name timeout flags; do
	number=$((number + 1))
	program=$BUILD/selftests/$name
	[ -e "$dir/$name.sh" ] && program=$dir/$name.sh

	echo "# Subtest: $name"
	mark "begin $name"
	echo "$(now) $name" >>"$starts"
	start=$SECONDS
	{
		status=126
		if [[ " $flags " == *" nomod "* ]] || insmod "$MODULE"; then
			run "$timeout" "$flags" "$program"
			status=$?
		fi
		seconds=$((SECONDS - start))
		if ! unload; then
			echo "not ok - rmmod $module after the test"
			status=1
		fi
		# The test's last line may have been cut short.
		echo
	} </dev/null > >(exec sed -u -e '/^$/d' -e 's/^/    /') 2>&1
	wait $!
	mark "end $name"

	# 4 is kselftest's "skipped".
	result=ok
	[ $status = 0 ] || [ $status = 4 ] || { result="not ok"; failed=1; }
	echo "$result $number $name # exit=$status seconds=$seconds timeout=$timeout"
done <"$list"

report_coverage
report_leaks
mark "done"
echo "# harness: done"
exit $failed
