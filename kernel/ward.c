// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wards: sockets of which something is required.
 *
 * A socket becomes one by its application's request, or by that of its control
 * group, and remains one to its end. What is required holds for whatever still
 * carries a reference on it, and that is longer than until it is closed: so the
 * record ends with the socket's destructor, which is chained. Until then it holds
 * the module, for without that all this would end with an rmmod.
 *
 * A socket that a listener has made inherits the destructor, as all else; its
 * record is made when it takes its first state. Should there be no memory for it,
 * its destructor still tells what it is, and nothing passes at all.
 */
#include <linux/hash.h>
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/inet_common.h>
#include <net/inet_connection_sock.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <net/udp.h>

#include "context.h"
#include "guard.h"
#include "handshake.h"
#include "negotiation.h"
#include "netns.h"
#include "request.h"
#include "ward.h"

DEFINE_STATIC_KEY_FALSE(ipsec_ward_key);

/* How often to look for attempts that have taken too long. */
#define WATCH_INTERVAL	(HZ / 10)

/* Guards sk_destruct of all sockets, which others of this module chain too. */
DEFINE_SPINLOCK(ipsec_destruct_lock);

static u32 ward_sock_hash(const void *key, u32 len, u32 seed)
{
	return hash_ptr(*(void *const *)key, 32) ^ seed;
}

static int ward_sock_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct ipsec_ward *ward = obj;

	return ward->sk != *(struct sock *const *)arg->key;
}

static const struct rhashtable_params ward_params = {
	.hashfn = ward_sock_hash,
	.obj_cmpfn = ward_sock_cmp,
	.head_offset = offsetof(struct ipsec_ward, node),
	.key_offset = offsetof(struct ipsec_ward, sk),
	.key_len = sizeof_field(struct ipsec_ward, sk),
	.automatic_shrinking = true,
};

/**
 * ipsec_ward_find - find the record of a socket
 * @in: the socket's namespace
 * @sk: the socket
 *
 * Context: under RCU, or in the name of the socket.
 * Return: the record or NULL.
 */
struct ipsec_ward *ipsec_ward_find(struct ipsec_net *in, const struct sock *sk)
{
	return rhashtable_lookup_fast(&in->wards, &sk, ward_params);
}

/**
 * ipsec_ward_possible - is it a socket that something can be required of
 * @sk: any full socket
 *
 * A socket of the kernel's may outlive its namespace.
 *
 * Return: whether it is.
 */
bool ipsec_ward_possible(const struct sock *sk)
{
	return sk->sk_net_refcnt &&
	       ((sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP) ||
		(sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP));
}

/* What the kernel would have had of a socket that is a copy of one of ours. */
static void (*native_destruct(const struct sock *sk))(struct sock *)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_prot_creator != &tcp_prot)
		return inet6_sock_destruct;
#endif
	return inet_sock_destruct;
}

/* Whoever has found it under RCU finds under either lock that it has gone. */
static void ward_gone(struct ipsec_net *in, struct ipsec_ward *ward)
{
	ipsec_negotiation_end_all(in, ward);
	spin_lock_bh(&in->ward_lock);
	list_del_init(&ward->list);
	spin_lock(&ward->lock);
	ward->gone = true;
	spin_unlock(&ward->lock);
	spin_unlock_bh(&in->ward_lock);
	ipsec_request_put(rcu_dereference_protected(ward->request, true));
	kfree(ward->text);
	kfree_rcu(ward, rcu);
}

/**
 * ipsec_ward_destruct - the destructor of all wards
 * @sk: the socket, of which nothing is left but this
 */
void ipsec_ward_destruct(struct sock *sk)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_ward *ward = ipsec_ward_find(in, sk);

	sk->sk_destruct = ward ? ward->destruct : native_destruct(sk);
	if (ward) {
		rhashtable_remove_fast(&in->wards, &ward->node, ward_params);
		ward_gone(in, ward);
	}
	sk->sk_destruct(sk);
	/* ipsec_udp_exit() waits for the way out of here. */
	module_put(THIS_MODULE);
}

