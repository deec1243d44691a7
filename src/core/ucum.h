/*
 * ucum.h
 *		Units of measure: the case-sensitive terms of UCUM (ucum.org, version 2.2).
 *
 * A term such as mg/dL, 10*3/uL, kg.m/s2, mm[Hg], {cells}/(12.h) is read into a
 * canonical form: a factor, powers of the seven base units, and of arbitrary
 * units such as [iU], which compare with nothing but themselves.  A factor is a
 * fraction num/den * 10^exponent * pi^k of whole numbers, so that every conversion
 * whose answer is a decimal is exact; only factors that outgrow 38 digits are
 * rounded, and say so (exact = false).
 *
 * Special units (Cel, [degF], [pH], B, ...) are functions of a proper unit: they
 * convert, but are no part of products and have no prefix other than what UCUM
 * allows.  Annotations {...} count as 1.
 *
 * Pure: no allocation, no state.
 */
#ifndef EHR_UCUM_H
#define EHR_UCUM_H

#include "core.h"
#include "decimal.h"

#define UCUM_TERM_MAX		200 /* bytes of a term */
#define UCUM_NAME_MAX		80
#define UCUM_DIMENSIONS		7
#define UCUM_ARBITRARY_MAX	3	/* different arbitrary units in one term */
#define UCUM_EXPONENT_MAX	30	/* of a component, and of a dimension */

/* The base units in the order of the dimension vector: m s g rad K C cd */
typedef struct UcumFactor
{
	Decimal		num;			/* whole, above 0 */
	Decimal		den;			/* whole, above 0 */
	int			exponent;		/* of 10 */
	int			pi;				/* exponent of pi */
	bool		exact;
} UcumFactor;

typedef struct UcumUnit
{
	UcumFactor	factor;
	int8_t		dimension[UCUM_DIMENSIONS];
	int8_t		arbitrary_exponent[UCUM_ARBITRARY_MAX];
	int16_t		arbitrary[UCUM_ARBITRARY_MAX];	/* atoms, ascending; 0 in unused places */
	int16_t		special;		/* atom of a special unit, else 0; the factor is then the prefix's */
} UcumUnit;

/*
 * Reads a term.  CORE_INVALID: *position (where not NULL) is the byte at which it
 * cannot go on; CORE_TOO_LARGE: more than UCUM_TERM_MAX bytes, exponents beyond
 * limits; CORE_TOO_DEEP: more than 20 parentheses in each other.  The empty text is
 * invalid; "1" is the unit one.
 */
extern CoreStatus ucum_parse(const char *text, size_t len, UcumUnit *unit, size_t *position);

/* Whether the text is a term of UCUM. */
extern bool ucum_valid(const char *text, size_t len);

/* Whether quantities of the units can be compared: same powers of the same units. */
extern bool ucum_commensurable(const UcumUnit *a, const UcumUnit *b);

/* The same unit: commensurable and of the same factor. */
extern bool ucum_same(const UcumUnit *a, const UcumUnit *b);

extern bool ucum_is_special(const UcumUnit *u);

/* The unit 1, or something of that dimension and factor such as kg.kg-1 or {score} */
extern bool ucum_is_one(const UcumUnit *u);

/*
 * -1, 0, 1: which unit is the smaller, that is the more granular (N1: comparison is made in
 * the most granular unit of both).  Only for commensurable units.
 */
extern int	ucum_compare_size(const UcumUnit *a, const UcumUnit *b);

/*
 * value in from, as a value in to.  *exact (where not NULL) says whether nothing was
 * rounded; what has to be is given with 34 significant digits.  Exact results have no
 * zeros at the end of a fraction that the input did not have.
 * CORE_INVALID: not commensurable, or a logarithm of what is not above 0.
 */
extern CoreStatus ucum_convert(const Decimal *value, const UcumUnit *from, const UcumUnit *to,
							   Decimal *result, bool *exact);

/*
 * Compares two quantities of commensurable units: -1, 0, 1.  Not rounded but where the
 * units have logarithms or pi.  CORE_INVALID as above.
 */
extern CoreStatus ucum_compare(const Decimal *a, const UcumUnit *a_unit, const Decimal *b, const UcumUnit *b_unit,
							   int *result);

/*
 * Products and quotients as terms: texts are written out with like components
 * put together: g/m * m -> g; m / s -> m/s; g / g -> 1.  Both must be valid terms;
 * CORE_INVALID for special units, CORE_TOO_LARGE where out does not suffice.
 * *len is the length, without NUL (which is written).
 */
extern CoreStatus ucum_multiply(const char *a, size_t alen, const char *b, size_t blen,
								char out[UCUM_TERM_MAX + 1], size_t *len);
extern CoreStatus ucum_divide(const char *a, size_t alen, const char *b, size_t blen,
							  char out[UCUM_TERM_MAX + 1], size_t *len);

/*
 * The canonical unit: the base units with their powers, m2.g.s-2; arbitrary units stay. The
 * value in it is what ucum_convert to that text gives.  The length; a NUL is
 * written.  CORE_TOO_LARGE as above.
 */
extern CoreStatus ucum_print_canonical(const UcumUnit *u, char out[UCUM_TERM_MAX + 1], size_t *len);

/*
 * What a unit is called: "milligram" for mg.  Writes nothing and gives 0 where the text is not
 * a single unit; else the length.
 */
extern size_t ucum_name(const char *text, size_t len, char out[UCUM_NAME_MAX]);

#endif							/* EHR_UCUM_H */
