/*
 * view_run.c
 *		Runs a view over a resource.
 *
 * Each select is evaluated once for each of its foci, whatever stands beside
 * it; the product of what siblings gave is made of pointers.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/fhir_model.h"
#include "fhir/fhir_tree.h"
#include "view_run.h"

static void run_select(ViewRun *run, ViewSelect *select, const FpItem *focus, ViewRows *out);

/* ---- the evaluator ---- */

pg_noreturn static void
raise_failure(ViewRun *run, CoreStatus status, const char *what)
{
	if (status == CORE_INVALID || status == CORE_TOO_DEEP || status == CORE_TOO_LARGE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a FHIRPath expression of the view cannot be evaluated"),
				 errdetail("%s: %s.", what, fhirpath_error(run->ev)->text)));
	fhir_raise_core(status);
	pg_unreachable();
}

static void *
run_alloc(ViewRun *run, size_t size)
{
	void	   *ptr = fhirpath_alloc(run->ev, size);

	if (ptr == NULL)
		fhir_raise_core(CORE_NO_MEMORY);
	return ptr;
}

/* Gathers what an expression gives */
typedef struct Gather
{
	ViewRun    *run;
	FpItem	   *items;
	uint32		count;
	uint32		room;
	bool		failed;
} Gather;

static bool
gather(void *arg, const FpItem *item)
{
	Gather	   *g = arg;

	if (g->count == g->room)
	{
		uint32		room = g->room * 4;
		FpItem	   *more = fhirpath_alloc(g->run->ev, sizeof(FpItem) * room);

		if (more == NULL)
		{
			g->failed = true;
			return false;
		}
		memcpy(more, g->items, sizeof(FpItem) * g->count);
		g->items = more;
		g->room = room;
	}
	g->items[g->count++] = *item;
	return true;
}

/* All items of an expression, in the evaluator's memory. */
static void
evaluate(ViewRun *run, const FhirPathPlan *plan, const FpItem *focus, const char *what, ViewValue *value)
{
	Gather		g = {run, run_alloc(run, sizeof(FpItem)), 0, 1, false};
	CoreStatus	status;

	while ((status = fhirpath_each(run->ev, plan, focus, gather, &g)) == CORE_INTERRUPTED)
	{
		/* if that comes back, begin again */
		fhir_raise_core(status);
		g.count = 0;
	}
	fhirpath_raise_rooms(&run->ask);
	if (g.failed)
		status = CORE_NO_MEMORY;
	if (status != CORE_OK)
		raise_failure(run, status, what);
	value->items = g.items;
	value->count = g.count;
}

/* ---- rows ---- */

static void
add_row(ViewRun *run, ViewRows *rows, ViewValue *row)
{
	if (rows->count == rows->room)
	{
		int			room = rows->room == 0 ? 4 : rows->room * 2;
		ViewValue **more;

		CHECK_FOR_INTERRUPTS();
		if (room > (int) (MaxAllocSize / sizeof(ViewValue *)))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a view makes too many rows of one resource")));
		more = run_alloc(run, sizeof(ViewValue *) * room);
		if (rows->count > 0)
			memcpy(more, rows->rows, sizeof(ViewValue *) * rows->count);
		rows->rows = more;
		rows->room = room;
	}
	rows->rows[rows->count++] = row;
}

static ViewValue *
new_row(ViewRun *run)
{
	size_t		size = sizeof(ViewValue) * run->view->column_count;
	ViewValue  *row = run_alloc(run, size);

	memset(row, 0, size);
	return row;
}

/* Every row of `rows` with every row of a part, whose slots are [first, last). */
static void
multiply(ViewRun *run, ViewRows *rows, const ViewRows *part, int first, int last)
{
	ViewRows	product = {0};
	size_t		width = sizeof(ViewValue) * run->view->column_count;
	size_t		size = sizeof(ViewValue) * (last - first);

	if (part->count == 1)
	{
		for (int i = 0; i < rows->count; i++)
			memcpy(rows->rows[i] + first, part->rows[0] + first, size);
		return;
	}
	for (int i = 0; i < rows->count; i++)
		for (int k = 0; k < part->count; k++)
		{
			ViewValue  *row = run_alloc(run, width);

			memcpy(row, rows->rows[i], width);
			memcpy(row + first, part->rows[k] + first, size);
			add_row(run, &product, row);
		}
	*rows = product;
}

