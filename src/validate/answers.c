/*
 * answers.c
 *		What a question says of its answers: type, options, bounds, form.
 *
 * R4 questionnaire.html, and R4's extensions of Questionnaire.item
 * (questionnaire-extensions, minValue, maxDecimalPlaces, mimeType ...).
 */
#include "postgres.h"

#include "core/regex_utf.h"
#include "fhir/fhir_tree.h"
#include "validate/questionnaire.h"

/* Which values an item's type takes (R4 item-type) */
static const struct
{
	const char *type;
	const char *keys[2];
}			answer_keys[] = {
	{"group", {NULL}}, {"display", {NULL}}, {"question", {NULL}},
	{"boolean", {"valueBoolean"}}, {"decimal", {"valueDecimal"}}, {"integer", {"valueInteger"}},
	{"date", {"valueDate"}}, {"dateTime", {"valueDateTime"}}, {"time", {"valueTime"}},
	{"string", {"valueString"}}, {"text", {"valueString"}}, {"url", {"valueUri"}},
	{"choice", {"valueCoding"}}, {"open-choice", {"valueCoding", "valueString"}},
	{"attachment", {"valueAttachment"}}, {"reference", {"valueReference"}}, {"quantity", {"valueQuantity"}},
};

static bool
key_is(const JsonNode *value, const char *key)
{
	return value->key_len == strlen(key) && memcmp(value->key, key, value->key_len) == 0;
}

static long
characters_of(const JsonNode *text)
{
	long		count = 0;

	for (uint32 i = 0; i < text->len; i++)
		count += ((unsigned char) text->u.text[i] & 0xC0) != 0x80;
	return count;
}

/* -- type ------------------------------------------------------------------ */

/* An answer's key is one of its question's type, or of one of the options that it offers */
static bool
type_allows(const JsonNode *question, const JsonNode *value)
{
	const JsonNode *type = child_of(question, "type");
	const JsonNode *options = child_of(question, "answerOption");
	bool		known = false;

	for (size_t i = 0; i < lengthof(answer_keys); i++)
	{
		if (!text_is(type, answer_keys[i].type))
			continue;
		known = true;
		for (size_t k = 0; k < lengthof(answer_keys[i].keys) && answer_keys[i].keys[k] != NULL; k++)
		{
			if (key_is(value, answer_keys[i].keys[k]))
				return true;
		}
	}
	if (!text_is(type, "choice") && !text_is(type, "open-choice"))
		return !known;
	for (int i = 0; i < items_of(options); i++)
	{
		if (json_child(item_of(options, i), value->key, value->key_len) != NULL)
			return true;
	}
	return !known;
}

/* -- options --------------------------------------------------------------- */

/* Of a Coding, system and code are compared, of a Reference where it leads; all else as a whole */
static bool
same_option(const JsonNode *value, const JsonNode *option)
{
	const JsonNode *offered = json_child(option, value->key, value->key_len);

	if (offered == NULL || offered->kind != value->kind)
		return false;
	if (value->kind == NODE_OBJECT && child_of(offered, "reference") != NULL)
		return same_string(child_of(value, "reference"), child_of(offered, "reference"));
	if (value->kind == NODE_OBJECT)
	{
		const JsonNode *system = child_of(offered, "system");

		return same_string(child_of(value, "code"), child_of(offered, "code")) &&
			(system == NULL || same_string(child_of(value, "system"), system));
	}
	return value_order(value, offered) == 0;
}

static const JsonNode *
option_of(const JsonNode *question, const JsonNode *value)
{
	const JsonNode *options = child_of(question, "answerOption");

	for (int i = 0; i < items_of(options); i++)
	{
		if (same_option(value, item_of(options, i)))
			return item_of(options, i);
	}
	return NULL;
}