static struct ipsec_ward *ward_alloc(struct sock *sk, gfp_t gfp)
{
	struct ipsec_ward *ward = kzalloc(sizeof(*ward), gfp);

	if (!ward)
		return NULL;
	ward->sk = sk;
	spin_lock_init(&ward->lock);
	INIT_LIST_HEAD(&ward->list);
	INIT_LIST_HEAD(&ward->negotiations);
	return ward;
}

/**
 * ipsec_ward_attach - make a ward of a socket
 * @in: its namespace
 * @sk: the socket, which can't be freed meanwhile
 * @gfp: how to allocate
 *
 * Context: any but hard interrupts. Somebody holds the module.
 * Return: its record, which may have been there; NULL without memory, or if
 * something else handles what the datagram socket receives.
 */
struct ipsec_ward *ipsec_ward_attach(struct ipsec_net *in, struct sock *sk, gfp_t gfp)
{
	struct ipsec_ward *ward, *old;

	ward = ward_alloc(sk, gfp);
	if (!ward)
		return NULL;

	spin_lock_bh(&ipsec_destruct_lock);
	old = rhashtable_lookup_get_insert_fast(&in->wards, &ward->node, ward_params);
	if (old) {
		spin_unlock_bh(&ipsec_destruct_lock);
		kfree(ward);
		return IS_ERR(old) ? NULL : old;
	}
	if (sk->sk_destruct == ipsec_ward_destruct) {
		/* a child that was without a record so far */
		ward->destruct = native_destruct(sk);
		ward->accepted = true;
	} else {
		ward->destruct = sk->sk_destruct;
		__module_get(THIS_MODULE);
		WRITE_ONCE(sk->sk_destruct, ipsec_ward_destruct);
	}
	spin_unlock_bh(&ipsec_destruct_lock);
	return ward;
}

static void ward_set(struct ipsec_ward *ward, struct ipsec_request *request)
{
	struct ipsec_request *old;

	old = rcu_replace_pointer(ward->request, request, true);
	WRITE_ONCE(ward->requests, ward->requests + 1);
	ipsec_request_put(old);
}

/* A listener has made a socket, which is nobody's so far. */
static void ward_born(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_ward *ward, *parent;
	struct ipsec_request *request;

	__module_get(THIS_MODULE);	/* for the destructor that it has inherited */
	parent = ipsec_guard_listener(in, sk);
	if (!parent)
		return;
	ward = ipsec_ward_attach(in, sk, GFP_ATOMIC);
	if (!ward)
		return;
	rcu_read_lock();
	request = rcu_dereference(parent->request);
	if (request)
		ward_set(ward, ipsec_request_get(request));
	rcu_read_unlock();
}

static void ward_forget_failure(struct ipsec_ward *ward)
{
	char *text;

	spin_lock_bh(&ward->lock);
	text = ward->text;
	ward->text = NULL;
	ward->failed = false;
	ward->reason = 0;
	spin_unlock_bh(&ward->lock);
	kfree(text);
}

static unsigned long ward_timeout(struct ipsec_ward *ward)
{
	const struct ipsec_request *request;
	unsigned long timeout = MAX_JIFFY_OFFSET;

	rcu_read_lock();
	request = rcu_dereference(ward->request);
	if (request)
		timeout = request->timeout;
	rcu_read_unlock();
	return timeout;
}

static void ward_opening(struct ipsec_net *in, struct ipsec_ward *ward)
{
	unsigned long timeout = ward_timeout(ward);

	ward_forget_failure(ward);
	spin_lock_bh(&in->ward_lock);
	ward->due_reason = 0;
	ward->retry = false;
	list_del_init(&ward->list);
	if (timeout != MAX_JIFFY_OFFSET && !READ_ONCE(in->dead)) {
		ward->deadline = jiffies + timeout;
		list_add_tail(&ward->list, &in->wards_opening);
		schedule_delayed_work(&in->ward_work, WATCH_INTERVAL);
	}
	spin_unlock_bh(&in->ward_lock);
}

