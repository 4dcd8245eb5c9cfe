// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_scale_processes MOST - what it costs the last ones of 10, 100, ... MOST processes
 * to get tokens of their own and to resolve them
 *
 * All of them stay. With the module.
 */
#include <ipsec/token.h>
#include <signal.h>
#include <sys/wait.h>

#include "bench_connections.h"
#include "bench_datagrams.h"
#include "bench_scale.h"

struct result {
	uint64_t recvmsg, getsockopt, resolve;
	ipsec_ptoken_t ptoken;
};

static int turn[2], done[2];

static void be_process(int connection, int rx)
{
	char data[SIZE], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct result result = {};
	ipsec_ptoken_t other = 0;
	struct ipsec *ipsec;
	uint64_t begin;
	int privacy;

	/* a page is the process's own once it has been written to */
	memset(data, 0, sizeof(data));
	memset(control, 0, sizeof(control));
	/* and what all resolving needs is there after the first try, of any number */
	if (read(turn[0], data, 1) != 1 || ipsec_open(&ipsec) ||
	    ipsec_ptoken_privacy_protected(ipsec, 12345) >= 0)
		_exit(1);
	begin = instructions();
	if (recvmsg(rx, &msg, 0) != SIZE)
		_exit(1);
	result.recvmsg = instructions() - begin;
	begin = instructions();
	if (ipsec_ptoken_from_fd(connection, &other))
		_exit(1);
	result.getsockopt = instructions() - begin;
	begin = instructions();
	privacy = ipsec_ptoken_privacy_protected(ipsec, other);
	result.resolve = instructions() - begin;
	ipsec_close(ipsec);
	if (privacy || ipsec_ptoken_from_msg(&msg, &result.ptoken) ||
	    write(done[1], &result, sizeof(result)) != sizeof(result))
		_exit(1);
	for (;;)
		pause();
}

static int compare(const void *a, const void *b)
{
	ipsec_ptoken_t left = *(const ipsec_ptoken_t *)a, right = *(const ipsec_ptoken_t *)b;

	return left < right ? -1 : left > right;
}

/* Equality is that of numbers, so no two processes have the same. */
static void check_own(ipsec_ptoken_t *ptokens, unsigned int count)
{
	unsigned int i;

	qsort(ptokens, count, sizeof(*ptokens), compare);
	for (i = 1; i < count; i++)
		if (ptokens[i - 1] == ptokens[i])
			errx(1, "two processes have the same token");
}

int main(int argc, char **argv)
{
	unsigned int most = argc > 1 ? atoi(argv[1]) : 1, count, before = 0, i;
	ipsec_ptoken_t *ptokens = calloc(most, sizeof(*ptokens));
	pid_t *pids = calloc(most, sizeof(*pids));
	struct flow flow = flow_numbered(0);
	struct packet packet;
	int connection, rx;

	loaded = module_loaded();
	if (!ptokens || !pids || pipe(turn) || pipe(done))
		err(1, "pipe");
	connection = peers_up(1);
	flow_open(&flow);
	connection = accept(connection, NULL, NULL);
	rx = datagram_socket();
	if (connection < 0 || ipsec_recvptoken_set(rx, true))
		errx(1, "sockets");
	alarm(1000);	/* if one of them does not answer */
	/* what is there only once, or only the first time */
	datagrams_receive(rx, 1, 0, NULL);

	for (count = 1; count <= most; before = count, count *= 10) {
		struct samples recvmsg = {}, getsockopt = {}, resolve = {};
		struct memory memory[2];

		for (i = before; i < count; i++) {
			pids[i] = fork();
			if (pids[i] < 0)
				err(1, "process %u", i);
			if (!pids[i])
				be_process(connection, rx);
		}
		memory_exact(&memory[0]);
		for (i = before; i < count; i++) {
			struct result result;

			inject(&packet, packet_udp(&packet, 1, SPI(1), SIZE));
			usleep(2000);
			if (write(turn[1], "", 1) != 1 ||
			    read(done[0], &result, sizeof(result)) != sizeof(result))
				err(1, "process %u", i);
			ptokens[i] = result.ptoken;
			if (i + ROUNDS < count)
				continue;
			sample(&recvmsg, 0, result.recvmsg, 1);
			sample(&getsockopt, 0, result.getsockopt, 1);
			sample(&resolve, 0, result.resolve, 1);
		}
		memory_exact(&memory[1]);
		if (count < 10)		/* one sample has no median */
			continue;
		point_instructions("first datagram of a process", count, median(&recvmsg));
		point_instructions("first getsockopt of a process", count, median(&getsockopt));
		point_instructions("first token resolved by a process", count, median(&resolve));
		if (count - before >= COUNTED)
			point_bytes("a process that has a token", count,
				    memory_each(&memory[0], &memory[1], count - before, "process"));
	}
	check_own(ptokens, before);
	for (i = 0; i < before; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
