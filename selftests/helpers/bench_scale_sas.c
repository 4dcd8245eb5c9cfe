// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_scale_sas MOST - what things cost where there are 1, 10, ... MOST SAs, each of
 * a peer of its own that has sent something: no two share a context
 *
 * Without the module only what has to do with no token.
 */
#include <dirent.h>
#include <ipsec/token.h>

#include "bench_connections.h"
#include "bench_datagrams.h"
#include "bench_scale.h"

#define TURNS	11
#define OTHERS	1000000		/* SAs from this number on come and go */

static ipsec_ptoken_t receive_one(int rx, unsigned int peer)
{
	char data[SIZE], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	static struct packet packet;
	ipsec_ptoken_t ptoken = 0;

	inject(&packet, packet_udp(&packet, peer, SPI(peer), SIZE));
	if (recvmsg(rx, &msg, 0) != SIZE)
		err(1, "recvmsg");
	if (loaded && (ipsec_ptoken_from_msg(&msg, &ptoken) || !ptoken ||
		       ptoken == IPSEC_PTOKEN_UNKNOWN))
		errx(1, "no token of peer %u", peer);
	return ptoken;
}

/* Of 100 and more never the same in one round, and from all over. */
static unsigned int peer_in_turn(unsigned int count, unsigned int i)
{
	return (uint64_t)i * 37 % count;
}

/* From the driver to user space. */
static void receive_round(int rx, unsigned int count, unsigned int first, unsigned int step,
			  struct samples *samples)
{
	static struct packet packets[CALLS];
	char data[SIZE], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	size_t length[CALLS];
	uint64_t begin;
	unsigned int i;

	for (i = 0; i < CALLS; i++) {
		unsigned int peer = peer_in_turn(count, first + i * step);

		length[i] = packet_udp(&packets[i], peer, SPI(peer), SIZE);
	}
	begin = instructions();
	for (i = 0; i < CALLS; i++) {
		msg.msg_controllen = sizeof(control);
		inject(&packets[i], length[i]);
		if (recvmsg(rx, &msg, 0) != SIZE)
			err(1, "recvmsg");
	}
	sample(samples, begin, instructions(), CALLS);
}

static void bench_receive(int rx, unsigned int count)
{
	struct samples same = {}, another = {}, call = {};
	unsigned int round;

	for (round = 0; round < ROUNDS; round++) {
		receive_round(rx, count, round * CALLS, 0, &same);
		receive_round(rx, count, round * CALLS, 1, &another);
		if (loaded)
			datagrams_receive(rx, peer_in_turn(count, round * CALLS), 0, &call);
	}
	point_instructions("receive a datagram, same peer", count, median(&same));
	/* the last few handles are remembered: 100 are too many for that */
	if (count >= 100)
		point_instructions("receive a datagram, another peer", count, median(&another));
	if (loaded)
		point_instructions("recvmsg with token, same peer", count, median(&call));
}

static void bench_resolve(int rx, unsigned int count)
{
	struct samples cold = {}, warm = {};
	ipsec_ptoken_t ptoken;
	struct ipsec *ipsec;
	unsigned int round;
	uint64_t begin;
	int i, privacy;

	for (round = 0; round < ROUNDS; round++) {
		if (ipsec_open(&ipsec))
			errx(1, "ipsec_open");
		/* another one first, so that only the token is new */
		ptoken = receive_one(rx, peer_in_turn(count, (round + 1) * CALLS));
		if (count > 1 && ipsec_ptoken_privacy_protected(ipsec, ptoken))
			errx(1, "another token");
		ptoken = receive_one(rx, peer_in_turn(count, round * CALLS));
		begin = instructions();
		privacy = ipsec_ptoken_privacy_protected(ipsec, ptoken);
		sample(&cold, begin, instructions(), 1);
		if (privacy)
			errx(1, "what is not encrypted is said to be private: %d", privacy);
		begin = instructions();
		for (i = 0; i < CALLS; i++)
			if (ipsec_ptoken_privacy_protected(ipsec, ptoken))
				errx(1, "another answer");
		sample(&warm, begin, instructions(), CALLS);
		ipsec_close(ipsec);
	}
	point_instructions("resolve a token, cold", count, median(&cold));
	point_instructions("resolve a token, warm", count, median(&warm));
}

