#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ipsec-token gate: which connections get to the server, and what it is told of
# them. The host right serves, the host left asks.

# shellcheck source=lib.sh
. selftests/lib.sh

COMMAND=$BUILD/tools/ipsec-token
PORT=7777
dir=$(mktemp -d)
chmod 755 "$dir"

# what the server says: its environment as it was given, where that is about IPsec
cat >"$dir/server" <<'END'
#!/bin/sh
tr '\0' '\n' </proc/$$/environ | grep '^IPSEC_' | sort
echo served
exit 42
END
chmod 755 "$dir/server"

# serve HOW COMMAND...: a connection from left to a server on right. Sets out, what
# the client has got, err, what the server's side complained of, and status.
serve() {
	local how=$1 fd

	shift
	exec {fd}< <(exec "$HELPERS/netns" right "$HELPERS/inetd" "$how" "$RIGHT_IP" $PORT "$@" \
		2>"$dir/err")
	read -r -t 20 -u "$fd"
	# shellcheck disable=SC2016 # expanded by the inner shell
	out=$(left timeout 30 bash -c 'exec 3<>/dev/tcp/$1/$2 && cat <&3' - "$RIGHT_IP" $PORT)
	wait $!
	status=$?
	out+=$(cat <&"$fd")
	exec {fd}<&-
	err=$(<"$dir/err")
}

# gate OPTION...: the same by way of the gate
gate() {
	serve stdio "$COMMAND" gate "$@" -- "$dir/server"
}

# passes TEXT [LINE...]: served, and told so much: lines of the environment
passes() {
	local text="IPv$family: $1"

	shift
	is "$status/$err/$out" "42//$(printf '%s\n' "$@" served)" "$text"
}

# serves TEXT: served, whatever was told
serves() {
	if [ "$status" = 42 ] && [ -z "$err" ] && [[ $out == *served ]]; then
		ok "IPv$family: $1"
	else
		not_ok "IPv$family: $1"
		diag "exit $status" "$out" "$err"
	fi
}

# fails TEXT STATUS PATTERN: the client gets nothing, the log one line like this
fails() {
	if [ "$status" = "$2" ] && [ -z "$out" ] && [[ $err != *$'\n'* && $err =~ $3 ]]; then
		ok "${family:+IPv$family: }$1"
	else
		not_ok "${family:+IPv$family: }$1"
		diag "exit $status, wanted $2 and /$3/" "$out" "$err"
	fi
}

certificates() {
	local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8)

	cd "$dir" || exit
	openssl req -x509 "${key[@]}" -keyout ca.key -out ca.pem -days 9 -subj '/O=Grün/CN=CA'
	openssl req "${key[@]}" -keyout peer.key -out peer.csr -subj '/O=Einer, oder mehr/CN=peer'
	openssl x509 -req -in peer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out peer.pem \
		-days 9 -extfile <(echo subjectAltName=DNS:peer.example)
	openssl req -x509 "${key[@]}" -keyout own.key -out own.pem -days 9 -subj /CN=own
	openssl pkey -in peer.key -pubout -out peer.pub
	cd "$TOP" || exit
} 2>/dev/null

# bind FIELD...: the peer is known to right; unbind: it is not any more
sas() {
	echo "sa esp $(ipsec_spi esp lr) $RIGHT_IP sa esp $(ipsec_spi esp rl) $LEFT_IP"
}

bind() {
	# shellcheck disable=SC2046 # several words
	right "$COMMAND" identity bind $(sas) "$@"
}

unbind() {
	# shellcheck disable=SC2046 # several words
	right "$COMMAND" identity unbind $(sas)
}

# itoken: of who is bound
itoken() {
	# shellcheck disable=SC2046 # several words
	right "$COMMAND" -j identity show $(sas) | jq -r '.[0].itoken'
}

T_CLEAR=3
t_clear() {
	serve stdio "$dir/server"
	is "$status $(grep -ci forge <<<"$out")" "42 5" \
		"IPv$family: without the gate: the forged environment gets to the server"
	gate --require privacy
	fails "in clear" 77 'refused .* port [0-9]+: in clear$'
	gate --require no-compression
	fails "in clear, and nothing but no compression required" 77 'in clear$'
}

