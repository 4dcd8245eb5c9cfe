// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault MODULE SITES [PATH...] - what the module does while something fails
 *
 * Each path through the module is tried again and again: the first time its
 * first allocation, or copy from or to user space, fails, then its second, until
 * a try ends without that any failed. In others it is what puts something into a
 * message of netlink, for want of room. selftests/qemu/fail does it. Each time the
 * path must end with one of the errors listed for it or else with the right
 * answer, never with a claim that is false or a packet in clear, and be good when
 * tried once more. When a path is through, nothing of what it made may be left.
 * Paths through answers, latches and requests are in headers of their own.
 *
 * Runs with the hosts and the policies of lib.sh for esp-gcm over IPv4, and makes
 * its own SAs. What failed, and where, is written to the file SITES. With names of
 * paths, or how these begin, only those are tried.
 */
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault_answer.h"
#include "fault_group.h"
#include "fault_latch.h"
#include "fault_module.h"
#include "fault_request.h"

#define MOST		300	/* tries of a path */

static FILE *sites;
static int results;
static bool failed;

static void result(bool good, const char *text)
{
	failed |= !good;
	printf("%sok %d %s: %s\n", good ? "" : "not ", ++results, path_name, text);
	fflush(stdout);
}

static void diag(const char *text, const char *error)
{
	printf("# %s: %s%s%s\n", path_name, text, *error ? ": " : "", error);
	fflush(stdout);
}

/* --------------------------------------------------------------------- paths
 *
 * For each, what is done before a try, and the try itself.
 */

static void before_load(void)
{
	be_unloaded();
	if (connection[LEFT] >= 0)
		return;
	sas_fresh();
	if (connection_open())
		errx(1, "no connection");
}

static int try_load(void)
{
	int ret = load();

	if (ret)
		return ret;
	/* older than the module, so that it is not known, or known to be protected */
	ret = connection_tokens();
	return ret == -ENODATA ? 0 : ret;
}

static void before_unload(void)
{
	be_loaded();
	sas_fresh();
	connection_close();
	if (connection_open())
		errx(1, "no connection");
}

static int try_unload(void)
{
	int ret = unload();

	return ret ?: connection_works();
}

static void before_first_sa(void)
{
	be_unloaded();
	connection_close();
	sas_flush();
	be_loaded();
}

static int try_first_sa(void)
{
	int ret;

	sas_fresh();
	usleep(100000);		/* it is a work item that begins to watch */
	ret = connection_open();
	return ret ?: connection_tokens();
}

static void before_namespace(void)
{
	be_loaded();
}

/* What is required of a group is required in all namespaces. */
static void before_namespace_of_group(void)
{
	be_loaded();
	if (group_there)
		return;
	group_make();
	if (try_group())
		errx(1, "request of a group");
}

static int try_namespace(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(unshare(CLONE_NEWNET) ? errno : 0);
	if (child < 0 || waitpid(child, &status, 0) != child)
		err(1, "fork");
	return WIFEXITED(status) ? -WEXITSTATUS(status) : CONFUSED;
}

static void before_opt_in(void)
{
	be_loaded();
}

