/*
 * snapshot.c
 *		The snapshot of a loaded profile as a document.
 *
 * R4 profiling.html#snapshot: all elements of the constrained type, with what
 * the profile and those it derives from say of them.  The type's own elements
 * come from the compiled model, which has their cardinality, types, targets of
 * references and where they are defined, but neither their texts nor their
 * invariants nor bindings; validate() checks those for every resource.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "fhir/fhir_tree.h"
#include "validate/definitions.h"

PG_FUNCTION_INFO_V1(ehr_snapshot);

#define CORE_DEFINITION	"http://hl7.org/fhir/StructureDefinition/"
#define PROPERTIES_MAX	96

/* What a profile says of one place: the element itself, and its slice where it is in one (and so on) */
typedef struct Layers
{
	ProfileElement **elements;
	int			count;
} Layers;

typedef struct Snapshot
{
	JsonNode   *elements;
	int			count;
	int			size;
} Snapshot;

/* One element of a type, with all keys of a choice */
typedef struct Slot
{
	const FhirElement *first;	/* by key */
	int			type;			/* whose element it is */
	const char *name;			/* with [x] */
	int			base_len;		/* of the name without it */
} Slot;

/* An ElementDefinition that is being put together */
typedef struct Definition
{
	JsonNode	properties[PROPERTIES_MAX];
	int			count;
} Definition;

/* -- names ---------------------------------------------------------------- */

static char *
type_path(int type)
{
	const char *name = fhir_string(fhir_types[type].name);

	if ((fhir_types[type].kind & ~FHIR_KIND_ABSTRACT) != FHIR_KIND_BACKBONE)
		return pstrdup(name);
	return psprintf("%s.%s", type_path(fhir_types[type].owner), name);
}

/* Where R4 defines an element: Resource.id for Patient.id */
static char *
defined_path(const Slot *slot)
{
	const char *key = fhir_string(slot->first->name);
	int			type = slot->type;

	while (fhir_types[type].base != 0 && fhir_element_find(fhir_types[type].base, key, slot->first->name_len) != NULL)
		type = fhir_types[type].base;
	return psprintf("%s.%s", type_path(type), slot->name);
}

/* Whether the element's type is the inner type that is made for it; else the type is one with a name, or another element's */
static bool
own_backbone(const Slot *slot)
{
	const FhirType *type = &fhir_types[slot->first->type];

	return (type->kind & ~FHIR_KIND_ABSTRACT) == FHIR_KIND_BACKBONE && type->owner == slot->type &&
		strcmp(fhir_string(type->name), fhir_string(slot->first->name)) == 0;
}

static bool
other_backbone(const Slot *slot)
{
	return (fhir_types[slot->first->type].kind & ~FHIR_KIND_ABSTRACT) == FHIR_KIND_BACKBONE && !own_backbone(slot);
}

/* -- elements ------------------------------------------------------------- */

static void
set_property(Definition *d, JsonNode node)
{
	for (int i = 0; i < d->count; i++)
	{
		if (d->properties[i].key_len == node.key_len && memcmp(d->properties[i].key, node.key, node.key_len) == 0)
		{
			d->properties[i] = node;
			return;
		}
	}
	if (d->count < PROPERTIES_MAX)
		d->properties[d->count++] = node;
}

static JsonNode
number_node(const char *key, const char *digits)
{
	JsonNode	node = text_node(key, digits);

	node.kind = NODE_NUMBER;
	return node;
}

static bool
is_property(const JsonNode *node, const char *key)
{
	return node->key_len == strlen(key) && memcmp(node->key, key, node->key_len) == 0;
}

/* Constraints add up; the same key again replaces. */
static JsonNode
joined_constraints(const JsonNode *before, const JsonNode *more)
{
	JsonNode   *all = palloc((before->len + more->len) * sizeof(JsonNode));
	int			count = 0;

	for (uint32 i = 0; i < before->len; i++)
	{
		bool		again = false;

		for (uint32 k = 0; k < more->len; k++)
			again |= same_string(child_of(&before->u.children[i], "key"), child_of(&more->u.children[k], "key"));
		if (!again)
			all[count++] = before->u.children[i];
	}
	memcpy(all + count, more->u.children, more->len * sizeof(JsonNode));
	return array_node("constraint", all, count + (int) more->len);
}

