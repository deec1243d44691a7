/*
 * Formats of FHIR's primitive types, held against the C library's calendar and
 * against the regular expressions of the specification.
 */
#define _GNU_SOURCE
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "fhir_primitive.h"

#define VALID(type, text) assert_true(fhir_primitive_valid(type, text, strlen(text)))
#define INVALID(type, text) assert_false(fhir_primitive_valid(type, text, strlen(text)))

/* the C library normalises a date that there is not into another one */
static bool
calendar_has(int year, int month, int day)
{
	struct tm	tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12};
	struct tm	back;
	time_t		t = timegm(&tm);

	gmtime_r(&t, &back);
	return back.tm_year == year - 1900 && back.tm_mon == month - 1 && back.tm_mday == day;
}

static void
test_calendar(void **state)
{
	static const int years[] = {1, 4, 100, 400, 999, 1582, 1600, 1700, 1899, 1900, 1904, 1999, 2000, 2023, 2024, 2100, 2400, 9999};
	char		text[32];

	for (size_t y = 0; y < sizeof(years) / sizeof(years[0]); y++)
		for (int month = 0; month <= 13; month++)
			for (int day = 0; day <= 32; day++)
			{
				snprintf(text, sizeof(text), "%04d-%02d-%02d", years[y], month, day);
				assert_int_equal(fhir_primitive_valid(FHIR_DATE, text, 10), calendar_has(years[y], month, day));
				assert_int_equal(fhir_primitive_valid(FHIR_DATETIME, text, 10), calendar_has(years[y], month, day));
				assert_false(fhir_primitive_valid(FHIR_INSTANT, text, 10));
			}
}

static void
test_dates(void **state)
{
	FhirDateTime r;

	VALID(FHIR_DATE, "2024");
	VALID(FHIR_DATE, "2024-02");
	INVALID(FHIR_DATE, "");
	INVALID(FHIR_DATE, "24");
	INVALID(FHIR_DATE, "2024-");
	INVALID(FHIR_DATE, "2024-02-");
	INVALID(FHIR_DATE, "2024-2");
	INVALID(FHIR_DATE, "20240229");
	INVALID(FHIR_DATE, "2024-02-29 ");
	INVALID(FHIR_DATE, " 2024");
	INVALID(FHIR_DATE, "2024-02-29T00:00:00Z");
	INVALID(FHIR_DATE, "-2024");
	INVALID(FHIR_DATE, "12024");
	VALID(FHIR_DATETIME, "2024-02-29T23:59:60+14:00");
	VALID(FHIR_DATETIME, "2024-02-29T00:00:00.000000000001-13:59");
	INVALID(FHIR_DATETIME, "2024-02T00:00:00Z");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00Z");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00z");
	INVALID(FHIR_DATETIME, "2024-02-29t00:00:00Z");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00.Z");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00+14:01");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00+0700");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00+07:60");
	INVALID(FHIR_DATETIME, "2024-02-29T00:00:00+07:00x");
	assert_true(fhir_datetime_parse(FHIR_INSTANT, "2015-02-07T13:28:17.239-05:30", 29, &r));
	assert_int_equal(r.year * 10000 + r.month * 100 + r.day, 20150207);
	assert_int_equal(r.hour * 10000 + r.minute * 100 + r.second, 132817);
	assert_int_equal(r.nanosecond, 239000000);
	assert_int_equal(r.zone, -330);
	assert_int_equal(r.precision, FHIR_PRECISION_FRACTION);
	assert_true(fhir_datetime_parse(FHIR_DATE, "1990-05", 7, &r));
	assert_int_equal(r.precision, FHIR_PRECISION_MONTH);
	assert_int_equal(r.day, 1);
}

static void
test_numbers(void **state)
{
	VALID(FHIR_INTEGER, "0");
	VALID(FHIR_INTEGER, "-2147483648");
	VALID(FHIR_INTEGER, "2147483647");
	INVALID(FHIR_INTEGER, "2147483648");
	INVALID(FHIR_INTEGER, "-2147483649");
	INVALID(FHIR_INTEGER, "99999999999999999999999");
	INVALID(FHIR_INTEGER, "-0");
	INVALID(FHIR_INTEGER, "01");
	INVALID(FHIR_INTEGER, "1.0");
	INVALID(FHIR_INTEGER, "1e2");
	INVALID(FHIR_INTEGER, "");
	INVALID(FHIR_INTEGER, "-");
	INVALID(FHIR_POSITIVEINT, "0");
	VALID(FHIR_POSITIVEINT, "1");
	INVALID(FHIR_POSITIVEINT, "-1");
	VALID(FHIR_UNSIGNEDINT, "0");
	INVALID(FHIR_UNSIGNEDINT, "-1");
	VALID(FHIR_DECIMAL, "-0.00");
	VALID(FHIR_DECIMAL, "1e10");
	VALID(FHIR_DECIMAL, "1.5E-10");
	VALID(FHIR_DECIMAL, "1e+994");
	INVALID(FHIR_DECIMAL, "1e997");
	INVALID(FHIR_DECIMAL, "1e99999999999999999999");
	INVALID(FHIR_DECIMAL, ".5");
	INVALID(FHIR_DECIMAL, "5.");
	INVALID(FHIR_DECIMAL, "NaN");
	INVALID(FHIR_DECIMAL, "1e");
	INVALID(FHIR_DECIMAL, "00");
	VALID(FHIR_BOOLEAN, "true");
	INVALID(FHIR_BOOLEAN, "True");
}

