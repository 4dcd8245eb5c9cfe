/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments in the name of right, and what left sends in clear.
 */
#ifndef LATCH_INJECT_H
#define LATCH_INJECT_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <unistd.h>

#include "latch_module.h"
#include "segment.h"
#include "socket_lock.h"

static int packet_out, packet_in = -1;

/* Where a connection has got to: the number of its next byte. */
static inline uint32_t next_number(int fd, int queue)
{
	int on = 1, off = -1 /* without a probe */, none = 0;
	socklen_t size = sizeof(uint32_t);
	uint32_t number;

	if (setsockopt(fd, SOL_TCP, TCP_REPAIR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    getsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &number, &size) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &none, sizeof(none)) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR, &off, sizeof(off)))
		err(1, "TCP_REPAIR");
	return number;
}

#define RECEIVE_QUEUE	1
#define SEND_QUEUE	2

static inline void put_on_wire(const struct segment *segment, size_t size, bool ipv6)
{
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP),
		.sll_halen = 6,
		.sll_addr = { 2, 0, 0, 0, 0, 1 },
	};

	enter(RIGHT);
	link.sll_ifindex = if_nametoindex("veth");
	if (sendto(packet_out, segment, size, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
		err(1, "packet socket");
}

/* The host evil protects it, with keys of its own. */
static inline void put_through_ipsec(const struct segment *segment, size_t size,
				     struct sockaddr_storage to)
{
	int fd, one = 1;

	enter(EVIL);
	((struct sockaddr_in *)&to)->sin_port = 0;
	fd = socket(to.ss_family, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || (to.ss_family == AF_INET6 &&
		       setsockopt(fd, SOL_IPV6, IPV6_HDRINCL, &one, sizeof(one))) ||
	    sendto(fd, segment, size, 0, (struct sockaddr *)&to, length) < 0)
		err(1, "raw socket");
	close(fd);
}

/* Eight bytes behind the IPv6 header. */
static inline size_t insert_header(struct segment *segment, size_t size, int type,
				   const uint8_t *header)
{
	uint8_t *at = (uint8_t *)segment + sizeof(struct ip6_hdr);

	memmove(at + 8, at, size - sizeof(struct ip6_hdr));
	memcpy(at, header, 8);
	at[0] = segment->ip6.ip6_nxt;
	segment->ip6.ip6_nxt = type;
	segment->ip6.ip6_plen = htons(ntohs(segment->ip6.ip6_plen) + 8);
	return size + 8;
}

/* Two, of which the first must have all of the TCP header. */
static inline void put_fragments(struct segment *segment, size_t size, uint8_t first)
{
	uint8_t more[8] = { 0, 0, 0, 1, 0xde, 0xad, 0, 1 };
	uint8_t last[8] = { 0, 0, 0, first, 0xde, 0xad, 0, 1 };
	size_t header = sizeof(struct ip6_hdr);
	struct segment part = *segment;

	part.ip6.ip6_plen = htons(first);
	put_on_wire(&part, insert_header(&part, header + first, IPPROTO_FRAGMENT, more), true);
	memmove((char *)segment + header, (char *)segment + header + first,
		size - header - first);
	segment->ip6.ip6_plen = htons(size - header - first);
	put_on_wire(segment, insert_header(segment, size - first, IPPROTO_FRAGMENT, last), true);
}

/* Ports, and no more of TCP. Return: the size of what is left. */
static inline size_t segment_cut(struct segment *segment, bool ipv6)
{
	size_t header = ipv6 ? sizeof(segment->ip6) : sizeof(segment->ip);

	if (ipv6) {
		segment->ip6.ip6_plen = htons(8);
	} else {
		segment->ip.tot_len = htons(header + 8);
		segment->ip.check = 0;
		segment->ip.check = segment_fold(segment_sum(&segment->ip, header, 0));
	}
	return header + 8;
}

COMMAND(do_inject)
{
	const char *by = arg[2], *what = arg[3], *how = arg[4];
	static const uint8_t padding[8] = { 0, 0, 1, 4, 0, 0, 0, 0 };
	uint32_t seq = next_number(link->fd[LEFT], RECEIVE_QUEUE);
	uint32_t ack = next_number(link->fd[RIGHT], RECEIVE_QUEUE);
	bool ipv6 = link->own.ss_family == AF_INET6;
	uint64_t before = refused_count();
	bool hidden = !strcmp(how, "hidden"), fragments = hidden || !strcmp(how, "fragments");
	const char *text = fragments ? "evilevil" : "evil";
	bool locked = !strcmp(how, "locked");
	struct segment segment;
	struct lock lock;
	int i, flags = ACK;
	size_t size;

	if (!strcmp(what, "rst"))
		flags |= RST;
	else if (!strcmp(what, "fin"))
		flags |= FIN;
	else if (!strcmp(what, "sum"))
		flags |= BAD_SUM;
	else if (!strcmp(what, "seq"))
		seq -= 100000;
	else if (!strcmp(what, "past"))
		ack -= 10000000;
	else if (!strcmp(what, "future"))
		ack += 100000;
	else if (!strcmp(what, "noack"))
		flags = 0;
	else if (!strcmp(what, "syn"))
		flags |= SYN;
	if (flags & (RST | FIN))
		text = "";
	size = segment_make(&segment, &link->peer, &link->own, flags, seq, ack, text);
	if (!strcmp(how, "hop"))
		size = insert_header(&segment, size, IPPROTO_HOPOPTS, padding);
	else if (!strcmp(how, "dst") || hidden)
		size = insert_header(&segment, size, IPPROTO_DSTOPTS, padding);

	if (!strcmp(what, "short"))
		size = segment_cut(&segment, ipv6);

	if (locked)
		lock_socket(&lock, link->fd[LEFT]);
	if (fragments)
		put_fragments(&segment, size, hidden ? 32 : 24);
	else if (!strcmp(by, "clear"))
		put_on_wire(&segment, size, ipv6);
	else
		put_through_ipsec(&segment, size, link->own);

	/* until it has done something, or been refused, or long enough */
	enter(LEFT);
	if (locked) {
		usleep(100000);
		unlock_socket(&lock);
	}
	for (i = 0; i < 20 && !readable(link->fd[LEFT], 20); i++)
		if (refused_count() != before)
			break;
	usleep(20000);
	answer("ok");
}

/* -------------------------------------------------------- what left in clear */

COMMAND(do_watch)
{
	char buf[65536];

	enter(RIGHT);
	if (packet_in < 0)
		packet_in = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (packet_in < 0)
		err(1, "packet socket");
	while (recv(packet_in, buf, sizeof(buf), 0) >= 0)
		;
	answer("ok");
}

/* TCP with data, as it was on the wire: xfrm hands in what it decrypts here too. */
COMMAND(do_seen)
{
	_Alignas(8) char buf[65536];
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	int count = 0;
	ssize_t got;

	while ((got = recvfrom(packet_in, buf, sizeof(buf), 0, (struct sockaddr *)&from,
			       &size)) >= 0) {
		struct segment *segment = (struct segment *)buf;
		bool ipv6 = from.sll_protocol == htons(ETH_P_IPV6);
		struct tcphdr *tcp = segment_tcp(segment, ipv6 ? AF_INET6 : AF_INET);
		int protocol = ipv6 ? segment->ip6.ip6_nxt : segment->ip.protocol;
		int end = ipv6 ? ntohs(segment->ip6.ip6_plen) + 40 : ntohs(segment->ip.tot_len);

		count += from.sll_pkttype == PACKET_HOST && protocol == IPPROTO_TCP &&
			 end > (char *)tcp - buf + tcp->doff * 4;
		size = sizeof(from);
	}
	printf("%d", count);
}

static inline void packets_open(void)
{
	enter(RIGHT);
	packet_out = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (packet_out < 0)
		err(1, "packet socket");
}

#endif /* LATCH_INJECT_H */
