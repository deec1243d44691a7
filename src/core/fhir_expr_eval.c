/*
 * fhir_expr_eval.c
 *		Evaluation of the expressions that fhir_expr.c parses.
 *
 * Collections are arrays in an arena that lives for one evaluation; its first
 * kilobytes are on the stack, so that the usual invariant allocates nothing.
 */
#include "fhir_expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir_expr_tree.h"
#include "fhir_model.h"
#include "fhir_primitive.h"

#define ARENA_FIRST		4096
#define ARENA_CHUNK		65536

/* Most levels of descendants(), which follow the document */
#define DESCENT_MAX		JSON_DEPTH_MAX

typedef enum ItemKind
{
	ITEM_ELEMENT,				/* of the document */
	ITEM_STRING,
	ITEM_NUMBER,
	ITEM_BOOLEAN
} ItemKind;

typedef struct Item
{
	uint8_t		kind;
	bool		truth;			/* ITEM_BOOLEAN */
	int			type;			/* ITEM_ELEMENT: type index */
	const JsonNode *node;		/* ITEM_ELEMENT */
	const JsonNode *twin;
	const char *text;			/* ITEM_STRING, ITEM_NUMBER */
	size_t		len;
} Item;

typedef struct Seq
{
	Item	   *items;
	int			count;
	int			size;
} Seq;

typedef struct ArenaChunk
{
	struct ArenaChunk *next;
	size_t		used;
	size_t		size;
	union
	{
		max_align_t align;
		char		bytes[1];
	}			data;
} ArenaChunk;

typedef struct Eval
{
	const CoreContext *cx;
	const FhirExpr *expr;
	const FhirScope *scope;
	Seq			context;		/* what the whole expression is asked of */
	Seq		   *kept;			/* results of fixed nodes; count -1: not yet */
	CoreStatus	status;
	bool		undecided;
	bool		open;			/* some {} came from what cannot be compared or looked at */
	unsigned	steps;
	ArenaChunk *chunks;
	size_t		first_used;
	max_align_t first[ARENA_FIRST / sizeof(max_align_t)];
} Eval;

static void eval(Eval *ev, int index, const Seq *focus, Seq *out);

/* -- memory ------------------------------------------------------------- */

static bool
stopped(const Eval *ev)
{
	return ev->status != CORE_OK || ev->undecided;
}

static void *
arena_alloc(Eval *ev, size_t size)
{
	void	   *result;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (ev->first_used + size <= ARENA_FIRST)
	{
		result = (char *) ev->first + ev->first_used;
		ev->first_used += size;
		return result;
	}
	if (ev->chunks == NULL || ev->chunks->used + size > ev->chunks->size)
	{
		size_t		room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
		ArenaChunk *chunk = ev->cx->alloc(ev->cx->arg, sizeof(ArenaChunk) + room);

		if (chunk == NULL)
		{
			ev->status = CORE_NO_MEMORY;
			return NULL;
		}
		chunk->next = ev->chunks;
		chunk->used = 0;
		chunk->size = room;
		ev->chunks = chunk;
	}
	result = ev->chunks->data.bytes + ev->chunks->used;
	ev->chunks->used += size;
	return result;
}

static void
arena_free(Eval *ev)
{
	while (ev->chunks != NULL)
	{
		ArenaChunk *next = ev->chunks->next;

		ev->cx->free(ev->cx->arg, ev->chunks);
		ev->chunks = next;
	}
}

static void
seq_add(Eval *ev, Seq *seq, const Item *item)
{
	if (stopped(ev))
		return;
	if (++ev->steps > FHIR_EXPR_STEPS)
	{
		ev->undecided = true;
		return;
	}
	if (ev->steps % 4096 == 0 && core_interrupted(ev->cx))
	{
		ev->status = CORE_INTERRUPTED;
		return;
	}
	if (seq->count == seq->size)
	{
		int			size = seq->size == 0 ? 4 : seq->size * 2;
		Item	   *items = arena_alloc(ev, size * sizeof(Item));

		if (items == NULL)
			return;
		if (seq->count > 0)
			memcpy(items, seq->items, seq->count * sizeof(Item));
		seq->items = items;
		seq->size = size;
	}
	seq->items[seq->count++] = *item;
}

static void
seq_add_all(Eval *ev, Seq *seq, const Seq *more)
{
	for (int i = 0; i < more->count && !stopped(ev); i++)
		seq_add(ev, seq, &more->items[i]);
}

static void
add_boolean(Eval *ev, Seq *out, bool truth)
{
	Item		item = {.kind = ITEM_BOOLEAN, .truth = truth};

	seq_add(ev, out, &item);
}

static void
add_text(Eval *ev, Seq *out, ItemKind kind, const char *text, size_t len)
{
	Item		item = {.kind = kind, .text = text, .len = len};

	seq_add(ev, out, &item);
}

static void
add_number(Eval *ev, Seq *out, long number)
{
	char	   *text = arena_alloc(ev, 24);

	if (text != NULL)
		add_text(ev, out, ITEM_NUMBER, text, snprintf(text, 24, "%ld", number));
}

/* -- elements ----------------------------------------------------------- */

int
fhir_node_resource_type(const JsonNode *node)
{
	const JsonNode *type = json_child(node, "resourceType", 12);
	int			number = 0;

	if (type != NULL && type->kind == NODE_STRING)
		number = fhir_resource_number(type->u.text, type->len);
	return fhir_resource_concrete(number) ? FHIR_RESOURCE_BASE + number : 0;
}

/* The type of an element's value: a resource says itself what it is. */
static int
value_type(const FhirElement *element, const JsonNode *node)
{
	if (element->type > FHIR_RESOURCE_BASE && element->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES &&
		node != NULL && node->kind == NODE_OBJECT)
		return fhir_node_resource_type(node);
	return element->type;
}

