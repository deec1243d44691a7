/*
 * fhirpath_prefix.h
 *		Answers of an expression from the first bytes of a document.
 *
 * A stored document is compressed or lies in pieces elsewhere; jsonb keeps an
 * object's keys in front and its values in their order, short keys first.  A
 * path of plain names whose meaning is the same for every type that can stand
 * there (no name of a type, no choice element) needs no more than the keys and
 * what it finds.
 *
 * Nothing is read behind the bytes that are there, whatever they say.
 */
#ifndef EHR_FHIRPATH_PREFIX_H
#define EHR_FHIRPATH_PREFIX_H

#include "fhirpath.h"

#define FHIRPATH_PREFIX_STEPS 16

typedef struct FhirPathPrefix
{
	int			count;
	uint32_t	unclear;		/* lengths, as bits, of the names of the resource types for which the first name is a choice */
	struct
	{
		const char *key;		/* behind a '_' */
		uint32_t	len;
		int64_t		pick;		/* which of all that the step finds, -1: all */
	}			steps[FHIRPATH_PREFIX_STEPS];
} FhirPathPrefix;

typedef enum FhirPathPrefixAnswer
{
	FHIRPATH_PREFIX_NONE,		/* the path finds nothing */
	FHIRPATH_PREFIX_ONE,		/* one item; when asked for existence: at least one, the item is not set */
	FHIRPATH_PREFIX_SEVERAL,
	FHIRPATH_PREFIX_MORE,		/* *need bytes are needed, perhaps more after that */
	FHIRPATH_PREFIX_WHOLE		/* that is for the evaluator */
} FhirPathPrefixAnswer;

/* Whether a prefix can do for a plan; the plan must live as long as *prefix. */
extern bool fhirpath_prefix_plan(const FhirPathPlan *plan, FhirPathPrefix *prefix);

/*
 * Looks for the path in the first `have` of the `total` bytes of a root
 * container.  An item is a string, number or boolean in those bytes, of no
 * known type, whose value as text, number, date or time is that of the item
 * that the evaluator finds.
 */
extern FhirPathPrefixAnswer fhirpath_prefix_find(const FhirPathPrefix *prefix, const void *root, size_t have, size_t total,
												 bool existence, FpItem *item, size_t *need);

#endif							/* EHR_FHIRPATH_PREFIX_H */
