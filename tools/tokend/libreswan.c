// SPDX-License-Identifier: GPL-2.0-only
/*
 * libreswan as a source, by its program whack, which asks its daemon pluto.
 *
 * pluto tells nobody what it does, but for its updown script, which is not run
 * when something is rekeyed. So news come from the script and from xfrm, and
 * either is but a reason to ask: first for all SAs; and then, if there are IKE
 * SAs that nothing is known of, for everything that may be evidence of who is
 * behind them. That is one question, since the answers have to fit together.
 * Certificates are read by certutil, from the database that pluto says it has.
 *
 * What was found out of an IKE SA holds for its CHILD SAs, and for the IKE SA
 * that takes its place by rekeying. The latter is told by SAs that were of the
 * one and are of the other.
 *
 * When an application requires SAs, pluto is asked which connections there are,
 * and told to initiate the one that would do.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libreswan_choice.h"
#include "libreswan_initiation.h"
#include "libreswan_sas.h"
#include "libreswan_updown.h"
#include "log.h"
#include "program.h"
#include "source.h"

/* pluto answers within this time, scripts included, or is given up */
#define WHACK_MS 60000
#define CERTUTIL_MS 20000

/* of ten thousand connections and their SAs there is less to say */
#define WHACK_MAX (64 * 1024 * 1024)
#define CERTUTIL_MAX (256 * 1024)

/* between attempts when pluto does not answer, doubled each time */
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 60000

/* pluto is left alone as many times longer than it took to answer */
#define REST_TIMES 2
#define REST_LAST_MS 10000

/* an IKE SA whose identity is known to us only is not to be rekeyed unseen */
#define WATCH_MS 15000

/* messages of scripts that are read before others have their turn */
#define UPDOWN_TURN 64

enum job {
	JOB_NONE,
	JOB_STATES,
	JOB_STATUS,
	JOB_CERTIFICATES,
	JOB_CHOICE,
};

/**
 * struct source - libreswan
 * @config: ours
 * @epoll: what to poll
 * @updown: where scripts speak, -1: nowhere
 * @program: that runs, NULL: none
 * @job: what it is for
 * @want: pluto is to be asked
 * @not_before: when that may be
 * @give_up: when @program has taken too long
 * @watch_at: when to ask without a reason
 * @started: when the first program for the present answers was
 * @retry_ms: until the next attempt if it fails
 * @failing: it was logged that pluto does not answer
 * @absent: it was logged that there is no pluto
 * @incarnation: of pluto's socket when the first program was started
 * @known: the same, when @ikes was found out
 * @status: what pluto has said
 * @nicknames: certificates that are needed
 * @ikes: what was found out
 * @heard: what a script has spoken of last
 * @expected: the same, when pluto was asked
 * @want_choice: requests wait for what there is
 * @choice_not_before: when pluto may be asked for that
 * @initiations: what pluto was told to initiate
 */
struct source {
	const struct config *config;
	int epoll;
	int updown;
	struct program *program;
	enum job job;
	bool want;
	int64_t not_before;
	int64_t give_up;
	int64_t watch_at;
	int64_t started;
	int64_t retry_ms;
	bool failing;
	bool absent;
	struct stat incarnation;
	struct stat known;
	struct pluto_status status;
	struct nicknames nicknames;
	struct pluto_ikes ikes;
	struct updown heard;
	struct updown expected;
	bool want_choice;
	int64_t choice_not_before;
	struct whack_initiations initiations;
};

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* --------------------------------------------------------------- asking pluto */

/* Each start of pluto makes another socket, and counts from 1 again. */
static bool incarnation_read(const struct source *source, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	return !stat(source->config->pluto_socket, st) && S_ISSOCK(st->st_mode);
}

static bool incarnation_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Which way round the script has its SPIs is of no matter. */
static bool has_sas(const struct pluto_status *status, const uint32_t *spi)
{
	const struct pluto_state *state;
	size_t i;

	for (i = 0; i < status->states; i++) {
		state = &status->state[i];
		if (state->in && ((state->spi_in == spi[0] && state->spi_out == spi[1]) ||
				  (state->spi_in == spi[1] && state->spi_out == spi[0])))
			return true;
	}
	return false;
}

