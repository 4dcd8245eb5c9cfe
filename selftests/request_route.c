// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way to the peer changes under sockets with requests, so that no policy applies
 * to it any more, or none that is seen: another device, another routing table, another
 * source address, a device that is exempt from IPsec or has its tunnel in another
 * namespace, SAs that are gone before others are there. What the sockets send waits or
 * is refused and is never seen on the wire in clear, though latches only report, or are
 * off. Without a request all of it is seen. When the way is as it was, traffic goes on.
 *
 * Besides the wire of lib.sh there is a second one, veth2. Over IPv4 policies can be for
 * the first one alone. Over IPv6 they can't, but they can be for an xfrm interface,
 * and be got around by any other route.
 */
#include "helpers/request_hosts.h"

#include <net/if.h>

/* What there is between left and right: both ends of TCP, and datagrams. */
enum { CONNECTING, ACCEPTED, CONNECTED, UNCONNECTED, PAIRS };

static struct {
	int left, right;
	int protocol;
	struct sockaddr_storage to_left, to_right;	/* of datagrams */
} pairs[PAIRS];

#define POLICIES								\
	"IPSEC_KIND=esp-gcm IPSEC_LEVEL=use; both xfrm policy flush; "		\
	"[ $F = 4 ] && dev=\"dev veth\"; "					\
	"{ ipsec_policy in rl; ipsec_policy out lr | sed \"s/ dir/ $dev&/\"; } | "	\
	"left $IP -batch -; "							\
	"{ ipsec_policy in lr; ipsec_policy out rl | sed \"s/ dir/ $dev&/\"; } | "	\
	"right $IP -batch -"

/* where ways lead around policies */
#define BY_DEVICE	1	/* in transport mode, over IPv4 */
#define BY_INTERFACE	2	/* an xfrm interface */
#define BY_ADDRESS	4	/* in transport mode */

static int kind;
static int interface;	/* of xfrm, at right: what comes from there was protected */

/* Protection is lost, and comes back. The addresses of the sockets stay. */
static const struct way {
	const char *name;
	const char *lose;
	const char *regain;
	int kinds;
} ways[] = {
	{
		"another device",
		"left $IP route add $RIGHT_IP dev veth2; right $IP route add $LEFT_IP dev veth2",
		"left $IP route del $RIGHT_IP dev veth2; right $IP route del $LEFT_IP dev veth2",
		BY_DEVICE | BY_INTERFACE
	}, {
		"another gateway",
		"left $IP route add $RIGHT_IP via $HOP; right $IP route add $LEFT_IP dev veth2",
		"left $IP route del $RIGHT_IP via $HOP; right $IP route del $LEFT_IP dev veth2",
		BY_DEVICE | BY_INTERFACE
	}, {
		"another table",
		"left $IP -$F rule add to $RIGHT_IP table 100; "
		"right $IP -$F rule add to $LEFT_IP table 100",
		"left $IP -$F rule del to $RIGHT_IP table 100; "
		"right $IP -$F rule del to $LEFT_IP table 100",
		BY_DEVICE | BY_INTERFACE
	}, {
		"a device exempt from IPsec",
		"for h in left right; do $h sysctl -qw net.ipv4.conf.veth.disable_xfrm=1; done",
		"for h in left right; do $h sysctl -qw net.ipv4.conf.veth.disable_xfrm=0; done",
		BY_DEVICE
	}, {
		"a gap between SAs",
		"both xfrm state flush",
		"IPSEC_KIND=esp-gcm; ipsec_rekey",
		BY_ADDRESS
	}, {
		"no policies",
		"both xfrm policy flush",
		POLICIES,
		BY_ADDRESS
	},
};

/* Packets from left in clear since last asked. */
static void leaked(int *tcp, int *udp)
{
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	unsigned char packet[2000];
	int protocol;

	*tcp = *udp = 0;
	while (recvfrom(wire, packet, sizeof(packet), 0, (struct sockaddr *)&from,
			&from_length) > 0) {
		if (ntohs(from.sll_protocol) != (family == AF_INET ? ETH_P_IP : ETH_P_IPV6) ||
		    from.sll_pkttype == PACKET_OUTGOING || from.sll_ifindex == interface)
			continue;
		protocol = packet[family == AF_INET ? 9 : 6];
		*tcp += protocol == IPPROTO_TCP;
		*udp += protocol == IPPROTO_UDP;
	}
}

