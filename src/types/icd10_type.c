/*
 * icd10_type.c
 *		Type icd10, containment and ranges.
 *
 * A value is an int8 as drawn in core/icd10.h, so comparison, hashing and sort
 * support are those of bigint (sql/types.sql).  Binary format: the int8.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/plancat.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "compat.h"
#include "core/icd10.h"
#include "quiet.h"

PG_FUNCTION_INFO_V1(ehr_icd10_in);
PG_FUNCTION_INFO_V1(ehr_icd10_out);
PG_FUNCTION_INFO_V1(ehr_icd10_recv);
PG_FUNCTION_INFO_V1(ehr_icd10_contained);
PG_FUNCTION_INFO_V1(ehr_icd10_contains);
PG_FUNCTION_INFO_V1(ehr_icd10_within_ranges);
PG_FUNCTION_INFO_V1(ehr_icd10_contained_support);
PG_FUNCTION_INFO_V1(ehr_icd10_contains_support);
PG_FUNCTION_INFO_V1(ehr_icd10_last_within);
PG_FUNCTION_INFO_V1(ehr_icd10_contained_sel);
PG_FUNCTION_INFO_V1(ehr_icd10_contains_sel);
PG_FUNCTION_INFO_V1(ehr_icd10_chapter);
PG_FUNCTION_INFO_V1(ehr_icd10_block);
PG_FUNCTION_INFO_V1(ehr_icd10_category);

/* what contsel says */
#define DEFAULT_CONTAINED_SHARE 0.001

typedef struct Ranges
{
	int			n;
	Icd10Range	range[ICD10_MAX_RANGES];
	int			len;			/* of the text that was read */
	char		text[FLEXIBLE_ARRAY_MEMBER];
} Ranges;

Datum
ehr_icd10_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	int64_t		code;

	if (icd10_parse(text, strlen(text), &code) != CORE_OK)
	{
		ehr_quiet(fcinfo->context);
		ehr_ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input for type %s", "icd10"),
					 errdetail("An ICD-10 code is a letter, a digit, a digit or letter, and up to four more digits or letters after a dot."),
					 ehr_quiet_context()));
	}
	PG_RETURN_INT64(code);
}

Datum
ehr_icd10_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(ICD10_SIZE + 1);

	text[icd10_print(PG_GETARG_INT64(0), text)] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
ehr_icd10_recv(PG_FUNCTION_ARGS)
{
	int64		code = pq_getmsgint64((StringInfo) PG_GETARG_POINTER(0));

	if (!icd10_is_valid(code))
	{
		ehr_quiet(NULL);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "icd10"),
				 errdetail("The eight bytes are no packed ICD-10 code."),
				 ehr_quiet_context()));
	}
	PG_RETURN_INT64(code);
}

Datum
ehr_icd10_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(icd10_within(PG_GETARG_INT64(0), PG_GETARG_INT64(1)));
}

Datum
ehr_icd10_contains(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(icd10_within(PG_GETARG_INT64(1), PG_GETARG_INT64(0)));
}

/* Reads a list of ranges, or raises 22P02 (54000 for too many). */
static Ranges *
read_ranges(text *list, MemoryContext context)
{
	int			len = VARSIZE_ANY_EXHDR(list);
	Ranges	   *ranges = MemoryContextAlloc(context, offsetof(Ranges, text) + len);
	CoreStatus	status = icd10_parse_ranges(VARDATA_ANY(list), len, ranges->range, &ranges->n);

	if (status == CORE_TOO_LARGE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many ICD-10 ranges"),
				 errdetail("A list has at most %d codes and ranges.", ICD10_MAX_RANGES)));
	if (status != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid list of ICD-10 ranges"),
				 errdetail("Expected codes and ranges separated by commas, as in F00-F03,G30, each range from its lower to its higher code.")));
	ranges->len = len;
	memcpy(ranges->text, VARDATA_ANY(list), len);
	return ranges;
}

/* icd10_within(icd10, ranges text) → bool; the list that was read last is kept from call to call */
Datum
ehr_icd10_within_ranges(PG_FUNCTION_ARGS)
{
	int64		code = PG_GETARG_INT64(0);
	text	   *list = PG_GETARG_TEXT_PP(1);
	Ranges	   *ranges = fcinfo->flinfo->fn_extra;
	int			i;

	if (ranges == NULL || ranges->len != VARSIZE_ANY_EXHDR(list) ||
		memcmp(ranges->text, VARDATA_ANY(list), ranges->len) != 0)
	{
		Ranges	   *fresh = read_ranges(list, fcinfo->flinfo->fn_mcxt);

		if (ranges != NULL)
			pfree(ranges);
		fcinfo->flinfo->fn_extra = ranges = fresh;
	}
	for (i = 0; i < ranges->n; i++)
		if (icd10_in_range(code, &ranges->range[i]))
			PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(false);
}

