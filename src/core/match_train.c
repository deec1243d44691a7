/*
 * match_train.c
 *		Expectation-maximization for the Fellegi-Sunter model.
 *
 * Pairs of relatives are what a naive model gets wrong, so the candidates'
 * non-matches, most of which are relatives and namesakes, are not used for u in
 * general: u stays what random pairs show.  See doc/identity.md.
 */
#include "match_train.h"

#include <math.h>
#include <string.h>

#define ROUNDS 15
#define M_PSEUDO 200			/* pairs that the shipped m counts for */
#define U_SHAPE 3				/* pairs that the shipped u counts for */
#define ENOUGH 30				/* non-matching pairs from which a mean frequency is believed */
#define LEAST 1e-12

/* Levels whose pairs are all among the candidates, since a blocking rule asks for just that. */
static bool
all_are_candidates(int field, int level)
{
	switch (field)
	{
		case FIELD_NUMBER:
		case FIELD_INSURANCE:
			return level <= NUMBER_SAME_DOUBTFUL;
		case FIELD_CONTACT:
			return level <= CONTACT_PHONE;
		default:
			return false;
	}
}

/* Sums over pairs: how many show a level, as matches and as non-matches. */
typedef struct Sums
{
	double		match[MATCH_FIELDS][MATCH_LEVELS];
	double		other[MATCH_FIELDS][MATCH_LEVELS];
	double		match_told[MATCH_FIELDS];	/* not missing */
	double		other_told[MATCH_FIELDS];
	double		inverse[MATCH_FIELDS][MATCH_LEVELS];	/* of the frequency, over non-matches */
	double		matches;
} Sums;

static void
add(Sums *s, const MatchVector *v, double p)
{
	int			f;

	s->matches += p;
	for (f = 0; f < MATCH_FIELDS; f++)
	{
		int			l = v->level[f];

		if (l == LEVEL_MISSING)
			continue;
		s->match[f][l] += p;
		s->other[f][l] += 1 - p;
		s->match_told[f] += p;
		s->other_told[f] += 1 - p;
		if (match_fields[f].level[l].by_share)
			s->inverse[f][l] += (1 - p) * exp2(-v->share[f]);
	}
}

/* A rate from `seen` in `exposure`, the shipped one counting for U_SHAPE pairs. */
static double
smoothed(double seen, double exposure, double shipped)
{
	double		rate = (seen + U_SHAPE) / (exposure + U_SHAPE / shipped);

	return rate > LEAST ? rate : LEAST;
}

/*
 * The frequency that u stands for is the one whose inverse is the mean inverse
 * over non-matching pairs: then the weights of non-matches average to what
 * they would without frequencies.
 */
static void
set_share(MatchModel *model, int f, int l, const Sums *s)
{
	if (match_fields[f].level[l].by_share && s->other[f][l] >= ENOUGH)
		model->share[f][l] = -log2(s->inverse[f][l] / s->other[f][l]);
}

static void
set_u_random(MatchModel *model, const MatchModel *shipped, const Sums *random)
{
	int			f,
				l;

	for (f = 0; f < MATCH_FIELDS; f++)
		for (l = 0; l < match_fields[f].levels; l++)
		{
			if (all_are_candidates(f, l))
				continue;
			model->u[f][l] = smoothed(random->other[f][l], random->other_told[f], shipped->u[f][l]);
			set_share(model, f, l, random);
		}
}

/* Equal names and dates: their frequencies are known exactly, no sample is needed. */
static void
set_u_counted(MatchModel *model, const MatchTraining *in)
{
	const struct
	{
		int			field,
					level;
		double		same;
	}			counted[] = {
		{FIELD_BIRTH, BIRTH_SAME, in->counts.birth_same},
		{FIELD_BIRTH, BIRTH_SAME_NEW_YEAR, in->counts.new_year_same},
	};
	size_t		i;
	int			l;

	for (i = 0; i < sizeof counted / sizeof *counted; i++)
		if (counted[i].same > LEAST)
		{
			model->u[counted[i].field][counted[i].level] = counted[i].same;
			model->share[counted[i].field][counted[i].level] = log2(counted[i].same);
		}
	/* how equal names split over marked, folded and remarked is the sample's word */
	for (l = NAME_MARKED; l <= NAME_REMARKED; l++)
		model->share[FIELD_NAME][l] = log2(in->counts.name_same > LEAST ? in->counts.name_same : LEAST);
}

