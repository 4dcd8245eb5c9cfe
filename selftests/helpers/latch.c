// SPDX-License-Identifier: GPL-2.0-only
/*
 * The latches of the host left, seen from all sides by one process: commands on
 * a line of standard input, with " ; " between them, and one line with all the
 * answers.
 *
 *	between LEFT RIGHT [PORT [DEVICE]]	addresses of what is opened next
 *	open NAME initiator|responder	a TCP connection; who left is
 *	say NAME		data each way
 *	send NAME left|right TEXT	by that host
 *	read NAME left|right TEXT	wait until that has come: ok, or what did
 *	got NAME		what left has to read: text, "nothing", "end" or an error
 *	wait NAME		until there is something of the kind
 *	inject NAME evil|clear WHAT [HOW]	a segment to left, in the name of
 *				right. WHAT is data, rst, fin, seq or sum (data
 *				with a wrong one). HOW (IPv6): hop or dst (behind
 *				an extension header), or fragments
 *	latch NAME		what the socket option says: STATE FLAGS REASON
 *				REFUSED NOW
 *	flags NAME NUMBER	set it
 *	token NAME, about NAME	the token, and what iToken it leads to
 *	retransmits NAME	by both ends
 *	disorder NAME		segments that came out of order, to both ends
 *	flow NAME, flowed NAME	begin to send something small each way again and
 *				again, and read it; end that: ok if all has come
 *	close NAME [abort]	both ends
 *	outer LEFT RIGHT	addresses of SAs, if not those
 *	bind SPI WHO [LINEAGE]	the pair of SAs counted from SPI, on left
 *	mode enforce|report|off, trust NAME 0|1
 *	count			what latches have counted since asked last
 *	there			what is there: latches connections paths contexts
 *	list			latches in the dump, by state
 *	events			what was told since: EXPECTED SEEN REASON, of each
 *	watch, seen		data that left in clear since watch
 *	forget			the module, which is about to go
 *
 * Who a token, or a context of an event, belongs to is the first byte of its
 * iToken in hex, "nobody" or "clear". What fails is answered with the error.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/pfkeyv2.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "segment.h"

#define TIMEOUT		20000	/* milliseconds */
#define LINKS		16
#define MAX_ARGS	6

enum host { LEFT, RIGHT, EVIL, HOSTS };

static const char *const host_names[] = { "left", "right", "evil" };

struct link {
	char name[16];		/* free if empty */
	int fd[2];
	int listener;
	struct sockaddr_storage own, peer;	/* of left, with ports */
};

static int netns[HOSTS];
static struct ipsec *ipsec;
static struct mnl_socket *events;
static struct link links[LINKS];
static struct sockaddr_storage addresses[2], outer[2];
static socklen_t length;
static int port = 7000;
static const char *device;
static int packet_out, packet_in = -1;

static const char *error_name(int error)
{
	return strerrorname_np(abs(error));
}

static void enter(enum host host)
{
	if (setns(netns[host], CLONE_NEWNET))
		err(1, "setns %s", host_names[host]);
}

static void answer(const char *text)
{
	fputs(text, stdout);
}

static void answer_error(int error)
{
	answer(error ? error_name(error) : "ok");
}

static struct link *link_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < LINKS; i++)
		if (!strcmp(links[i].name, name))
			return &links[i];
	errx(1, "%s: no such connection", *name ? name : "too many");
}

/* -------------------------------------------------------- talk with module */

static struct ipsec *module(void)
{
	enter(LEFT);
	if (!ipsec && ipsec_open(&ipsec))
		return NULL;
	return ipsec;
}

static int talk(struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	int ret;

	enter(LEFT);
	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, cb, data);
	ipsec_leave(ipsec);
	return ret;
}

static int stats_parse(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_STATS), *attr;
	uint64_t *stats = data;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) <= IPSEC_STATS_A_MAX &&
		    mnl_attr_get_payload_len(attr) == sizeof(uint64_t))
			stats[mnl_attr_get_type(attr)] = mnl_attr_get_u64(attr);
	return 0;
}

