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
struct nlattr;
struct sk_buff;

/* As an enum ipsec_request_reason: an identity is required, and not known yet. */
#define IPSEC_REQUEST_OPEN	0xff

/* The attributes of an identity that may be asked for as a pattern. */
#define IPSEC_REQUEST_PATTERNS	4

/**
 * struct ipsec_request - what is required; never changes
 * @refs: sockets, control groups and negotiations
 * @rcu: frees it
 * @flags: IPSEC_REQUEST_F_*
 * @methods: set of enum ipsec_auth_method, 0: any
 * @timeout: of a negotiation, in jiffies
 * @named: an identity is required
 * @id_type: NULL: any; in @attributes, like those that follow
 * @itoken: NULL: any
 * @patterns: NULL: any
 * @size: of @attributes
 * @attributes: all of it, as it came
 */
struct ipsec_request {
	refcount_t refs;
	struct rcu_head rcu;
	u32 flags;
	u32 methods;
	unsigned long timeout;
	bool named;
	const u8 *id_type;
	const u8 *itoken;
	const char *patterns[IPSEC_REQUEST_PATTERNS];
	u16 size;
	u8 attributes[] __aligned(4);
};

struct ipsec_request *ipsec_request_create(const void *attributes, size_t size,
					   struct netlink_ext_ack *extack);
struct ipsec_request *ipsec_request_get(struct ipsec_request *request);
void ipsec_request_put(struct ipsec_request *request);
bool ipsec_request_equal(const struct ipsec_request *a, const struct ipsec_request *b);
u8 ipsec_request_judge(struct ipsec_net *in, const struct ipsec_request *request,
		       struct ipsec_context *context, enum ipsec_direction direction);
int ipsec_request_errno(u8 reason);

#endif /* _IPSEC_REQUEST_H */
