/*
 * fhirpath_functions.c
 *		The tables of functions, and those on collections (N1, clauses 5.1 to 5.4, 5.8, 7).
 */
#include "fhirpath_eval.h"

static const FpFunction *
find_in(const FpFunction *table, const char *name, size_t len)
{
	for (; table->name != NULL; table++)
	{
		if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
			return table;
	}
	return NULL;
}

const FpFunction *
fp_function_find(const char *name, size_t len)
{
	static const FpFunction *const tables[] = {
		fp_collection_functions, fp_text_functions, fp_convert_functions, fp_math_functions, fp_time_functions,
		fp_fhir_functions
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		const FpFunction *found = find_in(tables[i], name, len);

		if (found != NULL)
			return found;
	}
	return NULL;
}

const FpFunction *
fp_factory_find(const char *name, size_t len)
{
	return find_in(fp_factory_functions, name, len);
}

/* -- existence -------------------------------------------------------------- */

/* Asks items for a criterion and stops at the first that has the answer looked for. */
typedef struct AskSink
{
	FpSink		sink;
	const FpExec *criterion;	/* NULL: the item itself is the answer */
	int64_t		index;
	int			stop_at;		/* the answer that ends it, FP_UNKNOWN: any item */
	bool		stopped;
	int64_t		count;
} AskSink;

static bool
ask_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	AskSink    *s = (AskSink *) sink;
	int			truth;

	s->count++;
	if (s->criterion == NULL)
	{
		s->stopped = true;
		return false;
	}
	truth = fp_truth_focused(ev, s->criterion, item, s->index++);
	if (truth == FP_FAILED)
		return false;
	/* for all(), what is not true is not */
	if (s->stop_at == 0 ? truth != 1 : truth == 1)
	{
		s->stopped = true;
		return false;
	}
	return true;
}

static int
truth_exists(FhirPathEval *ev, const FpExec *x)
{
	AskSink		s = {{ask_push}, x->count > 0 ? x->args[0] : NULL, 0, 1, false, 0};

	(void) fp_run_input(ev, x, &s.sink);
	return ev->status != CORE_OK ? FP_FAILED : s.stopped;
}

static int
truth_empty(FhirPathEval *ev, const FpExec *x)
{
	int			exists = truth_exists(ev, x);

	return exists == FP_FAILED ? FP_FAILED : !exists;
}

static int
truth_all(FhirPathEval *ev, const FpExec *x)
{
	AskSink		s = {{ask_push}, x->args[0], 0, 0, false, 0};

	(void) fp_run_input(ev, x, &s.sink);
	return ev->status != CORE_OK ? FP_FAILED : !s.stopped;
}

static int
truth_not(FhirPathEval *ev, const FpExec *x)
{
	FpItem		item;
	FpValue		value;
	int			n = fp_single_input(ev, x, &item);

	if (n <= 0)
		return n == 0 ? FP_UNKNOWN : n;
	fp_value(&item, &value);
	if (value.kind == FP_V_NONE)
		return FP_UNKNOWN;
	if (value.kind == FP_BOOLEAN)
		return !value.u.boolean;
	return 0;
}

/* allTrue, anyTrue, allFalse, anyFalse */
typedef struct BooleanSink
{
	FpSink		sink;
	bool		looked_for;
	bool		found;
	bool		other;
} BooleanSink;

static bool
boolean_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	BooleanSink *s = (BooleanSink *) sink;
	FpValue		value;

	fp_value(item, &value);
	if (value.kind != FP_BOOLEAN)
		return fp_fail(ev, FHIRPATH_TYPE, "allTrue, anyTrue, allFalse and anyFalse take booleans only");
	if (value.u.boolean == s->looked_for)
		s->found = true;
	else
		s->other = true;
	return true;
}

static int
truth_booleans(FhirPathEval *ev, const FpExec *x)
{
	bool		all = x->text[1] == 'l';
	BooleanSink s = {{boolean_push}, x->text[3] == 'T', false, false};

	(void) fp_run_input(ev, x, &s.sink);
	if (ev->status != CORE_OK)
		return FP_FAILED;
	return all ? !s.other : s.found;
}

