// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tell applications what IPsec does for them.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>

#include "compat.h"
#include "gate.h"
#include "gro.h"
#include "handle.h"
#include "handshake.h"
#include "netlink.h"
#include "netns.h"
#include "require.h"
#include "sa.h"
#include "sockopt.h"
#include "udp.h"

static int __init ipsec_token_init(void)
{
	int err;

	ipsec_handle_init();
	ipsec_gate_init();

	err = ipsec_require_init();
	if (err)
		return err;
	err = ipsec_netns_init();
	if (err)
		goto exit_require;
	err = ipsec_handshake_init();
	if (err)
		goto exit_netns;
	err = ipsec_netlink_init();
	if (err)
		goto exit_handshake;
	err = ipsec_sa_init();
	if (err)
		goto exit_netlink;
	err = ipsec_gro_init();
	if (err)
		goto exit_sa;
	ipsec_handshake_begin();
	err = ipsec_udp_init();
	if (err)
		goto exit_gro;
	err = ipsec_sockopt_init();
	if (err)
		goto exit_udp;
	return 0;

exit_udp:
	ipsec_udp_exit();
exit_gro:
	ipsec_gro_exit();
exit_sa:
	ipsec_sa_exit();
exit_netlink:
	ipsec_netlink_exit();
exit_handshake:
	ipsec_handshake_exit();
exit_netns:
	ipsec_netns_exit();
	rcu_barrier();
exit_require:
	ipsec_require_exit();
	return err;
}

static void __exit ipsec_token_exit(void)
{
	ipsec_sockopt_exit();
	ipsec_udp_exit();
	ipsec_gro_exit();
	ipsec_sa_exit();
	ipsec_netlink_exit();
	ipsec_request_cgroup_exit();
	ipsec_handshake_exit();
	ipsec_netns_exit();
	ipsec_require_exit();
	rcu_barrier();	/* for what is freed by functions of ours */
}

module_init(ipsec_token_init);
module_exit(ipsec_token_exit);

MODULE_DESCRIPTION("IPsec protection tokens for applications");
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY("ipsec_token");
MODULE_VERSION("0.1");
