// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic-netlink family: all that is parsed of netlink is parsed here.
 * describe.c writes what takes more than an attribute or two, event.c tells
 * those who listen.
 */
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/pfkeyv2.h>
#include <linux/rhashtable.h>
#include <net/genetlink.h>
#include <net/sock.h>
#include <net/xfrm.h>

#include "algorithm.h"
#include "context.h"
#include "describe.h"
#include "dump.h"
#include "event.h"
#include "handle.h"
#include "identity.h"
#include "negotiate.h"
#include "netlink.h"
#include "netns.h"
#include "reaper.h"
#include "request.h"
#include "request_cgroup.h"

static struct genl_family netlink_family;

static struct netlink_range_validation linger_range = {
	.max = 7 * 24 * 3600,
};

static const struct nla_policy none_policy[] = {
	[IPSEC_A_PAD] = { .type = NLA_REJECT },
};

static const struct nla_policy ptoken_policy[] = {
	[IPSEC_A_PAD] = { .type = NLA_REJECT },
	[IPSEC_A_PTOKEN] = { .type = NLA_U64 },
};

static const struct nla_policy context_policy[] = {
	[IPSEC_A_PAD] = { .type = NLA_REJECT },
	[IPSEC_A_PTOKEN] = { .type = NLA_REJECT },
	[IPSEC_A_CONTEXT_ID] = { .type = NLA_U64 },
};

static const struct nla_policy algorithm_policy[] = {
	[IPSEC_A_PAD ... IPSEC_A_ALGORITHM] = { .type = NLA_REJECT },
	[IPSEC_A_ALGORITHM_NAME] = { .type = NLA_NUL_STRING, .len = 63 },
	[IPSEC_A_ALGORITHM_TRUSTED] = NLA_POLICY_MAX(NLA_U8, 1),
};

static const struct nla_policy config_policy[] = {
	[IPSEC_A_PAD ... IPSEC_A_ALGORITHM_TRUSTED] = { .type = NLA_REJECT },
	[IPSEC_A_LINGER] = NLA_POLICY_FULL_RANGE(NLA_U32, &linger_range),
	[IPSEC_A_STATS ... IPSEC_A_SA] = { .type = NLA_REJECT },
	[IPSEC_A_LATCH_MODE] = NLA_POLICY_RANGE(NLA_U8, IPSEC_LATCH_ENFORCE, IPSEC_LATCH_OFF),
};

#define STRING_POLICY	{ .type = NLA_NUL_STRING, .len = IPSEC_IDENTITY_MAX_STRING }

/* of this end, in an identity */
static const struct nla_policy local_policy[IPSEC_IDENTITY_A_MAX + 1] = {
	[IPSEC_IDENTITY_A_ITOKEN] = NLA_POLICY_EXACT_LEN(IPSEC_ITOKEN_SIZE),
	[IPSEC_IDENTITY_A_METHOD] = NLA_POLICY_RANGE(NLA_U8, IPSEC_AUTH_NONE, IPSEC_AUTH_MAX),
	[IPSEC_IDENTITY_A_IKE_ID_TYPE] = { .type = NLA_U8 },
	[IPSEC_IDENTITY_A_IKE_ID] = STRING_POLICY,
	[IPSEC_IDENTITY_A_CA_DN] = STRING_POLICY,
	[IPSEC_IDENTITY_A_CERTIFICATE_DN] = STRING_POLICY,
	[IPSEC_IDENTITY_A_PUBKEY_ID] = STRING_POLICY,
	[IPSEC_IDENTITY_A_AUDIT_STRING] = STRING_POLICY,
};

