// SPDX-License-Identifier: GPL-2.0-only
/*
 * Negotiations: a socket may not send because there are no SAs, and a keying
 * agent is asked for them.
 *
 * It is asked once for each socket and destination, until it has answered or time
 * is up. Any user may bring this about, so how often a user does is limited, and so
 * is how many there are. Where no agent listens there is nothing to wait for.
 */
#include <linux/ipsec_token.h>
#include <linux/jhash.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/netlink.h>
#include <net/sock.h>

#include "event.h"
#include "negotiation.h"
#include "netns.h"
#include "request.h"
#include "ward.h"

static unsigned int max_negotiations = 4096;
module_param(max_negotiations, uint, 0644);
MODULE_PARM_DESC(max_negotiations, "Most negotiations asked for per network namespace");

/* Of one socket, each for another destination. */
#define MAX_PER_SOCKET	16

/* So many at once, and so many each second, for one user. */
#define BURST		64
#define PER_SECOND	8

/* How long an answer holds. */
#define ANSWER_TIME	HZ

/**
 * struct allowance - what a user may ask for
 * @stamp: jiffies up to when it has been given
 * @tokens: what is left of it, in jiffies
 */
struct allowance {
	unsigned long stamp;
	unsigned long tokens;
};

/* Users whose ids have the same hash share one: there are as many as fit. */
static struct allowance allowances[1024];
static DEFINE_SPINLOCK(allowance_lock);
static u32 allowance_seed;

static bool user_may(kuid_t uid)
{
	u32 hash = jhash_1word(__kuid_val(uid), allowance_seed) % ARRAY_SIZE(allowances);
	const unsigned long price = HZ / PER_SECOND, most = price * BURST;
	struct allowance *allowance = &allowances[hash];
	bool may;

	spin_lock_bh(&allowance_lock);
	allowance->tokens = min(most, allowance->tokens + (jiffies - allowance->stamp));
	allowance->stamp = jiffies;
	may = allowance->tokens >= price;
	if (may)
		allowance->tokens -= price;
	spin_unlock_bh(&allowance_lock);
	return may;
}

/* Under &ipsec_net.ward_lock. */
static struct ipsec_negotiation *negotiation_find(const struct ipsec_ward *ward,
						  const struct ipsec_flow *flow)
{
	struct ipsec_negotiation *negotiation;

	list_for_each_entry(negotiation, &ward->negotiations, list)
		if (negotiation->flow.family == flow->family &&
		    negotiation->flow.protocol == flow->protocol &&
		    negotiation->flow.peer_port == flow->peer_port &&
		    !memcmp(&negotiation->flow.peer, &flow->peer, sizeof(flow->peer)))
			return negotiation;
	return NULL;
}

/* Under &ipsec_net.ward_lock. */
static void negotiation_end(struct ipsec_net *in, struct ipsec_negotiation *negotiation)
{
	list_del(&negotiation->list);
	negotiation->ward->nr_negotiations--;
	xa_erase_bh(&in->negotiations, negotiation->id);
	in->negotiation_count--;
	ipsec_request_put(negotiation->request);
	kfree(negotiation);
}

/* Under &ipsec_net.ward_lock. */
static struct ipsec_negotiation *negotiation_begin(struct ipsec_net *in, struct ipsec_ward *ward,
						   struct ipsec_request *request,
						   const struct ipsec_flow *flow)
{
	struct ipsec_negotiation *negotiation;

	if (in->negotiation_count >= READ_ONCE(max_negotiations) ||
	    ward->nr_negotiations >= MAX_PER_SOCKET || READ_ONCE(in->dead) ||
	    !user_may(ward->sk->sk_uid))
		return NULL;
	negotiation = kzalloc(sizeof(*negotiation), GFP_ATOMIC);
	if (!negotiation)
		return NULL;
	negotiation->ward = ward;
	negotiation->flow = *flow;
	negotiation->id = in->next_negotiation;
	negotiation->uid = ward->sk->sk_uid;
	negotiation->until = jiffies + request->timeout;
	if (xa_err(xa_store_bh(&in->negotiations, negotiation->id, negotiation, GFP_ATOMIC))) {
		kfree(negotiation);
		return NULL;
	}
	negotiation->request = ipsec_request_get(request);
	in->next_negotiation++;
	in->negotiation_count++;
	ward->nr_negotiations++;
	list_add_tail(&negotiation->list, &ward->negotiations);
	schedule_delayed_work(&in->ward_work, HZ / 10);
	return negotiation;
}

/**
 * ipsec_negotiation_ask - a socket needs SAs that are not there
 * @in: where
 * @ward: the socket's record, found under RCU
 * @request: what is required of them
 * @flow: for what they are needed
 *
 * Context: any but hard interrupts, under RCU.
 * Return: IPSEC_NEGOTIATION_WAIT; or enum ipsec_request_reason, why there won't be
 * any.
 */
u8 ipsec_negotiation_ask(struct ipsec_net *in, struct ipsec_ward *ward,
			 struct ipsec_request *request, const struct ipsec_flow *flow)
{
	struct ipsec_negotiation *negotiation, copy;
	u8 reason = IPSEC_NEGOTIATION_WAIT;
	bool tell = false;

