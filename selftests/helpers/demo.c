// SPDX-License-Identifier: GPL-2.0-only
/*
 * demo serve ADDRESS PORT
 * demo tcp|udp SOURCE ADDRESS PORT
 *
 * The two ends of a talk, for demo.sh and others. The server answers each line that comes
 * over TCP, and each datagram, with the same line and what it was told of its
 * protection. The client does what it reads from standard input:
 *
 *	ask	send a line, wait for the answer, print what this end was told,
 *		then what the other end was told
 *	run	do that over and over until the next command, then print how
 *		often, how many answers were missing, and how often either end
 *		was told of another token than before
 *
 * What an end was told has the form
 *
 *	token|privacy|integrity|compression|tunnel|end to end|audit string
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <ipsec/token.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 5
#define LINE_SIZE 2048

static struct ipsec *ipsec;

/* What the library says of a token; @ret is how it was come by. */
static void tell(int ret, ipsec_ptoken_t ptoken, char *text, size_t size)
{
	struct ipsec_ptoken_attributes a;
	char number[24] = "0", audit[1024];

	if (!ret)
		ret = ipsec_ptoken_attributes(ipsec, ptoken, &a, sizeof(a));
	if (!ret)
		ret = ipsec_ptoken_audit_string(ipsec, ptoken, audit, sizeof(audit));
	if (ret < 0) {
		snprintf(text, size, "%s||||||", ipsec_strerror(ret));
		return;
	}
	if (ptoken != IPSEC_PTOKEN_NONE)
		snprintf(number, sizeof(number), "0x%016" PRIx64, ptoken);
	snprintf(text, size, "%s|%s|%s|%s|%s|%s|%s", number,
		 a.privacy_protected ? "yes" : "no",
		 a.integrity_protected ? "yes" : "no",
		 a.compression_available ? "yes" : "no",
		 a.tunnel_mode ? "yes" : "no",
		 a.end_to_end ? "yes" : "no", audit);
}

/**
 * receive() - read a datagram with its token
 * @fd: socket
 * @data: for the datagram, ends in a zero byte
 * @size: of @data
 * @from: for the address of the sender, or NULL
 * @told: for what its token stands for, LINE_SIZE bytes
 *
 * Return: length, or -1 with errno.
 */
static ssize_t receive(int fd, char *data, size_t size, struct sockaddr_storage *from, char *told)
{
	union {
		char buf[IPSEC_PTOKEN_CMSG_SPACE];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = size - 1 };
	struct msghdr msg = {
		.msg_name = from, .msg_namelen = from ? sizeof(*from) : 0,
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	ipsec_ptoken_t ptoken;
	ssize_t len;
	int ret;

	len = recvmsg(fd, &msg, 0);
	if (len < 0)
		return len;
	data[len] = '\0';
	ret = ipsec_ptoken_from_msg(&msg, &ptoken);
	tell(ret, ptoken, told, LINE_SIZE);
	return len;
}

static struct sockaddr_storage numeric(const char *address, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct sockaddr_storage addr = {};
	struct addrinfo *info;
	int ret;

	ret = getaddrinfo(address, port, &hints, &info);
	if (ret)
		errx(1, "%s port %s: %s", address, port, gai_strerror(ret));
	memcpy(&addr, info->ai_addr, info->ai_addrlen);
	freeaddrinfo(info);
	return addr;
}

/* ----------------------------------------------------------------- server */

/* All threads of a process share its tokens. */
static void *serve_connection(void *data)
{
	FILE *stream = data;
	char line[LINE_SIZE], told[LINE_SIZE];
	ipsec_ptoken_t ptoken;
	int ret;

	while (fgets(line, sizeof(line), stream)) {
		line[strcspn(line, "\n")] = '\0';
		ret = ipsec_ptoken_from_fd(fileno(stream), &ptoken);
		tell(ret, ptoken, told, sizeof(told));
		if (dprintf(fileno(stream), "%s|%s\n", line, told) < 0)
			break;
	}
	fclose(stream);
	return NULL;
}

static void *serve_connections(void *data)
{
	int listener = *(int *)data;
	pthread_t thread;
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		FILE *stream = fdopen(fd, "r");

		if (!stream || pthread_create(&thread, NULL, serve_connection, stream) ||
		    pthread_detach(thread))
			errx(1, "out of memory");
	}
	err(1, "accept");
}

static void serve_datagrams(int fd)
{
	char line[LINE_SIZE], told[LINE_SIZE], answer[2 * LINE_SIZE];
	struct sockaddr_storage from;
	int len;

	for (;;) {
		if (receive(fd, line, sizeof(line), &from, told) < 0)
			err(1, "receive");
		len = snprintf(answer, sizeof(answer), "%s|%s", line, told);
		if (sendto(fd, answer, len, 0, (struct sockaddr *)&from, sizeof(from)) < 0)
			warn("send");
	}
}

