// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protection contexts: "this peer, protected this way".
 *
 * A packet leads to its context by its path, the very SAs that decapsulated
 * it. A path that was not seen before is described; a context with the same
 * description takes it in, which is how rekeying keeps the context, or else a
 * new one is made. Nothing is kept for SAs under which nobody received.
 *
 * A context is held by paths whose SAs are alive and by sockets. What nothing
 * holds is removed by the reaper after the linger time, and by nobody else, so
 * that a context found under RCU and then held under the lock can't vanish in
 * between unseen.
 */
#include <linux/ipsec_token.h>
#include <linux/jhash.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <net/xfrm.h>

#include "algorithm.h"
#include "context.h"
#include "netlink.h"
#include "netns.h"

/*
 * A peer with many SAs can wrap a packet in any succession of them, each a
 * path of its own, and can negotiate ever other SAs.
 */
static unsigned int max_bundles = 16384;
module_param(max_bundles, uint, 0644);
MODULE_PARM_DESC(max_bundles,
		 "Most paths of more than one SA per network namespace");

static unsigned int max_contexts = 262144;
module_param(max_contexts, uint, 0644);
MODULE_PARM_DESC(max_contexts, "Most protection contexts per network namespace");

/* After an SA is said to be dead: others usually follow at once. */
#define REAP_SOON	HZ
/* Some SAs die in silence. */
#define REAP_IDLE	(30 * HZ)

/* Whether an SA of @a may be taken for one of @b, under the present list. */
static bool sa_equal(const struct ipsec_sa *a, const struct ipsec_sa *b, u64 trusted)
{
	return !memcmp(&a->key, &b->key, sizeof(a->key)) &&
	       ipsec_sa_privacy(a, trusted) == ipsec_sa_privacy(b, trusted) &&
	       ipsec_sa_integrity(a, trusted) == ipsec_sa_integrity(b, trusted);
}

struct context_key {
	const struct ipsec_context *like;
	u64 trusted;
};

static u32 context_hash(const struct ipsec_context *context, u32 seed)
{
	u32 hash = seed;
	u8 i;

	for (i = 0; i < context->nr; i++)
		hash = jhash2((const u32 *)&context->sa[i].key,
			      sizeof(context->sa[i].key) / sizeof(u32), hash);
	return hash;
}

static u32 context_key_hash(const void *data, u32 len, u32 seed)
{
	const struct context_key *key = data;

	return context_hash(key->like, seed);
}

static u32 context_obj_hash(const void *data, u32 len, u32 seed)
{
	return context_hash(data, seed);
}

static int context_cmp(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct context_key *key = arg->key;
	const struct ipsec_context *a = key->like, *b = obj;
	u8 i;

	if (a->nr != b->nr || a->end_to_end != b->end_to_end || a->tunnel != b->tunnel)
		return 1;
	for (i = 0; i < a->nr; i++)
		if (!sa_equal(&a->sa[i], &b->sa[i], key->trusted))
			return 1;
	return 0;
}

static const struct rhashtable_params context_params = {
	.head_offset = offsetof(struct ipsec_context, by_key),
	.hashfn = context_key_hash,
	.obj_hashfn = context_obj_hash,
	.obj_cmpfn = context_cmp,
	.automatic_shrinking = true,
};

static u32 path_hash(struct xfrm_state *const *x, u8 nr, u32 seed)
{
	/* the low bits of a pointer to a slab object tell nothing */
	if (nr == 1)
		return (u32)((unsigned long)x[0] >> L1_CACHE_SHIFT) ^ seed;
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
	    path->end_to_end != key->end_to_end)
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
 * ipsec_context_by_id - find a context by its id
 * @in: where
 * @id: the id
 *
 * Context: under RCU.
 * Return: the context, or NULL when there is none or no longer.
 */
struct ipsec_context *ipsec_context_by_id(struct ipsec_net *in, unsigned long id)
{
	return xa_load(&in->contexts, id);
}

/**
 * ipsec_context_by_path - find the context that a path leads to
 * @in: where
 * @key: the path
 *
 * Context: under RCU. The caller holds the SAs of the path.
 * Return: the context, or NULL for a path not seen before.
 */
struct ipsec_context *ipsec_context_by_path(struct ipsec_net *in,
					    const struct ipsec_path_key *key)
{
	struct ipsec_path *path = rhashtable_lookup(&in->paths, key, path_params);

	return path ? path->context : NULL;
}

/* IPComp and the tunnel it comes with are no protection, unless all there is. */
static bool is_part(const struct xfrm_state *x, bool protected)
{
	switch (x->id.proto) {
	case IPPROTO_ESP:
	case IPPROTO_AH:
		return true;
	case IPPROTO_COMP:
		return !protected;
	default:
		return false;
	}
}