	spin_lock_bh(&in->ward_lock);
	negotiation = negotiation_find(ward, flow);
	if (negotiation) {
		reason = negotiation->reason;
		/* they were said to be there, and are not */
		if (!reason && negotiation->answered &&
		    time_after(jiffies, negotiation->answered + ANSWER_TIME)) {
			negotiation_end(in, negotiation);
			negotiation = NULL;
		}
	}
	if (!negotiation) {
		reason = IPSEC_REQUEST_REASON_NO_SA;
		if (ipsec_event_heard(in)) {
			negotiation = negotiation_begin(in, ward, request, flow);
			tell = negotiation;
			reason = tell ? IPSEC_NEGOTIATION_WAIT : IPSEC_REQUEST_REASON_LIMIT;
		}
	}
	if (tell) {
		copy = *negotiation;
		ipsec_request_get(copy.request);
	}
	spin_unlock_bh(&in->ward_lock);

	if (tell) {
		ipsec_count(in, IPSEC_COUNT_REQUEST_ASKED);
		ipsec_event_request(in, &copy);
		ipsec_request_put(copy.request);
	} else if (reason == IPSEC_REQUEST_REASON_LIMIT) {
		ipsec_count(in, IPSEC_COUNT_REQUEST_LIMIT);
	}
	return reason;
}

/**
 * ipsec_negotiation_answer - an agent says what came of a negotiation
 * @in: where
 * @id: of the negotiation
 * @reason: enum ipsec_request_reason; NONE: the SAs are there
 * @text: in words, is taken over; or NULL
 * @extack: for a message
 *
 * Context: process context.
 * Return: 0; -ENOENT if nobody waits for it, or not any more.
 */
int ipsec_negotiation_answer(struct ipsec_net *in, u64 id, u8 reason, char *text,
			     struct netlink_ext_ack *extack)
{
	struct ipsec_negotiation *negotiation = NULL;
	struct ipsec_ward *ward;

	rcu_read_lock();
	spin_lock_bh(&in->ward_lock);
	if (id == (unsigned long)id)
		negotiation = xa_load(&in->negotiations, id);
	if (!negotiation || negotiation->reason) {
		spin_unlock_bh(&in->ward_lock);
		rcu_read_unlock();
		kfree(text);
		NL_SET_ERR_MSG(extack, "no such negotiation, or nobody waits for it any more");
		return -ENOENT;
	}
	ward = negotiation->ward;
	if (reason) {
		negotiation->reason = reason;
		negotiation->until = jiffies + ANSWER_TIME;
	} else {
		negotiation->answered = jiffies ?: 1;
		ipsec_ward_retry(in, ward);
	}
	spin_unlock_bh(&in->ward_lock);
	if (reason) {
		ipsec_ward_say(ward, reason, text);
		ipsec_ward_fail(in, ward, reason);
	} else {
		kfree(text);
	}
	rcu_read_unlock();
	return 0;
}

/**
 * ipsec_negotiation_waiting - does a socket wait for SAs
 * @ward: its record
 *
 * Context: under &ipsec_net.ward_lock.
 * Return: whether it does.
 */
bool ipsec_negotiation_waiting(const struct ipsec_ward *ward)
{
	const struct ipsec_negotiation *negotiation;

	list_for_each_entry(negotiation, &ward->negotiations, list)
		if (!negotiation->reason && !negotiation->answered)
			return true;
	return false;
}

/**
 * ipsec_negotiation_expire - end those that nobody waits for any more
 * @in: where
 *
 * Context: process context.
 * Return: whether some are left.
 */
bool ipsec_negotiation_expire(struct ipsec_net *in)
{
	struct ipsec_negotiation *negotiation;
	struct ipsec_ward *ward;
	unsigned long id;
	bool left = false, late;

	rcu_read_lock();
	spin_lock_bh(&in->ward_lock);
	xa_for_each(&in->negotiations, id, negotiation) {
		if (time_before(jiffies, negotiation->until)) {
			left = true;
			continue;
		}
		ward = negotiation->ward;
		late = !negotiation->reason && !negotiation->answered &&
		       ward->sk->sk_protocol == IPPROTO_UDP;
		if (!late) {
			negotiation_end(in, negotiation);
			continue;
		}
		/* who sends once more is told */
		negotiation->reason = IPSEC_REQUEST_REASON_TIMEOUT;
		negotiation->until = jiffies + ANSWER_TIME;
		left = true;
		spin_unlock_bh(&in->ward_lock);
		ipsec_ward_fail(in, ward, IPSEC_REQUEST_REASON_TIMEOUT);
		spin_lock_bh(&in->ward_lock);
	}
	spin_unlock_bh(&in->ward_lock);
	rcu_read_unlock();
	return left;
}

/**
 * ipsec_negotiation_end_all - a socket needs nothing any more
 * @in: where
 * @ward: its record
 *
 * Context: any but hard interrupts.
 */
void ipsec_negotiation_end_all(struct ipsec_net *in, struct ipsec_ward *ward)
{
	struct ipsec_negotiation *negotiation, *next;

	spin_lock_bh(&in->ward_lock);
	list_for_each_entry_safe(negotiation, next, &ward->negotiations, list)
		negotiation_end(in, negotiation);
	spin_unlock_bh(&in->ward_lock);
}

/**
 * ipsec_negotiation_init - make ready for negotiations
 *
 * Context: process context.
 */
void ipsec_negotiation_init(void)
{
	unsigned int i;

	allowance_seed = get_random_u32();
	for (i = 0; i < ARRAY_SIZE(allowances); i++) {
		allowances[i].stamp = jiffies;
		allowances[i].tokens = BURST * (HZ / PER_SECOND);
	}
}

/**
 * ipsec_negotiation_init_net - make ready for negotiations in a namespace
 * @in: the namespace
 *
 * Context: process context.
 */
void ipsec_negotiation_init_net(struct ipsec_net *in)
{
	xa_init_flags(&in->negotiations, XA_FLAGS_LOCK_BH);
	in->next_negotiation = 1;
}
