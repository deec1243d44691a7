/*
 * temporal_math.c
 *		FHIRPath's dates and times: adding durations, boundaries, precision, what lies between two.
 */
#include "temporal.h"
#include "temporal_internal.h"

#include <string.h>

/* Amounts beyond this leave the calendar anyway, and products stay far within 64 bits. */
#define AMOUNT_MAX	INT64_C(1000000000000)

/* Seconds of the units that have a fixed length; 0 for years and months */
static const int64_t unit_seconds[] = {
	[CALENDAR_WEEK] = 7 * 86400,
	[CALENDAR_DAY] = 86400,
	[CALENDAR_HOUR] = 3600,
	[CALENDAR_MINUTE] = 60,
	[CALENDAR_SECOND] = 1,
};

/* Seconds of the precisions, by which an amount is turned into them (N1 6.6.7) */
static const int64_t precision_seconds[] = {
	[TEMPORAL_YEAR] = INT64_C(365) * 86400,
	[TEMPORAL_MONTH] = 30 * 86400,
	[TEMPORAL_DAY] = 86400,
	[TEMPORAL_HOUR] = 3600,
	[TEMPORAL_MINUTE] = 60,
	[TEMPORAL_SECOND] = 1,
	[TEMPORAL_MILLISECOND] = 1,
};

/* -- adding ------------------------------------------------------------- */

/* Months from year 1 on; a day that there is not becomes the last one */
static CoreStatus
add_months(Temporal *t, int64_t months)
{
	int64_t		n = (int64_t) (t->year - 1) * 12 + t->month - 1 + months;
	int			days;

	if (n < 0 || n >= INT64_C(9999) * 12)
		return CORE_TOO_LARGE;
	t->year = (int16_t) (n / 12 + 1);
	t->month = (uint8_t) (n % 12 + 1);
	days = fhir_days_in_month(t->year, t->month);
	if (t->day > days)
		t->day = (uint8_t) days;
	return CORE_OK;
}

/* Seconds as the clock goes: local time, no change of zone */
static CoreStatus
add_seconds(Temporal *t, int64_t seconds)
{
	int64_t		local;

	if (t->second > 59)
		t->second = 59;
	local = temporal_seconds(t) + t->zone * 60 + seconds;
	if (t->kind == TEMPORAL_TIME)
	{
		local %= TEMPORAL_DAY_SECONDS;
		if (local < 0)
			local += TEMPORAL_DAY_SECONDS;
		t->hour = (uint8_t) (local / 3600);
		t->minute = (uint8_t) (local / 60 % 60);
		t->second = (uint8_t) (local % 60);
		return CORE_OK;
	}
	return temporal_set_seconds(t, local) ? CORE_OK : CORE_TOO_LARGE;
}

/* Decimals of a second that a value has to show: those written, else three, more where needed */
static void
settle_fraction(Temporal *t)
{
	int			needed = 9;
	int			written = t->precision == TEMPORAL_SECOND ? 0 : t->fraction_digits;

	for (int32_t rest = t->nanosecond; needed > 0 && rest % 10 == 0; rest /= 10)
		needed--;
	if (needed > written)
	{
		t->fraction_digits = (uint8_t) (needed < 3 ? 3 : needed);
		t->precision = TEMPORAL_MILLISECOND;
	}
}

/* Seconds with their fraction */
static CoreStatus
add_fine(Temporal *t, int64_t seconds, int64_t nanoseconds)
{
	int64_t		nano = t->nanosecond + nanoseconds;
	CoreStatus	status;

	/* |nanoseconds| < 10^9 */
	if (nano < 0)
	{
		nano += 1000000000;
		seconds--;
	}
	else if (nano >= 1000000000)
	{
		nano -= 1000000000;
		seconds++;
	}
	status = add_seconds(t, seconds);
	t->nanosecond = (int32_t) nano;
	settle_fraction(t);
	return status;
}

