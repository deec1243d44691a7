/*
 * fhir_primitive.c
 *		The formats of FHIR R4's primitive types.
 *
 * FHIR gives them as regular expressions and prose; here each is a small
 * scanner, and a table joins type, JSON kind, scanner and hint.
 */
#include "fhir_primitive.h"
#include "fhir_scan.h"

#include <string.h>

#include "bytes.h"

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What a regular expression's \s stands for, in ASCII */
static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Classes of bytes: one look-up instead of a row of comparisons */
enum
{
	IN_ID = 1,					/* [A-Za-z0-9.-] */
	IN_HEX = 2					/* [0-9a-f] */
};

#define DIGIT	(IN_ID | IN_HEX)
static const unsigned char classes[256] = {
	['-'] = IN_ID, ['.'] = IN_ID,
	['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT,
	['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT,
	['A'] = IN_ID, ['B'] = IN_ID, ['C'] = IN_ID, ['D'] = IN_ID, ['E'] = IN_ID, ['F'] = IN_ID, ['G'] = IN_ID,
	['H'] = IN_ID, ['I'] = IN_ID, ['J'] = IN_ID, ['K'] = IN_ID, ['L'] = IN_ID, ['M'] = IN_ID, ['N'] = IN_ID,
	['O'] = IN_ID, ['P'] = IN_ID, ['Q'] = IN_ID, ['R'] = IN_ID, ['S'] = IN_ID, ['T'] = IN_ID, ['U'] = IN_ID,
	['V'] = IN_ID, ['W'] = IN_ID, ['X'] = IN_ID, ['Y'] = IN_ID, ['Z'] = IN_ID,
	['a'] = DIGIT, ['b'] = DIGIT, ['c'] = DIGIT, ['d'] = DIGIT, ['e'] = DIGIT, ['f'] = DIGIT, ['g'] = IN_ID,
	['h'] = IN_ID, ['i'] = IN_ID, ['j'] = IN_ID, ['k'] = IN_ID, ['l'] = IN_ID, ['m'] = IN_ID, ['n'] = IN_ID,
	['o'] = IN_ID, ['p'] = IN_ID, ['q'] = IN_ID, ['r'] = IN_ID, ['s'] = IN_ID, ['t'] = IN_ID, ['u'] = IN_ID,
	['v'] = IN_ID, ['w'] = IN_ID, ['x'] = IN_ID, ['y'] = IN_ID, ['z'] = IN_ID,
};

/* Whether all bytes are of the class */
static inline bool
all_in(const char *text, size_t len, unsigned char class)
{
	unsigned char common = class;

	for (size_t i = 0; i < len; i++)
		common &= classes[(unsigned char) text[i]];
	return common != 0;
}

/* -- dates and times ---------------------------------------------------- */

bool
fhir_scan_digits(Scan *s, int n, int *value)
{
	*value = 0;
	if (s->end - s->at < n)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (!is_digit(s->at[i]))
			return false;
		*value = *value * 10 + (s->at[i] - '0');
	}
	s->at += n;
	return true;
}

bool
fhir_scan_char(Scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

int
fhir_days_in_month(int year, int month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month < 1 || month > 12)
		return 0;
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

bool
fhir_scan_date(Scan *s, FhirDateTime *r)
{
	if (!fhir_scan_digits(s, 4, &r->year) || r->year == 0)
		return false;
	r->precision = FHIR_PRECISION_YEAR;
	if (!fhir_scan_char(s, '-'))
		return true;
	if (!fhir_scan_digits(s, 2, &r->month) || r->month < 1 || r->month > 12)
		return false;
	r->precision = FHIR_PRECISION_MONTH;
	if (!fhir_scan_char(s, '-'))
		return true;
	r->precision = FHIR_PRECISION_DAY;
	return fhir_scan_digits(s, 2, &r->day) && r->day >= 1 && r->day <= fhir_days_in_month(r->year, r->month);
}

bool
fhir_scan_fraction(Scan *s, int *nanosecond)
{
	int			scale = 100000000;

	*nanosecond = 0;
	if (s->at == s->end || !is_digit(*s->at))
		return false;
	for (; s->at < s->end && is_digit(*s->at); s->at++, scale /= 10)
		*nanosecond += (*s->at - '0') * scale;
	return true;
}

/* hh:mm:ss with any number of decimals; 24:00 is not allowed, second 60 is */
static bool
scan_time(Scan *s, FhirDateTime *r)
{
	if (!fhir_scan_digits(s, 2, &r->hour) || r->hour > 23 || !fhir_scan_char(s, ':') ||
		!fhir_scan_digits(s, 2, &r->minute) || r->minute > 59 || !fhir_scan_char(s, ':') ||
		!fhir_scan_digits(s, 2, &r->second) || r->second > 60)
		return false;
	r->precision = FHIR_PRECISION_SECOND;
	if (!fhir_scan_char(s, '.'))
		return true;
	r->precision = FHIR_PRECISION_FRACTION;
	return fhir_scan_fraction(s, &r->nanosecond);
}

bool
fhir_scan_zone(Scan *s, FhirDateTime *r)
{
	int			hours,
				minutes,
				sign;

	if (fhir_scan_char(s, 'Z'))
		return true;
	sign = fhir_scan_char(s, '-') ? -1 : 1;
	if (sign == 1 && !fhir_scan_char(s, '+'))
		return false;
	if (!fhir_scan_digits(s, 2, &hours) || !fhir_scan_char(s, ':') || !fhir_scan_digits(s, 2, &minutes) ||
		minutes > 59 || hours > 14 || (hours == 14 && minutes != 0))
		return false;
	r->zone = sign * (hours * 60 + minutes);
	return true;
}

bool
fhir_datetime_parse(FhirPrimitive type, const char *text, size_t len, FhirDateTime *result)
{
	Scan		s = {text, text + len};
	FhirDateTime r = {.month = 1, .day = 1};

	if (!fhir_scan_date(&s, &r))
		return false;
	if (s.at < s.end || type == FHIR_INSTANT)
	{
		if (type == FHIR_DATE || r.precision != FHIR_PRECISION_DAY || !fhir_scan_char(&s, 'T') ||
			!scan_time(&s, &r) || !fhir_scan_zone(&s, &r) || s.at != s.end)
			return false;
	}
	*result = r;
	return true;
}

static bool
valid_date(const char *text, size_t len)
{
	FhirDateTime ignored;

	return fhir_datetime_parse(FHIR_DATE, text, len, &ignored);
}

static bool
valid_datetime(const char *text, size_t len)
{
	FhirDateTime ignored;

	return fhir_datetime_parse(FHIR_DATETIME, text, len, &ignored);
}

static bool
valid_instant(const char *text, size_t len)
{
	FhirDateTime ignored;

	return fhir_datetime_parse(FHIR_INSTANT, text, len, &ignored);
}

static bool
valid_time(const char *text, size_t len)
{
	Scan		s = {text, text + len};
	FhirDateTime r = {0};

	return scan_time(&s, &r) && s.at == s.end;
}

/* -- numbers ------------------------------------------------------------ */

static bool
valid_boolean(const char *text, size_t len)
{
	return (len == 4 && memcmp(text, "true", 4) == 0) || (len == 5 && memcmp(text, "false", 5) == 0);
}

/* A JSON number; neither NaN nor infinity can be written */
static bool
valid_decimal(const char *text, size_t len)
{
	Scan		s = {text, text + len};
	int			exponent = 0;

	if (len > FHIR_NUMBER_MAX)
		return false;
	(void) fhir_scan_char(&s, '-');
	if (s.at == s.end || !is_digit(*s.at))
		return false;
	if (!fhir_scan_char(&s, '0'))
	{
		while (s.at < s.end && is_digit(*s.at))
			s.at++;
	}
	if (fhir_scan_char(&s, '.'))
	{
		if (s.at == s.end || !is_digit(*s.at))
			return false;
		while (s.at < s.end && is_digit(*s.at))
			s.at++;
	}
	if (fhir_scan_char(&s, 'e') || fhir_scan_char(&s, 'E'))
	{
		if (!fhir_scan_char(&s, '-'))
			(void) fhir_scan_char(&s, '+');
		if (s.at == s.end || !is_digit(*s.at))
			return false;
		for (; s.at < s.end && is_digit(*s.at) && exponent <= FHIR_NUMBER_MAX; s.at++)
			exponent = exponent * 10 + (*s.at - '0');
	}
	return s.at == s.end && len + exponent <= FHIR_NUMBER_MAX;
}

static bool
integer_between(const char *text, size_t len, int64_t low, int64_t high)
{
	bool		negative = len > 0 && text[0] == '-';
	int64_t		value = 0;

	if (negative)
	{
		text++;
		len--;
	}
	/* no leading zeros, no "-0" */
	if (len < 1 || len > 10 || (text[0] == '0' && (len > 1 || negative)))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (!is_digit(text[i]))
			return false;
		value = value * 10 + (text[i] - '0');
	}
	if (negative)
		value = -value;
	return value >= low && value <= high;
}

static bool
valid_integer(const char *text, size_t len)
{
	return integer_between(text, len, INT32_MIN, INT32_MAX);
}

static bool
valid_positive(const char *text, size_t len)
{
	return integer_between(text, len, 1, INT32_MAX);
}

static bool
valid_unsigned(const char *text, size_t len)
{
	return integer_between(text, len, 0, INT32_MAX);
}

/* -- texts -------------------------------------------------------------- */

static size_t
count_characters(const char *text, size_t len)
{
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char) text[i] & 0xC0) != 0x80;	/* not a continuation byte of UTF-8 */
	return n;
}

