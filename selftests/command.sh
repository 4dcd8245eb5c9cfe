#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The command ipsec-token(8): what it prints, for people and for programs, and
# what it refuses, in the words of the kernel.

# shellcheck source=lib.sh
. selftests/lib.sh

COMMAND=$BUILD/tools/ipsec-token
PORT=7777
dir=$(mktemp -d)

# ran COMMAND...: sets status, out and err
ran() {
	out=$("$@" 2>"$dir/err")
	status=$?
	err=$(<"$dir/err")
}

# The functions that follow start no programs: there are many results here.

# line PATTERN TEXT: some line of the text, its spaces squeezed, is like this
line() {
	local -a words

	while read -r -a words; do
		[[ ${words[*]} =~ $1 ]] && return
	done <<<"$2"
	return 1
}

# says TEXT PATTERN: the output has such a line
says() {
	if [ "$status" = 0 ] && line "$2" "$out"; then
		ok "$1"
	else
		not_ok "$1"
		diag "no /$2/, exit $status" "$out" "$err"
	fi
}

# fails TEXT STATUS PATTERN: no output, and one line with such a reason
fails() {
	if [ "$status" = "$2" ] && [ -z "$out" ] && [[ $err != *$'\n'* && $err =~ $3 ]]; then
		ok "$1"
	else
		not_ok "$1"
		diag "exit $status, wanted $2 and /$3/" "$out" "$err"
	fi
}

# lines N TEXT: so many lines of output
lines() {
	local -a got

	mapfile -t got <<<"$out"
	is "$status ${#got[@]}" "0 $1" "$2"
}

# json TEXT FILTER: the output is JSON, and the filter says true
json() {
	if [ $status = 0 ] && jq -es "$2" <<<"$out" >/dev/null 2>"$dir/jq"; then
		ok "$1"
	else
		not_ok "$1"
		diag "not $2, exit $status" "$out" "$err" "$(<"$dir/jq")"
	fi
}

# await FILE PATTERN TEXT: a line like this is, or soon will be, in the file
await() {
	local i

	for ((i = 0; i < 50; i++)); do
		if grep -qE -- "$2" "$1"; then
			ok "$3"
			return
		fi
		sleep 0.2
	done
	not_ok "$3"
	diag "no /$2/ in" "$(<"$1")"
}

# All that root has, but the one capability that the command needs.
unprivileged=(setpriv --bounding-set=-net_admin --inh-caps=-net_admin)

holders=()

# hold FROM TO: a connection that lasts until the test ends
hold() {
	local in out

	mkfifo "$dir/$1"
	exec {out}< <(exec "$HELPERS/netns" left "$HELPERS/demo" tcp "$1" "$2" $PORT <"$dir/$1")
	holders+=($!)
	exec {in}>"$dir/$1"
	echo ask >&"$in"
	read -r -t 20 -u "$out" && read -r -t 20 -u "$out"
}

unload() {
	local i

	# Sockets of a process that was killed go a little later.
	for ((i = 0; i < 50; i++)); do
		rmmod ipsec_token 2>/dev/null && return
		sleep 0.1
	done
	rmmod ipsec_token
}

