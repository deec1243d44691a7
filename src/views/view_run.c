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

static void run_select(ViewRun *run, const ViewSelect *select, const FpItem *focus, ViewRows *out);

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

static void
fill_cells(ViewRun *run, const ViewSelect *select, const FpItem *focus, ViewValue *row)
{
	for (int i = 0; i < select->cell_count; i++)
	{
		const ViewCell *cell = &select->cells[i];
		const ViewColumn *column = &run->view->columns[cell->slot];
		ViewValue  *value = &row[cell->slot];

		evaluate(run, cell->plan, focus, column->name, value);
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
run_focus(ViewRun *run, const ViewSelect *select, const FpItem *focus, ViewRows *out)
{
	ViewRows	rows = {0};
	ViewValue  *row = new_row(run);

	check_stack_depth();
	add_row(run, &rows, row);
	fill_cells(run, select, focus, row);
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
run_repeat(ViewRun *run, const ViewSelect *select, const FpItem *focus, int64 *index, ViewRows *out)
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
run_select(ViewRun *run, const ViewSelect *select, const FpItem *focus, ViewRows *out)
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

void
view_rows_of(ViewRun *run, Jsonb *resource, ViewRows *rows)
{
	FpItem		document;

	memset(rows, 0, sizeof(*rows));
	run->input.doc = (const JbContainer *) &resource->root;
	run->input.size = VARSIZE(resource) - VARHDRSZ;
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
view_run(void **cache, MemoryContext parent, Datum definition)
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
