/*
 * match_link.h
 *		The whole of bulk linking: rows in, persons out.
 */
#ifndef EHR_CORE_MATCH_LINK_H
#define EHR_CORE_MATCH_LINK_H

#include "core.h"
#include "match_block.h"
#include "match_cluster.h"
#include "match_model.h"

typedef struct MatchOptions
{
	double		link;			/* probability from which two rows are one person */
	double		review;			/* probability from which a clerk should look */
	const MatchModel *model;	/* NULL: train on the rows, shipped parameters where they are few */
	const int64_t (*apart)[2];	/* subjects that somebody decided are two persons, */
	size_t		napart;			/* each pair with the lesser first, sorted */
} MatchOptions;

extern const MatchOptions match_options_default;

typedef struct MatchOutcome
{
	MatchModel	model;			/* what was used */
	MatchForest forest;			/* over the rows in their new order */
	float	   *best;			/* a row's best link in bits of odds; -INFINITY when alone */
	MatchEdge  *review;			/* pairs between the two thresholds, and linked ones that a guard kept apart */
	size_t		nreview;
	uint64_t	candidates;
	uint64_t	linked;			/* edges above the link threshold */
	uint64_t	vetoed;			/* pairs above it that cannot be one person */
	uint64_t	refused;		/* edges that would have joined clusters which contradict */
	MatchBlockStats blocks;
} MatchOutcome;

/*
 * Puts the rows in canonical order (by content), learns the model where none is
 * given, compares all candidate pairs and forms clusters.  Rows of one person
 * (MatchRow.person) are joined first, unasked.  The outcome depends on the set
 * of rows only, not on their order.  On CORE_OK the caller frees it.
 * Memory beside the rows: up to 82 bytes a row, 12 bytes a linked pair.
 */
extern CoreStatus match_link(const CoreContext *cx, MatchRow *rows, uint32_t n,
							 const MatchOptions *options, MatchOutcome *out);
extern void match_outcome_free(const CoreContext *cx, MatchOutcome *out);

#endif							/* EHR_CORE_MATCH_LINK_H */
