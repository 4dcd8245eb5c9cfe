// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of SAs of ipsec-tokend, against a kernel module that is played here:
 * it is loaded anew, has been told by others, fails, and loses messages.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pfkeyv2.h>

#include "../tools/credential.h"
#include "../tools/tokend/log.h"
#include "../tools/tokend/sas.h"
#include "helpers/unit.h"

/* the module as it is played: up to eight SAs, each with an identity or not */
static struct {
	int error;
	unsigned int asked;
	struct {
		struct sa_ref ref;
		struct identity *identity;
	} sa[8];
	size_t count;
} kernel;

static size_t kernel_find(const struct sa_ref *ref)
{
	size_t i;

	for (i = 0; i < kernel.count; i++)
		if (!memcmp(&kernel.sa[i].ref, ref, sizeof(*ref)))
			break;
	return i;
}

static int played_bind(const struct sa_ref *ref, size_t count, const struct identity *identity)
{
	size_t i, k;

	kernel.asked++;
	if (kernel.error)
		return kernel.error;
	for (i = 0; i < count; i++) {
		k = kernel_find(&ref[i]);
		if (k == kernel.count)
			return -ENOENT;
		if (kernel.sa[k].identity && !identity_equal(kernel.sa[k].identity, identity))
			return -EEXIST;
	}
	for (i = 0; i < count; i++) {
		k = kernel_find(&ref[i]);
		identity_put(kernel.sa[k].identity);
		kernel.sa[k].identity = identity_copy(identity);
	}
	return 0;
}

static int played_dump(void)
{
	size_t i;

	if (kernel.error)
		return kernel.error;
	for (i = 0; i < kernel.count; i++)
		if (kernel.sa[i].identity)
			sas_bound(&kernel.sa[i].ref, kernel.sa[i].identity);
	return 0;
}

static const struct sas_kernel played = { .bind = played_bind, .dump = played_dump };

static struct sa_ref ref_of(const char *address, uint32_t spi, uint32_t mark)
{
	struct sa_ref ref;

	EXPECT(sa_ref_set(&ref, SADB_SATYPE_ESP, address, spi));
	ref.mark = mark;
	return ref;
}

static void kernel_add(const struct sa_ref *ref)
{
	kernel.sa[kernel.count++].ref = *ref;
	sas_exists(ref);
}

static void kernel_reload(void)
{
	size_t i;

	for (i = 0; i < kernel.count; i++) {
		identity_put(kernel.sa[i].identity);
		kernel.sa[i].identity = NULL;
	}
}

static struct identity *identity_of(const char *id)
{
	struct identity *identity = identity_new();

	identity->remote.method = IPSEC_AUTH_GROUPKEY;
	itoken_id(identity->remote.itoken, IPSEC_AUTH_GROUPKEY, IKE_ID_FQDN, id);
	identity->remote.id = xstrdup(id);
	identity->lineage = 7;
	return identity;
}

static bool kernel_has(const struct sa_ref *ref, const char *id)
{
	size_t k = kernel_find(ref);

	if (k == kernel.count || !kernel.sa[k].identity)
		return !id;
	return id && !strcmp(kernel.sa[k].identity->remote.id, id);
}

