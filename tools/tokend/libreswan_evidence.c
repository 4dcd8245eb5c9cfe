// SPDX-License-Identifier: GPL-2.0-only
/*
 * How pluto authenticated an IKE SA. It tells which connection the IKE SA is of,
 * what that asks for and who the two ends are; mapping.c decides what may be
 * claimed of it.
 *
 * pluto does not tell which certificate a peer has sent, and accepts every one
 * that has the identity and leads to the CA of the connection. So mostly the
 * identity and the CA are all that is known. The exceptions, where it can only
 * have been the certificate that the connection names: it has signed itself and
 * is no CA, so nothing else leads to it; or the administrator says so.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libreswan_evidence.h"
#include "log.h"

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* ----------------------------------------------------------------- certificates */

static struct nickname *nickname_find(const struct nicknames *nicknames, const char *name)
{
	struct nickname *nickname = nicknames->first;

	while (nickname && !same(nickname->name, name))
		nickname = nickname->next;
	return nickname;
}

static void want(struct nicknames *nicknames, const char *name, bool ca)
{
	struct nickname *nickname = nickname_find(nicknames, name);

	if (!nickname) {
		nickname = xcalloc(1, sizeof(*nickname));
		nickname->name = xstrdup(name);
		nickname->next = nicknames->first;
		nicknames->first = nickname;
	}
	nickname->ca |= ca;
}

static const struct pluto_certificate *certificate_find(const struct pluto_status *status,
							const char *nickname)
{
	size_t i;

	for (i = 0; i < status->certificates; i++)
		if (same(status->certificate[i].nickname, nickname))
			return &status->certificate[i];
	return NULL;
}

static void want_cas(struct nicknames *nicknames, const struct pluto_status *status,
		     const char *subject)
{
	size_t i;

	for (i = 0; i < status->certificates; i++)
		if (status->certificate[i].ca && same(status->certificate[i].subject, subject))
			want(nicknames, status->certificate[i].nickname, true);
}

static void want_end(struct nicknames *nicknames, const struct pluto_status *status,
		     const struct pluto_end *end)
{
	const struct pluto_certificate *certificate = certificate_find(status, end->certificate);

	if (end->certificate)
		want(nicknames, end->certificate, false);
	if (certificate)
		want_cas(nicknames, status, certificate->issuer);
	want_cas(nicknames, status, end->ca);
}

/**
 * nicknames_want() - certificates are needed
 * @nicknames: to be added to
 * @status: of pluto
 * @connection: that they are needed for
 */
void nicknames_want(struct nicknames *nicknames, const struct pluto_status *status,
		    const struct pluto_connection *connection)
{
	if (connection->local.class == AUTH_CLASS_PUBKEY)
		want_end(nicknames, status, &connection->local);
	if (connection->remote.class == AUTH_CLASS_PUBKEY)
		want_end(nicknames, status, &connection->remote);
}

/**
 * nicknames_next() - which certificates to ask for
 * @nicknames: that are needed
 *
 * Return: one that was not asked for yet, or NULL.
 */
struct nickname *nicknames_next(const struct nicknames *nicknames)
{
	struct nickname *nickname = nicknames->first;

	while (nickname && nickname->read)
		nickname = nickname->next;
	return nickname;
}

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

/**
 * nickname_read() - take in certificates of one name
 * @nickname: the name
 * @text: certificates in PEM, one after the other
 * @len: size of that
 *
 * All of them are taken in, or none.
 */
void nickname_read(struct nickname *nickname, const char *text, size_t len)
{
	struct credential *credential;
	const char *begin, *end;

	nickname->read = true;
	while ((begin = memmem(text, len, PEM_BEGIN, strlen(PEM_BEGIN)))) {
		len -= begin - text;
		text = begin;
		end = memmem(text, len, PEM_END, strlen(PEM_END));
		if (!end || credential_parse(text, end + strlen(PEM_END) - text, &credential)) {
			log_event(LOG_LEVEL_WARNING, "libreswan: certificate \"%s\" cannot be read",
				  nickname->name);
			while (nickname->credentials)
				credential_free(nickname->credential[--nickname->credentials]);
			return;
		}
		nickname->credential = reallocarray(nickname->credential,
						    nickname->credentials + 1,
						    sizeof(*nickname->credential));
		if (!nickname->credential)
			exit(EXIT_FAILURE);
		nickname->credential[nickname->credentials++] = credential;
		end += strlen(PEM_END);
		len -= end - text;
		text = end;
	}
}

