/*
 * fhir_search.h
 *		The search parameters and compartments of FHIR R4 as constant tables.
 *
 * Generated (fhir_search_gen.py), without pointers, shared by all backends as
 * the model is (fhir_model.h).  Resource types are given by their numbers.
 * Strings are offsets into fhir_search_pool, ended by NUL; 0: there is none.
 */
#ifndef EHR_FHIR_SEARCH_H
#define EHR_FHIR_SEARCH_H

#include "core.h"

typedef enum FhirSearchType
{
	FHIR_SEARCH_NUMBER, FHIR_SEARCH_DATE, FHIR_SEARCH_STRING, FHIR_SEARCH_TOKEN, FHIR_SEARCH_REFERENCE,
	FHIR_SEARCH_COMPOSITE, FHIR_SEARCH_QUANTITY, FHIR_SEARCH_URI, FHIR_SEARCH_SPECIAL
} FhirSearchType;

typedef enum FhirSearchUsage
{
	FHIR_USAGE_NORMAL, FHIR_USAGE_PHONETIC, FHIR_USAGE_NEARBY, FHIR_USAGE_DISTANCE, FHIR_USAGE_OTHER
} FhirSearchUsage;

/* One parameter of one resource type */
typedef struct FhirSearchParameter
{
	uint32_t	code;			/* as it stands in a query */
	uint32_t	name;			/* last part of the definition's URL */
	uint32_t	expression;		/* FHIRPath, of this resource type only; 0 where R4 gives none */
	uint16_t	component;		/* composite: first of fhir_search_components */
	uint16_t	components;
	uint16_t	targets;		/* reference: index into fhir_search_targets, 0: none named */
	uint8_t		type;			/* FhirSearchType */
	uint8_t		usage;			/* FhirSearchUsage */
} FhirSearchParameter;

typedef struct FhirSearchComponent
{
	uint32_t	name;			/* last part of the component's definition */
	uint32_t	expression;		/* below the composite's */
} FhirSearchComponent;

typedef struct FhirCompartmentEntry
{
	uint8_t		compartment;	/* number of Patient, Encounter, ... */
	uint8_t		resource;
	uint16_t	first;			/* in fhir_compartment_codes */
	uint16_t	count;
} FhirCompartmentEntry;

extern const char fhir_search_pool[];
extern const FhirSearchParameter fhir_search_parameters[];
extern const FhirSearchComponent fhir_search_components[];
extern const uint8_t fhir_search_targets[];	/* a count, then as many resource numbers */
extern const FhirCompartmentEntry fhir_compartments[];	/* sorted by compartment, then resource */
extern const uint16_t fhir_compartment_count;
extern const uint32_t fhir_compartment_codes[];	/* codes of parameters, or {def}: the resource itself */

/* Of resource n: positions first[n] .. first[n + 1] - 1, codes in the order of keys; those of Resource and DomainResource stand there. */
extern const uint16_t fhir_first_search[];

static inline const char *
fhir_search_string(uint32_t offset)
{
	return offset == 0 ? NULL : fhir_search_pool + offset;
}

/* Name of a parameter type: "token" */
extern const char *fhir_search_type_name(FhirSearchType type);

/* The parameter of a concrete resource type with this code, its own or one of all resources; NULL if there is none. */
extern const FhirSearchParameter *fhir_search_find(int resource, const char *code, size_t len);

/*
 * How a resource type belongs to a compartment: the codes of the parameters
 * whose references lead to it.  NULL: never.
 */
extern const FhirCompartmentEntry *fhir_compartment_find(int compartment, int resource);

#endif							/* EHR_FHIR_SEARCH_H */
