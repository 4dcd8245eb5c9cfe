// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What an application requires of a socket.
 *
 * To the kernel it is a stream of netlink attributes: the value of a socket option,
 * or a nest in a message.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/**
 * struct ipsec_request - a request
 * @flags: IPSEC_REQUEST_F_*
 * @methods: bit 1 << enum ipsec_auth_method of those that will do, 0: any
 * @timeout: of a negotiation, in milliseconds, 0: the kernel's own
 * @id_type: ID_* of RFC 7296, -1: any
 * @has_itoken: @itoken is required
 * @itoken: its value
 * @peer: by IPSEC_IDENTITY_A_*, NULL: any
 */
struct ipsec_request {
	uint32_t flags;
	uint32_t methods;
	uint32_t timeout;
	int id_type;
	bool has_itoken;
	uint8_t itoken[IPSEC_ITOKEN_SIZE];
	char *peer[IPSEC_IDENTITY_A_MAX + 1];
};

#define ALL_FLAGS (IPSEC_REQUEST_F_PRIVACY | IPSEC_REQUEST_F_INTEGRITY | \
		   IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION | \
		   IPSEC_REQUEST_F_END_TO_END | IPSEC_REQUEST_F_LOOPBACK)
#define ALL_METHODS ((1U << (IPSEC_AUTH_MAX + 1)) - 2)

/**
 * ipsec_request_new() - a request that asks for IPsec, and nothing more
 * @request: set to it, to be freed with ipsec_request_free()
 *
 * Return: 0 or -ENOMEM.
 */
int ipsec_request_new(struct ipsec_request **request)
{
	struct ipsec_request *out = calloc(1, sizeof(*out));

	*request = out;
	if (!out)
		return -ENOMEM;
	out->id_type = -1;
	return 0;
}

/**
 * ipsec_request_free() - free a request
 * @request: or NULL; sockets it was applied to keep to it
 */
void ipsec_request_free(struct ipsec_request *request)
{
	unsigned int i;

	if (!request)
		return;
	for (i = 0; i <= IPSEC_IDENTITY_A_MAX; i++)
		free(request->peer[i]);
	free(request);
}

/**
 * ipsec_request_set_flags() - require attributes
 * @request: request
 * @flags: IPSEC_REQUEST_F_*; those left out are not required
 *
 * Return: 0, -EINVAL for flags that there are not, or that exclude each other.
 */
int ipsec_request_set_flags(struct ipsec_request *request, uint32_t flags)
{
	const uint32_t both = IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION;

	if (flags & ~ALL_FLAGS || (flags & both) == both)
		return -EINVAL;
	request->flags = flags;
	return 0;
}

/**
 * ipsec_request_set_words() - require attributes, by name
 * @request: request
 * @words: privacy, integrity, compression, no-compression, end-to-end, loopback, with
 *	commas in between; an empty text requires none
 *
 * Return: 0, -EINVAL for a word that there is not, or that excludes another one.
 */
int ipsec_request_set_words(struct ipsec_request *request, const char *words)
{
	static const struct {
		const char *word;
		uint32_t flag;
	} known[] = {
		{ "privacy", IPSEC_REQUEST_F_PRIVACY },
		{ "integrity", IPSEC_REQUEST_F_INTEGRITY },
		{ "compression", IPSEC_REQUEST_F_COMPRESSION },
		{ "no-compression", IPSEC_REQUEST_F_NO_COMPRESSION },
		{ "end-to-end", IPSEC_REQUEST_F_END_TO_END },
		{ "loopback", IPSEC_REQUEST_F_LOOPBACK },
	};
	uint32_t flags = 0;
	unsigned int i;
	size_t len;

	if (!*words)
		return ipsec_request_set_flags(request, 0);
	for (;; words += len + 1) {
		len = strcspn(words, ",");
		for (i = 0; i < IPSEC_ARRAY_SIZE(known); i++)
			if (strlen(known[i].word) == len && !memcmp(known[i].word, words, len))
				break;
		if (i == IPSEC_ARRAY_SIZE(known))
			return -EINVAL;
		flags |= known[i].flag;
		if (!words[len])
			return ipsec_request_set_flags(request, flags);
	}
}

/**
 * ipsec_request_set_methods() - which ways of authenticating the peer will do
 * @request: request
 * @methods: bit 1 << enum ipsec_auth_method for each, 0: any, even that there is
 *	nobody yet who could tell
 *
 * Return: 0, -EINVAL for methods that there are not.
 */
int ipsec_request_set_methods(struct ipsec_request *request, uint32_t methods)
{
	if (methods & ~ALL_METHODS)
		return -EINVAL;
	request->methods = methods;
	return 0;
}

