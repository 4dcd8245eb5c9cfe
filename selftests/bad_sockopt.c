// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket options on every kind of socket there is, with every length and
 * buffer that makes no sense.
 *
 * What getsockopt() says, the first that applies:
 *
 *	EFAULT		the length can't be read
 *	EINVAL		it is less than 8 (IPSEC_SO_RECVPTOKEN: 4), or negative
 *	...		what the table below says of the socket
 *	EFAULT		the value, or the length, can't be written
 *	0		8 (4) bytes were written, however much room there was, and
 *			the length is now 8 (4)
 *
 * What setsockopt(IPSEC_SO_RECVPTOKEN) says:
 *
 *	EINVAL		the length is less than 4, or negative
 *	EFAULT		the value can't be read
 *	EINVAL		it is neither 0 nor 1
 *	...		what the table below says of the socket
 *	0		done; bytes after the first four have not been looked at
 *
 * setsockopt(IPSEC_SO_PTOKEN) is always EPERM, but at SOL_IPV6 the kernel looks
 * at the value first.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ipsec_token.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <kselftest.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE	136
#endif
#ifndef SOL_UDP
#define SOL_UDP		17
#endif

/* in the tables below, what a line leaves out is 0 */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum family { IPV4, IPV6, MAPPED };

static const char * const family_names[] = { "IPv4", "IPv6", "mapped" };

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

static void report(const char *name, const char *family)
{
	ksft_test_result(!*wrong, "%s%s%s\n", name, *family ? ", " : "", family);
	fputs(wrong, stdout);
	*wrong = 0;
}

/* ------------------------------------------------------------------ sockets */

static struct sockaddr_storage address;		/* of this host, port 0 */
static socklen_t address_length;
static int domain;

static void address_set(enum family family)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&address;
	struct sockaddr_in *sin = (struct sockaddr_in *)&address;

	memset(&address, 0, sizeof(address));
	if (family == IPV4) {
		sin->sin_family = AF_INET;
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address_length = sizeof(*sin);
	} else {
		sin6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, family == IPV6 ? "::1" : "::ffff:127.0.0.1",
			  &sin6->sin6_addr);
		address_length = sizeof(*sin6);
	}
	domain = address.ss_family;
}

static int make(int type, int protocol)
{
	int fd = socket(domain, type, protocol);

	if (fd < 0)
		err(1, "socket %d %d %d", domain, type, protocol);
	return fd;
}

static void bind_to_host(int fd)
{
	if (bind(fd, (struct sockaddr *)&address, address_length))
		err(1, "bind");
}

static int connect_to(int fd, int peer)
{
	struct sockaddr_storage to;
	socklen_t length = sizeof(to);

	if (getsockname(peer, (struct sockaddr *)&to, &length))
		err(1, "getsockname");
	return connect(fd, (struct sockaddr *)&to, length);
}

static void disconnect(int fd)
{
	struct sockaddr nothing = { .sa_family = AF_UNSPEC };

	if (connect(fd, &nothing, sizeof(nothing)))
		err(1, "disconnect");
}

static int tcp_unconnected(void)
{
	return make(SOCK_STREAM, 0);
}

static int tcp_bound(void)
{
	int fd = tcp_unconnected();

	bind_to_host(fd);
	return fd;
}

static int tcp_listening(void)
{
	int fd = tcp_bound();

	if (listen(fd, 0))
		err(1, "listen");
	return fd;
}

/* Room for one that nobody accepts; the SYN of the second is not answered. */
static int tcp_syn_sent(void)
{
	int listener = tcp_listening(), first = tcp_unconnected(), fd = tcp_unconnected();

	if (connect_to(first, listener))
		err(1, "connect");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (!connect_to(fd, listener) || errno != EINPROGRESS)
		err(1, "connect has not to end");
	return fd;
}

static int tcp_peer;	/* of the connection made last, the accepting end */

static void tcp_connect(int fd)
{
	int listener = tcp_listening();

	if (connect_to(fd, listener))
		err(1, "connect");
	tcp_peer = accept(listener, NULL, NULL);
	close(listener);
}

static int tcp_connected(void)
{
	int fd = tcp_unconnected();

	tcp_connect(fd);
	return fd;
}

