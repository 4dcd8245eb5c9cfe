# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own tests of its network (net/build.sh): without the module, again
# without it, with it, and with every UDP socket asking for tokens (net/opt_in.c).
# Nothing may come of them with the module that does not come of them without. Some fail
# on this kernel anyway, of some not the same comes twice: the table shows which. What
# each has said, and what came of it, is in LOG/2/out/net.
#
# To be sourced by what "make check-net" runs:
#
#	net_tests SECONDS COMMAND...	each a line, to be run where the tests are; UDP=no
#					before it: they have no UDP sockets

# shellcheck source=../lib.sh
. selftests/lib.sh

TESTS=$BUILD/net-selftests/net
OPT_IN=$BUILD/selftests/net/opt_in.so
OPT_IN_LOG=/tmp/opt-in
LOGS=$OUT/net

# Lines that are results. Where cmsg_*.sh fail they say so of a case; udpgro.sh has them
# at the end of lines.
RESULT='^#? *(not )?ok [0-9]|\[ *(OK|FAIL|PASS|SKIP) *\]|^(PASS|FAIL|OK|SKIP)|^ *Case '
RESULT+='|^ .* ok$|^failed$'
FAILURE='^#? *not ok|\[ *FAIL|^FAIL|^ *Case |^failed'
SKIPPED='# *SKIP|\[ *SKIP|^SKIP'

# unload: sockets of what has ended may go away a little later
unload() {
	local i

	for ((i = 0; i < 40; i++)); do
		! rmmod ipsec_token 2>/dev/null || return 0
		sleep 0.25
	done
	rmmod ipsec_token
}

# outcome SECONDS COMMAND HOW: run it in namespaces of its own. Its results are left in
# the file $log.HOW, without figures, in alphabetical order; equal ones are numbered.
outcome() {
	local status=0 environment=OPT_IN_LOG=$OPT_IN_LOG

	[ "$3" != opted-in ] || environment+=" LD_PRELOAD=$OPT_IN"
	case $3 in loaded | opted-in) insmod "$MODULE" ;; esac
	# That the shell is process 1 there must not matter; see guest-run.sh.
	# shellcheck disable=SC2016,SC2086 # expanded by the inner shell; several words
	timeout -k 5 "$1" unshare --pid --mount-proc --net --fork --kill-child bash -c '
		mount -t tmpfs run /run
		mkdir -p "$TMPDIR"
		ip link set lo up
		cd "$0"
		env "$@"
		exit $?' "$TESTS" $environment $2 >"$log.$3.said" 2>&1 || status=$?
	{
		echo "exit $status"
		grep -aE "$RESULT" "$log.$3.said" |
			sed -E 's/\x1b\[[0-9;]*m//g; s/[0-9.]+ *[mun]?s\b//g'
	} | awk '{ print $0, "#" ++seen[$0] }' | sort >"$log.$3"
	case $3 in loaded | opted-in) unload || not_ok "$2: the module is unloaded" ;; esac
}

steady() {
	cmp -s "$log.absent" "$log.again"
}

# differences HOW: lines that were there each time without the module and are not now,
# unless they were of failures, and, if nothing else ever came of it, lines that are new
differences() {
	comm -23 <(comm -12 "$log.absent" "$log.again") "$log.$1" |
		grep -vE "$FAILURE|^exit [1-9]" | sed 's/^/- /'
	! steady || comm -13 "$log.absent" "$log.$1" | sed 's/^/+ /'
}

# word HOW: it in a word, for the table
word() {
	local all failed skipped status

	status=$(sed -n 's/^exit \([0-9]*\).*/\1/p' "$log.$1")
	all=$(($(wc -l <"$log.$1") - 1))
	failed=$(grep -cE "$FAILURE" "$log.$1")
	skipped=$(grep -cE "$SKIPPED" "$log.$1")
	case $status in
	0)		status=pass ;;
	4)		status=skip ;;
	124 | 137)	status=timeout ;;
	*)		status="fail $status" ;;
	esac
	[ "$failed" = 0 ] || status+=", $failed of $all"
	[ "$skipped" = 0 ] || status+=", $skipped skipped"
	echo "$status"
}

# net_test SECONDS COMMAND
net_test() {
	local log how difference row=$2 note

	log=$LOGS/$(tr -c 'a-z0-9_\n' - <<<"${2#./}")
	outcome "$1" "$2" absent
	outcome "$1" "$2" again
	steady && note=yes || note=no
	for how in loaded opted-in; do
		outcome "$1" "$2" $how
		difference=$(differences $how)
		# What happens now and then happens without the module, too: it is a
		# difference if it is there again.
		if [ "$difference" ]; then
			cp "$log.$how" "$log.$how.first"
			diag "$2: $how: once:" "$difference"
			outcome "$1" "$2" $how
			difference=$(comm -12 <(sort <<<"$difference") <(differences $how | sort))
			note+=", $how twice"
		fi
		is "$difference" "" "$2: $how as without the module"
	done
	for how in absent again loaded opted-in; do
		row+="|$(word $how)"
	done
	rows+=("$row|$note")
}

net_tests() {
	local seconds=$1 command

	shift
	rows=("test|absent|again|loaded|opted in|steady")
	mkdir -p "$LOGS"
	: >$OPT_IN_LOG
	plan $((3 * $# + 3))
	for command; do
		check "$command: it is there" test -x "$TESTS/${command%% *}"
		net_test "$seconds" "$command"
	done
	diag "$(printf '%s\n' "${rows[@]}" | column -t -s'|')"
	if [ "${UDP-yes}" = no ]; then
		refused "there were no UDP sockets, as is said" grep -q y $OPT_IN_LOG
	else
		check "sockets have opted in" grep -q y $OPT_IN_LOG
	fi
	refused "none could not" grep -q n $OPT_IN_LOG
	refused "no datagram came without its token" grep -q m $OPT_IN_LOG
	diag "$(grep -o y $OPT_IN_LOG | wc -l) sockets have, $(grep -o t $OPT_IN_LOG | wc -l) datagrams"
	finish
}
