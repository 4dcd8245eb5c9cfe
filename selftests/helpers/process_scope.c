// SPDX-License-Identifier: GPL-2.0-only
/*
 * A token belongs to one process in one network namespace. Here it is tried by
 * threads, forks, images after exec, processes with the same number, users
 * without privileges, in other namespaces, and by guessing a million times.
 *
 * The hosts left and right of lib.sh have ESP between them, over IPv4. There is
 * a third namespace, other.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/internal.h"

#include <kselftest.h>

#define PORT		7777
#define PROCESSES	1000
#define GUESSES		1000000
#define GUESSERS	2
#define NOBODY		65534

enum { LEFT, RIGHT, OTHER, HOSTS };

static int netns[HOSTS];
static struct ipsec *handles[HOSTS];
static int listener, client, server;	/* a connection from left to right */
static ipsec_ptoken_t token;		/* of client, in this very process */

static void enter(int host)
{
	if (setns(netns[host], CLONE_NEWNET))
		err(1, "setns");
}

static void hosts_open(void)
{
	static const char * const paths[] = {
		"/run/netns/left", "/run/netns/right", "/run/netns/other",
	};
	int i;

	for (i = 0; i < HOSTS; i++) {
		netns[i] = open(paths[i], O_RDONLY);
		if (netns[i] < 0)
			err(1, "%s", paths[i]);
		enter(i);
		if (ipsec_open(&handles[i]))
			errx(1, "ipsec_open");
	}
}

static struct sockaddr_in address(const char *text, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

static int connect_right(void)
{
	struct sockaddr_in right = address("10.0.0.2", PORT);
	int fd;

	enter(LEFT);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&right, sizeof(right)))
		err(1, "connect");
	return fd;
}

static void connection_open(void)
{
	struct sockaddr_in right = address("10.0.0.2", PORT);

	enter(RIGHT);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&right, sizeof(right)) ||
	    listen(listener, PROCESSES))
		err(1, "listen");
	client = connect_right();
	server = accept(listener, NULL, NULL);
	if (server < 0)
		err(1, "accept");
	/* from now on either end has sent, and has a path for it */
	if (write(server, "", 1) != 1)
		err(1, "server");
}

/* UNKNOWN stands for every failure: it is no valid token. */
static ipsec_ptoken_t token_of(int fd)
{
	ipsec_ptoken_t ptoken;

	if (ipsec_ptoken_from_fd(fd, &ptoken) || ptoken == IPSEC_PTOKEN_NONE)
		return IPSEC_PTOKEN_UNKNOWN;
	return ptoken;
}

static int resolve(int host, ipsec_ptoken_t ptoken)
{
	struct ipsec_ptoken_attributes attributes;

	enter(host);
	return ipsec_ptoken_attributes(handles[host], ptoken, &attributes, sizeof(attributes));
}

static bool valid(int host, ipsec_ptoken_t ptoken)
{
	return ptoken != IPSEC_PTOKEN_UNKNOWN && resolve(host, ptoken) == 0;
}

/* ---------------------------------------------------------- netlink by hand */

static struct mnl_socket *netlink_open(int host)
{
	struct mnl_socket *nl;

	enter(host);
	nl = mnl_socket_open(NETLINK_GENERIC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "netlink");
	return nl;
}

static void request_init(struct nlmsghdr *nlh, int cmd, int flags)
{
	struct genlmsghdr *genl = (struct genlmsghdr *)(nlh + 1);

	memset(nlh, 0, MNL_NLMSG_HDRLEN + sizeof(*genl));
	nlh->nlmsg_len = MNL_NLMSG_HDRLEN + sizeof(*genl);
	nlh->nlmsg_type = handles[LEFT]->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl->cmd = cmd;
	genl->version = IPSEC_GENL_VERSION;
}

/* Return: 0 or a negative errno value, as the first message of the reply says. */
static int request(struct mnl_socket *nl, struct nlmsghdr *nlh)
{
	static char buf[65536] __attribute__((__aligned__(8)));
	const struct nlmsghdr *reply = (struct nlmsghdr *)buf;
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(reply);

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	if (mnl_socket_recvfrom(nl, buf, sizeof(buf)) < 0)
		return -errno;
	if (reply->nlmsg_type == NLMSG_ERROR || reply->nlmsg_type == NLMSG_DONE)
		return error->error;
	return 0;
}

