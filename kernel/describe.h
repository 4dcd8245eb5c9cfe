/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_DESCRIBE_H
#define _IPSEC_DESCRIBE_H

#include <linux/types.h>

#include "tcp.h"

struct ipsec_context;
struct ipsec_identity;
struct ipsec_negotiation;
struct ipsec_net;
struct sk_buff;
struct sock;
struct xfrm_state;

/* Room for a context with all that is ever told of one. */
#define IPSEC_DESCRIPTION_SIZE	SKB_WITH_OVERHEAD(32768)

int ipsec_describe_context(struct sk_buff *skb, struct ipsec_net *in,
			   struct ipsec_context *context, bool admin);
int ipsec_describe_identity(struct sk_buff *skb, const struct xfrm_state *x,
			    const struct ipsec_identity *identity);
int ipsec_describe_connection(struct sk_buff *skb, struct ipsec_net *in,
			      const struct ipsec_connection *connection, bool latch);
int ipsec_describe_listener(struct sk_buff *skb, const struct sock *sk);
int ipsec_describe_latch_event(struct sk_buff *skb, const struct ipsec_connection *connection,
			       const struct ipsec_context *seen);
int ipsec_describe_negotiation(struct sk_buff *skb, const struct ipsec_net *in,
			       const struct ipsec_negotiation *negotiation);
int ipsec_describe_config(struct sk_buff *skb, const struct ipsec_net *in);
int ipsec_describe_algorithm(struct sk_buff *skb, u8 index, u64 trusted);
int ipsec_describe_stats(struct sk_buff *skb, struct ipsec_net *in);

#endif /* _IPSEC_DESCRIBE_H */
