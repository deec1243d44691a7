/*
 * support.c
 *		What the planner is told about ehr.row_consented() and
 *		ehr.row_authored(): that they can be true only for subjects of
 *		ehr.readable(), and for rows of ehr.row_author(), and for how many.
 *
 * With the former, a session that may read a few patients gets an index scan
 * on the column `subject` out of an opaque policy.  Both depend on the session
 * that plans; a plan that another session reuses is slower or faster for it,
 * never wrong: the condition is computed at run time, and the function checks
 * each row again.
 *
 * A policy asks three questions, so that an index can answer each.  Once the
 * paths are made, the rows that they bring are filtered by one question with
 * the same answer, ehr.may_read_row(): one call instead of three to set up in
 * each execution and to make for each row.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "parser/parse_func.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "compat.h"
#include "consent/access.h"
#include "consent/rights.h"

/* Sessions with more subjects are planned without the index: planning would look at each. */
#define MANY_SUBJECTS 1000

#define SUBJECT_ARGUMENT 1	/* of row_consented() */
#define AUTHOR_ARGUMENT 2	/* of row_authored() */

PG_FUNCTION_INFO_V1(ehr_row_consented_support);
PG_FUNCTION_INFO_V1(ehr_row_authored_support);

/* Is there a session whose rights can be looked at while planning? */
static bool
rights_known(void)
{
	return consent_shared != NULL && session_attached() && rights_ready();
}

/* A call of an ehr function without arguments; NULL when there is none of that name. */
static Expr *
call_of(char *name, Oid type, Oid collation)
{
	Oid			function = LookupFuncName(list_make2(makeString("ehr"), makeString(name)), 0, NULL, true);

	return OidIsValid(function) ? (Expr *) makeFuncExpr(function, type, NIL, collation, InvalidOid, COERCE_EXPLICIT_CALL) : NULL;
}

/* subject = ANY (ehr.readable()) */
static List *
subject_condition(const SupportRequestIndexCondition *request)
{
	FuncExpr   *call = (FuncExpr *) request->node;
	Expr	   *readable;
	ScalarArrayOpExpr *condition;

	if (!is_funcclause(request->node) || request->indexarg != SUBJECT_ARGUMENT ||
		request->opfamily != INTEGER_BTREE_FAM_OID)
		return NIL;
	if (rights_known() && rights_now->image->n_subjects > MANY_SUBJECTS)
		return NIL;
	readable = call_of("readable", INT8ARRAYOID, InvalidOid);
	if (readable == NULL)
		return NIL;
	condition = makeNode(ScalarArrayOpExpr);
	condition->opno = get_opfamily_member(request->opfamily, INT8OID, INT8OID, BTEqualStrategyNumber);
	condition->opfuncid = get_opcode(condition->opno);
	condition->useOr = true;
	condition->inputcollid = InvalidOid;
	condition->args = list_make2(list_nth(call->args, SUBJECT_ARGUMENT), readable);
	condition->location = -1;
	return list_make1(condition);
}

/* author = ehr.row_author() */
static List *
author_condition(const SupportRequestIndexCondition *request)
{
	FuncExpr   *call = (FuncExpr *) request->node;
	Expr	   *author;
	Oid			equal;

	if (!is_funcclause(request->node) || request->indexarg != AUTHOR_ARGUMENT ||
		request->opfamily != TEXT_BTREE_FAM_OID)
		return NIL;
	author = call_of("row_author", TEXTOID, request->indexcollation);
	equal = get_opfamily_member(request->opfamily, TEXTOID, TEXTOID, BTEqualStrategyNumber);
	if (author == NULL || !OidIsValid(equal))
		return NIL;
	return list_make1(make_opclause(equal, BOOLOID, false, list_nth(call->args, AUTHOR_ARGUMENT), author,
									InvalidOid, request->indexcollation));
}

static double
distinct_values(SupportRequestSelectivity *request, int argument)
{
	VariableStatData vardata;
	double		distinct;
	bool		is_default;

	examine_variable(request->root, list_nth(request->args, argument), request->varRelid, &vardata);
	distinct = get_variable_numdistinct(&vardata, &is_default);
	ReleaseVariableStats(vardata);
	return distinct;
}

/* The share of subjects that are the session's. */
static bool
share_of_subjects(SupportRequestSelectivity *request)
{
	double		distinct;

	if (request->is_join || list_length(request->args) <= SUBJECT_ARGUMENT)
		return false;
	request->selectivity = 0;
	if (!rights_known())
		return true;
	distinct = distinct_values(request, SUBJECT_ARGUMENT);
	request->selectivity = distinct > 0 ? Min(1.0, rights_now->image->n_subjects / distinct) : 0;
	return true;
}

