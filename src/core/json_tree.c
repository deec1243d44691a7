/*
 * json_tree.c
 *		A JSON parser that builds a sorted tree in one pass.
 *
 * Nodes of open containers wait in one stack ("pending"); when a container
 * closes, its children move to an array of their own, sorted.  The parser does
 * not recurse.
 */
#include "json_tree.h"

#include <string.h>

#include "bytes.h"
#define CHUNK_SIZE		(16 * 1024)
#define INSERTION_MAX	24
#define INTERRUPT_EVERY 4096

struct JsonChunk
{
	struct JsonChunk *next;
	size_t		size;
	size_t		used;
	_Alignas(16) char data[];
};

/* -- memory ------------------------------------------------------------- */

void
json_tree_init(JsonTree *tree, const CoreContext *cx)
{
	memset(tree, 0, sizeof(*tree));
	tree->cx = cx;
}

void
json_tree_free(JsonTree *tree)
{
	const CoreContext *cx = tree->cx;

	while (tree->chunks != NULL)
	{
		struct JsonChunk *next = tree->chunks->next;

		cx->free(cx->arg, tree->chunks);
		tree->chunks = next;
	}
	if (tree->pending != NULL)
		cx->free(cx->arg, tree->pending);
	json_tree_init(tree, cx);
}

void *
json_tree_alloc(JsonTree *tree, size_t size)
{
	struct JsonChunk *chunk = tree->chunks;
	void	   *result;

	size = (size + 15) & ~(size_t) 15;
	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		size_t		room = size > CHUNK_SIZE / 4 ? size : CHUNK_SIZE;

		chunk = tree->cx->alloc(tree->cx->arg, sizeof(struct JsonChunk) + room);
		if (chunk == NULL)
			return NULL;
		chunk->size = room;
		chunk->used = 0;

		/* a chunk of its own for something large goes behind the one in use */
		if (room == size && tree->chunks != NULL)
		{
			chunk->next = tree->chunks->next;
			tree->chunks->next = chunk;
		}
		else
		{
			chunk->next = tree->chunks;
			tree->chunks = chunk;
		}
	}
	result = chunk->data + chunk->used;
	chunk->used += size;
	return result;
}

static JsonNode *
push_pending(JsonTree *tree)
{
	if (tree->pending_count == tree->pending_size)
	{
		size_t		size = tree->pending_size == 0 ? 128 : tree->pending_size * 2;
		JsonNode   *nodes = tree->cx->alloc(tree->cx->arg, size * sizeof(JsonNode));

		if (nodes == NULL)
			return NULL;
		if (tree->pending != NULL)
		{
			memcpy(nodes, tree->pending, tree->pending_count * sizeof(JsonNode));
			tree->cx->free(tree->cx->arg, tree->pending);
		}
		tree->pending = nodes;
		tree->pending_size = size;
	}
	return &tree->pending[tree->pending_count++];
}

/* -- order of keys ------------------------------------------------------ */

static inline int
compare_keys(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return bytes_key_order(a, a_len, b, b_len);
}

static inline bool
node_above(const JsonNode *a, const JsonNode *b)
{
	return compare_keys(a->key, a->key_len, b->key, b->key_len) > 0;
}

static void
sift_down(JsonNode *nodes, size_t start, size_t count)
{
	size_t		child;
	JsonNode	moved = nodes[start];

	while ((child = 2 * start + 1) < count)
	{
		if (child + 1 < count && node_above(&nodes[child + 1], &nodes[child]))
			child++;
		if (!node_above(&nodes[child], &moved))
			break;
		nodes[start] = nodes[child];
		start = child;
	}
	nodes[start] = moved;
}

void
json_sort_nodes(JsonNode *nodes, size_t count)
{
	if (count <= INSERTION_MAX)
	{
		for (size_t i = 1; i < count; i++)
		{
			JsonNode	moved = nodes[i];
			size_t		at = i;

			for (; at > 0 && node_above(&nodes[at - 1], &moved); at--)
				nodes[at] = nodes[at - 1];
			nodes[at] = moved;
		}
		return;
	}

	/* heap sort: n log n also for what was made to be slow */
	for (size_t i = count / 2; i > 0; i--)
		sift_down(nodes, i - 1, count);
	for (size_t i = count - 1; i > 0; i--)
	{
		JsonNode	top = nodes[0];

		nodes[0] = nodes[i];
		nodes[i] = top;
		sift_down(nodes, 0, i);
	}
}

