/*
 * match_table_compare.c
 *		Normal forms and levels of the kinds of fields of match_table.h.
 */
#include "match_table.h"

#include <string.h>

#include "compare_text.h"
#include "vn_text.h"

const char *const table_kind_names[TABLE_KINDS] = {"name", "text", "date", "number", "id", "code", "exact"};

typedef struct KindLevels
{
	int			levels;
	const char *name[TABLE_LEVELS];
} KindLevels;

static const KindLevels kind_levels[TABLE_KINDS] = {
	[TABLE_NAME] = {6, {"equal", "one_edit", "similar", "part", "alike", "other"}},
	[TABLE_TEXT] = {5, {"equal", "slip", "similar", "common_words", "other"}},
	[TABLE_DATE] = {6, {"equal", "slip", "swapped", "two_parts", "same_year", "other"}},
	[TABLE_NUMBER] = {4, {"equal", "slip", "near", "other"}},
	[TABLE_ID] = {4, {"equal", "slip", "two_slips", "other"}},
	[TABLE_CODE] = {4, {"equal", "slip", "beginning", "other"}},
	[TABLE_EXACT] = {2, {"equal", "other"}},
};

int
table_levels(const TableField *field)
{
	return field->cuts > 0 ? field->cuts + 2 : kind_levels[field->kind].levels;
}

const char *
table_level_name(const TableField *field, int level)
{
	static const char *const cut_names[] = {"equal", "similarity_1", "similarity_2", "similarity_3", "similarity_4"};

	if (level == TABLE_MISSING)
		return "missing";
	if (field->cuts == 0)
		return kind_levels[field->kind].name[level];
	return level == field->cuts + 1 ? "other" : cut_names[level];
}

/* ---- normal forms ---- */

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
put_digits(char *out, int v, int n)
{
	while (n-- > 0)
	{
		out[n] = (char) ('0' + v % 10);
		v /= 10;
	}
}

/* Numbers in a text; 0 when it holds anything but digits and separators. */
static int
take_numbers(const char *s, size_t n, int number[3], int width[3])
{
	int			count = 0;
	size_t		i;
	bool		in = false;

	for (i = 0; i < n; i++)
		if (digit(s[i]))
		{
			if (!in && count == 3)
				return 0;
			if (!in)
			{
				number[count] = width[count] = 0;
				count++;
			}
			in = true;
			if (++width[count - 1] > 8)
				return 0;
			number[count - 1] = number[count - 1] * 10 + (s[i] - '0');
		}
		else if (s[i] == '-' || s[i] == '/' || s[i] == '.' || s[i] == ' ')
			in = false;
		else
			/* a time of day after the date */
			return s[i] == 'T' && count == 3 ? count : 0;
	return count;
}

/* yyyymmdd, with zeros for what is not told; a text that is no date stays one */
static size_t
normal_date(const char *s, size_t n, char *out)
{
	int			v[3] = {0, 0, 0};
	int			w[3] = {0, 0, 0};
	int			count = take_numbers(s, n, v, w);

	if (count == 1 && (w[0] == 8 || w[0] == 4 || w[0] == 6))
	{
		put_digits(out, w[0] == 8 ? v[0] : w[0] == 6 ? v[0] * 100 : v[0] * 10000, 8);
		return 8;
	}
	if (count < 2 || (w[0] != 4 && w[count - 1] != 4))
		return 0;
	if (w[0] != 4)
	{
		int			first = v[0];

		v[0] = v[count - 1];
		if (count == 3)
			v[2] = first;
		else
			v[1] = first;
	}
	if (v[1] > 12 && v[2] <= 12 && v[2] > 0)
	{
		int			day = v[1];

		v[1] = v[2];
		v[2] = day;
	}
	put_digits(out, v[0], 4);
	put_digits(out + 4, v[1] % 100, 2);
	put_digits(out + 6, v[2] % 100, 2);
	return 8;
}

static size_t
without_blanks(char *s, size_t n)
{
	size_t		m = 0;
	size_t		i;

	for (i = 0; i < n; i++)
		if (s[i] != ' ')
			s[m++] = s[i];
	return m;
}

size_t
table_normal(TableKind kind, const char *in, size_t len, char *out)
{
	size_t		n;

	if (kind == TABLE_DATE)
	{
		n = normal_date(in, len, out);
		/* what no calendar has is missing, not a date */
		if (n != 0)
			return memcmp(out, "00000000", 8) == 0 ? 0 : n;
	}
	if (fold_text(in, len, out, &n) != CORE_OK)
		return 0;
	if (kind != TABLE_NAME && kind != TABLE_TEXT)
		n = without_blanks(out, n);
	if (kind == TABLE_NUMBER)
		while (n > 1 && out[0] == '0')
			memmove(out, out + 1, --n);
	return n > COMPARE_MAX ? COMPARE_MAX : n;
}

/* ---- levels ---- */

typedef struct Words
{
	int			n;
	struct
	{
		const char *s;
		size_t		n;
	}			word[16];
} Words;

static void
split(const char *s, size_t n, Words *w)
{
	size_t		from = 0;
	size_t		i;

	w->n = 0;
	for (i = 0; i <= n; i++)
		if (i == n || s[i] == ' ')
		{
			if (i > from && w->n < 16)
			{
				w->word[w->n].s = s + from;
				w->word[w->n++].n = i - from;
			}
			from = i + 1;
		}
}