static int
subset(FhirPathEval *ev, const FpList *a, FpList *b)
{
	for (size_t i = 0; i < a->count; i++)
	{
		int			has = fp_list_find(ev, b, &a->items[i]);

		if (has != 1)
			return has;
	}
	return 1;
}

static int
truth_subset(FhirPathEval *ev, const FpExec *x)
{
	FpList		own,
				other;

	if (!fp_collect_input(ev, x, &own) || !fp_collect(ev, x->args[0], &other))
		return FP_FAILED;
	return x->text[3] == 's' ? subset(ev, &own, &other) : subset(ev, &other, &own);
}

static bool
count_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	((AskSink *) sink)->count++;
	return true;
}

static bool
run_count(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	AskSink		s = {{count_push}, NULL, 0, 0, false, 0};

	if (!fp_run_input(ev, x, &s.sink) && ev->status != CORE_OK)
		return false;
	return fp_push_integer(ev, s.count, sink);
}

/* -- distinct --------------------------------------------------------------- */

static bool
distinct_list(FhirPathEval *ev, const FpList *all, FpList *result)
{
	memset(result, 0, sizeof(*result));
	for (size_t i = 0; i < all->count; i++)
	{
		if (!fp_list_add_distinct(ev, result, &all->items[i]))
			return false;
	}
	return true;
}

static bool
run_distinct(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		all,
				result;

	return fp_collect_input(ev, x, &all) && distinct_list(ev, &all, &result) && fp_push_list(ev, &result, sink);
}

static int
truth_is_distinct(FhirPathEval *ev, const FpExec *x)
{
	FpList		all,
				seen = {NULL};

	if (!fp_collect_input(ev, x, &all))
		return FP_FAILED;
	for (size_t i = 0; i < all.count; i++)
	{
		int			has = fp_list_find(ev, &seen, &all.items[i]);

		if (has != 0)
			return has == FP_FAILED ? has : 0;
		if (!fp_list_add(ev, &seen, &all.items[i]))
			return FP_FAILED;
	}
	return 1;
}

/* -- filtering and projection ----------------------------------------------- */

typedef struct EachSink
{
	FpSink		sink;
	FpSink	   *outer;
	const FpExec *x;
	int64_t		index;
} EachSink;

static bool
where_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	EachSink   *s = (EachSink *) sink;
	int			truth = fp_truth_focused(ev, s->x->args[0], item, s->index++);

	if (truth == FP_FAILED)
		return false;
	return truth != 1 || s->outer->push(ev, s->outer, item);
}

static bool
run_where(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	EachSink	s = {{where_push}, sink, x, 0};

	return fp_run_input(ev, x, &s.sink);
}

static bool
select_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	EachSink   *s = (EachSink *) sink;
	FpFocus		focus = {item, s->index++, ev->focus.total};

	return fp_run_focused(ev, s->x->args[0], &focus, s->outer);
}

static bool
run_select(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	EachSink	s = {{select_push}, sink, x, 0};

	return fp_run_input(ev, x, &s.sink);
}

typedef struct AddSink
{
	FpSink		sink;
	FpList	   *list;
	bool		distinct;
} AddSink;

static bool
add_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	AddSink    *s = (AddSink *) sink;

	return s->distinct ? fp_list_add_distinct(ev, s->list, item) : fp_list_add(ev, s->list, item);
}

/*
 * repeat, repeatAll: the list of what was found is also what is still to be
 * looked at.  What repeat finds again is left out, so it ends; repeatAll has
 * the step limit.
 */
static bool
run_repeat(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		input,
				found = {NULL};
	AddSink		s = {{add_push}, &found, x->len == 6};

	if (!fp_collect_input(ev, x, &input))
		return false;
	for (size_t i = 0; i < input.count + found.count; i++)
	{
		FpItem		item = i < input.count ? input.items[i] : found.items[i - input.count];
		FpFocus		focus = {&item, (int64_t) i, ev->focus.total};

		if (!fp_step(ev) || (!fp_run_focused(ev, x->args[0], &focus, &s.sink) && ev->status != CORE_OK))
			return false;
	}
	return fp_push_list(ev, &found, sink);
}

/* -- subsetting ------------------------------------------------------------- */

static bool
run_single(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item;
	int			n = fp_single_input(ev, x, &item);

	return n <= 0 ? n == 0 : sink->push(ev, sink, &item);
}

