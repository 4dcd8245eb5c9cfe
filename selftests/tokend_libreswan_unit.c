// SPDX-License-Identifier: GPL-2.0-only
/*
 * libreswan as a source of ipsec-tokend, without libreswan: what whack prints,
 * what scripts say, and what is claimed of it. And programs that are run.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../tools/tokend/libreswan_evidence.h"
#include "../tools/tokend/libreswan_status.h"
#include "../tools/tokend/libreswan_updown.h"
#include "../tools/tokend/log.h"
#include "../tools/tokend/program.h"
#include "../tools/tokend/text.h"
#include "helpers/unit.h"

/* ---------------------------------------------------------------- what whack prints */

static bool is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

static int parse(const char *text, struct pluto_status *status)
{
	size_t len = strlen(text);
	char *copy = malloc(len + !len);
	int err;

	/* of the very size, so that reading beyond its end is noticed */
	memcpy(copy, text, len);
	err = pluto_status_parse(copy, len, status);
	free(copy);
	return err;
}

static const char states[] =
	"000 #7: \"a\":500 STATE_V2_ESTABLISHED_IKE_SA (established IKE SA); REKEY in 1s; idle;\n"
	"000 #9: \"b\"[2] fd00::1:4500 STATE_V2_ESTABLISHED_CHILD_SA (established Child SA); "
		"REKEY in 1s; newest; eroute owner; IKE SA #7; idle;\n"
	"000 #9: \"b\"[2] fd00::1 esp:a4a87bdd@fd00::2 esp:abe13bcc@fd00::1 tun:0@fd00::2 "
		"tun:0@fd00::1 Traffic: ESPin=0B ESPout=0B ESPmax=2^63B \n"
	"000 #8: \"a\":500 STATE_V2_ESTABLISHED_CHILD_SA (established Child SA); IKE SA #7; idle;\n"
	"000 #8: \"a\" ah.18b3e985@10.0.0.2 ah.22c38cf3@10.0.0.1 Traffic: AHin=0B AHout=0B \n"
	"000 #10: \"a\":500 STATE_V2_PARENT_I2 (sent IKE_AUTH request); RETRANSMIT in 1s; idle;\n";

static void test_states(void)
{
	const struct pluto_state *state;
	struct pluto_status status;

	EXPECT(!parse(states, &status) && status.states == 4);
	state = pluto_state_find(&status, 7);
	EXPECT(state && state->established && !state->in && is(state->connection, "a"));
	state = pluto_state_find(&status, 8);
	EXPECT(state && state->ah && !state->tunnel && state->parent == 7);
	/* the outbound one is in front */
	EXPECT(state && state->spi_out == 0x18b3e985 && is(state->out, "10.0.0.2"));
	EXPECT(state && state->spi_in == 0x22c38cf3 && is(state->in, "10.0.0.1"));
	state = pluto_state_find(&status, 9);
	EXPECT(state && !state->ah && state->tunnel && state->instance == 2);
	EXPECT(state && state->spi_in == 0xabe13bcc && is(state->in, "fd00::1"));
	state = pluto_state_find(&status, 10);
	EXPECT(state && !state->established && !state->parent);
	EXPECT(!pluto_state_find(&status, 11));
	pluto_status_clear(&status);
}