/* ---- cells ---- */

/* The walk over the plain paths of a select's cells, and what it gathers for collections */
typedef struct Columns
{
	FhirPathFound *found;		/* by cell; NULL: there was no walk that counts */
	Gather	   *lists;			/* by cell, of collections with several items; NULL: there is none */
	ViewRun    *run;
	const ViewSelect *select;
	bool		failed;
} Columns;

#define COLUMNS_MADE_MAX 16		/* types of foci for which a select makes a tree anew, before it is left alone */

/* Makes the tree of a select for foci of a type; false where there is none. */
static bool
columns_for(ViewRun *run, ViewSelect *select, int type)
{
	const FhirPathPlan **plans;
	CoreStatus	status;

	if (type == 0 || select->columns_type == type)
		return type != 0 && select->columns != NULL;
	if (select->columns_made == COLUMNS_MADE_MAX)
		return false;
	select->columns_made++;
	if (select->columns != NULL)
		fhirpath_columns_free(select->columns);
	select->columns = NULL;
	plans = palloc(sizeof(FhirPathPlan *) * Max(select->cell_count, 1));
	for (int i = 0; i < select->cell_count; i++)
		plans[i] = run->needed == NULL || run->needed[select->cells[i].slot] ? select->cells[i].plan : NULL;
	status = fhirpath_columns(&run->core, plans, select->cell_count, type, &select->columns);
	pfree(plans);
	if (status != CORE_OK)
		fhir_raise_core(status);
	select->columns_type = type;
	return select->columns != NULL;
}

/* A second item of a path, and those behind it: kept for collections, else only counted */
static bool
another(void *arg, int cell, const FpItem *item)
{
	Columns    *c = arg;
	Gather	   *list;

	if (!c->run->view->columns[c->select->cells[cell].slot].collection)
		return true;
	if (c->lists == NULL)
	{
		size_t		size = sizeof(Gather) * c->select->cell_count;

		c->lists = fhirpath_alloc(c->run->ev, size);
		c->failed = c->lists == NULL;
		if (c->failed)
			return false;
		memset(c->lists, 0, size);
	}
	list = &c->lists[cell];
	if (list->count == 0)
		*list = (Gather) {c->run, &c->found[cell].item, 1, 1, false};
	(void) gather(list, item);
	c->failed = list->failed;
	return !c->failed;
}

static void
walk_columns(ViewRun *run, ViewSelect *select, const FpItem *focus, Columns *c)
{
	*c = (Columns) {NULL, NULL, run, select, false};
	if (focus->kind != FP_NODE || focus->json != JB_T_CONTAINER || !jb_is_object((const JbContainer *) focus->u.text) ||
		!columns_for(run, select, focus->type))
		return;
	c->found = run_alloc(run, sizeof(FhirPathFound) * select->cell_count);
	if (fhirpath_columns_walk(select->columns, (const JbContainer *) focus->u.text, focus->len, c->found, another, c))
		return;
	if (c->failed)
		raise_failure(run, CORE_NO_MEMORY, "column");
	c->found = NULL;
}

static void
fill_cells(ViewRun *run, ViewSelect *select, const FpItem *focus, ViewValue *row)
{
	Columns		c;

	walk_columns(run, select, focus, &c);
	for (int i = 0; i < select->cell_count; i++)
	{
		const ViewCell *cell = &select->cells[i];
		const ViewColumn *column = &run->view->columns[cell->slot];
		ViewValue  *value = &row[cell->slot];

		if (run->needed != NULL && !run->needed[cell->slot])
			continue;
		if (c.found == NULL || !fhirpath_columns_has(select->columns, i))
			evaluate(run, cell->plan, focus, column->name, value);
		else if (c.lists != NULL && c.lists[i].count > 0)
			*value = (ViewValue) {c.lists[i].items, c.lists[i].count};
		else
			*value = (ViewValue) {&c.found[i].item, c.found[i].count};
		if (value->count > 1 && !column->collection)
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("a column of the view has several values in one row"),
					 errdetail("Column \"%s\" is no collection.", column->name),
					 errhint("Let the path end in first(), declare the column a collection, or put it below forEach.")));
	}
}