t_command_line() {
	ran "$COMMAND"
	is "$status ${err%% *}" "2 Usage:" "no object: usage, exit 2"
	ran "$COMMAND" help
	says "help" '^Usage: ipsec-token '
	ran "$COMMAND" --help
	says "--help" '^Usage: ipsec-token '
	for object in context sockets latch identity known resolve gate run untrusted monitor stats config; do
		ran "$COMMAND" help $object
		says "help $object" "^Usage: ipsec-token $object"
		is "$("$COMMAND" $object help)" "$out" "$object help is the same"
	done
	ran "$COMMAND" -V
	says "-V" '^ipsec-token [0-9]+\.[0-9]+\.[0-9]+$'

	ran "$COMMAND" nonsense
	fails "unknown object" 2 'no object "nonsense"'
	ran "$COMMAND" co
	fails "ambiguous object" 2 '"co" is short for both context and config'
	ran "$COMMAND" ""
	fails "empty object" 2 'no object ""'
	ran "$COMMAND" context nonsense
	fails "unknown verb" 2 'no verb "nonsense" for context'
	ran "$COMMAND" help nonsense
	fails "help for an unknown object" 2 'no object "nonsense"'
	ran "$COMMAND" -c=sometimes stats
	fails "unknown choice of colour" 2 'no such choice of colour'
	ran "$COMMAND" -x
	fails "unknown option" 2 "invalid option -- 'x'"
	for words in "context list 1" "context show" "context show x" "context show -1" \
		     "context show 0x" "context show 18446744073709551616" \
		     "sockets list all" "resolve" "resolve --fd" "resolve --fd x" \
		     "resolve --fd -1" "resolve x" "untrusted list x" "untrusted add" \
		     "untrusted del a b" "monitor all" "stats show x" "config show x" \
		     "config set" "config set linger" "config set linger x" \
		     "config set linger 4294967296" "config set nonsense 1" \
		     "config set latch" "config set latch 1" "config set latch offf" \
		     "latch list all"; do
		# shellcheck disable=SC2086 # several words
		ran "$COMMAND" $words
		fails "$words" 2 '\(see ipsec-token help\)$'
	done
	check "full output device" sh -c "! '$COMMAND' help >/dev/full 2>/dev/null"
}

t_nothing_yet() {
	ran right "$COMMAND" context
	lines 1 "context: nothing but the heading"
	ran right "$COMMAND" -j context
	json "context, JSON: an empty list" '. == [[]]'
	ran right "$COMMAND" sockets
	lines 1 "sockets: nothing but the heading"
	ran right "$COMMAND" -j sockets
	json "sockets, JSON: an empty list" '. == [[]]'
	ran right "$COMMAND" context show 1
	fails "context show: there is none" 1 '^ipsec-token: .*no such context'
	ran right "$COMMAND" context show 0
	fails "context show 0" 1 '^ipsec-token: .*no such context'
	ran right "$COMMAND" context show 18446744073709551615
	fails "context show, the highest number" 1 '^ipsec-token: .*no such context'
}

# One protected, one in clear, of each family.
t_sockets() {
	local out ready

	ipsec_up esp-gcm 6 spi=0x3000 reqid=2
	ipsec_up esp-gcm 4
	exec {out}< <(exec "$HELPERS/netns" right "$HELPERS/demo" serve :: $PORT)
	holders+=($!)
	read -r -t 20 -u "$out" ready
	is "$ready" ready "a server for both families"
	hold 10.0.0.1 10.0.0.2
	hold 10.0.0.3 10.0.0.2
	hold fd00::1 fd00::2
	hold fd00::3 fd00::2

	ran left "$COMMAND" sockets
	says "sockets: heading" '^STATE LOCAL PEER IDENTITY PROTECTION$'
	says "sockets: IPv4" \
	     '^ESTAB 10.0.0.1:[0-9]+ 10.0.0.2:7777 - esp privacy integrity end-to-end ctx [0-9]+$'
	says "sockets: IPv4 in clear" '^ESTAB 10.0.0.3:[0-9]+ 10.0.0.2:7777 - none$'
	says "sockets: IPv6" \
	     '^ESTAB \[fd00::1\]:[0-9]+ \[fd00::2\]:7777 - esp privacy integrity end-to-end ctx [0-9]+$'
	says "sockets: IPv6 in clear" '^ESTAB \[fd00::3\]:[0-9]+ \[fd00::2\]:7777 - none$'
	lines 5 "sockets: nothing else"
	ran right "$COMMAND" sockets
	says "sockets: IPv4-mapped" \
	     '^ESTAB \[::ffff:10.0.0.2\]:7777 \[::ffff:10.0.0.1\]:[0-9]+ - esp privacy integrity end-to-end ctx'
	says "sockets: IPv4-mapped in clear" \
	     '^ESTAB \[::ffff:10.0.0.2\]:7777 \[::ffff:10.0.0.3\]:[0-9]+ - none$'
	is "$(right "$COMMAND" so l)" "$out" "sockets: so l"

	ran right "$COMMAND" -j sockets
	json "sockets, JSON: four of them" 'length == 1 and (.[0] | length) == 4'
	json "sockets, JSON: protected" '.[0] | map(select(.protection == "protected" and
		.privacy and .integrity and ."end-to-end" and .tunnel == false and
		.compression == false and .context > 0)) | length == 2'
	json "sockets, JSON: in clear" '.[0] | map(select(.protection == "none" and
		.context == null)) | map(.peer) | sort == ["::ffff:10.0.0.3", "fd00::3"]'
	json "sockets, JSON: ports and families" '.[0] | all(."local-port" == 7777 and
		."peer-port" > 0 and .family == "inet6" and .state == "ESTAB")'
	ran right "$COMMAND" -j -p sockets
	json "sockets, pretty JSON" '.[0] | length == 4'
	lines 52 "sockets, pretty JSON: one line for each value"
}

