// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel SPECIFICATION MODULE SECONDS SEED - throw at the module what it may be
 * thrown at from user space
 * kernel SPECIFICATION show SEED THREAD STEP [OPERATION] - what was sent then, in hex;
 *	OPERATION is that of a request that follows from an answer
 *
 * Threads send good, faulty and wild requests to the netlink family, as its
 * specification has it (message.c), and use the socket options (sockets.c): root
 * at the hosts left and right of lib.sh, root of a namespace that is left for
 * another one again and again, root of a control group, and nobody. Meanwhile SAs
 * change, groups are joined and left, and the module goes and comes.
 *
 * What must hold: a request with a fault is refused; who is nobody is refused
 * whatever is for the administrator; each request that asks for an answer gets
 * one; errors are such as are documented. At the end it prints for each operation
 * how often it was accepted and refused. Whatever else goes wrong shows in the
 * kernel's log, where a line every few seconds tells how far the threads are.
 *
 * What each thread does is a matter of the seed alone, but for the numbers that
 * the kernel has given (family, tokens, contexts) and for SPIs. When, is chance.
 */
#include <linux/ipsec_token.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "../../helpers/hosts.h"
#include "fuzz.h"
#include "message.h"
#include "random.h"

#define SPIS		0x20000000	/* none that the script uses */
#define NOBODY		65534
#define TOLD		20		/* problems that are told of in full */

uint64_t seed;
atomic_bool stop, let_go;
_Atomic uint64_t some_ptoken[2];
atomic_uint current_spi;

static atomic_uint problems, unloads, busy, news, changes;
static atomic_uint accepted[SPEC_OPS], refused[SPEC_OPS], wild;

void problem(const struct worker *worker, const char *format, ...)
{
	char text[256];
	va_list args;

	if (atomic_fetch_add(&problems, 1) >= TOLD)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "# thread %u (%s), step %llu: %s\n", worker->number, worker->name,
		(unsigned long long)worker->step, text);
}

/* ---------------------------------------------------------------------- netlink */

struct answer {
	bool received;
	int error;
};

static struct mnl_socket *netlink_open(void)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "netlink socket");
	return nl;
}

static void learn_id(const struct nlattr *nest, uint16_t type, uint64_t *id)
{
	const struct nlattr *attr;

	if (!nest)
		return;
	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == type &&
		    mnl_attr_get_payload_len(attr) == sizeof(*id))
			*id = mnl_attr_get_u64(attr);
}

/* The values of a reply that are good for further requests. */
static void learn(const struct nlmsghdr *nlh, struct known *known)
{
	learn_id(ipsec_parse_find(nlh, IPSEC_A_CONTEXT), IPSEC_CONTEXT_A_ID, &known->context_id);
	learn_id(ipsec_parse_find(nlh, IPSEC_A_REQUEST), IPSEC_REQUEST_A_ID, &known->negotiation);
}

/*
 * The kernel answers before send() returns, or, the further parts of a dump,
 * before recv() does. Whatever has a length is an end, if it is long enough.
 */
static struct answer answer_read(struct mnl_socket *nl, uint16_t family, struct known *known)
{
	static __thread _Alignas(8) char buffer[65536];
	struct answer answer = {};
	const struct nlmsghdr *nlh;
	int length;

	while ((length = recv(mnl_socket_get_fd(nl), buffer, sizeof(buffer), 0)) > 0) {
		nlh = (const struct nlmsghdr *)buffer;
		for (; mnl_nlmsg_ok(nlh, length); nlh = mnl_nlmsg_next(nlh, &length)) {
			if (nlh->nlmsg_type == family) {
				learn(nlh, known);
			} else if ((nlh->nlmsg_type == NLMSG_ERROR ||
				    nlh->nlmsg_type == NLMSG_DONE) &&
				   mnl_nlmsg_get_payload_len(nlh) >= sizeof(int)) {
				answer.received = true;
				answer.error = -*(const int *)mnl_nlmsg_get_payload(nlh);
			}
		}
	}
	return answer;
}

static int family_id(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*(uint16_t *)data = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

/* 0 if there is no such family at the moment. */
static uint16_t family_find(struct mnl_socket *nl)
{
	_Alignas(8) char buffer[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	uint16_t family = 0;

	nlh->nlmsg_type = GENL_ID_CTRL;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl->cmd = CTRL_CMD_GETFAMILY;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, IPSEC_GENL_NAME);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return 0;
	while (recv(mnl_socket_get_fd(nl), buffer, sizeof(buffer), 0) > 0)
		if (nlh->nlmsg_type == GENL_ID_CTRL)
			mnl_attr_parse(nlh, sizeof(*genl), family_id, &family);
	return family;
}

static bool error_is_known(int error)
{
	static const int errors[] = {
		0, ENOENT, ESTALE, EINVAL, ERANGE, ESRCH, EEXIST, EBUSY, EPERM, EOPNOTSUPP,
		E2BIG, ENOSPC, ENOMEM, EBADF, EDQUOT,
		EAGAIN,			/* of a control group, while the module comes or goes */
		EPROTONOSUPPORT,	/* a dump, while the module is going */
	};
	unsigned int i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(errors); i++)
		if (errors[i] == error)
			return true;
	return false;
}