static void sa_put_delete(struct nlmsghdr *nlh, unsigned int n)
{
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(nlh, sizeof(*id));

	nlh->nlmsg_type = XFRM_MSG_DELSA;
	address_put(&id->daddr, HOST);
	id->spi = htonl(SPI(n));
	id->family = AF_INET;
	id->proto = IPPROTO_ESP;
}

static void bench_come_and_go(int rx, unsigned int count)
{
	struct samples add = {}, delete = {}, used = {};
	unsigned int turn, first, i;
	uint64_t begin;

	for (turn = 0; turn < TURNS; turn++) {
		first = OTHERS + 2 * turn * CALLS;
		begin = instructions();
		sas_add(first, CALLS);
		sample(&add, begin, instructions(), CALLS);
		begin = instructions();
		xfrm_add(first, CALLS, sa_put_delete);
		sample(&delete, begin, instructions(), CALLS);

		first += CALLS;
		sas_add(first, CALLS);
		for (i = 0; i < CALLS; i++)
			receive_one(rx, first + i);
		begin = instructions();
		xfrm_add(first, CALLS, sa_put_delete);
		sample(&used, begin, instructions(), CALLS);
		usleep(10000);
	}
	point_instructions("add an SA", count, median(&add));
	point_instructions("delete an SA that was not used", count, median(&delete));
	point_instructions("delete an SA that was used", count, median(&used));
}

/* The time, in instructions, that threads of work queues have taken so far. */
static double work_time(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300], name[32];
	double all = 0, time;
	FILE *file;

	if (!proc)
		err(1, "/proc");
	while ((entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = entry->d_name[0] > '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
		if (!file)
			continue;
		if (!fgets(name, sizeof(name), file))
			name[0] = 0;
		fclose(file);
		if (strncmp(name, "kworker", 7))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/schedstat", entry->d_name);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%lf", &time) != 1)
			err(1, "%s", path);
		fclose(file);
		all += time;
	}
	closedir(proc);
	return all;
}

/* What work there is in a time in which the reaper has come by if it was called. */
static double work_later(void)
{
	double before = work_time();

	usleep(2500000);
	return work_time() - before;
}

static void bench_reaper(int rx, unsigned int count)
{
	struct samples look = {};
	double idle, work;
	unsigned int turn;

	for (turn = 0; turn < 3; turn++) {
		idle = work_later();
		sas_add(OTHERS, 1);
		receive_one(rx, OTHERS);
		xfrm_add(OTHERS, 1, sa_put_delete);
		work = work_later();
		sample(&look, 0, work > idle ? work - idle : 0, 1);
	}
	point_instructions("look for SAs that are dead", count, median(&look));
}

static void grow(int rx, unsigned int from, unsigned int to)
{
	bool counted = to - from >= COUNTED;
	struct memory before, after;
	unsigned int i;
	double each;

	memory_exact(&before);
	sas_add(from, to - from);
	/* xfrm looks at each of them once, a second later */
	memory_exact(&after);
	/* of this, most is what xfrm itself has for it */
	if (counted)
		point_bytes("an SA that nobody asks about", to,
			    memory_each(&before, &after, to - from, "unused SA"));
	if (loaded) {
		stats_read();
		if (stats[IPSEC_STATS_A_PATHS] != from)
			errx(1, "%llu paths for %u SAs that were used",
			     (unsigned long long)stats[IPSEC_STATS_A_PATHS], from);
	}
	memory_exact(&before);
	for (i = from; i < to; i++)
		receive_one(rx, i);
	memory_exact(&after);
	if (loaded && counted) {
		each = memory_each(&before, &after, to - from, "used SA");
		/* one table of contexts, one of paths */
		point_bytes("an SA that was used", to, each + 2 * table_size(to) / to);
	}
}

int main(int argc, char **argv)
{
	unsigned int most = argc > 1 ? atoi(argv[1]) : 1, count, before = 0;
	int rx;

	loaded = module_loaded();
	tun_open();
	rx = datagram_socket();
	if (loaded && ipsec_recvptoken_set(rx, true))
		errx(1, "opt-in");
	/* what went is not to be counted with what is there */
	if (loaded && system("\"$BUILD/tools/ipsec-token\" config set linger 0"))
		errx(1, "ipsec-token");
	for (count = 1; count <= most; before = count, count *= 10) {
		grow(rx, before, count);
		bench_receive(rx, count);
		bench_come_and_go(rx, count);
		if (!loaded)
			continue;
		bench_resolve(rx, count);
		bench_reaper(rx, count);
	}
	return 0;
}