/* ---- planner support: containment in something known is a comparison, for which an index can be used ---- */

static Node *
make_comparison(Node *code, Oid type, Oid opfamily, StrategyNumber strategy, int64_t bound)
{
	Oid			operator = get_opfamily_member(opfamily, type, type, strategy);
	Const	   *value = makeConst(type, -1, InvalidOid, sizeof(int64), Int64GetDatum(bound), false, FLOAT8PASSBYVAL);
	Expr	   *expr = make_opclause(operator, BOOLOID, false, (Expr *) copyObject(code), (Expr *) value,
									 InvalidOid, InvalidOid);

	set_opfuncid((OpExpr *) expr);
	return (Node *) expr;
}

/* code >= first AND code <= last, for each range, joined by OR */
static Node *
make_comparisons(Node *code, Oid type, const Icd10Range *range, int n)
{
	Oid			opfamily = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	List	   *any = NIL;
	int			i;

	for (i = 0; i < n; i++)
		any = lappend(any,
					  makeBoolExpr(AND_EXPR,
								   list_make2(make_comparison(code, type, opfamily, BTGreaterEqualStrategyNumber, range[i].first),
											  make_comparison(code, type, opfamily, BTLessEqualStrategyNumber, icd10_last_within(range[i].last))),
								   -1));
	return n == 1 ? linitial(any) : (Node *) makeBoolExpr(OR_EXPR, any, -1);
}

/*
 * What a call becomes: code is a plain column (the comparisons would evaluate
 * anything dearer several times) and bound a constant, one code or a list of
 * ranges.  NULL, the call stays, for anything else.
 */
static Node *
simplify(Node *code, Node *bound)
{
	Icd10Range	range[ICD10_MAX_RANGES];
	int			n = 1;
	Const	   *value = (Const *) bound;

	if (!IsA(code, Var) || !IsA(bound, Const) || value->constisnull)
		return NULL;
	if (value->consttype == TEXTOID)
	{
		text	   *list = DatumGetTextPP(value->constvalue);

		/* a bad list is reported when the call runs */
		if (icd10_parse_ranges(VARDATA_ANY(list), VARSIZE_ANY_EXHDR(list), range, &n) != CORE_OK)
			return NULL;
	}
	else
		range[0].first = range[0].last = DatumGetInt64(value->constvalue);
	return make_comparisons(code, exprType(code), range, n);
}

/* ehr_internal.icd10_last_within(bound), InvalidOid in a database where it was dropped */
static Oid
last_within_function(Oid type)
{
	oidvector  *types = buildoidvector(&type, 1);

	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("icd10_last_within"),
						   PointerGetDatum(types), ObjectIdGetDatum(get_namespace_oid("ehr_internal", true)));
}

/*
 * What an index on `code` (a column or an expression) can be asked for a bound
 * that is the same for the whole scan but not known yet, such as a parameter
 * or the other table of a join: code >= bound, code <= icd10_last_within(bound).
 * That is containment exactly, so that no row needs another look.
 */