const JsonNode *
json_child(const JsonNode *object, const char *key, size_t len)
{
	size_t		low = 0,
				high;

	if (object->kind != NODE_OBJECT)
		return NULL;
	high = object->len;
	while (low < high)
	{
		size_t		mid = (low + high) / 2;
		const JsonNode *node = &object->u.children[mid];
		int			order = compare_keys(node->key, node->key_len, key, len);

		if (order == 0)
		{
			/* the first of a key that stands twice */
			while (node > object->u.children && node[-1].key_len == len && bytes_same(node[-1].key, key, len))
				node--;
			return node;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* -- the parser --------------------------------------------------------- */

typedef struct Parser
{
	JsonTree   *tree;
	const char *start;
	const char *at;
	const char *end;
	int			depth;
	struct
	{
		size_t		first;		/* its first child in pending */
		bool		object;
	}			open[JSON_DEPTH_MAX];
} Parser;

static CoreStatus
fail(Parser *p, JsonFault fault)
{
	if (fault == JSON_UNEXPECTED && p->at >= p->end)
		fault = JSON_CUT_OFF;
	p->tree->fault = fault;
	p->tree->fault_at = p->at - p->start;
	return CORE_INVALID;
}

static inline void
skip_space(Parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
		p->at++;
}

static inline uint64_t
load8(const char *at)
{
	uint64_t	word;

	memcpy(&word, at, 8);
	return word;
}

/*
 * Goes on to the first quote, backslash or control character, eight bytes at
 * a time: a byte of `w ^ c` is zero where the byte is c, and the classic
 * (w - 1) & ~w & 0x80 finds a zero byte.
 */
static inline const char *
skip_plain(const char *at, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = ones << 7;

	while (end - at >= 8)
	{
		uint64_t	w = load8(at);
		uint64_t	quote = w ^ (ones * '"');
		uint64_t	slash = w ^ (ones * '\\');

		if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * ' ') & ~w)) & tops)
			break;
		at += 8;
	}
	while (at < end && *at != '"' && *at != '\\' && (unsigned char) *at >= ' ')
		at++;
	return at;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Four hexadecimal digits at p->at, which moves behind them; -1: not there */
