/*
 * match_model.c
 *		The shipped parameters, weights and scores.
 */
#include "match_model.h"

#include <math.h>
#include <string.h>

/*
 * The parameters are those of a Vietnamese registration file of some hundred
 * thousand rows; training replaces them as far as the data at hand say more.
 * u of a level scaled by frequency is that of the average value.  A household
 * is as large in a small file as in a large one, so the u of phone and home, given
 * for SHIPPED_ROWS, goes with one over the rows.
 */
#define SHIPPED_ROWS 100000.0
#define HOUSEHOLD_MOST 0.1		/* in a file of a few households */

const MatchFieldInfo match_fields[MATCH_FIELDS] = {
	{"name", 10, {
			{"marked", "the names are equal with all marks", 0.55, 1.5e-4, true},
			{"folded", "the names are equal but for missing marks", 0.30, 2e-4, true},
			{"remarked", "the names have the same letters with other marks", 0.05, 1e-4, true},
			{"shortened", "one name is the other shortened or in another order", 0.03, 8e-4, true},
			{"typo", "the names differ by a slip", 0.03, 8e-4, true},
			{"given_typo", "the given names differ by one letter", 0.01, 8e-4, true},
			{"other_surname", "all but the surname is equal", 0.006, 1.5e-3, false},
			{"other_middle", "surname and given name are equal, the middle names differ", 0.004, 4e-3, true},
			{"same_family", "only the surname is equal", 0.003, 0.16, false},
			{"other", "the names differ", 0.002, 0.83, false},
	}},
	{"birth", 9, {
			{"same", "the birth dates are equal", 0.82, 4e-5, true},
			{"same_new_year", "both were born on 1 January of the same year, or of the year alone", 0.05, 8e-5, true},
			{"same_year_only", "the birth years are equal and one side knows no more", 0.06, 1.5e-3, true},
			{"swapped", "day and month changed places", 0.015, 1.5e-5, false},
			{"slip", "the birth dates differ by one digit", 0.03, 8e-4, false},
			{"same_day", "the same day of another year", 0.005, 2e-3, false},
			{"same_year", "the same year, another day", 0.01, 1.3e-2, false},
			{"next_year", "birth years one apart, one side knows no more", 0.003, 3e-3, false},
			{"other", "the birth dates differ", 0.007, 0.98, false},
	}},
	{"sex", 2, {
			{"same", "the sex is equal", 0.985, 0.5, false},
			{"other", "the sex differs", 0.015, 0.5, false},
	}},
	{"number", 5, {
			{"same", "the identity numbers are equal", 0.93, 1e-7, true},
			{"same_doubtful", "the identity numbers are equal but contradict a birth date or sex", 0.03, 1e-7, true},
			{"slip", "the identity numbers differ by one digit", 0.03, 1e-7, false},
			{"reissued", "the identity numbers differ as a re-issued one does", 0.002, 1e-8, false},
			{"differs", "the identity numbers differ", 0.008, 0.9999, false},
	}},
	{"insurance", 5, {
			{"same", "the insurance numbers are equal", 0.96, 1e-7, false},
			{"same_doubtful", "", 1e-4, 1e-4, false},
			{"slip", "the insurance numbers differ by one digit", 0.03, 1e-7, false},
			{"reissued", "", 1e-4, 1e-4, false},
			{"differs", "the insurance numbers differ", 0.01, 0.9999, false},
	}},
	{"contact", 9, {
			{"phone_home", "phone and address are equal", 0.45, 4.4e-6, true},
			{"phone_commune", "phone and commune are equal", 0.20, 1e-6, true},
			{"phone", "the phone is equal", 0.05, 1.1e-6, true},
			{"home", "the address is equal, a phone is missing", 0.05, 1e-5, false},
			{"home_only", "the address is equal, the phone differs", 0.04, 1e-5, false},
			{"phone_slip", "the phones differ by one digit", 0.01, 2e-8, false},
			{"commune", "the commune is equal", 0.13, 8e-3, false},
			{"district", "the district is equal", 0.03, 6e-2, false},
			{"none", "phone, address and commune differ", 0.04, 0.93, false},
	}},
};

#define LN2 0.693147180559945309417

/* The mean frequency of the values that agree, in bits. */
static double
shipped_share(int field, int level)
{
	switch (field)
	{
		case FIELD_NAME:
			return level == NAME_SHORTENED || level == NAME_OTHER_MIDDLE ? -9 : level >= NAME_TYPO ? -15 : -12.3;
		case FIELD_BIRTH:
			return level == BIRTH_SAME ? -14.3 : level == BIRTH_SAME_NEW_YEAR ? -12 : -6.5;
		default:
			/* rows that share a phone or number */
			return 2;
	}
}

