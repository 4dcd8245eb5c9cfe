#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Identities from libreswan: a real pluto on each host, and an ipsec-tokend
# beside each; in the end charon is at one of them. What is claimed is no more
# than what pluto tells is evidence for. It outlives rekeying, and the agent
# being killed; nobody who is not root, and nothing odd that scripts or whack
# say, changes it.

# shellcheck source=lib.sh
. selftests/lib.sh
# shellcheck source=tokend_lib.sh
. selftests/tokend_lib.sh

UPDOWN=$BUILD/tools/libexec/updown-libreswan

[ -x "$LAYERS/libreswan/usr/libexec/ipsec/pluto" ] &&
[ -x "$LAYERS/strongswan/usr/lib/ipsec/charon" ] || {
	echo "1..0 # SKIP no libreswan or no strongSwan, run selftests/qemu/layers.sh"
	exit 4
}

# ------------------------------------------------------------------------- hosts

# agent_config HOST [LINE...]: for libreswan; lines may set more of it
agent_config() {
	local host=$1

	shift
	cat >"$DIR/$host/tokend.conf" <<-END
	[agent]
	log-level = debug
	known-keys = $DIR/$host/known-keys

	[strongswan]
	enabled = no

	[libreswan]
	socket = $DIR/$host/pluto/pluto.ctl
	updown-socket = $DIR/$host/agent/updown
	unique-psk = unique any
	unique-cert = only swan
	END
	printf '%s\n' "certutil = $LAYERS/libreswan/usr/bin/certutil" "$@" \
		>>"$DIR/$host/tokend.conf"
}

# section TITLE LINE...: of ipsec.conf
section() {
	echo "$1"
	shift
	printf '\t%s\n' "$@"
}

# ipsec_conf HOST: most connections do without a script, which takes its time
ipsec_conf() {
	local host=$1 peer=right updown own=

	# only this end has to prove anything
	[ "$host" = left ] || peer=left own=rightcert=right
	updown="${host}updown=\"$UPDOWN -s $DIR/$host/agent/updown\""
	section "config setup" protostack=xfrm uniqueids=no ikev1-policy=accept
	section "conn %default" ikev2=yes type=transport left=10.0.0.1 right=10.0.0.2 \
		leftid=@left.example.org rightid=@right.example.org auto=ignore \
		leftupdown=%disabled rightupdown=%disabled
	section "conn psk" authby=secret "$updown"
	section "conn unique" authby=secret
	section "conn v1" authby=secret ikev2=no
	section "conn v6" authby=secret left=fd00::1 right=fd00::2 type=tunnel
	section "conn null" authby=null leftid=%null rightid=%null
	section "conn either" authby=ecdsa,null "${host}cert=$host"
	section "conn asym" leftauth=null rightauth=ecdsa leftid=%null "$own"
	section "conn x509" "$updown" authby=ecdsa "${host}cert=$host" "${peer}ca=%same"
	section "conn dn" authby=ecdsa "${host}cert=$host" "${host}id=%fromcert" "${peer}id=%fromcert"
	section "conn only" authby=ecdsa "${host}cert=$host" "${peer}cert=$peer"
	section "conn notonly" authby=ecdsa "${host}cert=$host" "${peer}cert=$peer"
	section "conn alone" authby=ecdsa "${host}cert=$host-self" "${peer}cert=$peer-self" \
		leftid=@left-self.example.org rightid=@right-self.example.org
	# the responder takes whoever has the secret
	if [ "$host" = left ]; then
		section "conn any" authby=secret
	else
		section "conn any" authby=secret left=%any leftid=%any
	fi
	# with charon at the other end
	section "conn swanpsk" authby=secret leftid=@left.example.org rightid=@right.example.org
	section "conn swan" authby=ecdsa "${host}cert=$host" "${peer}cert=$peer"
}

