// SPDX-License-Identifier: GPL-2.0-only
/*
 * The requests that wait, and the negotiations that they wait for.
 *
 * A request is put to one source after the other, until one has something
 * configured that fits. What is to be negotiated is then known by name, and all
 * requests that come to the same name wait for the same negotiation. Its outcome
 * is the answer to all of them; no second choice is tried.
 *
 * LIMITS
 *
 * Anybody may ask, so what this makes others do is limited: how many requests
 * wait, of one user and of all; how many negotiations there are at the same
 * time, of one user and of all; and how many of them begin in a minute, of one
 * user and of all. A negotiation counts for whoever was the first to need it.
 * Beyond the limit for the same time, requests wait for their turn; beyond the
 * others, they are refused.
 *
 * A negotiation has the time of the request that it was begun for. If a request that
 * has more of it still waits in the end, it is begun again. A request whose time is
 * over is answered, but the negotiation goes on, so that asking again does not begin
 * another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "requests.h"
#include "source.h"

/* all users together begin this many times what one may */
#define RATE_ALL 4

/* users whose negotiations of late are remembered */
#define USERS_MAX 256

#define MINUTE_MS 60000

/* nobody */
#define NO_SOURCE SIZE_MAX

/* a negotiation has this time at least, and ends so long before its request does */
#define NEGOTIATION_MIN_MS 2000
#define NEGOTIATION_EARLIER_MS 500

/**
 * struct negotiation - something that a source is to negotiate
 * @next: in the list, the newest first
 * @source: which
 * @target: what
 * @uid: for whom it was begun
 * @deadline: when its time is over
 */
struct negotiation {
	struct negotiation *next;
	size_t source;
	struct target target;
	uint32_t uid;
	int64_t deadline;
};

/**
 * struct waiting - a request that was not answered yet
 * @next: in the order in which they came
 * @request: it
 * @deadline: when its time is over
 * @source: that it was put to
 * @asked: the source is finding out what it has
 * @chosen: what is to be negotiated is known
 * @target: what it is
 * @negotiation: that it waits for, NULL: it has not begun
 * @reason: of the source that came closest to having something
 * @text: what sources have said, NULL: nothing
 */
struct waiting {
	struct waiting *next;
	struct request *request;
	int64_t deadline;
	size_t source;
	bool asked;
	bool chosen;
	struct target target;
	struct negotiation *negotiation;
	enum ipsec_request_reason reason;
	char *text;
};

/**
 * struct rate - negotiations that may begin, regained with time
 * @uid: whose
 * @spent_ms: time until all is regained
 * @at: when that was so
 */
struct rate {
	uint32_t uid;
	int64_t spent_ms;
	int64_t at;
};

static struct {
	const struct requests_ops *ops;
	const struct config *config;
	struct waiting *first;
	struct negotiation *negotiation;
	struct rate all;
	struct rate user[USERS_MAX];
	size_t users;
} table;

/* ----------------------------------------------------------------------- limits */

static void rate_regain(struct rate *rate, int64_t now)
{
	rate->spent_ms -= now - rate->at;
	if (rate->spent_ms < 0)
		rate->spent_ms = 0;
	rate->at = now;
}

/* Of one who is not known, or has regained everything, nothing has to be kept. */
static struct rate *rate_of(uint32_t uid, int64_t now)
{
	struct rate *free = NULL;
	size_t i;

	for (i = 0; i < table.users; i++) {
		rate_regain(&table.user[i], now);
		if (table.user[i].uid == uid)
			return &table.user[i];
		if (!table.user[i].spent_ms)
			free = &table.user[i];
	}
	if (!free && table.users < USERS_MAX)
		free = &table.user[table.users++];
	if (free)
		*free = (struct rate){ .uid = uid, .at = now };
	return free;
}

/* What one negotiation costs, of a minute. */
static bool rate_allows(const struct rate *rate, unsigned int per_minute)
{
	return rate->spent_ms + MINUTE_MS / per_minute <= MINUTE_MS;
}

static bool may_begin(uint32_t uid)
{
	unsigned int mine = table.config->user_rate, all = mine * RATE_ALL;
	int64_t now = now_ms();
	struct rate *rate = rate_of(uid, now);

	rate_regain(&table.all, now);
	if (!rate || !rate_allows(rate, mine) || !rate_allows(&table.all, all))
		return false;
	rate->spent_ms += MINUTE_MS / mine;
	table.all.spent_ms += MINUTE_MS / all;
	return true;
}