/* Rows of a select for one focus */
static void
run_focus(ViewRun *run, ViewSelect *select, const FpItem *focus, ViewRows *out)
{
	ViewRows	rows = {0};
	ViewValue  *row = new_row(run);

	check_stack_depth();
	fill_cells(run, select, focus, row);
	if (select->nested_count == 0 && select->branch_count == 0)
	{
		add_row(run, out, row);
		return;
	}
	add_row(run, &rows, row);
	for (int i = 0; i < select->nested_count && rows.count > 0; i++)
	{
		ViewRows	part = {0};

		run_select(run, select->nested[i], focus, &part);
		multiply(run, &rows, &part, select->nested[i]->first, select->nested[i]->last);
	}
	if (select->branch_count > 0 && rows.count > 0)
	{
		ViewRows	part = {0};

		for (int i = 0; i < select->branch_count; i++)
			run_select(run, select->branches[i], focus, &part);
		multiply(run, &rows, &part, select->branches[0]->first, select->branches[0]->last);
	}
	for (int i = 0; i < rows.count; i++)
		add_row(run, out, rows.rows[i]);
}

/* The row of a forEachOrNull that found nothing: all null, but %rowIndex is 0. */
static void
add_null_row(ViewRun *run, const ViewSelect *select, ViewRows *out)
{
	ViewValue  *row = new_row(run);

	for (int i = 0; i < select->cell_count; i++)
		if (select->cells[i].row_index)
		{
			FpItem	   *zero = run_alloc(run, sizeof(FpItem));

			*zero = (FpItem) {.kind = FP_INTEGER};
			row[select->cells[i].slot] = (ViewValue) {zero, 1};
		}
	add_row(run, out, row);
}

/* What repeat's paths find, then what they find from there, each before its next sibling */
static void
run_repeat(ViewRun *run, ViewSelect *select, const FpItem *focus, int64 *index, ViewRows *out)
{
	check_stack_depth();
	for (int i = 0; i < select->path_count; i++)
	{
		ViewValue	foci;

		evaluate(run, select->paths[i], focus, "repeat", &foci);
		for (uint32 k = 0; k < foci.count; k++)
		{
			run->row_index->u.number = (*index)++;
			run_focus(run, select, &foci.items[k], out);
			run_repeat(run, select, &foci.items[k], index, out);
		}
	}
}

static void
run_select(ViewRun *run, ViewSelect *select, const FpItem *focus, ViewRows *out)
{
	int64		outer_index = run->row_index->u.number;
	int64		index = 0;
	ViewValue	foci;

	switch (select->how)
	{
		case VIEW_ONCE:
			run_focus(run, select, focus, out);
			return;
		case VIEW_REPEAT:
			run_repeat(run, select, focus, &index, out);
			break;
		case VIEW_FOR_EACH:
		case VIEW_FOR_EACH_OR_NULL:
			evaluate(run, select->paths[0], focus, "forEach", &foci);
			for (; index < foci.count; index++)
			{
				run->row_index->u.number = index;
				run_focus(run, select, &foci.items[index], out);
			}
			if (foci.count == 0 && select->how == VIEW_FOR_EACH_OR_NULL)
				add_null_row(run, select, out);
			break;
	}
	run->row_index->u.number = outer_index;
}

/* ---- a resource ---- */

static bool
is_of_type(const View *view, const FpItem *document)
{
	return document->kind == FP_NODE && document->json == JB_T_CONTAINER && document->type == FHIR_RESOURCE_BASE + view->resource;
}

