// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps: all there is of one kind, message by message.
 */
#include <linux/ipsec_token.h>
#include <net/genetlink.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>

#include "algorithm.h"
#include "context.h"
#include "describe.h"
#include "dump.h"
#include "identity.h"
#include "latch.h"
#include "netns.h"
#include "sa.h"
#include "tcp.h"
#include "walk.h"

static const struct genl_family *dump_family(const struct netlink_callback *cb)
{
	return genl_dumpit_info((struct netlink_callback *)cb)->family;
}

static void *message_begin(struct sk_buff *skb, const struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, dump_family(cb),
			   NLM_F_MULTI, cmd);
}

/* With an error nothing stays of it. @header: NULL if there was no room to begin it. */
static int message_end(struct sk_buff *skb, void *header, int err)
{
	if (err)
		genlmsg_cancel(skb, header);
	else
		genlmsg_end(skb, header);
	return err;
}

/**
 * ipsec_dump_enlarge - make room for what is longer than a reader may expect
 * @skb: a message to be filled
 * @err: why nothing more was added to it, or 0; -ENOMEM if there is no memory
 *
 * As long as a reader has not received anything, messages of a dump are a page long. One
 * that holds nothing yet is made longer.
 *
 * Context: process context, may sleep.
 * Return: whether to try again.
 */
bool ipsec_dump_enlarge(struct sk_buff *skb, int *err)
{
	const int wanted = GENL_HDRLEN + NLMSG_HDRLEN + IPSEC_DESCRIPTION_SIZE;

	if (*err != -EMSGSIZE || skb->len || skb_tailroom(skb) >= wanted)
		return false;
	if (pskb_expand_head(skb, 0, wanted, GFP_KERNEL)) {
		*err = -ENOMEM;
		return false;
	}
	/* no longer than that, whatever there is room for now; see netlink_dump() */
	skb_reserve(skb, skb_tailroom(skb) - wanted);
	skb_reset_network_header(skb);
	skb_reset_mac_header(skb);
	return true;
}

/**
 * ipsec_dump_algorithms - the algorithms, and which of them are trusted
 * @skb: a message to be filled
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: length of the message, 0 at the end, or a negative errno.
 */
int ipsec_dump_algorithms(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	u64 trusted = READ_ONCE(in->trusted);
	unsigned long *index = (unsigned long *)cb->ctx;
	void *header;
	int err = 0;

	if (!*index)
		*index = IPSEC_ALGORITHM_NOT_USED + 1;
	for (; *index < ipsec_algorithm_count(); (*index)++) {
		header = message_begin(skb, cb, IPSEC_CMD_ALGORITHM_GET);
		err = header ? ipsec_describe_algorithm(skb, *index, trusted) : -EMSGSIZE;
		err = message_end(skb, header, err);
		if (err)
			break;
	}
	return skb->len ?: err;
}

/**
 * ipsec_dump_contexts - the contexts of a namespace
 * @skb: a message to be filled
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: length of the message, 0 at the end, or a negative errno.
 */
int ipsec_dump_contexts(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	unsigned long *next = (unsigned long *)cb->ctx;
	struct ipsec_context *context;
	unsigned long id;
	void *header;
	int err;

	/* the policy is that of the other request */
	if (genl_dumpit_info(cb)->attrs[IPSEC_A_CONTEXT_ID]) {
		NL_SET_ERR_MSG(cb->extack, "a dump has all contexts: it takes no id");
		return -EINVAL;
	}

	do {
		err = 0;
		rcu_read_lock();
		xa_for_each_start(&in->contexts, id, context, *next) {
			header = message_begin(skb, cb, IPSEC_CMD_CONTEXT_GET);
			err = header ? ipsec_describe_context(skb, in, context, true) : -EMSGSIZE;
			err = message_end(skb, header, err);
			if (err)
				break;
			*next = id + 1;
		}
		rcu_read_unlock();
	} while (ipsec_dump_enlarge(skb, &err));
	return skb->len ?: err;
}

static int walk_start(struct netlink_callback *cb, struct rhashtable *table)
{
	struct rhashtable_iter *iter;

	iter = kmalloc(sizeof(*iter), GFP_KERNEL);
	if (!iter)
		return -ENOMEM;
	rhashtable_walk_enter(table, iter);
	*(struct rhashtable_iter **)cb->ctx = iter;
	return 0;
}

/**
 * ipsec_dump_done - end a dump
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_dump_done(struct netlink_callback *cb)
{
	struct rhashtable_iter *iter = *(struct rhashtable_iter **)cb->ctx;

	rhashtable_walk_exit(iter);
	kfree(iter);
	return 0;
}

/**
 * ipsec_dump_connections_start - begin a dump of connections or latches
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_dump_connections_start(struct netlink_callback *cb)
{
	return walk_start(cb, &ipsec_net(sock_net(cb->skb->sk))->connections);
}

static int dump_connections(struct sk_buff *skb, struct netlink_callback *cb,
			    enum ipsec_cmd cmd)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	struct rhashtable_iter *iter = *(struct rhashtable_iter **)cb->ctx;
	struct ipsec_connection *connection;
	void *header;
	int err = 0;

	ipsec_walk_start(iter);
	/* the one that found no room in the last message comes first */
	connection = rhashtable_walk_peek(iter);
	for (; connection; connection = rhashtable_walk_next(iter)) {
		if (IS_ERR(connection))
			continue;	/* resized: some may come twice */
		header = message_begin(skb, cb, cmd);
		err = header ? ipsec_describe_connection(skb, in, connection,
							 cmd == IPSEC_CMD_LATCH_GET) : -EMSGSIZE;
		if (message_end(skb, header, err) == -EMSGSIZE)
			break;
		err = 0;	/* closed in the meantime, or no latch */
	}
	rhashtable_walk_stop(iter);
	return err;
}

