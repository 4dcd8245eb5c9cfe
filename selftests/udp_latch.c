// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latches of connected datagram sockets, attacked: what the peer, or somebody
 * in its place, sends in clear or under other SAs is not read; what the socket
 * sends does not leave in clear or under other SAs. Rekeying goes unnoticed, and
 * whoever has not asked for a latch has none.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ipsec/token.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest.h>

#include "helpers/enter.h"

#define PORT	7777

static struct sockaddr_storage left, right;
static socklen_t length;
static int family, fd, peer, wire;
static char wrong[4096];

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
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

static void report(const char *what)
{
	ksft_test_result(!*wrong, "IPv%d: %s\n", family == AF_INET ? 4 : 6, what);
	fputs(wrong, stdout);
	fflush(stdout);
	*wrong = '\0';
}

/* A few words of the language of lib.sh. */
static void shell(const char *words)
{
	char command[1024];
	int v = family == AF_INET ? 4 : 6;

	snprintf(command, sizeof(command),
		 "bash -c '. selftests/lib.sh; F=%d; IPSEC_KIND=esp-gcm; "
		 "both() { left $IP $@; right $IP $@; }; %s' >/dev/null", v, words);
	if (system(command))
		errx(1, "%s", command);
}

static void set_address(struct sockaddr_storage *address, const char *text)
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

static int udp_socket(const char *host, const struct sockaddr_storage *from,
		      const struct sockaddr_storage *to)
{
	int sock, one = 1;

	enter(host);
	sock = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(sock, (const struct sockaddr *)from, length) ||
	    connect(sock, (const struct sockaddr *)to, length))
		err(1, "socket on %s", host);
	return sock;
}

/* The datagram has been sent on, which takes a moment. */
static int receive(int sock, int flags)
{
	char buffer[100];
	int i, got = -1;

	for (i = 0; i < 30 && got < 0; i++) {
		got = recv(sock, buffer, sizeof(buffer), flags);
		if (got < 0 && errno != EAGAIN)
			return -errno;
		if (got < 0)
			usleep(10000);
	}
	return got < 0 ? -EAGAIN : got;
}

static struct ipsec_latch latch_of(int sock)
{
	struct ipsec_latch latch = {};

	EXPECT(ipsec_latch_get(sock, &latch), 0);
	return latch;
}

/* All that was seen on the wire as UDP since last asked. */
static int seen_in_clear(void)
{
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	unsigned char packet[2000];
	int count = 0;

	while (recvfrom(wire, packet, sizeof(packet), 0, (struct sockaddr *)&from,
			&from_length) > 0)
		if (ntohs(from.sll_protocol) == (family == AF_INET ? ETH_P_IP : ETH_P_IPV6))
			count += packet[family == AF_INET ? 9 : 6] == IPPROTO_UDP;
	return count;
}

static void send_from(int sock, int wanted)
{
	int got = send(sock, "datagram", 8, 0);

	EXPECT(got < 0 ? -errno : got, wanted);
}

static void setup(void)
{
	shell("net_up; ipsec_up esp-gcm $F level=use");
	set_address(&left, family == AF_INET ? "10.0.0.1" : "fd00::1");
	set_address(&right, family == AF_INET ? "10.0.0.2" : "fd00::2");
	fd = udp_socket("left", &left, &right);
	peer = udp_socket("right", &right, &left);
	/* on the right, where all passes that is sent and all that has come */
	wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (wire < 0)
		err(1, "packet socket");
}

static void teardown(void)
{
	close(fd);
	close(peer);
	close(wire);
	shell("net_down");
}

static void test_asking(void)
{
	struct ipsec_latch latch;
	ipsec_ptoken_t ptoken = 0;

	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), -EINVAL);
	EXPECT(ipsec_recvptoken_set(fd, true), 0);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), -ENODATA);
	send_from(peer, 8);
	EXPECT(receive(fd, 0), 8);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_RESET), -EINVAL);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_RESET | IPSEC_LATCH_F_ON), -EINVAL);
	EXPECT(latch_of(fd).state, IPSEC_LATCH_NONE);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), 0);
	latch = latch_of(fd);
	EXPECT(ipsec_ptoken_from_fd(fd, &ptoken), 0);
	EXPECT(ptoken != IPSEC_PTOKEN_NONE, 1);
	EXPECT(latch.state, IPSEC_LATCH_ESTABLISHED);
	EXPECT(latch.flags, IPSEC_LATCH_F_ON);
	EXPECT(latch.refused, 0);
	EXPECT(latch.now == ptoken, 1);
	report("a latch is for those who ask, and can");
}

static void both_ways(int in, int out)
{
	send_from(peer, 8);
	EXPECT(receive(fd, 0), in);
	send_from(fd, out);
	EXPECT(receive(peer, 0), out == 8 ? 8 : -EAGAIN);
}

