// SPDX-License-Identifier: GPL-2.0-only
/*
 * What whack prints. It is meant for people, so this looks for a few phrases
 * and passes over the rest. Lines begin with a number of three digits; what
 * follows, with what stands for other things in capitals, is
 *
 *	#N: "NAME"[INSTANCE] ADDRESS:PORT STATE_X (established ...); ... IKE SA #N; ...
 *	#N: "NAME"[INSTANCE] ADDRESS esp.SPI@HOST esp.SPI@HOST Traffic: ...
 *	"NAME"[INSTANCE] ADDRESS:   PHRASE
 *
 * of SAs, outbound and then inbound (with colons instead of dots where HOST has
 * colons itself), and of connections. Public keys and certificates are in
 * sections with a heading each.
 *
 * A peer chooses its identity, which stands at the end of a line for that
 * reason: only what is in front of it is searched. pluto prints no line breaks
 * within identities.
 *
 * Where overlooking something would make a claim stronger, not understanding
 * it counts as the worst that it might have been.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libreswan_status.h"
#include "log.h"
#include "text.h"

/* which list the lines belong to */
enum section {
	SECTION_OTHER,
	SECTION_KEYS,
	SECTION_CERTIFICATES,
	SECTION_CAS,
};

/**
 * struct reader - how far the text was read
 * @status: what was found
 * @section: of the present line
 * @open: the present line may say more of the last key or certificate
 * @key_complete: the last key has an identity
 */
struct reader {
	struct pluto_status *status;
	enum section section;
	bool open;
	bool key_complete;
};

/* ------------------------------------------------------------------------ words */

static bool number_read(char **text, int base, unsigned long max, unsigned long *number)
{
	char *end;

	/* strtoul() takes blanks and signs */
	if (!isxdigit((unsigned char)**text))
		return false;
	errno = 0;
	*number = strtoul(*text, &end, base);
	if (errno || end == *text || *number > max)
		return false;
	*text = end;
	return true;
}

static char *good_copy(const char *text)
{
	return text && *text && text_good(text) ? xstrdup(text) : NULL;
}

/* Room for one more in an array, which grows to the next power of two. */
static void *one_more(void *array, size_t *count, size_t size)
{
	size_t room = *count;
	char *grown = array;

	if (!(room & (room - 1))) {
		grown = xcalloc(room ? 2 * room : 1, size);
		if (room)
			memcpy(grown, array, room * size);
		free(array);
	}
	(*count)++;
	return grown;
}

/* ------------------------------------------------------------------------ names */

/*
 * "NAME"[INSTANCE], where pluto has an address behind it if it speaks of states.
 * Returns what follows.
 */
static char *name_read(char *text, char **name, unsigned int *instance)
{
	unsigned long number = 0;
	char *end;

	text = text_behind(text, "\"");
	end = text_cut(text, "\"");
	if (!end || !*text || !text_good(text))
		return NULL;
	*name = text;
	if (*end == '[') {
		end++;
		if (!number_read(&end, 10, UINT32_MAX, &number) || *end++ != ']' || !number)
			return NULL;
	}
	*instance = number;
	return end;
}

/* ----------------------------------------------------------------------- states */

