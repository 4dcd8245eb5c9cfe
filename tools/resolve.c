// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the token of an inherited descriptor stands for. This uses nothing but
 * the library, as any program may.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static int context_of(struct ipsec *ipsec, ipsec_ptoken_t ptoken, struct ipsec_context **out)
{
	struct ipsec_ptoken_attributes attributes;
	struct ipsec_context *context;
	unsigned int i;
	int err;

	err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));
	if (err)
		return err;
	context = calloc(1, sizeof(*context) + attributes.sa_count * sizeof(context->sa[0]));
	if (!context)
		return -ENOMEM;
	context->attributes = attributes;
	context->seen = ptoken != IPSEC_PTOKEN_NONE;

	for (i = 0; i < attributes.sa_count; i++) {
		err = ipsec_ptoken_sa(ipsec, ptoken, i, &context->sa[i].sa,
				      sizeof(context->sa[i].sa));
		/* one may have gone meanwhile */
		if (err == -ENOENT)
			break;
		if (err) {
			free(context);
			return err;
		}
	}
	context->attributes.sa_count = i;
	*out = context;
	return 0;
}

static int identity_of(struct ipsec *ipsec, ipsec_ptoken_t ptoken, struct identity **identity)
{
	struct ipsec_itoken *peer, *local;
	int err;

	*identity = NULL;
	err = ipsec_ptoken_itoken(ipsec, ptoken, &peer);
	/* none was bound, or there is no protection that one could be behind */
	if (err == -EAGAIN || err == -ENOENT)
		return 0;
	if (err)
		return err;
	err = ipsec_ptoken_local_itoken(ipsec, ptoken, &local);
	if (!err || err == -ENODATA) {
		*identity = itoken_identity(peer, local);
		ipsec_itoken_free(local);
		err = 0;
	}
	ipsec_itoken_free(peer);
	return err;
}

static int token_of(int argc, char **argv, ipsec_ptoken_t *ptoken)
{
	uint64_t fd;
	int err;

	if (argc == 1 && !number_read(argv[0], UINT64_MAX, ptoken))
		return EXIT_OK;
	if (argc != 2 || strcmp(argv[0], "--fd") || number_read(argv[1], INT_MAX, &fd))
		return usage("resolve takes --fd and a descriptor, or a token");

	err = ipsec_ptoken_from_fd(fd, ptoken);
	if (!err)
		return EXIT_OK;
	fprintf(stderr, "ipsec-token: descriptor %s: %s\n", argv[1], ipsec_strerror(err));
	return EXIT_FAILED;
}

/**
 * resolve() - ipsec-token resolve --fd N | TOKEN
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int resolve(int argc, char **argv)
{
	struct ipsec_context *context = NULL;
	struct identity *identity = NULL;
	ipsec_ptoken_t ptoken;
	struct ipsec *ipsec;
	int ret;

	ret = token_of(argc, argv, &ptoken);
	if (ret != EXIT_OK)
		return ret;
	if (admin_open(&ipsec))
		return EXIT_FAILED;
	ret = context_of(ipsec, ptoken, &context);
	if (!ret)
		ret = identity_of(ipsec, ptoken, &identity);
	if (ret) {
		free(context);
		return admin_failed(ipsec);
	}
	ipsec_close(ipsec);

	if (output.json)
		context_json(NULL, context, identity);
	else
		context_print(context, identity);
	identity_put(identity);
	free(context);
	return EXIT_OK;
}
