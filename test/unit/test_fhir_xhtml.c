/*
 * The narrative's scanner: single cases, and expat as a judge of well-formedness.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <expat.h>

#include "fhir_unit.h"
#include "fhir_xhtml.h"

#define DIV(x) "<div xmlns=\"http://www.w3.org/1999/xhtml\">" x "</div>"

static void
test_cases(void **state)
{
	static const struct
	{
		const char *text;
		FhirXhtmlFault fault;
	}			cases[] = {
		{DIV("x"), FHIR_XHTML_FINE},
		{DIV("<p>a<br/>b</p><table><tr><td colspan='2'>1 &lt; 2 &#233; &#x1F600;</td></tr></table>"), FHIR_XHTML_FINE},
		{DIV("<!-- c --><![CDATA[<x>]]>"), FHIR_XHTML_FINE},
		{DIV("<a href=\"#x\" title=\"a > b\">x</a><img src='a.png' alt=''/>"), FHIR_XHTML_FINE},
		{" <!-- before -->" DIV("x") "<!-- behind -->\n", FHIR_XHTML_FINE},
		{"<div xmlns='http://www.w3.org/1999/xhtml' xml:lang='vi' lang='vi'>Đỉnh</div>", FHIR_XHTML_FINE},
		{"", FHIR_XHTML_EMPTY},
		{DIV(""), FHIR_XHTML_EMPTY},
		{DIV(" \n<p> </p>"), FHIR_XHTML_EMPTY},
		{DIV("<img src='x'/>"), FHIR_XHTML_FINE},
		{"x", FHIR_XHTML_MALFORMED},
		{"<div>", FHIR_XHTML_ROOT},
		{"<div xmlns='http://www.w3.org/1999/xhtml'>", FHIR_XHTML_MALFORMED},
		{"<div xmlns='urn:x'>x</div>", FHIR_XHTML_ROOT},
		{"<span xmlns='http://www.w3.org/1999/xhtml'>x</span>", FHIR_XHTML_ROOT},
		{DIV("<p>x</P>"), FHIR_XHTML_MALFORMED},
		{DIV("<b><i>x</b></i>"), FHIR_XHTML_MALFORMED},
		{DIV("&nbsp;"), FHIR_XHTML_MALFORMED},
		{DIV("a & b"), FHIR_XHTML_MALFORMED},
		{DIV("&#0;"), FHIR_XHTML_MALFORMED},
		{DIV("&#xD800;"), FHIR_XHTML_MALFORMED},
		{DIV("&#99999999999;"), FHIR_XHTML_MALFORMED},
		{DIV("]]>"), FHIR_XHTML_MALFORMED},
		{DIV("<p class=x>y</p>"), FHIR_XHTML_MALFORMED},
		{DIV("<p class='x' class='y'>z</p>"), FHIR_XHTML_MALFORMED},
		{DIV("<p class='<'>z</p>"), FHIR_XHTML_MALFORMED},
		{DIV("<p nowrap>z</p>"), FHIR_XHTML_MALFORMED},
		{DIV("<!-- a -- b -->x"), FHIR_XHTML_MALFORMED},
		{DIV("x") DIV("y"), FHIR_XHTML_MALFORMED},
		{"<?xml version='1.0'?>" DIV("x"), FHIR_XHTML_MALFORMED},
		{"<!DOCTYPE div [<!ENTITY a \"b\">]>" DIV("&a;"), FHIR_XHTML_MALFORMED},
		{DIV("<script>x</script>"), FHIR_XHTML_SCRIPT},
		{DIV("<p onclick='x'>y</p>"), FHIR_XHTML_SCRIPT},
		{DIV("<p ONCLICK='x'>y</p>"), FHIR_XHTML_SCRIPT},
		{DIV("<a href='javascript:x'>y</a>"), FHIR_XHTML_SCRIPT},
		{DIV("<a href=' JaVa&#x73;cript:x'>y</a>"), FHIR_XHTML_SCRIPT},
		{DIV("<a href='java\tscript:x'>y</a>"), FHIR_XHTML_SCRIPT},
		{DIV("<a href='java&#10;script&#58;x'>y</a>"), FHIR_XHTML_SCRIPT},
		{DIV("<a href='vbscript:x'>y</a>"), FHIR_XHTML_SCRIPT},
		{DIV("<a href='data:text/html;base64,x'>y</a>"), FHIR_XHTML_SCRIPT},
		{DIV("<p style='width: expression(x)'>y</p>"), FHIR_XHTML_SCRIPT},
		{DIV("<p style='width: e\\78pression(x)'>y</p>"), FHIR_XHTML_SCRIPT},
		{DIV("<img src='data:image/png;base64,x' alt='y'/>"), FHIR_XHTML_FINE},
		{DIV("<iframe src='x'>y</iframe>"), FHIR_XHTML_ELEMENT},
		{DIV("<style>x</style>"), FHIR_XHTML_ELEMENT},
		{DIV("<form action='x'>y</form>"), FHIR_XHTML_ATTRIBUTE},
		{DIV("<svg>y</svg>"), FHIR_XHTML_ELEMENT},
		{DIV("<x:p>y</x:p>"), FHIR_XHTML_ELEMENT},
		{DIV("<p foo='x'>y</p>"), FHIR_XHTML_ATTRIBUTE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		FhirXhtmlFault fault = fhir_xhtml_check(cases[i].text, strlen(cases[i].text));

		if (fault != cases[i].fault)
			fail_msg("%d instead of %d: %s", fault, cases[i].fault, cases[i].text);
	}
}

static void
test_depth(void **state)
{
	char		text[FHIR_XHTML_DEPTH_MAX * 20 + 200];

	for (int n = FHIR_XHTML_DEPTH_MAX - 2; n <= FHIR_XHTML_DEPTH_MAX + 1; n++)
	{
		strcpy(text, "<div xmlns=\"http://www.w3.org/1999/xhtml\">");
		for (int i = 1; i < n; i++)
			strcat(text, "<b>");
		strcat(text, "x");
		for (int i = 1; i < n; i++)
			strcat(text, "</b>");
		strcat(text, "</div>");
		assert_int_equal(fhir_xhtml_check(text, strlen(text)), n <= FHIR_XHTML_DEPTH_MAX ? FHIR_XHTML_FINE : FHIR_XHTML_DEEP);
	}
}

static bool
expat_accepts(const char *text, size_t len)
{
	XML_Parser	parser = XML_ParserCreateNS("UTF-8", ' ');
	bool		accepts = XML_Parse(parser, text, (int) len, 1) == XML_STATUS_OK;

	XML_ParserFree(parser);
	return accepts;
}

/* What we call fine expat calls well-formed; what we call malformed it refuses, but for what FHIR forbids. */
static void
test_against_expat(void **state)
{
	static const char *const samples[] = {
		DIV("<p class=\"a\">x &amp; y</p><br/><!-- c --> <b>z</b>"),
		DIV("<table border='1'><tr><td>1 &#233; &#xe9;</td></tr></table>"),
		DIV("<a href=\"http://example.org/?a=1&amp;b=2\" title='t'>x</a><![CDATA[ <>& ]]>"),
	};
	unsigned	seed = 3;
	int			fine = 0,
				malformed = 0;

	for (int round = 0; round < 100000; round++)
	{
		char		text[512];
		size_t		len;
		FhirXhtmlFault fault;
		bool		accepted;

		strcpy(text, samples[rand_r(&seed) % 3]);
		len = strlen(text);
		mutate(text, &len, sizeof(text) - 1, "<>/&;!-'\"=#xap[] \n\001:]?C", &seed);
		text[len] = '\0';
		fault = fhir_xhtml_check(text, len);
		accepted = expat_accepts(text, len);
		if (fault == FHIR_XHTML_FINE && !accepted)
			fail_msg("accepted, expat does not: %s", text);
		if (fault == FHIR_XHTML_MALFORMED && accepted && strstr(text, "<?") == NULL && strstr(text, "<!DOC") == NULL)
			fail_msg("refused, expat does not: %s", text);
		fine += fault == FHIR_XHTML_FINE;
		malformed += fault == FHIR_XHTML_MALFORMED;
	}
	assert_true(fine > 1000 && malformed > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_against_expat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
