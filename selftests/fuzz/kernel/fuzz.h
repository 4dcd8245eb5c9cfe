/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the threads of the fuzzer share.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct worker - a thread, and where it is
 * @number: from 0 on
 * @step: how many steps it has made; with the seed and @number this is all that
 *	random numbers depend on
 */
struct worker {
	unsigned int number;
	const char *name;
	atomic_ullong step;
};

extern uint64_t seed;
extern atomic_bool stop;

/* No socket may hold the module: it is to be unloaded. */
extern atomic_bool let_go;

/* A token of this process at either host, and what SPIs are counted from. */
extern _Atomic uint64_t some_ptoken[2];
extern atomic_uint current_spi;

/**
 * problem() - what should not be has been
 * @worker: in which thread; its step is printed, too
 * @format: as for printf
 */
void problem(const struct worker *worker, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * sockets_begin() - where to make sockets
 * @host: number of this host
 *
 * Return: to be given to the functions below.
 */
struct sockets *sockets_begin(unsigned int host);

/* One thing is done with one of the sockets. */
void sockets_step(struct sockets *sockets, const struct worker *worker, uint64_t *state);

/* All are closed. */
void sockets_end(struct sockets *sockets);

/* Values and errors that socket options have given. */
extern atomic_uint option_values, option_errors;

#endif /* FUZZ_H */
