// SPDX-License-Identifier: GPL-2.0-only
/*
 * turmoil SECONDS MODULE - change all there is to change at the hosts left and
 * right, at the same time
 *
 * SAs are succeeded, deleted, flushed and made again; identities are bound and
 * taken back; namespaces are made, used and left; everything is listed, listened
 * to and reconfigured; the module goes and comes. helpers/traffic.c is what should
 * not mind. At the end it prints how often each of these has succeeded. On a slow
 * machine it goes on, up to five times as long, until each has.
 */
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "hosts.h"

#define SPIS	0x10000000	/* none that the script uses */

static atomic_bool stop;
static const char *module;
static atomic_uint changes, bindings, namespaces, lists, settings, news, unloads, busy;
/* what the pair of SAs in force is counted from */
static atomic_uint current_spi;

static void rest(void)
{
	usleep(2000);
}

/* ----------------------------------------------------------------------- SAs */

/* Successors, others of another kind, and now and then none for a moment. */
static void *change(void *unused)
{
	uint32_t old;
	int turn;

	for (turn = 0; !atomic_load(&stop); turn++) {
		old = spi;
		spi += 0x10;
		if (turn % 4 == 3)
			selector++;
		if (turn % 16 == 15)
			sas_flush();
		pair_add();
		atomic_store(&current_spi, spi);
		rest();
		if (turn % 16 != 15)
			pair_delete(old);
		atomic_fetch_add(&changes, 1);
	}
	return unused;
}

/* ----------------------------------------------------------------- netlink */

static struct ipsec *handle_open(int host)
{
	struct ipsec *handle;

	enter(host);
	while (ipsec_open(&handle)) {
		/* the module is not there */
		if (atomic_load(&stop))
			return NULL;
		usleep(10000);
	}
	return handle;
}

static int ask(struct ipsec *handle, struct nlmsghdr *nlh)
{
	int ret;

	ipsec_enter(handle);
	ret = ipsec_nl_talk(handle, nlh, NULL, NULL);
	ipsec_leave(handle);
	return ret;
}

/* Who comes too late finds no such SA any more. */
static void *bind_and_unbind(void *data)
{
	_Alignas(8) char buffer[1024];
	struct ipsec *handle = handle_open((intptr_t)data);
	uint8_t itoken[IPSEC_ITOKEN_SIZE] = {};
	struct nlmsghdr *nlh;
	struct nlattr *nest;
	uint32_t of;
	int turn;

	for (turn = 0; handle && !atomic_load(&stop); turn++) {
		of = atomic_load(&current_spi);
		itoken[0] = turn / 8;
		nlh = ipsec_nl_request(handle, buffer, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
		nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
		mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(itoken), itoken);
		mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PRESHAREDKEY);
		if (turn & 4)
			mnl_attr_put_u64(nlh, IPSEC_IDENTITY_A_LINEAGE, 1 + turn / 32);
		mnl_attr_nest_end(nlh, nest);
		put_pair(nlh, of);
		if (!ask(handle, nlh))
			atomic_fetch_add(&bindings, 1);
		rest();
		if (turn % 3)
			continue;
		nlh = ipsec_nl_request(handle, buffer, IPSEC_CMD_IDENTITY_UNBIND, NLM_F_ACK);
		put_pair(nlh, of);
		ask(handle, nlh);
	}
	if (handle)
		ipsec_close(handle);
	return NULL;
}

static void *list(void *data)
{
	_Alignas(8) char buffer[128];
	static const uint8_t cmds[] = {
		IPSEC_CMD_CONTEXT_GET, IPSEC_CMD_SOCKET_GET, IPSEC_CMD_IDENTITY_GET,
	};
	struct ipsec *handle = handle_open((intptr_t)data);
	int turn;

	for (turn = 0; handle && !atomic_load(&stop); turn++) {
		if (!ask(handle, ipsec_nl_request(handle, buffer, cmds[turn % 3], NLM_F_DUMP)))
			atomic_fetch_add(&lists, 1);
		rest();
	}
	if (handle)
		ipsec_close(handle);
	return NULL;
}