/* Not empty, no control character besides tab, line feed and carriage return, at most 1 M characters */
static bool
valid_string(const char *text, size_t len)
{
	if (len == 0 || (len > FHIR_STRING_MAX && count_characters(text, len) > FHIR_STRING_MAX))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c;

		/* words without control characters are passed over */
		while (len - i >= 8 && !bytes_any_below(bytes_load(text + i), ' '))
			i += 8;
		if (i == len)
			break;
		c = (unsigned char) text[i];
		if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
			return false;
	}
	return true;
}

static bool
valid_xhtml(const char *text, size_t len)
{
	return len > 0;
}

/* \S+ */
static bool
valid_uri(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		/* a byte is DEL where its difference to DEL is below 1 */
		while (len - i >= 8 && !bytes_any_below(bytes_load(text + i), ' ' + 1) &&
			   !bytes_any_below(bytes_load(text + i) ^ BYTES_ONES * 0x7F, 1))
			i += 8;
		if (i < len && ((unsigned char) text[i] <= ' ' || text[i] == 0x7F))
			return false;
	}
	return len > 0;
}

/* [^\s]+(\s[^\s]+)*: no space at the ends, no two together */
static bool
valid_code(const char *text, size_t len)
{
	bool		space = true;

	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (is_space((char) c))
		{
			if (space)
				return false;
			space = true;
		}
		else if (c < ' ')
			return false;
		else
			space = false;
	}
	return len > 0 && !space;
}