nss() {
	local host=$1

	shift
	"$LAYERS/libreswan/usr/bin/$1" -d "sql:$DIR/$host/nss" "${@:2}" >>"$DIR/$host/nss.log" 2>&1
}

# nss_own HOST NAME: a certificate with its key
nss_own() {
	openssl pkcs12 -export -in "$DIR/$2.pem" -inkey "$DIR/$2.key" -name "$2" \
		-passout pass:x -out "$DIR/$2.p12"
	nss "$1" pk12util -i "$DIR/$2.p12" -W x -K ""
}

self_signed() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/$1.key"
	openssl ec -in "$DIR/$1.key" -pubout -out "$DIR/$1.pub"
	openssl req -x509 -new -key "$DIR/$1.key" -days 30 -subj "/CN=$1" -out "$DIR/$1.pem" \
		-addext "subjectAltName=DNS:$1.example.org" -addext "basicConstraints=CA:FALSE"
} 2>/dev/null

host_setup() {
	local host=$1 peer=right

	[ "$host" = left ] || peer=left
	pluto_setup "$host"
	nss "$host" certutil -A -n ca -t CT,, -i "$DIR/ca.pem"
	for name in $host $host-self; do
		nss_own "$host" "$name"
	done
	for name in $peer $peer-self; do
		nss "$host" certutil -A -n "$name" -t P,, -i "$DIR/$name.pem"
	done
	ipsec_conf "$host" >"$DIR/$host/ipsec.conf"
	echo ': PSK "a secret of this test that is long enough"' >"$DIR/$host/ipsec.secrets"
	agent_config "$host"
}

# ------------------------------------------------------------------- connections

up() {
	load left "$1" && load right "$1" && whack left --name "$1" --initiate
}

# down NAME: both ends forget it, and all SAs
down() {
	local host

	for host in left right; do
		whack $host --name "$1" --delete
		$host $IP xfrm state flush
		wait_for 10 none_bound $host
	done
}

# kernel_spis HOST
kernel_spis() {
	$1 $IP xfrm state | grep -o 'spi [^ ]*' | sort
}

# renews COMMAND...: which does not always wait until there are other SAs
renews() {
	local before

	before=$(kernel_spis left)
	"$@"
	wait_for 20 eval '[ "$(kernel_spis left)" != "$before" ]'
}

rekey_child() {
	renews whack left --name "$1" --rekey-ipsec
}

rekey_ike() {
	whack left --name "$1" --rekey-ike
}

rekey_alone() {
	agent_kill left
	agent_kill right
	rekey_child "$1"
	agent_up left
	agent_up right
}

# survives NAME CONNECTION: rekeying of all kinds, and the agent killed meanwhile
survives() {
	unchanged "$1, rekeyed CHILD_SA" rekey_child "$2"
	unchanged "$1, agent killed" agent_again
	unchanged "$1, rekeyed IKE_SA" rekey_ike "$2"
	unchanged "$1, rekeyed CHILD_SA without agent" rekey_alone "$2"
}

# mutual NAME: each end's iToken of the peer is the peer's own
mutual() {
	is "$(field left itoken)" "$(field right local.itoken)" "$1: iToken is the peer's own"
	is "$(field right itoken)" "$(field left local.itoken)" "$1: and the other way"
}

t_psk() {
	check "PSK: up" up psk
	check "PSK: bound" both_bound
	is "$(field left method)" $GROUPKEY "PSK: GROUPKEY, where it may be shared"
	is "$(field left id) $(field left idtype)" "right.example.org 2" "PSK: identity"
	is "$(field right id)" left.example.org "PSK: identity at the other end"
	is "$(field left key)$(field left dn)$(field left ca)$(field left binding)" ---- \
		"PSK: no key, no certificate"
	is "$(field left policy) $(field left source)" "psk libreswan" "PSK: policy and source"
	check "PSK: the auditString says what is not known" grep -q "not known to be of one peer" \
		"$DIR/left/dump"
	mutual PSK
	survives PSK psk
	ITOKEN=$(field left itoken)
	down psk
	check "PSK: up again" up psk
	check "PSK: bound again" both_bound
	is "$(field left itoken)" "$ITOKEN" "PSK: same iToken after an outage"
	check "the script was heard" grep -q "updown up-host of psk" "$DIR/left/tokend.log"
	refused "and what it said was so" grep -q "no such SAs" "$DIR/left/tokend.log"
	t_hostile
	down psk
}

