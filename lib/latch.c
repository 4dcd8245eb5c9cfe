// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What keeps a connection to its protection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <ipsec/token.h>

#include "internal.h"

/**
 * ipsec_latch_get() - what keeps a connection to its protection
 * @fd: TCP socket, or connected UDP socket with ipsec_recvptoken_set()
 * @latch: filled in
 *
 * Return: 0, -ENOTCONN if the socket is not connected and was not,
 * -EOPNOTSUPP for kinds of sockets that have no latch, -EINVAL for a UDP socket
 * without ipsec_recvptoken_set(), -ENOPROTOOPT if the kernel module is not
 * loaded, -EBADF, -ENOTSOCK.
 */
int ipsec_latch_get(int fd, struct ipsec_latch *latch)
{
	struct ipsec_latch answer;
	socklen_t len = sizeof(answer);

	if (getsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &answer, &len))
		return ipsec_socket_error(fd, -errno);
	if (len != sizeof(answer))
		return -EPROTO;
	*latch = answer;
	return 0;
}

/**
 * ipsec_latch_set() - what to do with a latch
 * @fd: connected TCP socket, or UDP socket with ipsec_recvptoken_set()
 * @flags: IPSEC_LATCH_F_*, those left out are turned off
 *
 * Return: 0, -EINVAL for flags that there are not, or that don't fit the socket,
 * -ENOTCONN if it is not connected, -ENODATA if it is not known what protects it,
 * -ESTALE if that is gone, -ENOMEM, or an error as of ipsec_latch_get().
 */
int ipsec_latch_set(int fd, uint32_t flags)
{
	if (setsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &flags, sizeof(flags)))
		return ipsec_socket_error(fd, -errno);
	return 0;
}

/**
 * ipsec_latch_state_name() - name of a state
 * @state: enum ipsec_latch_state
 *
 * Return: the name that RFC 5660 gives it, NULL if there is no such state.
 */
const char *ipsec_latch_state_name(int state)
{
	static const char *const names[] = {
		[IPSEC_LATCH_NONE]	  = "NONE",
		[IPSEC_LATCH_LISTENER]	  = "LISTENER",
		[IPSEC_LATCH_ESTABLISHED] = "ESTABLISHED",
		[IPSEC_LATCH_BROKEN]	  = "BROKEN",
		[IPSEC_LATCH_CLOSED]	  = "CLOSED",
	};

	if (state < 0 || state >= (int)(sizeof(names) / sizeof(names[0])))
		return NULL;
	return names[state];
}

/**
 * ipsec_latch_reason_text() - in words, why a packet was refused
 * @reason: enum ipsec_latch_reason
 *
 * Return: the text, NULL if there is no such reason.
 */
const char *ipsec_latch_reason_text(int reason)
{
	static const char *const texts[] = {
		[IPSEC_LATCH_REASON_NONE]	 = "nothing was refused",
		[IPSEC_LATCH_REASON_IN_CLEAR]	 = "received in clear",
		[IPSEC_LATCH_REASON_IN_CONTEXT]	 = "received under another protection",
		[IPSEC_LATCH_REASON_IN_UNKNOWN]	 = "received under a protection that is not known",
		[IPSEC_LATCH_REASON_OUT_CLEAR]	 = "would have been sent in clear",
		[IPSEC_LATCH_REASON_OUT_CONTEXT] = "would have been sent under another protection",
		[IPSEC_LATCH_REASON_OUT_UNKNOWN] =
			"would have been sent under a protection that is not known",
	};

	if (reason < 0 || reason >= (int)(sizeof(texts) / sizeof(texts[0])))
		return NULL;
	return texts[reason];
}
