#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ipsec-tokend as a service, with no keying daemon: the unit and its sandbox, the
# configuration, what it tells systemd and the journal, signals, and that SAs
# bound by hand outlive it.

# shellcheck source=lib.sh
. selftests/lib.sh

TOKEND=$BUILD/tools/tokend/ipsec-tokend
COMMAND=$BUILD/tools/ipsec-token
UNIT=tools/tokend/ipsec-tokend.service
dir=$(mktemp -d)

# await FILE PATTERN TEXT: a line like this is, or soon will be, in the file
await() {
	local i

	for ((i = 0; i < 100; i++)); do
		if grep -qE -- "$2" "$1"; then
			ok "$3"
			return
		fi
		sleep 0.2
	done
	not_ok "$3"
	diag "no /$2/ in" "$(<"$1")"
}

# ------------------------------------------------------------------------ unit

t_unit() {
	local exposure

	sed "s,/usr/local/sbin,$BUILD/tools/tokend," $UNIT >"$dir/ipsec-tokend.service"
	check "unit: systemd has no complaint" sh -c \
		"systemd-analyze verify --man=no '$dir/ipsec-tokend.service' 2>'$dir/verify' &&
		 ! grep . '$dir/verify'"
	exposure=$(systemd-analyze security --offline=true --no-pager --json=short \
		"$dir/ipsec-tokend.service" | jq '[.[] | .exposure // "0" | tonumber] | add * 10 | round')
	diag "exposure in tenths, as systemd-analyze adds it up: $exposure"
	check "unit: systemd calls it safe" systemd-analyze security --offline=true --no-pager \
		--threshold=16 "$dir/ipsec-tokend.service"
	for line in Type=notify Restart=always StateDirectoryMode=0700 \
		    CapabilityBoundingSet=CAP_NET_ADMIN NoNewPrivileges=yes ProtectSystem=strict \
		    'RestrictAddressFamilies=AF_NETLINK AF_UNIX'; do
		check "unit: $line" grep -qx "$line" $UNIT
	done
}

# What the filter of the unit lets through, one name a line.
allowed() {
	local -A seen

	# expand NAME: the system calls of a set
	expand() {
		local name

		while read -r name; do
			case $name in
			"#"* | "")	;;
			@*)		[ -n "${seen[$name]}" ] || { seen[$name]=1; expand "$name"; } ;;
			*)		echo "$name" ;;
			esac
		done < <(systemd-analyze syscall-filter --no-pager "$1" | tail -n +2)
	}
	seen=()
	expand @system-service | sort -u >"$dir/let"
	seen=()
	{ expand @privileged; expand @resources; } | sort -u >"$dir/not"
	comm -23 "$dir/let" "$dir/not"
}

# ----------------------------------------------------------------------- running

# agent [COMMAND...]: start it as the unit would, with fresh logs
agent() {
	: >"$dir/log"
	: >"$dir/state"
	NOTIFY_SOCKET=$dir/notify JOURNAL_STREAM=1:1 exec "$HELPERS/netns" left \
		setpriv --no-new-privs --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin \
		"$@" "$TOKEND" -c "$dir/conf" >>"$dir/out" 2>>"$dir/log" &
	AGENT=$!
}

bound() {
	left "$COMMAND" -j stats | jq .bindings
}

t_check_config() {
	local out status

	printf '[agent]\nlog-level = debug\nknown-keys = %s/known\n[strongswan]\nenabled = no\n' \
		"$dir" >"$dir/conf"
	is "$("$TOKEND" --check-config -c "$dir/conf" 2>&1)$?" 0 "--check-config: good, without a word"
	printf '[agent]\nlog-level = loud\n' >"$dir/bad"
	out=$("$TOKEND" --check-config -c "$dir/bad" 2>&1)
	status=$?
	is "$status ${out#*bad:}" "1 2: log-level: must be error, warning, notice, info or debug" \
	   "--check-config: what is wrong, and where"
	out=$("$TOKEND" --check-config -c "$dir/none" 2>&1)
	is "$? ${out##*: }" "1 No such file or directory" "--check-config: there is none"
	out=$("$TOKEND" -c "$dir/bad" 2>&1)
	is "$? $(wc -l <<<"$out")" "1 1" "nor does it start with a mistake"
	"$TOKEND" --nonsense >/dev/null 2>&1
	is $? 2 "an option that is none"
	"$TOKEND" operand >/dev/null 2>&1
	is $? 2 "an operand"
}

