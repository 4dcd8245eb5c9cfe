/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is required of a connection, as options of the command line say it.
 */
#ifndef IPSEC_TOOL_REQUIRE_H
#define IPSEC_TOOL_REQUIRE_H

#include <getopt.h>
#include <ipsec/token.h>

/* returned by getopt_long() for the options that follow */
enum require_option {
	REQUIRE_WHAT = 256,
	REQUIRE_METHOD,
	REQUIRE_NO_BTNS,
	REQUIRE_PEER,
	REQUIRE_PEER_CA,
	REQUIRE_PEER_ID,
	REQUIRE_PEER_ID_TYPE,
	REQUIRE_PEER_KEY,
	REQUIRE_ITOKEN,
	REQUIRE_OPTIONS_END
};

#define REQUIRE_OPTIONS \
	{ "require", required_argument, NULL, REQUIRE_WHAT }, \
	{ "method", required_argument, NULL, REQUIRE_METHOD }, \
	{ "no-btns", no_argument, NULL, REQUIRE_NO_BTNS }, \
	{ "peer", required_argument, NULL, REQUIRE_PEER }, \
	{ "peer-ca", required_argument, NULL, REQUIRE_PEER_CA }, \
	{ "peer-id", required_argument, NULL, REQUIRE_PEER_ID }, \
	{ "peer-id-type", required_argument, NULL, REQUIRE_PEER_ID_TYPE }, \
	{ "peer-key", required_argument, NULL, REQUIRE_PEER_KEY }, \
	{ "itoken", required_argument, NULL, REQUIRE_ITOKEN }

/* as the type of an IKE identity: any will do */
#define REQUIRE_ID_TYPE_ANY (-1)

/**
 * struct requirement - what must hold
 * @flags: IPSEC_REQUEST_F_*
 * @methods: bits 1 << enum ipsec_auth_method that will do, 0: nobody needs to be known
 * @certificate_dn: as the agent writes it, NULL: any
 * @ca_dn: likewise
 * @ike_id: NULL: any
 * @ike_id_type: of @ike_id, or REQUIRE_ID_TYPE_ANY
 * @pubkey_id: NULL: any
 * @itoken: NULL: any
 * @no_btns: that was said, and is part of @methods once all is read
 * @given: bits 1 << (option - REQUIRE_WHAT) of the options that were there
 */
struct requirement {
	uint32_t flags;
	uint32_t methods;
	char *certificate_dn;
	char *ca_dn;
	const char *ike_id;
	int ike_id_type;
	const char *pubkey_id;
	struct ipsec_itoken *itoken;
	bool no_btns;
	uint32_t given;
};

bool require_is(int option);
int require_take(struct requirement *requirement, int option, const char *value);
int require_complete(struct requirement *requirement);
void require_free(struct requirement *requirement);
bool require_identity(const struct requirement *requirement);
int require_request(const struct requirement *requirement, struct ipsec_request **out);

#define UNMET_SIZE 2400

bool require_attributes_met(const struct requirement *requirement,
			    const struct ipsec_ptoken_attributes *attributes, char *why);
bool require_peer_met(const struct requirement *requirement, const struct ipsec_itoken *peer,
		      char *why);

#endif /* IPSEC_TOOL_REQUIRE_H */
