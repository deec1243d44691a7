/*
 * constraint.c
 *		Invariants and constraints of profiles, run by the FHIRPath engine.
 *
 * The engine reads jsonb; validation walks a tree whose nodes know their places
 * in it.  One evaluator serves all validations of the backend.  A constraint
 * that asks conformsTo() validates in the middle of its evaluation: what runs
 * then has an evaluator of its own.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/jsonb_read.h"
#include "fhir/fhir_tree.h"
#include "fhirpath/fhirpath.h"
#include "validate/validate.h"

/* Most steps of one evaluation, besides one for each byte of the document; then it is undecided */
#define CONSTRAINT_STEPS	2000000

/* Constraints within constraints, through conformsTo(); what is deeper is undecided */
#define CONSTRAINT_DEPTH	8

typedef struct Evaluation
{
	CoreContext cx;
	FhirPathEval *ev;
	FhirPathInput input;
	FhirPathVariable variables[2];
	FpItem		resource;
	FpItem		root;
	FhirPathAsk ask;
} Evaluation;

/* How many evaluations are under way.  Errors of other rooms wait until the core has returned, so that it is always counted down. */
static int	depth = 0;

bool		constraint_asked_unknown = false;

/* -- memory: what is kept must not lie in the caller's ----------------------- */

static void *
alloc_in(void *arg, size_t size)
{
	if (!AllocHugeSizeIsValid(size))
		return NULL;
	return MemoryContextAllocExtended((MemoryContext) arg, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static CoreContext
context_in(MemoryContext memory)
{
	CoreContext cx = *fhir_core_context();

	cx.alloc = alloc_in;
	cx.arg = memory;
	return cx;
}

/* -- expressions ------------------------------------------------------------- */

bool
constraint_prepare(FhirConstraint *constraint, const char *text, size_t len, MemoryContext memory)
{
	CoreContext cx = context_in(memory);
	FhirPathError error;
	FhirPath   *path;
	CoreStatus	status;

	while (!constraint->prepared)
	{
		constraint->variables = memchr(text, '%', len) != NULL;
		status = fhirpath_parse(&cx, text, len, &path, &error);
		if (status == CORE_OK)
		{
			constraint->needs = fhirpath_needs(path);
			status = fhirpath_plan(&cx, path, &constraint->plan, &error);
			cx.free(cx.arg, path);
		}
		fhir_raise_core(status);
		constraint->prepared = status != CORE_INTERRUPTED;
	}
	return constraint->plan != NULL;
}

/* -- items ------------------------------------------------------------------- */

static uint32
container_size(const JbContainer *c)
{
	uint32		entries = jb_is_object(c) ? jb_count(c) * 2 : jb_count(c);

	return (uint32) (jb_data(c, entries) - (const char *) c) + jb_offset(c, entries);
}

static const char *
datum_of(const Validation *v, const JsonNode *node)
{
	return (const char *) &v->jsonb->root + node->at;
}

static FpItem
item_of_node(const Validation *v, const JsonNode *node, const JsonNode *twin, int type)
{
	FpItem		item = {.kind = FP_NODE, .json = JB_T_NULL, .type = (uint16_t) type};

	if (twin != NULL && twin->kind == NODE_OBJECT)
		item.twin = (const JbContainer *) datum_of(v, twin);
	if (node == NULL)
		return item;
	switch (node->kind)
	{
		case NODE_NULL:
			break;
		case NODE_FALSE:
			item.json = JB_T_FALSE;
			break;
		case NODE_TRUE:
			item.json = JB_T_TRUE;
			break;
		case NODE_NUMBER:
			item.json = JB_T_NUMBER;
			item.u.text = datum_of(v, node);
			item.len = VARSIZE_ANY(item.u.text);
			break;
		case NODE_STRING:
			item.json = JB_T_STRING;
			item.u.text = datum_of(v, node);
			item.len = node->len;
			break;
		case NODE_ARRAY:
		case NODE_OBJECT:
			item.json = JB_T_CONTAINER;
			item.u.text = datum_of(v, node);
			item.len = container_size((const JbContainer *) item.u.text);
			break;
	}
	return item;
}

/* -- evaluation -------------------------------------------------------------- */

static Evaluation *
new_evaluation(MemoryContext memory)
{
	Evaluation *e = MemoryContextAllocZero(memory, sizeof(Evaluation));

	e->cx = context_in(memory);
	e->ev = fhirpath_eval_create(&e->cx);
	if (e->ev == NULL)
		fhir_raise_core(CORE_NO_MEMORY);
	e->variables[0] = (FhirPathVariable) {"resource", 8, &e->resource, 1};
	e->variables[1] = (FhirPathVariable) {"rootResource", 12, &e->root, 1};
	e->input.variables = e->variables;
	fhirpath_offer_rooms(&e->ask, &e->input, memory);
	/* a verdict follows from the document and what is loaded, not from what is stored */
	e->ask.host.resolve = NULL;
	return e;
}

/* The evaluator of this backend; a new one while that one is at work */
static Evaluation *
evaluation(void)
{
	static Evaluation *kept = NULL;

	if (depth > 0)
		return new_evaluation(CurrentMemoryContext);
	if (kept == NULL)
		kept = new_evaluation(TopMemoryContext);
	return kept;
}

static Verdict
verdict_of(const Evaluation *e, CoreStatus status, int truth)
{
	if (status != CORE_OK)
		return VERDICT_UNDECIDED;
	if (truth == 1 || (truth < 0 && fhirpath_incomparable(e->ev)))
		return VERDICT_HOLDS;
	return constraint_asked_unknown ? VERDICT_UNDECIDED : VERDICT_BROKEN;
}

Verdict
constraint_verdict(Validation *v, const FhirConstraint *constraint, const FhirScope *scope, const FhirFocus *focus)
{
	Evaluation *e;
	CoreStatus	status;
	FpItem		item;
	Verdict		verdict;
	bool		outer_unknown = constraint_asked_unknown;
	int			truth = -1;

	if (constraint->plan == NULL || depth >= CONSTRAINT_DEPTH)
		return VERDICT_UNDECIDED;
	if (v->jsonb == NULL && !v->no_jsonb)
	{
		/* a document that came as text */
		v->jsonb = fhir_tree_place(v->document);
		v->no_jsonb = v->jsonb == NULL;
	}
	if (v->no_jsonb)
		return VERDICT_UNDECIDED;
	e = evaluation();
	e->ask.memory = CurrentMemoryContext;
	e->input.doc = (const JbContainer *) &v->jsonb->root;
	e->input.size = VARSIZE(v->jsonb) - VARHDRSZ;
	e->input.step_limit = CONSTRAINT_STEPS + (int64) e->input.size;
	e->input.variable_count = constraint->variables ? lengthof(e->variables) : 0;
	if (constraint->variables)
	{
		e->resource = item_of_node(v, scope->resource, NULL, scope->resource_type);
		e->root = item_of_node(v, scope->root, NULL, scope->root_type);
	}
	item = item_of_node(v, focus->node, focus->twin, focus->type);
	if (unlikely((constraint->needs & FHIRPATH_NEEDS_CLOCK) != 0))
		fhirpath_set_clock(&e->input);
	do
	{
		fhirpath_begin(e->ev, &e->input);
		constraint_asked_unknown = false;
		depth++;
		status = fhirpath_test(e->ev, constraint->plan, &item, &truth);
		depth--;
		fhirpath_raise_rooms(&e->ask);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	verdict = verdict_of(e, status, truth);
	constraint_asked_unknown = outer_unknown;
	if (depth > 0)
	{
		fhirpath_eval_free(e->ev);
		pfree(e);
	}
	return verdict;
}
