// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts, connections, algorithms and statistics as netlink attributes.
 *
 * Nothing here is a secret of an SA. How much traffic it has carried is told
 * to administrators only, since others than the asker may have sent it.
 */
#include <linux/ipsec_token.h>
#include <linux/pfkeyv2.h>
#include <net/netlink.h>
#include <net/sock.h>
#include <net/tcp_states.h>
#include <net/xfrm.h>

#include "algorithm.h"
#include "context.h"
#include "describe.h"
#include "identity.h"
#include "latch.h"
#include "negotiate.h"
#include "netns.h"
#include "path.h"
#include "request.h"

/* While many SAs follow each other in a short time, the latest are told of. */
#define MAX_SAS	10

static int put_u64(struct sk_buff *skb, int attr, u64 value, int pad)
{
	return nla_put_u64_64bit(skb, attr, value, pad);
}

static int put_address(struct sk_buff *skb, int attr, const void *address, u16 family)
{
	return nla_put(skb, attr, family == AF_INET ? 4 : 16, address);
}

static u8 satype(u8 proto)
{
	switch (proto) {
	case IPPROTO_ESP:
		return SADB_SATYPE_ESP;
	case IPPROTO_AH:
		return SADB_SATYPE_AH;
	case IPPROTO_COMP:
		return SADB_X_SATYPE_IPCOMP;
	default:
		return SADB_SATYPE_UNSPEC;
	}
}

/* What is known of an SA even after it has gone. */
static int put_sa(struct sk_buff *skb, const struct ipsec_sa *sa, u8 index)
{
	const struct ipsec_sa_key *key = &sa->key;
	const struct ipsec_sa_seen *seen = &sa->seen;

	if (nla_put_u8(skb, IPSEC_SA_A_INDEX, index) ||
	    nla_put_u8(skb, IPSEC_SA_A_SATYPE, satype(key->proto)) ||
	    nla_put_u8(skb, IPSEC_SA_A_MODE, key->mode) ||
	    put_address(skb, IPSEC_SA_A_LOCAL, &key->local, key->family) ||
	    put_address(skb, IPSEC_SA_A_PEER, &key->peer, key->family) ||
	    nla_put_u32(skb, IPSEC_SA_A_REQID, key->reqid) ||
	    nla_put_u32(skb, IPSEC_SA_A_MARK, key->mark.v) ||
	    nla_put_u32(skb, IPSEC_SA_A_MARK_MASK, key->mark.m) ||
	    nla_put_u32(skb, IPSEC_SA_A_IF_ID, key->if_id) ||
	    nla_put(skb, IPSEC_SA_A_SELECTOR, sizeof(key->selector), &key->selector))
		return -EMSGSIZE;
	if (seen->ealg &&
	    (nla_put_u8(skb, IPSEC_SA_A_EALG, seen->ealg_sadb) ||
	     nla_put_string(skb, IPSEC_SA_A_EALG_NAME, ipsec_algorithm(seen->ealg)->name) ||
	     nla_put_u16(skb, IPSEC_SA_A_EALG_BITS, seen->ealg_bits)))
		return -EMSGSIZE;
	if (seen->aalg &&
	    (nla_put_u8(skb, IPSEC_SA_A_AALG, seen->aalg_sadb) ||
	     nla_put_string(skb, IPSEC_SA_A_AALG_NAME, ipsec_algorithm(seen->aalg)->name) ||
	     nla_put_u16(skb, IPSEC_SA_A_AALG_BITS, seen->aalg_bits)))
		return -EMSGSIZE;
	if (seen->icv_bits && nla_put_u16(skb, IPSEC_SA_A_ICV_BITS, seen->icv_bits))
		return -EMSGSIZE;
	if (seen->esn && nla_put_flag(skb, IPSEC_SA_A_ESN))
		return -EMSGSIZE;
	return 0;
}

static int put_live(struct sk_buff *skb, struct xfrm_state *x,
		    enum ipsec_direction direction, bool admin)
{
	struct xfrm_lifetime_cur now;

	spin_lock_bh(&x->lock);
	now = x->curlft;
	spin_unlock_bh(&x->lock);

