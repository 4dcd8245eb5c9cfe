#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What this is good for, to look at: "make demo". Two hosts talk over TCP and
# UDP (helpers/demo.c), with IPsec and without, and what each end is told is
# printed. All that is said here is verified; the exit status sums it up.

# shellcheck source=lib.sh
. selftests/lib.sh

COMMAND=$BUILD/tools/ipsec-token
PORT=7777
CLEAR_IP=10.0.0.3
WIDTH=76

# ----------------------------------------------------------------- printing

title() {
	printf '\n%s\n%s\n\n' "$*" "${*//?/-}"
}

# wrap FIRST REST TEXT: in lines that begin with FIRST, then with REST
wrap() {
	fold -s -w $((WIDTH - ${#2})) <<<"$3" |
		sed "1s/^/$1/; 1!s/^/$2/; s/ *\$//"
}

say() {
	wrap "  " "  " "$*"
}

# shown HOST COMMAND...: a command line and its output, which is kept
shown() {
	local host=$1

	shift
	printf '  %s# %s\n' "$host" "${*/#"$COMMAND"/ipsec-token}"
	shown=$($host "$@" 2>&1)
	sed 's/^/  /' <<<"$shown"
	echo
}

facts=0
wrong=0

# fact TEXT COMMAND...: it is true if the command succeeds
fact() {
	local text=$1 mark=ok

	shift
	facts=$((facts + 1))
	"$@" || { mark=WRONG; wrong=$((wrong + 1)); }
	wrap "  [$mark] " "       " "$text"
}

# ------------------------------------------------------------ the two hosts

dir=$(mktemp -d)
pids=()
declare -A to from

# The program says "ready" once it can be reached.
server() {
	local ready out

	exec {out}< <(exec "$HELPERS/netns" right "$HELPERS/demo" serve 0.0.0.0 $PORT)
	pids+=($!)
	read -r -t 20 -u "$out" ready && [ "$ready" = ready ]
}

# client NAME tcp|udp ADDRESS: on the left host, from that address
client() {
	local in out

	mkfifo "$dir/$1"
	exec {out}< <(exec "$HELPERS/netns" left "$HELPERS/demo" "$2" "$3" \
		"$RIGHT_IP" $PORT <"$dir/$1")
	pids+=($!)
	exec {in}>"$dir/$1"
	to[$1]=$in from[$1]=$out
}

# What the two ends were told last, in the order in which the program says it.
LEFT=() RIGHT=()
NAMES=("token" "privacy" "integrity" "compression" "tunnel mode" "end to end")
TOKEN=0 PRIVACY=1 INTEGRITY=2 END_TO_END=5 AUDIT=6

# ask NAME: let that client talk to the server
ask() {
	echo ask >&"${to[$1]}"
	answer "$1"
}

answer() {
	LEFT=("no answer") RIGHT=("no answer")
	IFS='|' read -r -t 20 -u "${from[$1]}" -a LEFT
	IFS='|' read -r -t 20 -u "${from[$1]}" -a RIGHT
}

row() {
	printf '  %-20s %-22s %s\n' "$@"
}

# table NAME: all attributes
table() {
	local i

	row "$1" "left (client)" "right (server)"
	for ((i = 0; i < AUDIT; i++)); do
		row "  ${NAMES[i]}" "${LEFT[i]}" "${RIGHT[i]}"
	done
	echo
}

# audit TEXT: what left's audit string is now
audit() {
	say "$1:"
	wrap "    " "    " "${LEFT[AUDIT]}"
	echo
}

# -------------------------------------------------- what can be true of them

tokens() {
	echo "${LEFT[TOKEN]} ${RIGHT[TOKEN]}"
}

protected() {
	local end

	for end in LEFT RIGHT; do
		local -n told=$end
		[[ ${told[TOKEN]} =~ ^0x[0-9a-f]{16}$ && ${told[TOKEN]} != 0xffffffffffffffff &&
		   ${told[PRIVACY]}${told[INTEGRITY]}${told[END_TO_END]} = yesyesyes ]] || return
	done
}

in_clear() {
	[ "$(tokens)" = "0 0" ]
}

# Do both ends name both SPIs, or neither of them?
names_spis() {
	local spi text

	for spi in "$(ipsec_spi esp lr)" "$(ipsec_spi esp rl)"; do
		printf -v spi 0x%08x "$spi"
		for text in "${LEFT[AUDIT]}" "${RIGHT[AUDIT]}"; do
			[[ $text == *"$spi"* ]] || return
		done
	done
}

names_no_old_spis() {
	local spi

	for spi in $((IPSEC_OLD_SPI + 1)) $((IPSEC_OLD_SPI + 2)); do
		printf -v spi 0x%08x "$spi"
		[[ ${LEFT[AUDIT]}${RIGHT[AUDIT]} != *"$spi"* ]] || return
	done
}

# ------------------------------------------------------------------- scenes

scene_hosts() {
	title "Two hosts, Linux $(uname -r)"
	echo "  left 10.0.0.1  ==== ESP, AES-GCM, transport mode ====  10.0.0.2 right"
	echo "  left $CLEAR_IP  ------------- in clear --------------  10.0.0.2 right"
	echo
	say "Right runs a server for TCP and UDP, left runs clients. None of these" \
	    "programs knows how IPsec is set up. Each asks the kernel."
}

scene_protected() {
	local datagram

	title "1. From 10.0.0.1: protected"
	client tcp tcp "$LEFT_IP"
	client udp udp "$LEFT_IP"
	ask udp
	datagram=$(tokens)
	ask tcp
	table "TCP connection"
	audit "audit string, left"

	fact "Both ends know: private, unchanged, and all the way between the two." protected
	fact "The audit strings name the SPIs that were set up." names_spis
	fact "A token is good in one process only: the two ends have different ones." \
		[ "${LEFT[TOKEN]}" != "${RIGHT[TOKEN]}" ]
	fact "The same protection is the same number: the server was given the same token with a UDP datagram." \
		[ "${datagram#* }" = "${RIGHT[TOKEN]}" ]
	connection=$(tokens)
}

scene_clear() {
	title "2. From $CLEAR_IP: in clear"
	client clear_tcp tcp $CLEAR_IP
	client clear_udp udp $CLEAR_IP
	ask clear_tcp
	table "TCP connection"

	fact "0 is an answer as well: known to be unprotected." in_clear
	ask clear_udp
	fact "So it is for datagrams, each of which comes with a token." in_clear
}

scene_command() {
	local sockets

	title "3. What the administrator of right sees"
	shown right "$COMMAND" sockets
	sockets=$shown
	shown right "$COMMAND" context list

	fact "The connection from 10.0.0.1 is protected." \
		grep -q "10.0.0.1:.* esp privacy integrity end-to-end" <<<"$sockets"
	fact "The connection from $CLEAR_IP is not." grep -q "$CLEAR_IP:.* none" <<<"$sockets"
	fact "There is one context." [ "$(wc -l <<<"$shown")" = 2 ]
}

scene_rekey() {
	local counts

	title "4. New keys, twice, while datagrams go both ways"
	ask tcp
	audit "audit string of the TCP connection before"
	echo run >&"${to[udp]}"
	sleep 0.5
	for _ in 1 2; do
		ipsec_rekey
		sleep 0.5
		ipsec_expire
	done
	echo ask >&"${to[udp]}"
	IFS='|' read -r -t 20 -u "${from[udp]}" -a counts
	answer udp
	ask tcp
	audit "and after"

	fact "${counts[0]} datagrams were answered meanwhile, none was lost, and none had another token, at either end." \
		[ "${counts[*]:1}" = "0 0" ]
	fact "The connection has the tokens it had." [ "$(tokens)" = "$connection" ]
	fact "The audit strings name the new SPIs." names_spis
	fact "They do not name the old ones." names_no_old_spis
	fact "The new SAs have carried traffic." [ "$(xfrm_bytes right in esp)" -gt 0 ]
}

scene_removal() {
	local datagram new stalled

	title "5. IPsec is removed, and comes back"
	ipsec_down
	ask udp
	datagram=$(tokens)
	client new tcp 10.0.0.1
	ask new
	new=$(tokens)
	ask tcp
	stalled=$(tokens)

	row "" "left (client)" "right (server)"
	row "next UDP datagram" "${datagram% *}" "${datagram#* }"
	row "new TCP connection" "${new% *}" "${new#* }"
	row "old TCP connection" "${LEFT[TOKEN]}" "${RIGHT[TOKEN]}"
	echo
	shown left "$COMMAND" latch

	fact "The next datagram is known to be unprotected." [ "$datagram" = "0 0" ]
	fact "So is a new connection." [ "$new" = "0 0" ]
	fact "The old one is latched: it does not go on in clear." \
		[ "$stalled" = "no answer no answer" ]
	fact "What it wanted to send was refused, and it says why." \
		grep -q "^BROKEN .* would have been sent in clear" <<<"$shown"
	echo

	ipsec_up esp-gcm 4
	ask tcp
	fact "With IPsec back it goes on where it stood, with the tokens it had." \
		[ "$(tokens)" = "$connection" ]
}

start=$SECONDS
net_up
left $IP addr add $CLEAR_IP/24 dev veth
ipsec_up esp-gcm 4
server || { echo "the server does not start"; exit 1; }

scene_hosts
scene_protected
scene_clear
scene_command
scene_rekey
scene_removal

kill "${pids[@]}" 2>/dev/null
rm -r "$dir"
title "$facts facts verified, $wrong wrong, in $((SECONDS - start)) seconds"
[ $wrong = 0 ]
