#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What things cost where there are many others, in instructions and bytes, as curves over
# how many. Started by guest.sh, without the module, as "make bench-scale": a table on
# standard output, and the points of the curves in /out/bench-scale.json, from where
# boot.sh takes them. Fails if a curve is not what Documentation/design.md lets expect.
#
# usage, on the host: bench_scale.sh plot [FILE]
# Draw the picture FILE.png from FILE.json; without FILE, see whether that can be done.

# shellcheck source=lib.sh
. selftests/lib.sh

MOST=${MOST:-100000}	# SAs, connections, and ten times as many as processes

# What a curve must be: nowhere higher than FLAT times where it begins, or than a number.
# Of the others the design says that there is something to do for each.
FLAT=1.05
curves() {
	tr -s '\t' <<-END
	receive a datagram, same peer		flat	the path is found by one hash
	receive a datagram, another peer	flat	and a handle is an id, permuted
	recvmsg with token, same peer		flat	the same
	resolve a token, cold			flat	and the way back
	resolve a token, warm			flat	the library knows
	getsockopt of a token			flat	one look-up
	receive a segment, latched		flat	one comparison of pointers
	receive a segment in clear beside	flat	a count, or one look-up
	add an SA				flat	the SAD is not mirrored
	delete an SA that was not used		flat	the SAD is not mirrored
	delete an SA that was used		flat	looked for later, all at once
	look for SAs that are dead		-	each that was used is looked at
	first datagram of a process		flat	a process leaves no state
	first getsockopt of a process		flat	a process leaves no state
	first token resolved by a process	flat	a process leaves no state
	bytes: an SA that nobody asks about	8	the SAD is not mirrored
	bytes: an SA that was used		flat	a context and a path
	bytes: a connection beyond its socket	128	a record
	bytes: a process that has a token	8	a process leaves no state
	END
}

# points UNIT FILE: for gnuplot, one block with its name for each curve
points() {
	jq -r --arg unit "$1" 'map(select(.[$unit] != null)) | group_by(.operation)[] |
		"", "", "\"\(.[0].operation)\"", (.[] | "\(.count) \(.[$unit])")' "$2"
}

picture() {
	local unit

	for unit in instructions bytes; do
		points $unit "$1.json" >"$1.$unit" || return
	done
	gnuplot <<-END && rm "$1.instructions" "$1.bytes"
	set terminal pngcairo size 1200,1300
	set output "$1.png"
	set multiplot layout 2,1
	set grid
	set key outside right
	set xlabel "how many there are"
	set logscale x
	set logscale y
	set ylabel "instructions for one operation"
	stats "$1.instructions" using 1 nooutput
	plot for [i=0:STATS_blocks-1] "$1.instructions" index i using 1:2 with linespoints \
		title columnheader(1)
	unset logscale y
	set yrange [0:*]
	set ylabel "bytes for each"
	stats "$1.bytes" using 1 nooutput
	plot for [i=0:STATS_blocks-1] "$1.bytes" index i using 1:2 with linespoints \
		title columnheader(1)
	END
}

if [ "${1:-}" = plot ]; then
	if ! command -v gnuplot >/dev/null; then
		echo "apt-get install --no-install-recommends gnuplot-nox" >&2
		exit 1
	fi
	[ $# = 1 ] || [ ! -e "$2.json" ] || picture "$2"
	exit
fi

rows=$(mktemp)
module=$(basename "$MODULE" .ko)

failed=0

# measure with|without PROGRAM MOST
measure() {
	"$HELPERS/bench_scale_$2" "$3" | sed "s/^/$1\t/" >>"$rows"
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
}

# What the kernel loads only now it may not have in time, while the clock leaps ahead.
crypto_load
modprobe -a -q tun
for ((i = 0; i < 5; i++)); do
	! "$HELPERS/bench_scale_sas" 1 >/dev/null 2>&1 || break
done

measure without sas "$MOST"
measure without connections "$MOST"
insmod "$MODULE"
measure with sas "$MOST"
measure with connections "$MOST"
measure with processes $((MOST / 10))
rmmod "$module"

# Where bytes are counted without the module, too, only what is more is the module's.
awk -F '\t' -v OFS='\t' -v json="$OUT/bench-scale.json" -v flat=$FLAT '
FILENAME == ARGV[1] {
	if ($1 == "without") {
		without[$2, $3] = $4
		if ($5 != "-")
			bytes_without[$2, $3] = $5
		next
	}
	name = $5 == "-" ? $2 : "bytes: " $2
	value = $5 == "-" ? $4 : $5 - bytes_without[$2, $3]
	point[name, ++points[name]] = value
	count[name, points[name]] = $3
	base[name, points[name]] = $5 == "-" && ($2, $3) in without ? without[$2, $3] : "-"
	printf("%s{ \"operation\": \"%s\", \"count\": %s, \"instructions\": %s, \"bytes\": %s, " \
	       "\"without\": %s }", (n++ ? ",\n" : "[\n"), $2, $3,
	       $5 == "-" ? value : "null", $5 == "-" ? "null" : value,
	       base[name, points[name]] == "-" ? "null" : base[name, points[name]]) >json
	next
}
FNR == 1 {
	print "\n]" >json
	printf "%-38s %8s %9s %8s %9s %7s %9s %7s %7s  %s\n", "", "from", "", "to", "", "highest",
		"without", "must be", "is it?", "since"
}
{
	n = points[$1]
	highest = 0
	for (i = 1; i <= n; i++)
		if (point[$1, i] > highest)
			highest = point[$1, i]
	ratio = n && point[$1, 1] ? highest / point[$1, 1] : 0
	met = "-"
	if ($2 != "-") {
		all++
		met = n && ($2 == "flat" ? ratio <= flat : highest <= $2) ? "yes" : "NO"
		kept += met == "yes"
	}
	printf "%-38s %8s %9s %8s %9s %7.4f %9s %7s %7s  %s\n", $1, count[$1, 1], point[$1, 1],
		count[$1, n], point[$1, n], ratio, n ? base[$1, n] : "-", $2, met, $3
}
END {
	printf "%d of %d curves are as they must be\n", kept, all
	exit kept != all
}' "$rows" <(curves) || failed=1
exit $failed
