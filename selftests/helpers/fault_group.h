/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of helpers/fault.c through requests of control groups, which hold for programs
 * that know nothing of them.
 */
#ifndef FAULT_GROUP_H
#define FAULT_GROUP_H

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fault_module.h"
#include "fault_request.h"

#define CGROUPS	"/tmp/fault-cgroup"

static unsigned int groups;	/* made so far */
static bool group_there;

static inline const char *group_path(const char *file)
{
	static char path[64];

	snprintf(path, sizeof(path), CGROUPS "/%u%s", groups, file);
	return path;
}

static inline void group_remove(void)
{
	if (group_there && rmdir(group_path("")))
		err(1, "%s: %s", path_name, group_path(""));
	group_there = false;
}

static inline void group_make(void)
{
	group_remove();
	if (!groups && ((mkdir(CGROUPS, 0755) && errno != EEXIST) ||
			mount("cgroup2", CGROUPS, "cgroup2", 0, NULL)))
		err(1, CGROUPS);
	groups++;
	if (mkdir(group_path(""), 0755))
		err(1, "%s", group_path(""));
	group_there = true;
}

/* In a process that is part of the group, so that all of it goes with that. */
static inline int in_group(int (*what)(void))
{
	pid_t child = fork();
	int status, fd;

	if (!child) {
		fd = open(group_path("/cgroup.procs"), O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			err(1, "%s", group_path("/cgroup.procs"));
		_exit(-what());
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		err(1, "fork");
	return WIFEXITED(status) ? -WEXITSTATUS(status) : CONFUSED;
}

static inline int group_require(void)
{
	int fd = open(group_path(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;
	struct ipsec_request *request = NULL;
	struct ipsec *handle = NULL;

	if (fd < 0 || ipsec_request_new(&request) || ipsec_request_set_words(request, "privacy"))
		err(1, "%s: request", path_name);
	enter(LEFT);
	ret = ipsec_open(&handle);
	return ret ?: ipsec_request_cgroup(handle, request, fd);
}

static inline void before_group(void)
{
	be_loaded();
	group_make();
}

static inline int try_group(void)
{
	return in_group(group_require);
}

static inline void before_in_group(void)
{
	be_loaded();
	sas_fresh();
	group_make();
	if (try_group())
		errx(1, "%s: request of a group", path_name);
}

/*
 * What would leave in clear does not, since there is nobody who negotiates. If it can't
 * be found out that there is nobody, that is waited for.
 */
static inline int group_send(void)
{
	struct sockaddr_in6 to6 = address6(RIGHT, PORT);
	struct sockaddr_in to = address(RIGHT);
	int fd = socket6_of(LEFT, SOCK_DGRAM);

	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to6, sizeof(to6)) == 1)
		return SILENT;
	if (errno != ENOKEY)
		return -errno;
	fd = socket_of(LEFT, SOCK_DGRAM);
	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
		return -errno;
	return status_is(fd, IPSEC_REQUEST_MET);
}

static inline int try_group_send(void)
{
	return in_group(group_send);
}

static inline int group_connect(void)
{
	struct sockaddr_in to = address(RIGHT);
	int listener = socket_of(RIGHT, SOCK_STREAM), ret;

	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1))
		err(1, "%s: listener", path_name);
	connection[LEFT] = socket_of(LEFT, SOCK_STREAM);
	if (connect(connection[LEFT], (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	connection[RIGHT] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection[RIGHT] < 0)
		return -errno;
	ret = required_is(connection[LEFT], IPSEC_REQUEST_F_PRIVACY) ?:
	      required_is(connection[RIGHT], IPSEC_REQUEST_F_PRIVACY) ?:
	      status_is(connection[LEFT], IPSEC_REQUEST_MET) ?:
	      status_is(connection[RIGHT], IPSEC_REQUEST_MET);
	return ret ?: connection_works();
}

static inline int try_group_connect(void)
{
	return in_group(group_connect);
}

#endif /* FAULT_GROUP_H */