/* how many words of a are in b, a slip allowed in long ones */
static int
common_words(const Words *a, const Words *b)
{
	unsigned	used = 0;
	int			common = 0;
	int			i,
				j;

	for (i = 0; i < a->n; i++)
		for (j = 0; j < b->n; j++)
		{
			CompareEdit e;

			if (used & 1u << j)
				continue;
			e = compare_one_edit(a->word[i].s, a->word[i].n, b->word[j].s, b->word[j].n);
			if (e == EDIT_NONE || (e != EDIT_OTHER && a->word[i].n > 4))
			{
				used |= 1u << j;
				common++;
				break;
			}
		}
	return common;
}

/* one is the other's beginning, or one of its words: an initial, a short form, a dropped part */
static bool
part_of(const char *a, size_t a_len, const char *b, size_t b_len)
{
	Words		x,
				y;

	if (a_len > b_len)
		return part_of(b, b_len, a, a_len);
	if (memcmp(a, b, a_len) == 0)
		return true;
	split(a, a_len, &x);
	split(b, b_len, &y);
	return common_words(&x, &y) == x.n;
}

static uint8_t
compare_name(const char *a, size_t a_len, const char *b, size_t b_len)
{
	CompareEdit e = compare_one_edit(a, a_len, b, b_len);
	double		jw;

	if (e == EDIT_NONE)
		return 0;
	if (e != EDIT_OTHER && a_len > 2 && b_len > 2)
		return 1;
	jw = compare_jaro_winkler(a, a_len, b, b_len);
	if (jw >= 0.9 && a_len > 2 && b_len > 2)
		return 2;
	if (part_of(a, a_len, b, b_len))
		return 3;
	return jw >= 0.78 ? 4 : 5;
}

static uint8_t
compare_phrases(const char *a, size_t a_len, const char *b, size_t b_len)
{
	Words		x,
				y;
	int			common,
				all;

	if (compare_edits(a, a_len, b, b_len, 2) <= (a_len > 5 ? 2 : 1))
		return 1;
	split(a, a_len, &x);
	split(b, b_len, &y);
	common = common_words(&x, &y);
	all = x.n + y.n - common;
	if (2 * common > all || compare_jaro_winkler(a, a_len, b, b_len) >= 0.92)
		return 2;
	return common > 0 && 3 * common >= (x.n < y.n ? x.n : y.n) ? 3 : 4;
}

static uint8_t
compare_date(const char *a, size_t a_len, const char *b, size_t b_len)
{
	bool		year,
				month,
				day;
	CompareEdit e;

	if (a_len != 8 || b_len != 8)
		return compare_one_edit(a, a_len, b, b_len) == EDIT_OTHER ? 5 : 1;
	e = compare_one_edit(a, 8, b, 8);
	if (e == EDIT_SUBSTITUTED || e == EDIT_SWAPPED)
		return 1;
	year = memcmp(a, b, 4) == 0;
	month = memcmp(a + 4, b + 4, 2) == 0;
	day = memcmp(a + 6, b + 6, 2) == 0;
	if (year && memcmp(a + 4, b + 6, 2) == 0 && memcmp(a + 6, b + 4, 2) == 0)
		return 2;
	/* where one tells the year alone */
	if (year && (memcmp(a + 4, "0000", 4) == 0 || memcmp(b + 4, "0000", 4) == 0))
		return 3;
	if (year + month + day >= 2)
		return 3;
	return year ? 4 : 5;
}

static int
number_of(const char *s, size_t n)
{
	int			v = 0;
	size_t		i;

	for (i = 0; i < n; i++)
	{
		if (!digit(s[i]) || i == 8)
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

static uint8_t
compare_number(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int			x = number_of(a, a_len);
	int			y = number_of(b, b_len);
	int			apart = x < y ? y - x : x - y;

	if (compare_one_edit(a, a_len, b, b_len) != EDIT_OTHER && (a_len > 1 || b_len > 1))
		return 1;
	return x >= 0 && y >= 0 && apart <= 2 ? 2 : 3;
}

static uint8_t
compare_by_cuts(const TableField *field, const char *a, size_t a_len, const char *b, size_t b_len)
{
	double		similarity = compare_jaro_winkler(a, a_len, b, b_len);
	int			level = 0;

	while (level < field->cuts && similarity < field->cut[level])
		level++;
	return (uint8_t) (level + 1);
}

uint8_t
table_compare(const TableField *field, const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len == b_len && memcmp(a, b, a_len) == 0)
		return 0;
	if (field->cuts > 0)
		return compare_by_cuts(field, a, a_len, b, b_len);
	switch (field->kind)
	{
		case TABLE_NAME:
			return compare_name(a, a_len, b, b_len);
		case TABLE_TEXT:
			return compare_phrases(a, a_len, b, b_len);
		case TABLE_DATE:
			return compare_date(a, a_len, b, b_len);
		case TABLE_NUMBER:
			return compare_number(a, a_len, b, b_len);
		case TABLE_ID:
			return compare_one_edit(a, a_len, b, b_len) != EDIT_OTHER ? 1 :
				a_len > 4 && compare_edits(a, a_len, b, b_len, 2) <= 2 ? 2 : 3;
		case TABLE_CODE:
			return compare_one_edit(a, a_len, b, b_len) != EDIT_OTHER ? 1 :
				a_len > 2 && b_len > 2 && memcmp(a, b, (a_len < b_len ? a_len : b_len) / 2 + 1) == 0 ? 2 : 3;
		default:
			return 1;
	}
}
