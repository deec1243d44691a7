/*
 * validate.h
 *		What the files of room validate share: one validation and its list of issues.
 *
 * Everything of a validation lives in the memory context of the call.  No
 * issue holds a value of the document.
 */
#ifndef EHR_VALIDATE_H
#define EHR_VALIDATE_H

#include "utils/jsonb.h"

#include "core/fhir_check.h"
#include "core/fhir_element.h"
#include "core/fhir_invariants.h"
#include "core/fhir_model.h"
#include "core/fhir_schedule.h"
#include "core/fhirpath.h"
#include "core/json_tree.h"

/* A document with more issues than this is not worth a longer list. */
#define ISSUES_MAX 1000

typedef enum Severity
{
	SEVERITY_FATAL,
	SEVERITY_ERROR,
	SEVERITY_WARNING,
	SEVERITY_INFORMATION
} Severity;

/* Ids of the contained resources of one resource, sorted */
typedef struct ContainedIds
{
	const JsonNode *root;		/* NULL: none looked at yet */
	JsonNode   *ids;			/* key: the id; len: its place */
	int			count;
} ContainedIds;

/* Resources of the entries of the Bundle that is validated, by URL */
typedef struct BundleUrls
{
	bool		ready;
	JsonNode   *urls;			/* key: a fullUrl, or its Type/id; len: the entry; sorted */
	int			count;
} BundleUrls;

typedef struct Issue
{
	Severity	severity;
	const char *code;			/* of OperationOutcome.issue */
	const char *rule;			/* the others: NULL where there is none */
	const char *text;
	const char *hint;
	const char *path;
} Issue;

typedef struct Validation
{
	const JsonNode *document;	/* its root */
	Jsonb	   *jsonb;			/* what it was read from; of a text, made when it is asked for, */
	bool		no_jsonb;		/* which failed: a number beyond numeric's limits, too large */
	Issue	   *issues;
	int			count;
	int			size;
	bool		full;
	ContainedIds contained;
	BundleUrls	bundle;
	struct HTAB *targets;		/* of references: whether they conform to their profiles; NULL: none asked yet */
} Validation;

/* A text that outlives the call is needed for `path` alone: it is copied; the others are kept as they are. */
extern void add_issue(Validation *v, Severity severity, const char *code, const char *rule, const char *text,
					  const char *hint, const char *path);

/* A FHIRPath expression that must be true; all zero: not prepared yet */
typedef struct FhirConstraint
{
	FhirPathPlan *plan;			/* NULL: it is no FHIRPath */
	uint32		needs;			/* FHIRPATH_NEEDS_… */
	bool		prepared;
	bool		variables;		/* it may speak of %resource or %rootResource */
} FhirConstraint;

typedef enum Verdict
{
	VERDICT_HOLDS,
	VERDICT_BROKEN,
	VERDICT_UNDECIDED			/* an error of FHIRPath, too much work, or not true and something is not loaded */
} Verdict;

/* Parses an expression once; what comes of it lives in `memory`. False: it is no FHIRPath. */
extern bool constraint_prepare(FhirConstraint *constraint, const char *text, size_t len, MemoryContext memory);

/*
 * Asks a prepared constraint of an element of v's document.  {} is not true,
 * save where it comes from values that do not compare (dates of different
 * precision, quantities of different units).
 */
extern Verdict constraint_verdict(Validation *v, const FhirConstraint *constraint, const FhirScope *scope,
								  const FhirFocus *focus);

/* Set by whoever is asked for a value set or profile that is not loaded: then what is not true is undecided. */
extern bool constraint_asked_unknown;

/* An invariant of R4 (its place in fhir_invariants), prepared at its first use */
extern const FhirConstraint *invariant_constraint(int invariant);

/* The invariants of the objects of a type, and the bindings that are not required: a visitor's work. */
extern void check_invariants(Validation *v, const FhirVisit *visit);
extern void check_bindings(Validation *v, const FhirVisit *visit);

/* A Coding by itself: its system, and whether the system can have the code */
extern void check_coding(Validation *v, const FhirVisit *visit);

/* ref-1, dom-3 */
extern void check_contained_reference(Validation *v, const FhirVisit *visit);
extern void check_contained_used(Validation *v, const FhirVisit *visit);

/* fullUrls and references of a Bundle; called at the Bundle's visit. */
extern void check_bundle(Validation *v, const FhirVisit *visit);

/* The resource of the Bundle's entry that a reference (without #) leads to; NULL: the document is no Bundle, or has none */
extern const JsonNode *bundle_resource(Validation *v, const char *reference, size_t len);

/* Extensions that R4 defines: the type of their value. */
extern void check_known_extension(Validation *v, const FhirVisit *visit);