static bool has_place(uint32_t uid)
{
	const struct negotiation *negotiation;
	unsigned int all = 0, mine = 0;

	for (negotiation = table.negotiation; negotiation; negotiation = negotiation->next) {
		all++;
		mine += negotiation->uid == uid;
	}
	return all < table.config->negotiations && mine < table.config->user_negotiations;
}

static bool may_wait(uint32_t uid)
{
	const struct waiting *waiting;
	size_t all = 0, mine = 0;

	for (waiting = table.first; waiting; waiting = waiting->next) {
		all++;
		mine += waiting->request->uid == uid;
	}
	return all < REQUESTS_MAX && mine < REQUESTS_USER_MAX;
}

/* ---------------------------------------------------------------------- answers */

static const char *reason_name(enum ipsec_request_reason reason)
{
	static const char *const names[] = {
		[IPSEC_REQUEST_REASON_NONE] = "SAs are there",
		[IPSEC_REQUEST_REASON_NO_SA] = "no SA",
		[IPSEC_REQUEST_REASON_REFUSED] = "refused",
		[IPSEC_REQUEST_REASON_WEAKER] = "weaker",
		[IPSEC_REQUEST_REASON_IDENTITY] = "somebody else",
		[IPSEC_REQUEST_REASON_METHOD] = "authenticated otherwise",
		[IPSEC_REQUEST_REASON_TIMEOUT] = "nothing in time",
		[IPSEC_REQUEST_REASON_UNKNOWN] = "unknown",
		[IPSEC_REQUEST_REASON_LIMIT] = "too many",
	};

	return names[reason];
}

static void answer(const struct request *request, enum ipsec_request_reason reason,
		   const char *text)
{
	char what[REQUEST_TEXT];

	log_event(LOG_LEVEL_INFO, "request %llu of user %u, %s: %s%s%s",
		  (unsigned long long)request->id, request->uid, request_text(request, what),
		  reason_name(reason), text ? ": " : "", text ? text : "");
	table.ops->result(request->id, reason, text);
}

static void waiting_free(struct waiting *waiting)
{
	request_free(waiting->request);
	free(waiting->text);
	free(waiting);
}

/* It is out of the list when it is answered, whatever comes of that. */
static void finish(struct waiting *waiting, enum ipsec_request_reason reason, const char *text)
{
	struct waiting **link = &table.first;

	while (*link != waiting)
		link = &(*link)->next;
	*link = waiting->next;
	answer(waiting->request, reason, text);
	waiting_free(waiting);
}

static void say(struct waiting *waiting, const char *text)
{
	char *longer;

	longer = waiting->text ? xprintf("%s; %s", waiting->text, text) : xstrdup(text);
	free(waiting->text);
	waiting->text = longer;
}

/* --------------------------------------------------------------- asking sources */

/* Put a request to the next source that can be asked. */
static void ask_next(struct waiting *waiting)
{
	const char *why;
	char *text, what[REQUEST_TEXT];

	waiting->asked = false;
	for (waiting->source++; waiting->source < table.ops->sources; waiting->source++) {
		why = table.ops->choose(waiting->source);
		if (!why)
			return;
		if (*why)
			say(waiting, why);
	}
	text = xprintf("nothing for %s: %s", request_text(waiting->request, what),
		       waiting->text ? waiting->text : "there is no keying daemon");
	finish(waiting, waiting->reason, text);
	free(text);
}

/**
 * requests_ask() - a source begins to find out what it has
 * @source: which
 *
 * Return: whether a request waits for that.
 */
bool requests_ask(size_t source)
{
	struct waiting *waiting;
	bool any = false;

	for (waiting = table.first; waiting; waiting = waiting->next) {
		if (waiting->source != source || waiting->chosen)
			continue;
		waiting->asked = true;
		any = true;
	}
	return any;
}

static struct negotiation *negotiation_find(size_t source, const struct target *target)
{
	struct negotiation *n;

	for (n = table.negotiation; n; n = n->next)
		if (n->source == source && !strcmp(n->target.connection, target->connection) &&
		    !strcmp(n->target.part, target->part))
			break;
	return n;
}

static void negotiation_begin(struct waiting *waiting, uint32_t timeout_ms)
{
	struct negotiation *negotiation = xcalloc(1, sizeof(*negotiation));

	negotiation->source = waiting->source;
	negotiation->target = waiting->target;
	negotiation->uid = waiting->request->uid;
	negotiation->deadline = now_ms() + timeout_ms;
	negotiation->next = table.negotiation;
	table.negotiation = negotiation;
	waiting->negotiation = negotiation;
	log_event(LOG_LEVEL_INFO, "negotiation of %s%s%s begins, for user %u",
		  waiting->target.connection, *waiting->target.part ? "/" : "",
		  waiting->target.part, negotiation->uid);
}

