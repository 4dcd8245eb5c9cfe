/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that is run for what it prints.
 */
#ifndef TOKEND_PROGRAM_H
#define TOKEND_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

struct program;

struct program *program_start(const char *const *argv, size_t max);
bool program_ready(struct program *program);
void program_kill(struct program *program);
int program_result(const struct program *program, const char **text, size_t *len);
void program_free(struct program *program);

int program_output_fd(const struct program *program);
int program_exit_fd(const struct program *program);

#endif /* TOKEND_PROGRAM_H */
