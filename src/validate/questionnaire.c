/*
 * questionnaire.c
 *		Answers of a QuestionnaireResponse against its Questionnaire.
 *
 * The Questionnaire is contained in the response or loaded with
 * ehr.load_definition; where it is neither, nothing is said.  R4
 * questionnaireresponse.html: items stand in the questionnaire's order, under
 * the item that they stand under there, with answers of its type.  An item
 * with enableWhen may be missing; whether it is enabled is not evaluated.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "fhir/fhir_tree.h"
#include "validate/validate.h"

typedef struct Answers
{
	Validation *v;
	StringInfoData path;
	bool		complete;		/* required answers must be there */
} Answers;

/* Which values an item's type takes (R4 item-type); NULL: none */
static const struct
{
	const char *type;
	const char *keys[4];
}			answer_keys[] = {
	{"group", {NULL}}, {"display", {NULL}},
	{"boolean", {"valueBoolean"}}, {"decimal", {"valueDecimal"}}, {"integer", {"valueInteger"}},
	{"date", {"valueDate"}}, {"dateTime", {"valueDateTime"}}, {"time", {"valueTime"}},
	{"string", {"valueString"}}, {"text", {"valueString"}}, {"url", {"valueUri"}},
	{"choice", {"valueCoding", "valueString", "valueInteger", "valueDate"}},
	{"open-choice", {"valueCoding", "valueString", "valueInteger", "valueDate"}},
	{"attachment", {"valueAttachment"}}, {"reference", {"valueReference"}}, {"quantity", {"valueQuantity"}},
};

static void check_level(Answers *a, const JsonNode *questions, const JsonNode *items, bool complete);

static void
say(Answers *a, const char *code, const char *rule, const char *text)
{
	add_issue(a->v, SEVERITY_ERROR, code, rule, text, NULL, a->path.data);
}

static int
push(Answers *a, const char *name, int index)
{
	int			length = a->path.len;

	appendStringInfo(&a->path, ".%s[%d]", name, index);
	return length;
}

static void
pop(Answers *a, int length)
{
	a->path.len = length;
	a->path.data[length] = '\0';
}

static bool
is_true(const JsonNode *node)
{
	return node != NULL && node->kind == NODE_TRUE;
}

/* The key under which an answer holds its value, NULL if it has none */
static const JsonNode *
answer_value(const JsonNode *answer)
{
	for (uint32 i = 0; answer->kind == NODE_OBJECT && i < answer->len; i++)
	{
		const JsonNode *child = &answer->u.children[i];

		if (child->key_len > 5 && memcmp(child->key, "value", 5) == 0)
			return child;
	}
	return NULL;
}

/* Of a Coding, system and code are compared; all else as a whole */
static bool
same_option(const JsonNode *value, const JsonNode *option)
{
	const JsonNode *offered = json_child(option, value->key, value->key_len);

	if (offered == NULL || offered->kind != value->kind)
		return false;
	if (value->kind == NODE_OBJECT)
	{
		const JsonNode *system = child_of(offered, "system");

		return same_string(child_of(value, "code"), child_of(offered, "code")) &&
			(system == NULL || same_string(child_of(value, "system"), system));
	}
	return value->kind != NODE_STRING && value->kind != NODE_NUMBER ? true :
		value->len == offered->len && memcmp(value->u.text, offered->u.text, value->len) == 0;
}

static void
check_options(Answers *a, const JsonNode *question, const JsonNode *value)
{
	const JsonNode *options = child_of(question, "answerOption");
	bool		open = text_is(child_of(question, "type"), "open-choice");

	if (items_of(options) == 0 || (open && value->kind == NODE_STRING))
		return;
	for (int i = 0; i < items_of(options); i++)
	{
		if (same_option(value, item_of(options, i)))
			return;
	}
	if (open && value->kind == NODE_OBJECT && child_of(value, "code") == NULL)
		return;
	say(a, "code-invalid", "answer-option", "the answer is none of the question's options");
}

static void
check_answer(Answers *a, const JsonNode *question, const JsonNode *answer)
{
	const JsonNode *type = child_of(question, "type");
	const JsonNode *value = answer_value(answer);
	const JsonNode *max = child_of(question, "maxLength");
	bool		allowed = true;

	if (value == NULL)
		return;
	for (size_t i = 0; i < lengthof(answer_keys); i++)
	{
		if (!text_is(type, answer_keys[i].type))
			continue;
		allowed = false;
		for (size_t k = 0; k < lengthof(answer_keys[i].keys) && answer_keys[i].keys[k] != NULL; k++)
			allowed |= strlen(answer_keys[i].keys[k]) == value->key_len &&
				memcmp(answer_keys[i].keys[k], value->key, value->key_len) == 0;
	}
	if (!allowed)
	{
		say(a, "structure", "answer-type", "the answer is not of the question's type");
		return;
	}
	if (max != NULL && max->kind == NODE_NUMBER && value->kind == NODE_STRING)
	{
		long		characters = 0;

		for (uint32 i = 0; i < value->len; i++)
			characters += ((unsigned char) value->u.text[i] & 0xC0) != 0x80;
		if (characters > strtol(pnstrdup(max->u.text, max->len), NULL, 10))
			say(a, "too-long", "answer-length", "the answer is longer than the question allows");
	}
	check_options(a, question, value);
}

