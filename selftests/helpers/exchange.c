// SPDX-License-Identifier: GPL-2.0-only
/*
 * exchange KIND FAMILY LEFT RIGHT SPI FIRST - data between the hosts left and
 * right over TCP and UDP, and what each end is told of its protection
 *
 * KIND is what ipsec_up of lib.sh has set up, FAMILY 4, 6 or mapped, LEFT and
 * RIGHT the addresses of the hosts, SPI what SPIs are counted from, FIRST the
 * number of the first of the RESULTS results, which are in KTAP. Every
 * attribute is compared with what lib.sh configures for the kind.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ipsec/token.h>
#include <linux/pfkeyv2.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESULTS	5
#define PORT	7777

/* What lib.sh configures for each kind; keep the two together. */
struct transform {
	int satype;
	int mode;
	const char *ealg;
	int ealg_sadb;
	int ealg_bits;
	const char *aalg;
	int aalg_sadb;
	int aalg_bits;
	int icv_bits;
	const char *calg;
	int calg_sadb;
	int spi_offset;
};

#define GCM	"rfc4106(gcm(aes))", SADB_X_EALG_AES_GCM_ICV16, 128, "", 0, 0, 128, "", 0
#define SHA256	"hmac(sha256)", SADB_X_AALG_SHA2_256HMAC, 256, 128, "", 0

static const struct kind {
	const char *name;
	bool privacy, integrity, compression, tunnel, end_to_end;
	int if_id;
	int encap;
	struct transform transforms[2];
} kinds[] = {
	{ "esp-gcm", 1, 1, 0, 0, 1, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT, GCM, 0 } } },
	{ "esp-cbc", 1, 1, 0, 0, 1, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT,
	      "cbc(aes)", SADB_X_EALG_AESCBC, 256, SHA256, 0 } } },
	{ "esp-null", 0, 1, 0, 0, 1, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT,
	      "ecb(cipher_null)", SADB_EALG_NULL, 0, SHA256, 0 } } },
	{ "ah", 0, 1, 0, 0, 1, 0, 0,
	  { { SADB_SATYPE_AH, XFRM_MODE_TRANSPORT, "", 0, 0, SHA256, 0x10 } } },
	{ "ah-esp", 1, 1, 0, 0, 1, 0, 0,
	  { { SADB_SATYPE_AH, XFRM_MODE_TRANSPORT, "", 0, 0, SHA256, 0x10 },
	    { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT, GCM, 0 } } },
	{ "ipcomp-esp", 1, 1, 1, 0, 1, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT, GCM, 0 },
	    { SADB_X_SATYPE_IPCOMP, XFRM_MODE_TRANSPORT, "", 0, 0, "", 0, 0, 0,
	      "deflate", SADB_X_CALG_DEFLATE, 0x20 } } },
	{ "tunnel", 1, 1, 0, 1, 1, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TUNNEL, GCM, 0 } } },
	{ "behind", 1, 1, 0, 1, 0, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TUNNEL, GCM, 0 } } },
	{ "across", 1, 1, 0, 1, 0, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TUNNEL, GCM, 0 } } },
	{ "natt", 1, 1, 0, 0, 1, 0, UDP_ENCAP_ESPINUDP,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT, GCM, 0 } } },
	{ "xfrmi", 1, 1, 0, 1, 0, 42, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TUNNEL, GCM, 0 } } },
	{ "untrusted", 0, 1, 0, 0, 1, 0, 0,
	  { { SADB_SATYPE_ESP, XFRM_MODE_TRANSPORT,
	      "cbc(des3_ede)", SADB_EALG_3DESCBC, 192, SHA256, 0 } } },
	{ .name = "none" },
};

struct host {
	const char *name;
	struct ipsec *ipsec;
	int netns;
	struct sockaddr_storage address;
	socklen_t length;
};

static const struct kind *kind;
static const char *family;
static uint32_t spi;
static int result;

static void enter(const struct host *host)
{
	if (setns(host->netns, CLONE_NEWNET))
		err(1, "setns %s", host->name);
}

