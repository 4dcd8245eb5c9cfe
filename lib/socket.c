// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which token has this socket, or this datagram.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <ipsec/token.h>

#include "internal.h"

#ifndef SOL_IPV6
#define SOL_IPV6 41
#endif

/**
 * ipsec_socket_error() - what the failure of a socket option means
 * @fd: the socket
 * @err: negative errno value
 *
 * "No such option" is what any socket says that never reaches the kernel
 * module, and some of them never would.
 *
 * Return: a negative errno value.
 */
int ipsec_socket_error(int fd, int err)
{
	socklen_t len = sizeof(int);
	int domain;

	if (err == -ENOPROTOOPT &&
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	    domain != AF_INET && domain != AF_INET6)
		return -EOPNOTSUPP;
	return err;
}

/**
 * ipsec_ptoken_from_fd() - the token of a connected socket
 * @fd: TCP socket, or UDP socket with ipsec_recvptoken_set()
 * @ptoken: set to the token, IPSEC_PTOKEN_NONE if it is known to be unprotected
 *
 * Return: 0, -ENOTCONN if the socket is not connected, -ENODATA if its
 * protection is not known, -EOPNOTSUPP for kinds of sockets that have no
 * tokens, -EINVAL for a UDP socket without ipsec_recvptoken_set(),
 * -ENOPROTOOPT if the kernel module is not loaded, -EBADF, -ENOTSOCK.
 */
int ipsec_ptoken_from_fd(int fd, ipsec_ptoken_t *ptoken)
{
	ipsec_ptoken_t value = IPSEC_PTOKEN_UNKNOWN;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_IP, IPSEC_SO_PTOKEN, &value, &len))
		return ipsec_socket_error(fd, -errno);
	if (len != sizeof(value))
		return -EPROTO;
	if (value == IPSEC_PTOKEN_UNKNOWN)
		return -ENODATA;
	*ptoken = value;
	return 0;
}

/**
 * ipsec_recvptoken_set() - have a token with every datagram
 * @fd: UDP socket
 * @on: or no longer
 *
 * Return: 0, -EOPNOTSUPP for kinds of sockets that can't have it,
 * -ENOPROTOOPT if the kernel module is not loaded, -EBADF, -ENOTSOCK.
 */
int ipsec_recvptoken_set(int fd, bool on)
{
	int value = on;

	if (setsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &value, sizeof(value)))
		return ipsec_socket_error(fd, -errno);
	return 0;
}

/**
 * ipsec_recvptoken_get() - does a token come with every datagram?
 * @fd: UDP socket
 *
 * Return: 1 yes, 0 no, or an error as of ipsec_recvptoken_set().
 */
int ipsec_recvptoken_get(int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);

	if (getsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &value, &len))
		return ipsec_socket_error(fd, -errno);
	return len == sizeof(value) ? !!value : -EPROTO;
}

/**
 * ipsec_ptoken_from_msg() - the token of a received datagram
 * @msg: as recvmsg(2) filled it in
 * @ptoken: set to the token, IPSEC_PTOKEN_NONE if the datagram came in clear
 *
 * That there is no token in the message is an error, and never means that the
 * datagram came in clear.
 *
 * Return: 0, -ENODATA if the protection is not known, -ENOBUFS if there was no
 * room for the token in the control buffer, -ENOMSG if there is no token for
 * another reason, -EPROTO if it is malformed.
 */
int ipsec_ptoken_from_msg(const struct msghdr *msg, ipsec_ptoken_t *ptoken)
{
	struct msghdr *iter = (struct msghdr *)msg;
	const char *end = (const char *)msg->msg_control + msg->msg_controllen;
	bool cut = msg->msg_flags & MSG_CTRUNC;
	struct cmsghdr *cmsg;
	ipsec_ptoken_t value;

	for (cmsg = CMSG_FIRSTHDR(iter); cmsg; cmsg = CMSG_NXTHDR(iter, cmsg)) {
		if ((cmsg->cmsg_level != SOL_IP && cmsg->cmsg_level != SOL_IPV6) ||
		    cmsg->cmsg_type != IPSEC_SCM_PTOKEN)
			continue;
		/* what does not fit, the kernel cuts short */
		if (cmsg->cmsg_len != CMSG_LEN(sizeof(value)) ||
		    end - (const char *)cmsg < (ptrdiff_t)CMSG_LEN(sizeof(value)))
			return cut ? -ENOBUFS : -EPROTO;
		memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
		if (value == IPSEC_PTOKEN_UNKNOWN)
			return -ENODATA;
		*ptoken = value;
		return 0;
	}
	return cut ? -ENOBUFS : -ENOMSG;
}

/**
 * ipsec_ptoken_equal() - do two tokens stand for the same protection?
 * @a: token
 * @b: token
 *
 * Return: 1 if so, 0 if not, or if either is IPSEC_PTOKEN_UNKNOWN.
 */
int ipsec_ptoken_equal(ipsec_ptoken_t a, ipsec_ptoken_t b)
{
	return a == b && a != IPSEC_PTOKEN_UNKNOWN;
}
