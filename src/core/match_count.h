/*
 * match_count.h
 *		How frequent names, birth dates, phones and numbers are.
 */
#ifndef EHR_CORE_MATCH_COUNT_H
#define EHR_CORE_MATCH_COUNT_H

#include "core.h"
#include "match_row.h"

/* Sum of squared shares: how often two random rows agree. */
typedef struct MatchCounts
{
	double		name_same;		/* full folded name */
	double		birth_same;		/* exact and neither vague */
	double		new_year_same;	/* equal and vague */
	double		home_pairs;		/* pairs of rows with equal house, street and commune */
} MatchCounts;

/* The features that frequencies are kept of. */
typedef enum MatchCountKind
{
	COUNT_NAME, COUNT_SURNAME, COUNT_MIDDLE, COUNT_GIVEN, COUNT_BIRTH, COUNT_YEAR, COUNT_PHONE, COUNT_NUMBER, MATCH_COUNTS
} MatchCountKind;

/* The value whose frequency counts; 0 = missing. */
extern uint64_t match_count_key(const MatchRow *row, MatchCountKind kind);

/*
 * Fills the frequency fields of a row from how often each of its values occurs
 * among all rows.
 */
extern void match_set_shares(MatchRow *row, const uint32_t count[MATCH_COUNTS], double rows);

/* Counts among the rows themselves and fills all.  Memory: 80 bytes a row while it runs. */
extern CoreStatus match_count_rows(const CoreContext *cx, MatchRow *rows, uint32_t n, MatchCounts *counts);

#endif							/* EHR_CORE_MATCH_COUNT_H */
