/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NEGOTIATION_H
#define _IPSEC_NEGOTIATION_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/xfrm.h>

struct ipsec_net;
struct ipsec_request;
struct ipsec_ward;
struct netlink_ext_ack;
struct sk_buff;

/**
 * struct ipsec_flow - what is to be protected
 * @family: AF_INET or AF_INET6
 * @protocol: IPPROTO_*
 * @local_port: 0 where there are no ports
 * @peer_port: likewise
 * @local: address
 * @peer: address
 */
struct ipsec_flow {
	u16 family;
	u8 protocol;
	__be16 local_port;
	__be16 peer_port;
	xfrm_address_t local;
	xfrm_address_t peer;
};

/**
 * struct ipsec_negotiation - SAs that a socket needs, and an agent is to provide
 * @list: in &ipsec_ward.negotiations
 * @ward: whose
 * @request: what is required of the SAs, held
 * @flow: for what
 * @id: never used twice in a namespace; in &ipsec_net.negotiations
 * @uid: who asks
 * @until: jiffies when nobody waits for it any more
 * @answered: jiffies when an agent said that the SAs are there, or 0
 * @reason: enum ipsec_request_reason, why there won't be any, or 0
 *
 * Guarded by &ipsec_net.ward_lock.
 */
struct ipsec_negotiation {
	struct list_head list;
	struct ipsec_ward *ward;
	struct ipsec_request *request;
	struct ipsec_flow flow;
	unsigned long id;
	kuid_t uid;
	unsigned long until;
	unsigned long answered;
	u8 reason;
};

/* As an enum ipsec_request_reason: wait for what comes of it. */
#define IPSEC_NEGOTIATION_WAIT	0

u8 ipsec_negotiation_ask(struct ipsec_net *in, struct ipsec_ward *ward,
			 struct ipsec_request *request, const struct ipsec_flow *flow);
int ipsec_negotiation_answer(struct ipsec_net *in, u64 id, u8 reason, char *text,
			     struct netlink_ext_ack *extack);
bool ipsec_negotiation_waiting(const struct ipsec_ward *ward);
bool ipsec_negotiation_expire(struct ipsec_net *in);
void ipsec_negotiation_end_all(struct ipsec_net *in, struct ipsec_ward *ward);

void ipsec_negotiation_init(void);
void ipsec_negotiation_init_net(struct ipsec_net *in);

#endif /* _IPSEC_NEGOTIATION_H */
