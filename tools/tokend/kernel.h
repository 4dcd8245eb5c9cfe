/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel module: telling it of identities, asking which it has, and dealing
 * with requests for SAs.
 */
#ifndef TOKEND_KERNEL_H
#define TOKEND_KERNEL_H

#include <stdbool.h>

#include "requests.h"
#include "sas.h"

int kernel_open(void);
void kernel_close(void);
int kernel_fd(void);
bool kernel_read(void);

int kernel_requests_fd(void);
void kernel_requests_read(void);
void kernel_requests_listen(void);
void kernel_result(uint64_t id, enum ipsec_request_reason reason, const char *text);

extern const struct sas_kernel kernel_ops;

#endif /* TOKEND_KERNEL_H */
