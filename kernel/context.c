// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protection contexts: "this peer, protected this way".
 *
 * A packet leads to its context by its path, the very SAs that decapsulated
 * it. A path that was not seen before is described; a context with the same
 * description takes it in, which is how rekeying keeps the context, or else a
 * new one is made. Nothing is kept for SAs under which nobody received.
 *
 * Once an agent speaks in a namespace, only what it says to be of the same
 * identity shares a context (see identity.c).
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
#include "event.h"
#include "identity.h"
#include "netns.h"
#include "path.h"
#include "reaper.h"

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

/* Whether SA @a may be taken for @b, under the present list of algorithms. */
static bool sa_equal(const struct ipsec_sa *a, const struct ipsec_sa *b, u64 trusted,
		     bool lineage)
{
	if (!lineage && memcmp(&a->key, &b->key, sizeof(a->key)))
		return false;
	if (a->key.proto != b->key.proto || a->key.mode != b->key.mode ||
	    a->key.encrypts != b->key.encrypts ||
	    a->key.authenticates != b->key.authenticates)
		return false;
	return ipsec_sa_as_good(a, b, trusted);
}

struct context_key {
	const struct ipsec_context *like;
	u64 trusted;
};

static u32 context_hash(const struct ipsec_context *context, u32 seed)
{
	u64 lineage = ipsec_identity_lineage(context->identity);
	u32 hash = seed;
	u8 i;

	if (lineage)
		return jhash(&lineage, sizeof(lineage), seed);
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

	if (a->nr != b->nr || a->end_to_end != b->end_to_end || a->tunnel != b->tunnel ||
	    !ipsec_identity_equal(a->identity, b->identity))
		return 1;
	for (i = 0; i < a->nr; i++)
		if (!sa_equal(&a->sa[i], &b->sa[i], key->trusted,
			      ipsec_identity_lineage(a->identity)))
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
			ipsec_sa_describe(&context->sa[context->nr++], x, key->outbound ?
					  IPSEC_DIRECTION_OUT : IPSEC_DIRECTION_IN);
	}
	return context;
}

static struct ipsec_context *context_find(struct ipsec_net *in,
					  const struct ipsec_context *like)
{
	struct context_key key = { .like = like, .trusted = in->trusted };

	return rhashtable_lookup(&in->context_keys, &key, context_params);
}

/* One that is known stays known. */
static void context_set_identity(struct ipsec_context *context,
				 struct ipsec_identity *identity)
{
	struct ipsec_identity *old = context->identity;

	if (identity == old)
		return;
	WRITE_ONCE(context->identity, ipsec_identity_get(identity));
	ipsec_identity_put(old);	/* readers have a grace period */
}

/* The SAs of @latest follow those that @context was last seen under. */
static void context_succeed(struct ipsec_context *context,
			    const struct ipsec_context *latest)
{
	u8 i;

	for (i = 0; i < context->nr; i++) {
		/* of the same lineage, it may have moved */
		context->sa[i].key = latest->sa[i].key;
		context->sa[i].used |= latest->sa[i].used;
		context->sa[i].seen = latest->sa[i].seen;
	}
	context_set_identity(context, latest->identity);
}