t_unique_psk() {
	check "unique PSK: up" up unique
	check "unique PSK: bound" both_bound
	is "$(field left method)" $PRESHAREDKEY "unique PSK: as the administrator says"
	down unique
	check "PSK of anyone: up" up any
	check "PSK of anyone: bound" both_bound
	is "$(field left method)" $PRESHAREDKEY "PSK of anyone: one end knows its peer"
	is "$(field right method)" $GROUPKEY "PSK of anyone: the other takes whoever comes"
	is "$(field right id)" left.example.org "PSK of anyone: who came"
	down any
}

t_v1() {
	check "IKEv1: up" up v1
	check "IKEv1: bound" both_bound
	is "$(field left method) $(field left id)" "$GROUPKEY right.example.org" "IKEv1: GROUPKEY"
	check "IKEv1: the auditString says so" grep -q "libreswan IKEv1" "$DIR/left/dump"
	unchanged "IKEv1, agent killed" agent_again
	down v1
}

t_v6() {
	check "IPv6: up" up v6
	check "IPv6: bound" both_bound
	is "$(field left dst)" "fd00::1|fd00::2" "IPv6: both SAs"
	is "$(field left method) $(field left id)" "$GROUPKEY right.example.org" "IPv6: GROUPKEY"
	unchanged "IPv6, rekeyed CHILD_SA" rekey_child v6
	unchanged "IPv6, agent killed" agent_again
	down v6
}

t_null() {
	local host

	check "NULL: up" up null
	check "NULL: bound" both_bound
	for host in left right; do
		is "$(field $host method)" $NONE "NULL: NONE at $host"
		is "$(field $host id)$(field $host key)$(field $host binding)" --- \
			"NULL: nothing else at $host"
	done
	unchanged "NULL, rekeyed CHILD_SA" rekey_child null
	unchanged "NULL, rekeyed IKE_SA" rekey_ike null
	unchanged "NULL, agent killed" agent_again
	unchanged "NULL, rekeyed CHILD_SA of that" rekey_child null
	# nobody was there to see that it is still the same
	rekey_ike null
	rekey_alone null
	check "NULL, rekeyed twice without agent: bound" both_bound
	is "$(field left method)" $NONE "NULL, rekeyed twice without agent: NONE"
	ITOKEN=$(field left itoken)
	down null
	check "NULL: up again" up null
	check "NULL: bound again" both_bound
	check "NULL: it may be another peer" test "$(field left itoken)" != "$ITOKEN"
	down null
}

t_either() {
	# both prove who they are, but need not, and which it was is not told
	check "NULL or signature: up" up either
	check "NULL or signature: bound" both_bound
	is "$(field left method) $(field left id)" "$NONE -" "NULL or signature: NONE"
	down either
	# what one end is asked for, the other is not
	check "NULL and signature: up" up asym
	check "NULL and signature: bound" both_bound
	is "$(field right method) $(field right id)" "$NONE -" "NULL and signature: NONE of the first"
	is "$(field right local.method)" $PKIX_INLINE "NULL and signature: and a signature of its own"
	down asym
}

