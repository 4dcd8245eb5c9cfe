// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that is run for what it prints. It is started directly, never by a
 * shell, with an environment of its own, nothing to read and nobody to complain
 * to. Nothing waits for it: its output and its end are told by descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "program.h"

#define CHUNK 65536

/**
 * struct program - one that runs, or has ended
 * @pid: of it, 0: it is no more
 * @exit_fd: readable when it has ended
 * @output_fd: what it prints, -1: it has ended that
 * @text: what it has printed
 * @len: size of that
 * @size: room for it
 * @max: more than that is not wanted
 * @error: negative errno, when it is of no use any more
 * @status: as of waitpid()
 */
struct program {
	pid_t pid;
	int exit_fd;
	int output_fd;
	char *text;
	size_t len;
	size_t size;
	size_t max;
	int error;
	int status;
};

static int spawn(const char *const *argv, int output, pid_t *pid)
{
	static char *environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LC_ALL=C", NULL
	};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, pipe;
	int err;

	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &pipe);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawn(pid, argv[0], &actions, &attributes, (char *const *)argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -err;
}

/**
 * program_start() - run a program
 * @argv: path of it, arguments, NULL
 * @max: bytes that it may print
 *
 * Return: the program, or NULL with errno set.
 */
struct program *program_start(const char *const *argv, size_t max)
{
	struct program *program = xcalloc(1, sizeof(*program));
	int fd[2], err;

	program->exit_fd = -1;
	program->output_fd = -1;
	program->max = max;
	err = pipe2(fd, O_CLOEXEC) ? -errno : 0;
	if (!err) {
		program->output_fd = fd[0];
		err = fcntl(fd[0], F_SETFL, O_NONBLOCK) ? -errno : spawn(argv, fd[1],
									 &program->pid);
		close(fd[1]);
	}
	if (err)
		program->pid = 0;
	if (!err) {
		program->exit_fd = pidfd_open(program->pid, 0);
		err = program->exit_fd < 0 ? -errno : 0;
	}
	if (err) {
		program_free(program);
		errno = -err;
		return NULL;
	}
	fcntl(program->exit_fd, F_SETFD, FD_CLOEXEC);
	return program;
}

/**
 * program_output_fd() - what to poll for output
 * @program: that runs
 *
 * Return: the file descriptor, -1: there will be no more.
 */
int program_output_fd(const struct program *program)
{
	return program->output_fd;
}

/**
 * program_exit_fd() - what to poll for its end
 * @program: that runs
 *
 * Return: the file descriptor.
 */
int program_exit_fd(const struct program *program)
{
	return program->exit_fd;
}

static void output_end(struct program *program)
{
	if (program->output_fd >= 0)
		close(program->output_fd);
	program->output_fd = -1;
}

/* Returns whether there may be more at once. */
static bool output_read(struct program *program)
{
	size_t size = program->size;
	ssize_t len;
	char *text;

	if (program->size - program->len < CHUNK) {
		program->size = size ? 2 * size : 2 * CHUNK;
		text = xcalloc(1, program->size);
		if (program->len)
			memcpy(text, program->text, program->len);
		free(program->text);
		program->text = text;
	}
	len = read(program->output_fd, program->text + program->len, CHUNK);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (len < 0)
		program->error = -errno;
	if (len > 0)
		program->len += len;
	if (program->len > program->max)
		program->error = -EFBIG;
	if (program->error)
		program_kill(program);
	if (len <= 0)
		output_end(program);
	return len > 0 && !program->error;
}

static void reap(struct program *program)
{
	if (program->pid && waitpid(program->pid, &program->status, WNOHANG) == program->pid)
		program->pid = 0;
}

/**
 * program_ready() - take in what it prints, and whether it has ended
 * @program: that runs
 *
 * Return: whether it is over.
 */
bool program_ready(struct program *program)
{
	/* in this order, so that nothing is left behind when it has ended */
	reap(program);
	while (program->output_fd >= 0 && output_read(program))
		;
	/* whatever it has started itself may print for ever */
	if (!program->pid)
		output_end(program);
	return !program->pid;
}

/**
 * program_kill() - it takes too long
 * @program: that runs
 *
 * It is over when program_ready() says so.
 */
void program_kill(struct program *program)
{
	if (!program->error)
		program->error = -ETIMEDOUT;
	if (program->pid)
		kill(program->pid, SIGKILL);
	output_end(program);
}

/**
 * program_result() - what came of it
 * @program: that is over
 * @text: set to what it has printed, which need not be text
 * @len: size of that
 *
 * Return: 0; -ETIMEDOUT if it was killed, -EFBIG if it has printed too much,
 * -EIO if it failed.
 */
int program_result(const struct program *program, const char **text, size_t *len)
{
	*text = program->text ? program->text : "";
	*len = program->len;
	if (program->error)
		return program->error;
	return WIFEXITED(program->status) && !WEXITSTATUS(program->status) ? 0 : -EIO;
}

/**
 * program_free() - be done with a program
 * @program: or NULL
 *
 * If it runs, this waits for it to die.
 */
void program_free(struct program *program)
{
	if (!program)
		return;
	if (program->pid) {
		kill(program->pid, SIGKILL);
		while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	output_end(program);
	if (program->exit_fd >= 0)
		close(program->exit_fd);
	free(program->text);
	free(program);
}
