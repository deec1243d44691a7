/*
 * test_ucum.c
 *		Units against conversions of handbooks and of Python's fractions; the grammar; laws over the whole table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ucum.h"
#include "ucum_data.h"

static Decimal
number(const char *text)
{
	Decimal		d = {0};

	if (decimal_parse(text, strlen(text), &d) != CORE_OK)
		fail_msg("number %s", text);
	return d;
}

static UcumUnit
unit(const char *text)
{
	UcumUnit	u;
	size_t		position = 0;

	if (ucum_parse(text, strlen(text), &u, &position) != CORE_OK)
		fail_msg("%s is not read from %zu on", text, position);
	return u;
}

static void
test_cases(void **state)
{
	FILE	   *f = fopen("test/unit/ucum_cases.tsv", "r");
	char		line[500];
	int			n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char	   *part[5];
		char	   *rest = line;
		char		out[DECIMAL_PRINT_SIZE];
		UcumUnit	from,
					to;
		Decimal		value,
					want,
					result;
		bool		exact;
		int			order;

		for (int i = 0; i < 5; i++)
		{
			part[i] = rest;
			rest += strcspn(rest, "\t\n");
			*rest++ = '\0';
		}
		value = number(part[0]);
		from = unit(part[1]);
		to = unit(part[2]);
		want = number(part[3]);
		if (ucum_convert(&value, &from, &to, &result, &exact) != CORE_OK)
			fail_msg("%s %s does not convert to %s", part[0], part[1], part[2]);
		(void) decimal_print(&result, out);
		if (decimal_compare(&result, &want) != 0 || exact != (strcmp(part[4], "exact") == 0))
			fail_msg("%s %s is %s %s (%d), not %s (%s)", part[0], part[1], out, part[2], exact, part[3], part[4]);
		if (exact)
		{
			assert_int_equal(ucum_compare(&value, &from, &want, &to, &order), CORE_OK);
			assert_int_equal(order, 0);
			assert_int_equal(ucum_compare(&want, &to, &value, &from, &order), CORE_OK);
			assert_int_equal(order, 0);
		}
		n++;
	}
	fclose(f);
	assert_true(n > 2500);
}

static void
test_grammar(void **state)
{
	static const char *const valid[] = {
		"1", "10", "m", "mm", "kg", "g/dL", "mg/dl", "mm[Hg]", "10*3/uL", "10*-3", "10^9/L", "{score}", "{cells}/uL", "/min", "/[HPF]", "m{red}2",
		"kg.m2.s-2", "kg.m+2", "m[iU]/mL", "ug/kg/min", "mL/min/{1.73_m2}", "[pH]", "Cel", "dB", "dB[SPL]", "(m)", "((m/s))/s", "24.h", "mg/(24.h)",
		"cal_[15]", "[in_i'H2O]", "B[10.nV]", "[m/s2/Hz^0.5]", "m[H2O]", "%", "'", "''", "%{Hb}", "L{STP}", "U/(10.g){feces}", "mol/mol{creat}", "Cel{oral}",
		"100.m", "m2{a}", "d", "cd", "dam", "mo", "a", "Pa", "hPa", "min", "mmol", "[arb'U]", "2{x}",
	};
	static const char *const invalid[] = {
		"", "kgg", "xyz", "m m", "m..s", "m/", "m.", "/", "//m", "(m", "m)", "()", "(m)2", "m--2", "m+", "mg/dL ", " mg", "mL/min/1.73 m2", "Mg[Hg]", "MM", "mmin", "kh",
		"{unclosed", "clos}ed", "{a b}", "{{a}}", "[in", "[in_x]", "Cel2", "Cel/s", "m/Cel", "/Cel", "2.Cel", "Cel.m", "[pH]/L", "k[pH]", "0", "0.m", "m0x", "10*x", "\xC3\xA9",
		"days", "year", "seconds", "mcg", "KG", "[s]", "something", "m^2", "kilogram",
	};
	char		long_text[UCUM_TERM_MAX + 2];
	UcumUnit	u;
	size_t		position;

	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
	{
		bool		broken = strstr(valid[i], "}2") != NULL;	/* an exponent stands before the annotation */

		if (ucum_valid(valid[i], strlen(valid[i])) == broken)
			fail_msg("%s should be valid", valid[i]);
	}
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
	{
		if (ucum_valid(invalid[i], strlen(invalid[i])))
			fail_msg("%s should not be valid", invalid[i]);
	}
	assert_int_equal(ucum_parse("mg/xyz", 6, &u, &position), CORE_INVALID);
	assert_int_equal(position, 3);
	assert_int_equal(ucum_parse("mg)", 3, &u, &position), CORE_INVALID);
	assert_int_equal(position, 2);
	memset(long_text, '(', sizeof(long_text));
	assert_int_equal(ucum_parse(long_text, 30, &u, NULL), CORE_TOO_DEEP);
	assert_int_equal(ucum_parse(long_text, UCUM_TERM_MAX + 1, &u, NULL), CORE_TOO_LARGE);
	assert_int_equal(ucum_parse("m31", 3, &u, NULL), CORE_TOO_LARGE);
	assert_int_equal(ucum_parse("Ym30.Ym30.Ym30.Ym30", 19, &u, NULL), CORE_TOO_LARGE);
	assert_int_equal(ucum_parse("[iU].[BAU].[AU].[PFU]", 21, &u, NULL), CORE_TOO_LARGE);
}

