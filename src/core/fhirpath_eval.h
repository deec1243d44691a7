/*
 * fhirpath_eval.h
 *		Plans and their evaluation: shared by the files of the engine.
 *
 * A plan is a tree of FpExec.  Running a node pushes its items, one by one and
 * as soon as they are known, to a sink; the sink returns false when it wants
 * no more.  So `a.where(x).first()` looks at nothing behind the first hit, and
 * a path makes no collections in between.
 *
 * While a node runs, ev->focus is the focus of the expression that it stands
 * in ($this, $index, $total).  Whoever changes it (where, select, ...) puts
 * it back before pushing on.
 *
 * A run returns false when it was stopped, by its sink or by an error; errors
 * stand in ev->status.  A node that yields at most one boolean has `truth`
 * besides: 1, 0, FP_UNKNOWN for {}, FP_FAILED after an error.
 */
#ifndef EHR_FHIRPATH_EVAL_H
#define EHR_FHIRPATH_EVAL_H

#include <string.h>

#include "decimal.h"
#include "fhir_model.h"
#include "fhirpath_program.h"
#include "regex_utf.h"
#include "temporal.h"
#include "truth.h"
#include "ucum.h"

#define FP_ARGUMENTS_MAX	8

#define FP_UNKNOWN	(-1)
#define FP_FAILED	(-2)

typedef struct FpSink FpSink;
typedef struct FpExec FpExec;

typedef bool (*FpPush) (FhirPathEval *ev, FpSink *sink, const FpItem *item);
typedef bool (*FpRun) (FhirPathEval *ev, const FpExec *x, FpSink *sink);
typedef int (*FpTruth) (FhirPathEval *ev, const FpExec *x);

struct FpSink
{
	FpPush		push;
};

/* -- functions -------------------------------------------------------------- */

#define FP_F_TYPE	1			/* the argument is the name of a type */
#define FP_F_SORT	2			/* arguments may end in asc or desc */
#define FP_F_PATTERN 4			/* keeps a compiled pattern */

typedef struct FpFunction
{
	const char *name;
	int8_t		min_args;
	int8_t		max_args;
	uint8_t		flags;
	uint8_t		needs;
	FpRun		run;
	FpTruth		truth;			/* instead of run */
} FpFunction;

extern const FpFunction *fp_function_find(const char *name, size_t len);
extern const FpFunction *fp_factory_find(const char *name, size_t len);

/* Tables of the parts, each ending in a NULL name */
extern const FpFunction fp_collection_functions[];
extern const FpFunction fp_text_functions[];
extern const FpFunction fp_convert_functions[];
extern const FpFunction fp_math_functions[];
extern const FpFunction fp_time_functions[];
extern const FpFunction fp_fhir_functions[];
extern const FpFunction fp_factory_functions[];

/* -- types ------------------------------------------------------------------ */

/* What a type's name means: a type of the model, a System type, or (Quantity) both */
typedef struct FpTypeSpec
{
	uint16_t	type;			/* type index, 0: none */
	int8_t		kind;			/* FhirPathKind of a System type, -1: none */
	bool		any;			/* System.Any */
} FpTypeSpec;

extern bool fp_type_resolve(const char *name, size_t len, FpTypeSpec *spec);
extern bool fp_item_is(const FpItem *item, const FpTypeSpec *spec);

/* -- plans ------------------------------------------------------------------ */

typedef enum FpStepHow
{
	FP_STEP_PLAIN,
	FP_STEP_CHOICE
} FpStepHow;

/* One name of a path, with what it means for the type that it was last asked of */
typedef struct FpStep
{
	const char *twin;			/* '_' and the name */
	uint32_t	len;			/* of the name */
	const FpTypeSpec *only;		/* ofType() behind it, or NULL */
	bool		leading;		/* may be the name of the focus's type */

	bool		cached;
	uint16_t	for_type;
	uint8_t		how;			/* FpStepHow */
	bool		filter;			/* `only` must be asked of each item */
	bool		is_type;		/* leading, and for_type is of that name */
	uint16_t	type;			/* of what it finds, 0: not known */
	const char *key_twin;		/* '_' and the JSON key: of a choice that `only` decides */
	uint32_t	key_len;
} FpStep;

