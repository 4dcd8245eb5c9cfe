/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_REAPER_H
#define _IPSEC_REAPER_H

#include <linux/jiffies.h>

struct ipsec_net;

/* How often to look for what died in silence. */
#define IPSEC_REAP_IDLE	(30 * HZ)

void ipsec_reaper_soon(struct ipsec_net *in);

void ipsec_reaper_init_net(struct ipsec_net *in);
void ipsec_reaper_exit_net(struct ipsec_net *in);

#endif /* _IPSEC_REAPER_H */
