// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsec-tokend without kernel and keying daemon: its parser, what it claims of
 * what it knows, certificates and what is derived of them, the files it reads.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "../tools/credential.h"
#include "../tools/tokend/config.h"
#include "../tools/tokend/known.h"
#include "../tools/tokend/log.h"
#include "../tools/tokend/mapping.h"
#include "../tools/tokend/vici_message.h"

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

static char *directory;

static char *file_of(const char *name)
{
	return xprintf("%s/%s", directory, name);
}

static void file_put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	EXPECT(file && fputs(text, file) >= 0 && !fclose(file));
}

/* --------------------------------------------------------------------- messages */

#define MESSAGE(text) (const uint8_t *)(text), sizeof(text) - 1

static int parses(const uint8_t *data, size_t len)
{
	struct vici_message message;
	uint8_t *copy = malloc(len + !len);
	int err;

	/* of the very size, so that reading beyond its end is noticed */
	memcpy(copy, data, len);
	err = vici_message_parse(copy, len, &message);
	if (!err)
		vici_message_free(&message);
	free(copy);
	return err;
}

static const char sample[] =
	"\3\4key1\0\6value1"
	"\1\10section1"
		"\1\13sub-section" "\3\4key2\0\6value2" "\2"
		"\4\5list1" "\5\0\5item1" "\5\0\5item2" "\6"
	"\2";

static void test_message(void)
{
	const struct vici_node *section, *list;
	struct vici_message message;
	size_t len;

	EXPECT(!vici_message_parse(MESSAGE(sample), &message));
	EXPECT(!strcmp(vici_string(&message.root, "key1"), "value1"));
	section = vici_section(&message.root, "section1");
	EXPECT(section && !vici_string(section, "key1"));
	EXPECT(!strcmp(vici_string(vici_section(section, "sub-section"), "key2"), "value2"));
	list = vici_list(section, "list1");
	EXPECT(list && !strcmp(list->first->value, "item1"));
	EXPECT(list && !strcmp(list->first->next->value, "item2") && !list->first->next->next);
	vici_message_free(&message);

	/* cut off anywhere else than between elements of the root */
	for (len = 1; len < sizeof(sample) - 1; len++)
		EXPECT(parses((const uint8_t *)sample, len) == (len == 14 ? 0 : -EBADMSG));
}

static void test_message_bad(void)
{
	static const struct {
		const uint8_t *data;
		size_t len;
	} bad[] = {
		{ MESSAGE("\0") }, { MESSAGE("\7") }, { MESSAGE("\377") },
		{ MESSAGE("\2") }, { MESSAGE("\6") }, { MESSAGE("\5\0\0") },
		{ MESSAGE("\1\1a") }, { MESSAGE("\4\1a") }, { MESSAGE("\1\0\2") },
		{ MESSAGE("\1\1a\6") }, { MESSAGE("\4\1a\2") },
		{ MESSAGE("\4\1a\4\1b\6\6") }, { MESSAGE("\4\1a\1\1b\2\6") },
		{ MESSAGE("\4\1a\3\1b\0\0\6") }, { MESSAGE("\3\2a\0\0\0") },
		{ MESSAGE("\3\1a\377\377") }, { MESSAGE("\3\377a\0\0") },
	};
	uint8_t deep[(VICI_DEPTH_MAX + 1) * 4];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(parses(bad[i].data, bad[i].len) == -EBADMSG);
	EXPECT(parses(MESSAGE("")) == 0);
	EXPECT(parses(MESSAGE("\4\1a\6")) == 0);

	for (i = 0; i <= VICI_DEPTH_MAX; i++) {
		memcpy(deep + 3 * i, "\1\1a", 3);
		deep[3 * (VICI_DEPTH_MAX + 1) + i] = VICI_SECTION_END;
	}
	EXPECT(parses(deep, sizeof(deep)) == -EBADMSG);
	EXPECT(parses(deep + 3, sizeof(deep) - 4) == 0);
}

