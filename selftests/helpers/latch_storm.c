// SPDX-License-Identifier: GPL-2.0-only
/*
 * latch_storm connections|syns|refused COUNT [4|6] - a great many of something, of
 * which nothing stays behind
 *
 * connections: are opened under IPsec by peers played here, and closed in all the
 *	ways there are. Each is latched, and nothing is refused.
 * syns: come under IPsec, and the peer is not heard of any more. Some bring data,
 *	and are accepted with it. As long as it lasts, and after, there are no more
 *	records than what the listener allows for, and others get through.
 * refused: segments of a latched connection come in clear: each one is refused and
 *	counted, and not more than a few are told of.
 *
 * Fails and says why, unless it is all as it should be.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "../../lib/internal.h"
#include "bench_slab.h"
#include "bench_stats.h"
#include "tun_flows.h"

#define FAST_OPEN	16	/* children without a complete handshake, of the listener */
#define BACKLOG		128	/* children that nobody accepts, whether they live or not */
#define SIZE		100
#define EVENTS		10	/* in each second */
#define ELSE		65536	/* bytes that anything else may take meanwhile */

static const char *const refusals[] = {
	"in clear", "in another context", "in an unknown context",
	"out in clear", "out in another context", "out in an unknown context",
};

static struct ipsec *ipsec;

/* Wait until there are as many as that of something. */
static void check_stat(int which, const char *what, uint64_t wanted)
{
	unsigned int tries;

	for (tries = 0; tries < 600; tries++) {
		stats_read();
		if (stats[which] == wanted)
			return;
		usleep(50000);
	}
	errx(1, "%llu %s, not %llu", (unsigned long long)stats[which], what,
	     (unsigned long long)wanted);
}

static void check_refused(uint64_t wanted_in_clear)
{
	unsigned int i;

	stats_read();
	for (i = 0; i < IPSEC_ARRAY_SIZE(refusals); i++)
		if (stats[IPSEC_STATS_A_LATCH_IN_CLEAR + i] != (i ? 0 : wanted_in_clear))
			errx(1, "%llu refused: %s",
			     (unsigned long long)stats[IPSEC_STATS_A_LATCH_IN_CLEAR + i],
			     refusals[i]);
}

static void check_nothing_left(void)
{
	_Alignas(8) char buffer[512];
	struct nlmsghdr *nlh;

	check_stat(IPSEC_STATS_A_LATCHES, "latches", 0);
	check_stat(IPSEC_STATS_A_CONNECTIONS, "connections", 0);
	nlh = ipsec_nl_request(ipsec, buffer, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
	mnl_attr_put_u32(nlh, IPSEC_A_LINGER, 0);
	ipsec_enter(ipsec);
	if (ipsec_nl_talk(ipsec, nlh, NULL, NULL))
		errx(1, "linger: %s", ipsec_error(ipsec));
	ipsec_leave(ipsec);
	if (system("/usr/sbin/ip xfrm policy flush && /usr/sbin/ip xfrm state flush"))
		errx(1, "ip xfrm");
	check_stat(IPSEC_STATS_A_PATHS, "paths", 0);
	check_stat(IPSEC_STATS_A_CONTEXTS, "contexts", 0);
}

static void check_latched(int fd)
{
	struct ipsec_latch latch = {};

	if (ipsec_latch_get(fd, &latch) || latch.state != IPSEC_LATCH_ESTABLISHED)
		errx(1, "a connection that is not latched");
}

static uint16_t peer_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getpeername(fd, (struct sockaddr *)&address, &size))
		err(1, "getpeername");
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static int accepted(int listener)
{
	struct pollfd pollfd = { .fd = listener, .events = POLLIN };
	int fd;

	if (poll(&pollfd, 1, 10000) != 1)
		errx(1, "nothing to accept");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	check_latched(fd);
	return fd;
}

/* ------------------------------------------------------------- connections */

enum way { PEER_RESETS, HOST_RESETS, PEER_FIRST, HOST_FIRST, WAYS };

/* The host's FIN is on its way: answer it with what the peer has to say to that. */
static void answer_fin(struct flow *flow, enum way way, uint32_t fin)
{
	flow->ack = fin + 1;
	inject_tcp(flow, way == PEER_FIRST ? TH_ACK : TH_ACK | TH_FIN);
}

