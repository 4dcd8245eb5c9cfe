// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is required of a connection, as options of the command line say it, for
 * gate and run alike.
 *
 * Texts are compared byte by byte here as in the kernel, so that both say the
 * same. Names that nobody has proved do not count as an identity: see
 * require_complete().
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "credential.h"
#include "end.h"
#include "require.h"

#define METHOD(name)	(1U << IPSEC_AUTH_##name)
#define ALL_METHODS	((2U << IPSEC_AUTH_MAX) - 2)
/* a certificate, and a CA or an administrator that vouches for it */
#define PKIX_METHODS	(METHOD(PKIX_OFFLINE) | METHOD(PKIX_INLINE) | METHOD(PKIX_TRUSTED))
/* nobody has vouched for the peer */
#define BTNS_METHODS	(METHOD(NONE) | METHOD(BTNS) | METHOD(LEAPOFFAITH))
/* the IKE identity is what the peer calls itself */
#define NAMELESS_METHODS (METHOD(NONE) | METHOD(BTNS))

static const struct {
	const char *word;
	uint32_t flag;
	const char *unmet;
} flags[] = {
	{ "privacy", IPSEC_REQUEST_F_PRIVACY, "not private" },
	{ "integrity", IPSEC_REQUEST_F_INTEGRITY, "without integrity" },
	{ "compression", IPSEC_REQUEST_F_COMPRESSION, "without compression" },
	{ "no-compression", IPSEC_REQUEST_F_NO_COMPRESSION, "with compression" },
	{ "end-to-end", IPSEC_REQUEST_F_END_TO_END, "not protected end to end" },
};

static bool given(const struct requirement *requirement, enum require_option option)
{
	return requirement->given & 1U << (option - REQUIRE_WHAT);
}

/* ------------------------------------------------------------------- reading */

/* For each word between commas. */
static int words_take(const char *option, const char *words,
		      int (*take)(struct requirement *requirement, const char *word),
		      struct requirement *requirement)
{
	char *copy = strdup(words), *rest = copy, *word;
	int ret = copy ? EXIT_OK : failed("%s: found no memory", option);

	while (!ret) {
		word = strsep(&rest, ",");
		if (!word)
			break;
		ret = take(requirement, word);
	}
	free(copy);
	return ret;
}

static int what_take(struct requirement *requirement, const char *word)
{
	size_t i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(flags); i++) {
		if (!strcmp(flags[i].word, word)) {
			requirement->flags |= flags[i].flag;
			return EXIT_OK;
		}
	}
	return usage("--require: there is no \"%s\", but privacy, integrity, compression, "
		     "no-compression, end-to-end", word);
}

static int method_take(struct requirement *requirement, const char *word)
{
	int method;

	if (!strcasecmp(word, "pkix")) {
		requirement->methods |= PKIX_METHODS;
		return EXIT_OK;
	}
	for (method = IPSEC_AUTH_NONE; method <= IPSEC_AUTH_MAX; method++) {
		if (!strcasecmp(ipsec_auth_method_name(method), word)) {
			requirement->methods |= 1U << method;
			return EXIT_OK;
		}
	}
	return usage("--method: there is no \"%s\"", word);
}

static int dn_take(const char *option, const char *value, char **dn)
{
	const char *why;

	if (text_check("--", option, value))
		return EXIT_FAILED;
	*dn = dn_rewrite(value, &why);
	if (!*dn)
		return failed("--%s: \"%s\" %s", option, value, why);
	return text_check("--", option, *dn);
}

static int key_take(struct requirement *requirement, const char *value)
{
	size_t len;

	for (len = 0; isalnum((unsigned char)value[len]) || value[len] == '+' ||
	     value[len] == '/'; len++)
		;
	if (len != PUBKEY_ID_SIZE - 1 || value[len])
		return failed("--peer-key: \"%s\" is no pubKeyID, which has %d digits of base64",
			      value, PUBKEY_ID_SIZE - 1);
	requirement->pubkey_id = value;
	return EXIT_OK;
}

