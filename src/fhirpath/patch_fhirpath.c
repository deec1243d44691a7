/*
 * patch_fhirpath.c
 *		ehr.fhirpath_patch: FHIRPath Patch (hl7.org/fhir/R4/fhirpatch.html).
 *
 * A Parameters resource lists operations: add, insert, delete, replace, move.
 * Each evaluates its path on the document as the ones before have left it.  What
 * the engine finds are places in the jsonb; patch_place.c tells which elements
 * stand there and changes them.  The result is validated as a FHIR resource.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/fhir_model.h"
#include "fhir/fhir.h"
#include "fhir/fhir_tree.h"
#include "fhirpath/fhirpath.h"
#include "fhirpath/patch_place.h"

PG_FUNCTION_INFO_V1(ehr_fhirpath_patch);

/* Items of a path that are looked at: a list to insert into may be long, all other paths have one */
#define ITEMS_FIRST	16

typedef struct FhirPatch
{
	Jsonb	   *doc;			/* as the operations have left it */
	PatchNode  *root;			/* the same as a tree, being changed */
	FhirPathEval *ev;
	int			number;			/* of the operation, from 1 */
	const char *type;			/* of it */
	FpItem	   *items;			/* what its path has found */
	int			n;
	int			room;
} FhirPatch;

/* The parts of an operation; NULL where it does not have one */
typedef struct Parts
{
	PatchNode  *type;
	PatchNode  *path;
	PatchNode  *name;
	PatchNode  *value;			/* the part itself */
	PatchNode  *index;
	PatchNode  *source;
	PatchNode  *destination;
} Parts;

/* -- errors ------------------------------------------------------------- */

pg_noreturn static void
malformed(const FhirPatch *patch, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid FHIRPath Patch"),
			 patch->number > 0 ? errdetail("Operation %d %s.", patch->number, what) : errdetail("The patch %s.", what)));
}

pg_noreturn static void
wrong_place(const FhirPatch *patch, int code, const char *what)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("FHIRPath Patch cannot be applied"),
			 errdetail("Operation %d (%s): %s.", patch->number, patch->type, what)));
}

/* -- reading the patch -------------------------------------------------- */

static PatchNode *
member(const PatchNode *object, const char *key)
{
	int			place = object->kind == PATCH_OBJECT ? patch_find(object, patch_text(key)) : -1;

	return place < 0 ? NULL : object->items[place];
}

static bool
is_text(const PatchNode *node)
{
	return node != NULL && node->kind == PATCH_SCALAR && node->scalar.type == jbvString;
}

static PatchText
text_of(const PatchNode *node)
{
	PatchText	text = {node->scalar.val.string.val, node->scalar.val.string.len};

	return text;
}

/* Puts the parts of an operation where they belong. */
static void
read_parts(const FhirPatch *patch, const PatchNode *operation, Parts *parts)
{
	const struct
	{
		const char *name;
		const char *key;		/* NULL: the part itself */
		PatchNode **where;
	}			known[] = {
		{"type", "valueCode", &parts->type},
		{"path", "valueString", &parts->path},
		{"name", "valueString", &parts->name},
		{"value", NULL, &parts->value},
		{"index", "valueInteger", &parts->index},
		{"source", "valueInteger", &parts->source},
		{"destination", "valueInteger", &parts->destination},
	};
	PatchNode  *name = member(operation, "name");
	PatchNode  *list = member(operation, "part");

	memset(parts, 0, sizeof(*parts));
	if (!is_text(name) || !patch_text_is(text_of(name), "operation") || list == NULL || list->kind != PATCH_ARRAY)
		malformed(patch, "is not named \"operation\", or has no parts");
	for (int i = 0; i < list->n; i++)
	{
		int			which = 0;

		name = member(list->items[i], "name");
		while (which < lengthof(known) && !(is_text(name) && patch_text_is(text_of(name), known[which].name)))
			which++;
		if (which == lengthof(known))
			malformed(patch, "has a part that is none of type, path, name, value, index, source, destination");
		if (*known[which].where != NULL)
			malformed(patch, "has a part twice");
		*known[which].where = known[which].key == NULL ? list->items[i] : member(list->items[i], known[which].key);
	}
	if (!is_text(parts->type) || !is_text(parts->path))
		malformed(patch, "needs a \"type\" (valueCode) and a \"path\" (valueString)");
}

