// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys that peers were first seen with: a file of lines
 *
 *	TYPE ID KEY TIME
 *
 * with the number of the IKE identity's type, the identity with everything but
 * letters, digits and .-_:@ as %XX (% alone is an empty one), the pubKeyID, and
 * when it was seen first.
 *
 * The agent and the command ipsec-token change it. Who does holds a lock on a
 * file beside it from before the file is read until the new one stands in its
 * place, so that what one of them adds or removes is not undone by the other.
 * Nobody keeps in memory what was in it. The file is replaced as a whole, and is
 * on the disk before the new name stands for it, so who only reads needs no
 * lock. A line that is not understood makes the whole file unusable rather than
 * a peer new.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "known.h"
#include "log.h"

/* others hold the lock for as long as it takes to write the file */
#define LOCK_MS 5000
#define LOCK_STEP_MS 10

/* ---------------------------------------------------------------------- lines */

static bool is_plain(char c)
{
	return (isalnum((unsigned char)c) && !(c & 0x80)) || (c && strchr(".-_:@", c));
}

static char *escape(const char *id)
{
	char *text = xcalloc(3, strlen(id) + 1), *to = text;

	/* no name at all is a name too */
	if (!*id)
		*to = '%';
	for (; *id; id++) {
		if (is_plain(*id))
			*to++ = *id;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*id);
	}
	return text;
}

/* NULL if it was not escaped as above. */
static char *unescape(const char *text)
{
	char *id = xcalloc(1, strlen(text) + 1), *to = id, *again;
	const char *from = text;
	unsigned int c;
	bool good;

	for (; *from; from++) {
		if (*from != '%') {
			*to++ = *from;
		} else if (isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]) &&
			   sscanf(from + 1, "%2x", &c) == 1) {
			*to++ = c;
			from += 2;
		}
	}
	again = escape(id);
	good = !strcmp(again, text);
	free(again);
	if (good)
		return id;
	free(id);
	return NULL;
}

static void peer_free(struct known_peer *peer)
{
	free(peer->id);
	free(peer->pubkey_id);
	free(peer);
}

static bool number(const char *text, int64_t max, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && !errno && *value <= max;
}

/* Whether it is a line; @peer is NULL for one without a peer. */
static bool line_read(const char *text, struct known_peer **peer)
{
	char *line = xstrdup(text), *save, *type, *name, *key, *since;
	int64_t id_type, time = 0;
	char *id = NULL;
	bool good;

	*peer = NULL;
	line[strcspn(line, "\n")] = '\0';
	type = strtok_r(line, " ", &save);
	if (!type || *type == '#') {
		free(line);
		return true;
	}
	name = strtok_r(NULL, " ", &save);
	key = strtok_r(NULL, " ", &save);
	since = strtok_r(NULL, " ", &save);
	good = name && key && since && !strtok_r(NULL, " ", &save) &&
	       number(type, UINT8_MAX, &id_type) && number(since, INT64_MAX, &time);
	if (good)
		id = unescape(name);
	if (id) {
		*peer = xcalloc(1, sizeof(**peer));
		(*peer)->id_type = id_type;
		(*peer)->id = id;
		(*peer)->pubkey_id = xstrdup(key);
		(*peer)->since = time;
	}
	free(line);
	return id;
}

/**
 * struct reader - how far the file was read
 * @file: NULL: there is none, which is as good as an empty one
 * @text: the last line
 * @size: of its memory
 * @line: its number
 * @peer: of that line, NULL: it has none
 * @err: what went wrong
 */
struct reader {
	FILE *file;
	char *text;
	size_t size;
	unsigned int line;
	struct known_peer *peer;
	int err;
};

static void reader_open(struct reader *reader, const char *path)
{
	*reader = (struct reader){ .file = fopen(path, "re") };
	if (!reader->file && errno != ENOENT)
		reader->err = -errno;
}

/* Whether there is another line. */
static bool reader_next(struct reader *reader)
{
	ssize_t len;

	if (reader->peer)
		peer_free(reader->peer);
	reader->peer = NULL;
	if (!reader->file || reader->err)
		return false;
	len = getline(&reader->text, &reader->size, reader->file);
	if (len < 0) {
		reader->err = ferror(reader->file) ? -EIO : 0;
		return false;
	}
	reader->line++;
	if (strlen(reader->text) != (size_t)len || !line_read(reader->text, &reader->peer))
		reader->err = -EBADMSG;
	return !reader->err;
}

static int reader_close(struct reader *reader)
{
	if (reader->peer)
		peer_free(reader->peer);
	free(reader->text);
	if (reader->file)
		fclose(reader->file);
	return reader->err;
}

/* ------------------------------------------------------------------ the new file */

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

/* The name of the new file, NULL if it cannot be written. */
static char *new_open(const char *path, FILE **file)
{
	char *name = xprintf("%s.new", path);
	int fd;

	/* of somebody who was killed */
	unlink(name);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	*file = fd < 0 ? NULL : fdopen(fd, "w");
	if (*file)
		return name;
	free(name);
	return NULL;
}

/* It takes the place of the old one, unless there was an error. */
static int new_close(const char *path, char *name, FILE *file, int err)
{
	if (!err && (fflush(file) || fsync(fileno(file))))
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(name, path))
		err = -errno;
	if (err)
		unlink(name);
	else
		sync_directory(path);
	free(name);
	return err;
}