/* So that what is known by then can be told. */
static uint32_t negotiation_time(const struct waiting *waiting)
{
	int64_t ms = waiting->deadline - now_ms() - NEGOTIATION_EARLIER_MS;

	return ms > NEGOTIATION_MIN_MS ? ms : NEGOTIATION_MIN_MS;
}

/* Begin what there is a place for; a source may end it right away. */
static void begin_next(void)
{
	struct waiting *waiting, *next;
	struct target target;
	uint32_t timeout_ms;

	for (waiting = table.first; waiting; waiting = next) {
		next = waiting->next;
		if (!waiting->chosen || waiting->negotiation)
			continue;
		waiting->negotiation = negotiation_find(waiting->source, &waiting->target);
		if (waiting->negotiation || !has_place(waiting->request->uid))
			continue;
		if (!may_begin(waiting->request->uid)) {
			finish(waiting, IPSEC_REQUEST_REASON_LIMIT,
			       "too many negotiations were begun lately");
			continue;
		}
		timeout_ms = negotiation_time(waiting);
		negotiation_begin(waiting, timeout_ms);
		/* this one, and what is next, may have been answered afterwards */
		target = waiting->target;
		table.ops->negotiate(waiting->source, &target, timeout_ms);
		next = table.first;
	}
}

static bool better(enum ipsec_request_reason reason, enum ipsec_request_reason than)
{
	return than == IPSEC_REQUEST_REASON_NO_SA && reason != than;
}

static const char *why_not(enum ipsec_request_reason reason)
{
	switch (reason) {
	case IPSEC_REQUEST_REASON_METHOD:
		return "a connection is authenticated otherwise";
	case IPSEC_REQUEST_REASON_IDENTITY:
		return "a connection is for somebody else";
	default:
		return "no connection fits";
	}
}

/**
 * requests_choose() - a source has found out what it has
 * @source: which
 * @pick: called with each request that was there when it began
 * @data: for @pick
 */
void requests_choose(size_t source, requests_pick_t pick, void *data)
{
	enum ipsec_request_reason reason;
	struct waiting *waiting, *next;

	for (waiting = table.first; waiting; waiting = next) {
		next = waiting->next;
		if (waiting->source != source || !waiting->asked)
			continue;
		waiting->asked = false;
		reason = pick(data, waiting->request, &waiting->target);
		waiting->chosen = reason == IPSEC_REQUEST_REASON_NONE;
		if (waiting->chosen)
			continue;
		if (better(reason, waiting->reason))
			waiting->reason = reason;
		say(waiting, why_not(reason));
		ask_next(waiting);
	}
	begin_next();
}

/* ----------------------------------------------------------------------- results */

static void negotiation_end(struct negotiation *negotiation, enum ipsec_request_reason reason,
			    const char *text)
{
	struct negotiation **link = &table.negotiation;
	struct waiting *waiting, *next;
	int64_t now = now_ms();
	bool again = reason == IPSEC_REQUEST_REASON_TIMEOUT && now >= negotiation->deadline;

	while (*link != negotiation)
		link = &(*link)->next;
	*link = negotiation->next;
	log_event(LOG_LEVEL_INFO, "negotiation of %s%s%s: %s%s%s", negotiation->target.connection,
		  *negotiation->target.part ? "/" : "", negotiation->target.part,
		  reason_name(reason), text ? ": " : "", text ? text : "");
	for (waiting = table.first; waiting; waiting = next) {
		next = waiting->next;
		if (waiting->negotiation != negotiation)
			continue;
		waiting->negotiation = NULL;
		if (!again || waiting->deadline - now < NEGOTIATION_MIN_MS)
			finish(waiting, reason, text);
	}
	free(negotiation);
}

/**
 * requests_ended() - a negotiation is over
 * @source: that it was of
 * @target: what it was
 * @reason: IPSEC_REQUEST_REASON_NONE if SAs are there, or why not
 * @text: for people, NULL: nothing to be said
 */
void requests_ended(size_t source, const struct target *target,
		    enum ipsec_request_reason reason, const char *text)
{
	struct negotiation *negotiation = negotiation_find(source, target);

	if (!negotiation)
		return;
	negotiation_end(negotiation, reason, text);
	begin_next();
}

