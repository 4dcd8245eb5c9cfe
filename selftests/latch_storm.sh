#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A great many of everything: SAs replaced under a connection as fast as it goes,
# connections opened and closed, SYNs that nothing follows, segments that are
# refused. CONNECTIONS says how many connections, by default no more than take a few
# minutes.

# shellcheck source=latch.sh
. selftests/latch.sh

TOOL=${BUILD:-build}/tools/ipsec-token
CONNECTIONS=${CONNECTIONS:-20000}
REKEYS=100

# refused_by HOST: packets that its latches did not let pass, by all six reasons
refused_by() {
	$1 "$TOOL" stats | awk '/^latch-(in|out)-/ { sum += $2; reasons++ }
		END { print reasons == 6 ? sum : "unknown" }'
}

# storm [WHO]: iperf3, while there are new SAs again and again, which belong to WHO.
# Leaves what iperf3 has to say in $TMPDIR/iperf, and in $latched how many of its
# connections are latched. All of it is on one processor: from two of them, what is
# sent through veth may arrive in another order, and TCP takes that for a loss.
storm() {
	local server client rekeyed spi i

	coproc NEWKEYS { exec taskset 1 "$HELPERS/rekeys" $REKEYS 50 "$@"; }
	read -r -t 60 -u "${NEWKEYS[0]}"
	"$HELPERS/netns" right nice -n 19 taskset 1 iperf3 -s -1 >/dev/null 2>&1 &
	server=$!
	for ((i = 0; i < 100; i++)); do
		! right ss -Hltn | grep -q :5201 || break
		sleep 0.1
	done
	# as much as is on its way fits in every queue there is
	"$HELPERS/netns" left nice -n 19 taskset 1 iperf3 -c "$RIGHT_IP" -t 1000 -w 64K -J \
		>"$TMPDIR/iperf" 2>&1 &
	client=$!
	sleep 1
	echo >&"${NEWKEYS[1]}"
	read -r -t 200 -u "${NEWKEYS[0]}" rekeyed spi
	sleep 1
	latched=$(left "$TOOL" latch list 2>/dev/null | grep -c ^ESTABLISHED)
	kill -TERM $client
	wait $client $server
	is "$rekeyed" $REKEYS "$title: rekeyed $REKEYS times"
	check "$title: data came under the last SA" \
		[ "$(IPSEC_SPI=$((spi - 1)) xfrm_bytes right in esp)" -gt 0 ]
}

# figure NAME: one that iperf3 gives for all that was sent
figure() {
	jq ".end.sum_sent.$1 | floor" "$TMPDIR/iperf" 2>/dev/null
}

# Without the module, with it, and with an agent that tells of each SA.
T_REKEY=15
t_rekey() {
	local title without=0 again=0 round speed who latched

	for round in "not loaded" "no agent" "an agent"; do
		title="rekeyed under iperf3, $round"
		[ "$round" = "not loaded" ] || insmod "$MODULE"
		[ "$round" = "an agent" ] && who=a1 || who=
		ipsec_up esp-gcm 4
		patient rto_min 4s
		# shellcheck disable=SC2086 # a word, or none
		storm $who
		speed=$(figure bits_per_second)
		diag "$title: $speed bit/s, $(figure retransmits) segments sent again"
		if [ "$round" = "not loaded" ]; then
			without=$speed again=$(figure retransmits)
			check "$title: something was sent" [ "${speed:-0}" -gt 0 ]
		else
			is "$(refused_by left) $(refused_by right)" "0 0" "$title: none is refused"
			is "$latched" 2 "$title: both connections of iperf3 are latched"
			# once in a while the guest stands still for too long
			check "$title: hardly more is sent again" \
				[ "$(figure retransmits)" -le $((again + REKEYS / 20)) ]
			check "$title: as fast, by order of magnitude" \
				[ "$speed" -gt $((without / 3)) ]
			rmmod ipsec_token
		fi
		ipsec_down
	done
}

plan $((T_REKEY + 6))
crypto_load
modprobe -a -q tun crypto_null authenc
insmod "$MODULE"
for family in 4 6; do
	"$HELPERS/latch_storm" refused 3000 $family
	is $? 0 "IPv$family: refusals are not told of one by one"
	"$HELPERS/latch_storm" syns "$CONNECTIONS" $family
	is $? 0 "IPv$family: $CONNECTIONS SYNs leave nothing behind"
	"$HELPERS/latch_storm" connections "$CONNECTIONS" $family
	is $? 0 "IPv$family: $CONNECTIONS connections leave nothing behind"
done
rmmod ipsec_token
net_up
t_rekey
finish
