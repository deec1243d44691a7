/*
 * match_online.c
 *		Whose is this feature row?  Single look-ups through the indexes of block keys.
 *
 * Candidates share a key; scores, vetoes and thresholds are core/'s, under the
 * model in use.  The same rows give the same answer as linking in bulk.  The
 * person of a candidate is only asked for where its score counts, and so are the
 * frequencies of its values where they are not the row's own.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "identity/identity.h"
#include "identity/match_online.h"
#include "identity/match_query.h"

/* ---- frequencies ---- */

static void
read_counts(const MatchRow *row, uint32_t count[MATCH_COUNTS])
{
	Datum		value[MATCH_COUNTS];
	bool		missing[MATCH_COUNTS];
	Datum		array;
	MatchResult result;
	int			kinds = MATCH_COUNTS;
	int			lower = 1;
	uint64		i;
	bool		isnull;

	for (i = 0; i < MATCH_COUNTS; i++)
	{
		value[i] = Int64GetDatum((int64) match_count_key(row, i));
		missing[i] = match_count_key(row, i) == 0;
	}
	memset(count, 0, MATCH_COUNTS * sizeof *count);
	array = PointerGetDatum(construct_md_array(value, missing, 1, &kinds, &lower, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	result = match_ask(QUERY_COUNTS, &array, NULL, 0);
	for (i = 0; i < result.n; i++)
		count[DatumGetInt32(match_cell(&result, i, 1, &isnull))] = (uint32_t) DatumGetInt32(match_cell(&result, i, 2, &isnull));
	match_asked(&result);
}

static void
set_shares(const MatchSearch *s, MatchRow *row)
{
	uint32_t	count[MATCH_COUNTS];

	if (!s->counted)
	{
		match_set_average_shares(row, &s->model);
		return;
	}
	read_counts(row, count);
	ehr_match_set_shares(row, count, s->rows);
}

/* Where the names are not equal the rarer one counts. */
static bool
own_shares_do(const MatchRow *own, const MatchRow *row, const MatchVector *v)
{
	switch (v->level[FIELD_NAME])
	{
		case NAME_TYPO:
		case NAME_GIVEN_TYPO:
			return false;
		case NAME_SHORTENED:
		case NAME_OTHER_MIDDLE:
			return row->surname == own->surname && row->given == own->given;
		default:
			return true;
	}
}

/* ---- candidates ---- */

bool
match_rows_refuse(const MatchRow *a, const MatchRow *b)
{
	MatchVector v;

	match_compare(a, b, &v);
	return match_veto(a, b, &v) != VETO_NONE || match_contradicts(&v);
}

static double
score_of(const MatchSearch *s, MatchRow *row)
{
	MatchVector v;
	double		bits;

	row->name_share = s->own.name_share;
	row->parts_share = s->own.parts_share;
	row->birth_share = s->own.birth_share;
	row->year_share = s->own.year_share;
	row->phone_rows = s->own.phone_rows;
	row->number_rows = s->own.number_rows;
	match_compare(&s->own, row, &v);
	if (match_veto(&s->own, row, &v) != VETO_NONE || match_contradicts(&v))
		return -INFINITY;
	bits = match_score(&s->model, &v);
	/* a name's frequency cannot make up for more than this */
	if (bits > -20 && s->counted && !own_shares_do(&s->own, row, &v))
	{
		set_shares(s, row);
		match_compare(&s->own, row, &v);
		bits = match_score(&s->model, &v);
	}
	return bits;
}

int64
match_root(int64 person)
{
	bool		merged = true;

	while (merged && person != 0)
	{
		Datum		value = Int64GetDatum(person);
		MatchResult up = match_ask(QUERY_ROOT, &value, NULL, 1);
		bool		isnull = true;
		int64		next = up.n > 0 ? DatumGetInt64(match_cell(&up, 0, 1, &isnull)) : 0;

		merged = up.n == 0 || !isnull;
		if (merged)
			person = next;
		match_asked(&up);
	}
	return person;
}

/* The candidate's person; false when it has none (yet). */
static bool
find_person(MatchFound *f)
{
	Datum		value = Int64GetDatum(f->subject);
	MatchResult link = match_ask(QUERY_LINK, &value, NULL, 1);
	bool		linked = link.n > 0;
	bool		isnull = true;

	if (linked)
	{
		f->leaf = match_int(&link, 0, 1);
		f->person = DatumGetInt64(match_cell(&link, 0, 2, &isnull));
	}
	match_asked(&link);
	if (linked)
		f->person = isnull ? f->leaf : match_root(f->person);
	return linked;
}

static int
by_bits(const void *a, const void *b)
{
	const MatchFound *x = a;
	const MatchFound *y = b;

	if (x->bits != y->bits)
		return x->bits > y->bits ? -1 : 1;
	return x->subject < y->subject ? -1 : x->subject > y->subject;
}

/* Of rows with the same number that cannot be the same person so many are kept, for a clerk: some numbers are thousands' */
#define ALIKE_MOST 20

/* The rows with one of the keys that no earlier rule has found. */
static void
search_block(MatchSearch *s, int rule, const uint64_t *key, bool *whole, double least, uint32 *room)
{
	Datum		value = Int64GetDatum((int64) key[rule]);
	MatchResult block = match_ask(QUERY_BLOCK + rule, &value, NULL, 0);
	int			alike = 0;
	uint64		i;

	whole[rule] = block.n < MATCH_BLOCK_ROWS;
	for (i = 0; i < block.n; i++)
	{
		MatchFound	f = {match_int(&block, i, 1), 0, 0, 0, rule == 0};
		MatchRow	row;
		bool		isnull;
		int			r;

		if (f.subject == s->own_subject)
			continue;
		ehr_match_row_load(&row, DatumGetByteaPP(match_cell(&block, i, 2, &isnull)));
		for (r = 0; r < rule && !(whole[r] && match_rule_key(&row, &match_rules[r]) == key[r]); r++)
			;
		if (r < rule)
			continue;
		f.bits = score_of(s, &row);
		if (f.bits < least && !(f.same_number && alike++ < ALIKE_MOST))
			continue;
		if (s->n == *room)
			s->found = repalloc(s->found, (*room *= 2) * sizeof *s->found);
		s->found[s->n++] = f;
	}
	match_asked(&block);
}

void
match_search(MatchSearch *s, const MatchRow *own, int64 own_subject, double least)
{
	uint64_t	key[MATCH_RULES];
	bool		whole[MATCH_RULES] = {false};	/* the block was looked at, all of it */
	uint32		room = 16;
	uint32		kept = 0;
	uint32		i;
	int			rule;

	s->own = *own;
	s->own_subject = own_subject;
	set_shares(s, &s->own);
	s->found = palloc(room * sizeof *s->found);
	s->n = 0;
	for (rule = 0; rule < MATCH_RULES; rule++)
	{
		key[rule] = match_rule_key(own, &match_rules[rule]);
		if (key[rule] != 0)
			search_block(s, rule, key, whole, least, &room);
	}
	qsort(s->found, s->n, sizeof *s->found, by_bits);
	for (i = 0; i < s->n; i++)
		/* a large block may give twice what an earlier one gave */
		if ((kept == 0 || s->found[i].subject != s->found[kept - 1].subject) && find_person(&s->found[i]))
			s->found[kept++] = s->found[i];
	s->n = kept;
}

/* ---- a person's source patients ---- */

MatchMember *
match_add_member(MatchMembers *list)
{
	if (list->n == list->room)
	{
		list->room = list->room == 0 ? 8 : 2 * list->room;
		list->member = list->member == NULL ? palloc(list->room * sizeof *list->member) :
			repalloc(list->member, list->room * sizeof *list->member);
	}
	return &list->member[list->n++];
}

static void
add_below(MatchMembers *list, int64 root, int64 person)
{
	Datum		value = Int64GetDatum(person);
	MatchResult result;
	bool		isnull;
	uint64		i;

	check_stack_depth();
	result = match_ask(QUERY_MEMBERS, &value, NULL, 0);
	for (i = 0; i < result.n; i++)
	{
		MatchMember *m = match_add_member(list);

		ehr_match_row_load(&m->row, DatumGetByteaPP(match_cell(&result, i, 2, &isnull)));
		m->row.subject = match_int(&result, i, 1);
		m->person = root;
	}
	match_asked(&result);
	result = match_ask(QUERY_BELOW, &value, NULL, 0);
	for (i = 0; i < result.n; i++)
		add_below(list, root, match_int(&result, i, 1));
	match_asked(&result);
}

void
match_add_members(MatchMembers *list, int64 root)
{
	add_below(list, root, root);
}

/* ---- for SQL ---- */

void
match_search_start(MatchSearch *s)
{
	MatchResult model = match_ask(QUERY_MODEL, NULL, NULL, 1);
	bool		isnull;

	s->counted = model.n > 0;
	s->rows = ehr_match_rows(s->counted ? DatumGetFloat8(match_cell(&model, 0, 2, &isnull)) : 0);
	if (s->counted)
		ehr_match_model_load(&s->model, DatumGetByteaPP(match_cell(&model, 0, 1, &isnull)), s->rows);
	else
		ehr_match_model_load(&s->model, NULL, s->rows);
	match_asked(&model);
}

/* Does any source patient of the person speak against the row, or did somebody decide so? */
static bool
speaks_against(const MatchSearch *s, const MatchResult *decided, int64 person)
{
	MatchMembers members = {NULL, 0, 0};
	bool		against = false;
	uint64		d;
	uint32		i;

	match_add_members(&members, person);
	for (i = 0; i < members.n && !against; i++)
	{
		const MatchRow *row = &members.member[i].row;
		bool		isnull;

		if (row->subject == s->own_subject)
			continue;
		against = match_rows_refuse(&s->own, row);
		for (d = 0; d < decided->n && !against; d++)
			against = match_int(decided, d, 1) == row->subject && !DatumGetBool(match_cell(decided, d, 2, &isnull));
	}
	if (members.member != NULL)
		pfree(members.member);
	return against;
}

PG_FUNCTION_INFO_V1(ehr_match_persons);

/*
 * ehr_internal.match_persons(features bytea, own_subject bigint, OUT person
 * bigint, OUT subject bigint, OUT bits float8) → setof record: persons that a
 * feature row may be, each with its best source patient, the likeliest first.
 * VOLATILE; called in system mode.
 */
Datum
ehr_match_persons(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MatchResult decided = {NULL, 0};
	MatchSearch s;
	MatchRow	own;
	Datum		value;
	uint32		i;
	uint32		k;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	SPI_connect();
	ehr_match_row_load(&own, PG_GETARG_BYTEA_PP(0));
	match_search_start(&s);
	match_search(&s, &own, PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1), 0);
	value = Int64GetDatum(s.own_subject);
	if (s.own_subject != 0)
		decided = match_ask(QUERY_DECIDED, &value, NULL, 0);
	for (i = 0; i < s.n && s.found[i].bits > 0; i++)
	{
		const MatchFound *f = &s.found[i];
		Datum		values[3] = {Int64GetDatum(f->person), Int64GetDatum(f->subject), Float8GetDatum(f->bits)};
		bool		nulls[3] = {false, false, false};

		/* the best of each person */
		for (k = 0; k < i && s.found[k].person != f->person; k++)
			;
		if (k == i && !speaks_against(&s, &decided, f->person))
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	PG_RETURN_NULL();
}
