/*
 * query.c
 *		The SQL functions that run expressions.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/fhirpath_eval.h"
#include "core/fhirpath_prefix.h"
#include "fhir/fhir_tree.h"
#include "fhirpath.h"

PG_FUNCTION_INFO_V1(fhirpath_query);
PG_FUNCTION_INFO_V1(fhirpath_query_array);
PG_FUNCTION_INFO_V1(fhirpath_query_first);
PG_FUNCTION_INFO_V1(fhirpath_exists_sql);
PG_FUNCTION_INFO_V1(fhirpath_match);
PG_FUNCTION_INFO_V1(fhirpath_exists_operator);
PG_FUNCTION_INFO_V1(fhirpath_text);
PG_FUNCTION_INFO_V1(fhirpath_numeric);
PG_FUNCTION_INFO_V1(fhirpath_boolean);
PG_FUNCTION_INFO_V1(fhirpath_date);
PG_FUNCTION_INFO_V1(fhirpath_timestamptz);

/* What immutable functions refuse */
#define NEEDS_MORE_THAN_DOCUMENT \
	(FHIRPATH_NEEDS_CLOCK | FHIRPATH_NEEDS_TERMINOLOGY | FHIRPATH_NEEDS_PROFILES | FHIRPATH_NEEDS_RESOURCES | FHIRPATH_NEEDS_VARIABLES)

/* Of one place in a query: the plan of its expression, and what was read of its variables */
typedef struct PathCall
{
	MemoryContext memory;		/* plan and evaluator */
	MemoryContext variables;	/* what was read of the last `vars` */
	MemoryContext results;		/* of a set-returning call */
	struct varlena *source;		/* the expression that is planned */
	bool		source_fixed;	/* it is a constant of the query */
	struct varlena *vars;
	FhirPathPlan *plan;
	uint32		needs;
	CoreContext core;			/* on memory, whatever the current context is */
	FhirPathEval *ev;
	FhirPathInput input;
	Datum	   *items;			/* of a set that is being given out */
	int			count;
	int			room;
	int			next;
	bool		giving;
	bool		registered;		/* stop_giving, with the node's context */
	FhirPathAsk ask;			/* of other rooms */
	FhirPathPrefix prefix;		/* where a prefix of a document may do */
	enum
	{
		PREFIX_UNKNOWN, PREFIX_YES, PREFIX_NO
	}			prefixable;
	int			prefix_tries;	/* documents of which a prefix was asked for, */
	int			prefix_hits;	/* and of which it was enough */
} PathCall;

static const char *
what_is_needed(uint32 needs)
{
	if (needs & FHIRPATH_NEEDS_CLOCK)
		return "the clock";
	if (needs & FHIRPATH_NEEDS_TERMINOLOGY)
		return "terminology";
	if (needs & FHIRPATH_NEEDS_PROFILES)
		return "profiles";
	if (needs & FHIRPATH_NEEDS_RESOURCES)
		return "other resources";
	return "variables";
}

