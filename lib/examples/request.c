// SPDX-License-Identifier: LGPL-2.1-or-later
/* Connect to a certain peer, privately, or not at all. */
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <ipsec/token.h>

/* On an unconnected socket. Return: 0, or a negative errno value. */
static int require(int fd, const char *peer)
{
	struct ipsec_request *request;
	int ret = ipsec_request_new(&request);

	if (ret == 0)
		ret = ipsec_request_set_words(request, "privacy,integrity");
	if (ret == 0)
		ret = ipsec_request_set_peer(request, IPSEC_IDENTITY_A_CERTIFICATE_DN, peer);
	if (ret == 0)
		ret = ipsec_request_apply(request, fd);
	ipsec_request_free(request);
	return ret;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *address;
	struct ipsec_request_status status;
	int fd, ret;

	if (argc != 4)
		errx(2, "usage: request HOST PORT CERTIFICATE-DN");
	ret = getaddrinfo(argv[1], argv[2], &hints, &address);
	if (ret)
		errx(1, "%s: %s", argv[1], gai_strerror(ret));
	fd = socket(address->ai_family, address->ai_socktype, 0);
	if (fd < 0)
		err(1, "socket");
	ret = require(fd, argv[3]);
	if (ret < 0)
		errx(1, "%s", ipsec_strerror(ret));
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		ret = errno;
		if (ipsec_request_status(fd, &status) == 0 && status.reason)
			warnx("%s", *status.text ? status.text :
			      ipsec_request_reason_text(status.reason));
		errx(1, "connect: %s", strerror(ret));
	}
	puts("connected, and with nobody else");
	freeaddrinfo(address);
	close(fd);
	return 0;
}
