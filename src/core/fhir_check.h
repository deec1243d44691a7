/*
 * fhir_check.h
 *		Structural validation of a FHIR R4 resource.
 *
 * One walk over a JSON tree (json_tree.h), whose objects are sorted as the
 * model's element tables are: every object is compared with its type by a
 * merge.  The same walk serves the type's input, which stops at the first
 * fault, and validate(), which collects all.
 */
#ifndef EHR_FHIR_CHECK_H
#define EHR_FHIR_CHECK_H

#include "core.h"
#include "json_tree.h"

/* Deepest nesting of elements (JSON objects) in a resource */
#define FHIR_DEPTH_MAX	64

/* Longest path that is written out; longer ones end in "..." */
#define FHIR_PATH_MAX	768

typedef enum FhirRule
{
	FHIR_RULE_NO_OBJECT,		/* the resource is no JSON object */
	FHIR_RULE_NO_RESOURCE_TYPE,
	FHIR_RULE_UNKNOWN_RESOURCE_TYPE,
	FHIR_RULE_UNKNOWN_ELEMENT,
	FHIR_RULE_DUPLICATE_KEY,
	FHIR_RULE_JSON_TYPE,		/* string, number, object ... where another is due */
	FHIR_RULE_NOT_ARRAY,
	FHIR_RULE_ARRAY,
	FHIR_RULE_EMPTY_ARRAY,
	FHIR_RULE_EMPTY_OBJECT,
	FHIR_RULE_EMPTY_STRING,
	FHIR_RULE_NULL,
	FHIR_RULE_REQUIRED,
	FHIR_RULE_CHOICE,
	FHIR_RULE_FORMAT,
	FHIR_RULE_CODE,
	FHIR_RULE_CONCEPT,
	FHIR_RULE_SIBLING,			/* _name does not match name */
	FHIR_RULE_ONLY_ID,			/* an element with an id and nothing else */
	FHIR_RULE_EXTENSION_BOTH,
	FHIR_RULE_EXTENSION_NONE,
	FHIR_RULE_REFERENCE_FORM,
	FHIR_RULE_REFERENCE_TARGET,
	FHIR_RULE_CONTAINED_NESTED,
	FHIR_RULE_CONTAINED_ID,		/* missing */
	FHIR_RULE_CONTAINED_TWICE,
	FHIR_RULE_XHTML_MALFORMED,
	FHIR_RULE_XHTML_ROOT,
	FHIR_RULE_XHTML_ELEMENT,
	FHIR_RULE_XHTML_SCRIPT,
	FHIR_RULE_XHTML_EMPTY,
	FHIR_RULE_URN,
	FHIR_RULE_DEPTH,
	FHIR_RULES
} FhirRule;

/* What is always the same about a rule */
typedef struct FhirRuleText
{
	const char *key;			/* stable name, for programs */
	const char *issue;			/* code of OperationOutcome.issue */
	const char *text;			/* what is wrong; %s is the fault's `what` */
	const char *hint;			/* a sentence; NULL: the fault's own hint or none */
	bool		later;			/* not a rule of the input, only of validate() */
} FhirRuleText;

extern const FhirRuleText fhir_rule_texts[FHIR_RULES];

typedef struct FhirFault
{
	FhirRule	rule;
	const char *path;			/* FHIRPath of the element, NUL-terminated; valid during the report only */
	const char *what;			/* constant text for the rule's %s, e.g. a type's name; NULL: none */
	const char *hint;			/* constant text; NULL: none */
} FhirFault;

/* Called for every fault; false stops the walk. */
typedef bool (*FhirReport) (void *arg, const FhirFault *fault);

/* Where the walk is; valid during the call only */
typedef struct FhirPlace FhirPlace;

/* An object that the walk has come through */
typedef struct FhirVisit
{
	const JsonNode *node;
	int			type;			/* its type index */
	const FhirPlace *place;
	const JsonNode *resource;	/* the nearest resource, */
	int			resource_type;
	const JsonNode *root;		/* and the one that contains it, or the same */
	int			root_type;
	uint64_t	seen;			/* slots of its type that are filled */
	bool		clean;			/* no fault was found so far: what is seen is there */
	bool		outermost;		/* the document itself */
} FhirVisit;

/* Called for every object of a known type, after all that is in it. */
typedef void (*FhirVisitor) (void *arg, const FhirVisit *visit);

/*
 * Writes a place as FHIRPath, with a further step below it where `child` is
 * not NULL (index -1: no index).  `path` has FHIR_PATH_SIZE bytes.
 */
#define FHIR_PATH_SIZE	(FHIR_PATH_MAX + 4)
extern void fhir_place_path(const FhirPlace *place, const char *child, int index, char *path);

/*
 * Validates a resource, by the rules of the input or by all.  CORE_OK: no fault.  CORE_INVALID: at least one fault
 * was reported.  CORE_INTERRUPTED, CORE_NO_MEMORY: no verdict.
 *
 * No value of the document is ever given to `report`: paths hold names that
 * the model knows, and of unknown elements only names of at most 64 letters
 * and underscores.
 */
extern CoreStatus fhir_check_resource(const CoreContext *cx, const JsonNode *root, bool all_rules,
									  FhirReport report, void *arg);

/* The same with a visitor (all rules). */
extern CoreStatus fhir_check_and_visit(const CoreContext *cx, const JsonNode *root, FhirReport report,
									   FhirVisitor visitor, void *arg);

#endif							/* EHR_FHIR_CHECK_H */
