/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel module: telling it of identities, and asking which it has.
 */
#ifndef TOKEND_KERNEL_H
#define TOKEND_KERNEL_H

#include <stdbool.h>

#include "sas.h"

int kernel_open(void);
void kernel_close(void);
int kernel_fd(void);
bool kernel_read(void);

extern const struct sas_kernel kernel_ops;

#endif /* TOKEND_KERNEL_H */
