// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipsec-token OBJECT VERB ARGUMENTS: which protection have the sockets of this
 * network namespace, and what is behind a token?
 *
 * This file finds out what is wanted; the others do it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static const char help_main[] =
"Usage: ipsec-token [OPTIONS] OBJECT [VERB] [ARGUMENTS]\n"
"\n"
"Objects:\n"
"  context     protections that connections and datagrams have\n"
"  sockets     TCP connections, how they are protected, and who is the peer\n"
"  latch       what keeps connections to their protection\n"
"  identity    who is behind SAs\n"
"  known       keys that peers were first seen with\n"
"  resolve     what the token of an inherited descriptor stands for\n"
"  gate        run a server if its connection is protected as required\n"
"  run         run a program that connects under protection as required only\n"
"  untrusted   algorithms that do not count as protection\n"
"  monitor     events as they happen\n"
"  stats       counters\n"
"  config      settings\n"
"  help        this text, or that of an object\n"
"\n"
"Options:\n"
"  -j, --json           JSON\n"
"  -p, --pretty         JSON with line breaks\n"
"  -c, --color[=WHEN]   always (as -c does), never or auto (as without it)\n"
"  -V, --version        print the version\n"
"  -h, --help           print this text\n"
"\n"
"Words may be cut short as long as they are unique. See ipsec-token(8).\n";

static const char help_context[] =
"Usage: ipsec-token context [list]\n"
"       ipsec-token context show ID\n"
"\n"
"A context is a peer and a way to be protected. SAs come and go, it stays.\n";

static const char help_sockets[] =
"Usage: ipsec-token sockets\n"
"\n"
"Lists the TCP connections of this network namespace and how they are\n"
"protected: \"none\", \"unknown\", or what protects them; and who is known to be\n"
"the peer.\n";

static const char help_latch[] =
"Usage: ipsec-token latch [list]\n"
"\n"
"Lists the latches of this network namespace: TCP connections that began under\n"
"IPsec, and keep to it, sockets that asked for it, and listeners. What is to be\n"
"done with what does not match is a setting: ipsec-token config help.\n";

static const char help_identity[] =
"Usage: ipsec-token identity [list]\n"
"       ipsec-token identity show [SA ... | itoken ITOKEN]\n"
"       ipsec-token identity bind SA ... method METHOD [FIELD VALUE] ...\n"
"       ipsec-token identity unbind {SA ... | itoken ITOKEN}\n"
"\n"
"  SA := sa {esp | ah} SPI DESTINATION [mark MARK]\n"
"\n"
"Who is behind SAs, and how that was proved. ipsec-tokend tells the kernel for\n"
"keying daemons that it knows; for others bind does. ITOKEN may be the first\n"
"eight digits or more of one. See also ipsec-token identity bind help.\n";

static const char help_identity_bind[] =
"Usage: ipsec-token identity bind SA ... method METHOD [FIELD VALUE] ...\n"
"\n"
"  SA     := sa {esp | ah} SPI DESTINATION [mark MARK]\n"
"  METHOD := none | btns | leapoffaith | groupkey | presharedkey | xauth | eap |\n"
"            pkix_offline | pkix_inline | pkix_trusted\n"
"\n"
"Fields of the peer; those of this end begin with \"local-\", as in local-method:\n"
"  cert FILE      its certificate (pkix; again for one that it may have been)\n"
"  ca FILE        certificates, one of which has signed cert (pkix)\n"
"  key FILE       its public key, or a certificate with it (btns, leapoffaith)\n"
"  id TEXT        its IKE identity (default with cert: the subject)\n"
"  id-type TYPE   ipv4, fqdn, email, ipv6, dn, gn, key-id, or a number\n"
"  audit TEXT     for people, instead of what is put together\n"
"Others:\n"
"  policy NAME    of the connection\n"
"  lineage NUMBER | auto   SAs of equal lineage succeed each other\n"
"  itoken ITOKEN  the same peer as that one (none; btns without key; eap without id)\n"
"  dry-run        show what would be bound, and do nothing\n"
"\n"
"FILE is PEM, or DER. Name both SAs of a pair: all are bound, or none.\n";

static const char help_known[] =
"Usage: ipsec-token known [list [file FILE]]\n"
"       ipsec-token known forget {id ID [type TYPE] | key KEY} [file FILE]\n"
"\n"
"The keys that peers with raw public keys were first seen with. A peer with\n"
"another one is not LEAPOFFAITH but BTNS, until the key is forgotten; then the\n"
"next one counts. FILE is what the configuration of ipsec-tokend says.\n";

static const char help_resolve[] =
"Usage: ipsec-token resolve --fd N\n"
"       ipsec-token resolve TOKEN\n"
"\n"
"Tells what protects the connection that descriptor N is: one that this\n"
"process inherited, as from inetd or by redirection in a shell, as in\n"
"\n"
"  exec 3<>/dev/tcp/192.0.2.1/80; ipsec-token resolve --fd 3\n"
"\n"
"A token means something only to the process that got it. That of another\n"
"process is refused here, so that TOKEN is of little use other than 0.\n";