static void
check_item(Answers *a, const JsonNode *question, const JsonNode *item, bool complete)
{
	const JsonNode *answers = child_of(item, "answer");
	bool		asks = !text_is(child_of(question, "type"), "group") && !text_is(child_of(question, "type"), "display");

	if (!asks && answers != NULL)
		say(a, "structure", "answer-unasked", "groups and displays have no answers");
	else if (items_of(answers) > 1 && !is_true(child_of(question, "repeats")))
		say(a, "structure", "answer-repeats", "the question takes one answer");
	else if (asks && items_of(answers) == 0 && complete && is_true(child_of(question, "required")))
		say(a, "required", "answer-required", "the question has to be answered");
	for (int i = 0; i < items_of(answers) && !a->v->full; i++)
	{
		int			length = push(a, "answer", i);

		check_answer(a, question, item_of(answers, i));
		check_level(a, child_of(question, "item"), child_of(item_of(answers, i), "item"), complete);
		pop(a, length);
	}
	if (asks && child_of(item, "item") != NULL)
		say(a, "structure", "answer-place", "items of a question stand under its answer");
	else if (!asks)
		check_level(a, child_of(question, "item"), child_of(item, "item"), complete);
}

/* Place of a linkId among the questions of a level, -1 if it is none of them */
static int
find_question(const JsonNode *sorted, int count, const JsonNode *link)
{
	int			low = 0,
				high = count - 1;

	while (link != NULL && link->kind == NODE_STRING && low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = fhir_compare(link->u.text, link->len, sorted[mid].key, sorted[mid].key_len);

		if (order == 0)
			return (int) sorted[mid].len;
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return -1;
}

/* The items of one level: n log n in the number of questions */
static void
check_level(Answers *a, const JsonNode *questions, const JsonNode *items, bool complete)
{
	int			question_count = items_of(questions);
	JsonNode   *sorted = palloc((question_count + 1) * sizeof(JsonNode));
	int		   *seen = palloc0((question_count + 1) * sizeof(int));
	int			count = 0;
	int			last = -1;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < question_count; i++)
	{
		const JsonNode *link = child_of(item_of(questions, i), "linkId");

		if (link == NULL || link->kind != NODE_STRING)
			continue;
		sorted[count].key = link->u.text;
		sorted[count].key_len = link->len;
		sorted[count++].len = i;
	}
	json_sort_nodes(sorted, count);
	for (int i = 0; i < items_of(items) && !a->v->full; i++)
	{
		const JsonNode *item = item_of(items, i);
		int			length = push(a, "item", i);
		int			place = find_question(sorted, count, child_of(item, "linkId"));

		if (place < 0)
			say(a, "not-found", "answer-unknown", "the questionnaire has no such item here");
		else
		{
			const JsonNode *question = item_of(questions, place);

			if (place < last)
				say(a, "structure", "answer-order", "the items are not in the questionnaire's order");
			if (seen[place]++ > 0 && !(text_is(child_of(question, "type"), "group") && is_true(child_of(question, "repeats"))))
				say(a, "structure", "answer-twice", "only groups that repeat stand more than once");
			last = Max(last, place);
			check_item(a, question, item, complete && child_of(question, "enableWhen") == NULL);
		}
		pop(a, length);
	}
	for (int i = 0; complete && i < question_count && !a->v->full; i++)
	{
		const JsonNode *question = item_of(questions, i);

		if (seen[i] == 0 && is_true(child_of(question, "required")) && child_of(question, "enableWhen") == NULL)
			add_issue(a->v, SEVERITY_ERROR, "required", "answer-required", "a required item is missing", NULL,
					  psprintf("%s.item", a->path.data));
	}
	pfree(sorted);
	pfree(seen);
}

void
check_questionnaire_response(Validation *v, const FhirVisit *visit)
{
	const JsonNode *questionnaire = definition_of(v, visit, child_of(visit->node, "questionnaire"), "Questionnaire");
	const JsonNode *status = child_of(visit->node, "status");
	char		path[FHIR_PATH_SIZE];
	Answers		a = {v};

	if (questionnaire == NULL)
		return;
	fhir_place_path(visit->place, NULL, -1, path);
	initStringInfo(&a.path);
	appendStringInfoString(&a.path, path);
	check_level(&a, child_of(questionnaire, "item"), child_of(visit->node, "item"),
				text_is(status, "completed") || text_is(status, "amended"));
	pfree(a.path.data);
}
