// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsec-token gate: between inetd, or a socket unit, and a server that knows
 * nothing of IPsec. Only a connection that is as required gets to it.
 *
 * This uses nothing but the library, and needs no privilege.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "command.h"
#include "require.h"

/* the first descriptor that systemd passes on */
#define LISTEN_FDS_START 3

#define WAIT_DEFAULT_SECONDS 5
#define WAIT_MAX_SECONDS 3600

#define AUDIT_TEXT_SIZE 8192

/**
 * struct aside - standard error, put aside where it is the connection
 * @connection: the connection, -1: it is not
 * @memory: what is written instead
 *
 * inetd makes the connection standard error as well. A peer is not told why it
 * was refused, still less how this command was misused: the log is.
 */
struct aside {
	int connection;
	int memory;
};

/**
 * struct gate - what the command line says, and what was found out
 * @aside: where messages go
 * @requirement: what is required
 * @program: what to run, with its arguments
 * @fd: the connection, -1: to be found
 * @wait: seconds to wait for an identity, -1: the default
 * @reset: end the connection when its latch breaks
 * @syslog: log what was accepted and refused
 * @attributes: of its protection
 * @peer: who is the peer, NULL: not known
 * @local: as whom it knows this end, NULL: not known
 * @audit: its protection in one line, or empty
 */
struct gate {
	struct aside aside;
	struct requirement requirement;
	char **program;
	int fd;
	int wait;
	bool reset;
	bool syslog;
	struct ipsec_ptoken_attributes attributes;
	struct ipsec_itoken *peer;
	struct ipsec_itoken *local;
	char audit[AUDIT_TEXT_SIZE];
};

/* ------------------------------------------------------------- what is said */

static bool is_inet(int fd)
{
	socklen_t len = sizeof(int);
	int domain;

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       (domain == AF_INET || domain == AF_INET6);
}

static int aside_begin(struct aside *aside)
{
	aside->connection = -1;
	aside->memory = -1;
	if (!is_inet(STDERR_FILENO))
		return EXIT_OK;
	aside->memory = memfd_create("messages", MFD_CLOEXEC);
	aside->connection = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LISTEN_FDS_START);
	if (aside->memory < 0 || aside->connection < 0 ||
	    dup2(aside->memory, STDERR_FILENO) < 0)
		return EXIT_NOT_STARTED;
	return EXIT_OK;
}

static void aside_end(const struct aside *aside)
{
	char line[LINE_MAX];
	FILE *file;

	if (aside->connection < 0)
		return;
	fflush(stderr);
	file = lseek(aside->memory, 0, SEEK_SET) ? NULL : fdopen(aside->memory, "r");
	while (file && fgets(line, sizeof(line), file))
		syslog(LOG_WARNING, "%s", line);
}

/* Who it is, for the log. */
static void peer_name(int fd, char *name, size_t size)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN];

	snprintf(name, size, "somebody");
	if (getpeername(fd, &addr.sa, &len))
		return;
	if (addr.sa.sa_family == AF_INET &&
	    inet_ntop(AF_INET, &addr.in.sin_addr, text, sizeof(text)))
		snprintf(name, size, "%s port %u", text, ntohs(addr.in.sin_port));
	else if (addr.sa.sa_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &addr.in6.sin6_addr, text, sizeof(text)))
		snprintf(name, size, "%s port %u", text, ntohs(addr.in6.sin6_port));
}

static int refuse(const struct gate *gate, const char *why)
{
	char name[INET6_ADDRSTRLEN + 16], safe[2 * UNMET_SIZE];

	peer_name(gate->fd, name, sizeof(name));
	failed("gate: refused %s: %s", name, why);
	/* or else it gets there anyway */
	if (gate->syslog && gate->aside.connection < 0)
		syslog(LOG_WARNING, "refused %s: %s", name, text_safe(why, safe, sizeof(safe)));
	return EXIT_REFUSED;
}

