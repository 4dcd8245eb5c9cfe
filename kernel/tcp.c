// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP connections and the contexts that they were established under.
 *
 * There is a record of each connection that is not known to be in clear; one
 * without a record is. handshake.c makes records, and latch.c for those in clear
 * that there is more to say of.
 */
#include <linux/ipsec_token.h>
#include <linux/slab.h>
#include <net/tcp.h>
#include <net/tcp_states.h>

#include "context.h"
#include "handle.h"
#include "handshake.h"
#include "netns.h"
#include "require.h"
#include "tcp.h"

static u32 connection_key_hash(const void *sk, u32 len, u32 seed)
{
	return ipsec_connection_hash(sk, seed);
}

static u32 connection_hash(const void *data, u32 len, u32 seed)
{
	const struct ipsec_connection *connection = data;

	return ipsec_connection_hash(connection->sk, seed);
}

static int connection_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct ipsec_connection *connection = obj;

	return connection->sk != arg->key;
}

static const struct rhashtable_params connection_params = {
	.head_offset = offsetof(struct ipsec_connection, node),
	.hashfn = connection_key_hash,
	.obj_hashfn = connection_hash,
	.obj_cmpfn = connection_cmp,
	.automatic_shrinking = true,
};

/**
 * ipsec_connection_find_slow - ipsec_connection_find() where a glance does not do
 * @in: the connection's namespace
 * @sk: its socket
 *
 * Context: under RCU.
 * Return: the record or NULL.
 */
struct ipsec_connection *ipsec_connection_find_slow(struct ipsec_net *in,
						    const struct sock *sk)
{
	return rhashtable_lookup(&in->connections, sk, connection_params);
}

/**
 * ipsec_connection_create - make a record of a connection
 * @in: its namespace
 * @sk: its socket
 * @state: OPENING, OLD, UNKNOWN or CLEAR
 *
 * Without memory for it the absence of a record no longer tells anything;
 * that is remembered.
 *
 * Context: any but hard interrupts; under the socket's lock, or with @sk held
 * in the table of established sockets.
 * Return: the record, or NULL.
 */
struct ipsec_connection *ipsec_connection_create(struct ipsec_net *in, struct sock *sk,
						 enum ipsec_connection_state state)
{
	struct ipsec_connection *connection;
	int err;

	connection = kzalloc(sizeof(*connection), GFP_ATOMIC);
	if (!connection)
		goto lost;

	connection->sk = sk;
	connection->state = state;
	connection->required = ipsec_required_any(in) && ipsec_required_find(in, sk);
	connection->epoch = sk->sk_protocol == IPPROTO_UDP ? sk->sk_txhash : 0;
	connection->now = state == IPSEC_CONNECTION_CLEAR ? IPSEC_NOW_CLEAR : IPSEC_NOW_UNKNOWN;
	err = rhashtable_lookup_insert_key(&in->connections, sk, &connection->node,
					   connection_params);
	if (err) {
		kfree(connection);
		if (err == -EEXIST)
			return NULL;
		goto lost;
	}
	if (state == IPSEC_CONNECTION_OLD)
		atomic_inc(&in->old_connections);
	return connection;

lost:
	if (state == IPSEC_CONNECTION_CLEAR)
		return NULL;	/* which is what no record means, too */
	ipsec_count(in, IPSEC_COUNT_UNKNOWN_MEMORY);
	WRITE_ONCE(in->lost, true);
	return NULL;
}

/* Under &ipsec_net.lock. */
static void context_let_go(struct ipsec_context *context)
{
	if (!context)
		return;
	context->users--;
	ipsec_context_left(context);
}

/* No segment needs to be looked at for it any more. */
static void old_decided(struct ipsec_net *in)
{
	if (atomic_dec_and_test(&in->old_connections))
		ipsec_handshake_old_gone();
}

/**
 * ipsec_connection_set - put down what is known of a connection
 * @in: its namespace
 * @connection: its record
 * @state: what is known
 * @context: under which it is, or its SYN was: the hold on it is handed over;
 *	or NULL
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_connection_set(struct ipsec_net *in, struct ipsec_connection *connection,
			  enum ipsec_connection_state state,
			  struct ipsec_context *context)
{
	struct ipsec_context *former = connection->context;
	bool was_latch = ipsec_connection_is_latch(connection);

	if (connection->state == IPSEC_CONNECTION_OLD)
		old_decided(in);

	/* latch.c looks, and takes hold of contexts, under this lock */
	spin_lock_bh(&in->lock);
	if (connection->out != former)
		context_let_go(connection->out);
	context_let_go(connection->latch);
	context_let_go(former);
	WRITE_ONCE(connection->out, NULL);
	WRITE_ONCE(connection->latch, NULL);
	WRITE_ONCE(connection->context, context);
	WRITE_ONCE(connection->now, context ? context->id : IPSEC_NOW_UNKNOWN);
	spin_unlock_bh(&in->lock);

	/* pairs with the acquire in ipsec_tcp_ptoken() */
	smp_store_release(&connection->state, state);
	atomic_add(ipsec_connection_is_latch(connection) - was_latch, &in->latched);
}