static void nothing_leaked(void)
{
	int tcp, udp;

	usleep(300000);
	leaked(&tcp, &udp);
	EXPECT(tcp, 0);
	EXPECT(udp, 0);
}

static void shell_here(const char *words)
{
	static const char *const hosts[2][2] = {
		{ "HOP=10.2.0.2", "HOP=fd02::2" },
		{ "HOP=10.2.0.2 LEFT_IP=10.1.0.1 RIGHT_IP=10.1.0.2",
		  "HOP=fd02::2 LEFT_IP=fd01::1 RIGHT_IP=fd01::2" },
	};
	char all[1024];

	snprintf(all, sizeof(all), "%s; %s",
		 hosts[kind == BY_INTERFACE][family == AF_INET6], words);
	shell(all);
}

static void protect(void)
{
	static const char *const address[2][2] = {
		{ "10.1.0.1", "10.1.0.2" }, { "fd01::1", "fd01::2" },
	};

	if (kind != BY_INTERFACE) {
		shell("ipsec_up esp-gcm $F level=use; " POLICIES);
		return;
	}
	shell("ipsec_up xfrmi $F");
	set_address(&left, address[family == AF_INET6][0]);
	set_address(&right, address[family == AF_INET6][1]);
	enter("right");
	interface = if_nametoindex("xfrm0");
}

static void second_wire(void)
{
	shell("$IP link add veth2 netns left address 02:00:00:00:00:11 type veth "
	      "peer name veth2 netns right address 02:00:00:00:00:12; "
	      "both link set veth2 up; "
	      "left $IP addr add 10.2.0.1/24 dev veth2; right $IP addr add 10.2.0.2/24 dev veth2; "
	      "left $IP addr add fd02::1/64 dev veth2 nodad; "
	      "right $IP addr add fd02::2/64 dev veth2 nodad");
	shell_here("for a in $RIGHT_IP $HOP; do "
		   "left $IP neigh replace $a lladdr 02:00:00:00:00:12 dev veth2 nud permanent; "
		   "done; "
		   "right $IP neigh replace $LEFT_IP lladdr 02:00:00:00:00:11 dev veth2 nud permanent; "
		   "left $IP route add $RIGHT_IP dev veth2 table 100; "
		   "right $IP route add $LEFT_IP dev veth2 table 100; "
		   /* so that a socket that is bound to it finds the way */
		   "[ $F = 4 ] && net=${LEFT_IP%.*}.0/24 || net=${LEFT_IP%1}/64; "
		   "both route add $net dev veth2 metric 5000");
}

static void port_of(struct sockaddr_storage *address, int port)
{
	((struct sockaddr_in *)address)->sin_port = htons(port);	/* and of sockaddr_in6 */
}

static void require(int fd, bool required)
{
	struct ipsec_request *request;

	if (!required)
		return;
	request = request_new("privacy");
	EXPECT(ipsec_request_apply(request, fd), 0);
	ipsec_request_free(request);
}

static int left_socket(int type, bool required, const char *device)
{
	int fd;

	enter("left");
	fd = socket(family, type | SOCK_NONBLOCK, 0);
	if (fd < 0 || (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
					    strlen(device))))
		err(1, "socket on left");
	require(fd, required);
	return fd;
}

static int connect_within(int fd, const struct sockaddr_storage *to, int milliseconds)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	if (!connect(fd, (struct sockaddr *)to, length))
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&poll_fd, 1, milliseconds) <= 0)
		return -EAGAIN;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return -error;
}

/* From one host to a listener on the other one. */
static void tcp_pair(int i, bool required)
{
	bool to_left = i == ACCEPTED;
	struct sockaddr_storage *address = to_left ? &left : &right;
	int listener = tcp_listener(to_left ? "left" : "right", address), fd, peer;

	if (to_left)
		require(listener, required);
	enter(to_left ? "right" : "left");
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (!to_left)
		require(fd, required);
	EXPECT(connect_within(fd, address, 5000), 0);
	peer = accept_within(listener, 5000);
	EXPECT(peer >= 0, 1);
	close(listener);
	pairs[i].left = to_left ? peer : fd;
	pairs[i].right = to_left ? fd : peer;
	pairs[i].protocol = IPPROTO_TCP;
}