static int context_insert(struct ipsec_net *in, struct ipsec_context *context)
{
	int err;

	context->id = in->next_id;
	err = xa_err(xa_store(&in->contexts, context->id, context, GFP_ATOMIC));
	if (err)
		return err;
	if (!context->solitary)
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

static void context_make_solitary(struct ipsec_net *in, struct ipsec_context *context)
{
	if (!context->solitary)
		rhashtable_remove_fast(&in->context_keys, &context->by_key, context_params);
	context->solitary = true;
}

static void context_remove(struct ipsec_net *in, struct ipsec_context *context)
{
	context->gone = true;
	context_make_solitary(in, context);
	xa_erase(&in->contexts, context->id);
	WRITE_ONCE(in->context_count, in->context_count - 1);
	ipsec_count(in, IPSEC_COUNT_CONTEXTS_GONE);
}

static void context_free(struct ipsec_context *context)
{
	if (context)
		ipsec_identity_put(context->identity);
	kfree(context);
}

static void context_free_rcu(struct rcu_head *rcu)
{
	context_free(container_of(rcu, struct ipsec_context, rcu));
}

static bool context_held(const struct ipsec_context *context)
{
	return context->users || !list_empty(&context->paths);
}

/**
 * ipsec_context_left - a path or a socket does not hold a context any more
 * @context: which, if nothing else holds it, has its linger time from here
 *
 * Context: under &ipsec_net.lock.
 */
void ipsec_context_left(struct ipsec_context *context)
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
	struct ipsec_context *context = NULL, *fresh;
	enum ipsec_cmd event = IPSEC_CMD_UNSPEC;
	struct ipsec_path *path, *old;

	fresh = context_alloc(key);
	path = ipsec_path_create(key);
	if (!fresh || !path)
		goto unknown;

	spin_lock_bh(&in->lock);
	old = ipsec_path_find(in, key);
	if (old) {	/* another CPU was faster */
		context = old->context;
		goto out_unlock;
	}

	cause = IPSEC_COUNT_UNKNOWN_LIMIT;
	if (in->dead || (key->nr > 1 && in->bundle_count >= max_bundles))
		goto unknown_unlock;

	context_set_identity(fresh, ipsec_identity_of_path(in, key));
	/* where agents speak, one that has no identity yet is kept apart */
	fresh->solitary = in->identified && !fresh->identity;
	if (!fresh->solitary)
		context = context_find(in, fresh);
	if (!context && in->context_count >= max_contexts)
		goto unknown_unlock;

	cause = IPSEC_COUNT_UNKNOWN_MEMORY;
	if (context) {
		/* attributes speak of what is received */
		if (!key->outbound)
			context_succeed(context, fresh);
		event = IPSEC_CMD_CONTEXT_CHANGE_NTF;
	} else {
		if (context_insert(in, fresh))
			goto unknown_unlock;
		context = fresh;
		fresh = NULL;
		event = IPSEC_CMD_CONTEXT_NEW_NTF;
	}

	if (ipsec_path_insert(in, path, context)) {
		ipsec_context_left(context);
		goto unknown_unlock;
	}
	path = NULL;
	context->several |= key->outbound ? context->sent : context->received;
	context->sent |= key->outbound;
	context->received |= !key->outbound;
	schedule_delayed_work(&in->reap, IPSEC_REAP_IDLE);

out_unlock:
	spin_unlock_bh(&in->lock);
	if (event != IPSEC_CMD_UNSPEC)
		ipsec_event_context(in, context, event);
	if (path)
		ipsec_path_free(path);
	context_free(fresh);
	return context;

unknown_unlock:
	spin_unlock_bh(&in->lock);
unknown:
	if (path)
		ipsec_path_free(path);
	context_free(fresh);
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
	ipsec_context_left(context);
	spin_unlock_bh(&in->lock);
}

/**
 * ipsec_context_protects - what the SAs of a context together protect, at least
 * @context: the context
 * @trusted: set of trusted algorithms
 *
 * Context: under &ipsec_net.lock.
 * Return: the answer.
 */
struct ipsec_protection ipsec_context_protects(const struct ipsec_context *context,
					       u64 trusted)
{
	struct ipsec_protection protection = {};
	u8 i;

	for (i = 0; i < context->nr; i++) {
		protection.privacy |= ipsec_sa_privacy(&context->sa[i], trusted);
		protection.integrity |= ipsec_sa_integrity(&context->sa[i], trusted);
	}
	return protection;
}

/**
 * ipsec_context_protection - what a context means by the present list
 * @in: where
 * @context: found under RCU
 * @protection: the answer
 *
 * Context: any but hard interrupts.
 */
void ipsec_context_protection(struct ipsec_net *in, struct ipsec_context *context,
			      struct ipsec_protection *protection)
{
	spin_lock_bh(&in->lock);
	*protection = ipsec_context_protects(context, in->trusted);
	spin_unlock_bh(&in->lock);
}

static struct ipsec_identity *path_identity(struct ipsec_net *in, const struct ipsec_path *path)
{
	struct ipsec_path_key key = { .x = path->x, .nr = path->nr };

	return ipsec_identity_of_path(in, &key);
}

/* Its SAs one way have an identity; what goes the other way must have it too. */
static void context_identified(struct ipsec_net *in, struct ipsec_context *context)
{
	struct ipsec_path *path, *next;

	list_for_each_entry_safe(path, next, &context->paths, list)
		if (!ipsec_identity_equal(path_identity(in, path), context->identity))
			ipsec_path_remove(in, path);
}

