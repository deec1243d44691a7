/*
 * fhir_expr.h
 *		The part of FHIRPath in which R4's invariants are written.
 *
 * A strict subset: what is taken means what FHIRPath N1 says it means, and
 * what is not known is refused when it is parsed.  Elements are found through
 * the model (fhir_model.h), so that `value` is every valueX, and a primitive
 * is there when its value or its `_name` twin is.
 *
 * Known: paths, $this, %resource, %rootResource, %context, %ucum, literals (string, integer,
 * decimal, boolean, {}), and or xor implies, = != < <= > >=, in contains, | & is as;
 * exists empty not count hasValue first tail where all select isDistinct is as ofType
 * startsWith contains matches substring toInteger toString trace iif children
 * descendants combine intersect; resolve, which finds contained resources only.  `matches` takes the patterns of a table only,
 * replaceMatches the one use that R4 makes of it.
 */
#ifndef EHR_FHIR_EXPR_H
#define EHR_FHIR_EXPR_H

#include "core.h"
#include "json_tree.h"

/* Deepest nesting of an expression */
#define FHIR_EXPR_DEPTH	64

/* Most steps of one evaluation; then it is undecided */
#define FHIR_EXPR_STEPS	2000000

typedef struct FhirExpr FhirExpr;

typedef enum FhirTruth
{
	FHIR_TRUTH_FALSE,
	FHIR_TRUTH_TRUE,
	FHIR_TRUTH_EMPTY,			/* {}, see fhir_expr_test */
	FHIR_TRUTH_UNDECIDED		/* an error of FHIRPath, or too much work */
} FhirTruth;

/* What an evaluation stands in */
typedef struct FhirScope
{
	const JsonNode *resource;	/* the nearest resource: %resource */
	int			resource_type;
	const JsonNode *root;		/* the outermost: %rootResource */
	int			root_type;
} FhirScope;

/* An element that an expression is asked of */
typedef struct FhirFocus
{
	const JsonNode *node;		/* NULL: only the twin is there */
	const JsonNode *twin;		/* `_name` of a primitive, or NULL */
	int			type;
} FhirFocus;

/* CORE_INVALID: not in the subset, *at is the byte where it stops being so. */
extern CoreStatus fhir_expr_parse(const CoreContext *cx, const char *text, size_t len, FhirExpr **expr, size_t *at);

extern void fhir_expr_free(const CoreContext *cx, FhirExpr *expr);

/*
 * CORE_OK with *truth; CORE_NO_MEMORY, CORE_INTERRUPTED.  A constraint that
 * gives {} is not true, so the answer is FALSE; EMPTY is only said where {}
 * came from values that cannot be compared (dates of different precision,
 * quantities of different units) or from a text function or a question of type
 * of an absent element.
 */
extern CoreStatus fhir_expr_test(const CoreContext *cx, const FhirExpr *expr, const FhirScope *scope,
								 const FhirFocus *focus, FhirTruth *truth);

/* Type index of a resource by its resourceType, 0 if there is none. */
extern int	fhir_node_resource_type(const JsonNode *node);

/*
 * The elements of this name (without the type of a choice): calls `each` for
 * every one, with its index in the array (-1 where it does not repeat).
 * False: `each` said so.
 */
typedef bool (*FhirEach) (void *arg, const FhirFocus *element, int index);
extern bool fhir_each_element(const JsonNode *object, int type, const char *name, size_t len, FhirEach each, void *arg);

#endif							/* EHR_FHIR_EXPR_H */