static void
apply_definition(Definition *d, const JsonNode *definition)
{
	for (uint32 i = 0; i < definition->len; i++)
	{
		JsonNode	own = definition->u.children[i];

		if (is_property(&own, "id") || is_property(&own, "path") || is_property(&own, "base"))
			continue;
		for (int k = 0; is_property(&own, "constraint") && k < d->count; k++)
		{
			if (is_property(&d->properties[k], "constraint") && d->properties[k].kind == NODE_ARRAY && own.kind == NODE_ARRAY)
				own = joined_constraints(&d->properties[k], &own);
		}
		set_property(d, own);
	}
}

static void
apply_element(Definition *d, const ProfileElement *element)
{
	for (int i = 0; i < element->definition_count; i++)
		apply_definition(d, element->definitions[i]);
}

static void
emit(Snapshot *s, Definition *d, const char *id, const char *path)
{
	CHECK_FOR_INTERRUPTS();
	set_property(d, text_node("id", id));
	set_property(d, text_node("path", path));
	if (s->count == s->size)
	{
		s->size = s->size == 0 ? 64 : s->size * 2;
		s->elements = s->elements == NULL ? palloc(s->size * sizeof(JsonNode)) : repalloc(s->elements, s->size * sizeof(JsonNode));
	}
	s->elements[s->count++] = object_node(NULL, d->properties, d->count);
}

JsonNode
type_definition(const FhirElement *element)
{
	JsonNode	parts[2] = {text_node("code", "")};
	int			count = 1;
	int			type = element->type;

	while ((fhir_types[type].kind & ~FHIR_KIND_ABSTRACT) == FHIR_KIND_BACKBONE)
		type = fhir_types[type].base;
	parts[0] = text_node("code", fhir_string(fhir_types[type].name));
	if (element->targets != 0)
	{
		const uint8_t *targets = fhir_targets + element->targets;
		JsonNode   *urls = palloc(targets[0] * sizeof(JsonNode));

		for (int i = 0; i < targets[0]; i++)
			urls[i] = text_node(NULL, psprintf("%s%s", CORE_DEFINITION, fhir_resource_name(targets[i + 1])));
		parts[count++] = array_node("targetProfile", urls, targets[0]);
	}
	return object_node(NULL, parts, count);
}

/* What R4 says of an element */
static void
core_definition(Definition *d, const Slot *slot)
{
	const FhirType *type = &fhir_types[slot->type];
	const char *min = (slot->first->flags & FHIR_REQUIRED) != 0 ? "1" : "0";
	const char *max = (slot->first->flags & FHIR_ARRAY) != 0 ? "*" : "1";
	char	   *defined = defined_path(slot);
	JsonNode	base[3] = {text_node("path", defined), number_node("min", min), text_node("max", max)};
	JsonNode	types[64];
	int			count = 0;

	d->count = 0;
	set_property(d, number_node("min", min));
	set_property(d, text_node("max", max));
	set_property(d, object_node("base", base, 3));
	set_property(d, text_node("definition", psprintf("As in FHIR R4: %s.", defined)));
	if (other_backbone(slot))
	{
		set_property(d, text_node("contentReference", psprintf("#%s", type_path(slot->first->type))));
		return;
	}
	for (int i = type->first; i < type->first + type->count && count < (int) lengthof(types); i++)
	{
		const FhirElement *element = &fhir_elements[i];

		if (element->slot == slot->first->slot && (element->flags & (FHIR_SIBLING | FHIR_RESOURCE_TYPE)) == 0)
			types[count++] = type_definition(element);
	}
	set_property(d, array_node("type", types, count));
}

/* -- the walk ------------------------------------------------------------- */

static void emit_children(Snapshot *s, int type, const Layers *layers, const char *id, const char *path);

static bool
has_children(const Layers *layers)
{
	for (int i = 0; i < layers->count; i++)
	{
		if (layers->elements[i]->child_count > 0)
			return true;
	}
	return false;
}

