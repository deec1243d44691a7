/*
 * fhirpath_plan.c
 *		Stored form → plan: operators and functions bound, paths put together, constants folded.
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#include "fhir_primitive.h"

/* A name that defineVariable() gives, as seen from the part of the expression that follows it */
typedef struct Scope
{
	const struct Scope *outer;
	const char *name;
	uint32_t	len;
	int			slot;
} Scope;

typedef struct Planner
{
	FhirPathPlan *plan;
	const FhirPath *path;
	FhirPathError *error;
	CoreStatus	status;
} Planner;

/* -- memory ----------------------------------------------------------------- */

#define PLAN_CHUNK 2048

static void *
plan_alloc(Planner *p, size_t size)
{
	FhirPathPlan *plan = p->plan;
	FpPlanChunk *chunk = plan->chunks;
	void	   *result;

	size = (size + 7) & ~(size_t) 7;
	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		size_t		room = size > PLAN_CHUNK ? size : PLAN_CHUNK;

		chunk = plan->cx.alloc(plan->cx.arg, sizeof(FpPlanChunk) + room);
		if (chunk == NULL)
		{
			p->status = CORE_NO_MEMORY;
			return NULL;
		}
		chunk->next = plan->chunks;
		chunk->size = room;
		chunk->used = 0;
		plan->chunks = chunk;
	}
	result = (char *) (chunk + 1) + chunk->used;
	chunk->used += size;
	memset(result, 0, size);
	return result;
}

static const FpExec *
fail(Planner *p, FhirPathFault fault, const char *text)
{
	if (p->status == CORE_OK)
	{
		p->status = CORE_INVALID;
		p->error->fault = fault;
		snprintf(p->error->text, sizeof(p->error->text), "%s", text);
	}
	return NULL;
}

static char *
copy_text(Planner *p, const char *text, size_t len)
{
	char	   *copy = plan_alloc(p, len + 1);

	if (copy != NULL && len > 0)
		memcpy(copy, text, len);
	return copy;
}

/* -- types ------------------------------------------------------------------ */

static const struct
{
	const char *name;
	int			kind;
}			system_types[] = {
	{"Boolean", FP_BOOLEAN}, {"Integer", FP_INTEGER}, {"Long", FP_LONG}, {"Decimal", FP_DECIMAL},
	{"String", FP_STRING}, {"Date", FP_DATE}, {"DateTime", FP_DATETIME}, {"Time", FP_TIME}, {"Quantity", FP_QUANTITY}
};

