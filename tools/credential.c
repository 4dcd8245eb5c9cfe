// SPDX-License-Identifier: GPL-2.0-only
/*
 * Certificates and public keys, read with OpenSSL, and what is derived of them:
 * key ids and channel bindings. How, and what that means, is in
 * Documentation/identity.md, which must be kept true to this.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "credential.h"

/* a certificate or key larger than this is none */
#define CREDENTIAL_MAX (256 * 1024)

/* ------------------------------------------------------------------ reading */

/* RFC 4514, in UTF-8: only what must be escaped is. */
static char *name_string(const X509_NAME *name)
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

static int key_set(struct credential *credential, EVP_PKEY *key)
{
	char base64[4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1];
	uint8_t hash[EVP_MAX_MD_SIZE];
	int len;

	len = i2d_PUBKEY(key, &credential->spki);
	if (len <= 0)
		return -EBADMSG;
	credential->spki_len = len;
	if (!EVP_Digest(credential->spki, len, hash, NULL, EVP_sha256(), NULL))
		return -ENOMEM;
	EVP_EncodeBlock((uint8_t *)base64, hash, 32);
	memcpy(credential->pubkey_id, base64, PUBKEY_ID_SIZE - 1);
	return 0;
}

static int certificate_set(struct credential *credential, X509 *x509)
{
	EVP_PKEY *key = X509_get0_pubkey(x509);

	credential->x509 = x509;
	credential->ca = X509_check_ca(x509) > 0;
	credential->subject = name_string(X509_get_subject_name(x509));
	credential->issuer = name_string(X509_get_issuer_name(x509));
	return key ? key_set(credential, key) : -EBADMSG;
}

/* Nobody is asked for one. */
static int no_password(char *buf, int size, int encrypt, void *data)
{
	(void)buf, (void)size, (void)encrypt, (void)data;
	return -1;
}

/* All of the input, or it is not what it is taken for. */
static X509 *certificate_read(const void *data, size_t len)
{
	const uint8_t *at = data;
	X509 *x509;
	BIO *bio;

	x509 = d2i_X509(NULL, &at, len);
	if (x509 && at != (const uint8_t *)data + len) {
		X509_free(x509);
		x509 = NULL;
	}
	if (x509)
		return x509;
	bio = BIO_new_mem_buf(data, len);
	x509 = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	return x509;
}

static EVP_PKEY *key_read(const void *data, size_t len)
{
	const uint8_t *at = data;
	EVP_PKEY *key;
	BIO *bio;

	key = d2i_PUBKEY(NULL, &at, len);
	if (key && at != (const uint8_t *)data + len) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	if (key)
		return key;
	bio = BIO_new_mem_buf(data, len);
	key = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	return key;
}

/**
 * credential_parse() - read a certificate or a public key
 * @data: in DER or PEM
 * @len: size of it
 * @out: to be given to credential_free()
 *
 * Return: 0, -EBADMSG if it is neither, or -ENOMEM.
 */
int credential_parse(const void *data, size_t len, struct credential **out)
{
	struct credential *credential;
	X509 *x509 = NULL;
	EVP_PKEY *key = NULL;
	int err = -EBADMSG;

	if (len > CREDENTIAL_MAX)
		return -EBADMSG;
	credential = calloc(1, sizeof(*credential));
	if (!credential)
		return -ENOMEM;

	x509 = certificate_read(data, len);
	if (x509) {
		err = certificate_set(credential, x509);
	} else {
		key = key_read(data, len);
		if (key)
			err = key_set(credential, key);
	}
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (err) {
		credential_free(credential);
		return err;
	}
	*out = credential;
	return 0;
}

/**
 * credential_free() - free a certificate or public key
 * @credential: what credential_parse() allocated, or NULL
 */
void credential_free(struct credential *credential)
{
	if (!credential)
		return;
	X509_free(credential->x509);
	OPENSSL_free(credential->spki);
	free(credential->subject);
	free(credential->issuer);
	free(credential);
}

/* ---------------------------------------------------------------- comparing */

/**
 * credential_same_key() - are two of the same public key?
 * @a: a certificate or public key
 * @b: another one
 *
 * Return: whether they are.
 */
bool credential_same_key(const struct credential *a, const struct credential *b)
{
	return a->spki_len == b->spki_len && !memcmp(a->spki, b->spki, a->spki_len);
}

/**
 * credential_same_subject() - are two certificates of the same subject, from
 *	the same issuer?
 * @a: a certificate or public key
 * @b: another one
 *
 * Return: whether they are; public keys have no subject.
 */
bool credential_same_subject(const struct credential *a, const struct credential *b)
{
	return a->x509 && b->x509 &&
	       !X509_NAME_cmp(X509_get_subject_name(a->x509), X509_get_subject_name(b->x509)) &&
	       !X509_NAME_cmp(X509_get_issuer_name(a->x509), X509_get_issuer_name(b->x509));
}

