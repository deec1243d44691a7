/*
 * fhirpath_lex.c
 *		Tokens of FHIRPath (N1, section 11: the grammar's lexer part).
 *
 * Texts with escapes are decoded into the room that the caller gives, which is
 * as long as the source: decoding never lengthens.
 */
#include "fhirpath_program.h"

#include <string.h>

#include "utf8.h"

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The byte so many further, 0 behind the end */
static int
peek(const FpLexer *lx, size_t ahead)
{
	return lx->at + ahead < lx->len ? (unsigned char) lx->source[lx->at + ahead] : 0;
}

static void
bad(FpLexer *lx, FpToken *token, const char *expected, size_t at)
{
	token->kind = FP_T_BAD;
	lx->fault = expected;
	lx->fault_at = at;
}

/* White space and comments; false: a comment does not end. */
static bool
skip_space(FpLexer *lx)
{
	for (;;)
	{
		int			c = peek(lx, 0);

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		{
			if (lx->at >= lx->len)
				return true;
			lx->at++;
		}
		else if (c == '/' && peek(lx, 1) == '/')
		{
			while (lx->at < lx->len && peek(lx, 0) != '\n' && peek(lx, 0) != '\r')
				lx->at++;
		}
		else if (c == '/' && peek(lx, 1) == '*')
		{
			lx->at += 2;
			while (lx->at < lx->len && !(peek(lx, 0) == '*' && peek(lx, 1) == '/'))
				lx->at++;
			if (lx->at >= lx->len)
				return false;
			lx->at += 2;
		}
		else
			return true;
	}
}

/* Four hexadecimal digits at an offset, -1 if they are not there. */
static int
hex4(const FpLexer *lx, size_t ahead)
{
	int			value = 0;

	for (size_t i = 0; i < 4; i++)
	{
		int			c = peek(lx, ahead + i);

		if (is_digit(c))
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + c - 'A' + 10;
		else
			return -1;
	}
	return value;
}

/*
 * \uXXXX, with its second half where it is one of a pair.  Fewer than four
 * digits are no escape: the letter stands for itself, as it does after any
 * other backslash.  False: half of a pair, or U+0000.
 */
static bool
decode_unicode(FpLexer *lx, char **to)
{
	int			code = hex4(lx, 2);

	if (code < 0)
	{
		*(*to)++ = 'u';
		lx->at += 2;
		return true;
	}
	if (code == 0 || (code >= 0xDC00 && code < 0xE000))
		return false;
	lx->at += 6;
	if (code >= 0xD800 && code < 0xDC00)
	{
		int			low = peek(lx, 0) == '\\' && peek(lx, 1) == 'u' ? hex4(lx, 2) : -1;

		if (low < 0xDC00 || low >= 0xE000)
			return false;
		lx->at += 6;
		*to += utf8_encode(0x10000u + (((uint32_t) code - 0xD800u) << 10) + ((uint32_t) low - 0xDC00u), *to);
		return true;
	}
	*to += utf8_encode((uint32_t) code, *to);
	return true;
}

/* 'text' or `name`: the quote is at the place where the lexer stands. */
static void
quoted(FpLexer *lx, FpToken *token, FpTokenKind kind)
{
	static const char escapes[] = "f\fn\nr\rt\t";
	int			quote = peek(lx, 0);
	char	   *to = lx->decoded + lx->decoded_len;
	size_t		begin = lx->at;

	token->text = to;
	lx->at++;
	for (;;)
	{
		int			c = peek(lx, 0);

		if (lx->at >= lx->len)
		{
			bad(lx, token, quote == '\'' ? "the closing quote of a string" : "the closing quote of a name", begin);
			return;
		}
		if (c == quote)
			break;
		if (c != '\\')
		{
			*to++ = (char) c;
			lx->at++;
			continue;
		}
		c = peek(lx, 1);
		if (lx->at + 1 >= lx->len)
		{
			lx->at++;
			continue;
		}
		if (c == 'u')
		{
			if (!decode_unicode(lx, &to))
			{
				bad(lx, token, "a Unicode character", lx->at);
				return;
			}
			continue;
		}
		for (int i = 0; escapes[i] != '\0'; i += 2)
		{
			if (escapes[i] == c)
			{
				c = escapes[i + 1];
				break;
			}
		}
		*to++ = (char) c;
		lx->at += 2;
	}
	lx->at++;
	token->kind = kind;
	token->len = (size_t) (to - token->text);
	lx->decoded_len += token->len;
}

static size_t
digits_at(const FpLexer *lx, size_t ahead)
{
	size_t		n = 0;

	while (is_digit(peek(lx, ahead + n)))
		n++;
	return n;
}

