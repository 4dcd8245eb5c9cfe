#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What all this costs, in instructions, counted side by side in one boot: a
# table on standard output and the same as JSON in /out/bench.json, from where
# boot.sh takes it. Started by guest.sh, without the module, as "make bench", or
# with PARTS="receive latch" for some of it.

. selftests/lib.sh

RUNS=${RUNS:-5}	# of the same thing with and without the module, in turn

PARTS=${PARTS:-receive latch latches request calls many identities}

rows=$(mktemp)
module=$(basename "$MODULE" .ko)

# median NUMBER...
median() {
	printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"
}

# unload: the sockets of a program are gone a little later than itself
unload() {
	until rmmod "$module"; do
		sleep 0.1
	done 2>/dev/null
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

part_receive() {
	compare "UDP receive, module unused / not loaded" 1.005 udp clear
	compare "TCP receive, module unused / not loaded" 1.005 tcp clear
	compare "TCP receive in clear beside an SA, module / none" - tcp sa
	compare "UDP receive under ESP, module / none" - udp esp
}

part_latch() {
	local family what

	for family in 4 6; do
		what="IPv$family, module / none"
		compare "TCP receive, latched, $what" 1.02 tcp esp $family
		compare "TCP send, latched, $what" 1.02 send esp $family
		compare "TCP receive in clear beside a latch, $what" 1.01 tcp beside $family
		compare "the same without early demux, $what" - tcp beside $family nodemux
		compare "TCP send in clear beside a latch, $what" 1.01 send beside $family
	done
}

# latches accepted|connected COUNT: what the module adds to each
latches() {
	local with without

	without=$("$HELPERS/bench_latches" "$@") || return
	insmod "$MODULE"
	with=$("$HELPERS/bench_latches" "$@") || with=
	rmmod "$module"
	[ "$with" ] || return
	awk -v what="bytes per latched connection, $2 $1" -v with="$with" \
		-v without="$without" \
		'BEGIN { printf "%s\t%.1f\t-\t128\n", what, with - without }' >>"$rows"
}

part_latches() {
	latches accepted 1000
	latches accepted 100000
	net_up
	ipsec_up esp-gcm 4
	latches connected 1000
	net_down
}

# required WHAT ARGUMENT...: bench_receive with the module and a request on its socket;
# with the module; and without it
required() {
	local what=$1 request=() module_alone=() without=() run value

	shift
	for ((run = 0; run < RUNS; run++)); do
		without+=("$("$HELPERS/bench_receive" "$@")")
		insmod "$MODULE"
		module_alone+=("$("$HELPERS/bench_receive" "$@")")
		request+=("$("$HELPERS/bench_receive" "$@" request)")
		unload
	done
	value=$(median "${request[@]}")
	printf '%s\t%s\t%s\t-\n' "$what, request / no request" "$value" \
		"$(median "${module_alone[@]}")" "$what, request / no module" "$value" \
		"$(median "${without[@]}")" >>"$rows"
}

# beside WHAT ARGUMENT...: bench_receive with the module, while there is a request on
# another socket; and without the module
beside() {
	local what=$1 with=() without=() run

	shift
	for ((run = 0; run < RUNS; run++)); do
		without+=("$("$HELPERS/bench_receive" "$@")")
		insmod "$MODULE"
		with+=("$("$HELPERS/bench_receive" "$@" elsewhere)")
		unload
	done
	printf '%s\t%s\t%s\t-\n' "$what, request elsewhere / no module" \
		"$(median "${with[@]}")" "$(median "${without[@]}")" >>"$rows"
}

part_request() {
	local family

	for family in 4 6; do
		required "TCP receive, IPv$family" tcp esp $family
		required "TCP send, IPv$family" send esp $family
		required "UDP receive, IPv$family" udp esp $family
		required "UDP send, IPv$family" udpsend esp $family
		beside "TCP receive in clear, IPv$family" tcp clear $family
		beside "TCP send in clear, IPv$family" send clear $family
		beside "UDP receive in clear, IPv$family" udp clear $family
		beside "UDP send in clear, IPv$family" udpsend clear $family
	done
}

part_calls() {
	insmod "$MODULE"
	net_up
	ipsec_up esp-gcm 4
	ipsec_up esp-gcm 6 spi=0x2000
	"$HELPERS/bench_calls" >>"$rows"
	net_down
	rmmod "$module"
}

part_many() {
	insmod "$MODULE"
	"$HELPERS/bench_many" >>"$rows"
	rmmod "$module"
}

part_identities() {
	insmod "$MODULE"
	"$HELPERS/bench_identities" >>"$rows"
	rmmod "$module"
}

# algorithms_load: the clock leaps ahead while the guest waits for the host, so that
# the kernel gives up on what it is about to load. It is there at the next try.
algorithms_load() {
	local i

	modprobe -a -q tun crypto_null authenc
	crypto_load
	for ((i = 0; i < 5; i++)); do
		# shellcheck disable=SC2046 # words
		$IP xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 1 \
			$(ipsec_algorithms esp-gcm esp 1) && break
	done 2>/dev/null
	$IP xfrm state flush
}

algorithms_load
for part in $PARTS; do
	part_$part
done

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
		met = $2 > 0 && (ratio == "" ? $2 : ratio) + 0 <= $4 + 0 ? "yes" : "no"
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
declare -A ROWS=([receive]=4 [latch]=10 [latches]=3 [request]=24 [calls]=19 [many]=7 [identities]=4)
for part in $PARTS; do
	expected=$((expected + ROWS[$part]))
done
[ "$(wc -l <"$rows")" = "$expected" ]