	if (nla_put_u8(skb, IPSEC_SA_A_DIRECTION, direction) ||
	    nla_put_be32(skb, IPSEC_SA_A_SPI, x->id.spi) ||
	    nla_put(skb, IPSEC_SA_A_LIFETIME, sizeof(x->lft), &x->lft) ||
	    put_u64(skb, IPSEC_SA_A_ADD_TIME, now.add_time, IPSEC_SA_A_PAD))
		return -EMSGSIZE;
	if (x->calg &&
	    (nla_put_u8(skb, IPSEC_SA_A_CALG, x->props.calgo) ||
	     nla_put_string(skb, IPSEC_SA_A_CALG_NAME, x->calg->alg_name)))
		return -EMSGSIZE;
	if (x->encap &&
	    (nla_put_u16(skb, IPSEC_SA_A_ENCAP_TYPE, x->encap->encap_type) ||
	     nla_put_be16(skb, IPSEC_SA_A_ENCAP_SPORT, x->encap->encap_sport) ||
	     nla_put_be16(skb, IPSEC_SA_A_ENCAP_DPORT, x->encap->encap_dport)))
		return -EMSGSIZE;
	if (x->xso.dev && nla_put_flag(skb, IPSEC_SA_A_OFFLOAD))
		return -EMSGSIZE;
	if (admin &&
	    (put_u64(skb, IPSEC_SA_A_USE_TIME, now.use_time, IPSEC_SA_A_PAD) ||
	     put_u64(skb, IPSEC_SA_A_BYTES, now.bytes, IPSEC_SA_A_PAD) ||
	     put_u64(skb, IPSEC_SA_A_PACKETS, now.packets, IPSEC_SA_A_PAD)))
		return -EMSGSIZE;
	return 0;
}

/**
 * struct sa_list - the SAs of a context that have been told of
 * @skb: to whom
 * @admin: all of it
 * @compression: one of them is IPComp
 * @count: how many
 * @x: these, for comparison only
 */
struct sa_list {
	struct sk_buff *skb;
	bool admin;
	bool compression;
	unsigned int count;
	const struct xfrm_state *x[MAX_SAS];
};

static int list_sa(struct sa_list *list, struct xfrm_state *x, u8 index,
		   enum ipsec_direction direction)
{
	struct nlattr *nest;
	struct ipsec_sa sa;
	unsigned int i;

	for (i = 0; i < list->count; i++)
		if (list->x[i] == x)
			return 0;
	if (list->count == MAX_SAS)
		return 0;
	list->x[list->count++] = x;
	list->compression |= x->id.proto == IPPROTO_COMP;

	nest = nla_nest_start(list->skb, IPSEC_CONTEXT_A_SA);
	if (!nest)
		return -EMSGSIZE;
	ipsec_sa_describe(&sa, x, direction);
	if (put_sa(list->skb, &sa, index) || put_live(list->skb, x, direction, list->admin))
		return -EMSGSIZE;
	nla_nest_end(list->skb, nest);
	return 0;
}

/* An SA that was looked for, with the reference that came with it. */
static int list_found(struct sa_list *list, struct xfrm_state *x, u8 index,
		      enum ipsec_direction direction)
{
	int err;

	if (!x)
		return 0;
	err = list_sa(list, x, index, direction);
	xfrm_state_put(x);
	return err;
}

/*
 * The SAs that the agent has told of, since those of others may look the same.
 * Agents don't tell of IPComp.
 */
static int list_bound(struct sa_list *list, struct net *net,
		      const struct ipsec_identity *identity, const struct ipsec_sa_key *key)
{
	const struct ipsec_binding *binding;
	enum ipsec_direction direction;
	int err;

	list_for_each_entry_rcu(binding, &identity->bindings, list) {
		struct xfrm_state *x = binding->x;

		if (!ipsec_sa_valid(x))
			continue;
		direction = memcmp(&x->id.daddr, &key->local,
				   x->props.family == AF_INET ? 4 : 16) ?
			    IPSEC_DIRECTION_OUT : IPSEC_DIRECTION_IN;
		err = list_sa(list, x, 0, direction) ?:
		      list_found(list, ipsec_sa_find_ipcomp(net, key, direction), 1, direction);
		if (err)
			return err;
	}
	return 0;
}

