/*
 * decimal_math.c
 *		Roots, logarithms, exponentials and powers of decimals.
 *
 * Logarithm and exponential work in fixed point with 60 decimals: some 20 more than
 * a decimal can hold, so that after rounding to 34 digits what is whole
 * (log(100, 10)) comes out whole.  No libm: the same digits everywhere.
 */
#include "decimal.h"
#include "decimal_internal.h"

#define FIXED_PLACES	60

/* A number with a sign, times 10^60 */
typedef struct Fixed
{
	Wide		m;
	bool		negative;
} Fixed;

static const Wide fixed_one = {7, {0x0, 0x10000000, 0x946590d9, 0xd762422c, 0x9a224501, 0x4f272617, 0x9f}};
static const Wide fixed_ln2 = {7, {0x168a48e8, 0xa5d67eb9, 0x85fdff29, 0xe0ec7dde, 0xbc01e2a9, 0x6cba3b19, 0x6e}};
static const Wide fixed_ln10 = {7, {0x77597e30, 0x27a6f97e, 0x1bf16486, 0xac83c81d, 0xf18a5b16, 0xd2ae1289, 0x16e}};

static void
fixed_add(Fixed *a, const Fixed *b)
{
	if (a->negative == b->negative)
		(void) wide_add(&a->m, &b->m, &a->m);
	else if (wide_compare(&a->m, &b->m) >= 0)
		wide_sub(&a->m, &b->m, &a->m);
	else
	{
		wide_sub(&b->m, &a->m, &a->m);
		a->negative = b->negative;
	}
}

/* Adds a constant n times, n of any sign. */
static void
fixed_add_times(Fixed *a, const Wide *constant, int n)
{
	Fixed		term = {*constant, n < 0};
	Wide		times;

	wide_set(&times, (unsigned) (n < 0 ? -n : n));
	(void) wide_mul(&term.m, &times, &term.m);
	fixed_add(a, &term);
}

/* m = m * by / 1 */
static void
fixed_scale(Wide *m, const Wide *by)
{
	(void) wide_mul(m, by, m);
	wide_divide(m, &fixed_one, m, NULL);
}

/*
 * ln(d) for d > 0: d = m * 2^t * 10^k with m in [0.75, 1.5], and ln(m) = 2 artanh((m - 1) / (m + 1)).
 */
static void
fixed_ln(const Decimal *d, Fixed *result)
{
	Wide		m,
				unit = fixed_one,
				n,
				z,
				square,
				term;
	int			digits,
				k,
				t = 0;

	wide_set(&m, decimal_magnitude(d));
	digits = wide_digits(&m);
	k = digits - 1 - d->scale;
	(void) wide_scale10(&m, FIXED_PLACES - (digits - 1));
	/* m is in [1, 10): rather [0.5, 5), so that numbers a little below 1 lose nothing */
	wide_set(&n, 5);
	(void) wide_mul(&n, &fixed_one, &n);
	if (wide_compare(&m, &n) >= 0)
	{
		(void) wide_scale10(&unit, 1);
		k++;
	}
	/* m / unit <= 1.5: 2 m <= 3 unit; m / unit >= 0.75: 4 m >= 3 unit */
	for (;;)
	{
		Wide		two,
					three;

		wide_set(&two, 2);
		wide_set(&three, 3);
		(void) wide_mul(&two, &m, &two);
		(void) wide_mul(&three, &unit, &three);
		if (wide_compare(&two, &three) > 0)
		{
			(void) wide_add(&unit, &unit, &unit);
			t++;
			continue;
		}
		(void) wide_add(&two, &two, &two);
		if (wide_compare(&two, &three) >= 0)
			break;
		(void) wide_add(&m, &m, &m);
		t--;
	}
	result->negative = wide_compare(&m, &unit) < 0;
	if (result->negative)
		wide_sub(&unit, &m, &n);
	else
		wide_sub(&m, &unit, &n);
	(void) wide_add(&m, &unit, &m);
	(void) wide_mul(&n, &fixed_one, &n);
	wide_divide(&n, &m, &z, NULL);
	square = z;
	fixed_scale(&square, &z);
	result->m = z;
	for (uint32_t i = 3; !wide_is_zero(&z); i += 2)
	{
		fixed_scale(&z, &square);
		term = z;
		(void) wide_divide_small(&term, i);
		(void) wide_add(&result->m, &term, &result->m);
	}
	(void) wide_add(&result->m, &result->m, &result->m);
	fixed_add_times(result, &fixed_ln2, t);
	fixed_add_times(result, &fixed_ln10, k);
}

/*
 * e^y as a decimal: y = k ln(10) + r, the series gives e^r in [1, 10).  y is used up.
 */
static CoreStatus
fixed_exp(Fixed *y, bool negative, Decimal *result)
{
	Wide		limit,
				quotient,
				sum,
				term;
	wide_u128	whole;
	int			k;
	CoreStatus	status;

	/* e^90 > 10^38, e^-100 < 10^-43 */
	wide_set(&limit, y->negative ? 100 : 90);
	(void) wide_mul(&limit, &fixed_one, &limit);
	if (wide_compare(&y->m, &limit) > 0)
	{
		if (!y->negative)
			return CORE_TOO_LARGE;
		*result = decimal_from_int64(0);
		return CORE_OK;
	}
	wide_divide(&y->m, &fixed_ln10, &quotient, NULL);
	(void) wide_get(&quotient, &whole);
	k = (int) whole;
	if (y->negative)
		k = -k - 1;
	fixed_add_times(y, &fixed_ln10, -k);
	sum = fixed_one;
	term = fixed_one;
	for (uint32_t i = 1; !wide_is_zero(&term); i++)
	{
		fixed_scale(&term, &y->m);
		(void) wide_divide_small(&term, i);
		(void) wide_add(&sum, &term, &sum);
	}
	status = decimal_fit(&sum, FIXED_PLACES - k, negative, false, DECIMAL_QUOTIENT, result);
	if (status == CORE_OK)
		*result = decimal_strip(result);
	return status;
}

