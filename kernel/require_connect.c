// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of connect() on a TCP socket under requests: it has so much time, and
 * fails at once where it is known that it will.
 *
 * This is found out where packets are sent, with the socket locked by the very caller,
 * so it is done by a work item.
 */
#include <linux/ipsec_token.h>
#include <linux/slab.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "netns.h"
#include "request.h"
#include "require.h"

/**
 * ipsec_connect_pending - is a socket being connected
 * @required: its record
 *
 * Context: any.
 * Return: whether it is.
 */
bool ipsec_connect_pending(const struct ipsec_required *required)
{
	return ipsec_required_tcp(required->sk) && inet_sk_state_load(required->sk) == TCP_SYN_SENT;
}

/* How long all that is required may take together. */
static unsigned long required_timeout(const struct ipsec_required *required)
{
	const struct ipsec_request *request;
	unsigned long timeout = 0;
	unsigned int i;

	for (i = 0; i < IPSEC_REQUIRED_MAX; i++) {
		request = READ_ONCE(required->request[i]);
		if (request && (!timeout || request->timeout < timeout))
			timeout = request->timeout;
	}
	return timeout;
}

/**
 * ipsec_connect_begins - a socket under requests is about to be connected
 * @required: its record
 *
 * Context: any but hard interrupts.
 */
void ipsec_connect_begins(struct ipsec_required *required)
{
	unsigned long timeout = required_timeout(required);
	char *text = NULL;

	spin_lock_bh(&required->lock);
	swap(required->text, text);	/* it was about the last attempt */
	spin_unlock_bh(&required->lock);
	kfree(text);
	WRITE_ONCE(required->state, IPSEC_REQUEST_PENDING);
	WRITE_ONCE(required->reason, IPSEC_REQUEST_REASON_NONE);
	WRITE_ONCE(required->failed, IPSEC_REQUEST_REASON_NONE);
	WRITE_ONCE(required->negotiation, 0);
	required->deadline = jiffies + timeout;
	ipsec_required_due(required, timeout);
}

static void connect_end(struct ipsec_required *required, enum ipsec_request_reason reason)
{
	struct sock *sk = required->sk;

	WRITE_ONCE(required->reason, reason);
	WRITE_ONCE(required->state, IPSEC_REQUEST_FAILED);
	WRITE_ONCE(required->negotiation, 0);	/* which nobody waits for now */
	/* as tcp_abort() does it; the queue goes when the socket is disconnected */
	local_bh_disable();
	bh_lock_sock(sk);
	if (!sock_flag(sk, SOCK_DEAD)) {
		sk->sk_err = -ipsec_request_error(reason);
		smp_wmb();	/* for those who see the state and look for an error */
		sk_error_report(sk);
	}
	tcp_done(sk);
	bh_unlock_sock(sk);
	local_bh_enable();
}

static void socket_work(struct ipsec_required *required)
{
	struct sock *sk = required->sk;
	long left = required->deadline - jiffies;
	u8 failed;

	__sk_dst_reset(sk);	/* see route_forget() */
	if (sk->sk_state != TCP_SYN_SENT)
		return;
	failed = xchg(&required->failed, IPSEC_REQUEST_REASON_NONE);
	if (!failed && left <= 0)
		failed = IPSEC_REQUEST_REASON_TIMEOUT;
	if (failed) {
		connect_end(required, failed);
		return;
	}
	if (xchg(&required->retry, false))
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 1, TCP_RTO_MAX);
	ipsec_required_due(required, left);
}

/**
 * ipsec_connect_work - what is due of a socket
 * @work: in its record
 *
 * Context: process context.
 */
void ipsec_connect_work(struct work_struct *work)
{
	struct ipsec_required *required = container_of(to_delayed_work(work),
						       struct ipsec_required, work);
	struct sock *sk = required->sk;

	lock_sock(sk);
	socket_work(required);
	release_sock(sk);
	ipsec_required_put(required);
	sock_put(sk);
}

/**
 * ipsec_required_step - a TCP socket changes its state
 * @in: where
 * @sk: the socket
 * @old: its state before
 * @new: its state after
 *
 * Context: under the socket's lock and RCU.
 */
void ipsec_required_step(struct ipsec_net *in, struct sock *sk, int old, int new)
{
	struct ipsec_required *required;

	if (!ipsec_required_any(in))
		return;
	/* without memory there is another chance when the SYN is about to leave */
	required = new == TCP_SYN_SENT ? ipsec_required_of(in, sk) : ipsec_required_find(in, sk);
	if (IS_ERR_OR_NULL(required))
		return;
	switch (new) {
	case TCP_SYN_SENT:
		ipsec_connect_begins(required);
		break;
	case TCP_ESTABLISHED:
		/* its segments were judged, this one and the one before it */
		WRITE_ONCE(required->state, IPSEC_REQUEST_MET);
		WRITE_ONCE(required->negotiation, 0);
		ipsec_required_not_due(required);
		break;
	case TCP_CLOSE:
		if (old == TCP_SYN_SENT)
			ipsec_required_not_due(required);
		break;
	}
}

/**
 * ipsec_required_answer - how a negotiation for a socket ended
 * @in: where
 * @sk: the socket, which may be no more
 * @negotiation: that it waited for
 * @reason: IPSEC_REQUEST_REASON_NONE: there are SAs; else why there are none
 * @text: what the agent has to say, or NULL
 *
 * Context: process context, may sleep.
 * Return: whether it still waited.
 */
bool ipsec_required_answer(struct ipsec_net *in, const struct sock *sk, u64 negotiation,
			   enum ipsec_request_reason reason, const char *text)
{
	char *copy = text ? kstrdup(text, GFP_KERNEL_ACCOUNT) : NULL;
	struct ipsec_required *required;
	bool waited = false;

	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	if (!required || READ_ONCE(required->negotiation) != negotiation)
		goto out;
	waited = true;
	WRITE_ONCE(required->negotiation, 0);
	spin_lock_bh(&required->lock);
	swap(required->text, copy);
	spin_unlock_bh(&required->lock);
	if (ipsec_required_tcp(required->sk)) {
		if (reason)
			WRITE_ONCE(required->failed, reason);
		else
			WRITE_ONCE(required->retry, true);
		ipsec_required_due(required, 0);
	} else if (reason && refcount_inc_not_zero(&required->sk->sk_refcnt)) {
		/* as an error that ICMP brought */
		WRITE_ONCE(required->reason, reason);
		required->sk->sk_err = -ipsec_request_error(reason);
		sk_error_report(required->sk);
		sock_put(required->sk);
	}
out:
	rcu_read_unlock();
	kfree(copy);
	return waited;
}

/**
 * ipsec_connect_fail - connect() will fail, and be it now
 * @required: record of the socket
 * @reason: why
 *
 * Context: any but hard interrupts.
 */
void ipsec_connect_fail(struct ipsec_required *required, enum ipsec_request_reason reason)
{
	if (!ipsec_connect_pending(required))
		return;
	WRITE_ONCE(required->failed, reason);
	ipsec_required_due(required, 0);
}