/* Where they may stand */
extern void check_extension_context(Validation *v, const FhirVisit *visit);

/* Rules of ValueSet, CodeSystem and SearchParameter that are told in words only; at the resource's visit. */
extern void check_conformance_resource(Validation *v, const FhirVisit *visit);

/* Rules of StructureDefinition that are told in words only */
extern void check_structure_definition(Validation *v, const FhirVisit *visit);

/* A StructureDefinition against the loaded profile that it derives from */
extern void check_derivation(Validation *v, const FhirVisit *visit);

/* Answers against their Questionnaire, contained or loaded. */
extern void check_questionnaire_response(Validation *v, const FhirVisit *visit);

/* Results against their Measure, contained or loaded. */
extern void check_measure_report(Validation *v, const FhirVisit *visit);

/* The profile that validate() was asked for, of the whole document. */
extern void check_asked_profile(Validation *v, const char *profile);

/* Profiles that a resource declares (meta.profile) and, of an extension, its definition; a visitor's work. */
extern void check_declared_profiles(Validation *v, const FhirVisit *visit);
extern void check_loaded_extension(Validation *v, const FhirVisit *visit);

/* Whether a value set is known here, so that it can be asked for codes */
extern bool value_set_known(const char *url);

/* The same of the value set of an R4 binding that is not required (its place in fhir_bindings), remembered */
extern bool binding_known(int binding);

/* Whether a value set has the code: 1 yes, 0 no, -1 not known here. `system` NULL: any of its systems. */
extern int	value_set_has(const char *url, const char *system, int system_len, const char *code, int code_len);

/* Whether a code system, a value set of this URL (without a version) is loaded */
extern bool code_system_loaded(const char *url, int len);
extern bool value_set_loaded(const char *url, int len);

/* Whether some loaded version of a code system has the code: 1 yes, 0 no, -1 not known here */
extern int	code_system_has(const char *system, int system_len, const char *code, int code_len);

/* Whether a contained value set (#id) has a code, as far as its own lists tell: 1, 0, -1 not known; system NULL: any */
extern int	contained_set_has(const JsonNode *contained, const JsonNode *reference, const JsonNode *system, const JsonNode *code);

/* Rules of ValueSet.compose */
extern void check_value_set(Validation *v, const FhirVisit *visit);

/* Whether a resource is valid and meets a loaded profile */
extern bool conforms_to_profile(Jsonb *doc, const char *profile);

/* Offers memberOf() and conformsTo() to FHIRPath; called once by _PG_init. */
extern void validate_init(void);

/* A loaded definition of the kind ("Questionnaire") as a tree, NULL if there is none. */
extern const JsonNode *loaded_definition(const char *kind, const char *url, int len);

/* A canonical of the visited object that must name a resource of a type, where it is known that it names another */
extern void check_canonical(Validation *v, const FhirVisit *visit, const char *child, const char *kind);

/* Order of two values of one kind, dates as far as both are precise: -1, 0, 1; 2: they do not compare */
extern int	value_order(const JsonNode *value, const JsonNode *bound);

/* What a canonical of a visited resource names: a contained resource (#id), one of the same Bundle, or a loaded one; NULL: none. */
extern const JsonNode *definition_of(const Validation *v, const FhirVisit *visit, const JsonNode *canonical, const char *kind);

/* -- trees ---------------------------------------------------------------- */

static inline const JsonNode *
child_of(const JsonNode *object, const char *key)
{
	return object == NULL ? NULL : json_child(object, key, strlen(key));
}

static inline bool
text_is(const JsonNode *node, const char *text)
{
	return node != NULL && node->kind == NODE_STRING && node->len == strlen(text) && memcmp(node->u.text, text, node->len) == 0;
}

static inline bool
same_string(const JsonNode *a, const JsonNode *b)
{
	return a != NULL && b != NULL && a->kind == NODE_STRING && b->kind == NODE_STRING && a->len == b->len &&
		memcmp(a->u.text, b->u.text, a->len) == 0;
}

/* Nodes to make documents of; key NULL: none. Children are copied, those of an object sorted as keys are. */
extern JsonNode text_node(const char *key, const char *text);
extern JsonNode object_node(const char *key, const JsonNode *children, int count);
extern JsonNode array_node(const char *key, const JsonNode *children, int count);

/* Child i of an array, or the node itself where it is none (i 0) */
static inline int
items_of(const JsonNode *node)
{
	return node == NULL ? 0 : node->kind == NODE_ARRAY ? (int) node->len : 1;
}

static inline const JsonNode *
item_of(const JsonNode *node, int i)
{
	return node->kind == NODE_ARRAY ? &node->u.children[i] : node;
}

#endif							/* EHR_VALIDATE_H */
