/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IKE SAs that pluto has, and who is behind their CHILD SAs.
 */
#ifndef TOKEND_LIBRESWAN_SAS_H
#define TOKEND_LIBRESWAN_SAS_H

#include "config.h"
#include "identity.h"
#include "libreswan_evidence.h"
#include "libreswan_status.h"

/**
 * struct pluto_ike - what was found out of an IKE SA
 * @number: of the state
 * @connection: name of the connection
 * @instance: of the connection
 * @identity: who is behind it
 */
struct pluto_ike {
	unsigned long number;
	char *connection;
	unsigned int instance;
	struct identity *identity;
};

/**
 * struct pluto_ikes - what was found out of all IKE SAs
 * @ike: by their numbers
 * @count: how many
 * @fleeting: of one of them it could not be found out again
 */
struct pluto_ikes {
	struct pluto_ike *ike;
	size_t count;
	bool fleeting;
};

size_t pluto_ikes_unknown(const struct pluto_ikes *ikes, const struct pluto_status *status,
			  struct nicknames *nicknames);
void pluto_ikes_identify(struct pluto_ikes *ikes, const struct pluto_status *status,
			 const struct nicknames *nicknames, const struct config *config);
void pluto_ikes_clear(struct pluto_ikes *ikes);

#endif /* TOKEND_LIBRESWAN_SAS_H */
