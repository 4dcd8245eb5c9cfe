// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel said of a token, until it says that this may be over.
 *
 * Four ways in 256 sets: a look-up compares four numbers, a full set loses its
 * oldest entry, and nothing grows with the number of tokens seen.
 */
#include <stdlib.h>

#include "internal.h"

static unsigned int set_of(ipsec_ptoken_t ptoken)
{
	return (ptoken * 0x9e3779b97f4a7c15ULL) >> 56;
}

/**
 * ipsec_cache_find() - look up a token
 * @cache: to look in
 * @ptoken: to look for
 *
 * Context: with the lock of the handle held.
 * Return: what the kernel said of it, or NULL.
 */
struct ipsec_context *ipsec_cache_find(const struct ipsec_cache *cache, ipsec_ptoken_t ptoken)
{
	const struct ipsec_cache_entry *entry = cache->entry[set_of(ptoken)];
	unsigned int way;

	for (way = 0; way < IPSEC_CACHE_WAYS; way++)
		if (entry[way].ptoken == ptoken)
			return entry[way].context;
	return NULL;
}

/**
 * ipsec_cache_add() - keep what the kernel said of a token
 * @cache: to put it in
 * @ptoken: that is not in it
 * @context: what the kernel said, belongs to the cache from now on
 *
 * Context: with the lock of the handle held.
 */
void ipsec_cache_add(struct ipsec_cache *cache, ipsec_ptoken_t ptoken,
		     struct ipsec_context *context)
{
	unsigned int set = set_of(ptoken);
	struct ipsec_cache_entry *entry = &cache->entry[set][cache->next[set]];

	cache->next[set] = (cache->next[set] + 1) % IPSEC_CACHE_WAYS;
	if (!entry->context)
		cache->used++;
	free(entry->context);
	entry->ptoken = ptoken;
	entry->context = context;
}

/**
 * ipsec_cache_drop() - forget everything
 * @cache: to empty
 *
 * Context: with the lock of the handle held.
 */
void ipsec_cache_drop(struct ipsec_cache *cache)
{
	unsigned int set, way;

	for (set = 0; cache->used && set < IPSEC_CACHE_SETS; set++) {
		for (way = 0; way < IPSEC_CACHE_WAYS; way++) {
			struct ipsec_cache_entry *entry = &cache->entry[set][way];

			if (!entry->context)
				continue;
			free(entry->context);
			entry->context = NULL;
			entry->ptoken = IPSEC_PTOKEN_NONE;
			cache->used--;
		}
	}
}
