/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keys that peers were first seen with.
 */
#ifndef TOKEND_KNOWN_H
#define TOKEND_KNOWN_H

#include <stdint.h>

enum known {
	KNOWN_NEW,		/* the peer was not seen before */
	KNOWN_SEEN,
	KNOWN_CHANGED,		/* the peer was seen with another key */
	KNOWN_ERROR,		/* it cannot be told */
};

enum known known_look(const char *path, uint8_t id_type, const char *id, const char *pubkey_id,
		      int64_t before);
enum known known_check(const char *path, uint8_t id_type, const char *id,
		       const char *pubkey_id);

#endif /* TOKEND_KNOWN_H */
