#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ipsec-token identity: all ten methods bound by hand and read back, by the
# command and by the library; where identities show up; and who may not.

# shellcheck source=lib.sh
. selftests/lib.sh

COMMAND=$BUILD/tools/ipsec-token
PORT=7777
dir=$(mktemp -d)
servers=()

# ran COMMAND...: sets status, out and err
ran() {
	out=$("$@" 2>"$dir/err")
	status=$?
	err=$(<"$dir/err")
}

# done_quietly TEXT: it worked, without a word
done_quietly() {
	is "$status$out$err" 0 "$1"
}

# fails TEXT PATTERN: no output, exit status 1, and one line with such a reason
fails() {
	if [ "$status" = 1 ] && [ -z "$out" ] && [[ $err != *$'\n'* && $err =~ $2 ]]; then
		ok "$1"
	else
		not_ok "$1"
		diag "exit $status, wanted /$2/" "$out" "$err"
	fi
}

# json TEXT FILTER: the output is JSON, and the filter says true
json() {
	if [ "$status" = 0 ] && jq -es "$2" <<<"$out" >/dev/null 2>"$dir/jq"; then
		ok "$1"
	else
		not_ok "$1"
		diag "not $2, exit $status" "$out" "$err" "$(<"$dir/jq")"
	fi
}

# says TEXT PATTERN: the output has such a line, its spaces squeezed
says() {
	if [ "$status" = 0 ] && tr -s ' ' <<<"$out" | grep -qE -- "$2"; then
		ok "$1"
	else
		not_ok "$1"
		diag "no /$2/, exit $status" "$out" "$err"
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

bound() {
	left "$COMMAND" -j stats | jq .bindings
}

# All that root has, but the one capability that the command needs.
unprivileged=(setpriv --bounding-set=-net_admin --inh-caps=-net_admin)

# ------------------------------------------------------------- certificates

certificates() {
	local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8)

	cd "$dir" || exit
	openssl req -x509 "${key[@]}" -keyout ca.key -out ca.pem -days 9 \
		-subj '/C=CH/O=Grüße, "Test"/CN= CA'
	openssl req "${key[@]}" -keyout peer.key -out peer.csr -subj '/C=CH/O=Größe\+/CN=peer'
	openssl x509 -req -in peer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out peer.pem \
		-days 9 -extfile <(echo subjectAltName=DNS:peer.example,IP:10.0.0.2,IP:fd00::2)
	openssl req "${key[@]}" -keyout own.key -out own.csr -subj '/CN=own'
	openssl x509 -req -in own.csr -CA ca.pem -CAkey ca.key -out own.pem -days 9
	openssl pkey -in peer.key -pubout -out peer.pub
	openssl pkey -in own.key -pubout -out own.pub
	cd "$TOP" || exit
} 2>/dev/null

# ------------------------------------------------------------------ methods

# sas: both SAs of the pair, as seen from the left
sas() {
	echo "sa esp $(ipsec_spi esp rl) $LEFT_IP sa esp $(ipsec_spi esp lr) $RIGHT_IP"
}

# method NAME FILTER FIELD...: what is bound is what the command shows, and what
# the library tells who has the connection; FILTER says what that must be
method() {
	local name=$1 filter=$2 shell='exec 3<>/dev/tcp/$1/$2; shift 2; "$@"' shown

	shift 2
	# shellcheck disable=SC2046 # several words
	ran left "$COMMAND" identity bind $(sas) method "${name,,}" "$@" policy "to the $name"
	done_quietly "IPv$family: $name: bound"
	# shellcheck disable=SC2046 # several words
	ran left "$COMMAND" -j identity show $(sas)
	json "IPv$family: $name: shown" ".[0][0] | (.sa | length) == 2 and .method == \"$name\" and
		.policy == \"to the $name\" and .source == \"by hand\" and ($filter)"
	shown=$out
	ran left bash -c "$shell" bash "$RIGHT_IP" $PORT "${unprivileged[@]}" \
		"$COMMAND" -j resolve --fd 3
	# What the library does not tell: who told, lineage; the iToken of nobody.
	is "$(jq -S '.identity' <<<"$out")" \
	   "$(jq -S '.[0] | del(.sa) | .source = null | .lineage = null |
		if .method == "NONE" then .itoken = null else . end' <<<"$shown")" \
	   "IPv$family: $name: told by the library"
	# shellcheck disable=SC2046 # several words
	ran left "$COMMAND" identity unbind $(sas)
	done_quietly "IPv$family: $name: unbound"
}

