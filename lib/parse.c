// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From netlink attributes to structures.
 *
 * A nest is read by a table: which attribute must look how, and where it goes.
 * Nothing is guessed: an attribute of the wrong size, a missing one that must
 * be there, a flag that is neither 0 nor 1, or bytes left over refuse the whole
 * message. Attributes that the table does not know are passed over, since a
 * newer kernel module may tell more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <linux/xfrm.h>

#include "internal.h"

static uint16_t get_u16(const void *data)
{
	uint16_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

static uint32_t get_u32(const void *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

/* Length that an attribute of this type must have, 0: see field_read(). */
static size_t field_size(enum ipsec_field_type type)
{
	switch (type) {
	case IPSEC_FIELD_U8:
	case IPSEC_FIELD_BOOL:
		return sizeof(uint8_t);
	case IPSEC_FIELD_U16:
	case IPSEC_FIELD_BE16:
		return sizeof(uint16_t);
	case IPSEC_FIELD_U32:
	case IPSEC_FIELD_BE32:
		return sizeof(uint32_t);
	case IPSEC_FIELD_U64:
		return sizeof(uint64_t);
	case IPSEC_FIELD_SELECTOR:
		return sizeof(struct xfrm_selector);
	case IPSEC_FIELD_LIFETIMES:
		return sizeof(struct xfrm_lifetime_cfg);
	default:
		return 0;
	}
}

static int name_read(const char *data, size_t len, char *name)
{
	size_t used = strnlen(data, len);

	/* the zero byte need not be there, but nothing may follow it */
	if (used >= IPSEC_ALGORITHM_NAME_SIZE || len > used + 1)
		return -EPROTO;
	memcpy(name, data, used);
	name[used] = '\0';
	return 0;
}

/* Of SAs in either direction, the kernel module has the peer as the source. */
static void selector_read(const void *data, struct ipsec_selector *out)
{
	struct xfrm_selector sel;

	memcpy(&sel, data, sizeof(sel));
	memset(out, 0, sizeof(*out));
	out->family = sel.family;
	out->proto = sel.proto;
	out->peer_prefix = sel.prefixlen_s;
	out->local_prefix = sel.prefixlen_d;
	out->peer_port = ntohs(sel.sport);
	out->peer_port_mask = ntohs(sel.sport_mask);
	out->local_port = ntohs(sel.dport);
	out->local_port_mask = ntohs(sel.dport_mask);
	out->ifindex = sel.ifindex;
	memcpy(out->peer, &sel.saddr, sel.family == AF_INET ? 4 : 16);
	memcpy(out->local, &sel.daddr, sel.family == AF_INET ? 4 : 16);
}

static void lifetimes_read(const void *data, struct ipsec_lifetimes *out)
{
	struct xfrm_lifetime_cfg cfg;

	memcpy(&cfg, data, sizeof(cfg));
	out->soft_bytes = cfg.soft_byte_limit;
	out->hard_bytes = cfg.hard_byte_limit;
	out->soft_packets = cfg.soft_packet_limit;
	out->hard_packets = cfg.hard_packet_limit;
	out->soft_add_seconds = cfg.soft_add_expires_seconds;
	out->hard_add_seconds = cfg.hard_add_expires_seconds;
	out->soft_use_seconds = cfg.soft_use_expires_seconds;
	out->hard_use_seconds = cfg.hard_use_expires_seconds;
}

static int field_read(enum ipsec_field_type type, const struct nlattr *attr, void *out)
{
	const void *data = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);
	uint16_t value16;
	uint32_t value32;

	if (field_size(type) && len != field_size(type))
		return -EPROTO;

	switch (type) {
	case IPSEC_FIELD_BOOL:
		*(uint8_t *)out = *(const uint8_t *)data;
		return *(uint8_t *)out > 1 ? -EPROTO : 0;
	case IPSEC_FIELD_U8:
	case IPSEC_FIELD_U16:
	case IPSEC_FIELD_U32:
	case IPSEC_FIELD_U64:
		memcpy(out, data, len);
		return 0;
	case IPSEC_FIELD_BE16:
		value16 = ntohs(get_u16(data));
		memcpy(out, &value16, sizeof(value16));
		return 0;
	case IPSEC_FIELD_BE32:
		value32 = ntohl(get_u32(data));
		memcpy(out, &value32, sizeof(value32));
		return 0;
	case IPSEC_FIELD_FLAG:
		if (len)
			return -EPROTO;
		*(uint8_t *)out = 1;
		return 0;
	case IPSEC_FIELD_NAME:
		return name_read(data, len, out);
	case IPSEC_FIELD_ADDRESS:
		if (len != 4 && len != 16)
			return -EPROTO;
		memset(out, 0, 16);
		memcpy(out, data, len);
		return 0;
	case IPSEC_FIELD_SELECTOR:
		selector_read(data, out);
		return 0;
	case IPSEC_FIELD_LIFETIMES:
		lifetimes_read(data, out);
		return 0;
	case IPSEC_FIELD_SKIP:
		return 0;
	}
	return -EPROTO;
}

/**
 * ipsec_parse_fields() - read a run of attributes by a table
 * @attrs: the first attribute
 * @len: length of them all, in bytes
 * @fields: the table, indexed by attribute type
 * @max: how many entries it has, at most IPSEC_FIELDS_MAX
 * @out: structure to fill in
 * @seen: set to the attributes that were there, see IPSEC_SEEN()
 *
 * Return: 0, or -EPROTO if the attributes are not as the table says.
 */
int ipsec_parse_fields(const void *attrs, size_t len, const struct ipsec_field *fields,
		       unsigned int max, void *out, uint64_t *seen)
{
	const char *end = (const char *)attrs + len;
	const struct nlattr *attr = attrs;
	unsigned int i;

	*seen = 0;
	for (; mnl_attr_ok(attr, end - (const char *)attr); attr = mnl_attr_next(attr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type >= max || !fields[type].known)
			continue;
		if (field_read(fields[type].type, attr, (char *)out + fields[type].offset))
			return -EPROTO;
		*seen |= 1ULL << type;
	}
	if ((const char *)attr < end)
		return -EPROTO;

	for (i = 0; i < max; i++)
		if (fields[i].required && !IPSEC_SEEN(*seen, i))
			return -EPROTO;
	return 0;
}

/**
 * ipsec_parse_nest() - read a nest of attributes by a table
 * @nest: the attribute that holds them
 * @fields: the table, indexed by attribute type
 * @max: how many entries it has, at most IPSEC_FIELDS_MAX
 * @out: structure to fill in
 * @seen: set to the attributes that were there, see IPSEC_SEEN()
 *
 * Return: 0, or -EPROTO if the attributes are not as the table says.
 */
int ipsec_parse_nest(const struct nlattr *nest, const struct ipsec_field *fields,
		     unsigned int max, void *out, uint64_t *seen)
{
	return ipsec_parse_fields(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest),
				  fields, max, out, seen);
}

