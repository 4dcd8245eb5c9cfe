// SPDX-License-Identifier: GPL-2.0-only
/*
 * The types of IKE identities in words.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "credential.h"

static const struct {
	uint8_t type;
	const char *word;
} types[] = {
	{ IKE_ID_IPV4_ADDR, "ipv4" },
	{ IKE_ID_FQDN, "fqdn" },
	{ IKE_ID_RFC822_ADDR, "email" },
	{ IKE_ID_IPV6_ADDR, "ipv6" },
	{ IKE_ID_DER_ASN1_DN, "dn" },
	{ IKE_ID_DER_ASN1_GN, "gn" },
	{ IKE_ID_KEY_ID, "key-id" },
	{ IKE_ID_ANY, "any" },
};

/**
 * ike_id_type_word() - the type of an IKE identity in a word
 * @type: of RFC 7296
 * @word: of IKE_ID_TYPE_WORD bytes
 *
 * Return: @word, a number if the type has no name here.
 */
const char *ike_id_type_word(uint8_t type, char *word)
{
	size_t i;

	snprintf(word, IKE_ID_TYPE_WORD, "%u", type);
	for (i = 0; i < IPSEC_ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			snprintf(word, IKE_ID_TYPE_WORD, "%s", types[i].word);
	return word;
}

/**
 * ike_id_type_read() - read the type of an IKE identity
 * @word: name or number
 * @type: set to the type
 *
 * Return: 0, or -1 if it is none.
 */
int ike_id_type_read(const char *word, uint8_t *type)
{
	uint64_t number;
	size_t i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i].word, word)) {
			*type = types[i].type;
			return 0;
		}
	}
	if (number_read(word, UINT8_MAX, &number))
		return -1;
	*type = number;
	return 0;
}

/**
 * ike_id_wrong() - what is wrong with an IKE identity of a type?
 * @type: type
 * @id: identity
 *
 * Return: a reason, NULL: nothing.
 */
const char *ike_id_wrong(uint8_t type, const char *id)
{
	struct in6_addr addr;

	switch (type) {
	case IKE_ID_IPV4_ADDR:
		return inet_pton(AF_INET, id, &addr) == 1 ? NULL : "is no IPv4 address";
	case IKE_ID_IPV6_ADDR:
		return inet_pton(AF_INET6, id, &addr) == 1 ? NULL : "is no IPv6 address";
	case IKE_ID_RFC822_ADDR:
		return strchr(id, '@') ? NULL : "is no mail address";
	case IKE_ID_DER_ASN1_DN:
		return strchr(id, '=') ? NULL : "is no distinguished name";
	case IKE_ID_ANY:
		return "stands for anybody, and names nobody";
	default:
		return NULL;
	}
}
