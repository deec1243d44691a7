/*
 * quantity.c
 *		FHIRPath's Quantity: which units go together, and arithmetic on them.
 */
#include "quantity.h"

#include <string.h>

/* Calendar units: milliseconds, by which they compare (N1 2.1.6.1), and the UCUM unit that is the same */
static const struct
{
	int64_t		milliseconds;
	const char *ucum;
	bool		same;			/* or only equivalent */
}			calendar[] = {
	[CALENDAR_NONE] = {0, "", false},
	[CALENDAR_YEAR] = {INT64_C(31536000000), "a", false},
	[CALENDAR_MONTH] = {INT64_C(2592000000), "mo", false},
	[CALENDAR_WEEK] = {604800000, "wk", true},
	[CALENDAR_DAY] = {86400000, "d", true},
	[CALENDAR_HOUR] = {3600000, "h", true},
	[CALENDAR_MINUTE] = {60000, "min", true},
	[CALENDAR_SECOND] = {1000, "s", true},
	[CALENDAR_MILLISECOND] = {1, "ms", true},
};

/* How the units of two quantities go together */
typedef enum Pairing
{
	PAIR_NONE,
	PAIR_SAME,					/* the same unit as it is written */
	PAIR_CALENDAR,
	PAIR_UCUM					/* two units of UCUM, parsed */
} Pairing;

typedef struct Pair
{
	Pairing		pairing;
	UcumUnit	a;
	UcumUnit	b;
} Pair;

/* -- pairing ------------------------------------------------------------ */

/* The UCUM unit of a quantity, for a calendar unit the one that stands for it */
static bool
parse_unit(CalendarUnit unit, const char *text, size_t len, UcumUnit *u)
{
	if (unit != CALENDAR_NONE)
	{
		text = calendar[unit].ucum;
		len = strlen(text);
	}
	return ucum_parse(text, len, u, NULL) == CORE_OK;
}

/* Whether a calendar unit goes with a UCUM unit; loosely: by ~, where a year is as good as a */
static bool
calendar_with_ucum(CalendarUnit unit, const UcumUnit *ucum, bool loosely)
{
	UcumUnit	week;

	if (loosely)
		return true;
	(void) ucum_parse("wk", 2, &week, NULL);
	return calendar[unit].same && ucum_commensurable(ucum, &week) && ucum_compare_size(ucum, &week) <= 0;
}

static Pair
pair_units(CalendarUnit a, const char *a_text, size_t a_len, CalendarUnit b, const char *b_text, size_t b_len, bool loosely)
{
	Pair		p;

	p.pairing = PAIR_NONE;
	if (a != CALENDAR_NONE && b != CALENDAR_NONE)
		p.pairing = a == b ? PAIR_SAME : PAIR_CALENDAR;
	else if (a == b && a_len == b_len && memcmp(a_text, b_text, a_len) == 0)
		p.pairing = PAIR_SAME;
	else if (parse_unit(a, a_text, a_len, &p.a) && parse_unit(b, b_text, b_len, &p.b) &&
			 ucum_commensurable(&p.a, &p.b) &&
			 (a == CALENDAR_NONE || calendar_with_ucum(a, &p.b, loosely)) &&
			 (b == CALENDAR_NONE || calendar_with_ucum(b, &p.a, loosely)))
		p.pairing = PAIR_UCUM;
	return p;
}

static Pair
pair_of(const Quantity *a, const Quantity *b, bool loosely)
{
	return pair_units(a->calendar, a->unit, a->unit_len, b->calendar, b->unit, b->unit_len, loosely);
}

/* A value from one calendar unit in another: years and months by twelve, all else by days */
static CoreStatus
convert_calendar(const Decimal *value, CalendarUnit from, CalendarUnit to, Decimal *result)
{
	Decimal		f = decimal_from_int64(calendar[from].milliseconds);
	Decimal		g = decimal_from_int64(calendar[to].milliseconds);
	CoreStatus	status;

	if (from <= CALENDAR_MONTH && to <= CALENDAR_MONTH)
	{
		f = decimal_from_int64(from == CALENDAR_YEAR ? 12 : 1);
		g = decimal_from_int64(to == CALENDAR_YEAR ? 12 : 1);
	}
	status = decimal_mul(value, &f, &f);
	return status == CORE_OK ? decimal_div(&f, &g, result) : status;
}

/*
 * Whether a's unit is the more granular one.  Of equal ones it is the one that is not special (K rather
 * than Cel), whichever stands first, then a's.
 */
static bool
first_is_finer(const Quantity *a, const Quantity *b, const Pair *p)
{
	int			order;

	if (p->pairing == PAIR_CALENDAR)
		return a->calendar >= b->calendar;
	if (p->pairing != PAIR_UCUM)
		return true;
	order = ucum_compare_size(&p->a, &p->b);
	return order < 0 || (order == 0 && p->a.special <= p->b.special);
}

