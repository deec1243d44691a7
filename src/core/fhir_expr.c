/*
 * fhir_expr.c
 *		Parser of the subset of FHIRPath that fhir_expr.h describes.
 *
 * Precedence climbing over the grammar of FHIRPath N1.  The result is an array
 * of nodes that refer to each other by position.
 */
#include "fhir_expr.h"

#include <string.h>

#include "fhir_expr_tree.h"
#include "fhir_model.h"

typedef enum TokenKind
{
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_VARIABLE,				/* %name */
	TOKEN_THIS,
	TOKEN_SYMBOL,
	TOKEN_BAD
} TokenKind;

typedef struct Token
{
	TokenKind	kind;
	const char *text;
	size_t		len;
	size_t		at;
	bool		quoted;			/* a name in backticks is never a keyword */
} Token;

typedef struct Parser
{
	FhirExpr   *expr;
	size_t		len;
	size_t		next;
	Token		token;
	int			depth;
	bool		bad;
	size_t		bad_at;
} Parser;

typedef struct Operator
{
	const char *text;
	uint8_t		op;
	uint8_t		level;			/* higher binds tighter */
} Operator;

static const Operator operators[] = {
	{"implies", EXPR_IMPLIES, 1},
	{"or", EXPR_OR, 2}, {"xor", EXPR_XOR, 2},
	{"and", EXPR_AND, 3},
	{"in", EXPR_IN, 4}, {"contains", EXPR_CONTAINS, 4},
	{"=", EXPR_EQ, 5}, {"!=", EXPR_NE, 5},
	{"<", EXPR_LT, 6}, {"<=", EXPR_LE, 6}, {">", EXPR_GT, 6}, {">=", EXPR_GE, 6},
	{"|", EXPR_UNION, 7},
	{"is", EXPR_IS, 8}, {"as", EXPR_AS, 8},
	{"&", EXPR_JOIN, 9}, {"+", EXPR_PLUS, 9},
};

/* The kind of argument that a function takes */
#define ARG_NONE	0
#define ARG_TYPE	1
#define ARG_EXPR	2

static const struct
{
	const char *name;
	uint8_t		function;
	uint8_t		least;
	uint8_t		most;
	uint8_t		kind;
	bool		own_focus;		/* arguments are asked of each item, not of the outer focus */
} functions[] = {
	{"exists", CALL_EXISTS, 0, 1, ARG_EXPR, true},
	{"empty", CALL_EMPTY, 0, 0, ARG_NONE, false},
	{"not", CALL_NOT, 0, 0, ARG_NONE, false},
	{"count", CALL_COUNT, 0, 0, ARG_NONE, false},
	{"hasValue", CALL_HAS_VALUE, 0, 0, ARG_NONE, false},
	{"first", CALL_FIRST, 0, 0, ARG_NONE, false},
	{"tail", CALL_TAIL, 0, 0, ARG_NONE, false},
	{"where", CALL_WHERE, 1, 1, ARG_EXPR, true},
	{"all", CALL_ALL, 1, 1, ARG_EXPR, true},
	{"select", CALL_SELECT, 1, 1, ARG_EXPR, true},
	{"isDistinct", CALL_DISTINCT, 0, 0, ARG_NONE, false},
	{"is", CALL_IS, 1, 1, ARG_TYPE, false},
	{"as", CALL_AS, 1, 1, ARG_TYPE, false},
	{"ofType", CALL_OF_TYPE, 1, 1, ARG_TYPE, false},
	{"startsWith", CALL_STARTS_WITH, 1, 1, ARG_EXPR, false},
	{"contains", CALL_CONTAINS, 1, 1, ARG_EXPR, false},
	{"matches", CALL_MATCHES, 1, 1, ARG_EXPR, false},
	{"replaceMatches", CALL_CUT_MATCHES, 2, 2, ARG_EXPR, false},
	{"substring", CALL_SUBSTRING, 1, 1, ARG_EXPR, false},
	{"toInteger", CALL_TO_INTEGER, 0, 0, ARG_NONE, false},
	{"toString", CALL_TO_STRING, 0, 0, ARG_NONE, false},
	{"trace", CALL_TRACE, 1, 2, ARG_EXPR, true},
	{"iif", CALL_IIF, 2, 3, ARG_EXPR, true},
	{"children", CALL_CHILDREN, 0, 0, ARG_NONE, false},
	{"descendants", CALL_DESCENDANTS, 0, 0, ARG_NONE, false},
	{"resolve", CALL_RESOLVE, 0, 0, ARG_NONE, false},
	{"combine", CALL_COMBINE, 1, 1, ARG_EXPR, false},
	{"intersect", CALL_INTERSECT, 1, 1, ARG_EXPR, false},
};