static void *
alloc_in(void *arg, size_t size)
{
	return MemoryContextAllocExtended(arg, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static PathCall *
new_call(FunctionCallInfo fcinfo)
{
	MemoryContext memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "FHIRPath", ALLOCSET_SMALL_SIZES);
	PathCall   *call = MemoryContextAllocZero(memory, sizeof(PathCall));
	MemoryContext caller = MemoryContextSwitchTo(memory);

	call->memory = memory;
	call->results = AllocSetContextCreate(memory, "FHIRPath results", ALLOCSET_SMALL_SIZES);
	call->variables = AllocSetContextCreate(memory, "FHIRPath variables", ALLOCSET_SMALL_SIZES);
	/* items are printed in the caller's context, the evaluator's memory outlives it */
	call->core = *fhir_core_context();
	call->core.alloc = alloc_in;
	call->core.arg = memory;
	call->ev = fhirpath_eval_create(&call->core);
	if (call->ev == NULL)
		fhir_raise_core(CORE_NO_MEMORY);
	MemoryContextSwitchTo(caller);
	fcinfo->flinfo->fn_extra = call;
	return call;
}

/* Plans the expression, if it is another one than the last time. */
static void
plan_call(PathCall *call, FunctionCallInfo fcinfo, bool immutable)
{
	struct varlena *source = PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	MemoryContext caller;
	const FhirPath *path;

	if (call->plan != NULL)
	{
		if (VARSIZE(source) == VARSIZE(call->source) && memcmp(source, call->source, VARSIZE(source)) == 0)
			return;
		fhirpath_plan_free(call->plan);
		call->plan = NULL;
		pfree(call->source);
		call->source = NULL;
	}
	path = fhirpath_of_datum(PointerGetDatum(source));
	call->needs = fhirpath_needs(path);
	if (immutable && (call->needs & NEEDS_MORE_THAN_DOCUMENT) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an immutable function cannot run this FHIRPath expression"),
				 errdetail("It needs %s, not only the document.", what_is_needed(call->needs & NEEDS_MORE_THAN_DOCUMENT)),
				 errhint("Use fhirpath_query, fhirpath_query_first, fhirpath_exists or fhirpath_match, which are stable.")));
	caller = MemoryContextSwitchTo(call->memory);
	call->source = (struct varlena *) palloc(VARSIZE(source));
	memcpy(call->source, source, VARSIZE(source));
	call->plan = fhirpath_plan_or_error((const FhirPath *) VARDATA(call->source));
	call->prefixable = PREFIX_UNKNOWN;
	call->prefix_tries = call->prefix_hits = 0;
	MemoryContextSwitchTo(caller);
	call->source_fixed = get_fn_expr_arg_stable(fcinfo->flinfo, 1);
	call->input.step_limit = immutable ? FHIRPATH_STEPS : fhirpath_step_limit;
	if (!immutable)
		fhirpath_offer_rooms(&call->ask, &call->input, call->variables);
}

static void
set_variables(PathCall *call, struct varlena *vars)
{
	MemoryContext caller;

	if (call->vars != NULL && VARSIZE(vars) == VARSIZE(call->vars) && memcmp(vars, call->vars, VARSIZE(vars)) == 0)
		return;
	call->input.variables = NULL;
	call->input.variable_count = 0;
	call->input.no_model = false;
	call->input.type = 0;
	call->vars = NULL;
	MemoryContextReset(call->variables);
	caller = MemoryContextSwitchTo(call->variables);
	call->vars = (struct varlena *) palloc(VARSIZE(vars));
	memcpy(call->vars, vars, VARSIZE(vars));
	fhirpath_read_variables((const Jsonb *) call->vars, &call->input);
	MemoryContextSwitchTo(caller);
}

/* Makes the expression ready. */
static PathCall *
prepare_call(FunctionCallInfo fcinfo, bool immutable)
{
	PathCall   *call = fcinfo->flinfo->fn_extra;

	if (unlikely(call == NULL))
		call = new_call(fcinfo);
	if (unlikely(!call->source_fixed))
		plan_call(call, fcinfo, immutable);
	return call;
}

#define PREFIX_FIRST	2000	/* bytes that are asked for first: keys and short values of most resources */

/*
 * The answer out of a prefix of the document; FHIRPATH_PREFIX_WHOLE where it
 * is none, or where prefixes were not enough for most documents before.
 */
