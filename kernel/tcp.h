/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_TCP_H
#define _IPSEC_TCP_H

#include <linux/hash.h>
#include <linux/ipsec_token.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "netns.h"

struct ipsec_backlog;
struct ipsec_context;

enum ipsec_connection_state {
	IPSEC_CONNECTION_OPENING,	/* handshake under way */
	IPSEC_CONNECTION_PROTECTED,	/* established under @context */
	IPSEC_CONNECTION_UNKNOWN,	/* established, not known under what */
	IPSEC_CONNECTION_OLD,		/* the same, but a segment may yet tell */
	IPSEC_CONNECTION_CLEAR,		/* established in clear; protected later, or latched */
};

/* &ipsec_connection.now where it is no context; ids count up from 1 */
#define IPSEC_NOW_CLEAR		0UL
#define IPSEC_NOW_UNKNOWN	(~0UL)

/**
 * struct ipsec_connection - a TCP connection not known to be in clear, or a
 *	connected datagram socket that is latched
 * @node: in &ipsec_net.connections
 * @sk: the socket
 * @state: enum ipsec_connection_state
 * @early: OPENING: a SYN has been accepted, under @context; without one, and
 *	@early_unknown not set: in clear
 * @early_unknown: OPENING: not known under what
 * @flags: IPSEC_LATCH_F_*
 * @broken: the latch is broken: enum ipsec_latch_reason, or 0
 * @reason: enum ipsec_latch_reason of the last packet that did not match
 * @refused: how many did not
 * @required: something is required of its socket: refuse, whatever the mode is
 * @epoch: which connection of a datagram socket it is; 0: TCP
 * @context: held; of the connection or of its accepted SYN
 * @latch: a successor of @context that is received under now, held; or NULL
 * @out: what is sent under, held unless it is @context; NULL: nothing yet
 * @now: id of the context that the latest segment came under, or IPSEC_NOW_*
 * @backlog: what backlog.c keeps for it during the handshake, or NULL
 * @rcu: frees it
 *
 * Written under the socket's lock only, which serializes all there is to say
 * of one connection; but @latch and @out under &ipsec_net.lock, and what counts
 * or remembers refusals and @now by whoever comes last. Read under RCU.
 */
struct ipsec_connection {
	struct rhash_head node;
	struct sock *sk;
	u8 state;
	bool early;
	bool early_unknown;
	u8 flags;
	u8 broken;
	u8 reason;
	bool required;
	u32 refused;
	u32 epoch;
	struct ipsec_context *context;
	struct ipsec_context *latch;
	struct ipsec_context *out;
	unsigned long now;
	struct ipsec_backlog *backlog;
	struct rcu_head rcu;
};

/* The key is the socket's address: no memory is compared. */
static inline u32 ipsec_connection_hash(const struct sock *sk, u32 seed)
{
	return hash_ptr(sk, 32) ^ seed;
}

struct ipsec_connection *ipsec_connection_find_slow(struct ipsec_net *in,
						    const struct sock *sk);

/**
 * ipsec_connection_glance - find the record of a connection, if that is easy
 * @in: its namespace
 * @sk: its socket, or any other
 * @connection: the record, or NULL if there is none
 *
 * Asked of every packet, also of those that have nothing to do with IPsec. What
 * nearly always decides is that its place is empty, or has this one first.
 *
 * Context: under RCU.
 * Return: whether it was easy.
 */
static inline bool ipsec_connection_glance(const struct ipsec_net *in, const struct sock *sk,
					   struct ipsec_connection **connection)
{
	const struct bucket_table *tbl = rcu_dereference(in->connections.tbl);
	u32 hash = rht_bucket_index(tbl, ipsec_connection_hash(sk, tbl->hash_rnd));
	struct rhash_head *first;

	if (unlikely(tbl->nest))
		return false;
	first = rht_ptr_rcu(&tbl->buckets[hash]);
	if (rht_is_a_nulls(first)) {
		smp_rmb();	/* what left this table for a new one is not missed */
		*connection = NULL;
		return !rcu_access_pointer(tbl->future_tbl);
	}
	*connection = container_of(first, struct ipsec_connection, node);
	return (*connection)->sk == sk;
}

/**
 * ipsec_connection_find - find the record of a connection
 * @in: its namespace
 * @sk: its socket
 *
 * Context: under RCU.
 * Return: the record or NULL.
 */
static inline struct ipsec_connection *ipsec_connection_find(struct ipsec_net *in,
							     const struct sock *sk)
{
	struct ipsec_connection *connection;

	return likely(ipsec_connection_glance(in, sk, &connection)) ?
		connection : ipsec_connection_find_slow(in, sk);
}

struct ipsec_connection *ipsec_connection_create(struct ipsec_net *in, struct sock *sk,
						 enum ipsec_connection_state state);
void ipsec_connection_set(struct ipsec_net *in, struct ipsec_connection *connection,
			  enum ipsec_connection_state state,
			  struct ipsec_context *context);
void ipsec_connection_set_flags(struct ipsec_net *in, struct ipsec_connection *connection,
				u8 flags);
void ipsec_connection_remove(struct ipsec_net *in, struct ipsec_connection *connection);

/* Is there a latch? What counts them asks this. */
static inline bool ipsec_connection_is_latch(const struct ipsec_connection *connection)
{
	switch (READ_ONCE(connection->state)) {
	case IPSEC_CONNECTION_OPENING:	/* data may have come with the SYN */
	case IPSEC_CONNECTION_PROTECTED:
		return READ_ONCE(connection->context);
	case IPSEC_CONNECTION_CLEAR:
		return READ_ONCE(connection->flags) & IPSEC_LATCH_F_ON;
	default:
		return false;
	}
}

/* Does it hold? That of a datagram socket ends when it is connected anew. */
static inline bool ipsec_connection_latched(const struct ipsec_connection *connection)
{
	if (unlikely(connection->epoch) &&
	    (READ_ONCE(connection->sk->sk_state) != TCP_ESTABLISHED ||
	     READ_ONCE(connection->sk->sk_txhash) != connection->epoch))
		return false;
	return ipsec_connection_is_latch(connection);
}

int ipsec_tcp_ptoken(struct sock *sk, u64 *ptoken);

int ipsec_tcp_init_net(struct ipsec_net *in);
void ipsec_tcp_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_TCP_H */
