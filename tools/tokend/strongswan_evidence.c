// SPDX-License-Identifier: GPL-2.0-only
/*
 * How charon authenticated an IKE SA. It does not tell, so this puts together
 * what the connection asks for, who the two ends are, and which certificates
 * there are; mapping.c decides what may be claimed of it.
 *
 * Connections and certificates are kept for as long as it takes to look at the
 * IKE SAs that were waiting for them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

#include "../credential.h"
#include "claim.h"
#include "known.h"
#include "log.h"
#include "mapping.h"
#include "strongswan_connection.h"
#include "strongswan_evidence.h"

/**
 * struct certificate - a certificate or key that charon has
 * @next: in the list
 * @credential: itself
 * @subject: what charon calls a raw key, NULL: nothing
 * @own: charon has the private key
 */
struct certificate {
	struct certificate *next;
	struct credential *credential;
	char *subject;
	bool own;
};

static struct {
	struct connection *connection;
	struct certificate *certificate;
} store;

/* ----------------------------------------------------------------- gathering */

/**
 * evidence_clear() - forget all connections and certificates
 */
void evidence_clear(void)
{
	struct connection *connection;
	struct certificate *certificate;

	while ((connection = store.connection)) {
		store.connection = connection->next;
		connection_free(connection);
	}
	while ((certificate = store.certificate)) {
		store.certificate = certificate->next;
		credential_free(certificate->credential);
		free(certificate->subject);
		free(certificate);
	}
}

/**
 * evidence_connection() - keep a connection
 * @message: of event list-conn
 */
void evidence_connection(const struct vici_message *message)
{
	struct connection *connection = connection_read(message);

	if (!connection)
		return;
	connection->next = store.connection;
	store.connection = connection;
}

/**
 * evidence_certificate() - keep a certificate or key
 * @message: of event list-cert
 */
void evidence_certificate(const struct vici_message *message)
{
	const char *type = vici_string(&message->root, "type");
	const struct vici_node *data = vici_value(&message->root, "data");
	const char *own = vici_string(&message->root, "has_privkey");
	struct certificate *certificate;
	struct credential *credential;
	int err;

	if (!type || !data || (strcmp(type, "X509") && strcmp(type, "PUBKEY")))
		return;
	err = credential_parse(data->value, data->len, &credential);
	if (err) {
		log_event(LOG_LEVEL_WARNING, "strongswan: a certificate cannot be read: %s",
			  strerror(-err));
		return;
	}
	certificate = xcalloc(1, sizeof(*certificate));
	certificate->credential = credential;
	certificate->subject = xstrdup(vici_string(&message->root, "subject"));
	certificate->own = own && !strcmp(own, "yes");
	certificate->next = store.certificate;
	store.certificate = certificate;
}

/* ------------------------------------------------------------- which key it was */

/**
 * struct key - what an end may have used
 * @kind: enum key_evidence
 * @pinned: the connection names it
 * @credential: one of those it may be
 * @ca: whose key verified that, NULL: nobody's
 * @id_type: type of the IKE identity as the certificate has it
 */
struct key {
	enum key_evidence kind;
	bool pinned;
	const struct credential *credential;
	const struct credential *ca;
	enum ike_id_type id_type;
};

static const struct credential *issuer(const struct credential *credential)
{
	const struct certificate *c;

	for (c = store.certificate; c; c = c->next)
		if (credential_issued(c->credential, credential))
			return c->credential;
	return NULL;
}

/* A key without a name is called by the SHA-1 of its SubjectPublicKeyInfo. */
static bool key_hash_is(const struct credential *credential, const char *text)
{
	uint8_t hash[SHA_DIGEST_LENGTH];
	char hex[3 * SHA_DIGEST_LENGTH + 1];
	size_t i;

	SHA1(credential->spki, credential->spki_len, hash);
	for (i = 0; i < sizeof(hash); i++)
		snprintf(hex + 3 * i, 4, "%02x:", hash[i]);
	hex[3 * sizeof(hash) - 1] = '\0';
	return !strcasecmp(hex, text);
}