/* The newest SAs that stand for the context, whether they carried anything or not. */
static int list_latest(struct sa_list *list, struct ipsec_net *in,
		       const struct ipsec_sa *sas, u8 nr, enum ipsec_direction direction)
{
	u64 trusted = READ_ONCE(in->trusted);
	struct net *net = in->net;
	int err;
	u8 i;

	for (i = 0; i < nr; i++) {
		err = list_found(list, ipsec_sa_find(net, &sas[i], trusted, direction), i,
				 direction);
		if (!err && sas[i].key.proto != IPPROTO_COMP)
			err = list_found(list, ipsec_sa_find_ipcomp(net, &sas[i].key, direction),
					 i + 1, direction);
		if (err)
			return err;
	}
	return 0;
}

static int list_seen(struct sa_list *list, struct ipsec_context *context)
{
	struct ipsec_path *path;
	int err;
	u8 i;

	list_for_each_entry_rcu(path, &context->paths, list) {
		for (i = 0; i < path->nr; i++) {
			if (!satype(path->x[i]->id.proto) || !ipsec_sa_valid(path->x[i]))
				continue;
			err = list_sa(list, path->x[i], i, path->outbound ?
				      IPSEC_DIRECTION_OUT : IPSEC_DIRECTION_IN);
			if (err)
				return err;
		}
	}
	return 0;
}

static int put_as_last_seen(struct sk_buff *skb, const struct ipsec_sa *sas, u8 nr)
{
	struct nlattr *nest;
	u8 i;

	for (i = 0; i < nr; i++) {
		nest = nla_nest_start(skb, IPSEC_CONTEXT_A_SA);
		if (!nest || put_sa(skb, &sas[i], i))
			return -EMSGSIZE;
		nla_nest_end(skb, nest);
	}
	return 0;
}

/**
 * ipsec_describe_context - put a context into a message
 * @skb: the message
 * @in: where
 * @context: found under RCU
 * @admin: with what is for administrators only
 *
 * Context: any but hard interrupts, under RCU; takes locks of xfrm.
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_context(struct sk_buff *skb, struct ipsec_net *in,
			   struct ipsec_context *context, bool admin)
{
	struct sa_list list = { .skb = skb, .admin = admin };
	struct ipsec_sa sas[IPSEC_CONTEXT_MAX_SAS];
	const struct ipsec_identity *identity;
	struct ipsec_protection protection;
	struct nlattr *nest;
	u8 nr;
	int err;

	ipsec_context_protection(in, context, &protection);

	nest = nla_nest_start(skb, IPSEC_A_CONTEXT);
	if (!nest ||
	    nla_put_u8(skb, IPSEC_CONTEXT_A_PRIVACY, protection.privacy) ||
	    nla_put_u8(skb, IPSEC_CONTEXT_A_INTEGRITY, protection.integrity) ||
	    nla_put_u8(skb, IPSEC_CONTEXT_A_TUNNEL, context->tunnel) ||
	    nla_put_u8(skb, IPSEC_CONTEXT_A_END_TO_END, context->end_to_end) ||
	    put_u64(skb, IPSEC_CONTEXT_A_ESTABLISHED, context->established,
		    IPSEC_CONTEXT_A_PAD))
		return -EMSGSIZE;
	if (admin &&
	    (put_u64(skb, IPSEC_CONTEXT_A_ID, context->id, IPSEC_CONTEXT_A_PAD) ||
	     nla_put_u32(skb, IPSEC_CONTEXT_A_USERS, READ_ONCE(context->users))))
		return -EMSGSIZE;

	nr = ipsec_context_sas(in, context, sas);
	identity = READ_ONCE(context->identity);
	if (identity)
		err = list_bound(&list, in->net, identity, &sas[0].key);
	else
		err = list_latest(&list, in, sas, nr, IPSEC_DIRECTION_IN) ?:
		      list_latest(&list, in, sas, nr, IPSEC_DIRECTION_OUT);
	if (err || list_seen(&list, context))
		return -EMSGSIZE;

	/* A peer may compress if there is an IPComp SA; without any, as before. */
	if (list.count)
		WRITE_ONCE(context->compression, list.compression);
	if (nla_put_u8(skb, IPSEC_CONTEXT_A_COMPRESSION, READ_ONCE(context->compression)))
		return -EMSGSIZE;
	if (!list.count && put_as_last_seen(skb, sas, nr))
		return -EMSGSIZE;
	if (identity && nla_put(skb, IPSEC_CONTEXT_A_IDENTITY | NLA_F_NESTED, identity->size,
				identity->attributes))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * ipsec_describe_identity - put an SA and the identity behind it into a message
 * @skb: the message
 * @x: the SA, held
 * @identity: found under RCU or held; NULL for none
 *
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_identity(struct sk_buff *skb, const struct xfrm_state *x,
			    const struct ipsec_identity *identity)
{
	struct nlattr *nest = nla_nest_start(skb, IPSEC_A_SA);

	if (!nest ||
	    nla_put_u8(skb, IPSEC_SA_REF_A_SATYPE, satype(x->id.proto)) ||
	    put_address(skb, IPSEC_SA_REF_A_DESTINATION, &x->id.daddr, x->props.family) ||
	    nla_put_be32(skb, IPSEC_SA_REF_A_SPI, x->id.spi) ||
	    nla_put_u32(skb, IPSEC_SA_REF_A_MARK, x->mark.v))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	if (identity && nla_put(skb, IPSEC_A_IDENTITY | NLA_F_NESTED, identity->size,
				identity->attributes))
		return -EMSGSIZE;
	return 0;
}

