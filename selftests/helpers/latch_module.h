/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module on the host left is asked and told.
 */
#ifndef LATCH_MODULE_H
#define LATCH_MODULE_H

#include <linux/pfkeyv2.h>

#include "../../lib/internal.h"
#include "latch_hosts.h"

static struct ipsec *ipsec;
static struct mnl_socket *events;

static inline struct ipsec *module(void)
{
	enter(LEFT);
	if (!ipsec && ipsec_open(&ipsec))
		return NULL;
	return ipsec;
}

static inline int talk(struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	int ret;

	enter(LEFT);
	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, cb, data);
	ipsec_leave(ipsec);
	return ret;
}

static inline int stats_parse(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_STATS), *attr;
	uint64_t *stats = data;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) <= IPSEC_STATS_A_MAX &&
		    mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
			stats[mnl_attr_get_type(attr)] = mnl_attr_get_u64(attr);
	return 0;
}

static inline void stats_get(uint64_t *stats)
{
	_Alignas(8) char buf[512];
	int ret;

	memset(stats, 0, (IPSEC_STATS_A_MAX + 1) * sizeof(*stats));
	if (!module())
		return;
	ret = talk(ipsec_nl_request(ipsec, buf, IPSEC_CMD_STATS_GET, NLM_F_ACK), stats_parse,
		   stats);
	if (ret)
		errx(1, "statistics: %s", ipsec_error(ipsec));
}

static inline uint64_t refused_count(void)
{
	uint64_t stats[IPSEC_STATS_A_MAX + 1], sum = 0;
	int i;

	stats_get(stats);
	for (i = IPSEC_STATS_A_LATCH_IN_CLEAR; i <= IPSEC_STATS_A_LATCH_OUT_UNKNOWN; i++)
		sum += stats[i];
	return sum;
}

COMMAND(do_count)
{
	static const char *const names[] = {
		"in-clear", "in-context", "in-unknown", "out-clear", "out-context",
		"out-unknown", "held", "broken", "reset",
	};
	static uint64_t before[IPSEC_STATS_A_MAX + 1];
	uint64_t stats[IPSEC_STATS_A_MAX + 1];
	bool none = true;
	unsigned int i;

	stats_get(stats);
	for (i = 0; i < IPSEC_ARRAY_SIZE(names); i++) {
		unsigned int at = IPSEC_STATS_A_LATCH_IN_CLEAR + i;

		if (stats[at] == before[at])
			continue;
		printf("%s%s %d", none ? "" : " ", names[i], (int)(stats[at] - before[at]));
		none = false;
	}
	if (none)
		answer("none");
	memcpy(before, stats, sizeof(before));
}

COMMAND(do_there)
{
	uint64_t stats[IPSEC_STATS_A_MAX + 1];

	stats_get(stats);
	printf("%d %d %d %d", (int)stats[IPSEC_STATS_A_LATCHES],
	       (int)stats[IPSEC_STATS_A_CONNECTIONS], (int)stats[IPSEC_STATS_A_PATHS],
	       (int)stats[IPSEC_STATS_A_CONTEXTS]);
}

/* The first byte of the iToken in a nest of a context. */
static inline int who_parse(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_CONTEXT), *attr, *inner;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) != IPSEC_CONTEXT_A_IDENTITY)
			continue;
		mnl_attr_for_each_nested(inner, attr)
			if (mnl_attr_get_type(inner) == IPSEC_IDENTITY_A_ITOKEN)
				*(int *)data = *(uint8_t *)mnl_attr_get_payload(inner);
	}
	return 0;
}

static inline void print_who(struct nlmsghdr *nlh)
{
	int value = -1, ret;

	ret = talk(nlh, who_parse, &value);
	if (ret)
		answer(error_name(ret));
	else if (value < 0)
		answer("nobody");
	else
		printf("%02x", value);
}

static inline void print_context(uint64_t id)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;

	if (!id) {
		answer("clear");
		return;
	}
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_CONTEXT_GET, NLM_F_ACK);
	mnl_attr_put_u64(nlh, IPSEC_A_CONTEXT_ID, id);
	print_who(nlh);
}

static const char *const states[] = { "none", "listener", "established", "broken", "closed" };

static const char *const reasons[] = {
	"-", "in-clear", "in-context", "in-unknown", "out-clear", "out-context", "out-unknown",
};

static inline int list_parse(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SOCKET), *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IPSEC_SOCKET_A_LATCH_STATE)
			((int *)data)[mnl_attr_get_u8(attr)]++;
	return 0;
}

COMMAND(do_list)
{
	_Alignas(8) char buf[512];
	int count[IPSEC_ARRAY_SIZE(states)] = {}, ret;
	bool none = true;
	unsigned int i;

	if (!module()) {
		answer("no module");
		return;
	}
	ret = talk(ipsec_nl_request(ipsec, buf, IPSEC_CMD_LATCH_GET, NLM_F_DUMP), list_parse,
		   count);
	if (ret) {
		answer(error_name(ret));
		return;
	}
	for (i = 0; i < IPSEC_ARRAY_SIZE(states); i++) {
		if (count[i])
			printf("%s%s %d", none ? "" : " ", states[i], count[i]);
		none &= !count[i];
	}
	if (none)
		answer("none");
}

