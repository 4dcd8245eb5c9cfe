// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests from the first to the last: what is no request, who may set one, how long
 * it holds the module, and what becomes of it when its namespace goes. The module is
 * loaded and unloaded here.
 */
#include "helpers/request_hosts.h"

#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* ---------------------------------------------------------------- bad requests */

static _Alignas(4) unsigned char bytes[IPSEC_REQUEST_MAX_SIZE + 64];
static size_t used;

static void begin(void)
{
	memset(bytes, 0, sizeof(bytes));
	used = 0;
}

static struct nlattr *put(int type, const void *data, size_t size)
{
	struct nlattr *attr = (struct nlattr *)(bytes + used);

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + size;
	if (size)
		memcpy(bytes + used + NLA_HDRLEN, data, size);
	used += NLA_ALIGN(attr->nla_len);
	return attr;
}

static void put_u32(int type, uint32_t value)
{
	put(type, &value, sizeof(value));
}

/* The same over netlink, for a control group that there is not. */
static int set_of_group(void)
{
	_Alignas(8) char buf[IPSEC_REQUEST_MAX_SIZE + 512];
	struct ipsec *handle;
	struct nlmsghdr *nlh;
	int ret;

	if (ipsec_open(&handle))
		errx(1, "module");
	nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_REQUEST_CGROUP, NLM_F_ACK);
	mnl_attr_put_u32(nlh, IPSEC_A_CGROUP_FD, -1);
	mnl_attr_put(nlh, IPSEC_A_REQUEST | NLA_F_NESTED, used, bytes);
	ipsec_enter(handle);
	ret = ipsec_nl_talk(handle, nlh, NULL, NULL);
	ipsec_leave(handle);
	ipsec_close(handle);
	return ret;
}

/* The nest around all that comes after @at. */
static void nest(size_t at)
{
	struct nlattr *attr = (struct nlattr *)(bytes + at);

	attr->nla_len = used - at;
}

static int set_with(int fd, size_t size)
{
	return setsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, bytes, size) ? -errno : 0;
}

static int set(int fd)
{
	return set_with(fd, used);
}

static void flags(uint32_t value)
{
	begin();
	put_u32(IPSEC_REQUEST_A_FLAGS, value);
}

static void peer(int type, const void *data, size_t size)
{
	begin();
	put(IPSEC_REQUEST_A_IDENTITY | NLA_F_NESTED, NULL, 0);
	put(type, data, size);
	nest(0);
}

