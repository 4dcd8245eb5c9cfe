#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What ipsec-token identity bind makes of its arguments and files, and what it
# refuses and why; ipsec-token known. Without the kernel, on the host.

# shellcheck source=lib.sh
. selftests/lib.sh

COMMAND=$BUILD/tools/ipsec-token
dir=$(mktemp -d)

# ran COMMAND...: sets status, out and err
ran() {
	out=$("$@" 2>"$dir/err" </dev/null)
	status=$?
	err=$(<"$dir/err")
}

# dry ARGUMENT...: would be bound
dry() {
	ran "$COMMAND" -j identity bind dry-run "$@"
}

# fails STATUS FIELD PATTERN TEXT: no output, and one line that begins with the
# field and gives such a reason
fails() {
	if [ "$status" = "$1" ] && [ -z "$out" ] && [[ $err != *$'\n'* && $err =~ ^"ipsec-token: $2: ".*$3 ]]; then
		ok "$4"
	else
		not_ok "$4"
		diag "exit $status, wanted $1 and \"$2: \" /$3/" "$out" "$err"
	fi
}

# json FILTER TEXT: the output is JSON, and the filter says true
json() {
	if [ "$status" = 0 ] && jq -e "$1" <<<"$out" >/dev/null 2>"$dir/jq"; then
		ok "$2"
	else
		not_ok "$2"
		diag "not $1, exit $status" "$out" "$err" "$(<"$dir/jq")"
	fi
}

EC=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

# certificate NAME SUBJECT [ALT-NAME]: signed by ca
certificate() {
	openssl req "${EC[@]}" -utf8 -keyout "$1.key" -out "$1.csr" -subj "$2" &&
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 \
		-out "$1.pem" -extfile <(echo "${3:+subjectAltName=$3}")
} 2>/dev/null

make_files() {
	cd "$dir" || exit
	for name in ca rogue; do
		openssl req -x509 "${EC[@]}" -utf8 -keyout $name.key -out $name.pem -days 9 \
			-subj '/O=Grüße/CN=CA' 2>/dev/null
	done
	certificate peer '/O=Größe/CN=peer' DNS:peer.example,email:p@example.org,IP:192.0.2.1
	certificate other '/O=Größe/CN=other' DNS:peer.example
	certificate renewed '/O=Größe/CN=peer' DNS:peer.example
	certificate unnamed '/' DNS:unnamed.example
	certificate odd '/2.5.4.72=role/CN=odd' DNS:odd.example
	certificate long "/$(printf 'OU=%060d/' {1..20})CN=long" DNS:long.example
	openssl pkey -in peer.key -pubout -out peer.pub
	openssl pkey -in peer.key -pubout -outform DER -out peer.der
	openssl genrsa -out big.key 512 2>/dev/null
	openssl rsa -in big.key -pubout -out small.pub 2>/dev/null
	cat peer.pem ca.pem >chain.pem
	cat rogue.pem ca.pem other.pem >bundle.pem
	cat peer.key peer.pem >both.pem
	cat peer.pub peer.pub >two.pub
	sed '3s/^..../!!!!/' peer.pem >broken.pem
	head -n 4 peer.pem >cut.pem
	sed 's/CERTIFICATE/PUBLIC KEY/' peer.pem >mislabelled.pem
	tr -d '\n' <peer.pem >oneline.pem
	{ cat peer.pem; head -c 2000000 /dev/zero; } >huge.pem
	sed '1a Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n' \
		peer.pem >encrypted.pem
	: >empty.pem
	# a public key that takes more than half of the room for a channel binding
	openssl asn1parse -noout -genconf - -out large.der <<-END
	asn1 = SEQUENCE:info
	[info]
	algorithm = SEQUENCE:algorithm
	key = BITWRAP,SEQUENCE:rsa
	[algorithm]
	oid = OID:rsaEncryption
	parameter = NULL
	[rsa]
	n = INTEGER:0x$(printf 'c%04199d' 1)
	e = INTEGER:65537
	END
	cd "$TOP" || exit
}

