// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of control groups: they hold for every socket that was made in the group,
 * or in one below it. That is how programs are held to a request that know nothing
 * of requests, with all their threads and children.
 *
 * Who may set one is who owns the group and is part of it. A request can't be
 * changed or taken back: it goes with the group. It holds the module.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "handshake.h"
#include "request.h"
#include "request_cgroup.h"
#include "require.h"

/* for one user */
#define MAX_CGROUPS	64

/* how often to look for groups that have gone */
#define REAP_INTERVAL	(10 * HZ)

/**
 * struct group - a control group with a request
 * @list: in groups, RCU
 * @cgroup: with a reference
 * @request: likewise
 * @uid: who set it
 * @rcu: frees it
 */
struct group {
	struct list_head list;
	struct cgroup *cgroup;
	struct ipsec_request *request;
	kuid_t uid;
	struct rcu_head rcu;
};

atomic_t ipsec_request_cgroups = ATOMIC_INIT(0);

static LIST_HEAD(groups);
static DEFINE_MUTEX(groups_mutex);

static void groups_reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reap_work, groups_reap);

/**
 * ipsec_request_cgroup_of - which requests does a socket have from control groups
 * @sk: the socket
 * @request: set to them, each with a reference; room for IPSEC_REQUEST_CGROUP_DEPTH
 *
 * Context: under RCU.
 * Return: how many.
 */
unsigned int ipsec_request_cgroup_of(const struct sock *sk, struct ipsec_request **request)
{
	struct cgroup *cgroup = sock_cgroup_ptr((struct sock_cgroup_data *)&sk->sk_cgrp_data);
	const struct group *group;
	unsigned int count = 0;

	list_for_each_entry_rcu(group, &groups, list) {
		if (!cgroup_is_descendant(cgroup, group->cgroup))
			continue;
		if (WARN_ON_ONCE(count == IPSEC_REQUEST_CGROUP_DEPTH))
			break;
		request[count++] = ipsec_request_get(group->request);
	}
	return count;
}

static void group_free_rcu(struct rcu_head *rcu)
{
	struct group *group = container_of(rcu, struct group, rcu);

	cgroup_put(group->cgroup);
	ipsec_request_put(group->request);
	kfree(group);
	module_put(THIS_MODULE);	/* ipsec_token_exit() has an rcu_barrier() */
}

static void groups_reap(struct work_struct *work)
{
	struct group *group, *after;

	mutex_lock(&groups_mutex);
	list_for_each_entry_safe(group, after, &groups, list) {
		if (group->cgroup->self.flags & CSS_ONLINE)
			continue;
		/* its sockets, if there are any left, have records of their own */
		list_del_rcu(&group->list);
		atomic_dec(&ipsec_request_cgroups);
		call_rcu(&group->rcu, group_free_rcu);
	}
	if (!list_empty(&groups))
		schedule_delayed_work(&reap_work, REAP_INTERVAL);
	mutex_unlock(&groups_mutex);
}

/* Is the caller part of the group? */
static bool is_inside(struct cgroup *cgroup)
{
	bool inside;

	rcu_read_lock();
	inside = cgroup_is_descendant(task_dfl_cgroup(current), cgroup);
	rcu_read_unlock();
	return inside;
}

/* What the caller has put there meanwhile in place of @cgroup does not count. */
static bool is_owner(int fd, const struct cgroup *cgroup)
{
	struct fd f = fdget(fd);
	bool owner;

	if (!f.file)
		return false;
	owner = file_inode(f.file)->i_private == cgroup->kn &&
		inode_owner_or_capable(file_mnt_user_ns(f.file), file_inode(f.file));
	fdput(f);
	return owner;
}

/* Under the mutex. */
static int may_add(const struct cgroup *cgroup, const struct ipsec_request *request,
		   struct netlink_ext_ack *extack)
{
	unsigned int above = 0, below = 0, of_user = 0;
	const struct group *group;

