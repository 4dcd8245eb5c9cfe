// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encoding and decoding of VICI messages. Nothing here reads from anywhere or
 * keeps anything, so that it can be tested with whatever bytes there are.
 *
 * A message is read in two passes over the same walker: the first finds out
 * whether it is sound and how much memory it takes, the second builds the tree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vici_message.h"

/**
 * struct walk - what remains of an encoded message
 * @at: next byte
 * @left: bytes from there on
 */
struct walk {
	const uint8_t *at;
	size_t left;
};

/**
 * struct element - one of a message, in the memory it was read to
 * @type: enum vici_element
 * @name: not terminated
 * @name_len: its length
 * @value: any bytes
 * @value_len: how many
 */
struct element {
	enum vici_element type;
	const uint8_t *name;
	size_t name_len;
	const uint8_t *value;
	size_t value_len;
};

static bool take(struct walk *walk, size_t len, const uint8_t **out)
{
	if (walk->left < len)
		return false;
	*out = walk->at;
	walk->at += len;
	walk->left -= len;
	return true;
}

static bool take_name(struct walk *walk, struct element *element)
{
	const uint8_t *len;

	return take(walk, 1, &len) && *len && take(walk, *len, &element->name) &&
	       (element->name_len = *len) && !memchr(element->name, 0, *len);
}

static bool take_value(struct walk *walk, struct element *element)
{
	const uint8_t *len;

	if (!take(walk, 2, &len))
		return false;
	element->value_len = (size_t)len[0] << 8 | len[1];
	return take(walk, element->value_len, &element->value);
}

static bool take_element(struct walk *walk, struct element *element)
{
	const uint8_t *type;

	memset(element, 0, sizeof(*element));
	if (!take(walk, 1, &type))
		return false;
	element->type = *type;
	switch (element->type) {
	case VICI_SECTION_START:
	case VICI_LIST_START:
		return take_name(walk, element);
	case VICI_KEY_VALUE:
		return take_name(walk, element) && take_value(walk, element);
	case VICI_LIST_ITEM:
		return take_value(walk, element);
	case VICI_SECTION_END:
	case VICI_LIST_END:
		return true;
	}
	return false;
}

/* Items are in lists and nothing else is; what is opened is closed. */
static bool allowed(enum vici_element type, unsigned int depth, bool in_list)
{
	switch (type) {
	case VICI_LIST_ITEM:
	case VICI_LIST_END:
		return in_list;
	case VICI_SECTION_END:
		return !in_list && depth;
	case VICI_SECTION_START:
		return !in_list && depth < VICI_DEPTH_MAX;
	default:
		return !in_list;
	}
}

static bool measure(const uint8_t *data, size_t len, size_t *nodes, size_t *text)
{
	struct walk walk = { data, len };
	struct element element;
	unsigned int depth = 0;
	bool in_list = false;

	*nodes = 0;
	*text = 0;
	while (walk.left) {
		if (!take_element(&walk, &element) || !allowed(element.type, depth, in_list))
			return false;
		switch (element.type) {
		case VICI_SECTION_START:
			depth++;
			break;
		case VICI_SECTION_END:
			depth--;
			continue;
		case VICI_LIST_START:
			in_list = true;
			break;
		case VICI_LIST_END:
			in_list = false;
			continue;
		default:
			break;
		}
		(*nodes)++;
		*text += element.name_len + element.value_len + 2;
	}
	return !depth && !in_list;
}

static const char *text_put(char **text, const uint8_t *data, size_t len)
{
	char *start = *text;

	if (len)
		memcpy(start, data, len);
	start[len] = '\0';
	*text += len + 1;
	return start;
}

static void build(const uint8_t *data, size_t len, struct vici_message *message)
{
	/* the section or list at each depth, and where its next content goes */
	struct vici_node **tail[VICI_DEPTH_MAX + 2] = { &message->root.first };
	struct walk walk = { data, len };
	struct vici_node *node = message->node;
	char *text = message->text;
	struct element element;
	unsigned int depth = 0;

	while (walk.left && take_element(&walk, &element)) {
		if (element.type == VICI_SECTION_END || element.type == VICI_LIST_END) {
			depth--;
			continue;
		}
		node->type = element.type;
		node->name = text_put(&text, element.name, element.name_len);
		node->value = text_put(&text, element.value, element.value_len);
		node->len = element.value_len;
		*tail[depth] = node;
		tail[depth] = &node->next;
		if (element.type == VICI_SECTION_START || element.type == VICI_LIST_START)
			tail[++depth] = &node->first;
		node++;
	}
}

/**
 * vici_message_parse() - decode a message
 * @data: encoded
 * @len: its size
 * @message: is overwritten; to be given to vici_message_free() if this succeeds
 *
 * Return: 0, -EBADMSG or -ENOMEM.
 */
int vici_message_parse(const uint8_t *data, size_t len, struct vici_message *message)
{
	size_t nodes, text;

	memset(message, 0, sizeof(*message));
	message->root.type = VICI_SECTION_START;
	message->root.name = "";
	if (len > VICI_SEGMENT_MAX || !measure(data, len, &nodes, &text))
		return -EBADMSG;
	message->node = calloc(nodes + 1, sizeof(*message->node));
	message->text = malloc(text + 1);
	if (!message->node || !message->text) {
		vici_message_free(message);
		return -ENOMEM;
	}
	build(data, len, message);
	return 0;
}