/**
 * ipsec_connection_set_flags - what an application wants of a latch
 * @in: the connection's namespace
 * @connection: the connection's record
 * @flags: IPSEC_LATCH_F_*
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_connection_set_flags(struct ipsec_net *in, struct ipsec_connection *connection,
				u8 flags)
{
	bool was_latch = ipsec_connection_is_latch(connection);

	WRITE_ONCE(connection->flags, flags);
	atomic_add(ipsec_connection_is_latch(connection) - was_latch, &in->latched);
}

/**
 * ipsec_connection_remove - forget a connection
 * @in: its namespace
 * @connection: its record
 *
 * Context: any but hard interrupts; under the socket's lock.
 */
void ipsec_connection_remove(struct ipsec_net *in, struct ipsec_connection *connection)
{
	int err;

	/* who comes by way of the table looks at datagram sockets under this lock */
	spin_lock_bh(&in->lock);
	err = rhashtable_remove_fast(&in->connections, &connection->node, connection_params);
	spin_unlock_bh(&in->lock);
	if (err)
		return;
	ipsec_connection_set(in, connection, IPSEC_CONNECTION_UNKNOWN, NULL);
	kfree_rcu(connection, rcu);
}

/* An SA is there before its first event, and its event before it is gone. */
static bool may_be_protected(struct ipsec_net *in)
{
	return READ_ONCE(in->net->xfrm.state_num) || work_busy(&in->watch);
}

/**
 * ipsec_tcp_ptoken - the pToken of a TCP connection
 * @sk: its socket
 * @ptoken: the token
 *
 * Context: process context, without the socket's lock.
 * Return: 0; -ENOTCONN if there is no connection; -ENODATA if it is not known
 * what protected its handshake.
 */
int ipsec_tcp_ptoken(struct sock *sk, u64 *ptoken)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_connection *connection;
	struct ipsec_context *context;
	bool settled;
	int err = 0;
	u8 state;

	/* the record was there before the socket was seen in its new state */
	switch (inet_sk_state_load(sk)) {
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_SYN_SENT:
	case TCP_NEW_SYN_RECV:
		return -ENOTCONN;
	}

	rcu_read_lock();
	/*
	 * Having no record tells something only where handshakes are watched,
	 * or no SA has ever been. Pairs with the release after that begins.
	 */
	settled = smp_load_acquire(&in->settled) || !may_be_protected(in);
	connection = ipsec_connection_find(in, sk);
	if (!connection) {
		*ptoken = IPSEC_PTOKEN_NONE;
		if (!settled || READ_ONCE(in->lost))
			err = -ENODATA;
		goto out;
	}

	/*
	 * Of one still opening (Fast Open), its SYN has been accepted. This
	 * pairs with the release in ipsec_connection_set().
	 */
	state = smp_load_acquire(&connection->state);
	context = READ_ONCE(connection->context);
	if (context && state <= IPSEC_CONNECTION_PROTECTED)
		*ptoken = ipsec_handle(in, context);
	else if (state == IPSEC_CONNECTION_CLEAR ||
		 (state == IPSEC_CONNECTION_OPENING && READ_ONCE(connection->early) &&
		  !READ_ONCE(connection->early_unknown)))
		*ptoken = IPSEC_PTOKEN_NONE;
	else
		err = -ENODATA;
out:
	rcu_read_unlock();
	return err;
}

/**
 * ipsec_tcp_init_net - make ready for connections in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_tcp_init_net(struct ipsec_net *in)
{
	return rhashtable_init(&in->connections, &connection_params);
}

static void connection_free(void *object, void *unused)
{
	struct ipsec_connection *connection = object;

	kfree(connection->backlog);
	kfree(connection);
}

/**
 * ipsec_tcp_exit_net - forget all connections of a namespace
 * @in: the namespace, dead, with nobody looking for its connections any more
 *
 * Context: process context, may sleep.
 */
void ipsec_tcp_exit_net(struct ipsec_net *in)
{
	rhashtable_free_and_destroy(&in->connections, connection_free, NULL);
}