static void stats_get(uint64_t *stats)
{
	_Alignas(8) char buf[512];
	int ret;

	memset(stats, 0, (IPSEC_STATS_A_MAX + 1) * sizeof(*stats));
	if (!module())
		return;
	ret = talk(ipsec_nl_request(ipsec, buf, IPSEC_CMD_STATS_GET, NLM_F_ACK), stats_parse,
		   stats);
	if (ret)
		errx(1, "statistics: %s", ipsec_error(ipsec));
}

static uint64_t refused_count(void)
{
	uint64_t stats[IPSEC_STATS_A_MAX + 1], sum = 0;
	int i;

	stats_get(stats);
	for (i = IPSEC_STATS_A_LATCH_IN_CLEAR; i <= IPSEC_STATS_A_LATCH_OUT_UNKNOWN; i++)
		sum += stats[i];
	return sum;
}

static void do_count(void)
{
	static const char *const names[] = {
		"in-clear", "in-context", "in-unknown", "out-clear", "out-context",
		"out-unknown", "held", "broken", "reset",
	};
	static uint64_t before[IPSEC_STATS_A_MAX + 1];
	uint64_t stats[IPSEC_STATS_A_MAX + 1];
	bool none = true;
	unsigned int i;

	stats_get(stats);
	for (i = 0; i < IPSEC_ARRAY_SIZE(names); i++) {
		unsigned int at = IPSEC_STATS_A_LATCH_IN_CLEAR + i;

		if (stats[at] == before[at])
			continue;
		printf("%s%s %d", none ? "" : " ", names[i], (int)(stats[at] - before[at]));
		none = false;
	}
	if (none)
		answer("none");
	memcpy(before, stats, sizeof(before));
}

static void do_there(void)
{
	uint64_t stats[IPSEC_STATS_A_MAX + 1];

	stats_get(stats);
	printf("%d %d %d %d", (int)stats[IPSEC_STATS_A_LATCHES],
	       (int)stats[IPSEC_STATS_A_CONNECTIONS], (int)stats[IPSEC_STATS_A_PATHS],
	       (int)stats[IPSEC_STATS_A_CONTEXTS]);
}

/* The first byte of the iToken in a nest of a context. */
static int who_parse(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_CONTEXT), *attr, *inner;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) != IPSEC_CONTEXT_A_IDENTITY)
			continue;
		mnl_attr_for_each_nested(inner, attr)
			if (mnl_attr_get_type(inner) == IPSEC_IDENTITY_A_ITOKEN)
				*(int *)data = *(uint8_t *)mnl_attr_get_payload(inner);
	}
	return 0;
}

static void print_who(struct nlmsghdr *nlh)
{
	int value = -1, ret;

	ret = talk(nlh, who_parse, &value);
	if (ret)
		answer(error_name(ret));
	else if (value < 0)
		answer("nobody");
	else
		printf("%02x", value);
}

static void print_context(uint64_t id)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;

	if (!id) {
		answer("clear");
		return;
	}
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_CONTEXT_GET, NLM_F_ACK);
	mnl_attr_put_u64(nlh, IPSEC_A_CONTEXT_ID, id);
	print_who(nlh);
}

static const char *const states[] = { "none", "listener", "established", "broken", "closed" };

static const char *const reasons[] = {
	"-", "in-clear", "in-context", "in-unknown", "out-clear", "out-context", "out-unknown",
};

static int list_parse(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SOCKET), *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IPSEC_SOCKET_A_LATCH_STATE)
			((int *)data)[mnl_attr_get_u8(attr)]++;
	return 0;
}

