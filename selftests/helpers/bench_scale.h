/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of bench_scale.sh share. They print lines for it, with tabs between:
 *
 *	OPERATION COUNT INSTRUCTIONS BYTES	either of the last two may be "-"
 */
#ifndef BENCH_SCALE_H
#define BENCH_SCALE_H

#include "bench.h"
#include "bench_slab.h"

#define COUNTED	900	/* memory of fewer things is lost in that of others */

static inline void point_instructions(const char *operation, unsigned int count, double value)
{
	printf("%s\t%u\t%.1f\t-\n", operation, count, value);
	fflush(stdout);
}

static inline void point_bytes(const char *operation, unsigned int count, double value)
{
	printf("%s\t%u\t-\t%.1f\n", operation, count, value);
	fflush(stdout);
}

#endif /* BENCH_SCALE_H */