t_files() {
	local cert=(method pkix_inline ca "$dir/ca.pem" id peer.example cert)

	dry "${cert[@]}" "$dir/peer.pem"
	json '.method == "PKIX_INLINE"' "a certificate in PEM"
	itoken=$(jq -r .itoken <<<"$out")
	openssl x509 -in "$dir/peer.pem" -outform DER -out "$dir/peer.crt"
	dry "${cert[@]}" "$dir/peer.crt"
	json ".itoken == \"$itoken\"" "the same in DER"
	dry "${cert[@]}" "$dir/both.pem"
	json ".itoken == \"$itoken\"" "behind its private key"
	dry "${cert[@]}" <(cat "$dir/peer.pem") 2>/dev/null
	json ".itoken == \"$itoken\"" "from a pipe"
	for file in broken cut mislabelled oneline empty huge encrypted; do
		dry "${cert[@]}" "$dir/$file.pem"
		fails 1 cert "$file.pem" "$file.pem"
	done
	dry "${cert[@]}" "$dir/nowhere.pem"
	fails 1 cert 'No such file or directory$' "a file that is not there"
	dry "${cert[@]}" "$dir"
	fails 1 cert 'directory|I/O|Input' "a directory"
	dry "${cert[@]}" /dev/zero
	fails 1 cert 'too large' "without end"
	dry "${cert[@]}" "$dir/peer.key"
	fails 1 cert 'no certificate or public key' "a private key"
	dry "${cert[@]}" "$dir/peer.pub"
	fails 1 cert 'is a public key alone$' "a public key for a certificate"
	dry "${cert[@]}" "$dir/chain.pem"
	fails 1 cert 'holds 2, and which is of the end is not told$' "two in one file"

	dry method btns key "$dir/peer.pub"
	json '.["certificate-dn"] == null and (.["pubkey-id"] | length) == 43' "a public key in PEM"
	# the formula of Documentation/identity.md, by other means
	key=$(xxd -p -c 1000 "$dir/peer.der")
	field() { printf '%08x%s' $((${#1} / 2)) "$1"; }
	hash=$({ field "$(printf 'ipsec-token itoken v1' | xxd -p -c 99)"
		 field "$(printf key | xxd -p)"; field "$key"; } | xxd -r -p | sha256sum)
	json ".itoken == \"ipsec-itoken:1:${hash%% *}\"" "its iToken is as documented"
	json ".[\"pubkey-id\"] == \"$(openssl dgst -sha256 -binary "$dir/peer.der" | base64 | tr -d =)\"" \
	     "and its pubKeyID"
	dry method btns key "$dir/peer.der"
	json ".itoken == \"ipsec-itoken:1:${hash%% *}\"" "the same in DER"
	dry method btns key "$dir/peer.pem"
	json ".itoken == \"ipsec-itoken:1:${hash%% *}\" and .[\"certificate-dn\"] == null" \
	     "a certificate whose key alone counts"
	dry method btns key "$dir/two.pub"
	fails 1 key 'holds 2' "two keys in one file"
	dry method btns key "$dir/small.pub"
	json '.["pubkey-id"] != null' "a key of RSA"
	dry method groupkey id peer@example.org
	hash=$({ field "$(printf 'ipsec-token itoken v1' | xxd -p -c 99)"; field "$(printf group | xxd -p)"
		 field 03; field "$(printf peer@example.org | xxd -p)"; } | xxd -r -p | sha256sum)
	json ".itoken == \"ipsec-itoken:1:${hash%% *}\"" "the iToken of a name is as documented"
}

t_authorities() {
	local cert=(method pkix_inline id peer.example cert "$dir/peer.pem")

	dry "${cert[@]}" ca "$dir/bundle.pem"
	json ".itoken == \"$itoken\" and .[\"ca-dn\"] == \"CN=CA,O=Grüße\"" "one CA of many"
	dry "${cert[@]}" ca "$dir/rogue.pem"
	fails 1 ca 'none of those given has signed' "a CA of the same name that did not sign"
	dry "${cert[@]}" ca "$dir/other.pem"
	fails 1 ca 'none of those given has signed' "a certificate that is no CA"
	dry "${cert[@]}" ca "$dir/peer.pub"
	fails 1 ca 'a public key alone is no CA' "a public key for a CA"
	dry method pkix_trusted cert "$dir/peer.pem" ca "$dir/rogue.pem"
	fails 1 ca 'none of those given has signed' "nor where a CA is not needed"
	dry "${cert[@]}" ca "$dir/ca.pem" cert "$dir/renewed.pem"
	json ".itoken == \"$itoken\" and .[\"pubkey-id\"] == null and .[\"ca-dn\"] != null" \
	     "one of two, of the same subject"
	dry "${cert[@]}" ca "$dir/ca.pem" cert "$dir/peer.crt"
	json '.["pubkey-id"] != null' "the same one twice"
	dry "${cert[@]}" ca "$dir/ca.pem" cert "$dir/other.pem"
	fails 1 cert 'another subject or issuer' "one of two subjects"
	dry method pkix_trusted id peer.example ca "$dir/ca.pem" cert "$dir/peer.pem" cert "$dir/renewed.pem"
	fails 1 cert 'PKIX_TRUSTED is of one certificate' "PKIX_TRUSTED is of one"
	dry method pkix_trusted id peer.example cert "$dir/peer.pem" cert "$dir/renewed.pem"
	fails 1 cert 'only where a ca says so' "nor without a CA"
}

t_names() {
	local pkix=(method pkix_inline ca "$dir/ca.pem" cert) psk=(method presharedkey id)

	dry "${pkix[@]}" "$dir/peer.pem"
	json '.["ike-id"] == "O=Gr????e, CN=peer" and .["ike-id-type"] == "dn" and
		.["certificate-dn"] == "CN=peer,O=Größe"' "without an id: the subject"
	for name in fqdn:peer.example email:p@example.org ipv4:192.0.2.1; do
		dry "${pkix[@]}" "$dir/peer.pem" id "${name#*:}" id-type "${name%%:*}"
		json ".[\"ike-id-type\"] == \"${name%%:*}\"" "id: $name"
	done
	dry "${pkix[@]}" "$dir/peer.pem" id peer.example id-type key-id
	fails 1 id-type 'the certificate has "peer.example" as fqdn$' "of another type"
	dry "${pkix[@]}" "$dir/peer.pem" id evil.example
	fails 1 id 'peer.pem is not of "evil.example"$' "a name that is not in the certificate"
	dry "${pkix[@]}" "$dir/unnamed.pem"
	fails 1 id 'is needed' "a certificate without subject"
	dry "${pkix[@]}" "$dir/unnamed.pem" id unnamed.example
	json '.["certificate-dn"] == null' "with another name in it"
	dry "${pkix[@]}" "$dir/odd.pem"
	fails 1 id 'is needed' "a subject that strongSwan has no words for"
	dry "${pkix[@]}" "$dir/odd.pem" id odd.example
	json '.["certificate-dn"] == "CN=odd,role=role"' "which has a DN nevertheless"
	dry "${pkix[@]}" "$dir/long.pem" id long.example
	fails 1 "cert: the subject" 'and 1023 is the most$' "a subject that is too long"

	dry "${psk[@]}" "$(printf '%01023d' 0)"
	json '.["ike-id"] | length == 1023' "an id as long as can be"
	for field in id audit policy; do
		[ $field = id ] && words=(method groupkey) || words=(method groupkey id a)
		dry "${words[@]}" $field "$(printf '%01024d' 0)"
		fails 1 $field 'has 1024 bytes, and 1023 is the most$' "$field: a byte more"
		dry "${words[@]}" $field ""
		fails 1 $field 'is empty$' "$field: empty"
		for text in $'a\nb' $'\e[2J' $'\xff' $'\xc0\xaf' $'\xed\xa0\x80' $'\xc2\x9b' \
			    $'\xe2\x80\xae' $'\xc3'; do
			dry "${words[@]}" $field "$text"
			fails 1 $field 'is not UTF-8, or has control characters$' \
			      "$field: $(printf %q "$text")"
		done
	done
	dry "${psk[@]}" 'größer "\" 日本 🔑'
	json '.["ike-id"] == "größer \"\\\" 日本 🔑"' "id: any other character"
	for name in ipv4:x ipv6:192.0.2.1 email:x dn:x any:x; do
		dry "${psk[@]}" "${name#*:}" id-type "${name%%:*}"
		fails 1 id . "id: ${name#*:} as ${name%%:*}"
	done
	dry "${psk[@]}" %any
	fails 1 id 'stands for anybody' "id: %any"
	dry "${psk[@]}" x id-type 201
	json '.["ike-id-type"] == "201"' "id-type: a number"
	for type in 256 -1 name 0x; do
		dry "${psk[@]}" x id-type $type
		fails 2 id-type 'there is no' "id-type: $type"
	done
	dry method btns id-type fqdn
	fails 1 id-type 'there is no id$' "id-type: of nothing"
}

# Whether each method takes each field: + must, . may, - never.
t_methods() {
	local method fields field i needs
	local -A value=([cert]=$dir/peer.pem [ca]=$dir/ca.pem [key]=$dir/peer.pub [id]=peer.example)

	while read -r method needs; do
		args=()
		i=0
		for field in cert ca key id; do
			[ "${needs:i++:1}" = + ] && args+=("$field" "${value[$field]}")
		done
		dry method "$method" "${args[@]}"
		json ".method == \"${method^^}\"" "$method: with what it needs"
		i=0
		for field in cert ca key id; do
			case ${needs:i++:1} in
			+)	fields=()
				for other in "${!value[@]}"; do
					[[ " ${args[*]} " != *" $other "* || $other = "$field" ]] ||
						fields+=("$other" "${value[$other]}")
				done
				dry method "$method" "${fields[@]}"
				fails 1 $field 'needs one$' "$method: not without $field" ;;
			-)	dry method "$method" "${args[@]}" $field "${value[$field]}"
				fails 1 $field 'is not about one$' "$method: no $field" ;;
			.)	dry method "$method" "${args[@]}" $field "${value[$field]}"
				json ".method == \"${method^^}\"" "$method: with $field" ;;
			esac
		done
	done <<-END
	none		---.
	btns		--..
	leapoffaith	--+.
	groupkey	---+
	presharedkey	---+
	xauth		---+
	eap		---.
	pkix_offline	++-.
	pkix_inline	++-.
	pkix_trusted	+.-.
	END
	dry method psk id a
	fails 2 method 'there is no "psk"$|there is no "psk" ' "method: none of those"
	dry id a
	fails 2 method 'is needed' "method: missing"

	# Two ends: a binding needs a key of each, and both give the same bytes.
	dry method pkix_inline cert "$dir/peer.pem" ca "$dir/ca.pem" local-method pkix_inline \
		local-cert "$dir/other.pem" local-ca "$dir/ca.pem"
	json '.["channel-binding"] | length == 364' "a key of each end: a channel binding"
	binding=$(jq -r '.["channel-binding"]' <<<"$out") mine=$(jq -c '.local.itoken' <<<"$out")
	dry method pkix_inline cert "$dir/other.pem" ca "$dir/ca.pem" local-method pkix_inline \
		local-cert "$dir/peer.pem" local-ca "$dir/ca.pem"
	json ".[\"channel-binding\"] == \"$binding\" and .itoken == $mine" "at the other end as well"
	dry method presharedkey id a local-method pkix_inline local-cert "$dir/peer.pem"
	json '.["channel-binding"] == null and .local["pubkey-id"] != null' "a secret has none"
	dry method presharedkey id a channel-binding 00
	fails 2 "identity bind" 'no field "channel-binding"' "nor can it be given one"
	dry method pkix_inline id peer.example cert "$dir/peer.pem" cert "$dir/renewed.pem" \
		ca "$dir/ca.pem" local-method btns local-key "$dir/peer.pub"
	json '.["channel-binding"] == null' "nor has a key that is not known"
	dry method btns key "$dir/large.der" local-method btns local-key "$dir/large.der"
	fails 1 local-key 'the channel binding has 42[0-9]* bytes, and 4096 is the most$' \
	      "a channel binding that is too long"
	dry method btns local-method none
	fails 1 local-method 'to know this end by' "local-method none"
	dry method btns local-id a
	fails 2 local-method 'is needed' "local-method: missing"
	dry method btns local-method presharedkey local-id a local-key "$dir/peer.pub"
	fails 1 local-key 'PRESHAREDKEY is not about one' "local-key with a secret"

	dry method btns
	first=$(jq -r .itoken <<<"$out")
	dry method btns
	json ".itoken != \"$first\"" "a peer of which nothing is known equals no other"
	dry method groupkey id a itoken "$first"
	fails 1 itoken 'follows from what GROUPKEY is about' "an iToken that follows cannot be given"
	for text in 1234567 xyzxyzxy "$(printf %065d 0)" "ipsec-itoken:2:12345678"; do
		dry method btns itoken "$text"
		fails 2 itoken 'is none' "itoken: $text"
	done
	dry method groupkey id a lineage auto policy p
	json '.lineage | test("^0x[0-9a-f]{16}$")' "lineage auto"
	auto=$(jq -r .lineage <<<"$out")
	dry method groupkey id a policy p lineage auto
	json ".lineage == \"$auto\"" "which is the same each time"
	dry method groupkey id b policy p lineage auto
	json ".lineage != \"$auto\"" "for the same peer"
	for text in 0 -1 x 18446744073709551616; do
		dry method groupkey id a lineage "$text"
		fails 2 lineage 'takes a number other than 0, or auto' "lineage $text"
	done
}

t_arguments() {
	dry method
	fails 2 method 'has no value' "a field without value"
	dry method btns method eap
	fails 2 method 'is there twice' "a field twice"
	dry method btns key "$dir/peer.pub" key "$dir/peer.pub"
	fails 2 key 'is there twice' "nor may a key be there twice"
	dry method pkix_inline "$(printf "cert $dir/peer.pem %.0s" 1)"
	fails 2 "identity bind" 'no field' "words that were not split"
	many=()
	for ((i = 1; i <= 17; i++)); do
		many+=(sa esp "$i" 192.0.2.1)
	done
	dry "${many[@]}" method btns
	fails 2 sa 'there are more than 16' "too many SAs"
	for text in "esp" "tcp 1 192.0.2.1" "esp 0 192.0.2.1" "esp x 192.0.2.1" "esp -1 192.0.2.1" \
		    "esp 4294967296 192.0.2.1" "esp 1 192.0.2" "esp 1 fd00::g" "esp 1 peer.example" \
		    "esp 1 192.0.2.1 mark" "esp 1 192.0.2.1 mark x" "esp 1 192.0.2.1 sa esp 1 192.0.2.1"; do
		# shellcheck disable=SC2086 # several words
		ran "$COMMAND" identity bind method btns sa $text
		is "$status ${err%%:*}" "2 ipsec-token" "sa $text"
	done
	ran "$COMMAND" identity bind method btns
	is "$status" 2 "no SA"
	for text in "unbind" "unbind esp" "unbind itoken" "unbind itoken x" "unbind sa esp" "show x" \
		    "list x" "unbind itoken 12345678 sa esp 1 192.0.2.1"; do
		# shellcheck disable=SC2086 # several words
		ran "$COMMAND" identity $text
		is "$status ${err%%:*}" "2 ipsec-token" "identity $text"
	done
	for text in "identity bind help" "help identity bind"; do
		# shellcheck disable=SC2086 # several words
		ran "$COMMAND" $text
		is "$status ${out%% SA*}" "0 Usage: ipsec-token identity bind" "$text"
	done
	ran "$COMMAND" known forget help
	is "$status ${out%%\[*}" "0 Usage: ipsec-token known " "known forget help"
	ran "$COMMAND" help identity nonsense
	is "$status" 2 "help for an unknown verb"
	# what the command would have to say to a terminal
	ran "$COMMAND" identity $'\e[2J\nx'
	is "$status${err//[^$'\e\n']/}" 2 "no escapes in complaints"
}

t_known() {
	local file=$dir/known

	ran "$COMMAND" known list file "$file"
	is "$status$out$err" "0TYPE  ID  KEY  SINCE" "known list: there is no file"
	ran "$COMMAND" known forget id a file "$file"
	fails 1 file 'No such file' "known forget: there is no file"
	printf '%s\n' "# ours" "2 one K1 1700000000" "11 one K2 1700000000" "2 t%20%C3%BC%0A K3 0" \
		"2 % K4 5" >"$file"
	ran "$COMMAND" -j known list file "$file"
	json 'length == 4 and .[0] == {"ike-id": "one", "ike-id-type": "fqdn", "pubkey-id": "K1",
		since: 1700000000} and .[2]["ike-id"] == "t ü\n"' "known list, JSON"
	ran "$COMMAND" known list file "$file"
	is "$status $(grep -c '\\x0a' <<<"$out") $(wc -l <<<"$out")" "0 1 5" "known: a table"
	ran "$COMMAND" known forget id one type key-id file "$file"
	is "$status$out$err $(grep -c one "$file")" "0 1" "known forget: one of two types"
	is "$(stat -c %a "$file")" 600 "and the file is nobody else's"
	ran "$COMMAND" known forget id one file "$file"
	is "$status$out$err $(grep -c one "$file")" "0 0" "known forget: by id"
	ran "$COMMAND" known forget id one file "$file"
	fails 1 id 'no such peer is known' "known forget: twice"
	ran "$COMMAND" known forget key K3 file "$file"
	is "$status$out$err $(grep -c K3 "$file")" "0 0" "known forget: by key"
	ran "$COMMAND" known forget id "" file "$file"
	is "$status$out$err $(grep -v '#' "$file")" "0 " "known forget: a peer without name"
	is "$(<"$file")" "# ours" "a comment stays"
	echo "2 one" >>"$file"
	ran "$COMMAND" known list file "$file"
	fails 1 file ":2: is not" "known list: a line that is none"
	ran "$COMMAND" known forget id one file "$file"
	fails 1 file ":2: is not" "known forget: a line that is none"
	is "$(<"$file")" $'# ours\n2 one' "and nothing was changed"
	for text in "list x" "list id a" "forget" "forget id" "forget id a id b" "forget type fqdn" \
		    "forget id a type x" "forget file $file"; do
		# shellcheck disable=SC2086 # several words
		ran "$COMMAND" known $text
		is "$status ${err%%:*}" "2 ipsec-token" "known $text"
	done
	# Who may not read it learns nothing.
	chmod 755 "$dir"
	chmod 600 "$file"
	ran setpriv --reuid=65534 --regid=65534 --clear-groups "$COMMAND" known list file "$file"
	fails 1 file 'Permission denied' "known list: not for everyone"
	ran setpriv --reuid=65534 --regid=65534 --clear-groups "$COMMAND" known forget id one file "$file"
	fails 1 file 'Permission denied' "known forget: not for everyone"
}