static void do_list(void)
{
	int count[IPSEC_ARRAY_SIZE(states)] = {}, ret;
	_Alignas(8) char buf[512];
	bool none = true;
	unsigned int i;

	if (!module()) {
		answer("no module");
		return;
	}
	ret = talk(ipsec_nl_request(ipsec, buf, IPSEC_CMD_LATCH_GET, NLM_F_DUMP), list_parse,
		   count);
	if (ret) {
		answer(error_name(ret));
		return;
	}
	for (i = 0; i < IPSEC_ARRAY_SIZE(states); i++) {
		if (count[i])
			printf("%s%s %d", none ? "" : " ", states[i], count[i]);
		none &= !count[i];
	}
	if (none)
		answer("none");
}

static void put_sa(struct nlmsghdr *nlh, int to, uint32_t spi)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);
	const struct sockaddr_storage *address = &outer[to];

	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
	if (address->ss_family == AF_INET)
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 4,
			     &((const struct sockaddr_in *)address)->sin_addr);
	else
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 16,
			     &((const struct sockaddr_in6 *)address)->sin6_addr);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(spi));
	mnl_attr_nest_end(nlh, nest);
}

/* Whichever of the two there are: the evil one may have an SA one way only. */
static void do_bind(const char *spi, const char *who, const char *lineage)
{
	int to, ret, bound = 0, error = -ENOENT;

	if (!module()) {
		answer("no module");
		return;
	}
	for (to = LEFT; to <= RIGHT; to++) {
		uint8_t value[IPSEC_ITOKEN_SIZE];
		_Alignas(8) char buf[512];
		struct nlmsghdr *nlh;
		struct nlattr *nest;

		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
		memset(value, strtoul(who, NULL, 16), sizeof(value));
		nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PKIX_INLINE);
		if (lineage)
			mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE,
					 strtoul(lineage, NULL, 0));
		mnl_attr_nest_end(nlh, nest);
		put_sa(nlh, to, strtoul(spi, NULL, 0) + (to == RIGHT ? 1 : 2));
		ret = talk(nlh, NULL, NULL);
		bound += !ret;
		if (ret && ret != -ENOENT)
			error = ret;
	}
	answer_error(bound ? 0 : error);
}

/* Of both hosts, for right has latches as well. */
static void do_mode(const char *mode)
{
	static const char *const modes[] = { "", "enforce", "report", "off" };
	uint8_t value;
	int host;

	for (value = IPSEC_ARRAY_SIZE(modes) - 1; value && strcmp(mode, modes[value]);)
		value--;
	for (host = LEFT; host <= RIGHT; host++) {
		_Alignas(8) char buf[512];
		struct nlmsghdr *nlh;
		struct ipsec *handle;

		enter(host);
		if (ipsec_open(&handle)) {
			answer("no module");
			return;
		}
		nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
		mnl_attr_put_u8(nlh, IPSEC_A_LATCH_MODE, value ?: strtoul(mode, NULL, 0));
		ipsec_enter(handle);
		if (ipsec_nl_talk(handle, nlh, NULL, NULL)) {
			ipsec_leave(handle);
			answer(ipsec_error(handle));
			ipsec_close(handle);
			return;
		}
		ipsec_leave(handle);
		ipsec_close(handle);
	}
	answer("ok");
}

static void do_trust(const char *name, const char *trusted)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;

	module();
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_ALGORITHM_SET, NLM_F_ACK);
	mnl_attr_put_strz(nlh, IPSEC_A_ALGORITHM_NAME, name);
	mnl_attr_put_u8(nlh, IPSEC_A_ALGORITHM_TRUSTED, atoi(trusted));
	answer_error(talk(nlh, NULL, NULL));
}

/* ------------------------------------------------------------------ events */

static bool events_open(void)
{
	int group;

	if (events)
		return true;
	if (!module())
		return false;
	group = ipsec->group_events;
	events = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
	return events && !mnl_socket_bind(events, 0, MNL_SOCKET_AUTOPID) &&
	       !mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
}

