#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: coverage.sh LOG
#
# What the guests of make check-coverage reached of the module: a table by file, and
# each branch that no test took. Those are named with the reason in coverage.named;
# one that is not, and a name that is for nothing, are failures.
#
# A branch is one way to go from a line that was reached: what lies behind one that
# was not taken is not counted once more. In each line of a header all objects are one.

set -eu

named=$(dirname "$(readlink -f "$0")")/coverage.named
objects=$(dirname "$MODULE")
dir=$(readlink -f "$1")/coverage
data=$dir/data

rm -rf "$dir"
mkdir -p "$dir"

# The guests were of one kernel and one module, so their counts can be added.
for guest in "$1"/*/out/gcov; do
	[ -d "$guest" ] || continue
	if [ -d "$data" ]; then
		gcov-tool merge -o "$dir/sum" "$data" "$guest" 2>"$dir/merge.log" ||
			{ cat "$dir/merge.log" >&2; exit 1; }
		rm -rf "$data"
		mv "$dir/sum" "$data"
	else
		cp -r "$guest" "$data"
	fi
done
[ -d "$data" ] || {
	echo "no guest below $1 has left counts: was its kernel that of FLAVOUR=gcov?" >&2
	exit 1
}

# Two kinds of lines, of all objects: "call FILE LINE FUNCTION COUNT" and
# "line FILE LINE COUNT BRANCH-COUNT..."
cp -r "$objects/kernel" "$dir/kernel"
(cd "$data/$objects/kernel" && cp -- *.gcda "$dir/kernel")
for notes in "$dir"/kernel/*.gcno; do
	(cd "$dir/kernel" && gcov -j -b -t "$notes" 2>/dev/null)
done | jq -r --arg top "$TOP/" '
	.files[] | (.file | ltrimstr($top)) as $file | select($file | startswith("kernel/")) |
	(.functions[] | ["call", $file, .start_line, .name, .execution_count]),
	(.lines[] | ["line", $file, .line_number, .count, .branches[].count]) |
	map(tostring) | join(" ")' >"$dir/counts"

awk -v top="$TOP" -v named="$named" -f "$TOP/selftests/coverage.awk" "$dir/counts"