static const struct nla_policy identity_policy[IPSEC_IDENTITY_A_MAX + 1] = {
	[IPSEC_IDENTITY_A_ITOKEN] = NLA_POLICY_EXACT_LEN(IPSEC_ITOKEN_SIZE),
	[IPSEC_IDENTITY_A_METHOD] = NLA_POLICY_RANGE(NLA_U8, IPSEC_AUTH_NONE, IPSEC_AUTH_MAX),
	[IPSEC_IDENTITY_A_LOCAL] = NLA_POLICY_NESTED(local_policy),
	[IPSEC_IDENTITY_A_LINEAGE] = { .type = NLA_U64 },
	[IPSEC_IDENTITY_A_IKE_ID_TYPE] = { .type = NLA_U8 },
	[IPSEC_IDENTITY_A_IKE_ID] = STRING_POLICY,
	[IPSEC_IDENTITY_A_CA_DN] = STRING_POLICY,
	[IPSEC_IDENTITY_A_CERTIFICATE_DN] = STRING_POLICY,
	[IPSEC_IDENTITY_A_PUBKEY_ID] = STRING_POLICY,
	[IPSEC_IDENTITY_A_CHANNEL_BINDING] = { .type = NLA_BINARY,
					       .len = IPSEC_IDENTITY_MAX_BINDING },
	[IPSEC_IDENTITY_A_AUDIT_STRING] = STRING_POLICY,
	[IPSEC_IDENTITY_A_POLICY_NAME] = STRING_POLICY,
	[IPSEC_IDENTITY_A_SOURCE] = STRING_POLICY,
};

static const struct nla_policy sa_ref_policy[IPSEC_SA_REF_A_MAX + 1] = {
	[IPSEC_SA_REF_A_SATYPE] = NLA_POLICY_RANGE(NLA_U8, SADB_SATYPE_AH, SADB_SATYPE_ESP),
	[IPSEC_SA_REF_A_DESTINATION] = { .type = NLA_BINARY, .len = 16 },
	[IPSEC_SA_REF_A_SPI] = { .type = NLA_U32 },
	[IPSEC_SA_REF_A_MARK] = { .type = NLA_U32 },
};

static const struct nla_policy bind_policy[] = {
	[IPSEC_A_PAD ... IPSEC_A_GENERATION] = { .type = NLA_REJECT },
	[IPSEC_A_IDENTITY] = NLA_POLICY_NESTED(identity_policy),
	[IPSEC_A_SA] = NLA_POLICY_NESTED(sa_ref_policy),
};

static const struct nla_policy unbind_policy[] = {
	[IPSEC_A_PAD ... IPSEC_A_IDENTITY] = { .type = NLA_REJECT },
	[IPSEC_A_SA] = NLA_POLICY_NESTED(sa_ref_policy),
};

static const struct nla_policy cgroup_policy[] = {
	[IPSEC_A_PAD ... IPSEC_A_LATCH_MODE] = { .type = NLA_REJECT },
	[IPSEC_A_REQUEST] = { .type = NLA_NESTED },	/* looked at by request.c */
	[IPSEC_A_CGROUP_FD] = { .type = NLA_S32 },
};

static const struct nla_policy result_request_policy[IPSEC_REQUEST_A_MAX + 1] = {
	[IPSEC_REQUEST_A_ID] = { .type = NLA_U64 },
	[IPSEC_REQUEST_A_REASON] = NLA_POLICY_MAX(NLA_U8, IPSEC_REQUEST_REASON_MAX),
	[IPSEC_REQUEST_A_TEXT] = { .type = NLA_NUL_STRING, .len = IPSEC_REQUEST_MAX_TEXT },
};

static const struct nla_policy result_policy[] = {
	[IPSEC_A_PAD ... IPSEC_A_LATCH_MODE] = { .type = NLA_REJECT },
	[IPSEC_A_REQUEST] = NLA_POLICY_NESTED(result_request_policy),
};

static struct sk_buff *reply_begin(struct genl_info *info, size_t size, void **header)
{
	struct sk_buff *reply = genlmsg_new(size, GFP_KERNEL);

	if (!reply)
		return NULL;
	*header = genlmsg_put_reply(reply, info, &netlink_family, 0, info->genlhdr->cmd);
	if (!*header) {
		nlmsg_free(reply);
		return NULL;
	}
	return reply;
}

static int reply_end(struct genl_info *info, struct sk_buff *reply, void *header, int err)
{
	if (err) {
		nlmsg_free(reply);
		return err;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);
}

