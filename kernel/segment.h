/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_SEGMENT_H
#define _IPSEC_SEGMENT_H

#include <linux/types.h>

struct ipsec_connection;
struct ipsec_net;
struct net;
struct nf_hook_state;
struct sk_buff;
struct sock;

/**
 * struct ipsec_segment - a segment on its way to TCP
 * @net: where; NULL: none
 * @ports: source and destination, as in the header
 * @seq: sequence number
 * @opens: a SYN without ACK
 * @syn: a SYN, with or without
 * @fragment: one of several, which TCP gets put together
 * @unknown: not known under what it came
 * @id: of the context under which it came; 0: in clear
 * @child: the socket that it has made
 */
struct ipsec_segment {
	const struct net *net;
	__be32 ports;
	u32 seq;
	bool opens;
	bool syn;
	bool fragment;
	bool unknown;
	unsigned long id;
	const struct sock *child;
};

int ipsec_segment_watch(struct net *net);
void ipsec_segment_unwatch(struct net *net);
void ipsec_segment_adopt(struct ipsec_net *in, struct sock *sk);
bool ipsec_segment_again(struct sk_buff *skb, const struct nf_hook_state *state, bool last);
struct ipsec_segment *ipsec_segment_now(const struct sock *sk,
					const struct ipsec_connection *connection,
					int old, int new);

#endif /* _IPSEC_SEGMENT_H */
