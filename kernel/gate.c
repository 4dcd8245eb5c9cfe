// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: handshakes are completed one segment at a time.
 *
 * While a handshake is under way there is no connection yet, so that nothing is
 * refused; and what was let through for this reason must not be processed once
 * the handshake has been completed elsewhere. So what belongs to the same ports
 * and addresses goes one after the other, from when it is judged up to the end
 * of its processing by TCP. That holds for segments that arrive (see
 * segment_in.c) and for those that come out of a socket's backlog (see
 * backlog.c).
 *
 * Nobody waits here with the spinlock of a socket held.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "gate.h"

#define GATES	256

static spinlock_t gates[GATES];
static DEFINE_PER_CPU(bool, in_gate);

/* By what is in the header of a segment of the peer. */
static spinlock_t *gate_find(const void *saddr, u32 words, __be16 source, __be16 dest)
{
	u32 ports = (__force u32)source << 16 | (__force u32)dest;

	return &gates[jhash2(saddr, words, ports) % GATES];
}

/**
 * ipsec_gate_of_segment - the gate of a segment that arrives
 * @skb: the segment
 * @th: its TCP header
 *
 * Return: its gate.
 */
spinlock_t *ipsec_gate_of_segment(const struct sk_buff *skb, const struct tcphdr *th)
{
	if (skb->protocol == htons(ETH_P_IP))
		return gate_find(&ip_hdr(skb)->saddr, 1, th->source, th->dest);
	return gate_find(&ipv6_hdr(skb)->saddr, 4, th->source, th->dest);
}

/**
 * ipsec_gate_of_socket - the gate of the segments that arrive for a socket
 * @sk: the socket, which knows its peer
 *
 * Return: its gate.
 */
spinlock_t *ipsec_gate_of_socket(const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr))
		return gate_find(&sk->sk_v6_daddr, 4, inet->inet_dport, inet->inet_sport);
#endif
	return gate_find(&inet->inet_daddr, 1, inet->inet_dport, inet->inet_sport);
}

/**
 * ipsec_gate_enter - wait until nobody is at work on a handshake, then be that one
 * @gate: its gate
 *
 * Context: with BH disabled, until ipsec_gate_leave(); no socket's spinlock held.
 * Return: false if this CPU is inside a gate already: there are devices that
 * hand back what they send, in the midst of it.
 */
bool ipsec_gate_enter(spinlock_t *gate)
{
	if (unlikely(this_cpu_read(in_gate)))
		return false;
	spin_lock(gate);
	__release(gate);	/* for sparse: whether it is taken is what is returned */
	this_cpu_write(in_gate, true);
	return true;
}

/**
 * ipsec_gate_leave - let others in
 * @gate: as entered
 *
 * Context: with BH disabled since ipsec_gate_enter().
 */
void ipsec_gate_leave(spinlock_t *gate)
{
	this_cpu_write(in_gate, false);
	__acquire(gate);
	spin_unlock(gate);
}

/**
 * ipsec_gate_init - make ready for handshakes
 */
void ipsec_gate_init(void)
{
	unsigned int i;

	for (i = 0; i < GATES; i++)
		spin_lock_init(&gates[i]);
}
