/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the ipsec-token command share.
 */
#ifndef IPSEC_TOOL_COMMAND_H
#define IPSEC_TOOL_COMMAND_H

#include "../lib/internal.h"
#include "output.h"

enum exit_code {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,
};

/* ipsec-token.c */

/**
 * struct verb - what can be done with an object
 * @name: of the verb
 * @run: does it, with the arguments after the verb; returns an exit code
 */
struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
};

int usage(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
int number_read(const char *text, uint64_t max, uint64_t *value);

int context_list(int argc, char **argv);
int context_show(int argc, char **argv);
int sockets_list(int argc, char **argv);
int resolve(int argc, char **argv);
int untrusted_list(int argc, char **argv);
int untrusted_add(int argc, char **argv);
int untrusted_del(int argc, char **argv);
int monitor(int argc, char **argv);
int stats_show(int argc, char **argv);
int config_show(int argc, char **argv);
int config_set(int argc, char **argv);

/* admin.c: what the command asks the kernel, and the library does not */

#define REQUEST_SIZE 256

/**
 * struct list - what a dump brought
 * @count: how many items
 * @item: each allocated
 */
struct list {
	size_t count;
	void **item;
};

/**
 * struct algorithm - an algorithm, and whether it is trusted
 * @name: as xfrm has it
 * @class: enum ipsec_algorithm_class
 * @trusted: 1 or 0
 * @by_default: trusted unless an administrator says otherwise
 */
struct algorithm {
	char name[IPSEC_ALGORITHM_NAME_SIZE];
	uint8_t class;
	uint8_t trusted;
	uint8_t by_default;
};

/* Turns one message of a dump into an item. */
typedef int (*admin_read_t)(const struct nlmsghdr *nlh, void **item);

int admin_open(struct ipsec **ipsec);
int admin_failed(struct ipsec *ipsec);
int admin_dump(struct ipsec *ipsec, uint8_t cmd, admin_read_t read, struct list *list);
int admin_talk(struct ipsec *ipsec, struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data);
int admin_contexts(struct ipsec *ipsec, struct list *list);
int algorithm_read(const struct nlmsghdr *nlh, void **item);
const char *algorithm_class(const struct algorithm *algorithm);
void list_add(struct list *list, void *item);
void list_free(struct list *list);

/* context.c */

#define WORDS_SIZE 128
#define AUDIT_SIZE 1024

const char *context_words(const struct ipsec_context *context, char *words);
enum colour context_colour(const struct ipsec_context *context);
void context_json(const char *name, const struct ipsec_context *context);
void context_print(const struct ipsec_context *context);

#endif /* IPSEC_TOOL_COMMAND_H */
