// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests with attributes in nests, of identities and of what is required: what is
 * wrong in a nest is refused as exactly as bad_netlink.c has it of the rest, and what
 * is as long as may be comes back as it was sent.
 */
#include "bad_netlink.h"

#include <linux/pfkeyv2.h>

#define LARGE_SIZE	32768	/* as long as anything that comes at a time */
#define MAX_ITEMS	12
#define STRING_MAX	(IPSEC_IDENTITY_MAX_STRING + 1)	/* with its end */
/* of the SA to it, as ipsec_up counts; htonl() is no constant */
#define LEFT_SPI	__builtin_bswap32(0x1002)
#define RIGHT_SPI	__builtin_bswap32(0x1001)
/* of one that is promised to a keying daemon, and protects nothing so far */
#define LARVAL_SPI	__builtin_bswap32(0x3001)
#define LARVAL		"bash -c '. selftests/lib.sh && $IP xfrm state allocspi " \
			"src 10.0.0.1 dst 10.0.0.2 proto esp mode transport " \
			"min 0x3001 max 0x3001'"

/* An attribute; the nests that it is in are the last ones of lesser depths before it. */
struct item {
	uint8_t depth;
	bool nest;
	uint16_t type;
	uint16_t length;
	const void *data;
};

#define NEST(depth, type)		{ depth, true, type }
#define IN_U8(depth, type, value)	{ depth, false, type, 1, &(const uint8_t){ value } }
#define IN_U32(depth, type, value)	{ depth, false, type, 4, &(const uint32_t){ value } }
#define IN_U64(depth, type, value)	{ depth, false, type, 8, &(const uint64_t){ value } }
#define IN_BYTES(depth, type, length)	{ depth, false, type, length, zeros }
/* so many bytes, the last of them 0; or none of them */
#define IN_TEXT(depth, type, length)	{ depth, false, type, length, text_end - (length) }
#define IN_ENDLESS(depth, type)		{ depth, false, type, 9, text }

static char text[STRING_MAX + 2];
#define text_end (text + sizeof(text))

static char binding[IPSEC_IDENTITY_MAX_BINDING + 1];
static const uint8_t to_left[] = { 10, 0, 0, 1 }, to_right[] = { 10, 0, 0, 2 };
static int cgroup;			/* of everybody's, a directory */

#define IDENTITY	NEST(0, IPSEC_A_IDENTITY)
#define ITOKEN(depth)	IN_BYTES(depth, IPSEC_IDENTITY_A_ITOKEN, IPSEC_ITOKEN_SIZE)
#define METHOD(method)	IN_U8(1, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_##method)
#define SOMEBODY	IDENTITY, ITOKEN(1), METHOD(PRESHAREDKEY)
#define SA		NEST(0, IPSEC_A_SA)
#define ESP		IN_U8(1, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP)
#define RIGHT		{ 1, false, IPSEC_SA_REF_A_DESTINATION, 4, to_right }
#define SPI(spi)	IN_U32(1, IPSEC_SA_REF_A_SPI, spi)
#define SA_IN		SA, ESP, RIGHT, SPI(RIGHT_SPI)
#define LOCAL		NEST(1, IPSEC_IDENTITY_A_LOCAL)
#define CGROUP		{ 0, false, IPSEC_A_CGROUP_FD, 4, &cgroup }
#define REQUEST		NEST(0, IPSEC_A_REQUEST)
#define PEER		NEST(1, IPSEC_REQUEST_A_IDENTITY)

#define BIND		IPSEC_CMD_IDENTITY_BIND
#define UNBIND		IPSEC_CMD_IDENTITY_UNBIND
#define GROUP		IPSEC_CMD_REQUEST_CGROUP
#define RESULT		IPSEC_CMD_REQUEST_RESULT

#define UNWANTED	"Unsupported attribute"
#define SIZE		"binary attribute size out of range"
#define BITS		"reserved bit set"
#define NOT_NESTED	"NLA_F_NESTED is missing"
#define TWICE		"an attribute comes twice"
#define NO_SA		"no such SA"

/* the last attribute of this type at this depth is the one to blame */
#define BLAME(depth, type)	{ depth, type }