static int make_socket(const struct host *host, int type)
{
	struct timeval timeout = { .tv_sec = 10 };
	int fd, one = 1;

	enter(host);
	fd = socket(host->address.ss_family, type, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		err(1, "socket");
	return fd;
}

static void set_port(struct host *host, int port)
{
	/* at the same place in both kinds of address */
	((struct sockaddr_in *)&host->address)->sin_port = htons(port);
}

static void host_open(struct host *host, const char *name, const char *address)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&host->address;
	struct sockaddr_in *sin = (struct sockaddr_in *)&host->address;
	char path[64], mapped[64];

	host->name = name;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	host->netns = open(path, O_RDONLY);
	if (host->netns < 0)
		err(1, "%s", path);
	if (!strcmp(family, "4")) {
		sin->sin_family = AF_INET;
		host->length = sizeof(*sin);
		if (inet_pton(AF_INET, address, &sin->sin_addr) != 1)
			errx(1, "%s", address);
	} else {
		snprintf(mapped, sizeof(mapped), "%s%s",
			 strcmp(family, "6") ? "::ffff:" : "", address);
		sin6->sin6_family = AF_INET6;
		host->length = sizeof(*sin6);
		if (inet_pton(AF_INET6, mapped, &sin6->sin6_addr) != 1)
			errx(1, "%s", mapped);
	}
	enter(host);
	if (ipsec_open(&host->ipsec))
		errx(1, "%s: ipsec_open", name);
}

static char wrong[4096];

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	size_t length = strlen(wrong);
	va_list args;

	va_start(args, format);
	vsnprintf(wrong + length, sizeof(wrong) - length, format, args);
	va_end(args);
}

#define EXPECT(got, wanted) do {					\
	long long got_ = (got), wanted_ = (wanted);			\
	if (got_ != wanted_)						\
		complain("# " #got ": %lld, wanted %lld\n", got_, wanted_); \
} while (0)

#define EXPECT_STRING(got, wanted) do {					\
	if (strcmp(got, wanted))					\
		complain("# " #got ": '%s', wanted '%s'\n", got, wanted); \
} while (0)

static void compare_sa(const struct ipsec_sa *sa, const struct transform *t, bool out,
		       bool at_left)
{
	/* a tunnel of the other address family */
	bool across = !strcmp(kind->name, "across");

	/* the first SPI is from left to right, the second from right to left */
	EXPECT(sa->spi, spi + t->spi_offset + (at_left == out ? 1 : 2));
	EXPECT(sa->direction, out ? IPSEC_DIRECTION_OUT : IPSEC_DIRECTION_IN);
	EXPECT(sa->mode, t->mode);
	EXPECT(sa->ealg, t->ealg_sadb);
	EXPECT_STRING(sa->ealg_name, t->ealg);
	EXPECT(sa->ealg_bits, t->ealg_bits);
	EXPECT(sa->aalg, t->aalg_sadb);
	EXPECT_STRING(sa->aalg_name, t->aalg);
	EXPECT(sa->aalg_bits, t->aalg_bits);
	EXPECT(sa->icv_bits, t->icv_bits);
	EXPECT(sa->calg, t->calg_sadb);
	EXPECT_STRING(sa->calg_name, t->calg);
	EXPECT(sa->reqid, 1);
	EXPECT(sa->mark, 0);
	EXPECT(sa->mark_mask, 0);
	EXPECT(sa->if_id, kind->if_id);
	EXPECT(sa->esn, 0);
	EXPECT(sa->offload, 0);
	EXPECT(sa->encap_type, kind->encap);
	EXPECT(sa->encap_local_port, kind->encap ? 4500 : 0);
	EXPECT(sa->encap_peer_port, kind->encap ? 4500 : 0);
	EXPECT(sa->family, !strcmp(family, "6") ^ across ? AF_INET6 : AF_INET);
	if (sa->family == AF_INET) {
		const unsigned char left[] = { 10, 0, 0, 1 }, right[] = { 10, 0, 0, 2 };

		EXPECT(memcmp(sa->local, at_left ? left : right, 4), 0);
		EXPECT(memcmp(sa->peer, at_left ? right : left, 4), 0);
	} else {
		EXPECT(sa->local[0], 0xfd);
		EXPECT(sa->local[15], at_left ? 1 : 2);
		EXPECT(sa->peer[15], at_left ? 2 : 1);
	}
}