static void judge_answer(const struct worker *worker, const struct message *message,
			 const struct answer *answer, bool nobody)
{
	unsigned int op = message->op - spec_ops;

	if (message->wild) {
		atomic_fetch_add(&wild, 1);
		return;
	}
	if (!answer->received) {
		problem(worker, "%s: no answer", message->op->name);
		return;
	}
	atomic_fetch_add(answer->error ? &refused[op] : &accepted[op], 1);
	if (!error_is_known(answer->error))
		problem(worker, "%s: %s", message->op->name, strerror(answer->error));
	if (answer->error)
		return;
	if (message->fault)
		problem(worker, "%s: accepted with %s", message->op->name, message->fault);
	if (nobody && message->op->admin)
		problem(worker, "%s: nobody was allowed to", message->op->name);
}

#define RESULTS		8	/* tries: most of them are faulty */

enum where { AT_LEFT, AT_RIGHT, NOBODY_AT_RIGHT, ELSEWHERE };

/* Nobody, and no other thread of the process is. */
static void become_nobody(void)
{
	if (syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
	    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY))
		err(1, "setresuid");
}

static void ask(struct worker *worker, enum where where)
{
	struct message *message = malloc(sizeof(*message));
	struct mnl_socket *nl = NULL;
	struct known known = { .cgroup_fd = -1 };
	unsigned int results = 0;
	struct answer answer;
	uint64_t state, last;
	uint16_t family = 0;

	if (!message)
		err(1, "no memory");
	enter(where == AT_LEFT ? LEFT : RIGHT);
	if (where == NOBODY_AT_RIGHT)
		become_nobody();
	for (; !atomic_load(&stop); worker->step++) {
		state = state_of(seed, worker->number, worker->step);
		if (once_in(&state, 200) || !nl) {
			if (nl)
				mnl_socket_close(nl);
			if (where == ELSEWHERE && unshare(CLONE_NEWNET))
				err(1, "unshare");
			nl = netlink_open();
			family = 0;
		}
		known.spi = atomic_load(&current_spi);
		known.ptoken = atomic_load(&some_ptoken[where != AT_LEFT]);
		if (!family)
			family = family_find(nl);
		/* while the module is away it is somebody else's turn */
		if (!family)
			usleep(10000);
		message_make(message, &state, family ?: UINT16_MAX,
			     results ? "request-result" : NULL, &known);
		if (mnl_socket_sendto(nl, message->bytes, message->length) < 0)
			continue;
		last = known.negotiation;
		answer = answer_read(nl, family, &known);
		/* told at once: soon nobody waits for it any more */
		if (known.negotiation != last)
			results = RESULTS;
		else if (results)
			results--;
		if (family)
			judge_answer(worker, message, &answer, where == NOBODY_AT_RIGHT);
		if (answer.error == ENOENT)
			family = family_find(nl);
	}
	mnl_socket_close(nl);
	free(message);
}

static void ask_left(struct worker *worker)
{
	ask(worker, AT_LEFT);
}

static void ask_right(struct worker *worker)
{
	ask(worker, AT_RIGHT);
}

static void ask_as_nobody(struct worker *worker)
{
	ask(worker, NOBODY_AT_RIGHT);
}

static void ask_elsewhere(struct worker *worker)
{
	ask(worker, ELSEWHERE);
}

/* ---------------------------------------------------------------------- groups */

#define CGROUPS		"/tmp/fuzz-cgroup"
#define OF_GROUP	16	/* steps in the same one */
#define OF_GROUPS	64	/* then there is none for a while, as each holds the module */
#define REST		25	/* seconds */
#define REQUEST_CGROUP	"request-cgroup"

static void cgroup_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", file);
	close(fd);
}