static void path_identify(struct ipsec_net *in, struct ipsec_path *path)
{
	struct ipsec_context *context = path->context;
	struct ipsec_identity *identity;

	identity = path_identity(in, path);
	if (!identity)
		return;
	if (ipsec_identity_equal(context->identity, identity)) {
		context_set_identity(context, identity);
		return;
	}

	/* All that ever came under this context came under this path. */
	if (!context->identity && !context->several) {
		context_make_solitary(in, context);
		context_set_identity(context, identity);
		context_identified(in, context);
		if (!context_find(in, context) &&
		    !rhashtable_insert_fast(&in->context_keys, &context->by_key,
					    context_params)) {
			context->solitary = false;
			return;
		}
	}
	/* The next packet takes a new path, to the context that it belongs to. */
	if (!path->removed)
		ipsec_path_remove(in, path);
}

/**
 * ipsec_context_identify - the identity behind an SA has become known
 * @in: where
 * @x: the SA
 *
 * Context: any but hard interrupts; under RCU and &ipsec_net.lock.
 */
void ipsec_context_identify(struct ipsec_net *in, struct xfrm_state *x)
{
	ipsec_path_of_sa(in, x, path_identify);
}

/**
 * ipsec_context_forget - what comes under an SA now may belong elsewhere
 * @in: where
 * @x: the SA
 *
 * Context: any but hard interrupts; under RCU and &ipsec_net.lock.
 */
void ipsec_context_forget(struct ipsec_net *in, struct xfrm_state *x)
{
	ipsec_path_of_sa(in, x, ipsec_path_remove);
}

/**
 * ipsec_context_sas - what the SAs of a context must be, and how they were
 * @in: where
 * @context: found under RCU
 * @sas: room for IPSEC_CONTEXT_MAX_SAS
 *
 * Context: any but hard interrupts.
 * Return: how many.
 */
u8 ipsec_context_sas(struct ipsec_net *in, const struct ipsec_context *context,
		     struct ipsec_sa *sas)
{
	u8 i;

	spin_lock_bh(&in->lock);
	for (i = 0; i < context->nr; i++)
		sas[i] = context->sa[i];
	spin_unlock_bh(&in->lock);
	return context->nr;
}

/**
 * ipsec_context_reap_path - remove a path of which an SA is dead
 * @in: where
 * @path: found under RCU
 *
 * Context: process context, under RCU.
 * Return: whether it was removed just now.
 */
bool ipsec_context_reap_path(struct ipsec_net *in, struct ipsec_path *path)
{
	bool removed = false;

	spin_lock_bh(&in->lock);
	if (!path->removed) {
		ipsec_path_remove(in, path);
		removed = true;
	}
	spin_unlock_bh(&in->lock);
	return removed;
}

/**
 * ipsec_context_reap - remove a context that nothing holds any more
 * @in: where
 * @context: found under RCU
 *
 * Context: process context, under RCU.
 * Return: whether it was removed just now.
 */
bool ipsec_context_reap(struct ipsec_net *in, struct ipsec_context *context)
{
	bool removed = false;

	spin_lock_bh(&in->lock);
	if (!context->gone && !context_held(context)) {
		context_remove(in, context);
		removed = true;
	}
	spin_unlock_bh(&in->lock);
	if (removed)
		call_rcu(&context->rcu, context_free_rcu);
	return removed;
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

	err = rhashtable_init(&in->context_keys, &context_params);
	if (err)
		return err;
	err = ipsec_path_init_net(in);
	if (err)
		rhashtable_destroy(&in->context_keys);
	return err;
}

/**
 * ipsec_context_exit_net - drop all contexts of a namespace
 * @in: the namespace, dead, with nobody looking for its contexts any more
 *
 * Context: process context, may sleep.
 */
void ipsec_context_exit_net(struct ipsec_net *in)
{
	struct ipsec_context *context;
	unsigned long id;

	ipsec_path_exit_net(in);
	rhashtable_destroy(&in->context_keys);
	xa_for_each(&in->contexts, id, context)
		context_free(context);
	xa_destroy(&in->contexts);
}
