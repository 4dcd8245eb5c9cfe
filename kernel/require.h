/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_REQUIRE_H
#define _IPSEC_REQUIRE_H

#include <linux/hash.h>
#include <linux/ipsec_token.h>
#include <linux/jump_label.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/sockptr.h>
#include <linux/workqueue.h>
#include <net/inet_sock.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "latch.h"
#include "netns.h"
#include "request_cgroup.h"

struct ipsec_context;
struct ipsec_request;
struct sk_buff;
struct sock;

/* Its own, and those of the control groups that it is in. */
#define IPSEC_REQUIRED_MAX	(1 + IPSEC_REQUEST_CGROUP_DEPTH)

/**
 * struct ipsec_required - a socket under one request or more
 * @node: in &ipsec_net.required
 * @spill: in &ipsec_net.required_spill instead, RCU
 * @sk: the socket, which outlives its place there
 * @refs: the table, and @work while it is due
 * @request: its own first, or NULL, then those of control groups; held, RCU
 * @gone: no longer in @required_spill
 * @accepted: made by a listener, whose requests it has
 * @failed: what connect() is to fail with: enum ipsec_request_reason, or 0
 * @retry: connect() is to try again at once
 * @state: enum ipsec_request_state
 * @reason: enum ipsec_request_reason of the last packet that was refused
 * @refused_in: how many were that came
 * @refused_out: how many were that would have left
 * @met: ids of the contexts that met all of it last, by direction
 * @met_trusted: the trusted algorithms at that time
 * @negotiation: that it waits for, 0: none
 * @deadline: jiffies when connect() has to be done
 * @text: what an agent has said of it, or NULL; under @lock
 * @lock: guards @text
 * @work: in the name of the socket: fails it, or lets it try again
 * @rcu: frees it
 *
 * @request[0] changes under the socket's lock, before it is connected. Read under
 * RCU.
 */
struct ipsec_required {
	struct rhash_head node;
	struct list_head spill;
	struct sock *sk;
	refcount_t refs;
	struct ipsec_request *request[IPSEC_REQUIRED_MAX];
	bool gone;
	bool accepted;
	bool retry;
	u8 failed;
	u8 state;
	u8 reason;
	u32 refused_in;
	u32 refused_out;
	unsigned long met[2];
	u64 met_trusted;
	u64 negotiation;
	unsigned long deadline;
	char *text;
	spinlock_t lock;	/* text */
	struct delayed_work work;
	struct rcu_head rcu;
};

DECLARE_STATIC_KEY_FALSE(ipsec_required_used);

#define IPSEC_REQUIRED_TALLY_BITS	10

/* Of sockets whose addresses have the same hash: how many have a record, anywhere. */
extern atomic_t ipsec_required_tally[1 << IPSEC_REQUIRED_TALLY_BITS];

/**
 * ipsec_required_none - is it clear at once that there is no record of a socket
 * @sk: any socket
 *
 * Asked of every packet where there are requests, most of which have nothing to do
 * with them; the table takes several times as many instructions.
 *
 * Context: any.
 * Return: true if there is none; false says nothing. What control groups require is
 * another question.
 */
static inline bool ipsec_required_none(const struct sock *sk)
{
	return !atomic_read(&ipsec_required_tally[hash_ptr(sk, IPSEC_REQUIRED_TALLY_BITS)]);
}

/**
 * ipsec_required_any - may a packet in a namespace be of a socket under a request
 * @in: where
 *
 * Return: whether it may.
 */
static __always_inline bool ipsec_required_any(const struct ipsec_net *in)
{
	return static_branch_unlikely(&ipsec_required_used) &&
	       (atomic_read(&in->required.nelems) || ipsec_request_cgroups_any() ||
		!list_empty(&in->required_spill));
}

/**
 * ipsec_required_may - may a socket be under a request
 * @in: its namespace
 * @sk: the socket
 *
 * Context: any.
 * Return: false if it is not.
 */
