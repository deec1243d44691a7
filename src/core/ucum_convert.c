/*
 * ucum_convert.c
 *		Quantities of UCUM units: conversion, comparison, products and names of units.
 *
 * A quantity is value * factor in base units.  Of a special unit, the value goes through its
 * function first; Cel, [degF] and [degRe] are sums and stay exact, the others go by logarithms.
 */
#include "ucum.h"
#include "decimal_internal.h"
#include "ucum_internal.h"

#include <math.h>
#include <string.h>

/* pi * 10^36 */
#define PI_TENS		36
#define PI_POWER_MAX	3

static void
wide_pi(Wide *w)
{
	/* 3141592653589793238 462643383279502884 */
	wide_set(w, (wide_u128) UINT64_C(3141592653589793238) * UINT64_C(1000000000000000000) + UINT64_C(462643383279502884));
}

/* -- ratios ------------------------------------------------------------- */

/* Multiplies by pi^n, n >= 0, leaving tens * 10^-36n to the caller. */
static void
times_pi(Wide *w, int n)
{
	Wide		pi;

	wide_pi(&pi);
	for (; n > 0; n--)
		(void) wide_mul(w, &pi, w);
}

/* A plain power of ten keeps the digits that were written. */
static int
written_scale(const Decimal *value, const UcumFactor *f)
{
	int			scale = value->scale - f->exponent;

	if (f->pi != 0 || f->num.low != 1 || f->num.high != 0 || f->den.low != 1 || f->den.high != 0)
		return 0;
	return scale < 0 ? 0 : scale > DECIMAL_DIGITS ? DECIMAL_DIGITS : scale;
}

/* value * f where f is a whole number and tens: nothing to divide; false where that is not so, or does not fit */
static bool
apply_whole(const Decimal *value, const UcumFactor *f, Decimal *result, bool *exact)
{
	int			scale = value->scale - f->exponent;
	Wide		n,
				w;

	if (f->pi != 0 || f->den.low != 1 || f->den.high != 0 || scale < -DECIMAL_DIGITS || scale > 2 * DECIMAL_DIGITS)
		return false;
	wide_set(&n, decimal_magnitude(value));
	wide_set(&w, decimal_magnitude(&f->num));
	(void) wide_mul(&n, &w, &n);
	if (scale < 0)
	{
		(void) wide_scale10(&n, -scale);
		scale = 0;
	}
	decimal_strip_wide(&n, &scale, written_scale(value, f));
	if (scale > DECIMAL_DIGITS || wide_digits(&n) > DECIMAL_DIGITS)
		return false;
	*exact = *exact && f->exact;
	return decimal_fit(&n, scale, value->high < 0, false, DECIMAL_DIGITS, result) == CORE_OK;
}

/* value * f */
static CoreStatus
apply_factor(const Decimal *value, const UcumFactor *f, Decimal *result, bool *exact)
{
	Wide		n,
				d,
				w;
	int			tens = f->exponent;
	bool		quotient_exact;
	CoreStatus	status;

	if (apply_whole(value, f, result, exact))
		return CORE_OK;
	if (f->pi > PI_POWER_MAX || f->pi < -PI_POWER_MAX)
		return CORE_TOO_LARGE;
	wide_set(&n, decimal_magnitude(value));
	wide_set(&w, decimal_magnitude(&f->num));
	(void) wide_mul(&n, &w, &n);
	(void) wide_power10(value->scale, &d);
	wide_set(&w, decimal_magnitude(&f->den));
	(void) wide_mul(&d, &w, &d);
	if (f->pi > 0)
		times_pi(&n, f->pi);
	else
		times_pi(&d, -f->pi);
	tens -= PI_TENS * f->pi;
	if (wide_is_zero(&n))
		tens = 0;
	/* beyond these the result is far too large, or far below the last decimal */
	if (tens > 230)
		return CORE_TOO_LARGE;
	if (tens < -230)
	{
		*result = decimal_from_int64(0);
		*exact = false;
		return CORE_OK;
	}
	if (tens > 0 && !wide_scale10(&n, tens))
		return CORE_TOO_LARGE;
	if (tens < 0 && !wide_scale10(&d, -tens))
	{
		*result = decimal_from_int64(0);
		*exact = false;
		return CORE_OK;
	}
	status = decimal_quotient(&n, &d, written_scale(value, f), value->high < 0, result, &quotient_exact);
	*exact = *exact && quotient_exact && f->exact && f->pi == 0;
	return status;
}

/* -- special units ------------------------------------------------------ */

/* base^(sign * x / divisor), and its inverse sign * divisor * log(x) to the base */
typedef struct Level
{
	int			base;			/* 0: e */
	int			sign;
	int			divisor;
} Level;

