/*
 * temporal.c
 *		FHIRPath's Date, DateTime and Time: text, comparison, components, conversions.
 *
 * Arithmetic and boundaries: temporal_math.c.
 */
#include "temporal.h"
#include "fhir_scan.h"
#include "temporal_internal.h"

#include <stdio.h>
#include <string.h>

/* -- calendar ----------------------------------------------------------- */

/* Days since 1970-01-01: years are counted from March, so that a leap day is a year's last. */
int64_t
temporal_days(int year, int month, int day)
{
	int			y = month <= 2 ? year - 1 : year;
	int			m = month <= 2 ? month + 9 : month - 3;

	return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

bool
temporal_set_days(Temporal *t, int64_t days)
{
	int64_t		n = days + 719468;	/* since 0000-03-01 */
	int			year,
				month;

	if (days < temporal_days(1, 1, 1) || days > temporal_days(9999, 12, 31))
		return false;
	/* the average year; at most one off */
	year = (int) (n * 400 / 146097);
	while (INT64_C(365) * year + year / 4 - year / 100 + year / 400 > n)
		year--;
	while (INT64_C(365) * (year + 1) + (year + 1) / 4 - (year + 1) / 100 + (year + 1) / 400 <= n)
		year++;
	n -= INT64_C(365) * year + year / 4 - year / 100 + year / 400;
	month = (int) (5 * n + 2) / 153;
	t->day = (uint8_t) (n - (153 * month + 2) / 5 + 1);
	t->month = (uint8_t) (month < 10 ? month + 3 : month - 9);
	t->year = (int16_t) (year + (month >= 10));
	return true;
}

/* -- text --------------------------------------------------------------- */

/* hh, hh:mm, hh:mm:ss, hh:mm:ss.f+ */
static bool
scan_time(Scan *s, Temporal *t)
{
	int			value;
	int			nanosecond;
	const char *fraction;

	if (!fhir_scan_digits(s, 2, &value) || value > 23)
		return false;
	t->hour = (uint8_t) value;
	t->precision = TEMPORAL_HOUR;
	if (!fhir_scan_char(s, ':'))
		return true;
	if (!fhir_scan_digits(s, 2, &value) || value > 59)
		return false;
	t->minute = (uint8_t) value;
	t->precision = TEMPORAL_MINUTE;
	if (!fhir_scan_char(s, ':'))
		return true;
	if (!fhir_scan_digits(s, 2, &value) || value > 60)
		return false;
	t->second = (uint8_t) value;
	t->precision = TEMPORAL_SECOND;
	if (!fhir_scan_char(s, '.'))
		return true;
	fraction = s->at;
	if (!fhir_scan_fraction(s, &nanosecond))
		return false;
	t->nanosecond = nanosecond;
	t->fraction_digits = (uint8_t) (s->at - fraction < 9 ? s->at - fraction : 9);
	t->precision = TEMPORAL_MILLISECOND;
	return true;
}

static bool
scan_zone(Scan *s, Temporal *t)
{
	FhirDateTime zone = {0};

	if (s->at == s->end)
		return true;
	t->has_zone = *s->at == 'Z' ? TEMPORAL_ZONE_Z : TEMPORAL_ZONE_HOURS;
	if (!fhir_scan_zone(s, &zone))
		return false;
	t->zone = (int16_t) zone.zone;
	return true;
}

CoreStatus
temporal_parse(TemporalKind kind, const char *text, size_t len, Temporal *result)
{
	Scan		s = {text, text + len};
	Temporal	t;

	memset(&t, 0, sizeof(t));
	t.kind = (uint8_t) kind;
	if (kind == TEMPORAL_TIME)
	{
		(void) fhir_scan_char(&s, 'T');
		if (!scan_time(&s, &t))
			return CORE_INVALID;
	}
	else
	{
		FhirDateTime date = {.month = 1, .day = 1};

		if (!fhir_scan_date(&s, &date))
			return CORE_INVALID;
		t.year = (int16_t) date.year;
		t.month = (uint8_t) date.month;
		t.day = (uint8_t) date.day;
		t.precision = (uint8_t) (TEMPORAL_YEAR + (date.precision - FHIR_PRECISION_YEAR));
		if (kind == TEMPORAL_DATETIME && fhir_scan_char(&s, 'T') && s.at < s.end &&
			(t.precision != TEMPORAL_DAY || !scan_time(&s, &t) || !scan_zone(&s, &t)))
			return CORE_INVALID;
	}
	if (s.at != s.end)
		return CORE_INVALID;
	*result = t;
	return CORE_OK;
}

/* n digits of a number */
static char *
put_digits(char *o, int value, int n)
{
	for (int i = n - 1; i >= 0; i--, value /= 10)
		o[i] = (char) ('0' + value % 10);
	return o + n;
}

static char *
put_date(char *o, const Temporal *t)
{
	o = put_digits(o, t->year, 4);
	if (t->precision >= TEMPORAL_MONTH)
	{
		*o++ = '-';
		o = put_digits(o, t->month, 2);
	}
	if (t->precision >= TEMPORAL_DAY)
	{
		*o++ = '-';
		o = put_digits(o, t->day, 2);
	}
	return o;
}

static char *
put_time(char *o, const Temporal *t)
{
	o = put_digits(o, t->hour, 2);
	if (t->precision >= TEMPORAL_MINUTE)
	{
		*o++ = ':';
		o = put_digits(o, t->minute, 2);
	}
	if (t->precision >= TEMPORAL_SECOND)
	{
		*o++ = ':';
		o = put_digits(o, t->second, 2);
	}
	if (t->precision == TEMPORAL_MILLISECOND)
	{
		char		digits[9];

		(void) put_digits(digits, t->nanosecond, 9);
		*o++ = '.';
		memcpy(o, digits, t->fraction_digits);
		o += t->fraction_digits;
	}
	return o;
}

static char *
put_zone(char *o, const Temporal *t)
{
	int			minutes = t->zone < 0 ? -t->zone : t->zone;

	if (t->has_zone == TEMPORAL_ZONE_Z)
	{
		*o++ = 'Z';
		return o;
	}
	*o++ = t->zone < 0 ? '-' : '+';
	o = put_digits(o, minutes / 60, 2);
	*o++ = ':';
	return put_digits(o, minutes % 60, 2);
}

size_t
temporal_print(const Temporal *t, bool literal, char out[TEMPORAL_PRINT_SIZE])
{
	char	   *o = out;

	if (t->kind != TEMPORAL_TIME)
		o = put_date(o, t);
	if (t->kind == TEMPORAL_TIME ? literal : t->kind == TEMPORAL_DATETIME && (literal || t->precision >= TEMPORAL_HOUR))
		*o++ = 'T';
	if (t->precision >= TEMPORAL_HOUR)
		o = put_time(o, t);
	if (t->has_zone)
		o = put_zone(o, t);
	*o = '\0';
	return (size_t) (o - out);
}

/* -- comparison --------------------------------------------------------- */

int64_t
temporal_seconds(const Temporal *t)
{
	int64_t		days = t->kind == TEMPORAL_TIME ? 0 : temporal_days(t->year, t->month, t->day);

	return days * TEMPORAL_DAY_SECONDS + t->hour * 3600 + (t->minute - t->zone) * 60 + t->second;
}

/* Seconds of a value's interval: for a month the days of that one; 0 for an instant */
static int64_t
interval_seconds(const Temporal *t)
{
	switch ((TemporalPrecision) t->precision)
	{
		case TEMPORAL_YEAR:
			return (temporal_days(t->year + 1, 1, 1) - temporal_days(t->year, 1, 1)) * TEMPORAL_DAY_SECONDS;
		case TEMPORAL_MONTH:
			return fhir_days_in_month(t->year, t->month) * TEMPORAL_DAY_SECONDS;
		case TEMPORAL_DAY:
			return TEMPORAL_DAY_SECONDS;
		case TEMPORAL_HOUR:
			return 3600;
		case TEMPORAL_MINUTE:
			return 60;
		default:
			return 0;
	}
}

/* All that a value can stand for, both ends included; an interval ends a nanosecond before the next second. */
typedef struct Span
{
	int64_t		first;
	int64_t		last;
	int32_t		first_nano;
	int32_t		last_nano;
} Span;

static Span
span_of(const Temporal *t, bool any_zone)
{
	Span		s;
	int64_t		length = interval_seconds(t);

	s.first = temporal_seconds(t);
	s.first_nano = t->nanosecond;
	s.last = s.first;
	s.last_nano = s.first_nano;
	if (length > 0)
	{
		s.last += length - 1;
		s.last_nano = 999999999;
	}
	if (any_zone)
	{
		/* the earliest day begins where clocks are 14 hours ahead, the latest ends where they are 12 behind */
		s.first -= TEMPORAL_ZONE_EAST * 60;
		s.last -= TEMPORAL_ZONE_WEST * 60;
	}
	return s;
}

static bool
ends_before(const Span *a, const Span *b)
{
	return a->last < b->first || (a->last == b->first && a->last_nano < b->first_nano);
}

CoreOrder
temporal_compare(const Temporal *a, const Temporal *b)
{
	bool		one_zone = (a->has_zone != 0) != (b->has_zone != 0);
	Span		x,
				y;

	if ((a->kind == TEMPORAL_TIME) != (b->kind == TEMPORAL_TIME))
		return ORDER_UNKNOWN;
	x = span_of(a, one_zone && !a->has_zone);
	y = span_of(b, one_zone && !b->has_zone);
	if (ends_before(&x, &y))
		return ORDER_LESS;
	if (ends_before(&y, &x))
		return ORDER_GREATER;
	if (!one_zone && x.first == y.first && x.first_nano == y.first_nano && x.last == y.last && x.last_nano == y.last_nano)
		return ORDER_EQUAL;
	return ORDER_UNKNOWN;
}

CoreTruth
temporal_equal(const Temporal *a, const Temporal *b)
{
	if ((a->kind == TEMPORAL_TIME) != (b->kind == TEMPORAL_TIME))
		return TRUTH_FALSE;
	switch (temporal_compare(a, b))
	{
		case ORDER_EQUAL:
			return TRUTH_TRUE;
		case ORDER_UNKNOWN:
			return TRUTH_UNKNOWN;
		default:
			return TRUTH_FALSE;
	}
}

bool
temporal_equivalent(const Temporal *a, const Temporal *b)
{
	return temporal_equal(a, b) == TRUTH_TRUE;
}

/* -- parts and conversions ---------------------------------------------- */

void
temporal_cut(Temporal *t, TemporalPrecision precision)
{
	if (precision >= t->precision)
		return;
	t->precision = (uint8_t) precision;
	t->fraction_digits = 0;
	t->nanosecond = 0;
	if (precision < TEMPORAL_SECOND)
		t->second = 0;
	if (precision < TEMPORAL_MINUTE)
		t->minute = 0;
	if (precision < TEMPORAL_HOUR)
	{
		t->hour = 0;
		t->has_zone = 0;
		t->zone = 0;
	}
	if (precision < TEMPORAL_DAY)
		t->day = 1;
	if (precision < TEMPORAL_MONTH)
		t->month = 1;
}

bool
temporal_component(const Temporal *t, TemporalPrecision which, int *result)
{
	if (which > t->precision || (t->kind == TEMPORAL_TIME && which < TEMPORAL_HOUR))
		return false;
	switch (which)
	{
		case TEMPORAL_YEAR:
			*result = t->year;
			return true;
		case TEMPORAL_MONTH:
			*result = t->month;
			return true;
		case TEMPORAL_DAY:
			*result = t->day;
			return true;
		case TEMPORAL_HOUR:
			*result = t->hour;
			return true;
		case TEMPORAL_MINUTE:
			*result = t->minute;
			return true;
		case TEMPORAL_SECOND:
			*result = t->second;
			return true;
		case TEMPORAL_MILLISECOND:
			*result = t->nanosecond / 1000000;
			return true;
	}
	return false;
}

bool
temporal_zone_hours(const Temporal *t, Decimal *result)
{
	Decimal		minutes = decimal_from_int64(t->zone);
	Decimal		hour = decimal_from_int64(60);

	return t->has_zone && decimal_div(&minutes, &hour, result) == CORE_OK;
}

bool
temporal_to_date(const Temporal *t, Temporal *result)
{
	if (t->kind == TEMPORAL_TIME)
		return false;
	*result = *t;
	temporal_cut(result, TEMPORAL_DAY);
	result->kind = TEMPORAL_DATE;
	return true;
}

bool
temporal_to_datetime(const Temporal *t, Temporal *result)
{
	if (t->kind == TEMPORAL_TIME)
		return false;
	*result = *t;
	result->kind = TEMPORAL_DATETIME;
	return true;
}

bool
temporal_to_time(const Temporal *t, Temporal *result)
{
	if (t->precision < TEMPORAL_HOUR)
		return false;
	*result = *t;
	result->kind = TEMPORAL_TIME;
	result->has_zone = 0;
	result->zone = 0;
	result->year = 0;
	result->month = 0;
	result->day = 0;
	return true;
}

CoreStatus
temporal_from_unix_ms(int64_t ms, int zone, Temporal *result)
{
	Temporal	t;
	int64_t		seconds = ms / 1000;
	int64_t		rest = ms % 1000;

	memset(&t, 0, sizeof(t));
	if (rest < 0)
	{
		rest += 1000;
		seconds--;
	}
	if (seconds > INT64_MAX - 86400 || seconds < INT64_MIN + 86400)
		return CORE_TOO_LARGE;
	if (!temporal_set_seconds(&t, seconds + zone * 60))
		return CORE_TOO_LARGE;
	t.kind = TEMPORAL_DATETIME;
	t.precision = TEMPORAL_MILLISECOND;
	t.fraction_digits = 3;
	t.nanosecond = (int32_t) rest * 1000000;
	t.has_zone = zone == 0 ? TEMPORAL_ZONE_Z : TEMPORAL_ZONE_HOURS;
	t.zone = (int16_t) zone;
	*result = t;
	return CORE_OK;
}

bool
temporal_set_seconds(Temporal *t, int64_t seconds)
{
	int64_t		days = seconds / TEMPORAL_DAY_SECONDS;
	int			rest = (int) (seconds % TEMPORAL_DAY_SECONDS);

	if (rest < 0)
	{
		rest += TEMPORAL_DAY_SECONDS;
		days--;
	}
	if (!temporal_set_days(t, days))
		return false;
	t->hour = (uint8_t) (rest / 3600);
	t->minute = (uint8_t) (rest / 60 % 60);
	t->second = (uint8_t) (rest % 60);
	return true;
}

void
temporal_interval(const Temporal *t, int default_zone, int64_t *first, int64_t *behind)
{
	int64_t		seconds = temporal_seconds(t);
	int64_t		length = interval_seconds(t) * 1000000;

	if (!t->has_zone && t->kind != TEMPORAL_TIME)
		seconds -= default_zone * 60;
	*first = seconds * 1000000 + t->nanosecond / 1000;
	if (t->precision >= TEMPORAL_SECOND)
	{
		/* a unit of the last digit; PostgreSQL's clock has six */
		length = 1000000;
		for (int i = 0; i < t->fraction_digits && i < 6; i++)
			length /= 10;
	}
	*behind = *first + length;
}

/* -- calendar units ----------------------------------------------------- */

static const char *const unit_names[][2] = {
	[CALENDAR_NONE] = {"", ""},
	[CALENDAR_YEAR] = {"year", "years"},
	[CALENDAR_MONTH] = {"month", "months"},
	[CALENDAR_WEEK] = {"week", "weeks"},
	[CALENDAR_DAY] = {"day", "days"},
	[CALENDAR_HOUR] = {"hour", "hours"},
	[CALENDAR_MINUTE] = {"minute", "minutes"},
	[CALENDAR_SECOND] = {"second", "seconds"},
	[CALENDAR_MILLISECOND] = {"millisecond", "milliseconds"},
};

CalendarUnit
calendar_unit_parse(const char *text, size_t len)
{
	for (int unit = CALENDAR_YEAR; unit <= CALENDAR_MILLISECOND; unit++)
	{
		for (int plural = 0; plural < 2; plural++)
		{
			if (strlen(unit_names[unit][plural]) == len && memcmp(unit_names[unit][plural], text, len) == 0)
				return (CalendarUnit) unit;
		}
	}
	return CALENDAR_NONE;
}

const char *
calendar_unit_name(CalendarUnit unit, bool plural)
{
	return unit_names[unit][plural];
}