typedef struct RangeSink
{
	FpSink		sink;
	FpSink	   *outer;
	int64_t		skip;
	int64_t		take;			/* negative: all */
	bool		more;			/* what the outer sink answered last */
} RangeSink;

static bool
range_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	RangeSink  *s = (RangeSink *) sink;

	if (s->skip > 0)
	{
		s->skip--;
		return true;
	}
	if (s->take == 0)
		return false;
	if (s->take > 0)
		s->take--;
	s->more = s->outer->push(ev, s->outer, item);
	return s->more && s->take != 0;
}

static bool
run_range(FhirPathEval *ev, const FpExec *x, int64_t skip, int64_t take, FpSink *sink)
{
	RangeSink	s = {{range_push}, sink, skip, take, true};

	if (take == 0)
		return true;
	if (!fp_run_input(ev, x, &s.sink) && ev->status != CORE_OK)
		return false;
	return s.more;
}

static bool
run_first(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return run_range(ev, x, 0, 1, sink);
}

static bool
run_tail(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return run_range(ev, x, 1, -1, sink);
}

/* An argument that is one integer: 1 with *number, 0 for {}, FP_FAILED */
static int
integer_argument(FhirPathEval *ev, const FpExec *x, int64_t *number)
{
	FpItem		item;
	FpValue		value;
	int			n = fp_single(ev, x, &item, "an argument");

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
run_skip_take(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	int64_t		number;
	int			n = integer_argument(ev, x->args[0], &number);

	if (n <= 0)
		return n == 0;
	if (x->text[0] == 's')
		return run_range(ev, x, number < 0 ? 0 : number, -1, sink);
	return run_range(ev, x, 0, number < 0 ? 0 : number, sink);
}

typedef struct LastSink
{
	FpSink		sink;
	FpItem		item;
	bool		found;
} LastSink;

static bool
last_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	LastSink   *s = (LastSink *) sink;

	s->item = *item;
	s->found = true;
	return true;
}

static bool
run_last(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	LastSink	s = {.sink = {last_push}, .found = false};

	if (!fp_run_input(ev, x, &s.sink) && ev->status != CORE_OK)
		return false;
	return !s.found || sink->push(ev, sink, &s.item);
}

/* intersect: distinct items of both; exclude: those of the input that the other does not have */
static bool
run_intersect(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	bool		intersect = x->text[0] == 'i';
	FpList		own,
				other,
				result = {NULL};

	if (!fp_collect_input(ev, x, &own) || !fp_collect(ev, x->args[0], &other))
		return false;
	for (size_t i = 0; i < own.count; i++)
	{
		int			has = fp_list_find(ev, &other, &own.items[i]);

		if (has == FP_FAILED)
			return false;
		if ((has == 1) != intersect)
			continue;
		if (!(intersect ? fp_list_add_distinct(ev, &result, &own.items[i]) : fp_list_add(ev, &result, &own.items[i])))
			return false;
	}
	return fp_push_list(ev, &result, sink);
}

/* -- combining -------------------------------------------------------------- */

static bool
run_union(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		list = {NULL};
	AddSink		s = {{add_push}, &list, true};

	if ((!fp_run_input(ev, x, &s.sink) || !fp_run(ev, x->args[0], &s.sink)) && ev->status != CORE_OK)
		return false;
	return fp_push_list(ev, &list, sink);
}

static bool
run_combine(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return fp_run_input(ev, x, sink) && fp_run(ev, x->args[0], sink);
}

static bool
run_coalesce(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	for (int i = 0; i < x->count; i++)
	{
		FpList		list;

		if (!fp_collect(ev, x->args[i], &list))
			return false;
		if (list.count > 0)
			return fp_push_list(ev, &list, sink);
	}
	return true;
}

/* -- tree ------------------------------------------------------------------- */

static bool
children_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	return fp_children(ev, item, ((EachSink *) sink)->outer);
}

static bool
run_children(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	EachSink	s = {{children_push}, sink, x, 0};

	return fp_run_input(ev, x, &s.sink);
}

