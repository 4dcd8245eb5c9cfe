// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/ipsec_token.h>
#include <linux/pfkeyv2.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "random.h"

#define DEPTH		3	/* of nests; deeper ones are left empty */
#define VALUE_SIZE	4352	/* more than any may have */

/* -------------------------------------------------------------------- values */

/* What makes a good request meet what is there: by the names of attributes. */
static bool number_known(const struct spec_attr *attr, uint64_t *state,
			 const struct known *known, uint64_t *value)
{
	if (!strcmp(attr->name, "ptoken"))
		*value = known->ptoken;
	else if (!strcmp(attr->name, "context-id"))
		*value = known->context_id - below(state, 4);
	else if (!strcmp(attr->name, "spi"))
		*value = htonl(known->spi + below(state, 2));
	else if (!strcmp(attr->name, "mark"))
		*value = 0;
	else if (!strcmp(attr->name, "satype"))
		*value = 3 - once_in(state, 8);
	else if (!strcmp(attr->name, "lineage"))
		*value = below(state, 3);
	else if (!strcmp(attr->name, "linger"))
		*value = below(state, 3);
	else if (!strcmp(attr->name, "cgroup-fd"))
		*value = known->cgroup_fd;
	else if (!strcmp(attr->name, "id"))
		*value = known->negotiation;
	else if (!strcmp(attr->name, "flags"))
		*value = below(state, 64);
	else if (!strcmp(attr->name, "methods"))
		*value = 2 * below(state, 1024);
	else
		return false;
	return true;
}

static uint64_t number_make(const struct spec_attr *attr, uint64_t *state,
			    const struct known *known)
{
	static const uint64_t edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, 1ULL << 63, -2ULL, -1ULL,
	};
	uint64_t value;

	if (!once_in(state, 4) && number_known(attr, state, known, &value))
		return value;
	if (attr->max)
		return attr->min + below(state, attr->max - attr->min + 1);
	if (once_in(state, 2))
		return edges[below(state, sizeof(edges) / sizeof(edges[0]))];
	return next(state);
}

/* Returns how many bytes there are now at @to. */
static size_t string_make(const struct spec_attr *attr, uint64_t *state, char *to)
{
	static const char * const names[] = {
		"rfc4106(gcm(aes))", "cbc(aes)", "cbc(des)", "hmac(sha256)", "ecb(cipher_null)",
		"digest_null", "deflate",
	};
	size_t i, length, most = attr->most ?: 600;

	if (!strcmp(attr->name, "algorithm-name") && !once_in(state, 4)) {
		strcpy(to, names[below(state, sizeof(names) / sizeof(names[0]))]);
		return strlen(to) + 1;
	}
	length = once_in(state, 4) ? most - below(state, 3) : below(state, 24);
	for (i = 0; i < length; i++)
		to[i] = once_in(state, 64) ? 1 + below(state, 255) : 'a' + below(state, 26);
	to[i] = '\0';
	return length + 1;
}

/* Of the hosts left and right. */
static const char * const addresses[] = { "10.0.0.1", "10.0.0.2" };

static size_t binary_make(const struct spec_attr *attr, uint64_t *state, uint8_t *to)
{
	static const size_t lengths[] = { 0, 1, 3, 4, 5, 8, 15, 16, 17, 32, 91, 512, 1500 };
	size_t i, length;

	if (!strcmp(attr->name, "destination") && !once_in(state, 8)) {
		inet_pton(AF_INET, addresses[below(state, 2)], to);
		return 4;
	}
	length = lengths[below(state, sizeof(lengths) / sizeof(lengths[0]))];
	if (attr->most && (length > attr->most || once_in(state, 4)))
		length = attr->most - below(state, 3);
	if (length < attr->least)
		length = attr->least;
	if (attr->exact)
		length = attr->exact;
	/* few that differ, so that identities are met again */
	if (attr->exact && !once_in(state, 4)) {
		memset(to, below(state, 4), length);
		return length;
	}
	for (i = 0; i < length; i++)
		to[i] = next(state);
	return length;
}

