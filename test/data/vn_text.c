/*-------------------------------------------------------------------------
 *
 * vn_text.c
 *		Vietnamese letters for the test data: marks, tones, spelling, typing.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_text.h"

#include <string.h>

#define LETTER_LIMIT 0x2000

/* Each row: the vowel and its five tones, in the order of the enum below. */
static const char *const vowels[12] = {
	"aàáảãạ", "ăằắẳẵặ", "âầấẩẫậ", "eèéẻẽẹ", "êềếểễệ", "iìíỉĩị",
	"oòóỏõọ", "ôồốổỗộ", "ơờớởỡợ", "uùúủũụ", "ưừứửữự", "yỳýỷỹỵ",
};
static const char *const capitals[12] = {
	"AÀÁẢÃẠ", "ĂẰẮẲẴẶ", "ÂẦẤẨẪẬ", "EÈÉẺẼẸ", "ÊỀẾỂỄỆ", "IÌÍỈĨỊ",
	"OÒÓỎÕỌ", "ÔỒỐỔỖỘ", "ƠỜỚỞỠỢ", "UÙÚỦŨỤ", "ƯỪỨỬỮỰ", "YỲÝỶỸỴ",
};

enum
{
	TONE_LEVEL, TONE_GRAVE, TONE_ACUTE, TONE_HOOK, TONE_TILDE, TONE_DOT
};

/* What each vowel is without its tone: the bare letter and the mark it carries. */
static const struct
{
	char		bare;
	uint16_t	mark;
	const char *telex;
}			vowel_parts[12] = {
	{'a', 0, "a"}, {'a', 0x306, "aw"}, {'a', 0x302, "aa"}, {'e', 0, "e"}, {'e', 0x302, "ee"}, {'i', 0, "i"},
	{'o', 0, "o"}, {'o', 0x302, "oo"}, {'o', 0x31B, "ow"}, {'u', 0, "u"}, {'u', 0x31B, "uw"}, {'y', 0, "y"},
};
static const uint16_t tone_marks[6] = {0, 0x300, 0x301, 0x309, 0x303, 0x323};
static const char tone_telex[6] = {0, 'f', 's', 'r', 'x', 'j'};

/* What is known of a code point; vowel is 1 + its row above, 0 for a consonant. */
static struct
{
	char		plain;			/* ASCII, in the same case; 0 = not a letter of the language */
	uint8_t		vowel;
	uint8_t		tone;
	bool		capital;
}			letters_known[LETTER_LIMIT];

static uint16_t vowel_cp[2][12][6];

static const char *
read_cp(const char *s, const char *end, uint32_t *cp)
{
	const unsigned char *u = (const unsigned char *) s;
	int			more = *u < 0x80 ? 0 : *u >= 0xF0 ? 3 : *u >= 0xE0 ? 2 : 1;

	*cp = more == 0 ? *u : *u & (0x3F >> more);
	for (s++; more > 0 && s < end; more--, s++)
		*cp = *cp << 6 | ((unsigned char) *s & 0x3F);
	return s;
}

static char *
write_cp(char *to, uint32_t cp)
{
	if (cp < 0x80)
		*to++ = (char) cp;
	else if (cp < 0x800)
	{
		*to++ = (char) (0xC0 | cp >> 6);
		*to++ = (char) (0x80 | (cp & 0x3F));
	}
	else
	{
		*to++ = (char) (0xE0 | cp >> 12);
		*to++ = (char) (0x80 | (cp >> 6 & 0x3F));
		*to++ = (char) (0x80 | (cp & 0x3F));
	}
	return to;
}

static void
know_vowels(const char *row, int vowel, bool capital)
{
	const char *end = row + strlen(row);
	uint32_t	cp;

	for (int tone = 0; row < end; tone++)
	{
		char		bare = vowel_parts[vowel].bare;

		row = read_cp(row, end, &cp);
		letters_known[cp].plain = capital ? (char) (bare - 32) : bare;
		letters_known[cp].vowel = (uint8_t) (vowel + 1);
		letters_known[cp].tone = (uint8_t) tone;
		letters_known[cp].capital = capital;
		vowel_cp[capital][vowel][tone] = (uint16_t) cp;
	}
}