static const Level levels[] = {
	[UCUM_PH] = {10, -1, 1},
	[UCUM_LN] = {0, 1, 1},
	[UCUM_LG] = {10, 1, 1},
	[UCUM_LG2] = {10, 1, 2},
	[UCUM_LD] = {2, 1, 1},
	[UCUM_HPX] = {10, -1, 1},
	[UCUM_HPC] = {100, -1, 1},
	[UCUM_HPM] = {1000, -1, 1},
	[UCUM_HPQ] = {50000, -1, 1},
};

/* Zero of a temperature scale, in its own degrees below the scale's zero */
static Decimal
offset_of(UcumFunction function)
{
	static const Decimal cel = {27315, 0, 2, 0};
	static const Decimal degf = {45967, 0, 2, 0};
	static const Decimal degre = {21852, 0, 2, 0};

	return function == UCUM_CEL ? cel : function == UCUM_DEGF ? degf : degre;
}

static CoreStatus
from_double(double x, Decimal *result)
{
	/* 15 good digits; no value of interest is beyond */
	if (!(fabs(x) < 1e9))
		return CORE_TOO_LARGE;
	*result = decimal_from_int64(llround(x * (fabs(x) < 1000 ? 1e15 : 1e9)));
	result->scale = fabs(x) < 1000 ? 15 : 9;
	*result = decimal_strip(result);
	return CORE_OK;
}

/* The value in the proper unit of what is x in the special one */
static CoreStatus
special_to_proper(UcumFunction function, const Decimal *x, Decimal *result, bool *exact)
{
	const Level *level = &levels[function];
	Decimal		y = *x;
	Decimal		n = offset_of(function);
	CoreStatus	status;

	if (function <= UCUM_DEGRE)
		return decimal_add(x, &n, result);
	*exact = false;
	if (function == UCUM_SQRT)
		return decimal_mul(x, x, result);
	if (function == UCUM_TAN100)
		return from_double(atan(decimal_to_double(x) / 100), result);
	if (level->sign < 0)
		y = decimal_negate(&y);
	n = decimal_from_int64(level->divisor);
	status = decimal_div(&y, &n, &y);
	if (status != CORE_OK)
		return status;
	if (level->base == 0)
		return decimal_exp(&y, result);
	n = decimal_from_int64(level->base);
	return decimal_power(&n, &y, result);
}

static CoreStatus
special_from_proper(UcumFunction function, const Decimal *x, Decimal *result, bool *exact)
{
	const Level *level = &levels[function];
	Decimal		n = offset_of(function);
	Decimal		y;
	CoreStatus	status;

	if (function <= UCUM_DEGRE)
		return decimal_sub(x, &n, result);
	*exact = false;
	if (function == UCUM_SQRT)
		return decimal_sqrt(x, result);
	if (function == UCUM_TAN100)
		return from_double(100 * tan(decimal_to_double(x)), result);
	n = decimal_from_int64(level->base);
	status = level->base == 0 ? decimal_ln(x, &y) : decimal_log(x, &n, &y);
	if (status != CORE_OK)
		return status;
	n = decimal_from_int64(level->divisor * level->sign);
	return decimal_mul(&y, &n, result);
}

/* A quantity as value * factor of a proper unit */
static CoreStatus
to_proper(const Decimal *value, const UcumUnit *unit, Decimal *v, UcumFactor *f, bool *exact)
{
	const UcumAtom *atom;
	Decimal		scaled;
	CoreStatus	status;

	if (unit->special == 0)
	{
		*v = *value;
		*f = unit->factor;
		return CORE_OK;
	}
	atom = &ucum_atoms[unit->special - 1];
	status = apply_factor(value, &unit->factor, &scaled, exact);
	if (status == CORE_OK)
		status = special_to_proper(atom->function, &scaled, v, exact);
	*f = atom->factor;
	return status;
}

/* Without the zeros that an offset (273.15) has put to the end of a fraction */
static Decimal
strip_offset(const Decimal *result, const Decimal *value)
{
	Decimal		r = decimal_strip(result);
	Decimal		zero = {0, 0, value->scale, 0};

	if (r.scale < value->scale && value->scale <= result->scale)
		(void) decimal_add(&r, &zero, &r);
	return r;
}

