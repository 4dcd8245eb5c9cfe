// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets under requests: nothing leaves them and nothing gets to them that does
 * not meet all of their requests, from when these are set up to the end of the
 * socket.
 *
 * Here is which these sockets are. What that means for their packets is in
 * require_packet.c, what becomes of connect() in require_connect.c, and how an
 * application sets a request in require_option.c.
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

atomic_t ipsec_required_tally[1 << IPSEC_REQUIRED_TALLY_BITS];

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

static atomic_t *tally_of(const struct sock *sk)
{
	return &ipsec_required_tally[hash_ptr(sk, IPSEC_REQUIRED_TALLY_BITS)];
}

/**
 * ipsec_required_supported - can something be required of a socket
 * @sk: any socket
 *
 * Context: any.
 * Return: whether it can.
 */
bool ipsec_required_supported(const struct sock *sk)
{
	/* a socket of the kernel's may outlive its namespace */
	return (ipsec_required_tcp(sk) && sk->sk_net_refcnt) || ipsec_udp_supported(sk);
}

static void required_free_rcu(struct rcu_head *rcu)
{
	struct ipsec_required *required = container_of(rcu, struct ipsec_required, rcu);

	kfree(required->text);
	kfree(required);
	module_put(THIS_MODULE);	/* ipsec_token_exit() has an rcu_barrier() */
}

/**
 * ipsec_required_put - let go of a record
 * @required: held
 *
 * Context: any.
 */
void ipsec_required_put(struct ipsec_required *required)
{
	unsigned int i;

	if (!refcount_dec_and_test(&required->refs))
		return;
	for (i = 0; i < IPSEC_REQUIRED_MAX; i++)
		ipsec_request_put(required->request[i]);
	call_rcu(&required->rcu, required_free_rcu);
}

/**
 * ipsec_required_alloc - make a record
 * @gfp: how to allocate
 *
 * Context: as @gfp says.
 * Return: the record, with one reference, or NULL.
 */
struct ipsec_required *ipsec_required_alloc(gfp_t gfp)
{
	struct ipsec_required *required = kzalloc(sizeof(*required), gfp);

	if (!required)
		return NULL;
	__module_get(THIS_MODULE);
	refcount_set(&required->refs, 1);
	required->state = IPSEC_REQUEST_SET;
	INIT_LIST_HEAD(&required->spill);
	spin_lock_init(&required->lock);
	INIT_DELAYED_WORK(&required->work, ipsec_connect_work);
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
		ipsec_required_put(required);
}

/**
 * ipsec_required_due - something is to be done in the name of a socket
 * @required: its record
 * @delay: in how many jiffies
 *
 * Context: any but hard interrupts, under RCU or by who holds the record.
 */
void ipsec_required_due(struct ipsec_required *required, unsigned long delay)
{
	struct sock *sk = required->sk;

	if (!refcount_inc_not_zero(&sk->sk_refcnt))
		return;
	/* the socket's end may have been told of since the record was found */
	if (!refcount_inc_not_zero(&required->refs)) {
		sock_put(sk);
		return;
	}
	if (mod_delayed_work(require_workqueue, &required->work, delay)) {
		/* it was due already, and may be done and the socket gone by now */
		ipsec_required_put(required);
		sock_put(sk);
	}
}

/**
 * ipsec_required_not_due - nothing is to be done any more
 * @required: the record of a socket
 *
 * Context: any but hard interrupts; the caller holds the socket.
 */
void ipsec_required_not_due(struct ipsec_required *required)
{
	if (!cancel_delayed_work(&required->work))
		return;
	sock_put(required->sk);
	ipsec_required_put(required);
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
	struct ipsec_required *required;

	if (ipsec_required_none(sk))
		return NULL;
	required = rhashtable_lookup_fast(&in->required, &sk, required_params);
	if (required || likely(list_empty(&in->required_spill)))
		return required;
	list_for_each_entry_rcu(required, &in->required_spill, spill)
		if (required->sk == sk)
			return required;
	return NULL;
}

/**
 * ipsec_required_add - from now on a socket has a record
 * @in: its namespace
 * @required: the record, handed over if it succeeds
 * @sk: the socket
 * @gfp: how to allocate
 *
 * A UDP socket's end is told by udp.c, TCP's by a tracepoint.
 *
 * Context: any but hard interrupts.
 * Return: 0; -EEXIST if it has one; -EBUSY, -ENOMEM.
 */
int ipsec_required_add(struct ipsec_net *in, struct ipsec_required *required, struct sock *sk,
		       gfp_t gfp)
{
	int err;

	required->sk = sk;
	if (!ipsec_required_tcp(sk)) {
		err = ipsec_udp_guard(sk, gfp);
		if (err)
			return err;
	}
	atomic_inc(tally_of(sk));
	err = rhashtable_insert_fast(&in->required, &required->node, required_params);
	if (err)
		atomic_dec(tally_of(sk));
	if (err && !ipsec_required_tcp(sk))
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
	required = ipsec_required_alloc(gfp);
	if (!required) {
		while (count)
			ipsec_request_put(request[--count]);
		return ERR_PTR(-ENOMEM);
	}
	memcpy(&required->request[1], request, count * sizeof(*request));
	err = ipsec_required_add(in, required, sk, gfp);
	if (!err) {
		/* whose end was told of before is not told of again; as ipsec_required_gone() */
		smp_mb();
		if (ipsec_required_tcp(sk) && sk->sk_state == TCP_CLOSE && sock_flag(sk, SOCK_DEAD))
			ipsec_required_gone(in, sk);
		return required;
	}
	ipsec_required_put(required);
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

	if (required || !ipsec_request_cgroups_any() || !ipsec_required_supported(sk))
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
	struct ipsec_required *child = ipsec_required_alloc(GFP_ATOMIC);
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
	if (!ipsec_required_add(in, child, sk, GFP_ATOMIC))
		return;
	/* without memory for a larger table; what it is must not be forgotten */
	atomic_inc(tally_of(sk));
	spin_lock_bh(&in->required_lock);
	list_add_tail_rcu(&child->spill, &in->required_spill);
	spin_unlock_bh(&in->required_lock);
}

/* Return: whether it was there. */
static bool required_remove(struct ipsec_net *in, struct ipsec_required *required)
{
	bool spilled;

	if (!rhashtable_remove_fast(&in->required, &required->node, required_params))
		return true;
	spin_lock_bh(&in->required_lock);
	spilled = !list_empty(&required->spill) && !required->gone;
	if (spilled)
		list_del_rcu(&required->spill);
	required->gone = true;
	spin_unlock_bh(&in->required_lock);
	return spilled;
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

	if (!static_branch_unlikely(&ipsec_required_used))
		return;
	smp_mb();	/* the socket is closed, which required_by_cgroup() looks at */
	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	if (required && required_remove(in, required)) {
		atomic_dec(tally_of(sk));
		ipsec_required_not_due(required);
		ipsec_required_put(required);
	}
	rcu_read_unlock();
}

/**
 * ipsec_require_use - from now on packets are looked at for requests
 *
 * Context: process context, may sleep.
 */
void ipsec_require_use(void)
{
	static_branch_enable(&ipsec_required_used);
}

/**
 * ipsec_require_init_net - make ready for requests in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_require_init_net(struct ipsec_net *in)
{
	INIT_LIST_HEAD(&in->required_spill);
	spin_lock_init(&in->required_lock);
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