struct FpExec
{
	FpRun		run;
	FpTruth		truth;			/* NULL: run only */
	uint8_t		op;				/* FpOp; for CALL see function */
	uint8_t		count;			/* of args, the input not counted */
	bool		constant;		/* does not look at focus, document or variables */
	const FpExec *input;		/* NULL: the focus */
	const FpExec **args;		/* operands of an operator, arguments of a function */
	const FpFunction *function;
	const char *text;
	uint32_t	len;
	FpItem		literal;		/* of a literal */
	FpStep	   *steps;			/* of a path */
	int			step_count;
	int			slot;			/* of a variable: 1 + index of defineVariable's slot, 0: the caller's */
	FpTypeSpec	type;			/* is, as, ofType */
	struct FpPattern *pattern;	/* matches and its kin: what was compiled last */
};

/* The pattern that a node has compiled last; compiled patterns live as long as the plan. */
typedef struct FpPattern
{
	struct FpPattern *next;		/* of the plan */
	Regex	   *regex;			/* NULL: none yet */
	char	   *text;			/* of pattern and flags, cx's memory */
	size_t		len;
	size_t		flags_len;
} FpPattern;

typedef struct FpPlanChunk
{
	struct FpPlanChunk *next;
	size_t		used;
	size_t		size;
} FpPlanChunk;

struct FhirPathPlan
{
	CoreContext cx;
	FpPlanChunk *chunks;
	const FpExec *root;
	int			slots;
	uint32_t	needs;
	struct FpPattern *patterns;	/* to be freed with the plan */
};

/* -- evaluation ------------------------------------------------------------- */

typedef struct FpList
{
	FpItem	   *items;
	size_t		count;
	size_t		room;
	struct FpIndex *index;		/* of fp_list_find, NULL: none yet */
} FpList;

typedef struct FpFocus
{
	const FpItem *item;			/* NULL: none */
	int64_t		index;
	const FpList *total;		/* NULL: none */
} FpFocus;

typedef struct FpChunk
{
	struct FpChunk *next;
	size_t		size;
} FpChunk;

struct FhirPathEval
{
	CoreContext cx;
	const FhirPathInput *input;
	FpItem		document;
	FpItem		context;		/* %context */
	const FhirPathPlan *plan;
	FpFocus		focus;
	FpList	   *slots;			/* of defineVariable */
	CoreStatus	status;
	bool		incomparable;	/* some {} came from values that cannot be compared */
	FhirPathError error;
	int			budget;			/* steps until fp_poll */
	int64_t		steps;
	size_t		memory;			/* of chunks */
	char	   *free;			/* the rest of the current chunk */
	size_t		left;
	FpChunk    *chunks;
};

#define FP_POLL 1024

extern bool fp_poll(FhirPathEval *ev);

/* Counts a step; false: stopped. */
static inline bool
fp_step(FhirPathEval *ev)
{
	return --ev->budget > 0 || fp_poll(ev);
}

/* Counts work on so many bytes of text; false: stopped. */
extern bool fp_charge(FhirPathEval *ev, size_t bytes);

/* Notes an error of the expression and returns false. */
extern bool fp_fail(FhirPathEval *ev, FhirPathFault fault, const char *text);
extern bool fp_fail_status(FhirPathEval *ev, CoreStatus status);

extern bool fp_has_document(const FhirPathEval *ev);

extern void *fp_alloc(FhirPathEval *ev, size_t size);

static inline bool
fp_run(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return x->run(ev, x, sink);
}

