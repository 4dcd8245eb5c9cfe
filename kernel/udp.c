// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagram sockets that want a pToken with every datagram.
 *
 * Such a socket gets another sk_prot: a copy of the one it had, in which
 * recvmsg does what the kernel's own does and then adds a control message
 * (udp_recvmsg.c).
 *
 * From its first opt-in to its end a socket holds the module, since a reader
 * may sleep in our recvmsg however often the option is turned off meanwhile.
 * The socket's destructor, which is chained, lets it go.
 */

#include <linux/hash.h>
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <linux/skmsg.h>
#include <net/inet_sock.h>
#include <net/udp.h>
#include <net/xfrm.h>

#include "context.h"
#include "handle.h"
#include "netns.h"
#include "require.h"
#include "tcp.h"
#include "udp.h"
#include "udp_latch.h"
#include "udp_recvmsg.h"

/**
 * struct ipsec_udp - a socket that opted in at least once
 * @node: in &ipsec_net.udp_sockets
 * @sk: the socket, which outlives this
 * @destruct: its own destructor
 * @lock: guards @context_id and @connection
 * @context_id: what protected the last datagram from the connected peer, or
 *	IPSEC_NOW_*
 * @connection: to which connection that applies, 0: none
 * @rcu: frees it
 */
struct ipsec_udp {
	struct rhash_head node;
	struct sock *sk;
	void (*destruct)(struct sock *sk);
	spinlock_t lock;	/* context_id, connection */
	u32 connection;
	unsigned long context_id;
	struct rcu_head rcu;
};

static_assert(sizeof(struct ipsec_udp) <= 64 ||
	      IS_ENABLED(CONFIG_DEBUG_SPINLOCK));

static u32 udp_sock_hash(const void *key, u32 len, u32 seed)
{
	return hash_ptr(*(void *const *)key, 32) ^ seed;
}

static int udp_sock_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct ipsec_udp *udp = obj;

	return udp->sk != *(struct sock *const *)arg->key;
}

static const struct rhashtable_params udp_sockets_params = {
	.hashfn = udp_sock_hash,
	.obj_cmpfn = udp_sock_cmp,
	.head_offset = offsetof(struct ipsec_udp, node),
	.key_offset = offsetof(struct ipsec_udp, sk),
	.key_len = sizeof_field(struct ipsec_udp, sk),
	.automatic_shrinking = true,
};

/*
 * What the kernel made sockets with, and our copies of it. udpv6_prot is not
 * exported: it is learned from the first IPv6 socket, under the mutex.
 */
static struct proto *kernel_prot[2];
static struct proto ptoken_prot[2];
/* the same without pTokens, for sockets under requests */
static struct proto guard_prot[2];
static DEFINE_SPINLOCK(prot_lock);

enum { V4, V6 };

/* under RCU, or in the name of the socket, whose record does not go away */
static struct ipsec_udp *udp_find(struct ipsec_net *in, struct sock *sk)
{
	return rhashtable_lookup_fast(&in->udp_sockets, &sk, udp_sockets_params);
}

/**
 * ipsec_udp_supported - is it a datagram socket that can be dealt with here
 * @sk: any socket
 *
 * Return: whether it is.
 */
bool ipsec_udp_supported(const struct sock *sk)
{
	/*
	 * UDP-Lite has a protocol number of its own. A socket of the kernel's
	 * may outlive its namespace, and with it the record.
	 */
	return sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP &&
	       sk->sk_net_refcnt;
}

static bool udp_opted_in(const struct sock *sk)
{
	const struct proto *prot = READ_ONCE(sk->sk_prot);

	return prot == &ptoken_prot[V4] || prot == &ptoken_prot[V6];
}

/**
 * ipsec_udp_connection - which connection a socket is part of
 * @sk: a datagram socket
 *
 * connect() draws a new one, so it tells this connection of the socket from those
 * before and after it, even if they are to the same peer.
 *
 * Context: any.
 * Return: a number.
 */
u32 ipsec_udp_connection(const struct sock *sk)
{
	return READ_ONCE(sk->sk_txhash);
}

/**
 * ipsec_udp_remember - the last datagram of a connection was read
 * @sk: the socket
 * @connection: of which it was part then, see ipsec_udp_connection()
 * @context_id: what protected the datagram, or IPSEC_NOW_*
 *
 * Context: process; does not sleep.
 */
