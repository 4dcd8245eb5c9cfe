// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink requests that must be refused because they are malformed, incomplete
 * or out of range. Each must fail with the very error, text and attribute given
 * here, change nothing, and leave the socket good for the next request.
 */
#include "bad_netlink.h"

#define LEFTOVER	"bytes leftover after parsing attributes"
#define FLAGS		"ambiguous or reserved bits set in nlmsg_flags"
#define NO_TOKEN	"no token of this process and namespace, or what it stood for is gone"

#define A64	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* The last attribute is the one to blame, where there is a text. */
static const struct refusal {
	const char *what;
	uint8_t cmd;
	uint16_t flags;
	struct attr attrs[2];
	int error;
	const char *text;
	uint32_t missing;
} refusals[] = {
	{ "PTOKEN_GET: nothing", IPSEC_CMD_PTOKEN_GET, 0, {}, EINVAL, NULL, IPSEC_A_PTOKEN },
	{ "PTOKEN_GET: empty token", IPSEC_CMD_PTOKEN_GET, 0,
	  { BYTES(IPSEC_A_PTOKEN, 0) }, EINVAL, LENGTH },
	{ "PTOKEN_GET: token of 4 bytes", IPSEC_CMD_PTOKEN_GET, 0,
	  { BYTES(IPSEC_A_PTOKEN, 4) }, EINVAL, LENGTH },
	{ "PTOKEN_GET: token of 7 bytes", IPSEC_CMD_PTOKEN_GET, 0,
	  { BYTES(IPSEC_A_PTOKEN, 7) }, EINVAL, LENGTH },
	{ "PTOKEN_GET: token of 9 bytes", IPSEC_CMD_PTOKEN_GET, 0,
	  { BYTES(IPSEC_A_PTOKEN, 9) }, EINVAL, LENGTH },
	{ "PTOKEN_GET: token of 100 bytes", IPSEC_CMD_PTOKEN_GET, 0,
	  { BYTES(IPSEC_A_PTOKEN, 100) }, EINVAL, LENGTH },
	{ "PTOKEN_GET: none", IPSEC_CMD_PTOKEN_GET, 0,
	  { U64(IPSEC_A_PTOKEN, IPSEC_PTOKEN_NONE) }, EINVAL, "a reserved value, not a token" },
	{ "PTOKEN_GET: unknown", IPSEC_CMD_PTOKEN_GET, 0,
	  { U64(IPSEC_A_PTOKEN, IPSEC_PTOKEN_UNKNOWN) }, EINVAL,
	  "a reserved value, not a token" },
	{ "PTOKEN_GET: guessed", IPSEC_CMD_PTOKEN_GET, 0,
	  { U64(IPSEC_A_PTOKEN, 1) }, ESTALE, NO_TOKEN },
	{ "PTOKEN_GET: good one, then guessed one", IPSEC_CMD_PTOKEN_GET, 0,
	  { { IPSEC_A_PTOKEN, 8, &ptoken }, U64(IPSEC_A_PTOKEN, 1ULL << 63) }, ESTALE,
	  NO_TOKEN },
	{ "PTOKEN_GET: as a nest", IPSEC_CMD_PTOKEN_GET, 0,
	  { BYTES(IPSEC_A_PTOKEN | NESTED, 8) }, EINVAL, NO_NEST },
	{ "PTOKEN_GET: dump", IPSEC_CMD_PTOKEN_GET, DUMP,
	  { { IPSEC_A_PTOKEN, 8, &ptoken } }, EOPNOTSUPP },

	{ "ALGORITHM_GET: not a dump", IPSEC_CMD_ALGORITHM_GET, 0, {}, EOPNOTSUPP },

	{ "ALGORITHM_SET: nothing", IPSEC_CMD_ALGORITHM_SET, 0, {}, EINVAL, NULL,
	  IPSEC_A_ALGORITHM_NAME },
	{ "ALGORITHM_SET: no name", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1) }, EINVAL, NULL, IPSEC_A_ALGORITHM_NAME },
	{ "ALGORITHM_SET: no trust", IPSEC_CMD_ALGORITHM_SET, 0,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "cbc(des)") }, EINVAL, NULL,
	  IPSEC_A_ALGORITHM_TRUSTED },
	{ "ALGORITHM_SET: name of no bytes", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1), BYTES(IPSEC_A_ALGORITHM_NAME, 0) }, EINVAL,
	  FAILED },
	{ "ALGORITHM_SET: empty name", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1), STRING(IPSEC_A_ALGORITHM_NAME, "") }, ENOENT,
	  "no such algorithm" },
	{ "ALGORITHM_SET: name without end", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1), { IPSEC_A_ALGORITHM_NAME, 8, "cbc(des)" } },
	  EINVAL, FAILED },
	{ "ALGORITHM_SET: longest name", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1), STRING(IPSEC_A_ALGORITHM_NAME, A63) }, ENOENT,
	  "no such algorithm" },
	{ "ALGORITHM_SET: longer name", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1), STRING(IPSEC_A_ALGORITHM_NAME, A64) }, EINVAL,
	  FAILED },
	{ "ALGORITHM_SET: name with a tail", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1), STRING(IPSEC_A_ALGORITHM_NAME, "cbc(des) ") },
	  ENOENT, "no such algorithm" },
	{ "ALGORITHM_SET: the name of those without", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1),
	    STRING(IPSEC_A_ALGORITHM_NAME, "unknown encryption") }, ENOENT,
	  "no such algorithm" },
	{ "ALGORITHM_SET: trust in no cipher", IPSEC_CMD_ALGORITHM_SET, 0,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "ecb(cipher_null)"),
	    U8(IPSEC_A_ALGORITHM_TRUSTED, 1) }, EINVAL,
	  "an algorithm that does nothing can't be trusted" },
	{ "ALGORITHM_SET: trust in no digest", IPSEC_CMD_ALGORITHM_SET, 0,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "digest_null"),
	    U8(IPSEC_A_ALGORITHM_TRUSTED, 1) }, EINVAL,
	  "an algorithm that does nothing can't be trusted" },
	{ "ALGORITHM_SET: more than trust", IPSEC_CMD_ALGORITHM_SET, 0,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "cbc(des)"), U8(IPSEC_A_ALGORITHM_TRUSTED, 2) },
	  ERANGE, RANGE },
	{ "ALGORITHM_SET: trust of no bytes", IPSEC_CMD_ALGORITHM_SET, 0,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "cbc(aes)"), BYTES(IPSEC_A_ALGORITHM_TRUSTED, 0) },
	  EINVAL, LENGTH },
	{ "ALGORITHM_SET: trust of 4 bytes", IPSEC_CMD_ALGORITHM_SET, 0,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "cbc(aes)"), BYTES(IPSEC_A_ALGORITHM_TRUSTED, 4) },
	  EINVAL, LENGTH },
	{ "ALGORITHM_SET: name as a nest", IPSEC_CMD_ALGORITHM_SET, 0,
	  { U8(IPSEC_A_ALGORITHM_TRUSTED, 1),
	    STRING(IPSEC_A_ALGORITHM_NAME | NESTED, "cbc(des)") }, EINVAL, NO_NEST },
	{ "ALGORITHM_SET: dump", IPSEC_CMD_ALGORITHM_SET, DUMP, {}, EOPNOTSUPP },

	{ "CONTEXT_GET: nothing", IPSEC_CMD_CONTEXT_GET, 0, {}, EINVAL, NULL,
	  IPSEC_A_CONTEXT_ID },
	{ "CONTEXT_GET: id of 4 bytes", IPSEC_CMD_CONTEXT_GET, 0,
	  { BYTES(IPSEC_A_CONTEXT_ID, 4) }, EINVAL, LENGTH },
	{ "CONTEXT_GET: id of 12 bytes", IPSEC_CMD_CONTEXT_GET, 0,
	  { BYTES(IPSEC_A_CONTEXT_ID, 12) }, EINVAL, LENGTH },
	{ "CONTEXT_GET: id 0", IPSEC_CMD_CONTEXT_GET, 0,
	  { U64(IPSEC_A_CONTEXT_ID, 0) }, ENOENT, "no such context" },
	{ "CONTEXT_GET: highest id", IPSEC_CMD_CONTEXT_GET, 0,
	  { U64(IPSEC_A_CONTEXT_ID, ~0ULL) }, ENOENT, "no such context" },
	{ "CONTEXT_GET: an id yet to come", IPSEC_CMD_CONTEXT_GET, 0,
	  { U64(IPSEC_A_CONTEXT_ID, 1 << 20) }, ENOENT, "no such context" },
	{ "CONTEXT_GET: a token", IPSEC_CMD_CONTEXT_GET, 0,
	  { { IPSEC_A_PTOKEN, 8, &ptoken } }, EINVAL, FAILED },

	{ "SOCKET_GET: not a dump", IPSEC_CMD_SOCKET_GET, 0, {}, EOPNOTSUPP },
	{ "CONFIG_GET: dump", IPSEC_CMD_CONFIG_GET, DUMP, {}, EOPNOTSUPP },
	{ "STATS_GET: dump", IPSEC_CMD_STATS_GET, DUMP, {}, EOPNOTSUPP },

	{ "CONFIG_SET: nothing", IPSEC_CMD_CONFIG_SET, 0, {}, EINVAL, NULL, IPSEC_A_LINGER },
	{ "CONFIG_SET: linger of no bytes", IPSEC_CMD_CONFIG_SET, 0,
	  { BYTES(IPSEC_A_LINGER, 0) }, EINVAL, LENGTH },
	{ "CONFIG_SET: linger of 3 bytes", IPSEC_CMD_CONFIG_SET, 0,
	  { BYTES(IPSEC_A_LINGER, 3) }, EINVAL, LENGTH },
	{ "CONFIG_SET: linger of 8 bytes", IPSEC_CMD_CONFIG_SET, 0,
	  { BYTES(IPSEC_A_LINGER, 8) }, EINVAL, LENGTH },
	{ "CONFIG_SET: a week and a second", IPSEC_CMD_CONFIG_SET, 0,
	  { U32(IPSEC_A_LINGER, 7 * 24 * 3600 + 1) }, ERANGE, RANGE },
	{ "CONFIG_SET: for ever", IPSEC_CMD_CONFIG_SET, 0,
	  { U32(IPSEC_A_LINGER, ~0U) }, ERANGE, RANGE },
	{ "CONFIG_SET: good linger, then a bad one", IPSEC_CMD_CONFIG_SET, 0,
	  { U32(IPSEC_A_LINGER, 77), U32(IPSEC_A_LINGER, ~0U) }, ERANGE, RANGE },
	{ "CONFIG_SET: latch mode 0", IPSEC_CMD_CONFIG_SET, 0,
	  { U8(IPSEC_A_LATCH_MODE, 0) }, ERANGE, RANGE },
	{ "CONFIG_SET: latch mode 4", IPSEC_CMD_CONFIG_SET, 0,
	  { U8(IPSEC_A_LATCH_MODE, IPSEC_LATCH_OFF + 1) }, ERANGE, RANGE },
	{ "CONFIG_SET: latch mode of 4 bytes", IPSEC_CMD_CONFIG_SET, 0,
	  { U32(IPSEC_A_LATCH_MODE, IPSEC_LATCH_OFF) }, EINVAL, LENGTH },
	{ "CONFIG_SET: good latch mode, bad linger", IPSEC_CMD_CONFIG_SET, 0,
	  { U8(IPSEC_A_LATCH_MODE, IPSEC_LATCH_OFF), U32(IPSEC_A_LINGER, ~0U) }, ERANGE, RANGE },
	{ "CONFIG_SET: dump", IPSEC_CMD_CONFIG_SET, DUMP, { U32(IPSEC_A_LINGER, 77) },
	  EOPNOTSUPP },

	{ "command 0", IPSEC_CMD_UNSPEC, 0, {}, EOPNOTSUPP },
	{ "command 0, dump", IPSEC_CMD_UNSPEC, DUMP, {}, EOPNOTSUPP },
	{ "an event for the kernel", IPSEC_CMD_CONTEXT_NEW_NTF, 0,
	  { { IPSEC_A_CONTEXT_ID, 8, &context_id } }, EOPNOTSUPP },
	{ "a dump of events", IPSEC_CMD_CONTEXT_DEL_NTF, DUMP, {}, EOPNOTSUPP },
	{ "a change for the kernel", IPSEC_CMD_CHANGED_NTF, 0, {}, EOPNOTSUPP },
	{ "the command after the last", __IPSEC_CMD_MAX, 0, {}, EOPNOTSUPP },
	{ "command 255", 255, 0, {}, EOPNOTSUPP },
	{ "command 255, dump", 255, DUMP, {}, EOPNOTSUPP },
};