/**
 * nicknames_clear() - forget all certificates
 * @nicknames: are empty afterwards
 */
void nicknames_clear(struct nicknames *nicknames)
{
	struct nickname *nickname;

	while ((nickname = nicknames->first)) {
		nicknames->first = nickname->next;
		while (nickname->credentials)
			credential_free(nickname->credential[--nickname->credentials]);
		free(nickname->credential);
		free(nickname->name);
		free(nickname);
	}
}

/* ------------------------------------------------------------- which key it was */

/**
 * struct key - what an end has used
 * @kind: enum key_evidence
 * @credential: its certificate, NULL: not told
 * @ca: that vouches for it, NULL: none, or any that is trusted
 */
struct key {
	enum key_evidence kind;
	const struct credential *credential;
	const struct credential *ca;
};

/* The only certificate of that name, NULL if there are others. */
static const struct credential *credential_of(const struct nicknames *nicknames,
					      const char *name)
{
	const struct nickname *nickname = nickname_find(nicknames, name);

	return nickname && nickname->credentials == 1 && nickname->credential[0]->x509 ?
	       nickname->credential[0] : NULL;
}

static const struct credential *issuer_of(const struct nicknames *nicknames,
					  const struct credential *credential)
{
	const struct nickname *nickname;
	size_t i;

	for (nickname = nicknames->first; nickname; nickname = nickname->next)
		for (i = 0; nickname->ca && i < nickname->credentials; i++)
			if (credential_issued(nickname->credential[i], credential))
				return nickname->credential[i];
	return NULL;
}

/* The CA that pluto prints so, NULL if it may be either of two. */
static const struct credential *ca_of(const struct pluto_status *status,
				      const struct nicknames *nicknames, const char *subject)
{
	const struct credential *ca = NULL;
	const struct nickname *nickname;
	size_t i, k;

	for (i = 0; i < status->certificates; i++) {
		if (!status->certificate[i].ca || !same(status->certificate[i].subject, subject))
			continue;
		nickname = nickname_find(nicknames, status->certificate[i].nickname);
		for (k = 0; nickname && k < nickname->credentials; k++) {
			if (!nickname->credential[k]->x509 ||
			    (ca && !credential_same_subject(ca, nickname->credential[k])))
				return NULL;
			ca = nickname->credential[k];
		}
	}
	return ca;
}

/**
 * pluto_plain_id() - an IKE identity as others write it
 * @end: that has one
 *
 * Return: the identity, without the @ that pluto writes in front of a host name.
 */
const char *pluto_plain_id(const struct pluto_end *end)
{
	return end->id_type == IKE_ID_FQDN && *end->id == '@' ? end->id + 1 : end->id;
}

static bool has_id(const struct pluto_status *status, const struct credential *credential,
		   const struct pluto_end *end)
{
	const struct pluto_certificate *certificate;

	if (!end->id || end->id_type == IKE_ID_ANY)
		return false;
	/* it is printed in pluto's own way, and so is the certificate's */
	certificate = certificate_find(status, end->certificate);
	if (end->id_type == IKE_ID_DER_ASN1_DN)
		return certificate && same(certificate->subject, end->id);
	return credential_has_id(credential, pluto_plain_id(end)) == end->id_type;
}

/* Nothing that is not this very certificate can lead to it. */
static bool stands_alone(const struct pluto_status *status, const struct credential *credential,
			 const struct pluto_end *end)
{
	const struct pluto_certificate *certificate = certificate_find(status, end->certificate);
	size_t i;

	if (!certificate || certificate->ca || credential->ca || !end->ca ||
	    !same(certificate->subject, end->ca) || !same(certificate->issuer, end->ca))
		return false;
	for (i = 0; i < status->certificates; i++)
		if (&status->certificate[i] != certificate &&
		    same(status->certificate[i].subject, end->ca))
			return false;
	return true;
}

