// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: updown-libreswan [-s SOCKET] [ARGUMENT...]
 *
 * An updown script for libreswan: tells ipsec-tokend that pluto has run it, and
 * becomes the one that pluto has by default. As an updown script it is named by
 * leftupdown= and rightupdown= in ipsec.conf.
 *
 * pluto waits for it, so it does not wait itself. If the agent cannot be told,
 * it finds out by other means, a little later.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../tokend/libreswan_updown.h"

/* what the agent has a use for, and what helps to find out why something failed */
static const char *const names[] = {
	"PLUTO_VERB", "PLUTO_CONNECTION", "SPI_IN", "SPI_OUT",
	"PLUTO_CONNECTION_TYPE", "PLUTO_SA_TYPE", "PLUTO_SA_REQID", "PLUTO_ME", "PLUTO_PEER",
	"PLUTO_MY_ID", "PLUTO_PEER_ID", "PLUTO_PEER_CA", "PLUTO_CONN_POLICY",
};

static void tell(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char message[UPDOWN_MAX];
	const char *value;
	size_t i, len = 0;
	int fd, size;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = getenv(names[i]);
		if (!value)
			continue;
		size = snprintf(message + len, sizeof(message) - len, "%s=%s", names[i], value);
		/* the agent can do without; half of a value would be another one */
		if (size < 0 || (size_t)size >= sizeof(message) - len)
			continue;
		len += size + 1;
	}
	if (strlen(path) >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* without the agent there is nobody to be told, and nothing to complain of */
	if (sendto(fd, message, len, MSG_NOSIGNAL, (struct sockaddr *)&addr, sizeof(addr)) < 0 &&
	    errno != ENOENT && errno != ECONNREFUSED)
		perror(path);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *path = UPDOWN_SOCKET;
	char **program;
	int at = 1;

	if (argc > 2 && !strcmp(argv[1], "-s")) {
		path = argv[2];
		at = 3;
	}
	tell(path);

	program = calloc(argc - at + 3, sizeof(*program));
	if (program) {
		program[0] = "ipsec";
		program[1] = "_updown";
		memcpy(program + 2, argv + at, (argc - at) * sizeof(*program));
		execvp(program[0], program);
	}
	perror("ipsec _updown");
	return 1;
}
