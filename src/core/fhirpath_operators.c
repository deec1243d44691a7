/*
 * fhirpath_operators.c
 *		Operators, variables, indexers (N1, clauses 3 and 6).
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#include "fhir_primitive.h"

/* -- focus and variables ---------------------------------------------------- */

static bool
run_this(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return ev->focus.item == NULL || sink->push(ev, sink, ev->focus.item);
}

static bool
run_index(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return fp_push_integer(ev, ev->focus.index, sink);
}

static bool
run_total(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return ev->focus.total == NULL || fp_push_list(ev, ev->focus.total, sink);
}

static bool
is_name(const FpExec *x, const char *name)
{
	return x->len == strlen(name) && memcmp(x->text, name, x->len) == 0;
}

static bool
run_slot(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return fp_push_list(ev, &ev->slots[x->slot - 1], sink);
}

/* R4: the resource that contains the focus; of a document that is the document, of a contained one its container. */
static bool
run_document(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return !fp_has_document(ev) || sink->push(ev, sink, &ev->document);
}

static bool
run_context(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return ev->context.json == JB_T_NULL || sink->push(ev, sink, &ev->context);
}

static const struct
{
	const char *name;
	const char *url;
}			urls[] = {
	{"ucum", "http://unitsofmeasure.org"},
	{"sct", "http://snomed.info/sct"},
	{"loinc", "http://loinc.org"}
};

static bool
run_variable(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	static const char value_set[] = "http://hl7.org/fhir/ValueSet/";
	static const char extension[] = "http://hl7.org/fhir/StructureDefinition/";
	char		text[120];

	for (size_t i = 0; i < ev->input->variable_count; i++)
	{
		const FhirPathVariable *v = &ev->input->variables[i];

		if (v->len == x->len && memcmp(v->name, x->text, x->len) == 0)
		{
			FpList		list = {(FpItem *) v->items, v->count, v->count};

			return fp_push_list(ev, &list, sink);
		}
	}
	if (is_name(x, "resource") || is_name(x, "rootResource"))
		return run_document(ev, x, sink);
	if (is_name(x, "context"))
		return run_context(ev, x, sink);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		if (is_name(x, urls[i].name))
			return fp_push_string(ev, urls[i].url, strlen(urls[i].url), sink);
	}
	if ((x->len > 3 && memcmp(x->text, "vs-", 3) == 0) || (x->len > 4 && memcmp(x->text, "ext-", 4) == 0))
	{
		const char *base = x->text[0] == 'v' ? value_set : extension;
		size_t		skip = x->text[0] == 'v' ? 3 : 4;
		size_t		len = strlen(base) + x->len - skip;
		char	   *url = fp_alloc(ev, len + 1);

		if (url == NULL)
			return false;
		memcpy(url, base, strlen(base));
		memcpy(url + strlen(base), x->text + skip, x->len - skip);
		return fp_push_string(ev, url, len, sink);
	}
	snprintf(text, sizeof(text), "variable %%%.*s is not defined", x->len > 64 ? 64 : (int) x->len, x->text);
	return fp_fail(ev, FHIRPATH_UNKNOWN, text);
}

/* -- indexer ---------------------------------------------------------------- */

typedef struct NthSink
{
	FpSink		sink;
	FpSink	   *outer;
	int64_t		left;			/* items to pass over */
	bool		more;			/* what the outer sink answered */
} NthSink;

static bool
nth_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	NthSink    *s = (NthSink *) sink;

	if (s->left-- > 0)
		return true;
	s->more = s->outer->push(ev, s->outer, item);
	return false;
}

static bool
run_indexer(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	NthSink		s = {{nth_push}, sink, 0, true};
	FpItem		index;
	FpValue		value;
	int			n = fp_single(ev, x->args[1], &index, "an index");

	if (n <= 0)
		return n == 0;
	fp_value(&index, &value);
	if (value.kind != FP_INTEGER && value.kind != FP_LONG)
		return fp_fail(ev, FHIRPATH_TYPE, "an index is an integer");
	if (value.u.number < 0)
		return true;
	s.left = value.u.number;
	if (!fp_run(ev, x->args[0], &s.sink) && ev->status != CORE_OK)
		return false;
	return s.more;
}

