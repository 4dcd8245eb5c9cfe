// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who is the peer, and how that was proved.
 *
 * An iToken is a copy of what the keying agent told the kernel, so it needs no
 * handle and holds nothing. What makes two of them equal is a number that the
 * agent derives from what was proved of the peer; it is all that an exported
 * one consists of.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define EXPORT_PREFIX "ipsec-itoken:1:"

_Static_assert(sizeof(EXPORT_PREFIX) + 2 * IPSEC_ITOKEN_SIZE <= IPSEC_ITOKEN_TEXT_SIZE,
	       "room for the text");

/**
 * struct ipsec_itoken - an identity
 * @value: equal for the same peer, proved in the same way
 * @method: enum ipsec_auth_method, 0: not available
 * @id_type: ID_* of RFC 7296, -1: not available
 * @text: by IPSEC_IDENTITY_A_*, NULL: not available, or no text
 * @binding: channel binding, NULL: not available
 * @binding_size: its size
 * @data: where @text and @binding point to
 */
struct ipsec_itoken {
	uint8_t value[IPSEC_ITOKEN_SIZE];
	uint8_t method;
	int id_type;
	const char *text[IPSEC_IDENTITY_A_MAX + 1];
	const void *binding;
	size_t binding_size;
	char data[];
};

/* Attributes that are strings. */
static bool is_text(uint16_t type)
{
	switch (type) {
	case IPSEC_IDENTITY_A_IKE_ID:
	case IPSEC_IDENTITY_A_CA_DN:
	case IPSEC_IDENTITY_A_CERTIFICATE_DN:
	case IPSEC_IDENTITY_A_PUBKEY_ID:
	case IPSEC_IDENTITY_A_AUDIT_STRING:
	case IPSEC_IDENTITY_A_POLICY_NAME:
		return true;
	default:
		return false;
	}
}

static int read_attr(struct ipsec_itoken *itoken, const struct nlattr *attr, size_t *used)
{
	const char *data = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);
	uint16_t type = mnl_attr_get_type(attr);
	char *copy = itoken->data + *used;

	if (is_text(type)) {
		if (!len || strnlen(data, len) != len - 1)
			return -EPROTO;
		itoken->text[type] = memcpy(copy, data, len);
		*used += len;
		return 0;
	}
	switch (type) {
	case IPSEC_IDENTITY_A_ITOKEN:
		if (len != sizeof(itoken->value))
			return -EPROTO;
		memcpy(itoken->value, data, len);
		return 0;
	case IPSEC_IDENTITY_A_METHOD:
		if (len != 1 || *(const uint8_t *)data < IPSEC_AUTH_NONE ||
		    *(const uint8_t *)data > IPSEC_AUTH_MAX)
			return -EPROTO;
		itoken->method = *(const uint8_t *)data;
		return 0;
	case IPSEC_IDENTITY_A_IKE_ID_TYPE:
		if (len != 1)
			return -EPROTO;
		itoken->id_type = *(const uint8_t *)data;
		return 0;
	case IPSEC_IDENTITY_A_CHANNEL_BINDING:
		itoken->binding = memcpy(copy, data, len);
		itoken->binding_size = len;
		*used += len;
		return 0;
	default:
		return 0;
	}
}

static int read_all(const void *attrs, size_t size, struct ipsec_itoken **itoken,
		    const struct nlattr **local)
{
	const char *end = (const char *)attrs + size;
	const struct nlattr *attr = attrs;
	struct ipsec_itoken *out;
	bool valued = false;
	size_t used = 0;

	/* what is copied is part of the attributes, and so are their heads */
	out = calloc(1, sizeof(*out) + size);
	if (!out)
		return -ENOMEM;
	out->id_type = -1;

	for (; mnl_attr_ok(attr, end - (const char *)attr); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == IPSEC_IDENTITY_A_LOCAL)
			*local = attr;
		if (read_attr(out, attr, &used))
			goto malformed;
		valued |= mnl_attr_get_type(attr) == IPSEC_IDENTITY_A_ITOKEN;
	}
	if ((const char *)attr < end || !valued)
		goto malformed;
	*itoken = out;
	return 0;

malformed:
	free(out);
	return -EPROTO;
}

/**
 * ipsec_itoken_parse() - read an identity
 * @attrs: content of a nest of enum ipsec_identity_attr
 * @size: its size
 * @itoken: set to the peer's, to be freed with ipsec_itoken_free(), may be NULL
 * @local: set to this end's likewise, or to NULL if that was not told, may be
 *	NULL
 *
 * Return: 0, -EPROTO if it makes no sense, or -ENOMEM.
 */
