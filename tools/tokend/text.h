/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text that others have written.
 */
#ifndef TOKEND_TEXT_H
#define TOKEND_TEXT_H

#include <stdbool.h>

bool text_good(const char *text);
char *text_behind(char *text, const char *start);
char *text_cut(char *text, const char *mark);

#endif /* TOKEND_TEXT_H */
