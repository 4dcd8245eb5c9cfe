// SPDX-License-Identifier: GPL-2.0-only
/*
 * latch_handshake FAMILY FIRST - attacks right behind, and in, TCP handshakes
 *
 * The host left has real TCP sockets, the host right is played by this program.
 * What completes a handshake comes protected, and data in clear comes with it:
 * none of it must be delivered. FAMILY is 4 or 6, FIRST the number of the first
 * result.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipsec_token.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "right_host.h"
#include "socket_lock.h"

#define ISN	0x10203040

static int result, listener;

static void report(bool good, const char *text, const char *got)
{
	printf("%sok %d IPv%d: %s\n", good ? "" : "not ", result++,
	       family == AF_INET ? 4 : 6, text);
	if (!good)
		printf("# got: %s\n", got);
	fflush(stdout);
}

static int left_socket(int port, int flags)
{
	struct sockaddr_storage own = left;
	int fd, one = 1;

	enter(netns_left);
	fd = socket(family, SOCK_STREAM | flags, 0);
	set_port(&own, port);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&own, length))
		err(1, "socket");
	return fd;
}

static void sysctl_set(const char *name, const char *value)
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

static bool ready(int fd, short events, int timeout)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, timeout) == 1;
}

/* All that has come, and comes within a moment. */
static const char *received(int fd)
{
	static char buffer[256];
	size_t have = 0;
	ssize_t ret;

	while (ready(fd, POLLIN, 300) && have < sizeof(buffer) - 1) {
		ret = recv(fd, buffer + have, sizeof(buffer) - 1 - have, MSG_DONTWAIT);
		if (ret < 0)
			return strerrorname_np(errno);
		if (!ret)
			break;
		have += ret;
	}
	buffer[have] = '\0';
	return buffer;
}

static bool latched(int fd)
{
	struct ipsec_latch latch = {};
	socklen_t size = sizeof(latch);

	return !getsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &latch, &size) &&
	       latch.state == IPSEC_LATCH_ESTABLISHED;
}

/* Only what is protected must have come, and the connection be latched. */
static void judge(int fd, const char *wanted, const char *text)
{
	const char *got = received(fd);

	if (!strcmp(got, wanted) && !latched(fd))
		got = "not latched";
	report(!strcmp(got, wanted), text, got);
	close(fd);
}

static void begin(void)
{
	static int keeper = -1;

	if (keeper >= 0)
		close(keeper);
	keeper = keep_silent(++right_port);
	left_port = 0;
}

/* ------------------------------------------------------- the connecting end */

static int connecting(uint32_t *seq)
{
	uint32_t ack;
	int fd;

	begin();
	fd = left_socket(0, SOCK_NONBLOCK);
	set_port(&right, right_port);
	if (connect(fd, (struct sockaddr *)&right, length) != -1 || errno != EINPROGRESS)
		err(1, "connect");
	receive_segment(SYN, seq, &ack);
	return fd;
}

static void behind_synack(bool locked)
{
	struct lock lock;
	uint32_t seq;
	int fd = connecting(&seq);

	if (locked)
		lock_socket(&lock, fd);
	send_segment(PROTECTED, SYN | ACK, ISN, seq + 1, "");
	send_segment(CLEAR, ACK, ISN + 1, seq + 1, "evil");
	if (locked)
		unlock_socket(&lock);
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "good");
	judge(fd, "good", locked ? "behind a SYN-ACK, in the backlog" : "behind a SYN-ACK");
}

/* TCP makes one of segments in the backlog that follow each other. */
static void joined(bool first)
{
	struct lock lock;
	uint32_t seq;
	int fd = connecting(&seq);

	lock_socket(&lock, fd);
	send_segment(PROTECTED, SYN | ACK, ISN, seq + 1, "");
	if (first) {
		send_segment(CLEAR, ACK, ISN + 1, seq + 1, "evil");
		send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "more");
	} else {
		send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "good");
		send_segment(CLEAR, ACK, ISN + 5, seq + 1, "evil");
	}
	unlock_socket(&lock);
	/* a peer sends again what is not acknowledged */
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "good");
	send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "more");
	judge(fd, "goodmore", first ? "in the backlog, before data of the peer" :
				      "in the backlog, behind data of the peer");
}

