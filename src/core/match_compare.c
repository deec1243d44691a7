/*
 * match_compare.c
 *		From two feature rows to the level of each field.
 *
 * What the levels mean, and why these: match_model.h and doc/identity.md.
 */
#include "match_model.h"

#include <string.h>

#include "compare_text.h"

/* ---- names ---- */

typedef struct Word
{
	const char *s;
	size_t		n;
} Word;

static Word
word_of(const MatchRow *row, int i)
{
	size_t		from = i == 0 ? 0 : row->word_end[i - 1] + 1;
	Word		w = {row->letters + from, row->word_end[i] - from};

	return w;
}

static bool
same_word(Word a, Word b)
{
	return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

/* equal, or one is the other's beginning of one or two letters: N., NG. for NGUYEN */
static bool
word_or_initial(Word a, Word b)
{
	if (a.n == b.n)
		return memcmp(a.s, b.s, a.n) == 0;
	if (a.n > b.n)
		return word_or_initial(b, a);
	return a.n <= 2 && memcmp(a.s, b.s, a.n) == 0;
}

/* a has no more words than b: do a's words occur in b, in order, in full or as initials? */
static bool
words_within(const MatchRow *a, const MatchRow *b)
{
	int			i = 0;
	int			j;

	for (j = 0; j < b->words && i < a->words; j++)
		if (word_or_initial(word_of(a, i), word_of(b, j)))
			i++;
	return i == a->words;
}

/* the same words in another order, all but one of them perhaps as initials */
static bool
words_reordered(const MatchRow *a, const MatchRow *b)
{
	unsigned	used = 0;
	bool		full = false;
	int			i,
				j;

	if (a->words != b->words)
		return false;
	for (i = 0; i < a->words; i++)
	{
		for (j = 0; j < b->words; j++)
			if (!(used & 1u << j) && word_or_initial(word_of(a, i), word_of(b, j)))
				break;
		if (j == b->words)
			return false;
		used |= 1u << j;
		full = full || same_word(word_of(a, i), word_of(b, j));
	}
	return full;
}

static bool
shortened(const MatchRow *a, const MatchRow *b)
{
	if (a->words > b->words)
		return shortened(b, a);
	/* one word alone is too little to be the same name */
	if (a->words < 2)
		return false;
	if (words_reordered(a, b))
		return true;
	return word_or_initial(word_of(a, 0), word_of(b, 0)) &&
		same_word(word_of(a, a->words - 1), word_of(b, b->words - 1)) &&
		words_within(a, b);
}

/* All words but the first agree, in full or as initials, and there are two at least. */
static bool
same_but_surname(const MatchRow *a, const MatchRow *b)
{
	int			i;

	if (a->words != b->words || a->words < 3)
		return false;
	for (i = 1; i < a->words; i++)
		if (!word_or_initial(word_of(a, i), word_of(b, i)))
			return false;
	return true;
}

NameLevel
match_name_level(const MatchRow *a, const MatchRow *b)
{
	bool		surname = a->surname == b->surname;
	bool		given = a->given == b->given;
	int			edits;

	if (a->name == b->name)
	{
		if (a->marked == 0 || b->marked == 0)
			return NAME_FOLDED;
		return a->marked == b->marked ? NAME_MARKED : NAME_REMARKED;
	}
	if (shortened(a, b))
		return NAME_SHORTENED;
	edits = compare_edits(a->letters, a->letters_len, b->letters, b->letters_len, given ? 2 : 1);
	if (given && edits <= 2)
		return NAME_TYPO;
	if (edits <= 1)
		return NAME_GIVEN_TYPO;
	if (given && surname)
		return NAME_OTHER_MIDDLE;
	if (given && same_but_surname(a, b))
		return NAME_OTHER_SURNAME;
	return surname ? NAME_SAME_FAMILY : NAME_OTHER;
}

/* ---- birth dates ---- */

static void
digits_of(uint64_t value, char *out, int n)
{
	while (n-- > 0)
	{
		out[n] = (char) ('0' + value % 10);
		value /= 10;
	}
}

static bool
one_slip(uint64_t a, uint64_t b, int digits)
{
	char		s[20],
				t[20];
	CompareEdit e;

	digits_of(a, s, digits);
	digits_of(b, t, digits);
	e = compare_one_edit(s, digits, t, digits);
	return e == EDIT_SUBSTITUTED || e == EDIT_SWAPPED;
}

BirthLevel
match_birth_level(int32_t a, int32_t b)
{
	int			years = a / 10000 - b / 10000;
	int			a_day = a % 10000;
	int			b_day = b % 10000;
	bool		a_vague = a_day == 0 || a_day == 101;
	bool		b_vague = b_day == 0 || b_day == 101;

	if (a == b)
		return a_vague ? BIRTH_SAME_NEW_YEAR : BIRTH_SAME;
	if (years == 0 && (a_vague || b_vague))
		return BIRTH_SAME_YEAR_ONLY;
	if (a_day != 0 && b_day != 0)
	{
		if (years == 0 && a_day / 100 == b_day % 100 && a_day % 100 == b_day / 100)
			return BIRTH_SWAPPED;
		if (one_slip((uint64_t) a, (uint64_t) b, 8))
			return BIRTH_SLIP;
		if (a_day == b_day && !a_vague)
			return BIRTH_SAME_DAY;
		if (years == 0)
			return BIRTH_SAME_YEAR;
	}
	if ((years == 1 || years == -1) && (a_vague || b_vague))
		return BIRTH_NEXT_YEAR;
	return BIRTH_OTHER;
}

/* ---- numbers ---- */

/* positions 4 to 6 of a citizen number: century and sex, year of birth */
#define WITHOUT_BIRTH(n) ((n) / 1000000000 * 1000000 + (n) % 1000000)

NumberLevel
match_number_level(const MatchRow *a, const MatchRow *b)
{
	bool		doubtful = (a->flags | b->flags) & MATCH_NUMBER_DOUBTFUL;

	if (a->number == b->number)
		return doubtful ? NUMBER_SAME_DOUBTFUL : NUMBER_SAME;
	if (a->number_kind == NUMBER_CITIZEN)
	{
		if (one_slip(a->number, b->number, 12))
			return NUMBER_SLIP;
		if (WITHOUT_BIRTH(a->number) == WITHOUT_BIRTH(b->number))
			return NUMBER_REISSUED;
	}
	else if (a->number_kind == NUMBER_OLD && one_slip(a->number, b->number, 9))
		return NUMBER_SLIP;
	return NUMBER_DIFFERS;
}

/* ---- contact: phone, street, commune as one piece of evidence ---- */

/* Same house, and most words of the longer address in common. */
static bool
same_street(const MatchRow *a, const MatchRow *b)
{
	int			common = __builtin_popcountll(a->street & b->street);
	int			all = __builtin_popcountll(a->street | b->street);

	if (a->street == 0 || b->street == 0 || a->house != b->house)
		return false;
	return common * 2 >= all;
}

static uint8_t
contact_level(const MatchRow *a, const MatchRow *b)
{
	bool		phones = a->phone != 0 && b->phone != 0;
	bool		phone = phones && a->phone == b->phone;
	bool		commune = a->commune != 0 && a->commune == b->commune;
	bool		districts = a->district != 0 && b->district != 0;

	/* of July 2025 there are no districts and other communes: an old and a new commune cannot be compared, unless they are equal */
	bool		communes = commune || (a->commune != 0 && b->commune != 0 && (a->district != 0) == (b->district != 0));
	bool		home = same_street(a, b) && (commune || !communes);

	if (phone)
		return home ? CONTACT_PHONE_HOME : commune ? CONTACT_PHONE_COMMUNE : CONTACT_PHONE;
	if (home)
		return phones ? CONTACT_HOME_ONLY : CONTACT_HOME;
	if (phones && (commune || !communes) && one_slip(a->phone, b->phone, 11))
		return CONTACT_PHONE_SLIP;
	if (commune)
		return CONTACT_COMMUNE;
	if (districts && a->district == b->district)
		return CONTACT_DISTRICT;
	return phones || communes || districts ? CONTACT_NONE : LEVEL_MISSING;
}

/* ---- all ---- */

static float
lesser(float a, float b)
{
	return a < b ? a : b;
}

static float
greater(float a, float b)
{
	return a > b ? a : b;
}

static float
name_share(const MatchRow *a, const MatchRow *b, NameLevel level)
{
	switch (level)
	{
		case NAME_MARKED:
		case NAME_FOLDED:
		case NAME_REMARKED:
			return greater(a->name_share, b->name_share);
		case NAME_TYPO:
		case NAME_GIVEN_TYPO:
			/* the rarer spelling is the slip, and the rarer it is the surer */
			return lesser(a->name_share, b->name_share);
		case NAME_SHORTENED:
		case NAME_OTHER_MIDDLE:
			return lesser(a->parts_share, b->parts_share);
		default:
			return 0;
	}
}

/* log2 of small integers: hubs need no more than the nearest half bit */
static float
bits_of(unsigned n)
{
	int			top = n == 0 ? 0 : 31 - __builtin_clz(n);

	return n == 0 ? 0 : top + (float) (n - (1u << top)) / (float) (1u << top);
}

void
match_compare(const MatchRow *a, const MatchRow *b, MatchVector *v)
{
	memset(v, 0, sizeof *v);
	memset(v->level, LEVEL_MISSING, sizeof v->level);

	/* a newborn goes by the mother's name: comparable among newborns alone */
	if (a->name != 0 && b->name != 0 && !((a->flags ^ b->flags) & MATCH_NEWBORN))
	{
		v->level[FIELD_NAME] = (uint8_t) match_name_level(a, b);
		v->share[FIELD_NAME] = name_share(a, b, v->level[FIELD_NAME]);
	}
	if (a->birth != 0 && b->birth != 0)
	{
		BirthLevel	l = match_birth_level(a->birth, b->birth);

		v->level[FIELD_BIRTH] = (uint8_t) l;
		if (l <= BIRTH_SAME_NEW_YEAR)
			v->share[FIELD_BIRTH] = greater(a->birth_share, b->birth_share);
		else if (l == BIRTH_SAME_YEAR_ONLY)
			v->share[FIELD_BIRTH] = greater(a->year_share, b->year_share);
	}
	if (a->sex != SEX_MISSING && b->sex != SEX_MISSING)
		v->level[FIELD_SEX] = a->sex == b->sex ? SEX_SAME : SEX_OTHER;
	if (a->number != 0 && b->number != 0 && a->number_kind == b->number_kind)
	{
		v->level[FIELD_NUMBER] = (uint8_t) match_number_level(a, b);
		if (v->level[FIELD_NUMBER] <= NUMBER_SAME_DOUBTFUL)
			v->share[FIELD_NUMBER] = bits_of(a->number_rows > b->number_rows ? a->number_rows : b->number_rows);
	}
	if (a->insurance != 0 && b->insurance != 0)
		v->level[FIELD_INSURANCE] = a->insurance == b->insurance ? NUMBER_SAME :
			one_slip(a->insurance - 1, b->insurance - 1, 10) ? NUMBER_SLIP : NUMBER_DIFFERS;
	v->level[FIELD_CONTACT] = contact_level(a, b);
	if (v->level[FIELD_CONTACT] <= CONTACT_PHONE)
		v->share[FIELD_CONTACT] = bits_of(a->phone_rows > b->phone_rows ? a->phone_rows : b->phone_rows);
}

MatchVeto
match_veto(const MatchRow *a, const MatchRow *b, const MatchVector *v)
{
	uint8_t		name = v->level[FIELD_NAME];
	uint8_t		number = v->level[FIELD_NUMBER];
	uint8_t		contact = v->level[FIELD_CONTACT];
	bool		same_number = number <= NUMBER_SLIP || v->level[FIELD_INSURANCE] == NUMBER_SAME;

	if (a->flags & b->flags & MATCH_NEWBORN)
	{
		int			x = MATCH_BIRTH_ORDER(a->flags);
		int			y = MATCH_BIRTH_ORDER(b->flags);

		if ((x != 0 && y != 0 && x != y) || (v->level[FIELD_BIRTH] > BIRTH_SLIP && v->level[FIELD_BIRTH] != LEVEL_MISSING))
			return VETO_BIRTHS;
	}
	if (same_number && (name == NAME_OTHER || name == NAME_SAME_FAMILY) &&
		(v->level[FIELD_BIRTH] > BIRTH_SLIP && v->level[FIELD_BIRTH] != LEVEL_MISSING))
		return VETO_STRANGERS;
	if (same_number && name == NAME_OTHER && v->level[FIELD_BIRTH] != BIRTH_SAME && v->level[FIELD_CONTACT] > CONTACT_HOME_ONLY)
		return VETO_STRANGERS;
	if (number == NUMBER_DIFFERS && a->number_kind == NUMBER_CITIZEN &&
		!((a->flags | b->flags) & MATCH_NUMBER_DOUBTFUL))
		return VETO_NUMBERS;
	if (!same_number && v->level[FIELD_BIRTH] == BIRTH_SAME &&
		(name == NAME_SAME_FAMILY || name == NAME_OTHER) && contact <= CONTACT_HOME_ONLY)
		return VETO_TWINS;
	return VETO_NONE;
}

bool
match_contradicts(const MatchVector *v)
{
	uint8_t		name = v->level[FIELD_NAME];
	bool		same_number = v->level[FIELD_NUMBER] <= NUMBER_SLIP || v->level[FIELD_INSURANCE] <= NUMBER_SLIP;

	/* a newborn's name tells nothing beside a given one, so that the date has the word */
	return !same_number && v->level[FIELD_BIRTH] == BIRTH_OTHER &&
		(name == NAME_SAME_FAMILY || name == NAME_OTHER || name == LEVEL_MISSING);
}
