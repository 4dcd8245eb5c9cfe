// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which connections of charon and pluto would do for a request, and what pluto's
 * words about one that it has initiated mean.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "../tools/credential.h"
#include "../tools/tokend/libreswan_choice.h"
#include "../tools/tokend/libreswan_initiation.h"
#include "../tools/tokend/log.h"
#include "../tools/tokend/strongswan_choice.h"
#include "helpers/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct config config = {
	.unique_psk = (char *)" unique ",
	.pluto_unique_psk = (char *)" unique ",
	.pluto_unique_cert = (char *)"",
};

static struct request *request(const char *local, const char *peer, uint8_t protocol,
			       uint16_t port)
{
	struct request *request = request_new();

	request->id = 1;
	request->family = strchr(peer, ':') ? AF_INET6 : AF_INET;
	inet_pton(request->family, local, request->local);
	inet_pton(request->family, peer, request->peer);
	request->protocol = protocol;
	request->local_port = 40000;
	request->peer_port = port;
	return request;
}

/* ------------------------------------------------------------------------ charon */

static struct {
	uint8_t bytes[8192];
	size_t len;
} message;

static void put(const void *data, size_t len)
{
	memcpy(message.bytes + message.len, data, len);
	message.len += len;
}

static void put_name(enum vici_element type, const char *name)
{
	uint8_t head[2] = { type, strlen(name) };

	put(head, 2);
	put(name, head[1]);
}

static void put_value(const char *value)
{
	uint8_t size[2] = { 0, strlen(value) };

	put(size, 2);
	put(value, size[1]);
}

static void put_end(enum vici_element type)
{
	uint8_t byte = type;

	put(&byte, 1);
}

static void put_pair(const char *name, const char *value)
{
	put_name(VICI_KEY_VALUE, name);
	put_value(value);
}

/* @words: with commas in between, NULL: none */
static void put_list(const char *name, const char *words)
{
	char *copy = xstrdup(words ? words : ""), *left = NULL, *word;

	put_name(VICI_LIST_START, name);
	for (word = strtok_r(copy, ",", &left); word; word = strtok_r(NULL, ",", &left)) {
		put_end(VICI_LIST_ITEM);
		put_value(word);
	}
	put_end(VICI_LIST_END);
	free(copy);
}

/**
 * struct played - a connection of charon, as it is told of
 */
struct played {
	const char *name;
	const char *local;		/* addresses */
	const char *remote;
	const char *class;
	const char *id;
	const char *cas;
	const char *certs;
	const char *child;
	const char *mode;
	const char *local_ts;
	const char *remote_ts;
};

static void charon_tells(const struct played *c)
{
	struct vici_message parsed;

	message.len = 0;
	put_name(VICI_SECTION_START, c->name);
	put_list("local_addrs", c->local ? c->local : "%any");
	put_list("remote_addrs", c->remote ? c->remote : "10.0.0.2");
	put_name(VICI_SECTION_START, "local-1");
	put_pair("class", "pre-shared key");
	put_end(VICI_SECTION_END);
	put_name(VICI_SECTION_START, "remote-1");
	put_pair("class", c->class ? c->class : "pre-shared key");
	if (c->id)
		put_pair("id", c->id);
	put_list("certs", c->certs);
	put_list("cacerts", c->cas);
	put_end(VICI_SECTION_END);
	put_name(VICI_SECTION_START, "children");
	put_name(VICI_SECTION_START, c->child ? c->child : "net");
	put_pair("mode", c->mode ? c->mode : "TRANSPORT");
	put_list("local-ts", c->local_ts ? c->local_ts : "dynamic");
	put_list("remote-ts", c->remote_ts ? c->remote_ts : "dynamic");
	put_end(VICI_SECTION_END);
	put_end(VICI_SECTION_END);
	put_end(VICI_SECTION_END);
	EXPECT(!vici_message_parse(message.bytes, message.len, &parsed));
	choice_connection(&parsed);
	vici_message_free(&parsed);
}

#define CHARON_HAS(...) charon_tells(&(const struct played){ __VA_ARGS__ })

