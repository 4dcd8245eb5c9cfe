/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the netlink family: good ones, ones with a single fault that must
 * be refused, and wild ones.
 */
#ifndef FUZZ_MESSAGE_H
#define FUZZ_MESSAGE_H

#include "spec.h"

#define MESSAGE_SIZE 65536

/**
 * struct message - a request
 * @bytes: what is sent, an nlmsghdr first, @length of them
 * @op: that was meant
 * @fault: what is wrong with it, so that it must be refused; NULL if nothing, or
 *	if that is not known
 * @wild: nothing is known of what must come of it
 */
struct message {
	_Alignas(8) uint8_t bytes[MESSAGE_SIZE];
	size_t length;
	const struct spec_op *op;
	const char *fault;
	bool wild;
};

/**
 * struct known - values that are good for something
 * @ptoken: of this process
 * @context_id: of this namespace
 * @negotiation: id of one that is under way
 * @spi: of SAs that there are, host byte order
 * @cgroup_fd: directory of a control group of the thread's own
 */
struct known {
	uint64_t ptoken;
	uint64_t context_id;
	uint64_t negotiation;
	uint32_t spi;
	int cgroup_fd;
};

/**
 * message_make() - the next request
 * @message: where to
 * @state: of random numbers; the same one makes the same message
 * @family: number that the kernel has given the netlink family
 * @op: name of the operation, NULL: any
 * @known: what tokens, contexts and SAs to ask about
 */
void message_make(struct message *message, uint64_t *state, uint16_t family, const char *op,
		  const struct known *known);

#endif /* FUZZ_MESSAGE_H */
