/*
 * match_query.c
 *		The queries of matching one patient: plans kept for the session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"

#include "compat.h"
#include "identity/match_query.h"

#define EQ " OPERATOR(pg_catalog.=) "

#define BLOCK(k) {"SELECT f.subject, f.features FROM ehr_store.match_feature f WHERE f.k" #k EQ "$1 LIMIT " CppAsString2(MATCH_BLOCK_ROWS), 1, {INT8OID}}

static const struct
{
	const char *query;
	int			nargs;
	Oid			args[9];
}			match_query[MATCH_QUERIES] = {
	[QUERY_MODEL] = {"SELECT m.model, m.rows::pg_catalog.float8 FROM ehr_store.match_model m", 0, {0}},
	[QUERY_COUNTS] = {"SELECT (v.n OPERATOR(pg_catalog.-) 1)::pg_catalog.int4, q.rows FROM pg_catalog.unnest($1) WITH ORDINALITY AS v (value, n)"
		" JOIN ehr_store.match_frequency q ON q.kind" EQ "(v.n OPERATOR(pg_catalog.-) 1)::pg_catalog.int2 AND q.value" EQ "v.value",
	1, {INT8ARRAYOID}},
	[QUERY_BLOCK + 0] = BLOCK(1),
	[QUERY_BLOCK + 1] = BLOCK(2),
	[QUERY_BLOCK + 2] = BLOCK(3),
	[QUERY_BLOCK + 3] = BLOCK(4),
	[QUERY_BLOCK + 4] = BLOCK(5),
	[QUERY_BLOCK + 5] = BLOCK(6),
	[QUERY_BLOCK + 6] = BLOCK(7),
	[QUERY_LINK] = {"SELECT p.key, p.merged_into FROM ehr_store.person_link l JOIN ehr_store.person p ON p.key" EQ "l.person WHERE l.subject" EQ "$1",
	1, {INT8OID}},
	[QUERY_ROOT] = {"SELECT p.merged_into FROM ehr_store.person p WHERE p.key" EQ "$1", 1, {INT8OID}},
	[QUERY_BELOW] = {"SELECT p.key FROM ehr_store.person p WHERE p.merged_into" EQ "$1", 1, {INT8OID}},
	[QUERY_MEMBERS] = {"SELECT f.subject, f.features FROM ehr_store.person_link l JOIN ehr_store.match_feature f ON f.subject" EQ "l.subject"
	" WHERE l.person" EQ "$1", 1, {INT8OID}},
	[QUERY_DECIDED] = {"SELECT r.b, r.state" EQ "'same' FROM ehr_store.match_review r WHERE r.a" EQ "$1 AND r.state" EQ "ANY ('{same,different}')"
		" UNION ALL SELECT r.a, r.state" EQ "'same' FROM ehr_store.match_review r WHERE r.b" EQ "$1 AND r.state" EQ "ANY ('{same,different}')",
	1, {INT8OID}},
	[QUERY_BY_HAND] = {"SELECT true FROM ehr_internal.persons_merged_into($1) AS p WHERE"
		" EXISTS (SELECT FROM ehr_store.person_link l WHERE l.person" EQ "p AND l.method" EQ "'manual')"
		" OR EXISTS (SELECT FROM ehr_store.person_merge m WHERE m.gone" EQ "p AND m.undone IS NULL AND m.by OPERATOR(pg_catalog.<>) 'matcher') LIMIT 1",
	1, {INT8OID}},
	[QUERY_KNOWN] = {"SELECT (SELECT f.features FROM ehr_store.match_feature f WHERE f.subject" EQ "$1),"
	" (SELECT l.person FROM ehr_store.person_link l WHERE l.subject" EQ "$1)", 1, {INT8OID}},
	[QUERY_PATIENT] = {"SELECT r.doc::pg_catalog.jsonb, r.author FROM ehr_store.resource r WHERE r.key" EQ "$1 AND NOT r.deleted"
	" AND r.type" EQ "ehr_internal.type_number('Patient')", 1, {INT8OID}},
	[QUERY_SYSTEMS] = {"SELECT s.system, s.feature FROM ehr_internal.match_system s WHERE s.system" EQ "ANY ($1)", 1, {TEXTARRAYOID}},
	[QUERY_PUT_FEATURES] = {"INSERT INTO ehr_store.match_feature (subject, features, k1, k2, k3, k4, k5, k6, k7)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (subject) DO UPDATE SET features = excluded.features,"
		" k1 = excluded.k1, k2 = excluded.k2, k3 = excluded.k3, k4 = excluded.k4, k5 = excluded.k5, k6 = excluded.k6, k7 = excluded.k7",
	9, {INT8OID, BYTEAOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}},
	[QUERY_HAS_IDENTIFIERS] = {"SELECT FROM ehr_store.person_identifier i WHERE i.subject" EQ "$1", 1, {INT8OID}},
	[QUERY_ADD_IDENTIFIER] = {"INSERT INTO ehr_store.person_identifier (system, value, subject, valid_from, valid_to, source, own)"
		" VALUES ($1, $2, $3, ehr_internal.day_of($4), ehr_internal.day_of($5), $6, $7)",
	7, {TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, BOOLOID}},
	[QUERY_SYNC_IDENTIFIERS] = {"SELECT ehr_internal.refresh_identifiers(ARRAY[$1])", 1, {INT8OID}},
	[QUERY_NEW_PERSON] = {"INSERT INTO ehr_store.person (founder) VALUES ($1) RETURNING key", 1, {INT8OID}},
	[QUERY_ADD_LINK] = {"INSERT INTO ehr_store.person_link (subject, person, method, score) VALUES ($1, $2, $3, $4)",
	4, {INT8OID, INT8OID, TEXTOID, FLOAT4OID}},
	[QUERY_ADD_REVIEW] = {"INSERT INTO ehr_store.match_review (a, b, score) VALUES (LEAST($1, $2), GREATEST($1, $2), $3) ON CONFLICT (a, b) DO NOTHING",
	3, {INT8OID, INT8OID, FLOAT4OID}},
	[QUERY_RENEW] = {"SELECT ehr_internal.renew_link($1, t.link_from, t.review_from) FROM ehr_internal.match_thresholds() AS t", 1, {INT8OID}},
	[QUERY_REDIRECT] = {"SELECT ehr_internal.redirect_person($1, $2, $3, 'matcher')", 3, {INT8OID, INT8OID, TEXTOID}},
	[QUERY_TAKE_APART] = {"SELECT ehr_internal.take_apart($1, 'matcher', $2)", 2, {INT8OID, TEXTOID}},
};

static SPIPlanPtr kept_plan[MATCH_QUERIES];

MatchResult
match_ask(MatchQuery which, Datum *values, const char *nulls, long most)
{
	MatchResult result;

	if (kept_plan[which] == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare_cursor(match_query[which].query, match_query[which].nargs,
									   (Oid *) match_query[which].args, CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a query of matching");
		kept_plan[which] = plan;
	}
	if (SPI_execute_plan(kept_plan[which], values, nulls, false, most) < 0)
		elog(ERROR, "a query of matching failed");
	result.table = SPI_tuptable;
	result.n = SPI_tuptable == NULL ? 0 : SPI_processed;
	return result;
}

void
match_asked(MatchResult *result)
{
	if (result->table != NULL)
		SPI_freetuptable(result->table);
	result->table = NULL;
	result->n = 0;
}

Datum
match_cell(const MatchResult *result, uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(result->table->vals[row], result->table->tupdesc, column, isnull);
}

int64
match_int(const MatchResult *result, uint64 row, int column)
{
	bool		isnull;

	return DatumGetInt64(match_cell(result, row, column, &isnull));
}
