// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library without the kernel module: what it makes of messages, complete
 * and broken, and the line it composes for logs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pfkeyv2.h>
#include <linux/udp.h>
#include <linux/xfrm.h>

#include "../lib/internal.h"

#ifndef SOL_IPV6
#define SOL_IPV6 41
#endif

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

/* ------------------------------------------------ tokens in control messages */

union control {
	char buf[256];
	struct cmsghdr align;
};

static void control_put(union control *control, struct msghdr *msg, int level, int type,
			const void *data, size_t len)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)(control->buf + msg->msg_controllen);

	msg->msg_control = control->buf;
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(cmsg), data, len);
	msg->msg_controllen += CMSG_SPACE(len);
}

static int from_one(int level, int type, const void *data, size_t len, int flags,
		    ipsec_ptoken_t *ptoken)
{
	struct msghdr msg = { .msg_flags = flags };
	union control control;

	memset(&control, 0, sizeof(control));
	control_put(&control, &msg, level, type, data, len);
	return ipsec_ptoken_from_msg(&msg, ptoken);
}

static void test_msg_token(void)
{
	ipsec_ptoken_t value = 0x1122334455667788ULL, ptoken = 1;

	EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, &value, 8, 0, &ptoken) == 0);
	EXPECT(ptoken == value);
	ptoken = 1;
	EXPECT(from_one(SOL_IPV6, IPSEC_SCM_PTOKEN, &value, 8, 0, &ptoken) == 0);
	EXPECT(ptoken == value);

	/* a token that did fit counts, whatever else was cut off */
	ptoken = 1;
	EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, &value, 8, MSG_CTRUNC, &ptoken) == 0);
	EXPECT(ptoken == value);

	value = IPSEC_PTOKEN_NONE;
	EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, &value, 8, 0, &ptoken) == 0);
	EXPECT(ptoken == IPSEC_PTOKEN_NONE);
}

static void test_msg_unknown(void)
{
	ipsec_ptoken_t value = IPSEC_PTOKEN_UNKNOWN, ptoken = 1;

	EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, &value, 8, 0, &ptoken) == -ENODATA);
	EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, &value, 8, MSG_CTRUNC, &ptoken) == -ENODATA);
	EXPECT(ptoken == 1);
}

static void test_msg_missing(void)
{
	ipsec_ptoken_t value = 0, ptoken = 1;
	struct msghdr msg = { 0 };

	EXPECT(ipsec_ptoken_from_msg(&msg, &ptoken) == -ENOMSG);
	msg.msg_flags = MSG_CTRUNC;
	EXPECT(ipsec_ptoken_from_msg(&msg, &ptoken) == -ENOBUFS);

	EXPECT(from_one(SOL_SOCKET, IPSEC_SCM_PTOKEN, &value, 8, 0, &ptoken) == -ENOMSG);
	EXPECT(from_one(IPPROTO_UDP, IPSEC_SCM_PTOKEN, &value, 8, 0, &ptoken) == -ENOMSG);
	EXPECT(from_one(SOL_IP, IPSEC_SO_RECVPTOKEN, &value, 8, 0, &ptoken) == -ENOMSG);
	EXPECT(from_one(SOL_IP, IP_PKTINFO, &value, 8, MSG_CTRUNC, &ptoken) == -ENOBUFS);
	EXPECT(ptoken == 1);
}

static void test_msg_wrong_length(void)
{
	uint64_t value[2] = { 0, 0 };
	ipsec_ptoken_t ptoken = 1;
	size_t len;

	for (len = 0; len <= sizeof(value); len++) {
		if (len == sizeof(ptoken))
			continue;
		EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, value, len, 0, &ptoken) == -EPROTO);
		EXPECT(from_one(SOL_IP, IPSEC_SCM_PTOKEN, value, len, MSG_CTRUNC,
				&ptoken) == -ENOBUFS);
	}
	EXPECT(ptoken == 1);
}