/* What is chosen, as "connection/child", or a word for the reason. */
static const char *chosen(const struct request *r)
{
	static char text[2 * TARGET_NAME_MAX + 8];
	struct target target;

	switch (choice_pick(&config, r, &target)) {
	case IPSEC_REQUEST_REASON_NONE:
		snprintf(text, sizeof(text), "%s/%s", target.connection, target.part);
		return text;
	case IPSEC_REQUEST_REASON_NO_SA:
		return "none";
	case IPSEC_REQUEST_REASON_METHOD:
		return "method";
	case IPSEC_REQUEST_REASON_IDENTITY:
		return "identity";
	default:
		return "?";
	}
}

static bool chooses(const struct request *r, const char *wanted)
{
	const char *got = chosen(r);

	if (strcmp(got, wanted))
		printf("# got %s, wanted %s\n", got, wanted);
	return !strcmp(got, wanted);
}

/* The one connection, and whether it is chosen. */
static bool fits(const struct request *r, const struct played *c)
{
	bool fits;

	choice_clear();
	charon_tells(c);
	fits = strcmp(chosen(r), "none");
	choice_clear();
	return fits;
}

#define FITS(...) fits(r, &(const struct played){ .name = "c", __VA_ARGS__ })

static void test_charon_traffic(void)
{
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);
	struct request *r6 = request("fd00::1", "fd00::2", IPPROTO_UDP, 53);

	EXPECT(chooses(r, "none"));
	/* who charon would talk to */
	EXPECT(FITS(.remote = "10.0.0.2"));
	EXPECT(!FITS(.remote = "10.0.0.3"));
	EXPECT(!FITS(.remote = "%any"));
	EXPECT(!FITS(.remote = "db.example.org,10.0.0.2"));
	EXPECT(FITS(.remote = "10.0.0.0/24,10.0.0.2"));
	EXPECT(!FITS(.remote = "10.0.0.0/24"));
	EXPECT(!FITS(.remote = "10.0.0.3,10.0.0.2"));
	EXPECT(!FITS(.remote = "fd00::2"));
	EXPECT(!FITS(.remote = ""));
	/* and from where */
	EXPECT(FITS(.local = "10.0.0.1"));
	EXPECT(FITS(.local = "10.0.0.9,10.0.0.1"));
	EXPECT(FITS(.local = ""));
	EXPECT(!FITS(.local = "10.0.0.9"));
	/* what it would do to the packets */
	EXPECT(FITS(.mode = "TUNNEL"));
	EXPECT(FITS(.mode = "BEET"));
	EXPECT(!FITS(.mode = "PASS"));
	EXPECT(!FITS(.mode = "DROP"));
	EXPECT(!FITS(.mode = "something else"));
	/* and to which */
	EXPECT(FITS(.remote_ts = "10.0.0.2/32[tcp/http]"));
	EXPECT(FITS(.remote_ts = "10.9.0.0/16,10.0.0.0/24"));
	EXPECT(!FITS(.remote_ts = "10.0.0.2/32[tcp/81]"));
	EXPECT(!FITS(.remote_ts = "10.0.0.2/32[udp/80]"));
	EXPECT(!FITS(.remote_ts = "10.0.1.0/24"));
	EXPECT(!FITS(.remote_ts = ""));
	EXPECT(!FITS(.remote_ts = "rubbish"));
	EXPECT(FITS(.local_ts = "dynamic[tcp/1024-65535]"));
	EXPECT(!FITS(.local_ts = "dynamic[tcp/1-1023]"));
	EXPECT(!FITS(.local_ts = "10.0.0.9/32"));
	/* a port that is not chosen yet */
	r->local_port = 0;
	EXPECT(FITS(.local_ts = "dynamic[tcp]"));
	EXPECT(!FITS(.local_ts = "dynamic[tcp/1024-65535]"));
	r->local_port = 40000;
	/* the administrator has a say */
	config.connections = (char *)" a b ";
	EXPECT(!FITS(.local = "10.0.0.1"));
	config.connections = (char *)" a c ";
	EXPECT(FITS(.local = "10.0.0.1"));
	config.connections = (char *)"  ";
	EXPECT(!FITS(.local = "10.0.0.1"));
	config.connections = NULL;

	CHARON_HAS(.name = "six", .remote = "fd00::2");
	EXPECT(chooses(r6, "six/net"));
	EXPECT(chooses(r, "none"));
	choice_clear();
	request_free(r);
	request_free(r6);
}

