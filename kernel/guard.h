/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_GUARD_H
#define _IPSEC_GUARD_H

#include <linux/types.h>

#include "latch.h"

struct ipsec_net;
struct ipsec_ward;
struct nf_hook_state;
struct sk_buff;
struct sock;

int ipsec_guard_begin(struct ipsec_net *in);
enum ipsec_verdict ipsec_guard_judge(struct sk_buff *skb, const struct nf_hook_state *state,
				     bool wait, int *error);
struct ipsec_ward *ipsec_guard_listener(struct ipsec_net *in, const struct sock *child);
int ipsec_guard_datagrams(struct sock *sk);
void ipsec_guard_drain(struct sock *sk);

#endif /* _IPSEC_GUARD_H */
