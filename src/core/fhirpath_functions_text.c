/*
 * fhirpath_functions_text.c
 *		Functions on strings (N1, clause 5.6).
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#include "fhirpath_text.h"
#include "utf8.h"

#define TEXT_MAX	(FHIRPATH_MEMORY / 2)

/* A match counts as so much text, since a pattern may take up to a million steps of its own. */
#define MATCH_WORK	32000

typedef struct Text
{
	const char *text;
	uint32_t	len;
} Text;

/* The one string of an item: 1, 0 for no value, FP_FAILED for another type */
static int
item_text(FhirPathEval *ev, const FpExec *x, const FpItem *item, Text *text)
{
	FpValue		value;
	char		message[120];

	if (fp_text_of(item, &text->text, &text->len))
		return 1;
	fp_value(item, &value);
	if (value.kind == FP_V_NONE)
		return 0;
	snprintf(message, sizeof(message), "%s takes strings", x->function->name);
	(void) fp_fail(ev, FHIRPATH_TYPE, message);
	return FP_FAILED;
}

static int
input_text(FhirPathEval *ev, const FpExec *x, Text *text)
{
	FpItem		item;
	int			n = fp_single_input(ev, x, &item);

	return n <= 0 ? n : item_text(ev, x, &item, text);
}

static int
argument_text(FhirPathEval *ev, const FpExec *x, int argument, Text *text)
{
	FpItem		item;
	int			n = fp_single(ev, x->args[argument], &item, x->function->name);

	return n <= 0 ? n : item_text(ev, x, &item, text);
}

/* Input and first argument: 1 where both are there */
static int
two_texts(FhirPathEval *ev, const FpExec *x, Text *input, Text *argument)
{
	int			n = input_text(ev, x, input);
	int			m = n == FP_FAILED ? n : argument_text(ev, x, 0, argument);

	return n <= 0 ? n : m;
}

/* Place of a part at or behind `from`, -1 if there is none, -2 after an error */
static int64_t
find_text(FhirPathEval *ev, const Text *in, const Text *part, size_t from)
{
	if (part->len == 0)
		return (int64_t) from;
	for (size_t at = from; at + part->len <= in->len; at++)
	{
		const char *hit = memchr(in->text + at, part->text[0], in->len - part->len + 1 - at);
		size_t		passed = (hit == NULL ? in->len : (size_t) (hit - in->text)) - at;

		if (!fp_step(ev) || !fp_charge(ev, passed))
			return -2;
		if (hit == NULL)
			return -1;
		at += passed;
		if (memcmp(hit, part->text, part->len) == 0)
			return (int64_t) at;
		if (!fp_charge(ev, part->len))
			return -2;
	}
	return -1;
}

static bool
run_index_of(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in,
				part;
	int			n = two_texts(ev, x, &in, &part);
	int64_t		found = -1;

	if (n <= 0)
		return n == 0;
	if (x->text[0] == 'i')
		found = find_text(ev, &in, &part, 0);
	else if (part.len <= in.len)
	{
		for (int64_t at = (int64_t) (in.len - part.len); at >= 0 && found < 0; at--)
		{
			if (!fp_step(ev) || !fp_charge(ev, part.len))
				return false;
			if (memcmp(in.text + at, part.text, part.len) == 0)
				found = at;
		}
	}
	if (found == -2)
		return false;
	return fp_push_integer(ev, found < 0 ? -1 : (int64_t) fp_char_count(in.text, (size_t) found), sink);
}

/* 1 with *number, 0 for {}, FP_FAILED */
static int
argument_integer(FhirPathEval *ev, const FpExec *x, int argument, int64_t *number)
{
	FpItem		item;
	FpValue		value;
	int			n = fp_single(ev, x->args[argument], &item, x->function->name);

	if (n <= 0)
		return n;
	fp_value(&item, &value);
	if (value.kind == FP_V_NONE)
		return 0;
	if (value.kind != FP_INTEGER && value.kind != FP_LONG)
	{
		(void) fp_fail(ev, FHIRPATH_TYPE, "an argument must be an integer");
		return FP_FAILED;
	}
	*number = value.u.number;
	return 1;
}

