// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that leave: which socket do they come from, and do they leave under what
 * it is latched to, and what is required of it? At POST_ROUTING they have the route
 * that they will take, with its SAs.
 */
#include <linux/ipsec_token.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/rtnetlink.h>

#include "context.h"
#include "hold.h"
#include "latch.h"
#include "netns.h"
#include "require.h"
#include "secpath.h"
#include "segment_judge.h"
#include "tcp.h"

/* Devices that send a packet through IP once more, and only then protect it. */
static bool sends_again(const struct net_device *dev)
{
	const char *kind = dev && dev->rtnl_link_ops ? dev->rtnl_link_ops->kind : "";

	return (dev && netif_is_l3_master(dev)) || !strcmp(kind, "xfrm") ||
	       !strcmp(kind, "vti") || !strcmp(kind, "vti6");
}

/* Will the packet be seen again in this namespace, and not in another one? */
static bool comes_by_again(const struct nf_hook_state *state)
{
	const struct rtnl_link_ops *ops;

	if (!sends_again(state->out))
		return false;
	ops = state->out->rtnl_link_ops;
	return !ops || !ops->get_link_net ||
	       net_eq(ops->get_link_net(state->out), state->net);
}

static enum ipsec_verdict segment_leaves(struct sk_buff *skb, struct sock *sk,
					 const struct nf_hook_state *state, enum ipsec_turn turn)
{
	struct ipsec_net *in = ipsec_net(state->net);
	struct ipsec_connection *connection = ipsec_connection_find(in, sk);
	struct ipsec_required *required = NULL;
	enum ipsec_verdict verdict;
	struct ipsec_context *context;
	bool latched, other = false;

	if (ipsec_required_remnant(sk))
		return IPSEC_VERDICT_REFUSE;
	if (ipsec_required_any(in)) {
		required = ipsec_required_of(in, sk);
		other = !required && ipsec_required_other(sk);
	}
	if (IS_ERR(required))
		return IPSEC_VERDICT_REFUSE;
	latched = connection && ipsec_connection_latched(connection);
	if (!latched && !required && !other)
		return IPSEC_VERDICT_PASS;
	context = ipsec_secpath_outbound(in, skb);
	if (!context && comes_by_again(state))
		return IPSEC_VERDICT_PASS;
	if (other)
		return ipsec_required_other_out(in, sk, skb, context);
	if (required) {
		verdict = ipsec_required_out(in, required, skb, context, turn != IPSEC_TURN_LAST);
		if (verdict != IPSEC_VERDICT_PASS || !latched)
			return verdict;
	}
	return ipsec_in_turn(in, connection, ipsec_latch_out(in, connection, context,
						       turn != IPSEC_TURN_LAST), turn);
}

/* The socket here that sends a packet, if it may be latched or under a request. */
static struct sock *sender(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct ipsec_net *in = ipsec_net(state->net);
	struct sock *sk = skb->sk;

	if (!net_eq(sock_net(sk), state->net) ||
	    (!atomic_read(&in->latched) && !ipsec_required_any(in) &&
	     !ipsec_required_remnant(sk)))
		return NULL;
	/* a SYN-ACK is the listener's */
	if (sk->sk_state == TCP_NEW_SYN_RECV)
		return inet_reqsk(sk)->rsk_listener;
	return sk_fullsock(sk) ? sk : NULL;
}

enum ipsec_verdict ipsec_judge_out(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum ipsec_turn turn)
{
	struct sock *sk = sender(skb, state);

	return sk ? segment_leaves(skb, sk, state, turn) : IPSEC_VERDICT_PASS;
}

static __always_inline bool passes_out(const struct sk_buff *skb,
				       const struct nf_hook_state *state)
{
	struct ipsec_connection *connection;
	const struct ipsec_context *context;
	const struct sock *sk = skb->sk;
	const struct ipsec_net *in;

	if (!sk)
		return true;
	if (ipsec_connection_none(sk))
		return true;
	in = ipsec_net_rcu(state->net);
	if (unlikely(!ipsec_connection_glance(in, sk, &connection)))
		return false;
	if (!connection)
		return true;
	return ipsec_latch_out_usual(connection, &context) &&
	       ipsec_secpath_outbound_is(skb, context) && likely(!ipsec_hold_releasing(in));
}

/* On its own, or others would pay for the registers that it needs. */
static noinline unsigned int hook_out_required(struct sk_buff *skb,
					       const struct nf_hook_state *state)
{
	if (!skb->sk ||
	    (!ipsec_required_may(ipsec_net_rcu(state->net), skb->sk) &&
	     !ipsec_required_remnant(skb->sk) && passes_out(skb, state)))
		return NF_ACCEPT;
	return ipsec_segment_judge(skb, state);
}

static __always_inline unsigned int hook_out(struct sk_buff *skb,
					     const struct nf_hook_state *state)
{
	if (static_branch_unlikely(&ipsec_required_used))
		return hook_out_required(skb, state);
	return passes_out(skb, state) ? NF_ACCEPT : ipsec_segment_judge(skb, state);
}

/* What has been protected comes by for the second time. */
unsigned int ipsec_hook_out4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return IPCB(skb)->flags & IPSKB_XFRM_TRANSFORMED ? NF_ACCEPT : hook_out(skb, state);
}

unsigned int ipsec_hook_out6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return IP6CB(skb)->flags & IP6SKB_XFRM_TRANSFORMED ? NF_ACCEPT : hook_out(skb, state);
}
