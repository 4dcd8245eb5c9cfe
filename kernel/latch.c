// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connection latching, RFC 5660: a TCP connection keeps, for as long as it
 * lives, to the context under which it was established.
 *
 * segment.c asks of every segment of a latched connection, before TCP sees it
 * or before it leaves. Nearly always it comes or goes under the very context of
 * the connection. If not, its own may be a successor: the same peer, protected
 * no less (see relation.c). If that is not known yet because an agent is about
 * to tell, the segment waits (see hold.c). What then does not match is refused.
 *
 * What is sent is not tied to the context of what is received from the start,
 * because the two directions may be configured differently. The first segment
 * that is sent must leave under a context that fits, and later ones must leave
 * under that one or its successors.
 *
 * That somebody else's segment was refused does not break a latch: that is what
 * it is for. It is broken when the system itself would send under something
 * else, or when nothing is left that the peer could use, and TCP would have taken
 * a segment that came otherwise.
 */
#include <linux/ipsec_token.h>
#include <linux/netfilter.h>
#include <net/tcp.h>

#include "context.h"
#include "event.h"
#include "handle.h"
#include "handshake.h"
#include "identity.h"
#include "latch.h"
#include "netns.h"
#include "relation.h"
#include "tcp.h"
#include "walk.h"

/* Between what is refused and what is done so that the next may pass. */
#define TEND_DELAY	(HZ / 4)

/**
 * struct next - is this the segment that TCP waits for, and would take
 * @skb: the segment
 * @offset: where in it TCP begins
 */
struct next {
	struct sk_buff *skb;
	unsigned int offset;
};

/* Under the lock of the socket, which nobody uses. */
static bool segment_acceptable(const struct sock *sk, const struct next *next)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcphdr *th;
	struct tcphdr buffer;

	th = skb_header_pointer(next->skb, next->offset, sizeof(buffer), &buffer);
	return th && ntohl(th->seq) == tp->rcv_nxt && th->ack && !th->syn &&
	       !before(ntohl(th->ack_seq), tp->snd_una) &&
	       !after(ntohl(th->ack_seq), tp->snd_nxt) &&
	       !nf_checksum(next->skb, NF_INET_LOCAL_IN, next->offset, IPPROTO_TCP,
			    next->skb->protocol == htons(ETH_P_IP) ? AF_INET : AF_INET6);
}

static bool segment_is_next(struct sock *sk, const struct next *next)
{
	bool acceptable;

	if (sk->sk_protocol != IPPROTO_TCP)	/* of datagrams nobody can tell */
		return false;

	bh_lock_sock_nested(sk);
	acceptable = !sock_owned_by_user(sk) && segment_acceptable(sk, next);
	bh_unlock_sock(sk);
	return acceptable;
}

static unsigned long now_of(const struct ipsec_context *seen)
{
	if (IS_ERR(seen))
		return IPSEC_NOW_UNKNOWN;
	return seen ? seen->id : IPSEC_NOW_CLEAR;
}

/* The peer's segment has arrived: remember how, for those who ask. */
static void connection_now(struct ipsec_connection *connection, const struct next *next,
			   const struct ipsec_context *seen)
{
	if (unlikely(READ_ONCE(connection->now) != now_of(seen)) &&
	    segment_is_next(connection->sk, next))
		WRITE_ONCE(connection->now, now_of(seen));
}

/* From now on @context stands in *@place. Under &ipsec_net.lock. */
static void side_set(struct ipsec_context **place, struct ipsec_context *own,
		     struct ipsec_context *context)
{
	if (*place && *place != own) {
		(*place)->users--;
		ipsec_context_left(*place);
	}
	if (context != own)
		context->users++;
	WRITE_ONCE(*place, context);
}

/* Most often so; if not it may still be, and is looked at more closely. */
static bool same_identity(const struct ipsec_context *own, const struct ipsec_context *seen)
{
	return own && READ_ONCE(own->identity) == READ_ONCE(seen->identity);
}

/* Is it what the peer is known by, if one of the two is known at all? */
static bool same_peer(const struct ipsec_context *other, const struct ipsec_context *seen)
{
	return !other || !other->identity ||
	       ipsec_identity_equal(other->identity, seen->identity);
}