static bool
run_substring(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in;
	int64_t		start,
				length = INT64_MAX;
	size_t		begin,
				end;
	int			n = input_text(ev, x, &in);
	int			m = n == FP_FAILED ? n : argument_integer(ev, x, 0, &start);
	int			l = m == FP_FAILED || x->count < 2 ? m : argument_integer(ev, x, 1, &length);

	if (n == FP_FAILED || m == FP_FAILED || l == FP_FAILED)
		return false;
	if (n == 0 || m == 0 || start < 0)
		return true;
	begin = fp_char_offset(in.text, in.len, (size_t) start);
	if (begin >= in.len)
		return true;
	if (length < 0)
		length = 0;
	end = length >= in.len ? in.len : begin + fp_char_offset(in.text + begin, in.len - begin, (size_t) length);
	return fp_push_string(ev, in.text + begin, end - begin, sink);
}

static int
truth_affix(FhirPathEval *ev, const FpExec *x)
{
	Text		in,
				part;
	int			n = two_texts(ev, x, &in, &part);

	if (n <= 0)
		return n == 0 ? FP_UNKNOWN : n;
	switch (x->text[0])
	{
		case 's':
			return part.len <= in.len && memcmp(in.text, part.text, part.len) == 0;
		case 'e':
			return part.len <= in.len && memcmp(in.text + in.len - part.len, part.text, part.len) == 0;
		default:
			{
				int64_t		found = find_text(ev, &in, &part, 0);

				return found == -2 ? FP_FAILED : found >= 0;
			}
	}
}

static bool
run_case(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in;
	int			n = input_text(ev, x, &in);
	size_t		at = 0,
				len = 0;
	char	   *out;

	if (n <= 0)
		return n == 0;
	/* a character may take one byte more in its other case, never two */
	out = fp_alloc(ev, (size_t) in.len * 2 + 4);
	if (out == NULL)
		return false;
	while (at < in.len)
	{
		unsigned char first = (unsigned char) in.text[at];
		uint32_t	c = fp_next_char(in.text, in.len, &at);

		if (first >= 0x80 && c == first)
			out[len++] = (char) first;
		else
			len += (size_t) utf8_encode(x->text[0] == 'u' ? fp_upper(c) : fp_lower(c), out + len);
	}
	return fp_push_string(ev, out, len, sink);
}

/* A growing text in the evaluator's memory */
typedef struct Buffer
{
	FhirPathEval *ev;
	char	   *text;
	size_t		len;
	size_t		room;
} Buffer;

static bool
append(Buffer *b, const char *text, size_t len)
{
	if (b->len + len > TEXT_MAX)
		return fp_fail(b->ev, FHIRPATH_VALUE, "a string became too long");
	if (b->len + len > b->room)
	{
		size_t		room = (b->len + len) * 2 + 64;
		char	   *larger = fp_alloc(b->ev, room);

		if (larger == NULL)
			return false;
		if (b->len > 0)
			memcpy(larger, b->text, b->len);
		b->text = larger;
		b->room = room;
	}
	if (len > 0)
		memcpy(b->text + b->len, text, len);
	b->len += len;
	return true;
}

static bool
run_replace(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in,
				part,
				other;
	Buffer		out = {ev, NULL, 0, 0};
	int			n = two_texts(ev, x, &in, &part);
	int			m = n == FP_FAILED ? n : argument_text(ev, x, 1, &other);
	size_t		at = 0;

	if (n == FP_FAILED || m == FP_FAILED)
		return false;
	if (n == 0 || m == 0)
		return true;
	while (part.len > 0)
	{
		int64_t		hit = find_text(ev, &in, &part, at);

		if (hit == -2)
			return false;
		if (hit < 0)
			break;
		if (!fp_step(ev) || !append(&out, in.text + at, (size_t) hit - at) || !append(&out, other.text, other.len))
			return false;
		at = (size_t) hit + part.len;
	}
	/* the empty string stands around every character */
	while (part.len == 0 && at < in.len)
	{
		size_t		next = at + fp_char_offset(in.text + at, in.len - at, 1);

		if (!fp_step(ev) || !append(&out, other.text, other.len) || !append(&out, in.text + at, next - at))
			return false;
		at = next;
	}
	if (!append(&out, in.text + at, in.len - at) || (part.len == 0 && !append(&out, other.text, other.len)))
		return false;
	return fp_push_string(ev, out.text == NULL ? "" : out.text, out.len, sink);
}