T_NULL=3
t_null() {
	gate --require integrity
	passes "ESP with NULL: integrity" "IPSEC_AUDIT=$(audit)" IPSEC_END_TO_END=1 IPSEC_INTEGRITY=1
	gate --require privacy,integrity
	fails "ESP with NULL: no privacy" 77 'not private$'
	gate --require integrity,compression
	fails "ESP with NULL: no compression" 77 'without compression$'
}

# audit: what the audit string of the present SAs is for right
audit() {
	local algorithm="rfc4106(gcm(aes)) 128 bits icv 128 bits" comment=

	[ "$IPSEC_KIND" = esp-gcm ] ||
		algorithm="ecb(cipher_null) hmac(sha256) 256 bits icv 128 bits"
	printf 'ESP transport %s<->%s spi in 0x%08x out 0x%08x %s%s' "$RIGHT_IP" "$LEFT_IP" \
		"$(ipsec_spi esp lr)" "$(ipsec_spi esp rl)" "$algorithm" "$comment"
}

T_NOBODY=6
t_nobody() {
	gate --require privacy,integrity --require end-to-end,no-compression
	passes "nobody known: what is private" "IPSEC_AUDIT=$(audit)" IPSEC_END_TO_END=1 \
		IPSEC_INTEGRITY=1 IPSEC_PRIVACY=1
	gate --require privacy --no-btns --wait 0
	fails "nobody known: --no-btns" 77 'not known who the peer is$'
	gate --peer CN=peer --wait 1
	fails "nobody known: --peer" 77 'not known who the peer is$'

	(sleep 1.5 && bind method presharedkey id peer.example) &
	gate --peer-id peer.example --wait 20
	wait $!
	serves "a peer that becomes known a little later"
	unbind
	(sleep 1.5 && bind method presharedkey id evil.example) &
	gate --peer-id peer.example --wait 20
	wait $!
	fails "the wrong peer that becomes known a little later" 77 \
		'IKE identity is "evil.example", not "peer.example"$'
	unbind
	serve stdio setpriv --reuid=65534 --regid=65534 --clear-groups "$COMMAND" gate \
		--require privacy -- "$dir/server"
	serves "an unprivileged user"
}

T_PKIX=24
t_pkix() {
	local dn='CN=peer,O=Einer\, oder mehr' key text

	bind method pkix_inline cert "$dir/peer.pem" ca "$dir/ca.pem" id peer.example \
		policy to-peer local-method pkix_trusted local-cert "$dir/own.pem"
	key=$(right "$COMMAND" -j identity | jq -r '.[0]."pubkey-id"')
	text=$(itoken)

	gate --require privacy --peer "$dn" --peer-ca 'CN=CA,O=Grün' --peer-id peer.example \
		--peer-key "$key" --itoken "$text" --method pkix
	is "$status$err" 42 "IPv$family: certificate: all that can be required"
	is "$(grep -v -e '^IPSEC_.*AUDIT=' -e '^IPSEC_LOCAL_ITOKEN=ipsec-itoken:1:' \
		-e '^IPSEC_LOCAL_PUBKEY_ID=...........................................$' <<<"$out")" \
	   "$(printf '%s\n' 'IPSEC_CA_DN=CN=CA,O=Grün' "IPSEC_CERTIFICATE_DN=$dn" \
		IPSEC_END_TO_END=1 IPSEC_INTEGRITY=1 "IPSEC_ITOKEN=$text" \
		IPSEC_LOCAL_CERTIFICATE_DN=CN=own IPSEC_LOCAL_ID=CN=own IPSEC_LOCAL_ID_TYPE=dn \
		IPSEC_LOCAL_METHOD=PKIX_TRUSTED \
		IPSEC_METHOD=PKIX_INLINE IPSEC_PEER_ID=peer.example IPSEC_PEER_ID_TYPE=fqdn \
		IPSEC_POLICY=to-peer IPSEC_PRIVACY=1 "IPSEC_PUBKEY_ID=$key" served)" \
	   "IPv$family: certificate: and what the server is told"
	is "$(grep -c -e '^IPSEC_AUDIT=ESP transport ' -e '^IPSEC_IDENTITY_AUDIT=by hand: ' \
		-e '^IPSEC_LOCAL_IDENTITY_AUDIT=by hand: ' <<<"$out")" 3 \
	   "IPv$family: certificate: and in one line"
	gate --peer 'cn = peer , organizationName=Einer\2C oder mehr'
	serves "certificate: its name written otherwise"
	gate --no-btns
	serves "certificate: --no-btns"

	while read -r name; do
		gate --peer "$name"
		fails "certificate: not $name" 77 "certificate is \"CN=peer,O=Einer.*\", not \""
	done <<-'END'
	CN=peer
	O=Einer\, oder mehr
	O=Einer\, oder mehr,CN=peer
	CN=Peer,O=Einer\, oder mehr
	CN=peer,O=Einer\, oder mehr,C=CH
	CN=pee,O=Einer\, oder mehr
	END
	gate --peer-ca CN=CA
	fails "certificate: another CA" 77 "CA is \"CN=CA,O=Grün\", not \"CN=CA\""
	gate --peer-id peer
	fails "certificate: another IKE identity" 77 "identity is \"peer.example\", not"
	gate --peer-id peer.example --peer-id-type key-id
	fails "certificate: of another type" 77 "of another type$"
	gate --peer-id peer.example --peer-id-type any
	serves "certificate: of any type"
	gate --peer-key "${key:1}A"
	fails "certificate: another key" 77 "key is \".*\", not \""
	gate --itoken "${text%?}$(tr 0-9a-f 1-9a-f0 <<<"${text: -1}")"
	fails "certificate: another iToken" 77 "another iToken$"
	gate --method pkix_trusted,eap --peer "$dn"
	fails "certificate: another method" 77 "by PKIX_INLINE, which is not enough$"
	gate --require privacy,compression --peer "$dn"
	fails "certificate: no compression" 77 "without compression$"
	unbind

	# names that nobody has proved
	bind method btns key "$dir/peer.pub" id peer.example
	gate --peer-id peer.example
	fails "a stranger who calls itself so" 77 "by BTNS, which is not enough$"
	gate --require privacy --no-btns
	fails "a stranger: --no-btns" 77 "by BTNS, which is not enough$"
	gate --peer-key "$key"
	serves "a stranger whose key is known here"
	unbind
	bind method groupkey id peer.example
	gate --peer-id peer.example
	fails "a member of a group" 77 "by GROUPKEY, which is not enough$"
	gate --peer-id peer.example --method groupkey
	serves "a member of a group, if that is enough"
	unbind
}