/* Under &ipsec_net.lock. */
static enum ipsec_verdict judge_received(struct ipsec_net *in,
					 struct ipsec_connection *connection,
					 struct ipsec_context *seen, bool next)
{
	struct ipsec_context *own = connection->context, *latch = connection->latch;
	enum ipsec_relation relation;

	if (seen->gone)
		return IPSEC_VERDICT_REFUSE;
	/* an identity that the connection itself has not got, but has taken */
	if (latch && latch->identity && !own->identity)
		own = latch;
	relation = ipsec_relation(in, own, seen);
	if (relation == IPSEC_RELATION_OPEN)
		return IPSEC_VERDICT_WAIT;
	if (relation == IPSEC_RELATION_NAMED) {
		if (connection->out && ipsec_relation_nameable(connection->out))
			return IPSEC_VERDICT_WAIT;
		/* The first identity that becomes known, and with it no bogus segment. */
		if (!next || !same_peer(connection->out, seen))
			return IPSEC_VERDICT_REFUSE;
	} else if (relation != IPSEC_RELATION_SAME) {
		return IPSEC_VERDICT_REFUSE;
	}
	if (latch != seen)
		side_set(&connection->latch, connection->context, seen);
	return IPSEC_VERDICT_PASS;
}

/* Under &ipsec_net.lock. */
static enum ipsec_verdict judge_sent(struct ipsec_net *in,
				     struct ipsec_connection *connection,
				     struct ipsec_context *seen, bool mirrored)
{
	struct ipsec_context *own = connection->context, *latch = connection->latch;
	struct ipsec_context *out = connection->out;
	enum ipsec_relation relation = IPSEC_RELATION_NONE;

	if (seen->gone)
		return IPSEC_VERDICT_REFUSE;
	if (latch && latch->identity && !own->identity)
		own = latch;
	if (own->identity && seen->identity &&
	    !ipsec_identity_equal(own->identity, seen->identity))
		return IPSEC_VERDICT_REFUSE;

	if (out)
		relation = ipsec_relation(in, out, seen);
	if (relation == IPSEC_RELATION_SAME)
		goto pass;
	/* only one of the two has an identity, and an agent may be about to tell */
	if (relation == IPSEC_RELATION_OPEN || (own->identity && !seen->identity) ||
	    (seen->identity && ipsec_relation_nameable(own)))
		return IPSEC_VERDICT_WAIT;
	/* before anybody knew who it is: alike, and then as before */
	if (relation == IPSEC_RELATION_NAMED)
		goto pass;
	/* as long as nobody tells who it is, one that fits is as good as it gets */
	if ((out && !seen->identity) || !ipsec_relation_mates(in, own, seen, mirrored))
		return IPSEC_VERDICT_REFUSE;
pass:
	if (out != seen)
		side_set(&connection->out, connection->context, seen);
	return IPSEC_VERDICT_PASS;
}

static bool wants_reset(const struct ipsec_net *in, const struct ipsec_connection *connection)
{
	return READ_ONCE(connection->flags) & IPSEC_LATCH_F_RESET &&
	       ipsec_latch_mode(in, connection) == IPSEC_LATCH_ENFORCE;
}

static void latch_break(struct ipsec_net *in, struct ipsec_connection *connection,
			enum ipsec_latch_reason reason)
{
	if (READ_ONCE(connection->broken))
		return;
	WRITE_ONCE(connection->broken, reason);
	ipsec_count(in, IPSEC_COUNT_LATCH_BROKEN);
	if (wants_reset(in, connection))
		mod_delayed_work(system_wq, &in->latch_tend, 0);
}

/* What broke it has mended. */
static void latch_mend(struct ipsec_connection *connection, bool out)
{
	u8 broken = READ_ONCE(connection->broken);
	bool was_out = broken >= IPSEC_LATCH_REASON_OUT_CLEAR;

	if (unlikely(broken) && out == was_out)
		WRITE_ONCE(connection->broken, 0);
}

