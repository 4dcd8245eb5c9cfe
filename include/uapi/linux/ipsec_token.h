/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What protects this connection, or this datagram: the kernel ABI.
 *
 * Sizes and alignments are the same for 32-bit and 64-bit user space. The
 * generic-netlink messages are described in
 * Documentation/netlink/specs/ipsec_token.yaml, the use of all of it in
 * ipsec-token(7).
 */
#ifndef _UAPI_LINUX_IPSEC_TOKEN_H
#define _UAPI_LINUX_IPSEC_TOKEN_H

#include <linux/types.h>

/*
 * A protection token (pToken) is an opaque 64-bit handle. It means something
 * only to the process that got it, in the network namespace it came from.
 */
#define IPSEC_PTOKEN_NONE	0ULL		/* known to be unprotected */
#define IPSEC_PTOKEN_UNKNOWN	(~0ULL)		/* protection not known */

/*
 * Socket options, at SOL_IP on AF_INET sockets and at SOL_IP or SOL_IPV6 on
 * AF_INET6 sockets.
 *
 * IPSEC_SO_PTOKEN, getsockopt only, __u64: the pToken of a connected socket.
 * IPSEC_SO_RECVPTOKEN, int: deliver a pToken with every datagram.
 * IPSEC_SO_LATCH: getsockopt, struct ipsec_latch: what keeps a connection to its
 *	protection; setsockopt, __u32, IPSEC_LATCH_F_*: what to do.
 * IPSEC_SO_REQUEST: what an application requires of a socket: a stream of
 *	netlink attributes, enum ipsec_request_attr. Nothing passes that does not
 *	meet it. Set before connect(), or on a listener.
 * IPSEC_SO_REQUEST_STATUS, getsockopt only, struct ipsec_request_status: how it is
 *	met, or why it is not.
 */
#define IPSEC_SO_PTOKEN		0x5350
#define IPSEC_SO_RECVPTOKEN	0x5351
#define IPSEC_SO_LATCH		0x5352
#define IPSEC_SO_REQUEST	0x5353
#define IPSEC_SO_REQUEST_STATUS	0x5354

/*
 * Control message that comes with every datagram of a socket that set
 * IPSEC_SO_RECVPTOKEN: level SOL_IP on AF_INET sockets, SOL_IPV6 on AF_INET6
 * sockets (also for a datagram that came over IPv4), data one __u64.
 */
#define IPSEC_SCM_PTOKEN	IPSEC_SO_PTOKEN

/* States of a connection latch, RFC 5660 section 2.2. */
enum ipsec_latch_state {
	IPSEC_LATCH_NONE,		/* not latched */
	IPSEC_LATCH_LISTENER,
	IPSEC_LATCH_ESTABLISHED,
	IPSEC_LATCH_BROKEN,
	IPSEC_LATCH_CLOSED,
};

/* What did not match a latch. */
enum ipsec_latch_reason {
	IPSEC_LATCH_REASON_NONE,
	IPSEC_LATCH_REASON_IN_CLEAR,	/* came in clear */
	IPSEC_LATCH_REASON_IN_CONTEXT,	/* came under another context */
	IPSEC_LATCH_REASON_IN_UNKNOWN,	/* came under what is not known */
	IPSEC_LATCH_REASON_OUT_CLEAR,	/* would have left in clear */
	IPSEC_LATCH_REASON_OUT_CONTEXT,	/* would have left under another context */
	IPSEC_LATCH_REASON_OUT_UNKNOWN,	/* would have left under what is not known */

	__IPSEC_LATCH_REASON_MAX
};

#define IPSEC_LATCH_REASON_MAX (__IPSEC_LATCH_REASON_MAX - 1)

/*
 * A protected TCP connection is latched by itself. Without IPSEC_LATCH_F_RESET
 * a connection whose latch breaks stalls, and goes on when the right SA is back.
 */
#define IPSEC_LATCH_F_RESET	(1U << 0) /* ECONNRESET once the latch breaks */
#define IPSEC_LATCH_F_ON	(1U << 1) /* latch also one in clear, or UDP */

