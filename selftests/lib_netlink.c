// SPDX-License-Identifier: GPL-2.0-only
/*
 * The library against a kernel module that is played here: what it asks and
 * what it remembers, when the module says that things changed, in a fork's
 * child, after the module was loaded anew, and when the answers are odd.
 *
 * The program has its own recvmsg(), recv() and two functions of libmnl, which
 * the linker prefers to those of the libraries.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/pfkeyv2.h>
#include <linux/xfrm.h>

#include "../lib/internal.h"

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

/**
 * struct played - the kernel module as it is played
 * @family: id, 0: not loaded
 * @asked: how often a token was asked about
 * @privacy: what it says of any token
 * @error: what it answers instead
 * @text: with these words
 * @changes: messages waiting in the group "changes"
 * @overrun: there were more than could be kept
 * @unloaded: a message of the group of families waits
 * @change_in_flight: a change happens while an answer is on its way
 * @other_token: it answers of another token
 * @foreigner: another process sends a message first
 * @stale: an answer to a former question comes first
 */
static struct played {
	uint16_t family;
	unsigned int asked;
	uint8_t privacy;
	int error;
	const char *text;
	unsigned int changes;
	bool overrun;
	bool unloaded;
	bool change_in_flight;
	bool other_token;
	bool foreigner;
	bool stale;
} kernel;

static _Alignas(8) char reply[4096];

static struct nlmsghdr *reply_error(const struct nlmsghdr *request, int error, const char *text)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(reply);
	struct nlmsgerr *err = mnl_nlmsg_put_extra_header(nlh, sizeof(*err));

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_flags = NLM_F_CAPPED;
	err->error = error;
	err->msg = *request;
	if (text) {
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, text);
	}
	return nlh;
}

static struct nlmsghdr *reply_begin(const struct nlmsghdr *request, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(reply);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = request->nlmsg_type;
	genl->cmd = cmd;
	return nlh;
}

static struct nlmsghdr *play_family(const struct nlmsghdr *request)
{
	struct nlattr *groups, *group;
	struct nlmsghdr *nlh;

	if (!kernel.family)
		return reply_error(request, -ENOENT, NULL);
	nlh = reply_begin(request, CTRL_CMD_NEWFAMILY);
	mnl_attr_put_u16(nlh, CTRL_ATTR_FAMILY_ID, kernel.family);
	groups = mnl_attr_nest_start(nlh, CTRL_ATTR_MCAST_GROUPS);
	group = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_u32(nlh, CTRL_ATTR_MCAST_GRP_ID, 99);
	mnl_attr_put_strz(nlh, CTRL_ATTR_MCAST_GRP_NAME, IPSEC_GENL_MCGRP_CHANGES);
	mnl_attr_nest_end(nlh, group);
	mnl_attr_nest_end(nlh, groups);
	return nlh;
}

static struct nlmsghdr *play_token(const struct nlmsghdr *request)
{
	const struct nlattr *asked = ipsec_parse_find(request, IPSEC_A_PTOKEN);
	struct nlattr *context, *sa;
	struct nlmsghdr *nlh;

	kernel.asked++;
	if (kernel.change_in_flight)
		kernel.changes++;
	kernel.change_in_flight = false;
	if (kernel.error)
		return reply_error(request, kernel.error, kernel.text);

