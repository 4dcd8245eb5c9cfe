// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one context is to another: whether a connection that began under the
 * one may go on under the other.
 */
#include <linux/string.h>
#include <net/xfrm.h>

#include "context.h"
#include "identity.h"
#include "netns.h"
#include "path.h"
#include "relation.h"

/* Are two contexts alike but for who is behind them, and @new no weaker? */
static bool context_alike(struct ipsec_net *in, const struct ipsec_context *old,
			  const struct ipsec_context *new, bool lineage)
{
	struct ipsec_protection before = ipsec_context_protects(old, in->trusted);
	struct ipsec_protection after = ipsec_context_protects(new, in->trusted);
	struct ipsec_sa_key a, b;
	u8 i;

	if (old->nr != new->nr || old->tunnel != new->tunnel ||
	    old->end_to_end != new->end_to_end ||
	    before.privacy > after.privacy || before.integrity > after.integrity)
		return false;
	for (i = 0; i < old->nr; i++) {
		a = old->sa[i].key;
		b = new->sa[i].key;
		a.encrypts = b.encrypts;
		a.authenticates = b.authenticates;
		if (lineage ? a.proto != b.proto || a.mode != b.mode :
			      memcmp(&a, &b, sizeof(a)))
			return false;
	}
	return true;
}

/**
 * ipsec_relation_nameable - may an agent yet tell whose a context is
 * @context: the context
 *
 * Context: under &ipsec_net.lock.
 * Return: whether it has no identity, but SAs that may get one.
 */
bool ipsec_relation_nameable(const struct ipsec_context *context)
{
	struct ipsec_path *path;

	if (context->identity)
		return false;
	list_for_each_entry(path, &context->paths, list)
		if (ipsec_path_valid(path))
			return true;
	return false;
}

/**
 * ipsec_relation - may what holds to one context go on under another
 * @in: where
 * @old: the one
 * @new: the other
 *
 * Context: under &ipsec_net.lock.
 * Return: enum ipsec_relation.
 */
enum ipsec_relation ipsec_relation(struct ipsec_net *in, const struct ipsec_context *old,
				   const struct ipsec_context *new)
{
	if (old == new)
		return IPSEC_RELATION_SAME;
	if (!new->identity && (new->solitary || old->identity || old->solitary))
		return IPSEC_RELATION_OPEN;
	if (new->identity && !old->identity) {
		if (!context_alike(in, old, new, false))
			return IPSEC_RELATION_NONE;
		/* nobody takes the place of one that may yet turn out to be another */
		return ipsec_relation_nameable(old) ? IPSEC_RELATION_OPEN :
						      IPSEC_RELATION_NAMED;
	}
	if (ipsec_identity_equal(old->identity, new->identity) &&
	    context_alike(in, old, new, ipsec_identity_lineage(old->identity)))
		return IPSEC_RELATION_SAME;
	return IPSEC_RELATION_NONE;
}

/**
 * ipsec_relation_mates - may what came under one context be answered under another
 * @in: where
 * @received: under which it came
 * @sent: under which the answer is about to leave
 * @mirrored: there are SAs that are the very mirror of the first, see
 *	ipsec_relation_present()
 *
 * Some configurations use different reqids, marks or selectors for the two
 * directions, so those need not agree where nothing fits better. Who knows
 * better, an agent, is believed.
 *
 * Context: under &ipsec_net.lock.
 * Return: whether it may.
 */
bool ipsec_relation_mates(struct ipsec_net *in, const struct ipsec_context *received,
			  const struct ipsec_context *sent, bool mirrored)
{
	u64 lineage = ipsec_identity_lineage(received->identity);
	struct ipsec_protection before = ipsec_context_protects(received, in->trusted);
	struct ipsec_protection after = ipsec_context_protects(sent, in->trusted);
	u8 i;

	if (received == sent)
		return true;
	if (!ipsec_identity_equal(received->identity, sent->identity) &&
	    (received->identity || ipsec_relation_nameable(received)))
		return false;
	if (context_alike(in, received, sent, lineage))
		return true;
	if ((mirrored && !sent->identity) || received->nr != sent->nr ||
	    received->end_to_end != sent->end_to_end ||
	    before.privacy > after.privacy || before.integrity > after.integrity)
		return false;
	for (i = 0; i < received->nr; i++) {
		const struct ipsec_sa_key *a = &received->sa[i].key, *b = &sent->sa[i].key;

		if (a->proto != b->proto || a->mode != b->mode || a->family != b->family ||
		    memcmp(&a->local, &b->local, sizeof(a->local)) ||
		    memcmp(&a->peer, &b->peer, sizeof(a->peer)))
			return false;
	}
	return true;
}

/**
 * ipsec_relation_present - is there an SA like each one of a context
 * @in: where
 * @context: found under RCU
 * @direction: which way: inbound, or the very mirror
 *
 * Context: any but hard interrupts; takes xfrm_state_lock.
 * Return: whether there is, used so far or not, as far as ipsec_sa_find() can tell.
 */
bool ipsec_relation_present(struct ipsec_net *in, const struct ipsec_context *context,
			    enum ipsec_direction direction)
{
	struct ipsec_sa sas[IPSEC_CONTEXT_MAX_SAS];
	struct xfrm_state *x;
	u8 i, nr;

	nr = ipsec_context_sas(in, context, sas);
	for (i = 0; i < nr; i++) {
		x = ipsec_sa_find(in->net, &sas[i], READ_ONCE(in->trusted), direction);
		if (!x)
			return false;
		xfrm_state_put(x);
	}
	return true;
}

/**
 * ipsec_relation_possible - may there be SAs under which more can come for a context
 * @in: where
 * @context: found under RCU
 *
 * Context: any but hard interrupts; takes xfrm_state_lock.
 * Return: false if there are none for sure.
 */
bool ipsec_relation_possible(struct ipsec_net *in, const struct ipsec_context *context)
{
	struct ipsec_sa sas[IPSEC_CONTEXT_MAX_SAS];
	u8 i, nr;

	nr = ipsec_context_sas(in, context, sas);
	for (i = 0; i < nr; i++)
		if (!ipsec_sa_possible(in->net, &sas[i], IPSEC_DIRECTION_IN))
			return false;
	return true;
}

/**
 * ipsec_relation_alive - can anything come under a context any more
 * @context: found under RCU
 *
 * Context: under &ipsec_net.lock.
 * Return: whether one of the paths that were seen leads there.
 */
bool ipsec_relation_alive(const struct ipsec_context *context)
{
	struct ipsec_path *path;

	list_for_each_entry(path, &context->paths, list)
		if (!path->outbound && ipsec_path_valid(path))
			return true;
	return false;
}
