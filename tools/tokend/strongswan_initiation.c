// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILD SAs that charon was asked to initiate.
 *
 * Each has a connection of its own, since charon answers to the command when it
 * is over, and to nothing else on that connection until then. What charon logs
 * of it meanwhile comes as events, and is all that tells why it failed.
 *
 * When the SAs are there, it is not over before the kernel was told who is behind
 * them, which takes another moment.
 *
 * An IKE SA that was begun for this, and that the peer did not answer in time, is
 * given up: it would be in the way of the next attempt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "source.h"
#include "strongswan_initiation.h"
#include "text.h"

/*
 * Who asks for what charon has already may have asked while it was coming; if it
 * goes on so for this time, the kernel does not use what there is.
 */
#define THERE_MS 10000
#define THERE_TIMES 4

/* charon answers this much later than it was told to, or is given up */
#define GRACE_MS 5000

/* who is behind SAs is known so soon, or it is left to the kernel to wait for it */
#define IDENTIFY_MS 2000

enum step {
	STEP_REGISTER,
	STEP_INITIATE,
	STEP_IDENTIFY,
	STEP_TERMINATE,
	STEP_OVER,
};

/**
 * struct initiation - one
 * @next: in the list
 * @all: the list
 * @target: what is initiated
 * @vici: connection for it
 * @step: what is being done
 * @timeout_ms: charon may take so long
 * @deadline: when this step has taken too long
 * @ike: number of the IKE SA, 0: not told yet
 * @begun: the IKE SA was begun for this
 * @there: charon has had it already
 * @reason: why it fails, if it does, as far as is known
 * @words: about that, NULL: nothing is known
 * @broken: the connection is of no more use
 */
struct initiation {
	struct initiation *next;
	struct initiations *all;
	struct target target;
	struct vici_connection *vici;
	enum step step;
	uint32_t timeout_ms;
	int64_t deadline;
	uint32_t ike;
	bool begun;
	bool there;
	enum ipsec_request_reason reason;
	char *words;
	bool broken;
};

/* -------------------------------------------------------------------------- ends */

static void initiation_free(struct initiation *initiation)
{
	vici_disconnect(initiation->vici);
	free(initiation->words);
	free(initiation);
}

static void found(struct initiation *initiation, enum ipsec_request_reason reason, char *words)
{
	/* what comes first is the cause of the rest */
	if (initiation->words) {
		free(words);
		return;
	}
	initiation->reason = reason;
	initiation->words = words;
}

static void tell(struct initiation *initiation)
{
	char *text = initiation->words ?
		     xprintf("strongSwan %s/%s: %s", initiation->target.connection,
			     initiation->target.part, initiation->words) : NULL;

	initiation->all->end(&initiation->target, initiation->reason, text);
	free(text);
}

static void send_or_break(struct initiation *initiation, enum vici_packet type,
			  const char *name, const char *const *values)
{
	if (vici_send(initiation->vici, type, name, values))
		initiation->broken = true;
}

static void terminate_begin(struct initiation *initiation)
{
	char id[16];
	const char *const values[] = { "ike-id", id, "force", "yes", "timeout", "-1", NULL };

	snprintf(id, sizeof(id), "%u", initiation->ike);
	initiation->step = STEP_TERMINATE;
	initiation->deadline = now_ms() + GRACE_MS;
	send_or_break(initiation, VICI_CMD_REQUEST, "terminate", values);
}

static void initiate_begin(struct initiation *initiation)
{
	char timeout[16];
	const char *const values[] = {
		"ike", initiation->target.connection, "child", initiation->target.part,
		"timeout", timeout, "loglevel", "1", NULL
	};

	snprintf(timeout, sizeof(timeout), "%u", initiation->timeout_ms);
	initiation->step = STEP_INITIATE;
	initiation->deadline = now_ms() + initiation->timeout_ms + GRACE_MS;
	send_or_break(initiation, VICI_CMD_REQUEST, "initiate", values);
}

static bool identified(const struct initiation *initiation)
{
	const struct ike *ike = ike_find(initiation->all->ikes, initiation->ike);
	const struct child *child = ike && ike->identity ? ike->child : NULL;

	while (child && (!child->name || strcmp(child->name, initiation->target.part)))
		child = child->next;
	return child;
}