static void test_bad(void)
{
	char long_name[IPSEC_IDENTITY_MAX_STRING + 2];
	unsigned char itoken[IPSEC_ITOKEN_SIZE] = {};
	struct ipsec_request *back = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0), i;
	socklen_t size = sizeof(bytes);
	uint8_t byte = 2;

	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	flags(IPSEC_REQUEST_F_PRIVACY);
	EXPECT(set(fd), 0);

	flags(1U << 30);
	EXPECT(set(fd), -EINVAL);
	flags(IPSEC_REQUEST_F_COMPRESSION | IPSEC_REQUEST_F_NO_COMPRESSION);
	EXPECT(set(fd), -EINVAL);
	begin();
	put(IPSEC_REQUEST_A_FLAGS, &byte, 1);
	EXPECT(set(fd), -EINVAL);
	flags(IPSEC_REQUEST_F_INTEGRITY);
	EXPECT(set_of_group(), -EBADF);
	put_u32(IPSEC_REQUEST_A_FLAGS, IPSEC_REQUEST_F_INTEGRITY);
	EXPECT(set(fd), -EINVAL);
	EXPECT(set_of_group(), -EINVAL);
	flags(IPSEC_REQUEST_F_INTEGRITY);
	for (i = 1; i < (int)used; i++)
		EXPECT(set_with(fd, i), -EINVAL);
	begin();
	put_u32(IPSEC_REQUEST_A_METHODS, 1);		/* no method has number 0 */
	EXPECT(set(fd), -EINVAL);
	begin();
	put_u32(IPSEC_REQUEST_A_METHODS, 1U << (IPSEC_AUTH_MAX + 1));
	EXPECT(set(fd), -EINVAL);
	begin();
	put_u32(IPSEC_REQUEST_A_METHODS, 0);
	EXPECT(set(fd), -EINVAL);
	begin();
	put_u32(IPSEC_REQUEST_A_TIMEOUT, 0);
	EXPECT(set(fd), -EINVAL);
	begin();
	put_u32(IPSEC_REQUEST_A_TIMEOUT, IPSEC_REQUEST_MAX_TIMEOUT + 1);
	EXPECT(set(fd), -EINVAL);
	begin();
	put_u32(IPSEC_REQUEST_A_PAD, 0);
	EXPECT(set(fd), -EINVAL);
	for (i = IPSEC_REQUEST_A_ID; i <= IPSEC_REQUEST_A_MAX + 1; i++) {
		uint64_t zero = 0;

		begin();
		put(i, &zero, sizeof(zero));
		EXPECT(set(fd), -EINVAL);
	}
	begin();
	put(IPSEC_REQUEST_A_IDENTITY | NLA_F_NESTED, NULL, 0);
	EXPECT(set(fd), -EINVAL);			/* somebody, but nobody */
	EXPECT(set_of_group(), -EINVAL);
	peer(IPSEC_IDENTITY_A_CA_DN, "", 1);
	EXPECT(set(fd), -EINVAL);
	EXPECT(set_of_group(), -EINVAL);
	peer(IPSEC_IDENTITY_A_ITOKEN, itoken, sizeof(itoken) - 1);
	EXPECT(set(fd), -EINVAL);
	peer(IPSEC_IDENTITY_A_METHOD, &byte, 1);
	EXPECT(set(fd), -EINVAL);
	peer(IPSEC_IDENTITY_A_CA_DN, "CN=x", 4);	/* without its end */
	EXPECT(set(fd), -EINVAL);
	peer(IPSEC_IDENTITY_A_CA_DN, long_name, sizeof(long_name));
	EXPECT(set(fd), -EINVAL);
	peer(IPSEC_IDENTITY_A_AUDIT_STRING, "x", 2);
	EXPECT(set(fd), -EINVAL);
	peer(IPSEC_IDENTITY_A_CA_DN, "x", 2);
	put(IPSEC_IDENTITY_A_CA_DN, "x", 2);
	nest(0);
	EXPECT(set(fd), -EINVAL);
	begin();
	put(IPSEC_REQUEST_A_IDENTITY | NLA_F_NESTED, itoken, 3);
	EXPECT(set(fd), -EINVAL);
	flags(IPSEC_REQUEST_F_PRIVACY);
	EXPECT(set_with(fd, IPSEC_REQUEST_MAX_SIZE + 1), -EINVAL);
	used = IPSEC_REQUEST_MAX_SIZE + 1;
	EXPECT(set_of_group(), -EINVAL);
	EXPECT(setsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, (void *)1, 8) ? errno : 0, EFAULT);
	EXPECT(setsockopt(fd, SOL_IP, IPSEC_SO_REQUEST_STATUS, bytes, 4) ? errno : 0, EPERM);
	EXPECT(getsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, (void *)1, &size) ? errno : 0, EFAULT);
	size = 7;
	EXPECT(getsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, bytes, &size) ? errno : 0, EINVAL);

	EXPECT(ipsec_request_from_fd(fd, &back), 0);
	EXPECT(back && ipsec_request_flags(back) == IPSEC_REQUEST_F_PRIVACY, 1);
	EXPECT(back && ipsec_request_methods(back) == 0, 1);
	ipsec_request_free(back);
	EXPECT(ipsec_request_apply(NULL, fd), 0);
	EXPECT(ipsec_request_from_fd(fd, &back), -ENODATA);
	EXPECT(status_of(fd).state, IPSEC_REQUEST_ABSENT);
	close(fd);
	report("what is no request is refused, and changes nothing");
}

static void __attribute__((noinline)) soil(int value)
{
	unsigned char stack[2 * IPSEC_REQUEST_MAX_SIZE];

	memset(stack, value, sizeof(stack));
	/* as if somebody read it */
	__asm__ volatile("" : : "r"(stack) : "memory");
}

/* What an application does not require is not required, whatever was on its stack. */
static void test_library(void)
{
	struct ipsec_request *request = request_new("privacy");
	socklen_t size;
	int i, fd = socket(AF_INET, SOCK_STREAM, 0);

	for (i = 0; i < 256; i += 5) {
		soil(i);
		EXPECT(ipsec_request_apply(request, fd), 0);
		size = sizeof(bytes);
		EXPECT(getsockopt(fd, SOL_IP, IPSEC_SO_REQUEST, bytes, &size), 0);
		EXPECT(size, 8);
	}
	close(fd);
	ipsec_request_free(request);
	report("what was not required is not");
}