static const struct refusal {
	const char *what;
	uint8_t cmd;
	struct item items[MAX_ITEMS];
	int error;
	const char *text;
	struct {
		uint8_t depth;
		uint16_t type;
	} blame;
	uint32_t missing;
} refusals[] = {
	{ "BIND: nothing", BIND, {}, EINVAL, .missing = IPSEC_A_IDENTITY },
	{ "BIND: no identity", BIND, { SA_IN }, EINVAL, .missing = IPSEC_A_IDENTITY },
	{ "BIND: no SA", BIND, { SOMEBODY }, EINVAL, .missing = IPSEC_A_SA },
	{ "BIND: an identity that is no nest", BIND, { IN_BYTES(0, IPSEC_A_IDENTITY, 8), SA_IN },
	  EINVAL, NOT_NESTED, BLAME(0, IPSEC_A_IDENTITY) },
	{ "BIND: an empty identity", BIND, { SA_IN, IDENTITY }, EINVAL,
	  "an identity takes iToken and method", BLAME(0, IPSEC_A_IDENTITY) },
	{ "BIND: no iToken", BIND, { SA_IN, IDENTITY, METHOD(PRESHAREDKEY) }, EINVAL,
	  "an identity takes iToken and method", BLAME(0, IPSEC_A_IDENTITY) },
	{ "BIND: no method", BIND, { SA_IN, IDENTITY, ITOKEN(1) }, EINVAL,
	  "an identity takes iToken and method", BLAME(0, IPSEC_A_IDENTITY) },
	{ "BIND: iToken of 31 bytes", BIND,
	  { SA_IN, IDENTITY, IN_BYTES(1, IPSEC_IDENTITY_A_ITOKEN, 31), METHOD(PRESHAREDKEY) },
	  ERANGE, SIZE, BLAME(1, IPSEC_IDENTITY_A_ITOKEN) },
	{ "BIND: iToken of 33 bytes", BIND,
	  { SA_IN, IDENTITY, IN_BYTES(1, IPSEC_IDENTITY_A_ITOKEN, 33), METHOD(PRESHAREDKEY) },
	  ERANGE, SIZE, BLAME(1, IPSEC_IDENTITY_A_ITOKEN) },
	{ "BIND: method 0", BIND,
	  { SA_IN, IDENTITY, ITOKEN(1), IN_U8(1, IPSEC_IDENTITY_A_METHOD, 0) }, ERANGE, RANGE,
	  BLAME(1, IPSEC_IDENTITY_A_METHOD) },
	{ "BIND: the method after the last", BIND,
	  { SA_IN, IDENTITY, ITOKEN(1), IN_U8(1, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_MAX + 1) },
	  ERANGE, RANGE, BLAME(1, IPSEC_IDENTITY_A_METHOD) },
	{ "BIND: method of 4 bytes", BIND,
	  { SA_IN, IDENTITY, ITOKEN(1), IN_U32(1, IPSEC_IDENTITY_A_METHOD, 1) }, EINVAL, LENGTH,
	  BLAME(1, IPSEC_IDENTITY_A_METHOD) },
	{ "BIND: two methods", BIND,
	  { SA_IN, SOMEBODY, METHOD(GROUPKEY) }, EINVAL, TWICE,
	  BLAME(1, IPSEC_IDENTITY_A_METHOD) },
	{ "BIND: lineage of 4 bytes", BIND,
	  { SA_IN, SOMEBODY, IN_U32(1, IPSEC_IDENTITY_A_LINEAGE, 1) }, EINVAL, LENGTH,
	  BLAME(1, IPSEC_IDENTITY_A_LINEAGE) },
	{ "BIND: padding", BIND, { SA_IN, SOMEBODY, IN_BYTES(1, IPSEC_IDENTITY_A_PAD, 0) }, EINVAL,
	  UNWANTED, BLAME(1, IPSEC_IDENTITY_A_PAD) },
	{ "BIND: an attribute that there is none of", BIND,
	  { SA_IN, SOMEBODY, IN_BYTES(1, IPSEC_IDENTITY_A_MAX + 1, 4) }, EINVAL, UNKNOWN,
	  BLAME(1, IPSEC_IDENTITY_A_MAX + 1) },
	{ "BIND: IKE id without end", BIND,
	  { SA_IN, SOMEBODY, IN_ENDLESS(1, IPSEC_IDENTITY_A_IKE_ID) }, EINVAL, FAILED,
	  BLAME(1, IPSEC_IDENTITY_A_IKE_ID) },
	{ "BIND: channel binding too long", BIND,
	  { SA_IN, SOMEBODY,
	    { 1, false, IPSEC_IDENTITY_A_CHANNEL_BINDING, sizeof(binding), binding } }, ERANGE,
	  FAILED, BLAME(1, IPSEC_IDENTITY_A_CHANNEL_BINDING) },

	{ "BIND: local: no nest", BIND,
	  { SA_IN, SOMEBODY, IN_BYTES(1, IPSEC_IDENTITY_A_LOCAL, 8) }, EINVAL, NOT_NESTED,
	  BLAME(1, IPSEC_IDENTITY_A_LOCAL) },
	{ "BIND: local: iToken of 31 bytes", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_BYTES(2, IPSEC_IDENTITY_A_ITOKEN, 31) }, ERANGE, SIZE,
	  BLAME(2, IPSEC_IDENTITY_A_ITOKEN) },
	{ "BIND: local: two iTokens", BIND,
	  { SA_IN, SOMEBODY, LOCAL, ITOKEN(2), ITOKEN(2) }, EINVAL, TWICE,
	  BLAME(2, IPSEC_IDENTITY_A_ITOKEN) },
	{ "BIND: local: two names", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 3),
	    IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 2) }, EINVAL, TWICE,
	  BLAME(2, IPSEC_IDENTITY_A_IKE_ID) },
	{ "BIND: local: a local one in it", BIND,
	  { SA_IN, SOMEBODY, LOCAL, NEST(2, IPSEC_IDENTITY_A_LOCAL) }, EINVAL, UNWANTED,
	  BLAME(2, IPSEC_IDENTITY_A_LOCAL) },
	{ "BIND: local: lineage", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_U64(2, IPSEC_IDENTITY_A_LINEAGE, 1) }, EINVAL, UNWANTED,
	  BLAME(2, IPSEC_IDENTITY_A_LINEAGE) },
	{ "BIND: local: channel binding", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_BYTES(2, IPSEC_IDENTITY_A_CHANNEL_BINDING, 4) }, EINVAL,
	  UNWANTED, BLAME(2, IPSEC_IDENTITY_A_CHANNEL_BINDING) },
	{ "BIND: local: policy name", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_TEXT(2, IPSEC_IDENTITY_A_POLICY_NAME, 2) }, EINVAL,
	  UNWANTED, BLAME(2, IPSEC_IDENTITY_A_POLICY_NAME) },
	{ "BIND: local: source", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_TEXT(2, IPSEC_IDENTITY_A_SOURCE, 2) }, EINVAL,
	  UNWANTED, BLAME(2, IPSEC_IDENTITY_A_SOURCE) },

	{ "BIND: an SA that is no nest", BIND, { SOMEBODY, IN_BYTES(0, IPSEC_A_SA, 8) }, EINVAL,
	  NOT_NESTED, BLAME(0, IPSEC_A_SA) },
	{ "BIND: an empty SA", BIND, { SOMEBODY, SA }, EINVAL,
	  "an SA takes type, destination and SPI", BLAME(0, IPSEC_A_SA) },
	{ "BIND: no type of SA", BIND, { SOMEBODY, SA, RIGHT, SPI(RIGHT_SPI) }, EINVAL,
	  "an SA takes type, destination and SPI", BLAME(0, IPSEC_A_SA) },
	{ "BIND: no destination", BIND, { SOMEBODY, SA, ESP, SPI(RIGHT_SPI) }, EINVAL,
	  "an SA takes type, destination and SPI", BLAME(0, IPSEC_A_SA) },
	{ "BIND: no SPI", BIND, { SOMEBODY, SA, ESP, RIGHT }, EINVAL,
	  "an SA takes type, destination and SPI", BLAME(0, IPSEC_A_SA) },
	{ "BIND: IPComp", BIND,
	  { SOMEBODY, SA, IN_U8(1, IPSEC_SA_REF_A_SATYPE, SADB_X_SATYPE_IPCOMP), RIGHT,
	    SPI(RIGHT_SPI) }, ERANGE, RANGE, BLAME(1, IPSEC_SA_REF_A_SATYPE) },
	{ "BIND: destination of 5 bytes", BIND,
	  { SOMEBODY, SA, ESP, IN_BYTES(1, IPSEC_SA_REF_A_DESTINATION, 5), SPI(RIGHT_SPI) },
	  EINVAL, "an address has 4 or 16 bytes", BLAME(1, IPSEC_SA_REF_A_DESTINATION) },
	{ "BIND: destination of no bytes", BIND,
	  { SOMEBODY, SA, ESP, IN_BYTES(1, IPSEC_SA_REF_A_DESTINATION, 0), SPI(RIGHT_SPI) },
	  EINVAL, "an address has 4 or 16 bytes", BLAME(1, IPSEC_SA_REF_A_DESTINATION) },
	{ "BIND: destination of 17 bytes", BIND,
	  { SOMEBODY, SA, ESP, IN_BYTES(1, IPSEC_SA_REF_A_DESTINATION, 17), SPI(RIGHT_SPI) },
	  ERANGE, FAILED, BLAME(1, IPSEC_SA_REF_A_DESTINATION) },
	{ "BIND: SPI of 2 bytes", BIND,
	  { SOMEBODY, SA, ESP, RIGHT, IN_BYTES(1, IPSEC_SA_REF_A_SPI, 2) }, EINVAL, LENGTH,
	  BLAME(1, IPSEC_SA_REF_A_SPI) },
	{ "BIND: AH instead of ESP", BIND,
	  { SOMEBODY, SA, IN_U8(1, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_AH), RIGHT,
	    SPI(RIGHT_SPI) }, ENOENT, NO_SA, BLAME(0, IPSEC_A_SA) },
	{ "BIND: SPI of the other way", BIND, { SOMEBODY, SA, ESP, RIGHT, SPI(LEFT_SPI) }, ENOENT,
	  NO_SA, BLAME(0, IPSEC_A_SA) },
	{ "BIND: an SA without keys", BIND, { SOMEBODY, SA, ESP, RIGHT, SPI(LARVAL_SPI) }, ENOENT,
	  NO_SA, BLAME(0, IPSEC_A_SA) },
	{ "BIND: a good SA, then a bad one", BIND,
	  { SOMEBODY, SA_IN, SA, ESP, RIGHT, SPI(LEFT_SPI) }, ENOENT, NO_SA,
	  BLAME(0, IPSEC_A_SA) },

	{ "UNBIND: nothing", UNBIND, {}, EINVAL, .missing = IPSEC_A_SA },
	{ "UNBIND: an identity", UNBIND, { SOMEBODY, SA_IN }, EINVAL, NO_NEST,
	  BLAME(0, IPSEC_A_IDENTITY) },
	{ "UNBIND: an SA that there is none of", UNBIND, { SA, ESP, RIGHT, SPI(LEFT_SPI) }, ENOENT,
	  NO_SA, BLAME(0, IPSEC_A_SA) },
	{ "UNBIND: an SA without identity", UNBIND, { SA_IN }, ENOENT, "an SA has no identity" },

	{ "GROUP: nothing", GROUP, {}, EINVAL, .missing = IPSEC_A_CGROUP_FD },
	{ "GROUP: no group", GROUP, { REQUEST }, EINVAL, .missing = IPSEC_A_CGROUP_FD },
	{ "GROUP: no request", GROUP, { CGROUP }, EINVAL, .missing = IPSEC_A_REQUEST },
	{ "GROUP: a request that is no nest", GROUP, { CGROUP, IN_BYTES(0, IPSEC_A_REQUEST, 8) },
	  EINVAL, NOT_NESTED, BLAME(0, IPSEC_A_REQUEST) },
	{ "GROUP: no descriptor", GROUP, { IN_U32(0, IPSEC_A_CGROUP_FD, -1U), REQUEST }, EBADF,
	  "not a directory of a control group (version 2)" },
	{ "GROUP: another directory", GROUP, { CGROUP, REQUEST }, EBADF,
	  "not a directory of a control group (version 2)" },
	{ "GROUP: too large", GROUP,
	  { CGROUP, REQUEST, { 1, false, IPSEC_REQUEST_A_TEXT, sizeof(binding), binding },
	    { 1, false, IPSEC_REQUEST_A_TEXT, sizeof(binding), binding } }, EINVAL,
	  "the request is too large" },
	{ "GROUP: a flag that is none", GROUP,
	  { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_FLAGS, 1U << 31) }, EINVAL, BITS,
	  BLAME(1, IPSEC_REQUEST_A_FLAGS) },
	{ "GROUP: compression, and none", GROUP,
	  { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_FLAGS, IPSEC_REQUEST_F_COMPRESSION |
				    IPSEC_REQUEST_F_NO_COMPRESSION) }, EINVAL,
	  "compression is either required or must not be", BLAME(1, IPSEC_REQUEST_A_FLAGS) },
	{ "GROUP: no method", GROUP, { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_METHODS, 0) },
	  EINVAL, "no method would do", BLAME(1, IPSEC_REQUEST_A_METHODS) },
	{ "GROUP: method 0", GROUP, { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_METHODS, 1) },
	  EINVAL, BITS, BLAME(1, IPSEC_REQUEST_A_METHODS) },
	{ "GROUP: no time", GROUP, { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_TIMEOUT, 0) },
	  EINVAL, RANGE, BLAME(1, IPSEC_REQUEST_A_TIMEOUT) },
	{ "GROUP: too much time", GROUP,
	  { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_TIMEOUT, IPSEC_REQUEST_MAX_TIMEOUT + 1) },
	  EINVAL, RANGE, BLAME(1, IPSEC_REQUEST_A_TIMEOUT) },
	{ "GROUP: twice", GROUP,
	  { CGROUP, REQUEST, IN_U32(1, IPSEC_REQUEST_A_FLAGS, IPSEC_REQUEST_F_PRIVACY),
	    IN_U32(1, IPSEC_REQUEST_A_FLAGS, IPSEC_REQUEST_F_INTEGRITY) }, EINVAL, TWICE,
	  BLAME(1, IPSEC_REQUEST_A_FLAGS) },
	{ "GROUP: an id, as a negotiation has", GROUP,
	  { CGROUP, REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, 1) }, EINVAL, UNKNOWN,
	  BLAME(1, IPSEC_REQUEST_A_ID) },
	{ "GROUP: peer: nothing", GROUP, { CGROUP, REQUEST, PEER }, EINVAL,
	  "an identity that says nothing", BLAME(1, IPSEC_REQUEST_A_IDENTITY) },
	{ "GROUP: peer: an empty name", GROUP,
	  { CGROUP, REQUEST, PEER, IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 1) }, EINVAL,
	  "nothing is like an empty text", BLAME(2, IPSEC_IDENTITY_A_IKE_ID) },
	{ "GROUP: peer: two names", GROUP,
	  { CGROUP, REQUEST, PEER, IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 3),
	    IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 2) }, EINVAL, TWICE,
	  BLAME(2, IPSEC_IDENTITY_A_IKE_ID) },
	{ "GROUP: peer: method", GROUP,
	  { CGROUP, REQUEST, PEER, IN_U8(2, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_EAP) }, EINVAL,
	  UNWANTED, BLAME(2, IPSEC_IDENTITY_A_METHOD) },
	{ "GROUP: peer: iToken of 33 bytes", GROUP,
	  { CGROUP, REQUEST, PEER, IN_BYTES(2, IPSEC_IDENTITY_A_ITOKEN, 33) }, EINVAL, SIZE,
	  BLAME(2, IPSEC_IDENTITY_A_ITOKEN) },
	{ "GROUP: peer: source", GROUP,
	  { CGROUP, REQUEST, PEER, IN_TEXT(2, IPSEC_IDENTITY_A_SOURCE, 2) }, EINVAL,
	  UNWANTED, BLAME(2, IPSEC_IDENTITY_A_SOURCE) },

	{ "RESULT: nothing", RESULT, {}, EINVAL, .missing = IPSEC_A_REQUEST },
	{ "RESULT: empty", RESULT, { REQUEST }, EINVAL, "a result takes id and reason",
	  BLAME(0, IPSEC_A_REQUEST) },
	{ "RESULT: no id", RESULT, { REQUEST, IN_U8(1, IPSEC_REQUEST_A_REASON, 0) }, EINVAL,
	  "a result takes id and reason", BLAME(0, IPSEC_A_REQUEST) },
	{ "RESULT: no reason", RESULT, { REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, 1) }, EINVAL,
	  "a result takes id and reason", BLAME(0, IPSEC_A_REQUEST) },
	{ "RESULT: the reason after the last", RESULT,
	  { REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, 1),
	    IN_U8(1, IPSEC_REQUEST_A_REASON, IPSEC_REQUEST_REASON_MAX + 1) }, ERANGE, RANGE,
	  BLAME(1, IPSEC_REQUEST_A_REASON) },
	{ "RESULT: text too long", RESULT,
	  { REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, 1), IN_U8(1, IPSEC_REQUEST_A_REASON, 0),
	    IN_TEXT(1, IPSEC_REQUEST_A_TEXT, IPSEC_REQUEST_MAX_TEXT + 2) }, EINVAL, FAILED,
	  BLAME(1, IPSEC_REQUEST_A_TEXT) },
	{ "RESULT: flags", RESULT,
	  { REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, 1), IN_U8(1, IPSEC_REQUEST_A_REASON, 0),
	    IN_U32(1, IPSEC_REQUEST_A_FLAGS, 1) }, EINVAL, UNWANTED,
	  BLAME(1, IPSEC_REQUEST_A_FLAGS) },
	{ "RESULT: of no negotiation", RESULT,
	  { REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, ~0ULL), IN_U8(1, IPSEC_REQUEST_A_REASON, 0) },
	  ENOENT, "nobody waits for such a negotiation any more",
	  BLAME(1, IPSEC_REQUEST_A_ID) },
};