static int try_opt_in(void)
{
	int i, fd, ret = 0;

	enter(RIGHT);
	for (i = 0; i < 2 && !ret; i++) {
		fd = socket(i ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			err(1, "socket");
		ret = ipsec_recvptoken_set(fd, true);
		close(fd);
	}
	return ret;
}

static int try_datagram(void)
{
	int ret = receive();

	return ret ?: heard(0, 0);
}

/* Under SAs of the kind that another datagram came under just before. */
static void before_rekeyed(void)
{
	before_datagram();
	/* on a slow machine, the context must not go between two SAs */
	linger = 60;
	if (try_config_set())
		errx(1, "linger");
	told_count = 0;
	if (receive())
		errx(1, "no token");
	sas_renew();
	forget_news();
}

static int try_rekeyed(void)
{
	int ret = receive();

	return ret ?: heard(0, 0) ?: heard(1, 0);
}

static void before_handshake(void)
{
	be_loaded();
	connection_close();
	sas_fresh();
	forget_news();
}

static int try_handshake(void)
{
	int ret = connection_open(), tokens, latches;

	if (ret)
		return ret;
	tokens = connection_tokens();
	latches = connection_latches();
	return tokens == CONFUSED || latches == CONFUSED ? CONFUSED : tokens ?: latches;
}

static void before_token(void)
{
	if (connection[LEFT] >= 0)
		return;
	before_handshake();
	if (connection_open())
		errx(1, "no connection");
}

/* Data comes under SAs that the agent, which has spoken of others, names only then. */
static void before_held(void)
{
	be_loaded();
	connection_close();
	sas_fresh();
	if (connection_open())
		errx(1, "no connection");
	/* the last try may have left word that something is lost */
	forget_news();
	if (try_bind() || connection_works())
		errx(1, "no connection with an identity");
	sas_renew();
	forget_news();
}

/* It waits, or TCP sends it once more. */
static int try_held(void)
{
	char data;
	int ret;

	if (send(connection[LEFT], "x", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	usleep(50000);	/* a worker has still to bring what is decrypted */
	ret = try_bind();
	if (ret)
		return ret;
	return recv(connection[RIGHT], &data, 1, 0) == 1 ? 0 : -errno;
}

/* SAs and what they held go, which is a work item's work. */
static void before_reaper(void)
{
	before_bound();
	sockets_close();
	forget_news();
}

/* The last event is that there is no context any more. */
static int end_heard(void)
{
	_Alignas(8) char data[64];
	struct pollfd wait = {
		.fd = mnl_socket_get_fd(listeners[0]), .events = POLLIN,
	};
	struct genlmsghdr *genl = mnl_nlmsg_get_payload((struct nlmsghdr *)data);
	int ret = SILENT;

	while (poll(&wait, 1, ret == -ENOBUFS ? 3000 : PATIENCE) == 1) {
		if (recv(wait.fd, data, sizeof(data), 0) < 0) {
			ret = -errno;
		} else if (genl->cmd == IPSEC_CMD_CONTEXT_DEL_NTF) {
			ret = ret == -ENOBUFS ? ret : 0;
			break;
		}
	}
	return ret ?: heard(1, 0);
}

static int try_reaper(void)
{
	sas_flush();
	return end_heard();
}

/* A context that is kept for a while only. */
static void before_end(void)
{
	be_loaded();
	forget_news();
	linger = 60;
	if (try_config_set())
		errx(1, "linger");
	before_datagram();
	told_count = 0;
	if (receive())
		errx(1, "no token");
	sockets_close();
	sas_flush();
	forget_news();
}

static int try_end(void)
{
	int ret;

	linger = 0;
	ret = request(RIGHT, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_linger, NULL, NULL);
	return ret ?: end_heard();
}

#define ERRORS		5
#define IN_CLEAR	1	/* what it uses is partly in clear */
#define ROOM		2	/* in a message is what it lacks, and not memory */

static const struct path {
	const char *name;
	void (*before)(void);
	int (*try)(void);
	int errors[ERRORS];	/* that may come of a failure; IN_CLEAR, ROOM */
} paths[] = {
	{ "load", before_load, try_load, { -ENOMEM, -EFAULT } },
	{ "unload", before_unload, try_unload, {} },
	{ "first SA", before_first_sa, try_first_sa, { -ENODATA, -EFAULT } },
	{ "new namespace", before_namespace, try_namespace, { -ENOMEM } },
	{ "opt-in", before_opt_in, try_opt_in, { -ENOMEM, -EFAULT } },
	{ "datagram", before_datagram, try_datagram,
	  { -ENODATA, -EFAULT, -ENOBUFS, -ENOMSG } },
	{ "datagram, rekeyed", before_rekeyed, try_rekeyed,
	  { -ENODATA, -EFAULT, -ENOBUFS, -ENOMSG } },
	{ "handshake", before_handshake, try_handshake, { -ENODATA, -EFAULT } },
	{ "token of a connection", before_token, connection_tokens, { -EFAULT } },
	{ "resolve", before_request, try_resolve, { -ENOMEM } },
	{ "list sockets", before_request, try_sockets, { -ENOMEM } },
	{ "list latches", before_request, try_latches, { -ENOMEM } },
	{ "list identities", before_bound, try_identities, { -ENOMEM } },
	{ "list long identities", before_bound_at_length, try_long_identities, { -ENOMEM } },
	{ "get configuration", before_request, try_config_get, { -ENOMEM } },
	{ "set configuration", before_request, try_config_set, { -ENOMEM, -ENOBUFS } },
	{ "trust", before_request, try_algorithm_set, { -ENOMEM, -ENOBUFS } },
	{ "statistics", before_request, try_stats, { -ENOMEM } },
	{ "bind", before_request, try_bind, { -ENOMEM, -ENOBUFS } },
	{ "unbind", before_bound, try_unbind, { -ENOMEM, -ENOBUFS } },
	{ "data before its identity", before_held, try_held, { -ENOMEM, -ENOBUFS } },
	{ "SAs go", before_reaper, try_reaper, { -ENOBUFS } },
	{ "latch of a connection", before_connection, try_latch_option, { -EFAULT } },
	{ "latch of a connection, rekeyed", before_latch_rekeyed, try_latch_rekeyed,
	  { -EFAULT } },
	{ "latch breaks", before_latch_breaks, try_latch_breaks, { -EFAULT, -ENOBUFS } },
	{ "latch of a connection in clear", before_clear, try_latch_clear,
	  { -ENOMEM, -EFAULT, IN_CLEAR } },
	{ "protection gained", before_gain, try_gain, { -EFAULT, IN_CLEAR } },
	{ "latch mode", before_connection, try_latch_mode, { -ENOMEM, -ENOBUFS } },
	{ "latch of datagrams", before_latch_datagram, try_latch_datagram,
	  { -ENOMEM, -EFAULT } },
	{ "latch of datagrams, rekeyed", before_latched_datagram, try_latched_datagram,
	  { -EAGAIN, -EFAULT, -ENOMSG } },
	{ "first request", before_first_request, try_require, { -ENOMEM, -EFAULT } },
	{ "request", before_require, try_require, { -ENOMEM, -EFAULT } },
	{ "request changed", before_change, try_change, { -ENOMEM, -EFAULT } },
	{ "connect under a request", before_required, try_connect,
	  { -ENOMEM, -EFAULT, -EPROTO, -ENODATA } },
	{ "accept under a request", before_required, try_accept,
	  { -ENOMEM, -EFAULT, -ENODATA } },
	{ "datagrams under a request", before_required_datagram, try_required_datagram,
	  { -ENOMEM, -EFAULT, -EAGAIN, -EPROTO } },
	{ "negotiation", before_negotiation, try_negotiation,
	  { -ENOMEM, -EFAULT, -EDQUOT, -ENOMSG } },
	{ "negotiation for datagrams", before_negotiation, try_negotiation_datagram,
	  { -ENOMEM, -EFAULT, -EDQUOT, -ENOMSG } },
	{ "request of a group", before_group, try_group, { -ENOMEM } },
	{ "new namespace under a request", before_namespace_of_group, try_namespace,
	  { -ENOMEM } },
	{ "datagrams from a group", before_in_group, try_group_send,
	  { -EPERM, -EPROTO, -EDQUOT, -EFAULT, SILENT } },
	{ "connection of a group", before_in_group, try_group_connect,
	  { -EPROTO, -EFAULT } },

	/* to the header of a message that has no room for it, ENOMEM is the answer */
	{ "room to resolve", before_whole_others, try_whole_resolve, { ROOM, -ENOMEM } },
	{ "room to resolve, bound", before_whole_bound_others, try_whole_resolve,
	  { ROOM, -ENOMEM } },
	{ "room to resolve, SAs are gone", before_whole_gone, try_whole_resolve,
	  { ROOM, -ENOMEM } },
	{ "room for a context", before_whole_gone, try_whole_context, { ROOM, -ENOMEM } },
	{ "room to list contexts", before_whole_gone, try_whole_contexts, { ROOM, -EMSGSIZE } },
	{ "room to list sockets", before_whole, try_whole_sockets, { ROOM, -EMSGSIZE } },
	{ "room to list latches", before_whole, try_whole_latches, { ROOM, -EMSGSIZE } },
	{ "room to list identities", before_whole_bound, try_whole_identities,
	  { ROOM, -EMSGSIZE } },
	{ "room to list algorithms", before_whole, try_whole_algorithms, { ROOM, -EMSGSIZE } },
	{ "room to list negotiations", before_whole_negotiation, try_whole_negotiations,
	  { ROOM, -EMSGSIZE } },
	{ "room for the configuration", before_whole, try_whole_config,
	  { ROOM, -ENOMEM, -EMSGSIZE } },
	{ "room for statistics", before_whole, try_whole_stats, { ROOM, -ENOMEM, -EMSGSIZE } },
	{ "room for news of the configuration", before_whole, try_news_config,
	  { ROOM, -ENOBUFS } },
	{ "room for news of an algorithm", before_whole, try_news_algorithm,
	  { ROOM, -ENOBUFS } },
	{ "room for news of identities", before_news_unbound, try_news_bind,
	  { ROOM, -ENOBUFS } },
	{ "room for news of no identities", before_news_bound, try_news_unbind,
	  { ROOM, -ENOBUFS } },
	{ "room for news of a context", before_datagram, try_datagram, { ROOM, -ENOBUFS } },
	{ "room for news of its end", before_end, try_end, { ROOM, -ENOBUFS } },
	{ "room for news of a latch", before_latch_breaks, try_latch_breaks,
	  { ROOM, -ENOBUFS } },
	{ "room for news of a negotiation", before_negotiation, try_negotiation, { ROOM } },
};

static bool allowed(const struct path *path, int ret)
{
	int i;

	for (i = 0; i < ERRORS; i++)
		if (ret == path->errors[i])
			return true;
	return false;
}

/* Return: whether something was made to fail, if that was asked for. */
static bool try_once(const struct path *path, unsigned int nth, int *ret)
{
	bool hit = false;

	path->before();
	told_count = 0;
	wire_in_clear();
	parameter_write("nth", nth);
	*ret = path->try();
	parameter_write("nth", 0);
	if (nth && strtoul(parameter_read("seen"), NULL, 10) >= nth) {
		fprintf(sites, "%s\n", parameter_read("where"));
		hit = true;
	}
	if ((!*ret && ready && !told_is_true()) || (wire_in_clear() && !allowed(path, IN_CLEAR)))
		*ret = CONFUSED;
	return hit;
}

static void walk(const struct path *path)
{
	bool good = true, again = true;
	time_t start = time(NULL);
	unsigned int nth;
	char text[64];
	int ret;

	whole_made = false;
	parameter_write("room", allowed(path, ROOM));
	/* so that it is known what the whole answer is */
	if (allowed(path, ROOM))
		try_once(path, 0, &ret);
	for (nth = 1; try_once(path, nth, &ret); nth++) {
		if (nth == MOST)
			errx(1, "%s: there is no end", path->name);
		if (ret && !allowed(path, ret)) {
			diag(parameter_read("where"), strerrorname_np(-ret));
			good = false;
		}
		try_once(path, 0, &ret);
		if (ret) {
			diag(parameter_read("where"), strerrorname_np(-ret));
			again = false;
		}
	}
	if (ret) {
		diag("nothing failed", strerrorname_np(-ret));
		again = false;
	}
	snprintf(text, sizeof(text), "%u failures, %ld seconds", nth - 1, time(NULL) - start);
	diag(text, "");
	result(good && nth > 1, "fails as it should");
	result(again, "works afterwards");
}

static int stats_read(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_STATS), *attr;

	if (!nest)
		return -EPROTO;
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) >= IPSEC_STATS_A_CONTEXTS &&
		    mnl_attr_get_type(attr) <= IPSEC_STATS_A_LATCHES)
			*(uint64_t *)data += mnl_attr_get_u64(attr);
	}
	return 0;
}

