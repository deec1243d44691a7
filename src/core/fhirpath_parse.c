/*
 * fhirpath_parse.c
 *		Text → stored form (fhirpath_program.h): operator precedence over the grammar of N1, section 11.
 */
#include "fhirpath_eval.h"

#include <stdio.h>
#include <string.h>

const FpOperator fp_operators[] = {
	{"implies", FP_OP_IMPLIES, 1, true},
	{"or", FP_OP_OR, 2, true},
	{"xor", FP_OP_XOR, 2, true},
	{"and", FP_OP_AND, 3, true},
	{"in", FP_OP_IN, 4, true},
	{"contains", FP_OP_CONTAINS, 4, true},
	{"=", FP_OP_EQUAL, 5, false},
	{"~", FP_OP_EQUIVALENT, 5, false},
	{"!=", FP_OP_NOT_EQUAL, 5, false},
	{"!~", FP_OP_NOT_EQUIVALENT, 5, false},
	{"<=", FP_OP_LESS_EQUAL, 6, false},
	{"<", FP_OP_LESS, 6, false},
	{">=", FP_OP_GREATER_EQUAL, 6, false},
	{">", FP_OP_GREATER, 6, false},
	{"|", FP_OP_UNION, 7, false},
	{"is", FP_OP_IS, FP_BINDS_TYPE, true},
	{"as", FP_OP_AS, FP_BINDS_TYPE, true},
	{"+", FP_OP_ADD, 10, false},
	{"-", FP_OP_SUBTRACT, 10, false},
	{"&", FP_OP_JOIN, 10, false},
	{"*", FP_OP_MULTIPLY, 11, false},
	{"/", FP_OP_DIVIDE, 11, false},
	{"div", FP_OP_DIV, 11, true},
	{"mod", FP_OP_MOD, 11, true},
	{NULL, 0, 0, false}
};

const FpOperator *
fp_operator_of(int op)
{
	for (const FpOperator *o = fp_operators; o->name != NULL; o++)
	{
		if (o->op == op)
			return o;
	}
	return NULL;
}

typedef struct Parser
{
	const CoreContext *cx;
	FpLexer		lexer;
	FpToken		token;			/* the next one */
	FpNode	   *nodes;
	uint16_t   *heights;		/* of nodes */
	uint32_t	count;
	uint32_t	room;
	char	   *text;
	size_t		text_size;
	size_t		text_room;
	uint32_t	needs;
	int			depth;
	CoreStatus	status;
	FhirPathError *error;
} Parser;

/* -- errors ----------------------------------------------------------------- */

/* The first error counts.  Returns 0, which is no node. */
static uint32_t
fail(Parser *p, FhirPathFault fault, size_t at, const char *text)
{
	if (p->status == CORE_OK)
	{
		p->status = CORE_INVALID;
		p->error->fault = fault;
		p->error->at = at;
		snprintf(p->error->text, sizeof(p->error->text), "%s", text);
	}
	return 0;
}

static uint32_t
expected(Parser *p, const char *what)
{
	char		text[160];

	if (p->token.kind == FP_T_BAD)
	{
		snprintf(text, sizeof(text), "expected %s", p->lexer.fault);
		return fail(p, FHIRPATH_SYNTAX, p->lexer.fault_at, text);
	}
	snprintf(text, sizeof(text), "expected %s", what);
	return fail(p, FHIRPATH_SYNTAX, p->token.at, text);
}

static uint32_t
stop(Parser *p, CoreStatus status, const char *text)
{
	if (p->status == CORE_OK)
	{
		p->status = status;
		p->error->fault = FHIRPATH_SYNTAX;
		p->error->at = p->token.at;
		snprintf(p->error->text, sizeof(p->error->text), "%s", text);
	}
	return 0;
}

/* -- tokens ----------------------------------------------------------------- */

static void
advance(Parser *p)
{
	fp_lex(&p->lexer, &p->token);
}

static bool
is_symbol(const Parser *p, const char *symbol)
{
	return p->token.kind == FP_T_SYMBOL && p->token.len == strlen(symbol) &&
		memcmp(p->token.text, symbol, p->token.len) == 0;
}

