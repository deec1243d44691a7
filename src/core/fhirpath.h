/*
 * fhirpath.h
 *		FHIRPath (N1, with R4's additions and the functions of the HL7 suite) over binary jsonb.
 *
 * Three steps:
 *
 *	fhirpath_parse	text → FhirPath, a flat relocatable value that can be stored;
 *	fhirpath_plan	FhirPath → FhirPathPlan, bound to the model and to functions; once a query;
 *	fhirpath_each	runs a plan and hands out each item of the result as it is found.
 *
 * Evaluation is lazy: items are pushed to the caller's function, and what it
 * does not ask for is not computed.  An item is a place in the document (no
 * copy) or a value in the evaluator's memory; both live until the next
 * fhirpath_begin.  A plan and an evaluator serve one thread at a time; one
 * evaluator may run any number of plans over the same document.
 */
#ifndef EHR_FHIRPATH_H
#define EHR_FHIRPATH_H

#include "core.h"
#include "jsonb_read.h"

/* Limits; those of evaluation are constants for immutable callers */
#define FHIRPATH_TEXT_MAX		1000000		/* bytes of an expression */
#define FHIRPATH_DEPTH			400			/* nesting of an expression */
#define FHIRPATH_STEPS			10000000	/* steps of one evaluation */
#define FHIRPATH_MEMORY			((size_t) 256 << 20)	/* bytes that one evaluation may take */
#define FHIRPATH_DOCUMENT_DEPTH	1000		/* levels that descendants() and equality walk down */

/* What an expression needs beside the document; bits */
#define FHIRPATH_NEEDS_CLOCK		1		/* now(), today(), timeOfDay() */
#define FHIRPATH_NEEDS_TERMINOLOGY	2		/* memberOf() */
#define FHIRPATH_NEEDS_PROFILES		4		/* conformsTo() */
#define FHIRPATH_NEEDS_RESOURCES	8		/* resolve() */
#define FHIRPATH_NEEDS_VARIABLES	16		/* a variable that the caller must give */

typedef struct FhirPath FhirPath;
typedef struct FhirPathPlan FhirPathPlan;
typedef struct FhirPathEval FhirPathEval;

typedef enum FhirPathFault
{
	FHIRPATH_FINE = 0,
	FHIRPATH_SYNTAX,			/* at: the byte of the expression */
	FHIRPATH_UNKNOWN,			/* no such function, type, variable */
	FHIRPATH_ARGUMENTS,			/* wrong number or kind of arguments */
	FHIRPATH_SINGLE,			/* several items where one is due */
	FHIRPATH_TYPE,				/* a value of another type is due */
	FHIRPATH_VALUE,				/* not a value: a date that the calendar does not have, a bad pattern */
	FHIRPATH_UNSUPPORTED,		/* what the caller does not offer */
	FHIRPATH_STEP_LIMIT			/* of steps or of memory */
} FhirPathFault;

/* Texts never hold a value of the document. */
typedef struct FhirPathError
{
	FhirPathFault fault;
	size_t		at;				/* FHIRPATH_SYNTAX, _UNKNOWN, _ARGUMENTS of the parser */
	char		text[200];		/* message: lower case, no full stop */
} FhirPathError;

/* -- parsing ---------------------------------------------------------------- */

/*
 * Parses UTF-8 text.  *path comes from cx->alloc.  CORE_INVALID with *error;
 * CORE_TOO_LARGE, CORE_TOO_DEEP with error->text; CORE_NO_MEMORY, CORE_INTERRUPTED.
 */
extern CoreStatus fhirpath_parse(const CoreContext *cx, const char *text, size_t len, FhirPath **path,
								 FhirPathError *error);

/* Bytes of a parsed expression. */
extern size_t fhirpath_size(const FhirPath *path);

/* FHIRPATH_NEEDS_… */
extern uint32_t fhirpath_needs(const FhirPath *path);

/*
 * Whether a value of this size that was stored, or came from elsewhere, is one
 * that this version reads (version byte, all offsets in range).
 */
extern bool fhirpath_valid(const void *value, size_t size);

/*
 * Prints canonically: fewest parentheses, one space around operators.  Parsing
 * the result gives the same value.  *text from cx->alloc, NUL-terminated.
 */
extern CoreStatus fhirpath_print(const CoreContext *cx, const FhirPath *path, char **text, size_t *len);

/*
 * Strict mode: CORE_INVALID with *error for what is wrong with every document
 * whose focus is of this type (0: not known, then only what follows from names
 * of types in the expression): unknown elements, impossible types.
 */
extern CoreStatus fhirpath_check(const FhirPath *path, int type, FhirPathError *error);

/* -- items ------------------------------------------------------------------ */

typedef enum FhirPathKind
{
	FP_NODE = 0,				/* a place in a document */
	FP_BOOLEAN,					/* u.number */
	FP_INTEGER,					/* u.number; also FP_LONG */
	FP_LONG,
	FP_DECIMAL,					/* u.decimal */
	FP_STRING,					/* u.text, len */
	FP_DATE,					/* u.temporal; also the two below */
	FP_DATETIME,
	FP_TIME,
	FP_QUANTITY,				/* u.quantity */
	FP_TYPE						/* u.text: "FHIR.Patient", "System.String"; of type() */
} FhirPathKind;

struct Decimal;
struct Temporal;
struct FpQuantity;

