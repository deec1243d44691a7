/*
 * fhirpath_eval.c
 *		Running plans: memory, errors, the caller's interface, and what all functions build upon.
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#define CHUNK_SIZE	8192

/* -- memory and errors ------------------------------------------------------ */

static void
drop_chunks(FhirPathEval *ev, bool all)
{
	FpChunk    *chunk = ev->chunks;

	/* the first one, which is the last of the list, serves again */
	while (chunk != NULL && (all || chunk->next != NULL))
	{
		FpChunk    *next = chunk->next;

		ev->cx.free(ev->cx.arg, chunk);
		chunk = next;
	}
	ev->chunks = chunk;
	ev->memory = 0;
	ev->free = chunk == NULL ? NULL : (char *) (chunk + 1);
	ev->left = chunk == NULL ? 0 : chunk->size;
}

void *
fp_alloc(FhirPathEval *ev, size_t size)
{
	void	   *result;

	if (size > FHIRPATH_MEMORY)
	{
		(void) fp_fail(ev, FHIRPATH_STEP_LIMIT, "the expression takes too much memory");
		return NULL;
	}
	size = (size + 7) & ~(size_t) 7;
	if (size > ev->left)
	{
		size_t		room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
		FpChunk    *chunk;

		ev->memory += room;
		if (ev->memory > FHIRPATH_MEMORY)
		{
			(void) fp_fail(ev, FHIRPATH_STEP_LIMIT, "the expression takes too much memory");
			return NULL;
		}
		chunk = ev->cx.alloc(ev->cx.arg, sizeof(FpChunk) + room);

		if (chunk == NULL)
		{
			(void) fp_fail_status(ev, CORE_NO_MEMORY);
			return NULL;
		}
		chunk->size = room;
		chunk->next = ev->chunks;
		ev->chunks = chunk;
		ev->free = (char *) (chunk + 1);
		ev->left = room;
	}
	result = ev->free;
	ev->free += size;
	ev->left -= size;
	return result;
}

void *
fhirpath_alloc(FhirPathEval *ev, size_t size)
{
	return fp_alloc(ev, size);
}

bool
fp_fail_status(FhirPathEval *ev, CoreStatus status)
{
	if (ev->status == CORE_OK)
		ev->status = status;
	return false;
}

bool
fp_fail(FhirPathEval *ev, FhirPathFault fault, const char *text)
{
	if (ev->status == CORE_OK)
	{
		ev->status = CORE_INVALID;
		ev->error.fault = fault;
		snprintf(ev->error.text, sizeof(ev->error.text), "%s", text);
	}
	return false;
}

bool
fp_poll(FhirPathEval *ev)
{
	ev->budget = FP_POLL;
	ev->steps -= FP_POLL;
	if (core_interrupted(&ev->cx))
		return fp_fail_status(ev, CORE_INTERRUPTED);
	if (ev->steps < 0)
		return fp_fail(ev, FHIRPATH_STEP_LIMIT, "the expression takes too many steps");
	return true;
}

bool
fp_charge(FhirPathEval *ev, size_t bytes)
{
	ev->steps -= (int64_t) (bytes / 64);
	return ev->steps >= 0 || fp_poll(ev);
}

/* -- items ------------------------------------------------------------------ */

FpItem
fp_boolean(bool value)
{
	FpItem		item = {.kind = FP_BOOLEAN};

	item.u.number = value;
	return item;
}

FpItem
fp_integer(int64_t value)
{
	FpItem		item = {.kind = FP_INTEGER};

	item.u.number = value;
	return item;
}

FpItem
fp_string(const char *text, size_t len)
{
	FpItem		item = {.kind = FP_STRING, .len = (uint32_t) len};

	item.u.text = text;
	return item;
}

bool
fp_push_boolean(FhirPathEval *ev, bool value, FpSink *sink)
{
	FpItem		item = fp_boolean(value);

	return sink->push(ev, sink, &item);
}

bool
fp_push_truth(FhirPathEval *ev, int truth, FpSink *sink)
{
	if (truth == FP_FAILED)
		return false;
	return truth == FP_UNKNOWN || fp_push_boolean(ev, truth != 0, sink);
}

bool
fp_push_integer(FhirPathEval *ev, int64_t value, FpSink *sink)
{
	FpItem		item = fp_integer(value);

	return sink->push(ev, sink, &item);
}

bool
fp_push_string(FhirPathEval *ev, const char *text, size_t len, FpSink *sink)
{
	FpItem		item = fp_string(text, len);

	if (len > UINT32_MAX)
		return fp_fail(ev, FHIRPATH_VALUE, "a string became too long");
	return sink->push(ev, sink, &item);
}

