// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text that others have written.
 */
#include <stddef.h>
#include <string.h>

#include "text.h"

/* Of a character in UTF-8 behind its first byte: how many, -1: it is none. */
static int utf8_more(const unsigned char *c)
{
	static const struct {
		unsigned char first, last, low, high;
		int more;
	} rows[] = {
		{ 0x20, 0x7e, 0x80, 0xbf, 0 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 },
		{ 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 },
		{ 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (*c >= rows[i].first && *c <= rows[i].last)
			return rows[i].more && (c[1] < rows[i].low || c[1] > rows[i].high) ?
			       -1 : rows[i].more;
	return -1;
}

/**
 * text_good() - may this be shown to people and programs?
 * @text: of any origin
 *
 * Return: whether it is UTF-8 without control characters.
 */
bool text_good(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	int more;

	while (*c) {
		more = utf8_more(c++);
		if (more < 0)
			return false;
		for (; more > 0; more--, c++)
			if ((*c & 0xc0) != 0x80)
				return false;
	}
	return true;
}

/**
 * text_behind() - what follows a beginning
 * @text: or NULL
 * @start: its beginning
 *
 * Return: what follows @start, NULL if @text begins with something else.
 */
char *text_behind(char *text, const char *start)
{
	size_t len = strlen(start);

	return text && !strncmp(text, start, len) ? text + len : NULL;
}

/**
 * text_cut() - cut in two
 * @text: ends at the first @mark afterwards; or NULL
 * @mark: what to look for
 *
 * Return: what is behind @mark, NULL if there is none.
 */
char *text_cut(char *text, const char *mark)
{
	char *at = text ? strstr(text, mark) : NULL;

	if (!at)
		return NULL;
	*at = '\0';
	return at + strlen(mark);
}