static void ward_settled(struct ipsec_net *in, struct ipsec_ward *ward)
{
	spin_lock_bh(&in->ward_lock);
	list_del_init(&ward->list);
	ward->due_reason = 0;
	ward->retry = false;
	spin_unlock_bh(&in->ward_lock);
	ipsec_negotiation_end_all(in, ward);
}

/**
 * ipsec_ward_step - a TCP socket takes another state
 * @in: its namespace
 * @sk: the socket, locked
 * @old: the state it had
 * @new: the state it gets
 *
 * Context: any but hard interrupts.
 */
void ipsec_ward_step(struct ipsec_net *in, struct sock *sk, int old, int new)
{
	struct ipsec_ward *ward;

	if (old == TCP_LISTEN && new == TCP_SYN_RECV) {
		if (READ_ONCE(sk->sk_destruct) == ipsec_ward_destruct)
			ward_born(in, sk);
		return;
	}
	rcu_read_lock();
	ward = ipsec_ward_find(in, sk);
	if (ward) {
		if (new == TCP_SYN_SENT)
			ward_opening(in, ward);
		else if (old == TCP_SYN_SENT || new == TCP_CLOSE)
			ward_settled(in, ward);
	}
	rcu_read_unlock();
}

static void ward_due(struct ipsec_net *in, struct ipsec_ward *ward)
{
	list_move_tail(&ward->list, &in->wards_due);
	if (!READ_ONCE(in->dead))
		mod_delayed_work(system_wq, &in->ward_work, 0);
}

/**
 * ipsec_ward_fail - what a socket attempts can't succeed
 * @in: its namespace
 * @ward: its record, found under RCU
 * @reason: enum ipsec_request_reason
 *
 * Context: any but hard interrupts; with or without the socket's lock.
 */
void ipsec_ward_fail(struct ipsec_net *in, struct ipsec_ward *ward, u8 reason)
{
	spin_lock_bh(&in->ward_lock);
	if (!ward->due_reason && !ward->gone) {
		ward->due_reason = reason;
		ward_due(in, ward);
	}
	spin_unlock_bh(&in->ward_lock);
}

/**
 * ipsec_ward_retry - what a socket attempts may succeed now
 * @in: its namespace
 * @ward: its record
 *
 * Context: under &ipsec_net.ward_lock.
 */
void ipsec_ward_retry(struct ipsec_net *in, struct ipsec_ward *ward)
{
	if (ward->due_reason || inet_sk_state_load(ward->sk) != TCP_SYN_SENT)
		return;
	ward->retry = true;
	ward_due(in, ward);
}

/**
 * ipsec_ward_say - why something did not succeed
 * @ward: the socket's record
 * @reason: enum ipsec_request_reason
 * @text: in words, is taken over; or NULL
 *
 * Context: any but hard interrupts.
 */
void ipsec_ward_say(struct ipsec_ward *ward, u8 reason, char *text)
{
	char *old = text;

	spin_lock_bh(&ward->lock);
	if (!ward->gone) {
		ward->reason = reason;
		ward->failed = true;
		old = ward->text;
		ward->text = text;
	}
	spin_unlock_bh(&ward->lock);
	kfree(old);
}

