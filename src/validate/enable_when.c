/*
 * enable_when.c
 *		Whether an item of a Questionnaire is enabled by the answers that a response has.
 *
 * R4 questionnaire.html: Questionnaire.item.enableWhen.  The question that a
 * condition names is "the nearest question occurrence reachable by tracing
 * first the ancestor axis and then the preceding axis and then the following
 * axis".
 */
#include "postgres.h"

#include "miscadmin.h"

#include "validate/questionnaire.h"

/* The item of a linkId at or below a list of items, whether under items or answers */
static const JsonNode *
find_item(const JsonNode *items, const JsonNode *link)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < items_of(items); i++)
	{
		const JsonNode *item = item_of(items, i);
		const JsonNode *answers = child_of(item, "answer");
		const JsonNode *found;

		if (same_string(child_of(item, "linkId"), link))
			return item;
		found = find_item(child_of(item, "item"), link);
		for (int k = 0; found == NULL && k < items_of(answers); k++)
			found = find_item(child_of(item_of(answers, k), "item"), link);
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* Codings by system and code, all else by what it is */
static int
compare(const JsonNode *value, const JsonNode *expected)
{
	if (value->kind == NODE_TRUE || value->kind == NODE_FALSE || expected->kind == NODE_TRUE || expected->kind == NODE_FALSE)
		return value->kind == expected->kind ? 0 : 1;
	if (value->kind == NODE_OBJECT && child_of(expected, "value") == NULL)
	{
		const JsonNode *system = child_of(expected, "system");
		const JsonNode *reference = child_of(expected, "reference");

		if (reference != NULL)
			return same_string(child_of(value, "reference"), reference) ? 0 : 1;
		return same_string(child_of(value, "code"), child_of(expected, "code")) &&
			(system == NULL || same_string(child_of(value, "system"), system)) ? 0 : 1;
	}
	return value_order(value, expected);
}

/* Whether an order is what an operator asks for; 2 is no order */
static bool
order_is(const JsonNode *op, int order)
{
	if (order == 2)
		return false;
	return text_is(op, "=") ? order == 0 : text_is(op, ">") ? order > 0 : text_is(op, "<") ? order < 0 :
		text_is(op, ">=") ? order >= 0 : text_is(op, "<=") ? order <= 0 : false;
}

static int
condition_holds(const Answers *a, const JsonNode *condition)
{
	const JsonNode *link = child_of(condition, "question");
	const JsonNode *op = child_of(condition, "operator");
	const JsonNode *expected = choice_value(condition, "answer");
	const JsonNode *item = NULL;
	const JsonNode *answers;
	bool		equal = false;

	if (link == NULL || op == NULL || expected == NULL)
		return -1;
	for (const AnswerLevel *level = a->level; level != NULL && item == NULL; level = level->up)
		item = find_item(level->items, link);
	answers = child_of(item, "answer");
	if (text_is(op, "exists"))
		return (items_of(answers) > 0) == (expected->kind == NODE_TRUE);
	for (int i = 0; i < items_of(answers); i++)
	{
		const JsonNode *value = choice_value(item_of(answers, i), "value");
		int			order = value == NULL ? 2 : compare(value, expected);

		equal |= order == 0;
		if (order_is(op, order))
			return 1;
	}
	/* R4: "at least no answer has a value that is equal"; later releases ask for an answer */
	if (text_is(op, "!="))
		return equal ? 0 : items_of(answers) > 0 ? 1 : -1;
	return 0;
}

int
question_enabled(const Answers *a, const JsonNode *question)
{
	const JsonNode *conditions = child_of(question, "enableWhen");
	bool		any = text_is(child_of(question, "enableBehavior"), "any");
	bool		unknown = false;

	for (int i = 0; i < items_of(conditions); i++)
	{
		int			holds = condition_holds(a, item_of(conditions, i));

		if (holds < 0)
			unknown = true;
		else if (any == (holds == 1))
			return holds;
	}
	if (unknown)
		return -1;
	return items_of(conditions) == 0 || !any;
}
