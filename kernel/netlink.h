/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NETLINK_H
#define _IPSEC_NETLINK_H

#include <linux/types.h>

struct netlink_ext_ack;

int ipsec_netlink_once_each(const void *attributes, size_t size,
			    struct netlink_ext_ack *extack);
int ipsec_netlink_init(void);
void ipsec_netlink_exit(void);

#endif /* _IPSEC_NETLINK_H */
