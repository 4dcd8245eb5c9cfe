// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments that find their socket in use while its handshake is under way.
 *
 * TCP puts them into the socket's backlog, strips them of their secpath there,
 * and processes them later, in process context, through a function pointer of
 * the socket. For as long as it takes that one is ours, and a note is taken of
 * every segment that may end up there when it passes LOCAL_IN.
 *
 * A segment that was let through because there was no connection yet may be
 * behind the very one that establishes it. So ours stays in place until the
 * backlog is known to be empty, and drops what does not match the latch. One that
 * was let through, but has not got as far as the backlog, must not be overtaken by
 * the one that establishes it: so that is processed in the gate, like those that
 * arrive meanwhile.
 */
#include <linux/ipsec_token.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "backlog.h"
#include "context.h"
#include "gate.h"
#include "latch.h"
#include "netns.h"
#include "segment.h"
#include "tcp.h"

/* Nobody who means well sends more into a handshake. */
#define MAX_NOTES	4

/**
 * struct ipsec_backlog - a socket whose handshake is under way
 * @backlog_rcv: what was in place of backlog_rcv()
 * @now: the segment from the backlog that is being processed, or NULL; under
 *	the socket's lock
 * @lock: guards @notes and @count
 * @count: how many notes there are
 * @notes: segments that may be in the backlog. A note with the address of
 *	another segment that has gone is no danger: the new one passes LOCAL_IN
 *	as well, and either has its own note or takes this one away.
 * @rcu: frees it
 */
struct ipsec_backlog {
	int (*backlog_rcv)(struct sock *sk, struct sk_buff *skb);
	struct ipsec_segment *now;
	spinlock_t lock;	/* notes, count */
	unsigned int count;
	struct {
		const struct sk_buff *skb;
		struct ipsec_segment segment;
	} notes[MAX_NOTES];
	struct rcu_head rcu;
};

static int backlog_rcv(struct sock *sk, struct sk_buff *skb);

/*
 * Nobody has the socket, so nothing is in its backlog. Of what an IPv6 listener has
 * made of a SYN of IPv4 with data, TCP has written where our function was since then.
 */
static bool backlog_empty(struct ipsec_connection *connection)
{
	struct sock *sk = connection->sk;
	bool empty;

	bh_lock_sock_nested(sk);
	empty = !sock_owned_by_user(sk);
	if (empty && connection->backlog)
		WRITE_ONCE(sk->sk_backlog_rcv, backlog_rcv);
	bh_unlock_sock(sk);
	return empty;
}

static int note_index(const struct ipsec_backlog *backlog, const struct sk_buff *skb)
{
	unsigned int i;

	for (i = 0; i < backlog->count; i++)
		if (backlog->notes[i].skb == skb)
			return i;
	return -ENOENT;
}

/*
 * TCP appends a segment to the one before it in the backlog, if that is what it
 * follows, no matter under what the two came. A SYN stays alone.
 */
static bool may_be_joined(const struct ipsec_backlog *backlog,
			  const struct ipsec_segment *segment)
{
	unsigned int i;

	for (i = 0; i < backlog->count; i++) {
		const struct ipsec_segment *other = &backlog->notes[i].segment;

		if (!segment->syn && !other->syn &&
		    (segment->unknown || other->unknown || segment->id != other->id))
			return true;
	}
	return false;
}

/**
 * ipsec_backlog_note - a segment may be about to go to the backlog
 * @connection: for which it is
 * @skb: the segment
 * @segment: what is known of it
 *
 * Context: softirq, under RCU; one at a time for the same connection.
 * Return: false if it must not go there: there is no room, it could be taken for a
 * part of one that came otherwise, or nobody would look at it when it comes out.
 */
bool ipsec_backlog_note(struct ipsec_connection *connection, const struct sk_buff *skb,
			const struct ipsec_segment *segment)
{
	struct ipsec_backlog *backlog = READ_ONCE(connection->backlog);
	bool empty;
	int i;

	if (!backlog)
		return true;
	empty = backlog_empty(connection);
	if (!empty && READ_ONCE(connection->sk->sk_backlog_rcv) != backlog_rcv)
		return false;

	spin_lock_bh(&backlog->lock);
	if (empty)
		backlog->count = 0;
	i = note_index(backlog, skb);
	if (may_be_joined(backlog, segment))
		i = -EEXIST;
	else if (i < 0 && backlog->count < MAX_NOTES)
		i = backlog->count++;
	if (i >= 0) {
		backlog->notes[i].skb = skb;
		backlog->notes[i].segment = *segment;
	}
	spin_unlock_bh(&backlog->lock);
	return i >= 0;
}

static bool note_find(struct ipsec_backlog *backlog, const struct sk_buff *skb,
		      struct ipsec_segment *segment)
{
	int i;

	spin_lock_bh(&backlog->lock);
	i = note_index(backlog, skb);
	if (i >= 0)
		*segment = backlog->notes[i].segment;
	spin_unlock_bh(&backlog->lock);
	return i >= 0;
}

