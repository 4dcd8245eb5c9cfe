/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what a keying daemon tells to what may be claimed.
 */
#ifndef TOKEND_MAPPING_H
#define TOKEND_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/ipsec_token.h>

#include "known.h"

/* what a connection asks of an end, round by round */
enum auth_class {
	AUTH_CLASS_ANY,			/* or not told */
	AUTH_CLASS_PUBKEY,
	AUTH_CLASS_PSK,
	AUTH_CLASS_EAP,
	AUTH_CLASS_XAUTH,
	AUTH_CLASS_NULL,
};

/**
 * struct auth_round - one round of authentication, as it is configured
 * @class: what it asks for
 * @eap_type: of an EAP round, NULL: not told
 * @xauth: name of the XAuth backend, NULL: not told
 */
struct auth_round {
	enum auth_class class;
	const char *eap_type;
	const char *xauth;
};

/* which certificates or keys the end may have used */
enum key_evidence {
	KEY_NONE,			/* not found */
	KEY_CERTIFICATE,		/* one certificate */
	KEY_CERTIFICATES,		/* several of one subject and CA */
	KEY_RAW,			/* one public key */
	KEY_VOUCHED,			/* some certificate by a CA that is trusted */
	KEY_AMBIGUOUS,			/* it cannot be told */
};

/**
 * struct evidence - what is known of how an end was authenticated
 * @class: of the round that decides
 * @eap_proves_user: the EAP method proves the name that is given outside it
 * @secret_unique: an administrator says that only this end has the secret
 * @id_specific: the connection is for one identity only
 * @key: what it may have used
 * @pinned: the connection names that certificate or key
 * @fetched: certificates may have come from elsewhere than the peer
 * @known: of a raw key
 */
struct evidence {
	enum auth_class class;
	bool eap_proves_user;
	bool secret_unique;
	bool id_specific;
	enum key_evidence key;
	bool pinned;
	bool fetched;
	enum known known;
};

/* what the iToken is derived of */
enum token_kind {
	TOKEN_PKIX,
	TOKEN_VOUCHED,
	TOKEN_KEY,
	TOKEN_ID,
	TOKEN_USER,
	TOKEN_RANDOM,
};

/**
 * struct claim - what may be claimed
 * @method: how the end was authenticated
 * @token: what its iToken is derived of
 * @note: for the auditString, NULL: nothing to be said
 */
struct claim {
	enum ipsec_auth_method method;
	enum token_kind token;
	const char *note;
};

enum auth_class mapping_class(const char *name);
const struct auth_round *mapping_round(const struct auth_round *rounds, size_t count);
bool mapping_eap_proves_user(const char *eap_type);
bool mapping_id_specific(const char *id);
struct claim mapping_claim(const struct evidence *evidence);
uint32_t mapping_methods(enum auth_class class, bool secret_unique);

#endif /* TOKEND_MAPPING_H */
