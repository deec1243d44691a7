/*
 * jaro.c
 *		What a Jaro-Winkler comparison of two folded names costs, out of packed feature rows.
 *
 * Usage: jaro FILE, folded names one a line, those of 16 letters are used.  Prints
 * nanoseconds a call, the median of 9 rounds over all pairs of 1,000 names; then
 * the same for compare_edits with a limit of 2 and for whole comparisons of rows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compare_text.h"
#include "match_model.h"
#include "match_row.h"

#define NAMES 1000
#define ROUNDS 9

static MatchRow row[NAMES];
static volatile double sink;

static double
jaro(const MatchRow *a, const MatchRow *b)
{
	return compare_jaro_winkler(a->letters, a->letters_len, b->letters, b->letters_len);
}

static double
edits(const MatchRow *a, const MatchRow *b)
{
	return compare_edits(a->letters, a->letters_len, b->letters, b->letters_len, 2);
}

static double
whole(const MatchRow *a, const MatchRow *b)
{
	MatchVector v;

	match_compare(a, b, &v);
	return v.level[0];
}

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static double
cost(double (*fn) (const MatchRow *, const MatchRow *), int n)
{
	double		ns[ROUNDS];
	int			r,
				i,
				j;

	for (r = 0; r < ROUNDS; r++)
	{
		struct timespec from,
					to;
		double		sum = 0;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				sum += fn(&row[i], &row[j]);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
		sink = sum;
		ns[r] = ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / n / n;
	}
	qsort(ns, ROUNDS, sizeof *ns, by_value);
	return ns[ROUNDS / 2];
}

int
main(int argc, char **argv)
{
	FILE	   *f = fopen(argv[1], "r");
	char		line[256];
	int			n = 0;

	while (f != NULL && n < NAMES && fgets(line, sizeof line, f) != NULL)
	{
		MatchInput	in = {line};

		line[strcspn(line, "\n")] = '\0';
		match_row_make(&row[n], &in);
		n += row[n].letters_len == 16;
	}
	if (n < 2)
		return 1;
	printf("%.0f %.0f %.0f\n", cost(jaro, n), cost(edits, n), cost(whole, n));
	return 0;
}