/* The head says 8 bytes, but the buffer ends before. */
static void test_msg_beyond_buffer(void)
{
	struct msghdr msg = { 0 };
	ipsec_ptoken_t ptoken = 1;
	union control control;
	uint64_t value = 0;
	size_t len;

	memset(&control, 0, sizeof(control));
	control_put(&control, &msg, SOL_IP, IPSEC_SCM_PTOKEN, &value, sizeof(value));
	for (len = 0; len < CMSG_LEN(sizeof(value)); len++) {
		msg.msg_controllen = len;
		msg.msg_flags = 0;
		EXPECT(ipsec_ptoken_from_msg(&msg, &ptoken) ==
		       (len < sizeof(struct cmsghdr) ? -ENOMSG : -EPROTO));
		msg.msg_flags = MSG_CTRUNC;
		EXPECT(ipsec_ptoken_from_msg(&msg, &ptoken) == -ENOBUFS);
	}
	EXPECT(ptoken == 1);
}

static void test_msg_among_others(void)
{
	struct msghdr msg = { 0 };
	ipsec_ptoken_t value = 42, ptoken = 1;
	struct timeval tv = { 0 };
	union control control;
	int ttl = 64;

	memset(&control, 0, sizeof(control));
	control_put(&control, &msg, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv));
	control_put(&control, &msg, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	control_put(&control, &msg, SOL_IP, IPSEC_SCM_PTOKEN, &value, sizeof(value));
	EXPECT(ipsec_ptoken_from_msg(&msg, &ptoken) == 0);
	EXPECT(ptoken == 42);

	/* a head of length 0 ends the walk, it does not go round in circles */
	((struct cmsghdr *)control.buf)->cmsg_len = 0;
	EXPECT(ipsec_ptoken_from_msg(&msg, &ptoken) == -ENOMSG);
}

static void test_equal(void)
{
	EXPECT(ipsec_ptoken_equal(5, 5) == 1);
	EXPECT(ipsec_ptoken_equal(5, 6) == 0);
	EXPECT(ipsec_ptoken_equal(IPSEC_PTOKEN_NONE, IPSEC_PTOKEN_NONE) == 1);
	EXPECT(ipsec_ptoken_equal(IPSEC_PTOKEN_NONE, IPSEC_PTOKEN_UNKNOWN) == 0);
	EXPECT(ipsec_ptoken_equal(IPSEC_PTOKEN_UNKNOWN, IPSEC_PTOKEN_UNKNOWN) == 0);
}

/* Sockets that can't have a token, and no sockets at all. */
static void test_fd(void)
{
	ipsec_ptoken_t ptoken = 1;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	EXPECT(ipsec_ptoken_from_fd(-1, &ptoken) == -EBADF);
	EXPECT(ipsec_ptoken_from_fd(fd, &ptoken) == -EOPNOTSUPP);
	EXPECT(ipsec_recvptoken_set(fd, true) == -EOPNOTSUPP);
	EXPECT(ipsec_recvptoken_get(fd) == -EOPNOTSUPP);
	EXPECT(ptoken == 1);
	if (fd >= 0)
		close(fd);
}

/* --------------------------------------------------------------- the parser */

/* A message under construction, in memory that ends where the message does. */
static _Alignas(8) char wire[65536];

static struct nlmsghdr *wire_begin(void)
{
	memset(wire, 0, sizeof(wire));
	return mnl_nlmsg_put_header(wire);
}

static void put_sa(struct nlmsghdr *nlh, uint8_t direction, uint8_t index, uint8_t satype,
		   uint32_t spi)
{
	uint32_t local = htonl(0x0a000001), peer = htonl(0x0a000002), be_spi = htonl(spi);
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_CONTEXT_A_SA);

	if (direction) {
		mnl_attr_put_u8(nlh, IPSEC_SA_A_DIRECTION, direction);
		mnl_attr_put(nlh, IPSEC_SA_A_SPI, sizeof(be_spi), &be_spi);
	}
	mnl_attr_put_u8(nlh, IPSEC_SA_A_INDEX, index);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_SATYPE, satype);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_MODE, XFRM_MODE_TRANSPORT);
	mnl_attr_put(nlh, IPSEC_SA_A_LOCAL, sizeof(local), &local);
	mnl_attr_put(nlh, IPSEC_SA_A_PEER, sizeof(peer), &peer);
	if (satype == SADB_SATYPE_ESP) {
		mnl_attr_put_u8(nlh, IPSEC_SA_A_EALG, SADB_X_EALG_AES_GCM_ICV16);
		mnl_attr_put_strz(nlh, IPSEC_SA_A_EALG_NAME, "rfc4106(gcm(aes))");
		mnl_attr_put_u16(nlh, IPSEC_SA_A_EALG_BITS, 128);
		mnl_attr_put_u16(nlh, IPSEC_SA_A_ICV_BITS, 128);
		mnl_attr_put(nlh, IPSEC_SA_A_ESN, 0, NULL);
	} else if (satype == SADB_SATYPE_AH) {
		mnl_attr_put_strz(nlh, IPSEC_SA_A_AALG_NAME, "hmac(sha256)");
		mnl_attr_put_u16(nlh, IPSEC_SA_A_AALG_BITS, 256);
		mnl_attr_put_u16(nlh, IPSEC_SA_A_ICV_BITS, 96);
	} else {
		mnl_attr_put_strz(nlh, IPSEC_SA_A_CALG_NAME, "deflate");
	}
	mnl_attr_nest_end(nlh, nest);
}

