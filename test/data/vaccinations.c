/*-------------------------------------------------------------------------
 *
 * vaccinations.c
 *		Makes vaccination rows of made-up people, and tells which rows are whose.
 *
 *	vaccinations --rows N --seed S [--out FILE] [--truth FILE] [--figures] [--tables FOLDER]
 *
 * The same N and S give the same bytes on every machine.  A row depends on the
 * seed, its person and its number among that person's rows; N settles how many
 * people there are and how many rows each has.  README.md describes the model.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_figures.h"
#include "vn_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The city's own count: so many rows were of so many people. */
#define CITY_ROWS UINT64_C(9148769)
#define CITY_PERSONS UINT64_C(6593186)
#define MAX_ROWS UINT64_C(40000000)

/* Of a million people: those with four rows and those with three; two or one follow from N. */
#define WITH_FOUR 8000
#define WITH_THREE 29200

#define S_ROW_COUNT 200
#define S_ORDER 201

typedef struct Options
{
	uint64_t	rows,
				seed;
	const char *out,
			   *truth,
			   *tables;
	bool		figures;
} Options;

static const char header[] = "record_id,full_name,birth_date,sex,phone,citizen_number,insurance_number,address,ward_code,"
"district_code,province_code,vaccine_code,vaccine_name,dose_number,vaccinated_on,lot,facility_code,disease\n";

/* ---- writing ---- */

typedef struct Output
{
	FILE	   *file;
	const char *path;
	size_t		used;
	char		buffer[1 << 18];
} Output;

static Output *
output_open(const char *path)
{
	Output	   *o;

	if (!path)
		return NULL;
	o = need(sizeof *o);
	o->path = path;
	o->file = fopen(path, "wb");
	if (!o->file)
		die("cannot write %s: %s", path, strerror(errno));
	return o;
}

static void
output_flush(Output *o)
{
	if (fwrite(o->buffer, 1, o->used, o->file) != o->used)
		die("cannot write %s: %s", o->path, strerror(errno));
	o->used = 0;
}

static void
output_close(Output *o)
{
	if (!o)
		return;
	output_flush(o);
	if (fclose(o->file) != 0)
		die("cannot write %s: %s", o->path, strerror(errno));
	free(o);
}

static void
put(Output *o, const char *text, size_t len)
{
	if (o->used + len > sizeof o->buffer)
		output_flush(o);
	memcpy(o->buffer + o->used, text, len);
	o->used += len;
}

static void
put_number(Output *o, uint64_t number)
{
	char		digits[20];
	int			at = sizeof digits;

	do
		digits[--at] = (char) ('0' + number % 10);
	while (number /= 10);
	put(o, digits + at, sizeof digits - (size_t) at);
}

/* One cell after a comma, in quotes where RFC 4180 wants them. */
static void
put_cell(Output *o, const char *text)
{
	size_t		len = 0;
	bool		quote = false;

	for (; text[len]; len++)
		quote = quote || text[len] == ',' || text[len] == '"' || text[len] == '\n' || text[len] == '\r';
	put(o, quote ? ",\"" : ",", quote ? 2 : 1);
	if (quote)
	{
		for (const char *inner; (inner = memchr(text, '"', len)) != NULL;)
		{
			size_t		part = (size_t) (inner - text) + 1;

			put(o, text, part);
			put(o, "\"", 1);
			text += part;
			len -= part;
		}
	}
	put(o, text, len);
	if (quote)
		put(o, "\"", 1);
}

static void
put_row(Output *o, uint64_t record, const Row *row)
{
	const char *const cells[] = {
		row->full_name, row->birth_date, row->sex, row->phone, row->citizen_number, row->insurance_number, row->address,
		row->ward_code, row->district_code, row->province_code, row->vaccine_code, row->vaccine_name, row->dose_number,
		row->vaccinated_on, row->lot, row->facility_code, row->disease,
	};

	put_number(o, record);
	for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
		put_cell(o, cells[i]);
	put(o, "\n", 1);
}

static void
put_truth(Output *o, uint64_t record, uint32_t person)
{
	put_number(o, record);
	put(o, ",", 1);
	put_number(o, person + 1);
	put(o, "\n", 1);
}

/* ---- how many rows, whose, in which order ---- */

static uint32_t
persons_for(uint64_t rows)
{
	uint64_t	persons = (rows * CITY_PERSONS * 2 + CITY_ROWS) / (2 * CITY_ROWS);

	return (uint32_t) (persons ? persons : 1);
}

/*
 * People drawn by lot: the first have four rows, then three, two, one, so that
 * the sum is exactly `rows`.
 */
typedef struct RowCounts
{
	uint64_t	four,
				three,
				two;
} RowCounts;

