// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request: what an application requires of whatever protects its packets, and
 * whether a context meets that.
 *
 * A request never asks for less than IPsec. What it does not name is not required.
 */
#include <linux/cred.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <net/xfrm.h>

#include "context.h"
#include "identity.h"
#include "netlink.h"
#include "netns.h"
#include "request.h"
#include "sa.h"

/* as long as TCP's first five attempts take */
#define TIMEOUT_DEFAULT	(30 * HZ)

#define ALL_FLAGS	(IPSEC_REQUEST_F_PRIVACY | IPSEC_REQUEST_F_INTEGRITY |		\
			 IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION |	\
			 IPSEC_REQUEST_F_END_TO_END | IPSEC_REQUEST_F_LOOPBACK)
#define ALL_METHODS	(GENMASK(IPSEC_AUTH_MAX, IPSEC_AUTH_NONE))

static struct netlink_range_validation timeout_range = {
	.min = 1,
	.max = IPSEC_REQUEST_MAX_TIMEOUT,
};

#define PATTERN_POLICY	{ .type = NLA_NUL_STRING, .len = IPSEC_IDENTITY_MAX_STRING }

static const struct nla_policy peer_policy[IPSEC_IDENTITY_A_MAX + 1] = {
	[IPSEC_IDENTITY_A_ITOKEN] = NLA_POLICY_EXACT_LEN(IPSEC_ITOKEN_SIZE),
	[IPSEC_IDENTITY_A_IKE_ID_TYPE] = { .type = NLA_U8 },
	[IPSEC_IDENTITY_A_IKE_ID] = PATTERN_POLICY,
	[IPSEC_IDENTITY_A_CA_DN] = PATTERN_POLICY,
	[IPSEC_IDENTITY_A_CERTIFICATE_DN] = PATTERN_POLICY,
	[IPSEC_IDENTITY_A_PUBKEY_ID] = PATTERN_POLICY,
};

const struct nla_policy ipsec_request_policy[IPSEC_REQUEST_A_REQUIRED + 1] = {
	[IPSEC_REQUEST_A_PAD] = { .type = NLA_REJECT },
	[IPSEC_REQUEST_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, ALL_FLAGS),
	[IPSEC_REQUEST_A_METHODS] = NLA_POLICY_MASK(NLA_U32, ALL_METHODS),
	[IPSEC_REQUEST_A_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &timeout_range),
	[IPSEC_REQUEST_A_IDENTITY] = NLA_POLICY_NESTED(peer_policy),
};

static bool is_pattern(int type)
{
	return peer_policy[type].type == NLA_NUL_STRING;
}