static bool is_called(const struct certificate *c, const char *text)
{
	if (c->credential->x509)
		return credential_has_subject(c->credential, text);
	return c->subject ? !strcmp(c->subject, text) : key_hash_is(c->credential, text);
}

static bool is_pinned(const struct certificate *c, const struct round *round)
{
	size_t i;

	for (i = 0; i < round->certs.count; i++)
		if (is_called(c, round->certs.item[i]))
			return true;
	return false;
}

/* May this end have used it? */
static bool is_candidate(const struct certificate *c, const struct round *round, const char *id,
			 bool local, struct key *key)
{
	memset(key, 0, sizeof(*key));
	key->credential = c->credential;
	key->pinned = is_pinned(c, round);
	if ((local && !c->own) || (round->certs.count && !key->pinned))
		return false;
	if (!c->credential->x509) {
		key->kind = KEY_RAW;
		return key->pinned || (c->subject && !strcmp(c->subject, id));
	}
	key->kind = KEY_CERTIFICATE;
	key->id_type = credential_has_id(c->credential, id);
	key->ca = issuer(c->credential);
	return key->id_type != IKE_ID_ANY && (key->ca || key->pinned || local);
}

/* What two candidates have in common is all that can be told. */
static void merge(struct key *key, const struct key *other)
{
	if (key->kind == KEY_NONE) {
		*key = *other;
	} else if (key->kind == KEY_AMBIGUOUS || key->kind == KEY_RAW ||
		   other->kind == KEY_RAW) {
		if (key->kind != other->kind ||
		    !credential_same_key(key->credential, other->credential))
			key->kind = KEY_AMBIGUOUS;
	} else if (!key->ca || !other->ca || key->id_type != other->id_type ||
		   !credential_same_subject(key->credential, other->credential)) {
		if (!credential_equal(key->credential, other->credential))
			key->kind = KEY_AMBIGUOUS;
	} else if (!credential_same_key(key->credential, other->credential)) {
		key->kind = KEY_CERTIFICATES;
	}
	key->pinned &= other->pinned;
}

static struct key key_find(const struct round *round, const char *id, bool local)
{
	struct key key = { .kind = KEY_NONE }, other;
	const struct certificate *c;

	for (c = store.certificate; c; c = c->next)
		if (is_candidate(c, round, id, local, &other))
			merge(&key, &other);
	if (key.kind == KEY_NONE || key.kind == KEY_AMBIGUOUS)
		key.credential = NULL;
	return key;
}

/* --------------------------------------------------------------- what to claim */

static struct proof proof_of(const struct key *key)
{
	return (struct proof){
		.credential = key->credential,
		.ca = key->ca,
		.id_type = key->credential ? key->id_type : IKE_ID_ANY,
		.several = key->kind == KEY_CERTIFICATES,
	};
}

static void end_set(struct identity_end *end, const struct claim *claim, const struct key *key,
		    const char *id, const char *user)
{
	const struct proof proof = proof_of(key);

	if (claim_end(claim, &proof, id, user, end)) {
		log_event(LOG_LEVEL_ERROR, "an iToken cannot be computed");
		exit(EXIT_FAILURE);
	}
}

static void audit_set(struct identity_end *end, const struct ike_facts *ike, const char *id,
		      const char *user, const char *note)
{
	char *told = xprintf("strongSwan IKEv%s %s", ike->version, ike->connection);

	end->audit = claim_audit(told, end, id, user, note);
	free(told);
}

/* A key that this very IKE SA was the first to come with was not seen before. */
static enum known known_key(const struct config *config, const struct key *key, const char *id,
			    int64_t established)
{
	enum known known;

	if (key->kind != KEY_RAW)
		return KNOWN_NEW;
	known = known_look(config->known_keys, ike_id_type(id), id, key->credential->pubkey_id,
			   established == INT64_MAX ? established : established - 1);
	if (known == KNOWN_CHANGED)
		log_event(LOG_LEVEL_WARNING, "the key of \"%s\" HAS CHANGED, it is now %s", id,
			  key->credential->pubkey_id);
	return known;
}

