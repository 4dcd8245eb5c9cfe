// SPDX-License-Identifier: GPL-2.0-only
/*
 * SAs with the identities behind them: a list, one of them, and how they are
 * taken back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "tokend/message.h"

static int binding_read(const struct nlmsghdr *nlh, void **item)
{
	const struct nlattr *identity = ipsec_parse_find(nlh, IPSEC_A_IDENTITY);
	const struct nlattr *sa = ipsec_parse_find(nlh, IPSEC_A_SA);
	struct binding *binding;
	struct sa_ref ref;
	size_t size;

	if (!identity || !sa || !message_get_sa(sa, &ref))
		return -EPROTO;
	size = mnl_attr_get_payload_len(identity);
	binding = calloc(1, sizeof(*binding) + size);
	if (!binding)
		return -ENOMEM;
	binding->sa = ref;
	binding->size = size;
	memcpy(binding->raw, mnl_attr_get_payload(identity), size);
	/* of what was sent: the copy is not where attributes would be aligned */
	binding->identity = message_get_identity(mnl_attr_get_payload(identity), size);
	*item = binding;
	return 0;
}

static int by_sa(const void *a, const void *b)
{
	const struct binding *left = *(struct binding *const *)a;
	const struct binding *right = *(struct binding *const *)b;
	int order = memcmp(left->sa.destination, right->sa.destination,
			   sizeof(left->sa.destination));

	if (left->sa.family != right->sa.family)
		return left->sa.family < right->sa.family ? -1 : 1;
	if (order)
		return order;
	if (left->sa.spi != right->sa.spi)
		return ntohl(left->sa.spi) < ntohl(right->sa.spi) ? -1 : 1;
	if (left->sa.satype != right->sa.satype)
		return left->sa.satype < right->sa.satype ? -1 : 1;
	return left->sa.mark < right->sa.mark ? -1 : left->sa.mark > right->sa.mark;
}

/**
 * bindings_read() - ask for all SAs that have an identity
 * @ipsec: handle
 * @list: filled in with struct binding in the order of destination and SPI, to be
 *	freed with bindings_free() in any case
 *
 * Return: 0 or a negative errno value, with the text in the handle.
 */
int bindings_read(struct ipsec *ipsec, struct list *list)
{
	struct binding *last = NULL;
	size_t i, count = 0;
	int err;

	err = admin_dump(ipsec, IPSEC_CMD_IDENTITY_GET, binding_read, list);
	if (err || !list->count)
		return err;
	qsort(list->item, list->count, sizeof(*list->item), by_sa);
	/* while its table grows the kernel may tell of one twice */
	for (i = 0; i < list->count; i++) {
		struct binding *binding = list->item[i];

		if (last && sa_ref_same(&last->sa, &binding->sa)) {
			identity_put(binding->identity);
			free(binding);
			continue;
		}
		last = binding;
		list->item[count++] = binding;
	}
	list->count = count;
	return 0;
}

/**
 * bindings_free() - free what bindings_read() has read
 * @list: empty afterwards
 */
void bindings_free(struct list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		identity_put(((struct binding *)list->item[i])->identity);
	list_free(list);
}

/* All attributes are the same, down to the last byte. */
static bool says_the_same(const struct binding *a, const struct binding *b)
{
	return a->size == b->size && !memcmp(a->raw, b->raw, a->size);
}

/* ----------------------------------------------------------------------- list */

static void binding_row(struct table *table, const struct binding *binding)
{
	const struct identity *identity = binding->identity;
	char addr[INET6_ADDRSTRLEN], text[IPSEC_ITOKEN_TEXT_SIZE];

	table_cell(table, COLOUR_NONE, "%s", sa_ref_protocol(&binding->sa));
	table_cell(table, COLOUR_NONE, "0x%08" PRIx32, ntohl(binding->sa.spi));
	table_cell(table, COLOUR_NONE, "%s", sa_ref_destination(&binding->sa, addr));
	table_cell(table, COLOUR_NONE, binding->sa.mark ? "0x%" PRIx32 : "-", binding->sa.mark);
	table_cell(table, COLOUR_NONE, "%s", method_name(identity->remote.method));
	table_cell(table, COLOUR_NONE, "%s", identity->remote.id ? identity->remote.id : "-");
	table_cell(table, COLOUR_NONE, "%s", identity->policy ? identity->policy : "-");
	table_cell(table, COLOUR_FAINT, "%s", identity->source ? identity->source : "-");
	/* the beginning is enough to name it, and more is hard to read */
	itoken_text(identity->remote.itoken, text);
	table_cell(table, COLOUR_FAINT, "%.16s", strrchr(text, ':') + 1);
}

