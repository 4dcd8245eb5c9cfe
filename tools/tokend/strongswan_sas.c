// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IKE SAs and CHILD SAs that charon has, as it tells of them, and what the
 * kernel is told of them in turn: the identity that was found out for an IKE SA
 * is behind both SAs of each of its CHILD SAs.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/pfkeyv2.h>

#include "../credential.h"
#include "log.h"
#include "sas.h"
#include "strongswan_evidence.h"
#include "strongswan_sas.h"

/* -------------------------------------------------------------------- IKE SAs */

static void child_free(struct child *child)
{
	free(child->name);
	free(child->protocol);
	free(child->mode);
	free(child);
}

static void ike_free(struct ike *ike)
{
	struct child *child;

	while ((child = ike->child)) {
		ike->child = child->next;
		child_free(child);
	}
	free(ike->connection);
	free(ike->version);
	free(ike->local_host);
	free(ike->remote_host);
	free(ike->local_id);
	free(ike->remote_id);
	free(ike->remote_user);
	identity_put(ike->identity);
	free(ike);
}

static struct ike **bucket_of(struct ikes *ikes, uint32_t id)
{
	return &ikes->bucket[id % IKES_BUCKETS];
}

static struct ike *first_from(const struct ikes *ikes, size_t bucket)
{
	for (; bucket < IKES_BUCKETS; bucket++)
		if (ikes->bucket[bucket])
			return ikes->bucket[bucket];
	return NULL;
}

/**
 * ikes_first() - begin to go through all IKE SAs
 * @ikes: all of them
 *
 * Return: one of them, or NULL.
 */
struct ike *ikes_first(const struct ikes *ikes)
{
	return first_from(ikes, 0);
}

/**
 * ikes_next() - go on to the next IKE SA
 * @ikes: all of them
 * @ike: the present one
 *
 * Return: another one, or NULL.
 */
struct ike *ikes_next(const struct ikes *ikes, const struct ike *ike)
{
	return ike->next ? ike->next : first_from(ikes, ike->id % IKES_BUCKETS + 1);
}

/**
 * ikes_clear() - forget all IKE SAs
 * @ikes: all of them
 */
void ikes_clear(struct ikes *ikes)
{
	struct ike *ike;

	while ((ike = ikes_first(ikes)))
		ike_remove(ikes, ike->id);
	ikes->waiting = false;
}

/**
 * ike_find() - find an IKE SA
 * @ikes: all of them
 * @id: its uniqueid
 *
 * Return: the IKE SA, or NULL.
 */
struct ike *ike_find(const struct ikes *ikes, uint32_t id)
{
	struct ike *ike = ikes->bucket[id % IKES_BUCKETS];

	while (ike && ike->id != id)
		ike = ike->next;
	return ike;
}

/**
 * ike_remove() - forget an IKE SA
 * @ikes: all of them
 * @id: its uniqueid, of one there is or not
 */
void ike_remove(struct ikes *ikes, uint32_t id)
{
	struct ike **link, *ike;

	for (link = bucket_of(ikes, id); (ike = *link); link = &ike->next) {
		if (ike->id == id) {
			*link = ike->next;
			ike_free(ike);
			return;
		}
	}
}

/**
 * ike_replace() - an IKE SA takes the place of another one
 * @ikes: all of them
 * @old: is forgotten
 * @new: has its CHILD SAs, and its proof
 */
void ike_replace(struct ikes *ikes, struct ike *old, struct ike *new)
{
	struct child **end;

	if (!new->identity && old->identity)
		new->identity = identity_get(old->identity);
	for (end = &new->child; *end; end = &(*end)->next)
		;
	*end = old->child;
	old->child = NULL;
	ikes->waiting |= !new->identity;
	ike_remove(ikes, old->id);
}