static void
check_option(Answers *a, const JsonNode *question, const JsonNode *value)
{
	bool		open = text_is(child_of(question, "type"), "open-choice");

	if (items_of(child_of(question, "answerOption")) == 0 || (open && key_is(value, "valueString")) || option_of(question, value) != NULL)
		return;
	/* a Coding without a code is free text too */
	if (open && value->kind == NODE_OBJECT && child_of(value, "code") == NULL)
		return;
	answer_fault(a, "code-invalid", "answer-option", "the answer is none of the question's options");
}

/* Whether a value set that the question names, contained or loaded, has a code: 1, 0, -1 not known */
static int
value_set_allows(const Answers *a, const JsonNode *url, const JsonNode *system, const JsonNode *code)
{
	if (code == NULL || code->kind != NODE_STRING || (system != NULL && system->kind != NODE_STRING))
		return 0;
	if (url->len > 1 && url->u.text[0] == '#')
		return contained_set_has(child_of(a->questionnaire, "contained"), url, system, code);
	return value_set_has(pnstrdup(url->u.text, url->len), system == NULL ? NULL : system->u.text, system == NULL ? 0 : (int) system->len,
						 code->u.text, (int) code->len);
}

static bool
value_set_asked(const JsonNode *url)
{
	return url != NULL && url->kind == NODE_STRING && (url->u.text[0] == '#' || value_set_known(pnstrdup(url->u.text, url->len)));
}

static void
check_value_set_answer(Answers *a, const JsonNode *question, const JsonNode *value)
{
	const JsonNode *url = child_of(question, "answerValueSet");
	bool		open = text_is(child_of(question, "type"), "open-choice");
	bool		has = true;

	if (!value_set_asked(url))
		return;
	if (value->kind == NODE_OBJECT && key_is(value, "valueCoding"))
	{
		if (open && child_of(value, "code") == NULL)
			return;
		/* without a system nothing tells of which the code is */
		has = child_of(value, "system") != NULL && value_set_allows(a, url, child_of(value, "system"), child_of(value, "code")) != 0;
	}
	else if (value->kind == NODE_STRING && !open)
		has = value_set_allows(a, url, NULL, value) != 0;
	if (!has)
		answer_fault(a, "code-invalid", "answer-option", "the answer is no code of the question's value set");
}

/* -- bounds and form ------------------------------------------------------- */

static void
check_bounds(Answers *a, const JsonNode *question, const JsonNode *value)
{
	static const struct
	{
		const char *name;
		int			beyond;		/* order of the value that breaks it */
		const char *rule;
		const char *text;
	}			bounds[] = {
		{"minValue", -1, "answer-min-value", "the answer is below the least value that the question allows"},
		{"maxValue", 1, "answer-max-value", "the answer is above the greatest value that the question allows"},
		{"sdc-questionnaire-minQuantity", -1, "answer-min-value", "the answer is below the least value that the question allows"},
		{"sdc-questionnaire-maxQuantity", 1, "answer-max-value", "the answer is above the greatest value that the question allows"},
	};

	for (size_t i = 0; i < lengthof(bounds); i++)
	{
		int			from = 0;
		const JsonNode *bound = extension_value(question, bounds[i].name, &from);

		if (bound != NULL && value_order(value, bound) == bounds[i].beyond)
			answer_fault(a, "value", bounds[i].rule, bounds[i].text);
	}
}

/* Digits behind the point, as the number is written */
static long
decimal_places(const JsonNode *number)
{
	const char *point = memchr(number->u.text, '.', number->len);
	const char *end = number->u.text + number->len;
	const char *at;
	long		exponent = 0;

	for (at = number->u.text; at < end && *at != 'e' && *at != 'E'; at++)
		;
	if (at < end)
		exponent = strtol(pnstrdup(at + 1, end - at - 1), NULL, 10);
	return Max(0, (point == NULL || point > at ? 0 : at - point - 1) - exponent);
}

