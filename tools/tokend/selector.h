/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic selectors, as keying daemons print them.
 */
#ifndef TOKEND_SELECTOR_H
#define TOKEND_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct selector - one end of the traffic that SAs are for
 * @family: of the addresses, 0: the address of the host itself
 * @first: 4 or 16 bytes, the others 0
 * @last: the same
 * @protocol: 0: any
 * @first_port: in host byte order
 * @last_port: the same
 */
struct selector {
	uint16_t family;
	uint8_t first[16];
	uint8_t last[16];
	uint8_t protocol;
	uint16_t first_port;
	uint16_t last_port;
};

bool selector_parse(const char *text, struct selector *selector);
bool selector_addresses(const char *text, struct selector *selector);
bool selector_protocol(const char *text, struct selector *selector);
bool selector_ports(const char *text, const char *protocol, struct selector *selector);
bool selector_covers(const struct selector *selector, uint16_t family, const uint8_t *address,
		     uint8_t protocol, uint16_t port);
unsigned int selector_width(const struct selector *selector);

#endif /* TOKEND_SELECTOR_H */
