// SPDX-License-Identifier: GPL-2.0-only
/*
 * Algorithms that do not count as protection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static int by_class_and_name(const void *a, const void *b)
{
	const struct algorithm *left = *(struct algorithm *const *)a;
	const struct algorithm *right = *(struct algorithm *const *)b;

	if (left->class != right->class)
		return left->class < right->class ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void algorithms_json(const struct list *list)
{
	size_t i;

	json_open(NULL, '[');
	for (i = 0; i < list->count; i++) {
		const struct algorithm *algorithm = list->item[i];

		json_open(NULL, '{');
		json_string("name", algorithm->name);
		json_string("class", algorithm_class(algorithm));
		json_bool("trusted", algorithm->trusted);
		json_bool("default", algorithm->by_default);
		json_close();
	}
	json_close();
}

static void algorithms_print(const struct list *list)
{
	static const char *const heads[] = { "ALGORITHM", "CLASS", "TRUST", "DEFAULT" };
	struct table *table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
	size_t i;

	for (i = 0; i < list->count; i++) {
		const struct algorithm *algorithm = list->item[i];

		table_cell(table, COLOUR_NONE, "%s", algorithm->name);
		table_cell(table, COLOUR_NONE, "%s", algorithm_class(algorithm));
		table_cell(table, algorithm->trusted ? COLOUR_GOOD : COLOUR_BAD, "%s",
			   algorithm->trusted ? "trusted" : "untrusted");
		table_cell(table, COLOUR_FAINT, "%s",
			   algorithm->by_default ? "trusted" : "untrusted");
	}
	table_print(table);
}

/**
 * untrusted_list() - ipsec-token untrusted list
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int untrusted_list(int argc, char **argv)
{
	struct list list = { 0 };
	struct ipsec *ipsec;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	if (admin_dump(ipsec, IPSEC_CMD_ALGORITHM_GET, algorithm_read, &list)) {
		list_free(&list);
		return admin_failed(ipsec);
	}
	ipsec_close(ipsec);

	if (list.count)
		qsort(list.item, list.count, sizeof(*list.item), by_class_and_name);
	if (output.json)
		algorithms_json(&list);
	else
		algorithms_print(&list);
	list_free(&list);
	return EXIT_OK;
}

static int trust_set(int argc, char **argv, bool trusted)
{
	_Alignas(8) char buf[REQUEST_SIZE];
	struct nlmsghdr *nlh;
	struct ipsec *ipsec;

	if (argc != 1 || strlen(argv[0]) >= IPSEC_ALGORITHM_NAME_SIZE)
		return usage("untrusted add and del take the name of an algorithm");
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_ALGORITHM_SET, NLM_F_ACK);
	mnl_attr_put_strz(nlh, IPSEC_A_ALGORITHM_NAME, argv[0]);
	mnl_attr_put_u8(nlh, IPSEC_A_ALGORITHM_TRUSTED, trusted);
	if (admin_talk(ipsec, nlh, NULL, NULL))
		return admin_failed(ipsec);
	ipsec_close(ipsec);
	return EXIT_OK;
}

/**
 * untrusted_add() - ipsec-token untrusted add NAME
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int untrusted_add(int argc, char **argv)
{
	return trust_set(argc, argv, false);
}

/**
 * untrusted_del() - ipsec-token untrusted del NAME
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int untrusted_del(int argc, char **argv)
{
	return trust_set(argc, argv, true);
}
