// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that pluto was asked to initiate.
 *
 * whack stays until pluto has brought a connection up or has given up. What it
 * prints meanwhile tells why something failed, its exit status does not always
 * tell that it did. If it prints nothing, the connection is up already, or pluto is
 * at it anyhow.
 *
 * So it is over when it has failed in words that are known here, and otherwise when
 * pluto lists SAs of the connection, since whoever is behind them has been told to
 * the kernel at the same time.
 *
 * When a connection was not brought up, pluto tries again by itself, less and less
 * often, whatever whack says. A request that comes then waits for that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "libreswan_initiation.h"
#include "log.h"
#include "program.h"
#include "source.h"

/* there is less to say of one connection */
#define OUTPUT_MAX (256 * 1024)

/* between looks at what SAs pluto has */
#define LOOK_MS 1000

/* a notification has a shorter name */
#define WORDS_MAX 128

/**
 * struct whack_initiation - one
 * @next: in the list
 * @target: what is initiated
 * @program: whack, NULL: it has ended
 * @deadline: when it is given up
 * @look_at: when to ask for SAs
 * @over: whether it is
 * @reason: how it ended, or would if it was given up
 * @words: about that
 */
struct whack_initiation {
	struct whack_initiation *next;
	struct target target;
	struct program *program;
	int64_t deadline;
	int64_t look_at;
	bool over;
	enum ipsec_request_reason reason;
	char words[WORDS_MAX];
};

/* ----------------------------------------------------------------------- words */

static const char *find(const char *text, size_t len, const char *phrase)
{
	return memmem(text, len, phrase, strlen(phrase));
}

/* A notification by which a peer refuses. */
static const char *refusal(const char *text, size_t len)
{
	static const char *const names[] = {
		"AUTHENTICATION_FAILED", "NO_PROPOSAL_CHOSEN", "TS_UNACCEPTABLE",
		"INVALID_KE_PAYLOAD", "INVALID_SYNTAX", "SINGLE_PAIR_REQUIRED",
		"NO_ADDITIONAL_SAS", "FAILED_CP_REQUIRED", "INVALID_ID_INFORMATION",
		"PAYLOAD_MALFORMED",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (find(text, len, names[i]))
			return names[i];
	return NULL;
}

/**
 * whack_verdict() - what the output of an initiating whack says
 * @text: the output
 * @len: size of that
 * @words: set to words for people, "" if there are none
 * @size: room for those
 *
 * Nothing of the output itself is passed on, since who asks may be anybody.
 *
 * Return: IPSEC_REQUEST_REASON_NONE unless it has failed.
 */
enum ipsec_request_reason whack_verdict(const char *text, size_t len, char *words, size_t size)
{
	const char *name = refusal(text, len);
	bool rejected = find(text, len, "rejected by peer") ||
			find(text, len, "containing NO_PROPOSAL_CHOSEN notification");

	*words = '\0';
	if (find(text, len, "established Child SA") || find(text, len, "IPsec SA established"))
		return IPSEC_REQUEST_REASON_NONE;
	if (find(text, len, "cannot initiate connection") ||
	    find(text, len, "cannot initiate on-demand") ||
	    find(text, len, "failed to initiate connection")) {
		snprintf(words, size, "this connection cannot be initiated");
		return IPSEC_REQUEST_REASON_NO_SA;
	}
	if (name && rejected) {
		snprintf(words, size, "the peer says %s", name);
		return IPSEC_REQUEST_REASON_REFUSED;
	}
	if (find(text, len, "No response (or no acceptable response)")) {
		snprintf(words, size, "the peer has not answered in time");
		return IPSEC_REQUEST_REASON_TIMEOUT;
	}
	if (find(text, len, "cannot install eroute")) {
		snprintf(words, size, "another connection is in the way");
		return IPSEC_REQUEST_REASON_NO_SA;
	}
	if (find(text, len, "authentication failed") || find(text, len, "but we require") ||
	    find(text, len, "Peer ID")) {
		snprintf(words, size, "who answers is not who it is for");
		return IPSEC_REQUEST_REASON_IDENTITY;
	}
	if (find(text, len, "encountered fatal error") || find(text, len, ": deleting state (")) {
		snprintf(words, size, "failed, pluto's log says why");
		return IPSEC_REQUEST_REASON_NO_SA;
	}
	return IPSEC_REQUEST_REASON_NONE;
}

/* ------------------------------------------------------------------------- ends */

static void end(struct whack_initiation *initiation, enum ipsec_request_reason reason,
		const char *words)
{
	initiation->over = true;
	initiation->reason = reason;
	snprintf(initiation->words, sizeof(initiation->words), "%s", words);
}

static void tell(const struct whack_initiation *initiation)
{
	char *text = *initiation->words ?
		     xprintf("libreswan %s: %s", initiation->target.connection,
			     initiation->words) : NULL;

	requests_ended(SOURCE_LIBRESWAN, &initiation->target, initiation->reason, text);
	free(text);
}

/* Take out those that are over, and tell of them. */
static void sweep(struct whack_initiations *all)
{
	struct whack_initiation **link = &all->first, *initiation;

	while ((initiation = *link)) {
		if (!initiation->over) {
			link = &initiation->next;
			continue;
		}
		*link = initiation->next;
		tell(initiation);
		program_free(initiation->program);
		free(initiation);
		/* telling may have begun others */
		link = &all->first;
	}
}

/* What whack has said, once it has ended or was ended. */
static void program_over(struct whack_initiation *initiation)
{
	enum ipsec_request_reason reason;
	char words[WORDS_MAX];
	const char *text;
	size_t len;
	int err;

	err = program_result(initiation->program, &text, &len);
	reason = whack_verdict(text, len, words, sizeof(words));
	program_free(initiation->program);
	initiation->program = NULL;
	if (reason != IPSEC_REQUEST_REASON_NONE)
		end(initiation, reason, words);
	else if (err == -ETIMEDOUT)
		end(initiation, IPSEC_REQUEST_REASON_TIMEOUT,
		    "the peer has not answered in time");
	/* the status of whack alone does not tell much */
	initiation->look_at = now_ms();
}

/* -------------------------------------------------------------------------- all */

static void watch_fd(const struct whack_initiations *all, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= 0 && epoll_ctl(all->epoll, EPOLL_CTL_ADD, fd, &event))
		log_event(LOG_LEVEL_ERROR, "libreswan: epoll: %m");
}

