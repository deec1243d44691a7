/*
 * fhirpath_value.c
 *		Values of items: reading, printing, quantities and units.
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#include "fhir_primitive.h"

/* -- reading ---------------------------------------------------------------- */

/* Whether a type of the model is Quantity or derives from it */
bool
fp_is_quantity(int type)
{
	for (; type != 0; type = fhir_types[type].base)
	{
		if (fhir_string_len(fhir_types[type].name) == 8 && memcmp(fhir_string(fhir_types[type].name), "Quantity", 8) == 0)
			return true;
	}
	return false;
}

static bool
number_value(const char *numeric, uint32_t len, Decimal *result)
{
	/* past the varlena header, which is one byte in the short form */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	size_t		header = (numeric[0] & 0x80) != 0 ? 1 : 4;
#else
	size_t		header = (numeric[0] & 1) != 0 ? 1 : 4;
#endif

	return decimal_from_numeric(numeric + header, len - header, result) == CORE_OK;
}

static void
value_of_number(const FpItem *item, FpValue *value)
{
	JbNumber	number;

	jb_number(item->u.text, &number);
	if (item->type != FHIR_DECIMAL && jb_number_int64(&number, &value->u.number))
	{
		bool		small = value->u.number >= INT32_MIN && value->u.number <= INT32_MAX;

		value->kind = small ? FP_INTEGER : FP_LONG;
		return;
	}
	value->kind = number_value(item->u.text, item->len, &value->u.decimal) ? FP_DECIMAL : FP_V_OBJECT;
}

/* Units of time that a FHIR Quantity may mean by the calendar (R4, FHIRPath page, "Use of FHIR Quantity") */
static bool
is_calendar_code(const char *code, uint32_t len)
{
	return (len == 1 && code[0] == 'a') || (len == 2 && memcmp(code, "mo", 2) == 0);
}

/* A Quantity element: without comparator, with a value; its code where that is UCUM's, else its unit */
static void
value_of_quantity(const FpItem *item, FpValue *value)
{
	static const char ucum[] = "http://unitsofmeasure.org";
	FpQuantity *q = &value->u.quantity;
	JbValue		number,
				part;

	value->kind = FP_V_OBJECT;
	if (!fp_item_get(item, "value", &number) || number.type != JB_T_NUMBER || fp_item_get(item, "comparator", &part))
		return;
	memset(q, 0, sizeof(*q));
	if (!number_value(number.ptr, number.len, &q->value))
		return;
	q->unit = "";
	value->kind = FP_QUANTITY;
	if (fp_item_get(item, "system", &part) && part.type == JB_T_STRING)
	{
		/* another system's code is no unit here */
		if (part.len != sizeof(ucum) - 1 || memcmp(part.ptr, ucum, part.len) != 0)
			value->kind = FP_V_OBJECT;
		else if (fp_item_get(item, "code", &part) && part.type == JB_T_STRING)
		{
			q->unit = part.ptr;
			q->unit_len = part.len;
			q->both = is_calendar_code(part.ptr, part.len);
		}
	}
	else if ((fp_item_get(item, "unit", &part) || fp_item_get(item, "code", &part)) && part.type == JB_T_STRING)
	{
		q->unit = part.ptr;
		q->unit_len = part.len;
	}
}

static void
value_of_string(const FpItem *item, FpValue *value)
{
	CoreStatus	status = CORE_INVALID;

	switch (item->type)
	{
		case FHIR_DATE:
			value->kind = FP_DATE;
			status = temporal_parse(TEMPORAL_DATE, item->u.text, item->len, &value->u.temporal);
			break;
		case FHIR_DATETIME:
		case FHIR_INSTANT:
			value->kind = FP_DATETIME;
			status = temporal_parse(TEMPORAL_DATETIME, item->u.text, item->len, &value->u.temporal);
			break;
		case FHIR_TIME:
			value->kind = FP_TIME;
			status = temporal_parse(TEMPORAL_TIME, item->u.text, item->len, &value->u.temporal);
			break;
		default:
			break;
	}
	if (status == CORE_OK)
		return;
	value->kind = FP_STRING;
	value->len = item->len;
	value->u.text = item->u.text;
}