t_methods() {
	local pkix='.["ike-id"] == "peer.example" and .["ike-id-type"] == "fqdn" and
		.["certificate-dn"] == "CN=peer,O=Größe\\+,C=CH" and
		.["ca-dn"] == "CN=\\ CA,O=Grüße\\, \\\"Test\\\",C=CH" and
		(.["pubkey-id"] | length) == 43'
	local cert=(cert "$dir/peer.pem" ca "$dir/ca.pem" id peer.example)
	local no_key='.["pubkey-id"] == null and .["channel-binding"] == null and
		.["certificate-dn"] == null and .["ca-dn"] == null'

	method NONE "$no_key and .[\"ike-id\"] == null and .local == null"
	method BTNS '(.["pubkey-id"] | length) == 43 and (.["channel-binding"] | length) == 364 and
		.local.method == "BTNS" and .["ike-id"] == null' \
		key "$dir/peer.pub" local-method btns local-key "$dir/own.pub"
	method LEAPOFFAITH '(.["pubkey-id"] | length) == 43 and .["ike-id"] == "röter" and
		.["ike-id-type"] == "key-id" and .["channel-binding"] == null' \
		key "$dir/peer.pem" id röter id-type key-id
	method GROUPKEY "$no_key and .[\"ike-id\"] == \"a@b\" and .[\"ike-id-type\"] == \"email\"" id a@b
	method PRESHAREDKEY "$no_key and .[\"ike-id-type\"] == \"ipv4\" and
		.local.method == \"PRESHAREDKEY\" and .local[\"ike-id\"] == \"me\"" \
		id 192.0.2.1 local-method presharedkey local-id me
	method XAUTH "$no_key and .audit == \"the user called carol\"" id carol audit "the user called carol"
	method EAP "$no_key and .[\"ike-id\"] == null and (.audit | endswith(\"equal to no other peer\"))"
	method PKIX_OFFLINE "$pkix" "${cert[@]}"
	method PKIX_INLINE "$pkix and (.[\"channel-binding\"] | length) == 364 and
		.local[\"certificate-dn\"] == \"CN=own\" and .local[\"ca-dn\"] == .[\"ca-dn\"] and
		.lineage == \"0x0000000000001267\"" "${cert[@]}" \
		local-method pkix_inline local-cert "$dir/own.pem" local-ca "$dir/ca.pem" lineage 4711
	method PKIX_TRUSTED '.["ca-dn"] == null and .["certificate-dn"] == "CN=peer,O=Größe\\+,C=CH" and
		.["ike-id"] == "C=CH, O=Gr????e+, CN=peer" and .["ike-id-type"] == "dn"' \
		cert "$dir/peer.pem"
}

# ------------------------------------------------------------------- naming SAs

t_naming() {
	local one="sa esp 0x1002 10.0.0.1" other="sa esp 4097 10.0.0.2"

	left $IP -batch - <<-END
	xfrm state add src 10.0.0.2 dst 10.0.0.1 proto ah spi 0x77 auth hmac(sha256) $(ipsec_key 1 32)
	xfrm state add src 10.0.0.2 dst 10.0.0.1 proto ah spi 0x78 mark 7 auth hmac(sha256) $(ipsec_key 2 32)
	xfrm state add src 10.0.0.2 dst 10.0.0.1 proto ah spi 0x78 mark 8 auth hmac(sha256) $(ipsec_key 3 32)
	END
	# shellcheck disable=SC2086 # several words
	{
	ran left "$COMMAND" identity bind $one $other sa ah 0x99 10.0.0.1 method groupkey id a
	fails "one of several SAs is not there: it is named" \
	      '^ipsec-token: sa: ah 10.0.0.1 spi 0x00000099 does not exist$'
	is "$(bound)" 0 "and none is bound"
	ran left "$COMMAND" identity bind $one sa ah 0x78 10.0.0.1 mark 9 method groupkey id a
	fails "nor one with that mark" 'sa: ah 10.0.0.1 spi 0x00000078 mark 0x9 does not exist$'

	ran left "$COMMAND" identity bind sa ah 0x77 10.0.0.1 sa ah 0x78 10.0.0.1 mark 8 \
		$one $other method groupkey id a lineage auto
	done_quietly "SAs of both protocols, and with a mark"
	ran left "$COMMAND" identity list
	says "list: heading" '^SA SPI DESTINATION MARK METHOD ID POLICY SOURCE ITOKEN$'
	says "list: AH" '^ah 0x00000077 10.0.0.1 - GROUPKEY a - by hand [0-9a-f]{16}$'
	says "list: a mark" '^ah 0x00000078 10.0.0.1 0x8 GROUPKEY a '
	is "$(wc -l <<<"$out")" 5 "list: nothing else"
	is "$(left "$COMMAND" id)" "$out" "list: id"
	ran left "$COMMAND" -j identity
	json "list, JSON" '.[0] | length == 4 and all(.method == "GROUPKEY") and
		(map(.sa) | index({protocol: "ah", spi: 120, destination: "10.0.0.1", mark: 8}) != null)'
	itoken=$(jq -r '.[0].itoken' <<<"$out")
	ran left "$COMMAND" identity show sa ah 0x78 10.0.0.1 mark 8
	says "show: the SA" '^sa ah 10.0.0.1 spi 0x00000078 mark 0x8$'
	says "show: an attribute" '^ike-id a$'
	says "show: what is not available is not empty" '^certificate-dn not available$'
	ran left "$COMMAND" identity show sa ah 0x78 10.0.0.1 mark 7
	fails "show: one that is not bound" 'sa: ah 10.0.0.1 spi 0x00000078 mark 0x7 has no identity$'
	ran left "$COMMAND" -j identity show itoken "${itoken:15:8}"
	json "show: by the first digits of the iToken" '.[0] | length == 1 and (.[0].sa | length) == 4'

	ran left "$COMMAND" identity bind $one method groupkey id b
	fails "an SA stays with its identity" 'an SA is bound to another identity; unbind it first'
	ran left "$COMMAND" identity unbind $one sa ah 0x78 10.0.0.1 mark 7
	fails "unbind: one of them is not bound" 'sa: ah .* mark 0x7 has no identity$'
	is "$(bound)" 4 "and all others stay"
	ran left "$COMMAND" identity unbind itoken "ipsec-itoken:1:$(printf %064d 0)"
	fails "unbind: an iToken that is not there" 'itoken: no SA has one'
	ran left "$COMMAND" identity unbind $one
	done_quietly "unbind one SA"
	ran left "$COMMAND" identity unbind itoken "$itoken"
	done_quietly "unbind the others by their iToken"
	is "$(bound)" 0 "and none is left"

	# A peer without a name is told apart, and can be had again.
	ran left "$COMMAND" identity bind $one method btns
	done_quietly "a peer of which nothing is known"
	ran left "$COMMAND" identity bind $other method btns
	done_quietly "and another one"
	ran left "$COMMAND" -j identity
	json "which are not the same" '.[0] | length == 2 and (map(.itoken) | unique | length) == 2'
	itoken=$(jq -r '.[0].itoken' <<<"$out")
	ran left "$COMMAND" identity bind sa ah 0x77 10.0.0.1 method btns itoken "$itoken"
	done_quietly "the first one again, on the word of the administrator"
	ran left "$COMMAND" -j identity show itoken "$itoken"
	json "is the same" '.[0] | map(.sa) | add | length == 2'
	ran left "$COMMAND" identity bind sa ah 0x78 10.0.0.1 mark 7 method none itoken "$itoken"
	fails "but not by another method" 'itoken: no SA has one that begins with .* and method NONE$'
	ran left "$COMMAND" identity bind sa ah 0x78 10.0.0.1 mark 7 method groupkey id a itoken "$itoken"
	fails "nor where it follows from the name" 'itoken: it follows from what GROUPKEY is about'
	for itoken in $(left "$COMMAND" -j identity | jq -r 'map(.itoken) | unique[]'); do
		left "$COMMAND" identity unbind itoken "$itoken"
	done
	is "$(bound)" 0 "and none is left again"
	}
}

# ------------------------------------------------------------ where they show up

t_shown() {
	local text=$dir/events json=$dir/events.json pids in out key

	"$HELPERS/netns" left "$COMMAND" monitor >"$text" 2>&1 &
	pids=($!)
	"$HELPERS/netns" left "$COMMAND" -j monitor >"$json" 2>&1 &
	pids+=($!)
	# Until both listen.
	until grep -q linger "$text" && grep -q linger "$json"; do
		left "$COMMAND" config set linger 300
		sleep 0.2
	done
	# The key of one peer is another one than that of the first time.
	key=$(left "$COMMAND" -j identity bind dry-run method btns key "$dir/own.pub" | jq -r '.["pubkey-id"]')
	printf '[agent]\nknown-keys = %s\n' "$dir/known" >/etc/ipsec-tokend.conf
	echo "2 raw.example $key 1700000000" >"$dir/known"

	mkfifo "$dir/in"
	exec {out}< <(exec "$HELPERS/netns" left "$HELPERS/demo" tcp 10.0.0.1 10.0.0.2 $PORT <"$dir/in")
	servers+=($!)
	exec {in}>"$dir/in"
	echo ask >&"$in"
	read -r -t 20 -u "$out" && read -r -t 20 -u "$out"
	ran left "$COMMAND" sockets
	says "sockets: not bound yet" '10.0.0.2:7777 - esp privacy integrity end-to-end ctx [0-9]+$'
	ran left "$COMMAND" -j sockets
	json "sockets, JSON: not bound yet" '.[0] | map(select(.protection == "protected")) |
		length == 1 and .[0].identity == null'

	LEFT_IP=10.0.0.1 RIGHT_IP=10.0.0.2 IPSEC_SPI=0x1000
	# shellcheck disable=SC2046 # several words
	ran left "$COMMAND" identity bind $(sas) method btns key "$dir/peer.pub" id raw.example
	done_quietly "bind an SA that a connection uses"
	ran left "$COMMAND" sockets
	says "sockets: who is the peer" '10.0.0.2:7777 BTNS raw.example esp privacy integrity'
	ran left "$COMMAND" -j sockets
	json "sockets, JSON: who is the peer" '.[0] | map(select(.protection == "protected")) |
		.[0].identity | .["ike-id"] == "raw.example" and (.itoken | startswith("ipsec-itoken:1:"))'
	ran left "$COMMAND" context
	says "context list: who is behind it" ' BTNS raw.example esp privacy integrity end-to-end$'
	# what it sends under may have one of its own
	id=$(awk '/raw.example/ { print $1; exit }' <<<"$out")
	ran left "$COMMAND" context show "$id"
	says "context show: who is behind it" '^ike-id raw.example$'
	ran left "$COMMAND" -j context show "$id"
	json "context show, JSON" '.[0].identity | .method == "BTNS" and .local == null'
	ran left "$COMMAND" stats
	says "stats: bindings" '^bindings +2$'

	await "$text" ' identity-bound esp 10.0.0.1 spi 0x00001002 BTNS raw.example: by hand: BTNS' \
	      "monitor: bound"
	await "$text" ' key-changed esp 10.0.0.1 spi 0x00001002 raw.example: ' "monitor: a changed key"
	# shellcheck disable=SC2046 # several words
	left "$COMMAND" identity unbind $(sas)
	await "$text" ' identity-gone esp 10.0.0.2 spi 0x00001001$' "monitor: gone"
	await "$json" '"event":"identity-gone"' "monitor, JSON: gone"
	# not an event: this one is the key of the first time
	# shellcheck disable=SC2046 # several words
	left "$COMMAND" identity bind $(sas) method btns key "$dir/own.pub" id raw.example
	await "$text" " identity-bound esp 10.0.0.1 .*$(sed 's/[+]/[+]/g' <<<"$key")" "monitor: bound again"
	# shellcheck disable=SC2046 # several words
	left "$COMMAND" identity unbind $(sas)
	status=0 out=$(<"$json") err=
	json "monitor, JSON: bound" 'any(.event == "identity-bound" and .sa.spi == 4098 and
		.identity["ike-id"] == "raw.example" and .identity.method == "BTNS")'
	json "monitor, JSON: changed keys" "map(select(.event == \"key-changed\")) | length == 2 and
		all(.[\"known-pubkey-id\"] == \"$key\" and .[\"pubkey-id\"] != \"$key\")"

	# What a peer calls itself must not steer a terminal, nor make lines.
	left "$HELPERS/bind_raw" 0x1002 10.0.0.1 \
		$'evil\e[2J\nroot\tx \xff \u009b31m \u202e "\\ \u00fc'
	ran left "$COMMAND" identity list
	is "$status$(wc -l <<<"$out")" 02 "a hostile name: one line"
	says "a hostile name: as bytes" \
	     '  ?evil\\x1b\[2J\\x0aroot\\x09x \\xff \\xc2\\x9b31m \\xe2\\x80\\xae "\\ ü '
	ran left "$COMMAND" -j identity
	json "a hostile name: JSON" '.[0][0]["ike-id"] ==
		"evil\u001b[2J\nroot\tx \ufffd \u009b31m \u202e \"\\ ü"'
	for command in "identity show" "sockets" "context list"; do
		# shellcheck disable=SC2086 # two words
		ran left "$COMMAND" $command
		is "$status${out//[^$'\e\x9b\x09']/}" 0 "a hostile name: no escapes in $command"
	done
	await "$text" 'identity-bound .*evil\\x1b\[2J' "a hostile name: monitor"
	is "$(grep -c $'\e' "$text")" 0 "a hostile name: no escapes in monitor"
	left "$COMMAND" identity unbind sa esp 0x1002 10.0.0.1
	kill "${pids[@]}"
}

# ------------------------------------------------------------------- privileges

t_privileges() {
	local words bind="identity bind sa esp 0x1002 10.0.0.1 method groupkey id mallory"

	left "$COMMAND" identity bind sa esp 0x1002 10.0.0.1 method groupkey id secret
	for words in "$bind" "identity list" "identity show" "identity unbind sa esp 0x1002 10.0.0.1" \
		     "identity unbind itoken 12345678" "monitor" "sockets" "context"; do
		# shellcheck disable=SC2086 # several words
		ran left "${unprivileged[@]}" timeout 10 "$COMMAND" $words
		fails "$words: not without CAP_NET_ADMIN" \
		      '^ipsec-token: .*([Pp]ermission|[Nn]ot permitted|CAP_NET_ADMIN)'
	done
	# Who may do anything in a user namespace of her own may do nothing here.
	for words in "$bind" "identity list" "identity unbind sa esp 0x1002 10.0.0.1"; do
		# shellcheck disable=SC2086 # several words
		ran left unshare -Ur "$COMMAND" $words
		fails "$words: not from another user namespace" \
		      '^ipsec-token: .*([Pp]ermission|[Nn]ot permitted|CAP_NET_ADMIN)'
	done
	# Nor learns anything where she may.
	ran left unshare -Urn "$COMMAND" -j identity
	json "another network namespace has no identities" '. == [[]]'
	# shellcheck disable=SC2086 # several words
	ran right "$COMMAND" $bind
	done_quietly "and SAs of the same name there are other ones"
	ran left "$COMMAND" -j identity
	json "nothing has changed" '.[0] | length == 1 and .[0]["ike-id"] == "secret"'
	ran left "${unprivileged[@]}" "$COMMAND" -j identity bind dry-run method groupkey id x
	json "a dry run takes no privilege" '.[0].method == "GROUPKEY"'
	# Once all SAs are gone there is nothing to be bound, nor shown.
	left $IP xfrm state flush
	ran left "$COMMAND" identity bind sa esp 0x1002 10.0.0.1 method none
	fails "an SA that was deleted" '^ipsec-token: sa: esp 10.0.0.1 spi 0x00001002 does not exist$'
}

plan 150
certificates
net_up
ipsec_up esp-gcm 6 spi=0x3000 reqid=2
ipsec_up esp-gcm 4
exec {server}< <(exec "$HELPERS/netns" right "$HELPERS/demo" serve :: $PORT)
servers+=($!)
read -r -t 20 -u "$server"
family=4
t_methods
family=6
# shellcheck disable=SC2034 # read by the functions of lib.sh
LEFT_IP=fd00::1 RIGHT_IP=fd00::2 IPSEC_SPI=0x3000
t_methods
t_naming
t_shown
t_privileges
kill "${servers[@]}"
rm -r "$dir"
finish