static void
set_u_candidates(MatchModel *model, const MatchModel *shipped, const MatchTraining *in, const Sums *s, const Sums *random, double pairs)
{
	double		homes;
	int			f,
				l;

	for (f = 0; f < MATCH_FIELDS; f++)
	{
		double		told = in->nrandom == 0 ? 1 : (random->other_told[f] + 1) / (in->nrandom + 1);

		for (l = 0; l < match_fields[f].levels; l++)
			if (all_are_candidates(f, l))
			{
				model->u[f][l] = smoothed(s->other[f][l] / in->rate, told * pairs, shipped->u[f][l]);
				set_share(model, f, l, s);
			}
	}
	/* one home: counted, less what is one person's and what shares the phone too */
	homes = in->counts.home_pairs - (s->match[FIELD_CONTACT][CONTACT_PHONE_HOME] + s->match[FIELD_CONTACT][CONTACT_HOME] +
									 s->match[FIELD_CONTACT][CONTACT_HOME_ONLY] + s->other[FIELD_CONTACT][CONTACT_PHONE_HOME]) / in->rate;
	homes = homes > 1 ? homes : 1;
	for (l = CONTACT_HOME; l <= CONTACT_HOME_ONLY; l++)
		model->u[FIELD_CONTACT][l] = homes / 2 / pairs > LEAST ? homes / 2 / pairs : LEAST;
}

static void
set_m(MatchModel *model, const MatchModel *shipped, const Sums *s)
{
	int			f,
				l;

	for (f = 0; f < MATCH_FIELDS; f++)
		for (l = 0; l < match_fields[f].levels; l++)
			model->m[f][l] = (s->match[f][l] + M_PSEUDO * shipped->m[f][l]) / (s->match_told[f] + M_PSEUDO);
}

void
match_train(MatchModel *model, const MatchTraining *in)
{
	double		pairs = in->rows * (in->rows - 1) / 2;
	MatchModel	shipped;
	Sums		random;
	size_t		i;
	int			round;

	match_model_default(&shipped, in->rows);
	*model = shipped;
	if (in->ncandidates == 0 || pairs < 1)
		return;
	memset(&random, 0, sizeof random);
	for (i = 0; i < in->nrandom; i++)
		add(&random, &in->random[i], 0);
	set_u_random(model, &shipped, &random);
	set_u_counted(model, in);
	match_model_ready(model);

	for (round = 0; round < ROUNDS; round++)
	{
		Sums		s;

		memset(&s, 0, sizeof s);
		for (i = 0; i < in->ncandidates; i++)
			add(&s, &in->candidates[i], match_probability(match_score(model, &in->candidates[i])));
		set_m(model, &shipped, &s);
		set_u_candidates(model, &shipped, in, &s, &random, pairs);
		model->prior = (s.matches / in->rate + 1) / (pairs + 1);
		if (model->prior > 0.5)
			model->prior = 0.5;
		match_model_ready(model);
	}
}

void
match_train_decided(MatchModel *model, const MatchVector *pairs, const bool *same, size_t n)
{
	const double ln2 = 0.693147180559945309417;
	double		moved = 0;
	double		odds;
	size_t		i;
	int			round;

	/* Newton's method on one parameter; the prior keeps the curvature away from zero */
	for (round = 0; round < ROUNDS; round++)
	{
		double		slope = -moved;
		double		bend = 1;

		for (i = 0; i < n; i++)
		{
			double		p = match_probability(match_score(model, &pairs[i]) + moved);

			slope += ln2 * ((same[i] ? 1 : 0) - p);
			bend += ln2 * ln2 * p * (1 - p);
		}
		moved += slope / bend;
		moved = fmax(-MATCH_DECIDED_MOST, fmin(MATCH_DECIDED_MOST, moved));
	}
	odds = model->prior / (1 - model->prior) * exp2(moved);
	model->prior = odds / (1 + odds);
	match_model_ready(model);
}
