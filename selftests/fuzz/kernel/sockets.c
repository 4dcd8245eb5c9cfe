// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket options, with every length and buffer, on sockets of every kind to
 * which meanwhile everything else happens as well.
 *
 * What must hold: a token is read-only, a good request is understood, errors are
 * such as are documented, no byte is written beyond the length that is said to have
 * been, and no TCP connection between the hosts, where policies want it protected, is
 * in clear.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <linux/ipsec_token.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "random.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
#ifndef UDP_GRO
#define UDP_GRO		104
#endif

#define SLOTS		12
#define PORT		7100
#define PORTS		4
#define PAGE		4096
#define UNTOUCHED	0xa5

atomic_uint option_values, option_errors;

/**
 * struct slot - a socket
 * @required: something may be required of it, or of the listener that made it, so
 *	that it holds the module
 */
struct slot {
	int fd;
	int domain, type;
	bool tcp;
	bool required;
};

/**
 * struct sockets - those of one thread
 * @pages: two; the second one can't be used
 */
struct sockets {
	unsigned int host;
	struct slot slots[SLOTS];
	uint8_t *pages;
};

static const struct kind {
	int type, protocol;
} kinds[] = {
	{ SOCK_STREAM, IPPROTO_TCP }, { SOCK_STREAM, IPPROTO_TCP }, { SOCK_STREAM, IPPROTO_TCP },
	{ SOCK_DGRAM, IPPROTO_UDP }, { SOCK_DGRAM, IPPROTO_UDP }, { SOCK_DGRAM, IPPROTO_UDP },
	{ SOCK_DGRAM, IPPROTO_UDPLITE }, { SOCK_STREAM, IPPROTO_MPTCP },
	{ SOCK_RAW, IPPROTO_ICMP }, { SOCK_SEQPACKET, IPPROTO_SCTP },
};

struct sockets *sockets_begin(unsigned int host)
{
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	unsigned int i;

	if (!sockets)
		err(1, "no memory");
	sockets->host = host;
	for (i = 0; i < SLOTS; i++)
		sockets->slots[i].fd = -1;
	sockets->pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sockets->pages == MAP_FAILED || mprotect(sockets->pages + PAGE, PAGE, PROT_NONE))
		err(1, "mmap");
	return sockets;
}

static void slot_close(struct slot *slot)
{
	struct linger abort = { .l_onoff = 1 };

	if (slot->fd < 0)
		return;
	setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	close(slot->fd);
	slot->fd = -1;
}

void sockets_end(struct sockets *sockets)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		slot_close(&sockets->slots[i]);
	munmap(sockets->pages, 2 * PAGE);
	free(sockets);
}

/* ----------------------------------------------------------------- addresses */

/* A host that there is not, and that no policy speaks of. */
#define ELSEWHERE	8

static socklen_t address_of(struct sockaddr_storage *out, int domain, unsigned int host,
			    uint64_t *state)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *sin = (struct sockaddr_in *)out;
	in_port_t port = htons(PORT + below(state, PORTS));
	char text[32];

	memset(out, 0, sizeof(*out));
	if (domain == AF_INET6) {
		strcpy(text, once_in(state, 2) ? "fd00::1" : "::ffff:10.0.0.1");
		text[strlen(text) - 1] = '1' + host;
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = port;
		inet_pton(AF_INET6, text, &sin6->sin6_addr);
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	sin->sin_port = port;
	sin->sin_addr.s_addr = htonl(0x0a000001 + host);
	return sizeof(*sin);
}