/* What the layers say of a child */
static Layers
child_layers(const Layers *layers, const char *name, int len)
{
	Layers		children = {palloc(Max(layers->count, 1) * sizeof(ProfileElement *)), 0};

	for (int i = 0; i < layers->count; i++)
	{
		ProfileElement *child = element_child(layers->elements[i], name, len);

		if (child != NULL)
			children.elements[children.count++] = child;
	}
	return children;
}

/* The type that an element's children are of: that of the model, or the one that a choice is narrowed to; 0: none */
static int
content_type(const Slot *slot, const Definition *d)
{
	const JsonNode *types = NULL;
	const JsonNode *code;

	if ((slot->first->flags & FHIR_CHOICE) == 0)
		return slot->first->type;
	for (int i = 0; i < d->count; i++)
	{
		if (is_property(&d->properties[i], "type"))
			types = &d->properties[i];
	}
	if (types == NULL || types->kind != NODE_ARRAY || types->len != 1)
		return 0;
	code = child_of(&types->u.children[0], "code");
	return code == NULL || code->kind != NODE_STRING ? 0 : fhir_type_find(code->u.text, code->len);
}

/* The children of an element: always those of an inner type, those of others only where a profile speaks of them */
static void
emit_content(Snapshot *s, const Slot *slot, const Definition *d, const Layers *layers,
			 const char *id, const char *path)
{
	int			type = content_type(slot, d);

	if (type >= FHIR_RESOURCE_BASE && (own_backbone(slot) || has_children(layers)))
		emit_children(s, type, layers, id, path);
}

static void
add_slicing(Definition *d, const char *kind, const char *path)
{
	JsonNode	by[2] = {text_node("type", kind), text_node("path", path)};
	JsonNode	discriminator = object_node(NULL, by, 2);
	JsonNode	slicing[3] = {array_node("discriminator", &discriminator, 1), {.key = "ordered", .key_len = 7, .kind = NODE_FALSE}, text_node("rules", "open")};

	for (int i = 0; i < d->count; i++)
	{
		if (is_property(&d->properties[i], "slicing"))
			return;
	}
	set_property(d, object_node("slicing", slicing, 3));
}

/* A slice: what R4 says of the element and the profile of the slice; within it what the profile says of all items holds too. */
static void
emit_slice(Snapshot *s, const Slot *slot, const Layers *general, ProfileElement *slice,
		   const char *name, const char *id, const char *path)
{
	Definition *d = palloc(sizeof(Definition));
	Layers		layers = {palloc((general->count + 1) * sizeof(ProfileElement *)), general->count};
	char	   *slice_id = psprintf("%s:%s", id, name);

	if (general->count > 0)
		memcpy(layers.elements, general->elements, general->count * sizeof(ProfileElement *));
	layers.elements[layers.count++] = slice;
	core_definition(d, slot);
	set_property(d, number_node("min", "0"));
	set_property(d, text_node("sliceName", name));
	apply_element(d, slice);
	emit(s, d, slice_id, path);
	emit_content(s, slot, d, &layers, slice_id, path);
}

static void
emit_slices(Snapshot *s, const Slot *slot, const Layers *layers, const char *id, const char *path)
{
	for (int i = 0; i < layers->count; i++)
	{
		for (int k = 0; k < layers->elements[i]->slice_count; k++)
		{
			ProfileElement *slice = layers->elements[i]->slices[k];

			emit_slice(s, slot, layers, slice, pnstrdup(slice->slice, slice->slice_len), id, path);
		}
	}
}

static bool
is_sliced(const Layers *layers)
{
	for (int i = 0; i < layers->count; i++)
	{
		if (layers->elements[i]->slice_count > 0)
			return true;
	}
	return false;
}

