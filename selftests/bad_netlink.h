/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink requests as they are on the wire, and all that is in the answers.
 *
 * lib.sh sets up the hosts left and right with an SA pair for either family.
 * Two TCP connections between them make the contexts that are asked about. The
 * test is at right.
 */
#ifndef BAD_NETLINK_H
#define BAD_NETLINK_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/ipsec_token.h>
#include <linux/xfrm.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <kselftest.h>

#include "helpers/enter.h"

/* in the tables below, what a line leaves out is not there */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define SETUP	"bash -c '. selftests/lib.sh && net_up && " \
		"ipsec_up esp-gcm 4 && ipsec_up esp-cbc 6 spi=0x2000'"

#define PORT		7777
#define NOBODY		65534
#define DUMP		NLM_F_DUMP

static uint16_t family;
static uint32_t group_events, group_changes;
static int server4, server6;		/* connections, at right */
static uint64_t ptoken;			/* of server4, in this process */
static uint64_t context_id;		/* one that is there */

/* What is wrong with the result that comes next; printed below it. */
static char wrong[8192];

static inline void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	size_t length = strlen(wrong);
	va_list args;

	va_start(args, format);
	vsnprintf(wrong + length, sizeof(wrong) - length, format, args);
	va_end(args);
}

static inline void report(const char *what)
{
	ksft_test_result(!*wrong, "%s\n", what);
	fputs(wrong, stdout);
	*wrong = 0;
}

/* ------------------------------------------------------------------ secrets */

#define MAX_KEYS 16

static struct key {
	uint8_t bytes[32];
	size_t length;
	bool seen;
} keys[MAX_KEYS];

static unsigned int key_count;

/* as ipsec_key in lib.sh */
static inline void key_add(uint32_t spi, size_t length)
{
	struct key *key = &keys[key_count++];
	uint32_t word;
	size_t i;

	for (i = 0; i < length; i += 4) {
		word = htonl(spi * 0x9e3779b1u + (i + 1) * 0x85ebca6bu);
		memcpy(key->bytes + i, &word, 4);
	}
	key->length = length;
}

/* Eight bytes of a key are no coincidence. */
static inline unsigned int keys_in(const void *message, size_t length)
{
	unsigned int i, found = 0;
	size_t at;

	for (i = 0; i < key_count; i++) {
		for (at = 0; at + 8 <= keys[i].length; at += 4) {
			if (!memmem(message, length, keys[i].bytes + at, 8))
				continue;
			found += !keys[i].seen;
			keys[i].seen = true;
		}
	}
	return found;
}

/* ----------------------------------------------------------------- requests */

struct attr {
	uint16_t type;
	uint16_t length;
	const void *data;
};

#define U8(type, value)		{ type, 1, &(const uint8_t){ value } }
#define U32(type, value)	{ type, 4, &(const uint32_t){ value } }
#define U64(type, value)	{ type, 8, &(const uint64_t){ value } }
#define STRING(type, value)	{ type, sizeof(value), value }
#define BYTES(type, length)	{ type, length, zeros }

static const char zeros[128];

#define REQUEST_SIZE 1024

/* The last answer on any socket. */
static struct answer {
	bool received;
	int error;
	char text[128];
	int offset;		/* of the attribute to blame, 0: none */
	uint32_t missing;	/* type of the attribute that is */
	unsigned int messages;	/* besides the one that tells of the error */
	uint64_t stats[__IPSEC_STATS_A_MAX];
	uint64_t trusted;	/* a bit for each algorithm listed */
	unsigned int algorithms;
	uint32_t linger;
	uint8_t latch_mode;
	uint64_t context_id;	/* of the last context told of */
	bool has_token;
	const struct nlattr *identity;	/* good until the next answer */
	int longest;		/* bytes that came at a time */
} answer;

static inline struct nlmsghdr *request(void *buffer, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = 1;
	genl->cmd = cmd;
	genl->version = IPSEC_GENL_VERSION;
	return nlh;
}

/* Returns the offset of the last one. */
static inline int put_attrs(struct nlmsghdr *nlh, const struct attr *attrs, unsigned int count)
{
	int offset = 0;

	for (; count && attrs->data; attrs++, count--) {
		offset = nlh->nlmsg_len;
		mnl_attr_put(nlh, attrs->type, attrs->length, attrs->data);
	}
	return offset;
}

static inline void read_error(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;
	size_t skip;

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);

		answer.error = -error->error;
		skip = sizeof(*error);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			skip += error->msg.nlmsg_len - sizeof(error->msg);
	} else {
		answer.error = -*(int *)mnl_nlmsg_get_payload(nlh);
		skip = sizeof(int);
	}
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_for_each(attr, nlh, skip) {
		switch (mnl_attr_get_type(attr)) {
		case NLMSGERR_ATTR_MSG:
			snprintf(answer.text, sizeof(answer.text), "%s", mnl_attr_get_str(attr));
			break;
		case NLMSGERR_ATTR_OFFS:
			answer.offset = mnl_attr_get_u32(attr);
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			answer.missing = mnl_attr_get_u32(attr);
			break;
		}
	}
}

