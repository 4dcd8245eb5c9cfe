// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_identities - what 10,000 SAs with an identity cost: memory, and the time
 * that the agent takes to know of them after it was started anew, and to tell the
 * module of them after that was loaded anew
 *
 * Half of the SAs have an identity each, the others share one with another SA, as
 * the two SAs of a pair do.
 */
#include <errno.h>
#include <linux/pfkeyv2.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../../lib/internal.h"
#include "../../tools/tokend/log.h"
#include "../../tools/tokend/message.h"
#include "bench_slab.h"
#include "bench_tun.h"

#define SAS		10000
#define ALONE		(SAS / 2)
#define PAIRS		(SAS / 4)
#define RESTARTS	5
#define SPKI_SIZE	91		/* of a key on P-256 */

static struct ipsec *ipsec;

static int talk(struct nlmsghdr *nlh, ipsec_nl_cb_t cb, void *data)
{
	int ret;

	ipsec_enter(ipsec);
	/* the module may be another one by now */
	ipsec_nl_changed(ipsec);
	ret = ipsec_nl_talk(ipsec, nlh, cb, data);
	ipsec_leave(ipsec);
	if (ret && ret != -EAGAIN)
		errx(1, "%s", ipsec_error(ipsec));
	return ret;
}

/* ------------------------------------------------------------------ identities */

static void end_fill(struct identity_end *end, unsigned int i)
{
	end->method = IPSEC_AUTH_PKIX_INLINE;
	memcpy(end->itoken, &i, sizeof(i));
	end->id_type = 2;
	end->id = xprintf("host%05u.example.org", i);
	end->certificate_dn = xprintf("CN=host%05u.example.org,O=Example Organization,C=CH", i);
	end->ca_dn = xstrdup("CN=Example CA,O=Example Organization,C=CH");
	end->pubkey_id = xprintf("%043u", i);
	end->audit = xprintf("strongSwan IKEv2 net: PKIX_INLINE \"%s\" "
			     "certificate \"%s\" by \"%s\" key %s", end->id, end->certificate_dn,
			     end->ca_dn, end->pubkey_id);
}

static struct identity *identity_make(unsigned int i)
{
	struct identity *identity = identity_new();

	end_fill(&identity->remote, i + 1);
	end_fill(&identity->local, 0);
	identity->lineage = i + 1;
	identity->binding_len = 2 * SPKI_SIZE;
	identity->binding = xcalloc(1, identity->binding_len);
	identity->policy = xstrdup("net/net");
	identity->source = xstrdup("strongswan");
	return identity;
}

/* Bind @count SAs from @first on; returns the size of the attributes. */
static size_t bind_sas(unsigned int first, unsigned int count)
{
	static _Alignas(8) char buf[MESSAGE_SIZE];
	struct identity *identity = identity_make(first);
	struct nlmsghdr *nlh;
	struct sa_ref ref;
	unsigned int i;
	size_t size;

	nlh = ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	size = nlh->nlmsg_len;
	message_put_identity(nlh, identity);
	size = nlh->nlmsg_len - size - sizeof(struct nlattr);
	for (i = first; i < first + count; i++) {
		if (!sa_ref_set(&ref, SADB_SATYPE_ESP, "10.0.0.1", SPI(i)))
			errx(1, "sa_ref_set");
		message_put_sa(nlh, &ref);
	}
	talk(nlh, NULL, NULL);
	identity_put(identity);
	return size;
}

static void bench_memory(void)
{
	struct memory before, middle, after;
	double alone, pair;
	unsigned int i;
	size_t size = 0;

	memory_read(&before);
	for (i = 0; i < ALONE; i++)
		size = bind_sas(i, 1);
	memory_read(&middle);
	for (i = 0; i < PAIRS; i++)
		bind_sas(ALONE + 2 * i, 2);
	memory_read(&after);
	alone = memory_each(&before, &middle, ALONE, "identity of one SA");
	pair = memory_each(&middle, &after, PAIRS, "identity of two SAs");
	row("bytes per identity / its attributes", 2 * alone - pair, size, "-");
	row_alone("bytes per SA with an identity, beside that",
		  pair - alone + table_size(SAS) / SAS, "-");
}

