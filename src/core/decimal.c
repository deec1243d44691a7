/*
 * decimal.c
 *		Exact decimals: reading, printing, comparing, the four operations, rounding.
 *
 * The common case (64-bit coefficients) stays in 128 bits; everything else goes
 * through wide.h.  Roots, logarithms and powers: decimal_math.c; PostgreSQL's
 * numeric: decimal_numeric.c.
 */
#include "decimal.h"
#include "decimal_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 10^0 to 10^19, what fits into 64 bits */
static const uint64_t small_power[] = {
	1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
	10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
	1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
	10000000000000000000u
};

wide_u128
decimal_power10(int n)
{
	return n < 20 ? small_power[n] : (wide_u128) small_power[19] * small_power[n - 19];
}

#define COEFFICIENT_END decimal_power10(DECIMAL_DIGITS)

Decimal
decimal_make(wide_u128 coefficient, int scale, bool negative)
{
	wide_u128	c = negative ? -coefficient : coefficient;
	Decimal		d = {(uint64_t) c, (int64_t) (uint64_t) (c >> 64), scale, 0};

	return d;
}

wide_u128
decimal_magnitude(const Decimal *d)
{
	wide_u128	c = (wide_u128) (uint64_t) d->high << 64 | d->low;

	return d->high < 0 ? -c : c;
}

/* Whether a coefficient is below 2^63, so that products of two stay in 126 bits */
static inline bool
is_small(const Decimal *d)
{
	return d->high == (int64_t) d->low >> 63 && d->low != (uint64_t) INT64_MIN;
}

CoreStatus
decimal_fit(Wide *n, int scale, bool negative, bool sticky, int digits, Decimal *result)
{
	int			have = wide_digits(n);
	int			drop = have - digits;
	wide_u128	c;

	if (drop < scale - DECIMAL_DIGITS)
		drop = scale - DECIMAL_DIGITS;
	/* digits before the point are never dropped, only refused */
	if (drop > scale)
		drop = scale;
	if (drop > 0)
	{
		Wide		power,
					rest;
		int			half;

		if (drop > have + 1)
		{
			/* far below half a unit of the last place */
			n->n = 0;
		}
		else
		{
			(void) wide_power10(drop, &power);
			wide_divide(n, &power, n, &rest);
			(void) wide_add(&rest, &rest, &rest);
			half = wide_compare(&rest, &power);
			if (half > 0 || (half == 0 && (sticky || (n->n > 0 && (n->limb[0] & 1)))))
			{
				wide_set(&power, 1);
				(void) wide_add(n, &power, n);
			}
		}
		scale -= drop;
	}
	if (!wide_get(n, &c) || c > COEFFICIENT_END)
		return CORE_TOO_LARGE;
	if (c == COEFFICIENT_END)
	{
		if (scale == 0)
			return CORE_TOO_LARGE;
		c /= 10;
		scale--;
	}
	*result = decimal_make(c, scale, negative);
	return CORE_OK;
}

/* -- text --------------------------------------------------------------- */

typedef struct Reader
{
	const char *at;
	const char *end;
	wide_u128	coefficient;
	int64_t		scale;
	int			digits;			/* of the coefficient */
} Reader;