/* -- logic ------------------------------------------------------------------ */

static int
truth_and(FhirPathEval *ev, const FpExec *x)
{
	int			a = fp_truth(ev, x->args[0]);
	int			b;

	if (a == 0 || a == FP_FAILED)
		return a;
	b = fp_truth(ev, x->args[1]);
	if (b == 0 || b == FP_FAILED)
		return b;
	return a == 1 && b == 1 ? 1 : FP_UNKNOWN;
}

static int
truth_or(FhirPathEval *ev, const FpExec *x)
{
	int			a = fp_truth(ev, x->args[0]);
	int			b;

	if (a == 1 || a == FP_FAILED)
		return a;
	b = fp_truth(ev, x->args[1]);
	if (b == 1 || b == FP_FAILED)
		return b;
	return a == 0 && b == 0 ? 0 : FP_UNKNOWN;
}

static int
truth_xor(FhirPathEval *ev, const FpExec *x)
{
	int			a = fp_truth(ev, x->args[0]);
	int			b = a == FP_FAILED ? FP_FAILED : fp_truth(ev, x->args[1]);

	if (a == FP_FAILED || b == FP_FAILED)
		return FP_FAILED;
	return a == FP_UNKNOWN || b == FP_UNKNOWN ? FP_UNKNOWN : a != b;
}

static int
truth_implies(FhirPathEval *ev, const FpExec *x)
{
	int			a = fp_truth(ev, x->args[0]);
	int			b;

	if (a == FP_FAILED)
		return a;
	if (a == 0)
		return 1;
	b = fp_truth(ev, x->args[1]);
	if (a == 1 || b == FP_FAILED || b == 1)
		return b;
	return FP_UNKNOWN;
}

/* -- equality --------------------------------------------------------------- */

/* Compares as many items as come with one literal: several are not equal to it. */
typedef struct EqualSink
{
	FpSink		sink;
	const FpItem *literal;
	int			count;
	int			same;
} EqualSink;

static bool
equal_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	EqualSink  *s = (EqualSink *) sink;

	if (s->count++ > 0)
		return false;
	s->same = fp_equal(ev, item, s->literal);
	return s->same != FP_FAILED;
}

static bool
is_literal(const FpExec *x)
{
	return x->op >= FP_OP_BOOLEAN && x->op <= FP_OP_QUANTITY;
}

static int
truth_equal_literal(FhirPathEval *ev, const FpExec *x)
{
	EqualSink	s = {{equal_push}, &x->args[1]->literal, 0, FP_UNKNOWN};

	(void) fp_run(ev, x->args[0], &s.sink);
	if (ev->status != CORE_OK)
		return FP_FAILED;
	return s.count > 1 ? 0 : s.same;
}

static bool
both_sides(FhirPathEval *ev, const FpExec *x, FpList *a, FpList *b)
{
	return fp_collect(ev, x->args[0], a) && fp_collect(ev, x->args[1], b);
}

static int
truth_equal(FhirPathEval *ev, const FpExec *x)
{
	FpList		a,
				b;

	return both_sides(ev, x, &a, &b) ? fp_equal_lists(ev, &a, &b) : FP_FAILED;
}

static int
truth_not_equal_literal(FhirPathEval *ev, const FpExec *x)
{
	int			same = truth_equal_literal(ev, x);

	return same < 0 ? same : !same;
}

static int
truth_not_equal(FhirPathEval *ev, const FpExec *x)
{
	int			same = truth_equal(ev, x);

	return same < 0 ? same : !same;
}

static int
truth_equivalent(FhirPathEval *ev, const FpExec *x)
{
	FpList		a,
				b;

	return both_sides(ev, x, &a, &b) ? fp_equivalent_lists(ev, &a, &b) : FP_FAILED;
}