static void udp_pair(int i, bool required)
{
	pairs[i].to_left = left;
	pairs[i].to_right = right;
	port_of(&pairs[i].to_left, PORT + i);
	port_of(&pairs[i].to_right, PORT + i);
	pairs[i].left = udp_socket("left", &pairs[i].to_left);
	pairs[i].right = udp_socket("right", &pairs[i].to_right);
	pairs[i].protocol = IPPROTO_UDP;
	require(pairs[i].left, required);
	if (i == CONNECTED &&
	    connect(pairs[i].left, (struct sockaddr *)&pairs[i].to_right, length))
		err(1, "connect");
}

/* Return: 0 or a negative errno. */
static int send_on(int i, bool from_left)
{
	struct sockaddr_storage *to = from_left ? &pairs[i].to_right : &pairs[i].to_left;
	bool addressed = pairs[i].protocol == IPPROTO_UDP && !(i == CONNECTED && from_left);
	int fd = from_left ? pairs[i].left : pairs[i].right;

	return sendto(fd, "secret", 6, MSG_DONTWAIT, addressed ? (struct sockaddr *)to : NULL,
		      addressed ? length : 0) == 6 ? 0 : -errno;
}

/* All that comes, up to so many bytes. TCP sends again when its timer says so. */
static int arrives(int fd, int bytes)
{
	int got, all = 0;

	while (all < bytes) {
		got = receive_again(fd);
		if (got <= 0)
			break;
		all += got;
	}
	return all;
}

static int waits(int fd)
{
	char buffer[100];

	return recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0;
}

static void all_goes_on(int earlier)
{
	int i, bytes;

	for (i = 0; i < PAIRS; i++) {
		EXPECT(send_on(i, true), 0);
		EXPECT(send_on(i, false), 0);
		/* datagrams are not sent again */
		bytes = 6 * (1 + (pairs[i].protocol == IPPROTO_TCP ? earlier : 0));
		if (arrives(pairs[i].right, bytes) != bytes)
			complain("# pair %d: nothing goes to right any more\n", i);
		if (arrives(pairs[i].left, bytes) != bytes)
			complain("# pair %d: nothing goes to left any more\n", i);
	}
}

static void pairs_open(bool required)
{
	tcp_pair(CONNECTING, required);
	tcp_pair(ACCEPTED, required);
	udp_pair(CONNECTED, required);
	udp_pair(UNCONNECTED, required);
	all_goes_on(0);
	nothing_leaked();
}

static void pairs_close(void)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		close(pairs[i].left);
		close(pairs[i].right);
	}
}

static void send_all(bool required)
{
	int i, error;

	for (i = 0; i < PAIRS; i++) {
		error = required && pairs[i].protocol == IPPROTO_UDP ? -ENOKEY : 0;
		EXPECT(send_on(i, true), error);
		EXPECT(send_on(i, false), 0);
	}
	usleep(500000);
}

static void test_open(const struct way *way)
{
	char what[128];
	int i, tcp, udp;

	shell_here(way->lose);
	leaked(&tcp, &udp);
	send_all(false);
	leaked(&tcp, &udp);
	EXPECT(tcp > 0, 1);
	EXPECT(udp, 2);		/* sockets */
	for (i = 0; i < PAIRS; i++) {
		EXPECT(waits(pairs[i].right), 1);
		EXPECT(waits(pairs[i].left), 1);
	}
	shell_here(way->regain);
	/* the kernel itself would keep to the routes in clear */
	if (kind != BY_INTERFACE)
		shell(POLICIES);
	leaked(&tcp, &udp);
	all_goes_on(0);
	nothing_leaked();
	snprintf(what, sizeof(what), "%s: without a request all is sent in clear", way->name);
	report(what);
}

static void test_required(const struct way *way)
{
	static const uint8_t modes[] = { IPSEC_LATCH_ENFORCE, IPSEC_LATCH_REPORT, IPSEC_LATCH_OFF };
	char what[128];
	unsigned int mode;
	int i;

	shell_here(way->lose);
	for (mode = 0; mode < ARRAY_SIZE(modes); mode++) {
		latch_mode(modes[mode]);
		send_all(true);
		nothing_leaked();
		for (i = 0; i < PAIRS; i++) {
			EXPECT(waits(pairs[i].right), 0);
			EXPECT(waits(pairs[i].left), 0);
		}
	}
	for (i = 0; i < PAIRS; i++)
		EXPECT(status_of(pairs[i].left).refused_out > 0, 1);
	shell_here(way->regain);
	all_goes_on(ARRAY_SIZE(modes));
	nothing_leaked();
	snprintf(what, sizeof(what), "%s: with one nothing is, and then it goes on", way->name);
	report(what);
}

