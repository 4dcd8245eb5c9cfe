// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever the library may be told: by the kernel of a context or an identity,
 * and by anybody of an iToken that was exported. The first byte of an input is c:
 * what follows is the content of a context; i: of an identity; anything else: text.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <libmnl/libmnl.h>

#include "../../lib/internal.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void use_text(const char *text)
{
	require(!text || strlen(text) <= IPSEC_IDENTITY_MAX_STRING);
}

static void use_itoken(struct ipsec_itoken *itoken)
{
	char text[IPSEC_ITOKEN_TEXT_SIZE];
	struct ipsec_itoken *again;
	const void *data;
	size_t size;

	if (!itoken)
		return;
	if (ipsec_itoken_export(itoken, text, sizeof(text)) > 0) {
		require(!ipsec_itoken_import(text, &again));
		require(ipsec_itoken_equal(itoken, again) == 1);
		ipsec_itoken_free(again);
	} else {
		require(ipsec_itoken_method(itoken) == IPSEC_AUTH_NONE);
	}
	use_text(ipsec_itoken_ike_id(itoken));
	use_text(ipsec_itoken_ca_dn(itoken));
	use_text(ipsec_itoken_certificate_dn(itoken));
	use_text(ipsec_itoken_pubkey_id(itoken));
	use_text(ipsec_itoken_policy_name(itoken));
	use_text(ipsec_itoken_audit_string(itoken));
	if (!ipsec_itoken_channel_binding(itoken, &data, &size))
		require(data && size <= IPSEC_IDENTITY_MAX_BINDING);
	ipsec_itoken_free(itoken);
}

static void identity(const void *attrs, size_t size)
{
	struct ipsec_itoken *peer, *local;

	if (ipsec_itoken_parse(attrs, size, &peer, &local))
		return;
	require(peer);
	use_itoken(peer);
	use_itoken(local);
}

static void context(const uint8_t *data, size_t size)
{
	struct ipsec_context *context;
	struct nlattr *nest;
	char text[256];
	int len;

	if (size > UINT16_MAX - MNL_ATTR_HDRLEN)
		return;
	/* of the very size, so that reading beyond its end is noticed */
	nest = malloc(MNL_ATTR_HDRLEN + size);
	require(nest);
	nest->nla_type = IPSEC_A_CONTEXT | NLA_F_NESTED;
	nest->nla_len = MNL_ATTR_HDRLEN + size;
	memcpy(nest + 1, data, size);
	if (!ipsec_parse_context(nest, &context)) {
		len = ipsec_audit_string(context, text, sizeof(text));
		require(len < 0 || memchr(text, 0, sizeof(text)));
		if (context->identity)
			identity(context->identity, context->identity_size);
		free(context);
	}
	free(nest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipsec_itoken *itoken;
	void *copy;

	if (!size)
		return 0;
	/* attributes are aligned */
	copy = malloc(size);
	require(copy);
	memcpy(copy, data + 1, size - 1);
	((char *)copy)[size - 1] = '\0';
	if (*data == 'c')
		context(copy, size - 1);
	else if (*data == 'i')
		identity(copy, size - 1);
	else if (!ipsec_itoken_import(copy, &itoken))
		use_itoken(itoken);
	free(copy);
	return 0;
}