bool
fhir_id_valid(const char *text, size_t len)
{
	return len >= 1 && len <= 64 && all_in(text, len, IN_ID);
}

/* urn:oid:[0-2](\.(0|[1-9][0-9]*))+ */
static bool
valid_oid(const char *text, size_t len)
{
	size_t		i = 9;

	if (len < 11 || memcmp(text, "urn:oid:", 8) != 0 || text[8] < '0' || text[8] > '2')
		return false;
	while (i < len)
	{
		size_t		start = i + 1;

		if (text[i++] != '.')
			return false;
		while (i < len && is_digit(text[i]))
			i++;
		if (i == start || (text[start] == '0' && i - start > 1))
			return false;
	}
	return true;
}

/* urn:uuid: and 8-4-4-4-12 lower-case hexadecimal digits */
static bool
valid_uuid(const char *text, size_t len)
{
	if (len != 45 || !bytes_same(text, "urn:uuid:", 9))
		return false;
	text += 9;
	return text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' && all_in(text, 8, IN_HEX) &&
		all_in(text + 9, 4, IN_HEX) && all_in(text + 14, 4, IN_HEX) && all_in(text + 19, 4, IN_HEX) &&
		all_in(text + 24, 12, IN_HEX);
}

/* RFC 4648 with padding; white space is allowed anywhere */
static bool
valid_base64(const char *text, size_t len)
{
	size_t		letters = 0;
	int			padding = 0;

	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];

		if (is_space(c))
			continue;
		if (c == '=')
			padding++;
		else if (padding > 0 || (!is_letter(c) && !is_digit(c) && c != '+' && c != '/'))
			return false;
		letters++;
	}
	return letters > 0 && letters % 4 == 0 && padding <= 2;
}

