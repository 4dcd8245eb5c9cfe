// SPDX-License-Identifier: GPL-2.0-only
/*
 * How datagrams are read: as the kernel does it, but what is not to be received is
 * dropped, and a pToken comes along. Where the kernel's functions are not exported its
 * recvmsg is called, for what is not a datagram (the error queue, path MTU
 * notifications).
 */

#include <linux/bpf-cgroup.h>
#include <linux/ipsec_token.h>
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
#include "udp.h"
#include "udp_latch.h"
#include "udp_recvmsg.h"

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
	u32 connection = ipsec_udp_connection(sk);

	/*
	 * connect() changes the peer first, then this number. Read in the
	 * other order, what belongs to the old peer never gets the new number.
	 */
	smp_rmb();
	if (udp_from_peer(sk, skb, v6))
		ipsec_udp_remember(sk, connection, context_id);
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
		return ipsec_udp_kernel_recvmsg(v6)(sk, msg, len, flags, addr_len);

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

/**
 * ipsec_udp_recvmsg - recvmsg() of a socket that has opted in
 * @sk: the socket, and so on as for any &struct proto
 * @msg: where to put the datagram, and its pToken in a control message
 * @len: bytes that there is room for
 * @flags: MSG_*
 * @addr_len: where to put the length of the sender's address, in bytes
 *
 * Context: process, may sleep.
 * Return: bytes received, or a negative errno.
 */
int ipsec_udp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
		      int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, false, true);
}

/**
 * ipsec_udpv6_recvmsg - the same where the socket was made for IPv6
 * @sk: see ipsec_udp_recvmsg()
 * @msg: see there
 * @len: see there
 * @flags: see there
 * @addr_len: see there
 *
 * Context: process, may sleep.
 * Return: bytes received, or a negative errno.
 */
int ipsec_udpv6_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
			int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, true, true);
}

/**
 * ipsec_udp_recvmsg_guarded - recvmsg() of one that is under a request only
 * @sk: see ipsec_udp_recvmsg(), but no pToken comes along
 * @msg: see there
 * @len: see there
 * @flags: see there
 * @addr_len: see there
 *
 * Context: process, may sleep.
 * Return: bytes received, or a negative errno.
 */
int ipsec_udp_recvmsg_guarded(struct sock *sk, struct msghdr *msg, size_t len, int flags,
			      int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, false, false);
}

/**
 * ipsec_udpv6_recvmsg_guarded - the same where the socket was made for IPv6
 * @sk: see ipsec_udp_recvmsg_guarded()
 * @msg: see there
 * @len: see there
 * @flags: see there
 * @addr_len: see there
 *
 * Context: process, may sleep.
 * Return: bytes received, or a negative errno.
 */
int ipsec_udpv6_recvmsg_guarded(struct sock *sk, struct msghdr *msg, size_t len, int flags,
				int *addr_len)
{
	return udp_recvmsg_ptoken(sk, msg, len, flags, addr_len, true, false);
}
