// SPDX-License-Identifier: GPL-2.0-only
/*
 * handshake FAMILY FIRST - TCP handshakes in which not every segment is what
 * it seems
 *
 * The host left has real TCP sockets, and is asked what protected them. The
 * host right is played by this program: it makes up segments and sends them
 * through IPsec (by a raw socket) or past it (by a packet socket). FAMILY is 4
 * or 6, FIRST the number of the first result.
 *
 * To get segments into a socket's backlog, a thread takes the socket's lock
 * and keeps it: it hands the kernel an option at an address at which a page
 * fault has to be resolved by this program, which takes its time.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ipsec/token.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum way { CLEAR, PROTECTED };

enum outcome { NONE, TOKEN, UNKNOWN };

static const char *const outcomes[] = { "none", "a token", "not known" };

static int family, result;
static int netns_left, netns_right;
static struct sockaddr_storage left, right;
static socklen_t length;
static int raw_out, raw_in, packet, ifindex;
static uint16_t left_port, right_port = 20000;
static int keepers[2];

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET))
		err(1, "setns");
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	/* at the same place in both kinds of address */
	((struct sockaddr_in *)address)->sin_port = htons(port);
}

static uint16_t get_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size))
		err(1, "getsockname");
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static void set_address(struct sockaddr_storage *address, const char *text4,
			const char *text6)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	if (family == AF_INET) {
		sin->sin_family = AF_INET;
		inet_pton(AF_INET, text4, &sin->sin_addr);
		length = sizeof(*sin);
	} else {
		sin6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, text6, &sin6->sin6_addr);
		length = sizeof(*sin6);
	}
}

/* ------------------------------------------------- the host on the right */

struct segment {
	union {
		struct iphdr ip;
		struct ip6_hdr ip6;
	};
	/* TCP follows the header that is in use */
	char rest[2000];
};

static struct tcphdr *tcp_of(struct segment *segment)
{
	size_t header = family == AF_INET ? sizeof(segment->ip) : sizeof(segment->ip6);

	return (struct tcphdr *)((char *)segment + header);
}

static uint32_t sum(const void *data, size_t size, uint32_t start)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		start += byte[i] << 8 | byte[i + 1];
	if (size & 1)
		start += byte[size - 1] << 8;
	return start;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons(~total);
}

#define FIN	0x01
#define SYN	0x02
#define RST	0x04
#define ACK	0x10
#define BAD_SUM	0x100	/* not a flag of TCP */

static void send_segment(enum way way, int flags, uint32_t seq, uint32_t ack, const char *data)
{
	struct sockaddr_storage to = left;
	struct segment segment = {};
	struct tcphdr *tcp = tcp_of(&segment);
	size_t tcp_size = sizeof(*tcp) + strlen(data);
	size_t size = (char *)tcp - (char *)&segment + tcp_size;
	uint32_t total = IPPROTO_TCP + tcp_size;

	tcp->source = htons(right_port);
	tcp->dest = htons(left_port);
	tcp->seq = htonl(seq);
	tcp->ack_seq = htonl(ack);
	tcp->doff = sizeof(*tcp) / 4;
	((uint8_t *)tcp)[13] = flags;
	tcp->window = htons(60000);
	memcpy(tcp + 1, data, strlen(data));

	if (family == AF_INET) {
		struct iphdr *ip = &segment.ip;

		ip->version = 4;
		ip->ihl = 5;
		ip->tot_len = htons(size);
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		ip->saddr = ((struct sockaddr_in *)&right)->sin_addr.s_addr;
		ip->daddr = ((struct sockaddr_in *)&left)->sin_addr.s_addr;
		ip->check = fold(sum(ip, sizeof(*ip), 0));
		total = sum(&ip->saddr, 8, total);
	} else {
		struct ip6_hdr *ip6 = &segment.ip6;

		ip6->ip6_vfc = 0x60;
		ip6->ip6_plen = htons(tcp_size);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		ip6->ip6_src = ((struct sockaddr_in6 *)&right)->sin6_addr;
		ip6->ip6_dst = ((struct sockaddr_in6 *)&left)->sin6_addr;
		total = sum(&ip6->ip6_src, 32, total);
	}
	tcp->check = fold(sum(tcp, tcp_size, total));
	if (flags & BAD_SUM)
		tcp->check ^= htons(0x1234);

	if (way == PROTECTED) {
		set_port(&to, 0);
		if (sendto(raw_out, &segment, size, 0, (struct sockaddr *)&to, length) < 0)
			err(1, "sendto");
	} else {
		struct sockaddr_ll link = {
			.sll_family = AF_PACKET,
			.sll_protocol = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6),
			.sll_ifindex = ifindex,
			.sll_halen = 6,
			.sll_addr = { 2, 0, 0, 0, 0, 1 },
		};

		if (sendto(packet, &segment, size, 0, (struct sockaddr *)&link,
			   sizeof(link)) < 0)
			err(1, "sendto");
	}
	/* what goes through IPsec is queued on its way: keep the order */
	usleep(60000);
}