void
text_init(void)
{
	for (int c = 0; c < 26; c++)
	{
		letters_known['a' + c].plain = (char) ('a' + c);
		letters_known['A' + c].plain = (char) ('A' + c);
		letters_known['A' + c].capital = true;
	}
	for (int c = '0'; c <= '9'; c++)
		letters_known[c].plain = (char) c;
	letters_known[0x111].plain = 'd';
	letters_known[0x110].plain = 'D';
	letters_known[0x110].capital = true;
	for (int v = 0; v < 12; v++)
	{
		know_vowels(vowels[v], v, false);
		know_vowels(capitals[v], v, true);
	}
}

void
word_read(Word *word, const char *utf8, size_t len)
{
	const char *end = utf8 + len;
	uint32_t	cp;

	word->len = 0;
	while (utf8 < end && word->len < WORD_LETTERS)
	{
		utf8 = read_cp(utf8, end, &cp);
		word->cp[word->len++] = (uint16_t) (cp < LETTER_LIMIT ? cp : '?');
	}
}

static uint16_t
to_capital(uint16_t cp)
{
	if (letters_known[cp].vowel)
		return vowel_cp[1][letters_known[cp].vowel - 1][letters_known[cp].tone];
	if (cp >= 'a' && cp <= 'z')
		return (uint16_t) (cp - 32);
	return cp == 0x111 ? 0x110 : cp;
}

/* Canonical order of the marks: horn (class 216), dot below (220), all others (230). */
static char *
write_decomposed(char *to, uint16_t cp)
{
	uint16_t	mark,
				tone;

	if (!letters_known[cp].vowel)
		return write_cp(to, cp);
	mark = vowel_parts[letters_known[cp].vowel - 1].mark;
	tone = tone_marks[letters_known[cp].tone];
	*to++ = letters_known[cp].plain;
	if (tone == 0x323 && mark != 0x31B)
	{
		uint16_t	keep = mark;

		mark = tone;
		tone = keep;
	}
	if (mark)
		to = write_cp(to, mark);
	if (tone)
		to = write_cp(to, tone);
	return to;
}

static char *
write_letter(char *to, uint16_t cp, Letters letters, bool decomposed)
{
	if (letters == LETTERS_CAPITAL || letters == LETTERS_CAPITAL_PLAIN)
		cp = to_capital(cp);
	if (letters >= LETTERS_CAPITAL_PLAIN && letters_known[cp].plain)
		cp = (uint16_t) letters_known[cp].plain;
	return decomposed ? write_decomposed(to, cp) : write_cp(to, cp);
}

char *
word_write(char *to, const Word *word, Letters letters, bool decomposed)
{
	for (int i = 0; i < word->len; i++)
		to = write_letter(to, word->cp[i], letters, decomposed);
	return to;
}

char *
text_write(char *to, const char *from, Letters letters, bool decomposed)
{
	const char *end = from + strlen(from);
	uint32_t	cp;

	while (from < end)
	{
		from = read_cp(from, end, &cp);
		to = write_letter(to, (uint16_t) (cp < LETTER_LIMIT ? cp : '?'), letters, decomposed);
	}
	return to;
}

static uint16_t
with_tone(uint16_t cp, int tone)
{
	return vowel_cp[letters_known[cp].capital][letters_known[cp].vowel - 1][tone];
}

static char
lower_plain(uint16_t cp)
{
	char		c = letters_known[cp].plain;

	return c >= 'A' && c <= 'Z' ? (char) (c + 32) : c;
}

bool
word_place_tone(Word *word, bool on_second)
{
	uint16_t   *first,
			   *second;
	char		a,
				b;
	int			tone;

	if (word->len < 2)
		return false;
	first = &word->cp[word->len - 2];
	second = &word->cp[word->len - 1];
	a = lower_plain(*first);
	b = lower_plain(*second);
	if (!((a == 'o' && (b == 'a' || b == 'e')) || (a == 'u' && b == 'y')))
		return false;
	/* only the bare o, a, e, u, y have the choice, and the u of "qu" is no vowel */
	if (vowel_parts[letters_known[*first].vowel - 1].mark || vowel_parts[letters_known[*second].vowel - 1].mark ||
		(word->len > 2 && lower_plain(first[-1]) == 'q'))
		return false;
	tone = letters_known[*first].tone | letters_known[*second].tone;
	if (tone == TONE_LEVEL)
		return false;
	*first = with_tone(*first, on_second ? TONE_LEVEL : tone);
	*second = with_tone(*second, on_second ? tone : TONE_LEVEL);
	return true;
}

