/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the command prints: aligned tables for people, JSON for programs.
 */
#ifndef IPSEC_TOOL_OUTPUT_H
#define IPSEC_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct output - how to print
 * @json: JSON and not tables
 * @pretty: JSON with line breaks
 * @colour: use colours
 */
struct output {
	bool json;
	bool pretty;
	bool colour;
};

extern struct output output;

enum colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_BAD,
	COLOUR_DOUBT,
	COLOUR_FAINT,
	COLOUR_HEAD,
};

const char *colour_on(enum colour colour);
const char *colour_off(enum colour colour);

bool text_plain(const char *text);
const char *text_safe(const char *text, char *buf, size_t size);

/* how long a cell of a table may be, more is cut off */
#define CELL_SIZE 256

struct table;

struct table *table_new(unsigned int columns, const char *const *heads);
void table_cell(struct table *table, enum colour colour, const char *format, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void table_print(struct table *table);

/* A name is NULL for what is in an array, or at the top. */
void json_open(const char *name, char bracket);
void json_close(void);
void json_string(const char *name, const char *value);
void json_uint(const char *name, uint64_t value);
void json_bool(const char *name, bool value);
void json_null(const char *name);

#define TIME_SIZE 32

const char *time_string(int64_t seconds, char *buf);

#endif /* IPSEC_TOOL_OUTPUT_H */