static List *
index_condition(SupportRequestIndexCondition *request, int code_argument)
{
	List	   *args = is_opclause(request->node) ? ((OpExpr *) request->node)->args :
		is_funcclause(request->node) ? ((FuncExpr *) request->node)->args : NIL;
	Node	   *code;
	Node	   *bound;
	Oid			type;
	Oid			greater_equal;
	Oid			less_equal;
	Oid			last_within;
	Expr	   *last;

	if (list_length(args) != 2 || request->indexarg != code_argument)
		return NIL;
	code = list_nth(args, code_argument);
	bound = list_nth(args, 1 - code_argument);
	type = exprType(code);
	if (exprType(bound) != type || !is_pseudo_constant_for_index(request->root, bound, request->index))
		return NIL;
	greater_equal = get_opfamily_member(request->opfamily, type, type, BTGreaterEqualStrategyNumber);
	less_equal = get_opfamily_member(request->opfamily, type, type, BTLessEqualStrategyNumber);
	last_within = last_within_function(type);
	if (!OidIsValid(greater_equal) || !OidIsValid(less_equal) || !OidIsValid(last_within))
		return NIL;
	last = (Expr *) makeFuncExpr(last_within, type, list_make1(copyObject(bound)), InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	request->lossy = false;
	return list_make2(make_opclause(greater_equal, BOOLOID, false, (Expr *) code, (Expr *) bound, InvalidOid, InvalidOid),
					  make_opclause(less_equal, BOOLOID, false, (Expr *) code, last, InvalidOid, InvalidOid));
}

/* Both support functions; code_argument says which argument is the code that lies within the other. */
static Node *
support(Node *request, int code_argument)
{
	List	   *args;

	if (IsA(request, SupportRequestIndexCondition))
		return (Node *) index_condition((SupportRequestIndexCondition *) request, code_argument);
	if (!IsA(request, SupportRequestSimplify))
		return NULL;
	args = ((SupportRequestSimplify *) request)->fcall->args;
	return list_length(args) == 2 ? simplify(list_nth(args, code_argument), list_nth(args, 1 - code_argument)) : NULL;
}

/* support function of code <@ bound and icd10_within(code, bound) */
Datum
ehr_icd10_contained_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(support((Node *) PG_GETARG_POINTER(0), 0));
}

/* support function of bound @> code */
Datum
ehr_icd10_contains_support(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(support((Node *) PG_GETARG_POINTER(0), 1));
}

/* icd10_last_within(icd10) → icd10: the upper end of what a code contains */
Datum
ehr_icd10_last_within(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(icd10_last_within(PG_GETARG_INT64(0)));
}

/*
 * Share of rows whose code lies within a bound, for what was not simplified: an
 * expression on the left.  The histogram of an expression index answers for a
 * constant; otherwise contsel's guess.
 */
static double
contained_share(PlannerInfo *root, List *args, int varRelid, int code_argument)
{
	Node	   *code = list_nth(args, code_argument);
	Node	   *bound = estimate_expression_value(root, list_nth(args, 1 - code_argument));
	Oid			type = exprType(code);
	Oid			opfamily = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	OpExpr	   *first;
	OpExpr	   *last;
	double		share;

	if (!IsA(bound, Const) || ((Const *) bound)->constisnull)
		return DEFAULT_CONTAINED_SHARE;
	first = (OpExpr *) make_comparison(code, type, opfamily, BTGreaterEqualStrategyNumber, DatumGetInt64(((Const *) bound)->constvalue));
	last = (OpExpr *) make_comparison(code, type, opfamily, BTLessEqualStrategyNumber,
									  icd10_last_within(DatumGetInt64(((Const *) bound)->constvalue)));
	share = restriction_selectivity(root, first->opno, first->args, InvalidOid, varRelid) +
		restriction_selectivity(root, last->opno, last->args, InvalidOid, varRelid) - 1.0;
	return share > 0.0 ? share : DEFAULT_CONTAINED_SHARE;
}

/* RESTRICT of code <@ bound */
Datum
ehr_icd10_contained_sel(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(contained_share((PlannerInfo *) PG_GETARG_POINTER(0), (List *) PG_GETARG_POINTER(2), PG_GETARG_INT32(3), 0));
}

/* RESTRICT of bound @> code */
Datum
ehr_icd10_contains_sel(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(contained_share((PlannerInfo *) PG_GETARG_POINTER(0), (List *) PG_GETARG_POINTER(2), PG_GETARG_INT32(3), 1));
}

/* chapter(icd10) → text: Roman number of the chapter, null for a code outside all of them */
Datum
ehr_icd10_chapter(PG_FUNCTION_ARGS)
{
	char		block[ICD10_BLOCK_SIZE];
	char		chapter[ICD10_CHAPTER_SIZE];

	if (!icd10_block(PG_GETARG_INT64(0), block, chapter))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(chapter));
}

/* block(icd10) → text: E10-E14, null for a code outside all of them */
Datum
ehr_icd10_block(PG_FUNCTION_ARGS)
{
	char		block[ICD10_BLOCK_SIZE];
	char		chapter[ICD10_CHAPTER_SIZE];

	if (!icd10_block(PG_GETARG_INT64(0), block, chapter))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(block));
}

/* category(icd10) → icd10: E11 of E11.9 */
Datum
ehr_icd10_category(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(icd10_category(PG_GETARG_INT64(0)));
}