/* This thread alone is part of it. Return: its directory. */
static int cgroup_enter(void)
{
	if (mkdir(CGROUPS "/fuzz", 0755))
		err(1, CGROUPS);
	cgroup_write(CGROUPS "/fuzz/cgroup.type", "threaded");
	cgroup_write(CGROUPS "/fuzz/cgroup.threads", "0");
	return open(CGROUPS "/fuzz", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void cgroup_leave(int fd)
{
	close(fd);
	cgroup_write(CGROUPS "/cgroup.threads", "0");
	if (rmdir(CGROUPS "/fuzz"))
		err(1, CGROUPS);
}

static void cgroups_open(void)
{
	if (mkdir(CGROUPS, 0755) || mount("cgroup2", CGROUPS, "cgroup2", 0, NULL))
		err(1, CGROUPS);
}

static void cgroups_close(void)
{
	if (umount(CGROUPS) || rmdir(CGROUPS))
		err(1, CGROUPS);
}

/* Something is required of the thread's own group, and of the sockets made there. */
static void use_group(struct worker *worker, struct mnl_socket *nl, struct message *message)
{
	struct known known = { .cgroup_fd = cgroup_enter() };
	struct sockets *sockets = sockets_begin(RIGHT);
	uint16_t family = family_find(nl);
	struct answer answer;
	uint64_t state;

	do {
		state = state_of(seed, worker->number, worker->step);
		message_make(message, &state, family ?: UINT16_MAX, REQUEST_CGROUP, &known);
		if (mnl_socket_sendto(nl, message->bytes, message->length) >= 0) {
			answer = answer_read(nl, family, &known);
			if (family)
				judge_answer(worker, message, &answer, false);
		}
		sockets_step(sockets, worker, &state);
	} while (++worker->step % OF_GROUP && !atomic_load(&stop));
	sockets_end(sockets);
	cgroup_leave(known.cgroup_fd);
}

static void use_groups(struct worker *worker)
{
	struct message *message = malloc(sizeof(*message));
	struct mnl_socket *nl;
	int i;

	if (!message)
		err(1, "no memory");
	enter(RIGHT);
	nl = netlink_open();
	while (!atomic_load(&stop)) {
		use_group(worker, nl, message);
		for (i = 0; i < 10 * REST && worker->step % OF_GROUPS == 0; i++) {
			if (atomic_load(&stop))
				break;
			usleep(100000);
		}
	}
	mnl_socket_close(nl);
	free(message);
}

/* Members of groups of whatever number come and go. */
static void overhear(struct worker *worker)
{
	struct mnl_socket *nl;
	struct ipsec *handle;
	char message[64];
	uint64_t state;
	int group, i;

	enter(RIGHT);
	for (; !atomic_load(&stop); worker->step++) {
		state = state_of(seed, worker->number, worker->step);
		if (ipsec_open(&handle)) {
			usleep(10000);
			continue;
		}
		group = once_in(&state, 4) ? handle->group_changes : handle->group_events;
		ipsec_close(handle);
		nl = netlink_open();
		if (!mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group))) {
			for (i = below(&state, 20); i; i--) {
				usleep(10000);
				while (recv(mnl_socket_get_fd(nl), message, sizeof(message), 0) > 0)
					atomic_fetch_add(&news, 1);
			}
		}
		mnl_socket_close(nl);
	}
}

/* ---------------------------------------------------------------------- others */

static void use_sockets(struct worker *worker, int host)
{
	struct sockets *sockets;
	uint64_t state;

	enter(host);
	sockets = sockets_begin(host);
	for (; !atomic_load(&stop); worker->step++) {
		state = state_of(seed, worker->number, worker->step);
		sockets_step(sockets, worker, &state);
		if (worker->step % 16 == 0)
			usleep(1000);
	}
	sockets_end(sockets);
}

static void use_sockets_left(struct worker *worker)
{
	use_sockets(worker, LEFT);
}

static void use_sockets_right(struct worker *worker)
{
	use_sockets(worker, RIGHT);
}

/* Successors, and now and then SAs of another kind. */
static void change(struct worker *worker)
{
	uint64_t state;
	uint32_t old;

	for (; !atomic_load(&stop); worker->step++) {
		state = state_of(seed, worker->number, worker->step);
		old = spi;
		spi += 0x10;
		if (once_in(&state, 4))
			selector++;
		pair_add();
		atomic_store(&current_spi, spi);
		usleep(1000 + below(&state, once_in(&state, 8) ? 500000 : 50000));
		pair_delete(old);
		atomic_fetch_add(&changes, 1);
	}
}

static const char *module;

/* Unloaded whenever it can be, for which others let go of it for a moment. */
static void reload(struct worker *worker)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), i;
	uint64_t state;

	if (fd < 0)
		err(1, "%s", module);
	for (; !atomic_load(&stop); worker->step++) {
		state = state_of(seed, worker->number, worker->step);
		atomic_store(&let_go, once_in(&state, 2));
		for (i = 0; i < 200 && !atomic_load(&stop); i++) {
			usleep(10000);
			if (syscall(SYS_delete_module, "ipsec_token", O_NONBLOCK)) {
				atomic_fetch_add(&busy, 1);
				continue;
			}
			atomic_fetch_add(&unloads, 1);
			usleep(below(&state, 100000));
			if (syscall(SYS_finit_module, fd, "", 0))
				err(1, "%s", module);
			break;
		}
		atomic_store(&let_go, false);
		usleep(500000 + below(&state, 2000000));
	}
	close(fd);
}

