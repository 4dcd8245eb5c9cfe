/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source of identities: something that knows who is behind SAs, and calls
 * sas_identify() when it finds out. It can also negotiate SAs, when an
 * application requires them.
 *
 * All functions are called from the one loop of main.c and do not block.
 */
#ifndef TOKEND_SOURCE_H
#define TOKEND_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "config.h"
#include "requests.h"

/* in the order in which they are asked to negotiate */
enum source_number {
	SOURCE_STRONGSWAN,
	SOURCE_LIBRESWAN,
	SOURCES
};

struct source;

/**
 * struct source_ops - what a source can do
 * @name: of it, as it is told to the kernel
 * @wanted: whether it is enabled
 * @open: begin; whatever the source talks with need not be there
 * @close: end, and free it
 * @reload: the configuration was replaced, and the former one will be freed
 * @fd: what to poll, -1: nothing
 * @events: what to poll it for
 * @ready: there is something
 * @deadline: when to call @tick, in milliseconds of CLOCK_MONOTONIC, INT64_MAX: never
 * @tick: the time has come
 * @resync: tell again of all SAs there are: some are not known, or some news
 *	was lost
 * @choose: call requests_choose() later, with what is there; returns NULL, or why
 *	that is not possible
 * @negotiate: see struct requests_ops
 */
struct source_ops {
	const char *name;
	bool (*wanted)(const struct config *config);
	struct source *(*open)(const struct config *config);
	void (*close)(struct source *source);
	void (*reload)(struct source *source, const struct config *config);
	int (*fd)(const struct source *source);
	short (*events)(const struct source *source);
	void (*ready)(struct source *source);
	int64_t (*deadline)(const struct source *source);
	void (*tick)(struct source *source);
	void (*resync)(struct source *source);
	const char *(*choose)(struct source *source);
	void (*negotiate)(struct source *source, const struct target *target,
			  uint32_t timeout_ms);
};

extern const struct source_ops strongswan_source;
extern const struct source_ops libreswan_source;

/**
 * now_ms() - the time
 *
 * Return: milliseconds of CLOCK_MONOTONIC.
 */
static inline int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

#endif /* TOKEND_SOURCE_H */
