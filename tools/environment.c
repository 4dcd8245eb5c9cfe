// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program that is started gets: what protects its connection, as variables
 * of the environment.
 *
 * What is not so, or not available, has no variable: none is ever empty. Those
 * of somebody else are removed first, whatever they are called, so that a program
 * that looks for one which this version does not know finds none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define PREFIX "IPSEC_"

/* an end is described in as many words at most */
#define NAME_SIZE 64

/**
 * environment_clear() - remove all variables that could be taken for ours
 */
void environment_clear(void)
{
	char **from, **to;

	/* a name can be there twice, and without a "=" */
	for (from = environ, to = environ; from && *from; from++)
		if (strncmp(*from, PREFIX, strlen(PREFIX)))
			*to++ = *from;
	if (to)
		*to = NULL;
}

static int set(const char *end, const char *name, const char *value)
{
	char full[NAME_SIZE];

	if (!value || !*value)
		return 0;
	snprintf(full, sizeof(full), PREFIX "%s%s", end, name);
	return setenv(full, value, 1) ? -errno : 0;
}

static int set_end(const char *end, const char *id, const struct ipsec_itoken *itoken)
{
	char text[IPSEC_ITOKEN_TEXT_SIZE] = "", type[IKE_ID_TYPE_WORD] = "";
	int id_type = ipsec_itoken_ike_id_type(itoken);
	int err;

	if (ipsec_itoken_export(itoken, text, sizeof(text)) < 0)
		*text = '\0';
	if (id_type >= 0 && ipsec_itoken_ike_id(itoken))
		ike_id_type_word(id_type, type);

	err = set(end, "METHOD", ipsec_auth_method_name(ipsec_itoken_method(itoken)));
	err = err ? err : set(end, "ITOKEN", text);
	err = err ? err : set(id, "ID", ipsec_itoken_ike_id(itoken));
	err = err ? err : set(id, "ID_TYPE", type);
	err = err ? err : set(end, "CERTIFICATE_DN", ipsec_itoken_certificate_dn(itoken));
	err = err ? err : set(end, "CA_DN", ipsec_itoken_ca_dn(itoken));
	err = err ? err : set(end, "PUBKEY_ID", ipsec_itoken_pubkey_id(itoken));
	return err ? err : set(end, "IDENTITY_AUDIT", ipsec_itoken_audit_string(itoken));
}

static const char *yes(uint8_t attribute)
{
	return attribute == 1 ? "1" : NULL;
}

/**
 * environment_tell() - set the variables
 * @attributes: of the protection
 * @audit: the protection in one line, NULL: none
 * @peer: who is the peer, NULL: not known
 * @local: as whom the peer knows this end, NULL: not known
 *
 * Return: 0 or a negative errno.
 */
int environment_tell(const struct ipsec_ptoken_attributes *attributes, const char *audit,
		     const struct ipsec_itoken *peer, const struct ipsec_itoken *local)
{
	int err;

	err = set("", "PRIVACY", yes(attributes->privacy_protected));
	err = err ? err : set("", "INTEGRITY", yes(attributes->integrity_protected));
	err = err ? err : set("", "COMPRESSION", yes(attributes->compression_available));
	err = err ? err : set("", "TUNNEL", yes(attributes->tunnel_mode));
	err = err ? err : set("", "END_TO_END", yes(attributes->end_to_end));
	err = err ? err : set("", "AUDIT", audit);
	if (!err && peer) {
		err = set_end("", "PEER_", peer);
		err = err ? err : set("", "POLICY", ipsec_itoken_policy_name(peer));
	}
	if (!err && local)
		err = set_end("LOCAL_", "LOCAL_", local);
	return err;
}

/**
 * program_failed() - complain that a program was not started
 * @program: its name
 * @err: errno of execvp()
 *
 * Return: exit code, the one that shells have for it.
 */
int program_failed(const char *program, int err)
{
	failed("%s: %s", program, strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN;
}
