// SPDX-License-Identifier: GPL-2.0-only
/*
 * What listeners on netlink are told.
 */
#include <linux/ipsec_token.h>
#include <net/genetlink.h>

#include "context.h"
#include "describe.h"
#include "event.h"
#include "netns.h"

/* Where to send; NULL: nowhere any more. Read under RCU. */
static struct genl_family *event_family;

static struct sk_buff *event_begin(struct ipsec_net *in, enum ipsec_group group,
				   enum ipsec_cmd event, size_t size, void **header)
{
	struct genl_family *family = READ_ONCE(event_family);
	struct sk_buff *skb;

	if (!family || READ_ONCE(in->dead) ||
	    !genl_has_listeners(family, in->net, group))
		return NULL;
	skb = genlmsg_new(size, GFP_ATOMIC);
	if (!skb)
		goto lost;
	*header = genlmsg_put(skb, 0, 0, family, 0, event);
	if (*header)
		return skb;
	nlmsg_free(skb);
lost:
	/* listeners are told that something is missing */
	genl_set_err(family, in->net, 0, group, -ENOBUFS);
	return NULL;
}

/* Return: 0; -ESRCH: nobody has it; -ENOBUFS: somebody may be told that it is missing. */
static int event_end(struct ipsec_net *in, enum ipsec_group group,
		     struct sk_buff *skb, void *header, int err)
{
	struct genl_family *family = READ_ONCE(event_family);

	if (!family)
		err = -ENETDOWN;
	if (err) {
		nlmsg_free(skb);
		if (family)
			genl_set_err(family, in->net, 0, group, -ENOBUFS);
		return -ENOBUFS;
	}
	genlmsg_end(skb, header);
	return genlmsg_multicast_netns(family, in->net, skb, 0, group, GFP_ATOMIC);
}

/**
 * ipsec_event_changed - an answer given before may not hold any more
 * @in: where
 *
 * Context: any but hard interrupts.
 */
void ipsec_event_changed(struct ipsec_net *in)
{
	u32 generation = atomic_inc_return(&in->generation);
	struct sk_buff *skb;
	void *header;

	rcu_read_lock();
	skb = event_begin(in, IPSEC_GROUP_CHANGES, IPSEC_CMD_CHANGED_NTF,
			  nla_total_size(sizeof(u32)), &header);
	if (skb)
		event_end(in, IPSEC_GROUP_CHANGES, skb, header,
			  nla_put_u32(skb, IPSEC_A_GENERATION, generation));
	rcu_read_unlock();
}

/**
 * ipsec_event_context - tell of a context
 * @in: where
 * @context: found under RCU
 * @event: IPSEC_CMD_CONTEXT_NEW_NTF or IPSEC_CMD_CONTEXT_CHANGE_NTF
 *
 * Context: any but hard interrupts, under RCU, without locks of xfrm.
 */
void ipsec_event_context(struct ipsec_net *in, struct ipsec_context *context,
			 enum ipsec_cmd event)
{
	struct sk_buff *skb;
	void *header;

	if (event == IPSEC_CMD_CONTEXT_CHANGE_NTF)
		ipsec_event_changed(in);
	skb = event_begin(in, IPSEC_GROUP_EVENTS, event, IPSEC_DESCRIPTION_SIZE, &header);
	if (skb)
		event_end(in, IPSEC_GROUP_EVENTS, skb, header,
			  ipsec_describe_context(skb, in, context, true));
}

/**
 * ipsec_event_context_gone - tell that a context is no longer there
 * @in: where
 * @id: its id
 *
 * Context: any but hard interrupts.
 */
void ipsec_event_context_gone(struct ipsec_net *in, unsigned long id)
{
	struct sk_buff *skb;
	void *header;

	ipsec_event_changed(in);
	rcu_read_lock();
	skb = event_begin(in, IPSEC_GROUP_EVENTS, IPSEC_CMD_CONTEXT_DEL_NTF,
			  nla_total_size_64bit(sizeof(u64)), &header);
	if (skb)
		event_end(in, IPSEC_GROUP_EVENTS, skb, header,
			  nla_put_u64_64bit(skb, IPSEC_A_CONTEXT_ID, id, IPSEC_A_PAD));
	rcu_read_unlock();
}

/**
 * ipsec_event_identity - tell who is behind an SA
 * @in: where
 * @x: the SA
 * @identity: who; NULL: nobody any more
 *
 * Context: any but hard interrupts, under RCU.
 */