void
fp_value(const FpItem *item, FpValue *value)
{
	value->kind = (int8_t) item->kind;
	value->len = item->len;
	switch ((FhirPathKind) item->kind)
	{
		case FP_NODE:
			break;
		case FP_BOOLEAN:
			value->u.boolean = item->u.number != 0;
			return;
		case FP_INTEGER:
		case FP_LONG:
			value->u.number = item->u.number;
			return;
		case FP_DECIMAL:
			value->u.decimal = *item->u.decimal;
			return;
		case FP_STRING:
			value->u.text = item->u.text;
			return;
		case FP_DATE:
		case FP_DATETIME:
		case FP_TIME:
			value->u.temporal = *item->u.temporal;
			return;
		case FP_QUANTITY:
			value->u.quantity = *item->u.quantity;
			return;
		case FP_TYPE:
			value->kind = FP_V_OBJECT;
			return;
	}
	switch ((JbType) item->json)
	{
		case JB_T_STRING:
			value_of_string(item, value);
			break;
		case JB_T_NUMBER:
			value_of_number(item, value);
			break;
		case JB_T_TRUE:
		case JB_T_FALSE:
			value->kind = FP_BOOLEAN;
			value->u.boolean = item->json == JB_T_TRUE;
			break;
		case JB_T_NULL:
			value->kind = FP_V_NONE;
			break;
		case JB_T_CONTAINER:
			value->kind = FP_V_OBJECT;
			if (fp_is_quantity(item->type))
				value_of_quantity(item, value);
			break;
	}
}

bool
fp_text_of(const FpItem *item, const char **text, uint32_t *len)
{
	if (item->kind != FP_STRING && (item->kind != FP_NODE || item->json != JB_T_STRING))
		return false;
	*text = item->u.text;
	*len = item->len;
	return true;
}

bool
fp_number_of(const FpValue *value, Decimal *number)
{
	if (value->kind == FP_INTEGER || value->kind == FP_LONG)
		*number = decimal_from_int64(value->u.number);
	else if (value->kind == FP_DECIMAL)
		*number = value->u.decimal;
	else
		return false;
	return true;
}

bool
fp_quantity_of(const FpValue *value, FpQuantity *quantity)
{
	if (value->kind == FP_QUANTITY)
	{
		*quantity = value->u.quantity;
		return true;
	}
	memset(quantity, 0, sizeof(*quantity));
	quantity->unit = "1";
	quantity->unit_len = 1;
	return fp_number_of(value, &quantity->value);
}

/* -- items of values -------------------------------------------------------- */

bool
fp_value_item(FhirPathEval *ev, const FpValue *value, FpItem *item)
{
	void	   *copy = NULL;

	memset(item, 0, sizeof(*item));
	/* FP_V_OBJECT and FP_V_NONE: there is no item of that kind */
	if (value->kind < 0)
		return fp_fail(ev, FHIRPATH_TYPE, "an object has no value to calculate with");
	item->kind = (uint8_t) value->kind;
	item->len = value->len;
	switch (value->kind)
	{
		case FP_BOOLEAN:
			item->u.number = value->u.boolean;
			return true;
		case FP_INTEGER:
		case FP_LONG:
			item->u.number = value->u.number;
			return true;
		case FP_STRING:
			item->u.text = value->u.text;
			return true;
		case FP_DECIMAL:
			if ((copy = fp_alloc(ev, sizeof(Decimal))) == NULL)
				return false;
			memcpy(copy, &value->u.decimal, sizeof(Decimal));
			item->u.decimal = copy;
			return true;
		case FP_QUANTITY:
			if ((copy = fp_alloc(ev, sizeof(FpQuantity))) == NULL)
				return false;
			memcpy(copy, &value->u.quantity, sizeof(FpQuantity));
			item->u.quantity = copy;
			return true;
		default:
			if ((copy = fp_alloc(ev, sizeof(Temporal))) == NULL)
				return false;
			memcpy(copy, &value->u.temporal, sizeof(Temporal));
			item->u.temporal = copy;
			return true;
	}
}