static inline void put_sa(struct nlmsghdr *nlh, int to, uint32_t spi)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);
	const struct sockaddr_storage *address = &outer[to];

	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
	if (address->ss_family == AF_INET)
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 4,
			     &((const struct sockaddr_in *)address)->sin_addr);
	else
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 16,
			     &((const struct sockaddr_in6 *)address)->sin6_addr);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(spi));
	mnl_attr_nest_end(nlh, nest);
}

/* Whichever of the two there are: the evil one may have an SA one way only. */
COMMAND(do_bind)
{
	const char *spi = arg[1], *who = arg[2], *lineage = arg[3], *local = arg[4];
	int to, ret, bound = 0, error = -ENOENT;

	if (!module()) {
		answer("no module");
		return;
	}
	for (to = LEFT; to <= RIGHT; to++) {
		_Alignas(8) char buf[512];
		uint8_t value[IPSEC_ITOKEN_SIZE];
		struct nlattr *nest, *own;
		struct nlmsghdr *nlh;

		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
		memset(value, strtoul(who, NULL, 16), sizeof(value));
		nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PKIX_INLINE);
		if (*lineage && *lineage != '-')
			mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE,
					 strtoul(lineage, NULL, 0));
		if (*local) {
			memset(value, strtoul(local, NULL, 16), sizeof(value));
			own = mnl_attr_nest_start(nlh, IPSEC_IDENTITY_A_LOCAL);
			mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
			mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PKIX_INLINE);
			mnl_attr_nest_end(nlh, own);
		}
		mnl_attr_nest_end(nlh, nest);
		put_sa(nlh, to, strtoul(spi, NULL, 0) + (to == RIGHT ? 1 : 2));
		ret = talk(nlh, NULL, NULL);
		bound += !ret;
		if (ret && ret != -ENOENT)
			error = ret;
	}
	answer_error(bound ? 0 : error);
}

/* Right has latches as well; they are off from then on. */
COMMAND(do_mode)
{
	const char *mode = arg[1];
	static const char *const modes[] = { "", "enforce", "report", "off" };
	uint8_t value;
	int host;

	for (value = IPSEC_ARRAY_SIZE(modes) - 1; value && strcmp(mode, modes[value]);)
		value--;
	for (host = LEFT; host <= RIGHT; host++) {
		_Alignas(8) char buf[512];
		struct nlmsghdr *nlh;
		struct ipsec *handle;

		enter(host);
		if (ipsec_open(&handle)) {
			answer("no module");
			return;
		}
		nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
		mnl_attr_put_u8(nlh, IPSEC_A_LATCH_MODE, host == RIGHT ? IPSEC_LATCH_OFF :
				value ?: strtoul(mode, NULL, 0));
		ipsec_enter(handle);
		if (ipsec_nl_talk(handle, nlh, NULL, NULL)) {
			ipsec_leave(handle);
			answer(ipsec_error(handle));
			ipsec_close(handle);
			return;
		}
		ipsec_leave(handle);
		ipsec_close(handle);
	}
	answer("ok");
}

/* ------------------------------------------------------------------ events */

static inline bool events_open(void)
{
	int group;

	if (events)
		return true;
	if (!module())
		return false;
	group = ipsec->group_events;
	events = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
	return events && !mnl_socket_bind(events, 0, MNL_SOCKET_AUTOPID) &&
	       !mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

static inline void event_print(const struct nlmsghdr *nlh, bool first)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	uint64_t expected = 0, seen = 0;
	const struct nlattr *nest, *attr;
	bool has_seen = false;
	int reason = 0;

	mnl_attr_for_each(nest, nlh, sizeof(*genl)) {
		if (mnl_attr_get_type(nest) != IPSEC_A_SOCKET)
			continue;
		mnl_attr_for_each_nested(attr, nest) {
			switch (mnl_attr_get_type(attr)) {
			case IPSEC_SOCKET_A_CONTEXT_ID:
				expected = mnl_attr_get_u64(attr);
				break;
			case IPSEC_SOCKET_A_LATCH_SEEN:
				seen = mnl_attr_get_u64(attr);
				has_seen = true;
				break;
			case IPSEC_SOCKET_A_LATCH_REASON:
				reason = mnl_attr_get_u8(attr);
				break;
			}
		}
	}
	if (!first)
		answer(" ; ");
	print_context(expected);
	putchar(' ');
	if (has_seen)
		print_context(seen);
	else
		answer("unknown");
	printf(" %s", reasons[reason]);
}

COMMAND(do_events)
{
	_Alignas(8) char buf[8192];
	const struct nlmsghdr *nlh;
	bool first = true;
	ssize_t size;
	int left;

	if (!events_open()) {
		answer("no module");
		return;
	}
	enter(LEFT);
	while ((size = mnl_socket_recvfrom(events, buf, sizeof(buf))) > 0) {
		left = size;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			if (((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd !=
			    IPSEC_CMD_LATCH_NTF)
				continue;
			event_print(nlh, first);
			first = false;
		}
	}
	if (first)
		answer("none");
}

COMMAND(do_forget)
{
	if (events)
		mnl_socket_close(events);
	if (ipsec)
		ipsec_close(ipsec);
	events = NULL;
	ipsec = NULL;
	answer("ok");
}

#endif /* LATCH_MODULE_H */
