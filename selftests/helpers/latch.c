// SPDX-License-Identifier: GPL-2.0-only
/*
 * The latches of the host left, seen from all sides by one process: commands on
 * a line of standard input, with " ; " between them, and one line with all the
 * answers.
 *
 *	between LEFT RIGHT [PORT [DEVICE]]	addresses of what is opened next
 *	open NAME initiator|responder [shared]	a TCP connection; who left is.
 *				shared: two sockets listen at the port; answers
 *				which of them got it, first or second
 *	say NAME		data each way
 *	send NAME left|right TEXT	by that host
 *	read NAME left|right TEXT	wait until that has come: ok, or what did
 *	got NAME [right]	what left, or right, has to read: text, "nothing", "end" or
 *				an error
 *	wait NAME		until there is something of the kind
 *	inject NAME evil|clear WHAT [HOW]	a segment to left, in the name of
 *				right. WHAT is data, rst, fin, seq or sum (data
 *				with a wrong one), past or future (data that
 *				acknowledges what is long gone, or not sent), noack,
 *				syn (data without or with that), or short (only the
 *				ports). HOW: locked (the socket is in use meanwhile);
 *				IPv6: hop or dst (behind an extension header),
 *				fragments, or hidden (behind one in fragments)
 *	latch NAME		what the socket option says: STATE FLAGS REASON
 *				REFUSED NOW
 *	flags NAME NUMBER	set it
 *	token NAME, about NAME	the token, and what iToken it leads to
 *	retransmits NAME	by both ends
 *	disorder NAME		segments that came out of order, to both ends
 *	flow NAME, flowed NAME	begin to send something small each way again and
 *				again, and read it; end that: ok if all has come
 *	bulk NAME		a megabyte each way
 *	close NAME [abort|left]	both ends, right first or left first
 *	pause MILLISECONDS	without starting a program, which takes longer
 *	unload			the module; nothing more is known of it
 *	many COUNT		connections opened, used and closed
 *	unconnected		what asking and setting is answered without a connection
 *	powerless		what others than the administrator are answered
 *	offload on|off		of all devices: GRO, GSO, TSO and checksums
 *	outer LEFT RIGHT	addresses of SAs, if not those
 *	bind SPI WHO [LINEAGE [LOCAL]]	the pair of SAs counted from SPI, on left;
 *				"-": none. LOCAL is who left is
 *	mode enforce|report|off	of left; that of right is off from then on
 *	count			what latches have counted since asked last
 *	there			what is there: latches connections paths contexts
 *	list			latches in the dump, by state
 *	events			what was told since: EXPECTED SEEN REASON, of each
 *	watch, seen		data that left in clear since watch
 *	forget			the module, which is about to go
 *
 * Who a token, or a context of an event, belongs to is the first byte of its
 * iToken in hex, "nobody" or "clear". What fails is answered with the error.
 */
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "latch_inject.h"

static int port = 7000;
static const char *device;

/* ------------------------------------------------------------- connections */

static void address_set(struct sockaddr_storage *address, const char *text)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *sin = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	if (strchr(text, ':')) {
		sin6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, text, &sin6->sin6_addr);
		length = sizeof(*sin6);
	} else {
		sin->sin_family = AF_INET;
		inet_pton(AF_INET, text, &sin->sin_addr);
		length = sizeof(*sin);
	}
}

static int socket_bound(enum host host, int at)
{
	struct timeval timeout = { .tv_sec = TIMEOUT / 1000 };
	struct sockaddr_storage own = addresses[host];
	int fd, one = 1;

	enter(host);
	/* at the same place in both kinds of address */
	((struct sockaddr_in *)&own)->sin_port = htons(at);
	fd = socket(own.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    (host == LEFT && device &&
	     setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device))) ||
	    bind(fd, (struct sockaddr *)&own, length))
		err(1, "socket of %s", host_names[host]);
	return fd;
}