#define HELP_REQUIRE \
"  --require LIST      privacy, integrity, end-to-end, compression, no-compression\n" \
"  --peer DN           the peer's certificate is of this name, as in 'CN=db.example,O=X'\n" \
"  --peer-ca DN        its CA is of this name\n" \
"  --peer-id ID        its IKE identity; of --peer-id-type TYPE\n" \
"  --peer-key KEYID    its public key, as ipsec-token identity show has it\n" \
"  --itoken ITOKEN     it is the peer of this iToken\n" \
"  --method LIST       how it was authenticated: pkix, presharedkey, eap and so on\n" \
"  --no-btns           it was authenticated by something better than an unknown key\n"

static const char help_gate[] =
"Usage: ipsec-token gate REQUIREMENT ... [OPTION ...] [--] PROGRAM [ARGUMENT ...]\n"
"\n"
"For servers that inetd or a socket unit of systemd (Accept=yes) starts for each\n"
"connection. Runs PROGRAM if the connection is as required, with variables IPSEC_...\n"
"in its environment that say how. Requirements, all of which must hold:\n"
HELP_REQUIRE
"Options:\n"
"  --wait SECONDS      for a peer whose identity is not known yet (default 5, if needed)\n"
"  --reset             end the connection if its protection is lost, and do not stall\n"
"  --fd N              the connection, if neither descriptor 0 nor systemd's\n"
"  --syslog            log what was refused, and what was not\n"
"\n"
"Exits with 77 if the connection was refused, and with 125 if that cannot be told.\n";

static const char help_run[] =
"Usage: ipsec-token run REQUIREMENT ... [OPTION ...] [--] PROGRAM [ARGUMENT ...]\n"
"\n"
"Runs PROGRAM in a control group of its own, of which nothing leaves and which\n"
"nothing reaches but under IPsec as required; SAs are negotiated where there are\n"
"none. Requirements, all of which must hold:\n"
HELP_REQUIRE
"Options:\n"
"  --timeout SECONDS   for a negotiation\n"
"  --no-loopback       nothing passes within this host either (unless --loopback)\n"
"  --cgroup DIR        make the control group in this one, and not in one's own\n"
"  --inherit           PROGRAM may have sockets that it was given, and are not held\n"
"\n"
"Exits as PROGRAM does, or with 125 if that was not started.\n";

static const char help_untrusted[] =
"Usage: ipsec-token untrusted [list]\n"
"       ipsec-token untrusted add NAME\n"
"       ipsec-token untrusted del NAME\n"
"\n"
"Encryption and authentication by an untrusted algorithm do not count as such.\n"
"NAME is an algorithm as xfrm names it, as in 'cbc(des3_ede)'.\n";

static const char help_monitor[] =
"Usage: ipsec-token monitor\n"
"\n"
"Prints a line for every event, with -j a JSON object, until interrupted.\n";

static const char help_stats[] =
"Usage: ipsec-token stats [show]\n";

static const char help_config[] =
"Usage: ipsec-token config [show]\n"
"       ipsec-token config set linger SECONDS\n"
"       ipsec-token config set latch {enforce | report | off}\n"
"\n"
"linger is how long a token still resolves after nothing holds it any more.\n"
"latch is what becomes of packets of latched connections that do not match: they\n"
"are dropped, counted and told of; counted and told of; or not looked at.\n";

/**
 * struct object - what the command is about
 * @name: of the object
 * @help: text
 * @verb: what can be done with it, the first one if none is given
 */
struct object {
	const char *name;
	const char *help;
	struct verb verb[5];
};

#define VERB(name_, run_)		{ .name = name_, .run = run_ }
#define VERB_HELP(name_, run_, help_)	{ .name = name_, .run = run_, .help = help_ }

static const struct object objects[] = {
	{ "context", help_context, { VERB("list", context_list), VERB("show", context_show) } },
	{ "sockets", help_sockets, { VERB("list", sockets_list) } },
	{ "latch", help_latch, { VERB("list", latch_list) } },
	{ "identity", help_identity, {
		VERB("list", identity_list), VERB("show", identity_show),
		VERB_HELP("bind", identity_bind, help_identity_bind),
		VERB("unbind", identity_unbind) } },
	{ "known", help_known, { VERB("list", known_list), VERB("forget", known_forget) } },
	{ "resolve", help_resolve, { VERB(NULL, resolve) } },
	{ "gate", help_gate, { VERB(NULL, gate) } },
	{ "run", help_run, { VERB(NULL, run) } },
	{ "untrusted", help_untrusted, {
		VERB("list", untrusted_list), VERB("add", untrusted_add),
		VERB("del", untrusted_del) } },
	{ "monitor", help_monitor, { VERB(NULL, monitor) } },
	{ "stats", help_stats, { VERB("show", stats_show) } },
	{ "config", help_config, { VERB("show", config_show), VERB("set", config_set) } },
	{ "help", help_main, { VERB(NULL, NULL) } },
};

