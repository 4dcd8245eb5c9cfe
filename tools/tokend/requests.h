/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The requests that wait, and the negotiations that they wait for.
 */
#ifndef TOKEND_REQUESTS_H
#define TOKEND_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "request.h"

/* that wait at the same time: of all users, and of each */
#define REQUESTS_MAX 1024
#define REQUESTS_USER_MAX 128

/* bytes of a name of a connection or of a part of it */
#define TARGET_NAME_MAX 255

/**
 * struct target - what a source can negotiate
 * @connection: name of the connection
 * @part: name of the part of it that SAs are made for, "": all of it
 */
struct target {
	char connection[TARGET_NAME_MAX + 1];
	char part[TARGET_NAME_MAX + 1];
};

/**
 * struct requests_ops - who answers, and who negotiates
 * @result: tell the kernel how it ended
 * @sources: how many sources there are, to be asked one after the other
 * @choose: have a source say, by requests_choose(), what it has for those that
 *	wait for it, not at once; returns NULL, or why it can't, "" if it is not
 *	worth a word
 * @negotiate: have a source begin, and call requests_ended() in the end, which
 *	is at once or later; in this many milliseconds at most
 *
 * Sources are numbered in the order in which they are asked.
 */
struct requests_ops {
	void (*result)(uint64_t id, enum ipsec_request_reason reason, const char *text);
	size_t sources;
	const char *(*choose)(size_t source);
	void (*negotiate)(size_t source, const struct target *target, uint32_t timeout_ms);
};

/**
 * typedef requests_pick_t - what a source has for a request
 * @data: as given
 * @request: what is required
 * @target: set if there is something
 *
 * Return: IPSEC_REQUEST_REASON_NONE if there is something, or why not: NO_SA,
 * METHOD or IDENTITY.
 */
typedef enum ipsec_request_reason (*requests_pick_t)(void *data, const struct request *request,
						      struct target *target);

void requests_init(const struct requests_ops *ops);
void requests_exit(void);
void requests_config(const struct config *config);

/* what the kernel says */
void requests_add(struct request *request);
void requests_forget(void);

/* what sources say */
bool requests_ask(size_t source);
void requests_choose(size_t source, requests_pick_t pick, void *data);
void requests_ended(size_t source, const struct target *target,
		    enum ipsec_request_reason reason, const char *text);
void requests_lost(size_t source, const char *text);

int64_t requests_deadline(void);
void requests_tick(void);

/* how many there are */
size_t requests_count(void);
size_t requests_negotiations(void);

#endif /* TOKEND_REQUESTS_H */
