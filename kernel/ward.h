/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_WARD_H
#define _IPSEC_WARD_H

#include <linux/ipsec_token.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct ipsec_context;
struct ipsec_identity;
struct ipsec_net;
struct ipsec_request;
struct sock;

/**
 * struct ipsec_met - what has met all requests of a socket
 * @id: of the context, 0: none
 * @identity: of the context
 * @trusted: set of trusted algorithms
 * @requests: &ipsec_ward.requests
 *
 * Written without a lock: each field stands for something that did, so whatever
 * two writers leave behind is true.
 */
struct ipsec_met {
	unsigned long id;
	const struct ipsec_identity *identity;
	u64 trusted;
	u32 requests;
};

/**
 * struct ipsec_ward - a socket of which something is required
 * @node: in &ipsec_net.wards
 * @sk: the socket, which outlives this
 * @destruct: its own destructor
 * @request: what is required of it, RCU, or NULL; written under the socket's lock
 * @accepted: it comes from a listener, and @request with it
 * @requests: counts changes of what is required
 * @met: of what is received and sent
 * @refused_in: packets that did not arrive
 * @refused_out: packets that did not leave
 * @reason: enum ipsec_request_reason, of the last refusal
 * @lock: guards @reason where it is written, @text and @failed
 * @gone: the socket is about to be freed; written under both locks
 * @failed: the last attempt to connect, or to negotiate, has failed
 * @text: the keying agent's words, or NULL
 * @due_reason: why its attempt to connect is to fail, or 0; under
 *	&ipsec_net.ward_lock, as all that follows
 * @retry: what it wanted is there
 * @deadline: jiffies when its attempt to connect fails
 * @list: in &ipsec_net.wards_opening or &ipsec_net.wards_due
 * @negotiations: &ipsec_negotiation.list
 * @nr_negotiations: how many
 * @rcu: frees it
 */
struct ipsec_ward {
	struct rhash_head node;
	struct sock *sk;
	void (*destruct)(struct sock *sk);
	struct ipsec_request __rcu *request;
	bool accepted;
	u32 requests;
	struct ipsec_met met[2];
	u32 refused_in;
	u32 refused_out;
	u8 reason;
	spinlock_t lock;	/* see above */
	bool gone;
	bool failed;
	char *text;
	u8 due_reason;
	bool retry;
	unsigned long deadline;
	struct list_head list;
	struct list_head negotiations;
	unsigned int nr_negotiations;
	struct rcu_head rcu;
};

DECLARE_STATIC_KEY_FALSE(ipsec_ward_key);

/* Guards sk_destruct of sockets where this module changes it. */
extern spinlock_t ipsec_destruct_lock;

/* Has any socket ever been asked anything of? */
static inline bool ipsec_wards_any(void)
{
	return static_branch_unlikely(&ipsec_ward_key);
}

void ipsec_ward_destruct(struct sock *sk);
bool ipsec_ward_possible(const struct sock *sk);
struct ipsec_ward *ipsec_ward_find(struct ipsec_net *in, const struct sock *sk);
struct ipsec_ward *ipsec_ward_attach(struct ipsec_net *in, struct sock *sk, gfp_t gfp);
void ipsec_ward_step(struct ipsec_net *in, struct sock *sk, int old, int new);
void ipsec_ward_fail(struct ipsec_net *in, struct ipsec_ward *ward, u8 reason);
void ipsec_ward_retry(struct ipsec_net *in, struct ipsec_ward *ward);
void ipsec_ward_say(struct ipsec_ward *ward, u8 reason, char *text);
u8 ipsec_ward_judge(struct ipsec_net *in, struct ipsec_ward *ward,
		    struct ipsec_context *context, enum ipsec_direction direction,
		    bool loopback, struct ipsec_request **unmet);

int ipsec_ward_set_request(struct sock *sk, struct ipsec_request *request);
struct ipsec_request *ipsec_ward_get_request(struct sock *sk);
void ipsec_ward_status(struct sock *sk, struct ipsec_request_status *status);

int ipsec_ward_init_net(struct ipsec_net *in);
void ipsec_ward_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_WARD_H */
