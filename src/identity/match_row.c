/*
 * match_row.c
 *		Feature rows, scores and explanations for SQL.
 *
 * A feature row is a bytea in the form of core/match_row.h.  These functions
 * are immutable: they see their arguments alone.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"
#include "core/match_block.h"
#include "core/match_count.h"
#include "core/match_link.h"
#include "core/match_model.h"
#include "identity/identity.h"

void
ehr_match_row_load(MatchRow *row, const bytea *stored)
{
	if (match_row_load(row, (const uint8_t *) VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored)) != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("not a feature row of this version"),
				 errhint("Run ehr_internal.refresh_features() to make the rows anew.")));
}

void
ehr_match_model_load(MatchModel *model, const bytea *stored, double rows)
{
	if (stored == NULL)
		match_model_default(model, rows);
	else if (match_model_load(model, (const uint8_t *) VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored)) != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("not a matching model of this version"),
				 errhint("Train it again with CALL ehr.link_all().")));
}

double
ehr_match_rows(double learnt_from)
{
	return learnt_from < MATCH_TRAIN_ROWS ? MATCH_LEAST_ROWS : learnt_from;
}

void
ehr_match_set_shares(MatchRow *row, const uint32_t *known, double rows)
{
	uint32_t	count[MATCH_COUNTS];
	int			kind;

	for (kind = 0; kind < MATCH_COUNTS; kind++)
		count[kind] = known[kind] == 0 && match_count_key(row, kind) != 0 ? EHR_MATCH_VALUE_LEAST - 1 : known[kind];
	match_set_shares(row, count, rows);
	row->phone_rows = (uint16_t) Min(count[COUNT_PHONE], UINT16_MAX);
	row->number_rows = (uint16_t) Min(count[COUNT_NUMBER], UINT16_MAX);
}

bytea *
ehr_bytes(const uint8_t *bytes, size_t len)
{
	bytea	   *out = (bytea *) palloc(VARHDRSZ + len);

	SET_VARSIZE(out, VARHDRSZ + len);
	memcpy(VARDATA(out), bytes, len);
	return out;
}

static const char *
text_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

PG_FUNCTION_INFO_V1(ehr_match_row);

/*
 * ehr_internal.match_row(name, birth, sex, number, insurance, phone, commune,
 * district, address text) → bytea: the feature row; what cannot be read is
 * missing in it.  IMMUTABLE; the sex is a FHIR code.
 */
Datum
ehr_match_row(PG_FUNCTION_ARGS)
{
	MatchInput	in = {0};
	MatchRow	row;
	uint8_t		stored[MATCH_STORED_MAX];
	const char *sex = text_or_null(fcinfo, 2);

	in.name = text_or_null(fcinfo, 0);
	in.birth = text_or_null(fcinfo, 1);
	in.sex = sex == NULL ? SEX_MISSING : strcmp(sex, "male") == 0 ? SEX_MALE : strcmp(sex, "female") == 0 ? SEX_FEMALE : SEX_MISSING;
	in.number = text_or_null(fcinfo, 3);
	in.insurance = text_or_null(fcinfo, 4);
	in.phone = text_or_null(fcinfo, 5);
	in.commune = text_or_null(fcinfo, 6);
	in.district = text_or_null(fcinfo, 7);
	in.address = text_or_null(fcinfo, 8);
	match_row_make(&row, &in);
	PG_RETURN_BYTEA_P(ehr_bytes(stored, match_row_store(&row, stored)));
}

/* Keys as an array, NULL where a feature is missing. */
static Datum
key_array(const uint64_t *keys, int n)
{
	Datum		values[MATCH_RULES + MATCH_COUNTS];
	bool		nulls[MATCH_RULES + MATCH_COUNTS];
	int			lower = 1;
	int			i;

	for (i = 0; i < n; i++)
	{
		values[i] = Int64GetDatum((int64) keys[i]);
		nulls[i] = keys[i] == 0;
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(ehr_match_keys);

/* ehr_internal.match_keys(bytea) → bigint[]: the row's block keys, in the order of the rules.  IMMUTABLE. */
Datum
ehr_match_keys(PG_FUNCTION_ARGS)
{
	MatchRow	row;
	uint64_t	keys[MATCH_RULES];
	int			i;

	ehr_match_row_load(&row, PG_GETARG_BYTEA_PP(0));
	for (i = 0; i < MATCH_RULES; i++)
		keys[i] = match_rule_key(&row, &match_rules[i]);
	return key_array(keys, MATCH_RULES);
}

PG_FUNCTION_INFO_V1(ehr_match_values);

/* ehr_internal.match_values(bytea) → bigint[]: the values whose frequencies count.  IMMUTABLE. */
Datum
ehr_match_values(PG_FUNCTION_ARGS)
{
	MatchRow	row;
	uint64_t	keys[MATCH_COUNTS];
	int			i;

	ehr_match_row_load(&row, PG_GETARG_BYTEA_PP(0));
	for (i = 0; i < MATCH_COUNTS; i++)
		keys[i] = match_count_key(&row, i);
	return key_array(keys, MATCH_COUNTS);
}

PG_FUNCTION_INFO_V1(ehr_match_number);

/*
 * ehr_internal.match_number(bytea) → bigint: the citizen number that the row
 * holds as its own; NULL when there is none or it contradicts the person.
 */
Datum
ehr_match_number(PG_FUNCTION_ARGS)
{
	MatchRow	row;

	ehr_match_row_load(&row, PG_GETARG_BYTEA_PP(0));
	if (row.number_kind != NUMBER_CITIZEN || row.flags & MATCH_NUMBER_DOUBTFUL)
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) row.number);
}

