#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Identities from strongSwan: a real charon on each host, and an ipsec-tokend
# beside each. Every way of authenticating gives its method and its attributes,
# at both ends; they outlive rekeying and reauthentication of all kinds, and the
# agent being killed at any time.

# shellcheck source=lib.sh
. selftests/lib.sh

LAYER=$BUILD/layers/strongswan
TOKEND=$BUILD/tools/tokend/ipsec-tokend
DIR=/tmp/tokend.$$

# what the numbers of enum ipsec_auth_method mean
BTNS=2 LEAPOFFAITH=3 GROUPKEY=4 PRESHAREDKEY=5 XAUTH=6 EAP=7
PKIX_INLINE=9 PKIX_TRUSTED=10

[ -x "$LAYER/usr/lib/ipsec/charon" ] || {
	echo "1..0 # SKIP $LAYER is not there, see selftests/qemu/layers.sh"
	exit 4
}

# ------------------------------------------------------------------- charon

# What the packages have where the programs look for it, for this test alone.
layer_up() {
	mkdir -p /usr/lib/ipsec
	mount --bind "$LAYER/usr/lib/ipsec" /usr/lib/ipsec
	ldconfig -n /usr/lib/ipsec 2>/dev/null
}

# host_setup HOST NUMBER: directories and the daemon's own configuration
host_setup() {
	local host=$1 d

	for d in x509 x509ca pubkey private ecdsa rsa conf.d x509aa x509ac x509crl x509ocsp \
		 pkcs8 pkcs12 bliss; do
		mkdir -p "$DIR/$host/swanctl/$d"
	done
	mkdir -p "$DIR/$host/run"
	cat >"$DIR/$host/strongswan.conf" <<-END
	charon {
		load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints \
			hmac kdf drbg aes sha2 sha1 gcm mgf1 kernel-netlink socket-default \
			vici eap-identity eap-md5 eap-mschapv2 xauth-generic
		retransmit_tries = 3
		retransmit_timeout = 1
		install_routes = no
		filelog {
			charon {
				path = $DIR/$host/charon.log
				default = 1
				flush_line = yes
			}
		}
		plugins {
			vici {
				socket = unix://$DIR/$host/charon.vici
			}
		}
	}
	END
	cat >"$DIR/$host/tokend.conf" <<-END
	[agent]
	log-level = debug
	known-keys = $DIR/$host/known-keys

	[strongswan]
	socket = $DIR/$host/charon.vici
	unique-psk = unique
	END
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

declare -A CHARON AGENT

# start HOST COMMAND...: in the background, as process STARTED itself
start() {
	exec "$HELPERS/netns" "$@" &
	STARTED=$!
}

charon_up() {
	local host=$1

	STRONGSWAN_CONF=$DIR/$host/strongswan.conf start $host unshare -m bash -c \
		"mount --bind '$DIR/$host/run' /run && exec /usr/lib/ipsec/charon" \
		>"$DIR/$host/charon.out" 2>&1
	CHARON[$host]=$STARTED
	wait_for 20 test -S "$DIR/$host/charon.vici"
}

charon_down() {
	kill "${CHARON[$1]}"
	wait "${CHARON[$1]}" 2>/dev/null
	rm -f "$DIR/$1/charon.vici"
}

# swan HOST COMMAND...
swan() {
	local host=$1

	shift
	SWANCTL_DIR=$DIR/$host/swanctl STRONGSWAN_CONF=$DIR/$host/strongswan.conf \
		LD_LIBRARY_PATH=/usr/lib/ipsec $host "$LAYER/usr/sbin/swanctl" "$@" \
		--uri "unix://$DIR/$host/charon.vici" >>"$DIR/$host/swanctl.log" 2>&1
}

# config HOST <TEXT: load it, and nothing else
config() {
	cat >"$DIR/$1/swanctl/swanctl.conf"
	swan "$1" --load-all --clear
}

# -------------------------------------------------------------------- agent

agent_up() {
	local host=$1

	start $host "$TOKEND" -c "$DIR/$host/tokend.conf" >>"$DIR/$host/tokend.log" 2>&1
	AGENT[$host]=$STARTED
}

# agent_kill HOST: without a chance to tidy up
agent_kill() {
	kill -9 "${AGENT[$1]}"
	wait "${AGENT[$1]}" 2>/dev/null
}

# dump HOST: one line per SA that has an identity
dump() {
	$1 "$HELPERS/tokend_dump"
}

# Every SA of the kernel has an identity, and there are some. What was read is
# kept for those functions that follow.
all_bound() {
	local n lines

	n=$($1 $IP xfrm state | grep -c 'proto esp')
	[ "$n" -gt 1 ] || return
	dump "$1" >"$DIR/$1/dump"
	mapfile -t lines <"$DIR/$1/dump"
	[ ${#lines[@]} = "$n" ]
}

none_bound() {
	[ -z "$(dump "$1")" ]
}

# field HOST NAME: the distinct values of all SAs; "-" where one has none
field() {
	local values="" value line item items

	while IFS= read -r line; do
		value=-
		IFS=$'\t' read -r -a items <<<"$line"
		for item in "${items[@]}"; do
			[[ $item != "$2="* ]] || value=${item#*=}
		done
		[[ "|$values|" == *"|$value|"* ]] || values+=${values:+|}$value
	done < <(sort "$DIR/$1/dump")
	case $values in
	*"|"*)	tr '|' '\n' <<<"$values" | sort | paste -s -d '|' ;;
	*)	echo "$values" ;;
	esac
}

# spis HOST: of all SAs that have an identity
spis() {
	field "$1" spi
}

# ------------------------------------------------------------- connections

# connection NAME LOCAL-ID REMOTE-ID LOCAL REMOTE EXTRA: of swanctl.conf. LOCAL
# and REMOTE are the contents of these sections, lines separated by ";".
connection() {
	local host=$1 name=$2 left=10.0.0.1 right=10.0.0.2

	[ "$host" = left ] || left=10.0.0.2 right=10.0.0.1
	cat <<-END
	connections {
	$name {
	local_addrs = $left
	remote_addrs = $right
	proposals = aes128-sha256-ecp256
	rekey_time = 0
	${6//;/
	}
	local {
	${3//;/
	}
	}
	remote {
	${4//;/
	}
	}
	${5//;/
	}
	children {
	net {
	mode = transport
	esp_proposals = aes128gcm16
	rekey_time = 0
	}
	}
	}
	}
	END
}

up() {
	swan left --initiate --child net --timeout 20
}

down() {
	local host

	swan left --terminate --ike "$1" --timeout 10
	for host in left right; do
		$host $IP xfrm state flush
		wait_for 10 none_bound $host
	done
}

# Both ends have bound both SAs.
both_bound() {
	wait_for 10 all_bound left && wait_for 10 all_bound right
}

# sum HOST: all that must not change
sum() {
	echo "$(field "$1" itoken) $(field "$1" lineage) $(field "$1" method)"
}

# unchanged NAME WHAT COMMAND...: afterwards other SAs have the same identities
unchanged() {
	local what=$1 left right spis

	shift
	left=$(sum left) right=$(sum right) spis=$(spis left)
	"$@" || diag "$*: failed"
	sleep 0.5
	check "$what: SAs of both ends have identities" both_bound
	is "$(sum left)" "$left" "$what: the same for left"
	is "$(sum right)" "$right" "$what: the same for right"
	case $what in
	*"CHILD_SA"* | *reauth*)
		check "$what: other SAs" test "$(spis left)" != "$spis"
		;;
	esac
}

agent_again() {
	local host

	for host in left right; do
		agent_kill $host
		agent_up $host
	done
}

# survives NAME CONNECTION: rekeying of all kinds, and the agent killed meanwhile
survives() {
	unchanged "$1, rekeyed CHILD_SA" swan left --rekey --child net
	unchanged "$1, rekeyed IKE_SA" swan left --rekey --ike "$2"
	unchanged "$1, agent killed" agent_again
	agent_kill left
	agent_kill right
	unchanged "$1, rekeyed CHILD_SA without agent" rekey_alone
}

rekey_alone() {
	swan left --rekey --child net
	sleep 1
	agent_up left
	agent_up right
}

SECRET='secrets {
ike {
secret = "a secret of this test"
}
}'