t_latch() {
	ran right "$COMMAND" latch
	says "latch: heading" '^STATE PROTO LOCAL PEER KEPT TO IF BROKEN REFUSED$'
	says "latch: a listener" '^LISTENER tcp \[::\]:7777 - - - -$'
	says "latch: a connection" \
	     '^ESTABLISHED tcp \[::ffff:10.0.0.2\]:7777 \[::ffff:10.0.0.1\]:[0-9]+ ctx [0-9]+ stall 0$'
	lines 4 "latch: those in clear are not latched"
	ran right "$COMMAND" -j latch list
	json "latch, JSON" '.[0] | (map(.state) | sort) ==
		["ESTABLISHED", "ESTABLISHED", "LISTENER"] and
		(map(select(.context)) | length) == 2 and
		all(.protocol == "tcp" and ."local-port" == 7777)'
}

t_context() {
	ran right "$COMMAND" context list
	says "context list: heading" '^ID LOCAL PEER SAS USERS ESTABLISHED IDENTITY PROTECTION$'
	says "context list: IPv4" '^[0-9]+ 10.0.0.2 10.0.0.1 2 1 .* - esp privacy integrity end-to-end$'
	says "context list: IPv6" '^[0-9]+ fd00::2 fd00::1 2 1 .* - esp privacy integrity end-to-end$'
	lines 3 "context list: nothing else"
	is "$(right "$COMMAND" cont)" "$out" "context list: cont"

	id=$(awk '$2 == "10.0.0.2" { print $1 }' <<<"$out")
	ran right "$COMMAND" context show "$id"
	says "context show: id" "^context $id\$"
	says "context show: privacy" '^privacy yes$'
	says "context show: integrity" '^integrity yes$'
	says "context show: compression" '^compression no$'
	says "context show: tunnel" '^tunnel no$'
	says "context show: end to end" '^end-to-end yes$'
	says "context show: users" '^users 1$'
	says "context show: audit string" \
	     '^audit ESP transport 10.0.0.2<->10.0.0.1 spi in 0x00001001 out 0x00001002 rfc4106\(gcm\(aes\)\) 128 bits icv 128 bits$'
	says "context show: inbound SA" '^in esp transport 0x00001001 10.0.0.2 10.0.0.1 1 [1-9]'
	says "context show: outbound SA" '^out esp transport 0x00001002 10.0.0.2 10.0.0.1 1 [1-9]'
	is "$(right "$COMMAND" con s "$id" 2>&1)" \
	   'ipsec-token: "con" is short for both context and config (see ipsec-token help)' \
	   "context show: con s"
	is "$(right "$COMMAND" cont s "$(printf 0x%x "$id")")" "$out" \
	   "context show: cont s, hexadecimal"

	ran right "$COMMAND" -j context list
	json "context list, JSON" '.[0] | length == 2 and all(.protected and .privacy and
		.integrity and .users == 1 and (.sa | length) == 2)'
	ran right "$COMMAND" -j context show "$id"
	json "context show, JSON" ".[0] | .id == $id and .protected and .\"end-to-end\" and
		.established > 0 and (.audit | startswith(\"ESP transport 10.0.0.2\"))"
	json "context show, JSON: SAs" '.[0].sa | map({direction, spi, protocol, mode, local,
		peer, reqid}) | sort_by(.spi) == [
		{direction: "in", spi: 4097, protocol: "esp", mode: "transport",
		 local: "10.0.0.2", peer: "10.0.0.1", reqid: 1},
		{direction: "out", spi: 4098, protocol: "esp", mode: "transport",
		 local: "10.0.0.2", peer: "10.0.0.1", reqid: 1}]'
	json "context show, JSON: algorithm" '.[0].sa | all(.encryption ==
		{name: "rfc4106(gcm(aes))", number: 20, "key-bits": 128} and ."icv-bits" == 128)'
	is "$(grep -ciE "key[^-]|$(ipsec_key 0x1001 20 | cut -c 3-20)" <<<"$out")" 0 \
	   "context show, JSON: no key"

	# It belongs to the other namespace only.
	ran "$COMMAND" -j context
	json "context: another namespace has none" '. == [[]]'
}

