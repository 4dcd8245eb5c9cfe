// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a token stands for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* what programs were compiled with stays as it is, and is alike for 32 bit ones */
_Static_assert(sizeof(struct ipsec_ptoken_attributes) == 24, "layout is for ever");
_Static_assert(sizeof(struct ipsec_selector) == 56, "layout is for ever");
_Static_assert(sizeof(struct ipsec_lifetimes) == 64, "layout is for ever");
_Static_assert(sizeof(struct ipsec_sa) == 400, "layout is for ever");

/* the kernel told nothing of it: no attribute is marked as seen */
static const struct ipsec_context unprotected;

struct resolve {
	ipsec_ptoken_t ptoken;
	struct ipsec_context *context;
};

static int resolve_reply(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *ptoken = ipsec_parse_find(nlh, IPSEC_A_PTOKEN);
	const struct nlattr *context = ipsec_parse_find(nlh, IPSEC_A_CONTEXT);
	struct resolve *resolve = data;

	if (!ptoken || !context || resolve->context ||
	    mnl_attr_get_payload_len(ptoken) != sizeof(resolve->ptoken) ||
	    memcmp(mnl_attr_get_payload(ptoken), &resolve->ptoken, sizeof(resolve->ptoken)))
		return -EPROTO;
	return ipsec_parse_context(context, &resolve->context);
}

static int resolve(struct ipsec *ipsec, ipsec_ptoken_t ptoken, struct ipsec_context **context)
{
	_Alignas(8) char buf[64];
	struct resolve resolve = { .ptoken = ptoken };
	struct nlmsghdr *nlh;
	int err;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_PTOKEN_GET, 0);
	mnl_attr_put_u64(nlh, IPSEC_A_PTOKEN, ptoken);
	err = ipsec_nl_talk(ipsec, nlh, resolve_reply, &resolve);
	if (err) {
		free(resolve.context);
		return err;
	}
	*context = resolve.context;
	return 0;
}

/**
 * ipsec_look() - begin to look at what a token stands for
 * @ipsec: handle, whose lock is taken if this succeeds; end with ipsec_leave()
 * @ptoken: token
 * @out: set to what it stands for, to be used until then
 *
 * An answer that is on its way while things change may be that of before. So
 * the news is read before the question is sent, and the answer kept only if
 * there was none when it is in. News that comes later finds it in the cache.
 *
 * Return: 0 or an error as of ipsec_ptoken_attributes().
 */
int ipsec_look(struct ipsec *ipsec, ipsec_ptoken_t ptoken, const struct ipsec_context **out)
{
	struct ipsec_context *context;
	int err;

	ipsec_enter(ipsec);
	if (ptoken == IPSEC_PTOKEN_NONE) {
		*out = &unprotected;
		return 0;
	}
	if (ptoken == IPSEC_PTOKEN_UNKNOWN) {
		err = ipsec_fail(ipsec, -ENODATA, NULL);
		goto fail;
	}

	if (ipsec_nl_changed(ipsec))
		ipsec_cache_drop(&ipsec->cache);
	*out = ipsec_cache_find(&ipsec->cache, ptoken);
	if (*out)
		return 0;

	err = resolve(ipsec, ptoken, &context);
	if (err)
		goto fail;
	*out = context;
	if (ipsec_nl_changed(ipsec)) {
		ipsec_cache_drop(&ipsec->cache);
		ipsec->passing = context;
	} else {
		ipsec_cache_add(&ipsec->cache, ptoken, context);
	}
	return 0;

fail:
	ipsec_leave(ipsec);
	return err;
}

/* Copy a structure to a caller who may know an older or a newer one. */
static void copy_out(void *to, size_t to_size, const void *from, size_t from_size)
{
	size_t size = to_size < from_size ? to_size : from_size;

	memcpy(to, from, size);
	memset((char *)to + size, 0, to_size - size);
}

/**
 * ipsec_ptoken_attributes() - all attributes of a token
 * @ipsec: handle
 * @ptoken: token
 * @attributes: filled in
 * @size: of @attributes as the caller knows it
 *
 * Return: 0, -ENODATA for IPSEC_PTOKEN_UNKNOWN, -ESTALE if the token is not of
 * this process or what it stood for is gone, -ENOPROTOOPT if the kernel module
 * is not loaded, -EINVAL if @size is too small for any version of the library.
 */
