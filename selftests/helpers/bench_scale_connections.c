// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_scale_connections MOST - what things cost where there are 1, 10, ... MOST
 * connections under IPsec, which are latched if the module is there
 *
 * What they take in memory is what they take beyond their sockets.
 */
#include <ipsec/token.h>

#include "bench_connections.h"
#include "bench_flow.h"
#include "bench_scale.h"

#define CALLS	64
#define SINGLE	1000	/* this many are opened one by one */
#define USED	8	/* the first ones */
#define WARM	5	/* how often each is used before that is counted */

static struct flow flow[USED];
static int fd[USED];

static int flow_accept(int listener)
{
	int new = accept(listener, NULL, NULL);

	if (new < 0)
		err(1, "accept");
	return new;
}

static void open_flows(int listener, unsigned int from, unsigned int to)
{
	struct flow batch[BATCH], one;
	unsigned int i;

	for (i = from; i < to && i < SINGLE; i++) {
		one = flow_numbered(i);
		flow_open(&one);
		if (i >= USED)
			continue;
		flow[i] = one;
		fd[i] = flow_accept(listener);
	}
	for (; i < to; i += BATCH) {
		flows_open(batch, i);
		usleep(1000);
		tun_drain();
	}
}

static void grow(int listener, unsigned int from, unsigned int to)
{
	struct memory before, after;
	double each;

	memory_exact(&before);
	open_flows(listener, from, to);
	memory_exact(&after);
	check_latches(to);
	if (to - from < COUNTED)
		return;
	each = memory_each(&before, &after, to - from, "connection");
	if (loaded)
		each += table_size(to) / to;
	point_bytes("a connection beyond its socket", to, each);
}

static void bench_receive(struct flow *beside, int fd_beside, unsigned int count)
{
	struct samples latched = {}, clear = {};
	unsigned int round, i, used = count < USED ? count : USED;

	for (round = 0; round < WARM + ROUNDS; round++) {
		bool warm = round >= WARM;

		for (i = 0; i < used; i++)
			flow_receive(fd[i], &flow[i], true,
				     warm && i == round % used ? &latched : NULL);
		flow_receive(fd_beside, beside, true, warm ? &clear : NULL);
	}
	point_instructions("receive a segment, latched", count, median(&latched));
	point_instructions("receive a segment in clear beside", count, median(&clear));
}

static void bench_getsockopt(unsigned int count)
{
	unsigned int round, i, used = count < USED ? count : USED;
	struct samples samples = {};
	ipsec_ptoken_t ptoken;
	uint64_t begin;

	for (round = 0; round < ROUNDS; round++) {
		begin = instructions();
		for (i = 0; i < CALLS; i++)
			if (ipsec_ptoken_from_fd(fd[(round + i) % used], &ptoken) || !ptoken)
				errx(1, "no token");
		sample(&samples, begin, instructions(), CALLS);
	}
	point_instructions("getsockopt of a token", count, median(&samples));
}

int main(int argc, char **argv)
{
	unsigned int most = argc > 1 ? atoi(argv[1]) : 1, count, before = 0;
	int listener, fd_beside;
	unsigned int i;
	struct flow beside = { .port = PEER_PORT, .spi = CLEAR };

	loaded = module_loaded();
	listener = peers_up(most);
	beside.peer = peers_for(most) + 1;	/* the first without SAs */
	flow_open(&beside);
	fd_beside = flow_accept(listener);
	for (count = 1; count <= most; before = count, count *= 10) {
		grow(listener, before, count);
		bench_receive(&beside, fd_beside, count);
		if (loaded)
			bench_getsockopt(count);
	}
	close(listener);
	for (i = 0; i < USED && i < before; i++) {
		inject_tcp(&flow[i], TH_RST);
		close(fd[i]);
	}
	check_latches(0);
	return 0;
}
