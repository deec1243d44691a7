/*
 * compare_text.c
 *		Jaro-Winkler and edit distance without allocation.
 *
 * Jaro's matching step ("the first unused equal letter within the window") is
 * done with one machine word a letter where the second string has at most 64:
 * positions of each letter as a bit set, cut by the window and by what is
 * already used.  That is what makes a 16-letter name cost tens of nanoseconds.
 */
#include "compare_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"
#include "vn_text.h"

#define PREFIX_MAX 4
#define PREFIX_SCALE 0.1
#define PREFIX_FLOOR 0.7

static double
jaro_of(int matches, int moved, size_t a_len, size_t b_len)
{
	double		m = matches;

	if (matches == 0)
		return 0;
	return (m / a_len + m / b_len + (m - moved / 2.0) / m) / 3;
}

/* b_len <= 64 */
static double
jaro_words(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len, int window)
{
	uint64_t	places[256];	/* only the letters that occur are set */
	uint64_t	used = 0;
	unsigned char matched[64];
	uint64_t	rest;
	int			matches = 0;
	int			moved = 0;
	size_t		i;

	for (i = 0; i < a_len; i++)
		places[a[i]] = 0;
	for (i = 0; i < b_len; i++)
		places[b[i]] = 0;
	for (i = 0; i < b_len; i++)
		places[b[i]] |= UINT64_C(1) << i;

	for (i = 0; i < a_len; i++)
	{
		int			from = (int) i - window;
		int			to = (int) i + window;
		uint64_t	reach;

		if (from >= (int) b_len)
			break;
		reach = to >= 63 ? UINT64_MAX : (UINT64_C(1) << (to + 1)) - 1;
		if (from > 0)
			reach &= UINT64_MAX << from;
		reach &= places[a[i]] & ~used;
		if (reach != 0)
		{
			used |= reach & (~reach + 1);
			matched[matches++] = a[i];
		}
	}
	rest = used;
	for (i = 0; i < (size_t) matches; i++)
	{
		moved += matched[i] != b[__builtin_ctzll(rest)];
		rest &= rest - 1;
	}
	return jaro_of(matches, moved, a_len, b_len);
}

/* any length up to COMPARE_MAX */
static double
jaro_long(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len, int window)
{
	bool		used[COMPARE_MAX] = {false};
	unsigned char matched[COMPARE_MAX];
	int			matches = 0;
	int			moved = 0;
	int			k = 0;
	size_t		i,
				j;

	for (i = 0; i < a_len; i++)
	{
		size_t		from = (int) i > window ? i - window : 0;
		size_t		to = i + window + 1 < b_len ? i + window + 1 : b_len;

		for (j = from; j < to; j++)
			if (!used[j] && b[j] == a[i])
			{
				used[j] = true;
				matched[matches++] = a[i];
				break;
			}
	}
	for (j = 0; j < b_len; j++)
		if (used[j])
			moved += matched[k++] != b[j];
	return jaro_of(matches, moved, a_len, b_len);
}

/*
 * Which of two equal letters is taken first can make Jaro's similarity depend
 * on the order of its arguments; the smaller string always leads.
 */
double
compare_jaro(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int			order;
	int			window;

	a_len = a_len < COMPARE_MAX ? a_len : COMPARE_MAX;
	b_len = b_len < COMPARE_MAX ? b_len : COMPARE_MAX;
	if (a_len == 0 || b_len == 0)
		return a_len == b_len ? 1 : 0;
	order = a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
	if (order == 0)
		return 1;
	if (order > 0)
	{
		const char *s = a;
		size_t		n = a_len;

		a = b;
		a_len = b_len;
		b = s;
		b_len = n;
	}
	window = (int) b_len / 2 - 1;
	if (window < 0)
		window = 0;
	if (b_len <= 64)
		return jaro_words((const unsigned char *) a, a_len, (const unsigned char *) b, b_len, window);
	return jaro_long((const unsigned char *) a, a_len, (const unsigned char *) b, b_len, window);
}