static int itoken_take(struct requirement *requirement, const char *value)
{
	if (ipsec_itoken_import(value, &requirement->itoken))
		return failed("--itoken: \"%s\" is no exported iToken", value);
	return EXIT_OK;
}

static int id_type_take(struct requirement *requirement, const char *value)
{
	uint8_t type;

	if (!strcmp(value, "any")) {
		requirement->ike_id_type = REQUIRE_ID_TYPE_ANY;
		return EXIT_OK;
	}
	if (ike_id_type_read(value, &type))
		return usage("--peer-id-type: there is no \"%s\"", value);
	requirement->ike_id_type = type;
	return EXIT_OK;
}

/**
 * require_is() - does an option say what is required?
 * @option: as getopt_long() returns it
 *
 * Return: whether it is for require_take().
 */
bool require_is(int option)
{
	return option >= REQUIRE_WHAT && option < REQUIRE_OPTIONS_END;
}

/**
 * require_take() - take an option
 * @requirement: zero at first, to be given to require_free() in any case
 * @option: for which require_is() holds
 * @value: of the option, which must stay
 *
 * Return: exit code, after complaining.
 */
int require_take(struct requirement *requirement, int option, const char *value)
{
	static const char *const names[] = {
		"require", "method", "no-btns", "peer", "peer-ca", "peer-id", "peer-id-type",
		"peer-key", "itoken",
	};
	const char *name = names[option - REQUIRE_WHAT];

	/* what is a list can be continued; of the others it is not clear which counts */
	if (given(requirement, option) && option != REQUIRE_WHAT && option != REQUIRE_METHOD)
		return usage("--%s: is there twice", name);
	requirement->given |= 1U << (option - REQUIRE_WHAT);

	switch (option) {
	case REQUIRE_WHAT:
		return words_take("--require", value, what_take, requirement);
	case REQUIRE_METHOD:
		return words_take("--method", value, method_take, requirement);
	case REQUIRE_NO_BTNS:
		requirement->no_btns = true;
		return EXIT_OK;
	case REQUIRE_PEER:
		return dn_take(name, value, &requirement->certificate_dn);
	case REQUIRE_PEER_CA:
		return dn_take(name, value, &requirement->ca_dn);
	case REQUIRE_PEER_ID:
		requirement->ike_id = value;
		return text_check("--", name, value);
	case REQUIRE_PEER_ID_TYPE:
		return id_type_take(requirement, value);
	case REQUIRE_PEER_KEY:
		return key_take(requirement, value);
	default:
		return itoken_take(requirement, value);
	}
}

/* ---------------------------------------------------------------- completing */

/* Which methods will do, where it was said who must be the peer? */
static int methods_complete(struct requirement *requirement)
{
	bool names_dn = requirement->certificate_dn || requirement->ca_dn;
	bool names = names_dn || requirement->ike_id;
	uint32_t methods = requirement->methods ? requirement->methods : ALL_METHODS;

	if (requirement->no_btns)
		methods &= ~BTNS_METHODS;
	/* who shares a secret with others may have any of their names */
	if (requirement->ike_id && !requirement->methods)
		methods &= ~(BTNS_METHODS | METHOD(GROUPKEY));
	if (names && requirement->methods & NAMELESS_METHODS)
		return failed("--method: NONE and BTNS prove no name that the peer could have");
	if (names_dn)
		methods &= PKIX_METHODS;
	if (names || requirement->pubkey_id || requirement->itoken)
		methods &= ~METHOD(NONE);
	if (!methods)
		return failed("--method: no method proves all that is required");
	if (!requirement->methods && methods == ALL_METHODS)
		methods = 0;
	requirement->methods = methods;
	return EXIT_OK;
}

