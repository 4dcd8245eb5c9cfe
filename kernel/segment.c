// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which TCP segment is being processed right now, and under which context it
 * came.
 *
 *  - In softirq context it is the one that last passed LOCAL_IN on this CPU,
 *    since nothing comes between the two.
 *  - In process context it comes from the socket's backlog, through the
 *    function pointer with which a socket processes it. That of a socket with
 *    a handshake under way is ours for as long as it takes. TCP strips what it
 *    puts there of its secpath, so at LOCAL_IN a note is taken of every
 *    segment that may end up there.
 */
#include <linux/ipsec_token.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "context.h"
#include "netns.h"
#include "secpath.h"
#include "segment.h"
#include "tcp.h"

/* The segment that last passed LOCAL_IN; only touched with BH disabled. */
static DEFINE_PER_CPU(struct ipsec_segment, arrived);

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
 * struct ipsec_backlog - a socket whose handshake is under way
 * @backlog_rcv: what was in place of segment_backlog_rcv()
 * @now: the segment from the backlog that is being processed, or NULL; under
 *	the socket's lock
 * @lock: guards @notes and @next
 * @next: the note to be overwritten next
 * @notes: segments that may have gone to the backlog. A note with the address
 *	of another segment that has gone is no danger: the new one passes
 *	LOCAL_IN as well and has its own note.
 * @rcu: frees it
 */
struct ipsec_backlog {
	int (*backlog_rcv)(struct sock *sk, struct sk_buff *skb);
	struct ipsec_segment *now;
	spinlock_t lock;	/* notes, next */
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

static void note_take(struct ipsec_backlog *backlog, const struct sk_buff *skb,
		      const struct ipsec_segment *segment)
{
	unsigned int i;

	spin_lock_bh(&backlog->lock);
	for (i = 0; i < MAX_NOTES; i++)
		if (backlog->notes[i].skb == skb)
			break;
	if (i == MAX_NOTES) {
		i = backlog->next;
		backlog->next = (i + 1) % MAX_NOTES;
	}
	backlog->notes[i].skb = skb;
	backlog->notes[i].segment = *segment;
	spin_unlock_bh(&backlog->lock);
}

static bool note_find(struct ipsec_backlog *backlog, const struct sk_buff *skb,
		      struct ipsec_segment *segment)
{
	unsigned int i;

	spin_lock_bh(&backlog->lock);
	for (i = 0; i < MAX_NOTES; i++) {
		if (backlog->notes[i].skb != skb)
			continue;
		*segment = backlog->notes[i].segment;
		break;
	}
	spin_unlock_bh(&backlog->lock);
	return i < MAX_NOTES;
}

static void segment_note(struct ipsec_net *in, struct sk_buff *skb,
			 const struct tcphdr *th, const struct ipsec_segment *segment)
{
	struct ipsec_connection *connection;
	struct ipsec_backlog *backlog;
	struct sock *sk;

	sk = segment_socket(in->net, skb, th);
	if (!sk)
		return;
	connection = ipsec_connection_find(in, sk);
	backlog = connection ? READ_ONCE(connection->backlog) : NULL;
	if (backlog)
		note_take(backlog, skb, segment);
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

static unsigned int segment_in4(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	if (ip_hdr(skb)->protocol == IPPROTO_TCP)
		segment_arrives(state->net, skb, ip_hdrlen(skb));
	return NF_ACCEPT;
}

static unsigned int segment_in6(void *priv, struct sk_buff *skb,
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

static const struct nf_hook_ops segment_hooks[] = {
	{
		.hook = segment_in4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = INT_MAX,
	}, {
		.hook = segment_in6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = INT_MAX,
	},
};

/**
 * ipsec_segment_watch - begin to see segments arrive in a namespace
 * @net: the namespace
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative errno.
 */
int ipsec_segment_watch(struct net *net)
{
	return nf_register_net_hooks(net, segment_hooks, ARRAY_SIZE(segment_hooks));
}

/**
 * ipsec_segment_unwatch - undo ipsec_segment_watch()
 * @net: the namespace
 *
 * Context: process context, may sleep.
 */
void ipsec_segment_unwatch(struct net *net)
{
	nf_unregister_net_hooks(net, segment_hooks, ARRAY_SIZE(segment_hooks));
}

static struct ipsec_backlog *backlog_of(const struct sock *sk)
{
	struct ipsec_connection *connection;

	connection = ipsec_connection_find(ipsec_net(sock_net(sk)), sk);
	return connection ? connection->backlog : NULL;
}

/* In place of a socket's own function, with a note of what is in work. */
static int segment_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	int (*backlog_rcv)(struct sock *sk, struct sk_buff *skb) = NULL;
	struct ipsec_backlog *backlog;
	struct ipsec_segment segment = {};
	int ret;

	rcu_read_lock();
	backlog = backlog_of(sk);
	if (backlog) {
		backlog_rcv = backlog->backlog_rcv;
		if (!note_find(backlog, skb, &segment))
			segment.net = NULL;
		backlog->now = &segment;
	}
	rcu_read_unlock();

	ret = (backlog_rcv ?: sk->sk_prot->backlog_rcv)(sk, skb);

	/* what was just done may have been the end of the handshake */
	rcu_read_lock();
	backlog = backlog_of(sk);
	if (backlog)
		backlog->now = NULL;
	rcu_read_unlock();
	return ret;
}

/**
 * ipsec_segment_backlog_begin - a connection's handshake is under way
 * @in: its namespace
 * @connection: the connection
 *
 * Without memory, what comes from its backlog is not known.
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_segment_backlog_begin(struct ipsec_net *in, struct ipsec_connection *connection)
{
	struct ipsec_backlog *backlog;

	backlog = kzalloc(sizeof(*backlog), GFP_ATOMIC);
	if (!backlog)
		return;
	spin_lock_init(&backlog->lock);
	backlog->backlog_rcv = connection->sk->sk_backlog_rcv;
	connection->sk->sk_backlog_rcv = segment_backlog_rcv;
	atomic_inc(&in->opening);
	WRITE_ONCE(connection->backlog, backlog);
}

/**
 * ipsec_segment_backlog_end - undo ipsec_segment_backlog_begin(), if it was done
 * @in: the connection's namespace
 * @connection: the connection
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_segment_backlog_end(struct ipsec_net *in, struct ipsec_connection *connection)
{
	struct ipsec_backlog *backlog = connection->backlog;
	struct sock *sk = connection->sk;

	if (!backlog)
		return;
	WRITE_ONCE(connection->backlog, NULL);
	atomic_dec(&in->opening);
	if (connection->early)
		atomic_dec(&in->early);
	/* unless somebody else has written there: IPv6 after a failed connect */
	if (sk->sk_backlog_rcv == segment_backlog_rcv)
		sk->sk_backlog_rcv = backlog->backlog_rcv;
	kfree_rcu(backlog, rcu);
}

/**
 * ipsec_segment_now - the segment that is being processed for a socket
 * @sk: the socket
 * @connection: its record or NULL
 * @old: its state before the segment
 * @new: its state after the segment
 *
 * Context: under the socket's lock and RCU, while TCP processes a segment.
 * Return: the segment, NULL if it can't be told which one it is.
 */
struct ipsec_segment *ipsec_segment_now(const struct sock *sk,
					const struct ipsec_connection *connection,
					int old, int new)
{
	const struct inet_sock *inet = inet_sk(sk);
	struct ipsec_segment *segment;
	__be16 ports[2];

	if (connection && connection->backlog && connection->backlog->now)
		segment = connection->backlog->now;
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