static void test_refusals(struct mnl_socket *nl)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	const struct refusal *r;
	struct nlmsghdr *nlh;
	int offset;

	for (r = refusals; r < refusals + ARRAY_SIZE(refusals); r++) {
		nlh = request(buffer, r->cmd, r->flags);
		offset = put_attrs(nlh, r->attrs, ARRAY_SIZE(r->attrs));
		ask_raw(nl, nlh, nlh->nlmsg_len);
		expect(r->error, r->text, r->text ? offset : 0, r->missing);
		state_check(nl, r->error == ESTALE);
		report(r->what);
	}
}

static bool takes(const struct command *c, uint16_t type)
{
	return c->attrs[0].type == type || c->attrs[1].type == type;
}

/* Every attribute that a command does not take, before and after those it does. */
static void test_foreign(struct mnl_socket *nl, const struct command *c)
{
	static const uint16_t others[] = { 0, IPSEC_A_MAX + 1, 255, 256, 0x3fff };
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	unsigned int i, nested, last;
	struct nlmsghdr *nlh;
	const char *text;
	uint16_t type;
	int offset;
	char what[80];

	for (i = 0; i < IPSEC_A_MAX + ARRAY_SIZE(others); i++) {
		type = i < IPSEC_A_MAX ? i + 1 : others[i - IPSEC_A_MAX];
		if (takes(c, type) && type)
			continue;
		for (nested = 0; nested < 2; nested++) {
			for (last = 0; last < 2; last++) {
				nlh = request(buffer, c->cmd, c->flags);
				if (last)
					put_attrs(nlh, c->attrs, ARRAY_SIZE(c->attrs));
				offset = nlh->nlmsg_len;
				/* junk: attributes in it would have a length of 0 */
				mnl_attr_put(nlh, type | (nested ? NESTED : 0), 8, zeros);
				if (!last)
					put_attrs(nlh, c->attrs, ARRAY_SIZE(c->attrs));
				if (!type || type > c->policy)
					text = UNKNOWN;
				else
					text = nested ? NO_NEST : FAILED;
				/* a dump shares the policy of the other request */
				if (type == IPSEC_A_CONTEXT_ID && c->flags == DUMP &&
				    c->policy == IPSEC_A_CONTEXT_ID && !nested) {
					text = ANY_TEXT;
					offset = 0;
				}
				ask_raw(nl, nlh, nlh->nlmsg_len);
				expect(EINVAL, text, offset, 0);
				if (*wrong) {
					complain("# with attribute %u%s\n", type,
						 nested ? ", nested" : "");
					goto out;
				}
			}
		}
	}
out:
	state_check(nl, 0);
	snprintf(what, sizeof(what), "%s: attributes that it does not take", c->name);
	report(what);
}

