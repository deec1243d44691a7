/*
 * vn_text.c
 *		Vietnamese text: unmarked form, exact form.
 */
#include <string.h>

#include "utf8.h"
#include "vn_text.h"
#include "vn_text_data.h"

#define MAX_MARKS	4			/* a letter with more keeps the first ones */
#define MAX_LETTERS 32			/* a longer word is no Vietnamese syllable */

typedef struct Letter
{
	uint32_t	base;			/* a capital without marks, or any other code point */
	int			nmarks;
	uint16_t	marks[MAX_MARKS];	/* in canonical order */
} Letter;

typedef struct Word
{
	int			n;
	bool		part;			/* a piece of a word longer than MAX_LETTERS */
	Letter		letters[MAX_LETTERS];
} Word;

/* Where to write; full once the next byte would not fit. */
typedef struct Sink
{
	char	   *out;
	size_t		len;
	size_t		size;
	bool		full;
} Sink;

typedef enum CharKind
{
	CHAR_LETTER,				/* letters, digits, all that is none of the rest */
	CHAR_BLANK,					/* blanks, controls, punctuation */
	CHAR_MARK,					/* a combining mark */
	CHAR_NOTHING				/* zero-width: as if it were not there */
} CharKind;

static bool
is_ascii_alnum(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static uint32_t
ascii_upper(uint32_t c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static CharKind
char_kind(uint32_t c)
{
	if (c < 0x80)
		return is_ascii_alnum(c) ? CHAR_LETTER : CHAR_BLANK;
	if (c >= MARK_FIRST && c < MARK_END)
		return CHAR_MARK;
	if (c == 0xAD || (c >= 0x200B && c <= 0x200F) || (c >= 0x2060 && c <= 0x2064) ||
		c == 0xFEFF || c == 0x34F)
		return CHAR_NOTHING;
	if (c < 0xC0 || c == 0xD7 || c == 0xF7 || (c >= 0x2B0 && c < 0x300) ||
		(c >= 0x2000 && c <= 0x206F) || (c >= 0x3000 && c <= 0x3003))
		return CHAR_BLANK;
	return CHAR_LETTER;
}

/* Full-width ASCII, as Asian input methods write it, is ASCII. */
static uint32_t
narrow(uint32_t c)
{
	return c >= 0xFF01 && c <= 0xFF5E ? c - 0xFF01 + 0x21 : c;
}

static void
put(Sink *sink, const char *bytes, size_t n)
{
	if (n > sink->size - sink->len)
	{
		sink->full = true;
		return;
	}
	memcpy(sink->out + sink->len, bytes, n);
	sink->len += n;
}

/* The letters of the unmarked form of c: none for what has no ASCII form. */
static const char *
ascii_form(uint32_t c, char buf[2])
{
	if (c < 0x80)
	{
		buf[0] = (char) ascii_upper(c);
		buf[1] = '\0';
		return buf;
	}
	if (c >= LATIN0_FIRST && c < LATIN0_END)
		return latin0_ascii[c - LATIN0_FIRST];
	if (c >= LATIN1_FIRST && c < LATIN1_END)
		return latin1_ascii[c - LATIN1_FIRST];
	return "";
}

CoreStatus
fold_text(const char *in, size_t len, char *out, size_t *out_len)
{
	Sink		sink = {out, 0, len, false};
	bool		blank = false;
	size_t		at = 0;

	while (at < len)
	{
		uint32_t	c;
		char		buf[2];
		const char *form;
		int			n = utf8_decode(in + at, len - at, &c);

		if (n == 0)
			return CORE_INVALID;
		at += n;
		c = narrow(c);
		switch (char_kind(c))
		{
			case CHAR_BLANK:
				blank = true;
				break;
			case CHAR_LETTER:
				form = ascii_form(c, buf);
				if (*form == '\0')
					break;
				if (blank && sink.len > 0)
					put(&sink, " ", 1);
				blank = false;
				put(&sink, form, strlen(form));
				break;
			case CHAR_MARK:
			case CHAR_NOTHING:
				break;
		}
	}
	*out_len = sink.len;
	return CORE_OK;
}

/* ---- syllables ---- */

static bool
is_vowel(uint32_t base)
{
	return base < 0x80 && base != 0 && strchr("AEIOUY", (int) base) != NULL;
}

static bool
is_tone(uint16_t mark)
{
	return mark == 0x300 || mark == 0x301 || mark == 0x303 || mark == 0x309 || mark == 0x323;
}

/* circumflex, breve, horn */
static bool
is_shape(uint16_t mark)
{
	return mark == 0x302 || mark == 0x306 || mark == 0x31B;
}

static bool
has_shape(const Letter *letter)
{
	int			m;

	for (m = 0; m < letter->nmarks; m++)
		if (is_shape(letter->marks[m]))
			return true;
	return false;
}

/*
 * The vowels of a syllable: letters[first .. first + count - 1], after the
 * consonants that open it (the U of QU and, before another vowel, the I of GI
 * belong to those) and before those that close it.  False when the word is not
 * built like that.
 */
static bool
find_vowels(const Word *w, int *first, int *count)
{
	int			i = 0;
	int			v;

	while (i < w->n && !is_vowel(w->letters[i].base))
		i++;
	if (i == 1 && w->n > 2 && is_vowel(w->letters[2].base) && !has_shape(&w->letters[1]) &&
		((w->letters[0].base == 'Q' && w->letters[1].base == 'U') ||
		 (w->letters[0].base == 'G' && w->letters[1].base == 'I')))
		i++;
	v = i;
	while (i < w->n && is_vowel(w->letters[i].base))
		i++;
	*first = v;
	*count = i - v;
	for (; i < w->n; i++)
		if (is_vowel(w->letters[i].base))
			return false;
	return *count >= 1 && *count <= 3 && v <= 3;
}

/*
 * Whether the vowel I or Y at i, the letters before and after given by base
 * letter alone (0 for none), is one that is written both ways; *as is the way
 * kept.  Only base letters count, so that it is the same with and without marks:
 *
 *	h k l m s t v + i, alone		LI, MI, KI		-> LY, MY, KY
 *	qu + i							QUI, QUINH		-> QUY, QUYNH
 *	i as a whole word, ie at the start	I, IEN		-> Y, YEN
 */
static bool
i_or_y(const char *bases, int n, int i, char *as)
{
	bool		last = i == n - 1;

	if (bases[i] != 'I' && bases[i] != 'Y')
		return false;
	*as = 'Y';
	if (i == 0)
		return last || bases[1] == 'E';
	if (i == 1)
		return last && strchr("HKLMSTV", bases[0]) != NULL;
	return i == 2 && bases[0] == 'Q' && bases[1] == 'U' &&
		(last || (bases[3] >= 'A' && bases[3] <= 'Z' && !is_vowel((unsigned char) bases[3])));
}

/*
 * Where the tone mark of a syllable belongs: on the last vowel that has a
 * shape of its own; else on the second of two before a closing consonant, the
 * middle one of three, the first of two in an open syllable (HÒA, THÚY, KHỎE).
 */
static int
tone_place(const Word *w, int first, int count)
{
	int			i;

	for (i = first + count - 1; i >= first; i--)
		if (w->letters[i].nmarks > 0)
			return i;
	if (count == 1)
		return first;
	return count == 3 || first + count < w->n ? first + 1 : first;
}

/*
 * Takes the tone mark off the word and returns it; 0 when it has none.  -1, the
 * word untouched, when it is no Vietnamese syllable: other marks or letters, a
 * mark on a consonant, two tones.
 */
static int
take_tone(Word *w)
{
	int			tone = 0;
	int			owner = -1;
	int			i;
	int			m;

	for (i = 0; i < w->n; i++)
	{
		const Letter *letter = &w->letters[i];

		if (!(letter->base >= 'A' && letter->base <= 'Z') && letter->base != 0x110)
			return -1;
		for (m = 0; m < letter->nmarks; m++)
		{
			if (!is_vowel(letter->base))
				return -1;
			if (is_tone(letter->marks[m]))
			{
				if (tone != 0)
					return -1;
				tone = letter->marks[m];
				owner = i;
			}
			else if (!is_shape(letter->marks[m]))
				return -1;
		}
		if (letter->nmarks > 2)
			return -1;
	}
	if (owner >= 0)
	{
		Letter	   *letter = &w->letters[owner];

		for (m = 0; letter->marks[m] != tone; m++)
			;
		if (m == 0)
			letter->marks[0] = letter->marks[1];
		letter->nmarks--;
	}
	return tone;
}

static void
add_mark(Letter *letter, uint16_t mark)
{
	int			i = letter->nmarks;

	if (letter->nmarks == MAX_MARKS)
		return;
	/* canonical order: by class, and as they came within one */
	while (i > 0 && mark_class[letter->marks[i - 1] - MARK_FIRST] > mark_class[mark - MARK_FIRST])
	{
		letter->marks[i] = letter->marks[i - 1];
		i--;
	}
	letter->marks[i] = mark;
	letter->nmarks++;
}

/* Puts the tone where it belongs and writes i/y the one way. */
static void
settle_syllable(Word *w)
{
	char		bases[MAX_LETTERS];
	int			first;
	int			count;
	int			tone;
	int			i;

	for (i = 0; i < w->n; i++)
	{
		uint32_t	base = w->letters[i].base;

		bases[i] = base < 0x80 ? (char) base : base == 0x110 ? 'D' : '?';
	}
	for (i = 0; i < w->n; i++)
	{
		char		as;

		if (i_or_y(bases, w->n, i, &as))
			w->letters[i].base = (uint32_t) as;
	}
	if (!find_vowels(w, &first, &count))
		return;
	tone = take_tone(w);
	if (tone > 0)
		add_mark(&w->letters[tone_place(w, first, count)], (uint16_t) tone);
}

/* ---- composing ---- */

static uint32_t
compose(uint32_t first, uint16_t mark)
{
	size_t		lo = 0;
	size_t		hi = sizeof(latin_pairs) / sizeof(latin_pairs[0]);

	while (lo < hi)
	{
		size_t		mid = (lo + hi) / 2;

		if (latin_pairs[mid].first == first && latin_pairs[mid].mark == mark)
			return latin_pairs[mid].whole;
		if (latin_pairs[mid].first < first ||
			(latin_pairs[mid].first == first && latin_pairs[mid].mark < mark))
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

/* NFC of one letter: a mark that no mark of its class or a higher one precedes is composed. */
static void
put_letter(Sink *sink, const Letter *letter)
{
	uint32_t	base = letter->base;
	uint16_t	left[MAX_MARKS];
	int			nleft = 0;
	char		buf[4];
	int			m;

	for (m = 0; m < letter->nmarks; m++)
	{
		uint16_t	mark = letter->marks[m];
		bool		blocked = nleft > 0 &&
			mark_class[left[nleft - 1] - MARK_FIRST] >= mark_class[mark - MARK_FIRST];
		uint32_t	whole = blocked ? 0 : compose(base, mark);

		if (whole != 0)
			base = whole;
		else
			left[nleft++] = mark;
	}
	put(sink, buf, (size_t) utf8_encode(base, buf));
	for (m = 0; m < nleft; m++)
		put(sink, buf, (size_t) utf8_encode(left[m], buf));
}

static void
put_word(Sink *sink, Word *w)
{
	int			i;

	if (!w->part)
		settle_syllable(w);
	for (i = 0; i < w->n; i++)
		put_letter(sink, &w->letters[i]);
	w->n = 0;
}

/* Adds a base letter or a mark to the word. */
static void
add_letter(Sink *sink, Word *w, uint32_t c)
{
	if (c >= MARK_FIRST && c < MARK_END)
	{
		if (w->n > 0)
			add_mark(&w->letters[w->n - 1], (uint16_t) c);
		return;
	}
	if (w->n == MAX_LETTERS)
	{
		w->part = true;
		put_word(sink, w);
	}
	w->letters[w->n].base = c;
	w->letters[w->n].nmarks = 0;
	w->n++;
}

/* The capital of c in canonical decomposition: up to three code points, 0 for none. */
static void
capital(uint32_t c, uint32_t seq[3])
{
	const uint16_t *row = NULL;

	seq[1] = seq[2] = 0;
	if (c < 0x80)
		seq[0] = ascii_upper(c);
	else if (c >= LATIN0_FIRST && c < LATIN0_END)
		row = latin0_capital[c - LATIN0_FIRST];
	else if (c >= LATIN1_FIRST && c < LATIN1_END)
		row = latin1_capital[c - LATIN1_FIRST];
	else
		seq[0] = c;
	if (row != NULL)
	{
		seq[0] = row[0];
		seq[1] = row[1];
		seq[2] = row[2];
	}
}

CoreStatus
fold_normal(const char *in, size_t len, char *out, size_t *out_len)
{
	Sink		sink = {out, 0, FOLD_NORMAL_SIZE(len), false};
	Word		w;
	bool		blank = false;
	size_t		at = 0;

	w.n = 0;
	w.part = false;
	while (at < len)
	{
		uint32_t	c;
		uint32_t	seq[3];
		CharKind	kind;
		int			n = utf8_decode(in + at, len - at, &c);

		if (n == 0)
			return CORE_INVALID;
		at += n;
		c = narrow(c);
		kind = char_kind(c);
		if (kind == CHAR_NOTHING)
			continue;
		if (kind == CHAR_BLANK)
		{
			put_word(&sink, &w);
			w.part = false;
			blank = true;
			continue;
		}
		if (kind == CHAR_LETTER && blank)
		{
			if (sink.len > 0)
				put(&sink, " ", 1);
			blank = false;
		}
		else if (blank)
			continue;			/* a mark on a blank */
		capital(c, seq);
		for (n = 0; n < 3 && seq[n] != 0; n++)
			add_letter(&sink, &w, seq[n]);
	}
	put_word(&sink, &w);
	*out_len = sink.len;
	return sink.full ? CORE_TOO_LARGE : CORE_OK;
}

/* ---- names ---- */

typedef struct Words
{
	int			n;
	struct
	{
		const char *s;
		int			len;
	}			word[FOLD_MAX_WORDS];
} Words;

/* Splits folded text at its single blanks; words beyond FOLD_MAX_WORDS are not in *words: false. */
static bool
split_words(const char *s, size_t len, Words *words)
{
	size_t		at = 0;

	words->n = 0;
	while (at < len)
	{
		size_t		end = at;

		while (end < len && s[end] != ' ')
			end++;
		if (words->n == FOLD_MAX_WORDS)
			return false;
		words->word[words->n].s = s + at;
		words->word[words->n].len = (int) (end - at);
		words->n++;
		at = end + 1;
	}
	return true;
}

static bool
word_is(const Words *words, int i, const char *what)
{
	return i < words->n && words->word[i].len == (int) strlen(what) &&
		memcmp(words->word[i].s, what, strlen(what)) == 0;
}

/* Văn is a surname too, but far oftener the second word of a name, so it does not vouch for a title. */
static bool
is_surname(const Words *words, int i)
{
	size_t		k;

	for (k = 0; k < sizeof(surnames_ascii) / sizeof(surnames_ascii[0]); k++)
		if (word_is(words, i, surnames_ascii[k]))
			return !word_is(words, i, "VAN");
	return false;
}

/* Titles as fold_name sees them.  Cháu, Chú, Cô and Cụ are not here: unmarked they are surnames. */
static const char *const titles[] = {
	"ONG", "BA", "ANH", "CHI", "EM", "BS", "BSCKI", "BSCKII", "TS", "THS", "GS", "PGS", "DS", "DD", "YS",
	"MR", "MRS", "MS", "DR", NULL
};

/* How many titles stand before a surname that begins a name of two words or more. */
static int
count_titles(const Words *words, int from)
{
	int			n = from;
	int			k;

	for (;;)
	{
		for (k = 0; titles[k] != NULL && !word_is(words, n, titles[k]); k++)
			;
		if (titles[k] == NULL)
			break;
		n++;
	}
	return n > from && is_surname(words, n) && n + 1 < words->n ? n - from : 0;
}

static void
settle_i_y(char *s, size_t len)
{
	size_t		at = 0;

	while (at < len)
	{
		size_t		end = at;
		size_t		i;

		while (end < len && s[end] != ' ')
			end++;
		for (i = at; i < end && i < at + 3; i++)
		{
			char		as;

			if (i_or_y(s + at, (int) (end - at), (int) (i - at), &as))
				s[i] = as;
		}
		at = end + 1;
	}
}

CoreStatus
fold_name(const char *in, size_t len, char *out, size_t *out_len)
{
	Words		words;
	CoreStatus	status = fold_text(in, len, out, out_len);

	if (status != CORE_OK)
		return status;
	settle_i_y(out, *out_len);
	if (split_words(out, *out_len, &words))
	{
		int			n = count_titles(&words, 0);

		if (n > 0)
		{
			size_t		cut = (size_t) (words.word[n].s - out);

			memmove(out, out + cut, *out_len - cut);
			*out_len -= cut;
		}
	}
	return CORE_OK;
}

static void
reverse(char *s, size_t n)
{
	size_t		i;

	for (i = 0; i < n / 2; i++)
	{
		char		c = s[i];

		s[i] = s[n - 1 - i];
		s[n - 1 - i] = c;
	}
}

static size_t
word_length(const char *s, size_t len)
{
	const char *blank = memchr(s, ' ', len);

	return blank == NULL ? len : (size_t) (blank - s);
}

static int
compare_words(const char *a, size_t alen, const char *b, size_t blen)
{
	int			c = memcmp(a, b, alen < blen ? alen : blen);

	return c != 0 ? c : alen < blen ? -1 : alen > blen;
}

/*
 * Moves the word at out + at, n bytes, before the first word that sorts after
 * it.  "A B X" becomes "X A B" when all of it is reversed, and then X and "A B"
 * each: the blank between falls into its place.
 */
static void
insert_word(char *out, size_t at, size_t n)
{
	size_t		to = 0;

	while (to < at)
	{
		size_t		len = word_length(out + to, at - to);

		if (compare_words(out + to, len, out + at, n) > 0)
			break;
		to += len + 1;
	}
	if (to < at)
	{
		reverse(out + to, at + n - to);
		reverse(out + to, n);
		reverse(out + to + n + 1, at - to - 1);
	}
}

CoreStatus
fold_name_key(const char *in, size_t len, char *out, size_t *out_len)
{
	size_t		at = 0;
	int			words = 0;
	CoreStatus	status = fold_name(in, len, out, out_len);

	if (status != CORE_OK)
		return status;
	while (at < *out_len)
	{
		size_t		n = word_length(out + at, *out_len - at);

		if (++words > FOLD_MAX_WORDS)
			return CORE_TOO_LARGE;
		insert_word(out, at, n);
		at += n + 1;
	}
	return CORE_OK;
}

/* Beginnings that say "child of"; a number may hang on the first word (CB2: the second of twins). */
static const char *const newborn_starts[][3] = {
	{"CB"}, {"CON", "BA"}, {"CON", "CHI"}, {"CON", "ONG"}, {"CON", "ME"}, {"CON", "CUA"}, {"CON", "TRAI"}, {"CON", "GAI"},
	{"CON", "SAN", "PHU"}, {"CON", "SP"}, {"CON"}, {"BE", "CON"}, {"BE", "CUA"}, {"BE", "TRAI"}, {"BE", "GAI"},
	{"TRE", "SO", "SINH"}, {"SO", "SINH"}, {"TSS"},
};

/* Beginnings that say that no name is known. */
static const char *const no_names[][3] = {
	{"KHONG", "RO"}, {"KHONG", "BIET"}, {"KHONG", "XAC", "DINH"}, {"KHONG", "TEN"}, {"KHONG", "CO", "TEN"},
	{"VO", "DANH"}, {"CHUA", "CO", "TEN"}, {"CHUA", "DAT", "TEN"}, {"CHUA", "RO"}, {"CHUA", "XAC", "DINH"},
	{"UNKNOWN"}, {"NO", "NAME"}, {"UNNAMED"},
};

/* Words between such a beginning and the mother's name. */
static const char *const newborn_links[][3] = {
	{"CUA"}, {"ME"}, {"SAN", "PHU"}, {"SP"}, {"CON"}, {"BA"}, {"CHI"}, {"TRAI"}, {"GAI"},
};

/* How many words the beginning has when the name begins with it from a word on, else 0. */
static int
starts_with(const Words *words, int from, const char *const start[3])
{
	int			n;

	for (n = 0; n < 3 && start[n] != NULL; n++)
		if (!word_is(words, from + n, start[n]))
			return 0;
	return n;
}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

FoldNameKind
fold_name_kind(const char *folded, size_t len, size_t *mother_at)
{
	Words		words;
	size_t		k;
	int			n = 0;

	*mother_at = 0;
	(void) split_words(folded, len, &words);	/* the first words are enough */
	if (words.n == 0)
		return FOLD_NAME_NONE;
	for (k = 0; k < LENGTH(no_names); k++)
		if (starts_with(&words, 0, no_names[k]) > 0)
			return FOLD_NAME_NONE;
	while (words.word[0].len > 2 && words.word[0].s[words.word[0].len - 1] >= '0' &&
		   words.word[0].s[words.word[0].len - 1] <= '9')
		words.word[0].len--;
	for (k = 0; k < LENGTH(newborn_starts) && n == 0; k++)
		n = starts_with(&words, 0, newborn_starts[k]);
	/* "Bé" is a given name too: it is a newborn's only before a surname; so are the letters of "C/B" */
	if (n == 0 && word_is(&words, 0, "BE") && is_surname(&words, 1) && words.n > 2)
		n = 1;
	if (n == 0 && word_is(&words, 0, "C") && word_is(&words, 1, "B") && is_surname(&words, 2) && words.n > 3)
		n = 2;
	if (n == 0)
		return FOLD_NAME_PERSON;
	/* a surname begins the mother's name */
	for (k = 0; k < LENGTH(newborn_links) && !(is_surname(&words, n) && n + 1 < words.n); k++)
	{
		int			more = starts_with(&words, n, newborn_links[k]);

		/* the last word may be her name */
		if (more > 0 && n + more < words.n)
		{
			n += more;
			k = (size_t) -1;
		}
	}
	n += count_titles(&words, n);
	*mother_at = n < words.n ? (size_t) (words.word[n].s - folded) : len;
	return FOLD_NAME_NEWBORN;
}