/**
 * ipsec_dump_connections - the TCP connections that there is something to say of
 * @skb: a message to be filled
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: length of the message, 0 at the end, or a negative errno.
 */
int ipsec_dump_connections(struct sk_buff *skb, struct netlink_callback *cb)
{
	int err = dump_connections(skb, cb, IPSEC_CMD_SOCKET_GET);

	return skb->len ?: err;
}

/**
 * struct latch_cursor - where in a dump of latches it is
 * @iter: in the connections; in the same place as that of other dumps
 * @listeners: beyond them
 * @bucket: of the kernel's table of listeners
 * @index: in the bucket
 */
struct latch_cursor {
	struct rhashtable_iter *iter;
	bool listeners;
	u32 bucket;
	u32 index;
};

static int dump_listener(struct sk_buff *skb, struct netlink_callback *cb, const struct sock *sk)
{
	void *header = message_begin(skb, cb, IPSEC_CMD_LATCH_GET);

	return message_end(skb, header, header ? ipsec_describe_listener(skb, sk) : -EMSGSIZE);
}

static int dump_listeners(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct latch_cursor *cursor = (struct latch_cursor *)cb->ctx;
	struct net *net = sock_net(skb->sk);
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;
	struct inet_listen_hashbucket *bucket;
	struct hlist_nulls_node *node;
	struct sock *sk;
	u32 index;
	int err;

	for (; cursor->bucket <= hashinfo->lhash2_mask; cursor->bucket++, cursor->index = 0) {
		bucket = &hashinfo->lhash2[cursor->bucket];
		if (hlist_nulls_empty(&bucket->nulls_head))
			continue;
		index = 0;
		err = 0;
		spin_lock(&bucket->lock);
		sk_nulls_for_each(sk, node, &bucket->nulls_head) {
			if (!net_eq(sock_net(sk), net) || index++ < cursor->index)
				continue;
			err = dump_listener(skb, cb, sk);
			if (err)
				break;
			cursor->index = index;
		}
		spin_unlock(&bucket->lock);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ipsec_dump_latches - the latches of a namespace, and its listeners
 * @skb: a message to be filled
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: length of the message, 0 at the end, or a negative errno.
 */
int ipsec_dump_latches(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct latch_cursor *cursor = (struct latch_cursor *)cb->ctx;
	int err = 0;

	if (!cursor->listeners) {
		err = dump_connections(skb, cb, IPSEC_CMD_LATCH_GET);
		cursor->listeners = !err;
	}
	if (!err)
		err = dump_listeners(skb, cb);
	return skb->len ?: err;
}

/**
 * ipsec_dump_identities_start - begin a dump of identities
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_dump_identities_start(struct netlink_callback *cb)
{
	return walk_start(cb, &ipsec_net(sock_net(cb->skb->sk))->bindings);
}

static int dump_bindings(struct sk_buff *skb, struct netlink_callback *cb,
			 struct rhashtable_iter *iter)
{
	struct ipsec_binding *binding = rhashtable_walk_peek(iter);
	void *header;
	int err;

	for (; binding; binding = rhashtable_walk_next(iter)) {
		if (IS_ERR(binding))
			continue;	/* resized: some may come twice */
		if (!ipsec_sa_valid(binding->x))
			continue;	/* kept for what has come, see ipsec_identity_reap() */
		header = message_begin(skb, cb, IPSEC_CMD_IDENTITY_GET);
		err = header ? ipsec_describe_identity(skb, binding->x, binding->identity) :
			       -EMSGSIZE;
		err = message_end(skb, header, err);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ipsec_dump_identities - the identities of a namespace, by SA
 * @skb: a message to be filled
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: length of the message, 0 at the end, or a negative errno.
 */
int ipsec_dump_identities(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct rhashtable_iter *iter = *(struct rhashtable_iter **)cb->ctx;
	int err;

	do {
		ipsec_walk_start(iter);
		err = dump_bindings(skb, cb, iter);
		rhashtable_walk_stop(iter);
	} while (ipsec_dump_enlarge(skb, &err));
	return skb->len ?: err;
}

/**
 * ipsec_dump_negotiation - one of the negotiations of a namespace
 * @skb: a message to be filled
 * @cb: where in the dump it is
 * @negotiation: which
 *
 * Context: any but hard interrupts.
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_dump_negotiation(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct ipsec_negotiation *negotiation)
{
	void *header = message_begin(skb, cb, IPSEC_CMD_REQUEST_GET);
	int err = -EMSGSIZE;

	if (header)
		err = ipsec_describe_negotiation(skb, ipsec_net(sock_net(skb->sk)), negotiation);
	return message_end(skb, header, err);
}
