// SPDX-License-Identifier: GPL-2.0-only
/*
 * To be preloaded: every UDP socket that a program makes asks for tokens. To the
 * file that OPT_IN_LOG names one "y" is added for each that did, and one "n" for
 * each that could not.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipsec_token.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void log_add(char answer)
{
	const char *path = getenv("OPT_IN_LOG");
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd < 0 || write(fd, &answer, 1) != 1)
		abort();
	close(fd);
}

int socket(int domain, int type, int protocol)
{
	int (*next)(int domain, int type, int protocol) = dlsym(RTLD_NEXT, "socket");
	int fd = next(domain, type, protocol), error = errno, one = 1;

	if (fd < 0 || (domain != AF_INET && domain != AF_INET6) || (type & 15) != SOCK_DGRAM ||
	    (protocol && protocol != IPPROTO_UDP))
		return fd;
	log_add(setsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &one, sizeof(one)) ? 'n' : 'y');
	errno = error;
	return fd;
}