static int request_token(struct mnl_socket *nl, ipsec_ptoken_t ptoken)
{
	char buf[64] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	request_init(nlh, IPSEC_CMD_PTOKEN_GET, 0);
	mnl_attr_put_u64(nlh, IPSEC_A_PTOKEN, ptoken);
	return request(nl, nlh);
}

/* All that only an administrator may: a set of those that were not refused. */
static unsigned int admin_requests(struct mnl_socket *nl)
{
	static const struct {
		int cmd, flags;
	} requests[] = {
		{ IPSEC_CMD_CONTEXT_GET, NLM_F_DUMP },
		{ IPSEC_CMD_CONTEXT_GET, NLM_F_ACK },
		{ IPSEC_CMD_SOCKET_GET, NLM_F_DUMP },
		{ IPSEC_CMD_STATS_GET, 0 },
		{ IPSEC_CMD_CONFIG_GET, 0 },
		{ IPSEC_CMD_CONFIG_SET, NLM_F_ACK },
		{ IPSEC_CMD_ALGORITHM_SET, NLM_F_ACK },
	};
	char buf[256] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	unsigned int i, granted = 0;
	int group = handles[LEFT]->group_events;

	for (i = 0; i < IPSEC_ARRAY_SIZE(requests); i++) {
		request_init(nlh, requests[i].cmd, requests[i].flags);
		if (requests[i].cmd == IPSEC_CMD_CONTEXT_GET && i)
			mnl_attr_put_u64(nlh, IPSEC_A_CONTEXT_ID, 1);
		if (requests[i].cmd == IPSEC_CMD_CONFIG_SET)
			mnl_attr_put_u32(nlh, IPSEC_A_LINGER, 300);
		if (requests[i].cmd == IPSEC_CMD_ALGORITHM_SET) {
			mnl_attr_put_strz(nlh, IPSEC_A_ALGORITHM_NAME, "cbc(des)");
			mnl_attr_put_u8(nlh, IPSEC_A_ALGORITHM_TRUSTED, 0);
		}
		if (request(nl, nlh) != -EPERM)
			granted |= 1 << i;
	}
	if (!mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ||
	    errno != EPERM)
		granted |= 1 << i;
	return granted;
}

struct stats {
	uint64_t value[__IPSEC_STATS_A_MAX];
};

static int stats_read(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_STATS), *attr;
	struct stats *stats = data;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) < __IPSEC_STATS_A_MAX &&
		    mnl_attr_get_type(attr) != IPSEC_STATS_A_PAD)
			stats->value[mnl_attr_get_type(attr)] = mnl_attr_get_u64(attr);
	return 0;
}

static struct stats stats_get(int host)
{
	char buf[64] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
	struct stats stats = {};
	int ret;

	enter(host);
	request_init(nlh, IPSEC_CMD_STATS_GET, 0);
	ipsec_enter(handles[host]);
	ret = ipsec_nl_talk(handles[host], nlh, stats_read, &stats);
	ipsec_leave(handles[host]);
	if (ret)
		errx(1, "stats: %s", ipsec_error(handles[host]));
	return stats;
}

/* What is there now, other than counters of events. */
static bool stats_same(const struct stats *a, const struct stats *b)
{
	return !memcmp(&a->value[IPSEC_STATS_A_CONTEXTS], &b->value[IPSEC_STATS_A_CONTEXTS],
		       (IPSEC_STATS_A_DATAGRAM_SOCKETS + 1 - IPSEC_STATS_A_CONTEXTS) *
		       sizeof(a->value[0]));
}

static void stats_print(const char *what, const struct stats *stats)
{
	ksft_print_msg("%s: %llu contexts, %llu paths, %llu connections, %llu datagram sockets\n",
		       what, (unsigned long long)stats->value[IPSEC_STATS_A_CONTEXTS],
		       (unsigned long long)stats->value[IPSEC_STATS_A_PATHS],
		       (unsigned long long)stats->value[IPSEC_STATS_A_CONNECTIONS],
		       (unsigned long long)stats->value[IPSEC_STATS_A_DATAGRAM_SOCKETS]);
}

