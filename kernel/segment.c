// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where packets are seen: last of all at LOCAL_IN, before TCP and UDP get them, and
 * last of all at POST_ROUTING. May they go on? That is asked of every segment of a
 * connection that is there (see latch.c), and of what comes to and from a socket
 * that something is required of; segment_in.c and segment_out.c know the answer.
 */
#include <linux/ipsec_token.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>

#include "hold.h"
#include "latch.h"
#include "netns.h"
#include "require.h"
#include "segment.h"
#include "segment_judge.h"

static bool is_ours(const struct nf_hook_entry *entry)
{
	return entry->hook == ipsec_hook_in4 || entry->hook == ipsec_hook_in6 ||
	       entry->hook == ipsec_hook_out4 || entry->hook == ipsec_hook_out6;
}

/**
 * ipsec_hook_continue - what would happen if the hook that is at work accepted a packet
 * @skb: the packet, which is taken over
 * @at: where in netfilter it is
 *
 * Context: softirq or with BH disabled, under RCU.
 */
void ipsec_hook_continue(struct sk_buff *skb, const struct nf_hook_state *at)
{
	const struct nf_hook_entries *entries;
	struct nf_hook_state state = *at;
	unsigned int i;
	int ret = 1;

	if (state.pf == NFPROTO_IPV4)
		entries = rcu_dereference(state.net->nf.hooks_ipv4[state.hook]);
	else
		entries = rcu_dereference(state.net->nf.hooks_ipv6[state.hook]);
	/* none of ours is left if the module or the namespace is about to go */
	for (i = 0; entries && i < entries->num_hook_entries; i++) {
		if (!is_ours(&entries->hooks[i]))
			continue;
		if (i + 1 < entries->num_hook_entries)
			ret = nf_hook_slow(skb, &state, entries, i + 1);
		break;
	}
	if (ret == 1)
		state.okfn(state.net, state.sk, skb);
}

static enum ipsec_verdict judge(struct sk_buff *skb, const struct nf_hook_state *state,
				enum ipsec_turn turn)
{
	if (state->hook == NF_INET_LOCAL_IN)
		return state->pf == NFPROTO_IPV4 ? ipsec_judge_in4(skb, state, turn) :
						   ipsec_judge_in6(skb, state, turn);
	return ipsec_judge_out(skb, state, turn);
}

/* Who sends is told why that failed, unless it may just be lost. */
static unsigned int refuse(struct sk_buff *skb, const struct nf_hook_state *state)
{
	int err = 1;

	if (state->hook == NF_INET_POST_ROUTING)
		err = ipsec_required_error(ipsec_net(state->net), skb);
	if (err < 0)
		return NF_DROP_ERR(err);
	if (err)
		return NF_DROP;
	kfree_skb(skb);
	return NF_STOLEN;
}

static unsigned int segment_verdict(struct sk_buff *skb, const struct nf_hook_state *state)
{
	enum ipsec_verdict verdict = judge(skb, state, IPSEC_TURN_FIRST);

	if (unlikely(verdict == IPSEC_VERDICT_WAIT || verdict == IPSEC_VERDICT_BEHIND)) {
		if (ipsec_hold(ipsec_net(state->net), skb, state,
			       verdict == IPSEC_VERDICT_BEHIND))
			return NF_STOLEN;
		verdict = judge(skb, state, IPSEC_TURN_LAST);
	}
	switch (verdict) {
	case IPSEC_VERDICT_PASS:
		return NF_ACCEPT;
	case IPSEC_VERDICT_TAKEN:
		return NF_STOLEN;
	default:
		return refuse(skb, state);
	}
}

/**
 * ipsec_segment_judge - say whether a packet may go on
 * @skb: the packet, one of those that do not pass at once
 * @state: where in netfilter it is
 *
 * Context: any but hard interrupts, under RCU.
 * Return: netfilter's verdict.
 */
unsigned int ipsec_segment_judge(struct sk_buff *skb, const struct nf_hook_state *state)
{
	unsigned int verdict;

	if (likely(state->hook != NF_INET_LOCAL_IN || in_softirq()))
		return segment_verdict(skb, state);

	/* A program had it queued: others must not come between here and TCP either. */
	local_bh_disable();
	verdict = segment_verdict(skb, state);
	if (verdict == NF_ACCEPT) {
		ipsec_hook_continue(skb, state);
		verdict = NF_STOLEN;
	}
	local_bh_enable();
	return verdict;
}

/**
 * ipsec_segment_again - a packet has waited
 * @skb: the packet, which is taken over
 * @state: where in netfilter it waited
 * @last: it must not wait any longer
 *
 * Context: process context with BH disabled, under RCU.
 * Return: whether it has been dealt with; if not, it has to wait on.
 */
bool ipsec_segment_again(struct sk_buff *skb, const struct nf_hook_state *state, bool last)
{
	switch (judge(skb, state, last ? IPSEC_TURN_LAST : IPSEC_TURN_AGAIN)) {
	case IPSEC_VERDICT_WAIT:
		return false;
	case IPSEC_VERDICT_PASS:
		ipsec_hook_continue(skb, state);
		return true;
	case IPSEC_VERDICT_TAKEN:
		return true;
	default:
		kfree_skb(skb);
		return true;
	}
}

#define HOOK(function, family, where) {			\
	.hook = (function),				\
	.pf = (family),					\
	.hooknum = (where),				\
	.priority = INT_MAX,				\
}

static const struct nf_hook_ops segment_hooks[] = {
	HOOK(ipsec_hook_in4, NFPROTO_IPV4, NF_INET_LOCAL_IN),
	HOOK(ipsec_hook_in6, NFPROTO_IPV6, NF_INET_LOCAL_IN),
	HOOK(ipsec_hook_out4, NFPROTO_IPV4, NF_INET_POST_ROUTING),
	HOOK(ipsec_hook_out6, NFPROTO_IPV6, NF_INET_POST_ROUTING),
};

/**
 * ipsec_segment_watch - begin to see segments in a namespace
 * @net: the namespace
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative errno.
 */
int ipsec_segment_watch(struct net *net)
{
	return nf_register_net_hooks(net, segment_hooks, ARRAY_SIZE(segment_hooks));
}

/**
 * ipsec_segment_unwatch - undo ipsec_segment_watch()
 * @net: the namespace
 *
 * Context: process context, may sleep.
 */
void ipsec_segment_unwatch(struct net *net)
{
	nf_unregister_net_hooks(net, segment_hooks, ARRAY_SIZE(segment_hooks));
}