bool
fp_push_decimal(FhirPathEval *ev, const Decimal *value, FpSink *sink)
{
	FpItem		item = {.kind = FP_DECIMAL};
	Decimal    *copy = fp_alloc(ev, sizeof(Decimal));

	if (copy == NULL)
		return false;
	*copy = *value;
	item.u.decimal = copy;
	return sink->push(ev, sink, &item);
}

bool
fp_run_truth(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return fp_push_truth(ev, x->truth(ev, x), sink);
}

/* -- lists ------------------------------------------------------------------ */

bool
fp_list_add(FhirPathEval *ev, FpList *list, const FpItem *item)
{
	if (!fp_step(ev))
		return false;
	if (list->count == list->room)
	{
		size_t		room = list->room == 0 ? 8 : list->room * 2;
		FpItem	   *items = fp_alloc(ev, room * sizeof(FpItem));

		if (items == NULL)
			return false;
		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof(FpItem));
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = *item;
	return true;
}

bool
fp_push_list(FhirPathEval *ev, const FpList *list, FpSink *sink)
{
	for (size_t i = 0; i < list->count; i++)
	{
		if (!fp_step(ev) || !sink->push(ev, sink, &list->items[i]))
			return false;
	}
	return true;
}

typedef struct CollectSink
{
	FpSink		sink;
	FpList	   *list;
} CollectSink;

static bool
collect(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	return fp_list_add(ev, ((CollectSink *) sink)->list, item);
}

bool
fp_collect(FhirPathEval *ev, const FpExec *x, FpList *list)
{
	CollectSink s = {{collect}, list};

	memset(list, 0, sizeof(*list));
	return fp_run(ev, x, &s.sink) || ev->status == CORE_OK;
}

bool
fp_collect_input(FhirPathEval *ev, const FpExec *x, FpList *list)
{
	CollectSink s = {{collect}, list};

	memset(list, 0, sizeof(*list));
	return fp_run_input(ev, x, &s.sink) || ev->status == CORE_OK;
}

/* -- focus ------------------------------------------------------------------ */

bool
fp_run_input(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	if (x->input != NULL)
		return x->input->run(ev, x->input, sink);
	return ev->focus.item == NULL || sink->push(ev, sink, ev->focus.item);
}

/* Gives items to a sink that belongs to another focus. */
typedef struct ScopeSink
{
	FpSink		sink;
	FpSink	   *outer;
	FpFocus		outer_focus;
} ScopeSink;

static bool
scope_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	ScopeSink  *s = (ScopeSink *) sink;
	FpFocus		own = ev->focus;
	bool		more;

	ev->focus = s->outer_focus;
	more = s->outer->push(ev, s->outer, item);
	ev->focus = own;
	return more;
}

bool
fp_run_focused(FhirPathEval *ev, const FpExec *x, const FpFocus *focus, FpSink *sink)
{
	ScopeSink	s = {{scope_push}, sink, ev->focus};
	bool		more;

	/* select() of what it is called on, again and again, doubles each time: no other step would be counted */
	if (!fp_step(ev))
		return false;
	ev->focus = *focus;
	more = fp_run(ev, x, &s.sink);
	ev->focus = s.outer_focus;
	return more;
}

/* -- single items and criteria ---------------------------------------------- */

typedef struct SingleSink
{
	FpSink		sink;
	FpItem	   *item;
	int			count;
} SingleSink;

static bool
single_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	SingleSink *s = (SingleSink *) sink;

	if (s->count++ > 0)
		return false;
	*s->item = *item;
	return true;
}

static int
single_result(FhirPathEval *ev, const SingleSink *s, const char *what)
{
	char		text[160];

	if (ev->status != CORE_OK)
		return FP_FAILED;
	if (s->count <= 1)
		return s->count;
	snprintf(text, sizeof(text), "%s takes a single item", what);
	(void) fp_fail(ev, FHIRPATH_SINGLE, text);
	return FP_FAILED;
}

int
fp_single(FhirPathEval *ev, const FpExec *x, FpItem *item, const char *what)
{
	SingleSink	s = {{single_push}, item, 0};

	(void) fp_run(ev, x, &s.sink);
	return single_result(ev, &s, what);
}

int
fp_single_input(FhirPathEval *ev, const FpExec *x, FpItem *item)
{
	SingleSink	s = {{single_push}, item, 0};

	(void) fp_run_input(ev, x, &s.sink);
	return single_result(ev, &s, x->function != NULL ? x->function->name : "an operator");
}

/* N1, singleton evaluation of collections: one item that is no boolean is true. */
static int
item_truth(const FpItem *item)
{
	if (item->kind == FP_BOOLEAN)
		return item->u.number != 0;
	if (item->kind == FP_NODE)
	{
		if (item->json == JB_T_FALSE)
			return 0;
		if (item->json == JB_T_NULL)
			return FP_UNKNOWN;
	}
	return 1;
}

