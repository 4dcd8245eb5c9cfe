// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic - keep everything in motion between the hosts left and right while
 * the module comes and goes
 *
 * Over TCP and UDP and in both directions, between the addresses of lib.sh:
 * data on old connections, new connections all the time, sockets that opt in
 * for a moment, questions over netlink. All of it is protected, so an answer
 * of "clear" is a lie at any moment. It says "ready" when the first of these is there.
 * Once there is something to read on standard input it stops, and prints how often
 * each of these things has succeeded.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ipsec/token.h>

enum { LEFT, RIGHT };

static int netns[2];
static atomic_bool stop;
static atomic_uint segments, datagrams, connections, tokens, opt_ins, answers, lies;

/* Who loads and unloads the module needs the processors, too. */
static void rest(void)
{
	usleep(5000);
}

static void enter(int host)
{
	if (setns(netns[host], CLONE_NEWNET))
		err(1, "setns");
}

static socklen_t address(struct sockaddr_storage *out, int v6, int host)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *sin = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (v6) {
		sin6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, host == LEFT ? "fd00::1" : "fd00::2", &sin6->sin6_addr);
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	inet_pton(AF_INET, host == LEFT ? "10.0.0.1" : "10.0.0.2", &sin->sin_addr);
	return sizeof(*sin);
}

static int socket_bound(int host, int v6, int type)
{
	struct timeval timeout = { .tv_sec = 1 };
	struct sockaddr_storage own;
	socklen_t len = address(&own, v6, host);
	int fd;

	enter(host);
	fd = socket(v6 ? AF_INET6 : AF_INET, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, len) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		err(1, "socket");
	return fd;
}

static int connect_to(int fd, int to)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (getsockname(to, (struct sockaddr *)&peer, &len))
		err(1, "getsockname");
	return connect(fd, (struct sockaddr *)&peer, len);
}

static int listen_at(int host, int v6)
{
	int fd = socket_bound(host, v6, SOCK_STREAM);

	if (listen(fd, 8))
		err(1, "listen");
	return fd;
}

/* SAs may be missing, and the machine slow. Returns both ends. */
static void connection_old(int ends[2])
{
	int listener = listen_at(RIGHT, 0), i;

	ends[0] = socket_bound(LEFT, 0, SOCK_STREAM);
	ends[1] = -1;
	for (i = 0; i < 60 && connect_to(ends[0], listener) && errno != EISCONN; i++)
		;
	for (i = 0; i < 60 && ends[1] < 0; i++)
		ends[1] = accept(listener, NULL, NULL);
	if (ends[1] < 0)
		err(1, "connection");
	close(listener);
}

/* Errors are no answers; "clear" knows something wrong. */
static bool look_at(int fd)
{
	ipsec_ptoken_t ptoken;

	if (ipsec_ptoken_from_fd(fd, &ptoken))
		return false;
	atomic_fetch_add(ptoken == IPSEC_PTOKEN_NONE ? &lies : &tokens, 1);
	return true;
}

/*
 * With a reset, which the other end may be looked at in the middle of. Otherwise
 * it would live on until its last segment is acknowledged, and its SA may be gone.
 */
static void close_abruptly(int fd)
{
	struct linger abort = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	close(fd);
}

static void *churn(void *data)
{
	int v6 = (intptr_t)data & 1, host = (intptr_t)data >> 1;
	int listener = listen_at(host, v6), client, server, i;

	while (!atomic_load(&stop)) {
		client = socket_bound(!host, v6, SOCK_STREAM);
		if (!connect_to(client, listener)) {
			look_at(client);
			server = accept(listener, NULL, NULL);
			look_at(server);
			look_at(client);
			close_abruptly(server);
			for (i = 0; i < 1000 && look_at(client); i++)
				;
			atomic_fetch_add(&connections, 1);
		}
		close_abruptly(client);
		rest();
	}
	return NULL;
}

/* One direction of an old connection. */
static void *stream(void *data)
{
	const int *fd = data;
	char buffer[4096] = "";
	ssize_t len;

	while (!atomic_load(&stop)) {
		if (send(fd[0], buffer, sizeof(buffer), MSG_NOSIGNAL) < 0)
			continue;
		len = recv(fd[1], buffer, sizeof(buffer), 0);
		if (len > 0)
			atomic_fetch_add(&segments, 1);
		look_at(fd[0]);
		rest();
	}
	return NULL;
}