/* What is kept for how long, and what is trusted. */
static void *configure(void *data)
{
	_Alignas(8) char buffer[256];
	struct ipsec *handle = handle_open((intptr_t)data);
	struct nlmsghdr *nlh;
	int turn;

	for (turn = 0; handle && !atomic_load(&stop); turn++) {
		nlh = ipsec_nl_request(handle, buffer, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
		mnl_attr_put_u32(nlh, IPSEC_A_LINGER, turn % 2);
		if (!ask(handle, nlh))
			atomic_fetch_add(&settings, 1);
		nlh = ipsec_nl_request(handle, buffer, IPSEC_CMD_ALGORITHM_SET, NLM_F_ACK);
		mnl_attr_put_strz(nlh, IPSEC_A_ALGORITHM_NAME, "rfc4106(gcm(aes))");
		mnl_attr_put_u8(nlh, IPSEC_A_ALGORITHM_TRUSTED, turn / 2 % 2);
		ask(handle, nlh);
		usleep(50000);
	}
	if (handle)
		ipsec_close(handle);
	return NULL;
}

/* Groups are joined, read from and left. */
static void *overhear(void *data)
{
	struct ipsec *handle;
	struct mnl_socket *nl;
	char message[64];
	int i, group;

	while (!atomic_load(&stop)) {
		handle = handle_open((intptr_t)data);
		if (!handle)
			break;
		group = handle->group_events;
		ipsec_close(handle);
		nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_NONBLOCK);
		if (nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
		    !mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group))) {
			for (i = 0; i < 20; i++) {
				usleep(10000);
				while (recv(mnl_socket_get_fd(nl), message, sizeof(message), 0) > 0)
					atomic_fetch_add(&news, 1);
			}
		}
		if (nl)
			mnl_socket_close(nl);
	}
	return NULL;
}

/* -------------------------------------------------------------- namespaces */

/* Left with an SA in it, and with a datagram that nobody has read. */
static void namespace_once(void)
{
	struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in own = { .sin_family = AF_INET };
	socklen_t len = sizeof(own);
	struct mnl_socket *nl;
	int rx, tx, ret;

	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	nl = mnl_socket_open(NETLINK_XFRM);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID))
		err(1, "xfrm");
	sa_add(nl, LEFT);
	mnl_socket_close(nl);

	rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (rx < 0 || tx < 0 || ioctl(rx, SIOCSIFFLAGS, &loopback) ||
	    bind(rx, (struct sockaddr *)&own, sizeof(own)) ||
	    getsockname(rx, (struct sockaddr *)&own, &len))
		err(1, "socket");
	ret = ipsec_recvptoken_set(rx, true);
	if (sendto(tx, "x", 1, 0, (struct sockaddr *)&own, len) == 1 && !ret)
		atomic_fetch_add(&namespaces, 1);
	close(tx);
	close(rx);
}

/* A namespace is more work than all else here: without precedence it is never done. */
static void *move_on(void *unused)
{
	if (setpriority(PRIO_PROCESS, gettid(), -10))
		err(1, "setpriority");
	while (!atomic_load(&stop)) {
		namespace_once();
		usleep(50000);
	}
	return unused;
}

/* -------------------------------------------------------------- the module */

/* Unloaded whenever nothing holds it for a moment, at most every other second. */
static void *reload(void *unused)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", module);
	while (!atomic_load(&stop)) {
		usleep(5000);
		if (syscall(SYS_delete_module, "ipsec_token", O_NONBLOCK)) {
			atomic_fetch_add(&busy, 1);
			continue;
		}
		atomic_fetch_add(&unloads, 1);
		usleep(100000);
		if (syscall(SYS_finit_module, fd, "", 0))
			err(1, "%s", module);
		usleep(2000000);
	}
	close(fd);
	return unused;
}

/* -------------------------------------------------------------------- main */

static const struct {
	void *(*what)(void *data);
	intptr_t where;
} threads[] = {
	{ change, 0 },
	{ bind_and_unbind, LEFT }, { bind_and_unbind, RIGHT },
	{ list, LEFT }, { list, RIGHT },
	{ configure, RIGHT },
	{ overhear, LEFT }, { overhear, RIGHT },
	{ move_on, 0 }, { move_on, 0 },
	{ reload, 0 },
};

static bool all_happened(void)
{
	return changes && bindings && namespaces && lists && settings && news && unloads && busy;
}

int main(int argc, char **argv)
{
	pthread_t ids[IPSEC_ARRAY_SIZE(threads)];
	unsigned int i;
	int seconds;

	if (argc != 3)
		errx(1, "turmoil SECONDS MODULE");
	seconds = atoi(argv[1]);
	module = argv[2];
	hosts_open();
	spi = SPIS;
	pair_add();
	atomic_store(&current_spi, spi);
	for (i = 0; i < IPSEC_ARRAY_SIZE(threads); i++)
		if (pthread_create(&ids[i], NULL, threads[i].what, (void *)threads[i].where))
			errx(1, "pthread_create");
	sleep(seconds);
	for (i = 0; i < 4 * (unsigned int)seconds && !all_happened(); i++)
		sleep(1);
	atomic_store(&stop, true);
	for (i = 0; i < IPSEC_ARRAY_SIZE(threads); i++)
		pthread_join(ids[i], NULL);
	printf("%u %u %u %u %u %u %u %u\n", changes, bindings, namespaces, lists, settings,
	       news, unloads, busy);
	return 0;
}
