// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is parsed of netlink for requests; request.c parses what is required.
 */
#include <linux/ipsec_token.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "negotiation.h"
#include "netlink_request.h"
#include "netns.h"
#include "request.h"

/* How a negotiation ended. */
static const struct nla_policy answer_policy[IPSEC_REQUEST_A_MAX + 1] = {
	[IPSEC_REQUEST_A_PAD ... IPSEC_REQUEST_A_IDENTITY] = { .type = NLA_REJECT },
	[IPSEC_REQUEST_A_ID] = { .type = NLA_U64 },
	[IPSEC_REQUEST_A_FAMILY ... IPSEC_REQUEST_A_UID] = { .type = NLA_REJECT },
	[IPSEC_REQUEST_A_REASON] = NLA_POLICY_MAX(NLA_U8, IPSEC_REQUEST_REASON_MAX),
	[IPSEC_REQUEST_A_TEXT] = { .type = NLA_NUL_STRING, .len = IPSEC_REQUEST_MAX_TEXT },
};

const struct nla_policy ipsec_result_policy[IPSEC_A_REQUEST + 1] = {
	[IPSEC_A_PAD ... IPSEC_A_LATCH_MODE] = { .type = NLA_REJECT },
	[IPSEC_A_REQUEST] = NLA_POLICY_NESTED(answer_policy),
};

/**
 * ipsec_doit_request_result - IPSEC_CMD_REQUEST_RESULT
 * @skb: the message
 * @info: what it contains
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_doit_request_result(struct sk_buff *skb, struct genl_info *info)
{
	struct ipsec_net *in = ipsec_net(genl_info_net(info));
	struct nlattr *attrs[IPSEC_REQUEST_A_MAX + 1], *nest;
	char *text = NULL;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, IPSEC_A_REQUEST))
		return -EINVAL;
	nest = info->attrs[IPSEC_A_REQUEST];
	err = nla_parse_nested(attrs, IPSEC_REQUEST_A_MAX, nest, answer_policy, info->extack);
	if (err)
		return err;
	if (!attrs[IPSEC_REQUEST_A_ID] || !attrs[IPSEC_REQUEST_A_REASON]) {
		NL_SET_ERR_MSG_ATTR(info->extack, nest, "a result takes id and reason");
		return -EINVAL;
	}
	if (attrs[IPSEC_REQUEST_A_TEXT]) {
		text = nla_strdup(attrs[IPSEC_REQUEST_A_TEXT], GFP_KERNEL_ACCOUNT);
		if (!text)
			return -ENOMEM;
	}
	return ipsec_negotiation_answer(in, nla_get_u64(attrs[IPSEC_REQUEST_A_ID]),
					nla_get_u8(attrs[IPSEC_REQUEST_A_REASON]), text,
					info->extack);
}