	nlh = reply_begin(request, IPSEC_CMD_PTOKEN_GET);
	mnl_attr_put_u64(nlh, IPSEC_A_PTOKEN, mnl_attr_get_u64(asked) + kernel.other_token);
	context = mnl_attr_nest_start(nlh, IPSEC_A_CONTEXT);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_PRIVACY, kernel.privacy);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_INTEGRITY, 1);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_COMPRESSION, 0);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_TUNNEL, 0);
	mnl_attr_put_u8(nlh, IPSEC_CONTEXT_A_END_TO_END, 1);
	mnl_attr_put_u64(nlh, IPSEC_CONTEXT_A_ESTABLISHED, 1700000000);
	sa = mnl_attr_nest_start(nlh, IPSEC_CONTEXT_A_SA);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_SATYPE, SADB_SATYPE_ESP);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_MODE, XFRM_MODE_TRANSPORT);
	mnl_attr_put_u8(nlh, IPSEC_SA_A_DIRECTION, IPSEC_DIRECTION_IN);
	mnl_attr_nest_end(nlh, sa);
	mnl_attr_nest_end(nlh, context);
	return nlh;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t size)
{
	const struct nlmsghdr *request = req;
	struct nlmsghdr *nlh;

	(void)nl;
	if (request->nlmsg_type == GENL_ID_CTRL)
		nlh = play_family(request);
	else if (kernel.family && request->nlmsg_type == kernel.family)
		nlh = play_token(request);
	else
		nlh = reply_error(request, -ENOENT, NULL);
	nlh->nlmsg_seq = request->nlmsg_seq;
	return size;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	(void)nl;
	(void)type;
	(void)buf;
	(void)len;
	return 0;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)reply;
	struct nlmsghdr *out = msg->msg_iov[0].iov_base;
	struct sockaddr_nl *from = msg->msg_name;

	(void)fd;
	(void)flags;
	memset(from, 0, sizeof(*from));
	from->nl_family = AF_NETLINK;
	msg->msg_flags = 0;
	memcpy(out, nlh, nlh->nlmsg_len);
	if (kernel.foreigner) {
		/* exactly what would be believed, were it the kernel's */
		kernel.foreigner = false;
		from->nl_pid = 1234;
		out->nlmsg_type = NLMSG_ERROR;
	} else if (kernel.stale) {
		kernel.stale = false;
		out->nlmsg_seq--;
	}
	return nlh->nlmsg_len;
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct nlmsghdr *nlh = buf;

	(void)fd;
	EXPECT(flags & MSG_DONTWAIT);
	memset(buf, 0, len);
	if (kernel.overrun) {
		kernel.overrun = false;
		errno = ENOBUFS;
		return -1;
	}
	if (kernel.unloaded) {
		kernel.unloaded = false;
		nlh->nlmsg_type = GENL_ID_CTRL;
		return sizeof(*nlh);
	}
	if (kernel.changes) {
		kernel.changes--;
		nlh->nlmsg_type = kernel.family;
		return sizeof(*nlh);
	}
	errno = EAGAIN;
	return -1;
}

static struct ipsec *begin(void)
{
	struct ipsec *ipsec;

	memset(&kernel, 0, sizeof(kernel));
	kernel.family = 30;
	kernel.privacy = 1;
	if (ipsec_open(&ipsec)) {
		printf("Bail out! no netlink socket\n");
		exit(1);
	}
	return ipsec;
}

static void test_open(void)
{
	struct ipsec *ipsec = begin();

	ipsec_close(ipsec);
	ipsec_close(NULL);
	kernel.family = 0;
	EXPECT(ipsec_open(&ipsec) == -ENOPROTOOPT);
	EXPECT(!ipsec);
}

static void test_none_and_unknown(void)
{
	struct ipsec_ptoken_attributes attributes;
	struct ipsec *ipsec = begin();
	struct ipsec_sa sa;
	int64_t seconds = 1;
	char text[64];

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, IPSEC_PTOKEN_NONE) == 0);
	EXPECT(ipsec_ptoken_sa_count(ipsec, IPSEC_PTOKEN_NONE) == 0);
	EXPECT(ipsec_ptoken_sa(ipsec, IPSEC_PTOKEN_NONE, 0, &sa, sizeof(sa)) == -ENOENT);
	EXPECT(ipsec_ptoken_established(ipsec, IPSEC_PTOKEN_NONE, &seconds) == 0 && !seconds);
	EXPECT(ipsec_ptoken_audit_string(ipsec, IPSEC_PTOKEN_NONE, text, sizeof(text)) == 19);
	EXPECT(!strcmp(text, "no IPsec protection"));

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, IPSEC_PTOKEN_UNKNOWN) == -ENODATA);
	EXPECT(ipsec_ptoken_attributes(ipsec, IPSEC_PTOKEN_UNKNOWN, &attributes,
				       sizeof(attributes)) == -ENODATA);
	EXPECT(ipsec_ptoken_audit_string(ipsec, IPSEC_PTOKEN_UNKNOWN, text, 64) == -ENODATA);
	EXPECT(!strcmp(ipsec_error(ipsec), ipsec_strerror(-ENODATA)));
	EXPECT(kernel.asked == 0);
	ipsec_close(ipsec);
}

