// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths: the SAs that a packet came under, or on a latched connection leaves
 * under, and the context that they mean.
 *
 * Looking for the path of a packet is what is done for every packet; for all
 * but the first one it is all that is done.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/xfrm.h>

#include "context.h"
#include "netns.h"
#include "path.h"

static u32 path_hash(struct xfrm_state *const *x, u8 nr, u32 seed)
{
	if (nr == 1)
		return hash_ptr(x[0], 32) ^ seed;
	return jhash(x, nr * sizeof(*x), seed);
}

static u32 path_key_hash(const void *data, u32 len, u32 seed)
{
	const struct ipsec_path_key *key = data;

	return path_hash(key->x, key->nr, seed);
}

static u32 path_obj_hash(const void *data, u32 len, u32 seed)
{
	const struct ipsec_path *path = data;

	return path_hash(path->x, path->nr, seed);
}

static int path_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct ipsec_path_key *key = arg->key;
	const struct ipsec_path *path = obj;
	u8 i;

	if (path->x[0] != key->x[0] || path->nr != key->nr ||
	    path->outbound != key->outbound || path->end_to_end != key->end_to_end)
		return 1;
	for (i = 1; i < key->nr; i++)
		if (path->x[i] != key->x[i])
			return 1;
	return 0;
}

static const struct rhashtable_params path_params = {
	.head_offset = offsetof(struct ipsec_path, node),
	.hashfn = path_key_hash,
	.obj_hashfn = path_obj_hash,
	.obj_cmpfn = path_cmp,
	.automatic_shrinking = true,
};

/**
 * ipsec_path_find - find a path that was seen before
 * @in: where
 * @key: the path
 *
 * Context: under RCU. The caller holds the SAs of the path.
 * Return: the path or NULL.
 */
struct ipsec_path *ipsec_path_find(struct ipsec_net *in, const struct ipsec_path_key *key)
{
	return rhashtable_lookup(&in->paths, key, path_params);
}

/**
 * ipsec_path_create - make a path
 * @key: the path
 *
 * Context: any. The caller holds the SAs of the path.
 * Return: the path, which leads nowhere yet, or NULL without memory.
 */
struct ipsec_path *ipsec_path_create(const struct ipsec_path_key *key)
{
	struct ipsec_path *path;
	u8 i;

	path = kmalloc(struct_size(path, x, key->nr), GFP_ATOMIC);
	if (!path)
		return NULL;

	path->removed = false;
	path->outbound = key->outbound;
	path->end_to_end = key->end_to_end;
	path->nr = key->nr;
	for (i = 0; i < key->nr; i++) {
		path->x[i] = key->x[i];
		xfrm_state_hold(path->x[i]);
	}
	return path;
}

/**
 * ipsec_path_free - free a path that was never inserted
 * @path: the path
 *
 * Context: any.
 */
void ipsec_path_free(struct ipsec_path *path)
{
	u8 i;

	for (i = 0; i < path->nr; i++)
		xfrm_state_put(path->x[i]);
	kfree(path);
}

/**
 * ipsec_path_valid - can packets still take this path
 * @path: found under RCU
 *
 * Return: whether they can. An answer of "no" is final.
 */
bool ipsec_path_valid(const struct ipsec_path *path)
{
	u8 i;

	for (i = 0; i < path->nr; i++)
		if (!ipsec_sa_valid(path->x[i]))
			return false;
	return true;
}

static void path_free_rcu(struct rcu_head *rcu)
{
	ipsec_path_free(container_of(rcu, struct ipsec_path, rcu));
}

/**
 * ipsec_path_insert - let a path lead to a context
 * @in: where
 * @path: from ipsec_path_create()
 * @context: where it leads
 *
 * Context: under &ipsec_net.lock.
 * Return: 0 or a negative errno.
 */
int ipsec_path_insert(struct ipsec_net *in, struct ipsec_path *path,
		      struct ipsec_context *context)
{
	int err;

	path->context = context;
	err = rhashtable_insert_fast(&in->paths, &path->node, path_params);
	if (err)
		return err;
	list_add_rcu(&path->list, &context->paths);
	if (path->nr == 1 && path->x[0]->props.mode == XFRM_MODE_TRANSPORT)
		WRITE_ONCE(context->newest[path->outbound], path->x[0]);
	in->bundle_count += path->nr > 1;
	return 0;
}

/**
 * ipsec_path_remove - take a path away; it is freed after a grace period
 * @in: where
 * @path: the path
 *
 * Context: under &ipsec_net.lock.
 */
void ipsec_path_remove(struct ipsec_net *in, struct ipsec_path *path)
{
	struct xfrm_state **newest = &path->context->newest[path->outbound];

	path->removed = true;
	if (path->nr == 1 && *newest == path->x[0])
		WRITE_ONCE(*newest, NULL);
	rhashtable_remove_fast(&in->paths, &path->node, path_params);
	list_del_rcu(&path->list);
	in->bundle_count -= path->nr > 1;
	ipsec_context_left(path->context);
	call_rcu(&path->rcu, path_free_rcu);
}

/**
 * ipsec_path_of_sa - call a function for all paths with an SA
 * @in: where
 * @x: the SA
 * @function: may remove the path
 *
 * Context: under &ipsec_net.lock and RCU.
 */
void ipsec_path_of_sa(struct ipsec_net *in, struct xfrm_state *x,
		      ipsec_path_function function)
{
	struct ipsec_path_key key = { .x = &x, .nr = 1 };
	struct ipsec_path *path, *next;
	struct ipsec_context *context;
	unsigned long id;
	unsigned int kind;
	u8 i;

	for (kind = 0; kind < 4; kind++) {
		key.outbound = kind & 1;
		key.end_to_end = kind & 2;
		path = ipsec_path_find(in, &key);
		if (path)
			function(in, path);
	}

	/* bundles are rare, and are not found by their second SA */
	if (!in->bundle_count)
		return;
	xa_for_each(&in->contexts, id, context) {
		list_for_each_entry_safe(path, next, &context->paths, list) {
			for (i = 0; path->nr > 1 && i < path->nr; i++) {
				if (path->x[i] == x) {
					function(in, path);
					break;
				}
			}
		}
	}
}

/**
 * ipsec_path_init_net - make ready for paths in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_path_init_net(struct ipsec_net *in)
{
	return rhashtable_init(&in->paths, &path_params);
}

static void path_free_at_exit(void *object, void *unused)
{
	ipsec_path_free(object);
}

/**
 * ipsec_path_exit_net - drop all paths of a namespace
 * @in: the namespace, dead, with nobody looking for its paths any more
 *
 * Context: process context, may sleep. Frees at once: the references on SAs
 * must not outlast the part of xfrm in the namespace.
 */
void ipsec_path_exit_net(struct ipsec_net *in)
{
	rhashtable_free_and_destroy(&in->paths, path_free_at_exit, NULL);
}