# complete WORD...: what completion proposes for the last one
complete_words() {
	COMP_WORDS=(ipsec-token "$@") COMP_CWORD=$#
	_ipsec_token
	printf '%s ' "${COMPREPLY[@]}"
}

t_completion() {
	# The real one is a builtin that does nothing for us.
	complete() { :; }
	# shellcheck source=../tools/ipsec-token.bash-completion
	. tools/ipsec-token.bash-completion
	unset -f complete
	is "$(complete_words i)" "identity " "complete i"
	is "$(complete_words identity '')" "list show bind unbind help " "complete identity"
	is "$(complete_words identity bind me)" "method " "complete identity bind me"
	is "$(complete_words identity bind method pkix_)" "pkix_offline pkix_inline pkix_trusted " \
	   "complete identity bind method pkix_"
	is "$(complete_words identity bind sa '')" "esp ah " "complete identity bind sa"
	is "$(complete_words identity bind id-type i)" "ipv4 ipv6 " "complete identity bind id-type i"
	is "$(complete_words identity bind local-c)" "local-cert local-ca " "complete identity bind local-c"
	is "$(complete_words known f)" "forget " "complete known f"
	is "$(complete_words known forget '')" "id type key file help " "complete known forget"
}

plan 228
make_files
t_files
t_authorities
t_names
t_methods
t_arguments
t_known
t_completion
rm -r "$dir"
finish
