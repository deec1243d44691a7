/*
 * fhir.h
 *		What room fhir gives to the other rooms.
 *
 * A value of type fhir is stored as a jsonb: everything of utils/jsonb.h works
 * on it.  The model (types, elements, code sets) is core/fhir_model.h.
 */
#ifndef EHR_FHIR_H
#define EHR_FHIR_H

#include "utils/jsonb.h"

#include "core/fhir_model.h"

#define DatumGetFhirP(d)		DatumGetJsonbP(d)
#define PG_GETARG_FHIR_P(n)		PG_GETARG_JSONB_P(n)
#define PG_RETURN_FHIR_P(p)		PG_RETURN_JSONB_P(p)

/* Name of a resource type number, NULL if there is none: see fhir_model.h */
static inline const char *
fhir_type_name(int number)
{
	return fhir_resource_name(number);
}

/* Number of a resource type by its exact name, 0 if there is none */
static inline int
fhir_type_number(const char *name, int len)
{
	return len < 0 ? 0 : fhir_resource_number(name, len);
}

/*
 * The string at a key of the document's outermost object, as it stands in the
 * document (no NUL at the end); NULL if there is no such key or it is no string.
 */
extern const char *fhir_top_string(const Jsonb *doc, const char *key, int *len);

/* Resource type number of a document; 0 if it is not an object with a known resourceType. */
extern int	fhir_document_type(const Jsonb *doc);

/*
 * Reads JSON text as a FHIR resource and validates it; with typmod >= 0 also
 * its resource type.  Returns NULL after a soft error (escontext, 16 and
 * later), else raises:
 *		22P02 not JSON, or an object with a key twice; 22P05 \u0000;
 *		23514 not a valid FHIR resource, or not of the type that typmod asks for;
 *		54000 too large or too deep.
 */
extern Jsonb *fhir_from_text(const char *text, int len, int32 typmod, Node *escontext);

/* Validates a jsonb as a FHIR resource, raising as fhir_from_text does; false after a soft error. */
extern bool fhir_check(Jsonb *doc, int32 typmod, Node *escontext);

/* The same without raising (besides 54000): is it a valid FHIR resource? */
extern bool fhir_validate_jsonb(Jsonb *doc);

/* Raises 23514 if the document's type is not the one that typmod asks for; false after a soft error. */
extern bool fhir_check_typmod(const Jsonb *doc, int32 typmod, Node *escontext);

#endif							/* EHR_FHIR_H */
