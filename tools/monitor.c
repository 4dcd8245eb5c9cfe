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
#include "tokend/known.h"
#include "tokend/message.h"

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
	struct identity *identity;

	if (!nest || ipsec_parse_context(nest, &context))
		return -EPROTO;
	identity = context_identity(context);
	event_begin(event, context_colour(context));
	if (output.json) {
		context_json("context", context, identity);
	} else {
		ipsec_audit_string(context, audit, sizeof(audit));
		printf(" %" PRIu64 " %s: %s", context->id, context_words(context, words), audit);
		if (identity)
			printf(" of %s", identity_words(identity, words));
	}
	event_end();
	identity_put(identity);
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

static int event_latch(const struct nlmsghdr *nlh)
{
	int err;

	event_begin("latch", COLOUR_BAD);
	err = latch_tell(nlh);
	event_end();
	return err;
}

static int event_config(const struct nlmsghdr *nlh)
{
	int err;

	event_begin("config", COLOUR_NONE);
	if (!output.json)
		putchar(' ');
	err = settings_tell(nlh, ' ');
	event_end();
	return err;
}

static void event_sa(const struct sa_ref *sa)
{
	char text[SA_REF_TEXT];

	if (output.json)
		sa_ref_json("sa", sa);
	else
		printf(" %s", sa_ref_text(sa, text));
}

/*
 * The agent tells the kernel of a peer whose key is another one than before what
 * may be told, which is BTNS. That the key has changed follows from its file.
 */
static void event_key(const struct sa_ref *sa, const struct identity_end *end)
{
	char *path = end->id && end->pubkey_id ? known_file() : NULL;
	struct known_peer *peers = NULL, *peer;
	char safe[CELL_SIZE];
	unsigned int line;

	if (path)
		known_read(path, &peers, &line);
	for (peer = peers; peer; peer = peer->next)
		if (peer->id_type == end->id_type && !strcmp(peer->id, end->id))
			break;
	if (peer && strcmp(peer->pubkey_id, end->pubkey_id)) {
		event_begin("key-changed", COLOUR_BAD);
		event_sa(sa);
		if (output.json) {
			json_string("ike-id", end->id);
			json_string("pubkey-id", end->pubkey_id);
			json_string("known-pubkey-id", peer->pubkey_id);
		} else {
			printf(" %s: %s", text_safe(end->id, safe, sizeof(safe)),
			       text_safe(end->pubkey_id, safe, sizeof(safe)));
		}
		event_end();
	}
	known_free(peers);
	free(path);
}

static int event_identity_bound(const struct nlmsghdr *nlh)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SA);
	const struct nlattr *attr = ipsec_parse_find(nlh, IPSEC_A_IDENTITY);
	struct identity *identity;
	char words[WORDS_SIZE], safe[4 * IPSEC_IDENTITY_MAX_STRING + 1];
	struct sa_ref sa;

	if (!nest || !attr || !message_get_sa(nest, &sa))
		return -EPROTO;
	identity = message_get_identity(mnl_attr_get_payload(attr),
					mnl_attr_get_payload_len(attr));
	event_begin("identity-bound", COLOUR_NONE);
	event_sa(&sa);
	if (output.json) {
		identity_json("identity", identity);
	} else {
		printf(" %s", identity_words(identity, words));
		if (identity->remote.audit)
			printf(": %s", text_safe(identity->remote.audit, safe, sizeof(safe)));
	}
	event_end();
	if (identity->remote.method == IPSEC_AUTH_BTNS)
		event_key(&sa, &identity->remote);
	identity_put(identity);
	return 0;
}

static int event_identity_gone(const struct nlmsghdr *nlh)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SA);
	struct sa_ref sa;

	if (!nest || !message_get_sa(nest, &sa))
		return -EPROTO;
	event_begin("identity-gone", COLOUR_NONE);
	event_sa(&sa);
	event_end();
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
	case IPSEC_CMD_LATCH_NTF:
		return event_latch(nlh);
	case IPSEC_CMD_IDENTITY_NTF:
		return event_identity_bound(nlh);
	case IPSEC_CMD_IDENTITY_GONE_NTF:
		return event_identity_gone(nlh);
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
	if (!monitor_open(&monitor)) {
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
