// SPDX-License-Identifier: GPL-2.0
/*
 * usage: unix_send SOCKET <MESSAGE
 *
 * Send standard input as one datagram to a socket in the file system.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static char message[65536];
	size_t len;
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(addr.sun_path))
		errx(2, "usage: unix_send SOCKET <MESSAGE");
	strcpy(addr.sun_path, argv[1]);
	len = fread(message, 1, sizeof(message), stdin);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		err(1, "socket");
	if (sendto(fd, message, len, 0, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err(1, "%s", argv[1]);
	return 0;
}
