/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IKE SAs and CHILD SAs that charon has.
 */
#ifndef TOKEND_STRONGSWAN_SAS_H
#define TOKEND_STRONGSWAN_SAS_H

#include "config.h"
#include "identity.h"
#include "vici_message.h"

/* their numbers are given out one after the other */
#define IKES_BUCKETS 4096

/**
 * struct child - a CHILD SA, or the former SAs of one that was rekeyed
 * @next: of the same IKE SA
 * @name: of its configuration
 * @protocol: ESP or AH
 * @mode: TUNNEL, TRANSPORT and the like
 * @spi_in: in host byte order
 * @spi_out: in host byte order
 * @mark_in: of its policies, and perhaps of the SA
 * @mark_out: of the SA
 * @listed: in the list of SAs that is being read
 */
struct child {
	struct child *next;
	char *name;
	char *protocol;
	char *mode;
	uint32_t spi_in;
	uint32_t spi_out;
	uint32_t mark_in;
	uint32_t mark_out;
	bool listed;
};

/**
 * struct ike - an IKE SA
 * @next: in its bucket
 * @id: its uniqueid
 * @connection: name of its configuration
 * @version: of IKE
 * @local_host: address of this end
 * @remote_host: address of the peer
 * @local_id: IKE identity of this end
 * @remote_id: IKE identity of the peer
 * @remote_user: name of the user, or NULL
 * @established: see struct ike_facts
 * @identity: who is behind it, NULL: to be found out
 * @asked: connections and certificates are being asked for
 * @listed: in the list of SAs that is being read
 * @child: its CHILD SAs
 */
struct ike {
	struct ike *next;
	uint32_t id;
	char *connection;
	char *version;
	char *local_host;
	char *remote_host;
	char *local_id;
	char *remote_id;
	char *remote_user;
	int64_t established;
	struct identity *identity;
	bool asked;
	bool listed;
	struct child *child;
};

/**
 * struct ikes - all IKE SAs
 * @bucket: by their ids
 * @waiting: one with CHILD SAs may not be identified yet
 */
struct ikes {
	struct ike *bucket[IKES_BUCKETS];
	bool waiting;
};

struct ike *ikes_first(const struct ikes *ikes);
struct ike *ikes_next(const struct ikes *ikes, const struct ike *ike);
void ikes_clear(struct ikes *ikes);

struct ike *ike_find(const struct ikes *ikes, uint32_t id);
struct ike *ike_read(struct ikes *ikes, const char *connection, const struct vici_node *section);
void ike_remove(struct ikes *ikes, uint32_t id);
void ike_replace(struct ikes *ikes, struct ike *old, struct ike *new);
void ike_identify(struct ike *ike, const struct config *config);

struct child *child_read(struct ikes *ikes, struct ike *ike, const char *name,
			 const struct vici_node *section);
void child_remove(struct ike *ike, const struct vici_node *section);
void child_identify(const struct ike *ike, const struct child *child);

void ikes_list_begin(struct ikes *ikes);
void ikes_list_end(struct ikes *ikes, const struct config *config);

#endif /* TOKEND_STRONGSWAN_SAS_H */
