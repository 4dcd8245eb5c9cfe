// SPDX-License-Identifier: GPL-2.0-only
/*
 * What protected the segment that completed a TCP handshake.
 *
 * That a protected segment arrived proves nothing: TCP may have refused it and
 * taken another one. So the question is put at the very moment at which TCP
 * changes the state of the connection, and it is which segment is being
 * processed right now:
 *
 *  - in softirq context it is the one that last passed LOCAL_IN on this CPU,
 *    since nothing comes between the two;
 *  - in process context it comes from the socket's backlog, through the
 *    function pointer with which a socket processes it. That of a socket with
 *    a handshake under way is ours for as long as it takes. TCP strips what it
 *    puts there of its secpath, so at LOCAL_IN a note is taken of every
 *    segment that may end up there.
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
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/tracepoint.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/xfrm.h>

#include "context.h"
#include "handshake.h"
#include "netns.h"
#include "secpath.h"
#include "tcp.h"

/**
 * struct ipsec_segment - a segment on its way to TCP
 * @net: where; NULL: none
 * @ports: source and destination, as in the header
 * @seq: sequence number
 * @opens: a SYN without ACK
 * @fragment: one of several, which TCP gets put together
 * @unknown: not known under what it came
 * @id: of the context under which it came; 0: in clear
 * @child: the socket that it has made
 */
struct ipsec_segment {
	const struct net *net;
	__be32 ports;
	u32 seq;
	bool opens;
	bool fragment;
	bool unknown;
	unsigned long id;
	const struct sock *child;
};

/* The segment that last passed LOCAL_IN; only touched with BH disabled. */
static DEFINE_PER_CPU(struct ipsec_segment, arrived);

static bool closing;	/* the module: nothing new is begun */

static void segment_fill(struct ipsec_segment *segment, struct ipsec_net *in,
			 const struct sk_buff *skb, const struct tcphdr *th)
{
	struct ipsec_context *context;

	segment->net = in->net;
	memcpy(&segment->ports, th, sizeof(segment->ports));
	segment->seq = ntohl(th->seq);
	segment->opens = th->syn && !th->ack;
	segment->fragment = false;
	segment->child = NULL;

	context = ipsec_secpath_context(in, skb,
					ipsec_secpath_reassembled(skb, IPCB(skb), IP6CB(skb)));
	segment->unknown = IS_ERR(context);
	segment->id = IS_ERR_OR_NULL(context) ? 0 : context->id;
}

#define MAX_NOTES	4

/**
 * struct ipsec_handshake - a socket whose handshake is under way
 * @backlog_rcv: what was in place of handshake_backlog_rcv()
 * @now: the segment from the backlog that is being processed, or NULL; under
 *	the socket's lock
 * @lock: guards @notes and @next
 * @next: the note to be overwritten next
 * @notes: segments that may have gone to the backlog. A note with the address
 *	of another segment that has gone is no danger: the new one passes
 *	LOCAL_IN as well and has its own note.
 * @rcu: frees it
 */
struct ipsec_handshake {
	int (*backlog_rcv)(struct sock *sk, struct sk_buff *skb);
	struct ipsec_segment *now;
	spinlock_t lock;
	unsigned int next;
	struct {
		const struct sk_buff *skb;
		struct ipsec_segment segment;
	} notes[MAX_NOTES];
	struct rcu_head rcu;
};

/* The socket that a segment is for, with a reference. */
static struct sock *segment_socket(struct net *net, struct sk_buff *skb,
				   const struct tcphdr *th)
{
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;

	if (skb->protocol == htons(ETH_P_IP))
		return __inet_lookup_established(net, hashinfo,
						 ip_hdr(skb)->saddr, th->source,
						 ip_hdr(skb)->daddr, ntohs(th->dest),
						 inet_iif(skb), inet_sdif(skb));
#if IS_ENABLED(CONFIG_IPV6)
	return __inet6_lookup_established(net, hashinfo,
					  &ipv6_hdr(skb)->saddr, th->source,
					  &ipv6_hdr(skb)->daddr, ntohs(th->dest),
					  inet6_iif(skb), inet6_sdif(skb));
#else
	return NULL;
#endif
}