struct ipsec_latch {
	__u32 state;		/* enum ipsec_latch_state */
	__u32 flags;		/* IPSEC_LATCH_F_* */
	__u32 reason;		/* enum ipsec_latch_reason, of the last refusal */
	__u32 refused;		/* packets that did not match */
	__u64 now;		/* pToken: what holds now */
};

/* What is done with packets that do not match a latch, per network namespace. */
enum ipsec_latch_mode {
	IPSEC_LATCH_ENFORCE = 1,	/* dropped, counted and reported */
	IPSEC_LATCH_REPORT,		/* counted and reported */
	IPSEC_LATCH_OFF,		/* nothing */
};

/*
 * What is required. A request only adds to what the system's policy demands:
 * what is not required is not forbidden.
 */
#define IPSEC_REQUEST_F_PRIVACY		(1U << 0) /* trusted encryption */
#define IPSEC_REQUEST_F_INTEGRITY	(1U << 1) /* trusted authentication of data */
#define IPSEC_REQUEST_F_COMPRESSION	(1U << 2) /* IPComp is part of it */
#define IPSEC_REQUEST_F_NO_COMPRESSION	(1U << 3) /* IPComp is no part of it */
#define IPSEC_REQUEST_F_END_TO_END	(1U << 4) /* between the very two hosts */
#define IPSEC_REQUEST_F_LOOPBACK	(1U << 5) /* addresses of this host are let pass */

/* As a request's or packet's cause: why a request is not met. */
enum ipsec_request_reason {
	IPSEC_REQUEST_REASON_NONE,
	IPSEC_REQUEST_REASON_NO_SA,	/* none, and none can be negotiated: ENOKEY */
	IPSEC_REQUEST_REASON_REFUSED,	/* the peer refused to negotiate: EACCES */
	IPSEC_REQUEST_REASON_WEAKER,	/* protects less than required: EPROTO */
	IPSEC_REQUEST_REASON_IDENTITY,	/* is somebody else: EKEYREJECTED */
	IPSEC_REQUEST_REASON_METHOD,	/* not authenticated as required: EKEYREJECTED */
	IPSEC_REQUEST_REASON_TIMEOUT,	/* nothing in time: ETIMEDOUT */
	IPSEC_REQUEST_REASON_UNKNOWN,	/* what protects is not known: EPROTO */
	IPSEC_REQUEST_REASON_LIMIT,	/* the user has too many: EDQUOT */

	__IPSEC_REQUEST_REASON_MAX
};

#define IPSEC_REQUEST_REASON_MAX (__IPSEC_REQUEST_REASON_MAX - 1)

enum ipsec_request_state {
	IPSEC_REQUEST_ABSENT,		/* nothing is required */
	IPSEC_REQUEST_SET,		/* not connected yet, or a listener */
	IPSEC_REQUEST_PENDING,		/* waiting for SAs */
	IPSEC_REQUEST_MET,		/* connected, and as required */
	IPSEC_REQUEST_FAILED,
};

#define IPSEC_REQUEST_MAX_TEXT	255	/* bytes, without the last zero */
#define IPSEC_REQUEST_MAX_SIZE	8192	/* bytes of a request's attributes */
#define IPSEC_REQUEST_MAX_TIMEOUT	600000	/* milliseconds */

struct ipsec_request_status {
	__u32 state;		/* enum ipsec_request_state */
	__u32 reason;		/* enum ipsec_request_reason, of the last refusal */
	__u32 refused_out;	/* packets that did not leave */
	__u32 refused_in;	/* packets that did not arrive */
	char text[IPSEC_REQUEST_MAX_TEXT + 1];	/* the keying agent's words, or "" */
};

#define IPSEC_GENL_NAME			"ipsec_token"
#define IPSEC_GENL_VERSION		1
/* full events; needs CAP_NET_ADMIN over the network namespace */
#define IPSEC_GENL_MCGRP_EVENTS		"events"
/* "some answer may have changed", without saying which; for everyone */
#define IPSEC_GENL_MCGRP_CHANGES	"changes"

enum ipsec_cmd {
	IPSEC_CMD_UNSPEC,

