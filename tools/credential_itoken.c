// SPDX-License-Identifier: GPL-2.0-only
/*
 * iTokens and lineages, as they are derived of certificates, keys and names. How,
 * and what that means, is in Documentation/identity.md, which must be kept true
 * to this.
 */
#include <errno.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "credential.h"

#define ITOKEN_DOMAIN "ipsec-token itoken v1"
#define LINEAGE_DOMAIN "ipsec-token lineage v1"

/**
 * struct digest - a SHA-256 over fields
 * @ctx: OpenSSL's
 * @failed: something did
 *
 * Each field goes in behind its length, so that no two lists of fields give
 * the same bytes.
 */
struct digest {
	EVP_MD_CTX *ctx;
	bool failed;
};

static void digest_field(struct digest *digest, const void *data, size_t len)
{
	uint8_t size[4] = { len >> 24, len >> 16, len >> 8, len };

	digest->failed |= len > UINT32_MAX ||
			  !EVP_DigestUpdate(digest->ctx, size, sizeof(size)) ||
			  !EVP_DigestUpdate(digest->ctx, data, len);
}

static void digest_string(struct digest *digest, const char *text)
{
	digest_field(digest, text, strlen(text));
}

static void digest_begin(struct digest *digest, const char *domain)
{
	digest->ctx = EVP_MD_CTX_new();
	digest->failed = !digest->ctx || !EVP_DigestInit_ex(digest->ctx, EVP_sha256(), NULL);
	if (!digest->failed)
		digest_string(digest, domain);
}

static int digest_end(struct digest *digest, uint8_t *out)
{
	unsigned int len;

	digest->failed = digest->failed || !EVP_DigestFinal_ex(digest->ctx, out, &len);
	EVP_MD_CTX_free(digest->ctx);
	return digest->failed ? -ENOMEM : 0;
}

static void digest_name(struct digest *digest, const X509_NAME *name)
{
	uint8_t *der = NULL;
	int len = i2d_X509_NAME(name, &der);

	if (len < 0)
		digest->failed = true;
	else
		digest_field(digest, der, len);
	OPENSSL_free(der);
}

static void digest_id(struct digest *digest, enum ike_id_type type, const char *id)
{
	uint8_t number = type;

	digest_field(digest, &number, 1);
	digest_string(digest, id);
}

/**
 * itoken_pkix() - the iToken of a peer that has a certificate
 * @itoken: IPSEC_ITOKEN_SIZE bytes
 * @ca: whose key verified @certificate, NULL: none did, it was trusted itself
 * @certificate: a certificate
 * @type: of @id
 * @id: IKE identity
 *
 * The key is not part of it, so that the iToken outlives the certificate, unless
 * there is nothing else to tell certificates of the same name apart by.
 *
 * Return: 0 or -ENOMEM.
 */
int itoken_pkix(uint8_t *itoken, const struct credential *ca,
		const struct credential *certificate, enum ike_id_type type, const char *id)
{
	struct digest digest;

	digest_begin(&digest, ITOKEN_DOMAIN);
	if (ca) {
		digest_string(&digest, "pkix");
		digest_name(&digest, X509_get_subject_name(ca->x509));
		digest_name(&digest, X509_get_subject_name(certificate->x509));
	} else {
		digest_string(&digest, "certificate");
		digest_field(&digest, certificate->spki, certificate->spki_len);
	}
	digest_id(&digest, type, id);
	return digest_end(&digest, itoken);
}

/**
 * itoken_vouched() - the iToken of a peer of whose certificate nothing is told
 * @itoken: IPSEC_ITOKEN_SIZE bytes
 * @ca: that it leads to, NULL: it may be any that is trusted
 * @type: of @id
 * @id: IKE identity, which the certificate has
 *
 * Return: 0 or -ENOMEM.
 */
int itoken_vouched(uint8_t *itoken, const struct credential *ca, enum ike_id_type type,
		   const char *id)
{
	struct digest digest;

	digest_begin(&digest, ITOKEN_DOMAIN);
	digest_string(&digest, "vouched");
	if (ca)
		digest_name(&digest, X509_get_subject_name(ca->x509));
	else
		digest_string(&digest, "");
	digest_id(&digest, type, id);
	return digest_end(&digest, itoken);
}

/**
 * itoken_key() - the iToken of a peer that has only a public key
 * @itoken: IPSEC_ITOKEN_SIZE bytes
 * @credential: whose key it is
 *
 * Return: 0 or -ENOMEM.
 */
int itoken_key(uint8_t *itoken, const struct credential *credential)
{
	struct digest digest;

	digest_begin(&digest, ITOKEN_DOMAIN);
	digest_string(&digest, "key");
	digest_field(&digest, credential->spki, credential->spki_len);
	return digest_end(&digest, itoken);
}

static const char *proof_name(enum ipsec_auth_method method)
{
	switch (method) {
	case IPSEC_AUTH_PRESHAREDKEY:
		return "psk";
	case IPSEC_AUTH_GROUPKEY:
		return "group";
	case IPSEC_AUTH_XAUTH:
		return "xauth";
	case IPSEC_AUTH_EAP:
		return "eap";
	default:
		return NULL;
	}
}

/**
 * itoken_id() - the iToken of a peer that proved a name with a secret
 * @itoken: IPSEC_ITOKEN_SIZE bytes
 * @method: PRESHAREDKEY, GROUPKEY, XAUTH or EAP
 * @type: of @id
 * @id: the IKE identity, or the user's with XAUTH and EAP
 *
 * Return: 0, -EINVAL for another method, or -ENOMEM.
 */
int itoken_id(uint8_t *itoken, enum ipsec_auth_method method, enum ike_id_type type,
	      const char *id)
{
	const char *proof = proof_name(method);
	struct digest digest;

	if (!proof)
		return -EINVAL;
	digest_begin(&digest, ITOKEN_DOMAIN);
	digest_string(&digest, proof);
	digest_id(&digest, type, id);
	return digest_end(&digest, itoken);
}

/**
 * itoken_random() - the iToken of a peer that proved nothing to tell it by
 * @itoken: IPSEC_ITOKEN_SIZE bytes, equal to nothing else
 *
 * Return: 0 or -EIO.
 */
int itoken_random(uint8_t *itoken)
{
	return RAND_bytes(itoken, IPSEC_ITOKEN_SIZE) == 1 ? 0 : -EIO;
}

/**
 * itoken_lineage() - what SAs that succeed each other have in common
 * @lineage: set, never to 0
 * @itoken: of the peer
 * @local_itoken: of this end
 * @names: whatever else must agree
 * @count: how many names
 *
 * It follows from what is the same, so that no state has to be kept for it.
 *
 * Return: 0 or -ENOMEM.
 */
int itoken_lineage(uint64_t *lineage, const uint8_t *itoken, const uint8_t *local_itoken,
		   const char *const *names, size_t count)
{
	struct digest digest;
	uint8_t hash[32];
	size_t i;
	int err;

	digest_begin(&digest, LINEAGE_DOMAIN);
	digest_field(&digest, itoken, IPSEC_ITOKEN_SIZE);
	digest_field(&digest, local_itoken, IPSEC_ITOKEN_SIZE);
	for (i = 0; i < count; i++)
		digest_string(&digest, names[i]);
	err = digest_end(&digest, hash);
	if (err)
		return err;
	memcpy(lineage, hash, sizeof(*lineage));
	if (!*lineage)
		*lineage = 1;
	return 0;
}
