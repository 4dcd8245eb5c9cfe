// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protection contexts: a list of them, one of them, and how they are told of
 * elsewhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pfkeyv2.h>
#include <linux/xfrm.h>

#include "command.h"

static const char *protocol_name(const struct ipsec_sa *sa)
{
	switch (sa->satype) {
	case SADB_SATYPE_AH:
		return "ah";
	case SADB_SATYPE_ESP:
		return "esp";
	case SADB_X_SATYPE_IPCOMP:
		return "ipcomp";
	default:
		return "other";
	}
}

static const char *mode_name(const struct ipsec_sa *sa)
{
	switch (sa->mode) {
	case XFRM_MODE_TRANSPORT:
		return "transport";
	case XFRM_MODE_TUNNEL:
		return "tunnel";
	case XFRM_MODE_BEET:
		return "beet";
	default:
		return "other";
	}
}

static const char *direction_name(const struct ipsec_sa *sa)
{
	switch (sa->direction) {
	case IPSEC_DIRECTION_IN:
		return "in";
	case IPSEC_DIRECTION_OUT:
		return "out";
	default:
		return "gone";
	}
}

static const char *address(const struct ipsec_sa *sa, const uint8_t *addr, char *buf)
{
	if (!sa->family || !inet_ntop(sa->family, addr, buf, INET6_ADDRSTRLEN))
		strcpy(buf, "-");
	return buf;
}

static void word_add(char *words, const char *glue, const char *word)
{
	size_t len = strlen(words);

	snprintf(words + len, WORDS_SIZE - len, "%s%s", len ? glue : "", word);
}

/* The protocols, outermost first, each once: "ah+esp". */
static void protocols(const struct ipsec_context *context, char *words)
{
	unsigned int i, index, said = 0;

	words[0] = '\0';
	for (index = 0; index <= UINT8_MAX; index++) {
		for (i = 0; i < context->attributes.sa_count; i++) {
			const struct ipsec_sa *sa = &context->sa[i].sa;
			unsigned int bit = 1U << (sa->satype & 31);

			if (sa->index != index || said & bit)
				continue;
			said |= bit;
			word_add(words, "+", protocol_name(sa));
		}
	}
}

/**
 * context_words() - a context in a few words
 * @context: context
 * @words: of WORDS_SIZE bytes
 *
 * Return: @words, as in "esp privacy integrity".
 */
const char *context_words(const struct ipsec_context *context, char *words)
{
	const struct ipsec_ptoken_attributes *attributes = &context->attributes;

	if (!context->seen) {
		strcpy(words, "none");
		return words;
	}
	protocols(context, words);
	if (attributes->privacy_protected)
		word_add(words, " ", "privacy");
	if (attributes->integrity_protected)
		word_add(words, " ", "integrity");
	if (attributes->compression_available)
		word_add(words, " ", "compression");
	if (attributes->tunnel_mode)
		word_add(words, " ", "tunnel");
	if (attributes->end_to_end)
		word_add(words, " ", "end-to-end");
	return words;
}

/**
 * context_colour() - what to make of a context at a glance
 * @context: context
 *
 * Return: good if it is private and has integrity, bad if it has neither.
 */
enum colour context_colour(const struct ipsec_context *context)
{
	unsigned int count = context->attributes.privacy_protected +
			     context->attributes.integrity_protected;

	return count == 2 ? COLOUR_GOOD : count ? COLOUR_DOUBT : COLOUR_BAD;
}

static void algorithm_json(const char *name, const char *algorithm, uint8_t number,
			   uint16_t bits)
{
	if (!algorithm[0])
		return;
	json_open(name, '{');
	json_string("name", algorithm);
	if (number)
		json_uint("number", number);
	if (bits)
		json_uint("key-bits", bits);
	json_close();
}

static void selector_json(const struct ipsec_selector *selector)
{
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];

	if (!selector->family ||
	    !inet_ntop(selector->family, selector->local, local, sizeof(local)) ||
	    !inet_ntop(selector->family, selector->peer, peer, sizeof(peer)))
		return;
	json_open("selector", '{');
	json_string("local", local);
	json_uint("local-prefix", selector->local_prefix);
	json_string("peer", peer);
	json_uint("peer-prefix", selector->peer_prefix);
	json_uint("proto", selector->proto);
	json_uint("local-port", selector->local_port);
	json_uint("local-port-mask", selector->local_port_mask);
	json_uint("peer-port", selector->peer_port);
	json_uint("peer-port-mask", selector->peer_port_mask);
	json_uint("ifindex", (uint32_t)selector->ifindex);
	json_close();
}

static void lifetimes_json(const struct ipsec_lifetimes *lifetimes)
{
	json_open("lifetimes", '{');
	json_uint("soft-bytes", lifetimes->soft_bytes);
	json_uint("hard-bytes", lifetimes->hard_bytes);
	json_uint("soft-packets", lifetimes->soft_packets);
	json_uint("hard-packets", lifetimes->hard_packets);
	json_uint("soft-add-seconds", lifetimes->soft_add_seconds);
	json_uint("hard-add-seconds", lifetimes->hard_add_seconds);
	json_uint("soft-use-seconds", lifetimes->soft_use_seconds);
	json_uint("hard-use-seconds", lifetimes->hard_use_seconds);
	json_close();
}

