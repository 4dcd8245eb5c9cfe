// SPDX-License-Identifier: GPL-2.0-only
/*
 * The algorithms that an SA can name, and which of them protect anything.
 *
 * Trust is a set of places in the table below, one set per network namespace.
 * By default it lacks what RFC 8221 marks MUST NOT or SHOULD NOT, and CAST for
 * the reason that took out the others with blocks of 64 bits: too little data
 * under one key gives plaintext away.
 */
#include <linux/build_bug.h>
#include <linux/ipsec_token.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "algorithm.h"

#define ENCRYPTION	.class = IPSEC_ALGORITHM_ENCRYPTION
#define AUTHENTICATION	.class = IPSEC_ALGORITHM_AUTHENTICATION
#define AEAD		.class = IPSEC_ALGORITHM_AEAD

static const struct ipsec_algorithm algorithms[] = {
	[IPSEC_ALGORITHM_NOT_USED] = { "" },

	{ "ecb(cipher_null)", ENCRYPTION, .null = true },
	{ "cbc(des)", ENCRYPTION },
	{ "cbc(des3_ede)", ENCRYPTION },
	{ "cbc(cast5)", ENCRYPTION },
	{ "cbc(blowfish)", ENCRYPTION },
	{ "cbc(aes)", ENCRYPTION, .trusted = true },
	{ "cbc(serpent)", ENCRYPTION, .trusted = true },
	{ "cbc(camellia)", ENCRYPTION, .trusted = true },
	{ "cbc(twofish)", ENCRYPTION, .trusted = true },
	{ "cbc(sm4)", ENCRYPTION, .trusted = true },
	{ "rfc3686(ctr(aes))", ENCRYPTION, 32, .trusted = true },

	{ "rfc4106(gcm(aes))", AEAD, 32, .trusted = true },
	{ "rfc4309(ccm(aes))", AEAD, 24, .trusted = true },
	{ "rfc4543(gcm(aes))", AEAD, 32, .plain = true, .trusted = true },
	{ "rfc7539esp(chacha20,poly1305)", AEAD, 32, .trusted = true },

	{ "digest_null", AUTHENTICATION, .null = true },
	{ "hmac(md5)", AUTHENTICATION },
	{ "hmac(sha1)", AUTHENTICATION, .trusted = true },
	{ "hmac(sha256)", AUTHENTICATION, .trusted = true },
	{ "hmac(sha384)", AUTHENTICATION, .trusted = true },
	{ "hmac(sha512)", AUTHENTICATION, .trusted = true },
	{ "hmac(rmd160)", AUTHENTICATION, .trusted = true },
	{ "xcbc(aes)", AUTHENTICATION, .trusted = true },
	{ "cmac(aes)", AUTHENTICATION, .trusted = true },
	{ "hmac(sm3)", AUTHENTICATION, .trusted = true },

	/* what a later kernel may add: not known, so not trusted */
	{ "unknown encryption", ENCRYPTION },
	{ "unknown authentication", AUTHENTICATION },
};

#define UNKNOWN_AUTHENTICATION	(ARRAY_SIZE(algorithms) - 1)
#define UNKNOWN_ENCRYPTION	(ARRAY_SIZE(algorithms) - 2)

static_assert(ARRAY_SIZE(algorithms) <= 64);

/**
 * ipsec_algorithm_find - the place of an algorithm in the table
 * @name: as xfrm names it
 *
 * Return: the place, %IPSEC_ALGORITHM_NOT_USED if there is no such algorithm.
 */
u8 ipsec_algorithm_find(const char *name)
{
	u8 i;

	for (i = 1; i < UNKNOWN_ENCRYPTION; i++)
		if (!strcmp(algorithms[i].name, name))
			return i;
	return IPSEC_ALGORITHM_NOT_USED;
}

/**
 * ipsec_algorithm_find_sa - the place of an algorithm that an SA uses
 * @name: as the SA has it
 * @class: %IPSEC_ALGORITHM_AUTHENTICATION or another enum ipsec_algorithm_class
 *
 * Return: the place, that of an unknown algorithm if the table lacks @name.
 */
u8 ipsec_algorithm_find_sa(const char *name, enum ipsec_algorithm_class class)
{
	u8 i = ipsec_algorithm_find(name);

	if (i != IPSEC_ALGORITHM_NOT_USED)
		return i;
	return class == IPSEC_ALGORITHM_AUTHENTICATION ?
	       UNKNOWN_AUTHENTICATION : UNKNOWN_ENCRYPTION;
}

/**
 * ipsec_algorithm - an entry of the table
 * @index: from ipsec_algorithm_find() or below ipsec_algorithm_count()
 *
 * Return: the entry.
 */
const struct ipsec_algorithm *ipsec_algorithm(u8 index)
{
	return &algorithms[index];
}

/**
 * ipsec_algorithm_count - how many algorithms an administrator can name
 *
 * Return: one more than the last place; the first is 1.
 */
u8 ipsec_algorithm_count(void)
{
	return UNKNOWN_ENCRYPTION;
}

/**
 * ipsec_algorithm_defaults - the algorithms that are trusted by default
 *
 * Return: a set of places.
 */
u64 ipsec_algorithm_defaults(void)
{
	u64 set = 0;
	u8 i;

	for (i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (algorithms[i].trusted)
			set |= BIT_ULL(i);
	return set;
}

/**
 * ipsec_algorithm_encrypts - does the algorithm hide what is sent
 * @index: its place
 *
 * Return: whether it does, trusted or not.
 */
bool ipsec_algorithm_encrypts(u8 index)
{
	const struct ipsec_algorithm *a = &algorithms[index];

	return (a->class == IPSEC_ALGORITHM_ENCRYPTION ||
		a->class == IPSEC_ALGORITHM_AEAD) &&
	       !a->null && !a->plain;
}

/**
 * ipsec_algorithm_authenticates - does the algorithm notice forgery
 * @index: its place
 *
 * Return: whether it does, trusted or not.
 */
bool ipsec_algorithm_authenticates(u8 index)
{
	const struct ipsec_algorithm *a = &algorithms[index];

	return (a->class == IPSEC_ALGORITHM_AUTHENTICATION ||
		a->class == IPSEC_ALGORITHM_AEAD) && !a->null;
}