/* ----------------------------------------------------------- other processes */

#define FAILED	(1U << 31)

/* The results of a child are bits; FAILED: it did not get that far. */
struct shared {
	int done;
	ipsec_ptoken_t token;
	unsigned int bits;
};

static struct shared *shared;

static void child_end(unsigned int bits)
{
	shared->bits = bits;
	shared->done = 1;
	_exit(0);
}

static bool child_begin(void)
{
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		return true;
	if (waitpid(pid, NULL, 0) != pid || !shared->done)
		shared->bits = FAILED;
	return false;
}

static void *thread(void *unused __attribute__((__unused__)))
{
	/* 1: the same token, 2: which it can resolve */
	return (void *)(uintptr_t)((token_of(client) == token) |
				   (valid(LEFT, token) << 1));
}

static void test_thread(void)
{
	pthread_t id;
	void *bits;

	if (pthread_create(&id, NULL, thread, NULL) || pthread_join(id, &bits))
		errx(1, "pthread");
	ksft_test_result((uintptr_t)bits & 1, "a thread gets the same token\n");
	ksft_test_result((uintptr_t)bits & 2, "a thread can resolve it\n");
}

static void test_fork(void)
{
	struct mnl_socket *nl = netlink_open(LEFT);
	bool in_parent, positive = request_token(nl, token) == 0;

	if (child_begin()) {
		shared->token = token_of(client);
		child_end((shared->token != token) |
			  (valid(LEFT, shared->token) << 1) |
			  ((resolve(LEFT, token) == -ESTALE) << 2) |
			  ((request_token(nl, token) == -ESTALE) << 3) |
			  ((request_token(nl, shared->token) == 0) << 4));
	}
	in_parent = resolve(LEFT, shared->token) == -ESTALE;
	ksft_test_result(shared->bits == 31 && positive, "a child has a token of its own (%x)\n",
			 shared->bits);
	ksft_test_result(shared->bits & 1 << 2, "the parent's token in the child\n");
	ksft_test_result(shared->bits & 1 << 3 && positive,
			 "the parent's token in the child, over the parent's netlink socket\n");
	ksft_test_result(in_parent, "the child's token in the parent\n");
	ksft_test_result(token_of(client) == token && valid(LEFT, token),
			 "the parent's token stays what it was\n");
	mnl_socket_close(nl);
}

static int shares_memory(void *unused __attribute__((__unused__)))
{
	shared->token = token_of(client);
	shared->bits = (shared->token != IPSEC_PTOKEN_UNKNOWN) |
		       ((shared->token != token) << 1);
	return 0;
}

/* Same memory, same files, but another process. */
static void test_clone_vm(void)
{
	static char stack[65536] __attribute__((__aligned__(16)));
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = clone(shares_memory, stack + sizeof(stack),
		    CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | SIGCHLD, NULL);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		err(1, "clone");
	ksft_test_result(shared->bits == 3 && resolve(LEFT, shared->token) == -ESTALE,
			 "a process that shares all memory has a token of its own\n");
}

/* The second half of test_exec(): "image TOKEN FD SHARED-MEMORY-FD" */
static int image(char **arg)
{
	ipsec_ptoken_t before = strtoull(arg[2], NULL, 0), now;
	int fd = atoi(arg[3]);

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
		      atoi(arg[4]), 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	hosts_open();
	now = token_of(fd);
	child_end((resolve(LEFT, before) == -ESTALE) |
		  (valid(LEFT, now) << 1) | ((now != before) << 2));
	return 0;
}

static int shared_fd;

static void *exec_image(void *unused __attribute__((__unused__)))
{
	char name[] = "process_scope", image[] = "image", before[32], fd[16], memory[16];
	char *const arg[] = { name, image, before, fd, memory, NULL };

	if (!valid(LEFT, token_of(client)))
		errx(1, "before exec");
	snprintf(before, sizeof(before), "%#llx", (unsigned long long)token_of(client));
	snprintf(fd, sizeof(fd), "%d", client);
	snprintf(memory, sizeof(memory), "%d", shared_fd);
	execv("/proc/self/exe", arg);
	err(1, "exec");
}

