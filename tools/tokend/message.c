// SPDX-License-Identifier: GPL-2.0-only
/*
 * Identities and the names of SAs in messages to the kernel module, and from it.
 */
#include <stdio.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include "log.h"
#include "message.h"

/* What is too long is not available: half a name would be another name. */
static void put_string(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	if (text && *text && strlen(text) <= IPSEC_IDENTITY_MAX_STRING)
		mnl_attr_put_strz(nlh, type, text);
}

/* This one is for people, who can read half of it. */
static void put_audit(struct nlmsghdr *nlh, const char *text)
{
	char cut[IPSEC_IDENTITY_MAX_STRING + 1];
	size_t len = IPSEC_IDENTITY_MAX_STRING;

	if (!text || !*text)
		return;
	/* not in the midst of a character of UTF-8 */
	if (snprintf(cut, sizeof(cut), "%s", text) > IPSEC_IDENTITY_MAX_STRING) {
		while (len && (text[len] & 0xc0) == 0x80)
			len--;
		cut[len] = '\0';
	}
	mnl_attr_put_strz(nlh, IPSEC_IDENTITY_A_AUDIT_STRING, cut);
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
	put_audit(nlh, end->audit);
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
