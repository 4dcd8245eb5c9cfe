// SPDX-License-Identifier: GPL-2.0-only
/*
 * What protected the segment that completed a TCP handshake.
 *
 * That a protected segment arrived proves nothing: TCP may have refused it and
 * taken another one. So the question is put at the very moment at which TCP
 * changes the state of the connection, and it is which segment is being
 * processed right now (see segment_in.c).
 *
 * Whatever does not fit is reported as not known. So is a connection whose
 * handshake had two accepted segments that came under different contexts
 * (Fast Open, simultaneous open).
 *
 * Only namespaces that have had an SA are watched; elsewhere every connection
 * is in clear. What was established before that, or before the module was
 * loaded, is not known until its next segment tells.
 */
#include <linux/ipsec_token.h>
#include <linux/rwsem.h>
#include <linux/tracepoint.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>
#include <net/xfrm.h>

#include "backlog.h"
#include "context.h"
#include "handshake.h"
#include "netns.h"
#include "require.h"
#include "secpath.h"
#include "segment.h"
#include "tcp.h"
#include "walk.h"

static bool closing;	/* the module: nothing new is begun */

static void connection_forget(struct ipsec_net *in, struct ipsec_connection *connection)
{
	ipsec_backlog_end(in, connection);
	ipsec_connection_remove(in, connection);
}

static struct ipsec_connection *connection_open(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_connection *connection;

	connection = ipsec_connection_create(in, sk, IPSEC_CONNECTION_OPENING);
	if (connection)
		ipsec_backlog_begin(in, connection);
	return connection;
}

/* Hold the context of @segment; -ENODATA if that is not known. */
static int segment_hold(struct ipsec_net *in, const struct ipsec_segment *segment,
			struct ipsec_context **context)
{
	*context = NULL;
	if (!segment || segment->unknown)
		return -ENODATA;
	if (!segment->id)
		return 0;
	*context = ipsec_context_by_id(in, segment->id);
	if (!*context || !ipsec_context_hold(in, *context)) {
		*context = NULL;
		return -ENODATA;
	}
	return 0;
}

/* A SYN has been accepted, and with it perhaps data. */
static void connection_early(struct ipsec_net *in, struct ipsec_connection *connection,
			     const struct ipsec_segment *segment)
{
	struct ipsec_context *context;

	connection->early_unknown = segment_hold(in, segment, &context) < 0;
	ipsec_connection_set(in, connection, IPSEC_CONNECTION_OPENING, context);
	WRITE_ONCE(connection->early, true);
}

static void connection_established(struct ipsec_net *in, struct sock *sk,
				   struct ipsec_connection *connection,
				   const struct ipsec_segment *segment, int old)
{
	struct ipsec_context *context;
	int err;

	err = segment_hold(in, segment, &context);
	/* one from before this was watched: its next segment tells */
	if (err && connection && connection->state == IPSEC_CONNECTION_OLD)
		return;
	if (!err && old != TCP_SYN_SENT) {
		/* there was a segment before this one, unless this made the socket */
		if (connection && connection->early ?
		    connection->early_unknown || connection->context != context :
		    segment->child != sk) {
			if (context)
				ipsec_context_release(in, context);
			context = NULL;
			err = -ENODATA;
		}
	}

	if (!err && !context) {
		if (connection)
			connection_forget(in, connection);
		return;
	}
	/* what is behind it in the backlog must keep to the latch, see there */
	if (connection && (err || !ipsec_backlog_now(connection)))
		ipsec_backlog_end(in, connection);

	if (err)
		ipsec_count(in, IPSEC_COUNT_UNKNOWN_HANDSHAKE);
	if (!connection)
		connection = ipsec_connection_create(in, sk, IPSEC_CONNECTION_UNKNOWN);
	if (connection)
		ipsec_connection_set(in, connection, err ? IPSEC_CONNECTION_UNKNOWN :
				     IPSEC_CONNECTION_PROTECTED, context);
	else if (context)
		ipsec_context_release(in, context);
}

