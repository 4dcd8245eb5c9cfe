// SPDX-License-Identifier: GPL-2.0-only
/*
 * rekeys COUNT MILLISECONDS [ITOKEN] - new SAs between left and right, over and over
 *
 * Makes the first ones, in place of all that there are, says "ready", and waits for
 * a line on standard input. Then there are COUNT more, one after the other, and
 * MILLISECONDS between them. Each goes when its successor's successor is there. With
 * ITOKEN, a byte in hex, left is told of each a little later that it belongs to that
 * peer. In the end it says how often there were new ones, and the SPI of the last.
 *
 * Runs with the policies of lib.sh for esp-gcm over IPv4.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hosts.h"

#define STEP	0x10		/* from one SPI to the next */

static void sa_delete(struct mnl_socket *nl, int from, uint32_t old)
{
	_Alignas(8) char buffer[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(nlh, sizeof(*id));

	nlh->nlmsg_type = XFRM_MSG_DELSA;
	id->family = AF_INET;
	id->daddr.a4 = inet_addr(addresses[!from]);
	id->spi = htonl(old + from);
	id->proto = IPPROTO_ESP;
	xfrm_talk(nl, nlh, "XFRM_MSG_DELSA");
}

static void bind_to(unsigned int who)
{
	_Alignas(8) char buffer[1024];
	uint8_t itoken[IPSEC_ITOKEN_SIZE];
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	enter(LEFT);
	if (!ipsec[LEFT] && ipsec_open(&ipsec[LEFT]))
		errx(1, "no module");
	memset(itoken, who, sizeof(itoken));
	nlh = ipsec_nl_request(ipsec[LEFT], buffer, IPSEC_CMD_IDENTITY_BIND, NLM_F_ACK);
	nest = mnl_attr_nest_start(nlh, IPSEC_A_IDENTITY);
	mnl_attr_put(nlh, IPSEC_IDENTITY_A_ITOKEN, sizeof(itoken), itoken);
	mnl_attr_put_u8(nlh, IPSEC_IDENTITY_A_METHOD, IPSEC_AUTH_PKIX_INLINE);
	mnl_attr_nest_end(nlh, nest);
	put_pair(nlh, spi);
	ipsec_enter(ipsec[LEFT]);
	if (ipsec_nl_talk(ipsec[LEFT], nlh, NULL, NULL))
		errx(1, "bind: %s", ipsec_error(ipsec[LEFT]));
	ipsec_leave(ipsec[LEFT]);
}

int main(int argc, char **argv)
{
	unsigned int count, pause, who, i, host;
	struct mnl_socket *nl[2];

	if (argc < 3)
		errx(1, "rekeys COUNT MILLISECONDS [ITOKEN]");
	count = atoi(argv[1]);
	pause = atoi(argv[2]) * 1000;
	who = argc > 3 ? strtoul(argv[3], NULL, 16) : 0;
	hosts_open();
	sas_flush();
	for (host = LEFT; host <= RIGHT; host++)
		nl[host] = xfrm_open(host);

	for (i = 0; i <= count; i++) {
		if (i == 1) {
			puts("ready");
			fflush(stdout);
			if (getchar() == EOF)
				return 1;
		}
		usleep(pause);
		spi += STEP;
		/* no end sends before the other can read */
		sa_add(nl[RIGHT], LEFT);
		sa_add(nl[LEFT], RIGHT);
		sa_add(nl[LEFT], LEFT);
		sa_add(nl[RIGHT], RIGHT);
		if (who) {
			usleep(i ? 5000 : 0);
			bind_to(who);
		}
		for (host = LEFT; host <= RIGHT && i > 1; host++) {
			sa_delete(nl[host], LEFT, spi - 2 * STEP);
			sa_delete(nl[host], RIGHT, spi - 2 * STEP);
		}
	}
	printf("%u %u\n", count, spi);
	return 0;
}
