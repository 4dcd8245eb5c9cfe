// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: socket_policy
 *
 * Say, one word each, what the kernel answers to policies for a socket, good and bad
 * (IP_XFRM_POLICY and IPV6_XFRM_POLICY).
 */
#include <err.h>
#include <errno.h>
#include <linux/in6.h>
#include <linux/ipsec.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct xfrm_userpolicy_info policy;
	struct xfrm_user_tmpl template;
};

static void ask(const char *what, int family, int option, const struct request *request,
		socklen_t len)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		err(1, "socket");
	printf("%s %s\n", what,
	       setsockopt(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP, option,
			  request, len) ? strerrorname_np(errno) : "ok");
	close(fd);
}

static void ask_all(int family, int option)
{
	const struct request good = {
		.policy = {
			.sel.family = family,
			.dir = XFRM_POLICY_OUT,
			.action = XFRM_POLICY_ALLOW,
		},
		.template = {
			.id.proto = IPPROTO_ESP,
			.family = family,
			.mode = XFRM_MODE_TRANSPORT,
			.aalgos = ~0, .ealgos = ~0, .calgos = ~0,
		},
	};
	struct request bad = good;

	ask("pass", family, option, &good, sizeof(good.policy));
	ask("protect", family, option, &good, sizeof(good));
	ask("none", family, option, NULL, 0);
	ask("short", family, option, &good, sizeof(good.policy) - 1);
	ask("long", family, option, &good, 1 << 20);

	bad.policy.dir = XFRM_POLICY_FWD;
	ask("forward", family, option, &bad, sizeof(bad));
	bad = good;
	bad.policy.action = 77;
	ask("action", family, option, &bad, sizeof(bad));
	bad = good;
	bad.template.id.proto = IPPROTO_TCP;
	ask("protocol", family, option, &bad, sizeof(bad));
}

int main(void)
{
	ask_all(AF_INET, IP_XFRM_POLICY);
	ask_all(AF_INET6, IPV6_XFRM_POLICY);
	return 0;
}