/* A row with the frequencies given in the int array after it; NULL: every value is taken for average. */
static void
load_with_counts(FunctionCallInfo fcinfo, MatchRow *row, int n, const MatchModel *model, double rows)
{
	uint32_t	count[MATCH_COUNTS] = {0};
	Datum	   *values;
	bool	   *nulls;
	int			found;
	int			i;

	ehr_match_row_load(row, PG_GETARG_BYTEA_PP(n));
	if (PG_ARGISNULL(n + 1))
	{
		match_set_average_shares(row, model);
		return;
	}
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n + 1), INT4OID, 4, true, TYPALIGN_INT, &values, &nulls, &found);
	for (i = 0; i < found && i < MATCH_COUNTS; i++)
		count[i] = nulls[i] || DatumGetInt32(values[i]) < 0 ? 0 : (uint32_t) DatumGetInt32(values[i]);
	ehr_match_set_shares(row, count, rows);
}

/* Arguments model, rows, a, counts of a, b, counts of b. */
static void
load_pair(FunctionCallInfo fcinfo, MatchModel *model, MatchRow *a, MatchRow *b, MatchVector *v)
{
	double		rows = ehr_match_rows(PG_ARGISNULL(1) ? 0 : PG_GETARG_FLOAT8(1));

	ehr_match_model_load(model, PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0), rows);
	load_with_counts(fcinfo, a, 2, model, rows);
	load_with_counts(fcinfo, b, 4, model, rows);
	match_compare(a, b, v);
}

PG_FUNCTION_INFO_V1(ehr_match_bits);

/*
 * ehr_internal.match_bits(model bytea, rows float8, a bytea, a_counts int[],
 * b bytea, b_counts int[]) → float8: log2 of the odds that both are one
 * person; -Infinity where they cannot be.  IMMUTABLE.
 */
Datum
ehr_match_bits(PG_FUNCTION_ARGS)
{
	MatchModel	model;
	MatchRow	a,
				b;
	MatchVector v;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	load_pair(fcinfo, &model, &a, &b, &v);
	if (match_veto(&a, &b, &v) != VETO_NONE || match_contradicts(&v))
		PG_RETURN_FLOAT8(-INFINITY);
	PG_RETURN_FLOAT8(match_score(&model, &v));
}

PG_FUNCTION_INFO_V1(ehr_match_probability);

/* ehr_internal.match_probability(float8) → float8: bits of odds as a probability.  IMMUTABLE STRICT. */
Datum
ehr_match_probability(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(match_probability(PG_GETARG_FLOAT8(0)));
}

/* ---- explanation ---- */

static void
push_text(JsonbParseState **state, const char *key, const char *value)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
	v.val.string.val = unconstify(char *, value);
	v.val.string.len = strlen(value);
	pushJsonbValue(state, WJB_VALUE, &v);
}

/* rounded to two decimals */
static void
push_number(JsonbParseState **state, const char *key, double value)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, key);
	v.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &v);
	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(rint(value * 100) / 100)));
	pushJsonbValue(state, WJB_VALUE, &v);
}

PG_FUNCTION_INFO_V1(ehr_match_model_json);