/* Wait for a segment from the left with these flags; its seq and ack. */
static void receive_segment(int flags, uint32_t *seq, uint32_t *ack)
{
	struct pollfd pollfd = { .fd = raw_in, .events = POLLIN };
	struct segment segment;
	struct tcphdr *tcp;
	ssize_t size;

	while (poll(&pollfd, 1, 5000) == 1) {
		/* of IPv6, a raw socket delivers no header */
		if (family == AF_INET) {
			size = recv(raw_in, &segment, sizeof(segment), 0);
			tcp = tcp_of(&segment);
		} else {
			tcp = tcp_of(&segment);
			size = recv(raw_in, tcp, sizeof(segment.rest), 0);
		}
		if (size < (ssize_t)sizeof(*tcp) || ntohs(tcp->dest) != right_port ||
		    (left_port && ntohs(tcp->source) != left_port) ||
		    (((uint8_t *)tcp)[13] & (SYN | ACK | RST)) != flags)
			continue;
		left_port = ntohs(tcp->source);
		*seq = ntohl(tcp->seq);
		*ack = ntohl(tcp->ack_seq);
		return;
	}
	errx(1, "no segment with flags 0x%x", flags);
}

/* The kernel on the right would reset what it knows nothing of. */
static int keep_silent(uint16_t port)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog filter = { 1, nothing };
	struct sockaddr_storage address = right;
	int fd, one = 1;

	enter(netns_right);
	fd = socket(family, SOCK_STREAM, 0);
	set_port(&address, port);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1))
		err(1, "keep_silent");
	return fd;
}

static void open_right(void)
{
	struct ifreq ifreq = { .ifr_name = "veth" };
	int one = 1;

	enter(netns_right);
	raw_out = socket(family, SOCK_RAW, IPPROTO_RAW);
	raw_in = socket(family, SOCK_RAW, IPPROTO_TCP);
	packet = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (raw_out < 0 || raw_in < 0 || packet < 0)
		err(1, "socket");
	if (family == AF_INET6 &&
	    setsockopt(raw_out, SOL_IPV6, IPV6_HDRINCL, &one, sizeof(one)))
		err(1, "IPV6_HDRINCL");
	if (ioctl(packet, SIOCGIFINDEX, &ifreq))
		err(1, "veth");
	ifindex = ifreq.ifr_ifindex;
}

/* ------------------------------------------- keeping a socket's lock taken */

struct lock {
	int fd;
	int uffd;
	void *page;
	pthread_t thread;
};

static void *lock_thread(void *data)
{
	struct lock *lock = data;

	/* both options are copied in with the lock taken; neither is valid */
	setsockopt(lock->fd, family == AF_INET ? SOL_IP : SOL_IPV6,
		   family == AF_INET ? IP_OPTIONS : IPV6_HOPOPTS, lock->page, 16);
	return NULL;
}

static void lock_socket(struct lock *lock, int fd)
{
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffd_msg msg;

	lock->fd = fd;
	lock->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	lock->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (unsigned long)lock->page;
	area.range.len = 4096;
	if (lock->uffd < 0 || lock->page == MAP_FAILED ||
	    ioctl(lock->uffd, UFFDIO_API, &api) ||
	    ioctl(lock->uffd, UFFDIO_REGISTER, &area))
		err(1, "userfaultfd");
	if (pthread_create(&lock->thread, NULL, lock_thread, lock))
		errx(1, "pthread_create");
	/* the fault comes when the lock has been taken */
	if (read(lock->uffd, &msg, sizeof(msg)) != sizeof(msg))
		err(1, "userfaultfd");
}

