# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests' shell scripts share; source it. Run as root in the guest.
#
#	.---------------------.          .---------------------.
#	|  netns left    veth |----------| veth    netns right |
#	|            10.0.0.1 |          | 10.0.0.2            |
#	|            fd00::1  |          | fd00::2             |
#	|                     |          |                     |
#	| xfrmi only:   xfrm0 |- - ESP - | xfrm0               |
#	|            10.1.0.1 |          | 10.1.0.2            |
#	|            fd01::1  |          | fd01::2             |
#	'---------------------'          '---------------------'
#
# A typical test:
#
#	. selftests/lib.sh
#	net_up
#	ipsec_up esp-gcm 4
#	plan 1
#	left ping -c 1 "$RIGHT_IP" >/dev/null
#	is "$(xfrm_bytes right in esp)" 84 "ESP reached the other end"

# The variables set here are for the scripts that source this file.
# shellcheck disable=SC2034

IP=/usr/sbin/ip		# busybox's shell would take its own applet
HELPERS=${BUILD:-build}/selftests/helpers

# ------------------------------------------------------------------- KTAP

KTAP_COUNT=0
KTAP_FAILED=0

# plan N: how many results will follow
plan() {
	echo "KTAP version 1"
	echo "1..$1"
}

# ok TEXT, not_ok TEXT, skip TEXT REASON: one result
ok() {
	echo "ok $((++KTAP_COUNT)) $*"
}

not_ok() {
	KTAP_FAILED=$((KTAP_FAILED + 1))
	echo "not ok $((++KTAP_COUNT)) $*"
}

skip() {
	echo "ok $((++KTAP_COUNT)) $1 # SKIP $2"
}

# diag TEXT: something to read, not a result
diag() {
	printf '%s\n' "$@" | sed 's/^/# /'
}

# is GOT WANTED TEXT: passes if the two are the same string
is() {
	if [ "$1" = "$2" ]; then
		ok "$3"
	else
		not_ok "$3"
		diag "got:    $1" "wanted: $2"
	fi
}

# check TEXT COMMAND...: passes if the command succeeds; its output is only
# shown if it does not
check() {
	local text=$1 out

	shift
	if out=$("$@" 2>&1); then
		ok "$text"
	else
		not_ok "$text"
		diag "$*: $out"
	fi
}

# refused TEXT COMMAND...: passes if the command fails, but not of a signal
refused() {
	local text=$1 out status=0

	shift
	out=$("$@" 2>&1) || status=$?
	if [ $status -gt 0 ] && [ $status -lt 128 ]; then
		ok "$text"
	else
		not_ok "$text"
		diag "$* (exit $status): $out"
	fi
}

# finish: the script's last command; its exit status sums up the results
finish() {
	[ "$KTAP_FAILED" = 0 ]
	exit
}

# --------------------------------------------------------------- topology

# left COMMAND..., right COMMAND...: run it on that host.
left()	{ "$HELPERS/netns" left "$@"; }
right()	{ "$HELPERS/netns" right "$@"; }

# net_up: create the two hosts. Neighbours are permanent, so that neighbour
# discovery is not part of what is protected and counted.
net_up() {
	local host n peer

	for host in left right; do
		$IP netns add $host
		$host $IP link set lo up
		$host sysctl -qw net.ipv6.conf.default.accept_dad=0
	done
	$IP link add veth netns left address 02:00:00:00:00:01 type veth \
		peer name veth netns right address 02:00:00:00:00:02
	for host in left right; do
		[ $host = left ] && n=1 peer=2 || n=2 peer=1
		$host $IP -batch - <<-END
		link set veth up
		addr add 10.0.0.$n/24 dev veth
		addr add fd00::$n/64 dev veth nodad
		neigh replace 10.0.0.$peer lladdr 02:00:00:00:00:0$peer dev veth nud permanent
		neigh replace fd00::$peer lladdr 02:00:00:00:00:0$peer dev veth nud permanent
		END
	done
}

net_down() {
	ipsec_down
	$IP netns del left
	$IP netns del right
}

# ------------------------------------------------------------------ IPsec

IPSEC_KINDS="esp-gcm esp-cbc esp-null ah ah-esp ipcomp-esp tunnel behind across natt xfrmi untrusted
	none"