/* What holds the module: sockets, and control groups for a while after their end. */
static unsigned int references(void)
{
	FILE *file = fopen("/sys/module/ipsec_token/refcnt", "re");
	unsigned int count;

	if (!file || fscanf(file, "%u", &count) != 1)
		err(1, "refcnt");
	fclose(file);
	return count;
}

/* With its sockets closed and the SAs gone, nothing is kept. */
static void clean_up(void)
{
	uint64_t left = 1;
	int i;

	sockets_close();
	requests_close();
	group_remove();
	sas_flush();
	be_loaded();
	linger = 0;
	for (i = 0; i < PATIENCE / 100 && left; i++) {
		left = 0;
		/* each time contexts are looked at: sockets let go of them a while later */
		if (request(LEFT, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_linger, NULL, NULL) ||
		    request(RIGHT, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_linger, NULL, NULL))
			errx(1, "linger");
		if (request(LEFT, IPSEC_CMD_STATS_GET, 0, NULL, stats_read, &left) ||
		    request(RIGHT, IPSEC_CMD_STATS_GET, 0, NULL, stats_read, &left))
			errx(1, "statistics");
		left += references();
		if (left)
			usleep(100000);
	}
	result(!left, "nothing is left");
}

/* Does its name begin like one of these, or are there none? */
static bool wanted(const struct path *path, char **names)
{
	char **name;

	for (name = names; *name; name++)
		if (!strncmp(*name, path->name, strlen(*name)))
			return true;
	return !*names;
}

int main(int argc, char **argv)
{
	const struct path *path;
	size_t count = 0;

	if (argc < 3)
		errx(1, "fault MODULE SITES [PATH...]");
	module = argv[1];
	sites = fopen(argv[2], "w");
	if (!sites)
		err(1, "%s", argv[2]);
	hosts_open();
	wire_open();

	for (path = paths; path < paths + IPSEC_ARRAY_SIZE(paths); path++)
		count += wanted(path, argv + 3);
	printf("1..%zu\n", 3 * count + 2);
	for (path = paths; path < paths + IPSEC_ARRAY_SIZE(paths); path++) {
		if (!wanted(path, argv + 3))
			continue;
		path_name = path->name;
		walk(path);
		clean_up();
	}
	path_name = "unload at last";
	be_unloaded();
	fclose(sites);
	return failed;
}