void ipsec_udp_remember(struct sock *sk, u32 connection, unsigned long context_id)
{
	struct ipsec_udp *udp;

	rcu_read_lock();
	udp = udp_find(ipsec_net(sock_net(sk)), sk);
	/* If it says the same already, it does not matter who wrote it. */
	if (udp && (READ_ONCE(udp->connection) != connection ||
		    READ_ONCE(udp->context_id) != context_id)) {
		spin_lock(&udp->lock);
		WRITE_ONCE(udp->connection, connection);
		WRITE_ONCE(udp->context_id, context_id);
		spin_unlock(&udp->lock);
	}
	rcu_read_unlock();
}

/**
 * ipsec_udp_kernel_recvmsg - the one that sockets were made with
 * @v6: those for IPv6
 *
 * Context: any.
 * Return: the function.
 */
ipsec_udp_recvmsg_t *ipsec_udp_kernel_recvmsg(bool v6)
{
	return kernel_prot[v6]->recvmsg;
}

static bool udp_is_required(const struct sock *sk)
{
	bool required;

	rcu_read_lock();
	required = ipsec_required_find(ipsec_net(sock_net(sk)), sk);
	rcu_read_unlock();
	return required;
}

#ifdef CONFIG_BPF_SYSCALL
/*
 * A sockmap takes the socket over, and with it ends the opt-in. It would keep
 * a pointer to our copy of udpv6_prot for all sockets and all time, so let it
 * see the kernel's. One under a request it can't have; then this is called once more,
 * to restore what has not been changed.
 */
static int ipsec_udp_psock_update(struct sock *sk, struct sk_psock *psock,
				  bool restore)
{
	int v6;

	if (restore)
		return 0;
	if (udp_is_required(sk))
		return -EBUSY;
	psock->psock_update_sk_prot = udp_bpf_update_proto;
	for (v6 = V4; v6 <= V6; v6++)
		if (psock->sk_proto == &ptoken_prot[v6] || psock->sk_proto == &guard_prot[v6])
			psock->sk_proto = kernel_prot[v6];
	return udp_bpf_update_proto(sk, psock, restore);
}
#endif

static void prot_init(int v6, struct proto *prot)
{
	ptoken_prot[v6] = *prot;
	ptoken_prot[v6].recvmsg = v6 ? ipsec_udpv6_recvmsg : ipsec_udp_recvmsg;
#ifdef CONFIG_BPF_SYSCALL
	ptoken_prot[v6].psock_update_sk_prot = ipsec_udp_psock_update;
#endif
	guard_prot[v6] = ptoken_prot[v6];
	guard_prot[v6].recvmsg = v6 ? ipsec_udpv6_recvmsg_guarded :
				      ipsec_udp_recvmsg_guarded;
	kernel_prot[v6] = prot;
}

/* Whose copies there must be, of the socket's family. */
static int prot_learn(const struct sock *sk)
{
	int v6 = sk->sk_family == AF_INET6;

	if (v6) {
		spin_lock_bh(&prot_lock);
		if (!kernel_prot[V6])
			prot_init(V6, sk->sk_prot_creator);
		spin_unlock_bh(&prot_lock);
	}
	return v6;
}

static void ipsec_udp_destruct(struct sock *sk)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_udp *udp = udp_find(in, sk);

	ipsec_udp_unlatch(in, sk);
	ipsec_required_gone(in, sk);
	sk->sk_destruct = udp->destruct;
	rhashtable_remove_fast(&in->udp_sockets, &udp->node, udp_sockets_params);
	kfree_rcu(udp, rcu);
	sk->sk_destruct(sk);
	/* ipsec_udp_exit() waits for the way out of here. */
	module_put(THIS_MODULE);
}

/*
 * Several may do this at once; the table decides who is the one. Who calls this holds
 * the module, but sockets of the kernel itself do not hold the namespace.
 */
