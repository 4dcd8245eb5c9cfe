// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_calls - instructions that single system calls take, ours side by side
 * with those that they are measured by
 *
 * Between the hosts left and right of lib.sh there must be ESP over IPv4 with
 * SPIs counted from 0x1000 and over IPv6 with SPIs counted from 0x2000.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ipsec/token.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "enter.h"

#define CALLS	64
#define SIZE	64

struct end {
	struct sockaddr_storage address;
	socklen_t length;
};

static int make_socket(const char *address, int port, int type, struct end *end)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&end->address;
	struct sockaddr_in *sin = (struct sockaddr_in *)&end->address;
	int fd, size = 1 << 20;

	memset(end, 0, sizeof(*end));
	if (inet_pton(AF_INET, address, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		end->length = sizeof(*sin);
	} else if (inet_pton(AF_INET6, address, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		end->length = sizeof(*sin6);
	}
	sin->sin_port = htons(port);
	fd = socket(end->address.ss_family, type, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&end->address, end->length) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		err(1, "%s", address);
	return fd;
}

/* ------------------------------------------------------------------ recvmsg */

enum variant { PLAIN, PKTINFO, TOKEN, CONNECTED_PKTINFO, CONNECTED_TOKEN, VARIANTS };

static void set_variant(int fd, int family, enum variant variant)
{
	int one = 1, err;

	if (variant == PLAIN)
		return;
	if (variant == TOKEN || variant == CONNECTED_TOKEN)
		err = ipsec_recvptoken_set(fd, true);
	else if (family == AF_INET)
		err = setsockopt(fd, SOL_IP, IP_PKTINFO, &one, sizeof(one));
	else
		err = setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	if (err)
		errx(1, "socket option of variant %d", variant);
}

/* The datagrams are there before the clock starts. */
static void receive(int tx, const struct end *to, int rx, struct samples *samples)
{
	char data[SIZE] = {}, control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	uint64_t begin;
	int i;

	for (i = 0; i < CALLS; i++)
		if (sendto(tx, data, SIZE, 0, (struct sockaddr *)&to->address, to->length) < 0)
			err(1, "sendto");
	usleep(2000);
	begin = instructions();
	for (i = 0; i < CALLS; i++) {
		msg.msg_controllen = sizeof(control);
		if (recvmsg(rx, &msg, MSG_DONTWAIT) != SIZE)
			err(1, "recvmsg");
	}
	sample(samples, begin, instructions(), CALLS);
}

static void bench_recvmsg(const char *what, const char *from_host, const char *from,
			  const char *address)
{
	struct samples samples[VARIANTS] = {};
	struct end to[VARIANTS], client;
	int rx[VARIANTS], tx, variant, round;
	char text[128];

	enter(from_host);
	tx = make_socket(from, 7000, SOCK_DGRAM, &client);
	enter("right");
	for (variant = 0; variant < VARIANTS; variant++) {
		rx[variant] = make_socket(address, 7001 + variant, SOCK_DGRAM, &to[variant]);
		set_variant(rx[variant], to[variant].address.ss_family, variant);
		if (variant >= CONNECTED_PKTINFO &&
		    connect(rx[variant], (struct sockaddr *)&client.address, client.length))
			err(1, "connect");
	}
	for (round = 0; round < ROUNDS; round++)
		for (variant = 0; variant < VARIANTS; variant++)
			receive(tx, &to[variant], rx[variant], &samples[variant]);

	snprintf(text, sizeof(text), "recvmsg, %s: token / PKTINFO", what);
	row(text, median(&samples[TOKEN]), median(&samples[PKTINFO]), "1.00");
	snprintf(text, sizeof(text), "recvmsg, %s: token / plain", what);
	row(text, median(&samples[TOKEN]), median(&samples[PLAIN]), "-");
	snprintf(text, sizeof(text), "recvmsg, %s, connected: token / PKTINFO", what);
	row(text, median(&samples[CONNECTED_TOKEN]), median(&samples[CONNECTED_PKTINFO]), "-");
	for (variant = 0; variant < VARIANTS; variant++)
		close(rx[variant]);
	close(tx);
}

/* --------------------------------------------------------------- getsockopt */

static int connection(const char *from, const char *address)
{
	struct end to, client;
	int listener, tx, rx;

	enter("right");
	listener = make_socket(address, 7010, SOCK_STREAM, &to);
	listen(listener, 1);
	enter("left");
	tx = make_socket(from, 7011, SOCK_STREAM, &client);
	if (connect(tx, (struct sockaddr *)&to.address, to.length))
		err(1, "connect");
	enter("right");
	rx = accept(listener, NULL, NULL);
	if (rx < 0)
		err(1, "accept");
	close(listener);
	return rx;
}

static void time_option(int fd, int level, int option, struct samples *samples)
{
	uint64_t begin;
	char value[16];
	socklen_t length;
	int i;

	begin = instructions();
	for (i = 0; i < CALLS; i++) {
		length = sizeof(value);
		getsockopt(fd, level, option, value, &length);
	}
	sample(samples, begin, instructions(), CALLS);
}

static ipsec_ptoken_t ptoken_of(int fd)
{
	ipsec_ptoken_t ptoken;

	if (ipsec_ptoken_from_fd(fd, &ptoken) || !ptoken)
		errx(1, "no token");
	return ptoken;
}

static void bench_getsockopt(int v4, int v6)
{
	struct samples token4 = {}, token6 = {}, peercred = {}, unknown = {}, type = {};
	int pair[2], round;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		err(1, "socketpair");
	ptoken_of(v4);
	ptoken_of(v6);
	for (round = 0; round < ROUNDS; round++) {
		time_option(v4, SOL_IP, IPSEC_SO_PTOKEN, &token4);
		time_option(v6, SOL_IPV6, IPSEC_SO_PTOKEN, &token6);
		time_option(pair[0], SOL_SOCKET, SO_PEERCRED, &peercred);
		time_option(v4, SOL_IP, IPSEC_SO_RECVPTOKEN + 1, &unknown);
		time_option(v4, SOL_IP, IP_TOS, &type);
	}
	row("getsockopt, TCP over IPv4: token / SO_PEERCRED", median(&token4), median(&peercred),
	    "1.5");
	row("getsockopt, TCP over IPv6: token / SO_PEERCRED", median(&token6), median(&peercred),
	    "1.5");
	row("getsockopt, an option that netfilter refuses / SO_PEERCRED", median(&unknown),
	    median(&peercred), "-");
	row("getsockopt, IP_TOS / SO_PEERCRED", median(&type), median(&peercred), "-");
	close(pair[0]);
	close(pair[1]);
}

/* ------------------------------------------------------------------ resolve */

struct question {
	struct mnl_socket *nl;
	struct nlmsghdr *nlh;
	char buffer[256] __attribute__((__aligned__(8)));
};

static void question_open(struct question *question, int protocol)
{
	question->nl = mnl_socket_open(protocol);
	if (!question->nl || mnl_socket_bind(question->nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "netlink");
	question->nlh = mnl_nlmsg_put_header(question->buffer);
	question->nlh->nlmsg_flags = NLM_F_REQUEST;
}

static uint16_t ask(struct question *question, void *answer, size_t size)
{
	if (mnl_socket_sendto(question->nl, question->nlh, question->nlh->nlmsg_len) < 0 ||
	    mnl_socket_recvfrom(question->nl, answer, size) < 0)
		err(1, "netlink");
	return ((struct nlmsghdr *)answer)->nlmsg_type;
}

static uint16_t family_id(void)
{
	static char answer[8192] __attribute__((__aligned__(8)));
	struct question question = {};
	struct genlmsghdr *genl;
	const struct nlattr *attr;
	uint16_t id = 0;

	question_open(&question, NETLINK_GENERIC);
	question.nlh->nlmsg_type = GENL_ID_CTRL;
	genl = mnl_nlmsg_put_extra_header(question.nlh, sizeof(*genl));
	genl->cmd = CTRL_CMD_GETFAMILY;
	mnl_attr_put_strz(question.nlh, CTRL_ATTR_FAMILY_NAME, IPSEC_GENL_NAME);
	ask(&question, answer, sizeof(answer));
	mnl_attr_for_each(attr, (struct nlmsghdr *)answer, sizeof(*genl))
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			id = mnl_attr_get_u16(attr);
	mnl_socket_close(question.nl);
	return id;
}

/*
 * Any change makes the library forget what it knows. It notices when it is
 * next asked, here about another token.
 */
static void forget(struct ipsec *ipsec, ipsec_ptoken_t other, struct question *set,
		   struct nlattr *trusted)
{
	char answer[256] __attribute__((__aligned__(8)));
	uint8_t *value = mnl_attr_get_payload(trusted);

	*value = !*value;
	ask(set, answer, sizeof(answer));
	if (ipsec_ptoken_privacy_protected(ipsec, other) != 1)
		errx(1, "not protected");
}

static void bench_resolve(int fd, int other)
{
	struct samples raw = {}, getsa = {}, cold = {}, warm = {};
	struct question token = {}, sa = {}, set = {};
	static char answer[8192] __attribute__((__aligned__(8)));
	ipsec_ptoken_t ptoken = ptoken_of(fd);
	struct xfrm_usersa_id *id;
	struct genlmsghdr *genl;
	struct nlattr *trusted;
	struct ipsec *ipsec;
	uint64_t begin, sum;
	int round, i;

	question_open(&token, NETLINK_GENERIC);
	token.nlh->nlmsg_type = family_id();
	genl = mnl_nlmsg_put_extra_header(token.nlh, sizeof(*genl));
	genl->cmd = IPSEC_CMD_PTOKEN_GET;
	mnl_attr_put_u64(token.nlh, IPSEC_A_PTOKEN, ptoken);

	question_open(&set, NETLINK_GENERIC);
	set.nlh->nlmsg_type = token.nlh->nlmsg_type;
	set.nlh->nlmsg_flags |= NLM_F_ACK;
	genl = mnl_nlmsg_put_extra_header(set.nlh, sizeof(*genl));
	genl->cmd = IPSEC_CMD_ALGORITHM_SET;
	mnl_attr_put_strz(set.nlh, IPSEC_A_ALGORITHM_NAME, "cbc(twofish)");
	trusted = mnl_nlmsg_get_payload_tail(set.nlh);
	mnl_attr_put_u8(set.nlh, IPSEC_A_ALGORITHM_TRUSTED, 1);

	question_open(&sa, NETLINK_XFRM);
	sa.nlh->nlmsg_type = XFRM_MSG_GETSA;
	id = mnl_nlmsg_put_extra_header(sa.nlh, sizeof(*id));
	id->family = AF_INET;
	id->proto = IPPROTO_ESP;
	id->spi = htonl(0x1001);
	inet_pton(AF_INET, "10.0.0.2", &id->daddr);

	if (ipsec_open(&ipsec))
		errx(1, "ipsec_open");
	for (round = 0; round < ROUNDS; round++) {
		begin = instructions();
		for (i = 0; i < CALLS; i++)
			if (ask(&token, answer, sizeof(answer)) == NLMSG_ERROR)
				errx(1, "token refused");
		sample(&raw, begin, instructions(), CALLS);

		begin = instructions();
		for (i = 0; i < CALLS; i++)
			if (ask(&sa, answer, sizeof(answer)) == NLMSG_ERROR)
				errx(1, "XFRM_MSG_GETSA refused");
		sample(&getsa, begin, instructions(), CALLS);

		for (sum = 0, i = 0; i < CALLS; i++) {
			forget(ipsec, ptoken_of(other), &set, trusted);
			begin = instructions();
			if (ipsec_ptoken_privacy_protected(ipsec, ptoken) != 1)
				errx(1, "not protected");
			sum += instructions() - begin;
		}
		sample(&cold, 0, sum, CALLS);

		begin = instructions();
		for (i = 0; i < CALLS; i++)
			if (ipsec_ptoken_privacy_protected(ipsec, ptoken) != 1)
				errx(1, "not protected");
		sample(&warm, begin, instructions(), CALLS);
	}
	row("resolve, cold: PTOKEN_GET / XFRM_MSG_GETSA", median(&raw), median(&getsa), "1.0");
	row("resolve, cold: through the library / XFRM_MSG_GETSA", median(&cold), median(&getsa),
	    "1.0");
	row("resolve, warm: through the library / XFRM_MSG_GETSA", median(&warm), median(&getsa),
	    "0.05");
	ipsec_close(ipsec);
}

int main(void)
{
	int v4, v6;

	bench_recvmsg("ESP over IPv4", "left", "10.0.0.1", "10.0.0.2");
	bench_recvmsg("ESP over IPv6", "left", "fd00::1", "fd00::2");
	bench_recvmsg("clear over IPv4", "right", "127.0.0.1", "127.0.0.1");
	bench_recvmsg("clear over IPv6", "right", "::1", "::1");
	v4 = connection("10.0.0.1", "10.0.0.2");
	v6 = connection("fd00::1", "fd00::2");
	bench_getsockopt(v4, v6);
	bench_resolve(v4, v6);
	return 0;
}
