// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings and counters.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static const char *const latch_modes[] = {
	[IPSEC_LATCH_ENFORCE] = "enforce",
	[IPSEC_LATCH_REPORT]  = "report",
	[IPSEC_LATCH_OFF]     = "off",
	NULL
};

/**
 * struct setting - what can be set
 * @name: of the setting
 * @attr: IPSEC_A_*, of four bytes, or of one where there are @words
 * @what: it takes, for a complaint
 * @words: that its values have, up to a NULL beyond the first; NULL: a number
 */
static const struct setting {
	const char *name;
	uint16_t attr;
	const char *what;
	const char *const *words;
} settings[] = {
	{ "linger", IPSEC_A_LINGER, "a number of seconds", NULL },
	{ "latch", IPSEC_A_LATCH_MODE, "enforce, report or off", latch_modes },
};

static const char *word_of(const struct setting *setting, uint8_t value)
{
	unsigned int i;

	for (i = 1; setting->words[i]; i++)
		if (i == value)
			return setting->words[i];
	return NULL;
}

static int setting_tell(const struct setting *setting, const struct nlattr *attr)
{
	const char *word;

	if (mnl_attr_validate(attr, setting->words ? MNL_TYPE_U8 : MNL_TYPE_U32))
		return -EPROTO;
	if (!setting->words) {
		if (output.json)
			json_uint(setting->name, mnl_attr_get_u32(attr));
		else
			printf("%s %" PRIu32, setting->name, mnl_attr_get_u32(attr));
		return 0;
	}
	word = word_of(setting, mnl_attr_get_u8(attr));
	if (!word)
		return -EPROTO;
	if (output.json)
		json_string(setting->name, word);
	else
		printf("%s %s", setting->name, word);
	return 0;
}

/**
 * settings_tell() - print the settings that a message has
 * @nlh: message
 * @separator: between them, for people
 *
 * Return: 0, or -EPROTO if it has none, or one that makes no sense.
 */
int settings_tell(const struct nlmsghdr *nlh, char separator)
{
	unsigned int i, told = 0;

	for (i = 0; i < IPSEC_ARRAY_SIZE(settings); i++) {
		const struct nlattr *attr = ipsec_parse_find(nlh, settings[i].attr);

		if (!attr)
			continue;
		if (told && !output.json)
			putchar(separator);
		if (setting_tell(&settings[i], attr))
			return -EPROTO;
		told++;
	}
	return told ? 0 : -EPROTO;
}

static int show_reply(const struct nlmsghdr *nlh, void *data)
{
	int err;

	(void)data;
	if (output.json)
		json_open(NULL, '{');
	err = settings_tell(nlh, '\n');
	if (output.json)
		json_close();
	else
		putchar('\n');
	return err;
}

/**
 * config_show() - ipsec-token config show
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int config_show(int argc, char **argv)
{
	_Alignas(8) char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	struct ipsec *ipsec;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_CONFIG_GET, 0);
	if (admin_talk(ipsec, nlh, show_reply, NULL))
		return admin_failed(ipsec);
	ipsec_close(ipsec);
	return EXIT_OK;
}

static const struct setting *setting_find(const char *word)
{
	unsigned int i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(settings); i++)
		if (*word && !strncmp(settings[i].name, word, strlen(word)))
			return &settings[i];
	return NULL;
}

/* Read what is to be set; words may be cut short, as everywhere. */
static int value_read(const struct setting *setting, const char *text, uint64_t *value)
{
	unsigned int i;

	if (!setting->words)
		return number_read(text, UINT32_MAX, value);
	for (i = 1; setting->words[i]; i++) {
		if (*text && !strncmp(setting->words[i], text, strlen(text))) {
			*value = i;
			return 0;
		}
	}
	return -EINVAL;
}