/* -- patterns --------------------------------------------------------------- */

/* The pattern compiled, if it is not the one that was compiled last; NULL after an error. */
static const Regex *
compiled(FhirPathEval *ev, const FpExec *x, const Text *pattern, const Text *flags)
{
	FpPattern  *kept = x->pattern;
	CoreContext *cx = &((FhirPathPlan *) ev->plan)->cx;
	char	   *text;
	char		why[100] = "";
	char		message[180];
	CoreStatus	status;

	if (!fp_charge(ev, MATCH_WORK))
		return NULL;
	if (kept->regex != NULL && kept->len == pattern->len && kept->flags_len == flags->len &&
		memcmp(kept->text, pattern->text, pattern->len) == 0 && memcmp(kept->text + pattern->len, flags->text, flags->len) == 0)
		return kept->regex;
	if (kept->regex != NULL)
		regex_free(kept->regex);
	if (kept->text != NULL)
		cx->free(cx->arg, kept->text);
	kept->regex = NULL;
	kept->text = text = cx->alloc(cx->arg, (size_t) pattern->len + flags->len + 1);
	if (text == NULL)
	{
		(void) fp_fail_status(ev, CORE_NO_MEMORY);
		return NULL;
	}
	memcpy(text, pattern->text, pattern->len);
	memcpy(text + pattern->len, flags->text, flags->len);
	kept->len = pattern->len;
	kept->flags_len = flags->len;
	status = regex_compile(cx, pattern->text, pattern->len, flags->text, flags->len, &kept->regex, NULL, why, sizeof(why));
	if (status == CORE_OK)
		return kept->regex;
	kept->regex = NULL;
	if (status == CORE_NO_MEMORY)
		(void) fp_fail_status(ev, status);
	else
	{
		snprintf(message, sizeof(message), "not a regular expression: %s", why[0] != '\0' ? why : "too large or too deep");
		(void) fp_fail(ev, FHIRPATH_VALUE, message);
	}
	return NULL;
}

/* The anchors that matchesFull() implies are those of lines, where the flags say so: ^(?:pattern)$ */
static bool
anchored(FhirPathEval *ev, const Text *pattern, Text *result)
{
	char	   *text = fp_alloc(ev, (size_t) pattern->len + 6);

	if (text == NULL)
		return false;
	memcpy(text, "^(?:", 4);
	memcpy(text + 4, pattern->text, pattern->len);
	memcpy(text + 4 + pattern->len, ")$", 2);
	result->text = text;
	result->len = pattern->len + 6;
	return true;
}

static bool
pattern_failed(FhirPathEval *ev, CoreStatus status)
{
	if (status == CORE_NO_MEMORY || status == CORE_INTERRUPTED)
		return fp_fail_status(ev, status);
	return fp_fail(ev, FHIRPATH_STEP_LIMIT, "a regular expression takes too many steps");
}

/* The optional argument of flags: "" where it is not there */
static int
flags_of(FhirPathEval *ev, const FpExec *x, int argument, Text *flags)
{
	flags->text = "";
	flags->len = 0;
	if (x->count <= argument)
		return 1;
	return argument_text(ev, x, argument, flags) == FP_FAILED ? FP_FAILED : 1;
}

static int
truth_matches(FhirPathEval *ev, const FpExec *x)
{
	Text		in,
				pattern,
				flags;
	const Regex *regex;
	CoreStatus	status;
	bool		full,
				result = false;
	int			n = two_texts(ev, x, &in, &pattern);

	if (n <= 0)
		return n == 0 ? FP_UNKNOWN : n;
	if (flags_of(ev, x, 1, &flags) == FP_FAILED)
		return FP_FAILED;
	full = x->len > 7;
	if (full && memchr(flags.text, 'm', flags.len) != NULL)
	{
		if (!anchored(ev, &pattern, &pattern))
			return FP_FAILED;
		full = false;
	}
	if ((regex = compiled(ev, x, &pattern, &flags)) == NULL)
		return FP_FAILED;
	status = full ? regex_matches_full(regex, in.text, in.len, &result) : regex_matches(regex, in.text, in.len, &result);
	if (status != CORE_OK)
	{
		(void) pattern_failed(ev, status);
		return FP_FAILED;
	}
	return result;
}