static RowCounts
row_counts(uint64_t rows, uint64_t persons)
{
	RowCounts	c = {persons * WITH_FOUR / 1000000, persons * WITH_THREE / 1000000, rows - persons};

	c.two -= 3 * c.four + 2 * c.three;
	return c;
}

static int
rows_of(const RowCounts *c, uint64_t lot)
{
	if (lot < c->four)
		return 4;
	if (lot < c->four + c->three)
		return 3;
	return lot < c->four + c->three + c->two ? 2 : 1;
}

/* All rows as (day, chance) → (person, number of the row), in the order of the file. */
static Item *
order_rows(const City *city, uint64_t rows)
{
	uint32_t	persons = city->world.persons;
	RowCounts	counts = row_counts(rows, persons);
	uint64_t	key = hash3(city->world.seed, S_ROW_COUNT, 0);
	Item	   *order = need(rows * sizeof(Item));
	uint64_t	n = 0;

	for (uint32_t p = 0; p < persons; p++)
	{
		int			own = rows_of(&counts, permute(key, persons, p));
		Person		person;

		person_make(&city->world, p, &person);
		for (int k = 0; k < own; k++)
		{
			uint64_t	day = (uint64_t) row_day(city, &person, k);
			uint64_t	number = (uint64_t) p * 4 + (uint64_t) k;

			order[n].key = day << 44 | hash3(city->world.seed, S_ORDER, number) >> 20;
			order[n++].value = number;
		}
	}
	if (n != rows)
		die("%llu rows instead of %llu", (unsigned long long) n, (unsigned long long) rows);
	sort_items(order, rows);
	return order;
}

/* ---- the command ---- */

static void
usage(void)
{
	die("usage: vaccinations --rows N --seed S [--out FILE] [--truth FILE] [--figures] [--tables FOLDER]");
}

static uint64_t
read_number(const char *text)
{
	char	   *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		die("\"%s\" is not a number", text);
	return value;
}

/* The tables lie beside this source file, unless told otherwise. */
static const char *
tables_beside(void)
{
	const char *slash = strrchr(__FILE__, '/');
	size_t		len = slash ? (size_t) (slash - __FILE__) + 1 : 0;
	char	   *path = need(len + sizeof "tables");

	memcpy(path, __FILE__, len);
	strcpy(path + len, "tables");
	return path;
}

static Options
read_options(int argc, char **argv)
{
	Options		o = {0};
	bool		seeded = false;

	for (int i = 1; i < argc; i++)
	{
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--figures") == 0)
		{
			o.figures = true;
			continue;
		}
		if (!value)
			usage();
		if (strcmp(argv[i], "--rows") == 0)
			o.rows = read_number(value);
		else if (strcmp(argv[i], "--seed") == 0)
		{
			o.seed = read_number(value);
			seeded = true;
		}
		else if (strcmp(argv[i], "--out") == 0)
			o.out = value;
		else if (strcmp(argv[i], "--truth") == 0)
			o.truth = value;
		else if (strcmp(argv[i], "--tables") == 0)
			o.tables = value;
		else
			usage();
		i++;
	}
	if (o.rows == 0 || !seeded)
		usage();
	if (o.rows > MAX_ROWS)
		die("at most %llu rows", (unsigned long long) MAX_ROWS);
	if (!o.tables)
		o.tables = tables_beside();
	return o;
}

int
main(int argc, char **argv)
{
	Options		options = read_options(argc, argv);
	static City city;
	static Row	row;
	Output	   *out = output_open(options.out);
	Output	   *truth = output_open(options.truth);
	Figures    *figures = NULL;
	Item	   *order;

	city_make(&city, options.tables, options.seed, persons_for(options.rows));
	order = order_rows(&city, options.rows);
	if (options.figures)
		figures = figures_start(&city.world.tables, options.rows);
	if (out)
		put(out, header, sizeof header - 1);
	if (truth)
		put(truth, "record_id,person_id\n", strlen("record_id,person_id\n"));
	for (uint64_t i = 0; i < options.rows; i++)
	{
		uint32_t	person = (uint32_t) (order[i].value / 4);

		if (out || figures)
			row_make(&city, person, (int) (order[i].value % 4), &row);
		if (out)
			put_row(out, i + 1, &row);
		if (truth)
			put_truth(truth, i + 1, person);
		if (figures)
			figures_add(figures, person, row.full_name, row.birth_date, row.phone, row.citizen_number, row.ward_code);
	}
	output_close(out);
	output_close(truth);
	printf("rows\t%llu\npersons\t%lu\n", (unsigned long long) options.rows, (unsigned long) city.world.persons);
	if (figures)
		figures_print(figures);
	return 0;
}
