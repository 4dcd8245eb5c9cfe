/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the library share, and what the ipsec-token command uses
 * of it through the static library. Nothing here is exported.
 *
 * A question goes token.c -> cache.c, and where the cache does not know,
 * netlink.c -> kernel -> parse.c -> cache.c. No step goes back.
 */
#ifndef IPSEC_INTERNAL_H
#define IPSEC_INTERNAL_H

#include <pthread.h>
#include <stdarg.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <ipsec/token.h>

#define IPSEC_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* parse.c: from netlink attributes to structures */

enum ipsec_field_type {
	IPSEC_FIELD_U8,
	IPSEC_FIELD_BOOL,		/* u8 that is 0 or 1 */
	IPSEC_FIELD_U16,
	IPSEC_FIELD_U32,
	IPSEC_FIELD_U64,
	IPSEC_FIELD_BE16,
	IPSEC_FIELD_BE32,
	IPSEC_FIELD_FLAG,
	IPSEC_FIELD_NAME,		/* char[IPSEC_ALGORITHM_NAME_SIZE] */
	IPSEC_FIELD_ADDRESS,		/* uint8_t[16] */
	IPSEC_FIELD_SELECTOR,
	IPSEC_FIELD_LIFETIMES,
	IPSEC_FIELD_SKIP,		/* known, and read elsewhere */
};

/**
 * struct ipsec_field - where one attribute of a nest goes
 * @type: what the attribute must look like
 * @required: it must be there
 * @known: the table has this entry (attributes it lacks are passed over)
 * @offset: of the member of the structure
 */
struct ipsec_field {
	uint8_t type;
	bool required;
	bool known;
	uint16_t offset;
};

