// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a claim to the identity that it makes: which attributes there are, and
 * what the iToken is derived of. Every source goes this way, and so does an
 * administrator, by hand: the same evidence is the same identity.
 */
#include "claim.h"
#include "log.h"

static int itoken_set(struct identity_end *end, const struct claim *claim,
		      const struct proof *proof)
{
	switch (claim->token) {
	case TOKEN_PKIX:
		return itoken_pkix(end->itoken, proof->ca, proof->credential, end->id_type,
				   end->id);
	case TOKEN_KEY:
		return itoken_key(end->itoken, proof->credential);
	case TOKEN_ID:
	case TOKEN_USER:
		return itoken_id(end->itoken, claim->method, end->id_type, end->id);
	case TOKEN_VOUCHED:
		return itoken_vouched(end->itoken, proof->ca, end->id_type, end->id);
	case TOKEN_RANDOM:
		break;
	}
	return itoken_random(end->itoken);
}

/**
 * claim_end() - what is said of an end
 * @claim: what may be claimed
 * @proof: what it has shown; with a certificate or key where @claim is of one
 * @id: its IKE identity; NULL: none, where @claim is not of it
 * @user: name of the user, where @claim is of that
 * @end: filled in but for the auditString
 *
 * Return: 0 or a negative errno if there is no iToken.
 */
int claim_end(const struct claim *claim, const struct proof *proof, const char *id,
	      const char *user, struct identity_end *end)
{
	const char *name = claim->token == TOKEN_USER ? user : id;

	end->method = claim->method;
	/* a name that is not proved is for people only */
	if (name && (claim->method != IPSEC_AUTH_EAP || claim->token == TOKEN_USER)) {
		end->id = xstrdup(name);
		end->id_type = proof->id_type != IKE_ID_ANY ? proof->id_type : ike_id_type(name);
	}
	if (claim->token == TOKEN_PKIX) {
		end->certificate_dn = xstrdup(proof->credential->subject);
		end->ca_dn = xstrdup(proof->ca ? proof->ca->subject : NULL);
	}
	if (proof->credential && !proof->several &&
	    (claim->token == TOKEN_PKIX || claim->token == TOKEN_KEY))
		end->pubkey_id = xstrdup(proof->credential->pubkey_id);
	return itoken_set(end, claim, proof);
}

/**
 * claim_audit() - an end in one line
 * @told: who told of it
 * @end: as claim_end() has filled it in
 * @id: its IKE identity, NULL: none
 * @user: name of the user, NULL: the same, or none
 * @note: to be said as well, NULL: nothing
 *
 * Return: the line, to be freed.
 */
char *claim_audit(const char *told, const struct identity_end *end, const char *id,
		  const char *user, const char *note)
{
	return xprintf("%s: %s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s", told, method_name(end->method),
		       id ? " \"" : "", id ? id : "", id ? "\"" : "",
		       user ? " user \"" : "", user ? user : "", user ? "\"" : "",
		       end->certificate_dn ? " certificate \"" : "",
		       end->certificate_dn ? end->certificate_dn : "",
		       end->certificate_dn ? "\"" : "",
		       end->ca_dn ? " by \"" : "", end->ca_dn ? end->ca_dn : "",
		       end->ca_dn ? "\"" : "",
		       end->pubkey_id ? " key " : "", end->pubkey_id ? end->pubkey_id : "",
		       note ? "; " : "", note ? note : "");
}

/**
 * claim_binding() - the channel binding, if both ends have used a key that is known
 * @identity: gets it
 * @remote: what the peer has shown
 * @local: what this end has shown
 *
 * Return: 0, also if there is none, or -ENOMEM.
 */
int claim_binding(struct identity *identity, const struct proof *remote,
		  const struct proof *local)
{
	if (!remote->credential || remote->several || !local->credential || local->several)
		return 0;
	return credential_binding(remote->credential, local->credential, &identity->binding,
				  &identity->binding_len);
}