/* -- the table ---------------------------------------------------------- */

typedef struct Primitive
{
	FhirJsonKind kind;
	bool		(*valid) (const char *text, size_t len);
	const char *hint;
} Primitive;

static const Primitive primitives[] = {
	[FHIR_BASE64BINARY] = {FHIR_JSON_STRING, valid_base64, "Write base64 with padding, in letters, digits, + and /."},
	[FHIR_BOOLEAN] = {FHIR_JSON_BOOLEAN, valid_boolean, "Write true or false without quotes."},
	[FHIR_CANONICAL] = {FHIR_JSON_STRING, valid_uri, "Write a URL without white space, a version behind a bar."},
	[FHIR_CODE] = {FHIR_JSON_STRING, valid_code, "Write a code without space at its ends and without two spaces together."},
	[FHIR_DATE] = {FHIR_JSON_STRING, valid_date, "Write YYYY, YYYY-MM or YYYY-MM-DD, a day that the calendar has."},
	[FHIR_DATETIME] = {FHIR_JSON_STRING, valid_datetime, "Write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or +hh:mm."},
	[FHIR_DECIMAL] = {FHIR_JSON_NUMBER, valid_decimal, "Write a number without quotes, of at most 1000 digits."},
	[FHIR_ID] = {FHIR_JSON_STRING, fhir_id_valid, "Write 1 to 64 letters, digits, - and ."},
	[FHIR_INSTANT] = {FHIR_JSON_STRING, valid_instant, "Write YYYY-MM-DDThh:mm:ss with Z or +hh:mm."},
	[FHIR_INTEGER] = {FHIR_JSON_NUMBER, valid_integer, "Write a whole number of 32 bits without quotes."},
	[FHIR_MARKDOWN] = {FHIR_JSON_STRING, valid_string, "Write at most 1048576 characters without control characters."},
	[FHIR_OID] = {FHIR_JSON_STRING, valid_oid, "Write urn:oid: and an object identifier."},
	[FHIR_POSITIVEINT] = {FHIR_JSON_NUMBER, valid_positive, "Write a whole number from 1 to 2147483647 without quotes."},
	[FHIR_STRING] = {FHIR_JSON_STRING, valid_string, "Write at most 1048576 characters without control characters."},
	[FHIR_TIME] = {FHIR_JSON_STRING, valid_time, "Write hh:mm:ss without a zone."},
	[FHIR_UNSIGNEDINT] = {FHIR_JSON_NUMBER, valid_unsigned, "Write a whole number from 0 to 2147483647 without quotes."},
	[FHIR_URI] = {FHIR_JSON_STRING, valid_uri, "Write a URI without white space."},
	[FHIR_URL] = {FHIR_JSON_STRING, valid_uri, "Write a URL without white space."},
	[FHIR_UUID] = {FHIR_JSON_STRING, valid_uuid, "Write urn:uuid: and a UUID in lower case."},
	[FHIR_XHTML] = {FHIR_JSON_STRING, valid_xhtml, "Write a <div> element of XHTML."},
};

FhirJsonKind
fhir_primitive_json_kind(FhirPrimitive type)
{
	return primitives[type].kind;
}

bool
fhir_primitive_valid(FhirPrimitive type, const char *text, size_t len)
{
	return primitives[type].valid(text, len);
}

const char *
fhir_primitive_hint(FhirPrimitive type)
{
	return primitives[type].hint;
}
