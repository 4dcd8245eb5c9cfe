// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's ABI as a program sees it that is built for 32 bits, and, from
 * the same source, one that is built for 64: the numbers, the sizes, and what
 * comes through each way in. It uses no library, since of those there is but
 * one kind.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/ipsec_token.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <kselftest.h>

#define SETUP	"bash -c '. selftests/lib.sh && net_up && " \
		"ipsec_up esp-gcm 4 && ipsec_up esp-gcm 6 spi=0x2000'"
#define PORT	7777

/* What is wrong with the result that comes next; printed below it. */
static char wrong[4096];

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	size_t length = strlen(wrong);
	va_list args;

	va_start(args, format);
	vsnprintf(wrong + length, sizeof(wrong) - length, format, args);
	va_end(args);
}

static void report(const char *what)
{
	ksft_test_result(!*wrong, "%zu bits: %s\n", 8 * sizeof(long), what);
	fputs(wrong, stdout);
	*wrong = 0;
}

#define EXPECT(got, wanted) do {						\
	long long got_ = (got), wanted_ = (wanted);				\
	if (got_ != wanted_)							\
		complain("# " #got ": %lld, wanted %lld\n", got_, wanted_);	\
} while (0)

/* ------------------------------------------------------------------- layout */

static void test_layout(void)
{
	EXPECT(sizeof(__u64), 8);
	EXPECT(sizeof(__typeof__(IPSEC_PTOKEN_NONE)), 8);
	EXPECT(sizeof(__typeof__(IPSEC_PTOKEN_UNKNOWN)), 8);
	EXPECT(IPSEC_PTOKEN_UNKNOWN == 0xffffffffffffffffULL, 1);
	EXPECT(sizeof(enum ipsec_cmd), 4);
	EXPECT(sizeof(struct ipsec_latch), 24);
	EXPECT(offsetof(struct ipsec_latch, now), 16);
	EXPECT(sizeof(struct ipsec_request_status), 272);
	EXPECT(offsetof(struct ipsec_request_status, text), 16);
	EXPECT(sizeof(struct xfrm_selector), 56);
	EXPECT(offsetof(struct xfrm_selector, user), 52);
	EXPECT(sizeof(struct xfrm_lifetime_cfg), 64);
	EXPECT(offsetof(struct xfrm_lifetime_cfg, hard_use_expires_seconds), 56);
	report("sizes");

	EXPECT(IPSEC_SO_PTOKEN, 0x5350);
	EXPECT(IPSEC_SO_RECVPTOKEN, 0x5351);
	EXPECT(IPSEC_SO_LATCH, 0x5352);
	EXPECT(IPSEC_SO_REQUEST, 0x5353);
	EXPECT(IPSEC_SO_REQUEST_STATUS, 0x5354);
	EXPECT(IPSEC_SCM_PTOKEN, 0x5350);
	EXPECT(IPSEC_CMD_PTOKEN_GET, 1);
	EXPECT(IPSEC_CMD_ALGORITHM_GET, 2);
	EXPECT(IPSEC_CMD_ALGORITHM_SET, 3);
	EXPECT(IPSEC_CMD_CONTEXT_GET, 4);
	EXPECT(IPSEC_CMD_SOCKET_GET, 5);
	EXPECT(IPSEC_CMD_CONFIG_GET, 6);
	EXPECT(IPSEC_CMD_CONFIG_SET, 7);
	EXPECT(IPSEC_CMD_STATS_GET, 8);
	EXPECT(IPSEC_CMD_IDENTITY_BIND, 9);
	EXPECT(IPSEC_CMD_CONTEXT_NEW_NTF, 12);
	EXPECT(IPSEC_CMD_CHANGED_NTF, 19);
	EXPECT(IPSEC_CMD_LATCH_GET, 20);
	EXPECT(IPSEC_CMD_LATCH_NTF, 21);
	EXPECT(IPSEC_CMD_REQUEST_CGROUP, 22);
	EXPECT(IPSEC_CMD_REQUEST_NTF, 25);
	EXPECT(IPSEC_A_PTOKEN, 2);
	EXPECT(IPSEC_A_CONTEXT, 4);
	EXPECT(IPSEC_A_GENERATION, 11);
	EXPECT(IPSEC_A_SA, 13);
	EXPECT(IPSEC_A_LATCH_MODE, 14);
	EXPECT(IPSEC_A_REQUEST, 15);
	EXPECT(IPSEC_A_CGROUP_FD, 16);
	EXPECT(IPSEC_CONTEXT_A_ID, 2);
	EXPECT(IPSEC_CONTEXT_A_PRIVACY, 3);
	EXPECT(IPSEC_CONTEXT_A_SA, 10);
	EXPECT(IPSEC_SA_A_DIRECTION, 2);
	EXPECT(IPSEC_SA_A_SPI, 6);
	EXPECT(IPSEC_SA_A_LIFETIME, 28);
	EXPECT(IPSEC_SA_A_PACKETS, 32);
	EXPECT(IPSEC_SOCKET_A_CONTEXT_ID, 8);
	EXPECT(IPSEC_SOCKET_A_LATCH_SEEN, 14);
	EXPECT(IPSEC_ALGORITHM_A_DEFAULT, 4);
	EXPECT(IPSEC_STATS_A_LATCHES, 7);
	EXPECT(IPSEC_STATS_A_TOKENS_REFUSED, 15);
	EXPECT(IPSEC_STATS_A_LATCH_RESET, 24);
	EXPECT(IPSEC_STATS_A_NEGOTIATIONS, 27);
	EXPECT(IPSEC_REQUEST_A_IDENTITY, 5);
	EXPECT(IPSEC_REQUEST_A_TEXT, 15);
	EXPECT(IPSEC_REQUEST_REASON_MAX, 8);
	report("numbers");
}