static void reset_behind_synack(void)
{
	struct lock lock;
	uint32_t seq;
	int fd = connecting(&seq);

	lock_socket(&lock, fd);
	send_segment(PROTECTED, SYN | ACK, ISN, seq + 1, "");
	send_segment(CLEAR, ACK | RST, ISN + 1, seq + 1, "");
	send_segment(CLEAR, ACK | FIN, ISN + 1, seq + 1, "");
	unlock_socket(&lock);
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "good");
	judge(fd, "good", "a RST and a FIN behind a SYN-ACK, in the backlog");
}

/* What came under no context that there is room for may be anybody's. */
static void unknown_behind_synack(void)
{
	struct lock lock;
	uint32_t seq;
	int fd = connecting(&seq);

	lock_socket(&lock, fd);
	send_segment(PROTECTED, SYN | ACK, ISN, seq + 1, "");
	not_known(true);
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "evil");
	send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "evil");
	send_segment(CLEAR, ACK, ISN + 1, seq + 1, "evil");
	not_known(false);
	unlock_socket(&lock);
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "good");
	judge(fd, "good", "not known under what, behind a SYN-ACK, in the backlog");
}

static void simultaneous(bool locked)
{
	uint32_t seq, ack, ignored;
	struct lock lock;
	int fd = connecting(&seq);

	if (locked)
		lock_socket(&lock, fd);
	send_segment(PROTECTED, SYN, ISN, 0, "");
	if (!locked)
		receive_segment(SYN | ACK, &ignored, &ack);
	send_segment(CLEAR, ACK, ISN + 1, seq + 1, "evil");
	send_segment(PROTECTED, SYN | ACK, ISN, seq + 1, "");
	send_segment(CLEAR, ACK, ISN + 1, seq + 1, "evil");
	if (locked)
		unlock_socket(&lock);
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, "good");
	judge(fd, "good", locked ? "simultaneous open, in the backlog" : "simultaneous open");
}

/* Its SYN brings data; nobody has said so far how that is to be protected. */
static void fast_open_connecting(void)
{
	uint32_t seq, ack;
	int fd;

	begin();
	fd = left_socket(0, SOCK_NONBLOCK);
	set_port(&right, right_port);
	if (sendto(fd, "data", 4, MSG_FASTOPEN, (struct sockaddr *)&right, length) != 4)
		err(1, "MSG_FASTOPEN");
	receive_segment(SYN, &seq, &ack);
	send_segment(PROTECTED, SYN | ACK, ISN, seq + 5, "");
	send_segment(CLEAR, ACK, ISN + 1, seq + 5, "evil");
	send_segment(CLEAR, ACK | RST, ISN + 1, seq + 5, "");
	send_segment(PROTECTED, ACK, ISN + 1, seq + 5, "good");
	judge(fd, "good", "Fast Open, the connecting end");
}

/* -------------------------------------------------------- the accepting end */

static int accepted(void)
{
	int fd;

	if (!ready(listener, POLLIN, 3000))
		errx(1, "nothing accepted");
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	return fd;
}

static void behind_ack(const char *data, const char *how)
{
	uint32_t seq, ack;
	char text[128];
	int fd;

	begin();
	left_port = get_port(listener);
	send_segment(PROTECTED, SYN, ISN, 0, "");
	receive_segment(SYN | ACK, &seq, &ack);
	send_segment(PROTECTED, ACK, ISN + 1, seq + 1, data);
	send_segment(CLEAR, ACK, ISN + 1 + strlen(data), seq + 1, "evil");
	send_segment(CLEAR, ACK | RST, ISN + 1 + strlen(data), seq + 1, "");
	/* accepted only now */
	fd = accepted();
	send_segment(CLEAR, ACK | FIN, ISN + 1 + strlen(data), seq + 1, "");
	send_segment(PROTECTED, ACK, ISN + 1 + strlen(data), seq + 1, "good");
	snprintf(text, sizeof(text), "%sgood", data);
	how = *how ? how : "behind the ACK";
	judge(fd, text, how);
}

