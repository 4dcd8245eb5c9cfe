// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control groups (version 2): a new one for a program, below that of the caller.
 *
 * Where a group has controllers for its members it can't have processes of its
 * own as well as below it. A group that the caller is in has none, and the new one
 * gets none, so that nothing is in the way.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "cgroup.h"
#include "command.h"

/* so often the name of a new one may be taken already */
#define NAMES_MAX 100

/* Undoes the \ooo of the kernel's lists of mounts. */
static void unescape(char *text)
{
	unsigned int byte;
	char *to = text;
	int len;

	while (*text) {
		if (*text == '\\' && sscanf(text + 1, "%3o%n", &byte, &len) == 1) {
			*to++ = byte;
			text += 1 + len;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* Where a cgroup2 file system is mounted as a whole, as this process sees it. */
static int find_mount(char *mount)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char root[PATH_MAX], line[4 * PATH_MAX];
	const char *type;
	int found = 0;

	while (file && !found && fgets(line, sizeof(line), file)) {
		type = strstr(line, " - ");
		found = type && !strncmp(type, " - cgroup2 ", 11) &&
			sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) == 2 &&
			!strcmp(root, "/");
	}
	if (file)
		fclose(file);
	unescape(mount);
	return found;
}

/* The one that this process is in, relative to that. */
static int find_own(char *path)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 8];
	int found = 0;

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		found = strlen(line + 3) < PATH_MAX;
		if (found)
			strcpy(path, line + 3);
	}
	if (file)
		fclose(file);
	return found;
}

static int find_parent(char *parent)
{
	char mount[PATH_MAX] = "", own[PATH_MAX] = "";

	if (!find_own(own) || !find_mount(mount))
		return failed("cgroup: there are no control groups of version 2 here");
	/* outside of the part that can be seen, in a namespace of cgroups */
	if (!strncmp(own, "/..", 3))
		return failed("cgroup: that of this process is out of sight");
	if (snprintf(parent, PATH_MAX, "%s%s", mount, strcmp(own, "/") ? own : "") >= PATH_MAX)
		return failed("cgroup: the path of that of this process is too long");
	return EXIT_OK;
}

static const char *advice(int err)
{
	if (err == EACCES || err == EPERM)
		return " (not yours; \"systemd-run --user --scope -p Delegate=yes ...\" gives a "
		       "program one that is)";
	if (err == EROFS)
		return " (read-only here, as in containers)";
	return "";
}

/* One that daemons are left in may have the name of a process that was before. */
static int make_below(struct cgroup *cgroup, const char *parent)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < NAMES_MAX; i++) {
		if (snprintf(cgroup->path, PATH_MAX, "%s/ipsec-token-run-%d.%u", parent,
			     getpid(), i) >= PATH_MAX) {
			err = ENAMETOOLONG;
			break;
		}
		err = mkdir(cgroup->path, 0755) ? errno : 0;
		if (err != EEXIST)
			break;
	}
	if (!err)
		return EXIT_OK;
	*cgroup->path = '\0';
	return failed("cgroup: below %s none can be made: %s%s", parent, strerror(err),
		      advice(err));
}

/**
 * cgroup_create() - make a group for a program
 * @cgroup: to be given to cgroup_remove()
 * @parent: directory of the one to make it in, NULL: that of the caller
 *
 * Return: exit code, after complaining.
 */
int cgroup_create(struct cgroup *cgroup, const char *parent)
{
	char own[PATH_MAX];
	struct statfs fs;

	cgroup->fd = -1;
	*cgroup->path = '\0';
	if (!parent) {
		if (find_parent(own))
			return EXIT_FAILED;
		parent = own;
	}
	if (statfs(parent, &fs))
		return failed("cgroup: %s: %s", parent, strerror(errno));
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return failed("cgroup: %s: is no control group of version 2", parent);
	if (make_below(cgroup, parent))
		return EXIT_FAILED;
	cgroup->fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cgroup->fd < 0 ? failed("cgroup: %s: %s", cgroup->path, strerror(errno)) : EXIT_OK;
}

/**
 * cgroup_enter() - move this process into a group
 * @cgroup: made by cgroup_create()
 *
 * Return: exit code, after complaining.
 */
int cgroup_enter(const struct cgroup *cgroup)
{
	int fd = openat(cgroup->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, "0", 1) != 1 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err ? failed("cgroup: %s: cannot be entered: %s%s", cgroup->path, strerror(err),
			    advice(err)) : EXIT_OK;
}

/**
 * cgroup_remove() - remove a group, unless somebody is left in it
 * @cgroup: made by cgroup_create(), or tried to
 */
void cgroup_remove(struct cgroup *cgroup)
{
	if (cgroup->fd >= 0)
		close(cgroup->fd);
	if (*cgroup->path)
		rmdir(cgroup->path);
	cgroup->fd = -1;
	*cgroup->path = '\0';
}