static int put_socket(struct sk_buff *skb, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);
	int err;

	if (nla_put_u16(skb, IPSEC_SOCKET_A_FAMILY, sk->sk_family))
		return -EMSGSIZE;
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		err = nla_put_in6_addr(skb, IPSEC_SOCKET_A_LOCAL, &sk->sk_v6_rcv_saddr) ?:
		      nla_put_in6_addr(skb, IPSEC_SOCKET_A_PEER, &sk->sk_v6_daddr);
	else
#endif
		err = nla_put_in_addr(skb, IPSEC_SOCKET_A_LOCAL, inet->inet_rcv_saddr) ?:
		      nla_put_in_addr(skb, IPSEC_SOCKET_A_PEER, inet->inet_daddr);
	if (err ||
	    nla_put_be16(skb, IPSEC_SOCKET_A_LOCAL_PORT, inet->inet_sport) ||
	    nla_put_be16(skb, IPSEC_SOCKET_A_PEER_PORT, inet->inet_dport) ||
	    nla_put_u32(skb, IPSEC_SOCKET_A_IFINDEX, READ_ONCE(sk->sk_bound_dev_if)) ||
	    nla_put_u8(skb, IPSEC_SOCKET_A_PROTOCOL, sk->sk_protocol))
		return -EMSGSIZE;
	return 0;
}

static int put_latch(struct sk_buff *skb, enum ipsec_latch_state state, u32 flags, u8 reason,
		     u32 refused)
{
	if (nla_put_u8(skb, IPSEC_SOCKET_A_LATCH_STATE, state) ||
	    nla_put_u32(skb, IPSEC_SOCKET_A_LATCH_FLAGS, flags) ||
	    nla_put_u8(skb, IPSEC_SOCKET_A_LATCH_REASON, reason) ||
	    nla_put_u32(skb, IPSEC_SOCKET_A_LATCH_REFUSED, refused))
		return -EMSGSIZE;
	return 0;
}

static int put_connection(struct sk_buff *skb, const struct ipsec_connection *connection)
{
	enum ipsec_latch_state latch = ipsec_latch_state(connection);
	const struct ipsec_context *context = READ_ONCE(connection->context);
	/* pairs with the release in ipsec_connection_set() */
	u8 state = smp_load_acquire(&connection->state);
	int err;

	err = put_socket(skb, connection->sk);
	if (err)
		return err;
	if ((context || state == IPSEC_CONNECTION_CLEAR) &&
	    put_u64(skb, IPSEC_SOCKET_A_CONTEXT_ID, context ? context->id : 0,
		    IPSEC_SOCKET_A_PAD))
		return -EMSGSIZE;
	if (!latch)
		return 0;
	return put_latch(skb, latch, READ_ONCE(connection->flags) | IPSEC_LATCH_F_ON,
			 READ_ONCE(connection->reason), READ_ONCE(connection->refused));
}

