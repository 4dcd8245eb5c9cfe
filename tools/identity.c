// SPDX-License-Identifier: GPL-2.0-only
/*
 * Identities, and how they are told of elsewhere. Names in them were chosen by
 * peers, who may mean harm: see text_safe().
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "tokend/log.h"
#include "tokend/message.h"

/* as ipsec_itoken_export() has it */
#define ITOKEN_PREFIX "ipsec-itoken:1:"

/* so many digits are enough to name an iToken */
#define ITOKEN_DIGITS_MIN 8

/* of any attribute that is text, made safe */
#define ATTRIBUTE_SIZE (4 * IPSEC_IDENTITY_MAX_STRING + 1)

/**
 * itoken_text() - write an iToken down
 * @itoken: IPSEC_ITOKEN_SIZE bytes
 * @text: of IPSEC_ITOKEN_TEXT_SIZE bytes
 *
 * Return: @text, which programs can give to ipsec_itoken_import().
 */
const char *itoken_text(const uint8_t *itoken, char *text)
{
	char *to = text + sprintf(text, ITOKEN_PREFIX);
	size_t i;

	for (i = 0; i < IPSEC_ITOKEN_SIZE; i++)
		to += sprintf(to, "%02x", itoken[i]);
	return text;
}

static const char *digits(const char *word)
{
	size_t prefix = strlen(ITOKEN_PREFIX);

	return strncmp(word, ITOKEN_PREFIX, prefix) ? word : word + prefix;
}

/**
 * itoken_word() - may this name an iToken?
 * @word: the text of one, or how its digits begin
 *
 * Return: whether it may.
 */
bool itoken_word(const char *word)
{
	size_t len = strlen(digits(word));

	return len >= ITOKEN_DIGITS_MIN && len <= 2 * IPSEC_ITOKEN_SIZE &&
	       strspn(digits(word), "0123456789abcdef") == len;
}

/**
 * itoken_begins() - does a word name this iToken?
 * @itoken: IPSEC_ITOKEN_SIZE bytes
 * @word: see itoken_word()
 *
 * Return: whether it does.
 */
bool itoken_begins(const uint8_t *itoken, const char *word)
{
	char text[IPSEC_ITOKEN_TEXT_SIZE];

	return !strncmp(digits(itoken_text(itoken, text)), digits(word), strlen(digits(word)));
}

/**
 * context_identity() - who is behind a context
 * @context: context
 *
 * Return: the identity, to be given to identity_put(); NULL if none was bound.
 */
struct identity *context_identity(const struct ipsec_context *context)
{
	return context->identity ?
	       message_get_identity(context->identity, context->identity_size) : NULL;
}

static void end_of_itoken(struct identity_end *end, const struct ipsec_itoken *itoken)
{
	char text[IPSEC_ITOKEN_TEXT_SIZE];
	int value, i;

	/* there is no text for a peer that equals nobody */
	for (i = 0; ipsec_itoken_export(itoken, text, sizeof(text)) > 0 && i < IPSEC_ITOKEN_SIZE;
	     i++)
		sscanf(digits(text) + 2 * i, "%2hhx", &end->itoken[i]);
	value = ipsec_itoken_method(itoken);
	end->method = value > 0 ? value : 0;
	value = ipsec_itoken_ike_id_type(itoken);
	end->id_type = value > 0 ? value : 0;
	end->id = xstrdup(ipsec_itoken_ike_id(itoken));
	end->ca_dn = xstrdup(ipsec_itoken_ca_dn(itoken));
	end->certificate_dn = xstrdup(ipsec_itoken_certificate_dn(itoken));
	end->pubkey_id = xstrdup(ipsec_itoken_pubkey_id(itoken));
	end->audit = xstrdup(ipsec_itoken_audit_string(itoken));
}

/**
 * itoken_identity() - what the library tells of an identity
 * @peer: of the peer
 * @local: of this end, NULL: not told
 *
 * Return: the identity, to be given to identity_put(); the library does not tell
 * of its lineage and source.
 */
struct identity *itoken_identity(const struct ipsec_itoken *peer,
				 const struct ipsec_itoken *local)
{
	struct identity *identity = identity_new();
	const void *binding;

	end_of_itoken(&identity->remote, peer);
	if (local)
		end_of_itoken(&identity->local, local);
	if (!ipsec_itoken_channel_binding(peer, &binding, &identity->binding_len)) {
		identity->binding = xcalloc(1, identity->binding_len + 1);
		memcpy(identity->binding, binding, identity->binding_len);
	}
	identity->policy = xstrdup(ipsec_itoken_policy_name(peer));
	return identity;
}

/**
 * identity_words() - an identity in a few words
 * @identity: identity, or NULL
 * @words: of WORDS_SIZE bytes
 *
 * Return: @words, as in "PKIX_INLINE peer.example.org", or "-".
 */
