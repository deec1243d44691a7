/*
 * fhir_scan.h
 *		Scanners of dates and times, shared by FHIR's primitives and FHIRPath's literals.
 *
 * Each reads what it is named for and stands behind it; false where that is not there.
 */
#ifndef EHR_FHIR_SCAN_H
#define EHR_FHIR_SCAN_H

#include "fhir_primitive.h"

typedef struct Scan
{
	const char *at;
	const char *end;
} Scan;

/* Exactly n digits */
extern bool fhir_scan_digits(Scan *s, int n, int *value);
extern bool fhir_scan_char(Scan *s, char c);

/* YYYY, YYYY-MM or YYYY-MM-DD of the calendar; what follows is left */
extern bool fhir_scan_date(Scan *s, FhirDateTime *r);

/* Any number of decimals of a second, at least one; those behind the ninth are cut off */
extern bool fhir_scan_fraction(Scan *s, int *nanosecond);

/* Z or +hh:mm, -hh:mm up to 14:00 */
extern bool fhir_scan_zone(Scan *s, FhirDateTime *r);

#endif							/* EHR_FHIR_SCAN_H */