static void test_message_values(void)
{
	static const char text[] = "\3\1a\0\3a\0b\3\1n\0\2" "42\3\1h\0\2ff\3\1m\0\2-1"
				   "\3\1l\0\12" "4294967295\3\1o\0\12" "4294967296\3\1e\0\0";
	struct vici_message message;
	uint32_t n;

	EXPECT(!vici_message_parse(MESSAGE(text), &message));
	EXPECT(!vici_string(&message.root, "a") && vici_value(&message.root, "a")->len == 3);
	EXPECT(vici_number(&message.root, "n", 10, &n) && n == 42);
	EXPECT(vici_number(&message.root, "h", 16, &n) && n == 255);
	EXPECT(!vici_number(&message.root, "h", 10, &n));
	EXPECT(!vici_number(&message.root, "m", 10, &n));
	EXPECT(vici_number(&message.root, "l", 10, &n) && n == UINT32_MAX);
	EXPECT(!vici_number(&message.root, "o", 10, &n));
	EXPECT(!vici_number(&message.root, "e", 10, &n));
	EXPECT(!vici_number(&message.root, "none", 10, &n));
	vici_message_free(&message);
}

static void test_packets(void)
{
	struct vici_packet_view packet;
	uint8_t buf[64];
	size_t len;

	EXPECT(!vici_packet_parse(MESSAGE("\7\3abcX"), &packet));
	EXPECT(packet.name_len == 3 && !memcmp(packet.name, "abc", 3) && packet.message_len == 1);
	EXPECT(!vici_packet_parse(MESSAGE("\1XY"), &packet) && packet.message_len == 2);
	EXPECT(vici_packet_parse(MESSAGE(""), &packet) == -EBADMSG);
	EXPECT(vici_packet_parse(MESSAGE("\7\4abc"), &packet) == -EBADMSG);
	EXPECT(vici_packet_parse(MESSAGE("\5x"), &packet) == -EBADMSG);
	EXPECT(vici_packet_parse(MESSAGE("\0\1a"), &packet) == -EBADMSG);
	EXPECT(vici_packet_parse(MESSAGE("\10"), &packet) == -EBADMSG);

	len = vici_packet_put(buf, sizeof(buf), VICI_CMD_REQUEST, "list");
	EXPECT(len == 10 && !memcmp(buf, "\0\0\0\6\0\4list", 10));
	len = vici_value_put(buf, sizeof(buf), len, "a", "bc");
	EXPECT(len == 17 && !memcmp(buf, "\0\0\0\15\0\4list\3\1a\0\2bc", 17));
	EXPECT(!vici_packet_put(buf, 9, VICI_CMD_REQUEST, "list"));
	EXPECT(!vici_value_put(buf, 16, 10, "a", "bc"));
}

/* ---------------------------------------------------------------------- mapping */

