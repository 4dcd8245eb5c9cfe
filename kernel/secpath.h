/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_SECPATH_H
#define _IPSEC_SECPATH_H

#include <linux/types.h>

struct inet6_skb_parm;
struct inet_skb_parm;
struct ipsec_context;
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

#endif /* _IPSEC_SECPATH_H */
