// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagram sockets that want a pToken with every datagram.
 *
 * Such a socket gets another sk_prot: a copy of the one it had, in which
 * recvmsg does what the kernel's own does and then adds a control message.
 * Where the kernel's functions are not exported its recvmsg is called, for
 * what is not a datagram (the error queue, path MTU notifications).
 *
 * From its first opt-in to its end a socket holds the module, since a reader
 * may sleep in our recvmsg however often the option is turned off meanwhile.
 * The socket's destructor, which is chained, lets it go.
 */

#include <linux/bpf-cgroup.h>
#include <linux/hash.h>
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <linux/skmsg.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/transp_v6.h>
#include <net/udp.h>
#include <net/xfrm.h>

#include "context.h"
#include "handle.h"
#include "netns.h"
#include "require.h"
#include "secpath.h"
#include "tcp.h"
#include "udp.h"
#include "udp_latch.h"

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

/*
 * A number that tells this connection of the socket from those before and
 * after it, even if they are to the same peer: connect() draws a new one.
 */
static u32 udp_connection(const struct sock *sk)
{
	return READ_ONCE(sk->sk_txhash);
}

/* Datagrams queued before connect() may be from others. */
static bool udp_from_peer(const struct sock *sk, const struct sk_buff *skb,
			  bool v6)
{
	struct in6_addr saddr;

	if (udp_hdr(skb)->source != inet_sk(sk)->inet_dport)
		return false;
	if (!v6)
		return ip_hdr(skb)->saddr == inet_sk(sk)->inet_daddr;
	if (skb->protocol == htons(ETH_P_IPV6))
		return ipv6_addr_equal(&ipv6_hdr(skb)->saddr, &sk->sk_v6_daddr);

	ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &saddr);
	return ipv6_addr_equal(&saddr, &sk->sk_v6_daddr);
}

static void udp_remember(struct sock *sk, const struct sk_buff *skb, bool v6,
			 unsigned long context_id)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_udp *udp;
	u32 connection;

	connection = udp_connection(sk);
	/*
	 * connect() changes the peer first, then this number. Read in the
	 * other order, what belongs to the old peer never gets the new number.
	 */
	smp_rmb();
	if (!udp_from_peer(sk, skb, v6))
		return;

	rcu_read_lock();
	udp = udp_find(in, sk);
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

/* put_cmsg(), but quicker where there is room and nothing to convert */
static __always_inline void udp_put_u64(struct msghdr *msg, int level, int type,
					u64 value)
{
	struct cmsghdr __user *cmsg = msg->msg_control_user;

	if (!msg->msg_control_is_user || !cmsg ||
	    msg->msg_controllen < CMSG_SPACE(sizeof(value)) ||
	    msg->msg_flags & MSG_CMSG_COMPAT ||
	    !user_write_access_begin(cmsg, CMSG_SPACE(sizeof(value)))) {
		put_cmsg(msg, level, type, sizeof(value), &value);
		return;
	}
	unsafe_put_user(CMSG_LEN(sizeof(value)), &cmsg->cmsg_len, end);
	unsafe_put_user(level, &cmsg->cmsg_level, end);
	unsafe_put_user(type, &cmsg->cmsg_type, end);
	unsafe_put_user(value, (u64 __user *)CMSG_USER_DATA(cmsg), end);
	msg->msg_control_user += CMSG_SPACE(sizeof(value));
	msg->msg_controllen -= CMSG_SPACE(sizeof(value));
end:
	user_write_access_end();
}

static __always_inline void udp_put_ptoken(struct sock *sk, struct msghdr *msg,
					   const struct sk_buff *skb, bool v6)
{
	unsigned long context_id = IPSEC_NOW_CLEAR;
	u64 ptoken = IPSEC_PTOKEN_NONE;

	if (secpath_exists(skb)) {
		struct ipsec_net *in = ipsec_net(sock_net(sk));
		struct ipsec_context *context;

		rcu_read_lock();
		context = ipsec_secpath_datagram(in, skb);
		if (IS_ERR(context)) {
			context_id = IPSEC_NOW_UNKNOWN;
			ptoken = IPSEC_PTOKEN_UNKNOWN;
		} else if (context) {
			context_id = context->id;
			ptoken = ipsec_handle(in, context);
		}
		rcu_read_unlock();
	}

	if (READ_ONCE(sk->sk_state) == TCP_ESTABLISHED)
		udp_remember(sk, skb, v6, context_id);

	udp_put_u64(msg, v6 ? SOL_IPV6 : SOL_IP, IPSEC_SCM_PTOKEN, ptoken);
}

