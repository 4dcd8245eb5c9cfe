#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Identities from strongSwan: every way of authenticating gives its method and
# its attributes, as applications at both ends are told by the library.

# shellcheck source=lib.sh
. selftests/lib.sh
. selftests/charon.sh

# no_key TEXT HOST: of a peer that has shown no public key
no_key() {
	is "${WHO[$2.key]--}${WHO[$2.ca]--}${WHO[$2.dn]--}${WHO[$2.binding]--}" ---- \
		"$1: no key, no certificate at $2"
}

t_psk() {
	psk
	connected PSK 4
	told left.method GROUPKEY "PSK: GROUPKEY, where it may be shared"
	told right.method GROUPKEY "PSK: GROUPKEY at the other end"
	told left.id right.example.org "PSK: identity"
	told left.idtype 2 "PSK: type of the identity"
	told right.id left@example.org "PSK: identity at the other end"
	told right.idtype 3 "PSK: type of the identity at the other end"
	told left.policy home/net "PSK: name of the policy"
	peers_agree PSK
	no_key PSK left
	no_key PSK right
	part
	down home
}

t_unique_psk() {
	{ connection left unique "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org"; echo "$SECRET"; } | config left
	{ connection right unique "auth = psk;id = right.example.org" "auth = psk"
	  echo "$SECRET"; } | config right
	connected "unique PSK" 4
	told left.method PRESHAREDKEY "unique PSK: as the administrator says"
	told right.method GROUPKEY "unique PSK: not if the connection is for anyone"
	no_key "unique PSK" left
	part
	down unique
}

# pubkey_id HOST, binding: the same by other means
pubkey_id() {
	openssl pkey -pubin -in "$DIR/$1.pub" -outform DER | openssl dgst -sha256 -binary |
		base64 | tr -d '=\n'
}

binding() {
	local host

	for host in left right; do
		openssl pkey -pubin -in "$DIR/$host.pub" -outform DER | xxd -p | tr -d '\n'
		echo
	done | sort | tr -d '\n'
}

# keys TEXT: both ends have shown the public keys that they have
keys() {
	told left.key "$(pubkey_id right)" "$1: pubKeyID"
	told right.key "$(pubkey_id left)" "$1: pubKeyID at the other end"
	told left.local.key "${WHO[right.key]}" "$1: own pubKeyID"
	told left.binding "$(binding)" "$1: channelBinding is of both keys"
	told right.binding "${WHO[left.binding]}" "$1: same channelBinding at the other end"
}

CA='CN=CA,O=Prüfung\, \"Test\",C=CH'

# certificates TEXT METHOD FAMILY: of both ends
certificates() {
	connected "$1" "$3"
	told left.method "$2" "$1: $2"
	told right.method "$2" "$1: $2 at the other end"
	told left.ca "$CA" "$1: certificateAuthorityDN"
	told right.ca "$CA" "$1: certificateAuthorityDN at the other end"
	told left.dn "CN=right.example.org,O=Prüfung,C=CH" "$1: certificateDN"
	told right.dn "CN=left.example.org,O=Prüfung,C=CH" "$1: certificateDN at the other end"
	told left.id right.example.org "$1: identity"
	told right.id left.example.org "$1: identity at the other end"
	told left.idtype 2 "$1: type of the identity"
	peers_agree "$1"
	keys "$1"
}

t_pkix() {
	pkix pkix
	certificates X.509 PKIX_INLINE 4
	part
	down pkix
}

# The same peers over IPv6 are the same peers, and stay so.
t_pkix6() {
	local itoken=${WHO[left.itoken]}

	FAMILY=6 pkix pkix6
	certificates "X.509 over IPv6" PKIX_INLINE 6
	told left.itoken "$itoken" "X.509 over IPv6: same iToken as over IPv4"
	replaced "X.509 over IPv6: CHILD_SA rekeyed" swan left --rekey --child net
	does "X.509 over IPv6: IKE_SA rekeyed" ike_rekeyed pkix6
	unchanged "X.509 over IPv6: IKE_SA rekeyed"
	does "X.509 over IPv6: agents killed" agents_again
	unchanged "X.509 over IPv6: agents killed"
	part
	down pkix6
}

