/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libreswan's program whack prints of pluto: SAs, connections, public keys
 * and certificates.
 */
#ifndef TOKEND_LIBRESWAN_STATUS_H
#define TOKEND_LIBRESWAN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../credential.h"
#include "mapping.h"
#include "selector.h"

/* what is longer than this is not a line of whack's */
#define STATUS_LINE_MAX 16384

/**
 * struct pluto_end - one end of a connection
 * @class: how it has to prove who it is
 * @eap: it does so by EAP
 * @id_type: of @id, IKE_ID_ANY: it is not one identity
 * @id: IKE identity as it is printed, NULL: none
 * @certificate: nickname of its certificate, NULL: none
 * @ca: subject of the CA that its certificate has to come from, NULL: any
 * @host: its address, NULL: not told, or not one
 * @traffic: that SAs are for, if there is @host
 */
struct pluto_end {
	enum auth_class class;
	bool eap;
	enum ike_id_type id_type;
	char *id;
	char *certificate;
	char *ca;
	char *host;
	struct selector traffic;
};

/**
 * struct pluto_connection - a connection, or an instance of one
 * @name: of it
 * @instance: number of the instance, 0: none
 * @ikev1: it uses version 1 of IKE
 * @policy_told: what follows is known
 * @psk_accepted: it is content with a pre-shared key
 * @signature_accepted: it is content with a signature
 * @null_accepted: it is content with an end that does not prove anything
 * @id_unchecked: a certificate does not have to have the IKE identity
 * @protects: it is for SAs, rather than to let pass or to drop
 * @opportunistic: it is for any peer in the traffic of @remote, which has no host
 * @routed: there is a policy in the kernel for it
 * @local: this end
 * @remote: the peer
 */
struct pluto_connection {
	char *name;
	unsigned int instance;
	bool ikev1;
	bool policy_told;
	bool psk_accepted;
	bool signature_accepted;
	bool null_accepted;
	bool id_unchecked;
	bool protects;
	bool opportunistic;
	bool routed;
	struct pluto_end local;
	struct pluto_end remote;
};

/**
 * struct pluto_state - what pluto calls a state: an IKE SA or a CHILD SA
 * @number: of it
 * @connection: name of its connection
 * @instance: of its connection
 * @established: the peer has proved who it is
 * @parent: number of the IKE SA that a CHILD SA is of, 0: none
 * @ah: it has AH, rather than ESP
 * @tunnel: mode, rather than transport mode
 * @in: host to which the inbound SA goes, NULL: it has no SAs
 * @out: host to which the outbound SA goes
 * @spi_in: in host byte order
 * @spi_out: in host byte order
 */
struct pluto_state {
	unsigned long number;
	char *connection;
	unsigned int instance;
	bool established;
	unsigned long parent;
	bool ah;
	bool tunnel;
	char *in;
	char *out;
	uint32_t spi_in;
	uint32_t spi_out;
};

/**
 * struct pluto_key - a public key that was not received in IKE
 * @id: IKE identity that it is of, as it is printed
 * @certified: it is from a certificate
 */
struct pluto_key {
	char *id;
	bool certified;
};

/**
 * struct pluto_certificate - a certificate in the NSS database
 * @nickname: of it
 * @subject: as it is printed
 * @issuer: as it is printed
 * @ca: pluto takes it for the certificate of a CA
 */
struct pluto_certificate {
	char *nickname;
	char *subject;
	char *issuer;
	bool ca;
};

/**
 * struct pluto_status - all that was printed
 * @state: by their numbers
 * @states: how many
 * @connection: by name and instance
 * @connections: how many
 * @key: public keys
 * @keys: how many
 * @certificate: certificates
 * @certificates: how many
 * @nss_dir: where the NSS database is, NULL: not told
 * @keys_told: there was a list of public keys, and all of it was understood
 */
struct pluto_status {
	struct pluto_state *state;
	size_t states;
	struct pluto_connection *connection;
	size_t connections;
	struct pluto_key *key;
	size_t keys;
	struct pluto_certificate *certificate;
	size_t certificates;
	char *nss_dir;
	bool keys_told;
};

int pluto_status_parse(const char *text, size_t len, struct pluto_status *status);
void pluto_status_clear(struct pluto_status *status);

/* libreswan_ends.c */
void pluto_ends_read(struct pluto_connection *connection, char *text);

const struct pluto_state *pluto_state_find(const struct pluto_status *status,
					   unsigned long number);
const struct pluto_connection *pluto_connection_find(const struct pluto_status *status,
						     const char *name, unsigned int instance);

#endif /* TOKEND_LIBRESWAN_STATUS_H */