static void event_print(const struct nlmsghdr *nlh, bool first)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	uint64_t expected = 0, seen = 0;
	const struct nlattr *nest, *attr;
	bool has_seen = false;
	int reason = 0;

	mnl_attr_for_each(nest, nlh, sizeof(*genl)) {
		if (mnl_attr_get_type(nest) != IPSEC_A_SOCKET)
			continue;
		mnl_attr_for_each_nested(attr, nest) {
			switch (mnl_attr_get_type(attr)) {
			case IPSEC_SOCKET_A_CONTEXT_ID:
				expected = mnl_attr_get_u64(attr);
				break;
			case IPSEC_SOCKET_A_LATCH_SEEN:
				seen = mnl_attr_get_u64(attr);
				has_seen = true;
				break;
			case IPSEC_SOCKET_A_LATCH_REASON:
				reason = mnl_attr_get_u8(attr);
				break;
			}
		}
	}
	if (!first)
		answer(" ; ");
	print_context(expected);
	putchar(' ');
	if (has_seen)
		print_context(seen);
	else
		answer("unknown");
	printf(" %s", reasons[reason]);
}

static void do_events(void)
{
	_Alignas(8) char buf[8192];
	const struct nlmsghdr *nlh;
	bool first = true;
	ssize_t size;
	int left;

	if (!events_open()) {
		answer("no module");
		return;
	}
	enter(LEFT);
	while ((size = mnl_socket_recvfrom(events, buf, sizeof(buf))) > 0) {
		left = size;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			if (((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd !=
			    IPSEC_CMD_LATCH_NTF)
				continue;
			event_print(nlh, first);
			first = false;
		}
	}
	if (first)
		answer("none");
}

static void do_forget(void)
{
	if (events)
		mnl_socket_close(events);
	if (ipsec)
		ipsec_close(ipsec);
	events = NULL;
	ipsec = NULL;
	answer("ok");
}

/* ------------------------------------------------------------- connections */

static void address_set(struct sockaddr_storage *address, const char *text)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	if (strchr(text, ':')) {
		sin6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, text, &sin6->sin6_addr);
		length = sizeof(*sin6);
	} else {
		sin->sin_family = AF_INET;
		inet_pton(AF_INET, text, &sin->sin_addr);
		length = sizeof(*sin);
	}
}

static int socket_bound(enum host host, int at)
{
	struct timeval timeout = { .tv_sec = TIMEOUT / 1000 };
	struct sockaddr_storage own = addresses[host];
	int fd, one = 1;

	enter(host);
	/* at the same place in both kinds of address */
	((struct sockaddr_in *)&own)->sin_port = htons(at);
	fd = socket(own.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    (host == LEFT && device &&
	     setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device))) ||
	    bind(fd, (struct sockaddr *)&own, length))
		err(1, "socket of %s", host_names[host]);
	return fd;
}

static void do_open(const char *name, const char *role)
{
	enum host from = strcmp(role, "responder") ? LEFT : RIGHT, to = !from;
	struct link *link = link_find("");
	struct sockaddr_storage peer = addresses[to];
	socklen_t size = sizeof(link->own);

	snprintf(link->name, sizeof(link->name), "%s", name);
	link->listener = socket_bound(to, port);
	link->fd[to] = -1;
	link->fd[from] = socket_bound(from, port + 1000);
	((struct sockaddr_in *)&peer)->sin_port = htons(port);
	if (listen(link->listener, 4) ||
	    connect(link->fd[from], (struct sockaddr *)&peer, length)) {
		answer(error_name(errno));
	} else {
		link->fd[to] = accept(link->listener, NULL, NULL);
		if (link->fd[to] < 0 ||
		    getsockname(link->fd[LEFT], (struct sockaddr *)&link->own, &size) ||
		    getpeername(link->fd[LEFT], (struct sockaddr *)&link->peer, &size))
			err(1, "accept");
		answer("ok");
	}
	port++;
}