static void test_claims(void)
{
	static const struct {
		struct evidence evidence;
		enum ipsec_auth_method method;
		enum token_kind token;
	} rows[] = {
		{ { .class = AUTH_CLASS_NULL }, IPSEC_AUTH_NONE, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_ANY }, IPSEC_AUTH_BTNS, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_ANY, .secret_unique = true, .id_specific = true,
		    .key = KEY_CERTIFICATE, .pinned = true }, IPSEC_AUTH_BTNS, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_PSK }, IPSEC_AUTH_GROUPKEY, TOKEN_ID },
		{ { .class = AUTH_CLASS_PSK, .secret_unique = true },
		  IPSEC_AUTH_GROUPKEY, TOKEN_ID },
		{ { .class = AUTH_CLASS_PSK, .id_specific = true },
		  IPSEC_AUTH_GROUPKEY, TOKEN_ID },
		{ { .class = AUTH_CLASS_PSK, .secret_unique = true, .id_specific = true },
		  IPSEC_AUTH_PRESHAREDKEY, TOKEN_ID },
		{ { .class = AUTH_CLASS_XAUTH }, IPSEC_AUTH_XAUTH, TOKEN_USER },
		{ { .class = AUTH_CLASS_EAP, .eap_proves_user = true },
		  IPSEC_AUTH_EAP, TOKEN_USER },
		{ { .class = AUTH_CLASS_EAP }, IPSEC_AUTH_EAP, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_PUBKEY }, IPSEC_AUTH_BTNS, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_PUBKEY, .pinned = true },
		  IPSEC_AUTH_BTNS, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_AMBIGUOUS, .pinned = true },
		  IPSEC_AUTH_BTNS, TOKEN_RANDOM },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_CERTIFICATE },
		  IPSEC_AUTH_PKIX_INLINE, TOKEN_PKIX },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_CERTIFICATE, .fetched = true },
		  IPSEC_AUTH_PKIX_OFFLINE, TOKEN_PKIX },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_CERTIFICATE, .pinned = true,
		    .fetched = true }, IPSEC_AUTH_PKIX_TRUSTED, TOKEN_PKIX },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_CERTIFICATES, .pinned = true },
		  IPSEC_AUTH_PKIX_INLINE, TOKEN_PKIX },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_CERTIFICATES, .fetched = true },
		  IPSEC_AUTH_PKIX_OFFLINE, TOKEN_PKIX },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_RAW, .known = KNOWN_NEW,
		    .pinned = true }, IPSEC_AUTH_BTNS, TOKEN_KEY },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_RAW, .known = KNOWN_SEEN },
		  IPSEC_AUTH_LEAPOFFAITH, TOKEN_KEY },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_RAW, .known = KNOWN_CHANGED },
		  IPSEC_AUTH_BTNS, TOKEN_KEY },
		{ { .class = AUTH_CLASS_PUBKEY, .key = KEY_RAW, .known = KNOWN_ERROR },
		  IPSEC_AUTH_BTNS, TOKEN_KEY },
	};
	struct claim claim;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		claim = mapping_claim(&rows[i].evidence);
		if (claim.method != rows[i].method || claim.token != rows[i].token)
			printf("# row %zu: method %d token %d\n", i, (int)claim.method,
			       (int)claim.token);
		EXPECT(claim.method == rows[i].method && claim.token == rows[i].token);
	}
}

static void test_rounds(void)
{
	const struct auth_round psk = { .class = AUTH_CLASS_PSK };
	const struct auth_round key = { .class = AUTH_CLASS_PUBKEY };
	const struct auth_round eap = { .class = AUTH_CLASS_EAP, .eap_type = "MD5" };
	const struct auth_round xauth = { .class = AUTH_CLASS_XAUTH };
	const struct auth_round noauth = { .class = AUTH_CLASS_XAUTH, .xauth = "noauth" };

	EXPECT(mapping_round(NULL, 0)->class == AUTH_CLASS_ANY);
	EXPECT(mapping_round(&psk, 1)->class == AUTH_CLASS_PSK);
	EXPECT(mapping_round((struct auth_round[]){ psk, xauth }, 2)->class == AUTH_CLASS_XAUTH);
	/* who is let in without a password is not a user */
	EXPECT(mapping_round((struct auth_round[]){ psk, noauth }, 2)->class == AUTH_CLASS_PSK);
	EXPECT(mapping_round(&noauth, 1)->class == AUTH_CLASS_ANY);
	EXPECT(mapping_round((struct auth_round[]){ key, eap }, 2)->class == AUTH_CLASS_EAP);
	EXPECT(mapping_round((struct auth_round[]){ eap, key }, 2)->class == AUTH_CLASS_EAP);
	EXPECT(mapping_round((struct auth_round[]){ key, psk }, 2)->class == AUTH_CLASS_ANY);
	EXPECT(mapping_round((struct auth_round[]){ key, key }, 2)->class == AUTH_CLASS_PUBKEY);

	EXPECT(mapping_class("public key") == AUTH_CLASS_PUBKEY);
	EXPECT(mapping_class("any") == AUTH_CLASS_ANY && mapping_class(NULL) == AUTH_CLASS_ANY);
	EXPECT(mapping_eap_proves_user("MD5") && mapping_eap_proves_user("EAP_TLS"));
	EXPECT(!mapping_eap_proves_user("MSCHAPV2") && !mapping_eap_proves_user("TTLS"));
	EXPECT(!mapping_eap_proves_user("RADIUS") && !mapping_eap_proves_user(NULL));
	EXPECT(mapping_id_specific("a@b") && !mapping_id_specific("*@b"));
	EXPECT(!mapping_id_specific("%any") && !mapping_id_specific("") &&
	       !mapping_id_specific(NULL));
}