static void test_ways(bool required)
{
	unsigned int i;

	latch_mode(IPSEC_LATCH_OFF);
	pairs_open(required);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!(ways[i].kinds & kind))
			continue;
		if (required)
			test_required(&ways[i]);
		else
			test_open(&ways[i]);
	}
	pairs_close();
}

static int send_to_right(int fd)
{
	return sendto(fd, "secret", 6, 0, (struct sockaddr *)&right, length) == 6 ? 0 : -errno;
}

/* The socket is bound to no address, so it sends from the one of the route. */
static void test_source(bool required)
{
	int fd = left_socket(SOCK_DGRAM, required, NULL), other = udp_socket("right", &right);
	int tcp, udp;

	EXPECT(send_to_right(fd), 0);
	EXPECT(receive(other), 6);
	nothing_leaked();
	shell("[ $F = 4 ] && a=10.0.0.11/24 || a=\"fd00::11/64 nodad\"; "
	      "left $IP addr add $a dev veth; left $IP route add $RIGHT_IP dev veth src ${a%%/*}");
	EXPECT(send_to_right(fd), required ? -ENOKEY : 0);
	EXPECT(receive(other), required ? -EAGAIN : 6);
	leaked(&tcp, &udp);
	EXPECT(udp, !required);
	shell("[ $F = 4 ] && a=10.0.0.11/24 || a=fd00::11/64; "
	      "left $IP route del $RIGHT_IP dev veth; left $IP addr del $a dev veth");
	EXPECT(send_to_right(fd), 0);
	EXPECT(receive(other), 6);
	nothing_leaked();
	close(fd);
	close(other);
	report(required ? "another source address: with a request nothing is sent in clear" :
			  "another source address: without a request all is sent in clear");
}

static void test_bound(bool required)
{
	int server = tcp_listener("right", &right), other = udp_socket("right", &right);
	int fd = left_socket(SOCK_STREAM, required, "veth2"), tcp, udp;

	/* the answer has to come to the same device */
	shell_here("right $IP route add $LEFT_IP dev veth2");
	leaked(&tcp, &udp);
	/* the listener's address is what policies are for */
	if (bind(fd, (struct sockaddr *)&pairs[ACCEPTED].to_left, length))
		err(1, "bind");
	EXPECT(connect_within(fd, &right, 2000), required ? -ENOKEY : 0);
	close(fd);
	fd = left_socket(SOCK_DGRAM, required, "veth2");
	if (bind(fd, (struct sockaddr *)&pairs[ACCEPTED].to_left, length))
		err(1, "bind");
	EXPECT(send_to_right(fd), required ? -ENOKEY : 0);
	EXPECT(receive(other), required ? -EAGAIN : 6);
	leaked(&tcp, &udp);
	EXPECT(tcp > 0, !required);
	EXPECT(udp, !required);
	shell_here("right $IP route del $LEFT_IP dev veth2");
	close(fd);
	close(server);
	close(other);
	report(required ? "bound to another device: with a request nothing is sent in clear" :
			  "bound to another device: without a request all is sent in clear");
}

