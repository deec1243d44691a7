/*
 * fhirpath_print.c
 *		Stored form → canonical text.
 */
#include "fhirpath_eval.h"

typedef struct Printer
{
	const CoreContext *cx;
	const FhirPath *path;
	char	   *text;
	size_t		len;
	size_t		room;
	CoreStatus	status;
} Printer;

static void
put(Printer *p, const char *text, size_t len)
{
	if (p->status != CORE_OK)
		return;
	if (p->len + len + 1 > p->room)
	{
		size_t		room = (p->len + len) * 2 + 64;
		char	   *larger = p->cx->alloc(p->cx->arg, room);

		if (larger == NULL)
		{
			p->status = CORE_NO_MEMORY;
			return;
		}
		if (p->text != NULL)
		{
			memcpy(larger, p->text, p->len);
			p->cx->free(p->cx->arg, p->text);
		}
		p->text = larger;
		p->room = room;
	}
	if (len > 0)
		memcpy(p->text + p->len, text, len);
	p->len += len;
	p->text[p->len] = '\0';
}

static void
put_word(Printer *p, const char *word)
{
	put(p, word, strlen(word));
}

/* A text between quotes, with the escapes that it needs */
static void
put_quoted(Printer *p, const char *text, size_t len, char quote)
{
	put(p, &quote, 1);
	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];
		const char *escape = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\f' ? "\\f" : NULL;

		if (escape != NULL)
			put_word(p, escape);
		else
		{
			if (c == quote || c == '\\')
				put_word(p, "\\");
			put(p, &c, 1);
		}
	}
	put(p, &quote, 1);
}

static bool
is_plain_name(const char *text, size_t len)
{
	static const char *const reserved[] = {"and", "or", "xor", "implies", "div", "mod", "true", "false"};

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		char		c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9')))
			return false;
	}
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
	{
		if (strlen(reserved[i]) == len && memcmp(reserved[i], text, len) == 0)
			return false;
	}
	return true;
}

static void
put_name(Printer *p, const char *text, size_t len)
{
	if (is_plain_name(text, len))
		put(p, text, len);
	else
		put_quoted(p, text, len, '`');
}

/* Namespace.Type, each part as a name */
static void
put_type(Printer *p, const char *text, size_t len)
{
	const char *dot = memchr(text, '.', len);

	if (dot != NULL)
	{
		put_name(p, text, (size_t) (dot - text));
		put_word(p, ".");
		len -= (size_t) (dot + 1 - text);
		text = dot + 1;
	}
	put_name(p, text, len);
}

static void print_node(Printer *p, uint32_t number, int binds);

/* What a call, a name or an index stands on: operators need parentheses, also signed numbers */
static void
print_input(Printer *p, uint32_t number)
{
	print_node(p, number, FP_BINDS_UNARY + 1);
}

static void
print_call(Printer *p, const FpNode *node)
{
	uint32_t	operand = node->first;
	bool		first = true;

	if (node->aux != 0)
	{
		print_input(p, operand);
		put_word(p, ".");
		operand = fp_node(p->path, operand)->next;
	}
	put_name(p, fp_text(p->path, node), node->text_len);
	put_word(p, "(");
	for (; operand != 0; operand = fp_node(p->path, operand)->next)
	{
		if (!first)
			put_word(p, ", ");
		first = false;
		print_node(p, operand, 0);
	}
	put_word(p, ")");
}

/* A binary operator, or is and as; the right side of one as strong needs parentheses. */
static void
print_operator(Printer *p, const FpNode *node, const FpOperator *o, int binds)
{
	bool		open = o->binds < binds;

	if (open)
		put_word(p, "(");
	print_node(p, node->first, o->binds);
	put_word(p, " ");
	put_word(p, o->name);
	put_word(p, " ");
	if (o->binds == FP_BINDS_TYPE)
		put_type(p, fp_text(p->path, node), node->text_len);
	else
		print_node(p, fp_node(p->path, node->first)->next, o->binds + 1);
	if (open)
		put_word(p, ")");
}

static void
print_sign(Printer *p, const FpNode *node, int binds)
{
	bool		open = binds > FP_BINDS_UNARY;

	if (open)
		put_word(p, "(");
	put_word(p, node->op == FP_OP_NEGATE ? "-" : "+");
	print_node(p, node->first, FP_BINDS_UNARY);
	if (open)
		put_word(p, ")");
}

static void
print_literal(Printer *p, const FpNode *node)
{
	const char *text = fp_text(p->path, node);

	switch ((FpOp) node->op)
	{
		case FP_OP_STRING:
			put_quoted(p, text, node->text_len, '\'');
			break;
		case FP_OP_DATE:
		case FP_OP_DATETIME:
			put_word(p, "@");
			put(p, text, node->text_len);
			break;
		case FP_OP_TIME:
			put_word(p, "@T");
			put(p, text, node->text_len);
			break;
		default:
			put(p, text, node->text_len);
			if (node->op == FP_OP_LONG)
				put_word(p, "L");
	}
}

static void
print_quantity(Printer *p, const FpNode *node, int binds)
{
	const FpNode *unit = fp_node(p->path, node->first);

	put(p, fp_text(p->path, node), node->text_len);
	put_word(p, " ");
	if (unit->aux != 0)
		put(p, fp_text(p->path, unit), unit->text_len);
	else
		put_quoted(p, fp_text(p->path, unit), unit->text_len, '\'');
}

static void
print_node(Printer *p, uint32_t number, int binds)
{
	const FpNode *node = fp_node(p->path, number);
	const FpOperator *o = fp_operator_of(node->op);

	if (o != NULL)
	{
		print_operator(p, node, o, binds);
		return;
	}
	switch ((FpOp) node->op)
	{
		case FP_OP_EMPTY:
			put_word(p, "{}");
			break;
		case FP_OP_BOOLEAN:
			put_word(p, node->aux != 0 ? "true" : "false");
			break;
		case FP_OP_QUANTITY:
			print_quantity(p, node, binds);
			break;
		case FP_OP_THIS:
			put_word(p, "$this");
			break;
		case FP_OP_INDEX:
			put_word(p, "$index");
			break;
		case FP_OP_TOTAL:
			put_word(p, "$total");
			break;
		case FP_OP_VARIABLE:
			put_word(p, "%");
			put_name(p, fp_text(p->path, node), node->text_len);
			break;
		case FP_OP_CHILD:
			if (node->first != 0)
			{
				print_input(p, node->first);
				put_word(p, ".");
			}
			put_name(p, fp_text(p->path, node), node->text_len);
			break;
		case FP_OP_CALL:
			print_call(p, node);
			break;
		case FP_OP_INDEXER:
			print_input(p, node->first);
			put_word(p, "[");
			print_node(p, fp_node(p->path, node->first)->next, 0);
			put_word(p, "]");
			break;
		case FP_OP_NEGATE:
		case FP_OP_POSITIVE:
			print_sign(p, node, binds);
			break;
		case FP_OP_ASCENDING:
		case FP_OP_DESCENDING:
			print_node(p, node->first, 0);
			put_word(p, node->op == FP_OP_ASCENDING ? " asc" : " desc");
			break;
		default:
			print_literal(p, node);
	}
}

CoreStatus
fhirpath_print(const CoreContext *cx, const FhirPath *path, char **text, size_t *len)
{
	Printer		p = {.cx = cx, .path = path};

	print_node(&p, path->node_count, 0);
	if (p.status != CORE_OK)
	{
		if (p.text != NULL)
			cx->free(cx->arg, p.text);
		return p.status;
	}
	*text = p.text;
	*len = p.len;
	return CORE_OK;
}
