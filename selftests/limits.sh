#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the limits of the module are for: what is beyond them is not known, never in
# clear, is counted, and what was there before stays what it was.

# shellcheck source=lib.sh
. selftests/lib.sh
. selftests/peers.sh

TOOL=${BUILD:-build}/tools/ipsec-token

# statistic NAME
statistic() {
	right "$TOOL" -j stats | jq -r ".[\"$1\"] // 0"
}

# limit NAME NUMBER: the parameter of the module
limit() {
	echo "$2" >"/sys/module/ipsec_token/parameters/$1"
}

plan 17
net_up
insmod "$MODULE" max_contexts=1 max_bundles=0 max_bindings=1 || exit
peers_start

ipsec_up esp-gcm 4
tell open u udp 4
ask say u
first=$answer
[[ $first == 0x*" "0x* ]] && ok "the first context" || not_ok "the first context: $first"
is "$(statistic unknown-limit)" 0 "no limit was reached"

ipsec_up esp-gcm 6 spi=0x2000
tell open v udp 6
says "say v" "ENODATA ENODATA" "contexts: one more than there may be is not known"
tell open t tcp 6
says "tokens t" "ENODATA ENODATA" "contexts: nor what protects a connection"
says "say u" "$first" "contexts: the first one is what it was"
is "$(statistic contexts)" 1 "contexts: there are no more"
check "contexts: counted" [ "$(statistic unknown-limit)" -gt 0 ]
limit max_contexts 8
ask say v
[[ $answer == 0x*" "0x* ]] && ok "contexts: with more of them it is known" ||
	not_ok "contexts: with more of them it is known: $answer"

tell "close u ; close v ; close t"
ipsec_down
ipsec_up ah-esp 4 spi=0x3000
before=$(statistic unknown-limit)
tell open w udp 4
says "say w" "ENODATA ENODATA" "bundles: one more than there may be is not known"
check "bundles: counted" [ "$(statistic unknown-limit)" -gt "$before" ]
limit max_bundles 8
ask say w
[[ $answer == 0x*" "0x* ]] && ok "bundles: with more of them it is known" ||
	not_ok "bundles: with more of them it is known: $answer"

for spi in 0x9000 0x9001; do
	right $IP xfrm state add src "$LEFT_IP" dst "$RIGHT_IP" proto esp spi $spi mode transport \
		aead "rfc4106(gcm(aes))" "$(ipsec_key $spi 20)" 128
done
check "bindings: the first" right "$TOOL" identity bind sa esp 0x9000 "$RIGHT_IP" \
	method groupkey id a
out=$(right "$TOOL" identity bind sa esp 0x9001 "$RIGHT_IP" method groupkey id a 2>&1) &&
	not_ok "bindings: one too many" ||
	ok "bindings: one too many"
check "bindings: which it is told" grep -q max_bindings <<<"$out"
is "$(statistic bindings)" 1 "bindings: there are no more"

tell "close w ; open o tcp 4 ; say o"
for ((i = 0; i < 50; i++)); do
	rmmod ipsec_token 2>/dev/null && break
	sleep 0.1
done
insmod "$MODULE" max_contexts=0 || exit
says "say o ; tokens o" "ok, ENODATA ENODATA" \
	"contexts: nor what protects a connection from before"
limit max_contexts 8
for ((i = 0; i < 5; i++)); do
	ask "say o ; tokens o"
	[[ $answer = *ENODATA* ]] || break
done
[[ $answer == "ok, 0x"*" 0x"* ]] && ok "contexts: with more of them its next segments tell" ||
	not_ok "contexts: with more of them its next segments tell: $answer"
peers_kill
finish
