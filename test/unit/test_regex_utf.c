/*
 * test_regex_utf.c
 *		Regular expressions: what matches, limits against hostile patterns, and every allocation failing once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "regex_utf.h"

static int	allowed = -1;		/* allocations until one fails */
static int	live;
static bool cancelled;

static void *
unit_alloc(void *arg, size_t size)
{
	if (allowed == 0)
		return NULL;
	if (allowed > 0)
		allowed--;
	live++;
	return malloc(size);
}

static void
unit_free(void *arg, void *ptr)
{
	live--;
	free(ptr);
}

static bool
test_interrupted(void *arg)
{
	return cancelled;
}

static const CoreContext cx = {unit_alloc, unit_free, test_interrupted, NULL, 0};

static Regex *
compile(const char *pattern, const char *flags)
{
	Regex	   *r = NULL;
	char		message[100];

	if (regex_compile(&cx, pattern, strlen(pattern), flags, strlen(flags), &r, NULL, message, sizeof(message)) != CORE_OK)
		fail_msg("%s: %s", pattern, message);
	return r;
}

static void
expect(const char *subject, const char *pattern, const char *flags, bool part, bool full)
{
	Regex	   *r = compile(pattern, flags);
	bool		found;

	assert_int_equal(regex_matches(r, subject, strlen(subject), &found), CORE_OK);
	if (found != part)
		fail_msg("%s matches %s", subject, pattern);
	assert_int_equal(regex_matches_full(r, subject, strlen(subject), &found), CORE_OK);
	if (found != full)
		fail_msg("%s matches all of %s", subject, pattern);
	regex_free(r);
}

static void
test_matches(void **state)
{
	expect("FHIR", "FHIR", "", true, true);
	expect("FHIR", "fhir", "", false, false);
	expect("FHIR", "fhir", "i", true, true);
	expect("http://fhir.org/Library/x", "Library", "", true, false);
	expect("http://fhir.org/Library/x", "^Library$", "", false, false);
	expect("http://fhir.org/Library/x", ".*Library.*", "", true, true);
	expect("first line\nsecond line", "line.second", "", true, false);
	expect("first line\nsecond line", "^second", "", false, false);
	expect("first line\nsecond line", "^second", "m", true, false);
	expect("first line\nsecond line", "^SECOND", "im", true, false);
	expect("abc\n", "abc$", "", false, false);
	expect("Taup\xC5\x8D", "^\\p{Lu}\\p{Ll}*$", "", true, true);
	expect("Nguy\xE1\xBB\x85n", "^.{6}$", "", true, true);
	expect("NGUY\xE1\xBB\x84N", "nguy\xE1\xBB\x85n", "i", true, true);
	expect("", ".*", "", true, true);
	expect("", "", "", true, true);
	expect("abc", "", "", true, false);
	expect("ab", "a|ab", "", true, true);	/* all of it by the second branch */
}

static void
expect_replaced(const char *subject, const char *pattern, const char *substitution, const char *want)
{
	Regex	   *r = compile(pattern, "");
	char	   *out;
	size_t		len;

	assert_int_equal(regex_replace(r, subject, strlen(subject), substitution, strlen(substitution), 1000, &out, &len), CORE_OK);
	assert_string_equal(out, want);
	assert_int_equal(len, strlen(want));
	unit_free(NULL, out);
	regex_free(r);
}

static void
test_replace(void **state)
{
	expect_replaced("123456", "234", "", "156");
	expect_replaced("abc123", "[0-9]", "-", "abc---");
	expect_replaced("11/30/1972", "\\b(\\d{1,2})/(\\d{1,2})/(\\d{2,4})\\b", "$2-$1-$3", "30-11-1972");
	expect_replaced("11/30/1972", "\\b(?<month>\\d{1,2})/(?<day>\\d{1,2})/(?<year>\\d{2,4})\\b", "${day}-${month}-${year}", "30-11-1972");
	expect_replaced("Taup\xC5\x8D", "(\\p{Lu})", "city: $1", "city: Taup\xC5\x8D");
	expect_replaced("ab", "", "-", "-a-b-");
	expect_replaced("\xC5\x8D", "x*", "-", "-\xC5\x8D-");
	expect_replaced("", "x", "y", "");
	expect_replaced("", "^$", "y", "y");
	expect_replaced("a", "a", "$$1", "$1");
	expect_replaced("a", "(a)", "$1$2$0$&", "a$2aa");
	expect_replaced("a", "(a)", "$12", "a2");
	expect_replaced("a", "(a)|(b)", "[$2]", "[]");
	expect_replaced("a", "(a)", "${1}x${no}${}${", "ax${no}${}${");
	expect_replaced("a", "a", "$", "$");
	expect_replaced("aaa", "a(?=a)", "b", "bba");
}