static void unlock_socket(struct lock *lock)
{
	static char bytes[4096] __attribute__((aligned(4096)));
	struct uffdio_copy copy = {
		.dst = (unsigned long)lock->page,
		.src = (unsigned long)bytes,
		.len = sizeof(bytes),
	};

	memset(bytes, 0xff, sizeof(bytes));
	if (ioctl(lock->uffd, UFFDIO_COPY, &copy))
		err(1, "UFFDIO_COPY");
	pthread_join(lock->thread, NULL);
	munmap(lock->page, 4096);
	close(lock->uffd);
}

/* -------------------------------------------------------------- verdicts */

static void report(int fd, enum outcome wanted, const char *text)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	enum outcome got;
	int ret;

	enter(netns_left);
	ret = ipsec_ptoken_from_fd(fd, &ptoken);
	if (ret == -ENODATA)
		got = UNKNOWN;
	else if (ret)
		errx(1, "%s: ipsec_ptoken_from_fd: %s", text, strerror(-ret));
	else
		got = ptoken == IPSEC_PTOKEN_NONE ? NONE : TOKEN;
	printf("%sok %d IPv%d: %s: %s\n", got == wanted ? "" : "not ", result++,
	       family == AF_INET ? 4 : 6, text, outcomes[wanted]);
	if (got != wanted)
		printf("# got: %s\n", outcomes[got]);
	fflush(stdout);
}

static int left_socket(void)
{
	int fd, one = 1;

	enter(netns_left);
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		err(1, "socket");
	return fd;
}

static void wait_for(int fd, short events, const char *text)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	if (poll(&pollfd, 1, 3000) != 1)
		errx(1, "%s: nothing accepted", text);
}

/* A segment that TCP will or won't take. */
struct step {
	enum way way;
	int flaw;	/* added to the number acknowledged */
	int flags;	/* BAD_SUM */
};

#define BOGUS_ACK	77

/* ------------------------------------------------------ the connecting end */

static void connecting(const struct step *steps, int count, bool locked,
		       enum outcome wanted, const char *text)
{
	const uint32_t isn = 0x10203040;
	uint32_t seq, ack;
	struct lock lock;
	char title[160];
	int fd, i;

	left_port = 0;
	right_port++;
	keepers[0] = keep_silent(right_port);
	fd = left_socket();
	set_port(&right, right_port);
	if (connect(fd, (struct sockaddr *)&right, length) != -1 || errno != EINPROGRESS)
		err(1, "connect");
	receive_segment(SYN, &seq, &ack);
	if (locked)
		lock_socket(&lock, fd);
	for (i = 0; i < count; i++)
		send_segment(steps[i].way, SYN | ACK | steps[i].flags, isn,
			     seq + 1 + steps[i].flaw, "");
	if (locked)
		unlock_socket(&lock);
	snprintf(title, sizeof(title), "connecting%s, %s", locked ? ", socket locked" : "", text);
	wait_for(fd, POLLOUT, title);
	report(fd, wanted, title);
	close(fd);
	close(keepers[0]);
}

static void connecting_all(void)
{
	static const struct {
		struct step steps[3];
		int count;
		enum outcome wanted;
		const char *text;
	} cases[] = {
		{ { { PROTECTED, 0, 0 } }, 1, TOKEN, "SYN-ACK protected" },
		{ { { CLEAR, 0, 0 } }, 1, NONE, "SYN-ACK in clear" },
		{ { { PROTECTED, BOGUS_ACK, 0 }, { CLEAR, 0, 0 } }, 2, NONE,
		  "protected SYN-ACK with a wrong ack, then one in clear" },
		{ { { PROTECTED, 0, BAD_SUM }, { CLEAR, 0, 0 } }, 2, NONE,
		  "protected SYN-ACK with a wrong checksum, then the same in clear" },
		{ { { CLEAR, BOGUS_ACK, 0 }, { PROTECTED, 0, 0 } }, 2, TOKEN,
		  "SYN-ACK in clear with a wrong ack, then one protected" },
		{ { { CLEAR, 0, BAD_SUM }, { PROTECTED, 0, 0 } }, 2, TOKEN,
		  "SYN-ACK in clear with a wrong checksum, then the same protected" },
		{ { { CLEAR, 0, 0 }, { PROTECTED, 0, 0 } }, 2, NONE,
		  "SYN-ACK in clear, then the same protected" },
		{ { { PROTECTED, 0, 0 }, { CLEAR, 0, 0 } }, 2, TOKEN,
		  "SYN-ACK protected, then the same in clear" },
	};
	unsigned int i, locked;

	for (locked = 0; locked < 2; locked++)
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			connecting(cases[i].steps, cases[i].count, locked,
				   cases[i].wanted, cases[i].text);
}