static int tcp_accepted(void)
{
	tcp_connected();
	return tcp_peer;
}

static int tcp_shut_down(void)
{
	int fd = tcp_connected();

	shutdown(fd, SHUT_RDWR);
	return fd;
}

static int tcp_shut_down_by_peer(void)
{
	int fd = tcp_connected();

	shutdown(tcp_peer, SHUT_RDWR);
	return fd;
}

/* Segments may yet be on their way, where others are at work as well. */
static void await_close(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);
	int tries;

	for (tries = 0; tries < 10000; tries++) {
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ||
		    info.tcpi_state == TCP_CLOSE)
			break;
		usleep(1000);
	}
}

static int tcp_shut_down_by_both(void)
{
	int fd = tcp_shut_down();

	shutdown(tcp_peer, SHUT_RDWR);
	await_close(fd);
	return fd;
}

static int tcp_reset(void)
{
	struct linger linger = { .l_onoff = 1 };
	int fd = tcp_connected();

	setsockopt(tcp_peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(tcp_peer);
	await_close(fd);
	return fd;
}

static int tcp_disconnected(void)
{
	int fd = tcp_connected();

	disconnect(fd);
	return fd;
}

static int tcp_connected_again(void)
{
	int fd = tcp_disconnected();

	tcp_connect(fd);
	return fd;
}

static void opt(int fd, int on)
{
	int level = domain == AF_INET ? SOL_IP : SOL_IPV6;

	if (setsockopt(fd, level, IPSEC_SO_RECVPTOKEN, &on, sizeof(on)))
		err(1, "IPSEC_SO_RECVPTOKEN");
}

static int udp_unconnected(void)
{
	int fd = make(SOCK_DGRAM, 0);

	bind_to_host(fd);
	return fd;
}

static int udp_connected(void)
{
	int fd = udp_unconnected();

	if (connect_to(fd, udp_unconnected()))
		err(1, "connect");
	return fd;
}

static int udp_opted_in(void)
{
	int fd = udp_unconnected();

	opt(fd, 1);
	return fd;
}

static int udp_opted_in_connected(void)
{
	int fd = udp_connected();

	opt(fd, 1);
	return fd;
}

/* to itself */
static int udp_received(void)
{
	int fd = udp_opted_in();
	char byte = 0;

	if (connect_to(fd, fd) || send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
		err(1, "UDP");
	return fd;
}

static int udp_disconnected(void)
{
	int fd = udp_received();

	disconnect(fd);
	return fd;
}

static int udp_opted_out(void)
{
	int fd = udp_received();

	opt(fd, 0);
	return fd;
}

static int udplite(void)
{
	return make(SOCK_DGRAM, IPPROTO_UDPLITE);
}

static int raw(void)
{
	return make(SOCK_RAW, domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static int ping(void)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);

	if (fd < 0 || write(fd, "0 0", 3) != 3)
		err(1, "ping_group_range");
	close(fd);
	return make(SOCK_DGRAM, domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static int sctp(void)
{
	return socket(domain, SOCK_STREAM, IPPROTO_SCTP);
}

/* How a socket answers; error numbers, 0: it does. */
static const struct subject {
	const char *name;
	int (*open)(void);
	int get_ptoken;
	int get_recvptoken;
	int set_recvptoken;
	int recvptoken;		/* the value it has */
	int get_latch;
	int set_latch;
	struct ipsec_latch latch;	/* the value it has */
} subjects[] = {
#define NO	EOPNOTSUPP
#define LATCH(get, set, state, now)	(get), (set), { (state), 0, 0, 0, (now) }
#define NO_LATCH(error)			LATCH(error, error, 0, 0)
#define LISTENER	IPSEC_LATCH_LISTENER
#define UNKNOWN		IPSEC_PTOKEN_UNKNOWN
	{ "TCP unconnected",		tcp_unconnected,	ENOTCONN, NO, NO,
	  0, NO_LATCH(ENOTCONN) },
	{ "TCP bound",			tcp_bound,		ENOTCONN, NO, NO,
	  0, NO_LATCH(ENOTCONN) },
	{ "TCP listening",		tcp_listening,		ENOTCONN, NO, NO,
	  0, LATCH(0, ENOTCONN, LISTENER, UNKNOWN) },
	{ "TCP connecting",		tcp_syn_sent,		ENOTCONN, NO, NO,
	  0, NO_LATCH(ENOTCONN) },
	{ "TCP connected",		tcp_connected,		0, NO, NO, 0, NO_LATCH(0) },
	{ "TCP accepted",		tcp_accepted,		0, NO, NO, 0, NO_LATCH(0) },
	{ "TCP shut down",		tcp_shut_down,		0, NO, NO, 0, NO_LATCH(0) },
	{ "TCP shut down by its peer",	tcp_shut_down_by_peer,	0, NO, NO,
	  0, NO_LATCH(0) },
	{ "TCP shut down by both",	tcp_shut_down_by_both,	ENOTCONN, NO, NO,
	  0, NO_LATCH(ENOTCONN) },
	{ "TCP reset",			tcp_reset,		ENOTCONN, NO, NO,
	  0, NO_LATCH(ENOTCONN) },
	{ "TCP disconnected",		tcp_disconnected,	ENOTCONN, NO, NO,
	  0, NO_LATCH(ENOTCONN) },
	{ "TCP connected again",	tcp_connected_again,	0, NO, NO, 0, NO_LATCH(0) },

	{ "UDP",			udp_unconnected,	EINVAL, 0, 0, 0, NO_LATCH(EINVAL) },
	{ "UDP connected",		udp_connected,		EINVAL,
	  0, 0, 0, NO_LATCH(EINVAL) },
	{ "UDP opted in",		udp_opted_in,		ENOTCONN, 0, 0, 1,
	  NO_LATCH(ENOTCONN) },
	{ "UDP opted in and connected",	udp_opted_in_connected,	ENODATA, 0, 0, 1,
	  LATCH(0, ENODATA, 0, UNKNOWN) },
	{ "UDP that has received",	udp_received,		0, 0, 0, 1, NO_LATCH(0) },
	{ "UDP disconnected",		udp_disconnected,	ENOTCONN, 0, 0, 1,
	  NO_LATCH(ENOTCONN) },
	{ "UDP opted out",		udp_opted_out,		EINVAL,
	  0, 0, 0, NO_LATCH(EINVAL) },

	{ "UDP-Lite",			udplite,		NO, NO, NO, 0, NO_LATCH(NO) },
	{ "ping",			ping,			NO, NO, NO, 0, NO_LATCH(NO) },
	{ "SCTP",			sctp,			NO, NO, NO, 0, NO_LATCH(NO) },
	{ "raw",			raw,			NO, NO, NO, 0, NO_LATCH(NO) },
};

/* ------------------------------------------------------------------ buffers */

#define GUARD	0xa5
#define PAGE	4096

/* Two pages, of which the second can't be touched. */
static uint8_t *pages;

static void pages_fill(void)
{
	memset(pages, GUARD, PAGE);
}

/* Nothing but @size bytes at @offset has been written. */
static void pages_check(const char *what, int length, int offset, int size)
{
	int i;

	for (i = 0; i < PAGE; i++) {
		if (pages[i] == GUARD || (i >= offset && i < offset + size))
			continue;
		complain("# %s, length %d: byte %d written\n", what, length, i - offset);
		return;
	}
}

static const struct buffer {
	const char *what;
	bool null;
	uintptr_t at;		/* an address, or */
	int offset;		/* a place in the page that can be written */
	bool readable, writable;
} buffers[] = {
	{ "aligned",		.offset = 64, .readable = true, .writable = true },
	{ "unaligned",		.offset = 65, .readable = true, .writable = true },
	{ "at the end",		.offset = PAGE - 8, .readable = true, .writable = true },
	{ "over the end",	.offset = PAGE - 3 },
	{ "NULL",		.null = true },
	{ "unmapped",		.at = 8 },
	{ "read only",		.readable = true },
	{ "of the kernel",	.at = 0xffff888000001000 },
	{ "not canonical",	.at = 0x8000000000000000 },
};

static const uint8_t read_only[PAGE] __attribute__((__aligned__(PAGE))) = { 0 };

static void *buffer_of(const struct buffer *b)
{
	if (b->null)
		return NULL;
	if (b->at)
		return (void *)b->at;
	return b->offset ? pages + b->offset : (void *)read_only;
}

static const int lengths[] = { INT_MIN, -1, 0, 1, 3, 4, 7, 8, 9, 64, INT_MAX };

/* ----------------------------------------------------------------- questions */

#define EXPECT(error, result, what, length) do {				\
	int got_ = (result) ? errno : 0;					\
	if (got_ != (error))							\
		complain("# %s, length %d: %s, wanted %s\n", what, length,	\
			 strerror(got_), strerror(error));			\
} while (0)

/* An option of @size bytes, which this socket answers with @error. */
static void test_get(int fd, int level, int option, int size, int error, const void *value)
{
	static const char what[] = "get";
	const struct buffer *b;
	socklen_t length;
	unsigned int i;
	int wanted;

	for (b = buffers; b < buffers + ARRAY_SIZE(buffers); b++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			pages_fill();
			length = lengths[i];
			wanted = lengths[i] < size ? EINVAL : error;
			if (!wanted && (!b->writable || b->offset + size > PAGE))
				wanted = EFAULT;
			EXPECT(wanted, getsockopt(fd, level, option, buffer_of(b), &length),
			       b->what, lengths[i]);
			if ((int)length != (wanted ? lengths[i] : size))
				complain("# get %s: length %d became %d\n", b->what, lengths[i],
					 (int)length);
			pages_check(b->what, lengths[i], b->offset,
				    wanted && wanted != EFAULT ? 0 : size);
			if (!wanted && memcmp(pages + b->offset, value, size))
				complain("# get %s: not the value\n", b->what);
		}
	}

	/* nowhere to read the length from */
	for (b = buffers; b < buffers + ARRAY_SIZE(buffers); b++) {
		if (b->readable)
			continue;
		pages_fill();
		EXPECT(EFAULT, getsockopt(fd, level, option, pages + 64, buffer_of(b)), what, 0);
		pages_check(what, 0, 64, 0);
	}
	/* or to write it to: it reads 0 there */
	EXPECT(EINVAL, getsockopt(fd, level, option, pages + 64, (socklen_t *)read_only), what, 0);
}

static void test_set_recvptoken(int fd, int level, int error)
{
	static const struct {
		int value;
		bool good;
	} values[] = {
		{ 2 }, { -1 }, { 256 }, { 1 << 24 }, { INT_MAX }, { INT_MIN },
		{ 1, true }, { 0, true },
	};
	const struct buffer *b;
	unsigned int i, j;
	int wanted;

	for (b = buffers; b < buffers + ARRAY_SIZE(buffers); b++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			for (j = 0; j < ARRAY_SIZE(values); j++) {
				pages_fill();
				if (b->writable)
					memcpy(pages + b->offset, &values[j].value, 4);
				if (lengths[i] < 4)
					wanted = EINVAL;
				else if (!b->readable)
					wanted = EFAULT;
				else
					wanted = !b->writable || values[j].good ? error : EINVAL;
				EXPECT(wanted, setsockopt(fd, level, IPSEC_SO_RECVPTOKEN,
							  buffer_of(b), lengths[i]),
				       b->what, lengths[i]);
			}
		}
	}
}

static void test_set_ptoken(int fd, int level)
{
	const struct buffer *b;
	unsigned int i;
	int wanted;

	for (b = buffers; b < buffers + ARRAY_SIZE(buffers); b++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			pages_fill();
			wanted = EPERM;
			if (lengths[i] < 0)
				wanted = EINVAL;
			else if (level == SOL_IPV6 && lengths[i] >= 4 && !b->readable && !b->null)
				wanted = EFAULT;
			EXPECT(wanted, setsockopt(fd, level, IPSEC_SO_PTOKEN, buffer_of(b),
						  lengths[i]), b->what, lengths[i]);
			pages_check(b->what, lengths[i], 0, 0);
		}
	}
}