static int
four_hex(Parser *p)
{
	int			value = 0;

	for (int i = 0; i < 4; i++, p->at++)
	{
		int			digit = p->at < p->end ? hex_digit(*p->at) : -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static char *
put_utf8(char *out, uint32_t c)
{
	if (c < 0x80)
		*out++ = (char) c;
	else if (c < 0x800)
	{
		*out++ = (char) (0xC0 | (c >> 6));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else if (c < 0x10000)
	{
		*out++ = (char) (0xE0 | (c >> 12));
		*out++ = (char) (0x80 | ((c >> 6) & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | (c >> 18));
		*out++ = (char) (0x80 | ((c >> 12) & 0x3F));
		*out++ = (char) (0x80 | ((c >> 6) & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	return out;
}

/* The character of a \u escape, p->at behind the u; pairs are put together. */
static CoreStatus
unicode_escape(Parser *p, uint32_t *character)
{
	int			high = four_hex(p);
	int			low;

	if (high < 0)
		return fail(p, p->at >= p->end ? JSON_CUT_OFF : JSON_BAD_ESCAPE);
	if (high == 0)
		return fail(p, JSON_NUL);
	*character = (uint32_t) high;
	if (high >= 0xDC00 && high <= 0xDFFF)
		return fail(p, JSON_BAD_SURROGATE);
	if (high < 0xD800 || high > 0xDBFF)
		return CORE_OK;
	if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u')
		return fail(p, JSON_BAD_SURROGATE);
	p->at += 2;
	low = four_hex(p);
	if (low < 0xDC00 || low > 0xDFFF)
		return fail(p, JSON_BAD_SURROGATE);
	*character = 0x10000 + ((uint32_t) (high - 0xD800) << 10) + (uint32_t) (low - 0xDC00);
	return CORE_OK;
}

/* A string with escapes, p->at at the first backslash, `start` at its beginning. */
static CoreStatus
escaped_string(Parser *p, const char *start, const char **text, uint32_t *len)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *scan = p->at;
	char	   *out,
			   *buffer;

	/* where does it end? decoding never makes it longer */
	while (scan < p->end && *scan != '"')
		scan += *scan == '\\' ? 2 : 1;
	if (scan >= p->end)
	{
		p->at = p->end;
		return fail(p, JSON_CUT_OFF);
	}
	out = buffer = json_tree_alloc(p->tree, scan - start);
	if (buffer == NULL)
		return CORE_NO_MEMORY;
	for (;;)
	{
		const char *plain = skip_plain(start, p->end);

		memcpy(out, start, plain - start);
		out += plain - start;
		p->at = plain;
		if (plain >= p->end)
			return fail(p, JSON_CUT_OFF);
		if (*plain == '"')
			break;
		if (*plain != '\\')
			return fail(p, JSON_CONTROL_CHARACTER);
		if (++p->at >= p->end)
			return fail(p, JSON_CUT_OFF);
		if (*p->at == 'u')
		{
			uint32_t	character;
			CoreStatus	status;

			p->at++;
			status = unicode_escape(p, &character);
			if (status != CORE_OK)
				return status;
			out = put_utf8(out, character);
		}
		else
		{
			const char *known = memchr(from, *p->at, sizeof(from) - 1);

			if (known == NULL)
				return fail(p, JSON_BAD_ESCAPE);
			*out++ = to[known - from];
			p->at++;
		}
		start = p->at;
	}
	p->at++;
	*text = buffer;
	*len = (uint32_t) (out - buffer);
	return CORE_OK;
}

/* A string, p->at behind the opening quote. */
static inline CoreStatus
string(Parser *p, const char **text, uint32_t *len)
{
	const char *start = p->at;

	p->at = skip_plain(start, p->end);
	if (p->at >= p->end)
		return fail(p, JSON_CUT_OFF);
	if (*p->at == '\\')
		return escaped_string(p, start, text, len);
	if (*p->at != '"')
		return fail(p, JSON_CONTROL_CHARACTER);
	*text = start;
	*len = (uint32_t) (p->at - start);
	p->at++;
	return CORE_OK;
}

static bool
skip_digits(Parser *p)
{
	const char *start = p->at;

	while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
		p->at++;
	return p->at > start;
}

static CoreStatus
number(Parser *p, JsonNode *node)
{
	const char *start = p->at;
	bool		good = true;

	if (*p->at == '-')
		p->at++;
	if (p->at < p->end && *p->at == '0')
		p->at++;
	else
		good = skip_digits(p);
	if (good && p->at < p->end && *p->at == '.')
	{
		p->at++;
		good = skip_digits(p);
	}
	if (good && p->at < p->end && (*p->at == 'e' || *p->at == 'E'))
	{
		p->at++;
		if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
			p->at++;
		good = skip_digits(p);
	}
	if (!good)
		return fail(p, p->at >= p->end ? JSON_CUT_OFF : JSON_BAD_NUMBER);

	/* 01, 1x: what follows a number is a separator */
	if (p->at < p->end && ((*p->at >= '0' && *p->at <= '9') || *p->at == '.' || *p->at == '-' || *p->at == '+'))
		return fail(p, JSON_BAD_NUMBER);
	node->kind = NODE_NUMBER;
	node->u.text = start;
	node->len = (uint32_t) (p->at - start);
	return CORE_OK;
}

static CoreStatus
word(Parser *p, JsonNode *node, const char *text, size_t len, JsonKind kind)
{
	if ((size_t) (p->end - p->at) < len || memcmp(p->at, text, len) != 0)
		return fail(p, JSON_UNEXPECTED);
	p->at += len;
	node->kind = kind;
	return CORE_OK;
}

/* A value that is no container, or the opening of one (*opened). */
static CoreStatus
value(Parser *p, JsonNode *node, bool *opened)
{
	*opened = false;
	if (p->at >= p->end)
		return fail(p, JSON_CUT_OFF);
	switch (*p->at)
	{
		case '"':
			p->at++;
			node->kind = NODE_STRING;
			return string(p, &node->u.text, &node->len);
		case '{':
		case '[':
			if (p->depth >= JSON_DEPTH_MAX)
				return fail(p, JSON_DEEP);
			node->kind = *p->at++ == '{' ? NODE_OBJECT : NODE_ARRAY;
			*opened = true;
			return CORE_OK;
		case 't':
			return word(p, node, "true", 4, NODE_TRUE);
		case 'f':
			return word(p, node, "false", 5, NODE_FALSE);
		case 'n':
			return word(p, node, "null", 4, NODE_NULL);
		case '-':
		case '0': case '1': case '2': case '3': case '4':
		case '5': case '6': case '7': case '8': case '9':
			return number(p, node);
		default:
			return fail(p, JSON_UNEXPECTED);
	}
}

/* Moves the children of the innermost container to their own place and closes it. */
static CoreStatus
close_container(Parser *p)
{
	JsonTree   *tree = p->tree;
	size_t		first = p->open[p->depth - 1].first;
	size_t		count = tree->pending_count - first;
	JsonNode   *container = &tree->pending[first - 1];
	JsonNode   *children = NULL;

	if (count > 0)
	{
		children = json_tree_alloc(tree, count * sizeof(JsonNode));
		if (children == NULL)
			return CORE_NO_MEMORY;
		memcpy(children, tree->pending + first, count * sizeof(JsonNode));
		if (p->open[p->depth - 1].object)
			json_sort_nodes(children, count);
	}
	container->u.children = children;
	container->len = (uint32_t) count;
	tree->pending_count = first;
	p->depth--;
	return CORE_OK;
}

/* `"key" :`, at the quote */
static CoreStatus
key(Parser *p, JsonNode *node)
{
	CoreStatus	status;

	if (p->at >= p->end || *p->at != '"')
		return fail(p, JSON_UNEXPECTED);
	p->at++;
	status = string(p, &node->key, &node->key_len);
	if (status != CORE_OK)
		return status;
	skip_space(p);
	if (p->at >= p->end || *p->at != ':')
		return fail(p, JSON_UNEXPECTED);
	p->at++;
	skip_space(p);
	return CORE_OK;
}

/* One member of the innermost container (or the root) and, if it opens a container, that. */
static CoreStatus
member(Parser *p)
{
	JsonNode   *node = push_pending(p->tree);
	CoreStatus	status = CORE_OK;
	bool		opened;

	if (node == NULL)
		return CORE_NO_MEMORY;
	memset(node, 0, sizeof(*node));
	if (p->depth > 0 && p->open[p->depth - 1].object)
		status = key(p, node);
	if (status == CORE_OK)
		status = value(p, node, &opened);
	if (status == CORE_OK && opened)
	{
		p->open[p->depth].first = p->tree->pending_count;
		p->open[p->depth].object = node->kind == NODE_OBJECT;
		p->depth++;
	}
	return status;
}

/*
 * After a member: closes what closes here; true in *more when another member
 * follows.  `fresh` says that the innermost container was opened just now.
 */
static CoreStatus
separator(Parser *p, bool fresh, bool *more)
{
	*more = false;
	while (p->depth > 0)
	{
		char		closing = p->open[p->depth - 1].object ? '}' : ']';
		CoreStatus	status;

		skip_space(p);
		if (p->at >= p->end)
			return fail(p, JSON_CUT_OFF);
		if (*p->at == closing)
		{
			p->at++;
			status = close_container(p);
			if (status != CORE_OK)
				return status;
			fresh = false;
			continue;
		}
		if (!fresh)
		{
			if (*p->at != ',')
				return fail(p, JSON_UNEXPECTED);
			p->at++;
			skip_space(p);
		}
		*more = true;
		return CORE_OK;
	}
	return CORE_OK;
}

CoreStatus
json_tree_parse(JsonTree *tree, const char *text, size_t len)
{
	Parser		p;
	bool		more = true;
	unsigned	members = 0;
	JsonNode   *root;

	p.tree = tree;
	p.start = p.at = text;
	p.end = text + len;
	p.depth = 0;
	if (len > UINT32_MAX / 2)
		return CORE_TOO_LARGE;

	/* a byte order mark, which RFC 8259 lets a reader ignore */
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		p.at += 3;
	skip_space(&p);
	while (more)
	{
		int			depth = p.depth;
		CoreStatus	status = member(&p);

		if (status == CORE_OK)
			status = separator(&p, p.depth > depth, &more);
		if (status != CORE_OK)
			return status;
		if (++members % INTERRUPT_EVERY == 0 && core_interrupted(tree->cx))
			return CORE_INTERRUPTED;
	}
	skip_space(&p);
	if (p.at < p.end)
		return fail(&p, JSON_TRAILING);
	root = json_tree_alloc(tree, sizeof(JsonNode));
	if (root == NULL)
		return CORE_NO_MEMORY;
	*root = tree->pending[0];
	tree->pending_count = 0;
	tree->root = root;
	return CORE_OK;
}

const char *
json_fault_text(JsonFault fault)
{
	static const char *const texts[] = {
		[JSON_FINE] = "is fine",
		[JSON_UNEXPECTED] = "has a character that cannot stand there",
		[JSON_CUT_OFF] = "ends too early",
		[JSON_TRAILING] = "goes on behind its end",
		[JSON_BAD_NUMBER] = "has a malformed number",
		[JSON_BAD_ESCAPE] = "has a malformed escape",
		[JSON_BAD_SURROGATE] = "has half of a surrogate pair",
		[JSON_CONTROL_CHARACTER] = "has a control character in a string",
		[JSON_NUL] = "has \\u0000, which PostgreSQL cannot store",
		[JSON_DEEP] = "is nested too deeply",
	};

	return texts[fault];
}
