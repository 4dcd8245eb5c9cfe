/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of helpers/fault.c through what the module answers and tells over netlink:
 * while memory runs out, and while there is no room in a message. An answer that is
 * no error is as long as when nothing fails, and a list has nothing twice.
 */
#ifndef FAULT_ANSWER_H
#define FAULT_ANSWER_H

#include "fault_module.h"
#include "fault_request.h"

/* ------------------------------------------------------------- memory runs out */

static inline void before_datagram(void)
{
	be_loaded();
	be_receiving();
	sas_fresh();
	forget_news();
}

static inline int try_config_set(void)
{
	int ret = request(RIGHT, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_linger, NULL, NULL);

	return ret ?: heard(0, 0);
}

static ipsec_ptoken_t held;	/* by right */

static inline void before_request(void)
{
	before_datagram();
	connection_close();
	if (connection_open())
		errx(1, "no connection");
	told_count = 0;
	if (receive())
		errx(1, "no token");
	held = told[0];
	forget_news();
}

static inline void put_held(struct nlmsghdr *nlh)
{
	mnl_attr_put_u64(nlh, IPSEC_A_PTOKEN, held);
}

static inline int try_resolve(void)
{
	return request(RIGHT, IPSEC_CMD_PTOKEN_GET, 0, put_held, NULL, NULL);
}

static inline int count(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(int *)data;
	return 0;
}

/* There is one at least. To list contexts and algorithms nothing is allocated. */
static inline int try_dump(uint8_t cmd)
{
	int messages = 0;
	int ret = request(RIGHT, cmd, NLM_F_DUMP, NULL, count, &messages);

	return ret ?: messages ? 0 : CONFUSED;
}

static inline int try_sockets(void)
{
	return try_dump(IPSEC_CMD_SOCKET_GET);
}

static inline int try_latches(void)
{
	return try_dump(IPSEC_CMD_LATCH_GET);
}

static inline int try_identities(void)
{
	return try_dump(IPSEC_CMD_IDENTITY_GET);
}

static inline int try_config_get(void)
{
	return request(RIGHT, IPSEC_CMD_CONFIG_GET, 0, NULL, NULL, NULL);
}

static inline int try_stats(void)
{
	return request(RIGHT, IPSEC_CMD_STATS_GET, 0, NULL, NULL, NULL);
}

static inline void put_algorithm(struct nlmsghdr *nlh)
{
	static uint8_t trusted;

	trusted = !trusted;
	mnl_attr_put_strz(nlh, IPSEC_A_ALGORITHM_NAME, "cbc(des3_ede)");
	mnl_attr_put_u8(nlh, IPSEC_A_ALGORITHM_TRUSTED, trusted);
}

static inline int try_algorithm_set(void)
{
	int ret = request(RIGHT, IPSEC_CMD_ALGORITHM_SET, NLM_F_ACK, put_algorithm, NULL, NULL);

	return ret ?: heard(0, 0) ?: heard(1, 0);
}

static inline void put_sas(struct nlmsghdr *nlh)
{
	put_pair(nlh, spi);
}

static bool bind_at_length;		/* with more to say than a page holds */

static inline void put_binding(struct nlmsghdr *nlh)
{
	static const uint8_t itoken[IPSEC_ITOKEN_SIZE] = { 1 };
	static const char binding[IPSEC_IDENTITY_MAX_BINDING];
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);

	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(itoken), itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PKIX_INLINE);
	if (bind_at_length)
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_CHANNEL_BINDING, sizeof(binding), binding);
	mnl_attr_nest_end(nlh, nest);
	put_sas(nlh);
}

static inline int try_bind(void)
{
	int ret = request(RIGHT, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK, put_binding, NULL, NULL);

	return ret ?: heard(0, 0) ?: heard(1, 0);
}

static inline void before_bound(void)
{
	before_request();
	if (try_bind())
		errx(1, "bind");
	forget_news();
}

static inline void before_bound_at_length(void)
{
	bind_at_length = true;
	before_bound();
	bind_at_length = false;
}

/* By a socket that has not received anything, to which a dump gives a page at a time. */
static inline int try_long_identities(void)
{
	_Alignas(8) static char buffer[32768];
	struct nlmsghdr *nlh = ipsec_nl_request(ipsec[RIGHT], buffer, IPSEC_CMD_IDENTITY_GET,
						NLM_F_DUMP);
	struct mnl_socket *nl;
	int length, ret = CONFUSED;
	unsigned int sas = 0;

	enter(RIGHT);
	nl = mnl_socket_open(NETLINK_GENERIC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err(1, "%s", path_name);
	while (ret == CONFUSED) {
		length = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
		if (length <= 0)
			err(1, "%s", path_name);
		for (nlh = (void *)buffer; mnl_nlmsg_ok(nlh, length);
		     nlh = mnl_nlmsg_next(nlh, &length)) {
			if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR)
				ret = *(int *)mnl_nlmsg_get_payload(nlh);
			else
				sas++;
		}
	}
	mnl_socket_close(nl);
	return ret ?: sas == 2 ? 0 : CONFUSED;
}

