/*
 * match_online.c
 *		Whose is this feature row?  Single look-ups through the indexes of block keys.
 *
 * ehr_internal.match_persons: candidates that share a key, their scores under
 * the model in use, and per person the best of them, unless a source patient of
 * that person speaks against it or somebody decided so.  The same rows give the
 * same answer as linking in bulk: scores, vetoes and thresholds are core/'s.
 *
 * The plans are kept for the session.  The frequencies of a candidate's values
 * are only asked for where they count and are not the row's own.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/match_block.h"
#include "core/match_count.h"
#include "core/match_model.h"
#include "identity/identity.h"

/* Of a very frequent key so many rows are looked at; other keys find the pair. */
#define BLOCK_ROWS "100"

#define BLOCK(k) "(SELECT f.subject, f.features FROM ehr_store.match_feature f WHERE f.k" #k " OPERATOR(pg_catalog.=) $" #k " LIMIT " BLOCK_ROWS ")"

typedef enum OnlinePlan
{
	PLAN_MODEL, PLAN_COUNTS, PLAN_CANDIDATES, PLAN_ROOT, PLAN_BELOW, PLAN_MEMBERS, PLAN_APART, ONLINE_PLANS
} OnlinePlan;

static const struct
{
	const char *query;
	int			nargs;
	Oid			args[MATCH_RULES];
}			online_query[ONLINE_PLANS] = {
	[PLAN_MODEL] = {"SELECT m.model, m.rows::pg_catalog.float8 FROM ehr_store.match_model m", 0, {0}},
	[PLAN_COUNTS] = {"SELECT (v.n OPERATOR(pg_catalog.-) 1)::pg_catalog.int4, q.rows FROM pg_catalog.unnest($1) WITH ORDINALITY AS v (value, n)"
		" JOIN ehr_store.match_frequency q ON q.kind OPERATOR(pg_catalog.=) (v.n OPERATOR(pg_catalog.-) 1)::pg_catalog.int2"
	" AND q.value OPERATOR(pg_catalog.=) v.value", 1, {INT8ARRAYOID}},
	[PLAN_CANDIDATES] = {"SELECT c.subject, c.features, p.key, p.merged_into FROM ("
		BLOCK(1) " UNION ALL " BLOCK(2) " UNION ALL " BLOCK(3) " UNION ALL " BLOCK(4) " UNION ALL " BLOCK(5) " UNION ALL " BLOCK(6) " UNION ALL " BLOCK(7)
		") AS c JOIN ehr_store.person_link l ON l.subject OPERATOR(pg_catalog.=) c.subject"
		" JOIN ehr_store.person p ON p.key OPERATOR(pg_catalog.=) l.person", 7,
	{INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}},
	[PLAN_ROOT] = {"SELECT ehr_internal.person_root($1)", 1, {INT8OID}},
	[PLAN_BELOW] = {"SELECT p.key FROM ehr_store.person p WHERE p.merged_into OPERATOR(pg_catalog.=) $1", 1, {INT8OID}},
	[PLAN_MEMBERS] = {"SELECT f.subject, f.features FROM ehr_store.person_link l JOIN ehr_store.match_feature f ON f.subject OPERATOR(pg_catalog.=) l.subject"
	" WHERE l.person OPERATOR(pg_catalog.=) $1", 1, {INT8OID}},
	[PLAN_APART] = {"SELECT FROM ehr_store.match_review r WHERE r.state OPERATOR(pg_catalog.=) 'different'"
		" AND r.a OPERATOR(pg_catalog.=) LEAST($1, $2) AND r.b OPERATOR(pg_catalog.=) GREATEST($1, $2)", 2, {INT8OID, INT8OID}},
};

static SPIPlanPtr online_plan[ONLINE_PLANS];