/* ------------------------------------------------------------------ headers */

/* A good request that would change something, but for its header. */
static void test_header(struct mnl_socket *nl, const char *what, uint16_t flags, int reserved,
			const char *text)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = request(buffer, IPSEC_CMD_CONFIG_SET, flags);
	struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	genl->reserved = reserved;
	mnl_attr_put_u32(nlh, IPSEC_A_LINGER, 77);
	ask_raw(nl, nlh, nlh->nlmsg_len);
	expect(EINVAL, text, 0, 0);
	state_check(nl, 0);
	report(what);
}

/* The version is no part of the ABI: what there is was never different. */
static void test_version(struct mnl_socket *nl)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = request(buffer, IPSEC_CMD_CONFIG_GET, 0);
	struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	int version;

	for (version = 0; version < 256; version += 15) {
		genl->version = version;
		ask_raw(nl, nlh, nlh->nlmsg_len);
		if (answer.error || answer.messages != 1)
			complain("# version %d: %s\n", version, strerror(answer.error));
	}
	state_check(nl, 0);
	report("header: any version is the present one");
}

static void test_no_request(struct mnl_socket *nl)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = request(buffer, IPSEC_CMD_CONFIG_SET, 0);

	mnl_attr_put_u32(nlh, IPSEC_A_LINGER, 77);
	nlh->nlmsg_flags = 0;
	ask_raw(nl, nlh, nlh->nlmsg_len);
	if (answer.received)
		complain("# an answer\n");
	state_check(nl, 0);
	report("header: what is no request is not heard");
}

