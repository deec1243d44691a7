/*-------------------------------------------------------------------------
 *
 * vn_tables.c
 *		Reads the tables that the vaccination rows are drawn from.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 8

/* A file cut in place into cells; missing cells of a line are refused. */
typedef struct Sheet
{
	const char *name;
	int			columns;
	uint32_t	rows;
	char	  **cell;			/* rows * columns */
} Sheet;

void
die(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void *
need(size_t bytes)
{
	void	   *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		die("out of memory: %zu bytes", bytes);
	return p;
}

int
day_number(int year, int month, int day)
{
	int			era,
				of_era,
				of_year;

	/* the year starts in March, so that the leap day is its last */
	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void
day_split(int number, int *year, int *month, int *day)
{
	int			z = number + 719468;
	int			era = (z >= 0 ? z : z - 146096) / 146097;
	int			of_era = z - era * 146097;
	int			y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int			of_year = of_era - (365 * y + y / 4 - y / 100);
	int			m = (5 * of_year + 2) / 153;

	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + era * 400 + (*month <= 2);
}

static char *
read_whole(const char *path)
{
	FILE	   *f = fopen(path, "rb");
	char	   *text;
	long		size;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
		die("cannot read %s", path);
	rewind(f);
	text = need((size_t) size + 1);
	if (fread(text, 1, (size_t) size, f) != (size_t) size)
		die("cannot read %s", path);
	fclose(f);
	return text;
}

static Sheet
sheet_read(const char *folder, const char *name, int columns)
{
	Sheet		sheet = {name, columns, 0, NULL};
	char		path[4096];
	char	   *at,
			   *end;
	uint32_t	lines = 0;

	if (snprintf(path, sizeof path, "%s/%s.tsv", folder, name) >= (int) sizeof path)
		die("the path of table %s is too long", name);
	at = read_whole(path);
	for (char *c = at; *c; c++)
		lines += *c == '\n';
	sheet.cell = need((size_t) lines * (size_t) columns * sizeof(char *));
	for (uint32_t line = 0; line < lines; line++, at = end + 1)
	{
		char	  **cell = &sheet.cell[(size_t) (line ? line - 1 : 0) * (size_t) columns];
		int			n = 0;

		end = strchr(at, '\n');
		*end = '\0';
		for (char *c = at; c && n < MAX_COLUMNS; n++)
		{
			if (n < columns)
				cell[n] = c;
			c = strchr(c, '\t');
			if (c)
				*c++ = '\0';
		}
		if (n != columns)
			die("%s, line %u: %d columns instead of %d", path, line + 1, n, columns);
	}
	if (lines < 2)
		die("%s holds nothing", path);
	sheet.rows = lines - 1;		/* the first line is the header */
	return sheet;
}

static char *
cell(const Sheet *sheet, uint32_t row, int column)
{
	return sheet->cell[row * (size_t) sheet->columns + (size_t) column];
}

static int
cell_number(const Sheet *sheet, uint32_t row, int column)
{
	char	   *text = cell(sheet, row, column);
	char	   *end;
	long		value = strtol(text, &end, 10);

	if (*text == '\0' || *end || value < -1000000000 || value > 1000000000)
		die("table %s, line %u: \"%s\" is not a number", sheet->name, row + 2, text);
	return (int) value;
}

/* Vose's form of the alias method; small and large hold indexes below and above the mean weight. */
Choice
choice_make(const uint64_t *weights, uint32_t n)
{
	Choice		choice = {n, need(n * sizeof(uint32_t)), need(n * sizeof(uint32_t))};
	uint64_t   *scaled = need(n * sizeof(uint64_t));
	uint32_t   *small = need(n * sizeof(uint32_t)),
			   *large = need(n * sizeof(uint32_t));
	uint32_t	n_small = 0,
				n_large = 0;
	uint64_t	total = 0;

	for (uint32_t i = 0; i < n; i++)
		total += weights[i];
	if (total == 0)
		die("a choice without weight");
	for (uint32_t i = 0; i < n; i++)
	{
		scaled[i] = weights[i] * n;
		if (scaled[i] < total)
			small[n_small++] = i;
		else
			large[n_large++] = i;
	}
	while (n_small && n_large)
	{
		uint32_t	s = small[--n_small],
					l = large[n_large - 1];

		choice.keep[s] = (uint32_t) ((scaled[s] << 31) / total << 1);
		choice.other[s] = l;
		scaled[l] -= total - scaled[s];
		if (scaled[l] < total)
		{
			n_large--;
			small[n_small++] = l;
		}
	}
	while (n_large || n_small)
	{
		uint32_t	i = n_large ? large[--n_large] : small[--n_small];

		choice.keep[i] = UINT32_MAX;
		choice.other[i] = i;
	}
	free(scaled);
	free(small);
	free(large);
	return choice;
}

uint32_t
choice_draw(const Choice *choice, Rng *rng)
{
	uint64_t	x = rng_next(rng);
	uint32_t	i = (uint32_t) (((x >> 32) * choice->n) >> 32);

	return (uint32_t) x < choice->keep[i] ? i : choice->other[i];
}

static Choice
sheet_choice(const Sheet *sheet, int column)
{
	uint64_t   *weights = need(sheet->rows * sizeof(uint64_t));
	Choice		choice;

	for (uint32_t i = 0; i < sheet->rows; i++)
		weights[i] = (uint64_t) cell_number(sheet, i, column);
	choice = choice_make(weights, sheet->rows);
	free(weights);
	return choice;
}

static uint16_t
add_word(Tables *t, const char *text)
{
	if (t->n_words == 1024)
		die("too many names");
	word_read(&t->words[t->n_words], text, strlen(text));
	return (uint16_t) t->n_words++;
}

/* The rows whose sex (and first year of the cohort, if any) fit; the name stands in name_column. */
static NameList
name_list(Tables *t, const Sheet *sheet, int name_column, int sex_column, char sex, int born)
{
	NameList	list = {need(sheet->rows * sizeof(uint16_t)), {0}};
	uint64_t   *weights = need(sheet->rows * sizeof(uint64_t));
	uint32_t	n = 0;

	for (uint32_t i = 0; i < sheet->rows; i++)
	{
		if (sex_column >= 0 && *cell(sheet, i, sex_column) != sex && *cell(sheet, i, sex_column) != '*')
			continue;
		if (born && (cell_number(sheet, i, 1) > born || cell_number(sheet, i, 2) < born))
			continue;
		list.word[n] = add_word(t, cell(sheet, i, name_column));
		weights[n++] = (uint64_t) cell_number(sheet, i, sheet->columns - 1);
	}
	if (n == 0)
		die("table %s has no name for sex %c, born %d", sheet->name, sex, born);
	list.choice = choice_make(weights, n);
	free(weights);
	return list;
}

int
name_cohort(int born)
{
	return born < 1985 ? 0 : born < 2007 ? 1 : 2;
}

static void
load_names(Tables *t, const char *folder)
{
	static const int cohort_year[COHORTS] = {1980, 2000, 2010};
	Sheet		surnames = sheet_read(folder, "surnames", 2);
	Sheet		given = sheet_read(folder, "given_names", 5);
	Sheet		middle = sheet_read(folder, "middle_names", 3);

	t->words = need(1024 * sizeof(Word));
	t->surnames = name_list(t, &surnames, 0, -1, '*', 0);
	for (int female = 0; female < 2; female++)
	{
		for (int c = 0; c < COHORTS; c++)
			t->given[female][c] = name_list(t, &given, 3, 0, female ? 'F' : 'M', cohort_year[c]);
		t->middle[female] = name_list(t, &middle, 0, 1, female ? 'F' : 'M', 0);
	}
	t->thi = add_word(t, "Thị");
	t->van = add_word(t, "Văn");
}

static void
load_places(Tables *t, const char *folder)
{
	Sheet		streets = sheet_read(folder, "streets", 1);
	Sheet		wards = sheet_read(folder, "wards", 7);
	Sheet		prefixes = sheet_read(folder, "phone_prefixes", 3);
	Sheet		provinces = sheet_read(folder, "provinces", 3);

	t->n_streets = streets.rows;
	t->streets = (const char **) streets.cell;
	t->n_wards = wards.rows;
	t->wards = need(wards.rows * sizeof(Ward));
	for (uint32_t i = 0; i < wards.rows; i++)
	{
		Ward	   *ward = &t->wards[i];

		ward->code = cell(&wards, i, 0);
		ward->name = cell(&wards, i, 1);
		ward->district_code = cell(&wards, i, 2);
		ward->district = cell(&wards, i, 3);
		ward->new_code = cell(&wards, i, 4);
		ward->new_name = cell(&wards, i, 5);
	}
	t->ward_choice = sheet_choice(&wards, 6);
	t->n_prefixes = prefixes.rows;
	t->prefixes = need(prefixes.rows * sizeof(Prefix));
	for (uint32_t i = 0; i < prefixes.rows; i++)
	{
		t->prefixes[i].now = cell(&prefixes, i, 0);
		t->prefixes[i].before_2018 = *cell(&prefixes, i, 1) == '-' ? NULL : cell(&prefixes, i, 1);
		t->prefixes[i].weight = (uint32_t) cell_number(&prefixes, i, 2);
	}
	t->n_provinces = provinces.rows;
	t->provinces = need(provinces.rows * sizeof(Province));
	for (uint32_t i = 0; i < provinces.rows; i++)
	{
		t->provinces[i].cccd = cell(&provinces, i, 0);
		t->provinces[i].cmnd = cell(&provinces, i, 1);
	}
	t->province_choice = sheet_choice(&provinces, 2);
	while (strcmp(t->provinces[t->city_province].cccd, "079") != 0)
		if (++t->city_province == t->n_provinces)
			die("table provinces lacks 079");
}

static int
find_vaccine(const Tables *t, const char *code, size_t len)
{
	for (int i = 0; i < t->n_vaccines; i++)
		if (strlen(t->vaccines[i].code) == len && memcmp(t->vaccines[i].code, code, len) == 0)
			return i;
	die("table schedule names the unknown vaccine %.*s", (int) len, code);
}

static void
add_dose(Tables *t, const Sheet *schedule, uint32_t row)
{
	const char *codes = cell(schedule, row, 1);
	Programme  *p = NULL;
	Dose	   *dose;

	for (int i = 0; i < t->n_programmes; i++)
		if (strcmp(t->programmes[i].name, cell(schedule, row, 0)) == 0)
			p = &t->programmes[i];
	if (!p || p->n_doses == MAX_DOSES)
		die("table schedule, line %u: no such programme, or too many doses", row + 2);
	dose = &p->dose[p->n_doses++];
	while (*codes && dose->n_vaccines < 4)
	{
		size_t		len = strcspn(codes, ",");

		dose->vaccine[dose->n_vaccines++] = find_vaccine(t, codes, len);
		codes += len + (codes[len] == ',');
	}
	dose->number = cell_number(schedule, row, 2);
	dose->days_from = cell_number(schedule, row, 3);
	dose->days_to = cell_number(schedule, row, 4);
}

/* "2021-03-08", or "+58" for days after birth */
static int
cell_day(const Sheet *sheet, uint32_t row, int column)
{
	int			year,
				month,
				day;

	if (*cell(sheet, row, column) == '+')
		return cell_number(sheet, row, column);
	if (sscanf(cell(sheet, row, column), "%d-%d-%d", &year, &month, &day) != 3)
		die("table %s, line %u: not a date", sheet->name, row + 2);
	return day_number(year, month, day);
}

static void
load_programmes(Tables *t, const char *folder)
{
	Sheet		vaccines = sheet_read(folder, "vaccines", 4);
	Sheet		programmes = sheet_read(folder, "programmes", 7);
	Sheet		schedule = sheet_read(folder, "schedule", 5);

	t->n_vaccines = (int) vaccines.rows;
	t->vaccines = need(vaccines.rows * sizeof(Vaccine));
	for (uint32_t i = 0; i < vaccines.rows; i++)
	{
		t->vaccines[i].code = cell(&vaccines, i, 0);
		t->vaccines[i].cvx = cell(&vaccines, i, 1);
		t->vaccines[i].name = cell(&vaccines, i, 2);
		t->vaccines[i].diseases = cell(&vaccines, i, 3);
	}
	t->n_programmes = (int) programmes.rows;
	t->programmes = need(programmes.rows * sizeof(Programme));
	for (uint32_t i = 0; i < programmes.rows; i++)
	{
		Programme  *p = &t->programmes[i];

		p->name = cell(&programmes, i, 0);
		p->born_from = cell_number(&programmes, i, 1);
		p->born_to = cell_number(&programmes, i, 2);
		p->sex = *cell(&programmes, i, 3);
		p->weight = (uint32_t) cell_number(&programmes, i, 4);
		p->from_birth = *cell(&programmes, i, 5) == '+';
		p->first_from = cell_day(&programmes, i, 5);
		p->first_to = cell_day(&programmes, i, 6);
	}
	for (uint32_t i = 0; i < schedule.rows; i++)
		add_dose(t, &schedule, i);
	for (int i = 0; i < t->n_programmes; i++)
		if (t->programmes[i].n_doses != MAX_DOSES)
			die("table schedule has %d doses for %s instead of %d", t->programmes[i].n_doses, t->programmes[i].name, MAX_DOSES);
}

void
tables_load(Tables *tables, const char *folder)
{
	memset(tables, 0, sizeof *tables);
	text_init();
	load_names(tables, folder);
	load_places(tables, folder);
	load_programmes(tables, folder);
}
