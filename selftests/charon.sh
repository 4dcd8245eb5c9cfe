# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Both hosts of lib.sh with what real ones have: strongSwan's charon, an
# ipsec-tokend beside it, and an application that asks who its peer is. Source
# it after lib.sh, in a test that has the flag layer=strongswan.
#
# Whatever takes time is waited for by its outcome, since the guest is slow, and
# slower on some machines than on others.

# The variables set here are for the scripts that source this file.
# shellcheck disable=SC2034
. selftests/peers.sh

LAYER=$BUILD/layers/strongswan
TOKEND=$BUILD/tools/tokend/ipsec-tokend
DIR=/tmp/charon.$$

# what anything may take at most, in seconds
PATIENTLY=60

declare -A CHARON AGENT	# process ids, by host
declare -A SAS BOUND	# see sas_read
declare -A WHO		# see learn

[ -x "$LAYER/usr/lib/ipsec/charon" ] || {
	echo "1..0 # SKIP $LAYER is not there, see selftests/qemu/layers.sh"
	exit 4
}

# A pipe that nothing comes from: to sleep without a process for it.
exec {never}<> <(:)

nap() {
	read -r -t 0.1 -u "$never"
}

# wait_for COMMAND...: until it succeeds
wait_for() {
	local end=$((SECONDS + PATIENTLY))

	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		nap
	done
	return 0
}

# does TEXT COMMAND...: as check, but in this very shell, so that what is started
# is its child
does() {
	local text=$1

	shift
	if "$@" >"$DIR/out" 2>&1; then
		ok "$text"
	else
		not_ok "$text"
		diag "$*: $(<"$DIR/out")"
	fi
}

# ------------------------------------------------------------------- daemons

# start HOST COMMAND...: in the background, as process STARTED itself
start() {
	exec "$HELPERS/netns" "$@" &
	STARTED=$!
}

