// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection as charon has it configured, and tells of it in the event
 * list-conn.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "strongswan_connection.h"

/* --------------------------------------------------------------------- reading */

static void texts_free(struct texts *texts)
{
	size_t i;

	for (i = 0; i < texts->count; i++)
		free(texts->item[i]);
	free(texts->item);
}

static void texts_read(const struct vici_node *section, const char *name, struct texts *texts)
{
	const struct vici_node *list = vici_list(section, name), *item;
	size_t count = 0;

	for (item = list ? list->first : NULL; item; item = item->next)
		count++;
	texts->item = xcalloc(count + 1, sizeof(*texts->item));
	texts->count = 0;
	for (item = list ? list->first : NULL; item; item = item->next)
		texts->item[texts->count++] = xstrdup(item->value);
}

static void end_clear(struct end *end)
{
	size_t i;

	for (i = 0; i < end->rounds; i++) {
		struct round *round = &end->round[i];

		free(round->id);
		free(round->user);
		free(round->eap_type);
		free(round->xauth);
		texts_free(&round->certs);
		texts_free(&round->cas);
	}
}

static void round_read(const struct vici_node *section, struct round *round)
{
	const char *user = vici_string(section, "eap_id");

	memset(round, 0, sizeof(*round));
	if (!user)
		user = vici_string(section, "xauth_id");
	round->id = xstrdup(vici_string(section, "id"));
	round->user = xstrdup(user);
	round->eap_type = xstrdup(vici_string(section, "eap-type"));
	/* a vendor's own type has a number that means something else */
	if (vici_value(section, "eap-vendor")) {
		free(round->eap_type);
		round->eap_type = NULL;
	}
	round->xauth = xstrdup(vici_string(section, "xauth"));
	round->auth.class = mapping_class(vici_string(section, "class"));
	round->auth.eap_type = round->eap_type;
	round->auth.xauth = round->xauth;
	texts_read(section, "certs", &round->certs);
	texts_read(section, "cacerts", &round->cas);
}

static void end_read(const struct vici_node *section, const char *prefix, struct end *end)
{
	const struct vici_node *node;

	for (node = section->first; node; node = node->next) {
		if (node->type != VICI_SECTION_START ||
		    strncmp(node->name, prefix, strlen(prefix)))
			continue;
		/* a round that is not looked at must not be overlooked */
		if (end->rounds == ROUNDS_MAX)
			end->round[0].auth.class = AUTH_CLASS_ANY;
		else
			round_read(node, &end->round[end->rounds++]);
	}
}

static void children_read(const struct vici_node *section, struct connection *connection)
{
	const struct vici_node *children = vici_section(section, "children"), *node;
	struct child_config *child;

	for (node = children ? children->first : NULL; node; node = node->next) {
		if (node->type != VICI_SECTION_START)
			continue;
		child = xcalloc(1, sizeof(*child));
		child->name = xstrdup(node->name);
		child->mode = xstrdup(vici_string(node, "mode"));
		texts_read(node, "local-ts", &child->local);
		texts_read(node, "remote-ts", &child->remote);
		child->next = connection->child;
		connection->child = child;
	}
}

/**
 * connection_read() - read a connection
 * @message: of event list-conn
 *
 * Return: the connection, NULL if there is none.
 */
struct connection *connection_read(const struct vici_message *message)
{
	const struct vici_node *section = message->root.first;
	struct connection *connection;

	if (!section || section->type != VICI_SECTION_START)
		return NULL;
	connection = xcalloc(1, sizeof(*connection));
	connection->name = xstrdup(section->name);
	end_read(section, "local-", &connection->local);
	end_read(section, "remote-", &connection->remote);
	texts_read(section, "local_addrs", &connection->local_addrs);
	texts_read(section, "remote_addrs", &connection->remote_addrs);
	children_read(section, connection);
	return connection;
}

/**
 * connection_free() - free a connection
 * @connection: or NULL
 */
void connection_free(struct connection *connection)
{
	struct child_config *child;

	if (!connection)
		return;
	while ((child = connection->child)) {
		connection->child = child->next;
		free(child->name);
		free(child->mode);
		texts_free(&child->local);
		texts_free(&child->remote);
		free(child);
	}
	end_clear(&connection->local);
	end_clear(&connection->remote);
	texts_free(&connection->local_addrs);
	texts_free(&connection->remote_addrs);
	free(connection->name);
	free(connection);
}

/* --------------------------------------------------------------------- meaning */

/**
 * connection_deciding_round() - the round that says how an end is authenticated
 * @end: of a connection
 *
 * Return: the round, one of class AUTH_CLASS_ANY if it cannot be told.
 */
const struct round *connection_deciding_round(const struct end *end)
{
	static const struct round none = { .auth = { .class = AUTH_CLASS_ANY } };
	struct auth_round auth[ROUNDS_MAX];
	const struct auth_round *found;
	size_t i;

	for (i = 0; i < end->rounds; i++)
		auth[i] = end->round[i].auth;
	found = mapping_round(auth, end->rounds);
	for (i = 0; i < end->rounds; i++)
		if (found == &auth[i])
			return &end->round[i];
	return &none;
}
