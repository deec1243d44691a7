/*
 * fhir_element.c
 *		The elements of an object of a JSON tree, found by the model.
 */
#include "fhir_element.h"

#include <string.h>

#include "fhir_model.h"

int
fhir_node_resource_type(const JsonNode *node)
{
	const JsonNode *type = json_child(node, "resourceType", 12);
	int			number = 0;

	if (type != NULL && type->kind == NODE_STRING)
		number = fhir_resource_number(type->u.text, type->len);
	return fhir_resource_concrete(number) ? FHIR_RESOURCE_BASE + number : 0;
}

/* The type of an element's value: a resource says itself what it is. */
static int
value_type(const FhirElement *element, const JsonNode *node)
{
	if (element->type > FHIR_RESOURCE_BASE && element->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES &&
		node != NULL && node->kind == NODE_OBJECT)
		return fhir_node_resource_type(node);
	return element->type;
}

static bool
each_value(const FhirElement *main, const JsonNode *node, const JsonNode *twin, FhirEach each, void *arg)
{
	FhirFocus	focus;
	uint32_t	count;

	if ((node != NULL && node->kind == NODE_ARRAY) || (twin != NULL && twin->kind == NODE_ARRAY))
	{
		count = node != NULL && node->kind == NODE_ARRAY ? node->len : twin->len;
		for (uint32_t i = 0; i < count; i++)
		{
			focus.node = node != NULL && node->kind == NODE_ARRAY ? &node->u.children[i] : NULL;
			focus.twin = twin != NULL && twin->kind == NODE_ARRAY && i < twin->len ? &twin->u.children[i] : NULL;
			if (focus.node != NULL && focus.node->kind == NODE_NULL)
				focus.node = NULL;
			if (focus.twin != NULL && focus.twin->kind == NODE_NULL)
				focus.twin = NULL;
			focus.type = value_type(main, focus.node);
			if ((focus.node != NULL || focus.twin != NULL) && !each(arg, &focus, (int) i))
				return false;
		}
		return true;
	}
	focus.node = node != NULL && node->kind != NODE_NULL ? node : NULL;
	focus.twin = twin != NULL && twin->kind != NODE_NULL ? twin : NULL;
	focus.type = value_type(main, focus.node);
	return (focus.node == NULL && focus.twin == NULL) || each(arg, &focus, -1);
}

static bool
each_key(const JsonNode *object, const FhirElement *main, FhirEach each, void *arg)
{
	const char *name = fhir_string(main->name);
	const JsonNode *node = json_child(object, name, main->name_len);
	const JsonNode *twin = NULL;

	if (main->type < FHIR_RESOURCE_BASE)
	{
		char		sibling[260];

		sibling[0] = '_';
		memcpy(sibling + 1, name, main->name_len);
		twin = json_child(object, sibling, main->name_len + 1);
	}
	if (node == NULL && twin == NULL)
		return true;
	return each_value(main, node, twin, each, arg);
}

bool
fhir_each_element(const JsonNode *object, int type, const char *name, size_t len, FhirEach each, void *arg)
{
	const FhirElement *first;
	const FhirElement *main;

	if (object == NULL || object->kind != NODE_OBJECT || type == 0)
		return true;
	main = fhir_element_find(type, name, len);
	if (main != NULL && (main->flags & FHIR_CHOICE) == 0)
		return each_key(object, main, each, arg);
	main = fhir_element_find_base(type, name, len);
	if (main == NULL || (main->flags & FHIR_CHOICE) == 0)
		return true;
	/* a choice: all keys of its slot */
	first = fhir_elements + fhir_types[type].first;
	for (int i = 0; i < fhir_types[type].count; i++)
	{
		if (first[i].slot == main->slot && (first[i].flags & (FHIR_SIBLING | FHIR_RESOURCE_TYPE)) == 0 &&
			!each_key(object, &first[i], each, arg))
			return false;
	}
	return true;
}