bool
word_swap_y(Word *word)
{
	uint16_t   *last;
	char		before;
	int			vowel;

	if (word->len < 2)
		return false;
	last = &word->cp[word->len - 1];
	vowel = letters_known[*last].vowel - 1;
	if (vowel < 0 || (lower_plain(*last) != 'y' && lower_plain(*last) != 'i'))
		return false;
	before = lower_plain(last[-1]);
	/* the consonants after which both letters are in use, and Quý */
	if (!(word->len == 2 && strchr("hklmstv", before)) &&
		!(word->len == 3 && before == 'u' && lower_plain(last[-2]) == 'q'))
		return false;
	*last = vowel_cp[letters_known[*last].capital][vowel == 11 ? 5 : 11][letters_known[*last].tone];
	return true;
}

bool
word_wrong_tone(Word *word, Rng *rng)
{
	int			toned = -1;
	int			any = -1;
	int			tone;

	for (int i = 0; i < word->len; i++)
		if (letters_known[word->cp[i]].vowel)
		{
			any = i;
			if (letters_known[word->cp[i]].tone)
				toned = i;
		}
	if (toned < 0)
		toned = any;
	if (toned < 0)
		return false;
	tone = (letters_known[word->cp[toned]].tone + 1 + (int) rng_below(rng, 5)) % 6;
	word->cp[toned] = with_tone(word->cp[toned], tone);
	return true;
}

static void
word_append(Word *word, uint16_t cp)
{
	if (word->len < WORD_LETTERS)
		word->cp[word->len++] = cp;
}

/* The keys that Telex typing takes, as if the input method had been off. */
static void
word_telex(Word *word)
{
	Word		in = *word;
	int			tone = 0;

	word->len = 0;
	for (int i = 0; i < in.len; i++)
	{
		uint16_t	cp = in.cp[i];

		if (letters_known[cp].vowel)
		{
			const char *keys = vowel_parts[letters_known[cp].vowel - 1].telex;

			word_append(word, (uint16_t) letters_known[cp].plain);
			if (keys[1])
				word_append(word, (uint16_t) keys[1]);
			tone |= letters_known[cp].tone;
		}
		else if (cp == 0x111 || cp == 0x110)
		{
			word_append(word, cp == 0x111 ? 'd' : 'D');
			word_append(word, 'd');
		}
		else
			word_append(word, cp);
	}
	if (tone)
		word_append(word, (uint16_t) tone_telex[tone]);
}

static uint16_t
near_key(uint16_t cp, Rng *rng)
{
	static const char keys[] = "qwertyuiopasdfghjklzxcvbnm";
	const char *at = strchr(keys, lower_plain(cp));
	size_t		i = at ? (size_t) (at - keys) : 0;

	i = i == 0 ? 1 : i == 25 ? 24 : i + 2 * rng_below(rng, 2) - 1;
	return (uint16_t) keys[i];
}

void
word_mistype(Word *word, Rng *rng)
{
	/* the first letter is seldom wrong: people look at it */
	int			at = word->len > 1 ? 1 + (int) rng_below(rng, word->len - 1u) : 0;
	int			kind = (int) rng_below(rng, 6);
	uint16_t	cp = word->cp[at];

	if (kind == 0 && at > 0 && word->len > 2)	/* one letter short */
	{
		memmove(&word->cp[at], &word->cp[at + 1], (word->len - at - 1u) * sizeof(uint16_t));
		word->len--;
	}
	else if (kind == 1 && word->len < WORD_LETTERS) /* a key hit twice */
	{
		memmove(&word->cp[at + 1], &word->cp[at], (size_t) (word->len - at) * sizeof(uint16_t));
		word->len++;
	}
	else if (kind == 2 && at > 1)	/* two keys the wrong way round */
	{
		word->cp[at] = word->cp[at - 1];
		word->cp[at - 1] = cp;
	}
	else if (kind == 3)
		word_telex(word);
	else
		word->cp[at] = near_key(cp, rng);
}

size_t
text_fold(char *to, const char *from)
{
	const char *end = from + strlen(from);
	char	   *at = to;
	uint32_t	cp;

	while (from < end)
	{
		from = read_cp(from, end, &cp);
		if (cp >= 0x300 && cp < 0x370)
			continue;
		if (cp < LETTER_LIMIT && letters_known[cp].plain)
			*at++ = lower_plain((uint16_t) cp);
		else if (at > to && at[-1] != ' ')
			*at++ = ' ';
	}
	if (at > to && at[-1] == ' ')
		at--;
	*at = '\0';
	return (size_t) (at - to);
}
