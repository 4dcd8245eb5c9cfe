/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SAs of the network namespace, and who is behind them.
 */
#ifndef TOKEND_SAS_H
#define TOKEND_SAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity.h"

/**
 * struct sa_ref - which SA
 * @satype: SADB_SATYPE_ESP or SADB_SATYPE_AH
 * @family: of the address
 * @destination: 4 or 16 bytes, the others 0
 * @spi: in network byte order
 * @mark: of the SA
 */
struct sa_ref {
	uint8_t satype;
	uint8_t family;
	uint8_t destination[16];
	uint32_t spi;
	uint32_t mark;
};

/* room for the text of one */
#define SA_REF_TEXT 96

/**
 * struct sas_kernel - how the table talks with the kernel
 * @bind: tell it who is behind SAs
 * @dump: call sas_bound() for each SA that has an identity
 *
 * Both return 0 or a negative errno: -ENOPROTOOPT without the module, -ENOENT
 * without one of the SAs, -EEXIST if one has another identity.
 */
struct sas_kernel {
	int (*bind)(const struct sa_ref *sa, size_t count, const struct identity *identity);
	int (*dump)(void);
};

bool sa_ref_set(struct sa_ref *sa, uint8_t satype, const char *address, uint32_t spi);
const char *sa_ref_text(const struct sa_ref *sa, char *text);

void sas_init(const struct sas_kernel *kernel, void (*news)(void));
void sas_exit(void);

/* what the kernel says */
void sas_begin(void);
void sas_exists(const struct sa_ref *sa);
void sas_end(void);
void sas_gone(const struct sa_ref *sa);
void sas_gone_all(uint8_t satype);
void sas_bound(const struct sa_ref *sa, struct identity *identity);
int sas_reconcile(void);

/* what sources say */
void sas_identify(const struct sa_ref *sa, size_t count, struct identity *identity);
struct identity *sas_identity(const struct sa_ref *sa);
const struct identity *sas_lineage(uint64_t lineage, const uint8_t *itoken);

/* how many there are */
size_t sas_count(void);
size_t sas_strangers(void);

#endif /* TOKEND_SAS_H */
