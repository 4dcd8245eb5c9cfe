// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic-netlink family: all that is parsed of netlink is parsed here,
 * and describe.c writes all that takes more than an attribute or two.
 */
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "algorithm.h"
#include "context.h"
#include "describe.h"
#include "handle.h"
#include "netlink.h"
#include "netns.h"

enum netlink_group {
	GROUP_EVENTS,
	GROUP_CHANGES,
};

static struct genl_family netlink_family;
static bool netlink_open;	/* the family can be sent to; read under RCU */

/* A context with as many SAs as are ever told of. */
#define CONTEXT_MESSAGE_SIZE	SKB_WITH_OVERHEAD(12288)

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

static int doit_ptoken_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct nlattr *attr = info->attrs[IPSEC_A_PTOKEN];
	struct ipsec_context *context;
	struct sk_buff *reply;
	void *header;
	u64 ptoken;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_PTOKEN))
		return -EINVAL;
	ptoken = nla_get_u64(attr);
	if (ptoken == IPSEC_PTOKEN_NONE || ptoken == IPSEC_PTOKEN_UNKNOWN) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr, "a reserved value, not a token");
		return -EINVAL;
	}

	reply = reply_begin(info, CONTEXT_MESSAGE_SIZE, &header);
	if (!reply)
		return -ENOMEM;

	rcu_read_lock();
	context = ipsec_context_by_id(in, ipsec_handle_context_id(in, ptoken));
	if (context) {
		err = nla_put_u64_64bit(reply, IPSEC_A_PTOKEN, ptoken, IPSEC_A_PAD) ?:
		      ipsec_describe_context(reply, in, context, false);
	} else {
		err = -ESTALE;
		ipsec_count(in, IPSEC_COUNT_TOKENS_REFUSED);
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "no token of this process and namespace, or what it stood for is gone");
	}
	rcu_read_unlock();
	return reply_end(info, reply, header, err);
}

static int dumpit_algorithm_get(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	u64 trusted = READ_ONCE(in->trusted);
	unsigned long *index = (unsigned long *)cb->ctx;
	void *header;

	if (!*index)
		*index = IPSEC_ALGORITHM_NOT_USED + 1;
	for (; *index < ipsec_algorithm_count(); (*index)++) {
		header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				     &netlink_family, NLM_F_MULTI, IPSEC_CMD_ALGORITHM_GET);
		if (!header)
			break;
		if (ipsec_describe_algorithm(skb, *index, trusted)) {
			genlmsg_cancel(skb, header);
			break;
		}
		genlmsg_end(skb, header);
	}
	return skb->len;
}

static struct sk_buff *event_begin(struct ipsec_net *in, enum netlink_group group,
				   enum ipsec_cmd event, size_t size, void **header)
{
	struct sk_buff *skb;

	if (!READ_ONCE(netlink_open) || READ_ONCE(in->dead) ||
	    !genl_has_listeners(&netlink_family, in->net, group))
		return NULL;
	skb = genlmsg_new(size, GFP_ATOMIC);
	if (!skb)
		goto lost;
	*header = genlmsg_put(skb, 0, 0, &netlink_family, 0, event);
	if (*header)
		return skb;
	nlmsg_free(skb);
lost:
	/* listeners are told that something is missing */
	genl_set_err(&netlink_family, in->net, 0, group, -ENOBUFS);
	return NULL;
}

static void event_end(struct ipsec_net *in, enum netlink_group group,
		      struct sk_buff *skb, void *header, int err)
{
	if (err) {
		nlmsg_free(skb);
		genl_set_err(&netlink_family, in->net, 0, group, -ENOBUFS);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast_netns(&netlink_family, in->net, skb, 0, group, GFP_ATOMIC);
}

/**
 * ipsec_netlink_changed - an answer given before may not hold any more
 * @in: where
 *
 * Context: any but hard interrupts.
 */
void ipsec_netlink_changed(struct ipsec_net *in)
{
	u32 generation = atomic_inc_return(&in->generation);
	struct sk_buff *skb;
	void *header;

	rcu_read_lock();
	skb = event_begin(in, GROUP_CHANGES, IPSEC_CMD_CHANGED_NTF,
			  nla_total_size(sizeof(u32)), &header);
	if (skb)
		event_end(in, GROUP_CHANGES, skb, header,
			  nla_put_u32(skb, IPSEC_A_GENERATION, generation));
	rcu_read_unlock();
}

/**
 * ipsec_netlink_context - tell of a context
 * @in: where
 * @context: found under RCU
 * @event: IPSEC_CMD_CONTEXT_NEW_NTF or IPSEC_CMD_CONTEXT_CHANGE_NTF
 *
 * Context: any but hard interrupts, under RCU, without locks of xfrm.
 */
void ipsec_netlink_context(struct ipsec_net *in, struct ipsec_context *context,
			   enum ipsec_cmd event)
{
	struct sk_buff *skb;
	void *header;