/* ------------------------------------------------------------------ sockets */

struct host {
	const char *name;
	struct sockaddr_storage address;
	socklen_t length;
};

static int level;

static void enter(const char *host)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", host);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
}

static void host_set(struct host *host, const char *name, const char *address)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&host->address;
	struct sockaddr_in *sin = (struct sockaddr_in *)&host->address;

	memset(host, 0, sizeof(*host));
	host->name = name;
	host->length = sizeof(*sin);
	sin->sin_family = AF_INET;
	sin->sin_port = htons(PORT);	/* at the same place in both */
	if (inet_pton(AF_INET, address, &sin->sin_addr) == 1)
		return;
	host->length = sizeof(*sin6);
	sin6->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, address, &sin6->sin6_addr) != 1)
		errx(1, "%s", address);
}

static int make_socket(const struct host *host, int type)
{
	struct timeval timeout = { .tv_sec = 10 };
	int fd, one = 1;

	enter(host->name);
	fd = socket(host->address.ss_family, type, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		err(1, "socket");
	return fd;
}

static __u64 ptoken_of(int fd)
{
	/* a word on either side, to see that eight bytes are written */
	struct {
		__u32 before;
		__u32 value[2];
		__u32 after;
	} room = { 0x11111111, { 0x22222222, 0x22222222 }, 0x33333333 };
	socklen_t length = sizeof(room.value);
	__u64 ptoken;

	if (getsockopt(fd, level, IPSEC_SO_PTOKEN, room.value, &length))
		complain("# IPSEC_SO_PTOKEN: %s\n", strerror(errno));
	EXPECT(length, 8);
	EXPECT(room.before, 0x11111111);
	EXPECT(room.after, 0x33333333);
	memcpy(&ptoken, room.value, sizeof(ptoken));
	return ptoken;
}

static __u64 test_tcp(const struct host *left, const struct host *right)
{
	int listener, client, server;
	__u64 ptoken;

	listener = make_socket(right, SOCK_STREAM);
	if (bind(listener, (struct sockaddr *)&right->address, right->length) ||
	    listen(listener, 1))
		err(1, "listen");
	client = make_socket(left, SOCK_STREAM);
	if (connect(client, (struct sockaddr *)&right->address, right->length))
		err(1, "connect");
	server = accept(listener, NULL, NULL);
	ptoken = ptoken_of(server);
	EXPECT(ptoken != IPSEC_PTOKEN_NONE && ptoken != IPSEC_PTOKEN_UNKNOWN, 1);
	/* of handles with 64 bits one in 2^32 looks as if cut in half */
	EXPECT(ptoken >> 32 != 0 && (ptoken & 0xffffffff) != 0, 1);
	EXPECT(ptoken_of(server) == ptoken, 1);
	close(listener);
	close(client);
	close(server);
	report(level == SOL_IP ? "TCP over IPv4" : "TCP over IPv6");
	return ptoken;
}

/* The datagrams come in one call or one by one; @room is for control messages. */
static void receive(int fd, __u64 ptoken, size_t room, bool many)
{
	char data[100], control[64];
	struct iovec iov = { data, sizeof(data) };
	struct mmsghdr messages[1] = { { .msg_hdr = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = room,
	} } };
	struct msghdr *msg = &messages[0].msg_hdr;
	struct cmsghdr *cmsg;
	__u64 value;

	memset(control, 0xa5, sizeof(control));
	if (many ? recvmmsg(fd, messages, 1, 0, NULL) != 1 : recvmsg(fd, msg, 0) != 10) {
		complain("# recvmsg: %s\n", strerror(errno));
		return;
	}
	EXPECT((unsigned char)control[room], 0xa5);
	cmsg = CMSG_FIRSTHDR(msg);
	if (room < CMSG_LEN(sizeof(value))) {
		EXPECT(!!(msg->msg_flags & MSG_CTRUNC), 1);
		return;
	}
	EXPECT(msg->msg_flags & MSG_CTRUNC, 0);
	if (!cmsg) {
		complain("# no control message\n");
		return;
	}
	EXPECT(cmsg->cmsg_level, level);
	EXPECT(cmsg->cmsg_type, IPSEC_SCM_PTOKEN);
	EXPECT(cmsg->cmsg_len, CMSG_LEN(sizeof(value)));
	EXPECT(msg->msg_controllen, room < CMSG_SPACE(sizeof(value)) ? room :
	       CMSG_SPACE(sizeof(value)));
	memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
	EXPECT(value == ptoken, 1);
	EXPECT(!CMSG_NXTHDR(msg, cmsg), 1);
}

