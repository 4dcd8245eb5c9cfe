/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_SA_H
#define _IPSEC_SA_H

#include <linux/ipsec_token.h>
#include <linux/types.h>
#include <linux/xfrm.h>

struct ipsec_net;
struct net;
struct xfrm_state;

/**
 * struct ipsec_sa_key - what must agree for one SA to take the place of another
 * @local: address of this end
 * @peer: address of the other end
 * @selector: as on an inbound SA: destination is this end
 * @reqid: request id
 * @mark: mark, value and mask
 * @if_id: xfrm interface
 * @family: of @local and @peer
 * @proto: IPPROTO_ESP, IPPROTO_AH or IPPROTO_COMP
 * @mode: XFRM_MODE_*
 * @encrypts: hides what is sent, by an algorithm trusted or not
 * @authenticates: notices forgery, by an algorithm trusted or not
 * @pad: zero: keys are hashed and compared as bytes
 */
struct ipsec_sa_key {
	xfrm_address_t local;
	xfrm_address_t peer;
	struct xfrm_selector selector;
	u32 reqid;
	struct xfrm_mark mark;
	u32 if_id;
	u16 family;
	u8 proto;
	u8 mode;
	bool encrypts;
	bool authenticates;
	u8 pad[2];
};

/**
 * struct ipsec_sa_seen - how an SA was last seen
 * @ealg: encryption or AEAD, place in the table of algorithms
 * @aalg: authentication, likewise
 * @ealg_sadb: SADB_EALG_* of @ealg, 0 if RFC 2367 has none
 * @aalg_sadb: SADB_AALG_* of @aalg, 0 if RFC 2367 has none
 * @ealg_bits: key length of @ealg, without salt and nonce
 * @aalg_bits: key length of @aalg
 * @icv_bits: length of the ICV
 * @esn: extended sequence numbers
 */
struct ipsec_sa_seen {
	u8 ealg;
	u8 aalg;
	u8 ealg_sadb;
	u8 aalg_sadb;
	u16 ealg_bits;
	u16 aalg_bits;
	u16 icv_bits;
	bool esn;
};

/**
 * struct ipsec_sa - one SA of a context, and those that succeed it
 * @key: what does not change while one SA follows another
 * @used: set of all algorithms that SAs in this place have used
 * @seen: the latest
 */
struct ipsec_sa {
	struct ipsec_sa_key key;
	u64 used;
	struct ipsec_sa_seen seen;
};

void ipsec_sa_describe(struct ipsec_sa *sa, const struct xfrm_state *x,
		       enum ipsec_direction direction);
bool ipsec_sa_privacy(const struct ipsec_sa *sa, u64 trusted);
bool ipsec_sa_integrity(const struct ipsec_sa *sa, u64 trusted);
bool ipsec_sa_valid(const struct xfrm_state *x);
bool ipsec_sa_as_good(const struct ipsec_sa *a, const struct ipsec_sa *b, u64 trusted);
struct xfrm_state *ipsec_sa_find(struct net *net, const struct ipsec_sa *like, u64 trusted,
				 enum ipsec_direction direction);
bool ipsec_sa_possible(struct net *net, const struct ipsec_sa *like,
		       enum ipsec_direction direction);
struct xfrm_state *ipsec_sa_find_ipcomp(struct net *net,
					const struct ipsec_sa_key *key,
					enum ipsec_direction direction);

int ipsec_sa_init(void);
void ipsec_sa_exit(void);

#endif /* _IPSEC_SA_H */