	if (event == IPSEC_CMD_CONTEXT_CHANGE_NTF)
		ipsec_netlink_changed(in);
	skb = event_begin(in, GROUP_EVENTS, event, CONTEXT_MESSAGE_SIZE, &header);
	if (skb)
		event_end(in, GROUP_EVENTS, skb, header,
			  ipsec_describe_context(skb, in, context, true));
}

/**
 * ipsec_netlink_context_gone - tell that a context is no longer there
 * @in: where
 * @id: its id
 *
 * Context: any but hard interrupts.
 */
void ipsec_netlink_context_gone(struct ipsec_net *in, unsigned long id)
{
	struct sk_buff *skb;
	void *header;

	ipsec_netlink_changed(in);
	rcu_read_lock();
	skb = event_begin(in, GROUP_EVENTS, IPSEC_CMD_CONTEXT_DEL_NTF,
			  nla_total_size_64bit(sizeof(u64)), &header);
	if (skb)
		event_end(in, GROUP_EVENTS, skb, header,
			  nla_put_u64_64bit(skb, IPSEC_A_CONTEXT_ID, id, IPSEC_A_PAD));
	rcu_read_unlock();
}

static int doit_algorithm_set(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct sk_buff *event;
	bool trusted, changed;
	void *header;
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

	ipsec_netlink_changed(in);
	rcu_read_lock();
	event = event_begin(in, GROUP_EVENTS, IPSEC_CMD_ALGORITHM_NTF, NLMSG_GOODSIZE, &header);
	if (event)
		event_end(in, GROUP_EVENTS, event, header,
			  ipsec_describe_algorithm(event, index, READ_ONCE(in->trusted)));
	rcu_read_unlock();
	return 0;
}

static int doit_context_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct ipsec_context *context;
	struct sk_buff *reply;
	int err = -ENOENT;
	void *header;
	u64 id;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_CONTEXT_ID))
		return -EINVAL;
	id = nla_get_u64(info->attrs[IPSEC_A_CONTEXT_ID]);

	reply = reply_begin(info, CONTEXT_MESSAGE_SIZE, &header);
	if (!reply)
		return -ENOMEM;
	rcu_read_lock();
	context = id == (unsigned long)id ? ipsec_context_by_id(in, id) : NULL;
	if (context)
		err = ipsec_describe_context(reply, in, context, true);
	else
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[IPSEC_A_CONTEXT_ID],
				    "no such context");
	rcu_read_unlock();
	return reply_end(info, reply, header, err);
}

static int dumpit_context_get(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	unsigned long *next = (unsigned long *)cb->ctx;
	struct ipsec_context *context;
	unsigned long id;
	void *header;
	int err = 0;

	rcu_read_lock();
	xa_for_each_start(&in->contexts, id, context, *next) {
		header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				     &netlink_family, NLM_F_MULTI, IPSEC_CMD_CONTEXT_GET);
		err = header ? ipsec_describe_context(skb, in, context, true) : -EMSGSIZE;
		if (err) {
			if (header)
				genlmsg_cancel(skb, header);
			break;
		}
		genlmsg_end(skb, header);
		*next = id + 1;
	}
	rcu_read_unlock();
	return skb->len ?: err;
}

static int start_socket_get(struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(cb->skb->sk));
	struct rhashtable_iter *iter;

	iter = kmalloc(sizeof(*iter), GFP_KERNEL);
	if (!iter)
		return -ENOMEM;
	rhashtable_walk_enter(&in->connections, iter);
	*(struct rhashtable_iter **)cb->ctx = iter;
	return 0;
}

static int done_socket_get(struct netlink_callback *cb)
{
	struct rhashtable_iter *iter = *(struct rhashtable_iter **)cb->ctx;

	rhashtable_walk_exit(iter);
	kfree(iter);
	return 0;
}

