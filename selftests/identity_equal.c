// SPDX-License-Identifier: GPL-2.0-only
/*
 * An identity that is bound by hand equals the one that the agent binds: both are
 * given the same evidence, the agent in charon's words, the command in files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/x509.h>

#include "../tools/credential.h"
#include "../tools/tokend/known.h"
#include "../tools/tokend/log.h"
#include "../tools/tokend/strongswan_evidence.h"

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

static char *directory;
static const char *command;

static void run(const char *what)
{
	char *line = xprintf("cd %s && { %s\n} >log 2>&1 </dev/null", directory, what);

	if (system(line)) {
		printf("Bail out! %s\n", what);
		exit(1);
	}
	free(line);
}

/* The names have what needs care: UTF-8, what is escaped, a + within a value. */
static void make_files(void)
{
	run("key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8'\n"
	    "new() { openssl req $key -keyout $1.key -out $1.csr -subj \"$2\" &&\n"
	    "	openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial \\\n"
	    "		-out $1.pem -days 9 -extfile $3; }\n"
	    "echo 'subjectAltName=DNS:peer.example,email:peer@example.org,IP:192.0.2.1' >names\n"
	    ": >none\n"
	    "openssl req -x509 $key -keyout ca.key -out ca.pem -days 9 \\\n"
	    "	-subj '/C=CH/O=Grüße, \"Test\"/CN= CA' &&\n"
	    "subject='/C=CH/O=Größe;\\+/CN=#peer '\n"
	    "new peer \"$subject\" names && new renewed \"$subject\" names &&\n"
	    "new own '/C=CH/CN=own' none && openssl pkey -in peer.key -pubout -out peer.pub &&\n"
	    "openssl pkey -in own.key -pubout -out own.pub");
}

/* -------------------------------------------------------------- charon's words */

static uint8_t message[16384];
static size_t message_len;

static void put(enum vici_element type, const char *name, const void *value, size_t len)
{
	message[message_len++] = type;
	if (name) {
		message[message_len++] = strlen(name);
		memcpy(message + message_len, name, strlen(name));
		message_len += strlen(name);
	}
	if (value) {
		message[message_len++] = len >> 8;
		message[message_len++] = len;
		memcpy(message + message_len, value, len);
		message_len += len;
	}
}

static void put_text(const char *name, const char *value)
{
	if (value)
		put(VICI_KEY_VALUE, name, value, strlen(value));
}

static void tell(void (*to)(const struct vici_message *))
{
	struct vici_message parsed;

	EXPECT(!vici_message_parse(message, message_len, &parsed));
	to(&parsed);
	vici_message_free(&parsed);
	message_len = 0;
}

static void tell_file(const char *name, const char *subject, bool own)
{
	char *path = xprintf("%s/%s", directory, name);
	struct credentials read;
	uint8_t *der = NULL;
	int len;

	EXPECT(!credentials_read(path, &read) && read.count == 1);
	put_text("type", read.item[0]->x509 ? "X509" : "PUBKEY");
	put_text("subject", subject);
	put_text("has_privkey", own ? "yes" : NULL);
	if (read.item[0]->x509) {
		len = i2d_X509(read.item[0]->x509, &der);
		put(VICI_KEY_VALUE, "data", der, len);
		OPENSSL_free(der);
	} else {
		put(VICI_KEY_VALUE, "data", read.item[0]->spki, read.item[0]->spki_len);
	}
	tell(evidence_certificate);
	credentials_free(&read);
	free(path);
}

/**
 * struct round - what a connection asks of an end
 * @class: as strongSwan names it
 * @id: of the end
 * @eap_type: of EAP, or NULL
 * @cert: subject of a certificate that it names, or NULL
 */
struct round {
	const char *class;
	const char *id;
	const char *eap_type;
	const char *cert;
};

static void put_round(const char *section, const struct round *round)
{
	put(VICI_SECTION_START, section, NULL, 0);
	put_text("class", round->class);
	put_text("id", round->id);
	put_text("eap-type", round->eap_type);
	if (round->cert) {
		put(VICI_LIST_START, "certs", NULL, 0);
		put(VICI_LIST_ITEM, NULL, round->cert, strlen(round->cert));
		put(VICI_LIST_END, NULL, NULL, 0);
	}
	put(VICI_SECTION_END, NULL, NULL, 0);
}