# What pluto does not tell of a certificate is not claimed.
t_x509() {
	# the responder takes the one that was loaded last, whatever was asked for
	load left psk null
	load right psk null
	check "X.509: up" up x509
	check "X.509: bound" both_bound
	is "$(field left policy)" x509 "X.509: policy"
	is "$(field left method)" $PKIX_INLINE "X.509: PKIX_INLINE"
	is "$(field left id) $(field left idtype)" "right.example.org 2" "X.509: identity"
	is "$(field right id)" left.example.org "X.509: identity at the other end"
	is "$(field left ca)" "$CA_DN" "X.509: certificateAuthorityDN, as the connection has it"
	is "$(field left dn)$(field left key)$(field left binding)" --- "X.509: its key is not told"
	is "$(field left local.key)" "$(pubkey_id "$DIR/left.pub")" "X.509: own pubKeyID"
	is "$(field left local.dn)" "CN=left.example.org,O=Prüfung,C=CH" "X.509: own certificateDN"
	unchanged "X.509, rekeyed IKE_SA" rekey_ike x509
	unchanged "X.509, rekeyed CHILD_SA" rekey_child x509
	ITOKEN=$(field left itoken)
	down x509
	check "X.509: up again" up x509
	check "X.509: bound again" both_bound
	is "$(field left itoken)" "$ITOKEN" "X.509: same iToken after an outage"
	down x509
	for host in left right; do
		whack $host --name psk --delete
		whack $host --name null --delete
	done
}

t_dn() {
	check "X.509, by name: up" up dn
	check "X.509, by name: bound" both_bound
	is "$(field left method) $(field left idtype)" "$PKIX_INLINE 9" "X.509, by name: PKIX_INLINE"
	is "$(field left id)" 'C=CH, O=Pr\C3\BCfung, CN=right.example.org' "X.509, by name: identity"
	is "$(field left ca)" - "X.509, by name: any CA would do"
	down dn
}

t_only() {
	check "X.509, the only one: up" up only
	check "X.509, the only one: bound" both_bound
	is "$(field left method)" $PKIX_TRUSTED "X.509, the only one: as the administrator says"
	is "$(field left ca)" "$CA_DN" "X.509, the only one: certificateAuthorityDN"
	is "$(field left dn)" "CN=right.example.org,O=Prüfung,C=CH" \
		"X.509, the only one: certificateDN"
	is "$(field left key)" "$(pubkey_id "$DIR/right.pub")" "X.509, the only one: pubKeyID"
	is "$(field left binding)" "$(field right binding)" "X.509, the only one: channelBinding"
	is "$(field left binding)" "$(binding "$DIR/left.pub" "$DIR/right.pub")" \
		"X.509, the only one: it is of both keys"
	unchanged "X.509, the only one, agent killed" agent_again
	unchanged "X.509, the only one, rekeyed CHILD_SA without agent" rekey_alone only
	down only
	# the same, but another certificate of that CA would be taken too
	check "X.509, one of several: up" up notonly
	check "X.509, one of several: bound" both_bound
	is "$(field left method)" $PKIX_INLINE "X.509, one of several: PKIX_INLINE"
	is "$(field left key)$(field left binding)" -- "X.509, one of several: its key is not told"
	down notonly
}

# A certificate that has signed itself cannot be mistaken for another one.
t_alone() {
	check "X.509, self-signed: up" up alone
	check "X.509, self-signed: bound" both_bound
	is "$(field left method)" $PKIX_TRUSTED "X.509, self-signed: PKIX_TRUSTED"
	is "$(field left dn) $(field left ca)" "CN=right-self -" "X.509, self-signed: no CA"
	is "$(field left key)" "$(pubkey_id "$DIR/right-self.pub")" "X.509, self-signed: pubKeyID"
	is "$(field left binding)" "$(field right binding)" "X.509, self-signed: channelBinding"
	is "$(field left binding)" "$(binding "$DIR/left-self.pub" "$DIR/right-self.pub")" \
		"X.509, self-signed: it is of both keys"
	down alone
}

# ------------------------------------------------------------------------ hostile

# tell NAME=VALUE...: what a script says that has this environment, and no other
tell() {
	env -i PATH="$PATH" "$@" "$UPDOWN" -s "$DIR/left/agent/updown"
}

