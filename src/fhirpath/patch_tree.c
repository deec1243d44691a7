/*
 * patch_tree.c
 *		jsonb as a tree that can be changed.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "fhirpath/patch.h"

PatchNode *
patch_new(PatchKind kind)
{
	PatchNode  *node = palloc0(sizeof(PatchNode));

	node->kind = kind;
	return node;
}

static void
make_room(PatchNode *node)
{
	if (node->n < node->room)
		return;
	node->room = node->room == 0 ? 4 : node->room * 2;
	node->items = node->items == NULL ? palloc(node->room * sizeof(PatchNode *)) :
		repalloc(node->items, node->room * sizeof(PatchNode *));
	if (node->kind == PATCH_OBJECT)
		node->keys = node->keys == NULL ? palloc(node->room * sizeof(PatchText)) :
			repalloc(node->keys, node->room * sizeof(PatchText));
}

/* -- reading and writing ------------------------------------------------ */

static PatchNode *
read_container(JsonbContainer *container)
{
	PatchNode  *node = patch_new(JsonContainerIsObject(container) ? PATCH_OBJECT : PATCH_ARRAY);
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbValue	value;
	JsonbIteratorToken token;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	(void) JsonbIteratorNext(&it, &value, true);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			make_room(node);
			node->keys[node->n].data = value.val.string.val;
			node->keys[node->n].len = value.val.string.len;
		}
		else if (token == WJB_VALUE || token == WJB_ELEM)
		{
			make_room(node);
			node->items[node->n++] = patch_read_value(&value);
		}
	}
	return node;
}

PatchNode *
patch_read_value(const JsonbValue *value)
{
	PatchNode  *node;

	if (value->type == jbvBinary)
		return read_container(value->val.binary.data);
	node = patch_new(PATCH_SCALAR);
	node->scalar = *value;
	return node;
}

PatchNode *
patch_read(Jsonb *doc)
{
	JsonbValue	scalar;

	if (JB_ROOT_IS_SCALAR(doc))
	{
		(void) JsonbExtractScalar(&doc->root, &scalar);
		return patch_read_value(&scalar);
	}
	return read_container(&doc->root);
}

static JsonbValue *
push_node(JsonbParseState **state, const PatchNode *node, JsonbIteratorToken token)
{
	JsonbValue	value;

	check_stack_depth();
	if (node->kind == PATCH_SCALAR)
	{
		value = node->scalar;
		return pushJsonbValue(state, token, &value);
	}
	CHECK_FOR_INTERRUPTS();
	(void) pushJsonbValue(state, node->kind == PATCH_OBJECT ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < node->n; i++)
	{
		if (node->kind == PATCH_OBJECT)
		{
			value.type = jbvString;
			value.val.string.val = (char *) node->keys[i].data;
			value.val.string.len = node->keys[i].len;
			(void) pushJsonbValue(state, WJB_KEY, &value);
		}
		(void) push_node(state, node->items[i], node->kind == PATCH_OBJECT ? WJB_VALUE : WJB_ELEM);
	}
	return pushJsonbValue(state, node->kind == PATCH_OBJECT ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
}

Jsonb *
patch_write(const PatchNode *root)
{
	JsonbParseState *state = NULL;
	JsonbValue	scalar;

	if (root->kind == PATCH_SCALAR)
	{
		scalar = root->scalar;
		return JsonbValueToJsonb(&scalar);
	}
	return JsonbValueToJsonb(push_node(&state, root, WJB_ELEM));
}

/* -- changing ----------------------------------------------------------- */

PatchNode *
patch_copy(const PatchNode *node, int64 *allowance)
{
	PatchNode  *copy = patch_new(node->kind);

	check_stack_depth();
	if (--*allowance < 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the patch copies too much"),
				 errdetail("The copies of one patch may have %d values.", PATCH_COPY_MAX)));
	copy->scalar = node->scalar;
	for (int i = 0; i < node->n; i++)
	{
		make_room(copy);
		if (node->kind == PATCH_OBJECT)
			copy->keys[i] = node->keys[i];
		copy->items[i] = patch_copy(node->items[i], allowance);
		copy->n = i + 1;
	}
	return copy;
}

int
patch_find(const PatchNode *object, PatchText key)
{
	for (int i = 0; i < object->n; i++)
	{
		if (object->keys[i].len == key.len && memcmp(object->keys[i].data, key.data, key.len) == 0)
			return i;
	}
	return -1;
}

void
patch_set(PatchNode *object, PatchText key, PatchNode *value)
{
	int			place = patch_find(object, key);

	if (place >= 0)
		object->items[place] = value;
	else
	{
		make_room(object);
		object->keys[object->n] = key;
		object->items[object->n++] = value;
	}
}

void
patch_insert(PatchNode *array, int place, PatchNode *value)
{
	make_room(array);
	memmove(array->items + place + 1, array->items + place, (array->n - place) * sizeof(PatchNode *));
	array->items[place] = value;
	array->n++;
}

PatchNode *
patch_take(PatchNode *container, int place)
{
	PatchNode  *node = container->items[place];

	container->n--;
	memmove(container->items + place, container->items + place + 1, (container->n - place) * sizeof(PatchNode *));
	if (container->kind == PATCH_OBJECT)
		memmove(container->keys + place, container->keys + place + 1, (container->n - place) * sizeof(PatchText));
	return node;
}

bool
patch_equal(const PatchNode *a, const PatchNode *b)
{
	Jsonb	   *x;
	Jsonb	   *y;
	bool		equal;

	if (a->kind != b->kind)
		return false;
	x = patch_write(a);
	y = patch_write(b);
	equal = compareJsonbContainers(&x->root, &y->root) == 0;
	pfree(x);
	pfree(y);
	return equal;
}