static __always_inline bool ipsec_required_may(const struct ipsec_net *in, const struct sock *sk)
{
	return ipsec_required_any(in) &&
	       (ipsec_request_cgroups_any() || !sk_fullsock(sk) || !ipsec_required_none(sk));
}

/**
 * ipsec_required_remnant - is it a TCP socket that has come to its end
 * @sk: any socket
 *
 * What was required of it nobody knows any more, while its packets may still wait
 * somewhere. Nobody waits for them.
 *
 * Return: whether it is, and something is, or was, required of any socket.
 */
static __always_inline bool ipsec_required_remnant(const struct sock *sk)
{
	/* the state first: others than full sockets have not got the rest */
	return static_branch_unlikely(&ipsec_required_used) &&
	       inet_sk_state_load(sk) == TCP_CLOSE && sk->sk_protocol == IPPROTO_TCP &&
	       sk->sk_type == SOCK_STREAM && sock_flag(sk, SOCK_DEAD);
}

/* Is it TCP? Else it is UDP, where something is required of it. */
static inline bool ipsec_required_tcp(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP;
}

bool ipsec_required_supported(const struct sock *sk);
struct ipsec_required *ipsec_required_alloc(gfp_t gfp);
void ipsec_required_put(struct ipsec_required *required);
int ipsec_required_add(struct ipsec_net *in, struct ipsec_required *required, struct sock *sk,
		       gfp_t gfp);
void ipsec_required_due(struct ipsec_required *required, unsigned long delay);
void ipsec_required_not_due(struct ipsec_required *required);
struct ipsec_required *ipsec_required_find(struct ipsec_net *in, const struct sock *sk);
struct ipsec_required *ipsec_required_of(struct ipsec_net *in, struct sock *sk);
struct ipsec_required *ipsec_required_child(const struct ipsec_required *listener);
void ipsec_required_adopt(struct ipsec_net *in, struct ipsec_required *child, struct sock *sk);
void ipsec_required_drop(struct ipsec_required *required);
void ipsec_required_gone(struct ipsec_net *in, struct sock *sk);

enum ipsec_verdict ipsec_required_in(struct ipsec_net *in, struct ipsec_required *required,
				     const struct sk_buff *skb, struct ipsec_context *seen,
				     bool wait);
enum ipsec_verdict ipsec_required_out(struct ipsec_net *in, struct ipsec_required *required,
				      const struct sk_buff *skb, struct ipsec_context *seen,
				      bool wait);
bool ipsec_required_other(const struct sock *sk);
enum ipsec_verdict ipsec_required_other_out(struct ipsec_net *in, const struct sock *sk,
					    const struct sk_buff *skb,
					    struct ipsec_context *seen);
int ipsec_required_error(struct ipsec_net *in, const struct sk_buff *skb);
bool ipsec_required_datagram(struct sock *sk, const struct sk_buff *skb);
bool ipsec_required_readers(struct ipsec_net *in, __be16 port);
void ipsec_required_step(struct ipsec_net *in, struct sock *sk, int old, int new);

bool ipsec_required_answer(struct ipsec_net *in, const struct sock *sk, u64 negotiation,
			   enum ipsec_request_reason reason, const char *text);

bool ipsec_connect_pending(const struct ipsec_required *required);
void ipsec_connect_begins(struct ipsec_required *required);
void ipsec_connect_fail(struct ipsec_required *required, enum ipsec_request_reason reason);
void ipsec_connect_work(struct work_struct *work);

int ipsec_require_set(struct sock *sk, sockptr_t arg, unsigned int len);
int ipsec_require_get(struct sock *sk, void __user *user, int *len);
int ipsec_require_status(struct sock *sk, struct ipsec_request_status *status);

void ipsec_require_use(void);
int ipsec_require_init_net(struct ipsec_net *in);
void ipsec_require_exit_net(struct ipsec_net *in);
int ipsec_require_init(void);
void ipsec_require_exit(void);

#endif /* _IPSEC_REQUIRE_H */