/* Operations that take some of a set only, as its text has it. */
static bool belongs(const struct spec_op *op, const struct spec_set *set,
		    const struct spec_attr *attr)
{
	static const struct {
		const char *op, *set, *names;
	} parts[] = {
		{ "request-cgroup", "request", " flags methods timeout identity " },
		{ "request-result", "request", " id reason text " },
	};
	char name[SPEC_NAME + 2];
	size_t i;

	snprintf(name, sizeof(name), " %s ", attr->name);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(parts[i].op, op->name) && !strcmp(parts[i].set, set->name))
			return strstr(parts[i].names, name);
	return true;
}

/* One of the two SAs of esp-gcm that lib.sh makes, and that stay. */
static void lasting_sa_put(struct nlmsghdr *nlh, uint64_t *state)
{
	unsigned int from = below(state, 2);
	uint8_t to[4];

	inet_pton(AF_INET, addresses[!from], to);
	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, sizeof(to), to);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, htonl(0x1001 + from));
}

/* What a request is made of. */
struct making {
	struct nlmsghdr *nlh;
	const struct spec_op *op;
	const struct known *known;
};

static void nest_make(const struct making *making, const struct spec_set *set, uint64_t *state,
		      unsigned int depth);

static bool room(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len < MESSAGE_SIZE - 2 * VALUE_SIZE;
}

static void attr_make(const struct making *making, const struct spec_attr *attr,
		      uint64_t *state, unsigned int depth)
{
	struct nlmsghdr *nlh = making->nlh;
	uint8_t bytes[VALUE_SIZE];
	struct nlattr *nest;
	uint64_t value;

	if (!room(nlh))
		return;
	switch (attr->type) {
	case SPEC_PAD:
	case SPEC_FLAG:
		mnl_attr_put(nlh, attr->number, 0, NULL);
		break;
	case SPEC_STRING:
		mnl_attr_put(nlh, attr->number, string_make(attr, state, (char *)bytes), bytes);
		break;
	case SPEC_BINARY:
		mnl_attr_put(nlh, attr->number, binary_make(attr, state, bytes), bytes);
		break;
	case SPEC_NEST:
		nest = mnl_attr_nest_start(nlh, attr->number);
		if (!strcmp(attr->nest->name, "sa-ref") && !once_in(state, 4))
			lasting_sa_put(nlh, state);
		else if (depth < DEPTH)
			nest_make(making, attr->nest, state, depth + 1);
		mnl_attr_nest_end(nlh, nest);
		break;
	default:
		/* little endian, as everything that is tested here */
		value = number_make(attr, state, making->known);
		mnl_attr_put(nlh, attr->number, spec_size(attr->type), &value);
	}
}

static void nest_make(const struct making *making, const struct spec_set *set, uint64_t *state,
		      unsigned int depth)
{
	const struct spec_attr *attr;
	unsigned int i;

	for (i = 0; i < set->count; i++) {
		attr = &set->attrs[i];
		if (attr->type != SPEC_PAD && !once_in(state, 6) &&
		    (attr->type != SPEC_NEST || once_in(state, 2)) &&
		    (belongs(making->op, set, attr) || once_in(state, 64)))
			attr_make(making, attr, state, depth);
	}
}

/* -------------------------------------------------------------------- faults */

static const struct spec_attr *wanted_any(const struct spec_op *op, uint64_t *state)
{
	return op->count ? op->wanted[below(state, op->count)] : NULL;
}

static bool is_number(const struct spec_attr *attr)
{
	return attr && attr->type >= SPEC_U8 && attr->type <= SPEC_S32;
}

static void zeros_put(struct nlmsghdr *nlh, uint16_t type, size_t length)
{
	static const uint8_t zeros[VALUE_SIZE];

	mnl_attr_put(nlh, type, length, zeros);
}

/* One of the set, but not of what this operation takes. */
static const char *add_foreign(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	const struct spec_attr *attr = &op->set->attrs[below(state, op->set->count)];
	unsigned int i;

	for (i = 0; i < op->count; i++)
		if (op->wanted[i] == attr)
			return NULL;
	zeros_put(nlh, attr->number, spec_size(attr->type));
	return "an attribute of others";
}