static struct nlattr *put_context_begin(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_CONTEXT);

	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_PRIVACY, 1);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_INTEGRITY, 1);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_COMPRESSION, 0);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_TUNNEL, 0);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_END_TO_END, 1);
	mnl_attr_put_u64(nlh, IPSEC_CONTEXT_A_ESTABLISHED, 1700000000);
	return nest;
}

/* The nest alone, in memory of just its size, for valgrind to watch over. */
static struct nlattr *nest_copy(const struct nlattr *nest, size_t len)
{
	struct nlattr *copy = malloc(len);

	if (!copy)
		abort();
	memcpy(copy, nest, len);
	copy->nla_len = len;
	return copy;
}

static int parse_copy(const struct nlattr *nest, size_t len, struct ipsec_context **context)
{
	struct nlattr *copy = nest_copy(nest, len);
	int err = ipsec_parse_context(copy, context);

	free(copy);
	return err;
}

static void test_parse_context(void)
{
	struct nlmsghdr *nlh = wire_begin();
	struct nlattr *nest = put_context_begin(nlh);
	struct ipsec_context *context = NULL;

	put_sa(nlh, IPSEC_DIRECTION_IN, 0, SADB_SATYPE_ESP, 0x100);
	put_sa(nlh, IPSEC_DIRECTION_OUT, 0, SADB_SATYPE_ESP, 0x101);
	/* of a newer kernel module */
	mnl_attr_put_u32(nlh, 200, 1);
	mnl_attr_nest_end(nlh, nest);

	EXPECT(parse_copy(nest, nest->nla_len, &context) == 0);
	if (!context)
		return;
	EXPECT(context->attributes.privacy_protected == 1);
	EXPECT(context->attributes.integrity_protected == 1);
	EXPECT(context->attributes.compression_available == 0);
	EXPECT(context->attributes.tunnel_mode == 0);
	EXPECT(context->attributes.end_to_end == 1);
	EXPECT(context->attributes.established == 1700000000);
	EXPECT(context->attributes.sa_count == 2);
	EXPECT(context->id == 0 && !IPSEC_SEEN(context->seen, IPSEC_CONTEXT_A_ID));
	EXPECT(context->sa[0].sa.direction == IPSEC_DIRECTION_IN);
	EXPECT(context->sa[0].sa.spi == 0x100);
	EXPECT(context->sa[0].sa.family == AF_INET);
	EXPECT(context->sa[0].sa.ealg == SADB_X_EALG_AES_GCM_ICV16);
	EXPECT(!strcmp(context->sa[0].sa.ealg_name, "rfc4106(gcm(aes))"));
	EXPECT(context->sa[0].sa.esn == 1);
	EXPECT(context->sa[1].sa.spi == 0x101);
	free(context);
}

