/*
 * wide.h
 *		Whole numbers above 0 of up to 768 bits (231 digits): what decimals need between their steps.
 *
 * No allocation.  Where a result could outgrow the 768 bits, the function says so;
 * decimals keep their operands small enough.
 */
#ifndef EHR_WIDE_H
#define EHR_WIDE_H

#include "core.h"

#define WIDE_LIMBS	24

__extension__ typedef unsigned __int128 wide_u128;
__extension__ typedef __int128 wide_i128;

/* limb[0] is the lowest; n limbs are used, the highest of them is not 0 */
typedef struct Wide
{
	int			n;
	uint32_t	limb[WIDE_LIMBS];
} Wide;

extern void wide_set(Wide *w, wide_u128 value);

/* False where the number has more than 128 bits. */
extern bool wide_get(const Wide *w, wide_u128 *value);

extern int	wide_compare(const Wide *a, const Wide *b);

/* False where the result does not fit; the result may be an operand. */
extern bool wide_add(const Wide *a, const Wide *b, Wide *result);
extern bool wide_mul(const Wide *a, const Wide *b, Wide *result);

/* For a >= b */
extern void wide_sub(const Wide *a, const Wide *b, Wide *result);

/* b is not 0; quotient and rest may be NULL or operands, but not the same. */
extern void wide_divide(const Wide *a, const Wide *b, Wide *quotient, Wide *rest);

/* Divides by a small number; the rest. */
extern uint32_t wide_divide_small(Wide *w, uint32_t divisor);

/* 10^n; false where it does not fit, n >= 0 */
extern bool wide_power10(int n, Wide *result);
extern bool wide_scale10(Wide *w, int n);

/* Decimal digits, 0 for 0 */
extern int	wide_digits(const Wide *w);

/* The whole part of the square root; whether it is exact. */
extern bool wide_sqrt(const Wide *w, Wide *root);

static inline bool
wide_is_zero(const Wide *w)
{
	return w->n == 0;
}

#endif							/* EHR_WIDE_H */
