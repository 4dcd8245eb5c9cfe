// SPDX-License-Identifier: GPL-2.0-only
/*
 * Distinguished names as text, after RFC 4514.
 *
 * The kernel and the library compare names byte by byte. So whoever names a
 * peer must write it as the agent does; what people write is therefore read
 * and written anew by the same function that the agent writes with.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "credential.h"

/* longer than any name that is told of, even with everything in it escaped */
#define DN_MAX 4096

/**
 * name_string() - write a name down
 * @name: OpenSSL's
 *
 * In UTF-8, with the short names of OpenSSL; only what must be escaped is.
 *
 * Return: text, to be freed, NULL: it cannot be written, or is empty.
 */
char *name_string(const X509_NAME *name)
{
	unsigned long flags = (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | ASN1_STRFLGS_UTF8_CONVERT;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	char *data;
	long len;

	if (!bio)
		return NULL;
	if (X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
		len = BIO_get_mem_data(bio, &data);
		if (len > 0)
			text = strndup(data, len);
	}
	BIO_free(bio);
	return text;
}

/* ------------------------------------------------------------------ reading */

/**
 * struct reader - how far a name was read
 * @at: what comes next
 * @why: what is wrong, NULL: nothing so far
 */
struct reader {
	const char *at;
	const char *why;
};

static void *wrong(struct reader *reader, const char *why)
{
	reader->why = why;
	return NULL;
}

static void skip_spaces(struct reader *reader)
{
	reader->at += strspn(reader->at, " ");
}

/* As OpenSSL writes it, which tells some by their case; or else in any case. */
static const ASN1_OBJECT *type_named(const char *name)
{
	int nid = OBJ_sn2nid(name);

	if (nid == NID_undef)
		nid = OBJ_ln2nid(name);
	if (nid != NID_undef)
		return OBJ_nid2obj(nid);
	for (nid = 1; nid < OBJ_new_nid(0); nid++) {
		const char *sn = OBJ_nid2sn(nid), *ln = OBJ_nid2ln(nid);

		if ((sn && !strcasecmp(sn, name)) || (ln && !strcasecmp(ln, name)))
			return OBJ_nid2obj(nid);
	}
	ERR_clear_error();
	return NULL;
}

/* Those that are written as "#..." because OpenSSL has no name for their type. */
static bool is_number(const ASN1_OBJECT *type)
{
	return OBJ_obj2nid(type) == NID_undef;
}

static ASN1_OBJECT *read_type(struct reader *reader)
{
	const ASN1_OBJECT *named;
	ASN1_OBJECT *type;
	char name[128];
	size_t len = 0;

	while (isalnum((unsigned char)reader->at[len]) || reader->at[len] == '.' ||
	       reader->at[len] == '-')
		len++;
	if (!len || len >= sizeof(name))
		return wrong(reader, "has no type before \"=\", as in CN=name");
	memcpy(name, reader->at, len);
	name[len] = '\0';
	reader->at += len;
	skip_spaces(reader);
	if (*reader->at != '=')
		return wrong(reader, "has no \"=\" after a type");
	reader->at++;
	skip_spaces(reader);

	if (isdigit((unsigned char)*name)) {
		type = OBJ_txt2obj(name, 1);
	} else {
		named = type_named(name);
		type = named ? OBJ_dup(named) : NULL;
	}
	ERR_clear_error();
	return type ? type : wrong(reader, "has a type that is not known");
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Two digits, or -1 */
static int hex_byte(const char *text)
{
	int high = hex_value(text[0]);
	int low = high < 0 ? -1 : hex_value(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

/* "#" and the DER of the value */
static ASN1_STRING *read_der(struct reader *reader)
{
	uint8_t der[DN_MAX / 2];
	const uint8_t *at = der;
	ASN1_STRING *value = NULL;
	ASN1_TYPE *any;
	size_t len = 0;
	int byte;

	for (reader->at++; len < sizeof(der); reader->at += 2) {
		byte = hex_byte(reader->at);
		if (byte < 0)
			break;
		der[len++] = byte;
	}
	skip_spaces(reader);
	any = d2i_ASN1_TYPE(NULL, &at, len);
	if (any && at == der + len && any->type != V_ASN1_NULL && any->type != V_ASN1_BOOLEAN &&
	    any->type != V_ASN1_OBJECT)
		value = ASN1_STRING_dup(any->value.asn1_string);
	ASN1_TYPE_free(any);
	ERR_clear_error();
	return value ? value : wrong(reader, "has a \"#\" that is not followed by DER, in digits");
}

/* One character of a value; false: it ends here, or there is none. */
static bool read_character(struct reader *reader, char *c, bool *escaped)
{
	int byte;

	*escaped = *reader->at == '\\';
	if (*escaped) {
		reader->at++;
		byte = hex_byte(reader->at);
		if (byte >= 0) {
			*c = byte;
			reader->at += 2;
			return true;
		}
		if (!*reader->at || !strchr("\"+,;<>\\ #=", *reader->at)) {
			wrong(reader, "has a \"\\\" before what needs none");
			return false;
		}
	} else if (!*reader->at || *reader->at == ',' || *reader->at == '+') {
		return false;
	} else if (strchr("\";<>", *reader->at)) {
		wrong(reader, "has one of \" ; < > without a \"\\\" before it");
		return false;
	}
	*c = *reader->at++;
	return true;
}

static ASN1_STRING *read_value(struct reader *reader, const ASN1_OBJECT *type)
{
	size_t used = 0, len = 0;
	ASN1_STRING *value;
	char text[DN_MAX];
	bool escaped;
	char c;

	if (*reader->at == '#')
		return read_der(reader);
	if (is_number(type))
		return wrong(reader, "has a type without a name, whose value is written as "
				     "\"#\" and its DER, in digits");
	while (len < sizeof(text) && read_character(reader, &c, &escaped)) {
		text[len++] = c;
		/* spaces at its end are no part of it, unless escaped */
		if (c != ' ' || escaped)
			used = len;
	}
	if (reader->why)
		return NULL;

	value = ASN1_STRING_type_new(V_ASN1_UTF8STRING);
	if (!value || !ASN1_STRING_set(value, text, used)) {
		ASN1_STRING_free(value);
		return wrong(reader, "found no memory");
	}
	return value;
}

/* The most specific part is written first, and is the last one of a name. */
static bool read_part(struct reader *reader, X509_NAME *name, bool beside)
{
	ASN1_OBJECT *type = read_type(reader);
	ASN1_STRING *value = type ? read_value(reader, type) : NULL;
	X509_NAME_ENTRY *entry = NULL;
	bool added = false;

	if (value) {
		entry = X509_NAME_ENTRY_create_by_OBJ(NULL, type, ASN1_STRING_type(value),
						      ASN1_STRING_get0_data(value),
						      ASN1_STRING_length(value));
		added = entry && X509_NAME_add_entry(name, entry, 0, beside);
		if (!added)
			wrong(reader, "has a value that cannot be one");
	}
	X509_NAME_ENTRY_free(entry);
	ASN1_STRING_free(value);
	ASN1_OBJECT_free(type);
	return added;
}

/* Parts that stand side by side have an order of their own in DER. */
static char *rewrite(X509_NAME *name)
{
	uint8_t *der = NULL;
	int len = i2d_X509_NAME(name, &der);
	const uint8_t *at = der;
	X509_NAME *ordered = len > 0 ? d2i_X509_NAME(NULL, &at, len) : NULL;
	char *text = ordered ? name_string(ordered) : NULL;

	X509_NAME_free(ordered);
	OPENSSL_free(der);
	return text;
}

/**
 * dn_rewrite() - write a distinguished name as the agent does
 * @text: after RFC 4514, most specific part first
 * @why: set to what is wrong with it
 *
 * Types may be in any case, numbers, or long, and there may be spaces around
 * what separates parts; what is escaped need not have been. Case and spaces
 * within values are kept, and so is the order: those make another name.
 *
 * Return: text, to be freed; NULL: it is none.
 */
char *dn_rewrite(const char *text, const char **why)
{
	struct reader reader = { .at = text };
	X509_NAME *name;
	bool beside = false;
	char *out = NULL;

	*why = "is too long";
	if (strlen(text) >= DN_MAX)
		return NULL;
	*why = "found no memory";
	name = X509_NAME_new();
	if (!name)
		return NULL;
	for (;;) {
		skip_spaces(&reader);
		if (!read_part(&reader, name, beside))
			break;
		if (!*reader.at) {
			out = rewrite(name);
			break;
		}
		if (*reader.at != ',' && *reader.at != '+') {
			reader.why = "has a \"#\" that is not followed by DER, in digits";
			break;
		}
		beside = *reader.at++ == '+';
	}
	*why = reader.why ? reader.why : "is not UTF-8 once nothing in it is escaped";
	X509_NAME_free(name);
	ERR_clear_error();
	return out;
}
