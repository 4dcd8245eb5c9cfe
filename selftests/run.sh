#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ipsec-token run: unchanged programs on the host left whose connections to the host
# right are protected as required, or are not at all; and how they try to get away.

# shellcheck source=lib.sh
. selftests/lib.sh

COMMAND=$BUILD/tools/ipsec-token
CLIENT=$HELPERS/client	# linked statically
CGROUPS=/sys/fs/cgroup
PORT=80
dir=$(mktemp -d)
chmod 777 "$dir"

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# ran COMMAND...: sets status, out and err
ran() {
	out=$("$@" 2>"$dir/err")
	status=$?
	err=$(<"$dir/err")
}

# held OPTION... -- COMMAND...: the same on left, by way of run
held() {
	ran left timeout 60 "$COMMAND" run "$@"
}

# served TEXT: the page came
served() {
	if [ "$status" = 0 ] && [[ $out == *"a page"* ]]; then
		ok "IPv$family: $1"
	else
		not_ok "IPv$family: $1"
		diag "exit $status" "$out" "$err"
	fi
}

# barred TEXT: it did not, though the program was started, and nothing left in clear
barred() {
	local seen

	seen=$(unwatch)
	if [ "$status" != 0 ] && [ "$status" -lt 124 ] && [[ $out != *"a page"* ]] &&
	   [ "$seen" = 0 ]; then
		ok "IPv$family: $1"
	else
		not_ok "IPv$family: $1"
		diag "exit $status, $seen packets in clear" "$out" "$err" "$(<"$dir/seen")"
	fi
	watch
}