# The kernel looks for algorithms while it holds locks that keep it from
# loading what those need in turn: without this, rfc4106 fails on first use.
crypto_load() {
	[ -z "$CRYPTO_LOADED" ] || return 0
	CRYPTO_LOADED=1
	modprobe -a -q sha512_generic ctr ghash_generic gcm cbc ecb crypto_null \
		hmac sha256_generic sha1_generic drbg seqiv echainiv authenc \
		des_generic deflate
}

# modprobe_off: until the script ends nobody looks for modules that are not loaded.
# Each question for a family that is not there starts a program, which on a slow
# machine keeps it from being there.
modprobe_off() {
	MODPROBE=$(</proc/sys/kernel/modprobe)
	trap 'echo "$MODPROBE" >/proc/sys/kernel/modprobe' EXIT
	echo >/proc/sys/kernel/modprobe
}

# patient_kernel: it is no fault of a task to be blocked for minutes. The module waits for
# namespaces that go, before it goes and before it comes, which takes so long where all
# is slow; that the wait ends, the test's own end shows.
patient_kernel() {
	local hung=/proc/sys/kernel/hung_task_timeout_secs

	[ ! -e $hung ] || echo 1200 >$hung
}

# ipsec_key SPI BYTES: a key that no other SA has. Without a subshell, for each
# costs milliseconds in the guest, and there is a key for every SA.
ipsec_key() {
	local i word key=

	for ((i = 0; i < $2; i += 4)); do
		printf -v word %08x $((($1 * 0x9e3779b1 + (i + 1) * 0x85ebca6b) & 0xffffffff))
		key+=$word
	done
	echo -n "0x${key:0:$(($2 * 2))}"
}

# ipsec_spi PROTO DIRECTION: the SPI (for comp, the CPI) of the SA in force.
# DIRECTION is lr for left to right, or rl.
ipsec_spi() {
	local n=1

	[ "$2" = rl ] && n=2
	case $1 in
	ah)	n=$((n + 0x10)) ;;
	comp)	n=$((n + 0x20)) ;;
	esac
	printf '0x%x\n' $((IPSEC_SPI + n))
}

# The protocols of a kind, in the order they are applied to a packet.
ipsec_protos() {
	case $1 in
	none)		;;
	ah)		echo ah ;;
	ah-esp)		echo esp ah ;;
	ipcomp)		echo comp ;;
	ipcomp-esp)	echo comp esp ;;
	*)		echo esp ;;
	esac
}

# Named algorithms, as parts of "ip xfrm state add"
ipsec_enc() {
	echo -n "enc $1 "
	ipsec_key "$2" "$3"
	echo -n " "
}

ipsec_auth() {
	echo -n "auth-trunc hmac(sha256) "
	ipsec_key $(($1 + 0x10000)) 32
	echo " 128"
}

# ipsec_algorithms KIND PROTO SPI: all that one SA has
ipsec_algorithms() {
	case $1/$2 in
	*/ah)		ipsec_auth "$3" ;;
	*/comp)		echo "comp deflate" ;;
	esp-cbc/esp)	ipsec_enc "cbc(aes)" "$3" 32 && ipsec_auth "$3" ;;
	esp-null/esp)	echo -n 'enc ecb(cipher_null) "" ' && ipsec_auth "$3" ;;
	esp-bare/esp)	ipsec_enc "cbc(aes)" "$3" 32 && echo ;;
	weak-auth/esp)	ipsec_enc "cbc(aes)" "$3" 32 && echo -n "auth-trunc hmac(md5) " &&
			ipsec_key $(($3 + 0x10000)) 16 && echo " 96" ;;
	untrusted/esp)	ipsec_enc "cbc(des3_ede)" "$3" 24 && ipsec_auth "$3" ;;
	*)		echo -n "aead rfc4106(gcm(aes)) " && ipsec_key "$3" 20 && echo " 128" ;;
	esac
}

# The functions that follow print lines for "ip -batch", since starting a
# program is what takes time in the guest.