/* Each nest grows by what is put into it. Returns the offset of the one to blame. */
static int put_items(struct nlmsghdr *nlh, const struct refusal *r)
{
	struct nlattr *nests[4] = {};
	const struct item *item;
	int depth, offset = 0;

	for (item = r->items; item < r->items + MAX_ITEMS && (item->nest || item->data); item++) {
		if (item->depth == r->blame.depth && item->type == r->blame.type && r->text)
			offset = nlh->nlmsg_len;
		if (item->nest)
			nests[item->depth] = mnl_attr_nest_start(nlh, item->type);
		else
			mnl_attr_put(nlh, item->type, item->length, item->data);
		for (depth = 0; depth < item->depth + item->nest; depth++)
			mnl_attr_nest_end(nlh, nests[depth]);
	}
	return offset;
}

static uint64_t large[LARGE_SIZE / sizeof(uint64_t)];

static void test_refusal(struct mnl_socket *nl, const struct refusal *r)
{
	struct nlmsghdr *nlh = request(large, r->cmd, 0);
	int offset = put_items(nlh, r);

	ask_raw(nl, nlh, nlh->nlmsg_len);
	expect(r->error, r->text, offset, r->missing);
	state_check(nl, 0);
	report(r->what);
}

/* ------------------------------------------------------------- what is accepted */

