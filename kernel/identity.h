/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_IDENTITY_H
#define _IPSEC_IDENTITY_H

#include <linux/ipsec_token.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>

struct ipsec_net;
struct ipsec_path_key;
struct netlink_ext_ack;
struct xfrm_state;

/**
 * struct ipsec_identity - who is behind an SA, as the keying agent told it
 * @refs: bindings and contexts
 * @rcu: frees it
 * @bindings: &ipsec_binding.list, RCU, guarded by &ipsec_net.lock
 * @itoken: equal for the same peer, proved the same way
 * @local_itoken: of this end, zero if not told
 * @lineage: SAs of the same lineage succeed each other; 0: by their properties
 * @method: enum ipsec_auth_method
 * @size: of @attributes
 * @attributes: all of it, as it came: a valid nest of enum ipsec_identity_attr
 */
struct ipsec_identity {
	refcount_t refs;
	struct rcu_head rcu;
	struct list_head bindings;
	u8 itoken[IPSEC_ITOKEN_SIZE];
	u8 local_itoken[IPSEC_ITOKEN_SIZE];
	u64 lineage;
	u8 method;
	u16 size;
	u8 attributes[] __aligned(4);
};

/**
 * struct ipsec_binding - an SA and the identity behind it
 * @node: in &ipsec_net.bindings
 * @list: in &ipsec_identity.bindings
 * @x: the SA, with a reference
 * @identity: with a reference
 * @gone: it was said that the SA is dead; under &ipsec_net.lock
 * @rcu: frees it
 */
struct ipsec_binding {
	struct rhash_head node;
	struct list_head list;
	struct xfrm_state *x;
	struct ipsec_identity *identity;
	bool gone;
	struct rcu_head rcu;
};

/* 0: none */
static inline u64 ipsec_identity_lineage(const struct ipsec_identity *identity)
{
	return identity ? identity->lineage : 0;
}

struct ipsec_identity *ipsec_identity_create(const void *attributes, size_t size);
struct ipsec_identity *ipsec_identity_get(struct ipsec_identity *identity);
void ipsec_identity_put(struct ipsec_identity *identity);
bool ipsec_identity_equal(const struct ipsec_identity *a, const struct ipsec_identity *b);
struct ipsec_identity *ipsec_identity_of_path(struct ipsec_net *in,
					      const struct ipsec_path_key *key);
int ipsec_identity_bind(struct ipsec_net *in, struct xfrm_state *const *x, unsigned int count,
			struct ipsec_identity *identity, struct netlink_ext_ack *extack);
int ipsec_identity_unbind(struct ipsec_net *in, struct xfrm_state *const *x,
			  unsigned int count, struct netlink_ext_ack *extack);
bool ipsec_identity_reap(struct ipsec_net *in);

int ipsec_identity_init_net(struct ipsec_net *in);
void ipsec_identity_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_IDENTITY_H */
