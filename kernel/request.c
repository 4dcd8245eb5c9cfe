// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is required: parsed once, and asked of every context that something
 * comes or goes under.
 *
 * A request only adds to what the system's policy demands. What it says of the
 * peer is compared with what an agent has told, and with nothing else.
 */
#include <linux/ipsec_token.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/netlink.h>
#include <net/xfrm.h>

#include "context.h"
#include "identity.h"
#include "netns.h"
#include "request.h"
#include "sa.h"

#define ALL_FLAGS (IPSEC_REQUEST_F_PRIVACY | IPSEC_REQUEST_F_INTEGRITY | \
		   IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION | \
		   IPSEC_REQUEST_F_END_TO_END | IPSEC_REQUEST_F_LOOPBACK)

/* For a negotiation, where the request does not tell. */
#define DEFAULT_TIMEOUT	(30 * HZ)

static const u8 pattern_attrs[IPSEC_REQUEST_PATTERNS] = {
	IPSEC_IDENTITY_A_IKE_ID,
	IPSEC_IDENTITY_A_CA_DN,
	IPSEC_IDENTITY_A_CERTIFICATE_DN,
	IPSEC_IDENTITY_A_PUBKEY_ID,
};

static struct netlink_range_validation timeout_range = {
	.min = 1,
	.max = IPSEC_REQUEST_MAX_TIMEOUT,
};

#define PATTERN_POLICY	{ .type = NLA_NUL_STRING, .len = IPSEC_IDENTITY_MAX_STRING }

static const struct nla_policy peer_policy[IPSEC_IDENTITY_A_PUBKEY_ID + 1] = {
	[IPSEC_IDENTITY_A_PAD] = { .type = NLA_REJECT },
	[IPSEC_IDENTITY_A_ITOKEN] = NLA_POLICY_EXACT_LEN(IPSEC_ITOKEN_SIZE),
	[IPSEC_IDENTITY_A_METHOD ... IPSEC_IDENTITY_A_LINEAGE] = { .type = NLA_REJECT },
	[IPSEC_IDENTITY_A_IKE_ID_TYPE] = { .type = NLA_U8 },
	[IPSEC_IDENTITY_A_IKE_ID] = PATTERN_POLICY,
	[IPSEC_IDENTITY_A_CA_DN] = PATTERN_POLICY,
	[IPSEC_IDENTITY_A_CERTIFICATE_DN] = PATTERN_POLICY,
	[IPSEC_IDENTITY_A_PUBKEY_ID] = PATTERN_POLICY,
};

static const struct nla_policy request_policy[IPSEC_REQUEST_A_IDENTITY + 1] = {
	[IPSEC_REQUEST_A_PAD] = { .type = NLA_REJECT },
	[IPSEC_REQUEST_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, ALL_FLAGS),
	[IPSEC_REQUEST_A_METHODS] = NLA_POLICY_MASK(NLA_U32, (BIT(IPSEC_AUTH_MAX + 1) - 2)),
	[IPSEC_REQUEST_A_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &timeout_range),
	[IPSEC_REQUEST_A_IDENTITY] = NLA_POLICY_NESTED(peer_policy),
};

/* What is kept is handed on as it came: say nothing twice. */
static int refuse_twice(const void *attributes, size_t size, struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	unsigned long seen = 0;
	int rem;

	nla_for_each_attr(attr, attributes, size, rem) {
		if (seen & BIT(nla_type(attr))) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "an attribute comes twice");
			return -EINVAL;
		}
		seen |= BIT(nla_type(attr));
	}
	return 0;
}

static int parse_peer(struct ipsec_request *request, const struct nlattr *nest,
		      struct netlink_ext_ack *extack)
{
	struct nlattr *attrs[IPSEC_IDENTITY_A_PUBKEY_ID + 1], *attr;
	unsigned int i;
	int err;

	err = nla_parse_nested(attrs, IPSEC_IDENTITY_A_PUBKEY_ID, nest, peer_policy, extack) ?:
	      refuse_twice(nla_data(nest), nla_len(nest), extack);
	if (err)
		return err;
	if (!nla_len(nest)) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "an identity that says nothing");
		return -EINVAL;
	}
	if (attrs[IPSEC_IDENTITY_A_ITOKEN])
		request->itoken = nla_data(attrs[IPSEC_IDENTITY_A_ITOKEN]);
	if (attrs[IPSEC_IDENTITY_A_IKE_ID_TYPE])
		request->id_type = nla_data(attrs[IPSEC_IDENTITY_A_IKE_ID_TYPE]);
	for (i = 0; i < IPSEC_REQUEST_PATTERNS; i++) {
		attr = attrs[pattern_attrs[i]];
		if (!attr)
			continue;
		request->patterns[i] = nla_data(attr);
		if (!*request->patterns[i]) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "an empty pattern");
			return -EINVAL;
		}
	}
	request->named = true;
	return 0;
}