/**
 * ipsec_latch_refused - a segment of a latched connection does not match
 * @in: where
 * @connection: the connection
 * @reason: what is the matter
 * @seen: under which it comes or goes; NULL: in clear; or ERR_PTR
 *
 * Context: any but hard interrupts, under RCU.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_latch_refused(struct ipsec_net *in,
				       struct ipsec_connection *connection,
				       enum ipsec_latch_reason reason,
				       const struct ipsec_context *seen)
{
	WRITE_ONCE(connection->reason, reason);
	WRITE_ONCE(connection->refused, connection->refused + 1);
	ipsec_count(in, IPSEC_COUNT_LATCH_REFUSED + reason - 1);
	if (reason >= IPSEC_LATCH_REASON_OUT_CLEAR) {
		latch_break(in, connection, reason);
		schedule_delayed_work(&in->latch_tend, TEND_DELAY);
	}
	if (__ratelimit(&in->latch_events))
		ipsec_event_latch(in, connection, seen);
	return ipsec_latch_mode(in, connection) == IPSEC_LATCH_REPORT ? IPSEC_VERDICT_PASS :
									IPSEC_VERDICT_REFUSE;
}

/* Where nothing is refused, nothing needs to wait. */
static enum ipsec_verdict wait_or_pass(struct ipsec_net *in,
				       const struct ipsec_connection *connection,
				       enum ipsec_verdict verdict)
{
	if (verdict == IPSEC_VERDICT_WAIT && ipsec_latch_mode(in, connection) == IPSEC_LATCH_REPORT)
		return IPSEC_VERDICT_PASS;
	return verdict;
}

static enum ipsec_latch_reason reason_in(const struct ipsec_context *seen)
{
	if (IS_ERR(seen))
		return IPSEC_LATCH_REASON_IN_UNKNOWN;
	return seen ? IPSEC_LATCH_REASON_IN_CONTEXT : IPSEC_LATCH_REASON_IN_CLEAR;
}

static enum ipsec_verdict judge_otherwise(struct ipsec_net *in,
					  struct ipsec_connection *connection,
					  const struct next *next,
					  struct ipsec_context *seen)
{
	const struct ipsec_context *own = READ_ONCE(connection->context);
	enum ipsec_verdict verdict = IPSEC_VERDICT_REFUSE;
	bool acceptable = segment_is_next(connection->sk, next);
	bool alive = true;

	spin_lock_bh(&in->lock);
	if (connection->context) {
		if (!IS_ERR_OR_NULL(seen))
			verdict = judge_received(in, connection, seen, acceptable);
		alive = ipsec_relation_alive(connection->context) ||
			(connection->latch && ipsec_relation_alive(connection->latch));
	}
	spin_unlock_bh(&in->lock);

	/* its peer may have got new SAs, and not have used them so far; if somebody else's
	 * are in front of them, nobody can tell
	 */
	if (verdict == IPSEC_VERDICT_REFUSE && acceptable && !alive && own &&
	    !ipsec_relation_possible(in, own))
		latch_break(in, connection, reason_in(seen));
	return verdict;
}

/**
 * ipsec_latch_in - may a segment go to its connection
 * @in: where
 * @connection: the connection
 * @skb: the segment
 * @offset: where in it TCP begins
 * @seen: the context that it came under; NULL: in clear; or ERR_PTR
 * @wait: it may wait
 *
 * Context: softirq, under RCU, without the socket's lock.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_latch_in(struct ipsec_net *in, struct ipsec_connection *connection,
				  struct sk_buff *skb, unsigned int offset,
				  struct ipsec_context *seen, bool wait)
{
	struct ipsec_context *own = READ_ONCE(connection->context);
	struct next next = { skb, offset };
	enum ipsec_latch_reason reason;
	enum ipsec_verdict verdict;

	if (!ipsec_connection_latched(connection) ||
	    ipsec_latch_mode(in, connection) == IPSEC_LATCH_OFF) {
		connection_now(connection, &next, seen);
		return IPSEC_VERDICT_PASS;
	}
	if (seen == own || (!IS_ERR_OR_NULL(seen) && seen == READ_ONCE(connection->latch) &&
			    same_identity(own, seen)))
		verdict = IPSEC_VERDICT_PASS;
	else
		verdict = wait_or_pass(in, connection,
				       judge_otherwise(in, connection, &next, seen));
	if (verdict == IPSEC_VERDICT_WAIT && wait)
		return verdict;
	if (verdict == IPSEC_VERDICT_PASS) {
		latch_mend(connection, false);
		connection_now(connection, &next, own);
		return verdict;
	}
	reason = verdict == IPSEC_VERDICT_WAIT ? IPSEC_LATCH_REASON_IN_UNKNOWN : reason_in(seen);
	verdict = ipsec_latch_refused(in, connection, reason, seen);
	if (verdict == IPSEC_VERDICT_PASS)
		connection_now(connection, &next, seen);
	return verdict;
}

/**
 * ipsec_latch_datagram - may a datagram be given to its socket's reader
 * @in: where
 * @connection: of a datagram socket
 * @seen: the context that it came under; NULL: in clear; or ERR_PTR
 *
 * Context: process context, under RCU.
 * Return: whether it may.
 */
