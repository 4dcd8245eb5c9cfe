// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's part of each network namespace.
 */
#include <linux/ipsec_token.h>

#include "context.h"
#include "handshake.h"
#include "hold.h"
#include "identity.h"
#include "latch.h"
#include "negotiate.h"
#include "netns.h"
#include "reaper.h"
#include "require.h"
#include "tcp.h"
#include "udp.h"

unsigned int ipsec_net_id __read_mostly;

/**
 * ipsec_counter_read - how often something has happened in a namespace
 * @in: the namespace
 * @what: the event
 *
 * Return: the sum over all CPUs.
 */
u64 ipsec_counter_read(const struct ipsec_net *in, enum ipsec_counter what)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(in->counters, cpu)[what];
	return sum;
}

static int __net_init netns_init(struct net *net)
{
	struct ipsec_net *in = ipsec_net(net);
	int err;

	in->net = net;
	in->cookie = net->net_cookie;
	in->counters = __alloc_percpu(__IPSEC_COUNT_MAX * sizeof(u64), sizeof(u64));
	if (!in->counters)
		return -ENOMEM;
	err = ipsec_context_init_net(in);
	if (err)
		goto free_counters;
	err = ipsec_identity_init_net(in);
	if (err)
		goto exit_context;
	err = ipsec_tcp_init_net(in);
	if (err)
		goto exit_identity;
	err = ipsec_udp_init_net(in);
	if (err)
		goto exit_tcp;
	err = ipsec_require_init_net(in);
	if (err)
		goto exit_udp;
	ipsec_negotiate_init_net(in);
	ipsec_latch_init_net(in);
	ipsec_hold_init_net(in);
	ipsec_handshake_init_net(in);
	ipsec_reaper_init_net(in);
	return 0;

exit_udp:
	ipsec_udp_exit_net(in);
exit_tcp:
	ipsec_tcp_exit_net(in);
exit_identity:
	ipsec_identity_exit_net(in);
exit_context:
	ipsec_context_exit_net(in);
free_counters:
	free_percpu(in->counters);
	return err;
}

static void __net_exit netns_pre_exit(struct net *net)
{
	struct ipsec_net *in = ipsec_net(net);

	/* under the lock: whoever adds to the tables looks at it there */
	spin_lock_bh(&in->lock);
	WRITE_ONCE(in->dead, true);
	spin_unlock_bh(&in->lock);
	ipsec_handshake_pre_exit_net(in);
	ipsec_hold_pre_exit_net(in);
}

/* A grace period after netns_pre_exit() of the same namespace. */
static void __net_exit netns_exit(struct net *net)
{
	struct ipsec_net *in = ipsec_net(net);

	ipsec_latch_exit_net(in);
	ipsec_reaper_exit_net(in);
	ipsec_negotiate_exit_net(in);
	ipsec_require_exit_net(in);
	ipsec_udp_exit_net(in);
	ipsec_tcp_exit_net(in);
	ipsec_identity_exit_net(in);
	ipsec_context_exit_net(in);
	free_percpu(in->counters);
}

static struct pernet_operations netns_ops = {
	.init = netns_init,
	.pre_exit = netns_pre_exit,
	.exit = netns_exit,
	.id = &ipsec_net_id,
	.size = sizeof(struct ipsec_net),
};

/**
 * ipsec_netns_init - begin to keep something for each namespace
 *
 * Context: process context, may sleep.
 * Return: 0 or a negative errno.
 */
int ipsec_netns_init(void)
{
	return register_pernet_subsys(&netns_ops);
}

/**
 * ipsec_netns_exit - drop what is kept for each namespace
 *
 * Context: process context, may sleep.
 */
void ipsec_netns_exit(void)
{
	unregister_pernet_subsys(&netns_ops);
}
