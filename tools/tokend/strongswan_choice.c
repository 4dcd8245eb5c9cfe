// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of charon's connections would do for a request.
 *
 * One that charon can begin, with the very peer of the request: the first
 * address in remote_addrs, which is what charon connects with, has to be the
 * peer's. Its CHILD SA has to protect, and to cover the packets with its traffic
 * selectors. How its peer has to prove who it is must be able to end in a method
 * that is accepted; and it must not be for somebody else, where that is known.
 *
 * Of several the best one is chosen: one that is known to be for the peer that is
 * required, before one of which it is not known; then the one with the narrowest
 * selectors; then the first by the names of connection and CHILD SA. Algorithms
 * are not told by charon and are no part of this: the kernel judges them by the
 * SAs that come of it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../credential.h"
#include "mapping.h"
#include "selector.h"
#include "strongswan_choice.h"
#include "strongswan_connection.h"

static struct connection *connections;

/**
 * choice_clear() - forget all connections
 */
void choice_clear(void)
{
	struct connection *connection;

	while ((connection = connections)) {
		connections = connection->next;
		connection_free(connection);
	}
}

/**
 * choice_connection() - keep a connection
 * @message: of event list-conn
 */
void choice_connection(const struct vici_message *message)
{
	struct connection *connection = connection_read(message);

	if (!connection)
		return;
	connection->next = connections;
	connections = connection;
}

/**
 * struct candidate - what would do
 * @connection: a connection
 * @child: one of its CHILD SAs
 * @fit: whether it is for the peer that is required
 * @width: of its traffic selectors
 */
struct candidate {
	const struct connection *connection;
	const struct child_config *child;
	enum request_fit fit;
	unsigned int width;
};

/* ---------------------------------------------------------------------- traffic */

/* The first one that is an address; charon passes over nets and ranges. */
static bool reaches(const struct connection *connection, const struct request *request)
{
	const struct texts *addrs = &connection->remote_addrs;
	size_t i;

	for (i = 0; i < addrs->count; i++)
		if (!strpbrk(addrs->item[i], "/-"))
			return request_address_is(request, request->peer, addrs->item[i]);
	return false;
}

/* May it come from this address? It may from any if none is configured. */
static bool comes_from(const struct connection *connection, const struct request *request)
{
	const struct texts *addrs = &connection->local_addrs;
	struct selector selector;
	bool any = !addrs->count;
	size_t i;

	for (i = 0; i < addrs->count && !any; i++) {
		memset(&selector, 0, sizeof(selector));
		selector.last_port = UINT16_MAX;
		any = !strncmp(addrs->item[i], "%any", 4) ||
		      (selector_addresses(addrs->item[i], &selector) &&
		       selector_covers(&selector, request->family, request->local,
				       request->protocol, request->local_port));
	}
	return any;
}

/* The narrowest of an end's selectors that covers it. */
static bool covers(const struct texts *selectors, const struct request *request,
		   const uint8_t *address, uint16_t port, unsigned int *width)
{
	struct selector selector;
	bool any = false;
	size_t i;

	for (i = 0; i < selectors->count; i++) {
		if (!selector_parse(selectors->item[i], &selector) ||
		    !selector_covers(&selector, request->family, address, request->protocol,
				     port))
			continue;
		if (!any || selector_width(&selector) < *width)
			*width = selector_width(&selector);
		any = true;
	}
	return any;
}

static bool protects(const struct child_config *child)
{
	return child->mode && (!strcasecmp(child->mode, "TRANSPORT") ||
			       !strcasecmp(child->mode, "TUNNEL") ||
			       !strcasecmp(child->mode, "BEET"));
}

static bool child_covers(const struct child_config *child, const struct request *request,
			 unsigned int *width)
{
	unsigned int local, remote;

	if (!protects(child) ||
	    !covers(&child->local, request, request->local, request->local_port, &local) ||
	    !covers(&child->remote, request, request->peer, request->peer_port, &remote))
		return false;
	*width = local + remote;
	return true;
}