/* Level by level, as repeat(children()) has it, but keeping what is equal: two equal elements are two. */
static bool
run_descendants(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		input,
				found = {NULL};
	AddSink		s = {{add_push}, &found, false};

	if (!fp_collect_input(ev, x, &input))
		return false;
	for (size_t i = 0; i < input.count + found.count; i++)
	{
		FpItem		item = i < input.count ? input.items[i] : found.items[i - input.count];

		if (!fp_children(ev, &item, &s.sink) && ev->status != CORE_OK)
			return false;
	}
	return fp_push_list(ev, &found, sink);
}

/* -- iif, trace, variables --------------------------------------------------- */

static bool
run_iif(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item;
	FpFocus		focus = ev->focus;
	int			n = fp_single_input(ev, x, &item);
	int			truth;

	if (n == FP_FAILED)
		return false;
	focus.item = n == 0 ? NULL : &item;
	truth = n == 0 && x->input != NULL ? FP_UNKNOWN : 0;
	{
		FpFocus		outer = ev->focus;

		ev->focus = focus;
		truth = fp_truth(ev, x->args[0]);
		ev->focus = outer;
	}
	if (truth == FP_FAILED)
		return false;
	if (truth == 1)
		return fp_run_focused(ev, x->args[1], &focus, sink);
	return x->count < 3 || fp_run_focused(ev, x->args[2], &focus, sink);
}

static bool
run_trace(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	const FhirPathHost *host = ev->input->host;
	FpList		input,
				shown;
	FpItem		name;
	const char *text;
	uint32_t	len;
	int			n;

	if (host == NULL || host->trace == NULL)
		return fp_run_input(ev, x, sink);
	n = fp_single(ev, x->args[0], &name, "trace");
	if (n == FP_FAILED || !fp_collect_input(ev, x, &input))
		return false;
	shown = input;
	if (x->count > 1)
	{
		memset(&shown, 0, sizeof(shown));
		for (size_t i = 0; i < input.count; i++)
		{
			AddSink		s = {{add_push}, &shown, false};
			FpFocus		focus = {&input.items[i], (int64_t) i, ev->focus.total};

			if (!fp_run_focused(ev, x->args[1], &focus, &s.sink) && ev->status != CORE_OK)
				return false;
		}
	}
	if (n == 1 && fp_text_of(&name, &text, &len))
		host->trace(host->arg, text, len, (int64_t) shown.count);
	return fp_push_list(ev, &input, sink);
}

/* The definition stands in the plan's slot; what follows in the chain looks there. */
static bool
run_define(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		input,
				value;

	if (!fp_collect_input(ev, x, &input))
		return false;
	value = input;
	if (x->count > 1)
	{
		FpFocus		outer = ev->focus;
		bool		done;

		if (x->input != NULL)
		{
			ev->focus.item = input.count > 0 ? &input.items[0] : NULL;
			ev->focus.index = 0;
		}
		done = fp_collect(ev, x->args[1], &value);
		ev->focus = outer;
		if (!done)
			return false;
	}
	ev->slots[x->slot - 1] = value;
	return fp_push_list(ev, &input, sink);
}

/* -- aggregates ------------------------------------------------------------- */

static bool
run_aggregate(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		input,
				total = {NULL};

	if (!fp_collect_input(ev, x, &input) || (x->count > 1 && !fp_collect(ev, x->args[1], &total)))
		return false;
	for (size_t i = 0; i < input.count; i++)
	{
		FpFocus		outer = ev->focus;
		FpList		next;
		bool		done;

		ev->focus.item = &input.items[i];
		ev->focus.index = (int64_t) i;
		ev->focus.total = &total;
		done = fp_collect(ev, x->args[0], &next);
		ev->focus = outer;
		if (!done)
			return false;
		total = next;
	}
	return fp_push_list(ev, &total, sink);
}

