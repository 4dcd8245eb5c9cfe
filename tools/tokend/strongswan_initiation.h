/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CHILD SAs that charon was asked to initiate.
 */
#ifndef TOKEND_STRONGSWAN_INITIATION_H
#define TOKEND_STRONGSWAN_INITIATION_H

#include "requests.h"
#include "strongswan_sas.h"
#include "vici_connection.h"

struct initiation;

/**
 * typedef initiation_end_t - called when one is over
 * @target: what was initiated
 * @reason: IPSEC_REQUEST_REASON_NONE if SAs are there, or why not
 * @text: for people, NULL: nothing to be said
 */
typedef void (*initiation_end_t)(const struct target *target, enum ipsec_request_reason reason,
				 const char *text);

/**
 * struct initiations - all of them
 * @first: of the list
 * @ikes: IKE SAs, which tell who is behind what comes
 * @end: called when one is over
 * @there: of what charon has said last that it has it already
 * @there_since: when it said so first
 * @there_times: how often it did since
 */
struct initiations {
	struct initiation *first;
	const struct ikes *ikes;
	initiation_end_t end;
	struct target there;
	int64_t there_since;
	unsigned int there_times;
};

int initiation_begin(struct initiations *all, const char *path, int epoll,
		     const struct target *target, uint32_t timeout_ms);
bool initiations_process(struct initiations *all, struct vici_connection *vici);
void initiations_look(struct initiations *all);
int64_t initiations_deadline(const struct initiations *all);
void initiations_tick(struct initiations *all);
void initiations_clear(struct initiations *all);

#endif /* TOKEND_STRONGSWAN_INITIATION_H */