/* Reply with a context: to an administrator, or to the holder of a token. */
static int context_reply(struct genl_info *info, unsigned long id, const u64 *ptoken)
{
	/* one page is enough for what has not got a long identity */
	static const size_t sizes[] = { NLMSG_GOODSIZE, IPSEC_DESCRIPTION_SIZE };
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct ipsec_context *context;
	struct sk_buff *reply;
	int err = -EMSGSIZE;
	unsigned int i;
	void *header;

	for (i = 0; i < ARRAY_SIZE(sizes) && err == -EMSGSIZE; i++) {
		reply = reply_begin(info, sizes[i], &header);
		if (!reply)
			return -ENOMEM;
		rcu_read_lock();
		context = ipsec_context_by_id(in, id);
		if (!context)
			err = -ENOENT;
		else if (ptoken)
			err = nla_put_u64_64bit(reply, IPSEC_A_PTOKEN, *ptoken, IPSEC_A_PAD) ?:
			      ipsec_describe_context(reply, in, context, false);
		else
			err = ipsec_describe_context(reply, in, context, true);
		rcu_read_unlock();
		err = reply_end(info, reply, header, err);
	}
	return err;
}

static int doit_ptoken_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct nlattr *attr = info->attrs[IPSEC_A_PTOKEN];
	unsigned long id;
	u64 ptoken;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_PTOKEN))
		return -EINVAL;
	ptoken = nla_get_u64(attr);
	if (ptoken == IPSEC_PTOKEN_NONE || ptoken == IPSEC_PTOKEN_UNKNOWN) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "a reserved value, not a token");
		return -EINVAL;
	}

	id = ipsec_handle_context_id(in, ptoken);
	err = context_reply(info, id, &ptoken);
	if (err == -ENOENT) {
		ipsec_count(in, IPSEC_COUNT_TOKENS_REFUSED);
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "no token of this process and namespace, or what it stood for is gone");
		err = -ESTALE;
	}
	return err;
}

static int doit_algorithm_set(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	bool trusted, changed;
	u8 index;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_ALGORITHM_NAME) ||
	    GENL_REQ_ATTR_CHECK(info, IPSEC_A_ALGORITHM_TRUSTED))
		return -EINVAL;
	index = ipsec_algorithm_find(nla_data(info->attrs[IPSEC_A_ALGORITHM_NAME]));
	if (index == IPSEC_ALGORITHM_NOT_USED) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[IPSEC_A_ALGORITHM_NAME],
				    "no such algorithm");
		return -ENOENT;
	}
	trusted = nla_get_u8(info->attrs[IPSEC_A_ALGORITHM_TRUSTED]);
	if (trusted && ipsec_algorithm(index)->null) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[IPSEC_A_ALGORITHM_TRUSTED],
				    "an algorithm that does nothing can't be trusted");
		return -EINVAL;
	}

	spin_lock_bh(&in->lock);
	changed = trusted != !!(in->trusted & BIT_ULL(index));
	if (changed)
		WRITE_ONCE(in->trusted, in->trusted ^ BIT_ULL(index));
	spin_unlock_bh(&in->lock);
	if (!changed)
		return 0;

	ipsec_event_algorithm(in, index);
	return 0;
}

static int doit_context_get(struct sk_buff *skb, struct genl_info *info)
{
	int err = -ENOENT;
	u64 id;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_CONTEXT_ID))
		return -EINVAL;
	id = nla_get_u64(info->attrs[IPSEC_A_CONTEXT_ID]);
	if (id == (unsigned long)id)
		err = context_reply(info, id, NULL);
	if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[IPSEC_A_CONTEXT_ID],
				    "no such context");
	return err;
}

/* SAs named in one request at most */
#define MAX_NAMED	16

static struct xfrm_state *sa_named(struct net *net, const struct nlattr *nest,
				   struct netlink_ext_ack *extack)
{
	struct nlattr *attrs[IPSEC_SA_REF_A_MAX + 1];
	xfrm_address_t destination = {};
	struct xfrm_state *x;
	u32 mark = 0;
	int length;