/**
 * ipsec_request_set_timeout() - how long a negotiation may take
 * @request: request
 * @milliseconds: from 1 to 600000, 0: as the kernel sees fit
 *
 * Return: 0, -EINVAL for more.
 */
int ipsec_request_set_timeout(struct ipsec_request *request, uint32_t milliseconds)
{
	if (milliseconds > IPSEC_REQUEST_MAX_TIMEOUT)
		return -EINVAL;
	request->timeout = milliseconds;
	return 0;
}

/**
 * ipsec_request_set_itoken() - require a peer by its iToken
 * @request: request
 * @itoken: the peer's, NULL: any
 *
 * Return: 0, -ENODATA for a peer that was not authenticated.
 */
int ipsec_request_set_itoken(struct ipsec_request *request, const struct ipsec_itoken *itoken)
{
	request->has_itoken = false;
	return itoken ? ipsec_itoken_value(itoken, request->itoken, &request->has_itoken) : 0;
}

static bool is_peer_attr(int attr)
{
	return attr == IPSEC_IDENTITY_A_IKE_ID || attr == IPSEC_IDENTITY_A_CA_DN ||
	       attr == IPSEC_IDENTITY_A_CERTIFICATE_DN || attr == IPSEC_IDENTITY_A_PUBKEY_ID;
}

/**
 * ipsec_request_set_peer() - require a peer by an attribute of its iToken
 * @request: request
 * @attr: IPSEC_IDENTITY_A_IKE_ID, IPSEC_IDENTITY_A_CA_DN,
 *	IPSEC_IDENTITY_A_CERTIFICATE_DN or IPSEC_IDENTITY_A_PUBKEY_ID
 * @pattern: what it must be, as the iToken has it, with a * for any number of any
 *	characters; NULL: anything, or nothing
 *
 * Return: 0, -EINVAL for other attributes, or if the pattern is empty or longer than
 * IPSEC_IDENTITY_MAX_STRING, -ENOMEM.
 */
int ipsec_request_set_peer(struct ipsec_request *request, enum ipsec_identity_attr attr,
			   const char *pattern)
{
	char *copy = NULL;

	if (!is_peer_attr(attr))
		return -EINVAL;
	if (pattern) {
		if (!*pattern || strlen(pattern) > IPSEC_IDENTITY_MAX_STRING)
			return -EINVAL;
		copy = strdup(pattern);
		if (!copy)
			return -ENOMEM;
	}
	free(request->peer[attr]);
	request->peer[attr] = copy;
	return 0;
}

/**
 * ipsec_request_set_ike_id_type() - of which type the peer's IKE identity must be
 * @request: request
 * @type: ID_* of RFC 7296 section 3.5, -1: any
 *
 * Return: 0, -EINVAL for what is no type.
 */
int ipsec_request_set_ike_id_type(struct ipsec_request *request, int type)
{
	if (type < -1 || type > UINT8_MAX)
		return -EINVAL;
	request->id_type = type;
	return 0;
}

/**
 * ipsec_request_flags() - which attributes are required
 * @request: request
 *
 * Return: IPSEC_REQUEST_F_*.
 */
uint32_t ipsec_request_flags(const struct ipsec_request *request)
{
	return request->flags;
}

/**
 * ipsec_request_methods() - which ways of authenticating the peer will do
 * @request: request
 *
 * Return: bit 1 << enum ipsec_auth_method for each, 0: any.
 */
uint32_t ipsec_request_methods(const struct ipsec_request *request)
{
	return request->methods;
}

/**
 * ipsec_request_timeout() - how long a negotiation may take
 * @request: request
 *
 * Return: milliseconds, 0: as the kernel sees fit.
 */
uint32_t ipsec_request_timeout(const struct ipsec_request *request)
{
	return request->timeout;
}

/**
 * ipsec_request_itoken() - who must be at the other end
 * @request: request
 * @itoken: set to the peer's iToken, to be freed with ipsec_itoken_free()
 *
 * Return: 0, -ENODATA if it may be any, -ENOMEM.
 */
int ipsec_request_itoken(const struct ipsec_request *request, struct ipsec_itoken **itoken)
{
	*itoken = NULL;
	if (!request->has_itoken)
		return -ENODATA;
	return ipsec_itoken_of_value(request->itoken, itoken);
}

/**
 * ipsec_request_peer() - what an attribute of the peer's iToken must be
 * @request: request
 * @attr: as of ipsec_request_set_peer()
 *
 * Return: the pattern, valid until the request is changed or freed, NULL: anything.
 */
const char *ipsec_request_peer(const struct ipsec_request *request, enum ipsec_identity_attr attr)
{
	return is_peer_attr(attr) ? request->peer[attr] : NULL;
}

