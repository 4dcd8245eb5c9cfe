/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections that pluto was asked to initiate.
 */
#ifndef TOKEND_LIBRESWAN_INITIATION_H
#define TOKEND_LIBRESWAN_INITIATION_H

#include "config.h"
#include "libreswan_status.h"
#include "requests.h"

struct whack_initiation;

/**
 * struct whack_initiations - all of them
 * @first: of the list
 * @epoll: to wait for programs
 */
struct whack_initiations {
	struct whack_initiation *first;
	int epoll;
};

int whack_initiation_begin(struct whack_initiations *all, const struct config *config,
			   const struct target *target, uint32_t timeout_ms);
bool whack_initiations_ready(struct whack_initiations *all);
void whack_initiations_look(struct whack_initiations *all, const struct pluto_status *status);
int64_t whack_initiations_deadline(const struct whack_initiations *all);
bool whack_initiations_tick(struct whack_initiations *all);
void whack_initiations_clear(struct whack_initiations *all);

enum ipsec_request_reason whack_verdict(const char *text, size_t len, char *words, size_t size);

#endif /* TOKEND_LIBRESWAN_INITIATION_H */
