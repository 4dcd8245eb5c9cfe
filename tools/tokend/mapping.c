// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what a keying daemon tells to what may be claimed: pure functions and a
 * table. Where two cases cannot be told apart, the weaker claim is made, and
 * the note says so. Documentation/identity.md explains each row.
 */
#include <string.h>
#include <strings.h>

#include "mapping.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/**
 * mapping_class() - read what a round asks for
 * @name: as strongSwan names it, or NULL
 *
 * Return: the class, AUTH_CLASS_ANY if it is not known.
 */
enum auth_class mapping_class(const char *name)
{
	static const struct {
		const char *name;
		enum auth_class class;
	} names[] = {
		{ "public key", AUTH_CLASS_PUBKEY },
		{ "pre-shared key", AUTH_CLASS_PSK },
		{ "EAP", AUTH_CLASS_EAP },
		{ "XAuth", AUTH_CLASS_XAUTH },
	};
	size_t i;

	for (i = 0; name && i < COUNT(names); i++)
		if (!strcasecmp(name, names[i].name))
			return names[i].class;
	return AUTH_CLASS_ANY;
}

/* xauth-noauth lets in whoever gives a name */
static bool is_user_round(const struct auth_round *round)
{
	return round->class == AUTH_CLASS_EAP ||
	       (round->class == AUTH_CLASS_XAUTH &&
		!(round->xauth && !strcmp(round->xauth, "noauth")));
}

/**
 * mapping_round() - which round decides
 * @rounds: all that an end has to pass
 * @count: how many
 *
 * The last one that proves who the user is; without any, the only kind of proof
 * there is. Of different kinds it is not told which of them proved the name.
 *
 * Return: the round, one of class AUTH_CLASS_ANY if it cannot be told.
 */
const struct auth_round *mapping_round(const struct auth_round *rounds, size_t count)
{
	static const struct auth_round any = { .class = AUTH_CLASS_ANY };
	const struct auth_round *found = NULL;
	size_t i;

	for (i = count; i > 0; i--)
		if (is_user_round(&rounds[i - 1]))
			return &rounds[i - 1];
	for (i = 0; i < count; i++) {
		if (rounds[i].class == AUTH_CLASS_XAUTH)
			continue;
		if (found && found->class != rounds[i].class)
			return &any;
		found = &rounds[i];
	}
	return found ? found : &any;
}

/**
 * mapping_eap_proves_user() - does an EAP method prove the name outside it?
 * @eap_type: as strongSwan names it, or NULL
 *
 * Others have a name of their own inside (MSCHAPv2, SIM, AKA, the tunnels), or
 * leave it all to a server (RADIUS), and the name outside may be anything.
 *
 * Return: whether it does.
 */
bool mapping_eap_proves_user(const char *eap_type)
{
	return eap_type && (!strcasecmp(eap_type, "MD5") || !strcasecmp(eap_type, "EAP_MD5") ||
			    !strcasecmp(eap_type, "TLS") || !strcasecmp(eap_type, "EAP_TLS"));
}

/**
 * mapping_id_specific() - does a connection name one identity only?
 * @id: as configured, or NULL
 *
 * Return: whether it does, without any wildcard.
 */
bool mapping_id_specific(const char *id)
{
	return id && *id && !strchr(id, '*') && strncmp(id, "%any", 4);
}

#define ANY (-1)

/**
 * struct rule - a row of the table; ANY stands for whatever it is
 * @class: enum auth_class
 * @key: enum key_evidence
 * @pinned: 0 or 1
 * @fetched: 0 or 1
 * @user: the EAP method proves the name, 0 or 1
 * @unique: the secret is of one end, which the connection names, 0 or 1
 * @known: enum known
 * @claim: what may be claimed
 */
struct rule {
	int class;
	int key;
	int pinned;
	int fetched;
	int user;
	int unique;
	int known;
	struct claim claim;
};