static bool
each_value(const FhirElement *main, const JsonNode *node, const JsonNode *twin, FhirEach each, void *arg)
{
	FhirFocus	focus;
	uint32_t	count;

	if ((node != NULL && node->kind == NODE_ARRAY) || (twin != NULL && twin->kind == NODE_ARRAY))
	{
		count = node != NULL && node->kind == NODE_ARRAY ? node->len : twin->len;
		for (uint32_t i = 0; i < count; i++)
		{
			focus.node = node != NULL && node->kind == NODE_ARRAY ? &node->u.children[i] : NULL;
			focus.twin = twin != NULL && twin->kind == NODE_ARRAY && i < twin->len ? &twin->u.children[i] : NULL;
			if (focus.node != NULL && focus.node->kind == NODE_NULL)
				focus.node = NULL;
			if (focus.twin != NULL && focus.twin->kind == NODE_NULL)
				focus.twin = NULL;
			focus.type = value_type(main, focus.node);
			if ((focus.node != NULL || focus.twin != NULL) && !each(arg, &focus, (int) i))
				return false;
		}
		return true;
	}
	focus.node = node != NULL && node->kind != NODE_NULL ? node : NULL;
	focus.twin = twin != NULL && twin->kind != NODE_NULL ? twin : NULL;
	focus.type = value_type(main, focus.node);
	return (focus.node == NULL && focus.twin == NULL) || each(arg, &focus, -1);
}

static bool
each_key(const JsonNode *object, const FhirElement *main, FhirEach each, void *arg)
{
	const char *name = fhir_string(main->name);
	const JsonNode *node = json_child(object, name, main->name_len);
	const JsonNode *twin = NULL;

	if (main->type < FHIR_RESOURCE_BASE)
	{
		char		sibling[260];

		sibling[0] = '_';
		memcpy(sibling + 1, name, main->name_len);
		twin = json_child(object, sibling, main->name_len + 1);
	}
	if (node == NULL && twin == NULL)
		return true;
	return each_value(main, node, twin, each, arg);
}

bool
fhir_each_element(const JsonNode *object, int type, const char *name, size_t len, FhirEach each, void *arg)
{
	const FhirElement *first;
	const FhirElement *main;

	if (object == NULL || object->kind != NODE_OBJECT || type == 0)
		return true;
	main = fhir_element_find(type, name, len);
	if (main != NULL && (main->flags & FHIR_CHOICE) == 0)
		return each_key(object, main, each, arg);
	main = fhir_element_find_base(type, name, len);
	if (main == NULL || (main->flags & FHIR_CHOICE) == 0)
		return true;
	/* a choice: all keys of its slot */
	first = fhir_elements + fhir_types[type].first;
	for (int i = 0; i < fhir_types[type].count; i++)
	{
		if (first[i].slot == main->slot && (first[i].flags & (FHIR_SIBLING | FHIR_RESOURCE_TYPE)) == 0 &&
			!each_key(object, &first[i], each, arg))
			return false;
	}
	return true;
}

typedef struct Collect
{
	Eval	   *ev;
	Seq		   *out;
} Collect;

static bool
collect(void *arg, const FhirFocus *element, int index)
{
	Collect    *c = arg;
	Item		item = {.kind = ITEM_ELEMENT, .type = element->type, .node = element->node, .twin = element->twin};

	seq_add(c->ev, c->out, &item);
	return !stopped(c->ev);
}

/* The object that holds an item's children: a primitive's are in its twin. */
static const JsonNode *
item_object(const Item *item, int *type)
{
	if (item->kind != ITEM_ELEMENT)
		return NULL;
	*type = item->type;
	if (item->type >= FHIR_RESOURCE_BASE || item->type == 0)
		return item->node;
	*type = fhir_element_type;
	return item->twin;
}

static void
add_children(Eval *ev, const Item *item, const char *name, size_t len, Seq *out)
{
	Collect		c = {ev, out};
	int			type;
	const JsonNode *object = item_object(item, &type);

	if (object != NULL)
		(void) fhir_each_element(object, type, name, len, collect, &c);
}

/* All children, in the order of their keys; resourceType is none. */
static void
add_all_children(Eval *ev, const Item *item, Seq *out)
{
	Collect		c = {ev, out};
	int			type;
	const JsonNode *object = item_object(item, &type);

	if (object == NULL || object->kind != NODE_OBJECT || type == 0)
		return;
	for (uint32_t i = 0; i < object->len && !stopped(ev); i++)
	{
		const JsonNode *child = &object->u.children[i];
		const FhirElement *element = fhir_element_find(type, child->key, child->key_len);

		if (element == NULL || (element->flags & FHIR_RESOURCE_TYPE) != 0)
			continue;
		if ((element->flags & FHIR_SIBLING) == 0)
			(void) each_key(object, element, collect, &c);
		else if (json_child(object, child->key + 1, child->key_len - 1) == NULL)
			(void) each_key(object, fhir_elements + fhir_types[type].first + element->main, collect, &c);
	}
}

static void
add_descendants(Eval *ev, const Item *item, Seq *out, int depth)
{
	Seq			children = {0};

	if (depth > DESCENT_MAX || stopped(ev))
		return;
	add_all_children(ev, item, &children);
	for (int i = 0; i < children.count && !stopped(ev); i++)
	{
		seq_add(ev, out, &children.items[i]);
		add_descendants(ev, &children.items[i], out, depth + 1);
	}
}

/* -- values ------------------------------------------------------------- */