static struct identity *agent(const struct round *local, const struct round *remote,
			      const char *user, const struct config *config)
{
	const struct ike_facts facts = {
		.connection = "conn", .version = "2", .local_id = local->id,
		.remote_id = remote->id, .remote_user = user,
		.established = time(NULL) + 60,	/* after all that was seen */
	};
	struct identity *identity;

	put(VICI_SECTION_START, "conn", NULL, 0);
	put_round("local-1", local);
	put_round("remote-1", remote);
	put(VICI_SECTION_END, NULL, NULL, 0);
	tell(evidence_connection);
	identity = evidence_identity(&facts, config);
	/* as if the kernel had been told of it */
	evidence_remember(identity, config);
	evidence_clear();
	return identity;
}

/* ------------------------------------------------------------------ comparing */

static char said[65536];

static void by_hand(const char *arguments)
{
	char *line = xprintf("cd %s && %s identity bind dry-run %s 2>&1", directory, command,
			     arguments);
	FILE *pipe = popen(line, "r");
	size_t len;

	said[0] = '\n';
	len = pipe ? fread(said + 1, 1, sizeof(said) - 2, pipe) : 0;
	said[len + 1] = '\0';
	EXPECT(pipe && !pclose(pipe));
	free(line);
}

static void line(const char *prefix, const char *name, const char *value)
{
	char *label = xprintf("%s%s", prefix, name);
	char *wanted = xprintf("\n%-20s %s\n", label, value ? value : "not available");

	if (!strstr(said, wanted)) {
		printf("# wanted: %s", wanted + 1);
		failures++;
	}
	free(wanted);
	free(label);
}

static char *hex(const char *prefix, const uint8_t *data, size_t len)
{
	char *text = xcalloc(1, strlen(prefix) + 2 * len + 1), *to = text;
	size_t i;

	to += sprintf(to, "%s", prefix);
	for (i = 0; i < len; i++)
		to += sprintf(to, "%02x", data[i]);
	return text;
}

static void same_end(const char *prefix, const struct identity_end *end)
{
	char *itoken = hex("ipsec-itoken:1:", end->itoken, sizeof(end->itoken));

	line(prefix, "itoken", itoken);
	line(prefix, "method", method_name(end->method));
	line(prefix, "ike-id", end->id);
	line(prefix, "certificate-dn", end->certificate_dn);
	line(prefix, "ca-dn", end->ca_dn);
	line(prefix, "pubkey-id", end->pubkey_id);
	free(itoken);
}

static void same(struct identity *identity, const char *arguments)
{
	char *binding = hex("", identity->binding, identity->binding_len);

	printf("# %s\n", arguments);
	by_hand(arguments);
	same_end("", &identity->remote);
	if (identity->local.method)
		same_end("local-", &identity->local);
	line("", "channel-binding", identity->binding_len ? binding : NULL);
	free(binding);
	identity_put(identity);
}

/* ------------------------------------------------------------------------ tests */

static const struct round own_key = { .class = "public key", .id = "C=CH, CN=own" };
static const struct round own_psk = { .class = "pre-shared key", .id = "own.example" };

#define OWN_PKIX " local-method pkix_inline local-cert own.pem local-ca ca.pem"
#define OWN_PSK " local-method groupkey local-id own.example"

static struct config config = { .unique_psk = "" };

static void tell_certificates(void)
{
	tell_file("ca.pem", NULL, false);
	tell_file("own.pem", NULL, true);
	tell_file("peer.pem", NULL, false);
}

static void test_inline(void)
{
	static const struct round dns = { .class = "public key", .id = "peer.example" };
	static const struct round ip = { .class = "public key", .id = "192.0.2.1" };
	static const struct round dn = {
		.class = "public key", .id = "C=CH, O=Gr????e;+, CN=#peer ",
	};

	tell_certificates();
	same(agent(&own_key, &dns, NULL, &config),
	     "method pkix_inline cert peer.pem ca ca.pem id peer.example" OWN_PKIX);
	tell_certificates();
	same(agent(&own_key, &ip, NULL, &config),
	     "method pkix_inline cert peer.pem ca ca.pem id 192.0.2.1" OWN_PKIX);
	/* without an id it is what strongSwan calls the subject */
	tell_certificates();
	same(agent(&own_key, &dn, NULL, &config),
	     "method pkix_inline cert peer.pem ca ca.pem" OWN_PKIX);
}

