/*
 * patch_place.h
 *		Elements of a FHIR document that is being patched: where they stand, and changing them.
 *
 * A primitive element has two halves in JSON, `birthDate` and `_birthDate` (id and
 * extensions), and a list of them two parallel arrays; here both are changed together.
 */
#ifndef EHR_PATCH_PLACE_H
#define EHR_PATCH_PLACE_H

#include "core/fhir_model.h"
#include "core/fhirpath.h"
#include "fhirpath/patch.h"

/* An element by its object and key, and its index in a list; parent NULL: the resource itself */
typedef struct PatchPlace
{
	PatchNode  *root;
	PatchNode  *parent;
	int			parent_type;	/* type index of the model, 0 not known */
	PatchText	key;			/* without the _ of the other half */
	bool		in_array;
	int			index;
	int			type;			/* of the element */
} PatchPlace;

/* What an element is to be: its two halves, and the type as a choice's name has it (ValueSet of valueSet...) */
typedef struct PatchValue
{
	PatchNode  *node;
	PatchNode  *twin;
	PatchText	suffix;
} PatchValue;

/*
 * All places that an item of the engine can mean: one, but for values that take
 * no room in a jsonb.  root is doc as a tree; 0 for an item that is no place in it.
 */
extern int	patch_places_of(PatchNode *root, Jsonb *doc, const FpItem *item, PatchPlace **places);

/* Takes the element out, and what is empty without it; root may be another tree of the same document. */
extern void patch_delete_at(PatchNode *root, const PatchPlace *place);

/* Puts a value in its stead; a choice changes its name.  False where the choice has no such type. */
extern bool patch_replace(const PatchPlace *place, const PatchValue *value);

/*
 * The object to which elements can be added: the element itself, or the other half of a
 * primitive one (made if it is not there); NULL where there is none.
 */
extern PatchNode *patch_object_at(const PatchPlace *place, int *type);

/*
 * Adds an element to an object of that type: to the end of a list, else where it is not there
 * yet.  name is without the type of a choice.  False where it is there, or the choice has no such type.
 */
extern bool patch_add_element(PatchNode *object, int type, const FhirElement *element, PatchText name, const PatchValue *value);

/* The list in which a place is */
extern int	patch_list_length(const PatchPlace *place);
extern void patch_list_insert(const PatchPlace *place, int index, const PatchValue *value);
extern PatchValue patch_list_take(const PatchPlace *place, int index);

#endif							/* EHR_PATCH_PLACE_H */