int ipsec_itoken_parse(const void *attrs, size_t size, struct ipsec_itoken **itoken,
		       struct ipsec_itoken **local)
{
	const struct nlattr *nest = NULL, *none = NULL;
	struct ipsec_itoken *peer = NULL, *own = NULL;
	int err;

	err = read_all(attrs, size, &peer, &nest);
	if (!err && nest)
		err = read_all(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), &own,
			       &none);
	if (err) {
		free(peer);
		return err;
	}
	if (itoken)
		*itoken = peer;
	else
		free(peer);
	if (local)
		*local = own;
	else
		free(own);
	return 0;
}

static int identify(struct ipsec *ipsec, ipsec_ptoken_t ptoken, struct ipsec_itoken **itoken,
		    struct ipsec_itoken **local)
{
	const struct ipsec_context *context;
	int err;

	err = ipsec_look(ipsec, ptoken, &context);
	if (err)
		return err;
	if (ptoken == IPSEC_PTOKEN_NONE)
		err = ipsec_fail(ipsec, -ENOENT, "no protection, so no identity");
	else if (!context->identity)
		err = ipsec_fail(ipsec, -EAGAIN, "no identity has been bound yet");
	else
		err = ipsec_itoken_parse(context->identity, context->identity_size, itoken, local);
	ipsec_leave(ipsec);
	return err;
}

/**
 * ipsec_ptoken_itoken() - who is the peer?
 * @ipsec: handle
 * @ptoken: token
 * @itoken: set to the identity, to be freed with ipsec_itoken_free()
 *
 * Return: 0, -EAGAIN if no identity has been bound yet, -ENOENT for
 * IPSEC_PTOKEN_NONE, -ENOMEM, or an error as of ipsec_ptoken_attributes().
 */
int ipsec_ptoken_itoken(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			struct ipsec_itoken **itoken)
{
	*itoken = NULL;
	return identify(ipsec, ptoken, itoken, NULL);
}

/**
 * ipsec_ptoken_local_itoken() - as whom does the peer know this end?
 * @ipsec: handle
 * @ptoken: token
 * @itoken: set to the identity, to be freed with ipsec_itoken_free()
 *
 * Return: 0, -ENODATA if the agent did not tell, or an error as of
 * ipsec_ptoken_itoken().
 */
