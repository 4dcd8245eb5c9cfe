/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many connections at once to a host whose peers are played here.
 */
#ifndef TUN_FLOWS_H
#define TUN_FLOWS_H

#include "bench_tun.h"

#define BATCH		250
#define PER_PEER	50000	/* a multiple of BATCH */
#define FIRST_PORT	10000

static inline void sysctl(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "%s", path);
	close(fd);
}

static inline struct flow flow_numbered(unsigned int number)
{
	return (struct flow) {
		.peer = number / PER_PEER,
		.port = FIRST_PORT + number % PER_PEER,
		.spi = SPI(number / PER_PEER),
		.seq = 1000,
	};
}

/* Connections from number @first on, BATCH of them. */
static inline void flows_open(struct flow *flow, unsigned int first)
{
	const struct tcphdr *tcp;
	struct packet answer;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		flow[i] = flow_numbered(first + i);
		inject_tcp(&flow[i], TH_SYN);
	}
	for (i = 0; i < BATCH; i++) {
		do {
			tcp = tun_tcp_wait(&answer);
		} while (tcp && (!tcp->syn || tcp->dest != htons(flow[i].port)));
		if (!tcp)
			errx(1, "no SYN-ACK to connection %u", first + i);
		flow[i].seq++;
		flow[i].ack = ntohl(tcp->seq) + 1;
	}
	for (i = 0; i < BATCH; i++)
		inject_tcp(&flow[i], TH_ACK);
}

#endif /* TUN_FLOWS_H */
