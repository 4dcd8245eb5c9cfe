// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which SAs the namespace has: the list, and news of SAs that come and go.
 *
 * What xfrm says of an SA contains its keys. They are wiped from our memory as
 * soon as a message was looked at, and nothing here reads them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/ipsec.h>
#include <linux/pfkeyv2.h>
#include <linux/xfrm.h>
#include <netinet/in.h>

#include "log.h"
#include "sas.h"
#include "xfrm.h"

/* thousands of SAs may come and go at a time */
#define XFRM_RCVBUF (4 * 1024 * 1024)

static struct mnl_socket *xfrm_nl;
static _Alignas(8) char xfrm_buf[65536];

static int group_join(struct mnl_socket *nl, int group)
{
	return mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ?
	       -errno : 0;
}

/**
 * xfrm_open() - begin to listen
 *
 * Return: 0 or a negative errno.
 */
int xfrm_open(void)
{
	int size = XFRM_RCVBUF, fd, err;

	xfrm_nl = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!xfrm_nl)
		return -errno;
	fd = mnl_socket_get_fd(xfrm_nl);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	err = mnl_socket_bind(xfrm_nl, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!err)
		err = group_join(xfrm_nl, XFRMNLGRP_SA);
	if (!err)
		err = group_join(xfrm_nl, XFRMNLGRP_EXPIRE);
	if (err)
		xfrm_close();
	return err;
}

/**
 * xfrm_close() - listen no more
 */
void xfrm_close(void)
{
	if (xfrm_nl)
		mnl_socket_close(xfrm_nl);
	xfrm_nl = NULL;
}

/**
 * xfrm_fd() - what to poll for news
 *
 * Return: the file descriptor.
 */
int xfrm_fd(void)
{
	return mnl_socket_get_fd(xfrm_nl);
}

/* Other protocols than these two have no identities: IPComp is not one's own. */
static uint8_t satype(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_ESP:
		return SADB_SATYPE_ESP;
	case IPPROTO_AH:
		return SADB_SATYPE_AH;
	default:
		return 0;
	}
}

static bool ref_read(const struct nlmsghdr *nlh, size_t head, const xfrm_address_t *daddr,
		     uint32_t spi, uint8_t proto, uint16_t family, struct sa_ref *ref)
{
	const struct nlattr *attr;

	memset(ref, 0, sizeof(*ref));
	ref->satype = satype(proto);
	if (!ref->satype || (family != AF_INET && family != AF_INET6))
		return false;
	ref->family = family;
	memcpy(ref->destination, daddr, family == AF_INET ? 4 : 16);
	ref->spi = spi;
	mnl_attr_for_each(attr, nlh, head)
		if (mnl_attr_get_type(attr) == XFRMA_MARK &&
		    mnl_attr_get_payload_len(attr) >= sizeof(struct xfrm_mark))
			ref->mark = ((const struct xfrm_mark *)mnl_attr_get_payload(attr))->v;
	return true;
}

static bool sa_read(const struct nlmsghdr *nlh, struct sa_ref *ref)
{
	const struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(nlh);

	return mnl_nlmsg_get_payload_len(nlh) >= sizeof(*info) &&
	       ref_read(nlh, sizeof(*info), &info->id.daddr, info->id.spi, info->id.proto,
			info->family, ref);
}

static void message(const struct nlmsghdr *nlh, bool *news)
{
	const void *payload = mnl_nlmsg_get_payload(nlh);
	size_t len = mnl_nlmsg_get_payload_len(nlh);
	struct sa_ref ref;

	switch (nlh->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		if (sa_read(nlh, &ref)) {
			sas_exists(&ref);
			*news = true;
		}
		break;
	case XFRM_MSG_DELSA: {
		const struct xfrm_usersa_id *id = payload;

		if (len >= sizeof(*id) && ref_read(nlh, sizeof(*id), &id->daddr, id->spi,
						   id->proto, id->family, &ref))
			sas_gone(&ref);
		break;
	}
	case XFRM_MSG_EXPIRE: {
		const struct xfrm_user_expire *expire = payload;

		if (len >= sizeof(*expire) && expire->hard &&
		    ref_read(nlh, sizeof(*expire), &expire->state.id.daddr,
			     expire->state.id.spi, expire->state.id.proto,
			     expire->state.family, &ref))
			sas_gone(&ref);
		break;
	}
	case XFRM_MSG_FLUSHSA: {
		const struct xfrm_usersa_flush *flush = payload;

		if (len >= sizeof(*flush) && (satype(flush->proto) || !flush->proto ||
					      flush->proto == IPSEC_PROTO_ANY))
			sas_gone_all(satype(flush->proto));
		break;
	}
	}
}

/* One datagram. Returns its length, with the buffer still to be wiped. */
static ssize_t receive(struct mnl_socket *nl)
{
	struct sockaddr_nl from;
	socklen_t from_len = sizeof(from);
	ssize_t len;

	do {
		len = recvfrom(mnl_socket_get_fd(nl), xfrm_buf, sizeof(xfrm_buf), 0,
			       (struct sockaddr *)&from, &from_len);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return from_len == sizeof(from) && !from.nl_pid ? len : 0;
}

/**
 * xfrm_read() - take in all news there are
 * @news: set if there are SAs that were not there before
 *
 * Return: 0; -ENOBUFS if some were lost, so that xfrm_list() is called for;
 * another negative errno.
 */
int xfrm_read(bool *news)
{
	const struct nlmsghdr *nlh;
	ssize_t len;
	int left;

	for (;;) {
		len = receive(xfrm_nl);
		if (len == -EAGAIN || len == -EWOULDBLOCK)
			return 0;
		if (len < 0)
			return len;
		left = len;
		for (nlh = (void *)xfrm_buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			message(nlh, news);
		explicit_bzero(xfrm_buf, len);
	}
}

/* Returns 1 while there is more to come. */
static int list_part(const struct nlmsghdr *nlh, int left)
{
	struct sa_ref ref;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 0;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (nlh->nlmsg_type == XFRM_MSG_NEWSA && sa_read(nlh, &ref))
			sas_exists(&ref);
	}
	return 1;
}

static int list_once(void)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(xfrm_buf);
	struct mnl_socket *nl;
	ssize_t len;
	int err;

	/* only what is asked for comes by this one, and it may block */
	nl = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	if (!nl)
		return -errno;
	nlh->nlmsg_type = XFRM_MSG_GETSA;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ||
	      mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0 ? -errno : 1;
	while (err == 1) {
		len = receive(nl);
		err = len < 0 ? len : list_part((void *)xfrm_buf, len);
		if (len > 0)
			explicit_bzero(xfrm_buf, len);
	}
	mnl_socket_close(nl);
	return err;
}

/**
 * xfrm_list() - read the list of SAs
 *
 * News that come meanwhile wait; an SA that went while it was read is among
 * them.
 *
 * Return: 0 or a negative errno, with the table of SAs as it was.
 */
int xfrm_list(void)
{
	int err, tries;

	sas_begin();
	for (tries = 0; tries < 10; tries++) {
		err = list_once();
		if (err != -EAGAIN)
			break;
	}
	if (err)
		return err;
	sas_end();
	return 0;
}
