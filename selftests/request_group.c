// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is required of a control group: it holds for all sockets of the programs in
 * it, of whatever kind. Only who owns a group can require something of it, however
 * they try.
 */
#include "helpers/request_hosts.h"

#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ROOT	"/tmp/cgroup"
#define NOBODY	65534

#ifndef IPPROTO_UDPLITE
#define IPPROTO_UDPLITE	136
#endif

static int server;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static int open_group(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), ROOT "/%s", name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void make_group(const char *name, uid_t owner)
{
	char path[128];

	snprintf(path, sizeof(path), ROOT "/%s", name);
	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "%s", path);
	if (chown(path, owner, owner))
		err(1, "%s", path);
}

static void join(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), ROOT "/%s/cgroup.procs", name);
	write_file(path, "0");
}

static void remove_group(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), ROOT "/%s", name);
	if (rmdir(path))
		complain("# rmdir %s: %s\n", path, strerror(errno));
}

/* As this user, require something of a group. */
static int require_fd(int fd, const struct ipsec_request *request)
{
	struct ipsec *handle;
	int ret;

	ret = ipsec_open(&handle);
	if (ret)
		return ret;
	ret = ipsec_request_cgroup(handle, request, fd);
	ipsec_close(handle);
	return ret;
}

static int require(const char *name, const char *words)
{
	struct ipsec_request *request = request_new(words);
	int fd = open_group(name), ret = require_fd(fd, request);

	close(fd);
	ipsec_request_free(request);
	return ret;
}

/* Run it in a process of its own, of this user and in this group. */
static void in_group(const char *name, uid_t uid, void (*function)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		join(name);
		enter("left");
		*wrong = '\0';
		if (uid && (setgid(uid) || setuid(uid)))
			err(1, "setuid");
		function();
		fputs(wrong, stdout);
		fflush(stdout);
		_exit(!!*wrong);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		complain("# a process in %s failed\n", name);
}

static void not_owner(void)
{
	EXPECT(require("", "privacy"), -EPERM);		/* of which it is part */
	EXPECT(require("other", "privacy"), -EPERM);
	EXPECT(require("foreign", "privacy"), -EPERM);
}

static void owner(void)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	struct ipsec_request *request = request_new("privacy");

	EXPECT(require_fd(-1, request), -EBADF);
	EXPECT(require_fd(fd, request), -EBADF);
	close(fd);
	EXPECT(require("mine", "privacy"), 0);
	EXPECT(require("mine", "privacy"), 0);		/* the very same */
	EXPECT(require("mine", ""), -EEXIST);
	EXPECT(require("mine", "privacy,integrity"), -EEXIST);
	ipsec_request_free(request);
}

/* ------------------------------------------------- one directory for another */

static _Atomic bool flipping;
static int flip_target, flip_own, flip_root;

/* The number is that of the one directory now, and of the other one then. */
static void *flip(void *unused)
{
	(void)unused;
	while (flipping) {
		dup2(flip_root, flip_target);
		dup2(flip_own, flip_target);
	}
	return NULL;
}

static void race(void)
{
	struct ipsec_request *request = request_new("integrity");
	pthread_t thread;
	double end;
	int tries = 0, refused = 0, ret;

	flip_own = open_group("mine");
	flip_root = open_group("");
	flip_target = dup(flip_own);
	flipping = true;
	if (pthread_create(&thread, NULL, flip, NULL))
		errx(1, "thread");
	for (end = now() + 10; now() < end; tries++) {
		ret = require_fd(flip_target, request);
		refused += ret == -EPERM;
		/* its own has another request, and that of all is not its own */
		if (ret != -EPERM && ret != -EEXIST && ret != -EBADF) {
			EXPECT(ret, -EPERM);
			break;
		}
	}
	flipping = false;
	pthread_join(thread, NULL);
	printf("# %d tries, %d of them were refused for the owner\n", tries, refused);
	EXPECT(refused > 0, 1);
	ipsec_request_free(request);
}

/* ----------------------------------------------------- how many, and in which order */