/**
 * ipsec_describe_connection - put a TCP connection into a message
 * @skb: the message
 * @in: where
 * @connection: found under RCU
 * @latch: only if it is latched, but then also if it is closed
 *
 * Context: under RCU.
 * Return: 0; -EMSGSIZE; -ENOTCONN if it is not established or no longer, or not
 * latched.
 */
int ipsec_describe_connection(struct sk_buff *skb, struct ipsec_net *in,
			      const struct ipsec_connection *connection, bool latch)
{
	struct nlattr *nest;
	int err = -ENOTCONN;

	/* A datagram socket is freed at once, but for this lock. */
	if (connection->epoch) {
		spin_lock_bh(&in->lock);
		if (latch && ipsec_connection_find(in, connection->sk) == connection &&
		    ipsec_latch_state(connection)) {
			nest = nla_nest_start(skb, IPSEC_A_SOCKET);
			err = nest ? put_connection(skb, connection) : -EMSGSIZE;
			if (!err)
				nla_nest_end(skb, nest);
		}
		spin_unlock_bh(&in->lock);
		return err;
	}

	if (latch ? !ipsec_latch_state(connection) :
		    READ_ONCE(connection->state) == IPSEC_CONNECTION_OPENING ||
		    inet_sk_state_load(connection->sk) == TCP_CLOSE)
		return -ENOTCONN;

	nest = nla_nest_start(skb, IPSEC_A_SOCKET);
	if (!nest || put_connection(skb, connection))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);

	/* the memory of a socket may have become another one's under our eyes */
	return ipsec_connection_find(in, connection->sk) == connection ? 0 : -ENOTCONN;
}

/**
 * ipsec_describe_listener - put a socket that listens into a message
 * @skb: the message
 * @sk: the socket
 *
 * Context: with the socket held in its table.
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_listener(struct sk_buff *skb, const struct sock *sk)
{
	struct nlattr *nest = nla_nest_start(skb, IPSEC_A_SOCKET);

	if (!nest || put_socket(skb, sk) || put_latch(skb, IPSEC_LATCH_LISTENER, 0, 0, 0))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * ipsec_describe_latch_event - put what did not match a latch into a message
 * @skb: the message
 * @connection: found under RCU
 * @seen: under which it came or would have left; NULL: in clear; or ERR_PTR
 *
 * Context: under RCU.
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_latch_event(struct sk_buff *skb, const struct ipsec_connection *connection,
			       const struct ipsec_context *seen)
{
	struct nlattr *nest = nla_nest_start(skb, IPSEC_A_SOCKET);

	if (!nest || put_connection(skb, connection) ||
	    (!IS_ERR(seen) && put_u64(skb, IPSEC_SOCKET_A_LATCH_SEEN, seen ? seen->id : 0,
				      IPSEC_SOCKET_A_PAD)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_flow(struct sk_buff *skb, const struct ipsec_negotiation *negotiation)
{
	int size = negotiation->family == AF_INET ? sizeof(struct in_addr) :
						    sizeof(struct in6_addr);

	return nla_put_u16(skb, IPSEC_REQUEST_A_FAMILY, negotiation->family) ?:
	       nla_put(skb, IPSEC_REQUEST_A_LOCAL, size, &negotiation->local) ?:
	       nla_put(skb, IPSEC_REQUEST_A_PEER, size, &negotiation->peer_address) ?:
	       nla_put_be16(skb, IPSEC_REQUEST_A_LOCAL_PORT, negotiation->local_port) ?:
	       nla_put_be16(skb, IPSEC_REQUEST_A_PEER_PORT, negotiation->peer_port) ?:
	       nla_put_u8(skb, IPSEC_REQUEST_A_PROTOCOL, negotiation->protocol);
}

/**
 * ipsec_describe_negotiation - put SAs that are needed into a message
 * @skb: the message
 * @in: where
 * @negotiation: the negotiation
 *
 * Context: any but hard interrupts.
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_negotiation(struct sk_buff *skb, const struct ipsec_net *in,
			       const struct ipsec_negotiation *negotiation)
{
	long left = negotiation->until - jiffies;
	const struct nlattr *peer = negotiation->peer ? negotiation->peer->peer : NULL;
	struct nlattr *nest = nla_nest_start(skb, IPSEC_A_REQUEST);

	if (!nest ||
	    put_u64(skb, IPSEC_REQUEST_A_ID, negotiation->id, IPSEC_REQUEST_A_PAD) ||
	    nla_put_u32(skb, IPSEC_REQUEST_A_FLAGS, negotiation->flags) ||
	    (negotiation->methods &&
	     nla_put_u32(skb, IPSEC_REQUEST_A_METHODS, negotiation->methods)) ||
	    nla_put_u32(skb, IPSEC_REQUEST_A_TIMEOUT, left > 0 ? jiffies_to_msecs(left) : 0) ||
	    (peer && nla_put(skb, IPSEC_REQUEST_A_IDENTITY | NLA_F_NESTED, nla_len(peer),
			     nla_data(peer))) ||
	    put_flow(skb, negotiation) ||
	    nla_put_u32(skb, IPSEC_REQUEST_A_UID,
			from_kuid_munged(in->net->user_ns, negotiation->uid)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * ipsec_describe_config - put the configuration of a namespace into a message
 * @skb: the message
 * @in: the namespace
 *
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_config(struct sk_buff *skb, const struct ipsec_net *in)
{
	return nla_put_u32(skb, IPSEC_A_LINGER, READ_ONCE(in->linger)) ?:
	       nla_put_u8(skb, IPSEC_A_LATCH_MODE, READ_ONCE(in->latch_mode));
}

/**
 * ipsec_describe_algorithm - put an algorithm into a message
 * @skb: the message
 * @index: its place in the table
 * @trusted: set of trusted algorithms
 *
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_algorithm(struct sk_buff *skb, u8 index, u64 trusted)
{
	const struct ipsec_algorithm *algorithm = ipsec_algorithm(index);
	struct nlattr *nest = nla_nest_start(skb, IPSEC_A_ALGORITHM);

	if (!nest ||
	    nla_put_string(skb, IPSEC_ALGORITHM_A_NAME, algorithm->name) ||
	    nla_put_u8(skb, IPSEC_ALGORITHM_A_CLASS, algorithm->class) ||
	    nla_put_u8(skb, IPSEC_ALGORITHM_A_TRUSTED, !!(trusted & BIT_ULL(index))) ||
	    nla_put_u8(skb, IPSEC_ALGORITHM_A_DEFAULT, algorithm->trusted))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/**
 * ipsec_describe_stats - put the statistics of a namespace into a message
 * @skb: the message
 * @in: the namespace
 *
 * Return: 0 or -EMSGSIZE.
 */
