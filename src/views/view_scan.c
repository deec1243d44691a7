/*
 * view_scan.c
 *		view_record() in FROM, without a function scan.
 *
 * PostgreSQL gathers what a function in FROM returns in a tuple store and reads
 * it back, for each resource anew.  Where the planner finds view_record(), it
 * is offered a scan that hands out the rows as they are: columns that the query
 * does not ask for are not computed, and no row is copied.  The function itself
 * stays what it is; it is used for what the scan does not do (whole rows,
 * WITH ORDINALITY, ROWS FROM), and where the library is loaded too late.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "view_run.h"

static set_rel_pathlist_hook_type prev_set_rel_pathlist = NULL;

/* ---- planning ---- */

static Plan *plan_scan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *plans);
static Node *create_state(CustomScan *plan);

static const CustomPathMethods path_methods = {
	.CustomName = "View",
	.PlanCustomPath = plan_scan
};

static const CustomScanMethods scan_methods = {
	.CustomName = "View",
	.CreateCustomScanState = create_state
};

/* Is this the function as the extension made it? */
static bool
is_view_record(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	Datum		symbol;
	bool		isnull;
	bool		same;

	if (!HeapTupleIsValid(tuple))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	same = proc->prolang == ClanguageId && proc->proretset && proc->prorettype == RECORDOID && !proc->prosecdef &&
		strcmp(NameStr(proc->proname), "view_record") == 0 && proc->pronamespace == get_namespace_oid("ehr", true) &&
		heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL);
	if (same)
	{
		symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		same = !isnull && strcmp(TextDatumGetCString(symbol), "view_record") == 0;
	}
	ReleaseSysCache(tuple);
	return same;
}

static FuncExpr *
view_call(RangeTblEntry *rte)
{
	RangeTblFunction *function;
	FuncExpr   *call;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	function = linitial(rte->functions);
	call = (FuncExpr *) function->funcexpr;
	if (!IsA(call, FuncExpr) || !call->funcretset || call->funcresulttype != RECORDOID || list_length(call->args) != 2 ||
		function->funccoltypes == NIL || !is_view_record(call->funcid))
		return NULL;
	return call;
}

/* Does the query want the row as a whole? */
static bool
whole_row_wanted(RelOptInfo *rel)
{
	Bitmapset  *columns = NULL;
	ListCell   *cell;

	if (rel->min_attr > 0 || !bms_is_empty(rel->attr_needed[0 - rel->min_attr]))
		return true;
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &columns);
	foreach(cell, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &columns);
	return bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, columns);
}

static void
offer_scan(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	Path	   *instead;
	CustomPath *path;

	if (prev_set_rel_pathlist != NULL)
		prev_set_rel_pathlist(root, rel, rti, rte);
	if (rel->pathlist == NIL || view_call(rte) == NULL || whole_row_wanted(rel))
		return;
	instead = linitial(rel->pathlist);
	if (!IsA(instead, Path) || instead->pathtype != T_FunctionScan)
		return;
	path = makeNode(CustomPath);
	path->path = *instead;
	path->path.type = T_CustomPath;
	path->path.pathtype = T_CustomScan;
	path->path.total_cost = path->path.startup_cost + (instead->total_cost - instead->startup_cost) / 2;
	path->methods = &path_methods;
	/* it does the same with less, so there is no other */
	rel->pathlist = list_make1(path);
}

/* The columns in order, as entries of a target list */
static List *
column_entries(RangeTblFunction *function, Index relid)
{
	List	   *entries = NIL;

	for (int i = 0; i < list_length(function->funccoltypes); i++)
	{
		Var		   *var = makeVar(relid, i + 1, list_nth_oid(function->funccoltypes, i), list_nth_int(function->funccoltypmods, i),
								  list_nth_oid(function->funccolcollations, i), 0);

		entries = lappend(entries, makeTargetEntry((Expr *) var, i + 1, NULL, false));
	}
	return entries;
}

static Plan *
plan_scan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *plans)
{
	RangeTblFunction *function = linitial(planner_rt_fetch(rel->relid, root)->functions);
	FuncExpr   *call = (FuncExpr *) function->funcexpr;
	CustomScan *scan = makeNode(CustomScan);
	Bitmapset  *columns = NULL;
	List	   *needed = NIL;
	int			i = -1;

	clauses = extract_actual_clauses(clauses, false);
	pull_varattnos((Node *) tlist, rel->relid, &columns);
	pull_varattnos((Node *) clauses, rel->relid, &columns);
	while ((i = bms_next_member(columns, i)) >= 0)
		needed = lappend_int(needed, i + FirstLowInvalidHeapAttributeNumber - 1);
	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = clauses;
	scan->scan.scanrelid = 0;	/* there is no relation to open */
	scan->custom_scan_tlist = column_entries(function, rel->relid);
	scan->custom_exprs = copyObject(call->args);
	scan->custom_private = list_make2(list_make1_oid(call->funcid), needed);
	scan->flags = path->flags;
	scan->methods = &scan_methods;
	return &scan->scan.plan;
}

/* ---- running ---- */

/* A parameter stands in the row that it came from, whatever it is taken for. */
static bool
is_parameter(Node *node)
{
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return IsA(node, Param) || IsA(node, Const);
}