/* ------------------------------------------------------------------ certificates */

struct name_part {
	const char *type;
	const char *value;
};

static X509_NAME *name_of(const struct name_part *part)
{
	X509_NAME *name = X509_NAME_new();

	for (; part->type; part++)
		X509_NAME_add_entry_by_txt(name, part->type, MBSTRING_UTF8,
					   (const uint8_t *)part->value, -1, -1, 0);
	return name;
}

static struct credential *certificate(EVP_PKEY *key, const struct name_part *subject,
				      EVP_PKEY *ca_key, const struct name_part *ca,
				      const char *alt_name)
{
	X509 *x509 = X509_new();
	X509_NAME *name = name_of(subject), *issuer = name_of(ca);
	struct credential *credential = NULL;
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	uint8_t *der = NULL;
	int len;

	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), 0);
	X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
	X509_set_subject_name(x509, name);
	X509_set_issuer_name(x509, issuer);
	X509_set_pubkey(x509, key);
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, alt_name ? NID_subject_alt_name :
					NID_basic_constraints, alt_name ? alt_name : "CA:TRUE");
	X509_add_ext(x509, extension, -1);
	X509_sign(x509, ca_key, EVP_sha256());
	len = i2d_X509(x509, &der);
	EXPECT(!credential_parse(der, len, &credential));
	/* not with anything behind it, nor without its end */
	EXPECT(credential_parse(der, len - 1, &(struct credential *){ NULL }) == -EBADMSG);
	OPENSSL_free(der);
	X509_EXTENSION_free(extension);
	X509_NAME_free(name);
	X509_NAME_free(issuer);
	X509_free(x509);
	return credential;
}

static const struct name_part ca_name[] = {
	{ "C", "CH" }, { "O", "Prüfung, \"Test\"" }, { "CN", " CA" }, { NULL, NULL }
};

static const struct name_part peer_name[] = {
	{ "C", "CH" }, { "O", "Prüfung" }, { "CN", "peer" }, { NULL, NULL }
};

