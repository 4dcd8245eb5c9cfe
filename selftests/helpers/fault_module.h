/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module while helpers/fault.c makes what it does fail: loaded or not, asked
 * over netlink, and listened to by the host right.
 */
#ifndef FAULT_MODULE_H
#define FAULT_MODULE_H

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hosts.h"

#define SILENT		(-ETIME)	/* nobody was told, nor that something is lost */

static const char *module, *path_name;

/* ----------------------------------------------------------------- failing */

static inline void parameter_write(const char *name, unsigned int value)
{
	char path[80], text[16];
	int fd, len;

	snprintf(path, sizeof(path), "/sys/module/fail/parameters/%s", name);
	len = snprintf(text, sizeof(text), "%u", value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != len)
		err(1, "%s", path);
	close(fd);
}

static inline const char *parameter_read(const char *name)
{
	static char text[256];
	char path[80];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/fail/parameters/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		err(1, "%s", path);
	close(fd);
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* ---------------------------------------------------------------- the module */

static bool ready;	/* it is loaded, and there are handles and listeners */

static inline bool loaded(void)
{
	return !access("/sys/module/ipsec_token", F_OK);
}

static inline int load(void)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		err(1, "%s", module);
	ready = false;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static inline int unload(void)
{
	ready = false;
	return syscall(SYS_delete_module, "ipsec_token", O_NONBLOCK) ? -errno : 0;
}

static inline int request(int host, uint8_t cmd, uint16_t flags,
			  void (*put)(struct nlmsghdr *nlh), ipsec_nl_cb_t cb, void *data)
{
	_Alignas(8) char buffer[8192];
	struct nlmsghdr *nlh;
	int ret;

	/* a failure may have made the handle close its sockets: it opens others */
	enter(host);
	nlh = ipsec_nl_request(ipsec[host], buffer, cmd, flags);
	if (put)
		put(nlh);
	ipsec_enter(ipsec[host]);
	ret = ipsec_nl_talk(ipsec[host], nlh, cb, data);
	ipsec_leave(ipsec[host]);
	return ret;
}

static uint32_t linger;

static inline void put_linger(struct nlmsghdr *nlh)
{
	mnl_attr_put_u32(nlh, IPSEC_A_LINGER, linger);
}

static struct mnl_socket *listeners[2];		/* to events, and to changes */

static inline void listen_to(struct mnl_socket **nl, int group)
{
	int size = 1 << 20;

	if (*nl)
		mnl_socket_close(*nl);
	*nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
	if (!*nl || mnl_socket_bind(*nl, 0, MNL_SOCKET_AUTOPID) ||
	    setsockopt(mnl_socket_get_fd(*nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    mnl_socket_setsockopt(*nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		err(1, "listener");
}

/* The module is loaded, nothing in it outlives its use, and right listens. */
static inline void be_loaded(void)
{
	int ret, host;

	if (ready)
		return;
	ret = loaded() ? 0 : load();
	if (ret)
		errx(1, "%s: load: %s", path_name, strerror(-ret));
	for (host = LEFT; host <= RIGHT; host++) {
		if (ipsec[host])
			ipsec_close(ipsec[host]);
		enter(host);
		if (ipsec_open(&ipsec[host]) ||
		    request(host, IPSEC_CMD_CONFIG_SET, NLM_F_ACK, put_linger, NULL, NULL))
			errx(1, "%s: netlink", path_name);
	}
	listen_to(&listeners[0], ipsec[RIGHT]->group_events);
	listen_to(&listeners[1], ipsec[RIGHT]->group_changes);
	ready = true;
}

static inline void be_unloaded(void)
{
	int i, ret = -EBUSY;

	for (i = 0; i < PATIENCE / 10 && loaded(); i++) {
		ret = unload();
		if (ret)
			usleep(10000);
	}
	if (loaded())
		errx(1, "%s: unload: %s", path_name, strerror(-ret));
}

/*
 * The same, and in each path for the first time with nothing left of former ones: that
 * memory was short, or that an agent has spoken.
 */
static inline void be_fresh(void)
{
	static const char *fresh;

	if (fresh != path_name)
		be_unloaded();
	fresh = path_name;
	be_loaded();
}

static inline void forget_news(void)
{
	char data[64];
	int i;

	for (i = 0; i < 2; i++)
		while (recv(mnl_socket_get_fd(listeners[i]), data, sizeof(data), 0) >= 0 ||
		       errno == ENOBUFS)
			;
}

/* Has the listener been told, or been told that something is lost? */
static inline int heard(int listener, int milliseconds)
{
	struct pollfd wait = {
		.fd = mnl_socket_get_fd(listeners[listener]), .events = POLLIN,
	};
	char data[64];

	if (poll(&wait, 1, milliseconds) != 1)
		return SILENT;
	return recv(wait.fd, data, sizeof(data), 0) < 0 ? -errno : 0;
}

#endif /* FAULT_MODULE_H */
