/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _IPSEC_HANDSHAKE_H
#define _IPSEC_HANDSHAKE_H

struct ipsec_net;

int ipsec_handshake_watch_now(struct ipsec_net *in);
int ipsec_handshake_watch_all(void);
void ipsec_handshake_watch(struct ipsec_net *in);
void ipsec_handshake_missed(struct ipsec_net *in);
void ipsec_handshake_old_gone(void);

void ipsec_handshake_init_net(struct ipsec_net *in);
void ipsec_handshake_pre_exit_net(struct ipsec_net *in);
int ipsec_handshake_init(void);
void ipsec_handshake_begin(void);
bool ipsec_handshake_closing(void);
void ipsec_handshake_exit(void);

#endif /* _IPSEC_HANDSHAKE_H */
