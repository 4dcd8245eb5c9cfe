// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP segments, and datagrams, on their way to TCP and UDP.
 *
 * Which segment is being processed right now, and under which context did it come?
 * In softirq context it is the one that last passed LOCAL_IN on this CPU, since
 * nothing comes between the two. In process context it comes from the socket's
 * backlog (see backlog.c), or from a queue of netfilter's, which is made to look
 * like softirq context (see segment.c).
 *
 * While a handshake is under way there is no connection yet that a segment could be
 * judged by; so segments that may be part of one are taken one at a time, up to the
 * end of their processing by TCP (see gate.c).
 */
#include <linux/ipsec_token.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/udp.h>

#include "backlog.h"
#include "context.h"
#include "gate.h"
#include "hold.h"
#include "latch.h"
#include "netns.h"
#include "require.h"
#include "secpath.h"
#include "segment.h"
#include "segment_judge.h"
#include "tcp.h"

/* The segment that last passed LOCAL_IN; only touched with BH disabled. */
static DEFINE_PER_CPU(struct ipsec_segment, arrived);

/* What the child of a listener under requests gets, while that may be made. */
static DEFINE_PER_CPU(struct ipsec_required *, adopt);

/**
 * struct arrival - a segment at LOCAL_IN
 * @in: where
 * @skb: the segment
 * @offset: where in it TCP begins
 * @th: the TCP header, or a copy of it; NULL: of a datagram
 * @context: under which it came; NULL: in clear; or ERR_PTR
 * @turn: whether it has waited
 */
struct arrival {
	struct ipsec_net *in;
	struct sk_buff *skb;
	unsigned int offset;
	enum ipsec_turn turn;
	const struct tcphdr *th;
	struct ipsec_context *context;
};

static void segment_fill(const struct arrival *arrival)
{
	struct ipsec_segment *segment = this_cpu_ptr(&arrived);
	const struct tcphdr *th = arrival->th;

	segment->net = arrival->in->net;
	memcpy(&segment->ports, th, sizeof(segment->ports));
	segment->seq = ntohl(th->seq);
	segment->opens = th->syn && !th->ack;
	segment->syn = th->syn;
	segment->fragment = false;
	segment->child = NULL;
	segment->unknown = IS_ERR(arrival->context);
	segment->id = IS_ERR_OR_NULL(arrival->context) ? 0 : arrival->context->id;
}

/* The socket that a segment is for, with a reference. */
static struct sock *segment_socket(const struct arrival *arrival)
{
	struct net *net = arrival->in->net;
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;
	const struct tcphdr *th = arrival->th;
	struct sk_buff *skb = arrival->skb;

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

/* The socket that listens for a segment that opens a connection; under RCU. */
static struct sock *segment_listener(const struct arrival *arrival)
{
	struct net *net = arrival->in->net;
	struct inet_hashinfo *hashinfo = net->ipv4.tcp_death_row.hashinfo;
	const struct tcphdr *th = arrival->th;
	struct sk_buff *skb = arrival->skb;
	int doff = arrival->offset + th->doff * 4;

	if (skb->protocol == htons(ETH_P_IP))
		return __inet_lookup_listener(net, hashinfo, skb, doff,
					      ip_hdr(skb)->saddr, th->source,
					      ip_hdr(skb)->daddr, ntohs(th->dest),
					      inet_iif(skb), inet_sdif(skb));
#if IS_ENABLED(CONFIG_IPV6)
	return inet6_lookup_listener(net, hashinfo, skb, doff,
				     &ipv6_hdr(skb)->saddr, th->source,
				     &ipv6_hdr(skb)->daddr, ntohs(th->dest),
				     inet6_iif(skb), inet6_sdif(skb));
#else
	return NULL;
#endif
}

/* Is it a connection that is there, rather than one that may be about to be? */
static bool is_connection(const struct sock *sk)
{
	if (!sk || !((1 << READ_ONCE(sk->sk_state)) &
		     (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSE_WAIT |
		      TCPF_LAST_ACK | TCPF_CLOSING)))
		return false;
	smp_acquire__after_ctrl_dep();	/* whoever put it there made its record before */
	return true;
}

static enum ipsec_verdict required_judge(const struct arrival *arrival,
					 struct ipsec_required *required)
{
	if (likely(!required))
		return IPSEC_VERDICT_PASS;
	if (IS_ERR(required))
		return IPSEC_VERDICT_REFUSE;
	return ipsec_required_in(arrival->in, required, arrival->skb, arrival->context,
				 arrival->turn != IPSEC_TURN_LAST);
}

static enum ipsec_verdict connection_judge(const struct arrival *arrival, struct sock *sk)
{
	struct ipsec_connection *connection = ipsec_connection_find(arrival->in, sk);
	enum ipsec_verdict verdict;