t_pinned() {
	cp "$DIR/right/swanctl/x509/own.pem" "$DIR/left/swanctl/x509/peer.pem"
	connection left pinned "auth = pubkey;certs = own.pem;id = left.example.org" \
		"auth = pubkey;certs = peer.pem;id = right.example.org" | config left
	connection right pinned "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = pubkey;id = left.example.org" | config right
	connected "X.509 in the store" 4
	told left.method PKIX_TRUSTED "X.509 in the store: PKIX_TRUSTED"
	told right.method PKIX_INLINE "X.509 in the store: only where it is"
	told left.ca "$CA" "X.509 in the store: certificateAuthorityDN"
	told left.dn "CN=right.example.org,O=Prüfung,C=CH" "X.509 in the store: certificateDN"
	peers_agree "X.509 in the store"
	keys "X.509 in the store"
	part
	down pinned
	rm "$DIR/left/swanctl/x509/peer.pem"
}

# Certificates are not sent but where they can be had: from a web server, that
# each has for itself, since the one end wants SAs used before the other has any.
t_fetched() {
	local host hash servers=()

	mkdir "$DIR/www"
	for host in left right; do
		openssl x509 -in "$DIR/$host/swanctl/x509/own.pem" -outform DER -out "$DIR/der"
		hash=$(openssl dgst -sha1 -r "$DIR/der")
		mv "$DIR/der" "$DIR/www/${hash%% *}"
	done
	for host in left right; do
		start $host busybox httpd -f -p 127.0.0.1:80 -h "$DIR/www"
		servers+=("$STARTED")
		# nothing that was received before may be known
		charon_kill $host
		charon_config $host "hash_and_url = yes"
		agent_config $host "hash-and-url = yes"
		does "fetched: $host reads its configuration again" \
			after_log $host "configuration read again" kill -HUP "${AGENT[$host]}"
		does "fetched: $host finds charon again" \
			after_log $host "connected to" charon_up $host
	done
	AUTHORITY='authorities {
	ca {
	cacert = ca.pem
	cert_uri_base = http://127.0.0.1/
	}
	}'
	connection left url "auth = pubkey;certs = own.pem;id = left.example.org" \
		"auth = pubkey;id = right.example.org" "send_cert = always" |
		cat - <(echo "$AUTHORITY") | config left
	connection right url "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = pubkey;id = left.example.org" "send_cert = always" |
		cat - <(echo "$AUTHORITY") | config right
	certificates fetched PKIX_OFFLINE 4
	for host in left right; do
		check "fetched: by $host" grep -q "fetched certificate" "$DIR/$host/charon.log"
	done
	part
	down url
	kill "${servers[@]}"
	for host in left right; do
		agent_config $host "unique-psk = unique"
		after_log $host "configuration read again" kill -HUP "${AGENT[$host]}"
	done
}