static void handshake_step(struct ipsec_net *in, struct sock *sk, int old, int new)
{
	struct ipsec_connection *connection = ipsec_connection_find(in, sk);
	struct ipsec_segment *segment;
	bool watching = READ_ONCE(in->watching) && !READ_ONCE(closing);

	if (old == TCP_LISTEN && new == TCP_SYN_RECV)
		ipsec_segment_adopt(in, sk);
	ipsec_required_step(in, sk, old, new);
	switch (new) {
	case TCP_SYN_SENT:
		if (connection)		/* of a socket that was here before */
			connection_forget(in, connection);
		if (watching)
			connection_open(in, sk);
		break;
	case TCP_SYN_RECV:
		if (old == TCP_LISTEN && connection) {
			connection_forget(in, connection);
			connection = NULL;
		}
		if (!watching)
			break;
		segment = ipsec_segment_now(sk, connection, old, new);
		if (old == TCP_LISTEN && segment && !segment->opens) {
			/* the ACK: it goes on to complete the handshake */
			segment->child = sk;
			break;
		}
		if (!connection)
			connection = connection_open(in, sk);
		if (connection)
			connection_early(in, connection, segment);
		break;
	case TCP_ESTABLISHED:
		if (watching || connection)
			connection_established(in, sk, connection,
					       ipsec_segment_now(sk, connection, old, new), old);
		break;
	case TCP_CLOSE:
		/*
		 * Others still see the old state, and must not find that there
		 * is no record. It goes with the socket, or at its next connect().
		 */
		if (connection)
			ipsec_backlog_end(in, connection);
		break;
	}
}

/* Called with the socket's lock, from process or softirq context. */
static void probe_inet_sock_set_state(void *data, const struct sock *sk,
				      const int old, const int new)
{
	struct ipsec_net *in;

	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	in = ipsec_net(sock_net(sk));
	if (READ_ONCE(in->dead))
		return;

	rcu_read_lock();
	handshake_step(in, (struct sock *)sk, old, new);
	rcu_read_unlock();
}

static void probe_tcp_destroy_sock(void *data, struct sock *sk)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_connection *connection;

	if (READ_ONCE(in->dead))
		return;
	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	if (connection)
		connection_forget(in, connection);
	rcu_read_unlock();
	ipsec_required_gone(in, sk);
}

/* Will TCP take this segment, which is about to be looked at? */
static bool segment_is_next(const struct sock *sk, struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcphdr *th = tcp_hdr(skb);
	u32 ack = TCP_SKB_CB(skb)->ack_seq;

	return TCP_SKB_CB(skb)->seq == tp->rcv_nxt && th->ack && !th->syn && !th->rst &&
	       !before(ack, tp->snd_una) && !after(ack, tp->snd_nxt) &&
	       !tcp_checksum_complete(skb);
}

/* Called with the socket's lock for every segment of an established connection. */
static void probe_tcp_probe(void *data, struct sock *sk, struct sk_buff *skb)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_connection *connection;
	struct ipsec_context *context;

	/* what comes from the backlog has been stripped of its secpath */
	if (!atomic_read(&in->old_connections) || READ_ONCE(in->dead) || !in_softirq())
		return;

	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	if (!connection || connection->state != IPSEC_CONNECTION_OLD ||
	    !segment_is_next(sk, skb))
		goto out;
	context = ipsec_secpath_context(in, skb,
					ipsec_secpath_reassembled(skb, &TCP_SKB_CB(skb)->header.h4,
								  &TCP_SKB_CB(skb)->header.h6));
	if (!context)
		ipsec_connection_remove(in, connection);
	else if (!IS_ERR(context) && ipsec_context_hold(in, context))
		ipsec_connection_set(in, connection, IPSEC_CONNECTION_PROTECTED, context);
out:
	rcu_read_unlock();
}

static struct {
	const char *name;
	void *probe;
	struct tracepoint *tracepoint;
	bool registered;
} probes[] = {
	{ "tcp_destroy_sock", probe_tcp_destroy_sock },
	{ "inet_sock_set_state", probe_inet_sock_set_state },
	{ "tcp_probe", probe_tcp_probe },	/* only once there is need */
};

#define PROBE_OLD	2

static DEFINE_MUTEX(probe_mutex);

static void probe_find(struct tracepoint *tracepoint, void *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(tracepoint->name, probes[i].name))
			probes[i].tracepoint = tracepoint;
}

static int probe_register(unsigned int i)
{
	int err = 0;

	mutex_lock(&probe_mutex);
	if (!probes[i].tracepoint) {
		err = -ENOENT;
	} else if (!probes[i].registered && !READ_ONCE(closing)) {
		err = tracepoint_probe_register(probes[i].tracepoint, probes[i].probe, NULL);
		probes[i].registered = !err;
	}
	if (err)
		pr_err("ipsec_token: no tracepoint %s: %d\n", probes[i].name, err);
	mutex_unlock(&probe_mutex);
	return err;
}

static void probe_unregister(unsigned int i)
{
	if (probes[i].registered)
		tracepoint_probe_unregister(probes[i].tracepoint, probes[i].probe, NULL);
	probes[i].registered = false;
}

static bool are_old(void)
{
	struct net *net;

	for_each_net(net)
		if (atomic_read(&ipsec_net(net)->old_connections))
			return true;
	return false;
}

/* Every segment of all connections pays for this one. */
static void probe_old_end(struct work_struct *work)
{
	down_read(&net_rwsem);
	mutex_lock(&probe_mutex);
	if (!are_old())
		probe_unregister(PROBE_OLD);
	mutex_unlock(&probe_mutex);
	up_read(&net_rwsem);
}

