// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets under requests: nothing leaves them and nothing gets to them that does
 * not meet all of their requests, from when these are set up to the end of the
 * socket.
 *
 * segment.c asks of every packet in namespaces where there are such sockets; of
 * datagrams also udp.c, when they are about to be read. This is apart from latches:
 * no mode turns it off, and a context that meets the request may take the place of
 * another one that does.
 *
 * A socket under a request holds the module.
 */
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>

#include "context.h"
#include "handshake.h"
#include "negotiate.h"
#include "netns.h"
#include "request.h"
#include "require.h"
#include "secpath.h"
#include "udp.h"

/* Not used before the first request ever. */
DEFINE_STATIC_KEY_FALSE(ipsec_required_used);

/* Ends with the module, and all that is due in it is done before. */
static struct workqueue_struct *require_workqueue;

static u32 required_hash(const void *key, u32 len, u32 seed)
{
	return hash_ptr(*(void *const *)key, 32) ^ seed;
}

static int required_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct ipsec_required *required = obj;

	return required->sk != *(struct sock *const *)arg->key;
}

static const struct rhashtable_params required_params = {
	.hashfn = required_hash,
	.obj_cmpfn = required_cmp,
	.head_offset = offsetof(struct ipsec_required, node),
	.key_offset = offsetof(struct ipsec_required, sk),
	.key_len = sizeof_field(struct ipsec_required, sk),
	.automatic_shrinking = true,
};

static bool is_tcp(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP;
}

/* A socket of the kernel's may outlive its namespace. */
static bool is_supported(const struct sock *sk)
{
	return (is_tcp(sk) && sk->sk_net_refcnt) || ipsec_udp_supported(sk);
}

/* ------------------------------------------------------------------- the records */

static void required_free_rcu(struct rcu_head *rcu)
{
	struct ipsec_required *required = container_of(rcu, struct ipsec_required, rcu);

	kfree(required->text);
	kfree(required);
	module_put(THIS_MODULE);	/* ipsec_token_exit() has an rcu_barrier() */
}

static void required_put(struct ipsec_required *required)
{
	unsigned int i;

	if (!refcount_dec_and_test(&required->refs))
		return;
	for (i = 0; i < IPSEC_REQUIRED_MAX; i++)
		ipsec_request_put(required->request[i]);
	call_rcu(&required->rcu, required_free_rcu);
}

static void required_work(struct work_struct *work);

static struct ipsec_required *required_alloc(gfp_t gfp)
{
	struct ipsec_required *required = kzalloc(sizeof(*required), gfp);

	if (!required)
		return NULL;
	__module_get(THIS_MODULE);
	refcount_set(&required->refs, 1);
	required->state = IPSEC_REQUEST_SET;
	spin_lock_init(&required->lock);
	INIT_DELAYED_WORK(&required->work, required_work);
	return required;
}

/**
 * ipsec_required_drop - free a record that no socket has got
 * @required: the record, or NULL
 *
 * Context: any.
 */
void ipsec_required_drop(struct ipsec_required *required)
{
	if (required)
		required_put(required);
}

/* Something is to be done in the name of the socket. */
static void required_due(struct ipsec_required *required, unsigned long delay)
{
	if (!refcount_inc_not_zero(&required->sk->sk_refcnt))
		return;
	refcount_inc(&required->refs);
	if (mod_delayed_work(require_workqueue, &required->work, delay)) {
		/* it was due already */
		refcount_dec(&required->refs);
		sock_put(required->sk);
	}
}

static void required_not_due(struct ipsec_required *required)
{
	if (!cancel_delayed_work(&required->work))
		return;
	refcount_dec(&required->refs);
	sock_put(required->sk);
}

/**
 * ipsec_required_find - find the record of a socket
 * @in: its namespace
 * @sk: the socket
 *
 * Context: under RCU.
 * Return: the record, or NULL.
 */
