#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything at once, for DURATION seconds: protected traffic between two hosts,
# while SAs, identities, namespaces, settings, listeners and the module itself
# come and go. What goes wrong mostly shows in the kernel's log.

# shellcheck source=lib.sh
. selftests/lib.sh

DURATION=${DURATION:-60}
TOOL=${BUILD:-build}/tools/ipsec-token

# each WHAT COUNTS: none of the counts is zero; WHAT names them
each() {
	local name

	for name in $1; do
		check "$name" [ "${counts[0]:-0}" -gt 0 ]
		counts=("${counts[@]:1}")
	done
}

# left_over HOST: what the module keeps
left_over() {
	$1 "$TOOL" stats |
		sed -n 's/^\(contexts\|paths\|connections\|datagram-sockets\|bindings\)  *//p' |
		tr -d '\n'
}

plan 17
net_up
ipsec_up esp-gcm 4
ipsec_up tunnel 6 spi=0x2000
insmod "$MODULE" || exit
modprobe_off
patient_kernel

# What asks and answers here comes first.
coproc TRAFFIC { exec nice -n 19 "$HELPERS/traffic"; }
exec {to}>&"${TRAFFIC[1]}" {from}<&"${TRAFFIC[0]}"
read -r -t 120 -u "$from"
read -r -a counts < <(nice -n 10 "$HELPERS/turmoil" "$DURATION" "$MODULE")
diag "turmoil: ${counts[*]}"
each "SA-changes bindings namespaces lists settings events unloads busy"
echo enough >&"$to"
read -r -t 300 -u "$from" -a counts
exec {to}>&- {from}<&-
diag "traffic: ${counts[*]}"
each "segments datagrams connections tokens opt-ins answers"
is "${counts[0]}" 0 "nothing protected was said to be in clear"

for host in left right; do
	$host $IP xfrm state flush
	$host "$TOOL" config set linger 0
done
for ((i = 0; i < 100; i++)); do
	[ "$(left_over left)$(left_over right)" != 0000000000 ] || break
	sleep 0.2
done
left_overs="$(left_over left) $(left_over right)"
is "$left_overs" "00000 00000" "nothing is left"
[ "$left_overs" = "00000 00000" ] || for host in left right; do
	diag "$host" "$($host ss -Hane)" "$($host "$TOOL" latch list)" "$($host "$TOOL" stats)"
done
for ((i = 0; i < 100; i++)); do
	! rmmod ipsec_token 2>/dev/null || break
	sleep 0.1
done
refused "the module is gone" [ -d /sys/module/ipsec_token ]
finish
