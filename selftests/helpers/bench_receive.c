// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_receive udp|tcp|send|udpsend clear|sa|beside|esp [4|6]
 *	[demux|nodemux|request|elsewhere] -
 * instructions to receive one packet, from the driver to user space; or to send
 * one over TCP (send) or UDP, from user space to the driver
 *
 * clear: there is no SA; sa: there is one, but the packets are in clear; beside:
 * there is also a connection under it; esp: they are under it, and with a module
 * that does such things the connection is latched. request: IPsec is required of the
 * socket; elsewhere: of another one. Prints one number.
 */
#include "bench_flow.h"

#include <ipsec/token.h>

static void early_demux_off(void)
{
	int fd = open("/proc/sys/net/ipv4/ip_early_demux", O_WRONLY);

	if (fd < 0 || write(fd, "0", 1) != 1)
		err(1, "ip_early_demux");
}

static int flow_accept(int listener, struct flow *flow)
{
	int fd;

	flow_open(flow);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		err(1, "accept");
	return fd;
}

/* Whatever protects it will do. */
static void require(int fd)
{
	struct ipsec_request *request;

	if (ipsec_request_new(&request) || ipsec_request_apply(request, fd))
		errx(1, "request");
	ipsec_request_free(request);
}

static void transmit(int fd, struct flow *flow, struct samples *samples)
{
	uint32_t end = flow->ack + PACKETS * PACKET_SIZE;
	unsigned int i, tries;
	char buffer[PACKET_SIZE] = {};
	struct packet packet;
	uint64_t begin = 0;
	size_t size;

	for (i = 0; i < PACKETS; i++) {
		if (i % PACKETS_EACH == 0)
			begin = instructions();
		if (send(fd, buffer, PACKET_SIZE, 0) != PACKET_SIZE)
			err(1, "send");
		/* TCP does not let much of it wait at the device */
		if (tun_tcp(&packet, &size))
			flow->ack += size;
		if (i % PACKETS_EACH == PACKETS_EACH - 1)
			sample_exact(samples, begin, instructions(), PACKETS_EACH);
	}
	if (samples && flow->ack != end)
		errx(1, "not all is sent");
	/* before the window opens not all of it is there at once */
	for (tries = 0; tries == 0 || flow->ack != end; tries++) {
		while (tun_tcp(&packet, &size))
			flow->ack += size;
		inject_tcp(flow, TH_ACK);
		usleep(1000);
		if (tries > 100)
			errx(1, "nothing more is sent");
	}
}

static void transmit_udp(int fd, struct samples *samples)
{
	char buffer[PACKET_SIZE] = {};
	struct packet packet;
	uint64_t begin = 0;
	unsigned int i;

	tun_drain();
	/* each makes room for the next, or it would depend on what memory there is */
	for (i = 0; i < PACKETS; i++) {
		if (i % PACKETS_EACH == 0)
			begin = instructions();
		if (send(fd, buffer, PACKET_SIZE, 0) != PACKET_SIZE ||
		    read(tun, &packet, sizeof(packet)) <= PACKET_SIZE)
			err(1, "send");
		if (i % PACKETS_EACH == PACKETS_EACH - 1)
			sample_exact(samples, begin, instructions(), PACKETS_EACH);
	}
}

static void connect_to(int fd, unsigned int peer)
{
	struct sockaddr_storage address;
	socklen_t size = address_of(&address, peer, PEER_PORT);

	if (connect(fd, (struct sockaddr *)&address, size))
		err(1, "connect");
}

int main(int argc, char **argv)
{
	struct flow flow = { .port = PEER_PORT, .spi = CLEAR, .seq = 1 };
	struct flow other = { .port = PEER_PORT, .peer = 1, .spi = SPI(1) };
	static struct samples samples;
	unsigned int round;
	int fd, elsewhere, one = 1, size = 1 << 20;
	const char *option;
	bool tcp, out;

	if (argc < 3)
		errx(1, "bench_receive udp|tcp|send|udpsend clear|sa|beside|esp [4|6] "
		     "[demux|nodemux|request|elsewhere]");
	tcp = !strcmp(argv[1], "tcp") || !strcmp(argv[1], "send");
	out = !strcmp(argv[1], "send") || !strcmp(argv[1], "udpsend");
	v6 = argc > 3 && *argv[3] == '6';
	option = argc > 4 ? argv[4] : "";
	tun_open();
	if (!strcmp(option, "nodemux"))
		early_demux_off();
	if (!strcmp(option, "elsewhere")) {
		elsewhere = socket(AF_INET, SOCK_DGRAM, 0);	/* up to the end */
		require(elsewhere);
	}
	if (strcmp(argv[2], "clear")) {
		sas_add(0, 2);
		sas_add_out(strcmp(argv[2], "esp") ? 1 : 0, 1);
	}
	if (!strcmp(argv[2], "esp"))
		flow.spi = SPI(0);
	usleep(100000);		/* what an SA sets in motion */

	fd = listen_at(tcp ? SOCK_STREAM : SOCK_DGRAM, 2);
	if (!strcmp(option, "request"))
		require(fd);
	if (!strcmp(argv[2], "beside"))
		flow_accept(fd, &other);
	if (tcp)
		fd = flow_accept(fd, &flow);
	else if (out)
		connect_to(fd, flow.peer);
	/* nobody acknowledges anything before all is sent */
	if (tcp && out &&
	    (setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	     setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size))))
		err(1, "setsockopt");
	for (round = 0; round < ROUNDS + 5; round++) {
		struct samples *to = round < 5 ? NULL : &samples;	/* until all is warm */

		if (out && tcp)
			transmit(fd, &flow, to);
		else if (out)
			transmit_udp(fd, to);
		else
			flow_receive(fd, &flow, tcp, to);
	}
	printf("%.1f\n", midmean(&samples));
	/* what is measured next must not find a connection that waits for its end */
	if (tcp)
		inject_tcp(&flow, TH_RST);
	if (tcp && !strcmp(argv[2], "beside"))
		inject_tcp(&other, TH_RST);
	usleep(10000);
	return 0;
}
