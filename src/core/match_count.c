/*
 * match_count.c
 *		Frequencies: names by their runs, all else in hash tables of what is distinct.
 */
#include "match_count.h"

#include <math.h>
#include <string.h>

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

/* ---- tables of counts: open addressing, a power of two of slots ---- */

typedef struct Slot
{
	uint64_t	value;			/* 0 = free */
	uint32_t	rows;
} Slot;

typedef struct Tally
{
	Slot	   *slot;
	size_t		mask;
	size_t		used;
} Tally;

static Slot *
tally_find(const Tally *t, uint64_t value)
{
	size_t		at = (value * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & t->mask;

	while (t->slot[at].value != 0 && t->slot[at].value != value)
		at = (at + 1) & t->mask;
	return &t->slot[at];
}

static CoreStatus
tally_make(const CoreContext *cx, Tally *t, size_t slots)
{
	t->slot = cx->alloc(cx->arg, slots * sizeof *t->slot);
	if (t->slot == NULL)
		return CORE_NO_MEMORY;
	memset(t->slot, 0, slots * sizeof *t->slot);
	t->mask = slots - 1;
	t->used = 0;
	return CORE_OK;
}

static CoreStatus
tally_grow(const CoreContext *cx, Tally *t)
{
	Tally		more;
	size_t		i;

	if (tally_make(cx, &more, 2 * (t->mask + 1)) != CORE_OK)
		return CORE_NO_MEMORY;
	for (i = 0; i <= t->mask; i++)
		if (t->slot[i].value != 0)
			*tally_find(&more, t->slot[i].value) = t->slot[i];
	more.used = t->used;
	cx->free(cx->arg, t->slot);
	*t = more;
	return CORE_OK;
}

static CoreStatus
tally_add(const CoreContext *cx, Tally *t, uint64_t value)
{
	Slot	   *slot = tally_find(t, value);

	if (value == 0)
		return CORE_OK;
	slot->rows++;
	if (slot->value != 0)
		return CORE_OK;
	slot->value = value;
	return ++t->used * 2 > t->mask ? tally_grow(cx, t) : CORE_OK;
}

static uint32_t
tally_rows(const Tally *t, uint64_t value)
{
	return value == 0 ? 0 : tally_find(t, value)->rows;
}

/* The kinds that have a table; names are counted by their runs. */
static bool
in_table(int kind)
{
	return kind >= COUNT_SURNAME && kind <= COUNT_YEAR;
}

static CoreStatus
count_tables(const CoreContext *cx, const MatchRow *rows, uint32_t n, Tally *tally)
{
	CoreStatus	status = CORE_OK;
	uint32_t	i;
	int			kind;

	for (i = 0; i < n && status == CORE_OK; i++)
	{
		for (kind = COUNT_SURNAME; kind <= COUNT_YEAR && status == CORE_OK; kind++)
			status = tally_add(cx, &tally[kind], match_count_key(&rows[i], kind));
		if (i % 65536 == 0 && core_interrupted(cx))
			status = CORE_INTERRUPTED;
	}
	return status;
}

static void
sum_births(const Tally *t, uint32_t n, MatchCounts *counts)
{
	size_t		i;

	for (i = 0; i <= t->mask; i++)
	{
		double		share = (double) t->slot[i].rows / n;
		int			day = (int) (t->slot[i].value % 10000);

		if (day == 0 || day == 101)
			counts->new_year_same += share * share;
		else
			counts->birth_same += share * share;
	}
}

static CoreStatus
give_values(const Tally *tally, uint32_t least, MatchValueFn fn, void *arg)
{
	CoreStatus	status = CORE_OK;
	size_t		i;
	int			kind;

	for (kind = COUNT_SURNAME; kind <= COUNT_YEAR; kind++)
		for (i = 0; i <= tally[kind].mask && status == CORE_OK; i++)
			if (tally[kind].slot[i].rows >= least)
				status = fn(arg, kind, tally[kind].slot[i].value, tally[kind].slot[i].rows);
	return status;
}

/* Row by row: the runs of names, and every row's shares. */
static CoreStatus
set_all(const CoreContext *cx, MatchRow *rows, uint32_t n, const Tally *tally, MatchCounts *counts,
		uint32_t least, MatchValueFn fn, void *arg)
{
	CoreStatus	status = CORE_OK;
	uint32_t	i,
				to;

	for (i = 0; i < n && status == CORE_OK; i = to)
	{
		uint32_t	count[MATCH_COUNTS] = {0};
		double		share;

		for (to = i + 1; to < n && rows[to].name == rows[i].name; to++)
			;
		count[COUNT_NAME] = rows[i].name == 0 ? 0 : to - i;
		share = (double) count[COUNT_NAME] / n;
		counts->name_same += share * share;
		if (fn != NULL && count[COUNT_NAME] >= least)
			status = fn(arg, COUNT_NAME, rows[i].name, count[COUNT_NAME]);
		count[COUNT_SURNAME] = tally_rows(&tally[COUNT_SURNAME], rows[i].surname);
		count[COUNT_MIDDLE] = tally_rows(&tally[COUNT_MIDDLE], match_count_key(&rows[i], COUNT_MIDDLE));
		count[COUNT_GIVEN] = tally_rows(&tally[COUNT_GIVEN], rows[i].given);
		for (; i < to; i++)
		{
			count[COUNT_BIRTH] = tally_rows(&tally[COUNT_BIRTH], rows[i].birth);
			count[COUNT_YEAR] = tally_rows(&tally[COUNT_YEAR], match_year(&rows[i]));
			match_set_shares(&rows[i], count, n);
			if (i % 65536 == 0 && core_interrupted(cx))
				return CORE_INTERRUPTED;
		}
	}
	return status;
}

CoreStatus
match_count_rows(const CoreContext *cx, MatchRow *rows, uint32_t n, MatchCounts *counts,
				 uint32_t least, MatchValueFn fn, void *arg)
{
	Tally		tally[MATCH_COUNTS] = {{NULL}};
	CoreStatus	status = CORE_OK;
	int			kind;

	counts->name_same = counts->birth_same = counts->new_year_same = 0;
	for (kind = 0; kind < MATCH_COUNTS && status == CORE_OK; kind++)
		if (in_table(kind))
			status = tally_make(cx, &tally[kind], 4096);
	if (status == CORE_OK)
		status = count_tables(cx, rows, n, tally);
	if (status == CORE_OK)
	{
		sum_births(&tally[COUNT_BIRTH], n, counts);
		status = set_all(cx, rows, n, tally, counts, least, fn, arg);
	}
	if (status == CORE_OK && fn != NULL)
		status = give_values(tally, least, fn, arg);
	for (kind = 0; kind < MATCH_COUNTS; kind++)
		if (tally[kind].slot != NULL)
			cx->free(cx->arg, tally[kind].slot);
	return status;
}
