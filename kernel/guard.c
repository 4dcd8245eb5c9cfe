// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard: lets nothing pass from or to a ward (see ward.c) but what meets what is
 * required of it.
 *
 * What leaves is judged at POST_ROUTING, by the SAs that its route leads through,
 * before the latch is asked; segments that come are at LOCAL_IN. Datagrams come to
 * many sockets at once, so each socket judges them itself, in the place where
 * the kernel asks sockets that decapsulate. There no datagram is queued yet.
 *
 * That is done for every packet of a ward, whatever it was before: a handshake
 * that does not meet what its listener requires comes to nothing since none of its
 * segments pass.
 */
#include <linux/ipsec_token.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ipv6.h>
#include <net/rtnetlink.h>
#include <net/tcp.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "context.h"
#include "guard.h"
#include "handshake.h"
#include "negotiation.h"
#include "netns.h"
#include "request.h"
#include "secpath.h"
#include "segment.h"
#include "ward.h"

/* As the type of an encapsulation, which it is not: no type of the kernel's. */
#define GUARD_ENCAP	0xff

/* The listener that a segment has just passed to; only touched with BH disabled. */
static DEFINE_PER_CPU(const struct sock *, listener);

/**
 * ipsec_guard_begin - from now on something is required of a socket
 * @in: where
 *
 * Context: process, may sleep, without the lock of a socket.
 * Return: 0 once nothing can pass unseen; or a negative errno.
 */
int ipsec_guard_begin(struct ipsec_net *in)
{
	int err;

	static_branch_enable(&ipsec_ward_key);
	err = ipsec_handshake_watch_now(in);
	if (!err)
		WRITE_ONCE(in->guarded, true);
	return err;
}

/* A ward without a record: nobody knows what is required of it. */
static bool is_lost(const struct sock *sk)
{
	return READ_ONCE(sk->sk_destruct) == ipsec_ward_destruct;
}

static bool is_loopback(const struct net_device *dev)
{
	return dev && dev->flags & IFF_LOOPBACK;
}

static void refused(struct ipsec_net *in, struct ipsec_ward *ward, u8 reason,
		    enum ipsec_direction direction)
{
	u32 *count = direction == IPSEC_DIRECTION_OUT ? &ward->refused_out : &ward->refused_in;

	if (reason == IPSEC_REQUEST_OPEN)
		reason = IPSEC_REQUEST_REASON_UNKNOWN;
	WRITE_ONCE(*count, *count + 1);
	WRITE_ONCE(ward->reason, reason);
	ipsec_count(in, direction == IPSEC_DIRECTION_OUT ? IPSEC_COUNT_REQUEST_REFUSED_OUT :
							  IPSEC_COUNT_REQUEST_REFUSED_IN);
}

/* Does the device send it through IP once more, here, where it is seen again? */
static bool is_seen_again(const struct nf_hook_state *state)
{
	const struct rtnl_link_ops *ops = state->out ? state->out->rtnl_link_ops : NULL;

	if (!ipsec_segment_comes_by_again(state->out))
		return false;
	return !ops || !ops->get_link_net ||
	       net_eq(ops->get_link_net(state->out), state->net);
}

static bool flow_of(const struct sk_buff *skb, const struct sock *sk, struct ipsec_flow *flow)
{
	const __be16 *ports;
	__be16 buffer[2];

	memset(flow, 0, sizeof(*flow));
	if (skb->protocol == htons(ETH_P_IP)) {
		flow->family = AF_INET;
		flow->local.a4 = ip_hdr(skb)->saddr;
		flow->peer.a4 = ip_hdr(skb)->daddr;
	} else {
		flow->family = AF_INET6;
		flow->local.in6 = ipv6_hdr(skb)->saddr;
		flow->peer.in6 = ipv6_hdr(skb)->daddr;
	}
	flow->protocol = sk->sk_protocol;
	ports = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buffer), buffer);
	if (!ports)
		return false;
	flow->local_port = ports[0];
	flow->peer_port = ports[1];
	return true;
}

/* Ask for SAs. Return: why there won't be any, or to wait for them. */
static u8 ask(struct ipsec_net *in, struct ipsec_ward *ward, struct ipsec_request *request,
	      const struct sk_buff *skb)
{
	struct ipsec_flow flow;

	if (!flow_of(skb, ward->sk, &flow))
		return IPSEC_REQUEST_REASON_UNKNOWN;
	return ipsec_negotiation_ask(in, ward, request, &flow);
}

/* What becomes of a connection whose segment is refused? */
static void segment_refused(struct ipsec_net *in, struct ipsec_ward *ward,
			    struct ipsec_request *request, const struct sk_buff *skb, u8 reason)
{
	int state = inet_sk_state_load(ward->sk);

