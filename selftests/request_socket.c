// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an application requires of its sockets, and what it gets: exactly that, or
 * an error that says why not. Nothing is seen on the wire in clear.
 */
#include "helpers/request_hosts.h"

static int server;	/* listens at right, and requires nothing */

/* Segments from left in clear since last asked, and the most data that one had. */
static size_t from_left_most;

static int from_left(void)
{
	const size_t header = family == AF_INET ? 20 : 40;
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	unsigned char packet[2000];
	int count = 0;
	ssize_t size;

	from_left_most = 0;
	while ((size = recvfrom(wire, packet, sizeof(packet), 0, (struct sockaddr *)&from,
				&from_length)) > 0) {
		size_t headers = header + 4 * (packet[header + 12] >> 4);

		if (ntohs(from.sll_protocol) != (family == AF_INET ? ETH_P_IP : ETH_P_IPV6) ||
		    from.sll_pkttype == PACKET_OUTGOING ||
		    packet[family == AF_INET ? 9 : 6] != IPPROTO_TCP)
			continue;
		count++;
		if (size - headers > from_left_most)
			from_left_most = size - headers;
	}
	return count;
}

/* A socket at left that is about to connect. */
static int client(const struct ipsec_request *request, int flags)
{
	int fd;

	enter("left");
	fd = socket(family, SOCK_STREAM | flags, 0);
	if (fd < 0)
		err(1, "socket");
	if (request)
		EXPECT(ipsec_request_apply(request, fd), 0);
	return fd;
}

static int try_connect(int fd)
{
	return connect(fd, (struct sockaddr *)&right, length) ? -errno : 0;
}

/* Connect with a request, to be told @error because of @reason within two seconds. */
static void refused(struct ipsec_request *request, int error, int reason)
{
	struct ipsec_request_status status;
	double begin = now();
	int fd = client(request, 0);

	seen(IPPROTO_TCP);
	EXPECT(try_connect(fd), error);
	EXPECT(now() - begin < 2.5, 1);
	status = status_of(fd);
	EXPECT(status.state, IPSEC_REQUEST_FAILED);
	EXPECT(status.reason, reason);
	EXPECT(accept_within(server, 0), -EAGAIN);
	EXPECT(seen(IPPROTO_TCP), 0);
	close(fd);
	ipsec_request_free(request);
}

/* Connect with a request that is met. Return: the socket; and the peer's. */
static int met(struct ipsec_request *request, int *peer)
{
	int fd = client(request, 0);

	EXPECT(try_connect(fd), 0);
	*peer = accept_within(server, 2000);
	EXPECT(*peer >= 0, 1);
	EXPECT(status_of(fd).state, IPSEC_REQUEST_MET);
	ipsec_request_free(request);
	return fd;
}

static void met_and_closed(struct ipsec_request *request)
{
	int peer, fd = met(request, &peer);

	EXPECT(send(fd, "to", 2, 0), 2);
	EXPECT(receive(peer), 2);
	EXPECT(seen(IPPROTO_TCP) >= 0, 1);
	close(fd);
	close(peer);
}

/* Before a reader comes by, as without that header. */
static void behind_options(int udp, int other)
{
	static const uint8_t options[8] = { 0, 0, 1, 4 };	/* padding */
	uint32_t before = status_of(udp).refused_in;
	int i;

	EXPECT(setsockopt(other, SOL_IPV6, IPV6_DSTOPTS, options, sizeof(options)), 0);
	EXPECT(sendto(other, "clear", 5, 0, (struct sockaddr *)&left, length), 5);
	for (i = 0; i < 100 && status_of(udp).refused_in == before; i++)
		usleep(10000);
	EXPECT(status_of(udp).refused_in, before + 1);
	EXPECT(receive(udp), -EAGAIN);
	EXPECT(status_of(udp).refused_in, before + 1);
}

