/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a claim to the identity that it makes.
 */
#ifndef TOKEND_CLAIM_H
#define TOKEND_CLAIM_H

#include "../credential.h"
#include "identity.h"
#include "mapping.h"

/**
 * struct proof - what an end has shown to prove who it is
 * @credential: its certificate or public key, NULL: none that is known
 * @ca: whose key verified @credential, NULL: nobody's
 * @id_type: type of the IKE identity, as the certificate has it or as it is known
 *	otherwise; IKE_ID_ANY: as strongSwan takes the text
 * @several: @credential is one of several of the same subject and CA, and which
 *	of their keys it was is not known
 */
struct proof {
	const struct credential *credential;
	const struct credential *ca;
	enum ike_id_type id_type;
	bool several;
};

int claim_end(const struct claim *claim, const struct proof *proof, const char *id,
	      const char *user, struct identity_end *end);
char *claim_audit(const char *told, const struct identity_end *end, const char *id,
		  const char *user, const char *note);
int claim_binding(struct identity *identity, const struct proof *remote,
		  const struct proof *local);

#endif /* TOKEND_CLAIM_H */