static void compare(const struct host *host, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	char audit[512], hex[16];
	unsigned int i, j, seen = 0, wanted = 0;
	bool at_left = !strcmp(host->name, "left");
	struct ipsec_sa sa;
	int ret;

	if (!strcmp(kind->name, "none")) {
		EXPECT(ptoken, IPSEC_PTOKEN_NONE);
	} else if (ptoken == IPSEC_PTOKEN_NONE || ptoken == IPSEC_PTOKEN_UNKNOWN) {
		complain("# token 0x%llx\n", (unsigned long long)ptoken);
		return;
	}
	enter(host);

	EXPECT(ipsec_ptoken_privacy_protected(host->ipsec, ptoken), kind->privacy);
	EXPECT(ipsec_ptoken_integrity_protected(host->ipsec, ptoken), kind->integrity);
	EXPECT(ipsec_ptoken_compression_available(host->ipsec, ptoken), kind->compression);
	EXPECT(ipsec_ptoken_tunnel_mode(host->ipsec, ptoken), kind->tunnel);
	EXPECT(ipsec_ptoken_end_to_end(host->ipsec, ptoken), kind->end_to_end);
	ret = ipsec_ptoken_attributes(host->ipsec, ptoken, &attributes, sizeof(attributes));
	if (ret) {
		complain("# attributes: %s: %s\n", strerror(-ret), ipsec_error(host->ipsec));
		return;
	}

	for (j = 0; j < 2; j++)
		wanted |= kind->transforms[j].satype ? 3 << 2 * j : 0;
	for (i = 0; i < attributes.sa_count; i++) {
		ret = ipsec_ptoken_sa(host->ipsec, ptoken, i, &sa, sizeof(sa));
		EXPECT(ret, 0);
		for (j = 0; j < 2; j++) {
			const struct transform *t = &kind->transforms[j];
			bool out = sa.direction == IPSEC_DIRECTION_OUT;

			if (sa.satype != t->satype)
				continue;
			compare_sa(&sa, t, out, at_left);
			if (seen & 1 << (2 * j + out))
				complain("# an SA twice\n");
			seen |= 1 << (2 * j + out);
		}
	}
	EXPECT(seen, wanted);
	EXPECT(attributes.sa_count, __builtin_popcount(wanted));

	ret = ipsec_ptoken_audit_string(host->ipsec, ptoken, audit, sizeof(audit));
	EXPECT(ret, strlen(audit));
	for (j = 0; j < 2 && kind->transforms[j].satype; j++) {
		for (i = 1; i <= 2; i++) {
			snprintf(hex, sizeof(hex), "0x%08x",
				 spi + kind->transforms[j].spi_offset + i);
			if (!strstr(audit, hex))
				complain("# no %s in '%s'\n", hex, audit);
		}
		if (!strstr(audit, kind->transforms[j].ealg) ||
		    !strstr(audit, kind->transforms[j].aalg))
			complain("# no algorithm in '%s'\n", audit);
	}
	if (kind->encap && !strstr(audit, "natt") && !strstr(audit, "NAT-T"))
		complain("# no NAT-T in '%s'\n", audit);
}

static void report(const char *role)
{
	printf("%sok %d %s over IPv%s: %s\n%s", *wrong ? "not " : "", result++, kind->name,
	       family, role, wrong);
	*wrong = 0;
}

static ipsec_ptoken_t ptoken_of(int fd)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	int ret = ipsec_ptoken_from_fd(fd, &ptoken);

	if (ret)
		complain("# ipsec_ptoken_from_fd: %s\n", strerror(-ret));
	return ptoken;
}

