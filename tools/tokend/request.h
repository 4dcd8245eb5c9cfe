/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SAs that an application requires and that are not there.
 */
#ifndef TOKEND_REQUEST_H
#define TOKEND_REQUEST_H

#include "identity.h"

/* room for the text of one */
#define REQUEST_TEXT 256

/**
 * struct request - what is required, and for what
 * @id: the kernel's name for it
 * @flags: IPSEC_REQUEST_F_*
 * @methods: that are accepted, bit 1 << enum ipsec_auth_method, 0: any
 * @timeout_ms: how long the application waits, 0: not told
 * @uid: of the asker
 * @family: of both addresses
 * @local: 4 or 16 bytes, the others 0
 * @peer: 4 or 16 bytes, the others 0
 * @local_port: in host byte order, 0: not known yet
 * @peer_port: in host byte order
 * @protocol: IPPROTO_*
 * @itoken_given: the peer must have the iToken of @who
 * @who: the peer, as far as something is required of it; a * in its names and its
 *	key's id stands for anything
 */
struct request {
	uint64_t id;
	uint32_t flags;
	uint32_t methods;
	uint32_t timeout_ms;
	uint32_t uid;
	uint16_t family;
	uint8_t local[16];
	uint8_t peer[16];
	uint16_t local_port;
	uint16_t peer_port;
	uint8_t protocol;
	bool itoken_given;
	struct identity_end who;
};

/* how well something configured fits what is required */
enum request_fit {
	REQUEST_FIT_NO,
	REQUEST_FIT_MAYBE,		/* it is not known */
	REQUEST_FIT_YES,
};

struct request *request_new(void);
void request_free(struct request *request);
const char *request_text(const struct request *request, char *text);

bool request_accepts(const struct request *request, uint32_t methods);
bool request_address_is(const struct request *request, const uint8_t *address, const char *text);
enum request_fit request_fits_id(const struct request *request, uint8_t id_type,
				 const char *id);
enum request_fit request_fits_name(const char *required, const char *name);

#endif /* TOKEND_REQUEST_H */
