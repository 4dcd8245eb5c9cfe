// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsec-tokend: tells the kernel module ipsec_token who is behind each SA, and
 * has SAs negotiated that applications require.
 *
 * THREADS AND WAITING
 *
 * There is one thread, and it waits in one place, the poll() below, for
 *
 *	signals		SIGHUP, SIGTERM and SIGINT, by a signalfd;
 *	xfrm		news of SAs that come and go;
 *	the module	news that it was loaded, and requests for SAs;
 *	sources		keying daemons, each by a descriptor of its own;
 *	time		the earliest of a few deadlines.
 *
 * Nothing blocks, with two exceptions that are answered by the kernel itself at
 * once: requests to the module, and reading the list of SAs. Since nothing runs
 * beside anything else, no data has a lock, and a function sees no change
 * that it did not make. The price is that a slow disk (the file with known
 * keys) delays everything; it is touched once per IKE SA with a raw key.
 *
 * The order in which descriptors are looked at matters: xfrm before sources.
 * charon adds an SA before it tells of it, so the SA is known by then.
 *
 * NOTHING IS KEPT
 *
 * All state can be had again: SAs from xfrm, bindings and requests from the
 * module, who is behind SAs from the keying daemons. So the agent may be killed at
 * any time, and after it was started anew, lost messages (ENOBUFS), or found the
 * module loaded anew, it does the same thing: read what there is, and add what is
 * missing. When it ends the kernel keeps all bindings, and the requests that wait.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "config.h"
#include "kernel.h"
#include "log.h"
#include "sas.h"
#include "source.h"
#include "xfrm.h"

/* a source is about to tell of a new SA, most of the time */
#define STRANGER_MS 300

/* between attempts at what failed for want of memory and the like */
#define RETRY_MS 5000

static const struct source_ops *const source_ops[SOURCES] = {
	[SOURCE_STRONGSWAN] = &strongswan_source,
	[SOURCE_LIBRESWAN] = &libreswan_source,
};

static struct {
	const char *path;
	bool path_given;
	struct config *config;
	struct source *source[SOURCES];
	int signals;
	int64_t strangers_at;
	int64_t reconcile_at;
	bool list_again;
	bool lost;
	bool stop;
} agent = {
	.path = CONFIG_PATH,
	.strangers_at = INT64_MAX,
	.reconcile_at = INT64_MAX,
};

static void resync(void)
{
	size_t i;

	for (i = 0; i < SOURCES; i++)
		if (agent.source[i])
			source_ops[i]->resync(agent.source[i]);
}

/* Read what there is, and add what is missing. */
static void reconcile(void)
{
	int err = 0;

	agent.reconcile_at = INT64_MAX;
	if (agent.list_again) {
		err = xfrm_list();
		if (!err)
			agent.list_again = false;
	}
	if (!err)
		err = sas_reconcile();
	if (err == -ENOPROTOOPT)
		return;
	if (err) {
		log_event(LOG_LEVEL_ERROR, "the kernel cannot be told: %s", strerror(-err));
		agent.reconcile_at = now_ms() + RETRY_MS;
	}
}

static void start_over(void)
{
	agent.list_again = true;
	reconcile();
	resync();
}

/* -------------------------------------------------------------------- requests */

static const char *choose(size_t source)
{
	if (!agent.source[source])
		return "";
	return source_ops[source]->choose(agent.source[source]);
}

static void negotiate(size_t source, const struct target *target, uint32_t timeout_ms)
{
	source_ops[source]->negotiate(agent.source[source], target, timeout_ms);
}

static const struct requests_ops requests_ops = {
	.result = kernel_result,
	.sources = SOURCES,
	.choose = choose,
	.negotiate = negotiate,
};

/* ------------------------------------------------------------------------- news */

/* May be called in the midst of what a source does, so it only listens. */
static void xfrm_news(void)
{
	bool news = false;
	int err;

	err = xfrm_read(&news);
	if (err == -ENOBUFS) {
		agent.lost = true;
	} else if (err) {
		log_event(LOG_LEVEL_ERROR, "xfrm: %s", strerror(-err));
		exit(EXIT_FAILURE);
	}
	if (news && agent.strangers_at == INT64_MAX)
		agent.strangers_at = now_ms() + STRANGER_MS;
}

static void on_xfrm(void)
{
	xfrm_news();
	if (!agent.lost)
		return;
	log_event(LOG_LEVEL_NOTICE, "news of SAs was lost");
	agent.lost = false;
	start_over();
}

/* SAs that no source has told of: one may have missed that they moved. */
static void on_strangers(void)
{
	agent.strangers_at = INT64_MAX;
	if (sas_strangers())
		resync();
}

/* ---------------------------------------------------------------- configuration */

static void sources_apply(void)
{
	size_t i;

	for (i = 0; i < SOURCES; i++) {
		const struct source_ops *ops = source_ops[i];
		bool wanted = ops->wanted(agent.config);

		if (agent.source[i] && wanted) {
			ops->reload(agent.source[i], agent.config);
		} else if (agent.source[i]) {
			ops->close(agent.source[i]);
			agent.source[i] = NULL;
		} else if (wanted) {
			agent.source[i] = ops->open(agent.config);
		}
	}
}

static void reload(void)
{
	struct config *config = config_read(agent.path, agent.path_given), *old = agent.config;

	if (!config) {
		log_event(LOG_LEVEL_ERROR, "%s has a mistake, nothing was changed", agent.path);
		return;
	}
	log_notify("RELOADING=1");
	agent.config = config;
	log_level_set(config->log_level);
	requests_config(config);
	sources_apply();
	config_free(old);
	start_over();
	log_event(LOG_LEVEL_NOTICE, "configuration read again");
	log_notify("READY=1");
}