static int serve(const char *address, const char *port)
{
	struct sockaddr_storage addr = numeric(address, port);
	pthread_t thread;
	int tcp, udp;

	tcp = socket(addr.ss_family, SOCK_STREAM, 0);
	udp = socket(addr.ss_family, SOCK_DGRAM, 0);
	if (tcp < 0 || udp < 0 ||
	    bind(tcp, (struct sockaddr *)&addr, sizeof(addr)) || listen(tcp, 16) ||
	    bind(udp, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "%s port %s", address, port);
	if (ipsec_recvptoken_set(udp, true) < 0)
		errx(1, "no tokens with datagrams");
	puts("ready");
	fflush(stdout);

	if (pthread_create(&thread, NULL, serve_connections, &tcp))
		errx(1, "out of memory");
	serve_datagrams(udp);
	return 0;
}

/* ----------------------------------------------------------------- client */

struct client {
	int fd;
	FILE *stream;		/* to read from; NULL: datagrams */
	char here[LINE_SIZE];	/* what this end was told last */
	char there[LINE_SIZE];	/* what the other end was told */
};

static void client_open(struct client *client, const char *type, const char *source,
			const char *address, const char *port)
{
	struct sockaddr_storage from = numeric(source, "0"), to = numeric(address, port);
	struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
	bool tcp = !strcmp(type, "tcp");

	client->fd = socket(from.ss_family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (client->fd < 0 ||
	    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    bind(client->fd, (struct sockaddr *)&from, sizeof(from)))
		err(1, "%s", source);
	if (!tcp && ipsec_recvptoken_set(client->fd, true) < 0)
		errx(1, "no tokens with datagrams");
	if (connect(client->fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "%s port %s", address, port);
	client->stream = tcp ? fdopen(client->fd, "r") : NULL;
}

/* Return: whether an answer came. */
static bool exchange(struct client *client)
{
	static const char hello[] = "hello";
	char answer[2 * LINE_SIZE];
	ipsec_ptoken_t ptoken;
	int ret;

	if (client->stream) {
		if (dprintf(client->fd, "%s\n", hello) < 0 ||
		    !fgets(answer, sizeof(answer), client->stream))
			return false;
		answer[strcspn(answer, "\n")] = '\0';
		ret = ipsec_ptoken_from_fd(client->fd, &ptoken);
		tell(ret, ptoken, client->here, sizeof(client->here));
	} else if (send(client->fd, hello, strlen(hello), 0) < 0 ||
		   receive(client->fd, answer, sizeof(answer), NULL, client->here) < 0) {
		return false;
	}
	/* it is an echo, and more */
	if (strncmp(answer, "hello|", 6))
		errx(1, "strange answer: %s", answer);
	snprintf(client->there, sizeof(client->there), "%.*s", LINE_SIZE - 1, answer + 6);
	return true;
}

static bool same_token(const char *a, const char *b)
{
	size_t len = strcspn(a, "|");

	return len == strcspn(b, "|") && !memcmp(a, b, len);
}

static void run(struct client *client)
{
	struct pollfd command = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned int count = 0, missing = 0, changes = 0;
	char here[LINE_SIZE] = "", there[LINE_SIZE] = "";

	do {
		if (!exchange(client)) {
			missing++;
			continue;
		}
		if (count++)
			changes += !same_token(here, client->here) ||
				   !same_token(there, client->there);
		strcpy(here, client->here);
		strcpy(there, client->there);
	} while (!poll(&command, 1, 0));
	printf("%u|%u|%u\n", count, missing, changes);
}

int main(int argc, char **argv)
{
	struct client client;
	char command[16];
	int ret;

	ret = ipsec_open(&ipsec);
	if (ret < 0)
		errx(1, "%s", ipsec_strerror(ret));
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc != 5)
		errx(2, "usage: demo serve ADDRESS PORT | demo tcp|udp SOURCE ADDRESS PORT");

	client_open(&client, argv[1], argv[2], argv[3], argv[4]);
	/* not by stdio, which would hide from poll() what it has read ahead */
	while ((ret = read(STDIN_FILENO, command, sizeof(command))) > 0) {
		if (command[0] == 'r')
			run(&client);
		else if (exchange(&client))
			printf("%s\n%s\n", client.here, client.there);
		else
			printf("no answer\nno answer\n");
		fflush(stdout);
	}
	ipsec_close(ipsec);
	return 0;
}
