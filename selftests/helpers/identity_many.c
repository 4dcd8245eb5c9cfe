// SPDX-License-Identifier: GPL-2.0-only
/*
 * identity_many COUNT - at the host left there are COUNT more pairs of SAs, each with
 * an identity
 */
#include <stdlib.h>

#include "hosts.h"

static void pair_bind(struct ipsec *handle, uint8_t number)
{
	uint8_t itoken[IPSEC_ITOKEN_SIZE] = { number };
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	uint64_t buffer[128];

	nlh = ipsec_nl_request(handle, buffer, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(itoken), itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PRESHAREDKEY);
	mnl_attr_nest_end(nlh, nest);
	put_pair(nlh, spi);
	if (ipsec_nl_talk(handle, nlh, NULL, NULL))
		errx(1, "SPI 0x%x: %s", spi, ipsec_error(handle));
}

int main(int argc, char **argv)
{
	struct mnl_socket *nl;
	struct ipsec *handle;
	int i, count;

	if (argc != 2)
		errx(2, "usage: identity_many COUNT");
	count = atoi(argv[1]);
	hosts_open();
	nl = xfrm_open(LEFT);
	if (ipsec_open(&handle))
		errx(1, "no module");
	for (i = 0; i < count; i++) {
		spi += 0x10;
		sa_add(nl, LEFT);
		sa_add(nl, RIGHT);
		ipsec_enter(handle);
		pair_bind(handle, i);
		ipsec_leave(handle);
	}
	return 0;
}
