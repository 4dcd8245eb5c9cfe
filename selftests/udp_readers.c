// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket with pTokens, or a request, is in every other respect a socket like any other:
 * connections, readiness, waiting, io_uring, several readers. The first part is
 * compared as udp_transcript.h describes.
 */

#include <liburing.h>
#include <netinet/ip.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "udp_transcript.h"

/* from the receiver to whom it is connected to */
static void send_rx(struct play *p, const char *text)
{
	note_result(p, "send", send(p->rx, text, strlen(text), 0));
	settle();
}

static void connect_rx(struct play *p, int port)
{
	struct sockaddr_storage a;
	socklen_t len = address(p->kind, true, port, &a);

	if (!port)
		a.ss_family = AF_UNSPEC;
	note_result(p, "connect", connect(p->rx, (void *)&a, len));
}

static void s_connect(struct play *p)
{
	send_some(p, 10);
	note_result(p, "other", send_to(p, p->other, RX_PORT, "other", 5));
	connect_rx(p, TX_PORT);
	send_some(p, 11);
	note_result(p, "other", send_to(p, p->other, RX_PORT, "other", 5));
	receive_all(p);
	send_rx(p, "to tx");
	receive_from(p, p->tx, 10, 0);
	connect_rx(p, OTHER_PORT);
	send_some(p, 12);
	note_result(p, "other", send_to(p, p->other, RX_PORT, "other", 5));
	receive_all(p);
	connect_rx(p, 0);
	send_some(p, 13);
	send_rx(p, "nowhere");
	receive_all(p);

	connect_rx(p, CLOSED_PORT);
	send_rx(p, "closed");
	receive(p, 10, 0);
	receive(p, 10, 0);
	send_rx(p, "closed");
	send_rx(p, "closed");
}

static void s_shutdown(struct play *p)
{
	note_result(p, "shutdown", shutdown(p->rx, SHUT_RD));
	connect_rx(p, TX_PORT);
	send_some(p, 10);
	note_result(p, "shutdown", shutdown(p->rx, SHUT_RD));
	receive(p, 10, 0);
	receive(p, 10, 0);
	send_some(p, 10);
	receive(p, 10, 0);
	note_result(p, "shutdown", shutdown(p->rx, SHUT_WR));
	send_rx(p, "x");
}

static void s_poll(struct play *p)
{
	struct pollfd pollfd = { .fd = p->rx, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
	int i;

	for (i = 0; i < 9; i++) {
		switch (i) {
		case 1:
			send_some(p, 10);
			break;
		case 2:
			receive(p, 10, MSG_PEEK);
			break;
		case 3:
			receive(p, 10, 0);
			break;
		case 4:
			send_raw(p, 300, false);	/* poll() finds out */
			break;
		case 5:
			connect_rx(p, CLOSED_PORT);
			break;
		case 6:
			send_rx(p, "x");
			break;
		case 7:
			receive(p, 10, 0);
			break;
		case 8:
			note_result(p, "shutdown", shutdown(p->rx, SHUT_RDWR));
			break;
		}
		pollfd.revents = 0;
		note_result(p, "poll", poll(&pollfd, 1, 0));
		note(p, " events %#x", pollfd.revents);
	}
}

static void s_timeouts(struct play *p)
{
	struct timeval timeout = { .tv_usec = 250000 };
	struct timespec from, to;
	char data[10];

	if (setsockopt(p->rx, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		err(1, "SO_RCVTIMEO");
	note_result(p, "dontwait", recv(p->rx, data, 10, MSG_DONTWAIT));
	clock_gettime(CLOCK_MONOTONIC, &from);
	note_result(p, "recv", recv(p->rx, data, 10, 0));
	clock_gettime(CLOCK_MONOTONIC, &to);
	note(p, "waited %d", (to.tv_sec - from.tv_sec) * 1000000000LL +
	     to.tv_nsec - from.tv_nsec >= 125000000);
	note_result(p, "recv all", recv(p->rx, data, 10, MSG_WAITALL));
	send_some(p, 5);
	note_result(p, "recv all", recv(p->rx, data, 10, MSG_WAITALL));
	fcntl(p->rx, F_SETFL, O_NONBLOCK);
	note_result(p, "nonblocking", recv(p->rx, data, 10, 0));
}

/* Which of the group gets what depends on the addresses only. */
static void s_reuseport(struct play *p)
{
	int fd[4], i, n;
	char data[10];

	fd[0] = p->rx;
	for (i = 1; i < 4; i++)
		fd[i] = open_rx(p);
	for (i = 0; i < 64; i++) {
		int tx = open_socket(p->kind, false, 20000 + i);

		send_to(p, tx, RX_PORT, "x", 1);
		close(tx);
	}
	for (i = 0; i < 4; i++) {
		for (n = 0; recv(fd[i], data, 10, MSG_DONTWAIT) >= 0; n++)
			;
		note(p, "socket %d got %d", i, n);
		if (i)
			close(fd[i]);
	}
}

static void s_epoll(struct play *p)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0), i;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, p->rx, &event))
		err(1, "epoll");
	for (i = 0; i < 7; i++) {
		if (i == 1 || i == 3 || i == 4)
			send_some(p, 10);
		if (i == 2)
			receive(p, 10, MSG_PEEK);
		if (i == 5)
			receive_all(p);
		event.events = 0;
		note_result(p, "epoll", epoll_wait(ep, &event, 1, 0));
		note(p, " events %#x", event.events);
	}
	close(ep);
}

