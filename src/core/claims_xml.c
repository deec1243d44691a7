/*
 * claims_xml.c
 *		Reading of claims XML to leaves, on expat.
 */
#include "claims_xml.h"

#include <expat.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>

/* expat is fed in pieces of this size; between two of them interruption is looked at */
#define PIECE			(4 * 1024 * 1024)
#define BLOCK_SIZE		(64 * 1024)

/* From 2.9.0 on expat has these in 64 bits and deprecates the others. */
#if XML_MAJOR_VERSION > 2 || (XML_MAJOR_VERSION == 2 && XML_MINOR_VERSION >= 9)
#define current_line(parser)		XML_GetCurrentLineNumber64(parser)
#define current_byte(parser)		XML_GetCurrentByteIndex64(parser)
#define current_byte_count(parser)	XML_GetCurrentByteCount64(parser)
#else
#define current_line(parser)		XML_GetCurrentLineNumber(parser)
#define current_byte(parser)		XML_GetCurrentByteIndex(parser)
#define current_byte_count(parser)	XML_GetCurrentByteCount(parser)
#endif

struct ClaimsXmlBlock
{
	struct ClaimsXmlBlock *next;
	size_t		used;
	size_t		size;
	char		bytes[];
};

/* one open element */
typedef struct Open
{
	bool		has_child;
	int			line;
	size_t		path_end;		/* length of the path before its name was added */
	int			opened_level;	/* the group level it opened, or -1 */
	int			group;			/* index of its group in doc->groups being built */
	int64_t		from;
} Open;

typedef struct Buffer
{
	char	   *bytes;
	size_t		len;
	size_t		size;
} Buffer;

typedef struct Reader
{
	const CoreContext *cx;
	XML_Parser	parser;
	const char *const *group_names;
	size_t		max_text;
	ClaimsXmlDoc *doc;
	CoreStatus	status;			/* why the parser was stopped */
	ClaimsXmlRule rule;

	int			depth;
	int			depth_limit;
	Open		open[CLAIMS_XML_MAX_DEPTH];
	int			nlevels;		/* groups open now */
	int			index[CLAIMS_XML_LEVELS];	/* last number given out */

	Buffer		text;			/* of the innermost open element */
	Buffer		path;			/* names of all open elements below the group, each followed by '/' */
	size_t		leaves_size;
	size_t		groups_size;
} Reader;

static const char *const rule_names[] = {
	[CLAIMS_XML_FINE] = "fine",
	[CLAIMS_XML_EMPTY] = "empty",
	[CLAIMS_XML_NOT_WELL_FORMED] = "not-well-formed",
	[CLAIMS_XML_ENCODING] = "encoding",
	[CLAIMS_XML_DOCTYPE] = "doctype",
	[CLAIMS_XML_DEPTH] = "too-deep",
	[CLAIMS_XML_SIZE] = "too-large",
	[CLAIMS_XML_NOT_BASE64] = "not-base64",
};

const char *
claims_xml_rule_name(ClaimsXmlRule rule)
{
	return rule_names[rule];
}

static void
stop(Reader *r, CoreStatus status, ClaimsXmlRule rule)
{
	if (r->status != CORE_OK)
		return;
	r->status = status;
	r->rule = rule;
	XML_StopParser(r->parser, XML_FALSE);
}

/* arena_alloc takes memory that lives as long as the document; NULL stops the parser */
static void *
arena_alloc(Reader *r, size_t size)
{
	struct ClaimsXmlBlock *b = r->doc->blocks;
	void	   *p;

	size = (size + 7) & ~(size_t) 7;
	if (b == NULL || b->size - b->used < size)
	{
		size_t		room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		b = r->cx->alloc(r->cx->arg, sizeof(*b) + room);
		if (b == NULL)
		{
			stop(r, CORE_NO_MEMORY, CLAIMS_XML_FINE);
			return NULL;
		}
		b->next = r->doc->blocks;
		b->used = 0;
		b->size = room;
		r->doc->blocks = b;
	}
	p = b->bytes + b->used;
	b->used += size;
	return p;
}

/* grown returns an array with room for one more, NULL when there is no memory */
static void *
grown(Reader *r, void *array, size_t used, size_t *size, size_t width)
{
	void	   *bigger;
	size_t		n;

	if (used < *size)
		return array;
	n = *size == 0 ? 256 : *size * 2;
	bigger = r->cx->alloc(r->cx->arg, n * width);
	if (bigger == NULL)
	{
		stop(r, CORE_NO_MEMORY, CLAIMS_XML_FINE);
		return NULL;
	}
	if (used > 0)
		memcpy(bigger, array, used * width);
	if (array != NULL)
		r->cx->free(r->cx->arg, array);
	*size = n;
	return bigger;
}