static int
read_index(const FhirPatch *patch, const PatchNode *node, const char *missing)
{
	if (node == NULL || node->kind != PATCH_SCALAR || node->scalar.type != jbvNumeric)
		malformed(patch, missing);
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(node->scalar.val.numeric)));
}

/* -- values ------------------------------------------------------------- */

static PatchValue read_value(const FhirPatch *patch, const PatchNode *part, int type);

/* An object made of parts: what has no type of its own (Patient.contact) */
static PatchNode *
read_anonymous(const FhirPatch *patch, const PatchNode *list, int type)
{
	PatchNode  *object = patch_new(PATCH_OBJECT);

	check_stack_depth();
	for (int i = 0; i < list->n; i++)
	{
		PatchNode  *name = member(list->items[i], "name");
		const FhirElement *element = NULL;
		PatchValue	value;

		if (is_text(name))
			element = fhir_element_find_base(type, text_of(name).data, text_of(name).len);
		if (element == NULL)
			wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "a part of the value is no element of its type");
		value = read_value(patch, list->items[i], element->type);
		if (!patch_add_element(object, type, element, text_of(name), &value))
			wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "an element of the value stands twice, or has no such type");
	}
	return object;
}

/* value[x] with its sibling, a resource, or parts; type: of the element that it will be */
static PatchValue
read_value(const FhirPatch *patch, const PatchNode *part, int type)
{
	PatchValue	value = {NULL, NULL, {"", 0}};

	for (int i = 0; part->kind == PATCH_OBJECT && i < part->n; i++)
	{
		PatchText	key = part->keys[i];
		PatchNode  *node = part->items[i];

		if (patch_text_is(key, "resource"))
			value.node = node;
		else if (patch_text_is(key, "part") && node->kind == PATCH_ARRAY)
			value.node = read_anonymous(patch, node, type);
		else if (key.len > 5 && memcmp(key.data, "value", 5) == 0)
		{
			value.node = node;
			value.suffix.data = key.data + 5;
			value.suffix.len = key.len - 5;
		}
		else if (key.len > 6 && memcmp(key.data, "_value", 6) == 0)
		{
			value.twin = node;
			value.suffix.data = key.data + 6;
			value.suffix.len = key.len - 6;
		}
	}
	if (value.node == NULL && value.twin == NULL)
		malformed(patch, "has no value");
	return value;
}

/* -- paths -------------------------------------------------------------- */

static bool
keep_item(void *arg, const FpItem *item)
{
	FhirPatch  *patch = arg;

	if (patch->n == patch->room)
	{
		patch->room = patch->room == 0 ? ITEMS_FIRST : patch->room * 2;
		patch->items = patch->items == NULL ? palloc(patch->room * sizeof(FpItem)) :
			repalloc(patch->items, patch->room * sizeof(FpItem));
	}
	patch->items[patch->n++] = *item;
	return true;
}

/* The items that the path finds in a document */
static void
evaluate(FhirPatch *patch, Jsonb *doc, PatchText text)
{
	FhirPath   *path = fhirpath_from_text(text.data, text.len, NULL);
	FhirPathPlan *plan;
	FhirPathInput input = {.doc = (const JbContainer *) &doc->root, .size = VARSIZE(doc) - VARHDRSZ};
	CoreStatus	status;

	if (fhirpath_needs(path) != 0)
		wrong_place(patch, ERRCODE_FEATURE_NOT_SUPPORTED, "the path needs more than the document");
	plan = fhirpath_plan_or_error(path);
	do
	{
		patch->n = 0;
		fhirpath_begin(patch->ev, &input);
		status = fhirpath_each(patch->ev, plan, NULL, keep_item, patch);
	} while (!fhirpath_check_status(patch->ev, status));
}

/*
 * The place of an item.  Booleans take no room in a jsonb, so that several can
 * stand at one address: then it is the one without which the path finds less.
 */