#define MANY		64	/* groups of one user */
#define SOMEBODY	65533

static void above(void)
{
	EXPECT(require("above/below", "privacy"), 0);
	/* it would hold below as well */
	EXPECT(require("above", "privacy"), -EEXIST);
}

static void deep(void)
{
	EXPECT(require("deep", "privacy"), 0);
	EXPECT(require("deep/er", "integrity"), 0);
	EXPECT(require("deep/er/est", "end-to-end"), 0);
	EXPECT(require("deep/er/est/one", "privacy"), -EDQUOT);
}

static int number;	/* of a group of many */

static const char *of_many(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "many/%d", number);
	return name;
}

static void one_of_many(void)
{
	EXPECT(require(of_many(), "privacy"), number < MANY ? 0 : -EDQUOT);
}

static void one_of_another(void)
{
	EXPECT(require(of_many(), "privacy"), 0);
}

static void limits(void)
{
	make_group("above", NOBODY);
	make_group("above/below", NOBODY);
	in_group("above/below", NOBODY, above);
	report("nor is anything required above a group of which something is");

	make_group("deep", NOBODY);
	make_group("deep/er", NOBODY);
	make_group("deep/er/est", NOBODY);
	make_group("deep/er/est/one", NOBODY);
	in_group("deep/er/est/one", NOBODY, deep);
	report("there are so many of them above each other, and no more");

	make_group("many", 0);
	for (number = 0; number <= MANY; number++) {
		make_group(of_many(), SOMEBODY);
		in_group(of_many(), SOMEBODY, one_of_many);
	}
	number = MANY;
	make_group(of_many(), NOBODY);
	in_group(of_many(), NOBODY, one_of_another);
	report("a user has so many of them, and others have theirs");
}

static void limits_end(void)
{
	for (number = 0; number <= MANY; number++)
		remove_group(of_many());
	remove_group("many");
	remove_group("deep/er/est/one");
	remove_group("deep/er/est");
	remove_group("deep/er");
	remove_group("deep");
	remove_group("above/below");
	remove_group("above");
}

/* -------------------------------------------------------------- what is sent */

static int send_kind_to(struct sockaddr_storage to, int type, int protocol)
{
	struct icmphdr echo = { .type = family == AF_INET ? ICMP_ECHO : 128 };
	int fd, ret;

	if (type == SOCK_RAW)
		((struct sockaddr_in *)&to)->sin_port = 0;	/* and of sockaddr_in6 */
	fd = socket(family, type, protocol);
	if (fd < 0)
		return -errno;
	ret = sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, length) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int send_kind(int type, int protocol)
{
	return send_kind_to(right, type, protocol);
}

static void sends_nothing(void)
{
	int icmp = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, fd;
	struct ipsec_request *request = request_new("integrity");
	struct ipsec_request_status status;

	fd = socket(family, SOCK_STREAM, 0);
	EXPECT(connect(fd, (struct sockaddr *)&right, length) ? errno : 0, ENOKEY);
	status = status_of(fd);
	EXPECT(status.state, IPSEC_REQUEST_FAILED);
	EXPECT(status.reason, IPSEC_REQUEST_REASON_NO_SA);
	/* its own comes on top */
	EXPECT(ipsec_request_apply(request, fd), 0);
	EXPECT(connect(fd, (struct sockaddr *)&right, length) ? errno : 0, ENOKEY);
	EXPECT(ipsec_request_apply(NULL, fd), 0);
	EXPECT(connect(fd, (struct sockaddr *)&right, length) ? errno : 0, ENOKEY);
	close(fd);
	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDP) != 0, 1);
	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDPLITE) != 0, 1);
	EXPECT(send_kind(SOCK_RAW, IPPROTO_TCP) != 0, 1);
	/* of an echo over IPv6 nobody is told whether it left; the wire tells */
	EXPECT(send_kind(SOCK_DGRAM, icmp) != 0, family == AF_INET);
	ipsec_request_free(request);
}

