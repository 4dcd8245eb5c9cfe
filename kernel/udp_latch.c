// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latches of connected datagram sockets, by request: once told to, a socket
 * keeps to what protected the last datagram from its peer.
 *
 * There is a record of it beside those of TCP connections, and latch.c treats
 * it alike. What does not match is dropped when it is about to be read, and
 * before it is sent.
 */
#include <linux/ipsec_token.h>
#include <net/sock.h>

#include "context.h"
#include "latch.h"
#include "netns.h"
#include "secpath.h"
#include "tcp.h"
#include "udp.h"
#include "udp_latch.h"

/**
 * ipsec_udp_latch_allows - does a datagram keep to the latch of its socket
 * @sk: the socket
 * @skb: the datagram, about to be read
 *
 * Context: process context.
 * Return: whether it does, or there is no latch.
 */
bool ipsec_udp_latch_allows(struct sock *sk, const struct sk_buff *skb)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_connection *connection;
	bool allowed = true;

	if (likely(!atomic_read(&in->latched)))
		return true;
	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	if (connection)
		allowed = ipsec_latch_datagram(in, connection, ipsec_secpath_datagram(in, skb));
	rcu_read_unlock();
	return allowed;
}

/**
 * ipsec_udp_unlatch - the latch of a datagram socket goes, if it has one
 * @in: where
 * @sk: the socket, locked or about to be freed
 *
 * Context: any but hard interrupts.
 */
void ipsec_udp_unlatch(struct ipsec_net *in, struct sock *sk)
{
	struct ipsec_connection *connection;

	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	if (connection)
		ipsec_connection_remove(in, connection);
	rcu_read_unlock();
}

/* Under RCU and the socket's lock. */
static int udp_latch(struct ipsec_net *in, struct sock *sk, u32 flags)
{
	unsigned long context_id = ipsec_udp_context_id(in, sk);
	struct ipsec_connection *connection;
	struct ipsec_context *context = NULL;

	if (context_id == IPSEC_NOW_UNKNOWN)
		return -ENODATA;
	if (context_id != IPSEC_NOW_CLEAR) {
		context = ipsec_context_by_id(in, context_id);
		if (!context || !ipsec_context_hold(in, context))
			return -ESTALE;
	}
	connection = ipsec_connection_create(in, sk, IPSEC_CONNECTION_CLEAR);
	if (!connection) {
		if (context)
			ipsec_context_release(in, context);
		return -ENOMEM;
	}
	if (context)
		ipsec_connection_set(in, connection, IPSEC_CONNECTION_PROTECTED, context);
	ipsec_connection_set_flags(in, connection, flags);
	return 0;
}

static int udp_latch_set(struct ipsec_net *in, struct sock *sk, u32 flags)
{
	struct ipsec_connection *connection;
	int err = 0;

	rcu_read_lock();
	connection = ipsec_connection_find(in, sk);
	/* one that holds stays as it is */
	if (!flags || !connection || !ipsec_connection_latched(connection)) {
		ipsec_udp_unlatch(in, sk);
		if (flags)
			err = udp_latch(in, sk, flags);
	}
	rcu_read_unlock();
	return err;
}

/**
 * ipsec_udp_latch_set - keep a connected datagram socket to its protection
 * @sk: any socket
 * @flags: IPSEC_LATCH_F_ON: to that of the last datagram from the peer; 0: to
 *	none any more
 *
 * A latch ends when the socket is connected anew. As long as it holds, whatever
 * is sent, to whomever, must keep to it.
 *
 * Context: process, may sleep; takes the socket lock.
 * Return: 0; -EOPNOTSUPP if it is neither UDP nor UDPv6; -EINVAL if it did not
 * opt in, or for other flags; -ENOTCONN if it is not connected; -ENODATA if it
 * is not known what protected the last datagram; -ESTALE if that is long gone;
 * -ENOMEM.
 */
int ipsec_udp_latch_set(struct sock *sk, u32 flags)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	int err;

	lock_sock(sk);
	err = ipsec_udp_connected(sk);
	if (!err && flags & ~IPSEC_LATCH_F_ON)
		err = -EINVAL;
	if (!err)
		err = udp_latch_set(in, sk, flags);
	release_sock(sk);
	return err;
}

/**
 * ipsec_udp_latch_get - what keeps a datagram socket to its protection
 * @sk: any socket
 * @latch: the answer
 *
 * Context: process; does not sleep.
 * Return: 0, or as ipsec_udp_connected().
 */
int ipsec_udp_latch_get(struct sock *sk, struct ipsec_latch *latch)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	int err;

	err = ipsec_udp_connected(sk);
	if (err)
		return err;
	rcu_read_lock();
	ipsec_latch_describe(in, ipsec_connection_find(in, sk), latch);
	rcu_read_unlock();
	if (!latch->state && ipsec_udp_ptoken(sk, &latch->now))
		latch->now = IPSEC_PTOKEN_UNKNOWN;
	return 0;
}