	if (state == TCP_LISTEN || reason == IPSEC_REQUEST_OPEN)
		return;
	/* also for one that is there: it stalls, and goes on once there are SAs */
	if (reason == IPSEC_REQUEST_REASON_NO_SA)
		reason = ask(in, ward, request, skb);
	if (reason && state == TCP_SYN_SENT)
		ipsec_ward_fail(in, ward, reason);
}

/* What does the sender of a datagram get that is refused? */
static enum ipsec_verdict datagram_refused(struct ipsec_net *in, struct ipsec_ward *ward,
					   struct ipsec_request *request, struct sk_buff *skb,
					   u8 reason, int *error)
{
	if (reason == IPSEC_REQUEST_REASON_NO_SA)
		reason = ask(in, ward, request, skb);
	if (reason == IPSEC_NEGOTIATION_WAIT || reason == IPSEC_REQUEST_OPEN) {
		/* it is lost, as it could be on the way */
		kfree_skb(skb);
		return IPSEC_VERDICT_TAKEN;
	}
	WRITE_ONCE(ward->reason, reason);
	WRITE_ONCE(ward->failed, true);
	*error = -ipsec_request_errno(reason);
	return IPSEC_VERDICT_REFUSE;
}

static bool is_transformed(struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (state->pf == NFPROTO_IPV4)
		return IPCB(skb)->flags & IPSKB_XFRM_TRANSFORMED;
	return IP6CB(skb)->flags & IP6SKB_XFRM_TRANSFORMED;
}

/* The socket that sends a packet; for an answer to a SYN, its listener. */
static struct sock *sender(struct ipsec_net *in, struct sk_buff *skb)
{
	struct sock *sk = skb_to_full_sk(skb);

	if (!sk || !net_eq(sock_net(sk), in->net))
		return NULL;
	return sk;
}

static enum ipsec_verdict judge_out(struct ipsec_net *in, struct sk_buff *skb,
				    const struct nf_hook_state *state, bool wait, int *error)
{
	struct ipsec_request *request = NULL;
	struct ipsec_context *context;
	struct ipsec_ward *ward;
	struct sock *sk;
	u8 reason;

	/* what has been protected comes by once more */
	if (is_transformed(skb, state))
		return IPSEC_VERDICT_PASS;
	sk = sender(in, skb);
	if (!sk)
		return IPSEC_VERDICT_PASS;
	ward = ipsec_ward_find(in, sk);
	if (!ward)
		return is_lost(sk) ? IPSEC_VERDICT_REFUSE : IPSEC_VERDICT_PASS;

	context = ipsec_secpath_outbound(in, skb);
	if (!context && is_seen_again(state))
		return IPSEC_VERDICT_PASS;
	reason = ipsec_ward_judge(in, ward, context, IPSEC_DIRECTION_OUT,
				  is_loopback(state->out), &request);
	if (!reason) {
		if (unlikely(READ_ONCE(ward->failed)))
			WRITE_ONCE(ward->failed, false);
		return IPSEC_VERDICT_PASS;
	}
	if (reason == IPSEC_REQUEST_OPEN && wait)
		return IPSEC_VERDICT_WAIT;
	refused(in, ward, reason, IPSEC_DIRECTION_OUT);
	if (sk->sk_protocol != IPPROTO_TCP)
		return datagram_refused(in, ward, request, skb, reason, error);
	segment_refused(in, ward, request, skb, reason);
	return IPSEC_VERDICT_REFUSE;
}

/**
 * struct looked - a socket that was looked up
 * @sk: a full one, or NULL
 * @held: what has a reference, or NULL
 */
struct looked {
	struct sock *sk;
	struct sock *held;
};

static struct sock *established(struct ipsec_net *in, struct sk_buff *skb,
				const struct tcphdr *th)
{
	struct inet_hashinfo *hashinfo = in->net->ipv4.tcp_death_row.hashinfo;

	if (skb->protocol == htons(ETH_P_IP))
		return __inet_lookup_established(in->net, hashinfo,
						 ip_hdr(skb)->saddr, th->source,
						 ip_hdr(skb)->daddr, ntohs(th->dest),
						 inet_iif(skb), inet_sdif(skb));
#if IS_ENABLED(CONFIG_IPV6)
	return __inet6_lookup_established(in->net, hashinfo,
					  &ipv6_hdr(skb)->saddr, th->source,
					  &ipv6_hdr(skb)->daddr, ntohs(th->dest),
					  inet6_iif(skb), inet6_sdif(skb));
#else
	return NULL;
#endif
}

