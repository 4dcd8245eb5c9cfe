# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of ipsec-tokend with real keying daemons share; source it after
# lib.sh. Every host has a directory $DIR/HOST for its files, and there its
# agent's configuration tokend.conf.

# The variables set here are for the scripts that source this file.
# shellcheck disable=SC2034

TOKEND=$BUILD/tools/tokend/ipsec-tokend
LAYERS=$BUILD/layers
DIR=/tmp/tokend.$$

# what the numbers of enum ipsec_auth_method mean
NONE=1 BTNS=2 LEAPOFFAITH=3 GROUPKEY=4 PRESHAREDKEY=5 XAUTH=6 EAP=7
PKIX_OFFLINE=8 PKIX_INLINE=9 PKIX_TRUSTED=10

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# start HOST COMMAND...: in the background, as process STARTED itself
start() {
	exec "$HELPERS/netns" "$@" &
	STARTED=$!
}

# works TEXT COMMAND...: as check, but in this shell, whose variables it may set
works() {
	local text=$1

	shift
	"$@" && ok "$text" || not_ok "$text"
}

# -------------------------------------------------------------------- agent

declare -A AGENT

agent_up() {
	local host=$1

	start "$host" "$TOKEND" -c "$DIR/$host/tokend.conf" >>"$DIR/$host/tokend.log" 2>&1
	AGENT[$host]=$STARTED
}

# agent_kill HOST: without a chance to tidy up
agent_kill() {
	kill -9 "${AGENT[$1]}" 2>/dev/null
	wait "${AGENT[$1]}" 2>/dev/null
}

agent_again() {
	local host

	for host in left right; do
		agent_kill $host
		agent_up $host
	done
}

# --------------------------------------------------------- what the kernel has

# dump HOST: one line per SA that has an identity
dump() {
	$1 "$HELPERS/tokend_dump"
}

# Every SA of the kernel has an identity, no other one has, and there are some. What
# was read is kept for those functions that follow.
all_bound() {
	local kernel bound

	kernel=$($1 $IP xfrm state | sed -n 's/.*proto esp spi \(0x[0-9a-f]*\).*/\1/p' | sort)
	[ "$(wc -l <<<"$kernel")" -gt 1 ] || return
	dump "$1" >"$DIR/$1/dump"
	bound=$(sed -n 's/.*\tspi=\(0x[0-9a-f]*\).*/\1/p' "$DIR/$1/dump" | sort)
	[ "$kernel" = "$bound" ]
}

none_bound() {
	[ -z "$(dump "$1")" ]
}

# Both ends have bound both SAs.
both_bound() {
	wait_for 60 all_bound left && wait_for 60 all_bound right
}

# field HOST NAME: the distinct values of all SAs; "-" where one has none. Without
# any SA it is nothing that another host has.
field() {
	local line value values="" many=

	while IFS= read -r line; do
		value=-
		[[ $'\t'$line =~ $'\t'"$2="([^$'\t']*) ]] && value=${BASH_REMATCH[1]}
		[[ "|$values|" == *"|$value|"* ]] && continue
		many=${values:+yes}
		values+=${values:+|}$value
	done <"$DIR/$1/dump"
	if [ -n "$many" ]; then
		tr '|' '\n' <<<"$values" | sort | paste -s -d '|'
	else
		echo "${values:-nothing at $1}"
	fi
}

# spis HOST: of all SAs that have an identity
spis() {
	field "$1" spi
}

# other_spis SPIS: left has others than these, by now
other_spis() {
	dump left >"$DIR/left/dump"
	[ "$(spis left)" != "$1" ]
}

# sum HOST: all that must not change
sum() {
	echo "$(field "$1" itoken) $(field "$1" lineage) $(field "$1" method)"
}

# unchanged WHAT COMMAND...: afterwards there are SAs with the same identities;
# with CHILD_SA in WHAT these are other ones
unchanged() {
	local what=$1 left right spis

	shift
	left=$(sum left) right=$(sum right) spis=$(spis left)
	"$@" || diag "$*: failed"
	# the old ones may have identities for a moment still
	[[ $what != *CHILD_SA* ]] ||
		check "$what: other SAs" wait_for 30 other_spis "$spis"
	check "$what: SAs of both ends have identities" both_bound
	is "$(sum left)" "$left" "$what: the same for left"
	is "$(sum right)" "$right" "$what: the same for right"
}

# ------------------------------------------------------------ certificates, keys

# ca: make one, with a name that has to be escaped
ca() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/ca.key"
	openssl req -x509 -new -key "$DIR/ca.key" -days 30 -utf8 \
		-subj "/C=CH/O=Prüfung, \"Test\"/CN=CA" -out "$DIR/ca.pem"
} 2>/dev/null

CA_DN='CN=CA,O=Prüfung\, \"Test\",C=CH'

