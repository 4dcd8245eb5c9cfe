/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys that peers were first seen with.
 */
#ifndef TOKEND_KNOWN_H
#define TOKEND_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum known {
	KNOWN_NEW,		/* the peer was not seen before */
	KNOWN_SEEN,
	KNOWN_CHANGED,		/* the peer was seen with another key */
	KNOWN_ERROR,		/* it cannot be told */
};

/**
 * struct known_peer - a line of the file
 * @next: in the order of the file
 * @id_type: type of its IKE identity
 * @id: its IKE identity
 * @pubkey_id: of the key that it was first seen with
 * @since: when that was, in seconds since the epoch
 */
struct known_peer {
	struct known_peer *next;
	uint8_t id_type;
	char *id;
	char *pubkey_id;
	int64_t since;
};

enum known known_look(const char *path, uint8_t id_type, const char *id, const char *pubkey_id,
		      int64_t before);
enum known known_check(const char *path, uint8_t id_type, const char *id,
		       const char *pubkey_id);

/* for administrators */
int known_read(const char *path, struct known_peer **peers, unsigned int *line);
void known_free(struct known_peer *peers);
int known_remove(const char *path, bool (*unwanted)(const struct known_peer *peer, void *data),
		 void *data, size_t *removed, unsigned int *line);

#endif /* TOKEND_KNOWN_H */