/**
 * ipsec_backlog_judged - a segment for an established connection has passed
 * @in: where
 * @connection: the connection, which still has a backlog from its handshake
 * @skb: the segment
 *
 * Context: softirq, under RCU.
 */
void ipsec_backlog_judged(struct ipsec_net *in, struct ipsec_connection *connection,
			  const struct sk_buff *skb)
{
	struct ipsec_backlog *backlog;
	struct sock *sk = connection->sk;
	int i;

	bh_lock_sock_nested(sk);
	backlog = connection->backlog;
	if (backlog && !sock_owned_by_user(sk)) {
		ipsec_backlog_end(in, connection);
	} else if (backlog) {
		spin_lock_bh(&backlog->lock);
		i = note_index(backlog, skb);
		if (i >= 0)
			backlog->notes[i].skb = NULL;
		spin_unlock_bh(&backlog->lock);
	}
	bh_unlock_sock(sk);
}

/* The connection may have been latched after this segment was let through. */
static bool backlog_refuses(struct ipsec_net *in, struct ipsec_connection *connection,
			    const struct ipsec_segment *segment)
{
	enum ipsec_latch_reason reason = IPSEC_LATCH_REASON_IN_CLEAR;
	const struct ipsec_context *seen = NULL;

	if (!ipsec_connection_latched(connection) ||
	    ipsec_latch_mode(in, connection) == IPSEC_LATCH_OFF ||
	    (!segment->unknown && segment->id == connection->context->id))
		return false;
	if (segment->unknown) {
		reason = IPSEC_LATCH_REASON_IN_UNKNOWN;
		seen = ERR_PTR(-ENODATA);
	} else if (segment->id) {
		reason = IPSEC_LATCH_REASON_IN_CONTEXT;
		seen = ipsec_context_by_id(in, segment->id) ?: ERR_PTR(-ENODATA);
	}
	return ipsec_latch_refused(in, connection, reason, seen) == IPSEC_VERDICT_REFUSE;
}

/* What completes a handshake from here does not come through LOCAL_IN. */
static int receive_in_gate(struct sock *sk, struct sk_buff *skb,
			   int (*receive)(struct sock *sk, struct sk_buff *skb))
{
	spinlock_t *gate = ipsec_gate_of_socket(sk);
	int ret;

	local_bh_disable();
	/* in process context nobody is inside already */
	ipsec_gate_enter(gate);
	ret = receive(sk, skb);
	ipsec_gate_leave(gate);
	local_bh_enable();
	return ret;
}

/* In place of a socket's own function, with a note of what is in work. */
static int backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	int (*original)(struct sock *sk, struct sk_buff *skb) = NULL;
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_connection *connection;
	struct ipsec_segment segment = {};
	bool refused = false;
	int ret;

	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	if (connection && connection->backlog) {
		original = connection->backlog->backlog_rcv;
		if (note_find(connection->backlog, skb, &segment))
			refused = backlog_refuses(in, connection, &segment);
		connection->backlog->now = &segment;
	}
	rcu_read_unlock();

	if (refused) {
		kfree_skb(skb);
		ret = 0;
	} else {
		ret = receive_in_gate(sk, skb, original ?: sk->sk_prot->backlog_rcv);
	}

	/* what was just done may have been the end of the connection */
	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	if (connection && connection->backlog)
		connection->backlog->now = NULL;
	rcu_read_unlock();
	return ret;
}

/**
 * ipsec_backlog_now - the segment from the backlog that is being processed
 * @connection: of the socket, or NULL
 *
 * Context: under the socket's lock and RCU.
 * Return: the segment, without a namespace if nothing is known of it; NULL if
 * what is being processed does not come from there.
 */
struct ipsec_segment *ipsec_backlog_now(const struct ipsec_connection *connection)
{
	return connection && connection->backlog ? connection->backlog->now : NULL;
}

/**
 * ipsec_backlog_begin - a connection's handshake is under way
 * @in: its namespace
 * @connection: the connection
 *
 * Without memory, what comes from its backlog is not known.
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_backlog_begin(struct ipsec_net *in, struct ipsec_connection *connection)
{
	struct ipsec_backlog *backlog;

	backlog = kzalloc(sizeof(*backlog), GFP_ATOMIC);
	if (!backlog)
		return;
	spin_lock_init(&backlog->lock);
	backlog->backlog_rcv = connection->sk->sk_backlog_rcv;
	connection->sk->sk_backlog_rcv = backlog_rcv;
	WRITE_ONCE(connection->backlog, backlog);
}

/**
 * ipsec_backlog_end - undo ipsec_backlog_begin(), if it was done
 * @in: the connection's namespace
 * @connection: the connection
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_backlog_end(struct ipsec_net *in, struct ipsec_connection *connection)
{
	struct ipsec_backlog *backlog = connection->backlog;
	struct sock *sk = connection->sk;

	if (!backlog)
		return;
	WRITE_ONCE(connection->backlog, NULL);
	/* unless somebody else has written there: IPv6 after a failed connect */
	if (sk->sk_backlog_rcv == backlog_rcv)
		sk->sk_backlog_rcv = backlog->backlog_rcv;
	kfree_rcu(backlog, rcu);
}