static void test_certificates(void)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	EVP_PKEY *new_key = EVP_EC_gen("P-256"), *rogue_key = EVP_EC_gen("P-256");
	struct credential *ca = certificate(ca_key, ca_name, ca_key, ca_name, NULL);
	struct credential *rogue = certificate(rogue_key, ca_name, rogue_key, ca_name, NULL);
	struct credential *peer = certificate(key, peer_name, ca_key, ca_name,
			"DNS:peer.example.org,email:peer@example.org,IP:192.0.2.1,IP:2001:db8::1");
	struct credential *renewed = certificate(new_key, peer_name, ca_key, ca_name,
						 "DNS:peer.example.org");
	struct credential *other = NULL;
	uint8_t a[IPSEC_ITOKEN_SIZE], b[IPSEC_ITOKEN_SIZE], *binding, *reverse;
	size_t len, reverse_len;

	EXPECT(!strcmp(ca->subject, "CN=\\ CA,O=Prüfung\\, \\\"Test\\\",C=CH"));
	EXPECT(!strcmp(peer->subject, "CN=peer,O=Prüfung,C=CH"));
	EXPECT(!strcmp(peer->issuer, ca->subject));
	EXPECT(ca->ca && !peer->ca && strlen(peer->pubkey_id) == PUBKEY_ID_SIZE - 1);

	EXPECT(credential_issued(ca, peer) && !credential_issued(peer, ca));
	/* of the same name, but not the one that signed */
	EXPECT(!credential_issued(rogue, peer));
	EXPECT(credential_same_subject(peer, renewed) && !credential_same_key(peer, renewed));
	EXPECT(credential_equal(peer, peer) && !credential_equal(peer, renewed));

	EXPECT(credential_has_id(peer, "peer.example.org") == IKE_ID_FQDN);
	EXPECT(credential_has_id(peer, "peer@example.org") == IKE_ID_RFC822_ADDR);
	EXPECT(credential_has_id(peer, "192.0.2.1") == IKE_ID_IPV4_ADDR);
	EXPECT(credential_has_id(peer, "2001:db8::1") == IKE_ID_IPV6_ADDR);
	EXPECT(credential_has_id(peer, "C=CH, O=Pr??fung, CN=peer") == IKE_ID_DER_ASN1_DN);
	EXPECT(credential_has_id(peer, "C=CH, O=Prüfung, CN=peer") == IKE_ID_DER_ASN1_DN);
	EXPECT(credential_has_id(peer, "C=CH, O=Pr??fung, CN=pee?") == IKE_ID_ANY);
	EXPECT(credential_has_id(peer, "C=CH, O=Pr??fung") == IKE_ID_ANY);
	EXPECT(credential_has_id(peer, "peer.example.or") == IKE_ID_ANY);
	EXPECT(credential_has_id(peer, "") == IKE_ID_ANY);

	/* renewal keeps the iToken, and every other difference changes it */
	EXPECT(!itoken_pkix(a, ca, peer, IKE_ID_FQDN, "peer.example.org"));
	EXPECT(!itoken_pkix(b, ca, renewed, IKE_ID_FQDN, "peer.example.org") &&
	       !memcmp(a, b, sizeof(a)));
	EXPECT(!itoken_pkix(b, ca, peer, IKE_ID_KEY_ID, "peer.example.org") &&
	       memcmp(a, b, sizeof(a)));
	EXPECT(!itoken_pkix(b, ca, peer, IKE_ID_FQDN, "peer.example.net") &&
	       memcmp(a, b, sizeof(a)));
	EXPECT(!itoken_pkix(b, peer, peer, IKE_ID_FQDN, "peer.example.org") &&
	       memcmp(a, b, sizeof(a)));
	/* without a CA only the key tells */
	EXPECT(!itoken_pkix(a, NULL, peer, IKE_ID_FQDN, "x") &&
	       !itoken_pkix(b, NULL, renewed, IKE_ID_FQDN, "x") && memcmp(a, b, sizeof(a)));

	EXPECT(!credential_binding(peer, renewed, &binding, &len));
	EXPECT(!credential_binding(renewed, peer, &reverse, &reverse_len));
	EXPECT(len == peer->spki_len + renewed->spki_len && len == reverse_len &&
	       !memcmp(binding, reverse, len));
	EXPECT(memcmp(binding, binding + len / 2, len / 2) < 0);

	EXPECT(!credential_parse(peer->spki, peer->spki_len, &other) && !other->x509);
	EXPECT(other && credential_same_key(other, peer) && !credential_equal(other, peer) &&
	       !strcmp(other->pubkey_id, peer->pubkey_id));
	EXPECT(credential_parse("nonsense", 8, &(struct credential *){ NULL }) == -EBADMSG);
	EXPECT(credential_parse("", 0, &(struct credential *){ NULL }) == -EBADMSG);

	free(binding);
	free(reverse);
	credential_free(ca);
	credential_free(rogue);
	credential_free(peer);
	credential_free(renewed);
	credential_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
	EVP_PKEY_free(new_key);
	EVP_PKEY_free(rogue_key);
}

