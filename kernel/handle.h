/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_HANDLE_H
#define _IPSEC_HANDLE_H

#include <linux/types.h>

struct ipsec_context;
struct ipsec_net;

void ipsec_handle_init(void);
u64 ipsec_handle(const struct ipsec_net *in, const struct ipsec_context *context);
unsigned long ipsec_handle_context_id(const struct ipsec_net *in, u64 handle);

#endif /* _IPSEC_HANDLE_H */
