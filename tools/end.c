// SPDX-License-Identifier: GPL-2.0-only
/*
 * One end, as an administrator tells of it.
 *
 * The administrator says how an end was authenticated, and with what; the rest
 * follows from that by the code of the agent (tokend/claim.c), so that what is
 * bound by hand equals what the agent would have bound. It is the
 * administrator's word that the end has shown what is named here. That what is
 * named fits together is not: a certificate must be of the IKE identity, and its
 * CA must have signed it; a method takes the evidence that it is about and no
 * other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "end.h"
#include "tokend/log.h"

const char *const word_names[WORDS] = {
	[METHOD] = "method", [CERT] = "cert", [KEY] = "key", [CA] = "ca", [ID] = "id",
	[ID_TYPE] = "id-type", [AUDIT] = "audit",
};

/* --------------------------------------------------------------------- methods */

/* whether a method takes a field */
enum need { NEVER, MAY, MUST };

/**
 * struct method - what a method takes
 * @need: for fields CERT to ID
 * @token: what the iToken is derived of, with all there may be
 */
struct method {
	enum need need[WORDS];
	enum token_kind token;
};

/*
 * As in Documentation/identity.md. A method without a name that was proved takes
 * one nevertheless: it is what the peer calls itself.
 */
static const struct method methods[IPSEC_AUTH_MAX + 1] = {
	[IPSEC_AUTH_NONE] = { { [ID] = MAY }, TOKEN_RANDOM },
	[IPSEC_AUTH_BTNS] = { { [KEY] = MAY, [ID] = MAY }, TOKEN_KEY },
	[IPSEC_AUTH_LEAPOFFAITH] = { { [KEY] = MUST, [ID] = MAY }, TOKEN_KEY },
	[IPSEC_AUTH_GROUPKEY] = { { [ID] = MUST }, TOKEN_ID },
	[IPSEC_AUTH_PRESHAREDKEY] = { { [ID] = MUST }, TOKEN_ID },
	[IPSEC_AUTH_XAUTH] = { { [ID] = MUST }, TOKEN_USER },
	[IPSEC_AUTH_EAP] = { { [ID] = MAY }, TOKEN_USER },
	[IPSEC_AUTH_PKIX_OFFLINE] = { { [CERT] = MUST, [CA] = MUST, [ID] = MAY }, TOKEN_PKIX },
	[IPSEC_AUTH_PKIX_INLINE] = { { [CERT] = MUST, [CA] = MUST, [ID] = MAY }, TOKEN_PKIX },
	[IPSEC_AUTH_PKIX_TRUSTED] = { { [CERT] = MUST, [CA] = MAY, [ID] = MAY }, TOKEN_PKIX },
};

static uint8_t method_read(const char *word)
{
	uint8_t method;

	for (method = IPSEC_AUTH_NONE; method <= IPSEC_AUTH_MAX; method++)
		if (!strcasecmp(method_name(method), word))
			return method;
	return 0;
}

/**
 * text_check() - may this text be an attribute?
 * @prefix: of the field's name
 * @name: of the field
 * @text: text, NULL: there is none
 *
 * Return: exit code, after complaining.
 */
int text_check(const char *prefix, const char *name, const char *text)
{
	if (!text)
		return EXIT_OK;
	if (!*text)
		return failed("%s%s: is empty", prefix, name);
	if (strlen(text) > IPSEC_IDENTITY_MAX_STRING)
		return failed("%s%s: has %zu bytes, and %d is the most", prefix, name, strlen(text),
			      IPSEC_IDENTITY_MAX_STRING);
	if (!text_plain(text))
		return failed("%s%s: is not UTF-8, or has control characters", prefix, name);
	return EXIT_OK;
}

/* Does what is said go with the method? */
static int words_check(struct end *end, bool local)
{
	const struct words *words = end->words;
	const struct method *method;
	size_t i;

	if (!words->value[METHOD])
		return usage("%smethod: is needed", words->prefix);
	end->method = method_read(words->value[METHOD]);
	if (!end->method)
		return usage("%smethod: there is no \"%s\"", words->prefix, words->value[METHOD]);
	method = &methods[end->method];
	for (i = CERT; i <= ID; i++) {
		/* nobody has to be warned of this end */
		bool must = method->need[i] == MUST && !(local && i == CA);

		if (words->value[i] && method->need[i] == NEVER)
			return failed("%s%s: %s is not about one", words->prefix, word_names[i],
				      method_name(end->method));
		if (!words->value[i] && must)
			return failed("%s%s: %s needs one", words->prefix, word_names[i],
				      method_name(end->method));
		if (text_check(words->prefix, word_names[i], words->value[i]))
			return EXIT_FAILED;
	}
	if (words->value[ID_TYPE] && !words->value[ID])
		return failed("%sid-type: there is no %sid", words->prefix, words->prefix);
	return text_check(words->prefix, "audit", words->value[AUDIT]);
}

