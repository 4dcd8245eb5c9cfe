// SPDX-License-Identifier: GPL-2.0-only
/*
 * To be preloaded: every UDP socket that a program makes asks for tokens, and the program
 * does not get to see them, since there are some that expect no control message but what
 * they have asked for. To the file that OPT_IN_LOG names one letter is added
 *
 *	y	for each socket that has asked
 *	n	for each that could not
 *	t	for each recvmsg() with a token
 *	m	for each without, which there must not be
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipsec_token.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

static bool opted_in(int fd)
{
	int on = 0, error = errno;
	socklen_t size = sizeof(on);
	bool is = !getsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &on, &size) && on;

	errno = error;
	return is;
}

static bool is_token(const struct cmsghdr *cmsg)
{
	return (cmsg->cmsg_level == SOL_IP || cmsg->cmsg_level == SOL_IPV6) &&
	       cmsg->cmsg_type == IPSEC_SCM_PTOKEN;
}

/* As the kernel does where there is not enough room. Return: whether it is a token. */
static bool hand_on(struct msghdr *msg, size_t room, const struct cmsghdr *cmsg)
{
	size_t left = room - msg->msg_controllen, size = cmsg->cmsg_len;
	struct cmsghdr *to;

	if (is_token(cmsg))
		return true;
	if (size > left) {
		msg->msg_flags |= MSG_CTRUNC;
		size = left;
	}
	if (size < sizeof(*cmsg))
		return false;
	to = memcpy((char *)msg->msg_control + msg->msg_controllen, cmsg, size);
	to->cmsg_len = size;
	size = CMSG_ALIGN(size);
	msg->msg_controllen += size < left ? size : left;
	return false;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t (*next)(int fd, struct msghdr *msg, int flags) = dlsym(RTLD_NEXT, "recvmsg");
	size_t room = msg->msg_controllen;
	struct msghdr whole = *msg;
	struct cmsghdr *cmsg;
	bool token = false;
	ssize_t ret;

	if (!opted_in(fd))
		return next(fd, msg, flags);
	whole.msg_controllen = room + CMSG_SPACE(sizeof(uint64_t));
	whole.msg_control = malloc(whole.msg_controllen);
	if (!whole.msg_control)
		abort();
	ret = next(fd, &whole, flags);
	if (ret >= 0) {
		msg->msg_namelen = whole.msg_namelen;
		msg->msg_flags = whole.msg_flags;
		msg->msg_controllen = 0;
		for (cmsg = CMSG_FIRSTHDR(&whole); cmsg; cmsg = CMSG_NXTHDR(&whole, cmsg))
			token |= hand_on(msg, room, cmsg);
		if (!(flags & MSG_ERRQUEUE))
			log_add(token ? 't' : 'm');
	}
	free(whole.msg_control);
	return ret;
}
