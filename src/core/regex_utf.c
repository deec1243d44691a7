/*
 * regex_utf.c
 *		Regular expressions for FHIRPath, on PCRE2.
 *
 * The interpreter, not the just-in-time compiler: only there do the limits on
 * steps and heap hold, and results do not depend on the processor.
 */
#include "regex_utf.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#define NAME_MAX_BYTES	64

struct Regex
{
	const CoreContext *cx;
	pcre2_general_context *memory;
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *match;
	uint32_t	groups;
};

static void *
regex_alloc(PCRE2_SIZE size, void *arg)
{
	const CoreContext *cx = arg;

	return cx->alloc(cx->arg, size);
}

static void
regex_release(void *ptr, void *arg)
{
	const CoreContext *cx = arg;

	if (ptr != NULL)
		cx->free(cx->arg, ptr);
}

/* -- compiling ---------------------------------------------------------- */

static CoreStatus
read_flags(const char *flags, size_t len, uint32_t *options)
{
	*options = PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	for (size_t i = 0; i < len; i++)
	{
		if (flags[i] == 'i')
			*options |= PCRE2_CASELESS;
		else if (flags[i] == 'm')
			*options |= PCRE2_MULTILINE;
		else
			return CORE_INVALID;
	}
	return CORE_OK;
}

static CoreStatus
compile_status(int error)
{
	switch (error)
	{
		case PCRE2_ERROR_HEAP_FAILED:
			return CORE_NO_MEMORY;
		case PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP:
			return CORE_TOO_DEEP;
		case PCRE2_ERROR_PATTERN_TOO_LARGE:
		case PCRE2_ERROR_PATTERN_STRING_TOO_LONG:
		case PCRE2_ERROR_PATTERN_TOO_COMPLICATED:
			return CORE_TOO_LARGE;
		default:
			return CORE_INVALID;
	}
}

static CoreStatus
compile(Regex *r, const char *pattern, size_t len, uint32_t options, size_t *position, char *message, size_t message_size)
{
	pcre2_compile_context *settings = pcre2_compile_context_create(r->memory);
	int			error;
	PCRE2_SIZE	at;

	if (settings == NULL)
		return CORE_NO_MEMORY;
	(void) pcre2_set_max_pattern_length(settings, REGEX_PATTERN_MAX);
	(void) pcre2_set_parens_nest_limit(settings, REGEX_NESTING_MAX);
	(void) pcre2_set_newline(settings, PCRE2_NEWLINE_ANYCRLF);
	r->code = pcre2_compile((PCRE2_SPTR) pattern, len, options, &error, &at, settings);
	pcre2_compile_context_free(settings);
	if (r->code == NULL)
	{
		if (position != NULL)
			*position = at < len ? at : len;
		if (message != NULL && message_size > 0 &&
			pcre2_get_error_message(error, (PCRE2_UCHAR *) message, message_size) == PCRE2_ERROR_BADDATA)
			message[0] = '\0';
		return compile_status(error);
	}
	(void) pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
	r->limits = pcre2_match_context_create(r->memory);
	r->match = pcre2_match_data_create_from_pattern(r->code, r->memory);
	if (r->limits == NULL || r->match == NULL)
		return CORE_NO_MEMORY;
	(void) pcre2_set_heap_limit(r->limits, REGEX_HEAP_MAX);
	return CORE_OK;
}

CoreStatus
regex_compile(const CoreContext *cx, const char *pattern, size_t len, const char *flags, size_t flags_len,
			  Regex **regex, size_t *position, char *message, size_t message_size)
{
	Regex	   *r;
	uint32_t	options;
	CoreStatus	status = read_flags(flags, flags_len, &options);

	if (position != NULL)
		*position = 0;
	if (message != NULL && message_size > 0)
		message[0] = '\0';
	if (status != CORE_OK)
		return status;
	r = cx->alloc(cx->arg, sizeof(Regex));
	if (r == NULL)
		return CORE_NO_MEMORY;
	memset(r, 0, sizeof(*r));
	r->cx = cx;
	r->memory = pcre2_general_context_create(regex_alloc, regex_release, (void *) cx);
	status = r->memory == NULL ? CORE_NO_MEMORY : compile(r, pattern, len, options, position, message, message_size);
	if (status != CORE_OK)
		regex_free(r);
	else
		*regex = r;
	return status;
}