static void test_states_odd(void)
{
	/* none of these has SAs */
	static const char *const odd[] = {
		"000 #1: \"a\" esp.1@10.0.0.1 Traffic:\n",
		"000 #1: \"a\" esp.1@10.0.0.1 esp.2@10.0.0.2 esp.3@10.0.0.3 Traffic:\n",
		"000 #1: \"a\" esp.1@10.0.0.1 ah.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\" esp.x@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\" esp.-1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\" esp.123456789@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\" esp.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\" Traffic: esp.1@10.0.0.1 esp.2@10.0.0.2\n",
		"000 #1: \"\" esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\"[0] esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\"[x] esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #0: \"a\" esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #99999999999: \"a\" esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\xff\" esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\tb\" esp.1@10.0.0.1 esp.2@10.0.0.2 Traffic:\n",
		"000 #1: \"a\":500 STATE_X (x);\n000 #1: \"b\" esp.1@h esp.2@h Traffic:\n",
	};
	/* and these are not of whack */
	static const char *const bad[] = {
		"000 no end", "00\n", "oops\n", "0x0 a\n", "\n", "000 #1: \"a\" x\nrubbish\n",
		"000 #1: \"a\":1 STATE_X (x);\n000 #2: \"a\":1 STATE_X (x);\n"
			"000 #1: \"a\":1 STATE_X (x);\n",
	};
	struct pluto_status status;
	char *text;
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		EXPECT(!parse(odd[i], &status));
		if (status.states && status.state[0].in)
			printf("# row %zu\n", i);
		EXPECT(!status.states || (!status.state[0].in && !status.state[0].out));
		pluto_status_clear(&status);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT(parse(bad[i], &status) == -EBADMSG && !status.states);
	EXPECT(pluto_status_parse("000 a\0b\n", 8, &status) == -EBADMSG);
	EXPECT(!parse("", &status) && !status.states && !status.keys_told);

	text = xprintf("000 %*s\n", STATUS_LINE_MAX, "x");
	EXPECT(parse(text, &status) == -EBADMSG);
	free(text);
}

static void test_connections(void)
{
	static const char text[] =
		"000 \"c\":   our auth:null, their auth:null, our autheap:none, their autheap:none;\n"
		"000 \"c\"[1]:   policy: IKEv2+PSK;\n"
		"000 \"c#10.0.0.0/8\"[2] ...fd00::2:   policy: IKEv1+RSASIG;\n"
		/* what a peer is called must not be taken for a phrase */
		"000 \"c\"[3] x:   policy: IKEv2+PSK;\n"
		"000 \"c\"[4]: 10.0.0.1[a]...10.0.0.2[\"d\":   policy: IKEv2+PSK;]; erouted;\n"
		"000 \"c\"[5]   policy: IKEv2+PSK;\n";
	const struct pluto_connection *connection;
	struct pluto_status status;
	unsigned int i;

	EXPECT(!parse(text, &status) && status.connections == 3);
	connection = pluto_connection_find(&status, "c", 0);
	EXPECT(connection && connection->remote.class == AUTH_CLASS_NULL &&
	       !connection->policy_told);
	connection = pluto_connection_find(&status, "c", 1);
	EXPECT(connection && connection->psk_accepted && !connection->signature_accepted);
	connection = pluto_connection_find(&status, "c#10.0.0.0/8", 2);
	EXPECT(connection && connection->ikev1 && connection->signature_accepted);
	for (i = 3; i <= 5; i++)
		EXPECT(!pluto_connection_find(&status, "c", i));
	EXPECT(!pluto_connection_find(&status, "d", 0));
	pluto_status_clear(&status);
}

static void test_text(void)
{
	EXPECT(text_good("") && text_good("Prüfung") && text_good("\xf0\x9f\x98\x80"));
	EXPECT(!text_good("a\nb") && !text_good("\x7f") && !text_good("\x1b[2J"));
	EXPECT(!text_good("\xff") && !text_good("\xc3") && !text_good("\xc3(") &&
	       !text_good("\xe2\x82") && !text_good("\x80"));
	/* longer than need be, surrogates, beyond the end */
	EXPECT(!text_good("\xc0\xaf") && !text_good("\xe0\x80\xaf") &&
	       !text_good("\xed\xa0\x80") && !text_good("\xf4\x90\x80\x80"));
}

/* ------------------------------------------------------------------ what is claimed */

static const char ca_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBrzCCAVWgAwIBAgIUKVs7Cvc3v5M7XxyXOEJm7xG8hvQwCgYIKoZIzj0EAwIw\n"
	"LTELMAkGA1UEBhMCQ0gxETAPBgNVBAoMCFByw7xmdW5nMQswCQYDVQQDDAJDQTAe\n"
	"Fw0yNjExMjUwNDE5MDVaFw0yNjEyMjUwNDE5MDVaMC0xCzAJBgNVBAYTAkNIMREw\n"
	"DwYDVQQKDAhQcsO8ZnVuZzELMAkGA1UEAwwCQ0EwWTATBgcqhkjOPQIBBggqhkjO\n"
	"PQMBBwNCAAR202a7WPO0IMizQ2k5XafEAOoJULu6ZZ6D5DF0Mr1yqKY55OTPhkcs\n"
	"vrRsM5kTB0K+2bSUerX7BzLBvd7uNewFo1MwUTAdBgNVHQ4EFgQU3ggz48/as5km\n"
	"2M3gFEBHM1MiCDAwHwYDVR0jBBgwFoAU3ggz48/as5km2M3gFEBHM1MiCDAwDwYD\n"
	"VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAZfkQOcrcY9sAFVhtXFJ+5\n"
	"E1uVKYDUjo97VYPbzcRuUgIhAJmvpYDJIJ16LwhQp9zR/KY0XVm/rhz1vWhxUyJf\n"
	"fLcm\n"
	"-----END CERTIFICATE-----\n";

