/*
 * claims_value.c
 *		Values of claims XML elements, from the form sent to the form kept.
 */
#include "claims_value.h"

#include <string.h>

/* a run of one sign is cut to this in a mask: long enough to tell the identity numbers apart */
#define MASK_RUN	15

/* Vietnam has had one time zone without summer time since 1975; the format has no zone */
#define ZONE	"+07:00"

typedef struct Out
{
	const CoreContext *cx;
	char	   *bytes;
	size_t		len;
	size_t		size;
	bool		failed;			/* no memory */
} Out;

typedef struct Text
{
	const char *s;
	size_t		n;
} Text;

typedef void (*Reader) (Text t, Out *out, ClaimsValue *v);

/* ---- writing JSON ---- */

static void
put(Out *out, const char *s, size_t n)
{
	if (out->failed)
		return;
	if (out->size - out->len < n + 1)
	{
		size_t		size = out->size == 0 ? 64 : out->size;
		char	   *bigger;

		while (size - out->len < n + 1)
			size *= 2;
		bigger = out->cx->alloc(out->cx->arg, size);
		if (bigger == NULL)
		{
			out->failed = true;
			return;
		}
		if (out->bytes != NULL)
		{
			memcpy(bigger, out->bytes, out->len);
			out->cx->free(out->cx->arg, out->bytes);
		}
		out->bytes = bigger;
		out->size = size;
	}
	memcpy(out->bytes + out->len, s, n);
	out->len += n;
	out->bytes[out->len] = '\0';
}

static void
puts_(Out *out, const char *s)
{
	put(out, s, strlen(s));
}