static int peer_check(const struct nlattr *peer, struct netlink_ext_ack *extack)
{
	struct nlattr *attr;
	int rem, err;

	if (!nla_len(peer)) {
		NL_SET_ERR_MSG_ATTR(extack, peer, "an identity that says nothing");
		return -EINVAL;
	}
	err = ipsec_netlink_once_each(nla_data(peer), nla_len(peer), extack);
	if (err)
		return err;
	nla_for_each_nested(attr, peer, rem) {
		if (is_pattern(nla_type(attr)) && !*(const char *)nla_data(attr)) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "nothing is like an empty text");
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * ipsec_request_create - make a request of what an application says
 * @attributes: a stream of enum ipsec_request_attr, not validated
 * @size: its size
 * @extack: for a message, or NULL
 *
 * Context: process context, may sleep.
 * Return: the request with one reference, or an ERR_PTR: -EINVAL, -ENOMEM.
 */
struct ipsec_request *ipsec_request_create(const void *attributes, size_t size,
					   struct netlink_ext_ack *extack)
{
	struct nlattr *attrs[IPSEC_REQUEST_A_REQUIRED + 1];
	const u32 both = IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION;
	struct ipsec_request *request;
	u32 flags = 0, methods = 0;
	int err;

	if (size > IPSEC_REQUEST_MAX_SIZE) {
		NL_SET_ERR_MSG(extack, "the request is too large");
		return ERR_PTR(-EINVAL);
	}
	/* a message about an attribute says where it is in what came, not in the copy */
	err = nla_parse(attrs, IPSEC_REQUEST_A_REQUIRED, attributes, size, ipsec_request_policy,
			extack);
	if (!err)
		err = ipsec_netlink_once_each(attributes, size, extack);
	if (err)
		return ERR_PTR(-EINVAL);
	if (attrs[IPSEC_REQUEST_A_FLAGS])
		flags = nla_get_u32(attrs[IPSEC_REQUEST_A_FLAGS]);
	if ((flags & both) == both) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[IPSEC_REQUEST_A_FLAGS],
				    "compression is either required or must not be");
		return ERR_PTR(-EINVAL);
	}
	if (attrs[IPSEC_REQUEST_A_METHODS]) {
		methods = nla_get_u32(attrs[IPSEC_REQUEST_A_METHODS]);
		if (!methods) {
			NL_SET_ERR_MSG_ATTR(extack, attrs[IPSEC_REQUEST_A_METHODS],
					    "no method would do");
			return ERR_PTR(-EINVAL);
		}
	}
	if (attrs[IPSEC_REQUEST_A_IDENTITY]) {
		err = peer_check(attrs[IPSEC_REQUEST_A_IDENTITY], extack);
		if (err)
			return ERR_PTR(err);
	}

	request = kzalloc(struct_size(request, attributes, size), GFP_KERNEL_ACCOUNT);
	if (!request)
		return ERR_PTR(-ENOMEM);
	refcount_set(&request->refs, 1);
	request->size = size;
	memcpy(request->attributes, attributes, size);
	request->flags = flags;
	request->methods = methods;
	request->peer = nla_find((struct nlattr *)request->attributes, size,
				 IPSEC_REQUEST_A_IDENTITY);
	request->timeout = attrs[IPSEC_REQUEST_A_TIMEOUT] ?
		msecs_to_jiffies(nla_get_u32(attrs[IPSEC_REQUEST_A_TIMEOUT])) : TIMEOUT_DEFAULT;
	return request;
}

/**
 * ipsec_request_get - hold a request
 * @request: held already
 *
 * Return: the request.
 */
struct ipsec_request *ipsec_request_get(struct ipsec_request *request)
{
	refcount_inc(&request->refs);
	return request;
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
		kfree_rcu(request, rcu);
}

/**
 * ipsec_request_equal - do two requests require the same, in the same words
 * @a: request
 * @b: request
 *
 * Return: whether they do.
 */
bool ipsec_request_equal(const struct ipsec_request *a, const struct ipsec_request *b)
{
	return a->size == b->size && !memcmp(a->attributes, b->attributes, a->size);
}

/* A * is any number of any characters; all others are what they are. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool attr_fits(const struct nlattr *wanted, const struct nlattr *is)
{
	if (!is)
		return false;
	if (is_pattern(nla_type(wanted)))
		return matches(nla_data(wanted), nla_data(is));
	return !nla_memcmp(wanted, nla_data(is), nla_len(is));
}

static bool peer_fits(const struct nlattr *peer, const struct ipsec_identity *identity)
{
	struct nlattr *attr;
	int rem;

	/* who is not authenticated is nobody, whatever name there is */
	if (identity->method == IPSEC_AUTH_NONE)
		return false;
	nla_for_each_nested(attr, peer, rem)
		if (!attr_fits(attr, nla_find((struct nlattr *)identity->attributes,
					      identity->size, nla_type(attr))))
			return false;
	return true;
}

static bool has_ipcomp(struct ipsec_net *in, const struct ipsec_sa_key *key,
		       enum ipsec_direction direction)
{
	struct xfrm_state *x = ipsec_sa_find_ipcomp(in->net, key, direction);