int
fp_truth(FhirPathEval *ev, const FpExec *x)
{
	FpItem		item;
	int			n;

	if (x->truth != NULL)
		return x->truth(ev, x);
	n = fp_single(ev, x, &item, "a condition");
	return n <= 0 ? (n == 0 ? FP_UNKNOWN : n) : item_truth(&item);
}

int
fp_truth_focused(FhirPathEval *ev, const FpExec *x, const FpItem *item, int64_t index)
{
	FpFocus		outer = ev->focus;
	int			truth;

	ev->focus.item = item;
	ev->focus.index = index;
	truth = fp_truth(ev, x);
	ev->focus = outer;
	return truth;
}

/* -- the caller's interface ------------------------------------------------- */

FhirPathEval *
fhirpath_eval_create(const CoreContext *cx)
{
	FhirPathEval *ev = cx->alloc(cx->arg, sizeof(FhirPathEval));

	if (ev == NULL)
		return NULL;
	memset(ev, 0, sizeof(*ev));
	ev->cx = *cx;
	return ev;
}

void
fhirpath_eval_free(FhirPathEval *ev)
{
	drop_chunks(ev, true);
	ev->cx.free(ev->cx.arg, ev);
}

void
fhirpath_begin(FhirPathEval *ev, const FhirPathInput *input)
{
	if (ev->chunks != NULL)
		drop_chunks(ev, false);
	ev->input = input;
	if (input->doc != NULL)
		ev->document = fp_document_item(input->doc, input->size, input->no_model, ev->document.type);
	else
		ev->document = (FpItem) {.kind = FP_NODE, .json = JB_T_NULL};
	if (input->type != 0 && ev->document.type == 0)
		ev->document.type = (uint16_t) input->type;
}

FpItem
fhirpath_document(FhirPathEval *ev)
{
	return ev->document;
}

/* JSON's null is no document. */
bool
fp_has_document(const FhirPathEval *ev)
{
	return ev->document.json != JB_T_NULL;
}

/* Sets the stage for a plan. */
static bool
prepare(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus)
{
	ev->plan = plan;
	ev->status = CORE_OK;
	ev->incomparable = false;
	ev->error.fault = FHIRPATH_FINE;
	ev->budget = FP_POLL;
	ev->steps = ev->input->step_limit > 0 ? ev->input->step_limit : FHIRPATH_STEPS;
	ev->focus.total = NULL;
	ev->focus.index = 0;
	ev->focus.item = NULL;
	ev->context.kind = FP_NODE;
	ev->context.json = JB_T_NULL;
	ev->context.twin = NULL;
	if (focus != NULL || fp_has_document(ev))
	{
		ev->context = focus != NULL ? *focus : ev->document;
		ev->focus.item = &ev->context;
	}
	if (plan->slots > 0)
	{
		ev->slots = fp_alloc(ev, plan->slots * sizeof(FpList));
		if (ev->slots == NULL)
			return false;
		memset(ev->slots, 0, plan->slots * sizeof(FpList));
	}
	return true;
}

typedef struct CallerSink
{
	FpSink		sink;
	FhirPathEach each;
	void	   *arg;
} CallerSink;

static bool
caller_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	CallerSink *s = (CallerSink *) sink;

	return s->each(s->arg, item);
}

CoreStatus
fhirpath_each(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, FhirPathEach each, void *arg)
{
	CallerSink	s = {{caller_push}, each, arg};

	if (prepare(ev, plan, focus))
		(void) fp_run(ev, plan->root, &s.sink);
	return ev->status;
}

static bool
first_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	SingleSink *s = (SingleSink *) sink;

	*s->item = *item;
	s->count = 1;
	return false;
}

CoreStatus
fhirpath_first(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, FpItem *item, bool *found)
{
	SingleSink	s = {{first_push}, item, 0};

	if (prepare(ev, plan, focus))
		(void) fp_run(ev, plan->root, &s.sink);
	*found = s.count > 0;
	return ev->status;
}

CoreStatus
fhirpath_exists(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, bool *exists)
{
	FpItem		item;

	return fhirpath_first(ev, plan, focus, &item, exists);
}

CoreStatus
fhirpath_test(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, int *truth)
{
	if (prepare(ev, plan, focus))
		*truth = fp_truth(ev, plan->root);
	return ev->status;
}

bool
fhirpath_incomparable(const FhirPathEval *ev)
{
	return ev->incomparable;
}

const FhirPathError *
fhirpath_error(const FhirPathEval *ev)
{
	return &ev->error;
}

bool
fhirpath_item_text(FhirPathEval *ev, const FpItem *item, const char **text, uint32_t *len)
{
	FpValue		value;

	if (fp_text_of(item, text, len))
		return true;
	fp_value(item, &value);
	return fp_value_print(ev, &value, text, len);
}
