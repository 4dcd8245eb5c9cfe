/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_TCP_H
#define _IPSEC_TCP_H

#include <linux/in6.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>

struct ipsec_backlog;
struct ipsec_context;
struct ipsec_net;
struct sock;

enum ipsec_connection_state {
	IPSEC_CONNECTION_OPENING,	/* handshake under way */
	IPSEC_CONNECTION_PROTECTED,	/* established under @context */
	IPSEC_CONNECTION_UNKNOWN,	/* established, not known under what */
	IPSEC_CONNECTION_OLD,		/* the same, but a segment may yet tell */
};

/**
 * struct ipsec_connection - a TCP connection not known to be in clear
 * @node: in &ipsec_net.connections
 * @sk: the socket
 * @state: enum ipsec_connection_state
 * @early: OPENING: a SYN has been accepted, under @context; without one, and
 *	@early_unknown not set: in clear
 * @early_unknown: OPENING: not known under what
 * @context: held; of the connection or of its accepted SYN
 * @backlog: OPENING: what segment.c keeps for it, or NULL
 * @rcu: frees it
 *
 * Written under the socket's lock only, which serializes all there is to say
 * of one connection. Read under RCU.
 */
struct ipsec_connection {
	struct rhash_head node;
	struct sock *sk;
	u8 state;
	bool early;
	bool early_unknown;
	struct ipsec_context *context;
	struct ipsec_backlog *backlog;
	struct rcu_head rcu;
};

struct ipsec_connection *ipsec_connection_find(struct ipsec_net *in,
					       const struct sock *sk);
struct ipsec_connection *ipsec_connection_create(struct ipsec_net *in, struct sock *sk,
						 enum ipsec_connection_state state);
void ipsec_connection_set(struct ipsec_net *in, struct ipsec_connection *connection,
			  enum ipsec_connection_state state,
			  struct ipsec_context *context);
void ipsec_connection_remove(struct ipsec_net *in, struct ipsec_connection *connection);

int ipsec_tcp_ptoken(struct sock *sk, u64 *ptoken);

int ipsec_tcp_init_net(struct ipsec_net *in);
void ipsec_tcp_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_TCP_H */