/* ------------------------------------------------------- the accepting end */

static int listener;

static void open_listener(void)
{
	struct sockaddr_storage address = left;
	int backlog = 16;

	enter(netns_left);
	listener = left_socket();
	set_port(&address, 0);
	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 16) ||
	    setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog)))
		err(1, "listen");
}

static void accepting(enum way syn, const struct step *steps, int count,
		      const char *data, enum outcome wanted, const char *text)
{
	const uint32_t isn = 0x50607080;
	uint32_t seq, ack;
	int fd, i;

	right_port++;
	left_port = get_port(listener);
	keepers[0] = keep_silent(right_port);
	send_segment(syn, SYN, isn, 0, "");
	receive_segment(SYN | ACK, &seq, &ack);
	for (i = 0; i < count; i++)
		send_segment(steps[i].way, ACK | steps[i].flags, isn + 1,
			     seq + 1 + steps[i].flaw, data);
	wait_for(listener, POLLIN, text);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	report(fd, wanted, text);
	close(fd);
	close(keepers[0]);
}

static void set_sysctl(const char *name, const char *value)
{
	char path[128];
	int fd;

	enter(netns_left);
	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void accepting_all(const char *how, const char *data)
{
	static const struct step protected = { PROTECTED, 0, 0 }, clear = { CLEAR, 0, 0 };
	static const struct step bogus_protected[] = {
		{ PROTECTED, BOGUS_ACK, 0 }, { CLEAR, 0, 0 }
	};
	static const struct step bogus_clear[] = { { CLEAR, BOGUS_ACK, 0 }, { PROTECTED, 0, 0 } };
	static const struct step bad_protected[] = { { PROTECTED, 0, BAD_SUM }, { CLEAR, 0, 0 } };
	static const struct step bad_clear[] = { { CLEAR, 0, BAD_SUM }, { PROTECTED, 0, 0 } };
	char text[160];

#define CASE(syn, steps, count, wanted, what) do {			\
	snprintf(text, sizeof(text), "accepting%s, %s", how, what);	\
	accepting(syn, steps, count, data, wanted, text);		\
} while (0)

	CASE(PROTECTED, &protected, 1, TOKEN, "all protected");
	CASE(CLEAR, &clear, 1, NONE, "all in clear");
	CASE(CLEAR, &protected, 1, TOKEN, "SYN in clear, ACK protected");
	CASE(PROTECTED, &clear, 1, NONE, "SYN protected, ACK in clear");
	CASE(PROTECTED, bogus_protected, 2, NONE,
	     "protected ACK with a wrong number, then one in clear");
	CASE(PROTECTED, bad_protected, 2, NONE,
	     "protected ACK with a wrong checksum, then the same in clear");
	CASE(CLEAR, bogus_clear, 2, TOKEN,
	     "ACK in clear with a wrong number, then one protected");
	CASE(CLEAR, bad_clear, 2, TOKEN,
	     "ACK in clear with a wrong checksum, then the same protected");
#undef CASE
}

/* A SYN with data, which the application gets at once. */
static void fast_open(enum way syn, enum way ack_way, bool locked, enum outcome early,
		      enum outcome wanted, const char *text)
{
	const uint32_t isn = 0x90a0b0c0;
	char title[160], buffer[16];
	uint32_t seq, ack;
	struct lock lock;
	int fd;