/**
 * require_complete() - all options were taken: do they go together?
 * @requirement: completed with what follows from them
 *
 * Whoever requires an identity gets one that was proved, and data that nobody
 * else has changed on its way.
 *
 * Return: exit code, after complaining.
 */
int require_complete(struct requirement *requirement)
{
	const char *why;

	if (!requirement->given)
		return usage("nothing is required, see --require");
	if ((requirement->flags & IPSEC_REQUEST_F_COMPRESSION) &&
	    (requirement->flags & IPSEC_REQUEST_F_NO_COMPRESSION))
		return usage("--require: both compression and no-compression");
	if (given(requirement, REQUIRE_METHOD) && requirement->no_btns)
		return usage("--no-btns: the methods are named already");
	if (given(requirement, REQUIRE_PEER_ID_TYPE) && !requirement->ike_id)
		return usage("--peer-id-type: there is no --peer-id");

	if (requirement->ike_id && !given(requirement, REQUIRE_PEER_ID_TYPE))
		requirement->ike_id_type = ike_id_type(requirement->ike_id);
	if (requirement->ike_id && requirement->ike_id_type != REQUIRE_ID_TYPE_ANY) {
		why = ike_id_wrong(requirement->ike_id_type, requirement->ike_id);
		if (why)
			return failed("--peer-id: \"%s\" %s", requirement->ike_id, why);
	}
	if (methods_complete(requirement))
		return EXIT_FAILED;
	if (require_identity(requirement))
		requirement->flags |= IPSEC_REQUEST_F_INTEGRITY;
	return EXIT_OK;
}

/**
 * require_free() - free what a requirement holds
 * @requirement: requirement
 */
void require_free(struct requirement *requirement)
{
	free(requirement->certificate_dn);
	free(requirement->ca_dn);
	ipsec_itoken_free(requirement->itoken);
	memset(requirement, 0, sizeof(*requirement));
}

/**
 * require_identity() - must the peer be known?
 * @requirement: after require_complete()
 *
 * Return: whether it must.
 */
bool require_identity(const struct requirement *requirement)
{
	return requirement->methods || requirement->pubkey_id || requirement->itoken;
}

/* ------------------------------------------------------------------ comparing */

/**
 * require_attributes_met() - does a protection do?
 * @requirement: after require_complete()
 * @attributes: of the protection
 * @why: of UNMET_SIZE bytes, for the reason if it does not
 *
 * Return: whether it does.
 */
bool require_attributes_met(const struct requirement *requirement,
			    const struct ipsec_ptoken_attributes *attributes, char *why)
{
	uint32_t met = 0;
	size_t i;

	if (attributes->privacy_protected == 1)
		met |= IPSEC_REQUEST_F_PRIVACY;
	if (attributes->integrity_protected == 1)
		met |= IPSEC_REQUEST_F_INTEGRITY;
	if (attributes->compression_available == 1)
		met |= IPSEC_REQUEST_F_COMPRESSION;
	else
		met |= IPSEC_REQUEST_F_NO_COMPRESSION;
	if (attributes->end_to_end == 1)
		met |= IPSEC_REQUEST_F_END_TO_END;

	for (i = 0; i < IPSEC_ARRAY_SIZE(flags); i++) {
		if (requirement->flags & ~met & flags[i].flag) {
			snprintf(why, UNMET_SIZE, "%s", flags[i].unmet);
			return false;
		}
	}
	return true;
}

static bool text_met(const char *what, const char *wanted, const char *got, char *why)
{
	if (!wanted || (got && !strcmp(wanted, got)))
		return true;
	if (got)
		snprintf(why, UNMET_SIZE, "the peer's %s is \"%s\", not \"%s\"", what, got, wanted);
	else
		snprintf(why, UNMET_SIZE, "the peer's %s is not available", what);
	return false;
}

/**
 * require_peer_met() - is it the right peer?
 * @requirement: after require_complete()
 * @peer: who it is, NULL: not known
 * @why: of UNMET_SIZE bytes, for the reason if it is not
 *
 * Return: whether it is.
 */