/* ----------------------------------------------------------------- certificates */

static int file_read(const struct words *words, enum word word, const char *path,
		     struct credentials *credentials)
{
	int err = credentials_read(path, credentials);

	if (err == -EBADMSG)
		return failed("%s%s: %s: holds no certificate or public key, or one that is broken",
			      words->prefix, word_names[word], path);
	if (err)
		return failed("%s%s: %s: %s", words->prefix, word_names[word], path,
			      strerror(-err));
	return EXIT_OK;
}

/* Take over what a file holds. */
static int file_add(const struct words *words, enum word word, const char *path,
		    struct credentials *to)
{
	struct credentials read;
	size_t i;
	int ret;

	ret = file_read(words, word, path, &read);
	for (i = 0; i < read.count && !ret; i++) {
		if (to->count == CREDENTIAL_FILE_MAX)
			ret = failed("%s%s: %s: there are too many", words->prefix,
				     word_names[word], path);
		else
			to->item[to->count++] = read.item[i], read.item[i] = NULL;
	}
	credentials_free(&read);
	return ret;
}

static int cas_read(struct end *end)
{
	const struct words *words = end->words;
	size_t i;
	int ret;

	for (i = 0; i < words->files[CA]; i++) {
		ret = file_add(words, CA, words->file[CA][i], &end->cas);
		if (ret)
			return ret;
	}
	for (i = 0; i < end->cas.count; i++)
		if (!end->cas.item[i]->x509)
			return failed("%sca: a public key alone is no CA", words->prefix);
	return EXIT_OK;
}

static const struct credential *issuer(const struct end *end,
				       const struct credential *certificate)
{
	size_t i;

	for (i = 0; i < end->cas.count; i++)
		if (credential_issued(end->cas.item[i], certificate))
			return end->cas.item[i];
	return NULL;
}

/* What holds of one certificate must hold of the others. */
static int certificate_check(struct end *end, const char *path,
			     const struct credential *certificate)
{
	const struct words *words = end->words;
	const struct credential *ca = issuer(end, certificate);
	struct proof *proof = &end->proof;

	if (!certificate->x509)
		return failed("%scert: %s: is a public key alone", words->prefix, path);
	if (words->value[CA] && !ca)
		return failed("%sca: none of those given has signed %s", words->prefix, path);
	if (!proof->credential) {
		proof->credential = certificate;
		proof->ca = ca;
		return EXIT_OK;
	}
	if (!credential_same_subject(proof->credential, certificate))
		return failed("%scert: %s: has another subject or issuer than %s", words->prefix,
			      path, words->file[CERT][0]);
	proof->several |= !credential_same_key(proof->credential, certificate);
	if (proof->several && (!proof->ca || !ca))
		return failed("%scert: several keys are one peer only where a ca says so",
			      words->prefix);
	return EXIT_OK;
}

static int certificates_read(struct end *end)
{
	const struct words *words = end->words;
	size_t i, before;
	int ret;

	ret = cas_read(end);
	for (i = 0; i < words->files[CERT] && !ret; i++) {
		const char *path = words->file[CERT][i];

		before = end->credentials.count;
		ret = file_add(words, CERT, path, &end->credentials);
		if (!ret && end->credentials.count != before + 1)
			ret = failed("%scert: %s: holds %zu, and which is of the end is not told",
				     words->prefix, path, end->credentials.count - before);
		if (!ret)
			ret = certificate_check(end, path, end->credentials.item[before]);
	}
	if (!ret && end->proof.several && end->method == IPSEC_AUTH_PKIX_TRUSTED)
		ret = failed("%scert: PKIX_TRUSTED is of one certificate, with one key",
			     words->prefix);
	return ret;
}

static int key_read(struct end *end)
{
	const struct words *words = end->words;
	int ret;

	ret = file_read(words, KEY, words->value[KEY], &end->credentials);
	if (ret)
		return ret;
	if (end->credentials.count > 1)
		return failed("%skey: %s: holds %zu, and which is of the end is not told",
			      words->prefix, words->value[KEY], end->credentials.count);
	end->proof.credential = end->credentials.item[0];
	return EXIT_OK;
}

/* ------------------------------------------------------------------ IKE identity */

