/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection with a VICI server.
 */
#ifndef TOKEND_VICI_CONNECTION_H
#define TOKEND_VICI_CONNECTION_H

#include "vici_message.h"

struct vici_connection;

/**
 * typedef vici_handler_t - called with every packet
 * @type: VICI_CMD_RESPONSE, VICI_CMD_UNKNOWN, VICI_EVENT_CONFIRM,
 *	VICI_EVENT_UNKNOWN or VICI_EVENT
 * @name: of an event, or ""
 * @message: its content
 * @data: as given
 */
typedef void (*vici_handler_t)(enum vici_packet type, const char *name,
			       const struct vici_message *message, void *data);

struct vici_connection *vici_connect(const char *path, int epoll, vici_handler_t handler,
				     void *data);
void vici_disconnect(struct vici_connection *connection);
struct vici_connection *vici_ready(int epoll);
int vici_process(struct vici_connection *connection);
int vici_send(struct vici_connection *connection, enum vici_packet type, const char *name,
	      const char *const *values);

#endif /* TOKEND_VICI_CONNECTION_H */
