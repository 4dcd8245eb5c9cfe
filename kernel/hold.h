/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_HOLD_H
#define _IPSEC_HOLD_H

#include <linux/types.h>

#include "netns.h"

struct nf_hook_state;
struct sk_buff;

/**
 * ipsec_hold_releasing - are packets that have waited about to go on
 * @in: where
 *
 * Context: any.
 * Return: whether they are, and others should not overtake them.
 */
static inline bool ipsec_hold_releasing(const struct ipsec_net *in)
{
	return READ_ONCE(in->held_releasing);
}

bool ipsec_hold(struct ipsec_net *in, struct sk_buff *skb, const struct nf_hook_state *state,
		bool behind);
bool ipsec_hold_bind_begin(struct ipsec_net *in);
void ipsec_hold_bind_end(struct ipsec_net *in, bool begun);

void ipsec_hold_init_net(struct ipsec_net *in);
void ipsec_hold_pre_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_HOLD_H */