void ipsec_event_identity(struct ipsec_net *in, const struct xfrm_state *x,
			  const struct ipsec_identity *identity)
{
	struct sk_buff *skb;
	void *header;

	skb = event_begin(in, IPSEC_GROUP_EVENTS, identity ? IPSEC_CMD_IDENTITY_NTF :
						       IPSEC_CMD_IDENTITY_GONE_NTF,
			  IPSEC_DESCRIPTION_SIZE, &header);
	if (skb)
		event_end(in, IPSEC_GROUP_EVENTS, skb, header,
			  ipsec_describe_identity(skb, x, identity));
}

/**
 * ipsec_event_latch - tell of a packet that did not match a latch
 * @in: where
 * @connection: of which connection
 * @seen: under which it came or would have left; NULL: in clear; or ERR_PTR
 *
 * Context: any but hard interrupts, under RCU.
 */
void ipsec_event_latch(struct ipsec_net *in, const struct ipsec_connection *connection,
		       const struct ipsec_context *seen)
{
	struct sk_buff *skb;
	void *header;

	skb = event_begin(in, IPSEC_GROUP_EVENTS, IPSEC_CMD_LATCH_NTF, NLMSG_GOODSIZE, &header);
	if (skb)
		event_end(in, IPSEC_GROUP_EVENTS, skb, header,
			  ipsec_describe_latch_event(skb, connection, seen));
}

/**
 * ipsec_event_heard - may an agent be there that listens
 * @in: where
 *
 * Context: any, under RCU.
 * Return: whether anybody does, if only in another network namespace.
 */
bool ipsec_event_heard(struct ipsec_net *in)
{
	struct genl_family *family = READ_ONCE(event_family);

	return family && genl_has_listeners(family, in->net, IPSEC_GROUP_EVENTS);
}

/**
 * ipsec_event_negotiation - tell that SAs are needed
 * @in: where
 * @negotiation: for what
 *
 * An agent that has no room for the message has to have set NETLINK_BROADCAST_ERROR,
 * or it counts as one that is not there.
 *
 * Context: any but hard interrupts, under RCU.
 * Return: whether somebody has been told, or has been told that something is missing.
 */
bool ipsec_event_negotiation(struct ipsec_net *in, const struct ipsec_negotiation *negotiation)
{
	struct sk_buff *skb;
	void *header;

	skb = event_begin(in, IPSEC_GROUP_EVENTS, IPSEC_CMD_REQUEST_NTF,
			  NLMSG_GOODSIZE + IPSEC_REQUEST_MAX_SIZE, &header);
	return !skb || event_end(in, IPSEC_GROUP_EVENTS, skb, header,
				 ipsec_describe_negotiation(skb, in, negotiation)) != -ESRCH;
}

/**
 * ipsec_event_algorithm - an algorithm is trusted now, or not any more
 * @in: where
 * @index: its place in the table
 *
 * Context: any but hard interrupts.
 */
void ipsec_event_algorithm(struct ipsec_net *in, u8 index)
{
	struct sk_buff *skb;
	void *header;

	ipsec_event_changed(in);
	rcu_read_lock();
	skb = event_begin(in, IPSEC_GROUP_EVENTS, IPSEC_CMD_ALGORITHM_NTF, NLMSG_GOODSIZE,
			  &header);
	if (skb)
		event_end(in, IPSEC_GROUP_EVENTS, skb, header,
			  ipsec_describe_algorithm(skb, index, READ_ONCE(in->trusted)));
	rcu_read_unlock();
}

/**
 * ipsec_event_config - the configuration has changed
 * @in: where
 *
 * Context: any but hard interrupts.
 */
void ipsec_event_config(struct ipsec_net *in)
{
	struct sk_buff *skb;
	void *header;

	rcu_read_lock();
	skb = event_begin(in, IPSEC_GROUP_EVENTS, IPSEC_CMD_CONFIG_NTF, NLMSG_GOODSIZE, &header);
	if (skb)
		event_end(in, IPSEC_GROUP_EVENTS, skb, header,
			  ipsec_describe_config(skb, in));
	rcu_read_unlock();
}

/**
 * ipsec_event_open - listeners can be told
 * @family: has been registered
 *
 * Context: process context.
 */
void ipsec_event_open(struct genl_family *family)
{
	WRITE_ONCE(event_family, family);
}

/**
 * ipsec_event_close - listeners are told nothing any more
 *
 * Context: process context, may sleep. Nothing is being sent when it returns.
 */
void ipsec_event_close(void)
{
	WRITE_ONCE(event_family, NULL);
	synchronize_rcu();
}