t_life() {
	"$HELPERS/notify_socket" "$dir/notify" >"$dir/state" &
	NOTIFY=$!
	until [ -S "$dir/notify" ]; do
		sleep 0.1
	done
	left "$COMMAND" identity bind sa esp 0x1001 10.0.0.2 sa esp 0x1002 10.0.0.1 \
		method groupkey id peer.example
	is "$(bound)" 2 "both SAs are bound by hand"

	agent
	await "$dir/state" '^READY=1$' "systemd is told when it is ready"
	await "$dir/log" '^<5>started, 2 SAs$' "the journal is told, with the priority"
	is "$(<"/proc/$AGENT/comm") $(grep CapBnd "/proc/$AGENT/status" | tr -d '[:space:]')" \
	   "ipsec-tokend CapBnd:0000000000001000" "it stays in the foreground, with one capability"

	cp "$dir/conf" "$dir/good"
	printf '[agent]\nlog-level = loud\n' >"$dir/conf"
	kill -HUP $AGENT
	await "$dir/log" '^<3>.*/conf has a mistake, nothing was changed$' "SIGHUP: a mistake is told of"
	check "SIGHUP: where it is" grep -q '/conf:2: log-level: must be' "$dir/log"
	is "$(grep -c RELOADING "$dir/state")" 0 "SIGHUP: and systemd is told of no change"
	sed 's/debug/info/' "$dir/good" >"$dir/conf"
	kill -HUP $AGENT
	await "$dir/log" '^<5>configuration read again$' "SIGHUP: the configuration is read again"
	await "$dir/state" '^RELOADING=1$' "SIGHUP: systemd is told"
	is "$(grep -c '^READY=1$' "$dir/state")" 2 "SIGHUP: and when that is over"

	kill -9 $AGENT
	wait $AGENT 2>/dev/null
	is "$(bound)" 2 "killed: the bindings stay"
	agent
	await "$dir/log" '^<5>started, 2 SAs$' "and it starts again"
	is "$(bound)" 2 "and leaves what was bound by hand"
	rmmod ipsec_token
	await "$dir/log" '^<5>kernel module unloaded$' "the module is unloaded"
	insmod "$MODULE"
	await "$dir/log" '^<5>bound 2 SAs that the kernel module did not know$' \
	      "and is told of them when it is loaded anew"
	is "$(left "$COMMAND" -j identity | jq -c 'map(.["ike-id"], .source)')" \
	   '["peer.example","by hand","peer.example","by hand"]' "all of it"

	kill -TERM $AGENT
	wait $AGENT
	is $? 0 "SIGTERM: it ends well"
	await "$dir/state" '^STOPPING=1$' "SIGTERM: systemd is told"
	is "$(tail -n 1 "$dir/log")" "<5>stopped" "SIGTERM: the journal too"
	is "$(grep -cvE '^<[3-7]>[^[:cntrl:]]+$|^/.*: log-level: must be' "$dir/log")" 0 \
	   "the journal: one line for each event, with a priority"
	is "$(cat "$dir/out")" "" "nothing goes to standard output"
}

# The kernel would end it for a system call, or refuse a family of addresses.
t_sandbox() {
	allowed >"$dir/allowed"
	check "filter: it lets through what there is, and not all" sh -c \
		"grep -qx recvfrom '$dir/allowed' && ! grep -qxE 'reboot|chown|mount' '$dir/allowed'"
	agent strace -f -qq -o "$dir/trace"
	await "$dir/state" '^READY=1$' "it runs under strace"
	kill -HUP "$(pgrep -x ipsec-tokend)"
	await "$dir/log" '^<5>configuration read again$' "and reads its configuration again"
	kill -TERM "$(pgrep -x ipsec-tokend)"
	wait $AGENT
	# and what the file of known keys takes, with tests that fork and link beside it
	strace -f -qq -o "$dir/trace.known" "$BUILD/selftests/known_file" links lines \
		>/dev/null
	cat "$dir/trace" "$dir/trace.known" | sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' | sort -u \
		>"$dir/made"
	check "filter: something was traced" grep -qx recvfrom "$dir/made"
	check "filter: known keys were traced" grep -qx flock "$dir/made"
	is "$(comm -23 "$dir/made" "$dir/allowed" | paste -s)" "" \
	   "filter: no system call that it does not let through"
	is "$(sed -nE 's/.* socket\((AF_[A-Z0-9]+),.*/\1/p' "$dir/trace" | sort -u | paste -s -d ' ')" \
	   "AF_NETLINK AF_UNIX" "no other family of addresses"
	is "$(sed -nE 's/.* openat\([^"]*"([^"]*)", [^)]*O_(WRONLY|RDWR|CREAT).*/\1/p' "$dir/trace")" \
	   "" "no file is opened to be written"
}

plan 44
t_unit
net_up
ipsec_up esp-gcm 4
t_check_config
t_life
t_sandbox
kill $NOTIFY
rm -r "$dir"
finish