void
regex_free(Regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_match_data_free(regex->match);
	pcre2_match_context_free(regex->limits);
	pcre2_code_free(regex->code);
	pcre2_general_context_free(regex->memory);
	regex->cx->free(regex->cx->arg, regex);
}

/* -- matching ----------------------------------------------------------- */

static uint32_t
steps_for(size_t len)
{
	size_t		more = len < UINT32_MAX / 8 ? len * REGEX_STEPS_BYTE : UINT32_MAX / 2;

	return REGEX_STEPS + (uint32_t) more;
}

/* One match from an offset on; CORE_TOO_LARGE above the steps */
static CoreStatus
match_at(const Regex *r, const char *subject, size_t len, size_t offset, uint32_t options, uint32_t steps, bool *found)
{
	int			n;

	(void) pcre2_set_match_limit(r->limits, steps);
	n = pcre2_match(r->code, (PCRE2_SPTR) subject, len, offset, options, r->match, r->limits);
	*found = n >= 0;
	if (n >= 0 || n == PCRE2_ERROR_NOMATCH)
		return CORE_OK;
	switch (n)
	{
		case PCRE2_ERROR_MATCHLIMIT:
		case PCRE2_ERROR_DEPTHLIMIT:
		case PCRE2_ERROR_HEAPLIMIT:
		case PCRE2_ERROR_RECURSELOOP:
			return CORE_TOO_LARGE;
		case PCRE2_ERROR_NOMEMORY:
			return CORE_NO_MEMORY;
		default:
			return CORE_INVALID;	/* not UTF-8 */
	}
}

CoreStatus
regex_matches(const Regex *regex, const char *subject, size_t len, bool *result)
{
	return match_at(regex, subject, len, 0, 0, steps_for(len), result);
}

CoreStatus
regex_matches_full(const Regex *regex, const char *subject, size_t len, bool *result)
{
	return match_at(regex, subject, len, 0, PCRE2_ANCHORED | PCRE2_ENDANCHORED, steps_for(len), result);
}

/* -- replacing ---------------------------------------------------------- */

typedef struct Output
{
	const CoreContext *cx;
	char	   *text;
	size_t		len;
	size_t		size;
	size_t		max;
} Output;

static CoreStatus
append(Output *o, const char *text, size_t len)
{
	if (len > o->max - o->len)
		return CORE_TOO_LARGE;
	if (o->len + len + 1 > o->size)
	{
		size_t		size = 2 * (o->len + len) + 64;
		char	   *bigger = o->cx->alloc(o->cx->arg, size);

		if (bigger == NULL)
			return CORE_NO_MEMORY;
		if (o->text != NULL)
		{
			memcpy(bigger, o->text, o->len);
			o->cx->free(o->cx->arg, o->text);
		}
		o->text = bigger;
		o->size = size;
	}
	memcpy(o->text + o->len, text, len);
	o->len += len;
	return CORE_OK;
}

/* A group's number by its digits: two of them where there is such a group, else one; -1 */
static int
group_of_digits(const Regex *r, const char *at, const char *end, int *used)
{
	int			n;

	if (at == end || *at < '0' || *at > '9')
		return -1;
	n = *at - '0';
	*used = 1;
	if (at + 1 < end && at[1] >= '0' && at[1] <= '9' && (uint32_t) (n * 10 + at[1] - '0') <= r->groups)
	{
		n = n * 10 + at[1] - '0';
		*used = 2;
	}
	return (uint32_t) n <= r->groups ? n : -1;
}

/* The group that a reference behind a dollar names, and its length; -1 where there is none such */
static int
group_of_reference(const Regex *r, const char *at, const char *end, int *used)
{
	const char *close;
	char		name[NAME_MAX_BYTES];
	int			digits;
	int			group;

	if (at < end && *at == '&')
	{
		*used = 1;
		return 0;
	}
	if (at == end || *at != '{')
		return group_of_digits(r, at, end, used);
	close = memchr(at, '}', (size_t) (end - at));
	if (close == NULL || close - at - 1 >= NAME_MAX_BYTES || close == at + 1)
		return -1;
	*used = (int) (close - at) + 1;
	group = group_of_digits(r, at + 1, close, &digits);
	if (group >= 0)
		return at + 1 + digits == close ? group : -1;
	memcpy(name, at + 1, (size_t) (close - at - 1));
	name[close - at - 1] = '\0';
	group = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR) name);
	return group > 0 ? group : -1;
}