# tell_raw: the same, but what is sent comes from standard input
tell_raw() {
	openssl enc -base64 -A -d | "$HELPERS/unix_send" "$DIR/left/agent/updown"
}

complaints() {
	grep -c "updown: .* cannot be right\|must not speak" "$DIR/left/tokend.log"
}

# complains TEXT COMMAND...: the agent refuses what the command says
complains() {
	local text=$1 before

	before=$(complaints)
	shift
	"$@"
	check "hostile script: $text" wait_for 10 eval '[ "$(complaints)" -gt '"$before ]"
}

t_hostile() {
	local socket=$DIR/left/agent/updown before long

	before=$(sort "$DIR/left/dump")
	long=$(printf 'x%.0s' {1..9000})
	PATH=$DIR/bin:$PATH
	is "$(stat -c %a:%u "$socket")" 600:0 "nobody else may speak to the agent"
	complains "no verb" tell PLUTO_CONNECTION=psk
	complains "no connection" tell PLUTO_VERB=up-host
	complains "nothing at all" tell
	complains "a verb that is none" tell PLUTO_VERB='up-host;id' PLUTO_CONNECTION=psk
	complains "a line break" tell PLUTO_VERB=up-host PLUTO_CONNECTION=$'psk\nerror: root'
	complains "not UTF-8" tell PLUTO_VERB=up-host PLUTO_CONNECTION=$'psk\xff\xfe'
	complains "a long name" tell PLUTO_VERB=up-host PLUTO_CONNECTION="${long:0:300}"
	complains "a longer name" tell PLUTO_VERB=up-host PLUTO_CONNECTION="$long"
	complains "an SPI that is none" tell PLUTO_VERB=up-host PLUTO_CONNECTION=psk SPI_IN=0x1z
	complains "an SPI that is large" tell PLUTO_VERB=up-host PLUTO_CONNECTION=psk \
		SPI_IN=0x100000001
	complains "an SPI below zero" tell PLUTO_VERB=up-host PLUTO_CONNECTION=psk SPI_IN=-0x1
	complains "one byte" tell_raw <<<AQ==
	complains "zeros" tell_raw <<<AAAAAAAAAAAA
	complains "too much" eval 'head -c 60000 /dev/zero | openssl enc -base64 -A | tell_raw'
	complains "the same twice" tell_raw < <(printf '%s\0' PLUTO_VERB=up-host PLUTO_VERB=up-host \
		PLUTO_CONNECTION=psk | openssl enc -base64 -A)
	refused "hostile script: another uid" setpriv --reuid 65534 --clear-groups \
		"$HELPERS/unix_send" "$socket" <<<x
	chmod 777 "$DIR" "$DIR/left" "$DIR/left/agent" "$socket"
	complains "another uid, that is let through" setpriv --reuid 65534 --clear-groups \
		env -i PATH="$PATH" PLUTO_VERB=up-host PLUTO_CONNECTION=psk "$UPDOWN" -s "$socket"
	chmod 600 "$socket"
	# well said, but not so
	tell PLUTO_VERB=up-host PLUTO_CONNECTION=psk SPI_IN=0x12345678 SPI_OUT=0x87654321 \
		PLUTO_PEER_ID=@mallory.example.org PLUTO_CONN_POLICY=IKEv2+ECDSA
	check "hostile script: other SPIs are found out" wait_for 20 grep -q \
		"up-host of psk: pluto has no such SAs" "$DIR/left/tokend.log"
	refused "hostile script: no line of the log is of its making" grep -q "^error: root" \
		"$DIR/left/tokend.log"
	check "hostile script: the agent lives" kill -0 "${AGENT[left]}"
	dump left | sort >"$DIR/left/dump.after"
	is "$(cat "$DIR/left/dump.after")" "$before" "hostile script: nothing was changed"
}

