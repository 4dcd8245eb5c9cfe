// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IKE SAs that pluto has, and who is behind their CHILD SAs: both SAs of a
 * CHILD SA have the identity that was found out of the IKE SA it is of.
 *
 * Only SAs that the kernel has are told of, by address, protocol and SPI. The
 * kernel's own list decides which these are, not what pluto or anybody says.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/pfkeyv2.h>

#include "libreswan_sas.h"
#include "log.h"
#include "sas.h"

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* --------------------------------------------------------------- what is known */

/**
 * pluto_ikes_clear() - forget what was found out
 * @ikes: is empty afterwards
 */
void pluto_ikes_clear(struct pluto_ikes *ikes)
{
	size_t i;

	for (i = 0; i < ikes->count; i++) {
		free(ikes->ike[i].connection);
		identity_put(ikes->ike[i].identity);
	}
	free(ikes->ike);
	memset(ikes, 0, sizeof(*ikes));
}

static int ike_compare(const void *a, const void *b)
{
	const struct pluto_ike *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static struct identity *ike_known(const struct pluto_ikes *ikes, const struct pluto_state *state)
{
	const struct pluto_ike key = { .number = state->number }, *ike;

	ike = ikes->count ? bsearch(&key, ikes->ike, ikes->count, sizeof(key), ike_compare) : NULL;
	return ike && same(ike->connection, state->connection) &&
	       ike->instance == state->instance ? identity_get(ike->identity) : NULL;
}

/* ----------------------------------------------------------------- from SAs to IKE */

/* The inbound SA, then the outbound one. */
static bool child_refs(const struct pluto_state *child, struct sa_ref *ref)
{
	uint8_t satype = child->ah ? SADB_SATYPE_AH : SADB_SATYPE_ESP;

	return sa_ref_set(&ref[0], satype, child->in, child->spi_in) &&
	       sa_ref_set(&ref[1], satype, child->out, child->spi_out);
}

/* The IKE SA of a CHILD SA, NULL if it is none, or has proved nothing. */
static const struct pluto_state *parent_of(const struct pluto_status *status,
					   const struct pluto_state *child)
{
	const struct pluto_state *parent;

	if (!child->in || !child->established || !child->parent)
		return NULL;
	parent = pluto_state_find(status, child->parent);
	return parent && parent->established && !parent->in ? parent : NULL;
}

/* What the kernel keeps of it was found out when it was new. */
static struct identity *child_adopt(const struct pluto_state *child)
{
	struct identity *identity;
	struct sa_ref ref[2];
	int i;

	if (!child_refs(child, ref))
		return NULL;
	for (i = 0; i < 2; i++) {
		identity = sas_identity(&ref[i]);
		if (identity && same(identity->source, LIBRESWAN_NAME))
			return identity_copy(identity);
	}
	return NULL;
}

static void child_identify(const struct pluto_state *ike, const struct pluto_state *child,
			   const struct identity *found)
{
	const char *const names[] = { LIBRESWAN_NAME, ike->connection, child->connection,
				      child->ah ? "AH" : "ESP",
				      child->tunnel ? "TUNNEL" : "TRANSPORT" };
	struct identity *identity;
	struct sa_ref ref[2];

	if (!child_refs(child, ref))
		return;
	identity = identity_copy(found);
	free(identity->policy);
	identity->policy = same(ike->connection, child->connection) ?
			   xstrdup(ike->connection) :
			   xprintf("%s/%s", ike->connection, child->connection);
	if (itoken_lineage(&identity->lineage, identity->remote.itoken, identity->local.itoken,
			   names, sizeof(names) / sizeof(names[0])))
		log_event(LOG_LEVEL_ERROR, "a lineage cannot be computed");
	else
		sas_identify(ref, 2, identity);
	identity_put(identity);
}

/*
 * Who is behind each IKE SA with CHILD SAs, at the place that its state has among
 * the states; NULL where it is not known.
 */
static struct identity **identities(const struct pluto_ikes *ikes,
				    const struct pluto_status *status)
{
	struct identity **found = xcalloc(status->states + 1, sizeof(*found));
	const struct pluto_state *parent;
	size_t i, at;

	/* the SAs first: they stay when the IKE SA becomes another one */
	for (i = 0; i < status->states; i++) {
		parent = parent_of(status, &status->state[i]);
		at = parent ? parent - status->state : 0;
		if (parent && !found[at])
			found[at] = child_adopt(&status->state[i]);
	}
	for (i = 0; i < status->states; i++) {
		parent = parent_of(status, &status->state[i]);
		at = parent ? parent - status->state : 0;
		if (parent && !found[at])
			found[at] = ike_known(ikes, parent);
	}
	return found;
}

static void identities_free(struct identity **found, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		identity_put(found[i]);
	free(found);
}

/**
 * pluto_ikes_unknown() - how much is still to be found out
 * @ikes: what was found out
 * @status: of pluto
 * @nicknames: certificates that are needed for that are added to it; or NULL
 *
 * Return: how many CHILD SAs there are behind which it is not known who is.
 */
size_t pluto_ikes_unknown(const struct pluto_ikes *ikes, const struct pluto_status *status,
			  struct nicknames *nicknames)
{
	struct identity **found = identities(ikes, status);
	const struct pluto_connection *connection;
	const struct pluto_state *parent;
	size_t i, unknown = 0;

	for (i = 0; i < status->states; i++) {
		parent = parent_of(status, &status->state[i]);
		if (!parent || found[parent - status->state])
			continue;
		unknown++;
		connection = pluto_connection_find(status, parent->connection, parent->instance);
		if (connection && nicknames)
			nicknames_want(nicknames, status, connection);
	}
	identities_free(found, status->states);
	return unknown;
}

static void remember(struct pluto_ikes *ikes, const struct pluto_status *status,
		     struct identity **found)
{
	size_t i;

	pluto_ikes_clear(ikes);
	ikes->ike = xcalloc(status->states + 1, sizeof(*ikes->ike));
	for (i = 0; i < status->states; i++) {
		if (!found[i])
			continue;
		ikes->ike[ikes->count++] = (struct pluto_ike) {
			.number = status->state[i].number,
			.connection = xstrdup(status->state[i].connection),
			.instance = status->state[i].instance,
			.identity = identity_get(found[i]),
		};
		ikes->fleeting |= !found[i]->remote.id;
	}
}

/**
 * pluto_ikes_identify() - say who is behind all SAs, and remember it
 * @ikes: what was found out
 * @status: of pluto
 * @nicknames: certificates, NULL: find out nothing new
 * @config: ours
 */
void pluto_ikes_identify(struct pluto_ikes *ikes, const struct pluto_status *status,
			 const struct nicknames *nicknames, const struct config *config)
{
	struct identity **found = identities(ikes, status);
	const struct pluto_state *parent;
	size_t i, at;

	for (i = 0; i < status->states; i++) {
		parent = parent_of(status, &status->state[i]);
		at = parent ? parent - status->state : 0;
		if (parent && !found[at] && nicknames)
			found[at] = pluto_identity(status, nicknames, parent, config);
		if (parent && found[at])
			child_identify(parent, &status->state[i], found[at]);
	}
	remember(ikes, status, found);
	identities_free(found, status->states);
}