static int
truth_not_equivalent(FhirPathEval *ev, const FpExec *x)
{
	int			same = truth_equivalent(ev, x);

	return same < 0 ? same : !same;
}

/* -- order ------------------------------------------------------------------ */

/*
 * A number of a document and an integer, without making a decimal of it; false
 * where it is too large for that.
 */
static bool
order_with_integer(const char *numeric, int64_t integer, CoreOrder *order)
{
	JbNumber	number;
	int64_t		whole = 0;
	bool		fraction = false;

	jb_number(numeric, &number);
	if (number.kind != JB_NUMBER_FINITE || number.weight > 3)
		return false;
	for (int i = 0; i <= number.weight; i++)
		whole = whole * 10000 + jb_number_digit(&number, i);
	for (int i = number.weight < 0 ? 0 : number.weight + 1; i < number.count; i++)
		fraction = fraction || jb_number_digit(&number, i) != 0;
	if (number.negative)
		whole = -whole;
	if (whole != integer)
		*order = whole < integer ? ORDER_LESS : ORDER_GREATER;
	else
		*order = !fraction ? ORDER_EQUAL : number.negative ? ORDER_LESS : ORDER_GREATER;
	return true;
}

static int
truth_order(FhirPathEval *ev, const FpExec *x)
{
	FpItem		a,
				b;
	CoreOrder	order;
	int			n = fp_single(ev, x->args[0], &a, "a comparison");
	int			m = n == FP_FAILED ? n : fp_single(ev, x->args[1], &b, "a comparison");

	if (n == FP_FAILED || m == FP_FAILED)
		return FP_FAILED;
	if (n == 0 || m == 0)
		return FP_UNKNOWN;
	if ((b.kind != FP_INTEGER || a.kind != FP_NODE || a.json != JB_T_NUMBER || !order_with_integer(a.u.text, b.u.number, &order)) &&
		!fp_order(ev, &a, &b, &order))
		return FP_FAILED;
	if (order == ORDER_UNKNOWN)
	{
		ev->incomparable = true;
		return FP_UNKNOWN;
	}
	switch ((FpOp) x->op)
	{
		case FP_OP_LESS:
			return order == ORDER_LESS;
		case FP_OP_LESS_EQUAL:
			return order != ORDER_GREATER;
		case FP_OP_GREATER:
			return order == ORDER_GREATER;
		default:
			return order != ORDER_LESS;
	}
}

/* -- collections ------------------------------------------------------------ */

/* item in collection: {} for no item, false for no collection */
static int
truth_in(FhirPathEval *ev, const FpExec *x)
{
	bool		in = x->op == FP_OP_IN;
	FpItem		item;
	FpList		list;
	int			n = fp_single(ev, x->args[in ? 0 : 1], &item, in ? "the left side of in" : "the right side of contains");

	if (n <= 0)
		return n == 0 ? FP_UNKNOWN : n;
	if (!fp_collect(ev, x->args[in ? 1 : 0], &list))
		return FP_FAILED;
	return fp_list_has(ev, &list, &item);
}

/* Gives out each item that was not there before. */
typedef struct DistinctSink
{
	FpSink		sink;
	FpList	   *seen;
} DistinctSink;

static bool
distinct_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	return fp_list_add_distinct(ev, ((DistinctSink *) sink)->seen, item);
}

static bool
run_union(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		seen = {NULL};
	DistinctSink s = {{distinct_push}, &seen};

	for (int i = 0; i < x->count; i++)
	{
		if (!fp_run(ev, x->args[i], &s.sink) && ev->status != CORE_OK)
			return false;
	}
	return fp_push_list(ev, &seen, sink);
}

/* -- types ------------------------------------------------------------------ */

static int
truth_is(FhirPathEval *ev, const FpExec *x)
{
	FpItem		item;
	int			n = fp_single(ev, x->args[0], &item, "is");

	return n <= 0 ? (n == 0 ? FP_UNKNOWN : n) : fp_item_is(&item, &x->type);
}