/* exec changes neither the process id nor when the process was started. */
static void test_exec(bool by_thread)
{
	const char *who = by_thread ? "a thread" : "a process";
	pthread_t id;

	if (child_begin()) {
		if (!by_thread)
			exec_image(NULL);
		if (pthread_create(&id, NULL, exec_image, NULL))
			errx(1, "pthread_create");
		pthread_join(id, NULL);
		_exit(1);
	}
	ksft_test_result(shared->bits & 1, "after exec by %s: token from before\n", who);
	ksft_test_result(shared->bits == 7, "after exec by %s: inherited socket gives another\n",
			 who);
}

static pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = pid ? (uintptr_t)&pid : 0,
		.set_tid_size = pid ? 1 : 0,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* Process ids are used again. */
static void test_same_pid(void)
{
	ipsec_ptoken_t first;
	pid_t pid, again;

	memset(shared, 0, sizeof(*shared));
	pid = fork_as(0);
	if (!pid) {
		shared->token = token_of(client);
		_exit(!valid(LEFT, shared->token));
	}
	waitpid(pid, NULL, 0);
	first = shared->token;
	again = fork_as(pid);
	if (!again)
		child_end((getpid() == pid) |
			  ((resolve(LEFT, first) == -ESTALE) << 1) |
			  ((token_of(client) != first) << 2) |
			  (valid(LEFT, token_of(client)) << 3));
	if (again < 0)
		err(1, "clone3");
	waitpid(again, NULL, 0);
	ksft_test_result(shared->done && shared->bits == 15 && first &&
			 first != IPSEC_PTOKEN_UNKNOWN,
			 "the next process with the same id (%x)\n", shared->bits);
}

static void send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = "", data = 0;
	struct iovec iov = { &data, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(to, &msg, 0) != 1)
		err(1, "sendmsg");
}