t_resolve() {
	local shell='exec 3<>/dev/tcp/$1/$2; shift 2; "$@"'

	ran left bash -c "$shell" bash 10.0.0.2 $PORT "$COMMAND" resolve --fd 3
	says "resolve: privacy" '^privacy yes$'
	says "resolve: audit string" '^audit ESP transport 10.0.0.1<->10.0.0.2 spi in 0x00001002 out'
	ran left bash -c "$shell" bash fd00::2 $PORT "$COMMAND" -j resolve --fd 3
	json "resolve, JSON" '.[0] | .protected and .privacy and .id == null and
		(.sa | length) == 2'
	ran left bash -c "$shell" bash 10.0.0.2 $PORT "${unprivileged[@]}" "$COMMAND" re --fd 3
	says "resolve: without privileges" '^privacy yes$'
	ran "$COMMAND" resolve --fd 99
	fails "resolve: descriptor is not open" 1 'descriptor 99: '
	ran "$COMMAND" resolve --fd 0 </dev/null
	fails "resolve: not a socket" 1 'descriptor 0: '
	ran "$COMMAND" resolve 0
	says "resolve 0: privacy" '^privacy no$'
	ran "$COMMAND" -j resolve 0
	json "resolve 0, JSON" '.[0] | .protected == false and .privacy == false and .sa == []'
	ran "$COMMAND" resolve 0x123456789abcdef
	fails "resolve: a guess" 1 'no token of this process'
	ran "$COMMAND" resolve 0xffffffffffffffff
	fails "resolve: the unknown" 1 '^ipsec-token: .'
}

t_untrusted() {
	ran "$COMMAND" untrusted
	says "untrusted: heading" '^ALGORITHM CLASS TRUST DEFAULT$'
	says "untrusted: trusted" '^rfc4106\(gcm\(aes\)\) aead trusted trusted$'
	says "untrusted: not trusted" '^cbc\(des3_ede\) encryption untrusted untrusted$'
	says "untrusted: authentication" '^hmac\(sha256\) authentication trusted trusted$'

	ran right "$COMMAND" untrusted add 'rfc4106(gcm(aes))'
	is "$status$out$err" 0 "untrusted add"
	ran right "$COMMAND" unt
	says "untrusted add: listed" '^rfc4106\(gcm\(aes\)\) aead untrusted trusted$'
	ran right "$COMMAND" -j sockets
	json "untrusted add: the answers change" '.[0] | map(select(.protection == "protected"))
		| length == 2 and all(.privacy == false and .integrity == false)'
	ran right "$COMMAND" sockets
	says "untrusted add: no more than ESP" ' esp end-to-end ctx [0-9]+$'
	ran left "$COMMAND" -j untrusted
	json "untrusted add: not in another namespace" '.[0] | map(select(.name ==
		"rfc4106(gcm(aes))")) == [{name: "rfc4106(gcm(aes))", class: "aead",
		trusted: true, default: true}]'
	ran right "$COMMAND" untrusted add 'rfc4106(gcm(aes))'
	is "$status$out$err" 0 "untrusted add: again"
	ran right "$COMMAND" unt d 'rfc4106(gcm(aes))'
	is "$status$out$err" 0 "untrusted del"
	ran right "$COMMAND" -j sockets
	json "untrusted del: the answers change" '.[0] | map(select(.privacy and .integrity))
		| length == 2'
	ran "$COMMAND" untrusted add nonsense
	fails "untrusted add: unknown algorithm" 1 '^ipsec-token: .*no such algorithm'
	ran "$COMMAND" untrusted del 'ecb(cipher_null)'
	fails "untrusted del: NULL" 1 "an algorithm that does nothing can't be trusted"
	ran "$COMMAND" untrusted add "$(printf '%064d' 0)"
	fails "untrusted add: a long name" 2 'take the name of an algorithm'
	ran "$COMMAND" untrusted add ''
	fails "untrusted add: an empty name" 1 '^ipsec-token: .'
}

