// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel module: telling it of identities, and asking which it has.
 *
 * Requests go over the library's socket, which finds the module again after it
 * was loaded anew. A second socket hears of families that come, so that the
 * module is told everything as soon as it is there. Nothing is asked when a
 * family goes: that would make the kernel load the module again right away.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../lib/internal.h"
#include "kernel.h"
#include "log.h"
#include "message.h"

static struct ipsec *kernel_ipsec;
static struct mnl_socket *kernel_families;

/* the module is not there, and has not come since */
static bool kernel_absent;

/**
 * kernel_open() - begin
 *
 * The module need not be there.
 *
 * Return: 0 or a negative errno.
 */
int kernel_open(void)
{
	int group = GENL_ID_CTRL;

	kernel_families = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!kernel_families || mnl_socket_bind(kernel_families, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(kernel_families, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	return 0;
}

/**
 * kernel_close() - end
 */
void kernel_close(void)
{
	if (kernel_families)
		mnl_socket_close(kernel_families);
	if (kernel_ipsec)
		ipsec_close(kernel_ipsec);
	kernel_families = NULL;
	kernel_ipsec = NULL;
}

/**
 * kernel_fd() - what to poll for news of the module
 *
 * Return: the file descriptor.
 */
int kernel_fd(void)
{
	return mnl_socket_get_fd(kernel_families);
}

static bool is_ours(const struct nlmsghdr *nlh)
{
	const struct nlattr *name = ipsec_parse_find(nlh, CTRL_ATTR_FAMILY_NAME);

	return name && !mnl_attr_validate(name, MNL_TYPE_NUL_STRING) &&
	       !strcmp(mnl_attr_get_str(name), IPSEC_GENL_NAME);
}

/* Whether the module came. */
static bool family_message(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != GENL_ID_CTRL || mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl) ||
	    !is_ours(nlh))
		return false;
	if (genl->cmd == CTRL_CMD_DELFAMILY) {
		kernel_absent = true;
		log_event(LOG_LEVEL_NOTICE, "kernel module unloaded");
	}
	if (genl->cmd == CTRL_CMD_NEWFAMILY) {
		kernel_absent = false;
		log_event(LOG_LEVEL_NOTICE, "kernel module loaded");
	}
	return genl->cmd == CTRL_CMD_NEWFAMILY;
}

/**
 * kernel_read() - take in the news of the module
 *
 * Return: whether it may have been loaded anew.
 */
bool kernel_read(void)
{
	static _Alignas(8) char buf[32768];
	const struct nlmsghdr *nlh;
	bool came = false;
	ssize_t len;
	int left;

	for (;;) {
		len = recv(mnl_socket_get_fd(kernel_families), buf, sizeof(buf), 0);
		if (len < 0 && errno == ENOBUFS) {
			kernel_absent = false;
			came = true;
		} else if (len < 0 && errno != EINTR) {
			return came;
		}
		left = len;
		for (nlh = (void *)buf; len > 0 && mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			came |= family_message(nlh);
	}
}

/* ------------------------------------------------------------------- telling */

/* Make sure that there is somebody to talk with. */
static int ready(void)
{
	int err = -ENOPROTOOPT;

	if (!kernel_absent)
		err = kernel_ipsec ? 0 : ipsec_open(&kernel_ipsec);
	if (err == -ENOPROTOOPT && !kernel_absent) {
		kernel_absent = true;
		log_event(LOG_LEVEL_WARNING, "kernel module not loaded");
	}
	return err;
}

static int talk(struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	int err;

	ipsec_enter(kernel_ipsec);
	/* the module may have been loaded anew in the meantime */
	ipsec_nl_changed(kernel_ipsec);
	err = ipsec_nl_talk(kernel_ipsec, nlh, cb, data);
	if (err && err != -ENOPROTOOPT && err != -ENOENT && err != -ESRCH)
		log_event(LOG_LEVEL_DEBUG, "kernel: %s", kernel_ipsec->error);
	ipsec_leave(kernel_ipsec);
	if (err == -ENOPROTOOPT)
		kernel_absent = true;
	return err;
}

static int kernel_bind(const struct sa_ref *sa, size_t count, const struct identity *identity)
{
	static _Alignas(8) char buf[MESSAGE_SIZE];
	struct nlmsghdr *nlh;
	int err = ready();
	size_t i;

	if (err)
		return err;
	nlh = ipsec_nl_request(kernel_ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	message_put_identity(nlh, identity);
	for (i = 0; i < count; i++)
		message_put_sa(nlh, &sa[i]);
	return talk(nlh, NULL, NULL);
}

/* -------------------------------------------------------------------- asking */

/* Bindings are not heard of one by one: they may be many of one identity. */
static int dump_one(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_IDENTITY);
	const struct nlattr *sa_nest = ipsec_parse_find(nlh, IPSEC_A_SA);
	struct identity **last = data, *identity;
	struct sa_ref sa;

	if (!nest || !sa_nest || !message_get_sa(sa_nest, &sa))
		return -EPROTO;
	identity = message_get_identity(mnl_attr_get_payload(nest),
					mnl_attr_get_payload_len(nest));
	if (!identity->remote.method) {
		identity_put(identity);
		return -EPROTO;
	}
	/* the two SAs of a pair often follow each other */
	if (*last && identity_equal(*last, identity)) {
		identity_put(identity);
	} else {
		identity_put(*last);
		*last = identity;
	}
	sas_bound(&sa, *last);
	return 0;
}

static int kernel_dump(void)
{
	_Alignas(8) char buf[256];
	struct identity *last = NULL;
	int err = ready(), tries;
	struct nlmsghdr *nlh;

	if (err)
		return err;
	for (tries = 0; tries < 10; tries++) {
		nlh = ipsec_nl_request(kernel_ipsec, buf, IPSEC_CMD_IDENTITY_GET, NLM_F_DUMP);
		err = talk(nlh, dump_one, &last);
		if (err != -EAGAIN)
			break;
	}
	identity_put(last);
	return err;
}

const struct sas_kernel kernel_ops = {
	.bind = kernel_bind,
	.dump = kernel_dump,
};
