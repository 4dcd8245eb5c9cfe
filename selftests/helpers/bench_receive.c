// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_receive udp|tcp clear|sa|esp - instructions to receive one packet,
 * from the driver to user space
 *
 * clear: there is no SA; sa: there is one, but the packets come in clear; esp:
 * they come under it. Prints one number.
 */
#include "bench_tun.h"

#define BATCH	50
#define SIZE	1000

static int make_listener(int type)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
	};
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (type == SOCK_STREAM && listen(fd, 1)))
		err(1, "socket");
	return fd;
}

/* Be a peer that opens a connection; returns the sequence number to acknowledge. */
static uint32_t handshake(uint32_t spi)
{
	struct packet packet, answer;
	const struct tcphdr *tcp = (struct tcphdr *)answer.rest;
	int tries;

	tun_drain();
	inject(&packet, packet_tcp(&packet, PEER(0), spi, 1000, 0, true, 0));
	for (tries = 0; tries < 100; tries++) {
		if (read(tun, &answer, sizeof(answer)) > 0 &&
		    answer.ip.protocol == IPPROTO_TCP && tcp->syn && tcp->ack)
			break;
		usleep(1000);
	}
	if (tries == 100)
		errx(1, "no SYN-ACK");
	inject(&packet, packet_tcp(&packet, PEER(0), spi, 1001, ntohl(tcp->seq) + 1, false, 0));
	return ntohl(tcp->seq) + 1;
}

int main(int argc, char **argv)
{
	static struct packet packets[BATCH];
	struct samples samples = {};
	size_t length[BATCH];
	uint32_t spi = CLEAR, seq = 1001, ack = 0;
	char buffer[2 * SIZE];
	unsigned int i, round;
	uint64_t begin;
	bool tcp;
	int fd;

	if (argc != 3)
		errx(1, "bench_receive udp|tcp clear|sa|esp");
	tcp = !strcmp(argv[1], "tcp");
	tun_open();
	if (strcmp(argv[2], "clear"))
		sas_add(0, 1);
	if (!strcmp(argv[2], "esp"))
		spi = SPI(0);
	usleep(100000);		/* what an SA sets in motion */

	fd = make_listener(tcp ? SOCK_STREAM : SOCK_DGRAM);
	if (tcp) {
		ack = handshake(spi);
		fd = accept(fd, NULL, NULL);
	}
	for (round = 0; round < ROUNDS + 5; round++) {
		for (i = 0; i < BATCH; i++) {
			if (tcp)
				length[i] = packet_tcp(&packets[i], PEER(0), spi, seq, ack, false,
						       SIZE);
			else
				length[i] = packet_udp(&packets[i], PEER(0), spi, SIZE);
			seq += SIZE;
		}
		begin = instructions();
		for (i = 0; i < BATCH; i++) {
			if (write(tun, &packets[i], length[i]) < 0 ||
			    recv(fd, buffer, sizeof(buffer), 0) != SIZE)
				err(1, "%s %s", argv[1], argv[2]);
		}
		if (round >= 5)		/* until everything is warm */
			sample(&samples, begin, instructions(), BATCH);
		tun_drain();
	}
	printf("%.1f\n", median(&samples));
	return 0;
}
