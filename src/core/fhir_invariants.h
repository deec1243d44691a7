/*
 * fhir_invariants.h
 *		The invariants of FHIR R4, and its bindings that are not required.
 *
 * Tables are generated from HL7's definitions (fhir_invariants_gen.py); which
 * of them are asked of which type is in fhir_schedule.h.
 */
#ifndef EHR_FHIR_INVARIANTS_H
#define EHR_FHIR_INVARIANTS_H

#include "core.h"

typedef struct FhirInvariant
{
	const char *type;			/* of the object: "Patient.contact" */
	const char *child;			/* "" or the element of it that is asked: "address" */
	const char *key;			/* "pat-1" */
	bool		error;			/* else a warning */
	const char *human;
	const char *expression;
} FhirInvariant;

typedef struct FhirBinding
{
	const char *type;
	const char *child;
	bool		extensible;		/* else preferred */
	const char *value_set;
} FhirBinding;

extern const FhirInvariant fhir_invariants[];
extern const int fhir_invariant_count;
extern const FhirBinding fhir_bindings[];
extern const int fhir_binding_count;

/* A definition that R4 itself publishes, by the last part of its URL; both tables are sorted by bytes */
typedef struct FhirKnown
{
	const char *name;
	const char *type;			/* extensions: the value's types, between spaces; parameters: the type */
} FhirKnown;

extern const FhirKnown fhir_known_extensions[];
extern const int fhir_known_extension_count;
extern const FhirKnown fhir_known_parameters[];
extern const int fhir_known_parameter_count;

/* NULL if there is none of this name */
extern const FhirKnown *fhir_known_find(const FhirKnown *table, int count, const char *name, size_t len);

#endif							/* EHR_FHIR_INVARIANTS_H */