static void *shower(void *data)
{
	int v6 = (intptr_t)data & 1, host = (intptr_t)data >> 1;
	int rx = socket_bound(host, v6, SOCK_DGRAM), tx = socket_bound(!host, v6, SOCK_DGRAM);
	char buffer[500] = "";

	if (connect_to(tx, rx))
		err(1, "connect");
	while (!atomic_load(&stop)) {
		if (send(tx, buffer, sizeof(buffer), 0) > 0 &&
		    recv(rx, buffer, sizeof(buffer), 0) > 0)
			atomic_fetch_add(&datagrams, 1);
		rest();
	}
	return NULL;
}

/* Opts in, if the module is there, reads a few datagrams and closes. */
static void opt_in_once(int v6)
{
	int rx = socket_bound(RIGHT, v6, SOCK_DGRAM), tx = socket_bound(LEFT, v6, SOCK_DGRAM);
	char control[IPSEC_PTOKEN_CMSG_SPACE], buffer[500] = "";
	struct iovec iov = { buffer, sizeof(buffer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	ipsec_ptoken_t ptoken;
	int i, ret;

	ret = ipsec_recvptoken_set(rx, true);
	if (!ret && !connect_to(tx, rx)) {
		atomic_fetch_add(&opt_ins, 1);
		for (i = 0; i < 3; i++) {
			msg.msg_controllen = sizeof(control);
			if (send(tx, buffer, sizeof(buffer), 0) < 0 || recvmsg(rx, &msg, 0) < 0)
				continue;
			ret = ipsec_ptoken_from_msg(&msg, &ptoken);
			if (ret ? ret != -ENODATA : ptoken == IPSEC_PTOKEN_NONE)
				atomic_fetch_add(&lies, 1);
		}
	}
	close(rx);
	close(tx);
}

static void *opt_in(void *data)
{
	while (!atomic_load(&stop)) {
		opt_in_once((intptr_t)data);
		usleep(1000000);	/* the module has to go now and then */
	}
	return NULL;
}

/* Members of groups come and go, with questions under way. */
static void *ask(void *data)
{
	struct ipsec_ptoken_attributes attributes;
	struct ipsec *ipsec;
	int host = (intptr_t)data, i;

	enter(host);
	while (!atomic_load(&stop)) {
		if (ipsec_open(&ipsec)) {
			usleep(10000);
			continue;
		}
		for (i = 1; i < 20; i++)
			if (ipsec_ptoken_attributes(ipsec, i, &attributes,
						    sizeof(attributes)) == -ESTALE)
				atomic_fetch_add(&answers, 1);
		ipsec_close(ipsec);
		rest();
	}
	return NULL;
}

static void begin(pthread_t *id, void *(*what)(void *), intptr_t how)
{
	if (pthread_create(id, NULL, what, (void *)how))
		errx(1, "pthread_create");
}

int main(void)
{
	struct pollfd wait = { .fd = STDIN_FILENO, .events = POLLIN };
	int ends[2][2], i, n = 0;
	pthread_t ids[16];

	netns[LEFT] = open("/run/netns/left", O_RDONLY);
	netns[RIGHT] = open("/run/netns/right", O_RDONLY);
	if (netns[LEFT] < 0 || netns[RIGHT] < 0)
		err(1, "/run/netns");

	connection_old(ends[0]);
	ends[1][0] = ends[0][1];
	ends[1][1] = ends[0][0];
	printf("ready\n");
	fflush(stdout);

	for (i = 0; i < 2; i++) {
		begin(&ids[n++], stream, (intptr_t)ends[i]);
		begin(&ids[n++], shower, i << 1 | i);
		begin(&ids[n++], churn, i << 1 | i);
		begin(&ids[n++], opt_in, i);
	}
	begin(&ids[n++], ask, LEFT);

	poll(&wait, 1, -1);
	atomic_store(&stop, true);
	while (n)
		pthread_join(ids[--n], NULL);
	close_abruptly(ends[0][0]);
	close_abruptly(ends[0][1]);
	printf("%u %u %u %u %u %u %u\n", segments, datagrams, connections, tokens, opt_ins,
	       answers, lies);
	return 0;
}