int ipsec_ptoken_local_itoken(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			      struct ipsec_itoken **itoken)
{
	int err;

	*itoken = NULL;
	err = identify(ipsec, ptoken, NULL, itoken);
	return !err && !*itoken ? -ENODATA : err;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The news may be taken by another thread, which is no reason to miss it. */
#define WAIT_SLICE_MS 100

/**
 * ipsec_ptoken_itoken_wait() - who is the peer? Wait until that is known
 * @ipsec: handle; other threads can use it meanwhile
 * @ptoken: token
 * @milliseconds: how long to wait at most, -1: for ever
 * @itoken: set to the identity, to be freed with ipsec_itoken_free()
 *
 * Return: 0, -ETIMEDOUT, or an error as of ipsec_ptoken_itoken() but -EAGAIN.
 */
int ipsec_ptoken_itoken_wait(struct ipsec *ipsec, ipsec_ptoken_t ptoken, int milliseconds,
			     struct ipsec_itoken **itoken)
{
	int64_t end = now_ms() + milliseconds;
	struct pollfd pollfd = { .events = POLLIN };
	int64_t left;
	int err;

	for (;;) {
		err = ipsec_ptoken_itoken(ipsec, ptoken, itoken);
		if (err != -EAGAIN)
			return err;
		left = milliseconds < 0 ? WAIT_SLICE_MS : end - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;

		ipsec_enter(ipsec);
		pollfd.fd = ipsec->changes ? mnl_socket_get_fd(ipsec->changes) : -1;
		ipsec_leave(ipsec);
		poll(&pollfd, 1, left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS);
	}
}

/**
 * ipsec_itoken_free() - free an identity
 * @itoken: identity, NULL does nothing
 */
void ipsec_itoken_free(struct ipsec_itoken *itoken)
{
	free(itoken);
}

/**
 * ipsec_itoken_equal() - is it the same peer, proved in the same way?
 * @a: identity
 * @b: identity
 *
 * A peer that was not authenticated at all equals nobody, not even itself.
 *
 * Return: 1 yes, 0 no.
 */
int ipsec_itoken_equal(const struct ipsec_itoken *a, const struct ipsec_itoken *b)
{
	if (!a || !b || a->method == IPSEC_AUTH_NONE || b->method == IPSEC_AUTH_NONE)
		return 0;
	return !memcmp(a->value, b->value, sizeof(a->value));
}

/**
 * ipsec_itoken_export() - write an identity down, to compare with it later
 * @itoken: identity
 * @buf: for the text and its zero byte, IPSEC_ITOKEN_TEXT_SIZE is enough
 * @size: of @buf
 *
 * The text is the same in every process and after every restart. It holds
 * nothing but what ipsec_itoken_equal() compares.
 *
 * Return: length of the text, -EOVERFLOW if there is no room for it, -ENODATA
 * for a peer that was not authenticated.
 */
int ipsec_itoken_export(const struct ipsec_itoken *itoken, char *buf, size_t size)
{
	const size_t len = sizeof(EXPORT_PREFIX) - 1 + 2 * IPSEC_ITOKEN_SIZE;
	unsigned int i;

	if (itoken->method == IPSEC_AUTH_NONE)
		return -ENODATA;
	if (size <= len)
		return -EOVERFLOW;
	buf += sprintf(buf, "%s", EXPORT_PREFIX);
	for (i = 0; i < IPSEC_ITOKEN_SIZE; i++)
		buf += sprintf(buf, "%02x", itoken->value[i]);
	return len;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/**
 * ipsec_itoken_import() - read an identity that was written down
 * @text: from ipsec_itoken_export()
 * @itoken: set to the identity, to be freed with ipsec_itoken_free(); all its
 *	attributes are "not available"
 *
 * Return: 0, -EINVAL if the text is not an identity, -ENOMEM.
 */
int ipsec_itoken_import(const char *text, struct ipsec_itoken **itoken)
{
	const size_t prefix = sizeof(EXPORT_PREFIX) - 1;
	struct ipsec_itoken *out;
	unsigned int i;

	*itoken = NULL;
	if (strncmp(text, EXPORT_PREFIX, prefix) ||
	    strlen(text) != prefix + 2 * IPSEC_ITOKEN_SIZE)
		return -EINVAL;
	out = calloc(1, sizeof(*out));
	if (!out)
		return -ENOMEM;
	out->id_type = -1;
	for (i = 0; i < IPSEC_ITOKEN_SIZE; i++) {
		int high = hex_digit(text[prefix + 2 * i]);
		int low = hex_digit(text[prefix + 2 * i + 1]);

		if (high < 0 || low < 0) {
			free(out);
			return -EINVAL;
		}
		out->value[i] = high << 4 | low;
	}
	*itoken = out;
	return 0;
}

/**
 * ipsec_itoken_value() - what makes identities equal
 * @itoken: an identity
 * @value: set to IPSEC_ITOKEN_SIZE bytes
 * @valued: set if it was
 *
 * Return: 0, -ENODATA for a peer that was not authenticated.
 */
int ipsec_itoken_value(const struct ipsec_itoken *itoken, uint8_t *value, bool *valued)
{
	if (itoken->method == IPSEC_AUTH_NONE)
		return -ENODATA;
	memcpy(value, itoken->value, IPSEC_ITOKEN_SIZE);
	*valued = true;
	return 0;
}

/**
 * ipsec_itoken_of_value() - an identity of which no more than that is known
 * @value: IPSEC_ITOKEN_SIZE bytes
 * @itoken: set to it, to be freed with ipsec_itoken_free()
 *
 * Return: 0 or -ENOMEM.
 */
int ipsec_itoken_of_value(const uint8_t *value, struct ipsec_itoken **itoken)
{
	*itoken = calloc(1, sizeof(**itoken));
	if (!*itoken)
		return -ENOMEM;
	(*itoken)->id_type = -1;
	memcpy((*itoken)->value, value, IPSEC_ITOKEN_SIZE);
	return 0;
}

/**
 * ipsec_itoken_method() - how was the peer authenticated?
 * @itoken: identity
 *
 * Return: enum ipsec_auth_method, -ENODATA for one that was imported.
 */
int ipsec_itoken_method(const struct ipsec_itoken *itoken)
{
	return itoken->method ? itoken->method : -ENODATA;
}

/**
 * ipsec_itoken_ike_id_type() - of what type is the IKE identity?
 * @itoken: identity
 *
 * Return: ID_* of RFC 7296 section 3.5, or -ENODATA.
 */
int ipsec_itoken_ike_id_type(const struct ipsec_itoken *itoken)
{
	return itoken->id_type >= 0 ? itoken->id_type : -ENODATA;
}

/**
 * ipsec_itoken_ike_id() - the IKE identity
 * @itoken: identity
 *
 * Return: text, valid as long as @itoken, NULL if not available.
 */
const char *ipsec_itoken_ike_id(const struct ipsec_itoken *itoken)
{
	return itoken->text[IPSEC_IDENTITY_A_IKE_ID];
}

/**
 * ipsec_itoken_ca_dn() - distinguished name of the CA that vouched for the peer
 * @itoken: identity
 *
 * Return: text after RFC 4514, valid as long as @itoken, NULL if not available.
 */
const char *ipsec_itoken_ca_dn(const struct ipsec_itoken *itoken)
{
	return itoken->text[IPSEC_IDENTITY_A_CA_DN];
}

/**
 * ipsec_itoken_certificate_dn() - distinguished name of the peer's certificate
 * @itoken: identity
 *
 * Return: text after RFC 4514, valid as long as @itoken, NULL if not available.
 */
const char *ipsec_itoken_certificate_dn(const struct ipsec_itoken *itoken)
{
	return itoken->text[IPSEC_IDENTITY_A_CERTIFICATE_DN];
}

/**
 * ipsec_itoken_pubkey_id() - identifier of the peer's public key
 * @itoken: identity
 *
 * Return: text, valid as long as @itoken, NULL if not available.
 */
const char *ipsec_itoken_pubkey_id(const struct ipsec_itoken *itoken)
{
	return itoken->text[IPSEC_IDENTITY_A_PUBKEY_ID];
}

/**
 * ipsec_itoken_policy_name() - name of the connection in the daemon's
 *	configuration
 * @itoken: identity
 *
 * Return: text, valid as long as @itoken, NULL if not available.
 */
const char *ipsec_itoken_policy_name(const struct ipsec_itoken *itoken)
{
	return itoken->text[IPSEC_IDENTITY_A_POLICY_NAME];
}

/**
 * ipsec_itoken_audit_string() - describe the identity in one line, for a log
 * @itoken: identity
 *
 * Return: text, valid as long as @itoken, NULL if not available.
 */
const char *ipsec_itoken_audit_string(const struct ipsec_itoken *itoken)
{
	return itoken->text[IPSEC_IDENTITY_A_AUDIT_STRING];
}

/**
 * ipsec_itoken_channel_binding() - bytes that are the same at both ends of this
 *	protection and of no other
 * @itoken: identity
 * @data: set to the bytes, valid as long as @itoken
 * @size: set to their number
 *
 * Return: 0, -ENODATA if not available: there were no public keys at both ends.
 */
int ipsec_itoken_channel_binding(const struct ipsec_itoken *itoken, const void **data,
				 size_t *size)
{
	if (!itoken->binding)
		return -ENODATA;
	*data = itoken->binding;
	*size = itoken->binding_size;
	return 0;
}

/**
 * ipsec_auth_method_name() - name of an authentication method
 * @method: enum ipsec_auth_method
 *
 * Return: the draft's name, NULL if there is no such method.
 */
const char *ipsec_auth_method_name(int method)
{
	static const char *const names[] = {
		[IPSEC_AUTH_NONE]	  = "NONE",
		[IPSEC_AUTH_BTNS]	  = "BTNS",
		[IPSEC_AUTH_LEAPOFFAITH]  = "LEAPOFFAITH",
		[IPSEC_AUTH_GROUPKEY]	  = "GROUPKEY",
		[IPSEC_AUTH_PRESHAREDKEY] = "PRESHAREDKEY",
		[IPSEC_AUTH_XAUTH]	  = "XAUTH",
		[IPSEC_AUTH_EAP]	  = "EAP",
		[IPSEC_AUTH_PKIX_OFFLINE] = "PKIX_OFFLINE",
		[IPSEC_AUTH_PKIX_INLINE]  = "PKIX_INLINE",
		[IPSEC_AUTH_PKIX_TRUSTED] = "PKIX_TRUSTED",
	};

	return method > 0 && method <= IPSEC_AUTH_MAX ? names[method] : NULL;
}
