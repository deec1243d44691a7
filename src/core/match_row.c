/*
 * match_row.c
 *		Making, storing and loading feature rows.
 */
#include "match_row.h"

#include <string.h>

#include "citizen_id.h"
#include "insurance_no.h"
#include "phone.h"
#include "vn_text.h"

#define TEXT_MAX 512			/* longer names and addresses are cut */

/* Years that tell whose number it is. */
#define SLIP_YEARS 12			/* a number further from the birth year is a parent's or child's */
#define OLD_CARD_LAST_BIRTH 2007	/* given from 14 years on, until February 2021 */
#define THIS_CENTURY_END 2099

uint64_t
match_hash(const char *s, size_t len)
{
	uint64_t	h = UINT64_C(0xcbf29ce484222325);
	size_t		i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char) s[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	h *= UINT64_C(0xd6e8feb86659fd93);
	h ^= h >> 32;
	return h == 0 ? 1 : h;
}

static uint32_t
hash32(const char *s, size_t len)
{
	uint32_t	h = (uint32_t) match_hash(s, len);

	return h == 0 ? 1 : h;
}

static size_t
length_of(const char *s)
{
	return s == NULL ? 0 : strnlen(s, TEXT_MAX);
}

/* The length, cut at TEXT_MAX without leaving half a character behind. */
static size_t
text_of(const char *s)
{
	size_t		n = length_of(s);

	if (n == TEXT_MAX)
		while (n > 0 && ((unsigned char) s[n] & 0xc0) == 0x80)
			n--;
	return n;
}

/* ---- name ---- */

static void
set_words(MatchRow *row)
{
	size_t		from = 0;
	size_t		first_end;
	size_t		last_from;
	size_t		i;

	for (i = 0; i <= row->letters_len; i++)
		if (i == row->letters_len || row->letters[i] == ' ')
		{
			/* more words than there is room for count as the last one's tail */
			if (row->words < MATCH_WORDS_MAX)
				row->words++;
			row->word_end[row->words - 1] = (uint8_t) i;
		}
	first_end = row->word_end[0];
	last_from = row->words > 1 ? row->word_end[row->words - 2] + 1 : 0;
	from = first_end + 1;
	row->surname = row->words > 1 ? hash32(row->letters, first_end) : 0;
	row->given = hash32(row->letters + last_from, row->letters_len - last_from);
	row->middle = row->words > 2 ? hash32(row->letters + from, last_from - 1 - from) : 0;
}

/* The number at the end of a newborn's first word: CB2. */
static int
birth_order(const char *folded, size_t len)
{
	size_t		n = 0;

	while (n < len && folded[n] != ' ')
		n++;
	return n > 2 && folded[n - 1] >= '1' && folded[n - 1] <= '7' ? folded[n - 1] - '0' : 0;
}

/* Where the last n words begin. */
static size_t
last_words(const char *s, size_t len, int n)
{
	while (len > 0 && n > 0)
		if (s[--len] == ' ')
			n--;
	return n == 0 ? len + 1 : 0;
}

static int
count_words(const char *s, size_t len)
{
	int			n = len > 0;

	while (len > 0)
		n += s[--len] == ' ';
	return n;
}

static void
set_marked(MatchRow *row, const char *name, size_t len, int words)
{
	char		normal[FOLD_NORMAL_SIZE(TEXT_MAX)];
	size_t		n;
	size_t		from;
	size_t		i;

	if (fold_normal(name, len, normal, &n) != CORE_OK)
		return;
	from = last_words(normal, n, words);
	for (i = from; i < n; i++)
		if ((unsigned char) normal[i] & 0x80)
		{
			row->marked = match_hash(normal + from, n - from);
			return;
		}
}