static void on_signal(int number)
{
	(void)number;
}

static void s_signal(struct play *p)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct timeval minute = { .tv_sec = 60 };
	char data[10];
	int i;

	for (i = 0; i < 3; i++) {
		/* With a timeout it is not restarted, whatever SA_RESTART says. */
		if (i == 1)
			action.sa_flags = SA_RESTART;
		if (i == 1 &&
		    setsockopt(p->rx, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof(minute)))
			err(1, "SO_RCVTIMEO");
		sigaction(SIGALRM, &action, NULL);
		ualarm(20000, 20000);	/* again, if recv() is late for the first */
		note_result(p, "recv", recv(p->rx, data, 10, i == 2 ? MSG_PEEK : 0));
		ualarm(0, 0);
	}
}

struct ring_message {
	struct sockaddr_storage name;
	uint8_t data[100], control[256];
	struct iovec iov;
	struct msghdr msg;
};

static void ring_submit(struct play *p, struct io_uring *ring, struct ring_message *m,
			int flags, int sqe_flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	memset(m, 0xee, sizeof(*m));
	m->iov = (struct iovec){ m->data, sizeof(m->data) };
	m->msg = (struct msghdr){
		.msg_name = &m->name, .msg_namelen = sizeof(m->name),
		.msg_iov = &m->iov, .msg_iovlen = 1,
		.msg_control = m->control, .msg_controllen = sizeof(m->control),
	};
	io_uring_prep_recvmsg(sqe, p->rx, &m->msg, flags);
	io_uring_sqe_set_flags(sqe, sqe_flags);
	if (io_uring_submit(ring) != 1)
		errx(1, "io_uring_submit");
}

static int ring_wait(struct io_uring *ring, unsigned int *flags)
{
	struct io_uring_cqe *cqe;
	int result;

	if (io_uring_wait_cqe(ring, &cqe))
		errx(1, "io_uring_wait_cqe");
	result = cqe->res;
	if (flags)
		*flags = cqe->flags;
	io_uring_cqe_seen(ring, cqe);
	return result;
}

static void ring_note(struct play *p, struct io_uring *ring, struct ring_message *m)
{
	int got = ring_wait(ring, NULL);

	if (got < 0) {
		errno = -got;
		got = -1;
	}
	note_message(p, got, &m->msg, p->ptoken);
}

/* Into provided buffers, one datagram after the other. */
static void s_multishot(struct play *p)
{
	static uint8_t buffers[8][512];
	struct msghdr shape = { .msg_namelen = 28, .msg_controllen = 128 };
	struct io_uring_recvmsg_out *out;
	unsigned int flags = IORING_CQE_F_MORE;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	struct msghdr msg = {};
	int i, got;

	if (io_uring_queue_init(8, &ring, 0))
		errx(1, "io_uring_queue_init");
	if (p->kind != IPV6)
		set(p->rx, SOL_IP, IP_RECVTTL, 1);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_provide_buffers(sqe, buffers, 512, 8, 1, 0);
	io_uring_submit(&ring);
	note(p, "buffers %d", ring_wait(&ring, NULL));

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recvmsg_multishot(sqe, p->rx, &shape, MSG_TRUNC);
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = 1;
	io_uring_submit(&ring);
	for (i = 0; i < 4 && flags & IORING_CQE_F_MORE; i++) {
		send_some(p, 20 + 200 * i);
		got = ring_wait(&ring, &flags);
		note(p, "multishot %d, more %d", got < 0 ? got : 0, !!(flags & IORING_CQE_F_MORE));
		if (got < 0)
			break;
		out = io_uring_recvmsg_validate(buffers[flags >> IORING_CQE_BUFFER_SHIFT], got,
						&shape);
		if (!out) {
			note(p, "malformed");
			break;
		}
		note(p, " flags %#x payload %u", out->flags, out->payloadlen);
		note_hex(p, " name", io_uring_recvmsg_name(out), out->namelen);
		msg.msg_control = io_uring_recvmsg_cmsg_firsthdr(out, &shape);
		msg.msg_controllen = out->controllen;
		note_cmsgs(p, &msg, p->ptoken);
	}
	io_uring_queue_exit(&ring);
}