	/* for everyone */
	IPSEC_CMD_PTOKEN_GET,		/* do: A_PTOKEN -> A_PTOKEN, A_CONTEXT */
	IPSEC_CMD_ALGORITHM_GET,	/* dump: A_ALGORITHM */

	/* CAP_NET_ADMIN over the network namespace */
	IPSEC_CMD_ALGORITHM_SET,	/* do: A_ALGORITHM_NAME, A_ALGORITHM_TRUSTED */
	IPSEC_CMD_CONTEXT_GET,		/* do: A_CONTEXT_ID, dump: A_CONTEXT */
	IPSEC_CMD_SOCKET_GET,		/* dump: A_SOCKET */
	IPSEC_CMD_CONFIG_GET,		/* do: A_LINGER, A_LATCH_MODE */
	IPSEC_CMD_CONFIG_SET,		/* do: A_LINGER, A_LATCH_MODE: one or both */
	IPSEC_CMD_STATS_GET,		/* do: A_STATS */
	IPSEC_CMD_IDENTITY_BIND,	/* do: A_IDENTITY, A_SA (several) */
	IPSEC_CMD_IDENTITY_UNBIND,	/* do: A_SA (several) */
	IPSEC_CMD_IDENTITY_GET,		/* dump: A_IDENTITY, A_SA (one) */

	/* notifications to the group "events" */
	IPSEC_CMD_CONTEXT_NEW_NTF,	/* A_CONTEXT */
	IPSEC_CMD_CONTEXT_CHANGE_NTF,	/* A_CONTEXT: SAs came or went */
	IPSEC_CMD_CONTEXT_DEL_NTF,	/* A_CONTEXT_ID */
	IPSEC_CMD_ALGORITHM_NTF,	/* A_ALGORITHM */
	IPSEC_CMD_CONFIG_NTF,		/* A_LINGER, A_LATCH_MODE */

	IPSEC_CMD_IDENTITY_NTF,		/* A_IDENTITY, A_SA (one): bound */
	IPSEC_CMD_IDENTITY_GONE_NTF,	/* A_SA (one): no longer bound */

	/* notification to the group "changes" */
	IPSEC_CMD_CHANGED_NTF,		/* A_GENERATION */

	/* CAP_NET_ADMIN */
	IPSEC_CMD_LATCH_GET,		/* dump: A_SOCKET, of latches only */
	/* to the group "events", at a limited rate */
	IPSEC_CMD_LATCH_NTF,		/* A_SOCKET: a packet did not match */

	/* for the owner of the cgroup, of which the caller is part */
	IPSEC_CMD_REQUEST_CGROUP,	/* do: A_CGROUP_FD, A_REQUEST */
	/* CAP_NET_ADMIN */
	IPSEC_CMD_REQUEST_RESULT,	/* do: A_REQUEST: how a negotiation ended */
	IPSEC_CMD_REQUEST_GET,		/* dump: A_REQUEST, of those that wait */
	/*
	 * to the group "events"; who negotiates should set NETLINK_BROADCAST_ERROR, or
	 * counts as absent while it has no room for messages
	 */
	IPSEC_CMD_REQUEST_NTF,		/* A_REQUEST: SAs are needed */

	__IPSEC_CMD_MAX
};

#define IPSEC_CMD_MAX (__IPSEC_CMD_MAX - 1)

/* top level of every message */
enum ipsec_attr {
	IPSEC_A_UNSPEC,
	IPSEC_A_PAD,
	IPSEC_A_PTOKEN,			/* u64 */
	IPSEC_A_CONTEXT_ID,		/* u64, never used twice in a namespace */
	IPSEC_A_CONTEXT,		/* nest of enum ipsec_context_attr */
	IPSEC_A_SOCKET,			/* nest of enum ipsec_socket_attr */
	IPSEC_A_ALGORITHM,		/* nest of enum ipsec_algorithm_attr */
	IPSEC_A_ALGORITHM_NAME,		/* string, as xfrm names it */
	IPSEC_A_ALGORITHM_TRUSTED,	/* u8, 0 or 1 */
	IPSEC_A_LINGER,			/* u32, seconds */
	IPSEC_A_STATS,			/* nest of enum ipsec_stats_attr */
	IPSEC_A_GENERATION,		/* u32 */
	IPSEC_A_IDENTITY,		/* nest of enum ipsec_identity_attr */
	IPSEC_A_SA,			/* nest of enum ipsec_sa_ref_attr, several */
	IPSEC_A_LATCH_MODE,		/* u8, enum ipsec_latch_mode */
	IPSEC_A_REQUEST,		/* nest of enum ipsec_request_attr */
	IPSEC_A_CGROUP_FD,		/* s32, of the directory of a cgroup (version 2) */

