// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Talking with the kernel module over generic netlink.
 *
 * Two sockets: one for requests and their replies, the other, which never
 * blocks, for the group "changes" and for the news that the module came or
 * went (unloading ends a membership without a word to the member).
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* the one group that generic netlink itself has, about families */
#define GENL_GROUP_NOTIFY GENL_ID_CTRL

/*
 * Room for a handful of messages is enough: that some were lost says the same
 * as the messages do.
 */
#define CHANGES_RCVBUF 4096

static int option_on(const struct mnl_socket *nl, int option)
{
	int on = 1;

	return mnl_socket_setsockopt(nl, option, &on, sizeof(on)) ? -errno : 0;
}

static int group_join(const struct mnl_socket *nl, uint32_t group)
{
	int id = group;

	return mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &id, sizeof(id)) ? -errno : 0;
}

static int socket_open(struct mnl_socket **out, int flags)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | flags);
	int err;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID)) {
		err = -errno;
		mnl_socket_close(nl);
		return err;
	}
	*out = nl;
	return 0;
}

static int sockets_open(struct ipsec *ipsec)
{
	int size = CHANGES_RCVBUF;
	int err;

	err = socket_open(&ipsec->nl, 0);
	if (err)
		return err;
	/* without these there is no text of the kernel's, but all else works */
	option_on(ipsec->nl, NETLINK_EXT_ACK);
	option_on(ipsec->nl, NETLINK_CAP_ACK);

	err = socket_open(&ipsec->changes, SOCK_NONBLOCK);
	if (!err)
		err = group_join(ipsec->changes, GENL_GROUP_NOTIFY);
	if (err) {
		ipsec_nl_close(ipsec);
		return err;
	}
	setsockopt(mnl_socket_get_fd(ipsec->changes), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

/**
 * ipsec_nl_close() - close the sockets, and forget what was learnt from them
 * @ipsec: handle
 *
 * Context: with the lock of the handle held.
 */
void ipsec_nl_close(struct ipsec *ipsec)
{
	if (ipsec->nl)
		mnl_socket_close(ipsec->nl);
	if (ipsec->changes)
		mnl_socket_close(ipsec->changes);
	ipsec->nl = NULL;
	ipsec->changes = NULL;
	ipsec->family = 0;
	ipsec_cache_drop(&ipsec->cache);
}

/* Keep the kernel's own words, if there are any. */
static int kernel_error(struct ipsec *ipsec, const struct nlmsghdr *nlh, size_t offset, int err)
{
	const struct nlattr *attr;
	int len;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) || offset > mnl_nlmsg_get_payload_len(nlh))
		return ipsec_fail(ipsec, err, NULL);

	mnl_attr_for_each(attr, nlh, offset) {
		if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_MSG)
			continue;
		len = mnl_attr_get_payload_len(attr);
		if (len)
			return ipsec_fail(ipsec, err, "%.*s", len, mnl_attr_get_str(attr));
	}
	return ipsec_fail(ipsec, err, NULL);
}

static int error_message(struct ipsec *ipsec, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *msg = mnl_nlmsg_get_payload(nlh);
	size_t offset = sizeof(*msg);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return ipsec_fail(ipsec, -EPROTO, NULL);
	if (!msg->error)
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && msg->msg.nlmsg_len > sizeof(msg->msg))
		offset += msg->msg.nlmsg_len - sizeof(msg->msg);
	return kernel_error(ipsec, nlh, offset, msg->error < 0 ? msg->error : -EPROTO);
}

static int done_message(struct ipsec *ipsec, const struct nlmsghdr *nlh)
{
	int err = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
	return err < 0 ? kernel_error(ipsec, nlh, sizeof(err), err) : 0;
}

/* One datagram of the kernel's, and of nobody else's. */
static ssize_t receive(struct ipsec *ipsec)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = ipsec->buf, .iov_len = IPSEC_NL_BUFFER_SIZE };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t len;

	do {
		msg.msg_namelen = sizeof(from);
		len = recvmsg(mnl_socket_get_fd(ipsec->nl), &msg, 0);
	} while ((len < 0 && errno == EINTR) ||
		 (len >= 0 && (msg.msg_namelen != sizeof(from) || from.nl_pid)));

	if (len < 0)
		return -errno;
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}