static void set(char **text, const char *to)
{
	if (*text && to && !strcmp(*text, to))
		return;
	free(*text);
	*text = xstrdup(to);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/**
 * ike_read() - take in what is said of an IKE SA
 * @ikes: all of them
 * @connection: name of its configuration
 * @section: that tells of it
 *
 * Return: the IKE SA, be it new or known; NULL if there is none yet.
 */
struct ike *ike_read(struct ikes *ikes, const char *connection, const struct vici_node *section)
{
	const char *version = vici_string(section, "version");
	const char *local_host = vici_string(section, "local-host");
	const char *remote_host = vici_string(section, "remote-host");
	const char *local_id = vici_string(section, "local-id");
	const char *remote_id = vici_string(section, "remote-id");
	const char *user = vici_string(section, "remote-eap-id");
	const char *state = vici_string(section, "state");
	uint32_t id, seconds;
	struct ike *ike;

	if (!user)
		user = vici_string(section, "remote-xauth-id");
	/* until it is established its identities prove nothing */
	if (!vici_number(section, "uniqueid", 10, &id) || !version || !local_host ||
	    !remote_host || !local_id || !remote_id || !state ||
	    !strcmp(state, "CREATED") || !strcmp(state, "CONNECTING"))
		return NULL;

	ike = ike_find(ikes, id);
	if (ike && (!same(ike->connection, connection) || !same(ike->remote_id, remote_id) ||
		    !same(ike->local_id, local_id) || !same(ike->remote_user, user))) {
		/* the same number for another one */
		ike_remove(ikes, id);
		ike = NULL;
	}
	if (!ike) {
		ike = xcalloc(1, sizeof(*ike));
		ike->id = id;
		ike->established = INT64_MAX;
		ike->next = *bucket_of(ikes, id);
		*bucket_of(ikes, id) = ike;
	}
	set(&ike->connection, connection);
	set(&ike->version, version);
	set(&ike->local_id, local_id);
	set(&ike->remote_id, remote_id);
	set(&ike->remote_user, user);
	set(&ike->local_host, local_host);
	set(&ike->remote_host, remote_host);
	if (ike->established == INT64_MAX && vici_number(section, "established", 10, &seconds))
		ike->established = time(NULL) - seconds;
	ike->listed = true;
	return ike;
}

/* ------------------------------------------------------------------ CHILD SAs */

/**
 * child_read() - take in what is said of a CHILD SA
 * @ikes: all IKE SAs
 * @ike: the one it is of
 * @fallback: its name, if nothing better is told
 * @section: that tells of it
 *
 * Return: the CHILD SA, be it new or known; NULL if it has no SAs yet.
 */
struct child *child_read(struct ikes *ikes, struct ike *ike, const char *fallback,
			 const struct vici_node *section)
{
	const char *name = vici_string(section, "name");
	const char *protocol = vici_string(section, "protocol");
	const char *mode = vici_string(section, "mode");
	uint32_t spi_in, spi_out;
	struct child *child;

	/* without SPIs it has no SAs yet */
	if (!protocol || !mode || !vici_number(section, "spi-in", 16, &spi_in) ||
	    !vici_number(section, "spi-out", 16, &spi_out))
		return NULL;
	for (child = ike->child; child; child = child->next)
		if (child->spi_in == spi_in && child->spi_out == spi_out)
			break;
	if (!child) {
		child = xcalloc(1, sizeof(*child));
		child->next = ike->child;
		ike->child = child;
	}
	child->spi_in = spi_in;
	child->spi_out = spi_out;
	child->mark_in = 0;
	child->mark_out = 0;
	vici_number(section, "mark-in", 16, &child->mark_in);
	vici_number(section, "mark-out", 16, &child->mark_out);
	set(&child->name, name ? name : fallback);
	set(&child->protocol, protocol);
	set(&child->mode, mode);
	child->listed = true;
	ikes->waiting |= !ike->identity;
	return child;
}

/**
 * child_remove() - forget a CHILD SA
 * @ike: the IKE SA it is of
 * @section: that tells of it, or NULL
 */
void child_remove(struct ike *ike, const struct vici_node *section)
{
	uint32_t spi_in, spi_out;
	struct child **link;

	if (!vici_number(section, "spi-in", 16, &spi_in) ||
	    !vici_number(section, "spi-out", 16, &spi_out))
		return;
	for (link = &ike->child; *link; link = &(*link)->next) {
		struct child *child = *link;

		if (child->spi_in == spi_in && child->spi_out == spi_out) {
			*link = child->next;
			child_free(child);
			return;
		}
	}
}

/* -------------------------------------------------------------- who is behind it */

/* The inbound SA, then the outbound one. */
static bool child_refs(const struct ike *ike, const struct child *child, struct sa_ref *ref)
{
	uint8_t satype = strcmp(child->protocol, "AH") ? SADB_SATYPE_ESP : SADB_SATYPE_AH;

	if (!sa_ref_set(&ref[0], satype, ike->local_host, child->spi_in) ||
	    !sa_ref_set(&ref[1], satype, ike->remote_host, child->spi_out))
		return false;
	ref[0].mark = child->mark_in;
	ref[1].mark = child->mark_out;
	return true;
}

/*
 * A key that was new when the first SA of a lineage came has been seen by the
 * time of the second. What has begun as the one thing goes on as that.
 */
static void lineage_continue(struct identity *identity)
{
	const struct identity *former;

	if (identity->remote.method != IPSEC_AUTH_LEAPOFFAITH)
		return;
	former = sas_lineage(identity->lineage, identity->remote.itoken);
	if (!former || former->remote.method != IPSEC_AUTH_BTNS)
		return;
	identity->remote.method = former->remote.method;
	set(&identity->remote.audit, former->remote.audit);
}

/**
 * child_identify() - say who is behind a CHILD SA
 * @ike: the IKE SA it is of, identified
 * @child: the CHILD SA
 */
void child_identify(const struct ike *ike, const struct child *child)
{
	const char *const names[] = { STRONGSWAN_NAME, ike->connection, child->name,
				      child->protocol, child->mode };
	struct identity *identity;
	struct sa_ref ref[2];

	if (!child_refs(ike, child, ref))
		return;
	identity = identity_copy(ike->identity);
	free(identity->policy);
	identity->policy = xprintf("%s/%s", ike->connection, child->name);
	if (!itoken_lineage(&identity->lineage, identity->remote.itoken, identity->local.itoken,
			    names, sizeof(names) / sizeof(names[0])))
		lineage_continue(identity);
	sas_identify(ref, 2, identity);
	identity_put(identity);
}

/* What the kernel keeps of it was found out when it was new. */
static struct identity *ike_adopt(const struct ike *ike)
{
	const struct child *child;
	struct identity *identity;
	struct sa_ref ref[2];
	int i;

	for (child = ike->child; child; child = child->next) {
		if (!child_refs(ike, child, ref))
			continue;
		for (i = 0; i < 2; i++) {
			identity = sas_identity(&ref[i]);
			if (identity && same(identity->source, STRONGSWAN_NAME))
				return identity_copy(identity);
		}
	}
	return NULL;
}

/**
 * ike_identify() - find out who is behind an IKE SA, and say so
 * @ike: the IKE SA
 * @config: ours
 *
 * Unless it is known already, the evidence for that must have been gathered.
 */
void ike_identify(struct ike *ike, const struct config *config)
{
	struct ike_facts facts = {
		.connection = ike->connection,
		.version = ike->version,
		.local_id = ike->local_id,
		.remote_id = ike->remote_id,
		.remote_user = ike->remote_user,
		.established = ike->established,
	};
	bool new = !ike->identity;
	struct child *child;

	if (!ike->identity)
		ike->identity = ike_adopt(ike);
	if (!ike->identity)
		ike->identity = evidence_identity(&facts, config);
	for (child = ike->child; child; child = child->next)
		child_identify(ike, child);
	if (new)
		evidence_remember(ike->identity, config);
}

/* -------------------------------------------------------------- the list of SAs */

/**
 * ikes_list_begin() - the list of SAs is about to be read
 * @ikes: all IKE SAs
 */
void ikes_list_begin(struct ikes *ikes)
{
	struct child *child;
	struct ike *ike;

	for (ike = ikes_first(ikes); ike; ike = ikes_next(ikes, ike)) {
		ike->listed = false;
		for (child = ike->child; child; child = child->next)
			child->listed = false;
	}
}

static void children_sweep(struct ike *ike)
{
	struct child **link = &ike->child, *child;

	while ((child = *link)) {
		if (child->listed) {
			link = &child->next;
		} else {
			*link = child->next;
			child_free(child);
		}
	}
}

/**
 * ikes_list_end() - the list of SAs was read
 * @ikes: all IKE SAs
 * @config: ours
 *
 * What charon does not have any more is forgotten; events that came meanwhile
 * count as well.
 */
void ikes_list_end(struct ikes *ikes, const struct config *config)
{
	struct ike **link, *ike;
	size_t i;

	for (i = 0; i < IKES_BUCKETS; i++) {
		for (link = &ikes->bucket[i]; (ike = *link);) {
			if (!ike->listed) {
				*link = ike->next;
				ike_free(ike);
				continue;
			}
			children_sweep(ike);
			if (ike->identity)
				ike_identify(ike, config);
			link = &ike->next;
		}
	}
}