T_STARTED=17
t_started() {
	local log=$dir/log

	serve systemd "$COMMAND" gate --require privacy -- "$dir/server"
	is "$status" 42 "IPv$family: systemd: the connection is descriptor 3"
	serve systemd "$COMMAND" gate --require privacy -- \
		sh -c 'echo "$LISTEN_FDS $(($LISTEN_PID - $$))" >&3'
	is "$status$out" "01 0" "IPv$family: systemd: which is passed on"
	serve systemd "$COMMAND" gate --require compression -- "$dir/server"
	fails "systemd: refused" 77 'without compression$'
	serve stranger "$COMMAND" gate --require privacy -- "$dir/server"
	is "$status" 125 "IPv$family: systemd: of a descriptor for somebody else nothing is made"
	serve two "$COMMAND" gate --require privacy -- "$dir/server"
	is "$status$err" "125ipsec-token: gate: LISTEN_FDS is 2: only one descriptor is looked at, see --fd" \
		"IPv$family: systemd: two descriptors"
	serve two "$COMMAND" gate --fd 3 --require privacy -- "$dir/server"
	is "$status" 42 "IPv$family: systemd: unless it is said which"
	serve listener "$COMMAND" gate --require privacy -- "$dir/server"
	is "$status$err" "125ipsec-token: gate: descriptor 0: the socket is not connected" \
		"IPv$family: a listener"

	# What is standard error as well is not for the peer.
	rm -f /dev/log
	"$HELPERS/notify_socket" /dev/log >"$log" &
	logger=$!
	until [ -S /dev/log ] || ! kill -0 $logger; do
		sleep 0.1
	done
	serve inetd "$COMMAND" gate --require privacy -- sh -c 'echo told >&2; exit 42'
	is "$status$out$(<"$log")" 42told "IPv$family: inetd: standard error is the connection"
	serve inetd "$COMMAND" gate --require compression -- "$dir/server"
	is "$status$out" 77 "IPv$family: inetd: who is refused is not told why"
	is "$(grep -c 'ipsec-token\[.*gate: refused .*: without compression$' "$log")" 1 \
		"IPv$family: inetd: but the log is"
	serve inetd "$COMMAND" gate --require nonsense -- "$dir/server"
	is "$status$out" 125 "IPv$family: inetd: nor is it told of wrong options"
	is "$(grep -c 'there is no "nonsense"' "$log")" 1 "IPv$family: inetd: but the log is"
	serve inetd "$COMMAND" gate --require privacy -- "$dir/nonsense"
	is "$status$out" 127 "IPv$family: inetd: nor that there is no server"
	gate --require privacy --syslog
	is "$status$(grep -c "accepted $LEFT_IP port [0-9]*: ESP .*; the peer is not known" "$log")" \
		421 "IPv$family: --syslog: accepted"
	gate --require compression --syslog
	is "$status$(grep -c ': refused' "$log")" 772 "IPv$family: --syslog: refused"
	kill $logger
	rm -f /dev/log

	serve stdio "$COMMAND" gate --require privacy -- "$dir"
	is "$status" 126 "IPv$family: what is no program"
	serve stdio "$COMMAND" gate --require privacy --reset -- "$COMMAND" -j latch
	is "$(jq -r '.[] | select(.state == "ESTABLISHED") | .reset' <<<"$out")" true \
		"IPv$family: --reset"
}