static int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))], data;
	struct iovec iov = { &data, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(from, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		err(1, "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* The receiver has never had the socket, and lives elsewhere. */
static void test_scm_rights(void)
{
	ipsec_ptoken_t got;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		err(1, "socketpair");
	send_fd(pair[0], client);
	if (child_begin()) {
		close(client);
		enter(OTHER);
		got = token_of(receive_fd(pair[1]));
		child_end(valid(LEFT, got) | ((got != token) << 1) |
			  ((resolve(OTHER, got) == -ESTALE) << 2));
	}
	ksft_test_result(shared->bits == 7, "a socket passed to another process (%x)\n",
			 shared->bits);
	close(pair[0]);
	close(pair[1]);
}

static void test_namespaces(void)
{
	ipsec_ptoken_t right = token_of(server);

	ksft_test_result(valid(RIGHT, right) && right != token,
			 "the other end of the connection has another token\n");
	ksft_test_result(resolve(RIGHT, token) == -ESTALE && resolve(LEFT, right) == -ESTALE,
			 "a token in the network namespace of the peer\n");
	ksft_test_result(resolve(OTHER, token) == -ESTALE && resolve(OTHER, right) == -ESTALE,
			 "a token in a third network namespace\n");
}

/* ------------------------------------------------------------------- users */

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		err(1, "setresuid");
}

static void test_users(void)
{
	struct mnl_socket *nl = netlink_open(LEFT), *own;
	unsigned int all = admin_requests(nl);

	ksft_test_result(all == 255, "an administrator may do everything (%x)\n", all);
	mnl_socket_close(nl);
	nl = netlink_open(LEFT);	/* not a member of the group */

	if (child_begin()) {
		enter(LEFT);
		become_nobody();
		if (ipsec_open(&handles[LEFT]))
			child_end(FAILED);
		shared->token = token_of(client);
		own = mnl_socket_open(NETLINK_GENERIC);
		if (!own || mnl_socket_bind(own, 0, MNL_SOCKET_AUTOPID))
			child_end(FAILED);
		child_end((request_token(own, shared->token) == 0) |
			  ((request_token(own, token) == -ESTALE) << 1) |
			  (admin_requests(own) << 2) | (admin_requests(nl) << 10));
	}
	ksft_test_result((shared->bits & 3) == 3,
			 "an unprivileged user can resolve his own tokens, and only them\n");
	ksft_test_result(!(shared->bits & (FAILED | 255 << 2)), "and do nothing else (%x)\n",
			 shared->bits >> 2 & 255);
	ksft_test_result(!(shared->bits >> 10), "also over a socket that root has opened (%x)\n",
			 shared->bits >> 10);

	if (child_begin()) {
		enter(LEFT);
		become_nobody();
		if (unshare(CLONE_NEWUSER))
			child_end(FAILED);
		own = mnl_socket_open(NETLINK_GENERIC);
		if (!own || mnl_socket_bind(own, 0, MNL_SOCKET_AUTOPID))
			child_end(FAILED);
		child_end((request_token(own, token_of(client)) == 0) |
			  (admin_requests(own) << 2) | (admin_requests(nl) << 10));
	}
	ksft_test_result(shared->bits == 1, "so it is in a user namespace (%x)\n", shared->bits);

	if (child_begin()) {
		become_nobody();
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			child_end(FAILED);
		own = mnl_socket_open(NETLINK_GENERIC);
		if (!own || mnl_socket_bind(own, 0, MNL_SOCKET_AUTOPID))
			child_end(FAILED);
		/* bit 1 of admin_requests(): there is no context there */
		child_end((request_token(own, token_of(client)) == -ESTALE) |
			  (admin_requests(own) << 2) | (admin_requests(nl) << 10));
	}
	ksft_test_result(shared->bits == (1 | 255 << 2),
			 "administrator of a network namespace of his own, and no other (%x)\n",
			 shared->bits);
	mnl_socket_close(nl);
}

/* ---------------------------------------------------------- killed processes */

static ipsec_ptoken_t datagram_token(void)
{
	struct sockaddr_in right = address("10.0.0.2", 0);
	struct timeval timeout = { .tv_sec = 1 };
	socklen_t len = sizeof(right);
	char control[IPSEC_PTOKEN_CMSG_SPACE], data[10] = "";
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ipsec_ptoken_t ptoken;
	int tx, rx, i;

	enter(RIGHT);
	rx = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(rx, (struct sockaddr *)&right, len) ||
	    setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    getsockname(rx, (struct sockaddr *)&right, &len) ||
	    ipsec_recvptoken_set(rx, true))
		err(1, "rx");
	enter(LEFT);
	tx = socket(AF_INET, SOCK_DGRAM, 0);
	/* one that was overtaken by many of others is refused as a replay */
	for (i = 0; i < 30; i++) {
		if (sendto(tx, data, sizeof(data), 0, (struct sockaddr *)&right, len) < 0)
			err(1, "tx");
		if (recvmsg(rx, &msg, 0) >= 0)
			break;
	}
	close(tx);
	if (i == 30 || ipsec_ptoken_from_msg(&msg, &ptoken))
		err(1, "rx");
	return ptoken;
}

static pid_t token_taker(int ready)
{
	ipsec_ptoken_t tokens[2];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	tokens[0] = token_of(connect_right());
	tokens[1] = datagram_token();
	if (tokens[0] == IPSEC_PTOKEN_UNKNOWN || tokens[1] == IPSEC_PTOKEN_NONE)
		_exit(1);
	if (write(ready, tokens, sizeof(tokens)) != sizeof(tokens))
		_exit(1);
	for (;;)
		pause();
}

static bool read_all(int fd, ipsec_ptoken_t *to, size_t size)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char *at = (char *)to;
	ssize_t len;

	while (size) {
		if (poll(&wait, 1, 60000) != 1)
			return false;
		len = read(fd, at, size);
		if (len <= 0)
			return false;
		at += len;
		size -= len;
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	ipsec_ptoken_t left = *(const ipsec_ptoken_t *)a, right = *(const ipsec_ptoken_t *)b;

	return left < right ? -1 : left > right;
}

static void test_killed(void)
{
	struct stats before[2] = { stats_get(LEFT), stats_get(RIGHT) }, peak[2], after[2];
	static ipsec_ptoken_t tokens[2 * PROCESSES];
	static int accepted[PROCESSES];
	struct rlimit limit = { 4096, 4096 };
	static pid_t pids[PROCESSES];
	unsigned int i, twice = 0;
	int ready[2];
	bool all;

	if (setrlimit(RLIMIT_NOFILE, &limit) || pipe(ready))
		err(1, "prepare");
	for (i = 0; i < PROCESSES; i++)
		pids[i] = token_taker(ready[1]);
	all = read_all(ready[0], tokens, sizeof(tokens));
	for (i = 0; i < PROCESSES; i++)
		accepted[i] = accept(listener, NULL, NULL);
	peak[0] = stats_get(LEFT);
	peak[1] = stats_get(RIGHT);
	for (i = 0; i < PROCESSES; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < PROCESSES; i++)
		waitpid(pids[i], NULL, 0);
	for (i = 0; i < PROCESSES; i++)
		close(accepted[i]);

	qsort(tokens, 2 * PROCESSES, sizeof(*tokens), by_value);
	for (i = 1; i < 2 * PROCESSES; i++)
		twice += tokens[i] == tokens[i - 1];
	ksft_test_result(all && !twice, "%d processes, a token each for connection and datagram\n",
			 PROCESSES);
	ksft_test_result(peak[0].value[IPSEC_STATS_A_CONNECTIONS] ==
			 before[0].value[IPSEC_STATS_A_CONNECTIONS] + PROCESSES &&
			 peak[1].value[IPSEC_STATS_A_DATAGRAM_SOCKETS] ==
			 before[1].value[IPSEC_STATS_A_DATAGRAM_SOCKETS] + PROCESSES &&
			 peak[0].value[IPSEC_STATS_A_CONTEXTS] ==
			 before[0].value[IPSEC_STATS_A_CONTEXTS],
			 "statistics know of their sockets\n");

	for (i = 0; i < 600; i++) {
		after[0] = stats_get(LEFT);
		after[1] = stats_get(RIGHT);
		if (stats_same(&after[0], &before[0]) && stats_same(&after[1], &before[1]))
			break;
		usleep(100000);
	}
	for (i = 0; i < 2; i++) {
		stats_print(i ? "right, before" : "left, before", &before[i]);
		stats_print(i ? "right, then" : "left, then", &peak[i]);
		stats_print(i ? "right, killed" : "left, killed", &after[i]);
	}
	ksft_test_result(stats_same(&after[0], &before[0]) && stats_same(&after[1], &before[1]),
			 "statistics after all of them were killed\n");
	close(ready[0]);
	close(ready[1]);
}

/* ------------------------------------------------------------------ guesses */

#define BATCH	500
#define NEAR	1000

struct guess {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	struct nlattr attr;
	ipsec_ptoken_t ptoken;
} __attribute__((packed, aligned(4)));

static ipsec_ptoken_t parents_token;
static uint64_t random_state;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/*
 * What somebody would try who has a valid token, and one of another process:
 * neighbours, one, two or three bits flipped, numbers that contexts may have;
 * then anything.
 */
static ipsec_ptoken_t guess_number(unsigned int n, ipsec_ptoken_t own)
{
	if (n < NEAR)
		return own + n + 1;
	n -= NEAR;
	if (n < NEAR)
		return own - n - 1;
	n -= NEAR;
	if (n < NEAR)
		return parents_token + n;
	n -= NEAR;
	if (n < NEAR)
		return n + 1;
	n -= NEAR;
	if (n < NEAR)
		return ~(uint64_t)n - 1;
	n -= NEAR;
	if (n < 64)
		return own ^ 1ULL << n;
	n -= 64;
	if (n < 64)
		return own << n | (n ? own >> (64 - n) : 1);
	n -= 64;
	if (n < 64 * 64)	/* one bit flipped twice is no guess */
		return own ^ 1ULL << (n / 64) ^ (n / 64 == n % 64 ? 3ULL : 1ULL << (n % 64));
	n -= 64 * 64;
	if (n < 40000)
		return own ^ 1ULL << (random_next() % 64) ^ 3ULL << (random_next() % 63);
	return random_next();
}

/* Read the replies to @count guesses. Return: how many were not refused. */
static unsigned int guesses_judge(int fd, unsigned int count)
{
	static struct {
		struct nlmsghdr nlh;
		int error;
	} replies[64];
	static struct iovec iov[64];
	static struct mmsghdr msgs[64];
	unsigned int accepted = 0;
	int i, len;

	for (i = 0; i < 64; i++) {
		iov[i].iov_base = &replies[i];
		iov[i].iov_len = sizeof(replies[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (count) {
		len = recvmmsg(fd, msgs, count < 64 ? count : 64, 0, NULL);
		if (len < 0)
			err(1, "recvmmsg");
		for (i = 0; i < len; i++)
			if (replies[i].nlh.nlmsg_type != NLMSG_ERROR ||
			    replies[i].error != -ESTALE)
				accepted++;
		count -= len;
	}
	return accepted;
}

/* Return: how many guesses of @count resolve, with one that must. */
static unsigned int guess(unsigned int count)
{
	struct mnl_socket *nl = netlink_open(LEFT);
	int fd = mnl_socket_get_fd(nl), size = 8 << 20;
	static struct guess batch[BATCH];
	ipsec_ptoken_t own = token_of(client), ptoken;
	unsigned int i, n = 0, accepted = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		err(1, "SO_RCVBUFFORCE");
	random_state = own;
	for (i = 0; i < BATCH; i++) {
		request_init(&batch[i].nlh, IPSEC_CMD_PTOKEN_GET, 0);
		batch[i].nlh.nlmsg_len = sizeof(batch[i]);
		batch[i].attr.nla_len = sizeof(batch[i].attr) + sizeof(ptoken);
		batch[i].attr.nla_type = IPSEC_A_PTOKEN;
	}
	while (n < count) {
		for (i = 0; i < BATCH; i++) {
			do {
				ptoken = guess_number(n++, own);
			} while (ptoken == own || ptoken == IPSEC_PTOKEN_NONE ||
				 ptoken == IPSEC_PTOKEN_UNKNOWN);
			batch[i].ptoken = ptoken;
		}
		if (n >= count)
			batch[BATCH / 2].ptoken = own;
		if (send(fd, batch, sizeof(batch), 0) != sizeof(batch))
			err(1, "send");
		accepted += guesses_judge(fd, BATCH);
	}
	mnl_socket_close(nl);
	return accepted;
}

static void test_guesses(void)
{
	struct stats before = stats_get(LEFT), after;
	unsigned int i, accepted = 0, failed = 0;
	uint64_t refused;
	pid_t pids[GUESSERS];
	int status;

	parents_token = token;
	for (i = 0; i < GUESSERS; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			/* one must resolve, of the others none */
			i = guess(GUESSES / GUESSERS);
			_exit(i > 100 ? 100 : i);
		}
	}
	for (i = 0; i < GUESSERS; i++) {
		waitpid(pids[i], &status, 0);
		if (WIFEXITED(status))
			accepted += WEXITSTATUS(status);
		else
			failed++;
	}
	after = stats_get(LEFT);
	refused = after.value[IPSEC_STATS_A_TOKENS_REFUSED] -
		  before.value[IPSEC_STATS_A_TOKENS_REFUSED];
	ksft_print_msg("%u accepted, %llu refused\n", accepted, (unsigned long long)refused);
	ksft_test_result(!failed && accepted == GUESSERS && refused >= GUESSES - GUESSERS,
			 "%d guesses, of which the %d that were none resolve\n", GUESSES, GUESSERS);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "image"))
		return image(argv);

	setbuf(stdout, NULL);
	ksft_print_header();
	ksft_set_plan(27);
	hosts_open();
	connection_open();
	token = token_of(client);
	if (!valid(LEFT, token))
		ksft_exit_fail_msg("no valid token to begin with\n");
	shared_fd = memfd_create("shared", 0);
	if (shared_fd < 0 || ftruncate(shared_fd, sizeof(*shared)))
		err(1, "memfd_create");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");

	test_thread();
	test_fork();
	test_clone_vm();
	test_exec(false);
	test_exec(true);
	test_same_pid();
	test_scm_rights();
	test_namespaces();
	test_users();
	test_killed();
	test_guesses();
	ksft_finished();
}