/**
 * credential_equal() - are two the same?
 * @a: a certificate or public key
 * @b: another one
 *
 * Return: whether they are.
 */
bool credential_equal(const struct credential *a, const struct credential *b)
{
	if (a->x509 && b->x509)
		return !X509_cmp(a->x509, b->x509);
	return !a->x509 == !b->x509 && credential_same_key(a, b);
}

/**
 * credential_issued() - did a certificate authority sign this certificate?
 * @ca: a certificate or public key
 * @certificate: another one
 *
 * Return: whether @ca may sign, is named as the issuer, and its key verifies.
 */
bool credential_issued(const struct credential *ca, const struct credential *certificate)
{
	EVP_PKEY *key;
	bool issued;

	if (!ca->ca || !ca->x509 || !certificate->x509)
		return false;
	key = X509_get0_pubkey(ca->x509);
	issued = X509_check_issued(ca->x509, certificate->x509) == X509_V_OK && key &&
		 X509_verify(certificate->x509, key) == 1;
	ERR_clear_error();
	return issued;
}

/* ------------------------------------------------------------- IKE identities */

/**
 * ike_id_type() - the type of an IKE identity that was printed
 * @id: as strongSwan prints it
 *
 * The text does not say, so this is what strongSwan itself would take it for.
 *
 * Return: the type, IKE_ID_ANY if it stands for anything.
 */
enum ike_id_type ike_id_type(const char *id)
{
	struct in6_addr addr;

	if (!*id || !strcmp(id, "%any") || !strcmp(id, "%any6") || !strcmp(id, "*"))
		return IKE_ID_ANY;
	if (strchr(id, '='))
		return IKE_ID_DER_ASN1_DN;
	if (strchr(id, '@'))
		return IKE_ID_RFC822_ADDR;
	if (inet_pton(AF_INET, id, &addr) == 1)
		return IKE_ID_IPV4_ADDR;
	if (inet_pton(AF_INET6, id, &addr) == 1)
		return IKE_ID_IPV6_ADDR;
	return strchr(id, ':') ? IKE_ID_KEY_ID : IKE_ID_FQDN;
}

/* How strongSwan names the parts of a DN. */
static const struct {
	int nid;
	const char *name;
} dn_names[] = {
	{ NID_commonName, "CN" },
	{ NID_countryName, "C" },
	{ NID_localityName, "L" },
	{ NID_stateOrProvinceName, "ST" },
	{ NID_organizationName, "O" },
	{ NID_organizationalUnitName, "OU" },
	{ NID_pkcs9_emailAddress, "E" },
	{ NID_domainComponent, "DC" },
	{ NID_userId, "UID" },
	{ NID_serialNumber, "serialNumber" },
	{ NID_title, "T" },
	{ NID_givenName, "G" },
	{ NID_surname, "S" },
};

static const char *dn_name(const X509_NAME_ENTRY *entry)
{
	int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
	size_t i;

	for (i = 0; i < sizeof(dn_names) / sizeof(dn_names[0]); i++)
		if (dn_names[i].nid == nid)
			return dn_names[i].name;
	return NULL;
}

/* It prints what is not printable as question marks. */
static bool value_printed(const char **text, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++, (*text)++) {
		if (!**text)
			return false;
		if ((uint8_t)**text == data[i])
			continue;
		if (**text != '?' || (data[i] >= 0x20 && data[i] < 0x7f))
			return false;
	}
	return true;
}

static bool text_printed(const char **text, const char *what)
{
	size_t len = strlen(what);

	if (strncmp(*text, what, len))
		return false;
	*text += len;
	return true;
}

/*
 * May this text have been printed of this name? The way it is printed is not
 * unique. A caller that finds two names for one text must not choose.
 */
static bool name_printed(const X509_NAME *name, const char *text)
{
	int i, count = X509_NAME_entry_count(name);

	for (i = 0; i < count; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
		const char *type = dn_name(entry);

		if (!type || (i && !text_printed(&text, ", ")) || !text_printed(&text, type) ||
		    !text_printed(&text, "=") ||
		    !value_printed(&text, ASN1_STRING_get0_data(value),
				   ASN1_STRING_length(value)))
			return false;
	}
	return count && !*text;
}

/**
 * credential_print_subject() - write a certificate's subject as strongSwan does
 * @credential: a certificate or public key
 *
 * Return: the text, to be freed; NULL if it has no subject, or one that
 * strongSwan has no names for.
 */
