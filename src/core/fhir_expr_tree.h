/*
 * fhir_expr_tree.h
 *		Parsed expressions: shared by fhir_expr.c (parser) and fhir_expr_eval.c.
 */
#ifndef EHR_FHIR_EXPR_TREE_H
#define EHR_FHIR_EXPR_TREE_H

#include "fhir_expr.h"

typedef enum ExprOp
{
	EXPR_EMPTY,
	EXPR_STRING,
	EXPR_NUMBER,
	EXPR_BOOLEAN,
	EXPR_THIS,
	EXPR_RESOURCE,
	EXPR_ROOT,
	EXPR_CONTEXT,
	EXPR_CHILD,					/* name of a[0], or of the focus */
	EXPR_CALL,					/* function on a[0], or on the focus; arguments a[1], a[2], a[3] */
	EXPR_AND,
	EXPR_OR,
	EXPR_XOR,
	EXPR_IMPLIES,
	EXPR_EQ,
	EXPR_NE,
	EXPR_LT,
	EXPR_LE,
	EXPR_GT,
	EXPR_GE,
	EXPR_IN,
	EXPR_CONTAINS,
	EXPR_UNION,
	EXPR_JOIN,					/* & */
	EXPR_PLUS,
	EXPR_IS,
	EXPR_AS
} ExprOp;

typedef enum ExprFunction
{
	CALL_EXISTS, CALL_EMPTY, CALL_NOT, CALL_COUNT, CALL_HAS_VALUE, CALL_FIRST, CALL_TAIL,
	CALL_WHERE, CALL_ALL, CALL_SELECT, CALL_DISTINCT, CALL_IS, CALL_AS, CALL_OF_TYPE,
	CALL_STARTS_WITH, CALL_CONTAINS, CALL_MATCHES, CALL_CUT_MATCHES, CALL_SUBSTRING, CALL_TO_INTEGER, CALL_TO_STRING,
	CALL_TRACE, CALL_IIF, CALL_CHILDREN, CALL_DESCENDANTS, CALL_COMBINE, CALL_INTERSECT, CALL_RESOLVE
} ExprFunction;

typedef struct ExprNode
{
	uint8_t		op;
	uint8_t		function;
	bool		fixed;			/* the same for every item of this evaluation: computed once */
	int16_t		a[4];			/* nodes, -1: none */
	uint16_t	type;			/* is, as, ofType: type index */
	const char *text;			/* names, literals; in the expression's own text */
	uint16_t	len;
} ExprNode;

#define EXPR_NODES_MAX	512

struct FhirExpr
{
	int			root;
	int			count;
	char	   *text;			/* own copy, escapes decoded in place */
	ExprNode	nodes[];
};

/* A pattern that `matches` knows */
typedef bool (*ExprPattern) (const char *text, size_t len);
extern ExprPattern expr_pattern_find(const char *pattern, size_t len);

#endif							/* EHR_FHIR_EXPR_TREE_H */