static int state_compare(const void *a, const void *b)
{
	const struct pluto_state *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/**
 * pluto_state_find() - find a state
 * @status: all that was printed
 * @number: of the state
 *
 * Return: the state, or NULL.
 */
const struct pluto_state *pluto_state_find(const struct pluto_status *status,
					   unsigned long number)
{
	const struct pluto_state key = { .number = number };

	return status->states ? bsearch(&key, status->state, status->states, sizeof(key),
					state_compare) : NULL;
}

static void state_clear(struct pluto_state *state)
{
	free(state->connection);
	free(state->in);
	free(state->out);
	memset(state, 0, sizeof(*state));
}

/* The state that a line is about; both of its lines follow each other. */
static struct pluto_state *state_of(struct pluto_status *status, unsigned long number,
				    const char *name, unsigned int instance)
{
	struct pluto_state *state = status->states ? &status->state[status->states - 1] : NULL;

	if (!state || state->number != number) {
		status->state = one_more(status->state, &status->states, sizeof(*state));
		state = &status->state[status->states - 1];
		state->number = number;
		state->connection = xstrdup(name);
		state->instance = instance;
	}
	return state;
}

static void state_line(struct pluto_state *state, char *text)
{
	char *description, *parent;

	/* STATE_X (DESCRIPTION); ... */
	description = text_cut(text, " (");
	text = text_cut(description, ")");
	state->established = text && strstr(description, "established");
	parent = text ? strstr(text, " SA #") : NULL;
	if (!parent)
		return;
	parent += strlen(" SA #");
	if (!number_read(&parent, 10, UINT32_MAX, &state->parent) || *parent != ';')
		state->parent = 0;
}

/* SPI@HOST; the outbound one is first. */
static bool sa_read(struct pluto_state *state, char *text)
{
	char **host = state->out ? &state->in : &state->out;
	uint32_t *spi = state->out ? &state->spi_in : &state->spi_out;
	unsigned long number;

	if (*host || !number_read(&text, 16, UINT32_MAX, &number) || *text != '@')
		return false;
	*spi = number;
	*host = good_copy(text + 1);
	return *host;
}

static void sas_line(struct pluto_state *state, char *text)
{
	char *word, *left = NULL, *rest;
	bool good = true, ah = false, esp = false;

	for (word = strtok_r(text, " ", &left); word; word = strtok_r(NULL, " ", &left)) {
		rest = word + strcspn(word, ".:");
		if (*rest)
			*rest++ = '\0';
		/* both at a time would be a bundle, of which one pair is kept only */
		if (!strcmp(word, "ah") && !esp)
			ah = true;
		else if (!strcmp(word, "esp") && !ah)
			esp = true;
		else if (!strcmp(word, "tun"))
			state->tunnel = true;
		else
			good &= strcmp(word, "ah") && strcmp(word, "esp");
		if (!strcmp(word, "ah") || !strcmp(word, "esp"))
			good &= sa_read(state, rest);
	}
	state->ah = ah;
	if (!good || !state->in) {
		free(state->in);
		free(state->out);
		state->in = NULL;
		state->out = NULL;
	}
}

/* What is behind the number sign. */
static void state_read(struct pluto_status *status, char *text)
{
	unsigned long number;
	unsigned int instance;
	struct pluto_state *state;
	char *name, *at;

	if (!number_read(&text, 10, UINT32_MAX, &number) || !number)
		return;
	text = name_read(text_behind(text, ": "), &name, &instance);
	if (!text)
		return;
	state = state_of(status, number, name, instance);
	/* both lines must speak of the same connection */
	if (strcmp(state->connection, name) || state->instance != instance)
		return;
	at = strstr(text, " STATE_");
	if (at) {
		state_line(state, at);
		return;
	}
	/* an address is in front of the SAs where there is an instance */
	text_cut(text, " Traffic:");
	at = strchr(text, '@');
	while (at && at > text && *at != ' ')
		at--;
	if (at && !state->out)
		sas_line(state, at);
}

/* ------------------------------------------------------------------ connections */

static int connection_compare(const void *a, const void *b)
{
	const struct pluto_connection *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->instance < y->instance ? -1 : x->instance > y->instance;
}

/**
 * pluto_connection_find() - find a connection
 * @status: all that was printed
 * @name: of the connection
 * @instance: number of the instance, 0: not one
 *
 * Return: the connection, or NULL.
 */
const struct pluto_connection *pluto_connection_find(const struct pluto_status *status,
						     const char *name, unsigned int instance)
{
	const struct pluto_connection key = { .name = (char *)name, .instance = instance };

	return status->connections ? bsearch(&key, status->connection, status->connections,
					     sizeof(key), connection_compare) : NULL;
}

static void end_clear(struct pluto_end *end)
{
	free(end->id);
	free(end->certificate);
	free(end->ca);
	free(end->host);
}

static struct pluto_connection *connection_of(struct pluto_status *status, const char *name,
					      unsigned int instance)
{
	struct pluto_connection *connection;

	connection = status->connections ? &status->connection[status->connections - 1] : NULL;
	if (!connection || strcmp(connection->name, name) || connection->instance != instance) {
		status->connection = one_more(status->connection, &status->connections,
					      sizeof(*connection));
		connection = &status->connection[status->connections - 1];
		connection->name = xstrdup(name);
		connection->instance = instance;
	}
	return connection;
}

static enum auth_class class_read(const char *name)
{
	if (!strcmp(name, "secret"))
		return AUTH_CLASS_PSK;
	if (!strcmp(name, "rsasig") || !strcmp(name, "ecdsa") || !strcmp(name, "rsa"))
		return AUTH_CLASS_PUBKEY;
	if (!strcmp(name, "null"))
		return AUTH_CLASS_NULL;
	return AUTH_CLASS_ANY;
}

/* our auth:X, their auth:X, our autheap:X, their autheap:X; */
static void auth_line(struct pluto_connection *connection, char *ours)
{
	char *theirs = text_cut(ours, ", their auth:");
	char *our_eap = text_cut(theirs, ", our autheap:");
	char *their_eap = text_cut(our_eap, ", their autheap:");

	if (!text_cut(their_eap, ";"))
		return;
	connection->local.class = class_read(ours);
	connection->remote.class = class_read(theirs);
	connection->local.eap = strcmp(our_eap, "none");
	connection->remote.eap = strcmp(their_eap, "none");
}

/* Words with a plus in between, and a semicolon at the end. */
static void policy_line(struct pluto_connection *connection, char *text)
{
	char *word, *left = NULL;

	connection->policy_told = text_cut(text, ";");
	for (word = strtok_r(text, "+", &left); word; word = strtok_r(NULL, "+", &left)) {
		if (!strcmp(word, "IKEv1"))
			connection->ikev1 = true;
		else if (!strcmp(word, "ENCRYPT") || !strcmp(word, "AUTHENTICATE"))
			connection->protects = true;
		else if (!strcmp(word, "AUTH_NULL"))
			connection->null_accepted = true;
		else if (!strcmp(word, "ALLOW_NO_SAN"))
			connection->id_unchecked = true;
		else if (!strcmp(word, "PSK"))
			connection->psk_accepted = true;
		else if (!strcmp(word, "ECDSA") || !strncmp(word, "RSASIG", 6))
			connection->signature_accepted = true;
	}
}

static void id_set(struct pluto_end *end, const char *type, const char *id)
{
	static const struct {
		const char *name;
		enum ike_id_type type;
	} types[] = {
		{ "ID_IPV4_ADDR", IKE_ID_IPV4_ADDR },
		{ "ID_FQDN", IKE_ID_FQDN },
		{ "ID_USER_FQDN", IKE_ID_RFC822_ADDR },
		{ "ID_IPV6_ADDR", IKE_ID_IPV6_ADDR },
		{ "ID_DER_ASN1_DN", IKE_ID_DER_ASN1_DN },
		{ "ID_DER_ASN1_GN", IKE_ID_DER_ASN1_GN },
		{ "ID_KEY_ID", IKE_ID_KEY_ID },
	};
	size_t i;

	if (end->id)
		return;
	end->id = good_copy(id);
	for (i = 0; end->id && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, type))
			end->id_type = types[i].type;
}