static void sends_all(void)
{
	int icmp = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDP), 0);
	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDPLITE), 0);
	EXPECT(send_kind(SOCK_RAW, IPPROTO_TCP), 0);
	EXPECT(send_kind(SOCK_DGRAM, icmp), 0);
}

/* Three groups want something of its sockets. */
static void sends_nothing_deep(void)
{
	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDP), -ENOKEY);
	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDPLITE) != 0, 1);
	/* nobody has said that what does not leave the host may pass */
	EXPECT(send_kind_to(left, SOCK_DGRAM, IPPROTO_UDPLITE) != 0, 1);
}

static int seen_of_all(void)
{
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	unsigned char packet[2000];
	int count = 0;

	while (recvfrom(wire, packet, sizeof(packet), 0, (struct sockaddr *)&from,
			&from_length) > 0) {
		int protocol = packet[family == AF_INET ? 9 : 6];

		if (ntohs(from.sll_protocol) != (family == AF_INET ? ETH_P_IP : ETH_P_IPV6) ||
		    from.sll_pkttype == PACKET_OUTGOING)
			continue;
		count += protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
			 protocol == IPPROTO_UDPLITE || protocol == IPPROTO_ICMP ||
			 (protocol == IPPROTO_ICMPV6 && packet[40] == 128);
	}
	return count;
}

static void receives_nothing(void)
{
	int udp = udp_socket("left", &left), other;

	other = socket(family, SOCK_DGRAM, 0);		/* under the same request */
	EXPECT(receive(udp), -EAGAIN);
	EXPECT(status_of(udp).refused_in > 0, 1);
	close(other);
	close(udp);
}

/* ----------------------------- what comes to sockets that have had no packets yet */

#define LARGE	4000
#define SENT	10
#define ELSE	(PORT + 1)	/* nothing else comes there */

static struct sockaddr_storage at_port(const struct sockaddr_storage *address, int port)
{
	struct sockaddr_storage other = *address;

	((struct sockaddr_in *)&other)->sin_port = htons(port);	/* and of sockaddr_in6 */
	return other;
}

/* From right to left, a few times, while others read. */
static pid_t send_begin(const struct sockaddr_storage *to, size_t size)
{
	static char data[LARGE];
	pid_t pid;
	int fd, i;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid)
		return pid;
	join("");
	enter("right");
	fd = socket(family, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &(int){ 1 }, sizeof(int));
	for (i = 0; i < SENT; i++) {
		usleep(100000);
		sendto(fd, data, size, 0, (const struct sockaddr *)to, length);
	}
	_exit(0);
}

/* Of what has been sent by now. */
static int how_many(int fd)
{
	char buffer[LARGE];
	int count = 0;

	usleep(100000);
	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

static void fragments(bool get)
{
	struct sockaddr_storage to = at_port(&left, ELSE);
	int udp = udp_socket("left", &to);

	waitpid(send_begin(&to, LARGE), NULL, 0);
	EXPECT(how_many(udp), get ? SENT : 0);
	close(udp);
}

static void gets_fragments(void)
{
	fragments(true);
}

static void gets_no_fragments(void)
{
	fragments(false);
}

static struct ipv6_mreq mreq6;
static struct ip_mreqn mreq;

static int multicast_socket(const struct sockaddr_storage *any)
{
	struct sockaddr_storage address = *any;
	int fd = udp_socket("left", &address), ret;

	if (family == AF_INET)
		ret = setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq));
	else
		ret = setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &mreq6, sizeof(mreq6));
	if (ret)
		err(1, "multicast");
	return fd;
}

