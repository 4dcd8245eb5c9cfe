# SPDX-License-Identifier: GPL-2.0
#
# usage: awk -f verdict.awk EXPECTED SKIPS {console.log|tests.log}...
#
# Judge a run by what was logged, trusting nobody's exit status alone: a test
# may vanish with its guest, print a plan and die, or succeed while the kernel
# complains. EXPECTED names the tests that must appear, one per line; SKIPS has
# lines "NAME: TEXT # REASON", allowing NAME to skip a result whose line
# contains TEXT ("*" for any).
#
# Counted are the leaves: result lines that do not sum up deeper ones, and one
# failure for every other thing that went wrong.

function complain(test, what) {
	failed++
	bad[test] = 1
	problems = problems "# failed: " test ": " what "\n"
}

function skip(test, text,   i) {
	for (i = 1; i <= nskips; i++) {
		if (skip_test[i] == test &&
		    (skip_text[i] == "*" || index(text, skip_text[i]))) {
			skipped++
			return
		}
	}
	complain(test, "skipped without being listed: " text)
}

# Forget the levels deeper than depth; say whether there were results there.
function close_levels(depth,   d, any) {
	for (d = deepest; d > depth; d--) {
		if (!(d in count) && !(d in plan))
			continue
		any = 1
		if (!(d in plan))
			complain(name, "results without a plan")
		else if (plan[d] != count[d] + 0)
			complain(name, "planned " plan[d] " results, saw " count[d] + 0)
		delete count[d]
		delete plan[d]
	}
	if (deepest > depth)
		deepest = depth
	return any
}

function result(depth, line,   inner, before) {
	before = failed
	inner = close_levels(depth)
	if (depth > deepest)
		deepest = depth
	count[depth]++
	results++
	if (inner) {
		# A summary. It only counts if it knows of a failure that
		# nothing below it told of.
		if (line ~ /^not ok/ && failures == 0 && failed == before)
			complain(name, line)
		return
	}
	if (toupper(line) ~ /^OK.*# *SKIP/) {
		skip(name, line)
	} else if (line ~ /^ok/) {
		passed++
	} else {
		failures++
		complain(name, line)
	}
}

function begin(test) {
	name = test
	started[test] = 1
	deepest = -1
	failures = results = 0
	whole = ""
}

# "ok 3 NAME # exit=0 seconds=7 timeout=60"
function end(line,   exit_status, seconds, timeout, before, f) {
	match(line, /# exit=.*/)
	split(substr(line, RSTART + 2), f, /[ =]/)
	exit_status = f[2]; seconds = f[4]; timeout = f[6]
	before = failed

	close_levels(-1)
	ended[name] = 1
	if (exit_status == 137 && seconds >= timeout)
		complain(name, "timed out after " timeout " seconds")
	else if (exit_status == 4 && results == 0)
		skip(name, whole == "" ? "the whole test" : whole)
	else if (exit_status > 128)
		complain(name, "killed by signal " exit_status - 128)
	else if (exit_status != 0 && exit_status != 4 && failures == 0 && before == failed)
		complain(name, "exit status " exit_status " although nothing failed")
	else if (results == 0 && whole != "")
		skip(name, whole)
	else if (results == 0 && before == failed)
		complain(name, "no results")
	name = ""
}

{ sub(/\r$/, "") }

FNR == 1 {
	fileno++
	name = ""
	test_log = FILENAME ~ /tests\.log$/
	console = FILENAME ~ /console\.log$/
	where = "boot"
}

fileno == 1 {
	expected[++nexpected] = $1
	next
}

!test_log && !console {
	if ($0 ~ /^[ \t]*(#|$)/)
		next
	if (!match($0, /^[^:]+: /) || !match($0, / # ./)) {
		complain("skips", "no reason given: " $0)
		next
	}
	match($0, /^[^:]+: /)
	skip_test[++nskips] = substr($0, 1, RLENGTH - 2)
	rest = substr($0, RLENGTH + 1)
	match(rest, / # /)
	skip_text[nskips] = substr(rest, 1, RSTART - 1)
	next
}

console {
	sub(/^\[ *[0-9]+\.[0-9]+\](\[ *[CT][0-9]+\])? */, "")
}

console && /^harness: begin / { where = $3; reported = 0; next }
console && /^harness: end / { where = "between tests"; reported = 0; next }

# A report of KCSAN ends with a line of "=" and has two stacks. Races of the kernel with
# itself are not held against a module: all the rest is built into the kernel, and
# frames of a module name it in brackets. Nor is it the module's that is on the stack
# because it was interrupted, or has let a packet go on its way.
console && /BUG: KCSAN: / {
	race = $0
	race_is_ours = 0
	next
}
console && race != "" && / by (task|interrupt)/ {
	elsewhere = 0
	next
}
console && race != "" && /asm_[a-z_]*(interrupt|sysvec)|ipsec_hook_continue\+/ {
	elsewhere = 1
	next
}
console && race != "" && /^====/ {
	if (race_is_ours)
		complain(where, "kernel: " race)
	else
		races++
	race = ""
	next
}
console && race != "" {
	if (!elsewhere && /\+0x[0-9a-f]+\/0x[0-9a-f]+ \[[a-z]/)
		race_is_ours = 1
	next
}

console && (/BUG:|WARNING:|Oops|kernel BUG|Kernel panic|general protection/ ||
	    /refcount_t|KASAN|KCSAN|UBSAN|ODEBUG|DEBUG_LOCKS_WARN/ ||
	    /possible (recursive locking|circular locking|irq lock inversion)/ ||
	    /suspicious RCU usage|inconsistent lock state|scheduling while atomic/ ||
	    /INFO: .*(stall|blocked for more than)|soft lockup|unreferenced object/ ||
	    /unregister_netdevice: waiting|(list_add|list_del) corruption/ ||
	    /BUG [^ ]+ \(.*\): |register non-static key|leaked reference/ ||
	    /kmemleak: .*disabled|lockdep is turned off|Call Trace:/) {
	# One event is many lines; one failure is enough to find them.
	if (!reported++)
		complain(where, "kernel: " $0)
	next
}

!test_log { next }

/^# Subtest: / {
	if (name != "")
		complain(name, "ended without a result")
	begin($3)
	next
}

name != "" && /^(not )?ok .* # exit=[0-9]+ seconds=[0-9]+ timeout=[0-9]+$/ {
	end($0)
	next
}

name != "" && match($0, /^ +/) {
	depth = RLENGTH
	line = substr($0, RLENGTH + 1)
	if (line ~ /^1\.\.0/) {
		whole = line
	} else if (line ~ /^1\.\.[0-9]+/) {
		match(line, /^1\.\.[0-9]+/)
		plan[depth] = substr(line, 4, RLENGTH - 3) + 0
		if (depth > deepest)
			deepest = depth
	} else if (line ~ /^(not )?ok( |$)/) {
		result(depth, line)
	}
}

END {
	# Plans of nested levels left open do not matter for these: the test
	# as a whole is reported.
	for (i = 1; i <= nexpected; i++) {
		if (!(expected[i] in started))
			complain(expected[i], "did not run")
		else if (!(expected[i] in ended))
			complain(expected[i], "vanished")
	}
	if (!nexpected)
		complain("check", "no tests")

	if (race != "")
		complain(where, "kernel: " race)
	printf "%s", problems
	if (races)
		printf "# %d data races of the kernel with itself\n", races
	printf "%d passed, %d failed", passed, failed
	if (skipped)
		printf ", %d skipped", skipped
	printf "\n"
	exit (failed > 0)
}