t_stats_and_config() {
	ran right "$COMMAND" stats
	says "stats: contexts" '^contexts 2$'
	says "stats: connections" '^connections 2$'
	says "stats: UDP sockets" '^datagram-sockets 1$'
	ran right "$COMMAND" -j st
	json "stats, JSON" '.[0] | .contexts == 2 and .connections == 2 and
		."datagram-sockets" == 1 and ."contexts-created" == 2 and
		."contexts-gone" == 0 and ."unknown-limit" == 0 and
		."unknown-memory" == 0 and ."unknown-handshake" == 0'
	ran "$COMMAND" stats show
	says "stats: a guess was counted" '^tokens-refused 1$'

	ran right "$COMMAND" config
	says "config" '^linger 300$'
	says "config: latches are enforced" '^latch enforce$'
	ran right "$COMMAND" config set linger 17
	is "$status$out$err" 0 "config set linger"
	ran right "$COMMAND" -j conf s
	json "config, JSON" '. == [{linger: 17, latch: "enforce"}]'
	ran right "$COMMAND" config set latch rep
	is "$status$out$err" 0 "config set latch rep"
	ran right "$COMMAND" config
	says "config: that is report" '^latch report$'
	ran right "$COMMAND" config set latch enforce
	is "$status$out$err" 0 "config set latch enforce"
	ran right "$COMMAND" stats
	says "stats: latches" '^latches 2$'
	says "stats: nothing was refused" '^latch-in-clear 0$'
	ran left "$COMMAND" config show
	says "config: not in another namespace" '^linger 300$'
}

t_privileges() {
	local words

	for words in "context list" "context show 1" "sockets" "untrusted add cbc(aes)" \
		     "untrusted del cbc(aes)" "stats" "config" "config set linger 1" "monitor"; do
		# shellcheck disable=SC2086 # several words
		ran "${unprivileged[@]}" timeout 10 "$COMMAND" $words
		fails "$words: not without CAP_NET_ADMIN" 1 \
		      '^ipsec-token: .*([Pp]ermission|[Nn]ot permitted|CAP_NET_ADMIN)'
	done
	ran "${unprivileged[@]}" "$COMMAND" -j untrusted list
	json "untrusted list: without CAP_NET_ADMIN" '.[0] | map(select(.name == "cbc(aes)" and
		.trusted)) | length == 1'

	# Who may do anything in one namespace may do nothing in another.
	ran unshare -Urn "$COMMAND" config set linger 5
	is "$status$out$err" 0 "config set: in a user namespace's own network namespace"
	ran unshare -Ur "$COMMAND" config set linger 5
	fails "config set: not in that of another user namespace" 1 \
	      '^ipsec-token: .*([Pp]ermission|[Nn]ot permitted|CAP_NET_ADMIN)'
	ran "$COMMAND" config
	says "config set: and nothing was set" '^linger 300$'
}

# plain TEXT: no escape sequence in the output
plain() {
	is "$status ${out//[^$'\e']/}" "0 " "$1"
}

t_colour() {
	local escape=$'\e' command

	for command in "context list" "sockets" "untrusted list"; do
		# shellcheck disable=SC2086 # two words
		ran env -u NO_COLOR TERM=linux "$HELPERS/netns" right "$COMMAND" $command
		plain "$command: no colour without a terminal"
	done
	ran right "$COMMAND" -c sockets
	says "colour when it is asked for" "$escape\[3[12]m"
	ran right "$COMMAND" -j -c sockets
	json "no colour in JSON" '.[0] | length == 4'
	# script gives it a terminal
	ran env -u NO_COLOR TERM=linux script -qec "$COMMAND untrusted list" /dev/null
	says "colour on a terminal" "$escape\[3[12]m"
	ran env NO_COLOR=1 TERM=linux script -qec "$COMMAND untrusted list" /dev/null
	plain "no colour if NO_COLOR is set"
	ran env -u NO_COLOR TERM=linux script -qec "$COMMAND -cnever untrusted list" /dev/null
	plain "no colour if it is not wanted"
}

