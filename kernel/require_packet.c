// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets of sockets under requests, and whether they may pass.
 *
 * segment.c asks of every packet in namespaces where there are such sockets; of
 * datagrams also udp_recvmsg.c, when they are about to be read. This is apart from latches:
 * no mode turns it off, and a context that meets the request may take the place of
 * another one that does.
 */
#include <linux/ipsec_token.h>
#include <net/dst.h>
#include <net/sock.h>
#include <net/tcp_states.h>
#include <net/udp.h>

#include "context.h"
#include "negotiate.h"
#include "netns.h"
#include "request.h"
#include "require.h"
#include "secpath.h"

/* What is in the SAD may change while the context does not. */
static bool depends_on_sad(const struct ipsec_required *required)
{
	const u32 flags = IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION;
	const struct ipsec_request *request;
	unsigned int i;

	for (i = 0; i < IPSEC_REQUIRED_MAX; i++) {
		request = READ_ONCE(required->request[i]);
		if (request && request->flags & flags)
			return true;
	}
	return false;
}

static enum ipsec_request_reason required_judge(struct ipsec_net *in,
						struct ipsec_required *required,
						struct ipsec_context *seen, bool out,
						bool loopback, bool *open)
{
	u64 trusted = READ_ONCE(in->trusted);
	enum ipsec_request_reason reason;
	unsigned int i;

	*open = false;
	if (!IS_ERR_OR_NULL(seen) && READ_ONCE(required->met[out]) == seen->id &&
	    READ_ONCE(required->met_trusted) == trusted)
		return IPSEC_REQUEST_REASON_NONE;
	for (i = 0; i < IPSEC_REQUIRED_MAX; i++) {
		struct ipsec_request *request = READ_ONCE(required->request[i]);

		if (!request || (loopback && request->flags & IPSEC_REQUEST_F_LOOPBACK))
			continue;
		reason = ipsec_request_judge(in, request, seen, open);
		if (reason)
			return reason;
	}
	if (!IS_ERR_OR_NULL(seen) && !loopback && !depends_on_sad(required)) {
		/* an older list may come with a newer context, but only if both are met */
		if (READ_ONCE(required->met_trusted) != trusted) {
			WRITE_ONCE(required->met[!out], 0);
			WRITE_ONCE(required->met_trusted, trusted);
		}
		WRITE_ONCE(required->met[out], seen->id);
	}
	return IPSEC_REQUEST_REASON_NONE;
}

/**
 * ipsec_required_in - may a packet get to a socket under requests
 * @in: where
 * @required: the socket's record, or that of the listener
 * @skb: the packet
 * @seen: the context that it came under; NULL: in clear; or ERR_PTR
 * @wait: it may wait
 *
 * Context: any but hard interrupts, under RCU.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_required_in(struct ipsec_net *in, struct ipsec_required *required,
				     const struct sk_buff *skb, struct ipsec_context *seen,
				     bool wait)
{
	bool open, loopback = skb->skb_iif == LOOPBACK_IFINDEX;	/* a datagram has no skb->dev */
	enum ipsec_request_reason reason;

	reason = required_judge(in, required, seen, false, loopback, &open);
	if (!reason)
		return IPSEC_VERDICT_PASS;
	if (open && wait)
		return IPSEC_VERDICT_WAIT;
	/* anybody can send something that is refused, so nothing more comes of it */
	WRITE_ONCE(required->reason, reason);
	WRITE_ONCE(required->refused_in, required->refused_in + 1);
	ipsec_count(in, IPSEC_COUNT_REQUEST_REFUSED_IN);
	return IPSEC_VERDICT_REFUSE;
}

/*
 * A socket keeps its route. The kernel looks for another one if policies change, but
 * not if only SAs come, so one that was found in a gap between them would do without
 * them for good.
 */
static void route_forget(struct ipsec_required *required)
{
	struct sock *sk = required->sk;

	if (!ipsec_required_tcp(sk))
		sk_dst_reset(sk);
	else if (inet_sk_state_load(sk) != TCP_LISTEN)
		ipsec_required_due(required, 0);	/* it is done under the socket's lock */
}

/**
 * ipsec_required_out - may a packet leave a socket under requests
 * @in: where
 * @required: the socket's record, or that of the listener
 * @skb: the packet, with its route
 * @seen: the context that it is about to leave under; NULL: in clear; or ERR_PTR
 * @wait: it may wait
 *
 * Context: any but hard interrupts, under RCU.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_required_out(struct ipsec_net *in, struct ipsec_required *required,
				      const struct sk_buff *skb, struct ipsec_context *seen,
				      bool wait)
{
	const struct dst_entry *dst = skb_dst(skb);
	bool open, loopback = dst && dst->dev->flags & IFF_LOOPBACK;
	enum ipsec_request_reason reason;

	if (unlikely(READ_ONCE(required->state) == IPSEC_REQUEST_SET) &&
	    ipsec_connect_pending(required))
		ipsec_connect_begins(required);
	reason = required_judge(in, required, seen, true, loopback, &open);
	if (!reason) {
		WRITE_ONCE(required->negotiation, 0);
		/* of a datagram socket nothing else tells */
		if (unlikely(READ_ONCE(required->state) != IPSEC_REQUEST_MET) &&
		    !ipsec_required_tcp(required->sk))
			WRITE_ONCE(required->state, IPSEC_REQUEST_MET);
		return IPSEC_VERDICT_PASS;
	}
	if (open && wait)
		return IPSEC_VERDICT_WAIT;

	route_forget(required);
	if (!seen && !required->accepted && inet_sk_state_load(required->sk) != TCP_LISTEN)
		reason = ipsec_negotiate(in, required, skb);
	if (reason)
		WRITE_ONCE(required->reason, reason);
	WRITE_ONCE(required->refused_out, required->refused_out + 1);
	ipsec_count(in, IPSEC_COUNT_REQUEST_REFUSED_OUT);
	/* an identity may yet become known, up to the end of the time */
	if (reason && !open)
		ipsec_connect_fail(required, reason);
	return IPSEC_VERDICT_REFUSE;
}

