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
 * @format: of its text
 */
void table_cell(struct table *table, enum colour colour, const char *format, ...)
{
	char text[CELL_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_add(table, colour, text);
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
		size_t len = strlen(table->cell[i].text);

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
			printf("%*s", (int)(width[column] - strlen(cell->text) + 2), "");
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
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
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
 * @value: bytes that are not ASCII are taken as Latin-1, so the result is
 *	valid whatever they are
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