typedef struct FpItem
{
	uint8_t		kind;			/* FhirPathKind */
	uint8_t		json;			/* FP_NODE: JbType */
	uint16_t	type;			/* FP_NODE: type index of the model (fhir_model.h), 0: not known */
	uint32_t	len;			/* bytes of the text or value */
	union
	{
		const char *text;		/* FP_NODE: as JbValue's ptr */
		int64_t		number;
		const struct Decimal *decimal;
		const struct Temporal *temporal;
		const struct FpQuantity *quantity;
	}			u;
	const JbContainer *twin;	/* FP_NODE: the object of `_name`, or NULL; a node of JB_T_NULL has only that */
} FpItem;

/* -- evaluation ------------------------------------------------------------- */

/* What the engine asks its caller for; functions that are NULL are not offered. */
typedef struct FhirPathHost
{
	void	   *arg;

	/* memberOf: 1 yes, 0 no, -1 not known ({}), -2 an error */
	int			(*member_of) (void *arg, const char *value_set, size_t len, const FpItem *item);

	/* conformsTo: as member_of */
	int			(*conforms_to) (void *arg, const char *profile, size_t len, const FpItem *item);

	/*
	 * resolve() of what is neither contained nor in the Bundle: the root
	 * container of the resource, in memory that lives until the evaluation
	 * ends, or NULL.
	 */
	const JbContainer *(*resolve) (void *arg, const char *reference, size_t len, uint32_t *size);

	/* trace(name): items were counted, no value is told.  May be NULL. */
	void		(*trace) (void *arg, const char *name, size_t len, int64_t items);
} FhirPathHost;

typedef struct FhirPathVariable
{
	const char *name;
	size_t		len;
	const FpItem *items;
	size_t		count;
} FhirPathVariable;

/* What an evaluation stands in; all zero but doc is fine */
typedef struct FhirPathInput
{
	const JbContainer *doc;		/* root container of the document; NULL: no focus at all */
	uint32_t	size;			/* its bytes */
	bool		no_model;		/* take elements by their JSON keys only */
	int			type;			/* type index of a document that is no resource, 0: not known */
	const FhirPathHost *host;	/* may be NULL */
	const FhirPathVariable *variables;
	size_t		variable_count;
	int64_t		now;			/* microseconds since 1970 UTC, for now() */
	int			zone;			/* minutes east of UTC, for now() and today() */
	int64_t		step_limit;		/* 0: FHIRPATH_STEPS */
} FhirPathInput;

/* Binds an expression to model and functions; *error for what only shows then (no such type).  Lives in cx's memory. */
extern CoreStatus fhirpath_plan(const CoreContext *cx, const FhirPath *path, FhirPathPlan **plan, FhirPathError *error);
extern void fhirpath_plan_free(FhirPathPlan *plan);

extern FhirPathEval *fhirpath_eval_create(const CoreContext *cx);
extern void fhirpath_eval_free(FhirPathEval *ev);

/* A new document: what earlier evaluations gave out is gone. *input must live until the next one. */
extern void fhirpath_begin(FhirPathEval *ev, const FhirPathInput *input);

/* The document as an item. */
extern FpItem fhirpath_document(FhirPathEval *ev);

/*
 * Runs a plan on a focus (NULL: the document; %context is the focus) and calls
 * `each` for every item until it returns false.
 * CORE_OK (also when `each` stopped it); CORE_INVALID: see fhirpath_error;
 * CORE_NO_MEMORY, CORE_INTERRUPTED, CORE_TOO_DEEP.
 */
typedef bool (*FhirPathEach) (void *arg, const FpItem *item);
extern CoreStatus fhirpath_each(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, FhirPathEach each,
								void *arg);

extern const FhirPathError *fhirpath_error(const FhirPathEval *ev);

/* The first item: *found false where there is none. */
extern CoreStatus fhirpath_first(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, FpItem *item,
								 bool *found);

/* Whether there is any item. */
extern CoreStatus fhirpath_exists(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, bool *exists);

/*
 * The result as a criterion: 1 true, 0 false, -1 {}; one item that is no
 * boolean is true (N1, singleton evaluation of collections), several are an error.
 */
extern CoreStatus fhirpath_test(FhirPathEval *ev, const FhirPathPlan *plan, const FpItem *focus, int *truth);

/*
 * Whether < <= > >= gave {} in the last evaluation because two values do not
 * compare: dates of different precision, quantities of different units.
 */
extern bool fhirpath_incomparable(const FhirPathEval *ev);

/* Memory that lives until the next fhirpath_begin; NULL when there is none. */
extern void *fhirpath_alloc(FhirPathEval *ev, size_t size);

/*
 * An item as text (strings as they are, numbers and dates as FHIRPath prints
 * them); false for objects and arrays, and where there is only a twin.  In the evaluator's memory.
 */
extern bool fhirpath_item_text(FhirPathEval *ev, const FpItem *item, const char **text, uint32_t *len);

/* Name of an item's type without namespace ("Patient", "String"), NULL where none is known. */
extern const char *fhirpath_item_type(const FpItem *item, size_t *len);

/*
 * What a structurally valid document must contain (as jsonb's @>) for the
 * expression to find anything in it, in the evaluator's memory; NULL where
 * nothing is known.
 */
extern const JbContainer *fhirpath_implied(FhirPathEval *ev, const FhirPath *path, uint32_t *size);

#endif							/* EHR_FHIRPATH_H */
