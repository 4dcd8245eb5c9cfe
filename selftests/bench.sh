#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What all this costs, in instructions, counted side by side in one boot: a
# table on standard output and the same as JSON in /out/bench.json, from where
# boot.sh takes it. Started by guest.sh, without the module, as "make bench".

. selftests/lib.sh

RUNS=5		# of the same thing with and without the module, in turn

rows=$(mktemp)
module=$(basename "$MODULE" .ko)

# median NUMBER...
median() {
	printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"
}

# compare WHAT BOUND ARGUMENT...: bench_receive with the module and without
compare() {
	local what=$1 bound=$2 with=() without=() run

	shift 2
	for ((run = 0; run < RUNS; run++)); do
		without+=("$("$HELPERS/bench_receive" "$@")")
		insmod "$MODULE"
		with+=("$("$HELPERS/bench_receive" "$@")")
		rmmod "$module"
	done
	without+=("$("$HELPERS/bench_receive" "$@")")
	printf '%s\t%s\t%s\t%s\n' "$what" "$(median "${with[@]}")" \
		"$(median "${without[@]}")" "$bound" >>"$rows"
}

modprobe -a -q tun crypto_null authenc
crypto_load

compare "UDP receive, module unused / not loaded" 1.005 udp clear
compare "TCP receive, module unused / not loaded" 1.005 tcp clear
compare "TCP receive in clear beside an SA, module / none" - tcp sa
compare "UDP receive under ESP, module / none" - udp esp
compare "TCP receive under ESP, module / none" - tcp esp

insmod "$MODULE"
net_up
ipsec_up esp-gcm 4
ipsec_up esp-gcm 6 spi=0x2000
"$HELPERS/bench_calls" >>"$rows"
"$HELPERS/bench_many" >>"$rows"
"$HELPERS/bench_identities" >>"$rows"

awk -F '\t' -v json="$OUT/bench.json" '
BEGIN {
	format = "%-58s %9s %9s %7s %6s  %s\n"
	printf format, "what", "value", "baseline", "ratio", "bound", "met?"
	print "[" >json
}
{
	ratio = $3 == "-" ? "" : sprintf("%.4f", $2 / $3)
	met = "-"
	if ($4 != "-") {
		bounds++
		met = (ratio == "" ? $2 : ratio) + 0 <= $4 + 0 ? "yes" : "no"
		reached += met == "yes"
	}
	printf format, $1, $2, $3, ratio == "" ? "-" : ratio, $4, met
	printf("%s{ \"what\": \"%s\", \"value\": %s, \"baseline\": %s, \"ratio\": %s, " \
	       "\"bound\": %s, \"met\": %s }", NR > 1 ? ",\n" : "", $1, $2,
	       $3 == "-" ? "null" : $3, ratio == "" ? "null" : ratio,
	       $4 == "-" ? "null" : $4,
	       met == "-" ? "null" : met == "yes" ? "true" : "false") >json
}
END {
	print "\n]" >json
	printf "%d of %d bounds are met\n", reached, bounds
}' "$rows"

# What could not be measured is missing from the table.
[ "$(wc -l <"$rows")" = 35 ]
