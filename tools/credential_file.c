// SPDX-License-Identifier: GPL-2.0-only
/*
 * Certificates and public keys in files. Private keys that are in the same file
 * are not looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "credential.h"

/* more than all CAs of a distribution */
#define FILE_MAX (1024 * 1024)

static int file_read(const char *path, char **data, size_t *len)
{
	FILE *file = fopen(path, "re");
	int err;

	if (!file)
		return -errno;
	*data = malloc(FILE_MAX + 1);
	*len = *data ? fread(*data, 1, FILE_MAX + 1, file) : 0;
	err = !*data ? -ENOMEM : ferror(file) ? -EIO : *len > FILE_MAX ? -EFBIG : 0;
	fclose(file);
	if (err)
		free(*data);
	return err;
}

static bool is_certificate(const char *name)
{
	return !strcmp(name, PEM_STRING_X509) || !strcmp(name, PEM_STRING_X509_OLD);
}

static int add(struct credentials *credentials, const void *data, size_t len)
{
	int err;

	if (credentials->count == CREDENTIAL_FILE_MAX)
		return -E2BIG;
	err = credential_parse(data, len, &credentials->item[credentials->count]);
	if (!err)
		credentials->count++;
	return err;
}

/* What stands in a block must be what it says, and not be encrypted. */
static int block_add(struct credentials *credentials, const char *name, const char *header,
		     const void *data, size_t len)
{
	int err;

	if (!is_certificate(name) && strcmp(name, PEM_STRING_PUBLIC))
		return 0;
	if (*header)
		return -EBADMSG;
	err = add(credentials, data, len);
	if (!err && !credentials->item[credentials->count - 1]->x509 == is_certificate(name))
		err = -EBADMSG;
	return err;
}

/* Returns 1 if there is no more. */
static int block_read(BIO *bio, struct credentials *credentials)
{
	char *name, *header;
	uint8_t *data;
	long len;
	int err;

	if (!PEM_read_bio(bio, &name, &header, &data, &len)) {
		err = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 1 : -EBADMSG;
		ERR_clear_error();
		return err;
	}
	err = block_add(credentials, name, header, data, len);
	OPENSSL_cleanse(data, len);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return err;
}

/**
 * credentials_read() - read all certificates and public keys of a file
 * @path: of the file, PEM, or DER of one certificate or key
 * @credentials: to be given to credentials_free() in any case
 *
 * Return: 0, with at least one; -EBADMSG if there is none, or one that is broken;
 * -E2BIG if there are too many; another negative errno.
 */
int credentials_read(const char *path, struct credentials *credentials)
{
	size_t len = 0;
	char *data = NULL;
	BIO *bio;
	int err;

	credentials->count = 0;
	err = file_read(path, &data, &len);
	if (err)
		return err;
	bio = BIO_new_mem_buf(data, len);
	err = bio ? 0 : -ENOMEM;
	while (!err)
		err = block_read(bio, credentials);
	BIO_free(bio);
	if (err == 1)
		err = credentials->count ? 0 : add(credentials, data, len);
	OPENSSL_cleanse(data, len);
	free(data);
	return err;
}

/**
 * credentials_free() - free what credentials_read() has read
 * @credentials: empty afterwards
 */
void credentials_free(struct credentials *credentials)
{
	while (credentials->count)
		credential_free(credentials->item[--credentials->count]);
}
