/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_REQUEST_H
#define _IPSEC_REQUEST_H

#include <linux/ipsec_token.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct ipsec_context;
struct ipsec_net;
struct netlink_ext_ack;
struct nla_policy;
struct nlattr;

/* Those up to there are what is required. */
#define IPSEC_REQUEST_A_REQUIRED	IPSEC_REQUEST_A_IDENTITY

/**
 * struct ipsec_request - what is required; never changes
 * @refs: sockets, control groups and negotiations
 * @rcu: frees it
 * @flags: IPSEC_REQUEST_F_*
 * @methods: bit 1 << enum ipsec_auth_method of those that will do; 0: any, or none
 * @timeout: of a negotiation, in jiffies
 * @peer: the nest IPSEC_REQUEST_A_IDENTITY in @attributes, NULL: anybody
 * @size: of @attributes
 * @attributes: all of it, as it came, validated
 */
struct ipsec_request {
	refcount_t refs;
	struct rcu_head rcu;
	u32 flags;
	u32 methods;
	unsigned long timeout;
	const struct nlattr *peer;
	u16 size;
	u8 attributes[] __aligned(4);
};

extern const struct nla_policy ipsec_request_policy[];

struct ipsec_request *ipsec_request_create(const void *attributes, size_t size,
					   struct netlink_ext_ack *extack);
struct ipsec_request *ipsec_request_get(struct ipsec_request *request);
void ipsec_request_put(struct ipsec_request *request);
bool ipsec_request_equal(const struct ipsec_request *a, const struct ipsec_request *b);
enum ipsec_request_reason ipsec_request_judge(struct ipsec_net *in,
					      const struct ipsec_request *request,
					      struct ipsec_context *context, bool *open);
int ipsec_request_error(enum ipsec_request_reason reason);

#endif /* _IPSEC_REQUEST_H */