	if (ipsec_required_any(arrival->in)) {
		verdict = required_judge(arrival, ipsec_required_of(arrival->in, sk));
		if (verdict != IPSEC_VERDICT_PASS)
			return verdict;
	}
	if (!connection) {
		if (!IS_ERR_OR_NULL(arrival->context))
			ipsec_latch_gain(arrival->in, sk, arrival->skb, arrival->offset,
					 arrival->context);
		return IPSEC_VERDICT_PASS;
	}
	verdict = ipsec_latch_in(arrival->in, connection, arrival->skb, arrival->offset,
				 arrival->context, arrival->turn != IPSEC_TURN_LAST);
	verdict = ipsec_in_turn(arrival->in, connection, verdict, arrival->turn);
	if (unlikely(READ_ONCE(connection->backlog)) && verdict == IPSEC_VERDICT_PASS)
		ipsec_backlog_judged(arrival->in, connection, arrival->skb);
	return verdict;
}

/*
 * Both at no cost before the first request ever: first of all, as what finds our part
 * of the namespace is not optimized away.
 */
static __always_inline bool required_any(const struct nf_hook_state *state)
{
	return static_branch_unlikely(&ipsec_required_used) &&
	       ipsec_required_any(ipsec_net_rcu(state->net));
}

static __always_inline bool required_may(const struct nf_hook_state *state,
					 const struct sock *sk)
{
	return static_branch_unlikely(&ipsec_required_used) &&
	       ipsec_required_may(ipsec_net_rcu(state->net), sk);
}

/*
 * Does a segment of a connection pass without further ado? Nearly all do, most
 * of them because their connection has nothing to do with IPsec.
 */
static __always_inline bool passes_in(const struct net *net, const struct sk_buff *skb,
				      const struct sock *sk)
{
	struct ipsec_connection *connection;
	const struct ipsec_context *context;
	const struct ipsec_net *in;

	if (ipsec_connection_none(sk))
		return !skb_sec_path(skb);
	in = ipsec_net_rcu(net);
	if (unlikely(!ipsec_connection_glance(in, sk, &connection)))
		return false;
	if (!connection)
		return !skb_sec_path(skb);
	return ipsec_latch_in_usual(connection, &context) && ipsec_secpath_is(skb, context) &&
	       likely(!ipsec_hold_releasing(in));
}

/* The same for what early demux has given a socket, which TCP will take. */
static __always_inline bool demuxed_passes_in(const struct sk_buff *skb,
					      const struct nf_hook_state *state)
{
	const struct sock *sk = skb->sk;

	if (!is_connection(sk) || required_may(state, sk) || !passes_in(state->net, skb, sk))
		return false;
	/* there will be no handshake that asks for it */
	this_cpu_write(arrived.net, NULL);
	return true;
}

/*
 * What a listener requires is required of every segment on the way to a connection,
 * and what it makes of them has the same requests from its very beginning.
 */
static enum ipsec_verdict opening_required(const struct arrival *arrival, struct sock *sk)
{
	struct ipsec_required *required;
	enum ipsec_verdict verdict;