/* ----------------------------------------------------------------------- loop */

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signals(void)
{
	struct signalfd_siginfo info;

	while (read(agent.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload();
		else
			agent.stop = true;
	}
}

static void earlier(int64_t *deadline, int64_t other)
{
	if (other < *deadline)
		*deadline = other;
}

static int timeout_ms(void)
{
	int64_t deadline = INT64_MAX, now = now_ms();
	size_t i;

	earlier(&deadline, agent.strangers_at);
	earlier(&deadline, agent.reconcile_at);
	earlier(&deadline, requests_deadline());
	for (i = 0; i < SOURCES; i++)
		if (agent.source[i])
			earlier(&deadline, source_ops[i]->deadline(agent.source[i]));
	if (agent.lost)
		return 0;
	if (deadline == INT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	return deadline - now < 1000000 ? deadline - now : 1000000;
}

static void on_time(void)
{
	int64_t now = now_ms();
	size_t i;

	if (agent.reconcile_at <= now)
		reconcile();
	if (agent.strangers_at <= now)
		on_strangers();
	requests_tick();
	for (i = 0; i < SOURCES; i++)
		if (agent.source[i] && source_ops[i]->deadline(agent.source[i]) <= now)
			source_ops[i]->tick(agent.source[i]);
}

enum {
	POLL_SIGNALS,
	POLL_XFRM,
	POLL_KERNEL,
	POLL_REQUESTS,
	POLL_SOURCES,
};

static void wait_once(void)
{
	struct pollfd fds[POLL_SOURCES + SOURCES] = {
		[POLL_SIGNALS] = { .fd = agent.signals, .events = POLLIN },
		[POLL_XFRM] = { .fd = xfrm_fd(), .events = POLLIN },
		[POLL_KERNEL] = { .fd = kernel_fd(), .events = POLLIN },
		[POLL_REQUESTS] = { .fd = kernel_requests_fd(), .events = POLLIN },
	};
	struct pollfd *fd;
	size_t i;

	for (i = 0; i < SOURCES; i++) {
		fds[POLL_SOURCES + i].fd = -1;
		if (agent.source[i]) {
			fds[POLL_SOURCES + i].fd = source_ops[i]->fd(agent.source[i]);
			fds[POLL_SOURCES + i].events = source_ops[i]->events(agent.source[i]);
		}
	}
	if (poll(fds, POLL_SOURCES + SOURCES, timeout_ms()) < 0)
		return;
	/* always, since an SA must be known before a source tells of it */
	on_xfrm();
	if (fds[POLL_KERNEL].revents && kernel_read()) {
		reconcile();
		requests_forget();
		kernel_requests_listen();
	}
	if (fds[POLL_REQUESTS].revents)
		kernel_requests_read();
	for (i = 0; i < SOURCES; i++) {
		fd = &fds[POLL_SOURCES + i];
		if (fd->revents && agent.source[i] &&
		    source_ops[i]->fd(agent.source[i]) == fd->fd)
			source_ops[i]->ready(agent.source[i]);
	}
	on_time();
	/* last, since the sources may be others afterwards */
	if (fds[POLL_SIGNALS].revents)
		on_signals();
}

static int start(void)
{
	int err;

	agent.signals = signals_open();
	if (agent.signals < 0) {
		log_event(LOG_LEVEL_ERROR, "signals: %m");
		return EXIT_FAILURE;
	}
	err = kernel_open();
	if (err) {
		log_event(LOG_LEVEL_ERROR, "generic netlink: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	err = xfrm_open();
	if (err) {
		log_event(LOG_LEVEL_ERROR, "xfrm: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	sas_init(&kernel_ops, xfrm_news);
	agent.list_again = true;
	reconcile();
	/* those that are there already will be told of */
	sas_strangers();
	requests_init(&requests_ops);
	requests_config(agent.config);
	sources_apply();
	kernel_requests_listen();
	return EXIT_SUCCESS;
}

static void stop(void)
{
	size_t i;

	log_notify("STOPPING=1");
	/* before sources lose what is asked of them: the next agent will ask again */
	requests_exit();
	for (i = 0; i < SOURCES; i++)
		if (agent.source[i])
			source_ops[i]->close(agent.source[i]);
	sas_exit();
	xfrm_close();
	kernel_close();
	close(agent.signals);
	config_free(agent.config);
}

/* ------------------------------------------------------------------- arguments */

static void usage(FILE *to)
{
	fputs("usage: ipsec-tokend [-c FILE] [--check-config]\n"
	      "\n"
	      "Tell the kernel module ipsec_token who is behind each SA, and have SAs\n"
	      "negotiated that applications require.\n"
	      "\n"
	      "  -c, --config FILE   read FILE instead of " CONFIG_PATH "\n"
	      "      --check-config  read it, say what is wrong with it, and end\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "It stays in the foreground and logs to standard error.\n", to);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool check = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			agent.path = optarg;
			agent.path_given = true;
			break;
		case 'k':
			check = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	agent.config = config_read(agent.path, agent.path_given || check);
	if (!agent.config)
		return EXIT_FAILURE;
	if (check) {
		config_free(agent.config);
		return EXIT_SUCCESS;
	}
	log_level_set(agent.config->log_level);

	status = start();
	if (status)
		return status;
	log_event(LOG_LEVEL_NOTICE, "started, %zu SAs", sas_count());
	log_notify("READY=1");
	while (!agent.stop)
		wait_once();
	log_event(LOG_LEVEL_NOTICE, "stopped");
	stop();
	return EXIT_SUCCESS;
}