/* sum, avg, min, max: items without a value make all of it {} */
static bool
run_total_of(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		input;
	FpItem		best;
	FpValue		total,
				value,
				count;

	if (!fp_collect_input(ev, x, &input))
		return false;
	if (input.count == 0)
		return true;
	for (size_t i = 0; i < input.count; i++)
	{
		fp_value(&input.items[i], &value);
		if (value.kind == FP_V_NONE)
			return true;
		if (i == 0)
		{
			best = input.items[0];
			total = value;
		}
		else if (x->text[0] == 'm')
		{
			CoreOrder	order;

			if (!fp_order(ev, &input.items[i], &best, &order))
				return false;
			if (order == ORDER_UNKNOWN)
				return true;
			if (order == (x->text[1] == 'i' ? ORDER_LESS : ORDER_GREATER))
				best = input.items[i];
		}
		else
		{
			int			n = fp_add_values(ev, &total, &value, 1, &total);

			if (n <= 0)
				return n == 0;
		}
	}
	if (x->text[0] == 'm')
		return sink->push(ev, sink, &best);
	if (x->text[0] == 'a')
	{
		int			n;

		count.kind = FP_INTEGER;
		count.len = 0;
		count.u.number = (int64_t) input.count;
		n = fp_divide_values(ev, &total, &count, &total);
		if (n <= 0)
			return n == 0;
	}
	return fp_push_value(ev, &total, sink);
}

/* -- sort ------------------------------------------------------------------- */

typedef struct SortKey
{
	const FpExec *x;			/* NULL: the item itself */
	bool		descending;
} SortKey;

/* A key: its item, or none, which comes first (last when descending) */
typedef struct SortRow
{
	FpItem		item;
	FpItem	   *keys;
	uint32_t	missing;		/* bits */
} SortRow;

static int
compare_rows(FhirPathEval *ev, const SortRow *a, const SortRow *b, const SortKey *keys, int count)
{
	for (int i = 0; i < count; i++)
	{
		bool		no_a = (a->missing >> i & 1) != 0;
		bool		no_b = (b->missing >> i & 1) != 0;
		CoreOrder	order = ORDER_EQUAL;

		if (no_a || no_b)
			order = no_a == no_b ? ORDER_EQUAL : no_a ? ORDER_LESS : ORDER_GREATER;
		else if (!fp_order(ev, &a->keys[i], &b->keys[i], &order))
			return 0;
		if (order == ORDER_LESS || order == ORDER_GREATER)
			return keys[i].descending ? -(int) order : (int) order;
	}
	return 0;
}

/* Merge sort: stable, n log n */
static bool
sort_rows(FhirPathEval *ev, SortRow *rows, SortRow *spare, size_t count, const SortKey *keys, int key_count)
{
	size_t		half = count / 2,
				i = 0,
				j = half,
				k = 0;

	if (count < 2)
		return true;
	if (!sort_rows(ev, rows, spare, half, keys, key_count) ||
		!sort_rows(ev, rows + half, spare, count - half, keys, key_count))
		return false;
	while (i < half && j < count)
	{
		if (!fp_step(ev))
			return false;
		spare[k++] = compare_rows(ev, &rows[i], &rows[j], keys, key_count) <= 0 ? rows[i++] : rows[j++];
		if (ev->status != CORE_OK)
			return false;
	}
	while (i < half)
		spare[k++] = rows[i++];
	while (j < count)
		spare[k++] = rows[j++];
	memcpy(rows, spare, count * sizeof(SortRow));
	return true;
}

/* A key of a row; - before a key, as before a number, means descending order. */
static bool
sort_key(FhirPathEval *ev, const FpExec *x, const FpItem *item, int64_t index, FpItem *key, bool *found)
{
	FpFocus		outer = ev->focus;
	int			n;

	ev->focus.item = item;
	ev->focus.index = index;
	n = fp_single(ev, x, key, "a key of sort");
	ev->focus = outer;
	*found = n == 1 && !(key->kind == FP_NODE && key->json == JB_T_NULL);
	return n != FP_FAILED;
}