static struct ipsec_context *context_alloc(const struct ipsec_path_key *key)
{
	struct ipsec_context *context;
	bool protected = false;
	u8 i;

	for (i = 0; i < key->nr; i++)
		protected |= is_part(key->x[i], true);

	context = kzalloc(struct_size(context, sa, key->nr), GFP_ATOMIC);
	if (!context)
		return NULL;

	INIT_LIST_HEAD(&context->paths);
	context->end_to_end = key->end_to_end;
	context->established = ktime_get_real_seconds();
	for (i = 0; i < key->nr; i++) {
		const struct xfrm_state *x = key->x[i];

		if (x->props.mode != XFRM_MODE_TRANSPORT)
			context->tunnel = true;
		if (x->id.proto == IPPROTO_COMP)
			context->compression = true;
		if (is_part(x, protected))
			ipsec_sa_describe(&context->sa[context->nr++], x,
					  IPSEC_DIRECTION_IN);
	}
	return context;
}

static struct ipsec_path *path_alloc(const struct ipsec_path_key *key)
{
	struct ipsec_path *path;
	u8 i;

	path = kmalloc(struct_size(path, x, key->nr), GFP_ATOMIC);
	if (!path)
		return NULL;

	path->end_to_end = key->end_to_end;
	path->nr = key->nr;
	for (i = 0; i < key->nr; i++) {
		path->x[i] = key->x[i];
		xfrm_state_hold(path->x[i]);
	}
	return path;
}

static void path_free(struct ipsec_path *path)
{
	u8 i;

	for (i = 0; i < path->nr; i++)
		xfrm_state_put(path->x[i]);
	kfree(path);
}

static void path_free_rcu(struct rcu_head *rcu)
{
	path_free(container_of(rcu, struct ipsec_path, rcu));
}

/* The SAs of @latest follow those that @context was last seen under. */
static void context_succeed(struct ipsec_context *context,
			    const struct ipsec_context *latest)
{
	u8 i;

	for (i = 0; i < context->nr; i++) {
		context->sa[i].used |= latest->sa[i].used;
		context->sa[i].seen = latest->sa[i].seen;
	}
}

static int context_insert(struct ipsec_net *in, struct ipsec_context *context)
{
	int err;

	context->id = in->next_id;
	err = xa_err(xa_store(&in->contexts, context->id, context, GFP_ATOMIC));
	if (err)
		return err;
	err = rhashtable_insert_fast(&in->context_keys, &context->by_key,
				     context_params);
	if (err) {
		xa_erase(&in->contexts, context->id);
		return err;
	}
	in->next_id++;
	WRITE_ONCE(in->context_count, in->context_count + 1);
	ipsec_count(in, IPSEC_COUNT_CONTEXTS_CREATED);
	return 0;
}

static void context_remove(struct ipsec_net *in, struct ipsec_context *context)
{
	context->gone = true;
	rhashtable_remove_fast(&in->context_keys, &context->by_key, context_params);
	xa_erase(&in->contexts, context->id);
	WRITE_ONCE(in->context_count, in->context_count - 1);
	ipsec_count(in, IPSEC_COUNT_CONTEXTS_GONE);
}

static bool context_held(const struct ipsec_context *context)
{
	return context->users || !list_empty(&context->paths);
}

/* A path or socket left: what now holds it not has its linger time from here. */
static void context_left(struct ipsec_context *context)
{
	if (!context_held(context))
		context->idle_since = jiffies;
}

/**
 * ipsec_context_add_path - find or make the context for a path not seen before
 * @in: where
 * @key: the path, of at least one AH, ESP or IPComp SA
 *
 * Context: any but hard interrupts, under RCU. The caller holds the SAs.
 * Return: the context; ERR_PTR(-ENODATA), which is counted by its cause, when
 * there is no room for it or no memory.
 */
