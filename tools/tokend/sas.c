// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SAs of the network namespace, and who is behind them.
 *
 * Three parties tell: xfrm, which SAs there are; sources, who is behind them;
 * and the kernel module, what it knows. Each may be late, start anew or lose
 * messages at any time, so each is told of here in its own words, and whatever
 * is missing at the module is bound when that becomes possible.
 *
 * The first binding of an SA wins. It was made when the SA was new, with what
 * the daemon knew then; what is found out later, after a restart of ours or
 * with a configuration that has changed, is not better evidence. Bindings are
 * of SAs, not of their names: they die with them in the kernel, and so no dead
 * one is ever left to be unbound.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pfkeyv2.h>

#include "log.h"
#include "sas.h"

/**
 * struct sa - one SA
 * @next: in the same bucket
 * @ref: which
 * @identity: who is behind it, NULL: not known
 * @alive: it was in the list of SAs, while that is read
 * @verified: @identity was told of this very SA, and not of one that may have
 *	had the same name before messages were lost
 * @bound: the module has the identity
 * @refused: the module has another one, or does not take it
 * @asked: sources were asked who is behind it
 */
struct sa {
	struct sa *next;
	struct sa_ref ref;
	struct identity *identity;
	bool alive;
	bool verified;
	bool bound;
	bool refused;
	bool asked;
};

static struct {
	const struct sas_kernel *kernel;
	void (*news)(void);
	struct sa **bucket;
	size_t buckets;
	size_t count;
} sas;

/* ------------------------------------------------------------------- names */

/**
 * sa_ref_set() - name an SA
 * @sa: to be set
 * @satype: SADB_SATYPE_ESP or SADB_SATYPE_AH
 * @address: destination, as text
 * @spi: in host byte order
 *
 * Return: whether @address is one.
 */
bool sa_ref_set(struct sa_ref *sa, uint8_t satype, const char *address, uint32_t spi)
{
	memset(sa, 0, sizeof(*sa));
	sa->satype = satype;
	sa->spi = htonl(spi);
	sa->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	return inet_pton(sa->family, address, sa->destination) == 1;
}

/**
 * sa_ref_text() - an SA for people
 * @sa: which
 * @text: SA_REF_TEXT bytes
 *
 * Return: @text.
 */
const char *sa_ref_text(const struct sa_ref *sa, char *text)
{
	char address[INET6_ADDRSTRLEN], mark[24] = "";

	inet_ntop(sa->family, sa->destination, address, sizeof(address));
	if (sa->mark)
		snprintf(mark, sizeof(mark), " mark 0x%x", sa->mark);
	snprintf(text, SA_REF_TEXT, "%s %s spi 0x%08x%s",
		 sa->satype == SADB_SATYPE_AH ? "ah" : "esp", address, ntohl(sa->spi), mark);
	return text;
}

/* without the mark */
static bool ref_equal(const struct sa_ref *a, const struct sa_ref *b)
{
	return a->spi == b->spi && a->satype == b->satype && a->family == b->family &&
	       !memcmp(a->destination, b->destination, sizeof(a->destination));
}

/* SPIs are random, and the kernel itself does not allow many of one value. */
static struct sa **bucket_of(const struct sa_ref *ref)
{
	return &sas.bucket[(ntohl(ref->spi) * 0x9e3779b1U >> 4) & (sas.buckets - 1)];
}

static void grow(void)
{
	struct sa **old = sas.bucket, **to, *sa, *next;
	size_t i, buckets = sas.buckets;

	sas.buckets = buckets ? buckets * 2 : 64;
	sas.bucket = xcalloc(sas.buckets, sizeof(*sas.bucket));
	for (i = 0; i < buckets; i++) {
		for (sa = old[i]; sa; sa = next) {
			next = sa->next;
			to = bucket_of(&sa->ref);
			sa->next = *to;
			*to = sa;
		}
	}
	free(old);
}

static struct sa *find_exactly(const struct sa_ref *ref)
{
	struct sa *sa;

	for (sa = *bucket_of(ref); sa; sa = sa->next)
		if (ref_equal(&sa->ref, ref) && sa->ref.mark == ref->mark)
			return sa;
	return NULL;
}

/* Sources do not always know of a mark. It is found if there is one candidate. */
static struct sa *find(const struct sa_ref *ref)
{
	struct sa *sa, *found = find_exactly(ref);

	if (found)
		return found;
	for (sa = *bucket_of(ref); sa; sa = sa->next) {
		if (!ref_equal(&sa->ref, ref))
			continue;
		if (found)
			return NULL;
		found = sa;
	}
	return found;
}

static struct sa *find_or_add(const struct sa_ref *ref)
{
	struct sa *sa = find_exactly(ref), **bucket;

