// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: tsc_khz
 *
 * How fast the time stamp counter of this machine runs. Under TCG the guest has
 * the same one, but on a machine with other things to do it cannot find out by
 * itself: its clock may then run ten times too fast. Prints nothing where there
 * is no such counter.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
#include <x86intrin.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Both at the same time: of several attempts the one that was disturbed least. */
static void read_both(uint64_t *ns, uint64_t *ticks)
{
	uint64_t best = UINT64_MAX, before, between, after;
	int i;

	for (i = 0; i < 100; i++) {
		before = __rdtsc();
		between = now_ns();
		after = __rdtsc();
		if (after - before < best) {
			best = after - before;
			*ns = between;
			*ticks = before + best / 2;
		}
	}
}

int main(void)
{
	uint64_t ns[2], ticks[2];

	read_both(&ns[0], &ticks[0]);
	usleep(50000);
	read_both(&ns[1], &ticks[1]);
	printf("%llu\n", (unsigned long long)((ticks[1] - ticks[0]) * 1000000 / (ns[1] - ns[0])));
	return 0;
}
#else
int main(void)
{
	return 0;
}
#endif