static bool
is_word(const Parser *p, const char *word)
{
	return p->token.kind == FP_T_NAME && p->token.len == strlen(word) &&
		memcmp(p->token.text, word, p->token.len) == 0;
}

static bool
take_symbol(Parser *p, const char *symbol)
{
	if (!is_symbol(p, symbol))
		return false;
	advance(p);
	return true;
}

/* -- nodes ------------------------------------------------------------------ */

static void *
grow(Parser *p, void *old, size_t old_size, size_t new_size)
{
	void	   *room = p->cx->alloc(p->cx->arg, new_size);

	if (room == NULL)
	{
		(void) stop(p, CORE_NO_MEMORY, "out of memory");
		return NULL;
	}
	if (old != NULL)
	{
		memcpy(room, old, old_size);
		p->cx->free(p->cx->arg, old);
	}
	return room;
}

static bool
room_for_node(Parser *p)
{
	uint32_t	room = p->room == 0 ? 16 : p->room * 2;
	FpNode	   *nodes;
	uint16_t   *heights;

	if (p->count < p->room)
		return true;
	nodes = grow(p, p->nodes, p->room * sizeof(FpNode), room * sizeof(FpNode));
	if (nodes == NULL)
		return false;
	p->nodes = nodes;
	heights = grow(p, p->heights, p->room * sizeof(uint16_t), room * sizeof(uint16_t));
	if (heights == NULL)
		return false;
	p->heights = heights;
	p->room = room;
	return true;
}

static uint32_t
add_text(Parser *p, const char *text, size_t len)
{
	uint32_t	at = (uint32_t) p->text_size;

	if (p->text == NULL || p->text_size + len > p->text_room)
	{
		size_t		room = (p->text_size + len) * 2 + 32;
		char	   *larger = grow(p, p->text, p->text_size, room);

		if (larger == NULL)
			return 0;
		p->text = larger;
		p->text_room = room;
	}
	if (len > 0)
		memcpy(p->text + at, text, len);
	p->text_size += len;
	return at;
}

/* A new node; its operands are added with add_operand.  0 after a failure. */
static uint32_t
add_node(Parser *p, FpOp op, int aux, const char *text, size_t len)
{
	FpNode	   *node;

	if (p->status != CORE_OK || !room_for_node(p))
		return 0;
	if ((p->count & 255) == 0 && core_interrupted(p->cx))
		return stop(p, CORE_INTERRUPTED, "interrupted");
	node = &p->nodes[p->count];
	memset(node, 0, sizeof(*node));
	node->op = (uint8_t) op;
	node->aux = (uint8_t) aux;
	node->text = add_text(p, text, len);
	node->text_len = (uint32_t) len;
	p->heights[p->count] = 1;
	p->count++;
	return p->status == CORE_OK ? p->count : 0;
}

/* Appends an operand.  Operands come before their operator, so *last is kept by the caller. */
static bool
add_operand(Parser *p, uint32_t node, uint32_t operand, uint32_t *last)
{
	if (p->status != CORE_OK || node == 0 || operand == 0)
		return false;
	if (*last == 0)
		p->nodes[node - 1].first = operand;
	else
		p->nodes[*last - 1].next = operand;
	*last = operand;
	p->nodes[node - 1].operands++;
	if (p->heights[operand - 1] >= p->heights[node - 1])
		p->heights[node - 1] = (uint16_t) (p->heights[operand - 1] + 1);
	if (p->heights[node - 1] > FHIRPATH_DEPTH)
	{
		(void) stop(p, CORE_TOO_DEEP, "the expression is nested too deeply");
		return false;
	}
	return true;
}

static uint32_t
add_operator(Parser *p, FpOp op, uint32_t left, uint32_t right)
{
	uint32_t	last = 0;
	uint32_t	node;

	if (left == 0 || (node = add_node(p, op, 0, NULL, 0)) == 0)
		return 0;
	if (!add_operand(p, node, left, &last) || (right != 0 && !add_operand(p, node, right, &last)))
		return 0;
	return node;
}

/* -- grammar ---------------------------------------------------------------- */

static uint32_t parse_expression(Parser *p, int binds);

static bool
is_name(const Parser *p)
{
	return p->token.kind == FP_T_NAME || p->token.kind == FP_T_QUOTED_NAME;
}