static int dumpit_socket_get(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	struct rhashtable_iter *iter = *(struct rhashtable_iter **)cb->ctx;
	struct ipsec_connection *connection;
	void *header;
	int err = 0;

	rhashtable_walk_start(iter);
	/* the one that found no room in the last message comes first */
	connection = rhashtable_walk_peek(iter);
	for (; connection; connection = rhashtable_walk_next(iter)) {
		if (IS_ERR(connection)) {
			if (PTR_ERR(connection) == -EAGAIN)
				continue;	/* resized: some may come twice */
			err = PTR_ERR(connection);
			break;
		}
		header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				     &netlink_family, NLM_F_MULTI, IPSEC_CMD_SOCKET_GET);
		err = header ? ipsec_describe_connection(skb, in, connection) : -EMSGSIZE;
		if (!err) {
			genlmsg_end(skb, header);
			continue;
		}
		if (header)
			genlmsg_cancel(skb, header);
		if (err == -EMSGSIZE)
			break;
		err = 0;	/* closed in the meantime */
	}
	rhashtable_walk_stop(iter);
	return skb->len ?: err;
}

static int doit_config_get(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct sk_buff *reply;
	void *header;

	reply = reply_begin(info, NLMSG_DEFAULT_SIZE, &header);
	if (!reply)
		return -ENOMEM;
	return reply_end(info, reply, header,
			 nla_put_u32(reply, IPSEC_A_LINGER, READ_ONCE(in->linger)));
}

static int doit_config_set(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct sk_buff *event;
	void *header;
	u32 linger;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_LINGER))
		return -EINVAL;
	linger = nla_get_u32(info->attrs[IPSEC_A_LINGER]);
	WRITE_ONCE(in->linger, linger);
	ipsec_context_reap_soon(in);

	rcu_read_lock();
	event = event_begin(in, GROUP_EVENTS, IPSEC_CMD_CONFIG_NTF, NLMSG_GOODSIZE, &header);
	if (event)
		event_end(in, GROUP_EVENTS, event, header,
			  nla_put_u32(event, IPSEC_A_LINGER, linger));
	rcu_read_unlock();
	return 0;
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

#define POLICY(name) .policy = name, .maxattr = ARRAY_SIZE(name) - 1

static const struct genl_ops netlink_ops[] = {
	{
		.cmd = IPSEC_CMD_PTOKEN_GET,
		.doit = doit_ptoken_get,
		POLICY(ptoken_policy),
	}, {
		.cmd = IPSEC_CMD_ALGORITHM_GET,
		.dumpit = dumpit_algorithm_get,
		POLICY(none_policy),
	}, {
		.cmd = IPSEC_CMD_ALGORITHM_SET,
		.doit = doit_algorithm_set,
		.flags = GENL_UNS_ADMIN_PERM,
		POLICY(algorithm_policy),
	}, {
		.cmd = IPSEC_CMD_CONTEXT_GET,
		.doit = doit_context_get,
		.dumpit = dumpit_context_get,
		.flags = GENL_UNS_ADMIN_PERM,
		POLICY(context_policy),
	}, {
		.cmd = IPSEC_CMD_SOCKET_GET,
		.start = start_socket_get,
		.dumpit = dumpit_socket_get,
		.done = done_socket_get,
		.flags = GENL_UNS_ADMIN_PERM,
		POLICY(none_policy),
	}, {
		.cmd = IPSEC_CMD_CONFIG_GET,
		.doit = doit_config_get,
		.flags = GENL_UNS_ADMIN_PERM,
		POLICY(none_policy),
	}, {
		.cmd = IPSEC_CMD_CONFIG_SET,
		.doit = doit_config_set,
		.flags = GENL_UNS_ADMIN_PERM,
		POLICY(config_policy),
	}, {
		.cmd = IPSEC_CMD_STATS_GET,
		.doit = doit_stats_get,
		.flags = GENL_UNS_ADMIN_PERM,
		POLICY(none_policy),
	},
};

static const struct genl_multicast_group netlink_groups[] = {
	[GROUP_EVENTS] = {
		.name = IPSEC_GENL_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
	[GROUP_CHANGES] = {
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
	.resv_start_op = __IPSEC_CMD_MAX,
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
		WRITE_ONCE(netlink_open, true);
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
	WRITE_ONCE(netlink_open, false);
	synchronize_rcu();
	genl_unregister_family(&netlink_family);
}