/**
 * struct exchange - a request under way
 * @seq: its number
 * @dump: it asks for a list
 * @ack: it asks for an acknowledgment
 * @interrupted: the list changed while it was read
 * @done: the last message is in
 * @ret: how it ended
 */
struct exchange {
	uint32_t seq;
	bool dump;
	bool ack;
	bool interrupted;
	bool done;
	int ret;
};

static void message(struct ipsec *ipsec, struct exchange *x, const struct nlmsghdr *nlh,
		    ipsec_nl_cb_t cb, void *data)
{
	int err;

	/* what a request that was given up left behind */
	if (nlh->nlmsg_seq != x->seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		x->interrupted = true;

	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		return;
	case NLMSG_ERROR:
		err = error_message(ipsec, nlh);
		x->done = true;
		break;
	case NLMSG_DONE:
		err = done_message(ipsec, nlh);
		x->done = true;
		break;
	default:
		x->done = !x->dump && !x->ack;
		/* after a failure the rest is read to be out of the way only */
		if (x->ret || !cb)
			return;
		err = cb(nlh, data);
		if (err)
			ipsec_fail(ipsec, err, NULL);
		break;
	}
	if (!x->ret)
		x->ret = err;
}

static int exchange(struct ipsec *ipsec, struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	struct exchange x = {
		.seq = ++ipsec->seq,
		.dump = (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP,
		.ack = nlh->nlmsg_flags & NLM_F_ACK,
	};
	ssize_t len;
	int left;

	nlh->nlmsg_seq = x.seq;
	do {
		len = mnl_socket_sendto(ipsec->nl, nlh, nlh->nlmsg_len);
	} while (len < 0 && errno == EINTR);
	if (len < 0) {
		x.ret = ipsec_fail(ipsec, -errno, NULL);
		ipsec_nl_close(ipsec);
		return x.ret;
	}

	while (!x.done) {
		const struct nlmsghdr *reply = (const struct nlmsghdr *)ipsec->buf;

		len = receive(ipsec);
		if (len < 0) {
			/* the next request starts afresh */
			x.ret = ipsec_fail(ipsec, len, "netlink: %s", strerror(-len));
			ipsec_nl_close(ipsec);
			return x.ret;
		}
		for (left = len; mnl_nlmsg_ok(reply, left); reply = mnl_nlmsg_next(reply, &left))
			message(ipsec, &x, reply, cb, data);
	}
	if (!x.ret && x.interrupted)
		return ipsec_fail(ipsec, -EAGAIN, "the list changed while it was read");
	return x.ret;
}

static void group_read(struct ipsec *ipsec, const struct nlattr *nest)
{
	const struct nlattr *attr;
	const char *name = "";
	uint32_t id = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
		    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
		    !mnl_attr_validate(attr, MNL_TYPE_U32))
			id = mnl_attr_get_u32(attr);
	}
	if (!strcmp(name, IPSEC_GENL_MCGRP_CHANGES))
		ipsec->group_changes = id;
	if (!strcmp(name, IPSEC_GENL_MCGRP_EVENTS))
		ipsec->group_events = id;
}

static int family_read(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *attr, *group;
	struct ipsec *ipsec = data;

	if (mnl_nlmsg_get_payload_len(nlh) < GENL_HDRLEN)
		return -EPROTO;
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    !mnl_attr_validate(attr, MNL_TYPE_U16))
			ipsec->family = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			mnl_attr_for_each_nested(group, attr)
				group_read(ipsec, group);
	}
	return ipsec->family && ipsec->group_changes ? 0 : -EPROTO;
}

