// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events as they happen, a line each.
 *
 * The library finds the module, and again when it was loaded anew, which this
 * learns from the group in which generic netlink itself tells of families.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

/* events come in bursts, as when all SAs of a host are flushed */
#define MONITOR_RCVBUF (1024 * 1024)

/**
 * struct monitor - what listens
 * @ipsec: handle
 * @nl: socket with the events
 * @family: that the events are of, 0: the module is not loaded
 */
struct monitor {
	struct ipsec *ipsec;
	struct mnl_socket *nl;
	uint16_t family;
};

static void event_begin(const char *event, enum colour colour)
{
	struct timespec now;
	char text[TIME_SIZE];

	clock_gettime(CLOCK_REALTIME, &now);
	if (output.json) {
		json_open(NULL, '{');
		json_uint("time-ms", now.tv_sec * 1000ULL + now.tv_nsec / 1000000);
		json_string("event", event);
		return;
	}
	printf("%s%s.%03ld%s %s%s%s", colour_on(COLOUR_FAINT), time_string(now.tv_sec, text),
	       now.tv_nsec / 1000000, colour_off(COLOUR_FAINT), colour_on(colour), event,
	       colour_off(colour));
}

static void event_end(void)
{
	if (output.json)
		json_close();
	else
		putchar('\n');
	fflush(stdout);
}

static void event_plain(const char *event, enum colour colour)
{
	event_begin(event, colour);
	event_end();
}

static int event_context(const struct nlmsghdr *nlh, const char *event)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_CONTEXT);
	char words[WORDS_SIZE], audit[AUDIT_SIZE];
	struct ipsec_context *context;

	if (!nest || ipsec_parse_context(nest, &context))
		return -EPROTO;
	event_begin(event, context_colour(context));
	if (output.json) {
		context_json("context", context);
	} else {
		ipsec_audit_string(context, audit, sizeof(audit));
		printf(" %" PRIu64 " %s: %s", context->id, context_words(context, words), audit);
	}
	event_end();
	free(context);
	return 0;
}

static int event_context_gone(const struct nlmsghdr *nlh)
{
	const struct nlattr *id = ipsec_parse_find(nlh, IPSEC_A_CONTEXT_ID);

	if (!id || mnl_attr_validate(id, MNL_TYPE_U64))
		return -EPROTO;
	event_begin("context-gone", COLOUR_NONE);
	if (output.json)
		json_uint("id", mnl_attr_get_u64(id));
	else
		printf(" %" PRIu64, mnl_attr_get_u64(id));
	event_end();
	return 0;
}

static int event_algorithm(const struct nlmsghdr *nlh)
{
	struct algorithm *algorithm;
	void *item;
	int err;

	err = algorithm_read(nlh, &item);
	if (err)
		return err;
	algorithm = item;
	event_begin("algorithm", COLOUR_NONE);
	if (output.json) {
		json_string("name", algorithm->name);
		json_string("class", algorithm_class(algorithm));
		json_bool("trusted", algorithm->trusted);
	} else {
		printf(" %s %s", algorithm->name, algorithm->trusted ? "trusted" : "untrusted");
	}
	event_end();
	free(algorithm);
	return 0;
}

static int event_config(const struct nlmsghdr *nlh)
{
	const struct nlattr *linger = ipsec_parse_find(nlh, IPSEC_A_LINGER);

	if (!linger || mnl_attr_validate(linger, MNL_TYPE_U32))
		return -EPROTO;
	event_begin("config", COLOUR_NONE);
	if (output.json)
		json_uint("linger", mnl_attr_get_u32(linger));
	else
		printf(" linger %" PRIu32, mnl_attr_get_u32(linger));
	event_end();
	return 0;
}

/**
 * struct sa_ref - which SA
 * @destination: address, the first 4 bytes of an IPv4 one
 * @satype: SADB_SATYPE_*
 * @spi: in host byte order
 */
struct sa_ref {
	uint8_t destination[16];
	uint8_t satype;
	uint32_t spi;
};

static const struct ipsec_field sa_ref_fields[] = {
	[IPSEC_SA_REF_A_SATYPE]	     = IPSEC_FIELD_NEEDED(U8, struct sa_ref, satype),
	[IPSEC_SA_REF_A_DESTINATION] = IPSEC_FIELD_NEEDED(ADDRESS, struct sa_ref, destination),
	[IPSEC_SA_REF_A_SPI]	     = IPSEC_FIELD_NEEDED(BE32, struct sa_ref, spi),
};

static int event_identity(const struct nlmsghdr *nlh, const char *event)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SA);
	const struct nlattr *identity = ipsec_parse_find(nlh, IPSEC_A_IDENTITY);
	struct ipsec_itoken *itoken = NULL;
	struct sa_ref sa = {};
	const char *method, *audit = NULL;
	uint64_t seen;

	if (!nest || ipsec_parse_nest(nest, sa_ref_fields, IPSEC_ARRAY_SIZE(sa_ref_fields), &sa,
				      &seen))
		return -EPROTO;
	if (identity && ipsec_itoken_parse(mnl_attr_get_payload(identity),
					   mnl_attr_get_payload_len(identity), &itoken, NULL))
		return -EPROTO;

	event_begin(event, COLOUR_NONE);
	method = itoken ? ipsec_auth_method_name(ipsec_itoken_method(itoken)) : NULL;
	if (itoken)
		audit = ipsec_itoken_audit_string(itoken);
	if (output.json) {
		json_uint("spi", sa.spi);
		if (method)
			json_string("method", method);
		if (audit)
			json_string("identity", audit);
	} else {
		printf(" spi 0x%08" PRIx32, sa.spi);
		if (method)
			printf(" %s", method);
		if (audit)
			printf(" %s", audit);
	}
	event_end();
	ipsec_itoken_free(itoken);
	return 0;
}

