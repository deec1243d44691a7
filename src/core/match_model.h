/*
 * match_model.h
 *		The Fellegi-Sunter model: how much each outcome of a comparison says.
 *
 * A pair of rows is compared field by field; each field ends in one level.
 * m is the share of a level among pairs of one person, u among pairs of two.
 * A level's weight is log2(m / u); where the values' frequency matters, u is
 * scaled by the frequency of the very value.  The prior is the share of true
 * pairs among all pairs, so the score knows how many rows there are.
 */
#ifndef EHR_CORE_MATCH_MODEL_H
#define EHR_CORE_MATCH_MODEL_H

#include "core.h"
#include "match_row.h"

typedef enum MatchField
{
	FIELD_NAME, FIELD_BIRTH, FIELD_SEX, FIELD_NUMBER, FIELD_INSURANCE, FIELD_CONTACT, MATCH_FIELDS
} MatchField;

#define MATCH_LEVELS 10
#define LEVEL_MISSING 0xff		/* one side does not tell: no evidence either way */

typedef enum NameLevel
{
	NAME_MARKED,				/* equal with all marks */
	NAME_FOLDED,				/* equal, one side came without marks */
	NAME_REMARKED,				/* equal letters, other marks */
	NAME_SHORTENED,				/* same surname and given name, middle names dropped, shortened or swapped */
	NAME_TYPO,					/* same given name, one or two letters differ elsewhere */
	NAME_GIVEN_TYPO,			/* one letter differs, in the given name */
	NAME_OTHER_SURNAME,			/* all but the surname */
	NAME_OTHER_MIDDLE,			/* surname and given name */
	NAME_SAME_FAMILY,			/* the surname only: relatives look like this */
	NAME_OTHER
} NameLevel;

typedef enum BirthLevel
{
	BIRTH_SAME,
	BIRTH_SAME_NEW_YEAR,		/* equal and 1 January, where unknown dates end up; or equal years alone */
	BIRTH_SAME_YEAR_ONLY,		/* same year, one side knows no more (year only, or 1 January) */
	BIRTH_SWAPPED,				/* day and month changed places */
	BIRTH_SLIP,					/* one digit differs or two changed places */
	BIRTH_SAME_DAY,				/* same day and month of another year */
	BIRTH_SAME_YEAR,			/* same year, other day */
	BIRTH_NEXT_YEAR,			/* year only or 1 January on one side, the years one apart */
	BIRTH_OTHER
} BirthLevel;

typedef enum SexLevel
{
	SEX_SAME, SEX_OTHER
} SexLevel;

typedef enum NumberLevel
{
	NUMBER_SAME,
	NUMBER_SAME_DOUBTFUL,		/* equal, but it contradicts a birth date or sex */
	NUMBER_SLIP,				/* one digit, or two swapped */
	NUMBER_REISSUED,			/* differs in sex, century and year digits only */
	NUMBER_DIFFERS
} NumberLevel;

typedef enum ContactLevel
{
	CONTACT_PHONE_HOME,			/* phone and street and commune */
	CONTACT_PHONE_COMMUNE,
	CONTACT_PHONE,
	CONTACT_HOME,				/* street and commune, phone missing */
	CONTACT_HOME_ONLY,			/* street and commune, other phone */
	CONTACT_PHONE_SLIP,			/* one digit of the phone differs, not the commune */
	CONTACT_COMMUNE,
	CONTACT_DISTRICT,
	CONTACT_NONE
} ContactLevel;

typedef struct MatchModel
{
	double		m[MATCH_FIELDS][MATCH_LEVELS];
	double		u[MATCH_FIELDS][MATCH_LEVELS];
	double		share[MATCH_FIELDS][MATCH_LEVELS];	/* log2 of the mean frequency that u stands for; 0 = no frequency */
	double		prior;			/* share of true pairs among all pairs */
	double		rows;			/* of the data that the model was trained on */
	double		bits[MATCH_FIELDS][MATCH_LEVELS];	/* log2(m / u) + share: match_model_ready */
	double		prior_bits;
} MatchModel;

/* Outcome of one comparison. */
typedef struct MatchVector
{
	uint8_t		level[MATCH_FIELDS];
	float		share[MATCH_FIELDS];	/* log2 frequency of the compared values; 0 = none */
} MatchVector;

/* Why a pair cannot be one person, whatever the score. */
typedef enum MatchVeto
{
	VETO_NONE = 0,
	VETO_TWINS,					/* born on one day, one household, clearly other given names */
	VETO_BIRTHS,				/* two newborns of one mother, born on different days or told apart by order */
	VETO_STRANGERS,				/* one number, but neither name nor birth date agree: for a clerk to see */
	VETO_NUMBERS				/* two valid citizen numbers that no slip and no re-issue explains */
} MatchVeto;

typedef struct MatchFieldInfo
{
	const char *name;
	int			levels;
	struct
	{
		const char *name;
		const char *sentence;	/* for a clerk */
		double		m,
					u;
		bool		by_share;	/* u is scaled by the values' frequency */
	}			level[MATCH_LEVELS];
} MatchFieldInfo;

/* The fields, their levels and the parameters that the extension ships. */
extern const MatchFieldInfo match_fields[MATCH_FIELDS];

/* Fewer rows say little on how rare a chance agreement is: take them for so many. */
#define MATCH_LEAST_ROWS 10000

/* The shipped parameters, for a population of that many rows. */
extern void match_model_default(MatchModel *model, double rows);

/*
 * Stored form of a model: version byte 1, then prior, rows and m, u, share of
 * every field and level in the order of match_fields, as doubles, least
 * significant byte first.  Load: CORE_INVALID when the bytes are something else.
 */
#define MATCH_MODEL_VERSION 1
#define MATCH_MODEL_STORED (1 + 8 * (2 + 3 * MATCH_FIELDS * MATCH_LEVELS))
extern void match_model_store(const MatchModel *model, uint8_t *out);
extern CoreStatus match_model_load(MatchModel *model, const uint8_t *in, size_t len);

/* Computes what scoring needs; call after any change of m, u, share or prior. */
extern void match_model_ready(MatchModel *model);

extern void match_compare(const MatchRow *a, const MatchRow *b, MatchVector *v);

/* Weight of one field's outcome in bits; 0 when missing. */
extern double match_weight(const MatchModel *model, const MatchVector *v, MatchField field);

/* log2 of the odds that the pair is one person, prior included. */
extern double match_score(const MatchModel *model, const MatchVector *v);

extern MatchVeto match_veto(const MatchRow *a, const MatchRow *b, const MatchVector *v);

/*
 * Do the two rows speak against each other so plainly that no third row can
 * make them one person?
 */
extern bool match_contradicts(const MatchVector *v);

/* odds in bits → probability, and back */
extern double match_probability(double bits);
extern double match_bits(double probability);

/* Levels of the single fields, for tests and explanations. */
extern NameLevel match_name_level(const MatchRow *a, const MatchRow *b);
extern BirthLevel match_birth_level(int32_t a, int32_t b);
extern NumberLevel match_number_level(const MatchRow *a, const MatchRow *b);


#endif							/* EHR_CORE_MATCH_MODEL_H */