#define IPSEC_FIELD(type_, struct_, member_) \
	{ .type = IPSEC_FIELD_##type_, .known = true, .offset = offsetof(struct_, member_) }
#define IPSEC_FIELD_NEEDED(type_, struct_, member_) \
	{ .type = IPSEC_FIELD_##type_, .known = true, .required = true, \
	  .offset = offsetof(struct_, member_) }
#define IPSEC_FIELD_ELSEWHERE \
	{ .type = IPSEC_FIELD_SKIP, .known = true }

/* no table has more attributes than this (see the set of those seen) */
#define IPSEC_FIELDS_MAX 64

/* the attributes that a nest held */
#define IPSEC_SEEN(seen, attr) (!!((seen) & (1ULL << (attr))))

/**
 * struct ipsec_context_sa - one SA of a context, and what only an
 *	administrator is told of it
 * @sa: the public part
 * @used: first use, in seconds since the epoch
 * @bytes: that it protected
 * @packets: that it protected
 * @seen: IPSEC_SA_A_* attributes that the kernel gave
 */
struct ipsec_context_sa {
	struct ipsec_sa sa;
	uint64_t used;
	uint64_t bytes;
	uint64_t packets;
	uint64_t seen;
};

/**
 * struct ipsec_context - a protection context as the kernel describes it
 * @attributes: the public part
 * @id: of the context, 0: not told (administrators are)
 * @users: sockets under it
 * @seen: IPSEC_CONTEXT_A_* attributes that the kernel gave
 * @identity: content of the nest IPSEC_CONTEXT_A_IDENTITY, in this same piece
 *	of memory, NULL: none has been bound
 * @identity_size: its size
 * @sa: @attributes.sa_count of them
 */
struct ipsec_context {
	struct ipsec_ptoken_attributes attributes;
	uint64_t id;
	uint32_t users;
	uint64_t seen;
	const void *identity;
	size_t identity_size;
	struct ipsec_context_sa sa[];
};

int ipsec_parse_fields(const void *attrs, size_t len, const struct ipsec_field *fields,
		       unsigned int max, void *out, uint64_t *seen);
int ipsec_parse_nest(const struct nlattr *nest, const struct ipsec_field *fields,
		     unsigned int max, void *out, uint64_t *seen);
const struct nlattr *ipsec_parse_find(const struct nlmsghdr *nlh, uint16_t type);
int ipsec_parse_context(const struct nlattr *nest, struct ipsec_context **context);

/* itoken.c */

int ipsec_itoken_parse(const void *attrs, size_t size, struct ipsec_itoken **itoken,
		       struct ipsec_itoken **local);
int ipsec_itoken_value(const struct ipsec_itoken *itoken, uint8_t *value, bool *valued);
int ipsec_itoken_of_value(const uint8_t *value, struct ipsec_itoken **itoken);

/* token.c */

int ipsec_look(struct ipsec *ipsec, ipsec_ptoken_t ptoken, const struct ipsec_context **context);

/* audit.c */

int ipsec_audit_string(const struct ipsec_context *context, char *buf, size_t size);

/* cache.c: what the kernel said of a token, until it says that may be over */

#define IPSEC_CACHE_SETS 256
#define IPSEC_CACHE_WAYS 4

struct ipsec_cache_entry {
	ipsec_ptoken_t ptoken;
	struct ipsec_context *context;
};

struct ipsec_cache {
	struct ipsec_cache_entry entry[IPSEC_CACHE_SETS][IPSEC_CACHE_WAYS];
	uint8_t next[IPSEC_CACHE_SETS];
	unsigned int used;
};

struct ipsec_context *ipsec_cache_find(const struct ipsec_cache *cache, ipsec_ptoken_t ptoken);
void ipsec_cache_add(struct ipsec_cache *cache, ipsec_ptoken_t ptoken,
		     struct ipsec_context *context);
void ipsec_cache_drop(struct ipsec_cache *cache);

/* handle.c */

/**
 * struct ipsec - a connection to the kernel module
 * @alive: in a page that the kernel wipes in a fork's child; one of
 *	enum ipsec_alive
 * @lock: guards everything below
 * @nl: requests and replies, NULL: to be opened
 * @changes: the group "changes", never blocks
 * @seq: of the last request
 * @family: id of the generic-netlink family, 0: to be looked up
 * @group_changes: id of that multicast group
 * @group_events: id of that one
 * @error: text of the last error
 * @passing: an answer that was outdated when it came, valid until the lock is
 *	released
 * @cache: of the answers that are not
 * @buf: holds any message of the kernel
 */
struct ipsec {
	uint32_t *alive;
	pthread_mutex_t lock;
	struct mnl_socket *nl;
	struct mnl_socket *changes;
	uint32_t seq;
	uint16_t family;
	uint32_t group_changes;
	uint32_t group_events;
	char error[256];
	struct ipsec_context *passing;
	struct ipsec_cache cache;
	char *buf;
};

enum ipsec_alive {
	IPSEC_ALIVE_FORKED = 0,		/* as the kernel wiped it */
	IPSEC_ALIVE_HERE,
	IPSEC_ALIVE_RESET,		/* a thread of the child is at it */
};

void ipsec_enter(struct ipsec *ipsec);
void ipsec_leave(struct ipsec *ipsec);
int ipsec_fail(struct ipsec *ipsec, int err, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));

/* socket.c */

int ipsec_socket_error(int fd, int err);

/* netlink.c: all of these with the lock of the handle held */

/* a nest holds at most 64 KiB, and next to it there are a few numbers */
#define IPSEC_NL_BUFFER_SIZE (65536 + 1024)

typedef int (*ipsec_nl_cb_t)(const struct nlmsghdr *nlh, void *data);

int ipsec_nl_ready(struct ipsec *ipsec);
void ipsec_nl_close(struct ipsec *ipsec);
bool ipsec_nl_changed(struct ipsec *ipsec);
struct nlmsghdr *ipsec_nl_request(struct ipsec *ipsec, void *buf, uint8_t cmd, uint16_t flags);
int ipsec_nl_talk(struct ipsec *ipsec, struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data);

#endif /* IPSEC_INTERNAL_H */