# certificate NAME [EXTENSION...]: by the CA, and its key; $DIR/NAME.{key,pub,pem}
certificate() {
	local name=$1

	openssl ecparam -name prime256v1 -genkey -noout -out "$DIR/$name.key"
	openssl ec -in "$DIR/$name.key" -pubout -out "$DIR/$name.pub"
	openssl req -new -key "$DIR/$name.key" -utf8 \
		-subj "/C=CH/O=Prüfung/CN=$name.example.org" -out "$DIR/$name.csr"
	openssl x509 -req -in "$DIR/$name.csr" -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" \
		-CAcreateserial -days 30 -out "$DIR/$name.pem" \
		-extfile <(echo "subjectAltName=DNS:$name.example.org")
} 2>/dev/null

# pubkey_id FILE, binding FILE FILE: what should come out, by other means
pubkey_id() {
	openssl pkey -pubin -in "$1" -outform DER | openssl dgst -sha256 -binary |
		base64 | tr -d '=\n'
}

binding() {
	local file

	for file; do
		openssl pkey -pubin -in "$file" -outform DER | xxd -p | tr -d '\n'
		echo
	done | sort | tr -d '\n'
}

# ----------------------------------------------------------------------- charon

declare -A CHARON

# What the packages have where the programs look for it, for this test alone.
charon_layer() {
	mkdir -p /usr/lib/ipsec
	mount --bind "$LAYERS/strongswan/usr/lib/ipsec" /usr/lib/ipsec
}

charon_setup() {
	local host=$1 d

	for d in x509 x509ca pubkey private ecdsa rsa conf.d x509aa x509ac x509crl x509ocsp \
		 pkcs8 pkcs12 bliss; do
		mkdir -p "$DIR/$host/swanctl/$d"
	done
	mkdir -p "$DIR/$host/charon"
	cat >"$DIR/$host/strongswan.conf" <<-END
	charon {
		load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey constraints \
			hmac kdf drbg aes sha2 sha1 gcm mgf1 kernel-netlink socket-default vici
		retransmit_tries = 4
		install_routes = no
		filelog {
			charon {
				path = $DIR/$host/charon.log
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
}

charon_up() {
	local host=$1

	STRONGSWAN_CONF=$DIR/$host/strongswan.conf start "$host" unshare -m bash -c \
		"mount --bind '$DIR/$host/charon' /run && exec /usr/lib/ipsec/charon" \
		>"$DIR/$host/charon.out" 2>&1
	CHARON[$host]=$STARTED
	wait_for 30 test -S "$DIR/$host/charon.vici"
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
		LD_LIBRARY_PATH=/usr/lib/ipsec $host "$LAYERS/strongswan/usr/sbin/swanctl" "$@" \
		--uri "unix://$DIR/$host/charon.vici" >>"$DIR/$host/swanctl.log" 2>&1
}

# ------------------------------------------------------------------------ pluto

declare -A PLUTO

# libreswan is looked for in fixed places too, but for its libraries.
pluto_layer() {
	mkdir -p /usr/libexec/ipsec
	mount --bind "$LAYERS/libreswan/usr/libexec/ipsec" /usr/libexec/ipsec
}

# pluto_setup HOST: directories and an empty NSS database
pluto_setup() {
	mkdir -p "$DIR/$1/pluto" "$DIR/$1/nss"
	"$LAYERS/libreswan/usr/bin/certutil" -N -d "sql:$DIR/$1/nss" --empty-password
}

pluto_up() {
	local host=$1 lib=$LAYERS/libreswan/usr/lib/x86_64-linux-gnu

	rm -f "$DIR/$host/pluto/pluto.pid" "$DIR/$host/pluto/pluto.ctl"
	PATH=$LAYERS/libreswan/usr/sbin:$PATH LD_LIBRARY_PATH=$lib \
		start "$host" /usr/libexec/ipsec/pluto --nofork --config "$DIR/$host/ipsec.conf" \
		--rundir "$DIR/$host/pluto" --nssdir "$DIR/$host/nss" \
		--secretsfile "$DIR/$host/ipsec.secrets" --stderrlog >>"$DIR/$host/pluto.log" 2>&1
	PLUTO[$host]=$STARTED
	wait_for 30 test -S "$DIR/$host/pluto/pluto.ctl" && wait_for 30 whack "$host" --listen
}

# pluto_kill HOST: without a chance to tidy up
pluto_kill() {
	kill -9 "${PLUTO[$1]}"
	wait "${PLUTO[$1]}" 2>/dev/null
}

# whack HOST ARGUMENT...
whack() {
	local host=$1

	shift
	$host timeout 40 /usr/libexec/ipsec/whack --ctlsocket "$DIR/$host/pluto/pluto.ctl" "$@" \
		>>"$DIR/$host/whack.log" 2>&1
}

# load HOST CONNECTION...: of ipsec.conf
load() {
	local host=$1 connection

	shift
	for connection; do
		$host timeout 40 /usr/libexec/ipsec/addconn --config "$DIR/$host/ipsec.conf" \
			--ctlsocket "$DIR/$host/pluto/pluto.ctl" "$connection" \
			>>"$DIR/$host/whack.log" 2>&1 || return
	done
}
