/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that test functions one after the other, on the host.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stddef.h>
#include <stdio.h>

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

/**
 * struct unit_test - one of them
 * @run: the test
 * @text: its result line
 */
struct unit_test {
	void (*run)(void);
	const char *text;
};

/* All of them; the exit status. */
static inline int unit_run(const struct unit_test *tests, size_t count)
{
	unsigned int failed = 0;
	size_t i;

	printf("KTAP version 1\n1..%zu\n", count);
	for (i = 0; i < count; i++) {
		failures = 0;
		tests[i].run();
		printf("%sok %zu %s\n", failures ? "not " : "", i + 1, tests[i].text);
		failed += !!failures;
	}
	return !!failed;
}

#endif /* UNIT_H */