/**
 * identity_list() - ipsec-token identity list
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int identity_list(int argc, char **argv)
{
	static const char *const heads[] = {
		"SA", "SPI", "DESTINATION", "MARK", "METHOD", "ID", "POLICY", "SOURCE", "ITOKEN",
	};
	struct list list = { 0 };
	struct table *table;
	struct ipsec *ipsec;
	size_t i;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	if (bindings_read(ipsec, &list)) {
		bindings_free(&list);
		return admin_failed(ipsec);
	}
	ipsec_close(ipsec);

	if (output.json) {
		json_open(NULL, '[');
		for (i = 0; i < list.count; i++) {
			const struct binding *binding = list.item[i];

			json_open(NULL, '{');
			sa_ref_json("sa", &binding->sa);
			identity_members_json(binding->identity);
			json_close();
		}
		json_close();
	} else {
		table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
		for (i = 0; i < list.count; i++)
			binding_row(table, list.item[i]);
		table_print(table);
	}
	bindings_free(&list);
	return EXIT_OK;
}

/* ---------------------------------------------------------------- which of them */

/**
 * struct selection - which bindings are meant
 * @sas: those of these SAs
 * @itoken: or those of this iToken, NULL: of any
 */
struct selection {
	struct sas sas;
	const char *itoken;
};

static int selection_read(struct selection *selection, const char *verb, int argc, char **argv)
{
	int used;

	if (argc == 2 && !strcmp(argv[0], "itoken")) {
		if (!itoken_word(argv[1]))
			return usage("itoken: \"%s\" is none, nor the first eight digits or more",
				     argv[1]);
		selection->itoken = argv[1];
		return EXIT_OK;
	}
	for (; argc; argc -= used, argv += used) {
		if (strcmp(argv[0], "sa"))
			return usage("identity %s takes SAs, or an iToken: what is \"%s\"?", verb,
				     argv[0]);
		used = sas_take(&selection->sas, argc - 1, argv + 1);
		if (used++ < 0)
			return EXIT_USAGE;
	}
	return EXIT_OK;
}

static bool is_selected(const struct selection *selection, const struct binding *binding)
{
	size_t i;

	if (selection->itoken)
		return itoken_begins(binding->identity->remote.itoken, selection->itoken);
	for (i = 0; i < selection->sas.count; i++)
		if (sa_ref_same(&selection->sas.sa[i], &binding->sa))
			return true;
	return !selection->sas.count;
}

/* Leave in the list what is selected. Returns an exit code. */
static int select_from(struct list *list, const struct selection *selection)
{
	const uint8_t *itoken = NULL;
	size_t i, k, count = 0;
	char text[SA_REF_TEXT];

	for (i = 0; i < selection->sas.count; i++) {
		for (k = 0; k < list->count; k++) {
			const struct binding *binding = list->item[k];

			if (sa_ref_same(&binding->sa, &selection->sas.sa[i]))
				break;
		}
		if (k == list->count)
			return failed("sa: %s has no identity",
				      sa_ref_text(&selection->sas.sa[i], text));
	}
	for (i = 0; i < list->count; i++) {
		struct binding *binding = list->item[i];

		if (!is_selected(selection, binding)) {
			identity_put(binding->identity);
			free(binding);
			continue;
		}
		list->item[count++] = binding;
	}
	list->count = count;
	for (i = 0; selection->itoken && i < count; i++) {
		const uint8_t *other = ((struct binding *)list->item[i])->identity->remote.itoken;

		if (itoken && memcmp(itoken, other, IPSEC_ITOKEN_SIZE))
			return failed("itoken: several begin with \"%s\"", selection->itoken);
		itoken = other;
	}
	if (selection->itoken && !count)
		return failed("itoken: no SA has one that begins with \"%s\"",
			      selection->itoken);
	return EXIT_OK;
}