static void
test_together(void **state)
{
	UcumUnit	a = unit("[iU]/L");
	UcumUnit	b = unit("[arb'U]/L");
	UcumUnit	c = unit("k[IU]/mL");
	UcumUnit	one = unit("1");
	UcumUnit	kg_kg = unit("kg.kg-1");
	UcumUnit	ratio = unit("[iU]/[iU]");
	UcumUnit	score = unit("{score}");
	UcumUnit	percent = unit("%");
	UcumUnit	cel = unit("Cel");
	UcumUnit	fahrenheit = unit("[degF]");
	UcumUnit	kelvin = unit("K");
	UcumUnit	gram = unit("g");
	UcumUnit	milligram = unit("mg");
	Decimal		zero = number("0");
	Decimal		minus = number("-1");
	Decimal		x;
	int			order;

	assert_false(ucum_commensurable(&a, &b));
	assert_true(ucum_commensurable(&a, &c));
	assert_true(ucum_is_one(&one) && ucum_is_one(&kg_kg) && ucum_is_one(&ratio) && ucum_is_one(&score));
	assert_false(ucum_is_one(&percent));
	assert_true(ucum_commensurable(&one, &percent));
	assert_true(ucum_is_special(&cel));
	assert_true(ucum_commensurable(&cel, &kelvin));
	assert_int_equal(ucum_compare_size(&milligram, &gram), -1);
	assert_int_equal(ucum_compare_size(&gram, &milligram), 1);
	assert_int_equal(ucum_compare_size(&cel, &fahrenheit), 1);
	assert_int_equal(ucum_compare_size(&cel, &kelvin), 0);
	assert_int_equal(ucum_compare(&zero, &cel, &zero, &kelvin, &order), CORE_OK);
	assert_int_equal(order, 1);
	assert_int_equal(ucum_compare(&minus, &gram, &zero, &milligram, &order), CORE_OK);
	assert_int_equal(order, -1);
	assert_int_equal(ucum_convert(&zero, &gram, &cel, &x, NULL), CORE_INVALID);
	a = unit("[pH]");
	b = unit("mol/L");
	assert_int_equal(ucum_convert(&minus, &b, &a, &x, NULL), CORE_INVALID);
	a = unit("Ym");
	b = unit("ym");
	x = number("1");
	assert_int_equal(ucum_convert(&x, &a, &b, &x, NULL), CORE_TOO_LARGE);
}

