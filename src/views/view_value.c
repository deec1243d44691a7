/*
 * view_value.c
 *		From FHIRPath's items to values of columns, and to JSON.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "fhir/fhir_tree.h"
#include "view_run.h"

pg_noreturn static void
raise_mismatch(const ViewColumn *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("a value does not fit into its column of the view"),
			 errdetail("Column \"%s\" is of type %s.", column->name, column->type->name),
			 errhint("Declare the column's type as the element has it, or convert the value in the path.")));
}

/* An item as text; JSON where it is no primitive. */
static text *
item_text(ViewRun *run, const FpItem *item)
{
	const char *text;
	uint32_t	len;
	JsonbValue	json;
	StringInfoData out;

	if (fhirpath_item_text(run->ev, item, &text, &len))
		return cstring_to_text_with_len(text, len);
	view_json(run, item, &json);
	if (json.type != jbvBinary)
		return NULL;
	initStringInfo(&out);
	JsonbToCString(&out, json.val.binary.data, json.val.binary.len);
	return cstring_to_text_with_len(out.data, out.len);
}

/* A primitive as a C string; NULL where it has no value (an extension only). */
static char *
item_cstring(ViewRun *run, const FpItem *item, const ViewColumn *column)
{
	const char *text;
	uint32_t	len;

	if (item->kind == FP_NODE && item->json == JB_T_NULL)
		return NULL;
	if (!fhirpath_item_text(run->ev, item, &text, &len))
		raise_mismatch(column);
	return pnstrdup(text, len);
}

static bool
is_number(const FpItem *item)
{
	return item->kind == FP_INTEGER || item->kind == FP_LONG || item->kind == FP_DECIMAL ||
		(item->kind == FP_NODE && item->json == JB_T_NUMBER);
}

static Datum
number_datum(ViewRun *run, const ViewColumn *column, const FpItem *item)
{
	if (item->kind == FP_NODE && item->json == JB_T_NUMBER)
		return DirectFunctionCall1(numeric_uplus, PointerGetDatum(item->u.text));
	return DirectFunctionCall3(numeric_in, CStringGetDatum(item_cstring(run, item, column)),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/*
 * Dates and times: only a value that is precise enough for the type; a partial
 * date is not made a day, nor a day a moment.
 */
static Datum
moment_datum(ViewRun *run, const ViewColumn *column, const FpItem *item, bool *isnull)
{
	char	   *value = item_cstring(run, item, column);
	size_t		len = value == NULL ? 0 : strlen(value);
	bool		has_day = len >= 10 && value[4] == '-' && value[7] == '-';
	bool		has_time = has_day && len >= 16 && value[10] == 'T';
	Datum		zone_free;

	*isnull = false;
	switch (column->type->oid)
	{
		case DATEOID:
			if (!has_day)
				break;
			value[10] = '\0';
			return DirectFunctionCall1(date_in, CStringGetDatum(value));
		case TIMEOID:
			if (has_time)
				value += 11;
			else if (len < 5 || value[2] != ':')
				break;
			return DirectFunctionCall3(time_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
		case TIMESTAMPTZOID:
			/* without a zone it is no moment */
			if (!has_time || (value[len - 1] != 'Z' && strpbrk(value + 11, "+-") == NULL))
				break;
			return DirectFunctionCall3(timestamptz_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
		case TIMESTAMPOID:
			if (!has_time)
				break;
			zone_free = DirectFunctionCall3(timestamp_in, CStringGetDatum(value), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
			return zone_free;
	}
	*isnull = true;
	return (Datum) 0;
}

static Datum
item_datum(ViewRun *run, const ViewColumn *column, const FpItem *item, bool *isnull)
{
	Datum		number;
	JsonbValue	json;
	text	   *text;

	*isnull = false;
	switch (column->type->oid)
	{
		case TEXTOID:
			text = item_text(run, item);
			*isnull = text == NULL;
			return PointerGetDatum(text);
		case JSONBOID:
			view_json(run, item, &json);
			return JsonbPGetDatum(JsonbValueToJsonb(&json));
	}
	if (item->kind == FP_NODE && item->json == JB_T_NULL)
	{
		*isnull = true;
		return (Datum) 0;
	}
	switch (column->type->oid)
	{
		case BOOLOID:
			if (item->kind == FP_BOOLEAN)
				return BoolGetDatum(item->u.number != 0);
			if (item->kind != FP_NODE || (item->json != JB_T_TRUE && item->json != JB_T_FALSE))
				raise_mismatch(column);
			return BoolGetDatum(item->json == JB_T_TRUE);
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return moment_datum(run, column, item, isnull);
	}
	if (!is_number(item))
		raise_mismatch(column);
	number = number_datum(run, column, item);
	switch (column->type->oid)
	{
		case INT4OID:
			return DirectFunctionCall1(numeric_int4, number);
		case INT8OID:
			return DirectFunctionCall1(numeric_int8, number);
		case FLOAT8OID:
			return DirectFunctionCall1(numeric_float8, number);
		default:
			return number;
	}
}

static Datum
array_datum(ViewRun *run, const ViewColumn *column, const ViewValue *value)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(value->count, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(value->count, 1));
	int			dims[1] = {value->count};
	int			lbs[1] = {1};
	int16		typlen;
	bool		typbyval;
	char		typalign;

	if (value->count == 0)
		return PointerGetDatum(construct_empty_array(column->type->oid));
	for (uint32 i = 0; i < value->count; i++)
		elements[i] = item_datum(run, column, &value->items[i], &nulls[i]);
	get_typlenbyvalalign(column->type->oid, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(elements, nulls, 1, dims, lbs, column->type->oid, typlen, typbyval, typalign));
}

Datum
view_datum(ViewRun *run, const ViewColumn *column, const ViewValue *value, bool *isnull)
{
	*isnull = false;
	if (column->collection)
		return array_datum(run, column, value);
	if (value->count == 0)
	{
		*isnull = true;
		return (Datum) 0;
	}
	return item_datum(run, column, value->items, isnull);
}

/* ---- JSON ---- */

static void
node_json(const FpItem *item, JsonbValue *json)
{
	switch (item->json)
	{
		case JB_T_STRING:
			json->type = jbvString;
			json->val.string.val = unconstify(char *, item->u.text);
			json->val.string.len = item->len;
			break;
		case JB_T_NUMBER:
			json->type = jbvNumeric;
			json->val.numeric = (Numeric) unconstify(char *, item->u.text);
			break;
		case JB_T_TRUE:
		case JB_T_FALSE:
			json->type = jbvBool;
			json->val.boolean = item->json == JB_T_TRUE;
			break;
		case JB_T_CONTAINER:
			json->type = jbvBinary;
			json->val.binary.data = (JsonbContainer *) unconstify(char *, item->u.text);
			json->val.binary.len = item->len;
			break;
		default:
			json->type = jbvNull;
	}
}

void
view_json(ViewRun *run, const FpItem *item, JsonbValue *json)
{
	const char *text;
	uint32_t	len;

	if (item->kind == FP_NODE)
	{
		node_json(item, json);
		return;
	}
	if (item->kind == FP_BOOLEAN)
	{
		json->type = jbvBool;
		json->val.boolean = item->u.number != 0;
		return;
	}
	if (!fhirpath_item_text(run->ev, item, &text, &len))
	{
		json->type = jbvNull;
		return;
	}
	if (is_number(item))
	{
		json->type = jbvNumeric;
		json->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(pnstrdup(text, len)),
																ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		return;
	}
	json->type = jbvString;
	json->val.string.val = pnstrdup(text, len);
	json->val.string.len = len;
}
