/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP segments that are made here, header and all.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct segment {
	union {
		struct iphdr ip;
		struct ip6_hdr ip6;
	};
	/* TCP follows the header that is in use */
	char rest[2000];
};

static inline struct tcphdr *segment_tcp(struct segment *segment, int family)
{
	size_t header = family == AF_INET ? sizeof(segment->ip) : sizeof(segment->ip6);

	return (struct tcphdr *)((char *)segment + header);
}

static inline uint32_t segment_sum(const void *data, size_t size, uint32_t start)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		start += byte[i] << 8 | byte[i + 1];
	if (size & 1)
		start += byte[size - 1] << 8;
	return start;
}

static inline uint16_t segment_fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons(~total);
}

#define FIN	0x01
#define SYN	0x02
#define RST	0x04
#define PSH	0x08
#define ACK	0x10
#define BAD_SUM	0x100	/* not a flag of TCP */

/* at the same place in both kinds of address */
static inline uint16_t segment_port(const struct sockaddr_storage *address)
{
	return ((const struct sockaddr_in *)address)->sin_port;
}

/* From and to an address with a port. Return: the size of it all. */
static inline size_t segment_make(struct segment *segment, const struct sockaddr_storage *from,
				  const struct sockaddr_storage *to, int flags, uint32_t seq,
				  uint32_t ack, const char *data)
{
	struct tcphdr *tcp = segment_tcp(segment, from->ss_family);
	size_t tcp_size = sizeof(*tcp) + strlen(data);
	size_t size = (char *)tcp - (char *)segment + tcp_size;
	uint32_t total = IPPROTO_TCP + tcp_size;

	memset(segment, 0, sizeof(*segment));
	tcp->source = segment_port(from);
	tcp->dest = segment_port(to);
	tcp->seq = htonl(seq);
	tcp->ack_seq = htonl(ack);
	tcp->doff = sizeof(*tcp) / 4;
	((uint8_t *)tcp)[13] = flags;
	tcp->window = htons(60000);
	memcpy(tcp + 1, data, strlen(data));

	if (from->ss_family == AF_INET) {
		struct iphdr *ip = &segment->ip;

		ip->version = 4;
		ip->ihl = 5;
		ip->tot_len = htons(size);
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		ip->saddr = ((const struct sockaddr_in *)from)->sin_addr.s_addr;
		ip->daddr = ((const struct sockaddr_in *)to)->sin_addr.s_addr;
		ip->check = segment_fold(segment_sum(ip, sizeof(*ip), 0));
		total = segment_sum(&ip->saddr, 8, total);
	} else {
		struct ip6_hdr *ip6 = &segment->ip6;

		ip6->ip6_vfc = 0x60;
		ip6->ip6_plen = htons(tcp_size);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		ip6->ip6_src = ((const struct sockaddr_in6 *)from)->sin6_addr;
		ip6->ip6_dst = ((const struct sockaddr_in6 *)to)->sin6_addr;
		total = segment_sum(&ip6->ip6_src, 32, total);
	}
	tcp->check = segment_fold(segment_sum(tcp, tcp_size, total));
	if (flags & BAD_SUM)
		tcp->check ^= htons(0x1234);
	return size;
}

#endif /* SEGMENT_H */