int ipsec_describe_stats(struct sk_buff *skb, struct ipsec_net *in)
{
	struct nlattr *nest = nla_nest_start(skb, IPSEC_A_STATS);
	unsigned int i;

	if (!nest ||
	    put_u64(skb, IPSEC_STATS_A_CONTEXTS, READ_ONCE(in->context_count),
		    IPSEC_STATS_A_PAD) ||
	    put_u64(skb, IPSEC_STATS_A_PATHS, atomic_read(&in->paths.nelems),
		    IPSEC_STATS_A_PAD) ||
	    put_u64(skb, IPSEC_STATS_A_CONNECTIONS, atomic_read(&in->connections.nelems),
		    IPSEC_STATS_A_PAD) ||
	    put_u64(skb, IPSEC_STATS_A_DATAGRAM_SOCKETS, atomic_read(&in->udp_sockets.nelems),
		    IPSEC_STATS_A_PAD) ||
	    put_u64(skb, IPSEC_STATS_A_BINDINGS, atomic_read(&in->bindings.nelems),
		    IPSEC_STATS_A_PAD) ||
	    put_u64(skb, IPSEC_STATS_A_LATCHES, atomic_read(&in->latched),
		    IPSEC_STATS_A_PAD))
		return -EMSGSIZE;

	BUILD_BUG_ON(IPSEC_STATS_A_CONTEXTS_CREATED + __IPSEC_COUNT_MAX !=
		     __IPSEC_STATS_A_MAX);
	for (i = 0; i < __IPSEC_COUNT_MAX; i++)
		if (put_u64(skb, IPSEC_STATS_A_CONTEXTS_CREATED + i,
			    ipsec_counter_read(in, i), IPSEC_STATS_A_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}