double
compare_jaro_winkler(const char *a, size_t a_len, const char *b, size_t b_len)
{
	double		jaro = compare_jaro(a, a_len, b, b_len);
	size_t		shorter = a_len < b_len ? a_len : b_len;
	size_t		prefix = 0;

	if (jaro <= PREFIX_FLOOR || jaro == 1)
		return jaro;
	while (prefix < PREFIX_MAX && prefix < shorter && a[prefix] == b[prefix])
		prefix++;
	return jaro + prefix * PREFIX_SCALE * (1 - jaro);
}

int
compare_edits(const char *a, size_t a_len, const char *b, size_t b_len, int limit)
{
	unsigned char row[3][COMPARE_MAX + 1];
	unsigned char *before = row[0];
	unsigned char *last = row[1];
	unsigned char *now = row[2];
	size_t		i,
				j;

	a_len = a_len < COMPARE_MAX ? a_len : COMPARE_MAX;
	b_len = b_len < COMPARE_MAX ? b_len : COMPARE_MAX;
	if ((a_len > b_len ? a_len - b_len : b_len - a_len) > (size_t) (limit < 0 ? 0 : limit))
		return limit + 1;

	/* what is common at both ends costs nothing */
	while (a_len > 0 && b_len > 0 && a[a_len - 1] == b[b_len - 1])
		a_len--, b_len--;
	while (a_len > 0 && b_len > 0 && *a == *b)
		a++, b++, a_len--, b_len--;

	for (j = 0; j <= b_len; j++)
		last[j] = (unsigned char) j;
	for (i = 1; i <= a_len; i++)
	{
		unsigned char *spare = before;
		int			least = (int) i;

		now[0] = (unsigned char) i;
		for (j = 1; j <= b_len; j++)
		{
			int			best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = (unsigned char) best;
			if (best < least)
				least = best;
		}
		/* a swap may still reach back over one row: leave only when both are beyond */
		if (least > limit + 1)
			return limit + 1;
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len] > limit ? limit + 1 : last[b_len];
}

CompareEdit
compare_one_edit(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t		i = 0;

	if (a_len > b_len)
		return compare_one_edit(b, b_len, a, a_len);
	if (b_len - a_len > 1)
		return EDIT_OTHER;
	while (i < a_len && a[i] == b[i])
		i++;
	if (a_len < b_len)
		return memcmp(a + i, b + i + 1, a_len - i) == 0 ? EDIT_DROPPED : EDIT_OTHER;
	if (i == a_len)
		return EDIT_NONE;
	if (memcmp(a + i + 1, b + i + 1, a_len - i - 1) == 0)
		return EDIT_SUBSTITUTED;
	if (i + 1 < a_len && a[i] == b[i + 1] && a[i + 1] == b[i] &&
		memcmp(a + i + 2, b + i + 2, a_len - i - 2) == 0)
		return EDIT_SWAPPED;
	return EDIT_OTHER;
}

/* ---- typing Vietnamese names ---- */

/* costs in quarters */
#define COST_MARK 1
#define COST_NEAR 2
#define COST_SWAP 3
#define COST_LETTER 4

/* Where a key lies: its row, and its column in half keys. */
static bool
near_keys(char a, char b)
{
	static const char *const rows[] = {"QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM"};
	int			at[2][2] = {{-1, 0}, {-1, 0}};
	char		key[2] = {a, b};
	int			i,
				r;

	for (i = 0; i < 2; i++)
		for (r = 0; r < 3; r++)
		{
			const char *p = key[i] == '\0' ? NULL : strchr(rows[r], key[i]);

			if (p != NULL)
			{
				at[i][0] = r;
				at[i][1] = 2 * (int) (p - rows[r]) + r;
			}
		}
	if (at[0][0] < 0 || at[1][0] < 0)
		return false;
	r = at[0][0] - at[1][0];
	i = at[0][1] - at[1][1];
	return (r == 0 && (i == 2 || i == -2)) || ((r == 1 || r == -1) && (i == 1 || i == -1));
}

typedef struct Letter
{
	uint32_t	code;
	char		base;			/* without marks; 0 = none */
} Letter;

static int
take_letters(const char *s, size_t len, Letter *out)
{
	size_t		at = 0;
	int			n = 0;

	while (at < len && n < COMPARE_LETTERS)
	{
		char		base[8];
		size_t		base_len;
		uint32_t	code;
		size_t		width = utf8_decode(s + at, len - at, &code);

		if (width == 0)
			break;
		out[n].code = code;
		out[n].base = code < 0x80 ? (char) code : 0;
		if (code >= 0x80 && width < sizeof base && fold_text(s + at, width, base, &base_len) == CORE_OK && base_len == 1)
			out[n].base = base[0];
		n++;
		at += width;
	}
	return n;
}