typedef struct ViewScanState
{
	CustomScanState css;
	ExprState  *definition;
	ExprState  *resource;
	bool		definition_fixed;	/* it is the same for all rows */
	bool		resource_stays; /* its value stands elsewhere than in this node's memory of one row */
	void	   *cache;			/* of view_run */
	ViewRun    *run;			/* NULL: none yet, or the definition is null */
	bool	   *needed;			/* by column */
	MemoryContext memory;		/* of the resource, where it was compressed */
	ViewRows	rows;			/* of the resource */
	int			next;
	bool		begun;			/* rows are those of the parameters as they are */
} ViewScanState;

/* As the executor asks it of a function */
static void
check_may_execute(Oid function)
{
	AclResult	result = ehr_may_execute(function, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

static void
begin_scan(CustomScanState *css, EState *estate, int eflags)
{
	ViewScanState *state = (ViewScanState *) css;
	CustomScan *plan = (CustomScan *) css->ss.ps.plan;
	Expr	   *definition = linitial(plan->custom_exprs);
	ListCell   *cell;

	check_may_execute(linitial_oid(linitial(plan->custom_private)));
	state->definition = ExecInitExpr(definition, &css->ss.ps);
	state->resource = ExecInitExpr(lsecond(plan->custom_exprs), &css->ss.ps);
	state->definition_fixed = IsA(definition, Const) || (IsA(definition, Param) && ((Param *) definition)->paramkind == PARAM_EXTERN);
	state->resource_stays = is_parameter(lsecond(plan->custom_exprs));
	state->needed = palloc0(sizeof(bool) * list_length(plan->custom_scan_tlist));
	foreach(cell, (List *) lsecond(plan->custom_private))
		state->needed[lfirst_int(cell)] = true;
	state->memory = AllocSetContextCreate(CurrentMemoryContext, "ehr view resource", ALLOCSET_SMALL_SIZES);
}

/* The run of the definition as it is now; false where that is null. */
static bool
begin_run(ViewScanState *state)
{
	Datum		value;
	bool		isnull;

	if (state->run != NULL && state->definition_fixed)
		return true;
	value = ExecEvalExprSwitchContext(state->definition, state->css.ss.ps.ps_ExprContext, &isnull);
	state->run = isnull ? NULL : view_run(&state->cache, state->css.ss.ps.state->es_query_cxt, value, state->needed);
	if (state->run != NULL)
		view_check_columns(state->run->view, state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	return state->run != NULL;
}

/*
 * The resource where it stays until all its rows are read: in the row of the
 * outer side, or a copy in the current memory context.
 */
static Jsonb *
stable_resource(ViewScanState *state, Datum value)
{
	struct varlena *resource = (struct varlena *) DatumGetPointer(value);

	if (VARATT_IS_EXTENDED(resource))
		return (Jsonb *) detoast_attr(resource);
	return (Jsonb *) DatumGetPointer(state->resource_stays ? value : datumCopy(value, false, -1));
}

/* The rows of the resource that the parameters mean now */
static void
begin_resource(ViewScanState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	MemoryContext old;
	Datum		value;
	bool		isnull;

	state->rows.count = state->next = 0;
	MemoryContextReset(state->memory);
	old = MemoryContextSwitchTo(state->memory);
	if (begin_run(state))
	{
		value = ExecEvalExprSwitchContext(state->resource, econtext, &isnull);
		if (!isnull)
			view_rows_of(state->run, stable_resource(state, value), &state->rows);
	}
	MemoryContextSwitchTo(old);
}

static TupleTableSlot *
next_row(ScanState *ss)
{
	ViewScanState *state = (ViewScanState *) ss;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;
	const ViewValue *row;
	MemoryContext old;

	if (!state->begun)
	{
		begin_resource(state);
		state->begun = true;
	}
	ExecClearTuple(slot);
	if (state->next >= state->rows.count)
		return slot;
	row = state->rows.rows[state->next++];
	old = MemoryContextSwitchTo(ss->ps.ps_ExprContext->ecxt_per_tuple_memory);
	for (int i = 0; i < state->run->view->column_count; i++)
	{
		slot->tts_isnull[i] = true;
		if (state->needed[i])
			slot->tts_values[i] = view_datum(state->run, &state->run->view->columns[i], &row[i], &slot->tts_isnull[i]);
	}
	MemoryContextSwitchTo(old);
	return ExecStoreVirtualTuple(slot);
}

static bool
recheck_row(ScanState *ss, TupleTableSlot *slot)
{
	return true;
}

static TupleTableSlot *
exec_scan(CustomScanState *css)
{
	return ExecScan(&css->ss, next_row, recheck_row);
}

static void
end_scan(CustomScanState *css)
{
}

static void
rescan(CustomScanState *css)
{
	((ViewScanState *) css)->begun = false;
	ExecScanReScan(&css->ss);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "View",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan
};

static Node *
create_state(CustomScan *plan)
{
	ViewScanState *state = (ViewScanState *) newNode(sizeof(ViewScanState), T_CustomScanState);

	state->css.methods = &exec_methods;
	return (Node *) state;
}

void
view_scan_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
	prev_set_rel_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = offer_scan;
}