static void
test_texts(void **state)
{
	char	   *big = malloc(FHIR_STRING_MAX * 2 + 2);

	VALID(FHIR_STRING, " ");
	VALID(FHIR_STRING, "a\r\n\tb");
	VALID(FHIR_STRING, "Nguyễn");
	INVALID(FHIR_STRING, "");
	INVALID(FHIR_STRING, "a\001");
	INVALID(FHIR_MARKDOWN, "a\033[0m");
	for (int i = 0; i < FHIR_STRING_MAX * 2; i += 2)
		memcpy(big + i, "\xC4\x91", 2);	/* đ */
	assert_true(fhir_primitive_valid(FHIR_STRING, big, FHIR_STRING_MAX * 2));
	big[FHIR_STRING_MAX * 2] = 'x';
	assert_false(fhir_primitive_valid(FHIR_STRING, big, FHIR_STRING_MAX * 2 + 1));
	free(big);
	VALID(FHIR_CODE, "a b");
	VALID(FHIR_CODE, "a\tb");
	INVALID(FHIR_CODE, "a  b");
	INVALID(FHIR_CODE, "a ");
	INVALID(FHIR_CODE, "\na");
	VALID(FHIR_URI, "urn:x:1");
	VALID(FHIR_URI, "http://example.org/a?b=c#d|1.0");
	INVALID(FHIR_URI, "a b");
	INVALID(FHIR_URI, "a\tb");
	INVALID(FHIR_CANONICAL, "");
	VALID(FHIR_BASE64BINARY, "YQ==");
	VALID(FHIR_BASE64BINARY, "YWI=");
	VALID(FHIR_BASE64BINARY, "YW\nJj YWJj");
	INVALID(FHIR_BASE64BINARY, "YQ=");
	INVALID(FHIR_BASE64BINARY, "YQ");
	INVALID(FHIR_BASE64BINARY, "Y===");
	INVALID(FHIR_BASE64BINARY, "YQ==YQ==");
	INVALID(FHIR_BASE64BINARY, "YQ-_");
	INVALID(FHIR_BASE64BINARY, "  ");
}

typedef struct Oracle
{
	FhirPrimitive type;
	const char *regex;			/* of the specification, \s and \S in POSIX's spelling */
	const char *alphabet;
	const char *seed;
} Oracle;

/*
 * Random strings that look much like values: the scanner and the regular
 * expression must agree on each.  (Dates: years, not days of a month.)
 */
static void
test_regexes(void **state)
{
	static const Oracle oracles[] = {
		{FHIR_ID, "^[A-Za-z0-9.-]{1,64}$", "aZ0-._ /", "a-1.B"},
		{FHIR_OID, "^urn:oid:[0-2](\\.(0|[1-9][0-9]*))+$", "urnoid:.0129", "urn:oid:1.20.0.3"},
		{FHIR_UUID, "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "urnid:-09afAFg", "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"},
		{FHIR_CODE, "^[^[:space:]]+([[:space:]][^[:space:]]+)*$", "ab \t", "a b"},
		{FHIR_URI, "^[^[:space:]]+$", "ab:/ \n", "a:b/c"},
		{FHIR_TIME, "^([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?$", "0123456789:.Z", "23:59:60.1"},
		{FHIR_INTEGER, "^([0]|-?[1-9][0-9]{0,8})$", "-0123", "-123"},
		{FHIR_DECIMAL, "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$", "-+.eE012", "-1.0e+2"},
		{FHIR_INSTANT, "^([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]+)?(Z|([+]|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))$",
		"0123459:.ZT+-", "2015-02-07T13:28:17.2+13:00"},
	};
	unsigned	seed = 4711;

	for (size_t o = 0; o < sizeof(oracles) / sizeof(oracles[0]); o++)
	{
		regex_t		regex;
		int			accepted = 0;

		assert_int_equal(regcomp(&regex, oracles[o].regex, REG_EXTENDED | REG_NOSUB), 0);
		for (int i = 0; i < 20000; i++)
		{
			char		text[128];
			int			len,
						changes = rand_r(&seed) % 4;
			bool		expected;

			strcpy(text, oracles[o].seed);
			for (int c = 0; c < changes; c++)
			{
				len = (int) strlen(text);
				switch (rand_r(&seed) % 3)
				{
					case 0:		/* change */
						if (len > 0)
							text[rand_r(&seed) % len] = oracles[o].alphabet[rand_r(&seed) % strlen(oracles[o].alphabet)];
						break;
					case 1:		/* cut out */
						if (len > 1)
						{
							int			at = rand_r(&seed) % len;

							memmove(text + at, text + at + 1, len - at);
						}
						break;
					default:	/* put in */
						if (len < 100)
						{
							int			at = rand_r(&seed) % (len + 1);

							memmove(text + at + 1, text + at, len - at + 1);
							text[at] = oracles[o].alphabet[rand_r(&seed) % strlen(oracles[o].alphabet)];
						}
				}
			}
			len = (int) strlen(text);
			expected = regexec(&regex, text, 0, NULL, 0) == 0;
			/* what the expressions above leave out: longer integers and exponents, days 29 to 31 */
			if (!expected && fhir_primitive_valid(oracles[o].type, text, len) &&
				((oracles[o].type == FHIR_INTEGER && len >= 10) || oracles[o].type == FHIR_INSTANT ||
				 (oracles[o].type == FHIR_DECIMAL && strpbrk(text, "eE") != NULL)))
				continue;
			if (expected != fhir_primitive_valid(oracles[o].type, text, len))
				fail_msg("%d: %s", oracles[o].type, text);
			accepted += expected;
		}
		assert_true(accepted > 1000);
		regfree(&regex);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_regexes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
