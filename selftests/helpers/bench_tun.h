/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network namespace with nothing but a TUN device, through which packets are
 * received that are made here: what a write to it takes is a driver's part, and
 * then all of the receive path up to the socket.
 *
 * ESP is without encryption and authentication, so that crypto does not hide
 * what else it costs. What is sent can be read from the device, and understood.
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
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define HOST		(~0U)		/* in place of a peer's number */
#define SPI(n)		(0x10000 + (n))
#define SPI_OUT(n)	(0x80000000 + (n))
#define CLEAR		0		/* in place of an SPI */
#define PORT		7777
#define PEER_PORT	5000

static int tun;
static bool v6;		/* the family of all there is */

static inline size_t address_size(void)
{
	return v6 ? 16 : 4;
}

/* 10.0.0.1 and fd00::1 are the TUN device's, peers are 10.128/9 and fd00:1::/32. */
static inline void address_put(void *out, unsigned int n)
{
	uint32_t value[4] = { htonl(n == HOST ? 0xfd000000 : 0xfd000001), 0, 0,
			      htonl(n == HOST ? 1 : n) };

	if (!v6)
		value[0] = htonl(n == HOST ? 0x0a000001 : 0x0a800000 + n);
	memcpy(out, value, address_size());
}

static inline socklen_t address_of(struct sockaddr_storage *address, unsigned int n, uint16_t port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	sin->sin_port = htons(port);
	address->ss_family = v6 ? AF_INET6 : AF_INET;
	address_put(v6 ? (void *)&sin6->sin6_addr : (void *)&sin->sin_addr, n);
	return v6 ? sizeof(*sin6) : sizeof(*sin);
}

static inline int listen_at(int type, int backlog)
{
	struct sockaddr_storage address;
	socklen_t size = address_of(&address, HOST, PORT);
	int fd = socket(address.ss_family, type, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) ||
	    (type == SOCK_STREAM && listen(fd, backlog)))
		err(1, "socket");
	return fd;
}

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
	if (system("printf 'addr add 10.0.0.1/8 dev tun0\\naddr add fd00::1/16 dev tun0 nodad\\n"
		   "link set tun0 up\\nlink set lo up\\n' | /usr/sbin/ip -batch -"))
		errx(1, "ip");
}

/* ------------------------------------------------------------------ packets */

