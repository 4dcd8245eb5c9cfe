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

#include "bench_connections.h"
#include "bench_slab.h"
#include "enter.h"

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
	unsigned int i;
	struct memory before;
	int listener = peers_up(count);

	/* what is there only once, or only the first time */
	open_batch(peers_for(count) * PER_PEER);
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
	loaded = module_loaded();
	if (!strcmp(argv[1], "accepted"))
		accepted(atoi(argv[2]));
	else
		connected(atoi(argv[2]));
	check_latches(0);
	return 0;
}