struct ipsec_required *ipsec_required_find(struct ipsec_net *in, const struct sock *sk)
{
	return rhashtable_lookup_fast(&in->required, &sk, required_params);
}

/* A UDP socket's end is told by udp.c, TCP's by a tracepoint. */
static int required_add(struct ipsec_net *in, struct ipsec_required *required, struct sock *sk,
			gfp_t gfp)
{
	int err;

	required->sk = sk;
	if (!is_tcp(sk)) {
		err = ipsec_udp_guard(sk, gfp);
		if (err)
			return err;
	}
	err = rhashtable_insert_fast(&in->required, &required->node, required_params);
	if (err && !is_tcp(sk))
		ipsec_udp_unguard(sk);
	return err;
}

/* The socket was made in a control group under requests, and is seen first. */
static struct ipsec_required *required_by_cgroup(struct ipsec_net *in, struct sock *sk,
						 gfp_t gfp)
{
	struct ipsec_request *request[IPSEC_REQUEST_CGROUP_DEPTH];
	unsigned int count = ipsec_request_cgroup_of(sk, request);
	struct ipsec_required *required, *found;
	int err;

	if (!count)
		return NULL;
	required = required_alloc(gfp);
	if (!required) {
		while (count)
			ipsec_request_put(request[--count]);
		return ERR_PTR(-ENOMEM);
	}
	memcpy(&required->request[1], request, count * sizeof(*request));
	err = required_add(in, required, sk, gfp);
	if (!err)
		return required;
	required_put(required);
	found = err == -EEXIST ? ipsec_required_find(in, sk) : NULL;
	return found ?: ERR_PTR(err);
}

/**
 * ipsec_required_of - the record of a socket, which may be under a request
 * @in: its namespace
 * @sk: a full socket
 *
 * Context: any but hard interrupts, under RCU.
 * Return: the record; NULL if nothing is required; an ERR_PTR if something is, but
 * there is no memory.
 */
struct ipsec_required *ipsec_required_of(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_required *required = ipsec_required_find(in, sk);

	if (required || !ipsec_request_cgroups_any() || !is_supported(sk))
		return required;
	return required_by_cgroup(in, sk, GFP_ATOMIC);
}

/**
 * ipsec_required_child - a record for what a listener is about to make
 * @listener: the listener's record
 *
 * Context: under RCU.
 * Return: the record, for ipsec_required_adopt() or ipsec_required_drop(); NULL
 * without memory.
 */
struct ipsec_required *ipsec_required_child(const struct ipsec_required *listener)
{
	struct ipsec_required *child = required_alloc(GFP_ATOMIC);
	struct ipsec_request *request;
	unsigned int i;

	if (!child)
		return NULL;
	for (i = 0; i < IPSEC_REQUIRED_MAX; i++) {
		/* it may be about to be replaced */
		do {
			request = READ_ONCE(listener->request[i]);
		} while (request && !refcount_inc_not_zero(&request->refs));
		child->request[i] = request;
	}
	child->accepted = true;
	child->state = IPSEC_REQUEST_PENDING;
	return child;
}

/**
 * ipsec_required_adopt - the child of a listener is there
 * @in: where
 * @child: its record, from ipsec_required_child(), handed over
 * @sk: its socket
 *
 * Context: under the socket's lock.
 */
void ipsec_required_adopt(struct ipsec_net *in, struct ipsec_required *child, struct sock *sk)
{
	/* nothing can be there already, and nothing is allocated */
	if (WARN_ON_ONCE(required_add(in, child, sk, GFP_ATOMIC)))
		required_put(child);
}

/**
 * ipsec_required_gone - a socket has come to its end
 * @in: where
 * @sk: the socket
 *
 * Context: any but hard interrupts.
 */
void ipsec_required_gone(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_required *required;

	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	if (required && !rhashtable_remove_fast(&in->required, &required->node,
						required_params)) {
		required_not_due(required);
		required_put(required);
	}
	rcu_read_unlock();
}