/**
 * ipsec_request_ike_id_type() - of which type the peer's IKE identity must be
 * @request: request
 *
 * Return: ID_* of RFC 7296, -ENODATA: any.
 */
int ipsec_request_ike_id_type(const struct ipsec_request *request)
{
	return request->id_type < 0 ? -ENODATA : request->id_type;
}

/* ------------------------------------------------------------- to the kernel, and back */

static void put_peer(struct nlmsghdr *nlh, const struct ipsec_request *request)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_REQUEST_A_IDENTITY);
	const void *begin = mnl_nlmsg_get_payload_tail(nlh);
	unsigned int i;

	if (request->has_itoken)
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, IPSEC_ITOKEN_SIZE, request->itoken);
	if (request->id_type >= 0)
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, request->id_type);
	for (i = 0; i <= IPSEC_IDENTITY_A_MAX; i++)
		if (request->peer[i])
			mnl_attr_put_strz(nlh, i, request->peer[i]);
	/* it has no length of its own before it ends */
	if (mnl_nlmsg_get_payload_tail(nlh) != begin)
		mnl_attr_nest_end(nlh, nest);
	else
		mnl_attr_nest_cancel(nlh, nest);
}

/* A message has room for IPSEC_REQUEST_MAX_SIZE, which is more than there can be. */
static void put_request(struct nlmsghdr *nlh, const struct ipsec_request *request)
{
	mnl_attr_put_u32(nlh, IPSEC_REQUEST_A_FLAGS, request->flags);
	if (request->methods)
		mnl_attr_put_u32(nlh, IPSEC_REQUEST_A_METHODS, request->methods);
	if (request->timeout)
		mnl_attr_put_u32(nlh, IPSEC_REQUEST_A_TIMEOUT, request->timeout);
	put_peer(nlh, request);
}

/**
 * ipsec_request_apply() - let nothing pass but what meets a request
 * @request: request, NULL: take back the one that was applied, while that is
 *	possible
 * @fd: TCP socket before connect(2), or listening, or to be so; or UDP socket
 *
 * Return: 0; -EISCONN if the socket is connected or about to be; -EPERM if it was
 * accepted; -EBUSY if something else handles the receiving of the UDP socket;
 * -EINVAL if the kernel does not understand it; -EDQUOT if the user has too many;
 * -EOPNOTSUPP for other kinds of sockets; -ENOPROTOOPT if the kernel module is not
 * loaded; -ENOMEM, -EBADF, -ENOTSOCK.
 */
int ipsec_request_apply(const struct ipsec_request *request, int fd)
{
	char buf[MNL_NLMSG_HDRLEN + IPSEC_REQUEST_MAX_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	if (request)
		put_request(nlh, request);
	if (setsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, mnl_nlmsg_get_payload(nlh),
		       mnl_nlmsg_get_payload_len(nlh)))
		return ipsec_socket_error(fd, -errno);
	return 0;
}

static int read_peer(struct ipsec_request *request, const struct nlattr *nest)
{
	const struct nlattr *attr;
	int err = 0;

	mnl_attr_for_each_nested(attr, nest) {
		const void *data = mnl_attr_get_payload(attr);
		uint16_t type = mnl_attr_get_type(attr);
		uint16_t len = mnl_attr_get_payload_len(attr);

		if (type == IPSEC_IDENTITY_A_ITOKEN && len == IPSEC_ITOKEN_SIZE) {
			memcpy(request->itoken, data, IPSEC_ITOKEN_SIZE);
			request->has_itoken = true;
		} else if (type == IPSEC_IDENTITY_A_IKE_ID_TYPE && len == 1) {
			request->id_type = *(const uint8_t *)data;
		} else if (is_peer_attr(type) && len && !((const char *)data)[len - 1]) {
			err = ipsec_request_set_peer(request, type, data);
		} else {
			err = -EPROTO;
		}
		if (err)
			return err == -EINVAL ? -EPROTO : err;
	}
	return 0;
}

static int read_request(struct ipsec_request *request, const void *data, size_t size)
{
	const struct nlattr *attr = data;
	const char *end = (const char *)data + size;
	uint32_t value;
	int err;

	for (; mnl_attr_ok(attr, end - (const char *)attr); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == IPSEC_REQUEST_A_IDENTITY) {
			err = read_peer(request, attr);
			if (err)
				return err;
			continue;
		}
		if (mnl_attr_get_payload_len(attr) != sizeof(value))
			return -EPROTO;
		value = mnl_attr_get_u32(attr);
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_REQUEST_A_FLAGS:
			request->flags = value;
			break;
		case IPSEC_REQUEST_A_METHODS:
			request->methods = value;
			break;
		case IPSEC_REQUEST_A_TIMEOUT:
			request->timeout = value;
			break;
		}
	}
	return (const char *)attr < end ? -EPROTO : 0;
}

