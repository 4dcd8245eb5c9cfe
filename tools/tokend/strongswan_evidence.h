/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How charon authenticated an IKE SA: what its configuration and its
 * certificates say of that.
 */
#ifndef TOKEND_STRONGSWAN_EVIDENCE_H
#define TOKEND_STRONGSWAN_EVIDENCE_H

#include <stdint.h>

#include "config.h"
#include "identity.h"
#include "vici_message.h"

#define STRONGSWAN_NAME "strongswan"

/**
 * struct ike_facts - what is told of an IKE SA itself
 * @connection: name of the connection it is of
 * @version: of IKE, "1" or "2"
 * @local_id: IKE identity of this end
 * @remote_id: IKE identity of the peer
 * @remote_user: name of the user, NULL: the same, or none
 * @established: when, in seconds of the wall clock, wrong by less than two;
 *	INT64_MAX: not told
 */
struct ike_facts {
	const char *connection;
	const char *version;
	const char *local_id;
	const char *remote_id;
	const char *remote_user;
	int64_t established;
};

void evidence_clear(void);
void evidence_connection(const struct vici_message *message);
void evidence_certificate(const struct vici_message *message);
struct identity *evidence_identity(const struct ike_facts *ike, const struct config *config);
void evidence_remember(const struct identity *identity, const struct config *config);

#endif /* TOKEND_STRONGSWAN_EVIDENCE_H */
