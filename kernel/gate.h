/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_GATE_H
#define _IPSEC_GATE_H

#include <linux/spinlock_types.h>

struct sk_buff;
struct sock;
struct tcphdr;

spinlock_t *ipsec_gate_of_segment(const struct sk_buff *skb, const struct tcphdr *th);
spinlock_t *ipsec_gate_of_socket(const struct sock *sk);
bool ipsec_gate_enter(spinlock_t *gate);
void ipsec_gate_leave(spinlock_t *gate);

void ipsec_gate_init(void);

#endif /* _IPSEC_GATE_H */
