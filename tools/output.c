// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the command prints: aligned tables for people, JSON for programs.
 */
#include <err.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

struct output output;

static const char *const colours[] = {
	[COLOUR_NONE]	= "",
	[COLOUR_GOOD]	= "\033[32m",
	[COLOUR_BAD]	= "\033[31m",
	[COLOUR_DOUBT]	= "\033[33m",
	[COLOUR_FAINT]	= "\033[2m",
	[COLOUR_HEAD]	= "\033[1m",
};

/**
 * colour_on() - what switches a colour on
 * @colour: which
 *
 * Return: text to print, empty if colours are not wanted.
 */
const char *colour_on(enum colour colour)
{
	return output.colour ? colours[colour] : "";
}

/**
 * colour_off() - what switches it off again
 * @colour: which
 *
 * Return: text to print, empty if colours are not wanted.
 */
const char *colour_off(enum colour colour)
{
	return output.colour && colour != COLOUR_NONE ? "\033[0m" : "";
}

/* ----------------------------------------------------------------- characters */

/*
 * The character of UTF-8 at @text, and its length; 0: it is none, and is one byte
 * of something else.
 */
static unsigned int character(const char *text, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	unsigned int len, i;

	*c = byte[0];
	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	len = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	*c &= 0x7f >> len;
	for (i = 1; i < len; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (byte[i] & 0x3f);
	}
	return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

/* What steers a terminal, ends a line, or turns the order of what follows. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/**
 * text_plain() - is this text of UTF-8 without control characters?
 * @text: text
 *
 * Return: whether it is.
 */
bool text_plain(const char *text)
{
	unsigned int len;
	uint32_t c;

	for (; *text; text += len) {
		len = character(text, &c);
		if (!len || is_control(c))
			return false;
	}
	return true;
}

/**
 * text_safe() - make text that somebody else has chosen fit for a terminal
 * @text: text
 * @buf: for the outcome: what is no UTF-8, or a control character, as \xNN for
 *	each of its bytes
 * @size: of @buf; what finds no room is left out
 *
 * Return: @buf.
 */
const char *text_safe(const char *text, char *buf, size_t size)
{
	unsigned int len, i;
	size_t used = 0;
	uint32_t c;

	for (; *text; text += len) {
		len = character(text, &c);
		if (len && !is_control(c)) {
			if (used + len >= size)
				break;
			memcpy(buf + used, text, len);
			used += len;
			continue;
		}
		len = len ? len : 1;
		if (used + 4 * len >= size)
			break;
		for (i = 0; i < len; i++)
			used += sprintf(buf + used, "\\x%02x", (unsigned char)text[i]);
	}
	buf[used] = '\0';
	return buf;
}

/* How many columns safe text takes; each character counts as one. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

/* --------------------------------------------------------------------- tables */

struct cell {
	enum colour colour;
	char *text;
};

struct table {
	unsigned int columns;
	size_t count;
	struct cell *cell;
};

static void table_add(struct table *table, enum colour colour, const char *text)
{
	/* the size doubles at every power of two */
	if (!(table->count & (table->count - 1))) {
		size_t room = table->count ? table->count * 2 : 1;

		table->cell = realloc(table->cell, room * sizeof(*table->cell));
		if (!table->cell)
			errx(1, "out of memory");
	}
	table->cell[table->count].colour = colour;
	table->cell[table->count].text = strdup(text);
	if (!table->cell[table->count].text)
		errx(1, "out of memory");
	table->count++;
}

/**
 * table_new() - begin a table
 * @columns: how many
 * @heads: of the columns, NULL: none
 *
 * Return: the table, freed by table_print().
 */
struct table *table_new(unsigned int columns, const char *const *heads)
{
	struct table *table = calloc(1, sizeof(*table));
	unsigned int i;

	if (!table)
		errx(1, "out of memory");
	table->columns = columns;
	for (i = 0; heads && i < columns; i++)
		table_add(table, COLOUR_HEAD, heads[i]);
	return table;
}

/**
 * table_cell() - fill in the next cell, row by row
 * @table: table
 * @colour: of the cell
 * @format: of its text, see text_safe()
 */
void table_cell(struct table *table, enum colour colour, const char *format, ...)
{
	char text[CELL_SIZE], safe[CELL_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_add(table, colour, text_safe(text, safe, sizeof(safe)));
}

/**
 * table_print() - print a table, and free it
 * @table: table
 */
void table_print(struct table *table)
{
	size_t i, *width = calloc(table->columns, sizeof(*width));

	if (!width)
		errx(1, "out of memory");
	for (i = 0; i < table->count; i++) {
		size_t len = text_width(table->cell[i].text);

		if (len > width[i % table->columns])
			width[i % table->columns] = len;
	}
	for (i = 0; i < table->count; i++) {
		const struct cell *cell = &table->cell[i];
		unsigned int column = i % table->columns;

		printf("%s%s%s", colour_on(cell->colour), cell->text, colour_off(cell->colour));
		if (column == table->columns - 1)
			putchar('\n');
		else
			printf("%*s", (int)(width[column] - text_width(cell->text) + 2), "");
		free(cell->text);
	}
	free(width);
	free(table->cell);
	free(table);
}

/* nothing nests deeper than an SA of a context of an event */
#define JSON_DEPTH 8

/* what is open, and whether it has something in it already */
static struct {
	char bracket;
	bool filled;
} json_stack[JSON_DEPTH];

static unsigned int json_depth;

static void json_indent(void)
{
	if (output.pretty)
		printf("\n%*s", (int)(4 * json_depth), "");
}

static void json_text(const char *text)
{
	unsigned int len;
	uint32_t c;

	putchar('"');
	for (; *text; text += len ? len : 1) {
		len = character(text, &c);
		if (!len)
			printf("\\ufffd");
		else if (c == '"' || c == '\\')
			printf("\\%c", (int)c);
		else if (is_control(c))
			printf("\\u%04x", c);
		else
			printf("%.*s", (int)len, text);
	}
	putchar('"');
}

static void json_name(const char *name)
{
	if (json_depth) {
		if (json_stack[json_depth - 1].filled)
			putchar(',');
		json_stack[json_depth - 1].filled = true;
		json_indent();
	}
	if (name) {
		json_text(name);
		printf(output.pretty ? ": " : ":");
	}
}

/**
 * json_open() - begin an object or an array
 * @name: of the member, or NULL
 * @bracket: '{' or '['
 */
void json_open(const char *name, char bracket)
{
	json_name(name);
	putchar(bracket);
	if (json_depth == JSON_DEPTH)
		abort();
	json_stack[json_depth].bracket = bracket;
	json_stack[json_depth].filled = false;
	json_depth++;
}

/**
 * json_close() - end what json_open() began last
 */
void json_close(void)
{
	json_depth--;
	if (json_stack[json_depth].filled)
		json_indent();
	putchar(json_stack[json_depth].bracket == '{' ? '}' : ']');
	if (!json_depth)
		putchar('\n');
}

/**
 * json_string() - print a string
 * @name: of the member, or NULL
 * @value: of UTF-8; bytes that are not become U+FFFD, so the result is valid
 *	whatever they are
 */
void json_string(const char *name, const char *value)
{
	json_name(name);
	json_text(value);
}

/**
 * json_uint() - print a number
 * @name: of the member, or NULL
 * @value: number
 */
void json_uint(const char *name, uint64_t value)
{
	json_name(name);
	printf("%" PRIu64, value);
}

/**
 * json_bool() - print true or false
 * @name: of the member, or NULL
 * @value: which
 */
void json_bool(const char *name, bool value)
{
	json_name(name);
	printf(value ? "true" : "false");
}

/**
 * json_null() - print null
 * @name: of the member, or NULL
 */
void json_null(const char *name)
{
	json_name(name);
	printf("null");
}

/**
 * time_string() - a time in words
 * @seconds: since the epoch
 * @buf: of TIME_SIZE bytes
 *
 * Return: @buf.
 */
const char *time_string(int64_t seconds, char *buf)
{
	time_t t = seconds;
	struct tm tm;

	if (!seconds || !localtime_r(&t, &tm) || !strftime(buf, TIME_SIZE, "%F %T", &tm))
		strcpy(buf, "-");
	return buf;
}