/* Neither option means anything here, whatever comes with it. */
static void test_foreign(int fd, int level, int get, int set)
{
	const struct buffer *b;
	socklen_t length;
	unsigned int i;
	int option;

	for (option = IPSEC_SO_PTOKEN; option <= IPSEC_SO_RECVPTOKEN; option++) {
		for (b = buffers; b < buffers + ARRAY_SIZE(buffers); b++) {
			for (i = 0; i < ARRAY_SIZE(lengths); i++) {
				pages_fill();
				length = lengths[i];
				EXPECT(get, getsockopt(fd, level, option, buffer_of(b), &length),
				       b->what, lengths[i]);
				EXPECT(lengths[i] < 0 ? EINVAL : set,
				       setsockopt(fd, level, option, buffer_of(b), lengths[i]),
				       b->what, lengths[i]);
				pages_check(b->what, lengths[i], 0, 0);
			}
		}
		EXPECT(get, getsockopt(fd, level, option, pages, NULL), "no length", 0);
	}
}

/* Levels and options next to ours, of which the kernel says the same as ever. */
static void test_neighbours(int fd, int level)
{
	static const int levels[] = { SOL_SOCKET, SOL_TCP, SOL_UDP, 12345, -1 };
	int value = 1, protocol = 0, option;
	socklen_t length = sizeof(protocol);
	unsigned int i;

	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		/* the level of a protocol has its number */
		bool known = levels[i] == SOL_SOCKET || levels[i] == protocol;

		length = sizeof(value);
		if (!getsockopt(fd, levels[i], IPSEC_SO_RECVPTOKEN, &value, &length) ||
		    (errno != ENOPROTOOPT && (known || errno != EOPNOTSUPP)))
			complain("# get at level %d: %s\n", levels[i], strerror(errno));
		EXPECT(ENOPROTOOPT,
		       setsockopt(fd, levels[i], IPSEC_SO_RECVPTOKEN, &value, sizeof(value)),
		       "set at another level", levels[i]);
	}
	for (option = IPSEC_SO_PTOKEN - 1; option <= IPSEC_SO_REQUEST_STATUS + 1;
	     option += IPSEC_SO_REQUEST_STATUS + 2 - IPSEC_SO_PTOKEN) {
		length = sizeof(value);
		EXPECT(ENOPROTOOPT, getsockopt(fd, level, option, &value, &length),
		       "get another option", option);
		EXPECT(ENOPROTOOPT, setsockopt(fd, level, option, &value, sizeof(value)),
		       "set another option", option);
	}
}