/* -- tokens ------------------------------------------------------------- */

static bool
is_letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool
is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* Text between quotes, escapes decoded in place; only those of one character. */
static void
lex_quoted(Parser *p, char quote, TokenKind kind)
{
	static const char escapes[] = "\\'\"`/nrtf";
	static const char meant[] = "\\'\"`/\n\r\t\f";
	char	   *text = p->expr->text;
	size_t		out = p->next + 1;
	size_t		in = out;

	p->token.kind = TOKEN_BAD;
	p->token.text = text + out;
	while (in < p->len && text[in] != quote)
	{
		if (text[in] == '\\')
		{
			const char *found = in + 1 < p->len && text[in + 1] != '\0' ? strchr(escapes, text[in + 1]) : NULL;

			if (found == NULL)
				return;
			text[out++] = meant[found - escapes];
			in += 2;
		}
		else
			text[out++] = text[in++];
	}
	if (in >= p->len)
		return;
	p->token.kind = kind;
	p->token.quoted = true;
	p->token.len = text + out - p->token.text;
	p->next = in + 1;
}

static void
lex_while(Parser *p, size_t from, bool (*belongs) (char))
{
	const char *text = p->expr->text;
	size_t		end = from;

	while (end < p->len && (belongs(text[end]) || (end > from && is_digit(text[end]))))
		end++;
	p->token.text = text + from;
	p->token.len = end - from;
	p->next = end;
}

static void
advance(Parser *p)
{
	const char *text = p->expr->text;
	char		ch;

	while (p->next < p->len && strchr(" \t\r\n", text[p->next]) != NULL && text[p->next] != '\0')
		p->next++;
	p->token.at = p->next;
	p->token.quoted = false;
	p->token.kind = TOKEN_END;
	p->token.len = 0;
	if (p->next >= p->len)
		return;
	ch = text[p->next];
	if (ch == '\'')
		lex_quoted(p, ch, TOKEN_STRING);
	else if (ch == '`')
		lex_quoted(p, ch, TOKEN_NAME);
	else if (is_letter(ch))
	{
		p->token.kind = TOKEN_NAME;
		lex_while(p, p->next, is_letter);
	}
	else if (is_digit(ch))
	{
		p->token.kind = TOKEN_NUMBER;
		lex_while(p, p->next, is_digit);
		if (p->next + 1 < p->len && text[p->next] == '.' && is_digit(text[p->next + 1]))
		{
			const char *begin = p->token.text;

			lex_while(p, p->next + 1, is_digit);
			p->token.len = p->token.text + p->token.len - begin;
			p->token.text = begin;
		}
	}
	else if (ch == '%' || ch == '$')
	{
		p->token.kind = ch == '%' ? TOKEN_VARIABLE : TOKEN_THIS;
		lex_while(p, p->next + 1, is_letter);
	}
	else
	{
		p->token.kind = TOKEN_SYMBOL;
		p->token.text = text + p->next;
		p->token.len = 1;
		if ((ch == '<' || ch == '>' || ch == '!') && p->next + 1 < p->len && text[p->next + 1] == '=')
			p->token.len = 2;
		p->next += p->token.len;
	}
}

static bool
token_is(const Parser *p, const char *text)
{
	return (p->token.kind == TOKEN_SYMBOL || (p->token.kind == TOKEN_NAME && !p->token.quoted)) &&
		p->token.len == strlen(text) && memcmp(p->token.text, text, p->token.len) == 0;
}

/* -- nodes -------------------------------------------------------------- */

static int
fail(Parser *p)
{
	if (!p->bad)
	{
		p->bad = true;
		p->bad_at = p->token.at;
	}
	return -1;
}

static int
new_node(Parser *p, ExprOp op, const char *text, size_t len)
{
	FhirExpr   *e = p->expr;
	ExprNode   *node;

	if (p->bad || e->count == EXPR_NODES_MAX || len > UINT16_MAX)
		return fail(p);
	node = &e->nodes[e->count];
	memset(node, 0, sizeof(*node));
	node->op = op;
	node->a[0] = node->a[1] = node->a[2] = node->a[3] = -1;
	node->text = text;
	node->len = (uint16_t) len;
	return e->count++;
}

static void
expect(Parser *p, const char *text)
{
	if (token_is(p, text))
		advance(p);
	else
		(void) fail(p);
}

static int	parse_level(Parser *p, int level);

