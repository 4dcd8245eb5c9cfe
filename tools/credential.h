/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Certificates and public keys, and what identities are made of them.
 */
#ifndef IPSEC_TOOL_CREDENTIAL_H
#define IPSEC_TOOL_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/ipsec_token.h>

/* of RFC 7296 section 3.5 */
enum ike_id_type {
	IKE_ID_ANY = 0,			/* no type at all */
	IKE_ID_IPV4_ADDR = 1,
	IKE_ID_FQDN = 2,
	IKE_ID_RFC822_ADDR = 3,
	IKE_ID_IPV6_ADDR = 5,
	IKE_ID_DER_ASN1_DN = 9,
	IKE_ID_DER_ASN1_GN = 10,
	IKE_ID_KEY_ID = 11,
};

/* base64 of 32 bytes without padding, and the last zero */
#define PUBKEY_ID_SIZE 44

struct x509_st;

/**
 * struct credential - a certificate or a public key
 * @spki: its DER SubjectPublicKeyInfo
 * @spki_len: size of that
 * @pubkey_id: base64 of the SHA-256 of @spki
 * @x509: the certificate, NULL: a public key only
 * @subject: RFC 4514 string, NULL: none
 * @issuer: RFC 4514 string, NULL: none
 * @ca: it may sign certificates
 */
struct credential {
	uint8_t *spki;
	size_t spki_len;
	char pubkey_id[PUBKEY_ID_SIZE];
	struct x509_st *x509;
	char *subject;
	char *issuer;
	bool ca;
};

int credential_parse(const void *data, size_t len, struct credential **out);
void credential_free(struct credential *credential);
bool credential_equal(const struct credential *a, const struct credential *b);
bool credential_same_key(const struct credential *a, const struct credential *b);
bool credential_same_subject(const struct credential *a, const struct credential *b);
bool credential_issued(const struct credential *ca, const struct credential *certificate);
bool credential_has_subject(const struct credential *credential, const char *name);
enum ike_id_type credential_has_id(const struct credential *credential, const char *id);
char *credential_print_subject(const struct credential *credential);
int credential_binding(const struct credential *a, const struct credential *b, uint8_t **out,
		       size_t *len);

enum ike_id_type ike_id_type(const char *id);

/* credential_file.c */

/* a file holds so many at most */
#define CREDENTIAL_FILE_MAX 512

struct credentials {
	struct credential *item[CREDENTIAL_FILE_MAX];
	size_t count;
};

int credentials_read(const char *path, struct credentials *credentials);
void credentials_free(struct credentials *credentials);

/* credential_itoken.c */

int itoken_pkix(uint8_t *itoken, const struct credential *ca,
		const struct credential *certificate, enum ike_id_type type, const char *id);
int itoken_vouched(uint8_t *itoken, const struct credential *ca, enum ike_id_type type,
		   const char *id);
int itoken_key(uint8_t *itoken, const struct credential *credential);
int itoken_id(uint8_t *itoken, enum ipsec_auth_method method, enum ike_id_type type,
	      const char *id);
int itoken_random(uint8_t *itoken);
int itoken_lineage(uint64_t *lineage, const uint8_t *itoken, const uint8_t *local_itoken,
		   const char *const *names, size_t count);

#endif /* IPSEC_TOOL_CREDENTIAL_H */