static void do_close(struct link *link, bool abort)
{
	struct linger linger = { .l_onoff = abort };
	int host;

	for (host = RIGHT; host >= LEFT; host--) {
		if (link->fd[host] < 0)
			continue;
		setsockopt(link->fd[host], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(link->fd[host]);
	}
	close(link->listener);
	link->name[0] = '\0';
	answer("ok");
}

static int host_of(const char *name)
{
	return !strcmp(name, "right");
}

static int text_send(struct link *link, int host, const char *text)
{
	size_t size = strlen(text);

	return send(link->fd[host], text, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : errno;
}

/* Wait, and not in recv(): a segment must not find the socket in use. */
static bool readable(int fd, int timeout)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, timeout) == 1;
}

static int text_read(struct link *link, int host, const char *text, char *got, size_t size)
{
	size_t wanted = strlen(text), have = 0;
	ssize_t ret;

	while (have < wanted && readable(link->fd[host], TIMEOUT)) {
		ret = recv(link->fd[host], got + have, size - have - 1, MSG_DONTWAIT);
		if (ret < 0)
			return errno;
		if (!ret)
			return EPIPE;
		have += ret;
	}
	got[have] = '\0';
	return have < wanted ? ETIMEDOUT : 0;
}

static void do_read(struct link *link, const char *host, const char *text)
{
	char got[256] = "";
	int error = text_read(link, host_of(host), text, got, sizeof(got));

	answer(error ? error_name(error) : strcmp(got, text) ? got : "ok");
}

static void do_say(struct link *link)
{
	char got[256] = "";
	int from, error = 0;

	for (from = LEFT; from <= RIGHT && !error; from++) {
		error = text_send(link, from, host_names[from]);
		if (!error)
			error = text_read(link, !from, host_names[from], got, sizeof(got));
		if (!error && strcmp(got, host_names[from])) {
			answer(got);
			return;
		}
	}
	answer_error(error);
}

static void do_got(struct link *link)
{
	char got[256] = "";
	ssize_t ret = recv(link->fd[LEFT], got, sizeof(got) - 1, MSG_DONTWAIT);

	if (ret > 0)
		answer(got);
	else if (!ret)
		answer("end");
	else
		answer(errno == EAGAIN ? "nothing" : error_name(errno));
}

static atomic_bool flowing;
static pthread_t flow_thread;
static int flow_error;

/* Each end sends numbers, and reads those of the other, which must be in order. */
static void *flow(void *data)
{
	uint32_t sent[2] = {}, got[2] = {}, number;
	struct link *link = data;
	int host, quiet = 0;

	flow_error = 0;
	while (!flow_error && quiet < TIMEOUT) {
		for (host = LEFT; host <= RIGHT; host++) {
			if (atomic_load(&flowing) &&
			    send(link->fd[host], &sent[host], 4, MSG_DONTWAIT) == 4)
				sent[host]++;
			while (recv(link->fd[host], &number, 4, MSG_DONTWAIT) == 4) {
				quiet = 0;
				if (number != got[host]++)
					flow_error = EBADMSG;
			}
		}
		if (!atomic_load(&flowing) && got[LEFT] == sent[RIGHT] &&
		    got[RIGHT] == sent[LEFT])
			return NULL;
		usleep(1000);
		quiet++;
	}
	if (!flow_error)
		flow_error = ETIMEDOUT;
	return NULL;
}

static void do_flow(struct link *link, bool begin)
{
	atomic_store(&flowing, begin);
	if (begin)
		answer_error(pthread_create(&flow_thread, NULL, flow, link));
	else
		answer_error(pthread_join(flow_thread, NULL) ?: flow_error);
}

/* --------------------------------------------------------------- injection */

/* Where a connection has got to: the number of its next byte. */
static uint32_t next_number(int fd, int queue)
{
	int on = 1, off = -1 /* without a probe */, none = 0;
	socklen_t size = sizeof(uint32_t);
	uint32_t number;

	if (setsockopt(fd, SOL_TCP, TCP_REPAIR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    getsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &number, &size) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &none, sizeof(none)) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR, &off, sizeof(off)))
		err(1, "TCP_REPAIR");
	return number;
}

#define RECEIVE_QUEUE	1
#define SEND_QUEUE	2