static void udp_put_name(struct sock *sk, struct msghdr *msg,
			 const struct sk_buff *skb, int *addr_len)
{
	DECLARE_SOCKADDR(struct sockaddr_in *, sin, msg->msg_name);

	sin->sin_family = AF_INET;
	sin->sin_port = udp_hdr(skb)->source;
	sin->sin_addr.s_addr = ip_hdr(skb)->saddr;
	memset(sin->sin_zero, 0, sizeof(sin->sin_zero));
	*addr_len = sizeof(*sin);

	BPF_CGROUP_RUN_PROG_UDP4_RECVMSG_LOCK(sk, (struct sockaddr *)sin);
}

static void udpv6_put_name(struct sock *sk, struct msghdr *msg,
			   const struct sk_buff *skb, bool ipv4, int *addr_len)
{
	DECLARE_SOCKADDR(struct sockaddr_in6 *, sin6, msg->msg_name);

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = udp_hdr(skb)->source;
	sin6->sin6_flowinfo = 0;
	if (ipv4) {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &sin6->sin6_addr);
		sin6->sin6_scope_id = 0;
	} else {
		sin6->sin6_addr = ipv6_hdr(skb)->saddr;
		sin6->sin6_scope_id = ipv6_iface_scope_id(&sin6->sin6_addr,
							  inet6_iif(skb));
	}
	*addr_len = sizeof(*sin6);

	BPF_CGROUP_RUN_PROG_UDP6_RECVMSG_LOCK(sk, (struct sockaddr *)sin6);
}

/* IPV6_PKTINFO of a datagram that came over IPv4 */
static void udpv6_put_mapped_pktinfo(struct msghdr *msg,
				     const struct sk_buff *skb)
{
	struct in6_pktinfo info = {
		.ipi6_ifindex = PKTINFO_SKB_CB(skb)->ipi_ifindex,
	};

	ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, &info.ipi6_addr);
	put_cmsg(msg, SOL_IPV6, IPV6_PKTINFO, sizeof(info), &info);
}

static void udp_put_cmsgs(struct sock *sk, struct msghdr *msg,
			  struct sk_buff *skb, int off, bool ipv4, bool v6)
{
	if (udp_test_bit(GRO_ENABLED, sk))
		udp_cmsg_recv(msg, sk, skb);

	if (!ipv4) {
		if (inet6_sk(sk)->rxopt.all)
			ip6_datagram_recv_ctl(sk, msg, skb);
		return;
	}
	if (v6 && inet6_sk(sk)->rxopt.bits.rxinfo)
		udpv6_put_mapped_pktinfo(msg, skb);
	if (inet_sk(sk)->cmsg_flags)
		ip_cmsg_recv_offset(msg, sk, skb, sizeof(struct udphdr), off);
}

/* Returns -EINVAL if and only if the checksum is wrong. */
static int udp_copy(struct msghdr *msg, struct sk_buff *skb, int off,
		    unsigned int len, bool partly)
{
	if (!udp_skb_csum_unnecessary(skb)) {
		if (!partly)
			return skb_copy_and_csum_datagram_msg(skb, off, msg);
		if (__udp_lib_checksum_complete(skb))
			return -EINVAL;
	}
	if (udp_skb_is_linear(skb))
		return copy_linear_skb(skb, len, off, &msg->msg_iter);
	return skb_copy_datagram_msg(skb, off, msg, len);
}