t_psk() {
	{ connection left home "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org"; echo "$SECRET"; } | config left
	{ connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org"; echo "$SECRET"; } | config right
	check "PSK: up" up
	check "PSK: bound" both_bound
	is "$(field left method)" $GROUPKEY "PSK: GROUPKEY, where it may be shared"
	is "$(field left id)" right.example.org "PSK: identity"
	is "$(field left idtype)" 2 "PSK: type of the identity"
	is "$(field right id)" left@example.org "PSK: identity at the other end"
	is "$(field right idtype)" 3 "PSK: type of the identity at the other end"
	is "$(field left itoken)" "$(field right local.itoken)" "PSK: iToken is the peer's own"
	is "$(field right itoken)" "$(field left local.itoken)" "PSK: and the other way"
	is "$(field left key)$(field left dn)$(field left ca)$(field left binding)" ---- \
		"PSK: no key, no certificate"
	is "$(field left policy)" home/net "PSK: name of the policy"
	is "$(field left source)" strongswan "PSK: source"
	survives PSK home
	ITOKEN=$(field left itoken)
	down home
	check "PSK: up again" up
	check "PSK: bound again" both_bound
	is "$(field left itoken)" "$ITOKEN" "PSK: same iToken after an outage"
	down home
}

t_unique_psk() {
	{ connection left unique "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org"; echo "$SECRET"; } | config left
	{ connection right unique "auth = psk;id = right.example.org" \
		"auth = psk"; echo "$SECRET"; } | config right
	check "unique PSK: up" up
	check "unique PSK: bound" both_bound
	is "$(field left method)" $PRESHAREDKEY "unique PSK: as the administrator says"
	is "$(field right method)" $GROUPKEY "unique PSK: not if the connection is for anyone"
	down unique
}

# pki: a CA, and a certificate for each host, one with a non-ASCII name
pki() {
	local host san

	openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/ca.key"
	openssl req -x509 -new -key "$DIR/ca.key" -days 30 -utf8 \
		-subj "/C=CH/O=Prüfung, \"Test\"/CN=CA" -out "$DIR/ca.pem"
	for host in left right; do
		san=DNS:$host.example.org
		openssl ecparam -name prime256v1 -genkey -noout \
			-out "$DIR/$host/swanctl/ecdsa/key.pem"
		openssl ec -in "$DIR/$host/swanctl/ecdsa/key.pem" -pubout \
			-out "$DIR/$host.pub"
		openssl req -new -key "$DIR/$host/swanctl/ecdsa/key.pem" -utf8 \
			-subj "/C=CH/O=Prüfung/CN=$host.example.org" -out "$DIR/$host.csr"
		openssl x509 -req -in "$DIR/$host.csr" -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" \
			-CAcreateserial -days 30 -extfile <(echo "subjectAltName=$san") \
			-out "$DIR/$host/swanctl/x509/own.pem"
		cp "$DIR/ca.pem" "$DIR/$host/swanctl/x509ca/"
	done
} 2>/dev/null

t_pkix() {
	connection left pkix "auth = pubkey;certs = own.pem;id = left.example.org" \
		"auth = pubkey;id = right.example.org" "" "send_cert = always" | config left
	connection right pkix "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = pubkey;id = left.example.org" "" "send_cert = always" | config right
	check "X.509: up" up
	check "X.509: bound" both_bound
	is "$(field left method)" $PKIX_INLINE "X.509: PKIX_INLINE"
	is "$(field left ca)" 'CN=CA,O=Prüfung\, \"Test\",C=CH' "X.509: certificateAuthorityDN"
	is "$(field left dn)" "CN=right.example.org,O=Prüfung,C=CH" "X.509: certificateDN"
	is "$(field right dn)" "CN=left.example.org,O=Prüfung,C=CH" \
		"X.509: certificateDN at the other end"
	is "$(field left id)" right.example.org "X.509: identity"
	is "$(field left key)" "$(pubkey_id "$DIR/right.pub")" "X.509: pubKeyID"
	is "$(field left local.key)" "$(pubkey_id "$DIR/left.pub")" "X.509: own pubKeyID"
	is "$(field left binding)" "$(field right binding)" "X.509: same channelBinding"
	is "$(field left binding)" "$(binding)" "X.509: channelBinding of both keys"
	is "$(field left itoken)" "$(field right local.itoken)" "X.509: iToken is the peer's own"
	survives X.509 pkix
	unchanged "X.509, reauthenticated" swan left --rekey --ike pkix --reauth
	down pkix
}

# pubkey_id FILE, binding: the same by other means
pubkey_id() {
	openssl pkey -pubin -in "$1" -outform DER | openssl dgst -sha256 -binary |
		base64 | tr -d '=\n'
}

binding() {
	local host

	for host in left right; do
		openssl pkey -pubin -in "$DIR/$host.pub" -outform DER | xxd -p | tr -d '\n'
		echo
	done | sort | tr -d '\n'
}

t_pinned() {
	cp "$DIR/right/swanctl/x509/own.pem" "$DIR/left/swanctl/x509/peer.pem"
	connection left pinned "auth = pubkey;certs = own.pem;id = left.example.org" \
		"auth = pubkey;certs = peer.pem;id = right.example.org" | config left
	connection right pinned "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = pubkey;id = left.example.org" | config right
	check "X.509 in the store: up" up
	check "X.509 in the store: bound" both_bound
	is "$(field left method)" $PKIX_TRUSTED "X.509 in the store: PKIX_TRUSTED"
	is "$(field right method)" $PKIX_INLINE "X.509 in the store: only where it is"
	down pinned
	rm "$DIR/left/swanctl/x509/peer.pem"
}

t_raw() {
	local host peer

	for host in left right; do
		[ $host = left ] && peer=right || peer=left
		cp "$DIR/left.pub" "$DIR/right.pub" "$DIR/$host/swanctl/pubkey/"
		connection $host raw "auth = pubkey;pubkeys = $host.pub;id = $host.raw" \
			"auth = pubkey;pubkeys = $peer.pub;id = $peer.raw" | config $host
	done
	check "raw key: up" up
	check "raw key: bound" both_bound
	is "$(field left method)" $BTNS "raw key: BTNS, when seen first"
	is "$(field left key)" "$(pubkey_id "$DIR/right.pub")" "raw key: pubKeyID"
	is "$(field left binding)" "$(binding)" "raw key: channelBinding"
	is "$(stat -c %a "$DIR/left/known-keys")" 600 "raw key: nobody else may read known keys"
	unchanged "raw key, rekeyed CHILD_SA" swan left --rekey --child net
	unchanged "raw key, agent killed" agent_again
	ITOKEN=$(field left itoken)
	down raw
	check "raw key: up again" up
	check "raw key: bound again" both_bound
	is "$(field left method)" $LEAPOFFAITH "raw key: LEAPOFFAITH, when seen before"
	is "$(field left itoken)" "$ITOKEN" "raw key: same iToken"
	down raw

	sed -i -E 's/^(2 right\.raw) [^ ]+/\1 other/' "$DIR/left/known-keys"
	check "raw key, changed: up" up
	check "raw key, changed: bound" both_bound
	is "$(field left method)" $BTNS "raw key, changed: BTNS"
	check "raw key, changed: warned of" grep -q 'right.raw.*HAS CHANGED' "$DIR/left/tokend.log"
	check "raw key, changed: kept" grep -q '^2 right.raw other ' "$DIR/left/known-keys"
	down raw
	rm "$DIR"/*/swanctl/pubkey/*
}

EAP_SECRETS='secrets {
eap {
id = carol
secret = "a password of this test"
}
}'

t_eap() {
	{ connection left eap "auth = eap-$1;eap_id = carol;id = left.example.org" \
		"auth = pubkey;id = right.example.org"; echo "$EAP_SECRETS"; } | config left
	{ connection right eap "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = eap-$1;eap_id = %any" "" "send_cert = always"
	  echo "$EAP_SECRETS"; } | config right
	check "EAP-$1: up" up
	check "EAP-$1: bound" both_bound
	is "$(field right method)" $EAP "EAP-$1: EAP"
	is "$(field right id)" "$2" "EAP-$1: name of the user"
	is "$(field left method)" $PKIX_INLINE "EAP-$1: the server has a certificate"
	unchanged "EAP-$1, rekeyed IKE_SA" swan left --rekey --ike eap
	unchanged "EAP-$1, agent killed" agent_again
	unchanged "EAP-$1, rekeyed CHILD_SA" swan left --rekey --child net
	down eap
}

t_xauth() {
	{ connection left xauth "auth = psk;id = left.example.org" "auth = psk" \
		"local-2 {;auth = xauth;xauth_id = carol;}" "version = 1;aggressive = no"
	  echo "$SECRET"; echo "$EAP_SECRETS"; } | config left
	{ connection right xauth "auth = psk;id = right.example.org" "auth = psk" \
		"remote-2 {;auth = xauth;}" "version = 1"
	  echo "$SECRET"; echo "$EAP_SECRETS"; } | config right
	check "XAuth: up" up
	check "XAuth: bound" both_bound
	is "$(field right method)" $XAUTH "XAuth: XAUTH"
	is "$(field right id)" carol "XAuth: name of the user"
	is "$(field left method)" $GROUPKEY "XAuth: the server has a group's key"
	unchanged "XAuth, agent killed" agent_again
	down xauth
}

t_restarts() {
	{ connection left home "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org"; echo "$SECRET"; } | config left
	{ connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org"; echo "$SECRET"; } | config right
	up
	check "module reloaded: bound before" both_bound
	unchanged "module reloaded" module_again
	check "SIGHUP" kill -HUP "${AGENT[left]}"
	sleep 0.5
	check "SIGHUP: still there" kill -0 "${AGENT[left]}"
	echo nonsense >>"$DIR/left/tokend.conf"
	kill -HUP "${AGENT[left]}"
	sleep 0.5
	check "SIGHUP with a mistake: still there" kill -0 "${AGENT[left]}"
	refused "a mistake is found" "$TOKEND" --check-config -c "$DIR/left/tokend.conf"
	sed -i '$d' "$DIR/left/tokend.conf"
	charon_down left
	charon_up left
	{ connection left home "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org"; echo "$SECRET"; } | config left
	left $IP xfrm state flush
	right $IP xfrm state flush
	check "charon restarted: up" up
	check "charon restarted: bound" both_bound
	kill "${AGENT[left]}"
	wait "${AGENT[left]}"
	is $? 0 "SIGTERM ends it"
	agent_up left
	down home
}

# The initiator gets another address, and takes its SAs along.
t_mobike() {
	local host

	for host in left right; do
		[ $host = left ] && me=left peer=right || me=right peer=left
		{ connection $host roam "auth = psk;id = $me.example.org" \
			"auth = psk;id = $peer.example.org"; echo "$SECRET"; } |
		sed -e '/^local_addrs/d' -e '/^mode = /d' \
			-e "s,^esp_proposals,local_ts = 10.9.$me.0/24\nremote_ts = 10.9.$peer.0/24\n&," \
			-e 's/10\.9\.left/10.9.1/;s/10\.9\.right/10.9.2/' \
			-e '/^remote_addrs = 10.0.0.1/d' | config $host
	done
	check "MOBIKE: up" up
	check "MOBIKE: bound" both_bound
	left sysctl -qw net.ipv4.conf.all.promote_secondaries=1
	right $IP neigh replace 10.0.0.3 lladdr 02:00:00:00:00:01 dev veth nud permanent
	unchanged "MOBIKE" roam
	check "MOBIKE: other address" grep -q '^dst=10.0.0.3' "$DIR/left/dump"
	left $IP addr add 10.0.0.1/24 dev veth
	left $IP addr del 10.0.0.3/24 dev veth
	down roam
}

roam() {
	left $IP addr add 10.0.0.3/24 dev veth
	left $IP addr del 10.0.0.1/24 dev veth
	wait_for 15 eval 'left $IP xfrm state | grep -q "dst 10.0.0.3"'
}

# of_peer ID: how many SAs of each direction are said to be of a peer
of_peer() {
	local dst n

	for dst in 10.0.0.1 10.0.0.2; do
		n=$(grep -P "^dst=$dst\t" "$DIR/right/dump" | grep -cP "\tid=$1\t")
		echo -n "$n "
	done
}

four_bound() {
	all_bound right && [ "$(wc -l <"$DIR/right/dump")" = 4 ]
}

# Two peers at one address, with the same traffic selectors.
t_two() {
	local peer

	{ for peer in one two; do
		connection left $peer "auth = psk;id = $peer@example.org" \
			"auth = psk;id = right.example.org"
	  done; echo "$SECRET"; } | config left
	{ connection right any "auth = psk;id = right.example.org" "auth = psk" "" \
		"unique = never"; echo "$SECRET"; } | config right
	for peer in one two; do
		check "two peers: $peer up" swan left --initiate --ike $peer --child net --timeout 20
	done
	check "two peers: bound" both_bound
	is "$(wc -l <"$DIR/right/dump")" 4 "two peers: four SAs"
	is "$(of_peer one@example.org)" "1 1 " "two peers: a pair is of the first"
	is "$(of_peer two@example.org)" "1 1 " "two peers: a pair is of the second"
	unchanged "two peers, rekeyed CHILD_SA" swan left --rekey --child net
	check "two peers: the former SAs are gone" wait_for 20 four_bound
	is "$(of_peer one@example.org)" "1 1 " "two peers: still a pair of the first"
	is "$(of_peer two@example.org)" "1 1 " "two peers: still a pair of the second"
	swan left --terminate --ike one --timeout 10
	down two
}

module_again() {
	rmmod ipsec_token && insmod "$MODULE"
}

echo "KTAP version 1"
layer_up
crypto_load
modprobe -a -q esp4 xfrm_user xfrm4_tunnel af_key
net_up
for host in left right; do
	host_setup $host
	charon_up $host || diag "charon of $host did not start"
	agent_up $host
done
pki

for t in ${TOKEND_TESTS:-psk unique_psk pkix pinned raw eap_md5 eap_mschapv2 xauth two mobike restarts}; do
	diag "$SECONDS seconds: $t"
	case $t in
	eap_md5)	t_eap md5 carol ;;
	# the name outside is not what this method proves
	eap_mschapv2)	t_eap mschapv2 - ;;
	*)		"t_$t" ;;
	esac
done
echo "1..$KTAP_COUNT"

if [ $KTAP_FAILED != 0 ]; then
	for host in left right; do
		for log in tokend swanctl charon; do
			diag "--- $host $log" "$(tail -n "${TOKEND_LINES:-60}" "$DIR/$host/$log.log")"
		done
	done
fi
for host in left right; do
	charon_down $host
	kill "${AGENT[$host]}" 2>/dev/null
done
rm -rf "$DIR"
finish