bool
fp_push_value(FhirPathEval *ev, const FpValue *value, FpSink *sink)
{
	FpItem		item;

	return fp_value_item(ev, value, &item) && sink->push(ev, sink, &item);
}

/* -- literals --------------------------------------------------------------- */

bool
fp_unit_set(FpQuantity *quantity, const char *unit, size_t len)
{
	quantity->unit = unit;
	quantity->unit_len = (uint32_t) len;
	quantity->calendar = CALENDAR_NONE;
	quantity->both = false;
	return true;
}

bool
fp_literal(const FpNode *node, const char *text, const char *unit, const FpNode *unit_node, FpValue *value)
{
	size_t		len = node->text_len;

	value->len = 0;
	switch ((FpOp) node->op)
	{
		case FP_OP_BOOLEAN:
			value->kind = FP_BOOLEAN;
			value->u.boolean = node->aux != 0;
			return true;
		case FP_OP_STRING:
			value->kind = FP_STRING;
			value->u.text = text;
			value->len = node->text_len;
			return true;
		case FP_OP_INTEGER:
		case FP_OP_LONG:
			{
				Decimal		d;

				value->kind = node->op == FP_OP_LONG ? FP_LONG : FP_INTEGER;
				return decimal_parse(text, len, &d) == CORE_OK && decimal_to_int64(&d, &value->u.number) == CORE_OK;
			}
		case FP_OP_DECIMAL:
			value->kind = FP_DECIMAL;
			return decimal_parse(text, len, &value->u.decimal) == CORE_OK;
		case FP_OP_DATE:
			value->kind = FP_DATE;
			return temporal_parse(TEMPORAL_DATE, text, len, &value->u.temporal) == CORE_OK;
		case FP_OP_DATETIME:
			value->kind = FP_DATETIME;
			return temporal_parse(TEMPORAL_DATETIME, text, len, &value->u.temporal) == CORE_OK;
		case FP_OP_TIME:
			value->kind = FP_TIME;
			return temporal_parse(TEMPORAL_TIME, text, len, &value->u.temporal) == CORE_OK;
		case FP_OP_QUANTITY:
			value->kind = FP_QUANTITY;
			memset(&value->u.quantity, 0, sizeof(FpQuantity));
			if (unit == NULL || decimal_parse(text, len, &value->u.quantity.value) != CORE_OK)
				return false;
			(void) fp_unit_set(&value->u.quantity, unit, unit_node->text_len);
			if (unit_node->aux != 0)
				value->u.quantity.calendar = (uint8_t) calendar_unit_parse(unit, unit_node->text_len);
			return true;
		default:
			return false;
	}
}

static bool
is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* N1 5.5: (sign)? digits (. digits)? space* ('unit' | calendar word)? */
bool
fp_quantity_parse(const char *text, size_t len, FpQuantity *quantity)
{
	size_t		n = 0;

	memset(quantity, 0, sizeof(*quantity));
	if (n < len && (text[n] == '+' || text[n] == '-'))
		n++;
	while (n < len && ((text[n] >= '0' && text[n] <= '9') || text[n] == '.'))
		n++;
	if (n == 0 || text[n - 1] == '.' || decimal_parse(text, n, &quantity->value) != CORE_OK)
		return false;
	quantity->unit = "1";
	quantity->unit_len = 1;
	if (n == len)
		return true;
	while (n < len && is_space((unsigned char) text[n]))
		n++;
	if (n == len)
		return false;
	if (text[n] == '\'')
	{
		if (len - n < 3 || text[len - 1] != '\'')
			return false;
		return fp_unit_set(quantity, text + n + 1, len - n - 2);
	}
	(void) fp_unit_set(quantity, text + n, len - n);
	quantity->calendar = (uint8_t) calendar_unit_parse(text + n, len - n);
	return quantity->calendar != CALENDAR_NONE;
}

