/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NEGOTIATE_H
#define _IPSEC_NEGOTIATE_H

#include <linux/ipsec_token.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/xfrm.h>

struct ipsec_net;
struct ipsec_request;
struct ipsec_required;
struct netlink_callback;
struct sk_buff;
struct sock;

/**
 * struct ipsec_negotiation - SAs are needed, and an agent may be at work on them
 * @list: in &ipsec_net.negotiations
 * @id: never used twice in its namespace
 * @sk: socket that waits for it; may be no more
 * @flags: IPSEC_REQUEST_F_* of all that is required
 * @methods: bit 1 << enum ipsec_auth_method of those that will do; 0: any
 * @peer: a request that says who the peer has to be, held; or NULL
 * @until: jiffies when it is over
 * @family: AF_INET or AF_INET6
 * @protocol: IPPROTO_*
 * @local_port: of this end
 * @peer_port: of the other
 * @local: address of this end
 * @peer_address: of the other
 * @uid: whose socket it is
 */
struct ipsec_negotiation {
	struct list_head list;
	u64 id;
	const struct sock *sk;
	u32 flags;
	u32 methods;
	struct ipsec_request *peer;
	unsigned long until;
	u16 family;
	u8 protocol;
	__be16 local_port;
	__be16 peer_port;
	xfrm_address_t local;
	xfrm_address_t peer_address;
	kuid_t uid;
};

enum ipsec_request_reason ipsec_negotiate(struct ipsec_net *in, struct ipsec_required *required,
					  const struct sk_buff *skb);
int ipsec_negotiate_result(struct ipsec_net *in, u64 id, enum ipsec_request_reason reason,
			   const char *text);
int ipsec_negotiate_dump(struct sk_buff *skb, struct netlink_callback *cb);

void ipsec_negotiate_init_net(struct ipsec_net *in);
void ipsec_negotiate_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_NEGOTIATE_H */