static void exchange_tcp(struct host *left, struct host *right)
{
	int listener, client, server;
	char buffer[4096] = "what protects this?";

	set_port(right, PORT);
	listener = make_socket(right, SOCK_STREAM);
	if (bind(listener, (struct sockaddr *)&right->address, right->length) ||
	    listen(listener, 1))
		err(1, "listen");
	client = make_socket(left, SOCK_STREAM);
	if (connect(client, (struct sockaddr *)&right->address, right->length))
		err(1, "%s over IPv%s: connect", kind->name, family);
	server = accept(listener, NULL, NULL);
	if (server < 0)
		err(1, "accept");

	compare(left, ptoken_of(client));
	report("TCP, connecting end");
	compare(right, ptoken_of(server));
	report("TCP, accepting end");

	/* enough zeros for IPComp to be worth while */
	if (write(client, buffer, sizeof(buffer)) != sizeof(buffer) ||
	    recv(server, buffer, sizeof(buffer), MSG_WAITALL) != sizeof(buffer))
		err(1, "data");
	close(client);
	close(server);
	close(listener);
}

static ipsec_ptoken_t receive(int fd, struct sockaddr_storage *from, socklen_t length)
{
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	char control[IPSEC_PTOKEN_CMSG_SPACE];
	static char buffer[1200];
	struct iovec iov = { buffer, sizeof(buffer) };
	struct msghdr msg = {
		.msg_name = from, .msg_namelen = length,
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int ret;

	if (recvmsg(fd, &msg, 0) < 0)
		err(1, "%s over IPv%s: recvmsg", kind->name, family);
	ret = ipsec_ptoken_from_msg(&msg, &ptoken);
	if (ret)
		complain("# ipsec_ptoken_from_msg: %s\n", strerror(-ret));
	return ptoken;
}

static void exchange_udp(struct host *left, struct host *right)
{
	static char small[100], large[1000];	/* IPComp leaves small ones alone */
	struct sockaddr_storage from;
	int server, client;
	ipsec_ptoken_t ptoken;

	set_port(right, PORT);
	server = make_socket(right, SOCK_DGRAM);
	if (bind(server, (struct sockaddr *)&right->address, right->length) ||
	    ipsec_recvptoken_set(server, true))
		err(1, "server");
	client = make_socket(left, SOCK_DGRAM);
	if (connect(client, (struct sockaddr *)&right->address, right->length) ||
	    ipsec_recvptoken_set(client, true))
		err(1, "client");

	if (send(client, small, sizeof(small), 0) < 0 ||
	    send(client, large, sizeof(large), 0) < 0)
		err(1, "send");
	ptoken = receive(server, &from, sizeof(from));
	compare(right, ptoken);
	EXPECT(receive(server, &from, sizeof(from)), ptoken);
	report("UDP");

	if (sendto(server, large, sizeof(large), 0, (struct sockaddr *)&from, right->length) < 0)
		err(1, "sendto");
	ptoken = receive(client, NULL, 0);
	compare(left, ptoken);
	report("connected UDP, by control message");
	compare(left, ptoken_of(client));
	EXPECT(ptoken_of(client), ptoken);
	report("connected UDP, by socket option");
	close(client);
	close(server);
}

int main(int argc, char **argv)
{
	struct host left = {}, right = {};
	unsigned int i;

	if (argc != 7)
		errx(1, "exchange KIND FAMILY LEFT RIGHT SPI FIRST");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, argv[1]))
			kind = &kinds[i];
	if (!kind)
		errx(1, "kind %s", argv[1]);
	family = argv[2];
	spi = strtoul(argv[5], NULL, 0);
	result = atoi(argv[6]);

	host_open(&left, "left", argv[3]);
	host_open(&right, "right", argv[4]);
	exchange_tcp(&left, &right);
	exchange_udp(&left, &right);
	ipsec_close(left.ipsec);
	ipsec_close(right.ipsec);
	return 0;
}