/* Turns an element of a primitive type into its value; false: it has none. */
static bool
item_value(const Item *item, Item *value)
{
	*value = *item;
	if (item->kind != ITEM_ELEMENT)
		return true;
	if (item->node == NULL || item->type >= FHIR_RESOURCE_BASE)
		return false;
	switch (item->node->kind)
	{
		case NODE_STRING:
			value->kind = ITEM_STRING;
			break;
		case NODE_NUMBER:
			value->kind = ITEM_NUMBER;
			break;
		case NODE_TRUE:
		case NODE_FALSE:
			value->kind = ITEM_BOOLEAN;
			value->truth = item->node->kind == NODE_TRUE;
			return true;
		default:
			return false;
	}
	value->text = item->node->u.text;
	value->len = item->node->len;
	return true;
}

static FhirTruth
seq_truth(Eval *ev, const Seq *seq)
{
	Item		value;

	if (seq->count == 0)
		return FHIR_TRUTH_EMPTY;
	if (seq->count > 1)
	{
		ev->undecided = true;
		return FHIR_TRUTH_UNDECIDED;
	}
	if (item_value(&seq->items[0], &value) && value.kind == ITEM_BOOLEAN)
		return value.truth ? FHIR_TRUTH_TRUE : FHIR_TRUTH_FALSE;
	return FHIR_TRUTH_TRUE;
}

/* Exact for what fits 18 digits, which is what FHIR asks for */
static long double
number_of(const Item *item)
{
	char		text[64];
	size_t		len = item->len < sizeof(text) - 1 ? item->len : sizeof(text) - 1;

	memcpy(text, item->text, len);
	text[len] = '\0';
	return strtold(text, NULL);
}

/* Seconds since an epoch, of a time with its zone */
static int64_t
instant_of(const FhirDateTime *t)
{
	int			y = t->month <= 2 ? t->year - 1 : t->year;
	int			era = y / 400;
	int			year_of_era = y - era * 400;
	int			day_of_year = (153 * (t->month + (t->month > 2 ? -3 : 9)) + 2) / 5 + t->day - 1;
	int64_t		days = (int64_t) era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return ((days * 24 + t->hour) * 60 + t->minute - t->zone) * 60 + t->second;
}

#define SIGN(a, b)	((a) < (b) ? -1 : (a) > (b) ? 1 : 0)

/* -1, 0, 1; 2: precisions differ and what both have is the same */
static int
compare_dates(const FhirDateTime *a, const FhirDateTime *b)
{
	FhirPrecision least = a->precision < b->precision ? a->precision : b->precision;
	int			order;

	if (least >= FHIR_PRECISION_SECOND)
	{
		order = SIGN(instant_of(a), instant_of(b));
		return order != 0 ? order : SIGN(a->nanosecond, b->nanosecond);
	}
	order = SIGN(a->year, b->year);
	if (order == 0 && least >= FHIR_PRECISION_MONTH)
		order = SIGN(a->month, b->month);
	if (order == 0 && least >= FHIR_PRECISION_DAY)
		order = SIGN(a->day, b->day);
	return order != 0 || a->precision == b->precision ? order : 2;
}

static bool
is_quantity(const Item *item)
{
	static int	quantity = 0;

	if (quantity == 0)
		quantity = fhir_type_find("Quantity", 8);
	return item->kind == ITEM_ELEMENT && fhir_type_is(item->type, quantity);
}

static bool
same_text(const JsonNode *a, const JsonNode *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->kind == b->kind && a->kind == NODE_STRING && a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
}

/* Quantities compare where they are of one unit, as written; else 2. */
static int
compare_quantities(const Item *a, const Item *b)
{
	const JsonNode *values[2] = {json_child(a->node, "value", 5), json_child(b->node, "value", 5)};
	Item		numbers[2] = {{.kind = ITEM_NUMBER}, {.kind = ITEM_NUMBER}};

	for (int i = 0; i < 2; i++)
	{
		if (values[i] == NULL || values[i]->kind != NODE_NUMBER)
			return 2;
		numbers[i].text = values[i]->u.text;
		numbers[i].len = values[i]->len;
	}
	if (!same_text(json_child(a->node, "system", 6), json_child(b->node, "system", 6)) ||
		!same_text(json_child(a->node, "code", 4), json_child(b->node, "code", 4)))
		return 2;
	if (json_child(a->node, "code", 4) == NULL &&
		!same_text(json_child(a->node, "unit", 4), json_child(b->node, "unit", 4)))
		return 2;
	return SIGN(number_of(&numbers[0]), number_of(&numbers[1]));
}

/* -1, 0, 1, or 2: they cannot be compared */
static int
compare_items(const Item *a, const Item *b)
{
	Item		x,
				y;
	FhirDateTime dates[2];

	if (is_quantity(a) && is_quantity(b))
		return compare_quantities(a, b);
	if (!item_value(a, &x) || !item_value(b, &y) || x.kind != y.kind)
		return 2;
	if (x.kind == ITEM_NUMBER)
		return SIGN(number_of(&x), number_of(&y));
	if (x.kind != ITEM_STRING)
		return 2;
	if (a->kind == ITEM_ELEMENT && (a->type == FHIR_DATE || a->type == FHIR_DATETIME || a->type == FHIR_INSTANT))
	{
		if (!fhir_datetime_parse(FHIR_DATETIME, x.text, x.len, &dates[0]) ||
			!fhir_datetime_parse(FHIR_DATETIME, y.text, y.len, &dates[1]))
			return 2;
		return compare_dates(&dates[0], &dates[1]);
	}
	{
		size_t		len = x.len < y.len ? x.len : y.len;
		int			order = memcmp(x.text, y.text, len);

		return order != 0 ? (order < 0 ? -1 : 1) : SIGN(x.len, y.len);
	}
}

