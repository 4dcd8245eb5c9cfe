// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process with UDP sockets in the network namespaces left and right, under
 * a test's control: a command per line of standard input, and one line of
 * answer to each, which is "ok", what was asked for, or the name of an error.
 *
 *	open NAME HOST 4|6 ADDRESS PORT	close NAME	bypass NAME
 *	optin NAME VALUE		optedin NAME	gro NAME
 *	connect NAME ADDRESS PORT	disconnect NAME	addrform NAME
 *	send NAME ADDRESS PORT SIZE	recv NAME	peek NAME
 *	ptoken NAME			child COMMAND...
 *	device_gro NAME DEVICE		size NAME
 *	fragment NAME FIRST|LAST SOURCE DESTINATION ID
 *
 * "recv" waits a second at most and answers with the pToken: "clear",
 * "unknown", a number, or "missing"; "size" tells how much it got. "child" has
 * a forked process execute the command, "fragment" sends half a datagram over a
 * socket that was opened with port 0, which makes it a raw one.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/ipsec_token.h>
#include <linux/sockios.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char name[16];
	int family;
	int fd;
} sockets[64];

static int family, fd;		/* of the socket that the command names */
static ssize_t size;		/* of what was received last */

static bool find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		if (!strcmp(sockets[i].name, name)) {
			family = sockets[i].family;
			fd = sockets[i].fd;
			return true;
		}
	}
	return false;
}

static socklen_t address(const char *text, const char *port, struct sockaddr_storage *storage)
{
	struct sockaddr_in6 *sin6 = (void *)storage;
	struct sockaddr_in *sin = (void *)storage;
	char mapped[64];

	memset(storage, 0, sizeof(*storage));
	if (family == AF_INET) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(atoi(port));
		if (inet_pton(AF_INET, text, &sin->sin_addr) != 1)
			errx(1, "address %s", text);
		return sizeof(*sin);
	}
	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(atoi(port));
	if (inet_pton(AF_INET6, mapped, &sin6->sin6_addr) != 1)
		errx(1, "address %s", mapped);
	return sizeof(*sin6);
}

static const char *outcome(long result)
{
	return result < 0 ? strerrorname_np(errno) : "ok";
}

static const char *value(long long number)
{
	static char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	return text;
}

static const char *name_ptoken(__u64 ptoken)
{
	static char text[32];

	if (ptoken == IPSEC_PTOKEN_NONE)
		return "clear";
	if (ptoken == IPSEC_PTOKEN_UNKNOWN)
		return "unknown";
	snprintf(text, sizeof(text), "%#llx", ptoken);
	return text;
}

static const char *do_open(char **arg)
{
	struct sockaddr_storage a;
	char path[64];
	socklen_t len;
	int i, ns;

	for (i = 0; sockets[i].name[0]; i++)
		;
	snprintf(path, sizeof(path), "/run/netns/%s", arg[2]);
	ns = open(path, O_RDONLY);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		err(1, "%s", path);
	close(ns);

	family = *arg[3] == '4' ? AF_INET : AF_INET6;
	if (!atoi(arg[5])) {
		fd = socket(family, SOCK_RAW, IPPROTO_RAW);
	} else {
		fd = socket(family, SOCK_DGRAM, 0);
		len = address(arg[4], arg[5], &a);
		if (family == AF_INET6 && !strcmp(arg[4], "0.0.0.0"))
			((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_any;
		if (bind(fd, (void *)&a, len))
			return strerrorname_np(errno);
	}
	snprintf(sockets[i].name, sizeof(sockets[i].name), "%s", arg[1]);
	sockets[i].family = family;
	sockets[i].fd = fd;
	return outcome(fd);
}

static const char *do_close(char **arg)
{
	size_t i;

	for (i = 0; strcmp(sockets[i].name, arg[1]); i++)
		;
	sockets[i].name[0] = 0;
	return outcome(close(sockets[i].fd));
}

/* Out in clear, whatever the system's policy is. */
static const char *do_bypass(void)
{
	struct xfrm_userpolicy_info policy = {
		.sel.family = family, .dir = XFRM_POLICY_OUT, .action = XFRM_POLICY_ALLOW,
		.lft.soft_byte_limit = XFRM_INF, .lft.hard_byte_limit = XFRM_INF,
		.lft.soft_packet_limit = XFRM_INF, .lft.hard_packet_limit = XFRM_INF,
	};

	return outcome(family == AF_INET ?
		       setsockopt(fd, SOL_IP, IP_XFRM_POLICY, &policy, sizeof(policy)) :
		       setsockopt(fd, SOL_IPV6, IPV6_XFRM_POLICY, &policy, sizeof(policy)));
}

static const char *do_receive(int flags)
{
	struct timeval second = { .tv_sec = 1 };
	static char data[70000], control[1024];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	__u64 ptoken;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	size = recvmsg(fd, &msg, flags);
	if (size < 0)
		return strerrorname_np(errno);
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level == (family == AF_INET ? SOL_IP : SOL_IPV6) &&
		    cmsg->cmsg_type == IPSEC_SCM_PTOKEN &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(ptoken))) {
			memcpy(&ptoken, CMSG_DATA(cmsg), sizeof(ptoken));
			return name_ptoken(ptoken);
		}
	}
	return "missing";
}

static const char *do_ptoken(void)
{
	__u64 ptoken;
	socklen_t len = sizeof(ptoken);

	if (getsockopt(fd, SOL_IP, IPSEC_SO_PTOKEN, &ptoken, &len))
		return strerrorname_np(errno);
	return len == sizeof(ptoken) ? name_ptoken(ptoken) : "length";
}

