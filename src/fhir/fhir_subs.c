/*
 * fhir_subs.c
 *		Subscripting of fhir: jsonb's, with every assignment validated.
 *
 * doc['name'] reads as on jsonb.  SET doc['x'] = ... gives a whole new
 * document; PostgreSQL would store it without asking the type's input, so the
 * assignment step is wrapped here: the result must be a valid resource of the
 * type that the document had before.
 */
#include "postgres.h"

#include "executor/execExpr.h"
#include "fmgr.h"
#include "nodes/subscripting.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "compat.h"
#include "fhir.h"
#include "quiet.h"

PG_FUNCTION_INFO_V1(fhir_subscript_handler);

/* jsonb's steps and workspace of one expression; ours stands in its place */
typedef struct FhirSubscript
{
	void	   *workspace;
	SubscriptExecSteps steps;
	int32		typmod;			/* of the column or variable that is assigned to */
} FhirSubscript;

/* Runs a step of jsonb's with its own workspace in place. */
#define WITH_JSONB_WORKSPACE(op, call) \
	do { \
		SubscriptingRefState *refstate_ = (op)->d.sbsref.state; \
		FhirSubscript *mine = refstate_->workspace; \
		refstate_->workspace = mine->workspace; \
		call; \
		refstate_->workspace = mine; \
	} while (0)

static bool
check_subscripts(ExprState *state, ExprEvalStep *op, ExprContext *econtext)
{
	SubscriptingRefState *refstate = op->d.sbsref_subscript.state;
	FhirSubscript *mine = refstate->workspace;
	bool		result;

	refstate->workspace = mine->workspace;
	result = mine->steps.sbs_check_subscripts(state, op, econtext);
	refstate->workspace = mine;
	return result;
}

static void
fetch(ExprState *state, ExprEvalStep *op, ExprContext *econtext)
{
	WITH_JSONB_WORKSPACE(op, mine->steps.sbs_fetch(state, op, econtext));
}

static void
fetch_old(ExprState *state, ExprEvalStep *op, ExprContext *econtext)
{
	WITH_JSONB_WORKSPACE(op, mine->steps.sbs_fetch_old(state, op, econtext));
}

static void
assign(ExprState *state, ExprEvalStep *op, ExprContext *econtext)
{
	int32		typmod = ((FhirSubscript *) op->d.sbsref.state->workspace)->typmod;

	/* without a modifier, a document keeps the type that it had */
	if (typmod < 0 && !*op->resnull)
		typmod = fhir_document_type(DatumGetFhirP(*op->resvalue));
	WITH_JSONB_WORKSPACE(op, mine->steps.sbs_assign(state, op, econtext));
	if (!*op->resnull)
		(void) fhir_check(DatumGetFhirP(*op->resvalue), typmod, NULL);
}

static void
exec_setup(const SubscriptingRef *sbsref, SubscriptingRefState *sbsrefstate, SubscriptExecSteps *methods)
{
	const SubscriptRoutines *jsonb;
	FhirSubscript *mine = palloc0(sizeof(FhirSubscript));

	jsonb = (const SubscriptRoutines *) DatumGetPointer(DirectFunctionCall1(jsonb_subscript_handler, PointerGetDatum(NULL)));
	jsonb->exec_setup(sbsref, sbsrefstate, methods);
	mine->workspace = sbsrefstate->workspace;
	mine->steps = *methods;
	mine->typmod = sbsref->reftypmod;	/* for assignments the container's */
	sbsrefstate->workspace = mine;
	methods->sbs_check_subscripts = check_subscripts;
	methods->sbs_fetch = fetch;
	methods->sbs_assign = assign;
	methods->sbs_fetch_old = fetch_old;
}

static void
transform(SubscriptingRef *sbsref, List *indirection, struct ParseState *pstate, bool isSlice, bool isAssignment)
{
	const SubscriptRoutines *jsonb;

	jsonb = (const SubscriptRoutines *) DatumGetPointer(DirectFunctionCall1(jsonb_subscript_handler, PointerGetDatum(NULL)));
	jsonb->transform(sbsref, indirection, pstate, isSlice, isAssignment);
}

Datum
fhir_subscript_handler(PG_FUNCTION_ARGS)
{
	static const SubscriptRoutines routines = {
		.transform = transform,
		.exec_setup = exec_setup,
		.fetch_strict = true,	/* as jsonb's */
		.fetch_leakproof = true,
		.store_leakproof = false
	};

	PG_RETURN_POINTER(&routines);
}