/**
 * ipsec_parse_find() - find an attribute at the top level of a message
 * @nlh: generic-netlink message
 * @type: of the attribute
 *
 * Return: the attribute, or NULL if there is none.
 */
const struct nlattr *ipsec_parse_find(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < GENL_HDRLEN)
		return NULL;
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

/* What sa_read() has to look at as a whole. */
struct sa_parts {
	struct ipsec_context_sa out;
	uint16_t encap_sport;
	uint16_t encap_dport;
};

#define SA(type, member) IPSEC_FIELD(type, struct sa_parts, out.sa.member)

static const struct ipsec_field sa_fields[] = {
	[IPSEC_SA_A_DIRECTION]	= SA(U8, direction),
	[IPSEC_SA_A_INDEX]	= SA(U8, index),
	[IPSEC_SA_A_SATYPE]	= IPSEC_FIELD_NEEDED(U8, struct sa_parts, out.sa.satype),
	[IPSEC_SA_A_MODE]	= IPSEC_FIELD_NEEDED(U8, struct sa_parts, out.sa.mode),
	[IPSEC_SA_A_SPI]	= SA(BE32, spi),
	[IPSEC_SA_A_LOCAL]	= SA(ADDRESS, local),
	[IPSEC_SA_A_PEER]	= SA(ADDRESS, peer),
	[IPSEC_SA_A_REQID]	= SA(U32, reqid),
	[IPSEC_SA_A_MARK]	= SA(U32, mark),
	[IPSEC_SA_A_MARK_MASK]	= SA(U32, mark_mask),
	[IPSEC_SA_A_IF_ID]	= SA(U32, if_id),
	[IPSEC_SA_A_SELECTOR]	= SA(SELECTOR, selector),
	[IPSEC_SA_A_EALG]	= SA(U8, ealg),
	[IPSEC_SA_A_EALG_NAME]	= SA(NAME, ealg_name),
	[IPSEC_SA_A_EALG_BITS]	= SA(U16, ealg_bits),
	[IPSEC_SA_A_AALG]	= SA(U8, aalg),
	[IPSEC_SA_A_AALG_NAME]	= SA(NAME, aalg_name),
	[IPSEC_SA_A_AALG_BITS]	= SA(U16, aalg_bits),
	[IPSEC_SA_A_ICV_BITS]	= SA(U16, icv_bits),
	[IPSEC_SA_A_CALG]	= SA(U8, calg),
	[IPSEC_SA_A_CALG_NAME]	= SA(NAME, calg_name),
	[IPSEC_SA_A_ESN]	= SA(FLAG, esn),
	[IPSEC_SA_A_ENCAP_TYPE]	= SA(U16, encap_type),
	[IPSEC_SA_A_ENCAP_SPORT] = IPSEC_FIELD(BE16, struct sa_parts, encap_sport),
	[IPSEC_SA_A_ENCAP_DPORT] = IPSEC_FIELD(BE16, struct sa_parts, encap_dport),
	[IPSEC_SA_A_OFFLOAD]	= SA(FLAG, offload),
	[IPSEC_SA_A_LIFETIME]	= SA(LIFETIMES, lifetimes),
	[IPSEC_SA_A_ADD_TIME]	= SA(U64, added),
	[IPSEC_SA_A_USE_TIME]	= IPSEC_FIELD(U64, struct sa_parts, out.used),
	[IPSEC_SA_A_BYTES]	= IPSEC_FIELD(U64, struct sa_parts, out.bytes),
	[IPSEC_SA_A_PACKETS]	= IPSEC_FIELD(U64, struct sa_parts, out.packets),
};

