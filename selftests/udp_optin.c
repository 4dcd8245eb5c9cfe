// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which sockets can have pTokens, what is wrong with a call, and what else
 * wants to have a say in receiving: sockmaps, BPF programs.
 */

#include <linux/bpf.h>
#include <netinet/ip.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "udp_transcript.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif

static int result_of(int result)
{
	return result < 0 ? -errno : result;
}

static void is(int got, int wanted, const char *text)
{
	ksft_test_result(got == wanted, "%s\n", text);
	if (got != wanted)
		ksft_print_msg("got %d, wanted %d\n", got, wanted);
}

/* Tests make claims about what a call does: OPTIN(fd), say. */
static int opt(int fd, int level, const void *value, socklen_t len)
{
	return result_of(setsockopt(fd, level, IPSEC_SO_RECVPTOKEN, value, len));
}

static int optin(int fd, int on)
{
	return opt(fd, SOL_IP, &on, sizeof(on));
}

static int optedin(int fd)
{
	return get(fd, SOL_IP, IPSEC_SO_RECVPTOKEN);
}

static int ptoken(int fd, int level, void *value, socklen_t *len)
{
	return result_of(getsockopt(fd, level, IPSEC_SO_PTOKEN, value, len));
}

/* ----------------------------------------------------------------- the calls */

static void test_arguments(enum kind kind)
{
	int fd = open_socket(kind, true, RX_PORT), on = 1, i;
	int level = kind == IPV4 ? SOL_IP : SOL_IPV6;
	struct sockaddr_storage a;
	socklen_t len = address(kind, true, TX_PORT, &a);
	char place[32] = {};
	bool good;

	memcpy(place + 1, &on, sizeof(on));
	is(optedin(fd), 0, "a new socket has not opted in");
	for (good = true, i = 0; i < 4; i++)
		good &= opt(fd, level, &on, i) == -EINVAL;
	is(good, true, "too short a value");
	is(opt(fd, level, &on, -1), -EINVAL, "negative length");
	is(opt(fd, level, NULL, sizeof(on)), -EFAULT, "no value");
	is(optin(fd, 2), -EINVAL, "2");
	is(optin(fd, -1), -EINVAL, "-1");
	is(optedin(fd), 0, "still not opted in");
	is(ptoken(fd, level, place, &(socklen_t){ 8 }), -EINVAL, "no pToken without opt-in");

	is(opt(fd, level, place + 1, sizeof(on)), 0, "an unaligned value");
	is(optedin(fd), 1, "opted in");
	is(optin(fd, 1), 0, "opted in twice");
	is(get(fd, level, IPSEC_SO_RECVPTOKEN), 1, "at the other level");
	is(kind == IPV4 ? get(fd, SOL_IPV6, IPSEC_SO_RECVPTOKEN) == -EOPNOTSUPP :
			  get(fd, SOL_UDP, IPSEC_SO_RECVPTOKEN) == -ENOPROTOOPT, true,
	   "at a level that has no such option");

	is(result_of(setsockopt(fd, level, IPSEC_SO_PTOKEN, place, 8)), -EPERM,
	   "a pToken can't be set");
	is(ptoken(fd, level, place, &(socklen_t){ 8 }), -ENOTCONN, "not connected");
	if (connect(fd, (void *)&a, len))
		err(1, "connect");
	is(ptoken(fd, level, place, &(socklen_t){ 8 }), -ENODATA, "no datagram");
	a = (struct sockaddr_storage){};
	len = address(kind, false, RX_PORT, &a);
	i = open_socket(kind, false, TX_PORT);
	if (sendto(i, "x", 1, 0, (void *)&a, len) != 1)
		err(1, "sendto");
	settle();
	recv(fd, place, 1, 0);
	close(i);
	is(ptoken(fd, level, place, &(socklen_t){ 7 }), -EINVAL, "no room for a pToken");
	is(ptoken(fd, level, place, &(socklen_t){ 0 }), -EINVAL, "no room at all");
	is(ptoken(fd, level, NULL, &(socklen_t){ 8 }), -EFAULT, "no place for a pToken");
	is(ptoken(fd, level, place, NULL), -EFAULT, "no length");
	memset(place, 0xee, sizeof(place));
	len = 31;
	is(ptoken(fd, level, place + 1, &len), 0, "an unaligned place");
	is(len == 8 && !memcmp(place, "\xee\0\0\0\0\0\0\0\0\xee", 10), true,
	   "nothing but the pToken is written");

	is(optin(fd, 0), 0, "opted out");
	is(optin(fd, 0), 0, "opted out twice");
	is(optedin(fd), 0, "not opted in any more");
	close(fd);
}

