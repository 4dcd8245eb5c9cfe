/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Be on another host.
 */
#ifndef ENTER_H
#define ENTER_H

#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* From now on sockets of this thread are those of @host, see lib.sh. */
static inline void enter(const char *host)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", host);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	close(fd);
}

#endif /* ENTER_H */