static void
number(FpLexer *lx, FpToken *token)
{
	size_t		whole = digits_at(lx, 0);
	size_t		fraction = peek(lx, whole) == '.' ? digits_at(lx, whole + 1) : 0;

	token->text = lx->source + lx->at;
	token->kind = fraction > 0 ? FP_T_DECIMAL : FP_T_INTEGER;
	token->len = fraction > 0 ? whole + 1 + fraction : whole;
	lx->at += token->len;
	if (fraction == 0 && peek(lx, 0) == 'L' && !is_letter(peek(lx, 1)) && !is_digit(peek(lx, 1)))
	{
		token->kind = FP_T_LONG;
		lx->at++;
	}
}

/* hh(:mm(:ss(.f+)?)?)? at an offset; returns its length, 0 if it is none. */
static size_t
clock_at(const FpLexer *lx, size_t ahead)
{
	size_t		n = ahead;

	if (digits_at(lx, n) != 2)
		return 0;
	n += 2;
	for (int part = 0; part < 2; part++)
	{
		if (peek(lx, n) != ':' || digits_at(lx, n + 1) != 2)
			return n - ahead;
		n += 3;
	}
	if (peek(lx, n) == '.' && digits_at(lx, n + 1) > 0)
		n += 1 + digits_at(lx, n + 1);
	return n - ahead;
}

static size_t
zone_at(const FpLexer *lx, size_t ahead)
{
	int			c = peek(lx, ahead);

	if (c == 'Z')
		return 1;
	if ((c == '+' || c == '-') && digits_at(lx, ahead + 1) == 2 && peek(lx, ahead + 3) == ':' &&
		digits_at(lx, ahead + 4) == 2)
		return 6;
	return 0;
}

/* @2015-02-04, @2015T, @2015-02-04T14:34+09:00, @T14:34 */
static void
temporal(FpLexer *lx, FpToken *token)
{
	size_t		n = 0;

	lx->at++;
	token->text = lx->source + lx->at;
	if (peek(lx, 0) == 'T')
	{
		n = clock_at(lx, 1);
		if (n == 0)
		{
			bad(lx, token, "a time: @Thh:mm:ss", token->at);
			return;
		}
		token->kind = FP_T_TIME;
		token->text++;
		token->len = n;
		lx->at += n + 1;
		return;
	}
	if (digits_at(lx, 0) != 4)
	{
		bad(lx, token, "a date: @YYYY-MM-DD", token->at);
		return;
	}
	n = 4;
	token->kind = FP_T_DATE;
	if (peek(lx, n) == '-' && digits_at(lx, n + 1) == 2)
	{
		n += 3;
		if (peek(lx, n) == '-' && digits_at(lx, n + 1) == 2)
			n += 3;
	}
	if (peek(lx, n) == 'T')
	{
		size_t		clock = clock_at(lx, n + 1);

		token->kind = FP_T_DATETIME;
		n += 1 + clock;
		if (clock > 0)
			n += zone_at(lx, n);
	}
	token->len = n;
	lx->at += n;
}

static void
symbol(FpLexer *lx, FpToken *token)
{
	static const char *const pairs[] = {"<=", ">=", "!=", "!~"};
	int			c = peek(lx, 0);

	token->kind = FP_T_SYMBOL;
	token->text = lx->source + lx->at;
	token->len = 1;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		if (c == pairs[i][0] && peek(lx, 1) == pairs[i][1])
			token->len = 2;
	}
	if (token->len == 1 && (c == 0 || strchr(".[](){},+-*/&|<>=~%", c) == NULL))
	{
		bad(lx, token, "an expression or an operator", lx->at);
		return;
	}
	lx->at += token->len;
}

void
fp_lex(FpLexer *lx, FpToken *token)
{
	int			c;
	size_t		comment = lx->at;

	token->text = NULL;
	token->len = 0;
	token->at = lx->at;
	if (!skip_space(lx))
	{
		bad(lx, token, "the end of a comment: */", comment);
		return;
	}
	token->at = lx->at;
	if (lx->at >= lx->len)
	{
		token->kind = FP_T_END;
		return;
	}
	c = peek(lx, 0);
	if (is_letter(c))
	{
		size_t		n = 1;

		while (is_letter(peek(lx, n)) || is_digit(peek(lx, n)))
			n++;
		token->kind = FP_T_NAME;
		token->text = lx->source + lx->at;
		token->len = n;
		lx->at += n;
	}
	else if (is_digit(c))
		number(lx, token);
	else if (c == '\'')
		quoted(lx, token, FP_T_STRING);
	else if (c == '`')
		quoted(lx, token, FP_T_QUOTED_NAME);
	else if (c == '@')
		temporal(lx, token);
	else if (c == '$')
	{
		size_t		n = 1;

		while (is_letter(peek(lx, n)))
			n++;
		token->kind = FP_T_DOLLAR;
		token->text = lx->source + lx->at + 1;
		token->len = n - 1;
		lx->at += n;
	}
	else
		symbol(lx, token);
}
