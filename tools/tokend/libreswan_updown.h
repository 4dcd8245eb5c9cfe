/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What pluto's updown script says: something happened at a connection.
 */
#ifndef TOKEND_LIBRESWAN_UPDOWN_H
#define TOKEND_LIBRESWAN_UPDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* where the script finds the agent, unless it is told otherwise */
#define UPDOWN_SOCKET "/run/ipsec-tokend/updown"

/* variables with their values; what does not fit is not ours */
#define UPDOWN_MAX 8192

/**
 * struct updown - what was said
 * @verb: what happened
 * @connection: name of the connection
 * @spi: of its SAs, in whichever order, in host byte order; 0: not told
 */
struct updown {
	char verb[32];
	char connection[256];
	uint32_t spi[2];
};

int updown_parse(const void *message, size_t len, struct updown *updown, const char **what);

int updown_open(const char *path);
int updown_read(int fd, struct updown *updown);

#endif /* TOKEND_LIBRESWAN_UPDOWN_H */
