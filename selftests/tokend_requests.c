// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests for SAs in ipsec-tokend: the table of those that wait, with its limits,
 * against sources and a kernel that are played here; and what the kernel says of
 * them.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <netinet/in.h>

#include "../tools/credential.h"
#include "../tools/tokend/log.h"
#include "../tools/tokend/message.h"
#include "../tools/tokend/requests.h"
#include "../tools/tokend/selector.h"
#include "helpers/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct config config;

static void config_reset(void)
{
	memset(&config, 0, sizeof(config));
	config.requests = true;
	config.negotiations = 8;
	config.user_negotiations = 4;
	config.user_rate = 60;
	config.request_timeout = 60;
}

/* request LOCAL PEER PROTOCOL PORT */
static struct request *request(const char *local, const char *peer, uint8_t protocol,
			       uint16_t port)
{
	static uint64_t id;
	struct request *request = request_new();

	request->id = ++id;
	request->family = strchr(peer, ':') ? AF_INET6 : AF_INET;
	inet_pton(request->family, local, request->local);
	inet_pton(request->family, peer, request->peer);
	request->protocol = protocol;
	request->local_port = 40000;
	request->peer_port = port;
	request->uid = 1000;
	return request;
}

/* -------------------------------------------------------------------- the table */

#define LOG_MAX 4096

/* what the table did */
static struct {
	struct {
		uint64_t id;
		enum ipsec_request_reason reason;
		char text[256];
	} result[LOG_MAX];
	size_t results;
	struct {
		size_t source;
		struct target target;
	} begun[LOG_MAX];
	size_t negotiations;
	const char *absent[2];		/* why a source is not to be asked */
	unsigned int asked[2];
	bool at_once;			/* negotiations fail right away */
	uint32_t timeout_ms;		/* of the last one */
} played;

static void played_result(uint64_t id, enum ipsec_request_reason reason, const char *text)
{
	if (played.results == LOG_MAX)
		abort();
	played.result[played.results].id = id;
	played.result[played.results].reason = reason;
	snprintf(played.result[played.results].text, sizeof(played.result[0].text), "%s",
		 text ? text : "");
	played.results++;
}

static const char *played_choose(size_t source)
{
	played.asked[source]++;
	return played.absent[source];
}

static void played_negotiate(size_t source, const struct target *target, uint32_t timeout_ms)
{
	EXPECT(timeout_ms >= 2000 && timeout_ms <= config.request_timeout * 1000);
	played.timeout_ms = timeout_ms;
	if (played.negotiations == LOG_MAX)
		abort();
	played.begun[played.negotiations].source = source;
	played.begun[played.negotiations].target = *target;
	played.negotiations++;
	if (played.at_once)
		requests_ended(source, target, IPSEC_REQUEST_REASON_NO_SA, "at once");
}

static const struct requests_ops played_ops = {
	.result = played_result,
	.sources = 2,
	.choose = played_choose,
	.negotiate = played_negotiate,
};

static void table_begin(void)
{
	memset(&played, 0, sizeof(played));
	config_reset();
	requests_init(&played_ops);
	requests_config(&config);
}

static void table_end(void)
{
	requests_exit();
	EXPECT(!requests_count() && !requests_negotiations());
	EXPECT(requests_deadline() == INT64_MAX);
}

/* @data: name of a connection; the part is the port */
static enum ipsec_request_reason pick_port(void *data, const struct request *request,
					   struct target *target)
{
	snprintf(target->connection, sizeof(target->connection), "%s", (const char *)data);
	snprintf(target->part, sizeof(target->part), "%u", request->peer_port);
	return IPSEC_REQUEST_REASON_NONE;
}

static enum ipsec_request_reason pick_none(void *data, const struct request *request,
					   struct target *target)
{
	(void)request;
	(void)target;
	return *(enum ipsec_request_reason *)data;
}

static void source_answers(size_t source, requests_pick_t pick, void *data)
{
	if (requests_ask(source))
		requests_choose(source, pick, data);
}

static uint64_t add(uint32_t uid, uint16_t port)
{
	struct request *new = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, port);
	uint64_t id = new->id;

	new->uid = uid;
	requests_add(new);
	return id;
}

