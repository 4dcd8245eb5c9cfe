/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host right of lib.sh, played by a program: it makes up segments and
 * sends them to left through IPsec (by a raw socket) or past it (by a packet
 * socket).
 */
#ifndef RIGHT_HOST_H
#define RIGHT_HOST_H

#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "segment.h"

enum way { CLEAR, PROTECTED };

static int family;
static int netns_left, netns_right;
static struct sockaddr_storage left, right;
static socklen_t length;
static int raw_out, raw_in, packet, ifindex;
static uint16_t left_port, right_port = 20000;

static inline void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET))
		err(1, "setns");
}

static inline void set_port(struct sockaddr_storage *address, uint16_t port)
{
	/* at the same place in both kinds of address */
	((struct sockaddr_in *)address)->sin_port = htons(port);
}

static inline uint16_t get_port(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size))
		err(1, "getsockname");
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static inline void set_address(struct sockaddr_storage *address, const char *text4,
			       const char *text6)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	if (family == AF_INET) {
		sin->sin_family = AF_INET;
		inet_pton(AF_INET, text4, &sin->sin_addr);
		length = sizeof(*sin);
	} else {
		sin6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, text6, &sin6->sin6_addr);
		length = sizeof(*sin6);
	}
}

static inline void send_clear(const struct segment *segment, size_t size)
{
	struct sockaddr_ll link = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(family == AF_INET ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = ifindex,
		.sll_halen = 6,
		.sll_addr = { 2, 0, 0, 0, 0, 1 },
	};

	if (sendto(packet, segment, size, 0, (struct sockaddr *)&link, sizeof(link)) < 0)
		err(1, "sendto");
}

#define IN_FRAGMENTS	0x200	/* not a flag of TCP: of IPv6, in clear */

/* The first one has all of the TCP header. */
static inline void send_fragments(const struct segment *segment, size_t size)
{
	const size_t ip6 = sizeof(struct ip6_hdr);
	size_t at, end;

	for (at = ip6; at < size; at = end) {
		uint8_t header[8] = { IPPROTO_TCP, 0, 0, 0, 0xde, 0xad, 0, 1 };
		struct segment part = *segment;

		end = at == ip6 ? ip6 + 24 : size;
		header[3] = (at - ip6) | (end < size);
		part.ip6.ip6_nxt = IPPROTO_FRAGMENT;
		part.ip6.ip6_plen = htons(sizeof(header) + end - at);
		memcpy((char *)&part + ip6, header, sizeof(header));
		memcpy((char *)&part + ip6 + sizeof(header), (const char *)segment + at, end - at);
		send_clear(&part, ip6 + sizeof(header) + end - at);
	}
}

static inline void send_at_once(enum way way, int flags, uint32_t seq, uint32_t ack,
				const char *data)
{
	struct sockaddr_storage from = right, to = left;
	struct segment segment;
	size_t size;

	set_port(&from, right_port);
	set_port(&to, left_port);
	size = segment_make(&segment, &from, &to, flags, seq, ack, data);
	if (way == PROTECTED) {
		set_port(&to, 0);
		if (sendto(raw_out, &segment, size, 0, (struct sockaddr *)&to, length) < 0)
			err(1, "sendto");
	} else if (flags & IN_FRAGMENTS) {
		send_fragments(&segment, size);
	} else {
		send_clear(&segment, size);
	}
}

/* What goes through IPsec is queued on its way: keep the order. */
static inline void send_segment(enum way way, int flags, uint32_t seq, uint32_t ack,
				const char *data)
{
	send_at_once(way, flags, seq, ack, data);
	usleep(60000);
}