/* Keys that an administrator has given, or DNS, are as good as certificates. */
static bool has_raw_key(const struct pluto_status *status, const char *id)
{
	const struct pluto_key *key;
	size_t i;

	for (i = 0; i < status->keys; i++) {
		key = &status->key[i];
		if (!key->certified && (!key->id || *key->id == '%' || !strcasecmp(key->id, id)))
			return true;
	}
	return false;
}

static struct key remote_key(const struct pluto_status *status, const struct nicknames *nicknames,
			     const struct pluto_connection *connection,
			     const struct config *config)
{
	const struct pluto_end *end = &connection->remote;
	const struct credential *credential = credential_of(nicknames, end->certificate);
	struct key key = { .kind = KEY_NONE };

	if (!end->id || end->id_type == IKE_ID_ANY || connection->id_unchecked)
		return key;
	key.kind = KEY_AMBIGUOUS;
	if (!status->keys_told || has_raw_key(status, end->id))
		return key;
	if (credential && has_id(status, credential, end) &&
	    (stands_alone(status, credential, end) ||
	     config_lists(config->pluto_unique_cert, connection->name))) {
		key.kind = KEY_CERTIFICATE;
		key.credential = credential;
		key.ca = issuer_of(nicknames, credential);
		return key;
	}
	key.ca = ca_of(status, nicknames, end->ca);
	if (key.ca || !end->ca)
		key.kind = KEY_VOUCHED;
	return key;
}

static struct key local_key(const struct pluto_status *status, const struct nicknames *nicknames,
			    const struct pluto_connection *connection)
{
	const struct pluto_end *end = &connection->local;
	struct key key = { .credential = credential_of(nicknames, end->certificate) };

	key.kind = key.credential && has_id(status, key.credential, end) ?
		   KEY_CERTIFICATE : KEY_NONE;
	if (key.kind == KEY_CERTIFICATE)
		key.ca = issuer_of(nicknames, key.credential);
	return key;
}

/* --------------------------------------------------------------- what to claim */

/**
 * pluto_class_of() - what an end has to prove itself by
 * @connection: it is of
 * @end: it
 *
 * Nothing at all counts where it is not told, or where an end that is expected to
 * sign may do without. The policy is what this end goes by itself; what it accepts
 * beside what it asks for follows that.
 *
 * Return: the least if there are several ways.
 */
enum auth_class pluto_class_of(const struct pluto_connection *connection,
			       const struct pluto_end *end)
{
	if (!connection->policy_told || connection->null_accepted ||
	    end->class == AUTH_CLASS_NULL)
		return AUTH_CLASS_NULL;
	if (end->eap)
		return AUTH_CLASS_EAP;
	if (end->class == AUTH_CLASS_ANY)
		return AUTH_CLASS_NULL;
	if ((connection->psk_accepted && end->class != AUTH_CLASS_PSK) ||
	    (connection->signature_accepted && end->class != AUTH_CLASS_PUBKEY))
		return AUTH_CLASS_ANY;
	return end->class;
}

/* An instance says who came; what it was made from says who may. */
static bool id_specific(const struct pluto_status *status,
			const struct pluto_connection *connection)
{
	const struct pluto_connection *whole = connection;

	if (connection->instance)
		whole = pluto_connection_find(status, connection->name, 0);
	return whole && mapping_id_specific(whole->remote.id) &&
	       whole->remote.id_type != IKE_ID_ANY && same(whole->remote.id, connection->remote.id);
}

static int itoken_set(struct identity_end *end, const struct claim *claim, const struct key *key)
{
	if (end->id && claim->token == TOKEN_PKIX)
		return itoken_pkix(end->itoken, key->ca, key->credential, end->id_type, end->id);
	if (end->id && claim->token == TOKEN_VOUCHED)
		return itoken_vouched(end->itoken, key->ca, end->id_type, end->id);
	if (end->id && claim->token == TOKEN_ID)
		return itoken_id(end->itoken, claim->method, end->id_type, end->id);
	return itoken_random(end->itoken);
}

static void end_set(struct identity_end *to, const struct pluto_end *from,
		    const struct claim *claim, const struct key *key)
{
	to->method = claim->method;
	if (from->id && from->id_type != IKE_ID_ANY && claim->token != TOKEN_RANDOM) {
		to->id = xstrdup(pluto_plain_id(from));
		to->id_type = from->id_type;
	}
	if (key->credential) {
		to->certificate_dn = xstrdup(key->credential->subject);
		to->pubkey_id = xstrdup(key->credential->pubkey_id);
	}
	to->ca_dn = xstrdup(key->ca ? key->ca->subject : NULL);
	if (itoken_set(to, claim, key)) {
		log_event(LOG_LEVEL_ERROR, "an iToken cannot be computed");
		exit(EXIT_FAILURE);
	}
}