static const char *add_unknown(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	uint16_t highest = op->set->attrs[op->set->count - 1].number;

	zeros_put(nlh, highest + 1 + below(state, 200), below(state, 12));
	return "an attribute that there is none of";
}

static const char *add_wrong_size(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	const struct spec_attr *attr = wanted_any(op, state);
	size_t length = below(state, 20);

	if (!is_number(attr) || length == spec_size(attr->type))
		return NULL;
	zeros_put(nlh, attr->number, length);
	return "a number of the wrong size";
}

static const char *add_out_of_range(struct nlmsghdr *nlh, const struct spec_op *op,
				    uint64_t *state)
{
	const struct spec_attr *attr = wanted_any(op, state);
	uint64_t value;

	if (!is_number(attr) || !attr->max)
		return NULL;
	value = attr->max + 1 + below(state, 200 - attr->max);
	if (attr->min && once_in(state, 2))
		value = attr->min - 1;
	mnl_attr_put(nlh, attr->number, spec_size(attr->type), &value);
	return "a number out of its range";
}

static const char *add_endless(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	const struct spec_attr *attr = wanted_any(op, state);

	if (!attr || attr->type != SPEC_STRING)
		return NULL;
	mnl_attr_put(nlh, attr->number, below(state, 9), "cbc(aes)");
	return "a string without its end";
}

static const char *too_long_put(struct nlmsghdr *nlh, const struct spec_attr *attr,
				uint64_t *state)
{
	uint8_t bytes[VALUE_SIZE];
	size_t length = attr->most + 1 + below(state, 100);

	memset(bytes, 'a', length);
	bytes[length] = '\0';
	mnl_attr_put(nlh, attr->number, length + (attr->type == SPEC_STRING), bytes);
	return "what is too long";
}

static const char *add_too_long(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	const struct spec_attr *attr = wanted_any(op, state);

	return attr && attr->most ? too_long_put(nlh, attr, state) : NULL;
}

static const char *add_wrong_nesting(struct nlmsghdr *nlh, const struct spec_op *op,
				     uint64_t *state)
{
	const struct spec_attr *attr = wanted_any(op, state);

	if (!attr)
		return NULL;
	zeros_put(nlh, attr->number | (attr->type == SPEC_NEST ? 0 : NLA_F_NESTED),
		  spec_size(attr->type));
	return "a nest that is none, or the other way round";
}

/* In a nest: any of the above that is a matter of one attribute. */
static const char *add_wrong_inside(struct nlmsghdr *nlh, const struct spec_op *op,
				    uint64_t *state)
{
	const struct spec_attr *outer = wanted_any(op, state), *attr;
	const char *fault = NULL;
	struct nlattr *nest;
	uint64_t value;

	if (!outer || outer->type != SPEC_NEST)
		return NULL;
	attr = &outer->nest->attrs[below(state, outer->nest->count)];
	nest = mnl_attr_nest_start(nlh, outer->number);
	if (attr->type == SPEC_PAD) {
		zeros_put(nlh, attr->number, 0);
		fault = "padding in a request";
	} else if (attr->exact) {
		zeros_put(nlh, attr->number, attr->exact + (once_in(state, 2) ? 1 : -1));
		fault = "bytes of the wrong number";
	} else if (is_number(attr) && attr->max) {
		value = attr->max + 1;
		mnl_attr_put(nlh, attr->number, spec_size(attr->type), &value);
		fault = "a number out of its range, in a nest";
	} else if (is_number(attr)) {
		zeros_put(nlh, attr->number, spec_size(attr->type) + 1);
		fault = "a number of the wrong size, in a nest";
	} else if (attr->most && once_in(state, 2)) {
		fault = too_long_put(nlh, attr, state);
	} else if (attr->type == SPEC_STRING) {
		mnl_attr_put(nlh, attr->number, 3, "abc");
		fault = "a string without its end, in a nest";
	}
	mnl_attr_nest_end(nlh, nest);
	return fault;
}

