/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_EVENT_H
#define _IPSEC_EVENT_H

#include <linux/ipsec_token.h>
#include <linux/types.h>

struct genl_family;
struct ipsec_connection;
struct ipsec_context;
struct ipsec_identity;
struct ipsec_negotiation;
struct ipsec_net;
struct xfrm_state;

enum ipsec_group {
	IPSEC_GROUP_EVENTS,
	IPSEC_GROUP_CHANGES,
};

void ipsec_event_changed(struct ipsec_net *in);
void ipsec_event_context(struct ipsec_net *in, struct ipsec_context *context,
			 enum ipsec_cmd event);
void ipsec_event_context_gone(struct ipsec_net *in, unsigned long id);
void ipsec_event_identity(struct ipsec_net *in, const struct xfrm_state *x,
			  const struct ipsec_identity *identity);
void ipsec_event_latch(struct ipsec_net *in, const struct ipsec_connection *connection,
		       const struct ipsec_context *seen);
bool ipsec_event_heard(struct ipsec_net *in);
bool ipsec_event_negotiation(struct ipsec_net *in, const struct ipsec_negotiation *negotiation);
void ipsec_event_algorithm(struct ipsec_net *in, u8 index);
void ipsec_event_config(struct ipsec_net *in);

void ipsec_event_open(struct genl_family *family);
void ipsec_event_close(void);

#endif /* _IPSEC_EVENT_H */