COMMAND(do_open)
{
	enum host from = strcmp(arg[2], "responder") ? LEFT : RIGHT, to = !from;
	int listeners[2] = { socket_bound(to, port), -1 }, got = 0;
	struct sockaddr_storage peer = addresses[to];
	socklen_t size = sizeof(link->own);
	bool shared = !strcmp(arg[3], "shared");

	link = link_find("");
	snprintf(link->name, sizeof(link->name), "%s", arg[1]);
	if (shared)
		listeners[1] = socket_bound(to, port);
	link->fd[to] = -1;
	link->fd[from] = socket_bound(from, port + 1000);
	((struct sockaddr_in *)&peer)->sin_port = htons(port);
	if (listen(listeners[0], 4) || (shared && listen(listeners[1], 4)) ||
	    connect(link->fd[from], (struct sockaddr *)&peer, length)) {
		answer(error_name(errno));
	} else {
		got = shared && !readable(listeners[0], 100);
		link->fd[to] = accept(listeners[got], NULL, NULL);
		if (link->fd[to] < 0 ||
		    getsockname(link->fd[LEFT], (struct sockaddr *)&link->own, &size) ||
		    getpeername(link->fd[LEFT], (struct sockaddr *)&link->peer, &size))
			err(1, "accept");
		answer(!shared ? "ok" : got ? "second" : "first");
	}
	link->listener = listeners[got];
	close(listeners[!got]);
	port++;
}