static bool
run_replace_matches(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in,
				pattern,
				other,
				flags;
	const Regex *regex;
	CoreContext *cx = &((FhirPathPlan *) ev->plan)->cx;
	CoreStatus	status;
	char	   *out,
			   *copy;
	size_t		len;
	int			n = two_texts(ev, x, &in, &pattern);
	int			m = n == FP_FAILED ? n : argument_text(ev, x, 1, &other);

	if (n == FP_FAILED || m == FP_FAILED)
		return false;
	if (n == 0 || m == 0)
		return true;
	if (pattern.len == 0)
		return fp_push_string(ev, in.text, in.len, sink);
	if (flags_of(ev, x, 2, &flags) == FP_FAILED || (regex = compiled(ev, x, &pattern, &flags)) == NULL)
		return false;
	status = regex_replace(regex, in.text, in.len, other.text, other.len, TEXT_MAX, &out, &len);
	if (status != CORE_OK)
		return pattern_failed(ev, status);
	copy = fp_alloc(ev, len + 1);
	if (copy != NULL)
		memcpy(copy, out, len);
	cx->free(cx->arg, out);
	return copy != NULL && fp_push_string(ev, copy, len, sink);
}

/* -- parts ------------------------------------------------------------------ */

static bool
run_length(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in;
	int			n = input_text(ev, x, &in);

	return n <= 0 ? n == 0 : fp_push_integer(ev, (int64_t) fp_char_count(in.text, in.len), sink);
}

static bool
run_to_chars(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in;
	int			n = input_text(ev, x, &in);

	for (size_t at = 0; n == 1 && at < in.len;)
	{
		size_t		len = fp_char_offset(in.text + at, in.len - at, 1);

		if (!fp_step(ev) || !fp_push_string(ev, in.text + at, len, sink))
			return false;
		at += len;
	}
	return n != FP_FAILED;
}

static bool
run_split(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in,
				part;
	int			n = two_texts(ev, x, &in, &part);
	size_t		at = 0;

	if (n <= 0)
		return n == 0;
	if (part.len == 0)
		return run_to_chars(ev, x, sink);
	for (;;)
	{
		int64_t		hit = find_text(ev, &in, &part, at);
		size_t		end = hit < 0 ? in.len : (size_t) hit;

		if (hit == -2 || !fp_step(ev) || !fp_push_string(ev, in.text + at, end - at, sink))
			return false;
		if (hit < 0)
			return true;
		at = end + part.len;
	}
}

static bool
run_join(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		part = {"", 0};
	FpList		input;
	Buffer		out = {ev, NULL, 0, 0};
	bool		any = false;

	if (x->count > 0 && argument_text(ev, x, 0, &part) == FP_FAILED)
		return false;
	if (!fp_collect_input(ev, x, &input))
		return false;
	for (size_t i = 0; i < input.count; i++)
	{
		Text		text;
		int			n = item_text(ev, x, &input.items[i], &text);

		if (n == FP_FAILED || (n == 1 && ((any && !append(&out, part.text, part.len)) || !append(&out, text.text, text.len))))
			return false;
		any = any || n == 1;
	}
	return !any || fp_push_string(ev, out.text == NULL ? "" : out.text, out.len, sink);
}

static bool
run_trim(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in;
	size_t		begin = 0,
				end;
	int			n = input_text(ev, x, &in);

	if (n <= 0)
		return n == 0;
	end = in.len;
	while (begin < end && strchr(" \t\n\r\f\v", in.text[begin]) != NULL && in.text[begin] != '\0')
		begin++;
	while (end > begin && strchr(" \t\n\r\f\v", in.text[end - 1]) != NULL && in.text[end - 1] != '\0')
		end--;
	return fp_push_string(ev, in.text + begin, end - begin, sink);
}

/* -- encodings -------------------------------------------------------------- */

static bool
is_text(const Text *text, const char *word)
{
	return text->len == strlen(word) && memcmp(text->text, word, text->len) == 0;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool
encode_base64(Buffer *out, const Text *in, bool url)
{
	for (size_t at = 0; at < in->len; at += 3)
	{
		size_t		n = in->len - at < 3 ? in->len - at : 3;
		uint32_t	bits = 0;
		char		four[4];

		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < n ? (unsigned char) in->text[at + i] : 0);
		for (size_t i = 0; i < 4; i++)
		{
			char		c = i <= n ? base64[bits >> (18 - 6 * i) & 63] : '=';

			four[i] = url && c == '+' ? '-' : url && c == '/' ? '_' : c;
		}
		if (!append(out, four, 4))
			return false;
	}
	return true;
}