/* A descriptor that holds the lock until it is closed, or a negative errno. */
static int lock(const char *path)
{
	char *name = xprintf("%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = fd < 0 ? -errno : 0, waited;

	free(name);
	/* the agent must not wait for ever for a process that was stopped */
	for (waited = 0; !err && flock(fd, LOCK_EX | LOCK_NB); waited += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			err = -errno;
		else if (waited >= LOCK_MS)
			err = -ETIMEDOUT;
		else
			usleep(LOCK_STEP_MS * 1000);
	}
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/* --------------------------------------------------------------- what it is for */

static enum known search(const char *path, uint8_t id_type, const char *id,
			 const char *pubkey_id, int64_t before, int *err)
{
	enum known known = KNOWN_NEW;
	struct reader reader;

	/* to its end: a mistake anywhere makes all of it unusable */
	for (reader_open(&reader, path); reader_next(&reader);) {
		const struct known_peer *peer = reader.peer;

		if (known != KNOWN_NEW || !peer || peer->id_type != id_type ||
		    strcmp(peer->id, id))
			continue;
		if (strcmp(peer->pubkey_id, pubkey_id))
			known = KNOWN_CHANGED;
		else if (peer->since < before)
			known = KNOWN_SEEN;
	}
	*err = reader_close(&reader);
	return *err ? KNOWN_ERROR : known;
}

static void write_line(FILE *file, const char *text)
{
	size_t len = strlen(text);

	fprintf(file, "%s%s", text, len && text[len - 1] == '\n' ? "" : "\n");
}

/* The file as it was, and one line more. */
static int add(const char *path, uint8_t id_type, const char *id, const char *pubkey_id)
{
	struct reader reader;
	char *name, *escaped;
	FILE *file;
	int err;

	name = new_open(path, &file);
	if (!name)
		return -errno;
	for (reader_open(&reader, path); reader_next(&reader);)
		write_line(file, reader.text);
	err = reader_close(&reader);
	escaped = escape(id);
	fprintf(file, "%u %s %s %lld\n", id_type, escaped, pubkey_id, (long long)time(NULL));
	free(escaped);
	return new_close(path, name, file, err);
}

static void complain(const char *path, int err)
{
	log_event(LOG_LEVEL_ERROR, "%s: the known keys cannot be used: %s", path,
		  err == -EBADMSG ? "a line is not understood" : strerror(-err));
}

/**
 * known_look() - was this peer seen before, and with this key?
 * @path: of the file
 * @id_type: type of its IKE identity
 * @id: its IKE identity
 * @pubkey_id: of the key that it has now
 * @before: seen since then is not seen before, in seconds since the epoch
 *
 * Return: enum known.
 */
enum known known_look(const char *path, uint8_t id_type, const char *id, const char *pubkey_id,
		      int64_t before)
{
	enum known known;
	int err;

	known = search(path, id_type, id, pubkey_id, before, &err);
	if (err)
		complain(path, err);
	return known;
}

/**
 * known_check() - as known_look(), and from now on the peer was seen
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
	enum known known = KNOWN_ERROR;
	int guard = lock(path), err = guard < 0 ? guard : 0;

	if (!err)
		known = search(path, id_type, id, pubkey_id, INT64_MAX, &err);
	if (known == KNOWN_NEW) {
		err = add(path, id_type, id, pubkey_id);
		if (err)
			known = KNOWN_ERROR;
	}
	if (err)
		complain(path, err);
	if (guard >= 0)
		close(guard);
	return known;
}

/**
 * known_read() - read all of the file
 * @path: of the file; if it is not there, there are no peers
 * @peers: set to the list of them, to be given to known_free()
 * @line: set to the line with a mistake
 *
 * Return: 0, -EBADMSG if a line is not understood, or another negative errno.
 */
int known_read(const char *path, struct known_peer **peers, unsigned int *line)
{
	struct known_peer **end = peers;
	struct reader reader;
	int err;

	*peers = NULL;
	for (reader_open(&reader, path); reader_next(&reader);) {
		if (!reader.peer)
			continue;
		*end = reader.peer;
		end = &reader.peer->next;
		reader.peer = NULL;
	}
	*line = reader.line;
	err = reader_close(&reader);
	if (err) {
		known_free(*peers);
		*peers = NULL;
	}
	return err;
}

/**
 * known_free() - free what known_read() has read
 * @peers: list, or NULL
 */
void known_free(struct known_peer *peers)
{
	struct known_peer *peer;

	while ((peer = peers)) {
		peers = peer->next;
		peer_free(peer);
	}
}

static int remove_locked(const char *path, bool (*unwanted)(const struct known_peer *, void *),
			 void *data, size_t *removed, unsigned int *line)
{
	struct reader reader;
	FILE *file;
	char *name;
	int err;

	name = new_open(path, &file);
	if (!name)
		return -errno;
	for (reader_open(&reader, path); reader_next(&reader);) {
		if (reader.peer && unwanted(reader.peer, data))
			(*removed)++;
		else
			write_line(file, reader.text);
	}
	*line = reader.line;
	err = reader_close(&reader);
	/* nothing to be changed is a reason not to change anything */
	if (!err && !*removed)
		err = -ENOENT;
	return new_close(path, name, file, err);
}

/**
 * known_remove() - have peers forgotten
 * @path: of the file
 * @unwanted: whether to forget one
 * @data: for @unwanted
 * @removed: set to how many were forgotten
 * @line: set to the line with a mistake
 *
 * Return: 0; -ENOENT if there is nothing to forget; -EBADMSG if a line is not
 * understood; -ETIMEDOUT if somebody else keeps the lock; another negative
 * errno. With an error nothing has changed.
 */
int known_remove(const char *path, bool (*unwanted)(const struct known_peer *peer, void *data),
		 void *data, size_t *removed, unsigned int *line)
{
	int guard = lock(path), err;

	*removed = 0;
	*line = 0;
	if (guard < 0)
		return guard;
	err = remove_locked(path, unwanted, data, removed, line);
	if (err)
		*removed = 0;
	close(guard);
	return err;
}
