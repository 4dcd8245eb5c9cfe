// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket with pTokens, or a request, is in every other respect a socket like any other:
 * recvmsg() flags, control messages, errors, the error queue, truncation,
 * checksums, counters. See udp_transcript.h for how this is compared.
 */

#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "udp_transcript.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK	75
#endif

/* ------------------------------------------------ datagrams and their sizes */

static void s_sizes(struct play *p)
{
	static const size_t sizes[] = { 5, 0, 1, 76, 77, 1452, 1500, 20000, 65507 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		send_some(p, sizes[i]);
		receive(p, 70000, 0);
	}
	receive(p, 100, 0);
}

static void s_truncation(struct play *p)
{
	static const size_t sizes[] = { 0, 1, 99, 100, 101 };
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		send_some(p, 100);
		receive(p, sizes[i], 0);
		send_some(p, 100);
		receive(p, sizes[i], MSG_TRUNC);
		send_some(p, 5000);
		receive(p, sizes[i], MSG_TRUNC);
		send_some(p, 0);
		receive(p, sizes[i], MSG_TRUNC);
	}
}

static void s_peek(struct play *p)
{
	send_some(p, 100);
	send_some(p, 3000);
	send_some(p, 0);
	receive(p, 1000, MSG_PEEK);
	receive(p, 10, MSG_PEEK);
	receive(p, 10, MSG_PEEK | MSG_TRUNC);
	receive(p, 1000, 0);
	receive(p, 1000, MSG_PEEK);
	receive(p, 1000, MSG_PEEK | MSG_TRUNC);
	receive(p, 1000, 0);
	receive(p, 1000, MSG_PEEK);
	receive(p, 1000, 0);
	receive(p, 1000, MSG_PEEK);
}

static void s_peek_offset(struct play *p)
{
	int i;

	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, 0);
	send_some(p, 10);
	send_some(p, 4000);
	send_some(p, 0);
	send_some(p, 7);
	for (i = 0; i < 6; i++) {
		receive(p, 4, MSG_PEEK);
		note_state(p);
	}
	receive(p, 1000, MSG_PEEK | MSG_TRUNC);
	note_state(p);
	receive(p, 5, 0);
	note_state(p);
	receive(p, 4000, MSG_PEEK);
	note_state(p);
	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, 3990);
	receive(p, 10, MSG_PEEK);	/* exactly to its end, but not whole */
	note_state(p);
	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, 3990);
	receive(p, 11, MSG_PEEK);
	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, 5000);
	receive(p, 11, MSG_PEEK);
	receive(p, 4000, MSG_TRUNC);
	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, -1);
	receive(p, 4, MSG_PEEK);
	receive_all(p);
}

static void s_flags(struct play *p)
{
	static const int flags[] = {
		MSG_WAITALL, MSG_OOB, MSG_DONTROUTE, MSG_CTRUNC, MSG_EOR, MSG_NOSIGNAL,
		MSG_CMSG_CLOEXEC, MSG_MORE, MSG_CONFIRM, MSG_ERRQUEUE, MSG_WAITFORONE, 1 << 27,
	};
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		send_some(p, 50);
		note(p, "flag %#x", flags[i]);
		receive(p, 100, flags[i]);
	}
	receive_all(p);
}

