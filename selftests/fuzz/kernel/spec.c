// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads what this family uses of the language of netlink specifications. What
 * it does not know ends the program: a fuzzer that leaves out what is new in a
 * specification would go on to say that all is well.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "spec.h"

struct spec_op spec_ops[SPEC_OPS];
unsigned int spec_op_count;

static struct spec_set sets[SPEC_SETS];
static unsigned int set_count;
static yaml_document_t document;

/* ----------------------------------------------------------------- documents */

static yaml_node_t *node_at(yaml_node_item_t index)
{
	return yaml_document_get_node(&document, index);
}

static const char *text_of(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		errx(1, "specification: a text is missing");
	return (const char *)node->data.scalar.value;
}

/* The value of @key, NULL if there is none. */
static yaml_node_t *member(const yaml_node_t *node, const char *key)
{
	yaml_node_pair_t *pair;

	if (!node || node->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
		if (!strcmp(text_of(node_at(pair->key)), key))
			return node_at(pair->value);
	return NULL;
}

static unsigned int length_of(const yaml_node_t *node)
{
	if (!node)
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		errx(1, "specification: a list is missing");
	return node->data.sequence.items.top - node->data.sequence.items.start;
}

static yaml_node_t *item(const yaml_node_t *node, unsigned int index)
{
	return node_at(node->data.sequence.items.start[index]);
}

static uint64_t number_of(const yaml_node_t *node, const char *key, uint64_t otherwise)
{
	const yaml_node_t *value = member(node, key);

	return value ? strtoull(text_of(value), NULL, 0) : otherwise;
}

static void name_copy(char *to, const yaml_node_t *node)
{
	const char *name = text_of(member(node, "name"));

	if (strlen(name) >= SPEC_NAME)
		errx(1, "specification: %s: longer than expected", name);
	strcpy(to, name);
}

/* ---------------------------------------------------------------- attributes */

static const struct {
	const char *name;
	size_t size;
} types[] = {
	[SPEC_PAD] = { "pad", 0 },
	[SPEC_FLAG] = { "flag", 0 },
	[SPEC_U8] = { "u8", 1 },
	[SPEC_U16] = { "u16", 2 },
	[SPEC_U32] = { "u32", 4 },
	[SPEC_U64] = { "u64", 8 },
	[SPEC_S32] = { "s32", 4 },
	[SPEC_STRING] = { "string", 0 },
	[SPEC_BINARY] = { "binary", 0 },
	[SPEC_NEST] = { "nest", 0 },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

size_t spec_size(enum spec_type type)
{
	return types[type].size;
}

static struct spec_set *set_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < set_count; i++)
		if (!strcmp(sets[i].name, name))
			return &sets[i];
	errx(1, "specification: no attribute set %s", name);
}

static const struct spec_attr *attr_find(const struct spec_set *set, const char *name)
{
	unsigned int i;

	for (i = 0; i < set->count; i++)
		if (!strcmp(set->attrs[i].name, name))
			return &set->attrs[i];
	errx(1, "specification: %s: no attribute %s", set->name, name);
}

static void attr_read(struct spec_attr *attr, const yaml_node_t *node, unsigned int number)
{
	const yaml_node_t *checks = member(node, "checks");
	const char *type = text_of(member(node, "type"));
	const yaml_node_t *several = member(node, "multi-attr");
	const yaml_node_t *nest = member(node, "nested-attributes");
	unsigned int i;

	name_copy(attr->name, node);
	attr->number = number;
	for (i = 0; i < TYPES && strcmp(types[i].name, type); i++)
		;
	if (i == TYPES)
		errx(1, "specification: %s: type %s is not known", attr->name, type);
	attr->type = i;
	attr->several = several && !strcmp(text_of(several), "true");
	attr->min = number_of(checks, "min", 0);
	attr->max = number_of(checks, "max", 0);
	attr->exact = number_of(checks, "exact-len", 0);
	attr->least = number_of(checks, "min-len", 0);
	attr->most = number_of(checks, "max-len", 0);
	if (nest)
		attr->nest = set_find(text_of(nest));
}