static void
set_name(MatchRow *row, const char *name)
{
	char		folded[TEXT_MAX];
	const char *s = folded;
	size_t		len = text_of(name);
	size_t		n;
	size_t		mother_at;
	FoldNameKind kind;

	if (len == 0 || fold_name(name, len, folded, &n) != CORE_OK || n == 0)
		return;
	kind = fold_name_kind(folded, n, &mother_at);
	if (kind == FOLD_NAME_NONE)
		return;
	if (kind == FOLD_NAME_NEWBORN)
	{
		row->flags |= MATCH_NEWBORN | birth_order(folded, n) << 4;
		s += mother_at;
		n -= mother_at;
		if (n == 0)
			return;
	}
	/* titles and newborn words stand before the name */
	set_marked(row, name, len, count_words(s, n));
	if (n > MATCH_NAME_MAX)
		n = MATCH_NAME_MAX;
	while (n > 0 && s[n - 1] == ' ')
		n--;
	memcpy(row->letters, s, n);
	row->letters_len = (uint8_t) n;
	row->name = match_hash(s, n);
	set_words(row);
}

/* ---- birth date ---- */

/* n digits; -1 when they are not */
static int
digits(const char *s, int n)
{
	int			v = 0;

	while (n-- > 0)
	{
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s++ - '0');
	}
	return v;
}

static void
set_birth(MatchRow *row, const char *birth)
{
	size_t		len = length_of(birth);
	int			year,
				month,
				day;

	if (len < 4 || (year = digits(birth, 4)) < 1800)
		return;
	row->birth = year * 10000;
	if (len < 10 || birth[4] != '-' || birth[7] != '-')
		return;
	month = digits(birth + 5, 2);
	day = digits(birth + 8, 2);
	if (month >= 1 && month <= 12 && day >= 1 && day <= 31)
		row->birth += month * 100 + day;
}

/* ---- numbers ---- */

static bool
placeholder(const char *s, size_t len)
{
	bool		same = true;
	bool		counted = true;
	size_t		i;

	for (i = 1; i < len; i++)
	{
		same = same && s[i] == s[0];
		counted = counted && (s[i] - s[i - 1] + 10) % 10 == 1;
	}
	return same || counted;
}

static void
set_citizen(MatchRow *row, int64_t id)
{
	int			year = citizen_id_birth_year(id);
	int			apart = match_year(row) == 0 ? 0 : year - match_year(row);
	bool		other_sex = row->sex != SEX_MISSING && (row->sex == SEX_FEMALE) != citizen_id_female(id);

	if (apart < 0)
		apart = -apart;
	if (year > THIS_CENTURY_END || apart > SLIP_YEARS || (apart != 0 && other_sex))
	{
		row->flags |= MATCH_NUMBER_ALIEN;
		return;
	}
	if (apart != 0 || other_sex)
		row->flags |= MATCH_NUMBER_DOUBTFUL;
	row->number = (uint64_t) id;
	row->number_kind = NUMBER_CITIZEN;
}

static void
set_number(MatchRow *row, const char *number)
{
	char		s[32];
	size_t		len = 0;
	bool		letters = false;
	uint64_t	value = 0;

	for (; number != NULL && *number != '\0' && len < sizeof s; number++)
	{
		char		c = *number;

		if (c >= 'a' && c <= 'z')
			c = (char) (c - 'a' + 'A');
		if (c >= '0' && c <= '9')
			value = value * 10 + (c - '0');
		else if (c >= 'A' && c <= 'Z')
			letters = true;
		else
			continue;
		s[len++] = c;
	}
	if (len < 7 || len == sizeof s || (!letters && placeholder(s, len)))
		return;
	if (letters)
	{
		row->number = match_hash(s, len);
		row->number_kind = NUMBER_OTHER;
	}
	else if (len == 12 || len == 11)
		/* a spreadsheet takes the leading zero away */
		set_citizen(row, (int64_t) value);
	else if (len == 9 || len == 8)
	{
		if (match_year(row) > OLD_CARD_LAST_BIRTH)
			row->flags |= MATCH_NUMBER_ALIEN;
		else
		{
			row->number = value;
			row->number_kind = NUMBER_OLD;
		}
	}
}

static void
set_insurance(MatchRow *row, const char *insurance)
{
	int64_t		no;
	int64_t		id;
	InsuranceNoFault fault;

	if (insurance == NULL || insurance_no_parse(insurance, length_of(insurance), &no, &fault) != CORE_OK ||
		!insurance_no_identifies(no))
		return;
	if (insurance_no_citizen_id(no, &id))
	{
		if (row->number_kind != NUMBER_CITIZEN)
			set_citizen(row, id);
	}
	else
		row->insurance = (uint64_t) (insurance_no_key(no) & INT64_C(0xffffffffff)) + 1;
}