CoreStatus
decimal_exp(const Decimal *d, Decimal *result)
{
	Fixed		y;

	y.negative = d->high < 0;
	wide_set(&y.m, decimal_magnitude(d));
	(void) wide_scale10(&y.m, FIXED_PLACES - d->scale);
	return fixed_exp(&y, false, result);
}

CoreStatus
decimal_ln(const Decimal *d, Decimal *result)
{
	Fixed		y;
	CoreStatus	status;

	if (decimal_sign(d) <= 0)
		return CORE_INVALID;
	fixed_ln(d, &y);
	status = decimal_fit(&y.m, FIXED_PLACES, y.negative, false, DECIMAL_QUOTIENT, result);
	if (status == CORE_OK)
		*result = decimal_strip(result);
	return status;
}

CoreStatus
decimal_log(const Decimal *d, const Decimal *base, Decimal *result)
{
	enum
	{
		PLACES = 50
	};
	Fixed		x,
				y;
	CoreStatus	status;

	if (decimal_sign(d) <= 0 || decimal_sign(base) <= 0)
		return CORE_INVALID;
	fixed_ln(d, &x);
	fixed_ln(base, &y);
	if (wide_is_zero(&y.m))
		return CORE_INVALID;
	(void) wide_scale10(&x.m, PLACES);
	wide_divide(&x.m, &y.m, &x.m, NULL);
	status = decimal_fit(&x.m, PLACES, x.negative != y.negative, false, DECIMAL_QUOTIENT, result);
	if (status == CORE_OK)
		*result = decimal_strip(result);
	return status;
}

CoreStatus
decimal_sqrt(const Decimal *d, Decimal *result)
{
	enum
	{
		PLACES = DECIMAL_DIGITS + 2
	};
	Wide		n;
	bool		exact;
	CoreStatus	status;

	if (decimal_sign(d) < 0)
		return CORE_INVALID;
	wide_set(&n, decimal_magnitude(d));
	(void) wide_scale10(&n, 2 * PLACES - d->scale);
	exact = wide_sqrt(&n, &n);
	status = decimal_fit(&n, PLACES, false, !exact, DECIMAL_QUOTIENT, result);
	if (status == CORE_OK)
		*result = decimal_strip(result);
	return status;
}

/* a * b where no digit is lost */
static bool
multiply_exactly(Decimal *a, const Decimal *b)
{
	Wide		x,
				y;

	wide_set(&x, decimal_magnitude(a));
	wide_set(&y, decimal_magnitude(b));
	(void) wide_mul(&x, &y, &x);
	if (a->scale + b->scale > DECIMAL_DIGITS || wide_digits(&x) > DECIMAL_DIGITS)
		return false;
	return decimal_mul(a, b, a) == CORE_OK;
}

/* base ^ n by squaring; false as soon as it cannot be exact */
static bool
power_exactly(Decimal base, uint64_t n, Decimal *result)
{
	*result = decimal_from_int64(1);
	for (;;)
	{
		if ((n & 1) != 0 && !multiply_exactly(result, &base))
			return false;
		n >>= 1;
		if (n == 0)
			return true;
		if (!multiply_exactly(&base, &base))
			return false;
	}
}

/* e^(b ln|a|), for a other than 0 */
static CoreStatus
power_by_logarithm(const Decimal *a, const Decimal *b, bool negative, Decimal *result)
{
	Decimal		base = decimal_abs(a);
	Fixed		y;
	Wide		factor;

	fixed_ln(&base, &y);
	wide_set(&factor, decimal_magnitude(b));
	(void) wide_mul(&y.m, &factor, &y.m);
	(void) wide_power10(b->scale, &factor);
	wide_divide(&y.m, &factor, &y.m, NULL);
	y.negative = y.negative != (b->high < 0);
	return fixed_exp(&y, negative, result);
}

CoreStatus
decimal_power(const Decimal *a, const Decimal *b, Decimal *result)
{
	Decimal		base = decimal_strip(a);
	Decimal		exponent = decimal_strip(b);
	Decimal		power;
	bool		whole = exponent.scale == 0;
	bool		odd = whole && (exponent.low & 1) != 0;
	int64_t		n;

	if (decimal_sign(b) == 0)
	{
		*result = decimal_from_int64(1);
		return CORE_OK;
	}
	if (decimal_sign(a) == 0)
	{
		if (decimal_sign(b) < 0)
			return CORE_INVALID;
		*result = decimal_from_int64(0);
		return CORE_OK;
	}
	if (a->high < 0 && !whole)
		return CORE_INVALID;
	if (whole && decimal_to_int64(&exponent, &n) == CORE_OK &&
		power_exactly(base, n < 0 ? -(uint64_t) n : (uint64_t) n, &power))
	{
		Decimal		one = decimal_from_int64(1);

		if (n > 0)
		{
			*result = power;
			return CORE_OK;
		}
		return decimal_div(&one, &power, result);
	}
	return power_by_logarithm(&base, &exponent, a->high < 0 && odd, result);
}
