// SPDX-License-Identifier: GPL-2.0-only
/*
 * identity FAMILY LEFT RIGHT - identities bound by hand, and what the host on
 * the right is told of them
 *
 * Runs with the hosts of lib.sh and SAs of ipsec_up esp-gcm. Between its steps
 * it asks on standard output, by a line "do COMMAND", for something that
 * lib.sh does, and waits for a line on standard input. Everything else that it
 * prints is KTAP.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pfkeyv2.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"

#define PORT 7777

static const char *family;
static int netns_left, netns_right;
static struct sockaddr_storage left, right;
static socklen_t length;
static struct ipsec *ipsec;
static int server, client;

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET))
		err(1, "setns");
}

static void result(bool good, const char *text)
{
	static int number;

	printf("%sok %d IPv%s: %s\n", good ? "" : "not ", ++number, family, text);
	if (!good)
		printf("# %s\n", ipsec_error(ipsec));
	fflush(stdout);
}

static void request(const char *command)
{
	char line[64];

	printf("do %s\n", command);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		errx(1, "%s: no answer", command);
}

static void set_address(struct sockaddr_storage *address, const char *text)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	if (*family == '4') {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(PORT);
		inet_pton(AF_INET, text, &sin->sin_addr);
		length = sizeof(*sin);
	} else {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(PORT);
		inet_pton(AF_INET6, text, &sin6->sin6_addr);
		length = sizeof(*sin6);
	}
}

/* ---------------------------------------------------------------- binding */

struct identity {
	uint8_t value;		/* every byte of the iToken */
	uint8_t method;
	uint64_t lineage;
	const char *name;
};

static void put_sa(struct nlmsghdr *nlh, uint8_t satype, const struct sockaddr_storage *to,
		   uint32_t spi)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);

	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, satype);
	if (to->ss_family == AF_INET)
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 4,
			     &((const struct sockaddr_in *)to)->sin_addr);
	else
		mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, 16,
			     &((const struct sockaddr_in6 *)to)->sin6_addr);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(spi));
	mnl_attr_nest_end(nlh, nest);
}

static const uint8_t binding_bytes[] = { 0x30, 0x59, 0x00, 0xff, 0x00 };

static void put_identity(struct nlmsghdr *nlh, const struct identity *identity)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY), *local;
	uint8_t value[IPSEC_ITOKEN_SIZE];
	char text[64];

	memset(value, identity->value, sizeof(value));
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, identity->method);
	if (identity->lineage)
		mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE, identity->lineage);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, 2);
	snprintf(text, sizeof(text), "%s.example", identity->name);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_IKE_ID, text);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_CA_DN, "CN=Test CA,O=Gr\xc3\xbc\xc3\x9f\\, Co");
	snprintf(text, sizeof(text), "CN=%s", identity->name);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_CERTIFICATE_DN, text);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_CHANNEL_BINDING, sizeof(binding_bytes), binding_bytes);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_AUDIT_STRING, identity->name);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_POLICY_NAME, "by hand");

	memset(value, 0xee, sizeof(value));
	local = mnl_attr_nest_start(nlh, IPSEC_IDENTITY_A_LOCAL);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_IKE_ID, "right.example");
	mnl_attr_nest_end(nlh, local);
	mnl_attr_nest_end(nlh, nest);
}

static int talk(struct nlmsghdr *nlh)
{
	int ret;

	enter(netns_right);
	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, NULL, NULL);
	ipsec_leave(ipsec);
	return ret;
}

/* SPIs are as lib.sh counts them: the first is that from left to right. */
static int bind_pair(uint32_t spi, const struct identity *identity)
{
	_Alignas(8) char buf[4096];
	struct nlmsghdr *nlh;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	put_identity(nlh, identity);
	put_sa(nlh, SADB_SATYPE_ESP, &right, spi + 1);
	put_sa(nlh, SADB_SATYPE_ESP, &left, spi + 2);
	return talk(nlh);
}

/* More SAs than one request can name. */
static int bind_many(uint32_t spi, const struct identity *identity)
{
	_Alignas(8) char buf[4096];
	struct nlmsghdr *nlh;
	int i;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	put_identity(nlh, identity);
	for (i = 0; i < 17; i++)
		put_sa(nlh, SADB_SATYPE_ESP, i % 2 ? &left : &right, spi + 1 + i % 2);
	return talk(nlh);
}

