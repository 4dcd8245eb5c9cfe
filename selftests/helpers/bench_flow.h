/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a peer sends, received one by one: from the driver to user space.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench_tun.h"

#define PACKETS		50
#define PACKETS_EACH	2	/* of a sample: TCP acknowledges every other segment */
#define PACKET_SIZE	1000

static inline void flow_receive(int fd, struct flow *flow, bool tcp, struct samples *samples)
{
	static struct packet packets[PACKETS];
	size_t length[PACKETS];
	char buffer[2 * PACKET_SIZE];
	uint64_t begin = 0;
	unsigned int i;

	for (i = 0; i < PACKETS; i++) {
		if (tcp)
			length[i] = packet_tcp(&packets[i], flow, TH_ACK, PACKET_SIZE);
		else
			length[i] = packet_udp(&packets[i], flow->peer, flow->spi, PACKET_SIZE);
		flow->seq += PACKET_SIZE;
	}
	for (i = 0; i < PACKETS; i++) {
		if (i % PACKETS_EACH == 0)
			begin = instructions();
		if (write(tun, &packets[i], length[i]) < 0 ||
		    recv(fd, buffer, sizeof(buffer), 0) != PACKET_SIZE)
			err(1, "receive");
		if (i % PACKETS_EACH == PACKETS_EACH - 1)
			sample_exact(samples, begin, instructions(), PACKETS_EACH);
	}
	tun_drain();
}

#endif /* BENCH_FLOW_H */
