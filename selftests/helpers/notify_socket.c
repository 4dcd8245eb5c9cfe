// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: notify_socket PATH
 *
 * Take the part of systemd: print what a service says of its state, a line each.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char state[256];
	ssize_t len;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path))
		errx(1, "notify_socket PATH");
	strcpy(addr.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(1, "%s", argv[1]);
	for (;;) {
		len = recv(fd, state, sizeof(state) - 1, 0);
		if (len < 0)
			err(1, "recv");
		state[len] = '\0';
		puts(state);
		fflush(stdout);
	}
}