static int id_type_check(const struct end *end, enum ike_id_type is)
{
	const struct words *words = end->words;
	char word[IKE_ID_TYPE_WORD];
	const char *wrong;
	uint8_t type;

	if (words->value[ID_TYPE]) {
		if (ike_id_type_read(words->value[ID_TYPE], &type))
			return usage("%sid-type: there is no \"%s\"", words->prefix,
				     words->value[ID_TYPE]);
		if (words->value[CERT] && type != is)
			return failed("%sid-type: the certificate has \"%s\" as %s", words->prefix,
				      end->id, ike_id_type_word(is, word));
		is = type;
	}
	wrong = ike_id_wrong(is, end->id);
	return wrong ? failed("%sid: \"%s\" %s", words->prefix, end->id, wrong) : EXIT_OK;
}

/* With a certificate the identity must be in it, or is its subject. */
static int certificate_id(struct end *end)
{
	const struct words *words = end->words;
	struct proof *proof = &end->proof;
	size_t i;

	if (!end->id) {
		end->printed = credential_print_subject(proof->credential);
		end->id = end->printed;
		if (!end->id)
			return failed("%sid: is needed, the certificate has no subject to take",
				      words->prefix);
		if (text_check(words->prefix, "id", end->id))
			return EXIT_FAILED;
	}
	proof->id_type = credential_has_id(proof->credential, end->id);
	for (i = 0; i < end->credentials.count; i++)
		if (proof->id_type == IKE_ID_ANY ||
		    credential_has_id(end->credentials.item[i], end->id) != proof->id_type)
			return failed("%sid: %s is not of \"%s\"", words->prefix,
				      words->file[CERT][i], end->id);
	return id_type_check(end, proof->id_type);
}

static int id_set(struct end *end)
{
	uint8_t type;
	int ret;

	end->id = end->words->value[ID];
	if (end->words->value[CERT])
		return certificate_id(end);
	if (!end->id)
		return EXIT_OK;
	ret = id_type_check(end, ike_id_type(end->id));
	if (!ret && end->words->value[ID_TYPE] &&
	    !ike_id_type_read(end->words->value[ID_TYPE], &type))
		end->proof.id_type = type;
	return ret;
}

/* -------------------------------------------------------------- putting together */

static void claim_set(struct end *end)
{
	const struct method *method = &methods[end->method];

	end->claim.method = end->method;
	end->claim.token = method->token;
	/* where there is nothing to tell the peer by, it is equal to no other one */
	if ((method->token == TOKEN_KEY && !end->proof.credential) ||
	    (method->token == TOKEN_USER && !end->id))
		end->claim.token = TOKEN_RANDOM;
	if (end->claim.token == TOKEN_RANDOM)
		end->claim.note = "equal to no other peer";
	else if (end->proof.several)
		end->claim.note = "one of several certificates, key not told";
}

static int attributes_check(const struct end *end, const struct identity_end *identity)
{
	const char *prefix = end->words->prefix;

	if (text_check(prefix, "cert: the subject", identity->certificate_dn))
		return EXIT_FAILED;
	return text_check(prefix, "ca: the subject", identity->ca_dn);
}

/**
 * end_derive() - what is said of one end, as the agent would say it
 * @end: with its words, and nothing else
 * @local: it is this end
 * @identity: filled in
 *
 * Return: exit code, after complaining of a field.
 */
int end_derive(struct end *end, bool local, struct identity_end *identity)
{
	int ret;

	ret = words_check(end, local);
	if (!ret && end->words->value[CERT])
		ret = certificates_read(end);
	if (!ret && end->words->value[KEY])
		ret = key_read(end);
	if (!ret)
		ret = id_set(end);
	if (ret)
		return ret;
	claim_set(end);
	if (local && end->claim.token == TOKEN_RANDOM)
		return failed("local-method: there is nothing in %s to know this end by",
			      method_name(end->method));
	if (claim_end(&end->claim, &end->proof, end->id, end->id, identity))
		return failed("%smethod: an iToken cannot be computed", end->words->prefix);
	ret = attributes_check(end, identity);
	if (end->words->value[AUDIT])
		identity->audit = xstrdup(end->words->value[AUDIT]);
	else
		identity->audit = claim_audit(BY_HAND, identity, end->id, NULL, end->claim.note);
	return ret;
}

/**
 * end_free() - free what end_derive() has read
 * @end: end
 */
void end_free(struct end *end)
{
	credentials_free(&end->credentials);
	credentials_free(&end->cas);
	free(end->printed);
}