/**
 * config_set() - ipsec-token config set NAME VALUE
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int config_set(int argc, char **argv)
{
	_Alignas(8) char buf[REQUEST_SIZE];
	const struct setting *setting = argc ? setting_find(argv[0]) : NULL;
	struct nlmsghdr *nlh;
	struct ipsec *ipsec;
	uint64_t value;

	if (!argc)
		return usage("config set takes a setting and its value");
	if (!setting)
		return usage("config set: there is no \"%s\"", argv[0]);
	if (argc != 2 || value_read(setting, argv[1], &value))
		return usage("%s: takes %s", setting->name, setting->what);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
	if (setting->words)
		mnl_attr_put_u8(nlh, setting->attr, value);
	else
		mnl_attr_put_u32(nlh, setting->attr, value);
	if (admin_talk(ipsec, nlh, NULL, NULL))
		return admin_failed(ipsec);
	ipsec_close(ipsec);
	return EXIT_OK;
}

static const char *const counters[] = {
	[IPSEC_STATS_A_CONTEXTS]	  = "contexts",
	[IPSEC_STATS_A_PATHS]		  = "paths",
	[IPSEC_STATS_A_CONNECTIONS]	  = "connections",
	[IPSEC_STATS_A_DATAGRAM_SOCKETS]  = "datagram-sockets",
	[IPSEC_STATS_A_BINDINGS]	  = "bindings",
	[IPSEC_STATS_A_LATCHES]		  = "latches",
	[IPSEC_STATS_A_CONTEXTS_CREATED]  = "contexts-created",
	[IPSEC_STATS_A_CONTEXTS_GONE]	  = "contexts-gone",
	[IPSEC_STATS_A_UNKNOWN_LIMIT]	  = "unknown-limit",
	[IPSEC_STATS_A_UNKNOWN_MEMORY]	  = "unknown-memory",
	[IPSEC_STATS_A_UNKNOWN_FRAGMENTS] = "unknown-fragments",
	[IPSEC_STATS_A_UNKNOWN_HANDSHAKE] = "unknown-handshake",
	[IPSEC_STATS_A_UNKNOWN_OLD]	  = "unknown-old",
	[IPSEC_STATS_A_TOKENS_REFUSED]	  = "tokens-refused",
	[IPSEC_STATS_A_LATCH_IN_CLEAR]	  = "latch-in-clear",
	[IPSEC_STATS_A_LATCH_IN_CONTEXT]  = "latch-in-context",
	[IPSEC_STATS_A_LATCH_IN_UNKNOWN]  = "latch-in-unknown",
	[IPSEC_STATS_A_LATCH_OUT_CLEAR]	  = "latch-out-clear",
	[IPSEC_STATS_A_LATCH_OUT_CONTEXT] = "latch-out-context",
	[IPSEC_STATS_A_LATCH_OUT_UNKNOWN] = "latch-out-unknown",
	[IPSEC_STATS_A_LATCH_HELD]	  = "latch-held",
	[IPSEC_STATS_A_LATCH_BROKEN]	  = "latch-broken",
	[IPSEC_STATS_A_LATCH_RESET]	  = "latch-reset",
	[IPSEC_STATS_A_REQUEST_REFUSED_IN]  = "request-refused-in",
	[IPSEC_STATS_A_REQUEST_REFUSED_OUT] = "request-refused-out",
	[IPSEC_STATS_A_NEGOTIATIONS]	  = "negotiations",
};

struct stats {
	uint64_t counter[IPSEC_ARRAY_SIZE(counters)];
	uint64_t seen;
};

static int stats_reply(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_STATS);
	struct ipsec_field fields[IPSEC_ARRAY_SIZE(counters)] = { 0 };
	struct stats *stats = data;
	unsigned int i;

	if (!nest)
		return -EPROTO;
	for (i = 0; i < IPSEC_ARRAY_SIZE(counters); i++) {
		fields[i].known = !!counters[i];
		fields[i].type = IPSEC_FIELD_U64;
		fields[i].offset = offsetof(struct stats, counter[0]) +
				   i * sizeof(stats->counter[0]);
	}
	return ipsec_parse_nest(nest, fields, IPSEC_ARRAY_SIZE(fields), stats, &stats->seen);
}

/**
 * stats_show() - ipsec-token stats
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int stats_show(int argc, char **argv)
{
	_Alignas(8) char buf[REQUEST_SIZE];
	struct stats stats = { 0 };
	struct nlmsghdr *nlh;
	struct ipsec *ipsec;
	unsigned int i;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_STATS_GET, 0);
	if (admin_talk(ipsec, nlh, stats_reply, &stats))
		return admin_failed(ipsec);
	ipsec_close(ipsec);

	if (output.json)
		json_open(NULL, '{');
	for (i = 0; i < IPSEC_ARRAY_SIZE(counters); i++) {
		if (!IPSEC_SEEN(stats.seen, i))
			continue;
		if (output.json)
			json_uint(counters[i], stats.counter[i]);
		else
			printf("%-20s %" PRIu64 "\n", counters[i], stats.counter[i]);
	}
	if (output.json)
		json_close();
	return EXIT_OK;
}