static inline void read_nest(const struct nlattr *nest)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		uint16_t type = mnl_attr_get_type(attr);

		switch (mnl_attr_get_type(nest)) {
		case IPSEC_A_STATS:
			if (type < __IPSEC_STATS_A_MAX && type > IPSEC_STATS_A_PAD)
				answer.stats[type] = mnl_attr_get_u64(attr);
			break;
		case IPSEC_A_ALGORITHM:
			if (type == IPSEC_ALGORITHM_A_TRUSTED && mnl_attr_get_u8(attr))
				answer.trusted |= 1ULL << answer.algorithms;
			if (type == IPSEC_ALGORITHM_A_NAME)
				answer.algorithms++;
			break;
		case IPSEC_A_CONTEXT:
			if (type == IPSEC_CONTEXT_A_ID)
				answer.context_id = mnl_attr_get_u64(attr);
			if (type == IPSEC_CONTEXT_A_IDENTITY)
				answer.identity = attr;
			break;
		}
	}
}

static inline void read_reply(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	answer.messages++;
	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_A_LINGER:
			answer.linger = mnl_attr_get_u32(attr);
			break;
		case IPSEC_A_LATCH_MODE:
			answer.latch_mode = mnl_attr_get_u8(attr);
			break;
		case IPSEC_A_PTOKEN:
			answer.has_token = mnl_attr_get_u64(attr);
			break;
		case IPSEC_A_IDENTITY:
			answer.identity = attr;
			break;
		default:
			read_nest(attr);
		}
	}
}

/*
 * All that the kernel has to say: it answers before write() returns, or, the
 * further parts of a dump, before recv() does.
 */
static inline void receive(struct mnl_socket *nl)
{
	static char buffer[65536] __attribute__((__aligned__(8)));
	const struct nlmsghdr *nlh;
	int length;

	memset(&answer, 0, sizeof(answer));
	for (;;) {
		length = recv(mnl_socket_get_fd(nl), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (length < 0)
			return;
		if (length > answer.longest)
			answer.longest = length;
		if (keys_in(buffer, length))
			complain("# key material in an answer\n");
		nlh = (struct nlmsghdr *)buffer;
		for (; mnl_nlmsg_ok(nlh, length); nlh = mnl_nlmsg_next(nlh, &length)) {
			answer.received = true;
			if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
				read_error(nlh);
			else if (nlh->nlmsg_type == family)
				read_reply(nlh);
		}
	}
}

static inline void ask_raw(struct mnl_socket *nl, const void *message, size_t length)
{
	if (write(mnl_socket_get_fd(nl), message, length) < 0)
		complain("# write: %s\n", strerror(errno));
	receive(nl);
}

static inline int ask(struct mnl_socket *nl, uint8_t cmd, uint16_t flags,
		      const struct attr *attrs, unsigned int count)
{
	char buffer[REQUEST_SIZE] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = request(buffer, cmd, flags);

	put_attrs(nlh, attrs, count);
	ask_raw(nl, nlh, nlh->nlmsg_len);
	return answer.received ? answer.error : -1;
}

static inline struct mnl_socket *netlink_open(int protocol)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct mnl_socket *nl = mnl_socket_open(protocol);
	int one = 1;

	/* connected: with an address in sendto() less is checked */
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	    connect(mnl_socket_get_fd(nl), (const struct sockaddr *)&kernel, sizeof(kernel)) ||
	    mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &one, sizeof(one)))
		err(1, "netlink socket");
	return nl;
}

/* ---------------------------------------------------------------- refusals */

#define NESTED		NLA_F_NESTED
#define ANY_TEXT	"?"

/* the kernel's own */
#define UNKNOWN		"Unknown attribute type"
#define FAILED		"Attribute failed policy validation"
#define LENGTH		"invalid attribute length"
#define NO_NEST		"NLA_F_NESTED not expected"
#define RANGE		"integer out of range"

/*
 * What the last answer is: nothing else came, it blames the attribute at @offset if that
 * is not 0, and misses one of the type @missing. @text may be NULL: none.
 */