static void test_udp(const struct host *left, const struct host *right, __u64 ptoken)
{
	const size_t rooms[] = { CMSG_SPACE(8), CMSG_SPACE(8) + 4, CMSG_LEN(8) - 1,
				 sizeof(struct cmsghdr), 4 };
	int server, client, on = 1;
	socklen_t length = sizeof(on);
	unsigned int i;
	char data[10] = {};

	server = make_socket(right, SOCK_DGRAM);
	if (bind(server, (struct sockaddr *)&right->address, right->length) ||
	    setsockopt(server, level, IPSEC_SO_RECVPTOKEN, &on, sizeof(on)))
		err(1, "server");
	on = 0;
	EXPECT(getsockopt(server, level, IPSEC_SO_RECVPTOKEN, &on, &length), 0);
	EXPECT(on, 1);
	EXPECT(length, 4);
	client = make_socket(left, SOCK_DGRAM);
	for (i = 0; i < 2 * ARRAY_SIZE(rooms); i++) {
		if (sendto(client, data, sizeof(data), 0, (struct sockaddr *)&right->address,
			   right->length) < 0)
			err(1, "sendto");
		receive(server, ptoken, rooms[i / 2], i % 2);
	}
	close(server);
	close(client);
	report(level == SOL_IP ? "UDP over IPv4" : "UDP over IPv6");
}

/* ------------------------------------------------------------------ netlink */

static char buffer[16384] __attribute__((__aligned__(8)));

static int netlink_ask(int fd, __u16 type, __u8 cmd, __u16 attr, const void *data, __u16 length)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
		struct nlattr attr;
		char data[64];
	} request = {
		.nlh = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_HDRLEN + NLA_ALIGN(length),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.genl.cmd = cmd,
		.attr = { NLA_HDRLEN + length, attr },
	};

	memcpy(request.data, data, length);
	if (send(fd, &request, request.nlh.nlmsg_len, 0) < 0)
		err(1, "netlink");
	return recv(fd, buffer, sizeof(buffer), 0);
}

#define FOR_EACH_ATTR(attr, begin, length)						\
	for (attr = (begin);								\
	     (char *)(attr) + NLA_HDRLEN <= (char *)(begin) + (length) &&		\
	     (attr)->nla_len >= NLA_HDRLEN;						\
	     attr = (void *)((char *)(attr) + NLA_ALIGN((attr)->nla_len)))

#define ATTR_TYPE(attr)		((attr)->nla_type & NLA_TYPE_MASK)
#define ATTR_DATA(attr)		((void *)((char *)(attr) + NLA_HDRLEN))
#define ATTR_LENGTH(attr)	((attr)->nla_len - NLA_HDRLEN)

static __u16 family_find(int fd)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buffer;
	struct nlattr *attr;

	netlink_ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME,
		    IPSEC_GENL_NAME, sizeof(IPSEC_GENL_NAME));
	FOR_EACH_ATTR(attr, (struct nlattr *)(buffer + NLMSG_LENGTH(GENL_HDRLEN)),
		      (long)nlh->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN))
		if (ATTR_TYPE(attr) == CTRL_ATTR_FAMILY_ID)
			return *(__u16 *)ATTR_DATA(attr);
	errx(1, "no family " IPSEC_GENL_NAME);
}

