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
PG_FUNCTION_INFO_V1(view_depends_on_more);

/* An item as a part of an object */
static void
push_item(JsonbParseState **state, JsonbIteratorToken token, ViewRun *run, const FpItem *item)
{
	Jsonb	   *json = fhirpath_item_jsonb(run->ev, item);
	JsonbValue	value = {.type = jbvNull};

	if (json != NULL && !JB_ROOT_IS_SCALAR(json))
	{
		value.type = jbvBinary;
		value.val.binary.data = &json->root;
		value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
	else if (json != NULL)
		(void) JsonbExtractScalar(&json->root, &value);
	(void) pushJsonbValue(state, token, &value);
}

/* A row as an object; columns that hold nothing are null. */
static Jsonb *
row_object(ViewRun *run, const ViewValue *row)
{
	static const FpItem nothing = {.kind = FP_NODE,.json = JB_T_NULL};
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < run->view->column_count; i++)
	{
		const ViewColumn *column = &run->view->columns[i];
		JsonbValue	key = {.type = jbvString};

		key.val.string.val = column->name;
		key.val.string.len = strlen(column->name);
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		if (!column->collection)
		{
			push_item(&state, WJB_VALUE, run, row[i].count > 0 ? row[i].items : &nothing);
			continue;
		}
		(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		for (uint32 k = 0; k < row[i].count; k++)
			push_item(&state, WJB_ELEM, run, &row[i].items[k]);
		(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
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
	ViewRun    *run = view_run(&fcinfo->flinfo->fn_extra, fcinfo->flinfo->fn_mcxt, PG_GETARG_DATUM(0), NULL);
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

void
view_check_columns(const View *view, TupleDesc desc)
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
	ViewRun    *run = view_run(&fcinfo->flinfo->fn_extra, fcinfo->flinfo->fn_mcxt, PG_GETARG_DATUM(0), NULL);
	int			count = run->view->column_count;
	ViewRows	rows;
	Datum	   *values;
	bool	   *nulls;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (before != run)
		view_check_columns(run->view, result->setDesc);
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

/* ehr_internal.view_depends_on_more(jsonb) → boolean: do rows change though their resource does not? */
Datum
view_depends_on_more(PG_FUNCTION_ARGS)
{
	View	   *view = view_prepare(PG_GETARG_JSONB_P(0));

	PG_RETURN_BOOL((view->needs & (FHIRPATH_NEEDS_CLOCK | FHIRPATH_NEEDS_TERMINOLOGY | FHIRPATH_NEEDS_PROFILES | FHIRPATH_NEEDS_RESOURCES)) != 0);
}