static bool
append(Reader *r, Buffer *b, const char *s, size_t n)
{
	if (b->size - b->len < n)
	{
		size_t		size = b->size == 0 ? 1024 : b->size;
		char	   *bigger;

		while (size - b->len < n)
			size *= 2;
		bigger = r->cx->alloc(r->cx->arg, size);
		if (bigger == NULL)
		{
			stop(r, CORE_NO_MEMORY, CLAIMS_XML_FINE);
			return false;
		}
		if (b->bytes != NULL)
		{
			memcpy(bigger, b->bytes, b->len);
			r->cx->free(r->cx->arg, b->bytes);
		}
		b->bytes = bigger;
		b->size = size;
	}
	memcpy(b->bytes + b->len, s, n);
	b->len += n;
	return true;
}

/* is_blank: only what XML calls white space (a no-break space is text) */
static bool
is_blank(const char *s, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n')
			return false;
	return true;
}

static char *
arena_string(Reader *r, const char *s, size_t n)
{
	char	   *p = arena_alloc(r, n + 1);

	if (p == NULL)
		return NULL;
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

/* enter_group: does this element open the next group? */
static bool
enter_group(Reader *r, const char *name)
{
	int			level = r->nlevels;
	int			i;

	if (level >= CLAIMS_XML_LEVELS || r->group_names[level] == NULL ||
		strcmp(r->group_names[level], name) != 0)
		return false;
	r->index[level]++;
	for (i = level + 1; i < CLAIMS_XML_LEVELS; i++)
		r->index[i] = 0;
	r->nlevels++;
	return true;
}

static void
leave_group(Reader *r, const Open *o)
{
	ClaimsXmlDoc *doc = r->doc;
	ClaimsXmlGroup *g;
	int			i;

	g = grown(r, doc->groups, doc->ngroups, &r->groups_size, sizeof(*g));
	if (g == NULL)
		return;
	doc->groups = g;
	g += doc->ngroups++;
	for (i = 0; i < CLAIMS_XML_LEVELS; i++)
		g->index[i] = i < r->nlevels ? r->index[i] : 0;
	g->line = o->line;
	g->from = o->from;
	g->to = current_byte(r->parser) + current_byte_count(r->parser);
	r->nlevels--;
}

static void
add_leaf(Reader *r, const Open *o)
{
	ClaimsXmlDoc *doc = r->doc;
	ClaimsXmlLeaf *leaf;
	size_t		base = r->depth > 1 ? r->open[1].path_end : 0;
	int			i;

	if (doc->nleaves >= CLAIMS_XML_MAX_LEAVES)
	{
		stop(r, CORE_TOO_LARGE, CLAIMS_XML_SIZE);
		return;
	}
	leaf = grown(r, doc->leaves, doc->nleaves, &r->leaves_size, sizeof(*leaf));
	if (leaf == NULL)
		return;
	doc->leaves = leaf;
	leaf += doc->nleaves;

	/* the path starts below the innermost group around it, else below the root; never empty */
	for (i = 0; i < r->depth - 1; i++)
		if (r->open[i].opened_level >= 0)
			base = r->open[i + 1].path_end;
	leaf->path = arena_string(r, r->path.bytes + base, r->path.len - base - 1);
	leaf->text = arena_string(r, r->text.bytes, r->text.len);
	if (leaf->path == NULL || leaf->text == NULL)
		return;
	leaf->text_len = r->text.len;
	leaf->line = o->line;
	for (i = 0; i < CLAIMS_XML_LEVELS; i++)
		leaf->group[i] = i < r->nlevels ? r->index[i] : 0;
	doc->nleaves++;
}

static void XMLCALL
on_start(void *arg, const XML_Char *name, const XML_Char **atts)
{
	Reader	   *r = arg;
	Open	   *o;
	size_t		n = strlen(name);

	if (r->status != CORE_OK)
		return;
	if (r->depth >= r->depth_limit)
	{
		stop(r, CORE_TOO_DEEP, CLAIMS_XML_DEPTH);
		return;
	}
	if (n > CLAIMS_XML_MAX_NAME)
	{
		stop(r, CORE_TOO_LARGE, CLAIMS_XML_SIZE);
		return;
	}
	if (r->depth > 0)
		r->open[r->depth - 1].has_child = true;
	else if ((r->doc->root = arena_string(r, name, n)) == NULL)
		return;
	if (!is_blank(r->text.bytes, r->text.len))
		r->doc->mixed++;
	r->text.len = 0;
	for (; atts[0] != NULL; atts += 2)
		if (strncmp(atts[0], "xmlns", 5) != 0)
			r->doc->attributes++;

	o = &r->open[r->depth++];
	o->has_child = false;
	o->line = (int) current_line(r->parser);
	o->from = current_byte(r->parser);
	o->path_end = r->path.len;
	o->opened_level = enter_group(r, name) ? r->nlevels - 1 : -1;
	if (append(r, &r->path, name, n))
		append(r, &r->path, "/", 1);
}

static void XMLCALL
on_end(void *arg, const XML_Char *name)
{
	Reader	   *r = arg;
	Open	   *o;

	if (r->status != CORE_OK)
		return;
	o = &r->open[r->depth - 1];
	if (!is_blank(r->text.bytes, r->text.len))
	{
		if (o->has_child)
			r->doc->mixed++;
		else
			add_leaf(r, o);
	}
	r->text.len = 0;
	if (o->opened_level >= 0)
		leave_group(r, o);
	r->path.len = o->path_end;
	r->depth--;
}

static void XMLCALL
on_text(void *arg, const XML_Char *s, int n)
{
	Reader	   *r = arg;

	if (r->status != CORE_OK)
		return;
	if (n > r->max_text - r->text.len)
		stop(r, CORE_TOO_LARGE, CLAIMS_XML_SIZE);
	else
		append(r, &r->text, s, n);
}

static void XMLCALL
on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int has_subset)
{
	stop(arg, CORE_INVALID, CLAIMS_XML_DOCTYPE);
}

