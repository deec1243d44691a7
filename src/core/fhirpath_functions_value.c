/*
 * fhirpath_functions_value.c
 *		Conversions, mathematics, dates and times (N1, clauses 5.5, 5.7, 5.9 and the STU functions of both).
 */
#include "fhirpath_eval.h"

#include <stdio.h>

/* The one value of the input: 1, 0 for {} or no value, FP_FAILED */
static int
input_value(FhirPathEval *ev, const FpExec *x, FpValue *value)
{
	FpItem		item;
	int			n = fp_single_input(ev, x, &item);

	if (n <= 0)
		return n;
	fp_value(&item, value);
	return value->kind == FP_V_NONE ? 0 : 1;
}

static int
argument_value(FhirPathEval *ev, const FpExec *x, int argument, FpValue *value)
{
	FpItem		item;
	int			n = fp_single(ev, x->args[argument], &item, x->function->name);

	if (n <= 0)
		return n;
	fp_value(&item, value);
	return value->kind == FP_V_NONE ? 0 : 1;
}

static int
wrong_type(FhirPathEval *ev, const FpExec *x, const char *takes)
{
	char		text[120];

	snprintf(text, sizeof(text), "%s takes %s", x->function->name, takes);
	(void) fp_fail(ev, FHIRPATH_TYPE, text);
	return FP_FAILED;
}

/* -- conversions ------------------------------------------------------------ */

static bool
is_word(const FpValue *v, const char *word)
{
	if (v->len != strlen(word))
		return false;
	for (uint32_t i = 0; i < v->len; i++)
	{
		char		c = v->u.text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c + 'a' - 'A');
		if (c != word[i])
			return false;
	}
	return true;
}

static bool
to_boolean(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	static const char *const yes[] = {"true", "t", "yes", "y", "1", "1.0"};
	static const char *const no[] = {"false", "f", "no", "n", "0", "0.0"};
	Decimal		d,
				one = decimal_from_int64(1);

	r->kind = FP_BOOLEAN;
	if (v->kind == FP_BOOLEAN)
	{
		r->u.boolean = v->u.boolean;
		return true;
	}
	if (v->kind == FP_STRING)
	{
		for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		{
			r->u.boolean = is_word(v, yes[i]);
			if (r->u.boolean || is_word(v, no[i]))
				return true;
		}
		return false;
	}
	if (!fp_number_of(v, &d))
		return false;
	r->u.boolean = decimal_compare(&d, &one) == 0;
	return r->u.boolean || decimal_sign(&d) == 0;
}

/* [+-]digits: no point, no exponent */
static bool
whole_number(const FpValue *v, int64_t *number)
{
	Decimal		d;
	uint32_t	digits = v->len > 0 && (v->u.text[0] == '+' || v->u.text[0] == '-') ? 1 : 0;

	if (v->len == digits)
		return false;
	for (uint32_t i = digits; i < v->len; i++)
	{
		if (v->u.text[i] < '0' || v->u.text[i] > '9')
			return false;
	}
	return decimal_parse(v->u.text, v->len, &d) == CORE_OK && decimal_to_int64(&d, number) == CORE_OK;
}

static bool
to_long(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	r->kind = FP_LONG;
	if (v->kind == FP_BOOLEAN)
		r->u.number = v->u.boolean;
	else if (v->kind == FP_INTEGER || v->kind == FP_LONG)
		r->u.number = v->u.number;
	else if (v->kind != FP_STRING || !whole_number(v, &r->u.number))
		return false;
	return true;
}

static bool
to_integer(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	if (!to_long(ev, v, r) || r->u.number < INT32_MIN || r->u.number > INT32_MAX)
		return false;
	r->kind = FP_INTEGER;
	return true;
}

static bool
to_decimal(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	Decimal		d;

	r->kind = FP_DECIMAL;
	if (v->kind == FP_BOOLEAN)
	{
		r->u.decimal = decimal_from_int64(v->u.boolean);
		return true;
	}
	if (v->kind == FP_STRING)
	{
		uint32_t	i = v->len > 0 && (v->u.text[0] == '+' || v->u.text[0] == '-') ? 1 : 0;

		for (; i < v->len; i++)
		{
			if ((v->u.text[i] < '0' || v->u.text[i] > '9') && v->u.text[i] != '.')
				return false;
		}
		return decimal_parse(v->u.text, v->len, &r->u.decimal) == CORE_OK;
	}
	if (!fp_number_of(v, &d))
		return false;
	r->u.decimal = d;
	return true;
}