static void
locate(FhirPatch *patch, int which, PatchText path, PatchPlace *place)
{
	PatchPlace *found;
	int			count;
	int			before = patch->n;

	count = patch_places_of(patch->root, patch->doc, &patch->items[which], &found);
	if (count == 0)
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "the path finds what is no element of the document");
	for (int i = 0; i < count - 1; i++)
	{
		PatchNode  *trial = patch_read(patch->doc);
		FpItem	   *items = patch->items;
		int			room = patch->room;
		bool		is_it;

		patch->items = NULL;
		patch->room = 0;
		patch_delete_at(trial, &found[i]);
		evaluate(patch, patch_write(trial), path);
		is_it = patch->n < before;
		patch->items = items;
		patch->room = room;
		patch->n = before;
		if (is_it)
		{
			*place = found[i];
			return;
		}
	}
	*place = found[count - 1];
}

/* The one element that the path finds; false where there is none */
static bool
find_one(FhirPatch *patch, PatchText path, PatchPlace *place)
{
	evaluate(patch, patch->doc, path);
	if (patch->n > 1)
		wrong_place(patch, ERRCODE_CARDINALITY_VIOLATION, "the path finds more than one element");
	if (patch->n == 0)
		return false;
	locate(patch, 0, path, place);
	return true;
}

static void
require_one(FhirPatch *patch, PatchText path, PatchPlace *place)
{
	if (!find_one(patch, path, place))
		wrong_place(patch, ERRCODE_SQL_JSON_MEMBER_NOT_FOUND, "the path finds nothing");
}

/* The list of which the path finds all, from its first to its last element; false where it finds nothing */
static bool
find_list(FhirPatch *patch, PatchText path, PatchPlace *list)
{
	PatchPlace	last;

	evaluate(patch, patch->doc, path);
	if (patch->n == 0)
		return false;
	locate(patch, 0, path, list);
	locate(patch, patch->n - 1, path, &last);
	if (!list->in_array || list->index != 0 || patch_list_length(list) != patch->n || !last.in_array ||
		last.index != patch->n - 1 || last.parent != list->parent || last.key.len != list->key.len ||
		memcmp(last.key.data, list->key.data, list->key.len) != 0)
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "the path is not one whole list");
	return true;
}

/* -- operations --------------------------------------------------------- */

static void
apply_add(FhirPatch *patch, PatchText path, PatchText name, const PatchNode *value_part)
{
	PatchPlace	place;
	PatchNode  *object;
	int			type;
	const FhirElement *element;
	PatchValue	value;

	require_one(patch, path, &place);
	object = patch_object_at(&place, &type);
	element = object == NULL ? NULL : fhir_element_find_base(type, name.data, name.len);
	if (element == NULL)
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "there is no element of this name there");
	value = read_value(patch, value_part, element->type);
	if (!patch_add_element(object, type, element, name, &value))
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "the element is there already, or has no such type");
}

static void
do_add(FhirPatch *patch, const Parts *parts)
{
	if (!is_text(parts->name) || parts->value == NULL)
		malformed(patch, "needs a \"name\" (valueString) and a \"value\"");
	apply_add(patch, text_of(parts->path), text_of(parts->name), parts->value);
}

/* parent.name apart, where the path ends in a plain name */
static bool
split_path(PatchText path, PatchText *parent, PatchText *name)
{
	int			at = path.len;

	while (at > 0 && (isalnum((unsigned char) path.data[at - 1]) || path.data[at - 1] == '_'))
		at--;
	if (at < 2 || at == path.len || path.data[at - 1] != '.')
		return false;
	parent->data = path.data;
	parent->len = at - 1;
	name->data = path.data + at;
	name->len = path.len - at;
	return true;
}

static void
do_insert(FhirPatch *patch, const Parts *parts)
{
	PatchText	path = text_of(parts->path);
	PatchPlace	list;
	PatchText	parent,
				name;
	PatchValue	value;
	int			index = read_index(patch, parts->index, "needs an \"index\" (valueInteger)");

	if (parts->value == NULL)
		malformed(patch, "needs a \"value\"");
	if (!find_list(patch, path, &list))
	{
		if (index != 0)
			wrong_place(patch, ERRCODE_INVALID_SQL_JSON_SUBSCRIPT, "the index is beyond the list");
		if (!split_path(path, &parent, &name))
			wrong_place(patch, ERRCODE_SQL_JSON_MEMBER_NOT_FOUND, "the path finds nothing");
		apply_add(patch, parent, name, parts->value);
		return;
	}
	if (index < 0 || index > patch_list_length(&list))
		wrong_place(patch, ERRCODE_INVALID_SQL_JSON_SUBSCRIPT, "the index is beyond the list");
	value = read_value(patch, parts->value, list.type);
	patch_list_insert(&list, index, &value);
}

