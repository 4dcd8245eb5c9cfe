/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions, and nothing else.
 */
#ifndef _IPSEC_COMPAT_H
#define _IPSEC_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_MAJOR != 6 || LINUX_VERSION_PATCHLEVEL != 1
#error "ipsec_token has been verified on Linux 6.1 only"
#endif

#endif /* _IPSEC_COMPAT_H */
