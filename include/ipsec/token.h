/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What protects this connection, or this datagram: the library.
 *
 * Every function is described in section 3 of the manual, the meaning of every
 * attribute in ipsec-token(7). Functions that return int return a negative
 * errno value on failure. An answer of "yes" is 1, so compare with 1 (or with
 * "> 0"), never with "not 0": an error is not an answer.
 */
#ifndef IPSEC_TOKEN_H
#define IPSEC_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <linux/ipsec_token.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define IPSEC_MUST_CHECK __attribute__((__warn_unused_result__))
#else
#define IPSEC_MUST_CHECK
#endif

/*
 * A protection token. IPSEC_PTOKEN_NONE is known to be unprotected,
 * IPSEC_PTOKEN_UNKNOWN is no answer. Any other is valid in this process only.
 */
typedef uint64_t ipsec_ptoken_t;

/* room that the token takes in the control buffer of a recvmsg(2) */
#define IPSEC_PTOKEN_CMSG_SPACE CMSG_SPACE(sizeof(ipsec_ptoken_t))

/* room that any algorithm name takes, the zero byte included */
#define IPSEC_ALGORITHM_NAME_SIZE 64

/* a connection to the kernel module */
struct ipsec;

/*
 * The structures below grow at their end only. The library fills in what both
 * it and the caller know of, and zeroes what the caller alone knows of.
 */

/**
 * struct ipsec_ptoken_attributes - what a protection token stands for
 * @privacy_protected: 1 if encrypted by an algorithm that is trusted
 * @integrity_protected: 1 if authenticated by an algorithm that is trusted
 * @compression_available: 1 if IPComp is part of the protection
 * @tunnel_mode: 1 if any SA of it is in tunnel mode
 * @end_to_end: 1 if the protected addresses are those of the connection itself
 * @reserved: zero
 * @sa_count: how many SAs ipsec_ptoken_sa() can tell of
 * @reserved2: zero
 * @established: when this protection came to be, in seconds since the epoch
 */
struct ipsec_ptoken_attributes {
	uint8_t privacy_protected;
	uint8_t integrity_protected;
	uint8_t compression_available;
	uint8_t tunnel_mode;
	uint8_t end_to_end;
	uint8_t reserved[3];
	uint32_t sa_count;
	uint32_t reserved2;
	int64_t established;
};

/**
 * struct ipsec_selector - the traffic that an SA is for
 * @family: AF_INET, AF_INET6, or 0 where the SA has no selector
 * @proto: IP protocol number, 0: any
 * @local_prefix: how many bits of @local count
 * @peer_prefix: how many bits of @peer count
 * @reserved: zero
 * @local_port: in host byte order
 * @local_port_mask: the bits of @local_port that count
 * @peer_port: in host byte order
 * @peer_port_mask: the bits of @peer_port that count
 * @ifindex: interface, 0: any
 * @reserved2: zero
 * @local: address at this end, the first 4 bytes of an AF_INET one
 * @peer: address at the peer's end likewise
 */
struct ipsec_selector {
	uint16_t family;
	uint8_t proto;
	uint8_t local_prefix;
	uint8_t peer_prefix;
	uint8_t reserved[3];
	uint16_t local_port;
	uint16_t local_port_mask;
	uint16_t peer_port;
	uint16_t peer_port_mask;
	int32_t ifindex;
	uint32_t reserved2;
	uint8_t local[16];
	uint8_t peer[16];
};

/**
 * struct ipsec_lifetimes - when an SA is due for replacement, and when it ends
 * @soft_bytes: replace after so many bytes, UINT64_MAX: never
 * @hard_bytes: end after so many bytes, UINT64_MAX: never
 * @soft_packets: replace after so many packets, UINT64_MAX: never
 * @hard_packets: end after so many packets, UINT64_MAX: never
 * @soft_add_seconds: replace so long after it was added, 0: never
 * @hard_add_seconds: end so long after it was added, 0: never
 * @soft_use_seconds: replace so long after its first use, 0: never
 * @hard_use_seconds: end so long after its first use, 0: never
 */
struct ipsec_lifetimes {
	uint64_t soft_bytes;
	uint64_t hard_bytes;
	uint64_t soft_packets;
	uint64_t hard_packets;
	uint64_t soft_add_seconds;
	uint64_t hard_add_seconds;
	uint64_t soft_use_seconds;
	uint64_t hard_use_seconds;
};

