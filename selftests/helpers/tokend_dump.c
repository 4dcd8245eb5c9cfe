// SPDX-License-Identifier: GPL-2.0
/*
 * usage: tokend_dump
 *
 * What the kernel has bound, one line per SA: fields NAME=VALUE with a tab
 * between them, which values do not contain. Those of this end are called
 * local.NAME, what is not available is not there.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/internal.h"

static void put_hex(const char *prefix, const char *name, const struct nlattr *attr)
{
	const uint8_t *data = mnl_attr_get_payload(attr);
	size_t i, len = mnl_attr_get_payload_len(attr);

	printf("\t%s%s=", prefix, name);
	for (i = 0; i < len; i++)
		printf("%02x", data[i]);
}

static void put_attribute(const char *prefix, const struct nlattr *attr)
{
	static const char *const strings[] = {
		[IPSEC_IDENTITY_A_IKE_ID] = "id",
		[IPSEC_IDENTITY_A_CA_DN] = "ca",
		[IPSEC_IDENTITY_A_CERTIFICATE_DN] = "dn",
		[IPSEC_IDENTITY_A_PUBKEY_ID] = "key",
		[IPSEC_IDENTITY_A_AUDIT_STRING] = "audit",
		[IPSEC_IDENTITY_A_POLICY_NAME] = "policy",
		[IPSEC_IDENTITY_A_SOURCE] = "source",
	};
	uint16_t type = mnl_attr_get_type(attr);
	const struct nlattr *inner;

	switch (type) {
	case IPSEC_IDENTITY_A_LOCAL:
		mnl_attr_for_each_nested(inner, attr)
			put_attribute("local.", inner);
		break;
	case IPSEC_IDENTITY_A_ITOKEN:
		put_hex(prefix, "itoken", attr);
		break;
	case IPSEC_IDENTITY_A_LINEAGE:
		put_hex(prefix, "lineage", attr);
		break;
	case IPSEC_IDENTITY_A_CHANNEL_BINDING:
		put_hex(prefix, "binding", attr);
		break;
	case IPSEC_IDENTITY_A_METHOD:
		printf("\t%smethod=%u", prefix, mnl_attr_get_u8(attr));
		break;
	case IPSEC_IDENTITY_A_IKE_ID_TYPE:
		printf("\t%sidtype=%u", prefix, mnl_attr_get_u8(attr));
		break;
	default:
		if (type < IPSEC_ARRAY_SIZE(strings) && strings[type])
			printf("\t%s%s=%s", prefix, strings[type], mnl_attr_get_str(attr));
	}
}

static void put_sa(const struct nlattr *nest)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const struct nlattr *attr;
	uint32_t spi = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == IPSEC_SA_REF_A_DESTINATION)
			inet_ntop(mnl_attr_get_payload_len(attr) == 4 ? AF_INET : AF_INET6,
				  mnl_attr_get_payload(attr), text, sizeof(text));
		if (mnl_attr_get_type(attr) == IPSEC_SA_REF_A_SPI)
			spi = mnl_attr_get_u32(attr);
	}
	printf("dst=%s\tspi=0x%08" PRIx32, text, ntohl(spi));
}

static int one(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *identity = ipsec_parse_find(nlh, IPSEC_A_IDENTITY), *attr;
	const struct nlattr *sa = ipsec_parse_find(nlh, IPSEC_A_SA);

	(void)data;
	if (!identity || !sa)
		return -EPROTO;
	put_sa(sa);
	mnl_attr_for_each_nested(attr, identity)
		put_attribute("", attr);
	putchar('\n');
	return 0;
}

int main(void)
{
	_Alignas(8) char buf[256];
	struct ipsec *ipsec;
	int ret;

	ret = ipsec_open(&ipsec);
	if (ret)
		errx(1, "%s", ipsec_strerror(ret));
	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_GET,
						    NLM_F_DUMP), one, NULL);
	ipsec_leave(ipsec);
	if (ret)
		errx(1, "%s", ipsec_error(ipsec));
	ipsec_close(ipsec);
	return 0;
}
