# SPDX-License-Identifier: GPL-2.0
#
# usage: awk -v top=DIRECTORY -v named=FILE -f coverage.awk COUNTS
#
# Print how much of each file was reached and what was not, from what coverage.sh has
# made of the output of gcov. The exit status is whether every branch that was not taken
# and every function that was not called has a name in the file, and every name is of
# something.

function fail(text) {
	print text
	failed = 1
}

# Without what stands around it, and blanks in it are one.
function text_of(file, number, line, i) {
	if (!(file in read)) {
		for (i = 1; (getline line < (top "/" file)) > 0; i++) {
			gsub(/[ \t]+/, " ", line)
			sub(/^ /, "", line)
			sub(/ $/, "", line)
			source[file, i] = line
		}
		close(top "/" file)
		read[file] = i
	}
	return source[file, number]
}

# The last one that begins no later; the compiler does not tell where it has put it.
function function_at(file, line) {
	while (line > 0 && !((file SUBSEP line) in name_of))
		line--
	return line > 0 ? name_of[file SUBSEP line] : "-"
}

# miss(FILE, LINE, FUNCTION, TEXT, WHETHER, WHAT): was it, and has it a name then?
function miss(file, line, function_name, text, whether, what, entry) {
	entry = file " " function_name ": " text
	sub(/^kernel\//, "", entry)
	exists[entry] = 1
	if (!whether)
		return
	open[entry] = 1
	if (!(entry in name))
		unnamed[++nunnamed] = file ":" line ": " function_name ": " text what
}

# Reasons stand at the margin, what they are for below, indented: FILE FUNCTION: TEXT
BEGIN {
	while ((getline line < named) > 0) {
		if (line ~ /^#/ || line ~ /^[ \t]*$/) {
			reason = 0
		} else if (line ~ /^[^ \t]/) {
			reason = 1
		} else {
			sub(/^[ \t]+/, "", line)
			if (!reason)
				fail("coverage.named: no reason for: " line)
			name[line]
		}
	}
	close(named)
}

$1 == "call" {
	key = $2 SUBSEP $3
	name_of[key] = $4
	calls[key] += $5
}

$1 == "line" {
	sub(/^line /, "")
	key = $1 SUBSEP $2
	if (!(key in lines)) {
		lines[key] = 0
		order[++n] = key
		width[key] = NF - 3
	}
	lines[key] += $3
	# Inlined in some places, it may have branches that it has not in others.
	if (NF - 3 > width[key])
		width[key] = NF - 3
	for (i = 4; i <= NF; i++)
		taken[key, i - 3] += $i
}

END {
	for (i = 1; i <= n; i++) {
		key = order[i]
		split(key, part, SUBSEP)
		file = part[1]
		if (!(file in of_lines))
			files[++nfiles] = file
		of_lines[file]++
		if (lines[key])
			reached[file]++
		missed = ""
		for (j = 1; j <= width[key]; j++) {
			of_branches[file]++
			if (taken[key, j])
				took[file]++
			else
				missed = missed " " j
		}
		miss(file, part[2], function_at(file, part[2]), text_of(file, part[2]),
			missed && lines[key], " # of " width[key] ":" missed)
	}
	for (key in calls) {
		split(key, part, SUBSEP)
		miss(part[1], part[2], name_of[key], "is not called", !calls[key])
	}
	printf "%-28s %6s %9s %9s %9s\n", "", "lines", "reached", "branches", "taken"
	for (i = 1; i <= nfiles; i++) {
		file = files[i]
		printf "%-28s %6d %8.1f%% %9d %8.1f%%\n", file, of_lines[file],
			100 * reached[file] / of_lines[file], of_branches[file],
			of_branches[file] ? 100 * took[file] / of_branches[file] : 100
		lines_all += of_lines[file]
		reached_all += reached[file]
		branches_all += of_branches[file]
		took_all += took[file]
	}
	if (!lines_all || !reached_all) {
		print "nothing was reached"
		exit 1
	}
	printf "%-28s %6d %8.1f%% %9d %8.1f%%\n", "all", lines_all,
		100 * reached_all / lines_all, branches_all, 100 * took_all / branches_all
	for (entry in name) {
		if (!(entry in exists))
			fail("coverage.named: there is no such line: " entry)
		else if (!(entry in open))
			print "coverage.named: taken this time: " entry
		else
			nnamed++
	}
	for (i = 1; i <= nunnamed; i++)
		fail(unnamed[i])
	printf "%d lines with a branch not taken, or functions not called: %d named, %d not\n", nnamed + nunnamed, nnamed, nunnamed
	exit failed
}
