/*
 * test_quantity.c
 *		Quantities: the examples and rules of FHIRPath N1 (2.1.6.1, 6.1, 6.2, 6.6), and laws.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "quantity.h"

static Quantity
quantity(const char *text)
{
	Quantity	q = {.calendar = CALENDAR_NONE};

	if (quantity_parse(text, strlen(text), &q) != CORE_OK)
		fail_msg("%s is not read", text);
	return q;
}

/* {left, relation, right}: = < > equal and ordered, ? unknown */
static const char *const comparisons[][3] = {
	{"4.0000 'g'", "=", "4000.0 'mg'"}, {"7 days", "=", "1 'wk'"}, {"1 year", "?", "1 'a'"}, {"1 month", "?", "1 'mo'"},
	{"12 months", "=", "1 year"}, {"1 'mo'", "?", "30 days"}, {"30 days", "=", "1 month"}, {"1 year", "=", "365 days"}, {"1 week", "=", "1 'wk'"},
	{"1 day", "=", "1 'd'"}, {"1 second", "=", "1 's'"}, {"1 second", "=", "1000000 'us'"}, {"1 'a'", "?", "1 day"}, {"1 'min'", "<", "2 minutes"},
	{"1 year", ">", "11 months"}, {"999 'g'", "<", "1 'kg'"}, {"1001 'g'", ">", "1 'kg'"}, {"23 'Cel'", ">", "72 '[degF]'"}, {"0 'Cel'", "=", "273.15 'K'"},
	{"1 'kg'", "?", "2"}, {"9", "=", "9 'kg.kg-1'"}, {"9", ">", "8 '1'"}, {"1 'something'", "=", "1 'something'"}, {"1 'something'", "?", "1 'else'"},
	{"2 'something'", ">", "1 'something'"}, {"1 'cm'", "<", "1 '[in_i]'"}, {"1 'cm'", "?", "1 's'"}, {"1 year", ">", "1 second"}, {"1 'a'", "?", "1 seconds"},
	{"1 'a'", ">", "1 'd'"}, {"0 'g'", "=", "0 'mg'"}, {"-1 'kg'", "<", "-999 'g'"}, {"1 '[lb_av]'", "=", "453.59237 'g'"}, {"180 'deg'", ">", "3.14159 'rad'"},
};

static void
test_compare(void **state)
{
	for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
	{
		const char *const *c = comparisons[i];
		Quantity	a = quantity(c[0]);
		Quantity	b = quantity(c[2]);
		CoreOrder	order = quantity_compare(&a, &b);
		CoreOrder	want = c[1][0] == '?' ? ORDER_UNKNOWN : c[1][0] == '=' ? ORDER_EQUAL : c[1][0] == '<' ? ORDER_LESS : ORDER_GREATER;

		if (order != want)
			fail_msg("%s %s %s", c[0], c[1], c[2]);
		assert_int_equal(quantity_compare(&b, &a), want == ORDER_UNKNOWN ? want : (CoreOrder) -want);
		assert_int_equal(quantity_comparable(&a, &b), want != ORDER_UNKNOWN);
		assert_int_equal(quantity_equal(&a, &b), want == ORDER_UNKNOWN ? TRUTH_UNKNOWN : want == ORDER_EQUAL);
	}
}