/* Wait for a segment from the left with these flags; its seq and ack. Was there one? */
static inline bool await_segment(int flags, uint32_t *seq, uint32_t *ack, int milliseconds)
{
	struct pollfd pollfd = { .fd = raw_in, .events = POLLIN };
	struct segment segment;
	struct tcphdr *tcp;
	ssize_t size;

	while (poll(&pollfd, 1, milliseconds) == 1) {
		/* of IPv6, a raw socket delivers no header */
		if (family == AF_INET) {
			size = recv(raw_in, &segment, sizeof(segment), 0);
			tcp = segment_tcp(&segment, family);
		} else {
			tcp = segment_tcp(&segment, family);
			size = recv(raw_in, tcp, sizeof(segment.rest), 0);
		}
		if (size < (ssize_t)sizeof(*tcp) || ntohs(tcp->dest) != right_port ||
		    (left_port && ntohs(tcp->source) != left_port) ||
		    (((uint8_t *)tcp)[13] & (SYN | ACK | RST)) != flags)
			continue;
		left_port = ntohs(tcp->source);
		*seq = ntohl(tcp->seq);
		*ack = ntohl(tcp->ack_seq);
		return true;
	}
	return false;
}

static inline void receive_segment(int flags, uint32_t *seq, uint32_t *ack)
{
	if (!await_segment(flags, seq, ack, 5000))
		errx(1, "no segment with flags 0x%x", flags);
}

/* The kernel on the right would reset what it knows nothing of. */
static inline int keep_silent(uint16_t port)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog filter = { 1, nothing };
	struct sockaddr_storage address = right;
	int fd, one = 1;

	enter(netns_right);
	fd = socket(family, SOCK_STREAM, 0);
	set_port(&address, port);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(fd, (struct sockaddr *)&address, length) || listen(fd, 1))
		err(1, "keep_silent");
	return fd;
}

static inline void right_shell(const char *words)
{
	char command[512];

	snprintf(command, sizeof(command), "bash -c '. selftests/lib.sh; ipsec_up none %d; %s'",
		 family == AF_INET ? 4 : 6, words);
	if (system(command))
		errx(1, "%s", command);
}

#define MAX_CONTEXTS	"/sys/module/ipsec_token/parameters/max_contexts"

/* From now on right sends under an SA that left has no room for a context of; or no more. */
static inline void not_known(bool begin)
{
	static unsigned int spi = 0x1000;
	static char limit[16];
	char words[400];
	int fd = open(MAX_CONTEXTS, O_RDWR);

	if (fd < 0 || (begin && read(fd, limit, sizeof(limit) - 1) <= 0) ||
	    write(fd, begin ? "0" : limit, begin ? 1 : strlen(limit)) < 0)
		err(1, MAX_CONTEXTS);
	close(fd);
	snprintf(words, sizeof(words),
		 "IPSEC_KIND=esp-gcm IPSEC_SPI=%u; "
		 "IPSEC_REQID=%u ipsec_sas add rl | left $IP -batch - && "
		 "{ ipsec_sas add rl; IPSEC_SPI=%u; ipsec_sas delete rl; } | right $IP -batch -",
		 spi + 0x1000, begin ? spi / 0x1000 + 1 : 1, spi);
	right_shell(words);
	spi += 0x1000;
}

static inline void open_right(void)
{
	struct ifreq ifreq = { .ifr_name = "veth" };
	int one = 1;

	enter(netns_right);
	raw_out = socket(family, SOCK_RAW, IPPROTO_RAW);
	raw_in = socket(family, SOCK_RAW, IPPROTO_TCP);
	packet = socket(AF_PACKET, SOCK_DGRAM, 0);
	if (raw_out < 0 || raw_in < 0 || packet < 0)
		err(1, "socket");
	if (family == AF_INET6 &&
	    setsockopt(raw_out, SOL_IPV6, IPV6_HDRINCL, &one, sizeof(one)))
		err(1, "IPV6_HDRINCL");
	if (ioctl(packet, SIOCGIFINDEX, &ifreq))
		err(1, "veth");
	ifindex = ifreq.ifr_ifindex;
}

static inline void hosts_open(void)
{
	set_address(&left, "10.0.0.1", "fd00::1");
	set_address(&right, "10.0.0.2", "fd00::2");
	netns_left = open("/run/netns/left", O_RDONLY);
	netns_right = open("/run/netns/right", O_RDONLY);
	if (netns_left < 0 || netns_right < 0)
		err(1, "netns");
	open_right();
}

#endif /* RIGHT_HOST_H */
