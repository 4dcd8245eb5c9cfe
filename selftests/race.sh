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

plan 16
net_up
ipsec_up esp-gcm 4
ipsec_up tunnel 6 spi=0x2000
insmod "$MODULE" || exit

coproc TRAFFIC { exec "$HELPERS/traffic"; }
exec {to}>&"${TRAFFIC[1]}" {from}<&"${TRAFFIC[0]}"
exec {turmoil}< <(exec "$HELPERS/turmoil" "$DURATION")

unloaded=0 busy=0
end=$((SECONDS + DURATION))
while [ $SECONDS -lt $end ]; do
	sleep 0.5
	if rmmod ipsec_token 2>/dev/null; then
		unloaded=$((unloaded + 1))
		insmod "$MODULE" || break
		sleep 1
	else
		busy=$((busy + 1))
	fi
done

read -r -t $((60 + DURATION)) -u "$turmoil" -a counts
diag "turmoil: ${counts[*]}"
each "SA-changes bindings namespaces lists settings events"
echo enough >&"$to"
read -r -t 60 -u "$from" -a counts
exec {to}>&- {from}<&-
diag "traffic: ${counts[*]}" "module: unloaded $unloaded times, $busy times busy"
each "segments datagrams connections tokens opt-ins answers"
is "${counts[0]}" 0 "nothing protected was said to be in clear"
check "the module was unloaded, and was busy" [ $unloaded -gt 0 -a $busy -gt 0 ]

for host in left right; do
	$host $IP xfrm state flush
	$host "$TOOL" config set linger 0
done
for ((i = 0; i < 100; i++)); do
	[ "$(left_over left)$(left_over right)" != 0000000000 ] || break
	sleep 0.2
done
is "$(left_over left) $(left_over right)" "00000 00000" "nothing is left"
for ((i = 0; i < 100; i++)); do
	! rmmod ipsec_token 2>/dev/null || break
	sleep 0.1
done
refused "the module is gone" [ -d /sys/module/ipsec_token ]
finish