struct packet {
	struct virtio_net_hdr vnet;
	uint8_t data[1550];
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

/* The part of the checksum of TCP and UDP that is not in the packet itself. */
static inline uint32_t sum_pseudo(unsigned int peer, uint8_t protocol, size_t length)
{
	uint8_t address[16];
	uint32_t value = protocol + length;

	address_put(address, peer);
	value = sum(address, address_size(), value);
	address_put(address, HOST);
	return sum(address, address_size(), value);
}

static inline uint8_t *packet_ip(struct packet *packet, unsigned int peer, uint8_t protocol,
				 size_t length)
{
	struct ip6_hdr *ip6 = (struct ip6_hdr *)packet->data;
	struct iphdr *ip = (struct iphdr *)packet->data;

	if (v6) {
		ip6->ip6_vfc = 0x60;
		ip6->ip6_plen = htons(length);
		ip6->ip6_nxt = protocol;
		ip6->ip6_hlim = 64;
		address_put(&ip6->ip6_src, peer);
		address_put(&ip6->ip6_dst, HOST);
		return packet->data + sizeof(*ip6);
	}
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->tot_len = htons(sizeof(*ip) + length);
	address_put(&ip->saddr, peer);
	address_put(&ip->daddr, HOST);
	ip->check = sum_end(sum(ip, sizeof(*ip), 0));
	return packet->data + sizeof(*ip);
}

/* Put @length bytes of @protocol into a packet of @peer; returns its length. */
static inline size_t packet_make(struct packet *packet, unsigned int peer, uint32_t spi,
				 uint8_t protocol, const void *payload, size_t length)
{
	uint8_t pad = spi ? -(length + 2) & 3 : 0, i;
	size_t all = spi ? 8 + length + pad + 2 : length;
	uint32_t esp[2] = { htonl(spi), htonl(1) };
	uint8_t *at;

	memset(packet, 0, sizeof(*packet));
	packet->vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	at = packet_ip(packet, peer, spi ? IPPROTO_ESP : protocol, all);
	if (spi) {
		memcpy(at, esp, sizeof(esp));
		at += sizeof(esp);
	}
	memcpy(at, payload, length);
	at += length;
	if (spi) {
		for (i = 1; i <= pad; i++)
			*at++ = i;
		*at++ = pad;
		*at++ = protocol;
	}
	return at - (uint8_t *)packet;
}

static inline size_t packet_udp(struct packet *packet, unsigned int peer, uint32_t spi, size_t size)
{
	uint8_t payload[1400] = {};
	struct udphdr *udp = (struct udphdr *)payload;

	size += sizeof(*udp);
	udp->source = htons(PEER_PORT);
	udp->dest = htons(PORT);
	udp->len = htons(size);
	if (v6)
		udp->check = sum_end(sum(payload, size, sum_pseudo(peer, IPPROTO_UDP, size)));
	return packet_make(packet, peer, spi, IPPROTO_UDP, payload, size);
}

/* A TCP connection, as its peer has it. */
struct flow {
	unsigned int peer;
	uint16_t port;
	uint32_t spi;		/* or CLEAR */
	uint32_t seq;
	uint32_t ack;
};

static inline size_t packet_tcp(struct packet *packet, const struct flow *flow, uint8_t flags,
				size_t size)
{
	uint8_t payload[1400] = {};
	struct tcphdr *tcp = (struct tcphdr *)payload;
	const uint8_t mss[4] = { TCPOPT_MAXSEG, TCPOLEN_MAXSEG, 1400 >> 8, 1400 & 0xff };

	tcp->doff = flags & TH_SYN ? 6 : 5;
	if (flags & TH_SYN)
		memcpy(payload + sizeof(*tcp), mss, sizeof(mss));
	size += 4 * tcp->doff;
	tcp->source = htons(flow->port);
	tcp->dest = htons(PORT);
	tcp->seq = htonl(flow->seq);
	tcp->ack_seq = htonl(flow->ack);
	tcp->th_flags = flags;
	tcp->window = 0xffff;
	tcp->check = sum_end(sum(payload, size, sum_pseudo(flow->peer, IPPROTO_TCP, size)));
	return packet_make(packet, flow->peer, flow->spi, IPPROTO_TCP, payload, size);
}

static inline void inject(const struct packet *packet, size_t length)
{
	if (write(tun, packet, length) != (ssize_t)length)
		err(1, "write to tun");
}

static inline void inject_tcp(const struct flow *flow, uint8_t flags)
{
	struct packet packet;

	inject(&packet, packet_tcp(&packet, flow, flags, 0));
}

/*
 * What the host has sent, the TCP in it, protected or not, and how much data it
 * carries: NULL if there is nothing more.
 */
static inline const struct tcphdr *tun_tcp(struct packet *packet, size_t *size)
{
	const struct tcphdr *tcp;
	uint8_t protocol, *at, *end;
	ssize_t length;

	while ((length = read(tun, packet, sizeof(*packet))) > 0) {
		end = (uint8_t *)packet + length;
		if (packet->data[0] >> 4 == 6) {
			protocol = packet->data[6];
			at = packet->data + sizeof(struct ip6_hdr);
		} else {
			protocol = packet->data[9];
			at = packet->data + sizeof(struct iphdr);
		}
		if (protocol == IPPROTO_ESP) {
			at += 8;
			protocol = end[-1];
			end -= 2 + end[-2];
		}
		if (protocol == IPPROTO_TCP) {
			tcp = (struct tcphdr *)at;
			*size = end - at - 4 * tcp->doff;
			return tcp;
		}
	}
	return NULL;
}

/* Answers nobody waits for. */
static inline void tun_drain(void)
{
	struct packet packet;
	size_t size;

	while (tun_tcp(&packet, &size))
		;
}

/* The next TCP segment that the host sends. Other work of its may come first. */
static inline const struct tcphdr *tun_tcp_wait(struct packet *packet)
{
	const struct tcphdr *tcp;
	unsigned int tries;
	size_t size;

	for (tries = 0; !(tcp = tun_tcp(packet, &size)) && tries < 5000; tries++)
		usleep(1000);
	return tcp;
}

/* Be a peer that opens a connection. */
static inline void flow_open(struct flow *flow)
{
	const struct tcphdr *tcp;
	struct packet answer;

	tun_drain();
	flow->seq = 1000;
	flow->ack = 0;
	inject_tcp(flow, TH_SYN);
	flow->seq++;
	do {
		tcp = tun_tcp_wait(&answer);
	} while (tcp && (!tcp->syn || !tcp->ack || tcp->dest != htons(flow->port)));
	if (!tcp)
		errx(1, "no SYN-ACK");
	flow->ack = ntohl(tcp->seq) + 1;
	inject_tcp(flow, TH_ACK);
}

/* ------------------------------------------------------------------ SAs */

static inline void sa_put(struct nlmsghdr *nlh, unsigned int n, bool out)
{
	struct xfrm_usersa_info *sa = mnl_nlmsg_put_extra_header(nlh, sizeof(*sa));
	struct {
		struct xfrm_algo algo;
	} null = { { "ecb(cipher_null)", 0 } };

	nlh->nlmsg_type = XFRM_MSG_NEWSA;
	sa->family = v6 ? AF_INET6 : AF_INET;
	address_put(&sa->saddr, out ? HOST : n);
	address_put(&sa->id.daddr, out ? n : HOST);
	sa->id.spi = htonl(out ? SPI_OUT(n) : SPI(n));
	sa->id.proto = IPPROTO_ESP;
	sa->mode = XFRM_MODE_TRANSPORT;
	sa->reqid = 1;
	sa->lft.soft_byte_limit = XFRM_INF;
	sa->lft.hard_byte_limit = XFRM_INF;
	sa->lft.soft_packet_limit = XFRM_INF;
	sa->lft.hard_packet_limit = XFRM_INF;
	mnl_attr_put(nlh, XFRMA_ALG_CRYPT, sizeof(null), &null);
}

static inline void sa_put_in(struct nlmsghdr *nlh, unsigned int n)
{
	sa_put(nlh, n, false);
}

static inline void sa_put_out(struct nlmsghdr *nlh, unsigned int n)
{
	sa_put(nlh, n, true);
}

static inline void policy_put(struct nlmsghdr *nlh, unsigned int n)
{
	struct xfrm_userpolicy_info *policy = mnl_nlmsg_put_extra_header(nlh, sizeof(*policy));
	struct xfrm_user_tmpl template = {
		.family = v6 ? AF_INET6 : AF_INET,
		.id.proto = IPPROTO_ESP,
		.mode = XFRM_MODE_TRANSPORT,
		.reqid = 1,
		.aalgos = ~0U, .ealgos = ~0U, .calgos = ~0U,
	};

	nlh->nlmsg_type = XFRM_MSG_NEWPOLICY;
	policy->sel.family = template.family;
	address_put(&policy->sel.saddr, HOST);
	address_put(&policy->sel.daddr, n);
	policy->sel.prefixlen_s = 8 * address_size();
	policy->sel.prefixlen_d = 8 * address_size();
	policy->lft.soft_byte_limit = XFRM_INF;
	policy->lft.hard_byte_limit = XFRM_INF;
	policy->lft.soft_packet_limit = XFRM_INF;
	policy->lft.hard_packet_limit = XFRM_INF;
	policy->dir = XFRM_POLICY_OUT;
	mnl_attr_put(nlh, XFRMA_TMPL, sizeof(template), &template);
}

/* One request for each peer; many to a message, and no answers but for errors. */
static inline void xfrm_add(unsigned int first, unsigned int count,
			    void (*put)(struct nlmsghdr *nlh, unsigned int n))
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_XFRM);
	static char buffer[32768] __attribute__((__aligned__(8)));
	unsigned int i, used = 0;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "xfrm");
	for (i = first; i < first + count; i++) {
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer + used);

		nlh->nlmsg_flags = NLM_F_REQUEST;
		put(nlh, i);
		used += nlh->nlmsg_len;
		if (used + 512 > sizeof(buffer) || i + 1 == first + count) {
			if (mnl_socket_sendto(nl, buffer, used) < 0)
				err(1, "xfrm");
			if (recv(mnl_socket_get_fd(nl), buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
				errx(1, "xfrm: %s", strerror(-((struct nlmsgerr *)
				     mnl_nlmsg_get_payload((struct nlmsghdr *)buffer))->error));
			used = 0;
		}
	}
	mnl_socket_close(nl);
}

/* Protect what comes from peers numbered from @first. */
static inline void sas_add(unsigned int first, unsigned int count)
{
	xfrm_add(first, count, sa_put_in);
}

/* And what is sent to them. */
static inline void sas_add_out(unsigned int first, unsigned int count)
{
	xfrm_add(first, count, sa_put_out);
	xfrm_add(first, count, policy_put);
}

#endif /* BENCH_TUN_H */