# ipsec_sas add|delete DIRECTION: all SAs of the present IPSEC_SPI one way
ipsec_sas() {
	local proto spi src=$IPSEC_LEFT dst=$IPSEC_RIGHT mode=transport extra

	[ "$2" = lr ] || src=$IPSEC_RIGHT dst=$IPSEC_LEFT
	case $IPSEC_KIND in
	tunnel | behind) mode=tunnel ;;
	across)	mode=tunnel extra="flag af-unspec" ;;
	xfrmi)	mode=tunnel extra="if_id $IPSEC_IF_ID" ;;
	natt)	extra="encap espinudp 4500 4500 $IPSEC_ANY" ;;
	esac
	for proto in $(ipsec_protos "$IPSEC_KIND"); do
		spi=$(ipsec_spi "$proto" "$2")
		echo -n "xfrm state $1 src $src dst $dst proto $proto spi $spi"
		[ "$1" = delete ] && echo && continue
		echo -n " reqid $IPSEC_REQID mode $mode $extra "
		# IPComp has no sequence numbers.
		[ "$proto" = comp ] || echo -n "replay-window 32 "
		ipsec_algorithms "$IPSEC_KIND" "$proto" "$spi"
	done
}

# ipsec_policy in|out DIRECTION
ipsec_policy() {
	local src=$LEFT_IP dst=$RIGHT_IP outer_src=$IPSEC_LEFT outer_dst=$IPSEC_RIGHT
	local proto mode=transport level extra

	[ "$2" = lr ] || src=$RIGHT_IP dst=$LEFT_IP \
		outer_src=$IPSEC_RIGHT outer_dst=$IPSEC_LEFT
	case $IPSEC_KIND in
	tunnel | behind | across) mode=tunnel ;;
	xfrmi)	mode=tunnel extra="if_id $IPSEC_IF_ID" ;;
	# A transport mode template has no addresses of its own.
	*)	outer_src=$IPSEC_ANY outer_dst=$IPSEC_ANY ;;
	esac

	echo -n "xfrm policy add src $src dst $dst dir $1 $extra"
	for proto in $(ipsec_protos "$IPSEC_KIND"); do
		level=$IPSEC_LEVEL
		# What does not shrink is sent uncompressed.
		[ "$proto" = comp ] && level=use
		# The kernel refuses an optional tunnel on the way out.
		[ "$1/$mode" = out/tunnel ] && level=required
		echo -n " tmpl src $outer_src dst $outer_dst proto $proto"
		echo -n " reqid $IPSEC_REQID mode $mode level $level"
	done
	echo
}

# Both ends of ESP in UDP need a socket that takes the packets in.
natt_up() {
	local host fd

	[ -z "$IPSEC_PIDS" ] || return 0
	for host in left right; do
		# The helper says "ready" once its sockets are bound.
		exec {fd}< <(exec "$HELPERS/netns" $host "$HELPERS/espinudp" 4500)
		IPSEC_PIDS+=" $!"
		read -r -u "$fd" || return
		exec {fd}<&-
	done
}

xfrmi_up() {
	local host n

	! left $IP link show xfrm0 >/dev/null 2>&1 || return 0
	for host in left right; do
		[ $host = left ] && n=1 || n=2
		$host $IP -batch - <<-END || return
		link add xfrm0 type xfrm dev veth if_id $IPSEC_IF_ID
		link set xfrm0 up
		addr add 10.1.0.$n/24 dev xfrm0
		addr add fd01::$n/64 dev xfrm0 nodad
		END
	done
}

# behind_up: an address of the host on the right that is not the end of its tunnel
behind_up() {
	left $IP route replace "$RIGHT_IP" via "$IPSEC_RIGHT" &&
	right $IP addr replace "$RIGHT_IP" dev lo
}

