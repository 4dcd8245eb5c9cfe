/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_RELATION_H
#define _IPSEC_RELATION_H

#include <linux/ipsec_token.h>
#include <linux/types.h>

struct ipsec_context;
struct ipsec_net;

/**
 * enum ipsec_relation - what a context is to another one
 * @IPSEC_RELATION_NONE: protects otherwise or less, or is of somebody else
 * @IPSEC_RELATION_SAME: is of the same peer, and protects no less
 * @IPSEC_RELATION_NAMED: may be the same, but only the new one has an identity,
 *	and the old one won't get any
 * @IPSEC_RELATION_OPEN: an identity is not known yet
 */
enum ipsec_relation {
	IPSEC_RELATION_NONE,
	IPSEC_RELATION_SAME,
	IPSEC_RELATION_NAMED,
	IPSEC_RELATION_OPEN,
};

enum ipsec_relation ipsec_relation(struct ipsec_net *in, const struct ipsec_context *old,
				   const struct ipsec_context *new);
bool ipsec_relation_mates(struct ipsec_net *in, const struct ipsec_context *received,
			  const struct ipsec_context *sent, bool mirrored);
bool ipsec_relation_present(struct ipsec_net *in, const struct ipsec_context *context,
			    enum ipsec_direction direction);
bool ipsec_relation_possible(struct ipsec_net *in, const struct ipsec_context *context);
bool ipsec_relation_nameable(const struct ipsec_context *context);
bool ipsec_relation_alive(const struct ipsec_context *context);

#endif /* _IPSEC_RELATION_H */