/* Whole units and a rest in nanoseconds; false for what no calendar has room for */
static bool
split_amount(const Decimal *amount, CalendarUnit unit, int64_t *whole, int64_t *nanoseconds)
{
	static const Decimal thousandth = {1, 0, 3, 0};
	Decimal		value = *amount;
	Decimal		billion = decimal_from_int64(1000000000);
	Decimal		rest;

	*nanoseconds = 0;
	if (unit == CALENDAR_MILLISECOND && decimal_mul(&value, &thousandth, &value) != CORE_OK)
		return false;
	rest = decimal_truncate(&value);
	if (decimal_to_int64(&rest, whole) != CORE_OK || *whole > AMOUNT_MAX || *whole < -AMOUNT_MAX)
		return false;
	if (unit >= CALENDAR_SECOND)
	{
		if (decimal_sub(&value, &rest, &rest) != CORE_OK || decimal_mul(&rest, &billion, &rest) != CORE_OK)
			return false;
		rest = decimal_truncate(&rest);
		(void) decimal_to_int64(&rest, nanoseconds);
	}
	return true;
}

/* The amount in units of the value's precision, where that is coarser; the rest is dropped */
static CoreStatus
add_coarse(Temporal *t, int64_t whole, CalendarUnit unit)
{
	int64_t		seconds = whole;

	if (unit <= CALENDAR_MONTH)
		/* months to a year; other steps between these are whole */
		return add_months(t, t->precision == TEMPORAL_YEAR ? whole / 12 * 12 : whole);
	if (unit < CALENDAR_SECOND)
		seconds = whole * unit_seconds[unit];
	whole = seconds / precision_seconds[t->precision];
	if (t->precision == TEMPORAL_YEAR)
		return add_months(t, whole * 12);
	if (t->precision == TEMPORAL_MONTH)
		return add_months(t, whole);
	return add_seconds(t, whole * precision_seconds[t->precision]);
}

CoreStatus
temporal_add(const Temporal *t, const Decimal *amount, CalendarUnit unit, Temporal *result)
{
	Temporal	r = *t;
	int64_t		whole,
				nanoseconds;
	CoreStatus	status;

	if (unit == CALENDAR_NONE || (t->kind == TEMPORAL_TIME && unit < CALENDAR_HOUR))
		return CORE_INVALID;
	if (!split_amount(amount, unit, &whole, &nanoseconds))
		return CORE_TOO_LARGE;
	if (unit == CALENDAR_YEAR)
		status = add_months(&r, whole * 12);
	else if (unit >= CALENDAR_SECOND && t->precision >= TEMPORAL_SECOND)
		status = add_fine(&r, whole, nanoseconds);
	else
		status = add_coarse(&r, whole, unit);
	if (status == CORE_OK)
		*result = r;
	return status;
}

/* -- precision and boundaries ------------------------------------------- */

/* Digits of a precision: of dates and times together, and of a Time */
static const struct
{
	int			digits;
	int			time_digits;
}			precisions[] = {
	[TEMPORAL_YEAR] = {4, 0},
	[TEMPORAL_MONTH] = {6, 0},
	[TEMPORAL_DAY] = {8, 0},
	[TEMPORAL_HOUR] = {10, 2},
	[TEMPORAL_MINUTE] = {12, 4},
	[TEMPORAL_SECOND] = {14, 6},
	[TEMPORAL_MILLISECOND] = {17, 9},
};

int
temporal_precision(const Temporal *t)
{
	return t->kind == TEMPORAL_TIME ? precisions[t->precision].time_digits : precisions[t->precision].digits;
}