/* What applications do to their own sockets. */
static void test_options(void)
{
	static const int both[] = { CONNECTING, CONNECTED };
	const char *device = kind == BY_INTERFACE ? "xfrm0" : "veth";
	int fd = left_socket(SOCK_DGRAM, true, device), other, one = 7, none = 0;
	struct sockaddr_storage address = right;
	unsigned int i;

	port_of(&address, PORT + PAIRS);
	other = udp_socket("right", &address);
	EXPECT(connect(fd, (struct sockaddr *)&address, length), 0);
	EXPECT(send(fd, "secret", 6, 0), 6);
	EXPECT(receive(other), 6);
	shell_here(ways[0].lose);
	EXPECT(send(fd, "secret", 6, 0), 6);
	EXPECT(receive(other), 6);
	shell_here(ways[0].regain);
	nothing_leaked();
	report("bound to its device a socket is not concerned by another one");

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "veth2", 5))
		err(1, "SO_BINDTODEVICE");
	EXPECT(send(fd, "secret", 6, 0) < 0 ? errno : 0, ENOKEY);
	EXPECT(receive(other), -EAGAIN);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0))
		err(1, "SO_BINDTODEVICE");
	EXPECT(send(fd, "secret", 6, 0), 6);
	EXPECT(receive(other), 6);
	nothing_leaked();
	close(fd);
	close(other);
	report("bound to another device while it is connected, nothing is sent in clear");

	pairs_open(true);
	shell_here("left $IP -$F rule add fwmark 7 table 100");
	for (i = 0; i < ARRAY_SIZE(both); i++) {
		if (setsockopt(pairs[both[i]].left, SOL_SOCKET, SO_MARK, &one, sizeof(one)))
			err(1, "SO_MARK");
		EXPECT(send_on(both[i], true), both[i] == CONNECTED ? -ENOKEY : 0);
	}
	nothing_leaked();
	for (i = 0; i < ARRAY_SIZE(both); i++) {
		EXPECT(waits(pairs[both[i]].right), 0);
		if (setsockopt(pairs[both[i]].left, SOL_SOCKET, SO_MARK, &none, sizeof(none)))
			err(1, "SO_MARK");
	}
	EXPECT(arrives(pairs[CONNECTING].right, 6), 6);
	all_goes_on(0);
	nothing_leaked();
	shell_here("left $IP -$F rule del fwmark 7 table 100");
	pairs_close();
	report("marked for another table while it is connected, nothing is sent in clear");
}

/*
 * The device of the tunnel is in another namespace than the tunnel: what it does is no
 * longer seen where the sockets are.
 */
static void test_elsewhere(bool required)
{
	int server, other, fd, datagrams;

	server = tcp_listener("right", &right);
	other = udp_socket("right", &right);
	enter("inner");
	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	datagrams = socket(family, SOCK_DGRAM, 0);
	require(fd, required);
	require(datagrams, required);
	EXPECT(connect_within(fd, &right, 5000), required ? -ENOKEY : 0);
	EXPECT(send_to_right(datagrams), required ? -ENOKEY : 0);
	EXPECT(receive(other), required ? -EAGAIN : 6);
	nothing_leaked();
	close(fd);
	close(datagrams);
	close(server);
	close(other);
	report(required ? "a device of another namespace: with a request nothing is sent" :
			  "a device of another namespace: without a request all is sent");
}

static void test_namespaces(void)
{
	shell_here("$IP netns add inner; left $IP link set xfrm0 netns inner; "
		   "inner() { \"$HELPERS/netns\" inner $IP \"$@\"; }; "
		   "[ $F = 4 ] && a=$LEFT_IP/24 || a=\"$LEFT_IP/64 nodad\"; "
		   "inner link set lo up; inner link set xfrm0 up; inner addr add $a dev xfrm0");
	test_elsewhere(false);
	test_elsewhere(true);
	go_home();
	shell("$IP netns del inner");
}

static void test(int which, int family)
{
	kind = which;
	load();
	hosts_up(family);
	protect();
	second_wire();
	pairs[ACCEPTED].to_left = left;
	port_of(&pairs[ACCEPTED].to_left, 0);
	printf("# %s\n", kind == BY_INTERFACE ? "an xfrm interface" : "transport mode");
	test_ways(false);
	test_ways(true);
	if (kind != BY_INTERFACE) {
		test_source(false);
		test_source(true);
	}
	if (kind != BY_ADDRESS) {
		test_bound(false);
		test_bound(true);
		test_options();
	}
	if (kind == BY_INTERFACE)
		test_namespaces();
	hosts_down();
	interface = 0;
	EXPECT(unload_soon(), 0);
	report("in the end nothing is left");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	ksft_print_header();
	ksft_set_plan(20 + 7 + 2 * 14);
	test(BY_DEVICE | BY_ADDRESS, AF_INET);
	test(BY_ADDRESS, AF_INET6);
	test(BY_INTERFACE, AF_INET);
	test(BY_INTERFACE, AF_INET6);
	ksft_finished();
}
