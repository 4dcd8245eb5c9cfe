/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_DUMP_H
#define _IPSEC_DUMP_H

struct ipsec_negotiation;
struct netlink_callback;
struct sk_buff;

bool ipsec_dump_enlarge(struct sk_buff *skb, int *err);
int ipsec_dump_algorithms(struct sk_buff *skb, struct netlink_callback *cb);
int ipsec_dump_contexts(struct sk_buff *skb, struct netlink_callback *cb);
int ipsec_dump_connections_start(struct netlink_callback *cb);
int ipsec_dump_connections(struct sk_buff *skb, struct netlink_callback *cb);
int ipsec_dump_latches(struct sk_buff *skb, struct netlink_callback *cb);
int ipsec_dump_identities_start(struct netlink_callback *cb);
int ipsec_dump_identities(struct sk_buff *skb, struct netlink_callback *cb);
int ipsec_dump_negotiation(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct ipsec_negotiation *negotiation);
int ipsec_dump_done(struct netlink_callback *cb);

#endif /* _IPSEC_DUMP_H */
