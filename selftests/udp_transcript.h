/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a socket does, written down, so that a socket with pTokens, and one with a
 * request, can be compared with one that has neither: a scenario is played for each
 * of them, from scratch and with the same addresses and ports. It writes down all
 * that it gets to see. The transcripts must be the same. pTokens are checked and left
 * out: one with every datagram, after everything else, none with anything that is not
 * a datagram. The request is met by all that does not leave the host.
 */
#ifndef UDP_TRANSCRIPT_H
#define UDP_TRANSCRIPT_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/ipsec_token.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <kselftest.h>

enum kind { IPV4, IPV6, MAPPED };

static const char * const kind_names[] = { "IPv4", "IPv6", "mapped" };

/*
 * The receiver is @rx, port 6000. It gets datagrams from @tx, port 5000, and
 * from @other, port 5001.
 */
struct play {
	enum kind kind;
	bool ptoken;
	bool request;
	int rx, tx, other;
	FILE *log;
	int faults;		/* with pTokens */
};

#define RX_PORT		6000
#define TX_PORT		5000
#define OTHER_PORT	5001
#define CLOSED_PORT	6999

#define UDP_HEADER	8

static __attribute__((format(printf, 2, 3)))
void note(struct play *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(p->log, format, args);
	va_end(args);
	fputc('\n', p->log);
}