static const char peer_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBqTCCAVCgAwIBAgIUGqj3X6IS/6kFRz2sqpWztcJX5MYwCgYIKoZIzj0EAwIw\n"
	"LTELMAkGA1UEBhMCQ0gxETAPBgNVBAoMCFByw7xmdW5nMQswCQYDVQQDDAJDQTAe\n"
	"Fw0yNjExMjUwNDE5MDVaFw0yNjEyMjUwNDE5MDVaMBwxCzAJBgNVBAYTAkNIMQ0w\n"
	"CwYDVQQDDARwZWVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEoF6sJW/xStIE\n"
	"gWZEGnVf0XoL/mY76IUMWiJdQtnsLuzts16UkfA+t5qUHlEzsyFyrytbYF6XUonN\n"
	"eJfxo6Ss4qNfMF0wGwYDVR0RBBQwEoIQcGVlci5leGFtcGxlLm9yZzAdBgNVHQ4E\n"
	"FgQUVmmpeX16f4N2O1FCeAFYr1cyIpwwHwYDVR0jBBgwFoAU3ggz48/as5km2M3g\n"
	"FEBHM1MiCDAwCgYIKoZIzj0EAwIDRwAwRAIgVrslBQbRprdWob8/jxxSn7NYBS+i\n"
	"fEaK3XuB0URa2uUCIGTuH9zTuOds+IpHIGPO1xZS0xyVoyKtzBOwZxhUEDjm\n"
	"-----END CERTIFICATE-----\n";

static const char self_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBijCCATCgAwIBAgIULuwLr7PKTW4Lwuz1R4E0QmND69UwCgYIKoZIzj0EAwIw\n"
	"DzENMAsGA1UEAwwEc2VsZjAeFw0yNjExMjUwNDE5MDVaFw0yNjEyMjUwNDE5MDVa\n"
	"MA8xDTALBgNVBAMMBHNlbGYwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASGZ9uX\n"
	"l4s4KPmrfhMH938HXyessvR60ryLcH4I9cgxnqfhyPgO5b1y4ZP/j4ZshjPQqo3B\n"
	"AGidyYandGfylmIio2owaDAdBgNVHQ4EFgQUhfPPkQQJXw/UxiiyVtcMMuLiGkAw\n"
	"HwYDVR0jBBgwFoAUhfPPkQQJXw/UxiiyVtcMMuLiGkAwGwYDVR0RBBQwEoIQcGVl\n"
	"ci5leGFtcGxlLm9yZzAJBgNVHRMEAjAAMAoGCCqGSM49BAMCA0gAMEUCIHldITX2\n"
	"tRBPiHF2NC9Y83t0qfe/fZ0cLx3TYHuDuV9FAiEA75BckF3Vqtyzev+8RronwlGX\n"
	"JamPVETSer/E1zoUfPc=\n"
	"-----END CERTIFICATE-----\n";

/* as pluto prints it */
#define CA "C=CH, O=Pr\\C3\\BCfung, CN=CA"

/**
 * struct scene - what pluto may be like
 * @auth: of both ends
 * @policy: of the connection
 * @their: type and text of the peer's identity
 * @ca: of the peer, NULL: any
 * @peercert: name of the certificate, NULL: none
 * @keys: public keys that are listed
 * @instance: the connection is an instance
 * @template: identity of the connection it was made from, NULL: there is none
 */
struct scene {
	const char *auth;
	const char *policy;
	const char *their;
	const char *ca;
	const char *peercert;
	const char *keys;
	bool instance;
	const char *template;
};