	__IPSEC_A_MAX
};

#define IPSEC_A_MAX (__IPSEC_A_MAX - 1)

enum ipsec_context_attr {
	IPSEC_CONTEXT_A_UNSPEC,
	IPSEC_CONTEXT_A_PAD,
	IPSEC_CONTEXT_A_ID,		/* u64, to CAP_NET_ADMIN only */
	IPSEC_CONTEXT_A_PRIVACY,	/* u8, 0 or 1 */
	IPSEC_CONTEXT_A_INTEGRITY,	/* u8, 0 or 1 */
	IPSEC_CONTEXT_A_COMPRESSION,	/* u8, 0 or 1 */
	IPSEC_CONTEXT_A_TUNNEL,		/* u8, 0 or 1 */
	IPSEC_CONTEXT_A_END_TO_END,	/* u8, 0 or 1 */
	IPSEC_CONTEXT_A_ESTABLISHED,	/* u64, seconds since the epoch */
	IPSEC_CONTEXT_A_USERS,		/* u32, sockets; to CAP_NET_ADMIN only */
	IPSEC_CONTEXT_A_SA,		/* nest of enum ipsec_sa_attr, several */
	IPSEC_CONTEXT_A_IDENTITY,	/* nest of enum ipsec_identity_attr, or none yet */

	__IPSEC_CONTEXT_A_MAX
};

#define IPSEC_CONTEXT_A_MAX (__IPSEC_CONTEXT_A_MAX - 1)

enum ipsec_direction {
	IPSEC_DIRECTION_IN = 1,
	IPSEC_DIRECTION_OUT,
};

/*
 * One SA of a context. Of many, the ten newest are told of. Where no SA of the
 * context is alive, each SA that makes up the protection is described as it was
 * last seen, without direction, SPI, compression algorithm, encapsulation,
 * offload and lifetimes.
 */
enum ipsec_sa_attr {
	IPSEC_SA_A_UNSPEC,
	IPSEC_SA_A_PAD,
	IPSEC_SA_A_DIRECTION,		/* u8, enum ipsec_direction */
	IPSEC_SA_A_INDEX,		/* u8, place in the bundle, 0 outermost */
	IPSEC_SA_A_SATYPE,		/* u8, SADB_SATYPE_* */
	IPSEC_SA_A_MODE,		/* u8, XFRM_MODE_* */
	IPSEC_SA_A_SPI,			/* be32 (IPComp: the CPI) */
	IPSEC_SA_A_LOCAL,		/* 4 or 16 bytes, this end's address */
	IPSEC_SA_A_PEER,		/* 4 or 16 bytes */
	IPSEC_SA_A_REQID,		/* u32 */
	IPSEC_SA_A_MARK,		/* u32 */
	IPSEC_SA_A_MARK_MASK,		/* u32 */
	IPSEC_SA_A_IF_ID,		/* u32 */
	IPSEC_SA_A_SELECTOR,		/* struct xfrm_selector, as if inbound */
	IPSEC_SA_A_EALG,		/* u8, SADB_EALG_* or 0: RFC 2367 has none */
	IPSEC_SA_A_EALG_NAME,		/* string, as xfrm names it */
	IPSEC_SA_A_EALG_BITS,		/* u16, key without salt and nonce */
	IPSEC_SA_A_AALG,		/* u8, SADB_AALG_* or 0 */
	IPSEC_SA_A_AALG_NAME,		/* string */
	IPSEC_SA_A_AALG_BITS,		/* u16, key */
	IPSEC_SA_A_ICV_BITS,		/* u16, of the authenticator or AEAD */
	IPSEC_SA_A_CALG,		/* u8, SADB_X_CALG_* */
	IPSEC_SA_A_CALG_NAME,		/* string */
	IPSEC_SA_A_ESN,			/* flag */
	IPSEC_SA_A_ENCAP_TYPE,		/* u16, UDP_ENCAP_* */
	IPSEC_SA_A_ENCAP_SPORT,		/* be16 */
	IPSEC_SA_A_ENCAP_DPORT,		/* be16 */
	IPSEC_SA_A_OFFLOAD,		/* flag */
	IPSEC_SA_A_LIFETIME,		/* struct xfrm_lifetime_cfg */
	IPSEC_SA_A_ADD_TIME,		/* u64, seconds since the epoch */
	IPSEC_SA_A_USE_TIME,		/* u64; to CAP_NET_ADMIN only */
	IPSEC_SA_A_BYTES,		/* u64; to CAP_NET_ADMIN only */
	IPSEC_SA_A_PACKETS,		/* u64; to CAP_NET_ADMIN only */

