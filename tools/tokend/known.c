// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys that peers were first seen with: a file of lines
 *
 *	TYPE ID KEY TIME
 *
 * with the number of the IKE identity's type, the identity with everything but
 * letters, digits and .-_:@ as %XX, the pubKeyID, and when it was seen first.
 *
 * The file is read each time, so that others may change it. It is replaced as
 * a whole, and is on the disk before the new name stands for it. A line that is
 * not understood makes the whole file unusable rather than a peer new.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "known.h"
#include "log.h"

static char *escape(const char *id)
{
	char *text = xcalloc(3, strlen(id) + 1), *to = text;

	/* no name at all is a name too */
	if (!*id)
		*to = '%';
	for (; *id; id++) {
		if ((isalnum((unsigned char)*id) && !(*id & 0x80)) || strchr(".-_:@", *id))
			*to++ = *id;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*id);
	}
	return text;
}

/* Whether a line is of this peer, and with which key since when; false if it is no line. */
static bool line_read(char *line, uint8_t id_type, const char *id, const char **key,
		      int64_t *since, bool *is)
{
	char *save, *type, *name, *time;

	*is = false;
	line[strcspn(line, "\n")] = '\0';
	type = strtok_r(line, " ", &save);
	if (!type || *type == '#')
		return true;
	name = strtok_r(NULL, " ", &save);
	*key = strtok_r(NULL, " ", &save);
	time = strtok_r(NULL, " ", &save);
	if (!name || !*key || !time || strtok_r(NULL, " ", &save) ||
	    type[strspn(type, "0123456789")])
		return false;
	*since = strtoll(time, NULL, 10);
	*is = atoi(type) == id_type && !strcmp(name, id);
	return true;
}

static enum known search(FILE *file, uint8_t id_type, const char *id, const char *pubkey_id,
			 int64_t before)
{
	enum known known = KNOWN_NEW;
	const char *key = NULL;
	char *line = NULL;
	int64_t since = 0;
	size_t size = 0;
	bool is = false;

	while (!is && known == KNOWN_NEW && getline(&line, &size, file) >= 0) {
		if (!line_read(line, id_type, id, &key, &since, &is))
			known = KNOWN_ERROR;
		else if (is && strcmp(key, pubkey_id))
			known = KNOWN_CHANGED;
		else if (is && since < before)
			known = KNOWN_SEEN;
	}
	free(line);
	return ferror(file) ? KNOWN_ERROR : known;
}

static bool copy(FILE *from, FILE *to)
{
	char buf[4096];
	size_t len;

	rewind(from);
	while ((len = fread(buf, 1, sizeof(buf), from)))
		if (fwrite(buf, 1, len, to) != len)
			return false;
	return !ferror(from);
}

static void sync_directory(const char *path)
{
	char *directory = xstrdup(path), *slash = strrchr(directory, '/');
	int fd;

	if (slash)
		slash[slash == directory] = '\0';
	fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(directory);
}

/* The file as it was, and one line more. */
static bool add(const char *path, FILE *old, uint8_t id_type, const char *id,
		const char *pubkey_id)
{
	char *next = xprintf("%s.new", path);
	FILE *file = NULL;
	bool good = false;
	int fd;

	unlink(next);
	fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		file = fdopen(fd, "w");
	if (file) {
		good = (!old || copy(old, file)) &&
		       fprintf(file, "%u %s %s %lld\n", id_type, id, pubkey_id,
			       (long long)time(NULL)) > 0 &&
		       !fflush(file) && !fsync(fd);
		good = !fclose(file) && good;
	}
	good = good && !rename(next, path);
	if (!good) {
		log_event(LOG_LEVEL_ERROR, "%s: %m", path);
		unlink(next);
	} else {
		sync_directory(path);
	}
	free(next);
	return good;
}

/* Who changes the file holds this, so that no line is lost between two. */
static int lock(const char *path)
{
	char *name = xprintf("%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && flock(fd, LOCK_EX)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		log_event(LOG_LEVEL_ERROR, "%s: %m", name);
	free(name);
	return fd;
}

static enum known look(const char *path, FILE *file, uint8_t id_type, const char *name,
		       const char *pubkey_id, int64_t before)
{
	enum known known = KNOWN_NEW;

	if (file)
		known = search(file, id_type, name, pubkey_id, before);
	else if (errno != ENOENT)
		known = KNOWN_ERROR;
	if (known == KNOWN_ERROR)
		log_event(LOG_LEVEL_ERROR, "%s cannot be read", path);
	return known;
}

/**
 * known_look() - was this peer seen before, and with this key?
 * @path: of the file
 * @id_type: type of its IKE identity
 * @id: its IKE identity
 * @pubkey_id: of the key that it has now
 * @before: what was seen in this second or later does not count
 *
 * Return: enum known.
 */
enum known known_look(const char *path, uint8_t id_type, const char *id, const char *pubkey_id,
		      int64_t before)
{
	char *name = escape(id);
	FILE *file = fopen(path, "re");
	enum known known = look(path, file, id_type, name, pubkey_id, before);

	if (file)
		fclose(file);
	free(name);
	return known;
}

/**
 * known_check() - was this peer seen at any time? From now on it was
 * @path: of the file
 * @id_type: type of its IKE identity
 * @id: its IKE identity
 * @pubkey_id: of the key that it has now
 *
 * A new peer is added. A key that has changed is not: an administrator must
 * have the old one forgotten.
 *
 * Return: enum known.
 */
enum known known_check(const char *path, uint8_t id_type, const char *id, const char *pubkey_id)
{
	char *name = escape(id);
	int guard = lock(path);
	enum known known;
	FILE *file;

	if (guard < 0) {
		free(name);
		return KNOWN_ERROR;
	}
	file = fopen(path, "re");
	known = look(path, file, id_type, name, pubkey_id, INT64_MAX);
	if (known == KNOWN_NEW && !add(path, file, id_type, name, pubkey_id))
		known = KNOWN_ERROR;
	if (file)
		fclose(file);
	close(guard);
	free(name);
	return known;
}
