// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsec-token run: a program, all of whose connections are protected as required.
 *
 * The requirement is of a control group, so that it holds for whatever the program
 * starts, however it is linked. A child of this process makes it hold and becomes
 * the program, while this process stays outside, and removes the group in the end.
 * Where anything fails, the program is not started.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "command.h"
#include "require.h"

#define TIMEOUT_MAX_SECONDS (IPSEC_REQUEST_MAX_TIMEOUT / 1000)

/**
 * struct run - what the command line says
 * @requirement: what is required
 * @request: the same, for the kernel
 * @timeout: seconds for a negotiation, 0: the kernel's default
 * @parent: control group to make another one in, NULL: that of this process
 * @inherit: the program may have sockets that nothing is required of
 * @program: what to run, with its arguments
 */
struct run {
	struct requirement requirement;
	struct ipsec_request *request;
	unsigned int timeout;
	const char *parent;
	bool inherit;
	char **program;
};

/* -------------------------------------------------------------- command line */

enum run_choice {
	RUN_TIMEOUT = REQUIRE_OPTIONS_END,
	RUN_CGROUP,
	RUN_LOOPBACK,
	RUN_NO_LOOPBACK,
	RUN_INHERIT,
};

static int take_option(struct run *run, int option, const char *value)
{
	uint64_t number;

	if (require_is(option))
		return require_take(&run->requirement, option, value);
	switch (option) {
	case RUN_TIMEOUT:
		if (number_read(value, TIMEOUT_MAX_SECONDS, &number) || !number)
			return usage("--timeout: \"%s\" is no number from 1 to %d", value,
				     TIMEOUT_MAX_SECONDS);
		run->timeout = number;
		return EXIT_OK;
	case RUN_CGROUP:
		run->parent = value;
		return EXIT_OK;
	case RUN_LOOPBACK:
		run->requirement.flags |= IPSEC_REQUEST_F_LOOPBACK;
		return EXIT_OK;
	case RUN_NO_LOOPBACK:
		run->requirement.flags &= ~IPSEC_REQUEST_F_LOOPBACK;
		return EXIT_OK;
	case RUN_INHERIT:
		run->inherit = true;
		return EXIT_OK;
	default:	/* getopt_long() has said why */
		return EXIT_USAGE;
	}
}

static int run_options(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {
		REQUIRE_OPTIONS,
		{ "timeout", required_argument, NULL, RUN_TIMEOUT },
		{ "cgroup", required_argument, NULL, RUN_CGROUP },
		{ "loopback", no_argument, NULL, RUN_LOOPBACK },
		{ "no-loopback", no_argument, NULL, RUN_NO_LOOPBACK },
		{ "inherit", no_argument, NULL, RUN_INHERIT },
		{ }
	};
	int option;

	/* it skips the first word, as if that were the program's name */
	argc++, argv--;
	optind = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (take_option(run, option, optarg))
			return EXIT_USAGE;
	if (optind >= argc)
		return usage("run needs a program to run");
	run->program = argv + optind;
	if (require_complete(&run->requirement) ||
	    require_request(&run->requirement, &run->request))
		return EXIT_USAGE;
	return ipsec_request_set_timeout(run->request, 1000 * run->timeout) ?
	       failed("--timeout: cannot be requested") : EXIT_OK;
}

/* ------------------------------------------------------------ inherited sockets */

/*
 * A socket belongs to the control group of whoever made it. So nothing would be
 * required of one that the program is born with.
 */
static int check_inherited(void)
{
	struct dirent *entry;
	socklen_t len;
	DIR *dir = opendir("/proc/self/fd");
	int fd, domain, ret = EXIT_OK;

	if (!dir)
		return failed("run: /proc/self/fd: %s", strerror(errno));
	while (!ret && (entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		len = sizeof(domain);
		if (*entry->d_name == '.' ||
		    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) ||
		    domain == AF_UNIX || domain == AF_NETLINK)
			continue;
		ret = failed("run: descriptor %d is a socket, and nothing would be required of it "
			     "(close it, or say --inherit)", fd);
	}
	closedir(dir);
	return ret;
}

/* ------------------------------------------------------------------ the program */

/* From then on nothing passes of what it was not made for. */
static int make_hold(const struct run *run, const struct cgroup *cgroup)
{
	struct ipsec *ipsec;
	int err;

	err = ipsec_open(&ipsec);
	if (err)
		return failed("run: %s", ipsec_strerror(err));
	err = ipsec_request_cgroup(ipsec, run->request, cgroup->fd);
	if (err == -EOPNOTSUPP)
		failed("run: the kernel module is too old");
	else if (err)
		failed("run: %s: %s", cgroup->path, ipsec_error(ipsec));
	ipsec_close(ipsec);
	return err ? EXIT_FAILED : EXIT_OK;
}

/* Returns only if it does not become the program. */
static int become_program(const struct run *run, const struct cgroup *cgroup,
			  const sigset_t *signals)
{
	int ret = cgroup_enter(cgroup);

	if (!ret)
		ret = make_hold(run, cgroup);
	if (ret)
		return EXIT_NOT_STARTED;
	sigprocmask(SIG_SETMASK, signals, NULL);
	execvp(run->program[0], run->program);
	return program_failed(run->program[0], errno);
}

/* What somebody sends to this process is meant for the program. */
static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
};

/*
 * Waits for the program. What a terminal sends, the program gets by itself, as one
 * of the same process group; that comes from the kernel, and not from a process.
 */
static int await_program(pid_t pid, const sigset_t *waited)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (sigwaitinfo(waited, &info) > 0 && info.si_signo != SIGCHLD &&
		    info.si_code <= 0)
			kill(pid, info.si_signo);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_program(const struct run *run, const struct cgroup *cgroup)
{
	sigset_t waited, signals;
	size_t i;
	pid_t pid;

	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	for (i = 0; i < IPSEC_ARRAY_SIZE(passed_on); i++)
		sigaddset(&waited, passed_on[i]);
	/* whoever ignores it gets no news of a child */
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &waited, &signals);

	pid = fork();
	if (pid < 0) {
		failed("run: %s", strerror(errno));
		return EXIT_NOT_STARTED;
	}
	if (!pid)
		_exit(become_program(run, cgroup, &signals));
	return await_program(pid, &waited);
}

/**
 * run() - ipsec-token run [OPTIONS] -- PROGRAM [ARGUMENTS]
 * @argc: how many arguments
 * @argv: the arguments, behind the word "run"
 *
 * Return: exit code, that of the program if it was started.
 */
int run(int argc, char **argv)
{
	struct run run = { .requirement.flags = IPSEC_REQUEST_F_LOOPBACK };
	struct cgroup cgroup = { .fd = -1 };
	int ret;

	ret = run_options(&run, argc, argv);
	if (!ret && !run.inherit)
		ret = check_inherited();
	if (!ret)
		ret = cgroup_create(&cgroup, run.parent);
	ret = ret ? EXIT_NOT_STARTED : run_program(&run, &cgroup);
	cgroup_remove(&cgroup);
	ipsec_request_free(run.request);
	require_free(&run.requirement);
	return ret;
}