static void test_charon_best(void)
{
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);

	CHARON_HAS(.name = "wide", .mode = "TUNNEL", .remote_ts = "0.0.0.0/0");
	EXPECT(chooses(r, "wide/net"));
	CHARON_HAS(.name = "net", .mode = "TUNNEL", .remote_ts = "10.0.0.0/24");
	EXPECT(chooses(r, "net/net"));
	CHARON_HAS(.name = "zhost");
	EXPECT(chooses(r, "zhost/net"));
	/* by name, whatever the order in which they are told of */
	CHARON_HAS(.name = "bhost");
	CHARON_HAS(.name = "chost");
	EXPECT(chooses(r, "bhost/net"));
	CHARON_HAS(.name = "bhost", .child = "a");
	EXPECT(chooses(r, "bhost/a"));
	CHARON_HAS(.name = "zport", .remote_ts = "dynamic[tcp/80]");
	EXPECT(chooses(r, "zport/net"));
	/* one that is for whom is required, even if it is for more packets */
	CHARON_HAS(.name = "zid", .mode = "TUNNEL", .remote_ts = "0.0.0.0/0",
		   .id = "right.example.org");
	EXPECT(chooses(r, "zport/net"));
	r->who.id = xstrdup("right.example.org");
	r->who.id_type = IKE_ID_FQDN;
	EXPECT(chooses(r, "zid/net"));
	choice_clear();
	request_free(r);
}

static void test_charon_peer(void)
{
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);

	r->who.id = xstrdup("right.example.org");
	r->who.id_type = IKE_ID_FQDN;
	CHARON_HAS(.name = "other", .id = "mallory.example.org");
	EXPECT(chooses(r, "identity"));
	/* of one that has no matching traffic it does not matter */
	choice_clear();
	CHARON_HAS(.name = "other", .id = "mallory.example.org", .remote = "10.0.0.3");
	EXPECT(chooses(r, "none"));
	CHARON_HAS(.name = "any", .id = "%any");
	EXPECT(chooses(r, "any/net"));
	CHARON_HAS(.name = "right", .id = "right.example.org");
	EXPECT(chooses(r, "right/net"));
	/* with EAP the name is the user's, which is not configured here */
	choice_clear();
	CHARON_HAS(.name = "eap", .class = "EAP", .id = "mallory.example.org");
	EXPECT(chooses(r, "eap/net"));
	choice_clear();

	free(r->who.id);
	r->who.id = NULL;
	r->who.ca_dn = xstrdup("CN=CA,O=x");
	CHARON_HAS(.name = "a", .class = "public key");
	CHARON_HAS(.name = "b", .class = "public key", .cas = "CN=other,O=x, CN=CA");
	EXPECT(chooses(r, "a/net"));
	CHARON_HAS(.name = "c", .class = "public key", .cas = "CN=CA");
	EXPECT(chooses(r, "a/net"));
	free(r->who.ca_dn);
	r->who.ca_dn = xstrdup("CN=CA");
	EXPECT(chooses(r, "c/net"));
	r->who.certificate_dn = xstrdup("CN=right");
	EXPECT(chooses(r, "a/net"));
	CHARON_HAS(.name = "d", .class = "public key", .cas = "CN=CA", .certs = "CN=right");
	EXPECT(chooses(r, "d/net"));
	/* of these nothing is known beforehand */
	r->itoken_given = true;
	EXPECT(chooses(r, "a/net"));
	choice_clear();
	request_free(r);
}

