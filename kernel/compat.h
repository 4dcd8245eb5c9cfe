/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions, and nothing else.
 */
#ifndef _IPSEC_COMPAT_H
#define _IPSEC_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#error "ipsec_token has been verified on Linux 6.1 only"
#endif

#endif /* _IPSEC_COMPAT_H */