/* Words that are operators or literals and so no names at the beginning of a term */
static bool
is_reserved(const Parser *p)
{
	static const char *const words[] = {"and", "or", "xor", "implies", "div", "mod", "true", "false"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (is_word(p, words[i]))
			return true;
	}
	return false;
}

/* N1 8.1 and R4: what is always there; other names the caller must give. */
static bool
known_variable(const char *name, size_t len)
{
	static const char *const names[] = {"ucum", "sct", "loinc", "context", "resource", "rootResource", "factory", "terminologies"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return true;
	}
	return (len > 3 && memcmp(name, "vs-", 3) == 0) || (len > 4 && memcmp(name, "ext-", 4) == 0);
}

static uint32_t
parse_variable(Parser *p)
{
	uint32_t	node;

	advance(p);
	if (!is_name(p) && p->token.kind != FP_T_STRING)
		return expected(p, "the name of a variable");
	if (!known_variable(p->token.text, p->token.len))
		p->needs |= FHIRPATH_NEEDS_VARIABLES;
	node = add_node(p, FP_OP_VARIABLE, 0, p->token.text, p->token.len);
	advance(p);
	return node;
}

/* The argument of is(), as(), ofType(): a name, perhaps qualified */
static bool
is_type_name(const Parser *p, uint32_t node)
{
	const FpNode *n = &p->nodes[node - 1];

	if (n->op != FP_OP_CHILD)
		return false;
	return n->first == 0 || (p->nodes[n->first - 1].op == FP_OP_CHILD && p->nodes[n->first - 1].first == 0);
}

static uint32_t
parse_sort_key(Parser *p)
{
	uint32_t	key = parse_expression(p, 0);
	FpOp		op = is_word(p, "desc") ? FP_OP_DESCENDING : FP_OP_ASCENDING;

	if (key == 0 || (!is_word(p, "desc") && !is_word(p, "asc")))
		return key;
	advance(p);
	return add_operator(p, op, key, 0);
}

/* The arguments of a call; the opening parenthesis is taken. */
static uint32_t
parse_call(Parser *p, uint32_t input, const char *name, size_t len, size_t at)
{
	uint32_t	arguments[FP_ARGUMENTS_MAX];
	int			count = 0;
	uint32_t	node,
				last = 0;
	const FpFunction *function;
	bool		factory = input != 0 && p->nodes[input - 1].op == FP_OP_VARIABLE && p->nodes[input - 1].text_len == 7 &&
		memcmp(p->text + p->nodes[input - 1].text, "factory", 7) == 0;
	char		text[160];

	function = factory ? fp_factory_find(name, len) : fp_function_find(name, len);
	if (function == NULL)
	{
		snprintf(text, sizeof(text), "no such function: %.*s", len > 64 ? 64 : (int) len, name);
		return fail(p, FHIRPATH_UNKNOWN, at, text);
	}
	if (!is_symbol(p, ")"))
	{
		do
		{
			uint32_t	argument;

			if (count == FP_ARGUMENTS_MAX)
				return fail(p, FHIRPATH_ARGUMENTS, p->token.at, "too many arguments");
			argument = (function->flags & FP_F_SORT) != 0 ? parse_sort_key(p) : parse_expression(p, 0);
			if (argument == 0)
				return 0;
			arguments[count++] = argument;
		} while (take_symbol(p, ","));
	}
	if (!is_symbol(p, ")"))
		return expected(p, "\",\" or \")\"");
	advance(p);
	if (count < function->min_args || count > function->max_args)
	{
		if (function->min_args == function->max_args)
			snprintf(text, sizeof(text), "%s() takes %d argument%s, not %d", function->name, function->min_args,
					 function->min_args == 1 ? "" : "s", count);
		else
			snprintf(text, sizeof(text), "%s() takes %d to %d arguments, not %d", function->name, function->min_args,
					 function->max_args, count);
		return fail(p, FHIRPATH_ARGUMENTS, at, text);
	}
	if ((function->flags & FP_F_TYPE) != 0 && count > 0 && !is_type_name(p, arguments[0]))
		return fail(p, FHIRPATH_ARGUMENTS, at, "expected the name of a type as argument");
	p->needs |= function->needs;
	node = add_node(p, FP_OP_CALL, input != 0, name, len);
	if (node == 0 || (input != 0 && !add_operand(p, node, input, &last)))
		return 0;
	for (int i = 0; i < count; i++)
	{
		if (!add_operand(p, node, arguments[i], &last))
			return 0;
	}
	return node;
}

