/*
 * questionnaire.c
 *		Answers of a QuestionnaireResponse against its Questionnaire.
 *
 * The Questionnaire is contained in the response or loaded with
 * ehr.load_definition; where it is neither, nothing is said.  R4
 * questionnaireresponse.html: items stand in the questionnaire's order, under
 * the item that they stand under there, with answers of its type.  An item
 * that is not enabled (enable_when.c) may be missing and has no answers.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fhir/fhir_tree.h"
#include "validate/questionnaire.h"

static void check_level(Answers *a, const JsonNode *questions, const JsonNode *items, bool complete);

void
answer_fault(Answers *a, const char *code, const char *rule, const char *text)
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

const JsonNode *
choice_value(const JsonNode *object, const char *prefix)
{
	size_t		len = strlen(prefix);

	for (uint32 i = 0; object->kind == NODE_OBJECT && i < object->len; i++)
	{
		const JsonNode *child = &object->u.children[i];

		if (child->key_len > len && memcmp(child->key, prefix, len) == 0 && child->key[len] >= 'A' && child->key[len] <= 'Z')
			return child;
	}
	return NULL;
}

/* Extensions of questions are R4's own; those of the SDC guide have its prefix. */
static bool
is_extension(const JsonNode *url, const char *name)
{
	static const char *const prefixes[] = {
		"http://hl7.org/fhir/StructureDefinition/", "http://hl7.org/fhir/uv/sdc/StructureDefinition/",
	};

	for (size_t i = 0; i < lengthof(prefixes); i++)
	{
		size_t		skip = strlen(prefixes[i]);

		if (url != NULL && url->kind == NODE_STRING && url->len == skip + strlen(name) && memcmp(url->u.text, prefixes[i], skip) == 0 &&
			memcmp(url->u.text + skip, name, url->len - skip) == 0)
			return true;
	}
	return false;
}

const JsonNode *
extension_value(const JsonNode *element, const char *name, int *from)
{
	const JsonNode *extensions = child_of(element, "extension");

	while (*from < items_of(extensions))
	{
		const JsonNode *extension = item_of(extensions, (*from)++);

		if (is_extension(child_of(extension, "url"), name))
			return choice_value(extension, "value");
	}
	return NULL;
}

long
extension_number(const JsonNode *element, const char *name)
{
	int			from = 0;
	const JsonNode *value = extension_value(element, name, &from);

	return value == NULL || value->kind != NODE_NUMBER ? -1 : strtol(pnstrdup(value->u.text, value->len), NULL, 10);
}

/* How often a question has to be answered, or a group to stand: minOccurs, else once where it is required */
static long
least_of(const JsonNode *question)
{
	long		least = extension_number(question, "questionnaire-minOccurs");

	return least >= 0 ? least : is_true(child_of(question, "required"));
}

/* How many answers a question has */
static void
check_answer_count(Answers *a, const JsonNode *question, int count, bool complete)
{
	long		least = least_of(question);
	long		most = extension_number(question, "questionnaire-maxOccurs");

	if (count > 1 && !is_true(child_of(question, "repeats")))
		answer_fault(a, "structure", "answer-repeats", "the question takes one answer");
	else if (most >= 0 && count > most)
		answer_fault(a, "structure", "answer-repeats", "the question has more answers than it takes");
	else if (complete && count < least)
		answer_fault(a, "required", "answer-required", least > 1 ? "the question has fewer answers than it asks for" : "the question has to be answered");
}