# whack_says NAME: an agent whose whack is another program finds out nothing, and
# lives; it ends the programs that it has started
whack_says() {
	agent_kill left
	agent_config left "whack = $DIR/bin/$1"
	: >"$DIR/left/tokend.log"
	agent_up left
	check "whack, $1: it was run" wait_for 10 test -e "$DIR/left/ran-$1"
	check "whack, $1: it is complained of" wait_for 20 grep -q "libreswan: whack" \
		"$DIR/left/tokend.log"
	check "whack, $1: the agent lives" kill -0 "${AGENT[left]}"
	check "whack, $1: nothing is bound" none_bound left
}

# whack_program NAME <COMMANDS
whack_program() {
	{ echo '#!/bin/sh'; echo "touch $DIR/left/ran-$1"; cat; } >"$DIR/bin/$1"
	chmod 755 "$DIR/bin/$1"
}

t_whack() {
	whack_program fails <<<"exit 1"
	whack_program rubbish <<<"head -c 100000 /dev/urandom"
	whack_program endless <<<"yes '000 #1: \"psk\":500 STATE_V2_ESTABLISHED_IKE_SA (established IKE SA);'"
	whack_program other <<-END
	cat $DIR/left/other
	END
	agent_kill left
	check "odd whack: up" up psk
	check "odd whack: one end is bound" wait_for 20 all_bound right
	# a true answer with a line that cannot be one
	{ $HELPERS/netns left /usr/libexec/ipsec/whack \
		--ctlsocket "$DIR/left/pluto/pluto.ctl" --showstates; echo "oops"; } \
		>"$DIR/left/other" 2>>"$DIR/left/whack.log"
	for what in fails rubbish other endless; do
		whack_says $what
	done
	agent_kill left
	agent_config left
	agent_up left
	check "odd whack: bound by the true one" both_bound
	is "$(field left method)" $GROUPKEY "odd whack: and told by it"
	down psk
}

# pluto does not answer for a while, dies, and is started anew
t_restart() {
	check "pluto restarted: up" up null
	check "pluto restarted: bound before" both_bound
	ITOKEN=$(field left itoken)
	kill -STOP "${PLUTO[left]}"
	agent_kill left
	agent_up left
	sleep 1
	check "pluto stopped: the agent lives" kill -0 "${AGENT[left]}"
	check "pluto stopped: bound as before" both_bound
	kill -CONT "${PLUTO[left]}"
	pluto_kill left
	check "pluto killed: its SAs stay bound" both_bound
	works "pluto started" pluto_up left
	whack right --name null --delete
	left $IP xfrm state flush
	right $IP xfrm state flush
	# it counts from 1 again, which is somebody else now
	check "pluto restarted: up again" up null
	check "pluto restarted: bound again" both_bound
	check "pluto restarted: it may be another peer" test "$(field left itoken)" != "$ITOKEN"
	kill "${AGENT[left]}"
	wait "${AGENT[left]}"
	is $? 0 "SIGTERM ends the agent"
	refused "and its socket is gone" test -e "$DIR/left/agent/updown"
	agent_up left
	down null
}

# -------------------------------------------------- charon at the other end

# swan_config AUTH LOCAL REMOTE
swan_config() {
	cat >"$DIR/right/swanctl/swanctl.conf" <<-END
	connections {
		swan {
			local_addrs = 10.0.0.2
			remote_addrs = 10.0.0.1
			proposals = aes256gcm16-prfsha512-modp2048
			rekey_time = 0
			send_cert = always
			local {
				id = right.example.org
				auth = $1
				$2
			}
			remote {
				id = left.example.org
				auth = $1
				$3
			}
			children {
				net {
					mode = transport
					esp_proposals = aes256gcm16-modp2048
					rekey_time = 0
				}
			}
		}
	}
	secrets {
		ike {
			secret = "a secret of this test that is long enough"
		}
	}
	END
	swan right --load-all --clear
}