static int parse(struct ipsec_request *request, struct netlink_ext_ack *extack)
{
	const u32 both = IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION;
	struct nlattr *attrs[IPSEC_REQUEST_A_IDENTITY + 1], *attr;
	int err;

	err = nla_parse(attrs, IPSEC_REQUEST_A_IDENTITY, (struct nlattr *)request->attributes,
			request->size, request_policy, extack) ?:
	      refuse_twice(request->attributes, request->size, extack);
	if (err)
		return err;

	attr = attrs[IPSEC_REQUEST_A_FLAGS];
	if (attr)
		request->flags = nla_get_u32(attr);
	if ((request->flags & both) == both) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "compression is required and excluded");
		return -EINVAL;
	}
	attr = attrs[IPSEC_REQUEST_A_METHODS];
	if (attr) {
		request->methods = nla_get_u32(attr);
		request->named = true;
		if (!request->methods) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "no method will do");
			return -EINVAL;
		}
	}
	attr = attrs[IPSEC_REQUEST_A_TIMEOUT];
	request->timeout = attr ? msecs_to_jiffies(nla_get_u32(attr)) : DEFAULT_TIMEOUT;
	attr = attrs[IPSEC_REQUEST_A_IDENTITY];
	return attr ? parse_peer(request, attr, extack) : 0;
}

/**
 * ipsec_request_create - make a request of what an application sent
 * @attributes: a stream of enum ipsec_request_attr, not validated yet
 * @size: its size
 * @extack: for a message, or NULL
 *
 * Context: process context, may sleep.
 * Return: the request with one reference; ERR_PTR(-EINVAL) or another error of the
 * parser's, ERR_PTR(-ENOMEM).
 */
struct ipsec_request *ipsec_request_create(const void *attributes, size_t size,
					   struct netlink_ext_ack *extack)
{
	struct ipsec_request *request;
	int err;

	if (size > IPSEC_REQUEST_MAX_SIZE) {
		NL_SET_ERR_MSG(extack, "the request is too long");
		return ERR_PTR(-EINVAL);
	}
	request = kvzalloc(struct_size(request, attributes, size), GFP_KERNEL_ACCOUNT);
	if (!request)
		return ERR_PTR(-ENOMEM);
	refcount_set(&request->refs, 1);
	request->size = size;
	memcpy(request->attributes, attributes, size);
	err = parse(request, extack);
	if (err) {
		kvfree(request);
		return ERR_PTR(err == -ERANGE || err == -EOPNOTSUPP ? -EINVAL : err);
	}
	return request;
}

/**
 * ipsec_request_get - hold a request
 * @request: held already, or found under RCU in a place that holds it
 *
 * Return: the request.
 */
struct ipsec_request *ipsec_request_get(struct ipsec_request *request)
{
	refcount_inc(&request->refs);
	return request;
}

static void request_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct ipsec_request, rcu));
}

/**
 * ipsec_request_put - let go of a request
 * @request: held, or NULL
 *
 * Context: any.
 */
void ipsec_request_put(struct ipsec_request *request)
{
	if (request && refcount_dec_and_test(&request->refs))
		call_rcu(&request->rcu, request_free_rcu);
}

/**
 * ipsec_request_equal - is the same required
 * @a: a request
 * @b: a request
 *
 * Return: whether it is, said in the same words.
 */
bool ipsec_request_equal(const struct ipsec_request *a, const struct ipsec_request *b)
{
	return a->size == b->size && !memcmp(a->attributes, b->attributes, a->size);
}