static inline int try_unbind(void)
{
	int ret = request(RIGHT, IPSEC_CMD_IDENTITY_UNBIND, NLM_F_ACK, put_sas, NULL, NULL);

	return ret ?: heard(0, 0) ?: heard(1, 0);
}

/* ------------------------------------------------- there is no room in a message
 *
 * What is asked for stays the same during a path: it is made before its first try.
 */

static bool whole_made;			/* it has been */

/* What the messages of an answer, or of news, come to. */
struct whole {
	unsigned int count;
	size_t size;
	uint64_t sums[256];		/* of each message */
};

static inline int collect(const struct nlmsghdr *nlh, void *data)
{
	const unsigned char *payload = mnl_nlmsg_get_payload(nlh);
	size_t size = mnl_nlmsg_get_payload_len(nlh), at;
	uint64_t sum = 14695981039346656037U;		/* FNV-1a */
	struct whole *whole = data;
	unsigned int i;

	for (at = 0; at < size; at++)
		sum = (sum ^ payload[at]) * 1099511628211U;
	for (i = 0; i < whole->count; i++)
		if (whole->sums[i] == sum)
			return CONFUSED;
	if (whole->count == IPSEC_ARRAY_SIZE(whole->sums))
		errx(1, "%s: too long", path_name);
	whole->sums[whole->count++] = sum;
	whole->size += size;
	return 0;
}

/* The first one of a path, when nothing fails, is what they are compared with. */
static inline int is_whole(const struct whole *whole)
{
	static struct whole wanted;
	static const char *wanted_by;

	if (wanted_by != path_name)
		wanted = *whole;
	wanted_by = path_name;
	return whole->count && whole->count == wanted.count && whole->size == wanted.size ?
	       0 : CONFUSED;
}

static inline int ask_whole(uint8_t cmd, uint16_t flags, void (*put)(struct nlmsghdr *nlh))
{
	struct whole whole = {};
	int ret = request(RIGHT, cmd, flags, put, collect, &whole);

	return ret ?: is_whole(&whole);
}

/* What right has been told of this kind; of others there may be more or less. */
static inline int news_whole(uint8_t cmd)
{
	static _Alignas(8) char message[1 << 16];
	int fd = mnl_socket_get_fd(listeners[0]), ret = 0;
	struct nlmsghdr *nlh = (struct nlmsghdr *)message;
	struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct whole whole = {};

	while (!ret && recv(fd, message, sizeof(message), 0) >= 0)
		if (genl->cmd == cmd)
			ret = collect(nlh, &whole);
	if (!ret && errno != EAGAIN)
		ret = -errno;
	return ret ?: is_whole(&whole);
}

static inline int latest_context(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_CONTEXT), *attr;

	if (!nest)
		return -EPROTO;
	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IPSEC_CONTEXT_A_ID)
			*(uint64_t *)data = mnl_attr_get_u64(attr);
	return 0;
}

static uint64_t context;		/* that of right's token */

static inline void host_command(int host, const char *format, int from, uint32_t of)
{
	char command[512];

	snprintf(command, sizeof(command), format, host == LEFT ? "left" : "right",
		 addresses[from], addresses[!from], of + from, 8 + selector % 20,
		 8 + selector / 20 % 20);
	if (system(command))
		errx(1, "%s: %s", path_name, command);
}

/*
 * What an SA can have and those of hosts.h have not. Nothing has come under these, nor
 * could it, but they are the latest that stand for the context.
 */
static inline void others_add(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		host_command(i / 2, "/usr/sbin/ip -n %s xfrm state add src %s dst %s proto esp "
			     "spi %u reqid 1 mode transport replay-window 32 flag esn "
			     "auth-trunc 'hmac(sha256)' "
			     "0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f "
			     "128 enc 'cbc(aes)' 0x000102030405060708090a0b0c0d0e0f "
			     "encap espinudp 4500 4500 0.0.0.0 "
			     "sel src 10.0.0.0/%u dst 10.0.0.0/%u", i % 2, spi + 2);
		host_command(i / 2, "/usr/sbin/ip -n %s xfrm state add src %s dst %s proto comp "
			     "spi %u reqid 1 mode transport comp deflate", i % 2,
			     spi % 0x8000 + 0x1000);
	}
}

static inline void whole_make(bool bound)
{
	struct sockaddr_in6 any = address6(RIGHT, PORT);
	struct sockaddr_in from;
	socklen_t size = sizeof(from);

	be_loaded();
	forget_news();
	linger = 60;
	if (try_config_set())
		errx(1, "%s: linger", path_name);
	be_receiving();
	sas_fresh();
	forget_news();
	if (bound && try_bind())
		errx(1, "%s: bind", path_name);
	if (connection_open() || connection_works())
		errx(1, "%s: no connection", path_name);
	if (getsockname(client, (struct sockaddr *)&from, &size) ||
	    connect(server, (struct sockaddr *)&from, sizeof(from)))
		err(1, "%s: datagram sockets", path_name);
	told_count = 0;
	if (receive() || ipsec_latch_set(server, IPSEC_LATCH_F_ON))
		errx(1, "%s: no token", path_name);
	held = told[0];
	peer = socket6_of(RIGHT, SOCK_STREAM);
	if (bind(peer, (struct sockaddr *)&any, sizeof(any)) || listen(peer, 1))
		err(1, "%s: listener", path_name);
	if (request(RIGHT, IPSEC_CMD_CONTEXT_GET, NLM_F_DUMP, NULL, latest_context, &context))
		errx(1, "%s: contexts", path_name);
	whole_made = true;
}

