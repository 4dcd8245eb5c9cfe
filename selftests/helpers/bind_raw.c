// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: bind_raw SPI ADDRESS TEXT
 *
 * Bind an ESP SA to an identity with TEXT for its IKE identity, policy and
 * auditString, as it is: the kernel takes any.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/pfkeyv2.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/internal.h"

int main(int argc, char **argv)
{
	_Alignas(8) char buf[8192];
	static const uint8_t itoken[IPSEC_ITOKEN_SIZE] = { 0x66, 0x66, 0x66, 0x66 };
	uint8_t address[16];
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	struct ipsec *ipsec;
	int family, ret;

	if (argc != 4)
		errx(1, "bind_raw SPI ADDRESS TEXT");
	family = strchr(argv[2], ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, argv[2], address) != 1)
		errx(1, "address");
	ret = ipsec_open(&ipsec);
	if (ret)
		errx(1, "%s", ipsec_strerror(ret));
	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(itoken), itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_GROUPKEY);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, 11);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_IKE_ID, argv[3]);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_AUDIT_STRING, argv[3]);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_POLICY_NAME, argv[3]);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);
	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, family == AF_INET ? 4 : 16, address);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(strtoul(argv[1], NULL, 0)));
	mnl_attr_nest_end(nlh, nest);

	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, NULL, NULL);
	ipsec_leave(ipsec);
	if (ret)
		errx(1, "%s", ipsec_error(ipsec));
	ipsec_close(ipsec);
	return 0;
}
