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

/* two of the longest identities */
#define KERNEL_REQUEST_SIZE 32768

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

/* What is too long is not available: half a name would be another name. */
static void put_string(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	if (text && *text && strlen(text) <= IPSEC_IDENTITY_MAX_STRING)
		mnl_attr_put_strz(nlh, type, text);
}

/* This one is for people, who can read half of it. */
static void put_audit(struct nlmsghdr *nlh, const char *text)
{
	char cut[IPSEC_IDENTITY_MAX_STRING + 1];

	if (!text || !*text)
		return;
	snprintf(cut, sizeof(cut), "%s", text);
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_AUDIT_STRING, cut);
}

static void put_end(struct nlmsghdr *nlh, const struct identity_end *end)
{
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(end->itoken), end->itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, end->method);
	if (end->id && *end->id && strlen(end->id) <= IPSEC_IDENTITY_MAX_STRING) {
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, end->id_type);
		mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_IKE_ID, end->id);
	}
	put_string(nlh, IPSEC_IDENTITY_A_CA_DN, end->ca_dn);
	put_string(nlh, IPSEC_IDENTITY_A_CERTIFICATE_DN, end->certificate_dn);
	put_string(nlh, IPSEC_IDENTITY_A_PUBKEY_ID, end->pubkey_id);
	put_audit(nlh, end->audit);
}

static void put_identity(struct nlmsghdr *nlh, const struct identity *identity)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY), *local;

	put_end(nlh, &identity->remote);
	if (identity->local.method) {
		local = mnl_attr_nest_start(nlh, IPSEC_IDENTITY_A_LOCAL);
		put_end(nlh, &identity->local);
		mnl_attr_nest_end(nlh, local);
	}
	if (identity->lineage)
		mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE, identity->lineage);
	if (identity->binding_len && identity->binding_len <= IPSEC_IDENTITY_MAX_BINDING)
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_CHANNEL_BINDING, identity->binding_len,
			     identity->binding);
	put_string(nlh, IPSEC_IDENTITY_A_POLICY_NAME, identity->policy);
	put_string(nlh, IPSEC_IDENTITY_A_SOURCE, identity->source);
	mnl_attr_nest_end(nlh, nest);
}

static void put_sa(struct nlmsghdr *nlh, const struct sa_ref *sa)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);

	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, sa->satype);
	mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, sa->family == AF_INET ? 4 : 16,
		     sa->destination);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, sa->spi);
	if (sa->mark)
		mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_MARK, sa->mark);
	mnl_attr_nest_end(nlh, nest);
}

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
	static _Alignas(8) char buf[KERNEL_REQUEST_SIZE];
	struct nlmsghdr *nlh;
	int err = ready();
	size_t i;

	if (err)
		return err;
	nlh = ipsec_nl_request(kernel_ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	put_identity(nlh, identity);
	for (i = 0; i < count; i++)
		put_sa(nlh, &sa[i]);
	return talk(nlh, NULL, NULL);
}

/* -------------------------------------------------------------------- asking */

static char *get_string(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) ? NULL :
	       xstrdup(mnl_attr_get_str(attr));
}

static void get_bytes(const struct nlattr *attr, void *to, size_t len)
{
	if (mnl_attr_get_payload_len(attr) == len)
		memcpy(to, mnl_attr_get_payload(attr), len);
}

static void get_end(const struct nlattr *attr, struct identity_end *end)
{
	switch (mnl_attr_get_type(attr)) {
	case IPSEC_IDENTITY_A_ITOKEN:
		get_bytes(attr, end->itoken, sizeof(end->itoken));
		break;
	case IPSEC_IDENTITY_A_METHOD:
		get_bytes(attr, &end->method, sizeof(end->method));
		break;
	case IPSEC_IDENTITY_A_IKE_ID_TYPE:
		get_bytes(attr, &end->id_type, sizeof(end->id_type));
		break;
	case IPSEC_IDENTITY_A_IKE_ID:
		end->id = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_CA_DN:
		end->ca_dn = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_CERTIFICATE_DN:
		end->certificate_dn = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_PUBKEY_ID:
		end->pubkey_id = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_AUDIT_STRING:
		end->audit = get_string(attr);
		break;
	}
}

static struct identity *get_identity(const struct nlattr *nest)
{
	struct identity *identity = identity_new();
	const struct nlattr *attr, *inner;

	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_IDENTITY_A_LOCAL:
			mnl_attr_for_each_nested(inner, attr)
				get_end(inner, &identity->local);
			break;
		case IPSEC_IDENTITY_A_LINEAGE:
			get_bytes(attr, &identity->lineage, sizeof(identity->lineage));
			break;
		case IPSEC_IDENTITY_A_CHANNEL_BINDING:
			identity->binding_len = mnl_attr_get_payload_len(attr);
			identity->binding = xcalloc(1, identity->binding_len + 1);
			get_bytes(attr, identity->binding, identity->binding_len);
			break;
		case IPSEC_IDENTITY_A_POLICY_NAME:
			identity->policy = get_string(attr);
			break;
		case IPSEC_IDENTITY_A_SOURCE:
			identity->source = get_string(attr);
			break;
		default:
			get_end(attr, &identity->remote);
		}
	}
	return identity;
}

static bool get_sa(const struct nlattr *nest, struct sa_ref *sa)
{
	const struct nlattr *attr;
	size_t len;

	memset(sa, 0, sizeof(*sa));
	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_SA_REF_A_SATYPE:
			get_bytes(attr, &sa->satype, sizeof(sa->satype));
			break;
		case IPSEC_SA_REF_A_DESTINATION:
			len = mnl_attr_get_payload_len(attr);
			if (len != 4 && len != 16)
				return false;
			sa->family = len == 4 ? AF_INET : AF_INET6;
			get_bytes(attr, sa->destination, len);
			break;
		case IPSEC_SA_REF_A_SPI:
			get_bytes(attr, &sa->spi, sizeof(sa->spi));
			break;
		case IPSEC_SA_REF_A_MARK:
			get_bytes(attr, &sa->mark, sizeof(sa->mark));
			break;
		}
	}
	return sa->satype && sa->family && sa->spi;
}

/* Bindings are not heard of one by one: they may be many of one identity. */
static int dump_one(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_IDENTITY);
	const struct nlattr *sa_nest = ipsec_parse_find(nlh, IPSEC_A_SA);
	struct identity **last = data, *identity;
	struct sa_ref sa;

	if (!nest || !sa_nest || !get_sa(sa_nest, &sa))
		return -EPROTO;
	identity = get_identity(nest);
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