	if (sa)
		return sa;
	if (sas.count >= sas.buckets)
		grow();
	sa = xcalloc(1, sizeof(*sa));
	sa->ref = *ref;
	bucket = bucket_of(ref);
	sa->next = *bucket;
	*bucket = sa;
	sas.count++;
	return sa;
}

static void drop(struct sa **link)
{
	struct sa *sa = *link;

	*link = sa->next;
	identity_put(sa->identity);
	free(sa);
	sas.count--;
}

/* ------------------------------------------------------------------- life */

/**
 * sas_init() - begin with an empty table
 * @kernel: how to talk with it
 * @news: takes in what xfrm has said and was not heard yet, or NULL
 */
void sas_init(const struct sas_kernel *kernel, void (*news)(void))
{
	memset(&sas, 0, sizeof(sas));
	sas.kernel = kernel;
	sas.news = news;
	grow();
}

/**
 * sas_exit() - forget all; the kernel keeps what it was told
 */
void sas_exit(void)
{
	size_t i;

	for (i = 0; i < sas.buckets; i++)
		while (sas.bucket[i])
			drop(&sas.bucket[i]);
	free(sas.bucket);
	memset(&sas, 0, sizeof(sas));
}

/**
 * sas_count() - how many SAs there are
 *
 * Return: the number.
 */
size_t sas_count(void)
{
	return sas.count;
}

/**
 * sas_strangers() - how many SAs there are that sources were not asked about
 *
 * Return: the number; they count as asked about from now on.
 */
size_t sas_strangers(void)
{
	size_t i, strangers = 0;
	struct sa *sa;

	for (i = 0; i < sas.buckets; i++) {
		for (sa = sas.bucket[i]; sa; sa = sa->next) {
			if (!sa->asked && !sa->identity)
				strangers++;
			sa->asked = true;
		}
	}
	return strangers;
}

/* -------------------------------------------------------------- what xfrm says */

/**
 * sas_begin() - the list of SAs is about to be read, since some news was lost
 */
void sas_begin(void)
{
	struct sa *sa;
	size_t i;

	for (i = 0; i < sas.buckets; i++) {
		for (sa = sas.bucket[i]; sa; sa = sa->next) {
			sa->alive = false;
			sa->verified = false;
		}
	}
}

/**
 * sas_exists() - there is such an SA
 * @sa: which
 */
void sas_exists(const struct sa_ref *sa)
{
	find_or_add(sa)->alive = true;
}

/**
 * sas_end() - the list of SAs was read
 */
void sas_end(void)
{
	struct sa **link;
	size_t i;

	for (i = 0; i < sas.buckets; i++) {
		for (link = &sas.bucket[i]; *link;) {
			if ((*link)->alive)
				link = &(*link)->next;
			else
				drop(link);
		}
	}
}

/**
 * sas_gone() - an SA is no more
 * @sa: which
 */
void sas_gone(const struct sa_ref *sa)
{
	struct sa **link;

	for (link = bucket_of(sa); *link; link = &(*link)->next) {
		if (ref_equal(&(*link)->ref, sa) && (*link)->ref.mark == sa->mark) {
			drop(link);
			return;
		}
	}
}

/**
 * sas_gone_all() - all SAs are no more
 * @satype: of those, 0: of every type
 */
void sas_gone_all(uint8_t satype)
{
	struct sa **link;
	size_t i;

	for (i = 0; i < sas.buckets; i++) {
		for (link = &sas.bucket[i]; *link;) {
			if (satype && (*link)->ref.satype != satype)
				link = &(*link)->next;
			else
				drop(link);
		}
	}
}

/* ------------------------------------------------------ what the module knows */

/**
 * sas_bound() - the module has an identity for an SA
 * @sa: which
 * @identity: who
 */
void sas_bound(const struct sa_ref *sa, struct identity *identity)
{
	struct sa *entry = find_or_add(sa);
	char text[SA_REF_TEXT];

	if (entry->identity && !identity_equal(entry->identity, identity))
		log_event(LOG_LEVEL_WARNING, "%s is bound to %s already, which it keeps",
			  sa_ref_text(sa, text), identity->remote.audit ?
			  identity->remote.audit : "another identity");
	identity_get(identity);
	identity_put(entry->identity);
	entry->identity = identity;
	entry->alive = true;
	entry->verified = true;
	entry->bound = true;
	entry->refused = false;
}