/* Deep equality of two documents' parts; numbers by value */
static bool
same_node(const JsonNode *a, const JsonNode *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->kind != b->kind || (a->len != b->len && a->kind != NODE_NUMBER))
		return false;
	if (a->kind == NODE_STRING)
		return memcmp(a->u.text, b->u.text, a->len) == 0;
	if (a->kind == NODE_NUMBER)
	{
		Item		x = {.text = a->u.text, .len = a->len},
					y = {.text = b->u.text, .len = b->len};

		return number_of(&x) == number_of(&y);
	}
	if (a->kind != NODE_ARRAY && a->kind != NODE_OBJECT)
		return true;
	for (uint32_t i = 0; i < a->len; i++)
	{
		const JsonNode *x = &a->u.children[i];
		const JsonNode *y = &b->u.children[i];

		if (a->kind == NODE_OBJECT && (x->key_len != y->key_len || memcmp(x->key, y->key, x->key_len) != 0))
			return false;
		if (!same_node(x, y))
			return false;
	}
	return true;
}

static bool
same_item(const Item *a, const Item *b)
{
	Item		x,
				y;

	if (item_value(a, &x) && item_value(b, &y))
	{
		if (x.kind == ITEM_BOOLEAN && y.kind == ITEM_BOOLEAN)
			return x.truth == y.truth;
		return compare_items(a, b) == 0;
	}
	return a->kind == ITEM_ELEMENT && b->kind == ITEM_ELEMENT && same_node(a->node, b->node) && same_node(a->twin, b->twin);
}

static bool
seq_has(Eval *ev, const Seq *seq, const Item *item)
{
	ev->steps += seq->count;
	if (ev->steps > FHIR_EXPR_STEPS)
		ev->undecided = true;
	for (int i = 0; i < seq->count && !ev->undecided; i++)
	{
		if (same_item(&seq->items[i], item))
			return true;
	}
	return false;
}

static int
by_text(const void *a, const void *b)
{
	const Item *x = a;
	const Item *y = b;

	return fhir_compare(x->text, x->len, y->text, y->len);
}

/* n log n where all are strings, else every pair */
static bool
all_distinct(Eval *ev, const Seq *seq)
{
	Item	   *values = arena_alloc(ev, (seq->count + 1) * sizeof(Item));
	bool		strings = true;

	if (values == NULL)
		return true;
	for (int i = 0; i < seq->count; i++)
		strings &= item_value(&seq->items[i], &values[i]) && values[i].kind == ITEM_STRING;
	if (strings)
		qsort(values, seq->count, sizeof(Item), by_text);
	for (int i = 1; i < seq->count && !stopped(ev); i++)
	{
		Seq			before = {seq->items, i, i};

		if (strings ? by_text(&values[i - 1], &values[i]) == 0 : seq_has(ev, &before, &seq->items[i]))
			return false;
	}
	return true;
}

/* -- functions ---------------------------------------------------------- */

/* The one string of a collection; false: empty. More than one leaves the evaluation undecided. */
static bool
one_string(Eval *ev, const Seq *seq, Item *value)
{
	if (seq->count > 1)
		ev->undecided = true;
	return seq->count == 1 && item_value(&seq->items[0], value) && value->kind == ITEM_STRING;
}

static FhirTruth
test_item(Eval *ev, int argument, const Item *item)
{
	Seq			one = {(Item *) item, 1, 1};
	Seq			result = {0};

	eval(ev, argument, &one, &result);
	return stopped(ev) ? FHIR_TRUTH_UNDECIDED : seq_truth(ev, &result);
}

static bool
item_is(const Item *item, int type)
{
	static const struct
	{
		ItemKind	kind;
		FhirPrimitive type;
	}			own[] = {{ITEM_STRING, FHIR_STRING}, {ITEM_NUMBER, FHIR_DECIMAL}, {ITEM_BOOLEAN, FHIR_BOOLEAN}};

	if (item->kind == ITEM_ELEMENT)
		return item->type == type || fhir_type_is(item->type, type);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
	{
		if (own[i].kind == item->kind)
			return own[i].type == (FhirPrimitive) type;
	}
	return false;
}

static void
text_function(Eval *ev, const ExprNode *node, const Seq *input, const Seq *argument, Seq *out)
{
	Item		text,
				arg;

	if (!one_string(ev, input, &text))
	{
		ev->open = true;
		return;
	}
	if (node->function == CALL_SUBSTRING)
	{
		long		skip;

		if (argument->count != 1 || !item_value(&argument->items[0], &arg) || arg.kind != ITEM_NUMBER)
			return;
		skip = (long) number_of(&arg);
		/* characters, not bytes */
		while (skip > 0 && text.len > 0)
		{
			do
			{
				text.text++;
				text.len--;
			} while (text.len > 0 && ((unsigned char) *text.text & 0xC0) == 0x80);
			skip--;
		}
		if (text.len > 0)
			add_text(ev, out, ITEM_STRING, text.text, text.len);
		return;
	}
	if (node->function == CALL_CUT_MATCHES)
	{
		const char *dot = memchr(text.text, '.', text.len);

		add_text(ev, out, ITEM_STRING, text.text, dot == NULL ? text.len : (size_t) (dot - text.text));
		return;
	}
	if (!one_string(ev, argument, &arg))
		return;
	if (node->function == CALL_STARTS_WITH)
		add_boolean(ev, out, text.len >= arg.len && memcmp(text.text, arg.text, arg.len) == 0);
	else if (node->function == CALL_MATCHES)
		add_boolean(ev, out, expr_pattern_find(arg.text, arg.len) (text.text, text.len));
	else
	{
		bool		found = arg.len == 0;

		for (size_t i = 0; !found && i + arg.len <= text.len; i++)
			found = memcmp(text.text + i, arg.text, arg.len) == 0;
		add_boolean(ev, out, found);
	}
}

