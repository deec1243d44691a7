/*
 * fhir_schedule.h
 *		Which invariants and bindings are asked of the objects of a type, and which
 *		of them the mere presence of elements answers.
 *
 * Tables are generated (fhir_schedule_gen.py), constant, without pointers,
 * and found by type index: inherited invariants stand at every type.  Most
 * objects need no evaluation at all: `code.empty() or system.exists()` is
 * two bit tests on the slots that the structure's walk has seen.
 */
#ifndef EHR_FHIR_SCHEDULE_H
#define EHR_FHIR_SCHEDULE_H

#include "core.h"

/* Slots of a type (FhirElement.slot) */
typedef struct FhirSlots
{
	uint64_t	there;			/* all of these are there */
	uint64_t	absent;			/* and none of these */
} FhirSlots;

typedef struct FhirAsked
{
	uint16_t	invariant;		/* in fhir_invariants */
	uint16_t	slots;			/* in fhir_schedule_slots: with any of the first `holds` it holds, */
	uint8_t		holds;
	uint8_t		breaks;			/* with any of the next `breaks` it is broken */
} FhirAsked;

typedef struct FhirBound
{
	uint64_t	slot;			/* its bit */
	uint16_t	binding;		/* in fhir_bindings */
} FhirBound;

extern const FhirSlots fhir_schedule_slots[];
extern const FhirAsked fhir_asked[];
extern const FhirBound fhir_bound[];

/* Of type t: positions first[t] .. first[t + 1] - 1 */
extern const uint16_t fhir_first_asked[];
extern const uint16_t fhir_first_bound[];

typedef enum FhirAnswer
{
	FHIR_ANSWER_HOLDS,
	FHIR_ANSWER_BROKEN,
	FHIR_ANSWER_UNKNOWN			/* for the evaluator */
} FhirAnswer;

/*
 * What the elements of an object answer, given the slots that are filled.  Only right for an object
 * without structural faults: there an element that stands in the document exists.
 */
static inline FhirAnswer
fhir_schedule_answer(const FhirAsked *asked, uint64_t seen)
{
	const FhirSlots *slots = fhir_schedule_slots + asked->slots;

	for (int i = 0; i < asked->holds + asked->breaks; i++)
	{
		if ((seen & slots[i].there) == slots[i].there && (seen & slots[i].absent) == 0)
			return i < asked->holds ? FHIR_ANSWER_HOLDS : FHIR_ANSWER_BROKEN;
	}
	return FHIR_ANSWER_UNKNOWN;
}

#endif							/* EHR_FHIR_SCHEDULE_H */
