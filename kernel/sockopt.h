/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_SOCKOPT_H
#define _IPSEC_SOCKOPT_H

int ipsec_sockopt_init(void);
void ipsec_sockopt_exit(void);

#endif /* _IPSEC_SOCKOPT_H */