static void test_parse_details(void)
{
	struct xfrm_selector sel = {
		.family = AF_INET6, .proto = IPPROTO_TCP, .prefixlen_s = 128, .prefixlen_d = 64,
		.dport = htons(80), .dport_mask = 0xffff, .ifindex = 7,
	};
	struct xfrm_lifetime_cfg lifetime = {
		.soft_byte_limit = 5, .hard_byte_limit = XFRM_INF, .hard_use_expires_seconds = 9,
	};
	uint16_t sport = htons(4500), dport = htons(1024);
	struct nlmsghdr *nlh = wire_begin();
	struct nlattr *nest = put_context_begin(nlh), *sa;
	struct ipsec_context *context = NULL;
	uint8_t addr[16] = { 0xfd, 1 };

	sel.saddr.a6[0] = htonl(0xfd000000);
	sa = mnl_attr_nest_start(nlh, IPSEC_CONTEXT_A_SA);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_DIRECTION, IPSEC_DIRECTION_IN);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_MODE, XFRM_MODE_TUNNEL);
	mnl_attr_put(nlh, IPSEC_SA_A_LOCAL, 16, addr);
	mnl_attr_put(nlh, IPSEC_SA_A_PEER, 16, addr);
	mnl_attr_put(nlh, IPSEC_SA_A_SELECTOR, sizeof(sel), &sel);
	mnl_attr_put(nlh, IPSEC_SA_A_LIFETIME, sizeof(lifetime), &lifetime);
	mnl_attr_put_u16(nlh, IPSEC_SA_A_ENCAP_TYPE, UDP_ENCAP_ESPINUDP);
	mnl_attr_put(nlh, IPSEC_SA_A_ENCAP_SPORT, 2, &sport);
	mnl_attr_put(nlh, IPSEC_SA_A_ENCAP_DPORT, 2, &dport);
	mnl_attr_put_u64(nlh, IPSEC_SA_A_BYTES, 77);
	mnl_attr_nest_end(nlh, sa);
	mnl_attr_nest_end(nlh, nest);

	EXPECT(parse_copy(nest, nest->nla_len, &context) == 0);
	if (!context)
		return;
	EXPECT(context->sa[0].sa.family == AF_INET6);
	EXPECT(context->sa[0].sa.local[0] == 0xfd && context->sa[0].sa.peer[1] == 1);
	EXPECT(context->sa[0].sa.selector.family == AF_INET6);
	EXPECT(context->sa[0].sa.selector.peer[0] == 0xfd);
	EXPECT(context->sa[0].sa.selector.peer_prefix == 128);
	EXPECT(context->sa[0].sa.selector.local_port == 80);
	EXPECT(context->sa[0].sa.selector.ifindex == 7);
	EXPECT(context->sa[0].sa.lifetimes.soft_bytes == 5);
	EXPECT(context->sa[0].sa.lifetimes.hard_bytes == UINT64_MAX);
	EXPECT(context->sa[0].sa.lifetimes.hard_use_seconds == 9);
	/* inbound: the destination is this end */
	EXPECT(context->sa[0].sa.encap_local_port == 1024);
	EXPECT(context->sa[0].sa.encap_peer_port == 4500);
	EXPECT(context->sa[0].bytes == 77);
	EXPECT(IPSEC_SEEN(context->sa[0].seen, IPSEC_SA_A_BYTES));
	EXPECT(!IPSEC_SEEN(context->sa[0].seen, IPSEC_SA_A_PACKETS));
	free(context);
}

/* Each of the booleans is needed, and is 0 or 1. */
static void test_parse_booleans(void)
{
	uint16_t type, other;
	int value;

	for (type = IPSEC_CONTEXT_A_PRIVACY; type <= IPSEC_CONTEXT_A_END_TO_END; type++) {
		for (value = -1; value <= 3; value++) {
			struct nlmsghdr *nlh = wire_begin();
			struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_CONTEXT);
			struct ipsec_context *context = NULL;
			bool good = value == 0 || value == 1;

			for (other = IPSEC_CONTEXT_A_PRIVACY;
			     other <= IPSEC_CONTEXT_A_END_TO_END; other++)
				if (other != type)
					mnl_attr_put_u8(nlh, other, 1);
			if (value >= 0)
				mnl_attr_put_u8(nlh, type, value);
			mnl_attr_put_u64(nlh, IPSEC_CONTEXT_A_ESTABLISHED, 1);
			mnl_attr_nest_end(nlh, nest);
			EXPECT(parse_copy(nest, nest->nla_len, &context) == (good ? 0 : -EPROTO));
			EXPECT(!context == !good);
			free(context);
		}
	}
}