	list_for_each_entry(group, &groups, list) {
		of_user += uid_eq(group->uid, current_uid());
		if (group->cgroup == cgroup) {
			if (ipsec_request_equal(group->request, request))
				return -EALREADY;
			NL_SET_ERR_MSG(extack, "the control group has another request");
			return -EEXIST;
		}
		above += cgroup_is_descendant((struct cgroup *)cgroup, group->cgroup);
		below += cgroup_is_descendant(group->cgroup, (struct cgroup *)cgroup);
	}
	if (below) {
		NL_SET_ERR_MSG(extack, "a control group below it has a request already");
		return -EEXIST;
	}
	if (above >= IPSEC_REQUEST_CGROUP_DEPTH) {
		NL_SET_ERR_MSG(extack, "too many control groups above it have requests");
		return -EDQUOT;
	}
	if (of_user >= MAX_CGROUPS) {
		NL_SET_ERR_MSG(extack, "the user has too many control groups with requests");
		return -EDQUOT;
	}
	return 0;
}

static int group_add(struct cgroup *cgroup, struct ipsec_request *request,
		     struct netlink_ext_ack *extack)
{
	struct group *group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	int err;

	if (!group)
		return -ENOMEM;
	mutex_lock(&groups_mutex);
	err = may_add(cgroup, request, extack);
	/* packets are looked at everywhere before it counts */
	if (!err)
		atomic_inc(&ipsec_request_cgroups);
	if (!err) {
		err = ipsec_handshake_watch_all();
		if (err) {
			NL_SET_ERR_MSG(extack, "packets cannot be watched");
			atomic_dec(&ipsec_request_cgroups);
		}
	}
	if (!err) {
		ipsec_require_use();
		__module_get(THIS_MODULE);
		cgroup_get(cgroup);
		group->cgroup = cgroup;
		group->request = ipsec_request_get(request);
		group->uid = current_uid();
		list_add_tail_rcu(&group->list, &groups);
		schedule_delayed_work(&reap_work, REAP_INTERVAL);
	} else {
		kfree(group);
	}
	mutex_unlock(&groups_mutex);
	return err == -EALREADY ? 0 : err;
}

/* Neither one that may yet fail to load, nor one that is about to go, can be held. */
static bool module_hold(void)
{
	return READ_ONCE(THIS_MODULE->state) == MODULE_STATE_LIVE && try_module_get(THIS_MODULE);
}

/**
 * ipsec_request_cgroup_set - require something of all sockets of a control group
 * @fd: of its directory
 * @request: what; the caller keeps its reference
 * @extack: for a message
 *
 * Context: process context of who asks, may sleep.
 * Return: 0, also if it has this very request already; -EBADF if it is no directory
 * of a control group of version 2; -EPERM if the caller does not own it, or is not
 * part of it; -EEXIST if it, or one below it, has another request; -EDQUOT if there
 * are too many; -EAGAIN while the module is being loaded or unloaded; -ENOMEM.
 */
int ipsec_request_cgroup_set(int fd, struct ipsec_request *request,
			     struct netlink_ext_ack *extack)
{
	struct cgroup *cgroup;
	int err;

	if (!module_hold()) {
		NL_SET_ERR_MSG(extack, "the module is being loaded or unloaded");
		return -EAGAIN;
	}
	cgroup = cgroup_get_from_fd(fd);
	if (IS_ERR(cgroup)) {
		NL_SET_ERR_MSG(extack, "not a directory of a control group (version 2)");
		err = PTR_ERR(cgroup);
		goto release;
	}
	if (!is_inside(cgroup)) {
		NL_SET_ERR_MSG(extack, "the caller is not part of the control group");
		err = -EPERM;
	} else if (!is_owner(fd, cgroup)) {
		NL_SET_ERR_MSG(extack, "the caller does not own the control group");
		err = -EPERM;
	} else {
		groups_reap(NULL);
		err = group_add(cgroup, request, extack);
	}
	cgroup_put(cgroup);
release:
	module_put(THIS_MODULE);
	return err;
}

/**
 * ipsec_request_cgroup_exit - no control group has a request any more
 *
 * Context: process context, may sleep. Each of them held the module, so none has.
 */
void ipsec_request_cgroup_exit(void)
{
	cancel_delayed_work_sync(&reap_work);
}