t_swan() {
	pluto_kill right
	agent_kill right
	charon_setup right
	cp "$DIR/right.key" "$DIR/right/swanctl/ecdsa/"
	cp "$DIR/right.pem" "$DIR/left.pem" "$DIR/right/swanctl/x509/"
	cp "$DIR/ca.pem" "$DIR/right/swanctl/x509ca/"
	works "charon started" charon_up right
	cat >"$DIR/right/tokend.conf" <<-END
	[agent]
	log-level = debug
	known-keys = $DIR/right/known-keys
	[strongswan]
	socket = $DIR/right/charon.vici
	[libreswan]
	enabled = no
	END
	agent_up right

	check "pluto and charon, PSK: loaded" swan_config psk
	load left swanpsk
	check "pluto and charon, PSK: up" whack left --name swanpsk --initiate
	check "pluto and charon, PSK: bound" both_bound
	is "$(field left method) $(field right method)" "$GROUPKEY $GROUPKEY" \
		"pluto and charon, PSK: GROUPKEY"
	mutual "pluto and charon, PSK"
	is "$(field left source) $(field right source)" "libreswan strongswan" \
		"pluto and charon, PSK: sources"
	unchanged "pluto and charon, PSK, rekeyed CHILD_SA" \
		renews swan right --rekey --child net
	down swanpsk

	check "pluto and charon, X.509: loaded" swan_config pubkey "certs = right.pem" \
		"certs = left.pem"
	load left swan
	check "pluto and charon, X.509: up" whack left --name swan --initiate
	check "pluto and charon, X.509: bound" both_bound
	is "$(field left method) $(field right method)" "$PKIX_TRUSTED $PKIX_TRUSTED" \
		"pluto and charon, X.509: PKIX_TRUSTED"
	is "$(field left ca) $(field right ca)" "$CA_DN $CA_DN" "pluto and charon, X.509: the CA"
	mutual "pluto and charon, X.509"
	is "$(field left binding)" "$(field right binding)" \
		"pluto and charon, X.509: same channelBinding"
	is "$(field left binding)" "$(binding "$DIR/left.pub" "$DIR/right.pub")" \
		"pluto and charon, X.509: it is of both keys"
	unchanged "pluto and charon, X.509, rekeyed CHILD_SA" rekey_child swan
	down swan
}

echo "KTAP version 1"
pluto_layer
charon_layer
crypto_load
modprobe -a -q esp4 esp6 xfrm_user xfrm4_tunnel xfrm6_tunnel af_key
net_up
mkdir -p "$DIR/bin" "$DIR/left" "$DIR/right"
# for scripts that are run by nobody's pluto
printf '#!/bin/sh\n' >"$DIR/bin/ipsec"
chmod 755 "$DIR/bin/ipsec"
ca
for name in left right; do
	certificate $name
	self_signed $name-self
done
for host in left right; do
	host_setup $host &
done
wait
for host in left right; do
	works "pluto of $host starts" pluto_up $host
	agent_up $host
done
# without them there is nothing to be tested
[ $KTAP_FAILED = 0 ] || TOKEND_TESTS=" "

for t in ${TOKEND_TESTS:-psk unique_psk v1 v6 null either x509 dn only alone whack restart swan}; do
	diag "$SECONDS seconds: $t"
	"t_$t"
done
diag "$SECONDS seconds"
echo "1..$KTAP_COUNT"

if [ $KTAP_FAILED != 0 ]; then
	for host in left right; do
		for log in tokend whack pluto charon; do
			[ ! -e "$DIR/$host/$log.log" ] ||
				diag "--- $host $log" "$(tail -n "${TOKEND_LINES:-80}" \
					"$DIR/$host/$log.log")"
		done
	done
fi
for host in left right; do
	kill "${PLUTO[$host]}" "${CHARON[$host]}" "${AGENT[$host]}" 2>/dev/null
done
rm -rf "$DIR"
finish