static bool
run_sort(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	SortKey		keys[FP_ARGUMENTS_MAX] = {{NULL, false}};
	int			key_count = x->count == 0 ? 1 : x->count;
	FpList		input;
	SortRow    *rows,
			   *spare;

	for (int i = 0; i < x->count; i++)
	{
		const FpExec *key = x->args[i];

		keys[i].descending = key->op == FP_OP_DESCENDING || key->op == FP_OP_NEGATE;
		keys[i].x = keys[i].descending || key->op == FP_OP_ASCENDING ? key->args[0] : key;
	}
	if (!fp_collect_input(ev, x, &input))
		return false;
	rows = fp_alloc(ev, (input.count + 1) * sizeof(SortRow));
	spare = fp_alloc(ev, (input.count + 1) * sizeof(SortRow));
	if (rows == NULL || spare == NULL)
		return false;
	for (size_t i = 0; i < input.count; i++)
	{
		SortRow    *row = &rows[i];

		row->item = input.items[i];
		row->missing = 0;
		row->keys = &row->item;
		if (keys[0].x == NULL)
			continue;
		row->keys = fp_alloc(ev, key_count * sizeof(FpItem));
		if (row->keys == NULL)
			return false;
		for (int k = 0; k < key_count; k++)
		{
			bool		found;

			if (!sort_key(ev, keys[k].x, &input.items[i], (int64_t) i, &row->keys[k], &found))
				return false;
			if (!found)
				row->missing |= 1u << k;
		}
	}
	/* rows move while they are sorted: an item that is its own key must stand elsewhere */
	for (size_t i = 0; i < input.count && keys[0].x == NULL; i++)
		rows[i].keys = &input.items[i];
	if (!sort_rows(ev, rows, spare, input.count, keys, key_count))
		return false;
	for (size_t i = 0; i < input.count; i++)
	{
		if (!sink->push(ev, sink, &rows[i].item))
			return false;
	}
	return true;
}

const FpFunction fp_collection_functions[] = {
	{"exists", 0, 1, 0, 0, NULL, truth_exists},
	{"empty", 0, 0, 0, 0, NULL, truth_empty},
	{"all", 1, 1, 0, 0, NULL, truth_all},
	{"not", 0, 0, 0, 0, NULL, truth_not},
	{"allTrue", 0, 0, 0, 0, NULL, truth_booleans},
	{"anyTrue", 0, 0, 0, 0, NULL, truth_booleans},
	{"allFalse", 0, 0, 0, 0, NULL, truth_booleans},
	{"anyFalse", 0, 0, 0, 0, NULL, truth_booleans},
	{"subsetOf", 1, 1, 0, 0, NULL, truth_subset},
	{"supersetOf", 1, 1, 0, 0, NULL, truth_subset},
	{"count", 0, 0, 0, 0, run_count, NULL},
	{"distinct", 0, 0, 0, 0, run_distinct, NULL},
	{"isDistinct", 0, 0, 0, 0, NULL, truth_is_distinct},
	{"where", 1, 1, 0, 0, run_where, NULL},
	{"select", 1, 1, 0, 0, run_select, NULL},
	{"repeat", 1, 1, 0, 0, run_repeat, NULL},
	{"repeatAll", 1, 1, 0, 0, run_repeat, NULL},
	{"single", 0, 0, 0, 0, run_single, NULL},
	{"first", 0, 0, 0, 0, run_first, NULL},
	{"last", 0, 0, 0, 0, run_last, NULL},
	{"tail", 0, 0, 0, 0, run_tail, NULL},
	{"skip", 1, 1, 0, 0, run_skip_take, NULL},
	{"take", 1, 1, 0, 0, run_skip_take, NULL},
	{"intersect", 1, 1, 0, 0, run_intersect, NULL},
	{"exclude", 1, 1, 0, 0, run_intersect, NULL},
	{"union", 1, 1, 0, 0, run_union, NULL},
	{"combine", 1, 2, 0, 0, run_combine, NULL},
	{"coalesce", 1, FP_ARGUMENTS_MAX, 0, 0, run_coalesce, NULL},
	{"children", 0, 0, 0, 0, run_children, NULL},
	{"descendants", 0, 0, 0, 0, run_descendants, NULL},
	{"iif", 2, 3, 0, 0, run_iif, NULL},
	{"trace", 1, 2, 0, 0, run_trace, NULL},
	{"defineVariable", 1, 2, 0, 0, run_define, NULL},
	{"aggregate", 1, 2, 0, 0, run_aggregate, NULL},
	{"sum", 0, 0, 0, 0, run_total_of, NULL},
	{"avg", 0, 0, 0, 0, run_total_of, NULL},
	{"min", 0, 0, 0, 0, run_total_of, NULL},
	{"max", 0, 0, 0, 0, run_total_of, NULL},
	{"sort", 0, FP_ARGUMENTS_MAX, FP_F_SORT, 0, run_sort, NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};