/* Under RCU, which is what keeps it. */
static struct sock *listening(struct ipsec_net *in, struct sk_buff *skb, unsigned int offset,
			      const struct tcphdr *th)
{
	struct inet_hashinfo *hashinfo = in->net->ipv4.tcp_death_row.hashinfo;
	int doff = offset + __tcp_hdrlen(th);

	if (skb->protocol == htons(ETH_P_IP))
		return __inet_lookup_listener(in->net, hashinfo, skb, doff,
					      ip_hdr(skb)->saddr, th->source,
					      ip_hdr(skb)->daddr, ntohs(th->dest),
					      inet_iif(skb), inet_sdif(skb));
#if IS_ENABLED(CONFIG_IPV6)
	return inet6_lookup_listener(in->net, hashinfo, skb, doff,
				     &ipv6_hdr(skb)->saddr, th->source,
				     &ipv6_hdr(skb)->daddr, ntohs(th->dest),
				     inet6_iif(skb), inet6_sdif(skb));
#else
	return NULL;
#endif
}

/* The very look-up that TCP is about to do; of a request socket, the listener. */
static struct looked look_up(struct ipsec_net *in, struct sk_buff *skb, unsigned int offset,
			     const struct tcphdr *th)
{
	struct looked looked = {};
	struct sock *sk = skb->sk;

	if (!sk)
		sk = looked.held = established(in, skb, th);
	if (sk && inet_sk_state_load(sk) == TCP_NEW_SYN_RECV)
		looked.sk = inet_reqsk(sk)->rsk_listener;
	else if (sk && sk_fullsock(sk))
		looked.sk = sk;
	else	/* none, or one in TIME_WAIT, whose place may be taken */
		looked.sk = listening(in, skb, offset, th);
	return looked;
}

static enum ipsec_verdict judge_segment(struct ipsec_net *in, struct sk_buff *skb,
					struct ipsec_ward *ward, bool wait)
{
	struct ipsec_request *request = NULL;
	struct ipsec_context *context;
	u8 reason;

	context = ipsec_secpath_context(in, skb, ipsec_secpath_reassembled(skb, IPCB(skb),
									   IP6CB(skb)));
	reason = ipsec_ward_judge(in, ward, context, IPSEC_DIRECTION_IN,
				  is_loopback(skb->dev), &request);
	if (!reason)
		return IPSEC_VERDICT_PASS;
	if (reason == IPSEC_REQUEST_OPEN && wait)
		return IPSEC_VERDICT_WAIT;
	refused(in, ward, reason, IPSEC_DIRECTION_IN);
	return IPSEC_VERDICT_REFUSE;
}

static enum ipsec_verdict segment_arrives(struct ipsec_net *in, struct sk_buff *skb,
					  unsigned int offset, bool wait)
{
	enum ipsec_verdict verdict = IPSEC_VERDICT_PASS;
	const struct tcphdr *th;
	struct ipsec_ward *ward;
	struct looked looked;
	struct tcphdr buffer;

	this_cpu_write(listener, NULL);
	th = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (!th)
		return IPSEC_VERDICT_PASS;	/* TCP refuses it, too */
	looked = look_up(in, skb, offset, th);
	if (looked.sk) {
		ward = ipsec_ward_find(in, looked.sk);
		if (ward)
			verdict = judge_segment(in, skb, ward, wait);
		else if (is_lost(looked.sk))
			verdict = IPSEC_VERDICT_REFUSE;
		if (ward && verdict == IPSEC_VERDICT_PASS)
			this_cpu_write(listener, looked.sk);
	}
	if (looked.held)
		sock_gen_put(looked.held);
	return verdict;
}

/* IPv6 puts fragments together only after this; nobody knows whose it will be. */
static enum ipsec_verdict fragment_arrives(struct ipsec_net *in, struct sk_buff *skb,
					   unsigned int offset)
{
	const struct frag_hdr *fh;
	struct frag_hdr buffer;

	fh = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (!fh || (fh->nexthdr != IPPROTO_TCP &&
		    (!ipv6_ext_hdr(fh->nexthdr) || fh->nexthdr == NEXTHDR_AUTH)))
		return IPSEC_VERDICT_PASS;
	ipsec_count(in, IPSEC_COUNT_REQUEST_REFUSED_IN);
	return IPSEC_VERDICT_REFUSE;
}

