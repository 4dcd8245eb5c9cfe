// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may ask the kernel what over netlink, and what nobody is told: users
 * without privileges, root of other user namespaces, sockets that somebody else
 * has opened; keys.
 */
#include "bad_netlink.h"

#define DELETE	"bash -c '. selftests/lib.sh && left $IP xfrm state flush && " \
		"right $IP xfrm state flush'"

/* The administrative requests, all good, end with @error. */
static void expect_admin(struct mnl_socket *nl, int error)
{
	const struct command *c;

	for (c = commands; c < commands + ARRAY_SIZE(commands); c++) {
		if (!c->admin)
			continue;
		ask(nl, c->cmd, c->flags, c->attrs, ARRAY_SIZE(c->attrs));
		if (answer.error != error || (error && answer.messages))
			complain("# %s: %s, wanted %s\n", c->name, strerror(answer.error),
				 strerror(error));
	}
}

/* What everybody may. */
static void expect_unprivileged(struct mnl_socket *nl)
{
	uint64_t own = ptoken_of(server4, SOL_IP);
	struct attr attr = { IPSEC_A_PTOKEN, 8, &own };

	ask(nl, IPSEC_CMD_PTOKEN_GET, 0, &attr, 1);
	if (answer.error || !answer.has_token)
		complain("# own token: %s\n", strerror(answer.error));
	if (answer.context_id)
		complain("# the id of a context\n");
	ask(nl, IPSEC_CMD_ALGORITHM_GET, DUMP, NULL, 0);
	if (answer.error || !answer.algorithms)
		complain("# algorithms: %s\n", strerror(answer.error));
}

static void expect_groups(struct mnl_socket *nl, int error)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);

	if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group_events,
				  sizeof(group_events)))
		complain(errno == error ? "" : "# events: %s\n", strerror(errno));
	else if (error)
		complain("# joined the events\n");
	if (mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &group_changes,
				  sizeof(group_changes)))
		complain("# changes: %s\n", strerror(errno));

	/* the other way into a group, for the first 32 of them */
	if (group_events <= 32) {
		address.nl_groups = 1U << (group_events - 1);
		if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) != !error)
			complain("# bind to the events\n");
	}
	close(fd);
}

static int as_nobody(struct mnl_socket *nl)
{
	become_nobody();
	/* a socket that root has opened is no better */
	expect_admin(nl, EPERM);
	nl = netlink_open(NETLINK_GENERIC);
	expect_admin(nl, EPERM);
	expect_unprivileged(nl);
	expect_groups(nl, EPERM);
	return 0;
}

static int through_root(struct mnl_socket *nl)
{
	if (seteuid(NOBODY))
		err(1, "seteuid");
	nl = netlink_open(NETLINK_GENERIC);
	if (seteuid(0))
		err(1, "seteuid");
	/* root may be tricked into writing what it did not ask itself */
	expect_admin(nl, EPERM);
	return 0;
}

static int as_root_of_userns(struct mnl_socket *nl)
{
	become_root_of(0);
	expect_admin(nl, EPERM);
	nl = netlink_open(NETLINK_GENERIC);
	expect_admin(nl, EPERM);
	expect_unprivileged(nl);
	expect_groups(nl, EPERM);
	return 0;
}

/* All but what asks for a context, of which there is none here. */
static int as_owner_of_netns(struct mnl_socket *nl)
{
	struct attr linger = U32(IPSEC_A_LINGER, 77);
	struct mnl_socket *own;

	become_root_of(CLONE_NEWNET);
	own = netlink_open(NETLINK_GENERIC);
	expect_groups(own, 0);
	mnl_socket_close(own);
	own = netlink_open(NETLINK_GENERIC);
	if (ask(own, IPSEC_CMD_STATS_GET, 0, NULL, 0) ||
	    ask(own, IPSEC_CMD_SOCKET_GET, DUMP, NULL, 0) || answer.messages ||
	    ask(own, IPSEC_CMD_CONTEXT_GET, DUMP, NULL, 0) || answer.messages ||
	    ask(own, IPSEC_CMD_CONFIG_SET, 0, &linger, 1) ||
	    ask(own, IPSEC_CMD_CONFIG_GET, 0, NULL, 0))
		complain("# %s, %u messages\n", strerror(answer.error), answer.messages);
	if (answer.linger != 77)
		complain("# linger %u\n", answer.linger);

	/* contexts and tokens of other namespaces are none of its */
	if (ask(own, IPSEC_CMD_CONTEXT_GET, 0, commands[3].attrs, 1) != ENOENT)
		complain("# a context of another namespace\n");
	if (ask(own, IPSEC_CMD_PTOKEN_GET, 0,
		&(struct attr){ IPSEC_A_PTOKEN, 8, &(uint64_t){ ptoken_of(server4, SOL_IP) } },
		1) != ESTALE)
		complain("# a token of another namespace\n");
	expect_admin(nl, EPERM);
	return 0;
}

