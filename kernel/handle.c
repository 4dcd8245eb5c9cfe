// SPDX-License-Identifier: GPL-2.0-only
/*
 * pToken handles: what a process gets to see of a context.
 *
 * A handle is the id of the context under a permutation of 64 bits whose key
 * belongs to one process in one namespace. So a handle needs no state that a
 * process could leave behind, is the same each time, means nothing elsewhere,
 * and of 2^64 guesses no more are right than there are contexts.
 *
 * The permutation is a Feistel network of four rounds with SipHash as round
 * function, which is as good as a random one to whoever can ask both ways
 * (Luby and Rackoff).
 */
#include <linux/ipsec_token.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>

#include "context.h"
#include "handle.h"
#include "netns.h"

#define ROUNDS	4

static siphash_key_t handle_secret __read_mostly;

/**
 * struct handle_process - a process image, as no other one will ever be
 * @start: when the thread group came to be, nanoseconds since boot
 * @exec: how often it changed its image
 * @cookie: the namespace
 * @tgid: the thread group
 */
struct handle_process {
	u64 start;
	u64 exec;
	u64 cookie;
	u64 tgid;
};

/* Last handles given out on this CPU: the permutation takes its time. */
struct handle_cache {
	struct handle_process process;
	u64 id;
	u64 handle;
};

#define CACHE_SIZE	8

static DEFINE_PER_CPU(struct handle_cache[CACHE_SIZE], handle_cache);

static void current_process(struct handle_process *process, const struct ipsec_net *in)
{
	rcu_read_lock();
	process->start = READ_ONCE(current->group_leader)->start_boottime;
	rcu_read_unlock();
	process->exec = current->self_exec_id;
	process->cookie = in->cookie;
	process->tgid = current->tgid;
}

static bool process_equal(const struct handle_process *a, const struct handle_process *b)
{
	return a->start == b->start && a->exec == b->exec &&
	       a->cookie == b->cookie && a->tgid == b->tgid;
}

static void process_key(siphash_key_t *key, const struct handle_process *process)
{
	struct {
		struct handle_process process;
		u64 half;
	} seed = { .process = *process };

	key->key[0] = siphash(&seed, sizeof(seed), &handle_secret);
	seed.half = 1;
	key->key[1] = siphash(&seed, sizeof(seed), &handle_secret);
}

static u64 permute(u64 value, const siphash_key_t *key)
{
	u32 left = value >> 32, right = value;
	u32 round, next;

	for (round = 0; round < ROUNDS; round++) {
		next = left ^ (u32)siphash_2u32(right, round, key);
		left = right;
		right = next;
	}
	return (u64)left << 32 | right;
}

static u64 unpermute(u64 value, const siphash_key_t *key)
{
	u32 left = value >> 32, right = value;
	u32 round, previous;

	for (round = ROUNDS; round-- > 0;) {
		previous = right ^ (u32)siphash_2u32(left, round, key);
		right = left;
		left = previous;
	}
	return (u64)left << 32 | right;
}

static bool reserved(u64 value)
{
	return value == IPSEC_PTOKEN_NONE || value == IPSEC_PTOKEN_UNKNOWN;
}

/**
 * ipsec_handle - the handle of a context for the current process
 * @in: where
 * @context: found under RCU, or held
 *
 * Context: process context of whom it is for.
 * Return: the handle, never one of the reserved values.
 */
u64 ipsec_handle(const struct ipsec_net *in, const struct ipsec_context *context)
{
	struct handle_process process;
	struct handle_cache *cache;
	siphash_key_t key;
	u64 handle;

	current_process(&process, in);

	cache = &get_cpu_var(handle_cache)[context->id % CACHE_SIZE];
	if (cache->id == context->id && process_equal(&cache->process, &process)) {
		handle = cache->handle;
	} else {
		process_key(&key, &process);
		handle = context->id;
		do {	/* ids are not reserved: the walk ends before it is back */
			handle = permute(handle, &key);
		} while (reserved(handle));
		cache->process = process;
		cache->id = context->id;
		cache->handle = handle;
		memzero_explicit(&key, sizeof(key));
	}
	put_cpu_var(handle_cache);
	return handle;
}

/**
 * ipsec_handle_context_id - the context that a handle stands for
 * @in: where
 * @handle: from the current process, not a reserved value
 *
 * Context: process context of who has the handle.
 * Return: the id of a context, if it is a handle at all: that has to be seen
 * by looking for it. 0, which no context has, if it can't be one.
 */
unsigned long ipsec_handle_context_id(const struct ipsec_net *in, u64 handle)
{
	struct handle_process process;
	siphash_key_t key;
	u64 id = handle;

	current_process(&process, in);
	process_key(&key, &process);
	do {
		id = unpermute(id, &key);
	} while (reserved(id));
	memzero_explicit(&key, sizeof(key));

	return id == (unsigned long)id ? id : 0;
}

/**
 * ipsec_handle_init - choose the secret from which all handles come
 *
 * Context: process context, once.
 */
void ipsec_handle_init(void)
{
	get_random_bytes(&handle_secret, sizeof(handle_secret));
}
