/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The statistics of the module.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/ipsec_token.h>
#include <string.h>

#include "bench.h"

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
