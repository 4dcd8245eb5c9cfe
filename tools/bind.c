// SPDX-License-Identifier: GPL-2.0-only
/*
 * An identity that is bound by hand: what the command line says, and what the
 * kernel is asked to do. All that is said is looked at before it is asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "end.h"
#include "tokend/log.h"
#include "tokend/message.h"

/**
 * struct order - what the command line says
 * @sas: which SAs
 * @peer: who is behind them
 * @local: who is at this end
 * @policy: name of the connection, NULL: none
 * @lineage: NULL: none
 * @itoken: of a peer that was there before, NULL: it follows
 * @dry_run: show what would be bound, and do not
 */
struct order {
	struct sas sas;
	struct words peer;
	struct words local;
	const char *policy;
	const char *lineage;
	const char *itoken;
	bool dry_run;
};

/* --------------------------------------------------------------- command line */

static const char *take_value(const char **to, const char *value)
{
	if (*to)
		return "is there twice";
	*to = value;
	return NULL;
}

static const char *take_word(struct words *words, size_t word, const char *value)
{
	if (word != CERT && word != CA)
		return take_value(&words->value[word], value);
	if (words->files[word] == FILES_MAX)
		return "is there too often";
	words->value[word] = value;
	words->file[word][words->files[word]++] = value;
	return NULL;
}

/* Where the value of a field goes; NULL for what is none. */
static bool take(struct order *order, const char *name, const char *value, const char **wrong)
{
	size_t prefix = strlen(order->local.prefix), i;
	bool local = !strncmp(name, order->local.prefix, prefix);

	for (i = 0; i < WORDS; i++) {
		if (strcmp(word_names[i], local ? name + prefix : name))
			continue;
		*wrong = take_word(local ? &order->local : &order->peer, i, value);
		return true;
	}
	if (!strcmp(name, "policy"))
		*wrong = take_value(&order->policy, value);
	else if (!strcmp(name, "lineage"))
		*wrong = take_value(&order->lineage, value);
	else if (!strcmp(name, "itoken"))
		*wrong = take_value(&order->itoken, value);
	else
		return false;
	return true;
}

static int order_read(struct order *order, int argc, char **argv)
{
	const char *wrong = NULL;
	int used;

	for (; argc; argc -= used, argv += used) {
		used = 1;
		if (!strcmp(argv[0], "dry-run")) {
			order->dry_run = true;
			continue;
		}
		if (!strcmp(argv[0], "sa")) {
			used = sas_take(&order->sas, argc - 1, argv + 1);
			if (used++ < 0)
				return EXIT_USAGE;
			continue;
		}
		if (!take(order, argv[0], argc > 1 ? argv[1] : NULL, &wrong))
			return usage("identity bind: no field \"%s\"", argv[0]);
		if (argc < 2)
			return usage("%s: has no value", argv[0]);
		if (wrong)
			return usage("%s: %s", argv[0], wrong);
		used = 2;
	}
	return EXIT_OK;
}

/* -------------------------------------------------------------- putting together */

static int lineage_set(const struct order *order, struct identity *identity)
{
	const char *const names[] = { BY_HAND, order->policy ? order->policy : "" };

	if (!order->lineage)
		return EXIT_OK;
	if (strcmp(order->lineage, "auto")) {
		if (number_read(order->lineage, UINT64_MAX, &identity->lineage) ||
		    !identity->lineage)
			return usage("lineage: takes a number other than 0, or auto");
		return EXIT_OK;
	}
	if (itoken_lineage(&identity->lineage, identity->remote.itoken, identity->local.itoken,
			   names, IPSEC_ARRAY_SIZE(names)))
		return failed("lineage: cannot be computed");
	return EXIT_OK;
}

static int itoken_check(const struct order *order, const struct end *peer)
{
	if (!order->itoken)
		return EXIT_OK;
	if (!itoken_word(order->itoken))
		return usage("itoken: \"%s\" is none, nor the first eight digits or more",
			     order->itoken);
	if (peer->claim.token != TOKEN_RANDOM)
		return failed("itoken: it follows from what %s is about, and cannot be given",
			      method_name(peer->method));
	return EXIT_OK;
}

/*
 * A peer of which nothing was proved to tell it by has an iToken of its own each
 * time, unless the administrator says that it is one that is there.
 */
static int itoken_continue(struct ipsec *ipsec, const struct order *order,
			   struct identity *identity)
{
	const uint8_t *found = NULL;
	struct list list = { 0 };
	size_t i;
	int ret = EXIT_OK;