	if (sk && sk->sk_state == TCP_NEW_SYN_RECV)
		sk = inet_reqsk(sk)->rsk_listener;
	else if (!sk || !sk_fullsock(sk))
		sk = segment_listener(arrival);
	if (!sk)
		return IPSEC_VERDICT_PASS;
	required = ipsec_required_of(arrival->in, sk);
	verdict = required_judge(arrival, required);
	if (verdict != IPSEC_VERDICT_PASS || !required || sk->sk_state != TCP_LISTEN)
		return verdict;
	this_cpu_write(adopt, ipsec_required_child(required));
	return this_cpu_read(adopt) ? IPSEC_VERDICT_PASS : IPSEC_VERDICT_REFUSE;
}

/* A segment that does not belong to a connection yet, but may make one. */
static enum ipsec_verdict opening_judge(const struct arrival *arrival, struct sock *sk)
{
	struct ipsec_connection *connection;
	enum ipsec_verdict verdict;

	if (ipsec_required_any(arrival->in)) {
		verdict = opening_required(arrival, sk);
		if (verdict != IPSEC_VERDICT_PASS)
			return verdict;
	}
	if (!sk || !sk_fullsock(sk))
		return IPSEC_VERDICT_PASS;
	connection = ipsec_connection_find(arrival->in, sk);
	if (!connection)
		return IPSEC_VERDICT_PASS;
	/* its SYN may have brought data, so it is latched already */
	verdict = ipsec_latch_in(arrival->in, connection, arrival->skb, arrival->offset,
				 arrival->context, arrival->turn != IPSEC_TURN_LAST);
	if (verdict == IPSEC_VERDICT_PASS &&
	    !ipsec_backlog_note(connection, arrival->skb, this_cpu_ptr(&arrived))) {
		ipsec_count(arrival->in, IPSEC_COUNT_UNKNOWN_LIMIT);
		verdict = IPSEC_VERDICT_REFUSE;
	}
	return verdict;
}

static enum ipsec_verdict segment_gate(const struct arrival *arrival,
				       const struct nf_hook_state *state)
{
	spinlock_t *gate = ipsec_gate_of_segment(arrival->skb, arrival->th);
	enum ipsec_verdict verdict;
	struct sock *sk;

	if (!ipsec_gate_enter(gate))
		return ipsec_required_any(arrival->in) ? IPSEC_VERDICT_REFUSE :
							 IPSEC_VERDICT_PASS;
	/* whoever was here before may have completed the handshake */
	sk = segment_socket(arrival);
	if (is_connection(sk)) {
		verdict = connection_judge(arrival, sk);
	} else {
		verdict = opening_judge(arrival, sk);
		if (verdict == IPSEC_VERDICT_PASS) {
			ipsec_hook_continue(arrival->skb, state);
			verdict = IPSEC_VERDICT_TAKEN;
		}
		ipsec_required_drop(this_cpu_xchg(adopt, NULL));
	}
	ipsec_gate_leave(gate);
	if (sk)
		sock_gen_put(sk);
	return verdict;
}

static enum ipsec_verdict segment_arrives(struct sk_buff *skb, unsigned int offset,
					  const struct nf_hook_state *state, enum ipsec_turn turn)
{
	struct arrival arrival = {
		.in = ipsec_net(state->net), .skb = skb, .offset = offset, .turn = turn,
	};
	enum ipsec_verdict verdict;
	struct tcphdr buffer;
	struct sock *sk;

	arrival.th = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (unlikely(!arrival.th)) {
		this_cpu_write(arrived.net, NULL);
		return IPSEC_VERDICT_PASS;
	}
	sk = is_connection(skb->sk) ? NULL : segment_socket(&arrival);
	if (is_connection(sk) && !skb->sk && !skb->destructor &&
	    !ipsec_required_may(arrival.in, sk) && passes_in(state->net, skb, sk)) {
		/* as early demux does it, so that TCP need not look for it once more */
		this_cpu_write(arrived.net, NULL);
		skb->sk = sk;
		skb->destructor = sock_edemux;
		return IPSEC_VERDICT_PASS;
	}

	arrival.context = ipsec_secpath_context(arrival.in, skb,
						ipsec_secpath_reassembled(skb, IPCB(skb),
									  IP6CB(skb)));
	segment_fill(&arrival);

	/* early demux may have found it */
	if (is_connection(skb->sk))
		verdict = connection_judge(&arrival, skb->sk);
	else
		verdict = is_connection(sk) ? connection_judge(&arrival, sk) :
					      segment_gate(&arrival, state);
	if (sk)
		sock_gen_put(sk);
	return verdict;
}

/* The socket that a datagram is for; under RCU. One of several gets to udp_recvmsg.c only. */
static struct sock *datagram_socket(struct net *net, struct sk_buff *skb,
				    const struct udphdr *uh)
{
	if (skb->sk)
		return sk_fullsock(skb->sk) ? skb->sk : NULL;
	if (skb->protocol == htons(ETH_P_IP))
		return __udp4_lib_lookup(net, ip_hdr(skb)->saddr, uh->source,
					 ip_hdr(skb)->daddr, uh->dest,
					 inet_iif(skb), inet_sdif(skb), &udp_table, skb);
#if IS_ENABLED(CONFIG_IPV6)
	return __udp6_lib_lookup(net, &ipv6_hdr(skb)->saddr, uh->source,
				 &ipv6_hdr(skb)->daddr, uh->dest,
				 inet6_iif(skb), inet6_sdif(skb), &udp_table, skb);
#else
	return NULL;
#endif
}

/* Does it get to all the sockets that want it, rather than to one? */
static bool is_for_many(const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return ipv4_is_multicast(ip_hdr(skb)->daddr) ||
		       (skb_rtable(skb) && skb_rtable(skb)->rt_flags & RTCF_BROADCAST);
	return ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
}

/* Only where there are requests: of datagrams nobody else asks before they are read. */
static enum ipsec_verdict datagram_arrives(struct sk_buff *skb, unsigned int offset,
					   const struct nf_hook_state *state, enum ipsec_turn turn)
{
	struct arrival arrival = {
		.in = ipsec_net(state->net), .skb = skb, .offset = offset, .turn = turn,
	};
	struct ipsec_required *required;
	const struct udphdr *uh;
	struct udphdr buffer;
	struct sock *sk;

	uh = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (!uh || !ipsec_required_any(arrival.in))
		return IPSEC_VERDICT_PASS;
	/* what one of them requires is no concern of the others */
	if (is_for_many(skb))
		return ipsec_required_readers(arrival.in, uh->dest) ? IPSEC_VERDICT_PASS :
								      IPSEC_VERDICT_REFUSE;
	sk = datagram_socket(state->net, skb, uh);
	required = sk ? ipsec_required_of(arrival.in, sk) : NULL;
	if (!required)
		return IPSEC_VERDICT_PASS;
	arrival.context = ipsec_secpath_context(arrival.in, skb,
						ipsec_secpath_reassembled(skb, IPCB(skb),
									  IP6CB(skb)));
	return required_judge(&arrival, required);
}

enum ipsec_verdict ipsec_judge_in4(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum ipsec_turn turn)
{
	if (ip_hdr(skb)->protocol == IPPROTO_UDP)
		return datagram_arrives(skb, ip_hdrlen(skb), state, turn);
	return segment_arrives(skb, ip_hdrlen(skb), state, turn);
}

/* The ports are in the first one only, and nothing is put together without it. */
static enum ipsec_verdict datagram_fragment_arrives(struct ipsec_net *in, struct sk_buff *skb,
						    unsigned int offset)
{
	const struct udphdr *uh;
	struct udphdr buffer;

	uh = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	return !uh || ipsec_required_readers(in, uh->dest) ? IPSEC_VERDICT_PASS :
							     IPSEC_VERDICT_REFUSE;
}

/* IPv6 puts fragments together only after this; TCP could be what comes of it. */
static enum ipsec_verdict fragment_arrives(struct sk_buff *skb, unsigned int offset,
					   const struct nf_hook_state *state)
{
	struct ipsec_segment *segment = this_cpu_ptr(&arrived);
	struct ipsec_net *in = ipsec_net(state->net);
	const struct frag_hdr *fh;
	struct frag_hdr buffer;

	segment->net = state->net;
	segment->fragment = true;
	segment->unknown = true;
	segment->child = NULL;

	if (!ipsec_required_any(in) &&
	    (!atomic_read(&in->latched) || READ_ONCE(in->latch_mode) == IPSEC_LATCH_OFF))
		return IPSEC_VERDICT_PASS;
	fh = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (fh && fh->nexthdr == IPPROTO_UDP && !(fh->frag_off & htons(IP6_OFFSET)))
		return datagram_fragment_arrives(in, skb, offset + sizeof(*fh));
	if (fh && fh->nexthdr != IPPROTO_TCP &&
	    (!ipv6_ext_hdr(fh->nexthdr) || fh->nexthdr == NEXTHDR_AUTH))
		return IPSEC_VERDICT_PASS;
	/* No one knows whose it will be, so it can be nobody's. */
	ipsec_count(in, IPSEC_COUNT_LATCH_REFUSED + IPSEC_LATCH_REASON_IN_UNKNOWN - 1);
	return READ_ONCE(in->latch_mode) == IPSEC_LATCH_REPORT && !ipsec_required_any(in) ?
		IPSEC_VERDICT_PASS : IPSEC_VERDICT_REFUSE;
}

enum ipsec_verdict ipsec_judge_in6(struct sk_buff *skb, const struct nf_hook_state *state,
				   enum ipsec_turn turn)
{
	unsigned int offset = 0, ah = 0;

