/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_BACKLOG_H
#define _IPSEC_BACKLOG_H

#include <linux/types.h>

struct ipsec_connection;
struct ipsec_net;
struct ipsec_segment;
struct sk_buff;

bool ipsec_backlog_note(struct ipsec_connection *connection, const struct sk_buff *skb,
			const struct ipsec_segment *segment);
void ipsec_backlog_judged(struct ipsec_net *in, struct ipsec_connection *connection,
			  const struct sk_buff *skb);
struct ipsec_segment *ipsec_backlog_now(const struct ipsec_connection *connection);
void ipsec_backlog_begin(struct ipsec_net *in, struct ipsec_connection *connection);
void ipsec_backlog_end(struct ipsec_net *in, struct ipsec_connection *connection);

#endif /* _IPSEC_BACKLOG_H */
