/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of pluto's connections would do for a request.
 */
#ifndef TOKEND_LIBRESWAN_CHOICE_H
#define TOKEND_LIBRESWAN_CHOICE_H

#include "config.h"
#include "libreswan_status.h"
#include "requests.h"

enum ipsec_request_reason pluto_pick(const struct config *config,
				     const struct pluto_status *status,
				     const struct request *request, struct target *target);

#endif /* TOKEND_LIBRESWAN_CHOICE_H */