/* ------------------------------------------------------------------------ agent */

static int notify;
static char config_path[] = "/tmp/bench_identities.conf";
static char notify_path[] = "/tmp/bench_identities.notify";

static void agent_prepare(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	FILE *file = fopen(config_path, "w");

	if (!file || fputs("[agent]\nlog-level = error\n[strongswan]\nenabled = no\n", file) < 0 ||
	    fclose(file))
		err(1, "%s", config_path);
	strcpy(addr.sun_path, notify_path);
	unlink(notify_path);
	notify = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (notify < 0 || bind(notify, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setenv("NOTIFY_SOCKET", notify_path, 1))
		err(1, "%s", notify_path);
}

/* When it is ready it has read all that there is. */
static pid_t agent_start(void)
{
	const char *build = getenv("BUILD");
	char *agent = xprintf("%s/tools/tokend/ipsec-tokend", build ? build : "build");
	struct pollfd pollfd = { .fd = notify, .events = POLLIN };
	char state[64];
	pid_t pid = fork();

	if (!pid) {
		execl(agent, agent, "-c", config_path, NULL);
		err(1, "%s", agent);
	}
	if (poll(&pollfd, 1, 600000) != 1 || recv(notify, state, sizeof(state), 0) < 7 ||
	    strncmp(state, "READY=1", 7))
		errx(1, "the agent is not ready");
	free(agent);
	return pid;
}

/*
 * Returns its instructions, those of the kernel for it included; what it has
 * waited for its files is not among them.
 */
static double agent_stop(pid_t pid)
{
	struct rusage usage;
	int status;

	kill(pid, SIGKILL);
	if (wait4(pid, &status, 0, &usage) != pid || !WIFSIGNALED(status))
		errx(1, "the agent has ended");
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static double agent_restart(void)
{
	struct samples samples = {};
	unsigned int i;

	for (i = 0; i < RESTARTS; i++)
		samples.value[samples.count++] = agent_stop(agent_start());
	return median(&samples);
}

static int count_one(const struct nlmsghdr *nlh, void *data)
{
	(void)nlh;
	++*(unsigned int *)data;
	return 0;
}

static unsigned int bound(void)
{
	_Alignas(8) char buf[256];
	unsigned int count;

	do {
		count = 0;
	} while (talk(ipsec_nl_request(ipsec, buf, IPSEC_CMD_IDENTITY_GET, NLM_F_DUMP), count_one,
		      &count));
	return count;
}

/* The module tells the number without a list, which would take as long again. */
static int bindings_read(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *nest = ipsec_parse_find(nlh, IPSEC_A_STATS), *attr;

	if (!nest)
		return -EPROTO;
	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IPSEC_STATS_A_BINDINGS)
			*(uint64_t *)data = mnl_attr_get_u64(attr);
	return 0;
}

static uint64_t bindings(void)
{
	_Alignas(8) char buf[256];
	uint64_t count = 0;

	talk(ipsec_nl_request(ipsec, buf, IPSEC_CMD_STATS_GET, 0), bindings_read, &count);
	return count;
}

static void run(const char *command)
{
	if (system(command))
		errx(1, "%s", command);
}

int main(void)
{
	double idle, full;
	uint64_t begin;
	pid_t pid;

	tun_open();
	if (ipsec_open(&ipsec))
		errx(1, "ipsec_open");
	agent_prepare();
	idle = agent_restart();

	sas_add(0, SAS);
	sleep(3);	/* xfrm looks at each new SA once, after a second */
	bench_memory();
	if (bound() != SAS)
		errx(1, "not all are bound");
	full = agent_restart();
	row_alone("agent started anew, instructions per SA bound (of 10,000)",
		  (full - idle) / SAS, "-");

	pid = agent_start();
	run("rmmod ipsec_token && insmod \"$MODULE\"");
	begin = instructions();
	while (bindings() != SAS)
		usleep(100000);
	row_alone("module loaded anew, instructions per SA bound again",
		  (double)(instructions() - begin) / SAS, "-");
	if (bound() != SAS)
		errx(1, "not all are bound again");
	agent_stop(pid);
	ipsec_close(ipsec);
	return 0;
}