static void test_itokens(void)
{
	uint8_t a[IPSEC_ITOKEN_SIZE], b[IPSEC_ITOKEN_SIZE];
	const char *const first[] = { "ab", "c" }, *const second[] = { "a", "bc" };
	uint64_t x, y;

	EXPECT(!itoken_id(a, IPSEC_AUTH_GROUPKEY, IKE_ID_FQDN, "peer"));
	EXPECT(!itoken_id(b, IPSEC_AUTH_GROUPKEY, IKE_ID_FQDN, "peer") &&
	       !memcmp(a, b, sizeof(a)));
	EXPECT(!itoken_id(b, IPSEC_AUTH_PRESHAREDKEY, IKE_ID_FQDN, "peer") &&
	       memcmp(a, b, sizeof(a)));
	EXPECT(!itoken_id(b, IPSEC_AUTH_GROUPKEY, IKE_ID_KEY_ID, "peer") &&
	       memcmp(a, b, sizeof(a)));
	EXPECT(!itoken_id(b, IPSEC_AUTH_GROUPKEY, IKE_ID_FQDN, "pee") && memcmp(a, b, sizeof(a)));
	EXPECT(itoken_id(a, IPSEC_AUTH_PKIX_INLINE, IKE_ID_FQDN, "peer") == -EINVAL);
	EXPECT(!itoken_random(a) && !itoken_random(b) && memcmp(a, b, sizeof(a)));

	EXPECT(!itoken_lineage(&x, a, b, first, 2) && !itoken_lineage(&y, a, b, first, 2) &&
	       x == y && x);
	EXPECT(!itoken_lineage(&y, a, b, second, 2) && x != y);
	EXPECT(!itoken_lineage(&y, b, a, first, 2) && x != y);

	EXPECT(ike_id_type("192.0.2.1") == IKE_ID_IPV4_ADDR);
	EXPECT(ike_id_type("2001:db8::1") == IKE_ID_IPV6_ADDR);
	EXPECT(ike_id_type("host.example.org") == IKE_ID_FQDN);
	EXPECT(ike_id_type("a@example.org") == IKE_ID_RFC822_ADDR);
	EXPECT(ike_id_type("C=CH, CN=a@b") == IKE_ID_DER_ASN1_DN);
	EXPECT(ike_id_type("de:ad:be:ef:xx") == IKE_ID_KEY_ID);
	EXPECT(ike_id_type("%any") == IKE_ID_ANY && ike_id_type("") == IKE_ID_ANY);
}

/* ------------------------------------------------------------------------ files */

static void test_known(void)
{
	char *path = file_of("known");
	struct stat st;

	EXPECT(known_look(path, 2, "peer", "key1", INT64_MAX) == KNOWN_NEW);
	EXPECT(known_look(path, 2, "peer", "key1", INT64_MAX) == KNOWN_NEW);
	EXPECT(known_check(path, 2, "peer", "key1") == KNOWN_NEW);
	EXPECT(known_look(path, 2, "peer", "key1", INT64_MAX) == KNOWN_SEEN);
	EXPECT(known_look(path, 2, "peer", "key1", time(NULL) - 10) == KNOWN_NEW);
	EXPECT(known_look(path, 2, "peer", "key2", 0) == KNOWN_CHANGED);
	EXPECT(!stat(path, &st) && (st.st_mode & 0777) == 0600);
	EXPECT(known_check(path, 2, "peer", "key1") == KNOWN_SEEN);
	EXPECT(known_check(path, 2, "peer", "key2") == KNOWN_CHANGED);
	/* not silently taken for the new one */
	EXPECT(known_check(path, 2, "peer", "key2") == KNOWN_CHANGED);
	EXPECT(known_check(path, 2, "peer", "key1") == KNOWN_SEEN);
	EXPECT(known_check(path, 3, "peer", "key2") == KNOWN_NEW);
	EXPECT(known_check(path, 2, "a b\nc", "key3") == KNOWN_NEW);
	EXPECT(known_check(path, 2, "a b\nc", "key3") == KNOWN_SEEN);
	EXPECT(known_check(path, 2, "", "key4") == KNOWN_NEW);
	EXPECT(known_check(path, 2, "", "key4") == KNOWN_SEEN);
	EXPECT(known_check(path, 2, "peer", "key1") == KNOWN_SEEN);
	file_put(path, "# comment\n2 peer\n");
	EXPECT(known_check(path, 2, "peer", "key1") == KNOWN_ERROR);
	EXPECT(known_check("/nonexistent/known", 2, "peer", "key1") == KNOWN_ERROR);
	free(path);
}