COMMAND(do_close)
{
	struct linger linger = { .l_onoff = !strcmp(arg[2], "abort") };
	int i, host;

	for (i = 0; i < 2; i++) {
		host = strcmp(arg[2], "left") ? !i : i;
		if (link->fd[host] < 0)
			continue;
		setsockopt(link->fd[host], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(link->fd[host]);
	}
	close(link->listener);
	link->name[0] = '\0';
	answer("ok");
}

static int host_of(const char *name)
{
	return !strcmp(name, "right");
}

static int text_send(struct link *link, int host, const char *text)
{
	size_t size = strlen(text);

	return send(link->fd[host], text, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : errno;
}

static int text_read(struct link *link, int host, const char *text, char *got, size_t size)
{
	size_t wanted = strlen(text), have = 0;
	ssize_t ret;

	while (have < wanted && readable(link->fd[host], TIMEOUT)) {
		ret = recv(link->fd[host], got + have, size - have - 1, MSG_DONTWAIT);
		if (ret < 0)
			return errno;
		if (!ret)
			return EPIPE;
		have += ret;
	}
	got[have] = '\0';
	return have < wanted ? ETIMEDOUT : 0;
}

COMMAND(do_read)
{
	char got[256] = "";
	int error = text_read(link, host_of(arg[2]), arg[3], got, sizeof(got));

	answer(error ? error_name(error) : strcmp(got, arg[3]) ? got : "ok");
}

COMMAND(do_say)
{
	char got[256] = "";
	int from, error = 0;

	for (from = LEFT; from <= RIGHT && !error; from++) {
		error = text_send(link, from, host_names[from]);
		if (!error)
			error = text_read(link, !from, host_names[from], got, sizeof(got));
		if (!error && strcmp(got, host_names[from])) {
			answer(got);
			return;
		}
	}
	answer_error(error);
}

COMMAND(do_got)
{
	char got[256] = "";
	int fd = link->fd[*arg[2] ? host_of(arg[2]) : LEFT];
	ssize_t ret = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	if (ret > 0)
		answer(got);
	else if (!ret)
		answer("end");
	else
		answer(errno == EAGAIN ? "nothing" : error_name(errno));
}

static atomic_bool flowing;
static pthread_t flow_thread;
static int flow_error;

/*
 * Each end sends numbers, and reads those of the other, which must be in order. Counted
 * are bytes: where there is no room a number may be sent in part.
 */
static void *flow(void *data)
{
	uint32_t sent[2] = {}, got[2] = {}, number;
	struct link *link = data;
	int host, quiet = 0;
	uint8_t bytes[4];
	ssize_t size;

	flow_error = 0;
	while (!flow_error && quiet < TIMEOUT) {
		for (host = LEFT; host <= RIGHT; host++) {
			number = sent[host] / 4;
			if (atomic_load(&flowing) || sent[host] % 4) {
				size = send(link->fd[host], (uint8_t *)&number + sent[host] % 4,
					    4 - sent[host] % 4, MSG_DONTWAIT);
				if (size > 0)
					sent[host] += size;
			}
			while ((size = recv(link->fd[host], bytes, 4 - got[host] % 4,
					    MSG_DONTWAIT)) > 0) {
				quiet = 0;
				number = got[host] / 4;
				if (memcmp(bytes, (uint8_t *)&number + got[host] % 4, size))
					flow_error = EBADMSG;
				got[host] += size;
			}
		}
		if (!atomic_load(&flowing) && got[LEFT] == sent[RIGHT] &&
		    got[RIGHT] == sent[LEFT] && !((sent[LEFT] | sent[RIGHT]) % 4))
			return NULL;
		usleep(1000);
		quiet++;
	}
	if (!flow_error)
		flow_error = ETIMEDOUT;
	return NULL;
}

COMMAND(do_flow)
{
	bool begin = !strcmp(arg[0], "flow");

	atomic_store(&flowing, begin);
	if (begin)
		answer_error(pthread_create(&flow_thread, NULL, flow, link));
	else
		answer_error(pthread_join(flow_thread, NULL) ?: flow_error);
}

#define BULK	(1 << 20)

/* As much as goes in, in packets as large as they get. */
COMMAND(do_bulk)
{
	static char data[BULK], got[BULK];
	size_t sent, have, i;
	ssize_t ret;
	int from;

	for (i = 0; i < BULK; i++)
		data[i] = i % 251;
	for (from = LEFT; from <= RIGHT; from++) {
		for (sent = 0, have = 0; have < BULK; have += ret) {
			ret = send(link->fd[from], data + sent, BULK - sent,
				   MSG_DONTWAIT | MSG_NOSIGNAL);
			sent += ret > 0 ? ret : 0;
			if (!readable(link->fd[!from], TIMEOUT))
				break;
			ret = recv(link->fd[!from], got + have, BULK - have, MSG_DONTWAIT);
			if (ret <= 0)
				break;
		}
		if (have < BULK || memcmp(data, got, BULK)) {
			printf("%zu of %zu from %s", have, sent, host_names[from]);
			return;
		}
	}
	answer("ok");
}

/* ------------------------------------------------------------ what is known */

COMMAND(do_latch)
{
	struct ipsec_latch latch;
	socklen_t size = sizeof(latch);
	uint64_t ptoken = IPSEC_PTOKEN_UNKNOWN;

	if (getsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_LATCH, &latch, &size)) {
		answer(error_name(errno));
		return;
	}
	size = sizeof(ptoken);
	getsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_PTOKEN, &ptoken, &size);
	printf("%s %u %s %u %s", states[latch.state], latch.flags, reasons[latch.reason],
	       latch.refused, latch.now == IPSEC_PTOKEN_UNKNOWN ? "unknown" :
	       latch.now == ptoken ? "same" : latch.now == IPSEC_PTOKEN_NONE ? "clear" : "other");
}

COMMAND(do_flags)
{
	uint32_t flags = strtoul(arg[2], NULL, 0);

	answer(setsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_LATCH, &flags, sizeof(flags)) ?
	       error_name(errno) : "ok");
}

COMMAND(do_token)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;
	uint64_t ptoken;
	socklen_t size = sizeof(ptoken);

	if (getsockopt(link->fd[LEFT], SOL_IP, IPSEC_SO_PTOKEN, &ptoken, &size)) {
		answer(error_name(errno));
	} else if (!ptoken) {
		answer("clear");
	} else if (strcmp(arg[0], "about")) {
		printf("%#llx", (unsigned long long)ptoken);
	} else {
		module();
		nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_PTOKEN_GET, NLM_F_ACK);
		mnl_attr_put_u64(nlh, IPSEC_A_PTOKEN, ptoken);
		print_who(nlh);
	}
}