T_COMMAND_LINE=34
t_command_line() {
	local words

	family='' out=''
	while read -r words; do
		# shellcheck disable=SC2086 # several words
		err=$("$COMMAND" gate ${words% : *} </dev/null 2>&1 >"$dir/out")
		status=$?
		fails "gate ${words% : *}" 125 "${words#* : }"
	done <<-'END'
	true : nothing is required
	--require privacy : needs a program
	--require privacy -- : needs a program
	--require : requires an argument
	--require nonsense true : there is no "nonsense"
	--require , true : there is no ""
	--require privacy,,integrity true : there is no ""
	--require compression,no-compression true : both compression and no-compression
	--nonsense true : unrecognized option
	--method nonsense true : there is no "nonsense"
	--method none,btns --no-btns true : the methods are named already
	--method none --peer-id x true : NONE and BTNS prove no name
	--method btns,eap --peer CN=x true : NONE and BTNS prove no name
	--method eap --peer CN=x true : no method proves all that is required
	--method none --peer-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA true : no method proves all
	--peer x true : --peer: "x" has no "="
	--peer CN=x, true : --peer: "CN=x," has no type before "="
	--peer CN=x --peer CN=y true : --peer: is there twice
	--peer-ca nonsense=x true : --peer-ca: "nonsense=x" has a type that is not known
	--peer-id %any true : --peer-id: "%any" stands for anybody
	--peer-id x --peer-id-type ipv4 true : --peer-id: "x" is no IPv4 address
	--peer-id x --peer-id-type nonsense true : --peer-id-type: there is no "nonsense"
	--require privacy --peer-id-type fqdn true : --peer-id-type: there is no --peer-id
	--peer-key x true : --peer-key: "x" is no pubKeyID
	--itoken x true : --itoken: "x" is no exported iToken
	--require privacy --wait -1 true : --wait: "-1" is no number
	--require privacy --wait 3601 true : --wait: "3601" is no number up to 3600
	--require privacy --fd x true : --fd: "x" is no number
	--require privacy --fd 99 true : descriptor 99: Bad file descriptor
	--require privacy true : descriptor 0: Socket operation on non-socket
	END
	err=$("$COMMAND" gate 2>&1)
	status=$?
	fails "gate" 125 'gate needs a program to run'
	err=$("$COMMAND" gate --peer "" true 2>&1)
	status=$?
	fails "gate --peer with nothing" 125 '^ipsec-token: --peer: is empty$'
	err=$(bash -c 'exec 3<>/dev/udp/127.0.0.1/9; "$@"' - "$COMMAND" gate --fd 3 \
		--require privacy true 2>&1)
	status=$?
	fails "a UDP socket" 125 '^ipsec-token: gate: descriptor 3 is no TCP connection$'
	"$COMMAND" gate help | grep -q '^Usage: ipsec-token gate ' &&
		ok "gate help" || not_ok "gate help"
}

plan $((T_COMMAND_LINE + 2 * (T_CLEAR + T_NULL + T_NOBODY + T_PKIX + T_STARTED)))
t_command_line
certificates
for family in 4 6; do
	net_up
	ipsec_up none $family
	t_clear
	ipsec_up esp-null $family
	t_null
	ipsec_down
	ipsec_up esp-gcm $family spi=0x2000
	t_nobody
	t_pkix
	t_started
	net_down
done
finish