static void test_charon_method(void)
{
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);

	CHARON_HAS(.name = "psk", .id = "right.example.org");
	r->methods = 1U << IPSEC_AUTH_GROUPKEY;
	EXPECT(chooses(r, "psk/net"));
	r->methods = 1U << IPSEC_AUTH_PRESHAREDKEY;
	EXPECT(chooses(r, "method"));
	CHARON_HAS(.name = "unique", .id = "*.example.org");
	EXPECT(chooses(r, "method"));
	CHARON_HAS(.name = "unique", .id = "right.example.org");
	EXPECT(chooses(r, "unique/net"));
	r->methods = 1U << IPSEC_AUTH_PKIX_INLINE | 1U << IPSEC_AUTH_PKIX_TRUSTED;
	EXPECT(chooses(r, "method"));
	CHARON_HAS(.name = "cert", .class = "public key");
	EXPECT(chooses(r, "cert/net"));
	/* a raw key is one of public keys too, and may be seen for the first time */
	r->methods = 1U << IPSEC_AUTH_BTNS;
	EXPECT(chooses(r, "cert/net"));
	r->methods = 1U << IPSEC_AUTH_EAP;
	EXPECT(chooses(r, "method"));
	CHARON_HAS(.name = "eap", .class = "EAP");
	EXPECT(chooses(r, "eap/net"));
	/* charon has nothing of the kind */
	r->methods = 1U << IPSEC_AUTH_NONE;
	EXPECT(chooses(r, "method"));
	choice_clear();
	request_free(r);
}

/* ------------------------------------------------------------------------- pluto */

#define CONNECTION(name, ends, auth, policy, ids) \
	"000 \"" name "\": " ends "; unrouted; eroute owner: #0\n" \
	"000 \"" name "\":     oriented; my_ip=unset; their_ip=unset; my_updown=<disabled>;\n" \
	"000 \"" name "\":   our auth:" auth ", their auth:" auth ", our autheap:none, " \
		"their autheap:none;\n" \
	"000 \"" name "\":   policy: " policy ";\n" \
	"000 \"" name "\":   " ids "\n"

#define IDS "our idtype: ID_FQDN; our id=@left.example.org; their idtype: ID_FQDN; " \
	"their id=@right.example.org"
#define IDS_NULL "our idtype: ID_NULL; our id=ID_NULL; their idtype: ID_NULL; their id=ID_NULL"
#define HOSTS "10.0.0.1[@left.example.org]...10.0.0.2[@right.example.org]"

static const char *pluto_chosen(const char *text, const struct request *r)
{
	static char name[2 * TARGET_NAME_MAX + 2];
	enum ipsec_request_reason reason;
	struct pluto_status status;
	struct target target;

	if (pluto_status_parse(text, strlen(text), &status))
		return "unreadable";
	reason = pluto_pick(&config, &status, r, &target);
	pluto_status_clear(&status);
	switch (reason) {
	case IPSEC_REQUEST_REASON_NONE:
		snprintf(name, sizeof(name), "%s%s%s", target.connection,
			 *target.part ? " " : "", target.part);
		return name;
	case IPSEC_REQUEST_REASON_NO_SA:
		return "none";
	case IPSEC_REQUEST_REASON_METHOD:
		return "method";
	case IPSEC_REQUEST_REASON_IDENTITY:
		return "identity";
	default:
		return "?";
	}
}

static bool pluto_chooses(const char *text, const struct request *r, const char *wanted)
{
	const char *got = pluto_chosen(text, r);

	if (strcmp(got, wanted))
		printf("# got %s, wanted %s\n", got, wanted);
	return !strcmp(got, wanted);
}

#define PSK "IKEv2+PSK+ENCRYPT+PFS+IKE_FRAG_ALLOW+ESN_NO+ESN_YES"
#define NOBODY "IKEv2+AUTH_NULL+ENCRYPT+PFS+IKE_FRAG_ALLOW+ESN_NO+ESN_YES"

