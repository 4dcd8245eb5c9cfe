/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration file.
 */
#ifndef TOKEND_CONFIG_H
#define TOKEND_CONFIG_H

#include <stdbool.h>

#define CONFIG_PATH "/etc/ipsec-tokend.conf"

/**
 * struct config - all of the file; is read as a whole and replaced as a whole
 * @log_level: enum log_level
 * @known_keys: file with the keys seen first
 * @strongswan: it is a source
 * @strongswan_socket: of its VICI plugin
 * @hash_and_url: charon fetches certificates
 * @unique_psk: names of connections whose secret only the peer has, between
 *	blanks, and with one in front and at the end
 */
struct config {
	int log_level;
	char *known_keys;
	bool strongswan;
	char *strongswan_socket;
	bool hash_and_url;
	char *unique_psk;
};

struct config *config_read(const char *path, bool must_exist);
void config_free(struct config *config);
bool config_lists(const char *list, const char *name);

#endif /* TOKEND_CONFIG_H */