static void test_set_latch(int fd, int level, int error)
{
	static const uint32_t bad[] = { 4, 5, 1U << 31, ~0U };
	const struct buffer *b;
	uint32_t flags = IPSEC_LATCH_F_ON;
	unsigned int i;

	for (b = buffers; b < buffers + ARRAY_SIZE(buffers); b++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			if (lengths[i] >= 4 && b->readable)
				continue;
			EXPECT(lengths[i] < 4 ? EINVAL : EFAULT,
			       setsockopt(fd, level, IPSEC_SO_LATCH, buffer_of(b), lengths[i]),
			       "set latch", lengths[i]);
		}
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (!setsockopt(fd, level, IPSEC_SO_LATCH, &bad[i], 4) ||
		    (errno != EINVAL && errno != error))
			complain("# set latch %#x: %s\n", bad[i], strerror(errno));
	EXPECT(error, setsockopt(fd, level, IPSEC_SO_LATCH, &flags, sizeof(flags)),
	       "set latch", flags);
	/* and off again, where it was set */
	flags = 0;
	if (!error)
		EXPECT(0, setsockopt(fd, level, IPSEC_SO_LATCH, &flags, sizeof(flags)),
		       "set latch", flags);
}

static void test_level(const struct subject *s, int level)
{
	static const uint64_t none = IPSEC_PTOKEN_NONE;
	static const int off;
	int fd = s->open();

	test_get(fd, level, IPSEC_SO_PTOKEN, 8, s->get_ptoken, &none);
	test_get(fd, level, IPSEC_SO_RECVPTOKEN, 4, s->get_recvptoken, &s->recvptoken);
	test_set_ptoken(fd, level);
	test_get(fd, level, IPSEC_SO_PTOKEN, 8, s->get_ptoken, &none);
	test_get(fd, level, IPSEC_SO_LATCH, sizeof(s->latch), s->get_latch, &s->latch);
	test_set_latch(fd, level, s->set_latch);
	test_get(fd, level, IPSEC_SO_LATCH, sizeof(s->latch), s->get_latch, &s->latch);
	test_neighbours(fd, level);
	/* ends with turning it off */
	test_set_recvptoken(fd, level, s->set_recvptoken);
	test_get(fd, level, IPSEC_SO_RECVPTOKEN, 4, s->get_recvptoken, &off);
	close(fd);
}

