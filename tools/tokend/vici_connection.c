// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection with a VICI server: segments of bytes in both directions. It
 * never blocks, and is given up at the first thing that is not understood.
 *
 * Since a server deals with one request of a connection after the other, there
 * may be several connections. They share a descriptor to be polled.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "vici_connection.h"

/* a few requests, each of which is a few names */
#define OUT_SIZE 4096

/* a segment's length, in front of it */
#define HEAD_SIZE 4

/**
 * struct vici_connection - a connection
 * @fd: never blocks
 * @epoll: where it is waited for
 * @handler: called with every packet
 * @data: for @handler
 * @in: what was received and not yet handled
 * @in_len: bytes of that
 * @out: what is yet to be sent
 * @out_len: bytes of that
 */
struct vici_connection {
	int fd;
	int epoll;
	vici_handler_t handler;
	void *data;
	uint8_t *in;
	size_t in_len;
	uint8_t out[OUT_SIZE];
	size_t out_len;
};

static int watch(struct vici_connection *connection, int operation)
{
	struct epoll_event event = {
		.events = connection->out_len ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = connection,
	};

	return epoll_ctl(connection->epoll, operation, connection->fd, &event) ? -errno : 0;
}

/**
 * vici_connect() - connect with a server
 * @path: of its socket
 * @epoll: descriptor to wait for it, see vici_ready()
 * @handler: called with every packet
 * @data: for @handler
 *
 * Return: the connection, or NULL with errno set.
 */
struct vici_connection *vici_connect(const char *path, int epoll, vici_handler_t handler,
				     void *data)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct vici_connection *connection;
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return NULL;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = errno;
		close(fd);
		errno = err;
		return NULL;
	}
	connection = xcalloc(1, sizeof(*connection));
	connection->fd = fd;
	connection->epoll = epoll;
	connection->handler = handler;
	connection->data = data;
	connection->in = xcalloc(1, HEAD_SIZE + VICI_SEGMENT_MAX);
	err = watch(connection, EPOLL_CTL_ADD);
	if (err) {
		vici_disconnect(connection);
		errno = -err;
		return NULL;
	}
	return connection;
}

/**
 * vici_disconnect() - end a connection
 * @connection: or NULL
 */
void vici_disconnect(struct vici_connection *connection)
{
	if (!connection)
		return;
	close(connection->fd);
	free(connection->in);
	free(connection);
}

/**
 * vici_ready() - which connection has something to be done
 * @epoll: that connections were given
 *
 * Return: one for vici_process(), NULL: none.
 */
struct vici_connection *vici_ready(int epoll)
{
	struct epoll_event event;

	/* one only: the next may be gone when this one was dealt with */
	return epoll_wait(epoll, &event, 1, 0) == 1 ? event.data.ptr : NULL;
}

static int handle(struct vici_connection *connection, const uint8_t *data, size_t len)
{
	struct vici_packet_view packet;
	struct vici_message message;
	char name[256];
	int err;

	err = vici_packet_parse(data, len, &packet);
	if (!err)
		err = vici_message_parse(packet.message, packet.message_len, &message);
	if (err)
		return err;
	memcpy(name, packet.name ? packet.name : "", packet.name_len);
	name[packet.name_len] = '\0';
	connection->handler(packet.type, name, &message, connection->data);
	vici_message_free(&message);
	return 0;
}

static int handle_all(struct vici_connection *connection)
{
	const uint8_t *at = connection->in;
	size_t left = connection->in_len, len;
	int err;

	while (left >= HEAD_SIZE) {
		len = (size_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
		if (len > VICI_SEGMENT_MAX)
			return -EBADMSG;
		if (left < HEAD_SIZE + len)
			break;
		err = handle(connection, at + HEAD_SIZE, len);
		if (err)
			return err;
		at += HEAD_SIZE + len;
		left -= HEAD_SIZE + len;
	}
	memmove(connection->in, at, left);
	connection->in_len = left;
	return 0;
}

static int flush(struct vici_connection *connection)
{
	size_t before = connection->out_len;
	ssize_t len;

	if (!before)
		return 0;
	len = send(connection->fd, connection->out, before, MSG_NOSIGNAL);
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	if (len > 0) {
		connection->out_len -= len;
		memmove(connection->out, connection->out + len, connection->out_len);
	}
	return watch(connection, EPOLL_CTL_MOD);
}

/**
 * vici_process() - send and receive what can be, and handle it
 * @connection: a connection
 *
 * Return: 0, or a negative errno after which the connection is of no more use:
 * -EBADMSG if something was not understood, -ECONNRESET at its end.
 */
int vici_process(struct vici_connection *connection)
{
	ssize_t len;
	int err;

	err = flush(connection);
	if (err)
		return err;
	/* not for ever, others want to be heard too; poll tells of the rest */
	len = recv(connection->fd, connection->in + connection->in_len,
		   HEAD_SIZE + VICI_SEGMENT_MAX - connection->in_len, 0);
	if (!len)
		return -ECONNRESET;
	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	connection->in_len += len;
	return handle_all(connection);
}

/**
 * vici_send() - send a request
 * @connection: a connection
 * @type: VICI_CMD_REQUEST, VICI_EVENT_REGISTER or VICI_EVENT_UNREGISTER
 * @name: of the command or event
 * @values: its content, names and values by turns, with NULL at the end; or NULL
 *
 * Return: 0, -ENOBUFS or what sending failed with.
 */
int vici_send(struct vici_connection *connection, enum vici_packet type, const char *name,
	      const char *const *values)
{
	uint8_t *buf = connection->out + connection->out_len;
	size_t size = OUT_SIZE - connection->out_len, len;

	len = vici_packet_put(buf, size, type, name);
	for (; len && values && *values; values += 2)
		len = vici_value_put(buf, size, len, values[0], values[1]);
	if (!len)
		return -ENOBUFS;
	connection->out_len += len;
	return flush(connection);
}