static char *scene_connection(const struct scene *scene, const char *instance, const char *their)
{
	return xprintf("000 \"c\"%s: 10.0.0.1[x]...10.0.0.2[y]; erouted; eroute owner: #2\n"
		       "000 \"c\"%s:     oriented; my_ip=unset; mycert=own%s%s; my_updown=x;\n"
		       "000 \"c\"%s:   our auth:%s, their auth:%s, our autheap:none, "
				"their autheap:none;\n"
		       "000 \"c\"%s:   CAs: '" CA "'...'%s'\n"
		       "000 \"c\"%s:   policy: %s;\n"
		       "000 \"c\"%s:   our idtype: ID_FQDN; our id=@own; their idtype: %s\n",
		       instance, instance, scene->peercert ? "; peercert=" : "",
		       scene->peercert ? scene->peercert : "", instance, scene->auth, scene->auth,
		       instance, scene->ca ? scene->ca : "%any", instance, scene->policy,
		       instance, their);
}

static char *scene_text(const struct scene *scene)
{
	char *connection = scene_connection(scene, scene->instance ? "[3]" : "", scene->their);
	char *template = scene->template ? scene_connection(scene, "", scene->template) : NULL;
	char *text;

	text = xprintf("000  \n"
		       "%s000 List of X.509 End Certificates:\n"
		       "000 End certificate \"peer\" - SN: 0x01\n"
		       "000   subject: C=CH, CN=peer\n"
		       "000   issuer: " CA "\n"
		       "000 End certificate \"self\" - SN: 0x01\n"
		       "000   subject: CN=self\n"
		       "000   issuer: CN=self\n"
		       "000 List of X.509 CA Certificates:\n"
		       "000 Root CA certificate \"root - SN: 1\" - SN: 0x01\n"
		       "000   subject: " CA "\n"
		       "000   issuer: " CA "\n"
		       "000 using kernel interface: xfrm\n"
		       "000 nssdir=/var/lib/ipsec/nss, dumpdir=/run/pluto, statsbin=unset\n"
		       "%s%s000 #1: \"c\"%s:500 STATE_V2_X (established IKE SA); idle;\n",
		       scene->keys ? scene->keys : "", template ? template : "", connection,
		       scene->instance ? "[3] 10.0.0.2" : "");
	free(connection);
	free(template);
	return text;
}

static void certificates_read(struct nicknames *nicknames)
{
	static const struct {
		const char *name;
		const char *pem;
	} store[] = {
		{ "root - SN: 1", ca_pem }, { "peer", peer_pem }, { "self", self_pem },
	};
	struct nickname *nickname;
	size_t i;

	while ((nickname = nicknames_next(nicknames))) {
		for (i = 0; i < sizeof(store) / sizeof(store[0]); i++)
			if (is(nickname->name, store[i].name))
				nickname_read(nickname, store[i].pem, strlen(store[i].pem));
		nickname->read = true;
	}
}

static struct identity *scene_identity(const struct scene *scene, const char *unique_psk,
				       const char *unique_cert)
{
	struct config config = {
		.pluto_unique_psk = (char *)unique_psk, .pluto_unique_cert = (char *)unique_cert
	};
	struct nicknames nicknames = { NULL };
	struct identity *identity = NULL;
	struct pluto_status status;
	char *text = scene_text(scene);

	EXPECT(!parse(text, &status) && status.states == 1);
	EXPECT(is(status.nss_dir, "/var/lib/ipsec/nss"));
	if (status.states == 1) {
		nicknames_want(&nicknames, &status, &status.connection[status.connections - 1]);
		certificates_read(&nicknames);
		identity = pluto_identity(&status, &nicknames, &status.state[0], &config);
	}
	nicknames_clear(&nicknames);
	pluto_status_clear(&status);
	free(text);
	return identity;
}

#define NO_KEYS "000 List of Public Keys:\n000  \n"
#define A_KEY(id, more) "000 List of Public Keys:\n000  \n" \
	"000 Nov 25 03:25:49 2026,  256 ECDSA Key x (no private key), until --- -- ----\n" \
	"000        ID_FQDN '" id "'\n" more
#define SCENE(a, p, t, ...) { .auth = (a), .policy = (p), .their = (t), ## __VA_ARGS__ }
#define SIGNED(c, cert, k) .ca = (c), .peercert = (cert), .keys = (k)
#define PEER "ID_FQDN; their id=@peer.example.org"

