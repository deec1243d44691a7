/*
 * fhir_model.h
 *		The model of FHIR R4 (4.0.1) as constant tables, and how to look into it.
 *
 * The tables are generated (fhir_model_gen.py) and hold no pointers, so that
 * they stay in pages shared by all backends and need no loading.
 *
 * A *type* is a primitive type, a resource type, a data type or an inner type
 * (Patient.contact).  Type indexes 1..20 are the primitives (FhirPrimitive),
 * FHIR_RESOURCE_BASE + n is resource type number n.  The numbers of primitives
 * and resource types are frozen; every other index may change with the next
 * release and must never be stored.
 *
 * The *elements* of a type stand in the order in which jsonb keeps an
 * object's keys: by length, then by bytes.  Choice elements are expanded to
 * their concrete keys (valueQuantity, valueString, ...).  A primitive element
 * has a second entry for its `_name` sibling.
 *
 * Strings are offsets into fhir_pool: the byte before is the length, a NUL ends it.
 */
#ifndef EHR_FHIR_MODEL_H
#define EHR_FHIR_MODEL_H

#include "bytes.h"
#include "core.h"

#define FHIR_RESOURCE_BASE	32
#define FHIR_RESOURCE_TYPES 148

typedef enum FhirTypeKind
{
	FHIR_KIND_PRIMITIVE = 0,
	FHIR_KIND_RESOURCE = 1,
	FHIR_KIND_DATATYPE = 2,
	FHIR_KIND_BACKBONE = 3,		/* the inner type of one element */
	FHIR_KIND_ABSTRACT = 16		/* added to one of the above */
} FhirTypeKind;

typedef struct FhirType
{
	uint16_t	name;			/* in fhir_pool; the last step for inner types */
	uint16_t	first;			/* in fhir_elements */
	uint16_t	count;
	uint16_t	base;			/* type index, 0 for Element and Resource */
	uint16_t	owner;			/* inner types: the type it belongs to */
	uint16_t	kind;
	uint64_t	required;		/* slots that must be filled */
} FhirType;

/* flags of an element */
#define FHIR_ARRAY			1	/* repeats: a JSON array */
#define FHIR_CHOICE			2	/* one of the keys of a [x] element */
#define FHIR_SIBLING		4	/* the `_name` entry of a primitive */
#define FHIR_REQUIRED		8
#define FHIR_RESOURCE_TYPE	16	/* the key resourceType */

typedef struct FhirElement
{
	uint16_t	name;			/* the JSON key, in fhir_pool */
	uint16_t	type;			/* type index; the entry of Element for siblings */
	uint16_t	codes;			/* required binding: index into fhir_code_sets, or 0 */
	uint16_t	targets;		/* references: index into fhir_targets, or 0 for any */
	uint16_t	main;			/* the entry itself, for siblings the primitive's; counted from the type's first */
	uint8_t		name_len;
	uint8_t		base_len;		/* length of the name without the type of a choice */
	uint8_t		flags;
	uint8_t		slot;			/* the element's number in its type; all keys of a choice share it */
} FhirElement;

typedef enum FhirCodeSetKind
{
	FHIR_SET_CODES = 0,
	FHIR_SET_MIME = 1,			/* media types, by grammar (BCP 13) */
	FHIR_SET_UCUM = 2			/* units, by system only */
} FhirCodeSetKind;

typedef struct FhirCodeSet
{
	uint16_t	kind;
	uint16_t	first;			/* in fhir_codes, sorted as keys are */
	uint16_t	count;
	uint16_t	systems;		/* where > 0: the codes' systems, in fhir_codes too */
} FhirCodeSet;

/* A value set of a required binding by its name: strings are offsets into fhir_value_set_names. */
typedef struct FhirValueSet
{
	uint16_t	url;			/* sorted by it, by bytes */
	uint16_t	system;			/* the system of all its codes; 0: the code set has one for each */
	uint16_t	codes;			/* index into fhir_code_sets */
} FhirValueSet;

extern const uint16_t fhir_type_count;
extern const uint16_t fhir_first_datatype;
extern const uint16_t fhir_first_backbone;
extern const uint16_t fhir_element_count;
extern const uint16_t fhir_code_set_count;
extern const uint16_t fhir_extension_type;
extern const uint16_t fhir_reference_type;
extern const uint16_t fhir_coding_type;
extern const uint16_t fhir_codeable_concept_type;
extern const uint16_t fhir_element_type;

extern const char fhir_pool[];
extern const FhirType fhir_types[];
extern const FhirElement fhir_elements[];
extern const FhirCodeSet fhir_code_sets[];
extern const uint16_t fhir_codes[];
extern const uint8_t fhir_targets[];	/* a count, then as many resource numbers */
extern const uint16_t fhir_value_set_count;
extern const char fhir_value_set_names[];
extern const FhirValueSet fhir_value_sets[];

static inline const char *
fhir_string(uint16_t offset)
{
	return fhir_pool + offset;
}

static inline int
fhir_string_len(uint16_t offset)
{
	return (unsigned char) fhir_pool[offset - 1];
}

/* The order of jsonb's keys, of elements and of codes: negative, 0 or positive. */
static inline int
fhir_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return bytes_key_order(a, a_len, b, b_len);
}

/* Resource type number (1..148) of a name in its exact spelling, 0 if there is none. */
extern int	fhir_resource_number(const char *name, size_t len);

/* The same with upper and lower case ignored: for type modifiers, which SQL folds. */
extern int	fhir_resource_number_folded(const char *name, size_t len);

/* Name of a resource type number, NULL if out of range. */
extern const char *fhir_resource_name(int number);

/* False for Resource and DomainResource, which no document can be. */
extern bool fhir_resource_concrete(int number);

/* Type index of a primitive, resource or data type by name, 0 if there is none. */
extern int	fhir_type_find(const char *name, size_t len);

/* Type index by a path of elements ("Patient.contact"), 0 if there is none. */
extern int	fhir_type_find_path(const char *path);

/* The element of a type with this JSON key, NULL if there is none. */
extern const FhirElement *fhir_element_find(int type, const char *key, size_t len);

/*
 * The first element whose name without choice type is `base` (value for
 * valueQuantity); siblings are not found.  NULL if there is none.
 */
extern const FhirElement *fhir_element_find_base(int type, const char *base, size_t len);

/* Whether `type` is `ancestor` or derives from it. */
extern bool fhir_type_is(int type, int ancestor);

/* Whether the code set has this code; with `system` not NULL, in this system. */
extern bool fhir_code_in_set(const FhirCodeSet *set, const char *code, size_t len,
							 const char *system, size_t system_len);

/* A value set by its URL without version, NULL if it is none of those that R4 binds as required. */
extern const FhirValueSet *fhir_value_set_find(const char *url, size_t len);

/*
 * Whether it has this code, in this system where `system` is not NULL.  Of
 * units and media types only the system is looked at.
 */
extern bool fhir_value_set_has(const FhirValueSet *set, const char *code, size_t len,
							   const char *system, size_t system_len);

/* Whether the resource number is among the targets (0: any). */
extern bool fhir_target_allowed(uint16_t targets, int number);

#endif							/* EHR_FHIR_MODEL_H */