/* A name, a function, $this, $index, $total; of an input or of the focus */
static uint32_t
parse_invocation(Parser *p, uint32_t input)
{
	FpToken		name = p->token;

	if (name.kind == FP_T_DOLLAR)
	{
		static const struct
		{
			const char *name;
			FpOp		op;
		}			dollars[] = {{"this", FP_OP_THIS}, {"index", FP_OP_INDEX}, {"total", FP_OP_TOTAL}};

		for (size_t i = 0; i < 3 && input == 0; i++)
		{
			if (strlen(dollars[i].name) == name.len && memcmp(dollars[i].name, name.text, name.len) == 0)
			{
				advance(p);
				return add_node(p, dollars[i].op, 0, NULL, 0);
			}
		}
		return expected(p, input == 0 ? "$this, $index or $total" : "a name");
	}
	/* behind a dot there is no doubt: text.div */
	if (!is_name(p) || (input == 0 && name.kind == FP_T_NAME && is_reserved(p)))
		return expected(p, input == 0 ? "an expression" : "a name");
	advance(p);
	if (is_symbol(p, "("))
	{
		advance(p);
		return parse_call(p, input, name.text, name.len, name.at);
	}
	{
		uint32_t	last = 0;
		uint32_t	node = add_node(p, FP_OP_CHILD, 0, name.text, name.len);

		if (node == 0 || (input != 0 && !add_operand(p, node, input, &last)))
			return 0;
		return node;
	}
}

/* A number, perhaps with the unit of a quantity behind it */
static uint32_t
parse_number(Parser *p)
{
	FpToken		number = p->token;
	FpOp		op = number.kind == FP_T_INTEGER ? FP_OP_INTEGER : number.kind == FP_T_LONG ? FP_OP_LONG : FP_OP_DECIMAL;
	Decimal		value;
	int64_t		whole;
	CoreStatus	status = decimal_parse(number.text, number.len, &value);

	if (status == CORE_OK && op != FP_OP_DECIMAL)
		status = decimal_to_int64(&value, &whole);
	if (status != CORE_OK || (op == FP_OP_INTEGER && whole > INT64_C(2147483648)))
		return fail(p, FHIRPATH_VALUE, number.at, "the number is out of range");
	advance(p);
	if (p->token.kind == FP_T_STRING ||
		(p->token.kind == FP_T_NAME && calendar_unit_parse(p->token.text, p->token.len) != CALENDAR_NONE))
	{
		uint32_t	unit = add_node(p, FP_OP_STRING, p->token.kind == FP_T_NAME, p->token.text, p->token.len);
		uint32_t	node = add_node(p, FP_OP_QUANTITY, 0, number.text, number.len);
		uint32_t	last = 0;

		advance(p);
		return add_operand(p, node, unit, &last) ? node : 0;
	}
	return add_node(p, op, 0, number.text, number.len);
}

static uint32_t
parse_temporal(Parser *p)
{
	FpToken		t = p->token;
	bool		date = t.kind == FP_T_DATE;
	TemporalKind kind = date ? TEMPORAL_DATE : t.kind == FP_T_TIME ? TEMPORAL_TIME : TEMPORAL_DATETIME;
	Temporal	value;

	if (temporal_parse(kind, t.text, t.len, &value) != CORE_OK)
		return fail(p, FHIRPATH_VALUE, t.at, kind == TEMPORAL_TIME ? "no such time" : "no such date");
	advance(p);
	return add_node(p, date ? FP_OP_DATE : kind == TEMPORAL_TIME ? FP_OP_TIME : FP_OP_DATETIME, 0, t.text, t.len);
}