/* A type's name, FHIR.x and System.x included: its type index, 0 if there is none. */
static int
parse_type(Parser *p)
{
	char		name[64];
	int			type = 0;

	if (p->token.kind != TOKEN_NAME)
		return 0;
	if (token_is(p, "FHIR") || token_is(p, "System"))
	{
		advance(p);
		expect(p, ".");
	}
	if (p->token.kind == TOKEN_NAME && p->token.len < sizeof(name))
	{
		memcpy(name, p->token.text, p->token.len);
		type = fhir_type_find(name, p->token.len);
		/* System.Boolean and the like: the primitive that is so written */
		if (type == 0 && name[0] >= 'A' && name[0] <= 'Z')
		{
			name[0] += 'a' - 'A';
			type = fhir_type_find(name, p->token.len);
		}
		advance(p);
	}
	return type;
}

static int
parse_call(Parser *p, int input, const char *name, size_t len)
{
	int			node = new_node(p, EXPR_CALL, name, len);
	int			found = -1;
	int			count = 0;

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
	{
		if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0)
			found = (int) i;
	}
	if (node < 0 || found < 0)
		return fail(p);
	p->expr->nodes[node].function = functions[found].function;
	p->expr->nodes[node].a[0] = (int16_t) input;
	advance(p);					/* ( */
	while (!p->bad && !token_is(p, ")"))
	{
		if (count == functions[found].most)
			return fail(p);
		if (count > 0)
			expect(p, ",");
		if (functions[found].kind == ARG_TYPE)
		{
			int			type = parse_type(p);

			if (type == 0)
				return fail(p);
			p->expr->nodes[node].type = (uint16_t) type;
		}
		else
		{
			int			arg = parse_level(p, 1);

			p->expr->nodes[node].a[count + 1] = (int16_t) arg;
		}
		count++;
	}
	if (count < functions[found].least)
		return fail(p);
	expect(p, ")");
	if (!p->bad && functions[found].function == CALL_CUT_MATCHES)
	{
		const ExprNode *pattern = &p->expr->nodes[p->expr->nodes[node].a[1]];
		const ExprNode *by = &p->expr->nodes[p->expr->nodes[node].a[2]];

		/* the one use in R4 (sdf-8a): everything from the first dot on is cut off */
		if (pattern->op != EXPR_STRING || pattern->len != 4 || memcmp(pattern->text, "\\..*", 4) != 0 ||
			by->op != EXPR_STRING || by->len != 0)
			return fail(p);
	}
	if (!p->bad && functions[found].function == CALL_MATCHES)
	{
		const ExprNode *arg = &p->expr->nodes[p->expr->nodes[node].a[1]];

		if (arg->op != EXPR_STRING || expr_pattern_find(arg->text, arg->len) == NULL)
			return fail(p);
	}
	return node;
}

/* name or name(...), of `input` or (-1) of the focus */
static int
parse_step(Parser *p, int input)
{
	const char *name = p->token.text;
	size_t		len = p->token.len;
	int			node;

	if (p->token.kind != TOKEN_NAME)
		return fail(p);
	advance(p);
	if (token_is(p, "("))
		return parse_call(p, input, name, len);
	node = new_node(p, EXPR_CHILD, name, len);
	if (node >= 0)
		p->expr->nodes[node].a[0] = (int16_t) input;
	return node;
}

static int
parse_variable(Parser *p)
{
	static const struct
	{
		const char *name;
		ExprOp		op;
		const char *text;
	}			variables[] = {
		{"resource", EXPR_RESOURCE, NULL}, {"rootResource", EXPR_ROOT, NULL}, {"context", EXPR_CONTEXT, NULL},
		{"ucum", EXPR_STRING, "http://unitsofmeasure.org"},
		{"sct", EXPR_STRING, "http://snomed.info/sct"}, {"loinc", EXPR_STRING, "http://loinc.org"},
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
	{
		const char *text = variables[i].text;

		if (strlen(variables[i].name) == p->token.len && memcmp(variables[i].name, p->token.text, p->token.len) == 0)
			return new_node(p, variables[i].op, text, text == NULL ? 0 : strlen(text));
	}
	return fail(p);
}

static int
parse_atom(Parser *p)
{
	int			node = -1;

	switch (p->token.kind)
	{
		case TOKEN_STRING:
			node = new_node(p, EXPR_STRING, p->token.text, p->token.len);
			advance(p);
			return node;
		case TOKEN_NUMBER:
			node = new_node(p, EXPR_NUMBER, p->token.text, p->token.len);
			advance(p);
			return node;
		case TOKEN_VARIABLE:
			node = parse_variable(p);
			advance(p);
			return node;
		case TOKEN_THIS:
			if (p->token.len != 4 || memcmp(p->token.text, "this", 4) != 0)
				return fail(p);
			advance(p);
			return new_node(p, EXPR_THIS, NULL, 0);
		case TOKEN_NAME:
			if (token_is(p, "true") || token_is(p, "false"))
			{
				node = new_node(p, EXPR_BOOLEAN, p->token.text, p->token.len);
				advance(p);
				return node;
			}
			return parse_step(p, -1);
		default:
			break;
	}
	if (token_is(p, "("))
	{
		advance(p);
		node = parse_level(p, 1);
		expect(p, ")");
		return node;
	}
	if (token_is(p, "{"))
	{
		advance(p);
		expect(p, "}");
		return new_node(p, EXPR_EMPTY, NULL, 0);
	}
	return fail(p);
}

static int
parse_path(Parser *p)
{
	int			node = parse_atom(p);

	while (!p->bad && token_is(p, "."))
	{
		advance(p);
		node = parse_step(p, node);
	}
	return node;
}

static const Operator *
operator_at(const Parser *p)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
	{
		if (token_is(p, operators[i].text))
			return &operators[i];
	}
	return NULL;
}