static CoreStatus
append_substitution(Output *o, const Regex *r, const char *subject, const char *text, size_t len)
{
	const PCRE2_SIZE *places = pcre2_get_ovector_pointer(r->match);
	const char *end = text + len;
	CoreStatus	status = CORE_OK;

	while (text < end && status == CORE_OK)
	{
		const char *dollar = memchr(text, '$', (size_t) (end - text));
		int			used = 0;
		int			group;

		if (dollar == NULL)
			dollar = end;
		status = append(o, text, (size_t) (dollar - text));
		text = dollar;
		if (status != CORE_OK || text == end)
			break;
		group = group_of_reference(r, text + 1, end, &used);
		if (group >= 0)
		{
			PCRE2_SIZE	from = places[2 * group];
			PCRE2_SIZE	to = places[2 * group + 1];

			if (from != PCRE2_UNSET && to > from)
				status = append(o, subject + from, to - from);
			text += 1 + used;
		}
		else
		{
			status = append(o, "$", 1);
			text += text + 1 < end && text[1] == '$' ? 2 : 1;
		}
	}
	return status;
}

/* The length of the UTF-8 character at a place of checked text */
static size_t
character_at(const char *text, size_t rest)
{
	size_t		n = 1;

	while (n < rest && ((unsigned char) text[n] & 0xC0) == 0x80)
		n++;
	return n;
}

/*
 * A match within a budget for the whole call.  How many steps a match took is not told, so
 * it is tried with few first; each try costs what it was allowed.
 */
static CoreStatus
match_within(const Regex *r, const char *subject, size_t len, size_t offset, uint64_t *budget, bool *found)
{
	uint32_t	all = steps_for(len - offset);
	uint32_t	options = offset > 0 ? PCRE2_NO_UTF_CHECK : 0;

	for (uint32_t steps = 100;; steps *= 100)
	{
		CoreStatus	status;

		if (steps > all)
			steps = all;
		if (*budget < steps)
			return CORE_TOO_LARGE;
		*budget -= steps;
		status = match_at(r, subject, len, offset, options, steps, found);
		if (status != CORE_TOO_LARGE || steps == all)
			return status;
	}
}

static CoreStatus
replace_all(const Regex *r, Output *o, const char *subject, size_t len, const char *substitution, size_t substitution_len)
{
	uint64_t	budget = UINT64_C(10) * steps_for(len) + UINT64_C(100) * (len + 1);
	size_t		copied = 0;
	size_t		offset = 0;

	while (offset <= len)
	{
		const PCRE2_SIZE *places = pcre2_get_ovector_pointer(r->match);
		CoreStatus	status;
		bool		found;

		if (core_interrupted(r->cx))
			return CORE_INTERRUPTED;
		status = match_within(r, subject, len, offset, &budget, &found);
		if (status != CORE_OK)
			return status;
		if (!found)
			break;
		/* \K in a lookahead can put the start behind the end, or before what was copied */
		if (places[0] > places[1] || places[0] < copied)
			return CORE_INVALID;
		status = append(o, subject + copied, places[0] - copied);
		if (status == CORE_OK)
			status = append_substitution(o, r, subject, substitution, substitution_len);
		if (status != CORE_OK)
			return status;
		copied = places[1];
		offset = copied;
		if (places[0] == places[1])
			offset += offset < len ? character_at(subject + offset, len - offset) : 1;
	}
	return append(o, subject + copied, len - copied);
}

CoreStatus
regex_replace(const Regex *regex, const char *subject, size_t len, const char *substitution, size_t substitution_len,
			  size_t max_len, char **out, size_t *out_len)
{
	Output		o = {regex->cx, NULL, 0, 0, max_len};
	CoreStatus	status = replace_all(regex, &o, subject, len, substitution, substitution_len);

	if (status == CORE_OK && o.text == NULL)
	{
		o.text = regex->cx->alloc(regex->cx->arg, 1);
		if (o.text == NULL)
			status = CORE_NO_MEMORY;
	}
	if (status != CORE_OK)
	{
		if (o.text != NULL)
			regex->cx->free(regex->cx->arg, o.text);
		return status;
	}
	o.text[o.len] = '\0';
	*out = o.text;
	*out_len = o.len;
	return CORE_OK;
}