static void failed(struct initiation *initiation, const char *errmsg)
{
	bool late = errmsg && strstr(errmsg, "not established after");

	if (initiation->there)
		found(initiation, IPSEC_REQUEST_REASON_NO_SA,
		      xstrdup("charon has SAs already, which the kernel does not use"));
	if (late)
		found(initiation, IPSEC_REQUEST_REASON_TIMEOUT,
		      xstrdup("the peer has not answered in time"));
	else
		found(initiation, IPSEC_REQUEST_REASON_NO_SA,
		      xstrdup("failed, charon's log says why"));
	if (late && initiation->begun && !ike_find(initiation->all->ikes, initiation->ike))
		terminate_begin(initiation);
	else
		initiation->step = STEP_OVER;
}

/* ------------------------------------------------------------------------- events */

/*
 * The peer's own words are but the name of a notification; nothing else of what
 * charon logs is passed on, since who asks may be anybody.
 */
static void log_read(struct initiation *initiation, const char *text)
{
	static const struct {
		const char *phrase;
		enum ipsec_request_reason reason;
		const char *words;
	} phrases[] = {
		{ "giving up after", IPSEC_REQUEST_REASON_TIMEOUT, "the peer does not answer" },
		{ "no shared key found", IPSEC_REQUEST_REASON_NO_SA,
		  "this host has no secret for it" },
		{ "no private key found", IPSEC_REQUEST_REASON_NO_SA,
		  "this host has no private key for it" },
		{ "unable to resolve", IPSEC_REQUEST_REASON_NO_SA,
		  "the peer's address is not known" },
		{ "MAC mismatched", IPSEC_REQUEST_REASON_IDENTITY,
		  "the peer has another secret" },
		{ "constraint check failed", IPSEC_REQUEST_REASON_IDENTITY,
		  "who answers is not who it is for" },
		{ "does not match to", IPSEC_REQUEST_REASON_IDENTITY,
		  "who answers is not who it is for" },
		{ "no trusted ", IPSEC_REQUEST_REASON_IDENTITY,
		  "the peer's key is not trusted" },
		{ "selected peer config", IPSEC_REQUEST_REASON_IDENTITY,
		  "who answers is not who it is for" },
		{ "no acceptable proposal found", IPSEC_REQUEST_REASON_REFUSED,
		  "the peer has chosen what was not proposed" },
		{ "no acceptable traffic selectors", IPSEC_REQUEST_REASON_REFUSED,
		  "the peer has chosen other traffic" },
	};
	const char *name;
	size_t i, len;

	if (!strncmp(text, "initiating ", 11))
		initiation->begun = true;
	if (strstr(text, "due to existing duplicate"))
		initiation->there = true;
	if (!strncmp(text, "received ", 9)) {
		name = text + 9;
		len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		if (len > 3 && len < 64 && !strncmp(name + len, " notify", 7))
			found(initiation, IPSEC_REQUEST_REASON_REFUSED,
			      xprintf("the peer says %.*s", (int)len, name));
		return;
	}
	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (strstr(text, phrases[i].phrase))
			found(initiation, phrases[i].reason, xstrdup(phrases[i].words));
}

static void event(struct initiation *initiation, const struct vici_message *message)
{
	const char *text = vici_string(&message->root, "msg");
	uint32_t ike;

	if (initiation->step != STEP_INITIATE || !text)
		return;
	if (vici_number(&message->root, "ikesa-uniqueid", 10, &ike))
		initiation->ike = ike;
	log_read(initiation, text);
}

/* Whether it does not help to say so once more. */
static bool there_too_often(struct initiations *all, const struct target *target)
{
	if (strcmp(all->there.connection, target->connection) ||
	    strcmp(all->there.part, target->part) ||
	    now_ms() - all->there_since > THERE_MS) {
		all->there = *target;
		all->there_since = now_ms();
		all->there_times = 0;
	}
	return ++all->there_times > THERE_TIMES;
}

static void come_up(struct initiation *initiation)
{
	free(initiation->words);
	initiation->words = NULL;
	initiation->reason = IPSEC_REQUEST_REASON_NONE;
	initiation->step = STEP_IDENTIFY;
	initiation->deadline = now_ms() + IDENTIFY_MS;
}

static void response(struct initiation *initiation, const struct vici_message *message)
{
	const char *success = vici_string(&message->root, "success");

	if (initiation->step != STEP_INITIATE) {
		/* of the command to terminate, which is the last one */
		initiation->step = STEP_OVER;
	} else if (success && !strcmp(success, "yes")) {
		come_up(initiation);
	} else if (initiation->there &&
		   !there_too_often(initiation->all, &initiation->target)) {
		come_up(initiation);
	} else {
		failed(initiation, vici_string(&message->root, "errmsg"));
	}
}

