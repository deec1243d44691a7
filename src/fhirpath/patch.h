/*
 * patch.h
 *		Documents that are being patched: a jsonb taken apart into a tree, and put together again.
 *
 * Everything is allocated in the current memory context; strings and numbers stay in the jsonb
 * that was read, which must live as long.
 */
#ifndef EHR_PATCH_H
#define EHR_PATCH_H

#include "utils/jsonb.h"

typedef struct PatchText
{
	const char *data;
	int			len;
} PatchText;

typedef enum PatchKind
{
	PATCH_SCALAR,
	PATCH_OBJECT,
	PATCH_ARRAY
} PatchKind;

typedef struct PatchNode
{
	PatchKind	kind;
	JsonbValue	scalar;
	int			n;
	int			room;
	struct PatchNode **items;	/* of an object the values */
	PatchText  *keys;			/* of an object */
} PatchNode;

/* Nodes that copies may add to a document; the operation copy could double it again and again otherwise */
#define PATCH_COPY_MAX	1000000

extern PatchNode *patch_read(Jsonb *doc);
extern PatchNode *patch_read_value(const JsonbValue *value);

/* Raises 54000 where the result is larger than jsonb can be. */
extern Jsonb *patch_write(const PatchNode *root);

extern PatchNode *patch_new(PatchKind kind);

/* A deep copy; *allowance goes down by its nodes, 54000 where it does not suffice. */
extern PatchNode *patch_copy(const PatchNode *node, int64 *allowance);

/* Place of a key, -1 where it is not there */
extern int	patch_find(const PatchNode *object, PatchText key);

/* Adds a key or replaces its value. */
extern void patch_set(PatchNode *object, PatchText key, PatchNode *value);

/* Puts a value before the place, which may be the end. */
extern void patch_insert(PatchNode *array, int place, PatchNode *value);

/* Takes an item (with its key) out. */
extern PatchNode *patch_take(PatchNode *container, int place);

/* Equal as JSON: numbers by value, objects whatever the order of their keys */
extern bool patch_equal(const PatchNode *a, const PatchNode *b);

static inline bool
patch_text_is(PatchText text, const char *what)
{
	return strlen(what) == text.len && memcmp(text.data, what, text.len) == 0;
}

static inline PatchText
patch_text(const char *text)
{
	PatchText	t = {text, (int) strlen(text)};

	return t;
}

#endif							/* EHR_PATCH_H */