/**
 * requests_lost() - a source has lost its daemon
 * @source: which
 * @text: for people
 */
void requests_lost(size_t source, const char *text)
{
	struct negotiation *negotiation, *next_one;
	struct waiting *waiting, *next;

	for (negotiation = table.negotiation; negotiation; negotiation = next_one) {
		next_one = negotiation->next;
		if (negotiation->source == source)
			negotiation_end(negotiation, IPSEC_REQUEST_REASON_NO_SA, text);
	}
	for (waiting = table.first; waiting; waiting = next) {
		next = waiting->next;
		if (waiting->source != source)
			continue;
		waiting->chosen = false;
		say(waiting, text);
		ask_next(waiting);
	}
	begin_next();
}

/* ---------------------------------------------------------------------- requests */

static bool is_known(uint64_t id)
{
	const struct waiting *waiting;

	for (waiting = table.first; waiting; waiting = waiting->next)
		if (waiting->request->id == id)
			return true;
	return false;
}

/**
 * requests_add() - SAs are needed
 * @request: for what, is freed in the end; one may be told of more than once
 */
void requests_add(struct request *request)
{
	uint32_t most = table.config->request_timeout * 1000, ms = request->timeout_ms;
	struct waiting *waiting, **link = &table.first;

	if (is_known(request->id)) {
		request_free(request);
		return;
	}
	if (!table.config->requests || !may_wait(request->uid)) {
		if (table.config->requests)
			answer(request, IPSEC_REQUEST_REASON_LIMIT, "too many requests wait");
		else
			answer(request, IPSEC_REQUEST_REASON_NO_SA,
			       "the agent is not to negotiate on request");
		request_free(request);
		return;
	}
	waiting = xcalloc(1, sizeof(*waiting));
	waiting->request = request;
	waiting->deadline = now_ms() + (ms && ms < most ? ms : most);
	waiting->source = NO_SOURCE;
	waiting->reason = IPSEC_REQUEST_REASON_NO_SA;
	while (*link)
		link = &(*link)->next;
	*link = waiting;
	ask_next(waiting);
}

/**
 * requests_deadline() - when requests_tick() is to be called
 *
 * Return: in milliseconds of CLOCK_MONOTONIC, INT64_MAX: never.
 */
int64_t requests_deadline(void)
{
	const struct waiting *waiting;
	int64_t deadline = INT64_MAX;

	for (waiting = table.first; waiting; waiting = waiting->next)
		if (waiting->deadline < deadline)
			deadline = waiting->deadline;
	return deadline;
}

/**
 * requests_tick() - answer those whose time is over
 */
void requests_tick(void)
{
	struct waiting *waiting, *next;
	int64_t now = now_ms();

	for (waiting = table.first; waiting; waiting = next) {
		next = waiting->next;
		if (waiting->deadline <= now)
			finish(waiting, IPSEC_REQUEST_REASON_TIMEOUT,
			       waiting->negotiation ? "it is still being negotiated" :
			       "negotiation has not begun");
	}
}

/**
 * requests_count() - how many wait
 *
 * Return: their number.
 */
size_t requests_count(void)
{
	const struct waiting *waiting;
	size_t count = 0;

	for (waiting = table.first; waiting; waiting = waiting->next)
		count++;
	return count;
}

/**
 * requests_negotiations() - how many negotiations there are
 *
 * Return: their number.
 */
size_t requests_negotiations(void)
{
	const struct negotiation *negotiation;
	size_t count = 0;

	for (negotiation = table.negotiation; negotiation; negotiation = negotiation->next)
		count++;
	return count;
}

/**
 * requests_init() - begin
 * @ops: who answers, and who negotiates
 */
void requests_init(const struct requests_ops *ops)
{
	memset(&table, 0, sizeof(table));
	table.ops = ops;
}

/**
 * requests_config() - set what is configured
 * @config: ours, until this is called again
 */
void requests_config(const struct config *config)
{
	table.config = config;
}

/**
 * requests_forget() - nobody waits any more, or those who do will be told of again
 */
void requests_forget(void)
{
	struct waiting *waiting;

	while ((waiting = table.first)) {
		table.first = waiting->next;
		waiting_free(waiting);
	}
}

/**
 * requests_exit() - end; the kernel keeps the requests for the next agent
 */
void requests_exit(void)
{
	struct negotiation *negotiation;

	requests_forget();
	while ((negotiation = table.negotiation)) {
		table.negotiation = negotiation->next;
		free(negotiation);
	}
}
