/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_UDP_LATCH_H
#define _IPSEC_UDP_LATCH_H

#include <linux/types.h>

struct ipsec_latch;
struct ipsec_net;
struct sk_buff;
struct sock;

bool ipsec_udp_latch_allows(struct sock *sk, const struct sk_buff *skb);
void ipsec_udp_unlatch(struct ipsec_net *in, struct sock *sk);
int ipsec_udp_latch_set(struct sock *sk, u32 flags);
int ipsec_udp_latch_get(struct sock *sk, struct ipsec_latch *latch);

#endif /* _IPSEC_UDP_LATCH_H */
