// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latches: what keeps connections to their protection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/**
 * struct latch - as the kernel module tells of it
 * @local: address, the first 4 bytes of an AF_INET one
 * @peer: address likewise
 * @family: of the socket
 * @local_port: in host byte order
 * @peer_port: likewise
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @state: enum ipsec_latch_state
 * @reason: enum ipsec_latch_reason
 * @flags: IPSEC_LATCH_F_*
 * @refused: packets that did not match
 * @context_id: what it is kept to, 0: to none
 * @seen_id: in an event, what the packet came under or would have left under
 * @seen: IPSEC_SOCKET_A_* that the message has
 */
struct latch {
	uint8_t local[16];
	uint8_t peer[16];
	uint16_t family;
	uint16_t local_port;
	uint16_t peer_port;
	uint8_t protocol;
	uint8_t state;
	uint8_t reason;
	uint32_t flags;
	uint32_t refused;
	uint64_t context_id;
	uint64_t seen_id;
	uint64_t seen;
};

static const struct ipsec_field latch_fields[] = {
	[IPSEC_SOCKET_A_FAMILY]	       = IPSEC_FIELD_NEEDED(U16, struct latch, family),
	[IPSEC_SOCKET_A_LOCAL]	       = IPSEC_FIELD_NEEDED(ADDRESS, struct latch, local),
	[IPSEC_SOCKET_A_LOCAL_PORT]    = IPSEC_FIELD_NEEDED(BE16, struct latch, local_port),
	[IPSEC_SOCKET_A_PEER]	       = IPSEC_FIELD_NEEDED(ADDRESS, struct latch, peer),
	[IPSEC_SOCKET_A_PEER_PORT]     = IPSEC_FIELD_NEEDED(BE16, struct latch, peer_port),
	[IPSEC_SOCKET_A_PROTOCOL]      = IPSEC_FIELD_NEEDED(U8, struct latch, protocol),
	[IPSEC_SOCKET_A_CONTEXT_ID]    = IPSEC_FIELD(U64, struct latch, context_id),
	[IPSEC_SOCKET_A_LATCH_STATE]   = IPSEC_FIELD_NEEDED(U8, struct latch, state),
	[IPSEC_SOCKET_A_LATCH_FLAGS]   = IPSEC_FIELD_NEEDED(U32, struct latch, flags),
	[IPSEC_SOCKET_A_LATCH_REASON]  = IPSEC_FIELD_NEEDED(U8, struct latch, reason),
	[IPSEC_SOCKET_A_LATCH_REFUSED] = IPSEC_FIELD_NEEDED(U32, struct latch, refused),
	[IPSEC_SOCKET_A_LATCH_SEEN]    = IPSEC_FIELD(U64, struct latch, seen_id),
};

static int latch_parse(const struct nlmsghdr *nlh, struct latch *latch)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SOCKET);

	memset(latch, 0, sizeof(*latch));
	if (!nest || ipsec_parse_nest(nest, latch_fields, IPSEC_ARRAY_SIZE(latch_fields), latch,
				      &latch->seen))
		return -EPROTO;
	if (!ipsec_latch_state_name(latch->state) || !ipsec_latch_reason_text(latch->reason))
		return -EPROTO;
	return 0;
}

static int latch_read(const struct nlmsghdr *nlh, void **item)
{
	struct latch *latch = malloc(sizeof(*latch));
	int err;

	if (!latch)
		return -ENOMEM;
	err = latch_parse(nlh, latch);
	if (err) {
		free(latch);
		return err;
	}
	*item = latch;
	return 0;
}

static const char *protocol_name(const struct latch *latch)
{
	return latch->protocol == IPPROTO_UDP ? "udp" : "tcp";
}

static bool keeps_to_something(const struct latch *latch)
{
	return latch->state != IPSEC_LATCH_LISTENER &&
	       IPSEC_SEEN(latch->seen, IPSEC_SOCKET_A_CONTEXT_ID);
}

/* Within a JSON object. */
static void latch_fields_json(const struct latch *latch)
{
	char addr[INET6_ADDRSTRLEN];

	json_string("state", ipsec_latch_state_name(latch->state));
	json_string("protocol", protocol_name(latch));
	json_string("family", latch->family == AF_INET ? "inet" : "inet6");
	json_string("local", inet_ntop(latch->family, latch->local, addr, sizeof(addr)));
	json_uint("local-port", latch->local_port);
	if (latch->state == IPSEC_LATCH_LISTENER)
		return;
	json_string("peer", inet_ntop(latch->family, latch->peer, addr, sizeof(addr)));
	json_uint("peer-port", latch->peer_port);
	if (keeps_to_something(latch))
		json_uint("context", latch->context_id);
	json_bool("reset", !!(latch->flags & IPSEC_LATCH_F_RESET));
	json_uint("refused", latch->refused);
	if (latch->reason)
		json_string("reason", ipsec_latch_reason_text(latch->reason));
	if (IPSEC_SEEN(latch->seen, IPSEC_SOCKET_A_LATCH_SEEN))
		json_uint("seen-context", latch->seen_id);
}