/* It has ports, and no more: nobody gets it. */
static void truncated(int udp)
{
	struct sockaddr_storage to = left;
	uint16_t ports[2] = { ((struct sockaddr_in *)&right)->sin_port,
			      ((struct sockaddr_in *)&left)->sin_port };
	uint32_t before = status_of(udp).refused_in;
	int raw;

	((struct sockaddr_in *)&to)->sin_port = 0;	/* at the same place in both */
	enter("right");
	raw = socket(family, SOCK_RAW, IPPROTO_UDP);
	enter("left");
	EXPECT(sendto(raw, ports, sizeof(ports), 0, (struct sockaddr *)&to, length),
	       sizeof(ports));
	EXPECT(receive(udp), -EAGAIN);
	EXPECT(status_of(udp).refused_in, before);
	close(raw);
}

static void test_no_sa(void)
{
	int fd, udp = udp_socket("left", &left), other = udp_socket("right", &right);
	struct ipsec_request *request = request_new("privacy");
	struct pollfd poll_fd;
	socklen_t size = sizeof(int);
	int error = 0;

	/* so that there is something to be refused */
	fd = client(NULL, 0);
	seen(IPPROTO_TCP);
	EXPECT(try_connect(fd), 0);
	EXPECT(seen(IPPROTO_TCP) > 0, 1);
	close(fd);
	close(accept_within(server, 1000));
	report("without a request there is a connection in clear");

	seen(IPPROTO_TCP);
	refused(request_new("privacy"), -ENOKEY, IPSEC_REQUEST_REASON_NO_SA);
	refused(request_new(""), -ENOKEY, IPSEC_REQUEST_REASON_NO_SA);
	report("without SAs and agent, connect() fails at once, and no SYN leaves");

	fd = client(request, SOCK_NONBLOCK);
	EXPECT(try_connect(fd), -EINPROGRESS);
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLOUT };
	EXPECT(poll(&poll_fd, 1, 2000), 1);
	EXPECT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	EXPECT(error, ENOKEY);
	EXPECT(seen(IPPROTO_TCP), 0);
	close(fd);
	report("so does one that does not block");

	enter("left");
	EXPECT(sendto(udp, "clear", 5, 0, (struct sockaddr *)&right, length), 5);
	EXPECT(receive(other), 5);
	EXPECT(sendto(other, "early", 5, 0, (struct sockaddr *)&left, length), 5);
	poll_fd = (struct pollfd){ .fd = udp, .events = POLLIN };
	EXPECT(poll(&poll_fd, 1, 2000), 1);
	EXPECT(ipsec_request_apply(request, udp), 0);
	EXPECT(receive(udp), -EAGAIN);
	seen(IPPROTO_UDP);
	EXPECT(sendto(udp, "clear", 5, 0, (struct sockaddr *)&right, length) < 0 ? errno : 0,
	       ENOKEY);
	EXPECT(seen(IPPROTO_UDP), 0);
	EXPECT(sendto(other, "clear", 5, 0, (struct sockaddr *)&left, length), 5);
	EXPECT(receive(udp), -EAGAIN);
	EXPECT(seen(IPPROTO_UDP), 1);
	EXPECT(status_of(udp).refused_in > 0, 1);
	EXPECT(status_of(udp).refused_out, 1);
	truncated(udp);
	if (family == AF_INET6)
		behind_options(udp, other);
	report("datagrams in clear neither leave nor arrive");
	ipsec_request_free(request);
	close(udp);
	close(other);
}