/* The other ways to read, which have no place for control messages. */
static void s_calls(struct play *p)
{
	struct sockaddr_storage name;
	socklen_t len = 7;	/* less than the address */
	uint8_t data[100], more[100];
	struct iovec iov[] = { { data, 3 }, { NULL, 0 }, { more, 100 } };
	struct timeval time = {};
	int pipes[2], n = -1;
	ssize_t got;

	memset(&name, 0xee, sizeof(name));
	send_some(p, 50);
	note_result(p, "FIONREAD", ioctl(p->rx, FIONREAD, &n));
	note(p, "%d", n);
	got = recvfrom(p->rx, data, sizeof(data), 0, (void *)&name, &len);
	note_result(p, "recvfrom", got);
	note_hex(p, "name", &name, sizeof(name));
	note(p, "name length %u", len);
	note_hex(p, "data", data, 50);

	send_some(p, 51);
	note_result(p, "read", read(p->rx, data, 20));
	note_result(p, "FIONREAD", ioctl(p->rx, FIONREAD, &n));
	note(p, "%d", n);
	send_some(p, 52);
	note_result(p, "readv", readv(p->rx, iov, 3));
	note_hex(p, "data", data, 3);
	note_hex(p, "more", more, 49);
	send_some(p, 53);
	note_result(p, "recv", recv(p->rx, data, sizeof(data), MSG_TRUNC));
	note_result(p, "SIOCGSTAMP", ioctl(p->rx, SIOCGSTAMP, &time));
	note(p, "time %d", time.tv_sec != 0);
	send_some(p, 54);
	note_result(p, "recv", recv(p->rx, NULL, 0, MSG_TRUNC));
	note_result(p, "SIOCGSTAMP", ioctl(p->rx, SIOCGSTAMP, &time));
	note(p, "time %d", time.tv_sec != 0);

	if (pipe(pipes))
		err(1, "pipe");
	send_some(p, 55);
	send_some(p, 56);
	note_result(p, "splice", splice(p->rx, NULL, pipes[1], NULL, 10, SPLICE_F_NONBLOCK));
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	note_result(p, "pipe", read(pipes[0], data, sizeof(data)));
	note_hex(p, "data", data, 10);
	close(pipes[0]);
	close(pipes[1]);
	receive_all(p);
}

static void s_recvmmsg(struct play *p)
{
	static const struct timespec second = { .tv_sec = 1 };
	struct sockaddr_storage name[6];
	static uint8_t data[6][100], control[6][256];
	struct mmsghdr msg[6];
	struct timespec left = second;
	struct iovec iov[6];
	int i, n, round;

	for (round = 0; round < 3; round++) {
		memset(name, 0xee, sizeof(name));
		for (i = 0; i < 6; i++) {
			iov[i] = (struct iovec){ data[i], 100 };
			msg[i] = (struct mmsghdr){ .msg_hdr = {
				.msg_name = &name[i], .msg_namelen = sizeof(name[i]),
				.msg_iov = &iov[i], .msg_iovlen = 1,
				.msg_control = control[i],
				.msg_controllen = sizeof(control[i]),
			} };
		}
		for (i = 0; i < 5; i++)
			send_some(p, 20 + i * 50);
		n = recvmmsg(p->rx, msg, round ? 6 : 4, round == 1 ? MSG_DONTWAIT : MSG_WAITFORONE,
			     round == 2 ? &left : NULL);
		note_result(p, "recvmmsg", n);
		for (i = 0; i < n; i++)
			note_message(p, msg[i].msg_len, &msg[i].msg_hdr, p->ptoken);
	}
	receive_all(p);
}

/* ----------------------------------------------------------- control messages */

struct option {
	int level, name;
	bool ipv4;
};

