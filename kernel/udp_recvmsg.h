/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_UDP_RECVMSG_H
#define _IPSEC_UDP_RECVMSG_H

#include <linux/types.h>

struct msghdr;
struct sock;

int ipsec_udp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
		      int *addr_len);
int ipsec_udpv6_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
			int *addr_len);
int ipsec_udp_recvmsg_guarded(struct sock *sk, struct msghdr *msg, size_t len, int flags,
			      int *addr_len);
int ipsec_udpv6_recvmsg_guarded(struct sock *sk, struct msghdr *msg, size_t len, int flags,
				int *addr_len);

#endif /* _IPSEC_UDP_RECVMSG_H */