/* Both values in the more granular unit; *first says whose that is. */
static CoreStatus
bring_together(const Quantity *a, const Quantity *b, const Pair *p, Decimal *x, Decimal *y, bool *first)
{
	const Quantity *coarse;
	Decimal    *moved;

	*x = a->value;
	*y = b->value;
	*first = first_is_finer(a, b, p);
	coarse = *first ? b : a;
	moved = *first ? y : x;
	switch (p->pairing)
	{
		case PAIR_SAME:
			return CORE_OK;
		case PAIR_CALENDAR:
			return convert_calendar(&coarse->value, coarse->calendar, *first ? a->calendar : b->calendar, moved);
		case PAIR_UCUM:
			return ucum_convert(&coarse->value, *first ? &p->b : &p->a, *first ? &p->a : &p->b, moved, NULL);
		default:
			return CORE_INVALID;
	}
}

/* -- comparison --------------------------------------------------------- */

bool
quantity_comparable(const Quantity *a, const Quantity *b)
{
	return pair_of(a, b, false).pairing != PAIR_NONE;
}

CoreOrder
quantity_compare(const Quantity *a, const Quantity *b)
{
	Pair		p = pair_of(a, b, false);
	Decimal		x,
				y;
	int			order;
	bool		first;

	if (p.pairing == PAIR_UCUM)
		return ucum_compare(&a->value, &p.a, &b->value, &p.b, &order) == CORE_OK ? (CoreOrder) order : ORDER_UNKNOWN;
	if (p.pairing == PAIR_NONE || bring_together(a, b, &p, &x, &y, &first) != CORE_OK)
		return ORDER_UNKNOWN;
	return (CoreOrder) decimal_compare(&x, &y);
}

CoreTruth
quantity_equal(const Quantity *a, const Quantity *b)
{
	CoreOrder	order = quantity_compare(a, b);

	return order == ORDER_UNKNOWN ? TRUTH_UNKNOWN : order == ORDER_EQUAL ? TRUTH_TRUE : TRUTH_FALSE;
}

bool
quantity_equivalent(const Quantity *a, const Quantity *b)
{
	Pair		p = pair_of(a, b, true);
	Decimal		x,
				y;
	bool		first;

	return p.pairing != PAIR_NONE && bring_together(a, b, &p, &x, &y, &first) == CORE_OK && decimal_equivalent(&x, &y);
}

/* -- conversion and arithmetic ------------------------------------------ */

CoreStatus
quantity_convert(const Quantity *q, const char *unit, size_t unit_len, Quantity *result)
{
	CalendarUnit to = calendar_unit_parse(unit, unit_len);
	Pair		p = pair_units(q->calendar, q->unit, q->unit_len, to, unit, unit_len, false);
	Decimal		value = q->value;
	CoreStatus	status = CORE_OK;

	switch (p.pairing)
	{
		case PAIR_NONE:
			return CORE_INVALID;
		case PAIR_SAME:
			break;
		case PAIR_CALENDAR:
			status = convert_calendar(&q->value, q->calendar, to, &value);
			break;
		case PAIR_UCUM:
			status = ucum_convert(&q->value, &p.a, &p.b, &value, NULL);
			break;
	}
	if (status != CORE_OK)
		return status;
	result->value = value;
	result->calendar = to;
	result->unit = unit;
	result->unit_len = unit_len;
	return CORE_OK;
}

/* Whether values of the unit may be summed */
static bool
has_sums(const Quantity *q)
{
	UcumUnit	u;

	return q->calendar != CALENDAR_NONE || (parse_unit(CALENDAR_NONE, q->unit, q->unit_len, &u) && !ucum_is_special(&u));
}

static CoreStatus
sum(const Quantity *a, const Quantity *b, bool subtract, Quantity *result)
{
	Pair		p = pair_of(a, b, false);
	Quantity	r;
	Decimal		x,
				y;
	bool		first;
	CoreStatus	status;

	if (p.pairing == PAIR_NONE || !has_sums(a) || !has_sums(b))
		return CORE_INVALID;
	status = bring_together(a, b, &p, &x, &y, &first);
	r = first ? *a : *b;
	if (status == CORE_OK)
		status = (subtract ? decimal_sub : decimal_add) (&x, &y, &r.value);
	if (status == CORE_OK)
		*result = r;
	return status;
}

CoreStatus
quantity_add(const Quantity *a, const Quantity *b, Quantity *result)
{
	return sum(a, b, false, result);
}

CoreStatus
quantity_sub(const Quantity *a, const Quantity *b, Quantity *result)
{
	return sum(a, b, true, result);
}

/* The value of a quantity without dimension as a plain number */
static CoreStatus
plain_number(const Quantity *q, Decimal *result)
{
	UcumUnit	u,
				one;

	if (q->calendar != CALENDAR_NONE || !parse_unit(CALENDAR_NONE, q->unit, q->unit_len, &u) || ucum_is_special(&u))
		return CORE_INVALID;
	(void) ucum_parse("1", 1, &one, NULL);
	return ucum_convert(&q->value, &u, &one, result, NULL);
}

typedef CoreStatus (*Operation) (const Decimal *, const Decimal *, Decimal *);

