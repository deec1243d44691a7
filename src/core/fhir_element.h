/*
 * fhir_element.h
 *		The elements of an object of a JSON tree, found by the model: `value` is
 *		every valueX, and a primitive is there when its value or its `_name` twin is.
 */
#ifndef EHR_FHIR_ELEMENT_H
#define EHR_FHIR_ELEMENT_H

#include "core.h"
#include "json_tree.h"

/* An element that something is asked of */
typedef struct FhirFocus
{
	const JsonNode *node;		/* NULL: only the twin is there */
	const JsonNode *twin;		/* `_name` of a primitive, or NULL */
	int			type;			/* type index */
} FhirFocus;

/* The resources that it stands in */
typedef struct FhirScope
{
	const JsonNode *resource;	/* the nearest: %resource */
	int			resource_type;
	const JsonNode *root;		/* the one that contains it, or the same: %rootResource */
	int			root_type;
} FhirScope;

/* Type index of a resource by its resourceType, 0 if there is none. */
extern int	fhir_node_resource_type(const JsonNode *node);

/*
 * The elements of this name (without the type of a choice): calls `each` for
 * every one, with its index in the array (-1 where it does not repeat).
 * False: `each` said so.
 */
typedef bool (*FhirEach) (void *arg, const FhirFocus *element, int index);
extern bool fhir_each_element(const JsonNode *object, int type, const char *name, size_t len, FhirEach each, void *arg);

#endif							/* EHR_FHIR_ELEMENT_H */