/* our idtype: X; our id=X; their idtype: X; their id=X */
static void id_line(struct pluto_connection *connection, char *our_type)
{
	char *ours = text_cut(our_type, "; our id=");
	char *their_type = text_cut(ours, "; their idtype: ");
	char *theirs = text_cut(their_type, "; their id=");

	if (!theirs)
		return;
	id_set(&connection->local, our_type, ours);
	id_set(&connection->remote, their_type, theirs);
}

/* CAs: 'X'...'X' */
static void ca_line(struct pluto_connection *connection, char *ours)
{
	char *theirs = text_cut(ours, "'...'"), *end;

	/* a name that has this in itself cannot be told from two */
	if (!theirs || strstr(theirs, "'...'") || connection->local.ca || connection->remote.ca)
		return;
	end = theirs + strlen(theirs);
	if (end == theirs || end[-1] != '\'')
		return;
	end[-1] = '\0';
	if (strcmp(ours, "%any"))
		connection->local.ca = good_copy(ours);
	if (strcmp(theirs, "%any"))
		connection->remote.ca = good_copy(theirs);
}

static void certificate_set(char **to, char *text, const char *phrase)
{
	char *name = text ? strstr(text, phrase) : NULL;

	if (!name || *to)
		return;
	name += strlen(phrase);
	*to = xstrdup(name);
	text_cut(*to, ";");
	if (!**to || !text_good(*to)) {
		free(*to);
		*to = NULL;
	}
}

