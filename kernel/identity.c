// SPDX-License-Identifier: GPL-2.0-only
/*
 * Identities: who is behind an SA, and how that was proved.
 *
 * Only a keying daemon knows. Its agent binds an identity to SAs; what it says
 * is kept as it came and handed on to those who hold a token. The kernel acts
 * on one thing: SAs with different identities never share a context.
 *
 * From the first binding in a namespace on, an SA that has none yet shares a
 * context with no other one, so that when its identity becomes known nothing
 * is attributed to it that somebody else has sent.
 */
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/netlink.h>
#include <net/xfrm.h>

#include "context.h"
#include "event.h"
#include "hold.h"
#include "identity.h"
#include "netns.h"
#include "path.h"
#include "reaper.h"
#include "walk.h"

static unsigned int max_bindings = 262144;
module_param(max_bindings, uint, 0644);
MODULE_PARM_DESC(max_bindings, "Most SAs with an identity per network namespace");

static const struct rhashtable_params binding_params = {
	.head_offset = offsetof(struct ipsec_binding, node),
	.key_offset = offsetof(struct ipsec_binding, x),
	.key_len = sizeof(struct xfrm_state *),
	.automatic_shrinking = true,
};

static struct nlattr *identity_attr(const void *attributes, size_t size, int type)
{
	return nla_find(attributes, size, type);
}

/**
 * ipsec_identity_create - make an identity of what the agent sent
 * @attributes: content of a nest of enum ipsec_identity_attr, already validated
 * @size: its size
 *
 * Context: process context.
 * Return: the identity with one reference, or NULL without memory.
 */
struct ipsec_identity *ipsec_identity_create(const void *attributes, size_t size)
{
	struct ipsec_identity *identity;
	const struct nlattr *attr;

	identity = kvzalloc(struct_size(identity, attributes, size), GFP_KERNEL_ACCOUNT);
	if (!identity)
		return NULL;

	refcount_set(&identity->refs, 1);
	INIT_LIST_HEAD(&identity->bindings);
	identity->size = size;
	memcpy(identity->attributes, attributes, size);

	attr = identity_attr(attributes, size, IPSEC_IDENTITY_A_ITOKEN);
	memcpy(identity->itoken, nla_data(attr), IPSEC_ITOKEN_SIZE);
	attr = identity_attr(attributes, size, IPSEC_IDENTITY_A_METHOD);
	identity->method = nla_get_u8(attr);
	attr = identity_attr(attributes, size, IPSEC_IDENTITY_A_LINEAGE);
	if (attr)
		identity->lineage = nla_get_u64(attr);
	attr = identity_attr(attributes, size, IPSEC_IDENTITY_A_LOCAL);
	if (attr)
		attr = identity_attr(nla_data(attr), nla_len(attr), IPSEC_IDENTITY_A_ITOKEN);
	if (attr)
		memcpy(identity->local_itoken, nla_data(attr), IPSEC_ITOKEN_SIZE);
	return identity;
}

/**
 * ipsec_identity_get - hold an identity
 * @identity: held already, or seen under &ipsec_net.lock
 *
 * Return: the identity.
 */
struct ipsec_identity *ipsec_identity_get(struct ipsec_identity *identity)
{
	refcount_inc(&identity->refs);
	return identity;
}

static void identity_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct ipsec_identity, rcu));
}

/**
 * ipsec_identity_put - let go of an identity
 * @identity: held, or NULL
 *
 * Context: any.
 */
void ipsec_identity_put(struct ipsec_identity *identity)
{
	if (identity && refcount_dec_and_test(&identity->refs))
		call_rcu(&identity->rcu, identity_free_rcu);
}

/**
 * ipsec_identity_equal - may SAs of these identities share a context
 * @a: an identity or NULL
 * @b: an identity or NULL
 *
 * Return: whether they may.
 */
bool ipsec_identity_equal(const struct ipsec_identity *a, const struct ipsec_identity *b)
{
	if (!a || !b)
		return a == b;
	return a->method == b->method && a->lineage == b->lineage &&
	       !memcmp(a->itoken, b->itoken, sizeof(a->itoken)) &&
	       !memcmp(a->local_itoken, b->local_itoken, sizeof(a->local_itoken));
}

