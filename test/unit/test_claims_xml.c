/* Unit tests of core/claims_xml.c: what is read, and what hostile input comes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims_xml.h"

/* ---- a context that counts what is not given back, and can run out of memory ---- */

typedef struct Memory
{
	int			live;
	int			left;			/* allocations until it runs out; -1 = never */
	bool		interrupt;
} Memory;

static void *
take(void *arg, size_t size)
{
	Memory	   *m = arg;

	if (m->left == 0)
		return NULL;
	if (m->left > 0)
		m->left--;
	m->live++;
	return malloc(size);
}

static void
give(void *arg, void *ptr)
{
	((Memory *) arg)->live--;
	free(ptr);
}

static bool
asked_to_stop(void *arg)
{
	return ((Memory *) arg)->interrupt;
}

static Memory memory;

static const CoreContext cx = {take, give, asked_to_stop, &memory, 0};

static int
fresh(void **state)
{
	memory = (Memory) {0, -1, false};
	return 0;
}

static int
nothing_leaked(void **state)
{
	assert_int_equal(memory.live, 0);
	return 0;
}

static const char *const no_groups[CLAIMS_XML_LEVELS] = {NULL, NULL};
static const char *const row_groups[CLAIMS_XML_LEVELS] = {"ROW", NULL};

static CoreStatus
read_groups(const char *xml, size_t len, const char *const *groups, ClaimsXmlDoc *doc)
{
	return claims_xml_read(&cx, xml, len, groups, CLAIMS_XML_MAX_TEXT, doc);
}

static void
refused(const char *xml, size_t len, CoreStatus status, ClaimsXmlRule rule, int line)
{
	ClaimsXmlDoc doc;

	assert_int_equal(read_groups(xml, len, no_groups, &doc), status);
	assert_int_equal(doc.rule, rule);
	if (line > 0)
		assert_int_equal(doc.line, line);
	assert_null(doc.leaves);
	assert_null(doc.blocks);
}

#define REFUSED(xml, status, rule, line)	refused(xml, sizeof(xml) - 1, status, rule, line)

/* ---- what is read ---- */

static void
leaves_in_order(void **state)
{
	static const char xml[] =
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		"<A xmlns:x=\"u\">\n"
		" <HEAD>h</HEAD>\n"
		" <LIST>\n"
		"  <ROW><N>1</N><E/><W> \n\t</W><C><![CDATA[<Đ & 'ă'>]]> x</C></ROW>\n"
		"  <ROW a=\"1\"><N>2 &lt; 3</N><D><DD>deep</DD></D></ROW>\n"
		" </LIST>\n"
		" stray\n"
		"</A>\n";
	static const struct
	{
		const char *path,
				   *text;
		int			line,
					row;
	}			want[] = {
		{"HEAD", "h", 3, 0}, {"N", "1", 5, 1}, {"C", "<Đ & 'ă'> x", 6, 1}, {"N", "2 < 3", 7, 2}, {"D/DD", "deep", 7, 2},
	};
	ClaimsXmlDoc doc;
	size_t		i;

	assert_int_equal(read_groups(xml, sizeof(xml) - 1, row_groups, &doc), CORE_OK);
	assert_string_equal(doc.root, "A");
	assert_int_equal(doc.nleaves, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < doc.nleaves; i++)
	{
		assert_string_equal(doc.leaves[i].path, want[i].path);
		assert_string_equal(doc.leaves[i].text, want[i].text);
		assert_int_equal(doc.leaves[i].text_len, strlen(want[i].text));
		assert_int_equal(doc.leaves[i].line, want[i].line);
		assert_int_equal(doc.leaves[i].group[0], want[i].row);
		assert_int_equal(doc.leaves[i].group[1], 0);
	}
	assert_int_equal(doc.ngroups, 2);
	assert_int_equal(doc.attributes, 1);
	assert_int_equal(doc.mixed, 1);
	assert_false(doc.bom);
	claims_xml_free(&cx, &doc);
}

static void
groups_in_groups(void **state)
{
	static const char *const groups[] = {"HOSO", "FILE"};
	static const char xml[] = "<E><HOSO><FILE><K>a</K></FILE><FILE><K>b</K></FILE></HOSO><HOSO><FILE><K>c</K></FILE></HOSO><FILE><K>d</K></FILE></E>";
	static const int want[][2] = {{1, 1}, {1, 2}, {2, 1}, {0, 0}};
	ClaimsXmlDoc doc;
	size_t		i;

	assert_int_equal(read_groups(xml, sizeof(xml) - 1, groups, &doc), CORE_OK);
	assert_int_equal(doc.nleaves, 4);
	for (i = 0; i < 4; i++)
		assert_memory_equal(doc.leaves[i].group, want[i], sizeof(want[i]));
	assert_string_equal(doc.leaves[3].path, "FILE/K");	/* a FILE outside of a HOSO opens no group */
	assert_int_equal(doc.ngroups, 5);
	/* the bytes of a group are those from its start tag to its end tag */
	assert_memory_equal(xml + doc.groups[2].from, "<HOSO><FILE><K>a", 16);
	assert_memory_equal(xml + doc.groups[2].to - 7, "</HOSO>", 7);
	claims_xml_free(&cx, &doc);
}