	if (nla_parse_nested(attrs, IPSEC_SA_REF_A_MAX, nest, sa_ref_policy, extack))
		return ERR_PTR(-EINVAL);
	if (!attrs[IPSEC_SA_REF_A_SATYPE] || !attrs[IPSEC_SA_REF_A_DESTINATION] ||
	    !attrs[IPSEC_SA_REF_A_SPI]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "an SA takes type, destination and SPI");
		return ERR_PTR(-EINVAL);
	}
	length = nla_len(attrs[IPSEC_SA_REF_A_DESTINATION]);
	if (length != 4 && length != 16) {
		NL_SET_ERR_MSG_ATTR(extack, attrs[IPSEC_SA_REF_A_DESTINATION],
				    "an address has 4 or 16 bytes");
		return ERR_PTR(-EINVAL);
	}
	memcpy(&destination, nla_data(attrs[IPSEC_SA_REF_A_DESTINATION]), length);
	if (attrs[IPSEC_SA_REF_A_MARK])
		mark = nla_get_u32(attrs[IPSEC_SA_REF_A_MARK]);

	x = xfrm_state_lookup(net, mark, &destination, nla_get_be32(attrs[IPSEC_SA_REF_A_SPI]),
			      nla_get_u8(attrs[IPSEC_SA_REF_A_SATYPE]) == SADB_SATYPE_ESP ?
			      IPPROTO_ESP : IPPROTO_AH, length == 4 ? AF_INET : AF_INET6);
	if (x && ipsec_sa_valid(x))
		return x;
	if (x)
		xfrm_state_put(x);
	NL_SET_ERR_MSG_ATTR(extack, nest, "no such SA");
	return ERR_PTR(-ENOENT);
}

static void sas_put(struct xfrm_state *const *x, unsigned int count)
{
	while (count)
		xfrm_state_put(x[--count]);
}

/* The SAs that a request names, each with a reference; how many. */
static int sas_named(struct genl_info *info, struct xfrm_state **x)
{
	unsigned int count = 0;
	struct nlattr *attr;
	int rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != IPSEC_A_SA)
			continue;
		if (count == MAX_NAMED) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "too many SAs in one request");
			sas_put(x, count);
			return -E2BIG;
		}
		x[count] = sa_named(genl_info_net(info), attr, info->extack);
		if (IS_ERR(x[count])) {
			int err = PTR_ERR(x[count]);

			sas_put(x, count);
			return err;
		}
		count++;
	}
	return count;
}

