/*
 * patch_place.c
 *		Elements of a FHIR document: from the engine's items to places in the tree, and changing them there.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "core/jsonb_read.h"
#include "fhirpath/patch_place.h"

/* -- from items to places ----------------------------------------------- */

typedef struct Search
{
	const char *wanted;			/* address of the value, or of the twin */
	JbType		type;
	PatchPlace *found;
	int			count;
	int			room;
} Search;

/* A type of the model by an object that may be a resource */
static int
type_of_object(const PatchNode *object, int declared)
{
	int			place = patch_find(object, patch_text("resourceType"));
	int			number = 0;

	if (place >= 0 && object->items[place]->kind == PATCH_SCALAR && object->items[place]->scalar.type == jbvString)
		number = fhir_resource_number(object->items[place]->scalar.val.string.val, object->items[place]->scalar.val.string.len);
	return number > 0 ? FHIR_RESOURCE_BASE + number : declared;
}

static void
note_place(Search *search, const PatchPlace *place)
{
	if (search->count == search->room)
	{
		search->room = search->room == 0 ? 2 : search->room * 2;
		search->found = search->found == NULL ? palloc(search->room * sizeof(PatchPlace)) :
			repalloc(search->found, search->room * sizeof(PatchPlace));
	}
	search->found[search->count++] = *place;
}

static void search_container(Search *search, const JbContainer *container, PatchNode *node, const PatchPlace *place, int type);

/* One value of an object or list, and what is in it; the tree has the same shape as the jsonb. */
static void
search_value(Search *search, const JbValue *value, PatchNode *node, const PatchPlace *place)
{
	if (value->type == search->type && value->ptr == search->wanted)
		note_place(search, place);
	if (value->type == JB_T_CONTAINER)
		search_container(search, (const JbContainer *) value->ptr, node, place, place->type);
}

static void
search_list(Search *search, const JbContainer *container, PatchNode *node, const PatchPlace *list)
{
	PatchPlace	place = *list;
	JbIter		it;
	JbValue		value;

	place.in_array = true;
	jb_iter_start(&it, container);
	for (place.index = 0; jb_iter_next(&it, &value); place.index++)
		search_value(search, &value, node->items[place.index], &place);
}

static void
search_object(Search *search, const JbContainer *container, PatchNode *node, const PatchPlace *here, int declared)
{
	PatchPlace	place = {.root = here->root, .parent = node, .parent_type = type_of_object(node, declared)};
	JbIter		it;
	JbValue		value;

	jb_iter_start(&it, container);
	for (int i = 0; jb_iter_next(&it, &value); i++)
	{
		const FhirElement *element = place.parent_type == 0 ? NULL :
			fhir_element_find(place.parent_type, node->keys[i].data, node->keys[i].len);

		place.key = node->keys[i];
		place.type = element == NULL ? 0 : element->type;
		if (place.key.len > 1 && place.key.data[0] == '_')
		{
			place.key.data++;
			place.key.len--;
		}
		if (value.type == JB_T_CONTAINER && jb_is_array((const JbContainer *) value.ptr))
			search_list(search, (const JbContainer *) value.ptr, node->items[i], &place);
		else
			search_value(search, &value, node->items[i], &place);
	}
}

static void
search_container(Search *search, const JbContainer *container, PatchNode *node, const PatchPlace *place, int type)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (jb_is_object(container))
		search_object(search, container, node, place, type);
	else
		search_list(search, container, node, place);
}

int
patch_places_of(PatchNode *root, Jsonb *doc, const FpItem *item, PatchPlace **places)
{
	const JbContainer *container = (const JbContainer *) &doc->root;
	PatchPlace	whole = {.root = root};
	Search		search = {.wanted = item->u.text, .type = (JbType) item->json};

	if (item->kind != FP_NODE || root->kind != PATCH_OBJECT)
		return 0;
	/* an element that only has its other half is known by that */
	if (search.type == JB_T_NULL && item->twin != NULL)
	{
		search.type = JB_T_CONTAINER;
		search.wanted = (const char *) item->twin;
	}
	whole.type = type_of_object(root, 0);
	if (search.type == JB_T_CONTAINER && search.wanted == (const char *) container)
		note_place(&search, &whole);
	else
		search_container(&search, container, root, &whole, whole.type);
	*places = search.found;
	return search.count;
}

/* -- the two halves ----------------------------------------------------- */