static void test_getters(void)
{
	struct ipsec_ptoken_attributes attributes;
	struct ipsec *ipsec = begin();
	int64_t seconds;
	struct {
		struct ipsec_sa sa;
		uint64_t newer;
	} sa;

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	EXPECT(ipsec_ptoken_integrity_protected(ipsec, 5) == 1);
	EXPECT(ipsec_ptoken_compression_available(ipsec, 5) == 0);
	EXPECT(ipsec_ptoken_tunnel_mode(ipsec, 5) == 0);
	EXPECT(ipsec_ptoken_end_to_end(ipsec, 5) == 1);
	EXPECT(ipsec_ptoken_established(ipsec, 5, &seconds) == 0 && seconds == 1700000000);
	EXPECT(ipsec_ptoken_sa_count(ipsec, 5) == 1);

	/* a caller who knows more than the library, and one who knows less */
	memset(&sa, 0xff, sizeof(sa));
	EXPECT(ipsec_ptoken_sa(ipsec, 5, 0, &sa.sa, sizeof(sa)) == 0);
	EXPECT(sa.sa.satype == SADB_SATYPE_ESP && sa.newer == 0);
	EXPECT(ipsec_ptoken_sa(ipsec, 5, 1, &sa.sa, sizeof(sa)) == -ENOENT);
	EXPECT(ipsec_ptoken_sa(ipsec, 5, 0, &sa.sa, sizeof(sa.sa) - 1) == -EINVAL);
	EXPECT(ipsec_ptoken_attributes(ipsec, 5, &attributes, 8) == -EINVAL);
	EXPECT(kernel.asked == 1);
	ipsec_close(ipsec);
}

static void test_change(void)
{
	struct ipsec *ipsec = begin();

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	kernel.privacy = 0;
	kernel.changes = 3;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 0);
	EXPECT(kernel.changes == 0);
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 0);
	EXPECT(kernel.asked == 2);

	kernel.privacy = 1;
	kernel.overrun = true;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	EXPECT(kernel.asked == 3);
	ipsec_close(ipsec);
}

static void test_change_in_flight(void)
{
	struct ipsec *ipsec = begin();

	kernel.change_in_flight = true;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	/* the answer may have been that of before */
	kernel.privacy = 0;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 0);
	EXPECT(kernel.asked == 2);
	ipsec_close(ipsec);
}

static void test_errors(void)
{
	struct ipsec *ipsec = begin();
	char text[8];

	kernel.error = -ESTALE;
	kernel.text = "not a token of this process";
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == -ESTALE);
	EXPECT(!strcmp(ipsec_error(ipsec), kernel.text));
	EXPECT(ipsec_error_copy(ipsec, text, sizeof(text)) == (int)strlen(kernel.text));
	EXPECT(!strcmp(text, "not a t"));
	kernel.text = NULL;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == -ESTALE);
	EXPECT(!strcmp(ipsec_error(ipsec), ipsec_strerror(-ESTALE)));

	/* an error is not remembered */
	kernel.error = 0;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	ipsec_close(ipsec);
}

static void test_odd_answers(void)
{
	struct ipsec *ipsec = begin();

	kernel.other_token = true;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == -EPROTO);
	kernel.other_token = false;
	kernel.privacy = 2;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == -EPROTO);
	kernel.privacy = 1;
	kernel.foreigner = true;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	kernel.stale = true;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 6) == 1);
	ipsec_close(ipsec);
}

