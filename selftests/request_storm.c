// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many attempts to connect with a request, while policies come and go all the time:
 * whatever comes of each of them, no SYN and no data is seen on the wire in clear.
 * Without a request the same storm is seen to be one. ATTEMPTS says how many.
 */
#include "helpers/request_hosts.h"

#include <sys/wait.h>

static int server, attempts;
static int connected, failed, sent;
static int errors[256], refused_in, refused_out;

/* Segments from left in clear that have data, or open a connection. */
static int seen_leaving(void)
{
	size_t header = family == AF_INET ? 20 : 40;
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	unsigned char packet[2000];
	int count = 0;
	ssize_t size;

	while ((size = recvfrom(wire, packet, sizeof(packet), MSG_TRUNC,
				(struct sockaddr *)&from, &from_length)) > 0) {
		const unsigned char *tcp = packet + header;

		if (ntohs(from.sll_protocol) != (family == AF_INET ? ETH_P_IP : ETH_P_IPV6) ||
		    from.sll_pkttype == PACKET_OUTGOING ||
		    packet[family == AF_INET ? 9 : 6] != IPPROTO_TCP ||
		    size < (ssize_t)header + 20)
			continue;
		count += tcp[13] & 2 ||
			 size - (ssize_t)header > (tcp[12] >> 4) * 4;
	}
	return count;
}

/*
 * Policies of left come and go, up to the end of the process. Its SAs stay: made anew
 * they would begin to count anew, and right would take all for replayed.
 */
static pid_t storm_begin(void)
{
	pid_t pid;

	/* one program does it many times, since starting one is what takes time */
	shell("IPSEC_KIND=esp-gcm IPSEC_LEVEL=use; "
	      "once=$(echo xfrm policy flush; ipsec_policy in rl; ipsec_policy out lr); "
	      "for i in {1..200}; do echo \"$once\"; done >/tmp/request_storm");
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid) {
		sleep(2);	/* it takes a while to begin */
		return pid;
	}
	if (setpgid(0, 0))
		_exit(1);
	for (;;)
		shell("left $IP -batch /tmp/request_storm");
}

static void storm_end(pid_t pid)
{
	if (kill(-pid, SIGKILL) || waitpid(pid, NULL, 0) != pid)
		err(1, "storm");
	usleep(500000);		/* its last child */
}

static void attempt(const struct ipsec_request *request)
{
	struct linger linger = { .l_onoff = 1 };
	struct pollfd poll_fd;
	int fd, error = 0, peer;
	socklen_t size = sizeof(error);

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		err(1, "socket");
	if (request && ipsec_request_apply(request, fd))
		errx(1, "request");
	if (connect(fd, (struct sockaddr *)&right, length) && errno != EINPROGRESS)
		error = errno;
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLOUT };
	if (!error && (poll(&poll_fd, 1, 100) != 1 ||
		       getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)))
		error = ETIMEDOUT;
	if (request) {
		struct ipsec_request_status status = status_of(fd);

		refused_in += status.refused_in;
		refused_out += status.refused_out;
	}
	if (error) {
		failed++;
		errors[error % 256]++;
	} else {
		connected++;
		sent += send(fd, "secret", 6, 0) == 6;
	}
	close(fd);
	/* neither only while there are policies, nor only while there are none */
	usleep(1000);
	peer = accept(server, NULL, NULL);
	if (peer >= 0)
		close(peer);
}

static int storm(const struct ipsec_request *request, int count)
{
	pid_t pid = storm_begin();
	int leaving = 0, i;

	memset(errors, 0, sizeof(errors));
	refused_in = 0;
	refused_out = 0;
	connected = 0;
	failed = 0;
	sent = 0;
	seen_leaving();
	enter("left");
	for (i = 0; i < count; i++) {
		attempt(request);
		/* what is seen must have room */
		if (i % 20 == 0)
			leaving += seen_leaving();
	}
	storm_end(pid);
	leaving += seen_leaving();
	printf("# %d attempts, %d connected, %d failed, %d sent data; %d in clear\n",
	       count, connected, failed, sent, leaving);
	printf("# refused: %d out, %d in;", refused_out, refused_in);
	for (i = 0; i < 256; i++)
		if (errors[i])
			printf(" %s: %d", strerror(i), errors[i]);
	puts("");
	return leaving;
}

int main(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const char *wanted = getenv("ATTEMPTS");
	struct ipsec_request *request = request_new("privacy,integrity");
	unsigned int i;

	attempts = wanted ? atoi(wanted) : 10000;
	signal(SIGPIPE, SIG_IGN);
	ksft_print_header();
	ksft_set_plan(2 * 2);
	if (ipsec_request_set_timeout(request, 1000))
		errx(1, "timeout");
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		load();
		hosts_up(families[i]);
		server = tcp_listener("right", &right);
		if (fcntl(server, F_SETFL, O_NONBLOCK))
			err(1, "listener");
		shell("ipsec_up esp-gcm $F level=use");
		EXPECT(storm(NULL, 1000) > 0, 1);
		report("without a request, SYNs and data are seen in clear");
		EXPECT(storm(request, attempts / 2), 0);
		EXPECT(connected > 0, 1);
		EXPECT(failed > 0, 1);
		report("with one, none is");
		close(server);
		hosts_down();
		if (unload_soon())
			errx(1, "the module does not go");
	}
	ksft_finished();
}
