/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is of the module: the memory that it has allocated, and its
 * statistics.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/ipsec_token.h>
#include <string.h>

#include "bench.h"

/* ------------------------------------------------------------------- memory */

struct memory {
	double objects[64];	/* bytes in caches that the module allocates from */
	char name[64][32];
	unsigned int caches;
};

/* kmalloc caches, and that of the nodes of an xarray */
static inline void memory_read(struct memory *memory)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned long active, total, size;
	char line[256], name[32];

	if (!file)
		err(1, "slabinfo");
	memory->caches = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %lu %lu %lu", name, &active, &total, &size) != 4 ||
		    (strncmp(name, "kmalloc-", 8) && strcmp(name, "radix_tree_node") &&
		     strncmp(name, "ipsec", 5)))
			continue;
		strcpy(memory->name[memory->caches], name);
		memory->objects[memory->caches++] = (double)active * size;
	}
	fclose(file);
}

/* The table of a hash table that has grown to @count objects. */
static inline double table_size(unsigned int count)
{
	unsigned int size = 64;

	while (count > size / 4 * 3)
		size *= 2;
	return size * 8.0;
}

/*
 * Bytes that have been added for each of @count; without tables, which are too
 * large for any cache.
 */
static inline double memory_each(const struct memory *before, const struct memory *after,
				 unsigned int count, const char *what)
{
	double each, all = 0;
	unsigned int i;

	for (i = 0; i < after->caches; i++) {
		each = (after->objects[i] - before->objects[i]) / count;
		if (each < 0.5)		/* what others have done meanwhile */
			continue;
		all += each;
		fprintf(stderr, "# %s: %.1f bytes each in %s\n", what, each, after->name[i]);
	}
	return all;
}

/* --------------------------------------------------------------- statistics */

static uint64_t stats[__IPSEC_STATS_A_MAX];

static struct mnl_socket *nl;
static uint16_t family;

static inline void ask(uint16_t type, uint8_t cmd, const char *name, void *answer, size_t size)
{
	char buffer[128] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl->cmd = cmd;
	if (name)
		mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, name);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    mnl_socket_recvfrom(nl, answer, size) < 0)
		err(1, "netlink");
}

static inline void stats_read(void)
{
	static char answer[8192] __attribute__((__aligned__(8)));
	const struct nlattr *attr, *inner;

	if (!nl) {
		nl = mnl_socket_open(NETLINK_GENERIC);
		if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
			err(1, "netlink");
		ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, IPSEC_GENL_NAME, answer, sizeof(answer));
		mnl_attr_for_each(attr, (struct nlmsghdr *)answer, GENL_HDRLEN)
			if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
				family = mnl_attr_get_u16(attr);
	}
	ask(family, IPSEC_CMD_STATS_GET, NULL, answer, sizeof(answer));
	mnl_attr_for_each(attr, (struct nlmsghdr *)answer, GENL_HDRLEN)
		mnl_attr_for_each_nested(inner, attr)
			if (mnl_attr_get_type(inner) > IPSEC_STATS_A_PAD)
				stats[mnl_attr_get_type(inner)] = mnl_attr_get_u64(inner);
}

#endif /* BENCH_STATS_H */