static bool config_good(const char *text)
{
	char *path = file_of("conf");
	struct config *config;

	file_put(path, text);
	config = config_read(path, true);
	config_free(config);
	free(path);
	return config;
}

static void test_config(void)
{
	char *path = file_of("conf");
	struct config *config;

	EXPECT(config_good(""));
	EXPECT(config_good("# comment\n\n  [agent]\n log-level=debug\r\n"));
	file_put(path, "[strongswan]\nenabled = no\nunique-psk = a  b\n[agent]\nknown-keys = /k\n");
	config = config_read(path, true);
	EXPECT(config && !config->strongswan && !strcmp(config->known_keys, "/k"));
	EXPECT(config && config_lists(config->unique_psk, "a") &&
	       config_lists(config->unique_psk, "b") && !config_lists(config->unique_psk, "c") &&
	       !config_lists(config->unique_psk, "a  b") && !config_lists(config->unique_psk, ""));
	config_free(config);

	file_put(path, "[libreswan]\nenabled = no\nunique-cert = a b\nunique-psk = c\n"
		 "whack = /w\ncertutil = /c\nsocket = /s\nupdown-socket = /u\n");
	config = config_read(path, true);
	EXPECT(config && !config->libreswan && config->strongswan);
	EXPECT(config && config_lists(config->pluto_unique_cert, "b") &&
	       config_lists(config->pluto_unique_psk, "c") &&
	       !config_lists(config->unique_psk, "c"));
	EXPECT(config && !strcmp(config->whack, "/w") && !strcmp(config->certutil, "/c") &&
	       !strcmp(config->pluto_socket, "/s") && !strcmp(config->updown_socket, "/u"));
	config_free(config);

	file_put(path, "[requests]\nenabled = no\nconnections = a b\nnegotiations = 1\n"
		 "user-negotiations = 1000\nuser-rate = 20\ntimeout = 5\n");
	config = config_read(path, true);
	EXPECT(config && !config->requests && config->negotiations == 1 &&
	       config->user_negotiations == 1000 && config->user_rate == 20 &&
	       config->request_timeout == 5);
	EXPECT(config && config_may_begin(config, "b") && !config_may_begin(config, "c"));
	config_free(config);
	file_put(path, "[requests]\nconnections =\n");
	config = config_read(path, true);
	EXPECT(config && config->requests && !config_may_begin(config, "a"));
	config_free(config);

	/* what is wrong with these goes to standard error */
	if (!freopen("/dev/null", "w", stderr))
		return;
	EXPECT(!config_good("log-level = debug\n"));
	EXPECT(!config_good("[nowhere]\n"));
	EXPECT(!config_good("[agent\n"));
	EXPECT(!config_good("[agent]\nlog-level\n"));
	EXPECT(!config_good("[agent]\nlog-level = loud\n"));
	EXPECT(!config_good("[agent]\nlog-level =\n"));
	EXPECT(!config_good("[agent]\nlog-level = info\nlog-level = info\n"));
	EXPECT(!config_good("[agent]\nsocket = /s\n"));
	EXPECT(!config_good("[strongswan]\nsocket = s\n"));
	EXPECT(!config_good("[libreswan]\nwhack = whack --status\n"));
	EXPECT(!config_good("[strongswan]\nwhack = /w\n"));
	EXPECT(!config_good("[strongswan]\nenabled = maybe\n"));
	EXPECT(!config_good("[requests]\nnegotiations = 0\n"));
	EXPECT(!config_good("[requests]\nnegotiations = 1001\n"));
	EXPECT(!config_good("[requests]\nnegotiations = 99999999999\n"));
	EXPECT(!config_good("[requests]\nuser-rate = -1\n"));
	EXPECT(!config_good("[requests]\ntimeout = 5s\n"));
	EXPECT(!config_good("[requests]\ntimeout =\n"));
	unlink(path);
	EXPECT(!config_read(path, true));
	config = config_read(path, false);
	EXPECT(config && config->strongswan && config->requests);
	EXPECT(config && config_may_begin(config, "anything"));
	config_free(config);
	free(path);
}

