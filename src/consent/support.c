/*
 * support.c
 *		What the planner is told about ehr.row_consented(): that it can be true
 *		only for subjects of ehr.readable(), and for how many rows.
 *
 * With the former, a session that may read a few patients gets an index scan
 * on the column `subject` out of an opaque policy.  Both depend on the session
 * that plans; a plan that another session reuses is slower or faster for it,
 * never wrong: the condition is computed at run time, and the function checks
 * each row again.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "compat.h"
#include "consent/access.h"
#include "consent/rights.h"

/* Sessions with more subjects are planned without the index: planning would look at each. */
#define MANY_SUBJECTS 1000

#define SUBJECT_ARGUMENT 1

PG_FUNCTION_INFO_V1(ehr_row_consented_support);

/* Is there a session whose rights can be looked at while planning? */
static bool
rights_known(void)
{
	return consent_shared != NULL && session_attached() && rights_ready();
}

/* subject = ANY (ehr.readable()) */
static List *
index_condition(const SupportRequestIndexCondition *request)
{
	FuncExpr   *call = (FuncExpr *) request->node;
	Node	   *subject;
	ScalarArrayOpExpr *condition;
	Oid			readable;

	if (!is_funcclause(request->node) || request->indexarg != SUBJECT_ARGUMENT ||
		request->opfamily != INTEGER_BTREE_FAM_OID)
		return NIL;
	if (rights_known() && rights_now->n_subjects > MANY_SUBJECTS)
		return NIL;
	readable = LookupFuncName(list_make2(makeString("ehr"), makeString("readable")), 0, NULL, true);
	if (!OidIsValid(readable))
		return NIL;
	subject = list_nth(call->args, SUBJECT_ARGUMENT);
	condition = makeNode(ScalarArrayOpExpr);
	condition->opno = get_opfamily_member(request->opfamily, INT8OID, INT8OID, BTEqualStrategyNumber);
	condition->opfuncid = get_opcode(condition->opno);
	condition->useOr = true;
	condition->inputcollid = InvalidOid;
	condition->args = list_make2(subject,
								 makeFuncExpr(readable, INT8ARRAYOID, NIL, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
	condition->location = -1;
	return list_make1(condition);
}

/* The share of subjects that are the session's. */
static bool
selectivity(SupportRequestSelectivity *request)
{
	VariableStatData vardata;
	double		distinct;
	bool		is_default;

	if (request->is_join || list_length(request->args) <= SUBJECT_ARGUMENT)
		return false;
	if (!rights_known())
	{
		request->selectivity = 0;
		return true;
	}
	examine_variable(request->root, list_nth(request->args, SUBJECT_ARGUMENT), request->varRelid, &vardata);
	distinct = get_variable_numdistinct(&vardata, &is_default);
	ReleaseVariableStats(vardata);
	request->selectivity = distinct > 0 ? Min(1.0, rights_now->n_subjects / distinct) : 0;
	return true;
}

Datum
ehr_row_consented_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
	{
		List	   *conditions = index_condition((SupportRequestIndexCondition *) request);

		((SupportRequestIndexCondition *) request)->lossy = true;
		PG_RETURN_POINTER(conditions);
	}
	if (IsA(request, SupportRequestSelectivity) && selectivity((SupportRequestSelectivity *) request))
		PG_RETURN_POINTER(request);
	PG_RETURN_POINTER(NULL);
}
