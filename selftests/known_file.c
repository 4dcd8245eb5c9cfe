// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of known keys, with several agents and administrators at it at once,
 * some of whom are killed: nothing is lost, nothing comes back, and who reads it
 * never sees half of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tools/tokend/known.h"
#include "../tools/tokend/log.h"

#define AGENTS	4
#define ADMINS	3
#define EACH	30
#define KILLS	40

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

static char *path;

static const char *name(const char *kind, int who, int i)
{
	static char text[64];

	/* with what must be escaped */
	snprintf(text, sizeof(text), "%s %d%%%d\n", kind, who, i);
	return text;
}

static bool is_id(const struct known_peer *peer, void *data)
{
	return !strcmp(peer->id, data);
}

static int forget(const char *id)
{
	unsigned int line;
	size_t removed;

	return known_remove(path, is_id, (void *)id, &removed, &line);
}

/* How many lines there are of a peer; -1: the file cannot be read. */
static int count(const char *id)
{
	struct known_peer *peers, *peer;
	unsigned int line;
	int n = 0;

	if (known_read(path, &peers, &line))
		return -1;
	for (peer = peers; peer; peer = peer->next)
		n += !id || !strcmp(peer->id, id);
	known_free(peers);
	return n;
}

/* Run in a process of its own; it ends with 0 if all was as expected. */
static pid_t start(void (*run)(int who), int who)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	failures = 0;
	run(who);
	fflush(stdout);
	_exit(!!failures);
}

static bool ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* ------------------------------------------------------------------------ at once */

static void agent(int who)
{
	int i;

	for (i = 0; i < EACH; i++) {
		EXPECT(known_check(path, 2, name("agent", who, i), "key") == KNOWN_NEW);
		EXPECT(known_check(path, 2, name("agent", who, i), "key") == KNOWN_SEEN);
	}
}

