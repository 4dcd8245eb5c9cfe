// SPDX-License-Identifier: GPL-2.0-only
/*
 * SAs that an application requires and that are not there.
 *
 * Whether what is configured would do is told here as far as it can be told.
 * That only helps to choose: the kernel judges by the packets themselves.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../credential.h"
#include "log.h"
#include "mapping.h"
#include "request.h"

/**
 * request_new() - make one
 *
 * Return: a request of which nothing is known.
 */
struct request *request_new(void)
{
	return xcalloc(1, sizeof(struct request));
}

/**
 * request_free() - free a request
 * @request: or NULL
 */
void request_free(struct request *request)
{
	if (!request)
		return;
	free(request->who.id);
	free(request->who.ca_dn);
	free(request->who.certificate_dn);
	free(request->who.pubkey_id);
	free(request->who.audit);
	free(request);
}

static const char *protocol_name(uint8_t protocol, char *buf, size_t size)
{
	if (protocol == IPPROTO_TCP)
		return "TCP";
	if (protocol == IPPROTO_UDP)
		return "UDP";
	snprintf(buf, size, "protocol %u", protocol);
	return buf;
}

/**
 * request_text() - what it is for, as text
 * @request: it
 * @text: room for REQUEST_TEXT bytes
 *
 * Return: @text.
 */
const char *request_text(const struct request *request, char *text)
{
	char protocol[32], local[INET6_ADDRSTRLEN], peer[INET6_ADDRSTRLEN];

	inet_ntop(request->family, request->local, local, sizeof(local));
	inet_ntop(request->family, request->peer, peer, sizeof(peer));
	snprintf(text, REQUEST_TEXT, "%s from %s to %s port %u",
		 protocol_name(request->protocol, protocol, sizeof(protocol)), local, peer,
		 request->peer_port);
	return text;
}

/**
 * request_accepts() - would any of these methods do?
 * @request: it
 * @methods: bits, as in the request
 *
 * Return: whether one would.
 */
bool request_accepts(const struct request *request, uint32_t methods)
{
	return !request->methods || request->methods & methods;
}

/**
 * request_address_is() - is this address that?
 * @request: it
 * @address: its local address or the peer's
 * @text: an address as it is written
 *
 * Return: whether it is.
 */
bool request_address_is(const struct request *request, const uint8_t *address, const char *text)
{
	uint8_t other[16] = { 0 };

	return inet_pton(request->family, text, other) == 1 && !memcmp(address, other, 16);
}

/* Are identities of this type written in one way only, but for upper and lower case? */
static bool written_alike(uint8_t id_type)
{
	return id_type == IKE_ID_FQDN || id_type == IKE_ID_RFC822_ADDR ||
	       id_type == IKE_ID_IPV4_ADDR;
}

/* Is it what the pattern says, where a * stands for anything? */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (!strncasecmp(pattern, text, 1)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	return !pattern[strspn(pattern, "*")];
}

/**
 * request_fits_id() - may a peer with this IKE identity be the one required?
 * @request: what is required
 * @id_type: type of the identity
 * @id: the one that a connection expects, NULL: any
 *
 * Return: REQUEST_FIT_YES also if nothing is required.
 */
enum request_fit request_fits_id(const struct request *request, uint8_t id_type, const char *id)
{
	const struct identity_end *who = &request->who;

	if (!who->id || (id && matches(who->id, id)))
		return REQUEST_FIT_YES;
	if (!id || !mapping_id_specific(id) || !written_alike(id_type))
		return REQUEST_FIT_MAYBE;
	/* a connection with a certificate may be content with any of its names */
	return who->id_type && who->id_type != id_type ? REQUEST_FIT_MAYBE : REQUEST_FIT_NO;
}

/* ------------------------------------------------------------------------ names */

/* The last part of an RFC 4514 name of @len bytes begins here. */
static size_t last_part(const char *name, size_t len)
{
	size_t i, start = 0;

	for (i = 0; i < len; i++) {
		if (name[i] == '\\')
			i++;
		else if (name[i] == ',')
			start = i + 1;
	}
	return start < len ? start : len;
}

/* One byte of a value, as it is meant; @name is moved on. */
static unsigned char value_byte(const char **name, const char *end)
{
	unsigned int byte;

	if (**name == '\\' && *name + 1 < end)
		(*name)++;
	else
		return *(*name)++;
	if (*name + 1 < end && strspn(*name, "0123456789abcdefABCDEF") >= 2 &&
	    sscanf(*name, "%2x", &byte) == 1) {
		*name += 2;
		return byte;
	}
	return *(*name)++;
}

/* strongSwan prints the parts the other way round, and ? where it is not ASCII. */
static char *name_printed(const char *name)
{
	size_t len = strlen(name), start;
	const char *at, *end;
	char *text, *to;

	text = xcalloc(1, 2 * len + 1);
	for (to = text; len; len = start ? start - 1 : 0) {
		start = last_part(name, len);
		if (to > text) {
			*to++ = ',';
			*to++ = ' ';
		}
		end = name + len;
		for (at = name + start; at < end; to++) {
			*to = value_byte(&at, end);
			if (*to < 0x20 || *to > 0x7e)
				*to = '?';
		}
		if (!start)
			break;
	}
	*to = '\0';
	return text;
}

/**
 * request_fits_name() - may this name be the one required?
 * @required: a distinguished name as RFC 4514 writes it, with * for anything; NULL:
 *	none
 * @name: as a keying daemon prints it, NULL: not known
 *
 * Names can be printed in several ways, so a difference does not prove anything.
 *
 * Return: REQUEST_FIT_YES also if nothing is required.
 */
enum request_fit request_fits_name(const char *required, const char *name)
{
	enum request_fit fit;
	char *printed;

	if (!required)
		return REQUEST_FIT_YES;
	if (!name)
		return REQUEST_FIT_MAYBE;
	printed = name_printed(required);
	fit = matches(printed, name) || matches(required, name) ? REQUEST_FIT_YES :
								  REQUEST_FIT_MAYBE;
	free(printed);
	return fit;
}