static inline void expect(int error, const char *text, int offset, uint32_t missing)
{
	if (!answer.received)
		complain("# no answer\n");
	if (answer.error != error)
		complain("# error %d (%s), wanted %d\n", answer.error, strerror(answer.error),
			 error);
	if (text ? strcmp(text, ANY_TEXT) && strcmp(text, answer.text) : *answer.text)
		complain("# text '%s', wanted '%s'\n", answer.text, text ?: "");
	if (text && !*answer.text)
		complain("# no text\n");
	if (answer.offset != offset)
		complain("# blames offset %d, wanted %d\n", answer.offset, offset);
	if (answer.missing != missing)
		complain("# misses attribute %u, wanted %u\n", answer.missing, missing);
	if (answer.messages)
		complain("# %u messages came nevertheless\n", answer.messages);
}

/* -------------------------------------------------------- nothing may change */

struct state {
	uint64_t stats[__IPSEC_STATS_A_MAX];
	uint64_t trusted;
	unsigned int algorithms;
	uint32_t linger;
	uint8_t latch_mode;
};

static struct state before;

static inline void state_read(struct mnl_socket *nl, struct state *state)
{
	memset(state, 0, sizeof(*state));
	if (ask(nl, IPSEC_CMD_STATS_GET, 0, NULL, 0))
		complain("# the next request fails: %s\n", strerror(answer.error));
	memcpy(state->stats, answer.stats, sizeof(state->stats));
	ask(nl, IPSEC_CMD_ALGORITHM_GET, DUMP, NULL, 0);
	state->trusted = answer.trusted;
	state->algorithms = answer.algorithms;
	ask(nl, IPSEC_CMD_CONFIG_GET, 0, NULL, 0);
	state->linger = answer.linger;
	state->latch_mode = answer.latch_mode;
}

/* @refused: how many tokens have been refused meanwhile */
static inline void state_check(struct mnl_socket *nl, unsigned int refused)
{
	struct state now;
	unsigned int i;

	state_read(nl, &now);
	before.stats[IPSEC_STATS_A_TOKENS_REFUSED] += refused;
	for (i = 0; i < __IPSEC_STATS_A_MAX; i++)
		if (now.stats[i] != before.stats[i])
			complain("# statistic %u: %llu, was %llu\n", i,
				 (unsigned long long)now.stats[i],
				 (unsigned long long)before.stats[i]);
	if (now.trusted != before.trusted || now.algorithms != before.algorithms)
		complain("# the list of algorithms has changed\n");
	if (now.linger != before.linger)
		complain("# linger: %u, was %u\n", now.linger, before.linger);
	if (now.latch_mode != before.latch_mode)
		complain("# latch mode: %u, was %u\n", now.latch_mode, before.latch_mode);
	before = now;
}

/* ------------------------------------------------- the requests that there are */

static const struct command {
	const char *name;
	uint8_t cmd;
	uint16_t flags;
	bool admin;
	uint16_t policy;	/* highest attribute that there is a policy for */
	struct attr attrs[2];	/* of a good request, which would change something */
	bool either;		/* one of them would do */
} commands[] = {
	{ "PTOKEN_GET", IPSEC_CMD_PTOKEN_GET, 0, false, IPSEC_A_PTOKEN,
	  { { IPSEC_A_PTOKEN, 8, &ptoken } } },
	{ "ALGORITHM_GET", IPSEC_CMD_ALGORITHM_GET, DUMP, false, IPSEC_A_PAD },
	{ "ALGORITHM_SET", IPSEC_CMD_ALGORITHM_SET, 0, true, IPSEC_A_ALGORITHM_TRUSTED,
	  { STRING(IPSEC_A_ALGORITHM_NAME, "cbc(aes)"), U8(IPSEC_A_ALGORITHM_TRUSTED, 0) } },
	{ "CONTEXT_GET", IPSEC_CMD_CONTEXT_GET, 0, true, IPSEC_A_CONTEXT_ID,
	  { { IPSEC_A_CONTEXT_ID, 8, &context_id } } },
	{ "CONTEXT_GET dump", IPSEC_CMD_CONTEXT_GET, DUMP, true, IPSEC_A_CONTEXT_ID },
	{ "SOCKET_GET", IPSEC_CMD_SOCKET_GET, DUMP, true, IPSEC_A_PAD },
	{ "CONFIG_GET", IPSEC_CMD_CONFIG_GET, 0, true, IPSEC_A_PAD },
	{ "CONFIG_SET", IPSEC_CMD_CONFIG_SET, 0, true, IPSEC_A_LATCH_MODE,
	  { U32(IPSEC_A_LINGER, 77), U8(IPSEC_A_LATCH_MODE, IPSEC_LATCH_OFF) }, true },
	{ "LATCH_GET", IPSEC_CMD_LATCH_GET, DUMP, true, IPSEC_A_PAD },
	{ "STATS_GET", IPSEC_CMD_STATS_GET, 0, true, IPSEC_A_PAD },
};

/* ----------------------------------------------------------------- children */

