// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever whack, certutil and updown scripts may say, and what the agent makes
 * of it. The first byte of an input is u: what follows is a message of a script;
 * c: certificates; anything else: what whack prints.
 */
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "../../tools/tokend/libreswan_choice.h"
#include "../../tools/tokend/libreswan_evidence.h"
#include "../../tools/tokend/libreswan_initiation.h"
#include "../../tools/tokend/libreswan_status.h"
#include "../../tools/tokend/libreswan_updown.h"
#include "../../tools/tokend/log.h"
#include "../../tools/tokend/text.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Without certificates no key can be claimed, and nothing without an identity. */
static void check_identity(const struct pluto_status *status, const struct pluto_state *state,
			   const struct identity *identity)
{
	const struct pluto_connection *connection;

	connection = pluto_connection_find(status, state->connection, state->instance);
	require(identity->remote.method >= IPSEC_AUTH_NONE &&
		identity->remote.method <= IPSEC_AUTH_PKIX_TRUSTED);
	require(!identity->remote.pubkey_id && !identity->remote.certificate_dn &&
		!identity->binding);
	require(identity->remote.method != IPSEC_AUTH_PKIX_TRUSTED);
	if (!connection || !connection->policy_told)
		require(identity->remote.method == IPSEC_AUTH_NONE);
	if (connection && (connection->null_accepted ||
			   connection->remote.class == AUTH_CLASS_NULL))
		require(identity->remote.method == IPSEC_AUTH_NONE);
	if (identity->remote.method == IPSEC_AUTH_PKIX_INLINE)
		require(identity->remote.id && status->keys_told && !connection->id_unchecked);
	require(!identity->remote.id || text_good(identity->remote.id));
	require(identity->remote.audit && text_good(identity->remote.audit));
}

/* Whatever is chosen is a connection that there is, and not one of a peer's making. */
static void choose(const struct config *config, const struct pluto_status *status)
{
	struct request request = {
		.id = 1, .family = AF_INET, .local = { 10, 0, 0, 1 }, .peer = { 10, 0, 0, 2 },
		.local_port = 40000, .peer_port = 80, .protocol = IPPROTO_TCP,
	};
	struct target target;

	if (pluto_pick(config, status, &request, &target) == IPSEC_REQUEST_REASON_NONE)
		require(pluto_connection_find(status, target.connection, 0));
}

static void use(const struct pluto_status *status)
{
	static struct config config = { .pluto_unique_psk = " a ", .pluto_unique_cert = " a " };
	struct nicknames nicknames = { NULL };
	struct identity *identity;
	struct nickname *nickname;
	size_t i;

	choose(&config, status);
	for (i = 0; i < status->connections; i++) {
		require(*status->connection[i].name && text_good(status->connection[i].name));
		nicknames_want(&nicknames, status, &status->connection[i]);
	}
	while ((nickname = nicknames_next(&nicknames)))
		nickname_read(nickname, "", 0);
	for (i = 0; i < status->states; i++) {
		const struct pluto_state *state = &status->state[i];

		require(pluto_state_find(status, state->number) == state);
		require(!state->in == !state->out && text_good(state->connection));
		identity = pluto_identity(status, &nicknames, state, &config);
		check_identity(status, state, identity);
		identity_put(identity);
	}
	nicknames_clear(&nicknames);
}

static void fuzz_updown(const uint8_t *data, size_t size)
{
	struct updown updown;
	const char *what = NULL;

	if (updown_parse(data, size, &updown, &what)) {
		require(what && *what);
		return;
	}
	require(*updown.verb && strlen(updown.verb) < sizeof(updown.verb));
	require(*updown.connection && strlen(updown.connection) < sizeof(updown.connection));
	require(text_good(updown.connection) && text_good(updown.verb));
}

static void fuzz_certificates(const uint8_t *data, size_t size)
{
	struct nicknames nicknames = { NULL };
	struct nickname *nickname = calloc(1, sizeof(*nickname));

	require(nickname);
	nickname->name = xstrdup("name");
	nicknames.first = nickname;
	nickname_read(nickname, (const char *)data, size);
	require(!nicknames_next(&nicknames));
	nicknames_clear(&nicknames);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level_set(0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pluto_status status;

	if (!size)
		return 0;
	if (*data == 'u') {
		fuzz_updown(data + 1, size - 1);
	} else if (*data == 'c') {
		fuzz_certificates(data + 1, size - 1);
	} else if (!pluto_status_parse((const char *)data, size, &status)) {
		use(&status);
		pluto_status_clear(&status);
	}
	return 0;
}