static const char *add_leftover(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	(void)op;
	memset(mnl_nlmsg_get_payload_tail(nlh), 0, 4);
	nlh->nlmsg_len += 1 + below(state, 3);
	return "bytes that are no attribute";
}

static const char *change_cmd(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	uint8_t cmd = next(state);
	unsigned int i;

	(void)op;
	for (i = 0; i < spec_op_count; i++)
		if (spec_ops[i].cmd == cmd)
			return NULL;
	genl->cmd = cmd;
	return "a command that there is none of";
}

static const char *change_way(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	(void)state;
	if (op->can_do && op->can_dump)
		return NULL;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (op->can_do ? NLM_F_DUMP : 0);
	return "a dump of what is no list, or the other way round";
}

static const char * (* const faults[])(struct nlmsghdr *nlh, const struct spec_op *op,
				       uint64_t *state) = {
	add_foreign, add_unknown, add_wrong_size, add_out_of_range, add_endless, add_too_long,
	add_wrong_nesting, add_wrong_inside, add_wrong_inside, add_leftover, change_cmd,
	change_way,
};

static const char *fault_any(struct nlmsghdr *nlh, const struct spec_op *op, uint64_t *state)
{
	const char *fault = NULL;
	unsigned int i;

	/* some faults there can't be in some requests */
	while (!fault) {
		i = below(state, sizeof(faults) / sizeof(faults[0]));
		fault = faults[i](nlh, op, state);
	}
	return fault;
}

/* ---------------------------------------------------------------------- wild */

/* All but the family, which would make it somebody else's. */
static void run_wild(struct message *message, uint64_t *state)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)message->bytes;
	unsigned int i, count = 1 + below(state, 8);
	uint8_t *payload = mnl_nlmsg_get_payload(nlh);
	size_t length = message->length - sizeof(*nlh);

	for (i = 0; i < count; i++) {
		uint32_t at = below(state, length);

		switch (below(state, 7)) {
		case 0:
			payload[at] = next(state);
			break;
		case 1:
			payload[at] ^= 1 << below(state, 8);
			break;
		case 2:	/* the length of some attribute, if it is one */
			*(uint16_t *)&payload[at & ~3U] = below(state, 80);
			break;
		case 3:
			nlh->nlmsg_flags ^= 1 << below(state, 16);
			break;
		case 4:	/* part of it comes once more */
			memmove(payload + at, payload, length - at);
			break;
		case 5:
			message->length = sizeof(*nlh) + at;
			nlh->nlmsg_len = message->length;
			length = at ?: 1;
			break;
		case 6:
			nlh->nlmsg_len += below(state, 9) - 4;
			break;
		}
	}
	message->wild = true;
}

static const struct spec_op *op_find(const char *name)
{
	unsigned int i = 0;

	while (strcmp(spec_ops[i].name, name))
		if (++i == spec_op_count)
			errx(1, "specification: no operation %s", name);
	return &spec_ops[i];
}

void message_make(struct message *message, uint64_t *state, uint16_t family, const char *name,
		  const struct known *known)
{
	const struct spec_op *op = name ? op_find(name) : &spec_ops[below(state, spec_op_count)];
	bool dump = !op->can_do || (op->can_dump && once_in(state, 2));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(message->bytes);
	const struct making making = { nlh, op, known };
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	unsigned int i, j;

	message->op = op;
	message->fault = NULL;
	message->wild = false;
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (dump ? NLM_F_DUMP : 0);
	genl->cmd = op->cmd;
	genl->version = IPSEC_GENL_VERSION;
	for (i = 0; i < op->count; i++) {
		if (once_in(state, 12))
			continue;
		for (j = op->wanted[i]->several && once_in(state, 2) ? below(state, 4) : 0; j; j--)
			attr_make(&making, op->wanted[i], state, 0);
		attr_make(&making, op->wanted[i], state, 0);
	}
	if (once_in(state, 3))
		message->fault = fault_any(nlh, op, state);
	message->length = nlh->nlmsg_len;
	if (!message->fault && once_in(state, 3))
		run_wild(message, state);
}
