// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a packet to its context: by the SAs that decapsulated it, which xfrm
 * has put down in its secpath, and by nothing else; or, of a packet about to be
 * sent, by the SAs that its route leads through.
 */
#include <linux/ip.h>
#include <linux/ipsec_token.h>
#include <linux/ipv6.h>
#include <net/ip.h>
#include <net/udp.h>
#include <net/xfrm.h>

#include "context.h"
#include "netns.h"
#include "path.h"
#include "secpath.h"

/* Is the packet between the very hosts that a tunnel is between? */
static bool is_between_ends(const struct sk_buff *skb, const struct xfrm_state *x)
{
	if (skb->protocol == htons(ETH_P_IP))
		return x->props.family == AF_INET &&
		       ip_hdr(skb)->daddr == x->id.daddr.a4 &&
		       ip_hdr(skb)->saddr == x->props.saddr.a4;
	return x->props.family == AF_INET6 &&
	       ipv6_addr_equal(&ipv6_hdr(skb)->daddr, &x->id.daddr.in6) &&
	       ipv6_addr_equal(&ipv6_hdr(skb)->saddr, &x->props.saddr.in6);
}

static bool is_sa(const struct xfrm_state *x)
{
	return x->id.proto == IPPROTO_ESP || x->id.proto == IPPROTO_AH ||
	       x->id.proto == IPPROTO_COMP;
}

/**
 * ipsec_secpath_reassembled - was the packet put together from fragments
 * @skb: the packet
 * @h4: where the layer that has it now keeps the IPv4 part of skb->cb
 * @h6: likewise for IPv6
 *
 * Return: whether it was, since IP last saw it arrive.
 */
bool ipsec_secpath_reassembled(const struct sk_buff *skb,
			       const struct inet_skb_parm *h4,
			       const struct inet6_skb_parm *h6)
{
	return skb->protocol == htons(ETH_P_IP) ? h4->frag_max_size : h6->frag_max_size;
}

/**
 * ipsec_secpath_context - the context that a packet came under
 * @in: namespace of who received it
 * @skb: the packet, as the transport protocol has it
 * @reassembled: from ipsec_secpath_reassembled()
 *
 * The secpath of a packet that was reassembled is that of one fragment. It
 * holds for all of the packet where the SAs are in transport mode, since they
 * were applied to the whole. It says nothing of the other fragments where they
 * came out of a tunnel.
 *
 * Context: any but hard interrupts, under RCU. May allocate.
 * Return: the context; NULL if the packet came unprotected; ERR_PTR(-ENODATA),
 * which is counted by its cause, if that is not known.
 */
struct ipsec_context *ipsec_secpath_context(struct ipsec_net *in,
					    const struct sk_buff *skb,
					    bool reassembled)
{
	const struct sec_path *sp = skb_sec_path(skb);
	struct ipsec_path_key key = { .end_to_end = true };
	struct ipsec_path *path;
	bool is_ipsec = false;
	int i;

	if (!sp || !sp->len)
		return NULL;

	for (i = 0; i < sp->len; i++) {
		struct xfrm_state *x = sp->xvec[i];

		if (WARN_ON_ONCE(!net_eq(xs_net(x), in->net)))
			return ERR_PTR(-ENODATA);
		is_ipsec |= is_sa(x);
		if (x->props.mode == XFRM_MODE_TRANSPORT)
			continue;
		if (reassembled) {
			ipsec_count(in, IPSEC_COUNT_UNKNOWN_FRAGMENTS);
			return ERR_PTR(-ENODATA);
		}
		key.end_to_end &= is_between_ends(skb, x);
	}
	if (!is_ipsec)
		return NULL;

	key.x = sp->xvec;
	key.nr = sp->len;
	path = ipsec_path_find(in, &key);
	return path ? path->context : ipsec_context_add_path(in, &key);
}

/**
 * ipsec_secpath_datagram - the context that a datagram came under
 * @in: namespace of who received it
 * @skb: the datagram, from a UDP socket's queue
 *
 * Context: any but hard interrupts, under RCU. May allocate.
 * Return: as ipsec_secpath_context().
 */
struct ipsec_context *ipsec_secpath_datagram(struct ipsec_net *in, const struct sk_buff *skb)
{
	const struct udp_skb_cb *cb = UDP_SKB_CB(skb);

	return ipsec_secpath_context(in, skb, ipsec_secpath_reassembled(skb, &cb->header.h4,
								       &cb->header.h6));
}

/**
 * ipsec_secpath_outbound - the context that a packet is about to leave under
 * @in: namespace of who sends it
 * @skb: the packet, as the transport protocol has made it, with its route
 *
 * Context: any but hard interrupts, under RCU. May allocate.
 * Return: as ipsec_secpath_context().
 */
struct ipsec_context *ipsec_secpath_outbound(struct ipsec_net *in,
					     const struct sk_buff *skb)
{
	struct ipsec_path_key key = { .outbound = true, .end_to_end = true };
	struct xfrm_state *x[XFRM_MAX_DEPTH];
	const struct dst_entry *dst;
	struct ipsec_path *path;
	bool is_ipsec = false;
	int first = XFRM_MAX_DEPTH;

	/* a route applies the innermost SA first; a path begins with the outermost */
	for (dst = skb_dst(skb); dst && dst->xfrm; dst = xfrm_dst_child(dst)) {
		if (!first || WARN_ON_ONCE(!net_eq(xs_net(dst->xfrm), in->net)))
			return ERR_PTR(-ENODATA);
		x[--first] = dst->xfrm;
		is_ipsec |= is_sa(dst->xfrm);
		if (dst->xfrm->props.mode != XFRM_MODE_TRANSPORT)
			key.end_to_end &= is_between_ends(skb, dst->xfrm);
	}
	if (!is_ipsec)
		return NULL;

	key.x = x + first;
	key.nr = XFRM_MAX_DEPTH - first;
	path = ipsec_path_find(in, &key);
	return path ? path->context : ipsec_context_add_path(in, &key);
}