static void
root_is_leaf_and_group(void **state)
{
	static const char *const groups[] = {"A", NULL};
	ClaimsXmlDoc doc;

	assert_int_equal(read_groups("<A>x</A>", 8, no_groups, &doc), CORE_OK);
	assert_string_equal(doc.leaves[0].path, "A");
	claims_xml_free(&cx, &doc);
	assert_int_equal(read_groups("<A><B>x</B></A>", 15, groups, &doc), CORE_OK);
	assert_string_equal(doc.leaves[0].path, "B");
	assert_int_equal(doc.leaves[0].group[0], 1);
	claims_xml_free(&cx, &doc);
}

static void
byte_order_mark(void **state)
{
	ClaimsXmlDoc doc;

	assert_int_equal(read_groups("\xEF\xBB\xBF<A><B>x</B></A>", 18, no_groups, &doc), CORE_OK);
	assert_true(doc.bom);
	assert_string_equal(doc.leaves[0].path, "B");
	claims_xml_free(&cx, &doc);
	REFUSED("\xEF\xBB\xBF", CORE_INVALID, CLAIMS_XML_EMPTY, 1);
	REFUSED("\xEF\xBB\xBF\xEF\xBB\xBF<A/>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 1);
}

static void
utf16_is_read(void **state)
{
	static const char xml[] = "\xFF\xFE<\0A\0>\0\x01\x01<\0/\0A\0>\0";
	ClaimsXmlDoc doc;

	assert_int_equal(read_groups(xml, sizeof(xml) - 1, no_groups, &doc), CORE_OK);
	assert_string_equal(doc.leaves[0].text, "\xC4\x81");
	claims_xml_free(&cx, &doc);
}

/* ---- hostile input ---- */

static void
nothing_at_all(void **state)
{
	refused("", 0, CORE_INVALID, CLAIMS_XML_EMPTY, 1);
	REFUSED(" \n\t ", CORE_INVALID, CLAIMS_XML_EMPTY, 1);
}

static void
not_well_formed(void **state)
{
	REFUSED("no xml", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 1);
	REFUSED("<A>\n<B>x</C></A>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 2);
	REFUSED("<A>&undeclared;</A>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 1);
	REFUSED("<A>a\x00" "b</A>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 1);
	REFUSED("<A>\n\n<B>\xFF\xFE</B></A>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 3);
	REFUSED("<A>\xC0\xAF</A>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 1);
	REFUSED("<A/><B/>", CORE_INVALID, CLAIMS_XML_NOT_WELL_FORMED, 1);
	REFUSED("<?xml version=\"1.0\" encoding=\"windows-1258\"?><A>x</A>", CORE_INVALID, CLAIMS_XML_ENCODING, 1);
}

static void
every_truncation(void **state)
{
	static const char xml[] = "<?xml version=\"1.0\"?><A><ROW><B>x</B><C><![CDATA[y]]></C></ROW></A>";
	size_t		n;

	for (n = 1; n < sizeof(xml) - 1; n++)
	{
		ClaimsXmlDoc doc;

		assert_int_equal(read_groups(xml, n, row_groups, &doc), CORE_INVALID);
		assert_null(doc.leaves);
	}
}

static void
entities(void **state)
{
	REFUSED("<!DOCTYPE a [<!ENTITY b \"1\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">]><a>&d;</a>",
			CORE_INVALID, CLAIMS_XML_DOCTYPE, 1);
	REFUSED("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", CORE_INVALID, CLAIMS_XML_DOCTYPE, 1);
	REFUSED("<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://127.0.0.1/\"> %p;]><a/>", CORE_INVALID, CLAIMS_XML_DOCTYPE, 1);
	REFUSED("\n<!DOCTYPE a><a/>", CORE_INVALID, CLAIMS_XML_DOCTYPE, 2);
}

static void
too_deep(void **state)
{
	char		xml[(CLAIMS_XML_MAX_DEPTH + 1) * 7 + 1];
	int			depth;

	for (depth = CLAIMS_XML_MAX_DEPTH; depth <= CLAIMS_XML_MAX_DEPTH + 1; depth++)
	{
		ClaimsXmlDoc doc;
		char	   *p = xml;
		int			i;

		for (i = 0; i < depth; i++)
			p += sprintf(p, "<A>");
		for (i = 0; i < depth; i++)
			p += sprintf(p, "</A>");
		if (depth > CLAIMS_XML_MAX_DEPTH)
			refused(xml, p - xml, CORE_TOO_DEEP, CLAIMS_XML_DEPTH, 1);
		else
		{
			assert_int_equal(read_groups(xml, p - xml, no_groups, &doc), CORE_OK);
			claims_xml_free(&cx, &doc);
		}
	}
}

/* an element of n letters, of a name of m letters */
static char *
big(size_t n, size_t m, size_t *len)
{
	char	   *xml = malloc(2 * m + n + 64);
	char	   *p = xml;

	p += sprintf(p, "<A><");
	memset(p, 'N', m);
	p += m;
	*p++ = '>';
	memset(p, 'x', n);
	p += n;
	p += sprintf(p, "</");
	memset(p, 'N', m);
	p += m;
	p += sprintf(p, "></A>");
	*len = p - xml;
	return xml;
}

static void
too_large(void **state)
{
	ClaimsXmlDoc doc;
	size_t		len;
	char	   *xml = big(CLAIMS_XML_MAX_TEXT, 3, &len);

	assert_int_equal(read_groups(xml, len, no_groups, &doc), CORE_OK);
	assert_int_equal(doc.leaves[0].text_len, CLAIMS_XML_MAX_TEXT);
	claims_xml_free(&cx, &doc);
	free(xml);

	xml = big(CLAIMS_XML_MAX_TEXT + 1, 3, &len);
	refused(xml, len, CORE_TOO_LARGE, CLAIMS_XML_SIZE, 1);
	free(xml);

	xml = big(1, CLAIMS_XML_MAX_NAME + 1, &len);
	refused(xml, len, CORE_TOO_LARGE, CLAIMS_XML_SIZE, 1);
	free(xml);
}

static void
many_leaves(void **state)
{
	enum {N = 20000};
	char	   *xml = malloc(N * 8 + 16);
	char	   *p = xml + sprintf(xml, "<A>");
	ClaimsXmlDoc doc;
	int			i;

	for (i = 0; i < N; i++)
		p += sprintf(p, "<B>1</B>");
	p += sprintf(p, "</A>");
	assert_int_equal(read_groups(xml, p - xml, no_groups, &doc), CORE_OK);
	assert_int_equal(doc.nleaves, N);
	claims_xml_free(&cx, &doc);
	free(xml);
}

static void
memory_runs_out_anywhere(void **state)
{
	static const char xml[] = "<A><ROW><B>x</B></ROW><ROW><C>y</C></ROW></A>";
	CoreStatus	status = CORE_NO_MEMORY;
	int			n;

	for (n = 0; status == CORE_NO_MEMORY; n++)
	{
		ClaimsXmlDoc doc;

		memory.left = n;
		status = read_groups(xml, sizeof(xml) - 1, row_groups, &doc);
		if (status == CORE_OK)
			claims_xml_free(&cx, &doc);
		else
			assert_int_equal(memory.live, 0);
	}
	assert_int_equal(status, CORE_OK);
	assert_true(n > 3);
}

static void
interrupted(void **state)
{
	ClaimsXmlDoc doc;

	memory.interrupt = true;
	assert_int_equal(read_groups("<A/>", 4, no_groups, &doc), CORE_INTERRUPTED);
}

/* random damage to a good file: any result, but no crash, no leak, and the same on both readings */
static void
damaged(void **state)
{
	static const char good[] = "<?xml version=\"1.0\" encoding=\"utf-8\"?><A><ROW><B>Đường &amp; x</B><C><![CDATA[y]]></C><D a='1'/></ROW><ROW><B>2</B></ROW></A>";
	unsigned	seed = 7;
	int			round;

	for (round = 0; round < 20000; round++)
	{
		char		xml[sizeof(good)];
		ClaimsXmlDoc doc;
		CoreStatus	status;
		int			i;

		memcpy(xml, good, sizeof(good));
		for (i = 0; i < 1 + round % 4; i++)
		{
			seed = seed * 1103515245 + 12345;
			xml[(seed >> 8) % (sizeof(good) - 1)] = (char) (seed >> 16);
		}
		status = read_groups(xml, sizeof(good) - 1, row_groups, &doc);
		if (status == CORE_OK)
			claims_xml_free(&cx, &doc);
		else
			assert_int_not_equal(doc.rule, CLAIMS_XML_FINE);
		assert_int_equal(memory.live, 0);
	}
}

/* ---- base64 ---- */

static void
base64(void **state)
{
	static const char *const bad[] = {"@@@@", "QUJ", "QUJD=", "QU\x80J", "QUJD QUJ*", "=", "QQ==QQ=="};
	char	   *out;
	size_t		len,
				i;

	assert_int_equal(claims_xml_base64(&cx, " QUJD\r\nRA==\n", 12, &out, &len), CORE_OK);
	assert_int_equal(len, 4);
	assert_memory_equal(out, "ABCD", 4);
	give(&memory, out);
	assert_int_equal(claims_xml_base64(&cx, "", 0, &out, &len), CORE_OK);
	assert_int_equal(len, 0);
	give(&memory, out);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(claims_xml_base64(&cx, bad[i], strlen(bad[i]), &out, &len), CORE_INVALID);
	memory.left = 0;
	assert_int_equal(claims_xml_base64(&cx, "QUJD", 4, &out, &len), CORE_NO_MEMORY);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, fresh, nothing_leaked)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(leaves_in_order), TEST(groups_in_groups), TEST(root_is_leaf_and_group), TEST(byte_order_mark),
		TEST(utf16_is_read), TEST(nothing_at_all), TEST(not_well_formed), TEST(every_truncation), TEST(entities),
		TEST(too_deep), TEST(too_large), TEST(many_leaves), TEST(memory_runs_out_anywhere), TEST(interrupted),
		TEST(damaged), TEST(base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