/* The input of a function: of its node, or the focus */
extern bool fp_run_input(FhirPathEval *ev, const FpExec *x, FpSink *sink);

/* Runs another node on a focus; the sink gets its items under the focus that was before. */
extern bool fp_run_focused(FhirPathEval *ev, const FpExec *x, const FpFocus *focus, FpSink *sink);

/* All items of a node, or of a node's input; false after an error. */
extern bool fp_collect(FhirPathEval *ev, const FpExec *x, FpList *list);
extern bool fp_collect_input(FhirPathEval *ev, const FpExec *x, FpList *list);
extern bool fp_list_add(FhirPathEval *ev, FpList *list, const FpItem *item);
extern bool fp_push_list(FhirPathEval *ev, const FpList *list, FpSink *sink);

/*
 * The one item of a node (of a node's input): 1 with *item, 0 for {}, FP_FAILED;
 * several are an error that names `what`.
 */
extern int	fp_single(FhirPathEval *ev, const FpExec *x, FpItem *item, const char *what);
extern int	fp_single_input(FhirPathEval *ev, const FpExec *x, FpItem *item);

/* A node as a criterion, with the focus as it is or another */
extern int	fp_truth(FhirPathEval *ev, const FpExec *x);
extern int	fp_truth_focused(FhirPathEval *ev, const FpExec *x, const FpItem *item, int64_t index);

/* Items of values; those that need memory return false when there is none. */
extern FpItem fp_boolean(bool value);
extern FpItem fp_integer(int64_t value);
extern FpItem fp_string(const char *text, size_t len);
extern bool fp_push_boolean(FhirPathEval *ev, bool value, FpSink *sink);
extern bool fp_push_truth(FhirPathEval *ev, int truth, FpSink *sink);
extern bool fp_push_integer(FhirPathEval *ev, int64_t value, FpSink *sink);
extern bool fp_push_string(FhirPathEval *ev, const char *text, size_t len, FpSink *sink);
extern bool fp_push_decimal(FhirPathEval *ev, const Decimal *value, FpSink *sink);

/* run of nodes that have truth only */
extern bool fp_run_truth(FhirPathEval *ev, const FpExec *x, FpSink *sink);

/* -- places in documents ---------------------------------------------------- */

/* What a step means for a type (0: not known), noted in it */
extern void fp_step_look_up(FpStep *step, int type);

extern bool fp_walk(FhirPathEval *ev, const FpExec *x, FpSink *sink);

/* All elements of an item, in the document's order */
extern bool fp_children(FhirPathEval *ev, const FpItem *item, FpSink *sink);

/* Shapes of nodes: first(), and an index that is written out */
extern bool fp_is_first(const FpExec *x);
extern bool fp_is_index(const FpExec *x, int64_t *index);

/* The item of a document's root; likely: the resource type that it probably is, 0 */
extern FpItem fp_document_item(const JbContainer *root, uint32_t size, bool no_model, int likely);

/* A place in JSON of which nothing is known but itself */
extern FpItem fp_value_node(const JbValue *value, bool no_model);

/* A key of an item's object, looked up as JSON; false: no such key or no object */
extern bool fp_item_get(const FpItem *item, const char *key, JbValue *value);

/* -- values ----------------------------------------------------------------- */

typedef struct FpQuantity
{
	Decimal		value;
	const char *unit;			/* "" where there is none: the unit 1 */
	uint32_t	unit_len;
	uint8_t		calendar;		/* CalendarUnit of a calendar word; unit is the word */
	bool		both;			/* of a FHIR Quantity in a or mo: a UCUM unit that also stands for the calendar's */
} FpQuantity;

/* An item's value as FHIRPath's System types have it */
typedef struct FpValue
{
	int8_t		kind;			/* FhirPathKind, FP_V_… */
	uint32_t	len;
	union
	{
		bool		boolean;
		int64_t		number;
		const char *text;
		Decimal		decimal;
		Temporal	temporal;
		FpQuantity	quantity;
	}			u;
} FpValue;

