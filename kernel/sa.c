// SPDX-License-Identifier: GPL-2.0-only
/*
 * Security associations: what one is, as a part of a protection, and what
 * xfrm's key manager interface tells of their coming and going.
 *
 * Nothing here mirrors the SAD. Events of the key manager only say when to
 * look, because they do not tell of every change (a device that goes down
 * takes its SAs along in silence); the state itself is what is asked.
 */
#include <linux/export.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/xfrm.h>

#include "algorithm.h"
#include "context.h"
#include "event.h"
#include "handshake.h"
#include "netns.h"
#include "reaper.h"
#include "sa.h"

static void address_copy(xfrm_address_t *to, const xfrm_address_t *from, u16 family)
{
	/* of an IPv4 address, xfrm leaves the other twelve bytes as they came */
	if (family == AF_INET)
		to->a4 = from->a4;
	else
		*to = *from;
}

static void selector_copy(struct xfrm_selector *to, const struct xfrm_selector *from,
			  enum ipsec_direction direction)
{
	if (direction == IPSEC_DIRECTION_IN) {
		address_copy(&to->daddr, &from->daddr, from->family);
		address_copy(&to->saddr, &from->saddr, from->family);
		to->dport = from->dport;
		to->dport_mask = from->dport_mask;
		to->sport = from->sport;
		to->sport_mask = from->sport_mask;
		to->prefixlen_d = from->prefixlen_d;
		to->prefixlen_s = from->prefixlen_s;
	} else {
		address_copy(&to->daddr, &from->saddr, from->family);
		address_copy(&to->saddr, &from->daddr, from->family);
		to->dport = from->sport;
		to->dport_mask = from->sport_mask;
		to->sport = from->dport;
		to->sport_mask = from->dport_mask;
		to->prefixlen_d = from->prefixlen_s;
		to->prefixlen_s = from->prefixlen_d;
	}
	to->family = from->family;
	to->proto = from->proto;
	to->ifindex = from->ifindex;
}

/**
 * ipsec_sa_describe - describe one SA as part of a protection
 * @sa: where to; all of it is written
 * @x: the SA
 * @direction: which way it is used
 *
 * Context: any; the caller holds a reference on @x. All that is read of @x is
 * set before it can be found and stays until it is freed.
 */
void ipsec_sa_describe(struct ipsec_sa *sa, const struct xfrm_state *x,
		       enum ipsec_direction direction)
{
	struct ipsec_sa_key *key = &sa->key;
	struct ipsec_sa_seen *seen = &sa->seen;
	const xfrm_address_t *local, *peer;

	BUILD_BUG_ON(sizeof(*key) != 2 * sizeof(xfrm_address_t) +
				     sizeof(struct xfrm_selector) + 24);

	if (direction == IPSEC_DIRECTION_IN) {
		local = &x->id.daddr;
		peer = &x->props.saddr;
	} else {
		local = &x->props.saddr;
		peer = &x->id.daddr;
	}

	memset(sa, 0, sizeof(*sa));
	address_copy(&key->local, local, x->props.family);
	address_copy(&key->peer, peer, x->props.family);
	selector_copy(&key->selector, &x->sel, direction);
	key->reqid = x->props.reqid;
	key->mark = x->mark;
	key->if_id = x->if_id;
	key->family = x->props.family;
	key->proto = x->id.proto;
	key->mode = x->props.mode;

	if (x->aead) {
		seen->ealg = ipsec_algorithm_find_sa(x->aead->alg_name,
						     IPSEC_ALGORITHM_AEAD);
		seen->ealg_bits = x->aead->alg_key_len -
				  ipsec_algorithm(seen->ealg)->salt_bits;
		seen->icv_bits = x->aead->alg_icv_len;
	} else if (x->ealg) {
		seen->ealg = ipsec_algorithm_find_sa(x->ealg->alg_name,
						     IPSEC_ALGORITHM_ENCRYPTION);
		seen->ealg_bits = x->ealg->alg_key_len -
				  ipsec_algorithm(seen->ealg)->salt_bits;
	}
	if (x->aalg) {
		seen->aalg = ipsec_algorithm_find_sa(x->aalg->alg_name,
						     IPSEC_ALGORITHM_AUTHENTICATION);
		seen->aalg_bits = x->aalg->alg_key_len;
		seen->icv_bits = x->aalg->alg_trunc_len;
	}
	seen->ealg_sadb = x->props.ealgo;
	seen->aalg_sadb = x->props.aalgo;
	seen->esn = x->props.flags & XFRM_STATE_ESN;
	sa->used = BIT_ULL(seen->ealg) | BIT_ULL(seen->aalg);