/* whatever makes recvmsg() add something */
static const struct option options[] = {
	{ SOL_SOCKET, SO_TIMESTAMP, true },
	{ SOL_SOCKET, SO_TIMESTAMPNS, true },
	{ SOL_SOCKET, SO_RXQ_OVFL, true },
	{ SOL_SOCKET, SO_RCVMARK, true },
	{ SOL_IP, IP_PKTINFO, true },
	{ SOL_IP, IP_RECVTTL, true },
	{ SOL_IP, IP_RECVTOS, true },
	{ SOL_IP, IP_RECVOPTS, true },
	{ SOL_IP, IP_RETOPTS, true },
	{ SOL_IP, IP_PASSSEC, true },
	{ SOL_IP, IP_RECVORIGDSTADDR, true },
	{ SOL_IP, IP_CHECKSUM, true },
	{ SOL_IP, IP_RECVFRAGSIZE, true },
	{ SOL_UDP, UDP_GRO, true },
	{ SOL_IPV6, IPV6_RECVPKTINFO, false },
	{ SOL_IPV6, IPV6_2292PKTINFO, false },
	{ SOL_IPV6, IPV6_RECVHOPLIMIT, false },
	{ SOL_IPV6, IPV6_2292HOPLIMIT, false },
	{ SOL_IPV6, IPV6_RECVTCLASS, false },
	{ SOL_IPV6, 11 /* IPV6_FLOWINFO */, false },
	{ SOL_IPV6, IPV6_RECVHOPOPTS, false },
	{ SOL_IPV6, IPV6_2292HOPOPTS, false },
	{ SOL_IPV6, IPV6_RECVDSTOPTS, false },
	{ SOL_IPV6, IPV6_2292DSTOPTS, false },
	{ SOL_IPV6, IPV6_RECVRTHDR, false },
	{ SOL_IPV6, 74 /* IPV6_RECVORIGDSTADDR */, false },
	{ SOL_IPV6, 77 /* IPV6_RECVFRAGSIZE */, false },
	{ SOL_IPV6, IPV6_RECVPATHMTU, false },
};

#define NR_OPTIONS	(sizeof(options) / sizeof(options[0]))

/* Headers that there is something to tell about. */
static void dress_tx(struct play *p)
{
	static const uint8_t ip_options[] = { IPOPT_NOP, IPOPT_RR, 7, 4, 0, 0, 0, IPOPT_END };
	static const uint8_t extension[] = { 0, 0, 0x1e, 2, 0x55, 0xaa, 1, 0 };
	int mark = 77;

	setsockopt(p->tx, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (p->kind != IPV6) {
		set(p->tx, SOL_IP, IP_TTL, 33);
		set(p->tx, SOL_IP, IP_TOS, 0x2e);
		if (setsockopt(p->tx, SOL_IP, IP_OPTIONS, ip_options, sizeof(ip_options)))
			err(1, "IP_OPTIONS");
		return;
	}
	set(p->tx, SOL_IPV6, IPV6_UNICAST_HOPS, 44);
	set(p->tx, SOL_IPV6, IPV6_TCLASS, 0x2e);
	if (setsockopt(p->tx, SOL_IPV6, IPV6_HOPOPTS, extension, sizeof(extension)) ||
	    setsockopt(p->tx, SOL_IPV6, IPV6_DSTOPTS, extension, sizeof(extension)))
		err(1, "IPV6_HOPOPTS, IPV6_DSTOPTS");
}

static void send_dressed(struct play *p)
{
	send_some(p, 30);
	send_some(p, 9000);
	send_some(p, 0);
}

static void enable(struct play *p, const struct option *o, int value)
{
	char what[32];

	snprintf(what, sizeof(what), "option %d/%d=%d", o->level, o->name, value);
	note_result(p, what, setsockopt(p->rx, o->level, o->name, &value, sizeof(value)));
}

static void s_each_cmsg(struct play *p)
{
	size_t i;

	dress_tx(p);
	for (i = 0; i < NR_OPTIONS; i++) {
		if (!options[i].ipv4 && p->kind == IPV4)
			continue;
		enable(p, &options[i], 1);
		send_dressed(p);
		receive(p, 1000, MSG_PEEK);
		receive_all(p);
		enable(p, &options[i], 0);
	}
}

static void s_all_cmsgs(struct play *p)
{
	size_t i;

	dress_tx(p);
	for (i = 0; i < NR_OPTIONS; i++)
		if (options[i].ipv4 || p->kind != IPV4)
			enable(p, &options[i], 1);
	send_dressed(p);
	receive(p, 1000, MSG_PEEK);
	receive_all(p);
	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, 4);
	send_dressed(p);
	receive(p, 10, MSG_PEEK);
	receive_all(p);
}

