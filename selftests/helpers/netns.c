// SPDX-License-Identifier: GPL-2.0
/*
 * usage: netns NAME COMMAND [ARGUMENT...]
 *
 * "ip netns exec" for scripts that do it a thousand times under emulation. It
 * is linked statically, since loading libraries is most of what such a program
 * would do, and it leaves /sys alone.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char path[256];
	int fd;

	if (argc < 3)
		errx(125, "usage: netns NAME COMMAND [ARGUMENT...]");
	snprintf(path, sizeof(path), "/run/netns/%s", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(125, "%s", path);
	execvp(argv[2], argv + 2);
	err(errno == ENOENT ? 127 : 126, "%s", argv[2]);
}