/**
 * ipsec_netlink_once_each - no attribute comes twice
 * @attributes: a stream of them, already validated by a policy of no more types than
 *	a long has bits
 * @size: its size
 * @extack: for a message, or NULL
 *
 * What is kept is handed on as it came. Of what is said twice one reader would take
 * the first and another the last, and it could have any size.
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int ipsec_netlink_once_each(const void *attributes, size_t size,
			    struct netlink_ext_ack *extack)
{
	unsigned long seen = 0;
	struct nlattr *attr;
	int rem;

	nla_for_each_attr(attr, (struct nlattr *)attributes, size, rem) {
		if (seen & BIT(nla_type(attr))) {
			NL_SET_ERR_MSG_ATTR(extack, attr, "an attribute comes twice");
			return -EINVAL;
		}
		seen |= BIT(nla_type(attr));
	}
	return 0;
}

static int identity_check(const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	struct nlattr *attrs[IPSEC_IDENTITY_A_MAX + 1];
	const struct nlattr *local;
	int err;

	if (nla_parse_nested(attrs, IPSEC_IDENTITY_A_MAX, nest, identity_policy, extack))
		return -EINVAL;
	if (!attrs[IPSEC_IDENTITY_A_ITOKEN] || !attrs[IPSEC_IDENTITY_A_METHOD]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "an identity takes iToken and method");
		return -EINVAL;
	}
	err = ipsec_netlink_once_each(nla_data(nest), nla_len(nest), extack);
	local = attrs[IPSEC_IDENTITY_A_LOCAL];
	if (!err && local)
		err = ipsec_netlink_once_each(nla_data(local), nla_len(local), extack);
	return err;
}

static int doit_identity_bind(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct ipsec_identity *identity;
	struct xfrm_state *x[MAX_NAMED];
	const struct nlattr *nest;
	int count, err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_IDENTITY) ||
	    GENL_REQ_ATTR_CHECK(info, IPSEC_A_SA))
		return -EINVAL;
	nest = info->attrs[IPSEC_A_IDENTITY];
	err = identity_check(nest, info->extack);
	if (err)
		return err;

	count = sas_named(info, x);
	if (count < 0)
		return count;
	err = -ENOMEM;
	identity = ipsec_identity_create(nla_data(nest), nla_len(nest));
	if (identity)
		err = ipsec_identity_bind(in, x, count, identity, info->extack);
	ipsec_identity_put(identity);
	sas_put(x, count);
	return err;
}

static int doit_identity_unbind(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct xfrm_state *x[MAX_NAMED];
	int count, err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_SA))
		return -EINVAL;
	count = sas_named(info, x);
	if (count < 0)
		return count;
	err = ipsec_identity_unbind(in, x, count, info->extack);
	sas_put(x, count);
	return err;
}

static int doit_config_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct sk_buff *reply;
	void *header;

	reply = reply_begin(info, NLMSG_DEFAULT_SIZE, &header);
	if (!reply)
		return -ENOMEM;
	return reply_end(info, reply, header, ipsec_describe_config(reply, in));
}

static int doit_config_set(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct nlattr *linger = info->attrs[IPSEC_A_LINGER];
	struct nlattr *latch_mode = info->attrs[IPSEC_A_LATCH_MODE];

	/* either of them would do, so the first is said to be missing */
	if (!latch_mode && GENL_REQ_ATTR_CHECK(info, IPSEC_A_LINGER))
		return -EINVAL;
	if (linger) {
		WRITE_ONCE(in->linger, nla_get_u32(linger));
		ipsec_reaper_soon(in);
	}
	if (latch_mode)
		WRITE_ONCE(in->latch_mode, nla_get_u8(latch_mode));
	ipsec_event_config(in);
	return 0;
}

static int doit_request_cgroup(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_request *request;
	const struct nlattr *nest;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_CGROUP_FD) ||
	    GENL_REQ_ATTR_CHECK(info, IPSEC_A_REQUEST))
		return -EINVAL;
	nest = info->attrs[IPSEC_A_REQUEST];
	request = ipsec_request_create(nla_data(nest), nla_len(nest), info->extack);
	if (IS_ERR(request))
		return PTR_ERR(request);
	err = ipsec_request_cgroup_set(nla_get_s32(info->attrs[IPSEC_A_CGROUP_FD]), request,
				       info->extack);
	ipsec_request_put(request);
	return err;
}

static int doit_request_result(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *attrs[IPSEC_REQUEST_A_MAX + 1];
	struct nlattr *nest = info->attrs[IPSEC_A_REQUEST];
	const char *text = NULL;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_REQUEST))
		return -EINVAL;
	err = nla_parse_nested(attrs, IPSEC_REQUEST_A_MAX, nest, result_request_policy,
			       info->extack);
	if (err)
		return err;
	if (!attrs[IPSEC_REQUEST_A_ID] || !attrs[IPSEC_REQUEST_A_REASON]) {
		NL_SET_ERR_MSG_ATTR(info->extack, nest, "a result takes id and reason");
		return -EINVAL;
	}
	if (attrs[IPSEC_REQUEST_A_TEXT])
		text = nla_data(attrs[IPSEC_REQUEST_A_TEXT]);
	err = ipsec_negotiate_result(ipsec_net(genl_info_net(info)),
				     nla_get_u64(attrs[IPSEC_REQUEST_A_ID]),
				     nla_get_u8(attrs[IPSEC_REQUEST_A_REASON]), text);
	if (err)
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[IPSEC_REQUEST_A_ID],
				    "nobody waits for such a negotiation any more");
	return err;
}