static int selected_read(struct ipsec *ipsec, const struct selection *selection,
			 struct list *list)
{
	if (bindings_read(ipsec, list)) {
		fprintf(stderr, "ipsec-token: %s\n", ipsec_error(ipsec));
		return EXIT_FAILED;
	}
	return select_from(list, selection);
}

/* ----------------------------------------------------------------------- show */

static int by_content(const void *a, const void *b)
{
	const struct binding *left = *(struct binding *const *)a;
	const struct binding *right = *(struct binding *const *)b;
	int order;

	if (left->size != right->size)
		return left->size < right->size ? -1 : 1;
	order = memcmp(left->raw, right->raw, left->size);
	return order ? order : by_sa(a, b);
}

static void group_json(const struct list *list, size_t first, size_t end)
{
	const struct binding *binding = list->item[first];
	size_t i;

	json_open(NULL, '{');
	json_open("sa", '[');
	for (i = first; i < end; i++)
		sa_ref_json(NULL, &((struct binding *)list->item[i])->sa);
	json_close();
	identity_members_json(binding->identity);
	json_close();
}

static void group_print(const struct list *list, size_t first, size_t end)
{
	const struct binding *binding = list->item[first];
	char text[SA_REF_TEXT];
	size_t i;

	if (first)
		putchar('\n');
	for (i = first; i < end; i++)
		printf("%-20s %s\n", "sa",
		       sa_ref_text(&((struct binding *)list->item[i])->sa, text));
	identity_print(binding->identity);
}

/* Each identity once, with all its SAs. */
static void groups_show(struct list *list)
{
	size_t first, end;

	if (list->count)
		qsort(list->item, list->count, sizeof(*list->item), by_content);
	if (output.json)
		json_open(NULL, '[');
	for (first = 0; first < list->count; first = end) {
		for (end = first + 1; end < list->count; end++)
			if (!says_the_same(list->item[first], list->item[end]))
				break;
		if (output.json)
			group_json(list, first, end);
		else
			group_print(list, first, end);
	}
	if (output.json)
		json_close();
}

/**
 * identity_show() - ipsec-token identity show [sa ... | itoken TEXT]
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int identity_show(int argc, char **argv)
{
	struct selection selection = { 0 };
	struct list list = { 0 };
	struct ipsec *ipsec;
	int ret;

	ret = selection_read(&selection, "show", argc, argv);
	if (ret)
		return ret;
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	ret = selected_read(ipsec, &selection, &list);
	ipsec_close(ipsec);
	if (!ret)
		groups_show(&list);
	bindings_free(&list);
	return ret;
}

/* --------------------------------------------------------------------- unbind */

static int unbind(struct ipsec *ipsec, const struct sa_ref *sa, size_t count)
{
	_Alignas(8) char buf[REQUEST_SIZE + SAS_MAX * 64];
	struct nlmsghdr *nlh;
	size_t i;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_UNBIND, NLM_F_ACK);
	for (i = 0; i < count; i++)
		message_put_sa(nlh, &sa[i]);
	return admin_talk(ipsec, nlh, NULL, NULL);
}

/* One by one: that an SA has gone meanwhile is what is wanted. */
static int unbind_all(struct ipsec *ipsec, const struct list *list)
{
	size_t i;
	int err;

	for (i = 0; i < list->count; i++) {
		err = unbind(ipsec, &((struct binding *)list->item[i])->sa, 1);
		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

/**
 * identity_unbind() - ipsec-token identity unbind {sa ... | itoken TEXT}
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int identity_unbind(int argc, char **argv)
{
	struct selection selection = { 0 };
	struct list list = { 0 };
	struct ipsec *ipsec;
	int ret, err;

	ret = selection_read(&selection, "unbind", argc, argv);
	if (ret)
		return ret;
	if (!selection.itoken && !selection.sas.count)
		return usage("identity unbind takes SAs, or an iToken");
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	ret = selected_read(ipsec, &selection, &list);
	if (ret) {
		ipsec_close(ipsec);
		bindings_free(&list);
		return ret;
	}
	/* those that were named, all or none of them */
	err = selection.itoken ? unbind_all(ipsec, &list) :
				 unbind(ipsec, selection.sas.sa, selection.sas.count);
	bindings_free(&list);
	if (err)
		return admin_failed(ipsec);
	ipsec_close(ipsec);
	return EXIT_OK;
}
