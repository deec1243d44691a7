/*
 * quantity.h
 *		FHIRPath's Quantity: a decimal with a UCUM unit or a calendar duration.
 *
 * Which units go together (N1 2.1.6.1, 6.1, 6.2, 6.6):
 *	- UCUM units: when they are commensurable;
 *	- calendar units: among each other (12 months a year, else 365 days a year, 30
 *	  days a month);
 *	- a calendar unit of weeks or less and UCUM's units of time not longer than wk: week is
 *	  wk, day is d, hour h, minute min, second s, millisecond ms;
 *	- year and month with UCUM: never, except ~, for which year is a and month is mo;
 *	- a text that is no term of UCUM: with the same text only, and no arithmetic;
 *	- special units (Cel, [pH], B) are compared and converted, but not summed or multiplied.
 * A number without unit is a quantity in 1.
 *
 * Pure: no allocation.  A Quantity points to its unit's text, which the caller keeps;
 * results that have a new unit write it into their own buffer.
 */
#ifndef EHR_QUANTITY_H
#define EHR_QUANTITY_H

#include "decimal.h"
#include "temporal.h"
#include "truth.h"
#include "ucum.h"

typedef struct Quantity
{
	Decimal		value;
	CalendarUnit calendar;		/* CALENDAR_NONE: unit and unit_len are the UCUM unit */
	const char *unit;			/* not zero-terminated */
	size_t		unit_len;
} Quantity;

/* value, a space, a unit; a unit of length UCUM_TERM_MAX fits */
#define QUANTITY_PRINT_SIZE (DECIMAL_PRINT_SIZE + UCUM_TERM_MAX + 4)

/*
 * What toQuantity() of a String reads: [+-]number, then optionally white space and
 * 'unit' in quotes or a word of a calendar unit.  The unit points into the
 * text, or to "1".  CORE_INVALID otherwise, CORE_TOO_LARGE as decimal_parse.  Whether
 * the unit is a term of UCUM is not asked.
 */
extern CoreStatus quantity_parse(const char *text, size_t len, Quantity *result);

/*
 * toString(): 1 'wk', 4 days, 1 day.  CORE_TOO_LARGE for units longer than UCUM_TERM_MAX.
 */
extern CoreStatus quantity_print(const Quantity *q, char out[QUANTITY_PRINT_SIZE], size_t *len);

extern bool quantity_comparable(const Quantity *a, const Quantity *b);

/* ORDER_UNKNOWN where units do not go together. */
extern CoreOrder quantity_compare(const Quantity *a, const Quantity *b);

/* TRUTH_UNKNOWN where units do not go together (N1 6.1.1: empty). */
extern CoreTruth quantity_equal(const Quantity *a, const Quantity *b);

/* Values in the more granular unit, compared with decimal_equivalent */
extern bool quantity_equivalent(const Quantity *a, const Quantity *b);

/*
 * toQuantity(unit): unit is a term of UCUM, or a word of a calendar unit.  The result's
 * unit points to that text.  CORE_INVALID where units do not go together.
 */
extern CoreStatus quantity_convert(const Quantity *q, const char *unit, size_t unit_len, Quantity *result);

/*
 * Sums and differences are in the more granular unit of both (its text is not copied).
 * Products and quotients have a unit of their own, written into unit; a calendar unit
 * multiplies and is divided by numbers only (units without dimension).  CORE_INVALID is FHIRPath's empty.
 */
extern CoreStatus quantity_add(const Quantity *a, const Quantity *b, Quantity *result);
extern CoreStatus quantity_sub(const Quantity *a, const Quantity *b, Quantity *result);
extern CoreStatus quantity_mul(const Quantity *a, const Quantity *b, Quantity *result, char unit[UCUM_TERM_MAX + 1]);
extern CoreStatus quantity_div(const Quantity *a, const Quantity *b, Quantity *result, char unit[UCUM_TERM_MAX + 1]);

/*
 * The calendar unit by which a quantity is added to a date or time: its own, or that of wk,
 * d, h, min, s, ms.  CALENDAR_NONE for a, mo (N1 6.6.7: no definite durations above
 * weeks) and all else: an error there.
 */
extern CalendarUnit quantity_calendar_unit(const Quantity *q);

#endif							/* EHR_QUANTITY_H */