static void log_accepted(const struct gate *gate)
{
	const char *audit = gate->peer ? ipsec_itoken_audit_string(gate->peer) : NULL;
	char name[INET6_ADDRSTRLEN + 16], safe[4 * IPSEC_IDENTITY_MAX_STRING + 1];

	peer_name(gate->fd, name, sizeof(name));
	syslog(LOG_INFO, "accepted %s: %s; %s", name, gate->audit,
	       audit ? text_safe(audit, safe, sizeof(safe)) : "the peer is not known");
}

/* --------------------------------------------------------------- the gate */

enum gate_option {
	GATE_FD = REQUIRE_OPTIONS_END,
	GATE_WAIT,
	GATE_RESET,
	GATE_SYSLOG,
};

static int take_number(const char *name, const char *text, uint64_t max, int *value)
{
	uint64_t number;

	if (number_read(text, max, &number))
		return usage("--%s: \"%s\" is no number up to %llu", name, text,
			     (unsigned long long)max);
	*value = number;
	return EXIT_OK;
}

static int take_option(struct gate *gate, int option, const char *value)
{
	if (require_is(option))
		return require_take(&gate->requirement, option, value);
	switch (option) {
	case GATE_FD:
		return take_number("fd", value, INT_MAX, &gate->fd);
	case GATE_WAIT:
		return take_number("wait", value, WAIT_MAX_SECONDS, &gate->wait);
	case GATE_RESET:
		gate->reset = true;
		return EXIT_OK;
	case GATE_SYSLOG:
		gate->syslog = true;
		return EXIT_OK;
	default:	/* getopt_long() has said why */
		return EXIT_USAGE;
	}
}

static int gate_options(struct gate *gate, int argc, char **argv)
{
	static const struct option options[] = {
		REQUIRE_OPTIONS,
		{ "fd", required_argument, NULL, GATE_FD },
		{ "wait", required_argument, NULL, GATE_WAIT },
		{ "reset", no_argument, NULL, GATE_RESET },
		{ "syslog", no_argument, NULL, GATE_SYSLOG },
		{ }
	};
	int option;

	/* it skips the first word, as if that were the program's name */
	argc++, argv--;
	optind = 0;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (take_option(gate, option, optarg))
			return EXIT_USAGE;
	if (optind >= argc)
		return usage("gate needs a program to run");
	gate->program = argv + optind;
	return require_complete(&gate->requirement);
}

/* As sd_listen_fds(3) would find it, or else inetd's. */
static int find_connection(struct gate *gate)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t number;

	if (gate->fd >= 0)
		return EXIT_OK;
	gate->fd = STDIN_FILENO;
	if (!pid || !fds || number_read(pid, INT_MAX, &number) || number != (uint64_t)getpid())
		return EXIT_OK;
	if (strcmp(fds, "1"))
		return failed("gate: LISTEN_FDS is %s: only one descriptor is looked at, "
			      "see --fd", fds);
	gate->fd = LISTEN_FDS_START;
	return EXIT_OK;
}

/* Nothing is looked at that would not hold for all that comes later. */
static int check_connection(const struct gate *gate)
{
	socklen_t len = sizeof(int);
	int type;

	if (getsockopt(gate->fd, SOL_SOCKET, SO_TYPE, &type, &len))
		return failed("gate: descriptor %d: %s", gate->fd, strerror(errno));
	if (!is_inet(gate->fd) || type != SOCK_STREAM)
		return failed("gate: descriptor %d is no TCP connection", gate->fd);
	return EXIT_OK;
}

/* Who is the peer, as far as that is known, and needs to be */
static int find_peer(struct gate *gate, struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	int wait = gate->wait;
	int err;

	if (wait < 0)
		wait = require_identity(&gate->requirement) ? WAIT_DEFAULT_SECONDS : 0;
	err = ipsec_ptoken_itoken_wait(ipsec, ptoken, 1000 * wait, &gate->peer);
	if (err == -ETIMEDOUT || err == -ENOENT)
		return 0;
	if (!err)
		err = ipsec_ptoken_local_itoken(ipsec, ptoken, &gate->local);
	return err == -ENODATA ? 0 : err;
}