static void note_take(struct ipsec_handshake *handshake, const struct sk_buff *skb,
		      const struct ipsec_segment *segment)
{
	unsigned int i;

	spin_lock_bh(&handshake->lock);
	for (i = 0; i < MAX_NOTES; i++)
		if (handshake->notes[i].skb == skb)
			break;
	if (i == MAX_NOTES) {
		i = handshake->next;
		handshake->next = (i + 1) % MAX_NOTES;
	}
	handshake->notes[i].skb = skb;
	handshake->notes[i].segment = *segment;
	spin_unlock_bh(&handshake->lock);
}

static bool note_find(struct ipsec_handshake *handshake, const struct sk_buff *skb,
		      struct ipsec_segment *segment)
{
	unsigned int i;

	spin_lock_bh(&handshake->lock);
	for (i = 0; i < MAX_NOTES; i++) {
		if (handshake->notes[i].skb != skb)
			continue;
		*segment = handshake->notes[i].segment;
		break;
	}
	spin_unlock_bh(&handshake->lock);
	return i < MAX_NOTES;
}

static void segment_note(struct ipsec_net *in, struct sk_buff *skb,
			 const struct tcphdr *th, const struct ipsec_segment *segment)
{
	struct ipsec_connection *connection;
	struct ipsec_handshake *handshake;
	struct sock *sk;

	sk = segment_socket(in->net, skb, th);
	if (!sk)
		return;
	connection = ipsec_connection_find(in, sk);
	handshake = connection ? READ_ONCE(connection->handshake) : NULL;
	if (handshake)
		note_take(handshake, skb, segment);
	sock_gen_put(sk);
}

static void segment_arrives(struct net *net, struct sk_buff *skb, int offset)
{
	struct ipsec_segment *segment = this_cpu_ptr(&arrived);
	struct ipsec_net *in = ipsec_net(net);
	const struct tcphdr *th;
	struct tcphdr buffer;

	th = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (unlikely(!th)) {
		segment->net = NULL;
		return;
	}
	segment_fill(segment, in, skb, th);
	if (atomic_read(&in->opening) && (th->syn || atomic_read(&in->early)))
		segment_note(in, skb, th, segment);
}

static unsigned int handshake_in4(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	if (ip_hdr(skb)->protocol == IPPROTO_TCP)
		segment_arrives(state->net, skb, ip_hdrlen(skb));
	return NF_ACCEPT;
}

static unsigned int handshake_in6(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct ipsec_segment *segment;
	unsigned short fragment = 0;
	unsigned int offset = 0;
	int flags = 0;

	if (likely(ipv6_hdr(skb)->nexthdr == IPPROTO_TCP)) {
		segment_arrives(state->net, skb, sizeof(struct ipv6hdr));
		return NF_ACCEPT;
	}

	if (!ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr))
		return NF_ACCEPT;
	/* IPv6 puts fragments together only after this; they could be TCP */
	if (ipv6_find_hdr(skb, &offset, NEXTHDR_FRAGMENT, &fragment, NULL) >= 0) {
		segment = this_cpu_ptr(&arrived);
		segment->net = state->net;
		segment->fragment = true;
		segment->unknown = true;
		segment->child = NULL;
		return NF_ACCEPT;
	}
	offset = 0;
	if (ipv6_find_hdr(skb, &offset, IPPROTO_TCP, &fragment, &flags) >= 0)
		segment_arrives(state->net, skb, offset);
	return NF_ACCEPT;
}

static const struct nf_hook_ops handshake_hooks[] = {
	{
		.hook = handshake_in4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = INT_MAX,
	}, {
		.hook = handshake_in6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = INT_MAX,
	},
};

static struct ipsec_handshake *handshake_of(const struct sock *sk)
{
	struct ipsec_connection *connection;

	connection = ipsec_connection_find(ipsec_net(sock_net(sk)), sk);
	return connection ? connection->handshake : NULL;
}