static int udp_record(struct sock *sk, gfp_t gfp)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_udp *udp;
	int err;

	if (READ_ONCE(in->dead))
		return -ENETDOWN;

	udp = udp_find(in, sk);
	if (udp) {
		/* Datagrams have gone by unseen. */
		spin_lock(&udp->lock);
		udp->connection = 0;
		spin_unlock(&udp->lock);
		return 0;
	}

	udp = kzalloc(sizeof(*udp), gfp);
	if (!udp)
		return -ENOMEM;
	udp->sk = sk;
	udp->destruct = sk->sk_destruct;
	spin_lock_init(&udp->lock);
	err = rhashtable_insert_fast(&in->udp_sockets, &udp->node,
				     udp_sockets_params);
	if (err) {
		kfree(udp);
		return err == -EEXIST ? 0 : err;
	}
	__module_get(THIS_MODULE);
	sk->sk_destruct = ipsec_udp_destruct;
	return 0;
}

static int udp_opt_in(struct sock *sk)
{
	int v6 = prot_learn(sk);
	struct proto *prot = READ_ONCE(sk->sk_prot);
	int err;

	if (prot != kernel_prot[v6] && prot != &guard_prot[v6])
		return -EBUSY;
	err = udp_record(sk, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	/* BPF programs change sk_prot without the lock that we hold. */
	return cmpxchg(&sk->sk_prot, prot, &ptoken_prot[v6]) == prot ? 0 : -EBUSY;
}

static void udp_opt_out(struct sock *sk)
{
	bool required = udp_is_required(sk);
	int v6;

	/* one of them is what it has, if any */
	for (v6 = V4; v6 <= V6; v6++)
		cmpxchg(&sk->sk_prot, &ptoken_prot[v6],
			required ? &guard_prot[v6] : kernel_prot[v6]);
}

/**
 * ipsec_udp_guard - look at what a datagram socket receives before it is read
 * @sk: the socket, one that ipsec_udp_supported()
 * @gfp: how to allocate
 *
 * Context: any but hard interrupts.
 * Return: 0; -EBUSY if something else handles the socket's receiving, such as a
 * sockmap; -ENETDOWN; -ENOMEM.
 */
int ipsec_udp_guard(struct sock *sk, gfp_t gfp)
{
	int v6 = prot_learn(sk);
	struct proto *prot = READ_ONCE(sk->sk_prot);
	int err;

	if (prot != kernel_prot[v6] && prot != &ptoken_prot[v6] && prot != &guard_prot[v6])
		return -EBUSY;
	err = udp_record(sk, gfp);
	if (err || prot != kernel_prot[v6])
		return err;
	/* if it has changed meanwhile, that was to one of ours, or is none of ours */
	prot = cmpxchg(&sk->sk_prot, kernel_prot[v6], &guard_prot[v6]);
	return prot == kernel_prot[v6] || prot == &ptoken_prot[v6] ||
	       prot == &guard_prot[v6] ? 0 : -EBUSY;
}

/**
 * ipsec_udp_unguard - undo ipsec_udp_guard()
 * @sk: the socket
 *
 * Context: any.
 */
void ipsec_udp_unguard(struct sock *sk)
{
	int v6;

	for (v6 = V4; v6 <= V6; v6++)
		cmpxchg(&sk->sk_prot, &guard_prot[v6], kernel_prot[v6]);
}

/**
 * ipsec_udp_recvptoken_set - whether a pToken comes with every datagram
 * @sk: any socket
 * @on: it does
 *
 * Turned off, it may still come with what threads are waiting for already.
 *
 * Context: process, may sleep; takes the socket lock. The caller holds the
 * module.
 * Return: 0; -EOPNOTSUPP if it is neither UDP nor UDPv6; -EBUSY if something
 * else handles the socket's receiving, such as a sockmap; -ENETDOWN; -ENOMEM.
 */
int ipsec_udp_recvptoken_set(struct sock *sk, bool on)
{
	int err = 0;

	if (!ipsec_udp_supported(sk))
		return -EOPNOTSUPP;

	lock_sock(sk);
	if (!on)
		udp_opt_out(sk);
	else if (!udp_opted_in(sk))
		err = udp_opt_in(sk);
	release_sock(sk);
	return err;
}

/**
 * ipsec_udp_recvptoken_get - whether a pToken comes with every datagram
 * @sk: any socket
 *
 * IPV6_ADDRFORM and joining a sockmap turn it off.
 *
 * Context: any.
 * Return: 1 or 0; -EOPNOTSUPP if it is neither UDP nor UDPv6.
 */
int ipsec_udp_recvptoken_get(struct sock *sk)
{
	if (!ipsec_udp_supported(sk))
		return -EOPNOTSUPP;
	return udp_opted_in(sk);
}

/**
 * ipsec_udp_connected - is it a connected socket that wants pTokens
 * @sk: any socket
 *
 * Return: 0; -EOPNOTSUPP if it is neither UDP nor UDPv6; -EINVAL if it did not
 * opt in; -ENOTCONN if it is not connected.
 */
int ipsec_udp_connected(const struct sock *sk)
{
	if (!ipsec_udp_supported(sk))
		return -EOPNOTSUPP;
	if (!udp_opted_in(sk))
		return -EINVAL;
	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return -ENOTCONN;
	return 0;
}

/**
 * ipsec_udp_context_id - what the last datagram of a connection came under
 * @in: where
 * @sk: a connected socket that opted in
 *
 * Context: any but hard interrupts, under RCU.
 * Return: id of the context, or IPSEC_NOW_*.
 */
unsigned long ipsec_udp_context_id(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_udp *udp = udp_find(in, sk);
	unsigned long context_id = IPSEC_NOW_UNKNOWN;

	if (udp) {
		spin_lock(&udp->lock);
		if (udp->connection == ipsec_udp_connection(sk))
			context_id = udp->context_id;
		spin_unlock(&udp->lock);
	}
	return context_id;
}

/**
 * ipsec_udp_ptoken - what protected the last datagram from the connected peer
 * @sk: any socket, the caller holds a reference
 * @ptoken: where to put the answer, for the current process
 *
 * Context: process; does not sleep.
 * Return: 0; -EOPNOTSUPP if it is neither UDP nor UDPv6; -EINVAL if it did not
 * opt in; -ENOTCONN if it is not connected; -ENODATA if no datagram of this
 * connection was received yet, or the last one's protection is not known;
 * -ESTALE if the protection is long gone.
 */
int ipsec_udp_ptoken(struct sock *sk, u64 *ptoken)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_context *context;
	unsigned long context_id;
	int err;

	err = ipsec_udp_connected(sk);
	if (err)
		return err;

	rcu_read_lock();
	context_id = ipsec_udp_context_id(in, sk);
	if (context_id == IPSEC_NOW_UNKNOWN) {
		err = -ENODATA;
	} else if (context_id == IPSEC_NOW_CLEAR) {
		*ptoken = IPSEC_PTOKEN_NONE;
	} else {
		context = ipsec_context_by_id(in, context_id);
		if (context)
			*ptoken = ipsec_handle(in, context);
		else
			err = -ESTALE;
	}
	rcu_read_unlock();
	return err;
}

