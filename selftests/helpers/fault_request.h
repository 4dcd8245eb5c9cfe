/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of helpers/fault.c through requests: whatever fails, nothing passes in clear
 * where a request is in force, and a request is in force unless it is said that it
 * is not. There are no policies for IPv6, so that what would leave there would leave
 * in clear.
 */
#ifndef FAULT_REQUEST_H
#define FAULT_REQUEST_H

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "fault_module.h"

static int asker = -1;		/* of which something is required */
static int peer = -1;		/* of which nothing is */

static inline void requests_close(void)
{
	if (asker >= 0)
		close(asker);
	if (peer >= 0)
		close(peer);
	asker = -1;
	peer = -1;
}

static inline int apply(struct ipsec_request *request, int fd, const char *words, int patience)
{
	int ret;

	if (ipsec_request_set_words(request, words) ||
	    ipsec_request_set_timeout(request, patience))
		errx(1, "%s: request", path_name);
	ret = ipsec_request_apply(request, fd);
	ipsec_request_free(request);
	return ret;
}

static inline int require(int fd, const char *words)
{
	struct ipsec_request *request = NULL;

	if (ipsec_request_new(&request))
		errx(1, "%s: request", path_name);
	return apply(request, fd, words, PATIENCE);
}

/* The same, and who it is and how that is known. */
static inline int require_of_peer(int fd, const char *words, int patience)
{
	struct ipsec_request *request = NULL;

	if (ipsec_request_new(&request) ||
	    ipsec_request_set_methods(request, 1 << IPSEC_AUTH_PKIX_INLINE) ||
	    ipsec_request_set_peer(request, IPSEC_IDENTITY_A_CERTIFICATE_DN, "CN=left"))
		errx(1, "%s: request", path_name);
	return apply(request, fd, words, patience);
}

/* Return: 0 if this and nothing else is required; -EFAULT; CONFUSED. */
static inline int required_is(int fd, uint32_t flags)
{
	struct ipsec_request *request = NULL;
	int ret = ipsec_request_from_fd(fd, &request);

	if (!ret && ipsec_request_flags(request) != flags)
		ret = CONFUSED;
	ipsec_request_free(request);
	return ret == -ENODATA ? CONFUSED : ret;
}

static inline int required_is_nothing(int fd)
{
	struct ipsec_request *request = NULL;
	int ret = ipsec_request_from_fd(fd, &request);

	ipsec_request_free(request);
	return ret == -ENODATA ? 0 : ret ?: CONFUSED;
}

static inline int status_is(int fd, enum ipsec_request_state state)
{
	struct ipsec_request_status status = {};
	int ret = ipsec_request_status(fd, &status);

	return ret ?: status.state == state ? 0 : CONFUSED;
}

/* --------------------------------------------------------------------- the wire */

static int wire = -1;

/* At right all comes by that is sent, and as it is sent. */
static inline void wire_open(void)
{
	enter(RIGHT);
	wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (wire < 0)
		err(1, "packet socket");
}

/* How many packets in clear there have been since last asked. */
static inline int wire_in_clear(void)
{
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	unsigned char packet[128], protocol;
	int count = 0;

	while (recvfrom(wire, packet, sizeof(packet), MSG_TRUNC, (struct sockaddr *)&from,
			&size) > 0) {
		protocol = ntohs(from.sll_protocol) == ETH_P_IP ? packet[9] :
			   ntohs(from.sll_protocol) == ETH_P_IPV6 ? packet[6] : 0;
		count += protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
		size = sizeof(from);
	}
	return count;
}

static inline struct sockaddr_in6 address6(int host, int port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, host == LEFT ? "fd00::1" : "fd00::2", &sin6.sin6_addr);
	return sin6;
}

static inline int socket6_of(int host, int type)
{
	int fd;

	enter(host);
	fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "%s: socket", path_name);
	return fd;
}

/* --------------------------------------------------- what is set, and read back */

static inline void before_require(void)
{
	be_loaded();
}

