/* origin: instants in UTC, the order of origins, the canonical string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "origin.h"

static const char *
utc(const char *text)
{
	static char time[ORIGIN_TIME_SIZE];

	return origin_time(text, strlen(text), time) ? time : "no";
}

static void
test_time(void **state)
{
	assert_string_equal(utc("2024-05-01T07:00:00+07:00"), "2024-05-01T00:00:00");
	assert_string_equal(utc("2024-01-01T00:30:00+07:00"), "2023-12-31T17:30:00");
	assert_string_equal(utc("2024-02-28T23:30:00-01:00"), "2024-02-29T00:30:00");
	assert_string_equal(utc("2023-02-28T23:30:00-01:00"), "2023-03-01T00:30:00");
	assert_string_equal(utc("2024-12-31T23:59:60-00:01"), "2025-01-01T00:00:60");
	assert_string_equal(utc("2024-05-01T00:00:00.120Z"), "2024-05-01T00:00:00.12");
	assert_string_equal(utc("2024-05-01T00:00:00.000Z"), "2024-05-01T00:00:00");
	assert_string_equal(utc("2024-05-01T00:00:00.1234567891234Z"), "2024-05-01T00:00:00.123456789");
	assert_string_equal(utc("0001-01-01T00:00:00+00:01"), "no");
	assert_string_equal(utc("9999-12-31T23:59:00-00:01"), "no");
	assert_string_equal(utc("2024-02-30T00:00:00Z"), "no");
	assert_string_equal(utc("2024-05-01T00:00:00"), "no");
	assert_string_equal(utc("2024-05-01T00:00:00."), "no");
	assert_string_equal(utc("2024-05-01T00:00:00.Z"), "no");
	assert_string_equal(utc("2024-05-01T00:00:00+7:00"), "no");
	assert_string_equal(utc("2024-05-01"), "no");
	assert_string_equal(utc(""), "no");
}

static Origin
read_origin(const char *text)
{
	Origin		origin;
	int32_t		place;
	char		again[200];

	assert_true(origin_read(text, strlen(text), &origin, &place));
	assert_true(origin_size(&origin) < sizeof(again));
	assert_int_equal(origin_print(&origin, place, again), strlen(text));
	assert_string_equal(again, text);
	return origin;
}

static void
test_order(void **state)
{
	/* each before the next */
	static const char *const sorted[] = {
		"- 0 0", "- 0 0 a", "- 1 0", "2024-05-01T00:00:00Z 0 0", "2024-05-01T00:00:00Z 0 3 a",
		"2024-05-01T00:00:00Z 0 0 ab", "2024-05-01T00:00:00Z 2 0 a", "2024-05-01T00:00:00Z 10 0",
		"2024-05-01T00:00:00.5Z 0 0", "2024-05-01T00:00:01Z 2147483647 0 urn:a b"
	};
	int			n = sizeof(sorted) / sizeof(sorted[0]);

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			Origin		a = read_origin(sorted[i]);
			Origin		b = read_origin(sorted[j]);
			int			cmp = origin_compare(&a, &b);

			assert_int_equal((cmp > 0) - (cmp < 0), (i > j) - (i < j));
		}
}

static void
test_refused(void **state)
{
	static const char *const bad[] = {
		"", "-", "- 0", "- 0 ", "- 0 0 ", "- 00 0", "- 0 01", "- -1 0", "- 2147483648 0", "- 99999999999 0",
		"2024-05-01T07:00:00+07:00 0 0", "2024-05-01T00:00:00.0Z 0 0", "2024-05-01 0 0", " - 0 0", "x 0 0"
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		Origin		origin;
		int32_t		place;
		size_t		len = strlen(bad[i]);
		char		exact[64];

		/* no closing zero: the sanitizer sees a read beyond the end */
		memcpy(exact + sizeof(exact) - len, bad[i], len);
		if (origin_read(exact + sizeof(exact) - len, len, &origin, &place))
			fail_msg("accepted: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