static void test_met(void)
{
	struct ipsec_request *request = request_new("privacy,integrity"), *back = NULL;
	int fd, peer, udp, other;

	shell("ipsec_up esp-gcm $F level=use");
	fd = met(request_new("privacy,integrity,end-to-end,no-compression"), &peer);
	EXPECT(ipsec_request_apply(request, fd), -EISCONN);
	EXPECT(ipsec_request_apply(NULL, fd), -EISCONN);
	EXPECT(ipsec_request_apply(request, peer), -EPERM);
	EXPECT(ipsec_request_from_fd(fd, &back), 0);
	EXPECT(back && ipsec_request_flags(back) ==
	       (IPSEC_REQUEST_F_PRIVACY | IPSEC_REQUEST_F_INTEGRITY |
		IPSEC_REQUEST_F_END_TO_END | IPSEC_REQUEST_F_NO_COMPRESSION), 1);
	ipsec_request_free(back);
	EXPECT(send(fd, "to", 2, 0), 2);
	EXPECT(receive(peer), 2);
	EXPECT(send(peer, "fro", 3, 0), 3);
	EXPECT(receive(fd), 3);
	report("with SAs that protect as required there is a connection");

	refused(request_new("privacy,compression"), -EPROTO, IPSEC_REQUEST_REASON_WEAKER);
	report("compression is required, and is not there");

	latch_mode(IPSEC_LATCH_OFF);
	shell("both xfrm policy flush");
	seen(IPPROTO_TCP);
	EXPECT(send(fd, "secret", 6, 0), 6);
	EXPECT(receive(peer), -EAGAIN);
	EXPECT(seen(IPPROTO_TCP), 0);
	EXPECT(send(peer, "forged", 6, 0), 6);
	EXPECT(receive(fd), -EAGAIN);
	EXPECT(seen(IPPROTO_TCP) > 0, 1);
	EXPECT(status_of(fd).refused_out > 0, 1);
	EXPECT(status_of(fd).refused_in > 0, 1);
	report("without policies nothing leaves in clear, though latches are off");

	shell("IPSEC_KIND=esp-gcm IPSEC_LEVEL=use; "
	      "{ ipsec_policy in lr; ipsec_policy out rl; } | right $IP -batch -; "
	      "{ ipsec_policy in rl; ipsec_policy out lr; } | left $IP -batch -");
	EXPECT(receive_again(peer), 6);
	EXPECT(receive_again(fd), 6);
	EXPECT(seen(IPPROTO_TCP) >= 0, 1);
	latch_mode(IPSEC_LATCH_ENFORCE);
	report("when they are back the connection goes on");
	close(fd);
	close(peer);

	udp = udp_socket("left", &left);
	other = udp_socket("right", &right);
	EXPECT(ipsec_request_apply(request, udp), 0);
	seen(IPPROTO_UDP);
	EXPECT(sendto(udp, "datagram", 8, 0, (struct sockaddr *)&right, length), 8);
	EXPECT(receive(other), 8);
	EXPECT(sendto(other, "answer", 6, 0, (struct sockaddr *)&left, length), 6);
	EXPECT(receive(udp), 6);
	EXPECT(status_of(udp).state, IPSEC_REQUEST_MET);
	report("datagrams leave and arrive");
	close(udp);
	close(other);
	ipsec_request_free(request);
	shell("IPSEC_KIND=esp-gcm; ipsec_down");
}

static void test_weaker(void)
{
	shell("ipsec_up esp-null $F level=use");
	refused(request_new("privacy"), -EPROTO, IPSEC_REQUEST_REASON_WEAKER);
	report("what does not encrypt is no privacy");
	met_and_closed(request_new("integrity"));
	report("but integrity");
	shell("IPSEC_KIND=esp-null; ipsec_down");
}

static void test_compression(void)
{
	int udp = udp_socket("left", &left), other = udp_socket("right", &right);
	struct ipsec_request *request = request_new("");
	static char zeros[1000];	/* which shrink */

	shell("ipsec_up ipcomp-esp $F level=use");
	met_and_closed(request_new("privacy,compression"));
	refused(request_new("privacy,no-compression"), -EPROTO, IPSEC_REQUEST_REASON_WEAKER);
	shell("IPSEC_KIND=ipcomp-esp; ipsec_down");
	report("compression is required, and is there");

	shell("ipsec_up ipcomp $F level=use");
	seen(IPPROTO_COMP);
	EXPECT(sendto(udp, zeros, sizeof(zeros), 0, (struct sockaddr *)&right, length),
	       sizeof(zeros));
	EXPECT(receive(other) > 0, 1);
	EXPECT(seen(IPPROTO_COMP) > 0, 1);
	EXPECT(ipsec_request_apply(request, udp), 0);
	EXPECT(sendto(udp, zeros, sizeof(zeros), 0, (struct sockaddr *)&right, length) < 0 ?
	       errno : 0, EPROTO);
	EXPECT(seen(IPPROTO_COMP), 0);
	EXPECT(sendto(other, zeros, sizeof(zeros), 0, (struct sockaddr *)&left, length),
	       sizeof(zeros));
	EXPECT(receive(udp), -EAGAIN);
	EXPECT(seen(IPPROTO_COMP) > 0, 1);
	EXPECT(status_of(udp).refused_in > 0, 1);
	EXPECT(status_of(udp).reason, IPSEC_REQUEST_REASON_WEAKER);
	shell("IPSEC_KIND=ipcomp; ipsec_down");
	report("compression alone protects nothing");
	close(udp);
	close(other);
	ipsec_request_free(request);
}