static void put_on_wire(const struct segment *segment, size_t size, bool ipv6)
{
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP),
		.sll_halen = 6,
		.sll_addr = { 2, 0, 0, 0, 0, 1 },
	};

	enter(RIGHT);
	link.sll_ifindex = if_nametoindex("veth");
	if (sendto(packet_out, segment, size, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
		err(1, "packet socket");
}

/* The host evil protects it, with keys of its own. */
static void put_through_ipsec(const struct segment *segment, size_t size, struct sockaddr_storage to)
{
	int fd, one = 1;

	enter(EVIL);
	((struct sockaddr_in *)&to)->sin_port = 0;
	fd = socket(to.ss_family, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || (to.ss_family == AF_INET6 &&
		       setsockopt(fd, SOL_IPV6, IPV6_HDRINCL, &one, sizeof(one))) ||
	    sendto(fd, segment, size, 0, (struct sockaddr *)&to, length) < 0)
		err(1, "raw socket");
	close(fd);
}

/* Eight bytes behind the IPv6 header. */
static size_t insert_header(struct segment *segment, size_t size, int type,
			    const uint8_t *header)
{
	uint8_t *at = (uint8_t *)segment + sizeof(struct ip6_hdr);

	memmove(at + 8, at, size - sizeof(struct ip6_hdr));
	memcpy(at, header, 8);
	at[0] = segment->ip6.ip6_nxt;
	segment->ip6.ip6_nxt = type;
	segment->ip6.ip6_plen = htons(ntohs(segment->ip6.ip6_plen) + 8);
	return size + 8;
}

static void put_fragments(struct segment *segment, size_t size)
{
	uint8_t more[8] = { 0, 0, 0, 1, 0xde, 0xad, 0, 1 };
	uint8_t last[8] = { 0, 0, 0, 8, 0xde, 0xad, 0, 1 };
	size_t header = sizeof(struct ip6_hdr);
	struct segment part = *segment;

	/* the first eight bytes, then the rest */
	part.ip6.ip6_plen = htons(8);
	put_on_wire(&part, insert_header(&part, header + 8, IPPROTO_FRAGMENT, more), true);
	memmove((char *)segment + header, (char *)segment + header + 8, size - header - 8);
	segment->ip6.ip6_plen = htons(size - header - 8);
	put_on_wire(segment, insert_header(segment, size - 8, IPPROTO_FRAGMENT, last), true);
}

static void do_inject(struct link *link, const char *by, const char *what, const char *how)
{
	static const uint8_t padding[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	uint32_t seq = next_number(link->fd[LEFT], RECEIVE_QUEUE);
	uint32_t ack = next_number(link->fd[RIGHT], RECEIVE_QUEUE);
	bool ipv6 = link->own.ss_family == AF_INET6;
	uint64_t before = refused_count();
	const char *text = "evil";
	struct segment segment;
	int i, flags = ACK;
	size_t size;

	if (!strcmp(what, "rst"))
		flags |= RST;
	else if (!strcmp(what, "fin"))
		flags |= FIN;
	else if (!strcmp(what, "sum"))
		flags |= BAD_SUM;
	else if (!strcmp(what, "seq"))
		seq -= 100000;
	if (flags & (RST | FIN))
		text = "";
	size = segment_make(&segment, &link->peer, &link->own, flags, seq, ack, text);
	if (!strcmp(how, "hop"))
		size = insert_header(&segment, size, IPPROTO_HOPOPTS, padding);
	else if (!strcmp(how, "dst"))
		size = insert_header(&segment, size, IPPROTO_DSTOPTS, padding);

	if (!strcmp(how, "fragments"))
		put_fragments(&segment, size);
	else if (!strcmp(by, "clear"))
		put_on_wire(&segment, size, ipv6);
	else
		put_through_ipsec(&segment, size, link->own);

	/* until it has done something, or been refused, or long enough */
	enter(LEFT);
	for (i = 0; i < 20 && !readable(link->fd[LEFT], 20); i++)
		if (refused_count() != before)
			break;
	usleep(20000);
	answer("ok");
}

/* ------------------------------------------------------------ what is known */

static void do_latch(struct link *link)
{
	struct ipsec_latch latch;
	socklen_t size = sizeof(latch);
	uint64_t ptoken = IPSEC_PTOKEN_UNKNOWN;

	if (getsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_LATCH, &latch, &size)) {
		answer(error_name(errno));
		return;
	}
	size = sizeof(ptoken);
	getsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_PTOKEN, &ptoken, &size);
	printf("%s %u %s %u %s", states[latch.state], latch.flags, reasons[latch.reason],
	       latch.refused, latch.now == IPSEC_PTOKEN_UNKNOWN ? "unknown" :
	       latch.now == ptoken ? "same" : latch.now == IPSEC_PTOKEN_NONE ? "clear" : "other");
}

