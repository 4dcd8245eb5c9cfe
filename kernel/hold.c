// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets of latched connections that came, or are about to leave, under an SA
 * of which no agent has told yet.
 *
 * When keys are renewed, traffic uses the new SA at once, and the agent tells a
 * little later that it succeeds the old one. Refusing packets meanwhile would
 * make TCP believe in congestion with every rekeying. So they wait, in order, for
 * the next binding, but no longer than HOLD_TIME and no more than MAX_BYTES of
 * them; then they are refused.
 */
#include <linux/list.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/slab.h>
#include <net/dst.h>
#include <net/sock.h>

#include "hold.h"
#include "netns.h"
#include "segment.h"

#define HOLD_TIME	HZ
#define MAX_BYTES	(8 << 20)

/**
 * struct held - a packet that waits
 * @list: in &ipsec_net.held
 * @skb: the packet
 * @state: where in netfilter it is, with references
 * @until: jiffies when it is refused
 */
struct held {
	struct list_head list;
	struct sk_buff *skb;
	struct nf_hook_state state;
	unsigned long until;
};

static unsigned int held_size(const struct held *held)
{
	return held->skb->truesize + sizeof(*held);
}

/**
 * ipsec_hold - let a packet wait
 * @in: where
 * @skb: the packet, which is taken over
 * @state: where in netfilter it is
 *
 * Context: any but hard interrupts, under RCU.
 * Return: whether it waits; if not, there is no room, and it is still the
 * caller's.
 */
bool ipsec_hold(struct ipsec_net *in, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct held *held;
	bool room;

	if (!skb_dst_force(skb) && skb_dst(skb))
		return false;
	held = kmalloc(sizeof(*held), GFP_ATOMIC);
	if (!held)
		return false;
	held->skb = skb;
	held->state = *state;
	held->until = jiffies + HOLD_TIME;
	if (state->sk && !refcount_inc_not_zero(&state->sk->sk_refcnt)) {
		kfree(held);
		return false;
	}
	dev_hold(state->in);
	dev_hold(state->out);

	spin_lock_bh(&in->held_lock);
	room = !READ_ONCE(in->dead) && in->held_bytes + held_size(held) <= MAX_BYTES;
	if (room) {
		in->held_bytes += held_size(held);
		list_add_tail(&held->list, &in->held);
		schedule_delayed_work(&in->release, HOLD_TIME);
	}
	spin_unlock_bh(&in->held_lock);

	if (room) {
		ipsec_count(in, IPSEC_COUNT_LATCH_HELD);
		return true;
	}
	dev_put(state->out);
	dev_put(state->in);
	if (state->sk)
		sock_gen_put(state->sk);
	kfree(held);
	return false;
}

static void held_free(struct held *held)
{
	dev_put(held->state.out);
	dev_put(held->state.in);
	if (held->state.sk)
		sock_gen_put(held->state.sk);
	kfree(held);
}

/* One after the other, as they came; what has to wait on stays in place. */
static void hold_release(struct work_struct *work)
{
	struct ipsec_net *in = container_of(to_delayed_work(work), struct ipsec_net, release);
	unsigned long next = HOLD_TIME;
	struct held *held, *after;
	LIST_HEAD(list);
	LIST_HEAD(still);

	spin_lock_bh(&in->held_lock);
	list_splice_init(&in->held, &list);
	spin_unlock_bh(&in->held_lock);

	local_bh_disable();
	rcu_read_lock();
	list_for_each_entry_safe(held, after, &list, list) {
		unsigned int size = held_size(held);

		if (READ_ONCE(in->dead)) {
			kfree_skb(held->skb);
		} else if (!ipsec_segment_again(held->skb, &held->state,
						time_after_eq(jiffies, held->until))) {
			list_move_tail(&held->list, &still);
			next = min_t(unsigned long, next, held->until - jiffies);
			continue;
		}
		list_del(&held->list);
		held_free(held);
		spin_lock(&in->held_lock);
		in->held_bytes -= size;
		spin_unlock(&in->held_lock);
	}
	rcu_read_unlock();

	spin_lock(&in->held_lock);
	list_splice(&still, &in->held);
	if (!list_empty(&in->held) && !READ_ONCE(in->dead))
		schedule_delayed_work(&in->release, next);
	spin_unlock(&in->held_lock);
	local_bh_enable();
}

/**
 * ipsec_hold_release - an identity has become known
 * @in: where
 *
 * Context: any but hard interrupts.
 */
void ipsec_hold_release(struct ipsec_net *in)
{
	spin_lock_bh(&in->held_lock);
	if (in->held_bytes && !READ_ONCE(in->dead))
		mod_delayed_work(system_wq, &in->release, 0);
	spin_unlock_bh(&in->held_lock);
}

/**
 * ipsec_hold_init_net - make ready for packets that wait
 * @in: the namespace
 *
 * Context: process context.
 */
void ipsec_hold_init_net(struct ipsec_net *in)
{
	INIT_LIST_HEAD(&in->held);
	spin_lock_init(&in->held_lock);
	INIT_DELAYED_WORK(&in->release, hold_release);
}

/**
 * ipsec_hold_pre_exit_net - nothing waits any more
 * @in: the namespace, dead
 *
 * Context: process context, may sleep. Devices must not be held any longer.
 */
void ipsec_hold_pre_exit_net(struct ipsec_net *in)
{
	/* whoever does not see that it is dead adds before this */
	spin_lock_bh(&in->held_lock);
	spin_unlock_bh(&in->held_lock);
	cancel_delayed_work_sync(&in->release);
	hold_release(&in->release.work);
}