/* ------------------------------------------------------------------------- peers */

/* What is known of one counts more than what is not known of others. */
static enum request_fit any_name(const char *required, const struct texts *names)
{
	enum request_fit fit = required ? REQUEST_FIT_MAYBE : REQUEST_FIT_YES;
	size_t i;

	for (i = 0; i < names->count && fit != REQUEST_FIT_YES; i++)
		fit = request_fits_name(required, names->item[i]);
	return fit;
}

static enum request_fit worse(enum request_fit a, enum request_fit b)
{
	return a < b ? a : b;
}

static enum request_fit fits_peer(const struct connection *connection,
				  const struct request *request)
{
	const struct round *round = connection_deciding_round(&connection->remote);
	bool user = round->auth.class == AUTH_CLASS_EAP || round->auth.class == AUTH_CLASS_XAUTH;
	/* with these, who it is said to be is a name that is not configured here */
	const char *id = user ? NULL : round->id;
	enum request_fit fit;

	fit = request_fits_id(request, id ? ike_id_type(id) : IKE_ID_ANY, id);
	fit = worse(fit, any_name(request->who.ca_dn, &round->cas));
	fit = worse(fit, any_name(request->who.certificate_dn, &round->certs));
	if ((request->itoken_given || request->who.pubkey_id) && fit == REQUEST_FIT_YES)
		fit = REQUEST_FIT_MAYBE;
	return fit;
}

static uint32_t methods_of(const struct connection *connection, const struct config *config)
{
	const struct round *round = connection_deciding_round(&connection->remote);

	return mapping_methods(round->auth.class,
			       config_lists(config->unique_psk, connection->name) &&
			       mapping_id_specific(round->id));
}

/* ------------------------------------------------------------------------ choice */

static bool better(const struct candidate *a, const struct candidate *b)
{
	int order;

	if (!b->connection || a->fit != b->fit)
		return !b->connection || a->fit > b->fit;
	if (a->width != b->width)
		return a->width < b->width;
	order = strcmp(a->connection->name, b->connection->name);
	return order ? order < 0 : strcmp(a->child->name, b->child->name) < 0;
}

static bool nameable(const struct candidate *candidate)
{
	return strlen(candidate->connection->name) <= TARGET_NAME_MAX &&
	       strlen(candidate->child->name) <= TARGET_NAME_MAX;
}

/**
 * choice_pick() - choose for a request
 * @config: ours
 * @request: what is required
 * @target: set to what was chosen
 *
 * Return: IPSEC_REQUEST_REASON_NONE if something was; otherwise METHOD or
 * IDENTITY if it is only that which does not fit, or else NO_SA.
 */
enum ipsec_request_reason choice_pick(const struct config *config, const struct request *request,
				      struct target *target)
{
	enum ipsec_request_reason reason = IPSEC_REQUEST_REASON_NO_SA;
	struct candidate best = { 0 }, next;

	for (next.connection = connections; next.connection;
	     next.connection = next.connection->next) {
		if (!reaches(next.connection, request) || !comes_from(next.connection, request) ||
		    !config_may_begin(config, next.connection->name))
			continue;
		next.fit = fits_peer(next.connection, request);
		for (next.child = next.connection->child; next.child;
		     next.child = next.child->next) {
			if (!nameable(&next) || !child_covers(next.child, request, &next.width))
				continue;
			if (next.fit == REQUEST_FIT_NO)
				reason = IPSEC_REQUEST_REASON_IDENTITY;
			else if (!request_accepts(request, methods_of(next.connection, config)))
				reason = IPSEC_REQUEST_REASON_METHOD;
			else if (better(&next, &best))
				best = next;
		}
	}
	if (!best.connection)
		return reason;
	snprintf(target->connection, sizeof(target->connection), "%s", best.connection->name);
	snprintf(target->part, sizeof(target->part), "%s", best.child->name);
	return IPSEC_REQUEST_REASON_NONE;
}