int ipsec_ptoken_attributes(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			    struct ipsec_ptoken_attributes *attributes, size_t size)
{
	const struct ipsec_context *context;
	int err;

	if (size < sizeof(*attributes))
		return -EINVAL;
	err = ipsec_look(ipsec, ptoken, &context);
	if (err)
		return err;
	copy_out(attributes, size, &context->attributes, sizeof(context->attributes));
	ipsec_leave(ipsec);
	return 0;
}

/**
 * ipsec_ptoken_privacy_protected() - was it encrypted, by a trusted algorithm?
 * @ipsec: handle
 * @ptoken: token
 *
 * Return: 1 yes, 0 no, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_privacy_protected(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	return err ? err : attributes.privacy_protected;
}

/**
 * ipsec_ptoken_integrity_protected() - was it authenticated, by a trusted
 *	algorithm?
 * @ipsec: handle
 * @ptoken: token
 *
 * Return: 1 yes, 0 no, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_integrity_protected(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	return err ? err : attributes.integrity_protected;
}

/**
 * ipsec_ptoken_compression_available() - is IPComp part of the protection?
 * @ipsec: handle
 * @ptoken: token
 *
 * Return: 1 yes, 0 no, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_compression_available(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	return err ? err : attributes.compression_available;
}

/**
 * ipsec_ptoken_tunnel_mode() - is any of its SAs in tunnel mode?
 * @ipsec: handle
 * @ptoken: token
 *
 * Return: 1 yes, 0 no, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_tunnel_mode(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	return err ? err : attributes.tunnel_mode;
}

/**
 * ipsec_ptoken_end_to_end() - are the protected addresses the connection's own?
 * @ipsec: handle
 * @ptoken: token
 *
 * Return: 1 yes, 0 no, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_end_to_end(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	return err ? err : attributes.end_to_end;
}

/**
 * ipsec_ptoken_established() - since when is there this protection?
 * @ipsec: handle
 * @ptoken: token
 * @seconds: set to the time since the epoch, 0 for IPSEC_PTOKEN_NONE
 *
 * Return: 0, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_established(struct ipsec *ipsec, ipsec_ptoken_t ptoken, int64_t *seconds)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	if (!err)
		*seconds = attributes.established;
	return err;
}

/**
 * ipsec_ptoken_sa_count() - how many SAs make up the protection?
 * @ipsec: handle
 * @ptoken: token
 *
 * Return: their number, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_sa_count(struct ipsec *ipsec, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;
	int err = ipsec_ptoken_attributes(ipsec, ptoken, &attributes, sizeof(attributes));

	return err ? err : (int)attributes.sa_count;
}

/**
 * ipsec_ptoken_sa() - details of one SA
 * @ipsec: handle
 * @ptoken: token
 * @i: which one, from 0
 * @sa: filled in
 * @size: of @sa as the caller knows it
 *
 * Return: 0, -ENOENT if there are not so many, or an error as of
 * ipsec_ptoken_attributes().
 */
int ipsec_ptoken_sa(struct ipsec *ipsec, ipsec_ptoken_t ptoken, unsigned int i,
		    struct ipsec_sa *sa, size_t size)
{
	const struct ipsec_context *context;
	int err;

	if (size < sizeof(*sa))
		return -EINVAL;
	err = ipsec_look(ipsec, ptoken, &context);
	if (err)
		return err;
	if (i < context->attributes.sa_count)
		copy_out(sa, size, &context->sa[i].sa, sizeof(context->sa[i].sa));
	else
		err = ipsec_fail(ipsec, -ENOENT, "no SA number %u", i);
	ipsec_leave(ipsec);
	return err;
}

/**
 * ipsec_ptoken_audit_string() - describe the protection in one line, for a log
 * @ipsec: handle
 * @ptoken: token
 * @buf: for the text and its zero byte
 * @size: of @buf, 0: only measure
 *
 * Return: length of the whole text, which was cut short if this is @size or
 * more; or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_audit_string(struct ipsec *ipsec, ipsec_ptoken_t ptoken, char *buf, size_t size)
{
	const struct ipsec_context *context;
	int len;

	len = ipsec_look(ipsec, ptoken, &context);
	if (len)
		return len;
	len = ipsec_audit_string(context, buf, size);
	ipsec_leave(ipsec);
	return len;
}
