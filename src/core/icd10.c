/*
 * icd10.c
 *		Codes of ICD-10, packed into 8 bytes.
 */
#include <string.h>

#include "icd10.h"
#include "icd10_data.h"

#define MAX_CHARS	7
#define NBLOCKS		((int) (sizeof(icd10_blocks) / sizeof(icd10_blocks[0])))

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

static char
char_at(int64_t code, int i)
{
	return (char) (code >> (56 - 8 * i) & 0xFF);
}

/* dagger U+2020, asterisk, and the "-" that stands for any subdivision */
static size_t
strip_marks(const char *s, size_t len)
{
	for (;;)
	{
		if (len >= 1 && strchr("*+-. \t\r\n", s[len - 1]) != NULL && s[len - 1] != '\0')
			len--;
		else if (len >= 3 && memcmp(s + len - 3, "\xE2\x80\xA0", 3) == 0)
			len -= 3;
		else
			return len;
	}
}

CoreStatus
icd10_parse(const char *text, size_t len, int64_t *code)
{
	int64_t		value = 0;
	size_t		i = 0;
	int			n = 0;

	while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n'))
		i++;
	len = i + strip_marks(text + i, len - i);
	for (; i < len; i++)
	{
		char		c = text[i];

		if (c == '.' && n == 3 && text[i - 1] != '.')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char) (c - 'a' + 'A');
		if (n == MAX_CHARS || !(n == 0 ? is_letter(c) : n == 1 ? is_digit(c) : is_digit(c) || is_letter(c)))
			return CORE_INVALID;
		value |= (int64_t) c << (56 - 8 * n);
		n++;
	}
	if (n < 3)
		return CORE_INVALID;
	*code = value;
	return CORE_OK;
}

int
icd10_print(int64_t code, char out[ICD10_SIZE])
{
	int			n = 0;
	int			i;

	for (i = 0; i < MAX_CHARS && char_at(code, i) != '\0'; i++)
	{
		if (i == 3)
			out[n++] = '.';
		out[n++] = char_at(code, i);
	}
	return n;
}

bool
icd10_is_valid(int64_t code)
{
	char		text[ICD10_SIZE];
	int64_t		again;
	int			n = icd10_print(code, text);

	return icd10_parse(text, (size_t) n, &again) == CORE_OK && again == code;
}

int64_t
icd10_last_within(int64_t code)
{
	int			n = 0;

	/* all that is empty becomes the highest character, Z */
	while (n < MAX_CHARS && char_at(code, n) != '\0')
		n++;
	for (; n < MAX_CHARS; n++)
		code |= (int64_t) 'Z' << (56 - 8 * n);
	return code;
}

/* One element of a list: a code, or two with a hyphen between. */
static CoreStatus
parse_range(const char *text, size_t len, Icd10Range *range)
{
	const char *hyphen = memchr(text, '-', len);
	size_t		left = hyphen == NULL ? len : (size_t) (hyphen - text);

	if (icd10_parse(text, left, &range->first) != CORE_OK)
		return CORE_INVALID;
	range->last = range->first;
	if (hyphen != NULL && icd10_parse(hyphen + 1, len - left - 1, &range->last) != CORE_OK)
		return CORE_INVALID;
	return range->last < range->first ? CORE_INVALID : CORE_OK;
}

CoreStatus
icd10_parse_ranges(const char *text, size_t len, Icd10Range ranges[ICD10_MAX_RANGES], int *n)
{
	size_t		at = 0;

	*n = 0;
	while (at <= len)
	{
		size_t		end = at;

		while (end < len && text[end] != ',' && text[end] != ';')
			end++;
		if (*n == ICD10_MAX_RANGES)
			return CORE_TOO_LARGE;
		if (parse_range(text + at, end - at, &ranges[*n]) != CORE_OK)
			return CORE_INVALID;
		(*n)++;
		at = end + 1;
	}
	return CORE_OK;
}

bool
icd10_block(int64_t code, char block[ICD10_BLOCK_SIZE], char chapter[ICD10_CHAPTER_SIZE])
{
	char		category[4];
	int			i;

	for (i = 0; i < 3; i++)
		category[i] = char_at(code, i);
	category[3] = '\0';
	for (i = 0; i < NBLOCKS; i++)
	{
		if (strcmp(category, icd10_blocks[i].first) < 0 || strcmp(category, icd10_blocks[i].last) > 0)
			continue;
		strcpy(block, icd10_blocks[i].first);
		if (strcmp(icd10_blocks[i].first, icd10_blocks[i].last) != 0)
		{
			strcat(block, "-");
			strcat(block, icd10_blocks[i].last);
		}
		strcpy(chapter, icd10_blocks[i].chapter);
		return true;
	}
	return false;
}
