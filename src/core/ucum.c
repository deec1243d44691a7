/*
 * ucum.c
 *		Terms of UCUM: reading, canonical form, what goes together.
 *
 *	term		[/] component { (. | /) component }
 *	component	unit [exponent] [annotation] | annotation | number [annotation] | ( term ) [annotation]
 *	unit		[prefix] atom
 *
 * Conversion and printing: ucum_convert.c; the tables: ucum_data.c.
 */
#include "ucum.h"
#include "decimal_internal.h"
#include "ucum_internal.h"

#include <string.h>

#define DEPTH_MAX		20
#define DIMENSION_MAX	100
#define TENS_MAX		1000

/* -- factors ------------------------------------------------------------ */

static wide_u128
gcd(wide_u128 a, wide_u128 b)
{
	while (b != 0)
	{
		wide_u128	rest;

		if (a <= UINT64_MAX && b <= UINT64_MAX)
			rest = (uint64_t) a % (uint64_t) b;
		else
			rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/*
 * a * b with tens taken out; what has more than 38 digits is rounded to 36, and that is noted.
 */
static wide_u128
product(wide_u128 a, wide_u128 b, int *tens, bool *exact)
{
	Wide		x,
				y;
	wide_u128	result;
	int			excess;

	if (a == 1)
		return b;
	if (b == 1)
		return a;
	wide_set(&x, a);
	wide_set(&y, b);
	(void) wide_mul(&x, &y, &x);
	for (;;)
	{
		y = x;
		if (wide_divide_small(&y, 10) != 0)
			break;
		x = y;
		(*tens)++;
	}
	excess = wide_digits(&x) - (DECIMAL_DIGITS - 2);
	if (excess > 2)
	{
		Wide		rest;

		(void) wide_power10(excess, &y);
		wide_divide(&x, &y, &x, &rest);
		(void) wide_add(&rest, &rest, &rest);
		if (wide_compare(&rest, &y) >= 0)
		{
			wide_set(&y, 1);
			(void) wide_add(&x, &y, &x);
		}
		*tens += excess;
		*exact = false;
	}
	(void) wide_get(&x, &result);
	return result;
}

bool
ucum_factor_multiply(UcumFactor *a, const UcumFactor *b, bool divide)
{
	wide_u128	num = decimal_magnitude(divide ? &b->den : &b->num);
	wide_u128	den = decimal_magnitude(divide ? &b->num : &b->den);
	wide_u128	n = decimal_magnitude(&a->num);
	wide_u128	d = decimal_magnitude(&a->den);
	wide_u128	common;
	int			tens = 0;
	bool		exact = a->exact && b->exact;

	common = gcd(n, den);
	n /= common;
	den /= common;
	common = gcd(num, d);
	num /= common;
	d /= common;
	n = product(n, num, &tens, &exact);
	a->exponent += tens + (divide ? -b->exponent : b->exponent);
	tens = 0;
	d = product(d, den, &tens, &exact);
	a->exponent -= tens;
	/* twos and fives below the line are decimals */
	while (d % 2 == 0 && n < decimal_power10(DECIMAL_DIGITS - 1))
	{
		d /= 2;
		n *= 5;
		a->exponent--;
	}
	while (d % 5 == 0 && n < decimal_power10(DECIMAL_DIGITS - 1))
	{
		d /= 5;
		n *= 2;
		a->exponent--;
	}
	while (n % 10 == 0)
	{
		n /= 10;
		a->exponent++;
	}
	a->num = decimal_make(n, 0, false);
	a->den = decimal_make(d, 0, false);
	a->pi += divide ? -b->pi : b->pi;
	a->exact = exact;
	return a->exponent <= TENS_MAX && a->exponent >= -TENS_MAX && a->pi <= DIMENSION_MAX && a->pi >= -DIMENSION_MAX;
}

/* -- units -------------------------------------------------------------- */

static void
unit_one(UcumUnit *u)
{
	memset(u, 0, sizeof(*u));
	u->factor.num = decimal_from_int64(1);
	u->factor.den = decimal_from_int64(1);
	u->factor.exact = true;
}

/* Puts n powers of an arbitrary unit to a unit's list, which is kept sorted and without zeros. */
static bool
add_arbitrary(UcumUnit *u, int atom, int n)
{
	int			i = 0;
	int			sum;

	while (i < UCUM_ARBITRARY_MAX && u->arbitrary[i] != 0 && u->arbitrary[i] < atom)
		i++;
	if (i < UCUM_ARBITRARY_MAX && u->arbitrary[i] == atom)
	{
		sum = u->arbitrary_exponent[i] + n;
		if (sum > DIMENSION_MAX || sum < -DIMENSION_MAX)
			return false;
		u->arbitrary_exponent[i] = (int8_t) sum;
		if (sum != 0)
			return true;
		for (; i + 1 < UCUM_ARBITRARY_MAX; i++)
		{
			u->arbitrary[i] = u->arbitrary[i + 1];
			u->arbitrary_exponent[i] = u->arbitrary_exponent[i + 1];
		}
		u->arbitrary[i] = 0;
		u->arbitrary_exponent[i] = 0;
		return true;
	}
	if (i == UCUM_ARBITRARY_MAX || u->arbitrary[UCUM_ARBITRARY_MAX - 1] != 0)
		return false;
	for (int j = UCUM_ARBITRARY_MAX - 1; j > i; j--)
	{
		u->arbitrary[j] = u->arbitrary[j - 1];
		u->arbitrary_exponent[j] = u->arbitrary_exponent[j - 1];
	}
	u->arbitrary[i] = (int16_t) atom;
	u->arbitrary_exponent[i] = (int8_t) n;
	return true;
}

/* u = u * v^(1 or -1); false above the limits */
static bool
multiply_unit(UcumUnit *u, const UcumUnit *v, bool divide)
{
	if (!ucum_factor_multiply(&u->factor, &v->factor, divide))
		return false;
	for (int i = 0; i < UCUM_DIMENSIONS; i++)
	{
		int			sum = u->dimension[i] + (divide ? -v->dimension[i] : v->dimension[i]);

		if (sum > DIMENSION_MAX || sum < -DIMENSION_MAX)
			return false;
		u->dimension[i] = (int8_t) sum;
	}
	for (int i = 0; i < UCUM_ARBITRARY_MAX && v->arbitrary[i] != 0; i++)
	{
		if (!add_arbitrary(u, v->arbitrary[i], divide ? -v->arbitrary_exponent[i] : v->arbitrary_exponent[i]))
			return false;
	}
	return true;
}

static const UcumAtom *
find_atom(const char *text, size_t len)
{
	int			low = 0,
				high = ucum_natoms;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const char *code = ucum_atoms[middle].code;
		int			order = strncmp(text, code, len);

		if (order == 0 && code[len] == '\0')
			return &ucum_atoms[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const UcumAtom *
ucum_find(const char *text, size_t len, const UcumPrefix **prefix)
{
	const UcumAtom *atom = find_atom(text, len);

	*prefix = NULL;
	for (int i = 0; atom == NULL && i < ucum_nprefixes; i++)
	{
		size_t		n = strlen(ucum_prefixes[i].code);

		if (n >= len || memcmp(ucum_prefixes[i].code, text, n) != 0)
			continue;
		*prefix = &ucum_prefixes[i];
		atom = find_atom(text + n, len - n);
		if (atom != NULL && !atom->metric)
			atom = NULL;
	}
	return atom;
}

/* The factor of a prefix */
static UcumFactor
prefix_factor(const UcumPrefix *prefix)
{
	UcumFactor	f = {decimal_from_int64(1), decimal_from_int64(1), 0, 0, true};

	if (prefix != NULL)
	{
		f.num = decimal_from_int64(INT64_C(1) << prefix->twos);
		f.exponent = prefix->tens;
	}
	return f;
}

/* Base units and arbitrary units of an atom, its factor with the prefix's; a special one's is the prefix's alone. */
static void
unit_of_atom(const UcumAtom *atom, const UcumPrefix *prefix, UcumUnit *u)
{
	unit_one(u);
	u->factor = prefix_factor(prefix);
	memcpy(u->dimension, atom->dimension, sizeof(u->dimension));
	if (atom->arbitrary != 0)
		(void) add_arbitrary(u, atom->arbitrary, 1);
	if (atom->function != UCUM_PROPER)
		u->special = (int16_t) (atom - ucum_atoms + 1);
	else
		(void) ucum_factor_multiply(&u->factor, &atom->factor, false);
}

/* -- parser ------------------------------------------------------------- */

typedef struct Parser
{
	const char *start;
	const char *at;
	const char *end;
	int			depth;
	UcumParts  *parts;
	int			components;
	int16_t		special;
} Parser;

static CoreStatus parse_term(Parser *p, UcumUnit *u, bool divide);

static bool
at_digit(const Parser *p)
{
	return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static CoreStatus
note_part(Parser *p, const char *text, const char *end, int exponent, bool factor)
{
	UcumPart   *part;

	if (p->parts == NULL)
		return CORE_OK;
	if (p->parts->n == UCUM_PARTS_MAX)
		return CORE_TOO_LARGE;
	part = &p->parts->part[p->parts->n++];
	part->text = text;
	part->len = (int) (end - text);
	part->exponent = exponent;
	part->factor = factor;
	return CORE_OK;
}

/* {anything but braces}: printable ASCII without blanks */
static bool
skip_annotation(Parser *p)
{
	if (p->at == p->end || *p->at != '{')
		return false;
	for (const char *c = p->at + 1; c < p->end; c++)
	{
		if (*c == '}')
		{
			p->at = c + 1;
			return true;
		}
		if (*c < '!' || *c > '~' || *c == '{')
			break;
	}
	return false;
}

/* The end of a unit's symbol: brackets may hold anything, outside of them digits and signs begin the exponent */
static const char *
symbol_end(const Parser *p)
{
	const char *c = p->at;

	if (p->end - c >= 3 && memcmp(c, "10", 2) == 0 && (c[2] == '*' || c[2] == '^'))
		return c + 3;
	while (c < p->end && strchr("./(){}+-0123456789", *c) == NULL)
	{
		if (*c == '[')
		{
			const char *close = memchr(c, ']', (size_t) (p->end - c));

			if (close == NULL)
				return p->end;
			c = close;
		}
		c++;
	}
	return c;
}

/* An optional exponent, 1 to UCUM_EXPONENT_MAX with any sign */
static CoreStatus
parse_exponent(Parser *p, int *exponent)
{
	bool		negative = false;
	int			n = 0;

	*exponent = 1;
	if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
	{
		negative = *p->at++ == '-';
		if (!at_digit(p))
			return CORE_INVALID;
	}
	if (!at_digit(p))
		return CORE_OK;
	for (; at_digit(p); p->at++)
	{
		n = n * 10 + (*p->at - '0');
		if (n > UCUM_EXPONENT_MAX)
			return CORE_TOO_LARGE;
	}
	*exponent = negative ? -n : n;
	return CORE_OK;
}

static CoreStatus
parse_unit(Parser *p, UcumUnit *u, bool divide)
{
	const char *start = p->at;
	const char *end = symbol_end(p);
	const UcumPrefix *prefix;
	const UcumAtom *atom = end > start ? ucum_find(start, (size_t) (end - start), &prefix) : NULL;
	UcumUnit	v;
	CoreStatus	status;
	int			exponent;

	if (atom == NULL)
		return CORE_INVALID;
	unit_of_atom(atom, prefix, &v);
	p->at = end;
	status = parse_exponent(p, &exponent);
	if (status != CORE_OK)
		return status;
	if (v.special != 0)
	{
		/* alone, or not at all */
		p->special = v.special;
		p->components++;
		if (exponent != 1 || divide || p->components > 1)
			return CORE_INVALID;
		*u = v;
		return note_part(p, start, end, 1, false);
	}
	for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
	{
		if (!multiply_unit(u, &v, divide != (exponent < 0)))
			return CORE_TOO_LARGE;
	}
	(void) skip_annotation(p);
	p->components++;
	return note_part(p, start, end, divide ? -exponent : exponent, false);
}

static CoreStatus
parse_number(Parser *p, UcumUnit *u, bool divide)
{
	const char *start = p->at;
	UcumUnit	v;
	CoreStatus	status;

	unit_one(&v);
	while (at_digit(p))
		p->at++;
	status = decimal_parse(start, (size_t) (p->at - start), &v.factor.num);
	if (status != CORE_OK)
		return status;
	if (decimal_sign(&v.factor.num) == 0)
		return CORE_INVALID;
	if (!multiply_unit(u, &v, divide))
		return CORE_TOO_LARGE;
	p->components++;
	status = note_part(p, start, p->at, divide ? -1 : 1, true);
	(void) skip_annotation(p);
	return status;
}

static CoreStatus
parse_component(Parser *p, UcumUnit *u, bool divide)
{
	CoreStatus	status;

	if (p->special != 0)
		return CORE_INVALID;
	if (p->at < p->end && *p->at == '(')
	{
		if (++p->depth > DEPTH_MAX)
			return CORE_TOO_DEEP;
		p->at++;
		status = parse_term(p, u, divide);
		if (status != CORE_OK)
			return status;
		if (p->at == p->end || *p->at != ')')
			return CORE_INVALID;
		p->at++;
		p->depth--;
		(void) skip_annotation(p);
		return CORE_OK;
	}
	if (skip_annotation(p))
	{
		p->components++;
		return CORE_OK;
	}
	if (at_digit(p) && symbol_end(p) == p->at)
		return parse_number(p, u, divide);
	status = parse_unit(p, u, divide);
	if (status == CORE_OK && p->special != 0)
		(void) skip_annotation(p);
	return status;
}

static CoreStatus
parse_term(Parser *p, UcumUnit *u, bool divide)
{
	bool		below = divide;

	if (p->at < p->end && *p->at == '/')
	{
		below = !divide;
		p->at++;
		p->components++;
	}
	for (;;)
	{
		CoreStatus	status = parse_component(p, u, below);

		if (status != CORE_OK || p->at == p->end || (*p->at != '.' && *p->at != '/'))
			return status;
		below = divide != (*p->at++ == '/');
	}
}

CoreStatus
ucum_parse_parts(const char *text, size_t len, UcumUnit *unit, UcumParts *parts, size_t *position)
{
	Parser		p = {text, text, text + len, 0, parts, 0, 0};
	UcumUnit	u;
	CoreStatus	status;

	unit_one(&u);
	if (parts != NULL)
		parts->n = 0;
	if (len > UCUM_TERM_MAX)
		status = CORE_TOO_LARGE;
	else
	{
		status = parse_term(&p, &u, false);
		if (status == CORE_OK && p.at != p.end)
			status = CORE_INVALID;
	}
	if (status == CORE_OK)
		*unit = u;
	else if (position != NULL)
		*position = (size_t) (p.at - p.start);
	return status;
}

CoreStatus
ucum_parse(const char *text, size_t len, UcumUnit *unit, size_t *position)
{
	return ucum_parse_parts(text, len, unit, NULL, position);
}

bool
ucum_valid(const char *text, size_t len)
{
	UcumUnit	ignored;

	return ucum_parse(text, len, &ignored, NULL) == CORE_OK;
}

/* -- what goes together ------------------------------------------------- */

bool
ucum_commensurable(const UcumUnit *a, const UcumUnit *b)
{
	return memcmp(a->dimension, b->dimension, sizeof(a->dimension)) == 0 &&
		memcmp(a->arbitrary, b->arbitrary, sizeof(a->arbitrary)) == 0 &&
		memcmp(a->arbitrary_exponent, b->arbitrary_exponent, sizeof(a->arbitrary_exponent)) == 0;
}

bool
ucum_is_special(const UcumUnit *u)
{
	return u->special != 0;
}

static bool
same_factor(const UcumFactor *a, const UcumFactor *b)
{
	return decimal_compare(&a->num, &b->num) == 0 && decimal_compare(&a->den, &b->den) == 0 &&
		a->exponent == b->exponent && a->pi == b->pi;
}

bool
ucum_same(const UcumUnit *a, const UcumUnit *b)
{
	return ucum_commensurable(a, b) && a->special == b->special && same_factor(&a->factor, &b->factor);
}

bool
ucum_is_one(const UcumUnit *u)
{
	UcumUnit	one;

	unit_one(&one);
	return ucum_same(u, &one);
}
