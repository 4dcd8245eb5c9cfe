/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The netlink family as its specification describes it.
 */
#ifndef FUZZ_SPEC_H
#define FUZZ_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_NAME	32
#define SPEC_ATTRS	64
#define SPEC_SETS	16
#define SPEC_OPS	64

enum spec_type {
	SPEC_PAD,
	SPEC_FLAG,
	SPEC_U8,
	SPEC_U16,
	SPEC_U32,
	SPEC_U64,
	SPEC_S32,
	SPEC_STRING,
	SPEC_BINARY,
	SPEC_NEST,
};

/**
 * struct spec_attr - an attribute of a set
 * @min: least value of a number, @max: highest; both 0: any
 * @exact: length of what is binary, 0: any
 * @least: shortest of what is binary, 0: any
 * @most: longest of what is binary, or string without its end, 0: any
 * @nest: of which set the attributes in it are
 */
struct spec_attr {
	char name[SPEC_NAME];
	uint16_t number;
	enum spec_type type;
	bool several;
	uint64_t min, max;
	size_t exact, least, most;
	const struct spec_set *nest;
};

struct spec_set {
	char name[SPEC_NAME];
	struct spec_attr attrs[SPEC_ATTRS];
	unsigned int count;
};

/**
 * struct spec_op - what can be asked
 * @wanted: attributes of the request
 */
struct spec_op {
	char name[SPEC_NAME];
	uint8_t cmd;
	bool can_do, can_dump, admin;
	const struct spec_set *set;
	const struct spec_attr *wanted[SPEC_ATTRS];
	unsigned int count;
};

extern struct spec_op spec_ops[SPEC_OPS];
extern unsigned int spec_op_count;

/**
 * spec_read() - fill in spec_ops, or end the program
 * @path: of the YAML file
 */
void spec_read(const char *path);

/* Bytes that a value of this type has, 0 if that is not fixed. */
size_t spec_size(enum spec_type type);

#endif /* FUZZ_SPEC_H */