static int doit_stats_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct sk_buff *reply;
	void *header;

	reply = reply_begin(info, NLMSG_DEFAULT_SIZE, &header);
	if (!reply)
		return -ENOMEM;
	return reply_end(info, reply, header, ipsec_describe_stats(reply, in));
}

static const struct genl_ops netlink_ops[] = {
	{
		.cmd = IPSEC_CMD_PTOKEN_GET,
		.doit = doit_ptoken_get,
		.policy = ptoken_policy,
		.maxattr = ARRAY_SIZE(ptoken_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_ALGORITHM_GET,
		.dumpit = ipsec_dump_algorithms,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_ALGORITHM_SET,
		.doit = doit_algorithm_set,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = algorithm_policy,
		.maxattr = ARRAY_SIZE(algorithm_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_CONTEXT_GET,
		.doit = doit_context_get,
		.dumpit = ipsec_dump_contexts,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = context_policy,
		.maxattr = ARRAY_SIZE(context_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_SOCKET_GET,
		.start = ipsec_dump_connections_start,
		.dumpit = ipsec_dump_connections,
		.done = ipsec_dump_done,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_CONFIG_GET,
		.doit = doit_config_get,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_CONFIG_SET,
		.doit = doit_config_set,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = config_policy,
		.maxattr = ARRAY_SIZE(config_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_IDENTITY_BIND,
		.doit = doit_identity_bind,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = bind_policy,
		.maxattr = ARRAY_SIZE(bind_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_IDENTITY_UNBIND,
		.doit = doit_identity_unbind,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = unbind_policy,
		.maxattr = ARRAY_SIZE(unbind_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_IDENTITY_GET,
		.start = ipsec_dump_identities_start,
		.dumpit = ipsec_dump_identities,
		.done = ipsec_dump_done,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_LATCH_GET,
		.start = ipsec_dump_connections_start,
		.dumpit = ipsec_dump_latches,
		.done = ipsec_dump_done,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_REQUEST_CGROUP,
		.doit = doit_request_cgroup,
		.policy = cgroup_policy,
		.maxattr = ARRAY_SIZE(cgroup_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_REQUEST_RESULT,
		.doit = doit_request_result,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = result_policy,
		.maxattr = ARRAY_SIZE(result_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_REQUEST_GET,
		.dumpit = ipsec_negotiate_dump,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	}, {
		.cmd = IPSEC_CMD_STATS_GET,
		.doit = doit_stats_get,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = none_policy,
		.maxattr = ARRAY_SIZE(none_policy) - 1,
	},
};

static const struct genl_multicast_group netlink_groups[] = {
	[IPSEC_GROUP_EVENTS] = {
		.name = IPSEC_GENL_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
	[IPSEC_GROUP_CHANGES] = {
		.name = IPSEC_GENL_MCGRP_CHANGES,
	},
};

static struct genl_family netlink_family __ro_after_init = {
	.name = IPSEC_GENL_NAME,
	.version = IPSEC_GENL_VERSION,
	.maxattr = IPSEC_A_MAX,
	.netnsok = true,
	.parallel_ops = true,
	.ops = netlink_ops,
	.n_ops = ARRAY_SIZE(netlink_ops),
	.mcgrps = netlink_groups,
	.n_mcgrps = ARRAY_SIZE(netlink_groups),
	.module = THIS_MODULE,
};

/**
 * ipsec_netlink_init - open the generic-netlink family
 *
 * Context: process context. ipsec_netns_init() has been called.
 * Return: 0 or a negative errno.
 */
int ipsec_netlink_init(void)
{
	int err;

	err = genl_register_family(&netlink_family);
	if (!err)
		ipsec_event_open(&netlink_family);
	return err;
}

/**
 * ipsec_netlink_exit - close the generic-netlink family
 *
 * Context: process context, may sleep. Requests have ended when it returns,
 * and nothing is sent any more.
 */
void ipsec_netlink_exit(void)
{
	ipsec_event_close();
	genl_unregister_family(&netlink_family);
}
