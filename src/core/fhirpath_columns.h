/*
 * fhirpath_columns.h
 *		Many plain paths of one focus in one walk over its JSON.
 *
 * A plain path is nothing but names, ofType() that says which key of a choice
 * is meant, first() and indexes.  Those of one focus are put into a tree by
 * their keys; a walk finds the keys of each object by merging them with the
 * object's own, which stand in the same order, so that what several paths
 * begin with is looked up once.
 *
 * What a walk finds is what fhirpath_each would give for each path.
 */
#ifndef EHR_FHIRPATH_COLUMNS_H
#define EHR_FHIRPATH_COLUMNS_H

#include "fhirpath.h"

typedef struct FhirPathColumns FhirPathColumns;

/* What was found of one path: the first item, and how many there are */
typedef struct FhirPathFound
{
	FpItem		item;
	uint32_t	count;
} FhirPathFound;

/* Called for the second item of a path and those behind it, with the path's number; false: stop */
typedef bool (*FhirPathMore) (void *arg, int path, const FpItem *item);

/*
 * The tree of those plans (NULLs are left out) that are plain paths of a focus
 * of this type, which must be known.  *columns is NULL where there is none.
 * CORE_OK or CORE_NO_MEMORY.  The plans must live as long.
 */
extern CoreStatus fhirpath_columns(const CoreContext *cx, const FhirPathPlan *const *plans, int count, int type,
								   FhirPathColumns **columns);
extern void fhirpath_columns_free(FhirPathColumns *columns);

/* Whether the walk answers a plan, by its number. */
extern bool fhirpath_columns_has(const FhirPathColumns *columns, int path);

/*
 * Walks an object of so many bytes; found has a place for each plan, of which those that the tree has are
 * set.  False where `more` stopped it, or where primitives have siblings
 * (`_name`), which the tree does not know: then nothing that was found counts.
 */
extern bool fhirpath_columns_walk(FhirPathColumns *columns, const JbContainer *focus, uint32_t size,
								  FhirPathFound *found, FhirPathMore more, void *arg);

#endif							/* EHR_FHIRPATH_COLUMNS_H */
