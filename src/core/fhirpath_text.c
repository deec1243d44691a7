/*
 * fhirpath_text.c
 *		Characters and their case: the same on every machine, whatever its locale.
 */
#include "fhirpath_text.h"

#include <string.h>

#include "utf8.h"

/* Ranges of capital letters: those of pairs alternate with their small ones, others stand at a distance. */
typedef struct CaseRange
{
	uint32_t	first;
	uint32_t	last;
	int32_t		distance;		/* to the small letter; 0: pairs, the capital even; 1 as 0 but odd */
} CaseRange;

#define PAIRS_EVEN	0
#define PAIRS_ODD	(-1)

static const CaseRange ranges[] = {
	{0x41, 0x5A, 32}, {0xC0, 0xD6, 32}, {0xD8, 0xDE, 32},
	{0x100, 0x12F, PAIRS_EVEN}, {0x132, 0x137, PAIRS_EVEN}, {0x139, 0x148, PAIRS_ODD}, {0x14A, 0x177, PAIRS_EVEN},
	{0x178, 0x178, -121}, {0x179, 0x17E, PAIRS_ODD}, {0x1A0, 0x1A5, PAIRS_EVEN}, {0x1AF, 0x1B0, PAIRS_ODD},
	{0x1CD, 0x1DC, PAIRS_ODD}, {0x1DE, 0x1EF, PAIRS_EVEN}, {0x1F8, 0x21F, PAIRS_EVEN}, {0x222, 0x233, PAIRS_EVEN},
	{0x386, 0x386, 38}, {0x388, 0x38A, 37}, {0x38C, 0x38C, 64}, {0x38E, 0x38F, 63},
	{0x391, 0x3A1, 32}, {0x3A3, 0x3AB, 32},
	{0x400, 0x40F, 80}, {0x410, 0x42F, 32}, {0x460, 0x481, PAIRS_EVEN}, {0x48A, 0x4BF, PAIRS_EVEN},
	{0x4C1, 0x4CE, PAIRS_ODD}, {0x4D0, 0x52F, PAIRS_EVEN}, {0x531, 0x556, 48},
	{0x1E00, 0x1E95, PAIRS_EVEN}, {0x1EA0, 0x1EFF, PAIRS_EVEN}
};

uint32_t
fp_lower(uint32_t c)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
	{
		const CaseRange *r = &ranges[i];

		if (c < r->first)
			return c;
		if (c > r->last)
			continue;
		if (r->distance == PAIRS_EVEN)
			return (c & 1) == 0 ? c + 1 : c;
		if (r->distance == PAIRS_ODD)
			return (c & 1) == 1 ? c + 1 : c;
		return c + (uint32_t) r->distance;
	}
	return c;
}

uint32_t
fp_upper(uint32_t c)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
	{
		const CaseRange *r = &ranges[i];
		bool		pairs = r->distance == PAIRS_EVEN || r->distance == PAIRS_ODD;
		uint32_t	first = pairs ? r->first : r->first + (uint32_t) r->distance;
		uint32_t	last = pairs ? r->last : r->last + (uint32_t) r->distance;

		if (c < first || c > last)
			continue;
		if (r->distance == PAIRS_EVEN)
			return (c & 1) == 1 ? c - 1 : c;
		if (r->distance == PAIRS_ODD)
			return (c & 1) == 0 ? c - 1 : c;
		return c - (uint32_t) r->distance;
	}
	return c;
}

uint32_t
fp_next_char(const char *text, size_t len, size_t *at)
{
	uint32_t	c;
	int			n = utf8_decode(text + *at, len - *at, &c);

	if (n == 0)
	{
		c = (unsigned char) text[*at];
		n = 1;
	}
	*at += (size_t) n;
	return c;
}

size_t
fp_char_count(const char *text, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char) text[i] & 0xC0) != 0x80;
	return n;
}

size_t
fp_char_offset(const char *text, size_t len, size_t chars)
{
	size_t		at = 0;

	while (chars > 0 && at < len)
	{
		at++;
		while (at < len && ((unsigned char) text[at] & 0xC0) == 0x80)
			at++;
		chars--;
	}
	return at;
}

static uint32_t
folded(uint32_t c)
{
	if (c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == 0xA0)
		return ' ';
	return fp_lower(c);
}

bool
fp_text_equivalent(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t		i = 0,
				j = 0;

	while (i < a_len && j < b_len)
	{
		if (folded(fp_next_char(a, a_len, &i)) != folded(fp_next_char(b, b_len, &j)))
			return false;
	}
	return i == a_len && j == b_len;
}
