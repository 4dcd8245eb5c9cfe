// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A TCP server that tells every client how the connection is protected, and
 * serves only those whose connection is private.
 *
 * Usage: tcp-server PORT
 */
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ipsec/token.h>

static void serve(struct ipsec *ipsec, int fd)
{
	char audit[512] = "";
	ipsec_ptoken_t ptoken;
	int ret;

	ret = ipsec_ptoken_from_fd(fd, &ptoken);
	if (ret == 0)
		ret = ipsec_ptoken_audit_string(ipsec, ptoken, audit, sizeof(audit));
	if (ret >= 0)
		ret = ipsec_ptoken_privacy_protected(ipsec, ptoken);

	/* an error is not an answer, so ask for 1 */
	if (ret == 1)
		dprintf(fd, "welcome: %s\n", audit);
	else if (ret == 0)
		dprintf(fd, "not private: %s\n", audit);
	else
		dprintf(fd, "sorry: %s\n", ipsec_strerror(ret));
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 };
	struct ipsec *ipsec;
	int listener, fd, ret;

	if (argc != 2)
		errx(2, "usage: tcp-server PORT");
	ret = ipsec_open(&ipsec);
	if (ret < 0)
		errx(1, "%s", ipsec_strerror(ret));

	addr.sin6_port = htons(atoi(argv[1]));
	listener = socket(AF_INET6, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 16))
		err(1, "port %s", argv[1]);

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		serve(ipsec, fd);
		close(fd);
	}
	err(1, "accept");
}