COMMAND(do_info)
{
	/* as in <linux/tcp.h>, which does not go with the C library's header */
	size_t offset = strcmp(arg[0], "disorder") ? 100 : 224;
	int host, sum = 0;

	for (host = LEFT; host <= RIGHT; host++) {
		uint32_t info[128] = {};
		socklen_t size = sizeof(info);

		if (getsockopt(link->fd[host], SOL_TCP, TCP_INFO, info, &size))
			err(1, "TCP_INFO");
		if (offset + 4 > size)
			errx(1, "TCP_INFO: too old");
		sum += info[offset / 4];
	}
	printf("%d", sum);
}

COMMAND(do_send)
{
	answer_error(text_send(link, host_of(arg[2]), arg[3]));
}

COMMAND(do_wait)
{
	answer(readable(link->fd[LEFT], TIMEOUT) ? "ok" : "ETIMEDOUT");
}

COMMAND(do_pause)
{
	usleep(atoi(arg[1]) * 1000);
	answer("ok");
}

COMMAND(do_unload)
{
	do_forget(NULL, arg);
	if (syscall(SYS_delete_module, "ipsec_token", O_NONBLOCK))
		printf(" but %s", error_name(errno));
}

COMMAND(do_many)
{
	char *open_args[] = { "open", "many", "initiator", "" }, *close_args[] = { "", "", "" };
	FILE *out = stdout;
	int i, failed = 0;
	char got[16];

	stdout = fopen("/dev/null", "w");
	for (i = 0; i < atoi(arg[1]); i++) {
		open_args[2] = i % 2 ? "initiator" : "responder";
		close_args[2] = i % 3 == 0 ? "abort" : i % 3 == 1 ? "left" : "";
		do_open(link, open_args);
		link = link_find("many");
		failed += text_send(link, LEFT, "x") || text_read(link, RIGHT, "x", got, 16);
		do_close(link, close_args);
	}
	fclose(stdout);
	stdout = out;
	answer(failed ? "failed" : "ok");
}

COMMAND(do_unconnected)
{
	struct ipsec_latch latch;
	socklen_t size = sizeof(latch);
	uint32_t flags = IPSEC_LATCH_F_ON;
	int fd;

	enter(LEFT);
	fd = socket(addresses[LEFT].ss_family, SOCK_STREAM, 0);
	answer(getsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &latch, &size) ? error_name(errno) : "ok");
	putchar(' ');
	answer(setsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &flags, 4) ? error_name(errno) : "ok");
	putchar(' ');
	answer(setsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &flags, 2) ? error_name(errno) : "ok");
	size = sizeof(latch) - 1;
	putchar(' ');
	answer(getsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &latch, &size) ? error_name(errno) : "ok");
	if (!listen(fd, 1)) {
		size = sizeof(latch);
		if (!getsockopt(fd, SOL_IP, IPSEC_SO_LATCH, &latch, &size))
			printf(" %s", states[latch.state]);
	}
	close(fd);
}

COMMAND(do_powerless)
{
	_Alignas(8) char buf[512];
	struct nlmsghdr *nlh;
	struct ipsec *handle;
	int ret;

	enter(LEFT);
	fflush(stdout);
	if (fork()) {
		wait(NULL);
		return;
	}
	if (ipsec_open(&handle) || setresuid(65534, 65534, 65534))
		err(1, "powerless");
	ipsec_enter(handle);
	nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_LATCH_GET, NLM_F_DUMP);
	ret = ipsec_nl_talk(handle, nlh, NULL, NULL);
	printf("%s ", ret ? error_name(ret) : "ok");
	nlh = ipsec_nl_request(handle, buf, IPSEC_CMD_CONFIG_SET, NLM_F_ACK);
	mnl_attr_put_u8(nlh, IPSEC_A_LATCH_MODE, IPSEC_LATCH_OFF);
	ret = ipsec_nl_talk(handle, nlh, NULL, NULL);
	answer(ret ? error_name(ret) : "ok");
	fflush(stdout);
	_exit(0);
}