static uint32_t
parse_term(Parser *p)
{
	FpToken		t = p->token;
	uint32_t	node;

	switch (t.kind)
	{
		case FP_T_INTEGER:
		case FP_T_LONG:
		case FP_T_DECIMAL:
			return parse_number(p);
		case FP_T_DATE:
		case FP_T_DATETIME:
		case FP_T_TIME:
			return parse_temporal(p);
		case FP_T_STRING:
			advance(p);
			return add_node(p, FP_OP_STRING, 0, t.text, t.len);
		default:
			break;
	}
	if (is_word(p, "true") || is_word(p, "false"))
	{
		node = add_node(p, FP_OP_BOOLEAN, is_word(p, "true"), NULL, 0);
		advance(p);
		return node;
	}
	if (is_symbol(p, "%"))
		return parse_variable(p);
	if (take_symbol(p, "{"))
	{
		if (!take_symbol(p, "}"))
			return expected(p, "\"}\"");
		return add_node(p, FP_OP_EMPTY, 0, NULL, 0);
	}
	if (take_symbol(p, "("))
	{
		node = parse_expression(p, 0);
		if (node != 0 && !take_symbol(p, ")"))
			return expected(p, "an operator or \")\"");
		return node;
	}
	return parse_invocation(p, 0);
}

/* A term with what is called on it: .name, .function(), [index] */
static uint32_t
parse_path(Parser *p)
{
	uint32_t	node = parse_term(p);

	while (node != 0 && p->status == CORE_OK)
	{
		if (take_symbol(p, "."))
			node = parse_invocation(p, node);
		else if (take_symbol(p, "["))
		{
			uint32_t	index = parse_expression(p, 0);

			if (index == 0)
				return 0;
			if (!take_symbol(p, "]"))
				return expected(p, "an operator or \"]\"");
			node = add_operator(p, FP_OP_INDEXER, node, index);
		}
		else
			break;
	}
	return node;
}

static uint32_t
parse_unary(Parser *p)
{
	FpOp		op = is_symbol(p, "-") ? FP_OP_NEGATE : FP_OP_POSITIVE;
	uint32_t	operand;

	if (!is_symbol(p, "-") && !is_symbol(p, "+"))
		return parse_path(p);
	advance(p);
	if (++p->depth > FHIRPATH_DEPTH)
		return stop(p, CORE_TOO_DEEP, "the expression is nested too deeply");
	operand = parse_unary(p);
	p->depth--;
	return add_operator(p, op, operand, 0);
}

/* name(.name)?, as one text */
static uint32_t
parse_type(Parser *p, FpOp op, uint32_t operand)
{
	FpToken		first = p->token;
	uint32_t	node,
				last = 0;

	if (!is_name(p))
		return expected(p, "the name of a type");
	advance(p);
	node = add_node(p, op, 0, first.text, first.len);
	if (node != 0 && is_symbol(p, "."))
	{
		advance(p);
		if (!is_name(p))
			return expected(p, "the name of a type");
		(void) add_text(p, ".", 1);
		(void) add_text(p, p->token.text, p->token.len);
		if (p->status == CORE_OK)
			p->nodes[node - 1].text_len += (uint32_t) p->token.len + 1;
		advance(p);
	}
	return add_operand(p, node, operand, &last) ? node : 0;
}

static const FpOperator *
next_operator(const Parser *p)
{
	for (const FpOperator *o = fp_operators; o->name != NULL; o++)
	{
		if (o->word ? is_word(p, o->name) : is_symbol(p, o->name))
			return o;
	}
	return NULL;
}

static uint32_t
parse_expression(Parser *p, int binds)
{
	uint32_t	left;

	if (++p->depth > FHIRPATH_DEPTH)
		return stop(p, CORE_TOO_DEEP, "the expression is nested too deeply");
	left = parse_unary(p);
	while (left != 0 && p->status == CORE_OK)
	{
		const FpOperator *o = next_operator(p);

		if (o == NULL || o->binds <= binds)
			break;
		advance(p);
		if (o->binds == FP_BINDS_TYPE)
			left = parse_type(p, o->op, left);
		else
		{
			uint32_t	right = parse_expression(p, o->binds);

			left = right == 0 ? 0 : add_operator(p, o->op, left, right);
		}
	}
	p->depth--;
	return left;
}

