/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of strongSwan's VICI protocol: a tree of sections, lists and values.
 */
#ifndef TOKEND_VICI_MESSAGE_H
#define TOKEND_VICI_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* longest segment that the protocol has */
#define VICI_SEGMENT_MAX (512 * 1024)

/* sections in sections; charon itself needs five */
#define VICI_DEPTH_MAX 16

enum vici_packet {
	VICI_CMD_REQUEST,
	VICI_CMD_RESPONSE,
	VICI_CMD_UNKNOWN,
	VICI_EVENT_REGISTER,
	VICI_EVENT_UNREGISTER,
	VICI_EVENT_CONFIRM,
	VICI_EVENT_UNKNOWN,
	VICI_EVENT,
};

enum vici_element {
	VICI_SECTION_START = 1,
	VICI_SECTION_END,
	VICI_KEY_VALUE,
	VICI_LIST_START,
	VICI_LIST_ITEM,
	VICI_LIST_END,
};

/**
 * struct vici_node - a section, a value, a list or one of its items
 * @type: VICI_SECTION_START, VICI_KEY_VALUE, VICI_LIST_START or VICI_LIST_ITEM
 * @name: ends in zero, which it does not contain otherwise; "" for items
 * @value: of a value or item; ends in a zero that does not count
 * @len: of @value
 * @first: what a section or list contains
 * @next: the one after it in the same section or list
 */
struct vici_node {
	enum vici_element type;
	const char *name;
	const char *value;
	size_t len;
	struct vici_node *first;
	struct vici_node *next;
};

/**
 * struct vici_message - a message
 * @root: its implicit section
 * @text: memory for all names and values
 * @node: memory for all nodes
 */
struct vici_message {
	struct vici_node root;
	char *text;
	struct vici_node *node;
};

/**
 * struct vici_packet_view - a packet, in the memory it was read to
 * @type: enum vici_packet
 * @name: not terminated
 * @name_len: 0: a packet that has no name
 * @message: encoded
 * @message_len: its size
 */
struct vici_packet_view {
	enum vici_packet type;
	const char *name;
	size_t name_len;
	const uint8_t *message;
	size_t message_len;
};

int vici_packet_parse(const uint8_t *data, size_t len, struct vici_packet_view *packet);
int vici_message_parse(const uint8_t *data, size_t len, struct vici_message *message);
void vici_message_free(struct vici_message *message);

const struct vici_node *vici_section(const struct vici_node *parent, const char *name);
const struct vici_node *vici_list(const struct vici_node *parent, const char *name);
const struct vici_node *vici_value(const struct vici_node *parent, const char *name);
const char *vici_string(const struct vici_node *parent, const char *name);
bool vici_number(const struct vici_node *parent, const char *name, int base, uint32_t *number);

size_t vici_packet_put(uint8_t *buf, size_t size, enum vici_packet type, const char *name);
size_t vici_value_put(uint8_t *buf, size_t size, size_t at, const char *name, const char *value);

#endif /* TOKEND_VICI_MESSAGE_H */