#undef SA

/* The addresses' length tells their family, so both must have the same. */
static int sa_family(const struct nlattr *nest, uint16_t *family)
{
	const struct nlattr *attr;
	size_t len = 0;

	mnl_attr_for_each_nested(attr, nest) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type != IPSEC_SA_A_LOCAL && type != IPSEC_SA_A_PEER)
			continue;
		if (len && len != mnl_attr_get_payload_len(attr))
			return -EPROTO;
		len = mnl_attr_get_payload_len(attr);
	}
	*family = !len ? 0 : len == 4 ? AF_INET : AF_INET6;
	return 0;
}

static int sa_read(const struct nlattr *nest, struct ipsec_context_sa *out)
{
	struct sa_parts parts;
	bool in;

	memset(&parts, 0, sizeof(parts));
	if (ipsec_parse_nest(nest, sa_fields, IPSEC_ARRAY_SIZE(sa_fields), &parts,
			     &parts.out.seen) ||
	    sa_family(nest, &parts.out.sa.family) ||
	    parts.out.sa.direction > IPSEC_DIRECTION_OUT)
		return -EPROTO;

	in = parts.out.sa.direction == IPSEC_DIRECTION_IN;
	parts.out.sa.encap_local_port = in ? parts.encap_dport : parts.encap_sport;
	parts.out.sa.encap_peer_port = in ? parts.encap_sport : parts.encap_dport;
	*out = parts.out;
	return 0;
}

#define CONTEXT(type, member) \
	IPSEC_FIELD(type, struct ipsec_context, member)
#define CONTEXT_NEEDED(type, member) \
	IPSEC_FIELD_NEEDED(type, struct ipsec_context, attributes.member)

static const struct ipsec_field context_fields[] = {
	[IPSEC_CONTEXT_A_ID]		= CONTEXT(U64, id),
	[IPSEC_CONTEXT_A_PRIVACY]	= CONTEXT_NEEDED(BOOL, privacy_protected),
	[IPSEC_CONTEXT_A_INTEGRITY]	= CONTEXT_NEEDED(BOOL, integrity_protected),
	[IPSEC_CONTEXT_A_COMPRESSION]	= CONTEXT_NEEDED(BOOL, compression_available),
	[IPSEC_CONTEXT_A_TUNNEL]	= CONTEXT_NEEDED(BOOL, tunnel_mode),
	[IPSEC_CONTEXT_A_END_TO_END]	= CONTEXT_NEEDED(BOOL, end_to_end),
	[IPSEC_CONTEXT_A_ESTABLISHED]	= CONTEXT_NEEDED(U64, established),
	[IPSEC_CONTEXT_A_USERS]		= CONTEXT(U32, users),
	[IPSEC_CONTEXT_A_SA]		= IPSEC_FIELD_ELSEWHERE,
	[IPSEC_CONTEXT_A_IDENTITY]	= IPSEC_FIELD_ELSEWHERE,
};

#undef CONTEXT
#undef CONTEXT_NEEDED

/**
 * ipsec_parse_context() - read the description of a protection context
 * @nest: attribute IPSEC_A_CONTEXT of a message
 * @context: set to what it says, to be freed with free()
 *
 * Return: 0, -EPROTO if the kernel's words make no sense, or -ENOMEM.
 */
int ipsec_parse_context(const struct nlattr *nest, struct ipsec_context **context)
{
	const struct nlattr *attr, *identity = NULL;
	struct ipsec_context *out;
	unsigned int count = 0;
	size_t size = 0;

	mnl_attr_for_each_nested(attr, nest) {
		count += mnl_attr_get_type(attr) == IPSEC_CONTEXT_A_SA;
		if (mnl_attr_get_type(attr) == IPSEC_CONTEXT_A_IDENTITY)
			identity = attr;
	}
	if (identity)
		size = mnl_attr_get_payload_len(identity);

	/* a nest holds 64 KiB, so this is bounded */
	out = calloc(1, sizeof(*out) + count * sizeof(out->sa[0]) + size);
	if (!out)
		return -ENOMEM;
	if (identity) {
		out->identity = memcpy(&out->sa[count], mnl_attr_get_payload(identity), size);
		out->identity_size = size;
	}
	if (ipsec_parse_nest(nest, context_fields, IPSEC_ARRAY_SIZE(context_fields),
			     out, &out->seen))
		goto malformed;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) != IPSEC_CONTEXT_A_SA)
			continue;
		if (sa_read(attr, &out->sa[out->attributes.sa_count]))
			goto malformed;
		out->attributes.sa_count++;
	}
	*context = out;
	return 0;

malformed:
	free(out);
	return -EPROTO;
}