static bool
run_as(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item;
	int			n = fp_single(ev, x->args[0], &item, "as");

	if (n <= 0)
		return n == 0;
	return !fp_item_is(&item, &x->type) || sink->push(ev, sink, &item);
}

/* -- arithmetic ------------------------------------------------------------- */

/* Integers outside of their type's range have no value (N1 6.6). */
static int
whole_result(FpValue *result, int kind, int64_t number)
{
	if (kind == FP_INTEGER && (number < INT32_MIN || number > INT32_MAX))
		return 0;
	result->kind = (int8_t) kind;
	result->u.number = number;
	return 1;
}

static int
decimal_result(FpValue *result, CoreStatus status)
{
	result->kind = FP_DECIMAL;
	return status == CORE_OK;
}

static bool
is_whole(const FpValue *v)
{
	return v->kind == FP_INTEGER || v->kind == FP_LONG;
}

static bool
is_number(const FpValue *v)
{
	return is_whole(v) || v->kind == FP_DECIMAL;
}

static bool
is_temporal(const FpValue *v)
{
	return v->kind == FP_DATE || v->kind == FP_DATETIME || v->kind == FP_TIME;
}

static int
bad_operands(FhirPathEval *ev)
{
	(void) fp_fail(ev, FHIRPATH_TYPE, "the operator is not defined for operands of these types");
	return FP_FAILED;
}

/* The calendar unit that an amount of time is added by; CALENDAR_NONE where there is none */
static CalendarUnit
added_unit(const FpQuantity *q)
{
	static const struct
	{
		const char *ucum;
		CalendarUnit unit;
	}			definite[] = {
		{"wk", CALENDAR_WEEK}, {"d", CALENDAR_DAY}, {"h", CALENDAR_HOUR}, {"min", CALENDAR_MINUTE}, {"s", CALENDAR_SECOND},
		{"ms", CALENDAR_MILLISECOND}
	};

	if (q->calendar != CALENDAR_NONE)
		return (CalendarUnit) q->calendar;
	if (q->both)
		return q->unit_len == 1 ? CALENDAR_YEAR : CALENDAR_MONTH;
	for (size_t i = 0; i < sizeof(definite) / sizeof(definite[0]); i++)
	{
		if (strlen(definite[i].ucum) == q->unit_len && memcmp(definite[i].ucum, q->unit, q->unit_len) == 0)
			return definite[i].unit;
	}
	return CALENDAR_NONE;
}

static int
add_time(FhirPathEval *ev, const FpValue *time, const FpQuantity *amount, int sign, FpValue *result)
{
	CalendarUnit unit = added_unit(amount);
	Decimal		value = sign < 0 ? decimal_negate(&amount->value) : amount->value;
	CoreStatus	status;

	if (unit == CALENDAR_NONE)
	{
		(void) fp_fail(ev, FHIRPATH_TYPE, "only a calendar duration can be added to a date or time");
		return FP_FAILED;
	}
	status = temporal_add(&time->u.temporal, &value, unit, &result->u.temporal);
	result->kind = time->kind;
	if (status == CORE_INVALID)
	{
		(void) fp_fail(ev, FHIRPATH_TYPE, "a time of day has no units above hours");
		return FP_FAILED;
	}
	return status == CORE_OK;
}

