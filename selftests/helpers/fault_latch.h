/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of helpers/fault.c through latches: whatever fails, a latched connection is
 * kept to its protection, and one is said to be latched only if it is.
 */
#ifndef FAULT_LATCH_H
#define FAULT_LATCH_H

#include <linux/xfrm.h>

#include "fault_module.h"

/*
 * A socket with a policy of its own passes by IPsec, for which it takes an
 * administrator.
 */
static inline void bypass(int fd, bool on)
{
	struct xfrm_userpolicy_info policy = {
		.sel.family = AF_INET,
		.lft = { XFRM_INF, XFRM_INF, XFRM_INF, XFRM_INF },
		.action = XFRM_POLICY_ALLOW,
	};
	int ret = 0;

	if (!on)
		ret = setsockopt(fd, SOL_IP, IP_XFRM_POLICY, NULL, 0);
	for (policy.dir = XFRM_POLICY_IN; on && policy.dir <= XFRM_POLICY_OUT; policy.dir++)
		ret |= setsockopt(fd, SOL_IP, IP_XFRM_POLICY, &policy, sizeof(policy));
	if (ret)
		err(1, "%s: IP_XFRM_POLICY", path_name);
}

/* What does not hold is a claim that is not true. */
static inline int latch_is(int fd, enum ipsec_latch_state state)
{
	struct ipsec_latch latch = {};
	int ret = ipsec_latch_get(fd, &latch);

	return ret ?: latch.state == state ? 0 : CONFUSED;
}

/* A connection under IPsec is latched, unless it is not known to be under IPsec. */
static inline int connection_latches(void)
{
	struct ipsec_latch latch = {};
	int host, ret, first = 0;
	ipsec_ptoken_t ptoken;
	bool known;

	for (host = LEFT; host <= RIGHT; host++) {
		ret = ipsec_ptoken_from_fd(connection[host], &ptoken);
		known = !ret && ptoken != IPSEC_PTOKEN_UNKNOWN;
		if (!ret || ret == -ENODATA)
			ret = ipsec_latch_get(connection[host], &latch);
		first = first ?: ret;
		if (!ret && latch.state != (known ? IPSEC_LATCH_ESTABLISHED : IPSEC_LATCH_NONE))
			return CONFUSED;
		if (!ret && known && latch.now != ptoken)
			return CONFUSED;
	}
	return first;
}

/* --------------------------------------------------------- connections in clear */

static inline void connection_open_clear(void)
{
	struct sockaddr_in to = address(RIGHT);
	int listener = socket_of(RIGHT, SOCK_STREAM);

	connection_close();
	connection[LEFT] = socket_of(LEFT, SOCK_STREAM);
	bypass(listener, true);
	bypass(connection[LEFT], true);
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1) ||
	    connect(connection[LEFT], (struct sockaddr *)&to, sizeof(to)))
		err(1, "%s: connection in clear", path_name);
	connection[RIGHT] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection[RIGHT] < 0)
		err(1, "%s: accept", path_name);
	close(listener);
}

/* A namespace where memory was short does not say of any connection that it is in clear. */
static inline void before_clear(void)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	int i;

	be_fresh();
	sas_fresh();
	/* it takes a moment until the module begins to watch */
	for (i = 0; i < PATIENCE / 100 && ptoken != IPSEC_PTOKEN_NONE; i++) {
		if (i)
			usleep(100000);
		connection_open_clear();
		if (ipsec_ptoken_from_fd(connection[RIGHT], &ptoken))
			ptoken = IPSEC_PTOKEN_UNKNOWN;
	}
	if (ptoken != IPSEC_PTOKEN_NONE)
		errx(1, "%s: not known to be in clear", path_name);
	forget_news();
}

static inline int try_latch_clear(void)
{
	int ret = ipsec_latch_set(connection[RIGHT], IPSEC_LATCH_F_ON);
	int is = latch_is(connection[RIGHT], ret ? IPSEC_LATCH_NONE : IPSEC_LATCH_ESTABLISHED);

	return is == CONFUSED ? is : ret ?: is;
}

/* From now on what is sent on it is protected. */
static inline void before_gain(void)
{
	before_clear();
	bypass(connection[LEFT], false);
	bypass(connection[RIGHT], false);
}