static bool
is_text(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

bool
fp_type_resolve(const char *name, size_t len, FpTypeSpec *spec)
{
	const char *dot = memchr(name, '.', len);
	bool		system = true,
				fhir = true;

	memset(spec, 0, sizeof(*spec));
	spec->kind = -1;
	if (dot != NULL)
	{
		system = is_text(name, (size_t) (dot - name), "System");
		fhir = is_text(name, (size_t) (dot - name), "FHIR");
		len -= (size_t) (dot + 1 - name);
		name = dot + 1;
	}
	if (system)
	{
		for (size_t i = 0; i < sizeof(system_types) / sizeof(system_types[0]); i++)
		{
			if (is_text(name, len, system_types[i].name))
				spec->kind = (int8_t) system_types[i].kind;
		}
		spec->any = is_text(name, len, "Any");
	}
	if (fhir)
		spec->type = (uint16_t) fhir_type_find(name, len);
	return spec->type != 0 || spec->kind >= 0 || spec->any;
}

static bool
resolve_type(Planner *p, const char *name, size_t len, FpTypeSpec *spec)
{
	char		text[120];

	if (fp_type_resolve(name, len, spec))
		return true;
	snprintf(text, sizeof(text), "no such type: %.*s", len > 64 ? 64 : (int) len, name);
	(void) fail(p, FHIRPATH_UNKNOWN, text);
	return false;
}

/* System kind of an item that the model does not know */
static int
plain_kind(const FpItem *item)
{
	if (item->kind != FP_NODE)
		return item->kind;
	switch ((JbType) item->json)
	{
		case JB_T_STRING:
			return FP_STRING;
		case JB_T_TRUE:
		case JB_T_FALSE:
			return FP_BOOLEAN;
		case JB_T_NUMBER:
			{
				JbNumber	number;

				jb_number(item->u.text, &number);
				return number.scale == 0 && number.weight <= 2 ? FP_INTEGER : FP_DECIMAL;
			}
		default:
			return -1;
	}
}

bool
fp_item_is(const FpItem *item, const FpTypeSpec *spec)
{
	if (spec->any)
		return true;
	if (item->kind == FP_NODE && item->type != 0)
		return spec->type != 0 && fhir_type_is(item->type, spec->type);
	return spec->kind >= 0 && plain_kind(item) == spec->kind;
}

const char *
fhirpath_item_type(const FpItem *item, size_t *len)
{
	int			kind = plain_kind(item);

	if (item->kind == FP_NODE && item->type != 0)
	{
		*len = (size_t) fhir_string_len(fhir_types[item->type].name);
		return fhir_string(fhir_types[item->type].name);
	}
	for (size_t i = 0; i < sizeof(system_types) / sizeof(system_types[0]); i++)
	{
		if (system_types[i].kind == kind)
		{
			*len = strlen(system_types[i].name);
			return system_types[i].name;
		}
	}
	return NULL;
}

/* -- nodes ------------------------------------------------------------------ */

static const FpExec *plan_node(Planner *p, uint32_t number, const Scope *scope, const Scope **after);

/* An item in the plan's memory, with all that it points to; false where there is none */
static bool
keep_item(Planner *p, const FpItem *item, FpItem *kept)
{
	void	   *copy = NULL;
	FpQuantity *quantity;

	*kept = *item;
	switch ((FhirPathKind) item->kind)
	{
		case FP_BOOLEAN:
		case FP_INTEGER:
		case FP_LONG:
			return true;
		case FP_STRING:
			kept->u.text = copy_text(p, item->u.text, item->len);
			return kept->u.text != NULL;
		case FP_DECIMAL:
			if ((copy = plan_alloc(p, sizeof(Decimal))) == NULL)
				return false;
			memcpy(copy, item->u.decimal, sizeof(Decimal));
			kept->u.decimal = copy;
			return true;
		case FP_QUANTITY:
			if ((quantity = plan_alloc(p, sizeof(FpQuantity))) == NULL)
				return false;
			*quantity = *item->u.quantity;
			quantity->unit = copy_text(p, quantity->unit, quantity->unit_len);
			kept->u.quantity = quantity;
			return quantity->unit != NULL;
		case FP_DATE:
		case FP_DATETIME:
		case FP_TIME:
			if ((copy = plan_alloc(p, sizeof(Temporal))) == NULL)
				return false;
			memcpy(copy, item->u.temporal, sizeof(Temporal));
			kept->u.temporal = copy;
			return true;
		default:
			return false;
	}
}

/* A literal's value, as an item in the plan's memory */
static bool
plan_literal(Planner *p, FpExec *x, const FpNode *node)
{
	const FpNode *unit = node->first == 0 ? NULL : fp_node(p->path, node->first);
	FpValue		value;
	FpItem		item = {.twin = NULL};

	if (!fp_literal(node, x->text, unit == NULL ? NULL : copy_text(p, fp_text(p->path, unit), unit->text_len), unit, &value))
	{
		(void) fail(p, FHIRPATH_VALUE, "a literal is out of range");
		return false;
	}
	item.kind = (uint8_t) value.kind;
	item.len = value.len;
	switch (value.kind)
	{
		case FP_BOOLEAN:
			item.u.number = value.u.boolean;
			break;
		case FP_INTEGER:
		case FP_LONG:
			item.u.number = value.u.number;
			break;
		case FP_STRING:
			/* stands in the plan already */
			x->literal = item;
			x->literal.u.text = value.u.text;
			return true;
		case FP_DECIMAL:
			item.u.decimal = &value.u.decimal;
			break;
		case FP_QUANTITY:
			item.u.quantity = &value.u.quantity;
			break;
		default:
			item.u.temporal = &value.u.temporal;
			break;
	}
	return keep_item(p, &item, &x->literal);
}

static bool
run_literal(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return sink->push(ev, sink, &x->literal);
}

static int
truth_literal(FhirPathEval *ev, const FpExec *x)
{
	return x->literal.u.number != 0;
}

static bool
run_empty(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	return true;
}

/* Is a path's last step so that another can be put behind it? */
static bool
is_path(const FpExec *x)
{
	return x != NULL && x->run == fp_walk && x->steps[x->step_count - 1].only == NULL;
}

bool
fp_is_first(const FpExec *x)
{
	return x->op == FP_OP_CALL && x->count == 0 && is_text(x->text, x->len, "first");
}

bool
fp_is_index(const FpExec *x, int64_t *index)
{
	if (x->op != FP_OP_INDEXER || x->count != 2 || x->args[1]->op != FP_OP_INTEGER || x->args[1]->literal.kind != FP_INTEGER)
		return false;
	*index = x->args[1]->literal.u.number;
	return true;
}

/* input.name: one more step of the input where that is a path */
static FpExec *
plan_child(Planner *p, const FpNode *node, const FpExec *input, bool has_input)
{
	int			before = is_path(input) ? input->step_count : 0;
	FpExec	   *x = plan_alloc(p, sizeof(FpExec));
	FpStep	   *steps = plan_alloc(p, (before + 1) * sizeof(FpStep));
	char	   *twin = plan_alloc(p, node->text_len + 2);

	if (x == NULL || steps == NULL || twin == NULL)
		return NULL;
	if (before > 0)
		memcpy(steps, input->steps, before * sizeof(FpStep));
	twin[0] = '_';
	memcpy(twin + 1, fp_text(p->path, node), node->text_len);
	steps[before].twin = twin;
	steps[before].len = node->text_len;
	steps[before].leading = !has_input && twin[1] >= 'A' && twin[1] <= 'Z';
	x->op = FP_OP_CHILD;
	x->run = fp_walk;
	x->steps = steps;
	x->step_count = before + 1;
	x->input = before > 0 ? input->input : input;
	return x;
}

/* input.ofType(T), (input as T): the type is asked for by the path's last step */
static FpExec *
plan_typed_path(Planner *p, const FpExec *input, const FpTypeSpec *type)
{
	FpExec	   *x = plan_alloc(p, sizeof(FpExec));
	FpStep	   *steps = plan_alloc(p, input->step_count * sizeof(FpStep));
	FpTypeSpec *only = plan_alloc(p, sizeof(FpTypeSpec));

	if (x == NULL || steps == NULL || only == NULL)
		return NULL;
	*x = *input;
	*only = *type;
	memcpy(steps, input->steps, input->step_count * sizeof(FpStep));
	steps[x->step_count - 1].only = only;
	x->steps = steps;
	return x;
}

static bool
plan_variable(Planner *p, FpExec *x, const Scope *scope)
{
	for (; scope != NULL; scope = scope->outer)
	{
		if (scope->len == x->len && memcmp(scope->name, x->text, x->len) == 0)
		{
			x->slot = scope->slot + 1;
			return true;
		}
	}
	return true;
}

/* The qualified name that an argument is: A or A.B */
static const char *
type_argument(Planner *p, uint32_t number, size_t *len)
{
	const FpNode *node = fp_node(p->path, number);
	const FpNode *space = node->first == 0 ? NULL : fp_node(p->path, node->first);
	char	   *text;

	*len = node->text_len + (space == NULL ? 0 : space->text_len + 1);
	text = plan_alloc(p, *len + 1);
	if (text == NULL)
		return NULL;
	if (space != NULL)
	{
		memcpy(text, fp_text(p->path, space), space->text_len);
		text[space->text_len] = '.';
	}
	memcpy(text + (space == NULL ? 0 : space->text_len + 1), fp_text(p->path, node), node->text_len);
	return text;
}

/* defineVariable(): the name must be written out, and new where it stands. */
static bool
plan_definition(Planner *p, FpExec *x, uint32_t argument, const Scope *scope, const Scope **after)
{
	const FpNode *name = fp_node(p->path, argument);
	Scope	   *own;

	if (name->op != FP_OP_STRING)
	{
		(void) fail(p, FHIRPATH_ARGUMENTS, "the name that defineVariable() gives must be a string as it stands");
		return false;
	}
	for (const Scope *s = scope; s != NULL; s = s->outer)
	{
		if (s->len == name->text_len && memcmp(s->name, fp_text(p->path, name), s->len) == 0)
		{
			(void) fail(p, FHIRPATH_ARGUMENTS, "a variable of this name is defined already");
			return false;
		}
	}
	if (is_text(fp_text(p->path, name), name->text_len, "context") || is_text(fp_text(p->path, name), name->text_len, "resource") ||
		is_text(fp_text(p->path, name), name->text_len, "rootResource") || is_text(fp_text(p->path, name), name->text_len, "ucum") ||
		is_text(fp_text(p->path, name), name->text_len, "sct") || is_text(fp_text(p->path, name), name->text_len, "loinc"))
	{
		(void) fail(p, FHIRPATH_ARGUMENTS, "a variable of this name is there always");
		return false;
	}
	own = plan_alloc(p, sizeof(Scope));
	if (own == NULL)
		return false;
	own->outer = scope;
	own->name = fp_text(p->path, name);
	own->len = name->text_len;
	own->slot = p->plan->slots++;
	x->slot = own->slot + 1;
	*after = own;
	return true;
}

static const FpExec *
plan_call(Planner *p, const FpNode *node, const Scope *scope, const Scope **after)
{
	FpExec	   *x = plan_alloc(p, sizeof(FpExec));
	const Scope *input_scope = scope;
	uint32_t	operand = node->first;
	bool		factory = false;
	int			n = 0;

	if (x == NULL)
		return NULL;
	x->op = FP_OP_CALL;
	x->text = copy_text(p, fp_text(p->path, node), node->text_len);
	x->len = node->text_len;
	if (node->aux != 0)
	{
		const FpNode *input = fp_node(p->path, operand);

		factory = input->op == FP_OP_VARIABLE && is_text(fp_text(p->path, input), input->text_len, "factory");
		if (!factory && (x->input = plan_node(p, operand, scope, &input_scope)) == NULL)
			return NULL;
		operand = input->next;
	}
	x->function = factory ? fp_factory_find(x->text, x->len) : fp_function_find(x->text, x->len);
	if (x->function == NULL)
		return fail(p, FHIRPATH_UNKNOWN, "a function is not known to this version");
	*after = input_scope;
	x->count = (uint8_t) (node->operands - (node->aux != 0));
	if (x->count < x->function->min_args || x->count > x->function->max_args)
		return fail(p, FHIRPATH_ARGUMENTS, "wrong number of arguments");
	x->args = plan_alloc(p, (x->count + 1) * sizeof(FpExec *));
	if (x->args == NULL)
		return NULL;
	if ((x->function->flags & FP_F_TYPE) != 0 && x->count > 0)
	{
		size_t		len;
		const char *name = type_argument(p, operand, &len);

		if (name == NULL || !resolve_type(p, name, len, &x->type))
			return NULL;
		operand = 0;
		x->count = 0;
		if (is_text(x->text, x->len, "ofType") && is_path(x->input))
			return plan_typed_path(p, x->input, &x->type);
	}
	if (is_text(x->text, x->len, "defineVariable") && !plan_definition(p, x, operand, input_scope, after))
		return NULL;
	for (; operand != 0; operand = fp_node(p->path, operand)->next)
	{
		const Scope *ignored = input_scope;

		/* what an argument defines is not seen behind it */
		x->args[n] = plan_node(p, operand, input_scope, &ignored);
		if (x->args[n++] == NULL)
			return NULL;
	}
	if ((x->function->flags & FP_F_PATTERN) != 0)
	{
		x->pattern = plan_alloc(p, sizeof(FpPattern));
		if (x->pattern == NULL)
			return NULL;
		x->pattern->next = p->plan->patterns;
		p->plan->patterns = x->pattern;
	}
	x->run = x->function->run;
	x->truth = x->function->truth;
	if (x->run == NULL)
		x->run = fp_run_truth;
	return x;
}

/* What an operator on constants gives, as one */
typedef struct Folded
{
	FpItem		item;
	int			count;
} Folded;

static bool
fold_item(void *arg, const FpItem *item)
{
	Folded	   *f = arg;

	f->item = *item;
	return ++f->count < 2;
}

/* Runs a constant node now, unless it fails: then it fails whenever it is asked for. */
static const FpExec *
fold(Planner *p, FpExec *x)
{
	static const uint8_t literals[] = {
		[FP_BOOLEAN] = FP_OP_BOOLEAN, [FP_INTEGER] = FP_OP_INTEGER, [FP_LONG] = FP_OP_LONG, [FP_DECIMAL] = FP_OP_DECIMAL,
		[FP_STRING] = FP_OP_STRING, [FP_DATE] = FP_OP_DATE, [FP_DATETIME] = FP_OP_DATETIME, [FP_TIME] = FP_OP_TIME,
		[FP_QUANTITY] = FP_OP_QUANTITY
	};
	FhirPathPlan alone = {.cx = p->plan->cx, .root = x};
	FhirPathInput input = {.step_limit = 100000};
	FhirPathEval *ev = fhirpath_eval_create(&p->plan->cx);
	Folded		folded = {.count = 0};

	if (ev == NULL)
	{
		p->status = CORE_NO_MEMORY;
		return NULL;
	}
	fhirpath_begin(ev, &input);
	if (fhirpath_each(ev, &alone, NULL, fold_item, &folded) == CORE_OK && folded.count < 2)
	{
		if (folded.count == 0)
		{
			x->op = FP_OP_EMPTY;
			x->run = run_empty;
			x->truth = NULL;
		}
		else if (keep_item(p, &folded.item, &x->literal))
		{
			x->op = literals[folded.item.kind];
			x->run = run_literal;
			x->truth = folded.item.kind == FP_BOOLEAN ? truth_literal : NULL;
		}
	}
	fhirpath_eval_free(ev);
	return p->status == CORE_OK ? x : NULL;
}

static const FpExec *
plan_operator(Planner *p, const FpNode *node, const Scope *scope, const Scope **after)
{
	FpExec	   *x = plan_alloc(p, sizeof(FpExec));
	int			n = 0;

	if (x == NULL)
		return NULL;
	x->op = node->op;
	x->text = copy_text(p, fp_text(p->path, node), node->text_len);
	x->len = node->text_len;
	x->args = plan_alloc(p, (node->operands + 1) * sizeof(FpExec *));
	if (x->text == NULL || x->args == NULL)
		return NULL;
	for (uint32_t operand = node->first; operand != 0; operand = fp_node(p->path, operand)->next)
	{
		const Scope *inner = scope;

		x->args[n] = plan_node(p, operand, scope, &inner);
		/* the input of an index is a chain that goes on */
		if (node->op == FP_OP_INDEXER && n == 0)
			*after = inner;
		if (x->args[n++] == NULL)
			return NULL;
	}
	x->count = (uint8_t) n;
	/* the order of a key of sort() is no value */
	x->constant = n > 0 && node->op != FP_OP_ASCENDING && node->op != FP_OP_DESCENDING;
	for (int i = 0; i < n; i++)
		x->constant = x->constant && x->args[i]->constant;
	if ((node->op == FP_OP_IS || node->op == FP_OP_AS) && !resolve_type(p, x->text, x->len, &x->type))
		return NULL;
	fp_bind_operator(x);
	return x->constant ? fold(p, x) : x;
}

static const FpExec *
plan_node(Planner *p, uint32_t number, const Scope *scope, const Scope **after)
{
	const FpNode *node = fp_node(p->path, number);
	FpExec	   *x;

	*after = scope;
	switch ((FpOp) node->op)
	{
		case FP_OP_CALL:
			return plan_call(p, node, scope, after);
		case FP_OP_CHILD:
			{
				const FpExec *input = NULL;

				if (node->first != 0 && (input = plan_node(p, node->first, scope, after)) == NULL)
					return NULL;
				return plan_child(p, node, input, node->first != 0);
			}
		case FP_OP_EMPTY:
		case FP_OP_BOOLEAN:
		case FP_OP_STRING:
		case FP_OP_INTEGER:
		case FP_OP_LONG:
		case FP_OP_DECIMAL:
		case FP_OP_DATE:
		case FP_OP_DATETIME:
		case FP_OP_TIME:
		case FP_OP_QUANTITY:
			x = plan_alloc(p, sizeof(FpExec));
			if (x == NULL)
				return NULL;
			x->op = node->op;
			x->constant = true;
			x->run = node->op == FP_OP_EMPTY ? run_empty : run_literal;
			x->truth = node->op == FP_OP_BOOLEAN ? truth_literal : NULL;
			x->text = copy_text(p, fp_text(p->path, node), node->text_len);
			x->len = node->text_len;
			if (x->text == NULL || (node->op != FP_OP_EMPTY && !plan_literal(p, x, node)))
				return NULL;
			return x;
		case FP_OP_VARIABLE:
			x = plan_alloc(p, sizeof(FpExec));
			if (x == NULL)
				return NULL;
			x->op = node->op;
			x->text = copy_text(p, fp_text(p->path, node), node->text_len);
			x->len = node->text_len;
			if (x->text == NULL || !plan_variable(p, x, scope))
				return NULL;
			fp_bind_operator(x);
			return x;
		default:
			return plan_operator(p, node, scope, after);
	}
}

CoreStatus
fhirpath_plan(const CoreContext *cx, const FhirPath *path, FhirPathPlan **plan, FhirPathError *error)
{
	Planner		p = {.path = path, .error = error};
	const Scope *after;

	memset(error, 0, sizeof(*error));
	*plan = cx->alloc(cx->arg, sizeof(FhirPathPlan));
	if (*plan == NULL)
		return CORE_NO_MEMORY;
	memset(*plan, 0, sizeof(FhirPathPlan));
	(*plan)->cx = *cx;
	(*plan)->needs = path->needs;
	p.plan = *plan;
	(*plan)->root = plan_node(&p, path->node_count, NULL, &after);
	if (p.status == CORE_OK && (*plan)->root == NULL)
		p.status = CORE_NO_MEMORY;
	if (p.status != CORE_OK)
	{
		fhirpath_plan_free(*plan);
		*plan = NULL;
	}
	return p.status;
}

void
fhirpath_plan_free(FhirPathPlan *plan)
{
	FpPlanChunk *chunk = plan->chunks;
	CoreContext cx = plan->cx;

	for (FpPattern *pattern = plan->patterns, *next; pattern != NULL; pattern = next)
	{
		next = pattern->next;
		if (pattern->regex != NULL)
			regex_free(pattern->regex);
		if (pattern->text != NULL)
			cx.free(cx.arg, pattern->text);
	}
	while (chunk != NULL)
	{
		FpPlanChunk *next = chunk->next;

		cx.free(cx.arg, chunk);
		chunk = next;
	}
	cx.free(cx.arg, plan);
}