/* -- printing --------------------------------------------------------------- */

static bool
print_quantity(FhirPathEval *ev, const FpQuantity *q, const char **text, uint32_t *len)
{
	char		number[DECIMAL_PRINT_SIZE];
	size_t		n = decimal_print(&q->value, number);
	char	   *out = fp_alloc(ev, n + q->unit_len + 4);
	char	   *at = out;

	if (out == NULL)
		return false;
	memcpy(at, number, n);
	at += n;
	*at++ = ' ';
	if (q->calendar == CALENDAR_NONE)
		*at++ = '\'';
	if (q->calendar == CALENDAR_NONE && q->unit_len == 0)
		*at++ = '1';
	else
	{
		memcpy(at, q->unit, q->unit_len);
		at += q->unit_len;
	}
	if (q->calendar == CALENDAR_NONE)
		*at++ = '\'';
	*text = out;
	*len = (uint32_t) (at - out);
	return true;
}

bool
fp_value_print(FhirPathEval *ev, const FpValue *value, const char **text, uint32_t *len)
{
	char		buffer[64];
	size_t		n;
	char	   *copy;

	switch (value->kind)
	{
		case FP_STRING:
			*text = value->u.text;
			*len = value->len;
			return true;
		case FP_BOOLEAN:
			*text = value->u.boolean ? "true" : "false";
			*len = value->u.boolean ? 4 : 5;
			return true;
		case FP_QUANTITY:
			return print_quantity(ev, &value->u.quantity, text, len);
		case FP_INTEGER:
		case FP_LONG:
			n = (size_t) snprintf(buffer, sizeof(buffer), "%lld", (long long) value->u.number);
			break;
		case FP_DECIMAL:
			n = decimal_print(&value->u.decimal, buffer);
			break;
		case FP_DATE:
		case FP_DATETIME:
		case FP_TIME:
			n = temporal_print(&value->u.temporal, false, buffer);
			break;
		default:
			return false;
	}
	copy = fp_alloc(ev, n + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, buffer, n);
	copy[n] = '\0';
	*text = copy;
	*len = (uint32_t) n;
	return true;
}

/* -- units ------------------------------------------------------------------ */

/* UCUM's unit of a calendar word; those of years and months are only alike (N1 2.1.6.1). */
const char *
fp_calendar_ucum(CalendarUnit unit, bool loose)
{
	static const char *const units[] = {NULL, "a", "mo", "wk", "d", "h", "min", "s", "ms"};

	if ((unit == CALENDAR_YEAR || unit == CALENDAR_MONTH) && !loose)
		return NULL;
	return units[unit];
}

/* A calendar unit in months, or else in milliseconds: 365 days a year, 30 a month (N1 5.5.9) */
static int64_t
calendar_size(CalendarUnit unit, bool months)
{
	static const int64_t size[] = {0, INT64_C(31536000000), INT64_C(2592000000), 604800000, 86400000, 3600000, 60000, 1000, 1};

	if (months)
		return unit == CALENDAR_YEAR ? 12 : 1;
	return size[unit];
}

static bool
convert_calendar(const FpQuantity *a, const FpQuantity *b, Decimal *a_value, Decimal *b_value)
{
	bool		months = a->calendar <= CALENDAR_MONTH && b->calendar <= CALENDAR_MONTH;
	Decimal		size_a = decimal_from_int64(calendar_size((CalendarUnit) a->calendar, months));
	Decimal		size_b = decimal_from_int64(calendar_size((CalendarUnit) b->calendar, months));

	*a_value = a->value;
	*b_value = b->value;
	if (a->calendar == b->calendar)
		return true;
	return decimal_mul(&a->value, &size_a, a_value) == CORE_OK && decimal_mul(&b->value, &size_b, b_value) == CORE_OK;
}

