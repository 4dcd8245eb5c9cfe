// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: identity_time COUNT
 *
 * How long it takes from a new outbound SA of the host left, which a keying
 * daemon adds last of a pair, until an application there knows who is behind
 * the pair: one line of microseconds for each of COUNT pairs, after a line
 * "ready". Datagrams from the host right come under that pair, since there is
 * to be no other one.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/xfrm.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/internal.h"

#define PORT	7777
#define WAIT_MS	60000

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void enter(const char *netns)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", netns);
	close(fd);
}

static struct mnl_socket *xfrm_open(void)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_XFRM);
	int group = XFRMNLGRP_SA;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		err(1, "xfrm");
	return nl;
}

/* The inbound SA of a pair is updated, since it was given its SPI before. */
static int64_t wait_for_pair(struct mnl_socket *nl)
{
	_Alignas(8) char buf[8192];
	const struct nlmsghdr *nlh = (void *)buf;
	ssize_t len;

	do {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			err(1, "xfrm");
	} while (nlh->nlmsg_type != XFRM_MSG_NEWSA);
	return now_us();
}

static ipsec_ptoken_t receive(int fd)
{
	char control[IPSEC_PTOKEN_CMSG_SPACE], data[16];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ipsec_ptoken_t ptoken;

	if (recvmsg(fd, &msg, 0) < 0 || ipsec_ptoken_from_msg(&msg, &ptoken))
		return IPSEC_PTOKEN_UNKNOWN;
	return ptoken;
}

/* What came too late to be waited for, under a pair that is no more. */
static void discard(int fd)
{
	while (recv(fd, NULL, 0, MSG_DONTWAIT) >= 0)
		;
}

/* Datagrams may still come in clear. */
static int64_t wait_for_identity(struct ipsec *ipsec, int from, int to,
				 const struct sockaddr_in *left)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_NONE;
	struct ipsec_itoken *itoken;
	int ret;

	discard(to);
	while (ptoken == IPSEC_PTOKEN_NONE || ptoken == IPSEC_PTOKEN_UNKNOWN) {
		if (sendto(from, "", 1, 0, (const struct sockaddr *)left, sizeof(*left)) != 1 &&
		    errno != EAGAIN && errno != ENOBUFS)
			err(1, "sendto");
		ptoken = receive(to);
	}
	ret = ipsec_ptoken_itoken_wait(ipsec, ptoken, WAIT_MS, &itoken);
	if (ret)
		errx(1, "no identity: %s", ipsec_strerror(ret));
	ipsec_itoken_free(itoken);
	return now_us();
}

int main(int argc, char **argv)
{
	struct sockaddr_in left = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct timeval short_while = { .tv_usec = 2000 };
	struct mnl_socket *xfrm;
	struct ipsec *ipsec;
	int64_t began;
	int count, from, to;

	if (argc != 2)
		errx(2, "usage: identity_time COUNT");
	inet_pton(AF_INET, "10.0.0.1", &left.sin_addr);
	enter("/run/netns/right");
	from = socket(AF_INET, SOCK_DGRAM, 0);
	enter("/run/netns/left");
	to = socket(AF_INET, SOCK_DGRAM, 0);
	if (from < 0 || to < 0 || bind(to, (struct sockaddr *)&left, sizeof(left)) ||
	    setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &short_while, sizeof(short_while)) ||
	    ipsec_recvptoken_set(to, true))
		err(1, "sockets");
	if (ipsec_open(&ipsec))
		errx(1, "no module");
	xfrm = xfrm_open();

	puts("ready");
	fflush(stdout);
	for (count = atoi(argv[1]); count > 0; count--) {
		began = wait_for_pair(xfrm);
		printf("%lld\n", (long long)(wait_for_identity(ipsec, from, to, &left) - began));
		fflush(stdout);
	}
	return 0;
}