static inline void before_whole(void)
{
	if (!whole_made)
		whole_make(false);
	forget_news();
}

static inline void before_whole_bound(void)
{
	if (!whole_made)
		whole_make(true);
}

static inline void before_whole_others(void)
{
	if (whole_made)
		return;
	whole_make(false);
	others_add();
}

static inline void before_whole_bound_others(void)
{
	if (whole_made)
		return;
	whole_make(true);
	others_add();
}

/* There are no SAs any more, so that it is told what they were like. */
static inline void before_whole_gone(void)
{
	if (!whole_made) {
		whole_make(false);
		sas_flush();
	}
}

static inline int try_whole_resolve(void)
{
	return ask_whole(IPSEC_CMD_PTOKEN_GET, 0, put_held);
}

static inline void put_context(struct nlmsghdr *nlh)
{
	mnl_attr_put_u64(nlh, IPSEC_A_CONTEXT_ID, context);
}

static inline int try_whole_context(void)
{
	return ask_whole(IPSEC_CMD_CONTEXT_GET, 0, put_context);
}

static inline int try_whole_contexts(void)
{
	return ask_whole(IPSEC_CMD_CONTEXT_GET, NLM_F_DUMP, NULL);
}

static inline int try_whole_sockets(void)
{
	return ask_whole(IPSEC_CMD_SOCKET_GET, NLM_F_DUMP, NULL);
}

static inline int try_whole_latches(void)
{
	return ask_whole(IPSEC_CMD_LATCH_GET, NLM_F_DUMP, NULL);
}

static inline int try_whole_identities(void)
{
	return ask_whole(IPSEC_CMD_IDENTITY_GET, NLM_F_DUMP, NULL);
}

static inline int try_whole_algorithms(void)
{
	return ask_whole(IPSEC_CMD_ALGORITHM_GET, NLM_F_DUMP, NULL);
}

static inline int try_whole_config(void)
{
	return ask_whole(IPSEC_CMD_CONFIG_GET, 0, NULL);
}

static inline int try_whole_stats(void)
{
	return ask_whole(IPSEC_CMD_STATS_GET, 0, NULL);
}

/* One that waits during the whole path. */
static inline void before_whole_negotiation(void)
{
	struct sockaddr_in6 to = address6(LEFT, PORT);

	if (whole_made)
		return;
	before_negotiation();
	asker = socket6_of(RIGHT, SOCK_STREAM);
	if (require_of_peer(asker, "privacy", 10 * PATIENCE) ||
	    !connect(asker, (struct sockaddr *)&to, sizeof(to)) || errno != EINPROGRESS ||
	    negotiation_heard(500))
		errx(1, "%s: no negotiation", path_name);
	whole_made = true;
}

static inline int try_whole_negotiations(void)
{
	return ask_whole(IPSEC_CMD_REQUEST_GET, NLM_F_DUMP, NULL);
}

/* What is asked for is done, whether there is room to tell of it or not. */
static inline int try_news_config(void)
{
	int ret = request(RIGHT, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_linger, NULL, NULL);

	return ret ?: news_whole(IPSEC_CMD_CONFIG_NTF);
}

static inline int try_news_algorithm(void)
{
	int ret = request(RIGHT, IPSEC_CMD_ALGORITHM_SET, NLM_F_ACK, put_algorithm, NULL, NULL);

	return ret ?: heard(1, 0) ?: news_whole(IPSEC_CMD_ALGORITHM_NTF);
}

static inline int try_news_bind(void)
{
	int ret = request(RIGHT, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK, put_binding, NULL, NULL);

	return ret ?: heard(1, 0) ?: news_whole(IPSEC_CMD_IDENTITY_NTF);
}

static inline int try_news_unbind(void)
{
	int ret = request(RIGHT, IPSEC_CMD_IDENTITY_UNBIND, NLM_F_ACK, put_sas, NULL, NULL);

	return ret ?: heard(1, 0) ?: news_whole(IPSEC_CMD_IDENTITY_GONE_NTF);
}

/* SAs under which nothing has come. */
static inline void before_news_unbound(void)
{
	be_loaded();
	sas_fresh();
	forget_news();
}

static inline void before_news_bound(void)
{
	before_news_unbound();
	if (try_bind())
		errx(1, "%s: bind", path_name);
	forget_news();
}

#endif /* FAULT_ANSWER_H */