/* In place of a socket's own function, with a note of what is in work. */
static int handshake_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	int (*backlog_rcv)(struct sock *sk, struct sk_buff *skb) = NULL;
	struct ipsec_handshake *handshake;
	struct ipsec_segment segment = {};
	int ret;

	rcu_read_lock();
	handshake = handshake_of(sk);
	if (handshake) {
		backlog_rcv = handshake->backlog_rcv;
		if (!note_find(handshake, skb, &segment))
			segment.net = NULL;
		handshake->now = &segment;
	}
	rcu_read_unlock();

	ret = (backlog_rcv ?: sk->sk_prot->backlog_rcv)(sk, skb);

	/* what was just done may have been the end of the handshake */
	rcu_read_lock();
	handshake = handshake_of(sk);
	if (handshake)
		handshake->now = NULL;
	rcu_read_unlock();
	return ret;
}

static void handshake_begin(struct ipsec_net *in, struct ipsec_connection *connection)
{
	struct ipsec_handshake *handshake;

	handshake = kzalloc(sizeof(*handshake), GFP_ATOMIC);
	if (!handshake)		/* what comes from the backlog is not known */
		return;
	spin_lock_init(&handshake->lock);
	handshake->backlog_rcv = connection->sk->sk_backlog_rcv;
	connection->sk->sk_backlog_rcv = handshake_backlog_rcv;
	atomic_inc(&in->opening);
	WRITE_ONCE(connection->handshake, handshake);
}

static void handshake_end(struct ipsec_net *in, struct ipsec_connection *connection)
{
	struct ipsec_handshake *handshake = connection->handshake;
	struct sock *sk = connection->sk;

	if (!handshake)
		return;
	WRITE_ONCE(connection->handshake, NULL);
	atomic_dec(&in->opening);
	if (connection->early)
		atomic_dec(&in->early);
	/* unless somebody else has written there: IPv6 after a failed connect */
	if (sk->sk_backlog_rcv == handshake_backlog_rcv)
		sk->sk_backlog_rcv = handshake->backlog_rcv;
	kfree_rcu(handshake, rcu);
}

static void connection_forget(struct ipsec_net *in, struct ipsec_connection *connection)
{
	handshake_end(in, connection);
	ipsec_connection_remove(in, connection);
}

static struct ipsec_connection *connection_open(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_connection *connection;

	connection = ipsec_connection_create(in, sk, IPSEC_CONNECTION_OPENING);
	if (connection)
		handshake_begin(in, connection);
	return connection;
}

/* The segment that is being processed for @sk, or NULL if that is not clear. */
static struct ipsec_segment *segment_now(const struct sock *sk,
					 const struct ipsec_connection *connection,
					 int old, int new)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct ipsec_segment *segment;
	__be16 ports[2];

	if (connection && connection->handshake && connection->handshake->now)
		segment = connection->handshake->now;
	else if (in_softirq())
		segment = this_cpu_ptr(&arrived);
	else
		return NULL;

	if (segment->net != sock_net(sk) || segment->fragment)
		return NULL;
	memcpy(ports, &segment->ports, sizeof(ports));
	if (ports[1] != inet->inet_sport)
		return NULL;
	/* a child just cloned from a listener does not know its peer yet */
	if (old != TCP_LISTEN && ports[0] != inet->inet_dport)
		return NULL;
	if (old == TCP_SYN_SENT && new == TCP_ESTABLISHED &&
	    tcp_sk(sk)->rcv_nxt != segment->seq + 1)
		return NULL;
	return segment;
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
	if (connection->handshake && !connection->early)
		atomic_inc(&in->early);
	WRITE_ONCE(connection->early, true);
}

