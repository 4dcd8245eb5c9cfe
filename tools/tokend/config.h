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
 * @libreswan: it is a source
 * @pluto_socket: by which whack talks with pluto
 * @whack: path of the program
 * @certutil: path of the program
 * @updown_socket: by which the updown script talks with us
 * @pluto_unique_psk: as @unique_psk, of connections of libreswan
 * @pluto_unique_cert: names of connections whose peer has no other certificate
 *	than the one that they name
 * @requests: negotiate what applications require
 * @connections: names of those that may be begun for them, as @unique_psk; NULL:
 *	all
 * @negotiations: at the same time
 * @user_negotiations: the same, of one user
 * @user_rate: that may begin in a minute, of one user
 * @request_timeout: seconds that one may take
 */
struct config {
	int log_level;
	char *known_keys;
	bool strongswan;
	char *strongswan_socket;
	bool hash_and_url;
	char *unique_psk;
	bool libreswan;
	char *pluto_socket;
	char *whack;
	char *certutil;
	char *updown_socket;
	char *pluto_unique_psk;
	char *pluto_unique_cert;
	bool requests;
	char *connections;
	unsigned int negotiations;
	unsigned int user_negotiations;
	unsigned int user_rate;
	unsigned int request_timeout;
};

struct config *config_read(const char *path, bool must_exist);
void config_free(struct config *config);
bool config_lists(const char *list, const char *name);
bool config_may_begin(const struct config *config, const char *name);

#endif /* TOKEND_CONFIG_H */
