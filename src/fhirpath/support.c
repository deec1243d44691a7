/*
 * support.c
 *		What the planner is told about fhirpath_exists() and ?~: an index
 *		condition where the expression asks for equality, and selectivity.
 *
 * Of a column of type fhir, an expression such as
 * Patient.identifier.where(system = 's' and value = 'v') can only find
 * something in documents that contain, as jsonb's @> has it, what
 * core/fhirpath_imply.c says: so a GIN index on the column serves it, lossily.
 * A column of type jsonb may hold documents of another structure than R4's, of
 * which that is not true.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "nodes/value.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "compat.h"
#include "fhir/fhir_tree.h"
#include "fhirpath.h"

PG_FUNCTION_INFO_V1(fhirpath_exists_support);
PG_FUNCTION_INFO_V1(fhirpath_sel);

/* Of an expression that asks for no equality, as PostgreSQL assumes it of functions */
#define NOTHING_KNOWN	0.3333333

/* jsonb @> jsonb */
static Oid
contains_operator(void)
{
	return OpernameGetOprid(list_make2(makeString("pg_catalog"), makeString("@>")), JSONBOID, JSONBOID);
}

static bool
is_fhir(Node *node)
{
	Oid			schema = get_namespace_oid("ehr", true);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("fhir"), ObjectIdGetDatum(schema));

	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node != NULL && OidIsValid(type) && exprType(node) == type;
}

/* What the arguments imply as a constant of type jsonb, NULL for nothing */
static Const *
implied(List *args, bool document_valid)
{
	Const	   *path = list_length(args) < 2 ? NULL : (Const *) lsecond(args);
	FhirPathEval *ev;
	const JbContainer *container;
	Jsonb	   *result = NULL;
	uint32_t	size;

	if (path == NULL || !IsA(path, Const) || path->constisnull || (document_valid && !is_fhir(linitial(args))))
		return NULL;
	/* variables may say that documents are something else */
	if (list_length(args) > 2)
	{
		Const	   *vars = (Const *) lthird(args);

		if (!IsA(vars, Const) || vars->constisnull || JB_ROOT_COUNT(DatumGetJsonbP(vars->constvalue)) > 0)
			return NULL;
	}
	ev = fhirpath_eval_create(fhir_core_context());
	if (ev == NULL)
		return NULL;
	container = fhirpath_implied(ev, fhirpath_of_datum(path->constvalue), &size);
	if (container != NULL)
	{
		result = palloc(VARHDRSZ + size);
		SET_VARSIZE(result, VARHDRSZ + size);
		memcpy(VARDATA(result), container, size);
	}
	fhirpath_eval_free(ev);
	return result == NULL ? NULL : makeConst(JSONBOID, -1, InvalidOid, -1, JsonbPGetDatum(result), false, false);
}

static List *
arguments_of(Node *node)
{
	if (node != NULL && IsA(node, FuncExpr))
		return ((FuncExpr *) node)->args;
	if (node != NULL && IsA(node, OpExpr))
		return ((OpExpr *) node)->args;
	return NIL;
}

static Selectivity
selectivity(PlannerInfo *root, List *args, Oid collation, int varRelid)
{
	Const	   *contained = implied(args, false);

	if (contained == NULL)
		return NOTHING_KNOWN;
	return restriction_selectivity(root, contains_operator(), list_make2(linitial(args), contained), collation, varRelid);
}

/* Support function of ehr.fhirpath_exists and of the operator's function */
Datum
fhirpath_exists_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
	{
		SupportRequestIndexCondition *index = (SupportRequestIndexCondition *) request;
		List	   *args = arguments_of(index->node);
		Const	   *contained;

		if (index->indexarg != 0 || !op_in_opfamily(contains_operator(), index->opfamily) ||
			(contained = implied(args, true)) == NULL)
			PG_RETURN_POINTER(NULL);
		index->lossy = true;
		PG_RETURN_POINTER(list_make1(make_opclause(contains_operator(), BOOLOID, false, linitial(args), (Expr *) contained,
												   InvalidOid, InvalidOid)));
	}
	if (IsA(request, SupportRequestSelectivity))
	{
		SupportRequestSelectivity *asked = (SupportRequestSelectivity *) request;

		if (asked->is_join)
			PG_RETURN_POINTER(NULL);
		asked->selectivity = selectivity(asked->root, asked->args, asked->inputcollid, asked->varRelid);
		PG_RETURN_POINTER(request);
	}
	PG_RETURN_POINTER(NULL);
}

/* Restriction estimator of ?~ */
Datum
fhirpath_sel(PG_FUNCTION_ARGS)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	List	   *args = (List *) PG_GETARG_POINTER(2);

	PG_RETURN_FLOAT8(selectivity(root, args, PG_GET_COLLATION(), PG_GETARG_INT32(3)));
}