static void end(size_t source, const char *connection, const char *part,
		enum ipsec_request_reason reason, const char *text)
{
	struct target target;

	snprintf(target.connection, sizeof(target.connection), "%s", connection);
	snprintf(target.part, sizeof(target.part), "%s", part);
	requests_ended(source, &target, reason, text);
}

static bool last_result(uint64_t id, enum ipsec_request_reason reason, const char *text)
{
	size_t i = played.results - 1;

	if (played.results && played.result[i].id == id && played.result[i].reason == reason &&
	    strstr(played.result[i].text, text))
		return true;
	if (played.results)
		printf("# %llu %d %s\n", (unsigned long long)played.result[i].id,
		       played.result[i].reason, played.result[i].text);
	return false;
}

static void test_table(void)
{
	struct request *twice = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);
	uint64_t id, other;

	table_begin();
	/* the first source has it */
	id = add(1, 80);
	EXPECT(requests_count() == 1 && played.asked[0] == 1 && !played.asked[1]);
	EXPECT(requests_deadline() != INT64_MAX);
	source_answers(0, pick_port, "home");
	EXPECT(played.negotiations == 1 && !strcmp(played.begun[0].target.connection, "home") &&
	       !strcmp(played.begun[0].target.part, "80"));
	EXPECT(!played.results && requests_negotiations() == 1);
	/* an end of something else, or of the other source, is none */
	end(0, "home", "81", IPSEC_REQUEST_REASON_NONE, NULL);
	end(1, "home", "80", IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(!played.results);
	/* whoever needs the same waits for it too, another user as well */
	other = add(2, 80);
	source_answers(0, pick_port, "home");
	EXPECT(played.negotiations == 1 && requests_count() == 2);
	end(0, "home", "80", IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(played.results == 2 && !requests_count() && !requests_negotiations());
	EXPECT(played.result[0].id == id && !played.result[0].reason);
	EXPECT(last_result(other, IPSEC_REQUEST_REASON_NONE, ""));

	/* a refusal is passed on, with its words */
	id = add(1, 80);
	source_answers(0, pick_port, "home");
	end(0, "home", "80", IPSEC_REQUEST_REASON_REFUSED, "no");
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_REFUSED, "no"));

	/* told of twice, it is one */
	id = add(1, 80);
	twice->id = id;
	requests_add(twice);
	EXPECT(requests_count() == 1);
	/* who came after the source began to look waits for the next time */
	EXPECT(requests_ask(0));
	other = add(1, 81);
	requests_choose(0, pick_port, "home");
	EXPECT(requests_negotiations() == 1);
	EXPECT(requests_ask(0));
	requests_choose(0, pick_port, "home");
	EXPECT(requests_negotiations() == 2);
	EXPECT(!requests_ask(0));
	table_end();
}

