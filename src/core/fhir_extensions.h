/*
 * fhir_extensions.h
 *		Where the extensions that FHIR R4 defines may stand (StructureDefinition.context).
 */
#ifndef EHR_FHIR_EXTENSIONS_H
#define EHR_FHIR_EXTENSIONS_H

#include <stdbool.h>

/* By the last part of its URL; sorted by bytes */
typedef struct FhirExtension
{
	const char *name;
	const char *contexts;		/* paths of elements or names of types, between spaces; none: anywhere */
	bool		modifier;
} FhirExtension;

extern const FhirExtension fhir_extensions[];
extern const int fhir_extension_count;

#endif							/* EHR_FHIR_EXTENSIONS_H */