static ClaimsXmlRule
rule_of(enum XML_Error error)
{
	switch (error)
	{
		case XML_ERROR_UNKNOWN_ENCODING:
		case XML_ERROR_INCORRECT_ENCODING:
			return CLAIMS_XML_ENCODING;
		default:
			return CLAIMS_XML_NOT_WELL_FORMED;
	}
}

/* parse feeds the document to expat piece by piece */
static void
parse(Reader *r, const char *data, size_t len)
{
	size_t		done = 0;

	do
	{
		size_t		n = len - done < PIECE ? len - done : PIECE;

		if (core_interrupted(r->cx))
		{
			r->status = CORE_INTERRUPTED;
			return;
		}
		if (XML_Parse(r->parser, data + done, (int) n, done + n == len) == XML_STATUS_ERROR)
		{
			enum XML_Error error = XML_GetErrorCode(r->parser);

			if (r->status != CORE_OK)
				return;			/* one of the handlers stopped it and said why */
			if (error == XML_ERROR_NO_MEMORY)
				r->status = CORE_NO_MEMORY;
			else
			{
				r->status = CORE_INVALID;
				r->rule = rule_of(error);
			}
			return;
		}
		done += n;
	} while (done < len);
}

CoreStatus
claims_xml_read(const CoreContext *cx, const char *data, size_t len,
				const char *const group_names[CLAIMS_XML_LEVELS],
				size_t max_text, ClaimsXmlDoc *doc)
{
	Reader		r = {.cx = cx, .group_names = group_names, .max_text = max_text, .doc = doc};
	int			line;

	memset(doc, 0, sizeof(*doc));
	doc->bom = len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0;
	if (is_blank(data, len) || (doc->bom && is_blank(data + 3, len - 3)))
	{
		doc->rule = CLAIMS_XML_EMPTY;
		doc->line = 1;
		return CORE_INVALID;
	}
	r.depth_limit = cx->depth_limit > 0 && cx->depth_limit < CLAIMS_XML_MAX_DEPTH ?
		cx->depth_limit : CLAIMS_XML_MAX_DEPTH;

	/* expat has memory of its own (its allocators take no argument); it is freed on every way out */
	r.parser = XML_ParserCreate(NULL);
	if (r.parser == NULL)
		return CORE_NO_MEMORY;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	parse(&r, data, len);
	line = (int) current_line(r.parser);
	XML_ParserFree(r.parser);

	if (r.text.bytes != NULL)
		cx->free(cx->arg, r.text.bytes);
	if (r.path.bytes != NULL)
		cx->free(cx->arg, r.path.bytes);
	if (r.status != CORE_OK)
	{
		claims_xml_free(cx, doc);
		doc->rule = r.rule;
		doc->line = line;
	}
	return r.status;
}

void
claims_xml_free(const CoreContext *cx, ClaimsXmlDoc *doc)
{
	struct ClaimsXmlBlock *b = doc->blocks;

	while (b != NULL)
	{
		struct ClaimsXmlBlock *next = b->next;

		cx->free(cx->arg, b);
		b = next;
	}
	if (doc->leaves != NULL)
		cx->free(cx->arg, doc->leaves);
	if (doc->groups != NULL)
		cx->free(cx->arg, doc->groups);
	memset(doc, 0, sizeof(*doc));
}

CoreStatus
claims_xml_base64(const CoreContext *cx, const char *text, size_t len, char **out, size_t *out_len)
{
	size_t		room = len / 4 * 3 + 3;
	const char *end;
	char	   *bytes;
	size_t		i;

	/* libsodium takes some bytes above 127 for letters */
	for (i = 0; i < len; i++)
		if ((unsigned char) text[i] >= 0x80)
			return CORE_INVALID;
	bytes = cx->alloc(cx->arg, room);
	if (bytes == NULL)
		return CORE_NO_MEMORY;
	if (sodium_base642bin((unsigned char *) bytes, room, text, len, " \t\r\n", out_len,
						  &end, sodium_base64_VARIANT_ORIGINAL) != 0 || end != text + len)
	{
		cx->free(cx->arg, bytes);
		return CORE_INVALID;
	}
	*out = bytes;
	return CORE_OK;
}