/* A script is run when SAs are there, so pluto must have them, or others since. */
static void scripts_check(struct source *source)
{
	if (*source->expected.verb && !has_sas(&source->status, source->expected.spi))
		log_event(LOG_LEVEL_NOTICE, "libreswan: updown %s of %s: pluto has no such SAs",
			  source->expected.verb, source->expected.connection);
	/* said while pluto was being asked, and dealt with by now */
	if (has_sas(&source->status, source->heard.spi))
		memset(&source->heard, 0, sizeof(source->heard));
}

static void watch_fd(const struct source *source, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= 0 && epoll_ctl(source->epoll, EPOLL_CTL_ADD, fd, &event))
		log_event(LOG_LEVEL_ERROR, "libreswan: epoll: %m");
}

/* When to ask again, after what was begun when @started was. */
static int64_t rested(const struct source *source)
{
	int64_t ms = (now_ms() - source->started) * REST_TIMES;

	return now_ms() + (ms < REST_LAST_MS ? ms : REST_LAST_MS);
}

static void rest(struct source *source)
{
	source->not_before = rested(source);
}

static void forget_answers(struct source *source)
{
	source->job = JOB_NONE;
	source->give_up = INT64_MAX;
	pluto_status_clear(&source->status);
	nicknames_clear(&source->nicknames);
}

/* Those who wait are not to wait until their time is over. */
static void requests_give_up(struct source *source)
{
	requests_lost(SOURCE_LIBRESWAN, "pluto has ended, or does not answer");
	whack_initiations_clear(&source->initiations);
}

static void failed(struct source *source, const char *what, int err)
{
	if (!source->failing)
		log_event(LOG_LEVEL_WARNING, "libreswan: %s: %s", what, strerror(-err));
	source->failing = true;
	forget_answers(source);
	source->want = true;
	source->not_before = now_ms() + source->retry_ms;
	source->retry_ms = source->retry_ms * 2 < RETRY_LAST_MS ?
			   source->retry_ms * 2 : RETRY_LAST_MS;
	requests_give_up(source);
}

static int run(struct source *source, enum job job, const char *const *argv)
{
	bool whack = job != JOB_CERTIFICATES;

	source->program = program_start(argv, whack ? WHACK_MAX : CERTUTIL_MAX);
	if (!source->program)
		return -errno;
	source->job = job;
	source->give_up = now_ms() + (whack ? WHACK_MS : CERTUTIL_MS);
	watch_fd(source, program_output_fd(source->program));
	watch_fd(source, program_exit_fd(source->program));
	return 0;
}

static void run_whack(struct source *source, enum job job, const char *const *argv)
{
	int err = run(source, job, argv);

	if (err)
		failed(source, argv[0], err);
}

static void states_begin(struct source *source)
{
	const char *const argv[] = { source->config->whack, "--ctlsocket",
				     source->config->pluto_socket, "--showstates", NULL };

	run_whack(source, JOB_STATES, argv);
}

static void status_begin(struct source *source)
{
	const char *const argv[] = { source->config->whack, "--ctlsocket",
				     source->config->pluto_socket, "--status", "--listpubkeys",
				     "--listcerts", "--listcacerts", NULL };

	run_whack(source, JOB_STATUS, argv);
}

static void certificate_missing(const struct nickname *nickname, int err)
{
	log_event(LOG_LEVEL_WARNING, "libreswan: certificate \"%s\" cannot be read: %s",
		  nickname->name, strerror(-err));
}

/* Returns whether one is being read. Without it the claim is a weaker one. */
static bool certificates_begin(struct source *source)
{
	struct nickname *nickname;
	char *database;
	int err = 0;

	if (!source->status.nss_dir)
		return false;
	database = xprintf("sql:%s", source->status.nss_dir);
	while ((nickname = nicknames_next(&source->nicknames))) {
		err = run(source, JOB_CERTIFICATES, (const char *const[]){
			source->config->certutil, "-L", "-d", database, "-n", nickname->name,
			"-a", NULL
		});
		if (!err)
			break;
		certificate_missing(nickname, err);
		nickname->read = true;
	}
	free(database);
	return nickname;
}

static void done(struct source *source, bool evidence)
{
	struct stat now;

	/* answers of two daemons do not fit together */
	if (!incarnation_read(source, &now) || !incarnation_same(&now, &source->incarnation)) {
		forget_answers(source);
		source->want = true;
		rest(source);
		return;
	}
	pluto_ikes_identify(&source->ikes, &source->status, evidence ? &source->nicknames : NULL,
			    source->config);
	source->known = source->incarnation;
	source->watch_at = source->ikes.fleeting ? now_ms() + WATCH_MS : INT64_MAX;
	scripts_check(source);
	whack_initiations_look(&source->initiations, &source->status);
	if (source->failing)
		log_event(LOG_LEVEL_NOTICE, "libreswan: pluto answers");
	source->failing = false;
	source->retry_ms = RETRY_FIRST_MS;
	forget_answers(source);
	rest(source);
}

