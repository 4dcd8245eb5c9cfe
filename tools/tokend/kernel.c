// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel module: telling it of identities, asking which it has, and dealing
 * with requests for SAs.
 *
 * Requests go over the library's socket, which finds the module again after it
 * was loaded anew. A second socket hears of families that come, so that the
 * module is told everything as soon as it is there. Nothing is asked when a
 * family goes: that would make the kernel load the module again right away. A
 * third one hears the module's own events, of which there may be many.
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
static struct mnl_socket *kernel_requests;

/* the module is not there, and has not come since */
static bool kernel_absent;

static int join(const struct mnl_socket *nl, uint32_t group)
{
	int id = group;

	return mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &id, sizeof(id)) ? -errno : 0;
}

static int listener_open(struct mnl_socket **nl)
{
	*nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return *nl && !mnl_socket_bind(*nl, 0, MNL_SOCKET_AUTOPID) ? 0 : -errno;
}

/**
 * kernel_open() - begin
 *
 * The module need not be there.
 *
 * Return: 0 or a negative errno.
 */
int kernel_open(void)
{
	int err = listener_open(&kernel_families), on = 1;

	if (!err)
		err = join(kernel_families, GENL_ID_CTRL);
	if (!err)
		err = listener_open(&kernel_requests);
	/* so that the module can tell an agent that has too much to read from none */
	if (!err && mnl_socket_setsockopt(kernel_requests, NETLINK_BROADCAST_ERROR, &on,
					  sizeof(on)))
		err = -errno;
	return err;
}

/**
 * kernel_close() - end
 */
void kernel_close(void)
{
	if (kernel_families)
		mnl_socket_close(kernel_families);
	if (kernel_requests)
		mnl_socket_close(kernel_requests);
	if (kernel_ipsec)
		ipsec_close(kernel_ipsec);
	kernel_families = NULL;
	kernel_requests = NULL;
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

/* ------------------------------------------------------------------- requests */

static void request_message(const struct nlmsghdr *nlh)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_REQUEST);
	struct request *request;

	request = nest ? message_get_request(mnl_attr_get_payload(nest),
					     mnl_attr_get_payload_len(nest)) : NULL;
	if (request)
		requests_add(request);
	else
		log_event(LOG_LEVEL_WARNING, "kernel: a request makes no sense");
}

/* Answering in the midst of a dump would disturb it. */
struct dumped {
	struct dumped *next;
	struct nlmsghdr message[];
};

static int dump_request(const struct nlmsghdr *nlh, void *data)
{
	struct dumped ***end = data, *dumped;

	dumped = xcalloc(1, sizeof(*dumped) + nlh->nlmsg_len);
	memcpy(dumped->message, nlh, nlh->nlmsg_len);
	**end = dumped;
	*end = &dumped->next;
	return 0;
}

static int group_of_events(uint32_t *group)
{
	int err = ready();

	if (err)
		return err;
	ipsec_enter(kernel_ipsec);
	ipsec_nl_changed(kernel_ipsec);
	err = ipsec_nl_ready(kernel_ipsec);
	*group = kernel_ipsec->group_events;
	ipsec_leave(kernel_ipsec);
	return err;
}

/**
 * kernel_requests_listen() - hear of requests, and of those that wait already
 *
 * To be called again after the module was loaded anew.
 */
void kernel_requests_listen(void)
{
	struct dumped *first = NULL, **end = &first, *dumped;
	uint64_t buf[32];
	uint32_t group = 0;
	int err = group_of_events(&group);

	if (err == -ENOPROTOOPT)
		return;
	if (!err)
		err = join(kernel_requests, group);
	if (!err)
		err = talk(ipsec_nl_request(kernel_ipsec, buf, IPSEC_CMD_REQUEST_GET, NLM_F_DUMP),
			   dump_request, &end);
	/* with what is there twice nothing is wrong, and the rest will be told of */
	if (err && err != -EAGAIN)
		log_event(LOG_LEVEL_ERROR, "requests are not heard of: %s", strerror(-err));
	while ((dumped = first)) {
		first = dumped->next;
		request_message(dumped->message);
		free(dumped);
	}
}

/**
 * kernel_requests_fd() - what to poll for requests
 *
 * Return: the file descriptor.
 */
int kernel_requests_fd(void)
{
	return mnl_socket_get_fd(kernel_requests);
}

static void event_message(const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	if (kernel_ipsec && nlh->nlmsg_type == kernel_ipsec->family &&
	    mnl_nlmsg_get_payload_len(nlh) >= sizeof(*genl) &&
	    genl->cmd == IPSEC_CMD_REQUEST_NTF)
		request_message(nlh);
}

/**
 * kernel_requests_read() - take in requests
 */
void kernel_requests_read(void)
{
	static _Alignas(8) char buf[IPSEC_NL_BUFFER_SIZE];
	struct sockaddr_nl from;
	const struct nlmsghdr *nlh;
	socklen_t size;
	bool lost = false;
	ssize_t len;
	int left;

	for (;;) {
		size = sizeof(from);
		len = recvfrom(kernel_requests_fd(), buf, sizeof(buf), 0,
			       (struct sockaddr *)&from, &size);
		if (len < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (len < 0 && errno != EINTR)
			break;
		left = len;
		for (nlh = (void *)buf; len > 0 && !from.nl_pid && mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			event_message(nlh);
	}
	if (lost) {
		log_event(LOG_LEVEL_NOTICE, "news of requests was lost");
		kernel_requests_listen();
	}
}

/**
 * kernel_result() - tell how a request ended
 * @id: of the request
 * @reason: how
 * @text: for people, NULL: nothing to be said
 */
void kernel_result(uint64_t id, enum ipsec_request_reason reason, const char *text)
{
	uint64_t buf[128];
	struct nlmsghdr *nlh;
	int err = ready();

	if (!err) {
		nlh = ipsec_nl_request(kernel_ipsec, buf, IPSEC_CMD_REQUEST_RESULT, NLM_F_ACK);
		message_put_result(nlh, id, reason, text);
		err = talk(nlh, NULL, NULL);
	}
	/* who asked may be gone */
	if (err && err != -ENOENT && err != -ENOPROTOOPT)
		log_event(LOG_LEVEL_ERROR, "request %llu: the kernel cannot be told: %s",
			  (unsigned long long)id, strerror(-err));
}