static FhirPathPrefixAnswer
ask_prefix(PathCall *call, FunctionCallInfo fcinfo, bool existence, FpItem *item)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(0));
	FhirPathPrefixAnswer answer = FHIRPATH_PREFIX_MORE;
	Size		need = PREFIX_FIRST;
	Size		have,
				total;

	if (likely(!VARATT_IS_EXTENDED(value)))
		return FHIRPATH_PREFIX_WHOLE;
	if (call->prefixable == PREFIX_UNKNOWN)
		call->prefixable = fhirpath_prefix_plan(call->plan, &call->prefix) ? PREFIX_YES : PREFIX_NO;
	if (call->prefixable == PREFIX_NO || (call->prefix_tries >= 16 && call->prefix_hits < call->prefix_tries / 2))
		return FHIRPATH_PREFIX_WHOLE;
	for (int i = 0; i < 2 && answer == FHIRPATH_PREFIX_MORE; i++)
	{
		const void *root = fhirpath_document_prefix(PG_GETARG_DATUM(0), need, &have, &total);

		if (root == NULL)
			return FHIRPATH_PREFIX_WHOLE;
		answer = fhirpath_prefix_find(&call->prefix, root, have, total, existence, item, &need);
		/* the whole for little more */
		if (answer == FHIRPATH_PREFIX_MORE && need > total / 4)
			break;
	}
	if (answer == FHIRPATH_PREFIX_MORE)
		answer = FHIRPATH_PREFIX_WHOLE;
	else if (answer == FHIRPATH_PREFIX_ONE && !existence)
	{
		/* printing the item takes the evaluator's memory */
		call->input.doc = NULL;
		fhirpath_begin(call->ev, &call->input);
	}
	call->prefix_tries++;
	call->prefix_hits += answer != FHIRPATH_PREFIX_WHOLE;
	return answer;
}

/* Makes everything ready for the document of this call. */
static PathCall *
begin_call(FunctionCallInfo fcinfo, bool immutable)
{
	PathCall   *call = prepare_call(fcinfo, immutable);
	uint32		size;

	if (!immutable && PG_NARGS() > 2)
		set_variables(call, PG_DETOAST_DATUM(PG_GETARG_DATUM(2)));
	if (unlikely(call->needs & FHIRPATH_NEEDS_CLOCK))
		fhirpath_set_clock(&call->input);
	/* who asks other rooms may come back here for another document */
	if (unlikely(call->needs & (FHIRPATH_NEEDS_RESOURCES | FHIRPATH_NEEDS_PROFILES | FHIRPATH_NEEDS_TERMINOLOGY)))
	{
		Jsonb	   *doc = PG_GETARG_JSONB_P(0);

		call->input.doc = (const JbContainer *) &doc->root;
		size = VARSIZE(doc) - VARHDRSZ;
	}
	else
		call->input.doc = (const JbContainer *) fhirpath_document_of(PG_GETARG_DATUM(0), &size);
	call->input.size = size;
	fhirpath_begin(call->ev, &call->input);
	return call;
}

/* After an evaluation: true where it is done, false where it must begin again. silent: an error is no item. */
static bool
end_call(PathCall *call, CoreStatus status, bool silent, bool *failed)
{
	*failed = false;
	fhirpath_raise_rooms(&call->ask);
	if (likely(status == CORE_OK))
		return true;
	if (silent && (status == CORE_INVALID || status == CORE_TOO_DEEP))
	{
		*failed = true;
		return true;
	}
	return fhirpath_check_status(call->ev, status);
}

/* -- sets ------------------------------------------------------------------- */

static bool
keep_item(void *arg, const FpItem *item)
{
	PathCall   *call = arg;
	MemoryContext caller = MemoryContextSwitchTo(call->results);
	Jsonb	   *result = fhirpath_item_jsonb(call->ev, item);

	MemoryContextSwitchTo(caller);
	if (result == NULL)
		return true;
	if (call->count == call->room)
	{
		call->room = call->room == 0 ? 8 : call->room * 2;
		call->items = call->items == NULL ? MemoryContextAlloc(call->memory, call->room * sizeof(Datum)) :
			repalloc_huge(call->items, call->room * sizeof(Datum));
	}
	call->items[call->count++] = JsonbPGetDatum(result);
	return true;
}

/* Fills call->items. */
static PathCall *
collect_items(FunctionCallInfo fcinfo)
{
	PathCall   *call = begin_call(fcinfo, false);
	bool		silent = PG_GETARG_BOOL(3);
	bool		failed;
	CoreStatus	status;

	do
	{
		MemoryContext caller = MemoryContextSwitchTo(call->memory);

		MemoryContextReset(call->results);
		call->count = call->next = 0;
		status = fhirpath_each(call->ev, call->plan, NULL, keep_item, call);
		MemoryContextSwitchTo(caller);
	} while (!end_call(call, status, silent, &failed));
	return call;
}

static void
stop_giving(Datum arg)
{
	PathCall   *call = (PathCall *) DatumGetPointer(arg);

	call->giving = call->registered = false;
}