#define ARGUMENTS	25

static void test_others(void)
{
	static const struct {
		const char *name;
		int family, type, protocol, error;
	} others[] = {
		{ "UDP-Lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, -EOPNOTSUPP },
		{ "UDP-Lite over IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, -EOPNOTSUPP },
		{ "TCP", AF_INET, SOCK_STREAM, 0, -EOPNOTSUPP },
		{ "TCP over IPv6", AF_INET6, SOCK_STREAM, 0, -EOPNOTSUPP },
		{ "raw", AF_INET, SOCK_RAW, IPPROTO_UDP, -EOPNOTSUPP },
		{ "raw over IPv6", AF_INET6, SOCK_RAW, IPPROTO_UDP, -EOPNOTSUPP },
		{ "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, -EOPNOTSUPP },
		{ "ping over IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, -EOPNOTSUPP },
		/* does not pass on what it does not know */
		{ "MPTCP", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, -ENOPROTOOPT },
		{ "UNIX", AF_UNIX, SOCK_DGRAM, 0, -EOPNOTSUPP },
	};
	int on = 1, fd;
	size_t i;

	if (system("echo 0 0 >/proc/sys/net/ipv4/ping_group_range"))
		errx(1, "ping_group_range");
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fd = socket(others[i].family, others[i].type, others[i].protocol);
		if (fd < 0)
			err(1, "%s", others[i].name);
		is(opt(fd, others[i].family == AF_INET6 ? SOL_IPV6 : SOL_IP, &on, sizeof(on)),
		   others[i].error, others[i].name);
		close(fd);
	}
}

#define OTHERS	10

/* ------------------------------------------------------------------- BPF */

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int sockmap_create(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = 8,
	};
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		err(1, "BPF_MAP_CREATE");
	return fd;
}

static int sockmap_set(int map, int key, int fd)
{
	union bpf_attr attr = {
		.map_fd = map, .key = (unsigned long)&key, .value = (unsigned long)&fd,
	};

	return result_of(bpf(BPF_MAP_UPDATE_ELEM, &attr));
}

static int sockmap_delete(int map, int key)
{
	union bpf_attr attr = { .map_fd = map, .key = (unsigned long)&key };

	return result_of(bpf(BPF_MAP_DELETE_ELEM, &attr));
}

/* How many control messages does a datagram come with? -1: no datagram */
static int cmsgs_of_next(struct play *p)
{
	char control[128], data[10];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	send_some(p, 10);
	if (recvmsg(p->rx, &msg, MSG_DONTWAIT) != 10)
		return -1;
	return msg.msg_controllen / CMSG_SPACE(8);
}

static void test_sockmap(enum kind kind)
{
	struct play p = { .kind = kind, .ptoken = true };
	int map = sockmap_create(), again;

	p.tx = open_socket(kind, false, TX_PORT);
	p.rx = open_rx(&p);
	is(cmsgs_of_next(&p), 1, "sockmap: a pToken");
	is(sockmap_set(map, 0, p.rx), 0, "sockmap: added");
	is(optedin(p.rx), 0, "sockmap: opted out");
	is(optin(p.rx, 1), -EBUSY, "sockmap: opt-in refused");
	is(optin(p.rx, 0), 0, "sockmap: opted out already");
	is(require(p.rx, true), -EBUSY, "sockmap: a request refused");
	is(cmsgs_of_next(&p), 0, "sockmap: no pToken");
	is(sockmap_delete(map, 0), 0, "sockmap: removed");
	is(cmsgs_of_next(&p), 0, "sockmap: still no pToken");
	is(optin(p.rx, 1), 0, "sockmap: opted in again");
	is(cmsgs_of_next(&p), 1, "sockmap: a pToken again");
	is(require(p.rx, true), 0, "sockmap: a request");
	is(sockmap_set(map, 1, p.rx), -EBUSY, "sockmap: not added under a request");
	is(cmsgs_of_next(&p), 1, "sockmap: a pToken under a request");
	is(require(p.rx, false), 0, "sockmap: no request any more");
	again = dup(p.rx);
	is(sockmap_set(map, 1, p.rx), 0, "sockmap: added again");
	close(p.rx);
	p.rx = again;
	close(map);	/* which lets go of the socket later */
	is(cmsgs_of_next(&p), 0, "sockmap: no pToken, map closed");
	close(p.rx);
	close(p.tx);
}

#define SOCKMAP	17

/* What a sockmap has seen of our sockets it must not use without us. */
static void test_sockmap_unload(enum kind kind)
{
	struct play p = { .kind = kind };
	int map = sockmap_create(), i;

	for (i = 0; i < 40 && system("rmmod ipsec_token 2>/dev/null"); i++)
		usleep(100000);
	is(i < 40, true, "sockmap: module unloaded");
	p.tx = open_socket(kind, false, TX_PORT);
	p.rx = open_rx(&p);
	is(sockmap_set(map, 0, p.rx), 0, "sockmap: another socket added");
	is(cmsgs_of_next(&p), 0, "sockmap: another socket receives");
	close(map);
	close(p.rx);
	close(p.tx);
	is(system("insmod \"$MODULE\""), 0, "sockmap: module loaded again");
}

#define SOCKMAP_UNLOAD	4

/* A program that has every datagram come from port 0x1234. */
static void s_cgroup(struct play *p)
{
	int attach = p->kind == IPV4 ? BPF_CGROUP_UDP4_RECVMSG : BPF_CGROUP_UDP6_RECVMSG;
	struct bpf_insn code[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, htons(0x1234) },
		{ BPF_STX | BPF_MEM | BPF_W, 1, 2, offsetof(struct bpf_sock_addr, user_port), 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR, .expected_attach_type = attach,
		.insns = (unsigned long)code, .insn_cnt = 4, .license = (unsigned long)"GPL",
	};
	int cgroup = open("/run/test/cgroup/udp", O_RDONLY);
	int prog = bpf(BPF_PROG_LOAD, &load);
	union bpf_attr how = {
		.target_fd = cgroup, .attach_bpf_fd = prog, .attach_type = attach,
	};
	char data[10];

	if (cgroup < 0 || prog < 0)
		err(1, "program");
	send_some(p, 10);
	send_some(p, 10);
	note_result(p, "attach", bpf(BPF_PROG_ATTACH, &how));
	receive(p, 10, MSG_PEEK);
	receive(p, 10, 0);
	note_result(p, "no name", recv(p->rx, data, 10, 0));
	note_result(p, "detach", bpf(BPF_PROG_DETACH, &how));
	send_some(p, 10);
	receive(p, 10, 0);
	close(prog);
	close(cgroup);
}

static const struct scenario scenarios[] = {
	{ "BPF program at recvmsg()", s_cgroup, ALL },
};

int main(void)
{
	enum kind kind;

	ksft_print_header();
	ksft_set_plan(3 * (ARGUMENTS + SOCKMAP + SOCKMAP_UNLOAD + 1) + OTHERS);
	prepare_host();
	for (kind = IPV4; kind <= MAPPED; kind++)
		test_arguments(kind);
	test_others();

	mkdir("/run/test/cgroup", 0755);
	if (mount("cgroup", "/run/test/cgroup", "cgroup2", 0, NULL) ||
	    system("cd /run/test/cgroup && mkdir udp && echo $PPID >udp/cgroup.procs"))
		err(1, "cgroup");
	compare_all(scenarios, 1);
	if (system("cd /run/test/cgroup && echo $PPID >cgroup.procs && "
		   "echo $$ >cgroup.procs && rmdir udp"))
		err(1, "cgroup");

	for (kind = IPV4; kind <= MAPPED; kind++) {
		test_sockmap(kind);
		test_sockmap_unload(kind);
	}
	ksft_finished();
}