static struct ipsec_binding *binding_find(struct ipsec_net *in, const struct xfrm_state *x)
{
	return rhashtable_lookup(&in->bindings, &x, binding_params);
}

/**
 * ipsec_identity_of_path - the identity behind a path
 * @in: where
 * @key: the path
 *
 * Context: any but hard interrupts; under &ipsec_net.lock.
 * Return: the identity, if all AH and ESP SAs of the path have it; NULL if one
 * of them has none or another one.
 */
struct ipsec_identity *ipsec_identity_of_path(struct ipsec_net *in,
					      const struct ipsec_path_key *key)
{
	struct ipsec_identity *identity = NULL;
	struct ipsec_binding *binding;
	u8 i;

	if (!atomic_read(&in->bindings.nelems))
		return NULL;

	rcu_read_lock();
	for (i = 0; i < key->nr; i++) {
		if (key->x[i]->id.proto != IPPROTO_ESP && key->x[i]->id.proto != IPPROTO_AH)
			continue;
		binding = binding_find(in, key->x[i]);
		if (!binding || (identity && !ipsec_identity_equal(identity, binding->identity))) {
			identity = NULL;
			break;
		}
		identity = binding->identity;
	}
	rcu_read_unlock();
	return identity;
}

static void binding_free(struct ipsec_binding *binding)
{
	ipsec_identity_put(binding->identity);
	xfrm_state_put(binding->x);
	kfree(binding);
}

static void binding_free_rcu(struct rcu_head *rcu)
{
	binding_free(container_of(rcu, struct ipsec_binding, rcu));
}

static void binding_remove(struct ipsec_net *in, struct ipsec_binding *binding)
{
	rhashtable_remove_fast(&in->bindings, &binding->node, binding_params);
	list_del_rcu(&binding->list);
	call_rcu(&binding->rcu, binding_free_rcu);
}

static int binding_add(struct ipsec_net *in, struct xfrm_state *x,
		       struct ipsec_identity *identity)
{
	struct ipsec_binding *binding, *old;
	int err;

	binding = kzalloc(sizeof(*binding), GFP_ATOMIC);
	if (!binding)
		return -ENOMEM;
	binding->x = x;
	binding->identity = identity;

	old = binding_find(in, x);
	if (old)
		err = rhashtable_replace_fast(&in->bindings, &old->node, &binding->node,
					      binding_params);
	else
		err = rhashtable_insert_fast(&in->bindings, &binding->node, binding_params);
	if (err) {
		kfree(binding);
		return err;
	}
	xfrm_state_hold(x);
	ipsec_identity_get(identity);
	list_add_tail_rcu(&binding->list, &identity->bindings);
	if (old) {
		list_del_rcu(&old->list);
		call_rcu(&old->rcu, binding_free_rcu);
	}
	return 0;
}

static int bind_check(struct ipsec_net *in, struct xfrm_state *const *x, unsigned int count,
		      const struct ipsec_identity *identity, struct netlink_ext_ack *extack)
{
	const struct ipsec_binding *binding;
	unsigned int i;

	if (atomic_read(&in->bindings.nelems) + count > max_bindings) {
		NL_SET_ERR_MSG(extack, "too many SAs with an identity (parameter max_bindings)");
		return -ENOSPC;
	}
	for (i = 0; i < count; i++) {
		binding = binding_find(in, x[i]);
		if (binding && !ipsec_identity_equal(binding->identity, identity)) {
			NL_SET_ERR_MSG(extack,
				       "an SA is bound to another identity; unbind it first");
			return -EEXIST;
		}
	}
	return 0;
}

/**
 * ipsec_identity_bind - an agent says who is behind SAs
 * @in: where
 * @x: the SAs, held by the caller
 * @count: how many
 * @identity: held by the caller
 * @extack: for a message
 *
 * Context: process context.
 * Return: 0; -EEXIST if one of the SAs has another identity, with nothing
 * changed; -ENOSPC, the same; -ENOMEM, with some of them bound.
 */
int ipsec_identity_bind(struct ipsec_net *in, struct xfrm_state *const *x, unsigned int count,
			struct ipsec_identity *identity, struct netlink_ext_ack *extack)
{
	bool begun = ipsec_hold_bind_begin(in);
	unsigned int i;
	int err;