/* Runs a kept plan; rows are in SPI_tuptable. */
static uint64
run(OnlinePlan which, Datum *values, const char *nulls, long most)
{
	if (online_plan[which] == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare_cursor(online_query[which].query, online_query[which].nargs,
									   (Oid *) online_query[which].args, CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a query of matching");
		online_plan[which] = plan;
	}
	if (SPI_execute_plan(online_plan[which], values, nulls, false, most) != SPI_OK_SELECT)
		elog(ERROR, "a query of matching failed");
	return SPI_processed;
}

static Datum
cell(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

typedef struct Found
{
	int64		subject;
	int64		person;			/* root */
	double		bits;
} Found;

typedef struct Online
{
	MatchModel	model;
	double		rows;
	bool		counted;		/* frequencies are known */
	MatchRow	own;
	int64		own_subject;	/* 0 = not stored */
	uint32_t	own_count[MATCH_COUNTS];
	Found	   *found;
	uint64		n;
} Online;

/* ---- frequencies ---- */

static void
read_counts(const MatchRow *row, uint32_t count[MATCH_COUNTS])
{
	Datum		value[MATCH_COUNTS];
	Datum		array;
	uint64		i;
	bool		isnull;

	for (i = 0; i < MATCH_COUNTS; i++)
		value[i] = Int64GetDatum((int64) match_count_key(row, i));
	memset(count, 0, MATCH_COUNTS * sizeof *count);
	array = PointerGetDatum(construct_array(value, MATCH_COUNTS, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	run(PLAN_COUNTS, &array, NULL, 0);
	for (i = 0; i < SPI_processed; i++)
		count[DatumGetInt32(cell(i, 1, &isnull))] = (uint32_t) DatumGetInt32(cell(i, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
}

static void
set_shares(const Online *o, MatchRow *row, const uint32_t count[MATCH_COUNTS])
{
	if (!o->counted)
	{
		match_set_average_shares(row, &o->model);
		return;
	}
	match_set_shares(row, count, o->rows);
	row->phone_rows = (uint16_t) Min(count[COUNT_PHONE], UINT16_MAX);
	row->number_rows = (uint16_t) Min(count[COUNT_NUMBER], UINT16_MAX);
}

/* Where the names are not equal the rarer one counts. */
static bool
own_shares_do(const Online *o, const MatchRow *row, const MatchVector *v)
{
	switch (v->level[FIELD_NAME])
	{
		case NAME_TYPO:
		case NAME_GIVEN_TYPO:
			return false;
		case NAME_SHORTENED:
		case NAME_OTHER_MIDDLE:
			return row->surname == o->own.surname && row->given == o->own.given;
		default:
			return true;
	}
}

/* ---- one candidate ---- */

static double
score_of(const Online *o, MatchRow *row)
{
	MatchVector v;
	double		bits;

	row->name_share = o->own.name_share;
	row->parts_share = o->own.parts_share;
	row->birth_share = o->own.birth_share;
	row->year_share = o->own.year_share;
	row->phone_rows = o->own.phone_rows;
	row->number_rows = o->own.number_rows;
	match_compare(&o->own, row, &v);
	if (match_veto(&o->own, row, &v) != VETO_NONE || match_contradicts(&v))
		return -INFINITY;
	bits = match_score(&o->model, &v);
	/* a name's frequency cannot make up for more than this */
	if (bits > -20 && o->counted && !own_shares_do(o, row, &v))
	{
		uint32_t	count[MATCH_COUNTS];

		read_counts(row, count);
		set_shares(o, row, count);
		match_compare(&o->own, row, &v);
		bits = match_score(&o->model, &v);
	}
	return bits;
}

static int
by_subject(const void *a, const void *b)
{
	int64		x = ((const Found *) a)->subject;
	int64		y = ((const Found *) b)->subject;

	return x < y ? -1 : x > y;
}

/* persons together, the best candidate of each first */
static int
by_person(const void *a, const void *b)
{
	const Found *x = a;
	const Found *y = b;

	if (x->person != y->person)
		return x->person < y->person ? -1 : 1;
	if (x->bits != y->bits)
		return x->bits > y->bits ? -1 : 1;
	return by_subject(a, b);
}

static int
by_bits(const void *a, const void *b)
{
	const Found *x = a;
	const Found *y = b;

	if (x->bits != y->bits)
		return x->bits > y->bits ? -1 : 1;
	return x->person < y->person ? -1 : x->person > y->person;
}

static int64
root_of(int64 person)
{
	Datum		value = Int64GetDatum(person);
	bool		isnull;
	int64		root;

	run(PLAN_ROOT, &value, NULL, 1);
	root = DatumGetInt64(cell(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return root;
}

static void
find_candidates(Online *o)
{
	Datum		value[MATCH_RULES];
	char		nulls[MATCH_RULES + 1] = {0};
	SPITupleTable *table;
	uint64		n;
	uint64		i;

	for (i = 0; i < MATCH_RULES; i++)
	{
		uint64_t	key = match_rule_key(&o->own, &match_rules[i]);

		value[i] = Int64GetDatum((int64) key);
		nulls[i] = key == 0 ? 'n' : ' ';
	}
	n = run(PLAN_CANDIDATES, value, nulls, 0);
	table = SPI_tuptable;
	o->found = palloc((n + 1) * sizeof *o->found);
	for (i = 0; i < n; i++)
	{
		bool		isnull;
		int64		subject = DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
		MatchRow	row;
		Datum		merged;
		uint64		k;

		for (k = 0; k < o->n && o->found[k].subject != subject; k++)
			;
		if (k < o->n || subject == o->own_subject)
			continue;
		ehr_match_row_load(&row, DatumGetByteaPP(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull)));
		o->found[o->n].subject = subject;
		o->found[o->n].person = DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 3, &isnull));
		o->found[o->n].bits = score_of(o, &row);
		merged = SPI_getbinval(table->vals[i], table->tupdesc, 4, &isnull);
		if (!isnull)
			o->found[o->n].person = root_of(DatumGetInt64(merged));
		o->n++;
	}
	SPI_freetuptable(table);
}

/* ---- a person's other source patients ---- */

static bool
kept_apart(const Online *o, int64 subject)
{
	Datum		values[2] = {Int64GetDatum(o->own_subject), Int64GetDatum(subject)};
	uint64		n;

	if (o->own_subject == 0)
		return false;
	n = run(PLAN_APART, values, NULL, 1);
	SPI_freetuptable(SPI_tuptable);
	return n > 0;
}

/* Does any source patient of the person, or of one merged into it, speak against it? */
static bool
speaks_against(const Online *o, int64 person)
{
	Datum		value = Int64GetDatum(person);
	SPITupleTable *table;
	bool		isnull;
	bool		against = false;
	uint64		n;
	uint64		i;

	check_stack_depth();
	n = run(PLAN_MEMBERS, &value, NULL, 0);
	table = SPI_tuptable;
	for (i = 0; i < n && !against; i++)
	{
		int64		subject = DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
		MatchRow	row;
		MatchVector v;

		if (subject == o->own_subject)
			continue;
		ehr_match_row_load(&row, DatumGetByteaPP(SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull)));
		match_compare(&o->own, &row, &v);
		against = match_veto(&o->own, &row, &v) != VETO_NONE || match_contradicts(&v) || kept_apart(o, subject);
	}
	SPI_freetuptable(table);
	n = against ? 0 : run(PLAN_BELOW, &value, NULL, 0);
	table = SPI_tuptable;
	for (i = 0; i < n && !against; i++)
		against = speaks_against(o, DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull)));
	if (n > 0)
		SPI_freetuptable(table);
	return against;
}

/* ---- for SQL ---- */

static void
read_model(Online *o)
{
	bool		isnull;

	o->counted = run(PLAN_MODEL, NULL, NULL, 1) > 0;
	o->rows = MATCH_LEAST_ROWS;
	if (o->counted)
	{
		o->rows = DatumGetFloat8(cell(0, 2, &isnull));
		if (o->rows < MATCH_LEAST_ROWS)
			o->rows = MATCH_LEAST_ROWS;
		ehr_match_model_load(&o->model, DatumGetByteaPP(cell(0, 1, &isnull)), o->rows);
	}
	else
		ehr_match_model_load(&o->model, NULL, o->rows);
	SPI_freetuptable(SPI_tuptable);
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
	Online		o = {{{{0}}}};
	uint64		persons = 0;
	int64		last = 0;
	uint64		i;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	SPI_connect();
	ehr_match_row_load(&o.own, PG_GETARG_BYTEA_PP(0));
	o.own_subject = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
	read_model(&o);
	if (o.counted)
		read_counts(&o.own, o.own_count);
	set_shares(&o, &o.own, o.own_count);
	find_candidates(&o);
	qsort(o.found, o.n, sizeof *o.found, by_person);
	for (i = 0; i < o.n; i++)
	{
		Found		best = o.found[i];

		/* the first of each person; the list shrinks in place behind the one looked at */
		if (best.person == last)
			continue;
		last = best.person;
		if (best.bits > 0 && !speaks_against(&o, best.person))
			o.found[persons++] = best;
	}
	qsort(o.found, persons, sizeof *o.found, by_bits);
	for (i = 0; i < persons; i++)
	{
		Datum		values[3] = {Int64GetDatum(o.found[i].person), Int64GetDatum(o.found[i].subject), Float8GetDatum(o.found[i].bits)};
		bool		nulls[3] = {false, false, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	PG_RETURN_NULL();
}