/* ------------------------------------------------------------------------ verdicts */

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

static bool is_connecting(const struct ipsec_required *required)
{
	return is_tcp(required->sk) && inet_sk_state_load(required->sk) == TCP_SYN_SENT;
}

/* connect() will fail, and be it now. */
static void connect_fail(struct ipsec_required *required, enum ipsec_request_reason reason)
{
	if (!is_connecting(required))
		return;
	WRITE_ONCE(required->failed, reason);
	required_due(required, 0);
}

static void connect_begins(struct ipsec_required *required);

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

	if (unlikely(READ_ONCE(required->state) == IPSEC_REQUEST_SET && is_connecting(required)))
		connect_begins(required);
	reason = required_judge(in, required, seen, true, loopback, &open);
	if (!reason) {
		WRITE_ONCE(required->negotiation, 0);
		/* of a datagram socket nothing else tells */
		if (unlikely(READ_ONCE(required->state) != IPSEC_REQUEST_MET) &&
		    !is_tcp(required->sk))
			WRITE_ONCE(required->state, IPSEC_REQUEST_MET);
		return IPSEC_VERDICT_PASS;
	}
	if (open && wait)
		return IPSEC_VERDICT_WAIT;

	if (!seen && !required->accepted && inet_sk_state_load(required->sk) != TCP_LISTEN)
		reason = ipsec_negotiate(in, required, skb);
	if (reason)
		WRITE_ONCE(required->reason, reason);
	WRITE_ONCE(required->refused_out, required->refused_out + 1);
	ipsec_count(in, IPSEC_COUNT_REQUEST_REFUSED_OUT);
	/* an identity may yet become known, up to the end of the time */
	if (reason && !open)
		connect_fail(required, reason);
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
	return ipsec_request_cgroups_any() && sk->sk_net_refcnt && !is_supported(sk);
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
 * Return: an errno, positive; 0: none, since a negotiation is under way and a
 * datagram may be lost; -1: it was not a request that it was refused for.
 */
int ipsec_required_error(struct ipsec_net *in, const struct sk_buff *skb)
{
	const struct ipsec_required *required;

	if (!ipsec_required_any(in) || !skb->sk || !sk_fullsock(skb->sk))
		return -1;
	required = ipsec_required_find(in, skb->sk);
	if (!required || !READ_ONCE(required->refused_out))
		return -1;
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

/* ----------------------------------------------------------------- TCP connections */

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

static void connect_begins(struct ipsec_required *required)
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
	required_due(required, timeout);
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
		sk->sk_err = ipsec_request_error(reason);
		smp_wmb();	/* for those who see the state and look for an error */
		sk_error_report(sk);
	}
	tcp_done(sk);
	bh_unlock_sock(sk);
	local_bh_enable();
}

static void connect_work(struct ipsec_required *required)
{
	struct sock *sk = required->sk;
	long left = required->deadline - jiffies;
	u8 failed;

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
	required_due(required, left);
}

static void required_work(struct work_struct *work)
{
	struct ipsec_required *required = container_of(to_delayed_work(work),
						       struct ipsec_required, work);
	struct sock *sk = required->sk;

	lock_sock(sk);
	connect_work(required);
	release_sock(sk);
	required_put(required);
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
		connect_begins(required);
		break;
	case TCP_ESTABLISHED:
		/* its segments were judged, this one and the one before it */
		WRITE_ONCE(required->state, IPSEC_REQUEST_MET);
		WRITE_ONCE(required->negotiation, 0);
		required_not_due(required);
		break;
	case TCP_CLOSE:
		if (old == TCP_SYN_SENT)
			required_not_due(required);
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
	if (is_tcp(required->sk)) {
		if (reason)
			WRITE_ONCE(required->failed, reason);
		else
			WRITE_ONCE(required->retry, true);
		required_due(required, 0);
	} else if (reason && refcount_inc_not_zero(&required->sk->sk_refcnt)) {
		/* as an error that ICMP brought */
		WRITE_ONCE(required->reason, reason);
		required->sk->sk_err = ipsec_request_error(reason);
		sk_error_report(required->sk);
		sock_put(required->sk);
	}
out:
	rcu_read_unlock();
	kfree(copy);
	return waited;
}

