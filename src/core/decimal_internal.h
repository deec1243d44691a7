/*
 * decimal_internal.h
 *		What the files of decimals and of units share.
 */
#ifndef EHR_DECIMAL_INTERNAL_H
#define EHR_DECIMAL_INTERNAL_H

#include "decimal.h"
#include "wide.h"

/* 10^n for n <= 38 */
extern wide_u128 decimal_power10(int n);

/* Of a coefficient below 10^38; the negative of 0 is 0. */
extern Decimal decimal_make(wide_u128 coefficient, int scale, bool negative);
extern wide_u128 decimal_magnitude(const Decimal *d);

/*
 * n / 10^scale as a decimal of at most so many significant digits and 38
 * decimals, rounded half to even; sticky: something above 0 and below the last place was
 * cut off already.  n is used up.  CORE_TOO_LARGE where there are more than 38 digits before the point.
 */
extern CoreStatus decimal_fit(Wide *n, int scale, bool negative, bool sticky, int digits, Decimal *result);

/*
 * n / d: exact where it ends within 38 digits, of at least so many decimals, else rounded to
 * DECIMAL_QUOTIENT digits.  n is used up.
 */
extern CoreStatus decimal_quotient(Wide *n, const Wide *d, int least, bool negative, Decimal *result, bool *exact);

/* Takes zeros off the end of n / 10^scale, down to a least scale. */
extern void decimal_strip_wide(Wide *n, int *scale, int least);

#endif							/* EHR_DECIMAL_INTERNAL_H */
