/*
 * match_block.h
 *		Which pairs of rows are worth comparing?
 *
 * Rows that share one of several keys form blocks; the pairs of a block are
 * candidates.  A pair that several rules find is given once: a later rule
 * skips what an earlier one gives, which can be told from the two rows alone.
 * A block with more than MATCH_BLOCK_MAX rows is cut by further features; what
 * is still too large is walked with a window over rows sorted by name and
 * birth date.  Nothing is dropped; the statistics tell how often it happened.
 */
#ifndef EHR_CORE_MATCH_BLOCK_H
#define EHR_CORE_MATCH_BLOCK_H

#include "core.h"
#include "match_row.h"

#define MATCH_BLOCK_MAX 64
#define MATCH_WINDOW 12
#define MATCH_RULES 7
#define MATCH_REFINES 3

typedef struct MatchRule
{
	const char *name;
	uint16_t	parts;			/* features that must be equal */
	uint16_t	refine[MATCH_REFINES];	/* and one of these groups where the block is too large */
} MatchRule;

extern const MatchRule match_rules[MATCH_RULES];

typedef struct MatchBlockStats
{
	uint64_t	pairs[MATCH_RULES];	/* given by the rule, earlier ones' left out */
	uint32_t	blocks[MATCH_RULES];	/* with two rows or more */
	uint32_t	refined[MATCH_RULES];
	uint32_t	windowed[MATCH_RULES];
	uint32_t	largest[MATCH_RULES];
} MatchBlockStats;

/* Receives a candidate pair, a < b; anything but CORE_OK stops. */
typedef CoreStatus (*MatchPairFn) (void *arg, uint32_t a, uint32_t b);

/*
 * Gives every candidate pair of the rows to fn.  In order of rules, and within
 * a rule in an order that only depends on the rows' order.  Memory: 34 bytes a
 * row.
 */
extern CoreStatus match_block(const CoreContext *cx, const MatchRow *rows, uint32_t n,
							  MatchPairFn fn, void *arg, MatchBlockStats *stats);

/* The row's key under the rule, 0 = none: what an index for single look-ups holds. */
extern uint64_t match_rule_key(const MatchRow *row, const MatchRule *rule);

#endif							/* EHR_CORE_MATCH_BLOCK_H */