const char *identity_words(const struct identity *identity, char *words)
{
	const struct identity_end *end = identity ? &identity->remote : NULL;
	char safe[WORDS_SIZE - 16];

	if (!end)
		strcpy(words, "-");
	else if (end->id)
		snprintf(words, WORDS_SIZE, "%s %s", method_name(end->method),
			 text_safe(end->id, safe, sizeof(safe)));
	else
		snprintf(words, WORDS_SIZE, "%s", method_name(end->method));
	return words;
}

/* --------------------------------------------------------------------- JSON */

static void string_json(const char *name, const char *value)
{
	if (value)
		json_string(name, value);
	else
		json_null(name);
}

/* Imported, or of a peer that equals nobody: it was not told. */
static bool has_itoken(const struct identity_end *end)
{
	static const uint8_t none[IPSEC_ITOKEN_SIZE];

	return memcmp(end->itoken, none, sizeof(none));
}

static const char *hex(const uint8_t *data, size_t len)
{
	static char text[2 * IPSEC_IDENTITY_MAX_BINDING + 1];
	size_t i;

	text[0] = '\0';
	for (i = 0; i < len && i < IPSEC_IDENTITY_MAX_BINDING; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	return text;
}

static void end_json(const struct identity_end *end)
{
	char itoken[IPSEC_ITOKEN_TEXT_SIZE], word[IKE_ID_TYPE_WORD];

	string_json("itoken", has_itoken(end) ? itoken_text(end->itoken, itoken) : NULL);
	string_json("method", end->method ? method_name(end->method) : NULL);
	string_json("ike-id", end->id);
	string_json("ike-id-type", end->id ? ike_id_type_word(end->id_type, word) : NULL);
	string_json("certificate-dn", end->certificate_dn);
	string_json("ca-dn", end->ca_dn);
	string_json("pubkey-id", end->pubkey_id);
	string_json("audit", end->audit);
}

/* Whether anything was told of this end. */
static bool has_local(const struct identity *identity)
{
	return has_itoken(&identity->local) || identity->local.method || identity->local.id;
}

/**
 * identity_members_json() - what an identity says, as members of a JSON object
 * @identity: identity
 */
void identity_members_json(const struct identity *identity)
{
	char lineage[2 + 16 + 1];

	end_json(&identity->remote);
	string_json("channel-binding", identity->binding_len ?
		    hex(identity->binding, identity->binding_len) : NULL);
	string_json("policy", identity->policy);
	/* not all that reads JSON has 64 bits for a number */
	snprintf(lineage, sizeof(lineage), "0x%016" PRIx64, identity->lineage);
	string_json("lineage", identity->lineage ? lineage : NULL);
	string_json("source", identity->source);
	if (has_local(identity)) {
		json_open("local", '{');
		end_json(&identity->local);
		json_close();
	} else {
		json_null("local");
	}
}

/**
 * identity_json() - an identity as JSON object
 * @name: of the member, or NULL
 * @identity: identity; NULL: none was bound, which is null
 */
void identity_json(const char *name, const struct identity *identity)
{
	if (!identity) {
		json_null(name);
		return;
	}
	json_open(name, '{');
	identity_members_json(identity);
	json_close();
}

/* ---------------------------------------------------------------- for people */

static void line(const char *prefix, const char *name, const char *value)
{
	static char safe[2 * IPSEC_IDENTITY_MAX_BINDING + 1];
	char label[32];

	_Static_assert(sizeof(safe) >= ATTRIBUTE_SIZE, "room for every attribute");
	snprintf(label, sizeof(label), "%s%s", prefix, name);
	if (value)
		printf("%-20s %s\n", label, text_safe(value, safe, sizeof(safe)));
	else
		printf("%-20s %snot available%s\n", label, colour_on(COLOUR_FAINT),
		       colour_off(COLOUR_FAINT));
}

static void end_print(const char *prefix, const struct identity_end *end)
{
	char itoken[IPSEC_ITOKEN_TEXT_SIZE], word[IKE_ID_TYPE_WORD];

	line(prefix, "itoken", has_itoken(end) ? itoken_text(end->itoken, itoken) : NULL);
	line(prefix, "method", end->method ? method_name(end->method) : NULL);
	line(prefix, "ike-id", end->id);
	line(prefix, "ike-id-type", end->id ? ike_id_type_word(end->id_type, word) : NULL);
	line(prefix, "certificate-dn", end->certificate_dn);
	line(prefix, "ca-dn", end->ca_dn);
	line(prefix, "pubkey-id", end->pubkey_id);
	line(prefix, "audit", end->audit);
}

/**
 * identity_print() - all attributes of an identity, one on each line
 * @identity: identity
 */
void identity_print(const struct identity *identity)
{
	char lineage[2 + 16 + 1];

	end_print("", &identity->remote);
	line("", "channel-binding", identity->binding_len ?
	     hex(identity->binding, identity->binding_len) : NULL);
	line("", "policy", identity->policy);
	snprintf(lineage, sizeof(lineage), "0x%016" PRIx64, identity->lineage);
	line("", "lineage", identity->lineage ? lineage : NULL);
	line("", "source", identity->source);
	if (has_local(identity))
		end_print("local-", &identity->local);
	else
		line("", "local", NULL);
}
