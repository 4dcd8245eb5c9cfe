/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which SAs the namespace has, told by xfrm.
 */
#ifndef TOKEND_XFRM_H
#define TOKEND_XFRM_H

#include <stdbool.h>

int xfrm_open(void);
void xfrm_close(void);
int xfrm_fd(void);
int xfrm_list(void);
int xfrm_read(bool *news);

#endif /* TOKEND_XFRM_H */