static bool
decode_base64(Buffer *out, const Text *in, bool url)
{
	uint32_t	bits = 0;
	int			have = 0;
	size_t		len = in->len;

	while (len > 0 && in->text[len - 1] == '=')
		len--;
	for (size_t at = 0; at < len; at++)
	{
		char		c = in->text[at];
		const char *hit;
		char		byte;

		if (url)
			c = c == '-' ? '+' : c == '_' ? '/' : c;
		if (c == '\n' || c == '\r' || c == ' ')
			continue;
		hit = c == '\0' ? NULL : strchr(base64, c);
		if (hit == NULL)
			return fp_fail(out->ev, FHIRPATH_VALUE, "the string is not base64");
		bits = bits << 6 | (uint32_t) (hit - base64);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		byte = (char) (bits >> have & 0xFF);
		if (!append(out, &byte, 1))
			return false;
	}
	return have < 6 || fp_fail(out->ev, FHIRPATH_VALUE, "the string is not base64");
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
encode_hex(Buffer *out, const Text *in)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in->len; i++)
	{
		unsigned char c = (unsigned char) in->text[i];
		char		two[2] = {digits[c >> 4], digits[c & 15]};

		if (!append(out, two, 2))
			return false;
	}
	return true;
}

static bool
decode_hex(Buffer *out, const Text *in)
{
	if (in->len % 2 != 0)
		return fp_fail(out->ev, FHIRPATH_VALUE, "the string is not hexadecimal");
	for (size_t i = 0; i < in->len; i += 2)
	{
		int			high = hex_digit(in->text[i]),
					low = hex_digit(in->text[i + 1]);
		char		byte;

		if (high < 0 || low < 0)
			return fp_fail(out->ev, FHIRPATH_VALUE, "the string is not hexadecimal");
		byte = (char) (high << 4 | low);
		if (!append(out, &byte, 1))
			return false;
	}
	return true;
}

/* What was decoded must be a string again: UTF-8 without NUL */
static bool
is_string(const Buffer *b)
{
	for (size_t at = 0; at < b->len;)
	{
		uint32_t	c;
		int			n = utf8_decode(b->text + at, b->len - at, &c);

		if (n == 0 || c == 0)
			return false;
		at += (size_t) n;
	}
	return true;
}

static bool
run_encode(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in,
				how;
	Buffer		out = {ev, NULL, 0, 0};
	bool		encode = x->text[0] == 'e';
	bool		done;
	int			n = two_texts(ev, x, &in, &how);

	if (n <= 0)
		return n == 0;
	if (is_text(&how, "hex"))
		done = encode ? encode_hex(&out, &in) : decode_hex(&out, &in);
	else if (is_text(&how, "base64") || is_text(&how, "urlbase64"))
		done = encode ? encode_base64(&out, &in, how.len > 6) : decode_base64(&out, &in, how.len > 6);
	else
		return fp_fail(ev, FHIRPATH_VALUE, "encodings are hex, base64 and urlbase64");
	if (!done)
		return false;
	if (!encode && !is_string(&out))
		return fp_fail(ev, FHIRPATH_VALUE, "what was decoded is no string");
	return fp_push_string(ev, out.text == NULL ? "" : out.text, out.len, sink);
}

/* -- escapes ---------------------------------------------------------------- */

typedef struct Escape
{
	char		plain;
	const char *escaped;
} Escape;

static const Escape html_escapes[] = {
	{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}, {0, NULL}
};

static const Escape json_escapes[] = {
	{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"}, {'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"}, {0, NULL}
};

static bool
escape(Buffer *out, const Text *in, const Escape *escapes)
{
	for (size_t i = 0; i < in->len; i++)
	{
		const Escape *e = escapes;

		while (e->escaped != NULL && e->plain != in->text[i])
			e++;
		if (!(e->escaped != NULL ? append(out, e->escaped, strlen(e->escaped)) : append(out, in->text + i, 1)))
			return false;
	}
	return true;
}