static DECLARE_WORK(probe_old_work, probe_old_end);

static void probes_unregister(void)
{
	unsigned int i;

	mutex_lock(&probe_mutex);
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		probe_unregister(i);
	mutex_unlock(&probe_mutex);
	tracepoint_synchronize_unregister();
}

/**
 * ipsec_handshake_old_gone - of no connection in a namespace will a next segment tell
 *
 * Context: any.
 */
void ipsec_handshake_old_gone(void)
{
	schedule_work(&probe_old_work);
}

/* established, or about to be */
#define CONNECTED	(TCPF_SYN_SENT | TCPF_SYN_RECV | TCPF_ESTABLISHED |	\
			 TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSE_WAIT |	\
			 TCPF_LAST_ACK | TCPF_CLOSING)

/* What is in one of these states by now was not watched. */
static void mark_old(struct ipsec_net *in)
{
	struct inet_hashinfo *hashinfo = in->net->ipv4.tcp_death_row.hashinfo;
	const struct hlist_nulls_node *node;
	struct sock *sk;
	unsigned int i;

	for (i = 0; i <= hashinfo->ehash_mask; i++) {
		spinlock_t *lock = inet_ehash_lockp(hashinfo, i);

		cond_resched();
		if (hlist_nulls_empty(&hashinfo->ehash[i].chain))
			continue;
		rcu_read_lock();
		spin_lock_bh(lock);
		sk_nulls_for_each(sk, node, &hashinfo->ehash[i].chain) {
			if (!net_eq(sock_net(sk), in->net) ||
			    !((1 << sk->sk_state) & CONNECTED) ||
			    ipsec_connection_find(in, sk))
				continue;
			if (ipsec_connection_create(in, sk, IPSEC_CONNECTION_OLD))
				ipsec_count(in, IPSEC_COUNT_UNKNOWN_OLD);
		}
		spin_unlock_bh(lock);
		rcu_read_unlock();
	}
	if (atomic_read(&in->old_connections))
		probe_register(PROBE_OLD);
}

static int sa_in_use(struct xfrm_state *x, int count, void *in_use)
{
	if (x->curlft.use_time)
		*(bool *)in_use = true;
	return *(bool *)in_use;
}

static void handshake_watch_work(struct work_struct *work)
{
	struct ipsec_net *in = container_of(work, struct ipsec_net, watch);
	struct xfrm_state_walk walk;
	bool in_use = false;
	int err;

	if (in->watching || READ_ONCE(in->dead) || READ_ONCE(closing))
		return;
	err = ipsec_segment_watch(in->net);
	if (err) {
		/* without them nothing can be said of any connection */
		pr_err_ratelimited("ipsec_token: netfilter hooks: %d\n", err);
		WRITE_ONCE(in->lost, true);
		return;
	}
	WRITE_ONCE(in->watching, true);

	/* Since the first SA came there may have been a handshake under it. */
	xfrm_state_walk_init(&walk, IPSEC_PROTO_ANY, NULL);
	xfrm_state_walk(in->net, &walk, sa_in_use, &in_use);
	xfrm_state_walk_done(&walk, in->net);
	/*
	 * Of an SA that was deleted before that it has been told after this; but not
	 * of one that expires at the very same time on another CPU.
	 */
	mutex_lock(&in->net->xfrm.xfrm_cfg_mutex);
	mutex_unlock(&in->net->xfrm.xfrm_cfg_mutex);
	/*
	 * One that is about to be established may have been seen to before it was
	 * known that there is somebody who watches.
	 */
	if (in_use || READ_ONCE(in->blind))
		mark_old(in);
	/* pairs with the acquire in ipsec_tcp_ptoken() */
	smp_store_release(&in->settled, true);
}

/**
 * ipsec_handshake_watch - from now on handshakes may be protected
 * @in: where
 *
 * Context: any.
 */
void ipsec_handshake_watch(struct ipsec_net *in)
{
	if (!READ_ONCE(in->watching) && !READ_ONCE(in->dead))
		schedule_work(&in->watch);
}

/**
 * ipsec_handshake_watch_now - the same, and it has begun when this returns
 * @in: where
 *
 * Context: process context, may sleep.
 * Return: 0, -ENETDOWN, or -ENOMEM if it could not begin.
 */
int ipsec_handshake_watch_now(struct ipsec_net *in)
{
	if (!READ_ONCE(in->watching)) {
		ipsec_handshake_watch(in);
		flush_work(&in->watch);
	}
	if (READ_ONCE(in->dead))
		return -ENETDOWN;
	return READ_ONCE(in->watching) ? 0 : -ENOMEM;
}

