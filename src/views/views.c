/*
 * views.c
 *		SQL functions of SQL on FHIR.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/fhir_model.h"
#include "view_run.h"

PG_FUNCTION_INFO_V1(view_rows);
PG_FUNCTION_INFO_V1(view_record);
PG_FUNCTION_INFO_V1(view_columns);
PG_FUNCTION_INFO_V1(view_resource);

static void
push_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key = {.type = jbvString};

	key.val.string.val = unconstify(char *, name);
	key.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &key);
}

/* A row as an object; columns that hold nothing are null. */
static Jsonb *
row_object(ViewRun *run, const ViewValue *row)
{
	JsonbParseState *state = NULL;
	JsonbValue	json;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < run->view->column_count; i++)
	{
		bool		collection = run->view->columns[i].collection;

		push_key(&state, run->view->columns[i].name);
		if (collection)
			pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		else if (row[i].count == 0)
		{
			json.type = jbvNull;
			pushJsonbValue(&state, WJB_VALUE, &json);
		}
		for (uint32 k = 0; k < row[i].count; k++)
		{
			view_json(run, &row[i].items[k], &json);
			pushJsonbValue(&state, collection ? WJB_ELEM : WJB_VALUE, &json);
		}
		if (collection)
			pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * view_rows(view_definition jsonb, resource jsonb) → setof jsonb
 */
Datum
view_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ViewRun    *run = view_run(&fcinfo->flinfo->fn_extra, fcinfo->flinfo->fn_mcxt, PG_GETARG_DATUM(0));
	ViewRows	rows;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	view_rows_of(run, PG_GETARG_JSONB_P(1), &rows);
	for (int i = 0; i < rows.count; i++)
	{
		Datum		value = JsonbPGetDatum(row_object(run, rows.rows[i]));
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}

/* The caller's column definition list must be the view's columns. */
static void
check_columns(const View *view, TupleDesc desc)
{
	bool		same = desc->natts == view->column_count;

	for (int i = 0; same && i < desc->natts; i++)
	{
		const ViewColumn *column = &view->columns[i];

		same = TupleDescAttr(desc, i)->atttypid == (column->collection ? column->type->array : column->type->oid);
	}
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the column definition list is not that of the view"),
				 errhint("ehr.view_columns(view_definition) tells names and types.")));
}

/*
 * view_record(view_definition jsonb, resource jsonb) → setof record
 */
Datum
view_record(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	void	   *before = fcinfo->flinfo->fn_extra;
	ViewRun    *run = view_run(&fcinfo->flinfo->fn_extra, fcinfo->flinfo->fn_mcxt, PG_GETARG_DATUM(0));
	int			count = run->view->column_count;
	ViewRows	rows;
	Datum	   *values;
	bool	   *nulls;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (before != run)
		check_columns(run->view, result->setDesc);
	view_rows_of(run, PG_GETARG_JSONB_P(1), &rows);
	values = palloc(sizeof(Datum) * count);
	nulls = palloc(sizeof(bool) * count);
	for (int i = 0; i < rows.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < count; k++)
			values[k] = view_datum(run, &run->view->columns[k], &rows.rows[i][k], &nulls[k]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * view_columns(view_definition jsonb) → setof (name, type, description)
 */
Datum
view_columns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	View	   *view = view_prepare(PG_GETARG_JSONB_P(0));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < view->column_count; i++)
	{
		const ViewColumn *column = &view->columns[i];
		Datum		values[3] = {
			CStringGetTextDatum(column->name),
			CStringGetTextDatum(psprintf("%s%s", column->type->name, column->collection ? "[]" : "")),
			column->description == NULL ? (Datum) 0 : CStringGetTextDatum(column->description)
		};
		bool		nulls[3] = {false, false, column->description == NULL};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* view_resource(view_definition jsonb) → text: the resource type that it is about */
Datum
view_resource(PG_FUNCTION_ARGS)
{
	View	   *view = view_prepare(PG_GETARG_JSONB_P(0));

	PG_RETURN_TEXT_P(cstring_to_text(fhir_resource_name(view->resource)));
}
