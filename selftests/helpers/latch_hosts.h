/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The three hosts of latch.sh, and what one process has on them.
 */
#ifndef LATCH_HOSTS_H
#define LATCH_HOSTS_H

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TIMEOUT		60000	/* milliseconds */
#define LINKS		16

enum host { LEFT, RIGHT, EVIL, HOSTS };

static const char *const host_names[] = { "left", "right", "evil" };

struct link {
	char name[16];		/* free if empty */
	int fd[2];
	int listener;
	struct sockaddr_storage own, peer;	/* of left, with ports */
};

/* What a command is given: the connection that it names, if so, and its words. */
#define COMMAND(name)							\
	static inline void name(struct link *link __attribute__((unused)),	\
				char **arg __attribute__((unused)))

static int netns[HOSTS];
static struct link links[LINKS];
static struct sockaddr_storage addresses[2], outer[2];
static socklen_t length;

static inline const char *error_name(int error)
{
	return strerrorname_np(abs(error));
}

static inline void enter(enum host host)
{
	if (setns(netns[host], CLONE_NEWNET))
		err(1, "setns %s", host_names[host]);
}

static inline void answer(const char *text)
{
	fputs(text, stdout);
}

static inline void answer_error(int error)
{
	answer(error ? error_name(error) : "ok");
}

static inline struct link *link_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < LINKS; i++)
		if (!strcmp(links[i].name, name))
			return &links[i];
	errx(1, "%s: no such connection", *name ? name : "too many");
}

/* Wait, and not in recv(): a segment must not find the socket in use. */
static inline bool readable(int fd, int timeout)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, timeout) == 1;
}

#endif /* LATCH_HOSTS_H */
