/*
 * decimal.h
 *		Exact decimal numbers of up to 38 digits: FHIRPath's Decimal, FHIR's decimal.
 *
 * A number is coefficient / 10^scale, |coefficient| < 10^38, 0 <= scale <= 38.
 * The scale is the written precision: 1.50 is 150 / 10^2 and prints as "1.50".
 * There is no negative zero, no infinity, no NaN.
 *
 * All functions are pure: no allocation, no state; results may be written over
 * operands.  *result is written only with CORE_OK.  Statuses:
 *
 *	CORE_INVALID	the text is no number; division by zero; outside of the
 *					function's domain.  FHIRPath's empty result.
 *	CORE_TOO_LARGE	the result (or, where nothing may be lost, the input) does
 *					not fit into 38 digits.  Nothing ever wraps.
 *
 * Rounding, where a result has to be cut: half to even, to as many of the 38
 * digits as there is room for (add, sub, mul) or to 34 significant digits (div,
 * sqrt, exp, ln, log, power with an exponent that is not whole).  decimal_round
 * alone rounds halves away from zero, as FHIRPath's round() does.
 */
#ifndef EHR_DECIMAL_H
#define EHR_DECIMAL_H

#include "core.h"

#define DECIMAL_DIGITS		38	/* most digits of a coefficient, most of them behind the point */
#define DECIMAL_QUOTIENT	34	/* significant digits of a quotient or root that does not end */
#define DECIMAL_BOUNDARY_MAX 31 /* largest precision of low and high boundary */
#define DECIMAL_BOUNDARY	8	/* their precision when none is asked for (N1: "at least 8") */
#define DECIMAL_PRINT_SIZE	44	/* sign, "0.", 38 digits, NUL */
#define DECIMAL_NUMERIC_SIZE 26 /* longest payload of decimal_to_numeric */

/*
 * Two's complement coefficient in two halves, so that 8-byte alignment will do:
 * a Decimal may stand in a varlena.  Frozen: stored in compiled expressions.
 */
typedef struct Decimal
{
	uint64_t	low;
	int64_t		high;
	int32_t		scale;
	int32_t		unused;			/* always 0, so that equal images are equal */
} Decimal;

/*
 * [+-]digits[.digits][(e|E)[+-]digits]; CORE_TOO_LARGE where a digit that is
 * not zero would be lost, or the number is 10^38 or more.
 */
extern CoreStatus decimal_parse(const char *text, size_t len, Decimal *result);

/* Writes all digits of the scale, never an exponent, and a NUL; the length without it. */
extern size_t decimal_print(const Decimal *d, char out[DECIMAL_PRINT_SIZE]);

extern Decimal decimal_from_int64(int64_t value);

/* CORE_INVALID where there is a fraction, CORE_TOO_LARGE outside of 64 bits. */
extern CoreStatus decimal_to_int64(const Decimal *d, int64_t *result);

/* The nearest double. */
extern double decimal_to_double(const Decimal *d);

/* -1, 0, 1; scales do not count (1.0 = 1.00) */
extern int	decimal_compare(const Decimal *a, const Decimal *b);
extern int	decimal_sign(const Decimal *d);
extern bool decimal_is_whole(const Decimal *d);

/*
 * FHIRPath's ~ (N1 6.1.2): both rounded to the scale of the less precise one,
 * zeros at the end of a fraction not counted as precision.
 */
extern bool decimal_equivalent(const Decimal *a, const Decimal *b);

/* The same number without zeros at the end of its fraction. */
extern Decimal decimal_strip(const Decimal *d);

extern CoreStatus decimal_add(const Decimal *a, const Decimal *b, Decimal *result);
extern CoreStatus decimal_sub(const Decimal *a, const Decimal *b, Decimal *result);
extern CoreStatus decimal_mul(const Decimal *a, const Decimal *b, Decimal *result);

/*
 * A quotient that ends within 38 digits is exact and has the least scale that is
 * not below scale(a) - scale(b); any other has 34 significant digits (at most 38
 * behind the point).  CORE_INVALID for b = 0.
 */
extern CoreStatus decimal_div(const Decimal *a, const Decimal *b, Decimal *result);

/* FHIRPath's div: the whole part of the quotient, towards zero, scale 0. */
extern CoreStatus decimal_div_whole(const Decimal *a, const Decimal *b, Decimal *result);

/* FHIRPath's mod: a - b * (a div b), exact, with the sign of a. */
extern CoreStatus decimal_mod(const Decimal *a, const Decimal *b, Decimal *result);

extern Decimal decimal_negate(const Decimal *d);
extern Decimal decimal_abs(const Decimal *d);

/* Whole numbers (scale 0): up, down, towards zero */
extern Decimal decimal_ceiling(const Decimal *d);
extern Decimal decimal_floor(const Decimal *d);
extern Decimal decimal_truncate(const Decimal *d);

/*
 * Halves away from zero.  A number with fewer decimals than digits is unchanged.
 * CORE_INVALID for digits < 0.
 */
extern CoreStatus decimal_round(const Decimal *d, int digits, Decimal *result);

/*
 * a ^ b.  Whole exponents multiply (exact while the digits suffice), others go
 * by exp and ln.  CORE_INVALID for a negative base with a fraction in the
 * exponent and for 0 to a negative power; x ^ 0 is 1.
 */
extern CoreStatus decimal_power(const Decimal *a, const Decimal *b, Decimal *result);

/* CORE_INVALID for a negative number.  Exact roots are exact. */
extern CoreStatus decimal_sqrt(const Decimal *d, Decimal *result);

/* CORE_INVALID for numbers that are not above 0; log also for base 1. */
extern CoreStatus decimal_ln(const Decimal *d, Decimal *result);
extern CoreStatus decimal_log(const Decimal *d, const Decimal *base, Decimal *result);
extern CoreStatus decimal_exp(const Decimal *d, Decimal *result);

/*
 * FHIRPath's lowBoundary and highBoundary: the end of the interval half a unit of
 * the last written digit to each side, rounded down (up) to that many digits
 * behind the point: 1.587 -> 1.586500, 1.587500 with precision 6 and 1.58, 1.59
 * with 2.  CORE_INVALID for a precision below 0 or above DECIMAL_BOUNDARY_MAX.
 */
extern CoreStatus decimal_low_boundary(const Decimal *d, int precision, Decimal *result);
extern CoreStatus decimal_high_boundary(const Decimal *d, int precision, Decimal *result);

/* FHIRPath's precision(): digits behind the point as written. */
static inline int
decimal_precision(const Decimal *d)
{
	return d->scale;
}

/*
 * PostgreSQL's numeric as it is stored, without the varlena header: a 16-bit
 * word (sign, scale, weight: "short"), or two of them ("long"), then digits to
 * the base of 10000.  The payload may stand at any address.  CORE_INVALID for
 * NaN and infinities, CORE_TOO_LARGE where digits would be lost (zeros at the end
 * of a scale above 38 are cut off).
 */
extern CoreStatus decimal_from_numeric(const void *payload, size_t len, Decimal *result);

/* Writes the payload that PostgreSQL itself would write; its length. */
extern size_t decimal_to_numeric(const Decimal *d, unsigned char out[DECIMAL_NUMERIC_SIZE]);

#endif							/* EHR_DECIMAL_H */
