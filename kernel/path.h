/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_PATH_H
#define _IPSEC_PATH_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable-types.h>

struct ipsec_context;
struct ipsec_net;
struct xfrm_state;

/**
 * struct ipsec_path - SAs that protected a packet, and the context they mean
 * @node: in &ipsec_net.paths
 * @list: in &ipsec_context.paths
 * @context: where it leads, for as long as the path is there
 * @rcu: frees it
 * @removed: no longer in either
 * @outbound: of what is sent
 * @end_to_end: as in the context
 * @nr: number of SAs
 * @x: the SAs, outermost first, each with a reference. Holding it is what
 *	makes a comparison of pointers mean identity.
 */
struct ipsec_path {
	struct rhash_head node;
	struct list_head list;
	struct ipsec_context *context;
	struct rcu_head rcu;
	bool removed;
	bool outbound;
	bool end_to_end;
	u8 nr;
	struct xfrm_state *x[];
};

/**
 * struct ipsec_path_key - a path to be looked for
 * @x: the SAs, outermost first, held by the caller
 * @nr: how many
 * @outbound: as in the path
 * @end_to_end: as in the path
 */
struct ipsec_path_key {
	struct xfrm_state *const *x;
	u8 nr;
	bool outbound;
	bool end_to_end;
};

struct ipsec_path *ipsec_path_find(struct ipsec_net *in, const struct ipsec_path_key *key);
struct ipsec_path *ipsec_path_create(const struct ipsec_path_key *key);
void ipsec_path_free(struct ipsec_path *path);
bool ipsec_path_valid(const struct ipsec_path *path);
int ipsec_path_insert(struct ipsec_net *in, struct ipsec_path *path,
		      struct ipsec_context *context);
void ipsec_path_remove(struct ipsec_net *in, struct ipsec_path *path);
typedef void (*ipsec_path_function)(struct ipsec_net *in, struct ipsec_path *path);
void ipsec_path_of_sa(struct ipsec_net *in, struct xfrm_state *x,
		      ipsec_path_function function);

int ipsec_path_init_net(struct ipsec_net *in);
void ipsec_path_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_PATH_H */
