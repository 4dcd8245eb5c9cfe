// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_latches accepted|connected COUNT - memory that the kernel has for each of
 * COUNT connections under IPsec, beyond their sockets
 *
 * accepted: by a host whose peers are played here, so that there is room for many.
 * connected: COUNT from left to right of lib.sh, between which there is ESP over
 * IPv4; on veth the answer to a SYN finds the socket in use, and both ends count.
 *
 * Prints the bytes, and fails if anything of them is left once they are closed. To
 * be compared with the same without the module.
 */
#include <sys/resource.h>

#include "bench_slab.h"
#include "bench_stats.h"
#include "enter.h"
#include "tun_flows.h"

static bool loaded;

/* What the kernel still has to do with things that are gone, or just made. */
static void settle(void)
{
	usleep(500000);
}

static void report(const struct memory *before, unsigned int count, const char *what)
{
	struct memory after;
	double each;

	settle();
	memory_read(&after);
	each = memory_each(before, &after, count, what);
	if (loaded)
		each += table_size(count) / count;
	printf("%.1f\n", each);
}

static void check_latches(uint64_t wanted)
{
	unsigned int tries;

	for (tries = 0; loaded && tries < 200; tries++) {
		stats_read();
		if (stats[IPSEC_STATS_A_LATCHES] == wanted &&
		    stats[IPSEC_STATS_A_CONNECTIONS] == wanted)
			return;
		usleep(50000);
	}
	if (loaded)
		errx(1, "%llu connections and %llu latches, not %llu",
		     (unsigned long long)stats[IPSEC_STATS_A_CONNECTIONS],
		     (unsigned long long)stats[IPSEC_STATS_A_LATCHES],
		     (unsigned long long)wanted);
}

static void open_batch(unsigned int first)
{
	struct flow flow[BATCH];

	flows_open(flow, first);
	usleep(1000);
	tun_drain();
}

/* Nobody accepts them: then there is no file for each. */
static void accepted(unsigned int count)
{
	unsigned int peers = (count + PER_PEER - 1) / PER_PEER, i;
	struct memory before;
	int listener;

	tun_open();
	sysctl("core/somaxconn", "1000000");
	sysctl("ipv4/tcp_max_syn_backlog", "1000000");
	sas_add(0, peers + 1);
	sas_add_out(0, peers + 1);
	usleep(100000);
	listener = listen_at(SOCK_STREAM, count + BATCH);
	/* what is there only once, or only the first time */
	open_batch(peers * PER_PEER);
	settle();

	memory_read(&before);
	for (i = 0; i < count; i += BATCH)
		open_batch(i);
	report(&before, count, "accepted connection");
	check_latches(count + BATCH);
	close(listener);
}

static void connected(unsigned int count)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(0x0a000002),
	};
	struct rlimit limit = { count + 100, count + 100 };
	int *fds = calloc(count, sizeof(*fds));
	struct memory before;
	unsigned int i;
	int listener;

	if (!fds || setrlimit(RLIMIT_NOFILE, &limit))
		err(1, "%u files", count);
	enter("right");
	sysctl("core/somaxconn", "100000");
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&to, sizeof(to)) ||
	    listen(listener, count))
		err(1, "listener");
	enter("left");
	for (i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (fds[i] < 0)
			err(1, "socket");
	}
	settle();

	memory_read(&before);
	for (i = 0; i < count; i++)
		if (connect(fds[i], (struct sockaddr *)&to, sizeof(to)))
			err(1, "connection %u", i);
	report(&before, 2 * count, "end of a connection");
	check_latches(count);
	/* the listener first, whose connections end by a reset */
	close(listener);
	for (i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(1, "bench_latches accepted|connected COUNT");
	loaded = !access("/sys/module/ipsec_token", F_OK);
	if (!strcmp(argv[1], "accepted"))
		accepted(atoi(argv[2]));
	else
		connected(atoi(argv[2]));
	check_latches(0);
	return 0;
}
