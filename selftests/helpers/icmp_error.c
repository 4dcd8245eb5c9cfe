// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: icmp_error ROUTER SENDER RECEIVER esp|ah|comp SPI MTU
 *
 * What a router at the address ROUTER tells SENDER of a packet to RECEIVER that was
 * too big for MTU: the ICMP error quotes its IP header and the IPsec header that
 * follows.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUOTED	16	/* bytes of what follows the IP header */

static struct {
	union {
		struct icmphdr icmp;
		struct icmp6hdr icmp6;
	};
	uint8_t quoted[sizeof(struct ipv6hdr) + QUOTED];
} packet;

/* The header that begins a packet of @proto. */
static void put_header(uint8_t *header, uint8_t proto, uint32_t spi)
{
	uint32_t big = htonl(spi);
	uint16_t cpi = htons(spi);

	switch (proto) {
	case IPPROTO_ESP:
		memcpy(header, &big, sizeof(big));
		break;
	case IPPROTO_AH:
		header[0] = IPPROTO_TCP;
		header[1] = 4;
		memcpy(header + 4, &big, sizeof(big));
		break;
	default:
		header[0] = IPPROTO_TCP;
		memcpy(header + 2, &cpi, sizeof(cpi));
		break;
	}
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint16_t *words = data;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static size_t put_icmp(char **argv, uint8_t proto)
{
	struct iphdr *ip = (struct iphdr *)packet.quoted;
	size_t len = sizeof(packet.icmp) + sizeof(*ip) + QUOTED;

	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = htons(1500);
	ip->frag_off = htons(0x4000);	/* don't fragment */
	ip->ttl = 64;
	ip->protocol = proto;
	ip->saddr = inet_addr(argv[2]);
	ip->daddr = inet_addr(argv[3]);
	ip->check = checksum(ip, sizeof(*ip));
	put_header((uint8_t *)(ip + 1), proto, strtoul(argv[5], NULL, 0));

	packet.icmp.type = ICMP_DEST_UNREACH;
	packet.icmp.code = ICMP_FRAG_NEEDED;
	packet.icmp.un.frag.mtu = htons(atoi(argv[6]));
	packet.icmp.checksum = checksum(&packet, len);
	return len;
}

/* The kernel computes the checksum. */
static size_t put_icmp6(char **argv, uint8_t proto)
{
	struct ipv6hdr *ip = (struct ipv6hdr *)packet.quoted;

	ip->version = 6;
	ip->payload_len = htons(1460);
	ip->nexthdr = proto;
	ip->hop_limit = 64;
	inet_pton(AF_INET6, argv[2], &ip->saddr);
	inet_pton(AF_INET6, argv[3], &ip->daddr);

	packet.icmp6.icmp6_type = ICMPV6_PKT_TOOBIG;
	packet.icmp6.icmp6_mtu = htonl(atoi(argv[6]));
	put_header((uint8_t *)(ip + 1), proto, strtoul(argv[5], NULL, 0));
	return sizeof(packet.icmp6) + sizeof(*ip) + QUOTED;
}

static void address(const char *text, int family, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *sin = (struct sockaddr_in *)addr;
	void *bytes = family == AF_INET ? (void *)&sin->sin_addr : &sin6->sin6_addr;

	memset(addr, 0, sizeof(*addr));
	addr->ss_family = family;
	if (inet_pton(family, text, bytes) != 1)
		errx(1, "%s: no address", text);
}

int main(int argc, char **argv)
{
	struct sockaddr_storage from, to;
	uint8_t proto = IPPROTO_COMP;
	int fd, family;
	size_t len;

	if (argc != 7)
		errx(1, "icmp_error ROUTER SENDER RECEIVER esp|ah|comp SPI MTU");
	family = strchr(argv[1], ':') ? AF_INET6 : AF_INET;
	if (!strcmp(argv[4], "esp"))
		proto = IPPROTO_ESP;
	else if (!strcmp(argv[4], "ah"))
		proto = IPPROTO_AH;
	address(argv[1], family, &from);
	address(argv[2], family, &to);

	fd = socket(family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)))
		err(1, "%s", argv[1]);
	len = family == AF_INET ? put_icmp(argv, proto) : put_icmp6(argv, proto);
	if (sendto(fd, &packet, len, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)len)
		err(1, "%s", argv[2]);
	return 0;
}