/* ------------------------------------------------------------------ socket options */

/**
 * ipsec_require_use - from now on packets are looked at for requests
 *
 * Context: process context, may sleep.
 */
void ipsec_require_use(void)
{
	static_branch_enable(&ipsec_required_used);
}

/* Under the socket's lock. */
static int may_change(const struct sock *sk, const struct ipsec_required *required)
{
	if (required && required->accepted)
		return -EPERM;
	if (is_tcp(sk) && sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN)
		/* what was accepted has its listener's backlog, which others have not */
		return sk->sk_state != TCP_SYN_SENT && sk->sk_max_ack_backlog ? -EPERM : -EISCONN;
	if (is_tcp(sk))
		return 0;
	return sk->sk_state == TCP_ESTABLISHED ? -EISCONN : 0;
}

static bool requires_nothing(const struct ipsec_required *required)
{
	unsigned int i;

	for (i = 0; i < IPSEC_REQUIRED_MAX; i++)
		if (required->request[i])
			return false;
	return true;
}

/* Under RCU. @request is handed over if it succeeds. */
static int required_change(struct ipsec_net *in, struct sock *sk,
			   struct ipsec_required *required, struct ipsec_request *request)
{
	struct ipsec_request *old = required->request[0];

	WRITE_ONCE(required->request[0], request);
	WRITE_ONCE(required->met[0], 0);
	WRITE_ONCE(required->met[1], 0);
	WRITE_ONCE(required->state, IPSEC_REQUEST_SET);
	ipsec_request_put(old);
	if (requires_nothing(required)) {
		ipsec_required_gone(in, sk);
		if (!is_tcp(sk))
			ipsec_udp_unguard(sk);
	}
	return 0;
}

/* Under the socket's lock. @fresh and @request are handed over if it succeeds. */
static int require_set(struct ipsec_net *in, struct sock *sk, struct ipsec_required *fresh,
		       struct ipsec_request *request)
{
	struct ipsec_required *required;
	int err;

	rcu_read_lock();
	required = ipsec_required_of(in, sk);
	if (IS_ERR(required)) {
		err = PTR_ERR(required);
	} else {
		err = may_change(sk, required);
		if (!err && required) {
			err = required_change(in, sk, required, request);
			ipsec_required_drop(fresh);
		} else if (!err && !request) {
			ipsec_required_drop(fresh);
		} else if (!err) {
			fresh->request[0] = request;
			err = required_add(in, fresh, sk, GFP_ATOMIC);
			if (err)
				fresh->request[0] = NULL;
		}
	}
	rcu_read_unlock();
	return err;
}

/**
 * ipsec_require_set - what an application requires of a socket
 * @sk: any socket
 * @arg: a stream of enum ipsec_request_attr
 * @len: its size, 0: nothing any more
 *
 * Context: process context, may sleep; takes the socket's lock.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP; -EISCONN if it is connected
 * or about to be; -EPERM if it was accepted; -EINVAL if it is not understood, or
 * too large; -EBUSY if something else handles the receiving of the datagram socket;
 * -EFAULT; -ENOMEM.
 */