/* Run by a child: what it prints is part of the result. */
static inline void in_child(const char *what, int (*child)(struct mnl_socket *),
			    struct mnl_socket *nl)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int ret = child(nl);

		fputs(wrong, stdout);
		exit(ret || *wrong);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		complain("# child: status 0x%x\n", status);
	state_check(nl, 0);
	report(what);
}

static inline void become_nobody(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		err(1, "become nobody");
	prctl(PR_SET_DUMPABLE, 1);	/* or /proc/self is root's */
}

static inline void become_root_of(int namespaces)
{
	int fd;

	become_nobody();
	if (unshare(CLONE_NEWUSER | namespaces))
		err(1, "unshare");
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0 || write(fd, "0 65534 1", 9) != 9 || setuid(0))
		err(1, "uid_map");
	close(fd);
}

/* ------------------------------------------------------------------- set-up */

static inline uint64_t ptoken_of(int fd, int level)
{
	uint64_t value = IPSEC_PTOKEN_UNKNOWN;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, level, IPSEC_SO_PTOKEN, &value, &length))
		complain("# IPSEC_SO_PTOKEN: %s\n", strerror(errno));
	return value;
}

static inline int family_attr(const struct nlattr *attr, void *data)
{
	const struct nlattr *inner, *group;
	uint32_t id = 0;

	(void)data;
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		family = mnl_attr_get_u16(attr);
	if (mnl_attr_get_type(attr) != CTRL_ATTR_MCAST_GROUPS)
		return MNL_CB_OK;
	mnl_attr_for_each_nested(group, attr) {
		const char *name = "";

		mnl_attr_for_each_nested(inner, group) {
			if (mnl_attr_get_type(inner) == CTRL_ATTR_MCAST_GRP_ID)
				id = mnl_attr_get_u32(inner);
			if (mnl_attr_get_type(inner) == CTRL_ATTR_MCAST_GRP_NAME)
				name = mnl_attr_get_str(inner);
		}
		if (!strcmp(name, IPSEC_GENL_MCGRP_EVENTS))
			group_events = id;
		if (!strcmp(name, IPSEC_GENL_MCGRP_CHANGES))
			group_changes = id;
	}
	return MNL_CB_OK;
}

static inline void family_find(struct mnl_socket *nl)
{
	char buffer[4096] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh;

	family = GENL_ID_CTRL;
	nlh = request(buffer, CTRL_CMD_GETFAMILY, 0);
	nlh->nlmsg_flags = NLM_F_REQUEST;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, IPSEC_GENL_NAME);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    mnl_socket_recvfrom(nl, buffer, sizeof(buffer)) < 0)
		err(1, "family");
	nlh = (struct nlmsghdr *)buffer;
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), family_attr, NULL);
	if (!group_events || !group_changes)
		errx(1, "no family " IPSEC_GENL_NAME);
}

/* A connection from left to right, which stays; returns its end at right. */
static inline int connection(int af, const char *address)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr *to = af == AF_INET ? (void *)&sin : (void *)&sin6;
	socklen_t length = af == AF_INET ? sizeof(sin) : sizeof(sin6);
	int listener, client, server;

	inet_pton(af, address, af == AF_INET ? (void *)&sin.sin_addr : (void *)&sin6.sin6_addr);
	enter("right");
	listener = socket(af, SOCK_STREAM, 0);
	if (bind(listener, to, length) || listen(listener, 1))
		err(1, "%s", address);
	enter("left");
	client = socket(af, SOCK_STREAM, 0);
	if (connect(client, to, length))
		err(1, "%s", address);
	enter("right");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		err(1, "accept");
	close(listener);
	return server;
}

/* Returns the administrator's socket. */
static inline struct mnl_socket *set_up(void)
{
	struct mnl_socket *nl;
	unsigned int i;

	if (system(SETUP))
		ksft_exit_fail_msg("no hosts\n");
	key_add(0x1001, 20);
	key_add(0x1002, 20);
	for (i = 0x2001; i <= 0x2002; i++) {
		key_add(i, 32);
		key_add(i + 0x10000, 32);
	}

	enter("right");
	nl = netlink_open(NETLINK_GENERIC);
	family_find(nl);
	return nl;
}

static inline void connect_hosts(struct mnl_socket *nl)
{
	server4 = connection(AF_INET, "10.0.0.2");
	server6 = connection(AF_INET6, "fd00::2");
	ptoken = ptoken_of(server4, SOL_IP);
	ask(nl, IPSEC_CMD_CONTEXT_GET, DUMP, NULL, 0);
	context_id = answer.context_id;
	if (*wrong || !ptoken || !context_id)
		ksft_exit_fail_msg("no context: %s\n", wrong);
	state_read(nl, &before);
}

#endif /* BAD_NETLINK_H */