/* exists(...), where, all, select: asked of every item */
static void
each_function(Eval *ev, const ExprNode *node, const Seq *input, Seq *out)
{
	FhirTruth	all = FHIR_TRUTH_TRUE;
	bool		any = false;

	for (int i = 0; i < input->count && !stopped(ev); i++)
	{
		Seq			one = {&input->items[i], 1, 1};
		FhirTruth	truth;

		if (node->function == CALL_SELECT)
		{
			eval(ev, node->a[1], &one, out);
			continue;
		}
		truth = test_item(ev, node->a[1], &input->items[i]);
		any |= truth == FHIR_TRUTH_TRUE;
		if (truth != FHIR_TRUTH_TRUE)
			all = FHIR_TRUTH_FALSE;
		if (node->function == CALL_WHERE && truth == FHIR_TRUTH_TRUE)
			seq_add(ev, out, &input->items[i]);
	}
	if (node->function == CALL_ALL)
		add_boolean(ev, out, all == FHIR_TRUTH_TRUE);
	else if (node->function == CALL_EXISTS)
		add_boolean(ev, out, any);
}

static void
iif_function(Eval *ev, const ExprNode *node, const Seq *input, Seq *out)
{
	Seq			condition = {0};
	FhirTruth	truth;

	eval(ev, node->a[1], input, &condition);
	truth = stopped(ev) ? FHIR_TRUTH_UNDECIDED : seq_truth(ev, &condition);
	if (stopped(ev))
		return;
	if (truth == FHIR_TRUTH_TRUE)
		eval(ev, node->a[2], input, out);
	else if (node->a[3] >= 0)
		eval(ev, node->a[3], input, out);
}

static void
convert_function(Eval *ev, const ExprNode *node, const Seq *input, Seq *out)
{
	Item		value;

	if (input->count > 1)
		ev->undecided = true;
	if (input->count != 1 || !item_value(&input->items[0], &value))
		return;
	if (node->function == CALL_TO_STRING)
	{
		if (value.kind == ITEM_BOOLEAN)
			add_text(ev, out, ITEM_STRING, value.truth ? "true" : "false", value.truth ? 4 : 5);
		else
			add_text(ev, out, ITEM_STRING, value.text, value.len);
		return;
	}
	if (value.kind == ITEM_NUMBER || value.kind == ITEM_STRING)
	{
		size_t		i = value.len > 0 && (value.text[0] == '-' || value.text[0] == '+');

		if (i == value.len || value.len > 10)
			return;
		for (; i < value.len; i++)
		{
			if (value.text[i] < '0' || value.text[i] > '9')
				return;
		}
		add_text(ev, out, ITEM_NUMBER, value.text, value.len);
	}
}

/* The contained resources that references lead to; other resources are not at hand, so nothing is given for them. */
static void
add_contained(Eval *ev, const Item *item, Seq *out)
{
	const JsonNode *reference = item->kind == ITEM_ELEMENT && item->node != NULL && item->type == fhir_reference_type ?
		json_child(item->node, "reference", 9) : NULL;
	const JsonNode *contained = json_child(ev->scope->root, "contained", 9);

	if (reference == NULL || reference->kind != NODE_STRING || reference->len < 2 || reference->u.text[0] != '#' ||
		contained == NULL || contained->kind != NODE_ARRAY)
		return;
	ev->steps += contained->len;
	for (uint32_t i = 0; i < contained->len; i++)
	{
		const JsonNode *id = json_child(&contained->u.children[i], "id", 2);
		Item		found = {.kind = ITEM_ELEMENT, .node = &contained->u.children[i]};

		if (id == NULL || id->kind != NODE_STRING || id->len != reference->len - 1 ||
			memcmp(id->u.text, reference->u.text + 1, id->len) != 0)
			continue;
		found.type = fhir_node_resource_type(found.node);
		seq_add(ev, out, &found);
		return;
	}
}

static void
call(Eval *ev, const ExprNode *node, const Seq *input, const Seq *focus, Seq *out)
{
	Seq			argument = {0};
	FhirTruth	truth;

	switch ((ExprFunction) node->function)
	{
		case CALL_EXISTS:
			if (node->a[1] >= 0)
				each_function(ev, node, input, out);
			else
				add_boolean(ev, out, input->count > 0);
			return;
		case CALL_EMPTY:
			add_boolean(ev, out, input->count == 0);
			return;
		case CALL_NOT:
			truth = seq_truth(ev, input);
			if (truth == FHIR_TRUTH_TRUE || truth == FHIR_TRUTH_FALSE)
				add_boolean(ev, out, truth == FHIR_TRUTH_FALSE);
			return;
		case CALL_COUNT:
			add_number(ev, out, input->count);
			return;
		case CALL_HAS_VALUE:
			{
				Item		value;

				add_boolean(ev, out, input->count == 1 && item_value(&input->items[0], &value));
				return;
			}
		case CALL_FIRST:
			if (input->count > 0)
				seq_add(ev, out, &input->items[0]);
			return;
		case CALL_TAIL:
			for (int i = 1; i < input->count; i++)
				seq_add(ev, out, &input->items[i]);
			return;
		case CALL_WHERE:
		case CALL_ALL:
		case CALL_SELECT:
			each_function(ev, node, input, out);
			return;
		case CALL_DISTINCT:
			add_boolean(ev, out, all_distinct(ev, input));
			return;
		case CALL_IS:
			if (input->count == 1)
				add_boolean(ev, out, item_is(&input->items[0], node->type));
			else if (input->count > 1)
				ev->undecided = true;
			return;
		case CALL_AS:
		case CALL_OF_TYPE:
			for (int i = 0; i < input->count; i++)
			{
				if (item_is(&input->items[i], node->type))
					seq_add(ev, out, &input->items[i]);
			}
			return;
		case CALL_TRACE:
			seq_add_all(ev, out, input);
			return;
		case CALL_IIF:
			iif_function(ev, node, input, out);
			return;
		case CALL_TO_INTEGER:
		case CALL_TO_STRING:
			convert_function(ev, node, input, out);
			return;
		case CALL_RESOLVE:
			for (int i = 0; i < input->count && !stopped(ev); i++)
				add_contained(ev, &input->items[i], out);
			return;
		case CALL_CHILDREN:
			for (int i = 0; i < input->count && !stopped(ev); i++)
				add_all_children(ev, &input->items[i], out);
			return;
		case CALL_DESCENDANTS:
			for (int i = 0; i < input->count && !stopped(ev); i++)
				add_descendants(ev, &input->items[i], out, 0);
			return;
		default:
			break;
	}
	eval(ev, node->a[1], focus, &argument);
	if (stopped(ev))
		return;
	switch ((ExprFunction) node->function)
	{
		case CALL_COMBINE:
			seq_add_all(ev, out, input);
			seq_add_all(ev, out, &argument);
			return;
		case CALL_INTERSECT:
			for (int i = 0; i < input->count && !stopped(ev); i++)
			{
				if (seq_has(ev, &argument, &input->items[i]) && !seq_has(ev, out, &input->items[i]))
					seq_add(ev, out, &input->items[i]);
			}
			return;
		default:
			text_function(ev, node, input, &argument, out);
			return;
	}
}