static void sa_json(const struct ipsec_context_sa *context_sa)
{
	const struct ipsec_sa *sa = &context_sa->sa;
	char addr[INET6_ADDRSTRLEN];

	json_open(NULL, '{');
	json_string("direction", direction_name(sa));
	json_uint("index", sa->index);
	json_string("protocol", protocol_name(sa));
	json_string("mode", mode_name(sa));
	if (sa->direction)
		json_uint("spi", sa->spi);
	json_string("local", address(sa, sa->local, addr));
	json_string("peer", address(sa, sa->peer, addr));
	json_uint("reqid", sa->reqid);
	json_uint("mark", sa->mark);
	json_uint("mark-mask", sa->mark_mask);
	json_uint("if-id", sa->if_id);
	selector_json(&sa->selector);
	algorithm_json("encryption", sa->ealg_name, sa->ealg, sa->ealg_bits);
	algorithm_json("authentication", sa->aalg_name, sa->aalg, sa->aalg_bits);
	algorithm_json("compression", sa->calg_name, sa->calg, 0);
	json_uint("icv-bits", sa->icv_bits);
	json_bool("esn", sa->esn);
	if (sa->encap_type) {
		json_open("encap", '{');
		json_uint("type", sa->encap_type);
		json_uint("local-port", sa->encap_local_port);
		json_uint("peer-port", sa->encap_peer_port);
		json_close();
	}
	json_bool("offload", sa->offload);
	if (sa->direction)
		lifetimes_json(&sa->lifetimes);
	json_uint("added", sa->added);
	if (IPSEC_SEEN(context_sa->seen, IPSEC_SA_A_USE_TIME))
		json_uint("used", context_sa->used);
	if (IPSEC_SEEN(context_sa->seen, IPSEC_SA_A_BYTES))
		json_uint("bytes", context_sa->bytes);
	if (IPSEC_SEEN(context_sa->seen, IPSEC_SA_A_PACKETS))
		json_uint("packets", context_sa->packets);
	json_close();
}

/**
 * context_json() - a context as JSON object
 * @name: of the member, or NULL
 * @context: context
 * @identity: who is behind it, NULL: none has been bound
 */
void context_json(const char *name, const struct ipsec_context *context,
		  const struct identity *identity)
{
	const struct ipsec_ptoken_attributes *attributes = &context->attributes;
	char audit[AUDIT_SIZE];
	unsigned int i;

	json_open(name, '{');
	if (context->id)
		json_uint("id", context->id);
	json_bool("protected", context->seen);
	json_bool("privacy", attributes->privacy_protected);
	json_bool("integrity", attributes->integrity_protected);
	json_bool("compression", attributes->compression_available);
	json_bool("tunnel", attributes->tunnel_mode);
	json_bool("end-to-end", attributes->end_to_end);
	json_uint("established", attributes->established);
	if (IPSEC_SEEN(context->seen, IPSEC_CONTEXT_A_USERS))
		json_uint("users", context->users);
	ipsec_audit_string(context, audit, sizeof(audit));
	json_string("audit", audit);
	identity_json("identity", identity);
	json_open("sa", '[');
	for (i = 0; i < attributes->sa_count; i++)
		sa_json(&context->sa[i]);
	json_close();
	json_close();
}

static void line(const char *name, enum colour colour, const char *value)
{
	printf("%-12s %s%s%s\n", name, colour_on(colour), value, colour_off(colour));
}

static void line_bool(const char *name, bool value, enum colour yes, enum colour no)
{
	line(name, value ? yes : no, value ? "yes" : "no");
}

static void sa_row(struct table *table, const struct ipsec_context_sa *context_sa)
{
	const struct ipsec_sa *sa = &context_sa->sa;
	char addr[INET6_ADDRSTRLEN], text[TIME_SIZE];

	table_cell(table, COLOUR_NONE, "%s", direction_name(sa));
	table_cell(table, COLOUR_NONE, "%s", protocol_name(sa));
	table_cell(table, COLOUR_NONE, "%s", mode_name(sa));
	if (sa->direction)
		table_cell(table, COLOUR_NONE, "0x%08x", sa->spi);
	else
		table_cell(table, COLOUR_NONE, "-");
	table_cell(table, COLOUR_NONE, "%s", address(sa, sa->local, addr));
	table_cell(table, COLOUR_NONE, "%s", address(sa, sa->peer, addr));
	table_cell(table, COLOUR_NONE, "%u", sa->reqid);
	if (IPSEC_SEEN(context_sa->seen, IPSEC_SA_A_BYTES))
		table_cell(table, COLOUR_NONE, "%" PRIu64, context_sa->bytes);
	else
		table_cell(table, COLOUR_NONE, "-");
	table_cell(table, COLOUR_FAINT, "%s", time_string(sa->added, text));
}

/**
 * context_print() - a context in detail, for people
 * @context: context
 * @identity: who is behind it, NULL: none has been bound
 */