CoreStatus
ucum_convert(const Decimal *value, const UcumUnit *from, const UcumUnit *to, Decimal *result, bool *exact)
{
	const UcumAtom *special = to->special != 0 ? &ucum_atoms[to->special - 1] : NULL;
	static const UcumFactor one = {{1, 0, 0, 0}, {1, 0, 0, 0}, 0, 0, true};
	UcumFactor	f;
	Decimal		v;
	bool		all_exact = true;
	CoreStatus	status;

	if (!ucum_commensurable(from, to))
		return CORE_INVALID;
	if (ucum_same(from, to))
		v = *value;
	else
	{
		status = to_proper(value, from, &v, &f, &all_exact);
		if (status != CORE_OK)
			return status;
		if (!ucum_factor_multiply(&f, special ? &special->factor : &to->factor, true))
			return CORE_TOO_LARGE;
		status = apply_factor(&v, &f, &v, &all_exact);
		if (status == CORE_OK && special)
			status = special_from_proper(special->function, &v, &v, &all_exact);
		if (status == CORE_OK && special)
		{
			f = one;
			(void) ucum_factor_multiply(&f, &to->factor, true);
			status = apply_factor(&v, &f, &v, &all_exact);
		}
		if (status != CORE_OK)
			return status;
		if (from->special != 0 || special)
			v = strip_offset(&v, value);
	}
	*result = v;
	if (exact != NULL)
		*exact = all_exact;
	return CORE_OK;
}

/* -- comparison --------------------------------------------------------- */

/* |a| * f against |b| */
static int
compare_magnitudes(const Decimal *a, const UcumFactor *f, const Decimal *b)
{
	Wide		x,
				y,
				w;
	int			x_tens = f->exponent - a->scale - PI_TENS * f->pi;
	int			y_tens = -b->scale;
	int			x_digits,
				y_digits;

	wide_set(&x, decimal_magnitude(a));
	wide_set(&w, decimal_magnitude(&f->num));
	(void) wide_mul(&x, &w, &x);
	wide_set(&y, decimal_magnitude(b));
	wide_set(&w, decimal_magnitude(&f->den));
	(void) wide_mul(&y, &w, &y);
	if (f->pi > 0)
		times_pi(&x, f->pi);
	else
		times_pi(&y, -f->pi);
	/* where the numbers of digits differ, that says it; else the tens are few */
	x_digits = wide_digits(&x) + x_tens;
	y_digits = wide_digits(&y) + y_tens;
	if (x_digits != y_digits)
		return x_digits < y_digits ? -1 : 1;
	if (x_tens > y_tens)
		(void) wide_scale10(&x, x_tens - y_tens);
	else
		(void) wide_scale10(&y, y_tens - x_tens);
	return wide_compare(&x, &y);
}

CoreStatus
ucum_compare(const Decimal *a, const UcumUnit *a_unit, const Decimal *b, const UcumUnit *b_unit, int *result)
{
	Decimal		x,
				y;
	UcumFactor	f,
				g;
	bool		ignored = true;
	int			sign;
	CoreStatus	status;

	if (!ucum_commensurable(a_unit, b_unit))
		return CORE_INVALID;
	status = to_proper(a, a_unit, &x, &f, &ignored);
	if (status == CORE_OK)
		status = to_proper(b, b_unit, &y, &g, &ignored);
	if (status != CORE_OK)
		return status;
	sign = decimal_sign(&x);
	if (sign != decimal_sign(&y))
		*result = sign < decimal_sign(&y) ? -1 : 1;
	else if (sign == 0)
		*result = 0;
	else if (!ucum_factor_multiply(&f, &g, true) || f.pi > PI_POWER_MAX || f.pi < -PI_POWER_MAX)
		return CORE_TOO_LARGE;
	else
		*result = sign * compare_magnitudes(&x, &f, &y);
	return CORE_OK;
}

int
ucum_compare_size(const UcumUnit *a, const UcumUnit *b)
{
	static const Decimal one = {1, 0, 0, 0};
	UcumFactor	f = a->factor;
	bool		fits = true;

	/* a special unit's step is that of its proper unit */
	if (a->special != 0)
		fits = ucum_factor_multiply(&f, &ucum_atoms[a->special - 1].factor, false);
	fits = fits && ucum_factor_multiply(&f, &b->factor, true);
	if (b->special != 0)
		fits = fits && ucum_factor_multiply(&f, &ucum_atoms[b->special - 1].factor, true);
	if (!fits || f.pi > PI_POWER_MAX || f.pi < -PI_POWER_MAX)
		return f.exponent < 0 ? -1 : f.exponent > 0;
	return compare_magnitudes(&one, &f, &one);
}

/* -- terms as text ------------------------------------------------------ */

typedef struct Writer
{
	char	   *out;
	size_t		len;
	bool		full;
} Writer;

static void
put(Writer *w, const char *text, size_t len)
{
	if (len > UCUM_TERM_MAX - w->len)
		w->full = true;
	else
	{
		memcpy(w->out + w->len, text, len);
		w->len += len;
	}
}

static void
put_number(Writer *w, int n)
{
	char		digits[12];
	int			i = (int) sizeof(digits);

	if (n < 0)
		put(w, "-", 1);
	for (unsigned rest = n < 0 ? -(unsigned) n : (unsigned) n; rest > 0 || i == sizeof(digits); rest /= 10)
		digits[--i] = (char) ('0' + rest % 10);
	put(w, digits + i, sizeof(digits) - (size_t) i);
}

