/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two hosts, an application at left that requires something, a wire between
 * them that is watched, and an agent at left that is played.
 */
#ifndef REQUEST_HOSTS_H
#define REQUEST_HOSTS_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pfkeyv2.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/internal.h"

#include <kselftest.h>

#define PORT	7777
#define SPI	0x1000		/* as in lib.sh */

static struct sockaddr_storage left, right;
static socklen_t length;
static int family, wire, home = -1;
static struct ipsec *ipsec;
static struct mnl_socket *agent;
static char wrong[8192];

static inline void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	size_t used = strlen(wrong);
	va_list args;

	va_start(args, format);
	vsnprintf(wrong + used, sizeof(wrong) - used, format, args);
	va_end(args);
}

#define EXPECT(got, wanted) do {						\
	long long got_ = (got), wanted_ = (wanted);				\
	if (got_ != wanted_)							\
		complain("# line %d: %s is %lld, not %lld\n", __LINE__, #got, got_, wanted_); \
} while (0)

static inline void report(const char *what)
{
	ksft_test_result(!*wrong, "IPv%d: %s\n", family == AF_INET ? 4 : 6, what);
	fputs(wrong, stdout);
	fflush(stdout);
	*wrong = '\0';
}

/* A few words of the language of lib.sh. */
static inline void shell(const char *words)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "bash -c '. selftests/lib.sh; F=%d; ipsec_up none $F; "
		 "both() { left $IP $@; right $IP $@; }; %s' >/dev/null",
		 family == AF_INET ? 4 : 6, words);
	if (system(command))
		errx(1, "%s", command);
}

static inline void enter(const char *host)
{
	char path[64];
	int netns;

	snprintf(path, sizeof(path), "/run/netns/%s", host);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0 || setns(netns, CLONE_NEWNET))
		err(1, "%s", path);
	close(netns);
}

static inline void set_address(struct sockaddr_storage *address, const char *text)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = family;
	sin->sin_port = htons(PORT);	/* at the same place in both */
	if (inet_pton(family, text, family == AF_INET ? (void *)&sin->sin_addr :
						  (void *)&sin6->sin6_addr) != 1)
		errx(1, "%s", text);
	length = family == AF_INET ? sizeof(*sin) : sizeof(*sin6);
}

/* Back to where the program began, since whoever is in a namespace keeps it. */
static inline void go_home(void)
{
	if (home < 0)
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(home, CLONE_NEWNET))
		err(1, "home");
}

/* What is closed before its data is acknowledged is given up soon, or it would keep all. */
static inline void hosts_up(int which)
{
	family = which;
	go_home();
	shell("net_up; for h in left right; do $h sysctl -qw net.ipv4.tcp_orphan_retries=1; done");
	set_address(&left, family == AF_INET ? "10.0.0.1" : "fd00::1");
	set_address(&right, family == AF_INET ? "10.0.0.2" : "fd00::2");
	enter("right");
	/* there all passes that is sent and all that has come */
	wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (wire < 0)
		err(1, "packet socket");
}

static inline void hosts_down(void)
{
	if (agent)
		mnl_socket_close(agent);
	if (ipsec)
		ipsec_close(ipsec);
	agent = NULL;
	ipsec = NULL;
	close(wire);
	go_home();
	shell("net_down");
}

static inline void load(void)
{
	if (system("insmod \"$MODULE\""))
		errx(1, "insmod");
}

static inline int unload(void)
{
	return system("rmmod ipsec_token 2>/dev/null") ? -1 : 0;
}

/* Some things end a little later. */
static inline int unload_soon(void)
{
	int i;

	for (i = 0; i < 300 && unload(); i++)
		usleep(100000);
	return i < 300 ? 0 : -1;
}