/* Is it what the pattern says, where a * stands for anything? */
static bool pattern_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static u8 judge_identity(const struct ipsec_request *request,
			 const struct ipsec_identity *identity)
{
	const struct nlattr *attr;
	unsigned int i;

	if (request->methods && !(request->methods & BIT(identity->method)))
		return IPSEC_REQUEST_REASON_METHOD;
	if (request->itoken && memcmp(request->itoken, identity->itoken, IPSEC_ITOKEN_SIZE))
		return IPSEC_REQUEST_REASON_IDENTITY;
	if (request->id_type) {
		attr = nla_find((struct nlattr *)identity->attributes, identity->size,
				IPSEC_IDENTITY_A_IKE_ID_TYPE);
		if (!attr || nla_get_u8(attr) != *request->id_type)
			return IPSEC_REQUEST_REASON_IDENTITY;
	}
	for (i = 0; i < IPSEC_REQUEST_PATTERNS; i++) {
		if (!request->patterns[i])
			continue;
		attr = nla_find((struct nlattr *)identity->attributes, identity->size,
				pattern_attrs[i]);
		if (!attr || !pattern_matches(request->patterns[i], nla_data(attr)))
			return IPSEC_REQUEST_REASON_IDENTITY;
	}
	return IPSEC_REQUEST_REASON_NONE;
}

/* Short packets are not compressed: it is the SA that tells, not the packet. */
static bool is_compressed(struct ipsec_net *in, const struct ipsec_context *context,
			  enum ipsec_direction direction)
{
	struct ipsec_sa sas[IPSEC_CONTEXT_MAX_SAS];
	struct xfrm_state *x;
	u8 i, nr;

	if (READ_ONCE(context->compression))
		return true;
	nr = ipsec_context_sas(in, context, sas);
	for (i = 0; i < nr; i++) {
		x = ipsec_sa_find_ipcomp(in->net, &sas[i].key, direction);
		if (x) {
			xfrm_state_put(x);
			return true;
		}
	}
	return false;
}

static bool protects(const struct ipsec_context *context)
{
	u8 i;

	for (i = 0; i < context->nr; i++)
		if (context->sa[i].key.proto != IPPROTO_COMP)
			return true;
	return false;
}

/**
 * ipsec_request_judge - does a context meet a request
 * @in: where
 * @request: the request
 * @context: found under RCU, under which something came or is about to leave;
 *	NULL: in clear; or ERR_PTR
 * @direction: which of the two
 *
 * Context: any but hard interrupts, under RCU.
 * Return: enum ipsec_request_reason, NONE if it does; or IPSEC_REQUEST_OPEN.
 */
u8 ipsec_request_judge(struct ipsec_net *in, const struct ipsec_request *request,
		       struct ipsec_context *context, enum ipsec_direction direction)
{
	const u32 compression = IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION;
	const struct ipsec_identity *identity;
	struct ipsec_protection protection;

	if (!context)
		return IPSEC_REQUEST_REASON_NO_SA;
	if (IS_ERR(context))
		return IPSEC_REQUEST_REASON_UNKNOWN;

	ipsec_context_protection(in, context, &protection);
	if (!protects(context) ||
	    (request->flags & IPSEC_REQUEST_F_PRIVACY && !protection.privacy) ||
	    (request->flags & IPSEC_REQUEST_F_INTEGRITY && !protection.integrity) ||
	    (request->flags & IPSEC_REQUEST_F_END_TO_END && !context->end_to_end))
		return IPSEC_REQUEST_REASON_WEAKER;
	if (request->flags & compression &&
	    is_compressed(in, context, direction) !=
	    !!(request->flags & IPSEC_REQUEST_F_COMPRESSION))
		return IPSEC_REQUEST_REASON_WEAKER;

	if (!request->named)
		return IPSEC_REQUEST_REASON_NONE;
	identity = READ_ONCE(context->identity);
	return identity ? judge_identity(request, identity) : IPSEC_REQUEST_OPEN;
}

/**
 * ipsec_request_errno - what an application gets for a reason
 * @reason: enum ipsec_request_reason
 *
 * Return: a positive errno.
 */
int ipsec_request_errno(u8 reason)
{
	switch (reason) {
	case IPSEC_REQUEST_REASON_NO_SA:
		return ENOKEY;
	case IPSEC_REQUEST_REASON_REFUSED:
		return EACCES;
	case IPSEC_REQUEST_REASON_IDENTITY:
	case IPSEC_REQUEST_REASON_METHOD:
		return EKEYREJECTED;
	case IPSEC_REQUEST_REASON_TIMEOUT:
		return ETIMEDOUT;
	case IPSEC_REQUEST_REASON_LIMIT:
		return EDQUOT;
	default:
		return EPROTO;
	}
}