#define FP_V_NONE	(-1)		/* no value: only a twin */
#define FP_V_OBJECT	(-2)		/* an object that is no Quantity */

extern void fp_value(const FpItem *item, FpValue *value);

/* Whether a type of the model is Quantity or derives from it */
extern bool fp_is_quantity(int type);

/* The same as an item; CORE_NO_MEMORY is noted. */
extern bool fp_value_item(FhirPathEval *ev, const FpValue *value, FpItem *item);
extern bool fp_push_value(FhirPathEval *ev, const FpValue *value, FpSink *sink);

/* A text value: false (and nothing noted) where it is no text */
extern bool fp_text_of(const FpItem *item, const char **text, uint32_t *len);

/* As Decimal: integers, longs, decimals */
extern bool fp_number_of(const FpValue *value, Decimal *number);

/* As Quantity: numbers have the unit 1 */
extern bool fp_quantity_of(const FpValue *value, FpQuantity *quantity);

/* toString(): in the evaluator's memory; false where it has none (objects, twins) */
extern bool fp_value_print(FhirPathEval *ev, const FpValue *value, const char **text, uint32_t *len);

/* "1 'mg'", "4 days", "5": false if it is none */
extern bool fp_quantity_parse(const char *text, size_t len, FpQuantity *quantity);
extern bool fp_unit_set(FpQuantity *quantity, const char *unit, size_t len);

/* UCUM's unit of a calendar word, NULL for years and months, which are only alike (N1 2.1.6.1) */
extern const char *fp_calendar_ucum(CalendarUnit unit, bool loose);

/* Counts the work of parsing two units that are not the same, before it is done; false: stopped. */
extern bool fp_charge_units(FhirPathEval *ev, const FpQuantity *a, const FpQuantity *b);

/* a in the unit of b; false: they do not compare.  loose: calendar years and months are a and mo. */
extern bool fp_quantity_convert(const FpQuantity *a, const FpQuantity *b, bool loose, Decimal *a_value, Decimal *b_value);

/* 1, 0, FP_UNKNOWN ({}); FP_FAILED after an error */
extern int	fp_equal(FhirPathEval *ev, const FpItem *a, const FpItem *b);
extern int	fp_equivalent(FhirPathEval *ev, const FpItem *a, const FpItem *b);
extern int	fp_equal_lists(FhirPathEval *ev, const FpList *a, const FpList *b);
extern int	fp_equivalent_lists(FhirPathEval *ev, const FpList *a, const FpList *b);

/* *order: ORDER_LESS … ORDER_UNKNOWN; false: an error was noted */
extern bool fp_order(FhirPathEval *ev, const FpItem *a, const FpItem *b, CoreOrder *order);

/* Whether the list has an item that is equal; fp_list_find is for a list that is asked again and again, and may grow */
extern int	fp_list_has(FhirPathEval *ev, const FpList *list, const FpItem *item);
extern int	fp_list_find(FhirPathEval *ev, FpList *list, const FpItem *item);

/* Adds those that the list does not have yet */
extern bool fp_list_add_distinct(FhirPathEval *ev, FpList *list, const FpItem *item);

/* -- operators, by FpOp ----------------------------------------------------- */

extern void fp_bind_operator(FpExec *x);

/* Arithmetic of + and -; sign 1 or -1.  1 with *result, 0 for {}, FP_FAILED */
extern int	fp_add_values(FhirPathEval *ev, const FpValue *a, const FpValue *b, int sign, FpValue *result);
extern int	fp_divide_values(FhirPathEval *ev, const FpValue *a, const FpValue *b, FpValue *result);

/* Literals of the stored form */
extern bool fp_literal(const FpNode *node, const char *text, const char *unit, const FpNode *unit_node, FpValue *value);

#endif							/* EHR_FHIRPATH_EVAL_H */