/* Packets of a protocol that were seen in clear since last asked. */
static inline int seen(int protocol)
{
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	unsigned char packet[2000];
	int count = 0;

	while (recvfrom(wire, packet, sizeof(packet), 0, (struct sockaddr *)&from,
			&from_length) > 0)
		if (ntohs(from.sll_protocol) == (family == AF_INET ? ETH_P_IP : ETH_P_IPV6))
			count += packet[family == AF_INET ? 9 : 6] == protocol;
	return count;
}

static inline int tcp_listener(const char *host, struct sockaddr_storage *address)
{
	int fd, one = 1;

	enter(host);
	fd = socket(family, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)address, length) || listen(fd, 100))
		err(1, "listener on %s", host);
	return fd;
}

/* Accept within so many milliseconds. */
static inline int accept_within(int listener, int milliseconds)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };

	if (poll(&poll_fd, 1, milliseconds) <= 0)
		return -EAGAIN;
	return accept(listener, NULL, NULL);
}

static inline int udp_socket(const char *host, struct sockaddr_storage *address)
{
	int fd, one = 1;

	enter(host);
	fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)address, length))
		err(1, "socket on %s", host);
	return fd;
}

/* What has been sent takes a moment to arrive. */
static inline int receive(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char buffer[100];
	int got;

	if (poll(&poll_fd, 1, 300) <= 0)
		return -EAGAIN;
	got = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	return got < 0 ? -errno : got;
}

/* What was refused before is sent once more when TCP's timer says so. */
static inline int receive_again(int fd)
{
	int i, got = -EAGAIN;

	for (i = 0; i < 60 && got == -EAGAIN; i++)
		got = receive(fd);
	return got;
}

static inline struct ipsec_request *request_new(const char *words)
{
	struct ipsec_request *request;

	if (ipsec_request_new(&request) || ipsec_request_set_words(request, words))
		errx(1, "request %s", words);
	return request;
}

static inline struct ipsec_request_status status_of(int fd)
{
	struct ipsec_request_status status = {};

	EXPECT(ipsec_request_status(fd, &status), 0);
	return status;
}

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ------------------------------------------------------------- the module */

static inline int talk(struct nlmsghdr *nlh)
{
	int ret;

	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, NULL, NULL);
	ipsec_leave(ipsec);
	return ret;
}

static inline void module(void)
{
	enter("left");
	if (!ipsec && ipsec_open(&ipsec))
		errx(1, "module");
}

/* Let all SAs of left be of somebody whose iToken consists of this byte. */
static inline void bind_identity(uint32_t spi, uint8_t who, int method)
{
	int to;

	module();
	for (to = 0; to < 2; to++) {
		_Alignas(8) char buf[512];
		const struct sockaddr_storage *address = to ? &right : &left;
		uint8_t value[IPSEC_ITOKEN_SIZE];
		struct nlmsghdr *nlh;
		struct nlattr *nest;

		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
		memset(value, who, sizeof(value));
		nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, method);
		mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_CERTIFICATE_DN, "CN=db.example,O=Test");
		mnl_attr_nest_end(nlh, nest);
		nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);
		mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
		if (family == AF_INET)
			mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 4,
				     &((const struct sockaddr_in *)address)->sin_addr);
		else
			mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 16,
				     &((const struct sockaddr_in6 *)address)->sin6_addr);
		mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(spi + (to ? 1 : 2)));
		mnl_attr_nest_end(nlh, nest);
		if (talk(nlh))
			errx(1, "bind: %s", ipsec_error(ipsec));
	}
}

/* Of both hosts, or else the other one would refuse what is to be refused here. */
static inline void latch_mode(uint8_t mode)
{
	_Alignas(8) char buf[512];
	static const char *const hosts[] = { "left", "right" };
	struct nlmsghdr *nlh;
	struct ipsec *handle;
	unsigned int i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(hosts); i++) {
		enter(hosts[i]);
		if (ipsec_open(&handle))
			errx(1, "module");
		nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
		mnl_attr_put_u8(nlh, IPSEC_A_LATCH_MODE, mode);
		ipsec_enter(handle);
		if (ipsec_nl_talk(handle, nlh, NULL, NULL))
			errx(1, "mode: %s", ipsec_error(handle));
		ipsec_leave(handle);
		ipsec_close(handle);
	}
}