void context_print(const struct ipsec_context *context, const struct identity *identity)
{
	static const char *const heads[] = {
		"SA", "PROTOCOL", "MODE", "SPI", "LOCAL", "PEER", "REQID", "BYTES", "ADDED",
	};
	const struct ipsec_ptoken_attributes *attributes = &context->attributes;
	char audit[AUDIT_SIZE], text[TIME_SIZE];
	struct table *table;
	unsigned int i;

	if (context->id)
		printf("%-12s %" PRIu64 "\n", "context", context->id);
	line_bool("privacy", attributes->privacy_protected, COLOUR_GOOD, COLOUR_BAD);
	line_bool("integrity", attributes->integrity_protected, COLOUR_GOOD, COLOUR_BAD);
	line_bool("compression", attributes->compression_available, COLOUR_NONE, COLOUR_NONE);
	line_bool("tunnel", attributes->tunnel_mode, COLOUR_NONE, COLOUR_NONE);
	line_bool("end-to-end", attributes->end_to_end, COLOUR_NONE, COLOUR_NONE);
	line("established", COLOUR_NONE, time_string(attributes->established, text));
	if (IPSEC_SEEN(context->seen, IPSEC_CONTEXT_A_USERS))
		printf("%-12s %u\n", "users", context->users);
	ipsec_audit_string(context, audit, sizeof(audit));
	line("audit", COLOUR_NONE, audit);

	/* of what is not protected nobody is behind */
	if (identity) {
		putchar('\n');
		identity_print(identity);
	} else if (context->seen) {
		line("identity", COLOUR_FAINT, "none has been bound yet");
	}
	if (!attributes->sa_count)
		return;
	putchar('\n');
	table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
	for (i = 0; i < attributes->sa_count; i++)
		sa_row(table, &context->sa[i]);
	table_print(table);
}

static void context_row(struct table *table, const struct ipsec_context *context)
{
	const struct ipsec_ptoken_attributes *attributes = &context->attributes;
	char words[WORDS_SIZE], addr[INET6_ADDRSTRLEN], text[TIME_SIZE];
	struct identity *identity = context_identity(context);
	unsigned int i, alive = 0;

	for (i = 0; i < attributes->sa_count; i++)
		alive += context->sa[i].sa.direction != 0;

	table_cell(table, COLOUR_NONE, "%" PRIu64, context->id);
	table_cell(table, COLOUR_NONE, "%s", attributes->sa_count ?
		   address(&context->sa[0].sa, context->sa[0].sa.local, addr) : "-");
	table_cell(table, COLOUR_NONE, "%s", attributes->sa_count ?
		   address(&context->sa[0].sa, context->sa[0].sa.peer, addr) : "-");
	table_cell(table, COLOUR_NONE, "%u", alive);
	table_cell(table, COLOUR_NONE, "%u", context->users);
	table_cell(table, COLOUR_FAINT, "%s", time_string(attributes->established, text));
	table_cell(table, COLOUR_NONE, "%s", identity_words(identity, words));
	table_cell(table, context_colour(context), "%s", context_words(context, words));
	identity_put(identity);
}

/**
 * context_list() - ipsec-token context list
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int context_list(int argc, char **argv)
{
	static const char *const heads[] = {
		"ID", "LOCAL", "PEER", "SAS", "USERS", "ESTABLISHED", "IDENTITY", "PROTECTION",
	};
	struct list list = { 0 };
	struct identity *identity;
	struct table *table;
	struct ipsec *ipsec;
	size_t i;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	if (admin_contexts(ipsec, &list)) {
		list_free(&list);
		return admin_failed(ipsec);
	}
	ipsec_close(ipsec);

	if (output.json) {
		json_open(NULL, '[');
		for (i = 0; i < list.count; i++) {
			identity = context_identity(list.item[i]);
			context_json(NULL, list.item[i], identity);
			identity_put(identity);
		}
		json_close();
	} else {
		table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
		for (i = 0; i < list.count; i++)
			context_row(table, list.item[i]);
		table_print(table);
	}
	list_free(&list);
	return EXIT_OK;
}

static int show_reply(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_CONTEXT);
	struct ipsec_context **context = data;

	if (!nest || *context)
		return -EPROTO;
	return ipsec_parse_context(nest, context);
}

/**
 * context_show() - ipsec-token context show ID
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int context_show(int argc, char **argv)
{
	_Alignas(8) char buf[REQUEST_SIZE];
	struct ipsec_context *context = NULL;
	struct identity *identity;
	struct nlmsghdr *nlh;
	struct ipsec *ipsec;
	uint64_t id;

	if (argc != 1 || number_read(argv[0], UINT64_MAX, &id))
		return usage("context show takes the id of a context");
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_CONTEXT_GET, 0);
	mnl_attr_put_u64(nlh, IPSEC_A_CONTEXT_ID, id);
	if (admin_talk(ipsec, nlh, show_reply, &context)) {
		free(context);
		return admin_failed(ipsec);
	}
	ipsec_close(ipsec);

	identity = context_identity(context);
	if (output.json)
		context_json(NULL, context, identity);
	else
		context_print(context, identity);
	identity_put(identity);
	free(context);
	return EXIT_OK;
}
