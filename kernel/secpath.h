/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_SECPATH_H
#define _IPSEC_SECPATH_H

#include <linux/types.h>
#include <net/xfrm.h>

#include "context.h"

struct inet6_skb_parm;
struct inet_skb_parm;
struct ipsec_net;
struct sk_buff;

struct ipsec_context *ipsec_secpath_context(struct ipsec_net *in,
					    const struct sk_buff *skb,
					    bool reassembled);
struct ipsec_context *ipsec_secpath_datagram(struct ipsec_net *in, const struct sk_buff *skb);
struct ipsec_context *ipsec_secpath_outbound(struct ipsec_net *in,
					     const struct sk_buff *skb);
bool ipsec_secpath_reassembled(const struct sk_buff *skb,
			       const struct inet_skb_parm *h4,
			       const struct inet6_skb_parm *h6);

/**
 * ipsec_secpath_is - has a packet come under this context
 * @skb: the packet
 * @context: found under RCU
 *
 * Context: under RCU.
 * Return: true if it has; false says nothing.
 */
static inline bool ipsec_secpath_is(const struct sk_buff *skb, const struct ipsec_context *context)
{
	const struct sec_path *sp = skb_sec_path(skb);

	return sp && sp->len == 1 && sp->xvec[0] == READ_ONCE(context->newest[false]);
}

/**
 * ipsec_secpath_outbound_is - is a packet about to leave under this context
 * @skb: the packet, with its route
 * @context: found under RCU
 *
 * Context: under RCU.
 * Return: as ipsec_secpath_is().
 */
static inline bool ipsec_secpath_outbound_is(const struct sk_buff *skb,
					     const struct ipsec_context *context)
{
	const struct dst_entry *dst = skb_dst(skb), *child;

	if (!dst || !dst->xfrm || dst->xfrm != READ_ONCE(context->newest[true]))
		return false;
	child = xfrm_dst_child(dst);
	return !child || !child->xfrm;
}

#endif /* _IPSEC_SECPATH_H */
