/*
 * origin.h
 *		Where and when an element of a record was stated: the order by which
 *		merged documents let one statement survive another.
 *
 * An origin is written as one string, the value of the extension
 * urn:ehr:origin:
 *
 *		2024-05-01T00:00:00Z 50 0 https://example.org/hospital
 *		|                    |  | |
 *		|                    |  | source id (meta.source), absent when unknown
 *		|                    |  place of the item in its repeating element
 *		|                    rank of the source, greater is more trusted
 *		instant in UTC without trailing zeros, or "-" when unknown
 *
 * The form is canonical: a string is an origin only if printing what was read
 * gives the same bytes, so that equal origins are equal strings.
 */
#ifndef EHR_CORE_ORIGIN_H
#define EHR_CORE_ORIGIN_H

#include "core.h"

/* "2024-05-01T00:00:00.123456789" and its end; the Z is only written. */
#define ORIGIN_TIME_SIZE 32

typedef struct Origin
{
	char		time[ORIGIN_TIME_SIZE]; /* empty: unknown, before all others */
	int32_t		rank;			/* never negative */
	const char *source;			/* borrowed; not terminated by a zero */
	size_t		source_len;
} Origin;

/*
 * origin_time writes a FHIR instant in UTC (nine digits of the second's
 * fraction are kept).  False, and the empty time, for anything that is not an
 * instant of the years 1 to 9999 in UTC.
 */
extern bool origin_time(const char *text, size_t len, char time[ORIGIN_TIME_SIZE]);

/* Recency, then rank; the caller breaks ties before it asks for the source. */
extern int	origin_compare_when(const Origin *a, const Origin *b);

/* The bytes of the source id. */
extern int	origin_compare_source(const Origin *a, const Origin *b);

/* Both of the above: the order of whole documents. */
extern int	origin_compare(const Origin *a, const Origin *b);

/* Bytes that origin_print needs, its closing zero included. */
extern size_t origin_size(const Origin *origin);

/* Writes the canonical string; gives its length. */
extern size_t origin_print(const Origin *origin, int32_t place, char *buf);

/* Reads a canonical string; origin->source points into it. */
extern bool origin_read(const char *text, size_t len, Origin *origin, int32_t *place);

#endif							/* EHR_CORE_ORIGIN_H */
