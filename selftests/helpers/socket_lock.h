/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To get segments into a socket's backlog, a thread takes the socket's lock
 * and keeps it: it hands the kernel an option at an address at which a page
 * fault has to be resolved by this program, which takes its time.
 */
#ifndef SOCKET_LOCK_H
#define SOCKET_LOCK_H

#include <err.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct lock {
	int fd;
	int uffd;
	void *page;
	pthread_t thread;
};

static inline void *lock_thread(void *data)
{
	struct lock *lock = data;

	/*
	 * Copied in with the lock taken, and not valid. Those of IPv6 won't do: what
	 * they begin with is copied before.
	 */
	setsockopt(lock->fd, SOL_IP, IP_OPTIONS, lock->page, 16);
	return NULL;
}

static inline void lock_socket(struct lock *lock, int fd)
{
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffd_msg msg;

	lock->fd = fd;
	lock->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	lock->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (unsigned long)lock->page;
	area.range.len = 4096;
	if (lock->uffd < 0 || lock->page == MAP_FAILED ||
	    ioctl(lock->uffd, UFFDIO_API, &api) ||
	    ioctl(lock->uffd, UFFDIO_REGISTER, &area))
		err(1, "userfaultfd");
	if (pthread_create(&lock->thread, NULL, lock_thread, lock))
		errx(1, "pthread_create");
	/* the fault comes when the lock has been taken */
	if (read(lock->uffd, &msg, sizeof(msg)) != sizeof(msg))
		err(1, "userfaultfd");
}

static inline void unlock_socket(struct lock *lock)
{
	static char bytes[4096] __attribute__((aligned(4096)));
	struct uffdio_copy copy = {
		.dst = (unsigned long)lock->page,
		.src = (unsigned long)bytes,
		.len = sizeof(bytes),
	};

	memset(bytes, 0xff, sizeof(bytes));
	if (ioctl(lock->uffd, UFFDIO_COPY, &copy))
		err(1, "UFFDIO_COPY");
	pthread_join(lock->thread, NULL);
	munmap(lock->page, 4096);
	close(lock->uffd);
}

#endif /* SOCKET_LOCK_H */
