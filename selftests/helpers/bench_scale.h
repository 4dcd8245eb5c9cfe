/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of bench_scale.sh share. They print lines for it, with tabs between:
 *
 *	OPERATION COUNT INSTRUCTIONS BYTES	either of the last two may be "-"
 */
#ifndef BENCH_SCALE_H
#define BENCH_SCALE_H

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include "bench.h"
#include "bench_slab.h"

#define COUNTED	900	/* memory of fewer things is lost in that of others */

/*
 * What has just gone is only gone after a while, and all that lies ready for the
 * processor counts as used until it is given back.
 */
static inline void memory_exact(struct memory *memory)
{
	glob_t files;
	size_t i;
	int fd;

	sleep(3);
	if (glob("/sys/kernel/slab/{kmalloc-*,radix_tree_node}/shrink", GLOB_BRACE, NULL, &files))
		errx(1, "no slabs");
	for (i = 0; i < files.gl_pathc; i++) {
		fd = open(files.gl_pathv[i], O_WRONLY);
		if (fd < 0 || write(fd, "1", 1) != 1)
			err(1, "%s", files.gl_pathv[i]);
		close(fd);
	}
	globfree(&files);
	memory_read(memory);
}

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