/**
 * ipsec_request_from_fd() - what is required of a socket
 * @fd: TCP or UDP socket
 * @request: set to a copy of it, to be freed with ipsec_request_free()
 *
 * Return: 0, -ENODATA if nothing is, -EOPNOTSUPP, -ENOPROTOOPT, -EBADF and
 * -ENOTSOCK as of ipsec_request_apply(), -ENOMEM, -EPROTO.
 */
int ipsec_request_from_fd(int fd, struct ipsec_request **request)
{
	uint32_t buf[IPSEC_REQUEST_MAX_SIZE / sizeof(uint32_t)];
	socklen_t len = sizeof(buf);
	int err;

	*request = NULL;
	if (getsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, buf, &len))
		return ipsec_socket_error(fd, -errno);
	if (!len)
		return -ENODATA;
	err = ipsec_request_new(request);
	if (!err)
		err = read_request(*request, buf, len);
	if (err) {
		ipsec_request_free(*request);
		*request = NULL;
	}
	return err;
}

/**
 * ipsec_request_cgroup() - let nothing pass but what meets a request, for all
 *	sockets of a control group
 * @ipsec: handle
 * @request: request
 * @cgroup_fd: directory of a cgroup of version 2, of which the caller is part and
 *	which it may write to
 *
 * It holds for sockets made in the group or below from now on, for as long as the
 * group is there, and for them for as long as they are.
 *
 * Return: 0; -EPERM if the group is not the caller's; -EEXIST if it has another
 * request already; -EDQUOT if the user has too many; -EBADF if it is no directory of
 * a cgroup; -ENOMEM; or an error of netlink. ipsec_error() has it in words.
 */
int ipsec_request_cgroup(struct ipsec *ipsec, const struct ipsec_request *request, int cgroup_fd)
{
	char buf[MNL_NLMSG_HDRLEN + IPSEC_REQUEST_MAX_SIZE + 256];
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	int ret;

	ipsec_enter(ipsec);
	ret = ipsec_nl_ready(ipsec);
	if (!ret) {
		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_REQUEST_CGROUP, NLM_F_ACK);
		mnl_attr_put_u32(nlh, IPSEC_A_CGROUP_FD, cgroup_fd);
		nest = mnl_attr_nest_start(nlh, IPSEC_A_REQUEST);
		put_request(nlh, request);
		mnl_attr_nest_end(nlh, nest);
		ret = ipsec_nl_talk(ipsec, nlh, NULL, NULL);
	}
	ipsec_leave(ipsec);
	return ret;
}

/**
 * ipsec_request_status() - how the request of a socket is met, or why it is not
 * @fd: TCP or UDP socket
 * @status: filled in; without a request its state is IPSEC_REQUEST_ABSENT
 *
 * Return: 0, or an error as of ipsec_request_from_fd().
 */
int ipsec_request_status(int fd, struct ipsec_request_status *status)
{
	struct ipsec_request_status answer;
	socklen_t len = sizeof(answer);

	if (getsockopt(fd, SOL_IP, IPSEC_SO_REQUEST_STATUS, &answer, &len))
		return ipsec_socket_error(fd, -errno);
	if (len != sizeof(answer))
		return -EPROTO;
	answer.text[IPSEC_REQUEST_MAX_TEXT] = '\0';
	*status = answer;
	return 0;
}

/**
 * ipsec_request_reason_text() - in words, why a request is not met
 * @reason: enum ipsec_request_reason
 *
 * Return: the text, NULL if there is no such reason.
 */
const char *ipsec_request_reason_text(int reason)
{
	static const char *const texts[] = {
		[IPSEC_REQUEST_REASON_NONE]	= "nothing was refused",
		[IPSEC_REQUEST_REASON_NO_SA]	= "no IPsec, and nobody who could negotiate it",
		[IPSEC_REQUEST_REASON_REFUSED]	= "the peer refused to negotiate",
		[IPSEC_REQUEST_REASON_WEAKER]	= "protects less than is required",
		[IPSEC_REQUEST_REASON_IDENTITY]	= "the peer is not the one that is required",
		[IPSEC_REQUEST_REASON_METHOD]	=
			"the peer is not authenticated as is required",
		[IPSEC_REQUEST_REASON_TIMEOUT]	= "no IPsec in time",
		[IPSEC_REQUEST_REASON_UNKNOWN]	= "what protects it is not known",
		[IPSEC_REQUEST_REASON_LIMIT]	= "too many requests",
	};

	if (reason < 0 || reason >= (int)IPSEC_ARRAY_SIZE(texts))
		return NULL;
	return texts[reason];
}