int ipsec_require_set(struct sock *sk, sockptr_t arg, unsigned int len)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_request *request = NULL;
	struct ipsec_required *fresh;
	void *attributes;
	int err;

	if (!is_supported(sk))
		return -EOPNOTSUPP;
	if (len > IPSEC_REQUEST_MAX_SIZE)
		return -EINVAL;
	if (len) {
		attributes = memdup_sockptr(arg, len);
		if (IS_ERR(attributes))
			return PTR_ERR(attributes);
		request = ipsec_request_create(attributes, len, NULL);
		kfree(attributes);
		if (IS_ERR(request))
			return PTR_ERR(request);
	}
	err = -ENOMEM;
	fresh = required_alloc(GFP_KERNEL_ACCOUNT);
	if (!fresh)
		goto put;
	err = ipsec_handshake_watch_now(in);
	if (!err) {
		ipsec_require_use();
		lock_sock(sk);
		err = require_set(in, sk, fresh, request);
		release_sock(sk);
	}
	if (!err)
		return 0;
	ipsec_required_drop(fresh);
put:
	ipsec_request_put(request);
	return err;
}

/**
 * ipsec_require_get - what is required of a socket
 * @sk: any socket
 * @user: where to put the attributes: its own, or else those of its control group
 * @len: room there; set to what was put, 0: nothing is required
 *
 * Context: process context, may sleep.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP; -EINVAL without room;
 * -EFAULT.
 */
int ipsec_require_get(struct sock *sk, void __user *user, int *len)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_request *request = NULL;
	struct ipsec_required *required;
	unsigned int i;
	int err = 0;

	if (!is_supported(sk))
		return -EOPNOTSUPP;
	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	for (i = 0; required && !request && i < IPSEC_REQUIRED_MAX; i++) {
		request = READ_ONCE(required->request[i]);
		if (request && !refcount_inc_not_zero(&request->refs))
			request = NULL;
	}
	rcu_read_unlock();
	if (!request) {
		*len = 0;
		return 0;
	}
	if (*len < request->size)
		err = -EINVAL;
	else if (copy_to_user(user, request->attributes, request->size))
		err = -EFAULT;
	else
		*len = request->size;
	ipsec_request_put(request);
	return err;
}

/**
 * ipsec_require_status - how what is required of a socket is met, or why not
 * @sk: any socket
 * @status: the answer
 *
 * Context: process context.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP.
 */
int ipsec_require_status(struct sock *sk, struct ipsec_request_status *status)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_required *required;

	memset(status, 0, sizeof(*status));
	if (!is_supported(sk))
		return -EOPNOTSUPP;
	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	if (required) {
		status->state = READ_ONCE(required->state);
		if (!is_tcp(sk) && READ_ONCE(required->negotiation))
			status->state = IPSEC_REQUEST_PENDING;
		status->reason = READ_ONCE(required->reason);
		status->refused_in = READ_ONCE(required->refused_in);
		status->refused_out = READ_ONCE(required->refused_out);
		spin_lock_bh(&required->lock);
		if (required->text)
			strscpy(status->text, required->text, sizeof(status->text));
		spin_unlock_bh(&required->lock);
	}
	rcu_read_unlock();
	return 0;
}

/* ------------------------------------------------------------------------ the ends */

/**
 * ipsec_require_init_net - make ready for requests in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_require_init_net(struct ipsec_net *in)
{
	return rhashtable_init(&in->required, &required_params);
}

/**
 * ipsec_require_exit_net - undo ipsec_require_init_net()
 * @in: the namespace, of which no socket is left
 *
 * Context: process context, may sleep.
 */
void ipsec_require_exit_net(struct ipsec_net *in)
{
	rhashtable_destroy(&in->required);
}

/**
 * ipsec_require_init - make ready for requests
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int ipsec_require_init(void)
{
	require_workqueue = alloc_workqueue("ipsec_require", WQ_UNBOUND, 0);
	return require_workqueue ? 0 : -ENOMEM;
}

/**
 * ipsec_require_exit - nothing is required any more
 *
 * Context: process context, may sleep. No socket is left that something was
 * required of, for each of them held the module.
 */
void ipsec_require_exit(void)
{
	destroy_workqueue(require_workqueue);
}
