// SPDX-License-Identifier: GPL-2.0-only
/*
 * inetd HOW ADDRESS PORT PROGRAM [ARGUMENT...] - start a server for one
 * connection, as others do
 *
 * HOW is what the server gets:
 *	inetd		the connection as descriptors 0, 1 and 2
 *	stdio		the connection as 0 and 1 only
 *	systemd		the connection as descriptor 3, and variables that say so
 *	stranger	the same, but they say so to another process
 *	two		the same, and say that there are two
 *	listener	the listening socket as descriptor 0
 *
 * Prints "ready" once there is a listener, and ends as the program does. The
 * environment has been tampered with: variables are forged, are there twice, and
 * have no value.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener(const char *address, int port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd, failed;

	if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		failed = bind(fd, (struct sockaddr *)&in, sizeof(in));
	} else {
		if (inet_pton(AF_INET6, address, &in6.sin6_addr) != 1)
			errx(1, "%s is no address", address);
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		failed = bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	}
	if (failed || listen(fd, 1))
		err(1, "%s port %d", address, port);
	return fd;
}

/* setenv() would not do the like of it. */
static char **forged_environment(void)
{
	static char *forged[] = {
		"IPSEC_FORGED", "IPSEC_PRIVACY=forged", "IPSEC_PRIVACY=forged twice",
		"IPSEC_INTEGRITY=1", "IPSEC_PEER_ID=forged", "IPSEC_CERTIFICATE_DN=CN=forged",
		"IPSEC_LATER=of a later version", "IPSEC_=", "IPSEC_METHOD=PKIX_TRUSTED",
	};
	const size_t extra = sizeof(forged) / sizeof(forged[0]);
	size_t count = 0;
	char **copy;

	while (environ[count])
		count++;
	copy = calloc(count + extra + 1, sizeof(*copy));
	if (!copy)
		err(1, "environment");
	/* some of them first, some last */
	memcpy(copy, forged, 4 * sizeof(*copy));
	memcpy(copy + 4, environ, count * sizeof(*copy));
	memcpy(copy + 4 + count, forged + 4, (extra - 4) * sizeof(*copy));
	return copy;
}

static void put(int from, int to)
{
	if (dup2(from, to) != to)
		err(1, "descriptor %d", to);
}

int main(int argc, char **argv)
{
	int from, fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char pid[16];

	if (argc < 5)
		errx(1, "inetd HOW ADDRESS PORT PROGRAM [ARGUMENT...]");
	from = listener(argv[2], atoi(argv[3]));
	puts("ready");
	fflush(stdout);
	fd = accept4(from, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		err(1, "accept");

	/* out of the way of where it goes */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	from = fcntl(from, F_DUPFD_CLOEXEC, 10);
	put(null, 0);
	if (!strcmp(argv[1], "listener")) {
		put(from, 0);
	} else if (!strcmp(argv[1], "inetd") || !strcmp(argv[1], "stdio")) {
		put(fd, 0);
		put(fd, 1);
		if (!strcmp(argv[1], "inetd"))
			put(fd, 2);
	} else {
		put(fd, 3);
		snprintf(pid, sizeof(pid), "%d", getpid() + !strcmp(argv[1], "stranger"));
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", strcmp(argv[1], "two") ? "1" : "2", 1);
	}
	environ = forged_environment();
	execvp(argv[4], argv + 4);
	err(1, "%s", argv[4]);
}
