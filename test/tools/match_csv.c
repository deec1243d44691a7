/*
 * match_csv.c
 *		Links the rows of a CSV file with the core alone and scores the result.
 *
 * Usage: match_csv FILE.csv TRUTH.csv [LINK PROBABILITY]
 *
 * The file's columns are those of test/data/vaccinations; the truth has two
 * columns, record and person.  Prints rates, times and the model; a stand-alone
 * check of src/core/match_*.c, no server needed:
 *
 *		gcc -O2 -Isrc/core test/tools/match_csv.c src/core/match_*.c \
 *			src/core/{citizen_id,compare_text,insurance_no,phone,utf8,vn_text}.c -lm -o build/match_csv
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "match_link.h"

#define FIELDS_MAX 64

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

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Cuts a CSV line in place; NULL at the end of the file. */
static char *
read_line(FILE *f, char **field, int *nfields)
{
	static char *line = NULL;
	static size_t room = 0;
	char	   *in,
			   *out;
	ssize_t		len = getline(&line, &room, f);

	if (len <= 0)
		return NULL;
	*nfields = 0;
	for (in = out = line; *nfields < FIELDS_MAX;)
	{
		bool		quoted = false;

		field[(*nfields)++] = out;
		for (; *in != '\0' && *in != '\n' && *in != '\r' && (quoted || *in != ','); in++)
		{
			if (*in != '"')
				*out++ = *in;
			else if (quoted && in[1] == '"')
				*out++ = *in++;
			else
				quoted = !quoted;
		}
		if (*in == ',')
		{
			in++;
			*out++ = '\0';
			continue;
		}
		*out = '\0';
		break;
	}
	return line;
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

/* dd/mm/yyyy → yyyy-mm-dd; all else as it is */
static const char *
iso_date(const char *s, char out[16])
{
	int			d,
				m,
				y;

	if (strlen(s) == 10 && sscanf(s, "%2d%*[/.-]%2d%*[/.-]%4d", &d, &m, &y) == 3 && y > 1800)
	{
		snprintf(out, 16, "%04d-%02d-%02d", y % 10000, m % 100, d % 100);
		return out;
	}
	return s;
}

static uint32_t
read_rows(const char *path, MatchRow **rows)
{
	static const char *const names[] = {"record_id", "full_name", "birth_date", "sex", "citizen_number", "insurance_number", "phone", "ward_code", "district_code", "address"};
	FILE	   *f = fopen(path, "r");
	char	   *field[FIELDS_MAX];
	int			at[10];
	int			n;
	uint32_t	room = 1 << 20;
	uint32_t	count = 0;
	int			i;

	if (f == NULL || read_line(f, field, &n) == NULL)
	{
		perror(path);
		exit(2);
	}
	for (i = 0; i < 10; i++)
		at[i] = column(field, n, names[i]);
	*rows = malloc(room * sizeof **rows);
	while (read_line(f, field, &n) != NULL)
	{
		char		date[16];
		MatchInput	in = {field[at[1]], iso_date(field[at[2]], date), field[at[4]], field[at[5]], field[at[6]], field[at[7]], field[at[8]], field[at[9]]};
		const char *sex = field[at[3]];

		in.sex = strchr("Mm1", *sex) && *sex ? SEX_MALE : strchr("Ff2", *sex) && *sex ? SEX_FEMALE :
			strncmp(sex, "Nam", 3) == 0 ? SEX_MALE : *sex == 'N' ? SEX_FEMALE : SEX_MISSING;
		if (count == room)
			*rows = realloc(*rows, (room *= 2) * sizeof **rows);
		match_row_make(&(*rows)[count], &in);
		(*rows)[count++].subject = atoll(field[at[0]]);
	}
	fclose(f);
	return count;
}

/* record → person, both below 2^31, records from 1 without gaps */
static int *
read_truth(const char *path, uint32_t n)
{
	FILE	   *f = fopen(path, "r");
	char	   *field[FIELDS_MAX];
	int		   *person = calloc(n + 2, sizeof *person);
	int			k;

	if (f == NULL || read_line(f, field, &k) == NULL)
	{
		perror(path);
		exit(2);
	}
	while (read_line(f, field, &k) != NULL)
		if (atoll(field[0]) <= n)
			person[atoll(field[0])] = atoi(field[1]);
	fclose(f);
	return person;
}

static int
by_pair(const void *x, const void *y)
{
	return memcmp(x, y, 2 * sizeof(uint32_t));
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

static void
print_model(const MatchModel *m)
{
	int			f,
				l;

	printf("prior 2^%.1f\n", m->prior_bits);
	for (f = 0; f < MATCH_FIELDS; f++)
		for (l = 0; l < match_fields[f].levels; l++)
			printf("%-10s %-14s m %.5f u %.3g share %5.1f weight %+5.1f\n", match_fields[f].name, match_fields[f].level[l].name,
				   m->m[f][l], m->u[f][l], m->share[f][l], log2(m->m[f][l] / m->u[f][l]));
}

int
main(int argc, char **argv)
{
	MatchRow   *rows;
	MatchOutcome out;
	MatchOptions options = match_options_default;
	double		t0 = now(),
				t1,
				t2;
	uint32_t	n,
				i,
				found = 0;
	uint32_t	(*p)[2];
	int		   *truth;
	double		linked,
				real,
				both;

	if (argc < 3)
		return 2;
	if (argc > 3)
		options.link = atof(argv[3]);
	n = read_rows(argv[1], &rows);
	t1 = now();
	if (match_link(&core, rows, n, &options, &out) != CORE_OK)
		return 1;
	t2 = now();
	truth = read_truth(argv[2], n);
	p = malloc(n * sizeof *p);
	for (i = 0; i < n; i++)
	{
		p[i][0] = match_forest_root(&out.forest, i);
		p[i][1] = (uint32_t) truth[rows[i].subject];
		found += p[i][0] == i;
	}
	both = pairs_in_runs(p, n, 2);
	linked = pairs_in_runs(p, n, 1);
	for (i = 0; i < n; i++)
		p[i][0] = (uint32_t) truth[rows[i].subject];
	real = pairs_in_runs(p, n, 1);
	if (getenv("VERBOSE"))
	{
		print_model(&out.model);
		for (i = 0; i < MATCH_RULES; i++)
			printf("%-20s pairs %9lu blocks %8u refined %5u windowed %4u largest %u\n", match_rules[i].name, (unsigned long) out.blocks.pairs[i],
				   out.blocks.blocks[i], out.blocks.refined[i], out.blocks.windowed[i], out.blocks.largest[i]);
	}
	if (getenv("ERRORS"))
	{
		FILE	   *f = fopen(getenv("ERRORS"), "w");

		for (i = 0; i < n; i++)
			fprintf(f, "%ld,%u,%d\n", (long) rows[i].subject, match_forest_root(&out.forest, i), truth[rows[i].subject]);
		fclose(f);
	}
	printf("rows %u read %.1f s link %.2f s candidates %lu linked %lu vetoed %lu refused %lu review %zu persons %u precision %.4f recall %.4f F1 %.4f\n",
		   n, t1 - t0, t2 - t1, (unsigned long) out.candidates, (unsigned long) out.linked, (unsigned long) out.vetoed,
		   (unsigned long) out.refused, out.nreview, found, both / linked, both / real, 2 * both / (linked + real));
	match_outcome_free(&core, &out);
	free(p);
	free(truth);
	free(rows);
	return 0;
}
