#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: check.sh [NAME...]
#
# Run the tests of $LIST (default selftests/tests.list), or those named, and
# judge the outcome from what was logged. The last line printed is the total.
#
# Flags of the list that are dealt with here, the others in guest-run.sh:
#	host    run on the host, without a guest
#	debug   only on a kernel of make check-debug: FLAVOUR is set. Then what
#		runs on the host without this flag is left out: it has nothing
#		to do with the kernel.
#	smp=N   boot for it a guest with N processors
#
# LONG is no, only or all: whether tests with the flag long are run where none is named.
# PATIENCE is what to multiply every timeout with. GUESTS is among how many guests
# to divide the tests; so many run at the same time, and besides those on the host.

set -eu

here=$(dirname "$(readlink -f "$0")")
LIST=${LIST:-$TOP/selftests/tests.list}
LOG=${LOG:-$BUILD/log}
SKIPS=${SKIPS:-$TOP/selftests/skips}
SMP=${SMP:-2}
PATIENCE=${PATIENCE:-1}
LONG=${LONG:-no}
GUESTS=${GUESTS:-$(($(nproc) > 1 ? 2 : 1))}
export BUILD

mkdir -p "$(dirname "$LOG")"
exec {lock}>"$LOG.lock"
flock -n "$lock" || {
	echo "$LOG is in use by another run; choose another with LOG=" >&2
	exit 2
}
rm -rf "$LOG"
mkdir -p "$LOG"

# One file per boot, named for its number of processors: list.host, list.2, list.2.b
if ! awk -v want="$*" -v dir="$LOG" -v smp="$SMP" -v patience="$PATIENCE" \
	-v flavour="${FLAVOUR:-}" -v guests="$GUESTS" -v long="$LONG" '
	# The guest that has the least to do so far, by what its tests may take.
	function idlest(i, best) {
		best = 1
		for (i = 2; i <= guests; i++)
			if (load[i] + 0 < load[best] + 0)
				best = i
		load[best] += $2
		return best == 1 ? smp : smp "." substr("abcdefgh", best, 1)
	}
	BEGIN {
		n = split(want, names)
		for (i = 1; i <= n; i++)
			wanted[names[i]] = 1
	}
	/^[ \t]*(#|$)/ { next }
	{
		known[$1] = 1
		if (n && !($1 in wanted))
			next
		if (!n && long != "all" && /[ \t]long([ \t]|$)/ != (long == "only"))
			next
		debug = /[ \t]debug([ \t]|$)/
		if (!flavour && debug || flavour && !debug && /[ \t]host([ \t]|$)/)
			next
		group = ""
		for (i = 3; i <= NF; i++) {
			if ($i == "host")
				group = "host"
			else if ($i ~ /^smp=/)
				group = substr($i, 5)
			else if ($i ~ /^layer=/)
				print substr($i, 7) >(dir "/layers")
		}
		$2 *= patience
		if (group == "")
			group = idlest()
		print >(dir "/list." group)
		total += $2
		print $1 >(dir "/expected")
	}
	END {
		for (name in wanted) {
			if (!(name in known)) {
				print "no test is called " name >"/dev/stderr"
				exit 2
			}
		}
	}' "$LIST"; then
	exit 2
fi

# Without its layer a test says so itself, and the others are run all the same.
if [ -e "$LOG/layers" ]; then
	sort -u "$LOG/layers" | xargs "$here/layers.sh" || :
fi

# A test that runs on the host gets the same lines around it as in the guest.
run_host() {
	local name timeout status start program

	while read -r name timeout _; do
		start=$SECONDS status=0
		program=$BUILD/selftests/$name
		[ ! -e "$TOP/selftests/$name.sh" ] || program=$TOP/selftests/$name.sh
		echo "# Subtest: $name"
		timeout -k 5 "$timeout" "$program" </dev/null 2>&1 |
			sed -u 's/^/    /'
		status=${PIPESTATUS[0]}
		[ "$status" = 0 ] && echo -n "ok" || echo -n "not ok"
		echo " - $name # exit=$status seconds=$((SECONDS - start)) timeout=$timeout"
	done <"$1"
}

# run_group LIST GROUP
run_group() {
	local log=$LOG/$2

	mkdir -p "$log"
	if [ "$2" = host ]; then
		run_host "$1" | tee "$log/tests.log"
		return
	fi
	# A guest that hangs as a whole is given up on a little later than the last
	# of its tests would have been.
	export TIMEOUT
	TIMEOUT=$(awk '{ t += $2 + 30 } END { print t + 120 }' "$1")
	LIST=$1 LOG=$log SMP=${2%%.*} "$here/boot.sh" check ||
		echo "guest $2: exit $?"
}

# Guests that start at the same time do not fetch the same at the same time.
if [ -z "${KERNEL:-}" ] && ls "$LOG"/list.[0-9]* >/dev/null 2>&1; then
	"$here/kernel.sh" "$KVER" "$BUILD/guest"
fi

# What is started in the background does not hear of an interrupt.
trap 'trap - TERM; kill 0' INT TERM
verdict=("$LOG/expected" "$SKIPS")
declare -A running=()
for list in "$LOG"/list.*; do
	[ -e "$list" ] || continue
	group=${list##*/list.}
	if [ "$group" != host ] && [ ${#running[@]} -ge "$GUESTS" ]; then
		wait -n -p ended "${!running[@]}" || :
		unset "running[$ended]"
	fi
	{ run_group "$list" "$group" 2>&1 | sed -u "s/^/$group: /"; } &
	if [ "$group" != host ]; then
		running[$!]=$group
		verdict+=("$LOG/$group/console.log")
	fi
	verdict+=("$LOG/$group/tests.log")
done
wait

awk -f "$here/verdict.awk" "${verdict[@]}"