/* In the more granular of both units, which the result has; 0: they do not go together */
static int
add_quantities(const FpQuantity *a, const FpQuantity *b, int sign, FpValue *result)
{
	FpQuantity	left = *a,
				right = *b;
	Decimal		m,
				n,
				same;
	const FpQuantity *unit = a;

	if (a->calendar != CALENDAR_NONE && b->calendar != CALENDAR_NONE)
	{
		/* the finer word: conversion gives months or milliseconds, so the sum is brought back to it */
		Decimal		size,
					none;
		FpQuantity	one;

		unit = a->calendar >= b->calendar ? a : b;
		one = *unit;
		one.value = decimal_from_int64(1);
		if (!fp_quantity_convert(&left, &right, false, &m, &n))
			return 0;
		if (a->calendar != b->calendar)
		{
			const FpQuantity *other = unit == a ? b : a;

			if (!fp_quantity_convert(&one, other, false, &size, &none) || decimal_div(&m, &size, &m) != CORE_OK ||
				decimal_div(&n, &size, &n) != CORE_OK)
				return 0;
		}
	}
	else if ((a->calendar != CALENDAR_NONE && b->both) || (b->calendar != CALENDAR_NONE && a->both))
	{
		FpQuantity	word = a->both ? *a : *b;

		word.calendar = word.unit_len == 1 ? CALENDAR_YEAR : CALENDAR_MONTH;
		word.unit = calendar_unit_name((CalendarUnit) word.calendar, false);
		word.unit_len = (uint32_t) strlen(word.unit);
		word.both = false;
		return a->both ? add_quantities(&word, b, sign, result) : add_quantities(a, &word, sign, result);
	}
	else if (a->calendar != CALENDAR_NONE || b->calendar != CALENDAR_NONE)
	{
		/* definite durations only (N1 2.1.6.1): the result is UCUM's */
		FpQuantity	definite = a->calendar != CALENDAR_NONE ? *a : *b;

		if (!fp_quantity_convert(a, b, false, &m, &n))
			return 0;
		definite.unit = fp_calendar_ucum((CalendarUnit) definite.calendar, false);
		definite.unit_len = (uint32_t) strlen(definite.unit);
		definite.calendar = CALENDAR_NONE;
		return a->calendar != CALENDAR_NONE ? add_quantities(&definite, b, sign, result) : add_quantities(a, &definite, sign, result);
	}
	else
	{
		UcumUnit	p,
					q;

		if (!fp_quantity_convert(a, b, false, &m, &n))
			return 0;
		if ((a->unit_len != b->unit_len || memcmp(a->unit, b->unit, a->unit_len) != 0) &&
			ucum_parse(a->unit_len == 0 ? "1" : a->unit, a->unit_len == 0 ? 1 : a->unit_len, &p, NULL) == CORE_OK &&
			ucum_parse(b->unit_len == 0 ? "1" : b->unit, b->unit_len == 0 ? 1 : b->unit_len, &q, NULL) == CORE_OK)
			unit = ucum_compare_size(&p, &q) <= 0 ? a : b;
		if (ucum_parse(unit->unit_len == 0 ? "1" : unit->unit, unit->unit_len == 0 ? 1 : unit->unit_len, &p, NULL) != CORE_OK ||
			ucum_is_special(&p))
			return 0;
	}
	if ((sign > 0 ? decimal_add(&m, &n, &same) : decimal_sub(&m, &n, &same)) != CORE_OK)
		return 0;
	result->kind = FP_QUANTITY;
	result->u.quantity = *unit;
	result->u.quantity.value = same;
	result->u.quantity.both = false;
	return 1;
}

int
fp_add_values(FhirPathEval *ev, const FpValue *a, const FpValue *b, int sign, FpValue *result)
{
	FpQuantity	p,
				q;

	result->len = 0;
	if (a->kind == FP_V_NONE || b->kind == FP_V_NONE)
		return 0;
	if (is_whole(a) && is_whole(b))
	{
		int			kind = a->kind == FP_LONG || b->kind == FP_LONG ? FP_LONG : FP_INTEGER;
		int64_t		number;

		if (sign > 0 ? __builtin_add_overflow(a->u.number, b->u.number, &number) :
			__builtin_sub_overflow(a->u.number, b->u.number, &number))
			return 0;
		return whole_result(result, kind, number);
	}
	if (is_number(a) && is_number(b))
	{
		Decimal		m,
					n;

		(void) fp_number_of(a, &m);
		(void) fp_number_of(b, &n);
		return decimal_result(result, sign > 0 ? decimal_add(&m, &n, &result->u.decimal) :
							  decimal_sub(&m, &n, &result->u.decimal));
	}
	if (sign > 0 && a->kind == FP_STRING && b->kind == FP_STRING)
	{
		char	   *text;

		if ((uint64_t) a->len + b->len > 0x3FFFFFFF)
		{
			(void) fp_fail(ev, FHIRPATH_VALUE, "a string became too long");
			return FP_FAILED;
		}
		text = fp_alloc(ev, (size_t) a->len + b->len + 1);
		if (text == NULL)
			return FP_FAILED;
		memcpy(text, a->u.text, a->len);
		memcpy(text + a->len, b->u.text, b->len);
		result->kind = FP_STRING;
		result->len = a->len + b->len;
		result->u.text = text;
		return 1;
	}
	if (is_temporal(a) && b->kind == FP_QUANTITY)
		return add_time(ev, a, &b->u.quantity, sign, result);
	if (sign > 0 && is_temporal(b) && a->kind == FP_QUANTITY)
		return add_time(ev, b, &a->u.quantity, sign, result);
	if (is_temporal(a) || is_temporal(b) || !fp_quantity_of(a, &p) || !fp_quantity_of(b, &q))
		return bad_operands(ev);
	return fp_charge_units(ev, &p, &q) ? add_quantities(&p, &q, sign, result) : FP_FAILED;
}