/* ehr_internal.match_model_json(bytea) → jsonb: a stored model in words.  IMMUTABLE STRICT. */
Datum
ehr_match_model_json(PG_FUNCTION_ARGS)
{
	MatchModel	model;
	StringInfoData s;
	int			f,
				l;

	ehr_match_model_load(&model, PG_GETARG_BYTEA_PP(0), 0);
	initStringInfo(&s);
	appendStringInfo(&s, "{\"prior\": %.6g, \"fields\": {", model.prior);
	for (f = 0; f < MATCH_FIELDS; f++)
	{
		appendStringInfo(&s, "%s\"%s\": {", f > 0 ? ", " : "", match_fields[f].name);
		for (l = 0; l < match_fields[f].levels; l++)
			appendStringInfo(&s, "%s\"%s\": {\"m\": %.6g, \"u\": %.6g, \"weight\": %.2f}", l > 0 ? ", " : "",
							 match_fields[f].level[l].name, model.m[f][l], model.u[f][l], log2(model.m[f][l] / model.u[f][l]));
		appendStringInfoChar(&s, '}');
	}
	appendStringInfoString(&s, "}}");
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(s.data)));
}

static const char *const veto_sentences[] = {
	NULL,
	"twins: born on one day in one household, with clearly different given names",
	"two births of one mother",
	"one number, but neither name nor birth date agree",
	"two valid citizen numbers that neither a slip nor a re-issue explains",
};

/* One sentence for a clerk: what speaks most for it and most against it. */
static char *
sentence_of(const MatchModel *model, const MatchVector *v, MatchVeto veto, double bits)
{
	int			best = -1;
	int			worst = -1;
	int			f;
	StringInfoData s;

	for (f = 0; f < MATCH_FIELDS; f++)
	{
		double		w = match_weight(model, v, f);

		if (w > 0 && (best < 0 || w > match_weight(model, v, best)))
			best = f;
		if (w < 0 && (worst < 0 || w < match_weight(model, v, worst)))
			worst = f;
	}
	initStringInfo(&s);
	appendStringInfoString(&s, veto != VETO_NONE ? "Not one person" : bits >= match_bits(EHR_MATCH_LINK) ? "One person" :
						   bits >= match_bits(EHR_MATCH_REVIEW) ? "Perhaps one person" : "Probably not one person");
	if (veto != VETO_NONE)
		appendStringInfo(&s, ": %s", veto_sentences[veto]);
	else
	{
		if (best >= 0)
			appendStringInfo(&s, ": %s", match_fields[best].level[v->level[best]].sentence);
		if (worst >= 0)
			appendStringInfo(&s, "%s %s", best >= 0 ? ", but" : ":", match_fields[worst].level[v->level[worst]].sentence);
	}
	appendStringInfoChar(&s, '.');
	return s.data;
}

PG_FUNCTION_INFO_V1(ehr_match_explain);

/*
 * ehr_internal.match_explain(same arguments as match_bits) → jsonb: score in
 * bits, probability, each field's level and weight, and a sentence.  Holds no
 * value of either patient.  IMMUTABLE.
 */
Datum
ehr_match_explain(PG_FUNCTION_ARGS)
{
	MatchModel	model;
	MatchRow	a,
				b;
	MatchVector v;
	MatchVeto	veto;
	double		bits;
	JsonbParseState *state = NULL;
	JsonbValue	key;
	JsonbValue *result;
	int			f;

	if (PG_ARGISNULL(2) || PG_ARGISNULL(4))
		PG_RETURN_NULL();
	load_pair(fcinfo, &model, &a, &b, &v);
	veto = match_veto(&a, &b, &v);
	bits = match_score(&model, &v);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_number(&state, "score", bits);
	push_number(&state, "probability", veto != VETO_NONE ? 0 : match_probability(bits));
	push_number(&state, "prior", model.prior_bits);
	if (veto != VETO_NONE)
		push_text(&state, "veto", veto_sentences[veto]);
	push_text(&state, "sentence", sentence_of(&model, &v, veto, bits));
	key.type = jbvString;
	key.val.string.val = "fields";
	key.val.string.len = strlen("fields");
	pushJsonbValue(&state, WJB_KEY, &key);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (f = 0; f < MATCH_FIELDS; f++)
	{
		bool		missing = v.level[f] == LEVEL_MISSING;

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_text(&state, "field", match_fields[f].name);
		push_text(&state, "level", missing ? "missing" : match_fields[f].level[v.level[f]].name);
		push_number(&state, "weight", match_weight(&model, &v, f));
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}

PG_FUNCTION_INFO_V1(ehr_match_thresholds);

/* ehr_internal.match_thresholds(OUT link_from float8, OUT review_from float8): the shipped thresholds.  IMMUTABLE. */
Datum
ehr_match_thresholds(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[2] = {Float8GetDatum(EHR_MATCH_LINK), Float8GetDatum(EHR_MATCH_REVIEW)};
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