static void test_rekey(void)
{
	both_ways(8, 8);
	shell("ipsec_up none $F; IPSEC_KIND=esp-gcm; ipsec_rekey");
	both_ways(8, 8);
	shell("ipsec_up none $F; IPSEC_KIND=esp-gcm; both xfrm state flush; "
	      "IPSEC_SPI=0x3000; { ipsec_sas add lr; ipsec_sas add rl; } | right $IP -batch -; "
	      "{ ipsec_sas add lr; ipsec_sas add rl; } | left $IP -batch -");
	both_ways(8, 8);
	EXPECT(latch_of(fd).refused, 0);
	report("rekeying goes unnoticed");
}

static void test_clear(void)
{
	struct ipsec_latch latch;

	shell("both xfrm policy flush");
	seen_in_clear();
	send_from(peer, 8);
	EXPECT(receive(fd, MSG_PEEK), -EAGAIN);
	send_from(peer, 8);
	EXPECT(receive(fd, 0), -EAGAIN);
	EXPECT(seen_in_clear(), 2);	/* so there was something to be refused */
	latch = latch_of(fd);
	EXPECT(latch.refused, 2);
	EXPECT(latch.reason, IPSEC_LATCH_REASON_IN_CLEAR);
	EXPECT(latch.state, IPSEC_LATCH_ESTABLISHED);
	report("what comes in clear is not read");

	send_from(fd, -EPERM);
	EXPECT(receive(peer, 0), -EAGAIN);
	EXPECT(seen_in_clear(), 0);
	latch = latch_of(fd);
	EXPECT(latch.refused, 3);
	EXPECT(latch.reason, IPSEC_LATCH_REASON_OUT_CLEAR);
	EXPECT(latch.state, IPSEC_LATCH_BROKEN);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), 0);
	EXPECT(latch_of(fd).refused, 3);
	EXPECT(latch_of(fd).state, IPSEC_LATCH_BROKEN);
	report("what would leave in clear does not, and breaks the latch, which stays");

	shell("ipsec_up none $F; IPSEC_KIND=esp-gcm IPSEC_LEVEL=use; "
	      "{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -; "
	      "{ ipsec_policy in rl; ipsec_policy out lr; } | left $IP -batch -");
	both_ways(8, 8);
	EXPECT(latch_of(fd).state, IPSEC_LATCH_ESTABLISHED);
	report("it mends when the policies are back");
}

static void test_report(void)
{
	struct ipsec_latch latch;
	ipsec_ptoken_t ptoken = 0;

	shell("left ${BUILD:-build}/tools/ipsec-token config set latch report; "
	      "right $IP xfrm policy flush");
	send_from(peer, 8);
	EXPECT(receive(fd, 0), 8);
	latch = latch_of(fd);
	EXPECT(latch.refused, 4);
	EXPECT(latch.now, IPSEC_PTOKEN_NONE);
	shell("left ${BUILD:-build}/tools/ipsec-token config set latch enforce; "
	      "ipsec_up none $F; IPSEC_KIND=esp-gcm IPSEC_LEVEL=use; "
	      "{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -");
	both_ways(8, 8);
	EXPECT(ipsec_ptoken_from_fd(fd, &ptoken), 0);
	EXPECT(latch_of(fd).now == ptoken, 1);
	seen_in_clear();
	report("where nothing is refused, it says what the last one came under");
}

/* Other SAs between the same addresses: not the same reqid, so not the same peer. */
static void test_other(void)
{
	shell("both xfrm policy flush; both xfrm state flush; "
	      "ipsec_up esp-gcm $F level=use spi=0x5000 reqid=2");
	both_ways(-EAGAIN, -EPERM);
	EXPECT(latch_of(fd).refused, 6);
	EXPECT(latch_of(fd).reason, IPSEC_LATCH_REASON_OUT_CONTEXT);
	EXPECT(seen_in_clear(), 0);
	report("nor does it keep to anything else");

	EXPECT(ipsec_latch_set(fd, 0), 0);
	EXPECT(latch_of(fd).state, IPSEC_LATCH_NONE);
	both_ways(8, 8);
	report("without the latch it does");
}

static void test_reconnect(void)
{
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), 0);
	EXPECT(latch_of(fd).state, IPSEC_LATCH_ESTABLISHED);
	if (connect(fd, (struct sockaddr *)&right, length))
		err(1, "connect");
	EXPECT(latch_of(fd).state, IPSEC_LATCH_NONE);
	shell("both xfrm policy flush; both xfrm state flush");
	both_ways(8, 8);
	report("it ends with the connection");
}

static void test_latched_clear(void)
{
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), 0);
	both_ways(8, 8);
	shell("ipsec_up esp-gcm $F level=use spi=0x7000");
	both_ways(-EAGAIN, -EPERM);
	EXPECT(latch_of(fd).reason, IPSEC_LATCH_REASON_OUT_CONTEXT);
	report("latched to none, nothing protected is read or sent");
}