/* Whether a quantity's unit is 1, or of its dimension (kg/kg, %): its value is brought to the unit 1 then. */
static bool
to_one(FpQuantity *q)
{
	UcumUnit	unit,
				one;

	if (q->calendar != CALENDAR_NONE)
		return false;
	if (q->unit_len == 0 || (q->unit_len == 1 && q->unit[0] == '1'))
		return true;
	return ucum_parse("1", 1, &one, NULL) == CORE_OK && ucum_parse(q->unit, q->unit_len, &unit, NULL) == CORE_OK &&
		!ucum_is_special(&unit) && ucum_commensurable(&unit, &one) &&
		ucum_convert(&q->value, &unit, &one, &q->value, NULL) == CORE_OK;
}

/* Products and quotients of units: {} where one is special, or a calendar word */
static int
scale_quantities(FhirPathEval *ev, const FpQuantity *left, const FpQuantity *right, bool divide, FpValue *result)
{
	FpQuantity *r = &result->u.quantity;
	FpQuantity	a = *left,
				b = *right;
	char		unit[UCUM_TERM_MAX + 1];
	char	   *copy;
	size_t		len;
	Decimal		value;
	bool		one_a,
				one_b;
	CoreStatus	status;

	if (!fp_charge_units(ev, left, right))
		return FP_FAILED;
	one_b = to_one(&b);
	one_a = !one_b && to_one(&a);
	status = divide ? decimal_div(&a.value, &b.value, &value) : decimal_mul(&a.value, &b.value, &value);
	result->kind = FP_QUANTITY;
	if (status != CORE_OK)
		return 0;
	/* times or by a number, an amount of time stays one */
	if (one_b || (one_a && !divide))
	{
		UcumUnit	parsed;

		*r = one_b ? a : b;
		r->value = value;
		return r->calendar != CALENDAR_NONE || r->unit_len == 0 || ucum_parse(r->unit, r->unit_len, &parsed, NULL) != CORE_OK ||
			!ucum_is_special(&parsed);
	}
	if (a.calendar != CALENDAR_NONE || b.calendar != CALENDAR_NONE)
		return 0;
	if ((divide ? ucum_divide : ucum_multiply) (one_a ? "1" : a.unit, one_a ? 1 : a.unit_len, b.unit, b.unit_len, unit,
												 &len) != CORE_OK)
		return 0;
	copy = fp_alloc(ev, len + 1);
	if (copy == NULL)
		return FP_FAILED;
	memcpy(copy, unit, len + 1);
	memset(r, 0, sizeof(*r));
	r->value = value;
	return fp_unit_set(r, copy, len);
}