/* Cut short in every place. Netlink does not answer what has no header. */
static void test_truncated(struct mnl_socket *nl, const struct command *c)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = request(buffer, c->cmd, c->flags);
	unsigned int full, least, first, length, i;
	char what[80];

	least = nlh->nlmsg_len;
	first = least + MNL_ATTR_HDRLEN + MNL_ALIGN(c->attrs[0].length);
	put_attrs(nlh, c->attrs, ARRAY_SIZE(c->attrs));
	full = nlh->nlmsg_len;
	/* without the padding at its end it is complete */
	for (i = 0; i < ARRAY_SIZE(c->attrs) && c->attrs[i].data; i++)
		least = full - (-c->attrs[i].length & 3);

	for (length = 1; length < least; length++) {
		if (c->either && length == first)
			continue;
		/* as long as it says, and shorter */
		nlh->nlmsg_len = length;
		ask_raw(nl, nlh, length);
		if (length < NLMSG_HDRLEN ? answer.received :
		    answer.error != EINVAL || answer.messages)
			complain("# %u bytes: error %d, %u messages\n", length, answer.error,
				 answer.messages);
		nlh->nlmsg_len = full;
		ask_raw(nl, nlh, length);
		if (answer.received)
			complain("# %u of %u bytes: an answer\n", length, full);
	}
	/* longer than it says, which is what counts */
	nlh->nlmsg_len = NLMSG_HDRLEN;
	ask_raw(nl, nlh, full);
	if (answer.error != EINVAL || answer.messages)
		complain("# header only: error %d\n", answer.error);
	state_check(nl, 0);
	snprintf(what, sizeof(what), "%s: cut short", c->name);
	report(what);
}