/* A FHIR Quantity in a or mo, as the calendar's */
static FpQuantity
as_calendar(const FpQuantity *q)
{
	FpQuantity	result = *q;

	result.calendar = q->unit_len == 1 ? CALENDAR_YEAR : CALENDAR_MONTH;
	return result;
}

/* Calendar words go with UCUM's definite durations only. */
static bool
is_definite(const char *a, size_t a_len, const char *b, size_t b_len)
{
	static const char *const units[] = {"wk", "d", "h", "min", "s", "ms"};
	int			found = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		found += (strlen(units[i]) == a_len && memcmp(units[i], a, a_len) == 0) +
			(strlen(units[i]) == b_len && memcmp(units[i], b, b_len) == 0);
	return found == 2;
}

/* Bytes of other work that parsing a byte of a unit is as much as */
#define UNIT_CHARGE 1024

bool
fp_charge_units(FhirPathEval *ev, const FpQuantity *a, const FpQuantity *b)
{
	if (a->unit_len == b->unit_len && (a->unit_len == 0 || memcmp(a->unit, b->unit, a->unit_len) == 0))
		return true;
	return fp_charge(ev, ((size_t) a->unit_len + b->unit_len) * UNIT_CHARGE);
}

bool
fp_quantity_convert(const FpQuantity *a, const FpQuantity *b, bool loose, Decimal *a_value, Decimal *b_value)
{
	const char *unit_a = a->unit_len == 0 ? "1" : a->unit;
	const char *unit_b = b->unit_len == 0 ? "1" : b->unit;
	size_t		len_a = a->unit_len == 0 ? 1 : a->unit_len;
	size_t		len_b = b->unit_len == 0 ? 1 : b->unit_len;
	UcumUnit	parsed_a,
				parsed_b;
	FpQuantity	other;

	*a_value = a->value;
	*b_value = b->value;
	if (a->calendar != CALENDAR_NONE && b->calendar != CALENDAR_NONE)
		return convert_calendar(a, b, a_value, b_value);
	if (a->calendar != CALENDAR_NONE && b->both)
	{
		other = as_calendar(b);
		return convert_calendar(a, &other, a_value, b_value);
	}
	if (b->calendar != CALENDAR_NONE && a->both)
	{
		other = as_calendar(a);
		return convert_calendar(&other, b, a_value, b_value);
	}
	if (a->calendar != CALENDAR_NONE)
	{
		unit_a = fp_calendar_ucum((CalendarUnit) a->calendar, loose);
		len_a = unit_a == NULL ? 0 : strlen(unit_a);
	}
	if (b->calendar != CALENDAR_NONE)
	{
		unit_b = fp_calendar_ucum((CalendarUnit) b->calendar, loose);
		len_b = unit_b == NULL ? 0 : strlen(unit_b);
	}
	if (unit_a == NULL || unit_b == NULL)
		return false;
	if (!loose && a->calendar != b->calendar && !is_definite(unit_a, len_a, unit_b, len_b))
		return false;
	if (len_a == len_b && memcmp(unit_a, unit_b, len_a) == 0)
		return true;
	if (ucum_parse(unit_a, len_a, &parsed_a, NULL) != CORE_OK || ucum_parse(unit_b, len_b, &parsed_b, NULL) != CORE_OK ||
		!ucum_commensurable(&parsed_a, &parsed_b))
		return false;
	/* in the more granular unit of both */
	if (ucum_compare_size(&parsed_a, &parsed_b) <= 0)
		return ucum_convert(&b->value, &parsed_b, &parsed_a, b_value, NULL) == CORE_OK;
	return ucum_convert(&a->value, &parsed_a, &parsed_b, a_value, NULL) == CORE_OK;
}
