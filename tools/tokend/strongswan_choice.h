/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of charon's connections would do for a request.
 */
#ifndef TOKEND_STRONGSWAN_CHOICE_H
#define TOKEND_STRONGSWAN_CHOICE_H

#include "config.h"
#include "requests.h"
#include "vici_message.h"

void choice_clear(void);
void choice_connection(const struct vici_message *message);
enum ipsec_request_reason choice_pick(const struct config *config, const struct request *request,
				      struct target *target);

#endif /* TOKEND_STRONGSWAN_CHOICE_H */