static void test_attr_lengths(struct mnl_socket *nl)
{
	static const uint16_t lengths[] = { 0, 1, 3, 9, 16, 255, 65535 };
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh;
	struct nlattr *attr;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		nlh = request(buffer, IPSEC_CMD_CONFIG_SET, 0);
		attr = mnl_nlmsg_get_payload_tail(nlh);
		mnl_attr_put_u32(nlh, IPSEC_A_LINGER, 77);
		attr->nla_len = lengths[i];
		ask_raw(nl, nlh, nlh->nlmsg_len);
		expect(EINVAL, LEFTOVER, 0, 0);
	}
	for (i = 1; i < 4; i++) {
		nlh = request(buffer, IPSEC_CMD_CONFIG_SET, 0);
		mnl_attr_put_u32(nlh, IPSEC_A_LINGER, 77);
		memset(mnl_nlmsg_get_payload_tail(nlh), 0, 4);
		nlh->nlmsg_len += i;
		ask_raw(nl, nlh, nlh->nlmsg_len);
		expect(EINVAL, LEFTOVER, 0, 0);
	}
	state_check(nl, 0);
	report("attributes longer or shorter than the message");
}

static void test_two_in_one(struct mnl_socket *nl)
{
	char buffer[2 * REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *bad = request(buffer, IPSEC_CMD_CONTEXT_GET, 0);
	struct nlmsghdr *good = request(buffer + bad->nlmsg_len, IPSEC_CMD_CONFIG_GET, 0);

	ask_raw(nl, buffer, bad->nlmsg_len + good->nlmsg_len);
	if (answer.missing != IPSEC_A_CONTEXT_ID || answer.error || answer.messages != 1)
		complain("# error %d, %u messages\n", answer.error, answer.messages);
	state_check(nl, 0);
	report("a bad request does not stop the one behind it");
}

/* ---------------------------------------------------------------- mutations */

static uint32_t random_next(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state >> 8;
}

/* In a namespace of its own, where it may do what it hits upon. */
static int mutate(struct mnl_socket *nl)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	const struct command *c;
	struct nlmsghdr *nlh;
	unsigned int i, n;

	become_root_of(CLONE_NEWNET);
	nl = netlink_open(NETLINK_GENERIC);
	for (i = 0; i < 5000; i++) {
		c = &commands[random_next() % ARRAY_SIZE(commands)];
		memset(buffer, 0, sizeof(buffer));
		nlh = request(buffer, c->cmd, c->flags);
		put_attrs(nlh, c->attrs, ARRAY_SIZE(c->attrs));
		if (random_next() % 4 == 0)
			mnl_attr_put(nlh, random_next() % 16, random_next() % 32, zeros);
		for (n = 1 + random_next() % 3; n; n--)
			buffer[NLMSG_HDRLEN + random_next() % (nlh->nlmsg_len - NLMSG_HDRLEN)] =
				random_next();
		nlh->nlmsg_len -= random_next() % 2 ? random_next() % 4 : 0;
		ask_raw(nl, nlh, nlh->nlmsg_len);
		if (!answer.received)
			complain("# %u: no answer\n", i);
	}
	if (ask(nl, IPSEC_CMD_CONFIG_GET, 0, NULL, 0) || answer.messages != 1)
		complain("# the next request fails\n");
	return 0;
}

int main(void)
{
	struct mnl_socket *nl = set_up();
	unsigned int i;

	connect_hosts(nl);
	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(refusals) + 2 * ARRAY_SIZE(commands) + 11);
	test_refusals(nl);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		test_foreign(nl, &commands[i]);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		test_truncated(nl, &commands[i]);

	test_header(nl, "header: NLM_F_ROOT alone", NLM_F_ROOT, 0, FLAGS);
	test_header(nl, "header: NLM_F_MATCH alone", NLM_F_MATCH, 0, FLAGS);
	test_header(nl, "header: NLM_F_CREATE", NLM_F_CREATE, 0, FLAGS);
	test_header(nl, "header: NLM_F_MULTI", NLM_F_MULTI, 0, FLAGS);
	test_header(nl, "header: a flag that is none", 0x8000, 0, FLAGS);
	test_header(nl, "header: reserved field", 0, 1,
		    "genlmsghdr.reserved field is not 0");
	test_version(nl);
	test_no_request(nl);
	test_attr_lengths(nl);
	test_two_in_one(nl);
	in_child("5,000 mutated requests", mutate, nl);
	ksft_finished();
}
