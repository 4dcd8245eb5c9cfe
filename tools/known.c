// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys that peers with raw public keys were first seen with, as the agent
 * keeps them in a file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "tokend/config.h"
#include "tokend/known.h"
#include "tokend/log.h"

/**
 * struct wanted - which peers are meant
 * @file: that they are in, NULL: as the agent's configuration says
 * @id: of this IKE identity, NULL: of any
 * @type: of this type of identity, NULL: of any
 * @id_type: the same as a number
 * @key: with this key, NULL: any
 */
struct wanted {
	const char *file;
	const char *id;
	const char *type;
	uint8_t id_type;
	const char *key;
};

static int wanted_read(struct wanted *wanted, bool all, int argc, char **argv)
{
	const struct {
		const char *name;
		const char **to;
	} fields[] = {
		{ "file", &wanted->file },
		{ "id", &wanted->id },
		{ "type", &wanted->type },
		{ "key", &wanted->key },
	};
	size_t i, count = all ? 1 : IPSEC_ARRAY_SIZE(fields);

	for (; argc; argc -= 2, argv += 2) {
		for (i = 0; i < count && strcmp(fields[i].name, argv[0]); i++)
			;
		if (i == count)
			return usage("what is \"%s\"?", argv[0]);
		if (argc < 2)
			return usage("%s: has no value", argv[0]);
		if (*fields[i].to)
			return usage("%s: is there twice", argv[0]);
		*fields[i].to = argv[1];
	}
	if (wanted->type && ike_id_type_read(wanted->type, &wanted->id_type))
		return usage("type: there is no \"%s\"", wanted->type);
	return EXIT_OK;
}

/**
 * known_file() - where the agent keeps the keys
 *
 * Return: path, to be freed; NULL after complaining of the configuration.
 */
char *known_file(void)
{
	struct config *config = config_read(CONFIG_PATH, false);
	char *path = config ? xstrdup(config->known_keys) : NULL;

	config_free(config);
	return path;
}

static int file_failed(const char *path, int err, unsigned int line)
{
	if (err == -EBADMSG)
		return failed("file: %s:%u: is not \"TYPE ID KEY TIME\"", path, line);
	if (err == -ETIMEDOUT)
		return failed("file: %s: another process does not let go of it", path);
	return failed("file: %s: %s", path, strerror(-err));
}

static void peers_json(const struct known_peer *peers)
{
	char word[IKE_ID_TYPE_WORD];

	json_open(NULL, '[');
	for (; peers; peers = peers->next) {
		json_open(NULL, '{');
		json_string("ike-id", peers->id);
		json_string("ike-id-type", ike_id_type_word(peers->id_type, word));
		json_string("pubkey-id", peers->pubkey_id);
		json_uint("since", peers->since);
		json_close();
	}
	json_close();
}

static void peers_print(const struct known_peer *peers)
{
	static const char *const heads[] = { "TYPE", "ID", "KEY", "SINCE" };
	struct table *table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
	char word[IKE_ID_TYPE_WORD], text[TIME_SIZE];

	for (; peers; peers = peers->next) {
		table_cell(table, COLOUR_NONE, "%s", ike_id_type_word(peers->id_type, word));
		table_cell(table, COLOUR_NONE, "%s", *peers->id ? peers->id : "-");
		table_cell(table, COLOUR_NONE, "%s", peers->pubkey_id);
		table_cell(table, COLOUR_FAINT, "%s", time_string(peers->since, text));
	}
	table_print(table);
}

/**
 * known_list() - ipsec-token known list [file FILE]
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int known_list(int argc, char **argv)
{
	struct wanted wanted = { 0 };
	struct known_peer *peers;
	unsigned int line;
	char *path;
	int err;

	if (wanted_read(&wanted, true, argc, argv))
		return EXIT_USAGE;
	path = wanted.file ? xstrdup(wanted.file) : known_file();
	if (!path)
		return EXIT_FAILED;
	err = known_read(path, &peers, &line);
	if (err) {
		file_failed(path, err, line);
		free(path);
		return EXIT_FAILED;
	}
	if (output.json)
		peers_json(peers);
	else
		peers_print(peers);
	known_free(peers);
	free(path);
	return EXIT_OK;
}

static bool is_wanted(const struct known_peer *peer, void *data)
{
	const struct wanted *wanted = data;

	return (!wanted->id || !strcmp(peer->id, wanted->id)) &&
	       (!wanted->type || peer->id_type == wanted->id_type) &&
	       (!wanted->key || !strcmp(peer->pubkey_id, wanted->key));
}

/**
 * known_forget() - ipsec-token known forget {id ID [type TYPE] | key KEY}
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int known_forget(int argc, char **argv)
{
	struct wanted wanted = { 0 };
	unsigned int line;
	size_t removed;
	char *path;
	int ret = EXIT_OK, err;

	if (wanted_read(&wanted, false, argc, argv))
		return EXIT_USAGE;
	if (!wanted.id && !wanted.key)
		return usage("known forget takes the id of a peer, or its key");
	path = wanted.file ? xstrdup(wanted.file) : known_file();
	if (!path)
		return EXIT_FAILED;
	err = known_remove(path, is_wanted, &wanted, &removed, &line);
	if (err == -ENOENT && !access(path, F_OK))
		ret = failed("%s: no such peer is known", wanted.id ? "id" : "key");
	else if (err)
		ret = file_failed(path, err, line);
	free(path);
	return ret;
}
