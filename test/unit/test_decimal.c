/*
 * test_decimal.c
 *		Decimals against cases made with Python's fractions and decimal module, and their laws on random numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "decimal.h"

static const char *
status_text(CoreStatus status)
{
	return status == CORE_INVALID ? "invalid" : status == CORE_TOO_LARGE ? "large" : "?";
}

static Decimal
number(const char *text)
{
	Decimal		d = {0};
	CoreStatus	status = decimal_parse(text, strlen(text), &d);

	if (status != CORE_OK)
		fail_msg("%s: %s", text, status_text(status));
	return d;
}

typedef CoreStatus (*Binary) (const Decimal *, const Decimal *, Decimal *);
typedef CoreStatus (*Unary) (const Decimal *, Decimal *);
typedef Decimal (*Simple) (const Decimal *);
typedef CoreStatus (*WithInt) (const Decimal *, int, Decimal *);

static const struct
{
	const char *name;
	Binary		binary;
	Unary		unary;
	Simple		simple;
	WithInt		with_int;
}			operations[] = {
	{"add", .binary = decimal_add},
	{"sub", .binary = decimal_sub},
	{"mul", .binary = decimal_mul},
	{"div", .binary = decimal_div},
	{"whole", .binary = decimal_div_whole},
	{"mod", .binary = decimal_mod},
	{"log", .binary = decimal_log},
	{"power", .binary = decimal_power},
	{"sqrt", .unary = decimal_sqrt},
	{"ln", .unary = decimal_ln},
	{"exp", .unary = decimal_exp},
	{"strip", .simple = decimal_strip},
	{"ceiling", .simple = decimal_ceiling},
	{"floor", .simple = decimal_floor},
	{"truncate", .simple = decimal_truncate},
	{"round", .with_int = decimal_round},
	{"low", .with_int = decimal_low_boundary},
	{"high", .with_int = decimal_high_boundary},
};

/* The result of a case as text */
static void
run(const char *op, const char *a, const char *b, char out[DECIMAL_PRINT_SIZE])
{
	Decimal		x,
				y,
				result = {0};
	CoreStatus	status = CORE_OK;
	size_t		i = 0;

	if (strcmp(op, "parse") == 0)
		status = decimal_parse(a, strlen(a), &result);
	else
	{
		x = number(a);
		y = number(b);
		if (strcmp(op, "compare") == 0)
		{
			sprintf(out, "%d", decimal_compare(&x, &y));
			assert_int_equal(decimal_compare(&y, &x), -decimal_compare(&x, &y));
			return;
		}
		if (strcmp(op, "equivalent") == 0)
		{
			sprintf(out, "%d", decimal_equivalent(&x, &y));
			assert_int_equal(decimal_equivalent(&y, &x), decimal_equivalent(&x, &y));
			return;
		}
		while (strcmp(operations[i].name, op) != 0)
			assert_true(++i < sizeof(operations) / sizeof(operations[0]));
		if (operations[i].binary)
			status = operations[i].binary(&x, &y, &result);
		else if (operations[i].unary)
			status = operations[i].unary(&x, &result);
		else if (operations[i].simple)
			result = operations[i].simple(&x);
		else
			status = operations[i].with_int(&x, atoi(b), &result);
	}
	if (status != CORE_OK)
		strcpy(out, status_text(status));
	else
	{
		size_t		len = decimal_print(&result, out);

		assert_int_equal(len, strlen(out));
	}
}

static void
test_cases(void **state)
{
	FILE	   *f = fopen("test/unit/decimal_cases.tsv", "r");
	char		line[400];
	int			n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char	   *part[4];
		char	   *rest = line;
		char		out[DECIMAL_PRINT_SIZE];

		for (int i = 0; i < 4; i++)
		{
			part[i] = rest;
			rest += strcspn(rest, "\t\n");
			*rest++ = '\0';
		}
		run(part[0], part[1], part[2], out);
		if (strcmp(out, part[3]) != 0)
			fail_msg("%s(%s, %s) is %s, not %s", part[0], part[1], part[2], out, part[3]);
		n++;
	}
	fclose(f);
	assert_true(n > 5000);
}

static uint64_t seed = 88172645463325252u;

static uint64_t
next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static Decimal
random_number(void)
{
	char		text[60];
	int			digits = 1 + (int) (next_random() % 38);
	int			places = (int) (next_random() % 39);
	int			n = 0;
	Decimal		d;

	if (next_random() & 1)
		text[n++] = '-';
	for (int i = 0; i < digits; i++)
		text[n++] = (char) ('0' + next_random() % 10);
	n += sprintf(text + n, "e-%d", places);
	d = number(text);
	return d;
}