struct ipsec_context *ipsec_context_add_path(struct ipsec_net *in,
					     const struct ipsec_path_key *key)
{
	enum ipsec_counter cause = IPSEC_COUNT_UNKNOWN_MEMORY;
	struct ipsec_context *context, *fresh;
	enum ipsec_cmd event = IPSEC_CMD_UNSPEC;
	struct context_key like;
	struct ipsec_path *path;

	fresh = context_alloc(key);
	path = path_alloc(key);
	if (!fresh || !path)
		goto unknown;

	spin_lock_bh(&in->lock);
	context = ipsec_context_by_path(in, key);
	if (context)	/* another CPU was faster */
		goto out_unlock;

	cause = IPSEC_COUNT_UNKNOWN_LIMIT;
	if (in->dead || (key->nr > 1 && in->bundle_count >= max_bundles))
		goto unknown_unlock;

	like.like = fresh;
	like.trusted = in->trusted;
	context = rhashtable_lookup(&in->context_keys, &like, context_params);
	if (!context && in->context_count >= max_contexts)
		goto unknown_unlock;

	cause = IPSEC_COUNT_UNKNOWN_MEMORY;
	if (context) {
		context_succeed(context, fresh);
		event = IPSEC_CMD_CONTEXT_CHANGE_NTF;
	} else {
		if (context_insert(in, fresh))
			goto unknown_unlock;
		context = fresh;
		fresh = NULL;
		event = IPSEC_CMD_CONTEXT_NEW_NTF;
	}

	path->context = context;
	if (rhashtable_insert_fast(&in->paths, &path->node, path_params)) {
		context_left(context);
		goto unknown_unlock;
	}
	list_add_rcu(&path->list, &context->paths);
	in->bundle_count += path->nr > 1;
	path = NULL;
	schedule_delayed_work(&in->reap, REAP_IDLE);

out_unlock:
	spin_unlock_bh(&in->lock);
	if (event != IPSEC_CMD_UNSPEC)
		ipsec_netlink_context(in, context, event);
	if (path)
		path_free(path);
	kfree(fresh);
	return context;

unknown_unlock:
	spin_unlock_bh(&in->lock);
unknown:
	if (path)
		path_free(path);
	kfree(fresh);
	ipsec_count(in, cause);
	return ERR_PTR(-ENODATA);
}

/**
 * ipsec_context_hold - a socket takes hold of a context
 * @in: where
 * @context: found under RCU, which still goes on
 *
 * Context: any but hard interrupts.
 * Return: whether it is held; if not, it is gone.
 */
bool ipsec_context_hold(struct ipsec_net *in, struct ipsec_context *context)
{
	bool held;

	spin_lock_bh(&in->lock);
	held = !context->gone;
	if (held)
		context->users++;
	spin_unlock_bh(&in->lock);
	return held;
}

/**
 * ipsec_context_release - a socket lets go of a context
 * @in: where
 * @context: held by ipsec_context_hold()
 *
 * Context: any but hard interrupts.
 */
void ipsec_context_release(struct ipsec_net *in, struct ipsec_context *context)
{
	spin_lock_bh(&in->lock);
	context->users--;
	context_left(context);
	spin_unlock_bh(&in->lock);
}

static bool path_compresses(const struct ipsec_path *path)
{
	u8 i;

	for (i = 0; i < path->nr; i++)
		if (path->x[i]->id.proto == IPPROTO_COMP && ipsec_sa_valid(path->x[i]))
			return true;
	return false;
}

/*
 * A peer that may compress is one with which an IPComp SA exists. While no SA
 * is left at all, the last answer stands.
 */
static bool context_compression(struct ipsec_net *in, struct ipsec_context *context)
{
	bool compression = false;
	struct ipsec_path *path;
	struct xfrm_state *x;
	u8 i;

	if (list_empty(&context->paths))
		return READ_ONCE(context->compression);
	list_for_each_entry_rcu(path, &context->paths, list)
		compression |= path_compresses(path);
	for (i = 0; i < context->nr && !compression; i++) {
		x = ipsec_sa_find_ipcomp(in->net, &context->sa[i].key,
					 IPSEC_DIRECTION_IN);
		if (x) {
			compression = true;
			xfrm_state_put(x);
		}
	}
	WRITE_ONCE(context->compression, compression);
	return compression;
}

/**
 * ipsec_context_protection - what a context means by the present list
 * @in: where
 * @context: found under RCU
 * @protection: the answer
 *
 * Context: process or softirq context; takes xfrm_state_lock and &ipsec_net.lock.
 */
void ipsec_context_protection(struct ipsec_net *in, struct ipsec_context *context,
			      struct ipsec_protection *protection)
{
	u8 i;

	memset(protection, 0, sizeof(*protection));
	protection->compression = context_compression(in, context);

	spin_lock_bh(&in->lock);
	for (i = 0; i < context->nr; i++) {
		protection->privacy |= ipsec_sa_privacy(&context->sa[i], in->trusted);
		protection->integrity |= ipsec_sa_integrity(&context->sa[i], in->trusted);
	}
	spin_unlock_bh(&in->lock);
}

/**
 * ipsec_context_reap_soon - look for dead SAs before long
 * @in: where
 *
 * Context: any.
 */
void ipsec_context_reap_soon(struct ipsec_net *in)
{
	/* not put off by the next event: there may be many in a row */
	if (READ_ONCE(in->context_count) && !READ_ONCE(in->dead) &&
	    !xchg(&in->reaping, true))
		mod_delayed_work(system_wq, &in->reap, REAP_SOON);
}