/* Some instances have an address behind their number. Returns what is behind the colon. */
static char *address_skip(char *text)
{
	if (text && text[0] == ' ')
		text += 1 + strspn(text + 1, "0123456789abcdefABCDEF.:/");
	else if (text && text[0] == ':')
		text++;
	return text && text[-1] == ':' ? text : NULL;
}

static void connection_read(struct pluto_status *status, char *text)
{
	struct pluto_connection *connection;
	unsigned int instance = 0;
	char *name;

	text = text_behind(address_skip(name_read(text, &name, &instance)), " ");
	if (!text)
		return;
	/* the first line of an instance has an identity that the peer has chosen */
	if (*text != ' ' && !instance)
		pluto_ends_read(connection_of(status, name, instance), text);
	text = text_behind(text, "  ");
	if (!text)
		return;
	connection = connection_of(status, name, instance);
	if (text_behind(text, "our auth:")) {
		auth_line(connection, text_behind(text, "our auth:"));
	} else if (text_behind(text, "policy: ")) {
		policy_line(connection, text_behind(text, "policy: "));
	} else if (text_behind(text, "our idtype: ")) {
		id_line(connection, text_behind(text, "our idtype: "));
	} else if (text_behind(text, "CAs: '")) {
		ca_line(connection, text_behind(text, "CAs: '"));
	} else if (text_behind(text, "  oriented;")) {
		certificate_set(&connection->local.certificate, text, "; mycert=");
		certificate_set(&connection->remote.certificate, text, "; peercert=");
	}
}

/* ----------------------------------------------------------- keys, certificates */

/* NAME 'IDENTITY', with blanks in front */
static char *quoted(char *text)
{
	char *end;

	text = text_cut(text, " '");
	end = text ? strrchr(text, '\'') : NULL;
	if (!end || end[1])
		return NULL;
	*end = '\0';
	return text;
}

/* Returns whether the line was understood. */
static bool key_read(struct reader *reader, char *text)
{
	struct pluto_status *status = reader->status;
	struct pluto_key *key;
	char *id;

	if (!*text)
		return true;
	if (*text != ' ') {
		status->key = one_more(status->key, &status->keys, sizeof(*key));
		if (reader->open && !reader->key_complete)
			return false;
		reader->open = true;
		reader->key_complete = false;
		return strstr(text, " Key ");
	}
	text += strspn(text, " ");
	if (!*text)
		return true;
	if (!reader->open)
		return false;
	key = &status->key[status->keys - 1];
	if (text_behind(text, "Issuer '")) {
		key->certified = true;
		return true;
	}
	id = quoted(text_behind(text, "ID_"));
	if (!id || !text_good(id) || key->id)
		return false;
	key->id = xstrdup(id);
	reader->key_complete = true;
	return true;
}

static void certificate_read(struct reader *reader, char *text)
{
	struct pluto_status *status = reader->status;
	struct pluto_certificate *certificate;
	char *value;

	value = text_cut(text, "ertificate \"");
	if (value) {
		char *end = strstr(value, "\" - SN: "), *next;

		while (end && (next = strstr(end + 1, "\" - SN: ")))
			end = next;
		reader->open = end;
		if (!end)
			return;
		*end = '\0';
		if (!text_good(value)) {
			reader->open = false;
			return;
		}
		status->certificate = one_more(status->certificate, &status->certificates,
					       sizeof(*certificate));
		certificate = &status->certificate[status->certificates - 1];
		certificate->nickname = xstrdup(value);
		certificate->ca = reader->section == SECTION_CAS;
		return;
	}
	if (!reader->open)
		return;
	certificate = &status->certificate[status->certificates - 1];
	value = text_behind(text, "  subject: ");
	if (value && !certificate->subject)
		certificate->subject = good_copy(value);
	value = text_behind(text, "  issuer: ");
	if (value && !certificate->issuer)
		certificate->issuer = good_copy(value);
}

/* A key that was not printed to its end is one of anybody. */
static void section_end(struct reader *reader)
{
	if (reader->section == SECTION_KEYS && reader->open && !reader->key_complete)
		reader->status->keys_told = false;
	reader->section = SECTION_OTHER;
	reader->open = false;
}

