/*
 * temporal.h
 *		FHIRPath's Date, DateTime and Time: partial precision, optional time zone.
 *
 * A value stands for an interval: 2018-02 is every instant of that month.
 * Comparison (N1 6.1.1, 6.2) is about these intervals: the same interval is
 * equal, disjoint ones are ordered, anything else is unknown.  A value without
 * zone that meets one with a zone may lie anywhere from +14:00 to -12:00.
 * Seconds and their fraction are one precision (N1: "considered a single
 * precision using a decimal").
 *
 * Pure functions, no allocation, no state; *result is written only with CORE_OK.
 * Years are 1 to 9999; what leaves them is CORE_TOO_LARGE.
 */
#ifndef EHR_TEMPORAL_H
#define EHR_TEMPORAL_H

#include "core.h"
#include "decimal.h"
#include "fhir_primitive.h"
#include "truth.h"

typedef enum TemporalKind
{
	TEMPORAL_DATE = 1,
	TEMPORAL_DATETIME,
	TEMPORAL_TIME
} TemporalKind;

/* Frozen: stored in compiled expressions */
typedef enum TemporalPrecision
{
	TEMPORAL_YEAR = 1,
	TEMPORAL_MONTH,
	TEMPORAL_DAY,
	TEMPORAL_HOUR,
	TEMPORAL_MINUTE,
	TEMPORAL_SECOND,
	TEMPORAL_MILLISECOND		/* any number of decimals of a second */
} TemporalPrecision;

/* Frozen: stored in compiled expressions.  24 bytes, aligned to 4 */
typedef struct Temporal
{
	uint8_t		kind;			/* TemporalKind */
	uint8_t		precision;		/* TemporalPrecision */
	uint8_t		has_zone;		/* 0 no, else how it is written: TEMPORAL_ZONE_... */
	uint8_t		fraction_digits;	/* as written, 1 to 9 with MILLISECOND, else 0 */
	int16_t		zone;			/* minutes east of UTC, 0 without zone */
	int16_t		year;			/* 1 to 9999; 0 in a Time */
	uint8_t		month;			/* 1 where not given, 0 in a Time */
	uint8_t		day;			/* 1 where not given, 0 in a Time */
	uint8_t		hour;			/* 0 where not given, so are those below */
	uint8_t		minute;
	uint8_t		second;			/* 60 in a leap second */
	uint8_t		unused[3];
	int32_t		nanosecond;		/* further digits are cut off */
} Temporal;

/* Calendar durations, N1 2.1.6.1.  Frozen: stored in compiled expressions */
typedef enum CalendarUnit
{
	CALENDAR_NONE = 0,			/* not a calendar duration */
	CALENDAR_YEAR,
	CALENDAR_MONTH,
	CALENDAR_WEEK,
	CALENDAR_DAY,
	CALENDAR_HOUR,
	CALENDAR_MINUTE,
	CALENDAR_SECOND,
	CALENDAR_MILLISECOND
} CalendarUnit;

#define TEMPORAL_ZONE_HOURS 1	/* +hh:mm */
#define TEMPORAL_ZONE_Z		2

#define TEMPORAL_PRINT_SIZE 40

/*
 * Reads a literal without its @, the whole text:
 *	DATE		YYYY, YYYY-MM, YYYY-MM-DD
 *	DATETIME	the same, then optionally T, then hh, hh:mm, hh:mm:ss, hh:mm:ss.f+ with
 *				or without zone (Z, +hh:mm, -hh:mm up to 14:00)
 *	TIME		optional T, hh, hh:mm, hh:mm:ss, hh:mm:ss.f+; no zone
 * Days are those of the calendar; second 60 is read, hour 24 is not.
 * CORE_INVALID for anything else.  The FHIR primitives date, dateTime, instant and
 * time are all read by this.
 */
extern CoreStatus temporal_parse(TemporalKind kind, const char *text, size_t len, Temporal *result);

/*
 * Writes the value and a NUL; the length without it.  literal: as after the @ of a
 * literal (a DateTime without hours ends in T, a Time begins with it); otherwise as
 * FHIR and toString() write it.
 */
extern size_t temporal_print(const Temporal *t, bool literal, char out[TEMPORAL_PRINT_SIZE]);