bool require_peer_met(const struct requirement *requirement, const struct ipsec_itoken *peer,
		      char *why)
{
	const char *name;
	int method;

	if (!require_identity(requirement))
		return true;
	if (!peer) {
		snprintf(why, UNMET_SIZE, "it is not known who the peer is");
		return false;
	}
	method = ipsec_itoken_method(peer);
	name = ipsec_auth_method_name(method);
	if (requirement->methods && !(method > 0 && requirement->methods & 1U << method)) {
		snprintf(why, UNMET_SIZE, "the peer was authenticated by %s, which is not enough",
			 name ? name : "nothing that is known");
		return false;
	}
	if (requirement->itoken && !ipsec_itoken_equal(requirement->itoken, peer)) {
		snprintf(why, UNMET_SIZE, "the peer has another iToken");
		return false;
	}
	if (requirement->ike_id && requirement->ike_id_type != REQUIRE_ID_TYPE_ANY &&
	    requirement->ike_id_type != ipsec_itoken_ike_id_type(peer)) {
		snprintf(why, UNMET_SIZE, "the peer's IKE identity is of another type");
		return false;
	}
	return text_met("IKE identity", requirement->ike_id, ipsec_itoken_ike_id(peer), why) &&
	       text_met("certificate", requirement->certificate_dn,
			ipsec_itoken_certificate_dn(peer), why) &&
	       text_met("CA", requirement->ca_dn, ipsec_itoken_ca_dn(peer), why) &&
	       text_met("key", requirement->pubkey_id, ipsec_itoken_pubkey_id(peer), why);
}

/* ------------------------------------------------------------------ requesting */

static int peer_request(struct ipsec_request *request, const char *option,
			enum ipsec_identity_attr attr, const char *text)
{
	if (!text)
		return EXIT_OK;
	/* there is no way to tell it that this is a character like others */
	if (strchr(text, '*'))
		return failed("--%s: \"%s\" has a \"*\", which the kernel would take for anything",
			      option, text);
	if (ipsec_request_set_peer(request, attr, text))
		return failed("--%s: \"%s\" cannot be requested", option, text);
	return EXIT_OK;
}

/**
 * require_request() - make a request of a requirement, for the kernel
 * @requirement: after require_complete()
 * @out: set to the request, to be given to ipsec_request_free() in any case
 *
 * Return: exit code, after complaining.
 */
int require_request(const struct requirement *requirement, struct ipsec_request **out)
{
	struct ipsec_request *request;
	int ret;

	if (ipsec_request_new(out))
		return failed("request: found no memory");
	request = *out;
	if (ipsec_request_set_flags(request, requirement->flags))
		return failed("--require: cannot be requested");
	if (ipsec_request_set_methods(request, requirement->methods))
		return failed("--method: cannot be requested");
	if (ipsec_request_set_itoken(request, requirement->itoken))
		return failed("--itoken: cannot be requested");
	if (requirement->ike_id && requirement->ike_id_type != REQUIRE_ID_TYPE_ANY &&
	    ipsec_request_set_ike_id_type(request, requirement->ike_id_type))
		return failed("--peer-id-type: cannot be requested");

	ret = peer_request(request, "peer", IPSEC_IDENTITY_A_CERTIFICATE_DN,
			   requirement->certificate_dn);
	if (!ret)
		ret = peer_request(request, "peer-ca", IPSEC_IDENTITY_A_CA_DN,
				   requirement->ca_dn);
	if (!ret)
		ret = peer_request(request, "peer-id", IPSEC_IDENTITY_A_IKE_ID,
				   requirement->ike_id);
	if (!ret)
		ret = peer_request(request, "peer-key", IPSEC_IDENTITY_A_PUBKEY_ID,
				   requirement->pubkey_id);
	return ret;
}
