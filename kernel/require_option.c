// SPDX-License-Identifier: GPL-2.0-only
/*
 * What applications require of sockets: they set it, read it back, and ask why it is
 * not met.
 */
#include <linux/ipsec_token.h>
#include <linux/slab.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "handshake.h"
#include "netns.h"
#include "request.h"
#include "require.h"
#include "udp.h"

/* Under the socket's lock. */
static int may_change(const struct sock *sk, const struct ipsec_required *required)
{
	if (required && required->accepted)
		return -EPERM;
	if (ipsec_required_tcp(sk) && sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN)
		/* what was accepted has its listener's backlog, which others have not */
		return sk->sk_state != TCP_SYN_SENT && sk->sk_max_ack_backlog ? -EPERM : -EISCONN;
	if (ipsec_required_tcp(sk))
		return 0;
	return sk->sk_state == TCP_ESTABLISHED ? -EISCONN : 0;
}

static bool requires_nothing(const struct ipsec_required *required)
{
	unsigned int i;

	for (i = 0; i < IPSEC_REQUIRED_MAX; i++)
		if (required->request[i])
			return false;
	return true;
}

/* Under RCU. @request is handed over if it succeeds. */
static int required_change(struct ipsec_net *in, struct sock *sk,
			   struct ipsec_required *required, struct ipsec_request *request)
{
	struct ipsec_request *old = required->request[0];

	WRITE_ONCE(required->request[0], request);
	WRITE_ONCE(required->met[0], 0);
	WRITE_ONCE(required->met[1], 0);
	WRITE_ONCE(required->state, IPSEC_REQUEST_SET);
	ipsec_request_put(old);
	if (requires_nothing(required)) {
		ipsec_required_gone(in, sk);
		if (!ipsec_required_tcp(sk))
			ipsec_udp_unguard(sk);
	}
	return 0;
}

/* Under the socket's lock. @fresh and @request are handed over if it succeeds. */
static int require_set(struct ipsec_net *in, struct sock *sk, struct ipsec_required *fresh,
		       struct ipsec_request *request)
{
	struct ipsec_required *required;
	int err;

	rcu_read_lock();
	required = ipsec_required_of(in, sk);
	if (IS_ERR(required)) {
		err = PTR_ERR(required);
	} else {
		err = may_change(sk, required);
		if (!err && required) {
			err = required_change(in, sk, required, request);
			ipsec_required_drop(fresh);
		} else if (!err && !request) {
			ipsec_required_drop(fresh);
		} else if (!err) {
			fresh->request[0] = request;
			err = ipsec_required_add(in, fresh, sk, GFP_ATOMIC);
			if (err)
				fresh->request[0] = NULL;
		}
	}
	rcu_read_unlock();
	return err;
}

/**
 * ipsec_require_set - what an application requires of a socket
 * @sk: any socket
 * @arg: a stream of enum ipsec_request_attr
 * @len: its size, 0: nothing any more
 *
 * Context: process context, may sleep; takes the socket's lock.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP; -EISCONN if it is connected
 * or about to be; -EPERM if it was accepted; -EINVAL if it is not understood, or
 * too large; -EBUSY if something else handles the receiving of the datagram socket;
 * -EFAULT; -ENOMEM.
 */
int ipsec_require_set(struct sock *sk, sockptr_t arg, unsigned int len)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_request *request = NULL;
	struct ipsec_required *fresh;
	void *attributes;
	int err;

	if (!ipsec_required_supported(sk))
		return -EOPNOTSUPP;
	if (len > IPSEC_REQUEST_MAX_SIZE)
		return -EINVAL;
	if (len) {
		attributes = memdup_sockptr(arg, len);
		if (IS_ERR(attributes))
			return PTR_ERR(attributes);
		request = ipsec_request_create(attributes, len, NULL);
		kfree(attributes);
		if (IS_ERR(request))
			return PTR_ERR(request);
	}
	err = -ENOMEM;
	fresh = ipsec_required_alloc(GFP_KERNEL_ACCOUNT);
	if (!fresh)
		goto put;
	err = ipsec_handshake_watch_now(in);
	if (!err) {
		ipsec_require_use();
		lock_sock(sk);
		err = require_set(in, sk, fresh, request);
		release_sock(sk);
	}
	if (!err)
		return 0;
	ipsec_required_drop(fresh);
put:
	ipsec_request_put(request);
	return err;
}

/**
 * ipsec_require_get - what is required of a socket
 * @sk: any socket
 * @user: where to put the attributes: its own, or else those of its control group
 * @len: room there; set to what was put, 0: nothing is required
 *
 * Context: process context, may sleep.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP; -EINVAL without room;
 * -EFAULT.
 */
int ipsec_require_get(struct sock *sk, void __user *user, int *len)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_request *request = NULL;
	struct ipsec_required *required;
	unsigned int i;
	int err = 0;

	if (!ipsec_required_supported(sk))
		return -EOPNOTSUPP;
	if (*len < 0)
		return -EINVAL;
	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	for (i = 0; required && !request && i < IPSEC_REQUIRED_MAX; i++) {
		request = READ_ONCE(required->request[i]);
		if (request && !refcount_inc_not_zero(&request->refs))
			request = NULL;
	}
	rcu_read_unlock();
	if (!request) {
		*len = 0;
		return 0;
	}
	if (*len < request->size)
		err = -EINVAL;
	else if (copy_to_user(user, request->attributes, request->size))
		err = -EFAULT;
	else
		*len = request->size;
	ipsec_request_put(request);
	return err;
}

/**
 * ipsec_require_status - how what is required of a socket is met, or why not
 * @sk: any socket
 * @status: the answer
 *
 * Context: process context.
 * Return: 0; -EOPNOTSUPP if it is neither TCP nor UDP.
 */
int ipsec_require_status(struct sock *sk, struct ipsec_request_status *status)
{
	struct ipsec_net *in = ipsec_net(sock_net(sk));
	struct ipsec_required *required;

	memset(status, 0, sizeof(*status));
	if (!ipsec_required_supported(sk))
		return -EOPNOTSUPP;
	rcu_read_lock();
	required = ipsec_required_find(in, sk);
	if (required) {
		status->state = READ_ONCE(required->state);
		if (!ipsec_required_tcp(sk) && READ_ONCE(required->negotiation))
			status->state = IPSEC_REQUEST_PENDING;
		status->reason = READ_ONCE(required->reason);
		status->refused_in = READ_ONCE(required->refused_in);
		status->refused_out = READ_ONCE(required->refused_out);
		spin_lock_bh(&required->lock);
		if (required->text)
			strscpy(status->text, required->text, sizeof(status->text));
		spin_unlock_bh(&required->lock);
	}
	rcu_read_unlock();
	return 0;
}
