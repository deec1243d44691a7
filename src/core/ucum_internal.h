/*
 * ucum_internal.h
 *		What ucum.c and ucum_convert.c share.
 */
#ifndef EHR_UCUM_INTERNAL_H
#define EHR_UCUM_INTERNAL_H

#include "ucum.h"
#include "ucum_data.h"

/* One component of a term, as it stands in its text: mg, 10*, 12; factor: a number */
typedef struct UcumPart
{
	const char *text;
	int			len;
	int			exponent;
	bool		factor;
} UcumPart;

#define UCUM_PARTS_MAX	40

typedef struct UcumParts
{
	int			n;
	UcumPart	part[UCUM_PARTS_MAX];
} UcumParts;

/* ucum_parse that lists the components as well, where parts is not NULL */
extern CoreStatus ucum_parse_parts(const char *text, size_t len, UcumUnit *unit, UcumParts *parts, size_t *position);

/* The atom of a code, and what prefix stands before it; NULL where there is none such */
extern const UcumAtom *ucum_find(const char *text, size_t len, const UcumPrefix **prefix);

/* a = a * b^exponent (exponent 1 or -1); false where exponents outgrow their limits */
extern bool ucum_factor_multiply(UcumFactor *a, const UcumFactor *b, bool divide);

#endif							/* EHR_UCUM_INTERNAL_H */
