/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of bench.sh share. In the guest that they run in, the
 * clock below counts instructions, one per nanosecond.
 *
 * They print lines for bench.sh, with tabs between:
 *
 *	WHAT VALUE BASELINE BOUND	BASELINE or BOUND may be "-"
 */
#ifndef BENCH_H
#define BENCH_H

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS	41
#define SAMPLES	1100	/* at most; what comes beyond is not kept */

struct samples {
	double value[SAMPLES];
	unsigned int count;
};

static inline uint64_t instructions(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline void sample(struct samples *samples, uint64_t begin, uint64_t end, unsigned int calls)
{
	if (samples->count < SAMPLES)
		samples->value[samples->count++] = (double)(end - begin) / calls;
}

static inline int sample_compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return difference < 0 ? -1 : difference > 0;
}

/* Now and then there is an interrupt among the calls, so no average. */
static inline double median(struct samples *samples)
{
	qsort(samples->value, samples->count, sizeof(samples->value[0]), sample_compare);
	return samples->value[samples->count / 2];
}

/*
 * For so few calls that what the clock itself takes would count. Without @samples
 * nothing is kept.
 */
static inline void sample_exact(struct samples *samples, uint64_t begin, uint64_t end,
				unsigned int calls)
{
	static uint64_t clock;
	struct samples *own;
	unsigned int i;

	if (!clock) {
		own = calloc(1, sizeof(*own));
		if (!own)
			err(1, "samples");
		for (i = 0; i < ROUNDS; i++) {
			uint64_t before = instructions();

			sample(own, before, instructions(), 1);
		}
		clock = median(own);
		free(own);
	}
	if (samples)
		sample(samples, begin + clock, end, calls);
}

/*
 * The mean of the middle half, for samples of very few calls each: what happens only
 * now and then (memory for many of them is allocated, there is an interrupt) is not in
 * it, which with more calls in each some samples would have once more than others.
 */
static inline double midmean(struct samples *samples)
{
	unsigned int i, first = samples->count / 4, end = samples->count - first;
	double sum = 0;

	median(samples);
	for (i = first; i < end; i++)
		sum += samples->value[i];
	return sum / (end - first);
}

static inline void row(const char *what, double value, double baseline, const char *bound)
{
	printf("%s\t%.1f\t%.1f\t%s\n", what, value, baseline, bound);
	fflush(stdout);
}

static inline void row_alone(const char *what, double value, const char *bound)
{
	printf("%s\t%.1f\t-\t%s\n", what, value, bound);
	fflush(stdout);
}

#endif /* BENCH_H */