	__IPSEC_SA_A_MAX
};

#define IPSEC_SA_A_MAX (__IPSEC_SA_A_MAX - 1)

/*
 * A TCP connection that is protected, is latched, or of which is not known what
 * protects it; as a latch also a listener or a datagram socket.
 */
enum ipsec_socket_attr {
	IPSEC_SOCKET_A_UNSPEC,
	IPSEC_SOCKET_A_PAD,
	IPSEC_SOCKET_A_FAMILY,		/* u16, AF_INET or AF_INET6 */
	IPSEC_SOCKET_A_LOCAL,		/* 4 or 16 bytes */
	IPSEC_SOCKET_A_LOCAL_PORT,	/* be16 */
	IPSEC_SOCKET_A_PEER,		/* 4 or 16 bytes */
	IPSEC_SOCKET_A_PEER_PORT,	/* be16 */
	IPSEC_SOCKET_A_IFINDEX,		/* u32, device it is bound to, or 0 */
	IPSEC_SOCKET_A_CONTEXT_ID,	/* u64, 0: in clear, absent: not known */
	IPSEC_SOCKET_A_PROTOCOL,	/* u8, IPPROTO_* */
	IPSEC_SOCKET_A_LATCH_STATE,	/* u8, enum ipsec_latch_state */
	IPSEC_SOCKET_A_LATCH_FLAGS,	/* u32, IPSEC_LATCH_F_* */
	IPSEC_SOCKET_A_LATCH_REASON,	/* u8, enum ipsec_latch_reason */
	IPSEC_SOCKET_A_LATCH_REFUSED,	/* u32, packets that did not match */
	IPSEC_SOCKET_A_LATCH_SEEN,	/* u64, context id of the one that did not */

	__IPSEC_SOCKET_A_MAX
};

#define IPSEC_SOCKET_A_MAX (__IPSEC_SOCKET_A_MAX - 1)

enum ipsec_algorithm_class {
	IPSEC_ALGORITHM_ENCRYPTION = 1,
	IPSEC_ALGORITHM_AUTHENTICATION,
	IPSEC_ALGORITHM_AEAD,
};

enum ipsec_algorithm_attr {
	IPSEC_ALGORITHM_A_UNSPEC,
	IPSEC_ALGORITHM_A_NAME,		/* string, as xfrm names it */
	IPSEC_ALGORITHM_A_CLASS,	/* u8, enum ipsec_algorithm_class */
	IPSEC_ALGORITHM_A_TRUSTED,	/* u8, 0 or 1 */
	IPSEC_ALGORITHM_A_DEFAULT,	/* u8, 0 or 1: trusted unless told */

	__IPSEC_ALGORITHM_A_MAX
};

#define IPSEC_ALGORITHM_A_MAX (__IPSEC_ALGORITHM_A_MAX - 1)

