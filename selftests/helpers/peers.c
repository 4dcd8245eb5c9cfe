// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process with sockets on the hosts left and right that stay open while a
 * test changes what is around them: commands on a line of standard input, with
 * " ; " between them, and one line with all the answers.
 *
 *	open NAME tcp|udp 4|6 [MARK]
 *				a connection from left to right, or a pair of
 *				sockets that opted in; what left sends has MARK
 *	say NAME		data each way; of a pair: what came with it
 *	tokens NAME		what getsockopt() says
 *	send NAME		from left to right, which does not read it
 *	optout NAME		of a pair
 *	close NAME		of a connection: abort it
 *	begin NAME 4|6		a connection to an address where nobody is yet
 *	finish NAME		wait for that to be established
 *	about HOST TOKEN	privacy, integrity and whether the SAs are known
 *	spis HOST TOKEN		of all SAs, sorted
 *	algorithms HOST TOKEN	of all SAs, each once
 *	who HOST TOKEN		every attribute of the iToken that there is, as
 *				NAME=VALUE with tabs between them; those of the
 *				local one are called local.NAME
 *	listen HOST		join the group "events"
 *	events HOST		whether some or none came since
 *
 * Tokens come in pairs, what left is told first: a number, "clear", or the name
 * of an error. All that fails is answered with the name of the error.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"

#define PORT		7000
#define TIMEOUT		10000	/* milliseconds */
#define LINKS	16
#define MAX_SPIS	32

enum { LEFT, RIGHT };

/**
 * struct link - a connection or a pair of sockets
 * @name: free if empty
 * @tcp: it is a connection
 * @fd: the sockets, at left and at right; -1: not accepted yet
 * @listener: at right, or -1
 */
struct link {
	char name[16];
	bool tcp;
	int fd[2];
	int listener;
};

static const char * const host_names[] = { "left", "right" };
static const char * const addresses[][3] = {
	/* of left, of right, of nobody */
	{ "10.0.0.1", "10.0.0.2", "10.0.0.99" },
	{ "fd00::1", "fd00::2", "fd00::99" },
};

static int netns[2];
static uint32_t left_mark;
static struct ipsec *handles[2];
static struct mnl_socket *listeners[2];
static struct link links[LINKS];

static void answer(const char *text)
{
	fputs(text, stdout);
}

static const char *error_name(int err)
{
	return strerrorname_np(err < 0 ? -err : err);
}

static void enter(int host)
{
	if (setns(netns[host], CLONE_NEWNET))
		err(1, "setns %s", host_names[host]);
}

/* A word that is missing is none. */
static bool is(const char *word, const char *what)
{
	return word && !strcmp(word, what);
}

static int host_find(const char *name)
{
	return is(name, host_names[RIGHT]);
}

/* A handle is kept: what it remembers is part of what is tested. */
static int handle_get(int host, struct ipsec **ipsec)
{
	int err = 0;

	enter(host);
	if (!handles[host])
		err = ipsec_open(&handles[host]);
	*ipsec = handles[host];
	return err;
}

static struct link *link_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < LINKS; i++)
		if (is(name, links[i].name))
			return &links[i];
	return NULL;
}

static struct link *link_new(const char *name, bool tcp)
{
	struct link *link = link_find("");

	if (!link || link_find(name))
		errx(1, "%s: too many, or twice", name);
	snprintf(link->name, sizeof(link->name), "%s", name);
	link->tcp = tcp;
	link->fd[LEFT] = -1;
	link->fd[RIGHT] = -1;
	link->listener = -1;
	return link;
}