/* ------------------------------------------------------------------ secrets */

static unsigned int keys_seen(void)
{
	unsigned int i, seen = 0;

	for (i = 0; i < key_count; i++) {
		seen += keys[i].seen;
		keys[i].seen = false;
	}
	return seen;
}

static void dump_xfrm(void)
{
	struct mnl_socket *nl = netlink_open(NETLINK_XFRM);
	char buffer[64] __attribute__((__aligned__(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);

	nlh->nlmsg_type = XFRM_MSG_GETSA;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ask_raw(nl, nlh, nlh->nlmsg_len);
	mnl_socket_close(nl);
}

static void test_secrets(struct mnl_socket *nl, struct mnl_socket *events)
{
	uint64_t token6 = ptoken_of(server6, SOL_IPV6);
	struct attr attr = { IPSEC_A_PTOKEN, 8, &token6 };

	/* the search finds what is there */
	dump_xfrm();
	if (keys_seen() != key_count)
		complain("# not all keys are found where they are\n");
	else
		*wrong = 0;
	report("xfrm tells of all keys");

	ask(nl, IPSEC_CMD_CONTEXT_GET, DUMP, NULL, 0);
	if (answer.messages != 2)
		complain("# %u contexts\n", answer.messages);
	report("contexts tell of no key");
	ask(nl, IPSEC_CMD_SOCKET_GET, DUMP, NULL, 0);
	if (answer.messages != 2)
		complain("# %u sockets\n", answer.messages);
	report("sockets tell of no key");
	if (ask(nl, IPSEC_CMD_PTOKEN_GET, 0, commands[0].attrs, 1) ||
	    ask(nl, IPSEC_CMD_PTOKEN_GET, 0, &attr, 1))
		complain("# %s\n", strerror(answer.error));
	report("tokens tell of no key");

	/* the last event, and a change, comes when the SAs go */
	if (system(DELETE))
		complain("# SAs can't be deleted\n");
	usleep(1500000);
	receive(events);
	if (answer.messages < 4)
		complain("# %u events\n", answer.messages);
	report("events tell of no key");
}

/* Those who may not see events learn that there was a change, and no more. */
static void test_changes(struct mnl_socket *nl)
{
	struct mnl_socket *changes = netlink_open(NETLINK_GENERIC);
	char buffer[4096] __attribute__((__aligned__(8)));
	const struct attr untrusted[] = { STRING(IPSEC_A_ALGORITHM_NAME, "cbc(twofish)"),
					  U8(IPSEC_A_ALGORITHM_TRUSTED, 0) };
	const struct genlmsghdr *genl;
	const struct nlmsghdr *nlh = (struct nlmsghdr *)buffer;
	const struct nlattr *attr;
	int length;

	mnl_socket_setsockopt(changes, NETLINK_ADD_MEMBERSHIP, &group_changes,
			      sizeof(group_changes));
	if (ask(nl, IPSEC_CMD_ALGORITHM_SET, 0, untrusted, 2))
		complain("# ALGORITHM_SET: %s\n", strerror(answer.error));
	length = recv(mnl_socket_get_fd(changes), buffer, sizeof(buffer), MSG_DONTWAIT);
	if (length < 0) {
		complain("# no message\n");
	} else {
		genl = mnl_nlmsg_get_payload(nlh);
		attr = mnl_nlmsg_get_payload_offset(nlh, sizeof(*genl));
		if (genl->cmd != IPSEC_CMD_CHANGED_NTF ||
		    mnl_attr_get_type(attr) != IPSEC_A_GENERATION ||
		    nlh->nlmsg_len != NLMSG_HDRLEN + sizeof(*genl) + 8 ||
		    length != (int)nlh->nlmsg_len)
			complain("# more than the generation\n");
	}
	report("the group of changes: the generation alone");
	mnl_socket_close(changes);
}

int main(void)
{
	struct mnl_socket *events, *nl = set_up();

	events = netlink_open(NETLINK_GENERIC);
	expect_groups(events, 0);
	connect_hosts(nl);
	ksft_print_header();
	ksft_set_plan(10);
	in_child("nobody", as_nobody, nl);
	in_child("root, by a socket that nobody has opened", through_root, nl);
	in_child("root of a user namespace", as_root_of_userns, nl);
	in_child("root of a user namespace with a network namespace", as_owner_of_netns, nl);
	test_changes(nl);
	test_secrets(nl, events);
	ksft_finished();
}