/* all u64; the first six are what is there now, the others count events */
enum ipsec_stats_attr {
	IPSEC_STATS_A_UNSPEC,
	IPSEC_STATS_A_PAD,
	IPSEC_STATS_A_CONTEXTS,
	IPSEC_STATS_A_PATHS,		/* SAs and bundles that contexts hold */
	IPSEC_STATS_A_CONNECTIONS,	/* TCP, protected or not known */
	IPSEC_STATS_A_DATAGRAM_SOCKETS,	/* opted in */
	IPSEC_STATS_A_BINDINGS,		/* SAs with an identity; dead ones while they are held */
	IPSEC_STATS_A_LATCHES,		/* latched connections */
	IPSEC_STATS_A_CONTEXTS_CREATED,
	IPSEC_STATS_A_CONTEXTS_GONE,
	IPSEC_STATS_A_UNKNOWN_LIMIT,	/* not known: a limit was reached */
	IPSEC_STATS_A_UNKNOWN_MEMORY,	/* not known: no memory */
	IPSEC_STATS_A_UNKNOWN_FRAGMENTS,/* not known: put together after IPsec */
	IPSEC_STATS_A_UNKNOWN_HANDSHAKE,/* not known: segments disagree or unseen */
	IPSEC_STATS_A_UNKNOWN_OLD,	/* not known: older than the module */
	IPSEC_STATS_A_TOKENS_REFUSED,	/* resolve: not a token of the asker */
	IPSEC_STATS_A_LATCH_IN_CLEAR,	/* as enum ipsec_latch_reason */
	IPSEC_STATS_A_LATCH_IN_CONTEXT,
	IPSEC_STATS_A_LATCH_IN_UNKNOWN,
	IPSEC_STATS_A_LATCH_OUT_CLEAR,
	IPSEC_STATS_A_LATCH_OUT_CONTEXT,
	IPSEC_STATS_A_LATCH_OUT_UNKNOWN,
	IPSEC_STATS_A_LATCH_HELD,	/* packets that waited for an identity */
	IPSEC_STATS_A_LATCH_BROKEN,	/* latches that broke */
	IPSEC_STATS_A_LATCH_RESET,	/* connections reset for it */
	IPSEC_STATS_A_REQUEST_REFUSED_IN, /* packets that did not meet a request */
	IPSEC_STATS_A_REQUEST_REFUSED_OUT,
	IPSEC_STATS_A_NEGOTIATIONS,	/* that agents were asked for */

	__IPSEC_STATS_A_MAX
};

#define IPSEC_STATS_A_MAX (__IPSEC_STATS_A_MAX - 1)

/* How the peer was authenticated: the draft's names, from weak to strong. */
enum ipsec_auth_method {
	IPSEC_AUTH_NONE = 1,		/* not at all */
	IPSEC_AUTH_BTNS,		/* a key that came inline, not verified */
	IPSEC_AUTH_LEAPOFFAITH,		/* the same, and known from before */
	IPSEC_AUTH_GROUPKEY,		/* a secret that several peers know */
	IPSEC_AUTH_PRESHAREDKEY,	/* a secret that only this peer knows */
	IPSEC_AUTH_XAUTH,		/* user name and password */
	IPSEC_AUTH_EAP,			/* an EAP method */
	IPSEC_AUTH_PKIX_OFFLINE,	/* certificate fetched, CA trusted */
	IPSEC_AUTH_PKIX_INLINE,		/* certificate sent by the peer, CA trusted */
	IPSEC_AUTH_PKIX_TRUSTED,	/* certificate in the trusted store */

	__IPSEC_AUTH_MAX
};

#define IPSEC_AUTH_MAX (__IPSEC_AUTH_MAX - 1)

#define IPSEC_ITOKEN_SIZE		32
#define IPSEC_IDENTITY_MAX_STRING	1023	/* bytes, without the last zero */
#define IPSEC_IDENTITY_MAX_BINDING	4096	/* bytes of channel binding */

/*
 * Who is behind an SA, and how that was proved, as the keying agent tells it.
 * What is absent is not available. The kernel looks at the first four only;
 * SAs that differ in one of them never share a context. iTokens are equal for
 * the same peer, proved in the same way. SAs of equal lineage succeed each other
 * even where addresses, reqid or selectors differ.
 */