	key->encrypts = ipsec_algorithm_encrypts(seen->ealg);
	key->authenticates = ipsec_algorithm_authenticates(seen->ealg) ||
			     ipsec_algorithm_authenticates(seen->aalg);
}

/*
 * Whether all algorithms of one kind that SAs have used in this place are
 * trusted: a packet may have come under any of them.
 */
static bool sa_trusted(const struct ipsec_sa *sa, u64 trusted, bool (*kind)(u8 index))
{
	u64 distrusted = sa->used & ~trusted;

	while (distrusted) {
		u8 index = __ffs64(distrusted);

		if (kind(index))
			return false;
		distrusted &= distrusted - 1;
	}
	return true;
}

/**
 * ipsec_sa_privacy - does this SA hide what is sent, as far as is trusted
 * @sa: the SA
 * @trusted: set of trusted algorithms
 *
 * Return: whether it does.
 */
bool ipsec_sa_privacy(const struct ipsec_sa *sa, u64 trusted)
{
	return sa->key.encrypts && sa_trusted(sa, trusted, ipsec_algorithm_encrypts);
}

/**
 * ipsec_sa_integrity - does this SA notice forgery, as far as is trusted
 * @sa: the SA
 * @trusted: set of trusted algorithms
 *
 * Return: whether it does.
 */
bool ipsec_sa_integrity(const struct ipsec_sa *sa, u64 trusted)
{
	return sa->key.authenticates &&
	       sa_trusted(sa, trusted, ipsec_algorithm_authenticates);
}

/**
 * ipsec_sa_valid - can packets still come under this SA
 * @x: the SA, with a reference held
 *
 * Return: whether they can. An answer of "no" is final.
 */
bool ipsec_sa_valid(const struct xfrm_state *x)
{
	return READ_ONCE(x->km.state) == XFRM_STATE_VALID;
}

/**
 * ipsec_sa_as_good - do two SAs protect equally well, as far as is trusted
 * @a: an SA
 * @b: another one
 * @trusted: set of trusted algorithms
 *
 * Return: whether they do.
 */
bool ipsec_sa_as_good(const struct ipsec_sa *a, const struct ipsec_sa *b, u64 trusted)
{
	return ipsec_sa_privacy(a, trusted) == ipsec_sa_privacy(b, trusted) &&
	       ipsec_sa_integrity(a, trusted) == ipsec_sa_integrity(b, trusted);
}

/* The newest live SA that agrees in all that the SAD is indexed by, with a reference. */
static struct xfrm_state *sa_newest(struct net *net, const struct ipsec_sa_key *key,
				    enum ipsec_direction direction)
{
	xfrm_address_t local = key->local, peer = key->peer;
	bool in = direction == IPSEC_DIRECTION_IN;

	return xfrm_stateonly_find(net, key->mark.v, key->if_id, in ? &local : &peer,
				   in ? &peer : &local, key->family, key->mode,
				   key->proto, key->reqid);
}

/**
 * ipsec_sa_find - find a live SA that stands for this part of a protection
 * @net: where
 * @like: what it must agree with
 * @trusted: set of trusted algorithms
 * @direction: which way it is used
 *
 * Context: process or softirq context; takes xfrm_state_lock.
 * Return: the newest such SA with a reference, or NULL. Where SAs agree in all
 * but their selectors or algorithms, only the newest of them is looked at.
 */
struct xfrm_state *ipsec_sa_find(struct net *net, const struct ipsec_sa *like, u64 trusted,
				 enum ipsec_direction direction)
{
	struct xfrm_state *x = sa_newest(net, &like->key, direction);
	struct ipsec_sa sa;

	if (!x)
		return NULL;
	ipsec_sa_describe(&sa, x, direction);
	if (!memcmp(&sa.key, &like->key, sizeof(sa.key)) &&
	    ipsec_sa_as_good(&sa, like, trusted))
		return x;
	xfrm_state_put(x);
	return NULL;
}

/**
 * ipsec_sa_possible - may there be an SA that stands for this part of a protection
 * @net: where
 * @like: what it must agree with
 * @direction: which way it is used
 *
 * Context: process or softirq context; takes xfrm_state_lock.
 * Return: false if there is none for sure; true also if there is one that differs in
 * selectors or algorithms, behind which the SAD hides what is older.
 */
bool ipsec_sa_possible(struct net *net, const struct ipsec_sa *like,
		       enum ipsec_direction direction)
{
	struct xfrm_state *x = sa_newest(net, &like->key, direction);

	if (x)
		xfrm_state_put(x);
	return x;
}