/* A connection that nothing keeps to what was found is worth no more than that. */
static int check_latch(const struct gate *gate, char *why)
{
	struct ipsec_latch latch;
	int err;

	err = ipsec_latch_get(gate->fd, &latch);
	if (!err && latch.state != IPSEC_LATCH_ESTABLISHED && latch.state != IPSEC_LATCH_BROKEN) {
		snprintf(why, UNMET_SIZE, "its latch is in state %s",
			 ipsec_latch_state_name(latch.state));
		return EXIT_REFUSED;
	}
	if (!err && gate->reset)
		err = ipsec_latch_set(gate->fd, latch.flags | IPSEC_LATCH_F_RESET);
	return err ? failed("gate: latch: %s", ipsec_strerror(err)) : EXIT_OK;
}

static int examine(struct gate *gate, struct ipsec *ipsec)
{
	char why[UNMET_SIZE] = "";
	ipsec_ptoken_t ptoken;
	int err;

	err = ipsec_ptoken_from_fd(gate->fd, &ptoken);
	if (err == -ENODATA)
		return refuse(gate, "it is not known what protects it");
	if (err)
		return failed("gate: descriptor %d: %s", gate->fd, ipsec_strerror(err));
	if (ptoken == IPSEC_PTOKEN_NONE)
		return refuse(gate, "in clear");

	err = ipsec_ptoken_attributes(ipsec, ptoken, &gate->attributes,
				      sizeof(gate->attributes));
	/* it isn't worth waiting for the peer's name otherwise */
	if (!err && !require_attributes_met(&gate->requirement, &gate->attributes, why))
		return refuse(gate, why);
	if (!err)
		err = find_peer(gate, ipsec, ptoken);
	if (!err)
		err = ipsec_ptoken_audit_string(ipsec, ptoken, gate->audit, sizeof(gate->audit));
	if (err < 0)
		return failed("gate: %s", ipsec_error(ipsec));
	if (!require_peer_met(&gate->requirement, gate->peer, why))
		return refuse(gate, why);
	err = check_latch(gate, why);
	return err == EXIT_REFUSED ? refuse(gate, why) : err;
}

static int gate_examine(struct gate *gate)
{
	struct ipsec *ipsec;
	int err;

	err = find_connection(gate);
	if (!err)
		err = check_connection(gate);
	if (err)
		return err;
	err = ipsec_open(&ipsec);
	if (err)
		return failed("gate: %s", ipsec_strerror(err));
	err = examine(gate, ipsec);
	ipsec_close(ipsec);
	return err;
}

/* Returns only if it cannot be run. */
static int gate_open(struct gate *gate)
{
	const struct aside *aside = &gate->aside;
	int err;

	environment_clear();
	err = environment_tell(&gate->attributes, gate->audit, gate->peer, gate->local);
	if (err)
		return failed("gate: environment: %s", strerror(-err));
	if (gate->syslog)
		log_accepted(gate);
	if (aside->connection >= 0 && dup2(aside->connection, STDERR_FILENO) < 0)
		return failed("gate: standard error: %s", strerror(errno));
	execvp(gate->program[0], gate->program);
	err = errno;
	if (aside->connection >= 0)
		dup2(aside->memory, STDERR_FILENO);
	return program_failed(gate->program[0], err);
}

/**
 * gate() - ipsec-token gate [OPTIONS] -- PROGRAM [ARGUMENTS]
 * @argc: how many arguments
 * @argv: the arguments, behind the word "gate"
 *
 * Return: exit code, unless the program was started.
 */
int gate(int argc, char **argv)
{
	struct gate gate = { .fd = -1, .wait = -1 };
	int ret;

	openlog("ipsec-token", LOG_PID, LOG_AUTHPRIV);
	ret = aside_begin(&gate.aside);
	if (!ret)
		ret = gate_options(&gate, argc, argv);
	if (!ret)
		ret = gate_examine(&gate);
	if (!ret)
		ret = gate_open(&gate);
	aside_end(&gate.aside);
	require_free(&gate.requirement);
	ipsec_itoken_free(gate.peer);
	ipsec_itoken_free(gate.local);
	/* of the others a script could not tell whose they are */
	return ret == EXIT_FAILED || ret == EXIT_USAGE ? EXIT_NOT_STARTED : ret;
}