static void s_timestamping(struct play *p)
{
	set(p->rx, SOL_SOCKET, SO_TIMESTAMPING,
	    SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
	    SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE);
	send_some(p, 10);
	receive(p, 100, 0);
	set(p->rx, SOL_SOCKET, SO_TIMESTAMP, 1);
	send_some(p, 10);
	receive(p, 100, 0);
	/* of a sent datagram, over the error queue */
	set(p->rx, SOL_SOCKET, SO_TIMESTAMPING,
	    SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
	    SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY |
	    SOF_TIMESTAMPING_OPT_CMSG);
	note_result(p, "send", send_to(p, p->rx, TX_PORT, "x", 1));
	while (receive(p, 100, MSG_ERRQUEUE) >= 0)
		;
	receive_all(p);
}

/*
 * Room for control messages of every size. That the pToken does not fit is
 * told by MSG_CTRUNC as for any other: the play takes that away again where
 * without pTokens it would not be there.
 */
static void s_small_control(struct play *p)
{
	static uint8_t control[256], data[100];
	struct iovec iov = { data, sizeof(data) };
	size_t room, used, left, full = 0, last = 0, token;
	struct cmsghdr *cmsg;
	struct msghdr msg;

	if (p->kind != IPV6) {
		set(p->rx, SOL_IP, IP_PKTINFO, 1);
		set(p->rx, SOL_IP, IP_RECVTTL, 1);
	}
	if (p->kind != IPV4) {
		set(p->rx, SOL_IPV6, IPV6_RECVPKTINFO, 1);
		set(p->rx, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
	}

	for (room = sizeof(control); room < sizeof(control) + 1; room = room ? room - 1 : ~0UL) {
		memset(control, 0xee, sizeof(control));
		msg = (struct msghdr){
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = room % 2 || room ? control : NULL,
			.msg_controllen = room,
		};
		send_some(p, 10);
		note_result(p, "received", recvmsg(p->rx, &msg, MSG_DONTWAIT));

		if (room == sizeof(control)) {	/* what there is, but the pToken */
			for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
				if (is_ptoken(p, cmsg))
					continue;
				last = full + cmsg->cmsg_len;
				full += CMSG_ALIGN(cmsg->cmsg_len);
			}
		}
		used = room < full ? room : full;
		left = room - used;
		token = 0;
		if (p->ptoken) {
			if (left >= sizeof(struct cmsghdr))
				token = left < CMSG_SPACE(8) ? left : CMSG_SPACE(8);
			if (left < CMSG_LEN(8) && !(msg.msg_flags & MSG_CTRUNC))
				fault(p, "%zu bytes of room: no MSG_CTRUNC", room);
			if (left < CMSG_LEN(8) && room >= last)
				msg.msg_flags &= ~MSG_CTRUNC;
			cmsg = (void *)(control + used);
			if (token && (!is_ptoken(p, cmsg) || cmsg->cmsg_len !=
				      (left < CMSG_LEN(8) ? left : CMSG_LEN(8))))
				fault(p, "%zu bytes of room: no pToken", room);
			memset(control + used, 0xee, token);
		}
		note(p, "%zu: flags %#x control %zu", room, msg.msg_flags,
		     msg.msg_controllen - token);
		note_hex(p, "control", control, sizeof(control));
	}
}

/* Merged on the way in, or not. */
static void s_gro(struct play *p)
{
	int gro;

	set(p->rx, SOL_IPV6 * (p->kind == IPV6) ?: SOL_IP,
	    p->kind == IPV6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1);
	for (gro = 1; gro >= 0; gro--) {
		set(p->rx, SOL_UDP, UDP_GRO, gro);
		set(p->tx, SOL_UDP, UDP_SEGMENT, 100);
		send_some(p, 950);
		send_some(p, 100);
		receive(p, 10, MSG_PEEK);
		receive(p, 10, MSG_PEEK | MSG_TRUNC);
		receive_all(p);
		send_some(p, 950);
		receive(p, 120, MSG_TRUNC);
		receive_all(p);
	}
}