	rcu_read_lock();
	spin_lock_bh(&in->lock);
	err = bind_check(in, x, count, identity, extack);
	if (!err)
		in->identified = true;
	for (i = 0; i < count && !err; i++)
		err = binding_add(in, x[i], identity);
	for (i = 0; i < count && !err; i++)
		ipsec_context_identify(in, x[i]);
	spin_unlock_bh(&in->lock);
	ipsec_hold_bind_end(in, begun);

	if (!err) {
		for (i = 0; i < count; i++)
			ipsec_event_identity(in, x[i], identity);
		ipsec_event_changed(in);
		schedule_delayed_work(&in->reap, IPSEC_REAP_IDLE);
	}
	rcu_read_unlock();
	return err;
}

/**
 * ipsec_identity_unbind - an agent takes back who is behind SAs
 * @in: where
 * @x: the SAs, held by the caller
 * @count: how many
 * @extack: for a message
 *
 * What was received so far keeps its context and with it its identity. What
 * comes later comes under another context.
 *
 * Context: process context.
 * Return: 0; -ENOENT if one of the SAs has no identity, with nothing changed.
 */
int ipsec_identity_unbind(struct ipsec_net *in, struct xfrm_state *const *x,
			  unsigned int count, struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err = 0;

	rcu_read_lock();
	spin_lock_bh(&in->lock);
	for (i = 0; i < count && !err; i++) {
		if (!binding_find(in, x[i])) {
			NL_SET_ERR_MSG(extack, "an SA has no identity");
			err = -ENOENT;
		}
	}
	for (i = 0; i < count && !err; i++) {
		struct ipsec_binding *binding = binding_find(in, x[i]);

		if (!binding)	/* named twice */
			continue;
		binding_remove(in, binding);
		ipsec_context_forget(in, x[i]);
	}
	spin_unlock_bh(&in->lock);

	for (i = 0; i < count && !err; i++)
		ipsec_event_identity(in, x[i], NULL);
	if (!err)
		ipsec_event_changed(in);
	rcu_read_unlock();
	return err;
}

/* The SA of a binding is dead. Return: whether something else holds it still. */
static bool binding_reap(struct ipsec_net *in, struct ipsec_binding *binding)
{
	if (!binding->gone)
		ipsec_event_identity(in, binding->x, NULL);
	binding->gone = true;
	if (refcount_read(&binding->x->refcnt) > 1)
		return true;
	binding_remove(in, binding);
	return false;
}

/**
 * ipsec_identity_reap - drop the bindings of SAs that are dead
 * @in: where
 *
 * A datagram holds the SA that it came under, and may wait to be read for longer than
 * that lives. So a binding stays as long as anything but itself holds its SA; of one
 * that is dead nothing takes hold any more.
 *
 * Context: process context, may sleep; from one place at a time.
 * Return: whether there are dead ones whose bindings stay.
 */
bool ipsec_identity_reap(struct ipsec_net *in)
{
	struct ipsec_binding *binding;
	struct rhashtable_iter iter;
	bool stay = false;

	rhashtable_walk_enter(&in->bindings, &iter);
	do {
		ipsec_walk_start(&iter);
		while ((binding = rhashtable_walk_next(&iter)) && !IS_ERR(binding)) {
			if (!ipsec_sa_valid(binding->x)) {
				spin_lock_bh(&in->lock);
				/* unless it was unbound or replaced just now */
				if (binding_find(in, binding->x) == binding)
					stay |= binding_reap(in, binding);
				spin_unlock_bh(&in->lock);
			}
			if (need_resched())
				break;
		}
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (binding);
	rhashtable_walk_exit(&iter);
	return stay;
}

/**
 * ipsec_identity_init_net - make ready for identities in a namespace
 * @in: the namespace
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_identity_init_net(struct ipsec_net *in)
{
	return rhashtable_init(&in->bindings, &binding_params);
}

static void binding_free_at_exit(void *object, void *unused)
{
	binding_free(object);
}

/**
 * ipsec_identity_exit_net - drop all bindings of a namespace
 * @in: the namespace, dead
 *
 * Context: process context, may sleep. Frees at once, see
 * ipsec_path_exit_net().
 */
void ipsec_identity_exit_net(struct ipsec_net *in)
{
	rhashtable_free_and_destroy(&in->bindings, binding_free_at_exit, NULL);
}