/* The command itself. */
static int command_forget(const char *id)
{
	const char *build = getenv("BUILD");
	char *command = xprintf("%s/tools/ipsec-token", build ? build : "build");
	int status;
	pid_t pid = fork();

	if (!pid) {
		execl(command, command, "known", "forget", "id", id, "file", path, NULL);
		_exit(127);
	}
	free(command);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void admin(int who)
{
	int i;

	for (i = 0; i < EACH; i++)
		EXPECT(!(who || i % 4 ? forget(name("admin", who, i)) :
					command_forget(name("admin", who, i))));
}

static void reader(int who)
{
	struct timespec now, end;
	unsigned int rounds = 0;

	(void)who;
	clock_gettime(CLOCK_MONOTONIC, &end);
	do {
		EXPECT(count(NULL) >= 0);
		EXPECT(count(name("stays", 0, 0)) == 1);
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec + 2);
	EXPECT(rounds > 10);
}

static void test_at_once(void)
{
	pid_t pids[AGENTS + ADMINS + 1];
	int who, i, n = 0;
	struct stat st;

	EXPECT(known_check(path, 2, name("stays", 0, 0), "key") == KNOWN_NEW);
	for (who = 0; who < ADMINS; who++)
		for (i = 0; i < EACH; i++)
			EXPECT(known_check(path, 2, name("admin", who, i), "key") == KNOWN_NEW);
	for (who = 0; who < AGENTS; who++)
		pids[n++] = start(agent, who);
	for (who = 0; who < ADMINS; who++)
		pids[n++] = start(admin, who);
	pids[n++] = start(reader, 0);
	while (n)
		EXPECT(ended_well(pids[--n]));

	for (who = 0; who < AGENTS; who++)
		for (i = 0; i < EACH; i++)
			EXPECT(count(name("agent", who, i)) == 1);
	for (who = 0; who < ADMINS; who++)
		for (i = 0; i < EACH; i++)
			EXPECT(count(name("admin", who, i)) == 0);
	EXPECT(count(NULL) == 1 + AGENTS * EACH);
	EXPECT(!stat(path, &st) && (st.st_mode & 07777) == 0600);
}

/* -------------------------------------------------------------------------- killed */

static void busy(int who)
{
	int i;

	for (i = 0;; i++) {
		known_check(path, 2, name("busy", who, i), "key");
		forget(name("busy", who, i));
	}
}

static void test_killed(void)
{
	char *new = xprintf("%s.new", path);
	pid_t pid;
	int i;

	for (i = 0; i < KILLS; i++) {
		pid = start(busy, i);
		usleep(1000 + 997 * i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		/* its lock went with it, and the file is whole */
		EXPECT(known_check(path, 2, name("stays", 0, 0), "key") == KNOWN_SEEN);
		EXPECT(known_check(path, 2, name("after", 0, i), "key") == KNOWN_NEW);
	}
	for (i = 0; i < AGENTS * EACH; i++)
		EXPECT(count(name("agent", i / EACH, i % EACH)) == 1);
	for (i = 0; i < KILLS; i++)
		EXPECT(count(name("after", 0, i)) == 1);
	EXPECT(access(new, F_OK) && errno == ENOENT);
	free(new);
}

/* ------------------------------------------------------------------------ in the way */

static void waits_as_agent(int who)
{
	(void)who;
	EXPECT(known_check(path, 2, name("stays", 0, 0), "key") == KNOWN_ERROR);
}

static void waits_as_admin(int who)
{
	(void)who;
	EXPECT(forget(name("stays", 0, 0)) == -ETIMEDOUT);
}

/* Somebody who was stopped with the lock does not stop the agent. */
static void test_stopped(void)
{
	char *lock = xprintf("%s.lock", path);
	int fd = open(lock, O_RDWR | O_CLOEXEC);
	pid_t first, second;

	EXPECT(fd >= 0 && !flock(fd, LOCK_EX));
	first = start(waits_as_agent, 0);
	second = start(waits_as_admin, 0);
	EXPECT(ended_well(first) && ended_well(second));
	close(fd);
	EXPECT(count(name("stays", 0, 0)) == 1);
	free(lock);
}

static void put(const char *file, const char *text)
{
	FILE *to = fopen(file, "w");

	EXPECT(to && fputs(text, to) >= 0 && !fclose(to));
}

/* Links that lead elsewhere are not followed, and what they lead to stays. */
static void test_links(void)
{
	char *victim = xprintf("%s.victim", path), *new = xprintf("%s.new", path);
	char *other = xprintf("%s.other", path), *lock = xprintf("%s.lock", other);
	char text[16] = "";
	struct stat st;
	FILE *file;

	put(victim, "precious");
	EXPECT(!symlink(victim, new) && !symlink(victim, lock));
	EXPECT(known_check(path, 2, "linked", "key") == KNOWN_NEW);
	EXPECT(known_check(other, 2, "linked", "key") == KNOWN_ERROR);
	file = fopen(victim, "r");
	EXPECT(file && fgets(text, sizeof(text), file) && !strcmp(text, "precious"));
	if (file)
		fclose(file);
	EXPECT(access(other, F_OK) && !lstat(path, &st) && S_ISREG(st.st_mode));
	free(victim);
	free(new);
	free(other);
	free(lock);
}

/* ----------------------------------------------------------------------------- lines */

static void test_lines(void)
{
	static const char *const bad[] = {
		"2 peer key\n", "2 peer key 1 x\n", "x peer key 1\n", "256 peer key 1\n",
		"-2 peer key 1\n", "2 pe%er key 1\n", "2 %70eer key 1\n", "2 %zz key 1\n",
		"2 %2 key 1\n", "2 p\xc3\xbc key 1\n", "2 peer key 1x\n", "2 peer key -1\n",
		"2 peer\n", "2\n", "2 peer key 99999999999999999999\n",
	};
	struct known_peer *peers;
	unsigned int line;
	size_t i, removed;
	char *text;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		text = xprintf("# comment\n\n2 good key 1\n%s", bad[i]);
		put(path, text);
		/* whoever is asked for, wherever the mistake is */
		EXPECT(known_check(path, 2, "good", "key") == KNOWN_ERROR);
		EXPECT(known_check(path, 2, "new", "key") == KNOWN_ERROR);
		EXPECT(known_read(path, &peers, &line) == -EBADMSG && line == 4 && !peers);
		EXPECT(known_remove(path, is_id, "good", &removed, &line) == -EBADMSG &&
		       line == 4 && !removed);
		free(text);
	}

	/* as an editor may leave it; comments stay */
	put(path, "# comment\n2 one key 1\n2 two key 2");
	EXPECT(known_check(path, 2, "three", "key") == KNOWN_NEW);
	EXPECT(known_check(path, 2, "two", "key") == KNOWN_SEEN);
	EXPECT(!forget("one") && count(NULL) == 2 && forget("one") == -ENOENT);
	text = xprintf("grep -qx '# comment' %s", path);
	EXPECT(!system(text));
	free(text);
	/* and seen for the first time is what it is next */
	EXPECT(known_check(path, 2, "one", "other") == KNOWN_NEW);
	EXPECT(known_check(path, 2, "one", "key") == KNOWN_CHANGED);
}

static const struct {
	void (*run)(void);
	const char *text;
} tests[] = {
	{ test_at_once, "agents and administrators at once" },
	{ test_killed, "killed at any time" },
	{ test_stopped, "stopped with the lock" },
	{ test_links, "links in the way" },
	{ test_lines, "lines that are none, and comments" },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

/* By the words in their texts, or all of them. */
static bool is_asked_for(const char *text, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strstr(text, argv[i]))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	/* where it is quick that all is on the disk, if there is such a place */
	char *directory = xprintf("%s/known_file.XXXXXX",
				  access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm"), *command;
	unsigned int failed = 0;
	size_t i;

	if (!mkdtemp(directory))
		return 1;
	path = xprintf("%s/known-keys", directory);
	log_level_set(0);
	printf("KTAP version 1\n1..%zu\n", TESTS);
	for (i = 0; i < TESTS; i++) {
		if (!is_asked_for(tests[i].text, argc, argv))
			continue;
		failures = 0;
		tests[i].run();
		printf("%sok %zu %s\n", failures ? "not " : "", i + 1, tests[i].text);
		failed += !!failures;
	}
	command = xprintf("rm -r %s", directory);
	if (system(command))
		failed++;
	return !!failed;
}