static void
set_phone(MatchRow *row, const char *phone)
{
	char		s[PHONE_SIZE];
	size_t		len;
	size_t		i;

	if (phone == NULL || phone_normalize(phone, length_of(phone), s, &len) != CORE_OK || placeholder(s + 1, len - 1))
		return;
	if (s[0] == '+')
	{
		row->phone = match_hash(s, len);
		return;
	}
	for (i = 0; i < len; i++)
		row->phone = row->phone * 10 + (uint64_t) (s[i] - '0');
}

/* ---- address ---- */

/* Words that say what the next one is; after the second kind no street follows. */
static const char *const street_words[] = {"SO", "DUONG", "D", "NHA", "PHO", "SN", "HEM", "NGO", "NGACH", "KIET"};
static const char *const area_words[] = {
	"P", "PHUONG", "X", "XA", "TT", "Q", "QUAN", "H", "HUYEN", "TP", "TX", "KP", "TO", "AP", "KHU", "TINH"
};

static bool
among(const char *const *words, size_t n, const char *s, size_t len)
{
	size_t		i;

	for (i = 0; i < n; i++)
		if (strlen(words[i]) == len && memcmp(words[i], s, len) == 0)
			return true;
	return false;
}

#define AMONG(words, s, len) among(words, sizeof words / sizeof *words, s, len)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* P5, Q10: a ward or district by its number */
static bool
numbered_area(const char *s, size_t len)
{
	return len >= 2 && len <= 3 && (s[0] == 'P' || s[0] == 'Q') && is_digit(s[1]) && is_digit(s[len - 1]);
}

/*
 * House number and street of an address: the part before the first comma, up
 * to the word that begins ward, district or province.
 */
static void
set_address(MatchRow *row, const char *address)
{
	char		s[TEXT_MAX];
	size_t		len = text_of(address);
	size_t		from,
				to;
	uint64_t	house = 0;
	bool		leading = true;
	const char *comma = len > 0 ? memchr(address, ',', len) : NULL;

	if (comma != NULL && comma > address)
		len = (size_t) (comma - address);
	if (len == 0 || fold_text(address, len, s, &len) != CORE_OK)
		return;
	for (from = 0; from < len; from = to + 1)
	{
		const char *end = memchr(s + from, ' ', len - from);

		to = end == NULL ? len : (size_t) (end - s);
		if (AMONG(street_words, s + from, to - from))
			continue;
		if (from > 0 && (AMONG(area_words, s + from, to - from) || numbered_area(s + from, to - from)))
			break;
		if (leading && is_digit(s[from]))
			house = house * 31 + match_hash(s + from, to - from);
		else
		{
			leading = false;
			row->street |= UINT64_C(1) << (match_hash(s + from, to - from) >> 40 & 63);
		}
	}
	if (row->street != 0 && house != 0)
		row->house = (uint16_t) (house >> 24) | 1;
	/* a street without a house is no home */
	if (row->house == 0)
		row->street = 0;
}

/* What a unit is, before its name: units change it, and senders shorten it. */
static const char *const unit_words[] = {
	"P ", "PHUONG ", "X ", "XA ", "TT ", "T T ", "THI TRAN ", "Q ", "QUAN ", "H ", "HUYEN ", "TP ", "T P ", "THANH PHO ", "TX ", "T X ", "THI XA ", "DAC KHU "
};

/*
 * A unit by its code or name, written one way: "P.05", "P5" and "Phường 5" are
 * 5, "TT. Nhà Bè" and "THI TRAN NHA BE" are NHA BE; spreadsheets take leading
 * zeros from codes.
 */