static void states_done(struct source *source)
{
	if (!pluto_ikes_unknown(&source->ikes, &source->status, NULL)) {
		done(source, false);
		return;
	}
	pluto_status_clear(&source->status);
	status_begin(source);
}

static void status_done(struct source *source)
{
	pluto_ikes_unknown(&source->ikes, &source->status, &source->nicknames);
	if (!certificates_begin(source))
		done(source, true);
}

static void certificates_done(struct source *source, const char *text, size_t len, int err)
{
	struct nickname *nickname = nicknames_next(&source->nicknames);

	if (err)
		certificate_missing(nickname, err);
	nickname_read(nickname, text, err ? 0 : len);
	if (!certificates_begin(source))
		done(source, true);
}

static enum ipsec_request_reason pick(void *data, const struct request *request,
				      struct target *target)
{
	const struct source *source = data;

	return pluto_pick(source->config, &source->status, request, target);
}

static void choice_done(struct source *source)
{
	source->choice_not_before = rested(source);
	requests_choose(SOURCE_LIBRESWAN, pick, source);
	forget_answers(source);
}

static void job_done(struct source *source)
{
	struct program *program = source->program;
	const char *text;
	size_t len;
	int err;

	source->program = NULL;
	source->give_up = INT64_MAX;
	err = program_result(program, &text, &len);
	if (source->job == JOB_CERTIFICATES) {
		certificates_done(source, text, len, err);
	} else {
		if (!err)
			err = pluto_status_parse(text, len, &source->status);
		if (err)
			failed(source, "whack", err);
		else if (source->job == JOB_STATES)
			states_done(source);
		else if (source->job == JOB_CHOICE)
			choice_done(source);
		else
			status_done(source);
	}
	program_free(program);
}

/* Ask for connections, if a request waits for that. */
static void choice_next(struct source *source)
{
	const char *const argv[] = { source->config->whack, "--ctlsocket",
				     source->config->pluto_socket, "--status", NULL };

	if (source->job != JOB_NONE || !source->want_choice ||
	    source->choice_not_before > now_ms())
		return;
	source->want_choice = false;
	if (!requests_ask(SOURCE_LIBRESWAN))
		return;
	source->started = now_ms();
	run_whack(source, JOB_CHOICE, argv);
}

/* Ask pluto, if that is wanted and it has rested. */
static void job_next(struct source *source)
{
	choice_next(source);
	if (source->program || !source->want || source->not_before > now_ms())
		return;
	source->want = false;
	source->watch_at = INT64_MAX;
	source->expected = source->heard;
	memset(&source->heard, 0, sizeof(source->heard));
	source->started = now_ms();
	if (!incarnation_read(source, &source->incarnation)) {
		if (!source->absent)
			log_event(LOG_LEVEL_NOTICE, "libreswan: there is no %s yet",
				  source->config->pluto_socket);
		source->absent = true;
		pluto_ikes_clear(&source->ikes);
		requests_give_up(source);
		return;
	}
	if (source->absent)
		log_event(LOG_LEVEL_NOTICE, "libreswan: pluto is at %s",
			  source->config->pluto_socket);
	source->absent = false;
	if (!incarnation_same(&source->incarnation, &source->known))
		pluto_ikes_clear(&source->ikes);
	states_begin(source);
}

static void ask(struct source *source)
{
	source->want = true;
	job_next(source);
}

/* ---------------------------------------------------------------------- scripts */

static void updown_listen(struct source *source)
{
	source->updown = updown_open(source->config->updown_socket);
	if (source->updown < 0) {
		log_event(LOG_LEVEL_WARNING, "libreswan: scripts are not heard at %s: %s",
			  source->config->updown_socket, strerror(-source->updown));
		source->updown = -1;
		return;
	}
	watch_fd(source, source->updown);
}

static void updown_close(struct source *source)
{
	if (source->updown < 0)
		return;
	close(source->updown);
	source->updown = -1;
	unlink(source->config->updown_socket);
}