static struct nlattr *somebody_begin(struct nlmsghdr *nlh, uint8_t method)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);

	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, IPSEC_ITOKEN_SIZE, zeros);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, method);
	return nest;
}

static void sa_put(struct nlmsghdr *nlh, const uint8_t *to, uint32_t spi)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);

	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 4, to);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, spi);
	mnl_attr_nest_end(nlh, nest);
}

static int unbind(struct mnl_socket *nl, bool in, bool out)
{
	struct nlmsghdr *nlh = request(large, UNBIND, 0);

	if (in)
		sa_put(nlh, to_right, RIGHT_SPI);
	if (out)
		sa_put(nlh, to_left, LEFT_SPI);
	ask_raw(nl, nlh, nlh->nlmsg_len);
	return answer.error;
}

/* Binds the inbound SA, named @count times. */
static int bind_in(struct mnl_socket *nl, uint8_t method, unsigned int count)
{
	struct nlmsghdr *nlh = request(large, BIND, 0);

	mnl_attr_nest_end(nlh, somebody_begin(nlh, method));
	while (count--)
		sa_put(nlh, to_right, RIGHT_SPI);
	ask_raw(nl, nlh, nlh->nlmsg_len);
	return answer.error;
}

static const uint16_t strings[] = {
	IPSEC_IDENTITY_A_IKE_ID, IPSEC_IDENTITY_A_CA_DN, IPSEC_IDENTITY_A_CERTIFICATE_DN,
	IPSEC_IDENTITY_A_PUBKEY_ID, IPSEC_IDENTITY_A_AUDIT_STRING, IPSEC_IDENTITY_A_POLICY_NAME,
	IPSEC_IDENTITY_A_SOURCE,
};

