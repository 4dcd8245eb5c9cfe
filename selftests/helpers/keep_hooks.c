// SPDX-License-Identifier: GPL-2.0-only
/*
 * keep_hooks - keep netfilter in use, in a network namespace of its own, for good
 *
 * Whether there is any hook of a kind, anywhere, is patched into the kernel's code. When
 * that changes under traffic, QEMU's emulation of several processors, at times, goes on
 * with what stood there for a moment, and the guest hangs, with nothing of the module on
 * the stack. With a hook of each kind in some namespace it does not change any more when
 * the module comes and goes.
 *
 * Asking for the tables called mangle puts them there. Needs CAP_SYS_ADMIN.
 */
#include <err.h>
#include <netinet/in.h>		/* before the kernel's own, which yield to it */
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void table(int family, int level, int option, void *info, socklen_t size)
{
	int fd = socket(family, SOCK_RAW, IPPROTO_RAW);

	if (fd < 0 || getsockopt(fd, level, option, info, &size))
		err(1, "the table mangle of IPv%c", family == AF_INET ? '4' : '6');
	close(fd);
}

int main(void)
{
	struct ipt_getinfo info4 = { .name = "mangle" };
	struct ip6t_getinfo info6 = { .name = "mangle" };

	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	table(AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, &info4, sizeof(info4));
	table(AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, &info6, sizeof(info6));
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
