// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever may be in files: configuration, known keys, certificates and keys. The
 * first byte of an input is k: what follows are known keys; p: certificates and
 * keys; anything else: a configuration.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/credential.h"
#include "../../tools/tokend/config.h"
#include "../../tools/tokend/known.h"
#include "../../tools/tokend/log.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void configuration(const char *path)
{
	struct config *config = config_read(path, true);

	if (!config)
		return;
	require(config->known_keys && *config->known_keys && config->whack && *config->whack);
	require(!config_lists(config->unique_psk, ""));
	config_free(config);
}

static void known_keys(const char *path)
{
	struct known_peer *peers, *peer;
	unsigned int line;

	if (known_read(path, &peers, &line))
		return;
	for (peer = peers; peer; peer = peer->next) {
		require(peer->id && peer->pubkey_id);
		/* whoever is in the file is not new */
		require(known_look(path, peer->id_type, peer->id, peer->pubkey_id, INT64_MAX) !=
			KNOWN_NEW);
	}
	known_free(peers);
}

static void credentials(const char *path)
{
	static struct credentials all;
	uint8_t itoken[IPSEC_ITOKEN_SIZE];
	struct credential *credential;
	size_t i;

	if (credentials_read(path, &all))
		return;
	for (i = 0; i < all.count; i++) {
		credential = all.item[i];
		require(credential->spki_len && strlen(credential->pubkey_id) < PUBKEY_ID_SIZE);
		require(credential_equal(credential, credential));
		require(!itoken_key(itoken, credential));
		credential_has_id(credential, "db.example.org");
		free(credential_print_subject(credential));
	}
	credentials_free(&all);
}

static int fd;
static char path[32];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level_set(0);
	fd = memfd_create("fuzz", 0);
	require(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	require(!ftruncate(fd, 0));
	require(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)(size - 1));
	if (*data == 'k')
		known_keys(path);
	else if (*data == 'p')
		credentials(path);
	else
		configuration(path);
	return 0;
}
