/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NETLINK_REQUEST_H
#define _IPSEC_NETLINK_REQUEST_H

#include <linux/ipsec_token.h>
#include <net/netlink.h>

struct genl_info;
struct sk_buff;

extern const struct nla_policy ipsec_result_policy[IPSEC_A_REQUEST + 1];
int ipsec_doit_request_result(struct sk_buff *skb, struct genl_info *info);

#endif /* _IPSEC_NETLINK_REQUEST_H */