static void
check_item(Answers *a, const JsonNode *question, const JsonNode *item, bool complete)
{
	const JsonNode *answers = child_of(item, "answer");
	bool		asks = !text_is(child_of(question, "type"), "group") && !text_is(child_of(question, "type"), "display");

	/* the code "question" is abstract: it groups those that have answers */
	if ((!asks || text_is(child_of(question, "type"), "question")) && answers != NULL)
		answer_fault(a, "structure", "answer-unasked", "groups, displays and questions of no type have no answers");
	else if (asks)
		check_answer_count(a, question, items_of(answers), complete);
	if (asks)
		check_answer_options(a, question, answers);
	for (int i = 0; i < items_of(answers) && !a->v->full; i++)
	{
		int			length = push(a, "answer", i);

		check_answer(a, question, item_of(answers, i));
		check_level(a, child_of(question, "item"), child_of(item_of(answers, i), "item"), complete);
		pop(a, length);
	}
	if (asks && child_of(item, "item") != NULL)
		answer_fault(a, "structure", "answer-place", "items of a question stand under its answer");
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

/* Whether an item has an answer, at whatever depth */
static bool
has_answers(const JsonNode *item)
{
	const JsonNode *items = child_of(item, "item");

	check_stack_depth();
	if (items_of(child_of(item, "answer")) > 0)
		return true;
	for (int i = 0; i < items_of(items); i++)
	{
		if (has_answers(item_of(items, i)))
			return true;
	}
	return false;
}

/* How often a group stands, and whether an item that has to is there */
static void
check_occurrence(Answers *a, const JsonNode *question, int count, bool complete)
{
	bool		group = text_is(child_of(question, "type"), "group");
	long		least = least_of(question);
	long		most = extension_number(question, "questionnaire-maxOccurs");
	int			length = a->path.len;

	appendStringInfoString(&a->path, ".item");
	if (group && most >= 0 && count > most)
		answer_fault(a, "structure", "answer-repeats", "the group stands more often than the questionnaire allows");
	if (complete && least > 0 && (group ? count < least : count == 0) && question_enabled(a, question) == 1)
		answer_fault(a, "required", "answer-required", count == 0 ? "a required item is missing" : "the group stands less often than the questionnaire asks for");
	pop(a, length);
}

/* The items of one level: n log n in the number of questions */
static void
check_level(Answers *a, const JsonNode *questions, const JsonNode *items, bool complete)
{
	int			question_count = items_of(questions);
	JsonNode   *sorted = palloc((question_count + 1) * sizeof(JsonNode));
	int		   *seen = palloc0((question_count + 1) * sizeof(int));
	AnswerLevel level = {a->level, items};
	int			count = 0;
	int			last = -1;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	a->level = &level;
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
			answer_fault(a, "not-found", "answer-unknown", "the questionnaire has no such item here");
		else
		{
			const JsonNode *question = item_of(questions, place);

			int			enabled = question_enabled(a, question);

			if (place < last)
				answer_fault(a, "structure", "answer-order", "the items are not in the questionnaire's order");
			if (seen[place]++ > 0 && !(text_is(child_of(question, "type"), "group") && is_true(child_of(question, "repeats"))))
				answer_fault(a, "structure", "answer-twice", "only groups that repeat stand more than once");
			if (enabled == 0 && has_answers(item))
				answer_fault(a, "business-rule", "answer-disabled", "the answers that the response has do not enable the question");
			last = Max(last, place);
			check_item(a, question, item, complete && enabled == 1);
		}
		pop(a, length);
	}
	for (int i = 0; i < question_count && !a->v->full; i++)
		check_occurrence(a, item_of(questions, i), seen[i], complete);
	a->level = level.up;
	pfree(sorted);
	pfree(seen);
}

void
check_questionnaire_response(Validation *v, const FhirVisit *visit)
{
	const JsonNode *questionnaire = definition_of(v, visit, child_of(visit->node, "questionnaire"), "Questionnaire");
	const JsonNode *status = child_of(visit->node, "status");
	char		path[FHIR_PATH_SIZE];
	Answers		a = {v, questionnaire};

	if (questionnaire == NULL)
		check_canonical(v, visit, "questionnaire", "Questionnaire");
	if (questionnaire == NULL)
		return;
	fhir_place_path(visit->place, NULL, -1, path);
	initStringInfo(&a.path);
	appendStringInfoString(&a.path, path);
	check_level(&a, child_of(questionnaire, "item"), child_of(visit->node, "item"),
				text_is(status, "completed") || text_is(status, "amended"));
	pfree(a.path.data);
}