#define LOCAL_STRINGS 5		/* of them */

/* One of them a byte too long, of this end or of the peer. */
static void test_string(struct mnl_socket *nl, uint16_t type, bool of_local)
{
	struct nlmsghdr *nlh = request(large, BIND, 0);
	struct nlattr *nest = somebody_begin(nlh, IPSEC_AUTH_PRESHAREDKEY), *local = NULL;
	char what[80];
	int offset;

	if (of_local)
		local = mnl_attr_nest_start(nlh, IPSEC_IDENTITY_A_LOCAL);
	offset = nlh->nlmsg_len;
	mnl_attr_put(nlh, type, STRING_MAX + 1, text_end - (STRING_MAX + 1));
	if (local)
		mnl_attr_nest_end(nlh, local);
	mnl_attr_nest_end(nlh, nest);
	sa_put(nlh, to_right, RIGHT_SPI);
	ask_raw(nl, nlh, nlh->nlmsg_len);
	expect(EINVAL, FAILED, offset, 0);
	state_check(nl, 0);
	snprintf(what, sizeof(what), "BIND: %sstring %u too long", of_local ? "local: " : "", type);
	report(what);
}

static void identity_check(const struct nlattr *sent, const char *where)
{
	if (answer.longest > LARGE_SIZE)
		complain("# %s: %d bytes at a time\n", where, answer.longest);
	if (answer.error)
		complain("# %s: %s %s\n", where, strerror(answer.error), answer.text);
	else if (!answer.identity)
		complain("# %s: no identity\n", where);
	else if (mnl_attr_get_payload_len(answer.identity) != mnl_attr_get_payload_len(sent) ||
		 memcmp(mnl_attr_get_payload(answer.identity), mnl_attr_get_payload(sent),
			mnl_attr_get_payload_len(sent)))
		complain("# %s: not as it was bound\n", where);
}

