/*-------------------------------------------------------------------------
 *
 * vn_figures.h
 *		How hard the rows are, and how good an answer is: counts of pairs.
 *
 * A pair is two rows.  It is true if both belong to one person.  Everything
 * here is done by sorting, never by comparing all pairs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_FIGURES_H
#define VN_FIGURES_H

#include "vn_tables.h"

typedef struct Item
{
	uint64_t	key;
	uint64_t	value;
} Item;

/* Stable, by key then nothing else. */
extern void sort_items(Item *items, size_t n);

/* Pairs that a grouping makes, set against the truth. */
typedef struct PairCount
{
	uint64_t	found;			/* pairs in one group */
	uint64_t	right;			/* of those, true ones */
	uint64_t	truth;			/* all true pairs */
	uint64_t	groups;			/* groups, rows without a key each alone */
} PairCount;

/*
 * Counts the pairs of rows with the same key; key 0 is no key.  `person` holds
 * numbers below 2^32.
 */
extern PairCount count_pairs(const uint64_t *keys, const uint32_t *persons, size_t n);

extern double precision(const PairCount *c);
extern double recall(const PairCount *c);
extern double f1(const PairCount *c);

/* A 64-bit key for a text; never 0 unless the text is empty. */
extern uint64_t text_key(const char *text);
extern uint64_t join_keys(uint64_t a, uint64_t b);	/* 0 if one of them is */

/*
 * The simple normalisations.  Identity number: digits only; fewer than nine of
 * them, one digit repeated, or 123456789… is a placeholder and no key.
 */
extern uint64_t id_key(const char *text);

/* Digits, 84 as 0, a lost zero put back, prefixes of before 2018 renewed. */
extern uint64_t phone_key(const Tables *tables, const char *text);

/* Full dates only: a year alone, or with zeros, is no key. */
extern uint64_t date_key(const char *text);

/* Without marks and case, blanks squeezed. */
extern uint64_t name_key(const char *text);

/* First and last word of the name only. */
extern uint64_t short_name_key(const char *text);

/* Collects the keys of rows and prints the figures of the whole file. */
typedef struct Figures Figures;

extern Figures *figures_start(const Tables *tables, uint64_t rows);
extern void figures_add(Figures *figures, uint32_t person, const char *name, const char *birth_date,
						const char *phone, const char *id, const char *ward);
extern void figures_print(const Figures *figures);

#endif							/* VN_FIGURES_H */