static void
check_pattern(Answers *a, const JsonNode *question, const JsonNode *value)
{
	int			from = 0;
	const JsonNode *pattern = extension_value(question, "regex", &from);
	Regex	   *regex;
	bool		matches = true;
	CoreStatus	status;

	if (pattern == NULL || pattern->kind != NODE_STRING ||
		regex_compile(fhir_core_context(), pattern->u.text, pattern->len, "", 0, &regex, NULL, NULL, 0) != CORE_OK)
		return;
	status = regex_matches_full(regex, value->u.text, value->len, &matches);
	regex_free(regex);
	fhir_raise_core(status == CORE_TOO_LARGE || status == CORE_INVALID ? CORE_OK : status);
	if (status == CORE_OK && !matches)
		answer_fault(a, "value", "answer-pattern", "the answer does not have the form that the question asks for");
}

static void
check_form(Answers *a, const JsonNode *question, const JsonNode *value)
{
	const JsonNode *max = child_of(question, "maxLength");
	long		least = extension_number(question, "minLength");
	long		places = extension_number(question, "maxDecimalPlaces");

	if (value->kind == NODE_STRING)
	{
		if (max != NULL && max->kind == NODE_NUMBER && characters_of(value) > strtol(pnstrdup(max->u.text, max->len), NULL, 10))
			answer_fault(a, "too-long", "answer-length", "the answer is longer than the question allows");
		if (least >= 0 && characters_of(value) < least)
			answer_fault(a, "value", "answer-length", "the answer is shorter than the question allows");
		check_pattern(a, question, value);
	}
	if (places >= 0)
	{
		const JsonNode *number = value->kind == NODE_OBJECT ? child_of(value, "value") : value;

		if (number != NULL && number->kind == NODE_NUMBER && decimal_places(number) > places)
			answer_fault(a, "value", "answer-places", "the answer has more decimal places than the question allows");
	}
}

/* -- objects --------------------------------------------------------------- */

/* Bytes that base64 stands for */
static long
base64_bytes(const JsonNode *data)
{
	long		digits = 0;

	for (uint32 i = 0; i < data->len; i++)
		digits += (unsigned char) data->u.text[i] > ' ' && data->u.text[i] != '=';
	return digits * 3 / 4;
}

static void
check_attachment(Answers *a, const JsonNode *question, const JsonNode *value)
{
	const JsonNode *content = child_of(value, "contentType");
	const JsonNode *data = child_of(value, "data");
	const JsonNode *size = child_of(value, "size");
	const JsonNode *largest;
	bool		restricted = false;
	bool		fits = false;
	int			from = 0;

	for (const JsonNode *type; (type = extension_value(question, "mimeType", &from)) != NULL;)
	{
		restricted = true;
		fits |= same_string(type, content);
	}
	if (restricted && !fits)
		answer_fault(a, "value", "answer-content-type", "the attachment is of none of the media types that the question allows");
	from = 0;
	largest = extension_value(question, "maxSize", &from);
	if (largest != NULL && largest->kind == NODE_NUMBER)
	{
		double		limit = strtod(pnstrdup(largest->u.text, largest->len), NULL);

		if ((size != NULL && size->kind == NODE_NUMBER && strtod(pnstrdup(size->u.text, size->len), NULL) > limit) ||
			(data != NULL && data->kind == NODE_STRING && base64_bytes(data) > limit))
			answer_fault(a, "too-long", "answer-size", "the attachment is larger than the question allows");
	}
}

/* A unit by system and code, one without a code by its display */
static bool
is_unit(const JsonNode *value, const JsonNode *unit)
{
	const JsonNode *code = child_of(value, "code");

	if (code == NULL)
		return same_string(child_of(value, "unit"), child_of(unit, "display")) || same_string(child_of(value, "unit"), child_of(unit, "code"));
	return same_string(code, child_of(unit, "code")) && (child_of(unit, "system") == NULL || same_string(child_of(value, "system"), child_of(unit, "system")));
}

