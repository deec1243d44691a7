/*
 * test_temporal.c
 *		Dates and times against cases made with Python's datetime, the examples of FHIRPath, and laws.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "temporal.h"

static TemporalKind
kind_of(const char *text)
{
	return strcmp(text, "date") == 0 ? TEMPORAL_DATE : strcmp(text, "time") == 0 ? TEMPORAL_TIME : TEMPORAL_DATETIME;
}

static Temporal
value(TemporalKind kind, const char *text)
{
	Temporal	t;

	memset(&t, 0, sizeof(t));
	if (temporal_parse(kind, text, strlen(text), &t) != CORE_OK)
		fail_msg("%s is not read", text);
	return t;
}

static Decimal
number(const char *text)
{
	Decimal		d = {0};

	assert_int_equal(decimal_parse(text, strlen(text), &d), CORE_OK);
	return d;
}

static void
show(CoreStatus status, const Temporal *t, char out[TEMPORAL_PRINT_SIZE])
{
	if (status != CORE_OK)
		strcpy(out, status == CORE_INVALID ? "invalid" : status == CORE_TOO_LARGE ? "large" : "?");
	else
		(void) temporal_print(t, false, out);
}

/* op, kind, value, two operands */
static void
run(char *part[5], char out[TEMPORAL_PRINT_SIZE])
{
	TemporalKind kind = kind_of(part[1]);
	Temporal	a,
				b;
	Decimal		amount;
	int64_t		n;

	memset(&b, 0, sizeof(b));
	if (strcmp(part[0], "parse") == 0)
	{
		CoreStatus	status = temporal_parse(kind, part[2], strlen(part[2]), &b);

		show(status, &b, out);
		return;
	}
	a = value(kind, part[2]);
	if (strcmp(part[0], "add") == 0)
	{
		CoreStatus	status;

		amount = number(part[3]);
		status = temporal_add(&a, &amount, calendar_unit_parse(part[4], strlen(part[4])), &b);
		show(status, &b, out);
	}
	else if (strcmp(part[0], "low") == 0 || strcmp(part[0], "high") == 0)
	{
		CoreStatus	status = (part[0][0] == 'l' ? temporal_low_boundary : temporal_high_boundary) (&a, atoi(part[3]), &b);

		show(status, &b, out);
	}
	else if (strcmp(part[0], "compare") == 0)
	{
		CoreOrder	order;
		CoreTruth	same;

		b = value(kind_of(part[3]), part[4]);
		order = temporal_compare(&a, &b);
		strcpy(out, order == ORDER_LESS ? "<" : order == ORDER_GREATER ? ">" : order == ORDER_EQUAL ? "=" : "?");
		/* laws */
		assert_int_equal(temporal_compare(&b, &a), order == ORDER_UNKNOWN ? ORDER_UNKNOWN : (CoreOrder) -order);
		same = temporal_equal(&a, &b);
		if ((a.kind == TEMPORAL_TIME) == (b.kind == TEMPORAL_TIME))
			assert_int_equal(same, order == ORDER_UNKNOWN ? TRUTH_UNKNOWN : order == ORDER_EQUAL);
		else
			assert_int_equal(same, TRUTH_FALSE);
		assert_int_equal(temporal_equivalent(&a, &b), same == TRUTH_TRUE);
	}
	else
	{
		int64_t		back;
		CalendarUnit unit = calendar_unit_parse(part[3], strlen(part[3]));

		b = value(kind, part[4]);
		assert_int_equal(temporal_duration(&a, &b, unit, &n), CORE_OK);
		assert_int_equal(temporal_duration(&b, &a, unit, &back), CORE_OK);
		assert_true(n == -back);
		sprintf(out, "%lld", (long long) n);
	}
}

static void
test_cases(void **state)
{
	FILE	   *f = fopen("test/unit/temporal_cases.tsv", "r");
	char		line[300];
	int			n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char	   *part[6];
		char	   *rest = line;
		char		out[TEMPORAL_PRINT_SIZE];

		for (int i = 0; i < 6; i++)
		{
			part[i] = rest;
			rest += strcspn(rest, "\t\n");
			*rest++ = '\0';
		}
		run(part, out);
		if (strcmp(out, part[5]) != 0)
			fail_msg("%s %s %s, %s %s is %s, not %s", part[0], part[1], part[2], part[3], part[4], out, part[5]);
		n++;
	}
	fclose(f);
	assert_true(n > 7000);
}