/* -- operators ---------------------------------------------------------- */

/* Three-valued logic; rows and columns: false, true, empty (the order of FhirTruth) */
static const uint8_t logic[4][3][3] = {
	{{0, 0, 0}, {0, 1, 2}, {0, 2, 2}},	/* and */
	{{0, 1, 2}, {1, 1, 1}, {2, 1, 2}},	/* or */
	{{0, 1, 2}, {1, 0, 2}, {2, 2, 2}},	/* xor */
	{{1, 1, 1}, {0, 1, 2}, {2, 1, 2}},	/* implies */
};

static void
eval_logic(Eval *ev, const ExprNode *node, const Seq *focus, Seq *out)
{
	Seq			side = {0};
	FhirTruth	left,
				right,
				result;

	eval(ev, node->a[0], focus, &side);
	left = stopped(ev) ? FHIR_TRUTH_UNDECIDED : seq_truth(ev, &side);
	if (stopped(ev))
		return;
	/* where the left side decides, the right one is not looked at */
	if (node->op == EXPR_AND && left == FHIR_TRUTH_FALSE)
		result = FHIR_TRUTH_FALSE;
	else if ((node->op == EXPR_OR && left == FHIR_TRUTH_TRUE) || (node->op == EXPR_IMPLIES && left == FHIR_TRUTH_FALSE))
		result = FHIR_TRUTH_TRUE;
	else
	{
		side.count = 0;
		eval(ev, node->a[1], focus, &side);
		right = stopped(ev) ? FHIR_TRUTH_UNDECIDED : seq_truth(ev, &side);
		if (stopped(ev))
			return;
		result = logic[node->op - EXPR_AND][left][right];
	}
	if (result != FHIR_TRUTH_EMPTY)
		add_boolean(ev, out, result == FHIR_TRUTH_TRUE);
}

static void
eval_equal(Eval *ev, const ExprNode *node, const Seq *left, const Seq *right, Seq *out)
{
	bool		same = left->count == right->count;

	if (left->count == 0 || right->count == 0)
		return;
	/* of two single values: dates of different precision are neither equal nor not */
	if (same && left->count == 1 && compare_items(&left->items[0], &right->items[0]) == 2)
	{
		Item		a,
					b;

		if (item_value(&left->items[0], &a) && item_value(&right->items[0], &b) &&
			a.kind == ITEM_STRING && b.kind == ITEM_STRING)
			return;
	}
	for (int i = 0; same && i < left->count; i++)
		same = same_item(&left->items[i], &right->items[i]);
	add_boolean(ev, out, same == (node->op == EXPR_EQ));
}

static void
eval_order(Eval *ev, const ExprNode *node, const Seq *left, const Seq *right, Seq *out)
{
	int			order;

	if (left->count == 0 || right->count == 0)
		return;
	if (left->count > 1 || right->count > 1)
	{
		ev->undecided = true;
		return;
	}
	order = compare_items(&left->items[0], &right->items[0]);
	if (order == 2)
	{
		ev->open = true;
		return;
	}
	add_boolean(ev, out, node->op == EXPR_LT ? order < 0 : node->op == EXPR_LE ? order <= 0 :
				node->op == EXPR_GT ? order > 0 : order >= 0);
}

static void
eval_join(Eval *ev, const ExprNode *node, const Seq *left, const Seq *right, Seq *out)
{
	Item		a = {.text = ""},
				b = {.text = ""};
	bool		has_left;
	bool		has_right;
	char	   *text;

	if (node->op == EXPR_PLUS && left->count == 1 && right->count == 1 &&
		item_value(&left->items[0], &a) && a.kind == ITEM_NUMBER &&
		item_value(&right->items[0], &b) && b.kind == ITEM_NUMBER)
	{
		/* sums of counts: integers */
		add_number(ev, out, (long) (number_of(&a) + number_of(&b)));
		return;
	}
	has_left = one_string(ev, left, &a);
	has_right = one_string(ev, right, &b);
	if (stopped(ev) || (node->op == EXPR_PLUS && !(has_left && has_right)))
		return;
	if (!has_left)
		a = (Item) {.text = ""};
	if (!has_right)
		b = (Item) {.text = ""};
	text = arena_alloc(ev, a.len + b.len + 1);
	if (text == NULL)
		return;
	memcpy(text, a.text, a.len);
	memcpy(text + a.len, b.text, b.len);
	add_text(ev, out, ITEM_STRING, text, a.len + b.len);
}

