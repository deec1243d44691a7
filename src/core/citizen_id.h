/*
 * citizen_id.h
 *		The 12-digit personal number (CCCD).
 *
 *	digits	1-3		province (or country) where the birth was registered
 *			4		century and sex: 0/1 male/female born 19xx, 2/3 20xx, ... 8/9 23xx
 *			5-6		last two digits of the birth year
 *			7-12	random; there is no public check digit
 *
 * Circular 07/2016/TT-BCA Art. 7, Decree 137/2015/ND-CP Art. 13.  A number can be
 * cancelled and a new one given when sex or birth year is corrected, so that
 * nothing but length and digits makes a number unreadable: all else is a problem
 * to report.
 */
#ifndef EHR_CITIZEN_ID_H
#define EHR_CITIZEN_ID_H

#include "core.h"

#define CITIZEN_ID_DIGITS	12
#define CITIZEN_ID_END		INT64_C(1000000000000)	/* one more than the largest */

/* Reads exactly 12 ASCII digits; CORE_INVALID for anything else. */
extern CoreStatus citizen_id_parse(const char *text, size_t len, int64_t *id);

/* Writes 12 digits, no terminating zero. */
extern void citizen_id_print(int64_t id, char out[CITIZEN_ID_DIGITS]);

static inline bool
citizen_id_in_range(int64_t id)
{
	return id >= 0 && id < CITIZEN_ID_END;
}

/* The province part, 0 to 999. */
extern int	citizen_id_prefix(int64_t id);
extern bool citizen_id_female(int64_t id);
extern int	citizen_id_birth_year(int64_t id);

/*
 * The name of the province with that number on a day (yyyymmdd), or for day 0
 * of the province that the prefix was given for; NULL when there is none.  For a
 * day since 1 July 2025 it is the province into which it was merged.
 * *code, where not NULL, gets that province's number.
 */
extern const char *citizen_id_province(int prefix, int day, int *code);

/* What can be wrong with a number, in the order in which it is reported. */
typedef enum CitizenIdProblem
{
	CITIZEN_ID_EMPTY,
	CITIZEN_ID_NOT_DIGITS,
	CITIZEN_ID_OLD_CARD,		/* 9 digits: a former identity card (CMND) */
	CITIZEN_ID_LENGTH,
	CITIZEN_ID_PLACEHOLDER,		/* one digit repeated, or digits counted up */
	CITIZEN_ID_PREFIX_UNKNOWN,	/* no province; may be a country */
	CITIZEN_ID_CENTURY_FUTURE,	/* a century that has not begun */
	CITIZEN_ID_YEAR_FUTURE,		/* a birth year of this century that has not begun */
	CITIZEN_ID_AGE,				/* older than anybody has become */
	CITIZEN_ID_NPROBLEMS
} CitizenIdProblem;

/* The problem's name in SQL ("prefix unknown"); never depends on the number. */
extern const char *citizen_id_problem_name(CitizenIdProblem problem);

/*
 * The problems of a text as bits (1 << CitizenIdProblem), seen from a year;
 * 0 when nothing is wrong.  With problems of form nothing further is looked at.
 */
extern unsigned citizen_id_problems(const char *text, size_t len, int as_of_year);

/* Same, for a number that has been read: PLACEHOLDER and later ones. */
extern unsigned citizen_id_number_problems(int64_t id, int as_of_year);

typedef enum CitizenIdSex
{
	CITIZEN_ID_ANY_SEX,			/* not known, or neither: agrees with every number */
	CITIZEN_ID_MALE,
	CITIZEN_ID_FEMALE
} CitizenIdSex;

/* Whether sex digit and birth year agree with a person; year 0 is not known. */
extern bool citizen_id_agrees(int64_t id, CitizenIdSex sex, int birth_year);

#endif							/* EHR_CITIZEN_ID_H */
