// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsec-tokend has charon negotiate: against a VICI server that is played here, which
 * refuses, says nothing, says too much, ends in the midst of it, and does as it is
 * told.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "../tools/tokend/log.h"
#include "../tools/tokend/sas.h"
#include "../tools/tokend/source.h"
#include "../tools/tokend/vici_message.h"

static unsigned int failures;

#define EXPECT(condition) \
	do { \
		if (!(condition)) { \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --------------------------------------------------------------------- the server */

enum mode {
	MODE_UP,		/* SAs come up, and are told of */
	MODE_UP_UNTOLD,		/* SAs come up, but it is never told whose they are */
	MODE_THERE,		/* SAs are there already */
	MODE_REFUSE,		/* the peer refuses */
	MODE_LEAK,		/* it fails with words that are nobody's business */
	MODE_LATE,		/* the peer does not answer */
	MODE_SILENT,		/* charon does not answer */
	MODE_HANG_UP,		/* charon ends the connection */
	MODE_RUBBISH,		/* charon says what is not VICI */
	MODE_UNKNOWN,		/* charon does not know the command */
};

#define CONNECTIONS_MAX 64

static struct {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int listen;
	int stop[2];
	pthread_t thread;
	int fd[CONNECTIONS_MAX];
	size_t count;
	atomic_int mode;		/* enum mode */
	atomic_uint initiated;
	atomic_uint terminated;
	atomic_uint listed;
	atomic_uint open;
	int told;		/* connection that has asked for child-updown */
} server = { .listen = -1 };

static struct {
	uint8_t bytes[4096];
	size_t len;
} out;

static void put(const void *data, size_t len)
{
	memcpy(out.bytes + out.len, data, len);
	out.len += len;
}

static void put_byte(uint8_t byte)
{
	put(&byte, 1);
}

static void put_name(const char *name)
{
	put_byte(strlen(name));
	put(name, strlen(name));
}

static void put_section(const char *name)
{
	put_byte(VICI_SECTION_START);
	put_name(name);
}

static void put_end(void)
{
	put_byte(VICI_SECTION_END);
}

static void put_pair(const char *name, const char *value)
{
	put_byte(VICI_KEY_VALUE);
	put_name(name);
	put_byte(0);
	put_name(value);
}

static void put_list(const char *name, const char *item)
{
	put_byte(VICI_LIST_START);
	put_name(name);
	put_byte(VICI_LIST_ITEM);
	put_byte(0);
	put_name(item);
	put_byte(VICI_LIST_END);
}

static void begin(enum vici_packet type, const char *event)
{
	out.len = 4;
	put_byte(type);
	if (event)
		put_name(event);
}

static void finish(int fd)
{
	uint32_t len = htonl(out.len - 4);

	memcpy(out.bytes, &len, 4);
	if (send(fd, out.bytes, out.len, MSG_NOSIGNAL) < 0)
		return;
}

static void say(int fd, const char *text)
{
	begin(VICI_EVENT, "control-log");
	put_pair("group", "IKE");
	put_pair("ikesa-uniqueid", "7");
	put_pair("msg", text);
	finish(fd);
}

static void answer(int fd, const char *success, const char *errmsg)
{
	begin(VICI_CMD_RESPONSE, NULL);
	if (success)
		put_pair("success", success);
	if (errmsg)
		put_pair("errmsg", errmsg);
	finish(fd);
}

static void list_connections(int fd)
{
	server.listed++;
	begin(VICI_EVENT, "list-conn");
	put_section("home");
	put_list("local_addrs", "10.0.0.1");
	put_list("remote_addrs", "10.0.0.2");
	put_section("local-1");
	put_pair("class", "pre-shared key");
	put_pair("id", "left.example.org");
	put_end();
	put_section("remote-1");
	put_pair("class", "pre-shared key");
	put_pair("id", "right.example.org");
	put_end();
	put_section("children");
	put_section("net");
	put_pair("mode", "TRANSPORT");
	put_list("local-ts", "dynamic");
	put_list("remote-ts", "dynamic");
	put_end();
	put_end();
	put_end();
	finish(fd);
	answer(fd, NULL, NULL);
}

static void tell_updown(void)
{
	begin(VICI_EVENT, "child-updown");
	put_pair("up", "yes");
	put_section("home");
	put_pair("uniqueid", "7");
	put_pair("version", "2");
	put_pair("state", "ESTABLISHED");
	put_pair("local-host", "10.0.0.1");
	put_pair("local-id", "left.example.org");
	put_pair("remote-host", "10.0.0.2");
	put_pair("remote-id", "right.example.org");
	put_section("child-sas");
	put_section("net-1");
	put_pair("name", "net");
	put_pair("protocol", "ESP");
	put_pair("mode", "TRANSPORT");
	put_pair("spi-in", "c1111111");
	put_pair("spi-out", "c2222222");
	put_end();
	put_end();
	put_end();
	finish(server.told);
}

static void initiate(int fd, const struct vici_message *message)
{
	const char *timeout = vici_string(&message->root, "timeout");

	server.initiated++;
	EXPECT(!strcmp(vici_string(&message->root, "ike"), "home"));
	EXPECT(!strcmp(vici_string(&message->root, "child"), "net"));
	EXPECT(timeout && atoi(timeout) >= 2000 && atoi(timeout) <= 4000);
	if (server.mode != MODE_HANG_UP)
		say(fd, "initiating IKE_SA home[7] to 10.0.0.2");
	switch (server.mode) {
	case MODE_UP:
		answer(fd, "yes", NULL);
		tell_updown();
		break;
	case MODE_UP_UNTOLD:
		answer(fd, "yes", NULL);
		break;
	case MODE_THERE:
		say(fd, "not establishing CHILD_SA net{2} due to existing duplicate {1}");
		answer(fd, "no", "establishing CHILD_SA 'net' failed");
		break;
	case MODE_REFUSE:
		say(fd, "received AUTHENTICATION_FAILED notify error");
		say(fd, "received SECRET_THING notify error");
		answer(fd, "no", "establishing CHILD_SA 'net' failed");
		break;
	case MODE_LEAK:
		say(fd, "received a lot of notify errors from CN=secret");
		say(fd, "IDir 'CN=secret' does not match to 'right.example.org'");
		answer(fd, "no", "CN=secret");
		break;
	case MODE_LATE:
		answer(fd, "no", "CHILD_SA 'net' not established after 4000ms");
		break;
	case MODE_SILENT:
		break;
	case MODE_HANG_UP:
		shutdown(fd, SHUT_RDWR);
		break;
	case MODE_RUBBISH:
		begin(VICI_EVENT, "control-log");
		put_byte(77);
		finish(fd);
		break;
	case MODE_UNKNOWN:
		begin(VICI_CMD_UNKNOWN, NULL);
		finish(fd);
		break;
	}
}

static void request(int fd, const char *name, const struct vici_message *message)
{
	if (!strcmp(name, "list-conns")) {
		list_connections(fd);
	} else if (!strcmp(name, "initiate")) {
		initiate(fd, message);
	} else if (!strcmp(name, "terminate")) {
		EXPECT(!strcmp(vici_string(&message->root, "ike-id"), "7"));
		EXPECT(!strcmp(vici_string(&message->root, "force"), "yes"));
		server.terminated++;
		answer(fd, "yes", NULL);
	} else {
		answer(fd, NULL, NULL);
	}
}

/* A segment, which comes as a whole here. */
static void segment(int fd, const uint8_t *data, size_t len)
{
	size_t name_len = len > 1 ? data[1] : 0;
	struct vici_message message;
	char name[256];

	if (len < 2 + name_len ||
	    vici_message_parse(data + 2 + name_len, len - 2 - name_len, &message)) {
		EXPECT(!"understood");
		return;
	}
	memcpy(name, data + 2, name_len);
	name[name_len] = '\0';
	if (data[0] == VICI_EVENT_REGISTER) {
		if (!strcmp(name, "child-updown"))
			server.told = fd;
		begin(VICI_EVENT_CONFIRM, NULL);
		finish(fd);
	} else {
		request(fd, name, &message);
	}
	vici_message_free(&message);
}

static bool receive(int fd)
{
	uint8_t data[4096];
	uint32_t len;

	if (recv(fd, &len, 4, MSG_WAITALL) != 4)
		return false;
	len = ntohl(len);
	if (len > sizeof(data) || recv(fd, data, len, MSG_WAITALL) != (ssize_t)len)
		return false;
	segment(fd, data, len);
	return true;
}

static void *serve(void *unused)
{
	struct pollfd fds[CONNECTIONS_MAX + 2];
	size_t i, count;

	(void)unused;
	for (;;) {
		fds[0] = (struct pollfd){ .fd = server.stop[0], .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = server.listen, .events = POLLIN };
		count = server.count;
		for (i = 0; i < count; i++)
			fds[2 + i] = (struct pollfd){ .fd = server.fd[i], .events = POLLIN };
		if (poll(fds, 2 + count, -1) < 0 || fds[0].revents)
			break;
		for (i = count; i-- > 0;) {
			if (!fds[2 + i].revents || receive(server.fd[i]))
				continue;
			close(server.fd[i]);
			server.fd[i] = server.fd[--server.count];
		}
		if (fds[1].revents && server.count < CONNECTIONS_MAX)
			server.fd[server.count++] = accept(server.listen, NULL, NULL);
		server.open = server.count;
	}
	while (server.count)
		close(server.fd[--server.count]);
	close(server.listen);
	return NULL;
}

static void server_start(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	unlink(server.path);
	memcpy(addr.sun_path, server.path, sizeof(addr.sun_path));
	server.listen = socket(AF_UNIX, SOCK_STREAM, 0);
	if (pipe(server.stop) || bind(server.listen, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(server.listen, 64) || pthread_create(&server.thread, NULL, serve, NULL))
		exit(1);
}

static void server_stop(void)
{
	close(server.stop[1]);
	pthread_join(server.thread, NULL);
	server.open = 0;
	close(server.stop[0]);
	unlink(server.path);
}

/* ---------------------------------------------------------------------- the agent */

static struct source *source;
static struct config config;

static struct {
	unsigned int count;
	enum ipsec_request_reason reason;
	char text[256];
	unsigned int bound;		/* SAs with identities, when it was answered */
} result;

static unsigned int bound;

static void played_result(uint64_t id, enum ipsec_request_reason reason, const char *text)
{
	(void)id;
	result.count++;
	result.reason = reason;
	result.bound = bound;
	snprintf(result.text, sizeof(result.text), "%s", text ? text : "");
}

static const char *played_choose(size_t number)
{
	return number == SOURCE_STRONGSWAN ? strongswan_source.choose(source) : "";
}

static void played_negotiate(size_t number, const struct target *target, uint32_t timeout_ms)
{
	(void)number;
	strongswan_source.negotiate(source, target, timeout_ms);
}

static const struct requests_ops requests_ops = {
	.result = played_result,
	.sources = SOURCES,
	.choose = played_choose,
	.negotiate = played_negotiate,
};

static int played_bind(const struct sa_ref *sa, size_t count, const struct identity *identity)
{
	(void)sa;
	EXPECT(identity->remote.id && !strcmp(identity->remote.id, "right.example.org"));
	bound += count;
	return 0;
}

static int played_dump(void)
{
	return 0;
}

static const struct sas_kernel sas_kernel = { .bind = played_bind, .dump = played_dump };

/* xfrm has heard of these SAs before charon tells of them. */
static void played_news(void)
{
	struct sa_ref sa;

	if (sa_ref_set(&sa, 3, "10.0.0.1", 0xc1111111))
		sas_exists(&sa);
	if (sa_ref_set(&sa, 3, "10.0.0.2", 0xc2222222))
		sas_exists(&sa);
}

/* What main.c does, for a source; until there are @count results, or time is over. */
static bool run(unsigned int count, int64_t ms)
{
	int64_t end = now_ms() + ms, deadline;
	struct pollfd fd;

	while (result.count < count && now_ms() < end) {
		fd.fd = strongswan_source.fd(source);
		fd.events = strongswan_source.events(source);
		if (poll(&fd, 1, 10) > 0)
			strongswan_source.ready(source);
		requests_tick();
		deadline = strongswan_source.deadline(source);
		if (deadline <= now_ms())
			strongswan_source.tick(source);
	}
	return result.count >= count;
}

static void ask_as(uint32_t uid)
{
	static uint64_t id;
	struct request *request = request_new();

	request->id = ++id;
	request->uid = uid;
	request->family = AF_INET;
	inet_pton(AF_INET, "10.0.0.1", request->local);
	inet_pton(AF_INET, "10.0.0.2", request->peer);
	request->protocol = IPPROTO_TCP;
	request->local_port = 40000;
	request->peer_port = 80;
	requests_add(request);
}

static bool ends(enum mode mode, enum ipsec_request_reason reason, const char *text)
{
	unsigned int before = result.count;

	server.mode = mode;
	ask_as(1000);
	if (run(before + 1, 20000) && result.reason == reason && !strcmp(result.text, text))
		return true;
	printf("# %d %s\n", result.reason, result.text);
	return false;
}

static void test_up(void)
{
	unsigned int i;

	bound = 0;
	EXPECT(ends(MODE_UP, IPSEC_REQUEST_REASON_NONE, ""));
	/* the kernel knows who it is by then */
	EXPECT(result.bound == 2);
	EXPECT(server.initiated == 1 && !server.terminated);
	/* if they are there already, that is as good, unless it does not help */
	for (i = 0; i < 4; i++)
		EXPECT(ends(MODE_THERE, IPSEC_REQUEST_REASON_NONE, ""));
	EXPECT(ends(MODE_THERE, IPSEC_REQUEST_REASON_NO_SA, "strongSwan home/net: "
		    "charon has SAs already, which the kernel does not use"));
	/* SAs that nobody says anything of are there nevertheless */
	sas_gone_all(3);
	bound = 0;
	server.initiated = 0;
	strongswan_source.resync(source);
	run(result.count + 1, 200);
	EXPECT(ends(MODE_UP_UNTOLD, IPSEC_REQUEST_REASON_NONE, ""));
	EXPECT(!result.bound);
}

static void test_fails(void)
{
	EXPECT(ends(MODE_REFUSE, IPSEC_REQUEST_REASON_REFUSED,
		    "strongSwan home/net: the peer says AUTHENTICATION_FAILED"));
	EXPECT(ends(MODE_LEAK, IPSEC_REQUEST_REASON_IDENTITY,
		    "strongSwan home/net: who answers is not who it is for"));
	EXPECT(ends(MODE_HANG_UP, IPSEC_REQUEST_REASON_NO_SA,
		    "strongSwan home/net: charon has ended, or does not answer"));
	EXPECT(ends(MODE_RUBBISH, IPSEC_REQUEST_REASON_NO_SA,
		    "strongSwan home/net: charon has ended, or does not answer"));
	EXPECT(ends(MODE_UNKNOWN, IPSEC_REQUEST_REASON_NO_SA,
		    "strongSwan home/net: charon has ended, or does not answer"));
	EXPECT(!server.terminated);
	/* an IKE SA that leads nowhere is given up */
	EXPECT(ends(MODE_LATE, IPSEC_REQUEST_REASON_TIMEOUT,
		    "strongSwan home/net: the peer has not answered in time"));
	EXPECT(server.terminated == 1);
}

static void test_silent(void)
{
	unsigned int before = result.count;

	/* the request is answered in its time, and the rest tidied up a little later */
	server.mode = MODE_SILENT;
	server.initiated = 0;
	ask_as(1000);
	EXPECT(run(before + 1, 6000) && result.reason == IPSEC_REQUEST_REASON_TIMEOUT);
	/* whoever asks meanwhile does not begin another one */
	ask_as(1001);
	EXPECT(run(before + 2, 6000));
	EXPECT(server.initiated == 1 && requests_negotiations() == 1);
	while (requests_negotiations())
		run(before + 3, 10);
	/* and then it works again */
	EXPECT(ends(MODE_UP_UNTOLD, IPSEC_REQUEST_REASON_NONE, ""));
}

static void test_many(void)
{
	unsigned int before = result.count, i;

	server.mode = MODE_REFUSE;
	server.initiated = 0;
	server.listed = 0;
	for (i = 0; i < 100; i++)
		ask_as(1000);
	EXPECT(run(before + 100, 20000));
	/* the first of them is alone when it is looked for, the others are together */
	EXPECT(server.initiated <= 2 && server.listed <= 2);
	EXPECT(!requests_count() && !requests_negotiations());
	/* one connection stays */
	run(before + 101, 300);
	EXPECT(server.open == 1);
}

static void test_gone(void)
{
	unsigned int before = result.count;

	/* in the midst of a negotiation */
	server.mode = MODE_SILENT;
	server.initiated = 0;
	ask_as(1000);
	while (!server.initiated)
		run(before + 1, 10);
	server_stop();
	EXPECT(run(before + 1, 900) && result.reason == IPSEC_REQUEST_REASON_NO_SA);
	EXPECT(!requests_negotiations());
	/* at once, as long as it is away */
	run(before + 2, 500);
	ask_as(1000);
	EXPECT(result.count == before + 2 && result.reason == IPSEC_REQUEST_REASON_NO_SA);
	EXPECT(strstr(result.text, "charon cannot be reached"));
	/* and it works again */
	server_start();
	while (!server.open)
		run(before + 3, 10);
	run(before + 3, 200);
	EXPECT(ends(MODE_UP_UNTOLD, IPSEC_REQUEST_REASON_NONE, ""));
}

static const struct {
	void (*run)(void);
	const char *text;
} tests[] = {
	{ test_up, "SAs come up" },
	{ test_fails, "they do not, for reasons that are told" },
	{ test_silent, "charon does not answer" },
	{ test_many, "many requests are one negotiation" },
	{ test_gone, "charon ends in the midst of it" },
};

int main(void)
{
	char directory[] = "/tmp/tokend_initiation.XXXXXX";
	unsigned int failed = 0;
	size_t i;

	if (!mkdtemp(directory))
		return 1;
	snprintf(server.path, sizeof(server.path), "%s/vici", directory);
	log_level_set(0);
	config.strongswan_socket = server.path;
	config.known_keys = "/nonexistent";
	config.unique_psk = "";
	config.requests = true;
	config.negotiations = 8;
	config.user_negotiations = 4;
	config.user_rate = 1000;
	config.request_timeout = 4;
	sas_init(&sas_kernel, played_news);
	requests_init(&requests_ops);
	requests_config(&config);
	server_start();
	source = strongswan_source.open(&config);
	printf("KTAP version 1\n1..%zu\n", COUNT(tests));
	for (i = 0; i < COUNT(tests); i++) {
		failures = 0;
		tests[i].run();
		printf("%sok %zu %s\n", failures ? "not " : "", i + 1, tests[i].text);
		failed += !!failures;
	}
	requests_exit();
	strongswan_source.close(source);
	sas_exit();
	server_stop();
	rmdir(directory);
	return !!failed;
}