# ipsec_up KIND FAMILY [NAME=VALUE...]: protect everything between the hosts.
# KIND is one of $IPSEC_KINDS, FAMILY 4 or 6. Afterwards traffic between
# $LEFT_IP and $RIGHT_IP is what is protected. Names:
#	spi	what SPIs are counted from, default 0x1000 (see ipsec_spi)
#	reqid	default 1
#	level	of the policy: required (default), or use, which lets through
#		cleartext where there is no SA
#	if_id	of an xfrm interface, default 42
# Sets of SAs for both families can exist side by side; give them SPIs.
ipsec_up() {
	local option

	IPSEC_KIND=$1 IPSEC_FAMILY=$2
	shift 2
	IPSEC_SPI=0x1000 IPSEC_REQID=1 IPSEC_LEVEL=required IPSEC_IF_ID=42
	for option; do
		case $option in
		spi=*)		IPSEC_SPI=${option#*=} ;;
		reqid=*)	IPSEC_REQID=${option#*=} ;;
		level=*)	IPSEC_LEVEL=${option#*=} ;;
		if_id=*)	IPSEC_IF_ID=${option#*=} ;;
		*)		echo "ipsec_up: $option?" >&2; return 1 ;;
		esac
	done

	case $IPSEC_FAMILY in
	4) LEFT_IP=10.0.0.1 RIGHT_IP=10.0.0.2 IPSEC_ANY=0.0.0.0 ;;
	6) LEFT_IP=fd00::1 RIGHT_IP=fd00::2 IPSEC_ANY=:: ;;
	*) echo "ipsec_up: family $IPSEC_FAMILY?" >&2; return 1 ;;
	esac
	IPSEC_LEFT=$LEFT_IP IPSEC_RIGHT=$RIGHT_IP
	[ "$IPSEC_KIND" != none ] || return 0

	crypto_load
	case $IPSEC_KIND in
	natt)	natt_up || return ;;
	xfrmi)	xfrmi_up || return
		case $IPSEC_FAMILY in
		4) LEFT_IP=10.1.0.1 RIGHT_IP=10.1.0.2 ;;
		6) LEFT_IP=fd01::1 RIGHT_IP=fd01::2 ;;
		esac ;;
	behind)
		case $IPSEC_FAMILY in
		4) RIGHT_IP=10.2.0.2 ;;
		6) RIGHT_IP=fd02::2 ;;
		esac
		behind_up || return ;;
	across)	# a tunnel of the other address family
		case $IPSEC_FAMILY in
		4) IPSEC_LEFT=fd00::1 IPSEC_RIGHT=fd00::2 ;;
		6) IPSEC_LEFT=10.0.0.1 IPSEC_RIGHT=10.0.0.2 ;;
		esac ;;
	esac

	{ ipsec_sas add lr; ipsec_sas add rl; ipsec_policy in lr; ipsec_policy out rl; } |
		right $IP -batch - || return
	{ ipsec_sas add rl; ipsec_sas add lr; ipsec_policy in rl; ipsec_policy out lr; } |
		left $IP -batch -
}

# ipsec_rekey: add successors of the SAs, with new SPIs and keys. The old ones
# stay until ipsec_expire deletes them; the kernel sends with the new ones. No
# end sends before the other can read.
ipsec_rekey() {
	IPSEC_OLD_SPI=$IPSEC_SPI
	IPSEC_SPI=$((IPSEC_SPI + 0x100))
	ipsec_sas add lr | right $IP -batch - &&
	{ ipsec_sas add rl; ipsec_sas add lr; } | left $IP -batch - &&
	ipsec_sas add rl | right $IP -batch -
}

ipsec_expire() {
	local IPSEC_SPI=$IPSEC_OLD_SPI host

	for host in left right; do
		{ ipsec_sas delete lr; ipsec_sas delete rl; } | $host $IP -batch - || return
	done
}

# ipsec_down: back to cleartext, whatever ipsec_up set up.
ipsec_down() {
	local host pid

	for host in left right; do
		printf '%s\n' "xfrm policy flush" "xfrm state flush" |
			$host $IP -batch -
		[ "$IPSEC_KIND" != xfrmi ] || $host $IP link del xfrm0
	done
	for pid in $IPSEC_PIDS; do
		kill "$pid"
		wait "$pid" 2>/dev/null
	done
	IPSEC_PIDS=
}

# xfrm_bytes HOST in|out PROTO: the byte counter of the SA in force
xfrm_bytes() {
	local dir=lr src=$IPSEC_LEFT dst=$IPSEC_RIGHT line

	case $1/$2 in
	left/in | right/out) dir=rl src=$IPSEC_RIGHT dst=$IPSEC_LEFT ;;
	esac
	$1 $IP -s xfrm state get src "$src" dst "$dst" proto "$3" \
		spi "$(ipsec_spi "$3" $dir)" |
	while read -r line; do
		[ "$line" = "lifetime current:" ] || continue
		read -r line
		echo "${line%%(*}"
	done
}