/* Room for what --oppohere and its like need, and for what comes before and after. */
#define OPPORTUNISTIC_ARGS 16

/*
 * A connection is initiated by its name. One that is opportunistic is for any hosts,
 * so these are named, and what else the part has, see pluto_pick(), which is changed.
 */
static struct program *whack_start(const struct config *config, const char *connection,
				   char *part)
{
	static const char *const options[] = {
		"--oppohere", "--oppothere", "--oppoproto", "--opposport", "--oppodport",
	};
	const char *argv[OPPORTUNISTIC_ARGS] = {
		config->whack, "--ctlsocket", config->pluto_socket,
	};
	size_t i, count = 3;
	char *word, *left = NULL;

	if (!*part) {
		argv[count++] = "--name";
		argv[count++] = connection;
		argv[count++] = "--initiate";
	}
	word = strtok_r(part, " ", &left);
	for (i = 0; word && i < sizeof(options) / sizeof(options[0]); i++) {
		argv[count++] = options[i];
		argv[count++] = word;
		word = strtok_r(NULL, " ", &left);
	}
	argv[count] = NULL;
	return program_start(argv, OUTPUT_MAX);
}

/**
 * whack_initiation_begin() - have pluto initiate a connection
 * @all: those that there are
 * @config: ours
 * @target: connection, by name
 * @timeout_ms: it may take so long
 *
 * Return: 0, or a negative errno: then there is none, and no end of it.
 */
int whack_initiation_begin(struct whack_initiations *all, const struct config *config,
			   const struct target *target, uint32_t timeout_ms)
{
	struct whack_initiation *initiation;
	struct program *program;
	char *part;

	part = xstrdup(target->part);
	program = whack_start(config, target->connection, part);
	free(part);
	if (!program)
		return -errno;
	initiation = xcalloc(1, sizeof(*initiation));
	initiation->target = *target;
	initiation->program = program;
	initiation->deadline = now_ms() + timeout_ms;
	initiation->look_at = INT64_MAX;
	initiation->next = all->first;
	all->first = initiation;
	watch_fd(all, program_output_fd(program));
	watch_fd(all, program_exit_fd(program));
	return 0;
}

