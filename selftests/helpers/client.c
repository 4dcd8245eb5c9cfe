// SPDX-License-Identifier: GPL-2.0-only
/*
 * client HOW ADDRESS PORT - ask an HTTP server for /, and print what it says
 *
 * HOW is what programs do that do not want to be held:
 *	here	nothing of the kind
 *	thread	asks from another thread
 *	daemon	asks as a daemon: in a session of its own, nobody's child, once what
 *		has started it is over
 *	udp, udplite	sends a datagram instead, and prints "sent"
 *	server	takes a connection instead, and prints "accepted"
 * Says "failed" and why, if it does.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static union {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
} addr;

static socklen_t addr_len;

static void read_address(const char *text, int port)
{
	if (inet_pton(AF_INET, text, &addr.in.sin_addr) == 1) {
		addr.in.sin_family = AF_INET;
		addr.in.sin_port = htons(port);
		addr_len = sizeof(addr.in);
		return;
	}
	if (inet_pton(AF_INET6, text, &addr.in6.sin6_addr) != 1)
		errx(1, "%s is no address", text);
	addr.in6.sin6_family = AF_INET6;
	addr.in6.sin6_port = htons(port);
	addr_len = sizeof(addr.in6);
}

static int fail(void)
{
	printf("failed: %s\n", strerror(errno));
	return 1;
}

static int make_socket(int type, int protocol)
{
	struct timeval timeout = { .tv_sec = 4 };
	int fd = socket(addr.sa.sa_family, type, protocol);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		err(1, "socket");
	return fd;
}

static int ask(void)
{
	static const char question[] = "GET / HTTP/1.0\r\n\r\n";
	int fd = make_socket(SOCK_STREAM, 0);
	char answer[4096];
	ssize_t len;

	if (connect(fd, &addr.sa, addr_len) ||
	    write(fd, question, sizeof(question) - 1) != sizeof(question) - 1)
		return fail();
	while ((len = read(fd, answer, sizeof(answer))) > 0)
		fwrite(answer, 1, len, stdout);
	return len < 0 ? fail() : 0;
}

static int send_datagram(int protocol)
{
	int fd = make_socket(SOCK_DGRAM, protocol);

	if (sendto(fd, "secret", 6, 0, &addr.sa, addr_len) != 6)
		return fail();
	puts("sent");
	return 0;
}

static int send_udp(void)
{
	return send_datagram(IPPROTO_UDP);
}

static int send_udplite(void)
{
	return send_datagram(IPPROTO_UDPLITE);
}

static int take_connection(void)
{
	int fd = make_socket(SOCK_STREAM, 0), one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, &addr.sa, addr_len) || listen(fd, 1))
		return fail();
	puts("ready");
	fflush(stdout);
	if (accept(fd, NULL, NULL) < 0)
		return fail();
	puts("accepted");
	return 0;
}

static void *ask_in_thread(void *result)
{
	*(int *)result = ask();
	return NULL;
}

static int in_thread(void)
{
	pthread_t thread;
	int result = 1;

	if (pthread_create(&thread, NULL, ask_in_thread, &result) || pthread_join(thread, NULL))
		errx(1, "thread");
	return result;
}

static int as_daemon(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid)
		return 0;
	setsid();
	pid = fork();
	if (pid)
		_exit(pid < 0);
	sleep(1);
	return ask();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} ways[] = {
		{ "here", ask }, { "thread", in_thread }, { "daemon", as_daemon },
		{ "udp", send_udp }, { "udplite", send_udplite }, { "server", take_connection },
	};
	size_t i;

	if (argc != 4)
		errx(1, "client HOW ADDRESS PORT");
	read_address(argv[2], atoi(argv[3]));
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, argv[1]))
			return ways[i].run();
	errx(1, "%s?", argv[1]);
}
