// SPDX-License-Identifier: GPL-2.0-only
/*
 * Identities, names of SAs and requests in messages to the kernel module, and
 * from it.
 */
#include <stdio.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include "log.h"
#include "message.h"

_Static_assert(IPSEC_REQUEST_MAX_TEXT <= IPSEC_IDENTITY_MAX_STRING, "put_words() has no room");

/* What is too long is not available: half a name would be another name. */
static void put_string(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	if (text && *text && strlen(text) <= IPSEC_IDENTITY_MAX_STRING)
		mnl_attr_put_strz(nlh, type, text);
}

/* This is for people, who can read half of it. */
static void put_words(struct nlmsghdr *nlh, uint16_t type, const char *text, size_t max)
{
	char cut[IPSEC_IDENTITY_MAX_STRING + 1];
	size_t len = max;

	if (!text || !*text)
		return;
	/* not in the midst of a character of UTF-8 */
	if ((size_t)snprintf(cut, max + 1, "%s", text) > max) {
		while (len && (text[len] & 0xc0) == 0x80)
			len--;
		cut[len] = '\0';
	}
	mnl_attr_put_strz(nlh, type, cut);
}

static void put_end(struct nlmsghdr *nlh, const struct identity_end *end)
{
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(end->itoken), end->itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, end->method);
	if (end->id && *end->id && strlen(end->id) <= IPSEC_IDENTITY_MAX_STRING) {
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_IKE_ID_TYPE, end->id_type);
		mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_IKE_ID, end->id);
	}
	put_string(nlh, IPSEC_IDENTITY_A_CA_DN, end->ca_dn);
	put_string(nlh, IPSEC_IDENTITY_A_CERTIFICATE_DN, end->certificate_dn);
	put_string(nlh, IPSEC_IDENTITY_A_PUBKEY_ID, end->pubkey_id);
	put_words(nlh, IPSEC_IDENTITY_A_AUDIT_STRING, end->audit, IPSEC_IDENTITY_MAX_STRING);
}

/**
 * message_put_identity() - put an identity into a message
 * @nlh: message, of MESSAGE_SIZE bytes
 * @identity: to be put there; what is longer than the kernel takes is left out
 */
void message_put_identity(struct nlmsghdr *nlh, const struct identity *identity)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY), *local;

	put_end(nlh, &identity->remote);
	if (identity->local.method) {
		local = mnl_attr_nest_start(nlh, IPSEC_IDENTITY_A_LOCAL);
		put_end(nlh, &identity->local);
		mnl_attr_nest_end(nlh, local);
	}
	if (identity->lineage)
		mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE, identity->lineage);
	if (identity->binding_len && identity->binding_len <= IPSEC_IDENTITY_MAX_BINDING)
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_CHANNEL_BINDING, identity->binding_len,
			     identity->binding);
	put_string(nlh, IPSEC_IDENTITY_A_POLICY_NAME, identity->policy);
	put_string(nlh, IPSEC_IDENTITY_A_SOURCE, identity->source);
	mnl_attr_nest_end(nlh, nest);
}

/**
 * message_put_sa() - put the name of an SA into a message
 * @nlh: message
 * @sa: which
 */
void message_put_sa(struct nlmsghdr *nlh, const struct sa_ref *sa)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_SA);

	mnl_attr_put_u8(nlh, IPSEC_SA_REF_A_SATYPE, sa->satype);
	mnl_attr_put(nlh, IPSEC_SA_REF_A_DESTINATION, sa->family == AF_INET ? 4 : 16,
		     sa->destination);
	mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_SPI, sa->spi);
	if (sa->mark)
		mnl_attr_put_u32(nlh, IPSEC_SA_REF_A_MARK, sa->mark);
	mnl_attr_nest_end(nlh, nest);
}

static char *get_string(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) ? NULL :
	       xstrdup(mnl_attr_get_str(attr));
}

static void get_bytes(const struct nlattr *attr, void *to, size_t len)
{
	if (mnl_attr_get_payload_len(attr) == len)
		memcpy(to, mnl_attr_get_payload(attr), len);
}

static void get_end(const struct nlattr *attr, struct identity_end *end)
{
	switch (mnl_attr_get_type(attr)) {
	case IPSEC_IDENTITY_A_ITOKEN:
		get_bytes(attr, end->itoken, sizeof(end->itoken));
		break;
	case IPSEC_IDENTITY_A_METHOD:
		get_bytes(attr, &end->method, sizeof(end->method));
		break;
	case IPSEC_IDENTITY_A_IKE_ID_TYPE:
		get_bytes(attr, &end->id_type, sizeof(end->id_type));
		break;
	case IPSEC_IDENTITY_A_IKE_ID:
		end->id = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_CA_DN:
		end->ca_dn = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_CERTIFICATE_DN:
		end->certificate_dn = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_PUBKEY_ID:
		end->pubkey_id = get_string(attr);
		break;
	case IPSEC_IDENTITY_A_AUDIT_STRING:
		end->audit = get_string(attr);
		break;
	}
}

/**
 * message_get_identity() - read an identity
 * @attrs: content of a nest of enum ipsec_identity_attr, as the kernel sends it
 * @len: size of that
 *
 * Return: one with one reference; without method if it makes no sense.
 */
struct identity *message_get_identity(const void *attrs, size_t len)
{
	struct identity *identity = identity_new();
	const struct nlattr *attr, *inner;