static void close_batch(struct flow *flow, const int *fd)
{
	struct linger linger = { .l_onoff = 1 };
	bool ends[BATCH] = {};
	unsigned int i, fins = 0;
	const struct tcphdr *tcp;
	struct packet packet;

	for (i = 0; i < BATCH; i++)
		if (i % WAYS == PEER_RESETS)
			inject_tcp(&flow[i], TH_ACK | TH_RST);
		else if (i % WAYS == PEER_FIRST)
			inject_tcp(&flow[i], TH_ACK | TH_FIN);
	usleep(1000);
	for (i = 0; i < BATCH; i++) {
		if (i % WAYS == HOST_RESETS &&
		    setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
			err(1, "SO_LINGER");
		if (i % WAYS == PEER_FIRST)
			flow[i].seq++;
		ends[i] = i % WAYS == PEER_FIRST || i % WAYS == HOST_FIRST;
		fins += ends[i];
		close(fd[i]);
	}
	while (fins && (tcp = tun_tcp_wait(&packet))) {
		i = ntohs(tcp->dest) - flow[0].port;
		if (!tcp->fin || i >= BATCH || !ends[i])
			continue;
		ends[i] = false;
		answer_fin(&flow[i], i % WAYS, ntohl(tcp->seq));
		fins--;
	}
	if (fins)
		errx(1, "%u connections do not end", fins);
	tun_drain();
}

static void connections(unsigned int count)
{
	unsigned int peers = (count + PER_PEER - 1) / PER_PEER, first, i;
	struct flow flow[BATCH];
	int fd[BATCH], listener;

	/* each keeps its port for a minute, where the host was first to end it */
	sysctl("ipv4/tcp_max_tw_buckets", "1000000");
	sas_add(0, peers);
	sas_add_out(0, peers);
	usleep(100000);
	listener = listen_at(SOCK_STREAM, BATCH);
	for (first = 0; first < count; first += BATCH) {
		flows_open(flow, first);
		for (i = 0; i < BATCH; i++) {
			int one = accepted(listener);

			fd[(uint16_t)(peer_port(one) - flow[0].port) % BATCH] = one;
		}
		if (!first)
			check_stat(IPSEC_STATS_A_LATCHES, "latches", BATCH);
		close_batch(flow, fd);
	}
	close(listener);
	check_refused(0);
	check_nothing_left();
}

/* -------------------------------------------------------------------- SYNs */

static void syns_send(unsigned int first)
{
	struct packet packet;
	struct flow flow;
	unsigned int i;

	for (i = first; i < first + BATCH; i++) {
		flow = flow_numbered(i);
		inject(&packet, packet_tcp(&packet, &flow, TH_SYN, i % 3 ? 0 : SIZE));
	}
	usleep(2000);
	tun_drain();
}

static void syns(unsigned int count)
{
	struct flow friend = { .peer = 1, .port = PEER_PORT, .spi = SPI(1) };
	int backlog = FAST_OPEN, listener, fd;
	struct memory before, after;
	unsigned int first, tries;
	uint64_t most = 0;
	uint16_t port;
	double each;

	sysctl("ipv4/tcp_fastopen", "519");	/* without cookies */
	sas_add(0, 2);
	sas_add_out(0, 2);
	usleep(100000);
	listener = listen_at(SOCK_STREAM, BACKLOG);
	if (setsockopt(listener, SOL_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog)))
		err(1, "TCP_FASTOPEN");
	/* what is there only once, or only the first time */
	syns_send(PER_PEER - BATCH);

	memory_exact(&before);
	for (first = 0; first < count; first += BATCH) {
		syns_send(first % (PER_PEER - BATCH));
		stats_read();
		if (stats[IPSEC_STATS_A_CONNECTIONS] > most)
			most = stats[IPSEC_STATS_A_CONNECTIONS];
	}
	printf("# %u SYNs: up to %llu records\n", count, (unsigned long long)most);
	if (!most)
		errx(1, "no SYN was accepted with its data");
	if (most > BACKLOG + 1)
		errx(1, "more records than the listener allows for");

	flow_open(&friend);
	do {
		fd = accepted(listener);
		port = peer_port(fd);
		close(fd);
	} while (port != PEER_PORT);
	inject_tcp(&friend, TH_ACK | TH_RST);
	close(listener);
	check_stat(IPSEC_STATS_A_LATCHES, "latches", 0);
	check_stat(IPSEC_STATS_A_CONNECTIONS, "connections", 0);
	tun_drain();
	/* others come and go */
	for (tries = 0; tries == 0 || (each * count > ELSE && tries < 5); tries++) {
		memory_exact(&after);
		each = memory_each(&before, &after, count, "SYN");
	}
	if (each * count > ELSE)
		errx(1, "%.1f bytes for each are left", each);
	check_nothing_left();
}

