// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever comes over the VICI socket: packets, messages, and what the agent
 * makes of connections and SAs in them.
 */
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "../../tools/tokend/log.h"
#include "../../tools/tokend/sas.h"
#include "../../tools/tokend/strongswan_choice.h"
#include "../../tools/tokend/strongswan_evidence.h"
#include "../../tools/tokend/strongswan_sas.h"
#include "../../tools/tokend/vici_message.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static size_t check_node(const struct vici_node *node, unsigned int depth)
{
	const struct vici_node *child;
	size_t count = 1;

	require(depth <= VICI_DEPTH_MAX + 1);
	require(!node->value || node->value[node->len] == '\0');
	require(!node->first || node->type == VICI_SECTION_START ||
		node->type == VICI_LIST_START);
	for (child = node->first; child; child = child->next) {
		require((node->type == VICI_LIST_START) == (child->type == VICI_LIST_ITEM));
		require(strlen(child->name) <= UINT8_MAX);
		count += check_node(child, depth + 1);
	}
	return count;
}

static int no_bind(const struct sa_ref *sa, size_t count, const struct identity *identity)
{
	(void)sa;
	(void)count;
	(void)identity;
	return 0;
}

static int no_dump(void)
{
	return 0;
}

static const struct sas_kernel no_kernel = { .bind = no_bind, .dump = no_dump };

/* Whatever is chosen has a name that can be sent. */
static void choose(const struct config *config, const struct vici_message *message)
{
	struct request request = {
		.id = 1, .family = AF_INET, .local = { 10, 0, 0, 1 }, .peer = { 10, 0, 0, 2 },
		.local_port = 40000, .peer_port = 80, .protocol = IPPROTO_TCP,
		.who = { .id = "a*", .ca_dn = "CN=a,O=b" },
	};
	struct target target;

	choice_connection(message);
	if (choice_pick(config, &request, &target) == IPSEC_REQUEST_REASON_NONE)
		require(strlen(target.connection) <= UINT8_MAX && strlen(target.part) <= UINT8_MAX);
	choice_clear();
}

static void use(const struct vici_message *message)
{
	static struct config config = {
		.known_keys = "/nonexistent/known-keys", .unique_psk = " a "
	};
	static struct ikes ikes;
	const struct vici_node *section, *children, *node;
	struct ike *ike;

	choose(&config, message);
	evidence_connection(message);
	for (section = message->root.first; section; section = section->next) {
		if (section->type != VICI_SECTION_START)
			continue;
		ike = ike_read(&ikes, section->name, section);
		children = vici_section(section, "child-sas");
		for (node = ike && children ? children->first : NULL; node; node = node->next)
			if (node->type == VICI_SECTION_START)
				child_read(&ikes, ike, node->name, node);
		if (ike)
			ike_identify(ike, &config);
	}
	ikes_list_begin(&ikes);
	ikes_list_end(&ikes, &config);
	require(!ikes_first(&ikes));
	evidence_clear();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level_set(0);
	sas_init(&no_kernel, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vici_packet_view packet;
	struct vici_message message;

	if (vici_packet_parse(data, size, &packet))
		return 0;
	require(packet.name_len + packet.message_len < size);
	if (vici_message_parse(packet.message, packet.message_len, &message))
		return 0;
	require(check_node(&message.root, 0) <= packet.message_len + 1);
	use(&message);
	vici_message_free(&message);
	return 0;
}