static void remote_set(struct identity *identity, const struct ike_facts *ike,
		       const struct connection *connection, const struct config *config,
		       struct key *key)
{
	const struct round *round = connection_deciding_round(&connection->remote);
	const char *user = ike->remote_user ? ike->remote_user : ike->remote_id;
	struct evidence evidence = {
		.class = round->auth.class,
		.eap_proves_user = mapping_eap_proves_user(round->eap_type),
		.secret_unique = config_lists(config->unique_psk, ike->connection),
		.id_specific = mapping_id_specific(round->id),
		.fetched = config->hash_and_url,
	};
	struct claim claim;

	if (evidence.class == AUTH_CLASS_PUBKEY)
		*key = key_find(round, ike->remote_id, false);
	evidence.key = key->kind;
	evidence.pinned = key->pinned;
	evidence.known = known_key(config, key, ike->remote_id, ike->established);
	claim = mapping_claim(&evidence);
	end_set(&identity->remote, &claim, key, ike->remote_id, user);
	audit_set(&identity->remote, ike, ike->remote_id, ike->remote_user, claim.note);
}

/* Of this end a name suffices, since nobody has to be warned of it. */
static void local_set(struct identity *identity, const struct ike_facts *ike,
		      const struct connection *connection, const struct config *config,
		      struct key *key)
{
	const struct round *round = connection_deciding_round(&connection->local);
	const char *user = round->user ? round->user : ike->local_id;
	struct evidence evidence = {
		.class = round->auth.class,
		.eap_proves_user = true,
		.secret_unique = config_lists(config->unique_psk, ike->connection),
		.id_specific = true,
		.fetched = config->hash_and_url,
	};
	struct claim claim;

	if (evidence.class == AUTH_CLASS_PUBKEY)
		*key = key_find(round, ike->local_id, true);
	evidence.key = key->kind;
	claim = mapping_claim(&evidence);
	/* it would be another one each time */
	if (claim.token == TOKEN_RANDOM)
		return;
	end_set(&identity->local, &claim, key, ike->local_id, user);
	audit_set(&identity->local, ike, ike->local_id, NULL, NULL);
}

/**
 * evidence_remember() - the kernel was told of a peer, which is thus known
 * @identity: who
 * @config: ours
 *
 * In this order: who is killed in between takes the peer for a stranger once
 * more, and not for somebody seen before.
 */
void evidence_remember(const struct identity *identity, const struct config *config)
{
	const struct identity_end *peer = &identity->remote;

	if (peer->method == IPSEC_AUTH_BTNS && peer->pubkey_id && peer->id)
		known_check(config->known_keys, peer->id_type, peer->id, peer->pubkey_id);
}

/**
 * evidence_identity() - who is behind an IKE SA
 * @ike: what is told of it
 * @config: ours
 *
 * Return: the identity, without lineage and name of a policy; never NULL.
 */
struct identity *evidence_identity(const struct ike_facts *ike, const struct config *config)
{
	static const struct connection unknown = { .name = "" };
	struct key remote = { .kind = KEY_NONE }, local = { .kind = KEY_NONE };
	const struct connection *connection = store.connection;
	struct identity *identity = identity_new();
	struct proof remote_proof, local_proof;

	while (connection && strcmp(connection->name, ike->connection))
		connection = connection->next;
	if (!connection) {
		log_event(LOG_LEVEL_WARNING, "strongswan: connection %s is not loaded any more",
			  ike->connection);
		connection = &unknown;
	}
	remote_set(identity, ike, connection, config, &remote);
	local_set(identity, ike, connection, config, &local);
	remote_proof = proof_of(&remote);
	local_proof = proof_of(&local);
	if (claim_binding(identity, &remote_proof, &local_proof))
		log_event(LOG_LEVEL_ERROR, "no channel binding, out of memory");
	identity->source = xstrdup(STRONGSWAN_NAME);
	return identity;
}
