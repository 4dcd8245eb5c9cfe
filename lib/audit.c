// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One line that says what was negotiated, for logs. It is composed here and
 * not in the kernel, of what the kernel told; keys are not part of that.
 *
 * SAs that differ only in direction, SPI and age (the two of a pair, and
 * predecessors and successors around a rekeying) make one clause:
 *
 *   ESP transport 10.0.0.1<->10.0.0.2 spi in 0x00000100 out 0x00000101
 *   rfc4106(gcm(aes)) 128 bits icv 128 bits esn
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <linux/pfkeyv2.h>
#include <linux/xfrm.h>

#include "internal.h"

/**
 * struct text - a buffer that text is appended to
 * @buf: its room
 * @size: of @buf
 * @len: length of the whole text, whether it fits or not
 */
struct text {
	char *buf;
	size_t size;
	size_t len;
};

static void __attribute__((__format__(__printf__, 2, 3)))
append(struct text *text, const char *format, ...)
{
	size_t room = text->len < text->size ? text->size - text->len : 0;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(room ? text->buf + text->len : NULL, room, format, args);
	va_end(args);
	if (len > 0)
		text->len += len;
}

/* One line, one word: a name is what an administrator typed. */
static void append_name(struct text *text, const char *name)
{
	for (; *name; name++)
		append(text, "%c", *name > ' ' && *name < 0x7f ? *name : '?');
}

static void append_satype(struct text *text, uint8_t satype)
{
	switch (satype) {
	case SADB_SATYPE_ESP:
		append(text, "ESP");
		break;
	case SADB_SATYPE_AH:
		append(text, "AH");
		break;
	case SADB_X_SATYPE_IPCOMP:
		append(text, "IPComp");
		break;
	default:
		append(text, "satype %u", satype);
		break;
	}
}

static void append_mode(struct text *text, uint8_t mode)
{
	switch (mode) {
	case XFRM_MODE_TRANSPORT:
		append(text, " transport");
		break;
	case XFRM_MODE_TUNNEL:
		append(text, " tunnel");
		break;
	case XFRM_MODE_BEET:
		append(text, " beet");
		break;
	default:
		append(text, " mode %u", mode);
		break;
	}
}

static void append_addresses(struct text *text, const struct ipsec_sa *sa)
{
	char local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];

	if (sa->family &&
	    inet_ntop(sa->family, sa->local, local, sizeof(local)) &&
	    inet_ntop(sa->family, sa->peer, peer, sizeof(peer)))
		append(text, " %s<->%s", local, peer);
}

static void append_algorithm(struct text *text, const char *name, uint16_t bits)
{
	if (!name[0])
		return;
	append(text, " ");
	append_name(text, name);
	if (bits)
		append(text, " %u bits", bits);
}

/* Are the two part of one clause? */
static bool alike(const struct ipsec_sa *a, const struct ipsec_sa *b)
{
	return a->index == b->index && a->satype == b->satype && a->mode == b->mode &&
	       a->family == b->family &&
	       !memcmp(a->local, b->local, sizeof(a->local)) &&
	       !memcmp(a->peer, b->peer, sizeof(a->peer)) &&
	       !strcmp(a->ealg_name, b->ealg_name) && a->ealg_bits == b->ealg_bits &&
	       !strcmp(a->aalg_name, b->aalg_name) && a->aalg_bits == b->aalg_bits &&
	       !strcmp(a->calg_name, b->calg_name) && a->icv_bits == b->icv_bits &&
	       a->esn == b->esn && a->encap_type == b->encap_type &&
	       a->encap_local_port == b->encap_local_port &&
	       a->encap_peer_port == b->encap_peer_port;
}

static void append_spis(struct text *text, const struct ipsec_context *context,
			const struct ipsec_sa *of, uint8_t direction, const char *word)
{
	unsigned int i, count = 0;

	for (i = 0; i < context->attributes.sa_count; i++) {
		const struct ipsec_sa *sa = &context->sa[i].sa;

		if (sa->direction == direction && alike(sa, of))
			append(text, "%s0x%08x", count++ ? "," : word, sa->spi);
	}
}

static void append_clause(struct text *text, const struct ipsec_context *context,
			  const struct ipsec_sa *sa)
{
	if (text->len)
		append(text, "; ");
	append_satype(text, sa->satype);
	append_mode(text, sa->mode);
	append_addresses(text, sa);
	append(text, " spi");
	append_spis(text, context, sa, IPSEC_DIRECTION_IN, " in ");
	append_spis(text, context, sa, IPSEC_DIRECTION_OUT, " out ");
	if (!sa->direction)
		append(text, " none");
	append_algorithm(text, sa->ealg_name, sa->ealg_bits);
	append_algorithm(text, sa->aalg_name, sa->aalg_bits);
	append_algorithm(text, sa->calg_name, 0);
	if (sa->icv_bits)
		append(text, " icv %u bits", sa->icv_bits);
	if (sa->esn)
		append(text, " esn");
	if (sa->encap_type)
		append(text, " natt %u<->%u", sa->encap_local_port, sa->encap_peer_port);
}

/**
 * ipsec_audit_string() - describe a context in one line
 * @context: to describe
 * @buf: for the text and its zero byte
 * @size: of @buf, 0: only measure
 *
 * Return: length of the whole text, which was cut short if this is @size or
 * more.
 */
int ipsec_audit_string(const struct ipsec_context *context, char *buf, size_t size)
{
	const struct ipsec_context_sa *sa = context->sa;
	struct text text = { .buf = buf, .size = size };
	unsigned int count = context->attributes.sa_count;
	unsigned int i, j, index;

	if (size)
		buf[0] = '\0';

	/* the outermost first */
	for (index = 0; index <= UINT8_MAX; index++) {
		for (i = 0; i < count; i++) {
			if (sa[i].sa.index != index)
				continue;
			for (j = 0; j < i; j++)
				if (alike(&sa[i].sa, &sa[j].sa) &&
				    !sa[i].sa.direction == !sa[j].sa.direction)
					break;
			if (j == i)
				append_clause(&text, context, &sa[i].sa);
		}
	}
	if (!text.len)
		append(&text, "%s", context->seen ? "IPsec protection, no details" :
						    "no IPsec protection");
	return text.len;
}
