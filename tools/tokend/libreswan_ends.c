// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two ends of a connection, as whack prints them on the first line of it:
 *
 *	NET===HOST[IDENTITY]---HOP...HOP---HOST[IDENTITY]===NET; STATE
 *
 * where all but the hosts may be missing, a host may be followed by the name that
 * it was found by, as <NAME>, and NET is ADDRESS/BITS or ADDRESS/BITS:PROTOCOL/PORTS.
 * STATE says whether there is a policy in the kernel. The remote host of a connection
 * for any peer of a group is %opportunistic.
 *
 * Identities may have anything in them. What looks like more than one of what there
 * is one of is not taken for anything.
 */
#include <stdlib.h>
#include <string.h>

#include "libreswan_status.h"
#include "log.h"
#include "text.h"

/* NET, or the host alone */
static bool traffic_read(char *net, const char *host, struct selector *selector)
{
	char *protocol, *ports;

	memset(selector, 0, sizeof(*selector));
	selector->last_port = UINT16_MAX;
	if (!net)
		return selector_addresses(host, selector);
	protocol = strchr(net, '/');
	if (!protocol)
		return false;
	protocol = text_cut(protocol, ":");
	ports = text_cut(protocol, "/");
	return selector_addresses(net, selector) &&
	       (!protocol || selector_protocol(protocol, selector)) &&
	       (!ports || selector_ports(ports, protocol, selector));
}

static void end_set(struct pluto_end *end, char *net, const char *host)
{
	struct selector one;

	memset(&one, 0, sizeof(one));
	/* a host may be an address or the like of %any */
	if (end->host || !selector_addresses(host, &one) || !one.family ||
	    memcmp(one.first, one.last, sizeof(one.first)))
		return;
	if (traffic_read(net, host, &end->traffic))
		end->host = xstrdup(host);
}

static void opportunistic_set(struct pluto_connection *connection, char *net, const char *host)
{
	if (!connection->remote.host && net && !strcmp(host, "%opportunistic"))
		connection->opportunistic = traffic_read(net, host, &connection->remote.traffic);
}

/* What is behind the identity, or behind the host without one. */
static char *identity_skip(char *end)
{
	char *bracket = strrchr(end, ']');

	return bracket ? bracket + 1 : end;
}

/**
 * pluto_ends_read() - read what a connection is between
 * @connection: its ends are set if they are told
 * @text: what whack prints of them; is changed
 */
void pluto_ends_read(struct pluto_connection *connection, char *text)
{
	char *local = text, *remote = text_cut(text, "..."), *local_net, *remote_net, *host;
	char *state;

	if (!remote || strstr(remote, "..."))
		return;
	state = text_cut(identity_skip(remote), "; ");
	if (!state)
		return;
	connection->routed = !text_behind(state, "unrouted;");
	/* in front of the host, if at all */
	host = text_cut(local, "===");
	local_net = host ? local : NULL;
	local = host ? host : local;
	local[strcspn(local, "[<-")] = '\0';

	remote_net = text_cut(identity_skip(remote), "===");
	host = strstr(remote, "---");
	if (host && host < remote + strcspn(remote, "[<"))
		remote = host + strlen("---");
	remote[strcspn(remote, "[<")] = '\0';

	end_set(&connection->local, local_net, local);
	end_set(&connection->remote, remote_net, remote);
	opportunistic_set(connection, remote_net, remote);
}