/* A dump. */
static void ask_anew(uint8_t cmd)
{
	struct mnl_socket *nl = netlink_open(NETLINK_GENERIC);

	ask(nl, cmd, DUMP, NULL, 0);
	mnl_socket_close(nl);
}

/* All attributes there are, none of which could be longer. */
static void test_longest(struct mnl_socket *nl)
{
	static uint64_t copy[LARGE_SIZE / sizeof(uint64_t)];
	struct nlmsghdr *nlh = request(copy, BIND, 0);
	struct nlattr *nest = somebody_begin(nlh, IPSEC_AUTH_PRESHAREDKEY), *local;
	const struct attr token = { IPSEC_A_PTOKEN, 8, &ptoken };
	unsigned int i;

	mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE, ~0ULL);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, 0xff);
	for (i = 0; i < ARRAY_SIZE(strings); i++)
		mnl_attr_put(nlh, strings[i], STRING_MAX, text_end - STRING_MAX);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_CHANNEL_BINDING, IPSEC_IDENTITY_MAX_BINDING, binding);
	local = mnl_attr_nest_start(nlh, IPSEC_IDENTITY_A_LOCAL);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, IPSEC_ITOKEN_SIZE, zeros);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_EAP);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, 0xff);
	for (i = 0; i < LOCAL_STRINGS; i++)
		mnl_attr_put(nlh, strings[i], STRING_MAX, text_end - STRING_MAX);
	mnl_attr_nest_end(nlh, local);
	mnl_attr_nest_end(nlh, nest);
	sa_put(nlh, to_right, RIGHT_SPI);
	sa_put(nlh, to_left, LEFT_SPI);
	ask_raw(nl, nlh, nlh->nlmsg_len);
	expect(0, NULL, 0, 0);

	ask(nl, IPSEC_CMD_IDENTITY_GET, DUMP, NULL, 0);
	identity_check(nest, "identities");
	if (answer.messages != 2)
		complain("# %u SAs have an identity\n", answer.messages);
	ask(nl, IPSEC_CMD_PTOKEN_GET, 0, &token, 1);
	identity_check(nest, "token");
	ask(nl, IPSEC_CMD_CONTEXT_GET, DUMP, NULL, 0);
	identity_check(nest, "contexts");
	/* to whom has received nothing yet a dump gives short messages */
	ask_anew(IPSEC_CMD_IDENTITY_GET);
	identity_check(nest, "identities, to a new socket");
	if (answer.messages != 2)
		complain("# %u SAs have an identity, to a new socket\n", answer.messages);
	ask_anew(IPSEC_CMD_CONTEXT_GET);
	identity_check(nest, "contexts, to a new socket");
	if (unbind(nl, true, true))
		complain("# unbind: %s\n", answer.text);
	state_read(nl, &before);
	report("BIND: as long as may be, and it comes back as it was sent");
}