bool ipsec_latch_datagram(struct ipsec_net *in, struct ipsec_connection *connection,
			  struct ipsec_context *seen)
{
	/* there is nowhere for it to wait */
	if (ipsec_latch_in(in, connection, NULL, 0, seen, false) != IPSEC_VERDICT_PASS)
		return false;
	if (READ_ONCE(connection->now) != now_of(seen))
		WRITE_ONCE(connection->now, now_of(seen));
	return true;
}

/**
 * ipsec_latch_out - may a segment of a connection be sent
 * @in: where
 * @connection: the connection
 * @seen: the context that it is about to leave under; NULL: in clear; or ERR_PTR
 * @wait: it may wait
 *
 * Context: any but hard interrupts, under RCU.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_latch_out(struct ipsec_net *in, struct ipsec_connection *connection,
				   struct ipsec_context *seen, bool wait)
{
	enum ipsec_latch_reason reason = IPSEC_LATCH_REASON_OUT_CLEAR;
	enum ipsec_verdict verdict = IPSEC_VERDICT_REFUSE;
	struct ipsec_context *own = READ_ONCE(connection->context);
	bool mirrored;

	if (!ipsec_connection_latched(connection) ||
	    ipsec_latch_mode(in, connection) == IPSEC_LATCH_OFF)
		return IPSEC_VERDICT_PASS;
	if (seen == READ_ONCE(connection->out) && !seen == !own &&
	    (seen == own || same_identity(own, seen))) {
		latch_mend(connection, true);
		return IPSEC_VERDICT_PASS;
	}

	if (IS_ERR(seen)) {
		reason = IPSEC_LATCH_REASON_OUT_UNKNOWN;
	} else if (seen) {
		reason = IPSEC_LATCH_REASON_OUT_CONTEXT;
		mirrored = own && seen != own && !READ_ONCE(connection->out) &&
			   ipsec_relation_present(in, own, IPSEC_DIRECTION_OUT);
		spin_lock_bh(&in->lock);
		if (connection->context)
			verdict = wait_or_pass(in, connection,
					       judge_sent(in, connection, seen, mirrored));
		spin_unlock_bh(&in->lock);
	}
	if (verdict == IPSEC_VERDICT_WAIT && wait)
		return verdict;
	if (verdict == IPSEC_VERDICT_PASS) {
		latch_mend(connection, true);
		return verdict;
	}
	if (verdict == IPSEC_VERDICT_WAIT)
		reason = IPSEC_LATCH_REASON_OUT_UNKNOWN;
	return ipsec_latch_refused(in, connection, reason, seen);
}

/* The socket is in use by nobody, and neither closed nor still opening. */
static bool socket_idle(const struct sock *sk)
{
	return !sock_owned_by_user(sk) &&
	       (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				      TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2);
}

/**
 * ipsec_latch_gain - a segment of a connection in clear came protected
 * @in: where
 * @sk: the connection's socket
 * @skb: the segment
 * @offset: where in it TCP begins
 * @seen: the context that it came under
 *
 * Context: softirq, under RCU, without the socket's lock.
 */