static bool
at_digit(const Reader *r)
{
	return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* Reads a run of digits; what the coefficient has no room for must be 0. */
static CoreStatus
read_digits(Reader *r, bool fraction)
{
	if (!at_digit(r))
		return CORE_INVALID;
	for (; at_digit(r); r->at++)
	{
		int			digit = *r->at - '0';

		if (r->digits < DECIMAL_DIGITS)
		{
			r->coefficient = r->coefficient * 10 + (unsigned) digit;
			r->digits += r->coefficient != 0;
			r->scale += fraction;
		}
		else if (digit != 0)
			return CORE_TOO_LARGE;
		else if (!fraction)
			r->scale--;
	}
	return CORE_OK;
}

static CoreStatus
read_exponent(Reader *r)
{
	int64_t		exponent = 0;
	bool		negative = false;

	if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
		negative = *r->at++ == '-';
	if (!at_digit(r))
		return CORE_INVALID;
	for (; at_digit(r); r->at++)
	{
		if (exponent < 1000000)
			exponent = exponent * 10 + (*r->at - '0');
	}
	r->scale += negative ? exponent : -exponent;
	return CORE_OK;
}

/* Brings the scale into 0 to 38. */
static CoreStatus
settle_scale(Reader *r)
{
	if (r->coefficient == 0)
	{
		r->scale = r->scale < 0 ? 0 : r->scale > DECIMAL_DIGITS ? DECIMAL_DIGITS : r->scale;
		return CORE_OK;
	}
	for (; r->scale < 0; r->scale++)
	{
		if (++r->digits > DECIMAL_DIGITS)
			return CORE_TOO_LARGE;
		r->coefficient *= 10;
	}
	for (; r->scale > DECIMAL_DIGITS; r->scale--)
	{
		if (r->coefficient % 10 != 0)
			return CORE_TOO_LARGE;
		r->coefficient /= 10;
	}
	return CORE_OK;
}

CoreStatus
decimal_parse(const char *text, size_t len, Decimal *result)
{
	Reader		r = {text, text + len, 0, 0, 0};
	bool		negative = false;
	CoreStatus	status,
				later = CORE_OK;

	if (r.at < r.end && (*r.at == '+' || *r.at == '-'))
		negative = *r.at++ == '-';
	status = read_digits(&r, false);
	if (status == CORE_TOO_LARGE)
	{
		/* A number all the same?  What is none is INVALID, however long. */
		later = status;
		while (at_digit(&r))
			r.at++;
		status = CORE_OK;
	}
	if (status == CORE_OK && r.at < r.end && *r.at == '.')
	{
		r.at++;
		status = read_digits(&r, true);
		if (status == CORE_TOO_LARGE)
		{
			later = status;
			while (at_digit(&r))
				r.at++;
			status = CORE_OK;
		}
	}
	if (status == CORE_OK && r.at < r.end && (*r.at == 'e' || *r.at == 'E'))
	{
		r.at++;
		status = read_exponent(&r);
	}
	if (status == CORE_OK && r.at != r.end)
		status = CORE_INVALID;
	if (status == CORE_OK)
		status = later;
	if (status == CORE_OK)
		status = settle_scale(&r);
	if (status == CORE_OK)
		*result = decimal_make(r.coefficient, (int) r.scale, negative);
	return status;
}

size_t
decimal_print(const Decimal *d, char out[DECIMAL_PRINT_SIZE])
{
	char		digits[DECIMAL_DIGITS + 2];
	char	   *o = out;
	wide_u128	c = decimal_magnitude(d);
	int			n = 0;

	/* from the last to the first, at least one before the point */
	while (c > UINT64_MAX)
	{
		digits[n++] = (char) ('0' + (int) (c % 10));
		c /= 10;
	}
	for (uint64_t rest = (uint64_t) c; rest > 0 || n <= d->scale; rest /= 10)
		digits[n++] = (char) ('0' + (int) (rest % 10));
	if (d->high < 0)
		*o++ = '-';
	while (n > 0)
	{
		if (n-- == d->scale)
			*o++ = '.';
		*o++ = digits[n];
	}
	*o = '\0';
	return (size_t) (o - out);
}

/* -- conversions -------------------------------------------------------- */

Decimal
decimal_from_int64(int64_t value)
{
	Decimal		d = {(uint64_t) value, value < 0 ? -1 : 0, 0, 0};

	return d;
}

CoreStatus
decimal_to_int64(const Decimal *d, int64_t *result)
{
	Decimal		whole = decimal_strip(d);

	if (whole.scale > 0)
		return CORE_INVALID;
	if (whole.high != (int64_t) whole.low >> 63)
		return CORE_TOO_LARGE;
	*result = (int64_t) whole.low;
	return CORE_OK;
}

double
decimal_to_double(const Decimal *d)
{
	char		text[DECIMAL_PRINT_SIZE + 8];
	Decimal		whole = *d;
	size_t		len;

	/* without a point, which may be another character in a locale */
	whole.scale = 0;
	len = decimal_print(&whole, text);
	snprintf(text + len, sizeof(text) - len, "e-%d", (int) d->scale);
	return strtod(text, NULL);
}

/* -- comparison --------------------------------------------------------- */

int
decimal_sign(const Decimal *d)
{
	return d->high < 0 ? -1 : (d->high > 0 || d->low > 0);
}

/* Coefficient at a scale that is not below its own */
static void
widen(const Decimal *d, int scale, Wide *out)
{
	wide_set(out, decimal_magnitude(d));
	(void) wide_scale10(out, scale - d->scale);
}

int
decimal_compare(const Decimal *a, const Decimal *b)
{
	int			sign = decimal_sign(a);
	Wide		x,
				y;
	int			scale;

	if (sign != decimal_sign(b) || sign == 0)
		return sign < decimal_sign(b) ? -1 : sign > decimal_sign(b);
	if (a->scale == b->scale)
		return a->high != b->high ? (a->high < b->high ? -1 : 1) : a->low != b->low ? (a->low < b->low ? -1 : 1) : 0;
	scale = a->scale > b->scale ? a->scale : b->scale;
	if (is_small(a) && is_small(b) && scale - a->scale < 19 && scale - b->scale < 19)
	{
		wide_i128	p = (wide_i128) (int64_t) a->low * (int64_t) small_power[scale - a->scale];
		wide_i128	q = (wide_i128) (int64_t) b->low * (int64_t) small_power[scale - b->scale];

		return p < q ? -1 : p > q;
	}
	widen(a, scale, &x);
	widen(b, scale, &y);
	return sign * wide_compare(&x, &y);
}

Decimal
decimal_strip(const Decimal *d)
{
	wide_u128	c;
	int			scale = d->scale;

	if (scale == 0)
		return *d;
	c = decimal_magnitude(d);
	if (c == 0)
		scale = 0;
	for (; scale > 0 && c > UINT64_MAX && c % 10 == 0; scale--)
		c /= 10;
	if (c <= UINT64_MAX)
	{
		uint64_t	small = (uint64_t) c;

		for (; scale > 0 && small % 10 == 0; scale--)
			small /= 10;
		c = small;
	}
	return decimal_make(c, scale, d->high < 0);
}

bool
decimal_is_whole(const Decimal *d)
{
	return decimal_strip(d).scale == 0;
}

bool
decimal_equivalent(const Decimal *a, const Decimal *b)
{
	Decimal		x = decimal_strip(a);
	Decimal		y = decimal_strip(b);
	int			scale = x.scale < y.scale ? x.scale : y.scale;

	return decimal_round(&x, scale, &x) == CORE_OK && decimal_round(&y, scale, &y) == CORE_OK &&
		decimal_compare(&x, &y) == 0;
}

/* -- the four operations ------------------------------------------------ */

/* a + b, with b's sign given */
static CoreStatus
add_wide(const Decimal *a, const Decimal *b, bool b_negative, Decimal *result)
{
	int			scale = a->scale > b->scale ? a->scale : b->scale;
	bool		negative = a->high < 0;
	Wide		x,
				y;

	widen(a, scale, &x);
	widen(b, scale, &y);
	if (negative == b_negative)
		(void) wide_add(&x, &y, &x);
	else if (wide_compare(&x, &y) >= 0)
		wide_sub(&x, &y, &x);
	else
	{
		wide_sub(&y, &x, &x);
		negative = b_negative;
	}
	return decimal_fit(&x, scale, negative, false, DECIMAL_DIGITS, result);
}

static CoreStatus
add_signed(const Decimal *a, const Decimal *b, bool subtract, Decimal *result)
{
	int			scale = a->scale > b->scale ? a->scale : b->scale;

	if (is_small(a) && is_small(b) && scale - a->scale < 18 && scale - b->scale < 18)
	{
		wide_i128	x = (wide_i128) (int64_t) a->low * (int64_t) small_power[scale - a->scale];
		wide_i128	y = (wide_i128) (int64_t) b->low * (int64_t) small_power[scale - b->scale];
		wide_i128	sum = subtract ? x - y : x + y;

		/* below 2 * 2^63 * 10^17 < 10^38 */
		*result = decimal_make(sum < 0 ? -(wide_u128) sum : (wide_u128) sum, scale, sum < 0);
		return CORE_OK;
	}
	return add_wide(a, b, (b->high < 0) != subtract && decimal_sign(b) != 0, result);
}

CoreStatus
decimal_add(const Decimal *a, const Decimal *b, Decimal *result)
{
	return add_signed(a, b, false, result);
}

CoreStatus
decimal_sub(const Decimal *a, const Decimal *b, Decimal *result)
{
	return add_signed(a, b, true, result);
}

CoreStatus
decimal_mul(const Decimal *a, const Decimal *b, Decimal *result)
{
	int			scale = a->scale + b->scale;
	bool		negative = (a->high < 0) != (b->high < 0);
	Wide		x,
				y;

	if (is_small(a) && is_small(b) && scale <= DECIMAL_DIGITS)
	{
		wide_i128	product = (wide_i128) (int64_t) a->low * (int64_t) b->low;

		/* below 2^126 < 10^38 */
		*result = decimal_make(product < 0 ? -(wide_u128) product : (wide_u128) product, scale, product < 0);
		return CORE_OK;
	}
	wide_set(&x, decimal_magnitude(a));
	wide_set(&y, decimal_magnitude(b));
	(void) wide_mul(&x, &y, &x);
	return decimal_fit(&x, scale, negative, false, DECIMAL_DIGITS, result);
}

void
decimal_strip_wide(Wide *n, int *scale, int least)
{
	/* nine zeros at once where there are so many */
	static const struct
	{
		int			zeros;
		uint32_t	power;
	}			steps[] = {{9, 1000000000}, {3, 1000}, {1, 10}};

	for (int i = 0; i < 3; i++)
	{
		while (*scale - steps[i].zeros >= least && n->n > 0)
		{
			Wide		shorter = *n;

			if (wide_divide_small(&shorter, steps[i].power) != 0)
				break;
			*n = shorter;
			*scale -= steps[i].zeros;
		}
	}
	if (n->n == 0 && *scale > least)
		*scale = least;
}

CoreStatus
decimal_quotient(Wide *n, const Wide *d, int least, bool negative, Decimal *result, bool *exact)
{
	Wide		rest;
	int			scale = DECIMAL_DIGITS + 2;

	/* what ends within 38 digits behind the point, ends; two more to round by */
	if (!wide_scale10(n, scale))
		return CORE_TOO_LARGE;
	wide_divide(n, d, n, &rest);
	*exact = wide_is_zero(&rest);
	if (*exact)
	{
		decimal_strip_wide(n, &scale, least);
		if (wide_digits(n) <= DECIMAL_DIGITS && scale <= DECIMAL_DIGITS)
			return decimal_fit(n, scale, negative, false, DECIMAL_DIGITS, result);
		*exact = false;
	}
	return decimal_fit(n, scale, negative, !wide_is_zero(&rest), DECIMAL_QUOTIENT, result);
}

CoreStatus
decimal_div(const Decimal *a, const Decimal *b, Decimal *result)
{
	int			least = a->scale > b->scale ? a->scale - b->scale : 0;
	bool		negative = (a->high < 0) != (b->high < 0);
	bool		exact;
	Wide		n,
				d;

	if (decimal_sign(b) == 0)
		return CORE_INVALID;
	/* whole quotients of small numbers: no need to look for the last digit */
	if (is_small(a) && is_small(b) && a->scale >= b->scale && (int64_t) a->low % (int64_t) b->low == 0)
	{
		int64_t		q = (int64_t) a->low / (int64_t) b->low;

		*result = decimal_from_int64(q);
		result->scale = least;
		return CORE_OK;
	}
	wide_set(&n, decimal_magnitude(a));
	wide_set(&d, decimal_magnitude(b));
	(void) wide_scale10(&n, b->scale);
	(void) wide_scale10(&d, a->scale);
	return decimal_quotient(&n, &d, least, negative, result, &exact);
}

/* Quotient and rest of the magnitudes at the larger scale, which is the rest's */
static int
divide_aligned(const Decimal *a, const Decimal *b, Wide *quotient, Wide *rest)
{
	int			scale = a->scale > b->scale ? a->scale : b->scale;
	Wide		n,
				d;

	widen(a, scale, &n);
	widen(b, scale, &d);
	wide_divide(&n, &d, quotient, rest);
	return scale;
}

CoreStatus
decimal_div_whole(const Decimal *a, const Decimal *b, Decimal *result)
{
	bool		negative = (a->high < 0) != (b->high < 0);
	Wide		quotient;

	if (decimal_sign(b) == 0)
		return CORE_INVALID;
	(void) divide_aligned(a, b, &quotient, NULL);
	return decimal_fit(&quotient, 0, negative, false, DECIMAL_DIGITS, result);
}

CoreStatus
decimal_mod(const Decimal *a, const Decimal *b, Decimal *result)
{
	bool		negative = a->high < 0;
	int			scale;
	Wide		rest;

	if (decimal_sign(b) == 0)
		return CORE_INVALID;
	scale = divide_aligned(a, b, NULL, &rest);
	/* exact: not below the last places of a and b, and smaller than both */
	if (wide_digits(&rest) > DECIMAL_DIGITS)
		return CORE_TOO_LARGE;
	return decimal_fit(&rest, scale, negative, false, DECIMAL_DIGITS, result);
}

Decimal
decimal_negate(const Decimal *d)
{
	return decimal_make(decimal_magnitude(d), d->scale, d->high >= 0);
}

Decimal
decimal_abs(const Decimal *d)
{
	return decimal_make(decimal_magnitude(d), d->scale, false);
}

/* -- rounding ----------------------------------------------------------- */

typedef enum Direction
{
	TO_ZERO,
	DOWN,
	UP,
	HALF_AWAY
} Direction;

/* Fewer decimals; digits is from 0 to the number's scale. */
static Decimal
cut(const Decimal *d, int digits, Direction direction)
{
	wide_u128	unit = decimal_power10(d->scale - digits);
	wide_u128	c = decimal_magnitude(d);
	wide_u128	rest = c % unit;
	bool		negative = d->high < 0;
	bool		away;

	c /= unit;
	switch (direction)
	{
		case DOWN:
			away = negative && rest != 0;
			break;
		case UP:
			away = !negative && rest != 0;
			break;
		case HALF_AWAY:
			away = rest >= unit - rest && rest != 0;
			break;
		default:
			away = false;
	}
	/* with a digit gone there is room for one more */
	return decimal_make(c + away, digits, negative);
}

Decimal
decimal_ceiling(const Decimal *d)
{
	return cut(d, 0, UP);
}

Decimal
decimal_floor(const Decimal *d)
{
	return cut(d, 0, DOWN);
}

Decimal
decimal_truncate(const Decimal *d)
{
	return cut(d, 0, TO_ZERO);
}

CoreStatus
decimal_round(const Decimal *d, int digits, Decimal *result)
{
	if (digits < 0)
		return CORE_INVALID;
	*result = digits < d->scale ? cut(d, digits, HALF_AWAY) : *d;
	return CORE_OK;
}

/* The end of the interval below (or above), at a precision */
static CoreStatus
boundary(const Decimal *d, int precision, bool low, Decimal *result)
{
	bool		negative = d->high < 0;
	bool		zero = decimal_sign(d) == 0;
	bool		outward = zero || negative == low;	/* away from 0 */
	int			scale = d->scale + 1;
	Wide		n,
				five,
				power;

	if (precision < 0 || precision > DECIMAL_BOUNDARY_MAX)
		return CORE_INVALID;
	/* one digit more, and half a unit of the last written one */
	wide_set(&n, decimal_magnitude(d));
	wide_set(&five, 5);
	(void) wide_scale10(&n, 1);
	if (outward)
		(void) wide_add(&n, &five, &n);
	else
		wide_sub(&n, &five, &n);
	if (zero)
		negative = low;
	if (precision >= scale)
		(void) wide_scale10(&n, precision - scale);
	else
	{
		Wide		rest;

		(void) wide_power10(scale - precision, &power);
		wide_divide(&n, &power, &n, &rest);
		if (negative == low && !wide_is_zero(&rest))
		{
			wide_set(&five, 1);
			(void) wide_add(&n, &five, &n);
		}
	}
	if (wide_digits(&n) > DECIMAL_DIGITS)
		return CORE_TOO_LARGE;
	return decimal_fit(&n, precision, negative, false, DECIMAL_DIGITS, result);
}

CoreStatus
decimal_low_boundary(const Decimal *d, int precision, Decimal *result)
{
	return boundary(d, precision, true, result);
}

CoreStatus
decimal_high_boundary(const Decimal *d, int precision, Decimal *result)
{
	return boundary(d, precision, false, result);
}