static void packet(enum vici_packet type, const char *name, const struct vici_message *message,
		   void *data)
{
	struct initiation *initiation = data;

	(void)name;
	if (initiation->broken)
		return;
	if (type == VICI_EVENT)
		event(initiation, message);
	else if (type == VICI_CMD_RESPONSE)
		response(initiation, message);
	else if (type == VICI_EVENT_CONFIRM && initiation->step == STEP_REGISTER)
		initiate_begin(initiation);
	else
		initiation->broken = true;
}

/* ------------------------------------------------------------------------- all */

/**
 * initiation_begin() - have charon initiate a CHILD SA
 * @all: those that there are
 * @path: of charon's socket
 * @epoll: to wait for connections
 * @target: connection and CHILD SA, by name
 * @timeout_ms: charon may take so long
 *
 * Return: 0, or a negative errno: then there is none, and no end of it.
 */
int initiation_begin(struct initiations *all, const char *path, int epoll,
		     const struct target *target, uint32_t timeout_ms)
{
	struct initiation *initiation = xcalloc(1, sizeof(*initiation));
	int err;

	initiation->all = all;
	initiation->target = *target;
	initiation->timeout_ms = timeout_ms;
	initiation->deadline = now_ms() + GRACE_MS;
	initiation->vici = vici_connect(path, epoll, packet, initiation);
	err = initiation->vici ? vici_send(initiation->vici, VICI_EVENT_REGISTER, "control-log",
					   NULL) : -errno;
	if (err) {
		initiation_free(initiation);
		return err;
	}
	initiation->next = all->first;
	all->first = initiation;
	return 0;
}

/* Take out those that are over, and tell of them. */
static void sweep(struct initiations *all)
{
	struct initiation **link = &all->first, *initiation;

	while ((initiation = *link)) {
		if (!initiation->broken && initiation->step != STEP_OVER) {
			link = &initiation->next;
			continue;
		}
		*link = initiation->next;
		if (initiation->step < STEP_IDENTIFY)
			found(initiation, IPSEC_REQUEST_REASON_NO_SA,
			      xstrdup("charon has ended, or does not answer"));
		tell(initiation);
		initiation_free(initiation);
		/* telling may have begun others */
		link = &all->first;
	}
}

/**
 * initiations_process() - deal with a connection that has something to be done
 * @all: those that there are
 * @vici: it
 *
 * Return: whether it is of one of these.
 */
bool initiations_process(struct initiations *all, struct vici_connection *vici)
{
	struct initiation *initiation = all->first;

	while (initiation && initiation->vici != vici)
		initiation = initiation->next;
	if (!initiation)
		return false;
	if (vici_process(vici))
		initiation->broken = true;
	initiations_look(all);
	return true;
}

/**
 * initiations_look() - look whether the kernel was told who is behind SAs
 * @all: those that there are
 */
void initiations_look(struct initiations *all)
{
	struct initiation *initiation;

	for (initiation = all->first; initiation; initiation = initiation->next)
		if (initiation->step == STEP_IDENTIFY && identified(initiation))
			initiation->step = STEP_OVER;
	sweep(all);
}

/**
 * initiations_deadline() - when initiations_tick() is to be called
 * @all: those that there are
 *
 * Return: in milliseconds of CLOCK_MONOTONIC, INT64_MAX: never.
 */
int64_t initiations_deadline(const struct initiations *all)
{
	const struct initiation *initiation;
	int64_t deadline = INT64_MAX;

	for (initiation = all->first; initiation; initiation = initiation->next)
		if (initiation->deadline < deadline)
			deadline = initiation->deadline;
	return deadline;
}

/**
 * initiations_tick() - give up what has taken too long
 * @all: those that there are
 */
void initiations_tick(struct initiations *all)
{
	struct initiation *initiation;
	int64_t now = now_ms();

	for (initiation = all->first; initiation; initiation = initiation->next)
		if (initiation->deadline <= now)
			initiation->broken = true;
	sweep(all);
}

/**
 * initiations_clear() - charon is gone, or is to be left alone
 * @all: none are left
 */
void initiations_clear(struct initiations *all)
{
	struct initiation *initiation;

	for (initiation = all->first; initiation; initiation = initiation->next)
		initiation->broken = true;
	sweep(all);
}