static void test_reload(void)
{
	struct ipsec *ipsec = begin();

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);

	/* another family id, and no word of it */
	kernel.family = 31;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 6) == 1);
	/* what the former module said is forgotten */
	kernel.privacy = 0;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 0);

	kernel.family = 0;
	kernel.unloaded = true;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == -ENOPROTOOPT);
	EXPECT(!strcmp(ipsec_error(ipsec), ipsec_strerror(-ENOPROTOOPT)));
	kernel.family = 32;
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 0);
	ipsec_close(ipsec);
}

/* More tokens than the cache has room for. */
static void test_many(void)
{
	struct ipsec *ipsec = begin();
	ipsec_ptoken_t ptoken;

	for (ptoken = 1; ptoken <= 5000; ptoken++)
		EXPECT(ipsec_ptoken_privacy_protected(ipsec, ptoken) == 1);
	EXPECT(kernel.asked == 5000);
	EXPECT(ipsec->cache.used <= IPSEC_CACHE_SETS * IPSEC_CACHE_WAYS);
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5000) == 1);
	EXPECT(kernel.asked == 5000);
	ipsec_close(ipsec);
}

static int child_result(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_fork(void)
{
	struct ipsec *ipsec = begin();
	pid_t pid;

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* the token is the parent's, and so was the answer */
		kernel.error = -ESTALE;
		_exit(ipsec_ptoken_privacy_protected(ipsec, 5) == -ESTALE && kernel.asked == 2 ?
		      0 : 1);
	}
	EXPECT(child_result(pid) == 0);
	pid = fork();
	if (!pid) {
		ipsec_close(ipsec);
		_exit(0);
	}
	EXPECT(child_result(pid) == 0);
	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	EXPECT(kernel.asked == 1);
	ipsec_close(ipsec);
}

/* Another thread was in the middle of something. */
static void test_fork_while_locked(void)
{
	struct ipsec *ipsec = begin();
	pid_t pid;

	EXPECT(ipsec_ptoken_privacy_protected(ipsec, 5) == 1);
	fflush(stdout);
	ipsec_enter(ipsec);
	pid = fork();
	if (!pid) {
		alarm(20);
		if (ipsec_ptoken_privacy_protected(ipsec, 5) != 1 || kernel.asked != 2)
			_exit(1);
		/* what the lock guarded is lost on purpose: valgrind need not look */
		execlp("true", "true", NULL);
	}
	ipsec_leave(ipsec);
	EXPECT(child_result(pid) == 0);
	ipsec_close(ipsec);
}

static void *hammer(void *data)
{
	struct ipsec *ipsec = data;
	char text[128];
	long bad = 0;
	int i;

	for (i = 0; i < 20000; i++) {
		bad += ipsec_ptoken_privacy_protected(ipsec, 1 + i % 1500) != 1;
		bad += ipsec_ptoken_audit_string(ipsec, 1 + i % 7, text, sizeof(text)) < 0;
	}
	return (void *)bad;
}

static void test_threads(void)
{
	struct ipsec *ipsec = begin();
	pthread_t thread[4];
	unsigned int i;
	void *bad;

	for (i = 0; i < IPSEC_ARRAY_SIZE(thread); i++)
		if (pthread_create(&thread[i], NULL, hammer, ipsec))
			abort();
	for (i = 0; i < IPSEC_ARRAY_SIZE(thread); i++) {
		pthread_join(thread[i], &bad);
		EXPECT(!bad);
	}
	ipsec_close(ipsec);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "open", test_open },
	{ "none_and_unknown", test_none_and_unknown },
	{ "getters", test_getters },
	{ "change", test_change },
	{ "change_in_flight", test_change_in_flight },
	{ "errors", test_errors },
	{ "odd_answers", test_odd_answers },
	{ "reload", test_reload },
	{ "many", test_many },
	{ "fork", test_fork },
	{ "fork_while_locked", test_fork_while_locked },
	{ "threads", test_threads },
};

int main(void)
{
	unsigned int i, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", IPSEC_ARRAY_SIZE(tests));
	for (i = 0; i < IPSEC_ARRAY_SIZE(tests); i++) {
		failures = 0;
		tests[i].run();
		bad += failures != 0;
		printf("%sok %u %s\n", failures ? "not " : "", i + 1, tests[i].name);
	}
	return bad ? 1 : 0;
}
