/*
 * view_value.c
 *		From FHIRPath's items to values of columns: as room fhirpath has them
 *		(result.c), and the times without a zone that only columns have.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "compat.h"
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

/* An item as text; JSON where it is no primitive; NULL where it has no value (an extension only). */
static text *
item_text(ViewRun *run, const FpItem *item)
{
	text	   *result = fhirpath_item_pg_text(run->ev, item);
	Jsonb	   *json = result != NULL ? NULL : fhirpath_item_jsonb(run->ev, item);

	return json == NULL ? result : cstring_to_text(JsonbToCString(NULL, &json->root, VARSIZE(json) - VARHDRSZ));
}

/* The text of a date and time, and where its time begins: NULL where it is a day, or less. */
static char *
time_of(ViewRun *run, const ViewColumn *column, const FpItem *item, char **whole)
{
	text	   *value = fhirpath_item_pg_text(run->ev, item);
	char	   *t;

	if (value == NULL)
		raise_mismatch(column);
	*whole = text_to_cstring(value);
	t = strchr(*whole, 'T');
	return t == NULL || strlen(t) < 6 ? NULL : t + 1;
}

/* A moment: only of a value that has a time and a zone; a day is not made a moment. */
static bool
moment(ViewRun *run, const ViewColumn *column, const FpItem *item, Datum *result)
{
	char	   *whole;
	char	   *time = time_of(run, column, item, &whole);

	return time != NULL && strpbrk(time, "Z+-") != NULL && fhirpath_item_timestamptz(item, result);
}

/* A time of day, or a date and time without its zone: only of a value that has one. */
static bool
local_time(ViewRun *run, const ViewColumn *column, const FpItem *item, Datum *result)
{
	char	   *whole;
	char	   *time = time_of(run, column, item, &whole);

	if (column->type->oid == TIMESTAMPOID)
	{
		if (time != NULL)
			*result = DirectFunctionCall3(timestamp_in, CStringGetDatum(whole), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
		return time != NULL;
	}
	if (time == NULL)
		time = whole;
	if (strlen(time) < 5 || time[2] != ':')
		return false;
	*result = DirectFunctionCall3(time_in, CStringGetDatum(time), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return true;
}

static Datum
number_datum(const ViewColumn *column, const FpItem *item)
{
	Datum		number;

	if (!fhirpath_item_numeric(item, &number))
		raise_mismatch(column);
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

/* A string as text, where the rows are */
static Datum
plain_text(ViewRun *run, const FpItem *item)
{
	text	   *result = fhirpath_alloc(run->ev, VARHDRSZ + (Size) item->len);

	if (result == NULL)
		return PointerGetDatum(cstring_to_text_with_len(item->u.text, item->len));
	SET_VARSIZE(result, VARHDRSZ + item->len);
	memcpy(VARDATA(result), item->u.text, item->len);
	return PointerGetDatum(result);
}

static Datum
item_datum(ViewRun *run, const ViewColumn *column, const FpItem *item, bool *isnull)
{
	Datum		result = (Datum) 0;
	bool		boolean;

	*isnull = false;
	/* the common cases first: no copy of a number, one of a text */
	if (item->kind == FP_NODE && item->json == JB_T_STRING && column->type->oid == TEXTOID)
		return plain_text(run, item);
	if (item->kind == FP_NODE && item->json == JB_T_NUMBER && column->type->oid == NUMERICOID)
		return PointerGetDatum(item->u.text);
	*isnull = item->kind == FP_NODE && item->json == JB_T_NULL;
	if (*isnull)
		return result;
	switch (column->type->oid)
	{
		case TEXTOID:
			return PointerGetDatum(item_text(run, item));
		case JSONBOID:
			return JsonbPGetDatum(fhirpath_item_jsonb(run->ev, item));
		case BOOLOID:
			if (!fhirpath_item_boolean(item, &boolean))
				raise_mismatch(column);
			return BoolGetDatum(boolean);
		case DATEOID:
			*isnull = !fhirpath_item_date(item, &result);
			return result;
		case TIMESTAMPTZOID:
			*isnull = !moment(run, column, item, &result);
			return result;
		case TIMEOID:
		case TIMESTAMPOID:
			*isnull = !local_time(run, column, item, &result);
			return result;
		default:
			return number_datum(column, item);
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
