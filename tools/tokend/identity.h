/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is behind an SA, as the agent tells the kernel.
 */
#ifndef TOKEND_IDENTITY_H
#define TOKEND_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/ipsec_token.h>

/**
 * struct identity_end - one end of an SA
 * @itoken: equal for the same peer proved the same way
 * @method: enum ipsec_auth_method, 0: nothing is known of this end
 * @id_type: enum ike_id_type
 * @id: IKE identity, or the user's; NULL: none
 * @ca_dn: NULL: none
 * @certificate_dn: NULL: none
 * @pubkey_id: NULL: none
 * @audit: NULL: none
 */
struct identity_end {
	uint8_t itoken[IPSEC_ITOKEN_SIZE];
	uint8_t method;
	uint8_t id_type;
	char *id;
	char *ca_dn;
	char *certificate_dn;
	char *pubkey_id;
	char *audit;
};

/**
 * struct identity - both ends of an SA
 * @refs: who holds it
 * @lineage: SAs that succeed each other
 * @remote: the peer
 * @local: this end
 * @binding: channel binding, NULL: none
 * @binding_len: size of that
 * @policy: name of the connection, NULL: none
 * @source: who told
 */
struct identity {
	unsigned int refs;
	uint64_t lineage;
	struct identity_end remote;
	struct identity_end local;
	uint8_t *binding;
	size_t binding_len;
	char *policy;
	char *source;
};

struct identity *identity_new(void);
struct identity *identity_copy(const struct identity *identity);
struct identity *identity_get(struct identity *identity);
void identity_put(struct identity *identity);
bool identity_equal(const struct identity *a, const struct identity *b);

const char *method_name(uint8_t method);

#endif /* TOKEND_IDENTITY_H */
