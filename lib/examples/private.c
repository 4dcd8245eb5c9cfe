// SPDX-License-Identifier: LGPL-2.1-or-later
/* Is the connection on standard input private? As a service of inetd(8). */
#include <stdio.h>
#include <unistd.h>
#include <ipsec/token.h>

int main(void)
{
	struct ipsec *ipsec;
	ipsec_ptoken_t ptoken = IPSEC_PTOKEN_UNKNOWN;
	char audit[512];
	int ret = ipsec_open(&ipsec);

	if (ret == 0)
		ret = ipsec_ptoken_from_fd(STDIN_FILENO, &ptoken);
	if (ret == 0)
		ret = ipsec_ptoken_privacy_protected(ipsec, ptoken);
	if (ret == 1 && ipsec_ptoken_audit_string(ipsec, ptoken, audit, sizeof(audit)) > 0)
		printf("private: %s\n", audit);
	else
		printf("%s\n", ret < 0 ? ipsec_strerror(ret) : "not private");
	return ret != 1;
}