static void test_table_sources(void)
{
	enum ipsec_request_reason no_sa = IPSEC_REQUEST_REASON_NO_SA;
	enum ipsec_request_reason method = IPSEC_REQUEST_REASON_METHOD;
	enum ipsec_request_reason identity = IPSEC_REQUEST_REASON_IDENTITY;
	uint64_t id;

	table_begin();
	/* the second has it */
	id = add(1, 80);
	source_answers(0, pick_none, &no_sa);
	EXPECT(played.asked[1] == 1 && !played.results);
	source_answers(1, pick_port, "other");
	EXPECT(played.negotiations == 1 && played.begun[0].source == 1);
	end(1, "other", "80", IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NONE, ""));
	/* nobody has: what came closest is the reason, whoever said it */
	id = add(1, 80);
	source_answers(0, pick_none, &no_sa);
	source_answers(1, pick_none, &no_sa);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA,
			   "TCP from 10.0.0.1 to 10.0.0.2 port 80"));
	id = add(1, 80);
	source_answers(0, pick_none, &method);
	source_answers(1, pick_none, &no_sa);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_METHOD, "authenticated otherwise"));
	id = add(1, 80);
	source_answers(0, pick_none, &no_sa);
	source_answers(1, pick_none, &identity);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_IDENTITY, "somebody else"));

	/* one is not there: at once, with both their reasons */
	played.absent[0] = "no charon";
	played.absent[1] = "no pluto";
	id = add(1, 80);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA, "no charon; no pluto"));
	played.absent[0] = "";
	id = add(1, 80);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA, ": no pluto"));
	played.absent[1] = "";
	id = add(1, 80);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA, "no keying daemon"));

	/* the daemon is lost: in the midst of a negotiation, or of looking */
	played.absent[0] = NULL;
	played.absent[1] = NULL;
	id = add(1, 80);
	source_answers(0, pick_port, "home");
	requests_lost(0, "charon is gone");
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA, "charon is gone"));
	EXPECT(!requests_negotiations() && !requests_count());
	id = add(1, 80);
	EXPECT(requests_ask(0));
	requests_lost(0, "charon is gone");
	EXPECT(requests_count() == 1);
	source_answers(1, pick_port, "other");
	EXPECT(played.begun[played.negotiations - 1].source == 1);
	requests_lost(1, "pluto is gone");
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA, "pluto is gone"));

	/* it fails before it has begun, for several that wait */
	played.at_once = true;
	add(1, 80);
	add(1, 80);
	add(1, 81);
	source_answers(0, pick_port, "home");
	EXPECT(!requests_count() && !requests_negotiations());

	/* nothing is to be negotiated */
	config.requests = false;
	id = add(1, 80);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_NO_SA, "not to negotiate"));
	table_end();
}

