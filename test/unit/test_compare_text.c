/*
 * The string comparators against textbook implementations, on random strings
 * over small and large alphabets, and against published values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "compare_text.h"

static uint32_t seed = 20260801;

static uint32_t
next(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static size_t
random_string(char *s, size_t most, int letters)
{
	size_t		n = next((uint32_t) most + 1);
	size_t		i;

	for (i = 0; i < n; i++)
		s[i] = (char) ('A' + next((uint32_t) letters));
	return n;
}

/* one or two random edits of a, so that close pairs occur */
static size_t
edited(const char *a, size_t n, char *b, size_t most)
{
	int			k = (int) next(3);

	memcpy(b, a, n);
	while (k-- > 0)
	{
		size_t		at = n > 0 ? next((uint32_t) n) : 0;

		switch (next(4))
		{
			case 0:
				if (n > 0)
				{
					memmove(b + at, b + at + 1, n - at - 1);
					n--;
				}
				break;
			case 1:
				if (n < most)
				{
					memmove(b + at + 1, b + at, n - at);
					b[at] = (char) ('A' + next(5));
					n++;
				}
				break;
			case 2:
				if (n > 0)
					b[at] = (char) ('A' + next(5));
				break;
			default:
				if (at + 1 < n)
				{
					char		c = b[at];

					b[at] = b[at + 1];
					b[at + 1] = c;
				}
		}
	}
	return n;
}

/* Jaro as it stands in textbooks, in the given order of arguments */
static double
naive_jaro(const char *a, int la, const char *b, int lb)
{
	bool		fa[300] = {false},
				fb[300] = {false};
	int			w = (la > lb ? la : lb) / 2 - 1;
	int			m = 0,
				t = 0,
				k = 0;
	int			i,
				j;

	if (la == 0 && lb == 0)
		return 1;
	if (w < 0)
		w = 0;
	for (i = 0; i < la; i++)
		for (j = i - w; j <= i + w; j++)
			if (j >= 0 && j < lb && !fb[j] && a[i] == b[j])
			{
				fa[i] = fb[j] = true;
				m++;
				break;
			}
	if (m == 0)
		return 0;
	for (i = 0; i < la; i++)
		if (fa[i])
		{
			while (!fb[k])
				k++;
			t += a[i] != b[k++];
		}
	return ((double) m / la + (double) m / lb + (m - t / 2.0) / m) / 3;
}

/* optimal string alignment by its full table */
static int
naive_edits(const char *a, int la, const char *b, int lb)
{
	static int	d[301][301];
	int			i,
				j;

	for (i = 0; i <= la; i++)
		d[i][0] = i;
	for (j = 0; j <= lb; j++)
		d[0][j] = j;
	for (i = 1; i <= la; i++)
		for (j = 1; j <= lb; j++)
		{
			int			v = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			v = d[i - 1][j] + 1 < v ? d[i - 1][j] + 1 : v;
			v = d[i][j - 1] + 1 < v ? d[i][j - 1] + 1 : v;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				v = d[i - 2][j - 2] + 1 < v ? d[i - 2][j - 2] + 1 : v;
			d[i][j] = v;
		}
	return d[la][lb];
}

static void
test_jaro_against_textbook(void **state)
{
	char		a[300],
				b[300];
	int			round;

	for (round = 0; round < 60000; round++)
	{
		size_t		most = round % 10 == 0 ? 200 : 20;
		size_t		la = random_string(a, most, round % 3 ? 4 : 20);
		size_t		lb = round % 2 ? random_string(b, most, round % 3 ? 4 : 20) : edited(a, la, b, most);
		double		got = compare_jaro(a, la, b, lb);
		bool		a_first = la != lb ? la < lb : memcmp(a, b, la) < 0;
		double		want = a_first ? naive_jaro(a, (int) la, b, (int) lb) : naive_jaro(b, (int) lb, a, (int) la);

		assert_true(fabs(got - want) < 1e-12);
		assert_true(got == compare_jaro(b, lb, a, la));
		assert_true(got >= 0 && got <= 1);
		assert_true(compare_jaro_winkler(a, la, b, lb) >= got);
		assert_true(compare_jaro_winkler(a, la, b, lb) <= 1);
		assert_true(compare_jaro_winkler(a, la, a, la) == 1);
		assert_true((compare_jaro_winkler(a, la, b, lb) == 1) == (la == lb && memcmp(a, b, la) == 0));
	}
}

/* Winkler 1990, table of examples */
static void
test_jaro_winkler_published(void **state)
{
	static const struct
	{
		const char *a,
				   *b;
		double		value;
	}			cases[] = {
		{"MARTHA", "MARHTA", 0.9611}, {"DIXON", "DICKSONX", 0.8133}, {"DWAYNE", "DUANE", 0.8400},
		{"SHACKLEFORD", "SHACKELFORD", 0.9818}, {"NICHLESON", "NICHULSON", 0.9556}, {"JONES", "JOHNSON", 0.8324},
		{"ABROMS", "ABRAMS", 0.9222}, {"ITMAN", "SMITH", 0.4667}, {"", "", 1}, {"A", "", 0},
	};
	size_t		i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(fabs(compare_jaro_winkler(cases[i].a, strlen(cases[i].a), cases[i].b, strlen(cases[i].b)) - cases[i].value) < 5e-5);
}

static void
test_edits_against_textbook(void **state)
{
	char		a[300],
				b[300];
	int			round;

	for (round = 0; round < 60000; round++)
	{
		size_t		most = round % 50 == 0 ? 200 : 16;
		size_t		la = random_string(a, most, 5);
		size_t		lb = round % 3 ? edited(a, la, b, most) : random_string(b, most, 5);
		int			want = naive_edits(a, (int) la, b, (int) lb);
		int			limit = (int) next(5);
		CompareEdit one = compare_one_edit(a, la, b, lb);

		assert_int_equal(compare_edits(a, la, b, lb, 255), want);
		assert_int_equal(compare_edits(a, la, b, lb, limit), want > limit ? limit + 1 : want);
		assert_int_equal(compare_edits(b, lb, a, la, limit), want > limit ? limit + 1 : want);
		assert_int_equal(one == EDIT_NONE, want == 0);
		assert_int_equal(one == EDIT_OTHER, want > 1);
		assert_int_equal(one, compare_one_edit(b, lb, a, la));
		if (one == EDIT_DROPPED)
			assert_true(la != lb);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jaro_against_textbook),
		cmocka_unit_test(test_jaro_winkler_published),
		cmocka_unit_test(test_edits_against_textbook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