static int
multiply_values(FhirPathEval *ev, const FpValue *a, const FpValue *b, FpValue *result)
{
	FpQuantity	p,
				q;

	if (is_whole(a) && is_whole(b))
	{
		int64_t		number;

		if (__builtin_mul_overflow(a->u.number, b->u.number, &number))
			return 0;
		return whole_result(result, a->kind == FP_LONG || b->kind == FP_LONG ? FP_LONG : FP_INTEGER, number);
	}
	if (is_number(a) && is_number(b))
	{
		Decimal		m,
					n;

		(void) fp_number_of(a, &m);
		(void) fp_number_of(b, &n);
		return decimal_result(result, decimal_mul(&m, &n, &result->u.decimal));
	}
	if (!fp_quantity_of(a, &p) || !fp_quantity_of(b, &q))
		return bad_operands(ev);
	return scale_quantities(ev, &p, &q, false, result);
}

int
fp_divide_values(FhirPathEval *ev, const FpValue *a, const FpValue *b, FpValue *result)
{
	FpQuantity	p,
				q;

	result->len = 0;
	if (is_number(a) && is_number(b))
	{
		Decimal		m,
					n;

		(void) fp_number_of(a, &m);
		(void) fp_number_of(b, &n);
		return decimal_result(result, decimal_div(&m, &n, &result->u.decimal));
	}
	if (!fp_quantity_of(a, &p) || !fp_quantity_of(b, &q))
		return bad_operands(ev);
	return scale_quantities(ev, &p, &q, true, result);
}

/* div and mod; of quantities in one unit too */
static int
whole_division(FhirPathEval *ev, const FpValue *a, const FpValue *b, bool remainder, FpValue *result)
{
	Decimal		m,
				n;

	if (is_whole(a) && is_whole(b))
	{
		if (b->u.number == 0 || (b->u.number == -1 && a->u.number == INT64_MIN))
			return 0;
		return whole_result(result, a->kind == FP_LONG || b->kind == FP_LONG ? FP_LONG : FP_INTEGER,
							remainder ? a->u.number % b->u.number : a->u.number / b->u.number);
	}
	if (is_number(a) && is_number(b))
	{
		(void) fp_number_of(a, &m);
		(void) fp_number_of(b, &n);
	}
	else
	{
		FpQuantity	p,
					q;

		if (!fp_quantity_of(a, &p) || !fp_quantity_of(b, &q))
			return bad_operands(ev);
		if (!fp_charge_units(ev, &p, &q))
			return FP_FAILED;
		if (!fp_quantity_convert(&p, &q, false, &m, &n))
			return 0;
	}
	if (remainder)
		return decimal_result(result, decimal_mod(&m, &n, &result->u.decimal));
	if (decimal_div_whole(&m, &n, &m) != CORE_OK || decimal_to_int64(&m, &result->u.number) != CORE_OK)
		return 0;
	return whole_result(result, result->u.number >= INT32_MIN && result->u.number <= INT32_MAX ? FP_INTEGER : FP_LONG,
						result->u.number);
}

static bool
run_arithmetic(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		a,
				b;
	FpValue		u,
				v,
				result;
	int			n = fp_single(ev, x->args[0], &a, "arithmetic");
	int			m = n == FP_FAILED ? n : fp_single(ev, x->args[1], &b, "arithmetic");

	if (n == FP_FAILED || m == FP_FAILED)
		return false;
	if (n == 0 || m == 0)
		return true;
	fp_value(&a, &u);
	fp_value(&b, &v);
	if (u.kind == FP_V_NONE || v.kind == FP_V_NONE)
		return true;
	result.len = 0;
	switch ((FpOp) x->op)
	{
		case FP_OP_ADD:
			n = fp_add_values(ev, &u, &v, 1, &result);
			break;
		case FP_OP_SUBTRACT:
			n = fp_add_values(ev, &u, &v, -1, &result);
			break;
		case FP_OP_MULTIPLY:
			n = multiply_values(ev, &u, &v, &result);
			break;
		case FP_OP_DIVIDE:
			n = fp_divide_values(ev, &u, &v, &result);
			break;
		default:
			n = whole_division(ev, &u, &v, x->op == FP_OP_MOD, &result);
			break;
	}
	if (n <= 0)
		return n == 0;
	return fp_push_value(ev, &result, sink);
}

