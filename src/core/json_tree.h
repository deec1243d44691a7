/*
 * json_tree.h
 *		A JSON document as a tree of nodes, and a parser that builds it in one pass.
 *
 * The children of an object are sorted as jsonb sorts keys (length, then
 * bytes).  Keys that stand twice stay in the tree, side by side: whoever walks
 * it says what that means and where.
 *
 * Texts point into the source where they can (no escapes in them), else into
 * the tree's own memory; they have no NUL at the end.  The source must live as
 * long as the tree.
 */
#ifndef EHR_JSON_TREE_H
#define EHR_JSON_TREE_H

#include "core.h"

/* Deepest nesting of arrays and objects that the parser takes */
#define JSON_DEPTH_MAX	256

typedef enum JsonKind
{
	NODE_NULL,
	NODE_FALSE,
	NODE_TRUE,
	NODE_NUMBER,				/* text: as written */
	NODE_STRING,				/* text: UTF-8, escapes decoded */
	NODE_ARRAY,
	NODE_OBJECT
} JsonKind;

typedef struct JsonNode
{
	const char *key;			/* in objects; NULL in arrays and at the root */
	union
	{
		const char *text;		/* NODE_NUMBER, NODE_STRING */
		const struct JsonNode *children;	/* NODE_ARRAY, NODE_OBJECT */
	}			u;
	uint32_t	key_len;
	uint32_t	len;			/* of the text, or number of children */
	JsonKind	kind;
	uint32_t	at;				/* trees read from jsonb: bytes from the root container to the datum; 0: the root, or not read from jsonb */
} JsonNode;

typedef enum JsonFault
{
	JSON_FINE = 0,
	JSON_UNEXPECTED,			/* a character that cannot stand here */
	JSON_CUT_OFF,				/* the text ends too early */
	JSON_TRAILING,				/* something behind the document */
	JSON_BAD_NUMBER,
	JSON_BAD_ESCAPE,
	JSON_BAD_SURROGATE,			/* half of a pair of \u escapes */
	JSON_CONTROL_CHARACTER,		/* below U+0020 in a string, not escaped */
	JSON_NUL,					/* \u0000, which no text in PostgreSQL can hold */
	JSON_DEEP
} JsonFault;

typedef struct JsonTree
{
	const CoreContext *cx;
	struct JsonChunk *chunks;	/* all memory of the tree */
	JsonNode   *pending;		/* nodes whose container is not closed yet */
	size_t		pending_count;
	size_t		pending_size;
	const JsonNode *root;
	JsonFault	fault;			/* after CORE_INVALID: what, */
	size_t		fault_at;		/* and at which byte of the source */
} JsonTree;

extern void json_tree_init(JsonTree *tree, const CoreContext *cx);
extern void json_tree_free(JsonTree *tree);

/* Memory that lives as long as the tree; NULL when there is none. */
extern void *json_tree_alloc(JsonTree *tree, size_t size);

/*
 * Parses a text (UTF-8, which the caller has verified) as JSON (RFC 8259).
 * CORE_INVALID: it is not JSON, see fault; CORE_NO_MEMORY, CORE_INTERRUPTED.
 */
extern CoreStatus json_tree_parse(JsonTree *tree, const char *text, size_t len);

/* Sorts nodes by key; n log n at worst. */
extern void json_sort_nodes(JsonNode *nodes, size_t count);

/* The first child of an object with this key, NULL if there is none or the node is no object. */
extern const JsonNode *json_child(const JsonNode *object, const char *key, size_t len);

/* A sentence's predicate for a fault: "has a character that cannot stand there". */
extern const char *json_fault_text(JsonFault fault);

#endif							/* EHR_JSON_TREE_H */