static void test_table_limits(void)
{
	size_t i, begun;
	uint64_t id = 0;

	table_begin();
	config.user_rate = 1000;
	/* at the same time: of a user, and of all */
	for (i = 0; i < 6; i++)
		add(1, 1 + i);
	source_answers(0, pick_port, "home");
	EXPECT(played.negotiations == config.user_negotiations && !played.results);
	for (i = 0; i < 6; i++)
		add(2, 101 + i);
	for (i = 0; i < 6; i++)
		add(3, 201 + i);
	source_answers(0, pick_port, "home");
	EXPECT(played.negotiations == config.negotiations && !played.results);
	/* when one ends another begins, of whoever has come first and may */
	end(0, "home", "101", IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(played.negotiations == config.negotiations + 1);
	EXPECT(!strcmp(played.begun[config.negotiations].target.part, "105"));
	end(0, "home", "1", IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(!strcmp(played.begun[config.negotiations + 1].target.part, "5"));
	/* all of them come to their turn in the end */
	for (i = 0; i < played.negotiations; i++)
		end(0, "home", played.begun[i].target.part, IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(played.negotiations == 18 && !requests_count());
	table_end();

	/* in a minute: of a user */
	table_begin();
	config.user_rate = 10;
	for (i = 0; i < 30; i++) {
		id = add(1, 1 + i);
		source_answers(0, pick_port, "home");
		end(0, "home", played.begun[played.negotiations - 1].target.part,
		    IPSEC_REQUEST_REASON_REFUSED, NULL);
	}
	EXPECT(played.negotiations == 10 && played.results == 30);
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_LIMIT, "lately"));
	/* and of all, whoever they say they are */
	for (i = 0; i < 1000; i++) {
		add(100 + i, 1000 + i);
		source_answers(0, pick_port, "home");
		begun = played.negotiations - 1;
		end(0, "home", played.begun[begun].target.part, IPSEC_REQUEST_REASON_NONE, NULL);
	}
	EXPECT(played.negotiations == 40 && played.results == 1030);
	table_end();

	/* that wait: of a user, and of all */
	table_begin();
	for (i = 0; i < REQUESTS_USER_MAX; i++)
		add(1, 1 + i);
	EXPECT(!played.results);
	id = add(1, 80);
	EXPECT(played.results == 1 && last_result(id, IPSEC_REQUEST_REASON_LIMIT, "too many"));
	for (i = 0; i < REQUESTS_MAX; i++)
		add(2 + i, 80);
	EXPECT(requests_count() == REQUESTS_MAX);
	EXPECT(played.results == 1 + REQUESTS_USER_MAX);
	/* the module is gone, and with it who has asked */
	requests_forget();
	EXPECT(!requests_count() && requests_deadline() == INT64_MAX);
	table_end();
}

static void test_table_time(void)
{
	struct request *late = request("10.0.0.1", "10.0.0.2", IPPROTO_UDP, 53);
	uint64_t id = late->id, other;

	table_begin();
	late->timeout_ms = 30;
	requests_add(late);
	other = add(1, 53);
	source_answers(0, pick_port, "home");
	requests_tick();
	EXPECT(!played.results);
	usleep(50000);
	requests_tick();
	EXPECT(played.results == 1 && last_result(id, IPSEC_REQUEST_REASON_TIMEOUT, "still"));
	/* it goes on: who asks again waits for the same */
	EXPECT(requests_negotiations() == 1 && requests_count() == 1);
	add(1, 53);
	source_answers(0, pick_port, "home");
	EXPECT(played.negotiations == 1);
	end(0, "home", "53", IPSEC_REQUEST_REASON_NONE, NULL);
	EXPECT(played.results == 3 && played.result[1].id == other);

	/* who has more time than the one that it was begun for tries again */
	late = request("10.0.0.1", "10.0.0.2", IPPROTO_UDP, 53);
	late->timeout_ms = 3000;
	id = late->id;
	requests_add(late);
	source_answers(0, pick_port, "home");
	EXPECT(played.timeout_ms > 2300 && played.timeout_ms <= 2500);
	late = request("10.0.0.1", "10.0.0.2", IPPROTO_UDP, 53);
	late->timeout_ms = 1000;
	requests_add(late);
	other = add(1, 53);
	source_answers(0, pick_port, "home");
	played.results = 0;
	EXPECT(played.negotiations == 2);
	usleep(2600000);
	end(0, "home", "53", IPSEC_REQUEST_REASON_TIMEOUT, "in time");
	EXPECT(played.results == 2 && played.result[0].id == id);
	EXPECT(last_result(id + 1, IPSEC_REQUEST_REASON_TIMEOUT, "in time"));
	EXPECT(played.negotiations == 3 && requests_count() == 1);
	EXPECT(played.timeout_ms > 50000);
	/* unless it was given up earlier than that */
	end(0, "home", "53", IPSEC_REQUEST_REASON_TIMEOUT, "early");
	EXPECT(last_result(other, IPSEC_REQUEST_REASON_TIMEOUT, "early"));

	/* a source that does not say anything */
	late = request("10.0.0.1", "10.0.0.2", IPPROTO_UDP, 53);
	late->timeout_ms = 10;
	id = late->id;
	requests_add(late);
	usleep(20000);
	requests_tick();
	EXPECT(last_result(id, IPSEC_REQUEST_REASON_TIMEOUT, "not begun"));
	/* its answer, when it comes, is for nobody */
	requests_choose(0, pick_port, "home");
	EXPECT(played.negotiations == 3);
	table_end();
}

/* --------------------------------------------------------------------- messages */

static struct nlattr *nest_begin(struct nlmsghdr *nlh)
{
	return mnl_attr_nest_start(nlh, IPSEC_A_REQUEST);
}

static struct request *parse(const struct nlattr *nest)
{
	return message_get_request(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest));
}