static inline int try_require(void)
{
	static const struct {
		int family, type;
	} kinds[] = {
		{ AF_INET, SOCK_STREAM }, { AF_INET, SOCK_DGRAM }, { AF_INET6, SOCK_DGRAM },
	};
	unsigned int i;
	int fd, is, ret = 0;

	enter(RIGHT);
	for (i = 0; i < IPSEC_ARRAY_SIZE(kinds) && !ret; i++) {
		fd = socket(kinds[i].family, kinds[i].type | SOCK_CLOEXEC, 0);
		if (fd < 0)
			err(1, "socket");
		ret = require(fd, "privacy");
		if (ret)
			is = required_is_nothing(fd) ?: status_is(fd, IPSEC_REQUEST_ABSENT);
		else
			is = required_is(fd, IPSEC_REQUEST_F_PRIVACY) ?:
			     status_is(fd, IPSEC_REQUEST_SET);
		close(fd);
		ret = is == CONFUSED ? is : ret ?: is;
	}
	return ret;
}

/* Where there has not been an SA, packets are not looked at before the first request. */
static inline void before_first_request(void)
{
	be_unloaded();
	connection_close();
	sas_flush();
	be_loaded();
}

static inline void before_change(void)
{
	be_loaded();
	requests_close();
	asker = socket_of(RIGHT, SOCK_STREAM);
	if (require(asker, "privacy"))
		errx(1, "%s: request", path_name);
}

/* As long as it is not said that it has changed, it has not. */
static inline int try_change(void)
{
	uint32_t flags = IPSEC_REQUEST_F_PRIVACY;
	int is, ret = require(asker, "integrity");

	if (!ret)
		flags = IPSEC_REQUEST_F_INTEGRITY;
	is = required_is(asker, flags);
	if (ret || is)
		return is == CONFUSED ? is : ret ?: is;
	ret = ipsec_request_apply(NULL, asker);
	is = ret ? required_is(asker, flags) : required_is_nothing(asker);
	return is == CONFUSED ? is : ret ?: is;
}

/* ------------------------------------------------------------------ what is met */

static inline void before_required(void)
{
	be_loaded();
	connection_close();
	sas_fresh();
	forget_news();
}

/* A connection of left with right; @by: of whose socket something is required. */
static inline int connect_required(int by, const char *words)
{
	struct sockaddr_in to = address(RIGHT);
	int listener = socket_of(RIGHT, SOCK_STREAM), ret;

	connection[LEFT] = socket_of(LEFT, SOCK_STREAM);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1))
		err(1, "%s: listener", path_name);
	ret = require(by == LEFT ? connection[LEFT] : listener, words);
	if (!ret && connect(connection[LEFT], (struct sockaddr *)&to, sizeof(to)))
		ret = -errno;
	if (!ret) {
		connection[RIGHT] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		ret = connection[RIGHT] < 0 ? -errno : 0;
	}
	close(listener);
	return ret;
}

static inline int try_connect(void)
{
	int ret = connect_required(LEFT, "privacy,integrity");

	return ret ?: status_is(connection[LEFT], IPSEC_REQUEST_MET) ?: connection_works() ?:
	       connection_tokens();
}

/* What has no record of what is required is not accepted. */
static inline int try_accept(void)
{
	int ret = connect_required(RIGHT, "privacy");

	return ret ?: required_is(connection[RIGHT], IPSEC_REQUEST_F_PRIVACY) ?:
	       status_is(connection[RIGHT], IPSEC_REQUEST_MET) ?: connection_works() ?:
	       connection_tokens();
}

/* A socket of right that has not sent or received anything. */
static inline void before_required_datagram(void)
{
	struct timeval soon = { .tv_sec = 2 };
	struct sockaddr_in to = address(RIGHT);

	be_loaded();
	requests_close();
	peer = socket_of(LEFT, SOCK_DGRAM);
	asker = socket_of(RIGHT, SOCK_DGRAM);
	if (setsockopt(asker, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) ||
	    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) ||
	    bind(asker, (struct sockaddr *)&to, sizeof(to)) ||
	    connect(peer, (struct sockaddr *)&to, sizeof(to)))
		err(1, "%s: sockets", path_name);
	sas_fresh();
	forget_news();
}

static inline int try_required_datagram(void)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char data;
	int ret = require(asker, "privacy");

	if (ret)
		return ret;
	if (send(peer, "x", 1, 0) != 1 ||
	    recvfrom(asker, &data, 1, 0, (struct sockaddr *)&from, &size) != 1)
		return -errno;
	if (sendto(asker, "x", 1, 0, (struct sockaddr *)&from, size) != 1 ||
	    recv(peer, &data, 1, 0) != 1)
		return -errno;
	return status_is(asker, IPSEC_REQUEST_MET);
}

/* --------------------------------------------------------------------- negotiations */

