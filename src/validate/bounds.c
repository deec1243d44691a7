/*
 * bounds.c
 *		Order of values: numbers exactly, dates as far as both are precise, quantities of one unit.
 */
#include "postgres.h"

#include "core/decimal.h"
#include "core/temporal.h"
#include "validate/validate.h"

#define UNORDERED	2

static int
number_order(const JsonNode *a, const JsonNode *b)
{
	Decimal		x,
				y;

	if (decimal_parse(a->u.text, a->len, &x) != CORE_OK || decimal_parse(b->u.text, b->len, &y) != CORE_OK)
		return UNORDERED;
	return decimal_compare(&x, &y);
}

/* Both dates (with or without a time), or both times of a day; *order of what they stand for */
static bool
temporal_order(const JsonNode *a, const JsonNode *b, int *order)
{
	static const TemporalKind kinds[] = {TEMPORAL_DATETIME, TEMPORAL_TIME};

	for (size_t i = 0; i < lengthof(kinds); i++)
	{
		Temporal	x,
					y;

		if (temporal_parse(kinds[i], a->u.text, a->len, &x) != CORE_OK || temporal_parse(kinds[i], b->u.text, b->len, &y) != CORE_OK)
			continue;
		switch (temporal_compare(&x, &y))
		{
			case ORDER_LESS:
				*order = -1;
				break;
			case ORDER_EQUAL:
				*order = 0;
				break;
			case ORDER_GREATER:
				*order = 1;
				break;
			default:
				*order = UNORDERED;
		}
		return true;
	}
	return false;
}

static int
text_order(const JsonNode *a, const JsonNode *b)
{
	int			order;

	if (temporal_order(a, b, &order))
		return order;
	order = memcmp(a->u.text, b->u.text, Min(a->len, b->len));
	if (order == 0)
		order = (a->len > b->len) - (a->len < b->len);
	return order < 0 ? -1 : order > 0;
}

int
value_order(const JsonNode *value, const JsonNode *bound)
{
	if (value == NULL || bound == NULL || value->kind != bound->kind)
		return UNORDERED;
	if (value->kind == NODE_NUMBER)
		return number_order(value, bound);
	if (value->kind == NODE_STRING)
		return text_order(value, bound);
	if (value->kind == NODE_OBJECT && child_of(bound, "value") != NULL)
	{
		const JsonNode *code = child_of(value, "code");
		const JsonNode *unit = child_of(value, "unit");

		if (code == NULL ? child_of(bound, "code") == NULL && (unit == NULL ? child_of(bound, "unit") == NULL : same_string(unit, child_of(bound, "unit"))) :
			same_string(code, child_of(bound, "code")))
			return value_order(child_of(value, "value"), child_of(bound, "value"));
	}
	return UNORDERED;
}
