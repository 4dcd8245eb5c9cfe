// SPDX-License-Identifier: GPL-2.0-only
/*
 * Negotiations that agents are asked for, since a socket under a request would send
 * in clear: there is no policy that would make the system itself ask for SAs.
 *
 * One is told of in the group "events" and may be asked for by a dump. It ends with
 * an agent's answer, or when its time is over. One user's sockets can have so many of
 * them at once and so many in a time, and no more.
 */
#include <linux/ipsec_token.h>
#include <linux/jhash.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "dump.h"
#include "event.h"
#include "negotiate.h"
#include "netns.h"
#include "request.h"
#include "require.h"

/* in a namespace, and of one user in it */
#define MAX_NEGOTIATIONS	1024
#define MAX_OF_USER		64

/* a user may begin so many at once, and another one each so many jiffies */
#define BURST		32
#define REFILL		(HZ / 4)

/* What users may still begin. Those who share a place share what there is. */
static struct {
	unsigned long updated;
	unsigned int left;
} budgets[256];

static DEFINE_SPINLOCK(budgets_lock);

static bool budget_take(kuid_t uid)
{
	u32 i = jhash_1word(__kuid_val(uid), 0) % ARRAY_SIZE(budgets);
	unsigned long more;
	bool taken;

	spin_lock_bh(&budgets_lock);
	more = (jiffies - budgets[i].updated) / REFILL;
	if (!budgets[i].updated || more >= BURST) {
		budgets[i].left = BURST;
		budgets[i].updated = jiffies ?: 1;
	} else {
		budgets[i].left = min_t(unsigned int, budgets[i].left + more, BURST);
		budgets[i].updated += more * REFILL;
	}
	taken = budgets[i].left;
	budgets[i].left -= taken;
	spin_unlock_bh(&budgets_lock);
	return taken;
}

static void flow_fill(struct ipsec_negotiation *negotiation, const struct sk_buff *skb)
{
	const __be16 *ports = (const __be16 *)skb_transport_header(skb);

	negotiation->protocol = skb->sk->sk_protocol;
	negotiation->local_port = ports[0];
	negotiation->peer_port = ports[1];
	if (skb->protocol == htons(ETH_P_IP)) {
		negotiation->family = AF_INET;
		negotiation->local.a4 = ip_hdr(skb)->saddr;
		negotiation->peer_address.a4 = ip_hdr(skb)->daddr;
	} else {
		negotiation->family = AF_INET6;
		negotiation->local.in6 = ipv6_hdr(skb)->saddr;
		negotiation->peer_address.in6 = ipv6_hdr(skb)->daddr;
	}
}

static bool same_flow(const struct ipsec_negotiation *a, const struct ipsec_negotiation *b)
{
	return a->sk == b->sk && a->family == b->family &&
	       a->local_port == b->local_port && a->peer_port == b->peer_port &&
	       !memcmp(&a->local, &b->local, sizeof(a->local)) &&
	       !memcmp(&a->peer_address, &b->peer_address, sizeof(a->peer_address));
}

static void negotiation_free(struct ipsec_negotiation *negotiation)
{
	ipsec_request_put(negotiation->peer);
	kfree(negotiation);
}

/* Under the lock: is the same under way? */
static bool negotiation_there(struct ipsec_net *in, const struct ipsec_negotiation *like)
{
	const struct ipsec_negotiation *negotiation;

	list_for_each_entry(negotiation, &in->negotiations, list)
		if (same_flow(negotiation, like))
			return true;
	return false;
}

/* Under the lock. Return: why there can't be another one. */
static enum ipsec_request_reason negotiation_refused(struct ipsec_net *in, kuid_t uid)
{
	struct ipsec_negotiation *negotiation;
	unsigned int of_user = 0;

	if (in->negotiation_count >= MAX_NEGOTIATIONS)
		return IPSEC_REQUEST_REASON_LIMIT;
	list_for_each_entry(negotiation, &in->negotiations, list)
		of_user += uid_eq(negotiation->uid, uid);
	if (of_user >= MAX_OF_USER || !budget_take(uid))
		return IPSEC_REQUEST_REASON_LIMIT;
	return IPSEC_REQUEST_REASON_NONE;
}