static uint64_t asked;		/* the newest negotiation */

static inline int negotiation_of(const struct nlmsghdr *nlh, void *unused)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_REQUEST), *attr;

	(void)unused;
	if (!nest)
		return -EPROTO;
	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IPSEC_REQUEST_A_ID)
			asked = mnl_attr_get_u64(attr);
	return 0;
}

/* As an agent hears of it; and if it hears that it has missed something, it asks. */
static inline int negotiation_heard(int milliseconds)
{
	_Alignas(8) char message[16384];
	int fd = mnl_socket_get_fd(listeners[0]);
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	struct nlmsghdr *nlh = (struct nlmsghdr *)message;
	int ret;

	if (poll(&wait, 1, milliseconds) != 1)
		return SILENT;
	if (recv(fd, message, sizeof(message), 0) < 0) {
		ret = request(RIGHT, IPSEC_CMD_REQUEST_GET, NLM_F_DUMP, NULL, negotiation_of,
			      NULL);
		return ret ?: asked ? 0 : SILENT;
	}
	if (((struct genlmsghdr *)mnl_nlmsg_get_payload(nlh))->cmd != IPSEC_CMD_REQUEST_NTF)
		return SILENT;
	return negotiation_of(nlh, NULL);
}

#define SORRY	"the peer says no"

static inline void put_answer(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_REQUEST);

	mnl_attr_put_u64(nlh, IPSEC_REQUEST_A_ID, asked);
	mnl_attr_put_u8(nlh, IPSEC_REQUEST_A_REASON, IPSEC_REQUEST_REASON_REFUSED);
	mnl_attr_put_strz(nlh, IPSEC_REQUEST_A_TEXT, SORRY);
	mnl_attr_nest_end(nlh, nest);
}

static inline int negotiation_refuse(void)
{
	return request(RIGHT, IPSEC_CMD_REQUEST_RESULT, NLM_F_ACK, put_answer, NULL, NULL);
}

/* The error of the socket, for which it is waited. */
static inline int error_of(int fd, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = POLLERR };
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll(&wait, 1, milliseconds) != 1)
		return SILENT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		err(1, "%s: SO_ERROR", path_name);
	return -error;
}

/* What an agent has said of it may be lost, but not that it has. */
static inline int refusal_told(int fd)
{
	struct ipsec_request_status status = {};
	int ret = ipsec_request_status(fd, &status);

	if (ret)
		return ret;
	if (status.reason != IPSEC_REQUEST_REASON_REFUSED)
		return CONFUSED;
	if (!*status.text)
		return -ENOMSG;
	return strcmp(status.text, SORRY) ? CONFUSED : 0;
}

static inline void before_negotiation(void)
{
	be_loaded();
	requests_close();
	usleep(500000);		/* one user is not to ask for too many at once */
	forget_news();
	asked = 0;
}

static inline int try_negotiation(void)
{
	struct sockaddr_in6 to = address6(LEFT, PORT);
	int ret;

	asker = socket6_of(RIGHT, SOCK_STREAM);
	ret = require_of_peer(asker, "privacy", PATIENCE);
	if (ret)
		return ret;
	if (!connect(asker, (struct sockaddr *)&to, sizeof(to)))
		return CONFUSED;
	if (errno != EINPROGRESS)
		return -errno;
	/* with no memory for it, it has ended already */
	if (negotiation_heard(500))
		return error_of(asker, 2000) ?: CONFUSED;
	ret = negotiation_refuse();
	if (ret)
		return ret;
	ret = error_of(asker, PATIENCE);
	return ret == -EACCES ? refusal_told(asker) : ret ?: CONFUSED;
}

/* Each flow of a socket is one of its own. */
static inline int try_negotiation_datagram(void)
{
	struct sockaddr_in6 to = address6(LEFT, PORT);
	int i, ret;

	asker = socket6_of(RIGHT, SOCK_DGRAM);
	ret = require(asker, "privacy");
	for (i = 0; i < 2 && !ret; i++) {
		to.sin6_port = htons(PORT + i);
		if (sendto(asker, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
			return -errno;
		ret = negotiation_heard(0) ?: negotiation_refuse();
		if (ret)
			return ret;
		ret = error_of(asker, PATIENCE);
		ret = ret == -EACCES ? refusal_told(asker) : ret ?: CONFUSED;
	}
	return ret;
}

#endif /* FAULT_REQUEST_H */
