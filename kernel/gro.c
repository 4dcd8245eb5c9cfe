// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keep GRO from joining packets that came under different SAs.
 *
 * What comes out of a tunnel passes GRO, which joins packets of one flow and
 * keeps the secpath of the first alone: what another peer has sent would pass
 * for what the first one has. GRO never joins packets whose hashes differ. So
 * xfrm's call-back, which comes before, makes the SAs part of the hash, and
 * leaves it marked as one that says nothing of the flow, so that nothing else
 * uses it.
 */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <net/xfrm.h>

#include "gro.h"

/* Beyond those of vti and xfrm interfaces, whose call-back ends the round. */
#define PRIORITY	1000

static u32 gro_secret __read_mostly;

static int gro_callback(struct sk_buff *skb, int err)
{
	const struct sec_path *sp = skb_sec_path(skb);

	u32 hash;

	/* also called for packets that no SA was found for */
	if (!err && sp) {
		hash = skb_get_hash_raw(skb) ^ gro_secret;
		if (likely(sp->len == 1))
			hash ^= hash_ptr(sp->xvec[0], 32);
		else
			hash = jhash(sp->xvec, sp->len * sizeof(sp->xvec[0]), hash);
		skb_set_hash(skb, hash, PKT_HASH_TYPE_L2);
	}
	return 1;	/* go on to the next one */
}

static int gro_not_mine(struct sk_buff *skb)
{
	return -EINVAL;
}

static int gro_input_not_mine(struct sk_buff *skb, int nexthdr, __be32 spi, int encap_type)
{
	return -EINVAL;
}

static int gro_error4(struct sk_buff *skb, u32 info)
{
	return 1;
}

static int gro_error6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type, u8 code,
		      int offset, __be32 info)
{
	return 1;
}

#define HANDLER(error) {				\
	.handler = gro_not_mine,			\
	.input_handler = gro_input_not_mine,		\
	.cb_handler = gro_callback,			\
	.err_handler = (error),				\
	.priority = PRIORITY,				\
}

static struct {
	u8 protocol;
	struct xfrm4_protocol handler4;
	struct xfrm6_protocol handler6;
} handlers[] = {
	{ IPPROTO_ESP, HANDLER(gro_error4), HANDLER(gro_error6) },
	{ IPPROTO_AH, HANDLER(gro_error4), HANDLER(gro_error6) },
	{ IPPROTO_COMP, HANDLER(gro_error4), HANDLER(gro_error6) },
};

static void gro_deregister(unsigned int count)
{
	while (count--) {
		xfrm6_protocol_deregister(&handlers[count].handler6, handlers[count].protocol);
		xfrm4_protocol_deregister(&handlers[count].handler4, handlers[count].protocol);
	}
}

/**
 * ipsec_gro_init - begin to keep packets apart
 *
 * Context: process context.
 * Return: 0 or a negative errno.
 */
int ipsec_gro_init(void)
{
	unsigned int i;
	int err;

	get_random_bytes(&gro_secret, sizeof(gro_secret));
	for (i = 0; i < ARRAY_SIZE(handlers); i++) {
		err = xfrm4_protocol_register(&handlers[i].handler4, handlers[i].protocol);
		if (err)
			goto undo;
		err = xfrm6_protocol_register(&handlers[i].handler6, handlers[i].protocol);
		if (err) {
			xfrm4_protocol_deregister(&handlers[i].handler4, handlers[i].protocol);
			goto undo;
		}
	}
	return 0;
undo:
	gro_deregister(i);
	return err;
}

/**
 * ipsec_gro_exit - let GRO do as it likes
 *
 * Context: process context, may sleep. No call-back runs when it returns.
 */
void ipsec_gro_exit(void)
{
	gro_deregister(ARRAY_SIZE(handlers));
}
