/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_UDP_H
#define _IPSEC_UDP_H

#include <linux/types.h>

struct ipsec_net;
struct msghdr;
struct sock;

typedef int ipsec_udp_recvmsg_t(struct sock *sk, struct msghdr *msg, size_t len, int flags,
				int *addr_len);

bool ipsec_udp_supported(const struct sock *sk);
int ipsec_udp_guard(struct sock *sk, gfp_t gfp);
void ipsec_udp_unguard(struct sock *sk);
int ipsec_udp_recvptoken_set(struct sock *sk, bool on);
int ipsec_udp_recvptoken_get(struct sock *sk);
int ipsec_udp_connected(const struct sock *sk);
u32 ipsec_udp_connection(const struct sock *sk);
void ipsec_udp_remember(struct sock *sk, u32 connection, unsigned long context_id);
ipsec_udp_recvmsg_t *ipsec_udp_kernel_recvmsg(bool v6);
unsigned long ipsec_udp_context_id(struct ipsec_net *in, struct sock *sk);
int ipsec_udp_ptoken(struct sock *sk, u64 *ptoken);

int ipsec_udp_init_net(struct ipsec_net *in);
void ipsec_udp_exit_net(struct ipsec_net *in);
int ipsec_udp_init(void);
void ipsec_udp_exit(void);

#endif /* _IPSEC_UDP_H */