static void s_io_uring(struct play *p)
{
	static struct ring_message m;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	char data[200];
	int i;

	if (io_uring_queue_init(8, &ring, 0))
		errx(1, "io_uring_queue_init");
	if (p->kind != IPV6)
		set(p->rx, SOL_IP, IP_RECVTTL, 1);

	/* there already, waited for, by a worker thread */
	for (i = 0; i < 3; i++) {
		if (i != 1)
			send_some(p, 60);
		ring_submit(p, &ring, &m, 0, i == 2 ? IOSQE_ASYNC : 0);
		if (i == 1)
			send_some(p, 61);
		ring_note(p, &ring, &m);
	}
	send_some(p, 200);
	ring_submit(p, &ring, &m, MSG_TRUNC | MSG_PEEK, 0);
	ring_note(p, &ring, &m);
	ring_submit(p, &ring, &m, MSG_TRUNC, 0);
	ring_note(p, &ring, &m);
	ring_submit(p, &ring, &m, MSG_DONTWAIT, 0);
	ring_note(p, &ring, &m);

	/* plain recv, and one that is cancelled */
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_recv(sqe, p->rx, data, sizeof(data), MSG_TRUNC);
	io_uring_submit(&ring);
	send_some(p, 300);
	note(p, "recv %d", ring_wait(&ring, NULL));
	ring_submit(p, &ring, &m, 0, 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_cancel_fd(sqe, p->rx, 0);
	io_uring_submit(&ring);
	for (i = 0; i < 2; i++)
		note(p, "cancelled %d", ring_wait(&ring, NULL));

	io_uring_queue_exit(&ring);
}

/* ------------------------------------------------------------- several readers */

#define READERS		4
#define DATAGRAMS	8000
#define UNREAD		64	/* at most, so that the queue can't overflow */

static struct {
	struct play play;
	atomic_int read, stop, missing;
	atomic_char seen[DATAGRAMS];
} crowd;

static void *crowd_reader(void *arg)
{
	struct timeval tenth = { .tv_usec = 100000 };
	bool other_calls = arg;
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);	/* this thread only */
	setsockopt(crowd.play.rx, SOL_SOCKET, SO_RCVTIMEO, &tenth, sizeof(tenth));
	while (!crowd.stop) {
		uint8_t control[128];
		int number[2] = {};
		struct iovec iov = { number, sizeof(number) };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		struct cmsghdr *cmsg;
		ssize_t got;

		if (other_calls)
			recvmsg(crowd.play.rx, &msg, MSG_PEEK);
		msg.msg_controllen = sizeof(control);
		got = recvmsg(crowd.play.rx, &msg, 0);
		if (got < 0)
			continue;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (!cmsg || !is_ptoken(&crowd.play, cmsg))
			crowd.missing++;
		if (got != sizeof(number) || number[0] != ~number[1] ||
		    number[0] < 0 || number[0] >= DATAGRAMS)
			fault(&crowd.play, "a datagram of %zd bytes, %#x %#x", got, number[0],
			      number[1]);
		else
			crowd.seen[number[0]]++;
		crowd.read++;
	}
	return NULL;
}

static void *crowd_toggler(void *arg)
{
	int on = 0;

	(void)arg;
	while (!crowd.stop) {
		set(crowd.play.rx, SOL_IP, IPSEC_SO_RECVPTOKEN, on);
		on = !on;
		sched_yield();
	}
	return NULL;
}

