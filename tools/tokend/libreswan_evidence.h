/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How pluto authenticated an IKE SA: what its status and the certificates in
 * its NSS database say of that.
 */
#ifndef TOKEND_LIBRESWAN_EVIDENCE_H
#define TOKEND_LIBRESWAN_EVIDENCE_H

#include "config.h"
#include "identity.h"
#include "libreswan_status.h"

#define LIBRESWAN_NAME "libreswan"

/**
 * struct nickname - certificates in the NSS database that have one name
 * @next: in the list
 * @name: of them
 * @read: the database was asked
 * @ca: pluto takes them for those of CAs
 * @credential: the certificates
 * @credentials: how many
 */
struct nickname {
	struct nickname *next;
	char *name;
	bool read;
	bool ca;
	struct credential **credential;
	size_t credentials;
};

/**
 * struct nicknames - those that are needed to tell who is behind IKE SAs
 * @first: in the list
 */
struct nicknames {
	struct nickname *first;
};

void nicknames_want(struct nicknames *nicknames, const struct pluto_status *status,
		    const struct pluto_connection *connection);
struct nickname *nicknames_next(const struct nicknames *nicknames);
void nickname_read(struct nickname *nickname, const char *text, size_t len);
void nicknames_clear(struct nicknames *nicknames);

enum auth_class pluto_class_of(const struct pluto_connection *connection,
			       const struct pluto_end *end);
const char *pluto_plain_id(const struct pluto_end *end);
struct identity *pluto_identity(const struct pluto_status *status,
				const struct nicknames *nicknames, const struct pluto_state *ike,
				const struct config *config);

#endif /* TOKEND_LIBRESWAN_EVIDENCE_H */
