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
 *
 * From a binding on until they have gone on, what comes next waits behind them, or
 * it would overtake them. Not before that: otherwise anybody with an SA that no
 * one tells of could delay what is somebody else's.
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

/* Longer than that, order is not kept up. */
#define RELEASE_TIME	(HZ / 4)

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
 * @behind: not for an identity, but until those before it have gone on
 *
 * Context: any but hard interrupts, under RCU.
 * Return: whether it has been taken over; if not, there is no room, or no need, and
 * it is still the caller's.
 */
bool ipsec_hold(struct ipsec_net *in, struct sk_buff *skb, const struct nf_hook_state *state,
		bool behind)
{
	struct held *held;
	bool room;

	/* as where netfilter queues packets: its route is about to go */
	if (skb_dst(skb) && !skb_dst_force(skb)) {
		kfree_skb(skb);
		return true;
	}
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
	room = !READ_ONCE(in->dead) && in->held_bytes + held_size(held) <= MAX_BYTES &&
	       (!behind || ipsec_hold_releasing(in));
	if (room) {
		in->held_bytes += held_size(held);
		in->held_behind += behind;
		list_add_tail(&held->list, &in->held);
		schedule_delayed_work(&in->release, HOLD_TIME);
	}
	spin_unlock_bh(&in->held_lock);

	if (room) {
		if (!behind)
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

/**
 * struct release - packets going on
 * @in: where
 * @still: those that have to wait on
 * @next: in how many jiffies the first of them must not any longer
 * @until: jiffies up to when order is kept up
 */
struct release {
	struct ipsec_net *in;
	struct list_head still;
	unsigned long next;
	unsigned long until;
};

static void release_packets(struct release *release, struct list_head *list)
{
	struct ipsec_net *in = release->in;
	struct held *held, *after;

	list_for_each_entry_safe(held, after, list, list) {
		unsigned int size = held_size(held);
		unsigned long now = jiffies;

		if (READ_ONCE(in->dead)) {
			kfree_skb(held->skb);
		} else if (!ipsec_segment_again(held->skb, &held->state,
						time_after_eq(now, held->until))) {
			list_move_tail(&held->list, &release->still);
			release->next = min(release->next, held->until - now);
			continue;
		}
		list_del(&held->list);
		held_free(held);
		spin_lock(&in->held_lock);
		in->held_bytes -= size;
		spin_unlock(&in->held_lock);
	}
}

/*
 * One after the other, as they came; what has to wait on stays in place. Return:
 * whether that was all.
 */
static bool release_round(struct release *release)
{
	struct ipsec_net *in = release->in;
	unsigned int ended;
	LIST_HEAD(list);
	bool last;

	spin_lock(&in->held_lock);
	list_splice_init(&in->held, &list);
	in->held_behind = 0;
	ended = in->binds_ended;
	spin_unlock(&in->held_lock);

	release_packets(release, &list);

	spin_lock(&in->held_lock);
	last = !in->held_behind || time_after(jiffies, release->until);
	if (last) {
		WRITE_ONCE(in->held_releasing, in->binds_begun != ended);
		if (in->held_behind)
			release->next = 0;
		list_splice(&release->still, &in->held);
		if (!list_empty(&in->held) && !READ_ONCE(in->dead))
			schedule_delayed_work(&in->release, release->next);
	}
	spin_unlock(&in->held_lock);
	return last;
}

static void hold_release(struct work_struct *work)
{
	struct release release = {
		.in = container_of(to_delayed_work(work), struct ipsec_net, release),
		.still = LIST_HEAD_INIT(release.still),
		.next = HOLD_TIME,
		.until = jiffies + RELEASE_TIME,
	};
	bool last;

	do {
		local_bh_disable();
		rcu_read_lock();
		last = release_round(&release);
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	} while (!last);
}

/**
 * ipsec_hold_bind_begin - an identity is about to become known
 * @in: where
 *
 * Context: any but hard interrupts.
 * Return: what to give to ipsec_hold_bind_end().
 */
bool ipsec_hold_bind_begin(struct ipsec_net *in)
{
	bool begun;

	spin_lock_bh(&in->held_lock);
	begun = in->held_bytes;
	if (begun) {
		in->binds_begun++;
		WRITE_ONCE(in->held_releasing, true);
	}
	spin_unlock_bh(&in->held_lock);
	return begun;
}

/**
 * ipsec_hold_bind_end - an identity has become known
 * @in: where
 * @begun: from ipsec_hold_bind_begin()
 *
 * Context: any but hard interrupts.
 */
void ipsec_hold_bind_end(struct ipsec_net *in, bool begun)
{
	spin_lock_bh(&in->held_lock);
	in->binds_ended += begun;
	/* also where nothing waits any more, to find that it is over */
	if ((begun || in->held_bytes) && !READ_ONCE(in->dead))
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