static bool
to_string(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	const char *text;

	if (!fp_value_print(ev, v, &text, &r->len))
		return false;
	r->kind = FP_STRING;
	r->u.text = text;
	return true;
}

static bool
to_time_kind(const FpValue *v, FpValue *r, FhirPathKind kind)
{
	Temporal	t;

	r->kind = (int8_t) kind;
	if (v->kind == FP_STRING)
	{
		if (kind == FP_TIME)
			return temporal_parse(TEMPORAL_TIME, v->u.text, v->len, &r->u.temporal) == CORE_OK;
		/* either text will do for either type */
		if (temporal_parse(TEMPORAL_DATETIME, v->u.text, v->len, &t) != CORE_OK)
			return false;
	}
	else if (v->kind == FP_DATE || v->kind == FP_DATETIME || v->kind == FP_TIME)
		t = v->u.temporal;
	else
		return false;
	if (kind == FP_TIME)
	{
		r->u.temporal = t;
		return t.kind == TEMPORAL_TIME;
	}
	return kind == FP_DATE ? temporal_to_date(&t, &r->u.temporal) : temporal_to_datetime(&t, &r->u.temporal);
}

static bool
to_date(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	return to_time_kind(v, r, FP_DATE);
}

static bool
to_date_time(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	return to_time_kind(v, r, FP_DATETIME);
}

static bool
to_time(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	return to_time_kind(v, r, FP_TIME);
}

static bool
to_quantity(FhirPathEval *ev, const FpValue *v, FpValue *r)
{
	r->kind = FP_QUANTITY;
	if (v->kind == FP_STRING)
		return fp_quantity_parse(v->u.text, v->len, &r->u.quantity);
	if (v->kind == FP_BOOLEAN)
	{
		memset(&r->u.quantity, 0, sizeof(FpQuantity));
		r->u.quantity.value = decimal_from_int64(v->u.boolean);
		r->u.quantity.unit = "1";
		r->u.quantity.unit_len = 1;
		return true;
	}
	return fp_quantity_of(v, &r->u.quantity);
}

typedef struct Conversion
{
	const char *type;
	bool		(*convert) (FhirPathEval *ev, const FpValue *v, FpValue *r);
} Conversion;

static const Conversion conversions[] = {
	{"Boolean", to_boolean}, {"Integer", to_integer}, {"Long", to_long}, {"Decimal", to_decimal}, {"String", to_string},
	{"Date", to_date}, {"DateTime", to_date_time}, {"Time", to_time}, {"Quantity", to_quantity}
};

/* The conversion that a function toX or convertsToX is named after */
static const Conversion *
conversion_of(const FpExec *x)
{
	const char *type = x->text + (x->text[0] == 't' ? 2 : 10);

	for (size_t i = 0; i < sizeof(conversions) / sizeof(conversions[0]); i++)
	{
		if (strlen(conversions[i].type) == x->len - (size_t) (type - x->text) &&
			memcmp(conversions[i].type, type, strlen(conversions[i].type)) == 0)
			return &conversions[i];
	}
	return NULL;
}

/* The unit that a quantity is converted to, as an argument: a calendar word or a UCUM unit */
static int
target_unit(FhirPathEval *ev, const FpExec *x, FpQuantity *unit)
{
	FpValue		value;
	int			n = argument_value(ev, x, 0, &value);

	if (n <= 0)
		return n;
	if (value.kind != FP_STRING)
		return wrong_type(ev, x, "a unit, which is a string");
	memset(unit, 0, sizeof(*unit));
	(void) fp_unit_set(unit, value.u.text, value.len);
	unit->calendar = (uint8_t) calendar_unit_parse(value.u.text, value.len);
	unit->value = decimal_from_int64(1);
	return 1;
}