static void test_claims(void)
{
	static const struct {
		struct scene scene;
		enum ipsec_auth_method method;
		const char *id;
		const char *ca;
	} rows[] = {
		{ SCENE("secret", "IKEv2+PSK", PEER),
		  IPSEC_AUTH_GROUPKEY, "peer.example.org", NULL },
		{ SCENE("null", "IKEv2+AUTH_NULL", "ID_NULL; their id=ID_NULL"),
		  IPSEC_AUTH_NONE, NULL, NULL },
		/* of several ways the weakest, or it is not known which */
		{ SCENE("ecdsa", "IKEv2+ECDSA+AUTH_NULL", PEER, SIGNED(CA, NULL, NO_KEYS)),
		  IPSEC_AUTH_NONE, NULL, NULL },
		{ SCENE("secret", "IKEv1+PSK+RSASIG", PEER), IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("rsasig", "IKEv1+PSK+RSASIG", PEER, SIGNED(CA, NULL, NO_KEYS)),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("never", "IKEv2+AUTH_NEVER", PEER), IPSEC_AUTH_NONE, NULL, NULL },
		{ SCENE("other", "IKEv2", PEER), IPSEC_AUTH_NONE, NULL, NULL },
		/* the peer is not asked for what this end has to prove */
		{ SCENE("null", "IKEv2+ECDSA", PEER), IPSEC_AUTH_NONE, NULL, NULL },
		{ SCENE("secret", "IKEv2+RSASIG", PEER), IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("secret", "", PEER), IPSEC_AUTH_GROUPKEY, "peer.example.org", NULL },
		/* certificates */
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED(CA, NULL, NO_KEYS)),
		  IPSEC_AUTH_PKIX_INLINE, "peer.example.org", "CN=CA,O=Prüfung,C=CH" },
		{ SCENE("rsasig", "IKEv2+RSASIG", PEER, SIGNED(NULL, NULL, NO_KEYS)),
		  IPSEC_AUTH_PKIX_INLINE, "peer.example.org", NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED(CA, "peer", NO_KEYS)),
		  IPSEC_AUTH_PKIX_INLINE, "peer.example.org", "CN=CA,O=Prüfung,C=CH" },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, A_KEY("@peer.example.org", "000        Issuer 'x'\n"))),
		  IPSEC_AUTH_PKIX_INLINE, "peer.example.org", "CN=CA,O=Prüfung,C=CH" },
		/* a CA that is not in the database */
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED("CN=other", NULL, NO_KEYS)),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		/* it may have been a key without a certificate */
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, A_KEY("@peer.example.org", ""))),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, A_KEY("@PEER.example.org", ""))),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED(CA, NULL, A_KEY("@other", ""))),
		  IPSEC_AUTH_PKIX_INLINE, "peer.example.org", "CN=CA,O=Prüfung,C=CH" },
		/* the keys are not listed, or not understood */
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, NULL)), IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, A_KEY("@other", "000 news\n"))),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, A_KEY("@other", "000        x 'y'\n"))),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, NULL, "000 List of Public Keys:\n000 x Key x (x)\n")),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		/* a name that nothing has proved */
		{ SCENE("ecdsa", "IKEv2+ECDSA+ALLOW_NO_SAN", PEER, SIGNED(CA, NULL, NO_KEYS)),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", "%fromcert; their id=%fromcert",
			SIGNED(CA, NULL, NO_KEYS)),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		/* it signed itself, and is the only one with that name */
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED("CN=self", "self", NO_KEYS)),
		  IPSEC_AUTH_PKIX_TRUSTED, "peer.example.org", NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED(NULL, "self", NO_KEYS)),
		  IPSEC_AUTH_PKIX_INLINE, "peer.example.org", NULL },
		{ SCENE("ecdsa", "IKEv2+ECDSA", "ID_FQDN; their id=@x",
			SIGNED("CN=self", "self", NO_KEYS)),
		  IPSEC_AUTH_BTNS, NULL, NULL },
		/* a peer that has read this */
		{ SCENE("secret", "IKEv2+PSK", "ID_FQDN; their id=@x; their idtype: ID_FQDN; "
		    "their id=@peer.example.org"), IPSEC_AUTH_GROUPKEY,
		  "x; their idtype: ID_FQDN; their id=@peer.example.org", NULL },
		{ SCENE("secret", "IKEv2+PSK", "ID_FQDN; their id=@\x1b[2J"), IPSEC_AUTH_GROUPKEY,
		  NULL, NULL },
	};
	struct identity *identity;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int before = failures;

		identity = scene_identity(&rows[i].scene, "", "");
		EXPECT(identity);
		if (!identity)
			continue;
		EXPECT(identity->remote.method == rows[i].method);
		EXPECT(rows[i].id ? is(identity->remote.id, rows[i].id) : !identity->remote.id);
		EXPECT(rows[i].ca ? is(identity->remote.ca_dn, rows[i].ca) :
		       !identity->remote.ca_dn);
		EXPECT(!identity->remote.pubkey_id ==
		       (rows[i].method != IPSEC_AUTH_PKIX_TRUSTED));
		if (before != failures)
			printf("# row %zu: %s\n", i, identity->remote.audit);
		identity_put(identity);
	}
}

