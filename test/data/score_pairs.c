/*-------------------------------------------------------------------------
 *
 * score_pairs.c
 *		Sets a grouping of rows into people against the truth.
 *
 *	score_pairs --truth FILE [--found FILE] [--rows FILE]
 *
 * truth: record_id,person_id	found: record_id,cluster	rows: the rows themselves
 *
 * Prints pairwise precision, recall and F1 of the found clusters and, from the
 * rows, of two naive rules: same ID, and same name (without marks) and full
 * birth date.  A record that `found` does not name counts as a cluster of its
 * own and is reported; one that the truth does not know, or that is named
 * twice, is an error.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_csv.h"
#include "vn_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Truth
{
	Names		records;
	uint32_t   *person;			/* by record */
	uint32_t	n_persons;
} Truth;

static uint32_t
record_number(const Truth *truth, const Csv *csv, const char *record)
{
	uint32_t	number;

	if (!names_find(&truth->records, record, &number))
		die("%s, line %llu: the truth does not know this record", csv->path, (unsigned long long) csv->line);
	return number;
}

static void
read_truth(Truth *truth, const char *path)
{
	Csv			csv;
	Names		persons;
	uint32_t	room = 1024;
	int			record,
				person;

	csv_open(&csv, path);
	record = csv_column(&csv, "record_id");
	person = csv_column(&csv, "person_id");
	names_start(&truth->records);
	names_start(&persons);
	truth->person = need(room * sizeof(uint32_t));
	while (csv_next(&csv))
	{
		uint32_t	before = truth->records.n;

		if (names_add(&truth->records, csv.cell[record]) != before)
			die("%s, line %llu: the record comes twice", path, (unsigned long long) csv.line);
		if (before == room)
		{
			room *= 2;
			truth->person = realloc(truth->person, room * sizeof(uint32_t));
			if (!truth->person)
				die("out of memory");
		}
		truth->person[before] = names_add(&persons, csv.cell[person]);
	}
	truth->n_persons = persons.n;
}

static void
print_score(const char *rule, const uint64_t *keys, const Truth *truth)
{
	PairCount	c = count_pairs(keys, truth->person, truth->records.n);

	printf("%-26s %9.4f %9.4f %9.4f %12llu %12lu\n", rule, precision(&c), recall(&c), f1(&c),
		   (unsigned long long) c.groups, (unsigned long) truth->n_persons);
}

static void
score_found(const Truth *truth, const char *path)
{
	Csv			csv;
	Names		clusters;
	uint64_t   *key = need(truth->records.n * sizeof(uint64_t));
	uint64_t	missing = 0;
	int			record,
				cluster;

	csv_open(&csv, path);
	record = csv_column(&csv, "record_id");
	cluster = csv_column(&csv, "cluster");
	names_start(&clusters);
	while (csv_next(&csv))
	{
		uint64_t   *k = &key[record_number(truth, &csv, csv.cell[record])];

		if (*k)
			die("%s, line %llu: the record comes twice", path, (unsigned long long) csv.line);
		*k = names_add(&clusters, csv.cell[cluster]) + UINT64_C(1);
	}
	for (uint32_t i = 0; i < truth->records.n; i++)
		missing += key[i] == 0;
	print_score("found", key, truth);
	if (missing)
		printf("%llu records have no cluster and count as alone\n", (unsigned long long) missing);
	free(key);
}

static void
score_naive(const Truth *truth, const char *path)
{
	Csv			csv;
	uint64_t   *id = need(truth->records.n * sizeof(uint64_t));
	uint64_t   *name_date = need(truth->records.n * sizeof(uint64_t));
	int			record,
				name,
				date,
				number;

	csv_open(&csv, path);
	record = csv_column(&csv, "record_id");
	name = csv_column(&csv, "full_name");
	date = csv_column(&csv, "birth_date");
	number = csv_column(&csv, "citizen_number");
	while (csv_next(&csv))
	{
		uint32_t	i = record_number(truth, &csv, csv.cell[record]);

		id[i] = id_key(csv.cell[number]);
		name_date[i] = join_keys(name_key(csv.cell[name]), date_key(csv.cell[date]));
	}
	print_score("same ID", id, truth);
	print_score("same name and birth date", name_date, truth);
}

static void
usage(void)
{
	die("usage: score_pairs --truth FILE [--found FILE] [--rows FILE]");
}

int
main(int argc, char **argv)
{
	const char *paths[3] = {NULL};
	static const char *const options[3] = {"--truth", "--found", "--rows"};
	static Truth truth;

	for (int i = 1; i < argc; i += 2)
	{
		int			o = 0;

		while (o < 3 && strcmp(argv[i], options[o]) != 0)
			o++;
		if (o == 3 || i + 1 == argc)
			usage();
		paths[o] = argv[i + 1];
	}
	if (!paths[0] || (!paths[1] && !paths[2]))
		usage();
	text_init();
	read_truth(&truth, paths[0]);
	printf("%-26s %9s %9s %9s %12s %12s\n", "rule", "precision", "recall", "F1", "clusters", "true people");
	if (paths[1])
		score_found(&truth, paths[1]);
	if (paths[2])
		score_naive(&truth, paths[2]);
	return 0;
}
