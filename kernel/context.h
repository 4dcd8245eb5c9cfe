/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_CONTEXT_H
#define _IPSEC_CONTEXT_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>
#include <net/xfrm.h>

#include "sa.h"

struct ipsec_identity;
struct ipsec_net;
struct ipsec_path;
struct ipsec_path_key;
struct xfrm_state;

/**
 * struct ipsec_context - a protection context: this peer, protected this way
 * @id: never used twice in its namespace
 * @by_key: in &ipsec_net.context_keys
 * @paths: &ipsec_path.list, RCU
 * @users: sockets that hold the context
 * @idle_since: jiffies since when neither path nor socket holds it; valid
 *	while both are missing
 * @established: seconds since the epoch
 * @identity: part of the key: who is behind it, RCU, with a reference; NULL:
 *	nobody has said so far
 * @solitary: not found by key: other SAs may be somebody else's
 * @received: a path of what is received has led here
 * @sent: one of what is sent has
 * @several: more than one path of the same direction has
 * @newest: of the paths that are one SA in transport mode the newest one's SA, in
 *	and out, or NULL. It holds that SA, so under RCU who has a packet that
 *	came under an SA of the same address has one that came under this.
 * @gone: no longer to be found, about to be freed
 * @compression: IPComp was part of it when it was last described
 * @end_to_end: part of the key: the protected addresses are those of the
 *	traffic itself
 * @tunnel: part of the key: an SA is in tunnel or BEET mode
 * @nr: part of the key: number of SAs that make up the protection
 * @rcu: frees it
 * @sa: the SAs, outermost first: what they must be, and how they were last seen
 *
 * Found under RCU by id, by key or through a path. Guarded by &ipsec_net.lock
 * but for what never changes.
 */
struct ipsec_context {
	unsigned long id;
	struct rhash_head by_key;
	struct list_head paths;
	unsigned int users;
	unsigned long idle_since;
	time64_t established;
	struct ipsec_identity *identity;
	bool solitary;
	bool received;
	bool sent;
	bool several;
	bool gone;
	bool compression;
	bool end_to_end;
	bool tunnel;
	u8 nr;
	struct xfrm_state *newest[2];
	struct rcu_head rcu;
	struct ipsec_sa sa[];
};

/* The SAs of a context at most: what a secpath has room for. */
#define IPSEC_CONTEXT_MAX_SAS	XFRM_MAX_DEPTH

/* What a context means under the present list of untrusted algorithms. */
struct ipsec_protection {
	bool privacy;
	bool integrity;
};

/* Default of &ipsec_net.linger, in seconds. */
#define IPSEC_LINGER_DEFAULT	300

struct ipsec_context *ipsec_context_by_id(struct ipsec_net *in, unsigned long id);
struct ipsec_context *ipsec_context_add_path(struct ipsec_net *in,
					     const struct ipsec_path_key *key);
bool ipsec_context_hold(struct ipsec_net *in, struct ipsec_context *context);
void ipsec_context_release(struct ipsec_net *in, struct ipsec_context *context);
void ipsec_context_left(struct ipsec_context *context);
void ipsec_context_protection(struct ipsec_net *in, struct ipsec_context *context,
			      struct ipsec_protection *protection);
struct ipsec_protection ipsec_context_protects(const struct ipsec_context *context,
					       u64 trusted);
u8 ipsec_context_sas(struct ipsec_net *in, const struct ipsec_context *context,
		     struct ipsec_sa *sas);
void ipsec_context_identify(struct ipsec_net *in, struct xfrm_state *x);
void ipsec_context_forget(struct ipsec_net *in, struct xfrm_state *x);
bool ipsec_context_reap_path(struct ipsec_net *in, struct ipsec_path *path);
bool ipsec_context_reap(struct ipsec_net *in, struct ipsec_context *context);

int ipsec_context_init_net(struct ipsec_net *in);
void ipsec_context_exit_net(struct ipsec_net *in);
#endif /* _IPSEC_CONTEXT_H */