static void
eval_binary(Eval *ev, const ExprNode *node, const Seq *focus, Seq *out)
{
	Seq			left = {0};
	Seq			right = {0};

	eval(ev, node->a[0], focus, &left);
	if (!stopped(ev))
		eval(ev, node->a[1], focus, &right);
	if (stopped(ev))
		return;
	switch ((ExprOp) node->op)
	{
		case EXPR_EQ:
		case EXPR_NE:
			eval_equal(ev, node, &left, &right, out);
			return;
		case EXPR_IN:
			if (left.count == 1)
				add_boolean(ev, out, seq_has(ev, &right, &left.items[0]));
			else if (left.count > 1)
				ev->undecided = true;
			return;
		case EXPR_CONTAINS:
			if (right.count == 1)
				add_boolean(ev, out, seq_has(ev, &left, &right.items[0]));
			else if (right.count > 1)
				ev->undecided = true;
			return;
		case EXPR_UNION:
			for (int i = 0; i < left.count + right.count && !stopped(ev); i++)
			{
				const Item *item = i < left.count ? &left.items[i] : &right.items[i - left.count];

				if (!seq_has(ev, out, item))
					seq_add(ev, out, item);
			}
			return;
		case EXPR_JOIN:
		case EXPR_PLUS:
			eval_join(ev, node, &left, &right, out);
			return;
		default:
			eval_order(ev, node, &left, &right, out);
			return;
	}
}

/* -- nodes -------------------------------------------------------------- */

static void
eval_child(Eval *ev, const ExprNode *node, const Seq *focus, Seq *out)
{
	Seq			input = {0};

	if (node->a[0] >= 0)
	{
		eval(ev, node->a[0], focus, &input);
		focus = &input;
	}
	else if (focus->count == 1 && node->text[0] >= 'A' && node->text[0] <= 'Z')
	{
		/* a path may begin with the type of what it is asked of */
		int			type = fhir_type_find(node->text, node->len);

		if (type != 0 && item_is(&focus->items[0], type))
			seq_add(ev, out, &focus->items[0]);
		return;
	}
	for (int i = 0; i < focus->count && !stopped(ev); i++)
		add_children(ev, &focus->items[i], node->text, node->len, out);
}

static void
add_resource(Eval *ev, const JsonNode *node, int type, Seq *out)
{
	Item		item = {.kind = ITEM_ELEMENT, .type = type, .node = node};

	seq_add(ev, out, &item);
}

static void
eval_node(Eval *ev, const ExprNode *node, const Seq *focus, Seq *out)
{
	Seq			input = {0};

	switch ((ExprOp) node->op)
	{
		case EXPR_EMPTY:
			return;
		case EXPR_STRING:
			add_text(ev, out, ITEM_STRING, node->text, node->len);
			return;
		case EXPR_NUMBER:
			add_text(ev, out, ITEM_NUMBER, node->text, node->len);
			return;
		case EXPR_BOOLEAN:
			add_boolean(ev, out, node->text[0] == 't');
			return;
		case EXPR_THIS:
			seq_add_all(ev, out, focus);
			return;
		case EXPR_CONTEXT:
			seq_add_all(ev, out, &ev->context);
			return;
		case EXPR_RESOURCE:
			add_resource(ev, ev->scope->resource, ev->scope->resource_type, out);
			return;
		case EXPR_ROOT:
			add_resource(ev, ev->scope->root, ev->scope->root_type, out);
			return;
		case EXPR_CHILD:
			eval_child(ev, node, focus, out);
			return;
		case EXPR_CALL:
			if (node->a[0] >= 0)
			{
				eval(ev, node->a[0], focus, &input);
				if (!stopped(ev))
					call(ev, node, &input, focus, out);
			}
			else
				call(ev, node, focus, focus, out);
			return;
		case EXPR_AND:
		case EXPR_OR:
		case EXPR_XOR:
		case EXPR_IMPLIES:
			eval_logic(ev, node, focus, out);
			return;
		case EXPR_IS:
		case EXPR_AS:
			eval(ev, node->a[0], focus, &input);
			if (input.count > 1)
				ev->undecided = true;
			ev->open |= input.count == 0;
			if (stopped(ev) || input.count == 0)
				return;
			if (node->op == EXPR_IS)
				add_boolean(ev, out, item_is(&input.items[0], node->type));
			else if (item_is(&input.items[0], node->type))
				seq_add(ev, out, &input.items[0]);
			return;
		default:
			eval_binary(ev, node, focus, out);
			return;
	}
}

/* Appends the node's result.  What is fixed is computed once an evaluation. */
static void
eval(Eval *ev, int index, const Seq *focus, Seq *out)
{
	const ExprNode *node = &ev->expr->nodes[index];

	if (stopped(ev))
		return;
	if (!node->fixed)
	{
		eval_node(ev, node, focus, out);
		return;
	}
	if (ev->kept == NULL)
	{
		ev->kept = arena_alloc(ev, ev->expr->count * sizeof(Seq));
		if (ev->kept == NULL)
			return;
		for (int i = 0; i < ev->expr->count; i++)
			ev->kept[i] = (Seq) {.count = -1};
	}
	if (ev->kept[index].count < 0)
	{
		Seq			result = {0};

		eval_node(ev, node, focus, &result);
		if (stopped(ev))
			return;
		ev->kept[index] = result;
	}
	seq_add_all(ev, out, &ev->kept[index]);
}