static enum ipsec_verdict judge_in(struct ipsec_net *in, struct sk_buff *skb,
				   const struct nf_hook_state *state, bool wait)
{
	unsigned int offset = 0, ah = 0;

	if (state->pf == NFPROTO_IPV4) {
		if (ip_hdr(skb)->protocol != IPPROTO_TCP)
			return IPSEC_VERDICT_PASS;
		return segment_arrives(in, skb, ip_hdrlen(skb), wait);
	}
	if (ipv6_hdr(skb)->nexthdr == IPPROTO_TCP)
		return segment_arrives(in, skb, sizeof(struct ipv6hdr), wait);
	if (!ipv6_ext_hdr(ipv6_hdr(skb)->nexthdr))
		return IPSEC_VERDICT_PASS;
	/* what AH protects comes by once more, without it */
	if (ipv6_find_hdr(skb, &ah, NEXTHDR_AUTH, NULL, NULL) >= 0)
		return IPSEC_VERDICT_PASS;
	if (ipv6_find_hdr(skb, &offset, NEXTHDR_FRAGMENT, NULL, NULL) >= 0)
		return fragment_arrives(in, skb, offset);
	offset = 0;
	if (ipv6_find_hdr(skb, &offset, IPPROTO_TCP, NULL, NULL) >= 0)
		return segment_arrives(in, skb, offset, wait);
	return IPSEC_VERDICT_PASS;
}

/**
 * ipsec_guard_judge - may a packet go on
 * @skb: the packet
 * @state: where in netfilter it is, LOCAL_IN or POST_ROUTING
 * @wait: it may wait
 * @error: set to what its sender gets, where that is not as usual
 *
 * Context: any but hard interrupts, under RCU; at LOCAL_IN with BH disabled.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_guard_judge(struct sk_buff *skb, const struct nf_hook_state *state,
				     bool wait, int *error)
{
	struct ipsec_net *in = ipsec_net(state->net);

	if (!READ_ONCE(in->guarded))
		return IPSEC_VERDICT_PASS;
	if (state->hook == NF_INET_LOCAL_IN)
		return judge_in(in, skb, state, wait);
	return judge_out(in, skb, state, wait, error);
}

/**
 * ipsec_guard_listener - which ward has made a socket
 * @in: where
 * @child: the socket, just made, which knows its peer not yet
 *
 * TCP makes it of the segment that has just passed the guard on this CPU.
 *
 * Context: softirq, under RCU.
 * Return: the record of the listener; NULL if that can't be told.
 */
struct ipsec_ward *ipsec_guard_listener(struct ipsec_net *in, const struct sock *child)
{
	const struct sock *parent = this_cpu_read(listener);
	struct ipsec_ward *ward = NULL;

	/* it may be long gone, and its place another one's: ask by address only */
	if (parent && in_softirq())
		ward = ipsec_ward_find(in, parent);
	if (!ward || inet_sk_state_load(ward->sk) != TCP_LISTEN ||
	    inet_sk(ward->sk)->inet_num != inet_sk(child)->inet_num ||
	    ward->sk->sk_family != child->sk_family)
		return NULL;
	return ward;
}

/* Called by UDP for each datagram of a ward. Return: 0 if it was dealt with. */
static int datagram_arrives(struct sock *sk, struct sk_buff *skb)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_request *request = NULL;
	struct ipsec_ward *ward;
	u8 reason = IPSEC_REQUEST_REASON_UNKNOWN;

	rcu_read_lock();
	ward = ipsec_ward_find(in, sk);
	if (ward)
		reason = ipsec_ward_judge(in, ward, ipsec_secpath_datagram(in, skb),
					  IPSEC_DIRECTION_IN, is_loopback(skb->dev), &request);
	if (ward && reason)
		refused(in, ward, reason, IPSEC_DIRECTION_IN);
	rcu_read_unlock();
	if (!reason)
		return 1;
	atomic_inc(&sk->sk_drops);
	kfree_skb(skb);
	return 0;
}

/**
 * ipsec_guard_datagrams - from now on judge what a datagram socket receives
 * @sk: UDP socket, locked
 *
 * Context: process context.
 * Return: 0; -EBUSY if something else looks at it there.
 */
int ipsec_guard_datagrams(struct sock *sk)
{
	struct udp_sock *up = udp_sk(sk);

	if (up->encap_rcv == datagram_arrives && up->encap_type == GUARD_ENCAP)
		return 0;
	if (up->encap_type || up->encap_rcv)
		return -EBUSY;
	WRITE_ONCE(up->encap_rcv, datagram_arrives);
	/* pairs with nothing: one without the other does nothing */
	WRITE_ONCE(up->encap_type, GUARD_ENCAP);
	udp_tunnel_encap_enable(sk);
	return 0;
}

/**
 * ipsec_guard_drain - throw away what a datagram socket has received
 * @sk: UDP socket, not locked
 *
 * Context: process, sleeps.
 */
void ipsec_guard_drain(struct sock *sk)
{
	int off = 0, err;
	struct sk_buff *skb;

	if (!inet_sk(sk)->inet_num)
		return;
	synchronize_net();	/* what is being queued */
	while ((skb = __skb_recv_udp(sk, MSG_DONTWAIT, &off, &err))) {
		kfree_skb(skb);
		off = 0;
	}
}