/* A connection waits for SAs, with patterns as long as may be. */
static void test_long_request(struct mnl_socket *nl)
{
	static const uint16_t patterns[] = {
		IPSEC_IDENTITY_A_IKE_ID, IPSEC_IDENTITY_A_CA_DN,
		IPSEC_IDENTITY_A_CERTIFICATE_DN, IPSEC_IDENTITY_A_PUBKEY_ID,
	};
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct nlmsghdr *nlh = request(large, GROUP, 0);
	struct nlattr *peer = mnl_attr_nest_start(nlh, IPSEC_REQUEST_A_IDENTITY);
	struct mnl_socket *agent = netlink_open(NETLINK_GENERIC);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++)
		mnl_attr_put(nlh, patterns[i], STRING_MAX, text_end - STRING_MAX);
	mnl_attr_nest_end(nlh, peer);
	inet_pton(AF_INET, "10.0.0.77", &to.sin_addr);
	if (mnl_socket_setsockopt(agent, NETLINK_ADD_MEMBERSHIP, &group_events,
				  sizeof(group_events)) ||
	    setsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, peer,
		       (char *)mnl_nlmsg_get_payload_tail(nlh) - (char *)peer) ||
	    !connect(fd, (struct sockaddr *)&to, sizeof(to)) || errno != EINPROGRESS)
		complain("# no request: %s\n", strerror(errno));
	ask_anew(IPSEC_CMD_REQUEST_GET);
	if (answer.error || answer.messages != 1)
		complain("# %u negotiations: %s\n", answer.messages, strerror(answer.error));
	mnl_socket_close(agent);
	close(fd);
	state_read(nl, &before);
	report("REQUEST_GET: as long as may be, to a new socket");
}