CoreStatus
fhir_expr_test(const CoreContext *cx, const FhirExpr *expr, const FhirScope *scope, const FhirFocus *focus, FhirTruth *truth)
{
	Eval		ev;
	Item		item = {.kind = ITEM_ELEMENT, .type = focus->type, .node = focus->node, .twin = focus->twin};
	Seq			result = {0};

	ev.cx = cx;
	ev.expr = expr;
	ev.scope = scope;
	ev.context = (Seq) {&item, 1, 1};
	ev.kept = NULL;
	ev.status = CORE_OK;
	ev.undecided = false;
	ev.open = false;
	ev.steps = 0;
	ev.chunks = NULL;
	ev.first_used = 0;
	eval(&ev, expr->root, &ev.context, &result);
	*truth = stopped(&ev) ? FHIR_TRUTH_UNDECIDED : seq_truth(&ev, &result);
	if (ev.undecided)
		*truth = FHIR_TRUTH_UNDECIDED;
	else if (*truth == FHIR_TRUTH_EMPTY && !ev.open)
		*truth = FHIR_TRUTH_FALSE;
	arena_free(&ev);
	return ev.status;
}

/* -- patterns ----------------------------------------------------------- */

static bool
is_word(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
}

/* [A-Z]([A-Za-z0-9_]){0,254} */
static bool
pattern_name(const char *text, size_t len)
{
	if (len < 1 || len > 255 || text[0] < 'A' || text[0] > 'Z')
		return false;
	for (size_t i = 1; i < len; i++)
	{
		if (!is_word(text[i]) && text[i] != '_')
			return false;
	}
	return true;
}

static bool
all_of(const char *text, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++)
	{
		if (!is_word(text[i]) && (text[i] == '\0' || strchr(others, text[i]) == NULL))
			return false;
	}
	return len > 0;
}

static bool
pattern_slice_name(const char *text, size_t len)
{
	return all_of(text, len, "/-_[]@");
}

static bool
pattern_type(const char *text, size_t len)
{
	return all_of(text, len, "");
}

static bool
pattern_type_dotted(const char *text, size_t len)
{
	return all_of(text, len, ".");
}

/* http://hl7.org/fhirpath/System.X */
static bool
pattern_system_type(const char *text, size_t len)
{
	static const char prefix[] = "http://hl7.org/fhirpath/System.";
	size_t		skip = sizeof(prefix) - 1;

	if (len < skip + 2 || memcmp(text, prefix, skip) != 0 || text[skip] < 'A' || text[skip] > 'Z')
		return false;
	for (size_t i = skip + 1; i < len; i++)
	{
		if (!is_word(text[i]) || (text[i] >= '0' && text[i] <= '9'))
			return false;
	}
	return true;
}

static const char no_name[] = " \t\r\n\f\v.,:;'\"/|?!@#$%&*()[]{}";

/* Characters (not bytes) of one step of an element's path; 0: none or more than 64 */
static size_t
step_len(const char *text, size_t len)
{
	size_t		i = 0;
	int			characters = 0;

	for (; i < len && text[i] != '\0' && strchr(no_name, text[i]) == NULL; i++)
		characters += ((unsigned char) text[i] & 0xC0) != 0x80;
	return characters > 64 ? 0 : i;
}

/* eld-19: steps of 1..64 characters that are no special ones; [x] and :slice behind all but the first */
static bool
pattern_element_path(const char *text, size_t len)
{
	size_t		i = step_len(text, len);

	if (i == 0)
		return false;
	while (i < len)
	{
		size_t		step;

		if (text[i++] != '.' || (step = step_len(text + i, len - i)) == 0)
			return false;
		i += step;
		if (len - i >= 3 && memcmp(text + i, "[x]", 3) == 0)
			i += 3;
		if (i < len && text[i] == ':')
		{
			size_t		begin = ++i;

			while (i < len && text[i] != '.' && text[i] != ' ' && text[i] != '\t' && text[i] != '\n' && text[i] != '\r')
				i++;
			if (i == begin)
				return false;
		}
	}
	return true;
}

/* eld-20: [A-Za-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*(\[x])?)* */
static bool
pattern_element_path_usual(const char *text, size_t len)
{
	bool		first = true;
	size_t		i = 0;

	while (i < len)
	{
		if (!first && text[i++] != '.')
			return false;
		if (i >= len || !is_word(text[i]) || (text[i] >= '0' && text[i] <= '9') ||
			(!first && (text[i] < 'a' || text[i] > 'z')))
			return false;
		while (i < len && is_word(text[i]))
			i++;
		if (!first && len - i >= 3 && memcmp(text + i, "[x]", 3) == 0)
			i += 3;
		first = false;
	}
	return !first;
}

ExprPattern
expr_pattern_find(const char *pattern, size_t len)
{
	/* the patterns of R4's own invariants, matched as a whole */
	static const struct
	{
		const char *text;
		ExprPattern matches;
	}			patterns[] = {
		{"[A-Z]([A-Za-z0-9_]){0,254}", pattern_name},
		{"^[a-zA-Z0-9\\/\\-_\\[\\]\\@]+$", pattern_slice_name},
		{"^[a-zA-Z0-9]+$", pattern_type},
		{"^[a-zA-Z0-9\\.]+$", pattern_type_dotted},
		{"^http:\\/\\/hl7\\.org\\/fhirpath\\/System\\.[A-Z][A-Za-z]+$", pattern_system_type},
		{"[^\\s\\.,:;\\'\"\\/|?!@#$%&*()\\[\\]{}]{1,64}(\\.[^\\s\\.,:;\\'\"\\/|?!@#$%&*()\\[\\]{}]{1,64}(\\[x\\])?(\\:[^\\s\\.]+)?)*",
		pattern_element_path},
		{"[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*", pattern_element_path_usual},
	};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
	{
		if (strlen(patterns[i].text) == len && memcmp(patterns[i].text, pattern, len) == 0)
			return patterns[i].matches;
	}
	return NULL;
}
