/*
 * table_csv.c
 *		Links the rows of a CSV file by a comparison definition, with the core alone,
 *		and scores the result.
 *
 * Usage: table_csv FILE.csv KIND:COLUMN[:SWAPPED COLUMN] ... [source:COLUMN]
 *
 * The file has columns id and cluster (the truth).  Prints pairwise precision,
 * recall and F1 of clusters and of pairs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "match_table.h"

#define COLUMNS_MAX 64

static void *
plain_alloc(void *arg, size_t size)
{
	return malloc(size);
}

static void
plain_free(void *arg, void *p)
{
	free(p);
}

static const CoreContext core = {plain_alloc, plain_free, NULL, NULL, 100};

static int
cut(char *line, char **cell)
{
	int			n = 0;

	line[strcspn(line, "\r\n")] = '\0';
	for (; n < COLUMNS_MAX; line++)
	{
		cell[n++] = line;
		line = strchr(line, ',');
		if (line == NULL)
			break;
		*line = '\0';
	}
	return n;
}

static int
column(char **header, int n, const char *name)
{
	while (n-- > 0)
		if (strcmp(header[n], name) == 0)
			return n;
	fprintf(stderr, "no column %s\n", name);
	exit(2);
}

static int
by_pair(const void *x, const void *y)
{
	return memcmp(x, y, 8);
}

static double
pairs_in_runs(uint32_t (*p)[2], uint32_t n, int width)
{
	double		pairs = 0;
	uint32_t	i,
				run;

	qsort(p, n, sizeof *p, by_pair);
	for (i = 0; i < n; i += run)
	{
		for (run = 1; i + run < n && memcmp(p[i], p[i + run], width * sizeof(uint32_t)) == 0; run++)
			;
		pairs += (double) run * (run - 1) / 2;
	}
	return pairs;
}

int
main(int argc, char **argv)
{
	FILE	   *f = fopen(argv[1], "r");
	static char line[65536],
				first[65536];
	char	   *header[COLUMNS_MAX],
			   *cell[COLUMNS_MAX],
			   *name[TABLE_FIELDS_MAX];
	const char *value[TABLE_FIELDS_MAX];
	TableField	field[TABLE_FIELDS_MAX];
	int			at[TABLE_FIELDS_MAX];
	int			fields = 0,
				source = -1,
				columns,
				truth,
				i,
				l;
	MatchTable	t;
	TableOutcome out;
	uint32_t   *cluster = malloc(4u << 22);
	uint32_t	(*p)[2];
	double		both,
				linked,
				real;
	size_t		k,
				pairs = 0,
				right = 0;
	clock_t		start = clock();

	if (f == NULL || fgets(first, sizeof first, f) == NULL)
		return 2;
	columns = cut(first, header);
	truth = column(header, columns, "cluster");
	for (i = 2; i < argc; i++)
	{
		char	   *kind = strtok(argv[i], ":");
		char	   *of = strtok(NULL, ":");

		if (strcmp(kind, "source") == 0)
		{
			source = column(header, columns, of);
			continue;
		}
		at[fields] = column(header, columns, of);
		name[fields] = of;
		memset(&field[fields], 0, sizeof *field);
		field[fields].swap = -1;
		for (l = 0; l < TABLE_KINDS; l++)
			if (strcmp(kind, table_kind_names[l]) == 0)
				field[fields].kind = l;
		of = strtok(NULL, ":");
		for (l = 0; of != NULL && l < fields; l++)
			if (strcmp(name[l], of) == 0)
				field[fields].swap = l;
		fields++;
	}
	match_table_start(&t, &core, field, fields);
	while (fgets(line, sizeof line, f) != NULL)
	{
		cut(line, cell);
		for (i = 0; i < fields; i++)
			value[i] = cell[at[i]];
		cluster[t.n] = atoi(cell[truth]);
		match_table_add(&t, value, source < 0 ? 0 : (unsigned char) cell[source][0]);
	}
	if (match_table_link(&t, NULL, &out) != CORE_OK)
		return 1;
	for (i = 0; getenv("VERBOSE") && i < fields; i++)
		for (l = 0; l < table_levels(&field[i]); l++)
			printf("%-14s %-12s m %.5f u %.3g weight %+5.1f%s%s\n", name[i], table_level_name(&field[i], l), out.model.m[i][l], out.model.u[i][l],
				   log2(out.model.m[i][l] / out.model.u[i][l]), l == 0 && out.model.parent[i] >= 0 ? " with " : "",
				   l == 0 && out.model.parent[i] >= 0 ? name[out.model.parent[i]] : "");
	p = malloc(t.n * sizeof *p);
	for (k = 0; k < t.n; k++)
	{
		p[k][0] = match_forest_root(&out.forest, k);
		p[k][1] = cluster[k];
	}
	both = pairs_in_runs(p, t.n, 2);
	linked = pairs_in_runs(p, t.n, 1);
	for (k = 0; k < t.n; k++)
		p[k][0] = cluster[k];
	real = pairs_in_runs(p, t.n, 1);
	for (k = 0; k < out.npairs && out.pair[k].bits >= out.model.threshold; k++)
	{
		pairs++;
		right += cluster[out.pair[k].a] == cluster[out.pair[k].b];
	}
	{
		size_t		covered = 0;
		double		best = 0, at_bits = 0;
		size_t		good = 0;

		for (k = 0; k < out.npairs; k++)
		{
			covered += cluster[out.pair[k].a] == cluster[out.pair[k].b];
			good = covered;
			if (2.0 * good / (k + 1 + real) > best)
			{
				best = 2.0 * good / (k + 1 + real);
				at_bits = out.pair[k].bits;
			}
		}
		printf("covered %.4f; best pairs F1 %.4f at %.1f bits\n", covered / real, best, at_bits);
	}
	printf("rows %u s %.1f candidates %lu skipped %u refused %u threshold %.1f prior 2^%.1f\n", t.n, (clock() - start) / (double) CLOCKS_PER_SEC,
		   (unsigned long) t.candidates, t.skipped, t.refused, out.model.threshold, log2(out.model.prior));
	printf("pairs    precision %.4f recall %.4f F1 %.4f\n", right / (double) pairs, right / real, 2 * right / (pairs + real));
	printf("clusters precision %.4f recall %.4f F1 %.4f\n", both / linked, both / real, 2 * both / (linked + real));
	return 0;
}
