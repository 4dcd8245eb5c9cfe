// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: loading MODULE MILLISECONDS
 *
 * Connections are made under SAs while the module is being loaded, and the SAs are gone
 * before that is over: so many milliseconds after its own code has begun to run. It is
 * loaded slowly, on a processor that has next to no time for it. Then all ends of these
 * connections are looked at. Printed are how many connections there were, whether the SAs
 * went in time, how many answers were tokens or that it is not known, and how many that
 * it is in clear.
 *
 * Runs between the hosts of lib.sh, on two processors or more. The module is there when
 * this ends.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "hosts.h"

#define MOST	400

static const char *module;
static atomic_bool busy = true;
static atomic_uint idle_us = 1000;
static int connections[MOST][2];

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "processor %d", cpu);
}

static void *load(void *unused)
{
	struct sched_param none = {};
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	run_on(1);
	if (fd < 0 || sched_setscheduler(0, SCHED_IDLE, &none) ||
	    syscall(SYS_finit_module, fd, "", 0))
		err(1, "%s", module);
	close(fd);
	return unused;
}

/* Leaves next to nothing of the processor to who loads the module. */
static void *hog(void *unused)
{
	int64_t until;

	run_on(1);
	while (atomic_load(&busy)) {
		until = now_us() + 10000;
		while (now_us() < until)
			;
		usleep(atomic_load(&idle_us));
	}
	return unused;
}

static bool is_module(const char *state)
{
	char is[16] = "";
	int fd = open("/sys/module/ipsec_token/initstate", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, is, sizeof(is) - 1) < 0)
		err(1, "initstate");
	close(fd);
	return !strcmp(is, state);
}

static void connect_one(int listener, int ends[2])
{
	struct sockaddr_in to = address(RIGHT);

	ends[LEFT] = socket_of(LEFT, SOCK_STREAM);
	if (connect(ends[LEFT], (struct sockaddr *)&to, sizeof(to)))
		err(1, "connect");
	ends[RIGHT] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (ends[RIGHT] < 0)
		err(1, "accept");
}

int main(int argc, char **argv)
{
	struct sockaddr_in own = address(RIGHT);
	int listener, made = 0, truths = 0, lies = 0, i, host;
	pthread_t loader, hogger;
	ipsec_ptoken_t ptoken;
	int64_t until;
	bool in_time;

	if (argc != 3)
		errx(2, "usage: loading MODULE MILLISECONDS");
	module = argv[1];
	hosts_open();
	run_on(0);
	listener = socket_of(RIGHT, SOCK_STREAM);
	if (bind(listener, (struct sockaddr *)&own, sizeof(own)) || listen(listener, 8))
		err(1, "listen");
	pair_add();

	if (pthread_create(&hogger, NULL, hog, NULL) || pthread_create(&loader, NULL, load, NULL))
		errx(1, "pthread_create");
	while (!is_module("coming\n") && !is_module("live\n"))
		usleep(200);
	atomic_store(&idle_us, 100);
	until = now_us() + atoi(argv[2]) * 1000;
	while (made < MOST && now_us() < until)
		connect_one(listener, connections[made++]);
	sas_flush();
	in_time = is_module("coming\n");

	atomic_store(&busy, false);
	pthread_join(hogger, NULL);
	pthread_join(loader, NULL);
	for (i = 0; i < made; i++) {
		for (host = LEFT; host <= RIGHT; host++) {
			switch (ipsec_ptoken_from_fd(connections[i][host], &ptoken)) {
			case 0:
				*(ptoken == IPSEC_PTOKEN_NONE ? &lies : &truths) += 1;
				break;
			case -ENODATA:
				truths++;
				break;
			}
		}
	}
	printf("%d %s %d %d\n", made, in_time ? "yes" : "no", truths, lies);
	return 0;
}
