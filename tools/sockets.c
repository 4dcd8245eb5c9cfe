// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP connections and how they are protected.
 *
 * The connections come from the kernel's socket diagnosis, how they are
 * protected from the kernel module, which tells of those that are protected or
 * of which it does not know; all others are in clear. The two are asked one
 * after the other, so a connection that begins or ends in between could look
 * as if it were in clear. Therefore the connections are asked for before and
 * after, and only those that were there both times are listed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "command.h"

/**
 * struct end_points - what tells one connection from another
 * @local: address, the first 4 bytes of an AF_INET one
 * @peer: address likewise
 * @family: of the socket (an AF_INET6 one may have mapped addresses)
 * @local_port: in host byte order
 * @peer_port: likewise
 * @reserved: zero, so that these can be compared as bytes
 * @ifindex: device the socket is bound to, or 0
 */
struct end_points {
	uint8_t local[16];
	uint8_t peer[16];
	uint16_t family;
	uint16_t local_port;
	uint16_t peer_port;
	uint16_t reserved;
	uint32_t ifindex;
};

/**
 * struct connection - as the socket diagnosis tells of it
 * @ends: first, see by_ends()
 * @cookie: tells sockets apart, also those that follow each other
 * @state: TCP_*
 */
struct connection {
	struct end_points ends;
	uint64_t cookie;
	uint8_t state;
};

/**
 * struct answer - as the kernel module tells of it
 * @ends: first, see by_ends()
 * @context_id: what protects it
 * @known: @context_id is valid
 */
struct answer {
	struct end_points ends;
	uint64_t context_id;
	bool known;
};

static const char *const states[] = {
	[TCP_ESTABLISHED] = "ESTAB",
	[TCP_SYN_SENT]	  = "SYN-SENT",
	[TCP_FIN_WAIT1]	  = "FIN-WAIT-1",
	[TCP_FIN_WAIT2]	  = "FIN-WAIT-2",
	[TCP_CLOSE_WAIT]  = "CLOSE-WAIT",
	[TCP_LAST_ACK]	  = "LAST-ACK",
	[TCP_CLOSING]	  = "CLOSING",
};

static int by_ends(const void *a, const void *b)
{
	return memcmp(*(struct end_points *const *)a, *(struct end_points *const *)b,
		      sizeof(struct end_points));
}

static int by_cookie(const void *a, const void *b)
{
	const struct connection *left = *(struct connection *const *)a;
	const struct connection *right = *(struct connection *const *)b;

	return left->cookie < right->cookie ? -1 : left->cookie > right->cookie;
}

static int diag_item(const struct nlmsghdr *nlh, void *data)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);
	struct connection *connection;
	size_t len;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg))
		return MNL_CB_ERROR;
	/* a socket that waits for nothing any more has no states[] */
	if (msg->idiag_state >= IPSEC_ARRAY_SIZE(states) || !states[msg->idiag_state])
		return MNL_CB_OK;

	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return MNL_CB_ERROR;
	len = msg->idiag_family == AF_INET ? 4 : 16;
	memcpy(connection->ends.local, msg->id.idiag_src, len);
	memcpy(connection->ends.peer, msg->id.idiag_dst, len);
	connection->ends.family = msg->idiag_family;
	connection->ends.local_port = ntohs(msg->id.idiag_sport);
	connection->ends.peer_port = ntohs(msg->id.idiag_dport);
	connection->ends.ifindex = msg->id.idiag_if;
	connection->cookie = (uint64_t)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0];
	connection->state = msg->idiag_state;
	list_add(data, connection);
	return MNL_CB_OK;
}

static int diag_dump(struct mnl_socket *nl, uint8_t family, uint32_t seq, struct list *list)
{
	_Alignas(8) char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;
	unsigned int state;
	ssize_t len;
	int ret;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));
	req->sdiag_family = family;
	req->sdiag_protocol = IPPROTO_TCP;
	for (state = 0; state < IPSEC_ARRAY_SIZE(states); state++)
		if (states[state])
			req->idiag_states |= 1U << state;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -1;
	do {
		len = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (len < 0)
			return -1;
		ret = mnl_cb_run(buf, len, seq, mnl_socket_get_portid(nl), diag_item, list);
	} while (ret > MNL_CB_STOP);
	return ret;
}

