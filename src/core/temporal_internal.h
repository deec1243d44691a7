/*
 * temporal_internal.h
 *		What temporal.c and temporal_math.c share.
 */
#ifndef EHR_TEMPORAL_INTERNAL_H
#define EHR_TEMPORAL_INTERNAL_H

#include "temporal.h"

#define TEMPORAL_DAY_SECONDS INT64_C(86400)

/* The zones between which all others lie, minutes east of UTC (N1: low and high boundary) */
#define TEMPORAL_ZONE_EAST	(14 * 60)
#define TEMPORAL_ZONE_WEST	(-12 * 60)

/* Days since 1970-01-01 and back; false outside of the years 1 to 9999 */
extern int64_t temporal_days(int year, int month, int day);
extern bool temporal_set_days(Temporal *t, int64_t days);

/* Seconds since 1970-01-01T00:00Z, a value without zone taken in UTC; of a Time since midnight */
extern int64_t temporal_seconds(const Temporal *t);

/* Sets day and time of day by local seconds since 1970-01-01T00:00. */
extern bool temporal_set_seconds(Temporal *t, int64_t seconds);

/* To a coarser precision */
extern void temporal_cut(Temporal *t, TemporalPrecision precision);

#endif							/* EHR_TEMPORAL_INTERNAL_H */