	if (likely(ipv6_hdr(skb)->nexthdr == IPPROTO_TCP))
		return segment_arrives(skb, sizeof(struct ipv6hdr), state, turn);
	if (ipv6_hdr(skb)->nexthdr == IPPROTO_UDP)
		return datagram_arrives(skb, sizeof(struct ipv6hdr), state, turn);
	if (!ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr))
		return IPSEC_VERDICT_PASS;
	/* what AH protects comes by once more, without it */
	if (ipv6_find_hdr(skb, &ah, NEXTHDR_AUTH, NULL, NULL) >= 0)
		return IPSEC_VERDICT_PASS;
	if (ipv6_find_hdr(skb, &offset, NEXTHDR_FRAGMENT, NULL, NULL) >= 0)
		return fragment_arrives(skb, offset, state);
	offset = 0;
	if (ipv6_find_hdr(skb, &offset, IPPROTO_TCP, NULL, NULL) >= 0)
		return segment_arrives(skb, offset, state, turn);
	offset = 0;
	if (ipsec_required_any(ipsec_net(state->net)) &&
	    ipv6_find_hdr(skb, &offset, IPPROTO_UDP, NULL, NULL) >= 0)
		return datagram_arrives(skb, offset, state, turn);
	return IPSEC_VERDICT_PASS;
}

