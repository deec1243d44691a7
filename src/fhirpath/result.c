/*
 * result.c
 *		Items of an evaluation as Datums.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "core/fhirpath_eval.h"

#include "compat.h"
#include "fhirpath.h"

/* A jsonb of one scalar: header of the array that wraps it, entry, value */
static Jsonb *
scalar_jsonb(uint32 entry_type, const void *value, uint32 len)
{
	Size		size = offsetof(Jsonb, root) + offsetof(JsonbContainer, children) + sizeof(JEntry) + len;
	Jsonb	   *result = palloc(size);

	SET_VARSIZE(result, size);
	result->root.header = 1 | JB_FSCALAR | JB_FARRAY;
	result->root.children[0] = entry_type | len;
	if (len > 0)
		memcpy(&result->root.children[1], value, len);
	return result;
}

static Numeric
decimal_numeric(const Decimal *d)
{
	unsigned char payload[DECIMAL_NUMERIC_SIZE];
	size_t		len = decimal_to_numeric(d, payload);
	Numeric		result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), payload, len);
	return result;
}

static Jsonb *
number_jsonb(const Decimal *d)
{
	Numeric		number = decimal_numeric(d);

	return scalar_jsonb(JENTRY_ISNUMERIC, number, VARSIZE(number));
}

static Jsonb *
string_jsonb(const char *text, uint32 len)
{
	if (len > JENTRY_OFFLENMASK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("string too long to represent as jsonb string")));
	return scalar_jsonb(JENTRY_ISSTRING, text, len);
}

static Jsonb *
container_jsonb(const char *container, uint32 len)
{
	Jsonb	   *result = palloc(VARHDRSZ + len);

	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), container, len);
	return result;
}

static void
push_pair(JsonbParseState **state, const char *key, const char *text, int len)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	(void) pushJsonbValue(state, WJB_KEY, &value);
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = len;
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

/* What type() gives: {"name", "namespace"} */
static Jsonb *
type_jsonb(const FpItem *item)
{
	JsonbParseState *state = NULL;
	const char *dot = memchr(item->u.text, '.', item->len);
	int			space = dot - item->u.text;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_pair(&state, "name", dot + 1, item->len - space - 1);
	push_pair(&state, "namespace", item->u.text, space);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

Jsonb *
fhirpath_item_jsonb(FhirPathEval *ev, const FpItem *item)
{
	const char *text;
	uint32		len;
	Decimal		d;

	if (item->kind == FP_NODE)
	{
		switch ((JbType) item->json)
		{
			case JB_T_STRING:
				return scalar_jsonb(JENTRY_ISSTRING, item->u.text, item->len);
			case JB_T_NUMBER:
				return scalar_jsonb(JENTRY_ISNUMERIC, item->u.text, item->len);
			case JB_T_CONTAINER:
				return container_jsonb(item->u.text, item->len);
			case JB_T_TRUE:
				return scalar_jsonb(JENTRY_ISBOOL_TRUE, NULL, 0);
			case JB_T_FALSE:
				return scalar_jsonb(JENTRY_ISBOOL_FALSE, NULL, 0);
			default:
				return NULL;
		}
	}
	switch ((FhirPathKind) item->kind)
	{
		case FP_BOOLEAN:
			return scalar_jsonb(item->u.number != 0 ? JENTRY_ISBOOL_TRUE : JENTRY_ISBOOL_FALSE, NULL, 0);
		case FP_INTEGER:
		case FP_LONG:
			d = decimal_from_int64(item->u.number);
			return number_jsonb(&d);
		case FP_DECIMAL:
			return number_jsonb(item->u.decimal);
		case FP_STRING:
			return string_jsonb(item->u.text, item->len);
		case FP_TYPE:
			return type_jsonb(item);
		default:
			if (!fhirpath_item_text(ev, item, &text, &len))
				return NULL;
			return string_jsonb(text, len);
	}
}

text *
fhirpath_item_pg_text(FhirPathEval *ev, const FpItem *item)
{
	const char *text;
	uint32		len;

	if (!fhirpath_item_text(ev, item, &text, &len))
		return NULL;
	return cstring_to_text_with_len(text, len);
}

bool
fhirpath_item_numeric(const FpItem *item, Datum *result)
{
	FpValue		value;
	Decimal		d;

	if (item->kind == FP_NODE && item->json == JB_T_NUMBER)
	{
		Size		size = VARSIZE_ANY(item->u.text);
		char	   *copy = palloc(size);

		memcpy(copy, item->u.text, size);
		*result = PointerGetDatum(copy);
		return true;
	}
	fp_value(item, &value);
	if (value.kind == FP_QUANTITY)
		d = value.u.quantity.value;
	else if (!fp_number_of(&value, &d))
		return false;
	*result = PointerGetDatum(decimal_numeric(&d));
	return true;
}

bool
fhirpath_item_boolean(const FpItem *item, bool *result)
{
	FpValue		value;

	fp_value(item, &value);
	if (value.kind != FP_BOOLEAN)
		return false;
	*result = value.u.boolean;
	return true;
}

/* A date or time, also as text; false for a time of day */
static bool
item_temporal(const FpItem *item, Temporal *t)
{
	FpValue		value;

	fp_value(item, &value);
	if (value.kind == FP_DATE || value.kind == FP_DATETIME)
		*t = value.u.temporal;
	else if (value.kind != FP_STRING || temporal_parse(TEMPORAL_DATETIME, value.u.text, value.len, t) != CORE_OK)
		return false;
	return true;
}

/* The day of a value that has one: a month or a year alone is no date. */
bool
fhirpath_item_date(const FpItem *item, Datum *result)
{
	Temporal	t;

	if (!item_temporal(item, &t) || t.precision < TEMPORAL_DAY)
		return false;
	*result = DateADTGetDatum(date2j(t.year, t.month, t.day) - POSTGRES_EPOCH_JDATE);
	return true;
}

/* The first instant of a value with at least a day; UTC where it has no zone. */
bool
fhirpath_item_timestamptz(const FpItem *item, Datum *result)
{
	Temporal	t;
	int64_t		first,
				behind;

	if (!item_temporal(item, &t) || t.precision < TEMPORAL_DAY)
		return false;
	temporal_interval(&t, 0, &first, &behind);
	*result = TimestampTzGetDatum(first - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
	return true;
}