static struct ipsec_request *of_peer(uint8_t who)
{
	struct ipsec_request *request = request_new("privacy");
	struct ipsec_itoken *itoken;
	uint8_t value[IPSEC_ITOKEN_SIZE];

	memset(value, who, sizeof(value));
	if (ipsec_itoken_of_value(value, &itoken) ||
	    ipsec_request_set_itoken(request, itoken) ||
	    ipsec_request_set_timeout(request, 1500))
		errx(1, "iToken");
	ipsec_itoken_free(itoken);
	return request;
}

static struct ipsec_request *of(enum ipsec_identity_attr what, const char *pattern)
{
	struct ipsec_request *request = request_new("privacy");

	if (ipsec_request_set_peer(request, what, pattern))
		errx(1, "%s", pattern);
	return request;
}

static struct ipsec_request *of_name(const char *pattern)
{
	return of(IPSEC_IDENTITY_A_CERTIFICATE_DN, pattern);
}

static void test_identity(void)
{
	struct ipsec_request *request;

	shell("ipsec_up esp-gcm $F level=use");
	refused(of_peer(0xa1), -ETIMEDOUT, IPSEC_REQUEST_REASON_TIMEOUT);
	report("as long as nobody tells who it is, it is nobody");

	bind_identity(SPI, 0xa1, IPSEC_AUTH_BTNS);
	met_and_closed(of_peer(0xa1));
	refused(of_peer(0xb0), -EKEYREJECTED, IPSEC_REQUEST_REASON_IDENTITY);
	report("a peer by its iToken, and no other");

	met_and_closed(of_name("CN=db.example,O=Test"));
	met_and_closed(of_name("CN=db.*"));
	met_and_closed(of_name("*O=Test"));
	met_and_closed(of_name("*"));
	met_and_closed(of_name("CN=db.example,O=Test*"));
	refused(of_name("CN=db"), -EKEYREJECTED, IPSEC_REQUEST_REASON_IDENTITY);
	refused(of_name("*CN=db.example"), -EKEYREJECTED, IPSEC_REQUEST_REASON_IDENTITY);
	refused(of_name("cn=db.*"), -EKEYREJECTED, IPSEC_REQUEST_REASON_IDENTITY);
	/* of which nothing is known */
	refused(of(IPSEC_IDENTITY_A_CA_DN, "*"), -EKEYREJECTED, IPSEC_REQUEST_REASON_IDENTITY);
	report("a peer by its name, and no other");

	request = request_new("privacy");
	EXPECT(ipsec_request_set_methods(request, 1U << IPSEC_AUTH_PKIX_INLINE), 0);
	refused(request, -EKEYREJECTED, IPSEC_REQUEST_REASON_METHOD);
	request = request_new("privacy");
	EXPECT(ipsec_request_set_methods(request, 1U << IPSEC_AUTH_BTNS |
					 1U << IPSEC_AUTH_PKIX_INLINE), 0);
	met_and_closed(request);
	report("BTNS if it is acceptable, and not otherwise");
	shell("IPSEC_KIND=esp-gcm; ipsec_down");
}