static int
letter_cost(const Letter *a, const Letter *b)
{
	if (a->code == b->code)
		return 0;
	if (a->base != 0 && (a->base == b->base || (a->base == 'I' && b->base == 'Y') || (a->base == 'Y' && b->base == 'I')))
		return COST_MARK;
	return near_keys(a->base, b->base) ? COST_NEAR : COST_LETTER;
}

static int
gap_cost(const Letter *a)
{
	return a->code == ' ' ? COST_NEAR : COST_LETTER;
}

double
compare_typing(const char *a, size_t a_len, const char *b, size_t b_len)
{
	Letter		x[COMPARE_LETTERS],
				y[COMPARE_LETTERS];
	uint16_t	row[3][COMPARE_LETTERS + 1];
	uint16_t   *before = row[0];
	uint16_t   *last = row[1];
	uint16_t   *now = row[2];
	int			n = take_letters(a, a_len, x);
	int			m = take_letters(b, b_len, y);
	int			i,
				j;

	last[0] = 0;
	for (j = 1; j <= m; j++)
		last[j] = (uint16_t) (last[j - 1] + gap_cost(&y[j - 1]));
	for (i = 1; i <= n; i++)
	{
		uint16_t   *spare = before;

		now[0] = (uint16_t) (last[0] + gap_cost(&x[i - 1]));
		for (j = 1; j <= m; j++)
		{
			int			best = last[j - 1] + letter_cost(&x[i - 1], &y[j - 1]);

			if (last[j] + gap_cost(&x[i - 1]) < best)
				best = last[j] + gap_cost(&x[i - 1]);
			if (now[j - 1] + gap_cost(&y[j - 1]) < best)
				best = now[j - 1] + gap_cost(&y[j - 1]);
			if (i > 1 && j > 1 && x[i - 1].code == y[j - 2].code && x[i - 2].code == y[j - 1].code && before[j - 2] + COST_SWAP < best)
				best = before[j - 2] + COST_SWAP;
			now[j] = (uint16_t) best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[m] / (double) COST_LETTER;
}

/* ---- words ---- */

#define WORDS_MAX 16

typedef struct Span
{
	const char *s;
	size_t		n;
} Span;

static int
split_words(const char *s, size_t len, Span *word)
{
	size_t		from = 0;
	size_t		i;
	int			n = 0;

	for (i = 0; i <= len && n < WORDS_MAX; i++)
		if (i == len || s[i] == ' ')
		{
			if (i > from)
			{
				word[n].s = s + from;
				word[n++].n = i - from;
			}
			from = i + 1;
		}
	return n;
}

static double
word_likeness(Span a, Span b)
{
	size_t		shorter = a.n < b.n ? a.n : b.n;

	if (a.n == b.n && memcmp(a.s, b.s, a.n) == 0)
		return 1;
	if (shorter <= 2 && memcmp(a.s, b.s, shorter) == 0)
		return 0.8;
	return shorter >= 4 && compare_one_edit(a.s, a.n, b.s, b.n) != EDIT_OTHER ? 0.8 : 0;
}

double
compare_words(const char *a, size_t a_len, const char *b, size_t b_len)
{
	Span		x[WORDS_MAX],
				y[WORDS_MAX];
	int			n = split_words(a, a_len, x);
	int			m = split_words(b, b_len, y);
	unsigned	used_x = 0,
				used_y = 0;
	double		sum = 0;
	int			pass,
				i,
				j;

	if (n + m == 0)
		return 1;
	/* equal words first, so that an initial does not take one away */
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < n; i++)
			for (j = 0; j < m && !(used_x >> i & 1); j++)
			{
				double		alike = used_y >> j & 1 ? 0 : word_likeness(x[i], y[j]);

				if (alike == 1 || (pass == 1 && alike > 0))
				{
					used_x |= 1u << i;
					used_y |= 1u << j;
					sum += alike;
				}
			}
	return 2 * sum / (n + m);
}
