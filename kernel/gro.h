/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_GRO_H
#define _IPSEC_GRO_H

int ipsec_gro_init(void);
void ipsec_gro_exit(void);

#endif /* _IPSEC_GRO_H */