static void test_pluto_traffic(void)
{
	static const struct {
		const char *ends;
		bool fits;
	} rows[] = {
		{ HOSTS, true },
		{ "10.0.0.1[@left]...10.0.0.3[@right]", false },
		{ "10.0.0.9[@left]...10.0.0.2[@right]", false },
		{ "10.0.0.1...10.0.0.2", true },
		{ "10.0.0.1[@left]...%any", false },
		{ "10.0.0.1[@left]...%dns<db.example.org>[@right]", false },
		{ "10.0.0.1[@left]...10.0.0.2<db.example.org>[@right]", true },
		{ "10.0.0.1[@left]---10.0.0.254...10.0.0.2[@right]", true },
		{ "10.0.0.1[@left]...10.0.0.254---10.0.0.2[@right]", true },
		{ "10.0.0.1[@left]...10.0.0.2[@right]===10.0.0.0/24", true },
		{ "10.0.0.0/24===10.0.0.1[@left]...10.0.0.2[@right]===10.0.0.0/24", true },
		{ "10.5.0.0/24===10.0.0.1[@left]...10.0.0.2[@right]===10.0.0.0/24", false },
		{ "10.0.0.0/24===10.0.0.1[@left]...10.0.0.2[@right]===10.5.0.0/24", false },
		{ "10.0.0.1/32:TCP/0-65535===10.0.0.1[@left]...10.0.0.2[@right]"
		  "===10.0.0.2/32:TCP/80", true },
		{ "10.0.0.1/32:TCP/0-65535===10.0.0.1[@left]...10.0.0.2[@right]"
		  "===10.0.0.2/32:TCP/81", false },
		{ "10.0.0.1/32:UDP/0-65535===10.0.0.1[@left]...10.0.0.2[@right]"
		  "===10.0.0.2/32:UDP/80", false },
		{ "fd00::1[@left]...fd00::2[@right]", false },
		/* what may be more than one thing */
		{ "10.0.0.1[@left]...10.0.0.2[@a...10.0.0.2[@b]", false },
		{ "10.0.0.1[@a]===b]...10.0.0.2[@right]", false },
		{ "10.0.0.1[@left]...10.0.0.3[@a]===10.0.0.0/24[10.0.0.2]", false },
		{ "10.0.0.1[@left]...10.0.0.2[@right]===rubbish", false },
		{ "...", false },
	};
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);
	struct request *r6 = request("fd00::1", "fd00::2", IPPROTO_TCP, 80);
	char *text;
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		text = xprintf(CONNECTION("c", "%s", "secret", PSK, IDS), rows[i].ends);
		if (!pluto_chooses(text, r, rows[i].fits ? "c" : "none")) {
			printf("# %s\n", rows[i].ends);
			failures++;
		}
		free(text);
	}
	EXPECT(pluto_chooses(CONNECTION("v6", "fd00::1[@left]...fd00::2[@right]", "secret", PSK,
					IDS), r6, "v6"));
	/* that lets pass or drops */
	EXPECT(pluto_chooses(CONNECTION("c", HOSTS, "never", "AUTH_NEVER+PASS", IDS), r, "none"));
	/* that waits for peers, one of which has come */
	EXPECT(pluto_chooses("000 \"c\"[1] 10.0.0.2: " HOSTS "; erouted; eroute owner: #2\n"
			     "000 \"c\"[1] 10.0.0.2:   our auth:secret, their auth:secret, "
			     "our autheap:none, their autheap:none;\n"
			     "000 \"c\"[1] 10.0.0.2:   policy: " PSK ";\n", r, "none"));
	config.connections = (char *)" other ";
	EXPECT(pluto_chooses(CONNECTION("c", HOSTS, "secret", PSK, IDS), r, "none"));
	config.connections = NULL;
	request_free(r);
	request_free(r6);
}

static void test_pluto_best(void)
{
	static const char text[] =
		CONNECTION("a", "10.0.0.0/24===10.0.0.1[@left]...10.0.0.2[@right]===10.0.0.0/24",
			   "secret", PSK "+TUNNEL", IDS)
		CONNECTION("null", "10.0.0.1[ID_NULL]...10.0.0.2[ID_NULL]", "null", NOBODY,
			   IDS_NULL)
		CONNECTION("psk", HOSTS, "secret", PSK, IDS)
		CONNECTION("unique", HOSTS, "secret", PSK, IDS);
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);

	EXPECT(pluto_chooses(text, r, "null"));
	r->methods = ~(1U << IPSEC_AUTH_NONE);
	EXPECT(pluto_chooses(text, r, "psk"));
	r->methods = 1U << IPSEC_AUTH_NONE | 1U << IPSEC_AUTH_BTNS;
	EXPECT(pluto_chooses(text, r, "null"));
	r->methods = 1U << IPSEC_AUTH_PRESHAREDKEY;
	EXPECT(pluto_chooses(text, r, "unique"));
	r->methods = 1U << IPSEC_AUTH_PKIX_TRUSTED;
	EXPECT(pluto_chooses(text, r, "method"));
	r->methods = 0;
	r->who.id = xstrdup("right.example.org");
	r->who.id_type = IKE_ID_FQDN;
	EXPECT(pluto_chooses(text, r, "psk"));
	free(r->who.id);
	r->who.id = xstrdup("mallory.example.org");
	EXPECT(pluto_chooses(text, r, "identity"));
	request_free(r);
}

