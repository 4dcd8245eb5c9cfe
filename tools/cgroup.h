/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control groups (version 2).
 */
#ifndef IPSEC_TOOL_CGROUP_H
#define IPSEC_TOOL_CGROUP_H

#include <limits.h>

/**
 * struct cgroup - one that was made for a program
 * @path: its directory, empty: there is none
 * @fd: its directory, -1: there is none
 */
struct cgroup {
	char path[PATH_MAX];
	int fd;
};

int cgroup_create(struct cgroup *cgroup, const char *parent);
int cgroup_enter(const struct cgroup *cgroup);
void cgroup_remove(struct cgroup *cgroup);

#endif /* IPSEC_TOOL_CGROUP_H */
