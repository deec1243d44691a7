/*
 * decimal_numeric.c
 *		Decimals and PostgreSQL's numeric, in the form in which that is stored.
 *
 *	header	16 bits		00........... "long", positive; 01 negative: then 14 bits of scale, and
 *						16 bits of weight follow
 *						10snnnnnnwwwwwww "short": s sign, n scale (6 bits), w weight
 *						(7 bits, two's complement)
 *						11 NaN, infinities
 *	digits	16 bits each, 0 to 9999, no zeros at either end
 *
 * The value is the sum of digit[i] * 10000^(weight - i).  All in the order of bytes of the machine.
 */
#include "decimal.h"
#include "decimal_internal.h"

#include <string.h>

#define GROUP			10000	/* a digit's base */
#define GROUP_DIGITS	4

#define HEADER_KIND		0xC000
#define HEADER_NEGATIVE 0x4000
#define HEADER_SHORT	0x8000
#define HEADER_SPECIAL	0xC000
#define LONG_SCALE		0x3FFF
#define SHORT_NEGATIVE	0x2000
#define SHORT_SCALE_BIT 7
#define SHORT_SCALE		0x3F
#define SHORT_WEIGHT	0x3F
#define SHORT_WEIGHT_NEGATIVE 0x40

typedef struct Stored
{
	const unsigned char *digits;
	size_t		ndigits;
	int			weight;
	int			scale;
	bool		negative;
} Stored;

static uint16_t
get16(const unsigned char *p)
{
	uint16_t	v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool
read_header(const unsigned char *p, size_t len, Stored *s)
{
	uint16_t	header;
	size_t		size = 2;

	if (len < 2)
		return false;
	header = get16(p);
	if ((header & HEADER_KIND) == HEADER_SPECIAL)
		return false;
	if ((header & HEADER_KIND) == HEADER_SHORT)
	{
		s->negative = (header & SHORT_NEGATIVE) != 0;
		s->scale = header >> SHORT_SCALE_BIT & SHORT_SCALE;
		s->weight = header & SHORT_WEIGHT;
		if (header & SHORT_WEIGHT_NEGATIVE)
			s->weight -= SHORT_WEIGHT + 1;
	}
	else
	{
		if (len < 4)
			return false;
		size = 4;
		s->negative = (header & HEADER_KIND) == HEADER_NEGATIVE;
		s->scale = header & LONG_SCALE;
		s->weight = (int16_t) get16(p + 2);
	}
	s->digits = p + size;
	s->ndigits = (len - size) / 2;
	return true;
}

/*
 * Digits that are within the scale become the coefficient.  PostgreSQL keeps none but zeros behind
 * the scale, within the last group.
 */
static CoreStatus
collect(const Stored *s, wide_u128 *coefficient, int64_t *scale)
{
	wide_u128	c = 0;
	int64_t		have = 0;		/* decimals in c */

	for (size_t i = 0; i < s->ndigits; i++)
	{
		if (c >= decimal_power10(DECIMAL_DIGITS - GROUP_DIGITS))
		{
			/* the last groups may have zeros at their end, which do not count */
			unsigned	group = get16(s->digits + 2 * i);

			have = ((int64_t) i - 1 - s->weight) * GROUP_DIGITS;
			for (int place = 0; place < GROUP_DIGITS && group != 0; place++)
			{
				if (c >= decimal_power10(DECIMAL_DIGITS - 1))
					return CORE_TOO_LARGE;
				c = c * 10 + group / 1000;
				group = group % 1000 * 10;
				have++;
			}
			if (i + 1 < s->ndigits)
				return CORE_TOO_LARGE;
			*coefficient = c;
			*scale = have;
			return CORE_OK;
		}
		c = c * GROUP + get16(s->digits + 2 * i);
	}
	*coefficient = c;
	*scale = ((int64_t) s->ndigits - 1 - s->weight) * GROUP_DIGITS;
	return CORE_OK;
}

CoreStatus
decimal_from_numeric(const void *payload, size_t len, Decimal *result)
{
	Stored		s;
	wide_u128	c = 0;
	int64_t		scale = 0;

	if (!read_header(payload, len, &s))
		return CORE_INVALID;
	if (s.ndigits > 0)
	{
		CoreStatus	status = collect(&s, &c, &scale);

		if (status != CORE_OK)
			return status;
	}
	if (s.scale > DECIMAL_DIGITS)
		s.scale = DECIMAL_DIGITS;
	if (c == 0)
		scale = s.scale;
	/* the written scale: zeros taken off or put on */
	while (scale > s.scale && c % 10 == 0)
	{
		c /= 10;
		scale--;
	}
	if (scale > s.scale)
		return CORE_TOO_LARGE;
	while (scale < s.scale && c < decimal_power10(DECIMAL_DIGITS - 1))
	{
		c *= 10;
		scale++;
	}
	if (scale < 0 || c >= decimal_power10(DECIMAL_DIGITS))
		return CORE_TOO_LARGE;
	*result = decimal_make(c, (int) scale, s.negative);
	return CORE_OK;
}

size_t
decimal_to_numeric(const Decimal *d, unsigned char out[DECIMAL_NUMERIC_SIZE])
{
	uint16_t	groups[DECIMAL_DIGITS / GROUP_DIGITS + 3];
	int			n = 0;
	int			first = 0;
	int			weight;
	int			fraction_groups = (d->scale + GROUP_DIGITS - 1) / GROUP_DIGITS;
	uint16_t	header = (uint16_t) (HEADER_SHORT | d->scale << SHORT_SCALE_BIT);
	Wide		w;

	/* so that the point stands between two groups */
	wide_set(&w, decimal_magnitude(d));
	(void) wide_scale10(&w, fraction_groups * GROUP_DIGITS - d->scale);
	while (!wide_is_zero(&w))
		groups[n++] = (uint16_t) wide_divide_small(&w, GROUP);
	weight = n - 1 - fraction_groups;
	while (first < n && groups[first] == 0)
		first++;
	if (n == 0)
		weight = 0;
	else if (d->high < 0)
		header |= SHORT_NEGATIVE;
	if (weight < 0)
		header |= SHORT_WEIGHT_NEGATIVE;
	header |= (uint16_t) (weight & SHORT_WEIGHT);
	memcpy(out, &header, 2);
	for (int i = n - 1; i >= first; i--)
		memcpy(out + 2 + 2 * (n - 1 - i), &groups[i], 2);
	return (size_t) (2 + 2 * (n - first));
}
