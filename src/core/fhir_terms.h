/*
 * fhir_terms.h
 *		Code systems that FHIR R4 itself defines, and its value sets, as sorted tables.
 *
 * Beside those of required bindings (fhir_model.h).  Constant data without
 * pointers: shared by all backends, nothing to load.
 */
#ifndef EHR_FHIR_TERMS_H
#define EHR_FHIR_TERMS_H

#include <stddef.h>
#include <stdint.h>

/* A code system or a value set; strings are offsets into fhir_terms_pool. */
typedef struct FhirTerms
{
	uint32_t	url;
	uint32_t	system;			/* of all its codes; 0: each has its own, behind the codes */
	uint32_t	first;			/* in fhir_terms_codes, sorted as keys are */
	uint32_t	count;
} FhirTerms;

/* An offset points at the first byte of a string, the byte before is its length; NUL follows. */
extern const char fhir_terms_pool[];
extern const uint32_t fhir_terms_codes[];
extern const uint32_t fhir_terms_systems;	/* so many of fhir_terms are code systems, they come first */
extern const uint32_t fhir_terms_whole; /* then value sets, up to here; then those of which only the systems are known */
extern const uint32_t fhir_terms_count;
extern const FhirTerms fhir_terms[];

/* A code system, a value set by its URL (without a version), NULL: not one of these */
extern const FhirTerms *fhir_terms_code_system(const char *url, size_t len);
extern const FhirTerms *fhir_terms_value_set(const char *url, size_t len);

/* A value set of which only the code systems are known: its "codes" are their URLs */
extern const FhirTerms *fhir_terms_open_set(const char *url, size_t len);

/* Whether it has a code, of this system where `system` is not NULL: 1 or 0 */
extern int	fhir_terms_have(const FhirTerms *terms, const char *code, size_t len, const char *system, size_t system_len);

#endif							/* EHR_FHIR_TERMS_H */