static void test_administrator(void)
{
	const struct scene psk = SCENE("secret", "IKEv2+PSK", PEER);
	const struct scene roaming = SCENE("secret", "IKEv2+PSK", PEER, .instance = true,
					   .template = "%none; their id=%any");
	const struct scene fixed = SCENE("secret", "IKEv2+PSK", PEER, .instance = true,
					 .template = PEER);
	const struct scene lost = SCENE("secret", "IKEv2+PSK", PEER, .instance = true);
	const struct scene cert = SCENE("ecdsa", "IKEv2+ECDSA", PEER, SIGNED(CA, "peer", NO_KEYS));
	const struct scene raw = SCENE("ecdsa", "IKEv2+ECDSA", PEER,
			SIGNED(CA, "peer", A_KEY("@peer.example.org", "")));
	const struct scene name = SCENE("ecdsa", "IKEv2+ECDSA",
					"ID_DER_ASN1_DN; their id=C=CH, CN=peer",
			SIGNED(CA, "peer", NO_KEYS));
	const struct {
		const struct scene *scene;
		const char *psk;
		const char *cert;
		enum ipsec_auth_method method;
	} rows[] = {
		{ &psk, " c ", "", IPSEC_AUTH_PRESHAREDKEY },
		{ &psk, " d ", "", IPSEC_AUTH_GROUPKEY },
		{ &roaming, " c ", "", IPSEC_AUTH_GROUPKEY },
		{ &lost, " c ", "", IPSEC_AUTH_GROUPKEY },
		{ &fixed, " c ", "", IPSEC_AUTH_PRESHAREDKEY },
		{ &cert, "", " c ", IPSEC_AUTH_PKIX_TRUSTED },
		{ &cert, " c ", " d ", IPSEC_AUTH_PKIX_INLINE },
		{ &name, "", " c ", IPSEC_AUTH_PKIX_TRUSTED },
		{ &raw, "", " c ", IPSEC_AUTH_BTNS },
	};
	struct identity *identity, *again;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		identity = scene_identity(rows[i].scene, rows[i].psk, rows[i].cert);
		again = scene_identity(rows[i].scene, rows[i].psk, rows[i].cert);
		if (!identity || identity->remote.method != rows[i].method)
			printf("# row %zu: %s\n", i, identity ? identity->remote.audit : "none");
		EXPECT(identity && identity->remote.method == rows[i].method);
		EXPECT(identity && !identity->remote.certificate_dn ==
		       (rows[i].method != IPSEC_AUTH_PKIX_TRUSTED));
		/* found out again it is the same, but for what is equal to nothing */
		EXPECT(identity && again && !memcmp(identity->remote.itoken, again->remote.itoken,
						    IPSEC_ITOKEN_SIZE) ==
		       (rows[i].method != IPSEC_AUTH_BTNS));
		identity_put(identity);
		identity_put(again);
	}
}