static void test_message(void)
{
	static const uint8_t peer[4] = { 10, 0, 0, 2 }, local[4] = { 10, 0, 0, 1 };
	uint64_t buf[512] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *nest = nest_begin(nlh), *who;
	struct request *r;

	/* in the order in which they may come last */
	mnl_attr_put(nlh, IPSEC_REQUEST_A_PEER, 4, peer);
	mnl_attr_put(nlh, IPSEC_REQUEST_A_LOCAL, 4, local);
	mnl_attr_put_u16(nlh, IPSEC_REQUEST_A_PEER_PORT, htons(80));
	mnl_attr_put_u16(nlh, IPSEC_REQUEST_A_LOCAL_PORT, htons(40000));
	mnl_attr_put_u8(nlh, IPSEC_REQUEST_A_PROTOCOL, IPPROTO_TCP);
	mnl_attr_put_u32(nlh, IPSEC_REQUEST_A_FLAGS, IPSEC_REQUEST_F_PRIVACY);
	mnl_attr_put_u32(nlh, IPSEC_REQUEST_A_METHODS, 1U << IPSEC_AUTH_EAP);
	mnl_attr_put_u32(nlh, IPSEC_REQUEST_A_TIMEOUT, 1234);
	mnl_attr_put_u64(nlh, IPSEC_REQUEST_A_ID, 77);
	who = mnl_attr_nest_start(nlh, IPSEC_REQUEST_A_IDENTITY);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, IKE_ID_FQDN);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_IKE_ID, "right.example.org");
	mnl_attr_nest_end(nlh, who);
	mnl_attr_put_u16(nlh, IPSEC_REQUEST_A_FAMILY, AF_INET);
	mnl_attr_nest_end(nlh, nest);
	r = parse(nest);
	EXPECT(r && r->id == 77 && r->peer_port == 80 && r->local_port == 40000);
	EXPECT(r && r->protocol == IPPROTO_TCP && r->flags == IPSEC_REQUEST_F_PRIVACY);
	EXPECT(r && r->methods == 1U << IPSEC_AUTH_EAP && r->timeout_ms == 1234);
	EXPECT(r && !memcmp(r->peer, peer, 4) && !memcmp(r->local, local, 4));
	EXPECT(r && !strcmp(r->who.id, "right.example.org") && r->who.id_type == IKE_ID_FQDN);
	/* whose it is was not told */
	EXPECT(r && r->uid == UINT32_MAX && !r->itoken_given);
	request_free(r);

	/* without an id, a peer, a family that is known, or with an address of another one */
	memset(buf, 0, sizeof(buf));
	nlh = mnl_nlmsg_put_header(buf);
	nest = nest_begin(nlh);
	mnl_attr_put_u16(nlh, IPSEC_REQUEST_A_FAMILY, AF_INET);
	mnl_attr_put_u8(nlh, IPSEC_REQUEST_A_PROTOCOL, IPPROTO_TCP);
	mnl_attr_put(nlh, IPSEC_REQUEST_A_PEER, 4, peer);
	mnl_attr_nest_end(nlh, nest);
	EXPECT(!parse(nest));
	mnl_attr_put_u64(nlh, IPSEC_REQUEST_A_ID, 1);
	mnl_attr_nest_end(nlh, nest);
	r = parse(nest);
	EXPECT(r);
	request_free(r);
	mnl_attr_put_u16(nlh, IPSEC_REQUEST_A_FAMILY, AF_INET6);
	mnl_attr_nest_end(nlh, nest);
	EXPECT(!parse(nest));
	mnl_attr_put_u16(nlh, IPSEC_REQUEST_A_FAMILY, AF_UNIX);
	mnl_attr_nest_end(nlh, nest);
	EXPECT(!parse(nest));
	EXPECT(!message_get_request(NULL, 0));
}

static void test_message_result(void)
{
	char text[IPSEC_REQUEST_MAX_TEXT + 64];
	uint64_t buf[512] = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	const struct nlattr *nest, *attr;
	const char *got = NULL;

	memset(text, 'x', sizeof(text));
	/* two bytes that stay together, over the end of what fits */
	memcpy(text + IPSEC_REQUEST_MAX_TEXT - 1, "\303\274", 2);
	text[sizeof(text) - 1] = '\0';
	message_put_result(nlh, 5, IPSEC_REQUEST_REASON_REFUSED, text);
	nest = mnl_nlmsg_get_payload(nlh);
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == IPSEC_REQUEST_A_ID)
			EXPECT(mnl_attr_get_u64(attr) == 5);
		if (mnl_attr_get_type(attr) == IPSEC_REQUEST_A_REASON)
			EXPECT(mnl_attr_get_u8(attr) == IPSEC_REQUEST_REASON_REFUSED);
		if (mnl_attr_get_type(attr) == IPSEC_REQUEST_A_TEXT)
			got = mnl_attr_get_str(attr);
	}
	EXPECT(got && strlen(got) == IPSEC_REQUEST_MAX_TEXT - 1);
	message_put_result(nlh, 5, IPSEC_REQUEST_REASON_NONE, NULL);
}