/* Something that has no counterpart without pTokens went wrong. */
static __attribute__((format(printf, 2, 3)))
void fault(struct play *p, const char *format, ...)
{
	va_list args;

	p->faults++;
	fputs("# fault: ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void note_hex(struct play *p, const char *what, const void *data, size_t len)
{
	const uint8_t *byte = data;
	uint32_t sum = len;
	size_t i;

	fprintf(p->log, "%s %zu:", what, len);
	for (i = 0; i < len; i++) {
		if (i < 40)
			fprintf(p->log, " %02x", byte[i]);
		sum = (sum << 5 | sum >> 27) ^ byte[i];
	}
	fprintf(p->log, " sum %08x\n", sum);
}

/* Errors by name, the rest as it is. */
static void note_result(struct play *p, const char *what, long result)
{
	if (result < 0)
		note(p, "%s: %s", what, strerrorname_np(errno));
	else
		note(p, "%s: %ld", what, result);
}

static socklen_t address(enum kind kind, bool receiver, int port,
			 struct sockaddr_storage *storage)
{
	struct sockaddr_in6 *sin6 = (void *)storage;
	struct sockaddr_in *sin = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (kind == IPV4 || (kind == MAPPED && !receiver)) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	inet_pton(AF_INET6, kind == IPV6 ? "::1" : "::ffff:127.0.0.1", &sin6->sin6_addr);
	return sizeof(*sin6);
}

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		err(1, "setsockopt(%d, %d)", level, name);
}

static int get(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	if (getsockopt(fd, level, name, &value, &len))
		return -errno;
	return value;
}

static int open_socket(enum kind kind, bool receiver, int port)
{
	struct sockaddr_storage a;
	socklen_t len = address(kind, receiver, port, &a);
	int fd = socket(a.ss_family, SOCK_DGRAM, 0);

	if (fd < 0)
		err(1, "socket");
	if (receiver)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (kind == MAPPED && receiver)
		((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_any;
	if (bind(fd, (void *)&a, len))
		err(1, "bind");
	return fd;
}

/* Return: 0 or a negative errno. */
static int require(int fd, bool on)
{
	const struct {
		struct nlattr attr;
		uint32_t flags;
	} request = { { sizeof(request), IPSEC_REQUEST_A_FLAGS }, IPSEC_REQUEST_F_LOOPBACK };

	return setsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, &request, on ? sizeof(request) : 0) ?
		-errno : 0;
}

/* A new receiver is of the kind that is played. */
static void dress_rx(struct play *p, int fd)
{
	if (p->ptoken)
		set(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, 1);
	if (p->request && require(fd, true))
		err(1, "IPSEC_SO_REQUEST");
}

static int open_rx(struct play *p)
{
	int fd = open_socket(p->kind, true, RX_PORT);

	dress_rx(p, fd);
	return fd;
}

/*
 * Wait until what was sent has arrived. Packets on this CPU stay in order: one
 * sent now arrives later, and a second later than what the first ones caused.
 */
static void settle(void)
{
	static int to = -1, from;
	struct sockaddr_storage a;
	socklen_t len = address(IPV4, false, 7000, &a);
	char byte;
	int i;

	if (to < 0) {
		to = socket(AF_INET, SOCK_DGRAM, 0);
		from = open_socket(IPV4, false, 7000);
	}
	for (i = 0; i < 2; i++)
		if (sendto(to, "", 1, 0, (void *)&a, len) != 1 || recv(from, &byte, 1, 0) != 1)
			err(1, "settle");
}

/* from either sender, or from the receiver to elsewhere */
static ssize_t send_to(struct play *p, int fd, int port, const void *data, size_t len)
{
	struct sockaddr_storage a;
	socklen_t alen = address(p->kind, fd == p->rx, port, &a);
	ssize_t sent = sendto(fd, data, len, 0, (void *)&a, alen);
	int error = errno;

	settle();
	errno = error;
	return sent;
}

static uint32_t sum_up(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

/* A datagram by hand, so that nobody but the receiver sees its checksum. */
static inline void send_raw(struct play *p, size_t len, bool good)
{
	static struct {
		struct udphdr udp;
		uint8_t data[5000];
	} packet;
	enum kind kind = p->kind == IPV6 ? IPV6 : IPV4;
	struct sockaddr_storage a;
	socklen_t alen = address(kind, true, 0, &a);
	int fd = socket(a.ss_family, SOCK_RAW, IPPROTO_UDP);
	struct in6_addr *addr6 = &((struct sockaddr_in6 *)&a)->sin6_addr;
	struct in_addr *addr4 = &((struct sockaddr_in *)&a)->sin_addr;
	uint32_t sum;

	if (fd < 0)
		err(1, "raw socket");
	memset(packet.data, 0x5a ^ len, len);
	packet.udp = (struct udphdr){
		.source = htons(TX_PORT), .dest = htons(RX_PORT), .len = htons(UDP_HEADER + len),
	};
	sum = sum_up(&packet, UDP_HEADER + len, IPPROTO_UDP + UDP_HEADER + len);
	if (kind == IPV6)
		sum = sum_up(addr6, 16, sum_up(addr6, 16, sum));
	else
		sum = sum_up(addr4, 4, sum_up(addr4, 4, sum));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	packet.udp.check = htons(~sum);
	if (!good)
		packet.udp.check ^= 0x1111;
	if (sendto(fd, &packet, UDP_HEADER + len, 0, (void *)&a, alen) < 0)
		err(1, "raw sendto");
	settle();
	close(fd);
}

/* a datagram for the receiver, of recognizable content */
static void send_some(struct play *p, size_t len)
{
	static uint8_t data[65536];
	static uint8_t first;
	size_t i;

	if (!p)	{	/* each play starts with the same */
		first = 0;
		return;
	}
	first++;
	for (i = 0; i < len; i++)
		data[i] = first + i * 7;
	if (send_to(p, p->tx, RX_PORT, data, len) != (ssize_t)len)
		err(1, "sendto %zu", len);
}

static bool is_time(const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == SOL_SOCKET &&
	       (cmsg->cmsg_type == SCM_TIMESTAMP ||
		cmsg->cmsg_type == SCM_TIMESTAMPNS ||
		cmsg->cmsg_type == SCM_TIMESTAMPING);
}

static bool is_ptoken(const struct play *p, const struct cmsghdr *cmsg)
{
	return cmsg->cmsg_level == (p->kind == IPV4 ? SOL_IP : SOL_IPV6) &&
	       cmsg->cmsg_type == IPSEC_SCM_PTOKEN;
}

/* The control messages in @msg, where @ptokens of them should be pTokens. */
static void note_cmsgs(struct play *p, struct msghdr *msg, int ptokens)
{
	size_t used = msg->msg_controllen;
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t len = cmsg->cmsg_len - CMSG_LEN(0);
		char what[32];
		uint64_t ptoken;

		if (is_ptoken(p, cmsg)) {
			memcpy(&ptoken, CMSG_DATA(cmsg), sizeof(ptoken));
			if (len != sizeof(ptoken) || ptoken != IPSEC_PTOKEN_NONE)
				fault(p, "pToken of %zu bytes, %#llx", len,
				      (unsigned long long)ptoken);
			if (CMSG_NXTHDR(msg, cmsg))
				fault(p, "pToken is not the last");
			used -= CMSG_SPACE(len);
			ptokens--;
			continue;
		}
		snprintf(what, sizeof(what), " cmsg %d/%d", cmsg->cmsg_level, cmsg->cmsg_type);
		if (is_time(cmsg)) {
			long long *time = (void *)CMSG_DATA(cmsg);

			note(p, "%s time %zu, %d", what, len, time[0] != 0);
		} else {
			note_hex(p, what, CMSG_DATA(cmsg), len);
		}
	}
	note(p, " control %zu", used);
	if (ptokens)
		fault(p, "%d pTokens too few", ptokens);
}

static void note_message(struct play *p, ssize_t got, struct msghdr *msg, bool ptoken)
{
	size_t i, left;

	note_result(p, "received", got);
	if (got < 0)
		return;
	note(p, " flags %#x", msg->msg_flags);
	note_hex(p, " name", msg->msg_name, msg->msg_namelen);
	left = got;
	for (i = 0; i < msg->msg_iovlen && left; i++) {
		size_t part = msg->msg_iov[i].iov_len < left ? msg->msg_iov[i].iov_len : left;

		note_hex(p, " data", msg->msg_iov[i].iov_base, part);
		left -= part;
	}
	if (msg->msg_control)
		note_cmsgs(p, msg, ptoken);
}

/* for receive(): this is no datagram */
#define NO_PTOKEN	(1 << 26)

/* recvmsg() with room for all and a pToken */
static ssize_t receive_from(struct play *p, int fd, size_t size, int flags)
{
	static uint8_t data[70000], control[4096];
	struct sockaddr_storage name;
	struct iovec iov = { data, size };
	struct msghdr msg = {
		.msg_name = &name, .msg_namelen = sizeof(name),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t got;

	memset(data, 0xee, sizeof(data));
	memset(&name, 0xee, sizeof(name));
	got = recvmsg(fd, &msg, (flags & ~NO_PTOKEN) | MSG_DONTWAIT);
	note_message(p, got, &msg, p->ptoken && fd == p->rx &&
		     !(msg.msg_flags & MSG_ERRQUEUE) && !(flags & NO_PTOKEN));
	return got;
}

static ssize_t receive(struct play *p, size_t size, int flags)
{
	return receive_from(p, p->rx, size, flags);
}

static inline void receive_all(struct play *p)
{
	while (receive(p, 70000, 0) >= 0 || errno != EAGAIN)
		;
}

/* what is left on the socket, and what went wrong on it */
static void note_state(struct play *p)
{
	uint32_t mem[SK_MEMINFO_VARS] = {};
	socklen_t len = sizeof(mem);

	if (getsockopt(p->rx, SOL_SOCKET, SO_MEMINFO, mem, &len))
		err(1, "SO_MEMINFO");
	note(p, "rmem %u drops %u", mem[SK_MEMINFO_RMEM_ALLOC], mem[SK_MEMINFO_DROPS]);
	note(p, "error %d", get(p->rx, SOL_SOCKET, SO_ERROR));
	note(p, "peek offset %d", get(p->rx, SOL_SOCKET, SO_PEEK_OFF));
}

struct counters {
	char name[24][32];
	long value[24];
	int nr;
};

/* counters of datagrams received in this network namespace */
static void read_counters(struct counters *c)
{
	char names[1024], line[1024], *n, *v, *np, *vp;
	FILE *f = fopen("/proc/net/snmp", "r");

	c->nr = 0;
	while (f && fgets(names, sizeof(names), f) && fgets(line, sizeof(line), f)) {
		if (strncmp(names, "Udp:", 4))
			continue;
		n = strtok_r(names, " \n", &np);
		v = strtok_r(line, " \n", &vp);
		while ((n = strtok_r(NULL, " \n", &np)) && (v = strtok_r(NULL, " \n", &vp))) {
			snprintf(c->name[c->nr], sizeof(c->name[0]), "Udp4%s", n);
			c->value[c->nr++] = atol(v);
		}
	}
	if (!f)
		err(1, "/proc/net/snmp");
	fclose(f);

	f = fopen("/proc/net/snmp6", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Udp6", 4) &&
		    sscanf(line, "%31s %ld", c->name[c->nr], &c->value[c->nr]) == 2)
			c->nr++;
	if (f)
		fclose(f);
}

#define ALL		(1 << IPV4 | 1 << IPV6 | 1 << MAPPED)
#define NOT_IPV4	(1 << IPV6 | 1 << MAPPED)
#define ONLY_IPV6	(1 << IPV6)

struct scenario {
	const char *name;
	void (*play)(struct play *p);
	int kinds;
};

static char *play(void (*scenario)(struct play *), enum kind kind, bool ptoken, bool request,
		  int *faults)
{
	struct play p = { .kind = kind, .ptoken = ptoken, .request = request };
	struct counters before, after;
	size_t size;
	char *text;
	int i;

	p.log = open_memstream(&text, &size);
	p.tx = open_socket(kind, false, TX_PORT);
	p.other = open_socket(kind, false, OTHER_PORT);
	p.rx = open_rx(&p);
	send_some(NULL, 0);
	read_counters(&before);

	scenario(&p);

	if (p.rx >= 0) {
		note_state(&p);
		close(p.rx);
	}
	read_counters(&after);
	for (i = 0; i < after.nr; i++)
		if (after.value[i] != before.value[i])
			note(&p, "%s %ld", after.name[i], after.value[i] - before.value[i]);
	close(p.tx);
	close(p.other);
	fclose(p.log);
	*faults += p.faults;
	return text;
}

static void show_difference(const char *text, const char *what, const char *other)
{
	const char *line = text, *end;

	while (*text && *text == *other) {
		if (*text++ == '\n')
			line = text;
		other++;
	}
	if (*text == *other)
		return;
	other -= text - line;
	end = strchrnul(line, '\n');
	ksft_print_msg("without: %.*s\n", (int)(end - line), line);
	end = strchrnul(other, '\n');
	ksft_print_msg("with %s: %.*s\n", what, (int)(end - other), other);
}

/* Play it with all sockets and compare: one result. */
static void compare(const char *name, void (*scenario)(struct play *), enum kind kind)
{
	int faults = 0;
	char *plain = play(scenario, kind, false, false, &faults);
	char *ptoken = play(scenario, kind, true, false, &faults);
	char *request = play(scenario, kind, false, true, &faults);

	if (getenv("TRANSCRIPT"))
		fprintf(stderr, "%s %s\n%s\n", kind_names[kind], name, plain);
	ksft_test_result(!strcmp(plain, ptoken) && !strcmp(plain, request) && !faults,
			 "%s: %s\n", kind_names[kind], name);
	show_difference(plain, "pTokens", ptoken);
	show_difference(plain, "a request", request);
	free(plain);
	free(ptoken);
	free(request);
}

static void compare_all(const struct scenario *scenario, size_t nr)
{
	enum kind kind;
	size_t i;

	for (kind = IPV4; kind <= MAPPED; kind++)
		for (i = 0; i < nr; i++)
			if (scenario[i].kinds & 1 << kind)
				compare(scenario[i].name, scenario[i].play, kind);
}

/* Large datagrams are fragmented, timestamps taken from the start. */
static void prepare_host(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_mtu = 1500 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	cpu_set_t first;

	setlinebuf(stdout);	/* if a test is killed, tell how far it came */

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		err(1, "sched_setaffinity");
	if (ioctl(fd, SIOCSIFMTU, &ifr))
		err(1, "SIOCSIFMTU");
	set(fd, SOL_SOCKET, SO_TIMESTAMP, 1);
	usleep(100000);
	/* left open: timestamps are taken while somebody wants them */
}

#endif /* UDP_TRANSCRIPT_H */