/* All connections there are just now, of both families. */
static int diag(struct list *list)
{
	struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
	int err = -1;

	if (nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
	    !diag_dump(nl, AF_INET, 1, list) &&
	    !diag_dump(nl, AF_INET6, 2, list))
		err = 0;
	if (err)
		perror("ipsec-token: socket diagnosis");
	if (nl)
		mnl_socket_close(nl);
	return err;
}

static const struct ipsec_field socket_fields[] = {
	[IPSEC_SOCKET_A_FAMILY]	    = IPSEC_FIELD_NEEDED(U16, struct answer, ends.family),
	[IPSEC_SOCKET_A_LOCAL]	    = IPSEC_FIELD_NEEDED(ADDRESS, struct answer, ends.local),
	[IPSEC_SOCKET_A_LOCAL_PORT] = IPSEC_FIELD_NEEDED(BE16, struct answer, ends.local_port),
	[IPSEC_SOCKET_A_PEER]	    = IPSEC_FIELD_NEEDED(ADDRESS, struct answer, ends.peer),
	[IPSEC_SOCKET_A_PEER_PORT]  = IPSEC_FIELD_NEEDED(BE16, struct answer, ends.peer_port),
	[IPSEC_SOCKET_A_IFINDEX]    = IPSEC_FIELD_NEEDED(U32, struct answer, ends.ifindex),
	[IPSEC_SOCKET_A_CONTEXT_ID] = IPSEC_FIELD(U64, struct answer, context_id),
};

static int answer_read(const struct nlmsghdr *nlh, void **item)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_SOCKET);
	struct answer *answer;
	uint64_t seen;

	if (!nest)
		return -EPROTO;
	answer = calloc(1, sizeof(*answer));
	if (!answer)
		return -ENOMEM;
	if (ipsec_parse_nest(nest, socket_fields, IPSEC_ARRAY_SIZE(socket_fields), answer,
			     &seen)) {
		free(answer);
		return -EPROTO;
	}
	answer->known = IPSEC_SEEN(seen, IPSEC_SOCKET_A_CONTEXT_ID);
	*item = answer;
	return 0;
}

/**
 * struct view - everything that was asked
 * @before: connections
 * @answers: of the kernel module, in the order of by_ends()
 * @contexts: in the order of their ids
 * @after: connections, in the order of by_cookie()
 */
struct view {
	struct list before;
	struct list answers;
	struct list contexts;
	struct list after;
};

static int view_take(struct ipsec *ipsec, struct view *view)
{
	if (diag(&view->before)) {
		ipsec_close(ipsec);
		return EXIT_FAILED;
	}
	if (admin_dump(ipsec, IPSEC_CMD_SOCKET_GET, answer_read, &view->answers) ||
	    admin_contexts(ipsec, &view->contexts))
		return admin_failed(ipsec);
	ipsec_close(ipsec);
	if (diag(&view->after))
		return EXIT_FAILED;

	if (view->before.count)
		qsort(view->before.item, view->before.count, sizeof(void *), by_ends);
	if (view->answers.count)
		qsort(view->answers.item, view->answers.count, sizeof(void *), by_ends);
	if (view->after.count)
		qsort(view->after.item, view->after.count, sizeof(void *), by_cookie);
	return EXIT_OK;
}

static void view_free(struct view *view)
{
	list_free(&view->before);
	list_free(&view->answers);
	list_free(&view->contexts);
	list_free(&view->after);
}

static void *find(const struct list *list, const void *key,
		  int (*compare)(const void *a, const void *b))
{
	void **found;

	if (!list->count)
		return NULL;
	found = bsearch(&key, list->item, list->count, sizeof(void *), compare);
	return found ? *found : NULL;
}

static const struct ipsec_context *context_find(const struct list *contexts, uint64_t id)
{
	size_t i;

	for (i = 0; i < contexts->count; i++) {
		const struct ipsec_context *context = contexts->item[i];

		if (context->id == id)
			return context;
	}
	return NULL;
}

/* Several of the same end points, one of them about to go? */
static bool ambiguous(const struct list *list, size_t i)
{
	return (i && !by_ends(&list->item[i - 1], &list->item[i])) ||
	       (i + 1 < list->count && !by_ends(&list->item[i], &list->item[i + 1]));
}

/**
 * struct verdict - how a connection is protected
 * @word: "none", "unknown", "protected", or "-" while there is no connection
 * @answer: of the kernel module, if it is protected
 * @context: what it is protected by, NULL if that is gone meanwhile
 */
