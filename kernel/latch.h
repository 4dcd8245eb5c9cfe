/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_LATCH_H
#define _IPSEC_LATCH_H

#include <linux/ipsec_token.h>
#include <linux/types.h>

#include "context.h"
#include "tcp.h"

struct ipsec_net;
struct sk_buff;
struct sock;

enum ipsec_verdict {
	IPSEC_VERDICT_PASS,
	IPSEC_VERDICT_REFUSE,
	IPSEC_VERDICT_WAIT,	/* until an identity is known, but not for long */
	IPSEC_VERDICT_BEHIND,	/* pass, but do not overtake those that waited */
	IPSEC_VERDICT_TAKEN,	/* dealt with, up to the end */
};

enum ipsec_verdict ipsec_latch_in(struct ipsec_net *in, struct ipsec_connection *connection,
				  struct sk_buff *skb, unsigned int offset,
				  struct ipsec_context *seen, bool wait);
bool ipsec_latch_datagram(struct ipsec_net *in, struct ipsec_connection *connection,
			  struct ipsec_context *seen);
enum ipsec_verdict ipsec_latch_out(struct ipsec_net *in, struct ipsec_connection *connection,
				   struct ipsec_context *seen, bool wait);
enum ipsec_verdict ipsec_latch_refused(struct ipsec_net *in,
				       struct ipsec_connection *connection,
				       enum ipsec_latch_reason reason,
				       const struct ipsec_context *seen);
void ipsec_latch_gain(struct ipsec_net *in, struct sock *sk, struct sk_buff *skb,
		      unsigned int offset, const struct ipsec_context *seen);
enum ipsec_latch_state ipsec_latch_state(const struct ipsec_connection *connection);

void ipsec_latch_describe(struct ipsec_net *in, const struct ipsec_connection *connection,
			  struct ipsec_latch *latch);
int ipsec_latch_get(struct sock *sk, struct ipsec_latch *latch);
int ipsec_latch_set(struct sock *sk, u32 flags);

void ipsec_latch_init_net(struct ipsec_net *in);
void ipsec_latch_exit_net(struct ipsec_net *in);

/**
 * ipsec_latch_in_usual - may ipsec_latch_in() have nothing to do but let a segment pass
 * @connection: the connection
 * @context: where to put the context that the segment has to come under for that
 *
 * Context: under RCU.
 * Return: true if so; false says nothing.
 */
static inline bool ipsec_latch_in_usual(const struct ipsec_connection *connection,
					const struct ipsec_context **context)
{
	*context = READ_ONCE(connection->context);
	return READ_ONCE(connection->state) == IPSEC_CONNECTION_PROTECTED && *context &&
	       READ_ONCE(connection->now) == (*context)->id &&
	       !READ_ONCE(connection->broken) && !READ_ONCE(connection->backlog);
}

/**
 * ipsec_latch_out_usual - the same for ipsec_latch_out()
 * @connection: the connection
 * @context: where to put the context that the segment has to leave under
 *
 * Context: under RCU.
 * Return: true if so; false says nothing.
 */
static inline bool ipsec_latch_out_usual(const struct ipsec_connection *connection,
					 const struct ipsec_context **context)
{
	*context = READ_ONCE(connection->context);
	return READ_ONCE(connection->state) == IPSEC_CONNECTION_PROTECTED && *context &&
	       READ_ONCE(connection->out) == *context && !READ_ONCE(connection->broken);
}

/**
 * ipsec_latch_mode - what to do with what does not match a latch
 * @in: where
 * @connection: the connection
 *
 * What the administrator has chosen does not take from what was required.
 *
 * Return: enum ipsec_latch_mode.
 */
static inline u8 ipsec_latch_mode(const struct ipsec_net *in,
				  const struct ipsec_connection *connection)
{
	return unlikely(connection->required) ? IPSEC_LATCH_ENFORCE : READ_ONCE(in->latch_mode);
}

#endif /* _IPSEC_LATCH_H */
