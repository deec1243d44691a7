/*
 * match_count.c
 *		Frequencies by sort.
 */
#include "match_count.h"

#include <math.h>
#include <string.h>

#include "match_sort.h"

/* Of rows of one person, which say nothing on how common a value is among others. */
#define OWN_ROWS 2
/* A day's share of its year's births, with some reserve. */
#define DAY_OF_YEAR (0.7 / 365)

uint64_t
match_count_key(const MatchRow *r, MatchCountKind kind)
{
	switch (kind)
	{
		case COUNT_NAME:
			return r->name;
		case COUNT_SURNAME:
			return r->surname;
		case COUNT_MIDDLE:
			return r->name == 0 ? 0 : (uint64_t) r->middle + 1;
		case COUNT_GIVEN:
			return r->given;
		case COUNT_BIRTH:
			return r->birth;
		case COUNT_YEAR:
			return match_year(r);
		case COUNT_PHONE:
			return r->phone;
		default:
			return r->number;
	}
}

static float
bits(double share)
{
	return (float) log2(share);
}

static uint16_t
capped(uint32_t n)
{
	return n > UINT16_MAX ? UINT16_MAX : (uint16_t) n;
}

void
match_set_shares(MatchRow *row, const uint32_t count[MATCH_COUNTS], double rows)
{
	double		surname = (count[COUNT_SURNAME] + 0.5) / rows;
	double		given = (count[COUNT_GIVEN] + 0.5) / rows;
	double		middle = (count[COUNT_MIDDLE] + 0.5) / rows;
	double		year = (count[COUNT_YEAR] + 0.5) / rows;
	double		name = ((double) count[COUNT_NAME] - OWN_ROWS) / rows;
	double		birth = ((double) count[COUNT_BIRTH] - OWN_ROWS) / rows;
	int			day = match_month_day(row);

	if (name < surname * middle * given)
		name = surname * middle * given;
	/* what was never seen may still occur once */
	if (name < 0.25 / rows)
		name = 0.25 / rows;
	if (birth < year * DAY_OF_YEAR)
		birth = year * DAY_OF_YEAR;
	if (day == 0 || day == 101)
		birth = (count[COUNT_BIRTH] + 0.5) / rows;
	row->name_share = bits(name);
	row->parts_share = bits(surname * given);
	row->birth_share = bits(birth);
	row->year_share = bits(year);
	row->phone_rows = capped(count[COUNT_PHONE]);
	row->number_rows = capped(count[COUNT_NUMBER]);
}

void
match_set_average_shares(MatchRow *row, const MatchModel *model)
{
	row->name_share = (float) model->share[FIELD_NAME][NAME_MARKED];
	row->parts_share = (float) model->share[FIELD_NAME][NAME_SHORTENED];
	row->birth_share = (float) model->share[FIELD_BIRTH][match_month_day(row) == 0 || match_month_day(row) == 101 ? BIRTH_SAME_NEW_YEAR : BIRTH_SAME];
	row->year_share = (float) model->share[FIELD_BIRTH][BIRTH_SAME_YEAR_ONLY];
	row->phone_rows = (uint16_t) exp2(model->share[FIELD_CONTACT][CONTACT_PHONE]);
	row->number_rows = (uint16_t) exp2(model->share[FIELD_NUMBER][NUMBER_SAME]);
}

static void
sorted_by(const MatchRow *rows, uint32_t n, MatchCountKind kind, KeyRow *keys, KeyRow *spare)
{
	uint32_t	i;

	for (i = 0; i < n; i++)
	{
		keys[i].key = match_count_key(&rows[i], kind);
		keys[i].row = i;
	}
	match_sort(keys, spare, n);
}

static void
count_kind(MatchRow *rows, uint32_t n, MatchCountKind kind, KeyRow *keys, KeyRow *spare,
		   uint32_t (*count)[MATCH_COUNTS], MatchCounts *counts)
{
	size_t		i,
				k;
	size_t		run;

	sorted_by(rows, n, kind, keys, spare);
	for (i = 0; i < n; i += run)
	{
		double		same;

		run = match_run(keys, i, n);
		if (keys[i].key == 0)
			continue;
		for (k = i; k < i + run; k++)
			count[keys[k].row][kind] = (uint32_t) run;
		same = (double) run / n * ((double) run / n);
		if (kind == COUNT_NAME)
			counts->name_same += same;
		if (kind == COUNT_BIRTH)
		{
			int			day = (int) (keys[i].key % 10000);

			if (day == 0 || day == 101)
				counts->new_year_same += same;
			else
				counts->birth_same += same;
		}
	}
}

static void
count_homes(const MatchRow *rows, uint32_t n, KeyRow *keys, KeyRow *spare, MatchCounts *counts)
{
	size_t		m = 0;
	size_t		i;
	size_t		run;

	for (i = 0; i < n; i++)
		if (rows[i].street != 0)
		{
			keys[m].key = (rows[i].street ^ rows[i].house * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd) ^ rows[i].commune;
			keys[m++].row = (uint32_t) i;
		}
	match_sort(keys, spare, m);
	for (i = 0; i < m; i += run)
	{
		run = match_run(keys, i, m);
		counts->home_pairs += (double) run * (run - 1) / 2;
	}
}

CoreStatus
match_count_rows(const CoreContext *cx, MatchRow *rows, uint32_t n, MatchCounts *counts)
{
	KeyRow	   *keys = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *keys);
	KeyRow	   *spare = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *spare);
	uint32_t	(*count)[MATCH_COUNTS] = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *count);
	CoreStatus	status = CORE_NO_MEMORY;
	uint32_t	i;
	int			kind;

	memset(counts, 0, sizeof *counts);
	if (keys != NULL && spare != NULL && count != NULL)
	{
		status = CORE_OK;
		memset(count, 0, n * sizeof *count);
		for (kind = 0; kind < MATCH_COUNTS && status == CORE_OK; kind++)
		{
			count_kind(rows, n, kind, keys, spare, count, counts);
			if (core_interrupted(cx))
				status = CORE_INTERRUPTED;
		}
		count_homes(rows, n, keys, spare, counts);
		for (i = 0; i < n; i++)
			match_set_shares(&rows[i], count[i], n);
	}
	if (count != NULL)
		cx->free(cx->arg, count);
	if (spare != NULL)
		cx->free(cx->arg, spare);
	if (keys != NULL)
		cx->free(cx->arg, keys);
	return status;
}

CoreStatus
match_count_values(const CoreContext *cx, const MatchRow *rows, uint32_t n, uint32_t least, MatchValueFn fn, void *arg)
{
	KeyRow	   *keys = cx->alloc(cx->arg, 2 * ((size_t) n + 1) * sizeof *keys);
	CoreStatus	status = CORE_OK;
	size_t		i;
	size_t		run;
	int			kind;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (kind = 0; kind < MATCH_COUNTS && status == CORE_OK; kind++)
	{
		sorted_by(rows, n, kind, keys, keys + n);
		for (i = 0; i < n && status == CORE_OK; i += run)
		{
			run = match_run(keys, i, n);
			if (keys[i].key != 0 && run >= least)
				status = fn(arg, kind, keys[i].key, (uint32_t) run);
		}
	}
	cx->free(cx->arg, keys);
	return status;
}