/**
 * ipsec_required_other - is it of a kind that a request can't be set for
 * @sk: a full socket
 *
 * Its control group may be under one all the same.
 *
 * Return: whether it is neither TCP nor UDP, and not the kernel's.
 */
bool ipsec_required_other(const struct sock *sk)
{
	return ipsec_request_cgroups_any() && sk->sk_net_refcnt && !ipsec_required_supported(sk);
}

/**
 * ipsec_required_other_out - may a packet leave a socket of another kind
 * @in: where
 * @sk: the socket, see ipsec_required_other()
 * @skb: the packet, with its route
 * @seen: as in ipsec_required_out()
 *
 * Nothing is kept of it: it is not told why, and nothing is negotiated for it.
 *
 * Context: any but hard interrupts, under RCU.
 * Return: what to do with it.
 */
enum ipsec_verdict ipsec_required_other_out(struct ipsec_net *in, const struct sock *sk,
					    const struct sk_buff *skb,
					    struct ipsec_context *seen)
{
	struct ipsec_request *request[IPSEC_REQUEST_CGROUP_DEPTH];
	unsigned int count = ipsec_request_cgroup_of(sk, request);
	const struct dst_entry *dst = skb_dst(skb);
	bool met = true, open, loopback = dst && dst->dev->flags & IFF_LOOPBACK;

	while (count--) {
		if (!(loopback && request[count]->flags & IPSEC_REQUEST_F_LOOPBACK) &&
		    ipsec_request_judge(in, request[count], seen, &open))
			met = false;
		ipsec_request_put(request[count]);
	}
	if (met)
		return IPSEC_VERDICT_PASS;
	ipsec_count(in, IPSEC_COUNT_REQUEST_REFUSED_OUT);
	return IPSEC_VERDICT_REFUSE;
}

/**
 * ipsec_required_error - what sending a packet that was refused ends with
 * @in: where
 * @skb: the packet
 *
 * Context: under RCU.
 * Return: a negative errno; 0: none, since a negotiation is under way and a
 * datagram may be lost; 1: it was not a request that it was refused for.
 */
int ipsec_required_error(struct ipsec_net *in, const struct sk_buff *skb)
{
	const struct ipsec_required *required;

	if (!ipsec_required_any(in) || !skb->sk || !sk_fullsock(skb->sk))
		return 1;
	required = ipsec_required_find(in, skb->sk);
	if (!required || !READ_ONCE(required->refused_out))
		return 1;
	return READ_ONCE(required->negotiation) ? 0 :
		ipsec_request_error(READ_ONCE(required->reason));
}

/**
 * ipsec_required_datagram - may a datagram be given to the reader of its socket
 * @sk: the socket
 * @skb: the datagram
 *
 * Context: process context.
 * Return: whether it may.
 */
bool ipsec_required_datagram(struct sock *sk, const struct sk_buff *skb)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_required *required;
	bool may = true;

	if (!ipsec_required_any(in))
		return true;
	rcu_read_lock();
	required = ipsec_required_of(in, sk);
	if (IS_ERR(required))
		may = false;
	else if (required)
		may = ipsec_required_in(in, required, skb, ipsec_secpath_datagram(in, skb),
					false) == IPSEC_VERDICT_PASS;
	rcu_read_unlock();
	return may;
}

/**
 * ipsec_required_readers - whoever reads a datagram has to look at it
 * @in: where
 * @port: that it is for
 *
 * It can't be judged on its way, since nobody knows yet what it will be, or it is for
 * several sockets. A socket that something is required of looks at what it reads; but
 * one that only its control group has a request for is not known before its first
 * packet.
 *
 * Context: any but hard interrupts, under RCU.
 * Return: whether all of them do; there may be no memory.
 */
bool ipsec_required_readers(struct ipsec_net *in, __be16 port)
{
	struct udp_hslot *slot;
	struct sock *sk;

	if (!ipsec_request_cgroups_any())
		return true;
	slot = udp_hashslot(&udp_table, in->net, ntohs(port));
	sk_for_each_rcu(sk, &slot->head)
		if (net_eq(sock_net(sk), in->net) && udp_sk(sk)->udp_port_hash == ntohs(port) &&
		    IS_ERR(ipsec_required_of(in, sk)))
			return false;
	return true;
}
