/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection as charon has it configured.
 */
#ifndef TOKEND_STRONGSWAN_CONNECTION_H
#define TOKEND_STRONGSWAN_CONNECTION_H

#include <stddef.h>

#include "mapping.h"
#include "vici_message.h"

/* rounds of authentication of one end; charon itself has no limit */
#define ROUNDS_MAX 8

/**
 * struct texts - a list of texts
 * @item: each of them
 * @count: how many
 */
struct texts {
	char **item;
	size_t count;
};

/**
 * struct round - one round, as it is configured
 * @auth: what mapping.c looks at, points to the strings below
 * @id: identity it is for
 * @user: name that this end gives, with EAP or XAuth
 * @eap_type: of EAP
 * @xauth: name of the XAuth backend
 * @certs: subjects of the certificates and keys it is for
 * @cas: subjects of the CAs it is for
 */
struct round {
	struct auth_round auth;
	char *id;
	char *user;
	char *eap_type;
	char *xauth;
	struct texts certs;
	struct texts cas;
};

struct end {
	struct round round[ROUNDS_MAX];
	size_t rounds;
};

/**
 * struct child_config - what CHILD SAs are made of
 * @next: of the same connection
 * @name: of it
 * @mode: TRANSPORT, TUNNEL and the like
 * @local: traffic selectors of this end
 * @remote: traffic selectors of the peer
 */
struct child_config {
	struct child_config *next;
	char *name;
	char *mode;
	struct texts local;
	struct texts remote;
};

/**
 * struct connection - a connection
 * @next: in a list
 * @name: of it
 * @local: how this end proves who it is
 * @remote: how the peer has to
 * @local_addrs: of this end
 * @remote_addrs: of the peer
 * @child: its CHILD SAs
 */
struct connection {
	struct connection *next;
	char *name;
	struct end local;
	struct end remote;
	struct texts local_addrs;
	struct texts remote_addrs;
	struct child_config *child;
};

struct connection *connection_read(const struct vici_message *message);
void connection_free(struct connection *connection);
const struct round *connection_deciding_round(const struct end *end);

#endif /* TOKEND_STRONGSWAN_CONNECTION_H */
