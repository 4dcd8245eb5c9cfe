// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of pluto's connections would do for a request.
 *
 * The rule is the one of strongswan_choice.c. pluto connects with the host that
 * the connection names, so that has to be the peer; templates and their instances,
 * which wait for peers to come, are passed over.
 *
 * But for opportunistic ones: pluto can be told of any two hosts that it is to
 * negotiate between, if it has a policy in the kernel for them. Mostly the packets
 * themselves make it do that. They don't where it has let them pass in clear
 * meanwhile, or afterwards, as it does with groups like "private-or-clear".
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../credential.h"
#include "libreswan_choice.h"
#include "libreswan_evidence.h"

static bool end_covers(const struct pluto_end *end, const struct request *request,
		       const uint8_t *address, uint16_t port)
{
	return selector_covers(&end->traffic, request->family, address, request->protocol, port);
}

static bool reaches_peer(const struct pluto_connection *connection,
			 const struct request *request)
{
	if (connection->opportunistic)
		return connection->routed;
	return connection->remote.host &&
	       request_address_is(request, request->peer, connection->remote.host);
}

static bool connection_covers(const struct pluto_connection *connection,
			      const struct request *request)
{
	const struct pluto_end *local = &connection->local, *remote = &connection->remote;

	return !connection->instance && connection->protects && local->host &&
	       reaches_peer(connection, request) &&
	       end_covers(local, request, request->local, request->local_port) &&
	       end_covers(remote, request, request->peer, request->peer_port);
}

static unsigned int width(const struct pluto_connection *connection)
{
	return selector_width(&connection->local.traffic) +
	       selector_width(&connection->remote.traffic);
}

static enum request_fit fits_peer(const struct pluto_connection *connection,
				  const struct request *request)
{
	const struct pluto_end *end = &connection->remote;
	const struct identity_end *who = &request->who;
	bool proved = pluto_class_of(connection, end) != AUTH_CLASS_NULL;
	bool named = end->id && end->id_type != IKE_ID_ANY;
	enum request_fit fit, ca;

	/* who proves nothing has no name */
	if (!proved && (who->id || who->ca_dn || who->certificate_dn || who->pubkey_id))
		return REQUEST_FIT_NO;
	fit = request_fits_id(request, end->id_type, named ? pluto_plain_id(end) : NULL);
	ca = request_fits_name(who->ca_dn, end->ca);
	if (ca < fit)
		fit = ca;
	/* which key and certificate the peer has is not told beforehand */
	if ((request->itoken_given || who->pubkey_id || who->certificate_dn) &&
	    fit == REQUEST_FIT_YES)
		fit = REQUEST_FIT_MAYBE;
	return fit;
}

static uint32_t methods_of(const struct pluto_connection *connection,
			   const struct config *config)
{
	return mapping_methods(pluto_class_of(connection, &connection->remote),
			       config_lists(config->pluto_unique_psk, connection->name) &&
			       connection->remote.id_type != IKE_ID_ANY);
}

/* An opportunistic connection has the name of its group, and then the net. */
static bool may_begin(const struct pluto_connection *connection, const struct config *config)
{
	char group[TARGET_NAME_MAX + 1];

	if (!connection->opportunistic)
		return config_may_begin(config, connection->name);
	snprintf(group, sizeof(group), "%.*s", (int)strcspn(connection->name, "#"),
		 connection->name);
	return config_may_begin(config, group);
}

/* Between which two hosts, and for what traffic if not for all. */
static void part_of(const struct pluto_connection *connection, const struct request *request,
		    char *part, size_t size)
{
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];

	inet_ntop(request->family, request->local, local, sizeof(local));
	inet_ntop(request->family, request->peer, peer, sizeof(peer));
	if (connection->local.traffic.protocol || connection->remote.traffic.protocol)
		snprintf(part, size, "%s %s %u %u %u", local, peer, request->protocol,
			 request->local_port, request->peer_port);
	else
		snprintf(part, size, "%s %s", local, peer);
}

/**
 * pluto_pick() - choose for a request
 * @config: ours
 * @status: connections, in the order of their names
 * @request: what is required
 * @target: set to what was chosen
 *
 * Return: as requests_pick_t.
 */
enum ipsec_request_reason pluto_pick(const struct config *config,
				     const struct pluto_status *status,
				     const struct request *request, struct target *target)
{
	enum ipsec_request_reason reason = IPSEC_REQUEST_REASON_NO_SA;
	const struct pluto_connection *connection, *best = NULL;
	enum request_fit fit, best_fit = REQUEST_FIT_NO;
	size_t i;

	for (i = 0; i < status->connections; i++) {
		connection = &status->connection[i];
		if (!connection_covers(connection, request) ||
		    strlen(connection->name) > TARGET_NAME_MAX ||
		    !may_begin(connection, config))
			continue;
		fit = fits_peer(connection, request);
		if (fit == REQUEST_FIT_NO) {
			reason = IPSEC_REQUEST_REASON_IDENTITY;
		} else if (!request_accepts(request, methods_of(connection, config))) {
			reason = IPSEC_REQUEST_REASON_METHOD;
		} else if (fit > best_fit ||
			   (fit == best_fit && width(connection) < width(best))) {
			best = connection;
			best_fit = fit;
		}
	}
	if (!best)
		return reason;
	snprintf(target->connection, sizeof(target->connection), "%s", best->name);
	target->part[0] = '\0';
	if (best->opportunistic)
		part_of(best, request, target->part, sizeof(target->part));
	return IPSEC_REQUEST_REASON_NONE;
}