static int
parse_level(Parser *p, int level)
{
	const Operator *found;
	int			left;

	if (++p->depth > FHIR_EXPR_DEPTH)
		return fail(p);
	left = parse_path(p);
	while (!p->bad && (found = operator_at(p)) != NULL && found->level >= level)
	{
		int			node = new_node(p, found->op, NULL, 0);

		advance(p);
		if (node < 0)
			break;
		p->expr->nodes[node].a[0] = (int16_t) left;
		if (found->op == EXPR_IS || found->op == EXPR_AS)
		{
			int			type = parse_type(p);

			if (type == 0)
				return fail(p);
			p->expr->nodes[node].type = (uint16_t) type;
		}
		else
		{
			int			right = parse_level(p, found->level + 1);

			p->expr->nodes[node].a[1] = (int16_t) right;
		}
		left = node;
	}
	p->depth--;
	return p->bad ? -1 : left;
}

/*
 * Marks what does not depend on the item at hand: paths that begin with a
 * variable.  Arguments with a focus of their own may say $this and names.
 */
static bool
mark_fixed(FhirExpr *e, int index)
{
	ExprNode   *node = &e->nodes[index];
	bool		fixed = true;

	switch ((ExprOp) node->op)
	{
		case EXPR_RESOURCE:
		case EXPR_ROOT:
		case EXPR_CONTEXT:
			return true;		/* nothing gained by keeping it */
		case EXPR_STRING:
		case EXPR_NUMBER:
		case EXPR_BOOLEAN:
		case EXPR_EMPTY:
			return true;
		case EXPR_THIS:
			return false;
		case EXPR_CHILD:
		case EXPR_CALL:
			fixed = node->a[0] >= 0 && mark_fixed(e, node->a[0]);
			break;
		default:
			fixed = mark_fixed(e, node->a[0]);
			break;
	}
	for (int i = 1; i < 4; i++)
	{
		/* an argument that is asked of each item of a fixed input is fixed with it, but $this in it is not */
		if (node->a[i] >= 0 && !mark_fixed(e, node->a[i]))
			fixed = false;
	}
	node->fixed = fixed;
	return fixed;
}

CoreStatus
fhir_expr_parse(const CoreContext *cx, const char *text, size_t len, FhirExpr **expr, size_t *at)
{
	size_t		nodes = len + 2 < EXPR_NODES_MAX ? len + 2 : EXPR_NODES_MAX;
	FhirExpr   *e;
	Parser		p = {.len = len};

	*expr = NULL;
	*at = 0;
	if (len > UINT16_MAX)
		return CORE_INVALID;
	e = cx->alloc(cx->arg, sizeof(FhirExpr) + nodes * sizeof(ExprNode) + len + 1);
	if (e == NULL)
		return CORE_NO_MEMORY;
	e->count = 0;
	e->text = (char *) &e->nodes[nodes];
	memcpy(e->text, text, len);
	e->text[len] = '\0';
	p.expr = e;
	advance(&p);
	e->root = parse_level(&p, 1);
	if (!p.bad && p.token.kind != TOKEN_END)
		(void) fail(&p);
	if (p.bad)
	{
		*at = p.bad_at;
		cx->free(cx->arg, e);
		return CORE_INVALID;
	}
	(void) mark_fixed(e, e->root);
	*expr = e;
	return CORE_OK;
}

void
fhir_expr_free(const CoreContext *cx, FhirExpr *expr)
{
	if (expr != NULL)
		cx->free(cx->arg, expr);
}