/* -------------------------------------------------------------------- selectors */

static bool covers(const char *text, const char *address, uint8_t protocol, uint16_t port)
{
	uint16_t family = strchr(address, ':') ? AF_INET6 : AF_INET;
	struct selector selector;
	uint8_t bytes[16] = { 0 };

	inet_pton(family, address, bytes);
	return selector_parse(text, &selector) &&
	       selector_covers(&selector, family, bytes, protocol, port);
}

static unsigned int width(const char *text)
{
	struct selector selector;

	EXPECT(selector_parse(text, &selector));
	return selector_width(&selector);
}

static void test_selectors(void)
{
	static const char *const bad[] = {
		"", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/x", "10.0.0.1/-1", "fd00::/129",
		"10.0.0.2..10.0.0.1", "10.0.0.1..fd00::1", "10.0.0.1[tcp", "10.0.0.1[none-such]",
		"10.0.0.1[tcp/no-such-service]", "10.0.0.1[tcp/70000]", "10.0.0.1[tcp/9-1]",
		"10.0.0.1[tcp/OPAQUE]", "10.0.0.1[256]", "dynamic ", "%any",
	};
	struct selector selector;
	size_t i;

	EXPECT(covers("dynamic", "10.0.0.1", IPPROTO_TCP, 80));
	EXPECT(covers("dynamic", "fd00::1", IPPROTO_TCP, 80));
	EXPECT(covers("10.0.0.1/32", "10.0.0.1", IPPROTO_TCP, 80));
	EXPECT(!covers("10.0.0.1/32", "10.0.0.2", IPPROTO_TCP, 80));
	EXPECT(covers("10.0.0.0/25", "10.0.0.127", IPPROTO_TCP, 80));
	EXPECT(!covers("10.0.0.0/25", "10.0.0.128", IPPROTO_TCP, 80));
	EXPECT(covers("0.0.0.0/0", "10.0.0.128", IPPROTO_TCP, 80));
	EXPECT(!covers("0.0.0.0/0", "fd00::1", IPPROTO_TCP, 80));
	EXPECT(covers("fd00::/64", "fd00::1", IPPROTO_TCP, 80));
	EXPECT(!covers("fd00::/64", "fd00:0:0:1::1", IPPROTO_TCP, 80));
	EXPECT(covers("10.0.0.5..10.0.0.7", "10.0.0.7", IPPROTO_TCP, 80));
	EXPECT(covers("10.0.0.5-10.0.0.7", "10.0.0.5", IPPROTO_TCP, 80));
	EXPECT(!covers("10.0.0.5..10.0.0.7", "10.0.0.8", IPPROTO_TCP, 80));
	EXPECT(covers("dynamic[tcp]", "10.0.0.1", IPPROTO_TCP, 80));
	EXPECT(!covers("dynamic[tcp]", "10.0.0.1", IPPROTO_UDP, 80));
	EXPECT(covers("dynamic[17]", "10.0.0.1", IPPROTO_UDP, 80));
	EXPECT(covers("dynamic[tcp/http]", "10.0.0.1", IPPROTO_TCP, 80));
	EXPECT(!covers("dynamic[tcp/http]", "10.0.0.1", IPPROTO_TCP, 81));
	EXPECT(covers("dynamic[tcp/1024-65535]", "10.0.0.1", IPPROTO_TCP, 1024));
	EXPECT(!covers("dynamic[tcp/1024-65535]", "10.0.0.1", IPPROTO_TCP, 1023));
	/* one that is not known yet may be any */
	EXPECT(!covers("dynamic[tcp/1024-65535]", "10.0.0.1", IPPROTO_TCP, 0));
	EXPECT(covers("dynamic[tcp]", "10.0.0.1", IPPROTO_TCP, 0));
	/* what is not understood covers nothing */
	for (i = 0; i < COUNT(bad); i++)
		if (selector_parse(bad[i], &selector)) {
			printf("# %s\n", bad[i]);
			failures++;
		}

	EXPECT(width("10.0.0.1/32[tcp/80]") == 0);
	EXPECT(width("10.0.0.1/32[tcp/80]") < width("10.0.0.1/32[tcp]"));
	EXPECT(width("10.0.0.1/32[tcp]") < width("10.0.0.1/32"));
	EXPECT(width("10.0.0.1/32") < width("10.0.0.0/24"));
	EXPECT(width("10.0.0.0/24") - width("10.0.0.1/32") == 8);
	EXPECT(width("10.0.0.5..10.0.0.7") < width("10.0.0.0/24"));
	EXPECT(width("10.0.0.0/24") < width("0.0.0.0/0"));
	EXPECT(width("dynamic") == width("fd00::1/128"));
}