/* One that is not in any group with a request, and one that is. */
static void multicasts(void)
{
	struct sockaddr_storage any, to;
	int inside, outside;

	shell("right $IP route replace 239.0.0.0/8 dev veth");
	set_address(&any, family == AF_INET ? "239.1.2.3" : "ff02::1:2:3");
	to = at_port(&any, ELSE);
	enter("right");
	if (family == AF_INET6)
		((struct sockaddr_in6 *)&to)->sin6_scope_id = if_nametoindex("veth");
	enter("left");
	mreq.imr_ifindex = mreq6.ipv6mr_interface = if_nametoindex("veth");
	mreq.imr_multiaddr = ((struct sockaddr_in *)&any)->sin_addr;
	mreq6.ipv6mr_multiaddr = ((struct sockaddr_in6 *)&any)->sin6_addr;
	set_address(&any, family == AF_INET ? "0.0.0.0" : "::");
	any = at_port(&any, ELSE);

	inside = multicast_socket(&any);
	join("");
	outside = multicast_socket(&any);
	join("mine");
	waitpid(send_begin(&to, 5), NULL, 0);
	EXPECT(how_many(outside), SENT);
	EXPECT(how_many(inside), 0);
	/* the last one is the first that the kernel finds */
	close(inside);
	inside = multicast_socket(&any);
	waitpid(send_begin(&to, 5), NULL, 0);
	EXPECT(how_many(outside), SENT);
	EXPECT(how_many(inside), 0);
	if (family == AF_INET) {
		set_address(&to, "10.0.0.255");
		to = at_port(&to, ELSE);
		waitpid(send_begin(&to, 5), NULL, 0);
		EXPECT(how_many(outside), SENT);
		EXPECT(how_many(inside), 0);
	}
	close(inside);
	close(outside);
}

static void connects(void)
{
	int fd = socket(family, SOCK_STREAM, 0), peer;

	EXPECT(connect(fd, (struct sockaddr *)&right, length) ? errno : 0, 0);
	peer = accept_within(server, 2000);
	EXPECT(peer >= 0, 1);
	EXPECT(status_of(fd).state, IPSEC_REQUEST_MET);
	EXPECT(ipsec_request_apply(NULL, fd), -EISCONN);
	close(peer);
	close(fd);
	sends_all();
}

static void loopback_only(void)
{
	struct sockaddr_storage to;
	int listener, fd;

	shell("left $IP link set lo up");
	to = left;
	listener = tcp_listener("left", &to);
	fd = socket(family, SOCK_STREAM, 0);
	EXPECT(connect(fd, (struct sockaddr *)&to, length) ? errno : 0, 0);
	close(fd);
	EXPECT(send_kind_to(left, SOCK_DGRAM, IPPROTO_UDPLITE), 0);
	EXPECT(send_kind(SOCK_DGRAM, IPPROTO_UDPLITE) != 0, 1);
	close(listener);
	fd = socket(family, SOCK_STREAM, 0);
	EXPECT(connect(fd, (struct sockaddr *)&right, length) ? errno : 0, ENOKEY);
	close(fd);
}

static void set_loopback(void)
{
	EXPECT(require("loopback", "privacy,loopback"), 0);
}

/* ------------------------------------------------------------------- the agent */

#define BOTH_METHODS	(1U << IPSEC_AUTH_PKIX_INLINE | 1U << IPSEC_AUTH_BTNS)

static struct ipsec_request *strict(const char *words, uint32_t methods, unsigned int timeout)
{
	struct ipsec_request *request = request_new(words);

	if (ipsec_request_set_methods(request, methods) ||
	    ipsec_request_set_peer(request, IPSEC_IDENTITY_A_CERTIFICATE_DN, "CN=*") ||
	    ipsec_request_set_timeout(request, timeout))
		errx(1, "request");
	return request;
}

static void set_strict(void)
{
	struct ipsec_request *request = strict("privacy", BOTH_METHODS, 5000);
	int fd = open_group("strict");

	EXPECT(require_fd(fd, request), 0);
	close(fd);
	ipsec_request_free(request);
}

static unsigned int own_timeout;

static void negotiates(void)
{
	struct ipsec_request *request = strict("integrity", 1U << IPSEC_AUTH_PKIX_INLINE,
					       own_timeout);
	int fd = socket(family, SOCK_DGRAM, 0);

	EXPECT(ipsec_request_apply(request, fd), 0);
	EXPECT(sendto(fd, "secret", 6, 0, (struct sockaddr *)&right, length), 6);
	close(fd);
	ipsec_request_free(request);
}

