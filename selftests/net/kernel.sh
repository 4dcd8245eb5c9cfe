#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own tests of its network (net/build.sh), three times each: without
# the module, with it, and with every UDP socket asking for tokens (net/opt_in.c).
# Nothing may come of any of them that does not come of it without the module. Some
# fail on this kernel anyway, which the table shows. Run by "make check-net".

# shellcheck source=../lib.sh
. selftests/lib.sh

tests=$BUILD/net-selftests/net
opt_in=$BUILD/selftests/net/opt_in.so
export OPT_IN_LOG=$TMPDIR/opt-in

# Each is one line: a command in that directory.
commands=(
	./udpgso.sh ./psock_fanout ./psock_tpacket ./psock_snd.sh
	./rxtimestamp ./txtimestamp.sh
	./reuseport_bpf ./reuseport_bpf_cpu ./reuseport_dualstack ./reuseport_addr_any.sh
	./reuseaddr_conflict
	./cmsg_so_mark.sh ./cmsg_time.sh ./cmsg_ipv6.sh
	./xfrm_policy.sh ./ip_defrag.sh
	./udpgro.sh ./udpgso_bench.sh ./udpgro_bench.sh
)

# outcome COMMAND [NAME=VALUE]: its exit status, and its results without figures
outcome() {
	local status=0 out

	# shellcheck disable=SC2086 # several words
	out=$(cd "$tests" && env $2 timeout -k 5 600 $1 2>&1) || status=$?
	echo "exit $status"
	grep -aE '^#? *(not )?ok [0-9]|\[ *(OK|FAIL|PASS) *\]|^(PASS|FAIL|OK)' <<<"$out" |
		sed 's/[0-9.]* *[mun]*s\b//g'
}

# word OUTCOME: it in one word, for the table
word() {
	case $1 in
	"exit 0"*) echo pass ;;
	"exit 4"*) echo skip ;;
	"exit 124"* | "exit 137"*) echo timeout ;;
	*) echo "fail $(head -n 1 <<<"$1")" ;;
	esac
}

plan $((2 * ${#commands[@]} + 2))
: >"$OPT_IN_LOG"
rows=()
for command in "${commands[@]}"; do
	absent=$(outcome "$command" X=)
	insmod "$MODULE"
	loaded=$(outcome "$command" X=)
	is "$loaded" "$absent" "$command: with the module as without"
	opted_in=$(outcome "$command" "LD_PRELOAD=$opt_in")
	is "$opted_in" "$absent" "$command: and with tokens asked for"
	for ((i = 0; i < 40; i++)); do
		! rmmod ipsec_token 2>/dev/null || break
		sleep 0.25
	done
	rows+=("$command|$(word "$absent")|$(word "$loaded")|$(word "$opted_in")")
done
diag "$(printf '%s\n' "test|absent|loaded|opted in" "${rows[@]}" | column -t -s'|')"
check "sockets have opted in" grep -q y "$OPT_IN_LOG"
refused "none could not" grep -q n "$OPT_IN_LOG"
diag "$(grep -o y "$OPT_IN_LOG" | wc -l) sockets have"
finish