/* How long each attribute of an SA is; 0: it varies. */
static const unsigned char sa_lengths[__IPSEC_SA_A_MAX] = {
	[IPSEC_SA_A_DIRECTION] = 1,
	[IPSEC_SA_A_INDEX] = 1,
	[IPSEC_SA_A_SATYPE] = 1,
	[IPSEC_SA_A_MODE] = 1,
	[IPSEC_SA_A_SPI] = 4,
	[IPSEC_SA_A_REQID] = 4,
	[IPSEC_SA_A_MARK] = 4,
	[IPSEC_SA_A_MARK_MASK] = 4,
	[IPSEC_SA_A_IF_ID] = 4,
	[IPSEC_SA_A_SELECTOR] = sizeof(struct xfrm_selector),
	[IPSEC_SA_A_EALG] = 1,
	[IPSEC_SA_A_EALG_BITS] = 2,
	[IPSEC_SA_A_ICV_BITS] = 2,
	[IPSEC_SA_A_LIFETIME] = sizeof(struct xfrm_lifetime_cfg),
	[IPSEC_SA_A_ADD_TIME] = 8,
};

static unsigned int read_sa(struct nlattr *nest, __u32 spi)
{
	unsigned int seen = 0;
	struct nlattr *attr;

	FOR_EACH_ATTR(attr, (struct nlattr *)ATTR_DATA(nest), ATTR_LENGTH(nest)) {
		unsigned int type = ATTR_TYPE(attr);

		if (type < __IPSEC_SA_A_MAX && sa_lengths[type]) {
			EXPECT(ATTR_LENGTH(attr), sa_lengths[type]);
			seen++;
		}
		if (type == IPSEC_SA_A_SPI)
			EXPECT((ntohl(*(__u32 *)ATTR_DATA(attr)) & ~3U) == spi, 1);
		if (type == IPSEC_SA_A_LIFETIME)
			EXPECT(((struct xfrm_lifetime_cfg *)ATTR_DATA(attr))->hard_byte_limit ==
			       XFRM_INF, 1);
	}
	/* the padding, and the one only a selector in use would have */
	EXPECT(seen, 15);
	return 1;
}

static void test_netlink(int fd, __u16 family, __u64 ptoken, __u32 spi)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)buffer;
	struct nlattr *attr, *inner;
	unsigned int sas = 0;
	__u64 value = 0;

	if (netlink_ask(fd, family, IPSEC_CMD_PTOKEN_GET, IPSEC_A_PTOKEN, &ptoken, 8) < 0 ||
	    nlh->nlmsg_type != family) {
		complain("# refused\n");
		goto out;
	}
	FOR_EACH_ATTR(attr, (struct nlattr *)(buffer + NLMSG_LENGTH(GENL_HDRLEN)),
		      (long)nlh->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN)) {
		if (ATTR_TYPE(attr) == IPSEC_A_PTOKEN)
			memcpy(&value, ATTR_DATA(attr), sizeof(value));
		if (ATTR_TYPE(attr) != IPSEC_A_CONTEXT)
			continue;
		FOR_EACH_ATTR(inner, (struct nlattr *)ATTR_DATA(attr), ATTR_LENGTH(attr)) {
			if (ATTR_TYPE(inner) == IPSEC_CONTEXT_A_PRIVACY)
				EXPECT(*(__u8 *)ATTR_DATA(inner), 1);
			if (ATTR_TYPE(inner) == IPSEC_CONTEXT_A_ESTABLISHED)
				EXPECT(ATTR_LENGTH(inner), 8);
			if (ATTR_TYPE(inner) == IPSEC_CONTEXT_A_SA)
				sas += read_sa(inner, spi);
		}
	}
	EXPECT(value == ptoken, 1);
	EXPECT(sas, 2);
out:
	report(level == SOL_IP ? "PTOKEN_GET over IPv4" : "PTOKEN_GET over IPv6");
}

int main(void)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct host left, right;
	__u16 family;
	__u64 ptoken;
	int fd;

	if (system(SETUP))
		ksft_exit_fail_msg("no hosts\n");
	enter("right");
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)))
		err(1, "netlink");
	family = family_find(fd);

	ksft_print_header();
	ksft_set_plan(8);
	test_layout();
	for (level = SOL_IP; level == SOL_IP || level == SOL_IPV6;
	     level = level == SOL_IP ? SOL_IPV6 : -1) {
		bool v4 = level == SOL_IP;

		host_set(&left, "left", v4 ? "10.0.0.1" : "fd00::1");
		host_set(&right, "right", v4 ? "10.0.0.2" : "fd00::2");
		ptoken = test_tcp(&left, &right);
		test_udp(&left, &right, ptoken);
		test_netlink(fd, family, ptoken, v4 ? 0x1000 : 0x2000);
	}
	ksft_finished();
}