static void test_agent(void)
{
	static const unsigned int timeouts[] = { 2000, 9000 };
	struct asked asked = {};
	unsigned int i;

	make_group("strict", NOBODY);
	in_group("strict", NOBODY, set_strict);
	agent_open();
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		own_timeout = timeouts[i];
		in_group("strict", NOBODY, negotiates);
		EXPECT(agent_asked(&asked, 1000), 1);
		EXPECT(asked.flags, IPSEC_REQUEST_F_PRIVACY | IPSEC_REQUEST_F_INTEGRITY);
		EXPECT(asked.methods, 1U << IPSEC_AUTH_PKIX_INLINE);
		EXPECT(asked.timeout > 0 && asked.timeout <= (i ? 5000 : 2000), 1);
		EXPECT(!i || asked.timeout > 2000, 1);
		EXPECT(asked.uid, NOBODY);
	}
	agent_close();
	report("an agent is asked for all that is required, in the shorter time");
}

static void test_groups(void)
{
	int other;

	if (mkdir(ROOT, 0755) && errno != EEXIST)
		err(1, ROOT);
	if (mount("cgroup2", ROOT, "cgroup2", 0, NULL) && errno != EBUSY)
		err(1, "cgroup2");
	make_group("mine", NOBODY);
	make_group("other", NOBODY);
	make_group("foreign", 0);
	make_group("loopback", NOBODY);

	seen_of_all();
	in_group("mine", 0, sends_all);
	usleep(200000);
	EXPECT(seen_of_all() >= 3, 1);
	report("what is not in a group sends as it likes");

	in_group("foreign", NOBODY, not_owner);
	in_group("mine", 0, sends_all);
	report("nobody requires anything of what is not his");

	in_group("mine", NOBODY, owner);
	report("its owner does, who is part of it, and only once");
	in_group("mine", NOBODY, race);
	report("nor of one group in the place of another");
	in_group("foreign", 0, sends_all);
	report("others are not touched");

	usleep(300000);
	seen_of_all();
	in_group("mine", 0, sends_nothing);
	usleep(200000);
	EXPECT(seen_of_all(), 0);
	report("sockets of whatever kind send nothing in clear");

	other = udp_socket("right", &right);
	fflush(stdout);
	if (!fork()) {
		int i;

		for (i = 0; i < 40; i++) {
			sendto(other, "clear", 5, 0, (struct sockaddr *)&left, length);
			usleep(50000);
		}
		_exit(0);
	}
	in_group("mine", 0, receives_nothing);
	wait(NULL);
	close(other);
	report("and receive nothing in clear");

	in_group("foreign", 0, gets_fragments);
	in_group("mine", 0, gets_no_fragments);
	report("nor what is put together from fragments, as the first that comes");
	in_group("mine", 0, multicasts);
	report("nor what comes to many, while others get it");

	shell("ipsec_up esp-gcm $F level=use");
	in_group("mine", 0, connects);
	shell("IPSEC_KIND=esp-gcm; ipsec_down");
	report("protected, they connect");

	in_group("loopback", NOBODY, set_loopback);
	in_group("loopback", 0, loopback_only);
	report("what does not leave the host may be let pass");

	limits();
	usleep(300000);
	seen_of_all();
	in_group("deep/er/est/one", 0, sends_nothing_deep);
	usleep(200000);
	EXPECT(seen_of_all(), 0);
	report("what is required above holds below");
	test_agent();
}

static void test_end(void)
{
	limits_end();
	remove_group("mine");
	remove_group("loopback");
	remove_group("other");
	remove_group("foreign");
	remove_group("strict");
	hosts_down();
	/* it is looked for now and then */
	EXPECT(unload_soon(), 0);
	report("when the groups are gone, so is what was required");
}

int main(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);
	ksft_print_header();
	ksft_set_plan(2 * 17);
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		load();
		hosts_up(families[i]);
		enter("left");
		write_file("/proc/sys/net/ipv4/ping_group_range", "0 65535");
		server = tcp_listener("right", &right);
		test_groups();
		close(server);
		test_end();
	}
	umount(ROOT);
	ksft_finished();
}