	mnl_attr_for_each_payload(attrs, len) {
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_IDENTITY_A_LOCAL:
			mnl_attr_for_each_nested(inner, attr)
				get_end(inner, &identity->local);
			break;
		case IPSEC_IDENTITY_A_LINEAGE:
			get_bytes(attr, &identity->lineage, sizeof(identity->lineage));
			break;
		case IPSEC_IDENTITY_A_CHANNEL_BINDING:
			identity->binding_len = mnl_attr_get_payload_len(attr);
			identity->binding = xcalloc(1, identity->binding_len + 1);
			get_bytes(attr, identity->binding, identity->binding_len);
			break;
		case IPSEC_IDENTITY_A_POLICY_NAME:
			identity->policy = get_string(attr);
			break;
		case IPSEC_IDENTITY_A_SOURCE:
			identity->source = get_string(attr);
			break;
		default:
			get_end(attr, &identity->remote);
		}
	}
	return identity;
}

/**
 * message_get_sa() - read the name of an SA
 * @nest: of enum ipsec_sa_ref_attr
 * @sa: set
 *
 * Return: whether it names one.
 */
bool message_get_sa(const struct nlattr *nest, struct sa_ref *sa)
{
	const struct nlattr *attr;
	size_t len;

	memset(sa, 0, sizeof(*sa));
	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case IPSEC_SA_REF_A_SATYPE:
			get_bytes(attr, &sa->satype, sizeof(sa->satype));
			break;
		case IPSEC_SA_REF_A_DESTINATION:
			len = mnl_attr_get_payload_len(attr);
			if (len != 4 && len != 16)
				return false;
			sa->family = len == 4 ? AF_INET : AF_INET6;
			get_bytes(attr, sa->destination, len);
			break;
		case IPSEC_SA_REF_A_SPI:
			get_bytes(attr, &sa->spi, sizeof(sa->spi));
			break;
		case IPSEC_SA_REF_A_MARK:
			get_bytes(attr, &sa->mark, sizeof(sa->mark));
			break;
		}
	}
	return sa->satype && sa->family && sa->spi;
}

/* ------------------------------------------------------------------ requests */

static void get_address(const struct nlattr *attr, const struct request *request, uint8_t *to)
{
	get_bytes(attr, to, request->family == AF_INET ? 4 : 16);
}

static void get_port(const struct nlattr *attr, uint16_t *port)
{
	uint8_t bytes[2] = { 0 };

	get_bytes(attr, bytes, sizeof(bytes));
	*port = bytes[0] << 8 | bytes[1];
}

static void get_who(const struct nlattr *nest, struct request *request)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == IPSEC_IDENTITY_A_ITOKEN)
			request->itoken_given = true;
		get_end(attr, &request->who);
	}
}

static void get_request(const struct nlattr *attr, struct request *request)
{
	switch (mnl_attr_get_type(attr)) {
	case IPSEC_REQUEST_A_FLAGS:
		get_bytes(attr, &request->flags, sizeof(request->flags));
		break;
	case IPSEC_REQUEST_A_METHODS:
		get_bytes(attr, &request->methods, sizeof(request->methods));
		break;
	case IPSEC_REQUEST_A_TIMEOUT:
		get_bytes(attr, &request->timeout_ms, sizeof(request->timeout_ms));
		break;
	case IPSEC_REQUEST_A_IDENTITY:
		get_who(attr, request);
		break;
	case IPSEC_REQUEST_A_ID:
		get_bytes(attr, &request->id, sizeof(request->id));
		break;
	case IPSEC_REQUEST_A_LOCAL:
		get_address(attr, request, request->local);
		break;
	case IPSEC_REQUEST_A_PEER:
		get_address(attr, request, request->peer);
		break;
	case IPSEC_REQUEST_A_LOCAL_PORT:
		get_port(attr, &request->local_port);
		break;
	case IPSEC_REQUEST_A_PEER_PORT:
		get_port(attr, &request->peer_port);
		break;
	case IPSEC_REQUEST_A_PROTOCOL:
		get_bytes(attr, &request->protocol, sizeof(request->protocol));
		break;
	case IPSEC_REQUEST_A_UID:
		get_bytes(attr, &request->uid, sizeof(request->uid));
		break;
	}
}

/**
 * message_get_request() - read a request
 * @attrs: content of a nest of enum ipsec_request_attr, as the kernel sends it
 * @len: size of that
 *
 * Return: the request, or NULL if it makes no sense.
 */
struct request *message_get_request(const void *attrs, size_t len)
{
	static const uint8_t none[16];
	struct request *request = request_new();
	const struct nlattr *attr;

	/* nobody's, until it is told whose it is */
	request->uid = UINT32_MAX;
	/* addresses are read by their family, wherever that is told */
	mnl_attr_for_each_payload(attrs, len) {
		if (mnl_attr_get_type(attr) == IPSEC_REQUEST_A_FAMILY)
			get_bytes(attr, &request->family, sizeof(request->family));
	}
	mnl_attr_for_each_payload(attrs, len) {
		get_request(attr, request);
	}
	if ((request->family != AF_INET && request->family != AF_INET6) || !request->id ||
	    !request->protocol || !memcmp(request->peer, none, sizeof(none))) {
		request_free(request);
		return NULL;
	}
	return request;
}

/**
 * message_put_result() - put the answer to a request into a message
 * @nlh: message
 * @id: of the request
 * @reason: enum ipsec_request_reason
 * @text: for people; what is longer than the kernel takes is cut off
 */
void message_put_result(struct nlmsghdr *nlh, uint64_t id, uint8_t reason, const char *text)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, IPSEC_A_REQUEST);

	mnl_attr_put_u64(nlh, IPSEC_REQUEST_A_ID, id);
	mnl_attr_put_u8(nlh, IPSEC_REQUEST_A_REASON, reason);
	put_words(nlh, IPSEC_REQUEST_A_TEXT, text, IPSEC_REQUEST_MAX_TEXT);
	mnl_attr_nest_end(nlh, nest);
}
