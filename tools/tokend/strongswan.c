// SPDX-License-Identifier: GPL-2.0-only
/*
 * strongSwan as a source, by the VICI socket of its daemon charon.
 *
 * charon raises events for IKE SAs and CHILD SAs that come, go and are rekeyed.
 * They say nothing of how a peer was authenticated. So when an IKE SA is new,
 * connections and certificates are asked for; all IKE SAs that came before the
 * question are dealt with by one answer. What was found out of an IKE SA holds
 * for its CHILD SAs, and for the IKE SA that replaces it by rekeying.
 *
 * After connecting, and whenever something may have been missed, the list of
 * all SAs is asked for.
 *
 * When an application requires SAs, connections are asked for too, and charon is
 * told to initiate the one that would do.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"
#include "source.h"
#include "strongswan_choice.h"
#include "strongswan_evidence.h"
#include "strongswan_initiation.h"
#include "strongswan_sas.h"
#include "vici_connection.h"

/* between attempts to connect, doubled each time */
#define RETRY_FIRST_MS 200
#define RETRY_LAST_MS 10000

/* charon answers within this time, or is given up */
#define ANSWER_MS 60000

/* charon is left alone as many times longer than it took to list connections */
#define REST_TIMES 2
#define REST_LAST_MS 10000

/* what the connection is busy with */
enum job {
	JOB_NONE,
	JOB_REGISTER,
	JOB_SAS,
	JOB_CONNECTIONS,
	JOB_CERTIFICATES,
	JOB_CHOICE,
};

/**
 * struct source - strongSwan
 * @config: ours
 * @epoll: what to poll
 * @vici: connection with charon, NULL: none
 * @job: what it is busy with
 * @registered: how many events are registered
 * @want_list: the list of SAs is to be asked for
 * @want_choice: requests wait for what there is
 * @choice_began: when charon was asked for that last
 * @choice_not_before: when it may be asked again
 * @broken: the connection must be given up
 * @retry_ms: until the next attempt to connect
 * @deadline: when to connect, or to give up
 * @failing: it was logged that charon cannot be reached
 * @ikes: IKE SAs
 * @initiations: what charon was told to initiate
 */
struct source {
	const struct config *config;
	int epoll;
	struct vici_connection *vici;
	enum job job;
	size_t registered;
	bool want_list;
	bool want_choice;
	int64_t choice_began;
	int64_t choice_not_before;
	bool broken;
	int64_t retry_ms;
	int64_t deadline;
	bool failing;
	struct ikes ikes;
	struct initiations initiations;
};

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* ------------------------------------------------------------------------ jobs */

static void job_start(struct source *source, enum job job, const char *command)
{
	source->job = job;
	source->deadline = now_ms() + ANSWER_MS;
	if (vici_send(source->vici, VICI_CMD_REQUEST, command, NULL))
		source->broken = true;
}

static const char *const events[] = {
	"ike-updown", "ike-rekey", "child-updown", "child-rekey",
	"list-sa", "list-conn", "list-cert",
	/* not every version has it; xfrm tells too */
	"ike-update",
};

#define EVENTS (sizeof(events) / sizeof(events[0]))
#define EVENTS_NEEDED 7

static void register_next(struct source *source)
{
	source->job = JOB_REGISTER;
	source->deadline = now_ms() + ANSWER_MS;
	if (vici_send(source->vici, VICI_EVENT_REGISTER, events[source->registered], NULL))
		source->broken = true;
}

static void list_begin(struct source *source)
{
	source->want_list = false;
	ikes_list_begin(&source->ikes);
	job_start(source, JOB_SAS, "list-sas");
}

/* Whether there are IKE SAs to be asked about. */
static bool evidence_begin(struct source *source)
{
	struct ikes *ikes = &source->ikes;
	bool any = false;
	struct ike *ike;

	if (!ikes->waiting)
		return false;
	ikes->waiting = false;
	for (ike = ikes_first(ikes); ike; ike = ikes_next(ikes, ike)) {
		ike->asked = !ike->identity && ike->child;
		any |= ike->asked;
	}
	if (any)
		job_start(source, JOB_CONNECTIONS, "list-conns");
	return any;
}