/* One hook for each place, so that most packets are done with in a few instructions. */
unsigned int ipsec_hook_in4(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	u8 protocol = ip_hdr(skb)->protocol;

	if (protocol == IPPROTO_TCP ? demuxed_passes_in(skb, state) :
	    protocol != IPPROTO_UDP || !required_any(state))
		return NF_ACCEPT;
	return ipsec_segment_judge(skb, state);
}

unsigned int ipsec_hook_in6(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	u8 nexthdr = ipv6_hdr(skb)->nexthdr;

	if (nexthdr == IPPROTO_TCP ? demuxed_passes_in(skb, state) : nexthdr == IPPROTO_ESP)
		return NF_ACCEPT;
	return ipsec_segment_judge(skb, state);
}

/**
 * ipsec_segment_adopt - a listener has made a socket
 * @in: where
 * @sk: the new socket
 *
 * Context: under the socket's lock, while TCP processes a segment.
 */
void ipsec_segment_adopt(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_required *child;

	if (!in_softirq())
		return;
	child = this_cpu_xchg(adopt, NULL);
	if (child)
		ipsec_required_adopt(in, child, sk);
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

	segment = ipsec_backlog_now(connection);
	if (!segment) {
		if (!in_softirq())
			return NULL;
		segment = this_cpu_ptr(&arrived);
	}

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
