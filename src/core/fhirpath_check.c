/*
 * fhirpath_check.c
 *		Strict mode: what must be wrong with an expression, found before it runs.
 *
 * Walks the stored form with the types that the model gives.  What is not
 * known (an element of several types, the result of a function) is not judged,
 * so an expression that passes may still fail; one that is refused is wrong for
 * every document of the type.
 */
#include "fhirpath_eval.h"

#include <stdio.h>

/* What is known of a node's items */
typedef struct Known
{
	int			type;			/* type index, 0: not known */
	bool		literal_date;	/* a date or time as it stands */
	bool		literal_number;
	bool		unordered;		/* of children(), descendants() */
} Known;

typedef struct Checker
{
	const FhirPath *path;
	FhirPathError *error;
	bool		failed;
} Checker;

static Known check_node(Checker *c, uint32_t number, Known focus);

static Known
refuse(Checker *c, const char *text)
{
	if (!c->failed)
	{
		c->failed = true;
		c->error->fault = FHIRPATH_UNKNOWN;
		c->error->at = 0;
		snprintf(c->error->text, sizeof(c->error->text), "%s", text);
	}
	return (Known) {0};
}

static bool
is_named(const Checker *c, const FpNode *node, const char *name)
{
	return node->text_len == strlen(name) && memcmp(fp_text(c->path, node), name, node->text_len) == 0;
}

/* Resources can be anything that derives from them: only their type says more. */
static bool
is_open(int type)
{
	return type == 0 || (fhir_types[type].kind & FHIR_KIND_ABSTRACT) != 0;
}

static Known
check_child(Checker *c, const FpNode *node, Known of)
{
	const char *name = fp_text(c->path, node);
	const FhirElement *element;
	Known		result = {0};
	char		text[200];

	if (node->first == 0 && node->text_len > 0 && name[0] >= 'A' && name[0] <= 'Z')
	{
		int			named = fhir_type_find(name, node->text_len);

		if (named != 0 && of.type != 0)
		{
			if (fhir_type_is(of.type, named) || fhir_type_is(named, of.type))
				return (Known) {.type = fhir_type_is(of.type, named) ? of.type : named};
			snprintf(text, sizeof(text), "the context is %s, not %.64s", fhir_string(fhir_types[of.type].name), fhir_string(fhir_types[named].name));
			return refuse(c, text);
		}
		return (Known) {.type = named};
	}
	if (is_open(of.type))
		return result;
	element = fhir_element_find(of.type, name, node->text_len);
	if (element != NULL && (element->flags & (FHIR_SIBLING | FHIR_CHOICE)) == 0)
	{
		result.type = (element->flags & FHIR_RESOURCE_TYPE) != 0 ? 0 : element->type;
		return result;
	}
	if (element != NULL && (element->flags & FHIR_CHOICE) != 0)
	{
		snprintf(text, sizeof(text), "%.*s is written %.*s.ofType(%s)", (int) node->text_len, name, element->base_len, name,
				 fhir_string(fhir_types[element->type].name));
		return refuse(c, text);
	}
	if (fhir_element_find_base(of.type, name, node->text_len) != NULL)
		return result;
	snprintf(text, sizeof(text), "%s has no element %.*s", fhir_string(fhir_types[of.type].name),
			 node->text_len > 64 ? 64 : (int) node->text_len, name);
	return refuse(c, text);
}

/* Functions whose items are those of the input */
static bool
keeps_type(const Checker *c, const FpNode *node)
{
	static const char *const names[] = {
		"where", "first", "last", "tail", "skip", "take", "single", "distinct", "trace", "sort", "exclude", "intersect", "defineVariable"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (is_named(c, node, names[i]))
			return true;
	}
	return false;
}

/* Functions whose arguments are asked of each item of the input */
static bool
asks_items(const Checker *c, const FpNode *node)
{
	static const char *const names[] = {"where", "select", "all", "exists", "repeat", "repeatAll", "sort", "trace", "iif", "aggregate"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (is_named(c, node, names[i]))
			return true;
	}
	return false;
}

/* Those that take strings: no object of the model can be one */
static bool
takes_text(const Checker *c, const FpNode *node)
{
	for (const FpFunction *f = fp_text_functions; f->name != NULL; f++)
	{
		if (is_named(c, node, f->name))
			return !is_named(c, node, "join");
	}
	return false;
}