	if (x)
		xfrm_state_put(x);
	return x;
}

static bool compresses(struct ipsec_net *in, const struct ipsec_context *context)
{
	struct ipsec_sa sas[IPSEC_CONTEXT_MAX_SAS];
	u8 i, nr = ipsec_context_sas(in, context, sas);

	for (i = 0; i < nr; i++)
		if (has_ipcomp(in, &sas[i].key, IPSEC_DIRECTION_IN) ||
		    has_ipcomp(in, &sas[i].key, IPSEC_DIRECTION_OUT))
			return true;
	return READ_ONCE(context->compression);
}

/* Compression alone protects nothing, also where nothing in particular is required. */
static bool is_protection(const struct ipsec_context *context)
{
	return context->sa[0].key.proto != IPPROTO_COMP;
}

/**
 * ipsec_request_judge - does a context meet a request
 * @in: where
 * @request: the request
 * @context: found under RCU; NULL: in clear; or ERR_PTR
 * @open: set if it only is not known yet who the peer is
 *
 * Context: any but hard interrupts, under RCU; takes locks of xfrm.
 * Return: IPSEC_REQUEST_REASON_NONE if it does, else why not.
 */
enum ipsec_request_reason ipsec_request_judge(struct ipsec_net *in,
					      const struct ipsec_request *request,
					      struct ipsec_context *context, bool *open)
{
	const struct ipsec_identity *identity;
	struct ipsec_protection protection;
	bool compression;

	if (!context)
		return IPSEC_REQUEST_REASON_NO_SA;
	if (IS_ERR(context))
		return IPSEC_REQUEST_REASON_UNKNOWN;

	protection = ipsec_context_protects(context, READ_ONCE(in->trusted));
	if (!is_protection(context) ||
	    (request->flags & IPSEC_REQUEST_F_PRIVACY && !protection.privacy) ||
	    (request->flags & IPSEC_REQUEST_F_INTEGRITY && !protection.integrity) ||
	    (request->flags & IPSEC_REQUEST_F_END_TO_END && !context->end_to_end))
		return IPSEC_REQUEST_REASON_WEAKER;
	if (request->flags & (IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION)) {
		compression = compresses(in, context);
		if (compression != !!(request->flags & IPSEC_REQUEST_F_COMPRESSION))
			return IPSEC_REQUEST_REASON_WEAKER;
	}
	if (!request->methods && !request->peer)
		return IPSEC_REQUEST_REASON_NONE;

	/* it is set once, and lives as long as the context */
	identity = READ_ONCE(context->identity);
	if (!identity) {
		*open = true;
		return IPSEC_REQUEST_REASON_IDENTITY;
	}
	if (request->methods && !(request->methods & BIT(identity->method)))
		return IPSEC_REQUEST_REASON_METHOD;
	if (request->peer && !peer_fits(request->peer, identity))
		return IPSEC_REQUEST_REASON_IDENTITY;
	return IPSEC_REQUEST_REASON_NONE;
}

/**
 * ipsec_request_error - what an application is told that asks for nothing more
 * @reason: why a request is not met
 *
 * Return: a negative errno.
 */
int ipsec_request_error(enum ipsec_request_reason reason)
{
	static const int errors[IPSEC_REQUEST_REASON_MAX + 1] = {
		[IPSEC_REQUEST_REASON_NO_SA]	= ENOKEY,
		[IPSEC_REQUEST_REASON_REFUSED]	= EACCES,
		[IPSEC_REQUEST_REASON_IDENTITY]	= EKEYREJECTED,
		[IPSEC_REQUEST_REASON_METHOD]	= EKEYREJECTED,
		[IPSEC_REQUEST_REASON_TIMEOUT]	= ETIMEDOUT,
		[IPSEC_REQUEST_REASON_LIMIT]	= EDQUOT,
	};

	return -(errors[reason] ?: EPROTO);
}
