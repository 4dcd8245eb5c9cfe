// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_many - what 100,000 SAs cost, as against one
 *
 * Each SA is of a peer of its own, which is the worst case: no two share a
 * context. First they are just there, then each has delivered a datagram.
 */
#include <ipsec/token.h>
#include <sys/resource.h>

#include "bench_datagrams.h"
#include "bench_slab.h"
#include "bench_stats.h"

#define SOCKETS	10000

static void bench_sockets(void)
{
	struct rlimit limit = { SOCKETS + 100, SOCKETS + 100 };
	struct memory before, after;
	static int fds[SOCKETS];
	unsigned int i;
	double each;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (i = 0; i < SOCKETS; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fds[i] < 0)
			err(1, "socket");
	}
	memory_read(&before);
	for (i = 0; i < SOCKETS; i++)
		if (ipsec_recvptoken_set(fds[i], true))
			errx(1, "opt-in");
	memory_read(&after);
	each = memory_each(&before, &after, SOCKETS, "socket");
	row_alone("bytes per opted-in socket", each + table_size(SOCKETS) / SOCKETS, "128");
	for (i = 0; i < SOCKETS; i++)
		close(fds[i]);
}

int main(void)
{
	struct samples one = {}, unused = {}, many = {}, pktinfo = {}, turns = {};
	unsigned int count = 100000, step, i;
	struct memory before, after;
	int rx, rx_pktinfo, on = 1;
	double each;

	tun_open();
	sas_add(0, 1);
	usleep(100000);
	rx = datagram_socket();
	if (ipsec_recvptoken_set(rx, true))
		errx(1, "opt-in");

	datagrams_receive(rx, 0, 0, NULL);
	for (i = 0; i < ROUNDS; i++)
		datagrams_receive(rx, 0, 0, &one);

	sas_add(1, count - 1);
	sleep(3);	/* xfrm looks at each new SA once, after a second */
	stats_read();
	if (stats[IPSEC_STATS_A_CONTEXTS] != 1 || stats[IPSEC_STATS_A_PATHS] != 1)
		errx(1, "an SA that nobody asks about is kept");
	/* contexts and paths are all that there ever is for an SA */
	row_alone("bytes per SA that nobody asks about", 0, "0");
	for (i = 0; i < ROUNDS; i++)
		datagrams_receive(rx, 0, 0, &unused);

	memory_read(&before);
	for (i = CALLS; i + CALLS <= count; i += CALLS)
		datagrams_receive(rx, i, 1, NULL);
	memory_read(&after);
	stats_read();
	if (stats[IPSEC_STATS_A_CONTEXTS] < count - 2 * CALLS)
		errx(1, "%llu contexts", (unsigned long long)stats[IPSEC_STATS_A_CONTEXTS]);
	count = stats[IPSEC_STATS_A_CONTEXTS];
	step = count / (CALLS + 2);
	each = memory_each(&before, &after, count - 1, "SA");
	/* one table of contexts, one of paths */
	row_alone("bytes per SA in use", each + 2 * table_size(count) / count, "256");

	for (i = 0; i < ROUNDS; i++)
		datagrams_receive(rx, (i + 1) * step, 0, &many);
	for (i = 0; i < ROUNDS; i++)
		datagrams_receive(rx, i + 1, step, &turns);
	close(rx);
	rx_pktinfo = datagram_socket();
	if (setsockopt(rx_pktinfo, SOL_IP, IP_PKTINFO, &on, sizeof(on)))
		err(1, "IP_PKTINFO");
	for (i = 0; i < ROUNDS; i++)
		datagrams_receive(rx_pktinfo, (i + 1) * step, 0, &pktinfo);

	row("recvmsg with token, 100,000 SAs, one in use / one", median(&unused), median(&one),
	    "1.05");
	row("recvmsg with token, 100,000 SAs in use / one", median(&many), median(&one), "1.05");
	row("recvmsg with token, 64 peers in turn / one", median(&turns), median(&one), "-");
	row("recvmsg, 100,000 SAs in use: token / PKTINFO", median(&many), median(&pktinfo),
	    "1.00");
	bench_sockets();
	return 0;
}