static void test_other_pkix(void)
{
	static const struct round pinned = {
		.class = "public key", .id = "peer.example",
		.cert = "C=CH, O=Gr????e;+, CN=#peer ",
	};
	static const struct round any = { .class = "public key", .id = "peer.example" };
	struct config fetching = { .unique_psk = "", .hash_and_url = true };

	tell_certificates();
	same(agent(&own_psk, &pinned, NULL, &config),
	     "method pkix_trusted cert peer.pem ca ca.pem id peer.example" OWN_PSK);
	/* without its CA */
	tell_file("peer.pem", NULL, false);
	same(agent(&own_psk, &pinned, NULL, &config),
	     "method pkix_trusted cert peer.pem id peer.example" OWN_PSK);
	tell_certificates();
	same(agent(&own_psk, &any, NULL, &fetching),
	     "method pkix_offline cert peer.pem ca ca.pem id peer.example" OWN_PSK);
	/* after it was renewed, which of two */
	tell_certificates();
	tell_file("renewed.pem", NULL, false);
	same(agent(&own_psk, &any, NULL, &config),
	     "method pkix_inline cert peer.pem cert renewed.pem ca ca.pem id peer.example" OWN_PSK);
}

static void test_keys(void)
{
	static const struct round own = { .class = "public key", .id = "own.example" };
	static const struct round raw = { .class = "public key", .id = "raw.example" };

	tell_file("peer.pub", "raw.example", false);
	tell_file("own.pub", "own.example", true);
	same(agent(&own, &raw, NULL, &config),
	     "method btns key peer.pub id raw.example local-method btns local-key own.pub"
	     " local-id own.example");
	/* seen for the second time; a certificate has the same key in it */
	tell_file("peer.pub", "raw.example", false);
	tell_file("own.pub", "own.example", true);
	same(agent(&own, &raw, NULL, &config),
	     "method leapoffaith key peer.pem id raw.example local-method btns"
	     " local-key own.pem local-id own.example");
}

static void test_secrets(void)
{
	static const struct round psk = { .class = "pre-shared key", .id = "peer@example.org" };
	static const struct round xauth = { .class = "XAuth", .id = "192.0.2.1" };
	static const struct round eap = { .class = "EAP", .id = "x", .eap_type = "MD5" };
	struct config unique = { .unique_psk = " conn " };

	same(agent(&own_psk, &psk, NULL, &config),
	     "method groupkey id peer@example.org" OWN_PSK);
	same(agent(&own_psk, &psk, NULL, &unique),
	     "method presharedkey id peer@example.org local-method presharedkey"
	     " local-id own.example");
	same(agent(&own_psk, &xauth, "carol", &config), "method xauth id carol" OWN_PSK);
	same(agent(&own_psk, &eap, "dave", &config), "method eap id dave" OWN_PSK);
}

/* That different evidence is told apart shows that the comparison can fail. */
static void test_different(void)
{
	static const struct round psk = { .class = "pre-shared key", .id = "peer@example.org" };
	struct identity *identity = agent(&own_psk, &psk, NULL, &config);
	char *itoken = hex("ipsec-itoken:1:", identity->remote.itoken, IPSEC_ITOKEN_SIZE);

	by_hand("method groupkey id peer@example.net");
	EXPECT(!strstr(said, itoken) && strstr(said, "ipsec-itoken:1:"));
	by_hand("method presharedkey id peer@example.org");
	EXPECT(!strstr(said, itoken) && strstr(said, "ipsec-itoken:1:"));
	by_hand("method groupkey id peer@example.org id-type key-id");
	EXPECT(!strstr(said, itoken) && strstr(said, "ipsec-itoken:1:"));
	by_hand("method groupkey id peer@example.org");
	EXPECT(strstr(said, itoken));
	free(itoken);
	identity_put(identity);
}

static const struct {
	void (*run)(void);
	const char *text;
} tests[] = {
	{ test_inline, "certificates: names of every kind" },
	{ test_other_pkix, "certificates: trusted, fetched, renewed" },
	{ test_keys, "raw public keys" },
	{ test_secrets, "secrets, and users" },
	{ test_different, "other evidence is another identity" },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

int main(void)
{
	const char *build = getenv("BUILD");
	unsigned int failed = 0;
	size_t i;

	directory = xstrdup("/tmp/identity_equal.XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	command = xprintf("%s/tools/ipsec-token", build ? build : "build");
	config.known_keys = xprintf("%s/known", directory);
	log_level_set(0);
	printf("KTAP version 1\n1..%zu\n", TESTS);
	make_files();
	for (i = 0; i < TESTS; i++) {
		failures = 0;
		tests[i].run();
		printf("%sok %zu %s\n", failures ? "not " : "", i + 1, tests[i].text);
		failed += !!failures;
	}
	run("rm -r \"$PWD\"");
	return !!failed;
}