static void fast_open(bool locked)
{
	uint32_t seq, ack;
	struct lock lock;
	int fd;

	begin();
	left_port = get_port(listener);
	send_segment(PROTECTED, SYN, ISN, 0, "data");
	receive_segment(SYN | ACK, &seq, &ack);
	fd = accepted();
	if (locked)
		lock_socket(&lock, fd);
	send_segment(CLEAR, ACK, ISN + 5, seq + 1, "evil");
	send_segment(CLEAR, ACK | RST, ISN + 5, seq + 1, "");
	if (locked) {
		send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "");
		send_segment(CLEAR, ACK, ISN + 5, seq + 1, "evil");
		unlock_socket(&lock);
	}
	send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "good");
	judge(fd, "datagood", locked ? "Fast Open, in the backlog" : "Fast Open");
}

/* Of an IPv6 listener that a peer has reached by IPv4, which is another way in TCP. */
static void fast_open_mapped(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd, backlog = 16, native = listener;
	uint32_t seq, ack;
	struct lock lock;

	enter(netns_left);
	listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) ||
	    listen(listener, 1) ||
	    setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog)))
		err(1, "IPv6 listener");
	begin();
	left_port = get_port(listener);
	send_segment(PROTECTED, SYN, ISN, 0, "data");
	receive_segment(SYN | ACK, &seq, &ack);
	fd = accepted();
	lock_socket(&lock, fd);
	send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "");
	unlock_socket(&lock);
	send_segment(CLEAR, ACK, ISN + 5, seq + 1, "evil");
	send_segment(PROTECTED, ACK, ISN + 5, seq + 1, "good");
	judge(fd, "datagood", "Fast Open of an IPv6 listener, in the backlog");
	close(listener);
	listener = native;
}

/* What the accepting end sends before the last ACK must not leave otherwise. */
static void fast_open_out(void)
{
	int fd, watch;
	uint32_t seq, ack;
	char buffer[2000];
	bool leaked = false;
	ssize_t got;

	begin();
	left_port = get_port(listener);
	send_segment(PROTECTED, SYN, ISN, 0, "data");
	receive_segment(SYN | ACK, &seq, &ack);
	fd = accepted();
	enter(netns_left);
	if (system("/usr/sbin/ip xfrm policy flush"))
		errx(1, "policies");
	enter(netns_right);
	watch = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (watch < 0 || send(fd, "a secret", 8, 0) != 8)
		err(1, "send");
	usleep(300000);
	while ((got = recv(watch, buffer, sizeof(buffer), 0)) >= 0)
		leaked |= !!memmem(buffer, got, "a secret", 8);
	report(!leaked, "Fast Open: nothing leaves in clear before the handshake is complete",
	       "it does");
	close(watch);
	close(fd);
}

/* -------------------------------------------------------------------- races */

#define ROUNDS	250

static atomic_bool go, stop;
static uint32_t race_ack;
static pthread_t hammering;

/* Nothing but evil, as fast as it goes, from a processor of its own. */
static void *hammer(void *data)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (!atomic_load(&go))
		;
	while (!atomic_load(&stop))
		send_at_once(CLEAR, ACK, ISN + 1, race_ack, "evil");
	return data;
}

static void hammer_begin(uint32_t ack)
{
	race_ack = ack;
	atomic_store(&go, false);
	atomic_store(&stop, false);
	if (pthread_create(&hammering, NULL, hammer, NULL))
		errx(1, "pthread_create");
}

