/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of segment.c share.
 */
#ifndef _IPSEC_SEGMENT_JUDGE_H
#define _IPSEC_SEGMENT_JUDGE_H

#include "hold.h"
#include "latch.h"
#include "tcp.h"

struct nf_hook_state;
struct sk_buff;

enum ipsec_turn {
	IPSEC_TURN_FIRST,
	IPSEC_TURN_AGAIN,	/* has waited, and may wait on */
	IPSEC_TURN_LAST,	/* must not wait */
};

/**
 * ipsec_in_turn - does a segment pass, or would it overtake others
 * @in: where
 * @connection: its connection
 * @verdict: of its latch
 * @turn: whether it has waited
 *
 * Return: the verdict.
 */
static inline enum ipsec_verdict ipsec_in_turn(const struct ipsec_net *in,
					       const struct ipsec_connection *connection,
					       enum ipsec_verdict verdict,
					       enum ipsec_turn turn)
{
	if (unlikely(ipsec_hold_releasing(in)) && verdict == IPSEC_VERDICT_PASS &&
	    turn == IPSEC_TURN_FIRST && ipsec_connection_latched(connection))
		return IPSEC_VERDICT_BEHIND;
	return verdict;
}

/* Hooks, which let most packets pass in a few instructions, and ask about the others. */
unsigned int ipsec_hook_in4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state);
unsigned int ipsec_hook_in6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state);
unsigned int ipsec_hook_out4(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state);
unsigned int ipsec_hook_out6(void *priv, struct sk_buff *skb,
			     const struct nf_hook_state *state);

unsigned int ipsec_segment_judge(struct sk_buff *skb, const struct nf_hook_state *state);
void ipsec_hook_continue(struct sk_buff *skb, const struct nf_hook_state *at);

enum ipsec_verdict ipsec_judge_in4(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum ipsec_turn turn);
enum ipsec_verdict ipsec_judge_in6(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum ipsec_turn turn);
enum ipsec_verdict ipsec_judge_out(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum ipsec_turn turn);

#endif /* _IPSEC_SEGMENT_JUDGE_H */