void ipsec_latch_gain(struct ipsec_net *in, struct sock *sk, struct sk_buff *skb,
		      unsigned int offset, const struct ipsec_context *seen)
{
	struct ipsec_connection *connection;
	struct next next = { skb, offset };

	/* Before it is settled having no record means nothing; as ipsec_tcp_ptoken(). */
	if (!smp_load_acquire(&in->settled) || READ_ONCE(in->lost))
		return;
	bh_lock_sock_nested(sk);
	if (socket_idle(sk) && segment_acceptable(sk, &next)) {
		connection = ipsec_connection_create(in, sk, IPSEC_CONNECTION_CLEAR);
		if (connection)
			WRITE_ONCE(connection->now, now_of(seen));
	}
	bh_unlock_sock(sk);
}

/**
 * ipsec_latch_state - in what state the latch of a connection is
 * @connection: its record, or NULL
 *
 * Context: under RCU.
 * Return: the state.
 */
enum ipsec_latch_state ipsec_latch_state(const struct ipsec_connection *connection)
{
	if (!connection || !ipsec_connection_latched(connection))
		return IPSEC_LATCH_NONE;
	if (!connection->epoch && inet_sk_state_load(connection->sk) == TCP_CLOSE)
		return IPSEC_LATCH_CLOSED;
	return READ_ONCE(connection->broken) ? IPSEC_LATCH_BROKEN : IPSEC_LATCH_ESTABLISHED;
}

static u64 now_ptoken(struct ipsec_net *in, const struct ipsec_connection *connection)
{
	unsigned long now = READ_ONCE(connection->now);
	const struct ipsec_context *context;

	if (now == IPSEC_NOW_CLEAR)
		return IPSEC_PTOKEN_NONE;
	context = now == IPSEC_NOW_UNKNOWN ? NULL : ipsec_context_by_id(in, now);
	return context ? ipsec_handle(in, context) : IPSEC_PTOKEN_UNKNOWN;
}

/**
 * ipsec_latch_describe - what keeps a socket to its protection
 * @in: where
 * @connection: its record, or NULL
 * @latch: the answer; without a record, that there is no latch
 *
 * Context: process context, under RCU.
 */
void ipsec_latch_describe(struct ipsec_net *in, const struct ipsec_connection *connection,
			  struct ipsec_latch *latch)
{
	memset(latch, 0, sizeof(*latch));
	latch->now = IPSEC_PTOKEN_UNKNOWN;
	latch->state = ipsec_latch_state(connection);
	if (latch->state) {
		latch->flags = READ_ONCE(connection->flags) | IPSEC_LATCH_F_ON;
		latch->reason = READ_ONCE(connection->reason);
		latch->refused = READ_ONCE(connection->refused);
	}
	if (connection)
		latch->now = now_ptoken(in, connection);
}

/**
 * ipsec_latch_get - what keeps a TCP connection to its protection
 * @sk: its socket
 * @latch: the answer
 *
 * Context: process context, without the socket's lock.
 * Return: 0; -ENOTCONN if there is no connection and was none.
 */
int ipsec_latch_get(struct sock *sk, struct ipsec_latch *latch)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	const struct ipsec_connection *connection;
	u64 ptoken = IPSEC_PTOKEN_UNKNOWN;
	int err;

	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	ipsec_latch_describe(in, connection, latch);
	rcu_read_unlock();
	if (latch->state == IPSEC_LATCH_CLOSED)
		return 0;
	if (inet_sk_state_load(sk) == TCP_LISTEN) {
		latch->state = IPSEC_LATCH_LISTENER;
		return 0;
	}
	err = ipsec_tcp_ptoken(sk, &ptoken);
	if (err == -ENOTCONN)
		return err;
	if (!connection)	/* in clear, or not known */
		latch->now = ptoken;
	return 0;
}

static int connection_set_flags(struct ipsec_net *in, struct sock *sk, u32 flags)
{
	struct ipsec_connection *connection = ipsec_connection_find(in, sk);
	u64 ptoken;
	int err;

	err = ipsec_tcp_ptoken(sk, &ptoken);
	if (err)
		return err;
	if (!connection) {
		if (!flags)
			return 0;
		connection = ipsec_connection_create(in, sk, IPSEC_CONNECTION_CLEAR);
		if (!connection)
			return -ENOMEM;
	}
	/* what is protected is latched in any case */
	if (connection->state != IPSEC_CONNECTION_CLEAR)
		flags |= IPSEC_LATCH_F_ON;
	else if (!(flags & IPSEC_LATCH_F_ON) && flags)
		return -EINVAL;
	ipsec_connection_set_flags(in, connection, flags);
	if (connection->broken && flags & IPSEC_LATCH_F_RESET)
		mod_delayed_work(system_wq, &in->latch_tend, 0);
	return 0;
}