static void evidence_end(struct source *source)
{
	struct ike *ike;

	for (ike = ikes_first(&source->ikes); ike; ike = ikes_next(&source->ikes, ike))
		if (ike->asked && !ike->identity)
			ike_identify(ike, source->config);
	evidence_clear();
}

/* Whether requests are to be dealt with. */
static bool choice_begin(struct source *source)
{
	if (!source->want_choice || source->choice_not_before > now_ms())
		return false;
	source->want_choice = false;
	if (!requests_ask(SOURCE_STRONGSWAN))
		return false;
	source->choice_began = now_ms();
	job_start(source, JOB_CHOICE, "list-conns");
	return true;
}

static enum ipsec_request_reason pick(void *data, const struct request *request,
				      struct target *target)
{
	const struct source *source = data;

	return choice_pick(source->config, request, target);
}

static void choice_end(struct source *source)
{
	int64_t ms = (now_ms() - source->choice_began) * REST_TIMES;

	source->choice_not_before = now_ms() + (ms < REST_LAST_MS ? ms : REST_LAST_MS);
	requests_choose(SOURCE_STRONGSWAN, pick, source);
	choice_clear();
}

static void job_next(struct source *source)
{
	if (source->broken || source->job != JOB_NONE)
		return;
	if (source->want_list)
		list_begin(source);
	else if (!evidence_begin(source) && !choice_begin(source))
		source->deadline = INT64_MAX;
}

static void job_done(struct source *source)
{
	enum job job = source->job;

	source->job = JOB_NONE;
	switch (job) {
	case JOB_SAS:
		ikes_list_end(&source->ikes, source->config);
		break;
	case JOB_CONNECTIONS:
		job_start(source, JOB_CERTIFICATES, "list-certs");
		return;
	case JOB_CERTIFICATES:
		evidence_end(source);
		break;
	case JOB_CHOICE:
		choice_end(source);
		break;
	case JOB_NONE:
	case JOB_REGISTER:
		source->broken = true;
		return;
	}
	job_next(source);
}

static void register_done(struct source *source, bool confirmed)
{
	if (!confirmed && source->registered < EVENTS_NEEDED) {
		log_event(LOG_LEVEL_ERROR, "strongswan: charon has no event %s",
			  events[source->registered]);
		source->broken = true;
		return;
	}
	if (++source->registered < EVENTS) {
		register_next(source);
		return;
	}
	log_event(LOG_LEVEL_NOTICE, "strongswan: connected to %s",
		  source->config->strongswan_socket);
	source->failing = false;
	source->retry_ms = RETRY_FIRST_MS;
	source->job = JOB_NONE;
	job_next(source);
}

/* ---------------------------------------------------------------------- events */

/* The one section in the root of a message; beside it there may be values. */
static const struct vici_node *only_section(const struct vici_message *message)
{
	const struct vici_node *node = message->root.first;

	while (node && node->type != VICI_SECTION_START)
		node = node->next;
	return node;
}

static void event_list_sa(struct source *source, const struct vici_node *section)
{
	struct ike *ike = ike_read(&source->ikes, section->name, section);
	const struct vici_node *children = vici_section(section, "child-sas"), *node;

	for (node = ike && children ? children->first : NULL; node; node = node->next)
		if (node->type == VICI_SECTION_START)
			child_read(&source->ikes, ike, node->name, node);
}

static void event_child_updown(struct source *source, const struct vici_node *section, bool up)
{
	const struct vici_node *children = vici_section(section, "child-sas");
	struct child *child;
	struct ike *ike;
	uint32_t id;

	if (!children || !children->first)
		return;
	if (up) {
		ike = ike_read(&source->ikes, section->name, section);
		child = ike ? child_read(&source->ikes, ike, children->first->name,
					 children->first) : NULL;
		if (child && ike->identity)
			child_identify(ike, child);
	} else if (vici_number(section, "uniqueid", 10, &id)) {
		ike = ike_find(&source->ikes, id);
		if (ike)
			child_remove(ike, children->first);
	}
}