static void test_table(void)
{
	struct sa_ref pair[2] = { ref_of("192.0.2.1", 1, 0), ref_of("192.0.2.2", 2, 0) };
	struct sa_ref marked = ref_of("2001:db8::1", 3, 5), unmarked = ref_of("2001:db8::1", 3, 0);
	struct sa_ref other = ref_of("2001:db8::1", 3, 6), late = ref_of("192.0.2.3", 4, 0);
	struct identity *a = identity_of("a"), *b = identity_of("b");

	memset(&kernel, 0, sizeof(kernel));
	sas_init(&played, NULL);
	kernel_add(&pair[0]);
	kernel_add(&pair[1]);
	EXPECT(sas_strangers() == 2 && sas_strangers() == 0);
	sas_identify(pair, 2, a);
	EXPECT(kernel.asked == 1 && kernel_has(&pair[0], "a") && kernel_has(&pair[1], "a"));
	/* said again: nothing to be told; said otherwise: the first one stays */
	sas_identify(pair, 2, a);
	sas_identify(pair, 2, b);
	EXPECT(kernel.asked == 1 && kernel_has(&pair[0], "a"));
	EXPECT(sas_identity(&pair[0]) == a && sas_lineage(7, a->remote.itoken) == a);
	EXPECT(!sas_lineage(8, a->remote.itoken) && !sas_lineage(7, b->remote.itoken));

	/* the module is loaded anew; while it is not there, nothing is lost */
	kernel_reload();
	kernel.error = -ENOPROTOOPT;
	EXPECT(sas_reconcile() == -ENOPROTOOPT);
	kernel_add(&late);
	sas_identify(&late, 1, b);
	kernel.error = 0;
	EXPECT(!sas_reconcile());
	EXPECT(kernel_has(&pair[0], "a") && kernel_has(&pair[1], "a") && kernel_has(&late, "b"));

	/* a mark that is not told is found if there is one candidate */
	kernel_add(&marked);
	sas_identify(&unmarked, 1, a);
	EXPECT(kernel_has(&marked, "a"));
	kernel_add(&other);
	sas_gone(&marked);
	sas_exists(&marked);
	sas_identify(&unmarked, 1, b);
	EXPECT(kernel_has(&other, NULL));

	/* what does not exist is not told of, and gone is gone */
	kernel.asked = 0;
	sas_gone(&late);
	sas_identify(&late, 1, b);
	EXPECT(!kernel.asked && !sas_identity(&late));
	sas_gone_all(SADB_SATYPE_AH);
	EXPECT(sas_count());
	sas_gone_all(0);
	EXPECT(!sas_count());
	sas_exit();
	kernel_reload();
	identity_put(a);
	identity_put(b);
}

static void test_table_again(void)
{
	struct sa_ref ref = ref_of("192.0.2.1", 1, 0), second = ref_of("192.0.2.2", 2, 0);
	struct identity *a = identity_of("a"), *b = identity_of("b");

	/* an agent that was started anew learns from the module */
	memset(&kernel, 0, sizeof(kernel));
	sas_init(&played, NULL);
	kernel_add(&ref);
	kernel_add(&second);
	kernel.sa[0].identity = identity_copy(a);
	EXPECT(!sas_reconcile());
	EXPECT(sas_identity(&ref) && identity_equal(sas_identity(&ref), a));
	sas_identify(&ref, 1, b);
	EXPECT(kernel_has(&ref, "a"));

	/* somebody else has bound it meanwhile: it stays so */
	kernel.sa[1].identity = identity_copy(b);
	sas_identify(&second, 1, a);
	EXPECT(kernel_has(&second, "b"));
	EXPECT(!sas_reconcile() && identity_equal(sas_identity(&second), b));

	/*
	 * After messages were lost, an SA of the same name may be another one.
	 * Only what the module still has, or a source says again, holds.
	 */
	kernel_reload();
	sas_begin();
	sas_exists(&ref);
	sas_end();
	EXPECT(sas_count() == 1);
	EXPECT(!sas_reconcile() && kernel_has(&ref, NULL) && !sas_identity(&ref));
	sas_identify(&ref, 1, b);
	EXPECT(kernel_has(&ref, "b"));

	/* failures that may pass are not forgotten */
	kernel_reload();
	kernel.error = -ENOMEM;
	EXPECT(sas_reconcile() == -ENOMEM);
	kernel.error = 0;
	EXPECT(!sas_reconcile() && kernel_has(&ref, "b"));
	sas_exit();
	kernel_reload();
	identity_put(a);
	identity_put(b);
}

static void test_table_many(void)
{
	struct identity *a = identity_of("a");
	struct sa_ref ref;
	uint32_t i;

	memset(&kernel, 0, sizeof(kernel));
	sas_init(&played, NULL);
	for (i = 1; i <= 10000; i++) {
		ref = ref_of("192.0.2.1", i << 16 | i, 0);
		sas_exists(&ref);
	}
	EXPECT(sas_count() == 10000 && sas_strangers() == 10000);
	for (i = 1; i <= 10000; i += 2) {
		ref = ref_of("192.0.2.1", i << 16 | i, 0);
		sas_gone(&ref);
	}
	EXPECT(sas_count() == 5000);
	sas_exit();
	identity_put(a);
}

static const struct unit_test tests[] = {
	{ test_table, "told, loaded anew, gone" },
	{ test_table_again, "started over" },
	{ test_table_many, "many SAs" },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

int main(void)
{
	log_level_set(0);
	return unit_run(tests, TESTS);
}