static void
test_equivalent(void **state)
{
	static const struct
	{
		const char *a;
		const char *b;
		bool		want;
	}			cases[] = {
		{"4 'g'", "4000 'mg'", true}, {"4 'g'", "4040 'mg'", false}, {"3.04 'g'", "3040 'mg'", true}, {"4040 'mg'", "4.0403 'g'", true},
		{"4040 'mg'", "4.0409 'g'", false}, {"4040.01 'g'", "4040.009 'g'", true}, {"73.4 '[degF]'", "23 'Cel'", true}, {"0 'Cel'", "273.15 'K'", true},
		{"23 'Cel'", "74 '[degF]'", false}, {"1 year", "1 'a'", true}, {"1 month", "1 'mo'", true}, {"1 year", "12 months", true}, {"1 'cm'", "1 's'", false},
		{"1 'something'", "1 'something'", true}, {"1 'x1'", "1 'x2'", false}, {"1 year", "1 'm'", false},
		{"1 'B'", "21", false}, {"1 'B'", "10", true}, {"36.6 'Cel'", "309.75 'K'", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Quantity	a = quantity(cases[i].a);
		Quantity	b = quantity(cases[i].b);

		if (quantity_equivalent(&a, &b) != cases[i].want || quantity_equivalent(&b, &a) != cases[i].want)
			fail_msg("%s ~ %s", cases[i].a, cases[i].b);
	}
}

/* {left, operation, right, result}; > converts, empty text: CORE_INVALID */
static const char *const sums[][4] = {
	{"3 'm'", "+", "3 'cm'", "303 'cm'"}, {"0.1 'm'", "+", "0.2 'm'", "0.3 'm'"}, {"3", "+", "2 '1'", "5 '1'"}, {"1 'B'", "+", "1 'B'", ""},
	{"1 'Cel'", "+", "1 'Cel'", ""}, {"1 'a'", "+", "1 year", ""}, {"1 seconds", "+", "1 'a'", ""}, {"7 days", "+", "12 hours", "180 hours"},
	{"12 hours", "+", "7 days", "180 hours"}, {"12 'h'", "+", "7 'd'", "180 'h'"}, {"1 'a'", "+", "6 'mo'", "18 'mo'"}, {"1 year", "+", "6 months", "18 months"},
	{"3 year", "-", "1 year", "2 years"}, {"9 '1'", "-", "9.0999", "-0.0999 '1'"}, {"1 'kg'", "-", "1 'm'", ""}, {"1 'xyz'", "+", "1 'xyz'", ""},
	{"9.16 'g'", "*", "8.22 'm'", "75.2952 'g.m'"}, {"9.16 'g'", "*", "8.22", "75.2952 'g'"}, {"1 'B'", "*", "2", ""}, {"1 year", "*", "1 year", ""},
	{"1 's'", "*", "1 second", ""}, {"2 year", "*", "3", "6 years"}, {"2", "*", "1 year", "2 years"}, {"1 year", "*", "2000 'g/kg'", "2.000 years"},
	{"10 'kg'", "/", "5 'm'", "2 'kg/m'"}, {"20 'kg'", "/", "5", "4 'kg'"}, {"20", "/", "5 'kg'", "4 '1/kg'"}, {"99.27 'g'", "/", "3 'g'", "33.09 '1'"},
	{"7.315 'm'", "/", "0.7", "10.45 'm'"}, {"1 year", "/", "1 'a'", ""}, {"3 years", "/", "1.5 years", ""}, {"1", "/", "3 months", ""},
	{"6 months", "/", "2 'kg/kg'", "3 months"}, {"1 'm'", "/", "0 's'", ""}, {"4.0 'g'", "/", "2.0 'm'", "2 'g/m'"},
	{"1 'wk'", ">", "days", "7 days"}, {"1 'wk'", ">", "d", "7 'd'"}, {"1 'mo'", ">", "month", ""}, {"1 'mo'", ">", "days", ""}, {"1 'cm'", ">", "mm", "10 'mm'"},
	{"23 'Cel'", ">", "[degF]", "73.4 '[degF]'"}, {"1 'cm'", ">", "g", ""}, {"1 'wk'", ">", "nonexistent-unit", ""}, {"1 year", ">", "seconds", "31536000 seconds"},
	{"31536000 seconds", ">", "s", "31536000 's'"}, {"1 year", ">", "a", ""}, {"30 days", ">", "mo", ""}, {"1 'day'", ">", "d", ""}, {"1 month", ">", "years", "0.08333333333333333333333333333333333 years"},
	{"1.50 'g'", ">", "mg", "1500 'mg'"}, {"1.50 'g'", ">", "kg", "0.00150 'kg'"}, {"2 'odd'", ">", "odd", "2 'odd'"},
};

static void
test_arithmetic(void **state)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
	{
		const char *const *c = sums[i];
		Quantity	a = quantity(c[0]);
		Quantity	b = {.calendar = CALENDAR_NONE};
		Quantity	r = {.calendar = CALENDAR_NONE};
		char		unit[UCUM_TERM_MAX + 1];
		char		out[QUANTITY_PRINT_SIZE] = "";
		size_t		len;
		CoreStatus	status;

		if (c[1][0] != '>')
			b = quantity(c[2]);
		status = c[1][0] == '+' ? quantity_add(&a, &b, &r) : c[1][0] == '-' ? quantity_sub(&a, &b, &r) :
			c[1][0] == '*' ? quantity_mul(&a, &b, &r, unit) : c[1][0] == '/' ? quantity_div(&a, &b, &r, unit) :
			quantity_convert(&a, c[2], strlen(c[2]), &r);
		if (status == CORE_OK)
			assert_int_equal(quantity_print(&r, out, &len), CORE_OK);
		if (strcmp(out, c[3]) != 0)
			fail_msg("%s %s %s is %s (%d), not %s", c[0], c[1], c[2], out, status, c[3]);
	}
}

static void
test_text(void **state)
{
	static const char *const good[][2] = {
		{"1", "1 '1'"}, {"+1.50 'mg'", "1.50 'mg'"}, {"-4 days", "-4 days"}, {"1day", "1 day"}, {"1 \t days", "1 day"}, {"2 year", "2 years"}, {"1'wk'", "1 'wk'"},
	};
	static const char *const bad[] = {
		"", "x", "1.", ".5", "1e3", "1 wk", "1 'wk", "1 wk'", "1 ''", "1 'a' ", "1 'a' b", "1 Days", "--1", "1 'a''b'", "1 days ",
	};
	Quantity	q = {.calendar = CALENDAR_NONE};
	char		out[QUANTITY_PRINT_SIZE];
	char		long_unit[UCUM_TERM_MAX + 10];
	size_t		len;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		q = quantity(good[i][0]);
		assert_int_equal(quantity_print(&q, out, &len), CORE_OK);
		assert_string_equal(out, good[i][1]);
		assert_int_equal(len, strlen(out));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		if (quantity_parse(bad[i], strlen(bad[i]), &q) == CORE_OK)
			fail_msg("%s is read", bad[i]);
	}
	memset(long_unit, 'x', sizeof(long_unit));
	q.calendar = CALENDAR_NONE;
	q.unit = long_unit;
	q.unit_len = sizeof(long_unit);
	assert_int_equal(quantity_print(&q, out, &len), CORE_TOO_LARGE);
}

static void
test_calendar(void **state)
{
	Quantity	q = quantity("1 'wk'");

	assert_int_equal(quantity_calendar_unit(&q), CALENDAR_WEEK);
	q = quantity("1 'ms'");
	assert_int_equal(quantity_calendar_unit(&q), CALENDAR_MILLISECOND);
	q = quantity("1 'a'");
	assert_int_equal(quantity_calendar_unit(&q), CALENDAR_NONE);
	q = quantity("1 'mo'");
	assert_int_equal(quantity_calendar_unit(&q), CALENDAR_NONE);
	q = quantity("1 year");
	assert_int_equal(quantity_calendar_unit(&q), CALENDAR_YEAR);
	q = quantity("1 'cm'");
	assert_int_equal(quantity_calendar_unit(&q), CALENDAR_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_equivalent),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