static void event_child_rekey(struct source *source, const struct vici_node *section)
{
	struct ike *ike = ike_read(&source->ikes, section->name, section);
	const struct vici_node *children = vici_section(section, "child-sas");
	const struct vici_node *new;
	struct child *child;

	if (!ike || !children || !children->first)
		return;
	/* the former one is in use for a while, and goes when xfrm says so */
	child_remove(ike, vici_section(children->first, "old"));
	new = vici_section(children->first, "new");
	child = new ? child_read(&source->ikes, ike, children->first->name, new) : NULL;
	if (child && ike->identity)
		child_identify(ike, child);
}

static void event_ike_updown(struct source *source, const struct vici_node *section, bool up)
{
	uint32_t id;

	if (up)
		ike_read(&source->ikes, section->name, section);
	else if (vici_number(section, "uniqueid", 10, &id))
		ike_remove(&source->ikes, id);
}

/* The new one has the CHILD SAs of the old one, and its proof. */
static void event_ike_rekey(struct source *source, const struct vici_node *section)
{
	const struct vici_node *old_section = vici_section(section, "old");
	const struct vici_node *new_section = vici_section(section, "new");
	struct ike *old = NULL, *new;
	uint32_t id;

	if (!new_section)
		return;
	new = ike_read(&source->ikes, section->name, new_section);
	if (vici_number(old_section, "uniqueid", 10, &id))
		old = ike_find(&source->ikes, id);
	if (!new || !old || new == old) {
		source->want_list = true;
		return;
	}
	ike_replace(&source->ikes, old, new);
}

static void event(struct source *source, const char *name, const struct vici_message *message)
{
	const struct vici_node *section = only_section(message);
	bool up = same(vici_string(&message->root, "up"), "yes");

	log_event(LOG_LEVEL_DEBUG, "strongswan: %s %s", name, section ? section->name : "");
	if (!strcmp(name, "list-conn") && source->job == JOB_CHOICE)
		choice_connection(message);
	else if (!strcmp(name, "list-conn"))
		evidence_connection(message);
	else if (!strcmp(name, "list-cert"))
		evidence_certificate(message);
	else if (!section)
		return;
	else if (!strcmp(name, "list-sa"))
		event_list_sa(source, section);
	else if (!strcmp(name, "child-updown"))
		event_child_updown(source, section, up);
	else if (!strcmp(name, "child-rekey"))
		event_child_rekey(source, section);
	else if (!strcmp(name, "ike-updown"))
		event_ike_updown(source, section, up);
	else if (!strcmp(name, "ike-rekey"))
		event_ike_rekey(source, section);
	else if (!strcmp(name, "ike-update"))
		source->want_list = true;
}

static void packet(enum vici_packet type, const char *name, const struct vici_message *message,
		   void *data)
{
	struct source *source = data;

	if (source->broken)
		return;
	switch (type) {
	case VICI_EVENT:
		event(source, name, message);
		break;
	case VICI_CMD_RESPONSE:
		job_done(source);
		break;
	case VICI_EVENT_CONFIRM:
	case VICI_EVENT_UNKNOWN:
		if (source->job == JOB_REGISTER)
			register_done(source, type == VICI_EVENT_CONFIRM);
		else
			source->broken = true;
		break;
	default:
		log_event(LOG_LEVEL_ERROR, "strongswan: charon lacks a command");
		source->broken = true;
	}
	/* an answer to what was just asked cannot be here yet */
	job_next(source);
}

/* ------------------------------------------------------------------ connection */

/* The SAs stay as they are: they live in the kernel, not in charon. */
static void disconnect(struct source *source)
{
	vici_disconnect(source->vici);
	source->vici = NULL;
	source->broken = false;
	source->job = JOB_NONE;
	evidence_clear();
	choice_clear();
	/* numbers mean something else in another process */
	ikes_clear(&source->ikes);
	requests_lost(SOURCE_STRONGSWAN, "charon has ended, or does not answer");
	initiations_clear(&source->initiations);
	source->deadline = now_ms() + source->retry_ms;
	source->retry_ms = source->retry_ms * 2 < RETRY_LAST_MS ?
			   source->retry_ms * 2 : RETRY_LAST_MS;
}