/* the first that fits counts */
static const struct rule rules[] = {
	{ AUTH_CLASS_XAUTH, ANY, ANY, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_XAUTH, TOKEN_USER, NULL } },

	{ AUTH_CLASS_EAP, ANY, ANY, ANY, 1, ANY, ANY,
	  { IPSEC_AUTH_EAP, TOKEN_USER, NULL } },
	{ AUTH_CLASS_EAP, ANY, ANY, ANY, 0, ANY, ANY,
	  { IPSEC_AUTH_EAP, TOKEN_RANDOM,
	    "this EAP method does not prove the name, equal to no other peer" } },

	{ AUTH_CLASS_PSK, ANY, ANY, ANY, ANY, 1, ANY,
	  { IPSEC_AUTH_PRESHAREDKEY, TOKEN_ID, NULL } },
	{ AUTH_CLASS_PSK, ANY, ANY, ANY, ANY, 0, ANY,
	  { IPSEC_AUTH_GROUPKEY, TOKEN_ID, "the secret is not known to be of one peer only" } },

	{ AUTH_CLASS_PUBKEY, KEY_CERTIFICATE, 1, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_PKIX_TRUSTED, TOKEN_PKIX, NULL } },
	{ AUTH_CLASS_PUBKEY, KEY_CERTIFICATE, 0, 0, ANY, ANY, ANY,
	  { IPSEC_AUTH_PKIX_INLINE, TOKEN_PKIX, NULL } },
	{ AUTH_CLASS_PUBKEY, KEY_CERTIFICATE, 0, 1, ANY, ANY, ANY,
	  { IPSEC_AUTH_PKIX_OFFLINE, TOKEN_PKIX, "sent by the peer, or fetched" } },
	{ AUTH_CLASS_PUBKEY, KEY_CERTIFICATES, ANY, 0, ANY, ANY, ANY,
	  { IPSEC_AUTH_PKIX_INLINE, TOKEN_PKIX, "one of several certificates, key not told" } },
	{ AUTH_CLASS_PUBKEY, KEY_CERTIFICATES, ANY, 1, ANY, ANY, ANY,
	  { IPSEC_AUTH_PKIX_OFFLINE, TOKEN_PKIX,
	    "one of several certificates, key not told; sent by the peer, or fetched" } },
	{ AUTH_CLASS_PUBKEY, KEY_VOUCHED, ANY, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_PKIX_INLINE, TOKEN_VOUCHED, "which certificate it was is not told" } },

	{ AUTH_CLASS_PUBKEY, KEY_RAW, ANY, ANY, ANY, ANY, KNOWN_SEEN,
	  { IPSEC_AUTH_LEAPOFFAITH, TOKEN_KEY, "raw public key, seen before" } },
	{ AUTH_CLASS_PUBKEY, KEY_RAW, ANY, ANY, ANY, ANY, KNOWN_CHANGED,
	  { IPSEC_AUTH_BTNS, TOKEN_KEY, "raw public key, NOT the one seen before" } },
	{ AUTH_CLASS_PUBKEY, KEY_RAW, ANY, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_BTNS, TOKEN_KEY, "raw public key, seen for the first time" } },

	{ AUTH_CLASS_PUBKEY, KEY_AMBIGUOUS, ANY, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_BTNS, TOKEN_RANDOM,
	    "a public key, several fit, equal to no other peer" } },
	{ AUTH_CLASS_PUBKEY, ANY, ANY, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_BTNS, TOKEN_RANDOM,
	    "a public key that is not told, equal to no other peer" } },

	{ AUTH_CLASS_NULL, ANY, ANY, ANY, ANY, ANY, ANY,
	  { IPSEC_AUTH_NONE, TOKEN_RANDOM,
	    "not authenticated, or not told to be, equal to no other peer" } },
};

static bool fits(int wanted, int is)
{
	return wanted == ANY || wanted == is;
}

/**
 * mapping_claim() - what may be claimed
 * @evidence: what is known
 *
 * Return: the strongest claim that holds in every case that would look so.
 */
struct claim mapping_claim(const struct evidence *evidence)
{
	/* anything, down to a key that nobody has verified */
	static const struct claim weakest = {
		IPSEC_AUTH_BTNS, TOKEN_RANDOM, "the method is not told, equal to no other peer"
	};
	size_t i;

	for (i = 0; i < COUNT(rules); i++) {
		const struct rule *rule = &rules[i];

		if (fits(rule->class, evidence->class) && fits(rule->key, evidence->key) &&
		    fits(rule->pinned, evidence->pinned) &&
		    fits(rule->fetched, evidence->fetched) &&
		    fits(rule->user, evidence->eap_proves_user) &&
		    fits(rule->unique, evidence->secret_unique && evidence->id_specific) &&
		    fits(rule->known, evidence->known))
			return rule->claim;
	}
	return weakest;
}

/**
 * mapping_methods() - what may come of a round
 * @class: what it asks for
 * @secret_unique: only one end has the secret
 *
 * Return: bit 1 << enum ipsec_auth_method of every claim that may be made.
 */
uint32_t mapping_methods(enum auth_class class, bool secret_unique)
{
	uint32_t methods = 0;
	size_t i;

	for (i = 0; i < COUNT(rules); i++)
		if (rules[i].class == (int)class && fits(rules[i].unique, secret_unique))
			methods |= 1U << rules[i].claim.method;
	/* what is not known may turn out to be the weakest */
	return methods ? methods : 1U << IPSEC_AUTH_BTNS;
}