/* Under the socket's lock. */
static void socket_fail(struct ipsec_net *in, struct ipsec_ward *ward, u8 reason)
{
	struct sock *sk = ward->sk;
	int err = ipsec_request_errno(reason);

	if (sk->sk_protocol == IPPROTO_TCP) {
		if (sk->sk_state != TCP_SYN_SENT)
			return;
	} else if (sk->sk_state != TCP_ESTABLISHED) {
		return;		/* nobody could tell which destination is meant */
	}
	spin_lock_bh(&ward->lock);
	ward->failed = true;
	ward->reason = reason;
	spin_unlock_bh(&ward->lock);
	ipsec_count(in, IPSEC_COUNT_REQUEST_FAILED);
	if (sk->sk_protocol == IPPROTO_TCP) {
		local_bh_disable();
		tcp_done_with_error(sk, err);
		local_bh_enable();
		return;
	}
	WRITE_ONCE(sk->sk_err, err);
	sk_error_report(sk);
}

/* Under the socket's lock. TCP sends its SYN once more, by a new route. */
static void socket_retry(struct sock *sk)
{
	if (sk->sk_protocol != IPPROTO_TCP || sk->sk_state != TCP_SYN_SENT)
		return;
	sk_dst_reset(sk);
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 1, TCP_RTO_MAX);
}

/* Too late is due. Return: whether some are not yet. */
static bool wards_expire(struct ipsec_net *in)
{
	struct ipsec_ward *ward, *next;

	list_for_each_entry_safe(ward, next, &in->wards_opening, list) {
		if (time_before(jiffies, ward->deadline))
			continue;
		ward->due_reason = IPSEC_REQUEST_REASON_TIMEOUT;
		list_move_tail(&ward->list, &in->wards_due);
	}
	return !list_empty(&in->wards_opening);
}

/* Return: a socket of which something is due, with a reference, or NULL. */
static struct sock *due_next(struct ipsec_net *in, u8 *reason, bool *retry)
{
	struct ipsec_ward *ward;
	struct sock *sk = NULL;

	spin_lock_bh(&in->ward_lock);
	while (!sk && !list_empty(&in->wards_due)) {
		ward = list_first_entry(&in->wards_due, struct ipsec_ward, list);
		list_del_init(&ward->list);
		*reason = ward->due_reason;
		*retry = ward->retry;
		ward->retry = false;
		if (!*reason)	/* its time goes on */
			list_add_tail(&ward->list, &in->wards_opening);
		/* its record goes before it does */
		if (refcount_inc_not_zero(&ward->sk->sk_refcnt))
			sk = ward->sk;
	}
	spin_unlock_bh(&in->ward_lock);
	return sk;
}

static void ward_work(struct work_struct *work)
{
	struct ipsec_net *in = container_of(to_delayed_work(work), struct ipsec_net, ward_work);
	struct ipsec_ward *ward;
	bool again, retry;
	struct sock *sk;
	u8 reason;

	again = ipsec_negotiation_expire(in);
	spin_lock_bh(&in->ward_lock);
	again |= wards_expire(in);
	spin_unlock_bh(&in->ward_lock);
	while ((sk = due_next(in, &reason, &retry))) {
		lock_sock(sk);
		ward = ipsec_ward_find(in, sk);
		/* it may have begun anew: then there is nothing due any more */
		if (ward && reason && READ_ONCE(ward->due_reason) == reason) {
			spin_lock_bh(&in->ward_lock);
			ward->due_reason = 0;
			spin_unlock_bh(&in->ward_lock);
			socket_fail(in, ward, reason);
		} else if (ward && retry) {
			socket_retry(sk);
			again = true;
		}
		release_sock(sk);
		sock_put(sk);
		cond_resched();
	}
	if (again && !READ_ONCE(in->dead))
		schedule_delayed_work(&in->ward_work, WATCH_INTERVAL);
}

/**
 * ipsec_ward_judge - does a packet of a socket meet what is required of it
 * @in: where
 * @ward: the socket's record, found under RCU
 * @context: under which it came or is about to leave; NULL: in clear; or ERR_PTR
 * @direction: which of the two
 * @loopback: it does not leave this host
 * @unmet: set to the request that it does not meet
 *
 * Context: any but hard interrupts, under RCU.
 * Return: as ipsec_request_judge().
 */