/**
 * vici_message_free() - free what vici_message_parse() allocated
 * @message: may be used again
 */
void vici_message_free(struct vici_message *message)
{
	free(message->node);
	free(message->text);
	memset(message, 0, sizeof(*message));
}

/**
 * vici_packet_parse() - take a packet apart
 * @data: a segment without its length
 * @len: its size
 * @packet: points into @data
 *
 * Return: 0, or -EBADMSG: no packet that a server sends.
 */
int vici_packet_parse(const uint8_t *data, size_t len, struct vici_packet_view *packet)
{
	struct walk walk = { data, len };
	struct element name = { 0 };
	const uint8_t *type;

	memset(packet, 0, sizeof(*packet));
	if (len > VICI_SEGMENT_MAX || !take(&walk, 1, &type))
		return -EBADMSG;
	packet->type = *type;
	switch (packet->type) {
	case VICI_CMD_RESPONSE:
		break;
	case VICI_CMD_UNKNOWN:
	case VICI_EVENT_CONFIRM:
	case VICI_EVENT_UNKNOWN:
		if (walk.left)
			return -EBADMSG;
		break;
	case VICI_EVENT:
		if (!take_name(&walk, &name))
			return -EBADMSG;
		break;
	default:
		return -EBADMSG;
	}
	packet->name = (const char *)name.name;
	packet->name_len = name.name_len;
	packet->message = walk.at;
	packet->message_len = walk.left;
	return 0;
}

static const struct vici_node *find(const struct vici_node *parent, enum vici_element type,
				    const char *name)
{
	const struct vici_node *node;

	if (!parent)
		return NULL;
	for (node = parent->first; node; node = node->next)
		if (node->type == type && !strcmp(node->name, name))
			return node;
	return NULL;
}

/**
 * vici_section() - find a section
 * @parent: section it is in, or NULL
 * @name: of it
 *
 * Return: the first of that name, or NULL.
 */
const struct vici_node *vici_section(const struct vici_node *parent, const char *name)
{
	return find(parent, VICI_SECTION_START, name);
}

/**
 * vici_list() - find a list
 * @parent: section it is in, or NULL
 * @name: of it
 *
 * Return: the first of that name, or NULL.
 */
const struct vici_node *vici_list(const struct vici_node *parent, const char *name)
{
	return find(parent, VICI_LIST_START, name);
}

/**
 * vici_value() - find a value of any bytes
 * @parent: section it is in, or NULL
 * @name: of it
 *
 * Return: the first of that name, or NULL.
 */
const struct vici_node *vici_value(const struct vici_node *parent, const char *name)
{
	return find(parent, VICI_KEY_VALUE, name);
}

/**
 * vici_string() - find a value that is text
 * @parent: section it is in, or NULL
 * @name: of it
 *
 * Return: the text, or NULL if there is none or if it has a zero in it.
 */
const char *vici_string(const struct vici_node *parent, const char *name)
{
	const struct vici_node *node = vici_value(parent, name);

	return node && strlen(node->value) == node->len ? node->value : NULL;
}

/**
 * vici_number() - find a value that is a number
 * @parent: section it is in, or NULL
 * @name: of it
 * @base: 10 or 16
 * @number: set if there is one
 *
 * Return: whether there is one, with nothing before and after its digits.
 */
bool vici_number(const struct vici_node *parent, const char *name, int base, uint32_t *number)
{
	const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
	const char *text = vici_string(parent, name);
	unsigned long long value;

	if (!text || !*text || strlen(text) > 10 || text[strspn(text, digits)])
		return false;
	value = strtoull(text, NULL, base);
	if (value > UINT32_MAX)
		return false;
	*number = value;
	return true;
}

/* The segment begins with the length of what follows it. */
static size_t length_put(uint8_t *buf, size_t at)
{
	uint32_t len = at - 4;

	buf[0] = len >> 24;
	buf[1] = len >> 16;
	buf[2] = len >> 8;
	buf[3] = len;
	return at;
}

/**
 * vici_packet_put() - begin a packet with its segment's length, and its name
 * @buf: for the segment
 * @size: of it
 * @type: enum vici_packet
 * @name: of the command or event, at most 255 bytes
 *
 * Return: bytes written, 0 if there is no room.
 */
size_t vici_packet_put(uint8_t *buf, size_t size, enum vici_packet type, const char *name)
{
	size_t len = strlen(name);

	if (len > UINT8_MAX || size < 6 + len)
		return 0;
	buf[4] = type;
	buf[5] = len;
	memcpy(buf + 6, name, len);
	return length_put(buf, 6 + len);
}

/**
 * vici_value_put() - add a value to the implicit section of a packet
 * @buf: that vici_packet_put() began
 * @size: of it
 * @at: what vici_packet_put() or this function returned last
 * @name: at most 255 bytes
 * @value: text
 *
 * Return: bytes written so far, 0 if there is no room.
 */
size_t vici_value_put(uint8_t *buf, size_t size, size_t at, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	if (!at || name_len > UINT8_MAX || value_len > UINT16_MAX ||
	    size - at < 4 + name_len + value_len)
		return 0;
	buf[at++] = VICI_KEY_VALUE;
	buf[at++] = name_len;
	memcpy(buf + at, name, name_len);
	at += name_len;
	buf[at++] = value_len >> 8;
	buf[at++] = value_len & 0xff;
	memcpy(buf + at, value, value_len);
	return length_put(buf, at + value_len);
}