static void test_certificates(void)
{
	char *both = xprintf("%s%s", ca_pem, peer_pem), *rubbish = xprintf("%sx", peer_pem);
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
		{ "", 0 }, { "nothing", 0 }, { "-----BEGIN CERTIFICATE-----\n", 0 },
		{ "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", 0 },
		{ peer_pem, 1 },
	};
	struct nickname nickname;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		nickname = (struct nickname){ .name = "x" };
		nickname_read(&nickname, rows[i].text, strlen(rows[i].text));
		EXPECT(nickname.read && nickname.credentials == rows[i].count);
		while (nickname.credentials)
			credential_free(nickname.credential[--nickname.credentials]);
		free(nickname.credential);
	}
	nickname = (struct nickname){ .name = "x" };
	nickname_read(&nickname, both, strlen(both));
	EXPECT(nickname.credentials == 2);
	/* cut off behind the first: none rather than half of them */
	nickname_read(&nickname, both, strlen(both) - 20);
	EXPECT(nickname.credentials == 0);
	nickname_read(&nickname, rubbish, strlen(rubbish));
	EXPECT(nickname.credentials == 1);
	credential_free(nickname.credential[0]);
	free(nickname.credential);
	free(both);
	free(rubbish);
}

/* --------------------------------------------------------------------- scripts */

#define MESSAGE(text) (text), sizeof(text)

static void test_updown(void)
{
	static const struct {
		const char *message;
		size_t len;
		const char *what;
	} rows[] = {
		{ MESSAGE("PLUTO_VERB=up-host\0PLUTO_CONNECTION=a"), NULL },
		{ MESSAGE("PLUTO_CONNECTION=a\0PLUTO_VERB=up\0OTHER=\xff\n\0SPI_IN=0xff"), NULL },
		{ "PLUTO_VERB=up\0PLUTO_CONNECTION=a", 32, "size" },
		{ "", 0, "size" },
		{ MESSAGE(""), "name of a variable" },
		{ MESSAGE("=x"), "name of a variable" },
		{ MESSAGE("PLUTO_VERB"), "name of a variable" },
		{ MESSAGE("pluto=x"), "name of a variable" },
		{ MESSAGE("A\nB=x"), "name of a variable" },
		{ MESSAGE("PLUTO_VERB=up-host"), "PLUTO_CONNECTION" },
		{ MESSAGE("PLUTO_CONNECTION=a"), "PLUTO_VERB" },
		{ MESSAGE("PLUTO_VERB=\0PLUTO_CONNECTION=a"), "PLUTO_VERB" },
		{ MESSAGE("PLUTO_VERB=up host\0PLUTO_CONNECTION=a"), "PLUTO_VERB" },
		{ MESSAGE("PLUTO_VERB=abcdefghijklmnopqrstuvwxyzabcdef\0PLUTO_CONNECTION=a"),
		  "PLUTO_VERB" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_VERB=up\0PLUTO_CONNECTION=a"), "PLUTO_VERB" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION="), "PLUTO_CONNECTION" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=a\nb"), "PLUTO_CONNECTION" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=\xc3"), "PLUTO_CONNECTION" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=a\0SPI_IN=1"), "SPI_IN" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=a\0SPI_IN=0x"), "SPI_IN" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=a\0SPI_OUT=0x123456789"), "SPI_OUT" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=a\0SPI_OUT=0x1 "), "SPI_OUT" },
		{ MESSAGE("PLUTO_VERB=up\0PLUTO_CONNECTION=a\0SPI_IN=0x1\0SPI_IN=0x1"), "SPI_IN" },
	};
	struct updown updown;
	const char *what;
	char *copy;
	size_t i;
	int err;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		copy = malloc(rows[i].len + !rows[i].len);
		memcpy(copy, rows[i].message, rows[i].len);
		err = updown_parse(copy, rows[i].len, &updown, &what);
		if (err != (rows[i].what ? -EBADMSG : 0) ||
		    (rows[i].what && !is(what, rows[i].what)))
			printf("# row %zu: %d\n", i, err);
		EXPECT(err == (rows[i].what ? -EBADMSG : 0));
		EXPECT(!rows[i].what || is(what, rows[i].what));
		free(copy);
	}
	EXPECT(!updown_parse(rows[1].message, rows[1].len, &updown, &what) &&
	       is(updown.connection, "a") && is(updown.verb, "up") && updown.spi[0] == 0xff);
}