static CoreStatus
finish(Writer *w, size_t *len)
{
	if (w->full)
		return CORE_TOO_LARGE;
	if (w->len == 0)
		put(w, "1", 1);
	w->out[w->len] = '\0';
	*len = w->len;
	return CORE_OK;
}

/* Adds b's components to a's: like ones come together, numbers stay apart. */
static bool
join_parts(UcumParts *a, const UcumParts *b, int sign)
{
	for (int i = 0; i < b->n; i++)
	{
		const UcumPart *part = &b->part[i];
		int			j = 0;

		while (j < a->n && (part->factor || a->part[j].factor || a->part[j].len != part->len ||
							memcmp(a->part[j].text, part->text, (size_t) part->len) != 0))
			j++;
		if (j < a->n)
			a->part[j].exponent += sign * part->exponent;
		else if (part->factor && part->len == 1 && part->text[0] == '1')
			continue;
		else if (a->n == UCUM_PARTS_MAX)
			return false;
		else
		{
			a->part[a->n] = *part;
			a->part[a->n++].exponent *= sign;
		}
	}
	return true;
}

/* The components above the line with dots between them, then those below it */
static CoreStatus
print_parts(const UcumParts *parts, char *out, size_t *len)
{
	Writer		w = {out, 0, false};

	for (int below = 0; below < 2; below++)
	{
		for (int i = 0; i < parts->n; i++)
		{
			const UcumPart *part = &parts->part[i];
			int			exponent = below ? -part->exponent : part->exponent;

			if (exponent <= 0)
				continue;
			if (below && w.len == 0)
				put(&w, "1", 1);
			if (w.len > 0)
				put(&w, below ? "/" : ".", 1);
			put(&w, part->text, (size_t) part->len);
			if (exponent > 1)
				put_number(&w, exponent);
			if (exponent > UCUM_EXPONENT_MAX)
				return CORE_TOO_LARGE;
		}
	}
	return finish(&w, len);
}

static CoreStatus
combine(const char *a, size_t alen, const char *b, size_t blen, int sign, char *out, size_t *len)
{
	UcumParts	x,
				y,
				sum;
	UcumUnit	u,
				v;

	if (ucum_parse_parts(a, alen, &u, &x, NULL) != CORE_OK || ucum_parse_parts(b, blen, &v, &y, NULL) != CORE_OK ||
		u.special != 0 || v.special != 0)
		return CORE_INVALID;
	sum.n = 0;
	if (!join_parts(&sum, &x, 1) || !join_parts(&sum, &y, sign))
		return CORE_TOO_LARGE;
	return print_parts(&sum, out, len);
}

CoreStatus
ucum_multiply(const char *a, size_t alen, const char *b, size_t blen, char out[UCUM_TERM_MAX + 1], size_t *len)
{
	return combine(a, alen, b, blen, 1, out, len);
}

CoreStatus
ucum_divide(const char *a, size_t alen, const char *b, size_t blen, char out[UCUM_TERM_MAX + 1], size_t *len)
{
	return combine(a, alen, b, blen, -1, out, len);
}

CoreStatus
ucum_print_canonical(const UcumUnit *u, char out[UCUM_TERM_MAX + 1], size_t *len)
{
	static const char *const base[UCUM_DIMENSIONS] = {"m", "s", "g", "rad", "K", "C", "cd"};
	Writer		w = {out, 0, false};

	for (int i = 0; i < UCUM_DIMENSIONS + UCUM_ARBITRARY_MAX; i++)
	{
		int			a = i - UCUM_DIMENSIONS;
		int			exponent = a < 0 ? u->dimension[i] : u->arbitrary_exponent[a];
		const char *code;

		if (exponent == 0)
			continue;
		code = a < 0 ? base[i] : ucum_atoms[u->arbitrary[a] - 1].code;
		if (w.len > 0)
			put(&w, ".", 1);
		put(&w, code, strlen(code));
		if (exponent != 1)
			put_number(&w, exponent);
	}
	return finish(&w, len);
}

size_t
ucum_name(const char *text, size_t len, char out[UCUM_NAME_MAX])
{
	const UcumPrefix *prefix;
	const UcumAtom *atom = len <= UCUM_TERM_MAX ? ucum_find(text, len, &prefix) : NULL;
	const char *first;
	size_t		n;

	if (atom == NULL)
		return 0;
	first = prefix != NULL ? prefix->name : "";
	n = strlen(first);
	memcpy(out, first, n);
	memcpy(out + n, atom->name, strlen(atom->name) + 1);
	return n + strlen(atom->name);
}