static bool
meets(ViewRun *run, const FhirPathPlan *condition, const FpItem *focus)
{
	ViewValue	value;
	const FpItem *item;

	evaluate(run, condition, focus, "where", &value);
	if (value.count == 0)
		return false;
	item = value.items;
	if (value.count == 1 && item->kind == FP_BOOLEAN)
		return item->u.number != 0;
	if (value.count == 1 && item->kind == FP_NODE && (item->json == JB_T_TRUE || item->json == JB_T_FALSE))
		return item->json == JB_T_TRUE;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a condition of the view is no boolean"),
			 errhint("Let the path of each where give true, false or nothing.")));
}

/*
 * Most of a resource is about to be read, here and there: asked for all at
 * once, its lines come from memory at the same time and not one by one.
 */
static void
fetch(const char *doc, uint32 size)
{
	for (uint32 at = 0; at < Min(size, 4096); at += PG_CACHE_LINE_SIZE / 2)
		__builtin_prefetch(doc + at);
}

void
view_rows_of(ViewRun *run, Jsonb *resource, ViewRows *rows)
{
	FpItem		document;

	memset(rows, 0, sizeof(*rows));
	run->input.doc = (const JbContainer *) &resource->root;
	run->input.size = VARSIZE(resource) - VARHDRSZ;
	fetch((const char *) run->input.doc, run->input.size);
	run->input.step_limit = fhirpath_step_limit;
	if (run->view->needs & FHIRPATH_NEEDS_CLOCK)
		fhirpath_set_clock(&run->input);
	fhirpath_begin(run->ev, &run->input);
	document = fhirpath_document(run->ev);
	if (!is_of_type(run->view, &document))
		return;
	run->row_index->u.number = 0;
	for (int i = 0; i < run->view->where_count; i++)
		if (!meets(run, run->view->where[i], &document))
			return;
	run_focus(run, run->view->root, &document, rows);
}

/* ---- kept between calls ---- */

static void *
alloc_in(void *arg, size_t size)
{
	return MemoryContextAllocExtended(arg, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static void
free_evaluator(void *arg)
{
	ViewRun    *run = arg;

	if (run->ev != NULL)
		fhirpath_eval_free(run->ev);
}

ViewRun *
view_run(void **cache, MemoryContext parent, Datum definition, const bool *needed)
{
	ViewRun    *run = *cache;
	MemoryContext old;
	MemoryContext cx;
	MemoryContextCallback *callback;
	Jsonb	   *given;

	given = DatumGetJsonbP(definition);
	if (run != NULL && VARSIZE(given) == VARSIZE(run->definition) && memcmp(given, run->definition, VARSIZE(given)) == 0)
		return run;
	if (run != NULL)
	{
		*cache = NULL;
		MemoryContextDelete(run->cx);
	}
	cx = AllocSetContextCreate(parent, "ehr view", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cx);
	run = palloc0(sizeof(ViewRun));
	run->cx = cx;
	run->needed = needed;
	run->definition = palloc(VARSIZE(given));
	memcpy(run->definition, given, VARSIZE(given));
	run->view = view_prepare(run->definition);
	run->row_index = (FpItem *) run->view->variables[run->view->variable_count - 1].items;
	run->row_index->kind = FP_INTEGER;
	run->input.variables = run->view->variables;
	run->input.variable_count = run->view->variable_count;
	fhirpath_offer_rooms(&run->ask, &run->input, cx);
	run->core = *fhir_core_context();
	run->core.alloc = alloc_in;
	run->core.arg = cx;
	run->ev = fhirpath_eval_create(&run->core);
	if (run->ev == NULL)
		fhir_raise_core(CORE_NO_MEMORY);
	callback = palloc0(sizeof(MemoryContextCallback));
	callback->func = free_evaluator;
	callback->arg = run;
	MemoryContextRegisterResetCallback(cx, callback);
	MemoryContextSwitchTo(old);
	*cache = run;
	return run;
}
