/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that look random and can be had again: each is made of a seed, of who
 * asks, and of how many there have been (splitmix64).
 */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Less than @bound, which is not 0. */
static inline uint32_t below(uint64_t *state, uint32_t bound)
{
	return (next(state) >> 32) * bound >> 32;
}

/* True once in @n times. */
static inline bool once_in(uint64_t *state, uint32_t n)
{
	return !below(state, n);
}

/* Where the numbers of one step of one thread begin. */
static inline uint64_t state_of(uint64_t seed, unsigned int thread, uint64_t step)
{
	uint64_t state = seed ^ (uint64_t)thread << 56 ^ step;

	return next(&state);
}

#endif /* FUZZ_RANDOM_H */
