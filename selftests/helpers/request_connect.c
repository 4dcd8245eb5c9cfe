// SPDX-License-Identifier: GPL-2.0
/*
 * usage: request_connect [-u] [-w WORDS] [-m METHODS] [-i ID] [-t ID-TYPE] [-c CA]
 *		[-d DN] [-T MS] [-U UID] ADDRESS PORT
 *	request_connect -l [-u] ADDRESS PORT
 *
 * Connect under a request, have a line come back, and print a line of what came of
 * it:
 *
 *	ok REASON MS TEXT
 *	ERRNO REASON MS TEXT
 *
 * or be the one at the other end that sends it back. A datagram that is lost is sent
 * again, until the request's time is over.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <ipsec/token.h>

static const char line[] = "a line that nobody else may read\n";

static bool datagrams;
static uint32_t patience = 20000;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static socklen_t address_read(const char *text, const char *port, struct sockaddr_storage *addr)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)addr;

	memset(addr, 0, sizeof(*addr));
	addr->ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	/* the ports are at the same place */
	v4->sin_port = htons(atoi(port));
	if (inet_pton(addr->ss_family, text, addr->ss_family == AF_INET ?
		      (void *)&v4->sin_addr : (void *)&v6->sin6_addr) != 1)
		exit(2);
	return addr->ss_family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

/* -------------------------------------------------------------------- other end */

static void echo_stream(int fd)
{
	char buf[256];
	ssize_t len = read(fd, buf, sizeof(buf));

	if (len > 0 && write(fd, buf, len) < 0)
		len = -1;
	close(fd);
}

static void echo_datagram(int fd)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	char buf[256];
	ssize_t len;

	len = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &size);
	if (len > 0)
		sendto(fd, buf, len, 0, (struct sockaddr *)&from, size);
}

static void serve(const struct sockaddr_storage *addr, socklen_t size)
{
	int fd = socket(addr->ss_family, datagrams ? SOCK_DGRAM : SOCK_STREAM, 0);
	int on = 1, peer;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)addr, size) || (!datagrams && listen(fd, 1024)))
		die("bind");
	for (;;) {
		if (datagrams) {
			echo_datagram(fd);
			continue;
		}
		peer = accept(fd, NULL, NULL);
		if (peer >= 0 && !fork()) {
			echo_stream(peer);
			exit(EXIT_SUCCESS);
		}
		close(peer);
	}
}

/* ---------------------------------------------------------------------- this end */

static bool comes_back(int fd, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char buf[256];

	if (poll(&poll_fd, 1, ms) != 1) {
		errno = ETIMEDOUT;
		return false;
	}
	return recv(fd, buf, sizeof(buf), 0) == sizeof(line) && !memcmp(buf, line, sizeof(line));
}

static bool exchange(int fd)
{
	int64_t end = now_ms() + patience + 2000;

	do {
		if (send(fd, line, sizeof(line), MSG_NOSIGNAL) < 0)
			return false;
		if (comes_back(fd, datagrams ? 300 : 30000))
			return true;
		if (errno != ETIMEDOUT)
			return false;
	} while (datagrams && now_ms() < end);
	return false;
}

static const char *errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "?";
}

static void go(const struct ipsec_request *request, const struct sockaddr_storage *addr,
	       socklen_t size)
{
	int fd = socket(addr->ss_family, datagrams ? SOCK_DGRAM : SOCK_STREAM, 0), err;
	struct ipsec_request_status status;
	int64_t begin = now_ms();
	bool good;

	err = ipsec_request_apply(request, fd);
	if (err) {
		printf("%s applying\n", errno_name(-err));
		return;
	}
	good = !connect(fd, (const struct sockaddr *)addr, size) && exchange(fd);
	err = errno;
	if (ipsec_request_status(fd, &status))
		die("status");
	printf("%s %u %lld %s\n", good ? "ok" : errno_name(err), status.reason,
	       (long long)(now_ms() - begin), status.text);
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(2);
}

int main(int argc, char **argv)
{
	struct sockaddr_storage addr;
	struct ipsec_request *request;
	bool listener = false;
	socklen_t size;
	int option;

	must(ipsec_request_new(&request), "request");
	while ((option = getopt(argc, argv, "luw:m:i:t:c:d:T:U:")) != -1) {
		switch (option) {
		case 'l':
			listener = true;
			break;
		case 'u':
			datagrams = true;
			break;
		case 'w':
			must(ipsec_request_set_words(request, optarg), optarg);
			break;
		case 'm':
			must(ipsec_request_set_methods(request, strtoul(optarg, NULL, 0)),
			     optarg);
			break;
		case 'i':
			must(ipsec_request_set_peer(request, IPSEC_IDENTITY_A_IKE_ID, optarg),
			     optarg);
			break;
		case 't':
			must(ipsec_request_set_ike_id_type(request, atoi(optarg)), optarg);
			break;
		case 'c':
			must(ipsec_request_set_peer(request, IPSEC_IDENTITY_A_CA_DN, optarg),
			     optarg);
			break;
		case 'd':
			must(ipsec_request_set_peer(request, IPSEC_IDENTITY_A_CERTIFICATE_DN,
						    optarg), optarg);
			break;
		case 'T':
			patience = strtoul(optarg, NULL, 0);
			break;
		case 'U':
			if (setuid(atoi(optarg)))
				die("setuid");
			break;
		default:
			return 2;
		}
	}
	if (optind + 2 != argc)
		return 2;
	must(ipsec_request_set_timeout(request, patience), "timeout");
	size = address_read(argv[optind], argv[optind + 1], &addr);
	if (listener)
		serve(&addr, size);
	else
		go(request, &addr, size);
	ipsec_request_free(request);
	return 0;
}