/* The plan of a clock: milliseconds since 1970-01-01T00:00Z, shown in a zone. */
extern CoreStatus temporal_from_unix_ms(int64_t ms, int zone, Temporal *result);

/*
 * N1 6.2.  Date and DateTime compare with each other, Time with Time only:
 * otherwise ORDER_UNKNOWN (the caller has refused or answered that already).
 */
extern CoreOrder temporal_compare(const Temporal *a, const Temporal *b);

/* N1 6.1.1: TRUTH_FALSE for a Time and a Date. */
extern CoreTruth temporal_equal(const Temporal *a, const Temporal *b);

/* N1 6.1.2: what is not known to be equal is not equivalent. */
extern bool temporal_equivalent(const Temporal *a, const Temporal *b);

/*
 * Adds an amount of a calendar unit (negative: subtracts), N1 6.6.7, 6.6.8:
 * a fraction of the amount is ignored, except of seconds and milliseconds; a unit
 * finer than the value's precision is turned into that precision first (365 days a
 * year, 30 days a month, 12 months a year), its rest is dropped; a day that the month
 * does not have becomes its last one; a Time goes round the clock.  A leap second
 * counts as the last ordinary second of its minute.  The zone stays.
 * CORE_INVALID: a unit above hours with a Time.
 * CORE_TOO_LARGE: a year outside of 1 to 9999.
 */
extern CoreStatus temporal_add(const Temporal *t, const Decimal *amount, CalendarUnit unit, Temporal *result);

/*
 * FHIRPath's lowBoundary and highBoundary.  precision counts digits: 4, 6, 8 for Date;
 * besides 10, 12, 14, 17 for DateTime; 2, 4, 6, 9 for Time; anything else is
 * CORE_INVALID.  0 means the finest of the type (8, 17, 9).  A DateTime that gets
 * a time of day without having a zone gets +14:00 (low) or -12:00 (high).  A
 * precision coarser than the value's cuts off.
 */
extern CoreStatus temporal_low_boundary(const Temporal *t, int precision, Temporal *result);
extern CoreStatus temporal_high_boundary(const Temporal *t, int precision, Temporal *result);

/* FHIRPath's precision(): 4, 6, 8, 10, 12, 14, 17; for a Time 2, 4, 6, 9 */
extern int	temporal_precision(const Temporal *t);

/*
 * Whole units from a to b that have gone by (duration), or boundaries of the unit that
 * were crossed (difference); negative where b is before a.  CORE_INVALID
 * where that is not known (a precision coarser than the unit, a zone on one
 * side only with units below days) or kinds do not go together.
 */
extern CoreStatus temporal_duration(const Temporal *a, const Temporal *b, CalendarUnit unit, int64_t *result);
extern CoreStatus temporal_difference(const Temporal *a, const Temporal *b, CalendarUnit unit, int64_t *result);

/*
 * yearOf() to secondOf() by precision YEAR to SECOND, millisecondOf() by
 * MILLISECOND; false where the value does not have it.
 */
extern bool temporal_component(const Temporal *t, TemporalPrecision which, int *result);

/* timezoneOffsetOf(): hours, with a fraction where needed (5.5); false without zone. */
extern bool temporal_zone_hours(const Temporal *t, Decimal *result);

/*
 * dateOf(), timeOf(), toDate(), toDateTime(): false where there is no such part.  A
 * Date made of a DateTime keeps its precision as far as the day.
 */
extern bool temporal_to_date(const Temporal *t, Temporal *result);
extern bool temporal_to_datetime(const Temporal *t, Temporal *result);
extern bool temporal_to_time(const Temporal *t, Temporal *result);

/*
 * First instant of the interval and first one behind it, microseconds since
 * 1970-01-01T00:00Z; a value without zone is taken in default_zone (minutes east). A
 * Time counts from midnight.  A leap second is the first instant of the next minute.
 */
extern void temporal_interval(const Temporal *t, int default_zone, int64_t *first, int64_t *behind);

/* year, years, month, ... milliseconds; CALENDAR_NONE for anything else */
extern CalendarUnit calendar_unit_parse(const char *text, size_t len);

/* "year" or, plural, "years" */
extern const char *calendar_unit_name(CalendarUnit unit, bool plural);

#endif							/* EHR_TEMPORAL_H */
