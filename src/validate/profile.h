/*
 * profile.h
 *		What the files share that lay profiles on documents: one run of profiles, its path, the values of an element.
 */
#ifndef EHR_VALIDATE_PROFILE_H
#define EHR_VALIDATE_PROFILE_H

#include "lib/stringinfo.h"

#include "validate/definitions.h"

/* Deepest nesting of profiles in profiles and of slices in slices */
#define PROFILE_DEPTH_MAX 48

#define CORE_DEFINITION "http://hl7.org/fhir/StructureDefinition/"

typedef struct Run
{
	Validation *v;
	bool		trial;			/* only count */
	int			errors;
	int			depth;
	StringInfoData path;
	FhirScope	scope;
} Run;

typedef struct Value
{
	FhirFocus	focus;
	int			index;
} Value;

typedef struct Values
{
	Value	   *values;
	int			count;
	int			size;
} Values;

/* Counts errors; adds an issue at the run's path unless the run is a trial. */
extern void profile_report(Run *r, Severity severity, const char *code, const char *rule, const char *text, const char *hint);

/* Lengthens the path by one step (index -1: none); returns what to cut it back to. */
extern int	profile_push(Run *r, const ProfileElement *element, int index);
extern void profile_pop(Run *r, int length);

/* The values of a child, also where it names one type of a choice (valueQuantity) */
extern Values profile_values(const FhirFocus *focus, const char *name, int len);
extern bool profile_add_value(void *values, const FhirFocus *focus, int index);

/* A value against an element of a profile, with all below it; how often the element (or slice) stands */
extern void profile_check_value(Run *r, ProfileElement *element, const FhirFocus *focus);
extern void profile_check_count(Run *r, const ProfileElement *element, int count);
extern void profile_check_slices(Run *r, ProfileElement *element, const Values *values);

/* Runs a loaded profile on a value; false: it is not loaded. */
extern bool profile_run(Run *r, const JsonNode *url, const FhirFocus *focus);

/* Whether a value conforms, without a report: to an element, to a profile (*loaded false: there is none, nothing is said) */
extern bool profile_element_tries(Run *r, ProfileElement *element, const FhirFocus *focus);
extern bool profile_url_tries(Run *r, const JsonNode *url, const FhirFocus *focus, bool *loaded);

/* Whether a value is of the type that a profile's type.code names; codes that are no FHIR type allow all */
extern bool profile_type_allows(const JsonNode *code, int type);

/* Whether a URL is that of one of R4's own definitions */
extern bool profile_is_core(const JsonNode *url);

/* -- references (targets.c) ------------------------------------------------ */

/* The resource that a Reference leads to inside the document; node NULL: it is not there */
extern FhirFocus profile_target(Run *r, const FhirFocus *reference);

/* Resource number of what a reference leads to, as far as it says so or it is in the document; 0: not known */
extern int	profile_reference_type(Run *r, const FhirFocus *reference);

/* Resource number that a target profile is for; 0: not known here */
extern int	profile_target_type(const JsonNode *url);

/* Whether a reference may lead to one of the target profiles: by its type, and by its content where the document has it */
extern bool profile_target_allows(Run *r, const JsonNode *targets, const FhirFocus *reference);

/* Whether it leads where ElementDefinition.type.aggregation says */
extern bool profile_aggregation_allows(Run *r, const JsonNode *aggregations, const FhirFocus *reference);

/* -- texts ------------------------------------------------------------------ */

static inline const JsonNode *
string_item(const JsonNode *list, int i)
{
	const JsonNode *item = item_of(list, i);

	return item->kind == NODE_STRING ? item : NULL;
}

/* A canonical URL without its version */
extern char *plain_url(const JsonNode *url);

#endif							/* EHR_VALIDATE_PROFILE_H */