/* An identity with two methods. */
static int bind_ambiguous(uint32_t spi, const struct identity *identity)
{
	_Alignas(8) char buf[4096];
	uint8_t value[IPSEC_ITOKEN_SIZE];
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
	memset(value, identity->value, sizeof(value));
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(value), value);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, identity->method);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_GROUPKEY);
	mnl_attr_nest_end(nlh, nest);
	put_sa(nlh, SADB_SATYPE_ESP, &right, spi + 1);
	return talk(nlh);
}

static int unbind_pair(uint32_t spi)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_UNBIND, NLM_F_ACK);
	put_sa(nlh, SADB_SATYPE_ESP, &right, spi + 1);
	put_sa(nlh, SADB_SATYPE_ESP, &left, spi + 2);
	return talk(nlh);
}

/* One SA from left to right, see ipsec_spi(). */
static int bind_one(uint8_t satype, uint32_t spi, const struct identity *identity)
{
	_Alignas(8) char buf[4096];
	struct nlmsghdr *nlh;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	put_identity(nlh, identity);
	put_sa(nlh, satype, &right, spi + (satype == SADB_SATYPE_AH ? 0x11 : 1));
	return talk(nlh);
}

/* ---------------------------------------------------------------- traffic */

static void open_sockets(void)
{
	struct timeval timeout = { .tv_sec = 10 };

	enter(netns_right);
	if (ipsec_open(&ipsec))
		errx(1, "ipsec_open");
	server = socket(right.ss_family, SOCK_DGRAM, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&right, length) ||
	    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    ipsec_recvptoken_set(server, true))
		err(1, "server");
	enter(netns_left);
	client = socket(left.ss_family, SOCK_DGRAM, 0);
	if (client < 0)
		err(1, "client");
	enter(netns_right);
}

static void send_one(void)
{
	if (sendto(client, "x", 1, 0, (struct sockaddr *)&right, length) != 1)
		err(1, "sendto");
}

static ipsec_ptoken_t receive_one(void)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	char control[IPSEC_PTOKEN_CMSG_SPACE], buffer[16];
	struct iovec iov = { buffer, sizeof(buffer) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	if (recvmsg(server, &msg, 0) != 1)
		err(1, "recvmsg");
	if (ipsec_ptoken_from_msg(&msg, &ptoken))
		errx(1, "ipsec_ptoken_from_msg");
	return ptoken;
}

static ipsec_ptoken_t receive(void)
{
	send_one();
	return receive_one();
}

static int who(ipsec_ptoken_t ptoken, uint8_t *value)
{
	struct ipsec_itoken *itoken, *wanted;
	char text[IPSEC_ITOKEN_TEXT_SIZE], hex[3];
	int ret;

	ret = ipsec_ptoken_itoken(ipsec, ptoken, &itoken);
	if (ret)
		return ret;
	ret = ipsec_itoken_export(itoken, text, sizeof(text));
	if (ret > 0) {
		ret = ipsec_itoken_import(text, &wanted);
		if (!ret && !ipsec_itoken_equal(itoken, wanted))
			ret = -EBADMSG;
		ipsec_itoken_free(wanted);
		memcpy(hex, text + strlen(text) - 2, 3);
		*value = strtoul(hex, NULL, 16);
	}
	ipsec_itoken_free(itoken);
	return ret;
}

static bool is(ipsec_ptoken_t ptoken, const struct identity *identity)
{
	uint8_t value = 0;

	return !who(ptoken, &value) && value == identity->value;
}

static bool is_nobody(ipsec_ptoken_t ptoken)
{
	uint8_t value;

	return who(ptoken, &value) == -EAGAIN;
}

/* ------------------------------------------------------------------ tests */

static const struct identity alice = { 0xa1, IPSEC_AUTH_PKIX_INLINE, 0, "alice" };
static const struct identity bob = { 0xb0, IPSEC_AUTH_PKIX_INLINE, 0, "bob" };
static const struct identity carol = { 0xca, IPSEC_AUTH_PKIX_INLINE, 0, "carol" };
static const struct identity group_alice = { 0xa1, IPSEC_AUTH_GROUPKEY, 0, "alice" };
static const struct identity nobody = { 0x0, IPSEC_AUTH_NONE, 0, "nobody" };
static const struct identity moving = { 0xc0, IPSEC_AUTH_PRESHAREDKEY, 4711, "moving" };

