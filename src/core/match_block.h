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
 *
 * The work comes in two steps that several processes can share, each with a
 * MatchBlocking of its own over the same rows and state: first the blocks of
 * every rule are found, then the pairs of every block.  Neither the number of
 * processes nor the memory changes what is found.
 */
#ifndef EHR_CORE_MATCH_BLOCK_H
#define EHR_CORE_MATCH_BLOCK_H

#include "core.h"
#include "match_row.h"
#include "match_sort.h"

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
	uint64_t	within[MATCH_RULES];	/* pairs in blocks, whoever gives them; of large ones those of a window */
	uint32_t	blocks[MATCH_RULES];	/* with two rows or more */
	uint32_t	refined[MATCH_RULES];
	uint32_t	windowed[MATCH_RULES];
	uint32_t	largest[MATCH_RULES];
} MatchBlockStats;

typedef struct MatchBlocking
{
	const CoreContext *cx;
	MatchRow   *rows;
	uint32_t	n;
	uint16_t   *state;			/* a row's blocks, shared: bit r = refined by rule r, bit r + 8 = windowed too */
	KeyRow	   *keys;			/* room for sorting, twice */
	size_t		room;
	KeyRow	   *sub;			/* room for one large block, twice */
	size_t		sub_room;
	MatchBlockStats stats;
} MatchBlocking;

/* Receives a block's rows; they may be changed, not kept.  Anything but CORE_OK stops. */
typedef CoreStatus (*MatchBlockFn) (void *arg, const uint32_t *row, uint32_t n);

/* Receives a candidate pair, a < b; anything but CORE_OK stops. */
typedef CoreStatus (*MatchPairFn) (void *arg, uint32_t a, uint32_t b);

/*
 * Begins: state has one zeroed entry a row and is shared by all.  At most
 * `memory` bytes are taken for sorting (but room for the largest group of equal
 * keys); less memory costs more passes over the rows.
 */
extern CoreStatus match_blocking_start(MatchBlocking *b, const CoreContext *cx, MatchRow *rows, uint32_t n,
									   uint16_t *state, size_t memory);
extern void match_blocking_end(MatchBlocking *b);

/*
 * First step, once a rule: gives every block of two rows and more, and notes in
 * the rows how many share a phone or a number.
 */
extern CoreStatus match_block_find(MatchBlocking *b, int rule, MatchBlockFn fn, void *arg);

/* Second step, when the blocks of all rules are found: the pairs of one block. */
extern CoreStatus match_block_pairs(MatchBlocking *b, int rule, const uint32_t *row, uint32_t n,
									MatchPairFn fn, void *arg);

/* Pairs of rows that live in one house, for training. */
extern CoreStatus match_home_pairs(MatchBlocking *b, double *pairs);

/* The row's key under the rule, 0 = none: what an index for single look-ups holds. */
extern uint64_t match_rule_key(const MatchRow *row, const MatchRule *rule);

/* Adds what another process counted. */
extern void match_block_stats_add(MatchBlockStats *to, const MatchBlockStats *from);

#endif							/* EHR_CORE_MATCH_BLOCK_H */