void
match_model_default(MatchModel *model, double rows)
{
	int			f,
				l;

	memset(model, 0, sizeof *model);
	rows = rows < 2 ? 2 : rows;
	for (f = 0; f < MATCH_FIELDS; f++)
		for (l = 0; l < match_fields[f].levels; l++)
		{
			model->m[f][l] = match_fields[f].level[l].m;
			model->u[f][l] = match_fields[f].level[l].u;
			if (f == FIELD_CONTACT && l <= CONTACT_HOME_ONLY)
				model->u[f][l] = fmin(model->u[f][l] * SHIPPED_ROWS / rows, HOUSEHOLD_MOST);
			if (match_fields[f].level[l].by_share)
				model->share[f][l] = shipped_share(f, l);
		}
	model->rows = rows;
	/* 9,148,769 rows of 6,593,186 people: 0.32 true pairs a row */
	model->prior = 0.64 / (model->rows - 1);
	if (model->prior > 0.5)
		model->prior = 0.5;
	match_model_ready(model);
}

void
match_model_ready(MatchModel *model)
{
	int			f,
				l;

	for (f = 0; f < MATCH_FIELDS; f++)
		for (l = 0; l < match_fields[f].levels; l++)
			model->bits[f][l] = log2(model->m[f][l] / model->u[f][l]) +
				(match_fields[f].level[l].by_share ? model->share[f][l] : 0);
	model->prior_bits = log2(model->prior / (1 - model->prior));
}

double
match_weight(const MatchModel *model, const MatchVector *v, MatchField field)
{
	int			level = v->level[field];

	if (level == LEVEL_MISSING)
		return 0;
	return model->bits[field][level] - (match_fields[field].level[level].by_share ? v->share[field] : 0);
}

double
match_score(const MatchModel *model, const MatchVector *v)
{
	double		bits = model->prior_bits;
	int			f;

	for (f = 0; f < MATCH_FIELDS; f++)
		bits += match_weight(model, v, f);
	return bits;
}

double
match_probability(double bits)
{
	if (bits > 60)
		return 1;
	return 1 / (1 + exp(-bits * LN2));
}

double
match_bits(double probability)
{
	return log2(probability / (1 - probability));
}

/* The stored numbers of a model, one after the other. */
static double *
nth_number(MatchModel *model, int n)
{
	const int	table = MATCH_FIELDS * MATCH_LEVELS;

	if (n == 0)
		return &model->prior;
	if (n == 1)
		return &model->rows;
	n -= 2;
	return n < table ? &model->m[0][0] + n : n < 2 * table ? &model->u[0][0] + (n - table) : &model->share[0][0] + (n - 2 * table);
}

#define NUMBERS (2 + 3 * MATCH_FIELDS * MATCH_LEVELS)

void
match_model_store(const MatchModel *model, uint8_t *out)
{
	MatchModel	copy = *model;
	int			n,
				i;

	*out++ = MATCH_MODEL_VERSION;
	for (n = 0; n < NUMBERS; n++)
	{
		uint64_t	v;

		memcpy(&v, nth_number(&copy, n), sizeof v);
		for (i = 0; i < 8; i++)
			*out++ = (uint8_t) (v >> 8 * i);
	}
}

CoreStatus
match_model_load(MatchModel *model, const uint8_t *in, size_t len)
{
	int			f,
				l,
				n,
				i;

	memset(model, 0, sizeof *model);
	if (len != MATCH_MODEL_STORED || *in++ != MATCH_MODEL_VERSION)
		return CORE_INVALID;
	for (n = 0; n < NUMBERS; n++)
	{
		uint64_t	v = 0;

		for (i = 0; i < 8; i++)
			v |= (uint64_t) *in++ << 8 * i;
		memcpy(nth_number(model, n), &v, sizeof v);
	}
	if (!(model->prior > 0 && model->prior < 1 && model->rows >= 1))
		return CORE_INVALID;
	for (f = 0; f < MATCH_FIELDS; f++)
		for (l = 0; l < match_fields[f].levels; l++)
			if (!(model->m[f][l] > 0 && model->m[f][l] <= 1 && model->u[f][l] > 0 && model->u[f][l] <= 1 && isfinite(model->share[f][l])))
				return CORE_INVALID;
	match_model_ready(model);
	return CORE_OK;
}