static PatchText
twin_key(PatchText key)
{
	char	   *name = palloc(key.len + 1);
	PatchText	twin = {name, key.len + 1};

	name[0] = '_';
	memcpy(name + 1, key.data, key.len);
	return twin;
}

static PatchNode *
get(const PatchNode *object, PatchText key)
{
	int			place = patch_find(object, key);

	return place < 0 ? NULL : object->items[place];
}

static void
drop(PatchNode *object, PatchText key)
{
	int			place = patch_find(object, key);

	if (place >= 0)
		(void) patch_take(object, place);
}

static bool
is_null(const PatchNode *node)
{
	return node == NULL || (node->kind == PATCH_SCALAR && node->scalar.type == jbvNull);
}

static PatchNode *
null_node(void)
{
	PatchNode  *node = patch_new(PATCH_SCALAR);

	node->scalar.type = jbvNull;
	return node;
}

static bool
all_null(const PatchNode *array)
{
	for (int i = 0; i < array->n; i++)
	{
		if (!is_null(array->items[i]))
			return false;
	}
	return true;
}

/* The array of a key, filled up with nulls to a length; made where there is none */
static PatchNode *
array_of(PatchNode *object, PatchText key, int length)
{
	PatchNode  *array = get(object, key);

	if (array == NULL || array->kind != PATCH_ARRAY)
	{
		array = patch_new(PATCH_ARRAY);
		patch_set(object, key, array);
	}
	while (array->n < length)
		patch_insert(array, array->n, null_node());
	return array;
}

/* How long the list of a key is, by its longer half */
static int
list_length(const PatchNode *object, PatchText key)
{
	PatchNode  *array = get(object, key);
	PatchNode  *twins = get(object, twin_key(key));
	int			n = array != NULL && array->kind == PATCH_ARRAY ? array->n : 0;

	return twins != NULL && twins->kind == PATCH_ARRAY && twins->n > n ? twins->n : n;
}

static void
list_insert(PatchNode *object, PatchText key, int index, const PatchValue *value)
{
	int			length = list_length(object, key);

	if (value->twin != NULL || get(object, twin_key(key)) != NULL)
		patch_insert(array_of(object, twin_key(key), length), index, value->twin != NULL ? value->twin : null_node());
	patch_insert(array_of(object, key, length), index, value->node != NULL ? value->node : null_node());
}

/* Takes an element out of a list, and the halves of which nothing is left */
static PatchValue
list_take(PatchNode *object, PatchText key, int index)
{
	PatchValue	value = {NULL, NULL, {"", 0}};
	PatchNode  *array = get(object, key);
	PatchNode  *twins = get(object, twin_key(key));

	if (array != NULL && array->kind == PATCH_ARRAY && index < array->n)
		value.node = patch_take(array, index);
	if (twins != NULL && twins->kind == PATCH_ARRAY && index < twins->n)
		value.twin = patch_take(twins, index);
	if (is_null(value.twin))
		value.twin = NULL;
	if (twins != NULL && twins->kind == PATCH_ARRAY && all_null(twins))
	{
		drop(object, twin_key(key));
		twins = NULL;
	}
	if (array != NULL && array->n == 0 && (twins == NULL || twins->n == 0))
		drop(object, key);
	return value;
}

static void
set_both(PatchNode *object, PatchText key, const PatchValue *value)
{
	if (value->node != NULL)
		patch_set(object, key, value->node);
	else
		drop(object, key);
	if (value->twin != NULL)
		patch_set(object, twin_key(key), value->twin);
	else
		drop(object, twin_key(key));
}

/* -- changing ----------------------------------------------------------- */

/*
 * Takes out what is empty on the way from a node to `emptied`; whether nothing is left of the node itself.
 * halves: the node is the array of other halves of a list, where a null keeps the place.
 */
static bool
prune(PatchNode *node, const PatchNode *emptied, bool halves)
{
	check_stack_depth();
	if (node == emptied || node->kind == PATCH_SCALAR)
		return node->kind != PATCH_SCALAR && node->n == 0;
	for (int i = 0; i < node->n; i++)
	{
		bool		below = node->kind == PATCH_OBJECT && node->keys[i].len > 0 && node->keys[i].data[0] == '_';

		if (!prune(node->items[i], emptied, below))
			continue;
		if (!halves || node->kind != PATCH_ARRAY)
			(void) patch_take(node, i);
		else
			node->items[i] = null_node();
		return halves && node->kind == PATCH_ARRAY ? all_null(node) : node->n == 0;
	}
	return false;
}

