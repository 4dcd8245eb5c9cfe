/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_NETNS_H
#define _IPSEC_NETNS_H

#include <linux/atomic.h>
#include <linux/ipsec_token.h>
#include <linux/percpu.h>
#include <linux/ratelimit.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

/* Events counted for IPSEC_CMD_STATS_GET. */
enum ipsec_counter {
	IPSEC_COUNT_CONTEXTS_CREATED,
	IPSEC_COUNT_CONTEXTS_GONE,
	IPSEC_COUNT_UNKNOWN_LIMIT,
	IPSEC_COUNT_UNKNOWN_MEMORY,
	IPSEC_COUNT_UNKNOWN_FRAGMENTS,
	IPSEC_COUNT_UNKNOWN_HANDSHAKE,
	IPSEC_COUNT_UNKNOWN_OLD,
	IPSEC_COUNT_TOKENS_REFUSED,
	IPSEC_COUNT_LATCH_REFUSED,	/* by enum ipsec_latch_reason, from 1 */
	IPSEC_COUNT_LATCH_HELD = IPSEC_COUNT_LATCH_REFUSED + IPSEC_LATCH_REASON_MAX,
	IPSEC_COUNT_LATCH_BROKEN,
	IPSEC_COUNT_LATCH_RESET,
	IPSEC_COUNT_REQUEST_REFUSED_IN,
	IPSEC_COUNT_REQUEST_REFUSED_OUT,
	IPSEC_COUNT_NEGOTIATIONS,
	__IPSEC_COUNT_MAX
};

/**
 * struct ipsec_net - all that the module keeps for one network namespace
 * @net: the namespace
 * @cookie: its cookie, which goes into every handle
 * @dead: the namespace or the module is going: look up, but add nothing
 * @trusted: set of algorithms that protect something here; written under @lock
 * @linger: seconds that a context outlives its last SA and socket
 * @generation: counts the changes told to the group "changes"
 * @lock: guards @context_keys, @next_id, @identified, insertion into and
 *	removal from @contexts, @paths and @bindings, and every context's list of paths and users
 * @contexts: by id
 * @context_keys: contexts by what they stand for
 * @paths: SAs and bundles that were seen, each leading to its context
 * @next_id: id of the next context
 * @context_count: contexts in @contexts
 * @bundle_count: paths of more than one SA
 * @bindings: identities of SAs, by SA
 * @identified: an agent has spoken here
 * @reaping: @reap is due soon
 * @reap_again: jiffies between the last two looks at bindings of dead SAs that stay
 * @reap: removes dead paths and contexts that nothing holds
 * @connections: TCP connections that are not known to be in clear, by sock
 * @old_connections: those of them that a next segment may yet decide
 * @latched: connections that are latched
 * @latch_mode: enum ipsec_latch_mode
 * @latch_events: how often to tell of what latches refuse
 * @latch_tend: resets connections whose latch broke and that want it, and looks after
 *	the others
 * @held: packets that wait for an identity, oldest first; under @held_lock
 * @held_bytes: the memory that they take; under @held_lock
 * @held_behind: how many of them only wait behind others; under @held_lock
 * @held_releasing: they are about to go on, after a binding; written under @held_lock
 * @binds_begun: how many such bindings there were; under @held_lock
 * @binds_ended: those that have been made; under @held_lock
 * @held_lock: guards @held and what is kept of it
 * @release: lets them go on
 * @lost: a record could not be made: having none means nothing any more
 * @settled: handshakes are watched, and those from before have been seen to
 * @watching: handshakes are watched: the netfilter hooks are in place
 * @watch: puts them there
 * @blind: SAs that were in use have gone before @settled
 * @udp_sockets: datagram sockets that asked for tokens, by sock
 * @required: sockets under requests, by sock
 * @required_spill: those of them that there was no room for in the table
 * @required_lock: guards @required_spill
 * @negotiations: that agents are asked for, oldest first; under @negotiations_lock
 * @negotiation_count: how many; under @negotiations_lock
 * @next_negotiation: id of the latest one; under @negotiations_lock
 * @negotiations_lock: guards @negotiations and what is kept of it
 * @negotiations_end: ends those whose time is over
 * @counters: enum ipsec_counter
 */
struct ipsec_net {
	struct net *net;
	u64 cookie;
	bool dead;

	u64 trusted;
	u32 linger;
	atomic_t generation;

	spinlock_t lock;	/* see above */
	struct xarray contexts;
	struct rhashtable context_keys;
	struct rhashtable paths;
	unsigned long next_id;
	unsigned int context_count;
	unsigned int bundle_count;
	struct rhashtable bindings;
	bool identified;
	bool reaping;
	unsigned long reap_again;
	struct delayed_work reap;

	struct rhashtable connections;
	atomic_t old_connections;
	atomic_t latched;
	u8 latch_mode;
	struct ratelimit_state latch_events;
	struct delayed_work latch_tend;
	struct list_head held;
	unsigned int held_bytes;
	unsigned int held_behind;
	bool held_releasing;
	unsigned int binds_begun;
	unsigned int binds_ended;
	spinlock_t held_lock;	/* see above */
	struct delayed_work release;
	bool lost;
	bool settled;
	bool watching;
	bool blind;
	struct work_struct watch;

	struct rhashtable udp_sockets;

	struct rhashtable required;
	struct list_head required_spill;
	spinlock_t required_lock;	/* required_spill */
	struct list_head negotiations;
	unsigned int negotiation_count;
	u64 next_negotiation;
	spinlock_t negotiations_lock;	/* see above */
	struct delayed_work negotiations_end;

	u64 __percpu *counters;
};

extern unsigned int ipsec_net_id;

static inline struct ipsec_net *ipsec_net(const struct net *net)
{
	return net_generic(net, ipsec_net_id);
}

/* The same under RCU, at less cost. */
static inline struct ipsec_net *ipsec_net_rcu(const struct net *net)
{
	return rcu_dereference(net->gen)->ptr[ipsec_net_id];
}

static inline void ipsec_count(struct ipsec_net *in, enum ipsec_counter what)
{
	this_cpu_inc(in->counters[what]);
}

u64 ipsec_counter_read(const struct ipsec_net *in, enum ipsec_counter what);

int ipsec_netns_init(void);
void ipsec_netns_exit(void);

#endif /* _IPSEC_NETNS_H */