static void test_attributes(ipsec_ptoken_t ptoken)
{
	struct ipsec_itoken *itoken, *local;
	const void *data;
	size_t size;

	if (ipsec_ptoken_itoken(ipsec, ptoken, &itoken) ||
	    ipsec_ptoken_local_itoken(ipsec, ptoken, &local)) {
		result(false, "attributes");
		return;
	}
	result(ipsec_itoken_method(itoken) == IPSEC_AUTH_PKIX_INLINE &&
	       ipsec_itoken_ike_id_type(itoken) == 2 &&
	       !strcmp(ipsec_itoken_ike_id(itoken), "alice.example") &&
	       !strcmp(ipsec_itoken_ca_dn(itoken), "CN=Test CA,O=Gr\xc3\xbc\xc3\x9f\\, Co") &&
	       !strcmp(ipsec_itoken_certificate_dn(itoken), "CN=alice") &&
	       !strcmp(ipsec_itoken_audit_string(itoken), "alice") &&
	       !strcmp(ipsec_itoken_policy_name(itoken), "by hand") &&
	       !ipsec_itoken_channel_binding(itoken, &data, &size) &&
	       size == sizeof(binding_bytes) && !memcmp(data, binding_bytes, size),
	       "every attribute is as it was bound");
	result(!ipsec_itoken_pubkey_id(itoken), "what was not told is not available");
	result(!strcmp(ipsec_itoken_ike_id(local), "right.example") &&
	       ipsec_itoken_method(local) == -ENODATA && !ipsec_itoken_equal(itoken, local),
	       "the local identity is another one");
	ipsec_itoken_free(itoken);
	ipsec_itoken_free(local);
}

static uint32_t late_spi;

static void *bind_late(void *unused)
{
	usleep(400000);
	if (bind_pair(late_spi, &bob))
		errx(1, "late binding");
	return unused;
}