static void do_flags(struct link *link, const char *number)
{
	uint32_t flags = strtoul(number, NULL, 0);

	answer(setsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_LATCH, &flags, sizeof(flags)) ?
	       error_name(errno) : "ok");
}

static void do_token(struct link *link, bool about)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;
	uint64_t ptoken;
	socklen_t size = sizeof(ptoken);

	if (getsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_PTOKEN, &ptoken, &size)) {
		answer(error_name(errno));
	} else if (!ptoken) {
		answer("clear");
	} else if (!about) {
		printf("%#llx", (unsigned long long)ptoken);
	} else {
		module();
		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_PTOKEN_GET, NLM_F_ACK);
		mnl_attr_put_u64(nlh, IPSEC_A_PTOKEN, ptoken);
		print_who(nlh);
	}
}

static void do_info(struct link *link, size_t offset)
{
	int host, sum = 0;

	for (host = LEFT; host <= RIGHT; host++) {
		uint32_t info[128] = {};
		socklen_t size = sizeof(info);

		if (getsockopt(link->fd[host], SOL_TCP, TCP_INFO, info, &size))
			err(1, "TCP_INFO");
		if (offset + 4 > size)
			errx(1, "TCP_INFO: too old");
		sum += info[offset / 4];
	}
	printf("%d", sum);
}

/* as in <linux/tcp.h>, which does not go with the C library's header */
#define INFO_TOTAL_RETRANS	100
#define INFO_RCV_OOOPACK	224

/* -------------------------------------------------------- what left in clear */

static void do_watch(void)
{
	char buf[65536];

	enter(RIGHT);
	if (packet_in < 0)
		packet_in = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (packet_in < 0)
		err(1, "packet socket");
	while (recv(packet_in, buf, sizeof(buf), 0) >= 0)
		;
	answer("ok");
}

/* TCP with data, as it was on the wire: xfrm hands in what it decrypts here too. */
static void do_seen(void)
{
	_Alignas(8) char buf[65536];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	int count = 0;
	ssize_t got;

	while ((got = recvfrom(packet_in, buf, sizeof(buf), 0, (struct sockaddr *)&from,
			       &size)) >= 0) {
		struct segment *segment = (struct segment *)buf;
		bool ipv6 = from.sll_protocol == htons(ETH_P_IPV6);
		struct tcphdr *tcp = segment_tcp(segment, ipv6 ? AF_INET6 : AF_INET);
		int protocol = ipv6 ? segment->ip6.ip6_nxt : segment->ip.protocol;
		int end = ipv6 ? ntohs(segment->ip6.ip6_plen) + 40 : ntohs(segment->ip.tot_len);

		count += from.sll_pkttype == PACKET_HOST && protocol == IPPROTO_TCP &&
			 end > (char *)tcp - buf + tcp->doff * 4;
		size = sizeof(from);
	}
	printf("%d", count);
}

/* ---------------------------------------------------------------- commands */

