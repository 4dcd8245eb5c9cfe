// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reaper: lets go of SAs that are dead, and of contexts that nothing has
 * held for the linger time. It is the only one that removes contexts.
 */
#include <linux/rhashtable.h>
#include <net/xfrm.h>

#include "context.h"
#include "event.h"
#include "identity.h"
#include "netns.h"
#include "path.h"
#include "reaper.h"
#include "relation.h"
#include "walk.h"

/* After an SA is said to be dead: others usually follow at once. */
#define REAP_SOON	HZ

/**
 * ipsec_reaper_soon - look for dead SAs before long
 * @in: where
 *
 * Context: any.
 */
void ipsec_reaper_soon(struct ipsec_net *in)
{
	if (READ_ONCE(in->dead) ||
	    (!READ_ONCE(in->context_count) && !atomic_read(&in->bindings.nelems)))
		return;
	WRITE_ONCE(in->reap_again, 0);
	/* not put off by the next event: there may be many in a row */
	if (!xchg(&in->reaping, true))
		mod_delayed_work(system_wq, &in->reap, REAP_SOON);
}

static void reap_paths(struct ipsec_net *in)
{
	struct rhashtable_iter iter;
	struct ipsec_path *path;

	rhashtable_walk_enter(&in->paths, &iter);
	do {
		ipsec_walk_start(&iter);
		while ((path = rhashtable_walk_next(&iter)) && !IS_ERR(path)) {
			if (!ipsec_path_valid(path) && ipsec_context_reap_path(in, path))
				ipsec_event_context(in, path->context,
						    IPSEC_CMD_CONTEXT_CHANGE_NTF);
			if (need_resched())
				break;
		}
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (path);
	rhashtable_walk_exit(&iter);
}

static bool identity_alive(const struct ipsec_identity *identity)
{
	const struct ipsec_binding *binding;

	list_for_each_entry_rcu(binding, &identity->bindings, list)
		if (ipsec_sa_valid(binding->x))
			return true;
	return false;
}

/* SAs that took over may not have carried anything yet. */
static bool context_awaited(struct ipsec_net *in, const struct ipsec_context *context)
{
	struct ipsec_identity *identity = READ_ONCE(context->identity);

	if (identity)
		return identity_alive(identity);
	return ipsec_relation_present(in, context, IPSEC_DIRECTION_IN);
}

/* Return: in how many jiffies to look at it again, 0 if something holds it. */
static unsigned long reap_context(struct ipsec_net *in, struct ipsec_context *context)
{
	unsigned long end = READ_ONCE(context->idle_since) + READ_ONCE(in->linger) * HZ;
	unsigned long id = context->id;

	if (READ_ONCE(context->users) || !list_empty(&context->paths))
		return 0;
	if (time_before(jiffies, end))
		return end - jiffies;
	if (context_awaited(in, context)) {
		WRITE_ONCE(context->idle_since, jiffies);
		return IPSEC_REAP_IDLE;
	}
	if (ipsec_context_reap(in, context))
		ipsec_event_context_gone(in, id);
	return 0;
}

static unsigned long reap_contexts(struct ipsec_net *in)
{
	unsigned long id, wait, next = IPSEC_REAP_IDLE;
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

/* Soon, and later and later: what a dead SA is held by may go in a moment or never. */
static unsigned long again(struct ipsec_net *in)
{
	unsigned long wait = clamp_t(unsigned long, READ_ONCE(in->reap_again) * 2, REAP_SOON,
				     IPSEC_REAP_IDLE);

	WRITE_ONCE(in->reap_again, wait);
	return wait;
}

static void reap(struct work_struct *work)
{
	struct ipsec_net *in = container_of(to_delayed_work(work), struct ipsec_net, reap);
	unsigned long next;
	bool stay;

	xchg(&in->reaping, false);
	stay = ipsec_identity_reap(in);
	reap_paths(in);
	next = reap_contexts(in);
	if (stay)
		next = min(next, again(in));
	if ((READ_ONCE(in->context_count) || atomic_read(&in->bindings.nelems)) &&
	    !READ_ONCE(in->dead))
		schedule_delayed_work(&in->reap, next);
}

/**
 * ipsec_reaper_init_net - make ready for reaping in a namespace
 * @in: the namespace
 *
 * Context: process context.
 */
void ipsec_reaper_init_net(struct ipsec_net *in)
{
	INIT_DELAYED_WORK(&in->reap, reap);
}

/**
 * ipsec_reaper_exit_net - stop reaping in a namespace
 * @in: the namespace, dead
 *
 * Context: process context, may sleep.
 */
void ipsec_reaper_exit_net(struct ipsec_net *in)
{
	cancel_delayed_work_sync(&in->reap);
}
