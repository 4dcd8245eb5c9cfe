// SPDX-License-Identifier: GPL-2.0-only
/*
 * SAs as they are named on the command line:
 *
 *	sa PROTOCOL SPI ADDRESS [mark MARK]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/pfkeyv2.h>
#include <linux/xfrm.h>

#include "command.h"

/**
 * sa_ref_same() - do two names name the same SA?
 * @a: an SA
 * @b: an SA
 *
 * Return: whether they do.
 */
bool sa_ref_same(const struct sa_ref *a, const struct sa_ref *b)
{
	return a->satype == b->satype && a->family == b->family && a->spi == b->spi &&
	       a->mark == b->mark && !memcmp(a->destination, b->destination, 16);
}

/**
 * sas_take() - read the name of an SA
 * @sas: it is added to these
 * @argc: how many arguments there are
 * @argv: arguments, the first one is the protocol
 *
 * Return: how many of them belong to it; -1 after complaining.
 */
int sas_take(struct sas *sas, int argc, char **argv)
{
	struct sa_ref sa;
	uint64_t spi, mark;
	uint8_t satype;
	int used = 3;
	size_t i;

	if (argc < 3) {
		usage("sa takes a protocol, an SPI and a destination address");
		return -1;
	}
	satype = !strcmp(argv[0], "esp") ? SADB_SATYPE_ESP :
		 !strcmp(argv[0], "ah") ? SADB_SATYPE_AH : 0;
	if (!satype) {
		usage("sa: protocol: \"%s\" is neither esp nor ah", argv[0]);
		return -1;
	}
	if (number_read(argv[1], UINT32_MAX, &spi) || !spi) {
		usage("sa: SPI: \"%s\" is no number from 1 to 0xffffffff", argv[1]);
		return -1;
	}
	if (!sa_ref_set(&sa, satype, argv[2], spi)) {
		usage("sa: address: \"%s\" is none", argv[2]);
		return -1;
	}
	if (argc > 3 && !strcmp(argv[3], "mark")) {
		if (argc < 5 || number_read(argv[4], UINT32_MAX, &mark)) {
			usage("sa: mark: takes a number up to 0xffffffff");
			return -1;
		}
		sa.mark = mark;
		used = 5;
	}
	for (i = 0; i < sas->count; i++) {
		if (sa_ref_same(&sas->sa[i], &sa)) {
			usage("sa: %s %s %s: is named twice", argv[0], argv[1], argv[2]);
			return -1;
		}
	}
	if (sas->count == SAS_MAX) {
		usage("sa: there are more than %d", SAS_MAX);
		return -1;
	}
	sas->sa[sas->count++] = sa;
	return used;
}

static int found(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	*(bool *)data = true;
	return MNL_CB_OK;
}

/**
 * sa_ref_exists() - does the kernel have this SA?
 * @sa: which
 *
 * It is asked for its counters, which unlike the SA itself come without keys.
 *
 * Return: false if it is known not to be there.
 */
bool sa_ref_exists(const struct sa_ref *sa)
{
	_Alignas(8) char buf[8192];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct xfrm_mark mark = { .v = sa->mark, .m = UINT32_MAX };
	struct xfrm_aevent_id *id;
	bool exists = false;
	ssize_t len;

	nlh->nlmsg_type = XFRM_MSG_GETAE;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	id = mnl_nlmsg_put_extra_header(nlh, sizeof(*id));
	memcpy(&id->sa_id.daddr, sa->destination, sizeof(id->sa_id.daddr));
	id->sa_id.spi = sa->spi;
	id->sa_id.family = sa->family;
	id->sa_id.proto = sa->satype == SADB_SATYPE_ESP ? IPPROTO_ESP : IPPROTO_AH;
	mnl_attr_put(nlh, XFRMA_MARK, sizeof(mark), &mark);

	len = -1;
	if (nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) >= 0)
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	/* it ends with -1 at an error, of which this one is expected */
	if (len >= 0 && mnl_cb_run(buf, len, 1, mnl_socket_get_portid(nl), found, &exists) < 0)
		exists = errno != ESRCH;
	else if (len < 0)
		exists = true;
	if (nl)
		mnl_socket_close(nl);
	return exists;
}

/**
 * sa_ref_protocol() - the protocol of an SA
 * @sa: which
 *
 * Return: a word.
 */
const char *sa_ref_protocol(const struct sa_ref *sa)
{
	return sa->satype == SADB_SATYPE_AH ? "ah" : "esp";
}

/**
 * sa_ref_destination() - the destination of an SA
 * @sa: which
 * @buf: of INET6_ADDRSTRLEN bytes
 *
 * Return: @buf.
 */
const char *sa_ref_destination(const struct sa_ref *sa, char *buf)
{
	if (!inet_ntop(sa->family, sa->destination, buf, INET6_ADDRSTRLEN))
		strcpy(buf, "-");
	return buf;
}

/**
 * sa_ref_json() - the name of an SA as JSON object
 * @name: of the member, or NULL
 * @sa: which
 */
void sa_ref_json(const char *name, const struct sa_ref *sa)
{
	char addr[INET6_ADDRSTRLEN];

	json_open(name, '{');
	json_string("protocol", sa_ref_protocol(sa));
	json_uint("spi", ntohl(sa->spi));
	json_string("destination", sa_ref_destination(sa, addr));
	json_uint("mark", sa->mark);
	json_close();
}
