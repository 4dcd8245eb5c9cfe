/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_ALGORITHM_H
#define _IPSEC_ALGORITHM_H

#include <linux/ipsec_token.h>
#include <linux/types.h>

/*
 * An algorithm is known by its place in the table of algorithm.c, so that a
 * set of algorithms is one u64.
 */
#define IPSEC_ALGORITHM_NOT_USED	0

struct ipsec_algorithm {
	const char *name;	/* as xfrm names it */
	u8 class;		/* enum ipsec_algorithm_class */
	u8 salt_bits;		/* part of xfrm's key that is no key */
	bool null;		/* does nothing, whatever the administrator says */
	bool plain;		/* an AEAD that hides nothing */
	bool trusted;		/* unless the administrator says otherwise */
};

u8 ipsec_algorithm_find(const char *name);
u8 ipsec_algorithm_find_sa(const char *name, enum ipsec_algorithm_class class);
const struct ipsec_algorithm *ipsec_algorithm(u8 index);
u8 ipsec_algorithm_count(void);
u64 ipsec_algorithm_defaults(void);
bool ipsec_algorithm_encrypts(u8 index);
bool ipsec_algorithm_authenticates(u8 index);

#endif /* _IPSEC_ALGORITHM_H */
