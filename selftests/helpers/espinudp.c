// SPDX-License-Identifier: GPL-2.0
/*
 * usage: espinudp PORT
 *
 * Hold the UDP sockets, one for each family, through which a network namespace
 * receives ESP in UDP; what a keying daemon does with its port 4500. Says
 * "ready", then sleeps until it is killed.
 */

#include <err.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The UDP around the ESP is not itself protected by anything; let it pass by a
 * policy that wants all traffic between the hosts protected.
 */
static void bypass(int fd, int family, int dir)
{
	struct xfrm_userpolicy_info policy = {
		.sel.family = family,
		.dir = dir,
		.action = XFRM_POLICY_ALLOW,
	};
	int v6 = family == AF_INET6;

	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP,
		       v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY,
		       &policy, sizeof(policy)))
		err(1, "XFRM_POLICY");
}

static void hold(int family, const struct sockaddr *addr, socklen_t len)
{
	int encap = UDP_ENCAP_ESPINUDP, on = 1;
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		err(1, "socket");
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		err(1, "IPV6_V6ONLY");
	if (bind(fd, addr, len))
		err(1, "bind");
	bypass(fd, family, XFRM_POLICY_IN);
	bypass(fd, family, XFRM_POLICY_OUT);
	if (setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &encap, sizeof(encap)))
		err(1, "UDP_ENCAP");
}

int main(int argc, char **argv)
{
	in_port_t port = htons(argc > 1 ? atoi(argv[1]) : 4500);
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = port };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = port };

	/* Do not outlive a test that dies. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);

	hold(AF_INET, (struct sockaddr *)&sin, sizeof(sin));
	hold(AF_INET6, (struct sockaddr *)&sin6, sizeof(sin6));

	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
