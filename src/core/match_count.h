/*
 * match_count.h
 *		How frequent names, birth dates, phones and numbers are.
 */
#ifndef EHR_CORE_MATCH_COUNT_H
#define EHR_CORE_MATCH_COUNT_H

#include "core.h"
#include "match_model.h"
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
 * Fills the shares of a row from how often each of its values occurs among all
 * rows; phone_rows and number_rows are what match_block_find counts.
 */
extern void match_set_shares(MatchRow *row, const uint32_t count[MATCH_COUNTS], double rows);

/* The same when nothing is known of the frequencies: each value counts as average. */
extern void match_set_average_shares(MatchRow *row, const MatchModel *model);

/* Receives a value of a kind and how many rows have it; anything but CORE_OK stops. */
typedef CoreStatus (*MatchValueFn) (void *arg, MatchCountKind kind, uint64_t value, uint32_t rows);

/*
 * Counts all but phones and numbers among rows in canonical order
 * (match_order_rows), fills the shares of all and gives every value that at
 * least `least` rows have to fn, if there is one.  home_pairs is left alone.
 * Memory: some 20 bytes a distinct date, surname, middle and given name.
 */
extern CoreStatus match_count_rows(const CoreContext *cx, MatchRow *rows, uint32_t n, MatchCounts *counts,
								   uint32_t least, MatchValueFn fn, void *arg);

#endif							/* EHR_CORE_MATCH_COUNT_H */