static void connect_now(struct source *source)
{
	source->vici = vici_connect(source->config->strongswan_socket, source->epoll, packet,
				    source);
	if (!source->vici) {
		if (!source->failing)
			log_event(LOG_LEVEL_NOTICE, "strongswan: waiting for %s: %m",
				  source->config->strongswan_socket);
		source->failing = true;
		disconnect(source);
		return;
	}
	source->registered = 0;
	source->want_list = true;
	register_next(source);
}

static void initiation_end(const struct target *target, enum ipsec_request_reason reason,
			   const char *text)
{
	requests_ended(SOURCE_STRONGSWAN, target, reason, text);
}

static bool strongswan_wanted(const struct config *config)
{
	return config->strongswan;
}

static struct source *strongswan_open(const struct config *config)
{
	struct source *source = xcalloc(1, sizeof(*source));

	source->config = config;
	source->retry_ms = RETRY_FIRST_MS;
	source->initiations.ikes = &source->ikes;
	source->initiations.end = initiation_end;
	source->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (source->epoll < 0) {
		log_event(LOG_LEVEL_ERROR, "strongswan: epoll: %m");
		exit(EXIT_FAILURE);
	}
	connect_now(source);
	return source;
}

static void strongswan_close(struct source *source)
{
	disconnect(source);
	close(source->epoll);
	free(source);
}

static void strongswan_reload(struct source *source, const struct config *config)
{
	bool moved = !same(source->config->strongswan_socket, config->strongswan_socket);

	source->config = config;
	if (moved) {
		source->retry_ms = RETRY_FIRST_MS;
		source->failing = false;
		disconnect(source);
		source->deadline = now_ms();
	}
}

static int strongswan_fd(const struct source *source)
{
	return source->epoll;
}

static short strongswan_events(const struct source *source)
{
	(void)source;
	return POLLIN;
}

static void strongswan_ready(struct source *source)
{
	struct vici_connection *ready = vici_ready(source->epoll);
	int err;

	if (!ready || initiations_process(&source->initiations, ready))
		return;
	err = vici_process(source->vici);
	if (!err && source->broken)
		err = -EPROTO;
	if (!err) {
		initiations_look(&source->initiations);
		return;
	}
	log_event(LOG_LEVEL_WARNING, "strongswan: connection lost: %s", strerror(-err));
	disconnect(source);
}

static int64_t strongswan_deadline(const struct source *source)
{
	int64_t deadline = initiations_deadline(&source->initiations);

	if (source->want_choice && source->vici && source->job == JOB_NONE &&
	    source->choice_not_before < deadline)
		deadline = source->choice_not_before;
	return source->deadline < deadline ? source->deadline : deadline;
}

static void strongswan_tick(struct source *source)
{
	initiations_tick(&source->initiations);
	if (source->vici)
		job_next(source);
	if (source->deadline > now_ms())
		return;
	if (!source->vici) {
		connect_now(source);
		return;
	}
	log_event(LOG_LEVEL_WARNING, "strongswan: charon does not answer");
	disconnect(source);
}

static void strongswan_resync(struct source *source)
{
	source->want_list = true;
	if (source->vici)
		job_next(source);
}

/* -------------------------------------------------------------------- requests */

static const char *strongswan_choose(struct source *source)
{
	if (!source->vici || source->failing)
		return "charon cannot be reached";
	source->want_choice = true;
	job_next(source);
	return NULL;
}

static void strongswan_negotiate(struct source *source, const struct target *target,
				 uint32_t timeout_ms)
{
	int err = source->vici ? initiation_begin(&source->initiations,
						  source->config->strongswan_socket,
						  source->epoll, target, timeout_ms) : -ENOTCONN;

	if (err)
		initiation_end(target, IPSEC_REQUEST_REASON_NO_SA, "charon cannot be reached");
}

const struct source_ops strongswan_source = {
	.name = STRONGSWAN_NAME,
	.wanted = strongswan_wanted,
	.open = strongswan_open,
	.close = strongswan_close,
	.reload = strongswan_reload,
	.fd = strongswan_fd,
	.events = strongswan_events,
	.ready = strongswan_ready,
	.deadline = strongswan_deadline,
	.tick = strongswan_tick,
	.resync = strongswan_resync,
	.choose = strongswan_choose,
	.negotiate = strongswan_negotiate,
};