/* Every value is not below its low boundary and not above its high one; printing is reading's inverse. */
static void
test_laws(void **state)
{
	static const char *const texts[] = {
		"2014", "2014-02", "2016-02-29", "2014-01-01T08", "2014-01-01T08:05+08:00", "2014-01-01T08:05:30Z", "2014-01-01T08:05:30.5-05:00",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		Temporal	t = value(TEMPORAL_DATETIME, texts[i]);
		Temporal	low,
					high,
					again;
		char		out[TEMPORAL_PRINT_SIZE];
		size_t		len = temporal_print(&t, true, out);
		int64_t		first,
					behind,
					x,
					y;

		assert_int_equal(temporal_parse(TEMPORAL_DATETIME, out, len, &again), CORE_OK);
		assert_memory_equal(&t, &again, sizeof(t));
		assert_int_equal(temporal_low_boundary(&t, 0, &low), CORE_OK);
		assert_int_equal(temporal_high_boundary(&t, 0, &high), CORE_OK);
		assert_int_equal(temporal_compare(&low, &high), temporal_precision(&t) == 17 && t.fraction_digits >= 3 ? ORDER_EQUAL : ORDER_LESS);
		temporal_interval(&t, 0, &first, &behind);
		assert_true(behind > first);
		if (t.has_zone)
		{
			temporal_interval(&low, 0, &x, &y);
			assert_true(x == first);
			temporal_interval(&high, 0, &x, &y);
			assert_true(y == behind);
		}
	}
}

static void
expect_component(const char *text, TemporalKind kind, TemporalPrecision which, int want)
{
	Temporal	t = value(kind, text);
	int			n = -1;

	assert_int_equal(temporal_component(&t, which, &n), want >= 0);
	assert_int_equal(n, want);
}

static void
test_components(void **state)
{
	Temporal	t = value(TEMPORAL_DATETIME, "2012-01-01T12:30:00.000-07:00");
	Temporal	part;
	Decimal		hours;
	char		out[DECIMAL_PRINT_SIZE];

	expect_component("2014-01-05T10:30:40.123", TEMPORAL_DATETIME, TEMPORAL_YEAR, 2014);
	expect_component("2014-01-05T10:30:40.123", TEMPORAL_DATETIME, TEMPORAL_SECOND, 40);
	expect_component("2014-01-05T10:30:40.123", TEMPORAL_DATETIME, TEMPORAL_MILLISECOND, 123);
	expect_component("12:30:00.002", TEMPORAL_TIME, TEMPORAL_MILLISECOND, 2);
	expect_component("12:30:00", TEMPORAL_TIME, TEMPORAL_MILLISECOND, -1);
	expect_component("12:30:00", TEMPORAL_TIME, TEMPORAL_YEAR, -1);
	expect_component("2020-06", TEMPORAL_DATE, TEMPORAL_MONTH, 6);
	expect_component("2020-06", TEMPORAL_DATE, TEMPORAL_DAY, -1);
	assert_true(temporal_zone_hours(&t, &hours));
	(void) decimal_print(&hours, out);
	assert_string_equal(out, "-7");
	assert_true(temporal_to_date(&t, &part));
	(void) temporal_print(&part, true, out);
	assert_string_equal(out, "2012-01-01");
	assert_true(temporal_to_time(&t, &part));
	(void) temporal_print(&part, true, out);
	assert_string_equal(out, "T12:30:00.000");
	assert_false(temporal_to_date(&part, &part));
	assert_false(temporal_to_datetime(&part, &part));
	t = value(TEMPORAL_DATE, "2020-06");
	assert_false(temporal_to_time(&t, &part));
	assert_false(temporal_zone_hours(&t, &hours));
	assert_true(temporal_to_datetime(&t, &part));
	(void) temporal_print(&part, true, out);
	assert_string_equal(out, "2020-06T");
	t = value(TEMPORAL_DATETIME, "2012-01-01T12:30:00+05:30");
	assert_true(temporal_zone_hours(&t, &hours));
	(void) decimal_print(&hours, out);
	assert_string_equal(out, "5.5");
}