static void link_close(struct link *link)
{
	struct linger abort = { .l_onoff = 1 };
	int host;

	for (host = LEFT; host <= RIGHT; host++) {
		if (link->fd[host] < 0)
			continue;
		/* what can't be sent must not keep the connection alive */
		if (link->tcp)
			setsockopt(link->fd[host], SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
		close(link->fd[host]);
	}
	if (link->listener >= 0)
		close(link->listener);
	link->name[0] = '\0';
}

static socklen_t address(struct sockaddr_storage *out, int v6, int whose, int port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *sin = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (v6) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(port);
		inet_pton(AF_INET6, addresses[1][whose], &sin6->sin6_addr);
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	inet_pton(AF_INET, addresses[0][whose], &sin->sin_addr);
	return sizeof(*sin);
}

/* A socket of @host's, bound to its own address, or to any. */
static int socket_bound(int host, int v6, int type, int port, bool any)
{
	struct timeval timeout = { .tv_sec = TIMEOUT / 1000 };
	struct sockaddr_storage own;
	int fd, one = 1;
	socklen_t len;

	enter(host);
	fd = socket(v6 ? AF_INET6 : AF_INET, type, 0);
	if (fd < 0)
		return -1;
	len = address(&own, v6, host, port);
	if (any && v6)
		((struct sockaddr_in6 *)&own)->sin6_addr = in6addr_any;
	else if (any)
		((struct sockaddr_in *)&own)->sin_addr.s_addr = INADDR_ANY;
	if ((host == LEFT && left_mark &&
	     setsockopt(fd, SOL_SOCKET, SO_MARK, &left_mark, sizeof(left_mark))) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    bind(fd, (struct sockaddr *)&own, len)) {
		close(fd);
		return -1;
	}
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool open_tcp(struct link *link, int v6, int port)
{
	struct sockaddr_storage peer;
	socklen_t len = address(&peer, v6, RIGHT, port);

	link->listener = socket_bound(RIGHT, v6, SOCK_STREAM, port, false);
	if (link->listener < 0 || listen(link->listener, 1))
		return false;
	link->fd[LEFT] = socket_bound(LEFT, v6, SOCK_STREAM, 0, false);
	if (link->fd[LEFT] < 0 || connect(link->fd[LEFT], (struct sockaddr *)&peer, len))
		return false;
	link->fd[RIGHT] = accept(link->listener, NULL, NULL);
	return link->fd[RIGHT] >= 0;
}

static bool open_udp(struct link *link, int v6, int port)
{
	struct sockaddr_storage peer;
	socklen_t len;
	int host, ret;

	for (host = LEFT; host <= RIGHT; host++) {
		link->fd[host] = socket_bound(host, v6, SOCK_DGRAM, port, false);
		if (link->fd[host] < 0)
			return false;
		ret = ipsec_recvptoken_set(link->fd[host], true);
		if (ret) {
			errno = -ret;
			return false;
		}
	}
	for (host = LEFT; host <= RIGHT; host++) {
		len = address(&peer, v6, !host, port);
		if (connect(link->fd[host], (struct sockaddr *)&peer, len))
			return false;
	}
	return true;
}

static void do_open(const char *name, const char *type, const char *family, const char *mark)
{
	bool tcp = is(type, "tcp"), v6 = is(family, "6");
	struct link *link = link_new(name, tcp);
	int port = PORT + (link - links);

	left_mark = mark ? strtoul(mark, NULL, 0) : 0;
	if (tcp ? open_tcp(link, v6, port) : open_udp(link, v6, port)) {
		answer("ok");
	} else {
		answer(error_name(errno));
		link_close(link);
	}
	left_mark = 0;
}

static int say_tcp(int from, int to)
{
	struct pollfd wait = { .fd = to, .events = POLLIN };
	char data[100] = "";

	if (send(from, data, sizeof(data), MSG_NOSIGNAL) != sizeof(data))
		return -errno;
	/* not in recv(): a segment must not find the socket in use */
	if (poll(&wait, 1, TIMEOUT) != 1)
		return -ETIMEDOUT;
	return recv(to, data, sizeof(data), MSG_WAITALL) == sizeof(data) ? 0 : -EPIPE;
}

/* Return: what came with a datagram. */
static const char *say_udp(int from, int to)
{
	char data[100] = "", control[IPSEC_PTOKEN_CMSG_SPACE];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	static char text[2][32];
	static int turn;
	ipsec_ptoken_t ptoken;
	int ret;

	if (send(from, data, sizeof(data), 0) < 0 || recvmsg(to, &msg, 0) < 0)
		return error_name(errno);
	ret = ipsec_ptoken_from_msg(&msg, &ptoken);
	if (ret)
		return error_name(ret);
	if (ptoken == IPSEC_PTOKEN_NONE)
		return "clear";
	turn = !turn;
	snprintf(text[turn], sizeof(text[turn]), "%#llx", (unsigned long long)ptoken);
	return text[turn];
}

static void do_say(struct link *link)
{
	const char *right;
	int err;

	if (!link->tcp) {
		right = say_udp(link->fd[LEFT], link->fd[RIGHT]);
		printf("%s %s", say_udp(link->fd[RIGHT], link->fd[LEFT]), right);
		return;
	}
	err = say_tcp(link->fd[LEFT], link->fd[RIGHT]) ?:
	      say_tcp(link->fd[RIGHT], link->fd[LEFT]);
	answer(err ? error_name(err) : "ok");
}

static void do_tokens(const struct link *link)
{
	ipsec_ptoken_t ptoken;
	int host, ret;

	for (host = LEFT; host <= RIGHT; host++) {
		ret = ipsec_ptoken_from_fd(link->fd[host], &ptoken);
		if (ret)
			fputs(error_name(ret), stdout);
		else if (ptoken == IPSEC_PTOKEN_NONE)
			fputs("clear", stdout);
		else
			printf("%#llx", (unsigned long long)ptoken);
		if (host == LEFT)
			putchar(' ');
	}
}

static void do_begin(const char *name, const char *family)
{
	bool v6 = is(family, "6");
	struct link *link = link_new(name, true);
	int port = PORT + (link - links);
	struct sockaddr_storage peer;
	socklen_t len = address(&peer, v6, 2, port);

	link->listener = socket_bound(RIGHT, v6, SOCK_STREAM, port, true);
	link->fd[LEFT] = socket_bound(LEFT, v6, SOCK_STREAM | SOCK_NONBLOCK, 0, false);
	if (link->listener < 0 || listen(link->listener, 1) || link->fd[LEFT] < 0 ||
	    !connect(link->fd[LEFT], (struct sockaddr *)&peer, len) || errno != EINPROGRESS) {
		answer(error_name(errno));
		link_close(link);
		return;
	}
	answer("ok");
}

static atomic_bool settled;

/* Hold the socket's lock most of the time, so that segments go to its backlog. */
static void *keep_busy(void *data)
{
	int fd = *(int *)data, one = 1;

	while (!atomic_load(&settled))
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	return NULL;
}

static void do_finish(struct link *link)
{
	struct pollfd wait = { .fd = link->fd[LEFT], .events = POLLOUT };
	pthread_t busy;
	int err = 0;
	socklen_t len = sizeof(err);

	atomic_store(&settled, false);
	if (pthread_create(&busy, NULL, keep_busy, &link->fd[LEFT]))
		errx(1, "pthread_create");
	if (poll(&wait, 1, TIMEOUT) != 1)
		err = ETIMEDOUT;
	else if (getsockopt(link->fd[LEFT], SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	atomic_store(&settled, true);
	pthread_join(busy, NULL);
	if (!err) {
		link->fd[RIGHT] = accept(link->listener, NULL, NULL);
		if (link->fd[RIGHT] < 0)
			err = errno;
	}
	answer(err ? error_name(err) : "ok");
}

static int by_value(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static void print_spis(struct ipsec *ipsec, ipsec_ptoken_t ptoken, int count)
{
	uint32_t spis[MAX_SPIS] = {};
	struct ipsec_sa sa;
	int i, ret, found = 0;

	for (i = 0; i < count && i < MAX_SPIS; i++) {
		ret = ipsec_ptoken_sa(ipsec, ptoken, i, &sa, sizeof(sa));
		if (ret) {
			answer(error_name(ret));
			return;
		}
		if (sa.direction)
			spis[found++] = sa.spi;
	}
	qsort(spis, found, sizeof(*spis), by_value);
	for (i = 0; i < found; i++)
		printf("%s0x%x", i ? " " : "", spis[i]);
	if (!found)
		answer("none");
}

static void print_algorithms(struct ipsec *ipsec, ipsec_ptoken_t ptoken, int count)
{
	char text[1024] = "", pair[2 * IPSEC_ALGORITHM_NAME_SIZE + 2];
	struct ipsec_sa sa;
	int i, ret;

	for (i = 0; i < count; i++) {
		ret = ipsec_ptoken_sa(ipsec, ptoken, i, &sa, sizeof(sa));
		if (ret) {
			answer(error_name(ret));
			return;
		}
		snprintf(pair, sizeof(pair), " %s/%s", sa.ealg_name, sa.aalg_name);
		if (!strstr(text, pair) && strlen(text) + strlen(pair) < sizeof(text))
			strcat(text, pair);
	}
	answer(*text ? text + 1 : "none");
}

/* What is not available is not there. */
static void print_text(const char *whose, const char *name, const char *text)
{
	if (text)
		printf("\t%s%s=%s", whose, name, text);
}

static void print_itoken(const char *whose, const struct ipsec_itoken *itoken)
{
	char text[IPSEC_ITOKEN_TEXT_SIZE];
	const uint8_t *binding;
	const void *data;
	size_t i, size;

	print_text(whose, "itoken", ipsec_itoken_export(itoken, text, sizeof(text)) > 0 ?
		   text : "?");
	print_text(whose, "method", ipsec_auth_method_name(ipsec_itoken_method(itoken)));
	if (ipsec_itoken_ike_id_type(itoken) >= 0)
		printf("\t%sidtype=%d", whose, ipsec_itoken_ike_id_type(itoken));
	print_text(whose, "id", ipsec_itoken_ike_id(itoken));
	print_text(whose, "ca", ipsec_itoken_ca_dn(itoken));
	print_text(whose, "dn", ipsec_itoken_certificate_dn(itoken));
	print_text(whose, "key", ipsec_itoken_pubkey_id(itoken));
	print_text(whose, "policy", ipsec_itoken_policy_name(itoken));
	print_text(whose, "audit", ipsec_itoken_audit_string(itoken));
	if (ipsec_itoken_channel_binding(itoken, &data, &size))
		return;
	printf("\t%sbinding=", whose);
	for (i = 0, binding = data; i < size; i++)
		printf("%02x", binding[i]);
}

static void print_who(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_itoken *itoken, *local;
	int ret;

	ret = ipsec_ptoken_itoken_wait(ipsec, ptoken, TIMEOUT, &itoken);
	if (ret) {
		answer(error_name(ret));
		return;
	}
	answer("ok");
	print_itoken("", itoken);
	ipsec_itoken_free(itoken);
	ret = ipsec_ptoken_local_itoken(ipsec, ptoken, &local);
	if (ret)
		return;
	print_itoken("local.", local);
	ipsec_itoken_free(local);
}

/* What a token stands for, as far as @what asks for it. */
static void do_resolve(const char *what, int host, const char *token)
{
	ipsec_ptoken_t ptoken = token ? strtoull(token, NULL, 0) : IPSEC_PTOKEN_UNKNOWN;
	struct ipsec_ptoken_attributes attributes;
	struct ipsec *ipsec;
	int ret;

	ret = handle_get(host, &ipsec);
	if (!ret && !strcmp(what, "who")) {
		print_who(ipsec, ptoken);
		return;
	}
	if (!ret)
		ret = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));
	if (ret)
		answer(error_name(ret));
	else if (!strcmp(what, "about"))
		printf("privacy %d integrity %d", attributes.privacy_protected,
		       attributes.integrity_protected);
	else if (!strcmp(what, "spis"))
		print_spis(ipsec, ptoken, attributes.sa_count);
	else
		print_algorithms(ipsec, ptoken, attributes.sa_count);
}

static void do_listen(int host)
{
	struct ipsec *ipsec;
	int group, ret;

	ret = handle_get(host, &ipsec);
	if (ret) {
		answer(error_name(ret));
		return;
	}
	group = ipsec->group_events;
	listeners[host] = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
	if (!listeners[host] || mnl_socket_bind(listeners[host], 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(listeners[host], NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		answer(error_name(errno));
	else
		answer("ok");
}

static void do_events(int host)
{
	bool some = false;
	char data[64];

	while (mnl_socket_recvfrom(listeners[host], data, sizeof(data)) >= 0 ||
	       errno == ENOSPC || errno == ENOBUFS)
		some = true;
	if (errno != EAGAIN)
		answer(error_name(errno));
	else
		answer(some ? "some" : "none");
}

static void obey(char **arg, int args)
{
	const char *what = args ? arg[0] : "";
	struct link *link;

	if (!strcmp(what, "open") && (args == 4 || args == 5)) {
		do_open(arg[1], arg[2], arg[3], arg[4]);
		return;
	}
	if (!strcmp(what, "begin") && args == 3) {
		do_begin(arg[1], arg[2]);
		return;
	}
	if (args == 3) {
		do_resolve(what, host_find(arg[1]), arg[2]);
		return;
	}
	if (!strcmp(what, "listen") && args == 2) {
		do_listen(host_find(arg[1]));
		return;
	}
	if (!strcmp(what, "events") && args == 2) {
		do_events(host_find(arg[1]));
		return;
	}

	link = args == 2 ? link_find(arg[1]) : NULL;
	if (!link) {
		answer("what?");
	} else if (!strcmp(what, "say")) {
		do_say(link);
	} else if (!strcmp(what, "tokens")) {
		do_tokens(link);
	} else if (!strcmp(what, "finish")) {
		do_finish(link);
	} else if (!strcmp(what, "send")) {
		answer(send(link->fd[LEFT], "", 1, 0) == 1 ? "ok" : error_name(errno));
	} else if (!strcmp(what, "optout")) {
		answer(ipsec_recvptoken_set(link->fd[LEFT], false) ||
		       ipsec_recvptoken_set(link->fd[RIGHT], false) ? "failed" : "ok");
	} else if (!strcmp(what, "close")) {
		link_close(link);
		answer("ok");
	} else {
		answer("what?");
	}
}

static void obey_line(char *line)
{
	char *arg[6] = {}, *word, *rest;
	int args = 0;

	for (word = strtok_r(line, "\n ", &rest); word; word = strtok_r(NULL, "\n ", &rest)) {
		if (!strcmp(word, ";")) {
			obey(arg, args);
			fputs(", ", stdout);
			args = 0;
		} else if (args < 5) {
			arg[args + 1] = NULL;
			arg[args++] = word;
		}
	}
	obey(arg, args);
	putchar('\n');
	fflush(stdout);
}

int main(void)
{
	char line[1024], path[64];
	int host;

	for (host = LEFT; host <= RIGHT; host++) {
		snprintf(path, sizeof(path), "/run/netns/%s", host_names[host]);
		netns[host] = open(path, O_RDONLY | O_CLOEXEC);
		if (netns[host] < 0)
			err(1, "%s", path);
	}
	while (fgets(line, sizeof(line), stdin))
		obey_line(line);
	return 0;
}