/**
 * usage() - complain of the command line
 * @format: of the complaint
 *
 * Return: exit code.
 */
int usage(const char *format, ...)
{
	char text[2048], safe[2 * sizeof(text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "ipsec-token: %s (see ipsec-token help)\n",
		text_safe(text, safe, sizeof(safe)));
	return EXIT_USAGE;
}

/**
 * failed() - say what went wrong, beginning with the field it is about
 * @format: of the reason
 *
 * Return: exit code.
 */
int failed(const char *format, ...)
{
	char text[2048], safe[2 * sizeof(text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "ipsec-token: %s\n", text_safe(text, safe, sizeof(safe)));
	return EXIT_FAILED;
}

/**
 * number_read() - read a number of the command line
 * @text: decimal, or with 0x hexadecimal
 * @max: the highest that is allowed
 * @value: set to the number
 *
 * Return: 0, or -1 if it is none, or too high.
 */
int number_read(const char *text, uint64_t max, uint64_t *value)
{
	int base = !strncmp(text, "0x", 2) ? 16 : 10;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, base);
	return errno || end == text || *end || *text == '-' || *text == '+' ||
	       *text == ' ' || *value > max ? -1 : 0;
}

static bool begins(const char *name, const char *word)
{
	return *word && !strncmp(name, word, strlen(word));
}

static const struct object *object_find(const char *word)
{
	const struct object *found = NULL;
	unsigned int i;

	for (i = 0; i < IPSEC_ARRAY_SIZE(objects); i++) {
		if (!begins(objects[i].name, word))
			continue;
		if (found) {
			usage("\"%s\" is short for both %s and %s", word, found->name,
			      objects[i].name);
			return NULL;
		}
		found = &objects[i];
	}
	if (!found)
		usage("no object \"%s\"", word);
	return found;
}

static bool wants_help(const char *word)
{
	return begins("help", word) || !strcmp(word, "-h") || !strcmp(word, "--help");
}

/* All of the word: arguments are not cut short. */
static int verb_run(const struct object *object, const struct verb *verb, int argc, char **argv)
{
	if (argc != 1 || strcmp(argv[0], "help"))
		return verb->run(argc, argv);
	fputs(verb->help ? verb->help : object->help, stdout);
	return EXIT_OK;
}

static int object_run(const struct object *object, int argc, char **argv)
{
	const struct verb *verb = object->verb;
	unsigned int i;

	if (argc && wants_help(argv[0])) {
		fputs(object->help, stdout);
		return EXIT_OK;
	}
	if (!verb->name || !argc)
		return verb->run(argc, argv);

	/* no two verbs of an object begin alike */
	for (i = 0; i < IPSEC_ARRAY_SIZE(object->verb) && verb[i].name; i++)
		if (begins(verb[i].name, argv[0]))
			return verb_run(object, &verb[i], argc - 1, argv + 1);
	return usage("no verb \"%s\" for %s", argv[0], object->name);
}

static int help(int argc, char **argv)
{
	const struct object *object;
	unsigned int i;

	if (!argc) {
		fputs(help_main, stdout);
		return EXIT_OK;
	}
	object = object_find(argv[0]);
	if (!object)
		return EXIT_USAGE;
	for (i = 0; argc > 1 && i < IPSEC_ARRAY_SIZE(object->verb) && object->verb[i].name; i++)
		if (begins(object->verb[i].name, argv[1]))
			return verb_run(object, &object->verb[i], 1, (char *[]){ "help" });
	if (argc > 1)
		return usage("no verb \"%s\" for %s", argv[1], object->name);
	fputs(object->help, stdout);
	return EXIT_OK;
}

static int colour_option(const char *when)
{
	if (!when || !strcmp(when, "always"))
		output.colour = true;
	else if (!strcmp(when, "never"))
		output.colour = false;
	else if (strcmp(when, "auto"))
		return usage("no such choice of colour: \"%s\"", when);
	return EXIT_OK;
}

static bool colour_wanted(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "color", optional_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const struct object *object;
	int c, ret;

	output.colour = colour_wanted();
	while ((c = getopt_long(argc, argv, "+jpc::Vh", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			output.json = true;
			break;
		case 'p':
			output.pretty = true;
			break;
		case 'c':
			if (colour_option(optarg))
				return EXIT_USAGE;
			break;
		case 'V':
			puts("ipsec-token " IPSEC_TOKEN_VERSION);
			return EXIT_OK;
		case 'h':
			return help(0, NULL);
		default:
			return EXIT_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		fputs(help_main, stderr);
		return EXIT_USAGE;
	}

	object = object_find(argv[0]);
	if (!object)
		return EXIT_USAGE;
	ret = object->help == help_main ? help(argc - 1, argv + 1) :
					  object_run(object, argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout)) {
		perror("ipsec-token: stdout");
		ret = EXIT_FAILED;
	}
	return ret;
}
