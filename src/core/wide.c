/*
 * wide.c
 *		Whole numbers of up to 768 bits: schoolbook arithmetic on 32-bit limbs.
 */
#include "wide.h"

#include <string.h>

static void
trim(Wide *w)
{
	while (w->n > 0 && w->limb[w->n - 1] == 0)
		w->n--;
}

void
wide_set(Wide *w, wide_u128 value)
{
	for (w->n = 0; value != 0; value >>= 32)
		w->limb[w->n++] = (uint32_t) value;
}

bool
wide_get(const Wide *w, wide_u128 *value)
{
	wide_u128	v = 0;

	if (w->n > 4)
		return false;
	for (int i = w->n - 1; i >= 0; i--)
		v = v << 32 | w->limb[i];
	*value = v;
	return true;
}

int
wide_compare(const Wide *a, const Wide *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (int i = a->n - 1; i >= 0; i--)
	{
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

bool
wide_add(const Wide *a, const Wide *b, Wide *result)
{
	int			n = a->n > b->n ? a->n : b->n;
	uint64_t	carry = 0;

	for (int i = 0; i < n; i++)
	{
		carry += (uint64_t) (i < a->n ? a->limb[i] : 0) + (i < b->n ? b->limb[i] : 0);
		result->limb[i] = (uint32_t) carry;
		carry >>= 32;
	}
	if (carry != 0)
	{
		if (n == WIDE_LIMBS)
			return false;
		result->limb[n++] = (uint32_t) carry;
	}
	result->n = n;
	return true;
}

void
wide_sub(const Wide *a, const Wide *b, Wide *result)
{
	int64_t		borrow = 0;
	int			n = a->n;

	for (int i = 0; i < n; i++)
	{
		borrow += (int64_t) a->limb[i] - (i < b->n ? b->limb[i] : 0);
		result->limb[i] = (uint32_t) borrow;
		borrow = borrow < 0 ? -1 : 0;
	}
	result->n = n;
	trim(result);
}

bool
wide_mul(const Wide *a, const Wide *b, Wide *result)
{
	uint32_t	product[2 * WIDE_LIMBS] = {0};
	int			n = a->n + b->n;

	for (int i = 0; i < a->n; i++)
	{
		uint64_t	carry = 0;

		for (int j = 0; j < b->n; j++)
		{
			carry += (uint64_t) a->limb[i] * b->limb[j] + product[i + j];
			product[i + j] = (uint32_t) carry;
			carry >>= 32;
		}
		product[i + b->n] = (uint32_t) carry;
	}
	while (n > 0 && product[n - 1] == 0)
		n--;
	if (n > WIDE_LIMBS)
		return false;
	memcpy(result->limb, product, (size_t) n * sizeof(uint32_t));
	result->n = n;
	return true;
}

uint32_t
wide_divide_small(Wide *w, uint32_t divisor)
{
	uint64_t	rest = 0;

	for (int i = w->n - 1; i >= 0; i--)
	{
		rest = rest << 32 | w->limb[i];
		w->limb[i] = (uint32_t) (rest / divisor);
		rest %= divisor;
	}
	trim(w);
	return (uint32_t) rest;
}

/* limbs of w shifted left by bits < 32, one limb more */
static void
shift_left(const Wide *w, int bits, uint32_t *out)
{
	uint64_t	carry = 0;

	for (int i = 0; i < w->n; i++)
	{
		carry |= (uint64_t) w->limb[i] << bits;
		out[i] = (uint32_t) carry;
		carry >>= 32;
	}
	out[w->n] = (uint32_t) carry;
}

/* One digit of a long division: u -= q * v at a place; q is corrected where it was too large. */
static uint32_t
divide_step(uint32_t *u, const uint32_t *v, int n)
{
	uint64_t	top = (uint64_t) u[n] << 32 | u[n - 1];
	uint64_t	q = top / v[n - 1];
	uint64_t	r = top % v[n - 1];
	uint64_t	carry = 0;
	int64_t		borrow = 0;

	while (q > UINT32_MAX || (r <= UINT32_MAX && q * v[n - 2] > (r << 32 | u[n - 2])))
	{
		q--;
		r += v[n - 1];
		if (r > UINT32_MAX)
			break;
	}
	for (int i = 0; i < n; i++)
	{
		carry += q * v[i];
		borrow += (int64_t) u[i] - (uint32_t) carry;
		u[i] = (uint32_t) borrow;
		borrow = borrow < 0 ? -1 : 0;
		carry >>= 32;
	}
	borrow += (int64_t) u[n] - (int64_t) carry;
	u[n] = (uint32_t) borrow;
	if (borrow < 0)
	{
		q--;
		carry = 0;
		for (int i = 0; i < n; i++)
		{
			carry += (uint64_t) u[i] + v[i];
			u[i] = (uint32_t) carry;
			carry >>= 32;
		}
		u[n] += (uint32_t) carry;
	}
	return (uint32_t) q;
}

/* Knuth's algorithm D */
static void
divide_long(const Wide *a, const Wide *b, Wide *quotient, Wide *rest)
{
	uint32_t	u[WIDE_LIMBS + 1];
	uint32_t	v[WIDE_LIMBS + 1];
	int			bits = __builtin_clz(b->limb[b->n - 1]);
	int			n = b->n;
	int			m = a->n - n;

	shift_left(a, bits, u);
	shift_left(b, bits, v);
	for (int j = m; j >= 0; j--)
		quotient->limb[j] = divide_step(u + j, v, n);
	quotient->n = m + 1;
	trim(quotient);
	for (int i = 0; i < n; i++)
		rest->limb[i] = (uint32_t) (((uint64_t) u[i + 1] << 32 | u[i]) >> bits);
	rest->n = n;
	trim(rest);
}

void
wide_divide(const Wide *a, const Wide *b, Wide *quotient, Wide *rest)
{
	Wide		q,
				r;

	if (wide_compare(a, b) < 0)
	{
		q.n = 0;
		r = *a;
	}
	else if (b->n == 1)
	{
		q = *a;
		wide_set(&r, wide_divide_small(&q, b->limb[0]));
	}
	else
		divide_long(a, b, &q, &r);
	if (quotient != NULL)
		*quotient = q;
	if (rest != NULL)
		*rest = r;
}

bool
wide_power10(int n, Wide *result)
{
	wide_set(result, 1);
	return wide_scale10(result, n);
}

bool
wide_scale10(Wide *w, int n)
{
	Wide		factor;

	for (; n > 0; n -= 9)
	{
		uint32_t	power = 1;

		for (int i = 0; i < 9 && i < n; i++)
			power *= 10;
		wide_set(&factor, power);
		if (!wide_mul(w, &factor, w))
			return false;
	}
	return true;
}

static int
bit_length(const Wide *w)
{
	return w->n == 0 ? 0 : w->n * 32 - __builtin_clz(w->limb[w->n - 1]);
}

int
wide_digits(const Wide *w)
{
	Wide		power;
	int			digits;

	if (w->n == 0)
		return 0;
	/* at least so many; one more if the next power of ten is not above */
	digits = (int) ((bit_length(w) - 1) * INT64_C(30103) / 100000) + 1;
	if (wide_power10(digits, &power) && wide_compare(w, &power) >= 0)
		digits++;
	return digits;
}

bool
wide_sqrt(const Wide *w, Wide *root)
{
	Wide		x,
				y;

	if (w->n == 0)
	{
		root->n = 0;
		return true;
	}
	/* Newton's steps from above go down to the root and then no further. */
	memset(x.limb, 0, sizeof(x.limb));
	x.n = ((bit_length(w) + 1) / 2) / 32 + 1;
	x.limb[x.n - 1] = UINT32_C(1) << (((bit_length(w) + 1) / 2) % 32);
	for (;;)
	{
		wide_divide(w, &x, &y, NULL);
		(void) wide_add(&x, &y, &y);
		(void) wide_divide_small(&y, 2);
		if (wide_compare(&y, &x) >= 0)
			break;
		x = y;
	}
	*root = x;
	(void) wide_mul(&x, &x, &y);
	return wide_compare(&y, w) == 0;
}