/* ------------------------------------------------------------------- identities */

static void test_fit(void)
{
	struct request *r = request("10.0.0.1", "10.0.0.2", IPPROTO_TCP, 80);

	EXPECT(request_fits_id(r, IKE_ID_FQDN, "right.example.org") == REQUEST_FIT_YES);
	r->who.id = xstrdup("right.example.org");
	r->who.id_type = IKE_ID_FQDN;
	EXPECT(request_fits_id(r, IKE_ID_FQDN, "Right.Example.org") == REQUEST_FIT_YES);
	EXPECT(request_fits_id(r, IKE_ID_FQDN, "left.example.org") == REQUEST_FIT_NO);
	EXPECT(request_fits_id(r, IKE_ID_FQDN, "*.example.org") == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_id(r, IKE_ID_ANY, "%any") == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_id(r, IKE_ID_ANY, NULL) == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_id(r, IKE_ID_DER_ASN1_DN, "CN=other") == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_id(r, IKE_ID_IPV4_ADDR, "10.0.0.2") == REQUEST_FIT_MAYBE);
	free(r->who.id);
	r->who.id = xstrdup("*.example.*");
	EXPECT(request_fits_id(r, IKE_ID_FQDN, "right.example.org") == REQUEST_FIT_YES);
	EXPECT(request_fits_id(r, IKE_ID_FQDN, "right.example") == REQUEST_FIT_NO);
	EXPECT(request_fits_id(r, IKE_ID_FQDN, "*.example.org") == REQUEST_FIT_YES);
	request_free(r);

	EXPECT(request_fits_name(NULL, NULL) == REQUEST_FIT_YES);
	EXPECT(request_fits_name("CN=CA", NULL) == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_name("CN=CA", "CN=CA") == REQUEST_FIT_YES);
	EXPECT(request_fits_name("CN=CA,O=x,C=CH", "C=CH, O=x, CN=CA") == REQUEST_FIT_YES);
	EXPECT(request_fits_name("CN=CA,O=Pr\303\274fung\\, \\\"Test\\\",C=CH",
				 "C=CH, O=Pr??fung, \"Test\", CN=CA") == REQUEST_FIT_YES);
	EXPECT(request_fits_name("CN=CA,O=Pr\\C3\\BCfung,C=CH",
				 "C=CH, O=Pr??fung, CN=CA") == REQUEST_FIT_YES);
	EXPECT(request_fits_name("CN=CA,O=x,C=CH", "C=CH, O=y, CN=CA") == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_name("CN=*,C=CH", "C=CH, CN=CA") == REQUEST_FIT_YES);
	EXPECT(request_fits_name("*CN=CA", "C=CH, CN=CA") == REQUEST_FIT_YES);
	EXPECT(request_fits_name("", "CN=CA") == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_name("\\", "x") == REQUEST_FIT_MAYBE);
	EXPECT(request_fits_name("a,", "x") == REQUEST_FIT_MAYBE);
}

static const struct unit_test tests[] = {
	{ test_table, "requests wait for negotiations" },
	{ test_table_sources, "sources are asked one after the other" },
	{ test_table_limits, "limits" },
	{ test_table_time, "time" },
	{ test_message, "what the kernel says" },
	{ test_message_result, "what it is told" },
	{ test_selectors, "traffic selectors" },
	{ test_fit, "identities and names" },
};

int main(void)
{
	log_level_set(0);
	return unit_run(tests, COUNT(tests));
}