/* All that is required of the socket, in one. */
static void requirements_fill(struct ipsec_negotiation *negotiation,
			      const struct ipsec_required *required)
{
	struct ipsec_request *request;
	unsigned long timeout = 0;
	unsigned int i;

	for (i = 0; i < IPSEC_REQUIRED_MAX; i++) {
		request = READ_ONCE(required->request[i]);
		if (!request)
			continue;
		negotiation->flags |= request->flags;
		if (request->methods)
			negotiation->methods = negotiation->methods ?
				negotiation->methods & request->methods : request->methods;
		if (request->peer && !negotiation->peer &&
		    refcount_inc_not_zero(&request->refs))
			negotiation->peer = request;
		if (!timeout || request->timeout < timeout)
			timeout = request->timeout;
	}
	negotiation->until = jiffies + timeout;
}

static struct ipsec_negotiation *negotiation_alloc(struct ipsec_required *required,
						   const struct sk_buff *skb)
{
	struct ipsec_negotiation *negotiation = kzalloc(sizeof(*negotiation), GFP_ATOMIC);

	if (!negotiation)
		return NULL;
	negotiation->sk = required->sk;
	negotiation->uid = sock_i_uid(required->sk);
	flow_fill(negotiation, skb);
	requirements_fill(negotiation, required);
	return negotiation;
}

/**
 * ipsec_negotiate - a packet would leave in clear, and must not
 * @in: where
 * @required: record of its socket
 * @skb: the packet
 *
 * Context: any but hard interrupts, under RCU.
 * Return: IPSEC_REQUEST_REASON_NONE if a negotiation is under way; else why there
 * is none.
 */
enum ipsec_request_reason ipsec_negotiate(struct ipsec_net *in, struct ipsec_required *required,
					  const struct sk_buff *skb)
{
	enum ipsec_request_reason reason = IPSEC_REQUEST_REASON_NONE;
	struct ipsec_negotiation *negotiation;
	bool there;

	if (!ipsec_event_heard(in))
		return IPSEC_REQUEST_REASON_NO_SA;
	negotiation = negotiation_alloc(required, skb);
	if (!negotiation)
		return IPSEC_REQUEST_REASON_LIMIT;

	spin_lock_bh(&in->negotiations_lock);
	there = negotiation_there(in, negotiation);
	if (!there)
		reason = READ_ONCE(in->dead) ? IPSEC_REQUEST_REASON_NO_SA :
					       negotiation_refused(in, negotiation->uid);
	if (!there && !reason) {
		negotiation->id = ++in->next_negotiation;
		/* under the lock, as an answer must not come before it is in the list */
		if (!ipsec_event_negotiation(in, negotiation))
			reason = IPSEC_REQUEST_REASON_NO_SA;
	}
	if (!there && !reason) {
		WRITE_ONCE(required->negotiation, negotiation->id);
		list_add_tail(&negotiation->list, &in->negotiations);
		in->negotiation_count++;
		ipsec_count(in, IPSEC_COUNT_NEGOTIATIONS);
		if (!delayed_work_pending(&in->negotiations_end))
			schedule_delayed_work(&in->negotiations_end, HZ);
		negotiation = NULL;
	}
	spin_unlock_bh(&in->negotiations_lock);
	if (negotiation)
		negotiation_free(negotiation);
	return reason;
}

/* Under the lock. */
static void negotiation_remove(struct ipsec_net *in, struct ipsec_negotiation *negotiation)
{
	list_del(&negotiation->list);
	in->negotiation_count--;
}

/**
 * ipsec_negotiate_result - an agent answers
 * @in: where
 * @id: of the negotiation
 * @reason: IPSEC_REQUEST_REASON_NONE: there are SAs; else why there are none
 * @text: for people, or NULL
 *
 * Whether the SAs are as required is none of the agent's business.
 *
 * Context: process context, may sleep.
 * Return: 0, -ENOENT if there is no such negotiation any more.
 */
