/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One end, as an administrator tells of it.
 */
#ifndef IPSEC_TOOL_END_H
#define IPSEC_TOOL_END_H

#include "credential.h"
#include "tokend/claim.h"

/* who tells, in the words of the kernel */
#define BY_HAND "by hand"

/* certificates of one end, and files with CAs */
#define FILES_MAX 8

/* fields, each named in word_names[] */
enum word { METHOD, CERT, KEY, CA, ID, ID_TYPE, AUDIT, WORDS };

/**
 * struct words - what is said of one end
 * @prefix: of its fields
 * @value: by enum word
 * @file: of fields that may come several times
 * @files: how many of each
 */
struct words {
	const char *prefix;
	const char *value[WORDS];
	const char *file[WORDS][FILES_MAX];
	size_t files[WORDS];
};

extern const char *const word_names[WORDS];

/**
 * struct end - one end, on its way from words to an identity
 * @words: what is said of it
 * @method: enum ipsec_auth_method
 * @claim: that is made of it
 * @proof: that it is made from
 * @credentials: where @proof points to
 * @cas: likewise
 * @id: IKE identity, NULL: none
 * @printed: memory of it, or NULL
 */
struct end {
	const struct words *words;
	uint8_t method;
	struct claim claim;
	struct proof proof;
	struct credentials credentials;
	struct credentials cas;
	const char *id;
	char *printed;
};

int text_check(const char *prefix, const char *name, const char *text);
int end_derive(struct end *end, bool local, struct identity_end *identity);
void end_free(struct end *end);

#endif /* IPSEC_TOOL_END_H */