# charon_config HOST [SETTING...]: the daemon's own configuration
charon_config() {
	local host=$1

	shift
	cat >"$DIR/$host/strongswan.conf" <<-END
	charon {
		load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints \
			hmac kdf drbg aes sha2 sha1 gcm mgf1 curl kernel-netlink \
			socket-default vici eap-identity eap-md5 eap-mschapv2 xauth-generic
		delete_rekeyed = yes
		delete_rekeyed_delay = 1
		install_routes = no
		$(printf '%s\n' "$@")
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
	swanctl {
		load = pem pkcs1 pkcs8 x509 pubkey openssl
	}
	END
}

# agent_config HOST [LINE...]: of the section [strongswan]
agent_config() {
	local host=$1

	shift
	cat >"$DIR/$host/tokend.conf" <<-END
	[agent]
	log-level = debug
	known-keys = $DIR/$host/known-keys

	[strongswan]
	socket = $DIR/$host/charon.vici
	$(printf '%s\n' "$@")
	END
}

charon_up() {
	STRONGSWAN_CONF=$DIR/$1/strongswan.conf start "$1" unshare -m bash -c \
		"mount --bind '$DIR/$1/run' /run && exec /usr/lib/ipsec/charon" \
		>"$DIR/$1/charon.out" 2>&1
	CHARON[$1]=$STARTED
}

# charon_kill HOST [SIGNAL]
charon_kill() {
	kill "-${2:-TERM}" "${CHARON[$1]}"
	wait "${CHARON[$1]}" 2>/dev/null
	rm -f "$DIR/$1/charon.vici"
}

# agent_up HOST [PREFIX...]: with a command that runs it, if there are more words
agent_up() {
	local host=$1

	shift
	start "$host" "$@" "$TOKEND" -c "$DIR/$host/tokend.conf" >>"$DIR/$host/tokend.log" 2>&1
	AGENT[$host]=$STARTED
}

# agent_kill HOST: without a chance to tidy up
agent_kill() {
	kill -9 "${AGENT[$1]}"
	wait "${AGENT[$1]}" 2>/dev/null
}

# logged HOST TEXT: how often the agent has
logged() {
	grep -c "$2" "$DIR/$1/tokend.log"
}

more_logged() {
	[ "$(logged "$1" "$2")" -gt "$3" ]
}

# after_log HOST TEXT COMMAND...: until the agent has logged it once more
after_log() {
	local host=$1 text=$2 before

	shift 2
	before=$(logged "$host" "$text")
	"$@" && wait_for more_logged "$host" "$text" "$before"
}

# swan HOST COMMAND...
swan() {
	local host=$1

	shift
	SWANCTL_DIR=$DIR/$host/swanctl STRONGSWAN_CONF=$DIR/$host/strongswan.conf \
		LD_LIBRARY_PATH=/usr/lib/ipsec $host "$LAYER/usr/sbin/swanctl" "$@" \
		--uri "unix://$DIR/$host/charon.vici" >>"$DIR/$host/swanctl.log" 2>&1
}

# daemons_up: all of it, with an application that can be asked
daemons_up() {
	local host d

	# what the packages have where the programs look for it
	mkdir -p /usr/lib/ipsec
	mount --bind "$LAYER/usr/lib/ipsec" /usr/lib/ipsec
	crypto_load
	modprobe -a -q esp4 esp6 xfrm_user xfrm4_tunnel
	net_up
	for host in left right; do
		for d in x509 x509ca pubkey private ecdsa rsa conf.d x509aa x509ac x509crl \
			 x509ocsp pkcs8 pkcs12 bliss; do
			mkdir -p "$DIR/$host/swanctl/$d"
		done
		mkdir "$DIR/$host/run"
		charon_config $host
		agent_config $host
		charon_up $host
		agent_up $host
	done
	peers_start
	for host in left right; do
		wait_for more_logged $host "connected to" 0 || diag "$host: charon did not start"
	done
}

# subjects NAME...: t_NAME for each of them. A mistake in bash's eyes ends a
# function and all that have called it, but not the script: without a plan it fails.
subjects() {
	local subject

	for subject; do
		diag "$SECONDS seconds: $subject"
		"t_$subject"
	done
	PLAN=$KTAP_COUNT
}

# daemons_down: the script's last command, with the logs if something failed
daemons_down() {
	local host log

	[ -z "$PLAN" ] || echo "1..$PLAN"
	for host in left right; do
		charon_kill $host
		kill "${AGENT[$host]}" 2>/dev/null
		for log in tokend swanctl charon; do
			[ $KTAP_FAILED != 0 ] || break
			diag "--- $host $log" "$(tail -n "${LINES_OF_LOG:-60}" "$DIR/$host/$log.log")"
		done
	done
	peers_kill
	rm -rf "$DIR"
	finish
}

# ------------------------------------------------------------- configurations

# connection HOST NAME LOCAL REMOTE EXTRA: a connection of swanctl.conf. The
# last three are the contents of its sections local and remote and of itself,
# with ";" where a line ends, and may set again what is set here. FAMILY is 6 for
# IPv6, and what is in CHILD belongs to the CHILD SA.
connection() {
	local left=10.0.0.1 right=10.0.0.2 own peer

	[ "$FAMILY" != 6 ] || left=fd00::1 right=fd00::2
	[ "$1" = left ] && own=$left peer=$right || own=$right peer=$left
	cat <<-END
	connections {
	$2 {
	local_addrs = $own
	remote_addrs = $peer
	proposals = aes128-sha256-ecp256
	rekey_time = 0
	local {
	${3//;/$'\n'}
	}
	remote {
	${4//;/$'\n'}
	}
	${5//;/$'\n'}
	children {
	net {
	mode = transport
	esp_proposals = aes128gcm16
	rekey_time = 0
	${CHILD//;/$'\n'}
	}
	}
	}
	}
	END
}

SECRET='secrets {
ike {
secret = "a secret of this test"
}
}'

# config HOST <TEXT: load it, and nothing else
config() {
	cat >"$DIR/$1/swanctl/swanctl.conf"
	swan "$1" --load-all --clear
}

# psk [EXTRA]: the same plain connection on both hosts
psk() {
	{ connection left home "auth = psk;id = left@example.org" \
		"auth = psk;id = right.example.org" "$1"; echo "$SECRET"; } | config left
	{ connection right home "auth = psk;id = right.example.org" \
		"auth = psk;id = left@example.org" "$1"; echo "$SECRET"; } | config right
}

# pki: a CA, and a certificate for each host; names have what must be escaped
pki() {
	local host

	openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/ca.key"
	openssl req -x509 -new -key "$DIR/ca.key" -days 30 -utf8 \
		-subj "/C=CH/O=Prüfung, \"Test\"/CN=CA" -out "$DIR/ca.pem"
	for host in left right; do
		openssl ecparam -name prime256v1 -genkey -noout \
			-out "$DIR/$host/swanctl/ecdsa/key.pem"
		openssl ec -in "$DIR/$host/swanctl/ecdsa/key.pem" -pubout \
			-out "$DIR/$host.pub"
		openssl req -new -key "$DIR/$host/swanctl/ecdsa/key.pem" -utf8 \
			-subj "/C=CH/O=Prüfung/CN=$host.example.org" -out "$DIR/$host.csr"
		openssl x509 -req -in "$DIR/$host.csr" -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" \
			-CAcreateserial -days 30 \
			-extfile <(echo "subjectAltName=DNS:$host.example.org") \
			-out "$DIR/$host/swanctl/x509/own.pem"
		cp "$DIR/ca.pem" "$DIR/$host/swanctl/x509ca/"
	done
} 2>/dev/null

# pkix NAME [EXTRA]: a connection with these certificates on both hosts
pkix() {
	connection left "$1" "auth = pubkey;certs = own.pem;id = left.example.org" \
		"auth = pubkey;id = right.example.org" "send_cert = always;$2" | config left
	connection right "$1" "auth = pubkey;certs = own.pem;id = right.example.org" \
		"auth = pubkey;id = left.example.org" "send_cert = always;$2" | config right
}

# raw: a connection with raw public keys on both hosts
raw() {
	local host peer

	for host in left right; do
		[ $host = left ] && peer=right || peer=left
		cp "$DIR/left.pub" "$DIR/right.pub" "$DIR/$host/swanctl/pubkey/"
		connection $host raw "auth = pubkey;pubkeys = $host.pub;id = $host.raw" \
			"auth = pubkey;pubkeys = $peer.pub;id = $peer.raw" | config $host
	done
}

up() {
	swan left --initiate --child net --timeout $PATIENTLY
}

# down [NAME]: until nothing is left at either end
down() {
	[ -z "$1" ] || swan left --terminate --ike "$1" --timeout $PATIENTLY
	wait_for without_sas left && wait_for without_sas right
}

# ----------------------------------------------------------------------- SAs

# sas_read HOST: what there is into SAS, and what the kernel module knows of it
# into BOUND. Keys are "DESTINATION SPI", values of BOUND as tokend_dump has them.
sas_read() {
	local word a b c line destination spi

	SAS=() BOUND=()
	while read -r word a b c _; do
		case $word in
		src)	destination=$c ;;
		# SAs that are being negotiated have no keys
		proto)	[ "$a" != esp ] || spi=$c ;;
		aead)	SAS["$destination $spi"]=1 ;;
		esac
	done < <($1 $IP xfrm state)
	while IFS= read -r line; do
		a=${line#*dst=} b=${line#*spi=}
		BOUND["${a%%$'\t'*} ${b%%$'\t'*}"]=$line
	done < <($1 "$HELPERS/tokend_dump")
}

# all_bound HOST: every SA has an identity, there are some, and nothing that is
# no SA has one
all_bound() {
	local key

	sas_read "$1"
	[ ${#SAS[@]} -gt 1 ] && [ ${#SAS[@]} = ${#BOUND[@]} ] || return
	for key in "${!SAS[@]}"; do
		[ -n "${BOUND[$key]}" ] || return
	done
}

both_bound() {
	wait_for all_bound left && wait_for all_bound right
}

without_sas() {
	sas_read "$1"
	[ ${#SAS[@]} = 0 ] && [ ${#BOUND[@]} = 0 ]
}

# bound_as HOST NAME: the distinct values of all SAs, - for one that has none
bound_as() {
	local line value values=

	sas_read "$1"
	for line in "${BOUND[@]}"; do
		value=${line#*$'\t'"$2"=}
		[ "$value" != "$line" ] && value=${value%%$'\t'*} || value=-
		[[ " $values " == *" $value "* ]] || values+=" $value"
	done
	echo "${values# }"
}

# others_than HOST KEY...: none of these SAs is there any more
others_than() {
	local key

	all_bound "$1" || return
	for key in "${@:2}"; do
		[ -z "${SAS[$key]}" ] || return
	done
}

# ------------------------------------------------------------- what is learnt

# meet FAMILY [MARK]: an application at each end talks with the other one, over
# a connection and by datagrams. TOKENS is the pair of both tokens.
meet() {
	tell "open t tcp $1 $2 ; open u udp $1 $2"
	ask "tokens t"
	TOKENS=$answer
	learn left && learn right
}

part() {
	tell "close t ; close u"
}

# learn HOST: who the other end of the connection is, and who is this one, into
# WHO: the key is for example left.method, or left.local.method
learn() {
	local token=${TOKENS% *} field fields

	for field in "${!WHO[@]}"; do
		[[ $field != "$1".* ]] || unset "WHO[$field]"
	done
	[ "$1" = left ] || token=${TOKENS#* }
	ask "who $1 $token"
	IFS=$'\t' read -r -a fields <<<"$answer"
	for field in "${fields[@]:1}"; do
		WHO[$1.${field%%=*}]=${field#*=}
	done
	[ "${fields[0]}" = ok ] || diag "$1 $token: $answer"
}

# told HOST.NAME WANTED TEXT; - for what is not available
told() {
	is "${WHO[$1]--}" "$2" "$3"
}

# peers_agree TEXT: what one end is told of itself, the other is told of its peer
peers_agree() {
	told left.itoken "${WHO[right.local.itoken]}" "$1: left's peer is what right takes itself for"
	told right.itoken "${WHO[left.local.itoken]}" "$1: and the other way"
}

# connected TEXT FAMILY: SAs are set up; TOKENS and WHO tell what applications
# are told then
connected() {
	does "$1: up" up
	does "$1: every SA has an identity" both_bound
	meet "$2"
	says "say u ; say t" "$TOKENS, ok" "$1: a datagram has the token of the connection"
}

# unchanged TEXT: every SA has its identity, and applications notice nothing
unchanged() {
	local itokens="${WHO[left.itoken]} ${WHO[right.itoken]}"
	local methods="${WHO[left.method]} ${WHO[right.method]}"

	does "$1: every SA has an identity" both_bound
	says "say t ; tokens t ; say u" "ok, $TOKENS, $TOKENS" "$1: same tokens"
	learn left
	learn right
	is "${WHO[left.itoken]} ${WHO[right.itoken]}" "$itokens" "$1: same iTokens"
	is "${WHO[left.method]} ${WHO[right.method]}" "$methods" "$1: same methods"
}

# replaced TEXT COMMAND...: unchanged, by other SAs
replaced() {
	local -A old=()
	local text=$1 key host

	shift
	for host in left right; do
		sas_read $host
		for key in "${!SAS[@]}"; do
			old[$key]=1
		done
	done
	does "$text" "$@"
	for host in left right; do
		does "$text: other SAs at $host" wait_for others_than $host "${!old[@]}"
	done
	unchanged "$text"
}

# ike_rekeyed CONNECTION: and both agents have heard of it
ike_rekeyed() {
	after_log left "ike-rekey" after_log right "ike-rekey" swan left --rekey --ike "$1"
}

# agents_again: killed and started, until they know all that charon does
agents_again() {
	local host

	for host in left right; do
		agent_kill $host
		after_log $host "connected to" agent_up $host || return
	done
}