/* ehr.fhirpath_query(target jsonb, path fhirpath, vars jsonb, silent boolean) → setof jsonb */
Datum
fhirpath_query(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	PathCall   *call = fcinfo->flinfo->fn_extra;

	if (call == NULL || !call->giving)
	{
		if (set == NULL || !IsA(set, ReturnSetInfo) || (set->allowedModes & SFRM_ValuePerCall) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("set-valued function called in context that cannot accept a set")));
		call = collect_items(fcinfo);
		/* registered once for many sets: it is called when the node starts anew or ends */
		if (!call->registered)
		{
			RegisterExprContextCallback(set->econtext, stop_giving, PointerGetDatum(call));
			call->registered = true;
		}
		call->giving = true;
	}
	if (call->next < call->count)
	{
		set->isDone = ExprMultipleResult;
		PG_RETURN_DATUM(call->items[call->next++]);
	}
	call->giving = false;
	set->isDone = ExprEndResult;
	PG_RETURN_NULL();
}

/* ehr.fhirpath_query_array(target, path, vars, silent) → jsonb: all items in one array */
Datum
fhirpath_query_array(PG_FUNCTION_ARGS)
{
	PathCall   *call = collect_items(fcinfo);
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < call->count; i++)
	{
		Jsonb	   *item = DatumGetJsonbP(call->items[i]);
		JsonbValue	value;

		if (JB_ROOT_IS_SCALAR(item))
			(void) JsonbExtractScalar(&item->root, &value);
		else
		{
			value.type = jbvBinary;
			value.val.binary.data = &item->root;
			value.val.binary.len = VARSIZE(item) - VARHDRSZ;
		}
		(void) pushJsonbValue(&state, WJB_ELEM, &value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/* -- first item, existence, criterion --------------------------------------- */

typedef struct FirstValue
{
	PathCall   *call;
	MemoryContext caller;
	Jsonb	   *result;
} FirstValue;

static bool
keep_first(void *arg, const FpItem *item)
{
	FirstValue *first = arg;
	MemoryContext own = MemoryContextSwitchTo(first->caller);

	first->result = fhirpath_item_jsonb(first->call->ev, item);
	MemoryContextSwitchTo(own);
	return first->result == NULL;
}

/* ehr.fhirpath_query_first(target, path, vars, silent) → jsonb: the first item with a value, NULL where there is none */
Datum
fhirpath_query_first(PG_FUNCTION_ARGS)
{
	PathCall   *call = begin_call(fcinfo, false);
	FirstValue	first = {call, CurrentMemoryContext, NULL};
	bool		silent = PG_GETARG_BOOL(3);
	bool		failed;
	CoreStatus	status;

	do
	{
		MemoryContext caller = MemoryContextSwitchTo(call->memory);

		first.result = NULL;
		status = fhirpath_each(call->ev, call->plan, NULL, keep_first, &first);
		MemoryContextSwitchTo(caller);
	} while (!end_call(call, status, silent, &failed));
	if (failed || first.result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(first.result);
}

static Datum
exists(FunctionCallInfo fcinfo, bool immutable, bool silent)
{
	PathCall   *call = prepare_call(fcinfo, immutable);
	FhirPathPrefixAnswer answer = FHIRPATH_PREFIX_WHOLE;
	bool		found,
				failed;
	CoreStatus	status;

	/* variables may say that the document is something else */
	if (immutable || JB_ROOT_COUNT(PG_GETARG_JSONB_P(2)) == 0)
		answer = ask_prefix(call, fcinfo, true, NULL);
	if (answer != FHIRPATH_PREFIX_WHOLE)
		PG_RETURN_BOOL(answer != FHIRPATH_PREFIX_NONE);
	call = begin_call(fcinfo, immutable);
	do
	{
		MemoryContext caller = MemoryContextSwitchTo(call->memory);

		status = fhirpath_exists(call->ev, call->plan, NULL, &found);
		MemoryContextSwitchTo(caller);
	} while (!end_call(call, status, silent, &failed));
	if (failed)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(found);
}

/* ehr.fhirpath_exists(target, path, vars, silent) → boolean */
Datum
fhirpath_exists_sql(PG_FUNCTION_ARGS)
{
	return exists(fcinfo, false, PG_GETARG_BOOL(3));
}

/* target ?~ path: immutable, and an error of the expression is NULL */
Datum
fhirpath_exists_operator(PG_FUNCTION_ARGS)
{
	return exists(fcinfo, true, true);
}

static Datum
match(FunctionCallInfo fcinfo, bool immutable, bool silent)
{
	PathCall   *call = begin_call(fcinfo, immutable);
	int			truth;
	bool		failed;
	CoreStatus	status;

	do
	{
		MemoryContext caller = MemoryContextSwitchTo(call->memory);

		status = fhirpath_test(call->ev, call->plan, NULL, &truth);
		MemoryContextSwitchTo(caller);
	} while (!end_call(call, status, silent, &failed));
	if (failed || truth < 0)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(truth != 0);
}

/* ehr.fhirpath_match(target, path, vars, silent) → boolean: the result as a criterion, NULL for {} */
Datum
fhirpath_match(PG_FUNCTION_ARGS)
{
	return match(fcinfo, false, PG_GETARG_BOOL(3));
}

/* -- immutable scalars ------------------------------------------------------- */

typedef struct OneItem
{
	FpItem		item;
	int			count;
} OneItem;

static bool
keep_one(void *arg, const FpItem *item)
{
	OneItem    *one = arg;

	one->item = *item;
	return ++one->count < 2;
}

/* The one item of the result; NULL for none, several, and errors */
static const FpItem *
single_item(FunctionCallInfo fcinfo, PathCall **call, OneItem *one)
{
	bool		failed;
	CoreStatus	status;
	FhirPathPrefixAnswer answer;

	*call = prepare_call(fcinfo, true);
	answer = ask_prefix(*call, fcinfo, false, &one->item);
	if (answer != FHIRPATH_PREFIX_WHOLE)
		return answer == FHIRPATH_PREFIX_ONE ? &one->item : NULL;
	*call = begin_call(fcinfo, true);
	do
	{
		MemoryContext caller = MemoryContextSwitchTo((*call)->memory);

		one->count = 0;
		status = fhirpath_each((*call)->ev, (*call)->plan, NULL, keep_one, one);
		MemoryContextSwitchTo(caller);
	} while (!end_call(*call, status, true, &failed));
	return failed || one->count != 1 ? NULL : &one->item;
}

/* ehr.fhirpath_text(target, path) → text */
Datum
fhirpath_text(PG_FUNCTION_ARGS)
{
	PathCall   *call;
	OneItem		one;
	const FpItem *item = single_item(fcinfo, &call, &one);
	text	   *result;

	if (item == NULL || (result = fhirpath_item_pg_text(call->ev, item)) == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}

/* ehr.fhirpath_numeric(target, path) → numeric: also the number of a Quantity */
Datum
fhirpath_numeric(PG_FUNCTION_ARGS)
{
	PathCall   *call;
	OneItem		one;
	const FpItem *item = single_item(fcinfo, &call, &one);
	Datum		result;

	if (item == NULL || !fhirpath_item_numeric(item, &result))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/* ehr.fhirpath_boolean(target, path) → boolean: as fhirpath_match */
Datum
fhirpath_boolean(PG_FUNCTION_ARGS)
{
	return match(fcinfo, true, true);
}

/* ehr.fhirpath_date(target, path) → date: NULL for less than a day */
Datum
fhirpath_date(PG_FUNCTION_ARGS)
{
	PathCall   *call;
	OneItem		one;
	const FpItem *item = single_item(fcinfo, &call, &one);
	Datum		result;

	if (item == NULL || !fhirpath_item_date(item, &result))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/* ehr.fhirpath_timestamptz(target, path) → timestamptz: first instant; UTC where the value has no zone */
Datum
fhirpath_timestamptz(PG_FUNCTION_ARGS)
{
	PathCall   *call;
	OneItem		one;
	const FpItem *item = single_item(fcinfo, &call, &one);
	Datum		result;

	if (item == NULL || !fhirpath_item_timestamptz(item, &result))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