/* It was in clear when it was made, and that is what it has been called since. */
static inline int try_gain(void)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	struct ipsec_latch latch = {};
	int i, ret;

	/* while the socket is in use the next segment has to tell */
	for (i = 0; i < 20 && latch.now == IPSEC_PTOKEN_NONE; i++) {
		ret = connection_works() ?: ipsec_latch_get(connection[RIGHT], &latch) ?:
		      ipsec_ptoken_from_fd(connection[RIGHT], &ptoken);
		if (ret)
			return ret;
		if (latch.state != IPSEC_LATCH_NONE || ptoken != IPSEC_PTOKEN_NONE)
			return CONFUSED;
	}
	return judge(RIGHT, latch.now == IPSEC_PTOKEN_NONE ? -ENODATA : 0, latch.now);
}

/* ----------------------------------------------------------- protected connections */

static inline void before_connection(void)
{
	be_fresh();
	if (connection[LEFT] < 0) {
		sas_fresh();
		if (connection_open())
			errx(1, "%s: no connection", path_name);
	}
	/* so that it is known what each end sends under */
	if (connection_works())
		errx(1, "%s: no data", path_name);
	forget_news();
}

static inline int try_latch_option(void)
{
	int ret = ipsec_latch_set(connection[RIGHT], IPSEC_LATCH_F_ON);
	int is = latch_is(connection[RIGHT], IPSEC_LATCH_ESTABLISHED);

	return is == CONFUSED ? is : ret ?: is;
}

static inline void before_latch_rekeyed(void)
{
	before_connection();
	sas_renew();
}

static inline int connection_works_back(void)
{
	char data;

	if (send(connection[RIGHT], "x", 1, MSG_NOSIGNAL) != 1 ||
	    recv(connection[LEFT], &data, 1, 0) != 1)
		return -errno;
	return 0;
}

/*
 * What is refused for lack of memory is sent once more. An acknowledgment is not, so
 * the latch mends with the next segment only.
 */
static inline int try_latch_rekeyed(void)
{
	int i, ret = 0;

	for (i = 0; i < 2 && !ret; i++)
		ret = connection_works() ?: connection_works_back();
	return ret ?: connection_latches();
}

/* Right would send in clear from now on. */
static inline void before_latch_breaks(void)
{
	be_loaded();
	connection_close();
	sas_fresh();
	if (connection_open())
		errx(1, "%s: no connection", path_name);
	bypass(connection[RIGHT], true);
	usleep(250000);		/* of more than ten in a second nobody is told */
	forget_news();
}

static inline int try_latch_breaks(void)
{
	char data;
	int is;

	if (send(connection[RIGHT], "x", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	is = latch_is(connection[RIGHT], IPSEC_LATCH_BROKEN);
	if (recv(connection[LEFT], &data, 1, MSG_DONTWAIT) >= 0)
		return CONFUSED;
	return is ?: heard(0, 0);
}

static inline void put_latch_mode(struct nlmsghdr *nlh)
{
	mnl_attr_put_u8(nlh, IPSEC_A_LATCH_MODE, IPSEC_LATCH_ENFORCE);
}

static inline int try_latch_mode(void)
{
	int ret = request(RIGHT, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_latch_mode, NULL, NULL);

	return ret ?: heard(0, 0);
}

/* ---------------------------------------------------------------------- datagrams */

/* Connected anew, it is not latched; then it has heard of its peer. */
static inline void before_latch_datagram(void)
{
	struct timeval soon = { .tv_sec = 2 };
	struct sockaddr_in from;
	socklen_t size = sizeof(from);

	be_fresh();
	be_receiving();
	sas_fresh();
	if (getsockname(client, (struct sockaddr *)&from, &size) ||
	    connect(server, (struct sockaddr *)&from, sizeof(from)) ||
	    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)))
		err(1, "%s: datagram sockets", path_name);
	told_count = 0;
	if (receive())
		errx(1, "%s: no token", path_name);
	forget_news();
}

static inline int try_latch_datagram(void)
{
	int ret = ipsec_latch_set(server, IPSEC_LATCH_F_ON);
	int is = latch_is(server, ret ? IPSEC_LATCH_NONE : IPSEC_LATCH_ESTABLISHED);

	return is == CONFUSED ? is : ret ?: is;
}

static inline void before_latched_datagram(void)
{
	before_latch_datagram();
	if (ipsec_latch_set(server, IPSEC_LATCH_F_ON))
		errx(1, "%s: no latch", path_name);
	sas_renew();
	forget_news();
}

/* What is not known to match is not read. */
static inline int try_latched_datagram(void)
{
	int ret = receive();

	return ret ?: latch_is(server, IPSEC_LATCH_ESTABLISHED);
}

#endif /* FAULT_LATCH_H */