static void test_updown_socket(void)
{
	static const char message[] = "PLUTO_VERB=up\0PLUTO_CONNECTION=a";
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/tokend_updown.XXXXXX", *path;
	struct updown updown;
	struct stat st;
	int fd, second, from;

	EXPECT(mkdtemp(directory));
	path = xprintf("%s/new/socket", directory);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = updown_open(path);
	EXPECT(fd >= 0 && !stat(path, &st) && (st.st_mode & 0777) == 0600);
	/* one that is in use is left alone, one that was left behind is not */
	EXPECT(updown_open(path) == -EADDRINUSE);
	from = socket(AF_UNIX, SOCK_DGRAM, 0);
	EXPECT(sendto(from, message, sizeof(message), 0, (struct sockaddr *)&addr,
		      sizeof(addr)) == sizeof(message));
	EXPECT(updown_read(fd, &updown) == (getuid() ? -EBADMSG : 0));
	EXPECT(updown_read(fd, &updown) == -EAGAIN);
	close(fd);
	second = updown_open(path);
	EXPECT(second >= 0);
	close(second);
	unlink(path);

	/* whatever else is there is not ours to remove */
	EXPECT(!symlink("/etc/passwd", path) && updown_open(path) == -EADDRINUSE);
	EXPECT(!lstat(path, &st) && S_ISLNK(st.st_mode));
	unlink(path);
	close(from);
	free(path);
	path = xprintf("%s/new", directory);
	rmdir(path);
	rmdir(directory);
	free(path);
}

/* -------------------------------------------------------------------- programs */

/* Run it to its end, or kill it. */
static int run(const char *const *argv, size_t max, int ms, char *out, size_t size)
{
	struct program *program = program_start(argv, max);
	const char *text;
	size_t len;
	int err;

	if (!program)
		return -errno;
	while (!program_ready(program)) {
		struct pollfd fds[] = {
			{ .fd = program_output_fd(program), .events = POLLIN },
			{ .fd = program_exit_fd(program), .events = POLLIN },
		};

		if (!poll(fds, 2, ms))
			program_kill(program);
	}
	err = program_result(program, &text, &len);
	snprintf(out, size, "%.*s", (int)len, text);
	program_free(program);
	return err;
}

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_programs(void)
{
	struct program *program;
	char out[4096];

	EXPECT(!run(ARGV("/bin/echo", "$HOME", "a  b;id"), 100, 20000, out, sizeof(out)) &&
	       is(out, "$HOME a  b;id\n"));
	EXPECT(!run(ARGV("/bin/cat"), 100, 20000, out, sizeof(out)) && !*out);
	EXPECT(!run(ARGV("/usr/bin/env"), 1000, 20000, out, sizeof(out)) &&
	       strstr(out, "LC_ALL=C\n") && !strstr(out, "HOME="));
	EXPECT(run(ARGV("/bin/false"), 100, 20000, out, sizeof(out)) == -EIO);
	EXPECT(run(ARGV("/nonexistent"), 100, 20000, out, sizeof(out)) == -ENOENT);
	EXPECT(run(ARGV("/usr/bin/yes"), 100000, 20000, out, sizeof(out)) == -EFBIG);
	EXPECT(run(ARGV("/bin/sleep", "100"), 100, 50, out, sizeof(out)) == -ETIMEDOUT);
	EXPECT(run(ARGV("/bin/sh", "-c", "kill -9 $$"), 100, 20000, out, sizeof(out)) == -EIO);
	/* it is over when it has ended, whoever else holds on to its output */
	EXPECT(!run(ARGV("/bin/sh", "-c", "echo a; sleep 5 & exit 0"), 100, 20000, out,
		    sizeof(out)) && is(out, "a\n"));
	program = program_start(ARGV("/bin/sleep", "100"), 100);
	EXPECT(program && !program_ready(program));
	program_free(program);
}

static const struct unit_test tests[] = {
	{ test_states, "SAs are read" },
	{ test_states_odd, "odd lines are passed over, and rubbish is refused" },
	{ test_connections, "connections are read" },
	{ test_text, "text that may be shown" },
	{ test_claims, "what is claimed of which evidence" },
	{ test_administrator, "what is claimed since an administrator says so" },
	{ test_certificates, "certificates are read, all or none" },
	{ test_updown, "what scripts may say" },
	{ test_updown_socket, "where they say it" },
	{ test_programs, "programs are run, and ended" },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

int main(void)
{
	log_level_set(0);
	return unit_run(tests, TESTS);
}