static void
do_delete(FhirPatch *patch, const Parts *parts)
{
	PatchPlace	place;

	/* what is not there need not be deleted */
	if (!find_one(patch, text_of(parts->path), &place))
		return;
	if (place.parent == NULL)
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "the path finds the resource itself");
	patch_delete_at(patch->root, &place);
}

static void
do_replace(FhirPatch *patch, const Parts *parts)
{
	PatchPlace	place;
	PatchValue	value;

	if (parts->value == NULL)
		malformed(patch, "needs a \"value\"");
	require_one(patch, text_of(parts->path), &place);
	if (place.parent == NULL)
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "the path finds the resource itself");
	value = read_value(patch, parts->value, place.type);
	if (!patch_replace(&place, &value))
		wrong_place(patch, ERRCODE_INVALID_PARAMETER_VALUE, "the element cannot have this type");
}

static void
do_move(FhirPatch *patch, const Parts *parts)
{
	PatchPlace	list;
	int			source = read_index(patch, parts->source, "needs a \"source\" (valueInteger)");
	int			destination = read_index(patch, parts->destination, "needs a \"destination\" (valueInteger)");
	int			length;
	PatchValue	value;

	if (!find_list(patch, text_of(parts->path), &list))
		wrong_place(patch, ERRCODE_SQL_JSON_MEMBER_NOT_FOUND, "the path finds nothing");
	length = patch_list_length(&list);
	if (source < 0 || source >= length || destination < 0 || destination >= length)
		wrong_place(patch, ERRCODE_INVALID_SQL_JSON_SUBSCRIPT, "an index is beyond the list");
	value = patch_list_take(&list, source);
	patch_list_insert(&list, destination, &value);
}

static const struct
{
	const char *type;
	void		(*apply) (FhirPatch *patch, const Parts *parts);
}			operations[] = {
	{"add", do_add},
	{"insert", do_insert},
	{"delete", do_delete},
	{"replace", do_replace},
	{"move", do_move},
};

static void
apply_operation(FhirPatch *patch, const PatchNode *operation)
{
	Parts		parts;

	read_parts(patch, operation, &parts);
	for (int i = 0; i < lengthof(operations); i++)
	{
		if (patch_text_is(text_of(parts.type), operations[i].type))
		{
			patch->type = operations[i].type;
			patch->root = patch_read(patch->doc);
			operations[i].apply(patch, &parts);
			patch->doc = patch_write(patch->root);
			return;
		}
	}
	malformed(patch, "has a type that is none of add, insert, delete, replace, move");
}

/* ehr.fhirpath_patch(target jsonb, patch jsonb) → jsonb */
Datum
ehr_fhirpath_patch(PG_FUNCTION_ARGS)
{
	Jsonb	   *target = PG_GETARG_JSONB_P(0);
	Jsonb	   *parameters_doc = PG_GETARG_JSONB_P(1);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "FHIRPath Patch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	FhirPatch	patch = {.doc = target};
	PatchNode  *parameters = patch_read(parameters_doc);
	PatchNode  *type = member(parameters, "resourceType");
	PatchNode  *list = member(parameters, "parameter");
	Jsonb	   *result;

	if (!is_text(type) || !patch_text_is(text_of(type), "Parameters") || (list != NULL && list->kind != PATCH_ARRAY))
		malformed(&patch, "is no Parameters resource");
	patch.ev = fhirpath_eval_create(fhir_core_context());
	if (patch.ev == NULL)
		fhir_raise_core(CORE_NO_MEMORY);
	for (int i = 0; list != NULL && i < list->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		patch.number++;
		apply_operation(&patch, list->items[i]);
	}
	fhirpath_eval_free(patch.ev);
	(void) fhir_check(patch.doc, -1, NULL);
	MemoryContextSwitchTo(caller);
	result = palloc(VARSIZE(patch.doc));
	memcpy(result, patch.doc, VARSIZE(patch.doc));
	MemoryContextDelete(memory);
	PG_RETURN_JSONB_P(result);
}