/* The precision of so many digits; 0 where the type has none such */
static int
find_precision(const Temporal *t, int digits)
{
	int			finest = t->kind == TEMPORAL_DATE ? TEMPORAL_DAY : TEMPORAL_MILLISECOND;

	if (digits == 0)
		return finest;
	for (int p = t->kind == TEMPORAL_TIME ? TEMPORAL_HOUR : TEMPORAL_YEAR; p <= finest; p++)
	{
		if (digits == (t->kind == TEMPORAL_TIME ? precisions[p].time_digits : precisions[p].digits))
			return p;
	}
	return 0;
}

/* The largest (or least) values of all places behind the value's precision */
static void
fill(Temporal *t, int precision, bool high)
{
	for (int p = t->precision + 1; p <= precision; p++)
	{
		if (p == TEMPORAL_MONTH)
			t->month = high ? 12 : 1;
		else if (p == TEMPORAL_DAY)
			t->day = (uint8_t) (high ? fhir_days_in_month(t->year, t->month) : 1);
		else if (p == TEMPORAL_HOUR)
			t->hour = high ? 23 : 0;
		else if (p == TEMPORAL_MINUTE)
			t->minute = high ? 59 : 0;
		else if (p == TEMPORAL_SECOND)
			t->second = high ? 59 : 0;
	}
	if (precision == TEMPORAL_MILLISECOND)
	{
		/* to three decimals, whatever was written */
		int32_t		unit = 1000000;

		for (int digits = t->fraction_digits; digits < 3; digits++)
			unit *= 10;
		t->nanosecond -= t->nanosecond % 1000000;
		if (high)
			t->nanosecond += unit - 1000000;
		t->fraction_digits = 3;
	}
	t->precision = (uint8_t) precision;
}

static CoreStatus
boundary(const Temporal *t, int digits, bool high, Temporal *result)
{
	Temporal	r = *t;
	int			precision = find_precision(t, digits);

	if (precision == 0)
		return CORE_INVALID;
	if (precision < r.precision)
		temporal_cut(&r, (TemporalPrecision) precision);
	else
		fill(&r, precision, high);
	if (r.kind == TEMPORAL_DATETIME && precision >= TEMPORAL_HOUR && !r.has_zone)
	{
		r.has_zone = TEMPORAL_ZONE_HOURS;
		r.zone = high ? TEMPORAL_ZONE_WEST : TEMPORAL_ZONE_EAST;
	}
	*result = r;
	return CORE_OK;
}

CoreStatus
temporal_low_boundary(const Temporal *t, int precision, Temporal *result)
{
	return boundary(t, precision, false, result);
}

CoreStatus
temporal_high_boundary(const Temporal *t, int precision, Temporal *result)
{
	return boundary(t, precision, true, result);
}

/* -- what lies between -------------------------------------------------- */

/* The precision that a value needs for a unit */
static const uint8_t unit_precision[] = {
	[CALENDAR_YEAR] = TEMPORAL_YEAR,
	[CALENDAR_MONTH] = TEMPORAL_MONTH,
	[CALENDAR_WEEK] = TEMPORAL_DAY,
	[CALENDAR_DAY] = TEMPORAL_DAY,
	[CALENDAR_HOUR] = TEMPORAL_HOUR,
	[CALENDAR_MINUTE] = TEMPORAL_MINUTE,
	[CALENDAR_SECOND] = TEMPORAL_SECOND,
	[CALENDAR_MILLISECOND] = TEMPORAL_SECOND,	/* with or without decimals */
};

/* Whether a unit can be counted between two values */
static bool
countable(const Temporal *a, const Temporal *b, CalendarUnit unit)
{
	if (unit == CALENDAR_NONE || (a->kind == TEMPORAL_TIME) != (b->kind == TEMPORAL_TIME) ||
		(a->kind == TEMPORAL_TIME && unit < CALENDAR_HOUR))
		return false;
	if (a->precision < unit_precision[unit] || b->precision < unit_precision[unit])
		return false;
	return unit < CALENDAR_HOUR || (a->has_zone != 0) == (b->has_zone != 0);
}