t_monitor() {
	local text=$dir/events json=$dir/events.json pids

	"$HELPERS/netns" right "$COMMAND" monitor >"$text" 2>&1 &
	pids=($!)
	"$HELPERS/netns" right "$COMMAND" -j monitor >"$json" 2>&1 &
	pids+=($!)
	# Until both listen: what came before is not told of.
	until grep -q trusted "$text" && grep -q trusted "$json"; do
		right "$COMMAND" untrusted add 'hmac(sha1)'
		right "$COMMAND" untrusted del 'hmac(sha1)'
		sleep 0.2
	done

	right "$COMMAND" config set linger 18
	await "$text" ' config linger 18 latch enforce$' "monitor: config"
	right "$COMMAND" untrusted add 'hmac(sha1)'
	await "$text" ' algorithm hmac\(sha1\) untrusted$' "monitor: algorithm"

	ipsec_rekey
	echo ask | left "$HELPERS/demo" tcp 10.0.0.1 10.0.0.2 $PORT >/dev/null
	await "$text" " context-changed $id esp privacy integrity end-to-end: ESP transport .*0x00001101" \
	      "monitor: rekeyed"
	ipsec_expire

	# Protection for one address more.
	# shellcheck disable=SC2034 # read by the functions of lib.sh
	LEFT_IP=10.0.0.3 IPSEC_LEFT=10.0.0.3 IPSEC_REQID=3 IPSEC_SPI=0x5000
	{ ipsec_sas add lr; ipsec_sas add rl; ipsec_policy in lr; ipsec_policy out rl; } |
		right $IP -batch -
	{ ipsec_sas add rl; ipsec_sas add lr; ipsec_policy in rl; ipsec_policy out lr; } |
		left $IP -batch -
	echo ask | left "$HELPERS/demo" tcp 10.0.0.3 10.0.0.2 $PORT >/dev/null
	await "$text" ' context-new [0-9]+ esp privacy integrity end-to-end: ESP transport 10.0.0.2<->' \
	      "monitor: a new context"

	right "$COMMAND" config set linger 0
	ipsec_down
	await "$text" ' context-gone [0-9]+$' "monitor: a context is gone"
	await "$text" '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} ' \
	      "monitor: with the time"

	await "$json" '"event":"context-gone"' "monitor, JSON: a context is gone"
	status=0 out=$(<"$json") err=
	json "monitor, JSON: objects, one after the other" 'all(."time-ms" > 0 and (.event | length) > 0)'
	json "monitor, JSON: config" 'any(.event == "config" and .linger == 18)'
	json "monitor, JSON: algorithm" 'any(.event == "algorithm" and .name == "hmac(sha1)" and
		.class == "authentication" and .trusted == false)'
	json "monitor, JSON: rekeyed" "any(.event == \"context-changed\" and .context.id == $id and
		(.context.sa | map(.spi) | any(. == 4353)))"
	json "monitor, JSON: a new context" 'any(.event == "context-new" and
		.context.protected and .context.privacy)'

	kill "${holders[@]}"
	check "the module is unloaded meanwhile" unload
	await "$text" ' module-unloaded$' "monitor: the module is unloaded"
	ran "$COMMAND" stats
	fails "without the module" 1 'module'
	check "and loaded again" insmod "$MODULE"
	await "$text" ' module-loaded$' "monitor: the module is loaded"
	right "$COMMAND" config set linger 19
	await "$text" ' config linger 19 latch enforce$' "monitor: it listens to that one"
	kill "${pids[@]}"
}

plan 194
net_up
left $IP -batch - <<-END
	addr add 10.0.0.3/24 dev veth
	addr add fd00::3/64 dev veth nodad preferred_lft 0
END

t_command_line
t_nothing_yet
t_sockets
t_latch
t_context
t_resolve
t_untrusted
t_stats_and_config
t_privileges
t_colour
t_monitor
finish