/**
 * ipsec_sa_find_ipcomp - find a live IPComp SA that goes with an SA
 * @net: where
 * @key: the ESP or AH SA
 * @direction: which way it is used
 *
 * Context: process or softirq context; takes xfrm_state_lock.
 * Return: an IPComp SA between the same addresses with the same reqid, mark
 * and interface, in whatever mode, with a reference; or NULL.
 */
struct xfrm_state *ipsec_sa_find_ipcomp(struct net *net,
					const struct ipsec_sa_key *key,
					enum ipsec_direction direction)
{
	static const u8 modes[] = { XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL };
	xfrm_address_t local = key->local, peer = key->peer;
	bool in = direction == IPSEC_DIRECTION_IN;
	struct xfrm_state *x;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		x = xfrm_stateonly_find(net, key->mark.v, key->if_id,
					in ? &local : &peer, in ? &peer : &local,
					key->family, modes[i], IPPROTO_COMP,
					key->reqid);
		if (x)
			return x;
	}
	return NULL;
}

/* Called under RCU, for an expiry with x->lock held: nothing here may sleep. */
static int sa_notify(struct xfrm_state *x, const struct km_event *c)
{
	/* an expiry names no namespace, a flush no SA */
	struct ipsec_net *in = ipsec_net(x ? xs_net(x) : c->net);

	switch (c->event) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		ipsec_handshake_watch(in);
		break;
	case XFRM_MSG_EXPIRE:
		if (!c->data.hard)
			return 0;
		fallthrough;
	case XFRM_MSG_DELSA:
		if (x->curlft.use_time)
			ipsec_handshake_missed(in);
		ipsec_reaper_soon(in);
		break;
	case XFRM_MSG_FLUSHSA:
		/* which of them were in use can't be told any more */
		ipsec_handshake_missed(in);
		ipsec_reaper_soon(in);
		break;
	default:
		return 0;
	}
	if (READ_ONCE(in->context_count))
		ipsec_event_changed(in);
	return 0;
}

static int sa_acquire(struct xfrm_state *x, struct xfrm_tmpl *tmpl,
		      struct xfrm_policy *policy)
{
	return -EINVAL;	/* not ours to negotiate */
}

static struct xfrm_policy *sa_compile_policy(struct sock *sk, int opt, u8 *data,
					     int len, int *dir)
{
	return NULL;	/* *dir keeps the error of whoever was asked before */
}

static int sa_migrate(const struct xfrm_selector *sel, u8 dir, u8 type,
		      const struct xfrm_migrate *m, int num_bundles,
		      const struct xfrm_kmaddress *k, struct net *net,
		      const struct xfrm_encap_tmpl *encap)
{
	struct ipsec_net *in = ipsec_net(net);

	/* the old ones, which may have been in use, have gone */
	ipsec_handshake_missed(in);
	ipsec_reaper_soon(in);
	if (READ_ONCE(in->context_count))
		ipsec_event_changed(in);
	return -EOPNOTSUPP;	/* nobody was told by this */
}

static bool sa_is_alive(const struct km_event *c)
{
	return false;	/* no keying daemon behind this one */
}

static struct xfrm_mgr sa_manager = {
	.notify = sa_notify,
	.acquire = sa_acquire,
	.compile_policy = sa_compile_policy,
	.migrate = sa_migrate,
	.is_alive = sa_is_alive,
};

/* A device takes the SAs that it offloads along without a word. */
static int sa_device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct ipsec_net *in = ipsec_net(dev_net(dev));

	if ((event == NETDEV_DOWN || event == NETDEV_UNREGISTER) &&
	    (dev->features & NETIF_F_HW_ESP)) {
		ipsec_handshake_missed(in);
		ipsec_reaper_soon(in);
	}
	return NOTIFY_DONE;
}

static struct notifier_block sa_device_notifier = {
	.notifier_call = sa_device_event,
	.priority = 1,	/* before xfrm's, which takes them */
};

/**
 * ipsec_sa_init - begin to hear of SAs that come and go
 *
 * Context: process context. ipsec_netns_init() has been called.
 * Return: 0 or a negative errno.
 */
int ipsec_sa_init(void)
{
	int err;

	err = register_netdevice_notifier(&sa_device_notifier);
	if (err)
		return err;
	xfrm_register_km(&sa_manager);
	return 0;
}

/**
 * ipsec_sa_exit - stop hearing of SAs
 *
 * Context: process context, may sleep. No call-back runs when it returns.
 */
void ipsec_sa_exit(void)
{
	xfrm_unregister_km(&sa_manager);
	unregister_netdevice_notifier(&sa_device_notifier);
	synchronize_rcu();
}