/* q in another unit; false: they do not compare */
static bool
in_unit(const FpQuantity *q, const FpQuantity *unit, Decimal *result)
{
	UcumUnit	from,
				to;
	const char *own = q->unit_len == 0 ? "1" : q->unit;
	size_t		own_len = q->unit_len == 0 ? 1 : q->unit_len;
	const char *other = unit->unit;
	size_t		other_len = unit->unit_len;

	if (q->calendar != CALENDAR_NONE || unit->calendar != CALENDAR_NONE)
	{
		Decimal		m,
					n;

		/* both in the finer unit: one of the target is n */
		return fp_quantity_convert(q, unit, false, &m, &n) && decimal_div(&m, &n, result) == CORE_OK;
	}
	if (own_len == other_len && memcmp(own, other, own_len) == 0)
	{
		*result = q->value;
		return true;
	}
	return ucum_parse(own, own_len, &from, NULL) == CORE_OK && ucum_parse(other, other_len, &to, NULL) == CORE_OK &&
		ucum_convert(&q->value, &from, &to, result, NULL) == CORE_OK;
}

/* 1 converted, 0 not, FP_FAILED */
static int
convert_input(FhirPathEval *ev, const FpExec *x, FpValue *result, bool *empty)
{
	const Conversion *conversion = conversion_of(x);
	FpValue		value;
	FpQuantity	unit;
	Decimal		converted;
	int			n = input_value(ev, x, &value);

	*empty = n == 0;
	if (n <= 0)
		return n;
	result->len = 0;
	if (conversion == NULL || !conversion->convert(ev, &value, result))
		return ev->status == CORE_OK ? 0 : FP_FAILED;
	if (x->count == 0)
		return 1;
	n = target_unit(ev, x, &unit);
	if (n <= 0)
	{
		*empty = true;
		return n;
	}
	if (!fp_charge_units(ev, &result->u.quantity, &unit))
		return FP_FAILED;
	if (!in_unit(&result->u.quantity, &unit, &converted))
		return 0;
	unit.value = converted;
	result->u.quantity = unit;
	return 1;
}

static bool
run_convert(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpValue		result;
	bool		empty;
	int			n = convert_input(ev, x, &result, &empty);

	return n <= 0 ? n == 0 : fp_push_value(ev, &result, sink);
}

static int
truth_converts(FhirPathEval *ev, const FpExec *x)
{
	FpValue		result;
	bool		empty;
	int			n = convert_input(ev, x, &result, &empty);

	return n == 0 && empty ? FP_UNKNOWN : n;
}