/* Part of another set, which comes before it. */
static void subset_read(struct spec_set *set, const struct spec_set *of, const yaml_node_t *attrs)
{
	unsigned int i;

	for (i = 0; i < length_of(attrs); i++)
		set->attrs[set->count++] =
			*attr_find(of, text_of(member(item(attrs, i), "name")));
}

static void sets_read(const yaml_node_t *list)
{
	unsigned int i, j, number;

	if (length_of(list) > SPEC_SETS)
		errx(1, "specification: more sets than expected");
	/* their names first: one may be nested in another before its turn */
	for (i = 0; i < length_of(list); i++)
		name_copy(sets[set_count++].name, item(list, i));
	for (i = 0; i < set_count; i++) {
		const yaml_node_t *attrs = member(item(list, i), "attributes");
		const yaml_node_t *of = member(item(list, i), "subset-of");

		if (length_of(attrs) > SPEC_ATTRS)
			errx(1, "specification: %s: more attributes than expected", sets[i].name);
		if (of) {
			subset_read(&sets[i], set_find(text_of(of)), attrs);
			continue;
		}
		number = 0;
		for (j = 0; j < length_of(attrs); j++) {
			number = number_of(item(attrs, j), "value", number + 1);
			attr_read(&sets[i].attrs[sets[i].count++], item(attrs, j), number);
		}
	}
}

/* ---------------------------------------------------------------- operations */

/* What either way of asking takes is what the operation takes. */
static void request_read(struct spec_op *op, const yaml_node_t *way)
{
	const yaml_node_t *list = member(member(way, "request"), "attributes");
	const struct spec_attr *attr;
	unsigned int i, j;

	for (i = 0; i < length_of(list); i++) {
		attr = attr_find(op->set, text_of(item(list, i)));
		for (j = 0; j < op->count && op->wanted[j] != attr; j++)
			;
		if (j == op->count)
			op->wanted[op->count++] = attr;
	}
}

static void op_read(struct spec_op *op, const yaml_node_t *node, unsigned int number)
{
	const yaml_node_t *flags = member(node, "flags");
	unsigned int i;

	name_copy(op->name, node);
	op->cmd = number;
	op->set = set_find(text_of(member(node, "attribute-set")));
	op->can_do = member(node, "do");
	op->can_dump = member(node, "dump");
	for (i = 0; i < length_of(flags); i++)
		op->admin |= !strcmp(text_of(item(flags, i)), "admin-perm");
	request_read(op, member(node, "do"));
	request_read(op, member(node, "dump"));
}

static void ops_read(const yaml_node_t *list)
{
	unsigned int i, number = 0;

	for (i = 0; i < length_of(list); i++) {
		const yaml_node_t *node = item(list, i);

		number = number_of(node, "value", number + 1);
		/* news is nothing to ask for */
		if (!member(node, "do") && !member(node, "dump"))
			continue;
		if (spec_op_count == SPEC_OPS)
			errx(1, "specification: more operations than expected");
		op_read(&spec_ops[spec_op_count++], node, number);
	}
}

void spec_read(const char *path)
{
	FILE *file = fopen(path, "re");
	const yaml_node_t *root;
	yaml_parser_t parser;

	if (!file)
		err(1, "%s", path);
	if (!yaml_parser_initialize(&parser))
		errx(1, "no memory");
	yaml_parser_set_input_file(&parser, file);
	if (!yaml_parser_load(&parser, &document))
		errx(1, "%s:%zu: %s", path, parser.problem_mark.line + 1,
		     parser.problem ?: "no YAML");
	root = yaml_document_get_root_node(&document);
	sets_read(member(root, "attribute-sets"));
	ops_read(member(member(root, "operations"), "list"));
	if (!spec_op_count)
		errx(1, "%s: no operations", path);
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	fclose(file);
}
