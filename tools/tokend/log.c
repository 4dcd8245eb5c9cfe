// SPDX-License-Identifier: GPL-2.0-only
/*
 * One line per event to standard error, where the journal reads the "<6>" in
 * front of it, and the protocol by which systemd learns of our state.
 *
 * Much of what is logged was chosen by peers: whatever could end a line, or
 * steer a terminal, is written as \xNN.
 *
 * An agent without memory is of no use. It ends, and is started anew with all
 * it needs in the kernel and in the keying daemons.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static enum log_level log_max = LOG_LEVEL_INFO;

/**
 * log_level_set() - what is worth logging
 * @level: the least important
 */
void log_level_set(enum log_level level)
{
	log_max = level;
}

static size_t line_begin(char *line, size_t size, enum log_level level)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	if (getenv("JOURNAL_STREAM"))
		return snprintf(line, size, "<%d>", level);
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	len = strftime(line, size, "%H:%M:%S", &tm);
	return len + snprintf(line + len, size - len, ".%03ld %s: ", now.tv_nsec / 1000000,
			      program_invocation_short_name);
}

/**
 * log_event() - log an event
 * @level: how important it is
 * @format: of one line
 */
void log_event(enum log_level level, const char *format, ...)
{
	char text[2048], line[sizeof(text) * 4 + 64];
	va_list args;
	size_t len;
	char *c;

	if (level > log_max)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	len = line_begin(line, sizeof(line), level);
	for (c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			len += snprintf(line + len, sizeof(line) - len, "\\x%02x",
					(unsigned char)*c);
		else
			line[len++] = *c;
	}
	line[len++] = '\n';
	/* at once, and nothing to be done if it fails */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

/**
 * log_notify() - tell systemd how things are
 * @state: as sd_notify(3) has it
 *
 * Without systemd this does nothing.
 */
void log_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, len);
	/* a name that begins with @ is not in the file system */
	if (addr.sun_path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
		   offsetof(struct sockaddr_un, sun_path) + len) < 0)
		log_event(LOG_LEVEL_WARNING, "systemd cannot be told \"%s\": %m", state);
	close(fd);
}

static void *checked(void *memory)
{
	if (!memory) {
		log_event(LOG_LEVEL_ERROR, "out of memory");
		exit(EXIT_FAILURE);
	}
	return memory;
}

/**
 * xcalloc() - memory
 * @count: of things
 * @size: of each
 *
 * Return: memory filled with zeros, never NULL.
 */
void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count, size));
}

/**
 * xstrdup() - copy text
 * @text: or NULL
 *
 * Return: the copy, NULL for NULL only.
 */
char *xstrdup(const char *text)
{
	return text ? checked(strdup(text)) : NULL;
}

/**
 * xprintf() - compose text
 * @format: of it
 *
 * Return: the text, to be freed.
 */
char *xprintf(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	return checked(len < 0 ? NULL : text);
}