static enum colour state_colour(const struct latch *latch)
{
	switch (latch->state) {
	case IPSEC_LATCH_ESTABLISHED:
		return COLOUR_GOOD;
	case IPSEC_LATCH_BROKEN:
		return COLOUR_BAD;
	default:
		return COLOUR_NONE;
	}
}

static void end_text(char *text, size_t size, uint16_t family, const uint8_t *address,
		     uint16_t port)
{
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(family, address, addr, sizeof(addr));
	snprintf(text, size, family == AF_INET ? "%s:%u" : "[%s]:%u", addr, port);
}

#define END_SIZE (INET6_ADDRSTRLEN + 10)

static void latch_row(struct table *table, const struct latch *latch)
{
	bool listener = latch->state == IPSEC_LATCH_LISTENER;
	char end[END_SIZE];

	table_cell(table, state_colour(latch), "%s", ipsec_latch_state_name(latch->state));
	table_cell(table, COLOUR_NONE, "%s", protocol_name(latch));
	end_text(end, sizeof(end), latch->family, latch->local, latch->local_port);
	table_cell(table, COLOUR_NONE, "%s", end);
	end_text(end, sizeof(end), latch->family, latch->peer, latch->peer_port);
	table_cell(table, COLOUR_NONE, "%s", listener ? "-" : end);
	if (!keeps_to_something(latch))
		table_cell(table, COLOUR_NONE, "-");
	else if (latch->context_id)
		table_cell(table, COLOUR_NONE, "ctx %" PRIu64, latch->context_id);
	else
		table_cell(table, COLOUR_NONE, "none");
	table_cell(table, COLOUR_NONE, "%s", listener ? "-" :
		   latch->flags & IPSEC_LATCH_F_RESET ? "reset" : "stall");
	if (latch->reason)
		table_cell(table, COLOUR_DOUBT, "%" PRIu32 ", the last %s", latch->refused,
			   ipsec_latch_reason_text(latch->reason));
	else
		table_cell(table, COLOUR_NONE, listener ? "-" : "0");
}

/**
 * latch_list() - ipsec-token latch list
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int latch_list(int argc, char **argv)
{
	static const char *const heads[] = { "STATE", "PROTO", "LOCAL", "PEER", "KEPT TO",
					     "IF BROKEN", "REFUSED" };
	struct list list = { 0 };
	struct table *table = NULL;
	struct ipsec *ipsec;
	size_t i;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	if (admin_dump(ipsec, IPSEC_CMD_LATCH_GET, latch_read, &list)) {
		list_free(&list);
		return admin_failed(ipsec);
	}
	ipsec_close(ipsec);

	if (output.json)
		json_open(NULL, '[');
	else
		table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
	for (i = 0; i < list.count; i++) {
		if (!output.json) {
			latch_row(table, list.item[i]);
			continue;
		}
		json_open(NULL, '{');
		latch_fields_json(list.item[i]);
		json_close();
	}
	if (output.json)
		json_close();
	else
		table_print(table);
	list_free(&list);
	return EXIT_OK;
}

/**
 * latch_tell() - print what did not match a latch
 * @nlh: event
 *
 * Return: 0, or -EPROTO if it makes no sense.
 */
int latch_tell(const struct nlmsghdr *nlh)
{
	char local[END_SIZE], peer[END_SIZE];
	struct latch latch;

	if (latch_parse(nlh, &latch))
		return -EPROTO;
	if (output.json) {
		latch_fields_json(&latch);
		return 0;
	}
	end_text(local, sizeof(local), latch.family, latch.local, latch.local_port);
	end_text(peer, sizeof(peer), latch.family, latch.peer, latch.peer_port);
	printf(" %s %s %s %s, kept to ", protocol_name(&latch), local, peer,
	       ipsec_latch_reason_text(latch.reason));
	if (latch.context_id)
		printf("ctx %" PRIu64, latch.context_id);
	else
		printf("none");
	if (latch.seen_id)
		printf(", not ctx %" PRIu64, latch.seen_id);
	printf(", %s", ipsec_latch_state_name(latch.state));
	return 0;
}