static void test_subject(const struct subject *s, enum family family)
{
	int fd;

	address_set(family);
	fd = s->open();
	if (fd < 0) {
		ksft_test_result_skip("%s, %s: %s\n", s->name, family_names[family],
				      strerror(errno));
		return;
	}
	if (family == IPV4) {
		test_foreign(fd, SOL_IPV6, EOPNOTSUPP, ENOPROTOOPT);
		test_level(s, SOL_IP);
	} else {
		test_level(s, SOL_IPV6);
		if (s->open == raw)
			test_foreign(fd, SOL_IP, ENOPROTOOPT, ENOPROTOOPT);
		else
			test_level(s, SOL_IP);
	}
	close(fd);
	report(s->name, family_names[family]);
}

/* Sockets that no option of ours gets to. */
static void test_others(void)
{
	static const struct {
		const char *name;
		int domain, type, protocol;
		int get, set;
	} others[] = {
		{ "MPTCP, IPv4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, EOPNOTSUPP, ENOPROTOOPT },
		{ "MPTCP, IPv6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP, EOPNOTSUPP, ENOPROTOOPT },
		{ "UNIX stream", AF_UNIX, SOCK_STREAM, 0, EOPNOTSUPP, EOPNOTSUPP },
		{ "UNIX datagram", AF_UNIX, SOCK_DGRAM, 0, EOPNOTSUPP, EOPNOTSUPP },
		{ "netlink", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC, ENOPROTOOPT, ENOPROTOOPT },
		{ "packet", AF_PACKET, SOCK_DGRAM, 0, ENOPROTOOPT, ENOPROTOOPT },
	};
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		fd = socket(others[i].domain, others[i].type, others[i].protocol);
		if (fd < 0) {
			ksft_test_result_skip("%s: %s\n", others[i].name, strerror(errno));
			continue;
		}
		test_foreign(fd, SOL_IP, others[i].get, others[i].set);
		test_foreign(fd, SOL_IPV6, others[i].get, others[i].set);
		close(fd);
		report(others[i].name, "");
	}

	fd = open("/dev/null", O_RDWR);
	test_foreign(fd, SOL_IP, ENOTSOCK, ENOTSOCK);
	report("no socket", "");
	close(fd);
	test_foreign(fd, SOL_IP, EBADF, EBADF);
	report("no file", "");
}

/* With a peer that knows TCP only it is TCP, and says so. */
static void test_mptcp_fallback(void)
{
	uint64_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	socklen_t length = sizeof(ptoken);
	int fd, one = 1;

	address_set(IPV4);
	fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	if (fd < 0) {
		ksft_test_result_skip("MPTCP with a peer of TCP: %s\n", strerror(errno));
		return;
	}
	tcp_connect(fd);
	EXPECT(0, getsockopt(fd, SOL_IP, IPSEC_SO_PTOKEN, &ptoken, &length), "get", 8);
	if (ptoken != IPSEC_PTOKEN_NONE)
		complain("# token 0x%llx\n", (unsigned long long)ptoken);
	EXPECT(ENOPROTOOPT, setsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &one, 4), "set", 4);
	close(fd);
	report("MPTCP with a peer of TCP", "");
}

int main(void)
{
	const struct subject *s;

	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, PROT_NONE))
		err(1, "pages");

	ksft_print_header();
	ksft_set_plan(3 * ARRAY_SIZE(subjects) - 2 + 9);
	for (s = subjects; s < subjects + ARRAY_SIZE(subjects); s++) {
		test_subject(s, IPV4);
		test_subject(s, IPV6);
		/* these are made for one protocol of the two */
		if (s->open != raw && s->open != ping)
			test_subject(s, MAPPED);
	}
	test_others();
	test_mptcp_fallback();
	ksft_finished();
}