	right_port++;
	left_port = get_port(listener);
	keepers[0] = keep_silent(right_port);
	send_segment(syn, SYN, isn, 0, "data");
	receive_segment(SYN | ACK, &seq, &ack);
	snprintf(title, sizeof(title), "Fast Open%s, %s", locked ? ", socket locked" : "", text);
	wait_for(listener, POLLIN, title);
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || recv(fd, buffer, sizeof(buffer), 0) != 4)
		err(1, "%s: data of the SYN", title);
	if (!locked)
		report(fd, early, title);
	else
		lock_socket(&lock, fd);
	send_segment(ack_way, ACK, isn + 5, seq + 1, "");
	if (locked)
		unlock_socket(&lock);
	strcat(title, ", after the ACK");
	report(fd, wanted, title);
	close(fd);
	close(keepers[0]);
}

static void fast_open_all(void)
{
	int locked;

	set_sysctl("ipv4/tcp_fastopen", "519");	/* without cookies */
	for (locked = 0; locked < 2; locked++) {
		fast_open(PROTECTED, PROTECTED, locked, TOKEN, TOKEN, "all protected");
		fast_open(CLEAR, CLEAR, locked, NONE, NONE, "all in clear");
		fast_open(CLEAR, PROTECTED, locked, NONE, UNKNOWN, "SYN in clear");
		fast_open(PROTECTED, CLEAR, locked, TOKEN, TOKEN, "ACK in clear");
	}
}

/* ------------------------------------------------------ simultaneous open */

static void simultaneous(enum way syn, enum way ack_way, bool locked,
			 enum outcome wanted, const char *text)
{
	const uint32_t isn = 0xd0e0f000;
	uint32_t seq, ack, ignored;
	struct lock lock;
	char title[160];
	int fd;

	left_port = 0;
	right_port++;
	keepers[0] = keep_silent(right_port);
	fd = left_socket();
	set_port(&right, right_port);
	if (connect(fd, (struct sockaddr *)&right, length) != -1 || errno != EINPROGRESS)
		err(1, "connect");
	receive_segment(SYN, &seq, &ack);
	if (locked)
		lock_socket(&lock, fd);
	send_segment(syn, SYN, isn, 0, "");
	if (!locked)
		receive_segment(SYN | ACK, &ignored, &ack);
	send_segment(ack_way, SYN | ACK, isn, seq + 1, "");
	/* what does not keep to the SYN is refused, and does no harm */
	if (syn == PROTECTED && ack_way == CLEAR)
		send_segment(PROTECTED, SYN | ACK, isn, seq + 1, "");
	if (locked)
		unlock_socket(&lock);
	snprintf(title, sizeof(title), "simultaneous open%s, %s",
		 locked ? ", socket locked" : "", text);
	wait_for(fd, POLLOUT, title);
	report(fd, wanted, title);
	close(fd);
	close(keepers[0]);
}

static void simultaneous_all(void)
{
	int locked;

	for (locked = 0; locked < 2; locked++) {
		simultaneous(PROTECTED, PROTECTED, locked, TOKEN, "all protected");
		simultaneous(CLEAR, CLEAR, locked, NONE, "all in clear");
		simultaneous(CLEAR, PROTECTED, locked, UNKNOWN, "SYN in clear");
		simultaneous(PROTECTED, CLEAR, locked, TOKEN, "ACK in clear, then protected");
	}
}

int main(int argc, char **argv)
{
	int seconds = 30;

	if (argc != 3)
		errx(1, "handshake FAMILY FIRST");
	family = atoi(argv[1]) == 4 ? AF_INET : AF_INET6;
	result = atoi(argv[2]);
	set_address(&left, "10.0.0.1", "fd00::1");
	set_address(&right, "10.0.0.2", "fd00::2");
	netns_left = open("/run/netns/left", O_RDONLY);
	netns_right = open("/run/netns/right", O_RDONLY);
	if (netns_left < 0 || netns_right < 0)
		err(1, "netns");
	open_right();
	open_listener();

	connecting_all();
	simultaneous_all();
	accepting_all("", "");
	fast_open_all();
	set_sysctl("ipv4/tcp_syncookies", "2");
	accepting_all(" with SYN cookies", "");
	set_sysctl("ipv4/tcp_syncookies", "1");
	if (setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)))
		err(1, "TCP_DEFER_ACCEPT");
	accepting_all(" deferred", "data");
	set_sysctl("ipv4/ip_early_demux", "0");
	accepting_all(" without early demux", "data");
	connecting_all();
	return 0;
}