static void
emit_element(Snapshot *s, const Slot *slot, const Layers *parents, const char *id, const char *path)
{
	Definition *d = palloc(sizeof(Definition));
	Layers		layers = child_layers(parents, slot->name, slot->base_len);
	char	   *own_id = psprintf("%s.%s", id, slot->name);
	char	   *own_path = psprintf("%s.%s", path, slot->name);

	core_definition(d, slot);
	for (int i = 0; i < layers.count; i++)
		apply_element(d, layers.elements[i]);
	if (is_sliced(&layers))
	{
		if (slot->first->type == fhir_extension_type)
			add_slicing(d, "value", "url");
		else if ((slot->first->flags & FHIR_CHOICE) != 0)
			add_slicing(d, "type", "$this");
	}
	emit(s, d, own_id, own_path);
	emit_content(s, slot, d, &layers, own_id, own_path);
	emit_slices(s, slot, &layers, own_id, own_path);
}

/* The elements of a type in R4's order */
static void
emit_children(Snapshot *s, int type, const Layers *layers, const char *id, const char *path)
{
	const FhirElement *by_slot[64] = {NULL};

	check_stack_depth();
	for (int i = fhir_types[type].first; i < fhir_types[type].first + fhir_types[type].count; i++)
	{
		const FhirElement *element = &fhir_elements[i];

		if ((element->flags & (FHIR_SIBLING | FHIR_RESOURCE_TYPE)) == 0 && by_slot[element->slot] == NULL)
			by_slot[element->slot] = element;
	}
	for (int i = 0; i < (int) lengthof(by_slot); i++)
	{
		Slot		slot = {by_slot[i], type};

		if (by_slot[i] == NULL)
			continue;
		slot.base_len = by_slot[i]->base_len;
		slot.name = psprintf("%.*s%s", slot.base_len, fhir_string(by_slot[i]->name), (by_slot[i]->flags & FHIR_CHOICE) != 0 ? "[x]" : "");
		emit_element(s, &slot, layers, id, path);
	}
}

static void
emit_root(Snapshot *s, const Profile *profile)
{
	Definition *d = palloc(sizeof(Definition));
	Layers		layers = {palloc(sizeof(ProfileElement *)), 1};
	const char *name = fhir_string(fhir_types[profile->type].name);
	JsonNode	base[3] = {text_node("path", name), number_node("min", "0"), text_node("max", "*")};

	d->count = 0;
	set_property(d, number_node("min", "0"));
	set_property(d, text_node("max", "*"));
	set_property(d, object_node("base", base, 3));
	set_property(d, text_node("definition", psprintf("As in FHIR R4: %s.", name)));
	apply_element(d, profile->root);
	emit(s, d, name, name);
	layers.elements[0] = profile->root;
	emit_children(s, profile->type, &layers, name, name);
}

/*
 * ehr.snapshot(url text) → jsonb.  STABLE, STRICT.  NULL: no profile of this
 * URL is loaded.  22023: the profile it derives from is not, or it derives
 * from itself.
 */
Datum
ehr_snapshot(PG_FUNCTION_ARGS)
{
	char	   *url = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Snapshot	s = {NULL, 0, 0};
	Profile    *profile;
	JsonNode   *parts;
	JsonNode	elements;
	JsonNode	document;
	Jsonb	   *result;
	int			count = 0;

	definitions_refresh();
	profile = find_profile(url, strlen(url));
	if (profile->document == NULL)
		PG_RETURN_NULL();
	if (profile->broken || profile->root == NULL || profile->type < FHIR_RESOURCE_BASE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the profile has no snapshot"),
				 errdetail("The definition that it derives from is not loaded, or it derives from itself."),
				 errhint("Load the definitions that it derives from with ehr.load_definition.")));
	emit_root(&s, profile);
	elements = array_node("element", s.elements, s.count);
	parts = palloc((profile->document->len + 1) * sizeof(JsonNode));
	for (uint32 i = 0; i < profile->document->len; i++)
	{
		if (!is_property(&profile->document->u.children[i], "snapshot"))
			parts[count++] = profile->document->u.children[i];
	}
	parts[count++] = object_node("snapshot", &elements, 1);
	document = object_node(NULL, parts, count);
	result = fhir_tree_to_jsonb(&document);
	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the snapshot is too large")));
	PG_RETURN_JSONB_P(result);
}