const FpFunction fp_convert_functions[] = {
	{"toBoolean", 0, 0, 0, 0, run_convert, NULL},
	{"toInteger", 0, 0, 0, 0, run_convert, NULL},
	{"toLong", 0, 0, 0, 0, run_convert, NULL},
	{"toDecimal", 0, 0, 0, 0, run_convert, NULL},
	{"toString", 0, 0, 0, 0, run_convert, NULL},
	{"toDate", 0, 0, 0, 0, run_convert, NULL},
	{"toDateTime", 0, 0, 0, 0, run_convert, NULL},
	{"toTime", 0, 0, 0, 0, run_convert, NULL},
	{"toQuantity", 0, 1, 0, 0, run_convert, NULL},
	{"convertsToBoolean", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToInteger", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToLong", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToDecimal", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToString", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToDate", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToDateTime", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToTime", 0, 0, 0, 0, NULL, truth_converts},
	{"convertsToQuantity", 0, 1, 0, 0, NULL, truth_converts},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};

/* -- mathematics ------------------------------------------------------------ */

static bool
is_name(const FpExec *x, const char *name)
{
	return x->len == strlen(name) && memcmp(x->text, name, x->len) == 0;
}

/* abs, ceiling, floor, truncate, round: of numbers and of a quantity's number */
static bool
run_round(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpValue		value,
				argument;
	Decimal		d,
				r;
	int64_t		digits = 0;
	int			n = input_value(ev, x, &value);
	int			m = n != FP_FAILED && x->count > 0 ? argument_value(ev, x, 0, &argument) : 0;

	if (n <= 0 || m == FP_FAILED)
		return n == 0 && m != FP_FAILED;
	if (m == 1 && argument.kind != FP_INTEGER && argument.kind != FP_LONG)
		return wrong_type(ev, x, "an integer") > 0;
	if (m == 1)
		digits = argument.u.number;
	if (digits < 0)
		return fp_fail(ev, FHIRPATH_VALUE, "a precision is not negative");
	if (value.kind == FP_QUANTITY)
		d = value.u.quantity.value;
	else if (!fp_number_of(&value, &d))
		return wrong_type(ev, x, "numbers and quantities") > 0;
	if (value.kind == FP_INTEGER || value.kind == FP_LONG)
	{
		if (x->text[0] == 'a' && value.u.number < 0)
		{
			if (value.u.number == INT64_MIN || (value.kind == FP_INTEGER && value.u.number == INT32_MIN))
				return true;
			value.u.number = -value.u.number;
		}
		return fp_push_value(ev, &value, sink);
	}
	switch (x->text[0])
	{
		case 'a':
			r = decimal_abs(&d);
			break;
		case 'c':
			r = decimal_ceiling(&d);
			break;
		case 'f':
			r = decimal_floor(&d);
			break;
		case 't':
			r = decimal_truncate(&d);
			break;
		default:
			if (decimal_round(&d, digits > DECIMAL_DIGITS ? DECIMAL_DIGITS : (int) digits, &r) != CORE_OK)
				return true;
	}
	if (value.kind == FP_QUANTITY)
		value.u.quantity.value = r;
	else if (x->text[0] != 'a' && x->text[0] != 'r')
	{
		/* whole numbers are Integers */
		value.kind = FP_INTEGER;
		if (decimal_to_int64(&r, &value.u.number) != CORE_OK)
			return true;
		if (value.u.number < INT32_MIN || value.u.number > INT32_MAX)
			value.kind = FP_LONG;
	}
	else
		value.u.decimal = r;
	return fp_push_value(ev, &value, sink);
}

/* A series of 38 digits counts as so much text. */
#define SERIES_WORK	6400

/* exp, ln, sqrt, log(base), power(exponent): {} outside of their domain */
static bool
run_transcendental(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpValue		value,
				argument;
	Decimal		d,
				e,
				r;
	CoreStatus	status;
	int			n = input_value(ev, x, &value);
	int			m = n != FP_FAILED && x->count > 0 ? argument_value(ev, x, 0, &argument) : n;

	if (n == FP_FAILED || m == FP_FAILED)
		return false;
	if (n == 0 || m == 0)
		return true;
	if (!fp_number_of(&value, &d) || (x->count > 0 && !fp_number_of(&argument, &e)))
		return wrong_type(ev, x, "numbers") > 0;
	if (!fp_charge(ev, SERIES_WORK))
		return false;
	if (is_name(x, "exp"))
		status = decimal_exp(&d, &r);
	else if (is_name(x, "ln"))
		status = decimal_ln(&d, &r);
	else if (is_name(x, "sqrt"))
		status = decimal_sqrt(&d, &r);
	else if (is_name(x, "log"))
		status = decimal_log(&d, &e, &r);
	else
		status = decimal_power(&d, &e, &r);
	if (status != CORE_OK)
		return true;
	/* whole to the power of whole stays whole */
	if (is_name(x, "power") && value.kind != FP_DECIMAL && argument.kind != FP_DECIMAL && decimal_is_whole(&r) &&
		decimal_to_int64(&r, &value.u.number) == CORE_OK)
	{
		if (value.u.number < INT32_MIN || value.u.number > INT32_MAX)
			value.kind = FP_LONG;
		return fp_push_value(ev, &value, sink);
	}
	return fp_push_decimal(ev, &r, sink);
}

/* lowBoundary, highBoundary (STU): the argument is the precision of the result */
static bool
run_boundary(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	bool		low = x->text[0] == 'l';
	FpValue		value,
				argument;
	Decimal		d;
	CoreStatus	status;
	int			n = input_value(ev, x, &value);
	int			m = n != FP_FAILED && x->count > 0 ? argument_value(ev, x, 0, &argument) : 0;
	int			precision = -1;

	if (n <= 0 || m == FP_FAILED)
		return n == 0 && m != FP_FAILED;
	if (m == 1)
	{
		if (argument.kind != FP_INTEGER)
			return wrong_type(ev, x, "an integer") > 0;
		if (argument.u.number < 0 || argument.u.number > 100)
			return true;
		precision = (int) argument.u.number;
	}
	if (value.kind == FP_DATE || value.kind == FP_DATETIME || value.kind == FP_TIME)
	{
		Temporal	t = value.u.temporal;

		if (precision == 0)
			return true;
		status = (low ? temporal_low_boundary : temporal_high_boundary) (&t, precision < 0 ? 0 : precision, &value.u.temporal);
		return status != CORE_OK || fp_push_value(ev, &value, sink);
	}
	if (value.kind == FP_QUANTITY)
		d = value.u.quantity.value;
	else if (!fp_number_of(&value, &d))
		return wrong_type(ev, x, "numbers, quantities, dates and times") > 0;
	status = (low ? decimal_low_boundary : decimal_high_boundary) (&d, precision < 0 ? DECIMAL_BOUNDARY : precision, &d);
	if (status != CORE_OK)
		return true;
	if (value.kind == FP_QUANTITY)
		value.u.quantity.value = d;
	else
	{
		value.kind = FP_DECIMAL;
		value.u.decimal = d;
	}
	return fp_push_value(ev, &value, sink);
}

static bool
run_precision(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpValue		value;
	Decimal		d;
	int			n = input_value(ev, x, &value);

	if (n <= 0)
		return n == 0;
	if (value.kind == FP_DATE || value.kind == FP_DATETIME || value.kind == FP_TIME)
		return fp_push_integer(ev, temporal_precision(&value.u.temporal), sink);
	if (!fp_number_of(&value, &d))
		return wrong_type(ev, x, "numbers, dates and times") > 0;
	return fp_push_integer(ev, decimal_precision(&d), sink);
}

static int
truth_comparable(FhirPathEval *ev, const FpExec *x)
{
	FpValue		a,
				b;
	FpQuantity	p,
				q;
	Decimal		m,
				n;
	int			i = input_value(ev, x, &a);
	int			j = i == FP_FAILED ? i : argument_value(ev, x, 0, &b);

	if (i == FP_FAILED || j == FP_FAILED)
		return FP_FAILED;
	if (i == 0 || j == 0)
		return FP_UNKNOWN;
	if (!fp_quantity_of(&a, &p) || !fp_quantity_of(&b, &q))
		return wrong_type(ev, x, "quantities");
	return fp_charge_units(ev, &p, &q) ? fp_quantity_convert(&p, &q, false, &m, &n) : FP_FAILED;
}

const FpFunction fp_math_functions[] = {
	{"abs", 0, 0, 0, 0, run_round, NULL},
	{"ceiling", 0, 0, 0, 0, run_round, NULL},
	{"floor", 0, 0, 0, 0, run_round, NULL},
	{"truncate", 0, 0, 0, 0, run_round, NULL},
	{"round", 0, 1, 0, 0, run_round, NULL},
	{"exp", 0, 0, 0, 0, run_transcendental, NULL},
	{"ln", 0, 0, 0, 0, run_transcendental, NULL},
	{"sqrt", 0, 0, 0, 0, run_transcendental, NULL},
	{"log", 1, 1, 0, 0, run_transcendental, NULL},
	{"power", 1, 1, 0, 0, run_transcendental, NULL},
	{"lowBoundary", 0, 1, 0, 0, run_boundary, NULL},
	{"highBoundary", 0, 1, 0, 0, run_boundary, NULL},
	{"precision", 0, 0, 0, 0, run_precision, NULL},
	{"comparable", 1, 1, 0, 0, NULL, truth_comparable},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};

/* -- dates and times -------------------------------------------------------- */

/* now(), today(), timeOfDay(): the caller's clock, the same through one evaluation */
static bool
run_clock(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpValue		now,
				result;

	now.kind = FP_DATETIME;
	if (temporal_from_unix_ms(ev->input->now / 1000, ev->input->zone, &now.u.temporal) != CORE_OK)
		return true;
	now.len = result.len = 0;
	if (x->text[0] == 'n')
		return fp_push_value(ev, &now, sink);
	result.kind = x->text[1] == 'o' ? FP_DATE : FP_TIME;
	if (!(result.kind == FP_DATE ? temporal_to_date(&now.u.temporal, &result.u.temporal) :
		  temporal_to_time(&now.u.temporal, &result.u.temporal)))
		return true;
	return fp_push_value(ev, &result, sink);
}

/* A date or time, also as the text of one: 1, 0 for anything else, FP_FAILED */
static int
input_temporal(FhirPathEval *ev, const FpExec *x, Temporal *t)
{
	FpValue		value,
				read;
	int			n = input_value(ev, x, &value);

	if (n <= 0)
		return n;
	if (value.kind == FP_DATE || value.kind == FP_DATETIME || value.kind == FP_TIME)
		*t = value.u.temporal;
	else if (value.kind == FP_STRING && to_time_kind(&value, &read, FP_DATETIME))
		*t = read.u.temporal;
	else
		return 0;
	return 1;
}

static bool
run_component(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	static const char *const names[] = {"year", "month", "day", "hour", "minute", "second", "millisecond"};
	Temporal	t;
	int			number;
	int			n = input_temporal(ev, x, &t);

	if (n <= 0)
		return n == 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (x->len == strlen(names[i]) + 2 && memcmp(x->text, names[i], x->len - 2) == 0)
			return !temporal_component(&t, (TemporalPrecision) (TEMPORAL_YEAR + i), &number) ||
				fp_push_integer(ev, number, sink);
	}
	return true;
}