/**
 * whack_initiations_ready() - take in what programs print, and which have ended
 * @all: those that there are
 *
 * Return: whether pluto is to be asked for its SAs.
 */
bool whack_initiations_ready(struct whack_initiations *all)
{
	struct whack_initiation *initiation;
	bool ask = false;

	for (initiation = all->first; initiation; initiation = initiation->next) {
		if (!initiation->program || !program_ready(initiation->program))
			continue;
		program_over(initiation);
		ask |= !initiation->over;
	}
	sweep(all);
	return ask;
}

/* Of an opportunistic connection there are instances, each for another host. */
static bool is_with_peer(const struct pluto_state *state, const char *part)
{
	const char *peer = *part ? strchr(part, ' ') + 1 : NULL;
	size_t len = peer ? strcspn(peer, " ") : 0;

	return !peer || (state->out && strlen(state->out) == len &&
			 !strncmp(state->out, peer, len));
}

static bool has_sas(const struct pluto_status *status, const struct target *target)
{
	const struct pluto_state *state;
	size_t i;

	for (i = 0; i < status->states; i++) {
		state = &status->state[i];
		if (state->established && state->in &&
		    !strcmp(state->connection, target->connection) &&
		    is_with_peer(state, target->part))
			return true;
	}
	return false;
}

/**
 * whack_initiations_look() - see which have got their SAs
 * @all: those that there are
 * @status: SAs that pluto has; who is behind them was told
 */
void whack_initiations_look(struct whack_initiations *all, const struct pluto_status *status)
{
	struct whack_initiation *initiation;

	for (initiation = all->first; initiation; initiation = initiation->next)
		if (!initiation->program && !initiation->over &&
		    has_sas(status, &initiation->target))
			end(initiation, IPSEC_REQUEST_REASON_NONE, "");
	sweep(all);
}

/**
 * whack_initiations_deadline() - when whack_initiations_tick() is to be called
 * @all: those that there are
 *
 * Return: in milliseconds of CLOCK_MONOTONIC, INT64_MAX: never.
 */
int64_t whack_initiations_deadline(const struct whack_initiations *all)
{
	const struct whack_initiation *initiation;
	int64_t deadline = INT64_MAX;

	for (initiation = all->first; initiation; initiation = initiation->next) {
		if (initiation->deadline < deadline)
			deadline = initiation->deadline;
		if (initiation->look_at < deadline)
			deadline = initiation->look_at;
	}
	return deadline;
}

/**
 * whack_initiations_tick() - give up what has taken too long
 * @all: those that there are
 *
 * Return: whether pluto is to be asked for its SAs.
 */
bool whack_initiations_tick(struct whack_initiations *all)
{
	struct whack_initiation *initiation;
	int64_t now = now_ms();
	bool ask = false;

	for (initiation = all->first; initiation; initiation = initiation->next) {
		if (initiation->deadline <= now && initiation->program) {
			/* it is over when it has died, which its descriptor tells */
			initiation->deadline = INT64_MAX;
			program_kill(initiation->program);
		} else if (initiation->deadline <= now) {
			end(initiation, IPSEC_REQUEST_REASON_TIMEOUT,
			    "the peer has not answered in time");
		} else if (initiation->look_at <= now) {
			initiation->look_at = now + LOOK_MS;
			ask = true;
		}
	}
	sweep(all);
	return ask;
}

/**
 * whack_initiations_clear() - pluto is gone, or is to be left alone
 * @all: none are left
 */
void whack_initiations_clear(struct whack_initiations *all)
{
	struct whack_initiation *initiation;

	for (initiation = all->first; initiation; initiation = initiation->next)
		if (!initiation->over)
			end(initiation, IPSEC_REQUEST_REASON_NO_SA, "pluto has ended");
	sweep(all);
}