/* A calendar duration times or through a number */
static CoreStatus
scale_calendar(const Quantity *duration, const Quantity *number, Operation operation, Quantity *result)
{
	Quantity	r = *duration;
	Decimal		n;
	CoreStatus	status = plain_number(number, &n);

	if (status == CORE_OK)
		status = operation(&duration->value, &n, &r.value);
	if (status == CORE_OK)
		*result = r;
	return status;
}

CoreStatus
quantity_mul(const Quantity *a, const Quantity *b, Quantity *result, char unit[UCUM_TERM_MAX + 1])
{
	Quantity	r = {.calendar = CALENDAR_NONE, .unit = unit};
	CoreStatus	status;

	if (a->calendar != CALENDAR_NONE)
		return scale_calendar(a, b, decimal_mul, result);
	if (b->calendar != CALENDAR_NONE)
		return scale_calendar(b, a, decimal_mul, result);
	status = ucum_multiply(a->unit, a->unit_len, b->unit, b->unit_len, unit, &r.unit_len);
	if (status == CORE_OK)
		status = decimal_mul(&a->value, &b->value, &r.value);
	if (status == CORE_OK)
		*result = r;
	return status;
}

CoreStatus
quantity_div(const Quantity *a, const Quantity *b, Quantity *result, char unit[UCUM_TERM_MAX + 1])
{
	Quantity	r = {.calendar = CALENDAR_NONE, .unit = unit};
	CoreStatus	status;

	if (b->calendar != CALENDAR_NONE)
		return CORE_INVALID;
	if (a->calendar != CALENDAR_NONE)
		return scale_calendar(a, b, decimal_div, result);
	status = ucum_divide(a->unit, a->unit_len, b->unit, b->unit_len, unit, &r.unit_len);
	if (status == CORE_OK)
		status = decimal_div(&a->value, &b->value, &r.value);
	if (status == CORE_OK)
		*result = r;
	return status;
}

CalendarUnit
quantity_calendar_unit(const Quantity *q)
{
	if (q->calendar != CALENDAR_NONE)
		return q->calendar;
	for (int unit = CALENDAR_WEEK; unit <= CALENDAR_MILLISECOND; unit++)
	{
		if (strlen(calendar[unit].ucum) == q->unit_len && memcmp(calendar[unit].ucum, q->unit, q->unit_len) == 0)
			return (CalendarUnit) unit;
	}
	return CALENDAR_NONE;
}

/* -- text --------------------------------------------------------------- */

static const char *
skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* [+-]digits[.digits] */
static const char *
skip_number(const char *at, const char *end)
{
	const char *digits;

	if (at < end && (*at == '+' || *at == '-'))
		at++;
	digits = at;
	at = skip_digits(at, end);
	if (at == digits)
		return NULL;
	if (at < end && *at == '.')
	{
		digits = ++at;
		at = skip_digits(at, end);
		if (at == digits)
			return NULL;
	}
	return at;
}

CoreStatus
quantity_parse(const char *text, size_t len, Quantity *result)
{
	const char *end = text + len;
	const char *at = skip_number(text, end);
	Quantity	q = {.calendar = CALENDAR_NONE, .unit = "1", .unit_len = 1};
	CoreStatus	status;

	if (at == NULL)
		return CORE_INVALID;
	status = decimal_parse(text, (size_t) (at - text), &q.value);
	while (at < end && (*at == ' ' || (*at >= '\t' && *at <= '\r')))
		at++;
	if (at < end && *at == '\'')
	{
		const char *close = memchr(at + 1, '\'', (size_t) (end - at - 1));

		if (close == NULL || close + 1 != end || close == at + 1)
			return CORE_INVALID;
		q.unit = at + 1;
		q.unit_len = (size_t) (close - q.unit);
	}
	else if (at < end)
	{
		q.calendar = calendar_unit_parse(at, (size_t) (end - at));
		q.unit = at;
		q.unit_len = (size_t) (end - at);
		if (q.calendar == CALENDAR_NONE)
			return CORE_INVALID;
	}
	if (status == CORE_OK)
		*result = q;
	return status;
}

CoreStatus
quantity_print(const Quantity *q, char out[QUANTITY_PRINT_SIZE], size_t *len)
{
	Decimal		one = decimal_from_int64(1);
	const char *unit = q->unit;
	size_t		unit_len = q->unit_len;
	char	   *o = out;

	if (q->calendar != CALENDAR_NONE)
	{
		unit = calendar_unit_name(q->calendar, decimal_compare(&q->value, &one) != 0);
		unit_len = strlen(unit);
	}
	if (unit_len > UCUM_TERM_MAX)
		return CORE_TOO_LARGE;
	o += decimal_print(&q->value, o);
	*o++ = ' ';
	if (q->calendar == CALENDAR_NONE)
		*o++ = '\'';
	memcpy(o, unit, unit_len);
	o += unit_len;
	if (q->calendar == CALENDAR_NONE)
		*o++ = '\'';
	*o = '\0';
	*len = (size_t) (o - out);
	return CORE_OK;
}