static void connection_established(struct ipsec_net *in, struct sock *sk,
				   struct ipsec_connection *connection,
				   const struct ipsec_segment *segment, int old)
{
	struct ipsec_context *context;
	int err;

	err = segment_hold(in, segment, &context);
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
	if (connection)
		handshake_end(in, connection);

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
	bool watching = smp_load_acquire(&in->watching) && !READ_ONCE(closing);

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
		segment = segment_now(sk, connection, old, new);
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
					       segment_now(sk, connection, old, new), old);
		break;
	case TCP_CLOSE:
		if (connection)
			connection_forget(in, connection);
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
	{ "inet_sock_set_state", probe_inet_sock_set_state },
	{ "tcp_destroy_sock", probe_tcp_destroy_sock },
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
	if (!probes[i].tracepoint)
		err = -ENOENT;
	else if (!probes[i].registered)
		err = tracepoint_probe_register(probes[i].tracepoint, probes[i].probe, NULL);
	if (!err)
		probes[i].registered = true;
	else
		pr_err("ipsec_token: no tracepoint %s: %d\n", probes[i].name, err);
	mutex_unlock(&probe_mutex);
	return err;
}

static void probes_unregister(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].registered)
			tracepoint_probe_unregister(probes[i].tracepoint, probes[i].probe, NULL);
	tracepoint_synchronize_unregister();
}

/* What is established by now was not watched. */
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
			    !((1 << sk->sk_state) &
			      (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 |
			       TCPF_CLOSE_WAIT | TCPF_LAST_ACK | TCPF_CLOSING)) ||
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

	if (in->watching || READ_ONCE(in->dead))
		return;
	err = nf_register_net_hooks(in->net, handshake_hooks, ARRAY_SIZE(handshake_hooks));
	if (err) {
		/* without them nothing can be said of any connection */
		pr_err_ratelimited("ipsec_token: netfilter hooks: %d\n", err);
		WRITE_ONCE(in->lost, true);
		return;
	}
	smp_store_release(&in->watching, true);

	/* Since the first SA came there may have been a handshake under it. */
	xfrm_state_walk_init(&walk, IPSEC_PROTO_ANY, NULL);
	xfrm_state_walk(in->net, &walk, sa_in_use, &in_use);
	xfrm_state_walk_done(&walk, in->net);
	if (in_use || READ_ONCE(in->blind))
		mark_old(in);
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
 * ipsec_handshake_missed - an SA that was in use has gone
 * @in: where
 *
 * Context: any.
 */
void ipsec_handshake_missed(struct ipsec_net *in)
{
	if (!READ_ONCE(in->watching))
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
		nf_unregister_net_hooks(in->net, handshake_hooks,
					ARRAY_SIZE(handshake_hooks));
}

/* Give sockets with a handshake under way their own function back. */
static void handshakes_abandon(struct ipsec_net *in)
{
	struct ipsec_connection *connection;
	struct rhashtable_iter iter;
	struct sock *sk;

	rhashtable_walk_enter(&in->connections, &iter);
	do {
		rhashtable_walk_start(&iter);
		sk = NULL;
		while ((connection = rhashtable_walk_next(&iter))) {
			if (IS_ERR(connection) || !READ_ONCE(connection->handshake))
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
			handshake_end(in, connection);
		rcu_read_unlock();
		release_sock(sk);
		sock_put(sk);
	} while (connection || sk);
	rhashtable_walk_exit(&iter);
}

/**
 * ipsec_handshake_init - begin to watch connections being made
 *
 * Context: process context, may sleep. ipsec_netns_init() has been called.
 * Return: 0 or a negative errno.
 */
int ipsec_handshake_init(void)
{
	struct net *net;
	int err;

	for_each_kernel_tracepoint(probe_find, NULL);
	err = probe_register(0);
	if (!err)
		err = probe_register(1);
	if (err) {
		probes_unregister();
		return err;
	}

	down_read(&net_rwsem);
	for_each_net(net) {
		struct ipsec_net *in = ipsec_net(net);

		mark_old(in);
		if (net->xfrm.state_num)
			ipsec_handshake_watch(in);
	}
	up_read(&net_rwsem);
	return 0;
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
	for_each_net(net)
		handshakes_abandon(ipsec_net(net));
	up_read(&net_rwsem);
	probes_unregister();
}