static void test_listener(void)
{
	struct ipsec_request *request = request_new("privacy"), *back = NULL;
	int listener = tcp_listener("left", &left), fd, peer;

	EXPECT(ipsec_request_apply(request, listener), 0);
	enter("right");
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(connect(fd, (struct sockaddr *)&left, length) ? errno : 0, EINPROGRESS);
	EXPECT(accept_within(listener, 1500), -EAGAIN);
	EXPECT(status_of(listener).refused_in > 0, 1);
	close(fd);
	report("a handshake in clear does not reach accept()");

	shell("ipsec_up esp-null $F level=use");
	enter("right");
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(connect(fd, (struct sockaddr *)&left, length) ? errno : 0, EINPROGRESS);
	EXPECT(accept_within(listener, 1500), -EAGAIN);
	close(fd);
	shell("IPSEC_KIND=esp-null; ipsec_down");
	report("nor does one under weaker protection");

	/* left has nothing that would protect what it sends */
	shell("ipsec_up esp-gcm $F level=use; left $IP xfrm policy delete "
	      "src $LEFT_IP dst $RIGHT_IP dir out");
	from_left();
	enter("right");
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(connect(fd, (struct sockaddr *)&left, length) ? errno : 0, EINPROGRESS);
	EXPECT(accept_within(listener, 1500), -EAGAIN);
	EXPECT(from_left(), 0);
	EXPECT(status_of(listener).refused_out > 0, 1);
	close(fd);
	shell("IPSEC_KIND=esp-gcm; ipsec_down");
	report("nor does it answer in clear what has come protected");

	shell("ipsec_up esp-gcm $F level=use");
	enter("right");
	fd = socket(family, SOCK_STREAM, 0);
	EXPECT(connect(fd, (struct sockaddr *)&left, length) ? errno : 0, 0);
	peer = accept_within(listener, 2000);
	EXPECT(peer >= 0, 1);
	EXPECT(status_of(peer).state, IPSEC_REQUEST_MET);
	EXPECT(ipsec_request_apply(request, peer), -EPERM);
	EXPECT(ipsec_request_apply(NULL, peer), -EPERM);
	EXPECT(ipsec_request_from_fd(peer, &back), 0);
	ipsec_request_free(back);
	EXPECT(send(fd, "to", 2, 0), 2);
	EXPECT(receive(peer), 2);
	report("one that is protected does, and what is accepted is as was required");

	close(listener);
	latch_mode(IPSEC_LATCH_REPORT);
	shell("both xfrm policy flush");
	seen(IPPROTO_TCP);
	EXPECT(send(peer, "secret", 6, 0), 6);
	EXPECT(receive(fd), -EAGAIN);
	EXPECT(seen(IPPROTO_TCP), 0);
	latch_mode(IPSEC_LATCH_ENFORCE);
	report("and stays so, also where latches only report");
	close(peer);
	sleep(1);
	EXPECT(seen(IPPROTO_TCP), 0);
	report("also once it has been closed");
	close(fd);
	ipsec_request_free(request);
	shell("IPSEC_KIND=esp-gcm; ipsec_down");
}

/* Right connects to left under SYN cookies. Return: its socket. */
static int connect_by_cookie(int listener, int *accepted)
{
	int fd;

	enter("right");
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(connect(fd, (struct sockaddr *)&left, length) ? errno : 0, EINPROGRESS);
	*accepted = accept_within(listener, 2500);
	return fd;
}

/*
 * Under SYN cookies nothing is kept of a SYN, so the ACK alone makes the connection.
 * The SYN-ACK is made without a socket that it could be judged by.
 */