/* An SA with one attribute, whatever it holds, besides those that it needs. */
static int parse_sa_with(uint16_t type, const void *data, size_t len)
{
	struct nlmsghdr *nlh = wire_begin();
	struct nlattr *nest = put_context_begin(nlh), *sa;
	struct ipsec_context *context = NULL;
	int err;

	sa = mnl_attr_nest_start(nlh, IPSEC_CONTEXT_A_SA);
	if (type != IPSEC_SA_A_SATYPE)
		mnl_attr_put_u8(nlh, IPSEC_SA_A_SATYPE, SADB_SATYPE_ESP);
	if (type != IPSEC_SA_A_MODE)
		mnl_attr_put_u8(nlh, IPSEC_SA_A_MODE, XFRM_MODE_TRANSPORT);
	mnl_attr_put(nlh, type, len, data);
	mnl_attr_nest_end(nlh, sa);
	mnl_attr_nest_end(nlh, nest);
	err = parse_copy(nest, nest->nla_len, &context);
	free(context);
	return err;
}

/* Of every attribute of an SA, those lengths that are good, and no others. */
static void test_parse_lengths(void)
{
	static const struct {
		uint16_t type;
		size_t good[2];
	} attr[] = {
		{ IPSEC_SA_A_DIRECTION, { 1, 1 } }, { IPSEC_SA_A_INDEX, { 1, 1 } },
		{ IPSEC_SA_A_SATYPE, { 1, 1 } }, { IPSEC_SA_A_MODE, { 1, 1 } },
		{ IPSEC_SA_A_SPI, { 4, 4 } }, { IPSEC_SA_A_LOCAL, { 4, 16 } },
		{ IPSEC_SA_A_PEER, { 4, 16 } }, { IPSEC_SA_A_REQID, { 4, 4 } },
		{ IPSEC_SA_A_SELECTOR, { sizeof(struct xfrm_selector),
					 sizeof(struct xfrm_selector) } },
		{ IPSEC_SA_A_EALG_BITS, { 2, 2 } }, { IPSEC_SA_A_ESN, { 0, 0 } },
		{ IPSEC_SA_A_ENCAP_SPORT, { 2, 2 } }, { IPSEC_SA_A_OFFLOAD, { 0, 0 } },
		{ IPSEC_SA_A_LIFETIME, { sizeof(struct xfrm_lifetime_cfg),
					 sizeof(struct xfrm_lifetime_cfg) } },
		{ IPSEC_SA_A_ADD_TIME, { 8, 8 } },
	};
	char data[128] = { 1 };
	unsigned int i;
	size_t len;

	for (i = 0; i < IPSEC_ARRAY_SIZE(attr); i++) {
		for (len = 0; len <= sizeof(data); len++) {
			bool good = len == attr[i].good[0] || len == attr[i].good[1];
			int err = parse_sa_with(attr[i].type, data, len);

			if (err != (good ? 0 : -EPROTO))
				printf("# attribute %u of %zu bytes: %d\n", attr[i].type, len, err);
			EXPECT(err == (good ? 0 : -EPROTO));
		}
	}
}

static void test_parse_names(void)
{
	char name[128];

	memset(name, 'a', sizeof(name));
	EXPECT(parse_sa_with(IPSEC_SA_A_EALG_NAME, name, 63) == 0);
	EXPECT(parse_sa_with(IPSEC_SA_A_EALG_NAME, name, 64) == -EPROTO);
	EXPECT(parse_sa_with(IPSEC_SA_A_EALG_NAME, name, sizeof(name)) == -EPROTO);
	EXPECT(parse_sa_with(IPSEC_SA_A_EALG_NAME, name, 0) == 0);
	EXPECT(parse_sa_with(IPSEC_SA_A_EALG_NAME, "a\0b", 4) == -EPROTO);
	EXPECT(parse_sa_with(IPSEC_SA_A_DIRECTION, "\3", 1) == -EPROTO);
}