/* Return: whether anything got through. */
static bool hammer_end(int fd)
{
	bool evil;

	atomic_store(&go, true);
	usleep(5000);
	atomic_store(&stop, true);
	pthread_join(hammering, NULL);
	evil = ready(fd, POLLIN, 0);
	if (!evil && !ready(fd, POLLOUT, 3000))
		errx(1, "not established");
	return evil;
}

static int latched_rounds;

static bool race_connecting(void)
{
	struct lock lock;
	uint32_t seq;
	int fd = connecting(&seq);
	bool evil, locked = right_port % 2;

	hammer_begin(seq + 1);
	if (locked) {
		/* the backlog is processed when the socket is let go */
		lock_socket(&lock, fd);
		send_segment(PROTECTED, SYN | ACK, ISN, seq + 1, "");
		atomic_store(&go, true);
		usleep(rand() % 2000);
		unlock_socket(&lock);
	} else {
		send_at_once(PROTECTED, SYN | ACK, ISN, seq + 1, "");
		usleep(rand() % 500);
	}
	evil = hammer_end(fd);
	latched_rounds += latched(fd);
	close(fd);
	return evil;
}

static bool race_accepting(void)
{
	uint32_t seq, ack;
	bool evil = false;
	int fd, tries = 5;

	begin();
	left_port = get_port(listener);
	/* what evil has sent before may have filled a queue */
	do {
		send_at_once(PROTECTED, SYN, ISN, 0, "");
	} while (!await_segment(SYN | ACK, &seq, &ack, 1000) && tries--);
	if (tries < 0)
		errx(1, "no SYN-ACK");
	hammer_begin(seq + 1);
	send_at_once(PROTECTED, ACK, ISN + 1, seq + 1, "");
	usleep(rand() % 500);
	atomic_store(&go, true);
	fd = accepted();
	/* evil may have been the first, and then it is a connection of its own */
	evil = hammer_end(fd) && latched(fd);
	latched_rounds += latched(fd);
	close(fd);
	return evil;
}

static void race(bool (*round)(void), const char *text)
{
	int i, evil = 0;
	char got[64];

	latched_rounds = 0;
	for (i = 0; i < ROUNDS; i++)
		evil += round();
	snprintf(got, sizeof(got), "delivered %d times, %d of %d latched", evil,
		 latched_rounds, ROUNDS);
	printf("# %s: %s\n", text, got);
	report(!evil && latched_rounds > ROUNDS / 5, text, got);
}

int main(int argc, char **argv)
{
	int seconds = 30, backlog = 16;

	if (argc != 3)
		errx(1, "latch_handshake FAMILY FIRST");
	family = atoi(argv[1]) == 4 ? AF_INET : AF_INET6;
	result = atoi(argv[2]);
	hosts_open();
	sysctl_set("ipv4/tcp_fastopen", "519");	/* without cookies */
	listener = left_socket(0, SOCK_NONBLOCK);
	if (listen(listener, 64) ||
	    setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog)))
		err(1, "listen");

	behind_synack(false);
	behind_synack(true);
	joined(false);
	joined(true);
	reset_behind_synack();
	unknown_behind_synack();
	simultaneous(false);
	simultaneous(true);
	fast_open_connecting();
	behind_ack("", "");
	fast_open(false);
	fast_open(true);
	if (family == AF_INET)
		fast_open_mapped();
	sysctl_set("ipv4/tcp_syncookies", "2");
	behind_ack("", "SYN cookies");
	sysctl_set("ipv4/tcp_syncookies", "1");
	race(race_connecting, "many handshakes of the connecting end under attack");
	race(race_accepting, "many handshakes of the accepting end under attack");
	if (setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)))
		err(1, "TCP_DEFER_ACCEPT");
	behind_ack("data", "deferred accept");
	sysctl_set("ipv4/ip_early_demux", "0");
	behind_ack("data", "without early demux");
	fast_open_out();
	return 0;
}