#define ROUTED(name, ends, auth, policy, ids) \
	"000 \"" name "\": " ends "; prospective erouted; eroute owner: #0\n" \
	"000 \"" name "\":   our auth:" auth ", their auth:" auth ", our autheap:none, " \
		"their autheap:none;\n" \
	"000 \"" name "\":   policy: " policy ";\n" \
	"000 \"" name "\":   " ids "\n"
#define OPPORTUNISTIC "IKEv2+AUTH_NULL+ENCRYPT+TUNNEL+PFS+OPPORTUNISTIC+GROUPINSTANCE+failurePASS"
#define GROUP "10.0.0.1[ID_NULL]...%opportunistic[ID_NULL]==="

static void test_pluto_opportunistic(void)
{
	static const char group[] =
		CONNECTION("clear", "10.0.0.1[ID_NULL]...%opportunisticgroup[ID_NULL]", "null",
			   NOBODY "+OPPORTUNISTIC+GROUP+GROUTED", IDS_NULL)
		ROUTED("clear#10.0.0.0/24", GROUP "10.0.0.0/24", "null", OPPORTUNISTIC, IDS_NULL);
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);

	EXPECT(pluto_chooses(group, r, "clear#10.0.0.0/24 10.0.0.1 10.0.0.2"));
	/* one that names the peer leaves less open */
	EXPECT(pluto_chooses(ROUTED("clear#10.0.0.0/24", GROUP "10.0.0.0/24", "null",
				    OPPORTUNISTIC, IDS_NULL)
			     CONNECTION("null", "10.0.0.1[ID_NULL]...10.0.0.2[ID_NULL]", "null",
					NOBODY, IDS_NULL), r, "null"));
	/* pluto would say that nothing covers it */
	EXPECT(pluto_chooses(CONNECTION("clear#10.0.0.0/24", GROUP "10.0.0.0/24", "null",
					OPPORTUNISTIC, IDS_NULL), r, "none"));
	EXPECT(pluto_chooses(ROUTED("clear#10.1.0.0/24", GROUP "10.1.0.0/24", "null",
				    OPPORTUNISTIC, IDS_NULL), r, "none"));
	EXPECT(pluto_chooses(ROUTED("clear#10.0.0.2/32", GROUP "10.0.0.2/32:TCP/80", "null",
				    OPPORTUNISTIC, IDS_NULL), r,
			     "clear#10.0.0.2/32 10.0.0.1 10.0.0.2 6 40000 80"));
	EXPECT(pluto_chooses(ROUTED("clear#10.0.0.2/32", GROUP "10.0.0.2/32:TCP/81", "null",
				    OPPORTUNISTIC, IDS_NULL), r, "none"));
	/* its name is that of the group */
	config.connections = (char *)"other clear";
	EXPECT(pluto_chooses(group, r, "clear#10.0.0.0/24 10.0.0.1 10.0.0.2"));
	config.connections = (char *)"clear#10.0.0.0/24";
	EXPECT(pluto_chooses(group, r, "none"));
	config.connections = NULL;
	r->methods = 1U << IPSEC_AUTH_PKIX_TRUSTED;
	EXPECT(pluto_chooses(group, r, "method"));
	r->methods = 0;
	r->who.id = xstrdup("right.example.org");
	r->who.id_type = IKE_ID_FQDN;
	EXPECT(pluto_chooses(group, r, "identity"));
	request_free(r);
}