COMMAND(do_offload)
{
	static const int settings[] = { ETHTOOL_SGRO, ETHTOOL_SGSO, ETHTOOL_STSO };
	struct ethtool_value value = { .data = !strcmp(arg[1], "on") };
	struct ifreq ifreq = { .ifr_name = "veth", .ifr_data = (void *)&value };
	int host, fd;
	unsigned int i;

	for (host = LEFT; host < HOSTS; host++) {
		enter(host);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		for (i = 0; i < IPSEC_ARRAY_SIZE(settings); i++) {
			value.cmd = settings[i];
			if (ioctl(fd, SIOCETHTOOL, &ifreq))
				err(1, "ethtool %d", settings[i]);
		}
		close(fd);
	}
	answer("ok");
}

/* ---------------------------------------------------------------- commands */

COMMAND(do_between)
{
	address_set(&addresses[LEFT], arg[1]);
	address_set(&addresses[RIGHT], arg[2]);
	memcpy(outer, addresses, sizeof(outer));
	if (*arg[3])
		port = atoi(arg[3]);
	device = *arg[4] ? strdup(arg[4]) : NULL;
	answer("ok");
}

COMMAND(do_outer)
{
	address_set(&outer[LEFT], arg[1]);
	address_set(&outer[RIGHT], arg[2]);
	answer("ok");
}

static const struct {
	const char *name;
	bool of_link;		/* its first word names one */
	void (*run)(struct link *link, char **arg);
} commands[] = {
	{ "between", false, do_between },	{ "outer", false, do_outer },
	{ "open", false, do_open },		{ "close", true, do_close },
	{ "many", false, do_many },		{ "say", true, do_say },
	{ "send", true, do_send },		{ "read", true, do_read },
	{ "got", true, do_got },		{ "wait", true, do_wait },
	{ "inject", true, do_inject },		{ "flow", true, do_flow },
	{ "flowed", true, do_flow },		{ "latch", true, do_latch },
	{ "flags", true, do_flags },		{ "token", true, do_token },
	{ "about", true, do_token },		{ "retransmits", true, do_info },
	{ "disorder", true, do_info },		{ "bind", false, do_bind },
	{ "mode", false, do_mode },		{ "count", false, do_count },
	{ "there", false, do_there },		{ "list", false, do_list },
	{ "events", false, do_events },		{ "watch", false, do_watch },
	{ "seen", false, do_seen },		{ "forget", false, do_forget },
	{ "unconnected", false, do_unconnected }, { "powerless", false, do_powerless },
	{ "offload", false, do_offload },	{ "pause", false, do_pause },
	{ "unload", false, do_unload },		{ "bulk", true, do_bulk },
};

static void obey(char **arg)
{
	struct link *link = NULL;
	unsigned int i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, arg[0]))
			continue;
		if (commands[i].of_link)
			link = link_find(arg[1]);
		enter(LEFT);
		commands[i].run(link, arg);
		return;
	}
	answer("what?");
}

#define MAX_ARGS	6

int main(void)
{
	char line[1024], path[64], *command, *rest, *arg[MAX_ARGS], *next;
	cpu_set_t one;
	int host, i;

	for (host = LEFT; host < HOSTS; host++) {
		snprintf(path, sizeof(path), "/run/netns/%s", host_names[host]);
		netns[host] = open(path, O_RDONLY | O_CLOEXEC);
		if (netns[host] < 0)
			err(1, "%s", path);
	}
	packets_open();
	/* what is sent from several processors may arrive in any order */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		err(1, "sched_setaffinity");

	while (fgets(line, sizeof(line), stdin)) {
		for (command = strtok_r(line, ";\n", &rest); command;
		     command = strtok_r(NULL, ";\n", &rest)) {
			if (command != line)
				answer(", ");
			/* what is missing is empty */
			for (i = 0; i < MAX_ARGS; i++)
				arg[i] = strtok_r(i ? NULL : command, " ", &next) ?: "";
			obey(arg);
		}
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
