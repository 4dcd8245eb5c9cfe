// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A UDP server that answers every datagram with a line on how that datagram
 * was protected.
 *
 * Usage: udp-server PORT
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ipsec/token.h>

static void answer(struct ipsec *ipsec, int fd, const struct msghdr *msg)
{
	char audit[512] = "";
	ipsec_ptoken_t ptoken;
	const char *text = audit;
	int ret;

	ret = ipsec_ptoken_from_msg(msg, &ptoken);
	if (ret == 0)
		ret = ipsec_ptoken_audit_string(ipsec, ptoken, audit, sizeof(audit));
	if (ret < 0)
		text = ipsec_strerror(ret);
	if (sendto(fd, text, strlen(text), 0, msg->msg_name, msg->msg_namelen) < 0)
		warn("send");
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6 }, from;
	char data[2048];
	union {
		char buf[IPSEC_PTOKEN_CMSG_SPACE];
		struct cmsghdr align;
	} control;
	struct ipsec *ipsec;
	int fd, ret;

	if (argc != 2)
		errx(2, "usage: udp-server PORT");
	ret = ipsec_open(&ipsec);
	if (ret < 0)
		errx(1, "%s", ipsec_strerror(ret));

	addr.sin6_port = htons(atoi(argv[1]));
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "port %s", argv[1]);
	ret = ipsec_recvptoken_set(fd, true);
	if (ret < 0)
		errx(1, "%s", ipsec_strerror(ret));

	for (;;) {
		struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
		struct msghdr msg = {
			.msg_name = &from, .msg_namelen = sizeof(from),
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
		};

		if (recvmsg(fd, &msg, 0) >= 0)
			answer(ipsec, fd, &msg);
		else if (errno != EINTR)
			err(1, "receive");
	}
}