static void s_multicast(struct play *p)
{
	struct ip_mreqn group4 = { .imr_multiaddr.s_addr = htonl(0xef010101), .imr_ifindex = 1 };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(RX_PORT) };
	struct sockaddr_in to4 = {
		.sin_family = AF_INET, .sin_port = htons(RX_PORT), .sin_addr = group4.imr_multiaddr,
	};
	struct ipv6_mreq group6 = { .ipv6mr_interface = 1 };
	struct sockaddr_in6 any6 = to6;
	struct sockaddr_in any4 = to4;

	inet_pton(AF_INET6, "ff12::1:2", &group6.ipv6mr_multiaddr);
	to6.sin6_addr = group6.ipv6mr_multiaddr;
	any4.sin_addr.s_addr = 0;

	/* The receiver is bound to a unicast address: get another. */
	close(p->rx);
	p->rx = socket(p->kind == IPV4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	dress_rx(p, p->rx);
	note_result(p, "bind", p->kind == IPV4 ?
		    bind(p->rx, (void *)&any4, sizeof(any4)) :
		    bind(p->rx, (void *)&any6, sizeof(any6)));
	if (p->kind != IPV4)
		set(p->rx, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	if (p->kind != IPV6) {
		set(p->rx, SOL_IP, IP_PKTINFO, 1);
		note_result(p, "join", setsockopt(p->rx, SOL_IP, IP_ADD_MEMBERSHIP,
						  &group4, sizeof(group4)));
		setsockopt(p->tx, SOL_IP, IP_MULTICAST_IF, &group4, sizeof(group4));
		note_result(p, "send", sendto(p->tx, "hello", 5, 0, (void *)&to4, sizeof(to4)));
	} else {
		note_result(p, "join", setsockopt(p->rx, SOL_IPV6, IPV6_JOIN_GROUP,
						  &group6, sizeof(group6)));
		set(p->tx, SOL_IPV6, IPV6_MULTICAST_IF, 1);
		note_result(p, "send", sendto(p->tx, "hello", 5, 0, (void *)&to6, sizeof(to6)));
	}
	settle();
	receive_all(p);
}

/* sin6_scope_id */
static void s_link_local(struct play *p)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(RX_PORT), .sin6_scope_id = 1,
	};
	int rx, tx;

	inet_pton(AF_INET6, "fe80::1", &a.sin6_addr);
	close(p->rx);
	rx = p->rx = socket(AF_INET6, SOCK_DGRAM, 0);
	tx = socket(AF_INET6, SOCK_DGRAM, 0);
	dress_rx(p, rx);
	set(rx, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	if (bind(rx, (void *)&a, sizeof(a)))
		err(1, "bind to fe80::1");
	a.sin6_port = htons(5002);
	if (bind(tx, (void *)&a, sizeof(a)))
		err(1, "bind to fe80::1");
	a.sin6_port = htons(RX_PORT);
	if (sendto(tx, "hello", 5, 0, (void *)&a, sizeof(a)) != 5)
		err(1, "sendto fe80::1");
	settle();
	receive_all(p);
	close(tx);
}

/* --------------------------------------------------------------------- errors */

static void s_error_queue(struct play *p)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (p->kind != IPV6)
			set(p->rx, SOL_IP, IP_RECVERR, 1);
		if (p->kind != IPV4)
			set(p->rx, SOL_IPV6, IPV6_RECVERR, 1);
		note_result(p, "send", send_to(p, p->rx, CLOSED_PORT, "refused", 7));
			send_some(p, 10);
		receive(p, 100, i ? MSG_PEEK : 0);	/* the error comes first */
		receive(p, 100, 0);
		receive(p, 3, MSG_ERRQUEUE);
		receive(p, 100, MSG_ERRQUEUE);
		if (p->kind != IPV6) {
			set(p->rx, SOL_IP, IP_PKTINFO, 1);
			set(p->rx, SOL_IP, IP_RECVTTL, 1);
		}
		if (p->kind != IPV4)
			set(p->rx, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	}
}