static bool path_valid(const struct ipsec_path *path)
{
	u8 i;

	for (i = 0; i < path->nr; i++)
		if (!ipsec_sa_valid(path->x[i]))
			return false;
	return true;
}

static void reap_path(struct ipsec_net *in, struct ipsec_path *path)
{
	struct ipsec_context *context = path->context;

	spin_lock_bh(&in->lock);
	rhashtable_remove_fast(&in->paths, &path->node, path_params);
	list_del_rcu(&path->list);
	in->bundle_count -= path->nr > 1;
	context_left(context);
	spin_unlock_bh(&in->lock);

	ipsec_netlink_context(in, context, IPSEC_CMD_CONTEXT_CHANGE_NTF);
	call_rcu(&path->rcu, path_free_rcu);
}

static void reap_paths(struct ipsec_net *in)
{
	struct rhashtable_iter iter;
	struct ipsec_path *path;

	rhashtable_walk_enter(&in->paths, &iter);
	do {
		rhashtable_walk_start(&iter);
		while ((path = rhashtable_walk_next(&iter)) && !IS_ERR(path)) {
			if (!path_valid(path))
				reap_path(in, path);
			if (need_resched())
				break;
		}
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (path);
	rhashtable_walk_exit(&iter);
}

/* An SA that took over may not have carried anything yet. */
static bool context_succeeded(struct ipsec_net *in, struct ipsec_context *context)
{
	struct xfrm_state *x;
	u8 i;

	for (i = 0; i < context->nr; i++) {
		x = ipsec_sa_find(in->net, &context->sa[i].key, IPSEC_DIRECTION_IN);
		if (!x)
			return false;
		xfrm_state_put(x);
	}
	return true;
}

/* Return: in how many jiffies to look at it again, 0 if something holds it. */
static unsigned long reap_context(struct ipsec_net *in, struct ipsec_context *context)
{
	unsigned long end = READ_ONCE(context->idle_since) + READ_ONCE(in->linger) * HZ;
	bool removed = false;

	if (context_held(context))
		return 0;
	if (time_before(jiffies, end))
		return end - jiffies;
	if (context_succeeded(in, context)) {
		WRITE_ONCE(context->idle_since, jiffies);
		return REAP_IDLE;
	}

	spin_lock_bh(&in->lock);
	if (!context_held(context)) {
		context_remove(in, context);
		removed = true;
	}
	spin_unlock_bh(&in->lock);

	if (removed) {
		ipsec_netlink_context_gone(in, context->id);
		kfree_rcu(context, rcu);
	}
	return 0;
}

static unsigned long reap_contexts(struct ipsec_net *in)
{
	unsigned long id, wait, next = REAP_IDLE;
	struct ipsec_context *context;

	rcu_read_lock();
	xa_for_each(&in->contexts, id, context) {
		wait = reap_context(in, context);
		if (wait)
			next = min(next, wait);
		cond_resched_rcu();
	}
	rcu_read_unlock();
	return max_t(unsigned long, next, REAP_SOON);
}

static void context_reap(struct work_struct *work)
{
	struct ipsec_net *in = container_of(to_delayed_work(work), struct ipsec_net, reap);
	unsigned long next;

	xchg(&in->reaping, false);
	reap_paths(in);
	next = reap_contexts(in);
	if (READ_ONCE(in->context_count) && !READ_ONCE(in->dead))
		schedule_delayed_work(&in->reap, next);
}

/**
 * ipsec_context_init_net - make ready for contexts in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_context_init_net(struct ipsec_net *in)
{
	int err;

	spin_lock_init(&in->lock);
	xa_init(&in->contexts);
	in->next_id = 1;
	in->linger = IPSEC_LINGER_DEFAULT;
	in->trusted = ipsec_algorithm_defaults();
	INIT_DELAYED_WORK(&in->reap, context_reap);

	err = rhashtable_init(&in->context_keys, &context_params);
	if (err)
		return err;
	err = rhashtable_init(&in->paths, &path_params);
	if (err)
		rhashtable_destroy(&in->context_keys);
	return err;
}

static void path_free_at_exit(void *object, void *unused)
{
	path_free(object);
}

/**
 * ipsec_context_exit_net - drop all contexts of a namespace
 * @in: the namespace, dead, with nobody looking for its contexts any more
 *
 * Context: process context, may sleep. Frees at once: the references on SAs
 * must not outlast the part of xfrm in the namespace.
 */
void ipsec_context_exit_net(struct ipsec_net *in)
{
	struct ipsec_context *context;
	unsigned long id;

	cancel_delayed_work_sync(&in->reap);
	rhashtable_free_and_destroy(&in->paths, path_free_at_exit, NULL);
	rhashtable_destroy(&in->context_keys);
	xa_for_each(&in->contexts, id, context)
		kfree(context);
	xa_destroy(&in->contexts);
}
