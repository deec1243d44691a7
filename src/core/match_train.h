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

/*
 * What clerks decided moves the odds of all pairs by one factor, at most
 * MATCH_DECIDED_MOST bits: the factor under which their decisions are likeliest,
 * no decisions counting for one of a standard deviation of one bit.  Pairs whose
 * score leaves no doubt, and vetoed ones, should not be among them.
 */
#define MATCH_DECIDED_MOST 3.0
extern void match_train_decided(MatchModel *model, const MatchVector *pairs, const bool *same, size_t n);

#endif							/* EHR_CORE_MATCH_TRAIN_H */