static bool
run_sign(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item;
	FpValue		value;
	int			n = fp_single(ev, x->args[0], &item, "a sign");

	if (n <= 0)
		return n == 0;
	fp_value(&item, &value);
	if (value.kind == FP_V_NONE)
		return true;
	if (!is_number(&value) && value.kind != FP_QUANTITY)
		return fp_fail(ev, FHIRPATH_TYPE, "a sign stands before numbers and quantities only");
	if (x->op == FP_OP_POSITIVE)
		return fp_push_value(ev, &value, sink);
	if (value.kind == FP_DECIMAL)
		value.u.decimal = decimal_negate(&value.u.decimal);
	else if (value.kind == FP_QUANTITY)
		value.u.quantity.value = decimal_negate(&value.u.quantity.value);
	else if (value.u.number == INT64_MIN)
		return true;
	else
		value.u.number = -value.u.number;
	return fp_push_value(ev, &value, sink);
}

/* &: {} is the empty string */
static bool
run_join(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpValue		parts[2],
				result;
	FpItem		item;

	for (int i = 0; i < 2; i++)
	{
		int			n = fp_single(ev, x->args[i], &item, "&");

		if (n == FP_FAILED)
			return false;
		parts[i].kind = FP_V_NONE;
		if (n == 1)
			fp_value(&item, &parts[i]);
		if (parts[i].kind == FP_V_NONE)
		{
			parts[i].kind = FP_STRING;
			parts[i].u.text = "";
			parts[i].len = 0;
		}
		if (parts[i].kind != FP_STRING)
			return fp_fail(ev, FHIRPATH_TYPE, "& joins strings only");
	}
	return fp_add_values(ev, &parts[0], &parts[1], 1, &result) == 1 && fp_push_value(ev, &result, sink);
}

/* -- binding ---------------------------------------------------------------- */

void
fp_bind_operator(FpExec *x)
{
	x->run = fp_run_truth;
	switch ((FpOp) x->op)
	{
		case FP_OP_THIS:
			x->run = run_this;
			break;
		case FP_OP_INDEX:
			x->run = run_index;
			break;
		case FP_OP_TOTAL:
			x->run = run_total;
			break;
		case FP_OP_VARIABLE:
			x->run = x->slot > 0 ? run_slot : run_variable;
			break;
		case FP_OP_INDEXER:
			x->run = run_indexer;
			break;
		case FP_OP_NEGATE:
		case FP_OP_POSITIVE:
			x->run = run_sign;
			break;
		case FP_OP_JOIN:
			x->run = run_join;
			break;
		case FP_OP_IS:
			x->truth = truth_is;
			break;
		case FP_OP_AS:
			x->run = run_as;
			break;
		case FP_OP_UNION:
			x->run = run_union;
			break;
		case FP_OP_LESS:
		case FP_OP_LESS_EQUAL:
		case FP_OP_GREATER:
		case FP_OP_GREATER_EQUAL:
			x->truth = truth_order;
			break;
		case FP_OP_EQUAL:
			x->truth = is_literal(x->args[1]) ? truth_equal_literal : truth_equal;
			break;
		case FP_OP_NOT_EQUAL:
			x->truth = is_literal(x->args[1]) ? truth_not_equal_literal : truth_not_equal;
			break;
		case FP_OP_EQUIVALENT:
			x->truth = truth_equivalent;
			break;
		case FP_OP_NOT_EQUIVALENT:
			x->truth = truth_not_equivalent;
			break;
		case FP_OP_IN:
		case FP_OP_CONTAINS:
			x->truth = truth_in;
			break;
		case FP_OP_AND:
			x->truth = truth_and;
			break;
		case FP_OP_OR:
			x->truth = truth_or;
			break;
		case FP_OP_XOR:
			x->truth = truth_xor;
			break;
		case FP_OP_IMPLIES:
			x->truth = truth_implies;
			break;
		default:
			x->run = run_arithmetic;
			x->truth = NULL;
			break;
	}
}