static uint32_t
area(const char *code)
{
	char		text[TEXT_MAX];
	const char *s = text;
	size_t		len = text_of(code);
	size_t		i;

	if (len == 0 || fold_text(code, len, text, &len) != CORE_OK)
		return 0;
	for (i = 0; i < sizeof unit_words / sizeof *unit_words; i++)
	{
		size_t		n = strlen(unit_words[i]);

		if (len > n && memcmp(s, unit_words[i], n) == 0)
		{
			s += n;
			len -= n;
			break;
		}
	}
	if (numbered_area(s, len))
	{
		s++;
		len--;
	}
	while (len > 1 && *s == '0' && is_digit(s[1]))
	{
		s++;
		len--;
	}
	return len == 0 ? 0 : hash32(s, len);
}

/* ---- whole rows ---- */

static void
set_content(MatchRow *row)
{
	uint8_t		stored[MATCH_STORED_MAX];

	row->content = match_hash((const char *) stored, match_row_store(row, stored));
}

void
match_row_make(MatchRow *row, const MatchInput *in)
{
	memset(row, 0, sizeof *row);
	row->sex = (uint8_t) in->sex;
	set_name(row, in->name);
	set_birth(row, in->birth);
	set_number(row, in->number);
	set_insurance(row, in->insurance);
	set_phone(row, in->phone);
	row->commune = area(in->commune);
	row->district = area(in->district);
	set_address(row, in->address);
	set_content(row);
}

static uint8_t *
put(uint8_t *p, uint64_t v, int bytes)
{
	while (bytes-- > 0)
	{
		*p++ = (uint8_t) v;
		v >>= 8;
	}
	return p;
}

static uint64_t
take(const uint8_t **p, int bytes)
{
	uint64_t	v = 0;
	int			i;

	for (i = 0; i < bytes; i++)
		v |= (uint64_t) *(*p)++ << 8 * i;
	return v;
}

size_t
match_row_store(const MatchRow *row, uint8_t *out)
{
	uint8_t    *p = out;

	*p++ = MATCH_ROW_VERSION;
	*p++ = row->sex;
	*p++ = row->number_kind;
	*p++ = row->flags;
	*p++ = row->letters_len;
	*p++ = row->words;
	p = put(p, row->house, 2);
	p = put(p, (uint32_t) row->birth, 4);
	p = put(p, row->commune, 4);
	p = put(p, row->district, 4);
	p = put(p, row->number, 8);
	p = put(p, row->insurance, 8);
	p = put(p, row->phone, 8);
	p = put(p, row->street, 8);
	p = put(p, row->marked, 8);
	memcpy(p, row->word_end, row->words);
	p += row->words;
	memcpy(p, row->letters, row->letters_len);
	return (size_t) (p - out) + row->letters_len;
}

/* Are the words what set_words makes of the letters? */
static bool
words_fit(const MatchRow *row, const uint8_t *ends)
{
	return row->letters_len == 0 ? true : memcmp(row->word_end, ends, row->words) == 0;
}

CoreStatus
match_row_load(MatchRow *row, const uint8_t *in, size_t len)
{
	const uint8_t *p = in;
	uint8_t		words;

	memset(row, 0, sizeof *row);
	if (len < 60 || *p++ != MATCH_ROW_VERSION)
		return CORE_INVALID;
	row->sex = *p++;
	row->number_kind = *p++;
	row->flags = *p++;
	row->letters_len = *p++;
	words = *p++;
	if (row->letters_len > MATCH_NAME_MAX || words > MATCH_WORDS_MAX ||
		len != (size_t) 60 + words + row->letters_len || row->sex > SEX_FEMALE || row->number_kind > NUMBER_OTHER)
		return CORE_INVALID;
	row->house = (uint16_t) take(&p, 2);
	row->birth = (int32_t) take(&p, 4);
	row->commune = (uint32_t) take(&p, 4);
	row->district = (uint32_t) take(&p, 4);
	row->number = take(&p, 8);
	row->insurance = take(&p, 8);
	row->phone = take(&p, 8);
	row->street = take(&p, 8);
	row->marked = take(&p, 8);
	memcpy(row->letters, p + words, row->letters_len);
	if (row->letters_len > 0)
	{
		row->name = match_hash(row->letters, row->letters_len);
		set_words(row);
	}
	if (row->words != words || !words_fit(row, p))
		return CORE_INVALID;
	row->content = match_hash((const char *) in, len);
	return CORE_OK;
}
