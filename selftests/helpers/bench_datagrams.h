/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Datagrams of many peers.
 */
#ifndef BENCH_DATAGRAMS_H
#define BENCH_DATAGRAMS_H

#include "bench_tun.h"

#define CALLS	64
#define SIZE	64

static inline int datagram_socket(void)
{
	struct timeval timeout = { .tv_sec = 10 };
	int fd = listen_at(SOCK_DGRAM, 0), size = 1 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		err(1, "socket");
	return fd;
}

/* CALLS datagrams, of the peers from @first on, in steps of @step. */
static inline void datagrams_receive(int rx, unsigned int first, unsigned int step,
				     struct samples *samples)
{
	static struct packet packet;
	char data[SIZE], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	uint64_t begin;
	unsigned int i;

	for (i = 0; i < CALLS; i++)
		inject(&packet, packet_udp(&packet, first + i * step, SPI(first + i * step), SIZE));
	usleep(2000);
	begin = instructions();
	for (i = 0; i < CALLS; i++) {
		msg.msg_controllen = sizeof(control);
		if (recvmsg(rx, &msg, 0) != SIZE)
			err(1, "recvmsg");
	}
	if (samples)
		sample(samples, begin, instructions(), CALLS);
}

#endif /* BENCH_DATAGRAMS_H */