static bool
needs_order(const Checker *c, const FpNode *node)
{
	return is_named(c, node, "skip") || is_named(c, node, "take") || is_named(c, node, "first") || is_named(c, node, "last") ||
		is_named(c, node, "tail");
}

/* The type that ofType(T), as(T) or `as T` leaves */
static Known
narrowed(Checker *c, const char *name, size_t len, Known of)
{
	FpTypeSpec	spec;

	if (!fp_type_resolve(name, len, &spec))
		return refuse(c, "no such type");
	return (Known) {.type = spec.kind >= 0 && of.type == 0 && spec.type == 0 ? 0 : spec.type};
}

static Known
check_call(Checker *c, const FpNode *node, Known focus)
{
	Known		input = focus,
				last = {0};
	uint32_t	argument = node->first;
	char		text[200];

	if (node->aux != 0)
	{
		input = check_node(c, argument, focus);
		argument = fp_node(c->path, argument)->next;
	}
	if (c->failed)
		return input;
	if (is_named(c, node, "ofType") || is_named(c, node, "as"))
	{
		const FpNode *type = fp_node(c->path, argument);

		return narrowed(c, fp_text(c->path, type), type->text_len, input);
	}
	if (is_named(c, node, "is") || is_named(c, node, "getReferenceKey"))
		return (Known) {0};
	if (takes_text(c, node) && input.type >= fhir_first_datatype)
	{
		snprintf(text, sizeof(text), "%.*s() takes strings, not %s", (int) node->text_len, fp_text(c->path, node),
				 fhir_string(fhir_types[input.type].name));
		return refuse(c, text);
	}
	if (input.unordered && needs_order(c, node))
		return refuse(c, "the order of children() is not defined");
	for (; argument != 0 && !c->failed; argument = fp_node(c->path, argument)->next)
		last = check_node(c, argument, asks_items(c, node) ? input : focus);
	if (keeps_type(c, node))
		return input;
	if (is_named(c, node, "select"))
		return last;
	if (is_named(c, node, "extension"))
		return (Known) {.type = fhir_extension_type};
	return (Known) {.unordered = is_named(c, node, "children") || is_named(c, node, "descendants")};
}

static Known
check_operator(Checker *c, const FpNode *node, Known focus)
{
	Known		operands[2] = {{0}};
	int			n = 0;

	for (uint32_t operand = node->first; operand != 0 && !c->failed; operand = fp_node(c->path, operand)->next)
	{
		Known		known = check_node(c, operand, focus);

		if (n < 2)
			operands[n++] = known;
	}
	if (node->op == FP_OP_AS)
		return narrowed(c, fp_text(c->path, node), node->text_len, operands[0]);
	if (node->op == FP_OP_INDEXER)
	{
		if (operands[0].unordered)
			return refuse(c, "the order of children() is not defined");
		return operands[0];
	}
	if ((node->op == FP_OP_ADD || node->op == FP_OP_SUBTRACT) && operands[0].literal_date && operands[1].literal_number)
		return refuse(c, "a date takes an amount of time, not a number");
	return (Known) {.literal_number = node->op == FP_OP_NEGATE && operands[0].literal_number};
}

static Known
check_node(Checker *c, uint32_t number, Known focus)
{
	const FpNode *node = fp_node(c->path, number);

	if (c->failed)
		return (Known) {0};
	switch ((FpOp) node->op)
	{
		case FP_OP_THIS:
			return focus;
		case FP_OP_CHILD:
			return check_child(c, node, node->first != 0 ? check_node(c, node->first, focus) : focus);
		case FP_OP_CALL:
			return check_call(c, node, focus);
		case FP_OP_DATE:
		case FP_OP_DATETIME:
		case FP_OP_TIME:
			return (Known) {.literal_date = true};
		case FP_OP_INTEGER:
		case FP_OP_LONG:
		case FP_OP_DECIMAL:
			return (Known) {.literal_number = true};
		default:
			return check_operator(c, node, focus);
	}
}

CoreStatus
fhirpath_check(const FhirPath *path, int type, FhirPathError *error)
{
	Checker		c = {path, error, false};

	memset(error, 0, sizeof(*error));
	(void) check_node(&c, path->node_count, (Known) {.type = type});
	return c.failed ? CORE_INVALID : CORE_OK;
}