static int event(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl))
		return -EPROTO;
	switch (genl->cmd) {
	case IPSEC_CMD_CONTEXT_NEW_NTF:
		return event_context(nlh, "context-new");
	case IPSEC_CMD_CONTEXT_CHANGE_NTF:
		return event_context(nlh, "context-changed");
	case IPSEC_CMD_CONTEXT_DEL_NTF:
		return event_context_gone(nlh);
	case IPSEC_CMD_ALGORITHM_NTF:
		return event_algorithm(nlh);
	case IPSEC_CMD_CONFIG_NTF:
		return event_config(nlh);
	case IPSEC_CMD_IDENTITY_NTF:
		return event_identity(nlh, "identity-bound");
	case IPSEC_CMD_IDENTITY_GONE_NTF:
		return event_identity(nlh, "identity-gone");
	default:
		return 0;
	}
}

static int join(struct mnl_socket *nl, uint32_t id)
{
	int group = id;

	return mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ?
	       -errno : 0;
}

/* Find the module, and join its group of events. */
static int module_find(struct monitor *monitor)
{
	struct ipsec *ipsec = monitor->ipsec;
	int err;

	ipsec_enter(ipsec);
	ipsec->family = 0;
	err = ipsec_nl_ready(ipsec);
	if (!err && !ipsec->group_events)
		err = ipsec_fail(ipsec, -EPROTO, NULL);
	/* harmless if this is the module that was there before */
	if (!err) {
		err = join(monitor->nl, ipsec->group_events);
		if (err)
			ipsec_fail(ipsec, err, "events: %s", strerror(-err));
	}
	monitor->family = err ? 0 : ipsec->family;
	ipsec_leave(ipsec);
	return err;
}

/* Some family came or went: was it ours? */
static int families_changed(struct monitor *monitor)
{
	uint16_t before = monitor->family;
	int err = module_find(monitor);

	if (err && err != -ENOPROTOOPT)
		return err;
	if (before && before != monitor->family)
		event_plain("module-unloaded", COLOUR_BAD);
	if (monitor->family && before != monitor->family)
		event_plain("module-loaded", COLOUR_GOOD);
	return 0;
}

/* Only what comes from the kernel counts (its port id is 0). */
static int datagram(struct monitor *monitor, const char *buf, size_t len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
	int left = len;
	int err;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_type == GENL_ID_CTRL) {
			err = families_changed(monitor);
			if (err)
				return err;
		} else if (nlh->nlmsg_type == monitor->family && event(nlh)) {
			event_plain("malformed", COLOUR_BAD);
		}
	}
	return 0;
}

static int listen_on(struct monitor *monitor)
{
	static _Alignas(8) char buf[IPSEC_NL_BUFFER_SIZE];
	struct sockaddr_nl from;
	socklen_t from_len;
	ssize_t len;
	int err;

	for (;;) {
		from_len = sizeof(from);
		len = recvfrom(mnl_socket_get_fd(monitor->nl), buf, sizeof(buf), 0,
			       (struct sockaddr *)&from, &from_len);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			event_plain("events-lost", COLOUR_BAD);
			/* that the module went may have been among them */
			err = families_changed(monitor);
			if (err)
				return err;
			continue;
		}
		if (len < 0)
			return -errno;
		if (from_len != sizeof(from) || from.nl_pid)
			continue;
		err = datagram(monitor, buf, len);
		if (err)
			return err;
		if (ferror(stdout))
			return -EIO;
	}
}

static int monitor_open(struct monitor *monitor)
{
	int size = MONITOR_RCVBUF;

	monitor->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!monitor->nl || mnl_socket_bind(monitor->nl, 0, MNL_SOCKET_AUTOPID) ||
	    join(monitor->nl, GENL_ID_CTRL)) {
		perror("ipsec-token: netlink");
		return EXIT_FAILED;
	}
	/* beyond the limit for all, if that is allowed */
	if (setsockopt(mnl_socket_get_fd(monitor->nl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)))
		setsockopt(mnl_socket_get_fd(monitor->nl), SOL_SOCKET, SO_RCVBUF, &size,
			   sizeof(size));
	return EXIT_OK;
}

/**
 * monitor() - ipsec-token monitor
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code, if anything fails.
 */
int monitor(int argc, char **argv)
{
	struct monitor monitor = { 0 };
	int err;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&monitor.ipsec))
		return EXIT_FAILED;
	if (monitor_open(&monitor)) {
		err = -EIO;
	} else {
		err = module_find(&monitor);
		if (err) {
			mnl_socket_close(monitor.nl);
			return admin_failed(monitor.ipsec);
		}
		err = listen_on(&monitor);
		fprintf(stderr, "ipsec-token: %s\n", strerror(-err));
	}
	if (monitor.nl)
		mnl_socket_close(monitor.nl);
	ipsec_close(monitor.ipsec);
	return EXIT_FAILED;
}
