/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What memory the kernel has taken for so many things of one kind.
 */
#ifndef BENCH_SLAB_H
#define BENCH_SLAB_H

#include <err.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct memory {
	double objects[64];	/* bytes in caches that the module allocates from */
	char name[64][32];
	unsigned int caches;
};

/* kmalloc caches, and that of the nodes of an xarray */
static inline void memory_read(struct memory *memory)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned long active, total, size;
	char line[256], name[32];

	if (!file)
		err(1, "slabinfo");
	memory->caches = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %lu %lu %lu", name, &active, &total, &size) != 4 ||
		    (strncmp(name, "kmalloc-", 8) && strcmp(name, "radix_tree_node") &&
		     strncmp(name, "ipsec", 5)))
			continue;
		strcpy(memory->name[memory->caches], name);
		memory->objects[memory->caches++] = (double)active * size;
	}
	fclose(file);
}

/*
 * What has just gone is only gone after a while, and all that lies ready for the
 * processor, or that KASAN keeps from it, counts as used until it is given back.
 */
static inline void memory_exact(struct memory *memory)
{
	glob_t files;
	size_t i;
	int fd;

	sleep(3);
	if (glob("/sys/kernel/slab/{kmalloc-*,radix_tree_node,ipsec*}/shrink", GLOB_BRACE,
		 NULL, &files))
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

/* The table of a hash table that has grown to @count objects. */
static inline double table_size(unsigned int count)
{
	unsigned int size = 64;

	while (count > size / 4 * 3)
		size *= 2;
	return size * 8.0;
}

/*
 * Bytes that have been added for each of @count; without tables, which are too
 * large for any cache.
 */
static inline double memory_each(const struct memory *before, const struct memory *after,
				 unsigned int count, const char *what)
{
	double each, all = 0;
	unsigned int i;

	for (i = 0; i < after->caches; i++) {
		each = (after->objects[i] - before->objects[i]) / count;
		if (each < 0.5)		/* what others have done meanwhile */
			continue;
		all += each;
		fprintf(stderr, "# %s: %.1f bytes each in %s\n", what, each, after->name[i]);
	}
	return all;
}

#endif /* BENCH_SLAB_H */
