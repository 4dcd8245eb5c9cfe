/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hosts left and right, their SAs, their sockets, and what they are told of
 * these: for helpers/fault.c, turmoil.c and fuzz/kernel. The policies are those of lib.sh
 * for esp-gcm over IPv4.
 */
#ifndef HOSTS_H
#define HOSTS_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipsec.h>
#include <linux/pfkeyv2.h>
#include <linux/xfrm.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"

#define PORT		7000
#define PATIENCE	20000		/* milliseconds */
#define CONFUSED	(-EBADMSG)	/* an answer that is not true */

enum { LEFT, RIGHT };

static const char * const addresses[] = { "10.0.0.1", "10.0.0.2" };
static int netns[2];

static struct ipsec *ipsec[2];

static inline void hosts_open(void)
{
	netns[LEFT] = open("/run/netns/left", O_RDONLY | O_CLOEXEC);
	netns[RIGHT] = open("/run/netns/right", O_RDONLY | O_CLOEXEC);
	if (netns[LEFT] < 0 || netns[RIGHT] < 0)
		err(1, "/run/netns");
}

static inline void enter(int host)
{
	if (setns(netns[host], CLONE_NEWNET))
		err(1, "setns");
}

/* SAs of another selector never share a context: there are many that fit. */
static unsigned int selector;
static uint32_t spi = 0x10000;

static inline void xfrm_talk(struct mnl_socket *nl, struct nlmsghdr *nlh, const char *what)
{
	_Alignas(8) char answer[4096] = "";
	const struct nlmsgerr *error = mnl_nlmsg_get_payload((struct nlmsghdr *)answer);

	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ||
	    mnl_socket_recvfrom(nl, answer, sizeof(answer)) < 0)
		err(1, "%s", what);
	if (error->error && error->error != -ESRCH)
		errx(1, "%s: %s", what, strerror(-error->error));
}

static inline struct mnl_socket *xfrm_open(int host)
{
	struct mnl_socket *nl;

	enter(host);
	nl = mnl_socket_open(NETLINK_XFRM);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "xfrm");
	return nl;
}

static inline void sa_add(struct mnl_socket *nl, int from)
{
	_Alignas(8) char buffer[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct xfrm_usersa_info *sa = mnl_nlmsg_put_extra_header(nlh, sizeof(*sa));
	struct {
		struct xfrm_algo_aead head;
		char key[20];
	} gcm = {};

	nlh->nlmsg_type = XFRM_MSG_NEWSA;
	sa->family = AF_INET;
	sa->saddr.a4 = inet_addr(addresses[from]);
	sa->id.daddr.a4 = inet_addr(addresses[!from]);
	sa->id.spi = htonl(spi + from);
	sa->id.proto = IPPROTO_ESP;
	sa->mode = XFRM_MODE_TRANSPORT;
	sa->reqid = 1;
	sa->replay_window = 32;
	sa->lft.soft_byte_limit = XFRM_INF;
	sa->lft.hard_byte_limit = XFRM_INF;
	sa->lft.soft_packet_limit = XFRM_INF;
	sa->lft.hard_packet_limit = XFRM_INF;
	sa->sel.family = AF_INET;
	sa->sel.saddr.a4 = inet_addr("10.0.0.0");
	sa->sel.daddr.a4 = inet_addr("10.0.0.0");
	sa->sel.prefixlen_s = 8 + selector % 20;
	sa->sel.prefixlen_d = 8 + selector / 20 % 20;

	strcpy(gcm.head.alg_name, "rfc4106(gcm(aes))");
	gcm.head.alg_key_len = 8 * sizeof(gcm.key);
	gcm.head.alg_icv_len = 128;
	memset(gcm.key, spi + from, sizeof(gcm.key));
	mnl_attr_put(nlh, XFRMA_ALG_AEAD, sizeof(gcm.head) + sizeof(gcm.key), &gcm);
	xfrm_talk(nl, nlh, "XFRM_MSG_NEWSA");
}

static inline void sas_flush(void)
{
	_Alignas(8) char buffer[128];
	struct xfrm_usersa_flush *flush;
	struct mnl_socket *nl;
	struct nlmsghdr *nlh;
	int host;

	for (host = LEFT; host <= RIGHT; host++) {
		nl = xfrm_open(host);
		nlh = mnl_nlmsg_put_header(buffer);
		nlh->nlmsg_type = XFRM_MSG_FLUSHSA;
		flush = mnl_nlmsg_put_extra_header(nlh, sizeof(*flush));
		flush->proto = IPSEC_PROTO_ANY;
		xfrm_talk(nl, nlh, "XFRM_MSG_FLUSHSA");
		mnl_socket_close(nl);
	}
}

/* A pair of SAs at both hosts. */
static inline void pair_add(void)
{
	struct mnl_socket *nl;
	int host;

	for (host = LEFT; host <= RIGHT; host++) {
		nl = xfrm_open(host);
		sa_add(nl, LEFT);
		sa_add(nl, RIGHT);
		mnl_socket_close(nl);
	}
}

/* The pair whose SPIs are counted from @of. */
static inline void pair_delete(uint32_t of)
{
	_Alignas(8) char buffer[128];
	struct xfrm_usersa_id *id;
	struct mnl_socket *nl;
	struct nlmsghdr *nlh;
	int i;

	for (i = 0; i < 4; i++) {
		nl = xfrm_open(i / 2);
		nlh = mnl_nlmsg_put_header(buffer);
		nlh->nlmsg_type = XFRM_MSG_DELSA;
		id = mnl_nlmsg_put_extra_header(nlh, sizeof(*id));
		id->daddr.a4 = inet_addr(addresses[!(i % 2)]);
		id->spi = htonl(of + i % 2);
		id->family = AF_INET;
		id->proto = IPPROTO_ESP;
		xfrm_talk(nl, nlh, "XFRM_MSG_DELSA");
		mnl_socket_close(nl);
	}
}

/* Others of the same kind take the place of the SAs. */
static inline void sas_renew(void)
{
	sas_flush();
	spi += 0x10;
	pair_add();
}

/* Others of a kind that there has not been take the place of the SAs. */
static inline void sas_fresh(void)
{
	selector++;
	sas_renew();
}

/* Name the SAs whose SPIs are counted from @of, in a request. */
static inline void put_pair(struct nlmsghdr *nlh, uint32_t of)
{
	struct nlattr *nest;
	in_addr_t to;
	int from;

	for (from = LEFT; from <= RIGHT; from++) {
		to = inet_addr(addresses[!from]);
		nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);
		mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, sizeof(to), &to);
		mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(of + from));
		mnl_attr_nest_end(nlh, nest);
	}
}