/*
 * The kernel's udp_recvmsg and udpv6_recvmsg, and the pToken. IPV6_ADDRFORM
 * may make an AF_INET socket of it at any time, so it matters what function
 * was called (@v6), not what sk_family says.
 */
static __always_inline int udp_recvmsg_ptoken(struct sock *sk,
					      struct msghdr *msg, size_t len,
					      int flags, int *addr_len, bool v6, bool tell)
{
	int off, err, peeking = flags & MSG_PEEK;
	struct udp_mib __percpu *mib;
	unsigned int ulen, copied;
	struct sk_buff *skb;
	bool ipv4;

	/*
	 * Should another thread take the path MTU notification first, one
	 * datagram may come without its pToken. That is no answer, and never
	 * taken for one.
	 */
	if ((flags & MSG_ERRQUEUE) ||
	    (v6 && inet6_sk(sk)->rxopt.bits.rxpmtu &&
	     READ_ONCE(inet6_sk(sk)->rxpmtu)))
		return kernel_prot[v6]->recvmsg(sk, msg, len, flags, addr_len);

again:
	off = sk_peek_offset(sk, flags);
	skb = __skb_recv_udp(sk, flags, &off, &err);
	if (!skb)
		return err;

	ipv4 = !v6 || skb->protocol == htons(ETH_P_IP);
	mib = ipv4 ? sock_net(sk)->mib.udp_statistics :
		     sock_net(sk)->mib.udp_stats_in6;

	if (unlikely(!ipsec_udp_latch_allows(sk, skb) || !ipsec_required_datagram(sk, skb))) {
		__sk_queue_drop_skb(sk, &udp_sk(sk)->reader_queue, skb, flags,
				    udp_skb_destructor);
		kfree_skb(skb);
		cond_resched();
		goto again;
	}

	ulen = !ipv4 && inet6_is_jumbogram(skb) ? skb->len : udp_skb_len(skb);
	copied = len;
	if (copied > ulen - off)
		copied = ulen - off;
	else if (copied < ulen)
		msg->msg_flags |= MSG_TRUNC;

	err = udp_copy(msg, skb, off, copied, peeking || copied < ulen);
	if (unlikely(err == -EINVAL)) {
		if (!__sk_queue_drop_skb(sk, &udp_sk(sk)->reader_queue, skb,
					 flags, udp_skb_destructor)) {
			SNMP_INC_STATS(mib, UDP_MIB_CSUMERRORS);
			SNMP_INC_STATS(mib, UDP_MIB_INERRORS);
		}
		kfree_skb(skb);
		cond_resched();
		msg->msg_flags &= ~MSG_TRUNC;
		goto again;
	}
	if (unlikely(err)) {
		if (!peeking) {
			atomic_inc(&sk->sk_drops);
			SNMP_INC_STATS(mib, UDP_MIB_INERRORS);
		}
		kfree_skb(skb);
		return err;
	}
	if (!peeking)
		SNMP_INC_STATS(mib, UDP_MIB_INDATAGRAMS);

	sock_recv_cmsgs(msg, sk, skb);
	if (msg->msg_name) {
		if (v6)
			udpv6_put_name(sk, msg, skb, ipv4, addr_len);
		else
			udp_put_name(sk, msg, skb, addr_len);
	}
	udp_put_cmsgs(sk, msg, skb, off, ipv4, v6);
	if (tell)
		udp_put_ptoken(sk, msg, skb, v6);

	err = flags & MSG_TRUNC ? ulen : copied;
	skb_consume_udp(sk, skb, peeking ? -err : err);
	return err;
}

static int ipsec_udp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			     int flags, int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, false, true);
}

static int ipsec_udpv6_recvmsg(struct sock *sk, struct msghdr *msg, size_t len,
			       int flags, int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, true, true);
}

static int guard_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
			 int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, false, false);
}

static int guard_recvmsg6(struct sock *sk, struct msghdr *msg, size_t len, int flags,
			  int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, true, false);
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
	guard_prot[v6].recvmsg = v6 ? guard_recvmsg6 : guard_recvmsg;
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
		if (udp->connection == udp_connection(sk))
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