/**
 * ipsec_latch_set - what a TCP connection wants of its latch
 * @sk: its socket
 * @flags: IPSEC_LATCH_F_*
 *
 * Context: process context, without the socket's lock, which it takes.
 * Return: 0; -EINVAL if there are unknown flags, or IPSEC_LATCH_F_RESET without
 * IPSEC_LATCH_F_ON for a connection in clear; -ENOTCONN; -ENODATA if it is not
 * known what protects it, so that there is nothing to keep it to; -ENOMEM.
 */
int ipsec_latch_set(struct sock *sk, u32 flags)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	int err;

	if (flags & ~(IPSEC_LATCH_F_RESET | IPSEC_LATCH_F_ON))
		return -EINVAL;
	lock_sock(sk);
	rcu_read_lock();
	err = connection_set_flags(in, sk, flags);
	rcu_read_unlock();
	release_sock(sk);
	return err;
}

/* Under RCU. Return: a connection that something has to be done for, with a reference. */
static struct sock *tend_next(const struct ipsec_net *in,
			      const struct ipsec_connection *connection, bool *reset)
{
	u8 broken = READ_ONCE(connection->broken);
	struct sock *sk = connection->sk;

	*reset = wants_reset(in, connection);
	if (!broken || inet_sk_state_load(sk) == TCP_CLOSE ||
	    (!*reset && (broken < IPSEC_LATCH_REASON_OUT_CLEAR ||
			 !rcu_access_pointer(sk->sk_dst_cache))))
		return NULL;
	return refcount_inc_not_zero(&sk->sk_refcnt) ? sk : NULL;
}

/*
 * A socket keeps its route. The kernel looks for another one if policies change, but
 * not if only SAs come, so one that was found in a gap between them would do without
 * them for good.
 */
static void route_forget(struct sock *sk)
{
	if (sk->sk_protocol == IPPROTO_TCP) {
		lock_sock(sk);
		__sk_dst_reset(sk);
		release_sock(sk);
	} else {
		sk_dst_reset(sk);
	}
}

/* What broken latches need and their sockets' locks are needed for. */
static void latch_tend(struct work_struct *work)
{
	struct ipsec_net *in = container_of(to_delayed_work(work), struct ipsec_net, latch_tend);
	struct ipsec_connection *connection;
	struct rhashtable_iter iter;
	struct sock *sk;
	bool reset;

	if (ipsec_handshake_closing())
		return;
	rhashtable_walk_enter(&in->connections, &iter);
	do {
		ipsec_walk_start(&iter);
		sk = NULL;
		while (!sk && (connection = rhashtable_walk_next(&iter)))
			sk = IS_ERR(connection) ? NULL : tend_next(in, connection, &reset);
		rhashtable_walk_stop(&iter);
		if (!sk)
			continue;
		if (reset) {
			ipsec_count(in, IPSEC_COUNT_LATCH_RESET);
			/* what this sends does not match the latch either, and is refused */
			tcp_abort(sk, ECONNRESET);
		} else {
			route_forget(sk);
		}
		sock_put(sk);
		cond_resched();
	} while (connection || sk);
	rhashtable_walk_exit(&iter);
}

/**
 * ipsec_latch_init_net - make ready for latches in a namespace
 * @in: the namespace
 *
 * Context: process context.
 */
void ipsec_latch_init_net(struct ipsec_net *in)
{
	in->latch_mode = IPSEC_LATCH_ENFORCE;
	ratelimit_state_init(&in->latch_events, HZ, 10);
	ratelimit_set_flags(&in->latch_events, RATELIMIT_MSG_ON_RELEASE);
	INIT_DELAYED_WORK(&in->latch_tend, latch_tend);
}

/**
 * ipsec_latch_exit_net - no more is done for latches in a namespace
 * @in: the namespace, dead
 *
 * Context: process context, may sleep.
 */
void ipsec_latch_exit_net(struct ipsec_net *in)
{
	cancel_delayed_work_sync(&in->latch_tend);
}