/* -------------------------------------------------------------- the agent */

static inline void agent_open(void)
{
	int group;

	module();
	ipsec_enter(ipsec);
	if (ipsec_nl_ready(ipsec))
		errx(1, "netlink: %s", ipsec_error(ipsec));
	group = ipsec->group_events;
	ipsec_leave(ipsec);
	agent = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
	if (!agent || mnl_socket_bind(agent, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(agent, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		err(1, "agent");
}

static inline void agent_close(void)
{
	mnl_socket_close(agent);
	agent = NULL;
}

struct asked {
	uint64_t id;
	uint32_t flags;
	uint32_t methods;
	uint32_t timeout;
	uint32_t uid;
	uint16_t peer_port;
	uint8_t protocol;
	int peer_length;
};

static inline bool asked_of(const struct nlmsghdr *nlh, struct asked *asked)
{
	const struct nlattr *nest, *attr;

	if (((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd != IPSEC_CMD_REQUEST_NTF)
		return false;
	nest = ipsec_parse_find(nlh, IPSEC_A_REQUEST);
	if (!nest)
		return false;
	memset(asked, 0, sizeof(*asked));
	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_REQUEST_A_ID:
			asked->id = mnl_attr_get_u64(attr);
			break;
		case IPSEC_REQUEST_A_FLAGS:
			asked->flags = mnl_attr_get_u32(attr);
			break;
		case IPSEC_REQUEST_A_METHODS:
			asked->methods = mnl_attr_get_u32(attr);
			break;
		case IPSEC_REQUEST_A_TIMEOUT:
			asked->timeout = mnl_attr_get_u32(attr);
			break;
		case IPSEC_REQUEST_A_UID:
			asked->uid = mnl_attr_get_u32(attr);
			break;
		case IPSEC_REQUEST_A_PEER_PORT:
			asked->peer_port = ntohs(mnl_attr_get_u16(attr));
			break;
		case IPSEC_REQUEST_A_PROTOCOL:
			asked->protocol = mnl_attr_get_u8(attr);
			break;
		case IPSEC_REQUEST_A_PEER:
			asked->peer_length = mnl_attr_get_payload_len(attr);
			break;
		}
	}
	return true;
}

/* How often it was asked, within so many milliseconds, and what for the last time. */
static inline int agent_asked(struct asked *asked, int milliseconds)
{
	_Alignas(8) static char buf[65536];
	struct pollfd poll_fd = { .fd = mnl_socket_get_fd(agent), .events = POLLIN };
	const struct nlmsghdr *nlh;
	int count = 0, left_over;
	ssize_t size;

	while (poll(&poll_fd, 1, milliseconds) > 0) {
		size = mnl_socket_recvfrom(agent, buf, sizeof(buf));
		if (size <= 0)
			break;
		left_over = size;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, left_over);
		     nlh = mnl_nlmsg_next(nlh, &left_over))
			count += asked_of(nlh, asked);
		if (count)
			milliseconds = 0;
	}
	return count;
}

static inline int agent_answer(uint64_t id, uint8_t reason, const char *text)
{
	_Alignas(8) char buf[1024];
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_REQUEST_RESULT, NLM_F_ACK);
	nest = mnl_attr_nest_start(nlh, IPSEC_A_REQUEST);
	mnl_attr_put_u64(nlh, IPSEC_REQUEST_A_ID, id);
	mnl_attr_put_u8(nlh, IPSEC_REQUEST_A_REASON, reason);
	if (text)
		mnl_attr_put_strz(nlh, IPSEC_REQUEST_A_TEXT, text);
	mnl_attr_nest_end(nlh, nest);
	return talk(nlh);
}

#endif /* REQUEST_HOSTS_H */