/* Asking by name also makes the kernel load the module, if it may. */
static int family_find(struct ipsec *ipsec)
{
	_Alignas(8) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;
	int err;

	nlh->nlmsg_type = GENL_ID_CTRL;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = CTRL_CMD_GETFAMILY;
	genl->version = 1;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, IPSEC_GENL_NAME);

	ipsec->group_changes = 0;
	ipsec->group_events = 0;
	err = exchange(ipsec, nlh, family_read, ipsec);
	if (err == -ENOENT)
		err = ipsec_fail(ipsec, -ENOPROTOOPT, NULL);
	return err;
}

/**
 * ipsec_nl_ready() - make sure that the kernel module can be talked with
 * @ipsec: handle
 *
 * Context: with the lock of the handle held.
 * Return: 0, -ENOPROTOOPT if the kernel module is not loaded, or what opening
 * a socket may fail with.
 */
int ipsec_nl_ready(struct ipsec *ipsec)
{
	int err;

	if (!ipsec->nl) {
		err = sockets_open(ipsec);
		if (err)
			return ipsec_fail(ipsec, err, "netlink: %s", strerror(-err));
	}
	if (ipsec->family)
		return 0;

	/* another family, another module: nothing of the former one holds */
	ipsec_cache_drop(&ipsec->cache);
	err = family_find(ipsec);
	if (!err) {
		err = group_join(ipsec->changes, ipsec->group_changes);
		if (err)
			ipsec_fail(ipsec, err, "netlink group %s: %s",
				   IPSEC_GENL_MCGRP_CHANGES, strerror(-err));
	}
	if (err)
		ipsec->family = 0;
	return err;
}

/**
 * ipsec_nl_changed() - may any answer have changed since this was last asked?
 * @ipsec: handle
 *
 * Context: with the lock of the handle held. Does not block.
 * Return: true if so, or if that cannot be told.
 */
bool ipsec_nl_changed(struct ipsec *ipsec)
{
	struct nlmsghdr nlh;
	bool changed = false;
	ssize_t len;

	if (!ipsec->changes)
		return true;

	for (;;) {
		/* the head alone, the kernel drops the rest of the message */
		len = recv(mnl_socket_get_fd(ipsec->changes), &nlh, sizeof(nlh), MSG_DONTWAIT);
		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return changed;
		changed = true;
		if (len == sizeof(nlh) && nlh.nlmsg_type == GENL_ID_CTRL)
			ipsec->family = 0;
		if (len < 0 && errno != ENOBUFS && errno != EINTR) {
			ipsec_nl_close(ipsec);
			return true;
		}
	}
}

/**
 * ipsec_nl_request() - begin a request
 * @ipsec: handle
 * @buf: for the request, aligned for any type
 * @cmd: IPSEC_CMD_*
 * @flags: NLM_F_ACK, NLM_F_DUMP or 0
 *
 * Return: the request, to be given its attributes, and then to ipsec_nl_talk().
 */
struct nlmsghdr *ipsec_nl_request(struct ipsec *ipsec, void *buf, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = ipsec->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = IPSEC_GENL_VERSION;
	return nlh;
}

/**
 * ipsec_nl_talk() - send a request and take the reply
 * @ipsec: handle
 * @nlh: request
 * @cb: called with every message of the reply, may be NULL; the reply is read
 *	to its end even if it returns an error
 * @data: for @cb
 *
 * Without NLM_F_ACK and NLM_F_DUMP the request must be one that is answered by
 * exactly one message.
 *
 * Context: with the lock of the handle held.
 * Return: 0, -EAGAIN if a list changed while it was read, another error of the
 * kernel's or of @cb's. ipsec_error() has the text.
 */
int ipsec_nl_talk(struct ipsec *ipsec, struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	uint16_t family;
	int err, ready;

	err = ipsec_nl_ready(ipsec);
	if (err)
		return err;
	family = ipsec->family;
	nlh->nlmsg_type = family;
	err = exchange(ipsec, nlh, cb, data);
	if (err != -ENOENT)
		return err;

	/* no such thing, or no such family: was the module loaded anew? */
	ipsec->family = 0;
	ready = ipsec_nl_ready(ipsec);
	if (ready)
		return ready;
	if (ipsec->family == family)
		return err;
	nlh->nlmsg_type = ipsec->family;
	return exchange(ipsec, nlh, cb, data);
}