/* ----------------------------------------------------------------- refusals */

static struct mnl_socket *events_open(void)
{
	struct mnl_socket *events = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
	int group = ipsec->group_events, size = 1 << 22;

	if (!events || mnl_socket_bind(events, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ||
	    setsockopt(mnl_socket_get_fd(events), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)))
		err(1, "events");
	return events;
}

/* Is an event of the connection between these ports? */
static bool event_of(const struct nlmsghdr *nlh, uint16_t local, uint16_t peer)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SOCKET), *attr;
	unsigned int found = 0;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IPSEC_SOCKET_A_LOCAL_PORT)
			found += mnl_attr_get_u16(attr) == htons(local);
		else if (mnl_attr_get_type(attr) == IPSEC_SOCKET_A_PEER_PORT)
			found += mnl_attr_get_u16(attr) == htons(peer);
	return found == 2;
}

static unsigned int events_count(struct mnl_socket *events)
{
	_Alignas(8) char buffer[8192];
	const struct nlmsghdr *nlh = (struct nlmsghdr *)buffer;
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	unsigned int count = 0;

	while (mnl_socket_recvfrom(events, buffer, sizeof(buffer)) > 0) {
		if (genl->cmd != IPSEC_CMD_LATCH_NTF)
			continue;
		if (!event_of(nlh, PORT, PEER_PORT))
			errx(1, "an event of another connection");
		count++;
	}
	if (errno != EAGAIN)
		err(1, "events");
	return count;
}

static void refused(unsigned int count)
{
	struct flow flow = { .port = PEER_PORT, .spi = SPI(0) }, evil;
	unsigned int i, told, seconds;
	struct mnl_socket *events;
	struct ipsec_latch latch;
	struct packet packet;
	uint64_t begin;
	char data[2 * SIZE];
	int listener, fd;

	sas_add(0, 1);
	sas_add_out(0, 1);
	usleep(100000);
	listener = listen_at(SOCK_STREAM, 1);
	flow_open(&flow);
	fd = accepted(listener);
	events = events_open();

	evil = flow;
	evil.spi = CLEAR;
	begin = instructions();
	for (i = 0; i < count; i++)
		inject(&packet, packet_tcp(&packet, &evil, TH_ACK | (i % 3 ? 0 : TH_FIN), SIZE));
	usleep(10000);
	seconds = (instructions() - begin) / 1000000000 + 1;
	check_refused(count);
	if (ipsec_latch_get(fd, &latch) || latch.refused != count ||
	    latch.reason != IPSEC_LATCH_REASON_IN_CLEAR)
		errx(1, "the socket tells otherwise");
	if (recv(fd, data, sizeof(data), MSG_DONTWAIT) != -1 || errno != EAGAIN)
		errx(1, "something is delivered");
	told = events_count(events);
	printf("# %u refused in %u seconds: %u events\n", count, seconds, told);
	if (!told || told > EVENTS * (seconds + 1) || told >= count)
		errx(1, "not as often as it should be");

	inject(&packet, packet_tcp(&packet, &flow, TH_ACK, SIZE));
	if (recv(fd, data, sizeof(data), 0) != SIZE)
		errx(1, "the connection has not survived");
	flow.seq += SIZE;
	inject_tcp(&flow, TH_ACK | TH_RST);
	close(fd);
	close(listener);
	check_nothing_left();
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 2 ? atoi(argv[2]) / BATCH * BATCH : 0;
	cpu_set_t one;

	if (!count)
		errx(1, "latch_storm connections|syns|refused COUNT [4|6]");
	v6 = argc > 3 && *argv[3] == '6';
	/* what is sent from several processors may arrive in any order */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "sched_setaffinity");
	tun_open();
	if (ipsec_open(&ipsec))
		errx(1, "netlink");
	if (!strcmp(argv[1], "connections"))
		connections(count);
	else if (!strcmp(argv[1], "syns"))
		syns(count);
	else
		refused(count);
	return 0;
}