	if (bindings_read(ipsec, &list))
		ret = failed("%s", ipsec_error(ipsec));
	for (i = 0; i < list.count && !ret; i++) {
		const struct binding *binding = list.item[i];
		const struct identity_end *remote = &binding->identity->remote;

		if (remote->method != identity->remote.method ||
		    !itoken_begins(remote->itoken, order->itoken))
			continue;
		if (found && memcmp(found, remote->itoken, IPSEC_ITOKEN_SIZE))
			ret = failed("itoken: several begin with \"%s\"", order->itoken);
		found = remote->itoken;
	}
	if (!ret && !found)
		ret = failed("itoken: no SA has one that begins with \"%s\" and method %s",
			     order->itoken, method_name(identity->remote.method));
	if (!ret)
		memcpy(identity->remote.itoken, found, IPSEC_ITOKEN_SIZE);
	bindings_free(&list);
	return ret;
}

static bool any_word(const struct words *words)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (words->value[i])
			return true;
	return false;
}

static int identity_derive(const struct order *order, struct end *peer, struct end *local,
			   struct identity *identity)
{
	int ret;

	ret = text_check("", "policy", order->policy);
	if (!ret)
		ret = end_derive(peer, false, &identity->remote);
	if (!ret && any_word(local->words))
		ret = end_derive(local, true, &identity->local);
	if (!ret)
		ret = itoken_check(order, peer);
	if (ret)
		return ret;
	if (claim_binding(identity, &peer->proof, &local->proof))
		return failed("channel binding: out of memory");
	if (identity->binding_len > IPSEC_IDENTITY_MAX_BINDING)
		return failed("local-%s: the channel binding has %zu bytes, and %d is the most",
			      word_names[order->local.value[KEY] ? KEY : CERT],
			      identity->binding_len, IPSEC_IDENTITY_MAX_BINDING);
	identity->policy = xstrdup(order->policy);
	identity->source = xstrdup(BY_HAND);
	return EXIT_OK;
}

/* --------------------------------------------------------------------- the kernel */

/* Which of several SAs it was that the kernel did not find. */
static int bind_failed(struct ipsec *ipsec, const struct sas *sas, int err)
{
	char text[SA_REF_TEXT];
	size_t i;

	for (i = 0; err == -ENOENT && i < sas->count; i++) {
		if (!sa_ref_exists(&sas->sa[i])) {
			ipsec_close(ipsec);
			return failed("sa: %s does not exist", sa_ref_text(&sas->sa[i], text));
		}
	}
	return admin_failed(ipsec);
}

static int bind_now(struct ipsec *ipsec, const struct sas *sas, const struct identity *identity)
{
	static _Alignas(8) char buf[MESSAGE_SIZE];
	struct nlmsghdr *nlh;
	size_t i;
	int err;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	message_put_identity(nlh, identity);
	for (i = 0; i < sas->count; i++)
		message_put_sa(nlh, &sas->sa[i]);
	err = admin_talk(ipsec, nlh, NULL, NULL);
	if (err)
		return bind_failed(ipsec, sas, err);
	ipsec_close(ipsec);
	return EXIT_OK;
}

static int order_carry_out(const struct order *order, struct identity *identity)
{
	struct ipsec *ipsec = NULL;
	int ret;

	if ((order->itoken || !order->dry_run) && admin_open(&ipsec))
		return EXIT_FAILED;
	ret = order->itoken ? itoken_continue(ipsec, order, identity) : EXIT_OK;
	/* which depends on the iToken */
	if (!ret)
		ret = lineage_set(order, identity);
	if (!ret && !order->dry_run)
		return bind_now(ipsec, &order->sas, identity);
	if (ipsec)
		ipsec_close(ipsec);
	if (ret)
		return ret;
	if (output.json)
		identity_json(NULL, identity);
	else
		identity_print(identity);
	return EXIT_OK;
}

/**
 * identity_bind() - ipsec-token identity bind sa ... method METHOD ...
 * @argc: how many arguments
 * @argv: the arguments
 *
 * Return: exit code.
 */
int identity_bind(int argc, char **argv)
{
	struct order order = { .peer.prefix = "", .local.prefix = "local-" };
	struct end *end = xcalloc(2, sizeof(*end));
	struct identity *identity = identity_new();
	int ret;

	end[0].words = &order.peer;
	end[1].words = &order.local;
	ret = order_read(&order, argc, argv);
	if (!ret && !order.sas.count && !order.dry_run)
		ret = usage("identity bind takes SAs: sa PROTOCOL SPI ADDRESS");
	if (!ret)
		ret = identity_derive(&order, &end[0], &end[1], identity);
	if (!ret)
		ret = order_carry_out(&order, identity);
	end_free(&end[0]);
	end_free(&end[1]);
	free(end);
	identity_put(identity);
	return ret;
}
