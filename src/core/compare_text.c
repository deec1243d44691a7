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
