// SPDX-License-Identifier: GPL-2.0-only
/*
 * Identities: their life, and when two are the same.
 */
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "log.h"

/**
 * method_name() - the draft's name of a method
 * @method: enum ipsec_auth_method
 *
 * Return: the name.
 */
const char *method_name(uint8_t method)
{
	static const char *const names[] = {
		[IPSEC_AUTH_NONE] = "NONE",
		[IPSEC_AUTH_BTNS] = "BTNS",
		[IPSEC_AUTH_LEAPOFFAITH] = "LEAPOFFAITH",
		[IPSEC_AUTH_GROUPKEY] = "GROUPKEY",
		[IPSEC_AUTH_PRESHAREDKEY] = "PRESHAREDKEY",
		[IPSEC_AUTH_XAUTH] = "XAUTH",
		[IPSEC_AUTH_EAP] = "EAP",
		[IPSEC_AUTH_PKIX_OFFLINE] = "PKIX_OFFLINE",
		[IPSEC_AUTH_PKIX_INLINE] = "PKIX_INLINE",
		[IPSEC_AUTH_PKIX_TRUSTED] = "PKIX_TRUSTED",
	};

	if (method >= sizeof(names) / sizeof(names[0]) || !names[method])
		return "unknown";
	return names[method];
}

/**
 * identity_new() - an identity to be filled in
 *
 * Return: one with one reference.
 */
struct identity *identity_new(void)
{
	struct identity *identity = xcalloc(1, sizeof(*identity));

	identity->refs = 1;
	return identity;
}

static void end_copy(struct identity_end *to, const struct identity_end *from)
{
	*to = *from;
	to->id = xstrdup(from->id);
	to->ca_dn = xstrdup(from->ca_dn);
	to->certificate_dn = xstrdup(from->certificate_dn);
	to->pubkey_id = xstrdup(from->pubkey_id);
	to->audit = xstrdup(from->audit);
}

/**
 * identity_copy() - another identity that says the same
 * @identity: to be copied
 *
 * Return: the copy, with one reference.
 */
struct identity *identity_copy(const struct identity *identity)
{
	struct identity *copy = identity_new();

	copy->lineage = identity->lineage;
	end_copy(&copy->remote, &identity->remote);
	end_copy(&copy->local, &identity->local);
	if (identity->binding) {
		copy->binding = xcalloc(1, identity->binding_len);
		memcpy(copy->binding, identity->binding, identity->binding_len);
		copy->binding_len = identity->binding_len;
	}
	copy->policy = xstrdup(identity->policy);
	copy->source = xstrdup(identity->source);
	return copy;
}

/**
 * identity_get() - hold an identity
 * @identity: an identity
 *
 * Return: the same.
 */
struct identity *identity_get(struct identity *identity)
{
	identity->refs++;
	return identity;
}

static void end_free(struct identity_end *end)
{
	free(end->id);
	free(end->ca_dn);
	free(end->certificate_dn);
	free(end->pubkey_id);
	free(end->audit);
}

/**
 * identity_put() - let go of an identity
 * @identity: held, or NULL
 */
void identity_put(struct identity *identity)
{
	if (!identity || --identity->refs)
		return;
	end_free(&identity->remote);
	end_free(&identity->local);
	free(identity->binding);
	free(identity->policy);
	free(identity->source);
	free(identity);
}

/**
 * identity_equal() - may SAs of these share a context, as the kernel sees it?
 * @a: an identity
 * @b: another one
 *
 * Return: whether they may.
 */
bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->remote.method == b->remote.method && a->lineage == b->lineage &&
	       !memcmp(a->remote.itoken, b->remote.itoken, IPSEC_ITOKEN_SIZE) &&
	       !memcmp(a->local.itoken, b->local.itoken, IPSEC_ITOKEN_SIZE);
}