# not_started TEXT PATTERN: for this reason
not_started() {
	if [ "$status" = 125 ] && [ -z "$out" ] && [[ $err =~ $2 ]] && [ ! -e "$dir/started" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "exit $status, wanted 125 and /$2/" "$out" "$err"
		rm -f "$dir/started"
	fi
}

# watch: see what leaves left in clear
watch() {
	# what the one before has said is not said by this one
	rm -f "$dir/watching"
	"$HELPERS/netns" left tcpdump -nn -l --immediate-mode -i veth \
		'tcp or udp or icmp or proto 136 or arp or (icmp6 and ip6[40] == 128)' \
		>"$dir/seen" 2>"$dir/watching" &
	watcher=$!
	until grep -qs '^listening' "$dir/watching" || ! kill -0 $watcher; do
		sleep 0.1
	done
}

# unwatch: how much did? It is slow to tell, so something that is looked for comes last.
unwatch() {
	local address=10.0.0.$((RANDOM % 150 + 100)) i

	for ((i = 0; i < 100; i++)); do
		left bash -c "echo >/dev/udp/$address/9" 2>/dev/null
		sleep 0.2
		! grep -q "who-has $address " "$dir/seen" || break
	done
	kill $watcher
	if [ "$i" = 100 ]; then
		echo "nobody watched"
	else
		grep -c ' > ' "$dir/seen"
	fi
}

sas() {
	echo "sa esp $(ipsec_spi esp rl) $LEFT_IP sa esp $(ipsec_spi esp lr) $RIGHT_IP"
}

bind() {
	# shellcheck disable=SC2046 # several words
	left "$COMMAND" identity bind $(sas) "$@"
}

unbind() {
	# shellcheck disable=SC2046 # several words
	left "$COMMAND" identity unbind $(sas)
}

groups_left() {
	find $CGROUPS -name 'ipsec-token-run-*' | wc -l
}

T_CLEAR=13
t_clear() {
	ran left "$CLIENT" udplite "$RIGHT_IP" $PORT
	is "$status$out $(($(unwatch) > 0))" "0sent 1" "IPv$family: without run: UDP-Lite"
	watch
	ran left ping -c 1 -W 1 "$RIGHT_IP"
	is "$status $(($(unwatch) > 0))" "0 1" "IPv$family: without run: an echo request"
	watch
	ran left "${fetch[@]}"
	served "without run: in clear"
	is "$(($(unwatch) > 0))" 1 "IPv$family: which is seen"
	watch
	held --require privacy --timeout 2 -- "${fetch[@]}"
	barred "in clear: curl"
	held --require privacy --timeout 2 -- "$CLIENT" here "$RIGHT_IP" $PORT
	barred "in clear: a program that is statically linked"
	held --require privacy --timeout 2 -- "$CLIENT" thread "$RIGHT_IP" $PORT
	barred "in clear: a thread"
	held --require privacy --timeout 2 -- sh -c "setsid sh -c '${fetch[*]}'"
	barred "in clear: a child of a child, in a session of its own"
	held --require privacy --timeout 2 -- "$CLIENT" udp "$RIGHT_IP" $PORT
	is "$((status < 2)) $(unwatch)" "1 0" "IPv$family: in clear: a datagram"
	watch
	# of what cannot be judged, nothing leaves
	held --require privacy --timeout 2 -- "$CLIENT" udplite "$RIGHT_IP" $PORT
	is "$status$out $(unwatch)" "1failed: Operation not permitted 0" \
		"IPv$family: in clear: UDP-Lite"
	watch
	held --require privacy --timeout 2 -- ping -c 1 -W 1 "$RIGHT_IP"
	is "$((status == 1 || status == 2)) $(unwatch)" "1 0" "IPv$family: in clear: an echo request"
	watch

	# A daemon outlives the one who is waited for, and so does what holds it.
	held --require privacy --timeout 2 -- \
		sh -c "'$CLIENT' daemon '$RIGHT_IP' $PORT >'$dir/daemon' 2>&1"
	is "$status $(groups_left)" "0 1" "IPv$family: a daemon is left behind, and its group"
	sleep 6
	out=$(<"$dir/daemon")
	[[ $out == "failed: "* ]] && status=1 || status=125
	barred "in clear: a daemon"
	rmdir $CGROUPS/ipsec-token-run-*
}

T_PROTECTED=7
t_protected() {
	local before

	before=$(xfrm_bytes left out esp)
	held --require privacy,integrity -- "${fetch[@]}"
	served "protected: curl"
	check "IPv$family: protected: ESP has left" [ "$(xfrm_bytes left out esp)" -gt "$before" ]
	held --require privacy,integrity -- "$CLIENT" here "$RIGHT_IP" $PORT
	served "protected: a program that is statically linked"
	held --require privacy,integrity -- "$CLIENT" thread "$RIGHT_IP" $PORT
	served "protected: a thread"
	held --require privacy,compression --timeout 2 -- "${fetch[@]}"
	barred "protected, but not compressed"
	held --require end-to-end,no-compression -- "${fetch[@]}"
	served "protected end to end, and not compressed"
	is "$(groups_left)" 0 "IPv$family: no group is left"
}

T_PEER=8
t_peer() {
	local before

	held --require privacy --peer-id server.example --timeout 2 -- "${fetch[@]}"
	barred "a peer of whom nothing is known"
	bind method presharedkey id server.example
	held --require privacy --peer-id server.example -- "${fetch[@]}"
	served "the right peer"
	before=$(xfrm_bytes left out esp)
	held --require privacy --peer-id other.example --timeout 2 -- "${fetch[@]}"
	barred "the wrong peer"
	is "$(xfrm_bytes left out esp)" "$before" "IPv$family: who has got nothing at all"
	held --method pkix --timeout 2 -- "${fetch[@]}"
	barred "the right peer, otherwise authenticated"
	unbind
	bind method pkix_trusted cert "$dir/peer.pem"
	held --peer 'cn=server , o=Ein\2C Zwei' -- "${fetch[@]}"
	served "the right certificate"
	held --peer 'CN=server' --timeout 2 -- "${fetch[@]}"
	barred "another certificate"
	unbind
	bind method btns id server.example
	held --peer-id server.example --timeout 2 -- "${fetch[@]}"
	barred "a stranger who calls itself so"
	unbind
}

T_ESCAPE=8
t_escape() {
	local out_of="echo 0 >$CGROUPS/cgroup.procs"

	# What holds is the group: root may leave it, and others may not.
	held --require privacy --timeout 2 -- sh -c "$out_of && ${fetch[*]}"
	served "root may leave the group"
	unwatch >/dev/null
	watch
	held --require privacy --timeout 2 -- "${nobody[@]}" sh -c "$out_of; ${fetch[*]}"
	[[ $err == *ermission* ]] || status=0
	barred "nobody else may"
	held --require privacy --timeout 2 -- "${nobody[@]}" sh -c "($out_of; ${fetch[*]}) 2>&1 | cat"
	is "$(unwatch) ${out##*a page*}" "0 $out" "IPv$family: a child of its own neither"
	watch
	held --require privacy --timeout 2 -- "${nobody[@]}" unshare -Ur sh -c "$out_of; ${fetch[*]}"
	barred "nor the root of a user namespace of its own"
	held --require integrity -- "$COMMAND" run --require privacy --timeout 2 -- "${fetch[@]}"
	barred "a requirement in another one: the inner one holds"
	held --require privacy --timeout 2 -- "$COMMAND" run --require integrity -- "${fetch[@]}"
	barred "a requirement in another one: the outer one holds"

	# Somebody from outside does not get in, either.
	held --require privacy --timeout 2 -- "$CLIENT" server "$LEFT_IP" $((PORT + 1)) &
	sleep 1.5
	ran right timeout 2 bash -c 'exec 3<>/dev/tcp/$1/$2' - "$LEFT_IP" $((PORT + 1))
	is "$((status > 0))" 1 "IPv$family: a server is not reached in clear"
	wait $!
	# the question was seen, and must have gone without an answer
	is "$(unwatch >/dev/null; grep -c " $LEFT_IP.$((PORT + 1)) > " "$dir/seen")" 0 \
		"IPv$family: and does not answer"
	watch
}

T_GROUPS=17
t_groups() {
	local mine=$CGROUPS/mine entered="$COMMAND run --require privacy --timeout 2"

	# delegated, as a service manager does
	mkdir $mine
	chown 65534 $mine $mine/cgroup.{procs,threads,subtree_control}
	ran left sh -c "echo 0 >$mine/cgroup.procs
		exec ${nobody[*]} $entered -- cat /proc/self/cgroup"
	is "$status ${out%-*}" "0 0::/mine/ipsec-token-run" \
		"an unprivileged user, in a group of their own"
	ran left sh -c "echo 0 >$mine/cgroup.procs
		exec ${nobody[*]} $entered -- ${fetch[*]}"
	barred "an unprivileged user is held"
	ran left sh -c "echo 0 >$mine/cgroup.procs
		exec ${nobody[*]} $entered --cgroup $mine -- true"
	is "$status$err" 0 "--cgroup"
	rmdir $mine

	ran left "${nobody[@]}" "$COMMAND" run --require privacy -- touch "$dir/started"
	not_started "a group that is somebody else's" \
		'^ipsec-token: cgroup: .*: Permission denied \(.*systemd-run --user --scope'
	ran left "${nobody[@]}" "$COMMAND" run --cgroup $CGROUPS --require privacy -- \
		touch "$dir/started"
	not_started "--cgroup: somebody else's" 'Permission denied'
	held --cgroup /tmp --require privacy -- touch "$dir/started"
	not_started "--cgroup: no group" '/tmp: is no control group of version 2$'
	held --cgroup /nonsense --require privacy -- touch "$dir/started"
	not_started "--cgroup: nothing" '/nonsense: No such file'
	ran left unshare -m sh -c "umount -l $CGROUPS; $COMMAND run --require privacy -- \
		touch '$dir/started'"
	not_started "no groups at all" 'there are no control groups of version 2 here$'

	# a group that other processes are kept from has controllers for those below
	mkdir $CGROUPS/full
	echo +pids >$CGROUPS/cgroup.subtree_control
	echo +pids >$CGROUPS/full/cgroup.subtree_control
	held --cgroup $CGROUPS/full --require privacy -- true
	is "$status$err" 0 "a group that has controllers for those below"
	rmdir $CGROUPS/full

	# shellcheck disable=SC2016 # expanded by the inner shell
	ran left bash -c 'exec 5<>"/dev/udp/$0/9"; "$@"' "$RIGHT_IP" \
		"$COMMAND" run --require privacy -- touch "$dir/started"
	not_started "a socket that is handed down" 'descriptor 5 is a socket'
	# shellcheck disable=SC2016
	ran left bash -c 'exec 5<>"/dev/udp/$0/9"; "$@"' "$RIGHT_IP" \
		"$COMMAND" run --inherit --require privacy -- true
	is "$status$err" 0 "--inherit"

	held --require privacy -- sh -c 'exit 7'
	is "$status" 7 "the exit status of the program"
	held --require privacy -- sh -c 'kill -KILL $$'
	is "$status" 137 "a program that was killed"
	held --require privacy -- /nonsense
	is "$status $err" "127 ipsec-token: /nonsense: No such file or directory" "no program"
	held --require privacy -- /
	is "$status" 126 "what is no program"
	"$HELPERS/netns" left "$COMMAND" run --require privacy -- \
		sh -c 'trap "exit 9" TERM; echo >"$0"; while :; do sleep 0.1; done' "$dir/up" &
	until [ -e "$dir/up" ] || ! kill -0 $!; do
		sleep 0.1
	done
	kill -TERM $!
	wait $!
	is "$?" 9 "a signal is passed on"
	is "$(groups_left)" 0 "no group is left"
}

T_LOOPBACK=3
t_loopback() {
	left busybox httpd -p "$listen:$PORT" -h "$dir/www"
	held --require privacy -- "$CLIENT" here "$LEFT_IP" $PORT
	served "within the host"
	held --require privacy --loopback -- "$CLIENT" here "$LEFT_IP" $PORT
	served "within the host: --loopback"
	held --require privacy --no-loopback --timeout 2 -- "$CLIENT" here "$LEFT_IP" $PORT
	barred "within the host: --no-loopback"
}

T_COMMAND_LINE=7
t_command_line() {
	local words

	out=
	while read -r words; do
		# shellcheck disable=SC2086 # several words
		ran "$COMMAND" run ${words% : *}
		not_started "run ${words% : *}" "${words#* : }"
	done <<-END
	touch $dir/started : nothing is required
	--require privacy : run needs a program
	--require privacy --timeout 0 touch $dir/started : --timeout: "0" is no number from 1 to 600
	--require privacy --timeout 601 touch $dir/started : --timeout: "601" is no number
	--peer CN=* touch $dir/started : --peer: "CN=[*]" has a "[*]"
	--peer-id *.example touch $dir/started : --peer-id: "[*].example" has a "[*]"
	END
	"$COMMAND" run help | grep -q '^Usage: ipsec-token run ' &&
		ok "run help" || not_ok "run help"
}

plan $((T_COMMAND_LINE + T_GROUPS + 2 * (T_CLEAR + T_PROTECTED + T_PEER + T_ESCAPE + T_LOOPBACK)))
mountpoint -q $CGROUPS || mount -t cgroup2 cgroup $CGROUPS
mkdir "$dir/www"
echo "a page" >"$dir/www/index.html"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/peer.key" \
	-out "$dir/peer.pem" -days 9 -subj '/O=Ein, Zwei/CN=server' 2>/dev/null
t_command_line
for family in 4 6; do
	net_up
	ipsec_up none $family
	url=$RIGHT_IP
	[ $family = 4 ] || url="[$RIGHT_IP]"
	fetch=(curl -gs --max-time 8 "http://$url/")
	[ $family = 4 ] && listen=0.0.0.0 || listen="[::]"
	right busybox httpd -p "$listen:$PORT" -h "$dir/www"
	watch
	t_clear
	[ $family != 4 ] || t_groups
	t_escape
	t_loopback
	ipsec_up esp-gcm $family spi=0x3000
	t_protected
	t_peer
	unwatch >/dev/null
	net_down
done
finish