static void audit_set(struct identity_end *to, const struct pluto_connection *connection,
		      const struct pluto_end *from, const char *note)
{
	char *dn = to->certificate_dn ? xprintf(" certificate \"%s\"", to->certificate_dn) : NULL;
	char *ca = to->ca_dn ? xprintf(" by \"%s\"", to->ca_dn) : NULL;

	to->audit = xprintf("libreswan IKEv%d %s: %s \"%s\"%s%s%s%s%s%s",
			    connection->ikev1 ? 1 : 2, connection->name,
			    method_name(to->method), from->id ? from->id : "",
			    dn ? dn : "", ca ? ca : "", to->pubkey_id ? " key " : "",
			    to->pubkey_id ? to->pubkey_id : "", note ? "; " : "",
			    note ? note : "");
	free(dn);
	free(ca);
}

static void remote_set(struct identity *identity, const struct pluto_status *status,
		       const struct nicknames *nicknames,
		       const struct pluto_connection *connection, const struct config *config,
		       struct key *key)
{
	struct evidence evidence = {
		.class = pluto_class_of(connection, &connection->remote),
		.secret_unique = config_lists(config->pluto_unique_psk, connection->name),
		.id_specific = id_specific(status, connection),
	};
	struct claim claim;

	if (evidence.class == AUTH_CLASS_PUBKEY)
		*key = remote_key(status, nicknames, connection, config);
	evidence.key = key->kind;
	evidence.pinned = key->kind == KEY_CERTIFICATE;
	claim = mapping_claim(&evidence);
	end_set(&identity->remote, &connection->remote, &claim, key);
	audit_set(&identity->remote, connection, &connection->remote, claim.note);
}

/* Of this end a name suffices, since nobody has to be warned of it. */
static void local_set(struct identity *identity, const struct pluto_status *status,
		      const struct nicknames *nicknames,
		      const struct pluto_connection *connection, const struct config *config,
		      struct key *key)
{
	struct evidence evidence = {
		.class = pluto_class_of(connection, &connection->local),
		.secret_unique = config_lists(config->pluto_unique_psk, connection->name),
		.id_specific = true,
	};
	struct claim claim;

	if (evidence.class == AUTH_CLASS_PUBKEY)
		*key = local_key(status, nicknames, connection);
	evidence.key = key->kind;
	claim = mapping_claim(&evidence);
	/* it would be another one each time */
	if (claim.token == TOKEN_RANDOM || !connection->local.id)
		return;
	end_set(&identity->local, &connection->local, &claim, key);
	audit_set(&identity->local, connection, &connection->local, NULL);
}

/**
 * pluto_identity() - who is behind an IKE SA
 * @status: of pluto
 * @nicknames: certificates that are needed for that
 * @ike: the IKE SA
 * @config: ours
 *
 * Return: the identity, without lineage and name of a policy; never NULL.
 */
struct identity *pluto_identity(const struct pluto_status *status,
				const struct nicknames *nicknames, const struct pluto_state *ike,
				const struct config *config)
{
	const struct pluto_connection unknown = { .name = ike->connection }, *connection;
	struct key remote = { .kind = KEY_NONE }, local = { .kind = KEY_NONE };
	struct identity *identity = identity_new();

	connection = pluto_connection_find(status, ike->connection, ike->instance);
	if (!connection) {
		log_event(LOG_LEVEL_WARNING, "libreswan: connection %s is not loaded any more",
			  ike->connection);
		connection = &unknown;
	}
	remote_set(identity, status, nicknames, connection, config, &remote);
	local_set(identity, status, nicknames, connection, config, &local);
	if (remote.credential && local.credential && identity->local.method &&
	    credential_binding(remote.credential, local.credential, &identity->binding,
			       &identity->binding_len))
		log_event(LOG_LEVEL_ERROR, "no channel binding, out of memory");
	identity->source = xstrdup(LIBRESWAN_NAME);
	return identity;
}