enum ipsec_identity_attr {
	IPSEC_IDENTITY_A_UNSPEC,
	IPSEC_IDENTITY_A_PAD,
	IPSEC_IDENTITY_A_ITOKEN,	/* IPSEC_ITOKEN_SIZE bytes, needed */
	IPSEC_IDENTITY_A_METHOD,	/* u8, enum ipsec_auth_method, needed */
	IPSEC_IDENTITY_A_LOCAL,		/* nest of the same for this end */
	IPSEC_IDENTITY_A_LINEAGE,	/* u64, 0 or absent: none */
	IPSEC_IDENTITY_A_IKE_ID_TYPE,	/* u8, ID_* of RFC 7296 section 3.5 */
	IPSEC_IDENTITY_A_IKE_ID,	/* string */
	IPSEC_IDENTITY_A_CA_DN,		/* string, RFC 4514 */
	IPSEC_IDENTITY_A_CERTIFICATE_DN,/* string, RFC 4514 */
	IPSEC_IDENTITY_A_PUBKEY_ID,	/* string */
	IPSEC_IDENTITY_A_CHANNEL_BINDING,/* both ends' SubjectPublicKeyInfo */
	IPSEC_IDENTITY_A_AUDIT_STRING,	/* string */
	IPSEC_IDENTITY_A_POLICY_NAME,	/* string, the connection as configured */
	IPSEC_IDENTITY_A_SOURCE,	/* string, who told */

	__IPSEC_IDENTITY_A_MAX
};

#define IPSEC_IDENTITY_A_MAX (__IPSEC_IDENTITY_A_MAX - 1)

/* Which SA. */
enum ipsec_sa_ref_attr {
	IPSEC_SA_REF_A_UNSPEC,
	IPSEC_SA_REF_A_SATYPE,		/* u8, SADB_SATYPE_ESP or SADB_SATYPE_AH */
	IPSEC_SA_REF_A_DESTINATION,	/* 4 or 16 bytes */
	IPSEC_SA_REF_A_SPI,		/* be32 */
	IPSEC_SA_REF_A_MARK,		/* u32, of the SA; absent: 0 */

	__IPSEC_SA_REF_A_MAX
};

#define IPSEC_SA_REF_A_MAX (__IPSEC_SA_REF_A_MAX - 1)

/*
 * A request. Those up to IDENTITY are what is required, and all that a socket
 * option takes and gives; the others tell an agent for what SAs are needed, and
 * are its answer.
 */
enum ipsec_request_attr {
	IPSEC_REQUEST_A_UNSPEC,
	IPSEC_REQUEST_A_PAD,
	IPSEC_REQUEST_A_FLAGS,		/* u32, IPSEC_REQUEST_F_* */
	IPSEC_REQUEST_A_METHODS,	/* u32, bit 1 << enum ipsec_auth_method; absent: any */
	IPSEC_REQUEST_A_TIMEOUT,	/* u32, milliseconds for the negotiation */
	/*
	 * Nest of enum ipsec_identity_attr: the peer, of which all must be equal
	 * that is there: ITOKEN, IKE_ID_TYPE, IKE_ID, CA_DN, CERTIFICATE_DN, PUBKEY_ID.
	 */
	IPSEC_REQUEST_A_IDENTITY,
	IPSEC_REQUEST_A_ID,		/* u64, never used twice in a namespace */
	IPSEC_REQUEST_A_FAMILY,		/* u16, AF_INET or AF_INET6 */
	IPSEC_REQUEST_A_LOCAL,		/* 4 or 16 bytes */
	IPSEC_REQUEST_A_PEER,		/* 4 or 16 bytes */
	IPSEC_REQUEST_A_LOCAL_PORT,	/* be16 */
	IPSEC_REQUEST_A_PEER_PORT,	/* be16 */
	IPSEC_REQUEST_A_PROTOCOL,	/* u8, IPPROTO_* */
	IPSEC_REQUEST_A_UID,		/* u32, of the asker, as the listener sees it */
	IPSEC_REQUEST_A_REASON,		/* u8, enum ipsec_request_reason; NONE: SAs are there */
	IPSEC_REQUEST_A_TEXT,		/* string, for people */

	__IPSEC_REQUEST_A_MAX
};

#define IPSEC_REQUEST_A_MAX (__IPSEC_REQUEST_A_MAX - 1)

#endif /* _UAPI_LINUX_IPSEC_TOKEN_H */