t_raw() {
	local itoken

	raw
	connected "raw key" 4
	told left.method BTNS "raw key: BTNS, when seen first"
	told right.method BTNS "raw key: BTNS at the other end"
	told left.id right.raw "raw key: identity"
	told left.ca - "raw key: no certificate"
	peers_agree "raw key"
	keys "raw key"
	is "$(stat -c %a "$DIR/left/known-keys")" 600 "raw key: nobody else may read known keys"
	replaced "raw key: CHILD_SA rekeyed" swan left --rekey --child net
	does "raw key: agents killed" agents_again
	unchanged "raw key: agents killed"
	itoken=${WHO[left.itoken]}
	part
	down raw

	sleep 3
	connected "raw key again" 4
	told left.method LEAPOFFAITH "raw key again: LEAPOFFAITH"
	told right.method LEAPOFFAITH "raw key again: LEAPOFFAITH at the other end"
	told left.itoken "$itoken" "raw key again: same iToken"
	keys "raw key again"
	part
	down raw

	openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/right/swanctl/ecdsa/key.pem"
	openssl ec -in "$DIR/right/swanctl/ecdsa/key.pem" -pubout -out "$DIR/right.pub" 2>/dev/null
	raw
	tell "listen left"
	connected "raw key changed" 4
	told left.method BTNS "raw key changed: BTNS"
	told right.method LEAPOFFAITH "raw key changed: not that of the other end"
	check "raw key changed: another iToken" [ "${WHO[left.itoken]}" != "$itoken" ]
	keys "raw key changed"
	says "events left" some "raw key changed: an event"
	check "raw key changed: a warning" grep -q 'right.raw.*HAS CHANGED' "$DIR/left/tokend.log"
	is "$(grep -c '^2 right.raw ' "$DIR/left/known-keys")" 1 "raw key changed: the first is kept"
	part
	down raw
	rm "$DIR"/*/swanctl/pubkey/*
}

EAP_SECRETS='secrets {
eap {
id = carol
secret = "a password of this test"
}
}'

# eap METHOD ID: one that proves the name outside of it, and one that does not
eap() {
	{ connection left eap "auth = eap-$1;eap_id = carol;id = left.example.org" \
		"auth = pubkey;id = right.example.org"; echo "$EAP_SECRETS"; } | config left
	{ connection right eap "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = eap-$1;eap_id = %any" "send_cert = always"
	  echo "$EAP_SECRETS"; } | config right
	connected "EAP-$1" 4
	told right.method EAP "EAP-$1: EAP"
	told right.id "$2" "EAP-$1: name of the user"
	told left.method PKIX_INLINE "EAP-$1: the server has a certificate"
	told left.dn "CN=right.example.org,O=Prüfung,C=CH" "EAP-$1: which names it"
	told right.key - "EAP-$1: the user has none"
	told left.binding - "EAP-$1: without two keys no channelBinding"
	told right.binding - "EAP-$1: nor at the other end"
	does "EAP-$1: IKE_SA rekeyed" ike_rekeyed eap
	unchanged "EAP-$1: IKE_SA rekeyed"
	does "EAP-$1: agents killed" agents_again
	unchanged "EAP-$1: agents killed"
	replaced "EAP-$1: CHILD_SA rekeyed" swan left --rekey --child net
	part
	down eap
}

t_eap_md5() {
	eap md5 carol
}

t_eap_mschapv2() {
	eap mschapv2 -
}

t_xauth() {
	{ connection left xauth "auth = psk;id = left.example.org" "auth = psk" \
		"local-2 {;auth = xauth;xauth_id = carol;};version = 1;aggressive = no"
	  echo "$SECRET"; echo "$EAP_SECRETS"; } | config left
	{ connection right xauth "auth = psk;id = right.example.org" "auth = psk" \
		"remote-2 {;auth = xauth;};version = 1"
	  echo "$SECRET"; echo "$EAP_SECRETS"; } | config right
	connected XAuth 4
	told right.method XAUTH "XAuth: XAUTH"
	told right.id carol "XAuth: name of the user"
	told left.method GROUPKEY "XAuth: the server has a group's key"
	told left.id right.example.org "XAuth: identity of the server"
	no_key XAuth left
	no_key XAuth right
	replaced "XAuth: CHILD_SA rekeyed" swan left --rekey --child net
	does "XAuth: agents killed" agents_again
	unchanged "XAuth: agents killed"
	part
	down xauth
}

# can WHO WANTED: about an SA of right and the token of an application there
can() {
	local key

	sas_read right
	for key in "${!SAS[@]}"; do
		break
	done
	is "$(right "$HELPERS/identity_users" "$1" "${key% *}" "${key#* }" "${TOKENS#* }")" \
		"$2 " "users: $1"
}

# Who has no CAP_NET_ADMIN can't do anything about identities, and no one learns
# them from a token of another process.
t_users() {
	psk
	connected users 4
	can admin "list=some bind=EEXIST events=none token=ESTALE"
	can nobody "list=EPERM bind=EPERM unbind=EPERM events=EPERM token=ESTALE"
	can inherited "list=EPERM bind=EPERM unbind=EPERM events=EPERM token=ESTALE"
	can userns "list=EPERM bind=EPERM unbind=EPERM events=EPERM token=ESTALE"
	can netns "list=none bind=ENOENT unbind=ENOENT events=none token=ESTALE"
	unchanged users
	part
	down home
}

echo "KTAP version 1"
daemons_up
pki
for host in left right; do
	agent_config $host "unique-psk = unique"
	after_log $host "configuration read again" kill -HUP "${AGENT[$host]}"
done
# shellcheck disable=SC2086 # a list of words
subjects ${SUBJECTS:-psk unique_psk pkix pkix6 pinned fetched eap_md5 eap_mschapv2 xauth raw users}
daemons_down
