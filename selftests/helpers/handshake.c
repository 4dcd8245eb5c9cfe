// SPDX-License-Identifier: GPL-2.0-only
/*
 * handshake FAMILY FIRST - TCP handshakes in which not every segment is what
 * it seems
 *
 * The host left has real TCP sockets, and is asked what protected them. The
 * host right is played by this program. FAMILY is 4 or 6, FIRST the number of
 * the first result.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ipsec/token.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "right_host.h"
#include "socket_lock.h"

enum outcome { NONE, TOKEN, UNKNOWN };

static const char *const outcomes[] = { "none", "a token", "not known" };

static int result;
static int keepers[2];

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
	int flags;	/* BAD_SUM, IN_FRAGMENTS */
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
			     seq + 1 + steps[i].flaw,
			     steps[i].flags & IN_FRAGMENTS ? "fragment" : "");
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

/* What comes of fragments has not been seen before TCP sees it. */
static void connecting_fragments(void)
{
	static const struct step fragments = { CLEAR, 0, IN_FRAGMENTS };

	/* connections before this one may still be latched, and then none pass */
	right_shell("left ${BUILD:-build}/tools/ipsec-token config set latch off");
	connecting(&fragments, 1, false, UNKNOWN, "SYN-ACK in fragments");
	right_shell("left ${BUILD:-build}/tools/ipsec-token config set latch enforce");
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

/* It is not known under what the SYN came, and what comes later makes no difference. */
static void fast_open_unknown(enum way ack_way, const char *text)
{
	const uint32_t isn = 0x90a0b0c0;
	char title[160];
	uint32_t seq, ack;
	int fd;

	right_port++;
	left_port = get_port(listener);
	keepers[0] = keep_silent(right_port);
	not_known(true);
	send_segment(PROTECTED, SYN, isn, 0, "data");
	receive_segment(SYN | ACK, &seq, &ack);
	snprintf(title, sizeof(title), "Fast Open, SYN not known, %s", text);
	wait_for(listener, POLLIN, title);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	report(fd, UNKNOWN, title);
	not_known(false);
	send_segment(ack_way, ACK, isn + 5, seq + 1, "");
	strcat(title, ", after the ACK");
	report(fd, UNKNOWN, title);
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
	fast_open_unknown(PROTECTED, "ACK protected");
	fast_open_unknown(CLEAR, "ACK in clear");
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
	hosts_open();
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
	if (family == AF_INET6)
		connecting_fragments();
	return 0;
}