static void
put_escaped(Out *out, Text t)
{
	static const char hex[] = "0123456789abcdef";
	size_t		i,
				from = 0;

	for (i = 0; i < t.n; i++)
	{
		unsigned char c = (unsigned char) t.s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		put(out, t.s + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
		{
			char		esc[2] = {'\\', (char) c};

			put(out, esc, 2);
		}
		else
		{
			char		esc[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

			put(out, esc, 6);
		}
	}
	put(out, t.s + from, t.n - from);
}

static void
put_string(Out *out, Text t)
{
	put(out, "\"", 1);
	put_escaped(out, t);
	put(out, "\"", 1);
}

/* put_pair writes "name": "text" */
static void
put_pair(Out *out, const char *name, Text t)
{
	put_string(out, (Text) {name, strlen(name)});
	put(out, ":", 1);
	put_string(out, t);
}

/* put_member writes {"name": "text"} */
static void
put_member(Out *out, const char *name, Text t)
{
	put(out, "{", 1);
	put_pair(out, name, t);
	put(out, "}", 1);
}

/* put_two writes {"a": "text", "b": "text"} */
static void
put_two(Out *out, const char *a, const char *b, Text t)
{
	put(out, "{", 1);
	put_pair(out, a, t);
	put(out, ",", 1);
	put_pair(out, b, t);
	put(out, "}", 1);
}

/* ---- looking at text ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static Text
trimmed(Text t)
{
	while (t.n > 0 && is_space(t.s[0]))
		t.s++, t.n--;
	while (t.n > 0 && is_space(t.s[t.n - 1]))
		t.n--;
	return t;
}

static size_t
digits_at(Text t, size_t from)
{
	size_t		i = from;

	while (i < t.n && is_digit(t.s[i]))
		i++;
	return i - from;
}

static bool
all_digits(Text t)
{
	return t.n > 0 && digits_at(t, 0) == t.n;
}

/* one_digit_repeated: 000000000000 and the like, what people type to get past a form */
static bool
one_digit_repeated(Text t)
{
	size_t		i;

	for (i = 1; i < t.n; i++)
		if (t.s[i] != t.s[0])
			return false;
	return all_digits(t);
}

static int
number_at(Text t, size_t from, size_t n)
{
	int			value = 0;
	size_t		i;

	for (i = 0; i < n; i++)
		value = value * 10 + (t.s[from + i] - '0');
	return value;
}

static bool
is_calendar_day(int year, int month, int day)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return year >= 1800 && year < 2200 && month >= 1 && month <= 12 && day >= 1 &&
		day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* ---- one reader a type ---- */

static void
read_text(Text t, Out *out, ClaimsValue *v)
{
	put_string(out, t);
}

/* read_code: FHIR codes have no white space but single spaces inside */
static void
read_code(Text t, Out *out, ClaimsValue *v)
{
	size_t		from = 0;
	size_t		i;

	put(out, "\"", 1);
	for (i = 0; i <= t.n; i++)
	{
		if (i < t.n && !is_space(t.s[i]))
			continue;
		if (i > from)
		{
			if (from > 0)
				put(out, " ", 1);
			put_escaped(out, (Text) {t.s + from, i - from});
		}
		if (i < t.n && (t.s[i] != ' ' || is_space(t.s[i + 1])))
			v->finding = "spaces-in-code";
		from = i + 1;
	}
	put(out, "\"", 1);
}

/*
 * read_decimal: sign, digits, and a fraction behind a point or a comma.  JSON
 * allows no leading zeros and no '+'.
 */
static void
read_decimal(Text t, Out *out, ClaimsValue *v)
{
	size_t		sign = t.n > 0 && (t.s[0] == '-' || t.s[0] == '+') ? 1 : 0;
	size_t		whole = digits_at(t, sign);
	size_t		at = sign + whole;
	size_t		fraction = 0;
	size_t		from = sign;

	if (at < t.n && (t.s[at] == '.' || t.s[at] == ','))
		fraction = digits_at(t, at + 1);
	if (whole == 0 || whole > 30 || fraction > 30 || at + (fraction > 0 ? fraction + 1 : 0) != t.n)
	{
		v->problem = "not-a-number";
		return;
	}
	if (fraction > 0 && t.s[at] == ',')
		v->finding = "decimal-comma";
	while (from + 1 < at && t.s[from] == '0')
		from++;
	if (t.s[0] == '-')
		put(out, "-", 1);
	put(out, t.s + from, at - from);
	if (fraction > 0)
	{
		put(out, ".", 1);
		put(out, t.s + at + 1, fraction);
	}
}

static void
read_integer(Text t, Out *out, ClaimsValue *v)
{
	size_t		from = 0;

	if (!all_digits(t) || t.n > 18)
	{
		v->problem = "not-an-integer";
		return;
	}
	while (from + 1 < t.n && t.s[from] == '0')
		from++;
	put(out, t.s + from, t.n - from);
}

/* put_day writes yyyy-mm-dd of the first eight digits */
static void
put_day(Out *out, Text t)
{
	put(out, t.s, 4);
	put(out, "-", 1);
	put(out, t.s + 4, 2);
	put(out, "-", 1);
	put(out, t.s + 6, 2);
}

static bool
is_day(Text t)
{
	return t.n >= 8 && is_calendar_day(number_at(t, 0, 4), number_at(t, 4, 2), number_at(t, 6, 2));
}

static bool
is_minute(Text t)
{
	return t.n == 12 && number_at(t, 8, 2) < 24 && number_at(t, 10, 2) < 60;
}

static void
put_minute(Out *out, Text t)
{
	put_day(out, t);
	put(out, "T", 1);
	put(out, t.s + 8, 2);
	put(out, ":", 1);
	put(out, t.s + 10, 2);
	puts_(out, ":00" ZONE);
}

static void
read_date(Text t, Out *out, ClaimsValue *v)
{
	if (!all_digits(t) || (t.n != 8 && t.n != 12) || !is_day(t))
	{
		v->problem = "not-a-date";
		return;
	}
	if (t.n == 12)
		v->finding = "time-with-date";
	put(out, "\"", 1);
	put_day(out, t);
	put(out, "\"", 1);
}

static void
read_datetime(Text t, Out *out, ClaimsValue *v)
{
	if (!all_digits(t) || !is_day(t) || (t.n != 8 && !is_minute(t)))
	{
		v->problem = "not-a-date";
		return;
	}
	put(out, "\"", 1);
	if (t.n == 8)
	{
		v->finding = "date-without-time";
		put_day(out, t);
	}
	else
		put_minute(out, t);
	put(out, "\"", 1);
}

/* read_birth: month and day may be 00 (unknown), hour and minute 0000 (unknown) */
static void
read_birth(Text t, Out *out, ClaimsValue *v)
{
	int			month,
				day;

	if (!all_digits(t) || (t.n != 12 && t.n != 8 && t.n != 4))
	{
		v->problem = "not-a-date";
		return;
	}
	month = t.n > 4 ? number_at(t, 4, 2) : 0;
	day = t.n > 4 ? number_at(t, 6, 2) : 0;
	if (!is_calendar_day(number_at(t, 0, 4), month == 0 ? 1 : month, day == 0 ? 1 : day) ||
		(month == 0 && day != 0) || (t.n == 12 && !is_minute(t)))
	{
		v->problem = "not-a-date";
		return;
	}
	if (t.n != 12)
		v->finding = "birth-date-length";
	puts_(out, "{\"date\":\"");
	put(out, t.s, 4);
	if (month > 0)
	{
		put(out, "-", 1);
		put(out, t.s + 4, 2);
	}
	if (day > 0)
	{
		put(out, "-", 1);
		put(out, t.s + 6, 2);
	}
	put(out, "\"", 1);
	if (t.n == 12 && day > 0 && number_at(t, 8, 4) > 0)
	{
		puts_(out, ",\"time\":\"");
		put_minute(out, t);
		put(out, "\"", 1);
	}
	put(out, "}", 1);
}

/*
 * read_icd: a letter and two digits, then up to two further digits behind an
 * optional dot; dagger and asterisk of the double classification are dropped.
 */
static void
read_icd(Text t, Out *out, ClaimsValue *v)
{
	char		code[8];
	size_t		n = 0;
	size_t		i = 0;
	bool		dot = false;

	while (t.n > 0 && t.s[t.n - 1] == '*')
		t.n--;
	while (t.n > 3 && memcmp(t.s + t.n - 3, "\xE2\x80\xA0", 3) == 0)
		t.n -= 3;
	for (; i < t.n && n < sizeof(code); i++)
	{
		char		c = t.s[i];

		if (c == '.' && n == 3 && !dot)
			dot = true;
		else if (n == 0 && (is_upper(c) || (c >= 'a' && c <= 'z')))
			code[n++] = (char) (c & ~0x20);
		else if (n > 0 && is_digit(c))
			code[n++] = c;
		else
			break;
	}
	if (i < t.n || n < 3 || n > 5 || (dot && n == 3))
	{
		v->problem = "not-an-icd-code";
		return;
	}
	if (dot != (n > 3) || !is_upper(t.s[0]))
		v->finding = "icd-spelling";
	put(out, "\"", 1);
	put(out, code, 3);
	if (n > 3)
	{
		put(out, ".", 1);
		put(out, code + 3, n - 3);
	}
	put(out, "\"", 1);
}

/*
 * read_personal_id: the portal's own rule is 9 digits, 12 digits, or a capital
 * and 7 digits; other documents of foreigners are kept as they came.
 */
static void
read_personal_id(Text t, Out *out, ClaimsValue *v)
{
	if (one_digit_repeated(t))
		v->problem = "placeholder";
	else if (all_digits(t) && t.n == 12)
		put_member(out, "cccd", t);
	else if (all_digits(t) && t.n == 9)
	{
		v->finding = "old-identity-card";
		put_member(out, "cmnd", t);
	}
	else if (t.n == 8 && is_upper(t.s[0]) && digits_at(t, 1) == 7)
		put_member(out, "passport", t);
	else
	{
		v->finding = "unknown-identity-document";
		put_member(out, "other", t);
	}
}

/* read_card: a card of 15 characters, the 10-digit number alone, or the 12-digit personal number */
static void
read_card(Text t, Out *out, ClaimsValue *v)
{
	if (t.n == 15 && is_upper(t.s[0]) && is_upper(t.s[1]) && digits_at(t, 2) == 13 &&
		t.s[2] >= '1' && t.s[2] <= '5')
	{
		Text		number = {t.s + 5, 10};

		put_two(out, "value", "card", t);
		out->len--;				/* the brace again below */
		/* a newborn's temporary card carries no insurance number */
		if (memcmp(t.s, "TE1", 3) == 0)
			v->finding = "child-card";
		else if (one_digit_repeated(number))
			v->finding = "placeholder";
		else
		{
			put(out, ",", 1);
			put_pair(out, "number", number);
		}
		put(out, "}", 1);
	}
	else if (all_digits(t) && t.n == 10 && !one_digit_repeated(t))
		put_two(out, "value", "number", t);
	else if (all_digits(t) && t.n == 12 && !one_digit_repeated(t))
		put_two(out, "value", "personal", t);
	else
		v->problem = one_digit_repeated(t) ? "placeholder" : "not-a-card";
}

/* read_province: two digits are the statistics office's code, three carry a leading zero */
static void
read_province(Text t, Out *out, ClaimsValue *v)
{
	if (all_digits(t) && t.n == 3 && t.s[0] == '0')
	{
		t.s++;
		t.n--;
	}
	else if (all_digits(t) && t.n == 2)
		v->finding = "province-two-digits";
	else
	{
		v->problem = "not-a-province-code";
		return;
	}
	put_string(out, t);
}

static void
read_ward(Text t, Out *out, ClaimsValue *v)
{
	if (!all_digits(t) || t.n != 5)
		v->problem = "not-a-ward-code";
	else
		put_string(out, t);
}

/* read_result: a laboratory value is a number where it reads as one, else text ("âm tính", "< 0,5") */
static void
read_result(Text t, Out *out, ClaimsValue *v)
{
	ClaimsValue number = {0};

	puts_(out, "{\"number\":");
	read_decimal(t, out, &number);
	if (number.problem != NULL)
	{
		out->len = 0;
		put_member(out, "string", t);
		return;
	}
	v->finding = number.finding;
	put(out, "}", 1);
}

/* read_list reads each item of a ';' list; a broken item breaks the element */
static void
read_list(Text t, Out *out, ClaimsValue *v, Reader item)
{
	size_t		from = 0;
	size_t		i;

	put(out, "[", 1);
	for (i = 0; i <= t.n && v->problem == NULL; i++)
	{
		Text		one;

		if (i < t.n && t.s[i] != ';')
			continue;
		if (from > 0)
			put(out, ",", 1);
		one = trimmed((Text) {t.s + from, i - from});
		if (one.n == 0)
			puts_(out, "null");
		else
			item(one, out, v);
		from = i + 1;
	}
	put(out, "]", 1);
}

static const struct
{
	const char *name;
	Reader		reader;
	bool		list;
}			types[] = {
	{"text", read_text, false},
	{"text_list", read_text, true},
	{"code", read_code, false},
	{"code_list", read_code, true},
	{"integer", read_integer, false},
	{"decimal", read_decimal, false},
	{"date", read_date, false},
	{"date_list", read_date, true},
	{"datetime", read_datetime, false},
	{"birth", read_birth, false},
	{"icd", read_icd, false},
	{"icd_list", read_icd, true},
	{"personal_id", read_personal_id, false},
	{"card_list", read_card, true},
	{"province", read_province, false},
	{"ward", read_ward, false},
	{"result", read_result, false},
};

CoreStatus
claims_value(const CoreContext *cx, const char *type, const char *text, size_t len, ClaimsValue *value)
{
	Out			out = {.cx = cx};
	Text		t = trimmed((Text) {text, len});
	size_t		i;

	memset(value, 0, sizeof(*value));
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, type) == 0)
			break;
	if (i == sizeof(types) / sizeof(types[0]))
		return CORE_INVALID;
	if (types[i].list)
		read_list(t, &out, value, types[i].reader);
	else
		types[i].reader(t, &out, value);
	if (out.failed || value->problem != NULL)
	{
		if (out.bytes != NULL)
			cx->free(cx->arg, out.bytes);
		value->finding = NULL;
		return out.failed ? CORE_NO_MEMORY : CORE_OK;
	}
	value->json = out.bytes;
	return CORE_OK;
}

void
claims_value_mask(const char *text, size_t len, char *mask, size_t size)
{
	size_t		used = 0;
	size_t		i;
	int			run = 0;

	for (i = 0; i < len && used + 1 < size; i++)
	{
		unsigned char c = (unsigned char) text[i];
		char		m;

		if ((c & 0xC0) == 0x80)
			continue;			/* the rest of a character of several bytes */
		m = is_digit((char) c) ? '9' : is_upper((char) c) ? 'A' :
			(c >= 'a' && c <= 'z') || c >= 0x80 ? 'a' : c < 0x20 ? ' ' : (char) c;
		run = used > 0 && mask[used - 1] == m ? run + 1 : 1;
		if (run <= MASK_RUN)
			mask[used++] = m;
	}
	mask[used] = '\0';
}