static int bind_one(struct sa *sa)
{
	char text[SA_REF_TEXT];
	int err;

	err = sas.kernel->bind(&sa->ref, 1, sa->identity);
	switch (err) {
	case 0:
		sa->bound = true;
		return 0;
	case -ENOPROTOOPT:
		return err;
	case -ENOENT:
	case -ESRCH:
		/* xfrm tells, or has told already */
		return 0;
	case -EEXIST:
	case -EINVAL:
		sa->refused = true;
		break;
	}
	log_event(LOG_LEVEL_ERROR, "%s cannot be bound: %s", sa_ref_text(&sa->ref, text),
		  strerror(-err));
	return sa->refused ? 0 : err;
}

/**
 * sas_reconcile() - find out what the module knows, and tell it the rest
 *
 * Return: 0, -ENOPROTOOPT without the module, or another error, after which
 * this is to be called again.
 */
int sas_reconcile(void)
{
	size_t i, told = 0;
	struct sa *sa;
	int err;

	for (i = 0; i < sas.buckets; i++) {
		for (sa = sas.bucket[i]; sa; sa = sa->next) {
			sa->bound = false;
			sa->refused = false;
		}
	}
	err = sas.kernel->dump();
	for (i = 0; i < sas.buckets && !err; i++) {
		for (sa = sas.bucket[i]; sa && !err; sa = sa->next) {
			if (!sa->identity || !sa->verified || sa->bound)
				continue;
			err = bind_one(sa);
			told += sa->bound;
		}
	}
	if (told)
		log_event(LOG_LEVEL_NOTICE, "bound %zu SAs that the kernel module did not know",
			  told);
	return err;
}

/* ------------------------------------------------------------ what sources say */

/* Is there something to tell the module? */
static bool identify(const struct sa_ref *ref, struct identity *identity, struct sa **out)
{
	struct sa *sa = find(ref);
	char text[SA_REF_TEXT];

	if (!sa) {
		log_event(LOG_LEVEL_DEBUG, "%s does not exist", sa_ref_text(ref, text));
		return false;
	}
	*out = sa;
	if (sa->identity && identity_equal(sa->identity, identity)) {
		sa->verified = true;
		return !sa->bound && !sa->refused;
	}
	if (sa->bound) {
		log_event(LOG_LEVEL_DEBUG, "%s stays with its first identity",
			  sa_ref_text(ref, text));
		return false;
	}
	identity_get(identity);
	identity_put(sa->identity);
	sa->identity = identity;
	sa->verified = true;
	sa->refused = false;
	return true;
}

/**
 * sas_identify() - somebody is behind SAs
 * @ref: which, at most two
 * @count: how many
 * @identity: who
 *
 * Those that do not exist are passed over; when they appear, sources are asked.
 */
void sas_identify(const struct sa_ref *ref, size_t count, struct identity *identity)
{
	struct sa *sa[2] = { NULL, NULL };
	struct sa_ref exact[2];
	char text[SA_REF_TEXT];
	size_t i, n = 0;

	/* a source may be faster than xfrm, which has said so as well by now */
	for (i = 0; i < count && find(&ref[i]); i++)
		;
	if (i < count && sas.news)
		sas.news();

	for (i = 0; i < count; i++)
		if (identify(&ref[i], identity, &sa[n]))
			exact[n] = sa[n]->ref, n++;
	if (!n)
		return;

	/* at once, or one by one if that fails */
	if (n > 1 && !sas.kernel->bind(exact, n, identity)) {
		for (i = 0; i < n; i++)
			sa[i]->bound = true;
	} else {
		for (i = 0; i < n; i++)
			bind_one(sa[i]);
	}
	for (i = 0; i < n; i++)
		if (sa[i]->bound)
			log_event(LOG_LEVEL_INFO, "%s: %s %s [%s]",
				  sa_ref_text(&exact[i], text),
				  method_name(identity->remote.method),
				  identity->remote.id ? identity->remote.id : "-",
				  identity->policy ? identity->policy : "-");
}

/**
 * sas_identity() - who is behind an SA, as the module has it
 * @ref: which
 *
 * Return: the identity, not held for the caller, or NULL.
 */
struct identity *sas_identity(const struct sa_ref *ref)
{
	struct sa *sa = find(ref);

	return sa && sa->verified ? sa->identity : NULL;
}

/**
 * sas_lineage() - who is behind any SA of a lineage
 * @lineage: which
 * @itoken: of the peer
 *
 * Return: the identity, not held for the caller, or NULL.
 */
const struct identity *sas_lineage(uint64_t lineage, const uint8_t *itoken)
{
	struct sa *sa;
	size_t i;

	for (i = 0; i < sas.buckets; i++)
		for (sa = sas.bucket[i]; sa; sa = sa->next)
			if (sa->identity && sa->identity->lineage == lineage &&
			    !memcmp(sa->identity->remote.itoken, itoken, IPSEC_ITOKEN_SIZE))
				return sa->identity;
	return NULL;
}