static void updown_hear(struct source *source)
{
	struct updown updown;
	int i, err;

	for (i = 0; i < UPDOWN_TURN; i++) {
		err = updown_read(source->updown, &updown);
		if (err == -EAGAIN)
			return;
		if (err)
			continue;
		log_event(LOG_LEVEL_DEBUG, "libreswan: updown %s of %s", updown.verb,
			  updown.connection);
		/* what goes is told by xfrm */
		if (strncmp(updown.verb, "up-", 3))
			continue;
		source->heard = updown;
		source->want = true;
	}
}

/* -------------------------------------------------------------------- the source */

static bool libreswan_wanted(const struct config *config)
{
	return config->libreswan;
}

static struct source *libreswan_open(const struct config *config)
{
	struct source *source = xcalloc(1, sizeof(*source));

	source->config = config;
	source->retry_ms = RETRY_FIRST_MS;
	source->give_up = INT64_MAX;
	source->watch_at = INT64_MAX;
	source->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (source->epoll < 0) {
		log_event(LOG_LEVEL_ERROR, "libreswan: epoll: %m");
		exit(EXIT_FAILURE);
	}
	source->initiations.epoll = source->epoll;
	updown_listen(source);
	ask(source);
	return source;
}

static void libreswan_close(struct source *source)
{
	requests_give_up(source);
	program_free(source->program);
	forget_answers(source);
	pluto_ikes_clear(&source->ikes);
	updown_close(source);
	close(source->epoll);
	free(source);
}

static void libreswan_reload(struct source *source, const struct config *config)
{
	bool moved = source->updown < 0 ||
		     !same(source->config->updown_socket, config->updown_socket);

	if (moved)
		updown_close(source);
	source->config = config;
	if (moved)
		updown_listen(source);
}

static int libreswan_fd(const struct source *source)
{
	return source->epoll;
}

static short libreswan_events(const struct source *source)
{
	(void)source;
	return POLLIN;
}

static void libreswan_ready(struct source *source)
{
	if (source->updown >= 0)
		updown_hear(source);
	if (source->program && program_ready(source->program))
		job_done(source);
	if (whack_initiations_ready(&source->initiations))
		source->want = true;
	job_next(source);
}

static int64_t libreswan_deadline(const struct source *source)
{
	int64_t deadline = source->watch_at, other;

	if (source->give_up < deadline)
		deadline = source->give_up;
	if (source->want && !source->program && source->not_before < deadline)
		deadline = source->not_before;
	if (source->want_choice && source->job == JOB_NONE && source->choice_not_before < deadline)
		deadline = source->choice_not_before;
	other = whack_initiations_deadline(&source->initiations);
	return other < deadline ? other : deadline;
}

static void libreswan_tick(struct source *source)
{
	int64_t now = now_ms();

	if (source->program && source->give_up <= now) {
		/* it is over when it has died, which its descriptor tells */
		source->give_up = INT64_MAX;
		program_kill(source->program);
	}
	if (source->watch_at <= now) {
		source->watch_at = INT64_MAX;
		source->want = true;
	}
	if (whack_initiations_tick(&source->initiations))
		source->want = true;
	job_next(source);
}

static void libreswan_resync(struct source *source)
{
	ask(source);
}

/* -------------------------------------------------------------------- requests */

static const char *libreswan_choose(struct source *source)
{
	struct stat now;

	if (!incarnation_read(source, &now))
		return "there is no pluto";
	/* another one than did not answer may */
	if (source->failing && incarnation_same(&now, &source->incarnation))
		return "pluto does not answer";
	source->want_choice = true;
	return NULL;
}

static void libreswan_negotiate(struct source *source, const struct target *target,
				uint32_t timeout_ms)
{
	if (whack_initiation_begin(&source->initiations, source->config, target, timeout_ms))
		requests_ended(SOURCE_LIBRESWAN, target, IPSEC_REQUEST_REASON_NO_SA,
			       "whack cannot be run");
}

const struct source_ops libreswan_source = {
	.name = LIBRESWAN_NAME,
	.wanted = libreswan_wanted,
	.open = libreswan_open,
	.close = libreswan_close,
	.reload = libreswan_reload,
	.fd = libreswan_fd,
	.events = libreswan_events,
	.ready = libreswan_ready,
	.deadline = libreswan_deadline,
	.tick = libreswan_tick,
	.resync = libreswan_resync,
	.choose = libreswan_choose,
	.negotiate = libreswan_negotiate,
};