/* The share of rows of the own facility, as the column's statistics have it. */
static bool
share_of_author(SupportRequestSelectivity *request)
{
	VariableStatData vardata;

	if (request->is_join || list_length(request->args) <= AUTHOR_ARGUMENT)
		return false;
	request->selectivity = 0;
	if (!rights_known() || rights_now->author == NULL)
		return true;
	examine_variable(request->root, list_nth(request->args, AUTHOR_ARGUMENT), request->varRelid, &vardata);
	request->selectivity = var_eq_const(&vardata, TextEqualOperator, DEFAULT_COLLATION_OID, PointerGetDatum(rights_now->author),
										false, true, false);
	ReleaseVariableStats(vardata);
	return true;
}

/* ---- one question for three ---- */

static set_rel_pathlist_hook_type prev_set_rel_pathlist = NULL;

static Oid
function_named(char *name, int n, const Oid *types)
{
	return LookupFuncName(list_make2(makeString("ehr"), makeString(name)), n, types, true);
}

typedef struct Questions
{
	Oid			consented;
	Oid			authored;
	Oid			shared;
} Questions;

static bool
is_call(Node *node, Oid function)
{
	return IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == function;
}

/*
 * row_consented(...) OR row_authored(...) OR (subject IS NULL AND row_shared(...)),
 * as create_consent() writes it into policies and with nothing added: its
 * first call, else NULL.
 */
static FuncExpr *
three_questions(Expr *clause, const Questions *q)
{
	List	   *arms = is_orclause(clause) ? ((BoolExpr *) clause)->args : NIL;
	List	   *row;
	List	   *authored;
	List	   *last;
	NullTest   *absent;

	if (list_length(arms) != 3 || !is_call(linitial(arms), q->consented) || !is_call(lsecond(arms), q->authored) ||
		!is_andclause(lthird(arms)))
		return NULL;
	row = linitial_node(FuncExpr, arms)->args;
	authored = lsecond_node(FuncExpr, arms)->args;
	last = ((BoolExpr *) lthird(arms))->args;
	if (list_length(last) != 2 || !IsA(linitial(last), NullTest) || !is_call(lsecond(last), q->shared))
		return NULL;
	absent = linitial_node(NullTest, last);
	/* all of the same row: key, subject, more_subjects, type, labels, author, happened */
	if (absent->nulltesttype != IS_NULL || !equal(absent->arg, lsecond(row)) ||
		!equal(linitial(lsecond_node(FuncExpr, last)->args), lfourth(row)) ||
		!equal(linitial(authored), lsecond(row)) || !equal(lsecond(authored), lthird(row)) ||
		!equal(lthird(authored), list_nth(row, 5)))
		return NULL;
	return linitial_node(FuncExpr, arms);
}

static void
ask_once(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	static const Oid row_types[] = {INT8OID, INT8OID, INT8ARRAYOID, INT2OID, INT4OID, TEXTOID, DATEOID};
	static const Oid author_types[] = {INT8OID, INT8ARRAYOID, TEXTOID};
	static const Oid shared_types[] = {INT2OID};
	Questions	q;
	Oid			whole;
	ListCell   *lc;

	if (prev_set_rel_pathlist)
		prev_set_rel_pathlist(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || rel->baserestrictinfo == NIL || !executor_protects(rte->relid))
		return;
	q.consented = function_named("row_consented", lengthof(row_types), row_types);
	q.authored = function_named("row_authored", lengthof(author_types), author_types);
	q.shared = function_named("row_shared", lengthof(shared_types), shared_types);
	whole = function_named("may_read_row", lengthof(row_types), row_types);
	if (!OidIsValid(q.consented) || !OidIsValid(q.authored) || !OidIsValid(q.shared) || !OidIsValid(whole))
		return;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		FuncExpr   *call = three_questions(info->clause, &q);

		if (call == NULL)
			continue;
		call = copyObject(call);
		call->funcid = whole;
		info->clause = (Expr *) call;
		info->orclause = NULL;
	}
}

void
support_init(void)
{
	prev_set_rel_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = ask_once;
}

static Datum
answer(Node *request, List *(*condition) (const SupportRequestIndexCondition *), bool (*share) (SupportRequestSelectivity *))
{
	if (IsA(request, SupportRequestIndexCondition))
	{
		((SupportRequestIndexCondition *) request)->lossy = true;
		PG_RETURN_POINTER(condition((SupportRequestIndexCondition *) request));
	}
	if (IsA(request, SupportRequestSelectivity) && share((SupportRequestSelectivity *) request))
		PG_RETURN_POINTER(request);
	PG_RETURN_POINTER(NULL);
}

Datum
ehr_row_consented_support(PG_FUNCTION_ARGS)
{
	return answer((Node *) PG_GETARG_POINTER(0), subject_condition, share_of_subjects);
}

Datum
ehr_row_authored_support(PG_FUNCTION_ARGS)
{
	return answer((Node *) PG_GETARG_POINTER(0), author_condition, share_of_author);
}