/* b in the zone of a; false where that leaves the calendar */
static bool
same_zone(const Temporal *a, Temporal *b)
{
	if (!a->has_zone || !b->has_zone || a->zone == b->zone)
		return true;
	if (add_seconds(b, (a->zone - b->zone) * 60) != CORE_OK)
		return false;
	b->zone = a->zone;
	return true;
}

/* Time between in nanoseconds, as seconds and rest of the same sign */
static void
elapsed(const Temporal *a, const Temporal *b, int64_t *seconds, int64_t *nano)
{
	*seconds = temporal_seconds(b) - temporal_seconds(a);
	*nano = b->nanosecond - a->nanosecond;
	/* local times where only one has a zone: days are counted then */
	if ((a->has_zone != 0) != (b->has_zone != 0))
		*seconds += (b->zone - a->zone) * 60;
	if (*seconds > 0 && *nano < 0)
	{
		(*seconds)--;
		*nano += 1000000000;
	}
	else if (*seconds < 0 && *nano > 0)
	{
		(*seconds)++;
		*nano -= 1000000000;
	}
}

static int64_t
months_of(const Temporal *t)
{
	return t->year * INT64_C(12) + t->month - 1;
}

/* Whole months from a to b: one less where b has not come as far in its month */
static int64_t
whole_months(const Temporal *a, const Temporal *b)
{
	int64_t		months = months_of(b) - months_of(a);
	Temporal	x = *a;
	int64_t		seconds,
				nano;

	/* a's month put into b's: what is left tells */
	if (add_months(&x, months) != CORE_OK)
		return months;
	elapsed(&x, b, &seconds, &nano);
	if (months > 0 && (seconds < 0 || (seconds == 0 && nano < 0)))
		months--;
	else if (months < 0 && (seconds > 0 || (seconds == 0 && nano > 0)))
		months++;
	return months;
}

CoreStatus
temporal_duration(const Temporal *a, const Temporal *b, CalendarUnit unit, int64_t *result)
{
	Temporal	y = *b;
	int64_t		seconds,
				nano;
	int			pa = a->precision == TEMPORAL_MILLISECOND ? TEMPORAL_SECOND : a->precision;
	int			pb = b->precision == TEMPORAL_MILLISECOND ? TEMPORAL_SECOND : b->precision;

	if (!countable(a, b, unit) || pa != pb || !same_zone(a, &y))
		return CORE_INVALID;
	if (unit <= CALENDAR_MONTH)
	{
		int64_t		months = whole_months(a, &y);

		*result = unit == CALENDAR_YEAR ? months / 12 : months;
		return CORE_OK;
	}
	elapsed(a, &y, &seconds, &nano);
	*result = unit == CALENDAR_MILLISECOND ? seconds * 1000 + nano / 1000000 : seconds / unit_seconds[unit];
	return CORE_OK;
}

static int64_t
floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* The number of a unit in the calendar; weeks begin on Sunday */
static int64_t
ordinal(const Temporal *t, CalendarUnit unit)
{
	int64_t		seconds = temporal_seconds(t) + t->zone * 60;

	switch (unit)
	{
		case CALENDAR_YEAR:
			return t->year;
		case CALENDAR_MONTH:
			return months_of(t);
		case CALENDAR_WEEK:
			/* 1970-01-04 was a Sunday */
			return floor_divide(floor_divide(seconds, TEMPORAL_DAY_SECONDS) - 3, 7);
		case CALENDAR_MILLISECOND:
			return seconds * 1000 + t->nanosecond / 1000000;
		default:
			return floor_divide(seconds, unit_seconds[unit]);
	}
}

CoreStatus
temporal_difference(const Temporal *a, const Temporal *b, CalendarUnit unit, int64_t *result)
{
	Temporal	y = *b;

	if (!countable(a, b, unit) || !same_zone(a, &y))
		return CORE_INVALID;
	*result = ordinal(&y, unit) - ordinal(a, unit);
	return CORE_OK;
}
