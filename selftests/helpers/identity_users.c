// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: identity_users WHO DESTINATION SPI TOKEN
 *
 * What somebody can do about identities: list them, bind the SA with that
 * destination and SPI to one of his own, unbind it, hear of events, and learn
 * who is behind a token that another process holds. WHO is
 *
 *	admin		who has started this
 *	nobody		a user without privileges
 *	inherited	the same, by a socket that was opened before
 *	userns		root of a user namespace of his own
 *	netns		that, with a network namespace of his own
 *
 * One line with the outcome of each: the name of an error, none or some.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pfkeyv2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"

#define NOBODY	65534

static void become(const char *who)
{
	int fd, namespaces = CLONE_NEWUSER;

	if (!strcmp(who, "admin"))
		return;
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		err(1, "become nobody");
	if (!strcmp(who, "nobody") || !strcmp(who, "inherited"))
		return;
	if (!strcmp(who, "netns"))
		namespaces |= CLONE_NEWNET;
	else if (strcmp(who, "userns"))
		errx(2, "who is %s?", who);
	/* after a change of user this file is root's until it is asked for anew */
	if (unshare(namespaces))
		err(1, "unshare");
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd >= 0 && (write(fd, "0 65534 1", 9) != 9 || setuid(0)))
		err(1, "uid_map");
	if (fd >= 0)
		close(fd);
}

static int count(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(unsigned int *)data;
	return 0;
}

static void tell(const char *what, int ret, unsigned int answers)
{
	printf("%s=%s ", what, ret ? strerrorname_np(-ret) : answers ? "some" : "none");
}

static void put_sa(struct nlmsghdr *nlh, const char *destination, const char *spi)
{
	int family = strchr(destination, ':') ? AF_INET6 : AF_INET;
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);
	uint8_t address[16];

	if (inet_pton(family, destination, address) != 1)
		errx(2, "destination %s?", destination);
	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, family == AF_INET ? 4 : 16, address);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(strtoul(spi, NULL, 0)));
	mnl_attr_nest_end(nlh, nest);
}

static void put_identity(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
	uint8_t itoken[IPSEC_ITOKEN_SIZE];

	memset(itoken, 0x66, sizeof(itoken));
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(itoken), itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PKIX_TRUSTED);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_AUDIT_STRING, "forged");
	mnl_attr_nest_end(nlh, nest);
}

static int talk(struct ipsec *ipsec, struct nlmsghdr *nlh, unsigned int *answers)
{
	int ret;

	*answers = 0;
	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, count, answers);
	ipsec_leave(ipsec);
	return ret;
}

int main(int argc, char **argv)
{
	_Alignas(8) char buf[1024];
	struct ipsec *ipsec = NULL;
	struct ipsec_itoken *itoken;
	struct mnl_socket *events;
	struct nlmsghdr *nlh;
	unsigned int answers;
	bool inherited;
	int ret;

	if (argc != 5)
		errx(2, "usage: identity_users WHO DESTINATION SPI TOKEN");
	inherited = !strcmp(argv[1], "inherited");
	if (inherited && ipsec_open(&ipsec))
		errx(1, "no module");
	become(argv[1]);
	if (!inherited && ipsec_open(&ipsec))
		errx(1, "no module");

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_GET, NLM_F_DUMP);
	ret = talk(ipsec, nlh, &answers);
	tell("list", ret, answers);

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	put_identity(nlh);
	put_sa(nlh, argv[2], argv[3]);
	tell("bind", talk(ipsec, nlh, &answers), 0);

	if (strcmp(argv[1], "admin")) {
		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_UNBIND, NLM_F_ACK);
		put_sa(nlh, argv[2], argv[3]);
		tell("unbind", talk(ipsec, nlh, &answers), 0);
	}

	events = mnl_socket_open(NETLINK_GENERIC);
	ret = events && !mnl_socket_bind(events, 0, MNL_SOCKET_AUTOPID) &&
	      !mnl_socket_setsockopt(events, NETLINK_ADD_MEMBERSHIP, &ipsec->group_events,
				     sizeof(ipsec->group_events)) ? 0 : -errno;
	tell("events", ret, 0);

	ret = ipsec_ptoken_itoken(ipsec, strtoull(argv[4], NULL, 0), &itoken);
	tell("token", ret, 1);
	putchar('\n');
	return 0;
}