/**
 * struct ipsec_sa - one security association
 * @direction: IPSEC_DIRECTION_IN or IPSEC_DIRECTION_OUT, or 0: no SA of this
 *	protection is alive and this one is described as it was last seen,
 *	without @spi, @encap_type and its ports, and @lifetimes
 * @index: place in the bundle, 0 is the outermost
 * @satype: SADB_SATYPE_AH, SADB_SATYPE_ESP or SADB_X_SATYPE_IPCOMP
 * @mode: XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL and so on
 * @ealg: SADB_EALG_* of the encryption, 0 if there is none or it has no number
 * @aalg: SADB_AALG_* of the authentication, 0 likewise
 * @calg: SADB_X_CALG_* of the compression, 0 likewise
 * @esn: 1 if sequence numbers have 64 bits
 * @offload: 1 if a network device does the work
 * @reserved: zero
 * @family: AF_INET or AF_INET6, of @local and @peer; 0 if they are not known
 * @ealg_bits: key length without salt and nonce
 * @aalg_bits: key length
 * @icv_bits: length of the integrity check value
 * @encap_type: UDP_ENCAP_* or 0
 * @encap_local_port: of the encapsulation at this end, in host byte order
 * @encap_peer_port: at the peer's end
 * @spi: in host byte order (IPComp: the CPI)
 * @reqid: ties SAs to policies, 0: none
 * @mark: packet mark that it is for
 * @mark_mask: the bits of @mark that count
 * @if_id: xfrm interface that it is for, 0: none
 * @reserved2: zero
 * @local: this end's address, the first 4 bytes of an AF_INET one
 * @peer: the peer's address likewise
 * @selector: the traffic it is for
 * @lifetimes: when it is to be replaced
 * @added: when it was added, in seconds since the epoch
 * @ealg_name: encryption or AEAD as the kernel names it, empty if none
 * @aalg_name: authentication, empty if none
 * @calg_name: compression, empty if none
 */
struct ipsec_sa {
	uint8_t direction;
	uint8_t index;
	uint8_t satype;
	uint8_t mode;
	uint8_t ealg;
	uint8_t aalg;
	uint8_t calg;
	uint8_t esn;
	uint8_t offload;
	uint8_t reserved;
	uint16_t family;
	uint16_t ealg_bits;
	uint16_t aalg_bits;
	uint16_t icv_bits;
	uint16_t encap_type;
	uint16_t encap_local_port;
	uint16_t encap_peer_port;
	uint32_t spi;
	uint32_t reqid;
	uint32_t mark;
	uint32_t mark_mask;
	uint32_t if_id;
	uint32_t reserved2;
	uint8_t local[16];
	uint8_t peer[16];
	struct ipsec_selector selector;
	struct ipsec_lifetimes lifetimes;
	int64_t added;
	char ealg_name[IPSEC_ALGORITHM_NAME_SIZE];
	char aalg_name[IPSEC_ALGORITHM_NAME_SIZE];
	char calg_name[IPSEC_ALGORITHM_NAME_SIZE];
};

/* the connection to the kernel module */
int ipsec_open(struct ipsec **ipsec) IPSEC_MUST_CHECK;
void ipsec_close(struct ipsec *ipsec);
const char *ipsec_error(struct ipsec *ipsec);
int ipsec_error_copy(struct ipsec *ipsec, char *buf, size_t size);
const char *ipsec_strerror(int err);

