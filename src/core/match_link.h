/*
 * match_link.h
 *		The whole of bulk linking: rows in, persons out.
 *
 * match_link does it in one process.  The database does the same steps with
 * several (src/identity/match_bulk.c): order, count, find blocks, train on a
 * sample of their pairs, score all pairs, form clusters.
 */
#ifndef EHR_CORE_MATCH_LINK_H
#define EHR_CORE_MATCH_LINK_H

#include "core.h"
#include "match_block.h"
#include "match_cluster.h"
#include "match_model.h"
#include "match_train.h"

typedef struct MatchOptions
{
	double		link;			/* probability from which two rows are one person */
	double		review;			/* probability from which a clerk should look */
	const MatchModel *model;	/* NULL: train on the rows, shipped parameters where they are few */
	const int64_t (*apart)[2];	/* subjects that somebody decided are two persons, */
	size_t		napart;			/* each pair with the lesser first, sorted */
	size_t		memory;			/* for sorting */
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
 */
extern CoreStatus match_link(const CoreContext *cx, MatchRow *rows, uint32_t n,
							 const MatchOptions *options, MatchOutcome *out);
extern void match_outcome_free(const CoreContext *cx, MatchOutcome *out);

/* ---- the steps ---- */

/* Canonical order: equal names together, and no trace of the order of arrival. */
extern CoreStatus match_order_rows(const CoreContext *cx, MatchRow *rows, uint32_t n);

/* Fewer rows teach nothing: the shipped parameters do. */
#define MATCH_TRAIN_ROWS 2000

/* Collects pairs to train on: those of blocks drawn by lot. */
typedef struct MatchSample
{
	const MatchRow *rows;
	MatchVector *vector;
	uint64_t   *lot;			/* a pair is in the sample when its lot is below the limit */
	size_t		n;
	uint64_t	limit;
	uint64_t	drawn;			/* the block's lot */
} MatchSample;

/* within: pairs in all blocks.  CORE_NO_MEMORY. */
extern CoreStatus match_sample_start(const CoreContext *cx, MatchSample *sample, const MatchRow *rows, uint64_t within);
extern CoreStatus match_sample_block(MatchSample *sample, MatchBlocking *b, int rule, const uint32_t *row, uint32_t n);

/* The model out of the sample and of pairs drawn at random. */
extern CoreStatus match_sample_train(const CoreContext *cx, MatchSample *sample, uint32_t n, const MatchCounts *counts,
									 MatchModel *model);
extern void match_sample_end(const CoreContext *cx, MatchSample *sample);

/* What to do with a scored pair: link = false is for a clerk to see. */
typedef CoreStatus (*MatchEdgeFn) (void *arg, const MatchEdge *edge, bool link);

typedef struct MatchScorer
{
	const MatchRow *rows;
	const MatchModel *model;
	double		link_bits;
	double		review_bits;
	MatchEdgeFn fn;
	void	   *arg;
	uint64_t	candidates;
	uint64_t	vetoed;
	uint64_t	linked;
} MatchScorer;

/* A MatchPairFn: arg is the scorer. */
extern CoreStatus match_score_pair(void *arg, uint32_t a, uint32_t b);

typedef struct MatchEdgeList
{
	MatchEdge  *edge;
	size_t		n;
	size_t		room;
} MatchEdgeList;

extern CoreStatus match_edge_push(const CoreContext *cx, MatchEdgeList *list, const MatchEdge *edge);

/*
 * Fills forest, best and refused of the outcome from the links (which it sorts);
 * links that a guard refused are added to the reviews.
 */
extern CoreStatus match_form_clusters(const CoreContext *cx, const MatchRow *rows, uint32_t n, const MatchOptions *options,
									  MatchEdgeList *links, MatchEdgeList *reviews, MatchOutcome *out);

#endif							/* EHR_CORE_MATCH_LINK_H */