/* "ethtool -K DEVICE gro on", on the host that the socket is on */
static const char *do_device_gro(char **arg)
{
	struct ethtool_value on = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq ifr = { .ifr_data = (void *)&on };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", arg[2]);
	return outcome(ioctl(fd, SIOCETHTOOL, &ifr));
}

static uint32_t sum_up(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *byte = data;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

/* The first or last 32 bytes of a datagram from port 5000 to port 6000. */
static const char *do_fragment(char **arg)
{
	struct {
		struct udphdr udp;
		char data[56];
	} whole = { .udp = { .source = htons(5000), .dest = htons(6000), .len = htons(64) } };
	bool first = !strcmp(arg[2], "FIRST");
	struct sockaddr_storage a;
	socklen_t alen = address(arg[4], "0", &a);
	struct {
		union {
			struct iphdr v4;
			struct {
				struct ip6_hdr v6;
				struct ip6_frag fragment;
			};
		};
		char data[32];
	} __attribute__((packed)) packet = {};
	size_t len = sizeof(packet);
	char *data = packet.data;
	uint32_t sum;

	if (family == AF_INET) {
		packet.v4 = (struct iphdr){
			.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
			.id = htons(atoi(arg[5])), .frag_off = htons(first ? IP_MF : 32 / 8),
		};
		inet_pton(AF_INET, arg[3], &packet.v4.saddr);
		inet_pton(AF_INET, arg[4], &packet.v4.daddr);
		data = (char *)(&packet.v4 + 1);	/* no UDP checksum */
		len = sizeof(packet.v4) + 32;
	} else {
		packet.v6.ip6_vfc = 0x60;
		packet.v6.ip6_plen = htons(sizeof(packet.fragment) + 32);
		packet.v6.ip6_nxt = IPPROTO_FRAGMENT;
		packet.v6.ip6_hlim = 64;
		inet_pton(AF_INET6, arg[3], &packet.v6.ip6_src);
		inet_pton(AF_INET6, arg[4], &packet.v6.ip6_dst);
		packet.fragment.ip6f_nxt = IPPROTO_UDP;
		packet.fragment.ip6f_offlg = first ? IP6F_MORE_FRAG : htons(32);
		packet.fragment.ip6f_ident = htonl(atoi(arg[5]));
		sum = sum_up(&packet.v6.ip6_src, 32, IPPROTO_UDP + 64);
		sum = sum_up(&whole, sizeof(whole), sum);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		whole.udp.check = htons(~sum);
	}
	memcpy(data, (char *)&whole + (first ? 0 : 32), 32);
	return outcome(sendto(fd, &packet, len, 0, (void *)&a, alen));
}

static const char *obey(char **arg, int args)
{
	static char data[65536];
	struct sockaddr_storage a = {};
	const char *what = arg[0];
	socklen_t len = sizeof(int);
	int number, family4 = AF_INET;

	if (!strcmp(what, "open") && args == 6)
		return do_open(arg);
	if (args < 2 || !find(arg[1]))
		return "no such socket";
	if (!strcmp(what, "close"))
		return do_close(arg);
	if (!strcmp(what, "bypass"))
		return do_bypass();
	if (!strcmp(what, "optin") && args == 3) {
		number = atoi(arg[2]);
		return outcome(setsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &number,
					  sizeof(number)));
	}
	if (!strcmp(what, "optedin")) {
		if (getsockopt(fd, SOL_IP, IPSEC_SO_RECVPTOKEN, &number, &len))
			return strerrorname_np(errno);
		return value(number);
	}
	if (!strcmp(what, "gro")) {
		number = 1;
		return outcome(setsockopt(fd, SOL_UDP, UDP_GRO, &number, sizeof(number)));
	}
	if (!strcmp(what, "device_gro") && args == 3)
		return do_device_gro(arg);
	if (!strcmp(what, "connect") && args == 4) {
		len = address(arg[2], arg[3], &a);
		return outcome(connect(fd, (void *)&a, len));
	}
	if (!strcmp(what, "disconnect"))
		return outcome(connect(fd, (void *)&a, sizeof(a)));
	if (!strcmp(what, "addrform"))
		return outcome(setsockopt(fd, SOL_IPV6, IPV6_ADDRFORM, &family4, sizeof(int)));
	if (!strcmp(what, "send") && args == 5) {
		len = address(arg[2], arg[3], &a);
		return outcome(sendto(fd, data, atoi(arg[4]), 0, (void *)&a, len));
	}
	if (!strcmp(what, "recv"))
		return do_receive(0);
	if (!strcmp(what, "size"))
		return value(size);
	if (!strcmp(what, "peek"))
		return do_receive(MSG_PEEK);
	if (!strcmp(what, "ptoken"))
		return do_ptoken();
	if (!strcmp(what, "fragment") && args == 6)
		return do_fragment(arg);
	return "no such command";
}

int main(void)
{
	char line[256], *arg[8], *rest;
	int args;

	setlinebuf(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		bool child = !strncmp(line, "child ", 6);

		rest = child ? line + 6 : line;
		for (args = 0; args < 8 && (arg[args] = strtok(rest, " \n")); args++)
			rest = NULL;
		if (!args)
			continue;
		if (child && fork()) {
			wait(NULL);
			continue;
		}
		puts(obey(arg, args));
		fflush(stdout);
		if (child)
			_exit(0);
	}
	return 0;
}
