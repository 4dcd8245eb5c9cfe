/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_REQUEST_CGROUP_H
#define _IPSEC_REQUEST_CGROUP_H

#include <linux/atomic.h>
#include <linux/types.h>

struct ipsec_request;
struct netlink_ext_ack;
struct sock;

/* So many control groups inside one another may have requests. */
#define IPSEC_REQUEST_CGROUP_DEPTH	3

extern atomic_t ipsec_request_cgroups;

static inline bool ipsec_request_cgroups_any(void)
{
	return atomic_read(&ipsec_request_cgroups);
}

unsigned int ipsec_request_cgroup_of(const struct sock *sk, struct ipsec_request **request);
int ipsec_request_cgroup_set(int fd, struct ipsec_request *request,
			     struct netlink_ext_ack *extack);
void ipsec_request_cgroup_exit(void);

#endif /* _IPSEC_REQUEST_CGROUP_H */
