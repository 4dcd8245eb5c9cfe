// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the command asks the kernel, and the library does not.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"

/* how often to ask again for a list that changes while it is read */
#define DUMP_TRIES 10

/**
 * list_add() - put an item into a list
 * @list: list
 * @item: belongs to the list from now on
 */
void list_add(struct list *list, void *item)
{
	/* the size doubles at every power of two */
	if (!(list->count & (list->count - 1))) {
		size_t room = list->count ? list->count * 2 : 1;

		list->item = realloc(list->item, room * sizeof(*list->item));
		if (!list->item)
			errx(EXIT_FAILED, "out of memory");
	}
	list->item[list->count++] = item;
}

/**
 * list_free() - free a list and its items
 * @list: empty afterwards
 */
void list_free(struct list *list)
{
	while (list->count)
		free(list->item[--list->count]);
	free(list->item);
	list->item = NULL;
}

/**
 * admin_open() - connect to the kernel module, or complain
 * @ipsec: set to the handle
 *
 * Return: exit code.
 */
int admin_open(struct ipsec **ipsec)
{
	int err = ipsec_open(ipsec);

	if (!err)
		return EXIT_OK;
	fprintf(stderr, "ipsec-token: %s\n", ipsec_strerror(err));
	return EXIT_FAILED;
}

/**
 * admin_failed() - complain in the words of the last error, and close
 * @ipsec: handle
 *
 * Return: exit code.
 */
int admin_failed(struct ipsec *ipsec)
{
	fprintf(stderr, "ipsec-token: %s\n", ipsec_error(ipsec));
	ipsec_close(ipsec);
	return EXIT_FAILED;
}

/**
 * admin_talk() - send a request and take the reply
 * @ipsec: handle
 * @nlh: request
 * @cb: called with every message of the reply, may be NULL
 * @data: for @cb
 *
 * Return: 0 or a negative errno value, with the text in the handle.
 */
int admin_talk(struct ipsec *ipsec, struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	int err;

	ipsec_enter(ipsec);
	err = ipsec_nl_talk(ipsec, nlh, cb, data);
	ipsec_leave(ipsec);
	return err;
}

struct dump {
	admin_read_t read;
	struct list *list;
};

static int dump_item(const struct nlmsghdr *nlh, void *data)
{
	struct dump *dump = data;
	void *item = NULL;
	int err;

	err = dump->read(nlh, &item);
	if (!err)
		list_add(dump->list, item);
	return err;
}

/**
 * admin_dump() - ask for a list
 * @ipsec: handle
 * @cmd: IPSEC_CMD_*
 * @read: turns a message into an item
 * @list: filled in, to be freed with list_free() in any case
 *
 * Return: 0 or a negative errno value, with the text in the handle.
 */
int admin_dump(struct ipsec *ipsec, uint8_t cmd, admin_read_t read, struct list *list)
{
	_Alignas(8) char buf[REQUEST_SIZE];
	struct dump dump = { .read = read, .list = list };
	unsigned int tries = DUMP_TRIES;
	struct nlmsghdr *nlh;
	int err;

	do {
		list_free(list);
		nlh = ipsec_nl_request(ipsec, buf, cmd, NLM_F_DUMP);
		err = admin_talk(ipsec, nlh, dump_item, &dump);
	} while (err == -EAGAIN && --tries);
	return err;
}

static int context_read(const struct nlmsghdr *nlh, void **item)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_CONTEXT);
	struct ipsec_context *context;
	int err;

	if (!nest)
		return -EPROTO;
	err = ipsec_parse_context(nest, &context);
	if (!err)
		*item = context;
	return err;
}

static int by_id(const void *a, const void *b)
{
	const struct ipsec_context *left = *(struct ipsec_context *const *)a;
	const struct ipsec_context *right = *(struct ipsec_context *const *)b;

	return left->id < right->id ? -1 : left->id > right->id;
}

/**
 * admin_contexts() - ask for all contexts
 * @ipsec: handle
 * @list: filled in with struct ipsec_context in the order of their ids
 *
 * Return: 0 or a negative errno value, with the text in the handle.
 */
int admin_contexts(struct ipsec *ipsec, struct list *list)
{
	int err = admin_dump(ipsec, IPSEC_CMD_CONTEXT_GET, context_read, list);

	if (!err && list->count)
		qsort(list->item, list->count, sizeof(*list->item), by_id);
	return err;
}

static const struct ipsec_field algorithm_fields[] = {
	[IPSEC_ALGORITHM_A_NAME]    = IPSEC_FIELD_NEEDED(NAME, struct algorithm, name),
	[IPSEC_ALGORITHM_A_CLASS]   = IPSEC_FIELD_NEEDED(U8, struct algorithm, class),
	[IPSEC_ALGORITHM_A_TRUSTED] = IPSEC_FIELD_NEEDED(BOOL, struct algorithm, trusted),
	[IPSEC_ALGORITHM_A_DEFAULT] = IPSEC_FIELD_NEEDED(BOOL, struct algorithm, by_default),
};

/**
 * algorithm_read() - read the description of an algorithm
 * @nlh: message with IPSEC_A_ALGORITHM
 * @item: set to a struct algorithm
 *
 * Return: 0, -EPROTO or -ENOMEM.
 */
int algorithm_read(const struct nlmsghdr *nlh, void **item)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_ALGORITHM);
	struct algorithm *algorithm;
	uint64_t seen;

	if (!nest)
		return -EPROTO;
	algorithm = calloc(1, sizeof(*algorithm));
	if (!algorithm)
		return -ENOMEM;
	if (ipsec_parse_nest(nest, algorithm_fields, IPSEC_ARRAY_SIZE(algorithm_fields),
			     algorithm, &seen)) {
		free(algorithm);
		return -EPROTO;
	}
	*item = algorithm;
	return 0;
}

/**
 * algorithm_class() - what an algorithm is for
 * @algorithm: algorithm
 *
 * Return: a word.
 */
const char *algorithm_class(const struct algorithm *algorithm)
{
	switch (algorithm->class) {
	case IPSEC_ALGORITHM_ENCRYPTION:
		return "encryption";
	case IPSEC_ALGORITHM_AUTHENTICATION:
		return "authentication";
	case IPSEC_ALGORITHM_AEAD:
		return "aead";
	default:
		return "other";
	}
}
