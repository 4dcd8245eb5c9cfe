/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the ipsec-token command share.
 */
#ifndef IPSEC_TOOL_COMMAND_H
#define IPSEC_TOOL_COMMAND_H

#include "../lib/internal.h"
#include "output.h"
#include "tokend/identity.h"
#include "tokend/sas.h"

enum exit_code {
	EXIT_OK,
	EXIT_FAILED,
	EXIT_USAGE,

	/* of gate and run, which otherwise end as the program that they run */
	EXIT_REFUSED = 77,
	EXIT_NOT_STARTED = 125,
	EXIT_NOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

/* ipsec-token.c */

/**
 * struct verb - what can be done with an object
 * @name: of the verb
 * @run: does it, with the arguments after the verb; returns an exit code
 * @help: text, NULL: that of the object tells
 */
struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

int usage(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
int failed(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
int number_read(const char *text, uint64_t max, uint64_t *value);

int context_list(int argc, char **argv);
int context_show(int argc, char **argv);
int identity_list(int argc, char **argv);
int identity_show(int argc, char **argv);
int identity_bind(int argc, char **argv);
int identity_unbind(int argc, char **argv);
int known_list(int argc, char **argv);
int known_forget(int argc, char **argv);
int sockets_list(int argc, char **argv);
int resolve(int argc, char **argv);
int latch_list(int argc, char **argv);
int untrusted_list(int argc, char **argv);
int untrusted_add(int argc, char **argv);
int untrusted_del(int argc, char **argv);
int monitor(int argc, char **argv);
int stats_show(int argc, char **argv);
int config_show(int argc, char **argv);
int config_set(int argc, char **argv);
int gate(int argc, char **argv);
int run(int argc, char **argv);

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

#define WORDS_SIZE 256
#define AUDIT_SIZE 1024

const char *context_words(const struct ipsec_context *context, char *words);
enum colour context_colour(const struct ipsec_context *context);
void context_json(const char *name, const struct ipsec_context *context,
		  const struct identity *identity);
void context_print(const struct ipsec_context *context, const struct identity *identity);

/* config.c */

int settings_tell(const struct nlmsghdr *nlh, char separator);

/* sa.c: SAs as they are named on the command line */

/* the kernel takes no more in one request */
#define SAS_MAX 16

/**
 * struct sas - which SAs
 * @sa: each of them once
 * @count: how many
 */
struct sas {
	struct sa_ref sa[SAS_MAX];
	size_t count;
};

int sas_take(struct sas *sas, int argc, char **argv);
bool sa_ref_exists(const struct sa_ref *sa);
bool sa_ref_same(const struct sa_ref *a, const struct sa_ref *b);
const char *sa_ref_protocol(const struct sa_ref *sa);
const char *sa_ref_destination(const struct sa_ref *sa, char *buf);
void sa_ref_json(const char *name, const struct sa_ref *sa);

/* identity.c: identities, and how they are told of elsewhere */

/* an iToken as a word, see ipsec_itoken_export() */
const char *itoken_text(const uint8_t *itoken, char *text);
bool itoken_begins(const uint8_t *itoken, const char *word);
bool itoken_word(const char *word);

struct identity *context_identity(const struct ipsec_context *context);
struct identity *itoken_identity(const struct ipsec_itoken *peer,
				 const struct ipsec_itoken *local);
const char *identity_words(const struct identity *identity, char *words);
void identity_json(const char *name, const struct identity *identity);
void identity_members_json(const struct identity *identity);
void identity_print(const struct identity *identity);

/* bindings.c: SAs with the identities behind them */

/**
 * struct binding - an SA, and who is behind it
 * @sa: which
 * @identity: who
 * @raw: the attributes as they came
 * @size: of @raw
 */
struct binding {
	struct sa_ref sa;
	struct identity *identity;
	size_t size;
	uint8_t raw[];
};

int bindings_read(struct ipsec *ipsec, struct list *list);
void bindings_free(struct list *list);

/* known.c: keys of peers that were seen before */

char *known_file(void);

/* ike_id.c: the types of IKE identities in words */

#define IKE_ID_TYPE_WORD 16

const char *ike_id_type_word(uint8_t type, char *word);
int ike_id_type_read(const char *word, uint8_t *type);
const char *ike_id_wrong(uint8_t type, const char *id);

/* environment.c: programs that are started, and what protects their connection */

void environment_clear(void);
int environment_tell(const struct ipsec_ptoken_attributes *attributes, const char *audit,
		     const struct ipsec_itoken *peer, const struct ipsec_itoken *local);
int program_failed(const char *program, int err);

/* latch.c */

int latch_tell(const struct nlmsghdr *nlh);

#endif /* IPSEC_TOOL_COMMAND_H */