/* ------------------------------------------------------------------------ log */

static const char *logged(const char *stream)
{
	static char text[16384];
	char *path = file_of("log");
	FILE *file = NULL;
	int saved = dup(STDERR_FILENO);
	size_t len = 0;

	if (stream)
		setenv("JOURNAL_STREAM", stream, 1);
	else
		unsetenv("JOURNAL_STREAM");
	log_level_set(LOG_LEVEL_INFO);
	if (saved >= 0 && freopen(path, "w", stderr)) {
		log_event(LOG_LEVEL_INFO, "of %s", "a peer\n<3>called \x1b[2J\x7f");
		log_event(LOG_LEVEL_DEBUG, "not of interest");
		log_event(LOG_LEVEL_ERROR, "%03000d", 7);
		fflush(stderr);
		dup2(saved, STDERR_FILENO);
		file = fopen(path, "r");
	}
	if (file) {
		len = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	close(saved);
	text[len] = '\0';
	log_level_set(0);
	free(path);
	return text;
}

static void test_log(void)
{
	const char *text = logged("8:12345"), *end = strchr(text, '\n');

	/* names that peers have chosen make no lines, and steer no terminals */
	EXPECT(!strncmp(text, "<6>of a peer\\x0a<3>called \\x1b[2J\\x7f\n", 38));
	/* the second line is cut short, and there is no third */
	EXPECT(end && !strncmp(end + 1, "<3>000", 6) && strlen(end + 1) < 2100 &&
	       strchr(end + 1, '\n') == text + strlen(text) - 1);
	text = logged(NULL);
	EXPECT(strstr(text, " tokend_unit: of a peer\\x0a") && text[2] == ':' && text[8] == '.');
}

static const struct {
	void (*run)(void);
	const char *text;
} tests[] = {
	{ test_message, "a message is decoded" },
	{ test_message_bad, "broken messages are refused" },
	{ test_message_values, "values are text and numbers, or not" },
	{ test_packets, "packets" },
	{ test_claims, "what is claimed of which evidence" },
	{ test_rounds, "which round decides" },
	{ test_certificates, "certificates, names and keys" },
	{ test_itokens, "iTokens and lineages" },
	{ test_known, "known keys" },
	{ test_log, "what is logged" },
	{ test_config, "configuration" },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

int main(void)
{
	unsigned int failed = 0;
	char *command;
	size_t i;

	directory = xstrdup("/tmp/tokend_unit.XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	log_level_set(0);
	printf("KTAP version 1\n1..%zu\n", TESTS);
	for (i = 0; i < TESTS; i++) {
		failures = 0;
		tests[i].run();
		printf("%sok %zu %s\n", failures ? "not " : "", i + 1, tests[i].text);
		failed += !!failures;
	}
	command = xprintf("rm -r %s", directory);
	if (system(command))
		failed++;
	free(command);
	free(directory);
	return !!failed;
}