int ipsec_negotiate_result(struct ipsec_net *in, u64 id, enum ipsec_request_reason reason,
			   const char *text)
{
	struct ipsec_negotiation *negotiation, *found = NULL;
	bool waited;

	spin_lock_bh(&in->negotiations_lock);
	list_for_each_entry(negotiation, &in->negotiations, list) {
		if (negotiation->id == id) {
			found = negotiation;
			negotiation_remove(in, found);
			break;
		}
	}
	spin_unlock_bh(&in->negotiations_lock);
	if (!found)
		return -ENOENT;
	waited = ipsec_required_answer(in, found->sk, id, reason, text);
	negotiation_free(found);
	return waited ? 0 : -ENOENT;
}

/* Those whose time is over, or whose socket waits no more. */
static void negotiations_end(struct work_struct *work)
{
	struct ipsec_net *in = container_of(to_delayed_work(work), struct ipsec_net,
					    negotiations_end);
	struct ipsec_negotiation *negotiation, *after;
	const struct ipsec_required *required;
	LIST_HEAD(over);

	rcu_read_lock();
	spin_lock_bh(&in->negotiations_lock);
	list_for_each_entry_safe(negotiation, after, &in->negotiations, list) {
		required = ipsec_required_find(in, negotiation->sk);
		if (required && READ_ONCE(required->negotiation) == negotiation->id &&
		    time_before(jiffies, negotiation->until))
			continue;
		negotiation_remove(in, negotiation);
		list_add_tail(&negotiation->list, &over);
	}
	if (!list_empty(&in->negotiations) && !READ_ONCE(in->dead))
		schedule_delayed_work(&in->negotiations_end, HZ);
	spin_unlock_bh(&in->negotiations_lock);
	rcu_read_unlock();

	list_for_each_entry_safe(negotiation, after, &over, list) {
		ipsec_required_answer(in, negotiation->sk, negotiation->id,
				      IPSEC_REQUEST_REASON_TIMEOUT, NULL);
		negotiation_free(negotiation);
	}
}

/**
 * ipsec_negotiate_dump - the negotiations of a namespace
 * @skb: a message to be filled
 * @cb: where in the dump it is
 *
 * Context: process context.
 * Return: length of the message, 0 at the end, or a negative errno.
 */
int ipsec_negotiate_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ipsec_net *in = ipsec_net(sock_net(skb->sk));
	u64 *last = (u64 *)cb->ctx;
	struct ipsec_negotiation *negotiation;
	int err;

	do {
		err = 0;
		spin_lock_bh(&in->negotiations_lock);
		list_for_each_entry(negotiation, &in->negotiations, list) {
			if (negotiation->id <= *last)
				continue;
			err = ipsec_dump_negotiation(skb, cb, negotiation);
			if (err)
				break;
			*last = negotiation->id;
		}
		spin_unlock_bh(&in->negotiations_lock);
	} while (ipsec_dump_enlarge(skb, &err));
	return skb->len ?: err;
}

/**
 * ipsec_negotiate_init_net - make ready for negotiations in a namespace
 * @in: the namespace
 *
 * Context: process context.
 */
void ipsec_negotiate_init_net(struct ipsec_net *in)
{
	INIT_LIST_HEAD(&in->negotiations);
	spin_lock_init(&in->negotiations_lock);
	INIT_DELAYED_WORK(&in->negotiations_end, negotiations_end);
}

/**
 * ipsec_negotiate_exit_net - no more negotiations in a namespace
 * @in: the namespace, dead
 *
 * Context: process context, may sleep.
 */
void ipsec_negotiate_exit_net(struct ipsec_net *in)
{
	struct ipsec_negotiation *negotiation, *after;

	cancel_delayed_work_sync(&in->negotiations_end);
	list_for_each_entry_safe(negotiation, after, &in->negotiations, list)
		negotiation_free(negotiation);
}