/**
 * ipsec_handshake_watch_all - the same in all namespaces
 *
 * Those to come are seen to when they come.
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int ipsec_handshake_watch_all(void)
{
	struct net *net;
	int err = 0;

	down_read(&net_rwsem);
	for_each_net(net) {
		err = ipsec_handshake_watch_now(ipsec_net(net));
		if (err == -ENETDOWN)
			err = 0;
		if (err)
			break;
	}
	up_read(&net_rwsem);
	return err;
}

/**
 * ipsec_handshake_missed - an SA that was in use has gone
 * @in: where
 *
 * Context: any.
 */
void ipsec_handshake_missed(struct ipsec_net *in)
{
	if (!READ_ONCE(in->settled))
		WRITE_ONCE(in->blind, true);
}

/**
 * ipsec_handshake_init_net - make ready for watching a namespace
 * @in: the namespace
 *
 * Context: process context.
 */
void ipsec_handshake_init_net(struct ipsec_net *in)
{
	INIT_WORK(&in->watch, handshake_watch_work);
}

/**
 * ipsec_handshake_pre_exit_net - stop watching a namespace
 * @in: the namespace, dead
 *
 * Context: process context, may sleep. After a grace period nothing here uses
 * the namespace.
 */
void ipsec_handshake_pre_exit_net(struct ipsec_net *in)
{
	cancel_work_sync(&in->watch);
	if (in->watching)
		ipsec_segment_unwatch(in->net);
}

/* Give sockets with a handshake under way their own function back. */
static void handshakes_abandon(struct ipsec_net *in)
{
	struct ipsec_connection *connection;
	struct rhashtable_iter iter;
	struct sock *sk;

	rhashtable_walk_enter(&in->connections, &iter);
	do {
		ipsec_walk_start(&iter);
		sk = NULL;
		while ((connection = rhashtable_walk_next(&iter))) {
			if (IS_ERR(connection) || !READ_ONCE(connection->backlog))
				continue;
			/* the record goes before its socket does */
			sk = connection->sk;
			if (refcount_inc_not_zero(&sk->sk_refcnt))
				break;
			sk = NULL;
		}
		rhashtable_walk_stop(&iter);
		if (!sk)
			continue;

		lock_sock(sk);	/* so nobody is inside that function */
		rcu_read_lock();
		connection = ipsec_connection_find(in, sk);
		if (connection)
			ipsec_backlog_end(in, connection);
		rcu_read_unlock();
		release_sock(sk);
		sock_put(sk);
	} while (connection || sk);
	rhashtable_walk_exit(&iter);
}

/**
 * ipsec_handshake_init - make ready for watching connections being made
 *
 * Comes before all that can begin to watch: a record that is made while nobody sees
 * sockets go outlives its socket.
 *
 * Context: process context, may sleep. ipsec_netns_init() has been called.
 * Return: 0 or a negative errno.
 */
int ipsec_handshake_init(void)
{
	int err;

	for_each_kernel_tracepoint(probe_find, NULL);
	err = probe_register(0);
	if (!err)
		err = probe_register(1);
	if (err)
		probes_unregister();
	return err;
}

/**
 * ipsec_handshake_begin - watch connections being made where there are SAs
 *
 * Context: process context, may sleep. ipsec_sa_init() has been called, so that
 * of SAs that come later it is told.
 */
void ipsec_handshake_begin(void)
{
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net) {
		struct ipsec_net *in = ipsec_net(net);

		/*
		 * In this order: under an SA that has gone by now nothing is established
		 * any more, but for what is marked. One that goes later is waited for.
		 */
		if (net->xfrm.state_num)
			ipsec_handshake_watch(in);
		mark_old(in);
	}
	up_read(&net_rwsem);
}

/**
 * ipsec_handshake_closing - does nobody see sockets go any more
 *
 * Their records then tell nothing of whether they are still there.
 *
 * Context: any.
 * Return: whether the module is about to go.
 */
bool ipsec_handshake_closing(void)
{
	return READ_ONCE(closing);
}

/**
 * ipsec_handshake_exit - stop watching connections
 *
 * Context: process context, may sleep. No probe runs when it returns, and no
 * socket leads here.
 */
void ipsec_handshake_exit(void)
{
	struct net *net;

	WRITE_ONCE(closing, true);
	tracepoint_synchronize_unregister();	/* probes that did not see it */

	down_read(&net_rwsem);
	for_each_net(net) {
		struct ipsec_net *in = ipsec_net(net);

		/* they make records, and look at the sockets of records */
		cancel_work_sync(&in->watch);
		cancel_delayed_work_sync(&in->latch_tend);
		handshakes_abandon(in);
	}
	up_read(&net_rwsem);
	probes_unregister();
	cancel_work_sync(&probe_old_work);
}