/* None is lost, none comes twice, each has a pToken. */
static void crowd_test(enum kind kind, bool toggle)
{
	pthread_t reader[READERS], toggler;
	int i, wrong = 0;

	memset(&crowd, 0, sizeof(crowd));
	crowd.play.kind = kind;
	crowd.play.ptoken = true;
	crowd.play.tx = open_socket(kind, false, TX_PORT);
	crowd.play.rx = open_rx(&crowd.play);
	for (i = 0; i < READERS; i++)
		pthread_create(&reader[i], NULL, crowd_reader, i ? NULL : "");
	if (toggle)
		pthread_create(&toggler, NULL, crowd_toggler, NULL);

	for (i = 0; i < DATAGRAMS; i++) {
		int number[2] = { i, ~i };
		struct sockaddr_storage a;
		socklen_t len = address(kind, false, RX_PORT, &a);

		if (sendto(crowd.play.tx, number, sizeof(number), 0, (void *)&a, len) < 0)
			err(1, "sendto");
		while (i - crowd.read > UNREAD)
			sched_yield();
	}
	for (i = 0; i < 1000 && crowd.read < DATAGRAMS; i++)
		usleep(1000);
	usleep(10000);
	crowd.stop = 1;
	for (i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	if (toggle)
		pthread_join(toggler, NULL);

	for (i = 0; i < DATAGRAMS; i++)
		wrong += crowd.seen[i] != 1;
	ksft_test_result(!wrong && !crowd.play.faults && (toggle || !crowd.missing),
			 "%s: %d readers%s\n", kind_names[kind], READERS,
			 toggle ? " while the option is turned on and off" : "");
	if (wrong || crowd.missing)
		ksft_print_msg("%d datagrams lost or doubled, %d without pToken\n", wrong,
			       crowd.missing);
	close(crowd.play.rx);
	close(crowd.play.tx);
}

/* ------------------------------------------------------------- one who waits */

static void *wait_for_one(void *arg)
{
	struct play *p = arg;
	uint8_t data[10], control[128];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	return (void *)recvmsg(p->rx, &msg, 0);
}

/* The reader sleeps in the recvmsg() that the socket had when it began. */
static void waiting_test(enum kind kind, bool shut)
{
	struct play p = { .kind = kind, .ptoken = true };
	struct sockaddr_storage a;
	pthread_t reader;
	socklen_t len;
	void *got;

	p.tx = open_socket(kind, false, TX_PORT);
	p.rx = open_rx(&p);
	len = address(kind, true, TX_PORT, &a);
	if (connect(p.rx, (void *)&a, len))
		err(1, "connect");
	pthread_create(&reader, NULL, wait_for_one, &p);
	usleep(50000);
	set(p.rx, SOL_IP, IPSEC_SO_RECVPTOKEN, 0);
	if (shut)
		shutdown(p.rx, SHUT_RD);
	else
		send_to(&p, p.tx, RX_PORT, "hello", 5);
	pthread_join(reader, &got);
	ksft_test_result((long)got == (shut ? 0 : 5), "%s: a waiting reader, %s\n",
			 kind_names[kind], shut ? "shutdown()" : "opted out");
	close(p.rx);
	close(p.tx);
}

static const struct scenario scenarios[] = {
	{ "connect() and disconnect", s_connect, ALL },
	{ "shutdown()", s_shutdown, ALL },
	{ "poll()", s_poll, ALL },
	{ "SO_RCVTIMEO, EAGAIN", s_timeouts, ALL },
	{ "SO_REUSEPORT", s_reuseport, ALL },
	{ "epoll()", s_epoll, ALL },
	{ "signals", s_signal, ALL },
};

/* What is left of a ring may interrupt a later system call: these come last. */
static const struct scenario ring_scenarios[] = {
	{ "io_uring", s_io_uring, ALL },
	{ "io_uring multishot", s_multishot, ALL },
};

#define NR_SCENARIOS	(sizeof(scenarios) / sizeof(scenarios[0]))
#define NR_RINGS	(sizeof(ring_scenarios) / sizeof(ring_scenarios[0]))

int main(void)
{
	enum kind kind;

	ksft_print_header();
	ksft_set_plan(3 * (NR_SCENARIOS + 4 + NR_RINGS));
	prepare_host();
	compare_all(scenarios, NR_SCENARIOS);
	for (kind = IPV4; kind <= MAPPED; kind++) {
		crowd_test(kind, false);
		crowd_test(kind, true);
		waiting_test(kind, false);
		waiting_test(kind, true);
	}
	compare_all(ring_scenarios, NR_RINGS);
	ksft_finished();
}
