/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NETLINK_H
#define _IPSEC_NETLINK_H

#include <linux/ipsec_token.h>

struct ipsec_context;
struct ipsec_net;

void ipsec_netlink_context(struct ipsec_net *in, struct ipsec_context *context,
			   enum ipsec_cmd event);
void ipsec_netlink_context_gone(struct ipsec_net *in, unsigned long id);
void ipsec_netlink_changed(struct ipsec_net *in);

int ipsec_netlink_init(void);
void ipsec_netlink_exit(void);

#endif /* _IPSEC_NETLINK_H */
