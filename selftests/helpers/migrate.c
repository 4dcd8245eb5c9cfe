// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate in|out SRC DST OLD_SRC OLD_DST NEW_SRC NEW_DST REQID - a tunnel moves
 *
 * What a keying daemon asks the kernel for when an end of a tunnel has got another
 * address (XFRM_MSG_MIGRATE, which ip-xfrm has no word for): the policy that protects
 * what goes from SRC to DST, and the ESP SA under it, get new outer addresses. The SA
 * is another one from then on, with the same keys and SPI.
 */
#include <arpa/inet.h>
#include <err.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int family;

static xfrm_address_t address(const char *text)
{
	xfrm_address_t addr = {};

	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, text, &addr) != 1)
		errx(1, "%s: no address", text);
	return addr;
}

int main(int argc, char **argv)
{
	_Alignas(8) char buffer[1024];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct xfrm_userpolicy_id *id = mnl_nlmsg_put_extra_header(nlh, sizeof(*id));
	struct xfrm_user_migrate migrate = { .proto = IPPROTO_ESP, .mode = XFRM_MODE_TUNNEL };
	struct mnl_socket *nl;
	ssize_t len;

	if (argc != 9)
		errx(1, "migrate in|out SRC DST OLD_SRC OLD_DST NEW_SRC NEW_DST REQID");
	id->dir = strcmp(argv[1], "out") ? XFRM_POLICY_IN : XFRM_POLICY_OUT;
	id->sel.saddr = address(argv[2]);
	id->sel.daddr = address(argv[3]);
	id->sel.family = family;
	id->sel.prefixlen_s = family == AF_INET ? 32 : 128;
	id->sel.prefixlen_d = id->sel.prefixlen_s;
	migrate.old_saddr = address(argv[4]);
	migrate.old_daddr = address(argv[5]);
	migrate.old_family = family;
	migrate.new_saddr = address(argv[6]);
	migrate.new_daddr = address(argv[7]);
	migrate.new_family = family;
	migrate.reqid = atoi(argv[8]);
	nlh->nlmsg_type = XFRM_MSG_MIGRATE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	mnl_attr_put(nlh, XFRMA_MIGRATE, sizeof(migrate), &migrate);

	nl = mnl_socket_open(NETLINK_XFRM);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err(1, "NETLINK_XFRM");
	len = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
	if (len < 0 || mnl_cb_run(buffer, len, 0, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		err(1, "XFRM_MSG_MIGRATE");
	return 0;
}