static void
test_faults(void **state)
{
	static const struct
	{
		const char *pattern;
		CoreStatus	status;
	}			bad[] = {
		{"(", CORE_INVALID}, {"[", CORE_INVALID}, {"a**b{2,1}", CORE_INVALID}, {"\\C", CORE_INVALID}, {"(?<n>a)(?<n>b)", CORE_INVALID},
		{"\xFF", CORE_INVALID}, {"(?P<", CORE_INVALID}, {"\\", CORE_INVALID}, {"*", CORE_INVALID}, {"\\p{Nonsense}", CORE_INVALID},
	};
	char		deep[3 * REGEX_NESTING_MAX];
	char	   *long_pattern = malloc(REGEX_PATTERN_MAX + 1);
	char		message[200];
	size_t		position;
	Regex	   *r;
	bool		found;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		CoreStatus	status = regex_compile(&cx, bad[i].pattern, strlen(bad[i].pattern), "", 0, &r, &position, message, sizeof(message));

		if (status != bad[i].status)
			fail_msg("%s: %d", bad[i].pattern, status);
		assert_true(strlen(message) > 5);
		assert_true(position <= strlen(bad[i].pattern));
	}
	assert_int_equal(regex_compile(&cx, "a", 1, "x", 1, &r, NULL, NULL, 0), CORE_INVALID);
	memset(deep, '(', REGEX_NESTING_MAX + 1);
	memset(deep + REGEX_NESTING_MAX + 1, ')', REGEX_NESTING_MAX + 1);
	assert_int_equal(regex_compile(&cx, deep, 2 * REGEX_NESTING_MAX + 2, "", 0, &r, NULL, NULL, 0), CORE_TOO_DEEP);
	memset(long_pattern, 'a', REGEX_PATTERN_MAX + 1);
	assert_int_equal(regex_compile(&cx, long_pattern, REGEX_PATTERN_MAX + 1, "", 0, &r, NULL, NULL, 0), CORE_TOO_LARGE);
	assert_int_equal(regex_compile(&cx, "(((a{500}){500}){500})", 22, "", 0, &r, NULL, NULL, 0), CORE_TOO_LARGE);
	free(long_pattern);
	r = compile("a", "");
	assert_int_equal(regex_matches(r, "\xFF", 1, &found), CORE_INVALID);
	regex_free(r);
	assert_int_equal(live, 0);
}

/* Patterns that take exponential time without limits, on texts of some size */
static void
test_hostile(void **state)
{
	static const char *const patterns[] = {
		"(a+)+$", "([a-z]+)*1", "(a|aa)+$", "(.*)*1", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a*)*b", "(?:a?){30}a{30}b", "(x+x+)+y", "((a*)*)*b", "^(a?){1000}$b",
		"(?R)?a(?R)?b", "(a(?1)?)+b",
	};
	size_t		len = 20000;
	char	   *text = malloc(len);
	clock_t		begin = clock();

	memset(text, 'a', len);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
	{
		Regex	   *r = compile(patterns[i], "");
		bool		found;
		char	   *out = NULL;
		size_t		out_len;
		CoreStatus	status = regex_matches(r, text, len, &found);

		assert_true(status == CORE_OK || status == CORE_TOO_LARGE);
		status = regex_matches_full(r, text, len, &found);
		assert_true(status == CORE_OK || status == CORE_TOO_LARGE);
		status = regex_replace(r, text, len, "$0$0", 4, 10 * len, &out, &out_len);
		assert_true(status == CORE_OK || status == CORE_TOO_LARGE);
		if (status == CORE_OK)
			unit_free(NULL, out);
		regex_free(r);
	}
	free(text);
	assert_int_equal(live, 0);
	/* generous: sanitizers are on */
	assert_true(clock() - begin < 60 * CLOCKS_PER_SEC);
}

/* A text of 10 MB is searched and replaced in without hitting the limits. */
static void
test_large(void **state)
{
	size_t		len = 10000000;
	char	   *text = malloc(len);
	Regex	   *r = compile("needle$", "");
	Regex	   *any = compile("[b-z]", "");
	bool		found;
	char	   *out;
	size_t		out_len;

	memset(text, 'a', len);
	memcpy(text + len - 6, "needle", 6);
	assert_int_equal(regex_matches(r, text, len, &found), CORE_OK);
	assert_true(found);
	assert_int_equal(regex_matches_full(r, text, len, &found), CORE_OK);
	assert_false(found);
	assert_int_equal(regex_matches(any, text, len, &found), CORE_OK);
	assert_true(found);
	assert_int_equal(regex_replace(any, text, len, "", 0, len, &out, &out_len), CORE_OK);
	assert_int_equal(out_len, len - 6);
	unit_free(NULL, out);
	assert_int_equal(regex_replace(any, text, len, "xxxxxxxxxx", 10, len, &out, &out_len), CORE_TOO_LARGE);
	cancelled = true;
	assert_int_equal(regex_replace(any, text, len, "", 0, len, &out, &out_len), CORE_INTERRUPTED);
	cancelled = false;
	regex_free(r);
	regex_free(any);
	free(text);
	assert_int_equal(live, 0);
}

/* Each allocation fails once: a status, and nothing is left behind. */
static void
test_memory(void **state)
{
	for (int n = 0; n < 200; n++)
	{
		Regex	   *r = NULL;
		char	   *out = NULL;
		size_t		len;
		CoreStatus	status;
		bool		done = false;

		allowed = n;
		status = regex_compile(&cx, "(a+)(b|c)*", 10, "i", 1, &r, NULL, NULL, 0);
		if (status == CORE_OK)
		{
			status = regex_replace(r, "aaaaabcbc", 9, "$1-$2", 5, 100, &out, &len);
			done = status == CORE_OK;
			if (done)
				unit_free(NULL, out);
			regex_free(r);
		}
		if (!done)
			assert_int_equal(status, CORE_NO_MEMORY);
		assert_int_equal(live, 0);
		if (done)
		{
			allowed = -1;
			return;
		}
	}
	fail();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