static void obey(char **arg, int args)
{
	const char *what = arg[0];
	struct link *link = NULL;

	static const char *const of_links[] = {
		"say", "send", "read", "got", "wait", "inject", "latch", "flags", "token",
		"about", "retransmits", "disorder", "flow", "flowed", "close",
	};
	unsigned int i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(of_links); i++)
		if (args > 1 && !strcmp(what, of_links[i]))
			link = link_find(arg[1]);
	if (link)
		enter(LEFT);

	if (!strcmp(what, "between")) {
		address_set(&addresses[LEFT], arg[1]);
		address_set(&addresses[RIGHT], arg[2]);
		memcpy(outer, addresses, sizeof(outer));
		if (args > 3)
			port = atoi(arg[3]);
		device = args > 4 ? strdup(arg[4]) : NULL;
		answer("ok");
	} else if (!strcmp(what, "outer")) {
		address_set(&outer[LEFT], arg[1]);
		address_set(&outer[RIGHT], arg[2]);
		answer("ok");
	} else if (!strcmp(what, "open")) {
		do_open(arg[1], arg[2]);
	} else if (!strcmp(what, "bind")) {
		do_bind(arg[1], arg[2], args > 3 ? arg[3] : NULL);
	} else if (!strcmp(what, "mode")) {
		do_mode(arg[1]);
	} else if (!strcmp(what, "trust")) {
		do_trust(arg[1], arg[2]);
	} else if (!strcmp(what, "count")) {
		do_count();
	} else if (!strcmp(what, "there")) {
		do_there();
	} else if (!strcmp(what, "list")) {
		do_list();
	} else if (!strcmp(what, "events")) {
		do_events();
	} else if (!strcmp(what, "forget")) {
		do_forget();
	} else if (!strcmp(what, "watch")) {
		do_watch();
	} else if (!strcmp(what, "seen")) {
		do_seen();
	} else if (!link) {
		answer("what?");
	} else if (!strcmp(what, "say")) {
		do_say(link);
	} else if (!strcmp(what, "send")) {
		answer_error(text_send(link, host_of(arg[2]), arg[3]));
	} else if (!strcmp(what, "read")) {
		do_read(link, arg[2], arg[3]);
	} else if (!strcmp(what, "got")) {
		do_got(link);
	} else if (!strcmp(what, "wait")) {
		answer(readable(link->fd[LEFT], TIMEOUT) ? "ok" : "ETIMEDOUT");
	} else if (!strcmp(what, "inject")) {
		do_inject(link, arg[2], arg[3], args > 4 ? arg[4] : "");
	} else if (!strcmp(what, "latch")) {
		do_latch(link);
	} else if (!strcmp(what, "flags")) {
		do_flags(link, arg[2]);
	} else if (!strcmp(what, "token") || !strcmp(what, "about")) {
		do_token(link, !strcmp(what, "about"));
	} else if (!strcmp(what, "flow") || !strcmp(what, "flowed")) {
		do_flow(link, !strcmp(what, "flow"));
	} else if (!strcmp(what, "retransmits")) {
		do_info(link, INFO_TOTAL_RETRANS);
	} else if (!strcmp(what, "disorder")) {
		do_info(link, INFO_RCV_OOOPACK);
	} else {
		do_close(link, args > 2);
	}
}

int main(void)
{
	char line[1024], path[64], *command, *rest, *arg[MAX_ARGS], *word, *next;
	int host, args;

	for (host = LEFT; host < HOSTS; host++) {
		snprintf(path, sizeof(path), "/run/netns/%s", host_names[host]);
		netns[host] = open(path, O_RDONLY | O_CLOEXEC);
		if (netns[host] < 0)
			err(1, "%s", path);
	}
	enter(RIGHT);
	packet_out = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (packet_out < 0)
		err(1, "packet socket");

	while (fgets(line, sizeof(line), stdin)) {
		for (command = strtok_r(line, ";\n", &rest); command;
		     command = strtok_r(NULL, ";\n", &rest)) {
			for (args = 0, word = strtok_r(command, " ", &next);
			     word && args < MAX_ARGS; word = strtok_r(NULL, " ", &next))
				arg[args++] = word;
			if (command != line)
				answer(", ");
			if (args)
				obey(arg, args);
		}
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