/* What is printed reads back the same; numeric's form too. */
static void
test_round_trips(void **state)
{
	for (int i = 0; i < 20000; i++)
	{
		Decimal		d = random_number();
		Decimal		again;
		char		text[DECIMAL_PRINT_SIZE];
		unsigned char payload[DECIMAL_NUMERIC_SIZE];
		size_t		len = decimal_print(&d, text);

		assert_int_equal(decimal_parse(text, len, &again), CORE_OK);
		assert_memory_equal(&d, &again, sizeof(d));
		len = decimal_to_numeric(&d, payload);
		assert_true(len <= DECIMAL_NUMERIC_SIZE);
		assert_int_equal(decimal_from_numeric(payload, len, &again), CORE_OK);
		assert_memory_equal(&d, &again, sizeof(d));
	}
}

/* (a + b) - b = a where nothing was rounded; a * b / b = a; a = b * (a div b) + a mod b */
static void
test_laws(void **state)
{
	for (int i = 0; i < 20000; i++)
	{
		Decimal		a = random_number();
		Decimal		b = random_number();
		Decimal		x,
					y;

		if (decimal_sub(&a, &a, &x) == CORE_OK)
			assert_int_equal(decimal_sign(&x), 0);
		if (decimal_add(&a, &b, &x) == CORE_OK)
		{
			assert_int_equal(decimal_add(&b, &a, &y), CORE_OK);
			assert_memory_equal(&x, &y, sizeof(x));
		}
		if (decimal_sign(&b) == 0)
			continue;
		if (decimal_div_whole(&a, &b, &x) == CORE_OK && decimal_mul(&b, &x, &y) == CORE_OK && y.scale == b.scale &&
			decimal_sub(&a, &y, &x) == CORE_OK && x.scale == (a.scale > b.scale ? a.scale : b.scale) &&
			decimal_mod(&a, &b, &y) == CORE_OK)
			assert_int_equal(decimal_compare(&x, &y), 0);
		x = decimal_negate(&a);
		x = decimal_negate(&x);
		assert_memory_equal(&x, &a, sizeof(x));
	}
}

/* Payloads as PostgreSQL 15 stores them: heap_page_items of a column of type numeric */
static void
test_numeric(void **state)
{
	static const struct
	{
		const char *text;
		int			n;
		uint16_t	words[14];
	}			stored[] = {
		{"0", 1, {0x8000}},
		{"0.00", 1, {0x8100}},
		{"1", 2, {0x8000, 1}},
		{"-1", 2, {0xA000, 1}},
		{"10000", 2, {0x8001, 1}},
		{"12345.678", 4, {0x8181, 1, 2345, 6780}},
		{"-0.0001", 2, {0xA27F, 1}},
		{"0.00001", 2, {0x82FE, 1000}},
		{"1.50", 3, {0x8100, 1, 5000}},
	};
	uint16_t	special[] = {0xC000, 0xD000, 0xF000};
	uint16_t	long_form[] = {100, 0, 1, 5000};	/* 1.5 with scale 100 */
	uint16_t	huge[] = {0x0000, 40, 1};	/* 10^160 */
	Decimal		d,
				want;

	for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
	{
		unsigned char out[DECIMAL_NUMERIC_SIZE];

		want = number(stored[i].text);
		assert_int_equal(decimal_from_numeric(stored[i].words, 2 * stored[i].n, &d), CORE_OK);
		assert_memory_equal(&d, &want, sizeof(d));
		assert_int_equal(decimal_to_numeric(&want, out), 2 * stored[i].n);
		assert_memory_equal(out, stored[i].words, 2 * stored[i].n);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(decimal_from_numeric(&special[i], 2, &d), CORE_INVALID);
	assert_int_equal(decimal_from_numeric(long_form, sizeof(long_form), &d), CORE_OK);
	want = number("1.5");
	assert_int_equal(decimal_compare(&d, &want), 0);
	assert_int_equal(decimal_from_numeric(huge, sizeof(huge), &d), CORE_TOO_LARGE);
	assert_int_equal(decimal_from_numeric(huge, 1, &d), CORE_INVALID);
	assert_int_equal(decimal_from_numeric(huge, 2, &d), CORE_INVALID);
}

static void
test_integers(void **state)
{
	int64_t		values[] = {0, 1, -1, 42, INT64_MAX, INT64_MIN};
	int64_t		back;
	Decimal		d;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
	{
		d = decimal_from_int64(values[i]);
		assert_int_equal(decimal_to_int64(&d, &back), CORE_OK);
		assert_true(back == values[i]);
	}
	d = number("9223372036854775808");
	assert_int_equal(decimal_to_int64(&d, &back), CORE_TOO_LARGE);
	d = number("1.5");
	assert_int_equal(decimal_to_int64(&d, &back), CORE_INVALID);
	d = number("7.00");
	assert_int_equal(decimal_to_int64(&d, &back), CORE_OK);
	assert_int_equal(back, 7);
	d = number("-0.1");
	assert_true(decimal_to_double(&d) == -0.1);
	d = number("1e-38");
	assert_true(decimal_to_double(&d) == 1e-38);
	/* INT64_MIN takes the long way */
	d = decimal_from_int64(INT64_MIN);
	assert_int_equal(decimal_mul(&d, &d, &d), CORE_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_laws),
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