/* A variable that a defineVariable() somewhere names is not the caller's to give. */
static void
drop_own_variables(Parser *p)
{
	if ((p->needs & FHIRPATH_NEEDS_VARIABLES) == 0)
		return;
	p->needs &= ~(uint32_t) FHIRPATH_NEEDS_VARIABLES;
	for (uint32_t i = 0; i < p->count; i++)
	{
		const FpNode *v = &p->nodes[i];
		bool		own = false;

		if (v->op != FP_OP_VARIABLE || known_variable(p->text + v->text, v->text_len))
			continue;
		for (uint32_t j = 0; j < p->count && !own; j++)
		{
			const FpNode *call = &p->nodes[j];
			const FpNode *name;

			if (call->op != FP_OP_CALL || call->text_len != 14 || memcmp(p->text + call->text, "defineVariable", 14) != 0)
				continue;
			name = &p->nodes[call->first - 1];
			if (call->aux != 0)
				name = &p->nodes[name->next - 1];
			own = name->op == FP_OP_STRING && name->text_len == v->text_len &&
				memcmp(p->text + name->text, p->text + v->text, v->text_len) == 0;
		}
		if (!own)
			p->needs |= FHIRPATH_NEEDS_VARIABLES;
	}
}

static CoreStatus
flatten(Parser *p, FhirPath **path)
{
	size_t		size = sizeof(FhirPath) + p->count * sizeof(FpNode) + p->text_size;
	FhirPath   *flat = p->cx->alloc(p->cx->arg, size);

	if (flat == NULL)
		return CORE_NO_MEMORY;
	memset(flat, 0, sizeof(FhirPath));
	flat->version = FHIRPATH_VERSION;
	flat->needs = p->needs;
	flat->node_count = p->count;
	flat->text_size = (uint32_t) p->text_size;
	memcpy(flat->nodes, p->nodes, p->count * sizeof(FpNode));
	if (p->text_size > 0)
		memcpy(&flat->nodes[p->count], p->text, p->text_size);
	*path = flat;
	return CORE_OK;
}

CoreStatus
fhirpath_parse(const CoreContext *cx, const char *text, size_t len, FhirPath **path, FhirPathError *error)
{
	Parser		p = {.cx = cx, .error = error};

	memset(error, 0, sizeof(*error));
	p.lexer.source = text;
	p.lexer.len = len;
	if (len > FHIRPATH_TEXT_MAX)
		(void) stop(&p, CORE_TOO_LARGE, "the expression is too long");
	else if ((p.lexer.decoded = cx->alloc(cx->arg, len + 1)) == NULL)
		(void) stop(&p, CORE_NO_MEMORY, "out of memory");
	else
	{
		advance(&p);
		if (parse_expression(&p, 0) != 0 && p.token.kind != FP_T_END)
			(void) expected(&p, "an operator or the end");
		if (p.status == CORE_OK)
		{
			drop_own_variables(&p);
			p.status = flatten(&p, path);
		}
	}
	if (p.lexer.decoded != NULL)
		cx->free(cx->arg, p.lexer.decoded);
	if (p.nodes != NULL)
		cx->free(cx->arg, p.nodes);
	if (p.heights != NULL)
		cx->free(cx->arg, p.heights);
	if (p.text != NULL)
		cx->free(cx->arg, p.text);
	return p.status;
}

size_t
fhirpath_size(const FhirPath *path)
{
	return sizeof(FhirPath) + path->node_count * sizeof(FpNode) + path->text_size;
}

uint32_t
fhirpath_needs(const FhirPath *path)
{
	return path->needs;
}

bool
fhirpath_valid(const void *value, size_t size)
{
	const FhirPath *path = value;

	if (size < sizeof(FhirPath) || path->version != FHIRPATH_VERSION || path->node_count == 0 ||
		path->node_count > size / sizeof(FpNode) || path->text_size > size || fhirpath_size(path) > size)
		return false;
	for (uint32_t i = 1; i <= path->node_count; i++)
	{
		const FpNode *node = fp_node(path, i);

		/* operands come before their operator, so there is no circle */
		if (node->text > path->text_size || node->text_len > path->text_size - node->text || node->first >= i ||
			(node->next != 0 && (node->next <= i || node->next > path->node_count)) ||
			node->op < FP_OP_EMPTY || node->op > FP_OP_ASCENDING)
			return false;
	}
	return true;
}