/**
 * ipsec_udp_init_net - prepare a namespace
 * @in: the namespace
 *
 * Context: process, may sleep.
 * Return: 0 or a negative errno.
 */
int ipsec_udp_init_net(struct ipsec_net *in)
{
	return rhashtable_init(&in->udp_sockets, &udp_sockets_params);
}

/**
 * ipsec_udp_exit_net - undo ipsec_udp_init_net()
 * @in: the namespace
 *
 * There are no records left: every socket that has one holds both the
 * namespace and the module.
 *
 * Context: process, may sleep.
 */
void ipsec_udp_exit_net(struct ipsec_net *in)
{
	rhashtable_destroy(&in->udp_sockets);
}

/**
 * ipsec_udp_init - prepare for opt-ins
 *
 * Return: 0.
 */
int ipsec_udp_init(void)
{
	prot_init(V4, &udp_prot);
	return 0;
}

/**
 * ipsec_udp_exit - wait until nothing executes here any more
 *
 * All opted-in sockets are gone, for each held the module. What may still be
 * executing is the end of their destructors, after module_put(): with bottom
 * halves disabled or in a softirq, which synchronize_rcu() waits for, or in a
 * task that was preempted, which synchronize_rcu_tasks() waits for. An RCU
 * callback that is yet to call a destructor can't exist.
 *
 * Context: process, sleeps.
 */
void ipsec_udp_exit(void)
{
	synchronize_rcu();
	synchronize_rcu_tasks();
}