static void test_cookies(void)
{
	struct ipsec_request *request = request_new("privacy");
	int listener, fd, peer, tries;

	shell("for h in left right; do $h sysctl -qw net.ipv4.tcp_syncookies=2; done");
	latch_mode(IPSEC_LATCH_OFF);
	for (tries = 0; tries < 2; tries++) {
		bool required = tries;

		/* the SYN is protected, and by the time of the ACK there is no policy */
		shell("ipsec_up esp-gcm $F level=use; "
		      "left tc qdisc add dev veth root netem delay 4s");
		listener = tcp_listener("left", &left);
		if (required)
			EXPECT(ipsec_request_apply(request, listener), 0);
		enter("right");
		fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		EXPECT(connect(fd, (struct sockaddr *)&left, length) ? errno : 0, EINPROGRESS);
		shell("right $IP xfrm policy flush");
		seen(IPPROTO_TCP);
		peer = accept_within(listener, 7000);
		EXPECT(peer >= 0, !required);
		EXPECT(seen(IPPROTO_TCP) > 0, 1);
		if (required)
			EXPECT(status_of(listener).refused_in > 0, 1);
		close(peer);
		close(fd);
		close(listener);
		shell("left tc qdisc del dev veth root; IPSEC_KIND=esp-gcm; ipsec_down");
		report(required ? "SYN cookies: with one it does not" :
		       "SYN cookies: without a request, an ACK in clear reaches accept()");
	}

	listener = tcp_listener("left", &left);
	EXPECT(ipsec_request_apply(request, listener), 0);
	usleep(100000);
	from_left();
	fd = connect_by_cookie(listener, &peer);
	EXPECT(peer, -EAGAIN);
	EXPECT(from_left(), 0);
	EXPECT(status_of(listener).refused_in > 0, 1);
	close(fd);
	report("SYN cookies: to a SYN in clear there is no answer");

	/* left has nothing that would protect what it sends */
	shell("ipsec_up esp-gcm $F level=use; left $IP xfrm policy delete "
	      "src $LEFT_IP dst $RIGHT_IP dir out");
	from_left();
	fd = connect_by_cookie(listener, &peer);
	EXPECT(from_left_most, 0);
	if (peer >= 0)
		EXPECT(send(peer, "secret", 6, 0), 6);
	EXPECT(receive(fd) < 0, 1);
	from_left();
	EXPECT(from_left_most, 0);
	close(peer);
	close(fd);
	close(listener);
	shell("IPSEC_KIND=esp-gcm; ipsec_down; "
	      "for h in left right; do $h sysctl -qw net.ipv4.tcp_syncookies=1; done");
	latch_mode(IPSEC_LATCH_ENFORCE);
	report("SYN cookies: a SYN-ACK in clear carries nothing, and nothing follows it");
	ipsec_request_free(request);
}

/* One socket, two peers, and then another address of its own. */
static void test_agent_flows(struct ipsec_request *request)
{
	struct sockaddr_storage elsewhere;
	struct asked asked = {};
	socklen_t size = sizeof(int);
	int fd, error = 0;

	set_address(&elsewhere, family == AF_INET ? "10.0.0.9" : "fd00::9");
	enter("left");
	fd = socket(family, SOCK_DGRAM, 0);
	/* longer than all of this takes */
	EXPECT(ipsec_request_set_timeout(request, 5000), 0);
	EXPECT(ipsec_request_apply(request, fd), 0);
	EXPECT(sendto(fd, "one", 3, 0, (struct sockaddr *)&elsewhere, length), 3);
	EXPECT(sendto(fd, "two", 3, 0, (struct sockaddr *)&right, length), 3);
	EXPECT(agent_asked(&asked, 1000), 2);
	shell("[ $F = 4 ] && a=10.0.0.3 || a=fd00::3; left $IP addr add $a dev veth; "
	      "left $IP route add $RIGHT_IP dev veth src $a");
	EXPECT(sendto(fd, "three", 5, 0, (struct sockaddr *)&right, length), 5);
	EXPECT(agent_asked(&asked, 1000), 1);
	EXPECT(sendto(fd, "four", 4, 0, (struct sockaddr *)&right, length), 4);
	EXPECT(agent_asked(&asked, 0), 0);
	report("of each flow of a socket it is asked, once");

	sleep(7);
	EXPECT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	EXPECT(error, ETIMEDOUT);
	EXPECT(status_of(fd).reason, IPSEC_REQUEST_REASON_TIMEOUT);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_NONE, NULL), -ENOENT);
	EXPECT(seen(IPPROTO_UDP), 0);
	close(fd);
	shell("[ $F = 4 ] && a=10.0.0.3/32 || a=fd00::3/128; "
	      "left $IP route del $RIGHT_IP dev veth; left $IP addr del $a dev veth");
	report("if it says nothing of a datagram, time runs out, too");
}