static bool
run_zone(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Temporal	t;
	Decimal		hours;
	int			n = input_temporal(ev, x, &t);

	if (n <= 0)
		return n == 0;
	return !temporal_zone_hours(&t, &hours) || fp_push_decimal(ev, &hours, sink);
}

static bool
run_part(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Temporal	t;
	FpValue		result;
	bool		date = x->text[0] == 'd';
	int			n = input_temporal(ev, x, &t);

	if (n <= 0 || t.kind == TEMPORAL_TIME)
		return n != FP_FAILED;
	result.kind = date ? FP_DATE : FP_TIME;
	result.len = 0;
	if (!(date ? temporal_to_date(&t, &result.u.temporal) : temporal_to_time(&t, &result.u.temporal)))
		return true;
	return fp_push_value(ev, &result, sink);
}

/* duration(other, unit), difference(other, unit) (STU) */
static bool
run_duration(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Temporal	a;
	FpValue		b,
				unit;
	int64_t		number;
	CoreStatus	status;
	CalendarUnit calendar;
	int			n = input_temporal(ev, x, &a);
	int			m = n == FP_FAILED ? n : argument_value(ev, x, 0, &b);
	int			l = m == FP_FAILED ? m : argument_value(ev, x, 1, &unit);

	if (n == FP_FAILED || m == FP_FAILED || l == FP_FAILED)
		return false;
	if (n == 0 || m == 0 || l == 0)
		return true;
	if (b.kind != FP_DATE && b.kind != FP_DATETIME && b.kind != FP_TIME)
		return wrong_type(ev, x, "dates and times") > 0;
	calendar = unit.kind == FP_STRING ? calendar_unit_parse(unit.u.text, unit.len) : CALENDAR_NONE;
	if (calendar == CALENDAR_NONE)
		return fp_fail(ev, FHIRPATH_VALUE, "a precision is a calendar unit such as 'day'");
	status = (x->text[1] == 'u' ? temporal_duration : temporal_difference) (&a, &b.u.temporal, calendar, &number);
	return status != CORE_OK || fp_push_integer(ev, number, sink);
}

const FpFunction fp_time_functions[] = {
	{"now", 0, 0, 0, FHIRPATH_NEEDS_CLOCK, run_clock, NULL},
	{"today", 0, 0, 0, FHIRPATH_NEEDS_CLOCK, run_clock, NULL},
	{"timeOfDay", 0, 0, 0, FHIRPATH_NEEDS_CLOCK, run_clock, NULL},
	{"yearOf", 0, 0, 0, 0, run_component, NULL},
	{"monthOf", 0, 0, 0, 0, run_component, NULL},
	{"dayOf", 0, 0, 0, 0, run_component, NULL},
	{"hourOf", 0, 0, 0, 0, run_component, NULL},
	{"minuteOf", 0, 0, 0, 0, run_component, NULL},
	{"secondOf", 0, 0, 0, 0, run_component, NULL},
	{"millisecondOf", 0, 0, 0, 0, run_component, NULL},
	{"timezoneOffsetOf", 0, 0, 0, 0, run_zone, NULL},
	{"dateOf", 0, 0, 0, 0, run_part, NULL},
	{"timeOf", 0, 0, 0, 0, run_part, NULL},
	{"duration", 2, 2, 0, 0, run_duration, NULL},
	{"difference", 2, 2, 0, 0, run_duration, NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};