static void test_disconnect(void)
{
	struct sockaddr_storage none = { .ss_family = AF_UNSPEC };
	struct ipsec_latch latch;
	int got;

	if (connect(fd, (struct sockaddr *)&none, sizeof(none)))
		err(1, "connect");
	EXPECT(ipsec_latch_get(fd, &latch), -ENOTCONN);
	got = sendto(fd, "datagram", 8, 0, (struct sockaddr *)&right, length);
	EXPECT(got < 0 ? -errno : got, 8);
	EXPECT(receive(peer, 0), 8);
	report("it ends when the socket is disconnected");
}

/* Packets wait for an identity, which might never come: not any number of them. */
static void test_waiting(void)
{
	int got = 0, sent = 0, size = 64 << 20;
	static char data[60000];

	shell("both link set veth mtu 65000; both xfrm policy flush; both xfrm state flush; "
	      "ipsec_up esp-gcm $F level=use spi=0x9000; "
	      "bind=\"left ${BUILD:-build}/tools/ipsec-token identity bind sa esp\"; "
	      "$bind 0x9001 $RIGHT_IP method groupkey id a && "
	      "$bind 0x9002 $LEFT_IP method groupkey id a");
	if (connect(fd, (struct sockaddr *)&right, length) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		err(1, "connect");
	both_ways(8, 8);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), 0);
	both_ways(8, 8);
	shell("ipsec_up none $F; IPSEC_KIND=esp-gcm IPSEC_SPI=0xa000; "
	      "ipsec_sas add lr | right $IP -batch -; "
	      "{ ipsec_sas add lr; IPSEC_SPI=0x9000; ipsec_sas delete lr; } | left $IP -batch -");
	for (; sent < 1000 && got >= 0; sent += got >= 0)
		got = send(fd, data, sizeof(data), 0);
	EXPECT(got < 0 ? errno : 0, EPERM);
	EXPECT(latch_of(fd).reason, IPSEC_LATCH_REASON_OUT_UNKNOWN);
	shell("ipsec_up none $F; left ${BUILD:-build}/tools/ipsec-token identity bind "
	      "sa esp 0xa001 $RIGHT_IP method groupkey id a");
	/* what has waited may be too much for the peer */
	for (got = 0; got != 8 && sent--;) {
		send_from(fd, 8);
		while ((got = receive(peer, 0)) > 8)
			;
	}
	EXPECT(got, 8);
	report("what waits for an identity has a limit");
}

/* Once it asks for no tokens any more, its request and its latch hold all the same. */
static void test_required(void)
{
	struct ipsec_request *request = NULL;
	int i;

	close(fd);
	shell("both xfrm policy flush; both xfrm state flush; ipsec_up esp-gcm $F level=use");
	enter("left");
	fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&left, length))
		err(1, "socket on left");
	EXPECT(ipsec_request_new(&request), 0);
	EXPECT(ipsec_request_apply(request, fd), 0);
	ipsec_request_free(request);
	if (connect(fd, (struct sockaddr *)&right, length))
		err(1, "connect");
	EXPECT(ipsec_recvptoken_set(fd, true), 0);
	both_ways(8, 8);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), 0);
	EXPECT(ipsec_recvptoken_set(fd, false), 0);
	both_ways(8, 8);
	/* these SAs meet the request, but are not what it is latched to */
	shell("both xfrm policy flush; both xfrm state flush; "
	      "ipsec_up esp-gcm $F level=use spi=0x9000 reqid=2");
	for (i = 0; i < 2; i++) {
		send_from(peer, 8);
		EXPECT(receive(fd, i ? MSG_PEEK : 0), -EAGAIN);
	}
	EXPECT(ipsec_recvptoken_set(fd, true), 0);
	EXPECT(latch_of(fd).refused, 2);
	report("with a request it holds without tokens, too");
}

/* What is long gone is neither told of nor latched to. */
static void test_stale(void)
{
	ipsec_ptoken_t ptoken;
	int i;

	EXPECT(ipsec_latch_set(fd, 0), 0);
	both_ways(8, 8);
	EXPECT(ipsec_ptoken_from_fd(fd, &ptoken), 0);
	shell("left $BUILD/tools/ipsec-token config set linger 1; "
	      "both xfrm policy flush; both xfrm state flush");
	for (i = 0; i < 150 && !ipsec_ptoken_from_fd(fd, &ptoken); i++)
		usleep(100000);
	EXPECT(ipsec_ptoken_from_fd(fd, &ptoken), -ESTALE);
	EXPECT(ipsec_latch_set(fd, IPSEC_LATCH_F_ON), -ESTALE);
	report("what is long gone can't be latched to");
}

int main(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	unsigned int i;

	ksft_print_header();
	ksft_set_plan(2 * 14);
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		family = families[i];
		setup();
		test_asking();
		test_rekey();
		test_clear();
		test_report();
		test_other();
		test_reconnect();
		test_latched_clear();
		test_disconnect();
		test_waiting();
		teardown();
		/* no agent has spoken on these hosts */
		setup();
		test_required();
		test_stale();
		teardown();
	}
	ksft_finished();
}