/* The same object in another tree of the same document */
static PatchNode *
same_object(PatchNode *node, PatchNode *other, const PatchNode *wanted)
{
	check_stack_depth();
	if (node == wanted)
		return other;
	for (int i = 0; i < node->n; i++)
	{
		PatchNode  *found = same_object(node->items[i], other->items[i], wanted);

		if (found != NULL)
			return found;
	}
	return NULL;
}

void
patch_delete_at(PatchNode *root, const PatchPlace *place)
{
	PatchNode  *parent = root == place->root ? place->parent : same_object(place->root, root, place->parent);

	if (place->in_array)
		(void) list_take(parent, place->key, place->index);
	else
	{
		drop(parent, place->key);
		drop(parent, twin_key(place->key));
	}
	if (parent->n == 0)
		(void) prune(root, parent, false);
}

/* The key of a choice with another type: value + Quantity; false where the model has none such */
static bool
choice_key(int type, PatchText base, PatchText suffix, PatchText *key)
{
	char	   *name = palloc(base.len + suffix.len);

	memcpy(name, base.data, base.len);
	memcpy(name + base.len, suffix.data, suffix.len);
	key->data = name;
	key->len = base.len + suffix.len;
	return fhir_element_find(type, key->data, key->len) != NULL;
}

bool
patch_replace(const PatchPlace *place, const PatchValue *value)
{
	const FhirElement *element = place->parent_type == 0 ? NULL :
		fhir_element_find(place->parent_type, place->key.data, place->key.len);
	PatchText	key = place->key;

	if (place->in_array)
	{
		(void) list_take(place->parent, key, place->index);
		list_insert(place->parent, key, place->index, value);
		return true;
	}
	if (element != NULL && (element->flags & FHIR_CHOICE) != 0)
	{
		PatchText	base = {place->key.data, element->base_len};

		if (!choice_key(place->parent_type, base, value->suffix, &key))
			return false;
		drop(place->parent, place->key);
		drop(place->parent, twin_key(place->key));
	}
	set_both(place->parent, key, value);
	return true;
}

PatchNode *
patch_object_at(const PatchPlace *place, int *type)
{
	PatchNode  *node = place->parent == NULL ? place->root : get(place->parent, place->key);
	PatchText	twin;

	*type = place->type;
	if (place->in_array && node != NULL)
		node = node->kind == PATCH_ARRAY && place->index < node->n ? node->items[place->index] : NULL;
	if (node != NULL && node->kind == PATCH_OBJECT)
	{
		*type = type_of_object(node, place->type);
		return node;
	}
	/* a primitive: what can be added are id and extensions, in its other half */
	*type = fhir_element_type;
	twin = twin_key(place->key);
	if (place->in_array)
	{
		PatchNode  *twins = array_of(place->parent, twin, list_length(place->parent, place->key));

		if (is_null(twins->items[place->index]))
			twins->items[place->index] = patch_new(PATCH_OBJECT);
		return twins->items[place->index]->kind == PATCH_OBJECT ? twins->items[place->index] : NULL;
	}
	node = get(place->parent, twin);
	if (is_null(node))
	{
		node = patch_new(PATCH_OBJECT);
		patch_set(place->parent, twin, node);
	}
	return node->kind == PATCH_OBJECT ? node : NULL;
}

/* Whether an element, or the same choice with any type, is in an object */
static bool
has_element(const PatchNode *object, int type, const FhirElement *element)
{
	for (int i = 0; i < object->n; i++)
	{
		const FhirElement *other = fhir_element_find(type, object->keys[i].data, object->keys[i].len);

		if (other != NULL && other->slot == element->slot)
			return true;
	}
	return false;
}

bool
patch_add_element(PatchNode *object, int type, const FhirElement *element, PatchText name, const PatchValue *value)
{
	PatchText	key = name;

	if ((element->flags & FHIR_ARRAY) != 0)
	{
		list_insert(object, key, list_length(object, key), value);
		return true;
	}
	if (has_element(object, type, element))
		return false;
	if ((element->flags & FHIR_CHOICE) != 0 && !choice_key(type, name, value->suffix, &key))
		return false;
	set_both(object, key, value);
	return true;
}

int
patch_list_length(const PatchPlace *place)
{
	return list_length(place->parent, place->key);
}

void
patch_list_insert(const PatchPlace *place, int index, const PatchValue *value)
{
	list_insert(place->parent, place->key, index, value);
}

PatchValue
patch_list_take(const PatchPlace *place, int index)
{
	return list_take(place->parent, place->key, index);
}
