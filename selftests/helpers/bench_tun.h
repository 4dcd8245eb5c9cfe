/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network namespace with nothing but a TUN device, through which packets are
 * received that are made here: what a write to it takes is a driver's part, and
 * then all of the receive path up to the socket.
 *
 * ESP is without encryption and authentication, so that crypto does not hide
 * what else it costs.
 */
#ifndef BENCH_TUN_H
#define BENCH_TUN_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define HOST		0x0a000001	/* 10.0.0.1, the TUN device */
#define PEER(n)		(0x0a800000 + (n))
#define SPI(n)		(0x10000 + (n))
#define CLEAR		0		/* in place of an SPI */
#define PORT		7777
#define PEER_PORT	5000

static int tun;

static inline void tun_open(void)
{
	struct ifreq request = {
		.ifr_name = "tun0",
		.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR,
	};

	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &request))
		err(1, "tun");
	if (system("printf 'addr add 10.0.0.1/8 dev tun0\\nlink set tun0 up\\nlink set lo up\\n' |"
		   "/usr/sbin/ip -batch -"))
		errx(1, "ip");
}

struct packet {
	struct virtio_net_hdr vnet;
	struct iphdr ip;
	uint8_t rest[1500];
} __attribute__((__packed__));

static inline uint32_t sum(const void *data, size_t length, uint32_t value)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i < length; i++)
		value += i & 1 ? byte[i] : byte[i] << 8;
	return value;
}

static inline uint16_t sum_end(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return htons(~value);
}

/* Put @length bytes of @protocol into a packet of @peer; returns its length. */
static inline size_t packet_make(struct packet *packet, uint32_t peer, uint32_t spi,
				 uint8_t protocol, const void *payload, size_t length)
{
	uint8_t *at = packet->rest;

	memset(packet, 0, sizeof(*packet));
	packet->vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	if (spi) {
		((uint32_t *)at)[0] = htonl(spi);
		((uint32_t *)at)[1] = htonl(1);
		at += 8;
	}
	memcpy(at, payload, length);
	at += length;
	if (spi) {
		uint8_t pad = -(length + 2) & 3, i;

		for (i = 1; i <= pad; i++)
			*at++ = i;
		*at++ = pad;
		*at++ = protocol;
	}

	packet->ip.version = 4;
	packet->ip.ihl = 5;
	packet->ip.ttl = 64;
	packet->ip.protocol = spi ? IPPROTO_ESP : protocol;
	packet->ip.tot_len = htons(at - (uint8_t *)&packet->ip);
	packet->ip.saddr = htonl(peer);
	packet->ip.daddr = htonl(HOST);
	packet->ip.check = sum_end(sum(&packet->ip, sizeof(packet->ip), 0));
	return at - (uint8_t *)packet;
}

static inline size_t packet_udp(struct packet *packet, uint32_t peer, uint32_t spi, size_t size)
{
	uint8_t payload[1400] = {};
	struct udphdr *udp = (struct udphdr *)payload;

	udp->source = htons(PEER_PORT);
	udp->dest = htons(PORT);
	udp->len = htons(sizeof(*udp) + size);
	return packet_make(packet, peer, spi, IPPROTO_UDP, payload, sizeof(*udp) + size);
}

static inline size_t packet_tcp(struct packet *packet, uint32_t peer, uint32_t spi,
				uint32_t seq, uint32_t ack, bool syn, size_t size)
{
	uint8_t payload[1400] = {};
	struct tcphdr *tcp = (struct tcphdr *)payload;
	uint32_t value;

	tcp->source = htons(PEER_PORT);
	tcp->dest = htons(PORT);
	tcp->seq = htonl(seq);
	tcp->ack_seq = htonl(ack);
	tcp->doff = 5;
	tcp->syn = syn;
	tcp->ack = !syn;
	tcp->window = 0xffff;
	size += sizeof(*tcp);
	value = (peer >> 16) + (peer & 0xffff) + (HOST >> 16) + (HOST & 0xffff);
	tcp->check = sum_end(sum(payload, size, value + IPPROTO_TCP + size));
	return packet_make(packet, peer, spi, IPPROTO_TCP, payload, size);
}

static inline void inject(const struct packet *packet, size_t length)
{
	if (write(tun, packet, length) != (ssize_t)length)
		err(1, "write to tun");
}

/* Answers nobody waits for. */
static inline void tun_drain(void)
{
	char buffer[2048];

	while (read(tun, buffer, sizeof(buffer)) > 0)
		;
}

/*
 * Add inbound SAs numbered from @first; many requests to a message, and no
 * answers but for errors.
 */
static inline void sas_add(unsigned int first, unsigned int count)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_XFRM);
	static char buffer[32768] __attribute__((__aligned__(8)));
	struct {
		struct xfrm_algo algo;
	} null = { { "ecb(cipher_null)", 0 } };
	unsigned int i, used = 0;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "xfrm");
	for (i = first; i < first + count; i++) {
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer + used);
		struct xfrm_usersa_info *sa = mnl_nlmsg_put_extra_header(nlh, sizeof(*sa));

		nlh->nlmsg_type = XFRM_MSG_NEWSA;
		nlh->nlmsg_flags = NLM_F_REQUEST;
		sa->family = AF_INET;
		sa->saddr.a4 = htonl(PEER(i));
		sa->id.daddr.a4 = htonl(HOST);
		sa->id.spi = htonl(SPI(i));
		sa->id.proto = IPPROTO_ESP;
		sa->mode = XFRM_MODE_TRANSPORT;
		sa->reqid = 1;
		sa->lft.soft_byte_limit = XFRM_INF;
		sa->lft.hard_byte_limit = XFRM_INF;
		sa->lft.soft_packet_limit = XFRM_INF;
		sa->lft.hard_packet_limit = XFRM_INF;
		mnl_attr_put(nlh, XFRMA_ALG_CRYPT, sizeof(null), &null);
		used += nlh->nlmsg_len;
		if (used + 512 > sizeof(buffer) || i + 1 == first + count) {
			if (mnl_socket_sendto(nl, buffer, used) < 0)
				err(1, "XFRM_MSG_NEWSA");
			if (recv(mnl_socket_get_fd(nl), buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
				errx(1, "XFRM_MSG_NEWSA: %s", strerror(-((struct nlmsgerr *)
				     mnl_nlmsg_get_payload((struct nlmsghdr *)buffer))->error));
			used = 0;
		}
	}
	mnl_socket_close(nl);
}

#endif /* BENCH_TUN_H */