struct verdict {
	const char *word;
	const struct answer *answer;
	const struct ipsec_context *context;
};

static struct verdict judge(const struct view *view, size_t i)
{
	const struct connection *connection = view->before.item[i];
	const struct answer *answer = find(&view->answers, &connection->ends, by_ends);
	struct verdict verdict = { .word = "none" };

	if (connection->state == TCP_SYN_SENT) {
		verdict.word = "-";
	} else if (answer && (!answer->known || ambiguous(&view->before, i))) {
		verdict.word = "unknown";
	} else if (answer && answer->context_id) {
		verdict.word = "protected";
		verdict.answer = answer;
		verdict.context = context_find(&view->contexts, answer->context_id);
	}
	return verdict;
}

static void connection_json(const struct connection *connection, const struct verdict *verdict)
{
	const struct end_points *ends = &connection->ends;
	char addr[INET6_ADDRSTRLEN];
	struct identity *identity;

	json_open(NULL, '{');
	json_string("state", states[connection->state]);
	json_string("family", ends->family == AF_INET ? "inet" : "inet6");
	json_string("local", inet_ntop(ends->family, ends->local, addr, sizeof(addr)));
	json_uint("local-port", ends->local_port);
	json_string("peer", inet_ntop(ends->family, ends->peer, addr, sizeof(addr)));
	json_uint("peer-port", ends->peer_port);
	json_string("protection", verdict->word);
	if (verdict->answer)
		json_uint("context", verdict->answer->context_id);
	if (verdict->context) {
		json_bool("privacy", verdict->context->attributes.privacy_protected);
		json_bool("integrity", verdict->context->attributes.integrity_protected);
		json_bool("compression", verdict->context->attributes.compression_available);
		json_bool("tunnel", verdict->context->attributes.tunnel_mode);
		json_bool("end-to-end", verdict->context->attributes.end_to_end);
		identity = context_identity(verdict->context);
		identity_json("identity", identity);
		identity_put(identity);
	}
	json_close();
}

static void end_cell(struct table *table, uint16_t family, const uint8_t *addr, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, addr, text, sizeof(text));
	table_cell(table, COLOUR_NONE, family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

static void connection_row(struct table *table, const struct connection *connection,
			   const struct verdict *verdict)
{
	const struct end_points *ends = &connection->ends;
	struct identity *identity = verdict->context ? context_identity(verdict->context) : NULL;
	char words[WORDS_SIZE];

	table_cell(table, COLOUR_NONE, "%s", states[connection->state]);
	end_cell(table, ends->family, ends->local, ends->local_port);
	end_cell(table, ends->family, ends->peer, ends->peer_port);
	table_cell(table, COLOUR_NONE, "%s", identity_words(identity, words));
	identity_put(identity);
	if (verdict->context)
		table_cell(table, context_colour(verdict->context), "%s ctx %" PRIu64,
			   context_words(verdict->context, words), verdict->answer->context_id);
	else if (verdict->answer)
		table_cell(table, COLOUR_DOUBT, "protected ctx %" PRIu64,
			   verdict->answer->context_id);
	else
		table_cell(table, !strcmp(verdict->word, "none") ? COLOUR_BAD : COLOUR_DOUBT,
			   "%s", verdict->word);
}

static void view_print(const struct view *view)
{
	static const char *const heads[] = { "STATE", "LOCAL", "PEER", "IDENTITY",
					     "PROTECTION" };
	struct table *table = NULL;
	size_t i;

	if (output.json)
		json_open(NULL, '[');
	else
		table = table_new(IPSEC_ARRAY_SIZE(heads), heads);
	for (i = 0; i < view->before.count; i++) {
		const struct connection *connection = view->before.item[i];
		struct verdict verdict;

		if (!find(&view->after, connection, by_cookie))
			continue;
		verdict = judge(view, i);
		if (output.json)
			connection_json(connection, &verdict);
		else
			connection_row(table, connection, &verdict);
	}
	if (output.json)
		json_close();
	else
		table_print(table);
}

/**
 * sockets_list() - ipsec-token sockets
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int sockets_list(int argc, char **argv)
{
	struct view view = { 0 };
	struct ipsec *ipsec;
	int ret;

	if (argc)
		return usage("what is \"%s\"?", argv[0]);
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	ret = view_take(ipsec, &view);
	if (ret == EXIT_OK)
		view_print(&view);
	view_free(&view);
	return ret;
}