static void test_parse_families_differ(void)
{
	struct nlmsghdr *nlh = wire_begin();
	struct nlattr *nest = put_context_begin(nlh), *sa;
	struct ipsec_context *context = NULL;
	uint8_t addr[16] = { 0 };

	sa = mnl_attr_nest_start(nlh, IPSEC_CONTEXT_A_SA);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_MODE, XFRM_MODE_TRANSPORT);
	mnl_attr_put(nlh, IPSEC_SA_A_LOCAL, 4, addr);
	mnl_attr_put(nlh, IPSEC_SA_A_PEER, 16, addr);
	mnl_attr_nest_end(nlh, sa);
	mnl_attr_nest_end(nlh, nest);
	EXPECT(parse_copy(nest, nest->nla_len, &context) == -EPROTO);
	EXPECT(!context);
}

/*
 * Cut off anywhere: refused, or read as what is complete. Any bytes changed:
 * whatever comes of it, memory is respected (valgrind looks on).
 */
static void test_parse_broken(void)
{
	struct nlmsghdr *nlh = wire_begin();
	struct nlattr *nest = put_context_begin(nlh), *copy;
	struct ipsec_context *context;
	unsigned int i, round;
	size_t len, full;
	int err;

	put_sa(nlh, IPSEC_DIRECTION_IN, 0, SADB_SATYPE_ESP, 0x100);
	put_sa(nlh, IPSEC_DIRECTION_OUT, 0, SADB_SATYPE_ESP, 0x101);
	mnl_attr_nest_end(nlh, nest);
	full = nest->nla_len;

	for (len = MNL_ATTR_HDRLEN; len < full; len++) {
		context = NULL;
		err = parse_copy(nest, len, &context);
		EXPECT(err == -EPROTO || (err == 0 && context->attributes.sa_count < 2));
		EXPECT(!context == !!err);
		free(context);
	}

	srandom(1);
	for (round = 0; round < 20000; round++) {
		copy = nest_copy(nest, full);
		for (i = 0; i < 1 + round % 4; i++)
			((char *)copy)[MNL_ATTR_HDRLEN + random() % (full - MNL_ATTR_HDRLEN)] =
				random();
		context = NULL;
		err = ipsec_parse_context(copy, &context);
		EXPECT(err == 0 || err == -EPROTO);
		EXPECT(!context == !!err);
		free(context);
		free(copy);
	}
}

/* --------------------------------------------------------- the line for logs */

static struct ipsec_context *context_of(void (*put)(struct nlmsghdr *nlh))
{
	struct nlmsghdr *nlh = wire_begin();
	struct nlattr *nest = put_context_begin(nlh);
	struct ipsec_context *context = NULL;

	put(nlh);
	mnl_attr_nest_end(nlh, nest);
	EXPECT(ipsec_parse_context(nest, &context) == 0);
	if (!context)
		abort();
	return context;
}

static void expect_audit(void (*put)(struct nlmsghdr *nlh), const char *expected)
{
	struct ipsec_context *context = context_of(put);
	char text[512];

	EXPECT(ipsec_audit_string(context, text, sizeof(text)) == (int)strlen(expected));
	if (strcmp(text, expected)) {
		printf("# got      %s\n# expected %s\n", text, expected);
		failures++;
	}
	free(context);
}

static void put_pair(struct nlmsghdr *nlh)
{
	put_sa(nlh, IPSEC_DIRECTION_IN, 0, SADB_SATYPE_ESP, 0x100);
	put_sa(nlh, IPSEC_DIRECTION_OUT, 0, SADB_SATYPE_ESP, 0x101);
}

static void put_rekeyed(struct nlmsghdr *nlh)
{
	put_pair(nlh);
	put_sa(nlh, IPSEC_DIRECTION_IN, 0, SADB_SATYPE_ESP, 0x200);
}

static void put_bundle(struct nlmsghdr *nlh)
{
	put_sa(nlh, IPSEC_DIRECTION_IN, 1, SADB_SATYPE_ESP, 0x100);
	put_sa(nlh, IPSEC_DIRECTION_IN, 0, SADB_SATYPE_AH, 0x300);
	put_sa(nlh, IPSEC_DIRECTION_IN, 2, SADB_X_SATYPE_IPCOMP, 0x2);
}

static void put_gone(struct nlmsghdr *nlh)
{
	put_sa(nlh, 0, 0, SADB_SATYPE_ESP, 0);
}

static void put_nothing(struct nlmsghdr *nlh)
{
	(void)nlh;
}