/* ------------------------------------------------------------------------ main */

static const struct {
	const char *name;
	void (*what)(struct worker *worker);
} threads[] = {
	{ "root at left", ask_left },
	{ "root at right", ask_right },
	{ "nobody", ask_as_nobody },
	{ "root elsewhere", ask_elsewhere },
	{ "sockets at left", use_sockets_left },
	{ "sockets at right", use_sockets_right },
	{ "control groups", use_groups },
	{ "listener", overhear },
	{ "SAs", change },
	{ "module", reload },
};

static struct worker workers[IPSEC_ARRAY_SIZE(threads)];

static void *begin(void *data)
{
	struct worker *worker = data;

	threads[worker->number].what(worker);
	return NULL;
}

/* In the kernel's log, where what goes wrong is as well. */
static void tell_where(void)
{
	static int kmsg = -1;
	char text[256];
	size_t i, len;

	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	len = snprintf(text, sizeof(text), "<5>fuzz: seed %llu, steps",
		       (unsigned long long)seed);
	for (i = 0; i < IPSEC_ARRAY_SIZE(threads); i++)
		len += snprintf(text + len, sizeof(text) - len, " %llu",
				(unsigned long long)workers[i].step);
	if (write(kmsg, text, len) < 0)
		err(1, "/dev/kmsg");
}

/* What has to have happened for the rest to say anything. */
static bool enough(void)
{
	unsigned int i;

	for (i = 0; i < spec_op_count; i++)
		if (!accepted[i] || !refused[i])
			return false;
	return unloads && busy && news && changes && option_values && option_errors;
}

#define LONGER		1200	/* seconds */

static int fuzz(int seconds)
{
	pthread_t ids[IPSEC_ARRAY_SIZE(threads)];
	time_t end = time(NULL) + seconds, latest = end + LONGER;
	unsigned int i;

	hosts_open();
	cgroups_open();
	spi = SPIS;
	pair_add();
	atomic_store(&current_spi, spi);
	for (i = 0; i < IPSEC_ARRAY_SIZE(threads); i++) {
		workers[i].number = i;
		workers[i].name = threads[i].name;
		if (pthread_create(&ids[i], NULL, begin, &workers[i]))
			errx(1, "pthread_create");
	}
	/* on a slow machine it takes longer until all has been tried */
	while (time(NULL) < end || (time(NULL) < latest && !enough())) {
		tell_where();
		sleep(2);
	}
	atomic_store(&stop, true);
	for (i = 0; i < IPSEC_ARRAY_SIZE(threads); i++)
		pthread_join(ids[i], NULL);
	cgroups_close();
	tell_where();

	for (i = 0; i < spec_op_count; i++)
		printf("%s %u %u\n", spec_ops[i].name, accepted[i], refused[i]);
	printf("wild %u\nunloads %u\nbusy %u\nnews %u\nSA-changes %u\n", wild, unloads, busy,
	       news, changes);
	printf("option-values %u\noption-errors %u\nproblems %u\n", option_values,
	       option_errors, problems);
	return 0;
}

static int show(unsigned int thread, uint64_t step, const char *op)
{
	static const struct known known = { 1, 1, 1, SPIS, -1 };
	bool of_group = thread < IPSEC_ARRAY_SIZE(threads) && threads[thread].what == use_groups;
	static struct message message;
	uint64_t state = state_of(seed, thread, step);
	size_t i;

	/* as ask() has it */
	if (!of_group)
		once_in(&state, 200);
	message_make(&message, &state, GENL_MIN_ID, of_group ? REQUEST_CGROUP : op, &known);
	printf("# %s%s%s%s\n", message.op->name, message.wild ? ", wild" : "",
	       message.fault ? ", with " : "", message.fault ?: "");
	for (i = 0; i < message.length; i++)
		printf("%02x%s", message.bytes[i], i % 16 == 15 ? "\n" : " ");
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	if ((argc == 6 || argc == 7) && !strcmp(argv[2], "show")) {
		spec_read(argv[1]);
		seed = strtoull(argv[3], NULL, 0);
		return show(strtoul(argv[4], NULL, 0), strtoull(argv[5], NULL, 0), argv[6]);
	}
	if (argc != 5)
		errx(1, "kernel SPECIFICATION MODULE SECONDS SEED");
	spec_read(argv[1]);
	module = argv[2];
	seed = strtoull(argv[4], NULL, 0);
	return fuzz(atoi(argv[3]));
}
