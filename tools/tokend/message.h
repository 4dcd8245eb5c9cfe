/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Identities, names of SAs and requests in messages to the kernel module, and
 * from it.
 */
#ifndef TOKEND_MESSAGE_H
#define TOKEND_MESSAGE_H

#include "identity.h"
#include "request.h"
#include "sas.h"

/* room for two ends of the longest strings, and for the names of SAs */
#define MESSAGE_SIZE 32768

struct nlattr;
struct nlmsghdr;

void message_put_identity(struct nlmsghdr *nlh, const struct identity *identity);
void message_put_sa(struct nlmsghdr *nlh, const struct sa_ref *sa);
struct identity *message_get_identity(const void *attrs, size_t len);
bool message_get_sa(const struct nlattr *nest, struct sa_ref *sa);
struct request *message_get_request(const void *attrs, size_t len);
void message_put_result(struct nlmsghdr *nlh, uint64_t id, uint8_t reason, const char *text);

#endif /* TOKEND_MESSAGE_H */
