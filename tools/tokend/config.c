// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file: sections of "field = value" lines. A file with a
 * mistake is refused as a whole, with the line that has it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "libreswan_updown.h"
#include "log.h"

enum field_type {
	FIELD_BOOL,
	FIELD_LEVEL,
	FIELD_PATH,
	FIELD_LIST,
	FIELD_NUMBER,
};

static const struct field {
	const char *section;
	const char *name;
	enum field_type type;
	size_t offset;
} fields[] = {
	{ "agent", "log-level", FIELD_LEVEL, offsetof(struct config, log_level) },
	{ "agent", "known-keys", FIELD_PATH, offsetof(struct config, known_keys) },
	{ "strongswan", "enabled", FIELD_BOOL, offsetof(struct config, strongswan) },
	{ "strongswan", "socket", FIELD_PATH, offsetof(struct config, strongswan_socket) },
	{ "strongswan", "hash-and-url", FIELD_BOOL, offsetof(struct config, hash_and_url) },
	{ "strongswan", "unique-psk", FIELD_LIST, offsetof(struct config, unique_psk) },
	{ "libreswan", "enabled", FIELD_BOOL, offsetof(struct config, libreswan) },
	{ "libreswan", "socket", FIELD_PATH, offsetof(struct config, pluto_socket) },
	{ "libreswan", "whack", FIELD_PATH, offsetof(struct config, whack) },
	{ "libreswan", "certutil", FIELD_PATH, offsetof(struct config, certutil) },
	{ "libreswan", "updown-socket", FIELD_PATH, offsetof(struct config, updown_socket) },
	{ "libreswan", "unique-psk", FIELD_LIST, offsetof(struct config, pluto_unique_psk) },
	{ "libreswan", "unique-cert", FIELD_LIST, offsetof(struct config, pluto_unique_cert) },
	{ "requests", "enabled", FIELD_BOOL, offsetof(struct config, requests) },
	{ "requests", "connections", FIELD_LIST, offsetof(struct config, connections) },
	{ "requests", "negotiations", FIELD_NUMBER, offsetof(struct config, negotiations) },
	{ "requests", "user-negotiations", FIELD_NUMBER,
	  offsetof(struct config, user_negotiations) },
	{ "requests", "user-rate", FIELD_NUMBER, offsetof(struct config, user_rate) },
	{ "requests", "timeout", FIELD_NUMBER, offsetof(struct config, request_timeout) },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool bool_read(const char *value, bool *to)
{
	*to = !strcmp(value, "yes");
	return *to || !strcmp(value, "no");
}

static bool level_read(const char *value, int *to)
{
	static const char *const names[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_NOTICE] = "notice",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	size_t i;

	for (i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		if (!strcmp(value, names[i])) {
			*to = i;
			return true;
		}
	}
	return false;
}

static bool number_read(const char *value, unsigned int *to)
{
	if (strlen(value) > 4 || value[strspn(value, "0123456789")])
		return false;
	*to = strtoul(value, NULL, 10);
	return *to >= 1 && *to <= 1000;
}

/* What is wrong with a value, NULL: nothing. */
static const char *value_read(struct config *config, const struct field *field,
			      const char *value)
{
	void *to = (char *)config + field->offset;
	char **text = to;

	switch (field->type) {
	case FIELD_BOOL:
		return bool_read(value, to) ? NULL : "must be yes or no";
	case FIELD_LEVEL:
		return level_read(value, to) ? NULL :
		       "must be error, warning, notice, info or debug";
	case FIELD_PATH:
		if (*value != '/')
			return "must be a path that begins with /";
		free(*text);
		*text = xstrdup(value);
		return NULL;
	case FIELD_LIST:
		free(*text);
		*text = xprintf(" %s ", value);
		return NULL;
	case FIELD_NUMBER:
		return number_read(value, to) ? NULL : "must be a number from 1 to 1000";
	}
	return "cannot be set";
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t\r\n");
	end = text + strlen(text);
	while (end > text && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return text;
}

/**
 * struct reader - how far the file was read
 * @config: so far
 * @path: of the file
 * @line: number of the present one
 * @section: name of the present one
 * @seen: fields that there were, a bit each
 */
struct reader {
	struct config *config;
	const char *path;
	unsigned int line;
	char section[32];
	unsigned int seen;
};

static int complain(const struct reader *reader, const char *name, const char *what)
{
	fprintf(stderr, "%s:%u: %s%s%s\n", reader->path, reader->line, name, *name ? ": " : "",
		what);
	return -EINVAL;
}

static int section_begin(struct reader *reader, char *text)
{
	size_t i, len = strlen(text);

	if (len < 2 || text[len - 1] != ']')
		return complain(reader, "", "a section is \"[name]\"");
	text[len - 1] = '\0';
	text = trim(text + 1);
	for (i = 0; i < FIELDS; i++) {
		if (!strcmp(fields[i].section, text)) {
			snprintf(reader->section, sizeof(reader->section), "%s", text);
			return 0;
		}
	}
	return complain(reader, text, "there is no such section");
}

static int field_read(struct reader *reader, char *text)
{
	char *value = strchr(text, '=');
	const char *wrong;
	size_t i;

	if (!value)
		return complain(reader, text, "\"field = value\" was expected");
	*value++ = '\0';
	text = trim(text);
	value = trim(value);
	if (!*reader->section)
		return complain(reader, text, "is in no section");
	for (i = 0; i < FIELDS; i++) {
		if (strcmp(fields[i].section, reader->section) || strcmp(fields[i].name, text))
			continue;
		if (reader->seen & 1U << i)
			return complain(reader, text, "is there twice");
		reader->seen |= 1U << i;
		if (!*value && fields[i].type != FIELD_LIST)
			return complain(reader, text, "has no value");
		wrong = value_read(reader->config, &fields[i], value);
		return wrong ? complain(reader, text, wrong) : 0;
	}
	return complain(reader, text, "there is no such field in this section");
}

static int line_read(struct reader *reader, char *text)
{
	text = trim(text);
	if (!*text || *text == '#')
		return 0;
	return *text == '[' ? section_begin(reader, text) : field_read(reader, text);
}

static struct config *config_default(void)
{
	struct config *config = xcalloc(1, sizeof(*config));

	config->log_level = LOG_LEVEL_INFO;
	config->known_keys = xstrdup("/var/lib/ipsec-tokend/known-keys");
	config->strongswan = true;
	config->strongswan_socket = xstrdup("/run/charon.vici");
	config->unique_psk = xstrdup("");
	config->libreswan = true;
	config->pluto_socket = xstrdup("/run/pluto/pluto.ctl");
	config->whack = xstrdup("/usr/libexec/ipsec/whack");
	config->certutil = xstrdup("/usr/bin/certutil");
	config->updown_socket = xstrdup(UPDOWN_SOCKET);
	config->pluto_unique_psk = xstrdup("");
	config->pluto_unique_cert = xstrdup("");
	config->requests = true;
	config->negotiations = 8;
	config->user_negotiations = 4;
	config->user_rate = 60;
	config->request_timeout = 60;
	return config;
}

/**
 * config_read() - read the configuration
 * @path: of the file
 * @must_exist: there is an error if it is not there
 *
 * What is wrong with it goes to standard error.
 *
 * Return: the configuration, or NULL.
 */
struct config *config_read(const char *path, bool must_exist)
{
	struct reader reader = { .path = path };
	char *line = NULL;
	size_t size = 0;
	int err = 0;
	FILE *file;

	reader.config = config_default();
	file = fopen(path, "re");
	if (!file && !must_exist && errno == ENOENT)
		return reader.config;
	if (!file) {
		fprintf(stderr, "%s: %m\n", path);
		config_free(reader.config);
		return NULL;
	}
	while (!err && getline(&line, &size, file) >= 0) {
		reader.line++;
		err = line_read(&reader, line);
	}
	if (!err && ferror(file)) {
		fprintf(stderr, "%s: %m\n", path);
		err = -EIO;
	}
	free(line);
	fclose(file);
	if (err) {
		config_free(reader.config);
		return NULL;
	}
	return reader.config;
}

/**
 * config_free() - free a configuration
 * @config: or NULL
 */
void config_free(struct config *config)
{
	if (!config)
		return;
	free(config->known_keys);
	free(config->strongswan_socket);
	free(config->unique_psk);
	free(config->pluto_socket);
	free(config->whack);
	free(config->certutil);
	free(config->updown_socket);
	free(config->pluto_unique_psk);
	free(config->pluto_unique_cert);
	free(config->connections);
	free(config);
}

/**
 * config_lists() - is a name in a list?
 * @list: a field that is a list
 * @name: without blanks
 *
 * Return: whether it is.
 */
bool config_lists(const char *list, const char *name)
{
	size_t len = strlen(name), word;
	const char *at;

	for (at = list + strspn(list, " \t"); *at; at += word + strspn(at + word, " \t")) {
		word = strcspn(at, " \t");
		if (word == len && !strncmp(at, name, len))
			return true;
	}
	return false;
}

/**
 * config_may_begin() - may a connection be begun because somebody requires it?
 * @config: the configuration
 * @name: of the connection
 *
 * Return: whether it may.
 */
bool config_may_begin(const struct config *config, const char *name)
{
	return !config->connections || config_lists(config->connections, name);
}