u8 ipsec_ward_judge(struct ipsec_net *in, struct ipsec_ward *ward,
		    struct ipsec_context *context, enum ipsec_direction direction,
		    bool loopback, struct ipsec_request **unmet)
{
	struct ipsec_met *met = &ward->met[direction == IPSEC_DIRECTION_OUT];
	struct ipsec_request *request = rcu_dereference(ward->request);
	u32 requests = READ_ONCE(ward->requests);
	struct ipsec_identity *identity = NULL;
	u64 trusted = READ_ONCE(in->trusted);
	u8 reason;

	if (!IS_ERR_OR_NULL(context)) {
		identity = READ_ONCE(context->identity);
		if (READ_ONCE(met->id) == context->id && READ_ONCE(met->identity) == identity &&
		    READ_ONCE(met->trusted) == trusted && READ_ONCE(met->requests) == requests)
			return IPSEC_REQUEST_REASON_NONE;
	}
	if (request && !(loopback && request->flags & IPSEC_REQUEST_F_LOOPBACK)) {
		reason = ipsec_request_judge(in, request, context, direction);
		if (reason) {
			*unmet = request;
			return reason;
		}
	}
	if (!IS_ERR_OR_NULL(context) && !loopback) {
		WRITE_ONCE(met->id, 0);
		WRITE_ONCE(met->identity, identity);
		WRITE_ONCE(met->trusted, trusted);
		WRITE_ONCE(met->requests, requests);
		WRITE_ONCE(met->id, context->id);
	}
	return IPSEC_REQUEST_REASON_NONE;
}

/* Is the socket one that a listener has made? It keeps its parent's backlog. */
static bool was_accepted(const struct sock *sk, const struct ipsec_ward *ward)
{
	return (ward && ward->accepted) || READ_ONCE(sk->sk_max_ack_backlog);
}

/* Under the socket's lock: is it too late to require something? */
static int changeable(const struct sock *sk, const struct ipsec_ward *ward)
{
	if (sk->sk_protocol == IPPROTO_UDP)
		return sk->sk_state == TCP_ESTABLISHED ? -EISCONN : 0;
	if (sk->sk_state == TCP_LISTEN)
		return 0;
	if (sk->sk_state == TCP_CLOSE && !(ward && ward->accepted))
		return 0;
	if (sk->sk_state == TCP_SYN_SENT || !was_accepted(sk, ward))
		return -EISCONN;
	return -EPERM;
}

static int ward_change(struct ipsec_net *in, struct sock *sk, struct ipsec_request *request)
{
	struct ipsec_ward *ward = ipsec_ward_find(in, sk);
	int err;

	err = changeable(sk, ward);
	if (err)
		return err;
	if (!request && !ward)
		return 0;
	if (!ward) {
		ward = ipsec_ward_attach(in, sk, GFP_KERNEL_ACCOUNT);
		if (!ward)
			return -ENOMEM;
	}
	if (request && sk->sk_protocol == IPPROTO_UDP) {
		err = ipsec_guard_datagrams(sk);
		if (err)
			return err;
	}
	ward_set(ward, request ? ipsec_request_get(request) : NULL);
	ward_forget_failure(ward);
	ipsec_negotiation_end_all(in, ward);
	return 0;
}

/**
 * ipsec_ward_set_request - what an application requires of a socket
 * @sk: any socket
 * @request: the request; NULL: nothing any more
 *
 * Context: process, may sleep; takes the socket's lock. The caller holds the
 * module.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP; -EISCONN if it is connected,
 * or about to be; -EPERM if it was accepted; -EBUSY if something else handles what
 * the datagram socket receives; -ENOMEM; -ENETDOWN.
 */