/* discovery: which token has this socket, or this datagram? */
int ipsec_ptoken_from_fd(int fd, ipsec_ptoken_t *ptoken) IPSEC_MUST_CHECK;
int ipsec_recvptoken_set(int fd, bool on) IPSEC_MUST_CHECK;
int ipsec_recvptoken_get(int fd) IPSEC_MUST_CHECK;
int ipsec_ptoken_from_msg(const struct msghdr *msg, ipsec_ptoken_t *ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_equal(ipsec_ptoken_t a, ipsec_ptoken_t b);

/* attributes: what does this token stand for? */
int ipsec_ptoken_privacy_protected(struct ipsec *ipsec, ipsec_ptoken_t ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_integrity_protected(struct ipsec *ipsec, ipsec_ptoken_t ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_compression_available(struct ipsec *ipsec, ipsec_ptoken_t ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_tunnel_mode(struct ipsec *ipsec, ipsec_ptoken_t ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_end_to_end(struct ipsec *ipsec, ipsec_ptoken_t ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_established(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			     int64_t *seconds) IPSEC_MUST_CHECK;
int ipsec_ptoken_attributes(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			    struct ipsec_ptoken_attributes *attributes,
			    size_t size) IPSEC_MUST_CHECK;
int ipsec_ptoken_sa_count(struct ipsec *ipsec, ipsec_ptoken_t ptoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_sa(struct ipsec *ipsec, ipsec_ptoken_t ptoken, unsigned int i,
		    struct ipsec_sa *sa, size_t size) IPSEC_MUST_CHECK;
int ipsec_ptoken_audit_string(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			      char *buf, size_t size) IPSEC_MUST_CHECK;

/*
 * Identity: who is the peer, and how was that proved? An iToken is a value of
 * its own: it stays as it is whatever becomes of the token it came from.
 */
struct ipsec_itoken;

/* room that any exported iToken takes, the zero byte included */
#define IPSEC_ITOKEN_TEXT_SIZE 80

int ipsec_ptoken_itoken(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			struct ipsec_itoken **itoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_itoken_wait(struct ipsec *ipsec, ipsec_ptoken_t ptoken, int milliseconds,
			     struct ipsec_itoken **itoken) IPSEC_MUST_CHECK;
int ipsec_ptoken_local_itoken(struct ipsec *ipsec, ipsec_ptoken_t ptoken,
			      struct ipsec_itoken **itoken) IPSEC_MUST_CHECK;
void ipsec_itoken_free(struct ipsec_itoken *itoken);
int ipsec_itoken_equal(const struct ipsec_itoken *a, const struct ipsec_itoken *b);
int ipsec_itoken_export(const struct ipsec_itoken *itoken, char *buf, size_t size);
int ipsec_itoken_import(const char *text, struct ipsec_itoken **itoken) IPSEC_MUST_CHECK;
int ipsec_itoken_method(const struct ipsec_itoken *itoken) IPSEC_MUST_CHECK;
int ipsec_itoken_ike_id_type(const struct ipsec_itoken *itoken) IPSEC_MUST_CHECK;
const char *ipsec_itoken_ike_id(const struct ipsec_itoken *itoken);
const char *ipsec_itoken_ca_dn(const struct ipsec_itoken *itoken);
const char *ipsec_itoken_certificate_dn(const struct ipsec_itoken *itoken);
const char *ipsec_itoken_pubkey_id(const struct ipsec_itoken *itoken);
const char *ipsec_itoken_policy_name(const struct ipsec_itoken *itoken);
const char *ipsec_itoken_audit_string(const struct ipsec_itoken *itoken);
int ipsec_itoken_channel_binding(const struct ipsec_itoken *itoken, const void **data,
				 size_t *size) IPSEC_MUST_CHECK;
const char *ipsec_auth_method_name(int method);

/* latching: what keeps a connection to its protection? */
int ipsec_latch_get(int fd, struct ipsec_latch *latch) IPSEC_MUST_CHECK;
int ipsec_latch_set(int fd, uint32_t flags) IPSEC_MUST_CHECK;
const char *ipsec_latch_state_name(int state);
const char *ipsec_latch_reason_text(int reason);

/*
 * Requests: what an application requires of a socket before it connects. From when
 * it is applied on, nothing passes that does not meet it.
 */
struct ipsec_request;

int ipsec_request_new(struct ipsec_request **request) IPSEC_MUST_CHECK;
void ipsec_request_free(struct ipsec_request *request);
int ipsec_request_set_flags(struct ipsec_request *request, uint32_t flags) IPSEC_MUST_CHECK;
int ipsec_request_set_words(struct ipsec_request *request, const char *words) IPSEC_MUST_CHECK;
int ipsec_request_set_methods(struct ipsec_request *request, uint32_t methods) IPSEC_MUST_CHECK;
int ipsec_request_set_timeout(struct ipsec_request *request,
			      uint32_t milliseconds) IPSEC_MUST_CHECK;
int ipsec_request_set_itoken(struct ipsec_request *request,
			     const struct ipsec_itoken *itoken) IPSEC_MUST_CHECK;
int ipsec_request_set_peer(struct ipsec_request *request, enum ipsec_identity_attr attr,
			   const char *pattern) IPSEC_MUST_CHECK;
int ipsec_request_set_ike_id_type(struct ipsec_request *request, int type) IPSEC_MUST_CHECK;
uint32_t ipsec_request_flags(const struct ipsec_request *request);
uint32_t ipsec_request_methods(const struct ipsec_request *request);
uint32_t ipsec_request_timeout(const struct ipsec_request *request);
int ipsec_request_itoken(const struct ipsec_request *request,
			 struct ipsec_itoken **itoken) IPSEC_MUST_CHECK;
const char *ipsec_request_peer(const struct ipsec_request *request,
			       enum ipsec_identity_attr attr);
int ipsec_request_ike_id_type(const struct ipsec_request *request) IPSEC_MUST_CHECK;
int ipsec_request_apply(const struct ipsec_request *request, int fd) IPSEC_MUST_CHECK;
int ipsec_request_from_fd(int fd, struct ipsec_request **request) IPSEC_MUST_CHECK;
int ipsec_request_cgroup(struct ipsec *ipsec, const struct ipsec_request *request,
			 int cgroup_fd) IPSEC_MUST_CHECK;
int ipsec_request_status(int fd, struct ipsec_request_status *status) IPSEC_MUST_CHECK;
const char *ipsec_request_reason_text(int reason);

#ifdef __cplusplus
}
#endif

#endif /* IPSEC_TOKEN_H */