static void test_conflicts(struct mnl_socket *nl)
{
	bind_in(nl, IPSEC_AUTH_PRESHAREDKEY, 17);
	if (answer.error != E2BIG || strcmp(answer.text, "too many SAs in one request") ||
	    !answer.offset)
		complain("# %s %s\n", strerror(answer.error), answer.text);
	state_check(nl, 0);
	report("BIND: 17 SAs");

	if (bind_in(nl, IPSEC_AUTH_PRESHAREDKEY, 16))
		complain("# %s %s\n", strerror(answer.error), answer.text);
	state_read(nl, &before);
	if (before.stats[IPSEC_STATS_A_BINDINGS] != 1)
		complain("# %llu bindings\n",
			 (unsigned long long)before.stats[IPSEC_STATS_A_BINDINGS]);
	report("BIND: an SA named 16 times");

	bind_in(nl, IPSEC_AUTH_GROUPKEY, 1);
	expect(EEXIST, "an SA is bound to another identity; unbind it first", 0, 0);
	state_check(nl, 0);
	report("BIND: to somebody else");

	unbind(nl, true, true);
	expect(ENOENT, "an SA has no identity", 0, 0);
	state_check(nl, 0);
	report("UNBIND: a bound SA and one that is not");

	if (unbind(nl, true, false))
		complain("# %s %s\n", strerror(answer.error), answer.text);
	state_read(nl, &before);
	if (before.stats[IPSEC_STATS_A_BINDINGS])
		complain("# a binding is left\n");
	report("UNBIND: a bound SA");
}

/* Cut short in every place, in nests as well. */
static void test_truncated(struct mnl_socket *nl, const struct refusal *good)
{
	struct nlmsghdr *nlh = request(large, good->cmd, 0);
	unsigned int full, length = nlh->nlmsg_len;

	put_items(nlh, good);
	full = nlh->nlmsg_len;
	for (; length < full; length++) {
		nlh->nlmsg_len = length;
		ask_raw(nl, nlh, length);
		if (answer.error != EINVAL || answer.messages)
			complain("# %u of %u bytes: error %d\n", length, full, answer.error);
	}
	state_check(nl, 0);
	report(good->what);
}

static const struct refusal whole[] = {
	{ "BIND: cut short", BIND,
	  { SA_IN, SOMEBODY, LOCAL, IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 4) } },
	{ "UNBIND: cut short", UNBIND, { SA_IN } },
	{ "GROUP: cut short", GROUP,
	  { CGROUP, REQUEST, PEER, IN_TEXT(2, IPSEC_IDENTITY_A_IKE_ID, 4) } },
	{ "RESULT: cut short", RESULT,
	  { REQUEST, IN_U64(1, IPSEC_REQUEST_A_ID, 1),
	    IN_TEXT(1, IPSEC_REQUEST_A_TEXT, 4), IN_U8(1, IPSEC_REQUEST_A_REASON, 0) } },
};

int main(void)
{
	struct mnl_socket *nl = set_up();
	unsigned int i;

	memset(text, 'a', sizeof(text) - 1);
	memset(binding, 0xa5, sizeof(binding));
	cgroup = open("/", O_RDONLY | O_DIRECTORY);
	connect_hosts(nl);
	if (system(LARVAL))
		ksft_exit_fail_msg("no larval SA\n");
	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(refusals) + ARRAY_SIZE(strings) + LOCAL_STRINGS +
		      ARRAY_SIZE(whole) + 7);
	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		test_refusal(nl, &refusals[i]);
	for (i = 0; i < ARRAY_SIZE(strings); i++)
		test_string(nl, strings[i], false);
	for (i = 0; i < LOCAL_STRINGS; i++)
		test_string(nl, strings[i], true);
	for (i = 0; i < ARRAY_SIZE(whole); i++)
		test_truncated(nl, &whole[i]);
	test_longest(nl);
	test_long_request(nl);
	test_conflicts(nl);
	ksft_finished();
}
