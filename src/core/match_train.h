/*
 * match_train.h
 *		Learning the model's parameters from the rows themselves, without
 *		any labelled pair.
 */
#ifndef EHR_CORE_MATCH_TRAIN_H
#define EHR_CORE_MATCH_TRAIN_H

#include "core.h"
#include "match_count.h"
#include "match_model.h"

/* What training sees: a sample of the candidate pairs and pairs drawn at random. */
typedef struct MatchTraining
{
	const MatchVector *candidates;
	size_t		ncandidates;
	double		rate;			/* share of all candidates that are in the sample */
	const MatchVector *random;
	size_t		nrandom;
	MatchCounts counts;
	double		rows;
} MatchTraining;

/*
 * Expectation-maximization.  u comes from the random pairs, and where equal
 * values are so rare that none turns up there (numbers, phones, addresses) from
 * the candidates, among which all such pairs are; m and the prior from the
 * candidates.  The shipped parameters count as a few hundred observed pairs,
 * so that little data change little.  Never fails; deterministic.
 */
extern void match_train(MatchModel *model, const MatchTraining *in);

#endif							/* EHR_CORE_MATCH_TRAIN_H */
