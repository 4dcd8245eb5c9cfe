/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_HOLD_H
#define _IPSEC_HOLD_H

#include <linux/types.h>

struct ipsec_net;
struct nf_hook_state;
struct sk_buff;

bool ipsec_hold(struct ipsec_net *in, struct sk_buff *skb, const struct nf_hook_state *state,
		bool behind);
bool ipsec_hold_releasing(const struct ipsec_net *in);
bool ipsec_hold_bind_begin(struct ipsec_net *in);
void ipsec_hold_bind_end(struct ipsec_net *in, bool begun);

void ipsec_hold_init_net(struct ipsec_net *in);
void ipsec_hold_pre_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_HOLD_H */