static void s_path_mtu(struct play *p)
{
	static char large[20000];

	set(p->rx, SOL_IPV6, IPV6_RECVPATHMTU, 1);
	set(p->rx, SOL_IPV6, IPV6_DONTFRAG, 1);
	set(p->rx, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	send_some(p, 10);
	note_result(p, "send", send_to(p, p->rx, TX_PORT, large, sizeof(large)));
	receive(p, 100, p->kind == IPV6 ? NO_PTOKEN : 0);
	receive_all(p);
}

/* Where the kernel can't write, in whole or in part, or must not. */
static void s_faults(struct play *p)
{
	static const size_t sizes[] = { 100, 3000 };
	uint8_t *pages = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *place, control[256];
	struct sockaddr_storage name;
	struct iovec iov;
	struct msghdr msg;
	size_t i;
	int what;

	if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_NONE))
		err(1, "mmap");
	for (i = 0; i < 2; i++) {
		for (what = 0; what < 9; what++) {
			place = pages + 4096 - (what & 1 ? 20 : 0);
			iov = (struct iovec){ what & 2 ? place : pages, 4000 };
			if (what < 2)
				iov.iov_base = pages;
			msg = (struct msghdr){
				.msg_name = &name, .msg_namelen = sizeof(name),
				.msg_iov = &iov, .msg_iovlen = 1,
				.msg_control = control, .msg_controllen = sizeof(control),
			};
			if (what < 2)
				msg.msg_control = pages + 4096;
			if (what == 8)
				msg.msg_control = (void *)0xffff888000001000;	/* its own */
			if (what == 6 || what == 7)
				msg.msg_name = pages + 4096;
			if (p->kind == IPV4)
				set(p->rx, SOL_IP, IP_RECVTTL, 1);
			send_some(p, sizes[i]);
			note_result(p, "peeked", recvmsg(p->rx, &msg, MSG_DONTWAIT | MSG_PEEK));
			note_state(p);
			msg.msg_controllen = msg.msg_control == control ? sizeof(control) : 64;
			note_result(p, "received", recvmsg(p->rx, &msg, MSG_DONTWAIT));
			note(p, "flags %#x", msg.msg_flags);
			note_state(p);
		}
	}
	munmap(pages, 2 * 4096);
}

static void s_overflow(struct play *p)
{
	int i;

	set(p->rx, SOL_SOCKET, SO_RXQ_OVFL, 1);
	set(p->rx, SOL_SOCKET, SO_RCVBUF, 8192);
	for (i = 0; i < 60; i++)
		send_some(p, 500);
	note_state(p);
	receive(p, 1000, 0);
	for (i = 0; i < 3; i++)
		send_some(p, 500);
	receive_all(p);
	send_some(p, 500);
	receive_all(p);
}

