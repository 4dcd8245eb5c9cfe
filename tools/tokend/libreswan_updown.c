// SPDX-License-Identifier: GPL-2.0-only
/*
 * What pluto's updown script says. The script sends variables of its
 * environment as a datagram, NAME=VALUE with a zero byte behind each.
 *
 * It is a hint and no evidence: what has happened is asked of pluto. So the
 * worst that a wrong one can do is to have pluto asked. All the same only root
 * may send, and what is odd about a message has it refused as a whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libreswan_updown.h"
#include "log.h"
#include "text.h"

/* --------------------------------------------------------------------- messages */

static bool spi_read(const char *value, uint32_t *spi)
{
	size_t digits;

	if (strncmp(value, "0x", 2))
		return false;
	digits = strspn(value + 2, "0123456789abcdef");
	if (!digits || digits > 8 || value[2 + digits])
		return false;
	*spi = strtoul(value + 2, NULL, 16);
	return true;
}

static bool text_read(const char *value, const char *allowed, char *to, size_t size)
{
	size_t len = strlen(value);

	if (!len || len >= size || *to || (allowed && strspn(value, allowed) != len) ||
	    !text_good(value))
		return false;
	memcpy(to, value, len + 1);
	return true;
}

/* Returns whether there is nothing wrong with it. */
static bool variable_read(const char *name, const char *value, struct updown *updown,
			  bool spi_seen[2])
{
	int i;

	if (!strcmp(name, "PLUTO_VERB"))
		return text_read(value, "abcdefghijklmnopqrstuvwxyz0123456789-", updown->verb,
				 sizeof(updown->verb));
	if (!strcmp(name, "PLUTO_CONNECTION"))
		return text_read(value, NULL, updown->connection, sizeof(updown->connection));
	for (i = 0; i < 2; i++) {
		if (strcmp(name, i ? "SPI_OUT" : "SPI_IN"))
			continue;
		if (spi_seen[i])
			return false;
		spi_seen[i] = true;
		return spi_read(value, &updown->spi[i]);
	}
	return true;
}

/**
 * updown_parse() - read a message of the script
 * @message: may be anything
 * @len: size of that
 * @updown: set
 * @what: name of the variable that is wrong, or what else is
 *
 * Return: 0 or -EBADMSG.
 */
int updown_parse(const void *message, size_t len, struct updown *updown, const char **what)
{
	static char name[64];
	const char *at = message, *value;
	bool spi_seen[2] = { false, false };
	size_t size;

	memset(updown, 0, sizeof(*updown));
	*what = "size";
	if (!len || len > UPDOWN_MAX || at[len - 1])
		return -EBADMSG;
	for (; len; at += size, len -= size) {
		size = strlen(at) + 1;
		value = strchr(at, '=');
		*what = "name of a variable";
		if (!value || value == at || (size_t)(value - at) >= sizeof(name))
			return -EBADMSG;
		memcpy(name, at, value - at);
		name[value - at] = '\0';
		if (name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")])
			return -EBADMSG;
		*what = name;
		if (!variable_read(name, value + 1, updown, spi_seen))
			return -EBADMSG;
	}
	*what = *updown->verb ? "PLUTO_CONNECTION" : "PLUTO_VERB";
	return *updown->verb && *updown->connection ? 0 : -EBADMSG;
}

/* ----------------------------------------------------------------------- socket */

/* What a killed agent has left is in the way. */
static bool is_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	stale = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
		errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return stale;
}

static void directory_make(const char *path)
{
	char *directory = xstrdup(path), *slash = strrchr(directory, '/');

	if (slash && slash != directory) {
		*slash = '\0';
		if (mkdir(directory, 0700) && errno != EEXIST)
			log_event(LOG_LEVEL_WARNING, "%s: %m", directory);
	}
	free(directory);
}

/**
 * updown_open() - listen to scripts
 * @path: of the socket
 *
 * Return: the file descriptor, or a negative errno.
 */
int updown_open(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, err, on = 1;
	mode_t mask;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ? -errno : 0;
	directory_make(path);
	if (is_stale(&addr))
		unlink(path);
	mask = umask(0177);
	if (!err && bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err = -errno;
	umask(mask);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Only the kernel can tell who has sent it. */
static bool from_root(struct msghdr *msg)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct ucred ucred;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS ||
	    cmsg->cmsg_len < CMSG_LEN(sizeof(ucred)))
		return false;
	memcpy(&ucred, CMSG_DATA(cmsg), sizeof(ucred));
	if (ucred.uid)
		log_event(LOG_LEVEL_WARNING, "libreswan: uid %u must not speak for updown",
			  ucred.uid);
	return !ucred.uid;
}

/**
 * updown_read() - take in what a script says
 * @fd: of the socket
 * @updown: set
 *
 * Return: 0; -EAGAIN if there is nothing more; -EBADMSG if it is to be passed
 * over, which was logged.
 */
int updown_read(int fd, struct updown *updown)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char message[UPDOWN_MAX];
	struct iovec iov = { .iov_base = message, .iov_len = sizeof(message) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	const char *what;
	ssize_t len;

	/* descriptors that come along do not fit, and are closed by the kernel */
	len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (len < 0)
		return -EAGAIN;
	if (!from_root(&msg))
		return -EBADMSG;
	if (msg.msg_flags & MSG_TRUNC)
		len = 0;
	if (!updown_parse(message, len, updown, &what))
		return 0;
	log_event(LOG_LEVEL_WARNING, "libreswan: updown: %s cannot be right", what);
	return -EBADMSG;
}