/* ------------------------------------------------------------------- traffic */

/* What was told during a try. It must be true. */
static ipsec_ptoken_t told[2];
static int told_by[2], told_count;

/* Of what is protected. Return: 0; an error; CONFUSED if it is said to be in clear. */
static inline int judge(int host, int ret, ipsec_ptoken_t ptoken)
{
	if (ret)
		return ret;
	if (ptoken == IPSEC_PTOKEN_UNKNOWN)
		return -ENODATA;
	if (ptoken == IPSEC_PTOKEN_NONE)
		return CONFUSED;
	told_by[told_count] = host;
	told[told_count++] = ptoken;
	return 0;
}

static inline bool told_is_true(void)
{
	int i;

	for (i = 0; i < told_count; i++) {
		enter(told_by[i]);
		if (ipsec_ptoken_privacy_protected(ipsec[told_by[i]], told[i]) != 1 ||
		    ipsec_ptoken_integrity_protected(ipsec[told_by[i]], told[i]) != 1)
			return false;
	}
	return true;
}

static inline struct sockaddr_in address(int host)
{
	return (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = inet_addr(addresses[host]),
	};
}

static inline int socket_of(int host, int type)
{
	struct timeval timeout = { .tv_sec = PATIENCE / 1000 };
	struct linger abort = { .l_onoff = 1 };
	int fd, one = 1;

	enter(host);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)))
		err(1, "socket");
	return fd;
}

static int client = -1, server = -1;		/* of datagrams, at left and at right */
static int connection[2] = { -1, -1 };

static inline void be_receiving(void)
{
	struct sockaddr_in to = address(RIGHT);
	int ret;

	if (server >= 0)
		return;
	client = socket_of(LEFT, SOCK_DGRAM);
	server = socket_of(RIGHT, SOCK_DGRAM);
	if (bind(server, (struct sockaddr *)&to, sizeof(to)) ||
	    connect(client, (struct sockaddr *)&to, sizeof(to)))
		err(1, "datagram sockets");
	ret = ipsec_recvptoken_set(server, true);
	if (ret)
		errx(1, "opt-in: %s", strerror(-ret));
}

static inline int receive(void)
{
	char control[IPSEC_PTOKEN_CMSG_SPACE], data[16];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_NONE;
	int ret;

	if (send(client, "x", 1, 0) != 1)
		return -errno;
	if (recvmsg(server, &msg, 0) != 1)
		return -errno;
	ret = ipsec_ptoken_from_msg(&msg, &ptoken);
	return judge(RIGHT, ret, ptoken);
}

static inline void connection_close(void)
{
	int host;

	for (host = LEFT; host <= RIGHT; host++) {
		if (connection[host] >= 0)
			close(connection[host]);
		connection[host] = -1;
	}
}

static inline int connection_open(void)
{
	struct sockaddr_in to = address(RIGHT);
	int listener = socket_of(RIGHT, SOCK_STREAM), ret = 0;

	connection[LEFT] = socket_of(LEFT, SOCK_STREAM);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1) ||
	    connect(connection[LEFT], (struct sockaddr *)&to, sizeof(to)))
		ret = -errno;
	else
		connection[RIGHT] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!ret && connection[RIGHT] < 0)
		ret = -errno;
	close(listener);
	return ret;
}

static inline int connection_tokens(void)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_NONE;
	int host, ret, first = 0;

	for (host = LEFT; host <= RIGHT; host++) {
		ret = ipsec_ptoken_from_fd(connection[host], &ptoken);
		ret = judge(host, ret, ptoken);
		if (ret == CONFUSED)
			return ret;
		first = first ?: ret;
	}
	return first;
}

static inline int connection_works(void)
{
	char data;

	if (send(connection[LEFT], "x", 1, MSG_NOSIGNAL) != 1 ||
	    recv(connection[RIGHT], &data, 1, 0) != 1)
		return -errno;
	return 0;
}

static inline void sockets_close(void)
{
	connection_close();
	if (server >= 0) {
		close(client);
		close(server);
	}
	server = -1;
}

#endif /* HOSTS_H */
