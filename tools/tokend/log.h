/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line per event, and what to do when there is no memory left.
 */
#ifndef TOKEND_LOG_H
#define TOKEND_LOG_H

#include <stddef.h>

/* as syslog has them */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

void log_level_set(enum log_level level);
void log_event(enum log_level level, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));
void log_notify(const char *state);

void *xcalloc(size_t count, size_t size);
char *xstrdup(const char *text);
char *xprintf(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

#endif /* TOKEND_LOG_H */