char *credential_print_subject(const struct credential *credential)
{
	const X509_NAME *name = credential->x509 ? X509_get_subject_name(credential->x509) : NULL;
	int i, k, len, count = name ? X509_NAME_entry_count(name) : 0;
	char *text = NULL;
	size_t size = 0;
	FILE *file;

	file = count ? open_memstream(&text, &size) : NULL;
	if (!file)
		return NULL;
	for (i = 0; i < count; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
		const uint8_t *data = ASN1_STRING_get0_data(value);

		if (!dn_name(entry))
			break;
		fprintf(file, "%s%s=", i ? ", " : "", dn_name(entry));
		len = ASN1_STRING_length(value);
		for (k = 0; k < len; k++)
			fputc(data[k] >= 0x20 && data[k] < 0x7f ? data[k] : '?', file);
	}
	if (!fclose(file) && i == count)
		return text;
	free(text);
	return NULL;
}

static bool string_is(const ASN1_STRING *string, const char *text)
{
	size_t len = ASN1_STRING_length(string);

	return strlen(text) == len && !strncasecmp((const char *)ASN1_STRING_get0_data(string),
						    text, len);
}

static bool address_is(const ASN1_STRING *string, const char *text, enum ike_id_type *type)
{
	int family = ASN1_STRING_length(string) == 4 ? AF_INET : AF_INET6;
	size_t len = family == AF_INET ? 4 : 16;
	uint8_t addr[16];

	if ((size_t)ASN1_STRING_length(string) != len || inet_pton(family, text, addr) != 1 ||
	    memcmp(addr, ASN1_STRING_get0_data(string), len))
		return false;
	*type = family == AF_INET ? IKE_ID_IPV4_ADDR : IKE_ID_IPV6_ADDR;
	return true;
}

static enum ike_id_type alt_name_is(const GENERAL_NAME *name, const char *id)
{
	enum ike_id_type type = IKE_ID_ANY;

	switch (name->type) {
	case GEN_DNS:
		return string_is(name->d.dNSName, id) ? IKE_ID_FQDN : IKE_ID_ANY;
	case GEN_EMAIL:
		return string_is(name->d.rfc822Name, id) ? IKE_ID_RFC822_ADDR : IKE_ID_ANY;
	case GEN_IPADD:
		return address_is(name->d.iPAddress, id, &type) ? type : IKE_ID_ANY;
	case GEN_DIRNAME:
		return name_printed(name->d.directoryName, id) ? IKE_ID_DER_ASN1_DN : IKE_ID_ANY;
	default:
		return IKE_ID_ANY;
	}
}

/**
 * credential_has_subject() - is this a certificate of that subject?
 * @credential: a certificate or public key
 * @name: as strongSwan prints it
 *
 * Return: whether it may be.
 */
bool credential_has_subject(const struct credential *credential, const char *name)
{
	return credential->x509 && name_printed(X509_get_subject_name(credential->x509), name);
}

/**
 * credential_has_id() - is this the certificate of an IKE identity?
 * @credential: a certificate or public key
 * @id: as strongSwan prints it
 *
 * Return: the type of the identity, IKE_ID_ANY if the certificate is not of it.
 */
enum ike_id_type credential_has_id(const struct credential *credential, const char *id)
{
	enum ike_id_type type = IKE_ID_ANY;
	GENERAL_NAMES *names;
	int i;

	if (!credential->x509)
		return IKE_ID_ANY;
	if (name_printed(X509_get_subject_name(credential->x509), id))
		return IKE_ID_DER_ASN1_DN;
	names = X509_get_ext_d2i(credential->x509, NID_subject_alt_name, NULL, NULL);
	for (i = 0; type == IKE_ID_ANY && i < sk_GENERAL_NAME_num(names); i++)
		type = alt_name_is(sk_GENERAL_NAME_value(names, i), id);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return type;
}

/* ------------------------------------------------------------- channel binding */

/**
 * credential_binding() - the public keys of both ends
 * @a: of one end
 * @b: of the other
 * @out: their SubjectPublicKeyInfo, one after the other, the one that memcmp()
 *	calls smaller first; to be freed
 * @len: size of that
 *
 * Where one is how the other begins, which DER does not allow, the shorter one
 * is first.
 *
 * Return: 0 or -ENOMEM.
 */
int credential_binding(const struct credential *a, const struct credential *b, uint8_t **out,
		       size_t *len)
{
	size_t common = a->spki_len < b->spki_len ? a->spki_len : b->spki_len;
	int order = memcmp(a->spki, b->spki, common);

	if (order > 0 || (!order && a->spki_len > b->spki_len)) {
		const struct credential *swap = a;

		a = b;
		b = swap;
	}
	*len = a->spki_len + b->spki_len;
	*out = malloc(*len);
	if (!*out)
		return -ENOMEM;
	memcpy(*out, a->spki, a->spki_len);
	memcpy(*out + a->spki_len, b->spki, b->spki_len);
	return 0;
}