static void slot_open(struct sockets *sockets, struct slot *slot, uint64_t *state)
{
	const struct kind *kind = &kinds[below(state, sizeof(kinds) / sizeof(kinds[0]))];
	struct sockaddr_storage own;
	socklen_t length;
	int one = 1;

	slot_close(slot);
	slot->domain = once_in(state, 2) ? AF_INET : AF_INET6;
	slot->type = kind->type;
	slot->tcp = kind->protocol == IPPROTO_TCP;
	slot->required = false;
	if (atomic_load(&let_go) && !slot->tcp)
		return;
	slot->fd = socket(slot->domain, kind->type | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  kind->protocol);
	if (slot->fd < 0)
		return;
	setsockopt(slot->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(slot->fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	length = address_of(&own, slot->domain, sockets->host, state);
	if (once_in(state, 2))
		bind(slot->fd, (struct sockaddr *)&own, length);
	if (slot->type == SOCK_STREAM && once_in(state, 3))
		listen(slot->fd, below(state, 3));
}

/* -------------------------------------------------------------- socket options */

static int level_any(uint64_t *state)
{
	return once_in(state, 2) ? SOL_IP : SOL_IPV6;
}

static int length_any(uint64_t *state)
{
	static const int lengths[] = {
		INT_MIN, -1, 0, 1, 3, 4, 4, 5, 7, 8, 8, 9, 12, 16, 23, 24, 24, 25, 32, 64, 271,
		272, 272, 273, 4096, 4097, 8192, 8193, INT_MAX,
	};

	return lengths[below(state, sizeof(lengths) / sizeof(lengths[0]))];
}

/* Documented in ipsec-token(7), or what sockets that have no such option say. */
static bool error_is_known(int error)
{
	static const int errors[] = {
		EINVAL, EFAULT, EPERM, ENOTCONN, EISCONN, ENODATA, ENOPROTOOPT, EOPNOTSUPP,
		ENOMEM, EBUSY, EAGAIN,
	};
	unsigned int i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return true;
	return false;
}

static void option_get(struct sockets *sockets, struct slot *slot,
		       const struct worker *worker, uint64_t *state)
{
	uint32_t room = below(state, once_in(state, 4) ? PAGE : 40);
	uint8_t *end = sockets->pages + PAGE, *to = end - room, *byte;
	int name = IPSEC_SO_PTOKEN + below(state, once_in(state, 8) ? 8 : 5);
	int level = level_any(state), given = length_any(state);
	socklen_t length = given;
	uint64_t ptoken;

	memset(sockets->pages, UNTOUCHED, PAGE);
	if (getsockopt(slot->fd, level, name, to, &length)) {
		atomic_fetch_add(&option_errors, 1);
		if (!error_is_known(errno))
			problem(worker, "getsockopt(0x%x): %s", name, strerror(errno));
		return;
	}
	if ((int)length > given) {
		problem(worker, "getsockopt(0x%x): %d bytes of %d", name, (int)length, given);
		return;
	}
	for (byte = to + length; byte < end; byte++)
		if (*byte != UNTOUCHED)
			problem(worker, "getsockopt(0x%x): wrote beyond %u", name, length);
	if (name > IPSEC_SO_REQUEST_STATUS)
		return;		/* somebody else's */
	atomic_fetch_add(&option_values, 1);
	if (name == IPSEC_SO_PTOKEN && length == sizeof(ptoken)) {
		memcpy(&ptoken, to, sizeof(ptoken));
		if (ptoken != IPSEC_PTOKEN_NONE)
			atomic_store(&some_ptoken[sockets->host], ptoken);
		else if (slot->tcp)
			problem(worker, "what is protected is said to be in clear");
	}
}

static void option_set(struct sockets *sockets, struct slot *slot,
		       const struct worker *worker, uint64_t *state)
{
	uint32_t room = below(state, 40), value = below(state, once_in(state, 4) ? 16 : 2);
	int name = IPSEC_SO_PTOKEN + below(state, once_in(state, 8) ? 8 : 5);
	uint8_t *from = sockets->pages + PAGE - room;
	int level = level_any(state), given = length_any(state);

	if (atomic_load(&let_go) && (!slot->tcp || name == IPSEC_SO_REQUEST))
		return;
	if (once_in(state, 3))
		given = 4;
	if (once_in(state, 8))
		value = next(state);
	memset(sockets->pages, 0, PAGE);
	memcpy(from, &value, room < sizeof(value) ? room : sizeof(value));
	if (name == IPSEC_SO_REQUEST)
		slot->required = true;
	if (setsockopt(slot->fd, level, name, from, given)) {
		atomic_fetch_add(&option_errors, 1);
		if (!error_is_known(errno))
			problem(worker, "setsockopt(0x%x): %s", name, strerror(errno));
	} else if (name == IPSEC_SO_PTOKEN || name == IPSEC_SO_REQUEST_STATUS) {
		problem(worker, "what is an answer could be set");
	} else {
		atomic_fetch_add(&option_values, 1);
	}
}

static uint8_t *attr_put(uint8_t *to, uint16_t type, const void *value, uint16_t size)
{
	const struct nlattr attr = { .nla_len = NLA_HDRLEN + size, .nla_type = type };

	memcpy(to, &attr, sizeof(attr));
	memcpy(to + NLA_HDRLEN, value, size);
	return to + NLA_HDRLEN + NLA_ALIGN(size);
}

/* Mostly a request that is accepted, and can be met. */
static void option_require(struct sockets *sockets, struct slot *slot,
			   const struct worker *worker, uint64_t *state)
{
	const uint32_t both = IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION;
	uint32_t flags = below(state, once_in(state, 2) ? 64 : 4);
	uint32_t timeout = 1 + below(state, 20000), methods = 2 * below(state, 1024);
	uint8_t *from = sockets->pages, *end = from;
	bool good = (flags & both) != both;
	uint8_t name[16] = {};

	if (atomic_load(&let_go))
		return;
	memset(sockets->pages, 0, PAGE);
	end = attr_put(end, IPSEC_REQUEST_A_FLAGS, &flags, sizeof(flags));
	if (once_in(state, 2))
		end = attr_put(end, IPSEC_REQUEST_A_TIMEOUT, &timeout, sizeof(timeout));
	if (once_in(state, 8) && methods)
		end = attr_put(end, IPSEC_REQUEST_A_METHODS, &methods, sizeof(methods));
	if (once_in(state, 8)) {
		attr_put(name, IPSEC_IDENTITY_A_IKE_ID, "*", 2);
		end = attr_put(end, IPSEC_REQUEST_A_IDENTITY | NLA_F_NESTED, name, NLA_HDRLEN + 4);
	}
	if (once_in(state, 8)) {
		end -= 1 + below(state, 4);
		good = false;
	}
	if (once_in(state, 8)) {
		from[below(state, end - from)] ^= 1 << below(state, 8);
		good = false;
	}
	if (once_in(state, 8))
		end = from;
	slot->required = true;
	if (!setsockopt(slot->fd, level_any(state), IPSEC_SO_REQUEST, from, end - from)) {
		atomic_fetch_add(&option_values, 1);
		return;
	}
	atomic_fetch_add(&option_errors, 1);
	if (!error_is_known(errno) || (good && slot->tcp && errno == EINVAL))
		problem(worker, "request: %s", strerror(errno));
}

/* What else is set on the same sockets. */
static void option_other(struct slot *slot, uint64_t *state)
{
	static const struct {
		int level, name;
	} others[] = {
		{ IPPROTO_UDP, UDP_GRO }, { SOL_SOCKET, SO_RXQ_OVFL }, { SOL_SOCKET, SO_TIMESTAMP },
		{ SOL_SOCKET, SO_PEEK_OFF }, { SOL_IP, IP_PKTINFO }, { SOL_IP, IP_RECVERR },
		{ SOL_IPV6, IPV6_RECVPKTINFO }, { SOL_IPV6, IPV6_RECVERR },
		{ SOL_TCP, TCP_FASTOPEN }, { SOL_TCP, TCP_DEFER_ACCEPT },
	};
	unsigned int i = below(state, sizeof(others) / sizeof(others[0]) + 1);
	int value = below(state, 2);

	if (i < sizeof(others) / sizeof(others[0])) {
		setsockopt(slot->fd, others[i].level, others[i].name, &value, sizeof(value));
		return;
	}
	/* what was IPv4 over an IPv6 socket becomes an IPv4 socket */
	value = AF_INET;
	if (!setsockopt(slot->fd, SOL_IPV6, IPV6_ADDRFORM, &value, sizeof(value)))
		slot->domain = AF_INET;
}

/* --------------------------------------------------------------------- traffic */

/* What would leave for elsewhere in clear, and must not, is negotiated. */
static unsigned int peer_of(const struct sockets *sockets, const struct slot *slot,
			    uint64_t *state)
{
	return once_in(state, slot->required ? 2 : 16) ? ELSEWHERE : !sockets->host;
}

static void slot_connect(struct sockets *sockets, struct slot *slot, uint64_t *state)
{
	const struct sockaddr nothing = { .sa_family = AF_UNSPEC };
	struct sockaddr_storage peer;
	socklen_t length;

	if (once_in(state, 4)) {
		connect(slot->fd, &nothing, sizeof(nothing));
		return;
	}
	length = address_of(&peer, slot->domain, peer_of(sockets, slot, state), state);
	connect(slot->fd, (struct sockaddr *)&peer, length);
}

static void slot_accept(struct sockets *sockets, struct slot *slot, uint64_t *state)
{
	struct slot *other = &sockets->slots[below(state, SLOTS)];
	int fd = accept4(slot->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (other == slot) {
		close(fd);
		return;
	}
	slot_close(other);
	*other = *slot;
	other->fd = fd;
}

static void slot_send(struct sockets *sockets, struct slot *slot, uint64_t *state)
{
	static const char data[3000];
	struct sockaddr_storage peer;
	socklen_t length = address_of(&peer, slot->domain, peer_of(sockets, slot, state), state);
	size_t size = below(state, once_in(state, 4) ? sizeof(data) : 100);

	if (once_in(state, 2) || slot->type == SOCK_STREAM)
		send(slot->fd, data, size, MSG_NOSIGNAL);
	else
		sendto(slot->fd, data, size, MSG_NOSIGNAL, (struct sockaddr *)&peer, length);
}

static void slot_receive(struct slot *slot, uint64_t *state)
{
	static const int flags[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_ERRQUEUE, MSG_OOB, MSG_WAITALL };
	char control[256], data[256];
	struct iovec iov = { data, below(state, sizeof(data)) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = below(state, sizeof(control)),
	};

	recvmsg(slot->fd, &msg, MSG_DONTWAIT | flags[below(state, 6)] | flags[below(state, 6)]);
}

void sockets_step(struct sockets *sockets, const struct worker *worker, uint64_t *state)
{
	struct slot *slot = &sockets->slots[below(state, SLOTS)];

	if (slot->fd < 0) {
		slot_open(sockets, slot, state);
		return;
	}
	if (atomic_load(&let_go) && (!slot->tcp || slot->required)) {
		slot_close(slot);
		return;
	}
	switch (below(state, 17)) {
	case 0:
		slot_open(sockets, slot, state);
		break;
	case 1 ... 4:
		option_get(sockets, slot, worker, state);
		break;
	case 5 ... 7:
		option_set(sockets, slot, worker, state);
		break;
	case 8:
		option_other(slot, state);
		break;
	case 9:
		slot_connect(sockets, slot, state);
		break;
	case 10 ... 11:
		slot_accept(sockets, slot, state);
		break;
	case 12 ... 13:
		slot_send(sockets, slot, state);
		break;
	case 14:
		slot_receive(slot, state);
		break;
	case 15:
		if (once_in(state, 8))
			shutdown(slot->fd, below(state, 3));
		break;
	case 16:
		option_require(sockets, slot, worker, state);
		if (once_in(state, 2))
			slot_connect(sockets, slot, state);
		break;
	}
}