static void test_agent(void)
{
	struct ipsec_request *request = request_new("privacy");
	struct ipsec_request_status status;
	struct asked asked = {};
	struct pollfd poll_fd;
	socklen_t size = sizeof(int);
	int fd, error = 0, udp;
	double begin;

	EXPECT(ipsec_request_set_timeout(request, 20000), 0);
	agent_open();
	fd = client(request, SOCK_NONBLOCK);
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLOUT };
	seen(IPPROTO_TCP);
	EXPECT(try_connect(fd), -EINPROGRESS);
	EXPECT(agent_asked(&asked, 1000), 1);
	EXPECT(asked.flags, IPSEC_REQUEST_F_PRIVACY);
	EXPECT(asked.peer_port, PORT);
	EXPECT(asked.protocol, IPPROTO_TCP);
	EXPECT(asked.peer_length, family == AF_INET ? 4 : 16);
	EXPECT(status_of(fd).state, IPSEC_REQUEST_PENDING);
	sleep(4);
	EXPECT(agent_asked(&asked, 0), 0);
	report("the agent is asked, once");

	EXPECT(agent_answer(asked.id + 1, IPSEC_REQUEST_REASON_NONE, NULL), -ENOENT);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_MAX + 1, NULL) < 0, 1);
	shell("ipsec_up esp-gcm $F level=use");
	EXPECT(poll(&poll_fd, 1, 0), 0);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_NONE, NULL), 0);
	EXPECT(poll(&poll_fd, 1, 1500), 1);
	EXPECT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	EXPECT(error, 0);
	EXPECT(status_of(fd).state, IPSEC_REQUEST_MET);
	EXPECT(seen(IPPROTO_TCP) >= 0, 1);
	close(fd);
	close(accept_within(server, 1000));
	shell("IPSEC_KIND=esp-gcm; ipsec_down");
	report("once it has made SAs the connection is there at once");

	seen(IPPROTO_TCP);
	fd = client(request, SOCK_NONBLOCK);
	poll_fd.fd = fd;
	EXPECT(try_connect(fd), -EINPROGRESS);
	EXPECT(agent_asked(&asked, 1000), 1);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_REFUSED, "the peer says no"), 0);
	EXPECT(poll(&poll_fd, 1, 1500), 1);
	EXPECT(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	EXPECT(error, EACCES);
	status = status_of(fd);
	EXPECT(status.reason, IPSEC_REQUEST_REASON_REFUSED);
	EXPECT(strcmp(status.text, "the peer says no"), 0);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_NONE, NULL), -ENOENT);
	EXPECT(seen(IPPROTO_TCP), 0);
	close(fd);
	report("what it says of a failure reaches the application");

	EXPECT(ipsec_request_set_timeout(request, 1000), 0);
	begin = now();
	fd = client(request, 0);
	EXPECT(try_connect(fd), -ETIMEDOUT);
	EXPECT(now() - begin > 0.9 && now() - begin < 3, 1);
	EXPECT(status_of(fd).reason, IPSEC_REQUEST_REASON_TIMEOUT);
	EXPECT(agent_asked(&asked, 0), 1);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_NONE, NULL), -ENOENT);
	close(fd);
	report("if it says nothing, time runs out");

	udp = udp_socket("left", &left);
	EXPECT(ipsec_request_apply(request, udp), 0);
	EXPECT(connect(udp, (struct sockaddr *)&right, length), 0);
	EXPECT(ipsec_request_apply(request, udp), -EISCONN);
	EXPECT(send(udp, "one", 3, 0), 3);
	EXPECT(send(udp, "two", 3, 0), 3);
	EXPECT(agent_asked(&asked, 1000), 1);
	EXPECT(asked.protocol, IPPROTO_UDP);
	EXPECT(agent_answer(asked.id, IPSEC_REQUEST_REASON_WEAKER, NULL), 0);
	usleep(200000);
	EXPECT(send(udp, "three", 5, 0) < 0 ? errno : 0, EPROTO);
	EXPECT(seen(IPPROTO_UDP), 0);
	close(udp);
	report("the same for datagrams");

	test_agent_flows(request);
	agent_close();
	ipsec_request_free(request);
}

int main(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);
	ksft_print_header();
	ksft_set_plan(2 * 35);
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		load();
		hosts_up(families[i]);
		server = tcp_listener("right", &right);
		test_no_sa();
		test_met();
		test_weaker();
		test_compression();
		test_identity();
		test_listener();
		test_cookies();
		test_agent();
		close(server);
		hosts_down();
		EXPECT(unload_soon(), 0);
		report("in the end nothing is left");
	}
	ksft_finished();
}