static void
check_unit(Answers *a, const JsonNode *question, const JsonNode *value)
{
	bool		restricted = false;
	bool		fits = false;
	int			from = 0;
	const JsonNode *set;

	for (const JsonNode *unit; (unit = extension_value(question, "questionnaire-unitOption", &from)) != NULL;)
	{
		restricted = true;
		fits |= is_unit(value, unit);
	}
	from = 0;
	set = extension_value(question, "questionnaire-unitValueSet", &from);
	if (set != NULL && value_set_asked(set))
	{
		restricted = true;
		fits |= child_of(value, "code") != NULL && value_set_allows(a, set, child_of(value, "system"), child_of(value, "code")) != 0;
	}
	if (restricted && !fits)
		answer_fault(a, "value", "answer-unit", "the quantity has none of the units that the question allows");
}

/*
 * The type that a reference names: Type/id at its end.  *named: something
 * stands there that looks like a type and is none of R4.
 */
static int
named_type(const JsonNode *value, bool *named)
{
	const JsonNode *type = child_of(value, "type");
	const JsonNode *reference = child_of(value, "reference");
	const char *text;
	int			end,
				begin;
	int			number;

	*named = false;
	if (type != NULL && type->kind == NODE_STRING)
		return fhir_resource_number(type->u.text, type->len);
	if (reference == NULL || reference->kind != NODE_STRING)
		return 0;
	text = reference->u.text;
	for (end = (int) reference->len; end > 0 && text[end - 1] != '/'; end--)
		;
	if (end < 2)
		return 0;
	for (begin = --end; begin > 0 && text[begin - 1] != '/'; begin--)
		;
	number = fhir_resource_number(text + begin, end - begin);
	*named = number == 0 && text[begin] >= 'A' && text[begin] <= 'Z' && strspn(text + begin, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == end - begin &&
		begin > 0 && (reference->len > 4 && memcmp(text, "http", 4) == 0);
	return number;
}

static void
check_reference(Answers *a, const JsonNode *question, const JsonNode *value)
{
	bool		restricted = false;
	bool		fits = false;
	bool		named;
	int			number = named_type(value, &named);
	int			from = 0;

	if (named)
		answer_fault(a, "value", "answer-reference", "the reference names no type of resource");
	for (const JsonNode *type; (type = extension_value(question, "questionnaire-referenceResource", &from)) != NULL;)
	{
		restricted = true;
		fits |= type->kind == NODE_STRING && number != 0 && fhir_resource_number(type->u.text, type->len) == number;
	}
	if (restricted && number != 0 && !fits)
		answer_fault(a, "structure", "answer-reference", "the reference leads to none of the types that the question allows");
}

/* -- ways in --------------------------------------------------------------- */

void
check_answer(Answers *a, const JsonNode *question, const JsonNode *answer)
{
	const JsonNode *value = choice_value(answer, "value");

	if (value == NULL)
		return;
	if (!type_allows(question, value))
	{
		answer_fault(a, "structure", "answer-type", "the answer is not of the question's type");
		return;
	}
	check_form(a, question, value);
	check_bounds(a, question, value);
	check_option(a, question, value);
	check_value_set_answer(a, question, value);
	if (key_is(value, "valueAttachment"))
		check_attachment(a, question, value);
	else if (key_is(value, "valueQuantity"))
		check_unit(a, question, value);
	else if (key_is(value, "valueReference"))
		check_reference(a, question, value);
}

/* questionnaire-optionExclusive: "if selected, no other option may be" */
void
check_answer_options(Answers *a, const JsonNode *question, const JsonNode *answers)
{
	for (int i = 0; items_of(answers) > 1 && i < items_of(answers); i++)
	{
		const JsonNode *value = choice_value(item_of(answers, i), "value");
		const JsonNode *option = value == NULL ? NULL : option_of(question, value);
		int			from = 0;
		const JsonNode *exclusive = option == NULL ? NULL : extension_value(option, "questionnaire-optionExclusive", &from);

		if (exclusive != NULL && exclusive->kind == NODE_TRUE)
		{
			answer_fault(a, "business-rule", "answer-exclusive", "an option that excludes all others stands beside another answer");
			return;
		}
	}
}
