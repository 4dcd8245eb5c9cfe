/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_WALK_H
#define _IPSEC_WALK_H

#include <linux/rhashtable.h>

/**
 * ipsec_walk_start - begin to walk through a table, or go on after a pause
 * @iter: where it is
 *
 * rhashtable_walk_start() goes on behind as many entries of a bucket as it has seen
 * there. If the last of them has been removed since, that is too far: then the bucket
 * is begun anew. So nothing is left out that is there all the time, but some may come
 * twice.
 *
 * Context: any but hard interrupts; under RCU until rhashtable_walk_stop().
 */
static inline void ipsec_walk_start(struct rhashtable_iter *iter)
{
	bool inside = iter->p;

	rhashtable_walk_start(iter);
	if (inside && !iter->p)
		iter->skip = 0;
}

#endif /* _IPSEC_WALK_H */