int ipsec_ward_set_request(struct sock *sk, struct ipsec_request *request)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	int err;

	if (!ipsec_ward_possible(sk))
		return -EOPNOTSUPP;
	if (request) {
		err = ipsec_guard_begin(in);
		if (err)
			return err;
	}
	lock_sock(sk);
	err = ward_change(in, sk, request);
	release_sock(sk);
	/* what has come before */
	if (!err && request && sk->sk_protocol == IPPROTO_UDP)
		ipsec_guard_drain(sk);
	return err;
}

/**
 * ipsec_ward_get_request - what an application has required of a socket
 * @sk: any socket
 *
 * Context: process context.
 * Return: the request, held; NULL: nothing; ERR_PTR(-EOPNOTSUPP).
 */
struct ipsec_request *ipsec_ward_get_request(struct sock *sk)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_request *request = NULL;
	struct ipsec_ward *ward;

	if (!ipsec_ward_possible(sk))
		return ERR_PTR(-EOPNOTSUPP);
	rcu_read_lock();
	ward = ipsec_ward_find(in, sk);
	if (ward)
		request = rcu_dereference(ward->request);
	if (request && !refcount_inc_not_zero(&request->refs))
		request = NULL;
	rcu_read_unlock();
	return request;
}

static u32 ward_state(struct ipsec_net *in, const struct sock *sk, struct ipsec_ward *ward)
{
	bool waiting;

	spin_lock_bh(&in->ward_lock);
	waiting = ipsec_negotiation_waiting(ward);
	spin_unlock_bh(&in->ward_lock);
	if (sk->sk_protocol == IPPROTO_UDP) {
		if (waiting)
			return IPSEC_REQUEST_PENDING;
		if (ward->failed)
			return IPSEC_REQUEST_FAILED;
		return READ_ONCE(ward->met[1].id) ? IPSEC_REQUEST_MET : IPSEC_REQUEST_SET;
	}
	switch (inet_sk_state_load(sk)) {
	case TCP_SYN_SENT:
		return IPSEC_REQUEST_PENDING;
	case TCP_LISTEN:
		return IPSEC_REQUEST_SET;
	case TCP_CLOSE:
		return ward->failed ? IPSEC_REQUEST_FAILED : IPSEC_REQUEST_SET;
	default:
		return IPSEC_REQUEST_MET;
	}
}

/**
 * ipsec_ward_status - how what is required of a socket is met, or why it is not
 * @sk: TCP or UDP socket
 * @status: the answer
 *
 * Context: process context.
 */
void ipsec_ward_status(struct sock *sk, struct ipsec_request_status *status)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_ward *ward;

	memset(status, 0, sizeof(*status));
	rcu_read_lock();
	ward = ipsec_ward_find(in, sk);
	if (ward && rcu_access_pointer(ward->request)) {
		status->state = ward_state(in, sk, ward);
		status->refused_out = READ_ONCE(ward->refused_out);
		status->refused_in = READ_ONCE(ward->refused_in);
		spin_lock_bh(&ward->lock);
		status->reason = ward->reason;
		if (ward->text)
			strscpy(status->text, ward->text, sizeof(status->text));
		spin_unlock_bh(&ward->lock);
	}
	rcu_read_unlock();
}

/**
 * ipsec_ward_init_net - make ready for wards in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_ward_init_net(struct ipsec_net *in)
{
	spin_lock_init(&in->ward_lock);
	INIT_LIST_HEAD(&in->wards_opening);
	INIT_LIST_HEAD(&in->wards_due);
	INIT_DELAYED_WORK(&in->ward_work, ward_work);
	ipsec_negotiation_init_net(in);
	return rhashtable_init(&in->wards, &ward_params);
}

/**
 * ipsec_ward_exit_net - undo ipsec_ward_init_net()
 * @in: the namespace, dead
 *
 * There are no wards left: each holds both the namespace and the module.
 *
 * Context: process context, may sleep.
 */
void ipsec_ward_exit_net(struct ipsec_net *in)
{
	cancel_delayed_work_sync(&in->ward_work);
	rhashtable_destroy(&in->wards);
}