static void test_pluto_words(void)
{
	static const struct {
		const char *text;
		enum ipsec_request_reason reason;
		const char *words;
	} rows[] = {
		{ "", IPSEC_REQUEST_REASON_NONE, "" },
		{ "181 \"v6\" #14: initiating IKEv2 connection\n"
		  "004 \"v6\" #15: initiator established Child SA using #14; IPsec tunnel\n",
		  IPSEC_REQUEST_REASON_NONE, "" },
		{ "181 \"psk\" #4: initiating IKEv2 connection\n"
		  "003 \"psk\" #4: IKE SA authentication request rejected by peer: "
		  "AUTHENTICATION_FAILED\n"
		  "036 \"psk\" #4: encountered fatal error in state STATE_V2_PARENT_I2\n",
		  IPSEC_REQUEST_REASON_REFUSED, "the peer says AUTHENTICATION_FAILED" },
		{ "003 \"psk\" #1: dropping unexpected IKE_SA_INIT message containing "
		  "NO_PROPOSAL_CHOSEN notification; message payloads: N\n",
		  IPSEC_REQUEST_REASON_REFUSED, "the peer says NO_PROPOSAL_CHOSEN" },
		{ "003 \"null\" #9: cannot install eroute -- it is in use for \"psk\" #0\n"
		  "003 \"null\" #9: CHILD SA encountered fatal error: INVALID_SYNTAX\n",
		  IPSEC_REQUEST_REASON_NO_SA, "another connection is in the way" },
		{ "029 \"any\": cannot initiate connection (serial $6) without knowing peer\n"
		  "036 \"any\": failed to initiate connection\n",
		  IPSEC_REQUEST_REASON_NO_SA, "this connection cannot be initiated" },
		{ "033 cannot initiate on-demand for packet 10.0.0.1:8-ICMP->10.0.0.2:0 by whack: "
		  "no routed template covers this pair\n",
		  IPSEC_REQUEST_REASON_NO_SA, "this connection cannot be initiated" },
		{ "031 \"x\"[1] ...10.0.0.2 #5: STATE_V2_PARENT_I1: 5 second timeout exceeded "
		  "after 4 retransmits.  No response (or no acceptable response) to our first message\n"
		  "002 \"x\"[1] ...10.0.0.2 #5: deleting state (STATE_V2_PARENT_I1) aged 8.0s\n",
		  IPSEC_REQUEST_REASON_TIMEOUT, "the peer has not answered in time" },
		{ "036 \"psk\" #4: encountered fatal error in state STATE_V2_PARENT_I2\n",
		  IPSEC_REQUEST_REASON_NO_SA, "failed, pluto's log says why" },
		{ "003 \"x\" #11: X509: authentication failed; peer certificate subjectAltName "
		  "extension does not match ID_FQDN 'mallory.example.org'\n"
		  "002 \"x\" #11: deleting state (STATE_V2_PARENT_I2) aged 0.149178s\n",
		  IPSEC_REQUEST_REASON_IDENTITY, "who answers is not who it is for" },
		{ "002 \"x\" #11: deleting state (STATE_V2_PARENT_I2) aged 0.149178s\n",
		  IPSEC_REQUEST_REASON_NO_SA, "failed, pluto's log says why" },
		{ "010 \"gone\" #16: STATE_V2_PARENT_I1: retransmission\n",
		  IPSEC_REQUEST_REASON_NONE, "" },
	};
	char words[64];
	size_t i;

	for (i = 0; i < COUNT(rows); i++) {
		EXPECT(whack_verdict(rows[i].text, strlen(rows[i].text), words,
				     sizeof(words)) == rows[i].reason);
		if (strcmp(words, rows[i].words)) {
			printf("# row %zu: %s\n", i, words);
			failures++;
		}
	}
}

static const struct unit_test tests[] = {
	{ test_charon_traffic, "charon: what covers the packets" },
	{ test_charon_best, "charon: the best of several" },
	{ test_charon_peer, "charon: who is required" },
	{ test_charon_method, "charon: how it must be proved" },
	{ test_pluto_traffic, "pluto: what covers the packets" },
	{ test_pluto_best, "pluto: the best of several" },
	{ test_pluto_opportunistic, "pluto: groups of any hosts" },
	{ test_pluto_words, "pluto: what whack prints" },
};

int main(void)
{
	log_level_set(0);
	return unit_run(tests, COUNT(tests));
}
