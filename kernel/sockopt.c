// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket options, which netfilter passes on for those it does not know.
 * It holds a reference on this module while one of the functions below runs,
 * in process context and without the socket's lock.
 */
#include <linux/ipsec_token.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <net/sock.h>

#include "latch.h"
#include "require.h"
#include "sockopt.h"
#include "tcp.h"
#include "udp.h"
#include "udp_latch.h"

static bool is_tcp(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP;
}

static int get_ptoken(struct sock *sk, u64 *ptoken)
{
	if (is_tcp(sk))
		return ipsec_tcp_ptoken(sk, ptoken);
	return ipsec_udp_ptoken(sk, ptoken);
}

static int get_latch(struct sock *sk, struct ipsec_latch *latch)
{
	return is_tcp(sk) ? ipsec_latch_get(sk, latch) : ipsec_udp_latch_get(sk, latch);
}

static int set_latch(struct sock *sk, u32 flags)
{
	return is_tcp(sk) ? ipsec_latch_set(sk, flags) : ipsec_udp_latch_set(sk, flags);
}

static int sockopt_get(struct sock *sk, int option, void __user *user, int *len)
{
	struct ipsec_request_status status;
	struct ipsec_latch latch;
	u64 ptoken;
	int value;

	switch (option) {
	case IPSEC_SO_PTOKEN:
		if (*len < (int)sizeof(ptoken))
			return -EINVAL;
		value = get_ptoken(sk, &ptoken);
		if (value < 0)
			return value;
		*len = sizeof(ptoken);
		return copy_to_user(user, &ptoken, sizeof(ptoken)) ? -EFAULT : 0;
	case IPSEC_SO_RECVPTOKEN:
		if (*len < (int)sizeof(value))
			return -EINVAL;
		value = ipsec_udp_recvptoken_get(sk);
		if (value < 0)
			return value;
		*len = sizeof(value);
		return copy_to_user(user, &value, sizeof(value)) ? -EFAULT : 0;
	case IPSEC_SO_LATCH:
		if (*len < (int)sizeof(latch))
			return -EINVAL;
		value = get_latch(sk, &latch);
		if (value < 0)
			return value;
		*len = sizeof(latch);
		return copy_to_user(user, &latch, sizeof(latch)) ? -EFAULT : 0;
	case IPSEC_SO_REQUEST:
		return ipsec_require_get(sk, user, len);
	case IPSEC_SO_REQUEST_STATUS:
		if (*len < (int)sizeof(status))
			return -EINVAL;
		value = ipsec_require_status(sk, &status);
		if (value < 0)
			return value;
		*len = sizeof(status);
		return copy_to_user(user, &status, sizeof(status)) ? -EFAULT : 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int sockopt_set(struct sock *sk, int option, sockptr_t arg, unsigned int len)
{
	int value;

	switch (option) {
	case IPSEC_SO_PTOKEN:
	case IPSEC_SO_REQUEST_STATUS:
		return -EPERM;	/* an answer, not a wish */
	case IPSEC_SO_REQUEST:
		return ipsec_require_set(sk, arg, len);
	case IPSEC_SO_RECVPTOKEN:
		if (len < sizeof(value))
			return -EINVAL;
		if (copy_from_sockptr(&value, arg, sizeof(value)))
			return -EFAULT;
		if (value != 0 && value != 1)
			return -EINVAL;
		return ipsec_udp_recvptoken_set(sk, value);
	case IPSEC_SO_LATCH:
		if (len < sizeof(value))
			return -EINVAL;
		if (copy_from_sockptr(&value, arg, sizeof(value)))
			return -EFAULT;
		return set_latch(sk, value);
	default:
		return -ENOPROTOOPT;
	}
}

#define SOCKOPT_OPS(family) {				\
	.pf = (family),					\
	.set_optmin = IPSEC_SO_PTOKEN,			\
	.set_optmax = IPSEC_SO_REQUEST_STATUS + 1,		\
	.set = sockopt_set,				\
	.get_optmin = IPSEC_SO_PTOKEN,			\
	.get_optmax = IPSEC_SO_REQUEST_STATUS + 1,		\
	.get = sockopt_get,				\
	.owner = THIS_MODULE,				\
}

static struct nf_sockopt_ops sockopt_ops4 = SOCKOPT_OPS(PF_INET);
static struct nf_sockopt_ops sockopt_ops6 = SOCKOPT_OPS(PF_INET6);

/**
 * ipsec_sockopt_init - let applications ask
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_sockopt_init(void)
{
	int err;

	err = nf_register_sockopt(&sockopt_ops4);
	if (err)
		return err;
	err = nf_register_sockopt(&sockopt_ops6);
	if (err)
		nf_unregister_sockopt(&sockopt_ops4);
	return err;
}

/**
 * ipsec_sockopt_exit - applications can't ask any more
 *
 * Context: process context.
 */
void ipsec_sockopt_exit(void)
{
	nf_unregister_sockopt(&sockopt_ops6);
	nf_unregister_sockopt(&sockopt_ops4);
}