static void
expect_count(TemporalKind kind, const char *a, const char *b, const char *unit, bool difference, int64_t want)
{
	Temporal	x = value(kind, a);
	Temporal	y = value(kind, b);
	int64_t		n;

	assert_int_equal((difference ? temporal_difference : temporal_duration) (&x, &y, calendar_unit_parse(unit, strlen(unit)), &n), CORE_OK);
	if (n != want)
		fail_msg("%s to %s in %s is %lld", a, b, unit, (long long) n);
}

static void
test_between(void **state)
{
	Temporal	x = value(TEMPORAL_DATE, "2020");
	Temporal	y = value(TEMPORAL_DATE, "2021-03-01");
	int64_t		n;

	expect_count(TEMPORAL_DATE, "2012-03-10", "2014-03-09", "years", false, 1);
	expect_count(TEMPORAL_DATE, "2012-03-10", "2014-03-10", "years", false, 2);
	expect_count(TEMPORAL_DATE, "2014-03-09", "2012-03-10", "years", false, -1);
	expect_count(TEMPORAL_DATE, "2012-03-10", "2014-03-09", "years", true, 2);
	expect_count(TEMPORAL_DATE, "2012-12-31", "2013-01-01", "year", true, 1);
	expect_count(TEMPORAL_DATE, "2012-01-31", "2012-02-29", "months", false, 1);
	expect_count(TEMPORAL_DATE, "2012-01-15", "2012-03-14", "months", false, 1);
	expect_count(TEMPORAL_DATE, "2024-01-06", "2024-01-07", "weeks", true, 1);
	expect_count(TEMPORAL_DATE, "2024-01-07", "2024-01-13", "weeks", true, 0);
	expect_count(TEMPORAL_DATETIME, "2024-01-06T23:59:59", "2024-01-07T00:00:00", "days", true, 1);
	expect_count(TEMPORAL_DATETIME, "2024-01-06T23:59:59", "2024-01-07T00:00:00", "days", false, 0);
	expect_count(TEMPORAL_DATETIME, "2024-01-06T23:00:00+02:00", "2024-01-06T23:30:00+01:00", "hours", true, 1);
	expect_count(TEMPORAL_TIME, "10:00", "12:59", "hours", false, 2);
	expect_count(TEMPORAL_TIME, "10:00:00", "10:00:00.250", "milliseconds", false, 250);
	assert_int_equal(temporal_duration(&x, &y, CALENDAR_YEAR, &n), CORE_INVALID);
	assert_int_equal(temporal_difference(&x, &y, CALENDAR_YEAR, &n), CORE_OK);
	assert_int_equal(n, 1);
	assert_int_equal(temporal_difference(&x, &y, CALENDAR_MONTH, &n), CORE_INVALID);
}

static void
test_clock(void **state)
{
	Temporal	t;
	char		out[TEMPORAL_PRINT_SIZE];

	assert_int_equal(temporal_from_unix_ms(0, 0, &t), CORE_OK);
	(void) temporal_print(&t, false, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000Z");
	assert_int_equal(temporal_from_unix_ms(-1, 420, &t), CORE_OK);
	(void) temporal_print(&t, false, out);
	assert_string_equal(out, "1970-01-01T06:59:59.999+07:00");
	assert_int_equal(temporal_from_unix_ms(INT64_MAX, 0, &t), CORE_TOO_LARGE);
	assert_int_equal(temporal_from_unix_ms(INT64_MIN, 0, &t), CORE_TOO_LARGE);
}

/* A leap second counts as the last ordinary second of its minute when something is added. */
static void
test_leap_second(void **state)
{
	Temporal	t = value(TEMPORAL_TIME, "23:59:60");
	Temporal	r;
	Decimal		one = decimal_from_int64(1);
	char		out[TEMPORAL_PRINT_SIZE];

	assert_int_equal(temporal_add(&t, &one, CALENDAR_MINUTE, &r), CORE_OK);
	(void) temporal_print(&r, false, out);
	assert_string_equal(out, "00:00:59");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_laws),
		cmocka_unit_test(test_components),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_leap_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
