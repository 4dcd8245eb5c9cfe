// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic selectors, as keying daemons print them:
 *
 *	ADDRESSES, ADDRESSES[PROTOCOL], ADDRESSES[PROTOCOL/PORTS]
 *
 * where ADDRESSES is "dynamic", ADDRESS, ADDRESS/BITS, ADDRESS..ADDRESS or
 * ADDRESS-ADDRESS, and PORTS is PORT or PORT-PORT. Protocols and ports have names
 * or numbers. What is not understood covers nothing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selector.h"
#include "text.h"

/* longer than any that a daemon prints */
#define SELECTOR_TEXT_MAX 256

static bool number_parse(const char *text, unsigned long max, unsigned long *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	*number = strtoul(text, &end, 10);
	return !*end && *number <= max;
}

static bool address_parse(const char *text, uint16_t *family, uint8_t *address)
{
	memset(address, 0, 16);
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, address) == 1;
}

/* Set the last address to that of the net, and clear the host part of the first. */
static void net_set(struct selector *selector, unsigned int bits)
{
	size_t i, len = selector->family == AF_INET ? 4 : 16;
	uint8_t mask;

	for (i = 0; i < len; i++) {
		mask = bits >= 8 ? 0xff : bits ? 0xff << (8 - bits) : 0;
		bits -= bits < 8 ? bits : 8;
		selector->last[i] = selector->first[i] | (uint8_t)~mask;
		selector->first[i] &= mask;
	}
}

/**
 * selector_addresses() - read the addresses of a selector
 * @text: as they are printed
 * @selector: its addresses are set
 *
 * Return: whether they were understood.
 */
bool selector_addresses(const char *text, struct selector *selector)
{
	char copy[SELECTOR_TEXT_MAX], *last, *net;
	unsigned long bits;
	uint16_t family;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	if (!strcmp(copy, "dynamic")) {
		selector->family = 0;
		return true;
	}
	last = text_cut(copy, "..");
	if (!last)
		last = text_cut(copy, "-");
	net = last ? NULL : text_cut(copy, "/");
	if (!address_parse(copy, &selector->family, selector->first))
		return false;
	if (last)
		return address_parse(last, &family, selector->last) &&
		       family == selector->family &&
		       memcmp(selector->first, selector->last, 16) <= 0;
	bits = selector->family == AF_INET ? 32 : 128;
	if (net && !number_parse(net, bits, &bits))
		return false;
	net_set(selector, bits);
	return true;
}

/**
 * selector_protocol() - read the protocol of a selector
 * @text: its name or number
 * @selector: its protocol is set
 *
 * Return: whether it was understood.
 */
bool selector_protocol(const char *text, struct selector *selector)
{
	const struct protoent *entry;
	unsigned long number;

	if (number_parse(text, UINT8_MAX, &number)) {
		selector->protocol = number;
		return true;
	}
	entry = getprotobyname(text);
	if (entry)
		selector->protocol = entry->p_proto;
	return entry;
}

static bool port_parse(const char *text, const char *protocol, uint16_t *port)
{
	const struct servent *entry;
	unsigned long number;

	if (number_parse(text, UINT16_MAX, &number)) {
		*port = number;
		return true;
	}
	entry = getservbyname(text, protocol);
	if (entry)
		*port = ntohs(entry->s_port);
	return entry;
}

/**
 * selector_ports() - read the ports of a selector
 * @text: one, or the first and the last
 * @protocol: name of the protocol, NULL: any
 * @selector: its ports are set
 *
 * Return: whether they were understood.
 */
bool selector_ports(const char *text, const char *protocol, struct selector *selector)
{
	char copy[SELECTOR_TEXT_MAX], *last;

	if (strlen(text) >= sizeof(copy))
		return false;
	/* names of services may have a dash in them */
	if (port_parse(text, protocol, &selector->first_port)) {
		selector->last_port = selector->first_port;
		return true;
	}
	strcpy(copy, text);
	last = text_cut(copy, "-");
	return last && port_parse(copy, protocol, &selector->first_port) &&
	       port_parse(last, protocol, &selector->last_port) &&
	       selector->first_port <= selector->last_port;
}

/**
 * selector_parse() - read a selector as charon prints it
 * @text: of it
 * @selector: set
 *
 * Return: whether it was understood.
 */
bool selector_parse(const char *text, struct selector *selector)
{
	char copy[SELECTOR_TEXT_MAX], *rest, *ports;

	memset(selector, 0, sizeof(*selector));
	selector->last_port = UINT16_MAX;
	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	rest = text_cut(copy, "[");
	if (!selector_addresses(copy, selector))
		return false;
	if (!rest)
		return true;
	if (!text_cut(rest, "]"))
		return false;
	ports = text_cut(rest, "/");
	return selector_protocol(rest, selector) &&
	       (!ports || selector_ports(ports, rest, selector));
}

/**
 * selector_covers() - is this end of a packet covered?
 * @selector: it
 * @family: of the address
 * @address: 16 bytes
 * @protocol: IPPROTO_*
 * @port: in host byte order, 0: not known, so that every one has to be covered
 *
 * Return: whether it is.
 */
bool selector_covers(const struct selector *selector, uint16_t family, const uint8_t *address,
		     uint8_t protocol, uint16_t port)
{
	if (selector->family &&
	    (selector->family != family || memcmp(address, selector->first, 16) < 0 ||
	     memcmp(address, selector->last, 16) > 0))
		return false;
	if (selector->protocol && selector->protocol != protocol)
		return false;
	if (!port)
		return !selector->first_port && selector->last_port == UINT16_MAX;
	return port >= selector->first_port && port <= selector->last_port;
}

/* How many bits it takes to count so far. */
static unsigned int bits_of(unsigned int count)
{
	unsigned int bits = 0;

	for (; count; count >>= 1)
		bits++;
	return bits;
}

/* All bits from the first on in which the two addresses differ. */
static unsigned int address_bits(const struct selector *selector)
{
	size_t i, len = selector->family == AF_INET ? 4 : 16;

	for (i = 0; selector->family && i < len; i++)
		if (selector->first[i] != selector->last[i])
			return 8 * (len - i - 1) +
			       bits_of(selector->first[i] ^ selector->last[i]);
	return 0;
}

/**
 * selector_width() - how much a selector covers
 * @selector: it
 *
 * Return: bits of address, protocol and port that it leaves open.
 */
unsigned int selector_width(const struct selector *selector)
{
	return address_bits(selector) + (selector->protocol ? 0 : 8) +
	       bits_of(selector->last_port - selector->first_port);
}