int main(int argc, char **argv)
{
	ipsec_ptoken_t first, second, third, mixed;
	struct ipsec_itoken *itoken;
	pthread_t thread;

	if (argc != 4)
		errx(1, "identity FAMILY LEFT RIGHT");
	family = argv[1];
	set_address(&left, argv[2]);
	set_address(&right, argv[3]);
	netns_left = open("/run/netns/left", O_RDONLY);
	netns_right = open("/run/netns/right", O_RDONLY);
	if (netns_left < 0 || netns_right < 0)
		err(1, "netns");
	open_sockets();

	/* Before any agent has spoken, equal SAs share a context. */
	mixed = receive();
	result(is_nobody(mixed), "nobody has been bound: that is no method NONE");
	request("rekey");		/* 0x1000 and 0x1100 are alive */
	result(receive() == mixed, "without an agent a successor keeps the token");
	result(!bind_pair(0x1100, &alice), "bind the second pair");
	result(is_nobody(mixed), "a token that may mean two peers is attributed to none");
	first = receive();
	result(first != mixed && is(first, &alice), "the next datagram is attributed");
	test_attributes(first);
	result(!bind_pair(0x1000, &bob), "bind the first pair to somebody else");
	result(is_nobody(mixed) && is(first, &alice), "which changes neither token");

	/* From now on an SA without identity stands alone. */
	request("rekey");		/* 0x1200 */
	second = receive();
	result(second != first && is_nobody(second), "a successor without identity stands alone");
	result(!bind_pair(0x1200, &alice), "bind it to the same peer");
	result(is(second, &alice), "what came before the binding is attributed in place");
	result(receive() == first, "what comes after it has the token of its predecessor");

	/* Two peers behind one address, with SAs that look the same. */
	request("rekey");		/* 0x1300 */
	third = receive();
	result(!bind_pair(0x1300, &bob) && is(third, &bob) && is(first, &alice),
	       "two peers behind one address are told apart");
	result(receive() == third, "the token stays");
	result(bind_pair(0x1300, &alice) == -EEXIST && is(third, &bob),
	       "an SA cannot be given to somebody else");
	result(bind_pair(0x1300, &group_alice) == -EEXIST,
	       "nor be proved in another way");
	result(!bind_pair(0x1300, &bob) && receive() == third, "saying it again changes nothing");
	result(bind_pair(0x9900, &bob) == -ENOENT, "an SA that is not there can't be bound");
	result(bind_many(0x1300, &bob) == -E2BIG, "nor 17 at once");
	result(bind_ambiguous(0x1300, &bob) == -EINVAL, "nor one to an identity with two methods");

	/* Taken back: what came stays attributed, what comes is not. */
	result(!unbind_pair(0x1300), "unbind");
	second = receive();
	result(second != third && is_nobody(second) && is(third, &bob),
	       "what comes after unbinding is not attributed");
	result(unbind_pair(0x1300) == -ENOENT, "what is not bound can't be unbound");
	result(ipsec_ptoken_itoken_wait(ipsec, second, 200, &itoken) == -ETIMEDOUT,
	       "waiting ends");
	late_spi = 0x1300;
	if (pthread_create(&thread, NULL, bind_late, NULL))
		errx(1, "pthread_create");
	result(!ipsec_ptoken_itoken_wait(ipsec, second, 5000, &itoken),
	       "waiting brings the identity");
	ipsec_itoken_free(itoken);
	pthread_join(thread, NULL);

	/* Lineage: what looks different is a successor if the agent says so. */
	request("rekey");		/* 0x1400 */
	result(!bind_pair(0x1400, &moving), "bind with a lineage");
	first = receive();
	request("rekey reqid=77");	/* 0x1500 */
	result(!bind_pair(0x1500, &moving), "bind another reqid of the same lineage");
	result(is(first, &moving) && receive() == first, "the token is that of the lineage");

	/* Not authenticated: known, and equal to nobody. */
	request("rekey reqid=1");	/* 0x1600 */
	result(!bind_pair(0x1600, &nobody), "bind method NONE");
	first = receive();
	result(!ipsec_ptoken_itoken(ipsec, first, &itoken) &&
	       ipsec_itoken_method(itoken) == IPSEC_AUTH_NONE &&
	       !ipsec_itoken_equal(itoken, itoken), "one not authenticated equals nobody");
	ipsec_itoken_free(itoken);

	/* A datagram is somebody's if all SAs are that it came under. */
	request("bundles");		/* 0x5000 and 0x6000: AH and ESP */
	first = receive();
	result(!bind_one(SADB_SATYPE_AH, 0x6000, &alice) && is_nobody(first) &&
	       is_nobody(receive()), "under AH that is bound and ESP that is not, it is nobody");
	result(!bind_one(SADB_SATYPE_ESP, 0x6000, &bob) && is_nobody(first) &&
	       is_nobody(receive()), "under AH of the one and ESP of the other, it is nobody");
	request("bundles");		/* 0x7000 and 0x8000 */
	first = receive();
	result(!bind_one(SADB_SATYPE_ESP, 0x8000, &alice) && is_nobody(first) &&
	       is_nobody(receive()), "under ESP that is bound and AH that is not, it is nobody");
	result(!bind_one(SADB_SATYPE_AH, 0x8000, &alice) && is(receive(), &alice),
	       "under two SAs of the same peer, it is his");

	/* The SAs go, and with them their bindings. */
	request("flush");
	result(!ipsec_ptoken_itoken(ipsec, first, &itoken),
	       "an identity stays as long as its token");
	ipsec_itoken_free(itoken);

	/* A datagram waits until it is read, and its SAs do not wait for that. */
	request("fresh");		/* 0x9000 */
	result(!bind_pair(0x9000, &alice), "bind an SA under which nothing has come");
	send_one();
	request("flush");
	first = receive_one();
	result(is(first, &alice), "what waits while its SA goes is attributed");
	request("fresh");		/* 0xa000 */
	second = receive();
	result(!bind_pair(0xa000, &carol) && is(second, &carol),
	       "bind one under which something has");
	send_one();
	request("flush");
	result(receive_one() == second, "what waits while its SA goes has the token of it");
	request("fresh");		/* 0xb000 */
	send_one();
	request("flush");
	third = receive_one();
	result(third != first && third != second && is_nobody(third),
	       "it is nobody's if nobody was behind its SA");
	ipsec_close(ipsec);
	return 0;
}