/* A filter that cuts datagrams to 20 bytes, or drops them. */
static void s_filter(struct play *p)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, UDP_HEADER),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 20 + UDP_HEADER),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { .len = 5, .filter = code };
	int i;

	if (setsockopt(p->rx, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		err(1, "SO_ATTACH_FILTER");
	for (i = 0; i < 4; i++)
		send_some(p, 200);
	receive_all(p);
}

/* ------------------------------------------------------------------ checksums */

/* Short datagrams are checked on arrival, long ones while they are read. */
static void s_checksums(struct play *p)
{
	static const size_t sizes[] = { 10, 300, 4000 };
	size_t i;

	for (i = 0; i < 3; i++) {
		send_raw(p, sizes[i], true);
		receive(p, 10000, MSG_PEEK);
		receive(p, 10000, 0);
		send_raw(p, sizes[i], true);
		receive(p, 10000, 0);
		send_raw(p, sizes[i], true);
		receive(p, 100, MSG_TRUNC);
		note_state(p);

		send_raw(p, sizes[i], false);
		receive(p, 10000, 0);
		note_state(p);
		send_raw(p, sizes[i], false);
		receive(p, 10000, MSG_PEEK);
		note_state(p);
		send_raw(p, sizes[i], false);
		receive(p, 100, 0);
		note_state(p);
		send_raw(p, sizes[i], false);
		send_raw(p, sizes[i], false);
		send_raw(p, 300, true);
		send_raw(p, sizes[i], false);
		receive(p, 100, MSG_TRUNC);
		note_state(p);
		receive(p, 100, 0);
		note_state(p);
	}
	/* A bad one that would be cut, and then one that is not. */
	send_raw(p, 300, false);
	send_raw(p, 80, true);
	receive(p, 100, 0);
	set(p->rx, SOL_SOCKET, SO_PEEK_OFF, 0);
	send_raw(p, 300, true);
	send_raw(p, 300, false);
	send_raw(p, 300, true);
	for (i = 0; i < 4; i++) {
		receive(p, 200, MSG_PEEK);
		note_state(p);
	}
	receive_all(p);
}

static void s_no_checksum(struct play *p)
{
	int on = 1;

	if (p->kind != IPV6) {
		set(p->tx, SOL_SOCKET, SO_NO_CHECK, 1);
	} else {
		set(p->tx, SOL_UDP, UDP_NO_CHECK6_TX, 1);
		send_some(p, 300);
		receive_all(p);
		note_result(p, "UDP_NO_CHECK6_RX",
			    setsockopt(p->rx, SOL_UDP, UDP_NO_CHECK6_RX, &on, sizeof(on)));
	}
	send_some(p, 300);
	send_some(p, 3000);
	receive(p, 100, MSG_PEEK);
	receive_all(p);
}

static const struct scenario scenarios[] = {
	{ "datagrams of all sizes", s_sizes, ALL },
	{ "truncation", s_truncation, ALL },
	{ "MSG_PEEK", s_peek, ALL },
	{ "SO_PEEK_OFF", s_peek_offset, ALL },
	{ "flags of recvmsg()", s_flags, ALL },
	{ "other ways to read", s_calls, ALL },
	{ "recvmmsg()", s_recvmmsg, ALL },
	{ "each control message", s_each_cmsg, ALL },
	{ "all control messages", s_all_cmsgs, ALL },
	{ "SO_TIMESTAMPING", s_timestamping, ALL },
	{ "MSG_CTRUNC", s_small_control, ALL },
	{ "UDP_GRO", s_gro, ALL },
	{ "multicast", s_multicast, ALL },
	{ "link-local addresses", s_link_local, ONLY_IPV6 },
	{ "MSG_ERRQUEUE", s_error_queue, ALL },
	{ "IPV6_RECVPATHMTU", s_path_mtu, NOT_IPV4 },
	{ "EFAULT", s_faults, ALL },
	{ "SO_RXQ_OVFL", s_overflow, ALL },
	{ "SO_ATTACH_FILTER", s_filter, ALL },
	{ "checksums", s_checksums, ALL },
	{ "no checksum", s_no_checksum, ALL },
};

#define NR_SCENARIOS	(sizeof(scenarios) / sizeof(scenarios[0]))

int main(void)
{
	ksft_print_header();
	ksft_set_plan(3 * NR_SCENARIOS - 3);
	prepare_host();
	if (system("/usr/sbin/ip addr add fe80::1/64 dev lo nodad && "
		   "/usr/sbin/ip route add multicast ff00::/8 dev lo table local"))
		errx(1, "addresses of lo");
	compare_all(scenarios, NR_SCENARIOS);
	ksft_finished();
}