static void test_kinds(void)
{
	static const struct {
		int type, protocol, error;
	} kinds[] = {
		{ SOCK_STREAM, IPPROTO_TCP, 0 },
		{ SOCK_DGRAM, IPPROTO_UDP, 0 },
		{ SOCK_DGRAM, IPPROTO_UDPLITE, -EOPNOTSUPP },
		{ SOCK_RAW, IPPROTO_UDP, -EOPNOTSUPP },
	};
	struct ipsec_request *request = request_new("privacy");
	unsigned int i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		fd = socket(AF_INET, kinds[i].type, kinds[i].protocol);
		if (fd < 0)
			continue;
		EXPECT(ipsec_request_apply(request, fd), kinds[i].error);
		close(fd);
		if (kinds[i].type == SOCK_RAW)
			continue;	/* has no options at this level over IPv6 */
		fd = socket(AF_INET6, kinds[i].type, kinds[i].protocol);
		EXPECT(ipsec_request_apply(request, fd), kinds[i].error);
		close(fd);
	}
	ipsec_request_free(request);
	report("TCP and UDP sockets of both families, and no others");
}

/* In a user namespace of its own, where it is everything but the host's root. */
static void test_users(void)
{
	struct ipsec_request *request = request_new("privacy");
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		_Alignas(8) char buf[256];
		struct ipsec *handle;
		struct nlmsghdr *nlh;
		struct nlattr *attr;
		int fd, ret;

		*wrong = '\0';
		enter("left");
		if (setgid(65534) || setuid(65534))
			_exit(2);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT(ipsec_request_apply(request, fd), 0);
		/* root of a namespace of users is none of the network namespace's */
		if (unshare(CLONE_NEWUSER))
			_exit(3);
		EXPECT(ipsec_open(&handle), 0);
		nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_REQUEST_RESULT, NLM_F_ACK);
		attr = mnl_attr_nest_start(nlh, IPSEC_A_REQUEST);
		mnl_attr_put_u64(nlh, IPSEC_REQUEST_A_ID, 1);
		mnl_attr_put_u8(nlh, IPSEC_REQUEST_A_REASON, 0);
		mnl_attr_nest_end(nlh, attr);
		ipsec_enter(handle);
		ret = ipsec_nl_talk(handle, nlh, NULL, NULL);
		EXPECT(ret, -EPERM);
		nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_REQUEST_GET, NLM_F_DUMP);
		ret = ipsec_nl_talk(handle, nlh, NULL, NULL);
		EXPECT(ret, -EPERM);
		ipsec_leave(handle);
		ipsec_close(handle);
		/* and in a network namespace of its own it is asked of, there */
		if (unshare(CLONE_NEWNET))
			_exit(4);
		close(fd);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		EXPECT(ipsec_request_apply(request, fd), 0);
		close(fd);
		fputs(wrong, stdout);
		fflush(stdout);
		_exit(!!*wrong);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		complain("# the user: status 0x%x\n", status);
	ipsec_request_free(request);
	report("anybody may require, and only an administrator answer");
}

#define USERS		16
#define OF_USER		64	/* negotiations of one user at once */

static struct {
	_Atomic int count[USERS];
	_Atomic bool stop;
} *shares;

/* A socket each, since one waits for one. Return: the socket, or a negative errno. */
static int negotiate(const struct ipsec_request *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ipsec_request_apply(request, fd))
		err(1, "socket");
	if (sendto(fd, "secret", 6, 0, (struct sockaddr *)&right, length) == 6)
		return fd;
	close(fd);
	return -errno;
}

static void negotiate_as(int user, const struct ipsec_request *request)
{
	int ret;

	if (setgid(2000 + user) || setuid(2000 + user))
		_exit(1);
	while (!shares->stop) {
		ret = negotiate(request);
		if (ret >= 0)
			shares->count[user]++;
		else if (ret != -EDQUOT)
			_exit(2);
		else
			usleep(100000);
	}
	_exit(0);
}

static int count_negotiation(const struct nlmsghdr *nlh, void *count)
{
	*(int *)count += !!ipsec_parse_find(nlh, IPSEC_A_REQUEST);
	return 0;
}

