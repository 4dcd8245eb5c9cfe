/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host that is made for many connections, whose peers are played here.
 */
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "bench_stats.h"
#include "tun_flows.h"

static bool loaded;

/* What the kernel still has to do with things that are gone, or just made. */
static inline void settle(void)
{
	usleep(500000);
}

static inline bool module_loaded(void)
{
	return !access("/sys/module/ipsec_token", F_OK);
}

static inline void check_latches(uint64_t wanted)
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

/* The peers of @count connections, see flow_numbered(). */
static inline unsigned int peers_for(unsigned int count)
{
	return (count + PER_PEER - 1) / PER_PEER;
}

/*
 * Protect connections with these peers, and with one more. Return: what listens. As
 * long as nobody accepts them, there is no file for each.
 */
static inline int peers_up(unsigned int count)
{
	unsigned int peers = peers_for(count) + 1;

	tun_open();
	sysctl("core/somaxconn", "1000000");
	sysctl("ipv4/tcp_max_syn_backlog", "1000000");
	sas_add(0, peers);
	sas_add_out(0, peers);
	usleep(100000);
	return listen_at(SOCK_STREAM, count + BATCH);
}

#endif /* BENCH_CONNECTIONS_H */
