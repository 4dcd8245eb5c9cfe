// SPDX-License-Identifier: GPL-2.0-only
/*
 * Distinguished names: what people write becomes what the agent writes, or is
 * refused, and what the agent writes stays as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "../tools/credential.h"

static unsigned int failures;

/* what is written, and what becomes of it; NULL: it is refused */
static const struct {
	const char *text;
	const char *wanted;
} samples[] = {
	{ "CN=db.example", "CN=db.example" },
	{ "CN=db.example,O=Example,C=CH", "CN=db.example,O=Example,C=CH" },
	/* around what separates parts there may be spaces, within values they count */
	{ "  CN = db.example , O = Example ", "CN=db.example,O=Example" },
	{ "CN=a  b", "CN=a  b" },
	{ "CN=\\ a\\ ", "CN=\\ a\\ " },
	{ "CN=a\\  ,O=b", "CN=a\\ ,O=b" },
	/* types in any case, in full, or as numbers */
	{ "cn=x,o=y,dc=z", "CN=x,O=y,DC=z" },
	{ "commonName=x,2.5.4.10=y", "CN=x,O=y" },
	{ "emailAddress=a@b,EMAILADDRESS=c@d", "emailAddress=a@b,emailAddress=c@d" },
	/* OpenSSL tells these two by their case */
	{ "UID=x", "UID=x" },
	{ "uid=x", "uid=x" },
	/* case of values, and order: other names */
	{ "CN=DB.example", "CN=DB.example" },
	{ "O=Example,CN=db.example", "O=Example,CN=db.example" },
	/* escapes that are needed stay, others do not */
	{ "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h", "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h" },
	{ "CN=a\\2cO=x", "CN=a\\,O=x" },
	{ "CN=\\#x", "CN=\\#x" },
	{ "CN=a#b\\=c=d", "CN=a#b=c=d" },
	{ "CN=\\41\\42", "CN=AB" },
	{ "CN=Gr\\C3\\BC\\C3\\9Fe", "CN=Grüße" },
	{ "CN=Grüße", "CN=Grüße" },
	{ "CN=a\\0Ab\\00c", "CN=a\\0Ab\\00c" },
	{ "CN=", "CN=" },
	/* a value in DER: UTF8String, PrintableString */
	{ "CN=#0C026162,O=#13026364", "CN=ab,O=cd" },
	{ "1.3.6.1.4.1.99999.1=#0C026162", "1.3.6.1.4.1.99999.1=#0C026162" },
	/* what stands side by side has the order of DER */
	{ "CN=a+O=b", "O=b+CN=a" },
	{ "O=b+CN=a", "O=b+CN=a" },
	{ "CN=a+OU=b,O=c", "OU=b+CN=a,O=c" },
	{ "O=c,CN=a+OU=b", "O=c,OU=b+CN=a" },

	{ "", NULL },
	{ " ", NULL },
	{ "db.example", NULL },
	{ "/CN=db.example/O=x", NULL },
	{ "CN", NULL },
	{ "=x", NULL },
	{ "CN=x,", NULL },
	{ ",CN=x", NULL },
	{ "CN=x+", NULL },
	{ "CN=x,,O=y", NULL },
	{ "CN=x;O=y", NULL },
	{ "CN=\"x\"", NULL },
	{ "CN=<x>", NULL },
	{ "CN=x\\", NULL },
	{ "CN=x\\y", NULL },
	{ "CN=x\\4", NULL },
	{ "CN=\\ff", NULL },
	{ "CN=\xff", NULL },
	{ "nonsense=x", NULL },
	{ "1.3.6.1.4.1.99999.1=x", NULL },
	{ "1.=x", NULL },
	{ "9.9.9=x", NULL },
	{ "CN=#", NULL },
	{ "CN=#0C0261", NULL },
	{ "CN=#0C02616263", NULL },
	{ "CN=#0C02616", NULL },
	{ "CN=#0C026162x", NULL },
	{ "CN=#0500", NULL },
	{ "CN=#0101FF", NULL },
	{ "CN=#0603550403", NULL },
};

static void rewrites(const char *text, const char *wanted)
{
	const char *why = NULL;
	char *got = dn_rewrite(text, &why);

	if (got && wanted ? strcmp(got, wanted) : got || wanted) {
		printf("# \"%s\": \"%s\", wanted \"%s\"\n", text, got ? got : why,
		       wanted ? wanted : "an error");
		failures++;
	}
	if (!got && !(why && *why)) {
		printf("# \"%s\": refused without a reason\n", text);
		failures++;
	}
	/* once written so, it stays so */
	if (got && wanted && strcmp(text, wanted))
		rewrites(got, got);
	free(got);
}

static void test_samples(void)
{
	char longer[5000] = "CN=";
	size_t i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		rewrites(samples[i].text, samples[i].wanted);

	memset(longer + 3, 'x', sizeof(longer) - 4);
	rewrites(longer, NULL);
	longer[1000] = '\0';
	rewrites(longer, longer);
}

/* What is in a certificate, whatever kind of string it is, and what people write. */
static void test_certificates(void)
{
	static const struct {
		int type;
		const char *value;
		int len;
		const char *text;
	} values[] = {
		{ V_ASN1_UTF8STRING, "Gr\xc3\xbc\xc3\x9f", -1, "CN=Grüß" },
		{ V_ASN1_PRINTABLESTRING, "plain", -1, "CN=plain" },
		{ V_ASN1_IA5STRING, " a@b ", -1, "CN=\\ a@b\\ " },
		{ V_ASN1_T61STRING, "Gr\xfc\xdf", -1, "CN=Grüß" },
		{ V_ASN1_BMPSTRING, "\0G\0r\0\xfc\0\xdf", 8, "CN=Grüß" },
		{ V_ASN1_UTF8STRING, "a\0b", 3, "CN=a\\00b" },
		{ V_ASN1_UTF8STRING, "a,O=evil", -1, "CN=a\\,O=evil" },
	};
	X509_NAME *name;
	char *text;
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		name = X509_NAME_new();
		text = NULL;
		if (X509_NAME_add_entry_by_NID(name, NID_commonName, values[i].type,
					       (const unsigned char *)values[i].value,
					       values[i].len, -1, 0))
			text = name_string(name);
		if (!text || strcmp(text, values[i].text)) {
			printf("# value %zu: \"%s\", wanted \"%s\"\n", i, text ? text : "none",
			       values[i].text);
			failures++;
		} else {
			rewrites(text, text);
		}
		free(text);
		X509_NAME_free(name);
	}
}

static void report(const char *name)
{
	static int count;

	printf("%sok %d %s\n", failures ? "not " : "", ++count, name);
}

int main(void)
{
	unsigned int all;

	printf("KTAP version 1\n1..2\n");
	test_samples();
	report("what people write");
	all = failures;
	failures = 0;
	test_certificates();
	report("what is in certificates");
	return all || failures;
}