static int negotiations(void)
{
	_Alignas(8) char buf[256];
	struct nlmsghdr *nlh;
	int ret, count = 0;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_REQUEST_GET, NLM_F_DUMP);
	ipsec_enter(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, count_negotiation, &count);
	ipsec_leave(ipsec);
	return ret ?: count;
}

/* Negotiations cost those who ask for them nothing, so there are limits. */
static void test_share(void)
{
	struct ipsec_request *request = request_new("privacy");
	int i, fd, status, all = 0, room = 16 << 20;
	double end;

	shares = mmap(NULL, sizeof(*shares), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shares == MAP_FAILED || ipsec_request_set_timeout(request, 100000))
		errx(1, "shares");
	set_address(&right, "10.0.0.2");
	agent_open();
	if (setsockopt(mnl_socket_get_fd(agent), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		err(1, "SO_RCVBUFFORCE");
	fflush(stdout);
	for (i = 0; i < USERS; i++)
		if (!fork())
			negotiate_as(i, request);
	for (end = now() + 40; now() < end && all < USERS * OF_USER; usleep(100000))
		for (all = i = 0; i < USERS; i++)
			all += shares->count[i];
	usleep(500000);
	for (i = 0; i < USERS; i++)
		EXPECT(shares->count[i], OF_USER);
	report("a user has his share of negotiations, and no more");

	EXPECT(negotiations(), USERS * OF_USER);
	EXPECT(negotiate(request), -EDQUOT);
	EXPECT(negotiations(), USERS * OF_USER);
	shares->stop = true;
	for (i = 0; i < USERS; i++)
		if (wait(&status) < 0 || status)
			complain("# a user: status 0x%x\n", status);
	for (end = now() + 10; now() < end && negotiations() > 0; )
		usleep(100000);
	fd = negotiate(request);
	EXPECT(fd >= 0, 1);
	EXPECT(negotiations(), 1);
	close(fd);
	agent_close();
	ipsec_close(ipsec);
	ipsec = NULL;
	munmap(shares, sizeof(*shares));
	ipsec_request_free(request);
	report("nor has a namespace, until they have ended");
}

static void test_module(void)
{
	struct ipsec_request *request = request_new("privacy");
	int tcp, udp;

	enter("left");
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT(ipsec_request_apply(request, tcp), 0);
	EXPECT(unload(), -1);
	udp = socket(AF_INET6, SOCK_DGRAM, 0);
	EXPECT(ipsec_request_apply(request, udp), 0);
	close(tcp);
	usleep(200000);
	EXPECT(unload(), -1);
	close(udp);
	EXPECT(unload_soon(), 0);
	load();
	report("the module stays as long as there is a socket with a request");

	enter("left");
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT(ipsec_request_apply(request, tcp), 0);
	family = AF_INET;
	set_address(&right, "10.0.0.2");
	agent_open();
	EXPECT(connect(tcp, (struct sockaddr *)&right, length) ? errno : 0, EINPROGRESS);
	usleep(200000);
	close(tcp);		/* in the middle of the negotiation */
	agent_close();
	ipsec_close(ipsec);
	ipsec = NULL;
	EXPECT(unload_soon(), 0);
	load();
	report("a negotiation that is under way does not hold it");
	ipsec_request_free(request);
}

static void test_namespace(void)
{
	struct ipsec_request *request = request_new("privacy");
	int i, status;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		fflush(stdout);
		pid = fork();
		if (!pid) {
			struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
			int fd, udp;

			to.sin_addr.s_addr = htonl(0x7f000001);
			if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
				_exit(1);
			fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			udp = socket(AF_INET, SOCK_DGRAM, 0);
			if (ipsec_request_apply(request, fd) || ipsec_request_apply(request, udp))
				_exit(2);
			connect(fd, (struct sockaddr *)&to, sizeof(to));
			sendto(udp, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			complain("# namespace %d: status 0x%x\n", i, status);
	}
	ipsec_request_free(request);
	EXPECT(unload_soon(), 0);
	load();
	report("namespaces go, with all that is required in them");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	ksft_print_header();
	ksft_set_plan(9);
	load();
	family = AF_INET;
	go_home();
	shell("net_up");
	test_bad();
	test_library();
	test_kinds();
	test_users();
	test_share();
	test_module();
	test_namespace();
	if (unload_soon())
		errx(1, "the module does not go");
	ksft_finished();
}