static void section_begin(struct reader *reader, const char *name)
{
	section_end(reader);
	if (!strcmp(name, "Public Keys:")) {
		reader->section = SECTION_KEYS;
		reader->status->keys_told = true;
	} else if (!strcmp(name, "X.509 End Certificates:")) {
		reader->section = SECTION_CERTIFICATES;
	} else if (!strcmp(name, "X.509 CA Certificates:")) {
		reader->section = SECTION_CAS;
	}
}

/* ------------------------------------------------------------------------- lines */

static int line_read(struct reader *reader, char *line)
{
	struct pluto_status *status = reader->status;
	char *text = line + 4;

	if (!isdigit((unsigned char)line[0]) || !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[2]) || line[3] != ' ')
		return -EBADMSG;
	if (text_behind(text, "List of ")) {
		section_begin(reader, text_behind(text, "List of "));
	} else if (text_behind(text, "using kernel interface: ")) {
		section_end(reader);
	} else if (reader->section == SECTION_KEYS) {
		if (!key_read(reader, text))
			status->keys_told = false;
	} else if (reader->section != SECTION_OTHER) {
		certificate_read(reader, text);
	} else if (text_behind(text, "#")) {
		state_read(status, text_behind(text, "#"));
	} else if (text_behind(text, "\"")) {
		connection_read(status, text);
	} else if (text_behind(text, "nssdir=") && !status->nss_dir) {
		text = text_behind(text, "nssdir=");
		if (text_cut(text, ", dumpdir=") && *text == '/')
			status->nss_dir = good_copy(text);
	}
	return 0;
}

/* Of two by one name it is not known which is meant. */
static bool unique(const struct pluto_status *status)
{
	size_t i;

	for (i = 1; i < status->states; i++)
		if (!state_compare(&status->state[i - 1], &status->state[i]))
			return false;
	for (i = 1; i < status->connections; i++)
		if (!connection_compare(&status->connection[i - 1], &status->connection[i]))
			return false;
	return true;
}

/**
 * pluto_status_parse() - read what whack has printed
 * @text: all of it, may contain anything
 * @len: size of that
 * @status: set; to be cleared
 *
 * Return: 0, or -EBADMSG, with @status empty, if whack does not print such.
 */
int pluto_status_parse(const char *text, size_t len, struct pluto_status *status)
{
	struct reader reader = { .status = status };
	char line[STATUS_LINE_MAX];
	const char *end;
	size_t size;
	int err = 0;

	memset(status, 0, sizeof(*status));
	for (; len && !err; text += size + 1, len -= size + 1) {
		end = memchr(text, '\n', len);
		size = end ? (size_t)(end - text) : len;
		if (!end || size < 4 || size >= sizeof(line) || memchr(text, '\0', size)) {
			err = -EBADMSG;
			break;
		}
		memcpy(line, text, size);
		line[size] = '\0';
		err = line_read(&reader, line);
	}
	section_end(&reader);
	if (status->states)
		qsort(status->state, status->states, sizeof(*status->state), state_compare);
	if (status->connections)
		qsort(status->connection, status->connections, sizeof(*status->connection),
		      connection_compare);
	if (!err && !unique(status))
		err = -EBADMSG;
	if (err)
		pluto_status_clear(status);
	return err;
}

/**
 * pluto_status_clear() - free what was read
 * @status: is empty afterwards
 */
void pluto_status_clear(struct pluto_status *status)
{
	size_t i;

	for (i = 0; i < status->states; i++)
		state_clear(&status->state[i]);
	for (i = 0; i < status->connections; i++) {
		free(status->connection[i].name);
		end_clear(&status->connection[i].local);
		end_clear(&status->connection[i].remote);
	}
	for (i = 0; i < status->keys; i++)
		free(status->key[i].id);
	for (i = 0; i < status->certificates; i++) {
		free(status->certificate[i].nickname);
		free(status->certificate[i].subject);
		free(status->certificate[i].issuer);
	}
	free(status->state);
	free(status->connection);
	free(status->key);
	free(status->certificate);
	free(status->nss_dir);
	memset(status, 0, sizeof(*status));
}
