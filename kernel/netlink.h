/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NETLINK_H
#define _IPSEC_NETLINK_H

int ipsec_netlink_init(void);
void ipsec_netlink_exit(void);

#endif /* _IPSEC_NETLINK_H */