/* A numeric reference of HTML, &#39; or &#x27;, or JSON's \u0027: its length, 0 if there is none here */
static size_t
numeric_escape(const char *text, size_t len, uint32_t *c)
{
	bool		json = len >= 6 && text[0] == '\\' && text[1] == 'u';
	bool		html = !json && len >= 4 && text[0] == '&' && text[1] == '#';
	bool		hex = json || (html && (text[2] == 'x' || text[2] == 'X'));
	size_t		at = json ? 2 : hex ? 3 : 2;
	size_t		begin = at;

	*c = 0;
	if (!json && !html)
		return 0;
	while (at < len && hex_digit(text[at]) >= 0 && (hex || hex_digit(text[at]) < 10) && at - begin < (json ? 4 : 6))
		*c = *c * (hex ? 16 : 10) + (uint32_t) hex_digit(text[at++]);
	if (at == begin || *c == 0 || *c > 0x10FFFF || (*c >= 0xD800 && *c < 0xE000) || (json && at - begin != 4))
		return 0;
	if (json)
		return at;
	return at < len && text[at] == ';' ? at + 1 : 0;
}

static bool
unescape(Buffer *out, const Text *in, const Escape *escapes)
{
	for (size_t at = 0; at < in->len;)
	{
		const char *p = in->text + at;
		size_t		left = in->len - at;
		const Escape *e = escapes;
		uint32_t	c;
		size_t		n = numeric_escape(p, left, &c);
		char		character[4];

		while (e->escaped != NULL && (strlen(e->escaped) > left || memcmp(p, e->escaped, strlen(e->escaped)) != 0))
			e++;
		if (n > 0)
		{
			if (!append(out, character, (size_t) utf8_encode(c, character)))
				return false;
			at += n;
		}
		else if (e->escaped != NULL)
		{
			if (!append(out, &e->plain, 1))
				return false;
			at += strlen(e->escaped);
		}
		else
		{
			if (!append(out, p, 1))
				return false;
			at++;
		}
	}
	return true;
}

static bool
run_escape(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Text		in,
				how;
	Buffer		out = {ev, NULL, 0, 0};
	const Escape *escapes;
	int			n = two_texts(ev, x, &in, &how);

	if (n <= 0)
		return n == 0;
	if (is_text(&how, "html"))
		escapes = html_escapes;
	else if (is_text(&how, "json"))
		escapes = json_escapes;
	else
		return fp_fail(ev, FHIRPATH_VALUE, "escapes are html and json");
	if (!(x->text[0] == 'e' ? escape(&out, &in, escapes) : unescape(&out, &in, escapes)))
		return false;
	return fp_push_string(ev, out.text == NULL ? "" : out.text, out.len, sink);
}

const FpFunction fp_text_functions[] = {
	{"indexOf", 1, 1, 0, 0, run_index_of, NULL},
	{"lastIndexOf", 1, 1, 0, 0, run_index_of, NULL},
	{"substring", 1, 2, 0, 0, run_substring, NULL},
	{"startsWith", 1, 1, 0, 0, NULL, truth_affix},
	{"endsWith", 1, 1, 0, 0, NULL, truth_affix},
	{"contains", 1, 1, 0, 0, NULL, truth_affix},
	{"upper", 0, 0, 0, 0, run_case, NULL},
	{"lower", 0, 0, 0, 0, run_case, NULL},
	{"replace", 2, 2, 0, 0, run_replace, NULL},
	{"matches", 1, 2, FP_F_PATTERN, 0, NULL, truth_matches},
	{"matchesFull", 1, 2, FP_F_PATTERN, 0, NULL, truth_matches},
	{"replaceMatches", 2, 3, FP_F_PATTERN, 0, run_replace_matches, NULL},
	{"length", 0, 0, 0, 0, run_length, NULL},
	{"toChars", 0, 0, 0, 0, run_to_chars, NULL},
	{"split", 1, 1, 0, 0, run_split, NULL},
	{"join", 0, 1, 0, 0, run_join, NULL},
	{"trim", 0, 0, 0, 0, run_trim, NULL},
	{"encode", 1, 1, 0, 0, run_encode, NULL},
	{"decode", 1, 1, 0, 0, run_encode, NULL},
	{"escape", 1, 1, 0, 0, run_escape, NULL},
	{"unescape", 1, 1, 0, 0, run_escape, NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};