static void put_odd_name(struct nlmsghdr *nlh)
{
	struct nlattr *sa = mnl_attr_nest_start(nlh, IPSEC_CONTEXT_A_SA);

	mnl_attr_put_u8(nlh, IPSEC_SA_A_SATYPE, 99);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_MODE, 77);
	mnl_attr_put_strz(nlh, IPSEC_SA_A_EALG_NAME, "a\nb c\033%s");
	mnl_attr_nest_end(nlh, sa);
}

static void test_audit(void)
{
	static const struct ipsec_context none;
	char text[64];

	expect_audit(put_pair, "ESP transport 10.0.0.1<->10.0.0.2 spi in 0x00000100 "
		     "out 0x00000101 rfc4106(gcm(aes)) 128 bits icv 128 bits esn");
	expect_audit(put_rekeyed, "ESP transport 10.0.0.1<->10.0.0.2 spi in 0x00000100,"
		     "0x00000200 out 0x00000101 rfc4106(gcm(aes)) 128 bits icv 128 bits esn");
	expect_audit(put_bundle, "AH transport 10.0.0.1<->10.0.0.2 spi in 0x00000300 "
		     "hmac(sha256) 256 bits icv 96 bits; "
		     "ESP transport 10.0.0.1<->10.0.0.2 spi in 0x00000100 "
		     "rfc4106(gcm(aes)) 128 bits icv 128 bits esn; "
		     "IPComp transport 10.0.0.1<->10.0.0.2 spi in 0x00000002 deflate");
	expect_audit(put_gone, "ESP transport 10.0.0.1<->10.0.0.2 spi none "
		     "rfc4106(gcm(aes)) 128 bits icv 128 bits esn");
	expect_audit(put_nothing, "IPsec protection, no details");
	expect_audit(put_odd_name, "satype 99 mode 77 spi none a?b?c?%s");

	EXPECT(ipsec_audit_string(&none, text, sizeof(text)) == 19);
	EXPECT(!strcmp(text, "no IPsec protection"));
}

static void test_audit_small_buffer(void)
{
	struct ipsec_context *context = context_of(put_bundle);
	char full[512], *text;
	int len, size;

	len = ipsec_audit_string(context, full, sizeof(full));
	EXPECT(ipsec_audit_string(context, NULL, 0) == len);
	for (size = 1; size <= len + 2; size++) {
		/* of just this size, for valgrind to watch over */
		text = malloc(size);
		if (!text)
			abort();
		EXPECT(ipsec_audit_string(context, text, size) == len);
		EXPECT((int)strlen(text) == (size <= len ? size - 1 : len));
		EXPECT(!strncmp(text, full, size - 1));
		free(text);
	}
	free(context);
}

static void test_strerror(void)
{
	EXPECT(strstr(ipsec_strerror(-ENOPROTOOPT), "not loaded"));
	EXPECT(!strcmp(ipsec_strerror(-EBADF), strerror(EBADF)));
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "msg_token", test_msg_token },
	{ "msg_unknown", test_msg_unknown },
	{ "msg_missing", test_msg_missing },
	{ "msg_wrong_length", test_msg_wrong_length },
	{ "msg_beyond_buffer", test_msg_beyond_buffer },
	{ "msg_among_others", test_msg_among_others },
	{ "equal", test_equal },
	{ "fd", test_fd },
	{ "parse_context", test_parse_context },
	{ "parse_details", test_parse_details },
	{ "parse_booleans", test_parse_booleans },
	{ "parse_lengths", test_parse_lengths },
	{ "parse_names", test_parse_names },
	{ "parse_families_differ", test_parse_families_differ },
	{ "parse_broken", test_parse_broken },
	{ "audit", test_audit },
	{ "audit_small_buffer", test_audit_small_buffer },
	{ "strerror", test_strerror },
};

int main(void)
{
	unsigned int i, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", IPSEC_ARRAY_SIZE(tests));
	for (i = 0; i < IPSEC_ARRAY_SIZE(tests); i++) {
		failures = 0;
		tests[i].run();
		bad += failures != 0;
		printf("%sok %u %s\n", failures ? "not " : "", i + 1, tests[i].name);
	}
	return bad ? 1 : 0;
}