static void
expect_term(bool divide, const char *a, const char *b, const char *want)
{
	char		out[UCUM_TERM_MAX + 1];
	size_t		len;

	assert_int_equal((divide ? ucum_divide : ucum_multiply) (a, strlen(a), b, strlen(b), out, &len), CORE_OK);
	assert_string_equal(out, want);
	assert_int_equal(len, strlen(want));
	assert_true(ucum_valid(out, len));
}

static void
test_terms(void **state)
{
	char		out[UCUM_TERM_MAX + 1];
	char		name[UCUM_NAME_MAX];
	size_t		len;
	UcumUnit	u = unit("mm[Hg]");

	expect_term(true, "g", "m", "g/m");
	expect_term(true, "g", "g", "1");
	expect_term(false, "g/m", "m", "g");
	expect_term(false, "g", "1", "g");
	expect_term(true, "1", "kg", "1/kg");
	expect_term(true, "g", "m/s", "g.s/m");
	expect_term(false, "m", "m", "m2");
	expect_term(true, "m", "s2", "m/s2");
	expect_term(false, "kg.m/s2", "m", "kg.m2/s2");
	expect_term(false, "10.m", "10.m", "10.m2.10");
	expect_term(false, "10*3/uL", "uL", "10*3");
	expect_term(true, "{cells}/uL", "{x}", "1/uL");
	expect_term(false, "(m/s)/(g.K)", "g", "m/s/K");
	assert_int_equal(ucum_multiply("Cel", 3, "m", 1, out, &len), CORE_INVALID);
	assert_int_equal(ucum_multiply("xx", 2, "m", 1, out, &len), CORE_INVALID);
	assert_int_equal(ucum_multiply("m30", 3, "m", 1, out, &len), CORE_TOO_LARGE);
	assert_int_equal(ucum_print_canonical(&u, out, &len), CORE_OK);
	assert_string_equal(out, "m-1.s-2.g");
	u = unit("[IU]/mL");
	assert_int_equal(ucum_print_canonical(&u, out, &len), CORE_OK);
	assert_string_equal(out, "m-3.[iU]");
	u = unit("%");
	assert_int_equal(ucum_print_canonical(&u, out, &len), CORE_OK);
	assert_string_equal(out, "1");
	assert_int_equal(ucum_name("mg", 2, name), 9);
	assert_string_equal(name, "milligram");
	assert_int_equal(ucum_name("mg/L", 4, name), 0);
}

/* Every atom: found, and every prefix with it; converts to its base units and back. */
static void
test_table(void **state)
{
	int			found = 0;

	assert_true(ucum_natoms >= 250);
	for (int i = 0; i < ucum_natoms; i++)
	{
		const UcumAtom *atom = &ucum_atoms[i];
		UcumUnit	u = unit(atom->code);
		UcumUnit	base;
		char		canonical[UCUM_TERM_MAX + 1];
		size_t		len;
		Decimal		x = number("2.5");
		Decimal		y,
					z;
		bool		exact;

		if (i > 0)
			assert_true(strcmp(ucum_atoms[i - 1].code, atom->code) < 0);
		assert_int_equal(ucum_print_canonical(&u, canonical, &len), CORE_OK);
		base = unit(canonical);
		assert_true(ucum_commensurable(&u, &base));
		if (ucum_convert(&x, &u, &base, &y, &exact) == CORE_OK && decimal_sign(&y) != 0 &&
			ucum_convert(&y, &base, &u, &z, NULL) == CORE_OK && exact)
			assert_int_equal(decimal_compare(&x, &z), 0);
		for (int p = 0; p < ucum_nprefixes; p++)
		{
			char		text[100];
			bool		valid;

			sprintf(text, "%s%s", ucum_prefixes[p].code, atom->code);
			valid = ucum_valid(text, strlen(text));
			found += valid;
			if (atom->metric)
				assert_true(valid);
		}
	}
	assert_true(found > 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
