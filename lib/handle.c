// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The handle: its life, its lock, what becomes of it in a fork's child, and
 * the text of its last error.
 *
 * A child must not use the sockets and answers of its parent: the tokens are
 * the parent's. It finds out by a page that the kernel wipes on fork, which,
 * unlike a process id, is free to look at and cannot come back.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

/**
 * ipsec_strerror() - what an error of this library means
 * @err: negative errno value that a function of this library returned
 *
 * Return: one line of text.
 */
const char *ipsec_strerror(int err)
{
	switch (err) {
	case -ENOPROTOOPT:
		return "kernel module ipsec_token is not loaded";
	case -ENOTCONN:
		return "the socket is not connected";
	case -ENODATA:
		return "the protection is not known";
	case -EOPNOTSUPP:
		return "protection tokens are not supported on this kind of socket";
	case -ESTALE:
		return "the token is not of this process, or what it stood for is gone";
	case -ENOMSG:
		return "the message carries no token";
	case -ENOBUFS:
		return "no room in the control buffer for the token";
	case -EPROTO:
		return "the kernel's answer makes no sense";
	default:
		return strerror(err < 0 ? -err : err);
	}
}

/**
 * ipsec_fail() - note the text of an error
 * @ipsec: handle
 * @err: negative errno value
 * @format: of the text, NULL: the one that ipsec_strerror() has for @err
 *
 * Context: with the lock of the handle held.
 * Return: @err.
 */
int ipsec_fail(struct ipsec *ipsec, int err, const char *format, ...)
{
	va_list args;

	if (format) {
		va_start(args, format);
		vsnprintf(ipsec->error, sizeof(ipsec->error), format, args);
		va_end(args);
	} else {
		snprintf(ipsec->error, sizeof(ipsec->error), "%s", ipsec_strerror(err));
	}
	return err;
}

/*
 * A fork's child has one thread, but may have started others by now. One of
 * them makes the handle anew, the others wait. Where a thread of the parent
 * held the lock at the time of the fork, what the lock guards may be half
 * done: it is left alone, and lost.
 */
static void forked(struct ipsec *ipsec)
{
	uint32_t alive = IPSEC_ALIVE_FORKED;

	if (!__atomic_compare_exchange_n(ipsec->alive, &alive, IPSEC_ALIVE_RESET, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(ipsec->alive, __ATOMIC_ACQUIRE) == IPSEC_ALIVE_RESET)
			sched_yield();
		return;
	}

	if (pthread_mutex_trylock(&ipsec->lock) == 0) {
		ipsec_nl_close(ipsec);
		pthread_mutex_unlock(&ipsec->lock);
	} else {
		char *buf = ipsec->buf;
		uint32_t *page = ipsec->alive;

		memset(ipsec, 0, sizeof(*ipsec));
		ipsec->alive = page;
		ipsec->buf = buf;
	}
	pthread_mutex_init(&ipsec->lock, NULL);
	__atomic_store_n(ipsec->alive, IPSEC_ALIVE_HERE, __ATOMIC_RELEASE);
}

/**
 * ipsec_enter() - begin to use a handle
 * @ipsec: handle, whose lock is taken
 */
void ipsec_enter(struct ipsec *ipsec)
{
	if (__atomic_load_n(ipsec->alive, __ATOMIC_ACQUIRE) != IPSEC_ALIVE_HERE)
		forked(ipsec);
	pthread_mutex_lock(&ipsec->lock);
}

/**
 * ipsec_leave() - end the use of a handle
 * @ipsec: handle, whose lock is released
 */
void ipsec_leave(struct ipsec *ipsec)
{
	free(ipsec->passing);
	ipsec->passing = NULL;
	pthread_mutex_unlock(&ipsec->lock);
}

static uint32_t *alive_page(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	uint32_t *page;

	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, size, MADV_WIPEONFORK)) {
		munmap(page, size);
		return NULL;
	}
	*page = IPSEC_ALIVE_HERE;
	return page;
}

/**
 * ipsec_open() - connect to the kernel module
 * @ipsec: set to the new handle, or to NULL on failure
 *
 * Return: 0, -ENOPROTOOPT if the kernel module is not loaded, -ENOMEM,
 * -EMFILE and the like.
 */
int ipsec_open(struct ipsec **ipsec)
{
	struct ipsec *new;
	int err = -ENOMEM;

	*ipsec = NULL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->buf = malloc(IPSEC_NL_BUFFER_SIZE);
	if (!new->buf)
		goto free_handle;
	new->alive = alive_page();
	if (!new->alive) {
		err = -errno;
		goto free_buf;
	}
	pthread_mutex_init(&new->lock, NULL);

	ipsec_enter(new);
	err = ipsec_nl_ready(new);
	ipsec_leave(new);
	if (err) {
		ipsec_close(new);
		return err;
	}
	*ipsec = new;
	return 0;

free_buf:
	free(new->buf);
free_handle:
	free(new);
	return err;
}

/**
 * ipsec_close() - end the connection to the kernel module
 * @ipsec: handle, not used by any other thread; NULL does nothing
 */
void ipsec_close(struct ipsec *ipsec)
{
	if (!ipsec)
		return;
	ipsec_enter(ipsec);
	ipsec_nl_close(ipsec);
	ipsec_leave(ipsec);
	pthread_mutex_destroy(&ipsec->lock);
	munmap(ipsec->alive, sysconf(_SC_PAGESIZE));
	free(ipsec->buf);
	free(ipsec);
}

/**
 * ipsec_error() - text of the last error
 * @ipsec: handle
 *
 * The text is good until the next failure of a function on this handle. Where
 * several threads share it, use ipsec_error_copy().
 *
 * Return: one line of text, where possible in the kernel's own words; empty if
 * nothing failed yet.
 */
const char *ipsec_error(struct ipsec *ipsec)
{
	return ipsec ? ipsec->error : "no handle";
}

/**
 * ipsec_error_copy() - copy the text of the last error
 * @ipsec: handle
 * @buf: for the text and its zero byte
 * @size: of @buf, 0: only measure
 *
 * Return: length of the whole text, which was cut short if this is @size or
 * more.
 */
int ipsec_error_copy(struct ipsec *ipsec, char *buf, size_t size)
{
	int len;

	ipsec_enter(ipsec);
	len = snprintf(buf, size, "%s", ipsec->error);
	ipsec_leave(ipsec);
	return len;
}
